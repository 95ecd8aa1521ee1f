"""The recorded graph with everything numbered: what is drawn, and in which order."""

from typing import Any, NamedTuple

import numpy as np

from minigraph.drawing.text import Term, clean, expression, filled, formula, operand
from minigraph.graph import Graph
from minigraph.op import Op
from minigraph.tensor import Tensor

__all__ = ["Recording", "Scope", "Use"]

Scope = tuple[str, ...]


class Use(NamedTuple):
    """An edge: node `tail` stands in place `slot` of the inputs of node `head`."""

    tail: int
    head: int
    slot: int
    flows: bool  # whether a gradient comes back on it


class Recording:
    """All tensors behind some outputs, and the arrays among their operands, as numbers 0 to n - 1.

    The numbers follow the order of recording, an array's just before its first consumer's. Plain
    numbers among the operands are no nodes: they are written into the expressions.

    Attributes
    ----------
    values : list
        The tensors and arrays.
    names : list of str
        The tensor's name, cleaned, or v and the number. `short` has no more than 40 characters.
    uses : list of Use
        By head, then by slot. `first[k]` to `first[k + 1]` are those with head k.
    outputs : set of int
    clusters : dict of scope to int
        All scopes, outer ones included, numbered in order of appearance.
    """

    def __init__(self, graph: Graph) -> None:
        self.values: list[Any] = []
        self.names: list[str] = []
        self.short: list[str] = []
        self.uses: list[Use] = []
        self.first: list[int] = []
        self.clusters: dict[Scope, int] = {}
        self.place: dict[int, int] = {}  # by identity
        self._kept_inputs: dict[Op, list[tuple[int, str]]] = {}
        self.kept: dict[int, tuple[int, str]] = {}  # constants kept for a gradient: consumer, text
        for node in graph.nodes:
            self._add_node(node)
        self.first.append(len(self.uses))
        self.outputs = {self.place[id(output)] for output in graph.outputs}
        self._find_flow(graph)
        self.fan_out = [0] * len(self.values)
        for use in self.uses:
            self.fan_out[use.tail] += 1

    def __len__(self) -> int:
        return len(self.values)

    def _add_node(self, node: Tensor) -> None:
        place = self.place
        tails = []
        for slot, x in enumerate(node.inputs):
            if is_number(x):
                continue
            if id(x) not in place:
                self._add(x, None, ())
            tails.append((slot, place[id(x)]))
        k = self._add(node, node._name, node.scope)
        if tails:
            flows = {slot for slot, _ in node.formulas}
            self.uses += [Use(tail, k, slot, slot in flows) for slot, tail in tails]
            assert node.op is not None
            if node.op not in self._kept_inputs:
                self._kept_inputs[node.op] = kept_inputs(node.op)
            for slot, text in self._kept_inputs[node.op]:
                x = node.inputs[slot]
                if type(x) is Tensor and x.op is None and not x.name:
                    self.kept[place[id(x)]] = (k, text)

    def _add(self, value: Any, name: str | None, scope: Scope) -> int:
        k = self.place[id(value)] = len(self.values)
        self.values.append(value)
        full = (name and clean(name, 400)) or f"v{k}"
        self.names.append(full)
        self.short.append(clean(full, 40) if len(full) > 40 else full)
        self.first.append(len(self.uses))
        if scope not in self.clusters:
            for depth in range(1, len(scope) + 1):
                self.clusters.setdefault(scope[:depth], len(self.clusters))
        return k

    def _find_flow(self, graph: Graph) -> None:
        """Mark the edges on which a gradient comes back from an output, whatever it then is."""
        live = [False] * len(self.values)
        for output in graph.outputs:
            live[self.place[id(output)]] = output.requires_grad
        for e in range(len(self.uses) - 1, -1, -1):
            use = self.uses[e]
            if not use.flows:
                continue
            if live[use.head]:
                live[use.tail] = True
            else:  # a gradient would come back, but none arrives there
                self.uses[e] = use._replace(flows=False)

    def scope(self, k: int) -> Scope:
        """Give the scope in which a node was made; that of a plain array is not known."""
        value = self.values[k]
        return value.scope if type(value) is Tensor else ()

    def inputs(self, k: int) -> list[Use]:
        """List the edges into a node."""
        return self.uses[self.first[k] : self.first[k + 1]]

    def kind(self, k: int) -> str:
        """Tell what a node is: input, parameter, constant, op or output."""
        value = self.values[k]
        if type(value) is not Tensor:
            return "constant"
        if value.op is not None:
            return "output" if k in self.outputs else "op"
        return "parameter" if value.requires_grad else "input" if value.name else "constant"

    def is_unnamed(self, k: int) -> bool:
        """Tell whether the user gave no name to a node."""
        value = self.values[k]
        return type(value) is not Tensor or not value.name

    def operands(self, k: int, inlined: dict[int, Term] | None = None) -> list[Term]:
        """Write the inputs of a node, by name where no other text is given."""
        terms = []
        for x in self.values[k].inputs:
            if is_number(x):
                terms.append(operand(x))
                continue
            tail = self.place[id(x)]
            terms.append((inlined or {}).get(tail) or Term(self.short[tail]))
        return terms

    def text(self, k: int, inlined: dict[int, Term] | None = None) -> Term | None:
        """Write how a node was made; None for a leaf."""
        value = self.values[k]
        if type(value) is Tensor and value.op is not None:
            return expression(value, self.operands(k, inlined))
        if k in self.kept:
            consumer, text = self.kept[k]
            op = self.values[consumer].op
            try:
                return filled(text, dict(zip(op.input_names, self.operands(consumer))))
            except LookupError:
                return None
        return None

    def figures(self, k: int) -> list[Term] | None:
        """Write the numbers that the inputs of a node were; None if one is an array."""
        values = self.values[k].values
        return None if any(map(np.shape, values)) else [operand(value) for value in values]

    def formula(self, use: Use) -> str:
        """Write what comes back on an edge."""
        name = self.short[use.head]
        operands = self.operands(use.head)
        return formula(self.values[use.head], use.slot, operands, Term(name), Term(f"∂{name}"))


def kept_inputs(op: Op) -> list[tuple[int, str]]:
    """List the inputs that an op has for its gradient only: their slots, and what they hold."""
    return [
        (slot, op.texts[name])
        for slot, (name, vjp) in enumerate(zip(op.input_names, op.vjps))
        if vjp is None and name in op.texts
    ]


def is_number(value: Any) -> bool:
    """Tell whether an operand is a plain number, which is written into the expression."""
    return type(value) is not Tensor and getattr(value, "ndim", 0) == 0
