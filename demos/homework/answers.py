"""The homework's questions: the answer, a check that runs, and what the original had wrong.

Formulas are those of the documentation's page on the homework; its symbols are explained there.
Each check computes its numbers when it is called, by minigraph and by differences; none is written
down here.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import minigraph as mg
from homework import by_hand, golden
from homework.by_hand import Array, Parameters

GRID = np.linspace(-40, 40, 2001)
STEP = 1e-6


@dataclass(frozen=True)
class Answer:
    """One question."""

    item: str
    question: str
    answer: str
    check: Callable[[], str]
    mistake: str = ""  # of the original
    proof: Callable[[], str] | None = None  # that it is one


# Functions of one variable


def off(a: Array, b: Array) -> str:
    """Write the largest difference of two arrays."""
    return f"{np.abs(np.asarray(a) - b).max():.1e}"


def slope(function: Callable[[mg.Tensor], mg.Tensor], x: Array) -> Array:
    """Let minigraph differentiate a function of each entry."""
    t = mg.Tensor(x, requires_grad=True)
    return mg.grad(function(t).sum(), t).data


def rise(function: Callable[[Array], Array], x: Array) -> Array:
    """Measure the slope by central differences."""
    return (function(x + STEP) - function(x - STEP)) / (2 * STEP)


def slopes_agree(
    op: Callable[[mg.Tensor], mg.Tensor], formula: Callable[[Array], Array]
) -> Callable[[], str]:
    """Compare a formula with minigraph, and with differences away from 0."""

    def check() -> str:
        away = GRID[np.abs(GRID) > 1e-3] / 10
        measured = rise(lambda x: np.asarray(op(mg.Tensor(x)).data), away)
        return (
            f"minigraph and the formula differ by {off(slope(op, GRID), formula(GRID))}, "
            f"differences and the formula by {off(measured, formula(away))}"
        )

    return check


def sigmoid_check() -> str:
    x = GRID
    both = mg.sigmoid(x), (np.tanh(x / 2) + 1) / 2
    return f"the two forms differ by {off(*both)} on [-40, 40]"


def sigmoid_line() -> str:
    x = GRID[np.abs(GRID) < 10]
    printed = 0.5 / (np.exp(x / 2) + np.exp(-x / 2))
    return f"the printed line is off by up to {off(printed, mg.sigmoid(x))}"


def log_sigmoid_check() -> str:
    x = np.array([-800.0, -20.0, 0.0, 20.0, 800.0])
    stable = -mg.softplus(-x)
    usual = off(stable[1:], np.log(mg.sigmoid(x[1:])))
    return f"they differ by {usual} on [-20, 800]; at -800 the stable form gives {stable[0]:.0f}"


def sign_check() -> str:
    x = np.array([-2.0, 0.0, 3.0])
    return f"at -2, 0 and 3: {(1.0 * (x > 0) - 1.0 * (x < 0)).tolist()} = {np.sign(x).tolist()}"


def norm_at_zero() -> str:
    x = np.array([2.0, 0.0, -3.0])
    printed = np.where(x >= 0, 1.0, -1.0)
    central = rise(np.abs, x)
    return f"at 2, 0, -3 it prints {printed.tolist()}; differences give {central.round(6).tolist()}"


# The network: all sizes differ, so that no forgotten transpose can hide


@dataclass(frozen=True)
class Example:
    """A small problem in the homework's columns."""

    parameters: Parameters
    x: Array
    y: np.ndarray


def example(K: int = 6) -> Example:
    rng = np.random.default_rng(0)
    parameters = by_hand.init(3, 5, 4, rng)
    biases = {name: rng.normal(size=getattr(parameters, name).shape) for name in ("b1", "b2")}
    return Example(parameters._replace(**biases), rng.normal(size=(3, K)), rng.integers(4, size=K))


def graph(of: Example, lam: by_hand.Lambdas = by_hand.NO_PENALTY) -> dict[str, mg.Tensor]:
    """Record the network, by columns, and differentiate it."""
    t = {n: mg.Tensor(p, requires_grad=True) for n, p in of.parameters._asdict().items()}
    t["x"] = mg.Tensor(of.x, requires_grad=True)
    t["ha"] = t["W1"] @ t["x"] + t["b1"]
    t["hs"] = mg.relu(t["ha"])
    t["oa"] = t["W2"] @ t["hs"] + t["b2"]
    t["os"] = mg.softmax(t["oa"], axis=0)
    t["L"] = mg.softmax_nll(t["oa"].T, of.y)
    penalties = zip(("W1", "W2"), (lam[:2], lam[2:]))
    t["R"] = t["L"] + sum(mg.elastic_net(t[name], *pair) for name, pair in penalties)
    for name in ("ha", "hs", "oa"):
        t[name].retain_grad()
    t["R"].backward()
    return t


def risk(parameters: Parameters, of: Example, lam: by_hand.Lambdas) -> float:
    return by_hand.fprop_matrix(parameters, of.x, of.y, lam)[0]


def gradient(name: str) -> Callable[[], str]:
    """Compare the formula by hand, minigraph and differences for one array."""

    def check() -> str:
        of = example()
        t = graph(of)
        _, forward = by_hand.fprop_matrix(of.parameters, of.x, of.y)
        hand, hand_x = by_hand.bprop_matrix(of.parameters, of.x, of.y, forward)
        grad_oa = (forward.os - by_hand.onehot(4, of.y)) / 6
        grad_hs = of.parameters.W2.T @ grad_oa
        by = {**hand._asdict(), "x": hand_x, "oa": grad_oa, "hs": grad_hs,
              "ha": grad_hs * (forward.ha > 0)}  # fmt: skip
        text = f"by hand and minigraph differ by {off(by[name], t[name].grad)}"
        if name in Parameters._fields:
            measured = by_hand.finite_differences(
                lambda moved: risk(moved, of, by_hand.NO_PENALTY), of.parameters, 1e-6
            )
            text += f", by hand and differences by {off(by[name], getattr(measured, name))}"
        elif name == "x":
            moved = np.zeros_like(of.x)
            for place in np.ndindex(of.x.shape):
                for sign in (1, -1):
                    x = of.x.copy()
                    x[place] += sign * STEP
                    value = by_hand.fprop_matrix(of.parameters, x, of.y)[0]
                    moved[place] += sign * value / (2 * STEP)
            text += f", by hand and differences by {off(hand_x, moved)}"
        return f"{text}; shape {'×'.join(map(str, by[name].shape))} for K = 6"

    return check


def forward_check(name: str) -> Callable[[], str]:
    def check() -> str:
        of = example()
        _, forward = by_hand.fprop_matrix(of.parameters, of.x, of.y)
        difference = off(getattr(forward, name), graph(of)[name].data)
        return f"by hand and minigraph differ by {difference}"

    return check


def softmax_check() -> str:
    z = np.random.default_rng(0).normal(size=(7, 4)) * 3
    p = mg.softmax(z, axis=1)
    large = mg.softmax(z + 1e3, axis=1)
    return (
        f"smallest entry {p.min():.1e} > 0; sums differ from 1 by {off(p.sum(axis=1), 1)}; 1000 "
        f"added to all changes nothing but {off(p, large)}"
    )


def softmax_overflow() -> str:
    with np.errstate(all="ignore"):
        e = np.exp(np.array([710.0, 0.0]))
        naive = e / e.sum()
    stable = mg.softmax(np.array([710.0, 0.0]))
    return f"at oᵃ = (710, 0) it gives {naive[0]}; with the largest subtracted {stable[0]}"


def loss_check() -> str:
    z, t = np.array([[1e4, 0.0, -1e4]]), np.array([2])
    return (
        f"finite where os_y underflows: at (10⁴, 0, -10⁴) and y = 2 it is {mg.softmax_nll(z, t):g}"
    )


def count_check() -> str:
    d, dh, m = 3, 5, 4
    model = mg.nn.MLP((d, dh, m))
    return f"d = {d}, dh = {dh}, m = {m}: {dh * d + dh + m * dh + m} = {model.n_parameters} counted"


def zero_is_flat() -> str:
    X, y = mg.data.two_circles(0)
    model = mg.nn.MLP((2, 8, 2))
    for p in model.parameters().values():
        p.data = np.zeros(p.shape)
    value = mg.nn.risk(model, X, y)
    value.backward()
    largest = max(np.abs(p.grad).max() for p in model.parameters().values())
    return (
        f"on the circles θ = 0 has a gradient of {largest:.0e} and R = {value.item():.4f} = ln 2; "
        "P5 reaches far less: a zero gradient is necessary, not enough"
    )


def descent_check() -> str:
    of = example()
    before = risk(of.parameters, of, by_hand.NO_PENALTY)
    t = graph(of)
    after = Parameters(*(p - 0.1 * t[n].grad for n, p in of.parameters._asdict().items()))
    return (
        f"one step with η = 0.1: R from {before:.4f} to {risk(after, of, by_hand.NO_PENALTY):.4f}"
    )


def sum_is_no_mean() -> str:
    of = example()
    mean = graph(of)["W1"].grad
    total = sum(
        by_hand.bprop(of.parameters, x[:, None], int(y),
                      by_hand.fprop(of.parameters, x[:, None], int(y)))[0].W1
        for x, y in zip(of.x.T, of.y)
    )  # fmt: skip
    alive = mean != 0  # a dead unit has no gradient
    ratio = np.median(total[alive] / mean[alive])
    return f"the sum is {ratio:.6g} times the gradient of R, n being {len(of.y)}"


def bias_with_x() -> str:
    of = example()
    t = graph(of)
    printed = (t["ha"].grad * of.x[:1]).sum(axis=1)
    right = t["b1"].grad[:, 0]
    return f"times x₁ gives {printed.round(4).tolist()}, right is {right.round(4).tolist()}"


LAM = (0.011, 0.023, 0.037, 0.053)


def penalty_check() -> str:
    of = example()
    W1 = of.parameters.W1.copy()
    W1[0, 0] = 0.0  # a kink
    of = Example(of.parameters._replace(W1=W1), of.x, of.y)
    measured = by_hand.finite_differences(lambda p: risk(p, of, LAM), of.parameters, 1e-6)
    t, plain = graph(of, LAM), graph(of)
    differences = [off(t[n].grad, m) for n, m in measured._asdict().items()]
    same = all(np.array_equal(t[n].grad, plain[n].grad) for n in ("b1", "b2"))
    return (
        f"with four different λ and an exact zero in W1, minigraph and differences differ by "
        f"{', '.join(differences)} (W1, b1, W2, b2); biases as without penalty: {same}"
    )


def wrong_lambda() -> str:
    W2 = example().parameters.W2
    printed = 2 * LAM[3] * W2 + LAM[3] * np.sign(W2)
    right = 2 * LAM[3] * W2 + LAM[2] * np.sign(W2)
    each = (printed - right) / np.sign(W2)
    between = f"{each.min():.3f} to {each.max():.3f}"
    return f"off by {between} times sign(W), and λ22 - λ21 = {LAM[3] - LAM[2]:.3f}"


THEORY = [
    Answer("1.1", "sigmoid by tanh", "sigmoid(x) = 1/(1 + e⁻ˣ) = ½ (tanh(x/2) + 1)", sigmoid_check,
           "In the fifth line the factor 2 eˣᐟ² is lost: ½ · 1/(eˣᐟ² + e⁻ˣᐟ²). The next line is "
           "right again.",
           sigmoid_line),
    Answer("1.2", "ln sigmoid", "ln sigmoid(x) = -softplus(-x), softplus(x) = ln(1 + eˣ)",
           log_sigmoid_check),
    Answer("1.3", "sigmoid′", "sigmoid′ = sigmoid (1 - sigmoid)",
           slopes_agree(mg.sigmoid, lambda x: mg.sigmoid(x) * (1 - mg.sigmoid(x)))),
    Answer("1.4", "tanh′", "tanh′ = 1 - tanh²",
           slopes_agree(mg.tanh, lambda x: 1 - np.tanh(x) ** 2)),
    Answer("1.5", "sign, by indicator functions only", "sign(x) = 1{x > 0} - 1{x < 0}", sign_check,
           "Cases were given, not indicator functions."),
    Answer("1.6", "abs′", "abs′(x) = sign(x); 0 at 0, where |x| has no derivative",
           slopes_agree(mg.abs, np.sign)),
    Answer("1.7", "rect′", "rect(x) = max(x, 0), rect′(x) = 1{x > 0}; 0 at 0",
           slopes_agree(mg.relu, lambda x: 1.0 * (x > 0))),
    Answer("1.8", "gradient of ‖x‖²", "∂‖x‖²/∂x = 2x",
           slopes_agree(lambda x: x * x, lambda x: 2 * x),
           "One component was given; the question asks for the vector."),
    Answer("1.9", "gradient of ‖x‖₁", "∂‖x‖₁/∂x = sign(x)", slopes_agree(mg.abs, np.sign),
           "At 0 it took +1, against its own sign(0) = 0.", norm_at_zero),
    Answer("2.1", "hidden layer",
           "hᵃ = W⁽¹⁾ x + b⁽¹⁾, hᵃⱼ = b⁽¹⁾ⱼ + Σᵢ W⁽¹⁾ⱼᵢ xᵢ, hˢ = rect(hᵃ); b⁽¹⁾ has dh entries",
           forward_check("hs"), "The answer is missing."),
    Answer("2.2", "output layer",
           "oᵃ = W⁽²⁾ hˢ + b⁽²⁾; W⁽²⁾ is m×dh, b⁽²⁾ has m entries; 1 ≤ k ≤ m",
           forward_check("oa"), "0 ≤ k ≤ m would be m + 1 outputs."),
    Answer("2.3", "softmax", "oˢₖ = exp(oᵃₖ) / Σᵢ exp(oᵃᵢ): positive, and they sum to 1",
           softmax_check, "Computed without subtracting the largest entry it overflows.",
           softmax_overflow),
    Answer("2.4", "loss of one example", "L = -ln oˢ_y = ln Σᵢ exp(oᵃᵢ) - oᵃ_y", loss_check),
    Answer("2.5", "empirical risk; how many parameters; what is optimal",
           "R̂ = (1/n) Σ L; θ = {W⁽¹⁾, b⁽¹⁾, W⁽²⁾, b⁽²⁾}, n_θ = dh·d + dh + m·dh + m; θ* = argmin R̂",
           count_check, "'No scalar parameter' does not say how many there are; and ∂R̂/∂θ = 0 does "
           "not find the optimum.", zero_is_flat),
    Answer("2.6", "gradient descent", "θ ← θ - η ∂R̂/∂θ = θ - η (1/n) Σ ∂L/∂θ", descent_check,
           "The factor 1/n is missing.", sum_is_no_mean),
    Answer("2.7, 2.8", "output activation", "∂L/∂oᵃ = oˢ - onehot_m(y)", gradient("oa")),
    Answer("2.9, 2.10", "W⁽²⁾", "∂L/∂W⁽²⁾ = ∂L/∂oᵃ (hˢ)ᵀ, (m×K)(K×dh)", gradient("W2")),
    Answer("2.9, 2.10", "b⁽²⁾", "∂L/∂b⁽²⁾ = ∂L/∂oᵃ, summed over the examples", gradient("b2"),
           "The last factor is garbled, and no shapes are given."),
    Answer("2.11, 2.12", "hidden output", "∂L/∂hˢ = (W⁽²⁾)ᵀ ∂L/∂oᵃ, (dh×m)(m×K)", gradient("hs")),
    Answer("2.13, 2.14", "hidden activation", "∂L/∂hᵃ = ∂L/∂hˢ ⊙ 1{hᵃ > 0}", gradient("ha"),
           "2.14 repeats the entries; the vector form and its line of NumPy are missing."),
    Answer("2.15, 2.16", "W⁽¹⁾", "∂L/∂W⁽¹⁾ = ∂L/∂hᵃ xᵀ, (dh×K)(K×d)", gradient("W1")),
    Answer("2.15, 2.16", "b⁽¹⁾", "∂L/∂b⁽¹⁾ = ∂L/∂hᵃ, summed over the examples", gradient("b1"),
           "2.15 has a factor xₖ, which a bias must not have.", bias_with_x),
    Answer("2.17", "the data", "∂L/∂x = (W⁽¹⁾)ᵀ ∂L/∂hᵃ", gradient("x")),
    Answer("2.18", "penalised risk",
           "R̃ = R̂ + λ11 ‖W⁽¹⁾‖₁ + λ12 ‖W⁽¹⁾‖² + λ21 ‖W⁽²⁾‖₁ + λ22 ‖W⁽²⁾‖²; "
           "∂R̃/∂W⁽ⁱ⁾ = ∂R̂/∂W⁽ⁱ⁾ + λi1 sign(W⁽ⁱ⁾) + 2 λi2 W⁽ⁱ⁾; biases untouched",
           penalty_check, "Layer 2 has λ22 where λ21 belongs; at W = 0 it takes +λ; L(θ) itself is "
           "not written.", wrong_lambda),
]  # fmt: skip


# What the practical part had wrong, and a number that shows it


def init_range() -> str:
    return (
        f"dh = 50: printed ±{1 / 50 * 0.5:.3f}, meant ±{1 / np.sqrt(50):.3f}; "
        f"the printed W2 lies within ±{np.abs(golden.P5_PARAMETERS['W2']).max():.3f}"
    )


def empty_checks() -> str:
    p = Parameters(**golden.P4_PARAMETERS)
    x, y = golden.X[:, :1], golden.Y[:1]
    _, forward = by_hand.fprop_matrix(p, x, y)
    hand, _ = by_hand.bprop_matrix(p, x, y, forward)
    zeros = sum(int((array == 0).sum()) for array in hand)
    return f"{zeros} of {sum(array.size for array in hand)} gradients of P2 are exactly 0"


def sums_to_zero() -> str:
    of = example(K=37)
    total = graph(of)["b2"].grad.sum()
    return f"Σ grad_b2 = {total:.0e}, whatever the network has learned"


def doubled() -> str:
    batches = 784 // 100
    return f"{batches} of {60000 // 100} minibatches: {batches / 600:.2%} of an epoch"


MISTAKES = {
    "P1": [("Output weights were drawn from ±(1/dh)·0.5, a matter of brackets, not ±1/√dh.",
            init_range),
           ("Biases of integers: an update in place raises, or truncates to 0.", None)],
    "P2": [("Checks that compare 0 with 0, since a hidden unit is dead; neither gradient is shown, "
            "only ratios.", empty_checks)],
    "P3": [("k is an index array, not the size K.", None)],
    "P5": [("The loss is overwritten by that of the last minibatch; the update comes after the "
            "loop, so the rest of the data is never used; the gradient has no penalty though the "
            "loss has.", None),
           ("The 'best' parameters are another name of the current ones; training stops at the "
            "first loss that does not fall; there is no validation set, and no figure.", None)],
    "P7": [("The gradients of W are not divided by K: at K = 10 they are ten times too large. The "
            "display shows it, and nobody remarked it.", None)],
    "P8": [("An 'epoch' goes along the wrong axis.", doubled),
           ("No update inside, three to four forward passes for each backward one, prints inside "
            "the timed code.", None)],
    "P9": [("The loop ends when the sum of grad_b2 is small. That is always 0.", sums_to_zero),
           ("train() is called on the validation and test sets, so it trains on them; the losses "
            "shown are those of an untrained network; no log, no figure.", None)],
    "P10": [("Absent.", None)],
}  # fmt: skip


def versions() -> str:
    """Name what computed these numbers."""
    return f"minigraph {mg.__version__} and NumPy {np.__version__}"
