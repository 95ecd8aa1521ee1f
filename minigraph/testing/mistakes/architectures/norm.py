"""A hidden layer with batch normalisation before its relu, softmax, negative log-likelihood; rows.

x is K x d, W1 d x dh, gain and shift (dh,), W2 dh x m, b2 (m,), y (K,). Each hidden unit is brought
to mean 0 and variance 1 over the batch. The loss is the mean over the examples, plus the weight
decay lam[0] (|W1|^2 + |W2|^2).
"""

import numpy as np

import minigraph as mg

AXIS = "rows"
PENALTIES = 1
EPS = 1e-5  # a unit that is the same for all examples has the variance 0


def params(sizes, rng):
    """Draw weights, gain, shift and bias."""
    d, dh, m = sizes["d"], sizes["dh"], sizes["m"]
    shapes = {"W1": (d, dh), "gain": (dh,), "shift": (dh,), "W2": (dh, m), "b2": (m,)}
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


def batch(sizes, rng):
    """Draw examples and their classes 0 ... m - 1."""
    d, m, K = sizes["d"], sizes["m"], sizes["K"]
    return rng.normal(size=(K, d)), rng.integers(0, m, K)


def forward(params, x):
    """Compute the layers, with what the normalisation divides by."""
    z = x @ params["W1"]
    std = np.sqrt(z.var(axis=0) + EPS)
    n = (z - z.mean(axis=0)) / std
    a = params["gain"] * n + params["shift"]
    h = np.maximum(a, 0)
    o = h @ params["W2"] + params["b2"]
    return std, n, a, h, o - o.max(axis=1, keepdims=True)


def fprop(params, x, y, lam):
    """Compute the mean loss with its weight decay."""
    std, n, a, h, o = forward(params, x)
    losses = np.log(np.exp(o).sum(axis=1)) - o[np.arange(len(y)), y]
    decay = lam[0] * ((params["W1"] ** 2).sum() + (params["W2"] ** 2).sum())
    return float(losses.mean() + decay)


def bprop(params, x, y, lam):
    """Compute the gradient of fprop."""
    W1, W2, gain = params["W1"], params["W2"], params["gain"]
    K = len(x)
    std, n, a, h, o = forward(params, x)
    grad_o = np.exp(o) / np.exp(o).sum(axis=1, keepdims=True)
    grad_o[np.arange(K), y] -= 1
    grad_o /= K
    grad_h = grad_o @ W2.T
    grad_a = grad_h * (a > 0)
    grad_n = grad_a * gain
    grad_z = (grad_n - grad_n.mean(axis=0) - n * (grad_n * n).mean(axis=0)) / std
    return {
        "W1": x.T @ grad_z + 2 * lam[0] * W1,
        "gain": (grad_a * n).sum(axis=0),
        "shift": grad_a.sum(axis=0),
        "W2": h.T @ grad_o + 2 * lam[0] * W2,
        "b2": grad_o.sum(axis=0),
    }


def graph(params, x, y, lam):
    """Build the same loss as a graph."""
    z = x @ params["W1"]
    centred = z - z.mean(axis=0)
    n = centred / np.sqrt((centred**2).mean(axis=0) + EPS)
    h = mg.relu(params["gain"] * n + params["shift"])
    decay = mg.l2_penalty(params["W1"]) + mg.l2_penalty(params["W2"])
    return mg.softmax_nll(h @ params["W2"] + params["b2"], y) + lam[0] * decay
