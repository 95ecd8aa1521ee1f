"""What drawings say about the values in an array; large ones are read in blocks, never copied."""

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from minigraph.arrays import Array
from minigraph.drawing.text import number

BLOCK = 1 << 16
FEW = 4  # so many entries are written out in a row of a box
MANY = 24  # and so many on a page, in lines of at most so many characters
LINE = 44


class Summary(NamedTuple):
    """Values in words, their range for the tooltip, and how many are NaN or infinite."""

    text: str
    extremes: str = ""
    broken: int = 0


def summary(array: Any) -> Summary:
    """Say what values are in an array."""
    if isinstance(array, bool | int | float):
        array = np.asarray(array)
    if not isinstance(array, np.ndarray | np.generic):
        return Summary("not computed")  # it is lazy, or on another device
    if array.size == 0:
        return Summary("empty")
    kind = array.dtype.kind
    if array.ndim == 0:
        value = array.item()
        broken = int(not math.isfinite(value))
        return Summary(str(value) if kind in "iub" else number(value), "", broken)
    if kind == "b":
        return Summary(_bools(np.asarray(array)))
    low, high = array.min(), array.max()
    if kind in "iu":
        text = f"all {low}" if low == high else f"{low} … {high}"
        few = array.ndim == 1 and array.size <= FEW and low != high
        return Summary(", ".join(map(str, array.tolist())) if few else text, f"{low} … {high}")
    with np.errstate(all="ignore"):
        return _floats(np.asarray(array))


def corners(array: Any) -> str:
    """Write the entries of an array, of a large one the first and the last along each axis."""
    if not isinstance(array, np.ndarray | np.generic):
        return "not computed"
    written: list[str] = []

    def gather(x: Any) -> str:
        written.append(number(x))
        return written[-1]

    def aligned(x: Any) -> str:
        return number(x).rjust(width)

    _arranged(array, gather)
    width = max(map(len, written), default=0)
    return _arranged(array, aligned)


def _arranged(array: Any, write: Callable[[Any], str]) -> str:
    return np.array2string(
        array, LINE, threshold=MANY, edgeitems=2, separator=" ", formatter={"float_kind": write}
    )


def _bools(array: Array) -> str:
    share = np.count_nonzero(array) / array.size
    return {0.0: "all False", 1.0: "all True"}.get(share, f"{_percent(share)} True")


def _percent(share: float) -> str:
    """Write a share; neither 0% nor 100% unless that is exact."""
    if 0 < share < 1:
        share = min(max(share, 0.01), 0.99)
    return f"{100 * share:.0f}%"


def blocks(array: Array) -> Iterator[Array]:
    """Give all entries, in pieces of float64 that fit a cache."""
    if array.size <= BLOCK:
        yield array.reshape(-1).astype(np.float64)
        return
    for piece in np.nditer(
        array, ["external_loop", "buffered", "zerosize_ok"], buffersize=BLOCK, order="K"
    ):
        yield from (part.astype(np.float64) for part in _cut(piece))


def _cut(piece: Any) -> Iterator[Array]:
    for start in range(0, piece.size, BLOCK):
        yield piece[start : start + BLOCK]


def count_broken(array: Any) -> int:
    """Count NaN and infinite entries."""
    if not isinstance(array, np.ndarray | np.generic) or array.dtype.kind != "f":
        return 0
    if array.size <= BLOCK:
        return int(array.size - np.count_nonzero(np.isfinite(array)))
    return sum(int(np.count_nonzero(~np.isfinite(block))) for block in blocks(np.asarray(array)))


def _floats(array: Array) -> Summary:
    count = zeros = 0
    total, low, high = 0.0, math.inf, -math.inf
    for block in blocks(array):
        finite = block
        if not math.isfinite(block.sum()):
            finite = block[np.isfinite(block)]
        count += finite.size
        zeros += finite.size - int(np.count_nonzero(finite))
        if finite.size:
            total += float(finite.sum() / array.size)  # scaled: a sum of large entries overflows
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    broken = array.size - count
    prefix = f"{broken} NaN/Inf" if broken else ""
    if count == 0:
        return Summary(prefix, "", broken)
    mean = total * (array.size / count)
    text = _described(array, broken, mean, low, high, zeros / count)
    extremes = f"{number(low)} … {number(high)}"
    return Summary(", ".join(filter(None, (prefix, text))), extremes, broken)


def _described(array: Array, broken: int, mean: float, low: float, high: float, zero: float) -> str:
    if low == high:
        return f"all {number(low)}" if array.size - broken > 1 else number(low)
    if array.ndim == 1 and array.size <= FEW and not broken:
        scale = max(abs(low), abs(high))
        return ", ".join(number(0.0 if abs(x) < 1e-12 * scale else x) for x in array.tolist())
    deviation = _deviation(array, mean)
    share = f", {_percent(zero)} zero" if zero >= 0.1 else ""
    return f"{number(rounded(mean, deviation))} ± {number(deviation)}{share}"


def _deviation(array: Array, mean: float) -> float:
    total, count = 0.0, 0
    for block in blocks(array):
        finite = block[np.isfinite(block)]
        total += float(np.square(finite - mean).sum())
        count += finite.size
    return math.sqrt(total / count)


def rounded(mean: float, deviation: float) -> float:
    """Round a mean to a hundredth of the deviation: what is beyond is the noise of summation."""
    if not (deviation > 0 and math.isfinite(deviation)):
        return mean
    return round(mean, 2 - math.floor(math.log10(deviation))) + 0.0


def norm(array: Any) -> float | None:
    """Compute the 2-norm; None where that would start a computation elsewhere."""
    if isinstance(array, np.generic) or (isinstance(array, np.ndarray) and array.ndim == 0):
        return float(array)  # of a number, the number
    if not isinstance(array, np.ndarray):
        return None
    if array.size == 0:
        return 0.0
    largest = float(np.max([np.abs(block).max() for block in blocks(array)]))
    if largest == 0 or not math.isfinite(largest):
        return largest
    with np.errstate(all="ignore"):
        return largest * math.sqrt(sum(float(np.square(b / largest).sum()) for b in blocks(array)))
