"""Entries chosen by place, by order or by a mask: in front of `getitem` and `where`.

Which entries are chosen is a constant; the cotangent goes back to where they were taken from.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minigraph.arrays import is_array
from minigraph.op import Op
from minigraph.ops.elementwise import where
from minigraph.ops.shaping import getitem
from minigraph.tensor import Tensor


def with_shape(x: Any) -> Any:
    """Give what has a shape: a Tensor or an array."""
    return x if isinstance(x, Tensor) or is_array(x) else np.asarray(x)


def at(x: Any, axis: int, index: Any) -> Tensor:
    """Index one axis, and leave those before it as they are."""
    return getitem(x, (slice(None),) * axis_of(x, axis) + (index,))


def axis_of(x: Any, axis: int) -> int:
    """Count an axis from the front."""
    if not -x.ndim <= axis < x.ndim:
        raise np.exceptions.AxisError(axis, x.ndim)
    return axis % x.ndim


def take(x: Any, indices: Any, axis: int | None = None) -> Tensor:
    """Take entries along an axis, or of the flat form; repeated ones add up on the way back."""
    x = with_shape(x)
    if axis is None:
        x, axis = x.reshape(-1), 0
    index = with_shape(indices)
    return at(x, axis, index if index.ndim else int(index))


def take_along_axis(x: Any, indices: Any, axis: int | None = -1) -> Tensor:
    """Take from each row along an axis the entries at its own places."""
    x, indices = with_shape(x), with_shape(indices)
    if axis is None:
        return getitem(x.reshape(-1), indices)
    if x.ndim != indices.ndim:
        raise ValueError(f"take_along_axis: {x.ndim} axes, but {indices.ndim} of the indices")
    axis = axis_of(x, axis)
    places = [indices if i == axis else _line(n, x.ndim - i) for i, n in enumerate(x.shape)]
    return getitem(x, tuple(places))


def _line(n: int, ndim: int) -> Any:
    return np.arange(n).reshape(-1, *[1] * (ndim - 1))


def compress(condition: Any, x: Any, axis: int | None = None) -> Tensor:
    """Take the entries along an axis where the condition holds."""
    return take(x, np.flatnonzero(with_shape(condition)), axis)


def delete(x: Any, places: Any, axis: int | None = None) -> Tensor:
    """Leave out the entries at these places."""
    x = with_shape(x)
    n = x.size if axis is None else x.shape[axis_of(x, axis)]
    return take(x, np.delete(np.arange(n), places), axis)


# Order


def _argsort(x, *, axis=-1, kind=None):
    """Find the places that sort the entries along an axis."""
    return np.argsort(x, axis=axis, kind=kind)


def _argpartition(x, *, kth, axis=-1):
    """Find the places that put the k-th entry where sorting would, smaller ones before it."""
    return np.argpartition(x, kth, axis=axis)


argsort = Op(_argsort, x=None, name="argsort")
partition_places = Op(_argpartition, x=None, name="argpartition")


def argpartition(x: Any, kth: Any, axis: int | None = -1) -> Tensor:
    """Find the places that put the k-th entry where sorting would, smaller ones before it."""
    return partition_places(x, kth=kth, axis=axis)


def sort(x: Any, axis: int | None = -1, kind: str | None = None, *, stable: Any = None) -> Tensor:
    """Sort along an axis; where entries tie, the derivative is that of the order that is given."""
    return take_along_axis(x, argsort(x, axis=axis, kind="stable" if stable else kind), axis)


def _searchsorted(a, v, *, side="left"):
    """Find the places at which these values keep a sorted vector sorted."""
    return np.searchsorted(a, v, side)


places_in_order = Op(_searchsorted, a=None, v=None, name="searchsorted")


def searchsorted(a: Any, v: Any, side: str = "left") -> Tensor:
    """Find the places at which the values `v` keep the sorted vector `a` sorted."""
    return places_in_order(a, v, side=side)


def partition(x: Any, kth: Any, axis: int | None = -1) -> Tensor:
    """Put the k-th entry where sorting would, the smaller ones before it."""
    return take_along_axis(x, argpartition(x, kth, axis), axis)


# Masks


def select(conditions: Sequence[Any], choices: Sequence[Any], default: Any = 0) -> Tensor:
    """Choose by the first condition that holds."""
    if len(conditions) != len(choices) or not len(choices):
        raise ValueError(f"select: {len(conditions)} conditions, but {len(choices)} choices")
    y = default
    for condition, choice in zip(reversed(conditions), reversed(choices)):
        y = where(condition, choice, y)
    return y


def _below(x: Any, k: int) -> Any:
    """Mark the places on and below the k-th diagonal."""
    rows, columns = x.shape[-2:] if x.ndim > 1 else 2 * x.shape
    return np.tri(rows, columns, k, dtype=bool)


def tril(x: Any, k: int = 0) -> Tensor:
    """Keep the entries on and below the k-th diagonal."""
    x = with_shape(x)
    return where(_below(x, k), x, 0)


def triu(x: Any, k: int = 0) -> Tensor:
    """Keep the entries on and above the k-th diagonal."""
    x = with_shape(x)
    return where(_below(x, k - 1), 0, x)


def extract(condition: Any, x: Any) -> Tensor:
    """Take the entries where the condition holds, of the flat forms."""
    return compress(with_shape(condition).reshape(-1), x)


def choose(a: Any, choices: Any, mode: str = "raise") -> Tensor:
    """Choose each entry from the array of the number that stands in `a`."""
    places, n = with_shape(a), len(choices)
    if mode not in ("raise", "wrap", "clip"):
        raise ValueError(f"choose: mode is 'raise', 'wrap' or 'clip', not {mode!r}")
    if places.dtype.kind not in "iub":
        raise TypeError(f"choose: places are integers, not {places.dtype}")
    if mode == "raise" and not ((places >= 0) & (places < n)).all():
        raise ValueError(f"choose: a place is not one of 0 ... {n - 1}, of {n} choices")
    places = places % n if mode == "wrap" else np.clip(places, 0, n - 1)
    y: Any = 0
    for i, choice in enumerate(choices):
        y = where(places == i, choice, y)
    return y


# Diagonals


def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """Take a diagonal of two axes; it comes last."""
    x = np.moveaxis(with_shape(x), (axis1, axis2), (-2, -1))
    n, m = x.shape[-2:]
    rows = np.arange(max(0, -offset), max(0, -offset, min(n, m - offset)))
    return getitem(x, (..., rows, rows + offset))


def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """Add up a diagonal of two axes."""
    return diagonal(x, offset, axis1, axis2).sum(axis=-1)


def diagflat(x: Any, k: int = 0) -> Tensor:
    """Make a matrix with these entries on its k-th diagonal."""
    x = with_shape(x).reshape(-1)
    n = x.size + abs(k)
    places = np.clip(np.arange(n) - max(0, -k), 0, max(0, x.size - 1))  # of each row's entry
    return where(np.eye(n, k=k, dtype=bool), take(x, places)[:, None], 0)


def diag(x: Any, k: int = 0) -> Tensor:
    """Make a matrix with this diagonal, or take the diagonal of a matrix."""
    x = with_shape(x)
    if x.ndim not in (1, 2):
        raise ValueError(f"diag: {x.ndim} axes; a vector or a matrix is meant")
    return diagflat(x, k) if x.ndim == 1 else diagonal(x, k)
