"""Lines, slopes, areas, convolutions, and what else of NumPy is written with other operations."""

import numpy as np
import pytest

import minigraph as mg
from minigraph.testing import check_gradients
from tests.ops.test_numpy_functions import run, used
from tests.ops.test_numpy_functions import test_value_and_gradient as check_call

SIGNALS = """
np.convolve(v, w)
np.convolve(w, v, "valid")
np.convolve(v, w, mode="valid")
np.convolve(v, v[:2], "same")
np.convolve(w[:2], v, "same")
np.convolve(w, v, mode="same")
np.convolve(v, s)
np.convolve([1.0, 2.0], w)
np.correlate(v, w)
np.correlate(w, v)
np.correlate(v, w, "full")
np.correlate(w, v, "full")
np.correlate(v, v[:2], "same")
np.correlate(w[:2], v, "same")
np.correlate(w, v, "same")
np.interp(v, [-1.0, 0.0, 1.6], w)
np.interp(x, np.sort(v), np.array([0.5, -1.0, 2.0, 0.25]))
np.interp(s, np.arange(3) - 1.2, w)
np.interp(v, np.cumsum(w), w * w)
np.interp(v, [0.3], [2.0])
np.interp(v, [0.0, 1.0, 1.6], w, left=-3, right=s)
np.interp(v * 3, [0.1, 2.2, 1.0], w, period=2.5)
np.trapezoid(v)
np.trapezoid(t, dx=0.5, axis=1)
np.trapezoid(x, w, axis=0)
np.trapezoid(x, v * v + x, axis=-1)
np.gradient(v)
np.gradient(x)
np.gradient(x, 0.5)
np.gradient(x, 0.5, [0.0, 1.0, 1.5, 3.0])
np.gradient(x, np.cumsum(w), axis=0)
np.gradient(t, axis=(-1, 0), edge_order=1)
np.gradient(v, edge_order=2)
np.gradient(t, 2.0, np.cumsum(w), axis=(2, 1), edge_order=2)
np.gradient([1, 4, 9, 16]) * v
np.polyval(v, s)
np.polyval(v, x)
np.polyval([2, 0, 1], x)
"""
OTHERS = """
np.cov(x)
np.cov(v)
np.cov(x, rowvar=False, ddof=0)
np.cov(x, v, bias=True)
np.cov(m, m * m, rowvar=False)
np.corrcoef(x)
np.corrcoef(v)
np.corrcoef(x, v)
np.corrcoef(m, rowvar=False)
np.linspace(s, 2 * s, 5)
np.linspace(v, 3, 4, axis=-1)
np.linspace(0, v, 3, endpoint=False)
np.block([v, w])
np.block([[x, w[:, None]], [np.ones((1, 5))]])
np.block([[[x]], [[s * x]]])
np.block([[s, v], [v, s]])
np.block(x)
np.insert(x, 1, v)
np.insert(x, 1, v, axis=0)
np.insert(x, 0, s, axis=1)
np.insert(x, [1], w[:, None], axis=1)
np.insert(v, [0, 3, 3], w)
np.insert(v, slice(1, 3), s)
np.insert(x, [0, -1], 7, axis=1)
np.insert(t, -1, x[:, 0], axis=2)
np.choose([0, 2, 1, 0], [v, 1.0, x])
np.choose([[5], [-1], [1]], [v, v * v], mode="wrap")
np.choose([[5], [-1], [1]], (v, v * v), mode="clip")
np.choose(1, m)
np.rollaxis(t, 2)
np.rollaxis(t, 0, 3)
np.rollaxis(t, 1, -1)
np.ediff1d(x)
np.ediff1d(v, to_begin=s, to_end=w[:2])
np.extract(x > 0, x)
np.extract([True, False, True], v[:3])
np.searchsorted(np.sort(v), x) * x
"""
IN_NUMPY_2_1 = """
np.cumulative_sum(v)
np.cumulative_sum(x, axis=1, include_initial=True)
np.cumulative_prod(t, axis=-2, include_initial=True)
np.cumulative_prod(v)
"""
MISSING = """
np.nanmedian(y)
np.nanmedian(y, axis=0)
np.nanmedian(y, axis=1, keepdims=True)
np.nanquantile(y, [[0.2, 0.9]], axis=1)
np.nanquantile(y, 0.7, axis=(0, 1), keepdims=True)
np.nanpercentile(y, [0, 30, 100], axis=0)
"""
CALLS = [call for group in (SIGNALS, OTHERS) for call in group.splitlines() if call]
if hasattr(np, "cumulative_sum"):
    CALLS += IN_NUMPY_2_1.split("\n")[1:-1]


@pytest.mark.filterwarnings("ignore:invalid value")  # the spread of one number
@pytest.mark.parametrize("call", CALLS)
def test_value_and_gradient(call):
    check_call(call)


SECOND_ORDER = [
    "np.convolve(v, w)", "np.correlate(w, v, 'full')", "np.interp(v, [-1.3, 0, 2.3], w) ** 2",
    "np.trapezoid(v * v, v)", "np.gradient(v * v, np.cumsum(v * v))", "np.polyval(v, v)",
    "np.corrcoef(x)", "np.cov(x * x)",
]  # fmt: skip


@pytest.mark.parametrize("call", SECOND_ORDER)
def test_gradient_of_the_gradient(call):
    given = used(call)
    check_gradients(lambda *inputs: run(call, **dict(zip(given, inputs))),
                    *given.values(), seed=0, order=2)  # fmt: skip


@pytest.mark.parametrize("call", MISSING.split("\n")[1:-1])
def test_nan_is_passed_over(call):
    values = np.array([[1.0, np.nan, 3.0, 0.25], [0.5, 2.0, np.nan, np.nan]])
    y = mg.Tensor(values, requires_grad=True)
    found, expected = run(call, y=y), run(call, y=values)
    assert (found.shape, found.dtype) == (expected.shape, np.asarray(expected).dtype)
    np.testing.assert_allclose(found.data, expected, rtol=1e-14)
    g = mg.grad(found.sum(), y).data
    assert (g[np.isnan(values)] == 0).all()

    def of_numbers(numbers):
        full = mg.Tensor(values)
        return run(call, y=np.where(np.isnan(values), full, numbers))

    check_gradients(of_numbers, np.nan_to_num(values), seed=0)


def test_quantile_of_nothing_but_nan_is_nan():
    y = np.nanmedian(mg.Tensor([[np.nan, np.nan], [1.0, 2.0]], requires_grad=True), axis=1)
    assert np.array_equal(y.data, [np.nan, 1.5], equal_nan=True)


def test_interp_has_the_slope_of_the_piece_on_its_right():
    x = mg.Tensor([-1.0, 0.0, 0.5, 1.0, 3.0, 4.0], requires_grad=True)
    y = np.interp(x, [0.0, 1.0, 3.0], [0.0, 2.0, 0.0])
    assert np.array_equal(y.data, [0, 0, 1, 2, 0, 0])
    assert np.array_equal(mg.grad(y.sum(), x).data, [0, 2, 2, -1, -1, 0])


def test_ends_of_a_line_are_exact():
    start, stop = mg.Tensor(0.1, requires_grad=True), mg.Tensor(0.7, requires_grad=True)
    y = np.linspace(start, stop, 11)
    assert (y[0].item(), y[-1].item()) == (0.1, 0.7)


def test_polynomial_s_gradient_is_its_derivative_and_the_powers():
    p, x = (mg.Tensor(a, requires_grad=True) for a in ([2.0, -3.0, 5.0], 3.0))
    dp, dx = mg.grad(np.polyval(p, x), [p, x])
    assert np.array_equal(dp.data, [9, 3, 1])
    assert dx.item() == 2 * 2 * 3 - 3


@pytest.mark.skipif(not hasattr(np, "cumulative_sum"), reason="needs NumPy 2.1")
def test_a_running_sum_of_a_matrix_names_its_axis():
    with pytest.raises(ValueError, match="cumulative_sum: 2 axes; say along which one"):
        np.cumulative_sum(mg.Tensor(np.ones((2, 2)), requires_grad=True))
