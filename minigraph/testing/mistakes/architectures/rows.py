"""One hidden layer of tanh, outputs through a sigmoid, half the squared error; examples are rows.

x is K x d, W1 d x dh, b1 (dh,), W2 dh x m, b2 (m,), the targets y are K x m. The loss is the mean
over the examples of half the sum of squares over the outputs, plus lam[0] |W1|^2 + lam[1] |W2|^2.
"""

import numpy as np

import minigraph as mg

AXIS = "rows"
PENALTIES = 2


def params(sizes, rng):
    """Draw weights and biases."""
    d, dh, m = sizes["d"], sizes["dh"], sizes["m"]
    shapes = {"W1": (d, dh), "b1": (dh,), "W2": (dh, m), "b2": (m,)}
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


def batch(sizes, rng):
    """Draw examples and targets between 0 and 1."""
    d, m, K = sizes["d"], sizes["m"], sizes["K"]
    return rng.normal(size=(K, d)), rng.uniform(size=(K, m))


def forward(params, x):
    """Compute the hidden layer and the output."""
    h = np.tanh(x @ params["W1"] + params["b1"])
    a = h @ params["W2"] + params["b2"]
    out = (np.tanh(a / 2) + 1) / 2
    return h, a, out


def fprop(params, x, y, lam):
    """Compute the mean loss with its penalties."""
    h, a, out = forward(params, x)
    losses = 0.5 * ((out - y) ** 2).sum(axis=1)
    decay = lam[0] * (params["W1"] ** 2).sum() + lam[1] * (params["W2"] ** 2).sum()
    return float(losses.mean() + decay)


def bprop(params, x, y, lam):
    """Compute the gradient of fprop."""
    W1, W2 = params["W1"], params["W2"]
    K = len(x)
    h, a, out = forward(params, x)
    error = out - y
    delta2 = error * out * (1 - out)
    delta1 = (delta2 @ W2.T) * (1 - h**2)
    grad_W2 = h.T @ delta2 / K + 2 * lam[1] * W2
    grad_b2 = delta2.sum(axis=0) / K
    grad_W1 = x.T @ delta1 / K + 2 * lam[0] * W1
    grad_b1 = delta1.sum(axis=0) / K
    return {"W1": grad_W1, "b1": grad_b1, "W2": grad_W2, "b2": grad_b2}


def graph(params, x, y, lam):
    """Build the same loss as a graph."""
    W1, W2 = params["W1"], params["W2"]
    h = mg.tanh(x @ W1 + params["b1"])
    error = mg.sigmoid(h @ W2 + params["b2"]) - y
    decay = lam[0] * mg.l2_penalty(W1) + lam[1] * mg.l2_penalty(W2)
    return (0.5 * (error**2).sum(axis=1)).mean() + decay
