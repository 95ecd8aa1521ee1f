"""The recorded graph as those see it who walk it: drawing, derivation, pickling, the sweep."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from minigraph.errors import WriteError
from minigraph.notes import changed
from minigraph.tensor import Tensor

__all__ = ["Edge", "Graph"]


class Edge(NamedTuple):
    """One use of a tensor: `input` stands in place `slot` of `consumer`'s inputs."""

    input: Tensor
    consumer: Tensor
    slot: int


def ancestors(outputs: Iterable[Tensor], since: int = 0) -> list[Tensor]:
    """List `outputs` and what they were made from since that time, in recording order."""
    found: dict[int, Tensor] = {}
    stack = list(outputs)
    while stack:
        tensor = stack.pop()
        if tensor.number not in found:
            found[tensor.number] = tensor
            stack.extend([i for i in tensor.inputs if type(i) is Tensor and i.number >= since])
    return [found[number] for number in sorted(found)]


def older(outputs: Sequence[Tensor], since: int) -> list[Tensor]:
    """List what was there before, and has a gradient flow to it from `outputs`."""
    found = {t.number: t for t in outputs if t.number < since and t._requires_grad}
    for node in ancestors([t for t in outputs if t.number >= since], since):
        for slot, _ in node.formulas:
            input = node.inputs[slot]
            if input.number < since:
                found[input.number] = input
    return list(found.values())


class Graph:
    """What the recorded tensors behind some outputs are: a view, made when asked for.

    Parameters
    ----------
    *outputs : Tensor
        Where the graph ends; a leaf is a graph of one node.

    Attributes
    ----------
    outputs : tuple of Tensor
    nodes : tuple of Tensor
        All tensors behind the outputs and the outputs, in recording order. Operands that are no
        tensors (numbers, arrays) are found in their consumers' `inputs`.

    Examples
    --------
    >>> import minigraph as mg
    >>> x = mg.Tensor(2.0, requires_grad=True, name="x")
    >>> graph = mg.Graph(x * x + 1.0)
    >>> [node.op.name if node.op else node.name for node in graph.nodes]
    ['x', 'multiply', 'add']
    >>> [(edge.consumer.op.name, edge.slot) for edge in graph.edges]
    [('multiply', 0), ('multiply', 1), ('add', 0)]
    """

    def __init__(self, *outputs: Tensor) -> None:
        for output in outputs:
            if not isinstance(output, Tensor):
                raise TypeError(f"Graph: outputs are Tensors, not {type(output).__name__}")
        self.outputs = outputs
        self.nodes = tuple(ancestors(outputs))

    @property
    def edges(self) -> Iterator[Edge]:
        """Every use of a tensor by another, by consumer in recording order, then by slot."""
        for consumer in self.nodes:
            for slot, input in enumerate(consumer.inputs):
                if type(input) is Tensor:
                    yield Edge(input, consumer, slot)

    @property
    def scopes(self) -> tuple[tuple[str, ...], ...]:
        """The scopes of the nodes, each once, in order of appearance."""
        return tuple(dict.fromkeys(node.scope for node in self.nodes))

    def __repr__(self) -> str:
        return f"<Graph of {len(self.nodes)} nodes, {len(self.outputs)} outputs>"


def check_unwritten(node: Tensor) -> None:
    """Refuse `node` if an input was written after it was recorded: its formulas read that array.

    Raises
    ------
    WriteError
        Naming the tensor and the op that needs its old values.
    """
    for slot, input in enumerate(node.inputs):
        if type(input) is Tensor and input._written and input._written[0] > node.number:
            raise WriteError(node, slot)


def check_unchanged(node: Tensor) -> None:
    """Refuse `node`, recorded in debug, if an array that its formulas may read is not as it was.

    Raises
    ------
    WriteError
        Naming the array, the op that needs its old values, and the lines.
    """
    for slot in changed(node):
        raise WriteError(node, slot)
