"""The arguments of a function: flat, as Tensors, checked, and put back into containers."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minigraph.arrays import is_array, shown
from minigraph.derivation.naming import identifier
from minigraph.derivation.program import Program
from minigraph.nested import Leaf, argument_names, flatten
from minigraph.tensor import Tensor

__all__ = ["Arguments"]


class Arguments:
    """The arguments of a function: flat, as Tensors, checked, and put back into containers."""

    def __init__(
        self,
        f: Callable[..., Any],
        args: tuple[Any, ...],
        argnums: int | Sequence[int] | None,
        names: Sequence[str] | None,
    ) -> None:
        self.f, self.title = f, getattr(f, "__name__", type(f).__name__)
        self.name = identifier(f"{self.title}_and_gradients")
        self.leaves: list[Leaf] = []
        self.places: list[list[int]] = []  # of the arrays of each argument, among all
        self.rebuilds = []
        self.arrays: list[Any] = []
        self.names = argument_names(f, len(args))
        for path, value in zip(self.names, args):
            leaves, rebuild = flatten(value, path)
            self.rebuilds.append(rebuild)
            self.places.append([])
            for leaf in leaves:
                array = _array(leaf)
                self.leaves.append(leaf)
                if array is not None:
                    self.places[-1].append(len(self.arrays))
                    self.arrays.append(array)
        self.paths = [leaf.path for leaf in self.leaves if _array(leaf) is not None]
        if names is not None:
            if not all(isinstance(name, str) for name in names):
                raise TypeError(f"derive: names are strings, not {shown(names)}")
            if len(names) != len(self.paths):
                raise ValueError(
                    f"derive: {len(names)} names for {len(self.paths)} arrays: "
                    f"{', '.join(self.paths)}"
                )
            self.paths = list(names)
        self.flat = len(self.arrays) == len(self.leaves) == len(args) and all(
            leaf.value is value for leaf, value in zip(self.leaves, args)
        )
        self._expected: dict[Any, Any] = {}  # dtypes and shapes, by the batch size
        self.one = isinstance(argnums, int)
        self.chosen = self._chosen(argnums)
        self.wanted = [place for i in self.chosen for place in self.places[i]]

    def _chosen(self, argnums: int | Sequence[int] | None) -> list[int]:
        floats = [
            i
            for i, places in enumerate(self.places)
            if places and all(self.arrays[p].dtype.kind == "f" for p in places)
        ]
        if argnums is None:
            if not floats:
                raise TypeError(f"derive: no argument of {self.title} is of floats")
            return floats
        n = len(self.places)
        given = [argnums] if isinstance(argnums, int) else list(argnums)
        for i in given:
            if not isinstance(i, int) or not -n <= i < n:
                raise ValueError(f"derive: argnums has {i!r}, but there are {n} arguments")
            if i % n not in floats:
                raise TypeError(
                    f"derive: argument {i} of {self.title} has no gradient: it is not of floats"
                )
        return [i % n for i in given]

    def traced(self, group: Sequence[int] = ()) -> tuple[list[Any], list[Leaf]]:
        """Give new Tensors in the containers of the arguments; those of the group longer."""
        tensors, given, place = [], [], 0
        for leaf in self.leaves:
            array = _array(leaf)
            if array is None:
                given.append(leaf.value)
                continue
            if place in group:
                # What depends on half of the size, or on its logarithm, differs at 2 K + 1
                array = np.concatenate([array, array, array[:1]])
            tensor = leaf.value  # itself, if it can be: f may know it as a model's parameter
            if place in group or not _is_leaf(tensor, place in self.wanted):
                tensor = Tensor(array, requires_grad=place in self.wanted)
            tensors.append(Leaf(self.paths[place], tensor))
            given.append(tensor)
            place += 1
        values = iter(given)
        return [rebuild(values) for rebuild in self.rebuilds], tensors

    def batches(self) -> list[list[int]]:
        """List which arrays may hold one row per example.

        These are all as long as the last one, or those of them that no gradient is asked for.
        """
        long = [i for i, array in enumerate(self.arrays) if array.ndim and array.shape[0]]
        if not long:
            return []
        size = self.arrays[long[-1]].shape[0]
        alike = [i for i in long if self.arrays[i].shape[0] == size]
        data = [i for i in alike if i not in self.wanted]
        return [alike] if data in ([], alike) else [data, alike]

    def read(self, args: tuple[Any, ...], program: Program, fixed: str | None) -> Any:
        """Check arguments; list their arrays, and give the batch size."""
        if self.flat and set(map(type, args)) == {np.ndarray}:  # no containers
            return args, False, self._check(args, program, fixed)
        if len(args) != len(self.places):
            raise TypeError(f"{self.name}: {len(args)} arguments; expected {len(self.places)}")
        given = [leaf for value, path in zip(args, self.names) for leaf in flatten(value, path)[0]]
        found = {leaf.path: leaf for leaf in given}  # a dict may be in another order
        expected = [leaf.path for leaf in self.leaves]
        if found.keys() != set(expected):
            raise ValueError(
                f"{self.name}: given {', '.join(found)}; expected {', '.join(expected)}"
            )
        arrays = [self._read(found[old.path], old) for old in self.leaves]
        arrays = [array for array in arrays if array is not None]
        on_tensors = any(isinstance(leaf.value, Tensor) for leaf in given)
        return arrays, on_tensors, self._check(arrays, program, fixed)

    def _read(self, leaf: Leaf, traced: Leaf) -> Any:
        array = _array(leaf)
        if (array is None) != (_array(traced) is None):
            raise TypeError(
                f"{self.name}: {traced.path} is {shown(leaf.value)}; it was traced as "
                f"{shown(traced.value)}"
            )
        if array is None and leaf.value != traced.value:
            raise ValueError(
                f"{self.name}: {traced.path} is {leaf.value!r}; it was traced as "
                f"{traced.value!r}, and that is in the source: derive again"
            )
        return array

    def _check(self, arrays: Sequence[Any], program: Program, fixed: str | None) -> int | None:
        """Check dtypes and shapes; give the batch size, where there is one."""
        K = None
        if program.batch_place >= 0 and (shape := arrays[program.batch_place].shape):
            K = shape[0]
        expected = self._expected.get(K)
        if expected is None:
            expected = self._expected[K] = [
                (p.dtype, tuple([n if type(n) is int else n.at(K or 0) for n in p.shape]))
                for p in program.parameters
            ]
        if [(a.dtype, a.shape) for a in arrays] != expected:
            self._refuse(arrays, expected, program, fixed)
        return K

    def _refuse(
        self, arrays: Sequence[Any], expected: Any, program: Program, fixed: str | None
    ) -> None:
        """Say which argument differs from the one that was traced, and how."""
        if len(arrays) != len(expected):
            raise TypeError(f"{self.name}: {len(arrays)} arguments; expected {len(expected)}")
        found = zip(self.paths, arrays, program.parameters, expected)
        for path, array, parameter, (dtype, shape) in found:
            if array.dtype != dtype:
                raise TypeError(f"{self.name}: {path} is {array.dtype}; it was traced with {dtype}")
            if array.shape != shape:
                why = f"; another batch size is not possible: {fixed}" if fixed else ""
                raise ValueError(
                    f"{self.name}: {path} is {list(array.shape)}; it was traced with "
                    f"[{', '.join(map(str, parameter.shape))}]{why}"
                )

    def packed(self, gradients: Sequence[Any]) -> Any:
        """Put gradients into the containers of their arguments."""
        if self.flat:
            return gradients[0] if self.one else tuple(gradients)
        values = iter(gradients)
        packs = tuple([self.rebuilds[i](values) for i in self.chosen])
        return packs[0] if self.one else packs


def _is_leaf(value: Any, requires_grad: bool) -> bool:
    leaf = type(value) is Tensor and value.op is None
    return leaf and value.requires_grad == requires_grad


def _array(leaf: Leaf) -> Any:
    """Give what varies from call to call as an array; None for what does not."""
    value = leaf.value
    if isinstance(value, Tensor):
        return value._array if isinstance(value._array, np.ndarray) else np.asarray(value._array)
    if isinstance(value, float):
        return np.asarray(value)
    return np.asarray(value) if is_array(value) else None
