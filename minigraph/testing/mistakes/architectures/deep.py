"""Two hidden layers, relu and then sigmoid, softmax and its negative log-likelihood; rows.

No biases and no penalties: x is K x d, W1 d x dh, W2 dh x dh2, W3 dh2 x m, y (K,). The loss is the
mean over the examples.
"""

import numpy as np

import minigraph as mg

AXIS = "rows"
PENALTIES = 0


def params(sizes, rng):
    """Draw the weights."""
    d, dh, dh2, m = sizes["d"], sizes["dh"], sizes["dh2"], sizes["m"]
    shapes = {"W1": (d, dh), "W2": (dh, dh2), "W3": (dh2, m)}
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


def batch(sizes, rng):
    """Draw examples and their classes 0 ... m - 1."""
    d, m, K = sizes["d"], sizes["m"], sizes["K"]
    return rng.normal(size=(K, d)), rng.integers(0, m, K)


def forward(params, x):
    """Compute the layers."""
    z1 = x @ params["W1"]
    h1 = np.maximum(z1, 0)
    z2 = h1 @ params["W2"]
    h2 = (np.tanh(z2 / 2) + 1) / 2
    z3 = h2 @ params["W3"]
    return z1, h1, z2, h2, z3


def fprop(params, x, y):
    """Compute the mean loss."""
    z1, h1, z2, h2, z3 = forward(params, x)
    z3 = z3 - z3.max(axis=1, keepdims=True)
    log_p = z3 - np.log(np.exp(z3).sum(axis=1, keepdims=True))
    return float(-log_p[np.arange(len(y)), y].mean())


def bprop(params, x, y):
    """Compute the gradient of fprop."""
    W2, W3 = params["W2"], params["W3"]
    K = len(x)
    z1, h1, z2, h2, z3 = forward(params, x)
    p = np.exp(z3 - z3.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(K), y] -= 1
    grad_z3 = p / K
    grad_W3 = h2.T @ grad_z3
    grad_h2 = grad_z3 @ W3.T
    grad_z2 = grad_h2 * h2 * (1 - h2)
    grad_W2 = h1.T @ grad_z2
    grad_h1 = grad_z2 @ W2.T
    grad_z1 = grad_h1 * (z1 > 0)
    grad_W1 = x.T @ grad_z1
    return {"W1": grad_W1, "W2": grad_W2, "W3": grad_W3}


def graph(params, x, y):
    """Build the same loss as a graph."""
    h1 = mg.relu(x @ params["W1"])
    h2 = mg.sigmoid(h1 @ params["W2"])
    return mg.softmax_nll(h2 @ params["W3"], y)
