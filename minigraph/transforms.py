"""Derivatives as functions: gradient, vjp, jvp, hvp, jacobian, hessian, nested as you like."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from minigraph.checks import check_callable
from minigraph.nested import flatten
from minigraph.op import Op
from minigraph.tensor import Tensor
from minigraph.varying import Argnums, Function, Run, array_in, cotangents, places_of

__all__ = ["custom_vjp", "gradient", "hessian", "hvp", "jacobian", "jvp", "stop_gradient",
           "value_and_grad", "vjp"]  # fmt: skip


def value_and_grad(f: Function, argnums: Argnums = 0) -> Function:
    """Make the function that gives f's value, and its gradient.

    Parameters
    ----------
    f : callable
        Gives a scalar. It is called with Tensors in place of the arrays to differentiate by.
    argnums : int or sequence of int
        The places of the arguments to differentiate by: arrays of floats, also in nested dicts,
        lists, tuples, named tuples and dataclasses.

    Returns
    -------
    callable
        Takes what `f` takes and gives ``(value, gradient)``; the gradient has the containers,
        shapes and dtypes of the argument, and is a tuple if `argnums` is a sequence. Arrays give
        arrays (new ones; of no axes for numbers). Tensors give Tensors, through which an outer
        gradient flows; so do Tensors that `f` reads besides, if they require a gradient.

    Raises
    ------
    TypeError
        If an argument to differentiate by holds anything but floats, or `f` gives no array.
    ValueError
        If `f` gives more than one entry, or `argnums` do not fit the arguments.

    Examples
    --------
    >>> import numpy as np, minigraph as mg
    >>> value, slopes = mg.value_and_grad(lambda p: np.sum(p["w"] ** 2))({"w": np.arange(3.0)})
    >>> value, slopes
    (array(5.), {'w': array([0., 2., 4.])})
    """
    return _with_gradient("value_and_grad", f, argnums)


def gradient(f: Function, argnums: Argnums = 0) -> Function:
    """Make the function that gives the gradient of f, without its value.

    Parameters
    ----------
    f : callable
        Gives a scalar.
    argnums : int or sequence of int
        As for `value_and_grad`.

    Returns
    -------
    callable
        Takes what `f` takes. The gradient has the containers, shapes and dtypes of the argument,
        and is a tuple if `argnums` is a sequence.

    Raises
    ------
    TypeError, ValueError
        As `value_and_grad`.

    Examples
    --------
    >>> import numpy as np, minigraph as mg
    >>> tower = np.tanh
    >>> for order in range(4):
    ...     print(tower(0.5).round(4))
    ...     tower = mg.gradient(tower)
    0.4621
    0.7864
    -0.7269
    -0.5652
    """
    return _gradient("gradient", f, argnums)


def vjp(f: Function, *x: Any) -> tuple[Any, Function]:
    """Call f, and give its value and the function v ↦ vᵀJ, J being its Jacobian at x.

    Parameters
    ----------
    f : callable
        Gives an array, or arrays in containers.
    *x : nested containers of arrays
        All arguments of `f`.

    Returns
    -------
    value : array or containers of arrays
    pullback : callable
        Takes cotangents, of the containers, shapes and dtypes of the value; may be called again.
        Gives one result for one argument, a tuple for several.

    Raises
    ------
    TypeError, ValueError
        As `value_and_grad`; if cotangents do not fit the value.

    Examples
    --------
    >>> import numpy as np, minigraph as mg
    >>> y, pullback = mg.vjp(lambda x: x**2, np.array([1.0, 2.0, 3.0]))
    >>> pullback(np.array([1.0, 0.0, 1.0]))
    array([2., 0., 6.])
    """
    return _vjp("vjp", f, x)


def jvp(f: Function, x: Any, v: Any) -> tuple[Any, Any]:
    """Give f(x) and Jv, its derivative at x in the direction v.

    The pullback u ↦ uᵀJ is linear, so the vector-Jacobian product of it, with v, is Jv; for one
    number, Jv is the product of its gradient with v. This needs no second formula per operation,
    and holds at every order because the first does. It costs 4 calls of `f` on a 784-500-10
    network, 2.5 for one number (`benchmarks/transforms.py`), where a table of forward formulas
    would take 2, and a line per operation and input to write and to test.

    Parameters
    ----------
    f : callable
        Of one argument. Several make one: ``jvp(lambda a: f(*a), (x, y), (u, v))``.
    x, v : nested containers of arrays
        Equal in containers, shapes and dtypes.

    Returns
    -------
    value, tangent : array or containers of arrays
        Equal in containers, shapes and dtypes.

    Raises
    ------
    TypeError, ValueError
        As `vjp`.

    Examples
    --------
    >>> import numpy as np, minigraph as mg
    >>> mg.jvp(lambda x: np.sum(x**2), np.array([1.0, 2.0]), np.array([0.5, 0.0]))
    (array(5.), array(1.))
    """
    value, pullback = _vjp("jvp", f, (x,))
    leaves, rebuild = flatten(value, "")
    if len(leaves) == 1 and array_in(leaves[0].value).size == 1:
        return value, _slope(value, pullback, x, v)
    zeros = rebuild(iter([np.zeros_like(array_in(leaf.value)) for leaf in leaves]))
    _, pushforward = _vjp("jvp", pullback, (zeros,))
    return value, pushforward(v)


def hvp(f: Function, x: Any, v: Any) -> Any:
    """Give Hv, the Hessian of f at x times v, without making the Hessian.

    It is the pullback of the gradient, for a Hessian is symmetric.

    Parameters
    ----------
    f : callable
        Of one argument; gives a scalar.
    x, v : nested containers of arrays
        Equal in containers, shapes and dtypes; so is the result.

    Raises
    ------
    TypeError, ValueError
        As `vjp`.

    Examples
    --------
    >>> import numpy as np, minigraph as mg
    >>> mg.hvp(lambda x: np.sum(x**3), np.array([1.0, 2.0]), np.array([1.0, 1.0]))
    array([ 6., 12.])
    """
    return _vjp("hvp", _gradient("hvp", f, 0), (x,))[1](v)


def jacobian(f: Function, argnums: Argnums = 0) -> Function:
    """Make the function that gives the derivative of each entry of f's value by each of x.

    It takes one call of `f`, and one sweep for each entry of its value.

    Parameters
    ----------
    f : callable
        Gives an array, or arrays in containers.
    argnums : int or sequence of int

    Returns
    -------
    callable
        Takes what `f` takes. Each array of the value gives the containers of the argument, with
        arrays of shape ``value.shape + x.shape`` in them, of the dtype of x.

    Raises
    ------
    TypeError, ValueError
        As `value_and_grad`.

    Examples
    --------
    >>> import numpy as np, minigraph as mg
    >>> mg.jacobian(lambda x: np.stack([x[0] * x[1], x[0] ** 2]))(np.array([2.0, 3.0]))
    array([[3., 2.],
           [4., 0.]])
    """
    check_callable(f, "jacobian: f")
    places = places_of("jacobian", argnums)

    @wraps(f, updated=())
    def derivatives(*args: Any, **options: Any) -> Any:
        run = Run("jacobian", f, args, options, argnums, places)
        return run.rebuild_value(iter([run.rows(output) for output in run.outputs]))

    return derivatives


def hessian(f: Function, argnums: Argnums = 0) -> Function:
    """Make the function that gives all second derivatives of f: the Jacobian of its gradient.

    Parameters
    ----------
    f : callable
        Gives a scalar.
    argnums : int or sequence of int

    Returns
    -------
    callable
        Takes what `f` takes. For an array x it gives an array of shape ``x.shape + x.shape``; for
        containers, containers of containers: ``h["W"]["b"]``.

    Raises
    ------
    TypeError, ValueError
        As `value_and_grad`.

    Examples
    --------
    >>> import numpy as np, minigraph as mg
    >>> mg.hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 3.0]))
    array([[6., 2.],
           [2., 0.]])
    """
    return jacobian(_gradient("hessian", f, argnums), argnums)


_constant = Op(lambda x: np.reshape(x, np.shape(x)), x=None, name="stop_gradient")


def stop_gradient(x: Any) -> Any:
    """Give the same values as constants, in the same containers; no gradient flows through.

    Parameters
    ----------
    x : nested containers of Tensors, arrays and anything else

    Returns
    -------
    like `x`
        New Tensors of the same shapes and dtypes in place of Tensors; the rest is `x`'s own.

    Examples
    --------
    >>> import minigraph as mg
    >>> mg.gradient(lambda x: x * mg.stop_gradient(x))(3.0)
    array(3.)
    """
    leaves, rebuild = flatten(x, "x")
    values = [leaf.value for leaf in leaves]
    return rebuild(iter([_constant(v) if isinstance(v, Tensor) else v for v in values]))


def custom_vjp(**vjps: Any) -> Callable[[Function], Op]:
    """Decorate a function of plain arrays with its formulas: it becomes an `Op`.

    Parameters
    ----------
    **vjps : callable or None
        One per input, in order, ``vjp(g, y, *inputs, **attributes)``; and the options of `Op`.

    Returns
    -------
    callable
        Takes the function, and gives the `Op`.

    Raises
    ------
    TypeError
        As `Op`: if formulas and inputs do not match.

    Examples
    --------
    >>> import numpy as np, minigraph as mg
    >>> @mg.custom_vjp(x=lambda g, y, x: g / (1 + np.exp(-x)))
    ... def softplus(x):
    ...     return np.logaddexp(0, x)  # the formula is shorter than the one of logaddexp
    >>> mg.gradient(softplus)(0.0), mg.gradient(mg.gradient(softplus))(0.0)
    (array(0.5), array(0.25))
    """

    def decorate(function: Function) -> Op:
        op = Op(function, **vjps)
        op.__module__ = function.__module__  # where pickle finds it
        return op

    return decorate


# How they are made


def _with_gradient(what: str, f: Function, argnums: Argnums) -> Function:
    check_callable(f, f"{what}: f")
    places = places_of(what, argnums)

    @wraps(f, updated=())
    def value_and_slopes(*args: Any, **options: Any) -> tuple[Any, Any]:
        run = Run(what, f, args, options, argnums, places)
        y = run.scalar().value
        return run.value, run.packed(run.pull((y, np.ones_like(array_in(y)))))

    return value_and_slopes


def _gradient(what: str, f: Function, argnums: Argnums) -> Function:
    both = _with_gradient(what, f, argnums)

    @wraps(f, updated=())
    def slopes(*args: Any, **options: Any) -> Any:
        return both(*args, **options)[1]

    return slopes


def _slope(value: Any, pullback: Function, x: Any, v: Any) -> Any:
    """Give the derivative of one number in the direction v."""
    variables, _ = flatten(x, "x")
    directions = cotangents("jvp", v, variables, "x")
    (leaf,), rebuild = flatten(value, "")
    one = array_in(leaf.value)
    gradients, _ = flatten(pullback(rebuild(iter([np.ones_like(one)]))), "")
    total = sum((g.value * d).sum() for g, d in zip(gradients, directions))
    slope: Any = np.reshape(total, one.shape)
    return rebuild(iter([slope if isinstance(slope, Tensor) else np.asarray(slope, one.dtype)]))


def _vjp(what: str, f: Function, x: tuple[Any, ...]) -> tuple[Any, Function]:
    check_callable(f, f"{what}: f")
    if not x:
        raise ValueError(f"{what}: give the arguments of f too")
    places = tuple(range(len(x)))
    run = Run(what, f, x, {}, 0 if len(x) == 1 else places, places)

    def pullback(v: Any) -> Any:
        given = cotangents(what, v, run.outputs, run.root)
        return run.packed(run.pull(*zip([output.value for output in run.outputs], given)))

    return run.value, pullback
