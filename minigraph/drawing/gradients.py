"""The gradients that a drawing shows: of the one reverse sweep, seen edge by edge."""

from typing import Any

import numpy as np

from minigraph.drawing.numbers import norm
from minigraph.graph import Graph
from minigraph.sweep import sweep
from minigraph.tensor import Tensor

__all__ = ["Gradients"]

Size = float | None  # a 2-norm, of a number the number itself; None where it was not computed


class Gradients:
    """The sizes of all cotangents, and of the parts that they are the sums of.

    Every output gets the seed 1 in each entry, so that these are gradients of the outputs' sum.
    Nothing is read from `.grad`, nor written to it. Who needs the arrays themselves extends `add`.

    Attributes
    ----------
    parts : dict of (int, int) to size
        What an edge sends back, by the number of the consuming tensor and the slot.
    totals : dict of int to size
        The cotangent of a tensor, by its number.
    counts : dict of int to int
        How many parts it is the sum of, its seed included.

    Raises
    ------
    RuntimeError
        If no gradient flows to any output, or an array that a formula reads has been written.
    """

    def __init__(self, graph: Graph) -> None:
        self.parts: dict[tuple[int, int], Size] = {}
        self.totals: dict[int, Size] = {}
        self.counts: dict[int, int] = {}
        self._sums: dict[int, float] = {}  # of the parts' sizes
        self.seeds: dict[int, Tensor] = {}
        for output in graph.outputs:
            if output.requires_grad:
                self.seeds[output.number] = output
        if not self.seeds:
            raise RuntimeError(
                f"draw: no gradient flows to {graph.outputs[0]._label()}: nothing that it was made "
                "from requires one, or it was made under no_grad() or cut off by detach(); draw it "
                "without grads and backward"
            )
        seeds = [(output, np.ones_like(output._array)[()]) for output in self.seeds.values()]
        for output, seed in seeds:
            self.add(output, seed, seed)
        with np.errstate(all="ignore"):  # the picture shows what is NaN or infinite
            sweep(seeds, observer=self._observe)

    def _observe(
        self, consumer: Tensor, slot: int, input: Tensor, g: Any, part: Any, total: Any
    ) -> None:
        self.parts[consumer.number, slot] = self.add(input, part, total, consumer, slot)

    def add(
        self, tensor: Tensor, part: Any, total: Any, consumer: Tensor | None = None, slot: int = 0
    ) -> Size:
        """Take note of a part: what `consumer` sends back from this slot, or a seed."""
        number = tensor.number
        size = norm(part)
        self.counts[number] = self.counts.get(number, 0) + 1
        self._sums[number] = self._sums.get(number, 0.0) + abs(size or 0.0)
        whole = size if self.counts[number] == 1 else norm(total)
        noise = 4 * float(np.finfo(tensor.dtype).eps) * self._sums[number]
        if self.counts[number] > 1 and whole is not None and abs(whole) <= noise:
            whole = 0.0  # the parts cancel, and what is left is rounding
        self.totals[number] = whole
        return size
