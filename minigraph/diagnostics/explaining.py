"""Why a gradient is None, 0 or 0.37: the parts that the sweep sends back, and what cut them off."""

import html
from collections.abc import Mapping, Sequence
from typing import Any, overload

import numpy as np

from minigraph.diagnostics.causes import Cause
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
from minigraph.methods import Operand
from minigraph.nn import Module
from minigraph.tensor import Tensor

__all__ = ["Explanation", "Explanations", "explain"]

Index = int | tuple[int, ...]
MANY = 12  # so many causes are printed


class Explanation:
    """Why a gradient is what it is; ``print`` tells it.

    Attributes
    ----------
    loss, x : Tensor
    index : int, tuple of int or None
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
        self, loss: Tensor, x: Tensor, index: Index | None, depth: int, flow: Flow, names: Names
    ) -> None:
        self.loss, self.x, self.index = loss, x, index
        self._names = names
        self._seeded = f"∂{names.short(loss)}/∂{names.short(x)}{_subscript(index)}"
        self.gradient: Any = None
        self.causes: tuple[Cause, ...] = ()
        self.shares: tuple[Share, ...] = ()
        self.zeros = 0
        self.remarks: tuple[str, ...] = ()
        if not flow.reaches(x):
            self.causes = tuple(why_none(loss, x, names))
            return
        total = flow.cotangents[x.number]
        self.gradient = total[()] if index is None else total[index]
        where = np.zeros(x.shape, bool)
        where[() if index is None else index] = True
        where &= total == 0
        self.zeros = int(where.sum())
        self.shares = shares_of(flow, names, x, depth, index)
        if self.zeros:
            self.causes = tuple(why_zero(flow, names, x, where))
        self.remarks = tuple(self._remarked(flow))

    @property
    def verdict(self) -> str:
        """Tell in a word what the gradient is."""
        if self.gradient is None:
            return "none"
        return "zero" if self.zeros == np.size(self.gradient) else "number"

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
        remarks += saturation(flow, self._names)
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
        if self.gradient is None:
            return f"{self._seeded} is None: no gradient flows to {self._names.label(self.x)}"
        size = size_of(self.gradient)
        if np.ndim(self.gradient) == 0:
            return f"{self._seeded} = {number(size)}"
        if self.verdict == "zero":
            return f"{self._seeded} is 0 in all {self.gradient.size:,} entries"
        zeros = f", 0 in {self.zeros:,} of {self.gradient.size:,} entries" if self.zeros else ""
        return f"‖{self._seeded}‖ = {number(size)}{zeros}"

    def __str__(self) -> str:
        lines = [self._headline()]
        lines += [f"  because {cause.text}" for cause in self.causes[:MANY]]
        if len(self.causes) > MANY:
            lines.append(f"  … and {len(self.causes) - MANY:,} more causes")
        lines += written_shares(self.shares)
        lines += [f"  note: {remark}" for remark in self.remarks]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<Explanation: {self._headline()}>"

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"

    def draw(self, **options: Any) -> Drawing:
        """Draw the graph of the loss around `x`, with gradients, and the causes in vermillion.

        Parameters
        ----------
        **options
            `values`, `grads`, `depth`, `max_nodes`, `rankdir`, `legend` and `title`, as for
            `mg.draw`.

        Returns
        -------
        Drawing
        """
        graph = Graph(self.loss)
        recording = self._names.recording
        options.setdefault("grads", self.loss.requires_grad)
        gradients = Gradients(graph) if options["grads"] else None
        marks: dict[int, dict[int | None, str]] = {}
        for cause in self.causes:
            node = self.loss if cause.node is None else cause.node
            if (place := recording.place.get(id(node))) is not None:
                slot = cause.slot if node is cause.node else None
                marks.setdefault(place, {})[slot] = cause.kind
        focus = recording.place.get(id(self.x))
        if focus is None and self.causes:
            focus = recording.place.get(id(self.causes[0].end))
        options.setdefault("title", self._headline())
        chosen = picture(recording, gradients, focus, Options(**options), marks)
        return Drawing(
            source(chosen), listing(chosen), chosen.total, chosen.drawn, chosen.options.title
        )


class Explanations(Mapping[str, Explanation]):
    """Explanations by name, as a table: those without gradient first, then those that are 0.

    ``explanations["W1"]`` is that of one parameter.
    """

    def __init__(self, found: Mapping[str, Explanation]) -> None:
        order = {"none": 0, "zero": 1, "number": 2}
        self._found = dict(sorted(found.items(), key=lambda item: order[item[1].verdict]))

    def __getitem__(self, name: str) -> Explanation:
        return self._found[name]

    def __iter__(self) -> Any:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """The table: name, gradient, entries that are 0, dead units, the first cause."""
        return [(name, *_row(one)) for name, one in self._found.items()]

    def __str__(self) -> str:
        table = [HEADS, *self.rows]
        widths = [max(map(len, column)) for column in zip(*table)]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
            for row in table
        )

    def __repr__(self) -> str:
        without = sum(one.verdict == "none" for one in self._found.values())
        return f"<Explanations of {len(self)} gradients, {without} of them None>"

    def _repr_html_(self) -> str:
        return html_table(HEADS, self.rows)


HEADS = ("", "‖gradient‖", "zeros", "dead units", "because")


def _row(one: Explanation) -> tuple[str, ...]:
    because = one.causes[0].text if one.causes else ""
    if one.gradient is None:
        return "None", "", "", because
    size = number(size_of(one.gradient))
    zeros = f"{one.zeros:,} of {np.size(one.gradient):,}"
    dead = {(c.node, unit) for c in one.causes if c.kind == "closed" for unit in c.units}
    return size, zeros, str(len(dead)), because


def html_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a table for a notebook."""
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><tr>{head}</tr>{body}</table>"


@overload
def explain(
    loss: Tensor,
    x: Tensor,
    index: Index | None = None,
    depth: int = 1,
    grad: Operand | None = None,
) -> Explanation: ...
@overload
def explain(
    loss: Tensor,
    x: Mapping[str, Tensor] | Module,
    index: None = None,
    depth: int = 1,
    grad: Operand | None = None,
) -> Explanations: ...
def explain(
    loss: Tensor,
    x: Tensor | Mapping[str, Tensor] | Module,
    index: Index | None = None,
    depth: int = 1,
    grad: Operand | None = None,
) -> Explanation | Explanations:
    """Say why the gradient of a loss is None, 0 or 0.37.

    None: where the path from `x` to the loss is cut, with the tensors on both sides. 0: which relus
    are closed, masks, factors of 0, saturation, entries that are not read, shares that cancel, with
    counts. A number: what each consumer of `x` sends back. The numbers are those of the one reverse
    sweep; `.grad` is neither read nor written.

    A tensor made under `no_grad` or by `detach` keeps no inputs. Such a cut is found by what it
    shares with living tensors that were made from `x`: memory, the counter of writes, or values.
    Where nothing tells, what may hide the path is listed as that.

    Parameters
    ----------
    loss : Tensor
        A scalar, unless `grad` gives its cotangent.
    x : Tensor, mapping of str to Tensor, or Module
        Of a mapping, or the parameters of a module, a table is given.
    index : int or tuple of int, optional
        One entry of `x`; by default the whole tensor, with norms and counts.
    depth : int
        How far down the graph shares are told: 1 for those of `x`, 2 for those of its consumers
        too, and so on.
    grad : array_like, optional
        The cotangent of `loss`, of its shape.

    Returns
    -------
    Explanation or Explanations
        ``print`` tells it, ``draw`` draws an Explanation.

    Raises
    ------
    TypeError
        If `loss` or `x` is no Tensor, or holds an array that is not NumPy's.
    IndexError
        If `index` is not an entry of `x`.
    ValueError
        If `loss` is not a scalar and `grad` is missing or of another shape; if `depth` is below 1.
    RuntimeError
        If an array that a formula reads has been written since.

    Examples
    --------
    >>> import minigraph as mg
    >>> a = mg.Tensor([2.0, -1.0], requires_grad=True, name="a")
    >>> loss = (mg.relu(a) + a * a).sum()
    >>> print(mg.explain(loss, a, index=0))
    ∂v4/∂a[0] = 5
      2  ∂v2 * a        to v2 = a * a, a
      2  ∂v2 * a        to v2 = a * a, b
      1  ∂v1 * sign(v1)  to v1 = relu(a), x
    >>> print(mg.explain((mg.relu(a) * 3).sum(), a, index=1))
    >>> h = a * 2
    >>> print(mg.explain(h.detach().sum(), a))
    """
    if not isinstance(loss, Tensor):
        raise TypeError(f"explain: loss is a Tensor, not {type(loss).__name__}")
    _check_depth(depth)
    if isinstance(x, Module):
        x = x.parameters()
    wanted = x if isinstance(x, Mapping) else {"x": x}
    for name, tensor in wanted.items():
        if not isinstance(tensor, Tensor):
            place = name if tensor is x else f"x[{name!r}]"
            raise TypeError(
                f"explain: {place} is a Tensor, or a mapping of names to Tensors, not "
                f"{type(tensor).__name__}"
            )
    if isinstance(x, Mapping) and index is not None:
        raise ValueError("explain: index is for one tensor; give x=params['W1'] in place of all")
    chosen = None if index is None or isinstance(x, Mapping) else _entry(x, index)
    flow = Flow(loss, list(wanted.values()), grad)
    names = Names(loss)
    found = {
        name: Explanation(loss, tensor, chosen, depth, flow, names)
        for name, tensor in wanted.items()
    }
    return Explanations(found) if isinstance(x, Mapping) else found["x"]


def _check_depth(depth: int) -> None:
    if not isinstance(depth, int) or isinstance(depth, bool):
        raise TypeError(f"explain: depth is a whole number, not {depth!r}")
    if depth < 1:
        raise ValueError(f"explain: depth is at least 1, not {depth}")


def _entry(x: Tensor, index: Any) -> tuple[int, ...]:
    """Check that an index names one entry."""
    given = index if isinstance(index, tuple) else (index,)
    for i in given:
        if not isinstance(i, int | np.integer) or isinstance(i, bool):
            raise IndexError(f"explain: index holds whole numbers, not {i!r}")
    if len(given) != x.ndim:
        raise IndexError(
            f"explain: index {index!r} has {len(given)} numbers, but {x._label()} has {x.ndim} "
            "axes; give one for each"
        )
    for axis, (i, n) in enumerate(zip(given, x.shape)):
        if not -n <= i < n:
            raise IndexError(
                f"explain: index {index!r} is out of range for {x._label()}: axis {axis} has "
                f"{n} entries"
            )
    return tuple(int(i) for i in given)


def _subscript(index: Any) -> str:
    return "" if not index else f"[{', '.join(map(str, index))}]"
