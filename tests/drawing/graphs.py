"""Graphs that are drawn in several tests."""

import numpy as np

import minigraph as mg


def fan():
    a = mg.Tensor(2.0, requires_grad=True, name="a")
    y = a * a + a
    y.name = "y"
    return y


def mlp(penalties=(1, 2, 1, 2)):
    """A 2-3-2 network on two examples, all numbers whole or halves: the same bytes everywhere."""
    model = mg.nn.MLP((2, 3, 2), seed=0)
    for i, p in enumerate(model.parameters().values()):
        p.data = np.arange(p.size).reshape(p.shape) % 3 - i % 2
    x = mg.Tensor([[1.0, -1.0], [2.0, 0.0]], name="x")
    z = model(x)
    z.name = "z"
    loss = (z * z).sum()
    for layer, l1, l2 in zip(model.layers, penalties[::2], penalties[1::2]):
        loss = loss + mg.elastic_net(layer.W, l1, l2)
    loss.name = "loss"
    return loss


def residual(blocks=5, width=2):
    """Equal blocks, one after the other, each in a scope of its own."""
    h = mg.Tensor(np.ones((3, width)), name="x")
    for i in range(1, blocks + 1):
        with mg.scope(f"block{i}"):
            W = mg.Tensor(-np.eye(width), requires_grad=True, name="W")
            h = h + mg.relu(h @ W)
    with mg.scope("loss"):
        loss = h.sum()
    loss.name = "L"
    return loss


def chain(n):
    y = mg.Tensor(1.0, requires_grad=True, name="x")
    for _ in range(n):
        y = y + 1.0
    return y
