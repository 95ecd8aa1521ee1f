"""The tables of operations, written from the declarations that the engine itself reads."""

from collections.abc import Iterator
from itertools import groupby
from math import inf

from minigraph.op import Op
from minigraph.ops import TABLE

MARK = "<!-- table: {} -->"
TITLES = {
    "elementwise": "Elementwise",
    "linalg": "Linear algebra",
    "inverses": "Inverses and determinants",
    "decompositions": "Matrices taken apart",
    "least_squares": "Least squares",
    "trigonometry": "Trigonometric and hyperbolic functions",
    "products": "Sums of products",
    "selecting": "Places",
    "reductions": "Reductions",
    "shaping": "Shaping",
    "neural": "Networks",
    "signals": "Sampled functions",
}

# Adjoints and ops of any number of inputs have no texts: here in words.
WORDS = {
    "concatenate": "each input: its own part of `g`",
    "einsum": "each input: `einsum` of `g` and the other inputs",
    "stack": "each input: its own part of `g`",
    "getitem": "x: `g` put back where it was taken from, into zeros; repeated places add up",
    "scatter": "g: taken from the same places",
    "spread": "g: summed over the same axes",
    "softmax_error": "z: `g * exp(z - lse)`<br>lse: `-g * exp(z - lse)`",
}


def filled(page: str) -> str:
    """Replace the marks in the page by the tables."""
    for what, table in (("formulas", formulas()), ("constants", constants())):
        mark = MARK.format(what)
        if mark not in page:
            raise ValueError(f"ops.md: {mark} is missing")
        page = page.replace(mark, table)
    return page


def unique() -> list[Op]:
    """Each op once, in the order of the tables."""
    return list({id(op): op for op in TABLE}.values())


def has_formula(op: Op) -> bool:
    return op.each is not None or any(op.vjps)


def formulas() -> str:
    """One table per module: how an op reads, its gradients, and where it has none."""
    parts = []
    ops = filter(has_formula, unique())
    for module, group in groupby(ops, key=lambda op: op.__module__.rpartition(".")[2]):
        parts += [f"### {TITLES.get(module, module)}", ""]
        parts += _table(
            ("op", "what it is", "cotangents, from `g`", "has no derivative at"),
            [(f"`{op.name}`", forward(op), gradients(op), exceptions(op)) for op in group],
        )
        parts.append("")
    return "\n".join(parts)


def constants() -> str:
    """The ops whose results carry no gradient, by rule."""
    ops = [op for op in unique() if not has_formula(op)]
    return "\n".join(_table(("op", "what it is"), [(f"`{op.name}`", forward(op)) for op in ops]))


def forward(op: Op) -> str:
    """How drawings write a call."""
    names = dict(zip(op.input_names, op.input_names)) | {name: name for name in op.defaults}
    if "y" in op.texts:
        return _code(op.texts["y"].format(**names)) + of_shapes(op)
    if op.symbol and len(op.input_names) == 2:
        return _code(f" {op.symbol} ".join(op.input_names)) + of_shapes(op)
    if op.symbol:
        return _code(op.symbol + op.input_names[0])
    inputs = ("*inputs",) if op.each else op.input_names
    return _code(f"{op.name}({', '.join((*inputs, *op.defaults))})")


def of_shapes(op: Op) -> str:
    """The shapes of the inputs, where they follow a rule of their own."""
    return f"<br>of shapes {_code(op.shapes)}" if op.shapes else ""


def gradients(op: Op) -> str:
    """The formula of each input, one a line."""
    if not any(name in op.texts for name in op.input_names):
        return WORDS.get(op.name, "see its formula")
    names = {name: name for name in (*op.input_names, *op.defaults, "g", "y")}
    lines = []
    for name, vjp in zip(op.input_names, op.vjps):
        if vjp is not None:
            lines.append(f"{name}: {_code(op.texts[name].format(**names))}")
    return "<br>".join(lines)


def exceptions(op: Op) -> str:
    """Domain and kinks."""
    parts = [f"outside {_interval(name, *ends)}" for name, ends in op.domain.items()]
    parts += [f"{kink.where}: taken as {kink.gradient}" for kink in op.kinks]
    return "<br>".join(parts)


def _interval(name: str, low: float, high: float) -> str:
    if high == inf:
        return f"{name} > {low:g}"
    return f"{low:g} < {name} < {high:g}"


def _code(text: str) -> str:
    return "`" + text.replace("|", r"\|") + "`"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> Iterator[str]:
    for cells in (head, ("---",) * len(head), *rows):
        yield f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    print(formulas(), constants(), sep="\n")
