"""The words of errors: which op failed on what, and the likely cause."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.exceptions import AxisError

from minigraph.arrays import array_of, shown
from minigraph.reasons import reason
from minigraph.tensor import Tensor

if TYPE_CHECKING:
    from minigraph.op import Op

__all__ = ["explained", "mismatch"]

_KINDS = (AxisError, TypeError, IndexError, ValueError,
          FloatingPointError, OverflowError, ZeroDivisionError, MemoryError)  # fmt: skip


def shape_of(value: Any) -> str:
    """Write a shape as error messages do; what has none as itself."""
    return str(tuple(value.shape)) if hasattr(value, "shape") else shown(value)


def explained(
    op: "Op", inputs: tuple[Any, ...], attributes: Mapping[str, Any], error: Exception
) -> Exception:
    """Say which op failed on what, in the words of its caller: shapes, names, the likely cause."""
    call = _call(op, inputs, attributes)
    names = [i.name for i in inputs if type(i) is Tensor and i.name]
    where = f" ({', '.join(names)})" if names else ""
    kind = next((k for k in _KINDS if isinstance(error, k)), None)
    if isinstance(error, AttributeError | KeyError):  # a function of the table asks arrays only
        kind = TypeError
    if not op.trusted or kind is None:
        error.add_note(f"in op {op.name}: {call}{where}")  # a user's function: keep its traceback
        return error
    try:
        shapes = _shapes(op, inputs)
    except (TypeError, ValueError) as not_numbers:
        return not_numbers
    if isinstance(error, AttributeError | KeyError):
        words = "give a Tensor, or a NumPy array, np.array(...)"
    elif "core dimension" in str(error):
        labels = [getattr(i, "name", None) or name for i, name in zip(inputs, op.input_names)]
        words = mismatch(shapes[0], shapes[1], labels)
    else:
        words = reason(error, shapes)
    named = call if call.startswith(f"{op.name}(") else f"{op.name}: {call}" if inputs else op.name
    return kind(f"{named}: {words}{where}")


def _shapes(op: "Op", inputs: tuple[Any, ...]) -> list[tuple[int, ...]]:
    """List the shapes of inputs; refuse those that no array of numbers can be made of."""
    shapes = []
    for slot, input in enumerate(inputs):
        if not hasattr(input, "shape") or isinstance(input, np.ndarray):
            input = array_of(input, f"{op.name}: {op.input_name(slot)}")
        shapes.append(tuple(input.shape))
    return shapes


def _call(op: "Op", inputs: tuple[Any, ...], attributes: Mapping[str, Any]) -> str:
    """Write a call with shapes in the places of its inputs; as its text reads, if it has one."""
    shapes = [shape_of(i) for i in inputs]
    if "y" in op.texts and not attributes:
        return op.texts["y"].format(**dict(zip(op.input_names, shapes)))
    between = f" {op.symbol} " if op.symbol and len(inputs) == 2 else ", "
    given = [
        f", {key}={shown(value)}"
        for key, value in attributes.items()
        if value is not op.defaults.get(key)
    ]
    return between.join(shapes) + "".join(given)


def mismatch(a: tuple[int, ...], b: tuple[int, ...], labels: Sequence[str]) -> str:
    """Say why matrices of two shapes have no product."""
    rows = b[-2] if len(b) > 1 else b[-1]
    hint = ""
    if len(b) > 1 and a[-1] == b[-1]:
        hint = f"; did you mean {labels[1]}.T?"
    elif len(a) > 1 and a[-2] == rows:
        hint = f"; did you mean {labels[0]}.T?"
    return f"inner sizes {a[-1]} and {rows} differ{hint}"
