"""Deep graphs do not recurse, and graphs are freed by reference counts alone."""

import copy
import gc
import pickle
import sys
import tracemalloc
import weakref

import numpy as np
import pytest

import minigraph as mg

DEEP = 100_000


@pytest.fixture
def _no_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def chain(length):
    x = mg.Tensor(1.0, requires_grad=True)
    y = x
    for _ in range(length):
        y = y + 1.0
    return x, y


@pytest.mark.usefixtures("_no_collector")
@pytest.mark.parametrize("length", [DEEP, 10 * DEEP])
def test_deep_chain_is_built_swept_and_freed(length):
    assert sys.getrecursionlimit() <= 10_000
    x, y = chain(length)
    y.backward()
    assert x.grad == 1
    assert mg.grad(y, x).item() == 1
    middle = weakref.ref(y.inputs[0].inputs[0])
    del y
    assert middle() is None


@pytest.mark.usefixtures("_no_collector")
def test_memory_of_a_deep_chain_returns():
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    x, y = chain(DEEP)
    y.backward()
    grown = tracemalloc.get_traced_memory()[0] - before
    del x, y
    left = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown > DEEP * 100
    assert left < grown / 100  # the interpreter keeps some freed objects for the next use


def test_deep_gradient_can_be_recorded_and_differentiated():
    x = mg.Tensor(1.0, requires_grad=True)
    y = x
    for _ in range(2_000):
        y = y * x
    slope = mg.grad(y, x, create_graph=True)
    assert slope.item() == 2001
    assert mg.grad(slope, x).item() == 2001 * 2000


def test_repr_of_a_deep_graph_is_short():
    _, y = chain(DEEP)
    assert len(repr(y)) < 100
    assert len(mg.Graph(y).nodes) == DEEP + 1


@pytest.mark.parametrize(
    "duplicate",
    [copy.deepcopy, lambda y: pickle.loads(pickle.dumps(y))],
    ids=["deepcopy", "pickle"],
)
def test_deep_graph_is_duplicated_without_recursion(duplicate):
    _, y = chain(DEEP)
    z = duplicate(y)
    assert z.item() == y.item()
    nodes = mg.Graph(z).nodes
    assert len(nodes) == DEEP + 1
    z.backward()
    assert nodes[0].grad == 1


MAKERS = {
    "elementwise": lambda x: mg.exp(x) * x + x / 2,
    "matmul": lambda x: x @ x.T,
    "reductions": lambda x: mg.logsumexp(x, axis=1) + x.sum(axis=1) + x.max(axis=1),
    "shaping": lambda x: mg.concatenate([x.reshape(-1), x[0], mg.stack([x[0], x[1]]).T[0]]),
    "loss": lambda x: mg.softmax_nll(x, [0, 1]) + mg.elastic_net(x, 0.1, 0.1),
    "linear": lambda x: mg.linear(x, x, x[0]),
}


@pytest.mark.usefixtures("_no_collector")
@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_graph_dies_with_its_last_reference(make):
    x = mg.Tensor([[1.0, 2.0], [3.0, 5.0]], requires_grad=True)
    y = make(x)
    y.backward(np.ones(y.shape))
    first = mg.grad(y, x, np.ones(y.shape), create_graph=True)
    second = mg.grad(first.sum(), x, allow_unused=True) if first.requires_grad else None
    watched = [weakref.ref(t) for t in (*mg.Graph(y, first).nodes, x)]
    assert all(ref() is not None for ref in watched)
    del x, y, first, second
    assert not any(ref() for ref in watched)


@pytest.mark.usefixtures("_no_collector")
def test_graph_dies_after_an_error():
    x = mg.Tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    watched = weakref.ref(y)
    with pytest.raises(ValueError, match="scalar"):
        y.backward()
    with pytest.raises(ValueError, match="matmul"):
        mg.matmul(y, np.ones(3))
    del y
    assert watched() is None


@pytest.mark.usefixtures("_no_collector")
def test_nothing_is_recorded_that_needs_no_gradient():
    x = mg.Tensor([1.0, 2.0])
    watched = weakref.ref(x)
    y = x * 2
    del x
    assert watched() is None
    assert y.inputs == ()


@pytest.mark.usefixtures("_no_collector")
def test_pickling_leaves_nothing_behind():
    x = mg.Tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    pickle.dumps(y)
    watched = weakref.ref(x)
    del x, y
    assert watched() is None
