"""The shares of which a gradient is the sum, down the graph."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minigraph.diagnostics.flowing import Flow, Names, Sent
from minigraph.drawing.numbers import norm
from minigraph.drawing.text import clean, number
from minigraph.notes import line_of
from minigraph.tensor import Tensor

__all__ = ["Share", "shares_of", "size_of", "written_shares"]


@dataclass(frozen=True, eq=False)
class Share:
    """What one consumer sends back.

    Attributes
    ----------
    consumer : Tensor or None
        Who sends it; None for the seed of the loss.
    slot : int
        In which place of the consumer's inputs the tensor stands.
    value : ndarray or NumPy scalar
        The part; of an entry that was asked for, the entry of the part.
    size : float
        The number itself, or the 2-norm.
    order : int
        When the sweep adds it: 0 is the first.
    formula, made : str
        What is sent, and how the consumer was made, as in a drawing.
    line : Line or None
        Where the consumer was made, if that is known.
    shares : tuple of Share
        Those of the consumer's own cotangent, if more depth was asked for.
    """

    consumer: Tensor | None
    slot: int
    value: Any
    size: float
    order: int
    formula: str
    made: str
    line: Any = None
    shares: tuple["Share", ...] = field(default=(), repr=False)
    repeated: bool = False  # the consumer's shares are told elsewhere


def size_of(value: Any) -> float:
    """Give a number as it is, of an array its 2-norm."""
    size = norm(np.asarray(value))
    assert size is not None
    return size


def shares_of(
    flow: Flow, names: Names, x: Tensor, depth: int, index: tuple[int, ...] | None = None
) -> tuple[Share, ...]:
    """List the shares of a tensor's gradient, or of one entry, largest first."""
    told = [(x, 1)]  # whose shares are told, each once, those near to `x` first
    first: dict[int, tuple[int, int]] = {x.number: (0, 0)}  # and under which share
    for tensor, level in told:
        for order, sent in enumerate(flow.sent[tensor.number] if level < depth else ()):
            if sent.consumer is not None and sent.consumer.number not in first:
                first[sent.consumer.number] = (tensor.number, order)
                told.append((sent.consumer, level + 1))
    inner: dict[tuple[int, int], tuple[Share, ...]] = {}
    for tensor, level in reversed(told):
        place = index if tensor is x and index is not None else ()
        found = []
        for order, sent in enumerate(flow.sent[tensor.number]):
            here = (tensor.number, order)
            again = (
                level < depth and sent.consumer is not None and first[sent.consumer.number] != here
            )
            found.append(_share(names, sent, order, sent.part[place], inner.get(here, ()), again))
        found.sort(key=lambda share: (-_weight(share.size), share.order))
        inner[first[tensor.number]] = tuple(found)
    return inner[0, 0]


def _weight(size: float) -> float:
    return abs(size) if size == size else float("inf")


def _share(
    names: Names, sent: Sent, order: int, value: Any, inner: tuple[Share, ...], repeated: bool
) -> Share:
    consumer, slot = sent.consumer, sent.slot
    size = size_of(value)
    if consumer is None:
        return Share(None, 0, value, size, order, "seed", "the loss itself")
    assert consumer.op is not None
    formula, made = names.formula(consumer, slot), names.made(consumer)
    line = line_of(consumer)
    return Share(consumer, slot, value, size, order, formula, made, line, inner, repeated)


def written_shares(shares: tuple[Share, ...]) -> list[str]:
    """Write shares as aligned lines, each followed by those further down."""
    lines: list[str] = []
    left: list[tuple[str, tuple[Share, ...]]] = _written(shares, 2)[::-1]
    while left:
        line, below = left.pop()
        lines.append(line)
        left += _written(below, len(line) - len(line.lstrip()) + 4)[::-1]
    return lines


def _written(shares: tuple[Share, ...], indent: int) -> list[tuple[str, tuple[Share, ...]]]:
    sizes = [number(share.size) for share in shares]
    formulas = [clean(share.formula, 60) for share in shares]
    rows = []
    for share, size, formula in zip(shares, sizes, formulas):
        wide = max(map(len, sizes)), max(map(len, formulas))
        where = f"  ({share.line})" if share.line is not None else ""
        above = "  (its shares are told elsewhere)" if share.repeated else ""
        by = "" if share.consumer is None else "by "
        made = by + clean(share.made, 80)
        text = f"{size:>{wide[0]}}  {formula:{wide[1]}}  {made}{where}{above}"
        rows.append((f"{'':{indent}}{text}".rstrip(), share.shares))
    return rows
