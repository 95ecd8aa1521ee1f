"""Laws of whole programs: operations at random, on inputs and on each other's results."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import minigraph as mg
from minigraph.testing import check_gradients
from minigraph.testing.laws import leaves
from minigraph.testing.strategies import graphs, networks
from tests.counts import examples
from tests.ops.references import reference

seeds = st.integers(0, 2**32 - 1)
anywhere = graphs() | graphs(at_kinks=True)


def cotangents(seed, *arrays):
    rng = np.random.default_rng(seed)
    return [np.asarray(rng.normal(size=array.shape)) for array in arrays]


@given(graphs(), seeds)
def test_gradient_of_a_random_graph_is_its_slope(program, seed):
    check_gradients(program.function, *program.inputs.values(), seed=seed)


@given(graphs(at_kinks=True), seeds)
def test_kinks_in_a_random_graph_raise_no_alarm(program, seed):
    check_gradients(program.function, *program.inputs.values(), seed=seed)


@given(anywhere)
def test_value_of_a_random_graph_is_numpy_s(program):
    arrays = list(program.inputs.values())
    expected = reference(program, *arrays)
    y = program(*leaves(arrays))
    assert (y.shape, y.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_allclose(y.data, expected, rtol=1e-10, atol=1e-10)


@given(anywhere, seeds)
def test_backward_of_a_random_graph_is_the_transpose_of_its_forward_derivative(program, seed):
    """See that <w, J d> = <Jᵀ w, d>; J d is the slope of v ↦ <Jᵀ v, d>, which is linear in v."""
    inputs = leaves(list(program.inputs.values()))
    y = program(*inputs)
    w, *directions = cotangents(seed, y, *inputs)
    v = mg.Tensor(np.ones(y.shape), requires_grad=True)
    pulled = mg.grad(y, inputs, v, create_graph=True)
    total = sum((mg.sum(d * g) for d, g in zip(directions, pulled)), mg.Tensor(0.0))
    forward = mg.grad(total, v).data if total.requires_grad else np.zeros(y.shape)
    y.backward(w)
    parts = [d * input.grad for d, input in zip(directions, inputs, strict=True)]
    size = np.abs(w * forward).sum() + sum(np.abs(part).sum() for part in parts)
    assert abs(np.sum(w * forward) - sum(part.sum() for part in parts)) <= 1e-11 * max(1, size)


@given(program=anywhere, data=st.data(), seed=seeds)
def test_order_in_which_independent_nodes_were_made_changes_no_gradient(program, data, seed):
    """Run a program three times on the same leaves, statement by statement, in a random order."""
    statements = [(run, s) for run in range(3) for s in program.statements]
    priorities = data.draw(st.permutations(range(len(statements))))

    def gradients(rank):
        inputs = leaves(list(program.inputs.values()))
        scopes = [dict(zip(program.inputs, inputs, strict=True)) for _ in range(3)]
        left = sorted(range(len(statements)), key=rank)
        while left:
            k = next(k for k in left if scopes[statements[k][0]].keys() >= {*statements[k][1].used})
            left.remove(k)
            run, statement = statements[k]
            value = eval(statement.expression, {"np": np, "mg": mg}, scopes[run])
            scopes[run][statement.name] = value
        results = [scope[program.result] for scope in scopes]
        weights = cotangents(seed, *results)
        y = sum(mg.sum(w * result) for w, result in zip(weights, results, strict=True))
        y.backward()
        return [input.grad for input in inputs]

    for g, other in zip(gradients(lambda k: k), gradients(priorities.__getitem__), strict=True):
        np.testing.assert_allclose(g, other, rtol=0, atol=1e-12 * max(1, np.abs(g).max()))


@examples(6)
@given(networks() | networks(at_kinks=True), seeds)
def test_gradient_of_a_random_network_is_its_slope(network, seed):
    check_gradients(network.risk, network.parameters, network.x, seed=seed)
