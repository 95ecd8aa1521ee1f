"""Numeric derivatives with error bars: central differences, extrapolated.

Along a line x + t d, the quotients (f(t) - f(-t)) / 2t approach the slope with an error of t², t⁴,
…, which Richardson's extrapolation removes power by power [1]_ [2]_. What is left is bounded by
the differences within the extrapolation table, and by the function's rounding noise, measured on
its own [3]_. The quotients (f(t) - 2 f(0) + f(-t)) / t go to 0 where the slopes of both sides
agree, and to their difference at a kink.

References
----------
.. [1] L. F. Richardson, "The deferred approach to the limit", 1927.
.. [2] C. J. F. Ridders, "Accurate computation of F'(x) and F'(x) F''(x)", 1982.
.. [3] J. J. Moré and S. M. Wild, "Estimating computational noise", 2011.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from minigraph.arrays import Array

__all__ = ["TIMES", "Line", "Slopes", "scatter"]

RATIO = 4.0  # each step is this much shorter than the one before
COLUMNS = 4  # powers that are removed at the most
FIRST = 2.0**-6  # the longest step, as a part of the entries moved
GOAL = 1e-10  # an error this small relative to the slope is small enough
NOISE = 10  # evaluations that measure the rounding noise
TINY = 0.45  # they are taken within steps of eps to this power
SIGMAS = 6.0  # times the noise measured
ROUNDINGS = 4  # of the parts that a slope is the sum of
PROBES = (4e-6, 6e-5, 1e-3)  # steps of some tens of float32's roundings, and more
COARSE = 1000  # times the rounding of the output: jumps that are not its own

_DEGREE = 4
TIMES = np.arange(1, NOISE + 1) * (np.sqrt(5) - 1) / 2 % 1
_BASIS, _ = np.linalg.qr(np.vander(TIMES, _DEGREE + 1))
_RESIDUALS = np.eye(NOISE) - _BASIS @ _BASIS.T  # what a polynomial leaves over


def scatter(values: Array) -> Array:
    """Tell how far values at `TIMES`, (NOISE, k), scatter about smooth curves."""
    return np.asarray(_norm(_RESIDUALS @ values, axis=0) / np.sqrt(NOISE - _DEGREE - 1))


class Slopes(NamedTuple):
    """Slopes along a line, one for each cotangent, each with an error bar.

    Attributes
    ----------
    slope, error : (k,) ndarray
        The mean of the two one-sided slopes.
    jump, jump_error : (k,) ndarray
        The right one minus the left one: 0, where there is a derivative.
    steepest : (k,) ndarray
        The largest slope of the function that was seen, over any step.
    """

    slope: Array
    error: Array
    jump: Array
    jump_error: Array
    steepest: Array

    @property
    def at_kink(self) -> Array:
        """Whether the one-sided slopes differ, by more than the errors."""
        return np.abs(self.jump) > self.jump_error

    @property
    def sides(self) -> tuple[Array, Array]:
        """The slopes on the left and on the right."""
        return self.slope - self.jump / 2, self.slope + self.jump / 2


class Line:
    """A function of one number, around 0, seen through cotangents.

    Parameters
    ----------
    function : callable
        ``function(t)``: the flat output, of n entries, at the point x + t d.
    start : (n,) ndarray
        The output at t = 0.
    cotangents : (k, n) ndarray
        What the output is multiplied with.
    eps : float
        The relative rounding error of the function's arithmetic.
    """

    def __init__(
        self,
        function: Callable[[float], Array],
        start: Array,
        cotangents: Array,
        eps: float,
    ) -> None:
        self.function = function
        self.start = start
        self.cotangents = cotangents
        self.eps = eps

    def _moved(self, t: float) -> Array:
        """Give the change of the output, before it is summed up: so little is lost by rounding."""
        return self.function(t) - self.start

    @cached_property
    def _tiny(self) -> Array:
        """The changes after tiny steps.

        The steps are irregular, or the rounding of x + t d would follow a pattern; and all on one
        side of 0, where a kink may be.
        """
        return np.array([self.cotangents @ self._moved(t * self.eps**TINY) for t in TIMES])

    @property
    def least(self) -> Array:
        """The least rounding noise that the outputs can have, for each cotangent."""
        return self.eps * _norm(self.cotangents * self.start, axis=1)

    @cached_property
    def noise(self) -> Array:
        """The rounding noise: how far the outputs scatter about a smooth curve, over tiny steps."""
        measured = scatter(self._tiny)
        return np.where(np.isfinite(measured), np.maximum(measured, self.least), np.inf)

    @property
    def coarse(self) -> bool:
        """Whether the outputs jump, over tiny steps, by more than their own arithmetic explains."""
        explained = COARSE * self.least
        jumps = np.abs(np.diff(np.sort(self._tiny, axis=0), axis=0))
        if not jumps.any():  # no change at all, where steps that are less tiny say there should be
            changes = [self.cotangents @ self._moved(probe) / probe for probe in PROBES]
            return bool(np.any(np.abs(changes) * self.eps**TINY > explained))
        repeated = len(np.unique(self._tiny, axis=0)) < NOISE
        return repeated and bool(
            np.any(np.min(jumps, 0, where=jumps > 0, initial=np.inf) > explained)
        )

    def slopes(
        self, noise: Array, scale: Array, first: float = FIRST, goal: float = GOAL
    ) -> Slopes:
        """Measure the slopes at 0, with ever shorter steps until that no longer helps.

        Parameters
        ----------
        noise : (k,) ndarray
            The rounding noise of the outputs.
        scale : (k,) ndarray
            How large the slopes are expected to be.
        first : float
            The first and longest step.
        goal : float
            Errors below this part of `scale` are small enough.
        """
        k = len(self.cotangents)
        odd, even = _Table(2, k), _Table(1, k)
        step, last = first, np.sqrt(self.eps)
        steepest, parts = np.zeros(k), np.zeros(k)
        while step >= last:
            up, down = self._moved(step), self._moved(-step)
            if np.isfinite(up).all() and np.isfinite(down).all():
                blur = SIGMAS * noise / step
                right, left = self.cotangents @ up / step, self.cotangents @ down / step
                steepest = np.max([steepest, np.abs(right), np.abs(left)], axis=0)
                parts = np.abs(self.cotangents * (up - down)).sum(axis=1) / (2 * step)
                odd.add(self.cotangents @ (up - down) / (2 * step), blur)
                even.add(self.cotangents @ (up + down) / step, 2 * blur)
                enough = odd.rounding_bound() | (odd.error <= goal * scale)
                smooth = even.rounding_bound() | (even.error <= goal * scale)
                if (enough & smooth).all():
                    break
            step /= RATIO
        # A jump that is not certain may be there: then the slope is that of one side.
        unsure = np.abs(even.limit) <= even.error
        error = odd.error + np.where(unsure, (np.abs(even.limit) + even.error) / 2, 0)
        error += ROUNDINGS * self.eps * parts  # what rounds even where the output is 0
        return Slopes(odd.limit, error, even.limit, even.error, steepest)


def _norm(values: Array, axis: int) -> Array:
    """Compute Euclidean norms, also of numbers whose squares overflow."""
    largest = np.abs(values).max(axis=axis, keepdims=True, initial=0)
    unit = np.where(largest > 0, largest, 1)
    return np.asarray(np.linalg.norm(values / unit, axis=axis) * unit.squeeze(axis))


class _Table:
    """A Richardson table: the limits, for steps to 0, of k quotients with errors by powers."""

    def __init__(self, first_power: int, k: int) -> None:
        self.powers = [first_power + 2 * j for j in range(COLUMNS)]
        self.row: list[_Entry] = []  # of the step taken last
        self.limit = np.full(k, np.nan)
        self.rounding = np.zeros(k)  # the part of its error that is rounding
        self._error = np.full(k, np.inf)
        self._doubt = np.zeros(k)  # by how much values of shorter steps contradict the limit

    def add(self, values: Array, noise: Array) -> None:
        """Append the row of the next step, and keep the best entry of the table."""
        if not self.row:
            self.limit = values
        self._doubt = np.maximum(self._doubt, np.abs(values - self.limit) - noise)
        row = [_Entry(values, np.full_like(values, np.inf), noise)]
        for power, before in zip(self.powers, self.row):
            entry = row[-1]
            gain = 1 / (RATIO**power - 1)
            change = entry.value - before.value
            entry = row[-1] = entry._replace(change=np.abs(change))
            # The changes of a column shrink by RATIO**power or more. Where this one is much smaller
            # than the one before, the two values agree by chance.
            spread = (1 + gain) * np.maximum(entry.change, before.change / RATIO**power)
            better = entry.value + change * gain
            noise = entry.noise + (entry.noise + before.noise) * gain
            self._keep(better, spread, noise)
            row.append(_Entry(better, np.full_like(values, np.inf), noise))
        self.row = row

    def _keep(self, value: Array, spread: Array, noise: Array) -> None:
        error = spread + noise
        with np.errstate(invalid="ignore"):
            apart = np.abs(value - self.limit) > error + self._error
        best = (error < self.error) | apart  # where they contradict, the shorter step is right
        self.limit = np.where(best, value, self.limit)
        self.rounding = np.where(best, noise, self.rounding)
        self._error = np.where(best, error, self._error)
        self._doubt = np.where(best, 0.0, self._doubt)

    @property
    def error(self) -> Any:
        """The error bar of the limit."""
        return np.maximum(self._error, self._doubt)

    def rounding_bound(self) -> Any:
        """Tell whether rounding is most of the error: shorter steps would only make it worse."""
        return np.isfinite(self.error) & (self.rounding >= self.error / 3)


class _Entry(NamedTuple):
    """A value of the table, how much it changed since the step before, and its rounding error."""

    value: Array
    change: Array
    noise: Array
