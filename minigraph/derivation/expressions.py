"""Expressions of Python, written as a person would, and how tightly they bind.

An operand that binds less tightly than its place asks for is put in parentheses.
"""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from minigraph.derivation.program import Size

__all__ = [
    "ATOM", "COMPARISON", "LOOSE", "PRODUCT", "SUM", "UNARY", "Text", "digits", "index_of",
    "literal", "operator", "power", "shown",
]  # fmt: skip

ATOM, POWER, UNARY, PRODUCT, SUM, COMPARISON, LOOSE = range(7)


class Text(NamedTuple):
    """An expression, and how tightly it binds."""

    code: str
    level: int = ATOM

    def within(self, level: int) -> str:
        """Give the expression for a place that needs this, or something that binds tighter."""
        return self.code if self.level <= level else f"({self.code})"


def operator(symbol: str, level: int, inputs: Sequence[Text]) -> Text:
    """Write a binary operator between its operands."""
    left, right = inputs
    if level == COMPARISON:
        return Text(f"{left.within(SUM)} {symbol} {right.within(SUM)}", level)
    return Text(f"{left.within(level)} {symbol} {right.within(level - 1)}", level)


_SIMPLE = re.compile(r"-?[\w.]+")


def power(left: Text, right: Text) -> Text:
    """Write a power as formatters do: without spaces between names and numbers."""
    base, exponent = left.within(ATOM), right.within(UNARY)
    if base.startswith("-"):
        base = f"({base})"
    hugs = _SIMPLE.fullmatch(base) and _SIMPLE.fullmatch(exponent)
    return Text(f"{base}**{exponent}" if hugs else f"{base} ** {exponent}", POWER)


def literal(number: Any, weak: bool = False) -> Text:
    """Write a number; a weak one takes the dtype of the arrays beside it, as Python's do."""
    if isinstance(number, Size):
        level = PRODUCT if number.over or number.times != 1 else ATOM
        level = POWER if number.root else SUM if number.plus else level
        return Text(str(number), level)
    if isinstance(number, np.generic):
        if not weak:
            return Text(f"np.{number.dtype.name}({digits(number.item())})")
        number = float(str(number)) if number.dtype.kind == "f" else number.item()
    code = digits(number)
    return Text(code, UNARY if code.startswith("-") else ATOM)


def digits(number: Any) -> str:
    """Write a number of Python's."""
    if isinstance(number, float) and not np.isfinite(number):
        return "np.nan" if number != number else "np.inf" if number > 0 else "-np.inf"
    return repr(number)


def shown(attribute: Any) -> str:
    """Write an attribute: numbers, text, dtypes, slices, and tuples of them."""
    if isinstance(attribute, tuple | list):
        parts = [shown(part) for part in attribute]
        return f"({parts[0]},)" if len(parts) == 1 else f"({', '.join(parts)})"
    if isinstance(attribute, np.dtype):
        return "bool" if attribute.kind == "b" else f"np.{attribute.name}"
    if isinstance(attribute, Size | np.generic | float):
        return literal(attribute, weak=True).code
    if isinstance(attribute, str):
        code = repr(attribute)
        return f'"{code[1:-1]}"' if code[0] == "'" and '"' not in code else code
    if attribute is None or isinstance(attribute, int):
        return repr(attribute)
    raise TypeError(
        f"derive: an attribute is {attribute!r}; source can hold numbers, text, dtypes and tuples"
    )


def index_of(parts: Sequence[Any], arrays: Sequence[Text]) -> str:
    """Write what stands between brackets, arrays in the places of their marks."""
    if not parts:
        return "()"
    rest = iter(arrays)
    return ", ".join(
        next(rest).within(LOOSE) if part == "array" else _place(part) for part in parts
    )


def _place(part: Any) -> str:
    if not isinstance(part, slice):
        return "..." if part is Ellipsis else shown(part)
    ends = ["" if end is None else shown(end) for end in (part.start, part.stop, part.step)]
    ends = ends if ends[2] else ends[:2]
    if any(" " in end for end in ends):
        return " : ".join(ends).strip().replace(":  :", "::")
    return ":".join(ends)
