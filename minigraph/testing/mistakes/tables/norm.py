"""Mistakes with a batch normalisation."""

from minigraph.testing.mistakes.mistake import Mistake

__all__ = ["MISTAKES"]

BPROP = "def bprop(params, x, y, lam):"
STD = "std = np.sqrt(z.var(axis=0) + EPS)"
LOSSES = "losses = np.log(np.exp(o).sum(axis=1)) - o[np.arange(len(y)), y]"
DECAY = 'decay = lam[0] * ((params["W1"] ** 2).sum() + (params["W2"] ** 2).sum())'
TOTAL = "return float(losses.mean() + decay)"
LOGITS = "grad_o = np.exp(o) / np.exp(o).sum(axis=1, keepdims=True)"
ONEHOT = "grad_o[np.arange(K), y] -= 1"
MEAN = "grad_o /= K"
H = "grad_h = grad_o @ W2.T"
A = "grad_a = grad_h * (a > 0)"
N = "grad_n = grad_a * gain"
Z = "grad_z = (grad_n - grad_n.mean(axis=0) - n * (grad_n * n).mean(axis=0)) / std"
W1 = '"W1": x.T @ grad_z + 2 * lam[0] * W1'
GAIN = '"gain": (grad_a * n).sum(axis=0)'
SHIFT = '"shift": grad_a.sum(axis=0)'
W2 = '"W2": h.T @ grad_o + 2 * lam[0] * W2'
B2 = '"b2": grad_o.sum(axis=0)'


def _all(cause: str) -> dict[str, str]:
    return dict.fromkeys(("W1", "gain", "shift", "W2", "b2"), cause)


def _hidden(cause: str) -> dict[str, str]:
    return dict.fromkeys(("W1", "gain", "shift"), cause)


def _wrong(
    name: str,
    causes: dict[str, str],
    *patches: tuple[str, str],
    note: str = "",
    also: tuple[str, ...] = (),
) -> Mistake:
    return Mistake(name, "norm", causes, patches, note, also)


THROUGH = "gradient through normalisation missing"

MISTAKES = (
    # The normalisation
    _wrong("mean and variance are constants", {"W1": THROUGH}, (Z, "grad_z = grad_n / std")),
    _wrong(
        "the variance is a constant",
        {"W1": THROUGH},
        (Z, "grad_z = (grad_n - grad_n.mean(axis=0)) / std"),
    ),
    _wrong(
        "the mean is a constant",
        {"W1": THROUGH},
        (Z, "grad_z = (grad_n - n * (grad_n * n).mean(axis=0)) / std"),
    ),
    _wrong("the normalisation is skipped on the way back", {"W1": THROUGH}, (Z, "grad_z = grad_n")),
    _wrong(
        "the term of the variance without n",
        {"W1": "term missing"},
        (Z, Z.replace("n * (grad_n * n).mean", "(grad_n * n).mean")),
    ),
    _wrong(
        "the term of the variance has a plus",
        {"W1": "wrong derivative formula"},
        (Z, Z.replace("- n *", "+ n *")),
    ),
    _wrong("not divided by the deviation", {"W1": "term missing"}, (Z, Z.replace(" / std", ""))),
    _wrong(
        "times the deviation", {"W1": "wrong derivative formula"}, (Z, Z.replace("/ std", "* std"))
    ),
    _wrong(
        "divided by the variance",
        {"W1": "wrong derivative formula"},
        (Z, Z.replace("/ std", "/ std**2")),
    ),
    _wrong(
        "sums in the normalisation, for means", {"W1": "missing 1/K"}, (Z, Z.replace("mean", "sum"))
    ),
    _wrong(
        "K - 1 in the term of the variance",
        {"W1": "other factor"},
        (Z, Z.replace("(grad_n * n).mean(axis=0)", "(grad_n * n).sum(axis=0) / max(K - 1, 1)")),
        note="of one term only",
    ),
    _wrong(
        "means over the units",
        {"W1": "summed over the wrong axis"},
        (Z, Z.replace("axis=0", "axis=1, keepdims=True")),
    ),
    _wrong("the gain is forgotten", {"W1": "term missing"}, (N, "grad_n = grad_a")),
    _wrong(
        "divided by the gain", {"W1": "wrong derivative formula"}, (N, "grad_n = grad_a / gain")
    ),
    _wrong(
        "the gradient of the gain is that of the shift",
        {"gain": "term missing"},
        (GAIN, '"gain": grad_a.sum(axis=0)'),
    ),
    _wrong(
        "the gain from after relu",
        {"gain": "derivative at the wrong place"},
        (GAIN, '"gain": (grad_a * h).sum(axis=0)'),
        note="from before relu, gain n + shift, it is the same: grad_a is 0 where they differ",
        also=("pre-activation used",),
    ),
    _wrong(
        "the gain from before relu",
        {"gain": "activation derivative missing"},
        (GAIN, '"gain": (grad_h * n).sum(axis=0)'),
    ),
    _wrong(
        "the gain from its own product",
        {"gain": "other factor"},
        (GAIN, '"gain": (grad_n * n).sum(axis=0)'),
        note="times the gain",
    ),
    _wrong(
        "the shift times n", {"shift": "bias times x"}, (SHIFT, '"shift": (grad_a * n).sum(axis=0)')
    ),
    _wrong(
        "the shift from behind the gain",
        {"shift": "other factor"},
        (SHIFT, '"shift": grad_n.sum(axis=0)'),
        note="times the gain",
    ),
    _wrong(
        "the shift from behind the normalisation",
        {"shift": "derivative at the wrong place"},
        (SHIFT, '"shift": grad_z.sum(axis=0)'),
        note="its sum over the examples is 0, but for rounding",
        also=("left at zero",),
    ),
    # Scale
    _wrong("norm: not divided by K", _all("missing 1/K"), (MEAN, "")),
    _wrong(
        "norm: gain and shift are means",
        {"gain": "extra 1/K", "shift": "extra 1/K"},
        (GAIN, GAIN.replace("sum", "mean")),
        (SHIFT, SHIFT.replace("sum", "mean")),
    ),
    _wrong("norm: b2 is the undivided error", {"b2": "missing 1/K"}, (B2, f"{B2} * K")),
    _wrong("norm: the error has a minus", _all("wrong sign"), (MEAN, "grad_o /= -K")),
    _wrong(
        "norm: the gain is subtracted",
        {"gain": "wrong sign"},
        (GAIN, GAIN.replace("(grad_a", "(-grad_a")),
    ),
    _wrong("norm: a batch of 128", _all("fixed batch size"), (MEAN, "grad_o /= 128")),
    _wrong(
        "norm: W1 with the 2 of a variance",
        {"W1": "factor 2"},
        (Z, Z.replace("grad_z = ", "grad_z = 2 * ")),
    ),
    _wrong("norm: half the shift", {"shift": "factor 1/2"}, (SHIFT, f"{SHIFT} / 2")),
    # Examples
    _wrong(
        "norm: the shift keeps its rows",
        {"shift": "not summed over examples"},
        (SHIFT, '"shift": grad_a'),
    ),
    _wrong(
        "norm: the shift over the units",
        {"shift": "summed over the wrong axis"},
        (SHIFT, SHIFT.replace("axis=0", "axis=1")),
    ),
    _wrong(
        "norm: the gain over everything",
        {"gain": "summed over the wrong axis"},
        (GAIN, '"gain": np.full_like(gain, (grad_a * n).sum())'),
    ),
    _wrong(
        "norm: the gain of the first row",
        {"gain": "first example only"},
        (GAIN, '"gain": (grad_a * n)[0]'),
    ),
    _wrong(
        "norm: W2 of the last row",
        {"W2": "last example only"},
        (W2, W2.replace("h.T @ grad_o", "h[-1:].T @ grad_o[-1:]")),
    ),
    _wrong(
        "norm: the shift without the last row",
        {"shift": "examples left out"},
        (SHIFT, SHIFT.replace("grad_a.", "grad_a[:-1].")),
    ),
    _wrong(
        "norm: rare classes count more",
        _all("examples weighted"),
        (MEAN, "grad_o /= K * (y == y[:, None]).mean(axis=1, keepdims=True)"),
    ),
    _wrong(
        "norm: labels from 1", _all("label shifted"), (ONEHOT, "grad_o[np.arange(K), y - 1] -= 1")
    ),
    # Shape, and nothing
    _wrong(
        "norm: W1 as columns",
        {"W1": "transposed"},
        (W1, '"W1": (x.T @ grad_z + 2 * lam[0] * W1).T'),
    ),
    _wrong(
        "norm: the gain as a row",
        {"gain": "wrong shape"},
        (GAIN, GAIN.replace("axis=0", "axis=0, keepdims=True")),
    ),
    _wrong(
        "norm: the gain does not learn",
        {"gain": "left at zero"},
        (GAIN, '"gain": np.zeros_like(gain)'),
    ),
    _wrong(
        "norm: b2 does not learn",
        {"b2": "left at zero"},
        (B2, '"b2": np.zeros(W2.shape[1])'),
        note="b2 summed over everything is 0 as well",
        also=("summed over the wrong axis",),
    ),
    # Penalties
    _wrong(
        "norm: no decay of W1",
        {"W1": "no penalty gradient"},
        (W1, '"W1": x.T @ grad_z'),
        note="right where the loss has none either",
    ),
    _wrong(
        "norm: the gain decays", {"gain": "bias penalised"}, (GAIN, f"{GAIN} + 2 * lam[0] * gain")
    ),
    _wrong(
        "norm: decay without the 2",
        {"W1": "penalty factor 2 missing", "W2": "penalty factor 2 missing"},
        (W1, W1.replace("2 * ", "")),
        (W2, W2.replace("2 * ", "")),
    ),
    _wrong(
        "norm: decay divided by K",
        {"W1": "penalty divided by K", "W2": "penalty divided by K"},
        (W1, f"{W1} / K"),
        (W2, f"{W2} / K"),
    ),
    _wrong(
        "norm: the decay of W2 is subtracted",
        {"W2": "penalty sign wrong"},
        (W2, W2.replace("+", "-")),
    ),
    _wrong(
        "norm: W2 decays by its sign",
        {"W2": "wrong derivative formula"},
        (W2, '"W2": h.T @ grad_o + lam[0] * np.sign(W2)'),
        note="the derivative of an L1, for an L2",
    ),
    # Activations and wiring
    _wrong(
        "norm: the derivative of relu is forgotten",
        _hidden("activation derivative missing"),
        (A, "grad_a = grad_h"),
    ),
    _wrong(
        "norm: relu passes where it was off",
        _hidden("activation derivative inverted"),
        (A, "grad_a = grad_h * (a <= 0)"),
    ),
    _wrong(
        "norm: relu before the shift",
        _hidden("derivative at the wrong place"),
        (A, "grad_a = grad_h * (n > 0)"),
    ),
    _wrong(
        "norm: W2 from before relu", {"W2": "pre-activation used"}, (W2, W2.replace("h.T", "a.T"))
    ),
    _wrong(
        "norm: W2 from the normalised layer",
        {"W2": "input in place of hidden"},
        (W2, W2.replace("h.T", "n.T")),
    ),
    _wrong(
        "norm: W2 is reshaped until it fits",
        _hidden("weight not transposed"),
        (H, "grad_h = grad_o @ W2.reshape(W2.T.shape)"),
    ),
    _wrong("norm: the labels do not occur", _all("one-hot missing"), (ONEHOT, "")),
    _wrong(
        "norm: softmax's derivative again",
        _all("softmax derivative extra"),
        (LOGITS, f"{LOGITS}\n    p = grad_o.copy()"),
        (MEAN, "grad_o *= p * (1 - p) / K"),
    ),
    _wrong(
        "norm: W2 has taken its step",
        _hidden("parameter updated before use"),
        (H, "grad_h = grad_o @ (W2 - 0.1 * (h.T @ grad_o)).T"),
    ),
    # Two at once
    _wrong(
        "constants in the normalisation, and the shift a mean",
        {"W1": THROUGH, "shift": "extra 1/K"},
        (Z, "grad_z = grad_n / std"),
        (SHIFT, SHIFT.replace("sum", "mean")),
    ),
    _wrong(
        "the gain as the shift, and no decay of W2",
        {"gain": "term missing", "W2": "no penalty gradient"},
        (GAIN, '"gain": grad_a.sum(axis=0)'),
        (W2, '"W2": h.T @ grad_o'),
    ),
    # The loss
    _wrong(
        "norm: the loss is summed",
        _all("loss is a sum"),
        (TOTAL, "return float(losses.sum() + decay)"),
    ),
    _wrong(
        "norm: W1 decays twice in the loss",
        {"W1": "penalty doubled in loss"},
        (DECAY, DECAY.replace('((params["W1"]', '(2 * (params["W1"]')),
    ),
    _wrong(
        "norm: the decay of W2 is not in the loss",
        {"W2": "penalty missing in loss"},
        (DECAY, 'decay = lam[0] * (params["W1"] ** 2).sum()'),
    ),
    _wrong(
        "norm: the mean of a batch of 100",
        _all("loss divided by another number"),
        (TOTAL, "return float(losses.sum() / 100 + decay)"),
    ),
    _wrong(
        "norm: the logarithm of a probability that is 0",
        {"fprop": "loss overflows"},
        (
            LOSSES,
            "p = np.exp(o) / np.exp(o).sum(axis=1, keepdims=True)\n"
            "    losses = -np.log(p[np.arange(len(y)), y])",
        ),
    ),
    # Conduct
    _wrong(
        "norm: a deviation without EPS",
        {"W1": "not finite"},
        (Z, Z.replace("/ std", '/ (x @ params["W1"]).std(axis=0)')),
        note="with one example, the deviation is 0; with more, W1 is off by about EPS",
    ),
    _wrong(
        "norm: the gain is divided out where it lies",
        {"gain": "argument changed"},
        (N, f"{N}\n    gain /= np.abs(gain).max()"),
    ),
    _wrong(
        "norm: one array for gain and shift",
        {"gain": "aliased result", "shift": "aliased result"},
        (N, f"{N}\n    both = np.zeros_like(gain)"),
        (GAIN, '"gain": np.sum(grad_a * n, axis=0, out=both)'),
        (SHIFT, '"shift": np.sum(grad_a, axis=0, out=both)'),
        note="and so the gain has the gradient of the shift",
    ),
    _wrong(
        "norm: deviations of the call before",
        {"W1": "stale buffer"},
        (BPROP, f"RUNNING = {{}}\n\n\n{BPROP}"),
        (Z, f"{Z.replace('/ std', '/ RUNNING.get(std.shape, std)')}\n    RUNNING[std.shape] = std"),
        note="a running value, where the batch's own is meant",
    ),
    _wrong(
        "norm: the shift in single precision",
        {"shift": "wrong type"},
        (SHIFT, f"{SHIFT}.astype(np.float32)"),
    ),
    _wrong("norm: no gradient of the gain", {"gain": "missing key"}, (f"{GAIN},\n        ", "")),
    _wrong(
        "norm: the shift is called beta",
        {"shift": "missing key"},
        (SHIFT, SHIFT.replace("shift", "beta")),
    ),
    _wrong(
        "norm: the means are printed",
        {"bprop": "prints"},
        (N, f"{N}\n    print(grad_n.mean(axis=0))"),
    ),
    _wrong(
        "norm: a random half of the batch",
        {"shift": "not deterministic"},
        (SHIFT, '"shift": 2 * grad_a[np.random.default_rng().random(K) < 0.5].sum(axis=0)'),
    ),
)
