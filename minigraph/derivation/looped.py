"""The source of a program in loops: functions that compilers take, between calls of NumPy."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from minigraph.derivation.compiling import Argument
from minigraph.derivation.entries import LETTERS
from minigraph.derivation.expressions import Text
from minigraph.derivation.fast import FastWriter
from minigraph.derivation.fusing import fused
from minigraph.derivation.loops import write_nest
from minigraph.derivation.naming import Names
from minigraph.derivation.nests import SEVERAL, Nest
from minigraph.derivation.program import Program, Value, entries
from minigraph.derivation.textbook import WIDTH, broken, signature

__all__ = ["LoopWriter"]

MANY = 50_000  # entries for which threads pay

COMPILER = """
try:
    from numba import njit{more}
except ImportError:  # the loops are run as they are
{range}
    def njit(**options):
        return lambda function: function
"""


class LoopWriter(FastWriter):
    """Writes runs of nests as functions of their own.

    Attributes
    ----------
    signatures : dict of str to list of Argument
        What each of these functions takes.
    """

    def __init__(self, program: Program, batch: int, parallel: bool = False) -> None:
        self.steps = fused(program, batch)
        super().__init__(program)
        self.batch, self.parallel = batch, parallel
        self.signatures: dict[str, list[Argument]] = {}
        self.functions: list[str] = []  # lines
        nodes = self._nodes()  # each reads once what several of its members read
        self.uses = Counter(
            v for n in nodes for v in (n.reads if isinstance(n, Nest) else n.values)
        )
        self.uses.update(self.outputs)
        self.numbers: set[Value] = set()  # that loops gave
        # Numbers that calls and the caller get need their dtype; loops take any
        self.typed = self.outputs | {
            v for step in self.steps if isinstance(step, Value) for v in step.values
        }

    def _nodes(self) -> list[Any]:
        return [n for step in self.steps for n in (step if isinstance(step, list) else [step])]

    def reads(self) -> Iterable[Iterable[Value]]:
        """List for each place what is read there, or kept in an array of a nest."""
        for n in self._nodes():
            yield (*n.reads, *n.stored) if isinstance(n, Nest) else n.values

    def write(self) -> None:
        """Write all statements."""
        place = 0
        for step in self.steps:
            if isinstance(step, Value):
                self.write_value(place, step)
                place += 1
            else:
                self._write_run(place, step)
                place += len(step)
        self.write_updates()

    def imports(self) -> list[str]:
        """Import the compiler too, if it is there."""
        several = any("prange(" in line for line in self.functions)
        more, fallback = (", prange", "    prange = range\n") if several else ("", "")
        compiler = COMPILER.format(more=more, range=fallback).splitlines()
        return [*super().imports(), *(compiler if self.functions else [])]

    def before(self, title: str) -> list[str]:
        """Write the functions of loops, and the one that makes the buffers."""
        return [*self.functions, *super().before(title)]

    def _write_run(self, place: int, nests: Sequence[Nest]) -> None:
        """Write a function for some nests, and its call."""
        run = _Run(self, self.names.next("loops_"))
        for nest in nests:
            run.add(place, nest)
            self.release(place, [*nest.reads, *nest.stored])
            place += 1
        run.finish(place)


class _Run:
    """A function of loops that is being written: what it takes, does and gives."""

    def __init__(self, writer: LoopWriter, name: str) -> None:
        self.writer, self.name = writer, name
        self.names = Names(["np", "K", "njit", "prange", name, *LETTERS])
        self.arrays: dict[Value, str] = {}  # what they are called in the function
        self.texts: dict[Value, Text] = {}  # of numbers
        self.given: dict[str, tuple[str, Argument]] = {}  # by parameter: what is given for it
        self.made: list[Value] = []
        self.lines: list[str] = []

    def add(self, place: int, nest: Nest) -> None:
        """Write a nest; `place` tells when it is run."""
        for value in nest.reads:
            if value not in self.arrays and value not in self.texts:
                self._take(value)
        for value in nest.places:
            if value in nest.stored:
                self.made.append(value)
                if value.shape:
                    self._keep(place, nest, value)
        writer = self.writer
        several = writer.parallel and entries(nest.space, writer.batch) >= MANY
        self.lines += write_nest(nest, self.arrays, self.texts, self.names, several)

    def _take(self, value: Value) -> None:
        """Add a parameter for what is made before."""
        code = self.writer.text(value).code
        if value.shape and (known := self._known(code)):
            self.arrays[value] = known
            return
        name = self.names.give(code if code.isidentifier() else value.name or "x")
        if value.shape:
            plain = value.op == "parameter" or value in self.writer.holders
            self.arrays[value] = name
            self.given[name] = code, Argument(value.dtype, len(value.shape), plain)
            return
        if value in self.writer.typed or value not in self.writer.numbers:
            code = f"{'float' if value.dtype.kind == 'f' else 'int'}({code})"
        self.given[name] = code, Argument(np.dtype(float if value.dtype.kind == "f" else int))
        wide = value.dtype in (float, int)
        self.texts[value] = Text(name if wide else f"np.{value.dtype.name}({name})")

    def _known(self, code: str) -> str | None:
        """Give the parameter for which this is given, if there is one."""
        return next((name for name, (given, _) in self.given.items() if given == code), None)

    def _keep(self, place: int, nest: Nest, value: Value) -> None:
        """Find an array for a value: over one that is read for the last time, or anew."""
        writer = self.writer
        own = writer.updates.get(value)
        if own is not None and self._is_free(place, nest, value, own):
            if own not in self.arrays:
                self._take(own)
            writer.placed.add(value)
            self._write_over(value, own)
            return
        for other in (*nest.reads, *nest.stored):
            alike = other.shape == value.shape and other.dtype == value.dtype
            spare = alike and other in writer.holders and other is not value
            if spare and self._is_free(place, nest, value, other):
                writer.take_over(value, other)
                self._write_over(value, other)
                return
        buffer = writer.spare(value)
        name = self._known(buffer) or self.names.give(value.name or buffer)
        self.arrays[value], writer.texts[value] = name, Text(buffer)
        self.given[name] = buffer, Argument(value.dtype, len(value.shape), written=True)

    def _is_free(self, place: int, nest: Nest, value: Value, other: Value) -> bool:
        """Tell whether a value may be written over another, which nobody reads later."""
        last, root = self.writer.last, self.writer.root
        shown = any(root(read) is other for read in nest.reads if read is not other)
        return last.get(other, place) <= place and not shown and _overwrites(nest, value, other)

    def _write_over(self, value: Value, other: Value) -> None:
        name = self.arrays[value] = self.arrays[other]
        self.writer.texts[value] = self.writer.texts[other]
        code, argument = self.given[name]
        self.given[name] = code, argument._replace(written=True)

    def finish(self, place: int) -> None:
        """Write the function and its call."""
        writer = self.writer
        later = [v for v in self.made if writer.last[v] >= place]
        numbers = [v for v in later if not v.shape]
        if numbers:
            codes = ", ".join(self.texts[v].code for v in numbers)
            self.lines += broken(f"return {codes}", WIDTH - 4)
        if any(re.search(r"\bK\b", line) for line in self.lines):
            self.given["K"] = "K", Argument(np.dtype(int), None)
        writer.signatures[self.name] = [argument for _, argument in self.given.values()]
        call = f"{self.name}({', '.join(code for code, _ in self.given.values())})"
        head = signature(self.name, list(self.given))
        writer.functions += ['@njit(error_model="numpy")', *head]
        writer.functions += [f"    {line}" for line in self.lines] + ["", ""]
        writer.numbers.update(numbers)
        for value in numbers:
            named = writer.reserved.get(value) or writer.names.give(self.texts[value].code)
            writer.texts[value] = Text(named)
        if numbers:
            call = f"{', '.join(writer.texts[value].code for value in numbers)} = {call}"
        writer.state(Value("loops", (), {}, (), np.dtype(float)), [call])
        for value in numbers:
            if value in writer.typed:
                code = writer.texts[value].code
                writer.state(value, [f"{code} = np.{value.dtype.name}({code})"])
        for value in later:
            used = value in writer.uses and value not in writer.placed
            if value.shape and value.name and used:
                name = writer.name(value)
                writer.state(value, [f"{name} = {writer.texts[value].code}"])
                writer.texts[value] = Text(name)


def _overwrites(nest: Nest, value: Value, other: Value) -> bool:
    """Tell whether a value may be written where another is: all reads there come before.

    That is, they are of the entry that is written, in the same loop or an earlier one.
    """
    place, number = nest.places[value], nest.loops[value]
    if not nest.walks(value) or value.op in SEVERAL:
        return False
    for reader in nest.places:
        for input, at in nest.inputs(reader):
            if input is not other:
                continue
            latest = number if nest.walks(reader) else number - 1
            if at != place or nest.loops[reader] > latest:
                return False
    return True
