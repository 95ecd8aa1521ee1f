"""A program as a graph: its ops run on Tensors, so that it can be drawn and walked."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minigraph.derivation.program import Program, Size, Value
from minigraph.graph import Graph
from minigraph.modes import Setting
from minigraph.ops.shaping import scatter
from minigraph.tensor import Tensor

__all__ = ["graph_of"]


def graph_of(program: Program, arrays: Sequence[Any], K: int | None) -> Graph:
    """Give the graph of a program's outputs, for these arguments of batch size K."""
    given = [*zip(program.parameters, arrays), *program.constants.items()]
    known: dict[Value, Any] = {v: Tensor(array, name=v.name) for v, array in given}
    with Setting(grad=True, trace=True), np.errstate(all="ignore"):
        for value in program.body:
            inputs = [known[i] if isinstance(i, Value) else _at(i, K) for i in value.inputs]
            result = _made(value, inputs, K)
            if value.name and result.name is None:
                result.name = value.name
            known[value] = result
    outputs = [known[o] if isinstance(o, Value) else Tensor(_at(o, K)) for o in program.outputs]
    return Graph(*outputs)


def _made(value: Value, inputs: list[Any], K: int | None) -> Tensor:
    attributes = {name: _at(attribute, K) for name, attribute in value.attributes.items()}
    if value.op == "arange":
        return Tensor(np.arange(attributes["stop"]))
    if isinstance(value.op, str):
        return Tensor(np.full(attributes["shape"], attributes["value"], value.dtype))
    if value.op is scatter:
        inputs.insert(1, np.zeros(_at(value.shape, K), value.dtype))
    result: Tensor = value.op(*inputs, **attributes)
    return result


def _at(part: Any, K: int | None) -> Any:
    """Put in the batch size."""
    if isinstance(part, Size):
        assert K is not None
        return part.at(K)
    if isinstance(part, tuple):
        return tuple([_at(p, K) for p in part])
    if isinstance(part, slice):
        return slice(_at(part.start, K), _at(part.stop, K), _at(part.step, K))
    return part
