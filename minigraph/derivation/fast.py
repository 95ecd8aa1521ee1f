"""The source of a program that allots its arrays once: one NumPy call per line, into buffers."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from minigraph.derivation.expressions import ATOM, LOOSE, Text, shown
from minigraph.derivation.forms import statements, user_function, written
from minigraph.derivation.passes import SHARING
from minigraph.derivation.program import Program, Value, is_number
from minigraph.derivation.textbook import WIDTH, Writer
from minigraph.op import Op
from minigraph.ops import elementwise, linalg, products, reductions, shaping

__all__ = ["FastWriter"]

# What `np.add.reduce` and its like do faster than the methods around them
REDUCTIONS = {reductions.sum: "np.add", reductions.max: "np.maximum", reductions.min: "np.minimum"}

# Entries: below, what a call costs counts for more than what an entry does; above, two masks take
# memory that counts.
LARGE = range(10_000, 100_000)


class FastWriter(Writer):
    """Writes each value into a buffer, which others take over when nothing reads it any more."""

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self.made: dict[str, str] = {}  # the buffers, and what makes them
        self._known: dict[tuple[str, str], str] = {}
        self.free: dict[Any, list[str]] = {}
        self.holders: dict[Value, str] = {}  # the buffer of each value that is in one
        self.roots: dict[Value, Value] = {}
        self.last: dict[Value, int] = {}
        # What is written into a parameter; `placed` are those that were computed there
        self.updates = {program.outputs[o]: program.parameters[p] for o, p in program.updates}
        self.placed: set[Value] = set()
        for value in program.body:
            shares = value.op in SHARING and not _copies(value)
            self.roots[value] = self.root(value.inputs[0]) if shares else value
        for place, read in enumerate(self.reads()):
            self.last.update(dict.fromkeys(map(self.root, read), place))
        for output in self.outputs:
            self.last[self.root(output)] = len(program.body)

    def reads(self) -> Iterable[Iterable[Value]]:
        """List for each place in the order of the source what is read there."""
        return (value.values for value in self.program.body)

    def root(self, value: Value) -> Value:
        """Give what a view shows; else the value."""
        return self.roots.get(value, value)

    def write(self) -> None:
        """Write all statements."""
        for place, value in enumerate(self.program.body):
            self.write_value(place, value)
        self.write_updates()

    def write_updates(self) -> None:
        """Write into parameters what was not computed in their place."""
        into = {value: self.texts[parameter].code for value, parameter in self.updates.items()}
        loss = self.program.outputs[0]
        if self.root(loss) in self.updates.values():  # a parameter itself: it is about to change
            name = self.names.give("loss")
            self.state(loss, [f"{name} = {self.texts[loss].code}.copy()"])
            self.texts[loss] = Text(name)
        for value, name in into.items():
            if value not in self.placed:
                self.state(value, [f"{name}[...] = {self.text(value).within(LOOSE)}"])

    def write_value(self, place: int, value: Value) -> None:
        """Write one call, or keep it as a part of what reads it."""
        part = self.is_part(value)
        text = written(value, [self.text(i) for i in value.inputs]) if part else Text("")
        if part and len(text.code) <= WIDTH // 2:
            self.texts[value] = text
        else:
            if not value.shape:
                self._name_parts(value)
            self._state(place, value, [self.text(i) for i in value.inputs])
        self.release(place, value.values, value)

    def is_part(self, value: Value) -> bool:
        """Write views, and numbers made of numbers, where they are read."""
        if not super().is_part(value):
            return False
        view = value.op in SHARING and not _copies(value)
        return view or (not value.shape and not any(i.shape for i in value.values))

    def _state(self, place: int, value: Value, inputs: Sequence[Text]) -> None:
        if value.op in ("arange", "full"):  # as good in the next call
            self.texts[value] = Text(self._buffer(written(value, inputs).code))
            return
        inputs = [self._number(i, text, value) for i, text in zip(value.inputs, inputs)]
        name = self.name(value)
        if value.op == "less_onehot":
            p, labels = inputs
            rows = self._buffer(f"np.arange({shown(value.shape[0])})")
            self.state(value, [f"{p.code}[{rows}, {labels.code}] -= 1", f"{name} = {p.code}"])
            self.take_over(value, value.inputs[0])
        elif value.op is elementwise.sign and _is_large(value):
            self._compared(place, value, inputs[0], name)
        elif not value.shape and value.op in REDUCTIONS and len(value.inputs[0].shape) == 1:
            self.state(value, [f"{name} = {REDUCTIONS[value.op]}.reduce({inputs[0].code})"])
        elif (call := _into(value, inputs)) is None or not value.shape:
            self.state(value, statements(name, inputs, value))
        else:
            call = f"{call}, out={self._out(place, value)})"
            unread = value in self.placed and self.uses[value] == 1  # but by the caller
            self.state(value, [call if unread else f"{name} = {call}"])
        self.texts[value] = Text(name)

    def _compared(self, place: int, value: Value, x: Text, name: str) -> None:
        """Make signs of two comparisons, which cannot mispredict: half the time of np.sign."""
        zero = self._buffer(f"np.array(0, dtype={shown(value.dtype)})", "number")
        masks = [self._buffer(f"np.empty({shown(value.shape)}, dtype=bool)", kind)
                 for kind in ("above", "below")]  # fmt: skip
        calls = [f"np.{op}({x.within(LOOSE)}, {zero}, out={mask})"
                 for op, mask in zip(("greater", "less"), masks)]  # fmt: skip
        out = self._out(place, value)
        difference = ", ".join(f"{mask}.view(np.int8)" for mask in masks)
        self.state(value, [*calls, f"{name} = np.subtract({difference}, out={out})"])

    def _number(self, input: Any, text: Text, value: Value) -> Text:
        """Keep a number as an array, which a ufunc takes in half the time."""
        arrays = [i.dtype for i in value.values]
        if not (is_number(input) and _elementwise(value) and value.shape and arrays):
            return text
        if any(dtype != arrays[0] or dtype.kind != "f" for dtype in arrays):
            return text
        return Text(self._buffer(f"np.array({text.code}, dtype={shown(arrays[0])})", "number"))

    def _out(self, place: int, value: Value) -> str:
        """Find where to write a value: over an input that is read for the last time, or anew."""
        own = self.updates.get(value)
        alike = all(i is own or self.root(i) is not own for i in value.values)
        if own is not None and self.last.get(own, place) <= place and alike:
            self.placed.add(value)
            return self.texts[own].code
        for input in value.values if _elementwise(value) else ():
            root = self.root(input)
            fits = root is input and input.shape == value.shape and input.dtype == value.dtype
            if fits and input in self.holders and self.last[input] == place:
                self.take_over(value, input)
                return self.texts[input].code
        return self.spare(value)

    def spare(self, value: Value) -> str:
        """Give a buffer that nobody needs any more, or a new one."""
        free = self.free.get((value.shape, value.dtype))
        name = free.pop() if free else self._buffer(
            f"np.empty({shown(value.shape)}, dtype={shown(value.dtype)})", "buffer", anew=True
        )  # fmt: skip
        self.holders[value] = name
        return name

    def take_over(self, value: Value, input: Value) -> None:
        """Let a value have the buffer of another."""
        if input in self.holders:
            self.holders[value] = self.holders.pop(input)

    def release(self, place: int, read: Iterable[Value], made: Value | None = None) -> None:
        """Give back the buffers of what was read for the last time."""
        for root in dict.fromkeys(map(self.root, read)):
            if self.last[root] == place and root in self.holders and root is not made:
                key = root.shape, root.dtype
                self.free.setdefault(key, []).append(self.holders.pop(root))

    def _buffer(self, code: str, kind: str = "counts", anew: bool = False) -> str:
        """Name what is made once: of what is only read, one for all."""
        if (code, kind) in self._known and not anew:
            return self._known[code, kind]
        name = self.names.next(kind)
        self.made[name] = code
        self._known[code, kind] = name
        return name

    # The source around the statements

    def before(self, title: str) -> list[str]:
        """Write the function that makes the buffers."""
        if not self.made:
            return []
        argument = "K" if self.program.batch is not None else ""
        parts = [f"        {code},  # {name}" for name, code in self.made.items()]
        return [f"def make_buffers({argument}):", "    return (", *parts, "    )", "", ""]

    def prelude(self) -> list[str]:
        """Name the buffers."""
        if not self.made:
            return []
        argument = "K" if self.program.batch is not None else ""
        lines = ["if buffers is None:", f"    buffers = make_buffers({argument})"]
        names = ", ".join(self.made) if len(self.made) > 1 else f"({next(iter(self.made))},)"
        if len(names) < 70:
            return [*lines, f"{names} = buffers"]
        return [*lines, "(", *(f"    {name}," for name in self.made), ") = buffers"]

    def options(self) -> list[str]:
        """Name the arguments that are given by name."""
        return [*self.constants, *(["buffers=None"] if self.made else [])]


def _elementwise(value: Value) -> bool:
    function = getattr(value.op, "function", None)
    return isinstance(function, np.ufunc) and function.signature is None


def _is_large(value: Value) -> bool:
    """Tell whether an array is of a known size, for which two comparisons pay."""
    sizes = [size for size in value.shape if isinstance(size, int)]
    return len(sizes) == len(value.shape) and math.prod(sizes) in LARGE


def _copies(value: Value) -> bool:
    """Tell whether an op that shares memory by its kind makes a new array after all."""
    arrays = value.op is shaping.indexing and "array" in value.attributes["index"]
    many = value.op is products.contraction and len(value.inputs) > 1
    return arrays or many or value.op in (shaping.cast, shaping.cast_to_constant)


def _into(value: Value, inputs: Sequence[Text]) -> str | None:
    """Write a call up to its ``out=``, if it takes one."""
    op = value.op
    if not isinstance(op, Op):
        return None
    arguments = [i.within(LOOSE) for i in inputs]
    if op is linalg.matrix_product and all(len(v.shape) == 2 for v in value.values):
        left, right = inputs  # the method begins in a third of the time of np.matmul
        return f"{left.within(ATOM)}.dot({right.within(LOOSE)}"
    if isinstance(op.function, np.ufunc):
        return f"{user_function(op)}({', '.join(arguments)}"
    if op in REDUCTIONS and inputs:
        axis, keepdims = value.attributes["axis"], value.attributes["keepdims"]
        keeps = ", keepdims=True" if keepdims else ""
        return f"{REDUCTIONS[op]}.reduce({arguments[0]}, axis={shown(axis)}{keeps}"
    return None
