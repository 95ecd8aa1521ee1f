"""What can go wrong with the data and the loss of a training run, said in time."""

import math
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from minigraph.arrays import Array, array_of, shown
from minigraph.graph import Graph
from minigraph.modes import no_grad
from minigraph.tensor import Tensor

__all__ = ["NonFiniteLoss", "TrainingWarning", "check_examples", "checksum", "count_classes",
           "first_nonfinite", "high_start", "missing_classes"]  # fmt: skip

HIGH = 2.0  # times ln m: a loss at the start above that is worse than guessing


class TrainingWarning(UserWarning):
    """Something about a training run that is allowed, but seldom meant."""


class NonFiniteLoss(ArithmeticError):
    """The loss became NaN or infinite; the step that would have followed was not taken.

    Attributes
    ----------
    loss : Tensor
        With the graph that it was computed by.
    tensor : Tensor
        The first in that graph with a value that is not finite.
    """

    def __init__(self, message: str, loss: Tensor, tensor: Tensor) -> None:
        super().__init__(message)
        self.loss = loss
        self.tensor = tensor

    def draw(self, **options: Any) -> Any:
        """Draw the graph with the first non-finite tensor in focus; options as for `draw`."""
        from minigraph.drawing import draw

        return draw(self.loss, focus=self.tensor, **options)


def first_nonfinite(loss: Tensor) -> tuple[Tensor, str]:
    """Find the first tensor of a graph that is not finite, and say what made it."""
    for node in Graph(loss).nodes:
        array = node._array
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            break
    if node.op is None:
        what = f"{node._label()} already held NaN or infinity"
        if node.requires_grad:
            what += ": the step before was too large, or its gradient was not finite"
        return node, what
    return node, f"{node.op.name} made NaN or infinity out of finite values"


def count_classes(model: Callable[[Any], Any], examples: Any) -> int:
    """Ask a model how many classes it has outputs for."""
    rows = _pair("train", examples)[0][:1]
    with no_grad():
        logits = model(rows)
    if not isinstance(logits, Tensor):
        raise TypeError(f"fit: the model makes a Tensor of logits, not {shown(logits)}")
    if logits.ndim != 2:
        raise ValueError(
            f"fit: from rows of shape {rows.shape} the model makes {logits.shape}, not logits "
            "(n, m), one column per class"
        )
    return int(logits.shape[1])


def check_examples(part: str, examples: Any, m: int) -> tuple[Array, Array]:
    """Check the examples of a part: rows of finite numbers, and classes 0 ... m - 1.

    Raises
    ------
    TypeError, ValueError
        It names the part, and the row and column.
    """
    X, y = _pair(part, examples)
    if y.shape != X.shape[:1]:
        raise ValueError(
            f"fit: {part}: one label for each row of X; X has shape {X.shape}, y {y.shape}"
        )
    if len(X) == 0:
        raise ValueError(f"fit: {part}: there are no examples; leave it out, or give some")
    if y.dtype.kind not in "iu":
        raise TypeError(f"fit: {part}: labels are integers 0 ... {m - 1}, not {y.dtype}")
    if y.min() < 0 or y.max() >= m:
        row = int(np.flatnonzero((y < 0) | (y >= m))[0])
        raise ValueError(
            f"fit: {part}: label {y[row]} of row {row} is none of the classes 0 ... {m - 1} that "
            "the model has outputs for"
        )
    if X.dtype.kind == "f" and not np.isfinite(X.sum()):  # quick; what is not finite stays so
        places = np.argwhere(~np.isfinite(X))
        if len(places):
            row, *column = (int(i) for i in places[0])
            raise ValueError(
                f"fit: {part}: X has {X[tuple(places[0])]} in row {row}, column "
                f"{', '.join(map(str, column))}; {len(places)} such entries in all"
            )
    return X, y


def _pair(part: str, examples: Any) -> tuple[Any, Any]:
    if not isinstance(examples, tuple | list) or len(examples) != 2:
        raise TypeError(f"fit: {part} is a pair (X, y) of rows and labels")
    X, y = (array_of(a, f"fit: {part}: {name}") for name, a in zip("Xy", examples))
    if not X.ndim:
        raise ValueError(f"fit: {part}: X is an array of rows, (n, d), not the number {X}")
    return X, y


def missing_classes(y: Array, m: int) -> str | None:
    """Say which classes no training example has."""
    missing = sorted(set(range(m)) - set(np.unique(y).tolist()))
    if not missing:
        return None
    some = ", ".join(map(str, missing[:10])) + (", ..." if len(missing) > 10 else "")
    return f"no training example is of class {some}: the model cannot learn it"


def high_start(loss: float, m: int) -> str | None:
    """Say that the loss before the first step is worse than that of guessing, ln m."""
    if loss <= HIGH * math.log(m):
        return None
    return (
        f"the loss starts at {loss:.3g}, that of guessing is ln {m} = {math.log(m):.3g}: are the "
        "initial weights too large, or the inputs not scaled?"
    )


def checksum(arrays: Mapping[str, Any]) -> str:
    """Compute the CRC-32 of named arrays, to tell whether they have changed."""
    sum_ = 0
    for name, array in arrays.items():
        sum_ = zlib.crc32(np.ascontiguousarray(array).data, zlib.crc32(name.encode(), sum_))
    return f"{sum_:08x}"
