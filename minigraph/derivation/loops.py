"""Nests of loops, written as Python that runs as it is and that Numba compiles."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from minigraph.derivation.entries import LETTERS, Entries
from minigraph.derivation.expressions import Text, literal
from minigraph.derivation.forms import written
from minigraph.derivation.naming import Names, identifier
from minigraph.derivation.nests import EXTREMA, SEVERAL, SUMS, Nest, axes_of
from minigraph.derivation.program import Value
from minigraph.derivation.textbook import WIDTH, broken
from minigraph.ops import reductions, shaping

__all__ = ["write_nest"]

BLOCK = 16  # rows that are summed in the dtype of the array; these sums are summed in float64
INLINE = 32  # letters of an expression within another
STARTS: dict[Any, str] = {reductions.max: "-np.inf", reductions.min: "np.inf"}
LARGER: dict[Any, str] = {reductions.max: "np.maximum", reductions.min: "np.minimum"}


def write_nest(
    nest: Nest,
    arrays: Mapping[Value, str],
    texts: dict[Value, Text],
    names: Names,
    parallel: bool = False,
) -> list[str]:
    """Write one nest.

    Parameters
    ----------
    nest : Nest
    arrays : mapping of Value to str
        What the arrays are called; several values may be in one, one after the other.
    texts : dict of Value to Text
        How numbers are written; those that the nest makes are added.
    names : Names
        Taken so far.
    parallel : bool
        Whether rows may be computed on several threads, if nothing is summed over them.
    """
    writer = _NestWriter(nest, arrays, texts, names)
    picks = any(value.op is shaping.indexing for value in nest.places)  # an error ends one thread
    if parallel and nest.outer and not picks and not any(map(nest.is_total, nest.places)):
        writer.range = "prange"
    writer.write()
    return [f"{'    ' * depth}{line}" for depth, code in writer.lines
            for line in broken(code, WIDTH - 4 * (depth + 1))]  # fmt: skip


class _NestWriter(Entries):
    def __init__(
        self, nest: Nest, arrays: Mapping[Value, str], texts: dict[Value, Text], names: Names
    ) -> None:
        super().__init__(nest, arrays, texts)
        self.names = names
        self.lines: list[tuple[int, str]] = []
        self.range = "range"  # of the outermost loop
        self.depth = max(0, len(nest.space) - 1)  # of what is done once for each row
        self.sums: dict[Value, str] = {}  # what adds up a sum, or all of a column
        self.users = nest.users()
        self.labels: dict[Value, str] = {}

    def _label(self, value: Value) -> str:
        """Find a name for a value; variables for its entries and rows are called after it."""
        if value not in self.labels:
            wanted = value.name
            if value.op in (*SUMS, *EXTREMA):
                of = next(value.values)
                wanted = wanted or f"{value.op.name}_{self.arrays.get(of) or of.name or 't'}"
            if wanted and identifier(wanted) == self.arrays.get(value):
                self.labels[value] = self.arrays[value]
            else:
                self.labels[value] = self.names.give(wanted) if wanted else self.names.next("t")
        return self.labels[value]

    def say(self, depth: int, code: str) -> None:
        self.lines.append((depth, code))

    def write(self) -> None:
        """Write the formulas, the loops, and what is known after them."""
        nest, space = self.nest, self.nest.space
        self._formulas()
        totals = [value for value in nest.places if nest.is_total(value)]
        for value in totals:
            self._begin_total(value)
        for axis in sorted(nest.outer):
            kind = "range" if axis else self.range
            self.say(axis, f"for {LETTERS[axis]} in {kind}({space[axis]}):")
        self._rows(-1)
        for number in range(max(nest.loops.values()) + 1):
            self._row_loop(number)
            self._rows(number)
        if any(nest.walks(value) for value in totals):
            self._add_up(totals)
        for value in totals:
            self._end_total(value)
        for value in nest.places:  # what is no number is read from its array by others
            if value.shape:
                self.texts.pop(value, None)

    def _row_loop(self, number: int) -> None:
        """Write a loop over the entries of a row."""
        nest = self.nest
        walking = [v for v in nest.places if nest.loops[v] == number and nest.walks(v)]
        sums = [v for v in walking if v.op in SEVERAL and not nest.is_total(v)]
        for value in sums:
            self.sums[value] = self._variable(value, "_sum" if value.op in SUMS else "")
            start = "0" if value.op in SUMS else STARTS[value.op]
            dtype = "float64" if value.op in SUMS else value.dtype.name
            self.say(self.depth, f"{self.sums[value]} = np.{dtype}({start})")
        inner = len(nest.space)
        if nest.space:
            self.say(inner - 1, f"for {LETTERS[inner - 1]} in range({nest.space[-1]}):")
        kept = [v for v in walking if v.op not in SEVERAL and v in nest.stored and v.shape]
        for value in walking:
            if value.op not in SEVERAL:
                self._compute(inner, value, kept == [value])
            elif value in sums and value.op in EXTREMA:
                name, x = self.sums[value], self.formula(value)
                self.say(inner, f"{name} = {LARGER[value.op]}({name}, {x.code})")
            elif value in sums:
                self.say(inner, f"{self.sums[value]} += {self.formula(value).code}")
            else:
                column = f"{self.sums[value]}_part[{LETTERS[inner - 1]}]"
                self.say(inner, f"{column} += {self.formula(value).code}")
        for value in kept:  # after all that reads what was there
            self._store(inner, value, self.texts.pop(value))
        for value in sums:
            self._finish(self.depth, value)

    def _rows(self, number: int) -> None:
        """Write what is computed once for each row, after the loop of this number."""
        for value, at in self.nest.loops.items():
            if at != number or self.nest.walks(value):
                continue
            if self.nest.is_total(value):
                self.say(self.depth, f"{self.sums[value]} += {self.formula(value).code}")
                continue
            kept = value in self.nest.stored and bool(value.shape)
            self._compute(self.depth, value, kept)
            if kept:
                self._store(self.depth, value, self.texts[value])

    def _compute(self, depth: int, value: Value, alone: bool) -> None:
        """Write an assignment, or keep the formula for what reads it: if alone, what stores it."""
        picked = value.op is shaping.indexing
        text = self._picked(depth, value) if picked else self.formula(value)
        users = self.users[value]
        if len(users) == 1 and value not in self.nest.stored and not value.name:
            alike = self.nest.walks(value) == self.nest.walks(users[0])
            beside = alike and self.nest.loops[value] == self.nest.loops[users[0]]
            if beside and len(text.code) <= INLINE:
                self.texts[value] = text
                return
        if users or not alone:
            name = self._variable(value)
            self.say(depth, f"{name} = {text.code}")
            text = Text(name)
        self.texts[value] = text

    def _store(self, depth: int, value: Value, text: Text) -> None:
        place = self.nest.places[value]
        self.say(depth, f"{self.element(self.arrays[value], place)} = {text.code}")

    def _variable(self, value: Value, kind: str = "") -> str:
        """Name a variable for an entry, like h_ij, for one of a row, like largest_i, or a sum."""
        entry = value.op not in SEVERAL and self.nest.is_entry(self.nest.places[value])
        letters = LETTERS[: len(self.nest.space) if entry else self.depth]
        suffix = f"_{''.join(letters)}" if letters and not self.nest.is_total(value) else ""
        suffix = suffix or ("_0" if value.shape else "")  # not the name of the array itself
        label = self._label(value)
        return self.names.give(f"{label}{kind}{suffix}") if kind or suffix else label

    def _picked(self, depth: int, value: Value) -> Text:
        """Write the entry of a row that a label chooses; no compiler checks the label."""
        (z, _), (labels, at) = self.nest.inputs(value)
        label, size = self.read(labels, at).code, z.shape[1]
        self.say(depth, f"if not -{size} <= {label} < {size}:")
        self.say(depth + 1, f'raise IndexError("a label is out of bounds for {size} entries")')
        return Text(f"{self.arrays[z]}[{LETTERS[0]}, {label}]")

    # Sums

    def _begin_total(self, value: Value) -> None:
        if self.nest.walks(value):  # each column by itself
            size, name = self.nest.space[-1], self._label(value)
            self.sums[value] = name
            self.say(0, f"{name}_sums = np.zeros({size})")
            self.say(0, f"{name}_part = np.zeros({size}, dtype=np.{value.dtype.name})")
        else:
            self.sums[value] = self._variable(value, "_sum")
            self.say(0, f"{self.sums[value]} = np.float64(0)")

    def _add_up(self, totals: Sequence[Value]) -> None:
        """Add what some rows gave to the sums."""
        row, column = LETTERS[self.depth - 1 : self.depth + 1]
        size = self.nest.space[-2]
        self.say(self.depth, f"if {row} % {BLOCK} == {BLOCK - 1} or {row} == {size} - 1:")
        self.say(self.depth + 1, f"for {column} in range({self.nest.space[-1]}):")
        for value in totals:
            if self.nest.walks(value):
                name = self.sums[value]
                self.say(self.depth + 2, f"{name}_sums[{column}] += {name}_part[{column}]")
                self.say(self.depth + 2, f"{name}_part[{column}] = 0")

    def _end_total(self, value: Value) -> None:
        """Add up the columns of a total, if it is a number; give what it has come to."""
        if self.nest.walks(value):
            sums, column = f"{self.sums[value]}_sums", LETTERS[self.depth]
            loop = f"for {column} in range({self.nest.space[-1]}):"
            if any(n != 1 for n in value.shape):
                place = tuple([None if n == 1 else self.depth for n in value.shape])
                result = self._result(value, f"{sums}[{column}]")
                self.say(0, loop)
                self.say(1, f"{self.element(self.arrays[value], place)} = {result}")
                return
            self.sums[value] = self._variable(value, "_sum")
            self.say(0, f"{self.sums[value]} = np.float64(0)")
            self.say(0, loop)
            self.say(1, f"{self.sums[value]} += {sums}[{column}]")
        self._finish(0, value)

    def _finish(self, depth: int, value: Value) -> None:
        """Name what a sum has come to, and keep it if others need it as an array."""
        name, result = self.sums[value], self._result(value, self.sums[value])
        if result != name:
            name = self._variable(value)
            self.say(depth, f"{name} = {result}")
        self.texts[value] = Text(name)
        if value.shape and value in self.nest.stored:
            total = self.nest.is_total(value)
            place = (None,) * len(value.shape) if total else self.nest.places[value]
            self.say(depth, f"{self.element(self.arrays[value], place)} = {name}")

    def _result(self, value: Value, total: str) -> str:
        """Write what a sum has come to: for a mean divided by the count, and in its dtype."""
        if value.op is reductions.mean:
            shape = next(value.values).shape
            sizes = [str(n) for axis, n in enumerate(shape) if n != 1 and axis in axes_of(value)]
            total += f" / ({' * '.join(sizes)})" if sizes[1:] else f" / {sizes[0]}"
        wide = value.dtype == float or value.op in EXTREMA
        return total if wide else f"np.{value.dtype.name}({total})"

    # Formulas of whole arrays

    def _formulas(self) -> None:
        """Say in comments what the loops compute."""
        whole: dict[Value, Text] = {}

        def read(input: Any) -> Text:
            if not isinstance(input, Value):
                return literal(input)
            if input in whole:
                return whole[input]
            if input in self.arrays or input in self.texts:
                return Text(self.arrays.get(input) or self.texts[input].code)
            return written(input, [read(i) for i in input.inputs])

        for value in self.nest.places:
            text = written(value, [read(input) for input in value.inputs])
            alone = len(self.users[value]) == 1 and value not in self.nest.stored
            if alone and not value.name and len(text.code) <= WIDTH // 2:
                whole[value] = text
                continue
            whole[value] = Text(self._label(value))
            for line in textwrap.wrap(f"{self._label(value)} = {text.code}", WIDTH - 8,
                                      subsequent_indent="    "):  # fmt: skip
                self.say(0, f"# {line}")
