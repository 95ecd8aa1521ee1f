"""derive(layout="columns"): each matrix exchanged for its transpose, as on paper."""

import ast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigraph as mg
from minigraph.testing.strategies import graphs, networks
from tests.counts import examples

seeds = st.integers(0, 2**32 - 1)


def risk(W1, b1, W2, b2, X, y):
    ha = X @ W1 + b1
    hs = mg.relu(ha)
    oa = hs @ W2 + b2
    return mg.softmax_nll(oa, y) + mg.elastic_net(W1, 0.1, 0.2) + mg.elastic_net(W2, 0.3, 0.4)


def problem(K=6, seed=0):
    rng = np.random.default_rng(seed)
    shapes = [(3, 5), (5,), (5, 4), (4,), (K, 3)]
    return [*(rng.normal(size=shape) for shape in shapes), rng.integers(0, 4, K)]


def assert_close(given, expected):
    (value, gradients), (right, others) = given, expected
    for g, other in zip([value, *gradients], [right, *others], strict=True):
        assert g.shape == other.shape
        largest = np.abs(other, where=np.isfinite(other), out=np.zeros(other.shape)).max(initial=1)
        np.testing.assert_allclose(g, other, rtol=0, atol=1e-12 * largest)


def eager(f, arrays, argnums):
    value, gradients = mg.value_and_grad(f, argnums)(*map(mg.Tensor, arrays))
    return value.data, [g.data for g in gradients]


def test_the_homework_s_formulas_are_printed():
    lines = mg.derive(risk, *problem(), layout="columns").source.splitlines()
    formulas = {line.strip().partition("  #")[0] for line in lines}
    assert formulas >= {
        "K = X.shape[1]",
        "ha = W1 @ X + b1[:, None]",
        "hs = np.maximum(ha, 0)",
        "oa = W2 @ hs + b2[:, None]",
        "largest = oa.max(axis=0, keepdims=True)",
        "onehot = y == np.arange(4)[:, None]",
        "grad_oa = 1 / K * (softmax - onehot)",
        "grad_W2 = 0.3 * sign_W2 + 0.8 * W2 + grad_oa @ hs.T",
        "grad_b2 = grad_oa.sum(axis=1)",
        "grad_hs = W2.T @ grad_oa",
        "grad_ha = grad_hs * (hs > 0)",
        "grad_W1 = 0.1 * sign_W1 + 0.4 * W1 + grad_ha @ X.T",
        "grad_b1 = grad_ha.sum(axis=1)",
        "grad_X = W1.T @ grad_ha",
    }


@pytest.mark.parametrize("style", ["textbook", "fast"])
def test_columns_give_what_rows_and_the_graph_give(style):
    derived = mg.derive(risk, *problem(), layout="columns", style=style)
    rows = mg.derive(risk, *problem(), style=style)
    for K, seed in [(6, 1), (9, 2), (1, 3)]:
        arrays = problem(K, seed)
        expected = eager(risk, arrays, (0, 1, 2, 3, 4))
        assert_close(derived(*arrays), expected)
        assert_close(rows(*arrays), expected)
        assert_close(derived(*arrays, copy=False), expected)


def test_the_function_takes_and_gives_columns():
    derived = mg.derive(risk, *problem(), layout="columns", argnums=(0, 1))
    W1, b1, W2, b2, X, y = problem(9, 1)
    value, (grad_W1, grad_b1) = derived.function(W1.T, b1, W2.T, b2, X.T, y)
    expected, (in_rows, _) = derived(W1, b1, W2, b2, X, y)
    assert value == expected
    assert (grad_W1.shape, grad_b1.shape) == ((5, 3), (5,))
    assert np.array_equal(grad_W1.T, in_rows)


def test_arrays_closed_over_are_exchanged_too():
    A = np.arange(6.0).reshape(2, 3)

    def loss(x):
        return np.tanh(x @ A).sum()

    x = np.ones((4, 2))
    derived = mg.derive(loss, x, layout="columns")
    assert "A @ x" in derived.source
    assert derived.constants["A"].shape == (3, 2)
    assert_close(derived(x), eager(loss, [x], (0,)))


# Every rule, and what has none

OTHERS = {
    "vectors": lambda X, v: ((X @ v) * (v[:3] @ X.T[:3, :3])[0]).sum(),
    "rows of all": lambda X, v: (np.exp(X - X.max(axis=1, keepdims=True)) * v).sum(),
    "reductions": lambda X, v: (X.mean(axis=0) * v).sum() + X.mean(axis=(0, 1)) + X.min(),
    "stacks": lambda X, v: (np.stack([v, v * v]) @ np.concatenate([X, X * X], axis=0).T).sum(),
    "indices": lambda X, v: (X[[0, 2, 0]] ** 2).sum() + (X[1:, ::2] * X[0, 1]).sum(),
    "entries": lambda X, v: X[:, 1] @ X[:, 1] + (X[:, [0, 2, 2]] * v[:3]).sum(),
    "pairs": lambda X, v: (X[np.arange(3), [1, 0, 1]] * X[2, [0, 1, 1]]).sum(),
    "new axes": lambda X, v: (v[:, None] * v[None, :] * (v * v)[None]).sum(),
    "shapes": lambda X, v: (X.reshape(4, 6) @ np.ones((6, 2))).max() + X.reshape(-1)[3] * v[0],
    "spread": lambda X, v: (np.broadcast_to(v, (6, 4)) * X).sum() + (X.reshape(24, 1) ** 3).sum(),
    "three axes": lambda X, v: (X[None] * X[:, None]).sum(axis=(0, 1)) @ v,
    "einsum": lambda X, v: np.einsum("ij,kj,j->ik", X, X, v).sum(),
    "running": lambda X, v: (np.cumsum(X, axis=1) * np.cumsum(X, axis=0)).sum() + np.cumsum(X)[5],
    "places": lambda X, v: X.reshape(-1)[np.argmax(X)[None]][0] * np.sort(X, axis=0)[1] @ v,
    "where": lambda X, v: np.where(v < X, X, v * v).sum() + np.where(v > 0, v, 1.0) @ v,
    "unused": lambda X, v: v.sum(),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("style", ["textbook", "fast"])
def test_other_operations_in_columns(name, style):
    rng = np.random.default_rng(0)
    X, v = rng.normal(size=(6, 4)), rng.normal(size=4)
    derived = mg.derive(OTHERS[name], X, v, layout="columns", style=style)
    ast.parse(derived.source)
    X, v = rng.normal(size=(6, 4)), rng.normal(size=4)
    assert_close(derived(X, v), eager(OTHERS[name], [X, v], (0, 1)))


@examples(8)
@given(networks() | networks(at_kinks=True))
def test_columns_are_the_graph_on_random_networks(network):
    arrays = [*network.parameters.values(), network.x]

    def loss(W1, b1, W2, b2, x):
        return network.risk({"W1": W1, "b1": b1, "W2": W2, "b2": b2}, x)

    derived = mg.derive(loss, *arrays, layout="columns")
    assert_close(derived(*arrays), eager(loss, arrays, tuple(range(5))))


@examples(10)
@given(graphs(), seeds)
def test_columns_are_the_graph_on_random_programs(program, seed):
    arrays = list(program.inputs.values())
    w = np.random.default_rng(seed).normal(size=np.shape(program(*map(mg.Tensor, arrays)).data))

    def loss(*inputs):
        return mg.sum(w * program.function(*inputs))

    try:
        in_rows = mg.derive(loss, *arrays)(*arrays)
    except (TypeError, ValueError):  # not to be derived in any layout
        return
    assert_close(mg.derive(loss, *arrays, layout="columns")(*arrays), in_rows)


def test_another_layout_is_refused():
    with pytest.raises(ValueError, match="layout is rows or columns, not 'diagonals'"):
        mg.derive(risk, *problem(), layout="diagonals")
