"""One hidden layer of relu, softmax and its negative log-likelihood; examples are columns.

The homework's matrix form: x is d x K, W1 dh x d, b1 dh x 1, W2 m x dh, b2 m x 1, y (K,). The loss
is the mean over the examples, plus lam[0] |W1|_1 + lam[1] |W1|^2 + lam[2] |W2|_1 + lam[3] |W2|^2.
"""

import numpy as np

import minigraph as mg

AXIS = "columns"
PENALTIES = 4


def params(sizes, rng):
    """Draw weights and biases."""
    d, dh, m = sizes["d"], sizes["dh"], sizes["m"]
    shapes = {"W1": (dh, d), "b1": (dh, 1), "W2": (m, dh), "b2": (m, 1)}
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


def batch(sizes, rng):
    """Draw examples and their classes 0 ... m - 1."""
    d, m, K = sizes["d"], sizes["m"], sizes["K"]
    return rng.normal(size=(d, K)), rng.integers(0, m, K)


def forward(params, x):
    """Compute both layers: before and after what is not linear in them."""
    ha = params["W1"] @ x + params["b1"]
    hs = np.maximum(ha, 0)
    oa = params["W2"] @ hs + params["b2"]
    e = np.exp(oa - oa.max(axis=0))
    os = e / e.sum(axis=0)
    return ha, hs, oa, os


def fprop(params, x, y, lam):
    """Compute the mean loss with its penalties."""
    W1, W2 = params["W1"], params["W2"]
    ha, hs, oa, os = forward(params, x)
    top = oa.max(axis=0)
    losses = top + np.log(np.exp(oa - top).sum(axis=0)) - oa[y, np.arange(len(y))]
    penalty = lam[0] * np.abs(W1).sum() + lam[1] * (W1**2).sum()
    penalty += lam[2] * np.abs(W2).sum() + lam[3] * (W2**2).sum()
    return float(losses.mean() + penalty)


def bprop(params, x, y, lam):
    """Compute the gradient of fprop."""
    W1, W2 = params["W1"], params["W2"]
    m, K = len(W2), x.shape[1]
    ha, hs, oa, os = forward(params, x)
    onehot = np.eye(m)[:, y]
    grad_oa = (os - onehot) / K
    grad_W2 = grad_oa @ hs.T
    grad_b2 = grad_oa.sum(axis=1, keepdims=True)
    grad_hs = W2.T @ grad_oa
    grad_ha = grad_hs * (ha > 0)
    grad_W1 = grad_ha @ x.T
    grad_b1 = grad_ha.sum(axis=1, keepdims=True)
    grad_W1 += lam[0] * np.sign(W1) + 2 * lam[1] * W1
    grad_W2 += lam[2] * np.sign(W2) + 2 * lam[3] * W2
    return {"W1": grad_W1, "b1": grad_b1, "W2": grad_W2, "b2": grad_b2}


def graph(params, x, y, lam):
    """Build the same loss as a graph."""
    W1, W2 = params["W1"], params["W2"]
    hs = mg.relu(W1 @ x + params["b1"])
    oa = W2 @ hs + params["b2"]
    penalty = mg.elastic_net(W1, lam[0], lam[1]) + mg.elastic_net(W2, lam[2], lam[3])
    return mg.softmax_nll(oa.T, y) + penalty
