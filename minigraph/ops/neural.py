"""Ops of neural networks, fused where a person writes one line and memory traffic says so."""

from functools import lru_cache
from typing import Any

import numpy as np

from minigraph.arrays import array_of, is_array
from minigraph.methods import Operand
from minigraph.op import Kink, Op
from minigraph.ops.elementwise import add, sign
from minigraph.ops.linalg import matmul
from minigraph.ops.reductions import logsumexp
from minigraph.tensor import Tensor


def _softmax(x, *, axis=-1):
    """Compute eˣ / Σ eˣ along an axis: positive, summing to 1, the same for x + c."""
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


softmax = Op(
    _softmax,
    x=lambda g, y, x, axis: y * (g - (g * y).sum(axis=axis, keepdims=True)),
    name="softmax",
    texts={"x": "{y} * ({g} - ({g} * {y}).sum(axis={axis}, keepdims=True))"},
)


def _log_softmax(x, *, axis=-1):
    """Compute x - ln Σ eˣ along an axis."""
    return x - logsumexp.function(x, axis=axis, keepdims=True)  # errors name one op


log_softmax = Op(
    _log_softmax,
    x=lambda g, y, x, axis: g - np.exp(y) * g.sum(axis=axis, keepdims=True),
    name="log_softmax",
    texts={"x": "{g} - exp({y}) * {g}.sum(axis={axis}, keepdims=True)"},
)


# The loss. What its gradient needs, ln Σ eᶻ, is an input of its own: softmax is exp(z - it), and so
# neither the loss nor the gradient ever takes the logarithm of a probability that underflowed.


@lru_cache(maxsize=8)  # a training run has two batch sizes
def _places(n: int, step: int) -> Any:
    return np.arange(0, n * step, step)


def _softmax_error(z, lse, t):
    """Compute softmax(z) - onehot(t)."""
    error = np.subtract(z, lse, order="C")
    np.exp(error, out=error)
    flat = error.reshape(-1)  # one index array in place of two takes half the time
    flat[_places(*z.shape) + t.astype(np.intp, copy=False)] -= 1
    return error


softmax_error = Op(
    _softmax_error,
    z=lambda g, y, z, lse, t: g * np.exp(z - lse),
    lse=lambda g, y, z, lse, t: -g * np.exp(z - lse),
    t=None,
    name="softmax_error",
    broadcasts=True,
    texts={
        "y": "exp({z} - {lse}) - onehot({t})",
        "z": "{g} * exp({z} - {lse})",
        "lse": "-{g} * exp({z} - {lse})",
    },
)


def _nll(z, lse, t):
    """Average ln Σ eᶻ - z[t] over the rows: the negative log-likelihood of the labels."""
    if z.ndim != 2 or len(z) == 0:
        raise ValueError("logits are (n, m), one row per example, with at least one row")
    if type(t) is not np.ndarray or t.dtype.kind not in "iu":
        raise TypeError(f"labels are integers, not {getattr(t, 'dtype', type(t).__name__)}")
    n = len(z)
    if t.shape != (n,):
        raise ValueError(f"{n} rows of logits need labels of shape ({n},)")
    try:
        chosen = z[_places(n, 1), t]
    except IndexError:
        raise _no_class(t, z.shape[1]) from None
    if np.minimum.reduce(t) < 0:  # NumPy would count these from the end
        raise _no_class(t, z.shape[1])
    return np.add.reduce(lse[:, 0] - chosen) / n


def _no_class(t: Any, m: int) -> ValueError:
    row = int(np.flatnonzero((t < 0) | (t >= m))[0])
    return ValueError(f"label {t[row]} of row {row} is not one of 0 ... {m - 1}")


nll = Op(
    _nll,
    z=lambda g, y, z, lse, t: (g / len(z)) * softmax_error(z, lse, t),
    lse=None,  # the formula of z is the whole derivative
    t=None,
    name="softmax_nll",
    texts={"y": "softmax_nll({z}, {t})", "z": "{g} / n * (softmax({z}) - onehot({t}))"},
)


def softmax_nll(logits: Operand, labels: Operand) -> Tensor:
    """Average the negative log-likelihood of the labels under softmax: the empirical risk R̂.

    Parameters
    ----------
    logits : (n, m) array_like
        One row per example, one column per class; any finite size is safe.
    labels : (n,) array_like of int
        The classes, 0 ... m - 1.

    Returns
    -------
    Tensor
        0-d: (1/n) Σᵢ (ln Σₖ exp zᵢₖ - zᵢₜ), the homework's U4 and U5. Its gradient is
        (softmax(z) - onehot(t)) / n, U7.

    Raises
    ------
    ValueError
        If the batch is empty, the shapes do not match, or a label is not a class.
    TypeError
        If the labels are not integers.

    Examples
    --------
    >>> import minigraph as mg
    >>> z = mg.Tensor([[0.0, 0.0], [10000.0, 0.0]], requires_grad=True)
    >>> mg.softmax_nll(z, [0, 0]).item()
    0.34657359027997264
    """
    if type(labels) is not Tensor:
        labels = array_of(labels, "softmax_nll: labels")
    if type(logits) is not Tensor and not is_array(logits):
        logits = array_of(logits, "softmax_nll: logits")
    return nll(logits, logsumexp(logits, axis=-1, keepdims=True), labels)


# Penalties of the weights


def _norm1(w, s):
    """Compute ‖w‖₁ = s · w, where s = sign(w)."""
    return np.vdot(s, w)


norm1 = Op(
    _norm1,
    w=lambda g, y, w, s: g * s,
    s=None,  # NumPy's sign is slow: value and gradient share it
    name="l1_penalty",
    kinks=[Kink("w = 0", "0", lambda w, s: w)],
    texts={"y": "sum(abs({w}))", "w": "{g} * sign({w})", "s": "sign({w})"},
)


def l1_penalty(w: Operand) -> Tensor:
    """Compute ‖w‖₁, the sum of absolute values (the homework's T9).

    Its gradient is sign(w), with sign(0) = 0.

    Parameters
    ----------
    w : array_like
        Of any shape.

    Returns
    -------
    Tensor
        0-d.

    Examples
    --------
    >>> import minigraph as mg
    >>> w = mg.Tensor([3.0, 0.0, -4.0], requires_grad=True)
    >>> mg.l1_penalty(w).backward()
    >>> w.grad
    array([ 1.,  0., -1.])
    """
    if type(w) is not Tensor:
        w = array_of(w, "l1_penalty: w")
    return norm1(w, sign(w))


def _l2_penalty(w):
    """Compute ‖w‖² = Σ w²; its gradient is 2 w (the homework's T8)."""
    return np.vdot(w, w)


l2_penalty = Op(
    _l2_penalty,
    w=lambda g, y, w: (2 * g) * w,
    name="l2_penalty",
    texts={"y": "sum({w} ** 2)", "w": "2 * {g} * {w}"},
)


def _elastic_net(w, s, l1, l2):
    """Compute λ₁ ‖w‖₁ + λ₂ ‖w‖², where s = sign(w), so that ‖w‖₁ = s · w."""
    y = l1 * np.vdot(s, w) + l2 * np.vdot(w, w)
    if y.ndim:
        raise ValueError("the weights l1 and l2 are numbers")
    return y


elastic = Op(
    _elastic_net,
    w=lambda g, y, w, s, l1, l2: (g * l1) * s + (2 * g * l2) * w,
    s=None,
    l1=lambda g, y, w, s, l1, l2: g * (s * w).sum(),
    l2=lambda g, y, w, s, l1, l2: g * (w * w).sum(),
    name="elastic_net",
    kinks=[Kink("w = 0", "0", lambda w, s, l1, l2: w)],
    texts={
        "y": "{l1} * sum(abs({w})) + {l2} * sum({w} ** 2)",
        "w": "{g} * {l1} * sign({w}) + 2 * {g} * {l2} * {w}",
        "s": "sign({w})",
        "l1": "{g} * sum(abs({w}))",
        "l2": "{g} * sum({w} ** 2)",
    },
)


def elastic_net(w: Operand, l1: Operand, l2: Operand) -> Tensor:
    """Compute the elastic net λ₁ ‖w‖₁ + λ₂ ‖w‖² (the homework's U18).

    Its gradient is λ₁ sign(w) + 2 λ₂ w, with sign(0) = 0 (Zou and Hastie, "Regularization and
    variable selection via the elastic net", 2005).

    Parameters
    ----------
    w : array_like
        Of any shape.
    l1, l2 : float
        λ₁ and λ₂; as Tensors they get a gradient too.

    Returns
    -------
    Tensor
        0-d.

    Raises
    ------
    ValueError
        If `l1` or `l2` is an array of more than one number.

    Examples
    --------
    >>> import minigraph as mg
    >>> w = mg.Tensor([3.0, 0.0, -4.0], requires_grad=True)
    >>> mg.elastic_net(w, 1.0, 0.5).backward()
    >>> w.grad
    array([ 4.,  0., -5.])
    """
    if type(w) is not Tensor:
        w = array_of(w, "elastic_net: w")
    return elastic(w, sign(w), l1, l2)


def _affine(x, W, b):
    """Compute x W + b for rows x."""
    y = x @ W
    if y.dtype is b.dtype:
        y += b  # a second array of this size would cost as much as the addition
        return y
    if b.shape[0] not in (1, y.shape[1]):
        raise ValueError(f"{b.shape[0]} biases for {y.shape[1]} columns")
    return y + b


affine = Op(
    _affine,
    x=lambda g, y, x, W, b: g @ W.T,
    W=lambda g, y, x, W, b: x.T @ g,
    b=lambda g, y, x, W, b: g.sum(axis=0),
    symbol="@",
    name="linear",
    shapes="(n, d), (d, m), (m)",
    broadcasts=True,
    texts={"y": "{x} @ {W} + {b}", "x": "{g} @ {W}ᵀ", "W": "{x}ᵀ @ {g}", "b": "{g}.sum(axis=0)"},
)


def linear(x: Operand, W: Operand, b: Operand) -> Tensor:
    """Compute ``x @ W + b``, in one op where `x` is a matrix.

    Parameters
    ----------
    x : (n, d) array_like
        One row per example; more or fewer axes work too, by the rules of ``@`` and ``+``.
    W : (d, m) array_like
    b : (m,) array_like

    Returns
    -------
    (n, m) Tensor
        Its gradients are ∂L/∂W = xᵀ ∂L/∂y, ∂L/∂b = Σ rows of ∂L/∂y, ∂L/∂x = ∂L/∂y Wᵀ: the
        homework's U16, U15 and U17 with examples as rows.

    Raises
    ------
    ValueError
        If the shapes do not match.

    Examples
    --------
    >>> import minigraph as mg
    >>> W = mg.Tensor([[1.0], [2.0]], requires_grad=True)
    >>> mg.linear(mg.Tensor([[3.0, 4.0]]), W, mg.Tensor([0.5]))
    Tensor([[11.5]], dtype=float64, op=linear)
    """
    axes = [getattr(value, "ndim", None) for value in (x, W, b)]
    return affine(x, W, b) if axes == [2, 2, 1] else add(matmul(x, W), b)
