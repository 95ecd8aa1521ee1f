"""A graph as DOT text: one node per tensor with the op that made it, one statement a line."""

from typing import Any

from minigraph.drawing.text import clean, expression, safe, type_of, written
from minigraph.graph import Graph
from minigraph.tensor import Tensor

Scope = tuple[str, ...]
Scopes = dict[Scope, list[str | Scope]]  # what lies in each, in order: statements and inner scopes

# Colour is never the only sign of a kind: border and word say it too.
STYLES = {
    "input": 'style="rounded,filled", fillcolor="#B3DDF5", color="#005A8C"',
    "parameter": 'style="filled", fillcolor="#F1CA73", color="#7A4B00", penwidth=2.4',
    "constant": 'style="dashed,filled", fillcolor="white", color="#6E6E6E"',
    "op": 'style="filled", fillcolor="white", color="#444444"',
    "output": 'style="filled", fillcolor="#8CD3C0", color="#00573F", peripheries=2',
}
HEADER = (
    "digraph {",
    'graph [rankdir=TB, fontname="Arial", fontsize=12, nodesep=0.3, ranksep=0.4]',
    'node [shape=box, fontname="Arial", fontsize=12, margin="0.15,0.08"]',
    'edge [color="#444444", arrowsize=0.7]',
)
CLUSTER = 'labeljust=l, style="rounded,filled", fillcolor="#FAFAFA", color="#B0B0B0"'
NO_GRADIENT = ' [style=dashed, color="#8A8A8A"]'


def source(graph: Graph) -> tuple[str, int]:
    """Write `graph`, the same graph always in the same bytes; and count what is drawn."""
    outputs = {id(output) for output in graph.outputs}
    place: dict[int, int] = {}  # the k of n{k}, by identity
    names: list[str] = []
    scopes: Scopes = {(): []}
    edges: list[str] = []

    def add(value: Any, name: str | None, kind: str, text: str, scope: Scope) -> None:
        k = place[id(value)] = len(names)
        full = clean(name or "", 400) or f"v{k}"
        names.append(clean(full, 40))
        made = f" = {text}" if text else ""
        word = value.op.name if kind == "op" else kind
        within(scopes, scope).append(
            f"n{k} [label=<<b>{safe(names[k] + made, 60)}</b><br/>"
            f'<font color="#4D4D4D">{safe(f"{word} {type_of(value)}", 60)}</font>>, '
            f'tooltip="{safe(full + made, 400)}", {STYLES[kind]}]'
        )

    kept = kept_for_gradients(graph)
    for node in graph.nodes:
        operands = []
        for x in node.inputs:
            if is_number(x):
                operands.append(written(x))
                continue
            if id(x) not in place:
                add(x, None, "constant", "", ())
            operands.append(names[place[id(x)]])
        if node.op is None:
            kind = "parameter" if node.requires_grad else "input" if node.name else "constant"
            text = "" if node.ndim else written(node.data)
            if id(node) in kept:
                consumer, form = kept[id(node)]
                known = [names[place[id(x)]] if id(x) in place else "..." for x in consumer.inputs]
                text = form.format(**dict(zip(consumer.op.input_names, known)))
            add(node, node.name, kind, text, node.scope)
            continue
        kind = "output" if id(node) in outputs else "op"
        add(node, node.name, kind, expression(node, operands), node.scope)
        flows = {slot for slot, _ in node.op.formulas(node.inputs)}
        for slot, x in enumerate(node.inputs):
            if not is_number(x):
                style = "" if slot in flows else NO_GRADIENT
                edges.append(f"n{place[id(x)]} -> n{place[id(node)]}{style}")
    return "\n".join([*HEADER, *nested(scopes), *edges, "}", ""]), len(names)


def kept_for_gradients(graph: Graph) -> dict[int, tuple[Any, str]]:
    """Find unnamed constants that an op keeps for its gradient, and its text for what they hold."""
    return {
        id(x): (node, node.op.texts[name])
        for node in graph.nodes
        if node.op is not None
        for x, name, vjp in zip(node.inputs, node.op.input_names, node.op.vjps)
        if vjp is None and name in node.op.texts and isinstance(x, Tensor) and not x.name
    }


def is_number(value: Any) -> bool:
    """Tell whether an operand is a plain number, which is written into the expression."""
    return not isinstance(value, Tensor) and getattr(value, "ndim", 0) == 0


def within(scopes: Scopes, scope: Scope) -> list[str | Scope]:
    """Find the list of what lies in `scope`, made and put into its outer scopes where new."""
    if scope not in scopes:
        for depth in range(1, len(scope) + 1):
            if scope[:depth] not in scopes:
                scopes[scope[:depth]] = []
                scopes[scope[: depth - 1]].append(scope[:depth])
    return scopes[scope]


def nested(scopes: Scopes) -> list[str]:
    """Write all statements, those of a scope inside a cluster of its own."""
    lines: list[str] = []
    clusters = 0
    stack = [iter(scopes[()])]
    while stack:
        item = next(stack[-1], None)
        if isinstance(item, str):
            lines.append(item)
        elif item is not None:
            lines.append(f"subgraph cluster_c{clusters} {{")
            lines.append(f'graph [label="{safe(item[-1], 60)}", {CLUSTER}]')
            clusters += 1
            stack.append(iter(scopes[item]))
        else:
            lines.extend("}" * (len(stack) > 1))
            stack.pop()
    return lines
