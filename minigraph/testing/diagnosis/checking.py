"""The one function that diagnoses: measure, compare, and say what fits."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from minigraph.testing.diagnosis.conventions import choices_at_kinks
from minigraph.testing.diagnosis.counterexamples import smallest
from minigraph.testing.diagnosis.losses import blind_spots, loss_remarks, what_the_loss_is
from minigraph.testing.diagnosis.matching import matching, misshapen
from minigraph.testing.diagnosis.measuring import Measured, measured_on, unusable_in_part
from minigraph.testing.diagnosis.penalties import penalty_causes, shares
from minigraph.testing.diagnosis.problems import Maker, Problem, usual
from minigraph.testing.diagnosis.repeats import repeated_forwards
from minigraph.testing.diagnosis.rules import Change, Record
from minigraph.testing.diagnosis.signatures import (
    LEFT_OUT,
    MISSHAPEN,
    WEIGHTED,
    data_causes,
    example_causes,
    example_weights,
    few,
)
from minigraph.testing.diagnosis.subject import Subject, Unusable, conduct
from minigraph.testing.diagnosis.verdicts import BackpropError, Diagnosis, Verdict, worst

__all__ = ["assert_bprop", "check_bprop"]

GENERAL = (LEFT_OUT, WEIGHTED, MISSHAPEN)  # causes that a rule may explain better


def check_bprop(
    fprop: Callable[..., Any],
    bprop: Callable[..., Any],
    params: Any,
    batch: Any,
    *,
    penalties: Sequence[float] | None = None,
    graph: Callable[..., Any] | None = None,
    axis: str | None = None,
    seed: int = 0,
) -> Diagnosis:
    """Say which gradients of a hand-written backward pass are wrong, and why.

    The gradients are compared with slopes of the hand-written loss itself, measured by differences,
    on several small problems: with other sizes, other numbers of examples, each penalty switched on
    alone, zeros among the weights. A cause is named only if it gives just what `bprop` gave, on all
    of them; if several do, all are named, and if none does, that is said.

    Parameters
    ----------
    fprop : callable
        ``fprop(params, x, y, lam) -> loss`` in NumPy; `lam` may be left out.
    bprop : callable
        ``bprop(params, x, y, lam) -> {name: gradient}``.
    params : dict of array, or callable
        Or a function ``(sizes, rng) -> dict``: then other sizes are tried too. `sizes` is a dict
        such as ``{"d": 3, "dh": 5, "m": 4, "K": 6}``; any name may be asked for.
    batch : (x, y), or callable
        A minibatch, or a function ``(sizes, rng) -> (x, y)``.
    penalties : sequence of float, optional
        As many numbers as `lam` has; for four these are called λ11, λ12, λ21, λ22.
    graph : callable, optional
        ``graph(params, x, y, lam) -> Tensor``: the same loss built in minigraph. Then each rule of
        the backward pass is changed in turn, alone and in pairs, to find the wrong one.
    axis : {"rows", "columns"}, optional
        How the examples lie; by default this is found out, or guessed and said.
    seed : int
        Decides the problems.

    Returns
    -------
    Diagnosis
        ``print`` shows it.

    Raises
    ------
    TypeError, ValueError
        If `params` or `batch` are not of these forms. What the two functions do wrong is never
        raised: it is part of the diagnosis.

    Examples
    --------
    >>> import numpy as np
    >>> from minigraph.testing import check_bprop
    >>> def fprop(p, x, y):
    ...     return np.mean((x @ p["w"] - y) ** 2)
    >>> def bprop(p, x, y):
    ...     return {"w": 2 * x.T @ (x @ p["w"] - y)}
    >>> print(check_bprop(
    ...     fprop, bprop,
    ...     params=lambda sizes, rng: {"w": rng.normal(size=sizes["d"])},
    ...     batch=lambda s, rng: (rng.normal(size=(s["K"], s["d"])), rng.normal(size=s["K"])),
    ... ))  # doctest: +ELLIPSIS
    bprop: w is wrong
    w  wrong  it is K times the right one: the division by the number of examples K is missing
    ...
    """
    subject = Subject(fprop, bprop)
    maker = Maker(params, batch, len(penalties or ()), axis, seed)
    with subject.quiet():
        return _Check(subject, maker, graph).diagnosis


def assert_bprop(*args: Any, **options: Any) -> None:
    """Raise `BackpropError`, with the diagnosis, if `check_bprop` finds a mistake.

    Parameters
    ----------
    *args, **options
        Those of `check_bprop`.

    Raises
    ------
    BackpropError
        An AssertionError; its message is the diagnosis, which is its attribute too.
    """
    diagnosis = check_bprop(*args, **options)
    if not diagnosis.ok:
        raise BackpropError(diagnosis)


class _Check:
    def __init__(self, subject: Subject, maker: Maker, graph: Any) -> None:
        self.subject, self.maker = subject, maker
        self.diagnosis = Diagnosis()
        problems = list(usual(maker))
        self.names = list(problems[0].params)
        try:
            self.cases = self._measured(problems)
            self._compare()
            self._say_why(graph)
            first = self.cases[0].problem
            self.diagnosis.remarks += loss_remarks(subject, first)
            self.diagnosis.remarks += conduct(subject, first, self.cases[-1].problem)
        except Unusable as error:
            self.diagnosis.remarks.append(str(error))
            for name in self.names:
                self.diagnosis.verdicts.setdefault(name, Verdict("cannot tell"))
            return
        self.diagnosis.notes = [
            what_the_loss_is(subject, self.cases[0]),
            *choices_at_kinks(subject, maker),
            *repeated_forwards(subject, self.cases[0].problem),
            *maker.notes(),
        ]
        self.diagnosis.blind_spots = blind_spots(maker, self.cases)

    def _measured(self, problems: Sequence[Problem]) -> list[Measured]:
        """Measure on all problems that the functions can be called with."""
        found, failed = measured_on(self.subject, problems)
        if not found:
            raise failed[0]
        self.diagnosis.remarks += unusable_in_part(failed, found)
        return found

    def _compare(self) -> None:
        """Find the gradients that are not the slopes of the loss."""
        self.off: dict[str, list[Measured]] = {}
        for name in self.names:
            if any(name not in case.given for case in self.cases):
                returned = ", ".join(self.cases[0].given) or "nothing"
                cause = f"bprop does not return it; it returns {returned}"
                self.diagnosis.verdicts[name] = Verdict("wrong", (cause,))
                continue
            off = [case for case in self.cases if not case.agrees(name)]
            self.diagnosis.verdicts[name] = Verdict("wrong" if off else "right")
            if off:
                self.off[name] = off

    def _say_why(self, graph: Any) -> None:
        plain = [case for case in self.cases if not any(case.problem.lam)]
        causes: dict[str, list[str]] = {}
        for name, off in self.off.items():
            in_data = any(case in plain for case in off)
            causes[name] = data_causes(name, plain) if in_data else []
            self._show(name, off[0])
        self._share_weights(causes, plain)
        self._look_at_penalties(causes)
        unexplained = [name for name, found in causes.items() if all(map(_is_general, found))]
        if graph is not None and self.off:
            self._look_at_rules(graph, causes, unexplained)
        for name, found in causes.items():
            self.diagnosis.verdicts[name] = Verdict("wrong", tuple(dict.fromkeys(found)))
        if self.off:
            self.diagnosis.counterexample = smallest(self.subject, self.maker, self.cases)

    def _share_weights(self, causes: dict[str, list[str]], plain: list[Measured]) -> None:
        """See whether weights of the examples that explain one gradient explain others too."""
        cases = few(plain)
        for found in [name for name, words in causes.items() if words]:
            weighed = example_weights(found, cases)
            if not list(example_causes(found, cases, weighed)):
                continue
            for name in [name for name, words in causes.items() if not words]:
                causes[name] += example_causes(name, cases, weighed)

    def _show(self, name: str, case: Measured) -> None:
        right = case.slope(name)
        self.diagnosis.evidence.append(worst(case.given[name], right, name, case.problem.label))
        self.diagnosis.expected[name] = ("", right)

    def _look_at_penalties(self, causes: dict[str, list[str]]) -> None:
        lam = self.maker.lambdas()
        if not lam or not causes:
            return
        base = replace(self.cases[0].problem, lam=(0.0,) * len(lam), label="no penalties")
        found = shares(self.subject, base, lam)
        for name in causes:
            if all(name in of_each for of_each in found):
                causes[name] += penalty_causes(name, found, base.params, base.K)

    def _look_at_rules(
        self, graph: Any, causes: dict[str, list[str]], unexplained: list[str]
    ) -> None:
        cases = [case for case in self.cases if not any(case.problem.lam)]
        penalised = [case for case in self.cases if any(case.problem.lam)]
        try:
            records = [Record(graph, case.problem) for case in cases]
            whole = Record(graph, (penalised or cases)[0].problem)
        except Exception as error:  # the user's
            self.diagnosis.remarks.append(
                f"graph raises {type(error).__name__}: {error}; it was not used"
            )
            return
        for record, case in zip(records, cases):
            if not np.isclose(record.loss.item(), case.loss, rtol=1e-9):
                self.diagnosis.remarks.append(
                    f"the graph gives {record.loss.item():.6g} where fprop gives {case.loss:.6g} "
                    f"({case.problem.label}): it is another loss, and was not used"
                )
                return
        for name in self.off:
            text = whole.right_formula(name)
            self.diagnosis.expected[name] = (text, self.diagnosis.expected[name][1])
        if not unexplained or not records:
            return
        misshaped = [
            name
            for name, value in cases[0].problem.params.items()
            if name in cases[0].given and cases[0].given[name].shape != value.shape
        ]
        leave = frozenset(self.names) - cases[0].given.keys() | frozenset(misshaped)
        explained = frozenset(name for name in causes if name not in unexplained)
        with np.errstate(all="ignore"):  # what is wrong may also overflow
            found = matching(records, cases, leave)
            if not found and explained:
                found = matching(records, cases, leave | explained)
            for name in set(misshaped).intersection(unexplained):
                found += misshapen(records, cases, name)
        for changes in found:
            self._blame(records[0], changes, causes, unexplained)

    def _blame(
        self,
        record: Record,
        changes: tuple[Change, ...],
        causes: dict[str, list[str]],
        unexplained: list[str],
    ) -> None:
        """Write a changed rule to the parameters that it reaches."""
        for change in changes:
            reached = record.reached_by(change)
            for name in unexplained:
                if name in reached:
                    general = [i for i, words in enumerate(causes[name]) if _is_general(words)]
                    at = general[0] if general else len(causes[name])  # what says more comes first
                    causes[name].insert(at, record.describe(change))


def _is_general(words: str) -> bool:
    return words.startswith(GENERAL)
