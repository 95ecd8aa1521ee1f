"""Arguments that are not what was expected: named, shown, and what is expected instead."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from minigraph.arrays import dtype_of, shown

__all__ = ["as_float_dtype", "check_callable", "check_mapping", "generator", "listed",
           "number", "truth", "whole"]  # fmt: skip


def whole(value: Any, what: str, least: int) -> int:
    """Give `value` as an int if it is a whole number of at least `least`."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool):
        raise TypeError(f"{what} is a whole number, not {shown(value)}")
    if value < least:
        raise ValueError(f"{what} is at least {least}, not {value}")
    return int(value)


def truth(value: Any, what: str) -> bool:
    """Give `value` as a bool if it is True or False."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{what} is True or False, not {shown(value)}")
    return bool(value)


def number(value: Any, what: str) -> float:
    """Give `value` as a float if it is a number."""
    try:
        if not isinstance(value, str):
            return float(value)
    except (TypeError, ValueError, OverflowError):
        pass
    raise TypeError(f"{what} must be a number, got {shown(value)}")


def listed(values: Iterable[Any], what: str, words: str = "a sequence") -> tuple[Any, ...]:
    """Give what stands in a sequence, or another iterable."""
    try:
        return tuple(values)
    except TypeError:
        raise TypeError(f"{what} is {words}, not {shown(values)}") from None


def check_mapping(value: Any, what: str, words: str) -> None:
    """Refuse what is no mapping of names to something."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{what} is a mapping of {words}, not {shown(value)}")


def check_callable(value: Any, what: str, words: str = "a function") -> None:
    """Refuse what cannot be called."""
    if not callable(value):
        raise TypeError(f"{what} is {words}, not {shown(value)}")


def generator(seed: Any, what: str) -> "np.random.Generator":
    """Make the generator of random numbers that a seed stands for; a generator is itself."""
    try:
        return np.random.default_rng(seed)
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        words = "a whole number, at least 0, or a numpy.random.Generator"
        raise kind(f"{what} is {words}, not {shown(seed)}") from None


def as_float_dtype(dtype: Any, what: str) -> np.dtype[Any]:
    """Give a floating-point dtype; refuse others."""
    found = dtype_of(dtype, what)
    if found.kind != "f":
        raise TypeError(f"{what} is of floats, such as np.float32, not {found}")
    return found
