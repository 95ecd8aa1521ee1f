"""What composite operations are made of: each, run on Tensors, written with ops of one call."""

from collections.abc import Callable
from typing import Any

import numpy as np

from minigraph import recomputing
from minigraph.derivation.forms import form_of, length
from minigraph.op import Op
from minigraph.ops import neural, reductions
from minigraph.ops.shaping import scatter
from minigraph.tensor import Tensor

__all__ = ["is_written", "lowered"]


def is_written(op: Op) -> bool:
    """Tell whether one expression of NumPy is the op."""
    ufunc = isinstance(op.function, np.ufunc)
    ours = (getattr(op.function, "__module__", None) or "").startswith("minigraph.")
    return form_of(op) is not None or op is scatter or ufunc or not ours


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


def _checkpoint(*inputs: Any, call: Any) -> Any:
    return call.f()


# No gradient is taken of what is written: an op needs no formula here.
fmax = Op(np.fmax, a=None, b=None)

LOWERINGS: dict[Op, Callable[..., Any]] = {
    reductions.logsumexp: _logsumexp,
    reductions.norm: _norm,
    recomputing._forgetful: _checkpoint,
    neural.affine: _affine,
    neural.log_softmax: _log_softmax,
    neural.nll: _nll,
    neural.softmax_error: _softmax_error,
    neural.elastic: _elastic,
}
