"""What a drawing shows, in words: boxes and arrows, from which DOT and the listing are written."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minigraph.drawing.folding import Unit, choose_units, inline, nearest
from minigraph.drawing.gradients import Gradients, Size
from minigraph.drawing.numbers import count_broken, summary
from minigraph.drawing.recording import Recording, Scope, Use
from minigraph.drawing.text import Term, broken, clean, type_of, written_size
from minigraph.tensor import Tensor

__all__ = ["Arrow", "Box", "Options", "Picture", "check_title", "check_whole", "picture"]

DIRECTIONS = ("TB", "LR", "BT", "RL")

Marks = dict[int, dict[int | None, str]]


@dataclass(frozen=True)
class Options:
    """What `draw` was asked for."""

    values: bool = True
    grads: bool = False
    depth: int | None = None
    fold: bool = False
    max_nodes: int | None = 200
    backward: bool = False
    rankdir: str = "TB"
    legend: bool = True
    title: str = ""

    def __post_init__(self) -> None:
        check_whole("draw: depth", self.depth, 0)
        check_whole("draw: max_nodes", self.max_nodes, 1)
        check_title("draw", self.title)
        if self.rankdir not in DIRECTIONS:
            known = ", ".join(DIRECTIONS)
            raise ValueError(f"draw: rankdir is one of {known}, not {self.rankdir!r}")


def check_whole(what: str, value: int | None, least: int) -> None:
    """Refuse what is neither None nor a whole number of at least `least`."""
    if value is None:
        return
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{what} is a whole number or None, not {value!r}")
    if value < least:
        raise ValueError(f"{what} is at least {least} (or None), not {value}")


def check_title(what: str, title: str) -> None:
    """Refuse a title that is no text."""
    if not isinstance(title, str):
        raise TypeError(f"{what}: title is a string, not {title!r}")


@dataclass
class Box:
    """A node with its rows of text."""

    id: str
    kind: str
    scope: Scope
    title: str
    grey: list[str]  # kind, dtype and shape; of a folder what is in it
    value: str = ""
    gradient: str = ""
    tooltip: str = ""
    formula: str = ""  # in the listing, of a backward graph
    broken: int = 0  # NaN and infinite entries
    focus: bool = False
    mark: str = ""  # what is wrong with it
    has_output: bool = False  # folded into it


@dataclass
class Arrow:
    """An edge, or several drawn as one."""

    id: str
    tail: str
    head: str
    flows: bool
    label: list[str] = field(default_factory=list)
    tooltip: str = ""
    mark: str = ""
    firm: bool = False  # kept short, so that side branches lie near what they join


@dataclass
class Picture:
    """All that is drawn, in order."""

    options: Options
    boxes: list[Box] = field(default_factory=list)
    arrows: list[Arrow] = field(default_factory=list)
    clusters: dict[Scope, str] = field(default_factory=dict)
    total: int = 0  # nodes of the graph
    drawn: int = 0  # of which a box stands for so many
    seeded: str = ""  # of what these are the gradients

    @property
    def note(self) -> str:
        """Say how much is missing."""
        left = self.total - self.drawn
        if not left:
            return ""
        return f"… {left:,} of {self.total:,} nodes not drawn (max_nodes={self.options.max_nodes})"


def picture(
    recording: Recording,
    gradients: Gradients | None,
    focus: int | None,
    options: Options,
    marks: Marks | None = None,
) -> Picture:
    """Choose what is drawn of a recording, and write its texts.

    `marks` say what is wrong: by node, and there by input, or None for the node itself.
    """
    return _Painter(recording, gradients, focus, options, marks or {}).picture


class _Painter:
    def __init__(
        self,
        recording: Recording,
        gradients: Gradients | None,
        focus: int | None,
        options: Options,
        marks: Marks,
    ) -> None:
        self.recording = recording
        self.marks = marks
        self.gradients = gradients
        self.focus = focus
        self.options = options
        self.texts: dict[int, Term | None] = {}
        self.hosts: dict[int, int] = {}
        self.coming: dict[int, list[Use]] = {}  # the edges that a cotangent comes from
        nodes = self._nodes()
        limit = options.max_nodes
        units = choose_units(recording, nodes, self.hosts, options.depth, focus, limit)
        kept = nearest(recording, units, focus, limit)
        self.picture = Picture(
            options,
            clusters={scope: f"c{i}" for scope, i in recording.clusters.items()},
            total=len(nodes),
            drawn=sum(len(unit.members) for unit in kept),
            seeded=self._seeded(gradients) if gradients else "",
        )
        for unit in kept:
            self.picture.boxes.append(self._folder(unit) if unit.is_folder else self._box(unit))
        self._add_arrows(kept)

    def _nodes(self) -> Sequence[int]:
        """List what there is to draw, and find what is written inside other expressions."""
        recording, focus = self.recording, self.focus
        nodes: Sequence[int] = range(len(recording))
        if self.options.backward:
            nodes = [k for k in nodes if self._has_gradient(k)]
            if focus is not None and not self._has_gradient(focus):
                raise ValueError(
                    f"draw: no gradient flows to focus, {self._name(focus)}, so it is not in the "
                    "backward graph"
                )
            for use in recording.uses:
                if self._part(use) is not None:
                    self.coming.setdefault(use.tail, []).append(use)
        elif self.options.fold:
            keep = recording.outputs if focus is None else recording.outputs | {focus}
            self.hosts, texts = inline(recording, keep)
            self.texts.update(texts)
        return nodes

    def _has_gradient(self, k: int) -> bool:
        value = self.recording.values[k]
        return (
            self.gradients is not None
            and type(value) is Tensor
            and value.number in self.gradients.totals
        )

    def _name(self, k: int) -> str:
        return self.recording.short[k]

    def _seeded(self, gradients: Gradients) -> str:
        """Name what is differentiated: the outputs' sum, if they are no single number."""
        terms = []
        for output in gradients.seeds.values():
            name = self._name(self.recording.place[id(output)])
            terms.append(name if output.size == 1 else f"sum({name})")
        return terms[0] if len(terms) == 1 else f"({' + '.join(terms)})"

    # Boxes

    def _box(self, unit: Unit) -> Box:
        k = unit.node
        value = self.recording.values[k]
        kind = self.recording.kind(k)
        box = Box(
            id=f"n{k}",
            kind=kind,
            scope=self.recording.scope(k),
            title=self._titled(k, self._name(k)),
            grey=[],
            focus=k == self.focus,
            mark="; ".join(self.marks.get(k, {}).values()),
        )
        seen = summary(_array(value)) if self.options.values else None
        if self.options.backward:
            self._fill_backward(box, k)
        else:
            self._fill_forward(box, k, seen)
        shown = not value.shape and (seen is not None or self.options.backward)
        words = ["" if box.kind == "op" else box.kind, "" if shown else type_of(value)]
        box.grey = [" ".join(filter(None, words))] if any(words) else []
        made = f" = {box.formula}" if box.formula else ""
        details = [
            self._titled(k, self.recording.names[k]) + made,
            kind,
            type_of(value),
            f"{_bytes(value):,} bytes",
        ]
        if seen is not None and not self.options.backward:
            details.append(seen.extremes)
        details.append(box.mark)
        box.tooltip = "; ".join(filter(None, details))
        return box

    def _titled(self, k: int, name: str) -> str:
        if self.options.backward:
            return f"∂{name}"
        if k not in self.texts:
            self.texts[k] = self.recording.text(k)
        text = self.texts[k]
        return f"{name} = {text.text}" if text else name

    def _fill_forward(self, box: Box, k: int, seen: Any) -> None:
        if seen is not None:
            box.value, box.broken = seen.text, seen.broken
        if self.options.grads and self._has_gradient(k):
            box.gradient = self._gradient(k)

    def _fill_backward(self, box: Box, k: int) -> None:
        assert self.gradients is not None
        node = self.recording.values[k]
        count = self.gradients.counts[node.number]
        seed = node.number in self.gradients.seeds
        text = self._gradient(k) if node.ndim else written_size(self.gradients.totals[node.number])
        box.value = f"{text}, sum of {count}" if count > 1 else text
        size = self.gradients.totals[node.number]
        box.broken = int(size is not None and not np.isfinite(size))
        parts = ["seed"] if seed else []
        parts += [self.recording.formula(use) for use in self.coming.get(k, ())]
        box.formula = " + ".join(parts)
        if seed:
            box.kind = "seed"

    def _gradient(self, k: int) -> str:
        assert self.gradients is not None
        node = self.recording.values[k]
        size = self.gradients.totals[node.number]
        name = self._name(k)
        label = f"‖∂{name}‖" if node.ndim else f"∂{name}"
        return f"{label} = {written_size(size)}"

    def _folder(self, unit: Unit) -> Box:
        first, last = unit.scopes[0], unit.scopes[-1]
        times = len(unit.scopes)
        each = f"{times:,} × " if times > 1 else ""
        nodes = len(unit.members) // times
        size = sum(_entries(self.recording, k) for k in unit.members) // times
        grey = [f"{each}{nodes:,} node{'s' * (nodes != 1)}"]
        if size:
            grey.append(f"{each}{size:,} parameter{'s' * (size != 1)}")
        ends = [self._name(k) for k in unit.members if k in self.recording.outputs]
        grey += [f"output {', '.join(ends)}"] * bool(ends)
        name = clean(first[-1], 40) + (f" … {clean(last[-1], 40)}" if times > 1 else "")
        box = Box(
            id=self.picture.clusters[first],
            kind="folder",
            scope=first[:-1],
            title=f"∂ {name}" if self.options.backward else name,
            grey=grey,
            has_output=bool(ends),
            tooltip=" / ".join(first) + (f" … {' / '.join(last)}" if times > 1 else ""),
        )
        value = self.recording.values[unit.node]
        if not self.options.values or self.options.backward:
            return box
        box.broken = sum(count_broken(_array(self.recording.values[k])) for k in unit.members)
        seen = summary(_array(value)).text if not value.shape else type_of(value)
        box.value = f"{box.broken} NaN/Inf, {seen}" if box.broken else seen
        return box

    # Arrows

    def _part(self, use: Use) -> tuple[Size] | None:
        """Give what comes back on an edge, wrapped; None where nothing does."""
        head = self.recording.values[use.head]
        if self.gradients is None or (head.number, use.slot) not in self.gradients.parts:
            return None
        return (self.gradients.parts[head.number, use.slot],)

    def _add_arrows(self, units: list[Unit]) -> None:
        home = {k: i for i, unit in enumerate(units) for k in unit.members}
        merged: dict[tuple[int, int], Arrow] = {}
        for e, use in enumerate(self.recording.uses):
            if use.tail not in home or use.head not in home:
                continue
            ends = home[use.tail], home[use.head]
            if ends[0] == ends[1] or (self.options.backward and self._part(use) is None):
                continue
            single = not (units[ends[0]].is_folder or units[ends[1]].is_folder)
            if ends in merged and not single:
                merged[ends].flows |= use.flows
                continue
            arrow = merged[ends] = self._arrow(e, use, ends, single)
            self.picture.arrows.append(arrow)
        if self.hosts:  # what is written inside another may use the same input, for no gradient
            flowing = {(arrow.tail, arrow.head) for arrow in self.picture.arrows if arrow.flows}
            self.picture.arrows = [
                arrow
                for arrow in self.picture.arrows
                if arrow.flows or (arrow.tail, arrow.head) not in flowing
            ]

    def _arrow(self, e: int, use: Use, ends: tuple[int, int], single: bool) -> Arrow:
        tail, head = (self.picture.boxes[end] for end in ends)
        firm = bool(self.recording.inputs(use.tail)) or tail.kind == "folder"
        arrow = Arrow(f"e{e}", tail.id, head.id, use.flows, firm=firm)
        arrow.mark = self.marks.get(use.head, {}).get(use.slot, "")
        if self.options.backward:
            arrow.tail, arrow.head = head.id, tail.id
        if not single:
            return arrow
        part = self._part(use)
        name = self._name(use.tail)
        if use.flows:
            arrow.tooltip = f"∂{name} += {self.recording.formula(use)}"
        else:
            arrow.tooltip = f"no gradient flows to {name} here"
        arrow.tooltip += f"; {arrow.mark}" if arrow.mark else ""
        if part is None:
            return arrow
        if self.options.backward:
            arrow.label = broken(clean(self.recording.formula(use), 80), 24)
        input = self.recording.values[use.tail]
        if self.gradients and self.gradients.counts[input.number] > 1:
            sign = "←" if not self.options.backward else "‖ ‖ =" if input.shape else "="
            arrow.label.append(f"{sign} {written_size(part[0])}")
        return arrow


def _array(value: Any) -> Any:
    return value._array if type(value) is Tensor else value


def _bytes(value: Any) -> int:
    return int(math.prod(value.shape) * value.dtype.itemsize)


def _entries(recording: Recording, k: int) -> int:
    return int(recording.values[k].size) if recording.kind(k) == "parameter" else 0
