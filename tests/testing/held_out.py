"""Hand-written backward passes, right and wrong, to measure a check of them with.

Ten small programs in plain NumPy, each as text, and wrong versions of them as patches. They are a
held-out set: no check is to be tuned on them.

Each program has ``AXIS`` (where the examples lie), ``PENALTIES`` (how many λ there are),
``params(sizes, rng)``, ``batch(sizes, rng)``, and ``fprop``, ``bprop`` and ``graph`` of
``(params, x, y, lam)``, or of ``(params, x, y)`` where there are no penalties. ``sizes`` has the
keys d, dh, m and K; a program with a single output leaves m unused.
"""

from types import SimpleNamespace
from typing import NamedTuple

RELU_COLUMNS = '''\
"""Relu, softmax, negative log-likelihood; four penalties. Examples are columns."""

import numpy as np
import minigraph as mg

AXIS = "columns"
PENALTIES = 4


def params(sizes, rng):
    d, dh, m = sizes["d"], sizes["dh"], sizes["m"]
    return {
        "W1": rng.normal(size=(dh, d)) / np.sqrt(d),
        "b1": 0.3 * rng.normal(size=(dh, 1)),
        "W2": rng.normal(size=(m, dh)) / np.sqrt(dh),
        "b2": 0.3 * rng.normal(size=(m, 1)),
    }


def batch(sizes, rng):
    return rng.normal(size=(sizes["d"], sizes["K"])), rng.integers(0, sizes["m"], sizes["K"])


def forward(params, x):
    a = params["W1"] @ x + params["b1"]
    h = np.maximum(a, 0.0)
    o = params["W2"] @ h + params["b2"]
    return a, h, o


def fprop(params, x, y, lam):
    l11, l12, l21, l22 = lam
    W1, W2 = params["W1"], params["W2"]
    _, _, o = forward(params, x)
    o = o - o.max(axis=0)
    logp = o - np.log(np.exp(o).sum(axis=0))
    risk = -np.mean(logp[y, np.arange(y.size)])
    risk += l11 * np.abs(W1).sum() + l12 * (W1**2).sum()
    risk += l21 * np.abs(W2).sum() + l22 * (W2**2).sum()
    return float(risk)


def bprop(params, x, y, lam):
    l11, l12, l21, l22 = lam
    W1, W2 = params["W1"], params["W2"]
    K = y.size
    a, h, o = forward(params, x)

    # output layer
    e = np.exp(o - o.max(axis=0, keepdims=True))
    delta = e / e.sum(axis=0, keepdims=True)
    delta[y, np.arange(K)] -= 1.0
    delta /= K
    dW2 = delta @ h.T
    db2 = delta.sum(axis=1, keepdims=True)

    # hidden layer
    back = W2.T @ delta
    back = back * (a > 0)
    dW1 = back @ x.T
    db1 = back.sum(axis=1, keepdims=True)

    # penalties
    dW1 += l11 * np.sign(W1)
    dW1 += 2 * l12 * W1
    dW2 += l21 * np.sign(W2)
    dW2 += 2 * l22 * W2
    return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}


def graph(params, x, y, lam):
    l11, l12, l21, l22 = lam
    W1, W2 = params["W1"], params["W2"]
    o = W2 @ mg.relu(W1 @ x + params["b1"]) + params["b2"]
    risk = mg.softmax_nll(o.T, y)
    risk = risk + l11 * mg.abs(W1).sum() + l12 * mg.square(W1).sum()
    return risk + l21 * mg.abs(W2).sum() + l22 * mg.square(W2).sum()
'''

TANH_ROWS = '''\
"""Regression: tanh, linear output, half the squared error; weight decay. Examples are rows."""

import numpy as np
import minigraph as mg

AXIS = "rows"
PENALTIES = 2


def params(sizes, rng):
    D, H, M = sizes["d"], sizes["dh"], sizes["m"]
    return {
        "W1": rng.standard_normal((D, H)) / D**0.5,
        "b1": rng.standard_normal(H) * 0.2,
        "W2": rng.standard_normal((H, M)) / H**0.5,
        "b2": rng.standard_normal(M) * 0.2,
    }


def batch(sizes, rng):
    N = sizes["K"]
    return rng.standard_normal((N, sizes["d"])), rng.standard_normal((N, sizes["m"]))


def fprop(params, x, y, lam):
    z = np.tanh(x @ params["W1"] + params["b1"])
    out = z @ params["W2"] + params["b2"]
    loss = 0.5 * ((out - y) ** 2).sum() / len(x)
    for name, decay in zip(("W1", "W2"), lam):
        loss += 0.5 * decay * (params[name] ** 2).sum()
    return float(loss)


def bprop(params, x, y, lam):
    decay1, decay2 = lam
    W1, b1, W2, b2 = (params[k] for k in ("W1", "b1", "W2", "b2"))
    N = len(x)
    a = x @ W1 + b1
    z = np.tanh(a)
    out = z @ W2 + b2

    d_out = (out - y) / N
    d_z = d_out @ W2.T
    slope = 1 - z**2
    d_a = d_z * slope

    grads = {}
    grads["W2"] = z.T @ d_out
    grads["b2"] = d_out.sum(axis=0)
    grads["W1"] = x.T @ d_a
    grads["b1"] = d_a.sum(axis=0)
    grads["W1"] += decay1 * W1
    grads["W2"] += decay2 * W2
    return grads


def graph(params, x, y, lam):
    out = mg.tanh(x @ params["W1"] + params["b1"]) @ params["W2"] + params["b2"]
    loss = 0.5 * mg.square(out - y).sum() / len(x)
    for name, decay in zip(("W1", "W2"), lam):
        loss = loss + 0.5 * decay * mg.square(params[name]).sum()
    return loss
'''

LOGISTIC_ROWS = '''\
"""Logistic regression with labels 0 and 1, and an elastic net. Examples are rows."""

import numpy as np
import minigraph as mg

AXIS = "rows"
PENALTIES = 2


def params(sizes, rng):
    return {"w": rng.normal(size=(sizes["d"], 1)), "b": rng.normal(size=1)}


def batch(sizes, rng):
    x = rng.normal(size=(sizes["K"], sizes["d"]))
    return x, rng.integers(0, 2, sizes["K"]).astype(float)


def fprop(params, x, y, lam):
    lasso, ridge = lam
    w = params["w"]
    z = (x @ w)[:, 0] + params["b"][0]
    nll = np.logaddexp(0, z) - y * z
    return float(nll.mean() + lasso * np.abs(w).sum() + ridge * np.square(w).sum())


def bprop(params, x, y, lam):
    lasso, ridge = lam
    w = params["w"]
    z = x @ w + params["b"]
    p = 1 / (1 + np.exp(-z))
    r = p - y[:, None]
    r = r / len(y)
    gw = x.T @ r
    gb = r.sum(axis=0)
    gw = gw + lasso * np.sign(w) + 2 * ridge * w
    return {"w": gw, "b": gb}


def graph(params, x, y, lam):
    lasso, ridge = lam
    w = params["w"]
    z = x @ w + params["b"]
    nll = mg.softplus(z) - y[:, None] * z
    return nll.mean() + lasso * mg.abs(w).sum() + ridge * mg.square(w).sum()
'''

DEEP_COLUMNS = '''\
"""Two hidden layers of sigmoids, as wide as each other, and softmax. Examples are columns."""

import numpy as np
import minigraph as mg

AXIS = "columns"
PENALTIES = 0


def sigmoid(a):
    return 1.0 / (1.0 + np.exp(-a))


def one_hot(y, m):
    return np.eye(m)[:, y]


def params(sizes, rng):
    widths = [sizes["d"], sizes["dh"], sizes["dh"], sizes["m"]]
    theta = {}
    for i, (n_in, n_out) in enumerate(zip(widths, widths[1:]), start=1):
        theta[f"W{i}"] = 2 * rng.normal(size=(n_out, n_in)) / np.sqrt(n_in)
        theta[f"b{i}"] = rng.normal(size=(n_out, 1))
    return theta


def batch(sizes, rng):
    return rng.normal(size=(sizes["d"], sizes["K"])), rng.integers(sizes["m"], size=sizes["K"])


def activations(params, x):
    s1 = sigmoid(params["W1"] @ x + params["b1"])
    s2 = sigmoid(params["W2"] @ s1 + params["b2"])
    scores = params["W3"] @ s2 + params["b3"]
    return s1, s2, scores


def fprop(params, x, y):
    *_, scores = activations(params, x)
    top = scores.max(axis=0)
    log_sum = top + np.log(np.exp(scores - top).sum(axis=0))
    chosen = scores[y, np.arange(len(y))]
    return float(np.mean(log_sum - chosen))


def bprop(params, x, y):
    W2, W3 = params["W2"], params["W3"]
    m, K = len(W3), len(y)
    s1, s2, scores = activations(params, x)
    e = np.exp(scores - scores.max(axis=0))
    probs = e / e.sum(axis=0)

    g3 = (probs - one_hot(y, m)) / K
    dW3 = g3 @ s2.T
    db3 = g3.sum(axis=1, keepdims=True)

    g2 = W3.T @ g3
    g2 = g2 * s2 * (1 - s2)
    dW2 = g2 @ s1.T
    db2 = g2.sum(axis=1, keepdims=True)

    g1 = W2.T @ g2
    g1 = g1 * s1 * (1 - s1)
    dW1 = g1 @ x.T
    db1 = g1.sum(axis=1, keepdims=True)

    return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2, "W3": dW3, "b3": db3}


def graph(params, x, y):
    s = x
    for i in (1, 2):
        s = mg.sigmoid(params[f"W{i}"] @ s + params[f"b{i}"])
    return mg.softmax_nll((params["W3"] @ s + params["b3"]).T, y)
'''

LAYER_NORM_ROWS = '''\
"""Layer normalisation before the relu, softmax at the end. Examples are rows."""

import numpy as np
import minigraph as mg

AXIS = "rows"
PENALTIES = 0
EPS = 1e-2


def params(sizes, rng):
    d, dh, m = sizes["d"], sizes["dh"], sizes["m"]
    return {
        "W1": rng.normal(size=(d, dh)) / np.sqrt(d),
        "b1": 0.5 * rng.normal(size=dh),
        "gamma": rng.uniform(0.5, 1.5, dh),
        "beta": 0.3 * rng.normal(size=dh),
        "W2": rng.normal(size=(dh, m)) / np.sqrt(dh),
        "b2": 0.3 * rng.normal(size=m),
    }


def batch(sizes, rng):
    return rng.normal(size=(sizes["K"], sizes["d"])), rng.integers(0, sizes["m"], sizes["K"])


def normalise(a):
    centred = a - a.mean(axis=1, keepdims=True)
    inv = 1 / np.sqrt((centred**2).mean(axis=1, keepdims=True) + EPS)
    return centred * inv, inv


def softmax(o):
    e = np.exp(o - o.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def fprop(params, x, y):
    a = x @ params["W1"] + params["b1"]
    xhat, _ = normalise(a)
    n = params["gamma"] * xhat + params["beta"]
    o = np.maximum(n, 0) @ params["W2"] + params["b2"]
    picked = softmax(o)[np.arange(len(y)), y]
    return float(-np.log(picked).mean())


def bprop(params, x, y):
    gamma, W2 = params["gamma"], params["W2"]
    a = x @ params["W1"] + params["b1"]
    xhat, inv = normalise(a)
    n = gamma * xhat + params["beta"]
    h = np.maximum(n, 0)
    do = softmax(h @ W2 + params["b2"])
    do[np.arange(len(y)), y] -= 1
    do /= len(y)

    grads = {"W2": h.T @ do, "b2": do.sum(axis=0)}
    dn = do @ W2.T
    dn = dn * (n > 0)
    grads["gamma"] = (dn * xhat).sum(axis=0)
    grads["beta"] = dn.sum(axis=0)

    # through mean and variance of each row
    dxhat = dn * gamma
    from_mean = dxhat.mean(axis=1, keepdims=True)
    from_var = xhat * (dxhat * xhat).mean(axis=1, keepdims=True)
    da = inv * (dxhat - from_mean - from_var)
    grads["W1"] = x.T @ da
    grads["b1"] = da.sum(axis=0)
    return grads


def graph(params, x, y):
    a = x @ params["W1"] + params["b1"]
    centred = a - a.mean(axis=1, keepdims=True)
    xhat = centred / mg.sqrt(mg.square(centred).mean(axis=1, keepdims=True) + EPS)
    h = mg.relu(params["gamma"] * xhat + params["beta"])
    return mg.softmax_nll(h @ params["W2"] + params["b2"], y)
'''

RESIDUAL_COLUMNS = '''\
"""A residual block of tanh, and half the squared error; one λ for all. Examples are columns."""

import numpy as np
import minigraph as mg

AXIS = "columns"
PENALTIES = 1
WEIGHTS = ("W1", "W2", "W3")


def params(sizes, rng):
    d, dh, m = sizes["d"], sizes["dh"], sizes["m"]
    draw = lambda *shape: rng.normal(size=shape) / np.sqrt(shape[-1])
    return {
        "W1": draw(dh, d),
        "b1": draw(dh, 1),
        "W2": draw(dh, dh),
        "b2": draw(dh, 1),
        "W3": draw(m, dh),
        "b3": draw(m, 1),
    }


def batch(sizes, rng):
    return rng.normal(size=(sizes["d"], sizes["K"])), rng.normal(size=(sizes["m"], sizes["K"]))


def fprop(params, x, y, lam):
    (decay,) = lam
    h1 = np.tanh(params["W1"] @ x + params["b1"])
    h2 = h1 + np.tanh(params["W2"] @ h1 + params["b2"])
    error = params["W3"] @ h2 + params["b3"] - y
    loss = 0.5 * np.mean(np.sum(error**2, axis=0))
    return float(loss + decay * sum(np.sum(params[k] ** 2) for k in WEIGHTS))


def bprop(params, x, y, lam):
    (decay,) = lam
    W1, W2, W3 = (params[k] for k in WEIGHTS)
    K = x.shape[1]
    h1 = np.tanh(W1 @ x + params["b1"])
    t = np.tanh(W2 @ h1 + params["b2"])
    h2 = h1 + t
    g_o = (W3 @ h2 + params["b3"] - y) / K

    dW3 = g_o @ h2.T
    db3 = g_o.sum(axis=1, keepdims=True)
    g_h2 = W3.T @ g_o
    g_a2 = g_h2 * (1 - t**2)
    g_h1 = g_h2 + W2.T @ g_a2
    g_a1 = g_h1 * (1 - h1**2)
    dW2 = g_a2 @ h1.T
    db2 = g_a2.sum(axis=1, keepdims=True)
    dW1 = g_a1 @ x.T
    db1 = g_a1.sum(axis=1, keepdims=True)

    grads = {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2, "W3": dW3, "b3": db3}
    for k in WEIGHTS:
        grads[k] = grads[k] + 2 * decay * params[k]
    return grads


def graph(params, x, y, lam):
    (decay,) = lam
    h1 = mg.tanh(params["W1"] @ x + params["b1"])
    h2 = h1 + mg.tanh(params["W2"] @ h1 + params["b2"])
    error = params["W3"] @ h2 + params["b3"] - y
    loss = 0.5 * mg.square(error).sum(axis=0).mean()
    for k in WEIGHTS:
        loss = loss + decay * mg.square(params[k]).sum()
    return loss
'''

AUTOENCODER_COLUMNS = '''\
"""A denoising autoencoder with tied weights: x is noisy, y is clean. Examples are columns."""

import numpy as np
import minigraph as mg

AXIS = "columns"
PENALTIES = 1


def params(sizes, rng):
    d, dh = sizes["d"], sizes["dh"]
    return {
        "W": rng.normal(size=(dh, d)) / np.sqrt(d),
        "b": 0.4 * rng.normal(size=(dh, 1)),
        "c": 0.4 * rng.normal(size=(d, 1)),
    }


def batch(sizes, rng):
    clean = rng.uniform(size=(sizes["d"], sizes["K"]))
    return clean + 0.3 * rng.normal(size=clean.shape), clean


def encode(params, x):
    return 1 / (1 + np.exp(-(params["W"] @ x + params["b"])))


def decode(params, h):
    return params["W"].T @ h + params["c"]


def fprop(params, x, y, lam):
    r = decode(params, encode(params, x))
    loss = np.square(r - y).sum() / x.shape[1]
    return float(loss + lam[0] * np.square(params["W"]).sum())


def bprop(params, x, y, lam):
    W = params["W"]
    K = x.shape[1]
    h = encode(params, x)
    r = decode(params, h)
    dr = 2 * (r - y) / K
    dh = W @ dr
    da = dh * h * (1 - h)
    decoder = h @ dr.T
    encoder = da @ x.T
    dW = encoder + decoder
    dW += 2 * lam[0] * W
    db = da.sum(axis=1, keepdims=True)
    dc = dr.sum(axis=1, keepdims=True)
    return {"W": dW, "b": db, "c": dc}


def graph(params, x, y, lam):
    W = params["W"]
    r = W.T @ mg.sigmoid(W @ x + params["b"]) + params["c"]
    return mg.square(r - y).sum() / x.shape[1] + lam[0] * mg.square(W).sum()
'''

POISSON_ROWS = '''\
"""Counts: softplus, log link, Poisson likelihood (without ln y!). Examples are rows."""

import numpy as np
import minigraph as mg

AXIS = "rows"
PENALTIES = 0


def params(sizes, rng):
    d, dh, m = sizes["d"], sizes["dh"], sizes["m"]
    return {
        "W1": rng.normal(size=(d, dh)) / np.sqrt(d),
        "b1": 0.5 * rng.normal(size=(1, dh)),
        "W2": 0.7 * rng.normal(size=(dh, m)) / np.sqrt(dh),
        "b2": 0.3 * rng.normal(size=(1, m)),
    }


def batch(sizes, rng):
    x = rng.normal(size=(sizes["K"], sizes["d"]))
    return x, rng.poisson(2.0, size=(sizes["K"], sizes["m"]))


def fprop(params, x, y):
    a = x @ params["W1"] + params["b1"]
    h = np.logaddexp(a, 0)
    eta = h @ params["W2"] + params["b2"]
    terms = np.exp(eta) - y * eta
    return float(terms.sum(axis=1).mean())


def bprop(params, x, y):
    W1, b1, W2, b2 = params["W1"], params["b1"], params["W2"], params["b2"]
    n = x.shape[0]
    a = x @ W1 + b1
    h = np.logaddexp(a, 0)
    eta = h @ W2 + b2
    d_eta = (np.exp(eta) - y) / n
    gate = 1 / (1 + np.exp(-a))

    gW1, gb1 = np.zeros_like(W1), np.zeros_like(b1)
    gW2, gb2 = np.zeros_like(W2), np.zeros_like(b2)
    for i in range(n):
        d_a = (W2 @ d_eta[i]) * gate[i]
        gW2 += np.outer(h[i], d_eta[i])
        gb2 += d_eta[i]
        gW1 += np.outer(x[i], d_a)
        gb1 += d_a
    return {"W1": gW1, "b1": gb1, "W2": gW2, "b2": gb2}


def graph(params, x, y):
    h = mg.softplus(x @ params["W1"] + params["b1"])
    eta = h @ params["W2"] + params["b2"]
    return (mg.exp(eta) - y * eta).sum(axis=1).mean()
'''

EMBEDDING_ROWS = '''\
"""The mean of three words' embeddings, and a softmax. Examples are rows of integers below d."""

import numpy as np
import minigraph as mg

AXIS = "rows"
PENALTIES = 0
WORDS = 3


def params(sizes, rng):
    return {
        "E": rng.normal(size=(sizes["d"], sizes["dh"])),
        "W": rng.normal(size=(sizes["dh"], sizes["m"])),
        "b": rng.normal(size=sizes["m"]),
    }


def batch(sizes, rng):
    x = rng.integers(0, sizes["d"], (sizes["K"], WORDS))
    return x, rng.integers(0, sizes["m"], sizes["K"])


def log_softmax(o):
    o = o - o.max(axis=1, keepdims=True)
    return o - np.log(np.exp(o).sum(axis=1, keepdims=True))


def fprop(params, x, y):
    h = params["E"][x].mean(axis=1)
    logp = log_softmax(h @ params["W"] + params["b"])
    return float(-logp[np.arange(len(y)), y].mean())


def bprop(params, x, y):
    E, W, b = params["E"], params["W"], params["b"]
    h = E[x].mean(axis=1)
    do = np.exp(log_softmax(h @ W + b))
    do[np.arange(len(y)), y] -= 1
    do = do / len(y)
    dh = do @ W.T
    share = dh / WORDS
    dE = np.zeros_like(E)
    for t in range(WORDS):
        np.add.at(dE, x[:, t], share)
    return {"E": dE, "W": h.T @ do, "b": do.sum(axis=0)}


def graph(params, x, y):
    counts = np.eye(len(params["E"]))[x].mean(axis=1)
    return mg.softmax_nll((counts @ params["E"]) @ params["W"] + params["b"], y)
'''

HINGE_ROWS = '''\
"""Leaky relu, and the hinge loss over all wrong classes; weight decay. Examples are rows."""

import numpy as np

AXIS = "rows"
PENALTIES = 2
LEAK = 0.1
MARGIN = 1.0


def params(sizes, rng):
    d, dh, m = sizes["d"], sizes["dh"], sizes["m"]
    return {
        "W1": rng.normal(size=(d, dh)) / np.sqrt(d),
        "b1": 0.3 * rng.normal(size=dh),
        "W2": rng.normal(size=(dh, m)) / np.sqrt(dh),
        "b2": 0.3 * rng.normal(size=m),
    }


def batch(sizes, rng):
    return rng.normal(size=(sizes["K"], sizes["d"])), rng.integers(0, sizes["m"], sizes["K"])


def hidden(params, x):
    a = x @ params["W1"] + params["b1"]
    return a, np.where(a > 0, a, LEAK * a)


def margins(params, h, y):
    scores = h @ params["W2"] + params["b2"]
    right = scores[np.arange(len(y)), y][:, None]
    above = np.maximum(0, scores - right + MARGIN)
    above[np.arange(len(y)), y] = 0
    return above


def fprop(params, x, y, lam):
    _, h = hidden(params, x)
    loss = margins(params, h, y).sum() / len(y)
    loss += lam[0] * np.sum(params["W1"] ** 2)
    loss += lam[1] * np.sum(params["W2"] ** 2)
    return float(loss)


def bprop(params, x, y, lam):
    W1, W2 = params["W1"], params["W2"]
    N = len(y)
    a, h = hidden(params, x)
    ds = (margins(params, h, y) > 0).astype(float)
    count = ds.sum(axis=1)
    ds[np.arange(N), y] = -count
    ds /= N
    dW2 = h.T @ ds + 2 * lam[1] * W2
    db2 = ds.sum(axis=0)
    dh = ds @ W2.T
    da = np.where(a > 0, dh, LEAK * dh)
    dW1 = x.T @ da + 2 * lam[0] * W1
    db1 = da.sum(axis=0)
    return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}
'''

ARCHITECTURES = {
    "relu_columns": RELU_COLUMNS,
    "tanh_rows": TANH_ROWS,
    "logistic_rows": LOGISTIC_ROWS,
    "deep_columns": DEEP_COLUMNS,
    "layer_norm_rows": LAYER_NORM_ROWS,
    "residual_columns": RESIDUAL_COLUMNS,
    "autoencoder_columns": AUTOENCODER_COLUMNS,
    "poisson_rows": POISSON_ROWS,
    "embedding_rows": EMBEDDING_ROWS,
    "hinge_rows": HINGE_ROWS,
}


class Mistake(NamedTuple):
    """A wrong version of a program.

    ``patches`` replace ``old``, which occurs once, by ``new``. ``wrong`` names the parameters whose
    gradient is not that of the version's own ``fprop``, at the first call; for a mistake of conduct
    there may be none. ``rule`` says where the mistake sits: a layer, a parameter, a penalty,
    "output error" (the gradient of the loss by the outputs), "loss" (``fprop`` is wrong, ``bprop``
    is right), or "conduct" (what ``bprop`` does beside computing). Where there are two, ``rule``
    has both, with a semicolon between them.
    """

    name: str
    architecture: str
    patches: tuple[tuple[str, str], ...]
    wrong: tuple[str, ...]
    rule: str
    cause: str


TWO_LAYERS = ("W1", "b1", "W2", "b2")

MISTAKES = (
    # relu_columns
    Mistake(
        "relu gate tested on the output with >=",
        "relu_columns",
        (("back * (a > 0)", "back * (h >= 0)"),),
        ("W1", "b1"),
        "hidden activation",
        "The output of a relu is never negative, so h >= 0 is always true and the gate stays open.",
    ),
    Mistake(
        "relu gate per unit",
        "relu_columns",
        (("back * (a > 0)", "back * (a.mean(axis=1, keepdims=True) > 0)"),),
        ("W1", "b1"),
        "hidden activation",
        "The gate is decided by a unit's mean over the batch, not for each example by itself.",
    ),
    Mistake(
        "label indexes whole rows",
        "relu_columns",
        (("delta[y, np.arange(K)] -= 1.0", "delta[y] -= 1.0"),),
        TWO_LAYERS,
        "output error",
        "delta[y] is whole rows: 1 is subtracted for every example, not only for those of class y.",
    ),
    Mistake(
        "softmax over the examples",
        "relu_columns",
        (
            (
                "delta = e / e.sum(axis=0, keepdims=True)",
                "delta = e / e.sum(axis=1, keepdims=True)",
            ),
        ),
        TWO_LAYERS,
        "output error",
        "The softmax is normalised over the examples instead of over the classes.",
    ),
    Mistake(
        "lambda of the other layer",
        "relu_columns",
        (("dW2 += 2 * l22 * W2", "dW2 += 2 * l12 * W2"),),
        ("W2",),
        "penalty of W2",
        "The squared penalty of W2 is weighted with the λ of W1.",
    ),
    Mistake(
        "sign of the gradient",
        "relu_columns",
        (("dW1 += l11 * np.sign(W1)", "dW1 += l11 * np.sign(dW1)"),),
        ("W1",),
        "penalty of W1",
        "The L1 penalty takes the sign of the gradient instead of the sign of the weight.",
    ),
    Mistake(
        "penalty divided by the batch",
        "relu_columns",
        (("dW1 += 2 * l12 * W1", "dW1 += 2 * l12 * W1 / K"),),
        ("W1",),
        "penalty of W1",
        "The penalty is not part of the mean over the examples, so it is not divided by K.",
    ),
    Mistake(
        "bias penalised",
        "relu_columns",
        (
            (
                "dW2 += 2 * l22 * W2",
                'dW2 += 2 * l22 * W2\n    db2 += 2 * l22 * params["b2"]',
            ),
        ),
        ("b2",),
        "penalty of b2",
        "The gradient penalises the bias b2, which the loss leaves alone.",
    ),
    Mistake(
        "activations kept in half precision",
        "relu_columns",
        (("dW2 = delta @ h.T", "dW2 = delta @ h.astype(np.float16).T"),),
        ("W2",),
        "W2",
        "The hidden outputs are rounded to float16 before W2's gradient is formed from them.",
    ),
    Mistake(
        "averaged twice",
        "relu_columns",
        (("dW1 = back @ x.T", "dW1 = back @ x.T / K"),),
        ("W1",),
        "W1",
        "1/K is in delta already; W1's gradient is divided by K a second time.",
    ),
    Mistake(
        "bias loses its axis",
        "relu_columns",
        (("db1 = back.sum(axis=1, keepdims=True)", "db1 = back.sum(axis=1)"),),
        ("b1",),
        "b1",
        "Without keepdims the gradient of b1 has shape (dh,), not b1's shape (dh, 1).",
    ),
    Mistake(
        "weight overwritten for its penalty",
        "relu_columns",
        (("dW1 += 2 * l12 * W1", "W1 *= 2 * l12\n    dW1 += W1"),),
        (),
        "conduct",
        "W1 *= scales the caller's parameter in place: after the call W1 is another one.",
    ),
    Mistake(
        "norm without its square in the loss",
        "relu_columns",
        (("l12 * (W1**2).sum()", "l12 * np.sqrt((W1**2).sum())"),),
        ("W1",),
        "loss, penalty of W1",
        "The loss penalises the norm of W1, while the gradient is that of the squared norm.",
    ),
    Mistake(
        "open gate and other lambda",
        "relu_columns",
        (
            ("back = back * (a > 0)", "back = back * 1.0"),
            ("dW2 += l21 * np.sign(W2)", "dW2 += l11 * np.sign(W2)"),
        ),
        ("W1", "b1", "W2"),
        "hidden activation; penalty of W2",
        "The relu's derivative is left out, and the L1 penalty of W2 has the λ of W1.",
    ),
    # tanh_rows
    Mistake(
        "tanh derivative of the wrong variable",
        "tanh_rows",
        (("slope = 1 - z**2", "slope = 1 - a**2"),),
        ("W1", "b1"),
        "hidden activation",
        "1 - z² holds for the output z of the tanh, but its input a is put in.",
    ),
    Mistake(
        "tanh derivative without the square",
        "tanh_rows",
        (("slope = 1 - z**2", "slope = 1 - z"),),
        ("W1", "b1"),
        "hidden activation",
        "The derivative of tanh is 1 - z², and the square is missing.",
    ),
    Mistake(
        "hidden outputs squared in place",
        "tanh_rows",
        (("slope = 1 - z**2", "z *= z\n    slope = 1 - z"),),
        ("W2",),
        "W2",
        "z is squared in place for the slope, and W2's gradient is then formed with z² for z.",
    ),
    Mistake(
        "target minus output",
        "tanh_rows",
        (("d_out = (out - y) / N", "d_out = (y - out) / N"),),
        TWO_LAYERS,
        "output error",
        "The error has the wrong sign: the derivative of ½(out - y)² is out - y.",
    ),
    Mistake(
        "mean over outputs too",
        "tanh_rows",
        (("d_out = (out - y) / N", "d_out = (out - y) / out.size"),),
        TWO_LAYERS,
        "output error",
        "The loss is a mean over the examples only, but the error is divided by the outputs too.",
    ),
    Mistake(
        "linear output treated as tanh",
        "tanh_rows",
        (("d_out = (out - y) / N", "d_out = (out - y) * (1 - out**2) / N"),),
        TWO_LAYERS,
        "output error",
        "The output layer is linear, yet its error is multiplied by a derivative of tanh.",
    ),
    Mistake(
        "bias summed over everything",
        "tanh_rows",
        (('grads["b2"] = d_out.sum(axis=0)', 'grads["b2"] = np.ones_like(b2) * d_out.sum()'),),
        ("b2",),
        "b2",
        "The sum runs over the outputs as well, so each entry of b2 gets the sum of all.",
    ),
    Mistake(
        "decay with a factor two",
        "tanh_rows",
        (('grads["W1"] += decay1 * W1', 'grads["W1"] += 2 * decay1 * W1'),),
        ("W1",),
        "penalty of W1",
        "The loss has ½ λ W², whose derivative is λ W without a 2.",
    ),
    Mistake(
        "decay subtracted",
        "tanh_rows",
        (('grads["W2"] += decay2 * W2', 'grads["W2"] -= decay2 * W2'),),
        ("W2",),
        "penalty of W2",
        "Decay shrinks the weights in the update; in the gradient it is added, not subtracted.",
    ),
    Mistake(
        "step taken inside",
        "tanh_rows",
        (("d_z = d_out @ W2.T", "W2 -= 0.1 * (z.T @ d_out)\n    d_z = d_out @ W2.T"),),
        ("W1", "b1", "W2"),
        "conduct",
        "W2 is updated in place before the error goes back through it: later lines use the new W2.",
    ),
    Mistake(
        "mean of all entries in the loss",
        "tanh_rows",
        (("((out - y) ** 2).sum() / len(x)", "((out - y) ** 2).mean()"),),
        TWO_LAYERS,
        "loss",
        "mean() divides by examples times outputs; the gradient is that of a mean over examples.",
    ),
    Mistake(
        "no decay and bias before the slope",
        "tanh_rows",
        (
            ('    grads["W1"] += decay1 * W1\n', ""),
            ('grads["b1"] = d_a.sum(axis=0)', 'grads["b1"] = d_z.sum(axis=0)'),
        ),
        ("W1", "b1"),
        "penalty of W1; b1",
        "The decay of W1 is forgotten, and b1 takes the error before the derivative of tanh.",
    ),
    # logistic_rows
    Mistake(
        "delta rule with cross-entropy",
        "logistic_rows",
        (("r = r / len(y)", "r = r * p * (1 - p) / len(y)"),),
        ("w", "b"),
        "output error",
        "p(1 - p) belongs to the squared error; for the log-likelihood it cancels.",
    ),
    Mistake(
        "column minus vector",
        "logistic_rows",
        (("r = p - y[:, None]", "r = (p - y).mean(axis=1, keepdims=True)"),),
        ("w",),
        "output error",
        "A column minus a vector is a K × K matrix: each p is compared with all labels.",
    ),
    Mistake(
        "thresholded prediction",
        "logistic_rows",
        (("p = 1 / (1 + np.exp(-z))", "p = (z > 0).astype(float)"),),
        ("w", "b"),
        "output error",
        "The predicted class takes the place of the probability, as in the perceptron's rule.",
    ),
    Mistake(
        "absolute value for sign",
        "logistic_rows",
        (("lasso * np.sign(w)", "lasso * np.abs(w)"),),
        ("w",),
        "penalty of w",
        "The derivative of |w| is its sign, but |w| itself is added.",
    ),
    Mistake(
        "ridge on the intercept",
        "logistic_rows",
        (("gb = r.sum(axis=0)", 'gb = r.sum(axis=0) + 2 * ridge * params["b"]'),),
        ("b",),
        "penalty of b",
        "The intercept b is shrunk in the gradient though the loss does not penalise it.",
    ),
    Mistake(
        "labels recoded in place",
        "logistic_rows",
        (
            ("    p = 1 / (1 + np.exp(-z))\n", "    y *= 2\n    y -= 1\n"),
            ("r = p - y[:, None]", "r = -y[:, None] / (1 + np.exp(y[:, None] * z))"),
        ),
        (),
        "conduct",
        "The labels are recoded to -1 and 1 in the caller's array; the next call does so again.",
    ),
    Mistake(
        "base two in the loss",
        "logistic_rows",
        (("np.logaddexp(0, z)", "np.logaddexp2(0, z)"),),
        ("w", "b"),
        "loss",
        "The loss takes powers and logarithms of 2, the gradient those of e.",
    ),
    # deep_columns
    Mistake(
        "derivative of the first layer twice",
        "deep_columns",
        (("g2 = g2 * s2 * (1 - s2)", "g2 = g2 * s1 * (1 - s1)"),),
        ("W1", "b1", "W2", "b2"),
        "second hidden activation",
        "The second layer's derivative is computed from the first layer's output s1.",
    ),
    Mistake(
        "sigmoid of the sigmoid",
        "deep_columns",
        (("g2 = g2 * s2 * (1 - s2)", "g2 = g2 * sigmoid(s2) * (1 - sigmoid(s2))"),),
        ("W1", "b1", "W2", "b2"),
        "second hidden activation",
        "s2 is a sigmoid already, and the derivative applies the sigmoid to it once more.",
    ),
    Mistake(
        "square matrix not transposed",
        "deep_columns",
        (("g1 = W2.T @ g2", "g1 = W2 @ g2"),),
        ("W1", "b1"),
        "back through W2",
        "The error goes back through W2 without the transpose; as W2 is square, shapes still fit.",
    ),
    Mistake(
        "outer product the other way round",
        "deep_columns",
        (("dW2 = g2 @ s1.T", "dW2 = s1 @ g2.T"),),
        ("W2",),
        "W2",
        "The gradient of W2 is transposed: its rows are to belong to the outputs of the layer.",
    ),
    Mistake(
        "own output as input",
        "deep_columns",
        (("dW2 = g2 @ s1.T", "dW2 = g2 @ s2.T"),),
        ("W2",),
        "W2",
        "W2's gradient takes the layer's own output s2 instead of its input s1.",
    ),
    Mistake(
        "copied bias line",
        "deep_columns",
        (("db1 = g1.sum(axis=1, keepdims=True)", "db1 = g2.sum(axis=1, keepdims=True)"),),
        ("b1",),
        "b1",
        "b1's line was copied from b2 and still sums the second layer's error g2.",
    ),
    Mistake(
        "a layer's derivative skipped",
        "deep_columns",
        (("g1 = W2.T @ g2", "g1 = W2.T @ (W3.T @ g3)"),),
        ("W1", "b1"),
        "second hidden activation",
        "On the way to the first layer the derivative of the second layer's sigmoid is left out.",
    ),
    Mistake(
        "first layer left linear",
        "deep_columns",
        (("    g1 = g1 * s1 * (1 - s1)\n", ""),),
        ("W1", "b1"),
        "first hidden activation",
        "The derivative of the first layer's sigmoid is forgotten.",
    ),
    Mistake(
        "labels smoothed one-sidedly",
        "deep_columns",
        (("(probs - one_hot(y, m))", "(probs - 0.9 * one_hot(y, m) - 0.1 / m)"),),
        ("W1", "b1", "W2", "b2", "W3", "b3"),
        "output error",
        "The gradient smooths the labels, 0.9 and 0.1/m, and the loss does not.",
    ),
    Mistake(
        "forward pass cached by batch",
        "deep_columns",
        (
            ("def bprop(params, x, y):", "CACHE = {}\n\n\ndef bprop(params, x, y):"),
            (
                "    s1, s2, scores = activations(params, x)\n",
                '    if CACHE.get("x") is not x:\n'
                "        CACHE.update(x=x, forward=activations(params, x))\n"
                '    s1, s2, scores = CACHE["forward"]\n',
            ),
        ),
        (),
        "conduct",
        "The forward pass is cached for a batch, and is used on when the parameters have changed.",
    ),
    Mistake(
        "labels from one in the loss",
        "deep_columns",
        (("chosen = scores[y, np.arange(len(y))]", "chosen = scores[y - 1, np.arange(len(y))]"),),
        ("W1", "b1", "W2", "b2", "W3", "b3"),
        "loss",
        "The loss reads the labels as 1 ... m and picks the row before the right one.",
    ),
    Mistake(
        "no transpose and averaged bias",
        "deep_columns",
        (
            ("g1 = W2.T @ g2", "g1 = W2 @ g2"),
            ("db3 = g3.sum(axis=1, keepdims=True)", "db3 = g3.mean(axis=1, keepdims=True)"),
        ),
        ("W1", "b1", "b3"),
        "back through W2; b3",
        "W2 is not transposed on the way back, and b3 is averaged though 1/K is in g3 already.",
    ),
    # layer_norm_rows
    Mistake(
        "mean held constant",
        "layer_norm_rows",
        (("(dxhat - from_mean - from_var)", "(dxhat - from_var)"),),
        ("W1", "b1"),
        "layer normalisation",
        "The mean of a row depends on every unit, and its part of the derivative is left out.",
    ),
    Mistake(
        "variance held constant",
        "layer_norm_rows",
        (("(dxhat - from_mean - from_var)", "(dxhat - from_mean)"),),
        ("W1", "b1"),
        "layer normalisation",
        "The derivative treats the standard deviation as a constant.",
    ),
    Mistake(
        "normalised as over a batch",
        "layer_norm_rows",
        (
            ("from_mean = dxhat.mean(axis=1, keepdims=True)", "from_mean = dxhat.mean(axis=0)"),
            ("xhat * (dxhat * xhat).mean(axis=1, keepdims=True)", "xhat * (dxhat * xhat).mean(0)"),
        ),
        ("W1", "b1"),
        "layer normalisation",
        "The means run over the examples, as in batch normalisation, instead of over the units.",
    ),
    Mistake(
        "scale left out",
        "layer_norm_rows",
        (("dxhat = dn * gamma", "dxhat = dn"),),
        ("W1", "b1"),
        "layer normalisation",
        "The factor gamma is missing on the way back.",
    ),
    Mistake(
        "epsilon outside the root",
        "layer_norm_rows",
        (("da = inv * (", "da = 1 / (a.std(axis=1, keepdims=True) + EPS) * ("),),
        ("W1", "b1"),
        "layer normalisation",
        "The backward pass adds EPS to the deviation; in the forward pass EPS is inside the root.",
    ),
    Mistake(
        "scale from raw activations",
        "layer_norm_rows",
        (('grads["gamma"] = (dn * xhat)', 'grads["gamma"] = (dn * a)'),),
        ("gamma",),
        "gamma",
        "gamma multiplies the normalised values, but its gradient is formed with the raw ones.",
    ),
    Mistake(
        "shift before the gate",
        "layer_norm_rows",
        (('grads["beta"] = dn.sum(axis=0)', 'grads["beta"] = (do @ W2.T).sum(axis=0)'),),
        ("beta",),
        "beta",
        "beta's gradient sums the error from behind the relu, without the relu's gate.",
    ),
    Mistake(
        "gate on normalised values",
        "layer_norm_rows",
        (("dn = dn * (n > 0)", "dn = dn * (xhat > 0)"),),
        ("W1", "b1", "gamma", "beta"),
        "hidden activation",
        "The relu's gate looks at xhat, but the relu is applied after scale and shift, to n.",
    ),
    Mistake(
        "clipping left in",
        "layer_norm_rows",
        (("do /= len(y)", "do /= len(y)\n    np.clip(do, -0.1, 0.1, out=do)"),),
        ("W1", "b1", "gamma", "beta", "W2", "b2"),
        "output error",
        "The error is clipped to ±0.1: a gradient is clipped for the step, not while it is formed.",
    ),
    Mistake(
        "probability floored in the loss",
        "layer_norm_rows",
        (("-np.log(picked).mean()", "-np.log(np.maximum(picked, 0.2)).mean()"),),
        ("W1", "b1", "gamma", "beta", "W2", "b2"),
        "loss",
        "The loss is flat where the right class is below 0.2, but the gradient is not 0 there.",
    ),
    # residual_columns
    Mistake(
        "skip forgotten",
        "residual_columns",
        (("g_h1 = g_h2 + W2.T @ g_a2", "g_h1 = W2.T @ g_a2"),),
        ("W1", "b1"),
        "skip connection",
        "h1 reaches the output by two ways, and that of the skip is left out.",
    ),
    Mistake(
        "branch forgotten",
        "residual_columns",
        (("g_h1 = g_h2 + W2.T @ g_a2", "g_h1 = g_h2"),),
        ("W1", "b1"),
        "skip connection",
        "Only the skip goes back to h1; the way through W2 is left out.",
    ),
    Mistake(
        "skip added after the derivative",
        "residual_columns",
        (
            ("g_h1 = g_h2 + W2.T @ g_a2", "g_h1 = W2.T @ g_a2"),
            ("g_a1 = g_h1 * (1 - h1**2)", "g_a1 = g_h1 * (1 - h1**2) + g_h2"),
        ),
        ("W1", "b1"),
        "skip connection",
        "The skip starts at h1, behind the tanh, so its error needs that tanh's derivative too.",
    ),
    Mistake(
        "accumulated into an alias",
        "residual_columns",
        (
            ("    g_a2 = g_h2 * (1 - t**2)\n", ""),
            (
                "g_h1 = g_h2 + W2.T @ g_a2",
                "g_h1 = g_h2\n    g_h1 += W2.T @ (g_h2 * (1 - t**2))\n    g_a2 = g_h2 * (1 - t**2)",
            ),
        ),
        ("W2", "b2"),
        "skip connection",
        "g_h1 is another name of g_h2, so += changes g_h2 before W2 and b2 use it.",
    ),
    Mistake(
        "derivative of the sum",
        "residual_columns",
        (("g_a2 = g_h2 * (1 - t**2)", "g_a2 = g_h2 * (1 - h2**2)"),),
        ("W1", "b1", "W2", "b2"),
        "second hidden activation",
        "The derivative of tanh is 1 - t² of the branch t, not of the sum h2 = h1 + t.",
    ),
    Mistake(
        "output layer sees the branch only",
        "residual_columns",
        (("dW3 = g_o @ h2.T", "dW3 = g_o @ t.T"),),
        ("W3",),
        "W3",
        "W3 multiplies h1 + t, but its gradient is formed with t alone.",
    ),
    Mistake(
        "last weight not decayed",
        "residual_columns",
        (
            (
                "for k in WEIGHTS:\n        grads[k] = grads",
                "for k in WEIGHTS[:-1]:\n        grads[k] = grads",
            ),
        ),
        ("W3",),
        "penalty of W3",
        "The loop over the weights ends one too early, and the penalty of W3 is left out.",
    ),
    Mistake(
        "sum in the loss",
        "residual_columns",
        (("0.5 * np.mean(np.sum(error**2, axis=0))", "0.5 * np.sum(error**2)"),),
        ("W1", "b1", "W2", "b2", "W3", "b3"),
        "loss",
        "The loss sums over the examples, and the gradient is that of the mean.",
    ),
    Mistake(
        "branch for output and averaged bias",
        "residual_columns",
        (
            ("dW3 = g_o @ h2.T", "dW3 = g_o @ h1.T"),
            ("db2 = g_a2.sum(axis=1, keepdims=True)", "db2 = g_a2.sum(axis=1, keepdims=True) / K"),
        ),
        ("W3", "b2"),
        "W3; b2",
        "W3's gradient takes the skipped h1 for h2, and b2's is divided by K twice.",
    ),
    # autoencoder_columns
    Mistake(
        "decoder only",
        "autoencoder_columns",
        (("dW = encoder + decoder", "dW = decoder"),),
        ("W",),
        "W",
        "W is used twice, and the gradient of its use in the encoder is left out.",
    ),
    Mistake(
        "encoder only",
        "autoencoder_columns",
        (("dW = encoder + decoder", "dW = encoder"),),
        ("W",),
        "W",
        "W is used twice, and the gradient of its use in the decoder is left out.",
    ),
    Mistake(
        "two uses averaged",
        "autoencoder_columns",
        (("dW = encoder + decoder", "dW = (encoder + decoder) / 2"),),
        ("W",),
        "W",
        "The gradients of the two uses of W are averaged; they add up.",
    ),
    Mistake(
        "penalised for each use",
        "autoencoder_columns",
        (("dW += 2 * lam[0] * W", "dW += 4 * lam[0] * W"),),
        ("W",),
        "penalty of W",
        "The penalty is counted for the encoder and for the decoder, but the loss has it once.",
    ),
    Mistake(
        "noisy target",
        "autoencoder_columns",
        (("dr = 2 * (r - y) / K", "dr = 2 * (r - x) / K"),),
        ("W", "b", "c"),
        "output error",
        "The reconstruction is compared with the noisy input instead of the clean target.",
    ),
    Mistake(
        "square without its two",
        "autoencoder_columns",
        (("dr = 2 * (r - y) / K", "dr = (r - y) / K"),),
        ("W", "b", "c"),
        "output error",
        "The loss has no ½, so the derivative of the square keeps its factor 2.",
    ),
    Mistake(
        "half of the sigmoid derivative",
        "autoencoder_columns",
        (("da = dh * h * (1 - h)", "da = dh * (1 - h)"),),
        ("W", "b"),
        "hidden activation",
        "The derivative of the sigmoid is h(1 - h), and the factor h is missing.",
    ),
    Mistake(
        "bias summed without the mean",
        "autoencoder_columns",
        (("dc = dr.sum(axis=1, keepdims=True)", "dc = 2 * np.sum(r - y, axis=1, keepdims=True)"),),
        ("c",),
        "c",
        "c's gradient is summed over the examples from the raw error, without the 1/K.",
    ),
    # poisson_rows
    Mistake(
        "softplus derivative of its output",
        "poisson_rows",
        (("gate = 1 / (1 + np.exp(-a))", "gate = 1 / (1 + np.exp(-h))"),),
        ("W1", "b1"),
        "hidden activation",
        "The derivative of softplus is the sigmoid of its input a, not of its output h.",
    ),
    Mistake(
        "softplus taken for relu",
        "poisson_rows",
        (("gate = 1 / (1 + np.exp(-a))", "gate = (a > 0).astype(float)"),),
        ("W1", "b1"),
        "hidden activation",
        "The derivative is that of the relu; softplus has the sigmoid.",
    ),
    Mistake(
        "sigmoid with the other sign",
        "poisson_rows",
        (("gate = 1 / (1 + np.exp(-a))", "gate = 1 / (1 + np.exp(a))"),),
        ("W1", "b1"),
        "hidden activation",
        "A minus is lost in the sigmoid: the derivative of softplus is 1/(1 + e⁻ᵃ).",
    ),
    Mistake(
        "link forgotten",
        "poisson_rows",
        (("d_eta = (np.exp(eta) - y) / n", "d_eta = (eta - y) / n"),),
        TWO_LAYERS,
        "output error",
        "With the log link the mean is exp(eta), and the error compares eta itself with the count.",
    ),
    Mistake(
        "features counted for examples",
        "poisson_rows",
        (("d_eta = (np.exp(eta) - y) / n", "d_eta = (np.exp(eta) - y) / x.shape[1]"),),
        TWO_LAYERS,
        "output error",
        "The error is divided by the number of inputs d instead of the number of examples K.",
    ),
    Mistake(
        "last example skipped",
        "poisson_rows",
        (("for i in range(n):", "for i in range(n - 1):"),),
        TWO_LAYERS,
        "sum over the examples",
        "The loop ends one too early, and the last example never contributes.",
    ),
    Mistake(
        "assigned for added",
        "poisson_rows",
        (("        gb1 += d_a\n", "        gb1[:] = d_a\n"),),
        ("b1",),
        "b1",
        "The loop assigns b1's gradient instead of adding to it, so only the last example counts.",
    ),
    Mistake(
        "first example's gate",
        "poisson_rows",
        (("* gate[i]", "* gate[0]"),),
        ("W1", "b1"),
        "hidden activation",
        "All examples use the derivative at the first example's activations.",
    ),
    Mistake(
        "gradient never zeroed",
        "poisson_rows",
        (
            ("def bprop(params, x, y):", "BUFFERS = {}\n\n\ndef bprop(params, x, y):"),
            (
                "    gW1, gb1 = np.zeros_like(W1), np.zeros_like(b1)\n",
                "    gW1 = BUFFERS.setdefault(W1.shape, np.zeros_like(W1))\n"
                "    gb1 = np.zeros_like(b1)\n",
            ),
        ),
        (),
        "conduct",
        "W1's buffer outlives the call and is not zeroed: every call adds to the gradient before.",
    ),
    # embedding_rows
    Mistake(
        "repeated words counted once",
        "embedding_rows",
        (("np.add.at(dE, x[:, t], share)", "dE[x[:, t]] += share"),),
        ("E",),
        "E",
        "With += at repeated indices only the last one is added; np.add.at adds them all.",
    ),
    Mistake(
        "mean taken for a sum",
        "embedding_rows",
        (("share = dh / WORDS", "share = dh"),),
        ("E",),
        "mean over the words",
        "The hidden layer is a mean of the embeddings, and each one's 1/3 is left out.",
    ),
    Mistake(
        "first word skipped",
        "embedding_rows",
        (("for t in range(WORDS):", "for t in range(1, WORDS):"),),
        ("E",),
        "E",
        "The loop starts at 1, and the first word of each example gets no gradient.",
    ),
    Mistake(
        "padding row zeroed",
        "embedding_rows",
        (
            (
                "        np.add.at(dE, x[:, t], share)\n",
                "        np.add.at(dE, x[:, t], share)\n    dE[0] = 0\n",
            ),
        ),
        ("E",),
        "E",
        "Row 0 is zeroed as if it were padding, but the forward pass uses it like any other word.",
    ),
    Mistake(
        "result in a shared buffer",
        "embedding_rows",
        (
            ("def bprop(params, x, y):", "BUFFERS = {}\n\n\ndef bprop(params, x, y):"),
            (
                "dE = np.zeros_like(E)",
                "dE = BUFFERS.setdefault(E.shape, np.empty_like(E))\n    dE.fill(0)",
            ),
        ),
        (),
        "conduct",
        "All calls return the same array for E, so the next call overwrites the last result.",
    ),
    # hinge_rows
    Mistake(
        "right class counted once",
        "hinge_rows",
        (("ds[np.arange(N), y] = -count", "ds[np.arange(N), y] = -1"),),
        TWO_LAYERS,
        "output error",
        "The right class's score is in every violated margin, so it gets -count, not -1.",
    ),
    Mistake(
        "right class forgotten",
        "hinge_rows",
        (("    ds[np.arange(N), y] = -count\n", ""),),
        TWO_LAYERS,
        "output error",
        "The right class's score is subtracted in each margin, and its own gradient is left out.",
    ),
    Mistake(
        "hinge always active",
        "hinge_rows",
        (("(margins(params, h, y) > 0)", "(margins(params, h, y) >= 0)"),),
        TWO_LAYERS,
        "output error",
        "Margins are cut off at 0, so >= 0 is always true and satisfied margins count as well.",
    ),
    Mistake(
        "largest violation only",
        "hinge_rows",
        (
            (
                "    ds = (margins(params, h, y) > 0).astype(float)\n",
                "    above = margins(params, h, y)\n"
                "    worst = above.max(axis=1, keepdims=True)\n"
                "    ds = ((above > 0) & (above == worst)).astype(float)\n",
            ),
        ),
        TWO_LAYERS,
        "output error",
        "The gradient is that of the largest violation, but the loss sums over all of them.",
    ),
    Mistake(
        "leak on the wrong side",
        "hinge_rows",
        (("da = np.where(a > 0, dh, LEAK * dh)", "da = np.where(a > 0, LEAK * dh, dh)"),),
        ("W1", "b1"),
        "hidden activation",
        "The branches are swapped: the leak belongs to the negative side.",
    ),
    Mistake(
        "leak forgotten",
        "hinge_rows",
        (("da = np.where(a > 0, dh, LEAK * dh)", "da = np.where(a > 0, dh, 0)"),),
        ("W1", "b1"),
        "hidden activation",
        "The gradient is the plain relu's: on the negative side the slope is LEAK, not 0.",
    ),
    Mistake(
        "gate on the error",
        "hinge_rows",
        (("da = np.where(a > 0, dh, LEAK * dh)", "da = np.where(dh > 0, dh, LEAK * dh)"),),
        ("W1", "b1"),
        "hidden activation",
        "The leaky relu is applied to the error itself; the sign to look at is that of a.",
    ),
    Mistake(
        "new dropout at every call",
        "hinge_rows",
        (
            (
                "def hidden(params, x):",
                "RNG = np.random.default_rng(1)\n\n\ndef hidden(params, x):",
            ),
            (
                "return a, np.where(a > 0, a, LEAK * a)",
                "keep = RNG.random(a.shape) < 0.5\n"
                "    return a, np.where(a > 0, a, LEAK * a) * keep * 2",
            ),
        ),
        TWO_LAYERS,
        "conduct",
        "Each call draws new dropout, so the gradient is that of another loss than fprop's.",
    ),
    Mistake(
        "leak forgotten and factor two lost",
        "hinge_rows",
        (
            ("da = np.where(a > 0, dh, LEAK * dh)", "da = dh * (a > 0)"),
            ("dW2 = h.T @ ds + 2 * lam[1] * W2", "dW2 = h.T @ ds + lam[1] * W2"),
        ),
        ("W1", "b1", "W2"),
        "hidden activation; penalty of W2",
        "The leak is missing from the derivative, and so is the 2 from the penalty of W2.",
    ),
)


def source(version: str | Mistake) -> str:
    """Text of an architecture, or of a mistake's wrong version of it."""
    if isinstance(version, str):
        return ARCHITECTURES[version]
    text = ARCHITECTURES[version.architecture]
    for old, new in version.patches:
        if text.count(old) != 1:
            raise ValueError(f"{version.name}: {old!r} occurs {text.count(old)} times")
        text = text.replace(old, new)
    return text


def load(version: str | Mistake) -> SimpleNamespace:
    """Run an architecture, or a mistake's wrong version of it, in a fresh namespace."""
    name = version if isinstance(version, str) else f"{version.architecture}: {version.name}"
    namespace: dict[str, object] = {"__name__": name}
    exec(compile(source(version), f"<{name}>", "exec"), namespace)
    return SimpleNamespace(**namespace)
