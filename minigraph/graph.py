"""The recorded graph as those see it who walk it: drawing, derivation, pickling."""

import copyreg
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

import numpy as np

from minigraph.modes import tick
from minigraph.op import Op
from minigraph.tensor import Tensor

__all__ = ["Edge", "Graph"]


class Edge(NamedTuple):
    """One use of a tensor: `input` stands in place `slot` of `consumer`'s inputs."""

    input: Tensor
    consumer: Tensor
    slot: int


def ancestors(outputs: Iterable[Tensor]) -> list[Tensor]:
    """List `outputs` and all tensors that they were made from, in recording order."""
    found: dict[int, Tensor] = {}
    stack = list(outputs)
    while stack:
        tensor = stack.pop()
        if tensor.number not in found:
            found[tensor.number] = tensor
            stack.extend([i for i in tensor.inputs if type(i) is Tensor])
    return [found[number] for number in sorted(found)]


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

    def __len__(self) -> int:
        return len(self.nodes)

    def __repr__(self) -> str:
        return f"<Graph of {len(self.nodes)} nodes, {len(self.outputs)} outputs>"


# Pickling and deep copying. A tensor is written as the flat list of its ancestors, so that nothing
# recurses. Each one stands there as a `_Shell`, of which a tensor has only one at a time: the
# pickler knows it again, and tensors pickled together still share their ancestors when loaded.


class _Shell:
    """A tensor without its inputs."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor

    def __reduce__(self) -> tuple[Any, ...]:
        t = self.tensor
        data = np.asarray(t._data) if isinstance(t._data, np.generic) else t._data
        return _bare, (data, t._grad, t._name, t._requires_grad, t._retains_grad, t.scope)


_shells: WeakValueDictionary[int, _Shell] = WeakValueDictionary()
_Made = tuple[Op, list[Any], dict[str, Any]]


def _shell(tensor: Tensor) -> _Shell:
    shell = _shells.get(tensor.number)
    if shell is None:
        shell = _shells[tensor.number] = _Shell(tensor)
    return shell


def _bare(
    data: Any, grad: Any, name: str | None, requires: bool, retains: bool, scope: tuple[str, ...]
) -> Tensor:
    tensor = Tensor(data, copy=False)
    tensor._grad, tensor._name, tensor.scope = grad, name, scope
    tensor._requires_grad, tensor._retains_grad = requires, retains
    return tensor


def _reduce(tensor: Tensor) -> tuple[Any, ...]:
    flat: list[tuple[_Shell, _Made | None]] = []
    for t in ancestors([tensor]):
        made = None
        if t.op is not None:
            check_unwritten(t)
            inputs = [_shell(i) if type(i) is Tensor else i for i in t.inputs]
            made = (t.op, inputs, t.attributes)
        flat.append((_shell(t), made))
    return _join, (flat,)


def _join(flat: list[tuple[Tensor, _Made | None]]) -> Tensor:
    for tensor, made in flat:
        if made is not None and tensor.op is None:
            tensor.op, inputs, tensor.attributes = made
            tensor.inputs = tuple(inputs)
            tensor.values = tuple([i._data if type(i) is Tensor else i for i in inputs])
            tensor.formulas = tensor.op.formulas(inputs)
            tensor.number = tick()
            if isinstance(tensor._data, np.ndarray):
                tensor._data = tensor._data if tensor.ndim else tensor._data[()]
                if tensor.ndim:
                    tensor._data.setflags(False)
    return flat[-1][0]


copyreg.pickle(Tensor, _reduce)


def check_unwritten(node: Tensor) -> None:
    """Refuse `node` if an input was written after it was recorded: its formulas read that array.

    Raises
    ------
    RuntimeError
        Naming the tensor and the op that needs its old values.
    """
    for slot, input in enumerate(node.inputs):
        if type(input) is Tensor and input._written and input._written[0] > node.number:
            assert node.op is not None
            raise RuntimeError(
                f"{input._label()} was written after {node.op.name} had taken it as "
                f"{node.op.input_name(slot)}, so the gradient would be that of other values; call "
                "backward() before the write, or compute the output again"
            )
