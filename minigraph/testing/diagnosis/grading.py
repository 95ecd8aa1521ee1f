"""Check many hand-written backward passes, each in a process of its own."""

import csv
import io
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
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from minigraph.testing.diagnosis.submissions import Unfit, arguments, exercise_file
from minigraph.testing.diagnosis.verdicts import Verdict

__all__ = ["Grade", "Grades", "grade"]

KEPT = 20_000  # bytes of what is printed
RUNNER = "minigraph.testing.diagnosis.runner"
ROOT = str(Path(__file__).parents[3])


@dataclass(frozen=True)
class Grade:
    """What is said of one submission.

    Attributes
    ----------
    name : str
        That of its page, without ``.md``; no two have the same.
    path : Path
    outcome : str
        "right"; "wrong", a gradient; "remarks", gradients right, but something else is not; "other
        loss", gradients right, but of another loss than the exercise's; "cannot tell"; "not
        checkable", something is missing or the file fails; "too slow"; "out of memory"; "crashed";
        "check failed", which is not the submission's fault.
    verdicts : dict of str to Verdict
        By parameter; empty if it did not come to that.
    remarks : tuple of str
    text : str
        The diagnosis as printed.
    output : str
        The beginning of what it printed.
    seconds : float
    """

    name: str
    path: Path
    outcome: str
    verdicts: dict[str, Verdict]
    remarks: tuple[str, ...]
    text: str
    output: str
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong, as far as could be seen."""
        return self.outcome == "right"

    @property
    def page(self) -> str:
        """The page for whoever handed it in, in Markdown."""
        lines = [f"# {_markdown(self.name)}", "", f"**{self.outcome}**, {self.seconds:.1f} s", ""]
        lines += [f"- {_markdown(remark)}" for remark in self.remarks]
        lines += [""] * bool(self.remarks)
        for title, text in (("Diagnosis", self.text), ("What it printed", self.output)):
            if text:
                lines += [f"## {title}", "", _fenced(text), ""]
        return "\n".join(lines)


class Grades(Sequence[Grade]):
    """All submissions of an exercise, in order; ``print`` shows the table."""

    def __init__(self, grades: Iterable[Grade]) -> None:
        self._grades = tuple(grades)

    def __getitem__(self, index: Any) -> Any:
        return self._grades[index]

    def __len__(self) -> int:
        return len(self._grades)

    @property
    def parameters(self) -> list[str]:
        """All names of parameters that something is said of."""
        return list(dict.fromkeys(name for one in self for name in one.verdicts))

    @property
    def markdown(self) -> str:
        """The table in Markdown; names lead to the pages."""
        head = ["submission", "outcome", *map(_markdown, self.parameters), "why"]
        rows = [head, ["---"] * len(head)]
        for one in self:
            statuses = [
                one.verdicts[p].status if p in one.verdicts else "" for p in self.parameters
            ]
            link = f"[{_markdown(one.name)}](<{one.name}.md>)"
            rows.append([link, one.outcome, *statuses, _markdown("; ".join(_why(one)))])
        table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
        return f"# Grades\n\n{_counts(self)}\n\n{table}\n"

    @property
    def csv(self) -> str:
        """The table as comma-separated values."""
        file = io.StringIO()
        writer = csv.writer(file, lineterminator="\n")
        columns = ["submission", "file", "outcome", *self.parameters, "remarks", "seconds"]
        writer.writerow(columns)
        for one in self:
            cells = [_cell(one.verdicts.get(name)) for name in self.parameters]
            remarks = "; ".join(one.remarks)
            row = [one.name, str(one.path), one.outcome, *cells, remarks, f"{one.seconds:.2f}"]
            writer.writerow([_shown(cell) for cell in row])
        return file.getvalue()

    def __str__(self) -> str:
        rows = [(one.name, one.outcome, "; ".join(_why(one))) for one in self]
        widths = [max(len(row[i]) for row in rows) for i in range(2)]
        lines = [f"{a:{widths[0]}}  {b:{widths[1]}}  {c}".rstrip() for a, b, c in rows]
        return _shown("\n".join([*(line[:200] for line in lines), _counts(self)]))

    def __repr__(self) -> str:
        return f"<Grades: {_counts(self)}>"


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


def _why(one: Grade) -> list[str]:
    """List causes, each once with the names of its parameters, and remarks."""
    names: dict[str, list[str]] = {}
    for name, verdict in one.verdicts.items():
        causes = verdict.causes or ("no known cause fits",) * (verdict.status == "wrong")
        for cause in causes:
            names.setdefault(cause, []).append(name)
    return [*(f"{', '.join(n)}: {cause}" for cause, n in names.items()), *one.remarks]


def _counts(grades: Grades) -> str:
    counts = Counter(one.outcome for one in grades)
    return ", ".join(f"{n} {outcome}" for outcome, n in counts.most_common())


def _cell(verdict: Verdict | None) -> str:
    if verdict is None:
        return ""
    return ": ".join(filter(None, (verdict.status, " / ".join(verdict.causes))))


def _shown(text: str) -> str:
    """Replace what a terminal or a file could not take: escapes, and halves of characters."""
    text = re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "\N{REPLACEMENT CHARACTER}", text)
    return text.encode("utf-8", "replace").decode()


def _markdown(text: str) -> str:
    """Write text so that Markdown shows it as it is, in one line."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", " ".join(_shown(text).split()))


def _fenced(text: str) -> str:
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{_shown(text)}\n{fence}"


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
