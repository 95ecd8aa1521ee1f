"""Writes through the array that `.data` hands out: seen as long as somebody holds it.

NumPy writes without a word. So an array is copied when it is handed out, and compared with its copy
whenever that matters: when an operation takes it, when a sweep begins, and when nobody holds it
any more. What has changed since counts as a write at that time, like minigraph's own.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np

from minigraph.arrays import Array, same_bits
from minigraph.modes import last_write, tick

if TYPE_CHECKING:
    from minigraph.tensor import Tensor

__all__ = ["count_writes", "lend", "lent", "recount"]


class Loan:
    """The array of a leaf in somebody's hands, as a view, with a copy of what it held."""

    __slots__ = ("array", "clock", "copy", "view")

    def __init__(self, tensor: "Tensor", view: Callable[[], Array | None]) -> None:
        assert tensor._written is not None
        self.array, self.clock, self.view = tensor._array, tensor._written, view
        self.copy: Array = self.array.copy()

    def has_changed(self) -> bool:
        """Tell whether the array was written since it was looked at last; count that."""
        if same_bits(self.array, self.copy):
            return False
        np.copyto(self.copy, self.array)
        self.clock[0] = last_write[0] = tick()
        return True


lent: dict[int, Loan] = {}  # by the identity of the array


def lend(tensor: "Tensor") -> Array:
    """Hand out the array of a leaf, as a view that is gone when nobody holds it or a part of it.

    NumPy makes the owner of the memory the base of a view, but for one through a buffer: that is
    the base of all that are made of it.
    """
    key = id(tensor._array)
    loan = lent.get(key)
    view = loan.view() if loan else None
    if view is None:
        if tensor._written is None:
            tensor._written = [0]
        view = np.asarray(memoryview(tensor._array))  # the buffer is the base of its views
        lent[key] = Loan(tensor, ref(view, lambda gone: _returned(key, gone)))
    return view


def _returned(key: int, view: Any) -> None:
    loan = lent.get(key)
    if loan is not None and loan.view is view:
        del lent[key]
        loan.has_changed()


def count_writes() -> None:
    """Count what was written through arrays that are lent."""
    for loan in list(lent.values()):
        loan.has_changed()


def recount(node: "Tensor") -> None:
    """Count what was written to the inputs of a node that has just been made, before it."""
    clocks = [id(input._written) for input in node.inputs if getattr(input, "_written", None)]
    changed = [loan.has_changed() for loan in list(lent.values()) if id(loan.clock) in clocks]
    if any(changed):
        node.number = tick()
