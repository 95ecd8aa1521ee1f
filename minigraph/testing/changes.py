"""The record of a formula, and what a mistaken hand may change in it."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from minigraph.graph import Graph
from minigraph.op import Op
from minigraph.ops import elementwise, reductions
from minigraph.ops.shaping import filled
from minigraph.tensor import Tensor
from minigraph.testing.tracing import Rule, replay, trace

__all__ = ["Change", "Traced", "changes"]

Formula = Callable[..., Any]
Change = Callable[["Traced"], Any]


class Traced:
    """What a formula does with given values."""

    def __init__(
        self, op: Op, slot: int, formula: Formula, given: Sequence[Any], attributes: dict[str, Any]
    ) -> None:
        self.op = op
        self.slot = slot
        self.given = given
        plain = [value.data if isinstance(value, Tensor) else value for value in given]
        self.result, leaves = trace(lambda *inputs: formula(*inputs, **attributes), plain)
        names = ["g", "y", *(op.input_name(i) for i in range(len(given) - 2))]
        self.leaves = dict(zip(names, leaves))
        self.values = dict(zip(names, given))
        nodes = Graph(self.result).nodes if isinstance(self.result, Tensor) else ()
        self.nodes = [node for node in nodes if node.op is not None]
        used = {node.number for node in nodes}
        self.used = [
            name
            for name, leaf in self.leaves.items()
            if isinstance(leaf, Tensor) and leaf.number in used and leaf.dtype.kind == "f"
        ]

    def run(self, rule: Rule | None = None, **replaced: Any) -> Any:
        """Run the record, with other values for some names."""
        values = {**self.values, **replaced}
        known = {
            leaf.number: values[name]
            for name, leaf in self.leaves.items()
            if isinstance(leaf, Tensor)
        }
        return replay(self.result, known, rule)

    def at(self, node: Tensor, change: Callable[..., Any]) -> Any:
        """Run the record, with ``change(*arguments)`` in the place of one node."""
        return self.run(lambda n, arguments: change(*arguments) if n is node else NotImplemented)


def changes(traced: Traced) -> Iterator[tuple[str, Change]]:
    """List the changes by name; each gives what the changed record computes."""
    yield from _WHOLE.items()
    if np.ndim(traced.result):
        yield "last row missing", _without_last_row
    if traced.op.broadcasts and _repeated(traced)[1]:
        yield from _COPIES.items()
    if "g" in traced.used:
        yield "g missing", lambda t: t.run(g=np.ones_like(t.values["g"]))
        yield "g twice", lambda t: t.run(g=t.values["g"] * t.values["g"])
    yield from _operands(traced)
    counts: dict[str, int] = {}
    for node in traced.nodes:
        assert node.op is not None
        k = counts[node.op.name] = counts.get(node.op.name, 0) + 1
        label = node.op.name if k == 1 else f"{node.op.name} {k}"
        for name, rule in _OF_NODES.get(node.op.name, {}).items():
            if name == "in reverse" and (node.size == 0 or node.shape[:1] in ((), (1,))):
                continue
            yield f"{label}: {name}", _at(label, lambda node, *a, rule=rule: rule(node, *a))
        moved = node.op.name in ("swapaxes", "transpose")  # left out also where the shape differs
        for place, input in enumerate(node.inputs):
            if not isinstance(input, Tensor) or not input.dtype.kind == "f" == node.dtype.kind:
                continue
            if moved or (input.shape == node.shape and not _equal(input, node)):
                name = f"{label} left out: operand {place}"
                yield name, _at(label, lambda node, *a, place=place: a[place])


def _at(label: str, change: Callable[..., Any]) -> Change:
    """Change the node with this label, as it is found in the record of the call in hand."""

    def apply(traced: Traced) -> Any:
        name, _, k = label.partition(" ")
        same = [node for node in traced.nodes if node.op is not None and node.op.name == name]
        node = same[int(k or 1) - 1]
        return traced.at(node, lambda *arguments: change(node, *arguments))

    return apply


def _operands(traced: Traced) -> Iterator[tuple[str, Change]]:
    """Take one operand for another of the same shape, and two for each other."""
    names = [
        name
        for name, value in traced.values.items()
        if name != "g" and hasattr(value, "dtype") and value.dtype.kind == "f"
    ]
    for name in names:
        for other in names:
            value, instead = traced.values[name], traced.values[other]
            if np.shape(value) != np.shape(instead) or _equal(value, instead):
                continue
            if name in traced.used:
                yield f"{other} for {name}", _taken(name, other)
            if name in traced.used and other in traced.used and name < other:
                yield f"{name} and {other} swapped", _swapped(name, other)


def _equal(a: Any, b: Any) -> bool:
    """Tell whether one in the place of the other would change nothing in this call."""
    a, b = (value.data if isinstance(value, Tensor) else value for value in (a, b))
    return bool(np.array_equal(a, b, equal_nan=True))


def _taken(name: str, other: str) -> Change:
    return lambda t: t.run(**{name: t.values[other]})


def _swapped(name: str, other: str) -> Change:
    return lambda t: t.run(**{name: t.values[other], other: t.values[name]})


def _size(traced: Traced) -> int:
    """Give the K of a factor K or 1/K: the number of rows that come in, or go out."""
    rows = [np.shape(value)[:1] for value in traced.values.values()]
    return max((row[0] for row in rows if row), default=2)


_WHOLE: dict[str, Change] = {
    "sign": lambda t: -t.run(),
    "left at zero": lambda t: 0 * t.run(),
    "times 1 + 1e-5": lambda t: t.run() * (1 + 1e-5),
    "times 2": lambda t: 2 * t.run(),
    "times K": lambda t: t.run() * _size(t),
    "times 1/K": lambda t: t.run() / _size(t),
}


def _without_last_row(traced: Traced) -> Any:
    part = traced.run()
    rows = np.arange(part.shape[0]) < part.shape[0] - 1
    return part * rows.reshape(-1, *[1] * (np.ndim(part) - 1)).astype(part.dtype)


def _repeated(traced: Traced) -> tuple[Any, list[int]]:
    """Give the formula's result, and the axes along which the input was repeated for it."""
    part, shape = traced.run(), np.shape(traced.given[2 + traced.slot])
    extra = np.ndim(part) - len(shape)
    sizes = (*[1] * extra, *shape)
    return part, [i for i, n in enumerate(np.shape(part)) if sizes[i] == 1 != n]


def _first_copy(traced: Traced) -> Any:
    part, axes = _repeated(traced)
    for i in axes:
        first = np.arange(part.shape[i]) == 0
        part = part * first.reshape(-1, *[1] * (part.ndim - i - 1)).astype(part.dtype)
    return part


def _mean_of_copies(traced: Traced) -> Any:
    part, axes = _repeated(traced)
    return part / float(np.prod([part.shape[i] for i in axes]))


# The sweep sums over the copies that broadcasting made.
_COPIES: dict[str, Change] = {
    "one copy for the sum of all": _first_copy,
    "mean for the sum of copies": _mean_of_copies,
}


def _overwritten(node: Tensor, g: Any, x: Any, *places: Any) -> Any:
    g, x, *plain = (v.data if isinstance(v, Tensor) else v for v in (g, x, *places))
    out = np.zeros_like(x)
    out[filled(node.attributes["index"], plain)] = g
    return out


def _reversed(node: Tensor, *arguments: Any) -> Any:
    part = node.op(*arguments, **node.attributes)  # type: ignore[misc]
    return part[::-1] if np.ndim(part) else part


# Operations that may stand in a formula, and what a mistaken hand writes in their place
_OF_NODES: dict[str, dict[str, Callable[..., Any]]] = {
    "sum": {"mean": lambda node, x: reductions.mean(x, **node.attributes)},
    "mean": {"sum": lambda node, x: reductions.sum(x, **node.attributes)},
    "where": {"the other side": lambda node, c, a, b: elementwise.where(c, b, a)},
    "greater": {
        "less": lambda node, a, b: elementwise.less(a, b),
        "or equal": lambda node, a, b: elementwise.greater_equal(a, b),
    },
    "less": {
        "greater": lambda node, a, b: elementwise.greater(a, b),
        "or equal": lambda node, a, b: elementwise.less_equal(a, b),
    },
    "equal": {"never": lambda node, a, b: elementwise.not_equal(a, a)},
    "softmax_error": {"one-hot missing": lambda node, z, lse, t: elementwise.exp(z - lse)},
    "scatter": {"the last of several wins": _overwritten},
    "getitem": {"in reverse": _reversed},
}
