"""What describes many numbers: spread, weighted means, quantiles, and all that passes over NaN.

These are short functions in front of other operations, and have no formulas of their own.
"""

import math
from typing import Any

import numpy as np

from minigraph.ops import reductions
from minigraph.ops.elementwise import where
from minigraph.ops.reductions import Axis, cumprod, cumsum, norm, prod, rows_of
from minigraph.ops.selecting import at, axis_of, sort, with_shape
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
    if method != "linear":
        raise TypeError(f"quantile: method is 'linear', not {method!r}: others have no rule")
    x, q = with_shape(x), np.asarray(q)
    if not ((q >= 0) & (q <= 1)).all():
        raise ValueError("quantile: q lies between 0 and 1, a percentile between 0 and 100")
    rows = sort(rows_of(x, axis))
    last = rows.shape[-1] - 1
    if last < 0:
        raise ValueError(f"quantile: {x.shape}, axis={axis}: no entries to choose from")
    low = np.floor(q * last).astype(int)
    part = q * last - low
    if q.ndim == 0 and rows.dtype.kind == "f":  # a number leaves the dtype to x, as in NumPy
        part = part.astype(rows.dtype)
    below, above = at(rows, -1, low), at(rows, -1, np.minimum(low + 1, last))
    y: Any = below + (above - below) * part
    largest = at(rows, -1, np.full(q.shape, last))
    y = where(largest != largest, largest, y)  # NaN, which sorting puts last
    y = np.moveaxis(y, range(y.ndim - q.ndim, y.ndim), range(q.ndim))
    if not keepdims:
        return y
    axes = range(x.ndim) if axis is None else [axis_of(x, i) for i in np.atleast_1d(axis)]
    return np.expand_dims(y, tuple(q.ndim + i for i in axes))  # type: ignore[return-value]


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


def _count(x: Any, axis: Axis, keepdims: bool) -> Tensor:
    return reductions.sum((x == x).astype(x.dtype), axis=axis, keepdims=keepdims)
