"""What bprop returns besides the parameters' gradients: checked by the nodes of the graph."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from minigraph.graph import Graph
from minigraph.testing.diagnosis.causes.signatures import (
    GUESSES,
    factor,
    fits,
    scale_causes,
    shape_cause,
)
from minigraph.testing.diagnosis.measuring import Measured, close
from minigraph.testing.diagnosis.rules.record import DATA, Change, Record
from minigraph.testing.diagnosis.rules.wrong_rules import wrong_rules

__all__ = ["Intermediates", "is_x", "node_causes"]

PREFIXES = ("", "grad_", "d_", "∂", "d")


def is_x(key: str, case: Measured) -> bool:
    """Tell whether a key that is no parameter's is that of the input's gradient, not the input."""
    x, given = case.problem.x, case.given[key]
    is_input = given.shape == x.shape and np.allclose(given, x, rtol=1e-6)
    named = any(key == f"{prefix}x" for prefix in PREFIXES)
    return named and x.dtype.kind == "f" and not is_input


def node_causes(key: str, cases: Sequence[Measured]) -> list[str]:
    """Name what is wrong with the gradient of what is no parameter."""
    shape = shape_cause(key, cases)
    if shape is not None:
        return [shape]
    return list(scale_causes(key, cases)) or [
        words for words, guess in GUESSES if fits(guess, key, cases)
    ]


class Intermediates:
    """Keys that bprop returns for nodes of the graph, by their names.

    Attributes
    ----------
    nodes : dict of str to int
        The place of each key's node among the graph's, in the order of the backward pass.
    """

    def __init__(self, keys: Sequence[str], records: Sequence[Record], cases: Sequence[Measured]):
        self.records, self.cases = records, cases
        everywhere = [set(_named(record).items()) for record in records]
        named = dict(set.intersection(*everywhere)) if records else {}
        found = {key: k for key in keys for k in _places(key, named) if self._fits(key, k)}
        self.nodes = dict(sorted(found.items(), key=lambda item: -item[1]))
        for key, k in self.nodes.items():
            for record, case in zip(records, cases):
                case.know(key, np.asarray(record.cotangents[k]))

    def _fits(self, key: str, k: int) -> bool:
        """Tell whether a key can be meant: what bears a tensor's name may be something else."""
        return key != self.records[0].nodes[k].name or all(
            getattr(case.given.get(key), "shape", None) == record.nodes[k].shape
            for record, case in zip(self.records, self.cases)
        )

    def is_value(self, key: str) -> bool:
        """Tell whether what was given is the node itself, not its gradient."""
        k = self.nodes[key]
        return key == self.records[0].nodes[k].name and all(
            close(case.given[key], record.nodes[k].data)
            for record, case in zip(self.records, self.cases)
        )

    def made_good(self, key: str, wrong: Mapping[str, Any]) -> str:
        """Say so if it is a multiple of the gradient, and all that is made of it is right."""
        behind = {node.number for node in Graph(self.records[0].nodes[self.nodes[key]]).nodes}
        parameters = [n for n, leaf in self.records[0].leaves.items() if leaf.number in behind]
        found = [factor(case.given[key], case.slope(key)) for case in self.cases]
        if set(parameters) & set(wrong) or not all(found):
            return ""
        factors = np.array(found, float)
        each = np.allclose(factors, [case.problem.K for case in self.cases])
        if not each and not np.allclose(factors, factors[0]):
            return ""
        times = "K" if each else f"{factors[0]:.4g}"
        return f"it is {times} times the gradient of the loss, which the lines after it make good"

    def follow(self, names: Sequence[str]) -> dict[str, str]:
        """Find what is right for the intermediates that were given, with the nearest of these."""
        right = set(names)
        for record, case in zip(self.records, self.cases):
            arrived: dict[int, Any] = {}
            parts = {
                (k, slot): partial(_from_given, record, k, vjp, case.given[key])
                for key, k in self.nodes.items()
                for slot, vjp in record.nodes[k].formulas
            }
            got = record.gradients(parts, arrived)
            if got is None:
                return {}
            got |= {key: arrived[k] for key, k in self.nodes.items() if k in arrived}
            right = {n for n in right if n in got and close(case.given[n], got[n], 1e-9)}
        nearest = {name: list(self._before(name)) for name in right}
        return {name: before[-1] for name, before in nearest.items() if before}

    def _before(self, name: str) -> Iterator[str]:
        """List the intermediates that come before one, or a parameter, in the backward pass."""
        record = self.records[0]
        at = record.nodes[self.nodes[name]] if name in self.nodes else record.leaves[name]
        for key, k in self.nodes.items():
            node = record.nodes[k]
            if node is not at and at.number in {n.number for n in Graph(node).nodes}:
                yield key

    def explained_by(self, changes: Sequence[Change], record: Record) -> dict[str, list[Change]]:
        """Find the intermediates that come out as they were given when rules are changed."""
        if any(change.node == DATA for change in changes):
            return {}
        given = next(case.given for r, case in zip(self.records, self.cases) if r is record)
        arrived: dict[int, Any] = {}
        rules = [wrong_rules(record, change.node, change.slot) for change in changes]
        if not all(change.words in of_it for change, of_it in zip(changes, rules)):
            return {}
        parts = {(c.node, c.slot): of_it[c.words] for c, of_it in zip(changes, rules)}
        record.gradients(parts, arrived)
        return {
            key: [change for change in changes if self._is_behind(k, change)]
            for key, k in self.nodes.items()
            if k in arrived and close(given[key], np.asarray(arrived[k]), 1e-9)
        }

    def _is_behind(self, k: int, change: Change) -> bool:
        nodes = self.records[0].nodes
        behind = Graph(nodes[change.node].inputs[change.slot]).nodes
        return any(node is nodes[k] for node in behind)

    def first_wrong(self, wrong: Mapping[str, Any]) -> list[str]:
        """Say which is the first that is wrong, in the order of the backward pass."""
        off = [key for key in self.nodes if key in wrong]
        if not off:
            return []
        before = any(key not in wrong for key in self._before(off[0]))
        return [f"the first that is wrong is {off[0]}" + ": what comes before it is right" * before]


def _named(record: Record) -> dict[str, int]:
    """List the nodes with a gradient by name; a name that several have tells none of them."""
    names = [node.name or "" for node in record.nodes]
    times = Counter(names)
    return {names[k]: k for k in record.cotangents if names[k] and times[names[k]] == 1}


def _places(key: str, named: Mapping[str, int]) -> list[int]:
    """Find the node of a key: by its name, or the name behind a prefix."""
    names = [key.removeprefix(prefix) for prefix in PREFIXES if key.startswith(prefix)]
    return [named[name] for name in names if name in named][:1]


def _from_given(record: Record, k: int, vjp: Any, given: Any, g: Any) -> Any:
    node = record.nodes[k]
    return vjp(given, node._array, *node.values, **node.attributes)
