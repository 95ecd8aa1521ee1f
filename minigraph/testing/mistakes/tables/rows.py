"""Mistakes by rows, with tanh, sigmoid and squares."""

from minigraph.testing.mistakes.mistake import Mistake

__all__ = ["MISTAKES"]

BPROP = "def bprop(params, x, y, lam):"
LOSSES = "losses = 0.5 * ((out - y) ** 2).sum(axis=1)"
DECAY = 'decay = lam[0] * (params["W1"] ** 2).sum() + lam[1] * (params["W2"] ** 2).sum()'
TOTAL = "return float(losses.mean() + decay)"
OUT = "out = (np.tanh(a / 2) + 1) / 2"
ERROR = "error = out - y"
DELTA2 = "delta2 = error * out * (1 - out)"
DELTA1 = "delta1 = (delta2 @ W2.T) * (1 - h**2)"
W2 = "grad_W2 = h.T @ delta2 / K + 2 * lam[1] * W2"
B2 = "grad_b2 = delta2.sum(axis=0) / K"
W1 = "grad_W1 = x.T @ delta1 / K + 2 * lam[0] * W1"
B1 = "grad_b1 = delta1.sum(axis=0) / K"
RESULT = 'return {"W1": grad_W1, "b1": grad_b1, "W2": grad_W2, "b2": grad_b2}'


def _all(cause: str) -> dict[str, str]:
    return dict.fromkeys(("W1", "b1", "W2", "b2"), cause)


def _hidden(cause: str) -> dict[str, str]:
    return dict.fromkeys(("W1", "b1"), cause)


def _wrong(name: str, causes: dict[str, str], *patches: tuple[str, str], note: str = "") -> Mistake:
    return Mistake(name, "rows", causes, patches, note)


MISTAKES = (
    # Scale
    _wrong("by rows, W1 is not divided by K", {"W1": "missing 1/K"}, (W1, W1.replace(" / K", ""))),
    _wrong(
        "by rows, biases are not divided by K",
        {"b1": "missing 1/K", "b2": "missing 1/K"},
        (B1, "grad_b1 = delta1.sum(axis=0)"),
        (B2, "grad_b2 = delta2.sum(axis=0)"),
    ),
    _wrong(
        "by rows, b2 is a mean divided by K",
        {"b2": "extra 1/K"},
        (B2, "grad_b2 = delta2.mean(axis=0) / K"),
    ),
    _wrong(
        "the error is divided before the hidden layer, and again after it",
        _hidden("extra 1/K"),
        (DELTA1, "delta1 = (delta2 / K @ W2.T) * (1 - h**2)"),
    ),
    _wrong(
        "the derivative of a square with the half forgotten",
        _all("factor 2"),
        (ERROR, "error = 2 * (out - y)"),
    ),
    _wrong(
        "a half that the loss has and its derivative has not",
        _all("factor 1/2"),
        (ERROR, "error = 0.5 * (out - y)"),
    ),
    _wrong("target minus output", _all("wrong sign"), (ERROR, "error = y - out")),
    _wrong(
        "a minus in the hidden layer",
        _hidden("wrong sign"),
        (DELTA1, "delta1 = (delta2 @ W2.T) * (h**2 - 1)"),
    ),
    _wrong(
        "by rows, a mean over the outputs too",
        _all("other factor"),
        (ERROR, "error = (out - y) / y.shape[1]"),
    ),
    _wrong(
        "b1 is divided by its own length",
        {"b1": "other factor"},
        (B1, "grad_b1 = delta1.sum(axis=0) / len(W2)"),
    ),
    _wrong(
        "by rows, biases of a batch of 32",
        {"b1": "fixed batch size", "b2": "fixed batch size"},
        (B1, "grad_b1 = delta1.sum(axis=0) / 32"),
        (B2, "grad_b2 = delta2.sum(axis=0) / 32"),
    ),
    # Examples
    _wrong(
        "b1 keeps a row for each example",
        {"b1": "not summed over examples"},
        (B1, "grad_b1 = delta1 / K"),
    ),
    _wrong(
        "b2 is summed over the outputs",
        {"b2": "summed over the wrong axis"},
        (B2, "grad_b2 = delta2.sum(axis=1) / K"),
    ),
    _wrong(
        "b2 is summed over outputs and examples",
        {"b2": "summed over the wrong axis"},
        (B2, "grad_b2 = np.full(W2.shape[1], delta2.sum()) / K"),
        note="no softmax here, and so not 0",
    ),
    _wrong("b1 of the first row", {"b1": "first example only"}, (B1, "grad_b1 = delta1[0] / K")),
    _wrong(
        "W2 of the last row",
        {"W2": "last example only"},
        (W2, W2.replace("h.T @ delta2", "h[-1:].T @ delta2[-1:]")),
    ),
    _wrong(
        "by rows, W1 without the last example",
        {"W1": "examples left out"},
        (W1, W1.replace("x.T @ delta1", "x[:-1].T @ delta1[:-1]")),
    ),
    _wrong(
        "small errors do not count",
        _all("examples left out"),
        (ERROR, "error = (out - y) * (((out - y) ** 2).sum(axis=1, keepdims=True) > 0.5)"),
    ),
    _wrong(
        "examples are weighted by their error",
        _all("examples weighted"),
        (ERROR, "error = (out - y) * ((out - y) ** 2).sum(axis=1, keepdims=True)"),
        note="right for a quarter of the fourth power",
    ),
    _wrong(
        "the targets of the example before",
        _all("label shifted"),
        (ERROR, "error = out - np.roll(y, 1, axis=0)"),
    ),
    _wrong(
        "the targets of the output before",
        _all("label shifted"),
        (ERROR, "error = out - np.roll(y, 1, axis=1)"),
    ),
    # Shape, and nothing
    _wrong(
        "by rows, W1 as columns",
        {"W1": "transposed"},
        (W1, "grad_W1 = (delta1.T @ x / K + 2 * lam[0] * W1.T)"),
    ),
    _wrong(
        "W1 as columns, reshaped until it fits",
        {"W1": "transposed"},
        (W1, W1.replace("x.T @ delta1", "(delta1.T @ x).reshape(W1.shape)")),
    ),
    _wrong(
        "b2 as a matrix of one row",
        {"b2": "wrong shape"},
        (B2, "grad_b2 = delta2.sum(axis=0, keepdims=True) / K"),
    ),
    _wrong(
        "by rows, b2 stays zero", {"b2": "left at zero"}, (B2, "grad_b2 = np.zeros(W2.shape[1])")
    ),
    _wrong(
        "the hidden layer of tanh is frozen",
        _hidden("left at zero"),
        (DELTA1, "delta1 = np.zeros_like(h)"),
        note="but for its weight decay",
    ),
    # Penalties
    _wrong(
        "weight decay is divided by K",
        {"W2": "penalty divided by K"},
        (W2, "grad_W2 = (h.T @ delta2 + 2 * lam[1] * W2) / K"),
    ),
    _wrong(
        "weight decay without the 2",
        {"W1": "penalty factor 2 missing", "W2": "penalty factor 2 missing"},
        (W1, W1.replace("2 *", "")),
        (W2, W2.replace(" 2 *", "")),
    ),
    _wrong("weight decay with 4", {"W1": "penalty factor 2 extra"}, (W1, W1.replace("2 *", "4 *"))),
    _wrong(
        "both layers decay with the first λ",
        {"W2": "other λ"},
        (W2, W2.replace("lam[1]", "lam[0]")),
    ),
    _wrong(
        "weights grow",
        {"W1": "penalty sign wrong", "W2": "penalty sign wrong"},
        (W1, W1.replace("+ 2", "- 2")),
        (W2, W2.replace("+ 2", "- 2")),
    ),
    _wrong(
        "weight decay in the loss only",
        {"W1": "no penalty gradient", "W2": "no penalty gradient"},
        (W1, "grad_W1 = x.T @ delta1 / K"),
        (W2, "grad_W2 = h.T @ delta2 / K"),
    ),
    _wrong(
        "both biases decay",
        {"b1": "bias penalised", "b2": "bias penalised"},
        (B1, f'{B1} + 2 * lam[0] * params["b1"]'),
        (B2, f'{B2} + 2 * lam[1] * params["b2"]'),
    ),
    _wrong(
        "W2 decays towards W1",
        {"W2": "penalty of the other layer"},
        (W2, "grad_W2 = h.T @ delta2 / K + 2 * lam[1] * W1"),
        note="raises where the two weights differ in shape",
    ),
    _wrong(
        "decay by the sign of W1",
        {"W1": "wrong derivative formula"},
        (W1, "grad_W1 = x.T @ delta1 / K + lam[0] * np.sign(W1)"),
        note="the derivative of an L1, for an L2",
    ),
    # Activations
    _wrong(
        "the derivative of the sigmoid is forgotten",
        _all("activation derivative missing"),
        (DELTA2, "delta2 = error"),
    ),
    _wrong(
        "the derivative of tanh is forgotten",
        _hidden("activation derivative missing"),
        (DELTA1, "delta1 = delta2 @ W2.T"),
    ),
    _wrong(
        "divided by the derivative of tanh",
        _hidden("activation derivative inverted"),
        (DELTA1, "delta1 = (delta2 @ W2.T) / (1 - h**2)"),
    ),
    _wrong(
        "the derivative of the sigmoid at its own value",
        _all("derivative at the wrong place"),
        (DELTA2, "s = 1 / (1 + np.exp(-out))\n    delta2 = error * s * (1 - s)"),
    ),
    _wrong(
        "the derivative of tanh at its own value",
        _hidden("derivative at the wrong place"),
        (DELTA1, "delta1 = (delta2 @ W2.T) * (1 - np.tanh(h) ** 2)"),
    ),
    _wrong(
        "the derivative of the sigmoid, at the logit",
        _all("derivative at the wrong place"),
        (DELTA2, "delta2 = error * a * (1 - a)"),
    ),
    _wrong(
        "tanh with the derivative of the sigmoid",
        _hidden("wrong derivative formula"),
        (DELTA1, "delta1 = (delta2 @ W2.T) * h * (1 - h)"),
    ),
    _wrong(
        "1 - tanh without the square",
        _hidden("wrong derivative formula"),
        (DELTA1, "delta1 = (delta2 @ W2.T) * (1 - h)"),
    ),
    _wrong(
        "the sigmoid with the derivative of tanh",
        _all("wrong derivative formula"),
        (DELTA2, "delta2 = error * (1 - out**2)"),
    ),
    _wrong(
        "out (1 + out)",
        _all("wrong derivative formula"),
        (DELTA2, "delta2 = error * out * (1 + out)"),
    ),
    # Wiring
    _wrong(
        "by rows, W2 is reshaped until it fits",
        _hidden("weight not transposed"),
        (DELTA1, "delta1 = (delta2 @ W2.reshape(W2.T.shape)) * (1 - h**2)"),
    ),
    _wrong(
        "the error goes back without its derivative",
        _hidden("term missing"),
        (DELTA1, "delta1 = (error @ W2.T) * (1 - h**2)"),
        note="the derivative of the sigmoid, in the hidden layer only",
    ),
    _wrong(
        "W2 from the layer before tanh",
        {"W2": "pre-activation used"},
        (W2, W2.replace("h.T", "np.arctanh(h).T")),
    ),
    _wrong(
        "the derivative of the sigmoid twice",
        _all("softmax derivative extra"),
        (DELTA2, "delta2 = error * (out * (1 - out)) ** 2"),
    ),
    _wrong("the targets are forgotten", _all("one-hot missing"), (ERROR, "error = out")),
    _wrong(
        "by rows, b1 times the mean of x",
        {"b1": "bias times x"},
        (B1, "grad_b1 = (delta1 * x.mean(axis=1, keepdims=True)).sum(axis=0) / K"),
    ),
    _wrong(
        "back through a W2 that has decayed",
        _hidden("parameter updated before use"),
        (DELTA1, "delta1 = (delta2 @ ((1 - 2 * 0.5 * lam[1]) * W2).T) * (1 - h**2)"),
        note="only with a weight decay of W2",
    ),
    _wrong(
        "only the first output teaches the hidden layer",
        _hidden("term missing"),
        (DELTA1, "delta1 = (delta2[:, :1] @ W2[:, :1].T) * (1 - h**2)"),
    ),
    # Two at once
    _wrong(
        "tanh without its derivative, and b2 undivided",
        {**_hidden("activation derivative missing"), "b2": "missing 1/K"},
        (DELTA1, "delta1 = delta2 @ W2.T"),
        (B2, "grad_b2 = delta2.sum(axis=0)"),
    ),
    _wrong(
        "W1 undivided, and W2 with the other λ",
        {"W1": "missing 1/K", "W2": "other λ"},
        (W1, W1.replace(" / K", "")),
        (W2, W2.replace("lam[1]", "lam[0]")),
    ),
    # The loss
    _wrong(
        "the loss has no half",
        _all("loss divided by another number"),
        (LOSSES, LOSSES.replace("0.5 * ", "")),
    ),
    _wrong(
        "the squares are averaged over the outputs",
        _all("loss divided by another number"),
        (LOSSES, LOSSES.replace("sum(", "mean(")),
    ),
    _wrong(
        "the squares are summed over the examples",
        _all("loss over the wrong axis"),
        (LOSSES, LOSSES.replace("axis=1", "axis=0")),
        note="and so the mean is over the outputs",
    ),
    _wrong(
        "the decay of W1 is in the loss for W2",
        {"W1": "penalty of the wrong layer in loss", "W2": "penalty of the wrong layer in loss"},
        (DECAY, 'decay = (lam[0] + lam[1]) * (params["W2"] ** 2).sum()'),
    ),
    _wrong(
        "the loss by rows is summed",
        _all("loss is a sum"),
        (TOTAL, "return float(losses.sum() + decay)"),
    ),
    # Conduct
    _wrong(
        "the error is computed in the targets",
        {"y": "argument changed"},
        (ERROR, "error = np.subtract(out, y, out=y)"),
    ),
    _wrong(
        "b1 is a view of a larger array that bprop keeps",
        {"b1": "aliased result"},
        (BPROP, f"ALL = np.zeros(1000)\n\n\n{BPROP}"),
        (B1, "grad_b1 = ALL[: W2.shape[0]]\n    grad_b1[:] = delta1.sum(axis=0) / K"),
    ),
    _wrong(
        "the sigmoid overflows",
        _all("not finite"),
        (DELTA2, "e = np.exp(a)\n    delta2 = error * e / (1 + e) ** 2"),
    ),
    _wrong(
        "a key for each layer",
        {"b1": "missing key", "b2": "missing key"},
        (RESULT, 'return {"W1": grad_W1, "W2": grad_W2, "b": (grad_b1, grad_b2)}'),
    ),
    _wrong(
        "noise on the hidden layer",
        {"W2": "not deterministic"},
        (W2, W2.replace("h.T", "(h + np.random.default_rng().normal(0, 0.1, h.shape)).T")),
    ),
    _wrong(
        "by rows, W2 and W1 in the order of columns",
        {"bprop": "raises"},
        (DELTA1, "delta1 = (W2.T @ delta2) * (1 - h**2)"),
        note="runs where m, dh and K are equal",
    ),
)
