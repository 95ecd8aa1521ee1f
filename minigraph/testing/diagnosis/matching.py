"""The search for the rules whose change gives just what bprop gave, on all problems."""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import combinations, islice
from typing import Any, NamedTuple

import numpy as np

from minigraph.arrays import Array
from minigraph.testing.diagnosis.measuring import Measured, close
from minigraph.testing.diagnosis.rules import Change, Record
from minigraph.testing.diagnosis.wrong_rules import UNNAMED, Part, Site, with_operand, wrong_rules

__all__ = ["matching"]

PAIRS = 20_000  # that are tried
CONFIRMED = 40  # of those that fit the first problem


class _Tried(NamedTuple):
    change: Change
    part: Part
    hits: frozenset[str]  # the parameters whose gradient is then what was given


def matching(records: Sequence[Record], cases: Sequence[Measured]) -> list[tuple[Change, ...]]:
    """Find the changes, one or two, that give just what bprop gave, on all problems."""
    first, case = records[0], cases[0]
    wrong = {n for n in first.right if not _like(case.given[n], first.right[n])}
    tried = list(_single(first, case))
    whole = [t for t in tried if t.hits == set(first.right)]
    found: list[tuple[Change, ...]] = [
        (t.change,) for t in whole[:CONFIRMED] if _confirmed((t.change,), records, cases)
    ]
    if not found:
        partly = [t for t in tried if t.hits & wrong and t not in whole]
        pairs = ((a, b) for a, b in combinations(partly, 2) if wrong <= a.hits | b.hits)
        for one, other in islice(_fitting(first, case, islice(pairs, PAIRS)), CONFIRMED):
            if _confirmed((one, other), records, cases):
                found.append((one, other))
    if not found:
        found += [(change,) for change in updated_before_use(records, cases)]
    named = [c for c in found if not any(change.words.startswith(UNNAMED) for change in c)]
    return named or found


def _single(record: Record, case: Measured) -> Iterator[_Tried]:
    for k in record.cotangents:
        for slot, _ in record.nodes[k].formulas:
            for words, part in wrong_rules(record, k, slot).items():
                got = record.gradients({(k, slot): part})
                if got is not None:
                    hits = frozenset(n for n in got if _like(case.given[n], got[n]))
                    yield _Tried(Change(k, slot, words), part, hits)


def _fitting(
    record: Record, case: Measured, pairs: Iterator[tuple[_Tried, _Tried]]
) -> Iterator[tuple[Change, Change]]:
    """Keep the pairs that fit the first problem."""
    for one, other in pairs:
        places = [(t.change.node, t.change.slot) for t in (one, other)]
        if places[0] == places[1]:
            continue
        got = record.gradients(dict(zip(places, (one.part, other.part))))
        if got is not None and all(_like(case.given[n], got[n]) for n in got):
            yield one.change, other.change


def _confirmed(
    changes: tuple[Change, ...], records: Sequence[Record], cases: Sequence[Measured]
) -> bool:
    """Tell whether changes give what bprop gave on all problems."""
    for record, case in zip(records, cases):
        parts: dict[tuple[int, int], Any] = {}
        for change in changes:
            if change.node not in record.cotangents:
                return False
            rules = wrong_rules(record, change.node, change.slot)
            if change.words not in rules:
                return False
            parts[change.node, change.slot] = rules[change.words]
        got = record.gradients(parts)
        if got is None or not all(_like(case.given[name], got[name]) for name in got):
            return False
    return True


def updated_before_use(records: Sequence[Record], cases: Sequence[Measured]) -> Iterator[Change]:
    """Find a parameter from which a step of some size was subtracted before a rule read it.

    Rules are linear in the weights that they read, so what is given is then the right gradient
    less t times that with the parameter's own gradient in the place of the parameter.
    """
    first = records[0]
    for k in first.cotangents:
        for slot, _ in first.nodes[k].formulas:
            site = Site(first, k, slot)
            for operand in site.traced(site.g).used:
                name = site.operand(operand)
                if name not in first.leaves:
                    continue
                found = [_step(r, c, k, slot, operand, name) for r, c in zip(records, cases)]
                steps = [t for t in found if t is not None]
                if len(steps) == len(found) and np.allclose(steps, steps[0], rtol=1e-5):
                    words = (
                        f"a step of {steps[0]:.4g} was subtracted from {name} before it was used"
                    )
                    yield Change(k, slot, words)


def _step(
    record: Record, case: Measured, k: int, slot: int, operand: str, name: str
) -> float | None:
    """Give the size of the step that explains all gradients; None if there is none."""
    site = Site(record, k, slot)
    moved = record.gradients({(k, slot): partial(with_operand, site, operand, record.right[name])})
    if moved is None:
        return None
    change = Change(k, slot, "")
    reached = record.reached_by(change)
    ratios = []
    for n, right in record.right.items():
        if n not in reached:
            if not _like(case.given[n], right):
                return None
            continue
        difference = right - np.asarray(case.given[n])
        t = float((difference * moved[n]).sum() / max((moved[n] ** 2).sum(), 1e-300))
        if not _like(case.given[n], right - t * moved[n]):
            return None
        ratios.append(t)
    return ratios[0] if ratios and np.allclose(ratios, ratios[0], rtol=1e-5) else None


def _like(given: Any, computed: Array) -> bool:
    return close(given, computed, 1e-9)
