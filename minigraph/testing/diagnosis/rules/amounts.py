"""Mistakes with an amount that is not known beforehand: a factor, a step size, weights of examples.

What arrives at the parameters is linear in such an amount, so it is solved for; it must explain all
that bprop gave, on all problems, and be one that a person can have written.
"""

from collections.abc import Iterator
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np

from minigraph.arrays import Array
from minigraph.testing.diagnosis.causes.signatures import known_factor, weights_in_words
from minigraph.testing.diagnosis.measuring import close
from minigraph.testing.diagnosis.rules.compared import Changes, Compared
from minigraph.testing.diagnosis.rules.record import Change, Record
from minigraph.testing.diagnosis.rules.wrong_rules import Site, with_operand

__all__ = ["factors", "updates", "weights"]

Place = tuple[int, int]  # a rule: of a node, for a slot


# Factors


def factors(compared: Compared) -> list[Changes]:
    """Find one rule, or two, whose part comes through times a factor."""
    parts = _Contributions(compared)
    for number in (1, 2):
        for places in combinations(parts.places, number):
            if compared.is_late():
                return []
            words = parts.factors(places)
            if words is not None:
                return [tuple(Change(*place, said) for place, said in zip(places, words))]
    return []


class _Contributions:
    """What comes through each rule alone to the parameters."""

    def __init__(self, compared: Compared) -> None:
        self.compared = compared
        self._kept: dict[tuple[int, Place], Array | None] = {}
        self.places = list(self._independent())

    def _independent(self) -> Iterator[Place]:
        """List the rules that matter, one of those in a row that do the same.

        Of these that which is nearest to the parameters.
        """
        seen: list[Array] = []
        record = self.compared.records[0]
        for place in reversed(record.places()):
            part = self._through(0, place)
            if part is None or not record.reached_by(Change(*place, "")) & self.compared.wrong:
                continue
            if np.any(part) and not any(close(part, other) for other in seen):
                seen.append(part)
                yield place

    def _through(self, i: int, place: Place) -> Array | None:
        if (i, place) not in self._kept:
            record = self.compared.records[i]
            cut = record.gradients({place: partial(_nothing, record, place)})
            flat = self.compared.flat
            self._kept[i, place] = None if cut is None else flat(record.right) - flat(cut)
        return self._kept[i, place]

    def factors(self, places: tuple[Place, ...]) -> list[str] | None:
        """Say by which factors the parts of some rules explain all; None if none do."""
        found, problems = [], []
        for i, (record, case) in enumerate(zip(self.compared.records, self.compared.cases)):
            given, right = self.compared.flat(case.given), self.compared.flat(record.right)
            parts = [self._through(i, place) for place in places]
            if any(part is None for part in parts) or given.shape != right.shape:
                return None
            matrix = np.stack([part for part in parts if part is not None], axis=1)
            excess, _, rank, _ = np.linalg.lstsq(matrix, given - right, rcond=1e-9)
            if rank < len(places) or not close(given, right + matrix @ excess):
                return None
            found.append(1 + excess)
            problems.append(case.problem)
        words = [known_factor(column, problems) for column in np.array(found).T]
        return [said for said in words if said] if all(words) else None


def _nothing(record: Record, place: Place, g: Any) -> Any:
    return 0.0 * Site(record, *place).right(g)


# Updates


def updates(compared: Compared) -> list[Changes]:
    """Find a parameter from which a step was subtracted before a rule read it.

    Rules are linear in the weights that they read, so what is given is then the right gradient
    less t times that with the parameter's own gradient in the place of the parameter.
    """
    first = compared.records[0]
    found: list[Changes] = []
    for k, slot in first.places():
        if compared.is_late():
            break
        site = Site(first, k, slot)
        for operand in site.trace.used:
            name = site.operand(operand)
            if name not in first.leaves:
                continue
            t = _step(compared, (k, slot), operand, name)
            if t is not None:
                words = f"a step of {t:.4g} was taken with {name} before it was used"
                found.append((Change(k, slot, words),))
    return found


def _step(compared: Compared, place: Place, operand: str, name: str) -> float | None:
    """Give the size of the step that explains all gradients; None if there is none."""
    steps = []
    for record, case in zip(compared.records, compared.cases):
        site = Site(record, *place)
        moved = record.gradients({place: partial(with_operand, site, operand, record.right[name])})
        if moved is None:
            return None
        reached = record.reached_by(Change(*place, ""))
        for n in compared.names:
            off = record.right[n] - np.asarray(case.given[n])
            t = 0.0
            if n in reached:
                t = float((off * moved[n]).sum() / max((moved[n] ** 2).sum(), 1e-300))
                steps.append(t)
            if not close(case.given[n], record.right[n] - t * moved[n]):
                return None
    return steps[0] if steps and np.allclose(steps, steps[0], rtol=1e-5) else None


# Weights of examples


def weights(compared: Compared) -> list[Changes]:
    """Find the node from which on back the examples count differently."""
    first = compared.records[0]
    for k in sorted(first.cotangents, reverse=True):
        for axis in range(np.ndim(first.cotangents[k])):
            if compared.is_late():
                return []
            found = [_weights(compared, i, k, axis) for i in range(len(compared.records))]
            told = [w for w in found if w is not None]
            if len(told) > 1 and len(told) == len(found) and not np.allclose(told[0], 1):
                words = weights_in_words(told)
                return [(Change(k, slot, words),) for slot, _ in first.nodes[k].formulas]
    return []


def _weights(compared: Compared, i: int, k: int, axis: int) -> Array | None:
    """Give how often each example counts, if that explains problem i; None if it does not."""
    record, given = compared.records[i], compared.flat(compared.cases[i].given)
    g = record.cotangents.get(k)
    K = record.problem.K
    if g is None or np.ndim(g) <= axis or np.shape(g)[axis] != K:
        return None
    masks = np.concatenate([np.eye(K), np.zeros((1, K))])
    masks = masks.reshape(K + 1, *(K if i == axis else 1 for i in range(np.ndim(g))))
    of_each = []
    for mask in masks:
        parts = {
            (k, slot): partial(_masked, record, k, slot, mask)
            for slot, _ in record.nodes[k].formulas
        }
        got = record.gradients(parts)
        if got is None:
            return None
        of_each.append(compared.flat(got))
    others = of_each.pop()
    matrix = np.stack(of_each, axis=1) - others[:, None]
    if given.shape != others.shape or not np.isfinite(given).all():
        return None
    solved, _, rank, _ = np.linalg.lstsq(matrix, given - others, rcond=1e-9)
    if rank < K or not close(given, others + matrix @ solved):
        return None
    return np.where(np.abs(solved) < 1e-7, 0.0, solved)


def _masked(record: Record, k: int, slot: int, mask: Array, g: Any) -> Any:
    return Site(record, k, slot).right(g * mask)
