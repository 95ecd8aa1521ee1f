"""Stochastic gradient descent: the formula, momentum, what it refuses, and that it learns."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigraph as mg
from minigraph import data, nn, optim


def parameter(x=(1.0, -2.0), **options):
    return mg.Tensor(x, requires_grad=True, **options)


@given(st.floats(1e-3, 1), st.sampled_from([0.0, 0.5, 0.9]), st.integers(1, 5))
def test_steps_are_the_formula(lr, momentum, steps):
    w = parameter()
    sgd = optim.SGD([w], lr=lr, momentum=momentum)
    theta, v = w.numpy(), np.zeros(2)
    for step in range(steps):
        w.grad = g = np.array([0.5, step + 1.0])
        sgd.step()
        v = momentum * v + g
        theta = theta - lr * v
        np.testing.assert_allclose(w.data, theta, rtol=1e-14)
        assert np.array_equal(w.grad, g)


def test_u6_a_small_step_lowers_the_risk():
    model = nn.MLP((2, 8, 2), seed=0)
    X, t = data.two_circles(seed=0)
    sgd = optim.SGD(model.parameters(), lr=0.1)
    before = nn.risk(model, X, t)
    before.backward()
    sgd.step()
    assert nn.risk(model, X, t).item() < before.item()


def test_step_writes_in_place():
    w = parameter()
    array = w.data
    w.grad = np.ones(2)
    optim.SGD([w], lr=0.5).step()
    assert w.data is array
    assert np.array_equal(array, [0.5, -2.5])


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("lr", [0.5, np.float64(0.5)])
def test_step_keeps_the_dtype(dtype, lr):
    w = parameter(dtype=dtype)
    w.grad = np.ones(2, dtype)
    optim.SGD([w], lr=lr, momentum=0.5).step()
    assert w.dtype == dtype
    assert np.array_equal(w.data, [0.5, -2.5])


def test_scalar_parameter():
    w = parameter(2.0)
    sgd = optim.SGD([w], lr=0.25, momentum=0.5)
    for expected in (1.0, 0.0):
        sgd.zero_grad()
        (w * w).backward()
        sgd.step()
        assert w.item() == expected


def test_parameters_without_a_gradient_are_left_alone():
    a, b = parameter(), parameter()
    a.grad = np.ones(2)
    optim.SGD({"a": a, "b": b}, lr=1.0).step()
    assert np.array_equal(a.data, [0, -3])
    assert np.array_equal(b.data, [1, -2])


def test_zero_grad_forgets_all():
    model = nn.MLP((2, 3, 2), seed=0)
    nn.risk(model, np.ones((1, 2)), [0]).backward()
    optim.SGD(model.parameters(), lr=1.0).zero_grad()
    assert all(p.grad is None for p in model.parameters().values())


def test_parameters_may_be_given_by_an_iterator():
    a, b = parameter(), parameter()
    sgd = optim.SGD(iter([a, b]), lr=1.0)
    a.grad = b.grad = np.ones(2)
    for _ in range(2):
        sgd.step()
    assert np.array_equal(b.data, [-1, -4])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"lr": 0.0}, "rate"),
        ({"lr": -1.0}, "rate"),
        ({"lr": float("nan")}, "rate"),
        ({"lr": 0.1, "momentum": 1.0}, "momentum"),
        ({"lr": 0.1, "momentum": -0.1}, "momentum"),
        ({"lr": 0.1, "momentum": float("nan")}, "momentum"),
    ],
)
def test_impossible_settings_are_refused(options, says):
    with pytest.raises(ValueError, match=says):
        optim.SGD([parameter()], **options)


def test_no_parameters_are_refused():
    for nothing in ([], {}, iter(())):
        with pytest.raises(ValueError, match="no parameters"):
            optim.SGD(nothing, lr=0.1)


@pytest.mark.parametrize(
    "wrong",
    [mg.Tensor([1.0]), parameter() * 2, np.ones(2), 1.0],
    ids=["constant", "result", "array", "number"],
)
def test_what_cannot_be_learned_is_refused(wrong):
    with pytest.raises(TypeError, match="parameters"):
        optim.SGD([wrong], lr=0.1)


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
