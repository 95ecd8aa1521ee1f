"""Systems of equations, inverses and determinants of square matrices; those of stacks one by one.

Numbers are of float32 or float64, as in NumPy. A singular matrix has no inverse, and says so by
`numpy.linalg.LinAlgError`, forward or on the way back.
"""

from typing import Any

import numpy as np

from minigraph.op import Op
from minigraph.ops.elementwise import exp, multiply, sign
from minigraph.ops.selecting import with_shape
from minigraph.ops.shaping import concatenate
from minigraph.tensor import Tensor

Slogdet = type(np.linalg.slogdet(np.eye(1)))  # NumPy's named tuple


def _solve(a, b):
    """Find y with a y = b, for the columns of b."""
    return np.linalg.solve(a, b)


solution: Op = Op(
    _solve,
    a=lambda g, y, a, b: -solution(a.mT, g) @ y.mT,
    b=lambda g, y, a, b: solution(a.mT, g),
    name="solve",
    shapes="(..., n, n), (..., n, k)",
    broadcasts=True,
    texts={"a": "-solve({a}ᵀ, {g}) @ {y}ᵀ", "b": "solve({a}ᵀ, {g})"},
)


def _solve_system(ab):
    """Find y with a y = b, where `a` and `b` stand side by side."""
    n = ab.shape[-2]
    return np.linalg.solve(ab[..., :n], ab[..., n:])


def _of_system(g: Any, y: Any, ab: Any) -> Any:
    w = solution(ab[..., : y.shape[-2]].mT, g)
    return np.concatenate([-w @ y.mT, w], axis=-1)


# On the way back `a` and `b` need the same solution. Side by side, they share it.
system_solution = Op(
    _solve_system,
    ab=lambda g, y, ab: _of_system(g, y, ab),
    name="solve_system",
    texts={"ab": "beside(-solve(aᵀ, {g}) @ {y}ᵀ, solve(aᵀ, {g}))"},
)


def solve(a: Any, b: Any) -> Tensor:
    """Solve a y = b. With w the solution of aᵀ w = ∂L/∂y: ∂L/∂b = w, and ∂L/∂a = -w yᵀ."""
    a, b = with_shape(a), with_shape(b)
    if b.ndim == 1:
        return solve(a, b[:, None])[..., 0]
    both = all(isinstance(x, Tensor) and x.requires_grad for x in (a, b))
    if both and a.ndim > 1 and a.shape == (*b.shape[:-1], b.shape[-2]):
        return system_solution(concatenate([a, b], axis=-1))
    return solution(a, b)


def _inv(a):
    """Invert a matrix."""
    return np.linalg.inv(a)


inv = Op(
    _inv,
    a=lambda g, y, a: -y.mT @ g @ y.mT,
    name="inv",
    shapes="(..., n, n)",
    texts={"a": "-{y}ᵀ @ {g} @ {y}ᵀ"},
)


# Determinants


def _slogdet(a):
    """Give the sign of the determinant and the logarithm of its absolute value, as two entries."""
    return np.stack(np.linalg.slogdet(a), axis=-1)


signed_log = Op(
    _slogdet,
    a=lambda g, y, a: g[..., 1:, None] * inv(a).mT,
    name="slogdet",
    shapes="(..., n, n)",
    texts={"a": "{g}[..., 1:, None] * inv({a})ᵀ"},
)


def slogdet(a: Any) -> Any:
    """Give the sign of det a, a constant, and ln |det a|, of slope a⁻ᵀ."""
    y = signed_log(with_shape(a))
    return Slogdet(sign(y[..., 0]), y[..., 1])


def det(a: Any) -> Tensor:
    """Compute the determinant, of slope det a · a⁻ᵀ; there must be an inverse."""
    y = slogdet(a)
    return multiply(y.sign, exp(y.logabsdet))
