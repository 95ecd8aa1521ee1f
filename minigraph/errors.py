"""The words of errors: which op failed on what, and the likely cause."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.exceptions import AxisError

from minigraph.arrays import Array, array_of, shown
from minigraph.notes import OUTPUT, Line, line_of, notes
from minigraph.reasons import reason
from minigraph.tensor import Tensor

if TYPE_CHECKING:
    from minigraph.drawing import Drawing
    from minigraph.op import Op

__all__ = ["NonFiniteError", "WriteError", "explained", "mismatch"]

_KINDS = (AxisError, np.linalg.LinAlgError, TypeError, IndexError, ValueError,
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


class _InGraph(Exception):
    """What went wrong at a node of a graph.

    Attributes
    ----------
    node : Tensor
        The node at which it was seen.
    tensor : Tensor
        The tensor that is to blame; `node` itself, if that is a plain array.
    op : Op
        The operation of the node.
    operands : tuple
        What it was given.
    line : Line or None
        Where the node was recorded, as ``line.file``, ``line.number`` and ``line.function``: known
        inside `minigraph.debug`.

    An error that was pickled, as on its way from another process, has its message only.
    """

    node: Tensor | None = None
    tensor: Tensor | None = None
    op: "Op | None" = None
    operands: tuple[Any, ...] = ()
    line: Line | None = None

    def __init__(self, message: str, node: Tensor, tensor: Tensor) -> None:
        super().__init__(message)
        self.node, self.tensor = node, tensor
        self.op, self.operands = node.op, node.inputs
        self.line = line_of(node)

    def __reduce__(self) -> tuple[Any, ...]:
        return _told, (type(self), str(self))

    def draw(self, **options: Any) -> "Drawing":
        """Draw what lies around it, with its tensor in focus.

        Parameters
        ----------
        **options
            Those of `minigraph.draw`.

        Returns
        -------
        Drawing
        """
        from minigraph.drawing import draw

        if self.node is None:
            raise RuntimeError("draw: this error was pickled, without its graph")
        return draw(self.node, **{"focus": self.tensor, "max_nodes": 30, **options})


def _told(kind: type[_InGraph], message: str) -> _InGraph:
    """Make an error again of what it said."""
    return kind.__new__(kind, message)


class WriteError(_InGraph, RuntimeError):
    """An array that a formula reads was written after it had been recorded.

    See `minigraph.debug` for what its message tells inside it.

    Examples
    --------
    >>> import minigraph as mg
    >>> w = mg.Tensor([1.0, 2.0], requires_grad=True, name="w")
    >>> y = (w * w).sum()
    >>> w.data[0] = 7.0
    >>> try:
    ...     y.backward()
    ... except mg.WriteError as error:
    ...     print(error.tensor.name, error.op.name)
    w multiply
    """

    def __init__(self, node: Tensor, slot: int) -> None:
        assert node.op is not None
        op, input = node.op, node if slot == OUTPUT else node.inputs[slot]
        if slot == OUTPUT:
            what, taken = f"the result of {op.name}, {node._label()},", "it was made"
        else:
            is_tensor = type(input) is Tensor
            what = input._label() if is_tensor else f"an array {input.dtype}{list(input.shape)}"
            taken = f"{op.name} had taken it as {op.input_name(slot)}"
        lines = [
            f"{what} was written after {taken}, so the gradient would be that of other values; "
            "call backward() before the write, or compute the output again",
            *_difference(node, slot),
            *_lines(node, input),
        ]
        super().__init__("\n  ".join(lines), node, input if type(input) is Tensor else node)


def _difference(node: Tensor, slot: int) -> list[str]:
    """Say which entry was what, and is what, if there is a copy."""
    note = notes.get(node.number)
    for place, array, copy in note.copies if note else ():
        if place == slot:
            differ = np.argwhere((array != copy) & ((array == array) | (copy == copy)))
            if len(differ):
                at = tuple(int(i) for i in differ[0])
                more = f" ({len(differ)} of {array.size} entries differ)" if len(differ) > 1 else ""
                return [f"entry {list(at)} was {copy[at]}, and is {array[at]}{more}"]
    return []


def _lines(node: Tensor, input: Any) -> list[str]:
    """List the lines in which the node and its input were made, as far as they are known."""
    assert node.op is not None
    of_node, of_input = line_of(node), line_of(input)
    lines = [f"{node.op.name}: {of_node}"] if of_node else []
    if input is not node and of_input:
        lines.append(f"{input._label()}: {of_input}")
    return lines


class NonFiniteError(_InGraph, ArithmeticError):
    """An operation, or its gradient, made a NaN or Inf of finite numbers.

    It is raised inside `minigraph.debug` only.

    Examples
    --------
    >>> import numpy as np, minigraph as mg
    >>> p = mg.Tensor(0.0, requires_grad=True, name="p")
    >>> try:
    ...     with mg.debug(), np.errstate(divide="ignore"):
    ...         mg.sqrt(p).backward()
    ... except mg.NonFiniteError as error:
    ...     print(error.op.name, error.operands[0].name)
    sqrt p
    """

    def __init__(
        self, node: Tensor, what: str, result: Any, given: Sequence[tuple[str, Any]]
    ) -> None:
        result = np.asarray(getattr(result, "_array", result))
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(result))[0])
        entries = [_entry(name, value, result, place) for name, value in given]
        where = f"at {list(place)}, where " if place else "where "
        lines = [
            f"{what} makes {result[place]} of finite numbers: "
            f"{where}{' and '.join(filter(None, entries))}"
        ]
        super().__init__("\n  ".join([*lines, *_lines(node, node)]), node, node)


def _entry(name: str, value: Any, result: Array, place: tuple[int, ...]) -> str:
    """Say what a value was at the place of a result; or its range, where entries do not pair."""
    value = np.asarray(getattr(value, "_array", value))
    if not value.size or value.dtype.kind not in "fiub":
        return ""
    try:
        return f"{name} is {np.broadcast_to(value, result.shape)[place]}"
    except ValueError:
        return f"{name} is between {value.min()} and {value.max()}"
