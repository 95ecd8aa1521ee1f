"""What a graph keeps in memory, and what would free it."""

import html
import textwrap
from typing import Any, NamedTuple

import numpy as np

from minigraph.graph import Graph
from minigraph.notes import line_of
from minigraph.tensor import Tensor

__all__ = ["Held", "Memory", "memory"]

LONG = 10  # so many additions in a row look like a running total
MANY = 20  # so many rows are printed


class Held(NamedTuple):
    """What the results of one op, on one line, or leaves of one kind keep.

    Parameters
    ----------
    what : str
        The name of the op; "parameter", "input", "constant" or "operand" for leaves.
    line : Line or None
        Where the op was called, if that is known.
    nodes : int
        How many tensors, views included; of operands, how many arrays.
    arrays : int
        How many distinct arrays they hold that none before them holds.
    bytes : int
        Of these arrays.
    """

    what: str
    line: Any
    nodes: int
    arrays: int
    bytes: int


class Memory:
    """What the graph behind a tensor keeps; ``print`` gives a table with the total.

    An array that several nodes share, or show as views, counts once, with all of the memory that
    it is a view of, for the node that was recorded first.

    Attributes
    ----------
    rows : tuple of Held
        Largest first.
    total, leaves, intermediates : int
        Bytes. `leaves` stay when the graph is dropped: parameters, inputs, operands.
    nodes : int
        Tensors in the graph.
    chain : int
        How many additions in a row the tensor is the end of: a running total has many.
    advice : tuple of str
        What would free it.
    """

    def __init__(self, loss: Tensor) -> None:
        graph = Graph(loss)
        held: dict[tuple[str, Any, bool], list[int]] = {}
        seen: dict[int, Any] = {}
        elsewhere = 0

        def note(key: tuple[str, Any, bool], array: Any, nodes: int) -> None:
            nonlocal elsewhere
            counts = held.setdefault(key, [0, 0, 0])
            counts[0] += nodes
            if not isinstance(array, np.ndarray | np.generic):
                elsewhere += 1
                return
            base = _base(array)
            if id(base) not in seen:
                seen[id(base)] = base
                counts[1] += 1
                counts[2] += base.nbytes

        for node in graph.nodes:
            for value, input in zip(node.values, node.inputs):
                if type(input) is not Tensor and isinstance(value, np.ndarray):
                    note(("operand", None, True), value, int(id(_base(value)) not in seen))
            if node.op is None:
                note((_leaf_kind(node), None, True), node._array, 1)
            else:
                note((node.op.name, line_of(node), False), node._array, 1)
        rows = [Held(what, line, *counts) for (what, line, _), counts in held.items()]
        self.rows = tuple(sorted(rows, key=lambda row: (-row.bytes, row.what)))
        kinds = [(leaf, counts[2]) for (_, _, leaf), counts in held.items()]
        self.leaves = sum(size for leaf, size in kinds if leaf)
        self.intermediates = sum(size for leaf, size in kinds if not leaf)
        self.total = self.leaves + self.intermediates
        self.nodes = len(graph.nodes)
        self.chain = _chain(loss)
        self.advice = tuple(self._advised(loss.name or "loss", elsewhere))

    def _advised(self, name: str, elsewhere: int) -> list[str]:
        advice = []
        if self.chain >= LONG:
            advice.append(
                f"{name} is the end of {self.chain:,} additions in a row, and keeps the graph of "
                "every term. If it is a running total, add loss.item() or loss.detach() to it"
            )
        if self.intermediates:
            size = written_bytes(self.intermediates)
            advice.append(
                f"del {name} and all that was made from it frees {size}; under no_grad(), as for "
                "an evaluation, nothing is kept"
            )
        if elsewhere:
            advice.append(f"{elsewhere:,} arrays that are not NumPy's are not counted")
        return advice

    def __str__(self) -> str:
        table = [("kept by", "nodes", "arrays", "memory"), *self._cells()]
        widths = [max(map(len, column)) for column in zip(*table)]
        lines = [
            "  ".join(
                cell.ljust(width) if i == 0 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(row, widths))
            )
            for row in table
        ]
        wrapped = [
            textwrap.fill(words, 88, initial_indent="* ", subsequent_indent="  ")
            for words in self.advice
        ]
        return "\n".join([*lines, *wrapped])

    def _cells(self) -> list[tuple[str, ...]]:
        rows: list[tuple[str, ...]] = [
            (
                row.what if row.line is None else f"{row.what}, {row.line}",
                f"{row.nodes:,}",
                f"{row.arrays:,}",
                written_bytes(row.bytes),
            )
            for row in self.rows[:MANY]
        ]
        if rest := self.rows[MANY:]:
            sums = [sum(column) for column in zip(*(row[2:] for row in rest))]
            counts = (f"{sums[0]:,}", f"{sums[1]:,}", written_bytes(sums[2]))
            rows.append((f"… {len(rest):,} more", *counts))
        arrays = sum(row.arrays for row in self.rows)
        rows.append(("leaves", "", "", written_bytes(self.leaves)))
        rows.append(("intermediates", "", "", written_bytes(self.intermediates)))
        rows.append(("total", f"{self.nodes:,}", f"{arrays:,}", written_bytes(self.total)))
        return rows

    def __repr__(self) -> str:
        return f"<Memory: {written_bytes(self.total)} in {self.nodes:,} nodes>"

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"


def _base(array: Any) -> Any:
    """Find the array whose memory this one shows."""
    while isinstance(array, np.ndarray) and isinstance(array.base, np.ndarray):
        array = array.base
    return array


def _leaf_kind(leaf: Tensor) -> str:
    """Tell what a leaf is, in the words of a drawing."""
    return "parameter" if leaf.requires_grad else "input" if leaf.name else "constant"


def _chain(tensor: Tensor) -> int:
    """Count the additions in a row that a tensor is the end of."""
    count = 0
    while tensor.op is not None and tensor.op.name == "add":
        count += 1
        sums = [i for i in tensor.inputs if type(i) is Tensor and i.op is not None]
        sums = [i for i in sums if i.op.name == "add" and i.shape == tensor.shape]  # type: ignore[union-attr]
        if not sums:
            break
        tensor = min(sums, key=lambda i: i.number)  # the total so far is the oldest
    return count


def written_bytes(size: float) -> str:
    """Write a number of bytes as a person does."""
    if size < 1000:
        return f"{size} B"
    for unit in ("kB", "MB", "GB"):
        size /= 1000
        if size < 999.5 or unit == "GB":
            break
    return f"{size:.3g} {unit}"


def memory(loss: Tensor) -> Memory:
    """List what the graph behind a tensor keeps, by op, largest first, and what would free it.

    Every recorded result keeps its operands and its values until the last tensor that was made from
    it is dropped. `.grad` is not counted.

    Parameters
    ----------
    loss : Tensor
        Where the graph ends.

    Returns
    -------
    Memory
        ``print`` gives a table.

    Raises
    ------
    TypeError
        If `loss` is not a Tensor.

    Examples
    --------
    >>> import numpy as np, minigraph as mg
    >>> W = mg.Tensor(np.ones((100, 50)), requires_grad=True, name="W")
    >>> x = mg.Tensor(np.ones((200, 100)), name="x")
    >>> loss = mg.relu(x @ W).T.sum()
    >>> print(mg.memory(loss))
    kept by        nodes  arrays  memory
    input              1       1  160 kB
    matmul             1       1   80 kB
    relu               1       1   80 kB
    parameter          1       1   40 kB
    sum                1       1     8 B
    transpose          1       0     0 B
    leaves                        200 kB
    intermediates                 160 kB
    total              6       5  360 kB
    * del loss and all that was made from it frees 160 kB; under no_grad(), as for an
      evaluation, nothing is kept
    """
    if not isinstance(loss, Tensor):
        raise TypeError(f"memory: loss is a Tensor, not {type(loss).__name__}")
    return Memory(loss)
