"""Losses and layers that are a few lines each, written with other operations."""

from typing import Any

import numpy as np

from minigraph.arrays import array_of, is_array, shown
from minigraph.checks import number
from minigraph.ops.elementwise import softplus, where
from minigraph.ops.selecting import take
from minigraph.tensor import Tensor

__all__ = ["bce_with_logits", "dropout", "embedding", "huber", "layer_norm", "mse"]


def mse(prediction: Any, target: Any) -> Tensor:
    """Average the squared errors.

    Parameters
    ----------
    prediction, target : array_like of float
        Of the same shape.

    Returns
    -------
    Tensor
        0-d: mean (p - t)². Its slope is 2 (p - t) / n.

    Raises
    ------
    ValueError
        If the shapes differ, or there are no entries.
    TypeError
        If the prediction is not of floats.

    Examples
    --------
    >>> from minigraph import nn
    >>> nn.mse([1.0, 2.0], [1.0, 5.0])
    np.float64(4.5)
    """
    p, t = _pair("mse", prediction, target)
    error = p - t
    return (error * error).mean()


def huber(prediction: Any, target: Any, delta: float = 1.0) -> Tensor:
    """Average Huber's loss: squared errors near 0, absolute ones beyond `delta`.

    Parameters
    ----------
    prediction, target : array_like of float
        Of the same shape.
    delta : float
        Where the parabola becomes a line; positive.

    Returns
    -------
    Tensor
        0-d: the mean of e²/2 where the error e = p - t is at most δ in size, and of
        δ (abs(e) - δ/2) elsewhere. The slope, e cut off at ±δ, over n, is continuous.

    Raises
    ------
    ValueError
        If the shapes differ, there are no entries, or `delta` is not positive.
    TypeError
        If the prediction is not of floats.

    References
    ----------
    P. J. Huber, Robust estimation of a location parameter, Ann. Math. Statist. 35 (1964).

    Examples
    --------
    >>> from minigraph import nn
    >>> nn.huber([1.0, 2.0], [1.0, 5.0])
    np.float64(1.25)
    """
    p, t = _pair("huber", prediction, target)
    delta = number(delta, "huber: delta")
    if not delta > 0:
        raise ValueError(f"huber: delta is positive, not {delta}")
    error = p - t
    size = abs(error)
    return where(size <= delta, error * error / 2, delta * (size - delta / 2)).mean()


def bce_with_logits(logits: Any, targets: Any) -> Tensor:
    """Average the binary cross-entropy of targets under the sigmoid of the logits.

    Parameters
    ----------
    logits, targets : array_like
        Of the same shape; targets are labels 0 and 1, or probabilities between them.

    Returns
    -------
    Tensor
        0-d: the mean of -t ln σ(z) - (1 - t) ln(1 - σ(z)) = ln(1 + eᶻ) - t z, which no finite
        logit overflows. Its slope is (σ(z) - t) / n.

    Raises
    ------
    ValueError
        If the shapes differ, there are no entries, or a target lies outside [0, 1].
    TypeError
        If the logits are not floats.

    Examples
    --------
    >>> from minigraph import nn
    >>> nn.bce_with_logits([0.0, 1000.0], [0, 1]).item()
    0.34657359027997264
    """
    z, t = _pair("bce_with_logits", logits, targets)
    given = t._array if isinstance(t, Tensor) else t  # no operation of the loss
    inside = (given >= 0) & (given <= 1)
    if not inside.all():
        wrong = np.extract(~inside, given)[0].item()
        raise ValueError(f"bce_with_logits: targets lie between 0 and 1, but one is {wrong}")
    # One term for each label, as softplus(-z) = softplus(z) - z: no difference of large numbers.
    return (t * softplus(-z) + (1 - t) * softplus(z)).mean()


def layer_norm(x: Any, gain: Any = None, bias: Any = None, eps: float = 1e-5) -> Tensor:
    """Give each row the mean 0 and the variance 1, times `gain`, plus `bias`.

    Parameters
    ----------
    x : (..., d) array_like of float
    gain, bias : (d,) array_like, optional
    eps : float
        Added to the variance, so that a row of equal entries becomes 0.

    Returns
    -------
    (..., d) Tensor
        (x - mean) / √(var + ε) · gain + bias, of the last axis.

    Raises
    ------
    ValueError
        If `x` has no axis, gain or bias is not of shape (d,), or `eps` is negative.
    TypeError
        If `x` is not of floats.

    References
    ----------
    J. L. Ba, J. R. Kiros, G. E. Hinton, Layer normalization, arXiv:1607.06450 (2016).

    Examples
    --------
    >>> from minigraph import nn
    >>> nn.layer_norm([[1.0, 3.0]], eps=0)
    array([[-1.,  1.]])
    """
    x, eps = _floats("layer_norm: x", x), number(eps, "layer_norm: eps")
    if x.ndim == 0 or eps < 0:
        raise ValueError(f"layer_norm: x {tuple(x.shape)}, eps={eps}: rows, and eps of at least 0")
    centred = x - x.mean(axis=-1, keepdims=True)
    y = centred / np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + eps)
    for name, row in (("gain", gain), ("bias", bias)):
        if row is not None:
            row = _array(f"layer_norm: {name}", row)
            if row.shape != x.shape[-1:]:
                raise ValueError(
                    f"layer_norm: {name} {tuple(row.shape)} of rows of {x.shape[-1]} entries; "
                    f"expected ({x.shape[-1]},)"
                )
            y = y * row if name == "gain" else y + row
    return y


def dropout(x: Any, p: float, rng: np.random.Generator) -> Tensor:
    """Put 0 in the place of entries by chance, and divide the others by 1 - p: the mean stays.

    Call it while training only.

    Parameters
    ----------
    x : array_like of float
    p : float
        With which probability an entry becomes 0; 0 ≤ p < 1.
    rng : numpy.random.Generator
        Draws which; one number for each entry.

    Returns
    -------
    Tensor
        The gradient passes the same entries, divided by 1 - p.

    Raises
    ------
    ValueError
        If `p` is not in [0, 1).
    TypeError
        If `x` is not of floats, or `rng` is no generator.

    References
    ----------
    N. Srivastava et al., Dropout: a simple way to prevent neural networks from overfitting,
    J. Mach. Learn. Res. 15 (2014).

    Examples
    --------
    >>> import numpy as np
    >>> from minigraph import nn
    >>> nn.dropout(np.ones(6), 0.5, np.random.default_rng(0))
    array([2., 0., 0., 0., 2., 2.])
    """
    x, p = _floats("dropout: x", x), number(p, "dropout: p")
    if not 0 <= p < 1:
        raise ValueError(f"dropout: p is at least 0 and below 1, not {p}")
    if not isinstance(rng, np.random.Generator):
        raise TypeError(
            f"dropout: rng is a numpy.random.Generator, such as np.random.default_rng(0), not "
            f"{shown(rng)}"
        )
    kept = rng.random(x.shape) >= p
    return x * (kept / (1 - p)).astype(x.dtype)


def embedding(table: Any, indices: Any) -> Tensor:
    """Take a row of a table for each index.

    Parameters
    ----------
    table : (n, d) array_like
    indices : array_like of int
        0 ... n - 1, of any shape.

    Returns
    -------
    (..., d) Tensor
        The gradient adds up, for each row, what its places receive.

    Raises
    ------
    TypeError
        If the indices are not integers.
    ValueError
        If the table is no matrix.
    IndexError
        If an index is not one of 0 ... n - 1.

    Examples
    --------
    >>> import minigraph as mg
    >>> from minigraph import nn
    >>> table = mg.Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    >>> mg.grad(nn.embedding(table, [1, 0, 1]).sum(), table)
    Tensor([[1., 1.],
            [2., 2.]], dtype=float64)
    """
    table, indices = _array("embedding: table", table), _array("embedding: indices", indices)
    if table.ndim != 2:
        raise ValueError(f"embedding: the table is (n, d), one row per index, not {table.shape}")
    if indices.dtype.kind not in "iu":
        raise TypeError(f"embedding: indices are integers, not {indices.dtype}")
    n = len(table)
    outside = (indices < 0) | (indices >= n)
    if outside.any():
        wrong = np.extract(outside, indices)[0].item()
        raise IndexError(f"embedding: index {wrong} is not one of 0 ... {n - 1}")
    return take(table, indices, axis=0)


def _array(what: str, value: Any) -> Any:
    """Give what has a shape and a dtype: a Tensor or an array of numbers."""
    return value if isinstance(value, Tensor) or is_array(value) else array_of(value, what)


def _floats(what: str, value: Any) -> Any:
    value = _array(what, value)
    if value.dtype.kind != "f":
        raise TypeError(f"{what} is of floats, not {value.dtype}; give astype(float)")
    return value


def _pair(name: str, prediction: Any, target: Any) -> tuple[Any, Any]:
    """Check two arrays that are compared entry by entry."""
    p, t = _floats(f"{name}: the first argument", prediction), _array(f"{name}: target", target)
    if p.shape != t.shape:
        raise ValueError(
            f"{name}: {tuple(p.shape)} and {tuple(t.shape)}: the shapes must be equal; "
            "a column and a row would broadcast"
        )
    if not p.size:
        raise ValueError(f"{name}: there are no entries to average")
    return p, t if t.dtype.kind == "f" else t.astype(p.dtype)
