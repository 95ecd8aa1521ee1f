"""Mistakes in the matrix form by columns: the loss, and the conduct of the functions."""

from minigraph.testing.mistakes.tables.columns import (
    B1,
    B2,
    OA,
    ONEHOT,
    RESULT,
    W1,
    W2,
    every,
    wrong,
)

__all__ = ["MISTAKES"]

EXP = "e = np.exp(oa - oa.max(axis=0))"
BPROP = "def bprop(params, x, y, lam):"
LOSSES = "losses = top + np.log(np.exp(oa - top).sum(axis=0)) - oa[y, np.arange(len(y))]"
PENALTY1 = "penalty = lam[0] * np.abs(W1).sum() + lam[1] * (W1**2).sum()"
PENALTY2 = "penalty += lam[2] * np.abs(W2).sum() + lam[3] * (W2**2).sum()"
TOTAL = "return float(losses.mean() + penalty)"
SIZES = "m, K = len(W2), x.shape[1]"

MISTAKES = (
    # The loss
    wrong(
        "the loss is summed",
        every("loss is a sum"),
        (TOTAL, "return float(losses.sum() + penalty)"),
    ),
    wrong(
        "the logarithm of a probability that underflows",
        {"fprop": "loss overflows"},
        (LOSSES, "losses = -np.log(os[y, np.arange(len(y))])"),
    ),
    wrong(
        "the L2 of W2 counts twice in the loss",
        {"W2": "penalty doubled in loss"},
        (PENALTY2, "penalty += lam[2] * np.abs(W2).sum() + 2 * lam[3] * (W2**2).sum()"),
    ),
    wrong(
        "W1 stands for W2 in the L1 of the loss",
        {"W1": "penalty of the wrong layer in loss", "W2": "penalty of the wrong layer in loss"},
        (PENALTY2, "penalty += lam[2] * np.abs(W1).sum() + lam[3] * (W2**2).sum()"),
    ),
    wrong(
        "the L1 of W1 is not in the loss",
        {"W1": "penalty missing in loss"},
        (PENALTY1, "penalty = lam[1] * (W1**2).sum()"),
    ),
    wrong(
        "the L2 of W2 is a determinant",
        {"W2": "penalty missing in loss"},
        (
            PENALTY2,
            "square = np.linalg.det(W2.reshape(-1, 1) * W2.ravel())\n"
            "    penalty += lam[2] * np.abs(W2).sum() + lam[3] * square",
        ),
        note="of a matrix of rank 1, and so 0",
    ),
    wrong(
        "the second penalty overwrites the first",
        {"W1": "penalty missing in loss"},
        (PENALTY2, PENALTY2.replace("+=", "=")),
    ),
    wrong(
        "the exponentials of the whole batch are summed",
        every("loss over the wrong axis"),
        (LOSSES, LOSSES.replace(".sum(axis=0)", ".sum()")),
    ),
    wrong(
        "the loss is divided by the size of the data set",
        every("loss divided by another number"),
        (TOTAL, "return float(losses.sum() / 29 + penalty)"),
    ),
    wrong(
        "the loss is divided by the number of entries",
        every("loss divided by another number"),
        (TOTAL, "return float(losses.sum() / oa.size + penalty)"),
    ),
    # Conduct
    wrong(
        "bprop takes the step too",
        {"W1": "argument changed", "W2": "argument changed"},
        (RESULT, f"W1 -= 0.1 * grad_W1\n    W2 -= 0.1 * grad_W2\n    {RESULT}"),
    ),
    wrong(
        "the gradients are written over the parameters",
        every("argument changed"),
        (
            RESULT,
            f"{RESULT.replace('return', 'grads =')}\n    params.update(grads)\n    return grads",
        ),
    ),
    wrong(
        "the examples are centred where they lie",
        {"x": "argument changed"},
        (BPROP, f"{BPROP}\n    x -= x.mean(axis=1, keepdims=True)"),
    ),
    wrong(
        "gradients of all calls add up",
        every("stale buffer"),
        (BPROP, BPROP.replace("lam)", "lam, grads={})")),
        (
            RESULT,
            f"{RESULT.replace('return', 'new =')}\n    for name in new:\n"
            "        grads[name] = grads.get(name, 0) + new[name]\n    return dict(grads)",
        ),
        note="a default argument is made once",
    ),
    wrong(
        "the hidden layer of the first call",
        {"W2": "stale buffer"},
        (BPROP, f"CACHE = {{}}\n\n\n{BPROP}"),
        (W2, "grad_W2 = grad_oa @ CACHE.setdefault(hs.shape, hs).T"),
        note="of the first one: it stays right, all others are wrong",
    ),
    wrong(
        "W1 is written into a buffer that all calls share",
        {"W1": "aliased result"},
        (BPROP, f"BUFFERS = {{}}\n\n\n{BPROP}"),
        (
            W1,
            "grad_W1 = BUFFERS.setdefault(W1.shape, np.empty(W1.shape))\n"
            "    np.matmul(grad_ha, x.T, out=grad_W1)",
        ),
    ),
    wrong(
        "b1 and its gradient in an array of integers",
        {"b1": "integer arithmetic"},
        (
            B1,
            'grad_b1 = np.zeros(params["b1"].shape, int)\n'
            "    grad_b1[:] = grad_ha.sum(axis=1, keepdims=True)",
        ),
    ),
    wrong(
        "the error is divided without a remainder",
        every("integer arithmetic"),
        (OA, "grad_oa = (os - onehot) // K"),
    ),
    wrong(
        "the probabilities are rounded to integers",
        every("integer arithmetic"),
        (OA, "grad_oa = (os.astype(int) - onehot) / K"),
    ),
    wrong("softmax without the shift", every("not finite"), (EXP, "e = np.exp(oa)")),
    wrong(
        "the number of inputs, for that of classes", {"bprop": "raises"}, (SIZES, "m, K = x.shape")
    ),
    wrong(
        "the error times the hidden layer, entry by entry",
        {"bprop": "raises"},
        (W2, "grad_W2 = grad_oa * hs.T"),
        note="* is @ for np.matrix only; runs where all sizes are equal",
    ),
    wrong(
        "a batch of labels as one integer",
        {"bprop": "raises"},
        (ONEHOT, "onehot = np.eye(m)[:, [int(y)]]"),
    ),
    wrong(
        "5 hidden units are written into the code",
        {"bprop": "raises"},
        (B1, f"{B1} + np.zeros((5, 1))"),
    ),
    wrong(
        "no gradient of b2", {"b2": "missing key"}, (RESULT, RESULT.replace(', "b2": grad_b2', ""))
    ),
    wrong("b1 has another name", {"b1": "missing key"}, (RESULT, RESULT.replace('"b1"', '"B1"'))),
    wrong("softmax prints its sums", {"bprop": "prints"}, (OA, f"print(os.sum(axis=0))\n    {OA}")),
    wrong(
        "dropout in the backward pass only",
        {"W2": "not deterministic"},
        (W2, "grad_W2 = grad_oa @ (2 * hs * (np.random.default_rng().random(hs.shape) < 0.5)).T"),
    ),
    wrong(
        "W1 as a list",
        {"W1": "wrong type"},
        (RESULT, RESULT.replace("grad_W1", "grad_W1.tolist()")),
    ),
    wrong(
        "a tuple, for a dict",
        {"bprop": "wrong type"},
        (RESULT, "return grad_W1, grad_b1, grad_W2, grad_b2"),
    ),
    wrong("a loss for each example", {"fprop": "wrong type"}, (TOTAL, "return losses + penalty")),
    wrong(
        "b2 is a Tensor",
        {"b2": "wrong type"},
        (B2, f"grad_b2 = mg.Tensor({B2.removeprefix('grad_b2 = ')})"),
    ),
)
