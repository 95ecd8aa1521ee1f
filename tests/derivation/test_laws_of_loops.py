"""Laws of fused loops: they compute what the sweep computes, and read nothing overwritten.

Loops that are run as Python are cheap to try; compiled ones take half a second each.
"""

from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigraph as mg
from minigraph.derivation import derive, looped
from minigraph.testing.strategies import calls, graphs, networks
from tests.counts import examples, share
from tests.derivation.test_laws_of_derivation import (
    CONSTANTS,
    OPS,
    anywhere,
    check_constant,
    check_derived,
    check_narrow,
    check_network,
    check_same,
    eager,
    loss_of,
    other,
    run,
    seeds,
)

numba = pytest.importorskip("numba", reason="pip install -e '.[numba]'")


@contextmanager
def as_python():
    """Run loops as they are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(numba.config, "DISABLE_JIT", True)
        yield


@pytest.fixture(autouse=True, scope="module")
def _cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def check(program, seed):
    return check_derived(loss_of(program), list(program.inputs.values()), seed, backend="numba")


# Run as Python


@examples(30, thorough=2500)
@given(program=anywhere, seed=seeds)
def test_loops_of_a_random_graph_are_the_graph(program, seed):
    with as_python():
        check(program, seed)


@examples(10, thorough=1000)
@given(program=anywhere, seed=seeds)
def test_loops_of_a_random_graph_of_narrow_floats_are_the_graph(program, seed):
    with as_python():
        check_narrow(program, seed, backend="numba")


@examples(5, thorough=500)
@given(network=networks() | networks(at_kinks=True), seed=seeds)
def test_loops_of_a_random_network_are_the_network(network, seed):
    with as_python():
        check_network(network, seed, backend="numba")


@pytest.mark.parametrize("op", share(OPS, 2), ids=lambda op: op.name)
@examples(1, thorough=50)
@given(data=st.data(), seed=seeds)
def test_loops_of_an_op_are_the_op(op, data, seed):
    with as_python():
        check(data.draw(calls(op) | calls(op, at_kinks=True)), seed)


@pytest.mark.parametrize("op", share(CONSTANTS, 2), ids=lambda op: op.name)
def test_loops_compute_an_op_without_derivative(op):
    with as_python():
        check_constant(op, backend="numba")


# Compiled


@examples(3, thorough=1000)
@given(program=anywhere, seed=seeds)
def test_a_random_graph_compiled_is_the_graph(program, seed):
    check(program, seed)


@examples(1, thorough=300)
@given(program=anywhere, seed=seeds)
def test_a_random_graph_of_narrow_floats_compiled_is_the_graph(program, seed):
    check_narrow(program, seed, backend="numba")


@examples(1, thorough=200)
@given(network=networks() | networks(at_kinks=True), seed=seeds)
def test_a_random_network_compiled_is_the_network(network, seed):
    check_network(network, seed, backend="numba")


@pytest.mark.parametrize("op", share(OPS, 50), ids=lambda op: op.name)
@examples(1, thorough=4)
@given(data=st.data(), seed=seeds)
def test_an_op_compiled_is_the_op(op, data, seed):
    check(data.draw(calls(op) | calls(op, at_kinks=True)), seed)


@pytest.mark.parametrize("op", share(CONSTANTS, 30), ids=lambda op: op.name)
def test_an_op_without_derivative_is_computed_in_compiled_loops(op):
    check_constant(op, backend="numba")


# Arrays that are used again


def in_arrays_of_their_own(f, arrays):
    """Derive loops in which nothing is overwritten."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(looped, "_overwrites", lambda *_: False)
        patch.setattr(looped.LoopWriter, "release", lambda *_: None)
        return derive(f, *arrays, backend="numba")


def filled(shape, dtype=float):
    """Make an array that is full of what no result may depend on."""
    return np.full(shape, {"f": np.nan, "b": True}.get(np.dtype(dtype).kind, 77), dtype)


@examples(15, thorough=2000)
@given(program=graphs() | graphs(at_kinks=True), seed=seeds)
def test_nothing_that_is_overwritten_is_read(program, seed):
    """Not by the nest that overwrites it, by a later one, or in the next call."""
    arrays, f = list(program.inputs.values()), loss_of(program)
    with as_python(), np.errstate(all="ignore"), pytest.MonkeyPatch.context() as patch:
        derived, apart = derive(f, *arrays, backend="numba"), in_arrays_of_their_own(f, arrays)
        patch.setattr(np, "empty", filled)
        for given_ in (arrays, other(arrays, seed), other(arrays, seed + 1)):
            for found, expected in zip(run(derived, given_), run(apart, given_), strict=True):
                assert found.tobytes() == expected.tobytes()


def outer_products(x):
    t = x * 2
    return (np.exp(t[:, None]) * t).sum() + (t * t[:, None]).max(axis=1).sum()


def own_transpose(x):
    t = x * 2
    u = t[:, None] - t
    return (u * u.T).sum() + (u * t).sum(axis=0).max()


@pytest.mark.parametrize("f", [outer_products, own_transpose])
def test_a_value_may_be_read_along_two_axes(f):
    """It was taken for one place, or overwritten entry by entry while its transpose was read."""
    with as_python():
        check_derived(f, [np.linspace(0.1, 1, 5)], 0, backend="numba")


def test_parameters_are_not_overwritten_while_their_transpose_is_read():
    W = np.random.default_rng(0).normal(size=(4, 4))
    w = mg.Tensor(W, requires_grad=True)

    def loss(x):
        return (w * w.T * x).sum()

    with as_python():
        step = mg.derive_step(loss, mg.optim.SGD([w], lr=0.1), np.array(1.0), backend="numba")
        step(np.array(1.0))
    np.testing.assert_allclose(w.data, W - 0.2 * W.T, rtol=1e-12)


def test_a_row_is_not_overwritten_before_its_label_picks():
    """Both are made in one loop, and the pick comes after it."""

    def f(W, x, y):
        z = x * x
        return z[np.arange(5), y].sum() + ((3 * z) @ W).sum()

    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=(4, 2)), rng.normal(size=(5, 4)), rng.integers(0, 4, 5)]
    with as_python():
        derived = derive(f, *arrays, argnums=0, backend="numba")
        value, g = derived(*arrays)
    check_same([value, g], eager(lambda W: f(W, *arrays[1:]), arrays[:1]))


def test_an_array_is_not_overwritten_while_a_view_of_it_is_read():
    def f(a, b, c):
        y = a @ b
        z = (y + y.T) @ c
        return (z * z).sum()

    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=shape) for shape in ((4, 5), (5, 4), (4, 3))]
    with as_python():
        check_same(run(derive(f, *arrays, backend="numba"), arrays), eager(f, arrays))
