"""The words of errors: which op failed on what, and the likely cause."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from numpy.exceptions import AxisError

from minigraph.tensor import Tensor

if TYPE_CHECKING:
    from minigraph.op import Op

__all__ = ["explained", "mismatch"]

_KINDS = (AxisError, TypeError, IndexError, ValueError)


def shape_of(value: Any) -> str:
    """Write a shape as error messages do; a number as itself."""
    return str(tuple(value.shape)) if hasattr(value, "shape") else repr(value)


def explained(
    op: "Op", inputs: tuple[Any, ...], attributes: Mapping[str, Any], error: Exception
) -> Exception:
    """Say which op failed on what, in the words of its caller: shapes, names, the likely cause."""
    call = _call(op, inputs, attributes)
    reason = str(error)
    if "could not be broadcast" in reason or "non-broadcastable" in reason:
        reason = "the shapes do not broadcast: sizes must be equal or 1, counted from the last axis"
    elif "core dimension" in reason:
        labels = [getattr(i, "name", None) or name for i, name in zip(inputs, op.input_names)]
        reason = mismatch(inputs[0].shape, inputs[1].shape, labels)
    names = [i.name for i in inputs if type(i) is Tensor and i.name]
    where = f" ({', '.join(names)})" if names else ""
    kind = next((k for k in _KINDS if isinstance(error, k)), None)
    if not op.trusted or kind is None:
        error.add_note(f"in op {op.name}: {call}{where}")  # a user's function: keep its traceback
        return error
    named = call if call.startswith(f"{op.name}(") else f"{op.name}: {call}"
    return kind(f"{named}: {reason}{where}")


def _call(op: "Op", inputs: tuple[Any, ...], attributes: Mapping[str, Any]) -> str:
    """Write a call with shapes in the places of its inputs; as its text reads, if it has one."""
    shapes = [shape_of(i) for i in inputs]
    if "y" in op.texts and not attributes:
        return op.texts["y"].format(**dict(zip(op.input_names, shapes)))
    between = f" {op.symbol} " if op.symbol and len(inputs) == 2 else ", "
    given = [f", {key}={value!r}" for key, value in attributes.items() if value is not None]
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
