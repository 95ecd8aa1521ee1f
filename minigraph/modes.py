"""What is recorded, and under which name: modes of the current thread or asyncio task."""

import inspect
import os
from collections.abc import Callable
from contextlib import ContextDecorator
from contextvars import ContextVar
from itertools import count
from threading import RLock
from typing import Any, TypeVar

__all__ = ["enable_grad", "no_grad", "scope"]

Function = TypeVar("Function", bound=Callable[..., Any])

# One process-wide clock numbers every tensor and every counted write, so that "was this array
# written after that operation was recorded?" is one comparison.
tick = count(1).__next__
last_write = [0]  # when any tensor was last written: what was recorded since needs no closer look

lock = RLock()  # held while what all threads share is changed; by a weak reference's callback too
if hasattr(os, "register_at_fork"):  # a child has no thread that could release it
    os.register_at_fork(
        before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release
    )


def count_write(*clocks: list[int]) -> None:
    """Note that tensors were written just now."""
    with lock:  # so that the last write is the latest
        now = last_write[0] = tick()
        for clock in clocks:
            clock[0] = now


class Mode:
    """Settings in force: what is recorded, and in which scope. Never changed, only replaced."""

    __slots__ = ("debug", "grad", "outer", "scope", "trace")

    def __init__(
        self,
        grad: bool,
        scope: tuple[str, ...],
        trace: bool = False,
        debug: Any = None,
        outer: "Mode | None" = None,
    ) -> None:
        self.grad = grad  # what a gradient flows through
        self.trace = trace  # and constants too
        self.scope = scope
        self.debug = debug  # what looks on, inside `minigraph.debug`
        self.outer = outer  # what to return to


_mode: ContextVar[Mode] = ContextVar("minigraph.mode", default=Mode(True, ()))  # noqa: B039
current_mode = _mode.get
set_mode = _mode.set


class Setting(ContextDecorator):
    """A change of the mode, as a context manager or decorator; entered as often as you like."""

    __slots__ = ("_debug", "_grad", "_inner", "_name", "_trace")

    def __init__(
        self,
        grad: bool | None = None,
        name: str | None = None,
        trace: bool | None = None,
        debug: Any = None,
    ) -> None:
        self._grad = grad
        self._name = name
        self._trace = trace
        self._debug = debug
        self._inner: Mode | None = None  # the mode made last: a layer is entered again and again

    def __call__(self, function: Function) -> Function:
        if not callable(function):
            raise TypeError(
                f"no_grad, enable_grad, scope and debug decorate functions, not {function!r}"
            )
        kinds = inspect.isgeneratorfunction, inspect.iscoroutinefunction, inspect.isasyncgenfunction
        if any(kind(function) for kind in kinds):
            raise TypeError(
                f"{function.__name__} is a generator or coroutine function: its body would run "
                "after the decorator has ended. Write `with ...:` inside it instead"
            )
        return super().__call__(function)

    def __enter__(self) -> None:
        mode = current_mode()
        inner = self._inner
        if inner is None or inner.outer is not mode:
            grad = mode.grad if self._grad is None else self._grad
            scope = mode.scope if self._name is None else (*mode.scope, self._name)
            trace = mode.trace if self._trace is None else self._trace
            debug = mode.debug if self._debug is None else self._debug
            self._inner = inner = Mode(grad, scope, trace, debug, mode)
        set_mode(inner)

    def __exit__(self, *exception: object) -> None:
        outer = current_mode().outer
        if outer is not None:  # none in a context that the block was not entered in
            set_mode(outer)


def no_grad() -> Setting:
    """Record nothing inside; context manager and decorator, per thread and asyncio task.

    Examples
    --------
    >>> import minigraph as mg
    >>> w = mg.Tensor([1.0, 2.0], requires_grad=True)
    >>> with mg.no_grad():
    ...     w -= 0.5
    >>> w.data
    array([0.5, 1.5])
    """
    return Setting(grad=False)


def enable_grad() -> Setting:
    """Record again, inside `no_grad`; context manager and decorator.

    Examples
    --------
    >>> import minigraph as mg
    >>> w = mg.Tensor(3.0, requires_grad=True)
    >>> with mg.no_grad():
    ...     with mg.enable_grad():
    ...         y = w * w
    >>> y.requires_grad
    True
    """
    return Setting(grad=True)


def scope(name: str) -> Setting:
    """Name the part of the program inside; drawings put its tensors into one box.

    Parameters
    ----------
    name : str
        One level of the path; scopes nest.

    Raises
    ------
    TypeError
        If `name` is not a string.

    Examples
    --------
    >>> import minigraph as mg
    >>> with mg.scope("layer1"):
    ...     W = mg.Tensor([1.0], requires_grad=True, name="W")
    >>> W.scope
    ('layer1',)
    """
    if not isinstance(name, str):
        raise TypeError(f"scope: the name must be a string, not {type(name).__name__}")
    return Setting(name=name)
