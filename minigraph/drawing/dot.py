"""A picture as DOT text: one statement a line, attributes in fixed order, the same bytes always."""

import html
import textwrap

from minigraph.drawing.picture import Arrow, Box, Picture
from minigraph.drawing.recording import Scope
from minigraph.drawing.text import broken, clean, safe

Scopes = dict[Scope, list[str | Scope]]  # what lies in each, in order: statements and inner scopes

BACKWARD = "#962C00"  # vermillion: what has to do with gradients, and nothing else
GREY = "#4D4D4D"
NAN = "#F0E442"
# Colour is never the only sign of a kind: border and word say it too.
STYLES = {
    "input": {"style": "rounded,filled", "fillcolor": "#B3DDF5", "color": "#005A8C"},
    "parameter": {
        "style": "filled",
        "fillcolor": "#F1CA73",
        "color": "#7A4B00",
        "penwidth": "2.4",
    },
    "constant": {"style": "dashed,filled", "fillcolor": "white", "color": "#6E6E6E"},
    "op": {"style": "filled", "fillcolor": "white", "color": "#444444"},
    "output": {"style": "filled", "fillcolor": "#8CD3C0", "color": "#00573F", "peripheries": "2"},
    "seed": {"style": "filled", "fillcolor": "#8CD3C0", "color": "#00573F", "peripheries": "2"},
    "folder": {"shape": "folder", "style": "filled", "fillcolor": "white", "color": "#444444"},
}
# Arial has the widths of Liberation Sans and Arimo, with which others draw it. No size and no dpi:
# dot 2.43 then writes a wrong viewBox.
GRAPH = 'fontname="Arial", fontsize=12, nodesep=0.3, ranksep=0.4'
NODE = 'node [shape=box, fontname="Arial", fontsize=12, margin="0.13,0.06"]'
EDGE = f'edge [color="#444444", fontname="Arial", fontsize=11, fontcolor="{BACKWARD}", '
CLUSTER = (
    'margin=14, labelloc=t, labeljust=l, style="rounded,filled", fillcolor="#FAFAFA", '
    'color="#B0B0B0"'
)


def source(picture: Picture) -> str:
    """Write a picture in the DOT language."""
    options = picture.options
    title = f', labelloc=t, label="{safe(options.title, 120)}"' if options.title else ""
    lines = ["digraph {", f"graph [rankdir={options.rankdir}, {GRAPH}{title}]", NODE]
    lines.append(f"{EDGE}arrowsize=0.7]")
    scopes: Scopes = {(): []}
    for box in picture.boxes:
        within(scopes, box.scope).append(_box(box))
    lines += nested(scopes, picture.clusters)
    lines += [_arrow(arrow, options.backward) for arrow in picture.arrows]
    if picture.note:
        lines.append(f'note [label="{picture.note}", color="#6E6E6E", style=dotted]')
    if options.legend:
        lines.append(f"legend [shape=plain, label=<{_legend(picture)}>]")
    return "\n".join([*lines, "}", ""])


def _box(box: Box) -> str:
    rows = [
        f"<b>{html.escape(line)}</b>"
        for line in broken(clean("→ " * box.focus + box.title, 80), 40)
    ]
    rows += [f'<font color="{GREY}">{safe(row, 60)}</font>' for row in box.grey]
    rows.append(safe(box.value, 60))
    rows.append(f'<font color="{BACKWARD}">{safe(box.gradient, 60)}</font>' * bool(box.gradient))
    rows += [f'<font color="{BACKWARD}">{safe(line, 60)}</font>' for line in _mark(box.mark)]
    label = "".join(f'{row}<br align="left"/>' for row in rows if row)
    style = dict(STYLES[box.kind])
    if box.has_output:
        style["fillcolor"], style["color"] = (STYLES["output"][k] for k in ("fillcolor", "color"))
    if box.broken:
        style["fillcolor"] = NAN
    if box.mark:
        style["color"] = BACKWARD
    if box.broken or box.focus or box.mark:
        style["penwidth"] = "2.4" if "peripheries" in style else "4"  # two of 4 would be one band
    written = ", ".join(f'{name}="{value}"' for name, value in style.items())
    name = box.id.replace("c", "f")  # a folder has its cluster's id, but cannot have its name
    return f'{name} [id="{box.id}", label=<{label}>, tooltip="{safe(box.tooltip, 400)}", {written}]'


def _arrow(arrow: Arrow, backward: bool) -> str:
    tail, head = (end.replace("c", "f") for end in (arrow.tail, arrow.head))
    attributes = [f'id="{arrow.id}"']
    if arrow.label:
        attributes.append(f"label=<{_label(arrow.label)}>")
    if arrow.tooltip:
        tooltip = safe(arrow.tooltip, 400)
        attributes.append(f'tooltip="{tooltip}"')
        attributes += [f'labeltooltip="{tooltip}"'] * bool(arrow.label)
    if arrow.mark:
        attributes.append("penwidth=3")
    if arrow.firm:
        attributes.append("weight=3")
    if backward or arrow.mark:
        attributes.append(f'color="{BACKWARD}"')
    elif not arrow.flows:
        attributes += ["style=dashed", 'color="#8A8A8A"']
    return f"{tail} -> {head} [{', '.join(attributes)}]"


def _mark(words: str) -> list[str]:
    """Write what is wrong, in lines."""
    return textwrap.wrap(f"✗ {words}", 40) if words else []


def _label(lines: list[str]) -> str:
    """Write the text beside an arrow, on white: it may lie on the border of a scope."""
    text = "".join(f'{safe(line, 60)}<br align="left"/>' for line in lines)
    cells = f'<td width="7"></td><td bgcolor="white" cellpadding="1">{text}</td>'  # off its arrow
    return f'<table border="0" cellborder="0" cellspacing="0"><tr>{cells}</tr></table>'


# The legend: one node with one table, as a cluster of nodes would tear the ranks apart


def _legend(picture: Picture) -> str:
    kinds = {box.kind for box in picture.boxes}
    rows = [_sample(kind) for kind in STYLES if kind in kinds and kind != "folder"]
    if any(box.broken for box in picture.boxes):
        rows.append(f'<td bgcolor="{NAN}" border="3" color="#444444">NaN or infinite</td>')
    rows += [f'<td align="left" border="0">{text}</td>' for text in _explained(picture)]
    rows += [
        f'<td align="left" border="0"><font color="{BACKWARD}">{text}</font></td>'
        for text in _gradients_explained(picture)
    ]
    if any(box.mark for box in picture.boxes):
        rows.append(f'<td color="{BACKWARD}" border="3">✗ what is wrong</td>')
    table = '<table border="1" color="#B0B0B0" style="rounded" cellborder="1" cellspacing="3">'
    return f"{table}{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"


def _sample(kind: str) -> str:
    fill, line = STYLES[kind]["fillcolor"], STYLES[kind]["color"]
    border = 2 if kind == "parameter" else 1
    look = {"input": ' style="rounded"', "constant": ' style="dashed"'}.get(kind, "")
    word = "operation" if kind == "op" else kind
    return f'<td bgcolor="{fill}" color="{line}" border="{border}"{look}>{word}</td>'


def _explained(picture: Picture) -> list[str]:
    rows = []
    if any(box.kind == "folder" for box in picture.boxes):
        rows.append("folder: a folded scope")
    if any("±" in box.value for box in picture.boxes):
        rows.append("mean ± standard deviation")
    if any(box.focus for box in picture.boxes):
        rows.append("→ in focus")
    if not picture.options.backward and any(not arrow.flows for arrow in picture.arrows):
        rows.append("dashed arrow: no gradient")
    return rows


def _gradients_explained(picture: Picture) -> list[str]:
    texts = [box.gradient + box.value for box in picture.boxes]
    if not (picture.options.backward or any("∂" in text for text in texts)):
        return []
    rows = [f"∂v means ∂{safe(picture.seeded, 40)}/∂v"]
    if any("‖" in text for text in texts):
        rows.append("‖ ‖ is the 2-norm")
    if any("←" in line for arrow in picture.arrows for line in arrow.label):
        rows.append("← what an arrow adds to ∂v")
    return rows


# Clusters


def within(scopes: Scopes, scope: Scope) -> list[str | Scope]:
    """Find the list of what lies in `scope`, made and put into its outer scopes where new."""
    if scope not in scopes:
        for depth in range(1, len(scope) + 1):
            if scope[:depth] not in scopes:
                scopes[scope[:depth]] = []
                scopes[scope[: depth - 1]].append(scope[:depth])
    return scopes[scope]


def nested(scopes: Scopes, ids: dict[Scope, str]) -> list[str]:
    """Write all statements, those of a scope inside a cluster of its own."""
    lines: list[str] = []
    stack = [iter(scopes[()])]
    while stack:
        item = next(stack[-1], None)
        if isinstance(item, str):
            lines.append(item)
        elif item is not None:
            lines.append(f"subgraph cluster_{ids[item]} {{")
            label = safe(item[-1], 60)
            lines.append(f'graph [id="{ids[item]}", label="{label}", {CLUSTER}]')
            stack.append(iter(scopes[item]))
        else:
            lines.extend("}" * (len(stack) > 1))
            stack.pop()
    return lines
