"""Derived.graph: the program's operations on Tensors."""

import numpy as np
import pytest

import minigraph as mg

A = np.arange(8.0).reshape(2, 4)


def loss(p, X, y):
    h = np.tanh(X @ p["W"] + p["b"])
    rare = h[y, 1:] * h[[0, 0, 1, 2, 3]][:, :1]  # repeated rows: a scatter of the gradient
    return (rare * rare).mean() + mg.softmax_nll(h @ A, y)


@pytest.mark.parametrize("style", ["textbook", "fast"])
@pytest.mark.parametrize("layout", ["rows", "columns"])
def test_the_graph_has_the_values_and_names_of_the_program(style, layout):
    rng = np.random.default_rng(0)
    p = {"W": rng.normal(size=(3, 2)), "b": rng.normal(size=2)}
    example = p, rng.normal(size=(5, 3)), rng.integers(0, 4, 5)
    derived = mg.derive(loss, *example, argnums=0, style=style, layout=layout)
    value, gradients = derived(*example)
    graph = derived.graph
    assert {"h", "A", "X", "y", "grad_h"} <= {node.name for node in graph.nodes}
    results = [t.data for t in graph.outputs]
    weights = results[1].T if layout == "columns" else results[1]
    expected = [value, gradients["W"], gradients["b"]]
    for result, other in zip([results[0], weights, results[2]], expected, strict=True):
        np.testing.assert_allclose(result, other, rtol=1e-12, atol=1e-14)
    assert "h = tanh(" in str(mg.draw(*graph.outputs))
