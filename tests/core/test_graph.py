"""The view of a graph: nodes in recording order, edges, scopes."""

import numpy as np
import pytest

import minigraph as mg


def example():
    with mg.scope("model"):
        x = mg.Tensor([1.0, 2.0], requires_grad=True, name="x")
        with mg.scope("square"):
            y = x * x
        z = y + np.array([1.0, 1.0])
    return x, y, z, z * x


def test_nodes_stand_in_recording_order_each_once():
    x, y, z, out = example()
    assert mg.Graph(out).nodes == (x, y, z, out)
    assert mg.Graph(out, y).nodes == (x, y, z, out)
    assert mg.Graph(x).nodes == (x,)


def test_outputs_are_kept():
    *_, z, out = example()
    assert mg.Graph(out, z).outputs == (out, z)


def test_edges_are_the_uses_of_tensors_by_consumer_and_slot():
    x, y, z, out = example()
    edges = [(e.input, e.slot, e.consumer) for e in mg.Graph(out).edges]
    expected = [(x, 0, y), (x, 1, y), (y, 0, z), (z, 0, out), (x, 1, out)]
    assert [tuple(map(id, e)) for e in edges] == [(id(i), id(s), id(c)) for i, s, c in expected]


def test_scopes_are_listed_once_in_order_of_appearance():
    *_, out = example()
    assert mg.Graph(out).scopes == (("model",), ("model", "square"), ())


def test_numbers_rise_along_every_edge_also_of_a_recorded_gradient():
    x, *_, out = example()
    first = mg.grad(out.sum(), x, create_graph=True)
    for edge in mg.Graph(first).edges:
        assert edge.input.number < edge.consumer.number


def test_constants_that_were_used_are_nodes():
    x, c = mg.Tensor(2.0, requires_grad=True), mg.Tensor(3.0, name="c")
    assert c in set(mg.Graph(x * c).nodes)


@pytest.mark.parametrize("wrong", [1.0, None, np.ones(2), [mg.Tensor(1.0)]], ids=repr)
def test_outputs_are_tensors(wrong):
    with pytest.raises(TypeError, match="Graph"):
        mg.Graph(wrong)
