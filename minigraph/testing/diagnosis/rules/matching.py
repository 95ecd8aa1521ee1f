"""The search for the rules whose change gives just what bprop gave, on all problems."""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, combinations, islice
from typing import Any, NamedTuple

import numpy as np

from minigraph.testing.diagnosis.measuring import Measured, close
from minigraph.testing.diagnosis.rules.amounts import factors, updates, weights
from minigraph.testing.diagnosis.rules.compared import Changes, Compared
from minigraph.testing.diagnosis.rules.record import DATA, Change, Record
from minigraph.testing.diagnosis.rules.wrong_rules import (
    UNNAMED,
    Part,
    Site,
    other_arrays,
    other_labels,
    wrong_rules,
)

__all__ = ["matching", "misshapen"]

PAIRS = 12_000  # that are tried
FIRSTS = 12  # changes that explain a part, with each of which all others are tried
CONFIRMED = 40  # of those that fit the first problem
ENOUGH = 3
CUT = "it is left at zero"


def matching(
    records: Sequence[Record],
    cases: Sequence[Measured],
    leave: frozenset[str] = frozenset(),
    is_late: Callable[[], bool] = lambda: False,
) -> list[Changes]:
    """Find the changes, one or two, that give just what bprop gave, on all problems.

    Parameters in `leave` are not compared: they have a mistake of their own. The search ends when
    `is_late()` says so.
    """
    compared = Compared(records, cases, leave, is_late)
    if not compared.wrong:  # so each change that does nothing here would fit
        return []
    search = _Search(compared)
    found = (
        labels(compared)
        or search.singles()
        or factors(compared)
        or search.pairs()
        or updates(compared)
        or weights(compared)
    )
    named = [c for c in found if not any(change.words.startswith(UNNAMED) for change in c)]
    return named or found


def labels(compared: Compared) -> list[Changes]:
    """Find labels, or targets, that are those of others."""
    found: list[Changes] = []
    for words in other_labels(compared.records[0].problem):
        moved = (
            (i, Record(record.graph, other_labels(record.problem)[words]))
            for i, record in enumerate(compared.records)
        )
        if all(compared.explains(i, record.right) for i, record in moved):
            found.append((Change(DATA, 0, words),))
    return found


def misshapen(records: Sequence[Record], cases: Sequence[Measured], name: str) -> list[Changes]:
    """Find an array that was taken for another, if that gave a gradient its wrong shape."""
    first = records[0]
    found: list[Changes] = []
    for k, slot in first.places():
        if first.nodes[k].inputs[slot] is not first.leaves[name]:
            continue
        for words in other_arrays(Site(first, k, slot)):
            parts = (other_arrays(Site(r, k, slot)).get(words) for r in records)
            if all(
                part is not None and close(case.given[name], part)
                for case, part in zip(cases, parts)
            ):
                found.append((Change(k, slot, words),))
    return found


class _Tried(NamedTuple):
    change: Change
    part: Part
    hits: frozenset[str]  # the parameters whose gradient is then what was given


class _Search:
    def __init__(self, compared: Compared) -> None:
        self.compared = compared
        self.tried = list(self._singles())

    def _singles(self) -> Iterator[_Tried]:
        record = self.compared.records[0]
        for k, slot in record.places():
            if self.compared.is_late():
                return
            for words, part in wrong_rules(record, k, slot).items():
                got = record.gradients({(k, slot): part})
                if got and not all(close(got[name], right) for name, right in record.right.items()):
                    yield _Tried(Change(k, slot, words), part, self.compared.hits(0, got))

    def singles(self) -> list[Changes]:
        """Find one change that explains all."""
        whole = [t for t in self.tried if len(t.hits) == len(self.compared.names)]
        confirmed = [t for t in whole[:CONFIRMED] if self._confirmed((t.change,))]
        return [(t.change,) for t in self._different(confirmed)]

    def _different(self, tried: list[_Tried]) -> list[_Tried]:
        """Leave out what is the same in other words: at one rule the first, of several the last.

        Words that are more to the point come first at a rule. Of a change that does the same at
        several rules in a row the one nearest to the parameters is kept. The simplest comes first.
        """
        parts: dict[tuple[int, int], list[Any]] = {}
        of_words: dict[str, _Tried] = {}
        for t in sorted(tried, key=lambda t: t.change.words.startswith(UNNAMED)):
            site = Site(self.compared.records[0], t.change.node, t.change.slot)
            part, right = t.part(site.g), site.right(site.g)
            known = parts.setdefault((site.k, site.slot), [])
            if not any(_equal(part, other, right) for other in known):
                known.append(part)
                of_words[t.change.words] = t
        return sorted(of_words.values(), key=lambda t: t.change.words != CUT)

    def pairs(self) -> list[Changes]:
        """Find two: one that explains a part of what is wrong, or two cuts, and any other."""
        wrong = self.compared.wrong
        right = frozenset(self.compared.names) - wrong
        partly = [t for t in self.tried if t.hits & wrong and right <= t.hits]
        cuts = [t for t in self.tried if t.change.words == CUT]
        candidates = ((a, b) for a in partly[:FIRSTS] for b in self.tried)
        found: list[Changes] = []
        for one, other in islice(chain(combinations(cuts, 2), candidates), PAIRS):
            if self.compared.is_late():
                break
            places = [(t.change.node, t.change.slot) for t in (one, other)]
            if places[0] == places[1]:
                continue
            got = self.compared.records[0].gradients(dict(zip(places, (one.part, other.part))))
            if self.compared.explains(0, got):
                pair = tuple(sorted((one.change, other.change)))
                if pair not in found and self._confirmed(pair):
                    found.append(pair)
            if len(found) == ENOUGH:
                break
        return found

    def _confirmed(self, changes: Changes) -> bool:
        """Tell whether changes give what bprop gave on all problems."""
        for i, record in enumerate(self.compared.records):
            parts: dict[tuple[int, int], Any] = {}
            for change in changes:
                if change.node not in record.cotangents:
                    return False
                rules = wrong_rules(record, change.node, change.slot)
                if change.words not in rules:
                    return False
                parts[change.node, change.slot] = rules[change.words]
            if not self.compared.explains(i, record.gradients(parts)):
                return False
        return True


def _equal(part: Any, other: Any, right: Any) -> bool:
    """Tell whether two parts are the same, next to the right one."""
    if np.shape(part) != np.shape(other):
        return False
    return bool(np.allclose(part, other, 1e-9, 1e-9 * float(np.abs(right).max(initial=0.0))))
