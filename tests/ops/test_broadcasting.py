"""Broadcasting is undone by the sweep, for all shapes, sizes 0 and 1 and 0-d included."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minigraph as mg

pairs = hnp.mutually_broadcastable_shapes(num_shapes=2, min_side=0, max_side=3, max_dims=3)
OPS = [mg.add, mg.subtract, mg.multiply, mg.divide, mg.power, mg.maximum, mg.minimum]


def summed_to(g, shape):
    """Undo a broadcast by NumPy alone."""
    g = g.sum(axis=tuple(range(g.ndim - len(shape))))
    return g.sum(axis=tuple(i for i, n in enumerate(shape) if n == 1), keepdims=True)


def positive(rng, shape):
    return np.asarray(rng.uniform(0.5, 2, shape))


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.__name__)
@given(shapes=pairs, seed=st.integers(0, 99))
def test_gradient_is_that_of_the_repeated_inputs_summed_over_the_copies(op, shapes, seed):
    rng = np.random.default_rng(seed)
    a, b = (mg.Tensor(positive(rng, s), requires_grad=True) for s in shapes.input_shapes)
    wide_a, wide_b = (
        mg.Tensor(np.broadcast_to(t.data, shapes.result_shape), requires_grad=True) for t in (a, b)
    )
    y = op(a, b)
    assert y.shape == shapes.result_shape
    w = positive(rng, y.shape)
    wide = mg.grad(op(wide_a, wide_b), [wide_a, wide_b], w)
    for create_graph in (False, True):
        found = mg.grad(y, [a, b], w, create_graph=create_graph)
        for g, t, copies in zip(found, (a, b), wide, strict=True):
            assert g.shape == t.shape
            np.testing.assert_allclose(g.data, summed_to(copies.data, t.shape), rtol=1e-14)


@given(shapes=hnp.mutually_broadcastable_shapes(num_shapes=3, min_side=0, max_side=3, max_dims=3))
def test_where_broadcasts_all_three_inputs(shapes):
    rng = np.random.default_rng(0)
    condition = rng.uniform(size=shapes.input_shapes[0]) < 0.5
    a, b = (mg.Tensor(positive(rng, s), requires_grad=True) for s in shapes.input_shapes[1:])
    y = mg.where(condition, a, b)
    w = positive(rng, y.shape)
    da, db = mg.grad(y, [a, b], w)
    assert np.array_equal(y.data, np.where(condition, a.data, b.data))
    np.testing.assert_allclose(da.data, summed_to(np.where(condition, w, 0), a.shape), rtol=1e-14)
    np.testing.assert_allclose(db.data, summed_to(np.where(condition, 0, w), b.shape), rtol=1e-14)


@given(shapes=pairs)
def test_broadcast_to_gives_back_the_sum_over_the_copies(shapes):
    x = mg.Tensor(np.ones(shapes.input_shapes[0]), requires_grad=True)
    w = positive(np.random.default_rng(0), shapes.result_shape)
    g = mg.grad(mg.broadcast_to(x, shapes.result_shape), x, w)
    np.testing.assert_allclose(g.data, summed_to(w, x.shape), rtol=1e-14)


UNARY = [
    mg.negative, mg.square, mg.sqrt, mg.exp, mg.expm1, mg.log, mg.log1p, mg.sin, mg.cos, mg.tanh,
    mg.sigmoid, mg.softplus, mg.relu, mg.abs,
]  # fmt: skip


@pytest.mark.parametrize("op", UNARY, ids=lambda op: op.__name__)
@pytest.mark.parametrize("shape", [(), (0,), (1,), (2, 0, 3), (1, 1)], ids=str)
def test_elementwise_ops_take_any_shape(op, shape):
    x = mg.Tensor(np.full(shape, 0.5), requires_grad=True)
    y = op(x)
    assert y.shape == shape
    y.backward(np.full(shape, 3.0))
    assert x.grad.shape == shape
    one = mg.Tensor(0.5, requires_grad=True)
    np.testing.assert_allclose(x.grad, np.full(shape, mg.grad(op(one), one, 3.0).item()), 1e-15)


@pytest.mark.parametrize("op", [mg.sum, mg.mean, mg.logsumexp, mg.max, mg.min])
@pytest.mark.parametrize("keepdims", [False, True])
def test_reductions_over_the_other_axis_of_an_empty_array_are_empty(op, keepdims):
    x = mg.Tensor(np.ones((0, 3)), requires_grad=True)
    y = op(x, axis=1, keepdims=keepdims)
    assert y.shape == ((0, 1) if keepdims else (0,))
    g = mg.grad(y, x, np.ones(y.shape))
    assert g.shape == (0, 3)


@pytest.mark.parametrize("shape", [(0,), (2, 0), (0, 3)], ids=str)
def test_sum_of_nothing_is_zero_and_has_an_empty_gradient(shape):
    x = mg.Tensor(np.ones(shape), requires_grad=True)
    y = x.sum()
    assert y.item() == 0
    y.backward()
    assert x.grad.shape == shape


@pytest.mark.parametrize("op", [mg.max, mg.min, mg.logsumexp])
def test_extremum_of_nothing_is_an_error_that_names_the_op(op):
    with pytest.raises(ValueError, match=op.__name__):
        op(mg.Tensor(np.ones((0,)), requires_grad=True))


@given(hnp.array_shapes(min_dims=0, min_side=0), st.data())
def test_sum_and_mean_give_equal_parts_to_all_entries(shape, data):
    axis = data.draw(st.none() | hnp.valid_tuple_axes(len(shape)))
    keepdims = data.draw(st.booleans())
    x = mg.Tensor(np.ones(shape), requires_grad=True)
    n = np.prod([shape[i] for i in (range(len(shape)) if axis is None else axis)], dtype=int)
    for op, part in [(mg.sum, 1.0), (mg.mean, 1 / max(n, 1))]:
        if op is mg.mean and n == 0:
            continue  # NumPy warns of a mean of nothing
        y = op(x, axis=axis, keepdims=keepdims)
        assert y.shape == np.sum(x.data, axis=axis, keepdims=keepdims).shape
        w = positive(np.random.default_rng(1), y.shape)
        kept = np.sum(x.data, axis=axis, keepdims=True).shape
        expected = np.broadcast_to(w.reshape(kept) * part, shape)
        np.testing.assert_allclose(mg.grad(y, x, w).data, expected, rtol=1e-15)
