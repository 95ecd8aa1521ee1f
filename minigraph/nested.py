"""Arrays in nested dicts, lists and tuples: flat lists of leaves with readable paths, and back."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

__all__ = ["Leaf", "flatten"]


class Leaf(NamedTuple):
    """What stands somewhere in nested containers, and where: ``params['W1']``."""

    path: str
    value: Any


def flatten(value: Any, path: str) -> tuple[list[Leaf], Callable[[Iterator[Any]], Any]]:
    """List the leaves of nested containers in order, and give a function that puts others there.

    Parameters
    ----------
    value : nested dict, list, tuple or named tuple of anything
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
    return [Leaf(path, value)], next


def _parts(values: Any, paths: list[str]) -> tuple[list[Leaf], list[Callable[..., Any]]]:
    parts = [flatten(value, path) for value, path in zip(values, paths)]
    return [leaf for leaves, _ in parts for leaf in leaves], [rebuild for _, rebuild in parts]
