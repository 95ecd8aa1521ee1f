"""Numbers printed in the homework, and the data they belong to.

Examples are columns. The keys of the dictionaries are the names in ``by_hand``.
"""

import numpy as np

NAN = np.nan  # where the homework printed no number, or one that cannot be read

# Two circles, first ten rows: 550 points each of radius 1 (class 0) and 0.8 (class 1), at the
# angles 2 pi k / 550 in random order. The file's order is not a formula: here are its first k.
Y = np.array([1, 1, 0, 0, 0, 0, 0, 1, 0, 0])
ANGLES = 2 * np.pi / 550 * np.array([36, 88, 519, 61, 229, 6, 263, 89, 48, 338])
X = np.where(Y == 1, 0.8, 1.0) * np.array([np.cos(ANGLES), np.sin(ANGLES)])

# P5, the end: the trained parameters, which P7 then uses.
P5_PARAMETERS = {
    "W1": np.array([[-0.24489704, -0.09070214], [0.2109871, -0.1885247]]),
    "b1": np.array([[-1.75631058e-07], [3.46704925e-05]]),
    "W2": np.array([[-0.03957763, -0.01495402], [0.0115575, -0.08545502]]),
    "b2": np.array([[0.00049939], [-0.00049939]]),
}

# P7, K = 1 (row 0): the gradients, the same from the loop and from the matrices.
P7_ONE = {
    "oa": np.array([[0.50191452], [-0.50191452]]),
    "W2": np.array([[0.0, 0.04740948], [0.0, -0.04740948]]),
    "b2": np.array([[0.50191452], [-0.50191452]]),
    "W1": np.array([[0.0, 0.0], [0.02594793, 0.01131677]]),
    "b1": np.array([[0.0], [0.03538547]]),
}

# P7, K = 10 (rows 0 to 9): the gradients from the loop.
P7_LOOP = {
    "oa": np.array([[-0.1993741], [0.1993741]]),
    "W2": np.array([[-0.03218852, -0.02421717], [0.03218852, 0.02421717]]),
    "b2": np.array([[-0.1993741], [0.1993741]]),
    "W1": np.array([[-6.70019602e-03, -5.63076924e-05], [-9.86571300e-03, -1.98683298e-03]]),
    "b1": np.array([[0.00770831], [-0.0104821]]),
}

# P7, K = 10: the gradients from the matrices, of W1 and W2 summed where they should be averaged.
P7_MATRIX = {
    "oa": np.array([[-0.1993741], [0.1993741]]),
    "W2": np.array([[-0.32188522, -0.24217167], [0.32188522, 0.24217167]]),
    "b2": np.array([[-0.1993741], [0.1993741]]),
    "W1": np.array([[-0.06700196, -0.00056308], [-0.09865713, -0.01986833]]),
    "b1": np.array([[0.00770831], [-0.0104821]]),
}

# P2 and P4: the step of the forward differences.
EPSILON = 1e-5

# P2 and P4: the parameters. They are not printed: W1 and D = W2[0] - W2[1], all that two classes
# see of W2, are a least-squares fit to the nine independent ratios of P4. The rounding in those
# leaves them a standard error of 4e-5 (D[1]) to 1e-3 (W1[0, 1]): more digits would mean nothing.
_D = np.array([-0.139168, 0.191848])
P4_PARAMETERS = {
    "W1": np.array([[-0.67662, -0.24474], [0.58221, -0.51985]]),
    "b1": np.zeros((2, 1)),
    "W2": np.array([_D / 2, -_D / 2]),
    "b2": np.zeros((2, 1)),
}

# P2, K = 1 (row 0): finite difference / gradient. Five entries belong to hidden unit 0, which is
# dead on row 0: 0 == 0. W2[1, 1] reads 0.99999371, but must mirror W2[0, 1]: 0.99999936.
P2_RATIOS = {
    "W1": np.array([[NAN, NAN], [1.00000034, 1.00000015]]),
    "b1": np.array([[NAN], [1.00000047]]),
    "W2": np.array([[NAN, 1.00000064], [NAN, NAN]]),
    "b2": np.array([[1.00000244], [0.99999756]]),
}

# P4, K = 10 (rows 0 to 9): finite difference / gradient.
P4_RATIOS = {
    "W1": np.array(
        [[0.9999997059476512, 0.9999916654829426], [0.9999993291806428, 0.9999992191666146]]
    ),
    "b1": np.array([[1.0000003333662255], [0.9999991512086401]]),
    "W2": np.array(
        [[0.9999985538216867, 0.9999981057717863], [1.0000014461139695, 1.000001894280663]]
    ),
    "b2": np.array([[0.9999936697076376], [1.0000063303590017]]),
}
