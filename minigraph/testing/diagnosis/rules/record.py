"""The graph of the user's loss, and backward passes through it in which a rule is changed."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from minigraph.arrays import Array
from minigraph.drawing.recording import Recording, is_number
from minigraph.drawing.text import ATOM, Term, formula, operand
from minigraph.graph import Graph
from minigraph.sweep import fitted
from minigraph.tensor import Tensor
from minigraph.testing.diagnosis.causes.penalties import lambda_names
from minigraph.testing.diagnosis.problems import Problem

__all__ = ["DATA", "Change", "Record"]


DATA = -1  # in the place of a node: not a rule is wrong, but what it is computed of
LONG = 44  # characters of an expression


class Change(NamedTuple):
    """A wrong rule: at node k, for the input in this slot; and what is wrong, in words."""

    node: int
    slot: int
    words: str


class Record:
    """The graph on one problem, with all arrays and cotangents that a rule could have taken.

    Attributes
    ----------
    nodes : tuple of Tensor
    cotangents : dict of int to ndarray
        Of node k, in the right backward pass.
    arrays : list of (str, ndarray)
        All arrays of floats with their names, the one-hot labels among them.
    right : dict of str to ndarray
        The right gradients, by parameter.
    """

    def __init__(self, graph: Callable[..., Any], problem: Problem) -> None:
        self.graph, self.problem = graph, problem
        self.leaves = {
            name: Tensor(value, requires_grad=True, name=name)
            for name, value in problem.params.items()
        }
        x = Tensor(problem.x, name="x") if problem.x.dtype.kind == "f" else problem.x
        arguments: list[Any] = [dict(self.leaves), x, problem.y]
        if problem.lam:
            arguments.append(problem.lam)
        self.loss = graph(*arguments)
        whole = Graph(self.loss)
        self.nodes = whole.nodes
        self.recording = Recording(whole)
        self._terms: dict[int, Term] = {}
        self.cotangents: dict[int, Any] = {}
        right = self.gradients(note=self.cotangents)
        assert right is not None
        self.right = right
        self.arrays = self._named_arrays()

    def gradients(
        self,
        parts: Mapping[tuple[int, int], Callable[[Any], Any]] | None = None,
        note: dict[int, Any] | None = None,
    ) -> dict[str, Array] | None:
        """Go back through the graph; `parts` stand in the place of some rules.

        A part is a function of the cotangent that arrives there. None is returned if what it gives
        does not fit.
        """
        table: dict[int, Any] = {self.loss.number: np.ones_like(self.loss.data)[()]}
        for k in range(len(self.nodes) - 1, -1, -1):
            node = self.nodes[k]
            g = table.get(node.number)
            if g is None or node.op is None:
                continue
            if note is not None:
                note[k] = g
            for slot, vjp in node.formulas:
                instead = (parts or {}).get((k, slot))
                try:
                    if instead is None:
                        part = vjp(g, node._array, *node.values, **node.attributes)
                    else:
                        part = instead(g)
                    part = part.data if isinstance(part, Tensor) else part
                    part = fitted(part, node, slot, False)
                except (ValueError, TypeError, IndexError, KeyError):
                    return None
                number = node.inputs[slot].number
                table[number] = table[number] + part if number in table else part
        return {
            name: np.asarray(table.get(leaf.number, np.zeros(leaf.shape)))
            for name, leaf in self.leaves.items()
        }

    def places(self) -> list[tuple[int, int]]:
        """List all rules through which a gradient comes: node and slot, from the loss on back."""
        return [(k, slot) for k in self.cotangents for slot, _ in self.nodes[k].formulas]

    def reached_by(self, change: Change) -> set[str]:
        """List the parameters behind the input whose rule is changed."""
        if change.node == DATA:
            return set(self.leaves)
        behind = {node.number for node in Graph(self.nodes[change.node].inputs[change.slot]).nodes}
        return {name for name, leaf in self.leaves.items() if leaf.number in behind}

    # Words

    def describe(self, change: Change) -> str:
        """Say in words what a change is, and where."""
        if change.node == DATA:
            return change.words
        node = self.nodes[change.node]
        input = self.called(node.inputs[change.slot])
        return f"∂{input}, as it comes from {self.called(node)}: {change.words}"

    def called(self, value: Any) -> str:
        """Call a tensor or array by its name, or by how it was made."""
        k = self.recording.place.get(id(value))
        if k is None:
            return "a number"
        return self._name(k)

    def _name(self, k: int) -> str:
        term = self._term(k)
        return f"({term.text})" if term.level < ATOM else term.text

    def _term(self, k: int) -> Term:
        """Write a node by its name, or else by what it was made of, in so many characters."""
        if k not in self._terms:
            self._terms[k] = self._written(k)
        return self._terms[k]

    def _written(self, k: int) -> Term:
        recording = self.recording
        if not recording.is_unnamed(k):
            return Term(recording.short[k])
        if (given := self._given(recording.values[k])) is not None:
            return Term(given)
        uses = recording.inputs(k)
        text = recording.text(k, {use.tail: self._term(use.tail) for use in uses})
        if text is None:
            return Term(recording.short[k])
        if len(text.text) > LONG:
            return Term(f"{recording.values[k].op.name}(…)")
        return text

    def _given(self, value: Any) -> str | None:
        """Name an array that is x or y, or of their values."""
        array = value._array if isinstance(value, Tensor) else value
        for name, given in (("x", self.problem.x), ("y", self.problem.y)):
            if array.shape == given.shape and np.array_equal(array, given):
                return name
        return None

    def rule(self, k: int, slot: int) -> str:
        """Write the right rule of node k for an input."""
        node = self.nodes[k]
        inputs = [
            operand(x) if is_number(x) else self._term(self.recording.place[id(x)])
            for x in node.inputs
        ]
        y = self._term(self.recording.place[id(node)])
        return formula(node, slot, inputs, y, Term(f"∂{self.called(node)}"))

    def right_formula(self, name: str) -> str:
        """Write what the gradient of a parameter is, from the graph."""
        leaf = self.leaves[name]
        terms = []
        for k, node in enumerate(self.nodes):
            for slot, _ in node.formulas:
                if node.inputs[slot] is leaf and k in self.cotangents:
                    text = self.rule(k, slot)
                    if node.ndim == 0:  # what is added to the loss, times a number
                        factor = float(self.cotangents[k])
                        times = "" if factor == 1 else f"{factor:.3g} * "
                        text = text.replace(f"∂{self.called(node)} * ", times)
                    terms.append(text)
        text = " + ".join(terms)
        for name, weight in zip(lambda_names(len(self.problem.lam)), self.problem.lam):
            text = text.replace(f"{weight:.3g}", name)
        return text

    def _named_arrays(self) -> list[tuple[str, Array]]:
        found = [
            (self._name(k), value._array if isinstance(value, Tensor) else value)
            for k, value in enumerate(self.recording.values)
            if value.dtype.kind == "f" and value.ndim
        ]
        y = self.problem.y
        if y.dtype.kind in "iu" and y.ndim == 1 and y.size and y.min() >= 0:
            for m in {n for _, array in found if array.ndim == 2 for n in array.shape}:
                if m > y.max():
                    onehot = np.eye(m)[y]
                    found += [("onehot(y)", onehot), ("onehot(y)", onehot.T)]
        return found
