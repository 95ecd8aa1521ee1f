"""What is said of many hand-written backward passes: a table, and a page for each."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minigraph.testing.diagnosis.verdicts import Verdict

__all__ = ["Grade", "Grades"]


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
