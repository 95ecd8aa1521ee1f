"""Indexing by NumPy's rules: slices, integers, None, Ellipsis, arrays, masks, lists, Tensors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minigraph as mg

shapes = hnp.array_shapes(min_dims=1, max_dims=3, max_side=4)


@st.composite
def indexed(draw):
    """Draw a shape and an index that NumPy takes for it."""
    shape = draw(shapes)
    index = draw(
        hnp.basic_indices(shape, allow_newaxis=True)
        | hnp.integer_array_indices(shape)
        | hnp.arrays(bool, shape)
        | hnp.arrays(bool, shape[:1])
        | st.lists(st.integers(-shape[0], shape[0] - 1), max_size=5)
    )
    return shape, index


def scattered(shape, index, w):
    """Add w, entry by entry, to the places that the index takes."""
    out = np.zeros(int(np.prod(shape)))
    for place, value in zip(
        np.arange(out.size).reshape(shape)[index].ravel(), w.ravel(), strict=True
    ):
        out[place] += value
    return out.reshape(shape)


def as_array(index):
    return np.array(index, dtype=int) if isinstance(index, list) else index


@given(indexed())
def test_value_is_numpy_s_and_the_gradient_adds_up_at_the_places_taken(case):
    shape, index = case
    x = np.random.default_rng(0).normal(size=shape)
    t = mg.Tensor(x, requires_grad=True)
    y = t[index]
    expected = x[as_array(index)]
    assert y.shape == np.shape(expected)
    assert np.array_equal(y.data, expected)
    w = np.asarray(np.random.default_rng(1).normal(size=y.shape))
    for create_graph in (False, True):
        g = mg.grad(y, t, w, create_graph=create_graph)
        np.testing.assert_allclose(g.data, scattered(shape, as_array(index), w), atol=1e-14)


@given(indexed())
def test_gradient_of_the_gradient_takes_the_same_places(case):
    shape, index = case
    t = mg.Tensor(np.ones(shape), requires_grad=True)
    y = t[index]
    w = mg.Tensor(np.ones(y.shape), requires_grad=True)
    g = mg.grad(y, t, w, create_graph=True)
    v = np.random.default_rng(1).normal(size=shape)
    taken = v[as_array(index)]
    np.testing.assert_allclose(mg.grad(g, w, v).data, taken, atol=1e-15)


@pytest.mark.parametrize(
    ("index", "same"),
    [
        (mg.Tensor([1, 1, 0]), np.array([1, 1, 0])),
        (mg.Tensor([True, False]), np.array([True, False])),
        (mg.Tensor(1), 1),
        (np.int64(1), 1),
        ((mg.Tensor([0, 1]), mg.Tensor([2, 0])), ([0, 1], [2, 0])),
        ((slice(None), mg.Tensor([2, 0])), (slice(None), [2, 0])),
        (np.array(1), 1),
        (True, True),
        (np.uint8([1, 0]), [1, 0]),
    ],
    ids=str,
)
def test_tensors_and_arrays_are_indices(index, same):
    x = np.arange(6.0).reshape(2, 3)
    t = mg.Tensor(x, requires_grad=True)
    y = t[index]
    assert np.array_equal(y.data, x[same])
    w = np.asarray(np.random.default_rng(0).normal(size=y.shape))
    np.testing.assert_allclose(mg.grad(y, t, w).data, scattered((2, 3), same, w), atol=1e-15)


def test_index_arrays_may_change_afterwards():
    t = mg.Tensor([1.0, 2.0, 3.0], requires_grad=True)
    rows = [2, 2]
    y = t[rows]
    rows[0] = 0
    assert np.array_equal(mg.grad(y.sum(), t).data, [0, 0, 2])


def test_mask_computed_from_the_tensor_is_an_index():
    t = mg.Tensor([-1.0, 2.0, 3.0], requires_grad=True)
    assert np.array_equal(mg.grad(t[t > 0].sum(), t).data, [0, 1, 1])


@pytest.mark.parametrize("index", [3, -4, [0, 3], (0, 0), "name", 1.5, np.array([0.5])], ids=repr)
def test_wrong_index_is_an_index_error(index):
    with pytest.raises(IndexError):
        mg.Tensor([1.0, 2.0, 3.0], requires_grad=True)[index]


def test_iteration_and_unpacking_carry_gradients():
    t = mg.Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    first, second = t
    (2 * first + 3 * second).sum().backward()
    assert np.array_equal(t.grad, [[2, 2], [3, 3]])
