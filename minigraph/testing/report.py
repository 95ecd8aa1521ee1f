"""What a check found: one finding per input, printed as a table that people can read."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from minigraph.drawing import Drawing, draw
from minigraph.tensor import Tensor
from minigraph.testing.functions import Function

__all__ = ["Finding", "GradientError", "Report"]

OK, WRONG, KINK, UNRESOLVABLE = "ok", "wrong", "at a kink", "unresolvable"
NOT_CHECKED = "not checked"


@dataclass
class Finding:
    """The verdict on the gradient of one input.

    Attributes
    ----------
    name : str
    shape : tuple of int
    dtype : numpy.dtype
    verdict : str
        ``ok``, ``wrong``, ``at a kink``, ``unresolvable``, ``not deterministic``,
        ``wrong shape or dtype``, ``mutates its input`` or ``not finite``; ``not checked``, where
        another input ended the check.
    ok : bool
        Whether the gradient may be believed.
    valid : bool
        At a kink, whether the gradient lies between the one-sided slopes.
    order : int
        1; 2 for the gradient of the gradient.
    entry : tuple of int or None
        Where it is worst; None for a random direction through all entries.
    analytic, numeric, error : float
        The slope by the gradient under test, by differences, and the error of the latter.
    sides : (float, float) or None
        The one-sided slopes at a kink.
    power : float
        The smallest relative error of this input's whole gradient that would have been caught.
    entry_power : float
        The smallest relative error that would have been caught in every single entry that was
        checked; the smaller an entry is beside the others, the less of it can be seen.
    entries : int
        How many entries were checked one by one.
    detail : str
        The verdict in words, where there is something to say.
    """

    name: str
    shape: tuple[int, ...]
    dtype: Any
    verdict: str = NOT_CHECKED
    ok: bool = False
    valid: bool = True
    order: int = 1
    entry: tuple[int, ...] | None = None
    analytic: float = np.nan
    numeric: float = np.nan
    error: float = np.nan
    sides: tuple[float, float] | None = None
    power: float = np.nan
    entry_power: float = np.nan
    entries: int = 0
    detail: str = ""

    @property
    def size(self) -> int:
        """Number of entries."""
        return int(np.prod(self.shape))

    def settle(self, verdict: str, detail: str = "", ok: bool = False, valid: bool = True) -> None:
        """Give the verdict."""
        self.verdict, self.detail, self.ok, self.valid = verdict, detail, ok, valid

    def cells(self) -> tuple[str, ...]:
        """Give the row of this input in the table."""
        place = "a direction" if self.entry is None else str(list(self.entry))
        numeric = f"{self.numeric:.10g} ± {self.error:.0e}"
        if self.sides is not None:
            numeric = f"left {self.sides[0]:.6g}, right {self.sides[1]:.6g}"
        if np.isnan(self.numeric):
            place, numeric = "–", "–"
        return (
            self.name,
            f"{self.dtype}{list(self.shape)}",
            self.verdict,
            place,
            "–" if np.isnan(self.analytic) else f"{self.analytic:.10g}",
            numeric,
            _relative(self.power),
            _relative(self.entry_power),
            f"{self.entries} of {self.size}",
        )


def _relative(power: float) -> str:
    return f"{power:.0e}" if np.isfinite(power) else "–"


HEAD = (
    "input", "type", "verdict", "worst at", "gradient", "differences", "catches", "per entry",
    "entries",
)  # fmt: skip


class Report:
    """What `check_gradients` found.

    Attributes
    ----------
    findings : list of Finding
        One per input; with ``order=2`` a second one for the gradient of the gradient.
    seed : int
        Gives the same directions and cotangents again.
    output : Tensor or None
        The output with the graph behind it, where that was searched for a wrong formula.
    suspect : Tensor or None
        The first node of that graph whose own formula is wrong.
    """

    def __init__(self, function: Function, seed: int) -> None:
        self.function = function
        self.seed = seed
        self.findings: list[Finding] = []
        self.output: Tensor | None = None
        self.suspect: Tensor | None = None
        self.suspect_input = ""

    @property
    def n_values(self) -> int:
        """How often the function was evaluated for its value."""
        return self.function.n_values

    @property
    def n_gradients(self) -> int:
        """How often it was evaluated for its gradient."""
        return self.function.n_gradients

    @property
    def ok(self) -> bool:
        """Whether every gradient may be believed."""
        return all(finding.ok for finding in self.findings)

    def __bool__(self) -> bool:
        return self.ok

    def __getitem__(self, name: str) -> Finding:
        for finding in self.findings:
            if finding.name == name:
                return finding
        raise KeyError(f"{name!r} is not one of {', '.join(f.name for f in self.findings)}")

    def draw(self) -> Drawing:
        """Draw the graph, with the node whose formula is wrong in focus.

        Raises
        ------
        ValueError
            If the function is plain NumPy, and has no graph.
        """
        output = (
            self.output if self.output is not None else self.function.output(self.function.arrays)
        )
        return draw(output, focus=self.suspect)

    def __str__(self) -> str:
        bad = [finding for finding in self.findings if not finding.ok]
        verdicts = ", ".join(f"{f.name} {f.verdict}" for f in bad)
        lines = [f"gradient of {self.function.title}: {verdicts or 'ok'}", *self._table()]
        for f in self.findings:
            if f.detail:
                lines.append(f"{f.name}{' (order 2)' if f.order == 2 else ''}: {f.detail}")
        if self.suspect is not None:
            lines.append(_suspicion(self.suspect, self.suspect_input))
        unchecked = dict.fromkeys(f.name for f in self.findings if f.entries < f.size)
        if unchecked and not bad:
            lines.append(
                f"not entry by entry: {', '.join(unchecked)} (by random directions; a larger "
                "budget= would)"
            )
        if self.function.constants:
            lines.append(f"not checked: {', '.join(self.function.constants)} (constant)")
        lines.append(
            f"{self.n_values} evaluations of the function, {self.n_gradients} of its gradient; "
            f"seed={self.seed}"
        )
        return "\n".join(lines)

    def _table(self) -> list[str]:
        rows = [HEAD, *(finding.cells() for finding in self.findings)]
        if any(finding.order == 2 for finding in self.findings):
            orders = ["order", *(str(finding.order) for finding in self.findings)]
            rows = [(order, *row) for order, row in zip(orders, rows)]
        widths = [max(map(len, column)) for column in zip(*rows)]
        return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def _suspicion(node: Tensor, input: str) -> str:
    assert node.op is not None
    label = f" (the node {node.name!r})" if node.name else ""
    return f"the formula of {input} in op {node.op.name}{label} is wrong by itself"


class GradientError(AssertionError):
    """A gradient is wrong, or could not be checked; `report` says which and how.

    Attributes
    ----------
    report : Report
    """

    def __init__(self, report: Report) -> None:
        super().__init__(str(report))
        self.report = report
