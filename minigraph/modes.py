"""What is recorded, and under which name: modes of the current thread or asyncio task."""

import inspect
from collections.abc import Callable
from contextlib import ContextDecorator
from contextvars import ContextVar, Token
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, Self

__all__ = ["enable_grad", "no_grad", "scope"]

# One process-wide clock numbers every tensor and every counted write, so that "was this array
# written after that operation was recorded?" is one comparison.
tick = count(1).__next__


@dataclass(frozen=True, slots=True)
class Mode:
    """Settings in force: is anything recorded, and in which scope."""

    grad: bool = True
    scope: tuple[str, ...] = ()


_mode: ContextVar[Mode] = ContextVar("minigraph.mode", default=Mode())
current_mode = _mode.get


class _Setting(ContextDecorator):
    """A context manager and decorator that changes the mode and puts it back."""

    def __init__(self, change: Callable[[Mode], Mode]) -> None:
        self._change = change
        self._tokens: list[Token[Mode]] = []

    def _recreate_cm(self) -> Self:  # a decorated function may run in many threads at once
        return type(self)(self._change)

    def __call__(self, function: Any) -> Any:
        if inspect.isgeneratorfunction(function) or inspect.iscoroutinefunction(function):
            raise TypeError(
                f"{function.__name__} is a generator or coroutine function: its body would run "
                "after the decorator has ended. Write `with ...:` inside it instead"
            )
        return super().__call__(function)

    def __enter__(self) -> None:
        self._tokens.append(_mode.set(self._change(_mode.get())))

    def __exit__(self, *exception: object) -> None:
        _mode.reset(self._tokens.pop())


def no_grad() -> _Setting:
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
    return _Setting(lambda mode: replace(mode, grad=False))


def enable_grad() -> _Setting:
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
    return _Setting(lambda mode: replace(mode, grad=True))


def scope(name: str) -> _Setting:
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
    return _Setting(lambda mode: replace(mode, scope=(*mode.scope, name)))
