"""A user's forward and backward pass, called with care: what it gives, and how it behaves."""

import contextlib
import inspect
import io
import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from minigraph.arrays import Array
from minigraph.testing.diagnosis.clock import Clock
from minigraph.testing.diagnosis.problems import Problem

__all__ = ["Subject", "Unusable", "conduct"]


class Unusable(Exception):
    """A function of the user's did not do what it must for anything to be said of it."""


class Subject:
    """Two functions, ``fprop(params, x, y, lam)`` and ``bprop`` alike; `lam` may be left out."""

    def __init__(
        self, fprop: Callable[..., Any], bprop: Callable[..., Any], clock: Clock | None = None
    ) -> None:
        self.fprop, self.bprop = fprop, bprop
        self.clock = clock or Clock(math.inf)
        self._places = [_places(f) for f in (fprop, bprop)]
        self._is_quiet = False

    def loss(self, problem: Problem) -> float:
        """Compute the loss; the arguments are copies."""
        value = self._call(0, "fprop", problem)
        array = np.asarray(value)
        if array.dtype.kind not in "fiub" or array.size != 1:
            raise Unusable(
                f"fprop returns {_kind(value)}, where a loss is one number; reduce it (sum, mean)"
            )
        return float(array.reshape(()))

    def works(self, problem: Problem) -> bool:
        """Tell whether the loss can be computed."""
        try:
            self.loss(problem)
        except Unusable:
            return False
        return True

    def is_whole(self, problem: Problem) -> str:
        """Name the type of the loss if it is one of whole numbers."""
        dtype = np.asarray(self._call(0, "fprop", problem)).dtype
        return str(dtype) if dtype.kind in "iub" else ""

    def gradients(self, problem: Problem) -> dict[str, Any]:
        """Compute all gradients, copied, as they were returned; and what else are numbers."""
        found = {}
        for name, value in self.raw(problem).items():
            array = _array(value)
            if array is not None:
                found[str(name)] = array
            elif name in problem.params:
                raise Unusable(
                    f"{name}: bprop returns {_kind(value)}, where an array of numbers is needed"
                )
        return found

    def raw(self, problem: Problem) -> Mapping[str, Any]:
        """Give what bprop returns, itself."""
        returned = self._call(1, "bprop", problem)
        if not isinstance(returned, Mapping):
            raise Unusable(
                f"bprop returns {_kind(returned)}, where a dict name → gradient is needed, such as "
                f"{{{', '.join(f'{n!r}: grad_{n}' for n in problem.params)}}}"
            )
        return returned

    def _call(self, which: int, name: str, problem: Problem) -> Any:
        self.clock.check()
        function = (self.fprop, self.bprop)[which]
        given = problem.copied()
        try:
            with contextlib.nullcontext() if self._is_quiet else self.quiet():
                return function(*self.arguments(which, given))
        except (Exception, SystemExit) as error:
            where = _line_of(function, error)
            raise Unusable(
                f"{name} raises {type(error).__name__}: {error}{where}, for {_sizes(problem)}"
            ) from error

    @contextlib.contextmanager
    def quiet(self) -> Iterator[None]:
        """Let nothing be printed or warned of; around many calls, for it takes as long as some."""
        with contextlib.redirect_stdout(_Nowhere()), _quiet():
            before, self._is_quiet = self._is_quiet, True
            try:
                yield
            finally:
                self._is_quiet = before

    def arguments(self, which: int, problem: Problem) -> list[Any]:
        """Give what one of the functions is called with: `lam` where it takes it, or must."""
        given: list[Any] = [problem.params, problem.x, problem.y]
        must, may = self._places[which]
        if must >= 4 or (problem.lam and may >= 4):
            given.append(problem.lam)
        return given


class _Nowhere(io.TextIOBase):
    """Takes what is printed, and forgets it."""

    def write(self, text: str) -> int:
        return len(text)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def conduct(subject: Subject, problem: Problem, other: Problem) -> list[str]:
    """Look at how the functions behave: what they change, keep, print and share."""
    said: list[str] = []
    for which, name in enumerate(("fprop", "bprop")):
        said += _changes(subject, which, name, problem)
    if subject.loss(problem) != subject.loss(problem):
        said.append("fprop is not deterministic: two calls with the same arguments differ")
    first = {n: v for n, v in subject.raw(problem).items() if n in problem.params}
    before = {name: np.array(value) for name, value in first.items()}
    said += [
        f"{name}: bprop returns {_kind(value)}; it should be an array of NumPy's"
        for name, value in first.items()
        if not isinstance(value, np.ndarray | np.generic | float)
    ]
    subject.raw(other)
    subject.raw(replace(problem, x=problem.x[::-1] if problem.x.ndim else problem.x))
    changed = {name for name, v in first.items() if not _same(np.asarray(v), before[name])}
    again = subject.gradients(problem)
    kept = {name for name in first if name in again and not _same(again[name], before[name])}
    kept |= _remembered(subject, problem, other)
    for name in first:
        if name in changed:
            said.append(
                f"{name}: the array that bprop returned changes at the next call: it is a buffer "
                "that is used again; return a copy"
            )
        elif name in kept:
            said.append(
                f"{name}: after a call with other arguments, bprop gives something else for the "
                "same ones: it keeps what it computed before"
            )
    large = replace(problem, params={n: 1e3 * v for n, v in problem.params.items()})
    if np.isfinite(subject.loss(large)):
        said += [
            f"{name}: it is not finite with weights a thousand times larger, though the loss is"
            for name, value in subject.gradients(large).items()
            if name in first and value.dtype.kind == "f" and not np.isfinite(value).all()
        ]
    return said


def _remembered(subject: Subject, problem: Problem, other: Problem) -> set[str]:
    """Name the gradients that depend on the call before: of the very same x and y, or of others."""
    given = []
    for before in (problem.copied(), None):
        same = before or problem.copied()
        subject.bprop(*subject.arguments(1, before or other.copied()))
        np.copyto(same.x, problem.x)  # it may have been written to, which is another mistake
        np.copyto(same.y, problem.y)
        moved = replace(same, params={n: 1.5 * v for n, v in problem.params.items()})
        returned = subject.bprop(*subject.arguments(1, moved))
        given.append({n: np.array(returned[n]) for n in problem.params if n in returned})
    return {name for name, value in given[0].items() if not _same(value, given[1][name])}


def _changes(subject: Subject, which: int, name: str, problem: Problem) -> list[str]:
    given, before = problem.copied(), problem.copied()
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), _quiet():
        returned = (subject.fprop, subject.bprop)[which](*subject.arguments(which, given))
    said = []
    for place, new, old in [
        *((f"params[{n!r}]", given.params.get(n), v) for n, v in before.params.items()),
        ("x", given.x, before.x),
        ("y", given.y, before.y),
    ]:
        if new is None or not _same(new, old):
            said.append(
                f"{name} changes its argument {place}: work on a copy, or the next step starts "
                "from something else"
            )
    if printed.getvalue():
        said.append(f"{name} prints at each call, {len(printed.getvalue())} characters")
    if isinstance(returned, Mapping):
        said += _overlaps(returned)
        shared = [
            f"{n} and params[{p!r}]"
            for n, value in returned.items()
            for p, array in given.params.items()
            if isinstance(value, np.ndarray) and np.shares_memory(value, array)
        ]
        if shared:
            said.append(
                f"bprop returns memory that is the parameters' own ({', '.join(shared)}): a step "
                "with it changes the gradient too; return a copy"
            )
    return said


def _overlaps(returned: Mapping[str, Any]) -> list[str]:
    """Say which gradients share memory."""
    arrays = [(n, v) for n, v in returned.items() if isinstance(v, np.ndarray)]
    return [
        f"{a} and {b}: bprop returns arrays that share memory: what is done to one, as clipping in "
        "place, is done to the other too; return a copy"
        for (a, one), (b, other) in combinations(arrays, 2)
        if np.shares_memory(one, other)
    ]


def _array(value: Any) -> Array | None:
    """Copy what is an array of numbers, or can be one."""
    try:
        array = np.array(value)
    except (ValueError, TypeError):
        return None
    return array if array.dtype.kind in "fiub" else None


def _places(function: Callable[..., Any]) -> tuple[float, float]:
    """Count the arguments that a function must and may get by position."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return 3, math.inf
    found = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    must = sum(p.default is p.empty for p in found)
    endless = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    return must, math.inf if endless else len(found)


def _line_of(function: Callable[..., Any], error: BaseException) -> str:
    """Say in which line of the user's file it happened."""
    file = getattr(getattr(function, "__code__", None), "co_filename", None)
    found = ""
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            found = f" (line {trace.tb_lineno})"
        trace = trace.tb_next
    return found


def _kind(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array {value.dtype}{list(value.shape)}"
    return f"{type(value).__name__}"


def _same(a: Array, b: Array) -> bool:
    return a.shape == b.shape and bool(np.array_equal(a, b, equal_nan=a.dtype.kind in "fc"))


def _sizes(problem: Problem) -> str:
    shapes = ", ".join(f"{n} {list(v.shape)}" for n, v in problem.params.items())
    return f"x {list(problem.x.shape)}, y {list(problem.y.shape)}, {shapes}"
