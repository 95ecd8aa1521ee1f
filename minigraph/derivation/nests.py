"""Nests of loops: what is computed in one walk over arrays.

A nest walks one space, the last axis innermost. Its members are entries, computed in the innermost
loop; rows, computed once for all entries along the last axis, such as sums over it; and totals,
sums over all rows, which are known when the nest is done.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from minigraph.derivation.program import Value
from minigraph.ops import neural, reductions, shaping

__all__ = [
    "EXTREMA", "MADE", "SEVERAL", "SUMS", "Nest", "Place", "axes_of",
    "in_order", "long_axes", "seen_through", "source", "summed",
]  # fmt: skip

Place = tuple[int | None, ...]  # the axis of the space for each axis of a value; None: it is 1 long

MADE = ("arange", "full")  # what takes no array: known from the index alone
SUMS = (reductions.sum, reductions.mean, neural.norm1, neural.l2_penalty)
EXTREMA = (reductions.max, reductions.min)
SEVERAL = (*SUMS, *EXTREMA, shaping.indexing)  # of more than one entry of their inputs


@dataclass(eq=False)
class Nest:
    """A nest of loops.

    Attributes
    ----------
    space : tuple of int or Size
        How many steps each loop takes; none takes 1.
    places : dict of Value to tuple
        The members, and which axis of the space each of their axes is.
    reads : dict of Value to None
        Arrays and numbers that others make, or the caller.
    stored : dict of Value to None
        Members that are kept as arrays: read outside, or in a later loop over the same row.
    loops : dict of Value to int
        In which of the innermost loops, one after the other, a member is computed. A row is
        computed after the loop of this number; before all of them for -1.
    """

    space: tuple[Any, ...]
    places: dict[Value, Place] = field(default_factory=dict)
    reads: dict[Value, None] = field(default_factory=dict)
    stored: dict[Value, None] = field(default_factory=dict)
    loops: dict[Value, int] = field(default_factory=dict)

    @property
    def outer(self) -> set[int]:
        """The axes of the outer loops."""
        return set(range(len(self.space) - 1))

    def is_entry(self, place: Place) -> bool:
        """Tell whether what has this place is computed in the innermost loop."""
        return not self.space or len(self.space) - 1 in place

    def is_total(self, value: Value) -> bool:
        """Tell whether a member is known only when the nest is done."""
        return value.op in SUMS and bool(summed(value) & self.outer)

    def walks(self, value: Value) -> bool:
        """Tell whether a member takes part in an innermost loop."""
        if value.op in (*SUMS, *EXTREMA):
            return self.is_entry(self.inputs(value)[0][1])
        return self.is_entry(self.places[value])

    def inputs(self, value: Value) -> list[tuple[Any, Place]]:
        """List the inputs of a member, views seen through, and the place of each."""
        return [seen_through(input, at) for input, at in _inputs(value, self.places[value])]

    def users(self) -> dict[Value, list[Value]]:
        """List for each member which members read it."""
        users: dict[Value, list[Value]] = {value: [] for value in self.places}
        for value in self.places:
            for input, _ in self.inputs(value):
                if input in users:
                    users[input].append(value)
        return users


def _inputs(value: Value, place: Place) -> list[tuple[Any, Place]]:
    if value.op in (*SUMS, *EXTREMA):
        return [(i, in_order(i.shape)) for i in value.inputs]
    if value.op is shaping.indexing:  # one entry of each row
        z, _, labels = value.inputs
        return [(z, (0, 1)), (labels, (0,))]
    found = []
    for input in value.inputs:
        shape = input.shape if isinstance(input, Value) else ()
        beside = place[len(place) - len(shape) :]
        found.append((input, tuple([None if n == 1 else a for n, a in zip(shape, beside)])))
    return found


def seen_through(input: Any, place: Place) -> tuple[Any, Place]:
    """Give what an input shows, if it is a view, and the place of that."""
    while isinstance(input, Value) and (found := source(input)) is not None:
        input, axes = found
        place = tuple([None if axis is None else place[axis] for axis in axes])
    return input, place


def source(view: Value) -> tuple[Any, list[int | None]] | None:
    """Give what a view shows, and which axis of the view each axis of that is.

    None is given for what is no view, or one of a part or in another order.
    """
    if view.op is shaping.broadcast_to:
        of = view.inputs[0]
        shape = of.shape if isinstance(of, Value) else ()
        less = len(view.shape) - len(shape)
        return of, [None if n == 1 else axis + less for axis, n in enumerate(shape)]
    if view.op not in (shaping.reshape, shaping.expand_dims, shaping.squeeze, shaping.indexing):
        return None
    of = view.inputs[0]
    index = view.attributes["index"] if view.op is shaping.indexing else ()
    if any(not _is_whole(part) for part in index) or long_axes(view.shape) != long_axes(of.shape):
        return None
    rest = iter([axis for axis, n in enumerate(view.shape) if n != 1])
    return of, [None if n == 1 else next(rest) for n in of.shape]


def _is_whole(part: Any) -> bool:
    return part is None or part is Ellipsis or part == slice(None) or type(part) is int


def long_axes(shape: Sequence[Any]) -> tuple[Any, ...]:
    """Leave out axes of one entry, for which there is no loop."""
    return tuple([n for n in shape if n != 1])


def in_order(shape: Sequence[Any]) -> Place:
    """Take the axes of the space as they come."""
    rest = iter(range(len(shape)))
    return tuple([None if n == 1 else next(rest) for n in shape])


def summed(value: Value) -> set[int]:
    """List the axes of the space over which a member sums."""
    place = in_order(next(value.values).shape)
    return {at for axis in axes_of(value) if (at := place[axis]) is not None}


def axes_of(value: Value) -> set[int]:
    """List the axes over which a value sums."""
    axis, rank = value.attributes.get("axis"), len(next(value.values).shape)
    axes = range(rank) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    return {axis % rank for axis in axes}
