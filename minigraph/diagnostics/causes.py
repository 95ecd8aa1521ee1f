"""What a cause is, and how places in an array are told."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from minigraph.tensor import Tensor

__all__ = ["Cause", "counted", "listed"]

FEW = 5  # so many places are listed


@dataclass(frozen=True, eq=False)
class Cause:
    """One reason why a gradient is None or 0.

    Attributes
    ----------
    kind : str
        Of a cut: "requires_grad", "set later", "integer", "detach", "no_grad", "data", "copy",
        "number", "constant", "no formula", "unrecorded", "side branch", "other tensor", "no path".
        Of zeros: "closed", "mask", "saturated", "zero factor", "unread", "flat", "underflow",
        "cancel", "seed".
    text : str
        The reason in words.
    node : Tensor or None
        Where it happens: the consumer that takes the cut tensor, or whose derivative is 0.
    slot : int or None
        In which place of the node's inputs.
    source, end : Tensor, array, number or None
        The two sides of a cut: towards x, and towards the loss.
    count : int
        How many entries it makes 0, of how many.
    of : int
    units : tuple of int
        Of closed relus the columns that are closed in all rows.
    """

    kind: str
    text: str
    node: Tensor | None = None
    slot: int | None = None
    source: Any = None
    end: Any = None
    count: int = 0
    of: int = 0
    units: tuple[int, ...] = ()

    def __str__(self) -> str:
        return self.text


def counted(count: int, of: int) -> str:
    """Write so many of so many entries."""
    if count == of:
        return "its only entry" if of == 1 else f"all {of:,} entries"
    return f"{count:,} of {of:,} entries"


def listed(places: Any) -> str:
    """Write the first few of some places."""
    places = list(places)
    more = f", … ({len(places):,} in all)" if len(places) > FEW else ""
    return ", ".join(str(place) for place in places[:FEW]) + more


def whole_columns(mask: Any) -> tuple[int, ...]:
    """List the columns of a matrix, or of a stack of them, in which the mask holds everywhere."""
    if mask.ndim < 2 or mask.size == 0:
        return ()
    return tuple(np.flatnonzero(mask.all(axis=tuple(range(mask.ndim - 1)))).tolist())


def places(mask: Any, column: str = "column", row: str = "row") -> str:
    """Say where a mask holds: whole columns, whole rows, or the first few entries."""
    if mask.ndim == 0 or mask.all():
        return ""
    columns = list(whole_columns(mask))
    if columns and mask.size > mask.shape[-1]:
        some = "" if mask[..., columns].sum() == mask.sum() else "among them "
        return f"{some}{_named(column, columns)} in all {mask.size // mask.shape[-1]:,} {row}s"
    rows = np.flatnonzero(mask.all(axis=-1)).tolist() if mask.ndim == 2 else []
    if rows and mask.shape[1] > 1:
        some = "" if mask[rows].sum() == mask.sum() else "among them "
        return f"{some}{_named(row, rows)} in all {mask.shape[1]:,} {column}s"
    found = [tuple(place) for place in np.argwhere(mask).tolist()]
    return f"at {listed(place[0] if len(place) == 1 else place for place in found)}"


def _named(what: str, numbers: list[int]) -> str:
    return f"{what}{'s' * (len(numbers) > 1)} {listed(numbers)}"
