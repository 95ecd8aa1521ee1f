"""What bprop gave on all problems, to be compared with what a changed backward pass gives."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from minigraph.arrays import Array
from minigraph.testing.diagnosis.measuring import Measured, close
from minigraph.testing.diagnosis.rules.record import Change, Record

__all__ = ["Changes", "Compared"]

Changes = tuple[Change, ...]  # one or more that are made together


class Compared:
    """The graph's gradients and those that were given, problem by problem.

    Attributes
    ----------
    records, cases : sequence
        One of each for every problem.
    names : list of str
        The parameters that are compared: all but those to `leave`.
    wrong : set of str
        Those whose gradient is wrong on the first problem.
    is_late : callable
        Tells when it is time to end the search.
    """

    def __init__(
        self,
        records: Sequence[Record],
        cases: Sequence[Measured],
        leave: frozenset[str],
        is_late: Callable[[], bool],
    ) -> None:
        self.is_late = is_late
        self.names = [name for name in records[0].right if name not in leave]
        self.records, self.cases = records, cases
        most = sorted(range(len(records)), key=lambda i: len(self.hits(i, records[i].right)))
        self.records = [records[i] for i in most]  # first that on which most is wrong
        self.cases = [cases[i] for i in most]
        self.wrong = set(self.names) - self.hits(0, self.records[0].right)

    def hits(self, i: int, got: dict[str, Array] | None) -> frozenset[str]:
        """Tell which gradients of problem i are then those that were given."""
        if got is None:
            return frozenset()
        case = self.cases[i]
        return frozenset(
            name
            for name in self.names
            if close(case.given[name], got[name], case.given_error.get(name, 0.0))
        )

    def explains(self, i: int, got: dict[str, Array] | None) -> bool:
        """Tell whether all gradients of problem i are then those that were given."""
        return len(self.hits(i, got)) == len(self.names)

    def flat(self, gradients: Mapping[str, Any]) -> Array:
        """Put the gradients that are compared into one vector."""
        return np.concatenate([np.ravel(gradients[name]) for name in self.names])
