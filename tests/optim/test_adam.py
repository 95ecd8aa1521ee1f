"""Adam and AdamW: the published algorithms, step by step, and what is special about them."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from optim.makers import parameter

import minigraph as mg
from minigraph import data, nn, optim

NUMBERS = st.just(0.0) | st.floats(-10, 10)
BETAS = st.sampled_from([0.0, 0.5, 0.9, 0.999])


@st.composite
def runs(draw):
    """Draw two parameters and their gradients in each of some steps; None is no gradient."""
    shapes = [draw(hnp.array_shapes(min_dims=0, max_dims=2, max_side=3)) for _ in range(2)]

    def array(shape):
        return hnp.arrays(np.float64, shape, elements=NUMBERS)

    start = [draw(array(shape)) for shape in shapes]
    steps = draw(st.integers(1, 6))
    return start, [[draw(st.none() | array(s)) for s in shapes] for _ in range(steps)]


LATE = [np.array(1.0)] * 2, [[np.array(2.0), None], [np.array(2.0), np.array(3.0)]]
ZERO = [np.zeros(2)] * 2, [[np.array([0.0, 1.0])] * 2, [np.zeros(2)] * 2]


@given(runs(), st.floats(1e-4, 1), BETAS, BETAS, st.sampled_from([1e-8, 0.1]), st.floats(0, 0.5))
@example(LATE, 0.1, 0.9, 0.999, 1e-8, 0.0)
@example(ZERO, 0.1, 0.9, 0.999, 1e-8, 0.1)
def test_steps_are_the_published_algorithm(run, lr, beta1, beta2, eps, decay):
    start, gradients = run
    parameters = [parameter(x) for x in start]
    optimizer = (
        optim.AdamW(parameters, lr, (beta1, beta2), eps, decay)
        if decay
        else optim.Adam(parameters, lr, (beta1, beta2), eps)
    )
    naive = [(x, np.zeros_like(x), np.zeros_like(x), 0) for x in start]
    largest = 1.0
    for step in gradients:
        for i, g in enumerate(step):
            parameters[i].grad = g
            if g is None:
                continue
            theta, m, v, t = naive[i]
            t = t + 1
            m = beta1 * m + (1 - beta1) * g
            v = beta2 * v + (1 - beta2) * g**2
            m_hat = m / (1 - beta1**t)
            v_hat = v / (1 - beta2**t)
            theta = theta - lr * m_hat / (np.sqrt(v_hat) + eps) - lr * decay * theta
            naive[i] = theta, m, v, t
        optimizer.step()
        for p, g, (theta, *_) in zip(parameters, step, naive):
            largest = max(largest, np.abs(theta).max())
            np.testing.assert_allclose(p.data, theta, rtol=1e-13, atol=1e-13 * largest)
            assert g is None or np.array_equal(p.grad, g)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_first_step_has_the_size_of_the_rate_whatever_the_scale(scale):
    w = parameter()
    adam = optim.Adam([w], lr=0.1)
    w.grad = scale * np.array([3.0, -0.5])
    adam.step()
    np.testing.assert_allclose(w.data, [0.9, -1.9], rtol=1e-4)


def test_defaults_are_those_of_the_papers():
    w, late = parameter(10.0), parameter(10.0)
    adam, adamw = optim.Adam([w]), optim.AdamW([late])
    for g in (1.0, -0.5):
        w.grad = late.grad = g
        adam.step()
        adamw.step()
    m = (0.9 * 0.1 - 0.1 * 0.5) / (1 - 0.9**2)
    v = (0.999 * 0.001 + 0.001 * 0.25) / (1 - 0.999**2)
    both = 10 - 1e-3 / (1 + 1e-8)
    np.testing.assert_allclose(w.item(), both - 1e-3 * m / (v**0.5 + 1e-8), rtol=1e-14)
    decayed = 10 * (1 - 1e-3 * 1e-2) - 1e-3 / (1 + 1e-8)
    decayed = decayed * (1 - 1e-3 * 1e-2) - 1e-3 * m / (v**0.5 + 1e-8)
    np.testing.assert_allclose(late.item(), decayed, rtol=1e-14)


def test_weight_decay_acts_where_the_gradient_is_zero_and_not_where_there_is_none():
    zero, none = parameter(), parameter()
    adamw = optim.AdamW([zero, none], lr=0.5, weight_decay=0.25)
    zero.grad = np.zeros(2)
    adamw.step()
    assert np.array_equal(zero.data, [0.875, -1.75])
    assert np.array_equal(none.data, [1, -2])


def test_eps_that_is_zero_in_the_dtype_is_refused():
    half, single = parameter(dtype=np.float16), parameter(dtype=np.float32)
    optim.Adam([single])
    with pytest.raises(ValueError, match=r"Adam: eps must be at least 6e-08 for float16 .* 1e-08"):
        optim.Adam([single, half])
    half.grad = np.zeros(2, np.float16)
    optim.Adam([half], eps=6e-8).step()
    assert np.array_equal(half.data, [1, -2])


def test_network_with_eight_hidden_units_learns_the_two_circles():
    X, t = data.two_circles(seed=0)
    model = nn.MLP((2, 8, 2), seed=0)
    adam = optim.Adam(model.parameters(), lr=optim.cosine(0.05, steps=150))

    def error():
        return np.mean(model(X).data.argmax(axis=1) != t)

    assert error() > 0.3
    for _ in range(150):
        adam.zero_grad()
        nn.risk(model, X, t).backward()
        adam.step()
    assert error() < 0.02
    assert adam.rate == 0


def test_step_between_forward_and_backward_is_refused():
    w = parameter(name="w")
    loss = (mg.exp(w) * w).sum()
    loss.backward()
    optim.Adam([w]).step()
    with pytest.raises(RuntimeError, match="'w'"):
        loss.backward()
