"""The search for the rules whose change gives just what bprop gave, on all problems."""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain, combinations, islice
from typing import Any, NamedTuple

import numpy as np

from minigraph.arrays import Array
from minigraph.testing.diagnosis.measuring import Measured, close
from minigraph.testing.diagnosis.rules import Change, Record
from minigraph.testing.diagnosis.wrong_rules import UNNAMED, Part, Site, with_operand, wrong_rules

__all__ = ["matching"]

PAIRS = 12_000  # that are tried
FIRSTS = 12  # changes that explain a part, with each of which all others are tried
CONFIRMED = 40  # of those that fit the first problem
ENOUGH = 3
CUT = "it is left at zero"


class _Tried(NamedTuple):
    change: Change
    part: Part
    hits: frozenset[str]  # the parameters whose gradient is then what was given


def matching(
    records: Sequence[Record], cases: Sequence[Measured], leave: frozenset[str] = frozenset()
) -> list[tuple[Change, ...]]:
    """Find the changes, one or two, that give just what bprop gave, on all problems.

    Parameters in `leave` are not compared: they have a mistake of their own.
    """
    search = _Search(records, cases, leave)
    found = search.singles() or search.pairs() or search.updates()
    named = [c for c in found if not any(change.words.startswith(UNNAMED) for change in c)]
    return named or found


class _Search:
    def __init__(
        self, records: Sequence[Record], cases: Sequence[Measured], leave: frozenset[str]
    ) -> None:
        self.records, self.cases = records, cases
        self.compared = [name for name in records[0].right if name not in leave]
        self.wrong = {n for n in self.compared if n not in self._hits(0, records[0].right)}
        self.tried = list(self._singles())

    def _hits(self, i: int, got: dict[str, Array] | None) -> frozenset[str]:
        """Tell which gradients of problem i are then those that were given."""
        if got is None:
            return frozenset()
        given = self.cases[i].given
        return frozenset(n for n in self.compared if _like(given[n], got[n]))

    def _singles(self) -> Iterator[_Tried]:
        record = self.records[0]
        for k in record.cotangents:
            for slot, _ in record.nodes[k].formulas:
                for words, part in wrong_rules(record, k, slot).items():
                    hits = self._hits(0, record.gradients({(k, slot): part}))
                    yield _Tried(Change(k, slot, words), part, hits)

    def singles(self) -> list[tuple[Change, ...]]:
        """Find one change that explains all."""
        whole = [t for t in self.tried if len(t.hits) == len(self.compared)]
        return [(t.change,) for t in whole[:CONFIRMED] if self._confirmed((t.change,))]

    def pairs(self) -> list[tuple[Change, ...]]:
        """Find two: one that explains a part of what is wrong, or two cuts, and any other."""
        right = frozenset(self.compared) - self.wrong
        partly = [t for t in self.tried if t.hits & self.wrong and right <= t.hits]
        cuts = [t for t in self.tried if t.change.words == CUT]
        candidates = ((a, b) for a in partly[:FIRSTS] for b in self.tried)
        found: list[tuple[Change, ...]] = []
        for one, other in islice(chain(combinations(cuts, 2), candidates), PAIRS):
            places = [(t.change.node, t.change.slot) for t in (one, other)]
            if places[0] == places[1]:
                continue
            got = self.records[0].gradients(dict(zip(places, (one.part, other.part))))
            if len(self._hits(0, got)) == len(self.compared):
                pair = tuple(sorted((one.change, other.change)))
                if pair not in found and self._confirmed(pair):
                    found.append(pair)
            if len(found) == ENOUGH:
                break
        return found

    def _confirmed(self, changes: tuple[Change, ...]) -> bool:
        """Tell whether changes give what bprop gave on all problems."""
        for i, record in enumerate(self.records):
            parts: dict[tuple[int, int], Any] = {}
            for change in changes:
                if change.node not in record.cotangents:
                    return False
                rules = wrong_rules(record, change.node, change.slot)
                if change.words not in rules:
                    return False
                parts[change.node, change.slot] = rules[change.words]
            if len(self._hits(i, record.gradients(parts))) < len(self.compared):
                return False
        return True

    def updates(self) -> list[tuple[Change, ...]]:
        """Find a parameter from which a step was subtracted before a rule read it.

        Rules are linear in the weights that they read, so what is given is then the right gradient
        less t times that with the parameter's own gradient in the place of the parameter.
        """
        first = self.records[0]
        found: list[tuple[Change, ...]] = []
        for k in first.cotangents:
            for slot, _ in first.nodes[k].formulas:
                site = Site(first, k, slot)
                for operand in site.traced(site.g).used:
                    name = site.operand(operand)
                    if name not in first.leaves:
                        continue
                    t = self._step(k, slot, operand, name)
                    if t is not None:
                        words = f"a step of {t:.4g} was taken with {name} before it was used"
                        found.append((Change(k, slot, words),))
        return found

    def _step(self, k: int, slot: int, operand: str, name: str) -> float | None:
        """Give the size of the step that explains all gradients; None if there is none."""
        steps = []
        for record, case in zip(self.records, self.cases):
            site = Site(record, k, slot)
            part = partial(with_operand, site, operand, record.right[name])
            moved = record.gradients({(k, slot): part})
            if moved is None:
                return None
            reached = record.reached_by(Change(k, slot, ""))
            for n in self.compared:
                off = record.right[n] - np.asarray(case.given[n])
                t = 0.0
                if n in reached:
                    t = float((off * moved[n]).sum() / max((moved[n] ** 2).sum(), 1e-300))
                    steps.append(t)
                if not _like(case.given[n], record.right[n] - t * moved[n]):
                    return None
        return steps[0] if steps and np.allclose(steps, steps[0], rtol=1e-5) else None


def _like(given: Any, computed: Array) -> bool:
    return close(given, computed, 1e-9)
