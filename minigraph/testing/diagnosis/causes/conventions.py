"""What a hand-written gradient takes at a kink: a choice, not a mistake, so it is only noted."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from minigraph.arrays import Array
from minigraph.testing.diagnosis.measuring import sides
from minigraph.testing.diagnosis.problems import Maker, Problem, with_zeros
from minigraph.testing.diagnosis.subject import Subject, Unusable

__all__ = ["choices_at_kinks"]


def choices_at_kinks(subject: Subject, maker: Maker) -> list[str]:
    """Say what is taken for sign(0) and relu′(0), where that is not the usual 0.

    Only one kind of kink is in each problem, and only the user's own loss is asked.
    """
    with contextlib.suppress(Unusable):
        return [*_signs(subject, maker), *_relus(subject, maker)]
    return []


def _signs(subject: Subject, maker: Maker) -> Iterator[str]:
    lam = maker.lambdas()
    if not lam:
        return
    problem = with_zeros(maker.problem("exact zeros among the weights", lam, seed=4, K=3))
    for name, value in problem.params.items():
        share = _share_of_right(subject, problem, name, np.argwhere(value == 0))
        if share is not None and share != 0.5:
            yield (
                f"{name}: where a weight is exactly 0, sign(0) is taken as {2 * share - 1:+g}; "
                "0 is usual, and all from -1 to 1 are right"
            )


def _relus(subject: Subject, maker: Maker) -> Iterator[str]:
    """Put the first example and biases at 0: the activations of a layer are 0 then."""
    problem = maker.problem("an activation of exactly 0", seed=10, K=3)
    axis = problem.axes[0]
    if problem.x.dtype.kind != "f" or axis is None:
        return
    x = problem.x.copy()
    np.moveaxis(x, axis, 0)[0] = 0.0
    still = replace(problem, x=x)
    biases = [n for n, v in problem.params.items() if v.size == max(v.shape, default=0)]
    for name in biases:
        places = np.argwhere(np.ones_like(problem.params[name]))
        for zeros in ([name], biases):  # its own layer's is enough for the first layer only
            share = _share_of_right(subject, _at_zero(still, zeros), name, places)
            if share:
                yield (
                    f"{name}: where an activation is exactly 0, its derivative is taken as "
                    f"relu′(0) = {share:g}; 0 is usual, and all from 0 to 1 are right"
                )
            if share is not None:
                break


def _at_zero(problem: Problem, names: Sequence[str]) -> Problem:
    for name in names:
        problem = problem.moved(name, np.zeros_like(problem.params[name]))
    return problem


def _share_of_right(subject: Subject, problem: Problem, name: str, places: Array) -> float | None:
    """Tell where between the slopes to the left (0) and right (1) the gradient is, at all kinks."""
    given = subject.gradients(problem).get(name)
    if given is None or given.shape != problem.params[name].shape:
        return None
    shares = []
    for place in map(tuple, places):
        right, left = sides(subject, problem, name, place)
        if abs(right - left) > 1e-6:
            shares.append((float(given[place]) - left) / (right - left))
    if not shares or not np.allclose(shares, shares[0], rtol=0, atol=1e-3):
        return None
    return round(float(np.mean(shares)), 2) if -1e-3 < shares[0] < 1.001 else None
