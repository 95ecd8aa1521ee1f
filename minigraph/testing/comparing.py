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
INVISIBLE = 32  # times the rounding noise: a smaller change is as good as none
FLAT = 1e-3  # a slope below this part of the steepest one seen is as good as 0
SINGLE = float(np.finfo(np.float32).eps)


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
    eps : float
        The relative rounding error of the function.
    noise : (k,) ndarray
        The rounding noise of its output.
    rounding : (k,) ndarray
        The rounding error of `analytic`.
    entry : tuple of int or None
        The only one that was moved; None for a direction.
    length : float
        How far it was moved.
    """

    analytic: Array
    magnitude: Array
    slopes: Slopes
    eps: float
    noise: Array
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
        large = JUMP * np.maximum(self.magnitude, np.abs(self.slopes.slope))
        return self.slopes.at_kink & (np.abs(self.slopes.jump) > large)

    @property
    def size(self) -> Array:
        """How large the slopes are."""
        return np.maximum(np.abs(self.analytic), np.abs(self.slopes.slope))

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

    @property
    def measured(self) -> bool:
        """Whether there are differences, with an error bar, for every cotangent."""
        return bool(np.isfinite(self.slopes.error).all())

    @property
    def still(self) -> bool:
        """Whether the function did not change at all."""
        return bool((self.slopes.steepest == 0).all())

    @property
    def is_zero(self) -> bool:
        """Whether both say that there is no slope, as far as rounding lets anyone see."""
        error, steepest = self.slopes.error, self.slopes.steepest
        certain = (error <= self.noise / self.eps**0.5) | (error <= ENTRY_GOAL * steepest)
        flat = (self.analytic == 0) & (np.abs(self.slopes.slope) + error <= FLAT * steepest)
        zero = flat | ((self.magnitude <= INVISIBLE * self.noise) & certain)
        return bool(zero.all()) and self.measured and not self.off


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
    places : list of int
        The inputs whose gradients are of the right types.
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
        places: list[int],
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
        self.gradients = {i: np.array([g[i].ravel() for g in pulled], float) for i in places}
        self.scales = [step_lengths(array) for array in arrays]
        self.eps = float(max(np.finfo(a.dtype).eps for a in (self.y, y, *arrays)))
        self.noise = self._measured_noise()
        self.first = min(0.25, max(FIRST, 400 * self.eps**0.5))  # room for some steps

    def _measured_noise(self) -> Array:
        """Measure the rounding noise, all entries moved by a tiny part of their own size."""
        steps = {
            i: away_from_zero(self.rng, a.shape) * (np.abs(a) if a.any() else 1.0)
            for i, a in enumerate(self.arrays)
        }
        line = self._line(steps)
        if not np.isfinite(line.noise).all():  # zeros at the edge of a domain stay where they are
            line = self._line({i: step for i, step in steps.items() if self.arrays[i].any()})
        if line.coarse and self.eps < SINGLE:  # as where it computes in float32 inside
            self.eps = SINGLE
            line = self._line(steps)
        return line.noise

    def _relative(self, place: int, step: Array) -> Array:
        """Shorten a step so that no entry moves further than its own size."""
        array, scale = self.arrays[place], self.scales[place]
        return np.asarray(step / scale * np.where(array == 0, scale, np.abs(array)))

    @property
    def left(self) -> int:
        """How many evaluations may still be spent."""
        return self.budget - self.function.n_values - self.function.n_gradients

    def _line(self, steps: dict[int, Array], how: str = "along a random direction") -> Line:
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

        return Line(function, self.y, self.cotangents, self.eps)

    def _along(
        self, place: int, step: Array, how: str, first: float, goal: float = GOAL
    ) -> Comparison:
        products = self.gradients[place] * step.ravel()
        magnitude = np.abs(products).sum(axis=1)
        slopes = self._line({place: step}, how).slopes(self.noise, magnitude, first, goal)
        narrow = float(np.finfo(self.function.arrays[place].dtype).eps)  # its constants may be, too
        rounding = ROUNDINGS * max(self.eps, narrow) * magnitude
        return Comparison(products.sum(axis=1), magnitude, slopes, self.eps, self.noise, rounding)

    def direction(self, place: int) -> Comparison:
        """Compare along a random direction through all entries of an input."""
        how = "along a random direction"
        step = self.scales[place] * away_from_zero(self.rng, self.arrays[place].shape)
        compared = self._along(place, step, how, self.first)
        if compared.off or not compared.measured:  # a second look before anyone is accused
            again = self._along(place, step, how, SECOND_LOOK * self.first)
            compared = _settled(compared, again)
        if compared.off or not compared.measured:  # entries of very different sizes?
            step = self._relative(place, step)
            compared = _settled(compared, self._along(place, step, how, self.first))
        return compared

    def entry(self, place: int, entry: int) -> Comparison:
        """Compare along one entry, counted in C order."""
        array = self.arrays[place]
        index = tuple(int(i) for i in np.unravel_index(entry, array.shape))
        scale, own = float(self.scales[place][index]), float(abs(array[index]))
        first = self.first if self.eps >= SINGLE else ENTRY_FIRST
        looks = [(scale, first, ENTRY_GOAL), (scale, SECOND_LOOK * self.first, GOAL)]
        if 0 < own < scale:
            looks.append((own, self.first, GOAL))
        found: Comparison | None = None
        for length, first, goal in looks:  # the next one, where the last accuses, or sees nothing
            step = np.zeros(array.shape)
            step[index] = length
            compared = self._along(place, step, f"at {list(index)}", first, goal)
            compared = compared._replace(entry=index, length=length)
            found = compared if found is None else _settled(found, compared)
            if found.measured and not found.off:
                break
        assert found is not None
        return found

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
                place, part.reshape(array.shape), "in some entries", self.first, ENTRY_GOAL
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


def _settled(first: Comparison, again: Comparison) -> Comparison:
    """Choose of two looks: the second overrules an accusation only if it would have seen it too."""
    if not first.measured or not again.measured:
        return first if first.measured else again
    accusation = np.max(first.gap / first.size, where=first.gap > first.room, initial=0)
    sees = np.min(again.room / again.size, initial=np.inf)
    return first if not again.off and sees > accusation else min(first, again, key=_excess)


def _excess(compared: Comparison) -> float:
    return compared.excess


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
