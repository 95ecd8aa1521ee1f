"""What is wrong with a loss whose gradients are right, by the graph of the loss as it should be."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from minigraph.arrays import Array
from minigraph.testing.diagnosis.causes.penalties import Share, lambda_names
from minigraph.testing.diagnosis.causes.signatures import factor
from minigraph.testing.diagnosis.measuring import Measured, close
from minigraph.testing.diagnosis.problems import Maker, Problem
from minigraph.testing.diagnosis.rules.record import Record
from minigraph.testing.diagnosis.subject import Subject, Unusable

__all__ = ["ANOTHER", "data_part", "of_the_right_loss", "penalty_part", "same_loss"]

ANOTHER = "it is another loss than that of the graph"
WRONG_AXIS = (
    "the loss of one example depends on the others, as where a sum, mean or maximum goes over the "
    "examples in place of the classes: the wrong axis"
)


def same_loss(record: Record, case: Measured) -> bool:
    """Tell whether the graph and fprop give the same number."""
    rtol = max(1e-9, 10 * case.rounding)
    return bool(np.isclose(record.loss.item(), case.loss, rtol=rtol))


def of_the_right_loss(name: str, records: Sequence[Record], cases: Sequence[Measured]) -> bool:
    """Tell whether what bprop gave is the gradient of the graph, on all problems."""
    for record, case in zip(records, cases):
        smooth = case.problem.params[name] != 0  # at a kink another value may be right too
        given, right = np.asarray(case.given[name]), record.right[name]
        if given.shape != right.shape or not close(given[smooth], right[smooth], 1e-9):
            return False
    return True


# The loss without penalties


class _Asked(NamedTuple):
    """What fprop and the graph give for a problem, and its sizes by name."""

    problem: Problem
    sizes: dict[str, int]
    given: float
    right: float


def data_part(subject: Subject, maker: Maker, graph: Callable[..., Any]) -> list[str]:
    """Name what is wrong with the loss without penalties; all causes that fit."""
    asked = list(_asked(subject, maker, graph))
    given, right = np.array([(one.given, one.right) for one in asked]).T
    if _like(given, right):
        return []
    found = list(_divisors(asked, _is_mean(asked[0], graph))) if given.all() else []
    if found:
        return found
    mixed = any(_mixes_examples(one, subject, graph) for one in asked)
    return [WRONG_AXIS if mixed else f"{ANOTHER}: {given[0]:.6g}, should be {right[0]:.6g}"]


def _asked(subject: Subject, maker: Maker, graph: Callable[..., Any]) -> Iterator[_Asked]:
    """Ask fprop and the graph on problems with other K, then with other sizes too."""
    names = [name for name in maker.sizes if name not in ("K", maker.size_of_examples)]
    usual = {name: maker.sizes[name] for name in names}
    others = {name: 14 + i for i, name in enumerate(names)} if maker.grows else usual
    for seed, (K, sizes) in enumerate([(6, usual), (7, usual), (3, usual), (5, others)], start=21):
        problem = maker.problem("the loss alone", (), seed, K=K, **sizes)
        try:
            given = subject.loss(problem)
        except Unusable:
            continue
        yield _Asked(problem, sizes, given, _right(graph, problem))


def _right(graph: Callable[..., Any], problem: Problem) -> float:
    return float(Record(graph, problem).loss.item())


def _is_mean(one: _Asked, graph: Callable[..., Any]) -> bool:
    """Tell whether the right loss is a mean over the examples, rather than a sum."""
    twice = _right(graph, one.problem.examples([*range(one.problem.K)] * 2))
    return not np.isclose(twice, 2 * one.right, rtol=1e-9)


def _divisors(asked: Sequence[_Asked], is_mean: bool) -> Iterator[str]:
    """Say by what the sum over the examples is divided; nothing if by nothing that is known."""
    K = np.array([one.problem.K for one in asked], float)
    meant = K if is_mean else np.ones_like(K)
    divisor = meant * [one.right / one.given for one in asked]
    if is_mean and _like(divisor, 1):
        yield "it is a sum over the examples, where the mean is meant"
        return
    if not is_mean and _like(divisor, K):
        yield "it is a mean over the examples, where the sum is meant"
        return
    instead = "not by the number of examples K" if is_mean else "where the sum is meant"
    for name in asked[0].sizes:
        size = np.array([one.sizes[name] for one in asked])
        if _like(divisor, size):
            yield f"it is divided by {name}, {instead}: the mean goes over the wrong axis"
        elif _like(divisor, size * meant):
            yield f"it is divided by {name} too: the mean over all entries is taken"
    if _like(divisor, divisor[0]):
        yield f"it is divided by {divisor[0]:.4g}, whatever the number of examples is, {instead}"
    elif _like(divisor - K, divisor[0] - K[0]):
        more = divisor[0] - K[0]
        yield f"it is divided by K {'-' if more < 0 else '+'} {abs(more):.4g}, {instead}"
    elif _like(divisor / meant, divisor[0] / meant[0]):
        yield f"it is {meant[0] / divisor[0]:.4g} times the right one: divided by another number"
    elif _like(divisor, K * meant):
        yield "it is divided by the number of examples K once too often"


def _mixes_examples(one: _Asked, subject: Subject, graph: Callable[..., Any]) -> bool:
    """Tell whether examples have a loss of their own in the graph, but not in fprop."""
    alone = [one.problem.examples([i]) for i in range(one.problem.K)]
    try:
        given = np.mean([subject.loss(problem) for problem in alone])
    except Unusable:
        return False
    right = np.mean([_right(graph, problem) for problem in alone])
    return _like(right, one.right) and not _like(given, one.given)


def _like(values: Any, wanted: Any) -> bool:
    return bool(np.allclose(values, wanted, rtol=1e-6, atol=1e-9))


# Penalties


def penalty_part(found: Sequence[dict[str, Share]]) -> Iterator[str]:
    """Name the penalties that are wrong in the loss, where those in the gradient are right."""
    for name, of_each in zip(lambda_names(len(found)), found):
        lost, added = [], []
        for whose, share in of_each.items():
            given, slope = _zeroed(share.given), _zeroed(share.slope)
            if close(slope, given, 1e-6 * max(1.0, float(np.abs(given).max(initial=0.0)))):
                continue
            if not slope.any():
                lost.append(whose)
            elif not given.any():
                added.append(whose)
            else:
                yield f"the penalty {name} of {whose} {_times(factor(slope, given))}"
        if lost and added:
            yield f"the penalty {name} is that of {_and(added)}, where {_and(lost)} is meant"
        elif lost:
            yield f"the penalty {name} of {_and(lost)} is missing, or always 0"
        elif added:
            yield f"the penalty {name} is that of {_and(added)} too, which has none"


def _zeroed(term: Array) -> Array:
    return np.where(np.abs(term) < 1e-6, 0.0, term)


def _times(ratio: float | None) -> str:
    if ratio is None:
        return "is another function of it"
    return "counts twice" if np.isclose(ratio, 2, rtol=1e-4) else f"counts {ratio:.4g} times"


def _and(names: Sequence[str]) -> str:
    return " and ".join(names)
