"""Wrong versions of an operation's formulas: what tests of gradients must notice.

A formula is traced: run on Tensors, with all that it does recorded. A mutant runs that record with
one thing changed, an operation, an operand or the result, each time that the sweep asks for it.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings

from minigraph.graph import Graph
from minigraph.op import Op
from minigraph.ops import elementwise, reductions
from minigraph.ops.shaping import filled
from minigraph.tensor import Tensor
from minigraph.testing.programs import Program
from minigraph.testing.strategies import calls
from minigraph.testing.tracing import Rule, replay, trace

__all__ = ["Mutant", "drawn_calls", "mutants", "planted"]

Formula = Callable[..., Any]
Change = Callable[["_Traced"], Any]


class Mutant(NamedTuple):
    """A wrong version of one formula of an op.

    Attributes
    ----------
    op : Op
    slot : int
        The input whose formula it is.
    name : str
        What is wrong with it.
    formula : callable
        ``formula(g, y, *inputs, **attributes)``, in the place of the right one.
    """

    op: Op
    slot: int
    name: str
    formula: Formula

    @property
    def input(self) -> str:
        """The name of the input."""
        return self.op.input_name(self.slot)


def mutants(op: Op, programs: Sequence[Program] | None = None) -> list[Mutant]:
    """List the wrong versions of an op's formulas.

    Parameters
    ----------
    op : Op
    programs : sequence of Program, optional
        Calls of the op; what its formulas do there is what is changed. By default 40 that are
        drawn by its declaration.

    Returns
    -------
    list of Mutant

    Examples
    --------
    >>> import minigraph as mg
    >>> from minigraph.testing.mutation import mutants
    >>> [mutant.name for mutant in mutants(mg.tanh)][:3]
    ['sign', 'left at zero', 'times 1 + 1e-5']
    """
    found: dict[tuple[int, str], Mutant] = {}
    for program in programs or drawn_calls(op, 40):
        for node in _nodes(program, op):
            for slot, formula in node.formulas:
                g = np.linspace(1, 2, node.size, dtype=node.dtype).reshape(node.shape)
                traced = _Traced(op, slot, formula, (g, node.data, *node.values), node.attributes)
                for name, _ in _changes(traced):
                    if (slot, name) not in found:
                        wrong = _changed(op, slot, formula, name)
                        found[slot, name] = Mutant(op, slot, name, wrong)
    return list(found.values())


def drawn_calls(op: Op, n: int) -> list[Program]:
    """Draw calls of an op, the same ones each time: some away from kinks, some on them."""
    found: list[Program] = []
    options: dict[str, Any] = {
        "database": None,
        "deadline": None,
        "derandomize": True,
        "phases": [Phase.generate],
        "suppress_health_check": list(HealthCheck),
    }
    for at_kinks in (False, True):

        @settings(max_examples=max(1, n // 2), **options)
        @given(calls(op, at_kinks=at_kinks))
        def keep(program: Program) -> None:
            found.append(program)

        keep()
    return found


def _nodes(program: Program, op: Op) -> Iterator[Tensor]:
    y = program(*(Tensor(array, requires_grad=True) for array in program.inputs.values()))
    return (node for node in Graph(y).nodes if node.op is op)


def _changed(op: Op, slot: int, formula: Formula, name: str) -> Formula:
    def wrong(g: Any, y: Any, *inputs: Any, **attributes: Any) -> Any:
        traced = _Traced(op, slot, formula, (g, y, *inputs), attributes)
        changes = dict(_changes(traced))
        return changes[name](traced) if name in changes else traced.run()

    return wrong


@contextmanager
def planted(mutant: Mutant) -> Iterator[None]:
    """Put a mutant into its op, for all who call it, inside the block."""
    op, slot = mutant.op, mutant.slot
    right, each, trusted = op.vjps, op.each, op.trusted
    by_flow = op.call.__globals__["_by_flow"]

    def install(vjps: Any, each_formula: Any, trust: bool) -> None:
        op.vjps, op.each, op.trusted = vjps, each_formula, trust
        by_flow.vjps = vjps
        by_flow.clear()

    wrong = tuple(mutant.formula if i == slot else vjp for i, vjp in enumerate(right))
    install(wrong, each and (lambda i: mutant.formula if i == slot else each(i)), False)
    try:
        yield
    finally:
        install(right, each, trusted)


# The record of a formula, and what can be changed in it


class _Traced:
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


def _changes(traced: _Traced) -> Iterator[tuple[str, Change]]:
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

    def apply(traced: _Traced) -> Any:
        name, _, k = label.partition(" ")
        same = [node for node in traced.nodes if node.op is not None and node.op.name == name]
        node = same[int(k or 1) - 1]
        return traced.at(node, lambda *arguments: change(node, *arguments))

    return apply


def _operands(traced: _Traced) -> Iterator[tuple[str, Change]]:
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


def _size(traced: _Traced) -> int:
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


def _without_last_row(traced: _Traced) -> Any:
    part = traced.run()
    rows = np.arange(part.shape[0]) < part.shape[0] - 1
    return part * rows.reshape(-1, *[1] * (np.ndim(part) - 1)).astype(part.dtype)


def _repeated(traced: _Traced) -> tuple[Any, list[int]]:
    """Give the formula's result, and the axes along which the input was repeated for it."""
    part, shape = traced.run(), np.shape(traced.given[2 + traced.slot])
    extra = np.ndim(part) - len(shape)
    sizes = (*[1] * extra, *shape)
    return part, [i for i, n in enumerate(np.shape(part)) if sizes[i] == 1 != n]


def _first_copy(traced: _Traced) -> Any:
    part, axes = _repeated(traced)
    for i in axes:
        first = np.arange(part.shape[i]) == 0
        part = part * first.reshape(-1, *[1] * (part.ndim - i - 1)).astype(part.dtype)
    return part


def _mean_of_copies(traced: _Traced) -> Any:
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
