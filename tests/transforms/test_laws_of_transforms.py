"""Laws of the transforms on random graphs: each is another way to the same numbers."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import minigraph as mg
from minigraph.testing.strategies import graphs, networks

seeds = st.integers(0, 2**32 - 1)
anywhere = graphs() | graphs(at_kinks=True)


def like(arrays, seed):
    rng = np.random.default_rng(seed)
    return [np.asarray(rng.normal(size=a.shape)).astype(a.dtype) for a in arrays]


def inner(a, b):
    """Sum the products of all entries, and of their magnitudes."""
    products = [np.multiply(x, y) for x, y in zip(a, b, strict=True)]
    return sum(p.sum() for p in products), sum(np.abs(p).sum() for p in products)


def assert_close(a, b, bar):
    for x, y in zip(a, b, strict=True):
        assert x.shape == y.shape
        assert x.dtype == y.dtype
        np.testing.assert_allclose(x, y, rtol=0, atol=bar * max(1, np.abs(y).max(initial=0)))


def weighted(program, seed):
    """Give the program as a scalar function of a list."""

    def f(x):
        y = program.function(*x)
        return mg.sum(y * like([y], seed)[0])

    return f


@given(anywhere, seeds)
def test_gradient_is_that_of_the_engine_to_the_bit(program, seed):
    x, f = list(program.inputs.values()), weighted(program, seed)
    leaves = [mg.Tensor(a, requires_grad=True) for a in x]
    y = f(leaves)
    value, found = mg.value_and_grad(f)(x)
    assert np.array_equal(value, y.data, equal_nan=True)
    none = [None] * len(leaves)
    expected = mg.grad(y, leaves, allow_unused=True) if y.requires_grad else none
    for a, g, e in zip(x, found, expected, strict=True):
        assert type(g) is np.ndarray
        assert g.dtype == a.dtype
        assert np.array_equal(g, np.zeros_like(a) if e is None else e.data)
        assert not any(np.shares_memory(g, b) for b in x)


@given(anywhere, seeds)
def test_jvp_is_the_transpose_of_vjp(program, seed):
    x = list(program.inputs.values())
    y, pullback = mg.vjp(lambda x: program.function(*x), x)
    v, w = like(x, seed), like([y], seed + 1)[0]
    value, tangent = mg.jvp(lambda x: program.function(*x), x, v)
    assert np.array_equal(value, y)
    assert (tangent.shape, tangent.dtype) == (y.shape, y.dtype)
    (forward, size), (backward, other) = inner([w], [tangent]), inner(pullback(w), v)
    assert abs(forward - backward) <= 1e-11 * max(1, size, other)


@given(anywhere, seeds)
def test_jacobian_has_the_pullbacks_as_rows_and_gives_jvp(program, seed):
    x = list(program.inputs.values())

    def f(x):
        return program.function(*x)

    y, pullback = mg.vjp(f, x)
    v, w = like(x, seed), like([y], seed + 1)[0]
    matrices = [j.reshape(y.size, a.size) for j, a in zip(mg.jacobian(f)(x), x, strict=True)]
    assert_close([w.reshape(-1) @ j for j in matrices], [p.reshape(-1) for p in pullback(w)], 1e-11)
    moved = sum(j @ d.reshape(-1) for j, d in zip(matrices, v, strict=True))
    assert_close([moved], [mg.jvp(f, x, v)[1].reshape(-1)], 1e-11)


@given(graphs(max_statements=4), seeds)
def test_hvp_is_the_forward_derivative_of_the_gradient_and_symmetric(program, seed):
    x, f = list(program.inputs.values()), weighted(program, seed)
    v, w = like(x, seed + 1), like(x, seed + 2)
    product = mg.hvp(f, x, v)
    assert_close(product, mg.jvp(mg.gradient(f), x, v)[1], 1e-10)
    (one, size), (other, _) = inner(w, product), inner(v, mg.hvp(f, x, w))
    assert abs(one - other) <= 1e-10 * max(1, size)


@given(graphs(max_statements=4), seeds)
def test_checkpoint_changes_no_gradient_of_any_kind(program, seed):
    x, f = list(program.inputs.values()), weighted(program, seed)
    v, again = like(x, seed + 1), mg.checkpoint(f)
    for a, b in zip(mg.gradient(again)(x), mg.gradient(f)(x), strict=True):
        assert np.array_equal(a, b)
    assert_close(mg.jvp(again, x, v), mg.jvp(f, x, v), 1e-12)
    assert_close(mg.hvp(again, x, v), mg.hvp(f, x, v), 1e-12)


@given(networks(), seeds)
def test_hessian_of_a_random_risk_gives_hvp(network, seed):
    v = dict(zip(network.parameters, like(network.parameters.values(), seed)))

    def risk(parameters):
        return network.risk(parameters, network.x)

    hessian = mg.hessian(risk)(network.parameters)
    expected = mg.hvp(risk, network.parameters, v)
    for name, row in hessian.items():
        moved = sum(np.tensordot(block, v[other], v[other].ndim) for other, block in row.items())
        assert_close([moved], [expected[name]], 1e-11)
