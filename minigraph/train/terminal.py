"""The person at the terminal: a progress bar, and Ctrl-C."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["interrupts", "progress_bar"]


@contextmanager
def interrupts() -> Iterator[list[int]]:
    """Gather Ctrl-C in a list, so that the step under way is finished; a second one stops it."""
    asked: list[int] = []

    def ask(number: int, frame: Any) -> None:
        asked.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield asked  # no signal comes here, or someone else takes it
        return
    signal.signal(signal.SIGINT, ask)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def progress_bar(progress: bool | None, done: int, total: int) -> Iterator[Any]:
    """Show a progress bar where somebody looks: None if nobody does."""
    if progress is False:
        yield None
        return
    try:
        from tqdm.auto import tqdm
    except ImportError:
        raise ImportError("progress needs tqdm: pip install 'minigraph[train]'") from None
    notebook = hasattr(tqdm, "display") and "notebook" in str(tqdm.__mro__)
    hidden = False if progress or notebook else None  # None: hidden where it is no terminal
    with tqdm(total=total, initial=done, unit="step", disable=hidden) as bar:
        yield None if bar.disable else bar
