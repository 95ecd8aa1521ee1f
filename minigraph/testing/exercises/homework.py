"""A perceptron with one hidden layer of relu and a softmax; examples are columns.

What a submission defines::

    fprop(params, x, y, lam) -> float      # the loss: its mean over the examples, with penalties
    bprop(params, x, y, lam) -> dict       # {"W1": ..., "b1": ..., "W2": ..., "b2": ...}

``params`` is a dict with W1, dh x d; b1, dh x 1; W2, m x dh; b2, m x 1. ``x`` is d x K, ``y`` holds
K integers 0 ... m - 1, and ``lam`` is (λ11, λ12, λ21, λ22): the layer, then the norm, in

    λ11 ‖W1‖₁ + λ12 ‖W1‖² + λ21 ‖W2‖₁ + λ22 ‖W2‖²
"""

from collections.abc import Mapping, Sequence

import numpy as np

import minigraph as mg
from minigraph.arrays import Array
from minigraph.tensor import Tensor

AXIS = "columns"
PENALTIES = 4


def params(sizes: Mapping[str, int], rng: np.random.Generator) -> dict[str, Array]:
    """Draw weights and biases."""
    d, dh, m = sizes["d"], sizes["dh"], sizes["m"]
    shapes = {"W1": (dh, d), "b1": (dh, 1), "W2": (m, dh), "b2": (m, 1)}
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


def batch(sizes: Mapping[str, int], rng: np.random.Generator) -> tuple[Array, Array]:
    """Draw examples and their classes."""
    d, m, K = sizes["d"], sizes["m"], sizes["K"]
    return rng.normal(size=(d, K)), rng.integers(0, m, K)


def graph(params: Mapping[str, Tensor], x: Array, y: Array, lam: Sequence[float]) -> Tensor:
    """Build the loss as it should be."""
    W1, W2 = params["W1"], params["W2"]
    ha = W1 @ x + params["b1"]
    hs = mg.relu(ha)
    oa = W2 @ hs + params["b2"]
    ha.name, hs.name, oa.name = "ha", "hs", "oa"  # the diagnosis calls them so
    penalty = mg.elastic_net(W1, lam[0], lam[1]) + mg.elastic_net(W2, lam[2], lam[3])
    return mg.softmax_nll(oa.T, y) + penalty
