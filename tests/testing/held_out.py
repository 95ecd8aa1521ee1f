"""Hand-written backward passes, right and wrong, to measure a check of them with.

Ten small programs in plain NumPy, each as text, and wrong versions of them as patches. They are a
held-out set: no check is to be tuned on them.

Each program has ``AXIS`` (where the examples lie), ``PENALTIES`` (how many λ there are),
``params(sizes, rng)``, ``batch(sizes, rng)``, and ``fprop``, ``bprop`` and ``graph`` of
``(params, x, y, lam)``, or of ``(params, x, y)`` where there are no penalties. ``sizes`` has the
keys d, dh, m and K; a program with a single output leaves m unused.
"""

from types import SimpleNamespace

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


def load(architecture: str) -> SimpleNamespace:
    """Run a program, in a fresh namespace each time."""
    namespace: dict[str, object] = {"__name__": f"held_out_{architecture}"}
    exec(compile(ARCHITECTURES[architecture], f"<{architecture}>", "exec"), namespace)
    return SimpleNamespace(**namespace)
