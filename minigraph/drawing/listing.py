"""A picture as aligned lines of text: for terminals, screen readers, and to compare by diff."""

from minigraph.drawing.picture import Box, Picture
from minigraph.drawing.text import clean


def listing(picture: Picture) -> str:
    """Write one line for each box, in order of recording."""
    rows = [_cells(box, picture.options.backward) for box in picture.boxes]
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths) if width).rstrip()
        for row in rows
    ]
    return "\n".join(filter(None, (picture.options.title, *lines, picture.note)))


def _cells(box: Box, backward: bool) -> tuple[str, ...]:
    scope = "/".join(clean(part, 40) for part in box.scope)
    title = f"{box.title} = {box.formula}" if box.formula else box.title
    mark = "→ " * box.focus
    wrong = f"✗ {box.mark}" if box.mark else ""
    if box.kind == "folder":
        return scope, f"{mark}[{title}]", ", ".join(box.grey), "", box.value, box.gradient, ""
    word, _, kind = " ".join(box.grey).rpartition(" ")
    if kind == box.kind:  # no type beside it
        word, kind = kind, ""
    return scope, f"{mark}{clean(title, 90)}", word, kind, box.value, box.gradient, wrong
