"""What drawings say: an op with its operands, a formula, a name, a number, on one safe line."""

import html
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from minigraph.op import Op
from minigraph.ops.shaping import filled as filled_index
from minigraph.ops.shaping import indexing
from minigraph.tensor import Tensor

# How tightly a text holds together, after Python's grammar
LEVELS = {
    **dict.fromkeys(("<", "<=", ">", ">=", "==", "!=", "&", "|", "^"), 0),
    **dict.fromkeys(("+", "-"), 1),
    **dict.fromkeys(("*", "/", "@", "%", "//"), 2),
    "**": 4,
}
UNARY, ATOM = 3, 5
OPERATOR = r"(\*\*|//|[<>=!]=|[-+*/@%<>&|^])"
PLACEHOLDER = re.compile(r"\{(\w+)\}")


class Term(NamedTuple):
    """A text that stands in the place of an input, and how tightly it holds together."""

    text: str
    level: int = ATOM


class Place(NamedTuple):
    """A placeholder of a template, and what may stand there without parentheses."""

    name: str
    level: int
    right: bool  # of an operator: there a leading minus gets parentheses too


# Names


def safe(text: str, length: int) -> str:
    """Make `text` fit for any place in DOT: cleaned, and escaped as in HTML."""
    return html.escape(clean(text, length))


def clean(text: str, length: int) -> str:
    """Make `text` one line of printable characters without backslashes, at most `length` long."""
    text = " ".join(text.split())
    if not text.isprintable():
        text = "".join(c if c.isprintable() else "\ufffd" for c in text)
    text = text.replace("\\", "∖")  # dot would read a backslash as an escape, in all its strings
    return text if len(text) <= length else text[: length - 1] + "…"


def broken(text: str, length: int) -> list[str]:
    """Break a long text once, before the operator nearest to its middle."""
    places = [found.start() for found in re.finditer(r" [-+*/@] ", text)]
    if len(text) <= length or not places:
        return [text] if text else []
    loose = [at for at in places if text[at + 1] in "+-" and _level(text[at:]) == LEVELS["+"]]
    at = min(loose or places, key=lambda place: abs(place - len(text) / 2))
    return [text[:at], text[at + 1 :]]


# Numbers


def number(x: float) -> str:
    """Write a number as a person does: three digits, no digits of a whole part lost below 1e6."""
    x = float(x) + 0.0  # minus zero is no news
    if x != x:
        return "NaN"
    if 100 <= abs(x) < 999_999.5:
        return f"{x:.0f}"
    mantissa, _, exponent = f"{x:.3g}".partition("e")
    return f"{mantissa}e{int(exponent)}" if exponent else mantissa


def written_size(size: float | None) -> str:
    """Write a norm, which may not have been computed."""
    return "not computed" if size is None else number(size)


def written(value: Any) -> str:
    """Write a number or an attribute; of what may be long or differ between runs, the type only."""
    if isinstance(value, np.generic | np.ndarray) and value.ndim == 0:
        value = value.item()
    if isinstance(value, float | np.floating):
        return number(float(value))
    if isinstance(value, slice):
        parts = [value.start, value.stop] + [value.step] * (value.step is not None)
        return ":".join("" if part is None else written(part) for part in parts)
    if isinstance(value, tuple | list):
        return f"({', '.join(map(written, value))}{',' * (len(value) == 1)})"
    if value is Ellipsis:
        return "..."
    if value is None or isinstance(value, bool | int | str | np.dtype):
        return str(value)
    return type(value).__name__


def type_of(value: Any) -> str:
    """Write dtype and shape, as in f64[2,8]."""
    kind = "bool" if value.dtype.kind == "b" else f"{value.dtype.kind}{8 * value.dtype.itemsize}"
    return f"{kind}[{','.join(map(str, value.shape))}]" if value.shape else kind


# Expressions


def operand(value: Any) -> Term:
    """Write a plain number that stands among the inputs of an op."""
    text = written(value)
    return Term(text, UNARY if text.startswith("-") else ATOM)


def expression(node: Tensor, operands: Sequence[Term]) -> Term:
    """Write the op that made `node` with these texts in the places of its inputs."""
    op = node.op
    assert op is not None
    if op is indexing:
        return _subscript(node, operands)
    template = op.texts.get("y")
    if template is None and op.symbol and len(op.input_names) == 2:
        template = f"{{{op.input_names[0]}}} {op.symbol} {{{op.input_names[1]}}}"
    if template is not None:
        try:
            return filled(template, _named(op, node, operands))
        except LookupError:
            pass  # a text that does not fit its op; the plain form always does
    attributes = {name: written(value) for name, value in node.attributes.items()}
    given = [f"{k}={v}" for k, v in attributes.items() if v != written(op.defaults.get(k, ...))]
    return Term(f"{op.name}({', '.join([*(x.text for x in operands), *given])})")


def _subscript(node: Tensor, operands: Sequence[Term]) -> Term:
    """Write x[index], with the arrays that index among the operands in their places."""
    arrays = [array.text for array in operands[1:]]
    index = ", ".join(map(written, filled_index(node.attributes["index"], arrays)))
    x, level = operands[0]
    return Term(f"{x if level == ATOM else f'({x})'}[{index}]")


def formula(node: Tensor, slot: int, operands: Sequence[Term], y: Term, g: Term) -> str:
    """Write the cotangent that the op of `node` sends back to its input `slot`.

    `y` and `g` stand for what the op computed, and for the cotangent of that.
    """
    op = node.op
    assert op is not None
    text = Term(f"vjp_{op.name}({g.text})")
    template = op.texts.get("each" if op.each else op.input_name(slot))
    if template is not None:
        try:
            terms = {**_named(op, node, operands), "g": g, "y": y, "i": Term(str(slot))}
            text = filled(template, terms)
        except LookupError:
            pass
    return _undone(op, node, slot, _tidy(text.text))


def _named(op: Op, node: Tensor, operands: Sequence[Term]) -> dict[str, Term]:
    attributes = {name: operand(value) for name, value in node.attributes.items()}
    return {**attributes, **dict(zip(op.input_names, operands))}


def _tidy(text: str) -> str:
    """Do the sums that a person would do: x ** (2 - 1) is x."""
    text = re.sub(r"\((\d+) - 1\)", lambda found: str(int(found[1]) - 1), text)
    return re.sub(r" \*\* 1(?![\w.])", "", text)


def _undone(op: Op, node: Tensor, slot: int, text: str) -> str:
    """Add the sum by which the sweep undoes broadcasting, where it did."""
    shape, whole = np.shape(node.values[slot]), node.shape
    if op.broadcasts and op.shapes and "..." in op.shapes:  # stacks of matrices
        shape, whole = shape[:-2], whole[:-2]
    elif not op.broadcasts or op.shapes:
        return text
    if shape == whole:
        return text
    extra = len(whole) - len(shape)
    axes = [i for i, n in enumerate(whole) if i < extra or shape[i - extra] == 1 != n]
    if len(axes) == node.ndim:
        return f"sum({text})"
    return f"sum({text}, axis={axes[0] if len(axes) == 1 else tuple(axes)})"


def filled(template: str, terms: Mapping[str, Term]) -> Term:
    """Put texts into the placeholders of a template, in parentheses where they need them.

    Raises
    ------
    LookupError
        If the template has another placeholder, or a brace that is none.
    """
    literals, places, level = _analysed(template)
    parts = [literals[0]]
    for place, literal in zip(places, literals[1:]):
        text, held = terms[place.name]
        loose = held < place.level or (place.right and held == UNARY)
        parts += (f"({text})" if loose else text, literal)
    return Term("".join(parts), level)


@lru_cache(maxsize=1024)
def _analysed(template: str) -> tuple[list[str], list[Place], int]:
    literals, places, start = [], [], 0
    for found in PLACEHOLDER.finditer(template):
        literals.append(template[start : found.start()])
        places.append(_place(found[1], template[: found.start()], template[found.end() :]))
        start = found.end()
    literals.append(template[start:])
    if any(brace in literal for literal in literals for brace in "{}"):
        raise LookupError(template)
    return literals, places, _level(PLACEHOLDER.sub("x", template))


def _place(name: str, before: str, after: str) -> Place:
    """Tell from what stands around a placeholder what may stand in it."""
    level = ATOM if after.startswith(("ᵀ", ".", "[")) else 0
    if operator := re.match(rf" {OPERATOR} ", after):
        level = max(level, ATOM if operator[1] == "**" else LEVELS[operator[1]])
    operator = re.search(rf" {OPERATOR} $", before)
    if operator:
        level = max(level, LEVELS[operator[1]] + (operator[1] not in ("+", "**")))
    elif before.endswith(("-", "+", "~")):
        level = max(level, LEVELS["**"])
    return Place(name, level, operator is not None)


def _level(text: str) -> int:
    """Tell how tightly a text holds together, by its operators outside of all brackets."""
    depth, outside = 0, []
    for character in text:
        depth -= character in ")]"
        outside.append(character if depth == 0 else "_")
        depth += character in "(["
    found = re.findall(rf" {OPERATOR} ", "".join(outside))
    return min([LEVELS[o] for o in found] + [UNARY if text[:1] in ("-", "+", "~") else ATOM])
