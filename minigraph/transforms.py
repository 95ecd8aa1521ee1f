"""Derivatives as functions: gradient, vjp, jvp, hvp, jacobian, hessian, nested as you like.

Each calls f once, on variables of its own, and takes what the sweep brings to them. A variable is a
new leaf, or, where a Tensor is given through which an outer gradient flows, a new node made from
it. What f reads besides (closures) has other numbers than the variables, so derivatives of nested
calls cannot be confused, and what is older than the call is what an outer derivative can be about.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from typing import Any

import numpy as np

from minigraph.arrays import check_kind, is_array, shown
from minigraph.checks import check_callable
from minigraph.graph import older
from minigraph.modes import current_mode, enable_grad, tick
from minigraph.nested import Leaf, argument_names, flatten, last_part
from minigraph.op import Op
from minigraph.ops.shaping import reshape, stack
from minigraph.sweep import copied, sweep
from minigraph.tensor import Tensor

__all__ = ["custom_vjp", "gradient", "hessian", "hvp", "jacobian", "jvp", "stop_gradient",
           "value_and_grad", "vjp"]  # fmt: skip

Function = Callable[..., Any]
Argnums = int | Sequence[int]


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
    """Make the function that gives the gradient of f; see `value_and_grad`.

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

    The pullback u ↦ uᵀJ is linear, so the vector-Jacobian product of it, with v, is Jv. This needs
    no second formula per operation, and holds at every order because the first does. It costs
    about 4 calls of `f` on a 784-500-10 network (`benchmarks/transforms.py`), where a table of
    forward formulas would take 2, and a line per operation and input to write and to test.

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
    zeros = rebuild(iter([np.zeros_like(_array(leaf.value)) for leaf in leaves]))
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
    places = _places("jacobian", argnums)

    @wraps(f, updated=())
    def derivatives(*args: Any, **options: Any) -> Any:
        run = _Run("jacobian", f, args, options, argnums, places)
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

    Examples
    --------
    >>> import numpy as np, minigraph as mg
    >>> @mg.custom_vjp(x=lambda g, y, x: g / (1 + np.exp(-x)))
    ... def softplus(x):
    ...     return np.logaddexp(0, x)  # its formula would need a rule for np.logaddexp
    >>> mg.gradient(softplus)(0.0), mg.gradient(mg.gradient(softplus))(0.0)
    (array(0.5), array(0.25))
    """

    def decorate(function: Function) -> Op:
        op = Op(function, **vjps)
        op.__module__ = function.__module__  # where pickle finds it
        return op

    return decorate


# One call


class _Run:
    """A call of f on variables of its own, and what the sweep brings back to them."""

    def __init__(
        self,
        what: str,
        f: Function,
        args: tuple[Any, ...],
        options: dict[str, Any],
        argnums: Argnums,
        places: tuple[int, ...],
    ) -> None:
        self.what, self.title = what, getattr(f, "__name__", type(f).__name__)
        since = tick()
        names = argument_names(f, len(args))
        chosen = {place: names[place] for place in _present(what, self.title, places, len(args))}
        self.variables: list[Tensor] = []
        self._rebuilds = []
        given = list(args)
        for place, name in chosen.items():
            leaves, rebuild = flatten(args[place], name)
            variables = [_variable(what, leaf) for leaf in leaves]
            given[place] = rebuild(iter(variables))
            self.variables += variables
            self._rebuilds.append(rebuild)
        self._as_tuple = not isinstance(argnums, int)
        with enable_grad():
            value = f(*given, **options)
        self.root = f"the result of {self.title}"
        self.outputs, self.rebuild_value = flatten(value, self.root)
        for output in self.outputs:
            _check_output(what, output)
        ends = [o.value for o in self.outputs if isinstance(o.value, Tensor)]
        # Whether a derivative taken outside can be about what f read
        self.nested = current_mode().grad and bool(older(ends, since))
        leaves, _ = flatten((args, options), "")
        self.on_tensors = self.nested or any(isinstance(leaf.value, Tensor) for leaf in leaves)

    @property
    def value(self) -> Any:
        """What f gave."""
        return self.rebuild_value(iter([self._shown(output.value) for output in self.outputs]))

    def scalar(self) -> Leaf:
        """Give f's value, which must be one number."""
        if [output.path for output in self.outputs] != [self.root]:
            raise TypeError(
                f"{self.what}: {self.title} returned containers of {len(self.outputs)} arrays; "
                "return one scalar, or use mg.jacobian or mg.vjp"
            )
        (output,) = self.outputs
        if np.size(_array(output.value)) != 1:
            raise ValueError(
                f"{self.what}: {self.title} returned {shown(_array(output.value))}, no scalar; use "
                "mg.jacobian for the derivatives of each entry, or return a sum or mean"
            )
        return output

    def pull(self, *ends: tuple[Any, Any]) -> list[Any]:
        """Sweep from outputs with their cotangents; give the result for each variable."""
        grad = current_mode().grad
        given = [v for _, v in ends if isinstance(v, Tensor)]
        recorded = grad and (self.nested or any(v.requires_grad for v in given))
        seeds = [(y, v) for y, v in ends if isinstance(y, Tensor) and y.requires_grad]
        if recorded:
            seeds = [(y, v if isinstance(v, Tensor) else Tensor(v)) for y, v in seeds]
        else:
            seeds = [(y, _array(v)) for y, v in seeds]
        # If only the cotangents carry a gradient, all else in the formulas is constant
        found = sweep(seeds, self.variables, recorded, linear=not self.nested)
        parts = {t.number: part if recorded or owned else copied(part) for t, part, owned in found}
        results = [
            parts[v.number] if v.number in parts else np.zeros_like(v._array)
            for v in self.variables
        ]
        if self.on_tensors or given:
            results = [r if isinstance(r, Tensor) else Tensor(r, copy=False) for r in results]
        return results

    def packed(self, parts: Sequence[Any]) -> Any:
        """Put what belongs to the variables into the containers of the arguments."""
        values = iter(parts)
        arguments = tuple([rebuild(values) for rebuild in self._rebuilds])
        return arguments if self._as_tuple else arguments[0]

    def rows(self, output: Leaf) -> Any:
        """Give the Jacobian of one output."""
        y = _array(output.value)
        rows = [self.pull((output.value, seed)) for seed in _one_hot(y)]
        if not rows:
            empty = [np.zeros(y.shape + v.shape, v.dtype) for v in self.variables]
            return self.packed([Tensor(e) if self.on_tensors else e for e in empty])
        return self.packed(
            [reshape(stack(c), y.shape + v.shape) for v, c in zip(self.variables, zip(*rows))]
        )

    def _shown(self, value: Any) -> Any:
        """Give an output as the caller takes it: an array for arrays, a Tensor for Tensors."""
        if not self.on_tensors:
            return copied(_array(value))
        if not isinstance(value, Tensor):
            return Tensor(value)
        return value if self.nested else value.detach()


def _with_gradient(what: str, f: Function, argnums: Argnums) -> Function:
    check_callable(f, f"{what}: f")
    places = _places(what, argnums)

    @wraps(f, updated=())
    def value_and_slopes(*args: Any, **options: Any) -> tuple[Any, Any]:
        run = _Run(what, f, args, options, argnums, places)
        y = run.scalar().value
        return run.value, run.packed(run.pull((y, np.ones_like(_array(y)))))

    return value_and_slopes


def _gradient(what: str, f: Function, argnums: Argnums) -> Function:
    both = _with_gradient(what, f, argnums)

    @wraps(f, updated=())
    def slopes(*args: Any, **options: Any) -> Any:
        return both(*args, **options)[1]

    return slopes


def _vjp(what: str, f: Function, x: tuple[Any, ...]) -> tuple[Any, Function]:
    check_callable(f, f"{what}: f")
    if not x:
        raise ValueError(f"{what}: give the arguments of f too")
    places = tuple(range(len(x)))
    run = _Run(what, f, x, {}, 0 if len(x) == 1 else places, places)

    def pullback(v: Any) -> Any:
        cotangents = _cotangents(what, v, run)
        return run.packed(run.pull(*zip([output.value for output in run.outputs], cotangents)))

    return run.value, pullback


# Arguments and results


def _places(what: str, argnums: Argnums) -> tuple[int, ...]:
    places = (argnums,) if isinstance(argnums, int) else argnums
    if not isinstance(places, list | tuple) or not places:
        raise TypeError(f"{what}: argnums is an int or a tuple of ints, not {shown(argnums)}")
    for place in places:
        if not isinstance(place, int) or isinstance(place, bool):
            raise TypeError(f"{what}: argnums holds ints, the places of arguments; not {place!r}")
    return tuple(places)


def _present(what: str, title: str, places: tuple[int, ...], n: int) -> list[int]:
    """Count places from the front, and refuse those that hold no argument, or one twice."""
    for place in places:
        if not -n <= place < n:
            raise ValueError(
                f"{what}: argnums has {place}, but {title} was given {n} positional "
                f"argument{'s' * (n != 1)}"
            )
    found = [place % n for place in places]
    if len(set(found)) < len(found):
        raise ValueError(f"{what}: argnums {places} name an argument twice")
    return found


def _variable(what: str, leaf: Leaf) -> Tensor:
    """Make what f gets in place of an array or Tensor."""
    value = leaf.value
    if not is_array(value) and not isinstance(value, Tensor | bool | int | float):
        raise TypeError(
            f"{what}: {leaf.path} is {shown(value)}; arguments to differentiate by are arrays of "
            "floats, in nested dicts, lists, tuples and dataclasses. Close over the rest: "
            "lambda x: f(x, option)"
        )
    array = _array(value)
    check_kind(array, f"{what}: {leaf.path}")
    if array.dtype.kind != "f":
        raise TypeError(
            f"{what}: {leaf.path} is {shown(array)}, which has no gradient; give floats (1.0 in "
            "place of 1), or leave it out of argnums"
        )
    if isinstance(value, Tensor) and value.requires_grad and current_mode().grad:
        variable: Tensor = reshape(value, value.shape)  # shows the same memory
    else:
        variable = Tensor(array, requires_grad=True)
    variable.name = last_part(leaf.path)
    return variable


def _check_output(what: str, output: Leaf) -> None:
    value = output.value
    if value is None:
        raise TypeError(f"{what}: {output.path} is None; does it lack a return?")
    if not is_array(value) and not isinstance(value, Tensor | bool | int | float):
        raise TypeError(f"{what}: {output.path} is {shown(value)}; expected an array")
    array = _array(value)
    check_kind(array, f"{what}: {output.path}")
    if array.dtype.kind != "f":
        raise TypeError(f"{what}: {output.path} is {shown(array)}, which has no derivative")


def _cotangents(what: str, v: Any, run: _Run) -> list[Any]:
    """List the arrays and Tensors in v: one like each output."""
    leaves, _ = flatten(v, "v")
    expected = ["v" + output.path.removeprefix(run.root) for output in run.outputs]
    paths = [leaf.path for leaf in leaves]
    if paths != expected:
        raise ValueError(
            f"{what}: v holds {', '.join(paths) or 'nothing'}; expected "
            f"{', '.join(expected) or 'nothing'}"
        )
    return [_cotangent(what, leaf, _array(o.value)) for leaf, o in zip(leaves, run.outputs)]


def _cotangent(what: str, leaf: Leaf, y: Any) -> Any:
    value = leaf.value
    if isinstance(value, bool | int | float):  # it has no dtype of its own
        value = np.asarray(value, y.dtype)
    if not is_array(value):
        raise TypeError(f"{what}: {leaf.path} is {shown(value)}; expected {shown(y)}")
    if value.shape != y.shape or value.dtype != y.dtype:
        raise (TypeError if value.shape == y.shape else ValueError)(
            f"{what}: {leaf.path} is {shown(value)}; expected {shown(y)}"
        )
    return value


def _array(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value._array
    return value if is_array(value) else np.asarray(value)


def _one_hot(y: Any) -> Iterator[Any]:
    """Give the arrays like y that are 1 in one place and 0 elsewhere, in order."""
    for place in range(y.size):
        seed = np.zeros_like(y)
        seed.flat[place] = 1
        yield seed
