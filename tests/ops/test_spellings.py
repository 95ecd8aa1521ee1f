"""An operator, a method, mg's function and NumPy's are the same op, recorded the same way."""

import operator

import numpy as np
import pytest

import minigraph as mg

A = np.array([[1.0, 2.0], [3.0, 0.5]])
B = np.array([[0.5, 1.5], [2.0, 2.5]])
ROW = np.array([1, 0])

# What each spelling does with tensors a and b; all of a line agree.
SPELLINGS = {
    "add": [lambda a, b: a + b, mg.add, np.add],
    "subtract": [lambda a, b: a - b, mg.subtract, np.subtract],
    "multiply": [lambda a, b: a * b, mg.multiply, np.multiply],
    "divide": [lambda a, b: a / b, mg.divide, np.divide, np.true_divide],
    "power": [lambda a, b: a**b, mg.power, np.power, pow],
    "power by a number": [
        lambda a, b: a**3, lambda a, b: mg.power(a, 3), lambda a, b: np.power(a, 3),
    ],
    "negative": [lambda a, b: -a, lambda a, b: mg.negative(a), lambda a, b: np.negative(a)],
    "positive": [lambda a, b: +a, lambda a, b: np.positive(a)],
    "abs": [
        lambda a, b: abs(a), lambda a, b: mg.abs(a), lambda a, b: np.abs(a),
        lambda a, b: np.absolute(a),
    ],
    "matmul": [lambda a, b: a @ b, mg.matmul, np.matmul, mg.dot, np.dot, lambda a, b: a.dot(b)],
    "maximum": [mg.maximum, np.maximum],
    "minimum": [mg.minimum, np.minimum],
    **{
        name: [
            lambda a, b, name=name: getattr(mg, name)(a),
            lambda a, b, name=name: getattr(np, name)(a),
        ]
        for name in ("exp", "log", "log1p", "expm1", "sin", "cos", "tanh", "sqrt", "square")
    },
    "where": [lambda a, b: mg.where(A > B, a, b), lambda a, b: np.where(A > B, a, b)],
    "clip": [
        lambda a, b: a.clip(1, 2), lambda a, b: mg.clip(a, 1, 2), lambda a, b: np.clip(a, 1, 2),
        lambda a, b: np.clip(a, a_min=1, a_max=2), lambda a, b: a.clip(min=1, max=2),
    ],
    **{
        f"{name} {options}": [
            lambda a, b, name=name, options=options: getattr(a, name)(**options),
            lambda a, b, name=name, options=options: getattr(mg, name)(a, **options),
            lambda a, b, name=name, options=options: getattr(np, name)(a, **options),
        ]
        for name in ("sum", "mean", "max", "min")
        for options in ({}, {"axis": 0}, {"axis": (0, -1), "keepdims": True})
    },
    "amax": [lambda a, b: a.max(1), lambda a, b: np.amax(a, 1)],
    "amin": [lambda a, b: a.min(1), lambda a, b: np.amin(a, 1)],
    "reshape": [
        lambda a, b: a.reshape(4), lambda a, b: a.reshape((4,)), lambda a, b: a.reshape(-1),
        lambda a, b: mg.reshape(a, (4,)), lambda a, b: np.reshape(a, (4,)),
    ],
    "transpose": [
        lambda a, b: a.T, lambda a, b: a.transpose(), lambda a, b: a.transpose(1, 0),
        lambda a, b: mg.transpose(a), lambda a, b: np.transpose(a),
        lambda a, b: np.transpose(a, (1, 0)), lambda a, b: a.mT,
        lambda a, b: a.swapaxes(0, 1), lambda a, b: np.swapaxes(a, 0, 1),
    ],
    "squeeze": [
        lambda a, b: a[:1].squeeze(0), lambda a, b: mg.squeeze(a[:1], 0),
        lambda a, b: np.squeeze(a[:1], axis=0),
    ],
    "expand_dims": [
        lambda a, b: mg.expand_dims(a, 1), lambda a, b: np.expand_dims(a, 1),
        lambda a, b: a[:, None],
    ],
    "broadcast_to": [
        lambda a, b: mg.broadcast_to(a, (3, 2, 2)), lambda a, b: np.broadcast_to(a, (3, 2, 2)),
    ],
    "concatenate": [
        lambda a, b: mg.concatenate([a, b], axis=1), lambda a, b: np.concatenate([a, b], axis=1),
        lambda a, b: np.concatenate((a, b), 1),
    ],
    "stack": [lambda a, b: mg.stack([a, b], axis=1), lambda a, b: np.stack((a, b), 1)],
    "copy": [lambda a, b: a.copy(), lambda a, b: mg.copy(a), lambda a, b: np.copy(a)],
    "astype": [lambda a, b: a.astype(float), lambda a, b: mg.astype(a, "f8")],
    "getitem": [
        lambda a, b: a[ROW], lambda a, b: a[[1, 0]], lambda a, b: a[mg.Tensor(ROW)],
        lambda a, b: mg.stack([a[1], a[0]]),
    ],
}  # fmt: skip


def run(spelling):
    a, b = mg.Tensor(A, requires_grad=True), mg.Tensor(B, requires_grad=True)
    y = spelling(a, b)
    assert isinstance(y, mg.Tensor)
    w = np.linspace(-1, 2, y.size).reshape(y.shape)
    return y, mg.grad(y, [a, b], w, allow_unused=True)


@pytest.mark.parametrize("spellings", SPELLINGS.values(), ids=SPELLINGS)
def test_all_spellings_give_the_same_value_and_gradient(spellings):
    y, grads = run(spellings[0])
    for spelling in spellings[1:]:
        other, other_grads = run(spelling)
        assert np.array_equal(other.data, y.data)
        assert other.dtype == y.dtype
        for g, h in zip(grads, other_grads, strict=True):
            assert (g is None) == (h is None)
            assert g is None or np.array_equal(g.data, h.data)


OPERATORS = [
    operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.matmul,
]  # fmt: skip


@pytest.mark.parametrize("function", OPERATORS)
@pytest.mark.parametrize("tensor_first", [False, True])
def test_operator_with_an_array_on_either_side_gives_a_tensor(function, tensor_first):
    t = mg.Tensor(A, requires_grad=True)
    y = function(t, B) if tensor_first else function(B, t)
    assert isinstance(y, mg.Tensor)
    assert y.requires_grad
    assert np.array_equal(y.data, function(A, B) if tensor_first else function(B, A))


@pytest.mark.parametrize("function", OPERATORS[:5])
@pytest.mark.parametrize(
    "scalar", [2, 2.0, True, np.float64(2), np.float32(2), np.int64(2)], ids=repr
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_operator_with_a_number_on_either_side_follows_numpy(function, scalar, dtype):
    a = A.astype(dtype)
    t = mg.Tensor(a, requires_grad=True)
    numpy = function
    if function is operator.pow and isinstance(scalar, np.generic):
        numpy = np.power  # NumPy 2.0's own ** takes a squaring np.float64 for a weak number
    for y, expected in [
        (function(t, scalar), numpy(a, scalar)),
        (function(scalar, t), numpy(scalar, a)),
    ]:
        assert isinstance(y, mg.Tensor)
        assert y.dtype == expected.dtype
        assert np.array_equal(y.data, expected)
        assert mg.grad(y.sum(), t).dtype == dtype


COMPARISONS = [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne]


@pytest.mark.parametrize("function", [*COMPARISONS, operator.floordiv])
def test_comparison_gives_a_constant_tensor_from_either_side(function):
    t = mg.Tensor(A, requires_grad=True)
    for y, expected in [
        (function(t, B), function(A, B)),
        (function(B, t), function(B, A)),
        (function(t, 1), function(A, 1)),
        (function(np.float64(1), t), function(np.float64(1), A)),
    ]:
        assert isinstance(y, mg.Tensor)
        assert not y.requires_grad
        assert np.array_equal(y.data, expected)


@pytest.mark.parametrize("function", [operator.and_, operator.or_, operator.xor])
def test_logical_operators_work_on_masks(function):
    mask, other = mg.Tensor(A > 1), B > 1
    for y, expected in [
        (function(mask, other), function(A > 1, B > 1)),
        (function(other, mask), function(B > 1, A > 1)),
    ]:
        assert isinstance(y, mg.Tensor)
        assert np.array_equal(y.data, expected)
    assert np.array_equal((~mask).data, A <= 1)


def test_tensor_is_not_equal_to_what_is_no_number():
    t = mg.Tensor([1.0])
    assert (t == None) is False  # noqa: E711
    assert (t == "text") is False
    assert (t != None) is True  # noqa: E711
    with pytest.raises(TypeError):
        t < "text"  # noqa: B015


def test_lists_beside_tensors_are_arrays():
    t = mg.Tensor([1.0, 2.0], requires_grad=True)
    assert np.array_equal((t * [3, 4]).data, [3.0, 8.0])
    assert np.array_equal(([3, 4] * t).data, [3.0, 8.0])
