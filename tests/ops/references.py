"""Plain NumPy for every operation: NumPy's function of that name, or one that is written out here.

These forms are the textbook's, without care for overflow, so that none shares a line with an op.
"""

import operator
from types import SimpleNamespace

import numpy as np


def softmax(x, axis=-1):
    return np.exp(x) / np.exp(x).sum(axis=axis, keepdims=True)


def scatter(g, x, rows, index):
    out = np.zeros_like(x)
    for row, values in zip(rows, g, strict=True):
        out[row] += values
    return out


def triples(a):
    u, s, vt = np.linalg.svd(a, full_matrices=False)
    return np.concatenate([u, s[..., None, :], vt.mT], axis=-2)


def over_gaps(q, a, b, of, pairs):
    y = q / (np.expand_dims(b, -2) - np.expand_dims(a, -1))
    return np.where(np.eye(*y.shape[-2:]) == 1, 0, y) if pairs else y


FORMS = {
    "relu": lambda x: np.where(x > 0, x, 0),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "softplus": lambda x: np.log(1 + np.exp(x)),
    "logsumexp": lambda x, axis, keepdims: np.log(np.exp(x).sum(axis=axis, keepdims=keepdims)),
    "unit_sign": lambda x: np.copysign(1.0, x),
    "convolution": lambda a, v, mode: np.convolve(a, v, mode),
    "vector_product": np.dot,
    "contraction": lambda *arrays, subscripts: np.einsum(subscripts, *arrays),
    "norm": lambda x, axis, keepdims: np.sqrt((x**2).sum(axis=axis, keepdims=keepdims)),
    "softmax": softmax,
    "log_softmax": lambda x, axis=-1: np.log(softmax(x, axis)),
    "softmax_nll": lambda z, t: -np.log(softmax(z)[np.arange(len(t)), t]).mean(),
    "softmax_error": lambda z, lse, t: np.exp(z - lse) - np.eye(z.shape[1], dtype=z.dtype)[t],
    "l1_penalty": lambda w: np.sum(np.abs(w)),
    "l2_penalty": lambda w: np.sum(w * w),
    "elastic_net": lambda w, l1, l2: l1 * np.sum(np.abs(w)) + l2 * np.sum(w * w),
    "linear": lambda x, W, b: x @ W + b,
    "spread": lambda r, x, axis, keepdims: np.broadcast_to(
        r if keepdims else np.expand_dims(r, axis), x.shape
    ),
    "scatter": scatter,
    "astype": lambda x, dtype: np.array(x, dtype),
    "solution": np.linalg.solve,
    "system_solution": lambda ab: np.linalg.inv(ab[..., : ab.shape[-2]]) @ ab[..., ab.shape[-2] :],
    "inv": np.linalg.inv,
    "signed_log": lambda a: np.stack(np.linalg.slogdet(a), axis=-1),
    "eigen": lambda a, UPLO: np.concatenate(
        [np.linalg.eigh(a, UPLO)[0][..., None, :], np.linalg.eigh(a, UPLO)[1]], axis=-2
    ),
    "triples": triples,
    "columns": lambda a: np.concatenate([np.linalg.qr(a)[0], np.linalg.qr(a)[1].mT], axis=-2),
    "pinv": np.linalg.pinv,
    "full_rank": lambda r: r,
    "over_gaps": over_gaps,
    "reshape": lambda x, shape: np.reshape(x, shape),  # NumPy 2.0 calls it newshape
}


class _Plain:
    """Stands where a program says ``mg``; operators and indices need nothing in their place."""

    Tensor = SimpleNamespace(__getitem__=operator.getitem)  # of NumPy's scalars too
    ops = reductions = shaping = neural = elementwise = linalg = property(lambda self: self)
    inverses = decompositions = least_squares = property(lambda self: self)
    trigonometry = products = selecting = signals = property(lambda self: self)

    def __getattr__(self, name):
        form = FORMS.get(name) or getattr(np, name, None)
        if form is None:
            raise AttributeError(f"NumPy has no {name}: give tests/ops/references.py a plain form")
        return form


plain = _Plain()


def reference(program, *inputs):
    """Compute what a program gives for these arrays, by NumPy alone."""
    names = {"np": np, "mg": plain}
    exec(program.source, names)
    return np.asarray(names["program"](*inputs))
