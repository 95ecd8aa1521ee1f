"""What `explain` gives: the gradient, its shares and causes, as text and as a picture."""

import html
import textwrap
from typing import Any

import numpy as np

from minigraph.diagnostics.causes import Cause, counted
from minigraph.diagnostics.cuts import branches_cut, why_none
from minigraph.diagnostics.flowing import Flow, Names
from minigraph.diagnostics.shares import Share, shares_of, size_of, written_shares
from minigraph.diagnostics.zeros import saturation, why_zero
from minigraph.drawing.dot import source
from minigraph.drawing.gradients import Gradients
from minigraph.drawing.listing import listing
from minigraph.drawing.picture import Options, picture
from minigraph.drawing.rendering import Drawing
from minigraph.drawing.text import number
from minigraph.graph import Graph
from minigraph.tensor import Tensor

__all__ = ["Explanation"]

MANY = 12  # so many causes are printed


class Explanation:
    """Why a gradient is what it is; ``print`` tells it.

    Attributes
    ----------
    loss, x : Tensor
    index : tuple of int or None
        The entry of `x` that was asked for.
    gradient : ndarray, NumPy scalar or None
        Of `x`, or of its entry, as ``mg.grad(loss, x)`` gives it; None where none flows.
    verdict : {"none", "zero", "number"}
        "zero" where it is 0 everywhere.
    causes : tuple of Cause
        Of a gradient that is None the cut, the surest sign first; of entries that are 0 what made
        them 0. Each has a `kind` and a `text`, and the tensors on both sides of a cut.
    shares : tuple of Share
        What each consumer of `x` sends back, largest first. Added up by their `order` they are the
        gradient, to the bit.
    zeros : int
        How many entries of the gradient are 0.
    remarks : tuple of str
        What else should be known.
    """

    def __init__(
        self,
        loss: Tensor,
        x: Tensor,
        index: tuple[int, ...] | None,
        depth: int,
        flow: Flow,
        names: Names,
    ) -> None:
        self.loss, self.x, self.index = loss, x, index
        self._names = names
        self.gradient: Any = None
        self.causes: tuple[Cause, ...] = ()
        self.shares: tuple[Share, ...] = ()
        self.zeros = 0
        self.remarks: tuple[str, ...] = ()
        if not flow.reaches(x):
            causes = why_none(loss, x, names)
            self._names = _of_both_sides(loss, x, names, causes)
            if self._names is not names:
                causes = why_none(loss, x, self._names)  # in words that name both sides
            self.causes = tuple(causes)
            return
        total = flow.cotangents[x.number]
        self.gradient = total[()] if index is None else total[index]
        where = np.zeros(x.shape, bool)
        where[() if index is None else index] = True
        where &= total == 0
        self.zeros = int(where.sum())
        self.shares = shares_of(flow, names, x, depth, index)
        if self.zeros:
            with np.errstate(all="ignore"):
                self.causes = tuple(why_zero(flow, names, x, where))
        self.remarks = tuple(self._remarked(flow))

    @property
    def verdict(self) -> str:
        """Tell in a word what the gradient is."""
        if self.gradient is None:
            return "none"
        return "zero" if self.zeros == np.size(self.gradient) > 0 else "number"

    def _remarked(self, flow: Flow) -> list[str]:
        remarks = []
        x, short = self.x, self._names.short(self.x)
        parts = [np.asarray(share.value) for share in self.shares]
        with np.errstate(all="ignore"):
            gross = np.sum([np.abs(part) for part in parts], axis=0)
            small = np.abs(self.gradient) <= 4 * np.finfo(x.dtype).eps * gross
            near = int(np.sum(small & (np.asarray(self.gradient) != 0)))
            broken = int(np.sum(~np.isfinite(self.gradient)))
        if near and len(parts) > 1:
            remarks.append(
                f"the shares nearly cancel in {near:,} of {np.size(self.gradient):,} entries: "
                "what is left is rounding"
            )
        if broken:
            remarks.append(f"{broken:,} of {np.size(self.gradient):,} entries are NaN or infinite")
        remarks += saturation(flow, self._names, {c.node for c in self.causes})
        remarks += [f"not all of it: {c.text}" for c in branches_cut(self.loss, x, self._names)]
        if x.op is not None and not x._retains_grad:
            remarks.append(
                f"{short}.grad stays None, as {short} is no leaf: call retain_grad() before "
                "backward(), or use mg.grad"
            )
        if not x.requires_grad:
            remarks.append(f"{short}.requires_grad was set to False after it had been recorded")
        return remarks

    def _headline(self) -> str:
        names = self._names
        wanted = f"∂{names.short(self.loss)}/∂{names.short(self.x)}{_subscript(self.index)}"
        if self.gradient is None:
            return f"{wanted} is None: no gradient flows to {names.label(self.x)}"
        size = size_of(self.gradient)
        if np.ndim(self.gradient) == 0:
            return f"{wanted} = {number(size)}"
        if self.verdict == "zero":
            return f"{wanted} is 0 in {counted(self.zeros, self.gradient.size)}"
        zeros = f", 0 in {counted(self.zeros, self.gradient.size)}" if self.zeros else ""
        return f"‖{wanted}‖ = {number(size)}{zeros}"

    def __str__(self) -> str:
        lines = [self._headline()]
        lines += [_wrapped(f"because {cause.text}") for cause in self.causes[:MANY]]
        if len(self.causes) > MANY:
            lines.append(f"  … and {len(self.causes) - MANY:,} more causes")
        lines += written_shares(self.shares)
        lines += [_wrapped(f"note: {remark}") for remark in self.remarks]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<Explanation: {self._headline()}>"

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"

    def draw(
        self,
        *,
        values: bool = True,
        grads: bool | None = None,
        depth: int | None = None,
        max_nodes: int | None = 200,
        rankdir: str = "TB",
        legend: bool = True,
        title: str | None = None,
    ) -> Drawing:
        """Draw the graph of the loss around `x`, with gradients, and the causes in vermillion.

        Parameters
        ----------
        values, depth, max_nodes, rankdir, legend
            As for `mg.draw`.
        grads : bool, optional
            As for `mg.draw`; by default where the loss has a gradient.
        title : str, optional
            By default the first line of the explanation.

        Returns
        -------
        Drawing
        """
        recording = self._names.recording
        grads = self.loss.requires_grad if grads is None else grads
        options = Options(
            values=values,
            grads=grads,
            depth=depth,
            max_nodes=max_nodes,
            rankdir=rankdir,
            legend=legend,
            title=self._headline() if title is None else title,
        )
        gradients = Gradients(Graph(self.loss)) if grads else None
        marks: dict[int, dict[int | None, str]] = {}
        for cause in self.causes:
            node = self.loss if cause.node is None else cause.node
            words = f"{cause.kind} {cause.count:,} of {cause.of:,}" if cause.of else cause.kind
            marks.setdefault(recording.place[id(node)], {})[cause.slot] = words
            if isinstance(cause.source, Tensor) and not cause.of and cause.source in self._names:
                place = recording.place[id(cause.source)]
                marks.setdefault(place, {})[None] = "the path ends here"
        focus = recording.place[id(self.x)]
        chosen = picture(recording, gradients, focus, options, marks)
        return Drawing(source(chosen), listing(chosen), chosen.total, chosen.drawn, options.title)


def _wrapped(text: str) -> str:
    return textwrap.fill(
        text,
        96,
        initial_indent="  ",
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _of_both_sides(loss: Tensor, x: Tensor, names: Names, causes: list[Cause]) -> Names:
    """Take names from both sides of a cut: of the loss, and of what `x` leads to."""
    for cause in causes[:1]:
        if isinstance(cause.source, Tensor) and cause.source not in names:
            names = Names(loss, cause.source)
    return names if x in names else Names(loss, x)


def _subscript(index: Any) -> str:
    return "" if not index else f"[{', '.join(map(str, index))}]"
