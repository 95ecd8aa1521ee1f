"""Training steps of a multi-layer perceptron with penalties, written by hand in NumPy."""

import numpy as np

RATE = {"SGD": 0.05, "momentum": 0.01, "Adam": 1e-3}
MOMENTUM = 0.9
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


def by_hand(params, penalties, activation="relu", optimizer="SGD"):
    """Give step(X, t): it changes params, W1, b1, W2, b2, ..., in place.

    It returns the loss with penalty and the one without. Penalties are the weights of |W|_1 and
    |W|^2, layer by layer. The statements are in place where that is easy to read.
    """
    weights, biases = params[::2], params[1::2]
    activate, derivative = ACTIVATIONS[activation]
    update = UPDATES[optimizer](params)

    def step(X, t):
        n, rows = len(X), np.arange(len(X))
        inputs = [X]
        for W, b in zip(weights[:-1], biases):
            Z = inputs[-1] @ W
            Z += b
            inputs.append(activate(Z))
        Z = inputs[-1] @ weights[-1]
        Z += biases[-1]
        Z -= Z.max(axis=1, keepdims=True)
        G = np.exp(Z)
        sums = G.sum(axis=1, keepdims=True)
        nll = (np.log(sums).sum() - Z[rows, t].sum()) / n
        loss = nll
        for W, (l1, l2) in zip(weights, penalties):
            loss += l1 * np.abs(W).sum() + l2 * np.vdot(W, W)

        G /= sums
        G[rows, t] -= 1
        G /= n
        gradients = []
        for W, H, (l1, l2) in zip(weights[::-1], inputs[::-1], penalties[::-1]):
            gW = H.T @ G
            gW += l1 * np.sign(W)
            gW += 2 * l2 * W
            gradients += [G.sum(axis=0), gW]
            if H is not X:
                G = G @ W.T
                G *= derivative(H)
        update(gradients[::-1])
        return loss, nll

    return step


def relu(Z):
    return np.maximum(Z, 0, out=Z)


def sigmoid(Z):
    np.negative(Z, out=Z)
    np.exp(Z, out=Z)
    Z += 1
    return np.reciprocal(Z, out=Z)


ACTIVATIONS = {  # the function, and its derivative by its value
    "relu": (relu, lambda H: H > 0),
    "tanh": (lambda Z: np.tanh(Z, out=Z), lambda H: 1 - H * H),
    "sigmoid": (sigmoid, lambda H: H * (1 - H)),
}


def sgd_by_hand(params):
    def update(gradients):
        for p, g in zip(params, gradients):
            p -= RATE["SGD"] * g

    return update


def momentum_by_hand(params):
    velocities = [np.zeros_like(p) for p in params]

    def update(gradients):
        for p, v, g in zip(params, velocities, gradients):
            v *= MOMENTUM
            v += g
            p -= RATE["momentum"] * v

    return update


def adam_by_hand(params):
    means, squares = ([np.zeros_like(p) for p in params] for _ in range(2))
    steps = 0

    def update(gradients):
        nonlocal steps
        steps += 1
        rate, root = RATE["Adam"] / (1 - BETA1**steps), (1 - BETA2**steps) ** 0.5
        for p, m, v, g in zip(params, means, squares, gradients):
            m *= BETA1
            m += (1 - BETA1) * g
            v *= BETA2
            np.square(g, out=g)
            g *= 1 - BETA2
            v += g
            np.sqrt(v, out=g)
            g /= root
            g += EPSILON
            np.divide(m, g, out=g)
            g *= rate
            p -= g

    return update


UPDATES = {"SGD": sgd_by_hand, "momentum": momentum_by_hand, "Adam": adam_by_hand}
