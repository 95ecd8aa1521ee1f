"""Mistakes with two hidden layers."""

from minigraph.testing.mistakes.mistake import Mistake

__all__ = ["MISTAKES"]

BPROP = "def bprop(params, x, y):"
LOSS = "return float(-log_p[np.arange(len(y)), y].mean())"
LOG_P = "log_p = z3 - np.log(np.exp(z3).sum(axis=1, keepdims=True))"
SHIFT = "z3 = z3 - z3.max(axis=1, keepdims=True)"
WEIGHTS = 'W2, W3 = params["W2"], params["W3"]'
EXP = "p = np.exp(z3 - z3.max(axis=1, keepdims=True))"
SOFTMAX = "p /= p.sum(axis=1, keepdims=True)"
ONEHOT = "p[np.arange(K), y] -= 1"
Z3 = "grad_z3 = p / K"
W3 = "grad_W3 = h2.T @ grad_z3"
H2 = "grad_h2 = grad_z3 @ W3.T"
Z2 = "grad_z2 = grad_h2 * h2 * (1 - h2)"
W2 = "grad_W2 = h1.T @ grad_z2"
H1 = "grad_h1 = grad_z2 @ W2.T"
Z1 = "grad_z1 = grad_h1 * (z1 > 0)"
W1 = "grad_W1 = x.T @ grad_z1"
RESULT = 'return {"W1": grad_W1, "W2": grad_W2, "W3": grad_W3}'


def _all(cause: str) -> dict[str, str]:
    return dict.fromkeys(("W1", "W2", "W3"), cause)


def _hidden(cause: str) -> dict[str, str]:
    return dict.fromkeys(("W1", "W2"), cause)


def _wrong(name: str, causes: dict[str, str], *patches: tuple[str, str], note: str = "") -> Mistake:
    return Mistake(name, "deep", causes, patches, note)


MISTAKES = (
    # Scale
    _wrong(
        "W3 is not divided by K",
        {"W3": "missing 1/K"},
        (Z3, "grad_z3 = p"),
        (H2, "grad_h2 = grad_z3 / K @ W3.T"),
    ),
    _wrong("three layers, none divided by K", _all("missing 1/K"), (Z3, "grad_z3 = p")),
    _wrong(
        "each layer divides by K",
        {"W2": "extra 1/K", "W1": "extra 1/K"},
        (H2, "grad_h2 = grad_z3 @ W3.T / K"),
    ),
    _wrong(
        "the first layer divides by K again",
        {"W1": "extra 1/K"},
        (W1, "grad_W1 = x.T @ grad_z1 / K"),
    ),
    _wrong("a minus before the third layer", _all("wrong sign"), (Z3, "grad_z3 = -p / K")),
    _wrong(
        "a minus before the second layer", _hidden("wrong sign"), (H2, "grad_h2 = -grad_z3 @ W3.T")
    ),
    _wrong(
        "the mean of p over all its entries", _all("other factor"), (Z3, "grad_z3 = p / p.size")
    ),
    _wrong(
        "a batch of 64 is written into the third layer",
        _all("fixed batch size"),
        (Z3, "grad_z3 = p / 64"),
    ),
    _wrong("W2 is doubled", {"W2": "factor 2"}, (W2, "grad_W2 = 2 * h1.T @ grad_z2")),
    _wrong("W3 is halved", {"W3": "factor 1/2"}, (W3, "grad_W3 = h2.T @ grad_z3 / 2")),
    # Examples
    _wrong(
        "W2 of the first example",
        {"W2": "first example only"},
        (W2, "grad_W2 = np.outer(h1[0], grad_z2[0])"),
    ),
    _wrong(
        "W3 of the last example",
        {"W3": "last example only"},
        (W3, "grad_W3 = np.outer(h2[-1], grad_z3[-1])"),
    ),
    _wrong(
        "W1 without the first example",
        {"W1": "examples left out"},
        (W1, "grad_W1 = x[1:].T @ grad_z1[1:]"),
    ),
    _wrong(
        "W3 keeps a matrix for each example",
        {"W3": "not summed over examples"},
        (W3, "grad_W3 = h2[:, :, None] * grad_z3[:, None, :]"),
    ),
    _wrong(
        "the error is multiplied by its size",
        _all("examples weighted"),
        (Z3, "grad_z3 = p * np.abs(p).sum(axis=1, keepdims=True) / K"),
    ),
    _wrong(
        "by rows, softmax over the examples",
        _all("summed over the wrong axis"),
        (SOFTMAX, "p /= p.sum(axis=0)"),
    ),
    _wrong(
        "all labels are subtracted from all rows",
        _all("label shifted"),
        (ONEHOT, "p[:, y] -= 1"),
        note="indexing with a slice; classes that occur twice still count once",
    ),
    _wrong(
        "labels of the rows in reverse",
        _all("label shifted"),
        (ONEHOT, "p[np.arange(K), y[::-1]] -= 1"),
    ),
    # Shape, and nothing
    _wrong("W2 by columns", {"W2": "transposed"}, (W2, "grad_W2 = grad_z2.T @ h1")),
    _wrong(
        "W3 by columns, in the shape of rows",
        {"W3": "transposed"},
        (W3, "grad_W3 = (grad_z3.T @ h2).reshape(W3.shape)"),
    ),
    _wrong(
        "W1 with an axis of size 1", {"W1": "wrong shape"}, (W1, "grad_W1 = (x.T @ grad_z1)[None]")
    ),
    _wrong(
        "the first layer is frozen",
        {"W1": "left at zero"},
        (W1, 'grad_W1 = np.zeros_like(params["W1"])'),
    ),
    _wrong(
        "both hidden layers are frozen",
        _hidden("left at zero"),
        (H2, "grad_h2 = np.zeros_like(h2)"),
    ),
    _wrong(
        "weight decay by habit",
        {"W1": "bias penalised", "W2": "bias penalised", "W3": "bias penalised"},
        (
            RESULT,
            f"grads = {RESULT.removeprefix('return ')}\n"
            "    return {name: grads[name] + 1e-2 * params[name] for name in grads}",
        ),
        note="the loss has none",
    ),
    # Activations
    _wrong(
        "deep: the derivative of relu is forgotten",
        {"W1": "activation derivative missing"},
        (Z1, "grad_z1 = grad_h1"),
    ),
    _wrong(
        "deep: the derivative of the sigmoid is forgotten",
        _hidden("activation derivative missing"),
        (Z2, "grad_z2 = grad_h2"),
    ),
    _wrong(
        "deep: divided by the derivative of the sigmoid",
        _hidden("activation derivative inverted"),
        (Z2, "grad_z2 = grad_h2 / (h2 * (1 - h2))"),
    ),
    _wrong(
        "deep: relu passes where it was off",
        {"W1": "activation derivative inverted"},
        (Z1, "grad_z1 = grad_h1 * (z1 < 0)"),
    ),
    _wrong(
        "z (1 - z), for the sigmoid",
        _hidden("derivative at the wrong place"),
        (Z2, "grad_z2 = grad_h2 * z2 * (1 - z2)"),
    ),
    _wrong(
        "the sigmoid is taken twice in its derivative",
        _hidden("derivative at the wrong place"),
        (Z2, "s = 1 / (1 + np.exp(-h2))\n    grad_z2 = grad_h2 * s * (1 - s)"),
    ),
    _wrong(
        "the sigmoid's derivative without h",
        _hidden("wrong derivative formula"),
        (Z2, "grad_z2 = grad_h2 * (1 - h2)"),
    ),
    _wrong(
        "the derivative of tanh for the sigmoid of layer 2",
        _hidden("wrong derivative formula"),
        (Z2, "grad_z2 = grad_h2 * (1 - h2**2)"),
    ),
    _wrong(
        "the derivatives of the two layers are swapped",
        _hidden("wrong derivative formula"),
        (Z2, "grad_z2 = grad_h2 * (z2 > 0)"),
        (Z1, "grad_z1 = grad_h1 * h1 * (1 - h1)"),
    ),
    _wrong(
        "relu of the gradient before W1",
        {"W1": "derivative at the wrong place"},
        (Z1, "grad_z1 = np.maximum(grad_h1, 0)"),
    ),
    _wrong(
        "deep: relu′(0) = 1",
        {"W1": "wrong derivative formula"},
        (Z1, "grad_z1 = grad_h1 * (z1 >= 0)"),
        note="a convention: differs where an activation is exactly 0, one-sided there",
    ),
    # Wiring
    _wrong(
        "W3 from before the sigmoid",
        {"W3": "pre-activation used"},
        (W3, "grad_W3 = z2.T @ grad_z3"),
    ),
    _wrong("W2 from before relu", {"W2": "pre-activation used"}, (W2, "grad_W2 = z1.T @ grad_z2")),
    _wrong(
        "W2 from the input x",
        {"W2": "input in place of hidden"},
        (W2, "grad_W2 = x.T @ grad_z2"),
        note="raises nowhere, but has the shape of W2 only where d is dh",
    ),
    _wrong(
        "W3 from the first hidden layer",
        {"W3": "input in place of hidden"},
        (W3, "grad_W3 = h1.T @ grad_z3"),
        note="has the shape of W3 only where dh is dh2",
    ),
    _wrong(
        "W3 is reshaped until it fits",
        _hidden("weight not transposed"),
        (H2, "grad_h2 = grad_z3 @ W3.reshape(W3.T.shape)"),
    ),
    _wrong(
        "back through W2 without a transpose",
        {"W1": "weight not transposed"},
        (H1, "grad_h1 = grad_z2 @ W2"),
        note="raises where dh differs from dh2",
    ),
    _wrong(
        "back through W3 twice",
        {"W1": "weight of the other layer"},
        (H1, "grad_h1 = grad_z2 @ W3.T"),
        note="raises where the layers differ in size",
    ),
    _wrong(
        "back through both weights in the wrong order",
        _hidden("weight of the other layer"),
        (WEIGHTS, 'W3, W2 = params["W2"], params["W3"]'),
        note="raises where the layers differ in size",
    ),
    _wrong("p without its 1", _all("one-hot missing"), (ONEHOT, "")),
    _wrong("p - 1 everywhere", _all("one-hot missing"), (ONEHOT, "p -= 1")),
    _wrong(
        "p (1 - p) in the third layer",
        _all("softmax derivative extra"),
        (
            Z3,
            "s = np.exp(z3) / np.exp(z3).sum(axis=1, keepdims=True)\n"
            "    grad_z3 = p * s * (1 - s) / K",
        ),
    ),
    _wrong("exponentials that are not normalised", _all("term missing"), (SOFTMAX, "")),
    _wrong(
        "layer 1 hears of the first unit of layer 2 only",
        {"W1": "term missing"},
        (H1, "grad_h1 = grad_z2[:, :1] @ W2[:, :1].T"),
    ),
    _wrong(
        "W3 has taken its step",
        _hidden("parameter updated before use"),
        (H2, "grad_h2 = grad_z3 @ (W3 - 0.1 * grad_W3).T"),
    ),
    _wrong(
        "W2 has taken its step before W1",
        {"W1": "parameter updated before use"},
        (H1, "grad_h1 = grad_z2 @ (W2 - 0.1 * grad_W2).T"),
    ),
    # Two at once
    _wrong(
        "W1 divided twice, and W3 from before the sigmoid",
        {"W1": "extra 1/K", "W3": "pre-activation used"},
        (W1, "grad_W1 = x.T @ grad_z1 / K"),
        (W3, "grad_W3 = z2.T @ grad_z3"),
    ),
    _wrong(
        "relu forgotten, and W2 as columns",
        {"W1": "activation derivative missing", "W2": "transposed"},
        (Z1, "grad_z1 = grad_h1"),
        (W2, "grad_W2 = grad_z2.T @ h1"),
    ),
    # The loss
    _wrong("deep: the loss is summed", _all("loss is a sum"), (LOSS, LOSS.replace("mean", "sum"))),
    _wrong("deep: the shift is forgotten in the loss", {"fprop": "loss overflows"}, (SHIFT, "")),
    _wrong(
        "deep: the log-sum-exp runs over the examples",
        _all("loss over the wrong axis"),
        (LOG_P, LOG_P.replace("axis=1", "axis=0")),
    ),
    _wrong(
        "deep: the mean over entries",
        _all("loss divided by another number"),
        (LOSS, "return float(-log_p[np.arange(len(y)), y].sum() / log_p.size)"),
    ),
    # Conduct
    _wrong("deep: the exponential without the shift", _all("not finite"), (EXP, "p = np.exp(z3)")),
    _wrong(
        "deep: bprop takes the step of W1",
        {"W1": "argument changed"},
        (RESULT, f'params["W1"] -= 0.1 * grad_W1\n    {RESULT}'),
    ),
    _wrong(
        "deep: W2 is given back as its gradient",
        {"W2": "aliased result"},
        (RESULT, f'params["W2"][:] = grad_W2\n    grad_W2 = params["W2"]\n    {RESULT}'),
        note="and so W2 is changed too",
    ),
    _wrong(
        "deep: gradients add up over the calls",
        {"W3": "stale buffer"},
        (BPROP, f"TOTALS = {{}}\n\n\n{BPROP}"),
        (W3, "grad_W3 = TOTALS.get(W3.shape, 0) + h2.T @ grad_z3\n    TOTALS[W3.shape] = grad_W3"),
    ),
    _wrong(
        "deep: three gradients in a list",
        {"bprop": "wrong type"},
        (RESULT, "return [grad_W1, grad_W2, grad_W3]"),
    ),
    _wrong(
        "deep: W3 has no gradient",
        {"W3": "missing key"},
        (RESULT, RESULT.replace(', "W3": grad_W3', "")),
    ),
    _wrong(
        "deep: labels are looked up by a column",
        {"bprop": "raises"},
        (ONEHOT, "p[y[:, 0]] -= 1"),
        note="labels of shape (K, 1) are expected",
    ),
    _wrong(
        "deep: rows and columns mixed",
        {"bprop": "raises"},
        (W1, "grad_W1 = grad_z1 @ x.T"),
        note="runs where d and dh are equal",
    ),
)
