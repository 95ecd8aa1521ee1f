"""Gradient against differences: along random directions, entry by entry, by bisection."""

from typing import NamedTuple

import numpy as np

from minigraph.arrays import Array
from minigraph.testing.differences import FIRST, GOAL, Line, Slopes
from minigraph.testing.functions import Function

__all__ = ["Comparison", "Measurements", "away_from_zero", "cotangents", "step_lengths"]

SECOND_LOOK = 0.61  # times the steps of the first look
ENTRY_FIRST = 2.0**-9  # the first step for a single entry
ENTRY_GOAL = 1e-8
ENTRY_COST = 8  # evaluations that an entry takes, as a rule
JUMP = 1e-6  # one-sided slopes that differ by less, relative to the slope, are taken for one
FLOOR = 0.1  # entries are moved by at least this part of their root mean square
ROUNDINGS = 16  # by which the gradient's own sums may be off
INVISIBLE = 100  # times the rounding noise of the function: a slope below is as good as 0


class Comparison(NamedTuple):
    """The slopes along one step of one input, by the gradient and by differences.

    Attributes
    ----------
    analytic : (k,) ndarray
        One slope per cotangent, by the gradient.
    magnitude : (k,) ndarray
        The sum of the absolute values of its parts.
    slopes : Slopes
        By differences.
    rounding : (k,) ndarray
        The error of `analytic`.
    entry : tuple of int or None
        The only one that was moved; None for a direction.
    length : float
        How far it was moved.
    """

    analytic: Array
    magnitude: Array
    slopes: Slopes
    rounding: Array
    entry: tuple[int, ...] | None = None
    length: float = 1.0

    @property
    def room(self) -> Array:
        """By how much the two may differ."""
        return self.slopes.error + self.rounding

    @property
    def gap(self) -> Array:
        """By how much they differ."""
        return np.asarray(np.abs(self.analytic - self.slopes.slope))

    @property
    def ratios(self) -> Array:
        """The gap relative to the room; more than 1 is too much."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(np.nan_to_num(self.gap / self.room, posinf=np.inf))

    @property
    def excess(self) -> float:
        """The largest of the ratios."""
        return float(self.ratios.max(initial=0))

    @property
    def kink(self) -> Array:
        """Where the one-sided slopes differ visibly."""
        size = np.maximum(self.magnitude, np.abs(self.slopes.slope))
        return self.slopes.at_kink & (np.abs(self.slopes.jump) > JUMP * size)

    @property
    def off(self) -> bool:
        """Whether the two differ by more than the room, for some cotangent."""
        return bool((self.gap > self.room).any())

    @property
    def wrong(self) -> bool:
        """Whether the gradient is no slope, nor between the one-sided slopes at a kink."""
        left, right = self.slopes.sides
        room = self.room + self.slopes.jump_error
        low, high = np.minimum(left, right) - room, np.maximum(left, right) + room
        between = (low <= self.analytic) & (self.analytic <= high)
        return bool(np.where(self.kink, ~between, self.gap > self.room).any())

    @property
    def power(self) -> float:
        """The smallest relative error of the gradient that would be seen here."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return float(np.nanmin(self.room / np.abs(self.analytic), initial=np.inf))

    def is_zero(self, noise: Array, eps: float) -> bool:
        """Whether both say that there is no slope which rounding would let anyone see."""
        small = self.magnitude <= INVISIBLE * noise
        error = self.slopes.error
        certain = (error <= noise / eps**0.5) | (error <= ENTRY_GOAL * self.slopes.steepest)
        return bool((small & certain).all() and not self.off)


class Measurements:
    """A function at one point, with its gradients there for several cotangents.

    Parameters
    ----------
    function : Function
    arrays : list of ndarray
        Its inputs.
    y : ndarray
        Its output.
    cotangents : (k, ...) ndarray
    rng : numpy.random.Generator
    budget : int
        Evaluations of the function and its gradient, after which no more is begun.
    """

    def __init__(
        self,
        function: Function,
        arrays: list[Array],
        y: Array,
        cotangents: Array,
        rng: np.random.Generator,
        budget: int,
    ) -> None:
        self.function = function
        self.arrays = arrays
        self.y = y.ravel().astype(float)
        self.cotangents = cotangents.reshape(len(cotangents), -1).astype(float)
        self.rng = rng
        self.budget = budget
        pulled = [function.pull(arrays, w) for w in cotangents]
        self.gradients = [np.array([g.ravel() for g in gs], float) for gs in zip(*pulled)]
        self.eps = float(max(np.finfo(a.dtype).eps for a in (y, *arrays)))
        self.scales = [step_lengths(array) for array in arrays]
        everything = [scale * away_from_zero(rng, scale.shape) for scale in self.scales]
        self.noise = self._line(dict(enumerate(everything)), None, "along a random direction").noise

    @property
    def left(self) -> int:
        """How many evaluations may still be spent."""
        return self.budget - self.function.n_values - self.function.n_gradients

    def _line(self, steps: dict[int, Array], noise: Array | None, how: str) -> Line:
        names = ", ".join(self.function.names[place] for place in steps)

        def function(t: float) -> Array:
            arrays = [
                (a + t * steps[i]).astype(a.dtype) if i in steps else a
                for i, a in enumerate(self.arrays)
            ]
            y = self.function.value(arrays, f"{names} was moved {how}, by {t:.1e}")
            if y.size != self.y.size:
                raise ValueError(
                    f"check_gradients: the output has {y.size} entries, not {self.y.size}, where "
                    f"{names} is moved {how}"
                )
            return y.ravel().astype(float)

        return Line(function, self.y, self.cotangents, self.eps, noise)

    def _along(
        self, place: int, step: Array, how: str, first: float = FIRST, goal: float = GOAL
    ) -> Comparison:
        products = self.gradients[place] * step.ravel()
        magnitude = np.abs(products).sum(axis=1)
        slopes = self._line({place: step}, self.noise, how).slopes(magnitude, first, goal)
        return Comparison(products.sum(axis=1), magnitude, slopes, ROUNDINGS * self.eps * magnitude)

    def direction(self, place: int) -> Comparison:
        """Compare along a random direction through all entries of an input."""
        array, scale, how = self.arrays[place], self.scales[place], "along a random direction"
        step = scale * away_from_zero(self.rng, array.shape)
        compared = self._along(place, step, how)
        if not np.isfinite(compared.slopes.error).all():  # out of the domain: smaller where small
            step = step / scale * np.where(array == 0, scale, np.abs(array))
            compared = self._along(place, step, how)
        if compared.off:  # a second look, at other points, before anyone is accused
            again = self._along(place, step, how, SECOND_LOOK * FIRST)
            compared = min(compared, again, key=lambda c: c.excess)
        return compared

    def entry(self, place: int, entry: int) -> Comparison:
        """Compare along one entry, counted in C order."""
        step = np.zeros(self.arrays[place].shape)
        index = tuple(int(i) for i in np.unravel_index(entry, step.shape))
        step[index] = self.scales[place][index]
        first = max(ENTRY_FIRST, min(FIRST, 100 * self.eps**0.5))  # room for some steps
        compared = self._along(place, step, f"at {list(index)}", first, ENTRY_GOAL)
        if compared.off:
            again = self._along(place, step, f"at {list(index)}", SECOND_LOOK * FIRST)
            compared = min(compared, again, key=lambda c: c.excess)
        return compared._replace(entry=index, length=float(step[index]))

    def affords(self, place: int) -> bool:
        """Tell whether the budget allows to compare every entry of an input."""
        return self.arrays[place].size * ENTRY_COST <= self.left

    def worst_entry(self, place: int) -> int:
        """Find an entry that is off: halve the input, and keep the half that is further off."""
        array = self.arrays[place]
        step = self.scales[place] * away_from_zero(self.rng, array.shape)

        def gap(entries: Array) -> Array:
            part = np.zeros(array.size)
            part[entries] = step.ravel()[entries]
            compared = self._along(
                place, part.reshape(array.shape), "in some entries", ENTRY_FIRST, ENTRY_GOAL
            )
            return compared.analytic - compared.slopes.slope

        kept = np.arange(array.size)
        total = gap(kept)
        while len(kept) > 1:
            half, rest = np.array_split(kept, 2)
            off = gap(half)
            if np.abs(off).max() >= np.abs(total - off).max():  # gaps are linear in the step
                kept, total = half, off
            else:
                kept, total = rest, total - off
        return int(kept[0])


def away_from_zero(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Draw Gaussian entries, each moved away from 0 by a half."""
    normal = rng.normal(size=shape)
    return np.asarray(normal + np.copysign(0.5, normal))


def cotangents(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Draw two cotangents and a combination of them, exact in float16, without zeros."""
    first, second = (away_from_zero(rng, shape).astype(np.float16) for _ in range(2))
    third = (second - np.float16(2.5) * first).astype(np.float16)
    return np.array([first, second, np.where(third == 0, first, third)], float)


def step_lengths(array: Array) -> Array:
    """Give the length of a step in each entry: its size, or a part of the others' if it is small.

    Steps of a random direction are about this long times those of the differences.
    """
    rms = np.sqrt(np.mean(np.square(array, dtype=float))) if array.size else 1.0
    return np.asarray(np.maximum(np.abs(array.astype(float)), FLOOR * rms if rms else 1.0))
