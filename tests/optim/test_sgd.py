"""Stochastic gradient descent: the formula, momentum, and that it learns."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigraph as mg
from minigraph import data, nn, optim


def parameter(x=(1.0, -2.0), **options):
    return mg.Tensor(x, requires_grad=True, **options)


@given(
    lr=st.floats(1e-3, 1),
    momentum=st.sampled_from([0.0, 0.5, 0.9]),
    nesterov=st.booleans(),
    steps=st.integers(1, 5),
)
def test_steps_are_the_formula(lr, momentum, nesterov, steps):
    nesterov = nesterov and momentum > 0
    w = parameter()
    sgd = optim.SGD([w], lr=lr, momentum=momentum, nesterov=nesterov)
    theta, v = w.numpy(), np.zeros(2)
    for step in range(steps):
        w.grad = g = np.array([0.5, step + 1.0])
        sgd.step()
        v = momentum * v + g
        theta = theta - lr * (g + momentum * v if nesterov else v)
        np.testing.assert_allclose(w.data, theta, rtol=1e-13)
        assert np.array_equal(w.grad, g)


def test_nesterov_looks_ahead_by_one_momentum():
    w = parameter(4.0)
    sgd = optim.SGD([w], lr=0.25, momentum=0.5, nesterov=True)
    w.grad = 4.0
    sgd.step()
    assert w.item() == 4 - 0.25 * (4 + 0.5 * 4)


def test_u6_a_small_step_lowers_the_risk():
    model = nn.MLP((2, 8, 2), seed=0)
    X, t = data.two_circles(seed=0)
    sgd = optim.SGD(model.parameters(), lr=0.1)
    before = nn.risk(model, X, t)
    before.backward()
    sgd.step()
    assert nn.risk(model, X, t).item() < before.item()


def test_scalar_parameter():
    w = parameter(2.0)
    sgd = optim.SGD([w], lr=0.25, momentum=0.5)
    for expected in (1.0, 0.0):
        sgd.zero_grad()
        (w * w).backward()
        sgd.step()
        assert w.item() == expected


def test_step_between_forward_and_backward_is_refused():
    model = nn.MLP((2, 3, 2), seed=0)
    loss = nn.risk(model, np.ones((1, 2)), [0])
    loss.backward()
    optim.SGD(model.parameters(), lr=0.1).step()
    with pytest.raises(RuntimeError, match=r"W1|W2"):
        loss.backward()


def test_network_with_eight_hidden_units_learns_the_two_circles():
    X, t = data.two_circles(seed=0)
    model = nn.MLP((2, 8, 2), seed=0)
    sgd = optim.SGD(model.parameters(), lr=0.3, momentum=0.9)

    def error():
        return np.mean(model(X).data.argmax(axis=1) != t)

    assert error() > 0.3
    for _ in range(30):
        for start in range(0, len(X), 20):
            batch = slice(start, start + 20)
            sgd.zero_grad()
            nn.risk(model, X[batch], t[batch]).backward()
            sgd.step()
    assert error() < 0.02
