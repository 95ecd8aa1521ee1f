"""Mistakes in the matrix form by columns: penalties, activations and what stands where."""

from minigraph.testing.mistakes.tables.columns import (
    B1,
    B2,
    HA,
    HS,
    OA,
    PENALTY1,
    PENALTY2,
    RESULT,
    W1,
    W2,
    every,
    hidden,
    wrong,
)

__all__ = ["MISTAKES"]

MISTAKES = (
    # Penalties
    wrong(
        "penalties are in the loss only",
        {"W1": "no penalty gradient", "W2": "no penalty gradient"},
        (PENALTY1, ""),
        (PENALTY2, ""),
    ),
    wrong(
        "the penalties of W2 are in the loss only", {"W2": "no penalty gradient"}, (PENALTY2, "")
    ),
    wrong(
        "W1 without its L1", {"W1": "one penalty ignored"}, (PENALTY1, "grad_W1 += 2 * lam[1] * W1")
    ),
    wrong(
        "W2 without its L2",
        {"W2": "one penalty ignored"},
        (PENALTY2, "grad_W2 += lam[2] * np.sign(W2)"),
    ),
    wrong(
        "λ22 for both penalties of W2",
        {"W2": "other λ"},
        (PENALTY2, "grad_W2 += lam[3] * np.sign(W2) + 2 * lam[3] * W2"),
    ),
    wrong(
        "λ11 and λ12 are swapped",
        {"W1": "other λ"},
        (PENALTY1, "grad_W1 += lam[1] * np.sign(W1) + 2 * lam[0] * W1"),
    ),
    wrong(
        "layer 1 has the λ of layer 2",
        {"W1": "other λ"},
        (PENALTY1, "grad_W1 += lam[2] * np.sign(W1) + 2 * lam[3] * W1"),
    ),
    wrong(
        "λ W for the L2 of W1",
        {"W1": "penalty factor 2 missing"},
        (PENALTY1, "grad_W1 += lam[0] * np.sign(W1) + lam[1] * W1"),
    ),
    wrong(
        "λ W for the L2 of W2",
        {"W2": "penalty factor 2 missing"},
        (PENALTY2, "grad_W2 += lam[2] * np.sign(W2) + lam[3] * W2"),
    ),
    wrong(
        "both penalties of W1 have a 2",
        {"W1": "penalty factor 2 extra"},
        (PENALTY1, "grad_W1 += 2 * (lam[0] * np.sign(W1) + lam[1] * W1)"),
    ),
    wrong(
        "the 2 of the L2 of W2 twice",
        {"W2": "penalty factor 2 extra"},
        (PENALTY2, "grad_W2 += lam[2] * np.sign(W2) + 2 * 2 * lam[3] * W2"),
    ),
    wrong(
        "λ for the L1 of W1",
        {"W1": "sign missing in L1"},
        (PENALTY1, "grad_W1 += lam[0] + 2 * lam[1] * W1"),
    ),
    wrong(
        "λ |W| for the L1 of W2",
        {"W2": "sign missing in L1"},
        (PENALTY2, "grad_W2 += lam[2] * np.abs(W2) + 2 * lam[3] * W2"),
    ),
    wrong(
        "λ W for the L1 of W1",
        {"W1": "sign missing in L1"},
        (PENALTY1, "grad_W1 += lam[0] * W1 + 2 * lam[1] * W1"),
    ),
    wrong(
        "the penalties of W2 are added to W1",
        {"W1": "penalty of the other layer", "W2": "no penalty gradient"},
        (PENALTY2, "grad_W1 += lam[2] * np.sign(W1) + 2 * lam[3] * W1"),
    ),
    wrong(
        "W1 decays in the place of W2",
        {"W2": "penalty of the other layer"},
        (PENALTY2, "grad_W2 += lam[2] * np.sign(W1) + 2 * lam[3] * W1"),
        note="raises where the two weights differ in shape",
    ),
    wrong(
        "penalties are averaged with the examples",
        {"W1": "penalty divided by K", "W2": "penalty divided by K"},
        (PENALTY1, "grad_W1 += (lam[0] * np.sign(W1) + 2 * lam[1] * W1) / K"),
        (PENALTY2, "grad_W2 += (lam[2] * np.sign(W2) + 2 * lam[3] * W2) / K"),
    ),
    wrong(
        "b1 decays with W1",
        {"b1": "bias penalised"},
        (PENALTY1, f'{PENALTY1}\n    grad_b1 += 2 * lam[1] * params["b1"]'),
    ),
    wrong(
        "b2 has both penalties of W2",
        {"b2": "bias penalised"},
        (
            PENALTY2,
            f"{PENALTY2}\n    "
            'grad_b2 += lam[2] * np.sign(params["b2"]) + 2 * lam[3] * params["b2"]',
        ),
    ),
    wrong(
        "the penalties of W1 are subtracted",
        {"W1": "penalty sign wrong"},
        (PENALTY1, PENALTY1.replace("+=", "-=")),
    ),
    wrong(
        "the L1 of W2 is subtracted",
        {"W2": "penalty sign wrong"},
        (PENALTY2, "grad_W2 += 2 * lam[3] * W2 - lam[2] * np.sign(W2)"),
    ),
    wrong(
        "sign(0) = 1 in the L1 of W1",
        {"W1": "wrong derivative formula"},
        (PENALTY1, "grad_W1 += lam[0] * np.where(W1 >= 0, 1, -1) + 2 * lam[1] * W1"),
        note="differs where a weight is exactly 0, and is a one-sided derivative there",
    ),
    # Activations
    wrong(
        "relu passes everything back",
        hidden("activation derivative missing"),
        (HA, "grad_ha = grad_hs.copy()"),
    ),
    wrong(
        "b1 before the derivative of relu",
        {"b1": "activation derivative missing"},
        (B1, "grad_b1 = grad_hs.sum(axis=1, keepdims=True)"),
    ),
    wrong(
        "W1 before the derivative of relu",
        {"W1": "activation derivative missing"},
        (W1, "grad_W1 = grad_hs @ x.T"),
    ),
    wrong(
        "the gradient of the probabilities, not of the logits",
        every("activation derivative missing"),
        (OA, "grad_oa = -onehot / os / K"),
    ),
    wrong(
        "relu passes where it was off",
        hidden("activation derivative inverted"),
        (HA, "grad_ha = grad_hs * (ha <= 0)"),
    ),
    wrong(
        "relu of the gradient",
        hidden("derivative at the wrong place"),
        (HA, "grad_ha = grad_hs * (grad_hs > 0)"),
    ),
    wrong(
        "the derivative of relu without the bias",
        hidden("derivative at the wrong place"),
        (HA, "grad_ha = grad_hs * (W1 @ x > 0)"),
    ),
    wrong(
        "relu passes a unit that is on for any example",
        hidden("derivative at the wrong place"),
        (HA, "grad_ha = grad_hs * (ha > 0).any(axis=1, keepdims=True)"),
    ),
    wrong(
        "relu′(0) = 1",
        hidden("wrong derivative formula"),
        (HA, "grad_ha = grad_hs * (ha >= 0)"),
        note="a convention: differs where an activation is exactly 0, one-sided there",
    ),
    wrong(
        "the sign, for the derivative of relu",
        hidden("wrong derivative formula"),
        (HA, "grad_ha = grad_hs * np.sign(ha)"),
    ),
    wrong(
        "relu, for its derivative",
        hidden("wrong derivative formula"),
        (HA, "grad_ha = grad_hs * hs"),
    ),
    wrong(
        "the derivative of a leaky relu",
        hidden("wrong derivative formula"),
        (HA, "grad_ha = grad_hs * np.where(ha > 0, 1, 0.01)"),
    ),
    # Wiring
    wrong(
        "W2 from the activation before relu",
        {"W2": "pre-activation used"},
        (W2, "grad_W2 = grad_oa @ ha.T"),
    ),
    wrong(
        "W2 from the input",
        {"W2": "input in place of hidden"},
        (W2, "grad_W2 = grad_oa @ x.T"),
        note="raises where d differs from dh",
    ),
    wrong(
        "W2 is reshaped until it fits",
        hidden("weight not transposed"),
        (HS, "grad_hs = W2.reshape(-1, m) @ grad_oa"),
    ),
    wrong(
        "back through W2 as it stands",
        hidden("weight not transposed"),
        (HS, "grad_hs = W2 @ grad_oa"),
        note="raises where m differs from dh",
    ),
    wrong(
        "back through W1, for W2",
        hidden("weight of the other layer"),
        (HS, "grad_hs = W1 @ grad_oa"),
        note="raises where m differs from d",
    ),
    wrong(
        "nothing is subtracted from the probabilities",
        every("one-hot missing"),
        (OA, "grad_oa = os / K"),
    ),
    wrong(
        "1 is subtracted from all probabilities",
        every("one-hot missing"),
        (OA, "grad_oa = (os - 1) / K"),
    ),
    wrong(
        "the error times p (1 - p)",
        every("softmax derivative extra"),
        (OA, "grad_oa = (os - onehot) * os * (1 - os) / K"),
    ),
    wrong(
        "the error through the Jacobian of softmax",
        every("softmax derivative extra"),
        (OA, f"{OA}\n    grad_oa = os * (grad_oa - (grad_oa * os).sum(axis=0))"),
    ),
    wrong(
        "b1 times the first input",
        {"b1": "bias times x"},
        (B1, "grad_b1 = (grad_ha * x[0]).sum(axis=1, keepdims=True)"),
    ),
    wrong(
        "b1 as the sum of W1",
        {"b1": "bias times x"},
        (B1, "grad_b1 = grad_W1.sum(axis=1, keepdims=True)"),
    ),
    wrong(
        "b2 times the hidden layer",
        {"b2": "bias times x"},
        (B2, "grad_b2 = (grad_oa @ hs.T).sum(axis=1, keepdims=True)"),
    ),
    wrong(
        "the hidden layer hears of the right class only",
        hidden("term missing"),
        (HS, "grad_hs = W2[y].T * grad_oa[y, np.arange(K)]"),
    ),
    wrong(
        "the error of the right class only",
        every("term missing"),
        (OA, "grad_oa = onehot * (os - 1) / K"),
    ),
    wrong(
        "W2 has taken its step",
        hidden("parameter updated before use"),
        (HS, "grad_hs = (W2 - 0.1 * grad_W2).T @ grad_oa"),
    ),
    # Two at once
    wrong(
        "W2 undivided, and b1 not summed",
        {"W2": "missing 1/K", "b1": "not summed over examples"},
        (W2, "grad_W2 = (os - onehot) @ hs.T"),
        (B1, "grad_b1 = grad_ha"),
    ),
    wrong(
        "relu passes everything, and W2 has λ22 twice",
        {**hidden("activation derivative missing"), "W2": "other λ"},
        (HA, "grad_ha = grad_hs.copy()"),
        (PENALTY2, "grad_W2 += lam[3] * np.sign(W2) + 2 * lam[3] * W2"),
    ),
    wrong(
        "W1 as rows, and b2 the mean of what is divided",
        {"W1": "transposed", "b2": "extra 1/K"},
        (RESULT, RESULT.replace("grad_W1", "grad_W1.T")),
        (B2, "grad_b2 = grad_oa.mean(axis=1, keepdims=True)"),
    ),
    wrong(
        "W1 without its penalties, and W2 from before relu",
        {"W1": "no penalty gradient", "W2": "pre-activation used"},
        (PENALTY1, ""),
        (W2, "grad_W2 = grad_oa @ ha.T"),
    ),
)
