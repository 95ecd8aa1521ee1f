"""Everything that is measured of a user's functions, and what of it does not agree."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from minigraph.testing.diagnosis.causes.intermediates import Intermediates, is_x
from minigraph.testing.diagnosis.causes.penalties import Share, shares
from minigraph.testing.diagnosis.clock import OutOfTime
from minigraph.testing.diagnosis.measuring import Measured, measured_on, unusable_in_part
from minigraph.testing.diagnosis.problems import Maker, Problem, usual
from minigraph.testing.diagnosis.rules.record import Record
from minigraph.testing.diagnosis.subject import Subject, Unusable
from minigraph.testing.diagnosis.verdicts import Diagnosis, Verdict

__all__ = ["Comparison"]

HALF = 2e-5  # of the largest entry: between the rounding errors of float32 and half precision
HALF_PRECISION = "it is right to three digits or so: a part of it is in half precision"


class Comparison:
    """The gradients that were given beside the slopes of the loss, problem by problem.

    Attributes
    ----------
    cases, records : list
        What was measured on each problem, and the graph on it, if there is one.
    parameters, others, names : list of str
        The parameters, what else bprop returns that can be checked, and both.
    off : dict of str to list of Measured
        What is wrong, with the cases on which it shows.
    diagnosis : Diagnosis
        What is found is written to it.
    """

    def __init__(self, subject: Subject, maker: Maker, graph: Any) -> None:
        self.subject, self.maker, self.graph = subject, maker, graph
        self.clock = subject.clock
        self.diagnosis = Diagnosis()
        self.parameters = list(maker.problem("").params)
        self.off: dict[str, list[Measured]] = {}
        self.off_by: dict[str, tuple[str, ...]] = {}

    def run(self) -> None:
        """Measure, and compare.

        Raises
        ------
        Unusable, OutOfTime
            If that is not possible on a single problem.
        """
        self.cases = self._measured(list(usual(self.maker)))
        self.records = self._recorded()
        self._find_what_to_compare()
        self._compare()

    @property
    def plain(self) -> list[Measured]:
        """The cases without penalties."""
        return [case for case in self.cases if not any(case.problem.lam)]

    def not_tried(self, what: str) -> None:
        """Say what there was no time for."""
        self.diagnosis.blind_spots.append(
            f"{what}; the time was up after {self.clock.budget:g} s (budget= gives more)"
        )

    def _is_half(self, name: str) -> bool:
        """Tell whether a gradient is right but for the rounding of half precision.

        What float32 leaves is so large in few problems only, where large terms cancel.
        """
        shares = [case.share_off(name) for case in self.cases]
        return name in self.parameters and float(np.median(shares)) > HALF

    def wrong(self) -> dict[str, Verdict]:
        """Give the verdicts of all that is wrong."""
        return {n: v for n, v in self.diagnosis.verdicts.items() if v.status == "wrong"}

    def shares(self) -> list[dict[str, Share]]:
        """Measure what each penalty adds to the gradients."""
        lam = self.maker.lambdas()
        base = replace(self.cases[0].problem, lam=(0.0,) * len(lam), label="no penalties")
        return shares(self.subject, base, lam) if lam else []

    def forget_graph(self) -> None:
        """Take back what was said by a graph of another loss."""
        self.records, self.diagnosis.graph = [], None
        for key in self.intermediates.nodes:
            self.off.pop(key, None)
            self.diagnosis.verdicts.pop(key)
            self.diagnosis.blind_spots.append(f"{key} is not checked: the graph is of another loss")
        self.intermediates.nodes = {}

    def _measured(self, problems: Sequence[Problem]) -> list[Measured]:
        """Measure on all problems that the functions can be called with."""
        found, failed = [], []
        for problem in problems:
            try:
                on_one = measured_on(self.subject, [problem])
            except OutOfTime:
                break
            found += on_one[0]
            failed += on_one[1]
        if not found:
            raise failed[0] if failed else OutOfTime
        whole = self.subject.is_whole(found[0].problem)
        if whole:
            raise Unusable(f"fprop returns {whole}, so its slopes are 0: a loss needs fractions")
        self.diagnosis.remarks += unusable_in_part(failed, found)
        self.left = [problem.label for problem in problems[len(found) + len(failed) :]]
        return found

    def _recorded(self) -> list[Record]:
        """Build the graph on each problem; nothing if there is none, or it raises."""
        if self.graph is None:
            return []
        try:
            records = [Record(self.graph, case.problem) for case in self.cases]
        except (Exception, SystemExit) as error:  # the user's
            self.diagnosis.remarks.append(
                f"graph raises {type(error).__name__}: {error}; it was not used"
            )
            return []
        plain = (record.loss for record in records if not any(record.problem.lam))
        self.diagnosis.graph = next(plain, records[0].loss)
        return records

    def _find_what_to_compare(self) -> None:
        """List the parameters, and what else bprop returns that can be checked."""
        first = self.cases[0]
        self.returned = [str(key) for key in self.subject.raw(first.problem)]
        others = [key for key in first.given if key not in self.parameters]
        of_x = [key for key in others if is_x(key, first)][:1]
        self.intermediates = Intermediates(
            [key for key in others if key not in of_x], self.records, self.cases
        )
        self.others = [*self.intermediates.nodes, *of_x]
        self.names = [*self.parameters, *self.others]
        left = [key for key in self.returned if key not in self.names]
        if left:
            how = (
                "no tensor on the way to the loss has such a name and shape in the graph"
                if self.records
                else "give graph=, with tensors of such names"
            )
            are = "is" if len(left) == 1 else "are"
            self.diagnosis.blind_spots.append(f"{', '.join(left)} {are} not checked: {how}")

    def _compare(self) -> None:
        """Find the gradients that are not the slopes of the loss."""
        missing = {n for n in self.names if any(n not in case.given for case in self.cases)}
        self._measure_slopes([name for name in self.names if name not in missing])
        for name in self.names:
            if name in missing:
                returned = ", ".join(self.returned) or "nothing"
                cause = f"bprop does not return it; it returns {returned}"
                self.diagnosis.verdicts[name] = Verdict("wrong", (cause,))
                continue
            off = [case for case in self.cases if not case.agrees(name)]
            if not off and self._is_half(name):
                self.diagnosis.verdicts[name] = Verdict("wrong", (HALF_PRECISION,))
            elif not off or (
                name in self.intermediates.nodes and self.intermediates.is_value(name)
            ):
                self.diagnosis.verdicts[name] = Verdict("right")
            else:
                self.diagnosis.verdicts[name] = Verdict("wrong")
                self.off[name] = off
        for name in [name for name in self.intermediates.nodes if name in self.off]:
            why = self.intermediates.made_good(name, self.wrong())
            if why:
                self.diagnosis.verdicts[name] = Verdict("right", (why,))
                del self.off[name]

    def _measure_slopes(self, names: Sequence[str]) -> None:
        """Measure problem by problem, as long as there is time, and forget the other problems."""
        done = 0
        try:
            for case in self.cases:
                for name in names:
                    case.agrees(name)
                done += 1
        except OutOfTime:
            if not done:
                raise
        left = [case.problem.label for case in self.cases[done:]] + self.left
        if left:
            self.not_tried(f"not tried: {', '.join(left)}")
        self.cases, self.records = self.cases[:done], self.records[:done]
