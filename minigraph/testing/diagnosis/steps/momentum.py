"""The velocity that a training step keeps, inferred from steps that are taken again and again.

With velocity v ← μ v + g, and a step of η (α g + β v), a step d that is taken again with the same
gradient becomes μ d + e, where e is a multiple of g. So μ is found first, whatever g is; e stands
for the gradient in all that follows; and α, β are found from the step after a change of g.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise, permutations
from typing import NamedTuple

import numpy as np

from minigraph.arrays import Array
from minigraph.testing.diagnosis.causes.signatures import factor
from minigraph.testing.diagnosis.measuring import close
from minigraph.testing.diagnosis.problems import Problem
from minigraph.testing.diagnosis.steps.taking import StepSubject

__all__ = ["find_momentum", "momentum_causes", "momentum_in_words"]

USUAL = (0.9, 0.5, 0.8, 0.95, 0.99)  # that are tried where the gradient is taken ahead
NESTEROV = 1.0  # the share of the gradient itself; with the velocity alone it is 0
MANY = 4  # steps in a row


def find_momentum(
    subject: StepSubject, names: Sequence[str], problem: Problem, other: Problem
) -> None:
    """Give `subject` the μ of each parameter that has a velocity, and how it is used."""
    for ahead in (0.0, *USUAL):
        subject.taken(other)
        steps = [subject.taken(problem)]
        while len(steps) < MANY:
            steps.append(subject.taken(subject.ahead_of(problem, steps[-1], ahead)))
        found = {n: mu for n in names if (mu := _factor(n, problem, steps)) is not None}
        if ahead:  # all must fit it
            found = {n: mu for n, mu in found.items() if abs(mu - ahead) < 1e-5}
        if found:
            subject.momentum, subject.ahead = found, ahead
            subject.without = {n for n in names if _is_constant(n, problem, steps)}
            break
        if not any(np.any(steps[1][n] != steps[0][n]) for n in names if _usable(n, problem, steps)):
            return  # it keeps nothing
    if not subject.ahead:
        _find_form(subject, problem, other)


def _usable(name: str, problem: Problem, steps: Sequence[dict[str, Array]]) -> bool:
    shape = problem.params[name].shape
    return all(
        name in step and step[name].shape == shape and np.isfinite(step[name]).all()
        for step in steps
    )


def _is_constant(name: str, problem: Problem, steps: Sequence[dict[str, Array]]) -> bool:
    """Tell that a parameter has no velocity; one that does not move may have."""
    if not _usable(name, problem, steps) or not steps[0][name].any():
        return False
    return all(np.array_equal(step[name], steps[0][name]) for step in steps)


def _factor(name: str, problem: Problem, steps: Sequence[dict[str, Array]]) -> float | None:
    """Give μ, by which what a step differs from the one before shrinks each time."""
    if not _usable(name, problem, steps):
        return None
    taken = [step[name] for step in steps]
    change = [b - a for a, b in pairwise(taken)]
    factors = [factor(b, a) for a, b in pairwise(change)]
    mu = factors[0]
    if mu is None or abs(mu) < 1e-6 or any(f is None or abs(f - mu) > 1e-5 for f in factors):
        return None
    if close(taken[1], mu * taken[0]):  # nothing but the step before: the rate shrinks
        return None
    return mu


def _find_form(subject: StepSubject, problem: Problem, other: Problem) -> None:
    """Tell from the first step after another gradient how the velocity is used."""
    steps = [subject.taken(p) for p in (problem, problem, other, other)]
    subject.momentum = {n: mu for n, mu in subject.momentum.items() if _usable(n, problem, steps)}
    seen = {
        name: _Change.of([step[name] for step in steps], mu)
        for name, mu in subject.momentum.items()
    }
    for one, two in permutations(seen, 2):
        if seen[one].is_pushed_by(seen[two]):
            subject.shared |= {one: two, two: one}
    for name, change in seen.items():
        share = 0.0 if name in subject.shared else change.share()
        if share is None:  # something else is kept
            del subject.momentum[name]
        else:
            subject.share[name] = share


class _Change(NamedTuple):
    """A parameter's e before and after the gradient changes, and what is left of that step."""

    mu: float
    before: Array
    after: Array
    rest: Array
    size: float

    @classmethod
    def of(cls, steps: Sequence[Array], mu: float) -> "_Change":
        before, after = steps[1] - mu * steps[0], steps[3] - mu * steps[2]
        rest = steps[2] - mu * steps[1] - after
        return cls(mu, before, after, rest, float(np.abs(steps[2]).max(initial=0.0)))

    def share(self) -> float | None:
        """Give how much of the gradient itself is in a step, if what is left is a share of it."""
        if np.all(np.abs(self.rest) <= 1e-7 * self.size):
            return 0.0
        return factor(self.rest, self.mu * (self.after - self.before))

    def is_pushed_by(self, other: "_Change") -> bool:
        """Tell whether the velocity is another parameter's too, which is updated after this one.

        Their μ here is m², that of two updates; e is g + m times the other's g, for both.
        """
        if self.rest.shape != other.rest.shape or abs(self.mu - other.mu) > 1e-5:
            return False
        if not 0 < self.mu < 1 - 1e-6:
            return False
        m = np.sqrt(self.mu)
        mine, its = self.before - self.after, other.before - other.after
        pushed = m * (its - m * mine) / (1 - m * m)
        return bool(np.any(pushed)) and close(self.rest, pushed, 1e-7 * self.size)


def momentum_in_words(subject: StepSubject) -> list[str]:
    """Say what was inferred."""
    if not subject.momentum:
        return []
    mu = _usual(subject)
    words = f"momentum μ = {mu:.6g}: the velocity is v = μ v + gradient; if it is the mean "
    words += f"v = μ v + (1 - μ) gradient, η is {subject.eta / (1 - mu):.6g}" if mu != 1 else ""
    words = words.removesuffix("; if it is the mean ")
    if subject.ahead:
        return [words, "the gradient is taken ahead, at θ - μ times the step before (Nesterov's)"]
    if all(np.isclose(share, NESTEROV, atol=1e-4) for share in subject.share.values()):
        return [words, "the step is η (gradient + μ v), Nesterov's"]
    return [words]


def _usual(subject: StepSubject) -> float:
    """Give the μ of most parameters; two that share a velocity come back after μ²."""
    found = {n: np.sqrt(mu) if n in subject.shared else mu for n, mu in subject.momentum.items()}
    rounded = [round(float(mu), 6) for mu in found.values()]
    return max(rounded, key=rounded.count)


def momentum_causes(name: str, subject: StepSubject) -> Iterator[str]:
    """Name what is wrong with a parameter's velocity, though its gradient may be right."""
    if not subject.momentum:
        return
    usual, mu = _usual(subject), subject.momentum.get(name)
    if name in subject.shared:
        yield (
            f"its velocity is that of {subject.shared[name]} too, so that each is pushed by the "
            f"other's gradients (μ = {usual:.4g}): keep a velocity for each parameter"
        )
        return
    if mu is None:
        if name in subject.without:
            others = ", ".join(subject.momentum)
            yield f"it has no momentum, where {others} have μ = {usual:.4g}"
        return
    if abs(mu - 1) < 1e-6:
        yield (
            "its velocity never fades (μ = 1): all gradients so far are added up; multiply it by a "
            "μ below 1"
        )
    elif mu > 1 or mu < 0:
        yield f"its momentum is μ = {mu:.4g}, where it should be between 0 and 1"
    elif abs(mu - usual) > 1e-5:
        yield f"its momentum is μ = {mu:.4g}, where most have {usual:.4g}"
    share = subject.share.get(name, 0.0)
    if np.isclose(mu * share, -1, atol=1e-4):
        yield "its step is taken with the velocity of the call before: update it first, then use it"
    elif not np.isclose(share, (0.0, NESTEROV), atol=1e-4).any():
        of_v = (1 - share * (1 - mu)) / share
        yield (
            f"its step is η (gradient + {of_v:.4g} v); with momentum it is η v, and Nesterov's is "
            f"η (gradient + {mu:.4g} v)"
        )
