"""One hidden layer of relu, softmax and its negative log-likelihood; one example after the other.

The homework's loop: columns x[:, [i]], d x 1, of x, d x K; W1 dh x d, b1 dh x 1, W2 m x dh,
b2 m x 1, y (K,). The loss is the mean over the examples, plus
lam[0] |W1|_1 + lam[1] |W1|^2 + lam[2] |W2|_1 + lam[3] |W2|^2.
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


def softmax(oa):
    """Turn a column into probabilities."""
    e = np.exp(oa - oa.max())
    return e / e.sum()


def fprop(params, x, y, lam):
    """Compute the mean loss with its penalties."""
    W1, b1, W2, b2 = params["W1"], params["b1"], params["W2"], params["b2"]
    K = x.shape[1]
    total = 0.0
    for i in range(K):
        hs = np.maximum(W1 @ x[:, [i]] + b1, 0)
        oa = W2 @ hs + b2
        top = oa.max()
        total += top + np.log(np.exp(oa - top).sum()) - oa[y[i], 0]
    loss = total / K
    loss += lam[0] * np.abs(W1).sum() + lam[1] * (W1**2).sum()
    loss += lam[2] * np.abs(W2).sum() + lam[3] * (W2**2).sum()
    return float(loss)


def bprop(params, x, y, lam):
    """Compute the gradient of fprop."""
    W1, b1, W2, b2 = params["W1"], params["b1"], params["W2"], params["b2"]
    K = x.shape[1]
    sum_W1, sum_b1 = np.zeros_like(W1), np.zeros_like(b1)
    sum_W2, sum_b2 = np.zeros_like(W2), np.zeros_like(b2)
    for i in range(K):
        xi = x[:, [i]]
        ha = W1 @ xi + b1
        hs = np.maximum(ha, 0)
        grad_oa = softmax(W2 @ hs + b2)
        grad_oa[y[i], 0] -= 1
        sum_W2 += grad_oa @ hs.T
        sum_b2 += grad_oa
        grad_hs = W2.T @ grad_oa
        grad_ha = np.where(ha > 0, grad_hs, 0)
        sum_W1 += grad_ha @ xi.T
        sum_b1 += grad_ha
    grad_W1 = sum_W1 / K + lam[0] * np.sign(W1) + 2 * lam[1] * W1
    grad_W2 = sum_W2 / K + lam[2] * np.sign(W2) + 2 * lam[3] * W2
    return {"W1": grad_W1, "b1": sum_b1 / K, "W2": grad_W2, "b2": sum_b2 / K}


def graph(params, x, y, lam):
    """Build the same loss as a graph."""
    W1, W2 = params["W1"], params["W2"]
    hs = mg.relu(W1 @ x + params["b1"])
    oa = W2 @ hs + params["b2"]
    penalty = mg.elastic_net(W1, lam[0], lam[1]) + mg.elastic_net(W2, lam[2], lam[3])
    return mg.softmax_nll(oa.T, y) + penalty
