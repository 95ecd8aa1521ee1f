"""The matrix product by every shape rule of NumPy's, and `linear`, which is built on it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minigraph as mg

shapes = hnp.mutually_broadcastable_shapes(
    signature=np.matmul.signature, max_dims=2, min_side=0, max_side=3
)


def slopes(function, *arrays):
    """Give the gradient of a function that is linear in each array: its values at unit arrays."""
    found = []
    for i, array in enumerate(arrays):
        units = np.eye(array.size).reshape(array.size, *array.shape)
        values = [function(*arrays[:i], unit, *arrays[i + 1 :]) for unit in units]
        found.append(np.reshape(values, array.shape))
    return found


@given(shapes, st.integers(0, 99))
def test_value_and_gradients_follow_numpy_for_all_shapes(shapes, seed):
    rng = np.random.default_rng(seed)
    A, B = (rng.normal(size=shape) for shape in shapes.input_shapes)
    a, b = mg.Tensor(A, requires_grad=True), mg.Tensor(B, requires_grad=True)
    y = a @ b
    assert y.shape == np.matmul(A, B).shape == shapes.result_shape
    np.testing.assert_allclose(y.data, A @ B, rtol=1e-13, atol=1e-13)
    w = rng.normal(size=y.shape)
    measured = slopes(lambda p, q: np.sum(w * (p @ q)), A, B)
    for create_graph in (False, True):
        found = mg.grad(y, [a, b], w, create_graph=create_graph)
        for g, t, slope in zip(found, (a, b), measured, strict=True):
            assert g.shape == t.shape
            np.testing.assert_allclose(g.data, slope, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("a", "b"),
    [((), ()), ((), (3,)), ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 2))],
)
def test_dot_follows_numpy_up_to_two_axes(a, b):
    rng = np.random.default_rng(0)
    A, B = (np.asarray(rng.normal(size=shape)) for shape in (a, b))
    a, b = mg.Tensor(A, requires_grad=True), mg.Tensor(B, requires_grad=True)
    y = mg.dot(a, b)
    np.testing.assert_allclose(y.data, np.dot(A, B), rtol=1e-15)
    w = rng.normal(size=y.shape)
    measured = slopes(lambda p, q: np.sum(w * np.dot(p, q)), A, B)
    for g, slope in zip(mg.grad(y, [a, b], w), measured, strict=True):
        np.testing.assert_allclose(g.data, slope, rtol=0, atol=1e-12)


def test_dot_of_stacks_sums_over_the_last_axis_and_the_last_but_one():
    a, b = np.arange(24.0).reshape(2, 3, 4), np.arange(40.0).reshape(5, 4, 2)
    assert np.array_equal(mg.dot(mg.Tensor(a), b).data, np.dot(a, b))


@pytest.mark.parametrize("shape", [(3,), (2, 3), (4, 2, 3)], ids=str)
@pytest.mark.parametrize("bias", [(), (1,), (2,)], ids=str)
def test_linear_is_matmul_and_add_for_every_shape(shape, bias):
    rng = np.random.default_rng(0)
    arrays = [np.asarray(rng.normal(size=s)) for s in (shape, (3, 2), bias)]
    y = mg.linear(*(inputs := [mg.Tensor(a, requires_grad=True) for a in arrays]))
    z = (same := [mg.Tensor(a, requires_grad=True) for a in arrays])[0] @ same[1] + same[2]
    np.testing.assert_allclose(y.data, z.data, rtol=1e-15)
    w = rng.normal(size=y.shape)
    for g, h in zip(mg.grad(y, inputs, w), mg.grad(z, same, w), strict=True):
        np.testing.assert_allclose(g.data, h.data, rtol=1e-13, atol=1e-15)


def message(function, *arguments):
    with pytest.raises(ValueError) as caught:
        function(*arguments)
    return str(caught.value)


def test_sizes_that_differ_are_named_with_both_shapes_and_a_hint():
    W1 = mg.Tensor(np.ones((50, 784)), name="W1")
    text = message(mg.matmul, np.ones((100, 784)), W1)
    assert "matmul" in text
    assert "(100, 784) @ (50, 784)" in text
    assert "784 and 50" in text
    assert "did you mean W1.T?" in text


@pytest.mark.parametrize(
    ("a", "b"), [((2, 3), (2,)), ((3,), (2,)), ((3,), (2, 3)), ((2, 2, 3), (2, 4, 2))]
)
def test_error_of_any_shapes_names_op_and_both(a, b):
    text = message(mg.matmul, mg.Tensor(np.ones(a)), mg.Tensor(np.ones(b)))
    assert "matmul" in text
    assert str(a) in text
    assert str(b) in text


def test_scalars_have_no_matrix_product():
    assert "*" in message(mg.matmul, mg.Tensor(2.0), mg.Tensor(np.ones(2)))


def test_linear_names_shapes_and_parameters():
    W = mg.Tensor(np.ones((4, 3)), name="W1")
    text = message(mg.linear, mg.Tensor(np.ones((2, 3))), W, mg.Tensor(np.ones(4)))
    assert "(2, 3)" in text
    assert "(4, 3)" in text
    assert "W1" in text


def test_elementwise_error_names_op_shapes_and_tensors():
    a = mg.Tensor(np.ones((2, 3)), name="left", requires_grad=True)
    text = message(mg.add, a, mg.Tensor(np.ones(4), name="right"))
    for part in ("add", "(2, 3)", "(4,)", "left", "right"):
        assert part in text
