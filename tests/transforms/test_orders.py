"""Orders one to four against closed forms, Hessians against differences, loops against both."""

import time

import numpy as np
import pytest

import minigraph as mg


def nth(f, order):
    for _ in range(order):
        f = mg.gradient(f)
    return f


def tanh_orders(x):
    t = np.tanh(x)
    s = 1 - t * t
    return [t, s, -2 * t * s, s * (6 * t * t - 2), s * t * (16 - 24 * t * t)]


def exp_sin_orders(x):
    s, c, e = np.sin(x), np.cos(x), np.exp(np.sin(x))
    return [
        e,
        e * c,
        e * (c**2 - s),
        e * (c**3 - 3 * s * c - c),
        e * (c**4 - 6 * s * c**2 + 3 * s**2 - 4 * c**2 + s),
    ]


def lorentz_orders(x):
    q = 1 + x * x
    return [
        1 / q,
        -2 * x / q**2,
        (6 * x**2 - 2) / q**3,
        24 * x * (1 - x**2) / q**4,
        24 * (5 * x**4 - 10 * x**2 + 1) / q**5,
    ]


def gauss_orders(x):  # Hermite's polynomials
    e = np.exp(-x * x / 2)
    return [e, -x * e, (x**2 - 1) * e, -(x**3 - 3 * x) * e, (x**4 - 6 * x**2 + 3) * e]


def logistic_orders(x):
    s = 1 / (1 + np.exp(-x))
    p = s * (1 - s)
    return [s, p, p * (1 - 2 * s), p * (1 - 6 * p), p * (1 - 2 * s) * (1 - 12 * p)]


def x_to_the_x_orders(x):
    y, u = x**x, np.log(x) + 1
    return [
        y,
        y * u,
        y * (u**2 + 1 / x),
        y * (u**3 + 3 * u / x - 1 / x**2),
        y * (u**4 + 6 * u**2 / x - 4 * u / x**2 + 3 / x**2 + 2 / x**3),
    ]


CLOSED = {
    "tanh": (np.tanh, tanh_orders),
    "exp of sin": (lambda x: np.exp(np.sin(x)), exp_sin_orders),
    "1 / (1 + x²)": (lambda x: 1 / (1 + x**2), lorentz_orders),
    "exp(-x²/2)": (lambda x: np.exp(-(x**2) / 2), gauss_orders),
    "sigmoid": (mg.sigmoid, logistic_orders),
    "softplus′": (mg.gradient(mg.softplus), logistic_orders),
    "x to the x": (lambda x: x**x, x_to_the_x_orders),
    "log": (np.log, lambda x: [np.log(x), 1 / x, -1 / x**2, 2 / x**3, -6 / x**4]),
    "sqrt": (np.sqrt, lambda x: [x**0.5, x**-0.5 / 2, -(x**-1.5) / 4, 3 * x**-2.5 / 8,
                                 -15 * x**-3.5 / 16]),
}  # fmt: skip


@pytest.mark.parametrize("name", CLOSED)
def test_orders_up_to_four_are_those_of_the_closed_form(name):
    f, orders = CLOSED[name]
    for x in (0.3, 0.7, 1.9):
        for order, expected in enumerate(orders(x)):
            found = nth(f, order)(np.array(x)) if order else f(x)
            np.testing.assert_allclose(found, expected, rtol=1e-9)
            again = nth(mg.checkpoint(f), order)(np.array(x)) if order else f(x)
            np.testing.assert_allclose(again, expected, rtol=1e-9)


def test_orders_of_rosenbrock_s_function_are_those_of_the_closed_form():
    def f(p):
        return 100 * (p[1] - p[0] ** 2) ** 2 + (1 - p[0]) ** 2

    x, y = p = np.array([-1.2, 1.0])
    np.testing.assert_allclose(
        mg.gradient(f)(p), [-400 * x * (y - x * x) - 2 * (1 - x), 200 * (y - x * x)], rtol=1e-12
    )
    np.testing.assert_allclose(
        mg.hessian(f)(p), [[1200 * x * x - 400 * y + 2, -400 * x], [-400 * x, 200]], rtol=1e-12
    )
    third = np.zeros((2, 2, 2))
    third[0, 0] = 2400 * x, -400
    third[0, 1, 0] = third[1, 0, 0] = -400
    np.testing.assert_allclose(mg.jacobian(mg.hessian(f))(p), third, rtol=1e-12)
    fourth = np.zeros((2, 2, 2, 2))
    fourth[0, 0, 0, 0] = 2400
    np.testing.assert_allclose(mg.jacobian(mg.jacobian(mg.hessian(f)))(p), fourth, rtol=1e-12)


def test_orders_mix_forward_and_backward():
    f, expected = CLOSED["exp of sin"][0], exp_sin_orders(0.7)

    def forward(f):
        return lambda x: mg.jvp(f, x, 1.0)[1]

    backward = mg.gradient
    for chain in ((forward,) * 4, (forward, backward) * 2, (backward, forward, forward, backward)):
        g = f
        for order, transform in enumerate(chain, 1):
            g = transform(g)
            np.testing.assert_allclose(g(0.7), expected[order], rtol=1e-9)


# A network


def network(seed=0):
    rng = np.random.default_rng(seed)
    shapes = {"W1": (4, 5), "b1": (5,), "W2": (5, 3), "b2": (3,)}
    parameters = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    X, t = rng.normal(size=(9, 4)), rng.integers(3, size=9)

    def risk(p):
        logits = mg.linear(mg.relu(mg.linear(X, p["W1"], p["b1"])), p["W2"], p["b2"])
        return mg.softmax_nll(logits, t) + mg.elastic_net(p["W1"], 1e-3, 2e-3)

    return risk, parameters


def flat(blocks, parameters):
    return np.block(
        [
            [blocks[a][b].reshape(parameters[a].size, -1) for b in parameters]
            for a in parameters
        ]
    )  # fmt: skip


def test_hessian_of_a_network_s_risk_is_symmetric_and_that_of_differences():
    risk, parameters = network()
    H = flat(mg.hessian(risk)(parameters), parameters)
    assert H.shape == (43, 43)
    assert np.abs(H - H.T).max() <= 1e-12 * np.abs(H).max()
    slopes, h, column = mg.gradient(risk), 1e-5, 0
    for name, value in parameters.items():
        for place in np.ndindex(value.shape):
            moved = []
            for step in (h, -h):
                there = value.copy()
                there[place] += step
                g = slopes({**parameters, name: there})
                moved.append(np.concatenate([g[other].reshape(-1) for other in parameters]))
            np.testing.assert_allclose((moved[0] - moved[1]) / (2 * h), H[column], atol=1e-8)
            column += 1


# Loops


def trained(rate, steps=100):
    """Give the validation loss after training a line by gradient descent with momentum."""
    x = np.linspace(-1, 1, 20)
    train, valid = (2 * x + np.sin(5 * x), 2 * x - 0.3)
    p, velocity = {"w": np.array(0.0), "b": np.array(0.0)}, {"w": 0.0, "b": 0.0}
    slopes = mg.gradient(lambda p: np.mean((p["w"] * x + p["b"] - train) ** 2))
    for _ in range(steps):
        g = slopes(p)
        velocity = {name: 0.5 * velocity[name] - rate * g[name] for name in p}
        p = {name: p[name] + velocity[name] for name in p}
    return np.mean((p["w"] * x + p["b"] - valid) ** 2)


def slope(f, x, h=3e-5):
    """Give a difference of fourth order."""
    return (8 * (f(x + h) - f(x - h)) - (f(x + 2 * h) - f(x - 2 * h))) / (12 * h)


def test_gradient_by_the_learning_rate_through_100_steps():
    found = mg.gradient(trained)(0.02)
    assert abs(found) > 0.1
    np.testing.assert_allclose(found, slope(trained, 0.02), rtol=1e-8)
    second = mg.hessian(trained)(0.02)
    np.testing.assert_allclose(second, slope(mg.gradient(trained), 0.02), rtol=1e-8)


def test_gradient_by_a_penalty_through_training_is_that_of_ridge_regression():
    """The derivative of w(λ) = (XᵀX + λ)⁻¹ Xᵀy is -(XᵀX + λ)⁻¹ w.

    Bengio, "Gradient-based optimization of hyperparameters", 2000.
    """
    rng = np.random.default_rng(0)
    X, y, lam = rng.normal(size=(30, 3)), rng.normal(size=30), 2.0

    def weights(lam):
        w = np.zeros(3)
        slopes = mg.gradient(lambda w: np.sum((X @ w - y) ** 2) / 2 + lam * np.sum(w * w) / 2)
        for _ in range(150):
            w = w - 0.03 * slopes(w)
        return w

    A = X.T @ X + lam * np.eye(3)
    w = np.linalg.solve(A, X.T @ y)
    np.testing.assert_allclose(weights(lam), w, rtol=1e-9)
    np.testing.assert_allclose(mg.jacobian(weights)(lam), -np.linalg.solve(A, w), rtol=1e-8)
    valid = rng.normal(size=(10, 3)), rng.normal(size=10)
    hyper = mg.gradient(lambda lam: np.mean((valid[0] @ weights(lam) - valid[1]) ** 2))(lam)
    outer = 2 * valid[0].T @ (valid[0] @ w - valid[1]) / 10
    np.testing.assert_allclose(hyper, -outer @ np.linalg.solve(A, w), rtol=1e-8)


def test_inner_gradients_in_a_loop_cost_the_same_at_each_step():
    """A gradient inside looks only at what its own call made, not at all that went before."""

    def loop(steps):
        def f(rate):
            w = 1.0
            for _ in range(steps):
                w = w - rate * mg.gradient(np.cos)(w)
            return w

        start = time.process_time()
        mg.gradient(f)(0.01)
        return (time.process_time() - start) / steps

    loop(20)
    assert min(loop(1500), loop(1500)) < 4 * max(loop(150), loop(150))
