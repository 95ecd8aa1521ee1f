"""What is known of a node besides what it holds, if it was recorded inside `minigraph.debug`."""

import linecache
import os
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import ref

from minigraph.arrays import Array, same_bits

if TYPE_CHECKING:
    from minigraph.tensor import Tensor

__all__ = ["OUTPUT", "Line", "Note", "Origin", "changed", "keep", "line_of", "notes", "origin_of"]

OUTPUT = -1  # the slot of what the op computed


class Line(NamedTuple):
    """A line of the user's program; printed with its text."""

    file: str
    number: int
    function: str

    def __str__(self) -> str:
        text = linecache.getline(self.file, self.number).strip()
        where = f"{os.path.basename(self.file)}, line {self.number}, in {self.function}"
        return f"{where}: {text}" if text else where


class Origin(NamedTuple):
    """Where the path to a tensor that keeps no inputs was cut: by an op, or, if None, by detach.

    What is made of such a tensor has the same origin. It holds no tensor: what is dropped must go.
    """

    op: Any
    inputs: tuple[tuple[int, Callable[[], Any]], ...]  # slot, weak reference
    leaves: frozenset[int]  # the numbers of those behind it that require a gradient
    line: Line | None


class Note(NamedTuple):
    """Where a node was made, of what, and copies of the arrays that its formulas may read."""

    node: Callable[[], Any]  # a weak reference: a note goes with its node
    line: Line | None
    copies: tuple[tuple[int, Array, Array], ...]  # slot, array, copy
    origin: Origin | None  # if the node itself does not tell


notes: dict[int, Note] = {}  # by the number of the node


def keep(
    node: "Tensor",
    line: Line | None,
    read: Iterable[tuple[int, Array]] = (),
    origin: Origin | None = None,
) -> None:
    """Note the line of a node, and copy the arrays that its formulas may read, given by slot."""
    number = node.number
    copies = tuple([(slot, array, _copied(array)) for slot, array in read])
    gone = ref(node, lambda _: notes.pop(number, None))
    notes[number] = Note(gone, line, copies, origin)


def changed(node: "Tensor") -> Iterator[int]:
    """Give the slots of the arrays that have been written since."""
    note = notes.get(node.number)
    if note is not None:
        for slot, array, copy in note.copies:
            if not same_bits(array, copy):
                yield slot


def line_of(node: Any) -> Line | None:
    """Give the line in which a node was made, if that is known."""
    note = notes.get(getattr(node, "number", 0))
    return note.line if note else None


def origin_of(node: "Tensor") -> Origin | None:
    """Give what a node was made of that keeps no inputs, if that is known."""
    note = notes.get(node.number)
    return note.origin if note else None


# One copy does for all nodes that read an array, as long as it does not change.
_latest: dict[int, tuple[Callable[[], Any], Array]] = {}


def _copied(array: Array) -> Array:
    key = id(array)
    known = _latest.get(key)
    if known is not None and known[0]() is array and same_bits(array, known[1]):
        return known[1]
    copy = array.copy()
    _latest[key] = ref(array, lambda _: _latest.pop(key, None)), copy
    return copy
