"""Looking on while a graph is recorded and swept: lines, writes, and the first NaN or Inf."""

import math
import sys
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any
from weakref import ref

import numpy as np

from minigraph.arrays import Array
from minigraph.checks import truth
from minigraph.errors import NonFiniteError
from minigraph.graph import ancestors
from minigraph.modes import Setting
from minigraph.notes import OUTPUT, Line, Origin, keep, origin_of
from minigraph.op import Op
from minigraph.tensor import Tensor

__all__ = ["debug"]

OTHERS = ("minigraph", "numpy")  # packages whose lines are not the user's


def debug(lines: bool = True, writes: bool = True, finite: bool = True) -> Setting:
    """Look on while graphs are recorded and swept; context manager and decorator.

    It holds for the current thread or asyncio task, and for the innermost of several.

    Parameters
    ----------
    lines : bool
        Keep the line of the program in which each tensor was made, for errors.
    writes : bool
        Copy every array that a formula may read, and compare it when it is read: so a write by any
        means is seen, into an operand, a result, or through a view. What was recorded inside is
        compared by a sweep outside too; of what was recorded outside, only writes that are counted
        are seen.
    finite : bool
        Stop at the first NaN or Inf that an operation, or its gradient, makes of finite numbers.

    Raises
    ------
    TypeError
        If `lines`, `writes` or `finite` is not True or False: write ``@mg.debug()``, with brackets.
    NonFiniteError
        Inside, by the call of the operation, or by a sweep, at any order of differentiation.
    WriteError
        By a sweep: with the entry, its old and its new value.

    Examples
    --------
    >>> import numpy as np, minigraph as mg
    >>> p = mg.Tensor([1.0, 0.0], requires_grad=True, name="p")
    >>> with mg.debug(lines=False), np.errstate(divide="ignore"):
    ...     mg.log(p)
    Traceback (most recent call last):
        ...
    minigraph.errors.NonFiniteError: log makes -inf of finite numbers: at [1], where 'p' is 0.0
    """
    if callable(lines):
        raise TypeError("debug: lines is True or False, not a function; decorate with @mg.debug()")
    return Setting(
        debug=Debug(
            truth(lines, "debug: lines"),
            truth(writes, "debug: writes"),
            truth(finite, "debug: finite"),
        )
    )


class Debug:
    """What looks on: it is called for each leaf, each result, and each part of a gradient."""

    def __init__(self, lines: bool, writes: bool, finite: bool) -> None:
        self.lines, self.writes, self.finite = lines, writes, finite

    def leaf(self, tensor: Tensor) -> None:
        """Note where a leaf was made."""
        if self.lines:
            keep(tensor, _users_line())

    def detached(self, leaf: Tensor, source: Tensor) -> None:
        """Note where a leaf was made by detach, and of what."""
        line = _users_line() if self.lines else None
        keep(leaf, line, origin=_origin(None, (source,), line))

    def looked(self, tensor: Tensor, how: str) -> None:
        """Let values be looked at."""

    def computed(
        self,
        node: Tensor,
        op: Op,
        inputs: Sequence[Any],
        values: Sequence[Any],
        attributes: dict[str, Any],
    ) -> None:
        """Look at what an op gave."""
        line = _users_line() if self.lines else None
        recorded = node.op is not None
        if self.writes and recorded:
            _keep_all(node, line)
        elif line is not None or not recorded:
            origin = None if recorded else _origin(op, inputs, line)
            keep(node, line, origin=origin)
        if self.finite and not _is_finite(node._array) and all(map(_is_finite, values)):
            if not recorded:  # as if it were, to be shown
                node.op, node.attributes = op, attributes
                node.inputs, node.values = tuple(inputs), tuple(values)
            raise NonFiniteError(node, op.name, node._array, _called(op, inputs, values))

    def loaded(self, node: Tensor) -> None:
        """Look at a node that was pickled or copied."""
        if self.writes:
            _keep_all(node, None)

    def arrived(self, node: Tensor, slot: int, g: Any, part: Any, total: Any) -> None:
        """Look at what a formula gave, and at the sum that it was added to."""
        if not self.finite or (_is_finite(total) and (total is part or _is_finite(part))):
            return
        assert node.op is not None
        op, part = node.op, getattr(part, "_array", part)
        if not _is_finite(part):
            what = f"the gradient of {op.name} by {op.input_name(slot)}"
            given = [("its cotangent", g), *_called(op, node.inputs, node.values)]
            if all(_is_finite(value) for _, value in given):
                raise NonFiniteError(node, what, part, given)
        elif _is_finite(g):
            what = f"the sum of the gradients of {node.inputs[slot]._label()}"
            raise NonFiniteError(node, what, total, [(f"the part from {op.name}", part)])


def _origin(op: Op | None, inputs: Sequence[Any], line: Line | None) -> Origin:
    """Note where the path to a tensor that keeps no inputs was cut: here, or before."""
    tensors = [(slot, input) for slot, input in enumerate(inputs) if type(input) is Tensor]
    behind = ancestors([tensor for _, tensor in tensors if tensor._requires_grad])
    leaves = {t.number for t in behind if t.op is None and t._requires_grad}
    known = [origin for _, tensor in tensors if (origin := origin_of(tensor)) and origin.leaves]
    all_leaves = frozenset(leaves).union(*(origin.leaves for origin in known))
    if known and not leaves:
        return known[0]._replace(leaves=all_leaves)
    return Origin(op, tuple((slot, ref(tensor)) for slot, tensor in tensors), all_leaves, line)


def _keep_all(node: Tensor, line: Line | None) -> None:
    keep(node, line, _arrays((OUTPUT, node._array), *enumerate(node.values)))


def _called(op: Op, inputs: Sequence[Any], values: Sequence[Any]) -> list[tuple[str, Any]]:
    """Call what an op was given by the tensor's name, or by the op's own."""
    names = [getattr(input, "name", None) for input in inputs]
    return [
        (repr(name) if name else op.input_name(slot), value)
        for slot, (name, value) in enumerate(zip(names, values))
    ]


def _arrays(*values: tuple[int, Any]) -> Iterator[tuple[int, Array]]:
    """Leave out what cannot be written: numbers, and arrays of other libraries."""
    return ((slot, value) for slot, value in values if type(value) is np.ndarray)


def _is_finite(value: Any) -> bool:
    """Tell whether there is no NaN or Inf in a number, an array or a tensor."""
    value = getattr(value, "_array", value)
    if type(value) is np.ndarray:
        return value.dtype.kind != "f" or bool(np.isfinite(value).all())
    return not isinstance(value, float | np.floating) or math.isfinite(value)


def _users_line() -> Line | None:
    """Find the line of the program that called into minigraph."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        package, _, _ = frame.f_globals.get("__name__", "").partition(".")
        if package not in OTHERS:
            return Line(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)
        frame = frame.f_back
    return None
