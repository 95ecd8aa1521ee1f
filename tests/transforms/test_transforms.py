"""What transforms take and give: closures, containers, dtypes, Tensors, modes, and bad input."""

import dataclasses
import gc
import pickle
from collections import namedtuple

import numpy as np
import pytest

import minigraph as mg

grad = mg.gradient


# Closures: perturbations are not confused


def test_an_inner_derivative_does_not_see_the_outer_variable():
    """Siskind and Pearlmutter, "Perturbation confusion and referential transparency", 2005."""
    assert grad(lambda x: x * grad(lambda y: x + y)(1.0))(1.0) == 1
    assert grad(lambda x: x * grad(lambda y: x * y)(2.0))(3.0) == 6
    assert grad(lambda x: grad(lambda y: x * y * y)(x))(3.0) == 12


def test_confusion_is_avoided_forward_and_mixed():
    def forward(f):
        return lambda x: mg.jvp(f, x, 1.0)[1]

    for outer in (grad, forward):
        for inner in (grad, forward):
            assert outer(lambda x, d=inner: x * d(lambda y: x + y)(1.0))(1.0) == 1
            assert outer(lambda x, d=inner: d(lambda y: x * y * y)(x))(3.0) == 12
            assert outer(lambda x, d=inner: x * d(lambda y: y * d(lambda z: x * y * z)(2.0))(5.0))(
                3.0
            ) == pytest.approx(2 * 3 * 10)


def test_a_derivative_that_is_carried_out_of_its_function_stays_right():
    """Manzyuk et al., "Perturbation confusion in forward automatic differentiation", 2019."""

    def shift(offset):
        return lambda f: lambda x: f(x + offset)

    def derived_shift(f):  # the derivative by the offset, at 0
        return lambda x: grad(lambda offset: shift(offset)(f)(x))(0.0)

    twice = derived_shift(derived_shift(np.exp))
    assert twice(1.0) == pytest.approx(np.e, rel=1e-14)


def test_the_same_array_inside_and_outside_is_two_variables():
    x = np.array([1.0, 2.0])
    found = grad(lambda a: np.sum(a * x) + np.sum(grad(lambda b: np.sum(a * b * b))(x)))(x)
    np.testing.assert_array_equal(found, x + 2 * x)


def test_what_is_closed_over_carries_its_gradient():
    W = mg.Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    slope = grad(lambda x: np.sum(np.tanh(W @ x)))(np.array([0.1, 0.2]))
    assert isinstance(slope, mg.Tensor)  # a penalty on a gradient
    np.sum(slope**2).backward()
    assert W.grad.any()
    with mg.no_grad():
        assert type(grad(lambda x: np.sum(W @ x))(np.array([0.1, 0.2]))) is np.ndarray


def test_a_pullback_is_a_function_like_any_other():
    x = np.array([0.1, 0.2])
    _, pullback = mg.vjp(np.sin, x)
    np.testing.assert_allclose(grad(lambda v: np.sum(pullback(v) ** 2))(x), 2 * x * np.cos(x) ** 2)
    assert np.array_equal(mg.jacobian(pullback)(x), np.diag(np.cos(x)))
    assert np.array_equal(pullback(x), pullback(x))

    def f(x):
        return np.sum(mg.vjp(np.sin, x)[1](np.ones(2)))

    np.testing.assert_allclose(grad(f)(x), -np.sin(x))


# Containers


Pair = namedtuple("Pair", "a b")


@dataclasses.dataclass(frozen=True)
class Point:
    x: object
    y: object
    made: object = dataclasses.field(default=0, init=False)


def test_containers_come_back_as_they_were_given():
    nested = {"p": Pair(np.ones(2), [np.full(3, 2.0)]), "d": Point(np.array(3.0), (np.ones(()),))}

    def f(c):
        assert isinstance(c["p"], Pair)
        return np.sum(c["p"].a) * np.sum(c["p"].b[0]) * c["d"].x * c["d"].y[0]

    value, found = mg.value_and_grad(f)(nested)
    assert value == 36
    assert isinstance(found["p"], Pair)
    assert isinstance(found["d"], Point)
    assert np.array_equal(found["p"].a, [18, 18])
    assert np.array_equal(found["p"].b[0], [6, 6, 6])
    assert (found["d"].x, found["d"].y[0]) == (12, 36)
    assert mg.hessian(f)(nested)["p"].b[0]["d"].x.tolist() == [2, 2, 2]
    _, tangent = mg.jvp(lambda c: {"f": f(c)}, nested, nested)
    assert tangent == {"f": 4 * 36}
    assert np.array_equal(mg.hvp(f, nested, nested)["p"].a, 3 * found["p"].a)
    found = mg.jacobian(lambda x: Pair(x * 2, [x[0]]))(np.ones(2))
    assert np.array_equal(found.a, 2 * np.eye(2))
    assert np.array_equal(found.b[0], [1, 0])


def test_empty_containers_and_arrays():
    assert grad(lambda c: 1.0)({}) == {}
    assert mg.jacobian(np.sin)(np.zeros((0, 2))).shape == (0, 2, 0, 2)
    assert grad(np.sum)(np.zeros((0, 2))).shape == (0, 2)
    y, pullback = mg.vjp(lambda x: [], 1.0)
    assert (y, pullback([])) == ([], 0)


def test_argnums_choose_and_keyword_arguments_pass():
    def f(a, b, c, *, power=1):
        return (a * b**2 * c["k"]) ** power

    at = (2.0, 3.0, {"k": 1.0})
    assert grad(f)(*at) == 9
    assert grad(f, 1)(*at) == 12
    assert grad(f, -1)(*at) == {"k": 18}
    assert grad(f, (2, 0))(*at, power=2) == ({"k": 2 * 18**2}, 2 * 18 * 9)
    assert mg.value_and_grad(f, [1])(*at) == (18, (12,))
    (aa, ab), (ba, bb) = mg.hessian(f, (0, 1))(*at)
    assert (aa, ab, ba, bb) == (0, 6, 6, 4)
    assert grad(f, 0)(2.0, 3, {"k": 1}) == 9  # integers elsewhere are as they are
    y, pullback = mg.vjp(f, *at)
    assert (y, pullback(1.0)) == (18, (9, 12, {"k": 18}))


# Kinds and dtypes of results


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dtypes_are_kept(dtype):
    x = np.array([0.5, 1.5], dtype)
    results = (
        *mg.value_and_grad(np.sum)(x),
        *mg.jvp(np.tanh, x, x),
        mg.hvp(lambda x: np.sum(x**3), x, x),
        mg.jacobian(np.tanh)(x),
        mg.hessian(lambda x: np.sum(x**3))(x),
        grad(lambda x: 1.0)(x),
        mg.jacobian(lambda x: np.zeros(3))(x),
        grad(lambda x: np.sum(np.tanh(x).astype(float)))(x),
        grad(grad(np.tanh))(x[0]),
    )
    assert {(type(r), r.dtype) for r in results} == {(np.ndarray, np.dtype(dtype))}


def test_results_are_new_writable_arrays():
    x = np.array([1.0, 2.0])
    for f in (lambda x: x, np.sin, lambda x: x[::-1], lambda x: np.concatenate([x, x])):
        y, pullback = mg.vjp(f, x)
        v = np.ones(y.shape)
        for result in (y, pullback(v), mg.jvp(f, x, x)[1], mg.jacobian(f)(x)):
            assert not np.shares_memory(result, x)
            assert not np.shares_memory(result, v)
            result += 1
    a, b = grad(lambda a, b: np.sum(a + b), (0, 1))(x, x)
    assert not np.shares_memory(a, b)
    assert np.array_equal(x, [1, 2])


def test_the_array_may_be_written_after_the_call():
    x = np.array([1.0, 2.0])
    _, pullback = mg.vjp(np.square, x)
    x[:] = 7
    assert np.array_equal(pullback(np.ones(2)), [2, 4])


def test_the_function_cannot_write_what_it_is_given():
    x = np.array([1.0, 2.0])

    def f(t):
        with mg.no_grad():
            t *= 2
        return np.sum(t)

    grad(f)(x)
    assert np.array_equal(x, [1, 2])
    with pytest.raises(mg.WriteError):
        grad(lambda t: np.sum(t * t) + f(t))(x)


def test_tensors_give_tensors_through_which_an_outer_gradient_flows():
    x = mg.Tensor([1.0, 2.0], requires_grad=True, name="x")
    for inner in (
        grad(lambda t: np.sum(t**3)),
        lambda x: mg.value_and_grad(lambda t: np.sum(t**3))(x)[1],
        lambda x: mg.vjp(lambda t: t**3, x)[1](np.ones(2)),
        lambda x: mg.jvp(lambda t: t**3, x, np.ones(2))[1],
        lambda x: mg.jacobian(lambda t: t**3)(x).sum(axis=0),
        lambda x: mg.hvp(lambda t: np.sum(t**4) / 4, x, np.ones(2)),
    ):
        y = inner(x)
        assert isinstance(y, mg.Tensor)
        np.testing.assert_allclose(mg.grad(y.sum(), x).data, 6 * x.data)
    assert x.grad is None


def test_constant_tensors_give_tensors_without_gradient():
    x = mg.Tensor([1.0, 2.0])
    value, slope = mg.value_and_grad(lambda t: np.sum(t**3))(x)
    assert isinstance(value, mg.Tensor)
    assert isinstance(slope, mg.Tensor)
    assert not value.requires_grad
    assert not slope.requires_grad


def test_inside_no_grad_derivatives_are_right_and_cut():
    x = mg.Tensor(0.5, requires_grad=True)
    with mg.no_grad():
        for order, expected in enumerate([1 - np.tanh(0.5) ** 2, -0.7268619813835873]):
            f = grad(np.tanh) if order == 0 else grad(grad(np.tanh))
            assert f(0.5) == pytest.approx(expected, rel=1e-14)
            assert not f(x).requires_grad
            assert f(x).item() == pytest.approx(expected, rel=1e-14)
        assert mg.jvp(np.tanh, 0.5, 1.0)[1] == pytest.approx(1 - np.tanh(0.5) ** 2)
        assert not mg.jacobian(np.tanh)(x).requires_grad
    inner = mg.no_grad()(np.tanh)  # cut by the function itself
    assert grad(inner)(0.5) == 0


def test_an_ignored_argument_has_a_gradient_of_zeros():
    _, b = grad(lambda a, b: np.sum(a), (0, 1))(np.ones(2), np.ones((3, 1), np.float32))
    assert np.array_equal(b, np.zeros((3, 1)))
    assert b.dtype == np.float32
    assert mg.hvp(np.sum, np.ones(2), np.ones(2)).tolist() == [0, 0]
    assert mg.hessian(np.sum)(np.ones(2)).tolist() == [[0, 0], [0, 0]]


def test_ops_and_methods_of_objects_are_functions_too():
    assert grad(mg.tanh)(0.0) == 1
    model = mg.nn.MLP((2, 3, 2), seed=0)
    jacobian = mg.jacobian(model)(np.ones((1, 2)))
    assert isinstance(jacobian, mg.Tensor)  # its parameters require a gradient
    assert jacobian.shape == (1, 2, 1, 2)
    assert grad(np.tanh).__name__ == "tanh"


def test_variables_are_named_as_the_arguments():
    def f(params, x):
        assert (params["W"].name, x.name) == ("W", "x")
        return np.sum(params["W"]) * x

    grad(f, (0, 1))({"W": np.ones(2)}, 1.0)


def test_nothing_is_left_when_a_call_is_over():
    gc.collect()
    gc.disable()
    try:
        x = np.linspace(0, 1, 5)
        for transform in (grad, mg.hessian):
            transform(lambda x: np.sum(np.sin(x) * x))(x)
        mg.jvp(lambda x: np.sin(x) * x, x, x)
        mg.hvp(mg.checkpoint(lambda x: np.sum(np.sin(x) * x)), x, x)
        alive = [o for o in gc.get_objects() if type(o) is mg.Tensor and o.shape == (5,)]
        assert alive == []
    finally:
        gc.enable()


# stop_gradient, custom_vjp


def test_stop_gradient_gives_constants_in_containers():
    def f(c):
        stopped = mg.stop_gradient(c)
        assert isinstance(stopped["p"], Pair)
        return np.sum(c["p"].a * stopped["p"].b)

    a, b = grad(f)({"p": Pair(np.ones(2), np.full(2, 3.0))})["p"]
    assert np.array_equal(a, [3, 3])
    assert np.array_equal(b, [0, 0])
    x = np.ones(2)
    assert mg.stop_gradient(x) is x
    assert mg.hessian(lambda x: x**2 * mg.stop_gradient(x))(3.0) == 2 * 3


@mg.custom_vjp(x=lambda g, y, x: g * mg.clip(x, -1, 1), name="huber")
def huber(x):
    """Be half a square near 0, and straight far from it."""
    return np.where(np.abs(x) < 1, x * x / 2, np.abs(x) - 0.5)


def test_custom_vjp_makes_an_op_of_a_plain_function():
    assert isinstance(huber, mg.Op)
    assert huber.__doc__.startswith("Be half")
    assert np.array_equal(mg.jacobian(huber)(np.array([0.5, 3.0])), [[0.5, 0], [0, 1]])
    assert grad(grad(huber))(0.5) == 1
    assert pickle.loads(pickle.dumps(huber)) is huber


# Bad input


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (
            lambda: grad(np.tanh)(np.ones(3)),
            ValueError,
            r"tanh .*float64\[3\].*mg\.jacobian",
        ),
        (lambda: mg.hessian(np.tanh)(np.ones(3)), ValueError, r"hessian: .*float64\[3\]"),
        (lambda: mg.hvp(np.tanh, np.ones(3), np.ones(3)), ValueError, r"hvp: .*float64\[3\]"),
        (lambda: grad(np.tanh)(1), TypeError, r"int64\[\], which has no gradient; give floats"),
        (lambda: grad(lambda k: k["n"])({"n": [True]}), TypeError, r"k\['n'\]\[0\] is bool\[\]"),
        (lambda: grad(lambda k: k)(np.arange(2)), TypeError, r"gradient: k is int64\[2\]"),
        (lambda: grad(lambda k: k)(mg.Tensor(1)), TypeError, r"gradient: k is int64\[\]"),
        (lambda: grad(lambda k: k)(1j), TypeError, "gradient: k is 1j"),
        (lambda: grad(lambda k: k)(np.array([1j])), TypeError, "gradient: k: complex128"),
        (lambda: grad(lambda k: k["w"])({"w": 1.0, "b": None}), TypeError, r"k\['b'\] is None"),
        (lambda: grad(lambda k: k)("a"), TypeError, "k is 'a'; .*Close over the rest"),
        (lambda: grad(lambda x: None)(1.0), TypeError, "is None; does it lack a return"),
        (lambda: mg.jacobian(lambda x: {"a": None})(1.0), TypeError, r"\['a'\] is None"),
        (lambda: grad(lambda x: (x, x))(1.0), TypeError, "containers of 2 arrays; return one"),
        (lambda: grad(lambda x: [x])(1.0), TypeError, "containers of 1 array"),
        (lambda: grad(lambda x: "a")(1.0), TypeError, "is 'a'; expected an array"),
        (lambda: grad(lambda x: x > 0)(1.0), TypeError, r"bool\[\], which has no derivative"),
        (lambda: grad(np.tanh, 1)(1.0), ValueError, "argnums has 1, but tanh was given 1 pos"),
        (lambda: grad(np.tanh, -2)(1.0), ValueError, "argnums has -2"),
        (lambda: grad(np.tanh)(), ValueError, "given 0 positional arguments"),
        (lambda: grad(np.tanh, (0, -1))(1.0), ValueError, "name an argument twice"),
        (lambda: grad(np.tanh, ()), TypeError, "argnums is an int or a tuple of ints"),
        (lambda: grad(np.tanh, "a"), TypeError, "argnums is an int"),
        (lambda: grad(np.tanh, 1.0), TypeError, "argnums is an int"),
        (lambda: grad(np.tanh, True), TypeError, "argnums holds ints"),
        (lambda: mg.jacobian(np.tanh, (0, None)), TypeError, "argnums holds ints"),
        (lambda: grad(3.0), TypeError, "gradient: f is a function, not 3.0"),
        (lambda: mg.value_and_grad(None), TypeError, "value_and_grad: f is a function"),
        (lambda: mg.hessian(None), TypeError, "hessian: f is a function"),
        (lambda: mg.jacobian(None), TypeError, "jacobian: f is a function"),
        (lambda: mg.hvp(None, 1.0, 1.0), TypeError, "hvp: f is a function"),
        (lambda: mg.jvp(None, 1.0, 1.0), TypeError, "jvp: f is a function"),
        (lambda: mg.vjp(None, 1.0), TypeError, "vjp: f is a function"),
        (lambda: mg.checkpoint(None), TypeError, "checkpoint: f is a function"),
        (lambda: mg.vjp(np.tanh), ValueError, "vjp: give the arguments of f too"),
        (lambda: mg.vjp(np.sin, 1.0)[1](np.ones(2)), ValueError, r"vjp: v is float64\[2\]; exp"),
        (lambda: mg.vjp(np.sin, 1.0)[1](np.float32(1)), TypeError, r"v is float32\[\]; expected"),
        (lambda: mg.vjp(np.sin, 1.0)[1]([1.0]), ValueError, r"vjp: v holds v\[0\]; expected v"),
        (lambda: mg.vjp(np.sin, 1.0)[1]("a"), TypeError, r"v is 'a'; expected float64\[\]"),
        (lambda: mg.jvp(np.sin, np.ones(2), np.ones(3)), ValueError, r"jvp: v is float64\[3\]"),
        (
            lambda: mg.hvp(lambda c: c["a"], {"a": 1.0}, {"b": 1.0}),
            ValueError,
            r"hvp: v holds v\['b'\]; expected v\['a'\]",
        ),
        (lambda: mg.custom_vjp(y=lambda g, y, x: g)(lambda x: x), TypeError, "x"),
    ],
)
def test_bad_input_is_named(call, kind, words):
    with pytest.raises(kind, match=words):
        call()


def test_errors_of_the_function_come_through():
    def f(x):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        grad(f)(1.0)
