"""The function under test and its gradient: called with care, counted and watched."""

import copy
import pickle
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

import numpy as np

from minigraph.arrays import Array, check_kind, is_array
from minigraph.nested import Leaf, argument_names, flatten, last_part
from minigraph.ops.shaping import concatenate, reshape
from minigraph.sweep import grad
from minigraph.tensor import Tensor

__all__ = ["Function", "HandWritten", "Misbehaviour", "random_state_untouched", "same"]


class Misbehaviour(Exception):
    """What a function did that makes its gradient meaningless: a verdict on an input, or on all."""

    def __init__(self, verdict: str, detail: str, input: int | None = None) -> None:
        super().__init__(detail)
        self.verdict = verdict
        self.detail = detail
        self.input = input


class Function:
    """A function of nested inputs that makes a graph, as a function of a flat list of arrays.

    Parameters
    ----------
    f : callable
        Takes Tensors in the nested containers of `inputs`, and gives one Tensor.
    inputs : sequence
        Arrays and Tensors, in nested containers. Tensors that require no gradient are constants.

    Attributes
    ----------
    names : list of str
        Of the inputs that are checked.
    arrays : list of ndarray
        Copies of them.
    constants : list of str
        The names of those that are not.
    n_values, n_gradients : int
        How often `f` was called for its value, and for its gradient.

    Raises
    ------
    TypeError, ValueError
        If an input cannot be checked; or none is left.
    """

    def __init__(self, f: Callable[..., Any], inputs: Sequence[Any]) -> None:
        if not callable(f):
            raise TypeError(f"check_gradients: {_kind(f)} is no function; give it first")
        self.f = f
        self.title = getattr(f, "__name__", type(f).__name__)
        leaves, self._rebuild = _leaves(f, inputs)
        checked = [leaf for leaf in leaves if not _is_constant(leaf.value)]
        constants = [leaf for leaf in leaves if _is_constant(leaf.value)]
        self.constants = [leaf.path for leaf in constants]
        copies = iter([Tensor(leaf.value, name=leaf.value.name) for leaf in constants])
        self._values = [next(copies) if _is_constant(leaf.value) else None for leaf in leaves]
        if not checked:
            raise TypeError(
                f"check_gradients: no differentiable input among {len(leaves)}: give arrays of "
                "floats, or Tensors with requires_grad=True"
            )
        names = [getattr(leaf.value, "name", None) or leaf.path for leaf in checked]
        self.names = [
            name if names.count(name) == 1 else leaf.path for name, leaf in zip(names, checked)
        ]
        self.arrays = [_input_array(leaf) for leaf in checked]
        self.n_values = self.n_gradients = 0

    def value(self, arrays: Sequence[Array], moved: str = "") -> Array:
        """Compute the output, (...), for these inputs; errors say how they were `moved`."""
        self.n_values += 1
        return np.asarray(self._watched(arrays, self._value, moved))

    def pull(self, arrays: Sequence[Array], cotangent: Array) -> list[Array]:
        """Compute the gradient of (cotangent · output) for each input, as the user's code has it.

        The result need not have the shapes and dtypes that it should have.
        """
        self.n_gradients += 1
        gradients: list[Array] = self._watched(
            arrays, lambda given: self._gradients(given, cotangent), ""
        )
        return gradients

    def output(self, arrays: Sequence[Array]) -> Tensor:
        """Give the output with the graph behind it."""
        return self._call(self._given(arrays))

    def at(self, arrays: list[Array]) -> Self:
        """Give the same function with other inputs, not called yet."""
        other = copy.copy(self)
        other.arrays = arrays
        other.n_values = other.n_gradients = 0
        return other

    def second_order(self, cotangent: Array) -> "Function":
        """Give the gradient of (cotangent · output), joined into one vector, as a function."""

        def gradient(*inputs: Any) -> Tensor:
            tensors = [leaf.value for leaf in flatten(inputs, "")[0]]
            tensors = [t for t in tensors if isinstance(t, Tensor) and t.requires_grad]
            y = self.f(*inputs)
            if not y.requires_grad:
                return Tensor(np.zeros(sum(t.size for t in tensors), y.dtype))
            seed = cotangent.astype(y.dtype)
            found = grad(y, tensors, seed, create_graph=True, allow_unused=True)
            return concatenate(
                [
                    Tensor(np.zeros_like(t.data).reshape(-1)) if g is None else reshape(g, (-1,))
                    for t, g in zip(tensors, found)
                ]
            )

        gradient.__name__ = f"gradient of {self.title}"
        second = Function(gradient, self._arguments(self._given(self.arrays)))
        second.names = self.names
        return second

    # Calls

    def _watched(self, arrays: Sequence[Array], call: Callable[[Any], Any], moved: str) -> Any:
        """Call with copies of `arrays`, and see to it that they stay as they are."""
        given = self._given(arrays)
        try:
            with np.errstate(all="ignore"):
                result = call(given)
        except Exception as error:
            if moved:
                error.add_note(f"check_gradients: while {moved}")
            raise
        for place, (after, before) in enumerate(zip(given, arrays)):
            if not same(np.asarray(after.data if isinstance(after, Tensor) else after), before):
                raise Misbehaviour("mutates its input", f"{self.names[place]} was written", place)
        return result

    def _given(self, arrays: Sequence[Array]) -> list[Any]:
        return [
            Tensor(array, requires_grad=True, name=last_part(name))
            for name, array in zip(self.names, arrays)
        ]

    def _arguments(self, given: Sequence[Any]) -> Any:
        """Put the inputs, and the constants between them, into their containers."""
        rest = iter(given)
        return self._rebuild(next(rest) if v is None else v for v in self._values)

    def _call(self, given: Sequence[Any]) -> Tensor:
        y = self.f(*self._arguments(given))
        if not isinstance(y, Tensor):
            raise TypeError(
                f"check_gradients: {self.title} returned {_kind(y)}; expected one Tensor (mg.stack "
                "and mg.concatenate join several). Plain NumPy is checked with gradient=..."
            )
        if y.dtype.kind != "f":
            raise TypeError(f"check_gradients: {self.title} returned {y.dtype}, not floats")
        return y

    def _value(self, given: Sequence[Any]) -> Array:
        return self._call(given).data

    def _gradients(self, given: Sequence[Any], cotangent: Array) -> list[Array]:
        y = self._call(given)
        if not y.requires_grad:  # a constant: no gradient is a gradient of zeros
            return [np.zeros_like(t.data) for t in given]
        found = grad(y, given, cotangent.astype(y.dtype), allow_unused=True)
        return [np.zeros_like(t.data) if g is None else g.data for t, g in zip(given, found)]


class HandWritten(Function):
    """A function and a gradient in plain NumPy.

    Parameters
    ----------
    f : callable
        Takes arrays in the nested containers of `inputs`, and gives a number.
    inputs : sequence
    gradient : callable
        Takes the same, and gives one array for each input in the same containers: one for one
        input, a tuple for several. Constants have no gradient.
    """

    def __init__(
        self, f: Callable[..., Any], inputs: Sequence[Any], gradient: Callable[..., Any]
    ) -> None:
        super().__init__(f, inputs)
        if not callable(gradient):
            raise TypeError(f"check_gradients: gradient is {_kind(gradient)}, not a function")
        self.gradient = gradient

    def output(self, arrays: Sequence[Array]) -> Tensor:
        """Say that there is no graph."""
        raise ValueError("draw: a function in plain NumPy leaves no graph")

    def _given(self, arrays: Sequence[Array]) -> list[Any]:
        return [array.copy() for array in arrays]

    def _arguments(self, given: Sequence[Any]) -> Any:
        arguments, rebuild = flatten(super()._arguments(given), "")
        return rebuild(leaf.value.data if isinstance(leaf.value, Tensor) else leaf.value
                       for leaf in arguments)  # fmt: skip

    def _value(self, given: Sequence[Any]) -> Array:
        y = self.f(*self._arguments(given))
        if isinstance(y, Tensor):
            raise TypeError(
                f"check_gradients: {self.title} returned a Tensor; leave out gradient=, or return "
                "plain NumPy"
            )
        y = np.asarray(y) if is_array(y) or isinstance(y, int | float) else y
        if not isinstance(y, np.ndarray) or y.size != 1 or y.dtype.kind != "f":
            raise TypeError(
                f"check_gradients: {self.title} returned {_kind(y)}; with gradient=... it is one "
                "float (a loss)"
            )
        return y.reshape(())

    def _gradients(self, given: Sequence[Any], cotangent: Array) -> list[Array]:
        found = self.gradient(*self._arguments(given))
        wanted = [value for value in self._arguments(self.names) if _is_wanted(value)]
        if len(wanted) == 1:
            (wanted,) = wanted
        leaves = _matched(found, wanted, getattr(self.gradient, "__name__", "gradient"))
        return [np.asarray(leaf) * cotangent.astype(np.asarray(leaf).dtype) for leaf in leaves]


def _is_wanted(value: Any) -> bool:
    """Tell the name of an input, or a container of names, from a constant."""
    return isinstance(value, str | dict | list | tuple)


def _matched(found: Any, wanted: Any, what: str) -> list[Any]:
    """List the gradients that stand where `wanted` has names of inputs."""
    if isinstance(wanted, str):
        if found is None or isinstance(found, dict | list | tuple):
            raise TypeError(
                f"check_gradients: {what} returned {_kind(found)} for {wanted}; expected one array"
            )
        return [found]
    if isinstance(wanted, dict):
        wanted = {key: value for key, value in wanted.items() if _is_wanted(value)}
        missing = [str(key) for key in wanted if not isinstance(found, dict) or key not in found]
        if missing:
            raise TypeError(
                f"check_gradients: {what} returned {_kind(found)}; expected a dict that has "
                f"{', '.join(missing)} too"
            )
        found, wanted = [found[key] for key in wanted], list(wanted.values())
    elif isinstance(wanted, list | tuple):
        if not isinstance(found, list | tuple) or len(found) != len(wanted):
            raise TypeError(
                f"check_gradients: {what} returned {_kind(found)}; expected {len(wanted)} "
                "gradients, one for each input"
            )
    else:
        return []  # a constant
    return [leaf for f, w in zip(found, wanted) for leaf in _matched(f, w, what)]


# Inputs


def _leaves(f: Callable[..., Any], inputs: Sequence[Any]) -> tuple[list[Leaf], Any]:
    parts = [flatten(value, name) for value, name in zip(inputs, argument_names(f, len(inputs)))]
    rebuilds = [rebuild for _, rebuild in parts]

    def rebuild(new: Any) -> tuple[Any, ...]:
        values = iter(new)
        return tuple([rebuild(values) for rebuild in rebuilds])

    return [leaf for leaves, _ in parts for leaf in leaves], rebuild


def _is_constant(value: Any) -> bool:
    return isinstance(value, Tensor) and not value.requires_grad


def _input_array(leaf: Leaf) -> Array:
    value = leaf.value.data if isinstance(leaf.value, Tensor) else leaf.value
    if not (is_array(value) or isinstance(value, bool | int | float)):
        raise TypeError(
            f"check_gradients: {leaf.path} is {_kind(value)}; inputs are arrays and Tensors, in "
            "nested dicts, lists and tuples. Close over the rest: lambda x: f(x, option)"
        )
    if isinstance(value, np.matrix):
        raise TypeError(f"check_gradients: {leaf.path} is a np.matrix, whose * is @; give an array")
    if isinstance(value, np.ma.MaskedArray):
        check_kind(value, f"check_gradients: {leaf.path}")
    array = np.asarray(value)
    if array.dtype.kind != "f":
        raise TypeError(
            f"check_gradients: {leaf.path} is {array.dtype}, which has no gradient; give floats, "
            "or say that it is a constant: mg.Tensor(...)"
        )
    if overlaps(array):
        raise ValueError(
            f"check_gradients: entries of {leaf.path} share memory (strides {array.strides}), so "
            "none can be moved alone; give a copy"
        )
    return array.astype(array.dtype.newbyteorder("="))


def overlaps(array: Array) -> bool:
    """Tell whether two entries may lie at the same place: repeated by strides of 0, or windows."""
    reach = array.itemsize
    for stride, n in sorted((abs(s), n) for s, n in zip(array.strides, array.shape) if n > 1):
        if stride < reach and array.size:
            return True
        reach += stride * (n - 1)
    return False


def _kind(value: Any) -> str:
    if is_array(value):
        return f"{value.dtype}{list(value.shape)}"
    if isinstance(value, list | tuple):
        return f"a {type(value).__name__} of {len(value)}"
    if isinstance(value, dict):
        return f"a dict of {', '.join(map(str, value)) or 'nothing'}"
    return "None" if value is None else f"a {type(value).__name__}"


# What must not change


def same(a: Array, b: Array) -> bool:
    """Tell whether two arrays are equal in shape, dtype and every entry, NaN to NaN."""
    return a.shape == b.shape and a.dtype == b.dtype and np.array_equal(a, b, equal_nan=True)


@contextmanager
def random_state_untouched() -> Iterator[None]:
    """Raise a `Misbehaviour` if the block draws from the random states that all code shares."""
    before = _random_state()
    yield
    if _random_state() != before:
        raise Misbehaviour(
            "not deterministic", "it draws from the global random state; give it a seed or an rng"
        )


def _random_state() -> bytes:
    return pickle.dumps((random.getstate(), np.random.get_state()))  # noqa: NPY002
