"""What is measured on a problem: the user's gradients, and slopes of the user's own loss."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from minigraph.arrays import Array
from minigraph.testing.diagnosis.problems import Problem
from minigraph.testing.diagnosis.subject import Subject, Unusable, is_single

__all__ = ["Measured", "close", "measured_on", "sides", "unusable_in_part"]

STEPS = (2.0**-15, 2.0**-18, 2.0**-11)  # relative to the size of a parameter
ENOUGH = 1e-8  # so small an error, by the slope, needs no other step
TOLERANCE = 1e-7  # of the largest entry, for what rounding and differences leave
ROUNDING = 3e-6  # the same, where a part was computed in float32
SINGLE = 1e-4  # the same, where all was


class Measured:
    """A problem with what was measured on it; slopes are computed when they are asked for.

    Attributes
    ----------
    given : dict of str to ndarray
        What bprop returned.
    loss : float
    """

    def __init__(self, subject: Subject, problem: Problem) -> None:
        self.subject = subject
        self.problem = problem
        self.loss = subject.loss(problem)
        self.given: dict[str, Any] = subject.gradients(problem)
        self._slopes: dict[Any, tuple[Array, Array]] = {}

    def slope(self, name: str, problem: Problem | None = None, key: Any = None) -> Array:
        """Give the slope of the loss by a parameter, here or on another problem, known by a key."""
        return self._measured(name, problem, key)[0]

    def error(self, name: str) -> Array:
        """Bound the error of a slope, entry by entry."""
        return self._measured(name, None, None)[1]

    def _measured(self, name: str, problem: Problem | None, key: Any) -> tuple[Array, Array]:
        if (name, key) not in self._slopes:
            self._slopes[name, key] = slopes(self.subject, problem or self.problem, name)
        return self._slopes[name, key]

    def know(self, name: str, slope: Array) -> None:
        """Take a slope from elsewhere, not by differences."""
        self._slopes[name, None] = slope, np.zeros(slope.shape)

    @cached_property
    def _single(self) -> dict[int, Problem]:
        return {i: self.problem.examples([i]) for i in range(self.problem.K)}

    def of_each(self, name: str) -> Array:
        """Give the slopes of each example's own loss: (K, ...)."""
        singles = [self.slope(name, p, ("example", i)) for i, p in self._single.items()]
        return np.stack(singles)

    def agrees(self, name: str) -> bool:
        """Tell whether the gradient that was given is the slope that was measured."""
        given = self.given.get(name)
        return given is not None and close(given, self.slope(name), self.error(name))

    def nearly_agrees(self, name: str) -> bool:
        """Tell whether only so much is wrong as float32 rounds somewhere on the way."""
        right = self.slope(name)
        rounding = ROUNDING * np.abs(right).max(initial=0.0)
        return close(self.given[name], right, self.error(name) + rounding)


def measured_on(
    subject: Subject, problems: Sequence[Problem]
) -> tuple[list[Measured], list[Unusable]]:
    """Measure on all problems that the functions can be called with; give the errors of others."""
    found, failed = [], []
    for problem in problems:
        try:
            found.append(Measured(subject, problem))
        except Unusable as error:
            failed.append(error)
    return found, failed


def unusable_in_part(failed: Sequence[Unusable], found: Sequence[Measured]) -> list[str]:
    """Say that the functions fail on some problems only."""
    labels = ", ".join(f"'{case.problem.label}'" for case in found)
    return [f"{error}; it does not with {labels}" for error in failed[:1]]


def close(a: Any, b: Any, error: Any = 0.0) -> bool:
    """Compare two arrays, within the error of the measurement and rounding."""
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape or a.dtype.kind not in "fiub":
        return False
    if not a.size:
        return True
    scale = max(float(np.abs(b).max()), 1e-12)
    if not np.isfinite(scale):
        return False
    off = np.abs(a - b)
    if (off <= error + TOLERANCE * scale).all():
        return True
    return bool((off <= error + SINGLE * scale).all()) and is_single(a)


def slopes(subject: Subject, problem: Problem, name: str) -> tuple[Array, Array]:
    """Measure the slope of the loss by each entry of a parameter, with a bound of the error.

    Central differences at up to three pairs of steps, each extrapolated; of these the one that its
    own pair confirms best. A kink in reach of the longest step is out of reach of the shortest.
    """
    value = problem.value(name)
    found, error = np.empty(value.shape), np.empty(value.shape)
    size = max(float(np.abs(value).max(initial=0.0)), 0.1)
    loss = subject.loss(problem)
    for place in np.ndindex(value.shape):
        found[place], error[place] = _slope(subject, problem, name, place, size, loss)
    return found, error


def _slope(
    subject: Subject, problem: Problem, name: str, place: Sequence[int], size: float, loss: float
) -> tuple[float, float]:
    best = (np.nan, np.inf)
    eps = float(np.finfo(np.float32 if is_single(np.array(loss)) else np.float64).eps)
    for step in STEPS:
        h = size * step
        long = _quotients(subject, problem, name, place, h, loss)
        short = _quotients(subject, problem, name, place, h / 2, loss)
        mean_long, mean_short = sum(long) / 2, sum(short) / 2
        noise = 4 * eps * max(1.0, abs(loss)) / h
        error = abs(mean_short - mean_long) + noise
        jump = abs(short[0] - short[1])
        if jump > 1e-6 + 100 * noise and jump > 0.75 * abs(long[0] - long[1]):
            error += jump / 2  # a kink: each slope between those of both sides is right
        if error < best[1]:
            best = (mean_short + (mean_short - mean_long) / 3, error)
        if best[1] < ENOUGH * max(0.1, abs(best[0])):
            break
    return best


def _quotients(
    subject: Subject, problem: Problem, name: str, place: Any, h: float, loss: float
) -> tuple[float, float]:
    """Give the slopes to both sides."""
    ends = []
    for sign in (1, -1):
        moved = problem.value(name).copy()
        moved[place] += sign * h
        ends.append(subject.loss(problem.moved(name, moved)))
    return (ends[0] - loss) / h, (loss - ends[1]) / h


def sides(subject: Subject, problem: Problem, name: str, place: Any) -> tuple[float, float]:
    """Give the slopes to the right and to the left, as near as differences come to them."""
    h, loss = STEPS[0], subject.loss(problem)
    long = _quotients(subject, problem, name, place, h, loss)
    short = _quotients(subject, problem, name, place, h / 2, loss)
    return 2 * short[0] - long[0], 2 * short[1] - long[1]
