"""Arrays in nested dicts, lists, tuples, dataclasses: flat lists with readable paths, and back."""

import dataclasses
import inspect
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

__all__ = ["Leaf", "argument_names", "flatten", "last_part"]


class Leaf(NamedTuple):
    """What stands somewhere in nested containers, and where: ``params['W1']``."""

    path: str
    value: Any


def flatten(value: Any, path: str) -> tuple[list[Leaf], Callable[[Iterator[Any]], Any]]:
    """List the leaves of nested containers in order, and give a function that puts others there.

    Parameters
    ----------
    value : nested dict, list, tuple, named tuple or dataclass of anything
    path : str
        How the whole is called.

    Returns
    -------
    leaves : list of Leaf
    rebuild : callable
        Takes an iterator of new leaves, and gives the same containers around them.

    Examples
    --------
    >>> leaves, rebuild = flatten({"W": 1, "b": [2, 3]}, "params")
    >>> [leaf.path for leaf in leaves]
    ["params['W']", "params['b'][0]", "params['b'][1]"]
    >>> rebuild(iter("xyz"))
    {'W': 'x', 'b': ['y', 'z']}
    """
    if isinstance(value, dict):
        keys = list(value)
        leaves, rebuilds = _parts(value.values(), [f"{path}[{key!r}]" for key in keys])
        return leaves, lambda new: {k: rebuild(new) for k, rebuild in zip(keys, rebuilds)}
    if isinstance(value, (list, tuple)):
        names = getattr(value, "_fields", None)
        parts = [f".{name}" for name in names] if names else [f"[{i}]" for i in range(len(value))]
        paths = [path + part for part in parts]
        leaves, rebuilds = _parts(value, paths)
        kind: Any = type(value)
        make = kind._make if names else kind
        return leaves, lambda new: make([rebuild(new) for rebuild in rebuilds])
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [field.name for field in dataclasses.fields(value) if field.init]
        paths = [f"{path}.{name}" for name in fields]
        leaves, rebuilds = _parts([getattr(value, name) for name in fields], paths)
        return leaves, lambda new: dataclasses.replace(
            value, **{name: rebuild(new) for name, rebuild in zip(fields, rebuilds)}
        )
    return [Leaf(path, value)], next


def _parts(values: Any, paths: list[str]) -> tuple[list[Leaf], list[Callable[..., Any]]]:
    parts = [flatten(value, path) for value, path in zip(values, paths)]
    return [leaf for leaves, _ in parts for leaf in leaves], [rebuild for _, rebuild in parts]


def argument_names(f: Callable[..., Any], n: int) -> list[str]:
    """Give the names of the first n positional arguments; ``input 2`` where there is none."""
    function = getattr(f, "call", f)  # an Op's written-out call
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return [names[i] if i < len(names) else f"input {i}" for i in range(n)]


def last_part(path: str) -> str:
    """Give the last part of a path, as drawings show it: W1 for params['W1']."""
    return path.rpartition("['")[2].removesuffix("']")
