"""The homework's backpropagation, derived by minigraph, beside the formulas of the homework.

`mg.derive` prints value and gradients of the penalised risk as NumPy, in rows and in columns. The
lines of both stand beside those that were derived by hand (U1 ... U18), with the shapes of the
results; then all three run on other data, and the largest difference is printed.

    python demos/derive_homework.py
"""

import re

import numpy as np
from homework import by_hand
from homework.by_hand import Lambdas, Parameters

import minigraph as mg

D, DH, M, K = 3, 5, 4, 6  # all different, so that a transposition would show
LAMBDAS: Lambdas = (0.011, 0.023, 0.037, 0.053)
L11, L12, L21, L22 = LAMBDAS

# The homework's lines, for K examples in columns; gradients are of the mean over them
BY_HAND = {
    "ha": ("U1", "W1 @ x + b1"),
    "hs": ("U1", "rect(ha)"),
    "oa": ("U2", "W2 @ hs + b2"),
    "softmax": ("U3", "softmax(oa)"),
    "onehot": ("U8", "onehot(m, y)"),
    "grad_oa": ("U7", "(os - onehot(m, y)) / K"),
    "grad_b2": ("U10", "grad_oa.sum(axis=1)"),
    "grad_W2": ("U10, U18", "grad_oa @ hs.T + l21 * sign(W2) + 2 * l22 * W2"),
    "grad_hs": ("U12", "W2.T @ grad_oa"),
    "grad_ha": ("U14", "grad_hs * (ha > 0)"),
    "grad_b1": ("U16", "grad_ha.sum(axis=1)"),
    "grad_W1": ("U16, U18", "grad_ha @ x.T + l11 * sign(W1) + 2 * l12 * W1"),
    "grad_x": ("U17", "W1.T @ grad_ha"),
}


def risk(W1, b1, W2, b2, x, y):
    """Compute the penalised risk, examples in rows as minigraph has them."""
    ha = x @ W1 + b1
    hs = mg.relu(ha)
    oa = hs @ W2 + b2
    return mg.softmax_nll(oa, y) + mg.elastic_net(W1, L11, L12) + mg.elastic_net(W2, L21, L22)


def problem(seed: int) -> tuple[Parameters, np.ndarray, np.ndarray]:
    """Draw parameters, data and labels, in columns as the homework has them."""
    rng = np.random.default_rng(seed)
    weights, biases = rng.normal(size=(DH, D)), rng.normal(size=(DH, 1))
    parameters = Parameters(weights, biases, rng.normal(size=(M, DH)), rng.normal(size=(M, 1)))
    return parameters, rng.normal(size=(D, K)), rng.integers(0, M, K)


def flat(parameters: Parameters, x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    """List the arguments of the derived function: its biases are vectors."""
    W1, b1, W2, b2 = parameters
    return [W1, b1[:, 0], W2, b2[:, 0], x, y]


def in_rows(arrays: list[np.ndarray]) -> list[np.ndarray]:
    return [array.T for array in arrays]


def lines_of(derived: mg.Derived) -> dict[str, tuple[str, str]]:
    """Find the formula and the shape behind each name."""
    pattern = r"(\w+) = (.+?)  +\w+ +(\(.*?\))"
    found = (re.match(pattern, line) for line in derived.explain().splitlines())
    return {match[1]: (match[2], match[3]) for match in found if match}


def show(rows: mg.Derived, columns: mg.Derived) -> None:
    """Print the lines of both layouts under those of the homework."""
    in_columns, beside = lines_of(columns), lines_of(rows)
    for name, (item, formula) in BY_HAND.items():
        print(f"\n{name}: {item}")
        print(f"    by hand   {formula}")
        for title, lines in (("columns", in_columns), ("rows", beside)):
            code, shape = lines[name]
            print(f"    {title:9} {code:60} {shape}")


def main() -> None:
    example = in_rows(flat(*problem(seed=0)))
    argnums = (0, 1, 2, 3, 4)
    rows = mg.derive(risk, *example, argnums=argnums)
    columns = mg.derive(risk, *example, argnums=argnums, layout="columns")
    print("Derived, examples in columns as in the homework:\n", columns.source, sep="\n")
    print("Derived, examples in rows:\n", rows.source, sep="\n")
    print("Line by line, with the shape of the result:")
    show(rows, columns)

    parameters, x, y = problem(seed=1)
    loss, forward = by_hand.fprop_matrix(parameters, x, y, LAMBDAS)
    (W1, b1, W2, b2), grad_x = by_hand.bprop_matrix(parameters, x, y, forward, LAMBDAS)
    expected = [loss, W1, b1[:, 0], W2, b2[:, 0], grad_x]
    arrays = flat(parameters, x, y)
    value, gradients = columns.function(*arrays)  # takes and gives columns
    other_value, others = rows.function(*in_rows(arrays))
    results = {"columns": [value, *gradients], "rows": [other_value, *in_rows(list(others))]}
    print(f"\nRun on other data, d={D}, dh={DH}, m={M}, K={K}:")
    for title, found in results.items():
        far = max(np.abs(a - b).max() for a, b in zip(found, expected, strict=True))
        print(f"largest difference from by hand, {title}: {far:.1e}")


if __name__ == "__main__":
    main()
