"""Probes of the power of a check; each is done once, whoever asks."""

from functools import cache

from minigraph.testing import probe_power
from minigraph.testing.diagnosis import Power
from minigraph.testing.mistakes import LIBRARY

__all__ = ["COLUMNS", "HOMEWORK", "LAMBDAS", "power_of"]

COLUMNS = tuple(m for m in LIBRARY if m.architecture == "columns")
LAMBDAS = (0.011, 0.023, 0.037, 0.053)
HOMEWORK = {"d": 2, "dh": 2, "m": 2, "K": 1}  # P2


@cache
def _power(sizes, penalties, seed, step):
    return probe_power(dict(sizes), COLUMNS[::step], penalties=penalties, seed=seed)


def power_of(sizes, penalties=(0.0,) * 4, seed=0, step=1) -> Power:
    """Probe a comparison at one point of these sizes, with every so many of the mistakes."""
    return _power(tuple(sizes.items()), penalties, seed, step)
