"""The training step of step.py in other libraries, each as its documentation would have it.

make(params, X, t, lams, lr) -> step, parameters, as timing.py says.
"""

import numpy as np


def make_torch(params, X, t, lams, lr):
    import torch

    torch.set_num_threads(1)
    X, t = torch.from_numpy(X), torch.from_numpy(t)
    (inputs, hidden), outputs = params[0].shape, len(params[3])
    model = torch.nn.Sequential(
        torch.nn.Linear(inputs, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, outputs)
    )
    with torch.no_grad():
        for tensor, value in zip(model.parameters(), params):
            tensor.copy_(torch.from_numpy(value.T))
    W1, W2 = model[0].weight, model[2].weight
    sgd = torch.optim.SGD(model.parameters(), lr=lr)
    l11, l12, l21, l22 = lams

    def step():
        loss = torch.nn.functional.cross_entropy(model(X), t)
        loss = loss + l11 * W1.abs().sum() + l12 * (W1 * W1).sum()
        loss = loss + l21 * W2.abs().sum() + l22 * (W2 * W2).sum()
        sgd.zero_grad()
        loss.backward()
        sgd.step()
        return loss

    return step, lambda: [p.detach().numpy().T for p in model.parameters()]


def make_mygrad(params, X, t, lams, lr):
    import mygrad
    from mygrad.nnet.activations import relu
    from mygrad.nnet.losses import softmax_crossentropy

    tensors = W1, b1, W2, b2 = [mygrad.tensor(p) for p in params]
    l11, l12, l21, l22 = lams

    def step():
        H = relu(X @ W1 + b1)
        loss = softmax_crossentropy(H @ W2 + b2, t)
        loss = loss + l11 * mygrad.abs(W1).sum() + l12 * mygrad.square(W1).sum()
        loss = loss + l21 * mygrad.abs(W2).sum() + l22 * mygrad.square(W2).sum()
        loss.backward()
        for p in tensors:
            p.data -= lr * p.grad
        return loss

    return step, lambda: [tensor.data for tensor in tensors]


def make_autograd(params, X, t, lams, lr):
    import autograd
    import autograd.numpy as anp
    from autograd.scipy.special import logsumexp

    params = [p.copy() for p in params]
    l11, l12, l21, l22 = lams
    rows = np.arange(len(X))

    def objective(params):
        W1, b1, W2, b2 = params
        Z = anp.maximum(X @ W1 + b1, 0) @ W2 + b2
        loss = anp.mean(logsumexp(Z, axis=1) - Z[rows, t])
        loss = loss + l11 * anp.sum(anp.abs(W1)) + l12 * anp.sum(W1**2)
        return loss + l21 * anp.sum(anp.abs(W2)) + l22 * anp.sum(W2**2)

    value_and_grad = autograd.value_and_grad(objective)

    def step():
        loss, gradients = value_and_grad(params)
        for p, g in zip(params, gradients):
            p -= lr * g
        return loss

    return step, lambda: params


def make_jax(params, X, t, lams, lr, jit):
    import jax
    import jax.numpy as jnp

    params = [jnp.array(p) for p in params]
    X, t = jnp.array(X), jnp.array(t)
    l11, l12, l21, l22 = lams

    def objective(params, X, t):
        W1, b1, W2, b2 = params
        Z = jax.nn.relu(X @ W1 + b1) @ W2 + b2
        loss = -jnp.take_along_axis(jax.nn.log_softmax(Z), t[:, None], axis=1).mean()
        loss += l11 * jnp.abs(W1).sum() + l12 * jnp.square(W1).sum()
        return loss + l21 * jnp.abs(W2).sum() + l22 * jnp.square(W2).sum()

    def update(params, X, t):
        loss, gradients = jax.value_and_grad(objective)(params, X, t)
        return loss, [p - lr * g for p, g in zip(params, gradients)]

    if jit:
        update = jax.jit(update, donate_argnums=0)

    def step():
        nonlocal params
        loss, params = jax.block_until_ready(update(params, X, t))
        return loss

    return step, lambda: params
