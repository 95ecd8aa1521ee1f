"""Which mistakes a test of a backward pass would miss."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from minigraph.testing.diagnosis.measuring import Measured
from minigraph.testing.diagnosis.problems import Maker
from minigraph.testing.diagnosis.subject import Subject

if TYPE_CHECKING:
    from types import ModuleType

    from minigraph.testing.mistakes import Mistake

__all__ = ["Power", "probe_power"]

SHOWN = 2  # names in a line of the table


@dataclass(frozen=True)
class Power:
    """What a test of a backward pass notices; ``print`` shows it.

    Attributes
    ----------
    accepts_right : bool
        Whether it says of the right version that it looks right. If not, the rest means little.
    reason : str
        What it raised at the right version; "" if nothing.
    mistakes : tuple of Mistake
        On which it was run.
    missed : tuple of Mistake
        Which it did not notice.
    broken : dict of str to str
        Names of mistakes at which it raised another exception than AssertionError, with that; they
        count as noticed.
    """

    accepts_right: bool
    reason: str
    mistakes: tuple[Mistake, ...]
    missed: tuple[Mistake, ...]
    broken: dict[str, str]

    @property
    def share(self) -> float:
        """How many of the mistakes it notices, 0 to 1."""
        return 1 - len(self.missed) / len(self.mistakes)

    @property
    def by_cause(self) -> dict[str, list[str]]:
        """Names of the mistakes that it missed, by their cause; the most first."""
        found: dict[str, list[str]] = {}
        for mistake in self.missed:
            found.setdefault(_cause(mistake), []).append(mistake.name)
        return dict(sorted(found.items(), key=lambda item: -len(item[1])))

    def __str__(self) -> str:
        n, of_each = len(self.mistakes), _counted(self.mistakes)
        verb = "accepts" if self.accepts_right else "REJECTS"
        lines = [f"{verb} the right version" + (f": {self.reason}" if self.reason else "")]
        lines.append(f"notices {n - len(self.missed)} of {n} mistakes ({self.share:.0%})")
        if self.broken:
            lines[-1] += f", {len(self.broken)} of them by another exception"
        rows = [
            (cause, f"{len(names)} of {of_each[cause]}", names)
            for cause, names in self.by_cause.items()
        ]
        if rows:
            lines.append("does not notice:")
        widths = [max((len(row[i]) for row in rows), default=0) for i in range(2)]
        for cause, count, names in rows:
            more = f"; and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
            shown = "; ".join(names[:SHOWN])
            lines.append(f"  {cause:{widths[0]}}  {count:>{widths[1]}}  {shown}{more}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<Power: {self.share:.0%} of {len(self.mistakes)}>"


def probe_power(
    check: Callable[[Callable[..., Any], Callable[..., Any]], Any] | Mapping[str, int],
    mistakes: Iterable[Mistake] | None = None,
    *,
    architecture: str = "columns",
    penalties: Sequence[float] | None = None,
    seed: int = 0,
) -> Power:
    """Run a test of a backward pass on right and wrong ones, to see what it would miss.

    A test that compares a gradient with differences on one example, with as many inputs as
    outputs, and without penalties, misses about half of all mistakes.

    Parameters
    ----------
    check : callable, or dict of str to int
        ``check(fprop, bprop) -> bool``, your own test: True, or nothing, if they look right. A
        mistake is noticed by False, by an AssertionError, and also by another exception. `fprop`
        and `bprop` take ``(params, x, y, lam)`` as those of `minigraph.testing.mistakes`.
        Or sizes, such as ``{"d": 2, "dh": 2, "m": 2, "K": 1}``: then the test is to compare the
        gradients with slopes of the loss at one point of these sizes.
    mistakes : iterable of Mistake, optional
        By default, all of the architecture in `minigraph.testing.mistakes.LIBRARY`.
    architecture : str
        One of `minigraph.testing.mistakes.ARCHITECTURES`. "columns" is a hidden layer of relu and a
        softmax, with examples as columns: W1 is dh x d, b1 dh x 1, W2 m x dh, b2 m x 1, x d x K, y
        (K,) holds integers, lam has four penalties.
    penalties : sequence of float, optional
        With sizes: the λ at that point, by default 0.
    seed : int
        With sizes: decides the point.

    Returns
    -------
    Power

    Raises
    ------
    ValueError
        If there is no such architecture, or no mistake of it.

    Examples
    --------
    A test that looks at shapes alone:

    >>> import numpy as np
    >>> from minigraph.testing import probe_power
    >>> params = {
    ...     "W1": np.ones((5, 3)), "b1": np.ones((5, 1)),
    ...     "W2": np.ones((4, 5)), "b2": np.ones((4, 1)),
    ... }
    >>> def check(fprop, bprop):
    ...     found = bprop(params, np.ones((3, 6)), np.arange(6) % 4, (0, 0, 0, 0))
    ...     return all(found[name].shape == params[name].shape for name in params)
    >>> power = probe_power(check)
    >>> power.accepts_right, power.share < 0.5
    (True, True)

    The sizes of the homework's check, and better ones:

    >>> from minigraph.testing.mistakes import LIBRARY
    >>> for sizes in ({"d": 2, "dh": 2, "m": 2, "K": 1}, {"d": 3, "dh": 5, "m": 4, "K": 6}):
    ...     print(probe_power(sizes, LIBRARY[::5]).share < 0.65)
    True
    False
    """
    from minigraph.testing.mistakes import LIBRARY, load

    right = load(architecture)  # says which there are
    if isinstance(check, Mapping):
        check = _comparison(right, check, penalties, seed)
    chosen = tuple(LIBRARY if mistakes is None else mistakes)
    chosen = tuple(m for m in chosen if m.architecture == architecture)
    if not chosen:
        raise ValueError(f"probe_power: none of the mistakes is in the architecture {architecture}")
    accepts, reason = _passes(check, right)
    missed, broken = [], {}
    for mistake in chosen:
        looks_right, raised = _passes(check, load(mistake))
        if looks_right:
            missed.append(mistake)
        elif raised and not raised.startswith("AssertionError"):
            broken[mistake.name] = raised
    return Power(accepts, reason, chosen, tuple(missed), broken)


def _comparison(
    right: ModuleType, sizes: Mapping[str, int], penalties: Sequence[float] | None, seed: int
) -> Callable[..., bool]:
    """Make the test that compares gradients with slopes at one point."""
    maker = Maker(right.params, right.batch, right.PENALTIES, right.AXIS, seed)
    if unknown := sorted(set(sizes) - set(maker.sizes)):
        known = ", ".join(maker.sizes)
        raise ValueError(f"probe_power: no size is called {', '.join(unknown)}; there are {known}")
    if penalties is not None and len(penalties) != right.PENALTIES:
        raise ValueError(f"probe_power: {right.PENALTIES} penalties, not {len(penalties)}")
    problem = maker.problem("these sizes", penalties or (), **sizes)

    def check(fprop: Callable[..., Any], bprop: Callable[..., Any]) -> bool:
        case = Measured(Subject(fprop, bprop), problem)
        return all(case.agrees(name) for name in problem.params)

    return check


def _passes(check: Callable[..., Any], program: ModuleType) -> tuple[bool, str]:
    """Tell whether a test is satisfied with a program, and what it raises."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with np.errstate(all="ignore"):
                said = check(program.fprop, program.bprop)
        except AssertionError as error:
            return False, f"AssertionError: {error}"
        except Exception as error:
            return False, f"{type(error).__name__}: {error}"
    return said is None or bool(said), ""


def _cause(mistake: Mistake) -> str:
    return " and ".join(dict.fromkeys(mistake.causes.values()))


def _counted(mistakes: Iterable[Mistake]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for mistake in mistakes:
        counts[_cause(mistake)] = counts.get(_cause(mistake), 0) + 1
    return counts
