"""Linear algebra: the matrix product, by every shape rule of NumPy's."""

import math
import operator
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from minigraph.arrays import array_of
from minigraph.errors import mismatch
from minigraph.methods import Operand
from minigraph.op import Op
from minigraph.ops import decompositions, inverses, reductions, shaping
from minigraph.ops.elementwise import INF, abs, where
from minigraph.ops.reductions import Axis
from minigraph.ops.selecting import with_shape
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
    if a.ndim == b.ndim == 1:
        return reductions.vector_product(a, b)
    row = np.reshape(a, (1, -1)) if a.ndim == 1 else a
    column = np.reshape(b, (-1, 1)) if b.ndim == 1 else b
    y = matrix_product(row, column)
    shape = y.shape[:-2] + y.shape[-2:-1] * (a.ndim > 1) + y.shape[-1:] * (b.ndim > 1)
    return y.reshape(shape)


def dot(a: Operand, b: Operand) -> Tensor:
    """Multiply as `numpy.dot` does.

    Parameters
    ----------
    a, b : array_like

    Returns
    -------
    Tensor
        ``a * b`` where one is a scalar; `matmul` of vectors and matrices; of more axes, the sum
        over the last axis of `a` and the last but one of `b`.

    Raises
    ------
    ValueError
        If the inner sizes differ.

    Examples
    --------
    >>> import minigraph as mg
    >>> mg.dot(mg.Tensor([1.0, 2.0]), [3.0, 4.0]).item()
    11.0
    """
    left, right = _with_shape(a, "dot: a"), _with_shape(b, "dot: b")
    if left.ndim == 0 or right.ndim == 0:
        return left * right
    if left.ndim > 2 or right.ndim > 2:
        return tensordot(left, right, (-1, -2 if right.ndim > 1 else -1))
    return matmul(left, right)


def tensordot(a: Operand, b: Operand, axes: Any = 2) -> Tensor:
    """Sum products over axes of `a` and of `b`: one product of matrices.

    Parameters
    ----------
    a, b : array_like
    axes : int or pair of axes
        How many of the last axes of `a` and the first of `b`, or which of each.

    Returns
    -------
    Tensor
        With the other axes of `a`, then those of `b`.

    Raises
    ------
    ValueError
        If the sizes along these axes differ.
    """
    left, right = _with_shape(a, "tensordot: a"), _with_shape(b, "tensordot: b")
    if np.ndim(axes) == 0:
        axes = (range(left.ndim - axes, left.ndim), range(axes))
    summed = [[int(i) % x.ndim for i in np.atleast_1d(w)] for x, w in zip((left, right), axes)]
    if [left.shape[i] for i in summed[0]] != [right.shape[i] for i in summed[1]]:
        raise ValueError(f"tensordot: {left.shape}, {right.shape}: sizes differ along axes {axes}")
    kept = [[i for i in range(x.ndim) if i not in s] for x, s in zip((left, right), summed)]
    n, m = ([x.shape[i] for i in k] for x, k in zip((left, right), kept))
    size = math.prod([left.shape[i] for i in summed[0]])
    rows = np.transpose(left, kept[0] + summed[0]).reshape(math.prod(n), size)
    columns = np.transpose(right, summed[1] + kept[1]).reshape(size, math.prod(m))
    return matmul(rows, columns).reshape(n + m)


# Products of many


def matrix_power(a: Any, n: int) -> Any:
    """Multiply a square matrix by itself, or its inverse where `n` is negative."""
    a, n = with_shape(a), operator.index(n)
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise ValueError(f"matrix_power: {a.shape}: a square matrix is needed, or a stack of them")
    if n < 0:
        return matrix_power(inverses.inv(a), -n)
    if n == 0:
        return shaping.broadcast_to(np.eye(a.shape[-1], dtype=a.dtype), a.shape)
    square = a if n == 1 else matrix_power(matmul(a, a), n // 2)
    return matmul(square, a) if n % 2 and n > 1 else square


def multi_dot(arrays: Sequence[Any]) -> Tensor:
    """Multiply matrices in the order that takes the fewest products of numbers."""
    arrays = [with_shape(x) for x in arrays]
    if len(arrays) < 2:
        raise ValueError(f"multi_dot: {len(arrays)} arrays; give at least two")
    sizes = [1 if arrays[0].ndim == 1 else arrays[0].shape[0], *(x.shape[-1] for x in arrays)]
    if arrays[-1].ndim == 1:
        sizes[-2:] = [arrays[-1].shape[0], 1]

    @cache
    def cheapest(first: int, end: int) -> tuple[int, int]:
        """Give the number of products, and where the last one parts the row."""
        if end - first == 1:
            return 0, first
        return min(
            (cheapest(first, k)[0] + cheapest(k, end)[0] + sizes[first] * sizes[k] * sizes[end], k)
            for k in range(first + 1, end)
        )

    def product(first: int, end: int) -> Any:
        if end - first == 1:
            return arrays[first]
        k = cheapest(first, end)[1]
        return matmul(product(first, k), product(k, end))

    return product(0, len(arrays))


# Norms


def norm(x: Any, ord: Any = None, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Compute the norm of vectors or matrices, by the rules of `numpy.linalg.norm`."""
    x = _with_shape(x, "norm: x")
    if ord is None:
        return reductions.norm(x, axis=axis, keepdims=keepdims)
    axes = range(x.ndim) if axis is None else np.atleast_1d(axis).tolist()
    if len(axes) == 1:
        return vector_norm(x, axis=axes[0], keepdims=keepdims, ord=ord)
    if len(axes) != 2:
        raise ValueError(f"norm: {x.shape}, ord={ord}, axis={axis}: one axis or two are meant")
    row, column = [i % x.ndim for i in axes]
    return _of_matrices(x, ord, row, column, keepdims)


def vector_norm(x: Any, *, axis: Axis = None, keepdims: bool = False, ord: Any = 2) -> Tensor:
    """Compute (Σ |x|ᵖ)^(1/p) along the axes; the largest or smallest |x| for p = ∞ or -∞."""
    axes: dict[str, Any] = {"axis": axis, "keepdims": keepdims}
    x = _with_shape(x, "norm: x")
    if ord in (None, 2):
        return reductions.norm(x, **axes)
    if ord in (INF, -INF):
        return (reductions.max if ord > 0 else reductions.min)(abs(x), **axes)
    if ord == 0:
        return reductions.sum((x != 0).astype(x.dtype), **axes)
    if isinstance(ord, str):
        raise ValueError(f"norm: ord={ord!r} is no norm of vectors")
    if ord == 1:
        return reductions.sum(abs(x), **axes)
    total = reductions.sum(_power_from_0(abs(x), ord), **axes)
    return _power_from_0(total, 1 / ord)


def _power_from_0(x: Any, exponent: float) -> Tensor:
    """Raise to a power; the slope at 0 is taken as 0, as that of every norm is."""
    at_0 = 0.0 if exponent > 0 else INF
    return where(x == 0, at_0, where(x == 0, 1, x) ** exponent)


def matrix_norm(x: Any, *, keepdims: bool = False, ord: Any = "fro") -> Tensor:
    """Compute the norm of the matrices of the last two axes; see `norm`."""
    x = _with_shape(x, "norm: x")
    return _of_matrices(x, ord, x.ndim - 2, x.ndim - 1, keepdims)


def _of_matrices(x: Any, ord: Any, row: int, column: int, keepdims: bool) -> Tensor:
    if ord in (None, "fro"):
        return reductions.norm(x, axis=(row, column), keepdims=keepdims)
    if ord in (2, -2, "nuc"):
        s = decompositions.svdvals(np.moveaxis(x, (row, column), (-2, -1)))
        y = {2: reductions.max, -2: reductions.min, "nuc": reductions.sum}[ord](s, axis=-1)
        return np.expand_dims(y, (row, column)) if keepdims else y  # type: ignore[return-value]
    if ord not in (1, -1, INF, -INF):
        raise ValueError(f"norm: ord={ord!r} is no norm of matrices; 1, 2, inf, 'fro', 'nuc' are")
    along, across = (row, column) if ord in (1, -1) else (column, row)
    lines = reductions.sum(abs(x), axis=along, keepdims=True)
    extremum = reductions.max if ord > 0 else reductions.min
    y = extremum(lines, axis=across, keepdims=True)
    return y if keepdims else np.squeeze(y, (row, column))


def cond(x: Any, p: Any = None) -> Tensor:
    """Compute the condition number ‖x‖ ‖x⁻¹‖, by a norm of order `p`; 2 is meant by None."""
    x = _with_shape(x, "cond: x")
    if p in (None, 2, -2):
        s = decompositions.svdvals(x)
        first, last = (-1, 0) if p == -2 else (0, -1)
        return s[..., first] / s[..., last]
    return matrix_norm(x, ord=p) * matrix_norm(inverses.inv(x), ord=p)
