"""What composite operations are made of: each, run on Tensors, written with ops of one call."""

from collections.abc import Callable
from typing import Any

import numpy as np

from minigraph import recomputing
from minigraph.derivation.forms import SEVERAL, form_of, length
from minigraph.op import Op
from minigraph.ops import decompositions, least_squares, neural, reductions
from minigraph.ops.decompositions import parts
from minigraph.ops.shaping import scatter
from minigraph.tensor import Tensor

__all__ = ["is_written", "lowered"]


def is_written(op: Op) -> bool:
    """Tell whether one expression of NumPy is the op."""
    ufunc = isinstance(op.function, np.ufunc)
    ours = (getattr(op.function, "__module__", None) or "").startswith("minigraph.")
    several = op is scatter or op in SEVERAL
    return form_of(op) is not None or several or ufunc or not ours


def lowered(node: Tensor) -> Tensor:
    """Do what a node's op does, with other ops.

    Most functions of ops are written in NumPy's functions, and so run on Tensors as they are.
    """
    op = node.op
    assert op is not None
    function = LOWERINGS.get(op, op.function)
    inputs = [_constant(input) for input in node.inputs]
    result: Tensor = function(*inputs, **node.attributes)
    return result


def _constant(input: Any) -> Any:
    return Tensor(input, copy=False) if isinstance(input, np.ndarray) else input


def _affine(x: Any, W: Any, b: Any) -> Any:
    return x @ W + b


def _logsumexp(x: Any, *, axis: Any, keepdims: bool) -> Any:
    largest = x.max(axis=axis, keepdims=True)
    largest.name = "largest"
    y = fmax(np.log(np.exp(x - largest).sum(axis=axis, keepdims=True)) + largest, largest)
    y.name = "lse"
    return y if keepdims else np.squeeze(y, axis)


def _log_softmax(x: Any, *, axis: int) -> Any:
    return x - reductions.logsumexp(x, axis=axis, keepdims=True)


def _nll(z: Any, lse: Any, t: Any) -> Any:
    chosen = z[np.arange(len(z)), t]
    return (lse[:, 0] - chosen).sum() / len(z)


def _softmax_error(z: Any, lse: Any, t: Any) -> Any:
    softmax = np.exp(z - lse)
    onehot = t[:, None] == np.arange(z.shape[1])
    softmax.name, onehot.name = "softmax", "onehot"
    return softmax - onehot


def _elastic(w: Any, s: Any, l1: Any, l2: Any) -> Any:
    return l1 * neural.norm1(w, s) + l2 * neural.l2_penalty(w)


def _norm(x: Any, *, axis: Any, keepdims: bool) -> Any:
    if axis is None:
        return length(x, keepdims=keepdims)
    return np.sqrt(np.sum(x * x, axis=axis, keepdims=keepdims))


# Where eager code refuses, by a look at values, what is written gives NaN.


def _over_gaps(q: Any, a: Any, b: Any, *, of: str, pairs: bool) -> Any:
    gaps = b[..., None, :] - a[..., :, None]
    rows, columns = gaps.shape[-2:]
    largest = np.maximum(np.abs(a).max(-1), np.abs(b).max(-1))
    limit = max(rows, columns) * float(np.finfo(gaps.dtype).eps) * largest
    none = np.abs(gaps) <= limit[..., None, None]
    alone = np.arange(rows)[:, None] == np.arange(columns) if pairs else False
    skipped = (none & (q == 0)) | alone
    return np.where(skipped, 0, q / np.where(skipped, 1, np.where(none, np.nan, gaps)))


def _full_rank(r: Any) -> Any:
    pivots = np.abs(np.diagonal(r, axis1=-2, axis2=-1))
    limit = r.shape[-1] * float(np.finfo(r.dtype).eps) * pivots.max(-1)
    full = (pivots > limit[..., None]).all(-1)
    return np.where(full[..., None, None], r, np.nan)


def _pinv(a: Any, usv: Any, *, rcond: Any) -> Any:
    u, s, v = parts(usv, a.shape[-2])
    limit = rcond * s.max(axis=-1, keepdims=True)
    inverse = np.where(s > limit, 1 / np.where(s > limit, s, 1), 0)
    return (v * inverse[..., None, :]) @ u.mT


def _checkpoint(*inputs: Any, call: Any) -> Any:
    return call.f()


# No gradient is taken of what is written: an op needs no formula here.
fmax = Op(np.fmax, a=None, b=None)

LOWERINGS: dict[Op, Callable[..., Any]] = {
    reductions.logsumexp: _logsumexp,
    reductions.norm: _norm,
    decompositions.over_gaps: _over_gaps,
    decompositions.full_rank: _full_rank,
    least_squares.pseudoinverse: _pinv,
    recomputing._forgetful: _checkpoint,
    neural.affine: _affine,
    neural.log_softmax: _log_softmax,
    neural.nll: _nll,
    neural.softmax_error: _softmax_error,
    neural.elastic: _elastic,
}
