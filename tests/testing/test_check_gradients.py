"""check_gradients: what is right is ok, what is wrong is named, what cannot be told is said."""

import random
from collections import namedtuple

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import minigraph as mg
from minigraph.testing import GradientError, check_gradients
from tests.counts import examples

seeds = st.integers(0, 2**32 - 1)
few = examples(5)
X = np.array([[0.3, -1.2, 0.7], [2.0, 0.4, -0.5]])


def checked(f, *inputs, **options):
    return check_gradients(f, *inputs, raises=False, **options)


def op_with(formula, function=np.sin, **options):
    """Make sin, or another function, with this formula."""
    return mg.Op(lambda x: function(x), x=formula, name="planted", **options)


# Right gradients


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.exp(x).sum(),
        lambda x: np.sin(x) * x,
        lambda x: x,
        lambda x: (x @ x.T).reshape(-1),
        lambda x: mg.softmax(x, axis=1)[:, 1:],
        lambda x: 3.0 * x + 1.0,
        lambda x: x * 0.0,
        lambda x: (1e6 + x).sum(),
        lambda x: 1e-9 * np.tanh(x),
        lambda x: np.sin(300 * x),
    ],
)
@few
@given(seed=seeds)
def test_a_right_gradient_is_ok_entry_by_entry(f, seed):
    report = check_gradients(f, X, seed=seed)
    assert report.ok
    assert report["x"].verdict == "ok"
    assert report["x"].entries == X.size


@pytest.mark.parametrize("shape", [(), (1,), (0,), (2, 0), (2, 1, 2)])
def test_any_shape_goes_in_and_out(shape):
    x = np.full(shape, 0.7)
    assert check_gradients(lambda x: x * x, x)["x"].ok
    assert check_gradients(lambda x: (x * x).sum(), x)["x"].ok


def test_inputs_stand_in_containers_and_bear_their_names():
    Layer = namedtuple("Layer", "W b")
    layers = {"one": Layer(X, np.array([0.1, 0.2, 0.3])), "two": [X, (X.T, np.array(2.0))]}

    def f(layers, bias):
        W, b = layers["one"]
        (other, (more, scale)) = layers["two"]
        return mg.tanh(W + b) * other * more.T * scale + bias

    report = check_gradients(f, layers, mg.Tensor(1.0, requires_grad=True, name="beta"))
    names = [finding.name for finding in report.findings]
    assert names == [
        "layers['one'].W", "layers['one'].b", "layers['two'][0]", "layers['two'][1][0]",
        "layers['two'][1][1]", "beta",
    ]  # fmt: skip


def test_tensor_without_gradient_is_a_constant_and_the_report_says_so():
    labels = mg.Tensor([0, 2])
    report = check_gradients(lambda z, t: mg.softmax_nll(z, t), X, labels)
    assert [finding.name for finding in report.findings] == ["z"]
    assert "not checked: t (constant)" in str(report)


def test_a_constant_that_is_written_is_a_copy_of_the_user_s():
    constant = mg.Tensor([1.0, 2.0, 3.0])

    def f(x, c):
        c.data = np.zeros(3)
        return (x * x * 1.0).sum() + c.sum()

    check_gradients(f, X[0], constant)
    assert constant.data.tolist() == [1, 2, 3]


def test_second_order_beside_constants_and_in_containers():
    p, x = {"W": X.T, "b": X[0, :2]}, mg.Tensor(X)
    report = check_gradients(lambda p, x: np.tanh(x @ p["W"] + p["b"]), p, x, order=2)
    assert [f.name for f in report.findings] == ["p['W']", "p['b']"] * 2


def test_input_that_leads_nowhere_has_gradient_zero():
    report = check_gradients(lambda x, y: (x * x).sum(), X, X)
    assert report["y"].verdict == "ok"
    assert report["y"].analytic == 0


def test_gradient_of_nothing_but_rounding_is_zero():
    assert check_gradients(lambda x: mg.softmax(x, axis=1).sum(), X).ok


@few
@given(seed=seeds)
def test_points_near_a_kink_are_no_alarm(seed):
    rng = np.random.default_rng(seed)
    x = rng.choice([-1, 1], 4) * 10.0 ** rng.uniform(-9, 0, 4)
    assert check_gradients(lambda x: abs(x) + mg.relu(x) * x, x, seed=seed).ok


def test_views_read_only_and_reversed_arrays_are_inputs_like_others():
    frozen = X.copy()
    frozen.setflags(write=False)
    for x in (X.T, X[:, ::-2], frozen, np.asfortranarray(X)):
        assert check_gradients(lambda x: np.sin(x) * x, x).ok


# Wrong gradients


@pytest.mark.parametrize(
    "formula",
    [
        lambda g, y, x: -g * np.cos(x),
        lambda g, y, x: np.cos(x),
        lambda g, y, x: g * g * np.cos(x),
        lambda g, y, x: g * np.cos(x) * (1 + 1e-3),
        lambda g, y, x: g * np.cos(x) * (1 + 9e-4),  # PyTorch's checker accepts this
        lambda g, y, x: g * np.cos(x) * (1 + 1e-5),
        lambda g, y, x: g * np.cos(x) * (1 + 1e-7),
        lambda g, y, x: g * np.cos(x) + 1e-7,
        lambda g, y, x: g * np.cos(x[::-1]),
        lambda g, y, x: 0 * g,
    ],
)
@few
@given(seed=seeds)
def test_a_wrong_formula_is_wrong(formula, seed):
    planted = op_with(formula)
    with pytest.raises(GradientError) as caught:
        check_gradients(lambda x: np.exp(planted(x)), X, seed=seed)
    assert caught.value.report["x"].verdict == "wrong"


@few
@given(seed=seeds, i=st.integers(0, 9_999))
def test_one_wrong_entry_in_ten_thousand_is_found_and_named(seed, i):
    x = np.random.default_rng(seed).normal(size=(100, 100))
    where = np.unravel_index(i, x.shape)

    def wrong(x):
        g = np.cos(x)
        g[where] *= 1.001
        return g

    report = checked(lambda x: np.sin(x).sum(), x, gradient=wrong, seed=seed)
    assert report["x"].verdict == "wrong"
    assert report["x"].entry == where
    assert report.n_values < 250


@few
@given(seed=seeds)
def test_wrong_sign_of_a_tiny_entry_is_found(seed):
    scale = np.array([1.0, 2.0, 1e-6, 3.0])
    signs = np.array([1.0, 1.0, -1.0, 1.0])
    report = checked(
        lambda x: np.sum(scale * np.sin(x)),
        np.array([0.3, 0.5, 0.7, 1.1]),
        gradient=lambda x: signs * scale * np.cos(x),
        seed=seed,
    )
    assert report["x"].verdict == "wrong"
    assert report["x"].entry == (2,)


@few
@given(seed=seeds)
def test_softmax_three_times_too_steep_is_wrong(seed):
    wrong = mg.Op(
        lambda x: np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True),
        x=lambda g, y, x: 3 * y * (g - (g * y).sum(axis=-1, keepdims=True)),
        name="softmax3",
    )
    assert checked(wrong, X, seed=seed)["x"].verdict == "wrong"


@few
@given(seed=seeds)
def test_error_orthogonal_to_all_ones_is_wrong(seed):
    error = np.array([1e-3, -2e-3, 1e-3])
    report = checked(lambda x: np.sum(x**2), X[0], gradient=lambda x: 2 * x + error, seed=seed)
    assert report["x"].verdict == "wrong"


def test_formula_that_gives_more_than_zero_for_zero_is_wrong():
    report = checked(op_with(lambda g, y, x: g * np.cos(x) + 1e-30), X)
    assert report["x"].verdict == "wrong"
    assert "zeros" in report["x"].detail


def test_gradient_cut_off_is_wrong():
    report = checked(lambda x: (x.detach() * x).sum(), X)
    assert report["x"].verdict == "wrong"
    assert checked(lambda x: np.sin(x.detach()).sum() + 0.0, X)["x"].verdict == "wrong"


def test_only_the_wrong_input_is_accused():
    wrong = mg.Op(
        np.multiply, a=lambda g, y, a, b: g * b, b=lambda g, y, a, b: -g * a, name="times"
    )
    report = checked(wrong, X, X + 3)
    assert [finding.verdict for finding in report.findings] == ["ok", "wrong"]


def test_second_order_is_checked_too():
    half_right = op_with(lambda g, y, x: g * mg.Tensor(np.cos(np.asarray(getattr(x, "data", x)))))
    x = X[0]
    assert check_gradients(lambda x: np.sin(x) * x, x, order=2).ok
    report = checked(lambda x: half_right(x) * x, x, order=2)
    assert [(f.order, f.verdict) for f in report.findings] == [(1, "ok"), (2, "wrong")]


@few
@given(seed=seeds)
def test_second_order_of_a_piecewise_linear_function_is_zero(seed):
    a, b = np.array(-1.6), np.array(0.79)  # a jump is near
    assert check_gradients(lambda a, b: a % b, a, b, order=2, seed=seed).ok


def test_second_order_of_a_linear_function_is_zero():
    report = check_gradients(lambda x, y: x.sum() + y[0], X, X[0], order=2)
    assert [f.analytic for f in report.findings if f.order == 2] == [0, 0]


# Kinks


@pytest.mark.parametrize("slope", [0.0, 0.3, 1.0])
def test_at_a_kink_every_slope_between_is_accepted_and_both_sides_are_shown(slope):
    relu = mg.Op(
        lambda x: np.maximum(x, 0),
        x=lambda g, y, x: np.where(x > 0, g, np.where(x == 0, slope * g, 0)),
        name="relu",
    )
    report = check_gradients(lambda x: relu(x).sum(), np.array([1.0, 0.0, -2.0]))
    finding = report["x"]
    assert (finding.verdict, finding.ok, finding.entry) == ("at a kink", True, (1,))
    np.testing.assert_allclose(finding.sides, (0, 1), atol=1e-9)
    assert finding.analytic == pytest.approx(slope)


def test_a_tie_that_is_counted_twice_is_mentioned():
    by_hand = checked(
        lambda x: x.max(), np.array([1.0, 1, 0]), gradient=lambda x: 1.0 * (x == x.max()), seed=0
    )
    assert by_hand["x"].verdict == "at a kink"
    assert "a tie is counted twice" in by_hand["x"].detail


@pytest.mark.parametrize("slope", [-0.1, 1.1])
def test_at_a_kink_a_slope_outside_is_an_error(slope):
    wrong = op_with(
        lambda g, y, x: np.where(x > 0, g, np.where(x == 0, slope * g, 0)),
        lambda x: np.maximum(x, 0),
    )
    report = checked(lambda x: wrong(x).sum(), np.array([1.0, 0.0, -2.0]))
    assert (report["x"].verdict, report["x"].ok) == ("at a kink", False)
    assert report.suspect.op is wrong


def test_where_several_kinks_meet_the_gradient_need_not_lie_between():
    # 2 relu(x) - relu(x) - ... : both sides have slope 1 or more, the gradient is 0
    x = np.array([0.0])
    report = check_gradients(lambda x: (2 * mg.relu(x) - 3 * mg.relu(-x)).sum(), x)
    assert report["x"].sides == pytest.approx((3, 2))
    assert report["x"].analytic == 0
    assert (report["x"].ok, report["x"].valid) == (True, False)
    assert "several kinks meet" in report["x"].detail


def test_kinks_that_cancel_are_no_error_of_the_graph():
    x = np.array([1.5, 0.5, 0.5])
    report = check_gradients(lambda x: np.log(np.maximum(np.min(x), x)), x)  # this is log(x)
    assert (report["x"].verdict, report["x"].valid) == ("at a kink", False)
    assert "cancel" in report["x"].detail


def test_wrong_elsewhere_is_wrong_though_other_entries_are_at_a_kink():
    wrong = op_with(lambda g, y, x: g * np.cos(x) * 1.01)
    report = checked(lambda x: abs(x) + wrong(x), np.array([0.0, 0.5]))
    assert report["x"].verdict == "wrong"


# What cannot be told


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.sin(x.astype(np.float32)).sum(),
        lambda x: np.sin(x.astype(np.float32)).sum().astype(np.float64),
        lambda x: np.sin(x.astype(np.float32)),
    ],
)
@few
@given(seed=seeds)
@example(seed=1663471)  # once called wrong: half of the tiny steps gave different values
def test_function_that_computes_in_float32_is_resolved_to_float32_only(f, seed):
    report = checked(f, X, seed=seed, claim=0.5)
    assert report["x"].verdict == "ok"
    assert report["x"].power > 1e-6
    assert checked(f, X, seed=seed, claim=1e-6)["x"].verdict == "unresolvable"


def test_float32_inputs_are_widened():
    report = check_gradients(lambda x: np.sin(x) * x, X.astype(np.float32))
    assert report["x"].dtype == np.float32
    assert 1e-7 < report["x"].power < 1e-5  # constants inside may be of float32


def test_float32_gradient_that_is_not_the_wide_one_rounded_is_wrong():
    def rounded(g, y, x):
        return g * np.cos(x) if x.dtype == np.float64 else g * (np.cos(x) + x.dtype.type(0.1))

    report = checked(op_with(rounded), X.astype(np.float32))
    assert report["x"].verdict == "wrong"
    assert "float32" in report["x"].detail


def test_planted_error_below_the_stated_power_is_not_seen_but_the_power_says_so():
    report = checked(
        lambda x: 1e9 + np.sum(np.sin(x)), X[0], gradient=lambda x: np.cos(x) * (1 + 1e-7), claim=1
    )
    assert report["x"].verdict == "ok"
    assert report["x"].power > 1e-7


# Misbehaviour


def test_random_functions_are_not_deterministic():
    rng = np.random.default_rng(0)
    report = checked(lambda x: (x * rng.normal()).sum(), X)
    assert report["x"].verdict == "not deterministic"


@pytest.mark.parametrize("draw", [np.random.normal, random.random])
def test_drawing_from_the_global_random_state_is_noticed(draw):
    def f(x):
        draw()
        return x.sum()

    report = checked(f, X)
    assert report["x"].verdict == "not deterministic"
    assert "global random state" in report["x"].detail


def test_gradient_that_differs_at_the_second_call_is_not_deterministic():
    calls = []

    def gradient(x):
        calls.append(x)
        return np.cos(x) * len(calls)

    report = checked(lambda x: np.sin(x).sum(), X, gradient=gradient)
    assert report["x"].verdict == "not deterministic"


def test_input_that_is_written_is_named():
    def by_hand(x, y):
        y *= 2
        return (x * y).sum()

    report = checked(by_hand, X, X.copy(), gradient=lambda x, y: (y, x))
    assert [f.verdict for f in report.findings] == ["not checked", "mutates its input"]
    assert not report.ok

    def by_graph(x):
        with mg.no_grad():
            x *= 2
        return x.sum()

    assert checked(by_graph, X)["x"].verdict == "mutates its input"


@pytest.mark.parametrize(
    ("gradient", "said"),
    [
        (lambda x: np.cos(x)[:, :1], r"float64\[2, 1\], not float64\[2, 3\]"),
        (lambda x: np.cos(x).astype(np.float32), r"float32\[2, 3\], not float64\[2, 3\]"),
        (lambda x: np.ones(x.shape, int), r"int64\[2, 3\], not float64\[2, 3\]"),
    ],
)
def test_wrong_shape_or_dtype_says_both(gradient, said):
    with pytest.raises(GradientError, match=said) as caught:
        check_gradients(lambda x: np.sin(x).sum(), X, gradient=gradient)
    assert caught.value.report["x"].verdict == "wrong shape or dtype"


def test_widened_dtype_of_a_narrow_input_is_wrong():
    report = checked(
        lambda x: np.sin(x).sum(), X.astype(np.float32), gradient=lambda x: np.cos(x.astype(float))
    )
    assert report["x"].verdict == "wrong shape or dtype"


def test_values_and_gradients_that_are_not_finite_are_named():
    assert checked(lambda x: np.log(x), np.array([1.0, 0.0]))["x"].verdict == "not finite"
    report = checked(lambda x: np.sqrt(x), np.array([1.0, 0.0]))
    assert report["x"].verdict == "not finite"
    assert "inf at [1]" in report["x"].detail


def test_exception_inside_the_function_says_what_was_moved():
    def f(x):
        if x.data[1] != X[0, 1]:
            raise OSError("no such value")
        return x.sum()

    with pytest.raises(OSError, match="no such value") as caught:
        check_gradients(f, X[0])
    assert "x was moved" in caught.value.__notes__[0]


def test_checks_leave_the_global_random_states_alone():
    before = random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002
    check_gradients(lambda x: np.sin(x), X)
    assert random.getstate() == before[0]
    assert np.array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002


# Bad input


@pytest.mark.parametrize(
    ("f", "inputs", "said"),
    [
        (lambda x: x, [np.array([1, 2])], "x is int64, which has no gradient"),
        (lambda x: x, [3], "x is int64"),
        (lambda x: x, [np.array([True])], "x is bool"),
        (lambda x: x, ["text"], "x is a str"),
        (lambda x: x, [None], "x is None"),
        (lambda x: x, [np.array([1j])], "x is complex128"),
        (lambda x: x, [np.broadcast_to(X[0], (2, 3))], "share memory"),
        (lambda x: x, [np.lib.stride_tricks.sliding_window_view(X[0], 2)], "share memory"),
        (lambda x: x, [mg.Tensor(X)], "no differentiable input"),
        (lambda: None, [], "no differentiable input"),
        (lambda x: [x, x], [X], "returned a list of 2; expected one Tensor"),
        (lambda x: (x, x), [X], "returned a tuple of 2"),
        (lambda x: x.data, [X], r"returned float64\[2, 3\]; expected one Tensor"),
        (lambda x: None, [X], "returned None"),
        (lambda x: x > 0, [X], "returned bool, not floats"),
        (lambda x: x[: int(1e3 * float(x.data[0, 0])) % 2 + 1], [X], "entries, not"),
        (lambda x: x, [np.ma.array([1.0, 2.0], mask=[0, 1])], "masked array"),
        (3, [X], "a int is no function"),
    ],
)
def test_bad_input_is_an_error_that_says_what_was_given(f, inputs, said):
    with pytest.raises((TypeError, ValueError), match=said):
        check_gradients(f, *inputs)


@pytest.mark.filterwarnings("ignore:the matrix subclass")
def test_matrix_is_refused_because_it_multiplies_otherwise():
    with pytest.raises(TypeError, match=r"x is a np.matrix, whose \* is @"):
        check_gradients(lambda x: x, np.matrix([[1.0]]))


@pytest.mark.parametrize(
    ("gradient", "said"),
    [
        (lambda p: None, "returned None"),
        (lambda p: p["W"], "expected a dict that has W, b too"),
        (lambda p: {"W": X}, "a dict of W; expected a dict that has b too"),
        (lambda p: (X, X), "a tuple of 2"),
        (lambda p: {"W": (X,), "b": X}, r"a tuple of 1 for p\['W'\]; expected one array"),
    ],
)
def test_gradient_in_other_containers_is_an_error(gradient, said):
    with pytest.raises(TypeError, match=said):
        check_gradients(lambda p: np.sum(p["W"] + p["b"]), {"W": X, "b": X}, gradient=gradient)


def test_gradients_of_several_inputs_are_a_tuple():
    assert check_gradients(lambda x, y: np.sum(x * y), X, X + 1, gradient=lambda x, y: (y, x)).ok
    with pytest.raises(TypeError, match="expected 2 gradients"):
        check_gradients(lambda x, y: np.sum(x * y), X, X, gradient=lambda x, y: y)


def test_constants_have_no_gradient_by_hand():
    t = mg.Tensor([1.0, 2.0, 3.0])
    f, gradient = lambda x, t: np.sum(x * t), lambda x, t: t
    assert check_gradients(f, X[0], t, gradient=gradient).ok
    f, gradient = lambda p: np.sum(p["x"] * p["t"]), lambda p: {"x": p["t"]}
    assert check_gradients(f, {"x": X[0], "t": t}, gradient=gradient).ok


def test_gradient_by_hand_needs_a_number():
    with pytest.raises(TypeError, match="it is one float"):
        check_gradients(np.sin, X, gradient=np.cos)
    with pytest.raises(TypeError, match="gradient is a int, not a function"):
        check_gradients(np.sin, X, gradient=3)
    with pytest.raises(TypeError, match="leave out gradient="):
        check_gradients(lambda x: mg.Tensor(x).sum(), X, gradient=np.cos)
    with pytest.raises(ValueError, match="order=2 needs a function that makes a graph"):
        check_gradients(lambda x: np.sin(x).sum(), X, gradient=np.cos, order=2)


def test_order_is_one_or_two():
    with pytest.raises(ValueError, match="order is 1 or 2, not 3"):
        check_gradients(np.sin, X, order=3)


# Found in use: each of these once passed, was accused, or broke


def test_values_that_are_not_finite_beside_the_point_are_no_evidence():
    y = np.r_[np.full(50, 1e-12), np.ones(50)]
    assert not checked(lambda x: np.sum(np.sqrt(x)), y, gradient=lambda x: -0.5 / np.sqrt(x)).ok
    x = np.array([0.0, 1.0, 2.0])
    report = checked(lambda x: np.sum(x**1.5), x, gradient=lambda x: 1.5 * x**0.5 + 5 * (x == 0))
    assert (report["x"].verdict, report["x"].entry) == ("unresolvable", (0,))
    assert report["x"].entries == 2


def test_huge_values_do_not_hide_a_wrong_sign():
    report = checked(lambda x: 1e160 * np.sum(np.sin(x)), X, gradient=lambda x: -1e160 * np.cos(x))
    assert report["x"].verdict == "wrong"


@few
@given(seed=seeds)
def test_entries_of_very_different_sizes(seed):
    u = np.array([1e-9, 1e-6, 1e-3, 1.0, 1e3, 1e6])
    sines = {"f": lambda x: np.sum(np.sin(x / u)), "gradient": lambda x: np.cos(x / u) / u}
    assert check_gradients(sines["f"], u, gradient=sines["gradient"], seed=seed).ok
    x = np.array([1e-8, 1.0, 2.0])
    log = lambda x: np.sum(np.log(x))
    assert check_gradients(log, x, gradient=lambda x: 1 / x, seed=seed).ok
    wrong = checked(log, x, gradient=lambda x: np.array([-1, 1, 1]) / x, seed=seed)
    assert wrong["x"].verdict == "wrong"


@few
@given(seed=seeds)
def test_a_kink_does_not_hide_what_is_wrong_elsewhere(seed):
    rng = np.random.default_rng(0)
    A, b, w = rng.normal(size=(30, 60)), rng.normal(size=30), rng.normal(size=60)
    w[:40] = 0
    report = checked(
        lambda w: 0.5 * np.sum((A @ w - b) ** 2) / 30 + 5 * np.maximum(w, 0).sum(),
        w,
        gradient=lambda w: A.T @ (A @ w - b) / 30 + 5 * (w > 0) + 0.01 * (np.arange(60) == 50),
        seed=seed,
    )
    assert report["w"].verdict == "wrong"


@few
@given(seed=seeds)
def test_zero_biases_and_blank_rows_are_no_error_in_a_gradient_by_hand(seed):
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(6, 3)), rng.normal(size=6)
    x[4:] = 0
    p = {"W": rng.normal(size=(3, 5)), "b": np.zeros(5), "v": rng.normal(size=5)}

    def loss(p):
        return 0.5 * np.sum((np.maximum(x @ p["W"] + p["b"], 0) @ p["v"] - t) ** 2)

    def backprop(p):
        a = x @ p["W"] + p["b"]
        e = np.maximum(a, 0) @ p["v"] - t
        ga = np.outer(e, p["v"]) * (a > 0)
        return {"W": x.T @ ga, "b": ga.sum(axis=0), "v": np.maximum(a, 0).T @ e}

    report = check_gradients(loss, p, gradient=backprop, seed=seed)
    assert report["p['b']"].verdict == "at a kink"


def test_a_slope_below_the_rounding_of_the_value_cannot_be_told():
    report = checked(
        lambda x: 1e12 + 1e-2 * np.sum(x), np.ones(2), gradient=lambda x: -1e-2 * np.ones(2)
    )
    assert report["x"].verdict == "unresolvable"


@pytest.mark.parametrize("f", [lambda x: np.maximum(x, 0) ** 2, lambda x: x * abs(x)])
def test_a_slope_of_zero_where_only_the_curvature_jumps(f):
    assert check_gradients(f, np.zeros(3)).ok


def test_what_a_small_entry_hides_is_said_per_entry():
    scale = np.array([1e6, 1e-6])
    report = checked(
        lambda x: np.sum(scale * np.sin(x)),
        np.array([0.5, 0.7]),
        gradient=lambda x: scale * np.cos(x) * [1, -1],
    )
    assert report["x"].power < 1e-9
    assert report["x"].entry_power > 1


def test_a_function_that_does_not_use_its_argument_is_noticed():
    T = mg.Tensor(X, requires_grad=True)
    report = check_gradients(lambda w: (T * T).sum(), T)
    assert "does not change" in report["w"].detail


def test_float32_constants_round_although_the_input_is_widened():
    w = np.random.default_rng(0).uniform(0.5, 1.5, (6, 3)).astype(np.float32)
    t, x = w[:, 0] * np.float32(0.3), np.array([0.3, -0.8, 0.5], np.float32)

    def gradient(x):
        return 2 / np.float32(6) * (w.T @ w @ x - w.T @ t)

    assert check_gradients(lambda x: np.mean((w @ x - t) ** 2), x, gradient=gradient).ok


@pytest.mark.parametrize(
    ("f", "x"),
    [
        (lambda x: mg.l2_penalty(mg.relu(x)), [[-1.5], [-0.0]]),
        (lambda x: mg.minimum(x, x) * mg.l1_penalty(mg.minimum(x, x)), 0.0),
        (lambda x: mg.elastic_net(x, mg.tanh(x), mg.tanh(x)), 0.0),
        (mg.relu, [-0.0, -0.0, 2.0]),
        (lambda x: mg.negative(x), -0.0),
        (lambda c: np.ones((2, 1)) * c, 0.0),
        (lambda a: mg.log_softmax(np.broadcast_to(a * a, (2, 1, 3)), axis=0), [1.14, 0.62, 1.89]),
    ],
)
@few
@given(seed=seeds)
def test_right_at_zeros_and_several_kinks(f, x, seed):
    assert check_gradients(f, np.array(x), seed=seed).ok


def test_a_broadcast_operand_in_a_failing_graph():
    wrong = op_with(lambda g, y, x: -g * np.cos(x))
    report = checked(lambda v: wrong(mg.broadcast_to(v, (4, 3))).sum(), X[0])
    assert report.suspect.op is wrong


def test_state_that_drifts_is_not_deterministic():
    calls = []

    def f(x):
        calls.append(x)
        return np.sum(x * x) + (len(calls) > 20)

    assert checked(f, X, gradient=lambda x: 2 * x)["x"].verdict == "not deterministic"


def test_foreign_byte_order_is_read_as_ones_own():
    assert check_gradients(lambda x: np.sin(x), X.astype(">f8")).ok


def test_two_inputs_of_one_name_are_told_apart():
    W = mg.Tensor(X, requires_grad=True, name="W")
    report = check_gradients(lambda a, b: a * b, W, mg.Tensor(X, requires_grad=True, name="W"))
    assert [finding.name for finding in report.findings] == ["a", "b"]


def test_a_right_function_can_be_drawn():
    assert "exp" in check_gradients(lambda x: np.exp(x), X).draw().source


# The report


def test_report_reads_like_a_table_and_says_what_it_would_have_seen():
    wrong = op_with(lambda g, y, x: g * np.cos(x) * 1.01)
    with pytest.raises(AssertionError) as caught:
        check_gradients(lambda x, b: (wrong(x) + b).sum(), X, X[0], seed=5)
    lines = str(caught.value).splitlines()
    assert lines[0] == "gradient of <lambda>: x wrong"
    assert lines[1].startswith("input  type           verdict  worst at")
    assert lines[2].startswith("x      float64[2, 3]  wrong")
    assert lines[3].startswith("b      float64[3]     ok")
    assert lines[4] == "the formula of x in op planted is wrong by itself"
    assert lines[5].endswith("of its gradient; seed=5")


def test_same_seed_gives_the_same_report():
    reports = [str(check_gradients(lambda x: np.sin(x), X, seed=3)) for _ in range(2)]
    assert reports[0] == reports[1]
    assert str(check_gradients(lambda x: np.sin(x), X)) != reports[0]


def test_suspect_is_the_first_node_whose_own_formula_is_wrong_and_is_drawn():
    wrong = op_with(lambda g, y, x: g * np.cos(x) * 1.01)

    def f(x, t):
        hidden = mg.relu(wrong(np.exp(x) / 2))
        return mg.softmax_nll(hidden, t) + mg.elastic_net(hidden, 0.1, 0.2)

    report = checked(f, X, mg.Tensor([0, 2]))
    assert report.suspect.op is wrong
    (in_focus,) = [line for line in report.draw().source.splitlines() if "<b>→" in line]
    assert "planted(" in in_focus


def test_right_ops_are_never_suspects():
    report = checked(lambda x: mg.softmax_nll(x.detach() * x, [0, 1]), X)
    assert not report.ok
    assert report.suspect is None
    assert "softmax_nll" in report.draw().source


def test_a_function_in_plain_numpy_has_no_drawing():
    report = check_gradients(lambda x: np.sin(x).sum(), X, gradient=np.cos)
    with pytest.raises(ValueError, match="no graph"):
        report.draw()


def test_findings_are_found_by_name():
    report = check_gradients(lambda x: np.sin(x), X)
    assert bool(report)
    with pytest.raises(KeyError, match="'y' is not one of x"):
        report["y"]


def test_large_inputs_are_checked_along_directions_within_the_budget():
    rng = np.random.default_rng(0)
    model = mg.nn.MLP((784, 50, 10), seed=0)
    parameters = {name: p.data for name, p in model.parameters().items()}
    x, labels = rng.normal(size=(100, 784)), rng.integers(10, size=100)

    def risk(p, x):
        hidden = mg.relu(mg.linear(x, p["W1"], p["b1"]))
        return mg.softmax_nll(mg.linear(hidden, p["W2"], p["b2"]), labels)

    report = check_gradients(risk, parameters, x, seed=0)
    assert report.n_values + report.n_gradients <= 200
    assert "not entry by entry: p['W1']" in str(report)
    assert report["p['W1']"].power < 1e-5


def test_a_larger_budget_checks_more_entries():
    x = np.random.default_rng(0).normal(size=50)
    assert check_gradients(lambda x: np.sin(x), x)["x"].entries == 0
    assert check_gradients(lambda x: np.sin(x), x, budget=1000)["x"].entries == 50
