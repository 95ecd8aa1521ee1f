"""A hand-written backward pass in a file of its own: read it, and check it."""

import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from types import ModuleType
from typing import Any

from minigraph.testing.diagnosis.checking import check_bprop
from minigraph.testing.diagnosis.verdicts import Diagnosis

__all__ = ["Unfit", "arguments", "checked", "diagnose", "exercise_file", "faults_of", "module_of"]

NEEDED = ("fprop", "bprop", "params", "batch")
OURS = ("check_bprop: ", "derive: ")  # what says itself whose fault it is
EXERCISES = Path(__file__).parents[2] / "exercises"


class Unfit(Exception):
    """A file cannot be checked; the message says why, and where."""


def diagnose(
    file: str | PathLike[str], exercise: str | PathLike[str] | None = None, seed: int = 0
) -> Diagnosis:
    """Run `check_bprop` on what a file defines.

    Parameters
    ----------
    file : path
        Defines ``fprop``, ``bprop``, ``params``, ``batch``, and if it wants ``penalties``,
        ``graph`` and ``axis``, as `check_bprop` takes them. ``PENALTIES`` may also be their number.
    exercise : path or str, optional
        A file, or the name of an exercise of `minigraph.testing.exercises`. What it defines is
        used in place of the file's own; only ``bprop`` is always the file's.
    seed : int
        Decides the problems.

    Raises
    ------
    Unfit
        If something is missing, or the file fails, with the line.
    """
    return checked(arguments(file, exercise), file, exercise, seed)


def checked(
    given: dict[str, Any],
    file: str | PathLike[str],
    exercise: str | PathLike[str] | None = None,
    seed: int = 0,
) -> Diagnosis:
    """Run `check_bprop` on what was collected from a file and an exercise."""
    with faults_of(file, exercise):
        return check_bprop(**given, seed=seed)


def arguments(
    file: str | PathLike[str],
    exercise: str | PathLike[str] | None = None,
    needed: Sequence[str] = NEEDED,
) -> dict[str, Any]:
    """Collect the arguments of `check_bprop` from a file, and from an exercise."""
    found = _collected(file)
    if exercise is not None:
        of_all = _collected(exercise_file(exercise))
        of_all.pop("bprop", None)
        found |= of_all
    missing = [name for name in needed if name not in found]
    if missing:
        raise Unfit(
            f"{Path(file).name} does not define {', '.join(missing)}; "
            f"what is needed is {', '.join(needed)}"
        )
    for name in ("fprop", "bprop", "graph"):
        if name in found and not callable(found[name]):
            kind = type(found[name]).__name__
            raise Unfit(f"{Path(file).name}: {name} is {kind}, where a function is needed")
    return found


def exercise_file(exercise: str | PathLike[str]) -> Path:
    """Find an exercise: a file, or one of `minigraph.testing.exercises` by its name."""
    path = Path(exercise)
    if path.is_file():
        return path.resolve()
    known = sorted(p.stem for p in EXERCISES.glob("*.py") if not p.stem.startswith("_"))
    if str(exercise) in known:
        return EXERCISES / f"{exercise}.py"
    raise Unfit(f"no exercise {str(exercise)!r}: no such file, and known are {', '.join(known)}")


def _collected(file: str | PathLike[str]) -> dict[str, Any]:
    module = module_of(file)
    names = (*NEEDED, "graph", "axis", "penalties")
    found = {name: getattr(module, name) for name in names if hasattr(module, name)}
    for name in ("axis", "penalties"):
        if name not in found and hasattr(module, name.upper()):
            found[name] = getattr(module, name.upper())
    if "penalties" in found:
        found["penalties"] = _penalties(found["penalties"], Path(file).name)
    return found


def _penalties(given: Any, file: str) -> Sequence[float] | None:
    if given is None or isinstance(given, int):
        return (0.01,) * given if given else None
    try:
        return tuple(float(value) for value in given)
    except (TypeError, ValueError):
        raise Unfit(
            f"{file}: penalties is {given!r}, where how many there are is needed, or a sequence of "
            "numbers"
        ) from None


def module_of(file: str | PathLike[str]) -> ModuleType:
    """Run a file as a module that is not ``__main__``; leave no ``__pycache__`` beside it."""
    path = Path(file)
    try:
        source = path.read_bytes()
    except OSError as error:
        raise Unfit(f"{path}: {error.strerror or error}") from None
    name = f"submission_{path.stem}"
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module  # where dataclasses and pickle look
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)  # last: a file numpy.py beside it shadows nothing
    try:
        code = compile(source, str(path), "exec", dont_inherit=True)
    except SyntaxError as error:
        raise Unfit(f"{path.name}, line {error.lineno}: {_said(error)}") from error
    except ValueError as error:
        raise Unfit(f"{path.name}: {_said(error)}") from error
    with faults_of(path):
        exec(code, module.__dict__)
    return module


@contextmanager
def faults_of(*files: str | PathLike[str] | None) -> Iterator[None]:
    """Say in which line of some files an exception was raised; leave those that are not theirs."""
    try:
        yield
    except (Exception, SystemExit) as error:
        names = {str(Path(file)) for file in files if file is not None}
        names |= {str(exercise_file(file)) for file in files[1:] if file is not None}
        line = next(
            (
                f"{Path(frame.filename).name}, line {frame.lineno}: "
                for frame in reversed(traceback.extract_tb(error.__traceback__))
                if frame.filename in names
            ),
            None,
        )
        if line is None and not str(error).startswith(OURS):
            raise
        raise Unfit(f"{line or ''}{_said(error)}") from error


def _said(error: BaseException) -> str:
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    if text.startswith(OURS):
        return text.partition(": ")[2]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
