"""What is to be said of the loss itself, and what the problems could not show."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from minigraph.testing.diagnosis.causes.signatures import MISSING, TWICE
from minigraph.testing.diagnosis.measuring import Measured
from minigraph.testing.diagnosis.problems import Maker, Problem
from minigraph.testing.diagnosis.subject import Subject

__all__ = [
    "blind_spots",
    "common_factor",
    "loss_remarks",
    "precision_notes",
    "what_the_loss_is",
]

MEAN = "the loss is a mean over the examples"
LARGE = 1e3  # times the parameters


def what_the_loss_is(subject: Subject, case: Measured) -> str:
    """Say whether the loss is a mean or a sum over the examples: it tells when they are doubled."""
    problem = case.problem
    if problem.axes == (None, None):
        return "where the examples lie could not be told; give axis='rows' or 'columns'"
    twice = subject.loss(problem.examples([*range(problem.K)] * 2))
    near = max(1e-9, 10 * case.rounding)
    if np.isclose(twice, case.loss, rtol=near):
        return MEAN
    if np.isclose(twice, 2 * case.loss, rtol=near):
        return "the loss is a sum over the examples"
    return f"with all examples twice the loss is {twice / case.loss:.4g} times as large"


def common_factor(loss: str, off_by: Mapping[str, tuple[str, ...]], names: Sequence[str]) -> str:
    """Say that a factor may as well be the loss's, where all gradients are off by the same one.

    If the loss is a mean, a factor of K is not.
    """
    causes = {off_by.get(name, ()) for name in names}
    words = causes.pop() if len(causes) == 1 else ()
    if len(words) != 1 or "the right one" not in words[0]:
        return ""
    if loss == MEAN and words[0].endswith((MISSING, TWICE)):
        return ""
    return (
        "; all gradients are off by the same factor, so it may be the loss that has a wrong one, "
        "and they may be right"
    )


def precision_notes(case: Measured) -> list[str]:
    """Say which gradients were computed with fewer digits than the parameters have."""
    single = [
        name
        for name, value in case.given.items()
        if value.dtype.kind == "f" and value.dtype.itemsize < 8
    ]
    if not single:
        return []
    dtypes = {str(case.given[name].dtype) for name in single}
    return [
        f"{', '.join(single)}: computed in {' and '.join(sorted(dtypes))}, with fewer digits than "
        "the parameters, which were float64"
    ]


def loss_remarks(subject: Subject, problem: Problem) -> list[str]:
    """Look at the loss alone: whether it is finite where it should be."""
    large = replace(problem, params={n: LARGE * v for n, v in problem.params.items()})
    value = subject.loss(large)
    if np.isfinite(value):
        return []
    return [
        f"the loss is {value} with weights a thousand times larger: exp overflows, or the "
        "logarithm of 0 is taken; subtract the largest activation first"
    ]


def blind_spots(maker: Maker, cases: list[Measured]) -> list[str]:
    """List what the problems could not show."""
    found = []
    if not maker.grows:
        found.append(
            "params is not a function of sizes, so no other sizes were tried: a transpose that is "
            "missing in a square matrix, or a size written as a number, may be hidden"
        )
    if len({case.problem.K for case in cases}) < 2:
        found.append("the number of examples could not be changed: mistakes with 1/K are hidden")
    if not maker.n_penalties:
        found.append("no penalties were given, so none were looked at")
    if cases[0].is_coarse:
        found.append(coarseness(cases))
    for name in cases[0].problem.params:
        if all(not np.any(np.abs(case.slope(name)) > 1e-12) for case in cases):
            found.append(f"the slope by {name} is 0 on all problems: nothing was seen of it")
    return found


def coarseness(cases: list[Measured]) -> str:
    """Say that the loss is rounded more than float64 is, and what that hides."""
    bars = [min(_share_unknown(case, name) for case in cases) for name in cases[0].problem.params]
    return (
        f"the loss is computed to {cases[0].rounding:.0e} of it only, as float32 does: mistakes "
        f"below {max(bars):.0e} of a gradient may be hidden; compute it in float64"
    )


def _share_unknown(case: Measured, name: str) -> float:
    """Give the usual error of a slope, as a share of the largest entry."""
    largest = np.abs(case.slope(name)).max(initial=0.0)
    return float(np.median(case.error(name)) / largest) if largest > 1e-12 else 1.0
