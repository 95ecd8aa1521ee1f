"""What describes many numbers: spread, weighted means, quantiles, and all that passes over NaN.

These are short functions in front of other operations, and have no formulas of their own.
"""

import math
from typing import Any

import numpy as np

from minigraph.ops import reductions
from minigraph.ops.elementwise import clip, where
from minigraph.ops.reductions import Axis, cumprod, cumsum, norm, prod, rows_of
from minigraph.ops.selecting import at, axis_of, sort, take_along_axis, with_shape
from minigraph.ops.shaping import broadcast_to, concatenate
from minigraph.tensor import Tensor

INF = float("inf")


def _deviations(x: Any, axis: Axis, ddof: float) -> tuple[Tensor, float]:
    """Give the distances from the mean, and what to divide the sum of their squares by."""
    mean = x.mean(axis=axis, keepdims=True)
    return x - mean, max(x.size / (mean.size or 1) - ddof, 0.0)


def var(x: Any, axis: Axis = None, *, ddof: float = 0, keepdims: bool = False) -> Tensor:
    """Compute the variance: the mean of the squared distances from the mean."""
    d, n = _deviations(with_shape(x), axis, ddof)
    return (d * d).sum(axis=axis, keepdims=keepdims) / n


def std(x: Any, axis: Axis = None, *, ddof: float = 0, keepdims: bool = False) -> Tensor:
    """Compute the standard deviation; where all entries are equal, its slope is taken as 0."""
    d, n = _deviations(with_shape(x), axis, ddof)
    return norm(d, axis=axis, keepdims=keepdims) / math.sqrt(n)


def ptp(x: Any, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """Compute the range, from the smallest entry to the largest."""
    largest = reductions.max(x, axis=axis, keepdims=keepdims)
    return largest - reductions.min(x, axis=axis, keepdims=keepdims)


def average(
    x: Any, axis: Axis = None, weights: Any = None, returned: bool = False, *, keepdims: Any = False
) -> Any:
    """Compute the mean with weights; a gradient flows to these, too."""
    x = with_shape(x)
    if weights is None:
        y = x.mean(axis=axis, keepdims=keepdims)
        return (y, np.full(y.shape, x.size / (y.size or 1))) if returned else y
    w = with_shape(weights)
    if w.shape != x.shape:
        axes = [axis_of(x, i) for i in np.atleast_1d(() if axis is None else axis)]
        if w.shape != tuple(x.shape[i] for i in axes):
            raise ValueError(f"average: weights of shape {w.shape} do not fit the axes {axis}")
        order = sorted(range(len(axes)), key=axes.__getitem__)
        w = w.transpose(order).reshape([n if i in axes else 1 for i, n in enumerate(x.shape)])
    w = broadcast_to(w.astype(np.result_type(x, w)), x.shape)
    total = w.sum(axis=axis, keepdims=keepdims)
    y = (x * w).sum(axis=axis, keepdims=keepdims) / total
    return (y, total) if returned else y


def quantile(
    x: Any, q: Any, axis: Axis = None, *, method: str = "linear", keepdims: bool = False
) -> Tensor:
    """Find what a part `q` of the entries lies below, on the line between two neighbours.

    `q` is a constant. Where entries tie, the derivative is that of the order which sorting gives.
    """
    x, q, rows = _in_order("quantile", x, q, axis, method)
    last = rows.shape[-1] - 1
    low = np.floor(q * last).astype(int)
    part = _weak(q * last - low, q, rows)
    below, above = at(rows, -1, low), at(rows, -1, np.minimum(low + 1, last))
    y: Any = below + (above - below) * part
    largest = at(rows, -1, np.full(q.shape, last))
    y = where(largest != largest, largest, y)  # NaN, which sorting puts last
    return _first_axes(y, x, q, axis, keepdims)


def _in_order(name: str, x: Any, q: Any, axis: Axis, method: str) -> tuple[Any, Any, Any]:
    """Check what is asked for; give the entries sorted along a last axis, too."""
    if method != "linear":
        raise TypeError(f"{name}: method is 'linear', not {method!r}: others have no rule")
    x, q = with_shape(x), np.asarray(q)
    if not ((q >= 0) & (q <= 1)).all():
        raise ValueError(f"{name}: q lies between 0 and 1, a percentile between 0 and 100")
    rows = sort(rows_of(x, axis))
    if not rows.shape[-1]:
        raise ValueError(f"{name}: {x.shape}, axis={axis}: no entries to choose from")
    return x, q, rows


def _weak(part: Any, q: Any, rows: Any) -> Any:
    """Leave the dtype to the entries where `q` is a number, as NumPy does."""
    return part.astype(rows.dtype) if q.ndim == 0 and rows.dtype.kind == "f" else part


def _first_axes(y: Any, x: Any, q: Any, axis: Axis, keepdims: bool) -> Any:
    """Put the axes of `q`, which stand last, first; reduced ones back where they are kept."""
    y = np.moveaxis(y, range(y.ndim - q.ndim, y.ndim), range(q.ndim))
    if not keepdims:
        return y
    axes = range(x.ndim) if axis is None else [axis_of(x, i) for i in np.atleast_1d(axis)]
    return np.expand_dims(y, tuple(q.ndim + i for i in axes))


def percentile(x: Any, q: Any, axis: Axis = None, **options: Any) -> Tensor:
    """Find what `q` per cent of the entries lie below; see `quantile`."""
    return quantile(x, np.true_divide(q, 100), axis, **options)


def median(x: Any, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """Find the middle entry, or the mean of the two in the middle."""
    return quantile(x, 0.5, axis, keepdims=keepdims)


def diff(x: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Tensor:
    """Subtract neighbours along an axis, `n` times."""
    x = with_shape(x)
    if n < 0 or x.ndim == 0:
        raise ValueError(f"diff: n = {n} of {x.ndim} axes; n is 0 or more, of at least one axis")
    ends = [e if e is None else with_shape(e) for e in (prepend, append)]
    line = tuple(1 if i == axis_of(x, axis) else size for i, size in enumerate(x.shape))
    first, last = (e if e is None or e.ndim else broadcast_to(e, line) for e in ends)
    x = concatenate([part for part in (first, x, last) if part is not None], axis)
    for _ in range(n):
        x = at(x, axis, slice(1, None)) - at(x, axis, slice(None, -1))
    return x


def ediff1d(x: Any, to_end: Any = None, to_begin: Any = None) -> Tensor:
    """Subtract neighbours of the flat form, between what is put at the ends."""
    parts = [to_begin, diff(np.reshape(with_shape(x), -1)), to_end]
    return concatenate([np.reshape(with_shape(p), -1) for p in parts if p is not None])


def cov(
    x: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: float | None = None
) -> Tensor:
    """Compute the covariances of variables, which are rows, or columns with ``rowvar=False``."""
    rows = _variables(x, rowvar)
    if y is not None:
        rows = concatenate([rows, _variables(y, rowvar)])
    if ddof is None:
        ddof = 0 if bias else 1
    d, n = _deviations(rows, 1, ddof)
    return np.squeeze(d @ d.T / n)  # type: ignore[return-value]


def _variables(x: Any, rowvar: bool) -> Any:
    x = with_shape(x)
    x = x if x.dtype == float else x.astype(float)
    return np.reshape(x, (1, -1)) if x.ndim < 2 else x if rowvar else x.T


def corrcoef(x: Any, y: Any = None, rowvar: bool = True) -> Tensor:
    """Compute the correlations of variables: covariances over standard deviations."""
    c: Any = cov(x, y, rowvar)
    if c.ndim == 0:
        return c / c
    s = np.sqrt(np.diagonal(c))
    return clip(c / s[:, None] / s, -1, 1)


def linspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, *, axis: int = 0
) -> Tensor:
    """Divide the way from `start` to `stop` into equal steps; a gradient flows to both."""
    ndim = max(np.ndim(start), np.ndim(stop))
    part = np.linspace(0, 1, num, endpoint).reshape(-1, *[1] * ndim)
    part = part.astype(np.result_type(start, stop, 1.0))
    return np.moveaxis(start * (1 - part) + stop * part, 0, axis)


# NaN stands for what is missing.


def _instead(x: Any, value: float) -> Any:
    return where(x != x, value, with_shape(x))


def nansum(x: Any, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """Add up the entries that are numbers."""
    return reductions.sum(_instead(x, 0), axis=axis, keepdims=keepdims)


def nanprod(x: Any, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """Multiply the entries that are numbers."""
    return prod(_instead(x, 1), axis=axis, keepdims=keepdims)


def nanmax(x: Any, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """Find the largest entry that is a number."""
    return reductions.max(_instead(x, -INF), axis=axis, keepdims=keepdims)


def nanmin(x: Any, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """Find the smallest entry that is a number."""
    return reductions.min(_instead(x, INF), axis=axis, keepdims=keepdims)


def nancumsum(x: Any, axis: int | None = None) -> Tensor:
    """Add up the entries that are numbers, and keep each sum on the way."""
    return cumsum(_instead(x, 0), axis=axis)


def nancumprod(x: Any, axis: int | None = None) -> Tensor:
    """Multiply the entries that are numbers, and keep each product on the way."""
    return cumprod(_instead(x, 1), axis)


def nanmean(x: Any, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """Average the entries that are numbers."""
    return nansum(x, axis, keepdims=keepdims) / _count(x, axis, keepdims)


def nanvar(x: Any, axis: Axis = None, *, ddof: float = 0, keepdims: bool = False) -> Tensor:
    """Compute the variance of the entries that are numbers."""
    d = _instead(x - nanmean(x, axis, keepdims=True), 0)
    return (d * d).sum(axis=axis, keepdims=keepdims) / (_count(x, axis, keepdims) - ddof)


def nanstd(x: Any, axis: Axis = None, *, ddof: float = 0, keepdims: bool = False) -> Tensor:
    """Compute the standard deviation of the entries that are numbers."""
    d = _instead(x - nanmean(x, axis, keepdims=True), 0)
    n = _count(x, axis, keepdims) - ddof
    return norm(d, axis=axis, keepdims=keepdims) / np.sqrt(n)


def nanquantile(
    x: Any, q: Any, axis: Axis = None, *, method: str = "linear", keepdims: bool = False
) -> Tensor:
    """Find what a part `q` of the entries that are numbers lies below; see `quantile`."""
    x, q, rows = _in_order("nanquantile", x, q, axis, method)
    last = (rows == rows).sum(axis=-1, keepdims=True) - 1  # NaN are sorted to the end
    place = last * q.reshape(-1)
    low = np.floor(np.maximum(place, 0)).astype(int)
    below = take_along_axis(rows, low, -1)
    above = take_along_axis(rows, np.minimum(low + 1, last), -1)
    y: Any = below + (above - below) * _weak(place - low, q, rows)
    return _first_axes(y.reshape(*rows.shape[:-1], *q.shape), x, q, axis, keepdims)


def nanpercentile(x: Any, q: Any, axis: Axis = None, **options: Any) -> Tensor:
    """Find what `q` per cent of the entries that are numbers lie below; see `quantile`."""
    return nanquantile(x, np.true_divide(q, 100), axis, **options)


def nanmedian(x: Any, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """Find the middle one of the entries that are numbers, or the mean of the two there."""
    return nanquantile(x, 0.5, axis, keepdims=keepdims)


def _count(x: Any, axis: Axis, keepdims: bool) -> Tensor:
    return reductions.sum((x == x).astype(x.dtype), axis=axis, keepdims=keepdims)
