"""Arrays turned, repeated, padded, joined and split: in front of the shaping ops."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from minigraph.checks import listed
from minigraph.ops.selecting import at, axis_of, take, with_shape
from minigraph.ops.shaping import broadcast_to, concatenate, getitem, reshape, swapaxes, transpose
from minigraph.tensor import Tensor

Axes = int | Sequence[int]

# Axes


def ravel(x: Any) -> Tensor:
    """Give the entries one axis, in C order."""
    return reshape(x, (-1,))


def moveaxis(x: Any, source: Axes, destination: Axes) -> Tensor:
    """Move axes to other places; the others keep their order."""
    x = with_shape(x)
    old, new = ([axis_of(x, int(i)) for i in np.atleast_1d(axes)] for axes in (source, destination))
    if len(set(old)) != len(old) or len(set(new)) != len(new) or len(old) != len(new):
        raise ValueError(f"moveaxis: {source} to {destination}: as many different axes are meant")
    order = [i for i in range(x.ndim) if i not in old]
    for place, axis in sorted(zip(new, old)):
        order.insert(place, axis)
    return transpose(x, order)


def rollaxis(x: Any, axis: int, start: int = 0) -> Tensor:
    """Move an axis back until it stands before the one of number `start`."""
    x = with_shape(x)
    axis = axis_of(x, axis)
    start = start + x.ndim if start < 0 else start
    return moveaxis(x, axis, start - 1 if axis < start else start)


def matrix_transpose(x: Any) -> Tensor:
    """Exchange the last two axes."""
    return swapaxes(x, -1, -2)


def atleast_1d(*arrays: Any) -> Any:
    """Give a scalar an axis."""
    return _each(arrays, lambda x: reshape(x, (1,)) if x.ndim == 0 else x)


def atleast_2d(*arrays: Any) -> Any:
    """Make scalars and vectors rows of a matrix."""
    return _each(arrays, lambda x: reshape(x, (1, -1)) if x.ndim < 2 else x)


def atleast_3d(*arrays: Any) -> Any:
    """Give three axes: a vector becomes (1, n, 1), a matrix (n, m, 1)."""

    def deep(x: Any) -> Any:
        return reshape(x, (1, -1, 1) if x.ndim < 2 else (*x.shape, 1)) if x.ndim < 3 else x

    return _each(arrays, deep)


def _each(arrays: Sequence[Any], change: Any) -> Any:
    changed = tuple([change(with_shape(x)) for x in arrays])
    return changed[0] if len(changed) == 1 else changed


# Order


def flip(x: Any, axis: Any = None) -> Tensor:
    """Reverse the order along axes; along all by default."""
    x = with_shape(x)
    axes = range(x.ndim) if axis is None else [axis_of(x, i) for i in np.atleast_1d(axis)]
    return getitem(x, tuple([slice(None, None, -1 if i in axes else 1) for i in range(x.ndim)]))


def flipud(x: Any) -> Tensor:
    """Reverse the rows."""
    return flip(x, 0)


def fliplr(x: Any) -> Tensor:
    """Reverse the columns."""
    return flip(x, 1)


def rot90(x: Any, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Tensor:
    """Turn by k right angles, from the first axis towards the second."""
    first, second = axes
    if k % 4 == 0:
        return getitem(x, ())
    if k % 4 == 2:
        return flip(x, axes)
    if k % 4 == 1:
        return swapaxes(flip(x, second), first, second)
    return flip(swapaxes(x, first, second), second)


def roll(x: Any, shift: Any, axis: Any = None) -> Tensor:
    """Shift along axes; what falls off at one end comes in at the other."""
    x = with_shape(x)
    if axis is None:
        return roll(x.reshape(-1), int(np.sum(shift)), 0).reshape(x.shape)
    for by, i in np.broadcast(shift, axis):
        n = x.shape[axis_of(x, i)]
        cut = int(-by) % n if n else 0
        if cut:
            x = concatenate([at(x, i, slice(cut, None)), at(x, i, slice(None, cut))], int(i))
    return getitem(x, ())


# Copies


def tile(x: Any, reps: Any) -> Tensor:
    """Put copies side by side, `reps` of them along each axis."""
    x = with_shape(x)
    counts = [int(n) for n in np.atleast_1d(reps)]
    ndim = max(x.ndim, len(counts))
    counts = [1] * (ndim - len(counts)) + counts
    sizes = [1] * (ndim - x.ndim) + list(x.shape)
    apart = reshape(x, tuple([n for size in sizes for n in (1, size)]))
    copies = broadcast_to(apart, tuple([n for pair in zip(counts, sizes) for n in pair]))
    return copies.reshape([n * size for n, size in zip(counts, sizes)])


def repeat(x: Any, repeats: Any, axis: int | None = None) -> Tensor:
    """Repeat each entry along an axis, or of the flat form."""
    x = with_shape(x)
    if axis is None:
        x, axis = x.reshape(-1), 0
    axis = axis_of(x, axis)
    if np.ndim(repeats):
        return take(x, np.repeat(np.arange(x.shape[axis]), repeats), axis)
    n, before, after = int(repeats), x.shape[: axis + 1], x.shape[axis + 1 :]
    copies = broadcast_to(reshape(x, (*before, 1, *after)), (*before, n, *after))
    return copies.reshape(*before[:-1], n * before[-1], *after)


_PLACES = ("edge", "reflect", "symmetric", "wrap")


def pad(x: Any, pad_width: Any, mode: str = "constant", *, constant_values: Any = 0) -> Tensor:
    """Add entries at the ends of axes: constants, or copies of those inside."""
    x = with_shape(x)
    if mode not in ("constant", *_PLACES):
        modes = ", ".join(("constant", *_PLACES))
        raise TypeError(f"pad: mode {mode!r} has no rule in minigraph; {modes} have")
    values = np.broadcast_to(constant_values, (x.ndim, 2))
    for axis, (before, after) in enumerate(np.broadcast_to(pad_width, (x.ndim, 2)).tolist()):
        if before < 0 or after < 0:
            raise ValueError(f"pad: {pad_width}: widths are not negative")
        if mode == "constant":
            ends = []
            for n, value in zip((before, after), values[axis]):
                shape = (*x.shape[:axis], n, *x.shape[axis + 1 :])
                ends.append(np.full(shape, value, x.dtype))
            x = concatenate([ends[0], x, ends[1]], axis)
        else:
            x = take(x, np.pad(np.arange(x.shape[axis]), (before, after), mode), axis)  # type: ignore[call-overload]
    return getitem(x, ())


def broadcast_arrays(*arrays: Any) -> tuple[Tensor, ...]:
    """Repeat each to the shape that they broadcast to."""
    shape = np.broadcast_shapes(*[np.shape(x) for x in arrays])
    return tuple([broadcast_to(x, shape) for x in arrays])


def meshgrid(*axes: Any, indexing: str = "xy", sparse: bool = False) -> tuple[Any, ...]:
    """Make the coordinates of a grid from those along its axes."""
    if indexing not in ("xy", "ij"):
        raise ValueError(f"meshgrid: indexing is 'xy' or 'ij', not {indexing!r}")
    places = list(range(len(axes)))
    if indexing == "xy":
        places[:2] = places[:2][::-1]
    lines = []
    for place, x in zip(places, axes):
        lines.append(reshape(x, tuple([-1 if i == place else 1 for i in range(len(axes))])))
    return tuple(lines) if sparse else broadcast_arrays(*lines)


# Joining


def hstack(arrays: Any) -> Tensor:
    """Join side by side: along the second axis, vectors along their only one."""
    parts = [atleast_1d(x) for x in listed(arrays, "hstack: arrays", "a sequence of arrays")]
    return concatenate(parts, 0 if parts and parts[0].ndim == 1 else 1)


def vstack(arrays: Any) -> Tensor:
    """Join one below the other; vectors are rows."""
    parts = listed(arrays, "vstack: arrays", "a sequence of arrays")
    return concatenate([atleast_2d(x) for x in parts], 0)


def dstack(arrays: Any) -> Tensor:
    """Join along the third axis."""
    parts = listed(arrays, "dstack: arrays", "a sequence of arrays")
    return concatenate([atleast_3d(x) for x in parts], 2)


def column_stack(arrays: Any) -> Tensor:
    """Join side by side; vectors are columns."""
    parts = [with_shape(x) for x in listed(arrays, "column_stack: arrays", "a sequence of arrays")]
    return concatenate([reshape(x, (-1, 1)) if x.ndim < 2 else x for x in parts], 1)


def append(x: Any, values: Any, axis: int | None = None) -> Tensor:
    """Join `values` to the end; the flat forms where no axis is given."""
    return concatenate([x, values], axis)


def block(arrays: Any) -> Tensor:
    """Join blocks: innermost lists along the last axis, those around them along the one before."""
    depth = _depth(arrays)
    ndim = max(depth, *_each_ndim(arrays), 1)

    def joined(part: Any, level: int) -> Any:
        if level == depth:
            part = with_shape(part)
            return reshape(part, (*[1] * (ndim - part.ndim), *part.shape))
        return concatenate([joined(each, level + 1) for each in part], level - depth)

    y = joined(arrays, 0)
    return y if depth else getitem(reshape(y, with_shape(arrays).shape), ())


def _depth(arrays: Any) -> int:
    if not isinstance(arrays, list):
        return 0
    depths = {_depth(part) for part in arrays}
    if len(depths) != 1:
        raise ValueError(f"block: lists of depths {sorted(depths)} side by side, or an empty one")
    return depths.pop() + 1


def _each_ndim(arrays: Any) -> list[int]:
    if not isinstance(arrays, list):
        return [np.ndim(arrays)]
    return [n for part in arrays for n in _each_ndim(part)]


def insert(x: Any, places: Any, values: Any, axis: int | None = None) -> Tensor:
    """Put values before these places of an axis, or of the flat form."""
    x, values = with_shape(x), with_shape(values)
    if axis is None:
        x, axis = x.reshape(-1), 0
    axis = axis_of(x, axis)
    n = x.shape[axis]
    count = len(np.arange(n)[places]) if isinstance(places, slice) else np.size(places)
    if count == 1:  # here all the values come to one place
        values = reshape(values, (*[1] * (x.ndim - values.ndim), *values.shape))
        if np.ndim(places) == 0 and not isinstance(places, slice):
            values = moveaxis(values, 0, axis)
        count = values.shape[axis]
    values = broadcast_to(values.astype(x.dtype), (*x.shape[:axis], count, *x.shape[axis + 1 :]))
    order = np.insert(np.arange(n), places, np.arange(n, n + count))
    return take(concatenate([x, values], axis), order, axis)


# Splitting


def array_split(x: Any, parts: Any, axis: int = 0) -> list[Tensor]:
    """Cut into so many parts, or at these places; the first ones may be longer by one."""
    x = with_shape(x)
    n = x.shape[axis_of(x, axis)]
    if np.ndim(parts):
        cuts = [0, *map(int, parts), n]
    else:
        if parts < 1:
            raise ValueError(f"array_split: {parts} parts; at least one is meant")
        short, longer = divmod(n, int(parts))
        cuts = [i * short + min(i, longer) for i in range(int(parts) + 1)]
    return [at(x, axis, slice(start, stop)) for start, stop in pairwise(cuts)]


def split(x: Any, parts: Any, axis: int = 0) -> list[Tensor]:
    """Cut into so many equal parts, or at these places."""
    x = with_shape(x)
    n = x.shape[axis_of(x, axis)]
    if not np.ndim(parts) and n % parts:
        raise ValueError(f"split: {parts} equal parts of size {n}: it is no multiple")
    return array_split(x, parts, axis)


def hsplit(x: Any, parts: Any) -> list[Tensor]:
    """Cut along the second axis, a vector along its only one."""
    return split(x, parts, 0 if np.ndim(x) == 1 else 1)


def vsplit(x: Any, parts: Any) -> list[Tensor]:
    """Cut along the first axis."""
    return split(x, parts, 0)


def dsplit(x: Any, parts: Any) -> list[Tensor]:
    """Cut along the third axis."""
    return split(x, parts, 2)


def unstack(x: Any, *, axis: int = 0) -> tuple[Tensor, ...]:
    """Give the parts along an axis, each without it."""
    x = with_shape(x)
    return tuple([at(x, axis, i) for i in range(x.shape[axis_of(x, axis)])])
