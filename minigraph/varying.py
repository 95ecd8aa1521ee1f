"""One call of a function on variables of its own, and what a sweep brings back to them.

A variable is a new leaf, or, where a Tensor is given through which an outer gradient flows, a new
node made from it. What the function reads besides has other numbers than the variables, so nested
derivatives are not confused; what is older than the call is what an outer one can be about.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from minigraph.arrays import check_kind, is_array, shown
from minigraph.graph import older
from minigraph.modes import current_mode, enable_grad, tick
from minigraph.nested import Leaf, argument_names, flatten, last_part
from minigraph.ops.shaping import reshape, stack
from minigraph.sweep import copied, sweep
from minigraph.tensor import Tensor

__all__ = ["Argnums", "Function", "Run", "array_in", "cotangents", "places_of"]

Function = Callable[..., Any]
Argnums = int | Sequence[int]


class Run:
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
        y = array_in(output.value)
        if y.size != 1:
            raise ValueError(
                f"{self.what}: {self.title} returned {shown(y)}, no scalar; use "
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
            seeds = [(y, array_in(v)) for y, v in seeds]
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
        y = array_in(output.value)
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
            return copied(array_in(value))
        if not isinstance(value, Tensor):
            return Tensor(value)
        return value if self.nested else value.detach()


# Arguments and results


def places_of(what: str, argnums: Argnums) -> tuple[int, ...]:
    """Give the places of the arguments to differentiate by."""
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
    array = array_in(value)
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
    array = array_in(value)
    check_kind(array, f"{what}: {output.path}")
    if array.dtype.kind != "f":
        raise TypeError(f"{what}: {output.path} is {shown(array)}, which has no derivative")


def cotangents(what: str, v: Any, like: Sequence[Leaf], root: str) -> list[Any]:
    """List the arrays and Tensors in v: one like each of these leaves of what is called `root`."""
    leaves, _ = flatten(v, "v")
    expected = ["v" + leaf.path.removeprefix(root) for leaf in like]
    paths = [leaf.path for leaf in leaves]
    if paths != expected:
        raise ValueError(
            f"{what}: v holds {', '.join(paths) or 'nothing'}; expected "
            f"{', '.join(expected) or 'nothing'}"
        )
    return [_cotangent(what, leaf, array_in(o.value)) for leaf, o in zip(leaves, like)]


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


def array_in(value: Any) -> Any:
    """Give what a Tensor holds, or an array or number as an array."""
    if isinstance(value, Tensor):
        return value._array
    return value if is_array(value) else np.asarray(value)


def _one_hot(y: Any) -> Iterator[Any]:
    """Give the arrays like y that are 1 in one place and 0 elsewhere, in order."""
    for place in range(y.size):
        seed = np.zeros_like(y)
        seed.flat[place] = 1
        yield seed
