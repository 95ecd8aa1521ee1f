"""Check many hand-written backward passes, each in a process of its own."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from minigraph.testing.diagnosis.grading.grades import Grade, Grades
from minigraph.testing.diagnosis.grading.submissions import Unfit, arguments, exercise_file
from minigraph.testing.diagnosis.verdicts import Verdict

__all__ = ["grade"]

KEPT = 20_000  # bytes of what is printed
RUNNER = "minigraph.testing.diagnosis.grading.runner"
ROOT = str(Path(__file__).parents[4])


def grade(
    submissions: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    exercise: str | os.PathLike[str] | None = None,
    *,
    out: str | os.PathLike[str],
    seconds: float = 60,
    memory: int = 2**31,
    workers: int = 1,
    seed: int = 0,
) -> Grades:
    r"""Run `check_bprop` on many files; write a table, and a page for each.

    Each file runs in a Python of its own, as a copy in a temporary folder, with a limit of time
    and, where the system has it, of memory. One that loops, crashes, takes all memory, prints
    without end or deletes the folder that it runs in is reported so and stops none of the others.

    This is not a sandbox. A submission runs with your rights: it can read and delete your files,
    use the network, leave processes behind that detach themselves, and, if it is written to, make
    itself look right. Run what you would run yourself, or run all this in a container.

    Parameters
    ----------
    submissions : path, or iterable of paths
        A folder, of which all .py files are taken, or files.
    exercise : path or str, optional
        A file that defines what submissions need not: ``params``, ``batch``, ``penalties``,
        ``graph``, ``axis``, perhaps ``fprop``; or the name of one that comes with the library:
        "homework". What it defines holds for all, whatever they define themselves. If it has a
        ``graph``, a loss that is not the graph's is found too.
    out : path
        A folder, made if needed, for ``grades.md``, ``grades.csv`` and one page for each. Files of
        these names are replaced.
    seconds : float
        Limit for each, of time by the clock.
    memory : int
        Limit for each in bytes, of address space; Python and NumPy take some of it.
    workers : int
        How many run at once.
    seed : int
        Decides the problems.

    Returns
    -------
    Grades
        One `Grade` for each file, in order.

    Raises
    ------
    ValueError
        If there are no submissions, or the exercise cannot be used.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from minigraph.testing import grade
    >>> with TemporaryDirectory() as folder:
    ...     unfinished = Path(folder, "unfinished.py")
    ...     _ = unfinished.write_text("def fprop(params, x, y, lam):\n    return 0.0\n")
    ...     print(grade([unfinished], "homework", out=folder))  # doctest: +ELLIPSIS
    unfinished  not checkable  unfinished.py does not define bprop; what is needed is ...
    1 not checkable
    """
    paths = list(_paths(submissions))
    if not paths:
        raise ValueError(f"grade: no submissions: there is no .py file in {submissions}")
    if exercise is not None:
        exercise = _usable(exercise)
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)

    def graded(name: str, path: Path) -> Grade:
        one = _run(name, path, exercise, seconds, memory, seed)
        _write(folder / f"{name}.md", one.page)  # at once: what is done is there
        return one

    with ThreadPoolExecutor(max(1, workers)) as pool:
        grades = Grades(pool.map(graded, _names(paths), paths))
    _write(folder / "grades.md", grades.markdown)
    _write(folder / "grades.csv", grades.csv)
    return grades


def _paths(given: Any) -> Iterator[Path]:
    if not isinstance(given, str | os.PathLike):
        yield from map(Path, given)
    elif Path(given).is_dir():
        yield from sorted(p for p in Path(given).glob("*.py") if not p.name.startswith((".", "__")))
    else:
        yield Path(given)


def _names(paths: Sequence[Path]) -> list[str]:
    """Give each file a name of its own, also where a and A are the same."""
    stems = Counter(path.stem.lower() for path in paths)
    taken, names = {"grades"}, []
    for path in paths:
        unique = stems[path.stem.lower()] == 1
        wanted = path.stem if unique else f"{path.resolve().parent.name}-{path.stem}"
        wanted = re.sub(r"[\x00-\x1f<>|\\]", "_", wanted.encode("utf-8", "replace").decode())
        name, number = wanted, 1
        while name.lower() in taken:
            number += 1
            name = f"{wanted}-{number}"
        taken.add(name.lower())
        names.append(name)
    return names


def _usable(exercise: str | os.PathLike[str]) -> Path:
    """Find an exercise and see that it runs, before a hundred submissions fail by it."""
    searched = sys.path[:]
    try:
        path = exercise_file(exercise)
        arguments(path, needed=())
    except Unfit as error:
        raise ValueError(f"grade: {error}") from error
    finally:
        sys.path[:] = searched
    return path


def _run(name: str, path: Path, exercise: Any, seconds: float, memory: int, seed: int) -> Grade:
    started = time.monotonic()
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as working,
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as apart,
    ):
        copy, result = Path(working, path.name), Path(apart, "result.json")
        try:
            copy.write_bytes(path.read_bytes())
        except OSError as error:
            text = f"it cannot be read: {error.strerror or error}"
            return Grade(name, path, "not checkable", {}, (text,), "", "", 0.0)
        command = [sys.executable, "-P", "-X", "faulthandler", "-m", RUNNER]
        command += map(str, (copy, result, memory, seed))
        command += [str(exercise)] if exercise is not None else []
        status, output = _watched(command, working, seconds)
        found = _read(result)
        remarks = [remark.replace(working + os.sep, "") for remark in found.get("remarks", ())]
        outcome = found.get("outcome", "crashed")
        if status is None:
            outcome, remarks, found = "too slow", [f"not done in {seconds:g} s"], {}
        elif not found:
            remarks.append(_end(status))
            if status == -getattr(signal, "SIGKILL", 9):
                remarks.append("perhaps the system was out of memory")
        elif not found.get("limited", True):
            remarks.append("its memory could not be limited on this system")
        if not copy.exists():
            remarks.append("it deleted the folder that it ran in, or its own file")
        if output.total > KEPT:
            remarks.append(f"it printed {output.total} bytes")
    verdicts = found.get("verdicts", {})
    text, printed = found.get("text", ""), output.text.replace(working + os.sep, "")
    taken = time.monotonic() - started
    return Grade(name, path, outcome, verdicts, tuple(remarks), text, printed, taken)


def _watched(command: list[str], folder: str, seconds: float) -> tuple[int | None, "_Output"]:
    """Run a command; give its exit status, or None if it was stopped, and what it printed."""
    threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
    inherited = [
        os.path.abspath(p) for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p
    ]
    path = os.pathsep.join(dict.fromkeys([ROOT, *inherited]))
    utf8 = {"PYTHONIOENCODING": "utf-8:backslashreplace", "PYTHONDONTWRITEBYTECODE": "1"}
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **threads, **utf8, "PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    assert process.stdout is not None
    output = _Output(process.stdout)
    status: int | None = None
    try:
        status = process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)  # faulthandler writes where it is
        with suppress(subprocess.TimeoutExpired):
            process.wait(1)
    finally:
        _stop(process)
    output.finish()
    return status, output


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a process, and those that it started, unless they have detached themselves."""
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


class _Output:
    """Reads all that a process prints, so that it does not wait, and keeps the beginning."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self.kept, self.total, self._pipe = b"", 0, pipe
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with self._pipe:
            while part := os.read(self._pipe.fileno(), 2**16):
                self.kept += part[: max(0, KEPT - len(self.kept))]
                self.total += len(part)

    def finish(self) -> None:
        """Wait for the end; not long, for a process that lives on may hold the pipe."""
        self._thread.join(2)

    @property
    def text(self) -> str:
        more = f"\n... and {self.total - KEPT} bytes more" if self.total > KEPT else ""
        return self.kept.decode("utf-8", "replace").rstrip() + more


def _read(result: Path) -> dict[str, Any]:
    try:
        found = json.loads(result.read_text(encoding="utf-8"))
        verdicts = found.get("verdicts", {})
        found["verdicts"] = {n: Verdict(v[0], tuple(v[1:])) for n, v in verdicts.items()}
    except (OSError, ValueError, TypeError, LookupError, AttributeError):
        return {}  # it did not come to that, or the submission has written there
    return dict(found)


def _end(status: int) -> str:
    if status >= 0:
        return f"it ended the process, with exit status {status}, before the check was done"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = str(-status)
    return f"it was ended by the signal {name}"


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
