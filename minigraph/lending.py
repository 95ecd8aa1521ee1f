"""Writes through the array that `.data` hands out: seen as long as somebody holds it.

NumPy writes without a word. So an array is copied when it is handed out, and compared with its copy
whenever that matters: when an operation takes it, when a sweep begins, and when nobody holds it
any more. What has changed since counts as a write at that time, like minigraph's own. One thread at
a time looks, or another could miss a change that is seen, but not counted yet.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np

from minigraph.arrays import Array, same_bits
from minigraph.modes import count_write, lock, tick

if TYPE_CHECKING:
    from minigraph.tensor import Tensor

__all__ = ["clock_of", "count_writes", "lend", "lent", "recount"]


class Loan:
    """The array of a leaf in somebody's hands, as a view, with a copy of what it held."""

    __slots__ = ("array", "clock", "copy", "view")

    def __init__(self, tensor: "Tensor", view: Callable[[], Array | None]) -> None:
        self.array, self.clock, self.view = tensor._array, clock_of(tensor), view
        self.copy: Array = self.array.copy()

    def has_changed(self) -> bool:
        """Tell whether the array was written since it was looked at last; count that."""
        if same_bits(self.array, self.copy):
            return False
        np.copyto(self.copy, self.array)
        count_write(self.clock)
        return True


def clock_of(tensor: "Tensor") -> list[int]:
    """Give the clock of a tensor's writes, which those who share its memory share."""
    if tensor._written is None:
        with lock:
            if tensor._written is None:
                tensor._written = [0]
    return tensor._written


lent: dict[int, Loan] = {}  # by the identity of the array


def lend(tensor: "Tensor") -> Array:
    """Hand out the array of a leaf, as a view that is gone when nobody holds it or a part of it.

    NumPy makes the owner of the memory the base of a view, but for one through a buffer: that is
    the base of all that are made of it.
    """
    key = id(tensor._array)
    with lock:
        loan = lent.get(key)
        view = loan.view() if loan else None
        if view is None:
            if loan is not None:
                loan.has_changed()  # its view is gone, but that was not told yet
            view = np.asarray(memoryview(tensor._array))  # the buffer is the base of its views
            lent[key] = Loan(tensor, ref(view, lambda gone: _returned(key, gone)))
    return view


def _returned(key: int, view: Any) -> None:
    with lock:
        loan = lent.get(key)
        if loan is not None and loan.view is view:
            del lent[key]
            loan.has_changed()


def count_writes() -> None:
    """Count what was written through arrays that are lent."""
    with lock:
        for loan in list(lent.values()):
            loan.has_changed()


def recount(node: "Tensor") -> None:
    """Count what was written to the inputs of a node that has just been made, before it."""
    clocks = [id(input._written) for input in node.inputs if getattr(input, "_written", None)]
    with lock:
        changed = [loan.has_changed() for loan in list(lent.values()) if id(loan.clock) in clocks]
    if any(changed):
        node.number = tick()
