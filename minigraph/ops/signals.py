"""Sampled functions: lines between points, slopes, areas, convolutions, polynomials."""

from typing import Any

import numpy as np

from minigraph.op import Op
from minigraph.ops.elementwise import where
from minigraph.ops.rearranging import atleast_1d, flip
from minigraph.ops.selecting import argsort, at, axis_of, searchsorted, with_shape
from minigraph.ops.shaping import concatenate, getitem, reshape
from minigraph.ops.statistics import diff
from minigraph.tensor import Tensor

# Convolution. The op knows two modes, each of which is the way back of the other.


def _convolve(a, v, *, mode="full"):
    """Slide `v`, turned round, along `a`: yᵢ = Σ aₖ vᵢ₋ₖ; "valid" keeps where it lies inside."""
    if a.ndim != 1 or v.ndim != 1 or not a.size or not v.size:
        raise ValueError("two vectors are meant, with at least one entry each")
    if mode == "valid" and a.size < v.size:
        raise ValueError("the first vector is the longer one")
    return np.convolve(a, v, mode)


_BACK = {"full": "valid", "valid": "full"}

convolution: Op = Op(
    _convolve,
    a=lambda g, y, a, v, mode: correlate(g, v, _BACK[mode]),
    v=lambda g, y, a, v, mode: correlate(g, a, "valid"),
    name="convolve",
    shapes="(n), (m)",
    texts={
        "a": "correlate({g}, {v}, back({mode}))",
        "v": "correlate({g}, {a}, 'valid')",
    },
)


def convolve(a: Any, v: Any, mode: str = "full") -> Tensor:
    """Slide one vector, turned round, along the other: yᵢ = Σ aₖ vᵢ₋ₖ.

    `mode` is "full", "same" (as long as the longer one) or "valid" (where they overlap in full).
    """
    if mode not in ("full", "same", "valid"):
        raise ValueError(f"convolve: mode is 'full', 'same' or 'valid', not {mode!r}")
    a, v = atleast_1d(a, v)
    if a.size < v.size:
        a, v = v, a
    if mode != "same":
        return convolution(a, v, mode=mode)
    start = (v.size - 1) // 2
    return at(convolution(a, v), 0, slice(start, start + a.size))


def correlate(a: Any, v: Any, mode: str = "valid") -> Tensor:
    """Slide `v` along `a`: yᵢ = Σ aᵢ₊ₖ vₖ; see `convolve`."""
    a, v = atleast_1d(a, v)
    if mode == "same" and a.size < v.size:  # of two middle entries it is the other one
        return flip(convolve(flip(a), v, mode))
    return convolve(a, flip(v), mode)


# Lines between points


def interp(
    x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: float | None = None
) -> Tensor:
    """Read at `x` the line through the points (xp, fp), which are in the order of `xp`.

    A gradient flows to all three. At a point the slope is that of the piece on its right, at the
    last one that of the piece on its left; beyond the ends, where the line is level, it is 0.
    """
    x, xp, fp = (_wide(value) for value in (x, xp, fp))
    if xp.ndim != 1 or xp.shape != fp.shape or not xp.size:
        raise ValueError(
            f"interp: xp {tuple(xp.shape)} and fp {tuple(fp.shape)}: vectors of the same length "
            "are meant, with at least one entry"
        )
    if period is not None:
        x, xp, left, right = x % period, xp % period, None, None
        order = argsort(xp)
        xp, fp = xp[order], fp[order]
        xp = concatenate([xp[-1:] - period, xp, xp[:1] + period])
        fp = concatenate([fp[-1:], fp, fp[:1]])
    last = xp.size - 1
    low = np.clip(searchsorted(xp, x, "right") - 1, 0, max(last - 1, 0))
    high = np.minimum(low + 1, last)
    start = getitem(xp, low)  # for `xp` may be a plain array, and `low` a Tensor
    width = getitem(xp, high) - start
    part = (x - start) / where(width == 0, 1, width)
    y = getitem(fp, low) * (1 - part) + getitem(fp, high) * part  # exact at both ends
    y = where(x < xp[0], fp[0] if left is None else left, y)
    return where(x > xp[-1], fp[-1] if right is None else right, y)


def _wide(x: Any) -> Any:
    x = with_shape(x)
    return x if x.dtype == float else x.astype(float)


def _along(steps: Any, x: Any, axis: int) -> Any:
    """Lay a vector along an axis of `x`."""
    return reshape(steps, (-1, *[1] * (x.ndim - 1 - axis)))


def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Tensor:
    """Compute the area below the lines between neighbours, at the places `x` or `dx` apart."""
    y = with_shape(y)
    axis = axis_of(y, axis)
    if x is not None:
        x = with_shape(x)
        dx = _along(diff(x), y, axis) if x.ndim == 1 else diff(x, axis=axis)
    sides = at(y, axis, slice(1, None)) + at(y, axis, slice(None, -1))
    return (dx * sides / 2).sum(axis=axis)


def gradient(f: Any, *spacing: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """Estimate slopes of samples: of the parabola through a sample and its neighbours.

    `spacing` is one number, or for each axis a number or the places of the samples. At the ends it
    is the slope of the last line, or with ``edge_order=2`` of the last parabola.
    """
    f = with_shape(f)
    f = f if f.dtype.kind == "f" else f.astype(float)
    axes = range(f.ndim) if axis is None else [axis_of(f, int(i)) for i in np.atleast_1d(axis)]
    if len(spacing) < 2 and not any(map(np.ndim, spacing)):
        spacing = (spacing or (1.0,)) * len(axes)
    if len(spacing) != len(axes) or not len(axes):
        raise TypeError(f"gradient: {len(spacing)} spacings for {len(axes)} axes")
    slopes = [_slopes(f, h, i, edge_order) for h, i in zip(spacing, axes)]
    return slopes[0] if len(slopes) == 1 else tuple(slopes)


def _slopes(f: Any, spacing: Any, axis: int, edge_order: int) -> Tensor:
    n = f.shape[axis]
    if edge_order not in (1, 2) or n <= edge_order:
        raise ValueError(f"gradient: edge_order={edge_order} of {n} samples; it is 1 or 2, below n")
    before = after = h = spacing
    if np.ndim(spacing):
        places = with_shape(spacing)
        if places.shape != (n,):
            raise ValueError(f"gradient: places {tuple(places.shape)} of {n} samples")
        h = _along(diff(places), f, axis).astype(f.dtype)
        before, after = at(h, axis - f.ndim, slice(None, -1)), at(h, axis - f.ndim, slice(1, None))
    line = diff(f, axis=axis) / h
    left, right = at(line, axis, slice(None, -1)), at(line, axis, slice(1, None))
    middle = (left * after + right * before) / (before + after)
    start, stop = slice(None, 1), slice(-1, None)
    first, last = at(line, axis, start), at(line, axis, stop)
    if edge_order == 2:
        first, last = 2 * first - at(middle, axis, start), 2 * last - at(middle, axis, stop)
    return concatenate([first, middle, last], axis)


def polyval(p: Any, x: Any) -> Tensor:
    """Compute p₀ xⁿ⁻¹ + p₁ xⁿ⁻² + … + pₙ₋₁ by Horner's rule; a gradient flows to both."""
    x = with_shape(x)
    y: Any = np.zeros_like(x)
    for coefficient in with_shape(p):
        y = y * x + coefficient
    return y
