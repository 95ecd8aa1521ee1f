"""From calls and comparisons to verdicts, one for each input."""

import numpy as np

from minigraph.arrays import Array
from minigraph.testing.comparing import (
    Comparison,
    Measurements,
    away_from_zero,
    cotangents,
    step_lengths,
)
from minigraph.testing.functions import Function, Misbehaviour, random_state_untouched, same
from minigraph.testing.report import KINK, NOT_CHECKED, OK, UNRESOLVABLE, WRONG, Finding

__all__ = ["Check"]

DIRECTIONS = 2  # of each input
NARROW = 1000  # roundings by which a gradient in narrow floats may be off
NEARBY = 2.0**-5  # times the entries: away from kinks


class Check:
    """One run of the check, of one function.

    Parameters
    ----------
    function : Function
    rng : numpy.random.Generator
    budget, claim
        As `check_gradients` has them.
    """

    def __init__(
        self, function: Function, rng: np.random.Generator, budget: int, claim: float | None
    ) -> None:
        self.function = function
        self.rng = rng
        self.budget = budget
        self.claim = claim
        self.findings = [
            Finding(name, array.shape, array.dtype)
            for name, array in zip(function.names, function.arrays)
        ]

    def run(self) -> list[Finding]:
        """Give the findings, one for each input."""
        try:
            with np.errstate(all="ignore"):
                self._check()
        except Misbehaviour as error:
            for place, finding in enumerate(self.findings):
                if error.input in (None, place):
                    finding.settle(error.verdict, error.detail)
        return self.findings

    def _check(self) -> None:
        function = self.function
        with random_state_untouched():
            y, narrow = self._first_calls()
        self.measured = self._measurements()
        if self.claim is None:
            self.claim = 20 * self.measured.eps ** (1 / 3)
        for place in self._open():
            self._compare_narrow(place, narrow[place])
        self._compare(self._open())
        if not same(y, function.value(function.arrays)):
            raise Misbehaviour("not deterministic", "the value at the end is not that of the start")
        undecided = [
            f.verdict == KINK and not (f.ok and f.entries == f.size) for f in self.findings
        ]
        if any(undecided):
            self._look_nearby()

    def _open(self) -> list[int]:
        return [i for i, finding in enumerate(self.findings) if finding.verdict == NOT_CHECKED]

    # Does the function behave?

    def _first_calls(self) -> tuple[Array, list[Array]]:
        """See that there is a gradient at all, the same twice, finite, of the right types."""
        function, arrays = self.function, self.function.arrays
        y = function.value(arrays)
        if not same(y, function.value(arrays)):
            raise Misbehaviour("not deterministic", "two calls gave different values")
        if not np.isfinite(y).all():
            raise Misbehaviour("not finite", f"the value is {_first_not_finite(y)}")
        self.cotangents = cotangents(self.rng, y.shape)
        w = self.cotangents[0]
        found, again, zeros = (function.pull(arrays, c) for c in (w, w, 0 * w))
        for finding, array, g, other, zero in zip(self.findings, arrays, found, again, zeros):
            if g.shape != array.shape or g.dtype != array.dtype:
                finding.settle(
                    "wrong shape or dtype",
                    f"its gradient is {g.dtype}{list(g.shape)}, not "
                    f"{array.dtype}{list(array.shape)}",
                )
            elif not np.isfinite(g).all():
                finding.settle("not finite", f"its gradient is {_first_not_finite(g)}")
            elif not same(g, other):
                finding.settle("not deterministic", "two calls gave different gradients")
            elif np.any(zero != 0):
                finding.settle(WRONG, "a cotangent of zeros gives a gradient that is not zero")
        return y, found

    def _measurements(self) -> Measurements:
        """Go over to float64, where the function can."""
        function = self.function
        arrays = [a.astype(np.result_type(a, np.float64)) for a in function.arrays]
        try:
            y = function.value(arrays)
        except Exception:
            arrays = function.arrays
            y = function.value(arrays)
        return Measurements(
            function, arrays, y, self.cotangents, self._open(), self.rng, self.budget
        )

    def _compare_narrow(self, place: int, narrow: Array) -> None:
        """See whether the gradient in an input's own, narrower floats is the wide one, rounded."""
        m = self.measured
        array, wide = m.arrays[place], m.gradients[place][0]
        if narrow.dtype == array.dtype:
            return
        eps = float(np.finfo(narrow.dtype).eps)
        nudged = list(m.arrays)  # how much does rounding the input change?
        nudged[place] = array * (1 + eps * self.rng.choice([-1, 1], array.shape))
        change = self.function.pull(nudged, self.cotangents[0])[place].ravel() - wide
        room = NARROW * (eps * np.abs(wide).max(initial=0) + np.abs(change).max(initial=0))
        if np.any(np.abs(narrow.ravel() - wide) > room):
            self.findings[place].settle(
                WRONG,
                f"in {narrow.dtype} it differs from that in {array.dtype} by more than rounding",
            )

    # Is the gradient right?

    def _compare(self, places: list[int]) -> None:
        """Compare gradients and differences: directions first, then entries where affordable."""
        m = self.measured
        directions: dict[int, list[Comparison]] = {place: [] for place in places}
        costs = dict.fromkeys(places, 0)
        filled = [place for place in places if m.arrays[place].size]
        for place in filled * DIRECTIONS:  # all of them once, then as far as affordable
            before = self.function.n_values
            if not directions[place] or costs[place] <= m.left:
                directions[place].append(m.direction(place))
                costs[place] = self.function.n_values - before
        clear = {p: not any(c.off or c.kink.any() for c in directions[p]) for p in places}
        for place in sorted(places, key=lambda p: (clear[p], m.arrays[p].size)):
            entries: list[int] = []
            if m.affords(place):
                entries = list(range(m.arrays[place].size))
            elif not clear[place]:
                entries = [m.worst_entry(place)]
            compared = [m.entry(place, entry) for entry in entries]
            self._conclude(self.findings[place], directions[place], compared)

    def _conclude(
        self, finding: Finding, directions: list[Comparison], entries: list[Comparison]
    ) -> None:
        compared = [*entries, *directions]
        unmeasured = [c for c in compared if not c.measured]
        wrong = [c for c in compared if c.wrong and (c.entry is not None or not c.kink.any())]
        kinks = [c for c in compared if c.kink.any()]
        telling = wrong or kinks or unmeasured or compared
        telling = [c for c in telling if c.entry is not None] or telling
        if telling:
            self._show(finding, max(telling, key=lambda c: c.excess))
        finding.entries = len([c for c in entries if c.measured])
        finding.power = min((c.power for c in compared if c.measured), default=np.nan)
        finding.entry_power = max((c.power for c in entries if c.analytic.any()), default=np.nan)
        if any(not c.kink.any() for c in wrong):
            finding.settle(WRONG)
        elif wrong:
            finding.settle(KINK, "the gradient is not between the one-sided slopes", valid=False)
        elif any(c.wrong for c in directions):  # the sum of what several kinks allow is no interval
            finding.settle(
                KINK,
                "each entry is between its one-sided slopes, a direction is not: several kinks, or "
                "a tie is counted twice",
                ok=len(entries) == finding.size,
            )
        elif kinks:
            finding.settle(KINK, "the gradient is between the one-sided slopes", ok=True)
        else:
            self._resolve(finding, compared, unmeasured)

    def _resolve(
        self, finding: Finding, compared: list[Comparison], unmeasured: list[Comparison]
    ) -> None:
        """Say whether the error bars are narrow enough for the claim."""
        zero = all(c.is_zero for c in compared)
        assert self.claim is not None
        if not compared:
            finding.settle(OK, "it has no entries", ok=True)
        elif unmeasured:
            finding.settle(
                UNRESOLVABLE, "no difference could be measured there: move the point, or check why"
            )
        elif finding.power > self.claim and not zero:
            finding.settle(
                UNRESOLVABLE,
                f"an error of {self.claim:.0e} could not be seen: give float64, a point where less "
                "cancels, or a larger claim=",
            )
        elif all(c.still for c in compared):
            finding.settle(OK, "the function does not change with it", ok=True)
        else:
            finding.settle(OK, "zero, as far as rounding lets one see" if zero else "", ok=True)

    def _show(self, finding: Finding, compared: Comparison) -> None:
        """Put what was compared into the finding, in the user's units."""
        k = int(np.argmax(compared.ratios))
        unit = compared.length
        if self.measured.y.size == 1:
            unit *= float(self.measured.cotangents[k, 0])  # a loss: its own gradient
        finding.entry = compared.entry
        finding.analytic = float(compared.analytic[k] / unit + 0.0)  # not -0
        finding.numeric = float(compared.slopes.slope[k] / unit + 0.0)
        finding.error = float(compared.room[k] / abs(unit))
        if compared.kink[k]:
            left, right = compared.slopes.sides
            finding.sides = float(left[k] / unit), float(right[k] / unit)

    def nearby(self) -> list[Finding]:
        """Check at a point close by, where no kink is: along one direction of each input."""
        arrays = [
            (a + NEARBY * step_lengths(a) * away_from_zero(self.rng, a.shape)).astype(a.dtype)
            for a in self.function.arrays
        ]
        function = self.function.at(arrays)
        findings = Check(function, self.rng, budget=0, claim=np.inf).run()
        self.function.n_values += function.n_values
        self.function.n_gradients += function.n_gradients
        return findings

    def _look_nearby(self) -> None:
        """Decide what a kink leaves open: it may hide what is wrong elsewhere.

        And where several meet, the gradient of right code need not lie between the one-sided
        slopes.
        """
        for finding, found in zip(self.findings, self.nearby()):
            if finding.verdict == KINK and found.verdict == WRONG:
                finding.settle(WRONG, "at a kink; and wrong at a point nearby, too")
            elif finding.verdict == KINK and found.ok and not finding.ok:
                several = "right nearby: several kinks meet here, or a tie is counted twice"
                finding.settle(KINK, several, ok=True, valid=finding.valid)


def _first_not_finite(array: Array) -> str:
    index = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
    return f"{array[index]} at {list(index)}" if index else str(array[index])
