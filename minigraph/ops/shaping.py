"""Shaping ops: every entry of the result is an entry of an input, at another place."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minigraph.arrays import array_of, check_kind, dtype_of, is_array
from minigraph.checks import listed
from minigraph.methods import Operand
from minigraph.op import Op
from minigraph.tensor import Tensor


def _reshape(x, *, shape):
    """Give the same entries another shape, in C order; one size may be -1."""
    return np.reshape(x, shape)


reshape = Op(
    _reshape,
    x=lambda g, y, x, shape: g.reshape(x.shape),
    name="reshape",
    texts={"x": "{g}.reshape({x}.shape)"},
)


def _transpose(x, *, axes=None):
    """Permute the axes; reverse them by default."""
    return np.transpose(x, axes)


def _inverse(axes: Sequence[int] | None) -> Sequence[int] | None:
    if axes is None:
        return None
    return [int(i) for i in np.argsort([axis % len(axes) for axis in axes])]


transpose = Op(
    _transpose,
    x=lambda g, y, x, axes: np.transpose(g, _inverse(axes)),
    name="transpose",
    texts={"y": "{x}ᵀ", "x": "{g}ᵀ"},
)


def _swapaxes(x, *, axis1, axis2):
    """Exchange two axes."""
    return np.swapaxes(x, axis1, axis2)


swapaxes = Op(
    _swapaxes,
    x=lambda g, y, x, axis1, axis2: g.swapaxes(axis1, axis2),
    name="swapaxes",
    texts={"y": "{x}.swapaxes({axis1}, {axis2})", "x": "{g}.swapaxes({axis1}, {axis2})"},
)


def _squeeze(x, *, axis=None):
    """Drop axes of size 1."""
    y = np.squeeze(x, axis)
    return y.view() if y is x else y  # where there is nothing to drop, NumPy gives x itself


squeeze = Op(
    _squeeze,
    x=lambda g, y, x, axis: g.reshape(x.shape),
    name="squeeze",
    texts={"x": "{g}.reshape({x}.shape)"},
)


def _expand_dims(x, *, axis):
    """Insert axes of size 1."""
    return np.expand_dims(x, axis)


expand_dims = Op(
    _expand_dims,
    x=lambda g, y, x, axis: g.reshape(x.shape),
    name="expand_dims",
    texts={"x": "{g}.reshape({x}.shape)"},
)


def _broadcast_to(x, *, shape):
    """Repeat along new axes and axes of size 1, without copying."""
    return np.broadcast_to(x, shape)


broadcast_to = Op(
    _broadcast_to,
    x=lambda g, y, x, shape: g,  # the sweep undoes the broadcasting
    name="broadcast_to",
    broadcasts=True,
    texts={"x": "{g}"},
)


def _copy(x):
    """Copy the entries."""
    return np.array(x)


copy = Op(_copy, x=lambda g, y, x: g, name="copy", texts={"x": "{g}"})


def _cast(x, *, dtype):
    """Convert to another dtype, always into a new array."""
    return np.asarray(x).astype(dtype) if not is_array(x) else x.astype(dtype)


cast = Op(
    _cast,
    x=lambda g, y, x, dtype: g.astype(x.dtype),
    name="astype",
    texts={"y": "{x}.astype({dtype})", "x": "{g}.astype({x}.dtype)"},
)
cast_to_constant = Op(_cast, x=None, name="astype", texts={"y": "{x}.astype({dtype})"})


def astype(x: Operand, dtype: Any) -> Tensor:
    """Convert to another dtype; integers and booleans carry no gradient.

    Parameters
    ----------
    x : array_like
    dtype : dtype_like
        Of floats, integers or booleans.

    Returns
    -------
    Tensor
        A new array of the shape of `x`; a gradient comes back in the dtype of `x`.

    Raises
    ------
    TypeError
        If `dtype` is of another kind.

    Examples
    --------
    >>> import numpy as np, minigraph as mg
    >>> x = mg.Tensor([1.5, 2.5], requires_grad=True)
    >>> mg.grad(mg.astype(x, np.float32).sum(), x).dtype
    dtype('float64')
    """
    dtype = check_kind(np.empty(0, dtype_of(dtype, "astype: dtype")), "astype: dtype").dtype
    return (cast if dtype.kind == "f" else cast_to_constant)(x, dtype=dtype)


# Joining. Each input's cotangent is its own part of g.


def _concatenate(*arrays, axis=0):
    """Join along an existing axis."""
    return np.concatenate(arrays, axis)


def _part(g: Any, arrays: tuple[Any, ...], i: int, axis: int) -> Any:
    start = sum(array.shape[axis] for array in arrays[:i])
    stop = start + arrays[i].shape[axis]
    return g[(slice(None),) * (axis % g.ndim) + (slice(start, stop),)]


concatenation = Op(
    _concatenate,
    each=lambda i: lambda g, y, *arrays, axis: _part(g, arrays, i, axis),
    name="concatenate",
    texts={"each": "split({g}, axis={axis})[{i}]"},
)


def concatenate(arrays: Sequence[Operand], axis: int | None = 0) -> Tensor:
    """Join arrays along an existing axis.

    Parameters
    ----------
    arrays : sequence of array_like
        Of the same shape, but for that axis.
    axis : int or None
        None joins their flat forms.

    Returns
    -------
    Tensor
        Its cotangent is cut at the seams.

    Raises
    ------
    ValueError
        If the other axes differ.

    Examples
    --------
    >>> import minigraph as mg
    >>> mg.concatenate([mg.Tensor([1.0]), [2.0, 3.0]])
    Tensor([1., 2., 3.], dtype=float64)
    """
    arrays = listed(arrays, "concatenate: arrays", "a sequence of arrays")
    if axis is None:
        return concatenation(*(reshape(array, (-1,)) for array in arrays))
    return concatenation(*arrays, axis=axis)


def _stack(*arrays, axis=0):
    """Join along a new axis."""
    return np.stack(arrays, axis)


stacking = Op(
    _stack,
    each=lambda i: lambda g, y, *arrays, axis: g[(slice(None),) * (axis % g.ndim) + (i,)],
    name="stack",
    texts={"each": "unstack({g}, axis={axis})[{i}]"},
)


def stack(arrays: Sequence[Operand], axis: int = 0) -> Tensor:
    """Join arrays along a new axis.

    Parameters
    ----------
    arrays : sequence of array_like
        All of one shape.
    axis : int
        The place of the new axis.

    Returns
    -------
    Tensor
        With one axis more.

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> import minigraph as mg
    >>> mg.stack([mg.Tensor([1.0, 2.0]), [3.0, 4.0]], axis=1).shape
    (2, 2)
    """
    return stacking(*listed(arrays, "stack: arrays", "a sequence of arrays"), axis=axis)


# Indexing. Arrays in an index are inputs of the op, and a mark stands in their place.

_ARRAY = "array"  # text is no index of NumPy's


def filled(index: tuple[Any, ...], arrays: Sequence[Any]) -> tuple[Any, ...]:
    """Put the arrays back where the index has marks."""
    if not arrays:
        return index
    rest = iter(arrays)
    return tuple(next(rest) if part == _ARRAY else part for part in index)


def _getitem(*inputs, index):
    """Take entries: slices, integers, boolean and integer arrays, as NumPy does."""
    x, *arrays = inputs
    return x[filled(index, arrays)]


def _scatter(*inputs, index):
    """Put `g` where it was taken from, into zeros like `x`; repeated places add up."""
    g, x, *arrays = inputs
    out = np.zeros_like(x)
    place = filled(index, arrays)
    if any(array.dtype.kind in "iu" for array in arrays):
        np.add.at(out, place, g)
    else:
        out[place] = g
    return out


indexing = Op(
    _getitem,
    each=lambda i: (
        None if i else lambda g, y, x, *arrays, index: scatter(g, x, *arrays, index=index)
    ),
    name="getitem",
    texts={"each": "scatter({g})"},
)
scatter: Op = Op(
    _scatter,
    each=lambda i: (
        None if i else lambda g, y, _, x, *arrays, index: indexing(g, *arrays, index=index)
    ),
    name="scatter",
)


def getitem(x: Operand, index: Any) -> Tensor:
    """Take ``x[index]`` by NumPy's rules; the cotangent of a repeated entry adds up."""
    parts = index if isinstance(index, tuple) else (index,)
    arrays = []
    pattern: list[Any] = []
    for part in parts:
        if isinstance(part, Tensor) and part.ndim == 0 and part.dtype.kind in "iu":
            part = int(part)
        if isinstance(part, str):
            raise IndexError(f"getitem: {part!r} is no index")
        if isinstance(part, list | bool | Tensor) or is_array(part):
            array = part if isinstance(part, Tensor) else array_of(part, "getitem: index")
            if array.dtype.kind not in "iub" and array.size:
                raise IndexError(
                    f"getitem: an index array of dtype {array.dtype}, not integers or booleans"
                )
            arrays.append(array if array.size or array.dtype.kind in "iub" else array.astype(int))
            part = _ARRAY
        pattern.append(part)
    return indexing(x, *arrays, index=tuple(pattern))
