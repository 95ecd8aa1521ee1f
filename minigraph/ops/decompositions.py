"""Matrices taken apart: Cholesky, eigenvalues, singular values, QR; those of stacks one by one.

An op has one output, so what NumPy gives in several parts is one array here, and the parts are
slices of it: a matrix is taken apart once, and parts that are not used have a cotangent of 0.
Numbers are of float32 or float64, as in NumPy.

`cholesky` and `eigh` read one triangle and take the matrix for symmetric. So is their gradient:
it is the slope along symmetric changes of the matrix.
"""

from typing import Any

import numpy as np

from minigraph.op import Op
from minigraph.ops import inverses
from minigraph.ops.selecting import with_shape
from minigraph.ops.shaping import concatenate
from minigraph.tensor import Tensor

# NumPy's named tuples
Eigh = type(np.linalg.eigh(np.eye(1)))
QR = type(np.linalg.qr(np.eye(1)))
SVD = type(np.linalg.svd(np.eye(1)))


def _half(x: Any) -> Any:
    """Give the lower triangle of x, with half of its diagonal."""
    n = x.shape[-1]
    return x * (np.tri(n, dtype=x.dtype) - np.eye(n, dtype=x.dtype) / 2)


def _symmetric(x: Any) -> Any:
    return (x + x.mT) / 2


def _diagonal(x: Any) -> Any:
    return x[..., None] * np.eye(x.shape[-1], dtype=x.dtype)


# Why vectors have no derivative: those of equal values may be turned into each other.
_EQUAL = {
    "eigh": "eigh: two eigenvalues are equal",
    "svd": "svd: two singular values are equal, or one is 0",
}


def _over_gaps(q, a, b, *, of="eigh", pairs=False):
    """Divide qᵢⱼ by bⱼ - aᵢ; of pairs only with i ≠ j. No gap is needed where qᵢⱼ is 0."""
    gaps = b[..., None, :] - a[..., :, None]
    largest = np.maximum(np.abs(a).max(-1, initial=0), np.abs(b).max(-1, initial=0))
    limit = max(gaps.shape[-2:]) * np.finfo(gaps.dtype).eps * largest
    none = np.abs(gaps) <= limit[..., None, None]
    alone = np.logical_and(np.eye(*gaps.shape[-2:]), pairs)
    if np.any(none & ~alone & (q != 0)):
        raise np.linalg.LinAlgError(f"{_EQUAL[of]}, so their vectors have no derivative")
    return np.where(none | alone, 0, q / np.where(none | alone, 1, gaps))


over_gaps: Op = Op(
    _over_gaps,
    q=lambda g, y, q, a, b, **how: over_gaps(g, a, b, **how),
    a=lambda g, y, q, a, b, **how: over_gaps(g * y, a, b, **how).sum(axis=-1),
    b=lambda g, y, q, a, b, **how: -over_gaps(g * y, a, b, **how).sum(axis=-2),
    name="over_gaps",
    shapes="(..., n, m), (..., n), (..., m)",
    broadcasts=True,
    texts={
        "q": "{g} / gaps({a}, {b})",
        "a": "({g} * {y} / gaps({a}, {b})).sum(-1)",
        "b": "-({g} * {y} / gaps({a}, {b})).sum(-2)",
    },
)


# Cholesky: a = l lᵀ


def _cholesky(a):
    """Give the lower triangle l with l lᵀ = a, which is symmetric and positive definite."""
    return np.linalg.cholesky(a)


def _cotangent_of_product(g: Any, y: Any) -> Any:
    """Undo dl = l half(l⁻¹ da l⁻ᵀ)."""
    inverse = inverses.inv(y)
    return _symmetric(inverse.mT @ _half(y.mT @ g) @ inverse)


lower_factor = Op(
    _cholesky,
    a=lambda g, y, a: _cotangent_of_product(g, y),
    name="cholesky",
    shapes="(..., n, n)",
    texts={"a": "symmetric(inv({y})ᵀ @ half({y}ᵀ @ {g}) @ inv({y}))"},
)


def cholesky(a: Any, /, *, upper: bool = False) -> Tensor:
    """Give the lower triangle l with a = l lᵀ, or the upper one, lᵀ."""
    a = with_shape(a)
    return lower_factor(a.mT).mT if upper else lower_factor(a)


# Eigenvalues and vectors of a symmetric matrix: a = v diag(w) vᵀ


def _eigh(a, *, UPLO="L"):
    """Give the eigenvalues as a row, and below it the vectors as columns."""
    w, v = np.linalg.eigh(a, UPLO)
    return np.concatenate([w[..., None, :], v], axis=-2)


def _cotangent_of_symmetric(g: Any, y: Any) -> Any:
    """Undo dw = diagonal(vᵀ da v), dv = v (vᵀ da v / gaps of w)."""
    w, v = y[..., 0, :], y[..., 1:, :]
    turned = over_gaps(v.mT @ g[..., 1:, :], w, w, of="eigh", pairs=True)
    return _symmetric(v @ (turned + _diagonal(g[..., 0, :])) @ v.mT)


eigen = Op(
    _eigh,
    a=lambda g, y, a, UPLO: _cotangent_of_symmetric(g, y),
    name="eigh",
    shapes="(..., n, n)",
    texts={"a": "symmetric(v @ (diag(gw) + (vᵀ @ gv) / gaps(w, w)) @ vᵀ)"},
)


def eigh(a: Any, UPLO: str = "L") -> Any:
    """Give the eigenvalues and eigenvectors of a symmetric matrix.

    Equal eigenvalues have the slope that a symmetric function of them needs, such as their sum;
    their vectors have none, so a gradient through these, or a second one, is refused there.
    """
    y = eigen(with_shape(a), UPLO=UPLO)
    return Eigh(y[..., 0, :], y[..., 1:, :])


def eigvalsh(a: Any, UPLO: str = "L") -> Tensor:
    """Give the eigenvalues of a symmetric matrix; see `eigh`."""
    return eigen(with_shape(a), UPLO=UPLO)[..., 0, :]


# Singular values and vectors: a = u diag(s) vᵀ


def _svd(a):
    """Give u, the singular values as a row, and v, one below the other."""
    u, s, vt = np.linalg.svd(a, full_matrices=False)
    return np.concatenate([u, s[..., None, :], vt.mT], axis=-2)


def parts(usv: Any, rows: int) -> tuple[Any, Any, Any]:
    """Cut what the op gives for a matrix of so many rows."""
    return usv[..., :rows, :], usv[..., rows, :], usv[..., rows + 1 :, :]


def _cotangent_of_rectangle(g: Any, y: Any, a: Any) -> Any:
    """Undo what da does to u, s and v; see Townsend, "Differentiating the SVD", 2016.

    Its fraction with s² is split into fractions with s, whose gaps rounding does not hide.
    """
    rows, columns = a.shape[-2:]
    (u, s, v), (gu, gs, gv) = parts(y, rows), parts(g, rows)
    p, q = u.mT @ gu, v.mT @ gv
    apart = over_gaps(p + q, s, s, of="svd", pairs=True)
    together = over_gaps(p - q, -s, s, of="svd", pairs=True)
    inner = (apart + apart.mT + together - together.mT) / 2 + _diagonal(gs)
    result = u @ inner @ v.mT
    # Vectors that are fewer than their entries can also turn out of the space that they span.
    if rows > columns:
        result = result + over_gaps(gu - u @ p, np.zeros(u.shape[:-1], u.dtype), s, of="svd") @ v.mT
    if rows < columns:
        result = result + u @ over_gaps(gv - v @ q, np.zeros(v.shape[:-1], v.dtype), s, of="svd").mT
    return result


triples = Op(
    _svd,
    a=lambda g, y, a: _cotangent_of_rectangle(g, y, a),
    name="svd",
    shapes="(..., n, m)",
    texts={
        "a": "u @ (diag(gs) + turn(uᵀ @ gu) * s + sᵀ * turn(vᵀ @ gv)) @ vᵀ"
        " + out(u, gu) / s @ vᵀ + u / s @ out(v, gv)ᵀ"
    },
)


def svd(
    a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False
) -> Any:
    """Give the singular vectors and values: a = u diag(s) vᵀ.

    Equal singular values have the slope that a symmetric function of them needs, such as their
    sum; their vectors have none, nor those of the value 0, so a gradient through these, or a second
    one, is refused there.
    """
    a = with_shape(a)
    if hermitian:
        raise TypeError("svd: hermitian=True has no rule in minigraph; use np.linalg.eigh")
    if not compute_uv:
        return svdvals(a)
    if full_matrices and a.ndim > 1 and a.shape[-1] != a.shape[-2]:
        raise TypeError(
            f"svd: {a.shape}: the vectors that fill up a square have no derivative; give "
            "full_matrices=False"
        )
    u, s, v = parts(triples(a), a.shape[-2])
    return SVD(u, s, v.mT)


def svdvals(x: Any, /) -> Tensor:
    """Give the singular values; see `svd`."""
    x = with_shape(x)
    return parts(triples(x), x.shape[-2])[1]


# QR: a = q r


def _qr(a):
    """Give q, and rᵀ below it, of a matrix with at least as many rows as columns."""
    q, r = np.linalg.qr(a)
    return np.concatenate([q, r.mT], axis=-2)


def _full_rank(r):
    """Give r, if no entry of its diagonal is 0."""
    pivots = np.abs(np.diagonal(r, axis1=-2, axis2=-1))
    limit = r.shape[-1] * np.finfo(r.dtype).eps * pivots.max(-1, initial=0)
    if np.any(pivots <= limit[..., None]):
        raise np.linalg.LinAlgError("the columns depend on each other, so q has no derivative")
    return r[...]


full_rank = Op(
    _full_rank,
    r=lambda g, y, r: g,
    name="full_rank",
    shapes="(..., n, n)",
    texts={"r": "{g}"},
)


def _cotangent_of_columns(g: Any, y: Any, a: Any) -> Any:
    """Undo what da does to q and r; see Walter and Lehmann, "Algorithmic differentiation", 2010."""
    n = a.shape[-2]
    q, r = y[..., :n, :], y[..., n:, :].mT
    gq, gr = g[..., :n, :], g[..., n:, :].mT
    lower = _half(r @ gr.mT - gq.mT @ q)
    return inverses.solution(full_rank(r), (gq + q @ (lower + lower.mT)).mT).mT


columns = Op(
    _qr,
    a=lambda g, y, a: _cotangent_of_columns(g, y, a),
    name="qr",
    texts={"a": "(gq + q @ mirror(r @ grᵀ - gqᵀ @ q)) @ inv(r)ᵀ"},
)


def qr(a: Any, mode: str = "reduced") -> Any:
    """Give q with orthonormal columns and the upper triangle r: a = q r.

    The columns of `a`, the first ones if it is wide, must not depend on each other.
    """
    a = with_shape(a)
    if a.ndim < 2:
        raise np.linalg.LinAlgError(f"qr: {a.shape}: a matrix is needed, of at least two axes")
    n, m = a.shape[-2:]
    if mode not in ("reduced", "r") and not (mode == "complete" and n <= m):
        raise TypeError(
            f"qr: mode={mode!r} of {a.shape} has no rule in minigraph; 'reduced' and 'r' do"
        )
    k = min(n, m)
    y = columns(a[..., :k])
    q, r = y[..., :n, :], y[..., n:, :].mT
    if n < m:
        r = concatenate([r, q.mT @ a[..., k:]], axis=-1)
    return r if mode == "r" else QR(q, r)
