"""Learning rates that change: functions of the number of the step, for any optimizer's `lr`."""

import math
from collections.abc import Callable
from typing import Any

from minigraph.checks import number

__all__ = ["Rate", "Schedule", "checked", "cosine", "linear", "step_decay", "warmup"]

Schedule = Callable[[int], float]
Rate = float | Schedule


def checked(who: str, what: str, value: Any, high: float = math.inf, zero: bool = True) -> float:
    """Give `value` as a float if 0 <= value < high, or 0 < value without `zero`."""
    given = number(value, f"{who}: {what}")
    if not 0 <= given < high or not (zero or given):
        least = "at least 0" if zero else "above 0"
        raise ValueError(f"{who}: {what} must be {least} and below {high:g}, got {value!r}")
    return given


def _count(who: str, what: str, value: Any) -> int:
    count = number(value, f"{who}: {what}")
    if count != count // 1 or not 1 <= count < math.inf:
        raise ValueError(f"{who}: {what} must be a whole number, at least 1, got {value!r}")
    return int(count)


def step_decay(lr: float, factor: float, every: int) -> Schedule:
    """Multiply the rate by a factor every so many steps: η(s) = lr · factor^⌊s / every⌋.

    Parameters
    ----------
    lr : float
        The rate of the first `every` steps.
    factor : float
        0 < factor < 1.
    every : int
        How many steps a rate lasts.

    Returns
    -------
    callable
        The rate as a function of the step, which is 0 for the first one.

    Raises
    ------
    ValueError
        If ``lr <= 0``, ``every`` is not a whole number above 0, or `factor` is out of range.

    Examples
    --------
    >>> from minigraph import optim
    >>> rate = optim.step_decay(0.5, factor=0.5, every=10)
    >>> rate(0), rate(9), rate(10), rate(20)
    (0.5, 0.5, 0.25, 0.125)
    """
    lr = checked("step_decay", "lr", lr, zero=False)
    factor = checked("step_decay", "factor", factor, high=1, zero=False)
    every = _count("step_decay", "every", every)
    return lambda step: lr * factor ** (step // every)


def linear(lr: float, steps: int, end: float = 0.0) -> Schedule:
    """Go from one rate to another on a straight line: η(s) = lr + (end - lr) s / steps.

    Parameters
    ----------
    lr : float
        The rate of step 0.
    steps : int
        How many steps the way takes: steps 0 to ``steps - 1`` lie on it.
    end : float
        The rate of step `steps` and of all later ones. With 0 these change no parameter.

    Returns
    -------
    callable
        The rate as a function of the step.

    Raises
    ------
    ValueError
        If ``lr <= 0``, ``end < 0``, or `steps` is not a whole number above 0.

    Examples
    --------
    >>> from minigraph import optim
    >>> rate = optim.linear(0.5, steps=4)
    >>> [rate(step) for step in range(6)]
    [0.5, 0.375, 0.25, 0.125, 0.0, 0.0]
    """
    lr, end = checked("linear", "lr", lr, zero=False), checked("linear", "end", end)
    steps = _count("linear", "steps", steps)
    return lambda step: lr + (end - lr) * (step / steps) if step < steps else end


def cosine(lr: float, steps: int, end: float = 0.0) -> Schedule:
    """Go from one rate to another on half a cosine: η(s) = end + (lr - end) (1 + cos(π s/steps))/2.

    Loshchilov and Hutter, "SGDR: Stochastic gradient descent with warm restarts", 2017, equation 5,
    without the restarts.

    Parameters
    ----------
    lr : float
        The rate of step 0.
    steps : int
        How many steps the way takes: steps 0 to ``steps - 1`` lie on it.
    end : float
        The rate of step `steps` and of all later ones. With 0 these change no parameter.

    Returns
    -------
    callable
        The rate as a function of the step.

    Raises
    ------
    ValueError
        If ``lr <= 0``, ``end < 0``, or `steps` is not a whole number above 0.

    Examples
    --------
    >>> from minigraph import optim
    >>> rate = optim.cosine(0.5, steps=4, end=0.1)
    >>> [round(rate(step), 3) for step in range(6)]
    [0.5, 0.441, 0.3, 0.159, 0.1, 0.1]
    """
    lr, end = checked("cosine", "lr", lr, zero=False), checked("cosine", "end", end)
    steps = _count("cosine", "steps", steps)

    def rate(step: int) -> float:
        if step >= steps:  # the cosine would rise again
            return end
        return end + (lr - end) * (1 + math.cos(math.pi * step / steps)) / 2

    return rate


def warmup(schedule: Rate, steps: int) -> Schedule:
    """Rise to the first rate of a schedule in equal parts, then follow the schedule.

    η(s) = schedule(0) (s + 1) / steps for s < steps, then schedule(s - steps). Goyal et al.,
    "Accurate, large minibatch SGD: training ImageNet in 1 hour", 2017, section 2.2.

    Parameters
    ----------
    schedule : callable or float
        What to follow; a number is a constant rate.
    steps : int
        How many steps the rise takes; the last of them has the full rate.

    Returns
    -------
    callable
        The rate as a function of the step.

    Raises
    ------
    ValueError
        If a constant rate is not positive, or `steps` is not a whole number above 0.

    Examples
    --------
    >>> from minigraph import optim
    >>> rate = optim.warmup(optim.linear(0.5, steps=2), steps=4)
    >>> [rate(step) for step in range(7)]
    [0.125, 0.25, 0.375, 0.5, 0.5, 0.25, 0.0]
    """
    steps = _count("warmup", "steps", steps)
    follow = schedule if callable(schedule) else _constant("warmup", schedule)
    return lambda step: follow(0) * ((step + 1) / steps) if step < steps else follow(step - steps)


def _constant(who: str, lr: float) -> Schedule:
    rate = checked(who, "lr", lr, zero=False)
    return lambda step: rate
