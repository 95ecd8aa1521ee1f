"""The homework's own functions, and each row of the audit's table C4 that is marked "yes".

`ROWS` lists for each row which test shows that it is found and named.
"""

import contextlib
import inspect
import io
import warnings
from functools import cache

import numpy as np
import pytest
from probing import HOMEWORK, power_of
from testing import homework_functions as homework

import minigraph as mg
from demos.homework import by_hand, golden
from minigraph import nn, optim
from minigraph.testing import check_bprop, check_step
from minigraph.train import Watch, fit
from tests.counts import THOROUGH, share

NO_PENALTY = (0.0,) * 4

ROWS = {
    "E10 missing 1/n": "test_the_sum_for_the_mean",
    "C24/C33 W not /K": "test_the_pairs_give_these_findings_and_no_other",
    "C23 L_sum/n": "test_the_pairs_give_these_findings_and_no_other",
    "E17 b1 times x_k": "test_a_bias_times_x",
    "E20 wrong λ": "test_the_λ_of_the_other_norm",
    "C15 penalty missing": "test_the_pairs_give_these_findings_and_no_other",
    "C15 in the step": "test_the_step_without_penalties",
    "E4/E21 sign(0)": "test_the_sign_of_0_is_a_note",
    "relu'(0) choice": "test_the_derivative_of_relu_at_0_is_a_note",
    "C14 only the last minibatch": "test_a_step_with_the_last_minibatch_alone",
    "C20 dropped rest": "test_a_rest_that_is_dropped",
    "C16 aliased best, in a step": "test_the_best_is_the_present_one_in_a_step",
    "C16 aliased best, in a loop": "test_the_loop_of_P5",
    "stale buffer": "test_a_stale_buffer",
    "in-place update before use": "test_W2_updated_before_it_is_used",
    "in-place update of an argument": "test_an_argument_that_is_updated",
    "C5 broadcasting": "test_a_sum_that_loses_its_axis",
    "C5 transposes": "test_a_transpose_in_square_matrices",
    "C3/C4 overflow": "test_softmax_without_the_shift",
    "C12 only the last minibatch's loss": "test_the_loop_of_P5",
    "C13 (1/(n/num)) R": "test_the_loop_of_P5",
    "C32 sums are not reset": "test_the_loop_of_P9_without_its_criterion",
    "C17 stops at the first rise": "test_the_loop_of_P5",
    "C31 the criterion is always 0": "test_the_loop_of_P9",
    "C34 trains on valid and test": "test_evaluation_by_training",
    "C28 7 minibatches": "test_seven_minibatches_of_an_epoch",
    "C29 labels from features": "test_labels_that_are_features",
    "C8 3 forwards": "test_the_forward_pass_is_run_three_times",
    "C9 empty checks": "test_the_homeworks_own_probe",
}


@pytest.mark.parametrize("row", ROWS)
def test_each_row_has_its_test(row):
    assert callable(globals()[ROWS[row]])


# The functions, and what P7 displays


@contextlib.contextmanager
def quiet():
    """Let the homework print, and use np.matrix."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        yield


@pytest.mark.parametrize(
    ("bprop", "K", "displayed"),
    [
        (homework.loop_bprop, 1, golden.P7_ONE),
        (homework.matrix_bprop, 1, golden.P7_ONE),
        (homework.loop_bprop, 10, golden.P7_LOOP),
        (homework.matrix_bprop, 10, golden.P7_MATRIX),
    ],
)
def test_the_functions_give_what_the_homework_displays(bprop, K, displayed):
    """R1, R2, R3: all 14 numbers of each display, to the last digit that is printed."""
    with quiet():
        found = bprop(golden.P5_PARAMETERS, golden.X[:, :K], golden.Y[:K], NO_PENALTY)
    for name, numbers in displayed.items():
        np.testing.assert_allclose(found[name], numbers, rtol=0, atol=1e-8)


def params(sizes, rng):
    return by_hand.init(sizes["d"], sizes["dh"], sizes["m"], rng)._asdict()


def batch(sizes, rng):
    return rng.normal(size=(sizes["d"], sizes["K"])), rng.integers(sizes["m"], size=sizes["K"])


def graph(params, x, y, lam=NO_PENALTY):
    ha = params["W1"] @ x + params["b1"]
    hs = mg.relu(ha)
    oa = params["W2"] @ hs + params["b2"]
    for name, tensor in (("ha", ha), ("hs", hs), ("oa", oa)):
        tensor.name = name
    penalty = mg.elastic_net(params["W1"], *lam[:2]) + mg.elastic_net(params["W2"], *lam[2:])
    return mg.softmax_nll(oa.T, y) + penalty


MISSING_K = "it is K times the right one: the division by the number of examples K is missing"
NO_GRADIENT = (
    "the penalty is in the loss but not in the gradient: λ{0}1 * sign(W{0}) + λ{0}2 * 2 * W{0} is "
    "missing"
)
MEAN, SUM = "the loss is a mean over the examples", "the loss is a sum over the examples"

# By pair: fprop, bprop, whether λ is passed, all causes, and what the loss is.
PAIRS = {
    "P3, the loop": (homework.loop_fprop, homework.loop_bprop, False, {}, MEAN),
    "P6, matrices: C23, C24": (
        homework.matrix_fprop, homework.matrix_bprop, False,
        {
            **dict.fromkeys(("W1", "W2"), ("it is 1100 times the right one",)),  # n
            **dict.fromkeys(("b1", "b2"), ("it is 1100/K of the right one",)),  # n / K
        },
        SUM,
    ),
    "P9, matrices: C24": (
        homework.error_fprop, homework.matrix_bprop, False,
        dict.fromkeys(("W1", "W2"), (MISSING_K,)), MEAN,
    ),
    "P5, R with the loop: C15": (
        homework.risk_fprop, homework.loop_bprop, True,
        {f"W{i}": (NO_GRADIENT.format(i),) for i in (1, 2)}, MEAN,
    ),
    "P9, R with matrices: C15, C33": (
        homework.error_risk_fprop, homework.matrix_bprop, True,
        {f"W{i}": (MISSING_K, NO_GRADIENT.format(i)) for i in (1, 2)}, MEAN,
    ),
}  # fmt: skip


def checked(fprop, bprop, with_lambda, params=params, batch=batch, **options):
    if with_lambda:
        return check_bprop(fprop, bprop, params, batch, penalties=NO_PENALTY, **options)
    return check_bprop(
        lambda p, x, y: fprop(p, x, y, NO_PENALTY), lambda p, x, y: bprop(p, x, y, NO_PENALTY),
        params, batch, **options,
    )  # fmt: skip


@cache
def of_pair(pair, with_graph):
    fprop, bprop, with_lambda, *_ = PAIRS[pair]
    return checked(fprop, bprop, with_lambda, graph=graph if with_graph else None)


# A graph changes something where the loss is a sum: it is another loss than the graph's.
PAIRED = [(pair, g) for pair in PAIRS for g in (False, True)
          if THOROUGH or not g or PAIRS[pair][-1] == SUM]  # fmt: skip


@pytest.mark.parametrize(("pair", "with_graph"), PAIRED)
def test_the_pairs_give_these_findings_and_no_other(pair, with_graph):
    *_, causes, loss = PAIRS[pair]
    diagnosis = of_pair(pair, with_graph)
    found = {n: v.causes for n, v in diagnosis.verdicts.items() if v.status != "right"}
    assert found == causes, str(diagnosis)
    assert diagnosis.notes[0] == loss
    remarks = diagnosis.remarks
    if with_graph and loss == SUM:
        assert "it is another loss, and was not used" in remarks[0]
        remarks = remarks[1:]
    # Of softmax, in all pairs: C3, C4, and the print in it.
    assert [remark.split(",")[0] for remark in remarks] == [
        "the loss is nan with weights a thousand times larger: exp overflows",
        "fprop prints at each call",
        "bprop prints at each call",
    ]


def of_the_first(K):
    return golden.X[:, :K], golden.Y[:K]


@pytest.mark.parametrize(
    ("K", "with_graph"), [(1, False), (10, True), *([(1, True), (10, False)] if THOROUGH else [])]
)
def test_the_display_of_P7_is_explained(K, with_graph):
    """R1 to R3: at P5's parameters; a single example is repeated, and so tells as much as ten."""
    options = {"params": golden.P5_PARAMETERS, "axis": "columns", "graph": None}
    if with_graph:
        options["graph"] = graph
    for bprop, causes in (
        (homework.loop_bprop, {}),
        (homework.matrix_bprop, dict.fromkeys(("W1", "W2"), (MISSING_K,))),
    ):
        diagnosis = checked(homework.loop_fprop, bprop, False, batch=of_the_first(K), **options)
        found = {n: v.causes for n, v in diagnosis.verdicts.items() if v.status != "right"}
        assert found == causes, str(diagnosis)


@pytest.mark.parametrize("with_graph", [False, True])
def test_one_example_that_cannot_be_repeated_shows_no_difference_and_that_is_said(with_graph):
    x, y = of_the_first(1)

    def one_fprop(p, x, y, lam):
        return homework.loop_fprop(p, x[:, None], np.array([y]), lam)

    def one_bprop(p, x, y, lam):
        return homework.matrix_bprop(p, x[:, None], np.array([y]), lam)

    diagnosis = checked(
        one_fprop, one_bprop, False, golden.P5_PARAMETERS, (x[:, 0], y[0]),
        graph=(lambda p, x, y: graph(p, x[:, None], np.array([y]))) if with_graph else None,
    )  # fmt: skip
    assert {v.status for v in diagnosis.verdicts.values()} == {"right"}, str(diagnosis)
    assert (
        "the number of examples could not be changed: mistakes with 1/K are hidden"
        in diagnosis.blind_spots
    )


def test_the_homeworks_own_probe():
    """C9, B4: with one example, all sizes 2 and no penalties about half of all mistakes pass."""
    power = power_of(HOMEWORK, NO_PENALTY)
    assert power.accepts_right
    assert (len(power.missed), len(power.mistakes)) == (84, 133)
    for cause in ("missing 1/K", "no penalty gradient", "other λ", "last example only"):
        assert cause in power.by_cause


@pytest.mark.parametrize(
    ("pair", "function"), [("P3, the loop", "fprop"), ("P9, matrices: C24", "fprop_k_m")]
)
def test_the_forward_pass_is_run_three_times(pair, function):
    """C8."""
    assert (
        f"bprop calls {function} 3 times with the same arguments, where once would do: keep what "
        "it returns"
    ) in of_pair(pair, False).notes


# One mistake in what is right


def right_fprop(p, x, y, lam):
    return by_hand.fprop_matrix(by_hand.Parameters(**p), x, y, lam)[0]


def right_bprop(p, x, y, lam):
    parameters = by_hand.Parameters(**p)
    _, forward = by_hand.fprop_matrix(parameters, x, y, lam)
    return by_hand.bprop_matrix(parameters, x, y, forward, lam)[0]._asdict()


def diagnosed(change, **options):
    """Check what is right but for `change`, which is given the gradients and the arguments."""

    def bprop(p, x, y, lam):
        g = right_bprop(p, x, y, lam)
        return {**g, **change(g, p, x, y, lam)}

    return check_bprop(right_fprop, bprop, params, batch, penalties=NO_PENALTY, **options)


def causes_in(diagnosis):
    return {n: v.causes for n, v in diagnosis.verdicts.items() if v.status != "right"}


# What is named without a graph is named with it too, or the graph hides it.
both = pytest.mark.parametrize(
    "with_graph", share([graph, None], 2), ids=lambda g: "with graph" if g else "alone"
)


def test_what_is_right_has_no_findings_and_no_notes():
    for with_graph in (None, graph):
        diagnosis = diagnosed(lambda *a: {}, graph=with_graph)
        assert diagnosis.ok
        assert diagnosis.notes == [MEAN]


@both
def test_the_sum_for_the_mean(with_graph):
    """E10: a loss that is the mean, with a gradient that is the sum; penalties are as they were."""

    def change(g, p, x, y, lam):
        free = right_bprop(p, x, y, NO_PENALTY)
        return {n: g[n] + (x.shape[1] - 1) * free[n] for n in g}

    diagnosis = diagnosed(change, graph=with_graph)
    assert causes_in(diagnosis) == dict.fromkeys(("W1", "b1", "W2", "b2"), (MISSING_K,))
    assert diagnosis.notes[0] == MEAN  # so it is the gradient, not the loss, that is a sum


def test_a_bias_times_x():
    """E17: without a graph it is what it looks like, examples that are weighted by a number."""

    def change(g, p, x, y, lam):
        _, forward = by_hand.fprop_matrix(by_hand.Parameters(**p), x, y)
        grad_oa = (forward.os - by_hand.onehot(len(p["b2"]), y)) / x.shape[1]
        grad_ha = p["W2"].T @ grad_oa * (forward.ha > 0)
        return {"b1": (grad_ha * x[:1]).sum(axis=1, keepdims=True)}

    weighted = "the examples are weighted, where each should count the same"
    assert causes_in(diagnosed(change)) == {"b1": (weighted,)}
    first, *rest = causes_in(diagnosed(change, graph=graph))["b1"]
    assert "multiplied by the first row of x: a bias has no such factor" in first
    assert rest == [weighted]


@both
def test_the_λ_of_the_other_norm(with_graph):
    """E20."""

    def change(g, p, x, y, lam):
        return {"W2": g["W2"] + (lam[3] - lam[2]) * np.sign(p["W2"])}

    assert causes_in(diagnosed(change, graph=with_graph)) == {
        "W2": ("λ22 is used where λ21 belongs, for the term sign(W2)",)
    }


def test_the_sign_of_0_is_a_note():
    """E4, E21: a subgradient all the same."""

    def change(g, p, x, y, lam):
        return {f"W{i}": g[f"W{i}"] + lam[2 * i - 2] * (p[f"W{i}"] == 0) for i in (1, 2)}

    diagnosis = diagnosed(change)
    assert diagnosis.ok
    for name in ("W1", "W2"):
        assert (
            f"{name}: where a weight is exactly 0, sign(0) is taken as +1; 0 is usual, and all "
            "from -1 to 1 are right"
        ) in diagnosis.notes


def test_a_value_at_0_that_is_no_subgradient_is_wrong():
    def change(g, p, x, y, lam):
        return {"W1": g["W1"] + 2 * lam[0] * (p["W1"] == 0)}

    assert set(causes_in(diagnosed(change))) == {"W1"}


def test_the_derivative_of_relu_at_0_is_a_note():
    def change(g, p, x, y, lam):
        _, forward = by_hand.fprop_matrix(by_hand.Parameters(**p), x, y)
        grad_oa = (forward.os - by_hand.onehot(len(p["b2"]), y)) / x.shape[1]
        grad_ha = p["W2"].T @ grad_oa * (forward.ha >= 0)
        return {"b1": grad_ha.sum(axis=1, keepdims=True)}

    diagnosis = diagnosed(change)
    assert diagnosis.ok
    assert (
        "b1: where an activation is exactly 0, its derivative is taken as relu′(0) = 1; 0 is "
        "usual, and all from 0 to 1 are right"
    ) in diagnosis.notes


@both
def test_a_stale_buffer(with_graph):
    buffers = {}

    def change(g, *arguments):
        for n, value in g.items():
            buffers.setdefault((n, value.shape), np.empty(value.shape))[...] = value
        return {n: buffers[n, value.shape] for n, value in g.items()}

    diagnosis = diagnosed(change, graph=with_graph)
    assert causes_in(diagnosis) == {}
    assert len(diagnosis.remarks) == 4
    assert all("it is a buffer that is used again" in remark for remark in diagnosis.remarks)


def test_W2_updated_before_it_is_used():
    """The size of the step is found too."""

    def change(g, p, x, y, lam):
        new = {**p, "W2": p["W2"] - 0.1 * right_bprop(p, x, y, NO_PENALTY)["W2"]}
        _, forward = by_hand.fprop_matrix(by_hand.Parameters(**p), x, y)
        grad_oa = (forward.os - by_hand.onehot(len(p["b2"]), y)) / x.shape[1]
        grad_ha = new["W2"].T @ grad_oa * (forward.ha > 0)
        penalty = g["W1"] - right_bprop(p, x, y, NO_PENALTY)["W1"]
        return {"W1": grad_ha @ x.T + penalty, "b1": grad_ha.sum(axis=1, keepdims=True)}

    assert causes_in(diagnosed(change)) == {"W1": (), "b1": ()}
    for causes in causes_in(diagnosed(change, graph=graph)).values():
        assert any("a step of 0.1 was taken with W2 before it was used" in c for c in causes)


@both
def test_an_argument_that_is_updated(with_graph):
    def change(g, p, *rest):
        p["W1"] -= 0.1 * g["W1"]
        return {}

    diagnosis = diagnosed(change, graph=with_graph)
    (remark,) = diagnosis.remarks
    assert remark.startswith("bprop changes its argument params['W1']")


@both
def test_a_sum_that_loses_its_axis(with_graph):
    """C5."""
    (cause,) = causes_in(diagnosed(lambda g, *a: {"b1": g["b1"][:, 0]}, graph=with_graph))["b1"]
    assert "its entries are right, but its shape is 5 where the parameter has 5×1" in cause


@both
def test_a_transpose_in_square_matrices(with_graph):
    """C5: only where all sizes are equal can it be returned in silence."""

    def change(g, p, x, y, lam):
        d, dh = x.shape[0], len(p["b1"])
        return {"W1": right_bprop(p, x, y, NO_PENALTY)["W1"].T} if d == dh else {}

    diagnosis = diagnosed(change, graph=with_graph)
    (cause,) = causes_in(diagnosed(lambda g, *a: {"W1": g["W1"].T}, graph=with_graph))["W1"]
    assert "it is transposed: 3×5 where the parameter has 5×3" in cause
    assert set(causes_in(diagnosis)) == {"W1"}


def test_softmax_without_the_shift():
    """C3, C4: in the loss; and in the gradient alone."""

    def naive(p, x, y, lam):
        oa = p["W2"] @ np.maximum(p["W1"] @ x + p["b1"], 0) + p["b2"]
        e = np.exp(oa)
        return -np.log((e / e.sum(axis=0))[y, np.arange(len(y))]).mean() + by_hand.penalty(
            by_hand.Parameters(**p), lam
        )

    diagnosis = check_bprop(naive, right_bprop, params, batch, penalties=NO_PENALTY)
    (remark,) = diagnosis.remarks
    assert "exp overflows, or the logarithm of 0 is taken" in remark

    def change(g, p, x, y, lam):
        oa = p["W2"] @ np.maximum(p["W1"] @ x + p["b1"], 0) + p["b2"]
        error = np.exp(oa) / np.exp(oa).sum(axis=0) - by_hand.onehot(len(oa), y)
        return {"b2": error.mean(axis=1, keepdims=True)}

    (remark,) = diagnosed(change).remarks
    assert remark.startswith("b2: it is not finite with weights a thousand times larger")


# The step of P5 and P9

ETA = 0.05


def stepped(gradient, **options):
    def step(p, x, y, lam):
        return {n: p[n] - ETA * g for n, g in gradient(p, x, y, lam).items()}

    return check_step(step, right_fprop, params, batch, penalties=NO_PENALTY, **options)


def test_a_step_with_the_last_minibatch_alone():
    """C14: the update stands after the loop over the minibatches, here of a third each."""

    def gradient(p, x, y, lam):
        n = x.shape[1]
        return right_bprop(p, x[:, -(n // 3) :], y[-(n // 3) :], lam)

    for causes in causes_in(stepped(gradient)).values():
        (cause,) = causes
        assert "only the last examples count, 2 of 6: those before are never used" in cause


def test_a_rest_that_is_dropped():
    """C20: ``int(n / num)`` minibatches."""

    def gradient(p, x, y, lam):
        n = x.shape[1] // 3 * 3
        return right_bprop(p, x[:, :n], y[:n], lam)

    for causes in causes_in(stepped(gradient)).values():
        assert causes == ("the last examples are left out, 1 of 7: 6 are used",)


def test_the_step_without_penalties():
    """C15, as in P5 and P9: R has them, the update has not."""
    found = causes_in(stepped(lambda p, x, y, lam: right_bprop(p, x, y, NO_PENALTY)))
    assert found == {
        f"W{i}": (NO_GRADIENT.format(i).replace("in the gradient", "in the step"),) for i in (1, 2)
    }


def test_the_step_of_P9():
    """C15 and C33 at once, with the homework's own functions; η is that of the biases."""

    def step(p, x, y, lam):
        g = homework.matrix_bprop(p, x, y, lam)
        return {n: p[n] - ETA * g[n] for n in p}

    diagnosis = check_step(step, homework.error_risk_fprop, params, batch, penalties=NO_PENALTY)
    assert "the learning rate is η = 0.05, by b1, b2" in diagnosis.notes[0]
    found = causes_in(diagnosis)
    assert set(found) == {"W1", "W2"}
    for size, penalty in found.values():
        assert size.startswith("its step is K times the right one")
        assert "in the loss but not in the step" in penalty


def test_the_best_is_the_present_one_in_a_step():
    """C16: ``w1 -= …`` changes what was kept as w1min."""

    def step(p, x, y, lam):
        for n, g in right_bprop(p, x, y, lam).items():
            p[n] -= ETA * g
        return p

    diagnosis = check_step(step, right_fprop, params, batch, penalties=NO_PENALTY)
    (remark,) = diagnosis.remarks
    assert "those that were kept as the best (best = w) change too" in remark


# The training loops of P5, P8 and P9, with a witness


def witnessed(function, watch, *lines):
    """Compile a loop of the homework with lines of `watch` after or before lines of its own."""
    source = inspect.getsource(function)
    for place, line, after in lines:
        assert source.count(place) == 1, place
        indent = " " * (len(place) - len(place.lstrip(" ")))
        new = indent + line
        source = source.replace(place, f"{place}\n{new}" if after else f"{new}\n{place}")
    names = {**vars(homework), "watch": watch}
    exec(compile(source, "<homework, with a witness>", "exec"), names)
    return names[function.__name__]


NAMED = "{'W1': %s, 'W2': %s, 'b1': %s, 'b2': %s}"
NOW, BEST = NAMED % ("w1", "w2", "b1", "b2"), NAMED % ("w1min", "w2min", "b1min", "b2min")


def circles(n):
    X, y = mg.data.two_circles(0)
    return np.matrix(X[:n].T), np.matrix(y[:n])


def start(seed=0):
    p = by_hand.init(2, 2, 2, np.random.default_rng(seed))
    return [np.matrix(value) for value in (p.W1, p.b1, p.W2, p.b2)]


LAMBDAS = [0.01] * 4


def penalty(p):
    return homework.L_theta(LAMBDAS, p["W1"], p["W2"], 2, 2, 2)


def test_the_loop_of_P5():
    """C12, C13: what is reported; C16: the best; C17: the stop; and C20: the rest."""
    with quiet():
        x, y = circles(45)

        def loss(p):
            homework.d = homework.dh = homework.m = 2
            risk = homework.fprop_k_loop(x, y, p["W1"], p["b1"], p["W2"], p["b2"], np.arange(45))
            return risk + penalty(p)

        watch = Watch(45, loss, penalty)
        train = witnessed(
            homework.train, watch,
            ("            sum_loss = fprop_k_loop(x, y, w1, b1, w2, b2, k)",
             "watch.minibatch(sum_loss, num)", True),
            ("        R = (1 / (n / num)) * sum_loss + L_theta(lamda, w1, w2, dh, m, d)",
             f"watch.epoch({NOW}, R)", True),
            ("            break", "watch.stopped()", False),
            ("    return (Rmin, w1min, w2min, b1min, b2min)",
             f"watch.best({BEST}, {NOW}, Rmin)", False),
        )  # fmt: skip
        train(x, y, *start(), 10, LAMBDAS, 2, 2, 2, 0.3)
    found = "\n".join(watch.remarks)
    for words in (
        "it takes 40 of 45 examples (0.889 of an epoch): the last minibatch, which is smaller",
        "the loss that is reported is that of the last minibatch alone",
        "and it is divided by n / K once more",
        "at the first loss that is not smaller than the best",
        "the best W1, W2, b1, b2 and the present are the same array",
        "the parameters kept as the best have loss",
    ):
        assert words in found, found
    assert len(watch.remarks) == 5
    assert not watch.ok


def nine(watch):
    """Give the loop of P9, with a witness."""
    return witnessed(
        homework.train_9, watch,
        ("            sum_loss += loss * k", "watch.minibatch(loss, k)", True),
        ("        R = (1 / n) * sum_loss + L_theta(lamda, w1, w2, dh, m, d)",
         f"watch.epoch({NOW}, R)", True),
        ("            itera += 1", "watch.criterion(np.sum(grad_b2))", True),
        ("    if itera == 1000:", "watch.stopped()", False),
    )  # fmt: skip


def test_the_loop_of_P9():
    """C31: one epoch, whatever epsilon is."""
    watch = Watch(40, penalty=penalty)
    with quiet():
        nine(watch)(*circles(40), *start(), 10, LAMBDAS, 2, 2, 2, 0.3, 1e-9)
    (remark,) = watch.remarks
    assert remark.startswith(
        "epoch 1: it stops after 1 epochs by a number that is 0 whatever happens"
    )
    assert "the sum of softmax's errors over the classes" in remark


def test_the_loop_of_P9_without_its_criterion():
    """C32: with epsilon < 0 there is a second epoch, whose sum begins where the first ended."""
    watch = Watch(40, penalty=penalty)
    with quiet():
        nine(watch)(*circles(40), *start(), 10, LAMBDAS, 2, 2, 2, 0.3, -1)
    assert len(watch.reported) == 2
    assert (
        "epoch 2: the loss that is reported is the sum over all epochs: set it to 0 before each "
        "epoch"
    ) in watch.remarks


def test_evaluation_by_training():
    """C34: P9 takes its errors on the validation and test sets from `train`."""
    watch = Watch(40)
    with quiet():
        w1, b1, w2, b2 = start()
        now = {"W1": w1, "b1": b1, "W2": w2, "b2": b2}
        for part in ("valid", "test"):
            with watch.evaluation(now, part):
                homework.train_9(*circles(40), w1, b1, w2, b2, 10, LAMBDAS, 2, 2, 2, 0.3, 1e-9)
    assert watch.remarks == [
        f"epoch 1: evaluating on {part} changes W1, b1, W2, b2: it trains on these examples"
        for part in ("valid", "test")
    ]


def test_seven_minibatches_of_an_epoch():
    """C28: 784 / 100 minibatches of 100, where 60000 / 100 are an epoch."""
    rng = np.random.default_rng(0)
    p = by_hand.init(784, 50, 10, rng)
    x, y = rng.uniform(size=(784, 800)), rng.integers(10, size=800)
    watch = Watch(60000)
    timed = witnessed(
        homework.mnist_matrix_all, watch,
        ("        bprop_k_m(m, x, y, w1, b1, w2, b2, 100, i * 100)",
         "watch.minibatch(0.0, 100)", True),
        ("    end = time.time()", "watch.epoch({}, 0.0)", False),
    )  # fmt: skip
    with quiet():
        homework.dh = 50
        timed(*map(np.matrix, (x, y, *p)), 50, 10)
    assert watch.remarks == [
        "epoch 1: it takes 700 of 60000 examples (0.0117 of an epoch): the number of minibatches "
        "is not n / K, rounded up"
    ]


def test_a_right_loop_has_no_remarks():
    (X, y), (valid, labels) = mg.data.split(*mg.data.two_circles(0), (45, 45))
    x, p = X.T, by_hand.init(2, 4, 2, np.random.default_rng(0))._asdict()
    watch = Watch(
        45,
        lambda p: right_fprop(p, x, y, LAMBDAS),
        lambda p: by_hand.penalty(by_hand.Parameters(**p), LAMBDAS),
    )
    least, best = np.inf, p
    for _ in range(5):
        losses = []
        order = np.random.default_rng(0).permutation(45)
        for rows in np.split(order, range(10, 45, 10)):
            losses.append(right_fprop(p, x[:, rows], y[rows], NO_PENALTY))
            watch.minibatch(losses[-1], len(rows))
            g = right_bprop(p, x[:, rows], y[rows], LAMBDAS)
            p = {n: p[n] - 0.3 * g[n] for n in p}
        risk = right_fprop(p, x, y, LAMBDAS)
        watch.epoch(p, risk)
        if risk < least:
            least, best = risk, {n: value.copy() for n, value in p.items()}
        with watch.evaluation(p):
            right_fprop(p, valid.T, labels, NO_PENALTY)
        watch.criterion(max(np.abs(value).max() for value in g.values()))
    watch.best(best, p, least)
    assert watch.ok, str(watch)
    assert str(watch) == "nothing wrong in 5 epochs"
    assert repr(watch) == "<Watch: 5 epochs, 0 remarks>"


def test_labels_that_are_features():
    """C29: ``data[:, :-1]`` for ``data[:, -1]``."""
    X, y = mg.data.two_circles(0)
    data = np.column_stack([X, y])
    model = nn.MLP((2, 3, 2), seed=0)
    sgd = optim.SGD(model.parameters(), lr=0.1)
    for labels, kind, words in (
        (data[:, :-1], ValueError, "one label for each row of X"),
        (data[:, 0], TypeError, "labels are integers 0 ... 1, not float64"),
    ):
        with pytest.raises(kind, match=words):
            fit(model, (X, labels), optimizer=sgd, epochs=1, batch_size=100)
