"""Mistakes in the loop over the examples."""

from minigraph.testing.mistakes.mistake import Mistake

__all__ = ["MISTAKES"]

BPROP = "def bprop(params, x, y, lam):"
EXP = "e = np.exp(oa - oa.max())"
ZEROS1 = "sum_W1, sum_b1 = np.zeros_like(W1), np.zeros_like(b1)"
ZEROS2 = "sum_W2, sum_b2 = np.zeros_like(W2), np.zeros_like(b2)"
LOOP = "    for i in range(K):\n        xi = x[:, [i]]"
XI = "xi = x[:, [i]]"
OA = "grad_oa[y[i], 0] -= 1"
W2 = "sum_W2 += grad_oa @ hs.T"
B2 = "sum_b2 += grad_oa"
HS = "grad_hs = W2.T @ grad_oa"
HA = "grad_ha = np.where(ha > 0, grad_hs, 0)"
W1 = "sum_W1 += grad_ha @ xi.T"
B1 = "sum_b1 += grad_ha"
MEAN1 = "grad_W1 = sum_W1 / K + lam[0] * np.sign(W1) + 2 * lam[1] * W1"
MEAN2 = "grad_W2 = sum_W2 / K + lam[2] * np.sign(W2) + 2 * lam[3] * W2"
RESULT = 'return {"W1": grad_W1, "b1": sum_b1 / K, "W2": grad_W2, "b2": sum_b2 / K}'
TOTAL = "total += top + np.log(np.exp(oa - top).sum()) - oa[y[i], 0]"
MEAN = "loss = total / K"
PENALTY1 = "loss += lam[0] * np.abs(W1).sum() + lam[1] * (W1**2).sum()"
PENALTY2 = "loss += lam[2] * np.abs(W2).sum() + lam[3] * (W2**2).sum()"


def _all(cause: str) -> dict[str, str]:
    return dict.fromkeys(("W1", "b1", "W2", "b2"), cause)


def _hidden(cause: str) -> dict[str, str]:
    return dict.fromkeys(("W1", "b1"), cause)


def _wrong(name: str, causes: dict[str, str], *patches: tuple[str, str], note: str = "") -> Mistake:
    return Mistake(name, "loop", causes, patches, note)


MISTAKES = (
    # Scale
    _wrong(
        "after the loop, weights are not divided by K",
        {"W1": "missing 1/K", "W2": "missing 1/K"},
        (MEAN1, MEAN1.replace(" / K", "")),
        (MEAN2, MEAN2.replace(" / K", "")),
    ),
    _wrong(
        "after the loop, b1 is not divided by K",
        {"b1": "missing 1/K"},
        (RESULT, RESULT.replace("sum_b1 / K", "sum_b1")),
    ),
    _wrong(
        "each example is divided by K, and the sum of them in b2",
        {"b2": "extra 1/K"},
        (B2, "sum_b2 += grad_oa / K"),
    ),
    _wrong(
        "the sum is divided within the loop",
        {"W1": "examples weighted"},
        (W1, "sum_W1 = (sum_W1 + grad_ha @ xi.T) / K"),
        (MEAN1, MEAN1.replace(" / K", "")),
        note="an example that comes n steps before the end has the weight K ** -n",
    ),
    _wrong(
        "the loop over single examples divides by 1",
        _all("missing 1/K"),
        (XI, f"{XI}\n        K = xi.shape[1]"),
    ),
    _wrong(
        "1 minus the probability of the label",
        _all("wrong sign"),
        (OA, f"{OA}\n        grad_oa = -grad_oa"),
    ),
    _wrong("the sum of b2 is subtracted", {"b2": "wrong sign"}, (B2, "sum_b2 -= grad_oa")),
    _wrong(
        "the loop divides weights by a batch of 100",
        {"W1": "fixed batch size", "W2": "fixed batch size"},
        (MEAN1, MEAN1.replace("/ K", "/ 100")),
        (MEAN2, MEAN2.replace("/ K", "/ 100")),
    ),
    _wrong("b1 is added twice in the loop", {"b1": "factor 2"}, (B1, f"{B1}\n        {B1}")),
    _wrong(
        "b2 is divided by 2 K",
        {"b2": "factor 1/2"},
        (RESULT, RESULT.replace("sum_b2 / K", "sum_b2 / (2 * K)")),
    ),
    # Examples
    _wrong(
        "W1 is assigned in the loop, not added",
        {"W1": "last example only"},
        (W1, "sum_W1 = grad_ha @ xi.T"),
    ),
    _wrong(
        "all four are assigned in the loop, not added",
        _all("last example only"),
        (W1, "sum_W1 = grad_ha @ xi.T"),
        (B1, "sum_b1 = grad_ha"),
        (W2, "sum_W2 = grad_oa @ hs.T"),
        (B2, "sum_b2 = grad_oa"),
    ),
    _wrong(
        "what follows the loop is in it", _all("first example only"), (B1, f"{B1}\n        break")
    ),
    _wrong(
        "W2 is set by the first example",
        {"W2": "first example only"},
        (W2, f"if i == 0:\n            {W2}"),
    ),
    _wrong(
        "the loop ends one early", _all("examples left out"), (LOOP, LOOP.replace("(K)", "(K - 1)"))
    ),
    _wrong(
        "the loop begins at 1", _all("examples left out"), (LOOP, LOOP.replace("(K)", "(1, K)"))
    ),
    _wrong(
        "the loop skips every second example",
        _all("examples left out"),
        (LOOP, LOOP.replace("(K)", "(0, K, 2)")),
    ),
    _wrong(
        "small errors are not added to W2",
        {"W2": "examples left out"},
        (W2, f"if np.abs(grad_oa).max() > 0.5:\n            {W2}"),
    ),
    _wrong(
        "later examples count more",
        _all("examples weighted"),
        (OA, f"{OA}\n        grad_oa *= i + 1"),
    ),
    _wrong(
        "the labels of the loop are one ahead",
        dict.fromkeys(("W1", "b1", "W2"), "label shifted"),
        (OA, "grad_oa[y[(i + 1) % K], 0] -= 1"),
        note="b2 is right: its sum over the examples has each label once",
    ),
    _wrong(
        "classes are counted from 1 in the loop",
        _all("label shifted"),
        (OA, "grad_oa[y[i] - 1, 0] -= 1"),
    ),
    _wrong(
        "W1 with the first example each time",
        {"W1": "first example only"},
        (W1, "sum_W1 += grad_ha @ x[:, [0]].T"),
        note="only its x; the error is each example's own",
    ),
    _wrong(
        "b1 gets a number from each example",
        {"b1": "summed over the wrong axis"},
        (B1, "sum_b1 += grad_ha.sum()"),
    ),
    # Shape, and nothing
    _wrong(
        "the loop returns b2 flat",
        {"b2": "wrong shape"},
        (RESULT, RESULT.replace("sum_b2 / K", "sum_b2[:, 0] / K")),
    ),
    _wrong(
        "the loop returns W1 transposed",
        {"W1": "transposed"},
        (RESULT, RESULT.replace("grad_W1,", "grad_W1.T,")),
    ),
    _wrong("b1 is not added up", {"b1": "left at zero"}, (B1, "sum_b1 + grad_ha")),
    # Penalties
    _wrong(
        "the penalty is added before the division",
        {"W2": "penalty divided by K"},
        (MEAN2, "grad_W2 = (sum_W2 + lam[2] * np.sign(W2) + 2 * lam[3] * W2) / K"),
    ),
    _wrong(
        "the penalty of W1 is added in the loop",
        {"W1": "penalty times K"},
        (W1, f"{W1} / K + lam[0] * np.sign(W1) + 2 * lam[1] * W1"),
        (MEAN1, "grad_W1 = sum_W1"),
    ),
    _wrong(
        "the loop leaves the L1 of W2 out",
        {"W2": "one penalty ignored"},
        (MEAN2, "grad_W2 = sum_W2 / K + 2 * lam[3] * W2"),
    ),
    _wrong(
        "the loop leaves the penalties of W1 out",
        {"W1": "no penalty gradient"},
        (MEAN1, "grad_W1 = sum_W1 / K"),
    ),
    _wrong(
        "W1 has the λ of W2 for its L2",
        {"W1": "other λ"},
        (MEAN1, MEAN1.replace("lam[1]", "lam[3]")),
    ),
    _wrong(
        "the L1 of W2 is the sign of its gradient",
        {"W2": "derivative at the wrong place"},
        (MEAN2, MEAN2.replace("np.sign(W2)", "np.sign(sum_W2)")),
    ),
    # Activations
    _wrong(
        "the loop forgets the derivative of relu",
        _hidden("activation derivative missing"),
        (HA, "grad_ha = grad_hs"),
    ),
    _wrong(
        "the loop passes back where relu was off",
        _hidden("activation derivative inverted"),
        (HA, "grad_ha = np.where(ha > 0, 0, grad_hs)"),
    ),
    _wrong(
        "relu asks whether the sum of all units is positive",
        _hidden("derivative at the wrong place"),
        (HA, "grad_ha = grad_hs * (ha.sum() > 0)"),
    ),
    _wrong(
        "relu passes 1, not the gradient",
        _hidden("wrong derivative formula"),
        (HA, "grad_ha = np.where(ha > 0, 1.0, 0)"),
    ),
    # Wiring
    _wrong(
        "the loop has ha in the rule of W2",
        {"W2": "pre-activation used"},
        (W2, "sum_W2 += grad_oa @ ha.T"),
    ),
    _wrong("the loop does not subtract 1", _all("one-hot missing"), (OA, "pass")),
    _wrong(
        "the loop multiplies b1 by x", {"b1": "bias times x"}, (B1, "sum_b1 += grad_ha * xi[0]")
    ),
    _wrong(
        "each example takes its step at once",
        _hidden("parameter updated before use"),
        (HS, "grad_hs = (W2 - 0.1 * grad_oa @ hs.T).T @ grad_oa"),
    ),
    _wrong(
        "the loop hears of the right class only",
        _hidden("term missing"),
        (HS, "grad_hs = W2[[y[i]]].T * grad_oa[y[i], 0]"),
    ),
    # Two at once
    _wrong(
        "b1 undivided, and W2 without its L1",
        {"b1": "missing 1/K", "W2": "one penalty ignored"},
        (RESULT, RESULT.replace("sum_b1 / K", "sum_b1")),
        (MEAN2, "grad_W2 = sum_W2 / K + 2 * lam[3] * W2"),
    ),
    _wrong(
        "W1 assigned, and b2 subtracted",
        {"W1": "last example only", "b2": "wrong sign"},
        (W1, "sum_W1 = grad_ha @ xi.T"),
        (B2, "sum_b2 -= grad_oa"),
    ),
    # The loss
    _wrong("the loop does not divide the loss", _all("loss is a sum"), (MEAN, "loss = total")),
    _wrong(
        "the loop exponentiates large logits",
        {"fprop": "loss overflows"},
        (TOTAL, "total += np.log(np.exp(oa).sum()) - oa[y[i], 0]"),
    ),
    _wrong(
        "the loss of the loop is divided by K + 1",
        _all("loss divided by another number"),
        (MEAN, "loss = total / (i + 2)"),
        note="by the number that the loop would reach next",
    ),
    _wrong(
        "the loss of the loop lacks the penalties of W2",
        {"W2": "penalty missing in loss"},
        (PENALTY2, ""),
    ),
    _wrong(
        "the penalties of W1 are added to the loss again",
        {"W1": "penalty doubled in loss"},
        (PENALTY1, f"{PENALTY1}\n    {PENALTY1}"),
    ),
    # Conduct
    _wrong(
        "the sums of the loop outlive the call",
        {"b1": "stale buffer"},
        (BPROP, f"SUMS = {{}}\n\n\n{BPROP}"),
        (ZEROS1, f"{ZEROS1}\n    sum_b1 = SUMS.setdefault(b1.shape, sum_b1)"),
    ),
    _wrong(
        "the sum of W2 begins as W2 itself",
        {"W2": "argument changed"},
        (ZEROS2, ZEROS2.replace("np.zeros_like(W2)", "W2")),
    ),
    _wrong(
        "the loop adds 1 to each label that it has used",
        {"y": "argument changed"},
        (OA, f"{OA}\n        y[i] += 1"),
        note="later calls meet other labels, or raise",
    ),
    _wrong(
        "the sum of b2 is of integers",
        {"b2": "integer arithmetic"},
        (B2, "sum_b2 += grad_oa.astype(int)"),
    ),
    _wrong("the softmax of the loop overflows", _all("not finite"), (EXP, "e = np.exp(oa)")),
    _wrong("the loop prints where it is", {"bprop": "prints"}, (XI, f"{XI}\n        print(i)")),
    _wrong(
        "the loop draws its examples",
        _all("not deterministic"),
        (LOOP, LOOP.replace("range(K)", "np.random.default_rng().integers(0, K, K)")),
    ),
    _wrong(
        "the sum of b1 has the size of b2",
        {"bprop": "raises"},
        (ZEROS1, ZEROS1.replace("np.zeros_like(b1)", "np.zeros((len(W2), 1))")),
    ),
    _wrong(
        "the loop returns b1 in single precision",
        {"b1": "wrong type"},
        (RESULT, RESULT.replace("sum_b1 / K", "(sum_b1 / K).astype(np.float32)")),
    ),
    _wrong(
        "the loop returns no W1",
        {"W1": "missing key"},
        (RESULT, RESULT.replace('"W1": grad_W1, ', "")),
    ),
)
