"""A user's training step, called with care: what it makes of the parameters, and how it behaves."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from minigraph.arrays import Array
from minigraph.testing.diagnosis.problems import Problem
from minigraph.testing.diagnosis.subject import Subject, Unusable

__all__ = ["StepSubject", "conduct_of_step", "same"]


class _Given(Problem):
    """A problem whose own arrays are handed over, so that it shows what is done to them."""

    def copied(self) -> Problem:
        """Give the problem itself."""
        return self


class StepSubject(Subject):
    """A loss and a training step; what the step takes off, divided by η, stands for bprop.

    Attributes
    ----------
    eta : float
        The learning rate, 1 until it is known.
    in_place : bool
        Whether the step returned nothing, and wrote into its argument.
    same_dict : bool
        Whether the new parameters were in the dict that was given.
    dtypes : dict of str to dtype
        Of the new parameters.
    momentum : dict of str to float
        μ, by parameter that has a velocity.
    without : set of str
        Parameters that have none, where others do.
    share : dict of str to float
        How much of the gradient itself is in a step, besides that in the velocity.
    shared : dict of str to str
        The other parameter that has the same velocity.
    ahead : float
        μ, where the gradient is taken at θ less μ times the step before.
    """

    def __init__(self, fprop: Callable[..., Any], step: Callable[..., Any]) -> None:
        super().__init__(fprop, step)
        self.eta = 1.0
        self.in_place = self.same_dict = False
        self.dtypes: dict[str, np.dtype[Any]] = {}
        self.momentum: dict[str, float] = {}
        self.without: set[str] = set()
        self.share: dict[str, float] = {}
        self.shared: dict[str, str] = {}
        self.ahead = 0.0

    def take(self, problem: Problem) -> tuple[Problem, dict[Any, Any]]:
        """Give the arrays that were handed to the step, as they are now, and the new parameters."""
        handed = problem.copied()
        given = _Given(**{**vars(handed), "params": dict(handed.params)})
        returned = self._call(1, "step", given)
        if returned is None:
            self.in_place = True
            returned = given.params
        if not isinstance(returned, Mapping):
            raise Unusable(
                f"step returns {type(returned).__name__}, where the dict of the new parameters is "
                "needed, or None if those that were given are changed in place"
            )
        self.same_dict = returned is given.params
        try:
            return handed, dict(returned)
        except Exception as error:
            raise Unusable(f"what step returns cannot be read: {error}") from error

    def new(self, problem: Problem) -> dict[str, Array]:
        """Give the new parameters, copied."""
        _, returned = self.take(problem)
        return {name: _numbers(name, returned[name]) for name in problem.params if name in returned}

    def taken(self, problem: Problem) -> dict[str, Array]:
        """Give θ - θ'; where the shape has changed, nothing but the new shape can be told."""
        found = {}
        with np.errstate(all="ignore"):
            for name, value in self.new(problem).items():
                old = problem.params[name]
                self.dtypes[name] = value.dtype
                same_shape = value.shape == old.shape
                found[name] = old - value if same_shape else np.full(value.shape, np.nan)
        return found

    def gradients(self, problem: Problem) -> dict[str, Any]:
        """Give (θ - θ')/η, without what comes from the velocity."""
        before = self.taken(problem) if self.momentum else {}
        found = {}
        with np.errstate(all="ignore"):
            for name, taken in self.taken(self.ahead_of(problem, before, self.ahead)).items():
                mu, last = self.momentum.get(name), before.get(name)
                if mu is not None and last is not None and last.shape == taken.shape:
                    taken = taken - mu * last
                found[name] = taken / self.eta
        return found

    def ahead_of(self, problem: Problem, step: Mapping[str, Array], mu: float) -> Problem:
        """Move the parameters so that, where a step looks ahead, it looks at those of `problem`."""
        if not mu:
            return problem
        moved = {n: np.asarray(v + mu * step.get(n, 0.0)) for n, v in problem.params.items()}
        return replace(problem, params=moved)


def _numbers(name: str, value: Any) -> Array:
    try:
        array = np.array(value)
    except Exception:
        array = np.array(None)
    if array.dtype.kind not in "fiub":
        raise Unusable(f"{name}: step returns {type(value).__name__}, not an array of numbers")
    return array


def same(a: Mapping[str, Array], b: Mapping[str, Array], name: str) -> bool:
    """Tell whether a parameter is the same, bit for bit, in two results."""
    if name not in a or name not in b:
        return (name in a) == (name in b)
    return _equal(a[name], b[name])


def _equal(a: Array, b: Array) -> bool:
    return a.shape == b.shape and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")


def conduct_of_step(subject: StepSubject, problem: Problem, other: Problem) -> list[str]:
    """Look at how a step behaves: what it changes, shares and keeps."""
    old = problem.params
    handed, returned = subject.take(problem)
    new = {n: v for n, v in returned.items() if n in old and isinstance(v, np.ndarray)}
    said = [
        f"step changes its argument {place}: work on a copy"
        for place in ("x", "y")
        if not np.array_equal(getattr(handed, place), getattr(problem, place))
    ]
    if not subject.in_place:
        said += _changed(handed.params, old, new)
    for one, two in combinations(new, 2):
        if np.shares_memory(new[one], new[two]):
            said.append(
                f"{one} and {two} share memory after the step: whatever is written into one is "
                "written into the other too; give each an array of its own"
            )
    kept = {n: v.copy() for n, v in new.items()}
    subject.take(replace(problem, params={n: np.asarray(1.5 * v) for n, v in old.items()}))
    subject.take(other)
    for name, value in new.items():
        if not _equal(value, kept[name]):
            said.append(
                f"{name}: the array that step returned changes at the next call: it is a buffer "
                "that is used again, so the parameters that were kept as the best change too; "
                "return a new one"
            )
    return said


def _changed(
    given: Mapping[str, Array], old: Mapping[str, Array], new: Mapping[str, Array]
) -> list[str]:
    """Say which of the given parameters were written into, though new ones are returned."""
    said = []
    written = [n for n in old if not same(given, old, n)]
    own = [n for n in written if n in new and np.shares_memory(new[n], given[n])]
    rest = [n for n in written if n not in own]
    if own:
        said.append(
            f"{', '.join(own)}: the array that step returns is the one it was given, changed in "
            "place: the old parameters are lost, and those that were kept as the best (best = w) "
            "change too; write w = w - η * gradient, or keep a copy"
        )
    if rest:
        said.append(
            f"{', '.join(rest)}: step changes the array that it was given, and returns another: "
            "the old parameters are lost; work on a copy"
        )
    return said
