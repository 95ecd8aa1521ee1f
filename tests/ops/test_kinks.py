"""At a kink the declared choice is taken: 0 for relu and abs, equal shares for ties."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minigraph as mg

ties = hnp.arrays(float, hnp.array_shapes(max_dims=3, max_side=4), elements=st.integers(-1, 1))


def leaf(x):
    return mg.Tensor(x, requires_grad=True, dtype=float)


@pytest.mark.parametrize("zero", [0.0, -0.0])
@pytest.mark.parametrize(
    "op", [mg.relu, mg.abs, mg.l1_penalty, lambda x: mg.elastic_net(x, 3.0, 2.0)]
)
def test_slope_at_zero_is_zero(op, zero):
    x = leaf(zero)
    g = mg.grad(op(x), x)
    assert g.item() == 0


def test_slope_beside_zero_is_the_one_sided_one():
    tiny = np.nextafter(0, 1)
    x = leaf([-tiny, tiny])
    assert np.array_equal(mg.grad(mg.relu(x), x, [2.0, 2.0]).data, [0, 2])
    assert np.array_equal(mg.grad(mg.abs(x), x, [2.0, 2.0]).data, [-2, 2])


@pytest.mark.parametrize("op", [mg.maximum, mg.minimum])
def test_two_that_tie_get_half_each(op):
    a, b = leaf([1.0, 2.0]), leaf([1.0, 2.0])
    da, db = mg.grad(op(a, b), [a, b], [3.0, 5.0])
    assert np.array_equal(da.data, [1.5, 2.5])
    assert np.array_equal(db.data, [1.5, 2.5])


@pytest.mark.parametrize("op", [mg.maximum, mg.minimum])
def test_tensor_that_ties_with_itself_gets_all(op):
    a = leaf([1.0, 2.0])
    assert np.array_equal(mg.grad(op(a, a), a, [3.0, 5.0]).data, [3.0, 5.0])


def test_clip_shares_with_its_limits():
    x, low, high = leaf([0.0, 1.0, 2.0, 3.0, 4.0]), leaf(1.0), leaf(3.0)
    dx, dlow, dhigh = mg.grad(mg.clip(x, low, high).sum(), [x, low, high])
    assert np.array_equal(dx.data, [0, 0.5, 1, 0.5, 0])
    assert dlow.item() == 1.5
    assert dhigh.item() == 1.5


@pytest.mark.parametrize(("name", "ufunc"), [("max", np.max), ("min", np.min)])
@given(x=ties, data=st.data())
def test_all_that_reach_the_extremum_share_equally(name, ufunc, x, data):
    axis = data.draw(st.none() | hnp.valid_tuple_axes(x.ndim, min_size=1))
    keepdims = data.draw(st.booleans())
    t = leaf(x)
    y = getattr(t, name)(axis=axis, keepdims=keepdims)
    w = np.random.default_rng(0).uniform(1, 2, y.shape)
    reached = x == ufunc(x, axis=axis, keepdims=True)
    share = reached / reached.sum(axis=axis, keepdims=True)
    expected = w.reshape(ufunc(x, axis=axis, keepdims=True).shape) * share
    for create_graph in (False, True):
        g = mg.grad(y, t, w, create_graph=create_graph)
        np.testing.assert_allclose(g.data, expected, rtol=1e-15)


def test_power_zero_has_slope_zero_at_zero():
    x = leaf([0.0, 2.0])
    assert np.array_equal(mg.grad((x**0).sum(), x).data, [0, 0])
    assert np.array_equal(mg.grad((x ** leaf([0.0, 0.0])).sum(), x).data, [0, 0])


def test_slope_of_a_power_in_its_exponent_is_zero_at_base_zero():
    b = leaf([1.0, 2.0])
    assert np.array_equal(mg.grad((leaf([0.0, 0.0]) ** b).sum(), b).data, [0, 0])


@pytest.mark.parametrize("n", [1, 2, 3])
def test_power_by_a_whole_number_is_smooth_for_every_base(n):
    x = leaf([-2.0, 0.0, 3.0])
    first = mg.grad((x**n).sum(), x, create_graph=True)
    assert np.array_equal(first.data, n * x.data ** (n - 1))
    if n > 1:
        second = mg.grad(first.sum(), x)
        assert np.array_equal(second.data, n * (n - 1) * x.data ** (n - 2))
