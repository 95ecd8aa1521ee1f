"""The diagnosis as a teacher would write it in the margin."""

from typing import Any, NamedTuple

import numpy as np

from minigraph.arrays import Array

__all__ = ["BackpropError", "Diagnosis", "Verdict"]


class Verdict(NamedTuple):
    """What is said of one gradient: "right", "wrong" or "cannot tell", and why."""

    status: str
    causes: tuple[str, ...] = ()


class Diagnosis:
    """What is right and wrong with a backward pass, or a training step, written by hand.

    Attributes
    ----------
    verdicts : dict of str to Verdict
        By parameter.
    remarks : list of str
        What is wrong besides: with the loss, or with how the functions behave.
    evidence : list of str
        Figures, one line each.
    expected : dict of str to (str, ndarray)
        For each wrong gradient, what it should be: in words, and the array on the first problem.
    counterexample : str
        The smallest problem found that shows it, as Python; "" if all is right.
    blind_spots : list of str
        What could not have been seen.
    called : str
        What is diagnosed: "bprop" or "step".
    """

    def __init__(self, called: str = "bprop") -> None:
        self.called = called
        self.verdicts: dict[str, Verdict] = {}
        self.remarks: list[str] = []
        self.evidence: list[str] = []
        self.expected: dict[str, tuple[str, Array]] = {}
        self.counterexample = ""
        self.blind_spots: list[str] = []
        self.notes: list[str] = []

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong, as far as could be seen."""
        right = all(verdict.status == "right" for verdict in self.verdicts.values())
        return bool(self.verdicts) and right and not self.remarks

    def __str__(self) -> str:
        return "\n".join([self._head(), *self._margin(), *self._rest()])

    def _head(self) -> str:
        wrong = [name for name, verdict in self.verdicts.items() if verdict.status == "wrong"]
        if wrong:
            return f"{self.called}: {', '.join(wrong)} {'is' if len(wrong) == 1 else 'are'} wrong"
        if any(verdict.status == "cannot tell" for verdict in self.verdicts.values()):
            return f"{self.called}: nothing can be said of it"
        what = "gradients" if self.called == "bprop" else "updates"
        return f"{self.called}: all {what} are right" + (", but:" if self.remarks else "")

    def _margin(self) -> list[str]:
        """Write a line for each verdict; what several have in common is written once."""
        groups: dict[Verdict, list[str]] = {}
        for name, verdict in self.verdicts.items():
            groups.setdefault(verdict, []).append(name)
        width = max((len(", ".join(names)) for names in groups.values()), default=0)
        lines = []
        for verdict, names in groups.items():
            causes = (
                verdict.causes or ("no known cause fits",) * (verdict.status == "wrong") or ("",)
            )
            for i, cause in enumerate(causes):
                label = f"{', '.join(names):{width}}  {verdict.status:5}"
                lines.append(f"{label if i == 0 else ' ' * len(label)}  {cause}".rstrip())
        return lines

    def _rest(self) -> list[str]:
        lines = [f"* {remark}" for remark in self.remarks]
        lines += self.evidence
        for name, (words, _) in self.expected.items():
            lines += [f"right: ∂{name} = {words}"] * bool(words)
        lines += self.notes
        lines += [f"not seen: {line}" for line in self.blind_spots]
        return lines

    def markdown(self) -> str:
        """Give the same as Markdown, with the counterexample."""
        lines = [f"**{self._head()}**", "", "| gradient | | why |", "|---|---|---|"]
        for name, verdict in self.verdicts.items():
            causes = "<br>".join(verdict.causes).replace("|", "\\|")
            lines.append(f"| {name} | {verdict.status} | {causes} |")
        lines += ["", *[f"- {line}" for line in self._rest()]]
        if self.counterexample:
            lines += ["", "```python", self.counterexample, "```"]
        return "\n".join(lines)

    def __repr__(self) -> str:
        wrong = sum(v.status == "wrong" for v in self.verdicts.values())
        return f"<Diagnosis: {wrong} of {len(self.verdicts)} wrong, {len(self.remarks)} remarks>"


class BackpropError(AssertionError):
    """A backward pass is wrong; the message is the diagnosis."""

    def __init__(self, diagnosis: Diagnosis) -> None:
        super().__init__(str(diagnosis))
        self.diagnosis = diagnosis


def worst(given: Any, right: Array, name: str, label: str) -> str:
    """Write the entry that is furthest from what it should be."""
    given = np.asarray(given)
    if given.shape != right.shape:
        return f"{name}: shape {list(given.shape)}, should be {list(right.shape)} ({label})"
    place = tuple(int(i) for i in np.unravel_index(np.abs(given - right).argmax(), right.shape))
    where = f"[{', '.join(map(str, place))}]" if place else ""
    return (
        f"{name}{where}: given {given[place]:.6g}, slope of the loss {right[place]:.6g} ({label})"
    )
