"""T1 to T9 of the homework: identities and derivatives, also where the naive forms fail."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minigraph as mg

moderate = hnp.arrays(float, hnp.array_shapes(max_dims=1), elements=st.floats(-40, 40))
any_finite = hnp.arrays(float, hnp.array_shapes(max_dims=1), elements=st.floats(-1e4, 1e4))
matrices = hnp.arrays(
    float, hnp.array_shapes(min_dims=2, max_dims=2, max_side=5), elements=st.floats(-1e4, 1e4)
)
EXTREME = np.array([-800.0, -40.0, 0.0, 40.0, 800.0])


def slope(function, x):
    """The derivative of an elementwise function, at each entry of x."""
    t = mg.Tensor(x, requires_grad=True)
    return mg.grad(function(t), t, np.ones_like(x)).data


def assert_close(actual, desired, tolerance):
    np.testing.assert_allclose(actual, desired, rtol=tolerance, atol=tolerance)


@given(moderate)
def test_t1_sigmoid_is_half_of_tanh_of_the_half_plus_one(x):
    assert_close(mg.sigmoid(mg.Tensor(x)).data, 0.5 * (np.tanh(x / 2) + 1), 1e-15)


def test_t1_sigmoid_is_right_where_exp_overflows():
    assert np.array_equal(mg.sigmoid(mg.Tensor([-800.0, 0.0, 800.0])).data, [0, 0.5, 1])
    assert mg.sigmoid(mg.Tensor([-700.0])).item() == pytest.approx(np.exp(-700.0), rel=1e-15)


@given(any_finite)
def test_t2_log_of_sigmoid_is_minus_softplus_of_minus(x):
    left = -mg.softplus(-mg.Tensor(x)).data
    assert np.isfinite(left).all()
    small = np.abs(x) < 700  # where sigmoid does not underflow
    assert_close(left[small], np.log(mg.sigmoid(mg.Tensor(x[small])).data), 1e-14)


def test_t2_softplus_is_exact_at_800():
    assert np.array_equal(mg.softplus(mg.Tensor([-800.0, 800.0])).data, [0, 800])
    assert mg.softplus(mg.Tensor(0.0)).item() == pytest.approx(np.log(2), rel=1e-15)


@given(any_finite)
def test_t2_slope_of_softplus_is_sigmoid(x):
    assert np.array_equal(slope(mg.softplus, x), mg.sigmoid(mg.Tensor(x)).data)


@given(moderate)
def test_t3_slope_of_sigmoid_is_s_times_one_minus_s(x):
    s = mg.sigmoid(mg.Tensor(x)).data
    assert_close(slope(mg.sigmoid, x), s * (1 - s), 1e-15)
    assert_close(slope(mg.sigmoid, x), slope(lambda t: 0.5 * (mg.tanh(t / 2) + 1), x), 1e-15)


@given(any_finite)
def test_t4_slope_of_tanh_is_one_minus_tanh_squared(x):
    assert_close(slope(mg.tanh, x), 1 - np.tanh(x) ** 2, 1e-15)


@pytest.mark.parametrize("function", [mg.sigmoid, mg.softplus, mg.tanh, mg.relu, mg.abs])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_values_and_slopes_are_finite_at_the_extremes(function, dtype):
    x = EXTREME.astype(dtype)
    assert np.isfinite(function(mg.Tensor(x)).data).all()
    assert np.isfinite(slope(function, x)).all()


def test_t5_sign_is_the_difference_of_two_indicators():
    x = mg.Tensor([-2.0, 0.0, 3.0])
    assert np.array_equal(mg.sign(x).data, [-1, 0, 1])
    assert np.array_equal(mg.sign(x).data, (x > 0).astype(float).data - (x < 0).astype(float).data)


@given(any_finite)
def test_t6_slope_of_abs_is_sign(x):
    assert np.array_equal(slope(mg.abs, x), np.sign(x))


@given(any_finite)
def test_t7_slope_of_rect_is_the_indicator_of_positive(x):
    assert np.array_equal(mg.relu(mg.Tensor(x)).data, x * (x > 0))
    assert np.array_equal(slope(mg.relu, x), x > 0)


@given(any_finite)
def test_t8_gradient_of_the_squared_norm_is_twice_the_vector(x):
    t = mg.Tensor(x, requires_grad=True)
    y = mg.l2_penalty(t)
    assert y.item() == pytest.approx(np.sum(x**2), rel=1e-14)
    assert np.array_equal(mg.grad(y, t).data, 2 * x)


@given(any_finite)
def test_t9_gradient_of_the_sum_norm_is_the_vector_of_signs(x):
    t = mg.Tensor(x, requires_grad=True)
    y = mg.l1_penalty(t)
    assert y.item() == pytest.approx(np.sum(np.abs(x)), rel=1e-14)
    assert np.array_equal(mg.grad(y, t).data, np.sign(x))


@given(any_finite, st.floats(0, 1), st.floats(0, 1))
def test_elastic_net_is_its_two_penalties(x, l1, l2):
    t = mg.Tensor(x, requires_grad=True)
    together, apart = mg.elastic_net(t, l1, l2), l1 * mg.l1_penalty(t) + l2 * mg.l2_penalty(t)
    assert together.item() == pytest.approx(apart.item(), rel=1e-14)
    np.testing.assert_allclose(mg.grad(together, t).data, mg.grad(apart, t).data, rtol=1e-14)


# Softmax (U3, U4, U7, P11)


@given(matrices)
def test_softmax_is_positive_or_zero_and_sums_to_one(x):
    p = mg.softmax(mg.Tensor(x)).data
    assert (p >= 0).all()
    assert_close(p.sum(axis=1), 1, 1e-14)


@given(matrices, st.floats(-1e4, 1e4))
def test_softmax_ignores_a_common_shift(x, shift):
    x = x.round()  # so that the shifted numbers are exact
    shift = round(shift)
    shifted = mg.softmax(mg.Tensor(x + shift)).data
    assert np.array_equal(shifted, mg.softmax(mg.Tensor(x)).data)


@given(matrices)
def test_log_softmax_is_finite_and_the_logarithm_of_softmax(x):
    log_p = mg.log_softmax(mg.Tensor(x)).data
    assert np.isfinite(log_p).all()
    likely = log_p > -700
    assert_close(np.exp(log_p[likely]), mg.softmax(mg.Tensor(x)).data[likely], 1e-11)


@given(matrices, st.integers(0, 2**32 - 1))
def test_u7_gradient_of_the_loss_is_softmax_minus_onehot_over_n(x, seed):
    n, m = x.shape
    labels = np.random.default_rng(seed).integers(m, size=n)
    z = mg.Tensor(x, requires_grad=True)
    loss = mg.softmax_nll(z, labels)
    assert np.isfinite(loss.item())
    log_p = mg.log_softmax(mg.Tensor(x)).data
    assert_close(loss.item(), -log_p[np.arange(n), labels].mean(), 1e-12)
    g = mg.grad(loss, z).data
    assert_close(g, (mg.softmax(mg.Tensor(x)).data - np.eye(m)[labels]) / n, 1e-11)
    assert_close(g.sum(axis=1), 0, 1e-11)


def test_fused_loss_equals_the_one_written_out_to_third_order():
    rng = np.random.default_rng(0)
    labels, start = np.array([2, 0, 1, 2]), rng.normal(size=(4, 3))
    weights = [rng.normal(size=(4, 3)) for _ in range(2)]

    def orders(loss_of):
        z = mg.Tensor(start, requires_grad=True)
        y, found = loss_of(z), []
        for w in [*weights, None]:
            g = mg.grad(y, z, create_graph=True)
            found.append(g.data)
            y = g if w is None else (w * g).sum()
        return found

    def written_out(z):
        return (mg.logsumexp(z, axis=1) - z[np.arange(4), labels]).mean()

    fused = orders(lambda z: mg.softmax_nll(z, labels))
    for a, b in zip(fused, orders(written_out), strict=True):
        assert_close(a, b, 1e-14)


def test_loss_of_an_impossible_label_in_float32_keeps_its_size():
    # softmax is (1, 0) in float32, and its logarithm would be lost
    z = mg.Tensor(np.array([[0, -200]], np.float32), requires_grad=True)
    loss = mg.softmax_nll(z, [1])
    assert loss.item() == 200
    assert loss.dtype == np.float32
    assert np.array_equal(mg.grad(loss, z).data, [[1, -1]])


def test_logsumexp_of_infinities():
    x = np.array([[-np.inf, 0.0], [np.inf, 1.0], [np.inf, np.inf], [np.inf, -np.inf]])
    with np.errstate(invalid="ignore"):
        y = mg.logsumexp(mg.Tensor(x), axis=1).data
    assert np.array_equal(y, [0, np.inf, np.inf, np.inf])


def test_logsumexp_of_a_row_of_minus_infinity_is_minus_infinity():
    x = mg.Tensor(np.array([[-np.inf, -np.inf], [0.0, 0.0]]))
    with np.errstate(invalid="ignore", divide="ignore"):
        y = mg.logsumexp(x, axis=1).data
    assert np.array_equal(y, [-np.inf, np.log(2)])


def test_gradient_of_logsumexp_of_a_row_of_minus_infinity_is_zero():
    x = mg.Tensor([[-np.inf, -np.inf], [0.0, -np.inf]], requires_grad=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        g = mg.grad(mg.logsumexp(x, axis=1), x, np.ones(2))
    assert np.array_equal(g.data, [[0, 0], [1, 0]])


def test_masked_logit_has_probability_and_gradient_zero():
    z = mg.Tensor([[0.0, -np.inf, 0.0]], requires_grad=True)
    assert np.array_equal(mg.softmax(z).data, [[0.5, 0, 0.5]])
    g = mg.grad(mg.logsumexp(z), z)
    np.testing.assert_allclose(g.data, [[0.5, 0, 0.5]], rtol=1e-15)


@given(matrices)
def test_logsumexp_lies_between_the_largest_entry_and_log_n_above_it(x):
    y = mg.logsumexp(mg.Tensor(x)).item()
    assert x.max() <= y <= x.max() + np.log(x.size) + 1e-12 * (1 + abs(x.max()))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_inf_pass_through_arithmetic_as_in_numpy(value):
    x = np.array([value, 1.0])
    t = mg.Tensor(x, requires_grad=True)
    for function in (lambda a: a + 1, lambda a: a * 2, lambda a: -a, np.exp, np.abs, np.tanh):
        np.testing.assert_array_equal(function(t).data, function(x))
    np.testing.assert_array_equal(mg.grad((t * 2).sum(), t).data, [2, 2])
    np.testing.assert_array_equal(mg.grad((t * t).sum(), t).data, 2 * x)
