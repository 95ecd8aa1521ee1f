"""Linear algebra: the matrix product, by every shape rule of NumPy's."""

from typing import Any

import numpy as np

from minigraph.arrays import array_of
from minigraph.errors import mismatch
from minigraph.methods import Operand
from minigraph.op import Op
from minigraph.tensor import Tensor

matrix_product = Op(
    np.matmul,
    a=lambda g, y, a, b: g @ b.swapaxes(-1, -2),
    b=lambda g, y, a, b: a.swapaxes(-1, -2) @ g,
    symbol="@",
    shapes="(..., n, k), (..., k, m)",
    texts={"a": "{g} @ {b}ᵀ", "b": "{a}ᵀ @ {g}"},
)


def matmul(a: Operand, b: Operand) -> Tensor:
    """Multiply matrices: ``a @ b``, by the shape rules of `numpy.matmul`.

    Parameters
    ----------
    a : (..., n, k) or (k,) array_like
    b : (..., k, m) or (k,) array_like
        1-D operands are vectors: a row on the left, a column on the right. Axes before the last
        two are stacks of matrices, and broadcast.

    Returns
    -------
    (..., n, m) Tensor
        Without n or m where that operand is a vector. With matrices, ∂L/∂a = ∂L/∂y bᵀ and
        ∂L/∂b = aᵀ ∂L/∂y (the homework's U10 and U12).

    Raises
    ------
    ValueError
        If the inner sizes differ, the stacks do not broadcast, or an operand is a scalar.

    Examples
    --------
    >>> import minigraph as mg
    >>> W = mg.Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    >>> mg.matmul([1.0, 1.0], W)
    Tensor([4., 6.], dtype=float64, op=reshape)
    """
    try:
        if a.ndim > 1 and b.ndim > 1:  # type: ignore[union-attr]
            return matrix_product(a, b)
    except AttributeError:
        pass  # a list, or a number
    return _with_vectors(_with_shape(a, "matmul: a"), _with_shape(b, "matmul: b"))


def _with_shape(x: Any, what: str) -> Any:
    return x if hasattr(x, "ndim") else array_of(x, what)


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
    """Multiply as `numpy.dot` does, for up to two axes: scalars, vectors, matrices.

    Parameters
    ----------
    a, b : array_like
        Of at most two axes.

    Returns
    -------
    Tensor
        ``a * b`` where one is a scalar, `matmul` otherwise.

    Raises
    ------
    ValueError
        If an operand has more axes, or the inner sizes differ.

    Examples
    --------
    >>> import minigraph as mg
    >>> mg.dot(mg.Tensor([1.0, 2.0]), [3.0, 4.0]).item()
    11.0
    """
    left, right = _with_shape(a, "dot: a"), _with_shape(b, "dot: b")
    if left.ndim > 2 or right.ndim > 2:
        raise ValueError(
            f"dot: {left.shape} and {right.shape}: up to two axes; use matmul for stacks"
        )
    return left * right if left.ndim == 0 or right.ndim == 0 else matmul(left, right)
