"""Which values loops may compute; the others are left to NumPy's calls."""

import math
from typing import Any

import numpy as np

from minigraph.derivation.nests import (
    EXTREMA,
    MADE,
    SUMS,
    in_order,
    long_axes,
    seen_through,
    summed,
)
from minigraph.derivation.program import Value, entries
from minigraph.op import Op
from minigraph.ops import elementwise, shaping

__all__ = ["LOOPED", "QUICK", "is_looped"]

# Ops whose loops give what NumPy gives, on special values too. Of some, NumPy has a quicker
# version for many entries at once: those are loops up to so many entries.
LOOPED: dict[Any, float] = dict.fromkeys((
    np.add, np.subtract, np.multiply, np.divide, np.negative, np.positive, np.reciprocal,
    np.square, np.sqrt, np.cbrt, np.expm1, np.log1p, np.exp2, np.log2, np.log10, np.tan, np.sinh,
    np.cosh, np.arcsin, np.arccos, np.arctan, np.arcsinh, np.arccosh, np.arctanh, np.absolute,
    np.fabs, np.sign, np.floor, np.ceil, np.trunc, np.rint, np.maximum, np.minimum, np.fmax,
    np.logaddexp, np.logaddexp2, np.hypot, np.arctan2, np.less, np.less_equal, np.greater,
    np.greater_equal, np.equal, np.not_equal, np.logical_and, np.logical_or, np.logical_xor,
    np.logical_not,
), math.inf)  # fmt: skip
QUICK: dict[Any, float] = {np.exp: 4000, np.log: 4000, np.sin: 1000, np.cos: 1000, np.tanh: 100}
POWERS = (2, 0.5, -1)
LONG_ROW, FEW = 64, 2000  # entries
DTYPES = {np.dtype(kind) for kind in ("f4", "f8", "i4", "i8", "?")}


def is_looped(value: Value, batch: int) -> bool:
    """Tell whether loops compute this as NumPy does, as quickly."""
    op, dtypes = value.op, [input.dtype for input in value.values]
    if not isinstance(op, Op) or any(d not in DTYPES for d in (value.dtype, *dtypes)):
        return False
    if op in (*SUMS, *EXTREMA):
        return all(d == value.dtype and d.kind == "f" for d in dtypes) and _is_sum(value, batch)
    if op is shaping.indexing:
        return value.dtype.kind == "f" and _is_pick(value)
    if op in (shaping.cast, elementwise.unit_sign, elementwise.where):
        return value.dtype.kind == "f"
    if any(dtype.kind == "i" for dtype in dtypes):
        return op.function in (np.equal, np.not_equal) and len(set(dtypes)) == 1
    if op is elementwise.scalar_power:
        return value.dtype.kind == "f" and value.attributes["exponent"] in POWERS
    most = QUICK.get(op.function) or LOOPED.get(op.function, 0)
    return value.dtype.kind in "fb" and entries(value.shape, batch) <= most


def _is_sum(value: Value, batch: int) -> bool:
    """Tell whether this is a sum over rows or one of all rows, or the largest of each row.

    Along long rows NumPy takes several entries at a time, and is quicker, if they are many.
    """
    x = next(value.values)
    space, over = long_axes(x.shape), summed(value)
    last = {len(space) - 1}
    _, place = seen_through(x, in_order(x.shape))
    if not set(place) >= set(range(len(space))):  # copies of a row, that are not walked
        return False
    if over == last:
        known = isinstance(space[-1], int) and space[-1] > 0  # of nothing, there is no largest
        quick = entries(space[-1:], batch) <= LONG_ROW or entries(space, batch) <= FEW
        return quick and (known or value.op in SUMS)
    return bool(over) and over >= set(range(len(space) - 1)) and value.op in SUMS


def _is_pick(value: Value) -> bool:
    """Tell whether this takes one entry of each row: z[np.arange(n), labels]."""
    if value.attributes["index"] != ("array", "array"):
        return False
    z, rows, labels = value.inputs
    counts = isinstance(rows, Value) and rows.op == "arange" and rows.shape == z.shape[:1]
    data, _ = seen_through(labels, (0,))
    labelled = isinstance(data, Value) and data.op not in MADE and data.dtype.kind == "i"
    alike = labelled and labels.shape == rows.shape
    return counts and alike and len(long_axes(z.shape)) == 2 == len(z.shape)
