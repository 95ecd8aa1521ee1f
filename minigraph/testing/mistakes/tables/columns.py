"""Mistakes in the matrix form by columns: the gradient."""

from minigraph.testing.mistakes.mistake import Mistake

__all__ = ["MISTAKES"]

# The lines that go wrong
SOFTMAX = "os = e / e.sum(axis=0)"
ONEHOT = "onehot = np.eye(m)[:, y]"
OA = "grad_oa = (os - onehot) / K"
W2 = "grad_W2 = grad_oa @ hs.T"
B2 = "grad_b2 = grad_oa.sum(axis=1, keepdims=True)"
HS = "grad_hs = W2.T @ grad_oa"
HA = "grad_ha = grad_hs * (ha > 0)"
W1 = "grad_W1 = grad_ha @ x.T"
B1 = "grad_b1 = grad_ha.sum(axis=1, keepdims=True)"
PENALTY1 = "grad_W1 += lam[0] * np.sign(W1) + 2 * lam[1] * W1"
PENALTY2 = "grad_W2 += lam[2] * np.sign(W2) + 2 * lam[3] * W2"
RESULT = 'return {"W1": grad_W1, "b1": grad_b1, "W2": grad_W2, "b2": grad_b2}'


def _all(cause: str) -> dict[str, str]:
    return dict.fromkeys(("W1", "b1", "W2", "b2"), cause)


def _hidden(cause: str) -> dict[str, str]:
    return dict.fromkeys(("W1", "b1"), cause)


def _wrong(
    name: str,
    causes: dict[str, str],
    *patches: tuple[str, str],
    note: str = "",
    also: tuple[str, ...] = (),
) -> Mistake:
    return Mistake(name, "columns", causes, patches, note, also)


MISTAKES = (
    # Scale
    _wrong("the error is not divided by K", _all("missing 1/K"), (OA, "grad_oa = os - onehot")),
    _wrong(
        "biases are means, weights are sums",
        {"W1": "missing 1/K", "W2": "missing 1/K"},
        (OA, "grad_oa = os - onehot"),
        (B2, "grad_b2 = grad_oa.mean(axis=1, keepdims=True)"),
        (B1, "grad_b1 = grad_ha.mean(axis=1, keepdims=True)"),
    ),
    _wrong("W2 from the undivided error", {"W2": "missing 1/K"}, (W2, "grad_W2 = (os - onehot) @ hs.T")),
    _wrong(
        "b2 from the undivided error",
        {"b2": "missing 1/K"},
        (B2, "grad_b2 = (os - onehot).sum(axis=1, keepdims=True)"),
    ),
    _wrong(
        "the undivided error goes back to the hidden layer",
        _hidden("missing 1/K"),
        (HS, "grad_hs = W2.T @ (os - onehot)"),
    ),
    _wrong(
        "b2 is the mean of what is already divided",
        {"b2": "extra 1/K"},
        (B2, "grad_b2 = grad_oa.mean(axis=1, keepdims=True)"),
    ),
    _wrong(
        "b1 is the mean of what is already divided",
        {"b1": "extra 1/K"},
        (B1, "grad_b1 = grad_ha.mean(axis=1, keepdims=True)"),
    ),
    _wrong(
        "both weights are divided by K again",
        {"W1": "extra 1/K", "W2": "extra 1/K"},
        (W1, "grad_W1 = grad_ha @ x.T / K"),
        (W2, "grad_W2 = grad_oa @ hs.T / K"),
    ),
    _wrong("label minus probability", _all("wrong sign"), (OA, "grad_oa = (onehot - os) / K")),
    _wrong(
        "the direction of the step, for the gradient",
        _all("wrong sign"),
        (RESULT, 'return {"W1": -grad_W1, "b1": -grad_b1, "W2": -grad_W2, "b2": -grad_b2}'),
        note="the penalties change their sign too",
    ),
    _wrong(
        "b1 is subtracted",
        {"b1": "wrong sign"},
        (B1, "grad_b1 = -grad_ha.sum(axis=1, keepdims=True)"),
    ),
    _wrong(
        "a batch of 10 is written into the code",
        _all("fixed batch size"),
        (OA, "grad_oa = (os - onehot) / 10"),
    ),
    _wrong(
        "a batch of 32 is written into the rule of W2",
        {"W2": "fixed batch size"},
        (W2, "grad_W2 = (os - onehot) @ hs.T / 32"),
    ),
    _wrong(
        "the mean is over examples and classes",
        _all("other factor"),
        (OA, "grad_oa = (os - onehot) / onehot.size"),
    ),
    _wrong(
        "divided by K - 1, as a variance",
        _all("other factor"),
        (OA, "grad_oa = (os - onehot) / max(K - 1, 1)"),
    ),
    _wrong(
        "W2 is averaged over the hidden units",
        {"W2": "other factor"},
        (W2, "grad_W2 = grad_oa @ hs.T / len(hs)"),
    ),
    _wrong("the 2 of a square", _all("factor 2"), (OA, "grad_oa = 2 * (os - onehot) / K")),
    _wrong("the half of a half square", _all("factor 1/2"), (OA, "grad_oa = 0.5 * (os - onehot) / K")),
    _wrong("b2 is added to itself", {"b2": "factor 2"}, (HS, f"grad_b2 += grad_b2\n    {HS}")),
    # Examples
    _wrong("b2 keeps a column for each example", {"b2": "not summed over examples"}, (B2, "grad_b2 = grad_oa")),
    _wrong("b1 keeps a column for each example", {"b1": "not summed over examples"}, (B1, "grad_b1 = grad_ha")),
    _wrong("b2 of the first column", {"b2": "first example only"}, (B2, "grad_b2 = grad_oa[:, :1]")),
    _wrong(
        "W1 of the last column",
        {"W1": "last example only"},
        (W1, "grad_W1 = grad_ha[:, -1:] @ x[:, -1:].T"),
    ),
    _wrong("b1 of the last column", {"b1": "last example only"}, (B1, "grad_b1 = grad_ha[:, -1:]")),
    _wrong(
        "b1 without the first example",
        {"b1": "examples left out"},
        (B1, "grad_b1 = grad_ha[:, 1:].sum(axis=1, keepdims=True)"),
    ),
    _wrong(
        "W2 without the last example",
        {"W2": "examples left out"},
        (W2, "grad_W2 = grad_oa[:, :-1] @ hs[:, :-1].T"),
    ),
    _wrong(
        "only what is misclassified is learnt",
        _all("examples left out"),
        (OA, "grad_oa = (os - onehot) * (os.argmax(axis=0) != y) / K"),
    ),
    _wrong(
        "what is left after batches of 4 is dropped",
        _all("examples left out"),
        (OA, f"{OA}\n    grad_oa[:, K // 4 * 4 :] = 0"),
        note="with fewer than 4 examples, all are",
    ),
    _wrong(
        "examples are weighted by their class",
        _all("examples weighted"),
        (OA, "grad_oa = (os - onehot) * (1 + y) / K"),
    ),
    _wrong(
        "the error is multiplied by the probability of the label",
        _all("examples weighted"),
        (OA, "grad_oa = (os - onehot) * os[y, np.arange(K)] / K"),
        note="right for the loss 1 - p, wrong for -ln p",
    ),
    _wrong(
        "b1 is summed over the units",
        {"b1": "summed over the wrong axis"},
        (B1, "grad_b1 = grad_ha.sum(axis=0, keepdims=True)"),
    ),
    _wrong(
        "b1 is summed over everything",
        {"b1": "summed over the wrong axis"},
        (B1, 'grad_b1 = np.full_like(params["b1"], grad_ha.sum())'),
    ),
    _wrong(
        "b2 is summed over the classes",
        {"b2": "summed over the wrong axis"},
        (B2, "grad_b2 = grad_oa.sum(axis=0, keepdims=True)"),
        note="its entries are 0, as the probabilities sum to 1; the shape is (1, K)",
    ),
    _wrong(
        "softmax over the examples",
        _all("summed over the wrong axis"),
        (SOFTMAX, "os = e / e.sum(axis=1, keepdims=True)"),
        note="fprop does not use os",
    ),
    _wrong(
        "softmax over the whole batch",
        _all("summed over the wrong axis"),
        (SOFTMAX, "os = e / e.sum()"),
        note="fprop does not use os",
    ),
    _wrong("labels are counted from 1", _all("label shifted"), (ONEHOT, "onehot = np.eye(m)[:, y - 1]")),
    _wrong(
        "labels are counted from -1",
        _all("label shifted"),
        (ONEHOT, "onehot = np.eye(m)[:, (y + 1) % m]"),
    ),
    _wrong(
        "labels of the example before",
        _all("label shifted"),
        (ONEHOT, "onehot = np.eye(m)[:, np.roll(y, 1)]"),
    ),
    # Shape, and nothing
    _wrong("W2 is returned as rows", {"W2": "transposed"}, (RESULT, RESULT.replace("grad_W2", "grad_W2.T"))),
    _wrong("W1 is returned as rows", {"W1": "transposed"}, (RESULT, RESULT.replace("grad_W1", "grad_W1.T"))),
    _wrong(
        "W2 by rows, reshaped until it fits",
        {"W2": "transposed"},
        (W2, "grad_W2 = (hs @ grad_oa.T).reshape(W2.shape)"),
    ),
    _wrong("b1 is returned as a row", {"b1": "transposed"}, (RESULT, RESULT.replace("grad_b1", "grad_b1.T"))),
    _wrong("b2 without keepdims", {"b2": "wrong shape"}, (B2, "grad_b2 = grad_oa.sum(axis=1)")),
    _wrong("b1 without keepdims", {"b1": "wrong shape"}, (B1, "grad_b1 = grad_ha.sum(axis=1)")),
    _wrong("W1 is returned flat", {"W1": "wrong shape"}, (RESULT, RESULT.replace("grad_W1", "grad_W1.ravel()"))),
    _wrong(
        "b2 is forgotten",
        {"b2": "left at zero"},
        (B2, 'grad_b2 = np.zeros_like(params["b2"])'),
        note="b2 summed over everything, spread over its entries, is 0 as well",
        also=("summed over the wrong axis",),
    ),
    _wrong("b1 is forgotten", {"b1": "left at zero"}, (B1, 'grad_b1 = np.zeros_like(params["b1"])')),
    _wrong(
        "the hidden layer does not learn",
        _hidden("left at zero"),
        (HA, "grad_ha = np.zeros_like(ha)"),
        note="but for its penalties",
    ),
    # Penalties
    _wrong(
        "penalties are in the loss only",
        {"W1": "no penalty gradient", "W2": "no penalty gradient"},
        (PENALTY1, ""),
        (PENALTY2, ""),
    ),
    _wrong("the penalties of W2 are in the loss only", {"W2": "no penalty gradient"}, (PENALTY2, "")),
    _wrong("W1 without its L1", {"W1": "one penalty ignored"}, (PENALTY1, "grad_W1 += 2 * lam[1] * W1")),
    _wrong(
        "W2 without its L2",
        {"W2": "one penalty ignored"},
        (PENALTY2, "grad_W2 += lam[2] * np.sign(W2)"),
    ),
    _wrong(
        "λ22 for both penalties of W2",
        {"W2": "other λ"},
        (PENALTY2, "grad_W2 += lam[3] * np.sign(W2) + 2 * lam[3] * W2"),
    ),
    _wrong(
        "λ11 and λ12 are swapped",
        {"W1": "other λ"},
        (PENALTY1, "grad_W1 += lam[1] * np.sign(W1) + 2 * lam[0] * W1"),
    ),
    _wrong(
        "layer 1 has the λ of layer 2",
        {"W1": "other λ"},
        (PENALTY1, "grad_W1 += lam[2] * np.sign(W1) + 2 * lam[3] * W1"),
    ),
    _wrong(
        "λ W for the L2 of W1",
        {"W1": "penalty factor 2 missing"},
        (PENALTY1, "grad_W1 += lam[0] * np.sign(W1) + lam[1] * W1"),
    ),
    _wrong(
        "λ W for the L2 of W2",
        {"W2": "penalty factor 2 missing"},
        (PENALTY2, "grad_W2 += lam[2] * np.sign(W2) + lam[3] * W2"),
    ),
    _wrong(
        "both penalties of W1 have a 2",
        {"W1": "penalty factor 2 extra"},
        (PENALTY1, "grad_W1 += 2 * (lam[0] * np.sign(W1) + lam[1] * W1)"),
    ),
    _wrong(
        "the 2 of the L2 of W2 twice",
        {"W2": "penalty factor 2 extra"},
        (PENALTY2, "grad_W2 += lam[2] * np.sign(W2) + 2 * 2 * lam[3] * W2"),
    ),
    _wrong(
        "λ for the L1 of W1",
        {"W1": "sign missing in L1"},
        (PENALTY1, "grad_W1 += lam[0] + 2 * lam[1] * W1"),
    ),
    _wrong(
        "λ |W| for the L1 of W2",
        {"W2": "sign missing in L1"},
        (PENALTY2, "grad_W2 += lam[2] * np.abs(W2) + 2 * lam[3] * W2"),
    ),
    _wrong(
        "λ W for the L1 of W1",
        {"W1": "sign missing in L1"},
        (PENALTY1, "grad_W1 += lam[0] * W1 + 2 * lam[1] * W1"),
    ),
    _wrong(
        "the penalties of W2 are added to W1",
        {"W1": "penalty of the other layer", "W2": "no penalty gradient"},
        (PENALTY2, "grad_W1 += lam[2] * np.sign(W1) + 2 * lam[3] * W1"),
    ),
    _wrong(
        "W1 decays in the place of W2",
        {"W2": "penalty of the other layer"},
        (PENALTY2, "grad_W2 += lam[2] * np.sign(W1) + 2 * lam[3] * W1"),
        note="raises where the two weights differ in shape",
    ),
    _wrong(
        "penalties are averaged with the examples",
        {"W1": "penalty divided by K", "W2": "penalty divided by K"},
        (PENALTY1, "grad_W1 += (lam[0] * np.sign(W1) + 2 * lam[1] * W1) / K"),
        (PENALTY2, "grad_W2 += (lam[2] * np.sign(W2) + 2 * lam[3] * W2) / K"),
    ),
    _wrong(
        "b1 decays with W1",
        {"b1": "bias penalised"},
        (PENALTY1, f'{PENALTY1}\n    grad_b1 += 2 * lam[1] * params["b1"]'),
    ),
    _wrong(
        "b2 has both penalties of W2",
        {"b2": "bias penalised"},
        (PENALTY2, f'{PENALTY2}\n    grad_b2 += lam[2] * np.sign(params["b2"]) + 2 * lam[3] * params["b2"]'),
    ),
    _wrong(
        "the penalties of W1 are subtracted",
        {"W1": "penalty sign wrong"},
        (PENALTY1, PENALTY1.replace("+=", "-=")),
    ),
    _wrong(
        "the L1 of W2 is subtracted",
        {"W2": "penalty sign wrong"},
        (PENALTY2, "grad_W2 += 2 * lam[3] * W2 - lam[2] * np.sign(W2)"),
    ),
    _wrong(
        "sign(0) = 1 in the L1 of W1",
        {"W1": "wrong derivative formula"},
        (PENALTY1, "grad_W1 += lam[0] * np.where(W1 >= 0, 1, -1) + 2 * lam[1] * W1"),
        note="differs where a weight is exactly 0, and is a one-sided derivative there",
    ),
    # Activations
    _wrong("relu passes everything back", _hidden("activation derivative missing"), (HA, "grad_ha = grad_hs.copy()")),
    _wrong(
        "b1 before the derivative of relu",
        {"b1": "activation derivative missing"},
        (B1, "grad_b1 = grad_hs.sum(axis=1, keepdims=True)"),
    ),
    _wrong(
        "W1 before the derivative of relu",
        {"W1": "activation derivative missing"},
        (W1, "grad_W1 = grad_hs @ x.T"),
    ),
    _wrong(
        "the gradient of the probabilities, not of the logits",
        _all("activation derivative missing"),
        (OA, "grad_oa = -onehot / os / K"),
    ),
    _wrong("relu passes where it was off", _hidden("activation derivative inverted"), (HA, "grad_ha = grad_hs * (ha <= 0)")),
    _wrong("relu of the gradient", _hidden("derivative at the wrong place"), (HA, "grad_ha = grad_hs * (grad_hs > 0)")),
    _wrong(
        "the derivative of relu without the bias",
        _hidden("derivative at the wrong place"),
        (HA, "grad_ha = grad_hs * (W1 @ x > 0)"),
    ),
    _wrong(
        "relu passes a unit that is on for any example",
        _hidden("derivative at the wrong place"),
        (HA, "grad_ha = grad_hs * (ha > 0).any(axis=1, keepdims=True)"),
    ),
    _wrong(
        "relu′(0) = 1",
        _hidden("wrong derivative formula"),
        (HA, "grad_ha = grad_hs * (ha >= 0)"),
        note="a convention: differs where an activation is exactly 0, one-sided there",
    ),
    _wrong("the sign, for the derivative of relu", _hidden("wrong derivative formula"), (HA, "grad_ha = grad_hs * np.sign(ha)")),
    _wrong("relu, for its derivative", _hidden("wrong derivative formula"), (HA, "grad_ha = grad_hs * hs")),
    _wrong(
        "the derivative of a leaky relu",
        _hidden("wrong derivative formula"),
        (HA, "grad_ha = grad_hs * np.where(ha > 0, 1, 0.01)"),
    ),
    # Wiring
    _wrong("W2 from the activation before relu", {"W2": "pre-activation used"}, (W2, "grad_W2 = grad_oa @ ha.T")),
    _wrong(
        "W2 from the input",
        {"W2": "input in place of hidden"},
        (W2, "grad_W2 = grad_oa @ x.T"),
        note="raises where d differs from dh",
    ),
    _wrong(
        "W2 is reshaped until it fits",
        _hidden("weight not transposed"),
        (HS, "grad_hs = W2.reshape(-1, m) @ grad_oa"),
    ),
    _wrong(
        "back through W2 as it stands",
        _hidden("weight not transposed"),
        (HS, "grad_hs = W2 @ grad_oa"),
        note="raises where m differs from dh",
    ),
    _wrong(
        "back through W1, for W2",
        _hidden("weight of the other layer"),
        (HS, "grad_hs = W1 @ grad_oa"),
        note="raises where m differs from d",
    ),
    _wrong("nothing is subtracted from the probabilities", _all("one-hot missing"), (OA, "grad_oa = os / K")),
    _wrong("1 is subtracted from all probabilities", _all("one-hot missing"), (OA, "grad_oa = (os - 1) / K")),
    _wrong(
        "the error times p (1 - p)",
        _all("softmax derivative extra"),
        (OA, "grad_oa = (os - onehot) * os * (1 - os) / K"),
    ),
    _wrong(
        "the error through the Jacobian of softmax",
        _all("softmax derivative extra"),
        (OA, f"{OA}\n    grad_oa = os * (grad_oa - (grad_oa * os).sum(axis=0))"),
    ),
    _wrong(
        "b1 times the first input",
        {"b1": "bias times x"},
        (B1, "grad_b1 = (grad_ha * x[0]).sum(axis=1, keepdims=True)"),
    ),
    _wrong(
        "b1 as the sum of W1",
        {"b1": "bias times x"},
        (B1, "grad_b1 = grad_W1.sum(axis=1, keepdims=True)"),
    ),
    _wrong(
        "b2 times the hidden layer",
        {"b2": "bias times x"},
        (B2, "grad_b2 = (grad_oa @ hs.T).sum(axis=1, keepdims=True)"),
    ),
    _wrong(
        "the hidden layer hears of the right class only",
        _hidden("term missing"),
        (HS, "grad_hs = W2[y].T * grad_oa[y, np.arange(K)]"),
    ),
    _wrong(
        "the error of the right class only",
        _all("term missing"),
        (OA, "grad_oa = onehot * (os - 1) / K"),
    ),
    _wrong(
        "W2 has taken its step",
        _hidden("parameter updated before use"),
        (HS, "grad_hs = (W2 - 0.1 * grad_W2).T @ grad_oa"),
    ),
    # Two at once
    _wrong(
        "W2 undivided, and b1 not summed",
        {"W2": "missing 1/K", "b1": "not summed over examples"},
        (W2, "grad_W2 = (os - onehot) @ hs.T"),
        (B1, "grad_b1 = grad_ha"),
    ),
    _wrong(
        "relu passes everything, and W2 has λ22 twice",
        {**_hidden("activation derivative missing"), "W2": "other λ"},
        (HA, "grad_ha = grad_hs.copy()"),
        (PENALTY2, "grad_W2 += lam[3] * np.sign(W2) + 2 * lam[3] * W2"),
    ),
    _wrong(
        "W1 as rows, and b2 the mean of what is divided",
        {"W1": "transposed", "b2": "extra 1/K"},
        (RESULT, RESULT.replace("grad_W1", "grad_W1.T")),
        (B2, "grad_b2 = grad_oa.mean(axis=1, keepdims=True)"),
    ),
    _wrong(
        "W1 without its penalties, and W2 from before relu",
        {"W1": "no penalty gradient", "W2": "pre-activation used"},
        (PENALTY1, ""),
        (W2, "grad_W2 = grad_oa @ ha.T"),
    ),
)
