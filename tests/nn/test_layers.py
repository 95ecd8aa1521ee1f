"""Losses and layers: values that were computed by hand, slopes, and what is kept."""

import numpy as np
import pytest

import minigraph as mg
from minigraph import nn
from minigraph.testing import check_gradients

P = np.array([[0.5, -1.0], [2.0, 4.0]])
T = np.array([[0.0, 1.0], [2.5, 0.0]])


def leaf(x):
    return mg.Tensor(x, requires_grad=True)


@pytest.mark.parametrize(
    ("loss", "value", "slope"),
    [
        # errors 0.5, -2, -0.5, 4
        (lambda p: nn.mse(p, T), (0.25 + 4 + 0.25 + 16) / 4, [[0.25, -1], [-0.25, 2]]),
        (lambda p: nn.huber(p, T), (0.125 + 1.5 + 0.125 + 3.5) / 4,
         [[0.125, -0.25], [-0.125, 0.25]]),
        (lambda p: nn.huber(p, T, delta=3), (0.125 + 2 + 0.125 + 7.5) / 4,
         [[0.125, -0.5], [-0.125, 0.75]]),
        (lambda p: nn.bce_with_logits(0 * p, T > 0), np.log(2), [[0, 0], [0, 0]]),
    ],
)  # fmt: skip
def test_loss_and_its_slope_are_those_computed_by_hand(loss, value, slope):
    p = leaf(P)
    y = loss(p)
    assert y.shape == ()
    assert y.item() == pytest.approx(value, rel=1e-15)
    assert np.array_equal(mg.grad(y, p).data, slope)


def test_bce_is_the_cross_entropy_and_its_slope_sigmoid_minus_target():
    z, t = leaf(P), np.array([[0.0, 0.25], [1.0, 0.5]])
    s = 1 / (1 + np.exp(-P))
    y = nn.bce_with_logits(z, t)
    assert y.item() == pytest.approx(-np.mean(t * np.log(s) + (1 - t) * np.log(1 - s)), rel=1e-14)
    np.testing.assert_allclose(mg.grad(y, z).data, (s - t) / 4, rtol=1e-13)


def test_bce_of_logits_far_out_is_right():
    z = leaf([1000.0, -1000.0, 1000.0, -1000.0])
    y = nn.bce_with_logits(z, [1, 0, 0, 1])
    assert y.item() == 500
    assert np.array_equal(mg.grad(y, z).data, [0, 0, 0.25, -0.25])
    assert nn.bce_with_logits(leaf([40.0]), [1]).item() == pytest.approx(np.exp(-40), rel=1e-14)


def test_layer_norm_is_that_computed_by_hand():
    y = nn.layer_norm(leaf([[1.0, 3.0], [5.0, 5.0]]), [2.0, 3.0], [10.0, 20.0], eps=3.0)
    assert np.array_equal(y.data, [[10 - 2 / 2, 20 + 3 / 2], [10, 20]])
    x = leaf(np.random.default_rng(0).normal(3, 5, (4, 6, 50)))
    y = nn.layer_norm(x, eps=0).data
    np.testing.assert_allclose(y.mean(-1), 0, atol=1e-14)
    np.testing.assert_allclose(y.var(-1), 1, rtol=1e-13)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: nn.mse(x, T), lambda x: nn.huber(x, T), lambda x: nn.bce_with_logits(x, T > 0),
        lambda x: nn.mse(np.tanh(x), x),
        lambda x: nn.layer_norm(x, x[0], x[1]),
        lambda x: nn.dropout(x, 0.4, np.random.default_rng(1)),
        lambda x: nn.embedding(x * x, [[0, 1], [1, 1]]),
    ],
)  # fmt: skip
def test_gradient_and_its_gradient(function):
    check_gradients(function, P, seed=0, order=2)


@pytest.mark.parametrize("function", [nn.mse, nn.huber, nn.bce_with_logits])
def test_loss_keeps_the_dtype(function):
    p = leaf(np.float32([0.5, 2.0]))
    y = function(p, [0, 1])
    assert y.dtype == mg.grad(y, p).dtype == np.float32


def test_layer_keeps_the_dtype():
    x = leaf(np.ones((2, 3), np.float32))
    assert nn.layer_norm(x).dtype == np.float32
    assert nn.dropout(x, 0.3, np.random.default_rng(0)).dtype == np.float32


def test_dropout_keeps_the_mean_drops_the_part_and_passes_gradients_alike():
    n, p = 100_000, 0.3
    x = leaf(np.ones(n))
    y = nn.dropout(x, p, np.random.default_rng(7))
    spread = np.sqrt(p / (1 - p) / n)
    assert abs(y.data.mean() - 1) < 4 * spread
    assert abs((y.data == 0).mean() - p) < 4 * np.sqrt(p * (1 - p) / n)
    assert np.array_equal(mg.grad(y.sum(), x).data, y.data)
    assert set(np.unique(y.data)) == {0, 1 / (1 - p)}


def test_dropout_is_the_generator_s():
    x = leaf(np.ones(50))
    first, second = (nn.dropout(x, 0.5, np.random.default_rng(3)).data for _ in range(2))
    assert np.array_equal(first, second)
    rng = np.random.default_rng(3)
    assert not np.array_equal(nn.dropout(x, 0.5, rng).data, nn.dropout(x, 0.5, rng).data)
    assert np.array_equal(nn.dropout(x, 0, rng).data, x.data)


def test_embedding_takes_rows_and_adds_up_their_gradients():
    table = leaf(np.arange(6.0).reshape(3, 2))
    y = nn.embedding(table, np.array([[2, 0], [2, 2]], np.uint8))
    assert np.array_equal(y.data, [[[4, 5], [0, 1]], [[4, 5], [4, 5]]])
    assert np.array_equal(mg.grad(y.sum(), table).data, [[1, 1], [0, 0], [3, 3]])
