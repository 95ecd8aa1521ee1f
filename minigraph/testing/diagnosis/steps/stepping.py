"""What is wrong with a training step written by hand: its gradient, its size, its side effects."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from minigraph.testing.diagnosis.causes.losses import blind_spots, what_the_loss_is
from minigraph.testing.diagnosis.causes.penalties import penalty_causes, shares
from minigraph.testing.diagnosis.measuring import Measured, close, measured_on, unusable_in_part
from minigraph.testing.diagnosis.problems import Maker, Problem, usual
from minigraph.testing.diagnosis.steps.momentum import (
    find_momentum,
    momentum_causes,
    momentum_in_words,
)
from minigraph.testing.diagnosis.steps.rates import learning_rate
from minigraph.testing.diagnosis.steps.step_causes import step_causes
from minigraph.testing.diagnosis.steps.taking import StepSubject, conduct_of_step, same
from minigraph.testing.diagnosis.subject import Unusable
from minigraph.testing.diagnosis.verdicts import Diagnosis, Verdict, worst

__all__ = ["check_step"]


def check_step(
    step: Callable[..., Any],
    fprop: Callable[..., Any],
    params: Any,
    batch: Any,
    *,
    penalties: Sequence[float] | None = None,
    axis: str | None = None,
    seed: int = 0,
) -> Diagnosis:
    """Say which parameters a hand-written training step updates wrongly, and why.

    The learning rate η is inferred: one for all parameters and problems. Then (θ - θ')/η is the
    gradient that was used, and is compared with slopes of the hand-written loss, as `check_bprop`
    does. A cause is named only if it gives just what `step` gave, on all problems.

    Parameters
    ----------
    step : callable
        ``step(params, x, y, lam) -> {name: new value}``, one step of gradient descent; `lam` may be
        left out. It may return None if it changes `params` in place. With momentum, it keeps the
        velocity itself, from call to call; then μ is inferred too, of Nesterov's forms as well.
    fprop : callable
        ``fprop(params, x, y, lam) -> loss`` in NumPy; `lam` may be left out.
    params, batch, penalties, axis, seed
        As for `check_bprop`.

    Returns
    -------
    Diagnosis
        ``print`` shows it; its notes state η.

    Raises
    ------
    TypeError, ValueError
        If `params` or `batch` are not of these forms. What the two functions do wrong is never
        raised: it is part of the diagnosis.

    Examples
    --------
    >>> import numpy as np
    >>> from minigraph.testing import check_step
    >>> def fprop(p, x, y):
    ...     return np.mean((x @ p["w"] + p["b"] - y) ** 2)
    >>> def step(p, x, y):
    ...     e = 2 * (x @ p["w"] + p["b"] - y)
    ...     return {"w": p["w"] - 0.1 * x.T @ e / len(y), "b": p["b"] + 0.1 * e.mean()}
    >>> print(check_step(
    ...     step, fprop,
    ...     params=lambda sizes, rng: {"w": rng.normal(size=sizes["d"]), "b": rng.normal()},
    ...     batch=lambda s, rng: (rng.normal(size=(s["K"], s["d"])), rng.normal(size=s["K"])),
    ... ))  # doctest: +ELLIPSIS
    step: b is wrong
    w  right
    b  wrong  it steps uphill: the gradient is added where it should be subtracted
    ...
    """
    try:
        maker = Maker(params, batch, len(penalties or ()), axis, seed)
    except (TypeError, ValueError) as error:
        if not str(error).startswith("check_bprop: "):
            raise
        raise type(error)(str(error).replace("check_bprop", "check_step", 1)) from None
    return _Check(StepSubject(fprop, step), maker).diagnosis


class _Check:
    def __init__(self, subject: StepSubject, maker: Maker) -> None:
        self.subject, self.maker = subject, maker
        self.diagnosis = Diagnosis("step")
        problems = list(usual(maker))
        self.names = list(problems[0].params)
        try:
            problems = self._find_momentum(problems)
            self.cases = self._measured(problems)
            self.plain = [case for case in self.cases if not any(case.problem.lam)]
            unsteady = self._unsteady()
            self._divide()
            for name in self.names:
                self._judge(name, unsteady)
            first, last = self.cases[0].problem, self.cases[-1].problem
            self.diagnosis.remarks += conduct_of_step(subject, first, last)
            self.diagnosis.notes += [what_the_loss_is(subject, self.cases[0]), *maker.notes()]
        except Unusable as error:
            self.diagnosis.remarks.append(str(error))
            for name in self.names:
                self.diagnosis.verdicts.setdefault(name, Verdict("cannot tell"))
            return
        if subject.in_place:
            self.diagnosis.notes.append("step returns nothing: params were read as it left them")
        elif subject.same_dict:
            self.diagnosis.notes.append(
                "step returns the dict that it was given: keep a copy of the best parameters"
            )
        self.diagnosis.blind_spots += blind_spots(maker, self.cases)

    def _find_momentum(self, problems: list[Problem]) -> list[Problem]:
        """Look for a velocity; if there is one, leave out problems that it has no shapes for."""
        with contextlib.suppress(Unusable):  # said when it is measured
            find_momentum(self.subject, self.names, *problems[:2])
        if not self.subject.momentum:
            return problems
        fitting = [p for p in problems if _shapes(p) == _shapes(problems[0])]
        if len(fitting) < len(problems):
            self.diagnosis.blind_spots.append(
                "step keeps a velocity for each parameter, so other sizes of these were not tried"
            )
        return fitting

    def _measured(self, problems: Sequence[Problem]) -> list[Measured]:
        found, failed = measured_on(self.subject, problems)
        if not any(not any(case.problem.lam) for case in found):
            raise failed[0]
        self.diagnosis.remarks += unusable_in_part(failed, found)
        return found

    def _unsteady(self) -> set[str]:
        """Find the parameters for which a step is not the same when it is taken again."""
        first, last = self.cases[0].problem, self.cases[-1].problem
        one, two = self.subject.new(first), self.subject.new(first)
        self.subject.new(last)
        three = self.subject.new(first)
        names = [n for n in self.names if n not in self.subject.momentum]
        found = {n for n in names if not same(one, two, n) or not same(one, three, n)}
        if found:
            self.diagnosis.remarks.append(
                f"{', '.join(n for n in self.names if n in found)}: taken again from the same "
                "parameters with the same minibatch, the step is another one: step keeps something "
                "from earlier calls (an old gradient, momentum), or draws at random"
            )
        return found

    def _divide(self) -> None:
        """Infer η, and make gradients of the steps."""
        eta, words = learning_rate(self.names, self.plain)
        self.subject.eta = eta
        for case in self.cases:
            case.given = {name: value / eta for name, value in case.given.items()}
        self.diagnosis.notes += [words, *momentum_in_words(self.subject)]

    def _agrees(self, case: Measured, name: str) -> bool:
        """Compare, and allow for what is lost in θ - θ'."""
        lost = 8 * np.finfo(float).eps * np.abs(case.problem.params[name]) / self.subject.eta
        return close(case.given[name], case.slope(name), case.error(name) + lost)

    def _judge(self, name: str, unsteady: set[str]) -> None:
        if any(name not in case.given for case in self.cases):
            returned = ", ".join(self.cases[0].given) or "none of the parameters"
            verdict = Verdict("wrong", (f"step does not return it; it returns {returned}",))
        elif name in unsteady:
            verdict = Verdict("cannot tell")
        elif self.subject.dtypes[name] != np.float64:
            why = f"it comes back as {self.subject.dtypes[name]}, and was float64: it is rounded"
            verdict = Verdict("cannot tell", (why,))
        elif off := [case for case in self.cases if not self._agrees(case, name)]:
            verdict = Verdict("wrong", tuple(self._causes(name, off)))
            line = worst(off[0].given[name], off[0].slope(name), name, off[0].problem.label)
            self.diagnosis.evidence.append(line.replace(": given", ": (θ - θ')/η is", 1))
            self.diagnosis.expected[name] = ("", off[0].slope(name))
        elif causes := tuple(momentum_causes(name, self.subject)):
            verdict = Verdict("wrong", causes)
        else:
            verdict = Verdict("right")
        self.diagnosis.verdicts[name] = verdict

    def _causes(self, name: str, off: list[Measured]) -> Iterator[str]:
        in_data = any(case in self.plain for case in off)
        if in_data:
            yield from momentum_causes(name, self.subject)
            if name not in self.subject.shared:
                yield from step_causes(name, self.names, self.subject, self.plain)
        lam = self.maker.lambdas()
        if not lam:
            return
        base = replace(self.cases[0].problem, lam=(0.0,) * len(lam), label="no penalties")
        found = shares(self.subject, base, lam)
        if all(name in of_each for of_each in found):
            for words in penalty_causes(name, found, base.params, base.K):
                if not in_data or "not in the gradient" in words or "is ignored" in words:
                    yield words.replace("not in the gradient", "not in the step")


def _shapes(problem: Problem) -> dict[str, tuple[int, ...]]:
    return {name: value.shape for name, value in problem.params.items()}
