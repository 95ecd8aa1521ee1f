"""The one function that diagnoses: measure, compare, and say what fits."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from minigraph.testing.diagnosis.clock import Clock, OutOfTime
from minigraph.testing.diagnosis.conventions import choices_at_kinks
from minigraph.testing.diagnosis.counterexamples import smallest
from minigraph.testing.diagnosis.intermediates import Intermediates, is_x, node_causes
from minigraph.testing.diagnosis.loss_causes import (
    ANOTHER,
    data_part,
    of_the_right_loss,
    penalty_part,
    same_loss,
)
from minigraph.testing.diagnosis.losses import (
    blind_spots,
    common_factor,
    loss_remarks,
    precision_notes,
    what_the_loss_is,
)
from minigraph.testing.diagnosis.matching import matching, misshapen
from minigraph.testing.diagnosis.measuring import Measured, measured_on, unusable_in_part
from minigraph.testing.diagnosis.penalties import Share, penalty_causes, shares
from minigraph.testing.diagnosis.problems import Maker, Problem, usual
from minigraph.testing.diagnosis.repeats import repeated_forwards
from minigraph.testing.diagnosis.rules import DATA, Change, Record
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
    budget: float = 20.0,
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
        ``bprop(params, x, y, lam) -> {name: gradient}``. Other keys are checked where that can be
        told: ``x`` (or ``grad_x``, ``dx``) is the gradient of the input, and, with `graph`, the
        name of a tensor in it, with or without ``grad_``, ``d_``, ``d`` or ``∂`` before it, is
        that of the tensor.
    params : dict of array, or callable
        Or a function ``(sizes, rng) -> dict``: then other sizes are tried too. `sizes` is a dict
        such as ``{"d": 3, "dh": 5, "m": 4, "K": 6}``; any name may be asked for.
    batch : (x, y), or callable
        A minibatch, or a function ``(sizes, rng) -> (x, y)``.
    penalties : sequence of float, optional
        As many numbers as `lam` has; for four these are called λ11, λ12, λ21, λ22.
    graph : callable, optional
        ``graph(params, x, y, lam) -> Tensor``: the loss as it should be, built in minigraph. Then
        each rule of the backward pass is changed in turn, alone and in pairs, to find the wrong
        one; and a wrong loss is told from wrong gradients.
    axis : {"rows", "columns"}, optional
        How the examples lie; by default this is found out, or guessed and said.
    seed : int
        Decides the problems.
    budget : float
        Seconds, after which the search stops; what was not tried is then among the
        `Diagnosis.blind_spots`. A terminal shows after two seconds what is being done.

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
    clock = Clock(budget)
    subject = Subject(fprop, bprop, clock)
    maker = Maker(params, batch, len(penalties or ()), axis, seed)
    with subject.quiet(), clock.showing():
        maker.settle(subject.works)
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
        self.subject, self.maker, self.graph = subject, maker, graph
        self.clock = subject.clock
        self.diagnosis = Diagnosis()
        self.parameters = list(maker.problem("").params)
        try:
            self.cases = self._measured(list(usual(maker)))
            self.records = self._recorded()
            self._find_what_to_compare()
            self._compare()
            if not self._blame_the_loss():
                self._say_why()
            self.clock.is_limited = False  # what is left to do is short
            first = self.cases[0].problem
            self.diagnosis.remarks += loss_remarks(subject, first)
            self.diagnosis.remarks += conduct(subject, first, self.cases[-1].problem)
        except (Unusable, OutOfTime) as error:
            if isinstance(error, OutOfTime):
                self._not_tried("even the first problem was too much: give smaller sizes")
            else:
                self.diagnosis.remarks.append(str(error))
            for name in self.parameters:
                self.diagnosis.verdicts.setdefault(name, Verdict("cannot tell"))
            return
        loss = what_the_loss_is(subject, self.cases[0])
        self.diagnosis.notes += [
            loss + common_factor(loss, self.off_by, self.parameters),
            *precision_notes(self.cases[0]),
            *choices_at_kinks(subject, maker),
            *repeated_forwards(subject, first),
            *maker.notes(),
        ]
        self.diagnosis.blind_spots += blind_spots(maker, self.cases)

    def _not_tried(self, what: str) -> None:
        self.diagnosis.blind_spots.append(
            f"{what}; the time was up after {self.clock.budget:g} s (budget= gives more)"
        )

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
        self.off: dict[str, list[Measured]] = {}
        self.off_by: dict[str, tuple[str, ...]] = {}
        for name in self.names:
            if name in missing:
                returned = ", ".join(self.returned) or "nothing"
                cause = f"bprop does not return it; it returns {returned}"
                self.diagnosis.verdicts[name] = Verdict("wrong", (cause,))
                continue
            off = [case for case in self.cases if not case.agrees(name)]
            if not off or (name in self.intermediates.nodes and self.intermediates.is_value(name)):
                self.diagnosis.verdicts[name] = Verdict("right")
            else:
                self.diagnosis.verdicts[name] = Verdict("wrong")
                self.off[name] = off
        for name in [name for name in self.intermediates.nodes if name in self.off]:
            why = self.intermediates.made_good(name, self._wrong())
            if why:
                self.diagnosis.verdicts[name] = Verdict("right", (why,))
                del self.off[name]

    def _wrong(self) -> dict[str, Verdict]:
        """Give the verdicts of all that is wrong."""
        return {n: v for n, v in self.diagnosis.verdicts.items() if v.status == "wrong"}

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
            self._not_tried(f"not tried: {', '.join(left)}")
        self.cases, self.records = self.cases[:done], self.records[:done]

    def _blame_the_loss(self) -> bool:
        """See whether it is the loss that is wrong: the gradients are those of the graph."""
        asked = [name for name in self.parameters if name in self.cases[0].given]
        if self.records and all(
            of_the_right_loss(name, self.records, self.cases) for name in asked
        ):
            wrong = [name for name in self.parameters if name in self.off]
            if wrong:
                self._say_what_is_wrong_with_the_loss(wrong)
            return bool(wrong)
        for record, case in zip(self.records, self.cases):
            if not any(case.problem.lam) and not same_loss(record, case):
                self.diagnosis.remarks.append(
                    f"the graph gives {record.loss.item():.6g} where fprop gives {case.loss:.6g} "
                    f"({case.problem.label}): it is another loss, and was not used"
                )
                self._forget_graph()
                break
        return False

    def _say_what_is_wrong_with_the_loss(self, wrong: Sequence[str]) -> None:
        try:
            causes = data_part(self.subject, self.maker, self.graph)
            causes += penalty_part(self._shares())
        except OutOfTime:
            causes = []
            self._not_tried("not tried: what is wrong with the loss")
        plain = [case for case in self.cases if not any(case.problem.lam)]
        for name in self.off:
            if name in wrong:
                why = "it is not the slope of fprop, but that of the right loss"
                verdict = Verdict("right", (why,))
            elif name in self.intermediates.nodes:
                verdict = Verdict("wrong", tuple(node_causes(name, plain)))
            else:
                verdict = Verdict("cannot tell", ("it is not the slope of fprop, which is wrong",))
            self.diagnosis.verdicts[name] = verdict
        of_loss = Verdict("wrong", tuple(causes or (ANOTHER,)))
        self.diagnosis.verdicts = {"fprop": of_loss, **self.diagnosis.verdicts}
        for record, case in zip(self.records, self.cases):
            if not same_loss(record, case):
                self.diagnosis.evidence.append(
                    f"fprop: given {case.loss:.6g}, the graph {record.loss.item():.6g} "
                    f"({case.problem.label})"
                )
                break

    def _forget_graph(self) -> None:
        """Take back what was said by a graph of another loss."""
        self.records, self.diagnosis.graph = [], None
        for key in self.intermediates.nodes:
            self.off.pop(key, None)
            self.diagnosis.verdicts.pop(key)
            self.diagnosis.blind_spots.append(f"{key} is not checked: the graph is of another loss")
        self.intermediates.nodes = {}

    def _shares(self) -> list[dict[str, Share]]:
        """Measure what each penalty adds to the gradients."""
        lam = self.maker.lambdas()
        base = replace(self.cases[0].problem, lam=(0.0,) * len(lam), label="no penalties")
        return shares(self.subject, base, lam) if lam else []

    def _say_why(self) -> None:
        plain = [case for case in self.cases if not any(case.problem.lam)]
        causes: dict[str, list[str]] = {name: [] for name in self.off}
        for name, off in self.off.items():
            self._show(name, off[0])
        self.clock.doing = "looking for causes"
        try:
            self._look_at_data(causes, plain)
            self._look_at_penalties(causes)
            if self.records and self.off:
                self.clock.doing = "changing rules of the graph"
                self._look_at_rules(causes)
        except OutOfTime:
            self._not_tried("not all known causes were tried")
        for name, found in causes.items():
            self.diagnosis.verdicts[name] = Verdict("wrong", tuple(dict.fromkeys(found)))
        if self.off:
            self.diagnosis.notes += self.intermediates.first_wrong(self._wrong())
            self.clock.doing = "looking for the smallest example"
            self.diagnosis.counterexample = smallest(
                self.subject, self.maker, self.cases, list(self.off)
            )

    def _look_at_data(self, causes: dict[str, list[str]], plain: list[Measured]) -> None:
        for name, off in self.off.items():
            if any(case in plain for case in off):
                found = node_causes if name in self.others else data_causes
                causes[name] += found(name, plain)
        self.off_by = {name: tuple(words) for name, words in causes.items()}
        self._share_weights({n: c for n, c in causes.items() if n in self.parameters}, plain)

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
        named = [name for name in causes if name in self.parameters]
        if self.cases[0].is_coarse:  # then they are below its rounding
            return
        found, first = self._shares() if named else [], self.cases[0].problem
        for name in named:
            if found and all(name in of_each for of_each in found):
                causes[name] += penalty_causes(name, found, first.params, first.K)

    def _look_at_rules(self, causes: dict[str, list[str]]) -> None:
        penalised = [record for record in self.records if any(record.problem.lam)]
        for name in self.off:
            if name in self.parameters:
                text = (penalised or self.records)[0].right_formula(name)
                self.diagnosis.expected[name] = (text, self.diagnosis.expected[name][1])
        self._search(causes)
        followed = self.intermediates.follow(list(self.off)) if self.intermediates.nodes else {}
        for name, key in followed.items():
            if not causes[name]:
                causes[name].append(f"it is right for the {key} that was given")

    def _search(self, causes: dict[str, list[str]]) -> None:
        """Look for rules that explain, changed, what is not explained yet."""
        pairs = [p for p in zip(self.records, self.cases) if not any(p[1].problem.lam)]
        of_parameters = {n: found for n, found in causes.items() if n in self.parameters}
        unexplained = [n for n, found in of_parameters.items() if all(map(_is_general, found))]
        if not unexplained or not pairs:
            return
        records, cases = map(list, zip(*pairs))
        leave = frozenset(self.parameters) - cases[0].given.keys()
        shapes = {n: v.shape for n, v in cases[0].problem.params.items()}
        misshaped = {n for n in of_parameters if cases[0].given[n].shape != shapes[n]}
        leave |= misshaped
        explained = frozenset(name for name in of_parameters if name not in unexplained)
        with np.errstate(all="ignore"):  # what is wrong may also overflow
            found = matching(records, cases, leave, self.clock.is_up)
            if not found and explained:
                found = matching(records, cases, leave | explained, self.clock.is_up)
            for name in misshaped.intersection(unexplained):
                found += misshapen(records, cases, name)
            for changes in found:
                self._blame(records[0], changes, causes, unexplained)
        self.clock.check()

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
            words = record.describe(change)
            if change.node != DATA:
                self.diagnosis.marks.append((change.node, change.slot, words))
            for name in unexplained:
                if name in reached:
                    general = [i for i, words in enumerate(causes[name]) if _is_general(words)]
                    at = general[0] if general else len(causes[name])  # what says more comes first
                    causes[name].insert(at, words)
        explained = self.intermediates.explained_by(changes, record)
        for key, its_changes in explained.items():
            if key in self.off:
                causes[key] += [record.describe(change) for change in its_changes]


def _is_general(words: str) -> bool:
    return words.startswith(GENERAL)
