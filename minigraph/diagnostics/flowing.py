"""One reverse sweep, kept: what each edge on the way to some tensors sent back."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from minigraph.arrays import frozen
from minigraph.drawing.recording import Recording, Use
from minigraph.graph import Graph
from minigraph.notes import line_of
from minigraph.sweep import fitted, leading_to, seed_of, sweep
from minigraph.tensor import Tensor

__all__ = ["Flow", "Names", "Sent", "line_after", "pulled"]


class Sent(NamedTuple):
    """What `consumer` sent back to the tensor in place `slot` of its inputs; None is the seed."""

    consumer: Tensor | None
    slot: int
    part: Any


class Flow:
    """What the sweep from `loss` sends to the tensors in `wanted`, and to those in between.

    Attributes
    ----------
    sent : dict of int to list of Sent
        What a tensor gets, by its number, in the order in which the sweep adds it up.
    cotangents : dict of int to array
        And the sum.
    tensors : dict of int to Tensor
        Those that get something.
    """

    def __init__(self, loss: Tensor, wanted: Sequence[Tensor], seed: Any = None) -> None:
        for node in Graph(loss).nodes:
            if not isinstance(node._array, np.ndarray | np.generic):
                kind = type(node._array).__module__.partition(".")[0]
                raise TypeError(f"explain: {node._label()} is a {kind} array, not computed yet")
        self.sent: dict[int, list[Sent]] = {}
        self.cotangents: dict[int, Any] = {}
        self.tensors: dict[int, Tensor] = {}
        if not loss.requires_grad:
            return
        seed = seed_of(loss, seed, "explain")
        seed = seed._array if type(seed) is Tensor else seed
        if loss.number not in leading_to(wanted, [loss]):
            return
        with np.errstate(all="ignore"):
            found = sweep([(loss, seed)], wanted, observer=self._observe)
        for tensor, total, _ in found:
            self._keep(tensor, total)
        if loss.number in self.cotangents:
            self.sent[loss.number] = [Sent(None, 0, np.array(seed))]
            self.tensors[loss.number] = loss

    def _observe(
        self, consumer: Tensor, slot: int, input: Tensor, g: Any, part: Any, total: Any
    ) -> None:
        self._keep(consumer, g)
        self.tensors[input.number] = input
        self.sent.setdefault(input.number, []).append(Sent(consumer, slot, np.array(part)))

    def _keep(self, tensor: Tensor, total: Any) -> None:
        if tensor.number not in self.cotangents:
            self.cotangents[tensor.number] = np.array(total)

    def reaches(self, x: Tensor) -> bool:
        """Tell whether a gradient flows to `x`."""
        return x.number in self.cotangents


def pulled(node: Tensor, slot: int, g: Any) -> Any:
    """Give what the formula of a node makes of another cotangent, for the input in this place."""
    with np.errstate(all="ignore"):
        vjp = dict(node.formulas)[slot]
        values = map(frozen, node.values)
        part = vjp(g, frozen(node._array), *values, **node.attributes)
        return fitted(part, node, slot, type(g) is Tensor)


def line_after(tensor: Tensor) -> str:
    """Write that line, to stand after what it is the line of."""
    line = line_of(tensor)
    return "" if line is None else f", {line}"


class Names:
    """The names and texts of a graph, as `mg.draw` writes them."""

    def __init__(self, *outputs: Tensor) -> None:
        self.recording = Recording(Graph(*outputs))

    def __contains__(self, tensor: object) -> bool:
        return id(tensor) in self.recording.place

    def short(self, tensor: Tensor) -> str:
        """Name a tensor: its own name, or v and its place in the graph."""
        place = self.recording.place.get(id(tensor))
        return tensor.name or "x" if place is None else self.recording.short[place]

    def label(self, value: Any) -> str:
        """Name a tensor or array, with dtype and shape."""
        if not isinstance(value, Tensor | np.ndarray | np.generic):
            return f"the number {value!r}"
        kind = f"{value.dtype}{list(value.shape)}"
        name = repr(value.name) if type(value) is Tensor and value.name else None
        place = self.recording.place.get(id(value))
        if place is not None and not name:
            name = self.recording.short[place]
        what = "a tensor" if type(value) is Tensor else "an array"
        return f"{name or what} {kind}"

    def made(self, tensor: Tensor) -> str:
        """Write how a tensor was made: ``v3 = x @ W``."""
        name = self.short(tensor)
        place = self.recording.place.get(id(tensor))
        text = None if place is None else self.recording.text(place)
        return f"{name} = {text.text}" if text else name

    def told(self, tensor: Tensor) -> str:
        """Write how a tensor was made, and where, if that is known."""
        return f"{self.made(tensor)}{line_after(tensor)}"

    def formula(self, consumer: Tensor, slot: int) -> str:
        """Write what a node sends back to the input in this place."""
        place = self.recording.place
        tail, head = place[id(consumer.inputs[slot])], place[id(consumer)]
        return self.recording.formula(Use(tail, head, slot, True))
