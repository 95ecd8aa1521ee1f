"""How much is tried by default, and in the Hypothesis profile `thorough`: some fifty times that."""

from collections.abc import Sequence
from typing import TypeVar

from hypothesis import settings

THOROUGH = settings.default.max_examples >= 1000
T = TypeVar("T")


def examples(few: int, thorough: int = 1000) -> settings:
    """Set how many examples are drawn."""
    return settings(max_examples=thorough if THOROUGH else few)


def share(cases: Sequence[T], step: int) -> Sequence[T]:
    """Take every so many of some cases; all of them in `thorough`."""
    return cases if THOROUGH else cases[::step]
