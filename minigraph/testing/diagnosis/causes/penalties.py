"""What each penalty does to the loss and to the gradient: switched on one at a time."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from minigraph.arrays import Array
from minigraph.testing.diagnosis.measuring import Measured, close
from minigraph.testing.diagnosis.problems import Problem
from minigraph.testing.diagnosis.subject import Subject

__all__ = ["Share", "lambda_names", "penalty_causes", "shares"]

USUAL = re.compile(r"sign\(\w+\)|2 \* \w+")  # the derivatives of ‖W‖₁ and ‖W‖²


class Share(NamedTuple):
    """What one penalty adds per unit of its λ: to the gradient given, and to the loss's slope."""

    given: Array
    slope: Array


def lambda_names(n: int) -> list[str]:
    """Name the penalties: four are those of two layers, L1 and L2 of each."""
    if n == 4:
        return ["λ11", "λ12", "λ21", "λ22"]
    return ["λ"] if n == 1 else [f"lam[{i}]" for i in range(n)]


def shares(subject: Subject, base: Problem, lam: Sequence[float]) -> list[dict[str, Share]]:
    """Measure for each penalty what it adds, by parameter."""
    off = Measured(subject, base)
    found = []
    for i, weight in enumerate(lam):
        only = tuple(weight if j == i else 0.0 for j in range(len(lam)))
        on = Measured(subject, replace(base, lam=only))
        of_each = {}
        for name, value in base.params.items():
            if name not in off.given or name not in on.given:
                continue
            shapes = {np.squeeze(case.given[name]).shape for case in (off, on)}
            if shapes != {np.squeeze(value).shape}:
                continue  # that is said elsewhere
            given = (on.given[name] - off.given[name]).reshape(value.shape) / weight
            of_each[name] = Share(given, (on.slope(name) - off.slope(name)) / weight)
        found.append(of_each)
    return found


def penalty_causes(
    name: str, found: Sequence[dict[str, Share]], params: dict[str, Array], K: int
) -> Iterator[str]:
    """Name what is wrong with the penalties of a parameter."""
    names = lambda_names(len(found))
    value = params[name]
    alike = {n: v for n, v in params.items() if v.shape == value.shape and n != name}
    given = [described(of_each[name].given, {name: value, **alike}) for of_each in found]
    right = [described(of_each[name].slope, {name: value}) for of_each in found]
    wrong = [i for i, of_each in enumerate(found) if not _equal(of_each[name])]
    missing = [i for i in wrong if given[i] == "0"]
    added = [i for i in wrong if right[i] == "0"]
    swapped: set[int] = set()
    for i in missing:
        for j in wrong:
            if j != i and _is_sum(found[j][name], found[i][name]):
                yield f"{names[j]} is used where {names[i]} belongs, for the term {right[i]}"
                swapped |= {i, j}
    rest = [i for i in wrong if i not in swapped]
    lost = [i for i in rest if i in missing]
    if lost and len(lost) == sum(words != "0" for words in right):
        terms = " + ".join(f"{names[i]} * {right[i]}" for i in lost)
        yield f"the penalty is in the loss but not in the gradient: {terms} is missing"
        rest = [i for i in rest if i not in lost]
    for i in rest:
        if i in added:
            yield _added(names[i], given[i], value.shape)
        else:
            yield _sentence(names[i], given[i], right[i], found[i][name], K)


def _added(name: str, given: str | None, shape: tuple[int, ...]) -> str:
    if given is None:
        return f"{name} changes it, but not the slope of the loss"
    is_bias = len(shape) < 2 or 1 in shape
    whose = "a bias is not penalised" if is_bias else "it is not this one's penalty"
    return f"{name} adds {given} to it, but nothing to the loss: {whose}"


def _sentence(name: str, given: str | None, right: str | None, share: Share, K: int) -> str:
    if given == "0":
        return f"{name} is ignored: the derivative by {name} is 0, should be {right}"
    if given is not None and right is not None:
        ratio = float((share.given * share.slope).sum() / (share.slope**2).sum())
        why = ""
        if close(share.given, ratio * share.slope, 1e-6):
            known = {
                1 / K: "; it is divided by the number of examples K",
                float(K): "; it is added once for each example",
                0.5: "; a factor 2 is missing",
                2.0: "; a factor 2 is too much",
                -1.0: "; its sign is wrong",
            }
            why = next((w for r, w in known.items() if np.isclose(ratio, r, rtol=1e-4)), "")
            if np.isclose(ratio, 0.5, rtol=1e-4) and USUAL.fullmatch(given):
                return f"the term of {name} is {given}, as usual, but the loss has {name} twice"
        return f"the term of {name} is {given}, should be {right}{why}"
    return f"the term of {name} is wrong" + (f"; it should be {right}" if right else "")


def _equal(share: Share) -> bool:
    return close(
        share.given, share.slope, 1e-6 * max(1.0, float(np.abs(share.slope).max(initial=0)))
    )


def _is_sum(one: Share, other: Share) -> bool:
    """Tell whether a penalty brings its own term and that of another, which brings none."""
    return close(one.given, one.slope + other.slope, 1e-6)


def described(term: Array, params: dict[str, Array]) -> str | None:
    """Write a penalty's term as a formula of a parameter; None if it is none of the usual."""
    size = float(np.abs(term).max(initial=0.0))
    if size < 1e-6:
        return "0"
    basis: dict[str, Array] = {}
    for name, value in params.items():
        basis |= {f"sign({name})": np.sign(value), name: value, f"|{name}|": np.abs(value)}
    basis["1"] = np.ones_like(term)
    found = []
    for words, column in basis.items():
        if np.any(column):
            c = float((term * column).sum() / (column * column).sum())
            if close(term, c * column, 1e-6 * size):
                found.append((c, words))
    # Of one entry all are multiples: a whole number is meant.
    found.sort(key=lambda fit: not np.isclose(fit[0], round(fit[0]), rtol=1e-5))
    for c, words in found[:1]:
        return words if np.isclose(c, 1, rtol=1e-5) else f"{_number(c)} * {words}"
    return None


def _number(c: float) -> str:
    nearest = round(c)
    return str(nearest) if abs(c - nearest) < 1e-5 else f"{c:.4g}"
