"""Whether a gradient is right, and what the check of it would have seen."""

from collections.abc import Callable
from typing import Any

import numpy as np

from minigraph.arrays import Array
from minigraph.graph import Graph
from minigraph.tensor import Tensor
from minigraph.testing.comparing import (
    Comparison,
    Measurements,
    away_from_zero,
    cotangents,
    step_lengths,
)
from minigraph.testing.functions import Function, HandWritten, Misbehaviour, same
from minigraph.testing.report import (
    KINK,
    NOT_CHECKED,
    OK,
    UNRESOLVABLE,
    WRONG,
    Finding,
    GradientError,
    Report,
)
from minigraph.testing.tracing import replay

__all__ = ["check_gradients"]

CLAIM = 1e-4  # an error of a gradient, relative to it, that must be visible
DIRECTIONS = 2  # of each input
NARROW = 1000  # roundings by which a gradient in narrow floats may be off
NEARBY = 2.0**-5  # times the entries: away from kinks
SUSPECTS = 200  # nodes of a failing graph that are checked one by one
LOCAL_BUDGET = 2000  # evaluations of one op, for each of them


def check_gradients(
    f: Callable[..., Any],
    *inputs: Any,
    gradient: Callable[..., Any] | None = None,
    order: int = 1,
    seed: int | None = None,
    budget: int = 200,
    claim: float = CLAIM,
    raises: bool = True,
) -> Report:
    """Compare the gradient of a function with differences, and say what that could have seen.

    For random directions d of each input and random cotangents w, wᵀ J d is measured by
    extrapolated central differences with an error bar, and compared with the gradient's. Then every
    entry is measured alone, where that is affordable, or as far as it takes to find one that is
    wrong. Also checked: two calls agree, inputs and random state stay as they are, shapes and
    dtypes are right, a zero cotangent gives exactly zero, and the gradient is linear in the
    cotangent.

    Parameters
    ----------
    f : callable
        Takes Tensors and gives a Tensor of any shape. With `gradient` it takes arrays and gives a
        number.
    *inputs : array, Tensor, or dicts, lists and tuples of them
        Where the gradient is checked. Tensors that require no gradient are constants.
    gradient : callable, optional
        A gradient written by hand, in NumPy: ``gradient(*inputs)`` gives one array for each input,
        in the same containers (a tuple for several inputs).
    order : {1, 2}
        2 checks the gradient of the gradient too.
    seed : int, optional
        Of the directions and cotangents; a fresh one by default, which the report shows.
    budget : int
        Evaluations of `f` up to which more is checked than one random direction of each input: a
        second one, then single entries. To find an entry that is wrong, a failing check takes about
        6 log₂(size) more.
    claim : float
        The relative error of a gradient that must be visible; where the error bars are wider, the
        verdict is ``unresolvable``.
    raises : bool
        With False, a report of a wrong gradient is returned like that of a right one.

    Returns
    -------
    Report
        With one `Finding` per input; printed, it is a table.

    Raises
    ------
    GradientError
        If a gradient is wrong or cannot be resolved; it is an AssertionError.
    TypeError, ValueError
        If an input or the result of `f` cannot be checked: integers, overlapping memory, a list.

    See Also
    --------
    minigraph.testing.strategies : random inputs, programs and networks to check.

    Notes
    -----
    Narrower floats are widened to float64 for the comparison; their own gradient must agree with
    the wide one to within their rounding.

    Examples
    --------
    >>> import numpy as np
    >>> from minigraph.testing import check_gradients
    >>> report = check_gradients(lambda x: np.exp(x).sum(), np.array([0.5, 1.0]))
    >>> report.ok, report["x"].verdict, report["x"].power < 1e-9
    (True, 'ok', True)

    A gradient by hand, with a mistake in it:

    >>> x = np.array([0.5, 1.0])
    >>> report = check_gradients(lambda x: np.sum(x**3), x, gradient=lambda x: 3 * x, raises=False)
    >>> report["x"].verdict, report["x"].entry
    ('wrong', (0,))
    """
    if order not in (1, 2):
        raise ValueError(f"check_gradients: order is 1 or 2, not {order!r}")
    if seed is None:
        seed = int(np.random.SeedSequence().entropy) % 2**32  # type: ignore[arg-type]
    rng = np.random.default_rng(seed)
    function = Function(f, inputs) if gradient is None else HandWritten(f, inputs, gradient)
    report = Report(function.title, [], seed, constants=function.constants)
    check = _Check(function, rng, budget, claim)
    report.findings = check.run()
    if order == 2 and report.ok:
        second = _Check(function.second_order(check.cotangents[0]), rng, budget, claim)
        report.findings += [_of_second_order(finding) for finding in second.run()]
        report.n_values += second.function.n_values
        report.n_gradients += second.function.n_gradients
    report.n_values += function.n_values
    report.n_gradients += function.n_gradients
    if not report.ok:
        _look_into_the_graph(report, function, seed)
    if raises and not report.ok:
        raise GradientError(report)
    return report


def _of_second_order(finding: Finding) -> Finding:
    finding.order = 2
    return finding


class _Check:
    """One run of the check, of one function."""

    def __init__(
        self, function: Function, rng: np.random.Generator, budget: int, claim: float
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
            narrow = self._behaves()
            self.measured = self._measurements()
            for place in self._open():
                self._compare_narrow(place, narrow[place])
            self._compare()
        except Misbehaviour as error:
            for place, finding in enumerate(self.findings):
                if error.input in (None, place):
                    finding.settle(error.verdict, error.detail)
        return self.findings

    def _open(self) -> list[int]:
        return [i for i, finding in enumerate(self.findings) if finding.verdict == NOT_CHECKED]

    def _behaves(self) -> list[Array]:
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
        return found

    def _measurements(self) -> Measurements:
        """Go over to float64, where the function can."""
        function = self.function
        arrays = [a.astype(np.result_type(a, np.float64)) for a in function.arrays]
        try:
            y = function.value(arrays)
        except Exception:
            arrays = function.arrays
            y = function.value(arrays)
        return Measurements(function, arrays, y, self.cotangents, self.rng, self.budget)

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

    def _compare(self) -> None:
        """Compare gradients and differences: directions first, then entries where affordable."""
        m, places = self.measured, self._open()
        directions: dict[int, list[Comparison]] = {place: [] for place in places}
        costs = dict.fromkeys(places, 0)
        for place in places * DIRECTIONS:  # all of them once, then as far as affordable
            before = self.function.n_values
            if m.arrays[place].size and costs[place] <= m.left:
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
        finding.entries = len(entries)
        finding.power = min((c.power for c in compared), default=np.nan)
        wrong = [c for c in compared if c.wrong and (c.entry is not None or not c.kink.any())]
        kinks = [c for c in compared if c.kink.any()]
        telling = wrong or kinks or compared
        telling = [c for c in telling if c.entry is not None] or telling
        worst = max(telling, key=lambda c: c.excess, default=None)
        if worst is not None:
            self._show(finding, worst)
        undecided = any(c.wrong for c in directions) and len(entries) < finding.size
        if any(not c.kink.any() for c in wrong):
            finding.settle(WRONG)
        elif wrong or (kinks and undecided):
            several = "it is wrong, or several kinks meet here; move the point"
            finding.settle(KINK, f"the gradient is not between the one-sided slopes: {several}")
        elif kinks:
            finding.settle(KINK, "the gradient lies between the one-sided slopes", ok=True)
        elif finding.power > self.claim and not all(
            c.is_zero(self.measured.noise, self.measured.eps) for c in directions
        ):
            finding.settle(
                UNRESOLVABLE,
                f"an error of {self.claim:.0e} could not be seen; the differences resolve "
                f"{finding.power:.0e}: give float64, a point where less cancels, or a larger claim",
            )
        else:
            finding.settle(OK, ok=True)

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


def _first_not_finite(array: Array) -> str:
    index = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
    return f"{array[index]} at {list(index)}" if index else str(array[index])


def _look_into_the_graph(report: Report, function: Function, seed: int) -> None:
    """Find the node whose own formula is wrong; or see that at a kink every op's choice is right.

    Where several kinks meet, a gradient made of right choices need not lie between the one-sided
    slopes. Then each op must be right on its own here, and all of them together nearby.
    """
    try:
        report.output = function.output(function.arrays)
    except Exception:  # the report has said what is wrong
        return
    if report.output is None:
        return
    cleared = True
    for node in Graph(report.output).nodes[:SUSPECTS]:
        for slot, _ in node.formulas:
            finding = _check_formula(node, slot, seed)
            if finding.verdict == WRONG or (finding.verdict == KINK and not finding.ok):
                assert node.op is not None
                report.suspect, report.suspect_input = node, node.op.input_name(slot)
                return
            cleared &= finding.ok
    kinks = [finding for finding in report.findings if finding.verdict == KINK]
    if cleared and all(finding.ok or finding in kinks for finding in report.findings):
        rng = np.random.default_rng(seed)
        for array in function.arrays:
            array += NEARBY * step_lengths(array) * away_from_zero(rng, array.shape)
        nearby = _Check(function, rng, budget=0, claim=np.inf).run()
        if all(finding.verdict == OK for finding in nearby):
            for finding in kinks:
                finding.settle(KINK, "several kinks meet; each op's choice is right", ok=True)


def _check_formula(node: Tensor, slot: int, seed: int) -> Finding:
    """Check one formula of one node, at the values that it had."""
    op, with_formula = node.op, {slot for slot, _ in node.formulas}
    assert op is not None

    def alone(x: Tensor) -> Any:
        known = {node.inputs[slot].number: x}
        arguments = [  # an input without a formula may be one that was made of x
            x if i == slot else value if i in with_formula else replay(input, known)
            for i, (input, value) in enumerate(zip(node.inputs, node.values))
        ]
        return op(*arguments, **node.attributes)

    function = Function(alone, [np.asarray(node.values[slot])])
    (finding,) = _Check(function, np.random.default_rng(seed), LOCAL_BUDGET, np.inf).run()
    return finding
