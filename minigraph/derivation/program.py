"""A program: what a derivation writes down, one value after the other, each made by one op."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from minigraph.op import Op

__all__ = ["Program", "Size", "Value", "entries", "is_number", "rewritten"]


@dataclass(frozen=True)
class Size:
    """A number that follows the batch size K.

    It is ``times * K + plus``, the root of that, or ``times / (K * over)``.
    """

    times: float = 1
    plus: int = 0
    over: int = 0
    root: bool = False

    def at(self, batch: int) -> Any:
        """Give the number for a batch size."""
        if self.over:
            return self.times / (batch * self.over)
        number = self.times * batch + self.plus
        return number**0.5 if self.root else number

    def __str__(self) -> str:
        if self.over:
            below = "K" if self.over == 1 else f"(K * {self.over})"
            return f"{self.times:g} / {below}"
        product = "K" if self.times == 1 else f"{self.times:g} * K"
        if self.plus:
            product = f"{product} {'-' if self.plus < 0 else '+'} {abs(self.plus)}"
        if self.root:
            return "K**0.5" if product == "K" else f"({product}) ** 0.5"
        return product


@dataclass(frozen=True, eq=False, repr=False)
class Value:
    """One value of a program.

    Attributes
    ----------
    op : Op or str
        What makes it; text for what no op makes: "parameter", "arange", "full".
    inputs : tuple
        Values and numbers.
    attributes : mapping
        As the op takes them.
    shape : tuple of int or Size
    dtype : dtype
    name : str or None
        As the program called it.
    step : str or None
        The step of the chain rule that it is.
    """

    op: Op | str
    inputs: tuple[Any, ...]
    attributes: Mapping[str, Any]
    shape: tuple[Any, ...]
    dtype: np.dtype[Any]
    name: str | None = None
    step: str | None = None

    @property
    def values(self) -> Iterator["Value"]:
        """The inputs that are no numbers."""
        return (input for input in self.inputs if isinstance(input, Value))

    def __repr__(self) -> str:
        made = self.op if isinstance(self.op, str) else self.op.name
        shape = ", ".join(map(str, self.shape))
        return f"<{self.name or 'Value'} {self.dtype}[{shape}] by {made}>"

    def on(self, *inputs: Any, **changes: Any) -> "Value":
        """Give the same with other inputs."""
        return replace(self, inputs=inputs, **changes)


@dataclass(frozen=True)
class Program:
    """Values in the order in which they are made, from parameters to outputs.

    Attributes
    ----------
    parameters : tuple of Value
        The arguments.
    constants : mapping of Value to array
        Further parameters, with the arrays that the program closed over.
    body : tuple of Value
        What is made, in order.
    outputs : tuple of Value or number
        The value, then the gradients.
    updates : tuple of (int, int)
        Places of outputs that are written into parameters, and the places of these.
    """

    parameters: tuple[Value, ...]
    constants: Mapping[Value, Any]
    body: tuple[Value, ...]
    outputs: tuple[Any, ...]
    batch: Value | None = field(default=None)
    updates: tuple[tuple[int, int], ...] = ()

    @cached_property
    def batch_place(self) -> int:
        """Tell which parameter has the batch size as its length; -1 for none."""
        return -1 if self.batch is None else self.parameters.index(self.batch)

    def uses(self) -> dict[Value, int]:
        """Count how often each value is read, by others or as an output."""
        counts: dict[Value, int] = {}
        for value in self.body:
            for input in value.values:
                counts[input] = counts.get(input, 0) + 1
        for output in self.outputs:
            if isinstance(output, Value):
                counts[output] = counts.get(output, 0) + 1
        return counts


Rule = Callable[[Value], Any]


def rewritten(program: Program, rule: Rule) -> Program:
    """Replace each value by what the rule makes of it, its inputs replaced before.

    A rule gives the value itself, another one (which may be made from new ones), or a number.
    """
    known: dict[Value, Any] = {}
    made: dict[Value, None] = {}  # the new body, in order
    names: dict[Value, Value] = {}  # what stands for a value of a name, and has none
    placed = set(program.parameters) | set(program.constants)
    for value in program.body:
        inputs = tuple([known.get(i, i) if isinstance(i, Value) else i for i in value.inputs])
        new = value if inputs == value.inputs else value.on(*inputs)
        found = known[value] = rule(new)
        for each in _new(found, placed):
            made[each] = None
            placed.add(each)
        if found in made and value.name and not found.name:
            names.setdefault(found, value)
    outputs = tuple([known.get(o, o) if isinstance(o, Value) else o for o in program.outputs])
    result = pruned(replace(program, body=tuple(made), outputs=outputs))
    return _named(result, names) if names else result


def _named(program: Program, names: Mapping[Value, Value]) -> Program:
    """Give values the names of those for which they stand."""
    known: dict[Any, Any] = {}
    for value in program.body:
        new = value.on(*[known.get(i, i) for i in value.inputs])
        if value in names:
            new = replace(new, name=names[value].name, step=names[value].step)
        known[value] = new
    outputs = tuple([known.get(o, o) for o in program.outputs])
    return replace(program, body=tuple(known.values()), outputs=outputs)


def _new(found: Any, placed: set[Value]) -> Iterable[Value]:
    """List what was not there before, each after what it is made from."""
    made: dict[Value, None] = {}
    stack = [found] if isinstance(found, Value) else []
    while stack:
        value = stack[-1]
        missing = [i for i in value.values if i not in placed and i not in made]
        if value in placed or value in made or not missing:
            stack.pop()
            if value not in placed:
                made[value] = None
        else:
            stack.extend(missing)
    return made


def pruned(program: Program) -> Program:
    """Leave out what leads to no output."""
    useful = {o for o in program.outputs if isinstance(o, Value)}
    for value in reversed(program.body):
        if value in useful:
            useful.update(value.values)
    constants = {v: array for v, array in program.constants.items() if v in useful}
    body = tuple([value for value in program.body if value in useful])
    return replace(program, body=body, constants=constants)


def entries(shape: Sequence[Any], batch: int) -> int:
    """Count the entries of a shape at a batch size."""
    return math.prod([n.at(batch) if isinstance(n, Size) else n for n in shape])


def is_number(value: Any) -> bool:
    """Tell whether an input is a number, known or following the batch size."""
    return not isinstance(value, Value)
