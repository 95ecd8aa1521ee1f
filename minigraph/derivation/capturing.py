"""From a function to its program: run on Tensors, with all that it does recorded, and swept."""

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from minigraph.arrays import is_array, shown
from minigraph.derivation.lowering import is_written, lowered
from minigraph.derivation.program import Program, Value, pruned
from minigraph.graph import ancestors
from minigraph.modes import Setting, tick
from minigraph.nested import Leaf, flatten
from minigraph.op import Op
from minigraph.ops.shaping import scatter
from minigraph.sweep import sweep
from minigraph.tensor import Tensor

__all__ = ["capture"]

OTHERS = ("minigraph", "numpy")  # packages whose variables are not the program's


def capture(
    f: Callable[..., Any],
    arguments: Sequence[Any],
    leaves: Sequence[Leaf],
    wanted: Sequence[int],
    has_aux: bool = False,
    update: Callable[[Sequence[Tensor], Sequence[Any]], Mapping[int, Tensor]] | None = None,
) -> Program:
    """Give the program of a function's value and gradients.

    Parameters
    ----------
    f : callable
    arguments : sequence
        With a Tensor for each array.
    leaves : sequence of Leaf
        These Tensors, and what they are called.
    wanted : sequence of int
        The places of the leaves to differentiate by.
    has_aux : bool
        Whether the function gives further Tensors behind the loss; they are outputs too.
    update : callable, optional
        From the leaves and the gradients (None where there is none) to what is written into which
        leaves, in place of the gradients.

    Raises
    ------
    TypeError, ValueError
        If the function looks at values, or gives no scalar.
    """
    watch = _Watch(getattr(f, "__name__", "f"))
    variables = [leaves[place].value for place in wanted]
    totals: dict[int, tuple[int, Tensor]] = {}  # by the number of a tensor, its cotangent so far

    def note(_: Any, slot: int, input: Tensor, g: Any, part: Any, total: Tensor) -> None:
        totals[input.number] = total.number, input

    with Setting(grad=True, trace=True, debug=watch), np.errstate(all="ignore"):
        names = _Names(f)
        with names:
            y = f(*arguments)
        y, *others = y if has_aux else (y,)
        _check_scalar(f, y)
        seed = Tensor(np.ones_like(y._array))
        found = sweep([(y, seed)], variables, True, note) if y.requires_grad else []
        gradients = {tensor.number: part for tensor, part, _ in found}
        asked = [gradients.get(v.number) for v in variables]
        updated = update([leaf.value for leaf in leaves], asked) if update else {}
    steps: dict[int, Tensor] = {}
    for number, tensor in totals.values():
        if tensor.name or tensor.number in names.found:
            steps.setdefault(number, tensor)
    outputs = [y, *(updated.values() if update else asked), *others]
    zeros = [v._array for v in variables]
    converter = _Converter(names.found, steps, watch, _closed_over(f))
    program = converter.program(outputs, leaves, zeros)
    return replace(program, updates=tuple(enumerate(updated, start=1)))


class _Watch:
    """What looks on while a function is recorded: it may not look at values."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.sources: dict[int, Tensor] = {}  # what a leaf made by detach was detached from

    def leaf(self, tensor: Tensor) -> None:
        """Let leaves be made."""

    def detached(self, leaf: Tensor, source: Tensor) -> None:
        """Keep the path through `detach`."""
        self.sources[leaf.number] = source

    def computed(self, *call: Any) -> None:
        """Let ops compute."""

    def arrived(self, node: Tensor, slot: int, g: Any, part: Any, total: Any) -> None:
        """Let cotangents arrive, if they are recorded too."""
        if not isinstance(part, Tensor):
            raise TypeError(
                f"derive: {self.name} takes a gradient that is not recorded and would be the same "
                "in every call; use mg.grad(..., create_graph=True), or a transform such as mg.hvp"
            )

    def loaded(self, node: Tensor) -> None:
        """Let nodes be copied."""

    def looked(self, tensor: Tensor, how: str) -> None:
        """Refuse a look at values: what follows from it would be part of every call."""
        made = f", made by {tensor.op.name}," if tensor.op else ""
        raise TypeError(
            f"derive: {self.name} asks for values while it is recorded: {how} of "
            f"{tensor._label()}{made} would be the same in every call. Write np.where for a "
            "branch, and operations on the tensor for what its values decide"
        )


class _Names:
    """The names of a program's variables, as its functions held them when they returned."""

    def __init__(self, f: Callable[..., Any]) -> None:
        self.found: dict[int, str] = {}  # by the number of the tensor
        self._code = getattr(f, "__code__", None)

    def __enter__(self) -> None:
        self._before: Any = sys.getprofile()
        sys.setprofile(self._note)

    def __exit__(self, *exception: object) -> None:
        if self._before is None or callable(self._before):
            sys.setprofile(self._before)
        else:  # cProfile, which is no function
            self._before.enable()

    def _note(self, frame: Any, event: str, _: Any) -> None:
        if event != "return":
            return
        own = frame.f_code is self._code
        if not own and frame.f_globals.get("__name__", "").partition(".")[0] in OTHERS:
            return
        for name, value in frame.f_locals.items():
            if type(value) is Tensor and (own or value.number not in self.found):
                self.found[value.number] = name


class _Converter:
    """Makes values of tensors, in the order in which they were recorded."""

    def __init__(
        self,
        names: Mapping[int, str],
        steps: Mapping[int, Tensor],
        watch: _Watch,
        closed: Mapping[int, str],
    ) -> None:
        self.names, self.steps, self.watch, self.closed = names, steps, watch, closed
        self.known: dict[int, Any] = {}
        self.body: list[Value] = []
        self.constants: dict[Value, Any] = {}
        self.arrays: dict[int, Value] = {}  # by the identity of the array
        self._kept: list[Any] = []

    def program(
        self, outputs: Sequence[Tensor | None], leaves: Sequence[Leaf], zeros: Sequence[Any]
    ) -> Program:
        """Give the program whose outputs these are; a gradient that is None is zeros."""
        parameters = []
        for leaf in leaves:
            tensor = leaf.value
            parameter = Value("parameter", (), {}, tensor.shape, tensor.dtype, leaf.path)
            self.known[tensor.number] = parameter
            parameters.append(parameter)
        ends = [output for output in outputs if output is not None]
        self._convert(ancestors([*ends, *self.watch.sources.values()]))
        given = []
        for place, output in enumerate(outputs):
            if output is not None:
                given.append(self.known[output.number])
                continue
            like = zeros[place - 1]
            zero = {"shape": like.shape, "value": 0.0}
            given.append(Value("full", (), zero, like.shape, like.dtype))
            self.body.append(given[-1])
        return pruned(Program(tuple(parameters), self.constants, tuple(self.body), tuple(given)))

    def _convert(self, tensors: Sequence[Tensor]) -> None:
        for tensor in tensors:
            if tensor.number not in self.known:
                self.known[tensor.number] = self._value(tensor)

    def _value(self, tensor: Tensor) -> Any:
        if tensor.number in self.watch.sources:
            return self.known[self.watch.sources[tensor.number].number]
        if tensor.op is None:
            return self._constant(tensor._array, tensor.name)
        _check_shape(tensor)
        name, step = self._called(tensor)
        if not is_written(tensor.op):
            return self._lowered(tensor, name, step)
        given = tensor.inputs
        if tensor.op is scatter:  # of the array that it was taken from, only the shape
            given = (given[0], *given[2:])
        inputs = tuple([self._input(input) for input in given])
        value = Value(tensor.op, inputs, tensor.attributes, tensor.shape, tensor.dtype, name, step)
        self.body.append(value)
        return value

    def _lowered(self, tensor: Tensor, name: str | None, step: str | None) -> Any:
        """Convert what a composite op does with others."""
        since = tick()
        with Setting(grad=False, trace=True, debug=self.watch), np.errstate(all="ignore"):
            result = lowered(tensor)
        self._convert(ancestors([result], since) if result.number >= since else [])
        value = self.known[result.number]
        if isinstance(value, Value) and self.body and value is self.body[-1]:
            named = name or value.name
            value = self.body[-1] = value.on(*value.inputs, name=named, step=step)
            self.known[result.number] = value
        return value

    def _called(self, tensor: Tensor) -> tuple[str | None, str | None]:
        of = self.steps.get(tensor.number)
        if of is not None:
            source = of.name or self.names.get(of.number)
            return (f"grad_{source}", source) if source else (None, None)
        return tensor.name or self.names.get(tensor.number), None

    def _input(self, input: Any) -> Any:
        if type(input) is Tensor:
            return self.known[input.number]
        return self._constant(input, None) if is_array(input) else input

    def _constant(self, array: Any, name: str | None) -> Any:
        """Give a number, what makes a plain array, or one parameter per array closed over."""
        if isinstance(array, np.generic):
            return array
        if array.ndim == 0 and array.dtype.kind == "f" and name is None:
            return array[()]
        if id(array) in self.arrays:
            return self.arrays[id(array)]
        name = name or self.closed.get(id(array))
        made = None if name else _made(array)
        value = made or Value("parameter", (), {}, array.shape, array.dtype, name)
        self.arrays[id(array)] = value
        self._kept.append(array)  # so that no other array gets its identity
        if made:
            self.body.append(made)
        else:
            self.constants[value] = array
        return value


def _made(array: Any) -> Value | None:
    """Tell whether an array is one of equal entries, or counts from 0."""
    counts = array.ndim == 1 and array.size and array.dtype == int
    if counts and np.array_equal(array, np.arange(array.size)):
        return Value("arange", (), {"stop": array.size}, array.shape, array.dtype)
    first = array.flat[0].item() if array.size else 0
    if array.size and (array != first).any():
        return None
    attributes = {"shape": array.shape, "value": first}
    return Value("full", (), attributes, array.shape, array.dtype)


def _check_scalar(f: Callable[..., Any], y: Any) -> None:
    name = getattr(f, "__name__", "f")
    if type(y) is not Tensor:
        raise TypeError(
            f"derive: {name} returned {shown(y)}, no Tensor: either its value depends on no "
            "argument, or it was made from raw arrays (.data)"
        )
    if y.size != 1 or y.dtype.kind != "f":
        raise ValueError(
            f"derive: {name} returned {y.dtype}{list(y.shape)}; a loss is one floating-point "
            "number: reduce it (sum, mean)"
        )


def _check_shape(tensor: Tensor) -> None:
    """Refuse a shape that depends on values."""
    assert isinstance(tensor.op, Op)
    if tensor.op.name != "getitem":
        return
    for index in tensor.inputs[1:]:
        if type(index) is Tensor and index.dtype.kind == "b" and (index.op or not index.name):
            raise TypeError(
                f"derive: getitem of {tensor.inputs[0]._label()} by a mask {list(index.shape)}: "
                "the shape of the result depends on values; use np.where(mask, x, 0)"
            )


def _closed_over(f: Callable[..., Any]) -> dict[int, str]:
    """Name the arrays that a function finds in its closure and among globals, by identity."""
    names: dict[int, str] = {}
    for path, value in _variables(f):
        for leaf in flatten(value, path)[0]:
            array = leaf.value._array if type(leaf.value) is Tensor else leaf.value
            if is_array(array):
                names.setdefault(id(array), leaf.path)
    return names


def _variables(f: Callable[..., Any]) -> Iterator[tuple[str, Any]]:
    function = inspect.unwrap(f)
    code = getattr(function, "__code__", None)
    if code is None:
        return
    for name, cell in zip(code.co_freevars, function.__closure__ or ()):
        try:
            yield name, cell.cell_contents
        except ValueError:  # not filled yet
            continue
    for name in code.co_names:
        if name in function.__globals__:
            yield name, function.__globals__[name]
