"""Least squares, and the pseudoinverse that they are made of, by singular values."""

from typing import Any

import numpy as np

from minigraph.op import Op
from minigraph.ops.decompositions import parts, triples
from minigraph.ops.selecting import with_shape
from minigraph.tensor import Tensor


def _pinv(a, usv, *, rcond=1e-15):
    """Give the pseudoinverse of a, whose singular values are known."""
    u, s, v = parts(usv, a.shape[-2])
    limit = np.asarray(rcond)[..., None] * s.max(axis=-1, keepdims=True, initial=0)
    inverse = np.where(s > limit, 1 / np.where(s > limit, s, 1), 0)
    return (v * inverse[..., None, :]) @ u.mT


def _cotangent_of_any(g: Any, y: Any, a: Any) -> Any:
    """Undo what a change of a, of the same rank, does; see Golub and Pereyra, 1973."""
    g, yt = g.mT, y.mT
    return (g - a @ y @ g) @ y @ yt + yt @ y @ (g - g @ y @ a) - yt @ g.mT @ yt


pseudoinverse = Op(
    _pinv,
    a=lambda g, y, a, usv, rcond: _cotangent_of_any(g, y, a),
    usv=None,
    name="pinv",
    texts={
        "a": "({g}ᵀ - {a} @ {y} @ {g}ᵀ) @ {y} @ {y}ᵀ"
        " + {y}ᵀ @ {y} @ ({g}ᵀ - {g}ᵀ @ {y} @ {a}) - {y}ᵀ @ {g} @ {y}ᵀ",
        "usv": "svd({a})",
    },
)


def pinv(a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = ...) -> Tensor:
    """Give the pseudoinverse; its slope is that along changes that keep the rank.

    Smaller singular values than `rcond` times the largest are taken for 0.
    """
    a = with_shape(a)
    if hermitian:
        raise TypeError("pinv: hermitian=True has no rule in minigraph; leave it out")
    if rcond is None:
        rcond = 1e-15 if rtol is ... else rtol
    return pseudoinverse(a, triples(a), rcond=_tolerance(a, rcond))


def _tolerance(a: Any, rcond: Any) -> Any:
    eps = np.finfo(a.dtype if a.dtype.kind == "f" else float).eps
    return max(a.shape[-2:], default=0) * float(eps) if rcond is None else rcond


def lstsq(a: Any, b: Any, rcond: float | None = None) -> tuple[Any, Any, Any, Any]:
    """Find x for which ‖b - a x‖ is least, and of several such the shortest; see `pinv`.

    Also gives the sums of the squares that are left, the rank of `a`, a constant, and its singular
    values. As in NumPy, it depends on the rank whether the sums are given.
    """
    a, b = with_shape(a), with_shape(b)
    if a.ndim != 2 or b.ndim not in (1, 2) or a.shape[0] != b.shape[0]:
        raise ValueError(f"lstsq: {a.shape}, {b.shape}: a matrix, and as many rows, are needed")
    rcond = _tolerance(a, rcond)
    usv = triples(a)
    s = parts(usv, a.shape[0])[1]
    x = pseudoinverse(a, usv, rcond=rcond) @ b
    rank = np.count_nonzero(s > rcond * s[:1])
    rest = b - a @ x
    squares = (rest * rest).sum(axis=0, keepdims=b.ndim == 1)
    full = rank == a.shape[1] < a.shape[0]
    return x, squares if full else squares[:0], rank, s
