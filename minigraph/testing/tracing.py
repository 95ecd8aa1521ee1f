"""A program as the graph that it records, constants included, and that graph run again."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from minigraph.graph import ancestors
from minigraph.modes import Setting
from minigraph.tensor import Tensor

__all__ = ["replay", "trace"]

# What a node gives in place of its op's result, or NotImplemented
Rule = Callable[[Tensor, Sequence[Any]], Any]


def trace(function: Callable[..., Any], arrays: Sequence[Any]) -> tuple[Any, list[Any]]:
    """Run a function on Tensors, and record all that it does, masks and other constants too.

    Parameters
    ----------
    function : callable
    arrays : sequence of array or number

    Returns
    -------
    result : Tensor or what else the function gives
    leaves : list
        The arguments: a Tensor for each array, numbers as they are.
    """
    leaves = [Tensor(a) if hasattr(a, "dtype") else a for a in arrays]
    with Setting(grad=False, trace=True):
        return function(*leaves), leaves


def replay(output: Any, known: Mapping[int, Any], rule: Rule | None = None) -> Any:
    """Run what was recorded again, with other values of some tensors.

    Parameters
    ----------
    output : Tensor or anything
        What to compute; what is no Tensor is given back.
    known : mapping of int to array or Tensor
        The new values, by the number of the tensor that they stand for.
    rule : callable, optional
        ``rule(node, arguments)`` gives what a node has in place of its op's result.

    Returns
    -------
    array or Tensor
        Tensors, where `known` has Tensors.
    """
    if not isinstance(output, Tensor):
        return output
    values = dict(known)
    changed = set(known)
    for node in ancestors([output]):
        if node.number in values:
            continue
        if node.op is None or not any(_number(i) in changed for i in node.inputs):
            values[node.number] = node.data
            continue
        changed.add(node.number)
        arguments = [values[i.number] if isinstance(i, Tensor) else i for i in node.inputs]
        result = NotImplemented if rule is None else rule(node, arguments)
        if result is NotImplemented:
            result = node.op(*arguments, **node.attributes)
        values[node.number] = result
    return values[output.number]


def _number(value: Any) -> int | None:
    return value.number if isinstance(value, Tensor) else None
