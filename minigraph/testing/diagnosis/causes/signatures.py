"""Causes that show in the gradients alone: each is a claim that must hold on every problem.

A cause says what the wrong gradient would be, computed from slopes of the user's own loss. It is
named only if that is what bprop gave, on all problems with which it can be told.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from minigraph.arrays import Array
from minigraph.testing.diagnosis.measuring import Measured, close
from minigraph.testing.diagnosis.problems import Problem

__all__ = [
    "LEFT_OUT",
    "MISSHAPEN",
    "MISSING",
    "TWICE",
    "WEIGHTED",
    "data_causes",
    "example_causes",
    "example_weights",
    "factor",
    "factor_in_words",
    "few",
    "known_factor",
    "weights_in_words",
]

Guess = Callable[[Measured, str], Array | None]


def data_causes(name: str, cases: Sequence[Measured]) -> list[str]:
    """Name what is wrong with a parameter's gradient without penalties; all causes that fit."""
    shape = shape_cause(name, cases)
    if shape is not None:
        return [shape]
    found = list(scale_causes(name, cases))
    if found:
        return found
    found = [words for words, guess in GUESSES if fits(guess, name, cases)]
    if not found and (decay := _decay(name, cases)) is not None:
        found = [decay]
    return found or list(example_causes(name, few(cases)))


def few(cases: Sequence[Measured]) -> list[Measured]:
    """Take three with other numbers of examples: to measure each example alone is dear."""
    return list({case.problem.K: case for case in reversed(cases)}.values())[-3:]


def fits(guess: Guess, name: str, cases: Sequence[Measured]) -> bool:
    """Tell whether a guess is what was given wherever it says something, and says something."""
    told = [(guess(case, name), case.given[name]) for case in cases]
    told = [(predicted, given) for predicted, given in told if predicted is not None]
    return bool(told) and all(close(given, predicted) for predicted, given in told)


# Shapes


def shape_cause(name: str, cases: Sequence[Measured]) -> str | None:
    """Name what is wrong with the shape; None if it is right."""
    wrong = [case for case in cases if case.given[name].shape != case.slope(name).shape]
    if not wrong:
        return None
    case = wrong[0]
    given, right = case.given[name], case.slope(name)
    shapes = f"{_shape(given)} where the parameter has {_shape(right)}"
    if all(close(c.given[name].T, c.slope(name), c.error(name)) for c in wrong):
        return f"it is transposed: {shapes}"
    if given.size == right.size and all(
        c.given[name].size == c.slope(name).size
        and close(c.given[name].reshape(c.slope(name).shape), c.slope(name), c.error(name))
        for c in wrong
    ):
        return (
            f"its entries are right, but its shape is {shapes}: in `{name} - η * gradient` NumPy "
            "broadcasts that to something else; keep the axis (keepdims=True)"
        )
    for axis, size in enumerate(given.shape):
        if size != case.problem.K:
            continue
        summed = [_summed_to(c.given[name], axis, c.slope(name).shape) for c in wrong]
        for words, scale in (("sum", lambda c: 1.0), ("mean", lambda c: 1.0 / c.problem.K)):
            if all(
                s is not None and close(s * scale(c), c.slope(name), c.error(name))
                for s, c in zip(summed, wrong)
            ):
                take = f"take the {words} over axis {axis}"
                return f"it is not summed over the examples: {shapes}; {take}"
    if given.ndim and case.problem.K in given.shape and right.size not in (case.problem.K,):
        return f"it is summed over the wrong axis: {shapes}, so one entry for each example"
    if given.size == 1:
        return f"it is summed over all axes: {shapes}"
    return f"{MISSHAPEN} {shapes}"


def _summed_to(given: Array, axis: int, shape: tuple[int, ...]) -> Array | None:
    kept: Array = given.sum(axis=axis, keepdims=True)
    summed: Array = given.sum(axis=axis)
    return next((array for array in (kept, summed, summed.T) if array.shape == shape), None)


def _shape(array: Array) -> str:
    return "×".join(map(str, array.shape)) if array.shape else "one number"


# Factors


def factor(given: Array, right: Array) -> float | None:
    """Give c where given = c right; None where that does not hold, or nothing can be told."""
    given, right = np.asarray(given, float), np.asarray(right, float)
    if given.shape != right.shape or not np.isfinite(given).all():
        return None
    square = float((right * right).sum())
    if square < 1e-18:
        return None
    c = float((given * right).sum()) / square
    return c if close(given, c * right, 1e-7 * np.abs(given).max(initial=0.0)) else None


def scale_causes(name: str, cases: Sequence[Measured]) -> Iterator[str]:
    """Name a factor between the gradient and what it should be."""
    told = []
    for case in cases:
        c = factor(case.given[name], case.slope(name))
        if c is None and np.any(case.slope(name)):
            return
        if c is not None:
            told.append((c, case.problem))
    if told:
        factors, problems = zip(*told)
        known = known_factor(np.array(factors), problems)
        if known is not None or cases[0].slope(name).size > 1:  # one number is always a multiple
            yield known or factor_in_words(np.array(factors), problems)


def factor_in_words(factors: Array, problems: Sequence[Problem]) -> str:
    """Say what a factor is, from its values on several problems."""
    known = known_factor(factors, problems)
    if known is not None:
        return known
    seen = ", ".join(f"{c:.4g} at K = {p.K}" for c, p in zip(factors, problems))
    return f"it is the right one times a factor that depends on the sizes: {seen}"


def known_factor(factors: Array, problems: Sequence[Problem]) -> str | None:
    """Say what a factor is, if it is a number, or made of K and another size."""
    K = np.array([float(problem.K) for problem in problems])
    minus = "minus " if factors[0] < 0 else ""
    size = np.abs(factors)
    if size.max() < 1e-9:
        return "it is left at zero"
    if _like(size, 1.0):
        return "its sign is wrong: it is minus the right one"
    if len(set(K)) > 1:
        if _like(size, K):
            return f"it is {minus}K times the right one: {MISSING}"
        if _like(size, 1 / K):
            return f"it is {minus}1/K of the right one: {TWICE}"
        if _like(size, K / (K - 1)):
            return f"it is {minus}K/(K - 1) times the right one: K - 1 stands where K should"
        if _like(size / K, (size / K)[0]):
            return (
                f"it is {minus}K/{K[0] / size[0]:.4g} of the right one: it is divided by "
                f"{K[0] / size[0]:.4g}, whatever the number of examples K is"
            )
        if _like(size * K, size[0] * K[0]):
            return f"it is {minus}{size[0] * K[0]:.4g}/K of the right one"
    if (other := _size_in(size, problems, K)) is not None:
        return f"it is {minus}{other}"
    if _like(size, 2.0):
        return f"it is {minus}twice the right one: a factor 2 is too much"
    if _like(size, 0.5):
        return f"it is {minus}half the right one: a factor 2 is missing"
    if _like(size, size[0]):
        return f"it is {minus}{size[0]:.6g} times the right one"
    return None


def _size_in(size: Array, problems: Sequence[Problem], K: Array) -> str | None:
    """Find a size that a factor is made of, besides K."""
    for name in problems[0].sizes:
        n = np.array([float(problem.sizes[name]) for problem in problems])
        if len(set(n)) < 2:
            continue
        of = f"the right one; {name} is {' or '.join(f'{k:.0f}' for k in sorted(set(n)))} here"
        for words, wanted in (
            (f"{name} times {of}", n),
            (f"1/{name} of {of}", 1 / n),
            (f"K/{name} of {of}", K / n),
            (f"{name}/K of {of}", n / K),
        ):
            if _like(size, wanted):
                return words
    return None


MISSING = "the division by the number of examples K is missing"
TWICE = "it is divided by the number of examples K once too often"


def _like(values: Array, wanted: Any) -> bool:
    return bool(np.allclose(values, wanted, rtol=1e-5))


# Examples


def _transposed(case: Measured, name: str) -> Array | None:
    right = case.slope(name)
    return right.T if right.ndim == 2 and right.shape[0] == right.shape[1] else None


def _decay(name: str, cases: Sequence[Measured]) -> str | None:
    """Find weight decay that the loss does not have: c W is added."""
    factors = []
    for case in cases:
        value = case.problem.params[name]
        c = factor(case.given[name] - case.slope(name), value)
        if c is None:
            return None
        factors.append(c)
    if not factors or not _like(np.array(factors), factors[0]):
        return None
    return f"{factors[0]:.4g} * {name} is added to it, a penalty that the loss does not have"


def _over_all(case: Measured, name: str) -> Array | None:
    right = case.slope(name)
    return np.full(right.shape, right.sum())


GUESSES: tuple[tuple[str, Guess], ...] = (
    ("it is transposed, which shows only when the matrix is not symmetric", _transposed),
    ("it is summed over everything, so that all its entries are the same", _over_all),
)


def example_causes(
    name: str, cases: Sequence[Measured], weighed: Sequence[Array | None] | None = None
) -> Iterator[str]:
    """Name examples that count too much, too little or not at all.

    `weighed` are weights that were found for another parameter: small ones cannot tell their own.
    """
    if weighed is None:
        weighed = example_weights(name, cases)
    told = [(case, w) for case, w in zip(cases, weighed) if w is not None]
    if not told or not all(explained_by_weights(name, case, w) for case, w in told):
        return
    yield weights_in_words([w for _, w in told])


def weights_in_words(weights: Sequence[Array]) -> str:
    """Say what weights of examples have in common, on all problems."""
    telling = [w for w in weights if not np.allclose(w, 1)]
    patterns = {example_pattern(w) for w in telling}
    if len(patterns) == 1:
        return patterns.pop()
    all_or_nothing = all(np.isin(w.round(6), (0, w.max().round(6))).all() for w in telling)
    return LEFT_OUT if all_or_nothing else WEIGHTED


def example_weights(name: str, cases: Sequence[Measured]) -> list[Array | None]:
    """Give for each case how often each example counts (1 is right), or None.

    The gradient given must be a sum of the examples' own gradients, times weights; that says
    something only where these do not span all that there is.
    """
    most = max(cases, key=lambda case: case.problem.K, default=None)
    if most is None or not np.isfinite(columns := _columns(name, most)).all():
        return [None] * len(cases)
    space = int(np.linalg.matrix_rank(columns, tol=1e-7))
    return [_weights(name, case, space) for case in cases]


def _columns(name: str, case: Measured) -> Array:
    columns: Array = case.of_each(name).reshape(case.problem.K, -1).T
    return columns


def _weights(name: str, case: Measured, space: int) -> Array | None:
    K, given = case.problem.K, np.asarray(case.given[name])
    if not 2 <= K < space or not np.isfinite(given).all() or given.shape != case.slope(name).shape:
        return None
    columns = _columns(name, case)
    if not np.isfinite(columns).all():
        return None
    if not close(columns.mean(axis=1), case.slope(name).reshape(-1), 1e-7):
        return None  # the loss is not a mean of examples' losses
    if np.linalg.matrix_rank(columns, tol=1e-7 * np.abs(columns).max(initial=0.0)) < K:
        return None
    weights, *_ = np.linalg.lstsq(columns, given.reshape(-1), rcond=None)
    if not close(columns @ weights, given.reshape(-1)):
        return None
    return np.where(np.abs(weights) < 1e-7, 0.0, weights * K)


def explained_by_weights(name: str, case: Measured, weights: Array) -> bool:
    """Tell whether a gradient is that of the examples, so often counted."""
    given = np.asarray(case.given[name])
    if given.size != case.slope(name).size:
        return False
    return close(_columns(name, case) @ weights / case.problem.K, given.reshape(-1))


def example_pattern(weights: Array) -> str:
    """Say which examples count."""
    counted = np.flatnonzero(weights)
    K = len(weights)
    if not len(counted):
        return LEFT_OUT
    if len(counted) == 1:
        which = {0: "first", K - 1: "last"}.get(int(counted[0]), f"{counted[0] + 1}th")
        return f"only the {which} example counts: the gradients are overwritten, not added up"
    if 0 < len(counted) < K:
        named = {0: "the first", K - 1: "the last"}
        missing = [i for i in range(K) if i not in counted]
        who = named.get(missing[0]) if len(missing) == 1 else None
        return f"{LEFT_OUT}: {who}" if who else LEFT_OUT
    return WEIGHTED


MISSHAPEN = "its shape is"
LEFT_OUT = "examples are left out"
WEIGHTED = "the examples are weighted, where each should count the same"
