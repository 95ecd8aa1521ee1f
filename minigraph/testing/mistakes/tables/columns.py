"""Mistakes in the matrix form by columns: scale, examples and shape."""

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


def every(cause: str) -> dict[str, str]:
    return dict.fromkeys(("W1", "b1", "W2", "b2"), cause)


def hidden(cause: str) -> dict[str, str]:
    return dict.fromkeys(("W1", "b1"), cause)


def wrong(
    name: str,
    causes: dict[str, str],
    *patches: tuple[str, str],
    note: str = "",
    also: tuple[str, ...] = (),
) -> Mistake:
    return Mistake(name, "columns", causes, patches, note, also)


MISTAKES = (
    # Scale
    wrong("the error is not divided by K", every("missing 1/K"), (OA, "grad_oa = os - onehot")),
    wrong(
        "biases are means, weights are sums",
        {"W1": "missing 1/K", "W2": "missing 1/K"},
        (OA, "grad_oa = os - onehot"),
        (B2, "grad_b2 = grad_oa.mean(axis=1, keepdims=True)"),
        (B1, "grad_b1 = grad_ha.mean(axis=1, keepdims=True)"),
    ),
    wrong(
        "W2 from the undivided error", {"W2": "missing 1/K"}, (W2, "grad_W2 = (os - onehot) @ hs.T")
    ),
    wrong(
        "b2 from the undivided error",
        {"b2": "missing 1/K"},
        (B2, "grad_b2 = (os - onehot).sum(axis=1, keepdims=True)"),
    ),
    wrong(
        "the undivided error goes back to the hidden layer",
        hidden("missing 1/K"),
        (HS, "grad_hs = W2.T @ (os - onehot)"),
    ),
    wrong(
        "b2 is the mean of what is already divided",
        {"b2": "extra 1/K"},
        (B2, "grad_b2 = grad_oa.mean(axis=1, keepdims=True)"),
    ),
    wrong(
        "b1 is the mean of what is already divided",
        {"b1": "extra 1/K"},
        (B1, "grad_b1 = grad_ha.mean(axis=1, keepdims=True)"),
    ),
    wrong(
        "both weights are divided by K again",
        {"W1": "extra 1/K", "W2": "extra 1/K"},
        (W1, "grad_W1 = grad_ha @ x.T / K"),
        (W2, "grad_W2 = grad_oa @ hs.T / K"),
    ),
    wrong("label minus probability", every("wrong sign"), (OA, "grad_oa = (onehot - os) / K")),
    wrong(
        "the direction of the step, for the gradient",
        every("wrong sign"),
        (RESULT, 'return {"W1": -grad_W1, "b1": -grad_b1, "W2": -grad_W2, "b2": -grad_b2}'),
        note="the penalties change their sign too",
    ),
    wrong(
        "b1 is subtracted",
        {"b1": "wrong sign"},
        (B1, "grad_b1 = -grad_ha.sum(axis=1, keepdims=True)"),
    ),
    wrong(
        "a batch of 10 is written into the code",
        every("fixed batch size"),
        (OA, "grad_oa = (os - onehot) / 10"),
    ),
    wrong(
        "a batch of 32 is written into the rule of W2",
        {"W2": "fixed batch size"},
        (W2, "grad_W2 = (os - onehot) @ hs.T / 32"),
    ),
    wrong(
        "the mean is over examples and classes",
        every("other factor"),
        (OA, "grad_oa = (os - onehot) / onehot.size"),
    ),
    wrong(
        "divided by K - 1, as a variance",
        every("other factor"),
        (OA, "grad_oa = (os - onehot) / max(K - 1, 1)"),
    ),
    wrong(
        "W2 is averaged over the hidden units",
        {"W2": "other factor"},
        (W2, "grad_W2 = grad_oa @ hs.T / len(hs)"),
    ),
    wrong("the 2 of a square", every("factor 2"), (OA, "grad_oa = 2 * (os - onehot) / K")),
    wrong(
        "the half of a half square", every("factor 1/2"), (OA, "grad_oa = 0.5 * (os - onehot) / K")
    ),
    wrong("b2 is added to itself", {"b2": "factor 2"}, (HS, f"grad_b2 += grad_b2\n    {HS}")),
    # Examples
    wrong(
        "b2 keeps a column for each example",
        {"b2": "not summed over examples"},
        (B2, "grad_b2 = grad_oa"),
    ),
    wrong(
        "b1 keeps a column for each example",
        {"b1": "not summed over examples"},
        (B1, "grad_b1 = grad_ha"),
    ),
    wrong("b2 of the first column", {"b2": "first example only"}, (B2, "grad_b2 = grad_oa[:, :1]")),
    wrong(
        "W1 of the last column",
        {"W1": "last example only"},
        (W1, "grad_W1 = grad_ha[:, -1:] @ x[:, -1:].T"),
    ),
    wrong("b1 of the last column", {"b1": "last example only"}, (B1, "grad_b1 = grad_ha[:, -1:]")),
    wrong(
        "b1 without the first example",
        {"b1": "examples left out"},
        (B1, "grad_b1 = grad_ha[:, 1:].sum(axis=1, keepdims=True)"),
    ),
    wrong(
        "W2 without the last example",
        {"W2": "examples left out"},
        (W2, "grad_W2 = grad_oa[:, :-1] @ hs[:, :-1].T"),
    ),
    wrong(
        "only what is misclassified is learnt",
        every("examples left out"),
        (OA, "grad_oa = (os - onehot) * (os.argmax(axis=0) != y) / K"),
    ),
    wrong(
        "what is left after batches of 4 is dropped",
        every("examples left out"),
        (OA, f"{OA}\n    grad_oa[:, K // 4 * 4 :] = 0"),
        note="with fewer than 4 examples, all are",
    ),
    wrong(
        "examples are weighted by their class",
        every("examples weighted"),
        (OA, "grad_oa = (os - onehot) * (1 + y) / K"),
    ),
    wrong(
        "the error is multiplied by the probability of the label",
        every("examples weighted"),
        (OA, "grad_oa = (os - onehot) * os[y, np.arange(K)] / K"),
        note="right for the loss 1 - p, wrong for -ln p",
    ),
    wrong(
        "b1 is summed over the units",
        {"b1": "summed over the wrong axis"},
        (B1, "grad_b1 = grad_ha.sum(axis=0, keepdims=True)"),
    ),
    wrong(
        "b1 is summed over everything",
        {"b1": "summed over the wrong axis"},
        (B1, 'grad_b1 = np.full_like(params["b1"], grad_ha.sum())'),
    ),
    wrong(
        "b2 is summed over the classes",
        {"b2": "summed over the wrong axis"},
        (B2, "grad_b2 = grad_oa.sum(axis=0, keepdims=True)"),
        note="its entries are 0, as the probabilities sum to 1; the shape is (1, K)",
    ),
    wrong(
        "softmax over the examples",
        every("summed over the wrong axis"),
        (SOFTMAX, "os = e / e.sum(axis=1, keepdims=True)"),
        note="fprop does not use os",
    ),
    wrong(
        "softmax over the whole batch",
        every("summed over the wrong axis"),
        (SOFTMAX, "os = e / e.sum()"),
        note="fprop does not use os",
    ),
    wrong(
        "labels are counted from 1",
        every("label shifted"),
        (ONEHOT, "onehot = np.eye(m)[:, y - 1]"),
    ),
    wrong(
        "labels are counted from -1",
        every("label shifted"),
        (ONEHOT, "onehot = np.eye(m)[:, (y + 1) % m]"),
    ),
    wrong(
        "labels of the example before",
        dict.fromkeys(("W1", "b1", "W2"), "label shifted"),
        (ONEHOT, "onehot = np.eye(m)[:, np.roll(y, 1)]"),
        note="b2 is right: its sum over the examples has each label once",
    ),
    # Shape, and nothing
    wrong(
        "W2 is returned as rows",
        {"W2": "transposed"},
        (RESULT, RESULT.replace("grad_W2", "grad_W2.T")),
    ),
    wrong(
        "W1 is returned as rows",
        {"W1": "transposed"},
        (RESULT, RESULT.replace("grad_W1", "grad_W1.T")),
    ),
    wrong(
        "W2 by rows, reshaped until it fits",
        {"W2": "transposed"},
        (W2, "grad_W2 = (hs @ grad_oa.T).reshape(W2.shape)"),
    ),
    wrong(
        "b1 is returned as a row",
        {"b1": "transposed"},
        (RESULT, RESULT.replace("grad_b1", "grad_b1.T")),
    ),
    wrong("b2 without keepdims", {"b2": "wrong shape"}, (B2, "grad_b2 = grad_oa.sum(axis=1)")),
    wrong("b1 without keepdims", {"b1": "wrong shape"}, (B1, "grad_b1 = grad_ha.sum(axis=1)")),
    wrong(
        "W1 is returned flat",
        {"W1": "wrong shape"},
        (RESULT, RESULT.replace("grad_W1", "grad_W1.ravel()")),
    ),
    wrong(
        "b2 is forgotten",
        {"b2": "left at zero"},
        (B2, 'grad_b2 = np.zeros_like(params["b2"])'),
        note="b2 summed over everything, spread over its entries, is 0 as well",
        also=("summed over the wrong axis",),
    ),
    wrong("b1 is forgotten", {"b1": "left at zero"}, (B1, 'grad_b1 = np.zeros_like(params["b1"])')),
    wrong(
        "the hidden layer does not learn",
        hidden("left at zero"),
        (HA, "grad_ha = np.zeros_like(ha)"),
        note="but for its penalties",
    ),
)
