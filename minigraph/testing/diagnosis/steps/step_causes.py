"""Why a parameter's step is wrong: each cause is a claim that must hold on every problem."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from minigraph.testing.diagnosis.causes.penalties import described
from minigraph.testing.diagnosis.causes.signatures import example_causes, factor, factor_in_words
from minigraph.testing.diagnosis.measuring import Measured, close
from minigraph.testing.diagnosis.steps.rates import part_of_the_batch
from minigraph.testing.diagnosis.steps.taking import StepSubject

__all__ = ["step_causes"]


def step_causes(
    name: str, names: Sequence[str], subject: StepSubject, plain: Sequence[Measured]
) -> list[str]:
    """Name what is wrong with a parameter's step without penalties."""
    why = _Why(names, subject, plain)
    for family in (why.form, why.size, why.batch, why.order, why.examples):
        found = list(family(name))
        if found:
            return found
    return []


class _Why:
    def __init__(
        self, names: Sequence[str], subject: StepSubject, plain: Sequence[Measured]
    ) -> None:
        self.names, self.subject, self.plain = names, subject, plain

    def form(self, name: str) -> Iterator[str]:
        """Look at shapes, and for numbers that are none."""
        for case in self.plain:
            new, old = case.given[name], case.problem.params[name]
            if new.shape != old.shape:
                yield (
                    f"its shape is {list(new.shape)} after the step, and was {list(old.shape)}: "
                    "the gradient has another shape, and NumPy broadcasts the difference"
                )
                return
            if not np.isfinite(new).all():
                yield "it is not finite after the step, though the loss was finite before"
                return

    def size(self, name: str) -> Iterator[str]:
        if not any(case.given[name].any() for case in self.plain):
            yield "it is not updated"
            return
        told = [(factor(c.given[name], c.slope(name)), c) for c in self.plain]
        if any(f is None and np.any(c.slope(name)) for f, c in told):
            return
        factors = np.array([f for f, _ in told if f is not None])
        problems = [c.problem for f, c in told if f is not None]
        K = np.array([problem.K for problem in problems])
        if not factors.size:
            return
        if np.allclose(factors, -1.0, rtol=1e-5):
            yield "it steps uphill: the gradient is added where it should be subtracted"
        elif any(np.allclose(f, f[0], rtol=1e-5) for f in (factors, factors / K, factors * K)):
            yield "its step is " + factor_in_words(factors, problems).removeprefix("it is ")

    def batch(self, name: str) -> Iterator[str]:
        """Tell whether the step depends on the minibatch at all."""
        first = self.plain[0].problem
        for case in self.plain[1:]:
            x, y = case.problem.x, case.problem.y
            if x.shape == first.x.shape and y.shape == first.y.shape:
                other = replace(first, x=x, y=y)
                if close(self.subject.gradients(first)[name], self.subject.gradients(other)[name]):
                    yield (
                        "its step does not depend on x and y: another minibatch is used than "
                        "the one that was given"
                    )
                return

    def order(self, name: str) -> Iterator[str]:
        """Tell whether other parameters had been updated when its gradient was computed."""
        others = [n for n in self.names if n != name]
        sets = [s for k in range(1, len(others) + 1) for s in combinations(others, k)]
        if len(others) > 4:
            sets = [s for s in sets if len(s) in (1, len(others))]
        for moved in sets:
            if all(self._fits_after(name, moved, case) for case in self.plain):
                are = "was" if len(moved) == 1 else "were"
                yield (
                    f"its gradient is computed after {', '.join(moved)} {are} updated: compute "
                    "all gradients first, then take the step"
                )
                return

    def _fits_after(self, name: str, moved: tuple[str, ...], case: Measured) -> bool:
        new = dict(case.problem.params)
        for n in moved:
            if n not in case.given or case.given[n].shape != new[n].shape:
                return False
            new[n] = new[n] - self.subject.eta * case.given[n]
        after = case.slope(name, replace(case.problem, params=new), ("after", moved))
        return close(case.given[name], after, case.error(name))

    def examples(self, name: str) -> Iterator[str]:
        """Tell whether it is the gradient of a part of the minibatch; or has a term of its own."""
        part = part_of_the_batch(self.names, self.plain) or part_of_the_batch([name], self.plain)
        if part:
            yield part
            return
        terms = {_term(name, case) for case in self.plain}
        term = terms.pop()
        if not terms and term not in (None, "0"):
            yield f"the step has the term {term}, which is not in the loss"
            return
        many = [case for case in self.plain if case.given[name].size > case.problem.K + 1]
        for words in example_causes(name, many):
            yield words.split(":")[0]


def _term(name: str, case: Measured) -> str | None:
    """Write what a step has besides the slope, as a formula of the parameter."""
    return described(case.given[name] - case.slope(name), {name: case.problem.params[name]})
