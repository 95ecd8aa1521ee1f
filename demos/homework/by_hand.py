"""A perceptron with one hidden layer, forward and backward, derived by hand in plain NumPy.

Examples are columns. ``K`` is the number of examples, ``d`` of inputs, ``dh`` of hidden units and
``m`` of classes; labels are integers 0 ... m-1. The names are the homework's: ``ha`` and ``oa`` are
the activations (before the non-linearity) of the hidden and the output layer, ``hs`` and ``os``
what comes out of it, and ``grad_z`` has the shape of ``z``. U1 ... U18, P3 and P6 are the
homework's items.

Three implementations of the same thing, each readable beside the one before:

- ``fprop`` and ``bprop``: one example, a column;
- ``fprop_loop`` and ``bprop_loop``: K examples, one after the other (P3);
- ``fprop_matrix`` and ``bprop_matrix``: K examples at once (P6).
"""

from collections.abc import Callable
from copy import deepcopy
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.floating]  # whatever precision comes in goes out
Lambdas = tuple[float, float, float, float]  # l11, l12, l21, l22: layer, then norm
Arrays = TypeVar("Arrays", bound=tuple[Array, ...])

NO_PENALTY: Lambdas = (0.0, 0.0, 0.0, 0.0)


class Parameters(NamedTuple):
    """Theta (U5), or a gradient with respect to it."""

    W1: Array  # dh x d
    b1: Array  # dh x 1
    W2: Array  # m x dh
    b2: Array  # m x 1


class Forward(NamedTuple):
    """What the forward pass computed, for the backward pass to use again."""

    ha: Array  # dh x K
    hs: Array  # dh x K
    oa: Array  # m x K
    os: Array  # m x K
    L: Array  # one loss per example: (K,), or () for a single one


def init(d: int, dh: int, m: int, rng: np.random.Generator) -> Parameters:
    """Draw weights from U(-1/sqrt(n_in), 1/sqrt(n_in)), layer by layer; biases are 0."""

    def weights(n_out: int, n_in: int) -> Array:
        return rng.uniform(-1 / np.sqrt(n_in), 1 / np.sqrt(n_in), (n_out, n_in))

    return Parameters(weights(dh, d), np.zeros((dh, 1)), weights(m, dh), np.zeros((m, 1)))


def onehot(m: int, y: ArrayLike) -> NDArray[np.int8]:
    """Put a 1 in row y_i of column i (U8); ``y`` is (K,) or an integer, the result m x K."""
    return (np.arange(m)[:, None] == y).astype(np.int8)  # os - onehot has the precision of os


def softmax(oa: Array) -> Array:
    """Turn each column of ``oa``, m x K, into probabilities (U3)."""
    e = np.exp(oa - oa.max(axis=0))  # the shift cancels, and nothing overflows
    return e / e.sum(axis=0)


# One example


def fprop(parameters: Parameters, x: Array, y: int) -> Forward:
    """Compute the loss of one example ``x``, d x 1, with label ``y``."""
    W1, b1, W2, b2 = parameters
    ha = W1 @ x + b1  # U1
    hs = np.maximum(ha, 0)  # U1: rect
    oa = W2 @ hs + b2  # U2
    os = softmax(oa)  # U3
    # U4: L = -ln os_y = ln sum exp(oa) - oa_y. The largest os is 1 / sum exp(oa - max oa), so its
    # logarithm gives the log-sum-exp without a second exp, and stays finite where ln os_y does not.
    L = oa.max() - oa[y, 0] - np.log(os.max())
    return Forward(ha, hs, oa, os, L)


def bprop(parameters: Parameters, x: Array, y: int, forward: Forward) -> tuple[Parameters, Array]:
    """Compute the gradient of one example's loss: of the parameters, and of ``x``, d x 1."""
    W1, _, W2, b2 = parameters
    ha, hs, _, os, _ = forward
    grad_oa = os - onehot(len(b2), y)  # U7, U8
    grad_W2 = grad_oa @ hs.T  # U9, U10: (m x 1)(1 x dh)
    grad_b2 = grad_oa  # U9, U10
    grad_hs = W2.T @ grad_oa  # U11, U12: (dh x m)(m x 1)
    grad_ha = grad_hs * (ha > 0)  # U13, U14: rect'(0) = 0
    grad_W1 = grad_ha @ x.T  # U15, U16: (dh x 1)(1 x d)
    grad_b1 = grad_ha  # U15, U16
    grad_x = W1.T @ grad_ha  # U17: (d x dh)(dh x 1)
    return Parameters(grad_W1, grad_b1, grad_W2, grad_b2), grad_x


# Penalties on the weights


def penalty(parameters: Parameters, lam: Lambdas) -> float:
    """L(theta) = l11 ||W1||_1 + l12 ||W1||_2^2 + l21 ||W2||_1 + l22 ||W2||_2^2 (U18)."""
    if not any(lam):
        return 0.0  # training without penalties shall not pay for them
    W1, _, W2, _ = parameters
    l11, l12, l21, l22 = lam
    return (
        l11 * np.abs(W1).sum()
        + l12 * np.square(W1).sum()
        + l21 * np.abs(W2).sum()
        + l22 * np.square(W2).sum()
    )


def penalty_gradient(parameters: Parameters, lam: Lambdas) -> Parameters:
    """Differentiate ``penalty`` (U18); sign(0) = 0, and the biases are not penalised."""
    if not any(lam):
        return Parameters(*map(np.zeros_like, parameters))
    W1, b1, W2, b2 = parameters
    l11, l12, l21, l22 = lam
    return Parameters(
        l11 * np.sign(W1) + 2 * l12 * W1,
        np.zeros_like(b1),
        l21 * np.sign(W2) + 2 * l22 * W2,
        np.zeros_like(b2),
    )


# K examples by a loop (P3): the mean of what one example gives


def fprop_loop(
    parameters: Parameters, x: Array, y: NDArray[np.integer], lam: Lambdas = NO_PENALTY
) -> tuple[float, list[Forward]]:
    """Compute the penalised risk (U5, U18) of the columns of ``x``, d x K, with labels (K,)."""
    K = len(y)
    forwards = [fprop(parameters, x[:, [i]], y[i]) for i in range(K)]
    risk = sum(forward.L for forward in forwards) / K
    return risk + penalty(parameters, lam), forwards


def bprop_loop(
    parameters: Parameters,
    x: Array,
    y: NDArray[np.integer],
    forwards: list[Forward],
    lam: Lambdas = NO_PENALTY,
) -> tuple[Parameters, Array]:
    """Compute the gradient of the penalised risk: of the parameters, and of ``x``, d x K."""
    K = len(y)
    examples = [bprop(parameters, x[:, [i]], y[i], forwards[i]) for i in range(K)]
    gradients, grad_x = zip(*examples)
    means = [sum(of_examples) / K for of_examples in zip(*gradients)]
    penalised = Parameters(*map(np.add, means, penalty_gradient(parameters, lam)))
    return penalised, np.hstack(grad_x) / K


# K examples by matrices (P6): the same lines, a column for each example


def fprop_matrix(
    parameters: Parameters, x: Array, y: NDArray[np.integer], lam: Lambdas = NO_PENALTY
) -> tuple[float, Forward]:
    """Compute the penalised risk (U5, U18) of the columns of ``x``, d x K, with labels (K,)."""
    W1, b1, W2, b2 = parameters
    ha = W1 @ x + b1  # (dh x d)(d x K) + dh x 1: b1 is added to every column
    hs = np.maximum(ha, 0)
    oa = W2 @ hs + b2  # (m x dh)(dh x K) + m x 1
    os = softmax(oa)
    L = oa.max(axis=0) - oa[y, np.arange(len(y))] - np.log(os.max(axis=0))
    return L.mean() + penalty(parameters, lam), Forward(ha, hs, oa, os, L)


def bprop_matrix(
    parameters: Parameters,
    x: Array,
    y: NDArray[np.integer],
    forward: Forward,
    lam: Lambdas = NO_PENALTY,
) -> tuple[Parameters, Array]:
    """Compute the gradient of the penalised risk: of the parameters, and of ``x``, d x K."""
    W1, _, W2, b2 = parameters
    ha, hs, _, os, _ = forward
    grad_oa = (os - onehot(len(b2), y)) / len(y)  # the mean's 1/K, here once for all lines below
    grad_W2 = grad_oa @ hs.T  # (m x K)(K x dh): the product sums over the examples
    grad_b2 = grad_oa.sum(axis=1, keepdims=True)
    grad_hs = W2.T @ grad_oa  # (dh x m)(m x K)
    grad_ha = grad_hs * (ha > 0)
    grad_W1 = grad_ha @ x.T  # (dh x K)(K x d)
    grad_b1 = grad_ha.sum(axis=1, keepdims=True)
    grad_x = W1.T @ grad_ha  # (d x dh)(dh x K)
    means = [grad_W1, grad_b1, grad_W2, grad_b2]
    penalised = Parameters(*map(np.add, means, penalty_gradient(parameters, lam)))
    return penalised, grad_x


def finite_differences(
    loss: Callable[[Arrays], float], parameters: Arrays, eps: float = 1e-6, forward: bool = False
) -> Arrays:
    """Measure the gradient of ``loss(parameters)``, entry by entry.

    The difference is central, (L(p + eps) - L(p - eps)) / 2 eps, with an error of order eps^2; or
    forward, (L(p + eps) - L(p)) / eps, with an error of order eps. ``parameters`` is any tuple of
    arrays (``(x,)`` for the gradient of the data); the result has its type and shapes.
    """
    moved, gradients = deepcopy(parameters), deepcopy(parameters)
    back = 0.0 if forward else eps
    for value, gradient in zip(moved, gradients):
        for entry in np.ndindex(value.shape):
            p = value[entry]
            value[entry] = p + eps
            above = loss(moved)
            value[entry] = p - back
            below = loss(moved)
            value[entry] = p
            gradient[entry] = (above - below) / (eps + back)
    return gradients
