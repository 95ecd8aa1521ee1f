"""Explanations of many gradients, as one table."""

import html
from collections.abc import Iterator, Mapping

import numpy as np

from minigraph.diagnostics.explanation import Explanation
from minigraph.diagnostics.shares import size_of
from minigraph.drawing.text import clean, number

__all__ = ["Explanations"]


class Explanations(Mapping[str, Explanation]):
    """Explanations by name, as a table: those without gradient first, then those that are 0.

    ``explanations["W1"]`` is that of one parameter.
    """

    def __init__(self, found: Mapping[str, Explanation]) -> None:
        order = {"none": 0, "zero": 1, "number": 2}
        self._found = dict(sorted(found.items(), key=lambda item: order[item[1].verdict]))

    def __getitem__(self, name: str) -> Explanation:
        if name not in self._found:
            raise KeyError(f"{name!r} was not explained; there are {', '.join(map(str, self))}")
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """The table: name, gradient, entries that are 0, dead units, the first cause."""
        return [(str(name), *_row(one)) for name, one in self._found.items()]

    def __str__(self) -> str:
        table = [HEADS, *((*row[:-1], clean(row[-1], 60)) for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*table)]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
            for row in table
        )

    def __repr__(self) -> str:
        without = sum(one.verdict == "none" for one in self._found.values())
        return f"<Explanations of {len(self)} gradients, {without} of them None>"

    def _repr_html_(self) -> str:
        return _html(HEADS, self.rows)


HEADS = ("", "‖gradient‖", "zeros", "dead units", "because")


def _row(one: Explanation) -> tuple[str, ...]:
    because = one.causes[0].text if one.causes else ""
    if one.gradient is None:
        return "None", "", "", because
    size = number(size_of(one.gradient))
    zeros = f"{one.zeros:,} of {np.size(one.gradient):,}"
    dead = {(c.node, unit) for c in one.causes if c.kind == "closed" for unit in c.units}
    return size, zeros, str(len(dead)), because


def _html(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Write a table for a notebook."""
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><tr>{head}</tr>{body}</table>"
