"""What is measured on a problem: the user's gradients, and slopes of the user's own loss."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from minigraph.arrays import Array
from minigraph.testing.diagnosis.problems import Problem
from minigraph.testing.diagnosis.subject import Subject, Unusable
from minigraph.testing.differences import TIMES, Line, Slopes, scatter

__all__ = ["Measured", "close", "measured_on", "sides", "unusable_in_part"]

STEPS = (2.0**-15, 2.0**-18, 2.0**-11)  # relative to the size of a parameter
ENOUGH = 1e-8  # so small an error, by the slope, needs no other step
TOLERANCE = 1e-7  # of the largest entry, for what rounding and differences leave
REACH = 2.0**-16  # steps in which rounding is measured: some tens of those of float32
SIGMAS = 30.0  # times the scatter: what is rounded alike everywhere does not scatter
ROUNDINGS = 64  # of the largest entry, for the same reason
COARSE = 1e-9  # a relative rounding error between those of float64 and float32
SHUFFLED = 3  # sets of other weights for which rounding is measured
LONG = 0.5  # the first step for a loss like float32's: its noise is divided by that
SINGLE = float(np.finfo(np.float32).eps)


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
            measure = coarse_slopes if self.is_coarse else slopes
            at = problem or self.problem
            self._slopes[name, key] = measure(self.subject, at, name, self.rounding)
        return self._slopes[name, key]

    def know(self, name: str, slope: Array) -> None:
        """Take a slope from elsewhere, not by differences."""
        self._slopes[name, None] = slope, np.zeros(slope.shape)

    @cached_property
    def rounding(self) -> float:
        """Bound the rounding error of the loss, relative to it, as far as it shows."""
        return _loss_error(self.subject, self.problem) / max(1.0, abs(self.loss))

    @property
    def is_coarse(self) -> bool:
        """Whether the loss is rounded more than float64 is, as where some of it is float32."""
        return self.rounding > COARSE

    @cached_property
    def given_error(self) -> dict[str, float]:
        """Bound the rounding errors of the gradients that were given, by parameter.

        Those in float32 are right to 1e-7 of the terms that they are the sum of, and no better.
        """
        found = [errors for errors, _ in self._roundings]
        return {name: max(errors.get(name, 0.0) for errors in found) for name in self.given}

    @cached_property
    def _roundings(self) -> list[tuple[dict[str, float], float]]:
        # Where all examples are as they should be, p - 1 is small and steady, and yet no more
        # exact than where they are not: so weights that fit nothing are looked at too.
        places = [self.problem, *(_shuffled(self.problem, seed) for seed in range(SHUFFLED))]
        return [_errors_of_bprop(self.subject, place) for place in places]

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
        if given is None:
            return False
        slope, error = self.slope(name), self.error(name)
        return close(given, slope, error) or (
            given.shape == slope.shape and close(given, slope, error + self.given_error[name])
        )

    def share_off(self, name: str) -> float:
        """Give what a gradient is off by, beside the largest entry of all, here and elsewhere."""
        given, slope = self.given[name], self.slope(name)
        if close(given, slope, self.error(name)):
            return 0.0
        off = float((np.abs(given - slope) - self.error(name)).max())
        return max(0.0, off) / max(1e-12, *(largest for _, largest in self._roundings))


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
    return bool((off <= error + TOLERANCE * scale).all())


def noise(function: Callable[[Problem], Array], problem: Problem, seed: int = 0) -> Array:
    """Bound the rounding errors of what a function gives, of a problem: how far it scatters.

    All parameters are moved along a line, by so little that what a smooth curve leaves over is
    rounding, or a kink on the way.
    """
    rng = np.random.default_rng(seed)
    line = {n: _size(v) * rng.normal(size=v.shape) for n, v in problem.params.items()}
    moved = [
        replace(problem, params={n: v + REACH * t * line[n] for n, v in problem.params.items()})
        for t in TIMES
    ]
    return SIGMAS * scatter(np.stack([function(one) for one in moved]))


def _loss_error(subject: Subject, problem: Problem) -> float:
    """Bound the rounding error of the loss; on two lines, for one may have a kink."""
    found = [noise(lambda p: np.array([subject.loss(p)]), problem, seed) for seed in (1, 2)]
    loss = subject.loss(problem)
    is_single = float(np.float32(loss)) == loss  # by chance: once in 500 million
    parts = max(1.0, abs(loss))  # a small one is a difference of larger ones
    return max(float(np.min(found)), SIGMAS * SINGLE / 4 * parts * is_single)


def _errors_of_bprop(subject: Subject, problem: Problem) -> tuple[dict[str, float], float]:
    """Bound the rounding errors of the gradients, by parameter, where they can be computed.

    The largest entry of all gradients comes with them.
    """

    def flat(problem: Problem) -> Array:
        given = subject.gradients(problem)
        return np.concatenate([np.ravel(given[n]).astype(float) for n in names])

    try:
        given = subject.gradients(problem)
        names = [n for n in problem.params if n in given]
        ends = np.cumsum([given[n].size for n in names])
        scatters = np.split(noise(flat, problem), ends[:-1])
    except (Unusable, ValueError, KeyError):  # the user's, with other weights
        return {}, 0.0
    found = {}
    for name, off in zip(names, scatters):
        error, largest = (float(np.abs(a).max(initial=0.0)) for a in (off, given[name]))
        if error > COARSE * largest:  # then what is rounded alike everywhere is so too
            error = max(error, ROUNDINGS * SINGLE * largest)
        found[name] = error if np.isfinite(error) else 0.0
    return found, max(float(np.abs(given[n]).max(initial=0.0)) for n in names)


def _shuffled(problem: Problem, seed: int) -> Problem:
    """Give parameters of the same size that fit nothing."""
    rng = np.random.default_rng(seed)
    values = {n: rng.permutation(v.ravel()).reshape(v.shape) for n, v in problem.params.items()}
    return replace(problem, params=values)


def coarse_slopes(
    subject: Subject, problem: Problem, name: str, rounding: float
) -> tuple[Array, Array]:
    """Measure as `slopes` does a loss that is rounded as float32: with long steps.

    These may pass over what is sharp, so that shorter ones must not contradict them.
    """
    value = problem.value(name)
    found, error = np.empty(value.shape), np.empty(value.shape)
    size, loss = _size(value), subject.loss(problem)
    blur = np.array([max(rounding / SIGMAS * max(1.0, abs(loss)), SINGLE / 4 * abs(loss))])
    for place in np.ndindex(value.shape):

        def along(t: float, place: Sequence[int] = place) -> Array:
            moved = value.copy()
            moved[place] += t * size
            return np.array([subject.loss(problem.moved(name, moved))])

        line = Line(along, along(0.0), np.ones((1, 1)), SINGLE)
        looks = [_bounded(line.slopes(blur, np.ones(1), first)) for first in (LONG, LONG / 16)]
        (slope, bar), (other, its_bar) = sorted(looks, key=lambda look: look[1])
        found[place] = slope / size
        off = (bar + max(0.0, abs(slope - other) - its_bar)) / size
        error[place] = off + _second_kink(problem, name, place, off)
    return found, error


def _bounded(measured: Slopes) -> tuple[float, float]:
    """Give a slope and its error; at a kink each slope between those of both sides is right."""
    jump = np.abs(measured.jump) + measured.jump_error
    error = measured.error + np.where(measured.at_kink, jump / 2, 0.0)
    return float(measured.slope[0]), float(error[0])


def _second_kink(problem: Problem, name: str, place: Any, jump: float) -> float:
    """Give what the kink of |w| adds where there is another too: its side is another choice."""
    most = max(problem.lam, default=0.0)
    return most if problem.value(name)[place] == 0 and jump > 3 * most else 0.0


def _size(value: Array) -> float:
    """Give the size of a parameter's entries, for steps relative to it."""
    return max(float(np.abs(value).max(initial=0.0)), 0.1)


def slopes(subject: Subject, problem: Problem, name: str, rounding: float) -> tuple[Array, Array]:
    """Measure the slope of the loss by each entry of a parameter, with a bound of the error.

    Central differences at up to three pairs of steps, each extrapolated; of these the one that its
    own pair confirms best. A kink in reach of the longest step is out of reach of the shortest.
    """
    value = problem.value(name)
    found, error = np.empty(value.shape), np.empty(value.shape)
    size = _size(value)
    loss = subject.loss(problem)
    blur = max(rounding / SIGMAS, 4 * np.finfo(float).eps) * max(1.0, abs(loss))
    for place in np.ndindex(value.shape):
        found[place], error[place] = _slope(subject, problem, name, place, size, loss, blur)
    return found, error


def _slope(
    subject: Subject,
    problem: Problem,
    name: str,
    place: Sequence[int],
    size: float,
    loss: float,
    blur: float,
) -> tuple[float, float]:
    best = (np.nan, np.inf)
    for step in STEPS:
        h = size * step
        long = _quotients(subject, problem, name, place, h, loss)
        short = _quotients(subject, problem, name, place, h / 2, loss)
        mean_long, mean_short = sum(long) / 2, sum(short) / 2
        error = abs(mean_short - mean_long) + blur / h
        # A curve's jump goes with h; what is left is a kink's, and each slope between is right.
        jump = abs(2 * (short[0] - short[1]) - (long[0] - long[1]))
        error += jump / 2 + _second_kink(problem, name, place, jump)
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
