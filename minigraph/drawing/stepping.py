"""The page that steps through a graph: forward node by node, then backward edge by edge."""

import base64
import hashlib
import html
import json
import os
import re
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from minigraph.drawing.gradients import Gradients, Size
from minigraph.drawing.numbers import corners, summary
from minigraph.drawing.recording import Recording
from minigraph.drawing.rendering import laid_out
from minigraph.drawing.text import expression, formula, operand, type_of, written_size
from minigraph.files import as_path, write_whole
from minigraph.graph import Graph
from minigraph.tensor import Tensor

__all__ = ["Step", "Steps", "steps_of"]

SUFFIXES = (".html", ".txt")


@dataclass
class Step:
    """What happens at one time: a node is computed, or a part of its gradient arrives."""

    node: str  # ids as in the DOT text
    edge: str  # on which the part came back; "" for a seed, and forward
    backward: bool
    name: str
    text: str  # the statement, for numbers with what it gives
    entries: str = ""  # of an array
    size: str = ""
    state: str = ""  # of a sum: how much of it is there
    total: str = ""  # the entries of that


class Steps:
    """A graph step by step: forward node by node, then backward edge by edge.

    ``print(steps)`` lists the steps with their numbers; `render` writes a page that shows them in
    the drawn graph, one at a time. Everything is copied when it is made.
    """

    def __init__(
        self, source: str, steps: list[Step], heads: dict[str, str], title: str = ""
    ) -> None:
        self._source = source
        self._steps = steps
        self._heads = heads  # of the edges
        self._title = title

    def html(self) -> str:
        """Give the page as text: one file that needs no other, and no network.

        Raises
        ------
        DotNotFound, DotFailed
            If the graph cannot be drawn, as by `Drawing.render`.
        """
        svg = laid_out(self._source, "svg", "the page of steps").decode()
        folder = files("minigraph.drawing")
        page, style, script = (
            folder.joinpath(f"steps.{suffix}").read_text("utf-8")
            for suffix in ("html", "css", "js")
        )
        digest = hashlib.sha256(script.encode()).digest()
        return Template(page).substitute(
            title=html.escape(self._title or "Step by step"),
            hash=base64.b64encode(digest).decode(),
            style=style,
            svg=svg[svg.index("<svg") :],
            data=_inert({"steps": [asdict(step) for step in self._steps], "heads": self._heads}),
            script=script,
        )

    def render(self, path: str | os.PathLike[str]) -> Path:
        """Write the page into a file, which is replaced only when all went well.

        Parameters
        ----------
        path : path-like
            With suffix .html; with .txt the list of steps is written.

        Returns
        -------
        pathlib.Path
            The file.

        Raises
        ------
        ValueError
            If the suffix is another.
        DotNotFound, DotFailed
            As by `Drawing.render`.
        OSError
            If the file cannot be written.
        """
        path = as_path(path, "render: path")
        if path.suffix.lower() not in SUFFIXES:
            raise ValueError(f"render: {path.name!r} has neither suffix .html nor .txt")
        text = self.html() if path.suffix.lower() == ".html" else f"{self}\n"
        return write_whole(path, text.encode())

    def __str__(self) -> str:
        places = [str(i) for i in range(1, len(self._steps) + 1)]
        rows = [
            (place, f"{step.text}  {step.size}".rstrip(), step.state)
            for place, step in zip(places, self._steps)
        ]
        widths = [max(map(len, column)) for column in zip(*rows)]
        return "\n".join(
            f"{place:>{widths[0]}}  {text:{widths[1]}}  {state}".rstrip()
            for place, text, state in rows
        )

    def __repr__(self) -> str:
        backward = sum(step.backward for step in self._steps)
        return f"<Steps: {len(self._steps) - backward} forward, {backward} backward>"

    def _repr_html_(self) -> str:
        """Show the page in a notebook, or the list of steps and why there is no page."""
        try:
            page = html.escape(self.html())
        except Exception as error:
            return f"<pre>{html.escape(f'{self}')}\n{html.escape(str(error))}</pre>"
        style = "width: 100%; height: 36em; border: 1px solid #ccc"
        return f'<iframe sandbox="allow-scripts" style="{style}" srcdoc="{page}"></iframe>'


def _inert(data: Any) -> str:
    """Write JSON that cannot end the script element that it stands in."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False)
    return re.sub("[&<>\u2028\u2029]", lambda found: f"\\u{ord(found[0]):04x}", text)


# What the steps say


def steps_of(recording: Recording, graph: Graph) -> list[Step]:
    """List the steps: each node in order of recording, then each part of a gradient as it comes."""
    steps = [_forward(recording, k) for k in range(len(recording))]
    if any(output.requires_grad for output in graph.outputs):
        return steps + _Backward(recording, graph).steps
    steps[-1].state = f"no gradient flows to {recording.short[-1]}"
    return steps


def _forward(recording: Recording, k: int) -> Step:
    value, kind = recording.values[k], recording.kind(k)
    array = value._array if type(value) is Tensor else value
    made = recording.text(k)
    step = Step(f"n{k}", "", False, recording.short[k], recording.short[k])
    if made is not None:
        step.text += f" = {made.text}"
    if value.shape:
        step.entries = corners(array)
        words = [kind] * (kind != "op") + [type_of(value), summary(array).text]
        step.size = "  ".join(words)
        return step
    figures = recording.figures(k) if type(value) is Tensor and value.op is not None else None
    inserted = "" if figures is None else expression(value, figures).text
    step.text += _amounting(inserted, summary(array).text)
    return step


def _amounting(inserted: str, result: str) -> str:
    """Write an expression with numbers inserted, where that can be read, and what it gives."""
    if not inserted or inserted == result or re.search(r"\d\.[a-z]", inserted):
        return f" = {result}"
    return f" = {inserted} = {result}"


class _Backward(Gradients):
    """The one reverse sweep, with each part in words: the arrays live during the sweep only."""

    def __init__(self, recording: Recording, graph: Graph) -> None:
        self.recording = recording
        self.steps: list[Step] = []
        self._edges = {(use.head, use.slot): e for e, use in enumerate(recording.uses)}
        self._sums_so_far: list[tuple[Tensor, Size]] = []
        super().__init__(graph)
        self._tell_what_is_to_come()

    def add(
        self, tensor: Tensor, part: Any, total: Any, consumer: Tensor | None = None, slot: int = 0
    ) -> Size:
        size = super().add(tensor, part, total, consumer, slot)
        k = self.recording.place[id(tensor)]
        step = Step(f"n{k}", "", True, f"∂{self.recording.short[k]}", "")
        if consumer is None:
            step.text = f"{step.name} = seed"
        else:
            e = self._edges[self.recording.place[id(consumer)], slot]
            step.edge = f"e{e}"
            step.text = f"{step.name} += {self.recording.formula(self.recording.uses[e])}"
        if tensor.ndim:
            step.entries = corners(part)
            step.size = f"{type_of(tensor)}  ‖ ‖ = {written_size(size)}"
            if self.counts[tensor.number] > 1:
                step.total = corners(total)
        else:
            step.text += _amounting(self._inserted(consumer, slot), written_size(size))
        self.steps.append(step)
        self._sums_so_far.append((tensor, self.totals[tensor.number]))
        return size

    def _inserted(self, consumer: Tensor | None, slot: int) -> str:
        """Write a formula with the numbers that it was computed from; "" if one is an array."""
        if consumer is None or consumer.ndim:
            return ""
        figures = self.recording.figures(self.recording.place[id(consumer)])
        if figures is None:
            return ""
        y, g = operand(consumer.data), operand(self.totals[consumer.number])
        return formula(consumer, slot, figures, y, g)

    def _tell_what_is_to_come(self) -> None:
        seen = dict.fromkeys(self.counts, 0)
        for step, (tensor, total) in zip(self.steps, self._sums_so_far):
            seen[tensor.number] += 1
            count, whole = seen[tensor.number], self.counts[tensor.number]
            if whole > 1:
                left = f"sum of {whole}" if count == whole else f"so far, {whole - count} to come"
                label = f"‖{step.name}‖" if tensor.ndim else step.name
                step.state = f"{label} = {written_size(total)}, {left}"
