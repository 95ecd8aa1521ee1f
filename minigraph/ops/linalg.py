"""Linear algebra: the matrix product, by every shape rule of NumPy's."""

from typing import Any

import numpy as np

from minigraph.errors import mismatch
from minigraph.methods import Operand
from minigraph.op import Op
from minigraph.tensor import Tensor

matrix_product = Op(
    np.matmul,
    a=lambda g, y, a, b: g @ b.swapaxes(-1, -2),
    b=lambda g, y, a, b: a.swapaxes(-1, -2) @ g,
    symbol="@",
    texts={"a": "{g} @ {b}ᵀ", "b": "{a}ᵀ @ {g}"},
)


def matmul(a: Operand, b: Operand) -> Tensor:
    """Multiply matrices: ``a @ b``, by the shape rules of `numpy.matmul`.

    1-D operands are vectors: a row on the left, a column on the right. With matrices,
    ∂L/∂a = ∂L/∂y bᵀ and ∂L/∂b = aᵀ ∂L/∂y (the homework's U10 and U12).
    """
    try:
        if a.ndim > 1 and b.ndim > 1:  # type: ignore[union-attr]
            return matrix_product(a, b)
    except AttributeError:
        pass  # a list, or a number
    return _with_vectors(_with_shape(a), _with_shape(b))


def _with_shape(x: Any) -> Any:
    return x if hasattr(x, "ndim") else np.asarray(x)


def _with_vectors(a: Any, b: Any) -> Tensor:
    if a.ndim == 0 or b.ndim == 0:
        raise ValueError(
            f"matmul: {a.shape} @ {b.shape}: a scalar has no rows; use * in place of @"
        )
    if a.shape[-1] != (b.shape[-2] if b.ndim > 1 else b.shape[0]):
        labels = [getattr(x, "name", None) or word for x, word in ((a, "a"), (b, "b"))]
        raise ValueError(f"matmul: {a.shape} @ {b.shape}: {mismatch(a.shape, b.shape, labels)}")
    row = np.reshape(a, (1, -1)) if a.ndim == 1 else a
    column = np.reshape(b, (-1, 1)) if b.ndim == 1 else b
    y = matrix_product(row, column)
    shape = y.shape[:-2] + y.shape[-2:-1] * (a.ndim > 1) + y.shape[-1:] * (b.ndim > 1)
    return y.reshape(shape)


def dot(a: Operand, b: Operand) -> Tensor:
    """Multiply as `numpy.dot` does, for up to two axes: scalars, vectors, matrices."""
    left, right = _with_shape(a), _with_shape(b)
    if left.ndim > 2 or right.ndim > 2:
        raise ValueError(
            f"dot: {left.shape} and {right.shape}: up to two axes; use matmul for stacks"
        )
    return left * right if left.ndim == 0 or right.ndim == 0 else matmul(left, right)
