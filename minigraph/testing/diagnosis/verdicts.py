"""The diagnosis as a teacher would write it in the margin."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from minigraph.arrays import Array
from minigraph.drawing import Drawing
from minigraph.drawing.dot import source
from minigraph.drawing.listing import listing
from minigraph.drawing.picture import Options, picture
from minigraph.drawing.recording import Recording
from minigraph.graph import Graph
from minigraph.tensor import Tensor

__all__ = ["BackpropError", "Diagnosis", "Verdict"]

SHOWN = 3  # changes of a rule, where many give the same numbers


class Verdict(NamedTuple):
    """What is said of one gradient: "right", "wrong" or "cannot tell", and why."""

    status: str
    causes: tuple[str, ...] = ()


class Diagnosis:
    """What is right and wrong with a backward pass, or a training step, written by hand.

    Attributes
    ----------
    verdicts : dict of str to Verdict
        By parameter; of other keys of bprop too, where they could be checked; and "fprop" is wrong
        where `graph` shows that the loss is, and not the gradients.
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
    graph : Tensor or None
        The loss that `graph` built, on the first problem.
    marks : list of (int, int, str)
        The rules known to be wrong: the node's number in that graph, which input's, and the cause.
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
        self.graph: Tensor | None = None
        self.marks: list[tuple[int, int, str]] = []

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong, as far as could be seen."""
        right = all(verdict.status == "right" for verdict in self.verdicts.values())
        return bool(self.verdicts) and right and not self.remarks

    def __str__(self) -> str:
        return "\n".join([self._head(), *self._margin(), *self._rest()])

    def _head(self) -> str:
        wrong = [name for name, verdict in self.verdicts.items() if verdict.status == "wrong"]
        if "fprop" in wrong:
            others = ", ".join(name for name in wrong if name != "fprop")
            but = f"; wrong besides: {others}" if others else ", and the gradients are right"
            return f"fprop: the loss is wrong{but}"
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
            unknown = "no known cause fits" if verdict.status == "wrong" else ""
            causes = _first(verdict.causes) or [unknown]
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

    def draw(self, **options: Any) -> Drawing:
        """Draw the graph of the loss, with what is wrong in vermillion.

        That is the rule which is known to be wrong: the arrow that its gradient comes back on, and
        the node it belongs to, with the cause. Where no rule is known, it is the parameters whose
        gradients are wrong; and where the loss is, its node.

        Parameters
        ----------
        **options
            Those of `minigraph.draw` that say how it looks: `values`, `depth`, `max_nodes`,
            `rankdir`, `legend`, `title`.

        Returns
        -------
        Drawing
            ``print`` lists it; `render` writes a file.

        Raises
        ------
        ValueError
            If there is no graph: none was given to `check_bprop`, or it could not be built.
        """
        if self.graph is None:
            raise ValueError(
                "draw: there is no graph of the loss to draw; give graph= to check_bprop, a "
                "function (params, x, y, lam) that builds the loss of tensors"
            )
        graph = Graph(self.graph)
        recording = Recording(graph)
        chosen = picture(recording, None, None, Options(**options), self._marked(graph, recording))
        title = chosen.options.title
        return Drawing(source(chosen), listing(chosen), chosen.total, chosen.drawn, title)

    def _marked(self, graph: Graph, recording: Recording) -> dict[int, dict[int | None, str]]:
        """Say what is wrong, by node of the recording and input; None where it is the node."""
        found: dict[int, dict[int | None, str]] = {}
        for k, slot, words in self.marks:
            found.setdefault(recording.place[id(graph.nodes[k])], {})[slot] = words
        if found:
            return found
        wrong = {name: v.causes for name, v in self.verdicts.items() if v.status == "wrong"}
        for node in graph.nodes:
            name = "fprop" if node is self.graph else node.name if node.op is None else ""
            if name in wrong:
                words = "; ".join(wrong[name]) or f"∂{name} is wrong"
                found[recording.place[id(node)]] = {None: words}
        return found

    def __repr__(self) -> str:
        wrong = sum(v.status == "wrong" for v in self.verdicts.values())
        return f"<Diagnosis: {wrong} of {len(self.verdicts)} wrong, {len(self.remarks)} remarks>"


def _first(causes: Sequence[str]) -> list[str]:
    """Leave out most of the changes of a rule that give the same numbers, and say how many."""
    changes = [cause for cause in causes if cause.startswith("∂")]
    left = len(changes) - SHOWN
    if left <= 0:
        return list(causes)
    kept = [cause for cause in causes if cause not in changes[SHOWN:]]
    return [*kept, f"or one of {left} other changes of a rule that give the same numbers"]


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
    slope = right[place] + 0.0  # minus zero is no news
    return f"{name}{where}: given {given[place]:.6g}, slope of the loss {slope:.6g} ({label})"
