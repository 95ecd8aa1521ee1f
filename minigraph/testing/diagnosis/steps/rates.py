"""What a step tells of its learning rate, and of which examples of the minibatch it used."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from minigraph.arrays import Array
from minigraph.testing.diagnosis.causes.signatures import factor
from minigraph.testing.diagnosis.measuring import Measured, close

__all__ = ["learning_rate", "part_of_the_batch"]

FEW = 3  # problems; their K differ


class _Vote(NamedTuple):
    """What one parameter's step on one problem would have η be, with its sign."""

    name: str
    rate: float
    K: int


def learning_rate(names: Sequence[str], cases: Sequence[Measured]) -> tuple[float, str]:
    """Infer η from θ - θ', which `given` is as yet; say in words from what.

    First from parameters whose step is a multiple of the slope, the same on all problems; then
    from those that are K or 1/K times as large; then from steps that used a part of the examples.
    """
    votes = _votes(names, cases)
    for power in (0, 1, -1):
        found = _supported([v._replace(rate=abs(v.rate) * float(v.K) ** -power) for v in votes])
        if found:
            eta, fitting = found[0]
            by = f", by {', '.join(fitting)}" if len(fitting) < len(names) else ""
            also = [f"; by {', '.join(n)} it would be {r:.6g}" for r, n in found[1:]]
            return eta, f"the learning rate is η = {eta:.6g}{by}{''.join(also)}"
    weights = _weights(names, cases)
    for rates in ([w.sum() for w in weights], [len(w) * w.max() for w in weights]):
        if rates and rates[0] > 0 and np.allclose(rates, rates[0], rtol=1e-5):
            eta = float(rates[0])
            return eta, f"the learning rate is η = {eta:.6g}, if only those examples count"
    return _roughly(names, cases)


def _votes(names: Sequence[str], cases: Sequence[Measured]) -> list[_Vote]:
    found = []
    for name in names:
        for case in cases:
            c = factor(case.given[name], case.slope(name)) if name in case.given else None
            if c is not None and abs(c) > 1e-15:
                found.append(_Vote(name, c, case.problem.K))
    return found


def _supported(votes: Sequence[_Vote]) -> list[tuple[float, list[str]]]:
    """Find the rates on which most parameters agree, each with itself on all problems."""
    by_name: dict[str, list[float]] = {}
    for vote in votes:
        by_name.setdefault(vote.name, []).append(vote.rate)
    steady = {n: float(np.median(r)) for n, r in by_name.items() if np.allclose(r, r[0], rtol=1e-5)}
    groups: list[tuple[float, list[str]]] = []
    for name, rate in steady.items():
        for other, members in groups:
            if np.isclose(rate, other, rtol=1e-5):
                members.append(name)
                break
        else:
            groups.append((rate, [name]))
    most = max((len(members) for _, members in groups), default=0)
    return [group for group in groups if len(group[1]) == most]


def _roughly(names: Sequence[str], cases: Sequence[Measured]) -> tuple[float, str]:
    """Take the rate with which the steps come nearest to the slopes."""
    rates = []
    for name in names:
        for case in cases:
            given, right = case.given.get(name), case.slope(name)
            if given is not None and given.shape == right.shape and np.isfinite(given).all():
                square = float((right * right).sum())
                rates += [abs(float((given * right).sum())) / square] if square else []
    rates = [rate for rate in rates if np.isfinite(rate)]
    eta = float(np.median(rates)) if rates else 0.0
    if eta == 0.0:
        return 1.0, "the learning rate cannot be told from these steps"
    return eta, f"no learning rate fits; η = {eta:.3g} comes nearest"


def _weights(names: Sequence[str], cases: Sequence[Measured]) -> list[Array]:
    """Give the weights of the examples on the problems that tell; none if one contradicts.

    Only the first few problems are looked at, for the slopes of each example take long.
    """
    told = [w for case in cases[:FEW] if (w := _weights_on(names, case)) is not None]
    return told if all(w.size for w in told) else []


def _weights_on(names: Sequence[str], case: Measured) -> Array | None:
    """Give how much of each example's slope is in the step; None: cannot tell; empty: in no way."""
    K = case.problem.K
    usable = [n for n in names if n in case.given and case.given[n].shape == case.slope(n).shape]
    taken = np.concatenate([np.zeros(0), *(case.given[n].reshape(-1) for n in usable)])
    if K < 2 or taken.size < 2 or not np.isfinite(taken).all():
        return None
    each = [case.of_each(name) for name in usable]
    if not all(close(e.mean(axis=0), case.slope(n), 1e-6) for n, e in zip(usable, each)):
        return None  # the loss is not a mean of the examples' losses
    matrix = np.concatenate([e.reshape(K, -1).T for e in each])
    if taken.size < K + 2:
        return _one_of_the_usual(matrix, taken)
    singular = np.linalg.svd(matrix, compute_uv=False)
    if singular[-1] < 1e-5 * singular[0]:
        return None
    weights: Array = np.linalg.lstsq(matrix, taken, rcond=None)[0]
    if not close(matrix @ weights, taken, 1e-6 * float(np.abs(taken).max(initial=0.0))):
        return np.zeros(0)
    small = np.abs(weights) < 1e-5 * np.abs(weights).max(initial=0.0)
    return np.where(small, 0.0, weights)


def _one_of_the_usual(matrix: Array, taken: Array) -> Array | None:
    """Try parts of the minibatch one by one, where there are too few entries to solve for them."""
    K = matrix.shape[1]
    for part in (slice(K - 1, K), slice(0, 1), slice(0, K - 1)):
        weights = np.zeros(K)
        weights[part] = 1.0 / len(weights[part])
        c = factor(taken, matrix @ weights)
        if c is not None and c > 0:
            return c * weights
    return None


def part_of_the_batch(names: Sequence[str], cases: Sequence[Measured]) -> str | None:
    """Say which examples the steps of these parameters used; None if it was all, or unknown."""
    weights = _weights(names, cases)
    used = [(np.flatnonzero(w), len(w)) for w in weights]
    partial = [(which, K) for which, K in used if 0 < len(which) < K]
    if not partial or not all(_even(w) for w in weights):
        return None
    which, K = partial[0]
    if all(len(w) == 1 and w[0] == k - 1 for w, k in partial):
        return f"only the last example counts: {OUTSIDE}"
    if all(len(w) == 1 and w[0] == 0 for w, k in partial):
        return "only the first example counts: the others of the minibatch are never used"
    if all(np.array_equal(w, np.arange(k - len(w), k)) for w, k in partial):
        return f"only the last examples count, {len(which)} of {K}: {OUTSIDE}"
    if all(np.array_equal(w, np.arange(len(w))) for w, k in partial):
        left = K - len(which)
        return f"the last examples are left out, {left} of {K}: {len(which)} are used"
    return f"examples are left out: {len(which)} of {K} are used"


def _even(weights: Array) -> bool:
    counted = weights[weights != 0]
    return bool(np.allclose(counted, counted[0], rtol=1e-4))


OUTSIDE = (
    "those before are never used; the update stands after the loop over them, where it belongs "
    "inside, or the gradients are overwritten, not added up"
)
