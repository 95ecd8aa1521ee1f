"""What drawings say: an op with its operands, a number, a name, on one safe line."""

import html
from collections.abc import Sequence
from typing import Any

import numpy as np

from minigraph.tensor import Tensor


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


def written(value: Any) -> str:
    """Write a number or an attribute; of what may be long or differ between runs, the type only."""
    if isinstance(value, np.generic | np.ndarray) and value.ndim == 0:
        value = value.item()
    if isinstance(value, float | np.floating):
        return format(value, ".3g")
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


def expression(node: Tensor, operands: Sequence[str]) -> str:
    """Write the op that made `node` with these texts in the places of its inputs."""
    op = node.op
    assert op is not None
    attributes = {name: written(value) for name, value in node.attributes.items()}
    if "y" in op.texts:
        try:
            return op.texts["y"].format(**dict(zip(op.input_names, operands)), **attributes)
        except (LookupError, ValueError, AttributeError, TypeError):
            pass  # a text that does not fit its op; the plain form always does
    if op.symbol and len(operands) == 2:
        left, right = (f"({x})" if x.startswith("-") else x for x in operands)
        return f"{left} {op.symbol} {right}"
    given = [f"{k}={v}" for k, v in attributes.items() if v != written(op.defaults.get(k, ...))]
    return f"{op.name}({', '.join([*operands, *given])})"


def type_of(value: Any) -> str:
    """Write dtype and shape, as in f64[2,8]."""
    kind = "bool" if value.dtype.kind == "b" else f"{value.dtype.kind}{8 * value.dtype.itemsize}"
    return f"{kind}[{','.join(map(str, value.shape))}]" if value.shape else kind
