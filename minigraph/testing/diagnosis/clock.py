"""How long a check may take, and a line on the terminal that says that it goes on."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Clock", "OutOfTime"]

SHOWN_AFTER = 2.0  # seconds
AGAIN_AFTER = 0.2


class OutOfTime(Exception):
    """The time that was given is used up."""


class Clock:
    """Watches the time; within `showing` it also shows it, if somebody looks.

    Parameters
    ----------
    budget : float
        Seconds.
    """

    def __init__(self, budget: float) -> None:
        self.start = time.monotonic()
        self.budget = budget
        self.is_limited = True
        self.doing = "measuring slopes"
        self._shows = False
        self._next = self.start + SHOWN_AFTER
        self._width = 0

    def is_up(self) -> bool:
        """Tell whether the time is used up, and show how much was, now and then."""
        now = time.monotonic()
        if self._shows and now >= self._next:
            self._next = now + AGAIN_AFTER
            self._write(f"check_bprop: {self.doing}, {now - self.start:.0f} s")
        return self.is_limited and now - self.start > self.budget

    def check(self) -> None:
        """Raise OutOfTime if the time is used up."""
        if self.is_up():
            raise OutOfTime

    @contextmanager
    def showing(self) -> Iterator[None]:
        """Show progress on standard error while it is a terminal, and leave nothing there."""
        self._shows = sys.stderr is not None and sys.stderr.isatty()
        try:
            yield
        finally:
            if self._width:
                self._write("")
            self._shows = False

    def _write(self, text: str) -> None:
        sys.stderr.write(f"\r{text:{self._width}}" + "\r" * (not text))
        sys.stderr.flush()
        self._width = len(text)
