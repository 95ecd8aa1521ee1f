"""Pickling and deep copying of graphs: the same graph back, still shared, nothing recursed."""

import copy
import pickle

import numpy as np
import pytest

import minigraph as mg

cube = mg.Op(lambda x: x**3, x=lambda g, y, x: g * 3 * x**2, name="cube")


def duplicates():
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        yield pytest.param(
            lambda o, p=protocol: pickle.loads(pickle.dumps(o, p)), id=f"pickle{protocol}"
        )
    yield pytest.param(copy.deepcopy, id="deepcopy")


every_way = pytest.mark.parametrize("duplicate", list(duplicates()))


def graph():
    with mg.scope("model"):
        w = mg.Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True, name="w")
        x = mg.Tensor(np.ones((3, 2)), name="x")
        with mg.scope("layer"):
            h = mg.tanh(x @ w)
        loss = mg.softmax_nll(h[[0, 1, 1]], [0, 1, 1]) + mg.elastic_net(w, 0.1, 0.2)
    return w, loss


@every_way
def test_duplicate_has_the_same_values_ops_scopes_and_gradient(duplicate):
    w, loss = graph()
    again = duplicate(loss)
    old, new = mg.Graph(loss).nodes, mg.Graph(again).nodes
    assert len(old) == len(new)
    for a, b in zip(old, new, strict=True):
        assert a is not b
        assert a.op is b.op
        assert (a.name, a.scope, a.requires_grad, a.dtype) == (
            b.name,
            b.scope,
            b.requires_grad,
            b.dtype,
        )
        assert np.array_equal(a.data, b.data)
    loss.backward()
    again.backward()
    (leaf,) = [t for t in new if t.name == "w"]
    assert np.array_equal(leaf.grad, w.grad)
    assert not np.shares_memory(leaf.data, w.data)


@every_way
def test_tensors_duplicated_together_still_share_their_leaves(duplicate):
    w = mg.Tensor([1.0, 2.0], requires_grad=True, name="w")
    hidden = w * 2
    first, second = (hidden * 3).sum(), (hidden * hidden).sum()
    parts = duplicate({"w": w, "losses": [first, second], "hidden": hidden})
    w2, (first2, second2) = parts["w"], parts["losses"]
    first2.backward()
    second2.backward()
    assert np.array_equal(w2.grad, 6 + 8 * w.data)
    assert w.grad is None
    assert parts["hidden"] in set(mg.Graph(first2).nodes) & set(mg.Graph(second2).nodes)


@every_way
def test_duplicate_is_differentiable_to_higher_order(duplicate):
    x = mg.Tensor(2.0, requires_grad=True)
    slope = mg.grad(x**3, x, create_graph=True)
    again, x2 = duplicate((slope, x))
    assert mg.grad(again, x2).item() == 12


@every_way
def test_leaf_keeps_grad_name_and_flags(duplicate):
    w = mg.Tensor([1.0, 2.0], requires_grad=True, name="w")
    (w * w).sum().backward()
    again = duplicate(w)
    assert np.array_equal(again.grad, w.grad)
    assert not np.shares_memory(again.grad, w.grad)
    assert (again.name, again.requires_grad, again.op) == ("w", True, None)
    with mg.no_grad():
        again += 1
    assert np.array_equal(w.data, [1, 2])


@every_way
def test_retained_grad_is_still_retained(duplicate):
    w = mg.Tensor([1.0, 2.0], requires_grad=True)
    h = w * 2
    h.retain_grad()
    loss, h2 = duplicate(((h * h).sum(), h))
    loss.backward()
    assert np.array_equal(h2.grad, [4, 8])


@every_way
def test_results_stay_read_only(duplicate):
    w = mg.Tensor([1.0, 2.0], requires_grad=True)
    for y in (duplicate(w * 2), duplicate((w * 2).sum())):
        with pytest.raises(ValueError, match="read-only"):
            y.data[...] = 0


@every_way
def test_later_writes_are_counted_on_the_duplicate_alone(duplicate):
    w = mg.Tensor([1.0, 2.0], requires_grad=True, name="w")
    loss = (w * w).sum()
    again, w2 = duplicate((loss, w))
    with mg.no_grad():
        w2 -= 1
    with pytest.raises(RuntimeError, match="written"):
        again.backward()
    loss.backward()
    assert np.array_equal(w.grad, [2, 4])


@every_way
def test_graph_with_an_op_of_the_user_s(duplicate):
    x = mg.Tensor(2.0, requires_grad=True)
    y, x2 = duplicate((cube(x), x))
    assert y.op is cube
    assert mg.grad(y, x2).item() == 12


def test_op_that_no_variable_holds_cannot_be_pickled():
    nameless = mg.Op(lambda x: x * 1, x=lambda g, y, x: g, name="nameless")
    y = nameless(mg.Tensor(1.0, requires_grad=True))
    with pytest.raises(pickle.PicklingError, match="nameless"):
        pickle.dumps(y)


@pytest.mark.parametrize("op", [mg.multiply, mg.relu, mg.matmul, mg.softmax, cube])
def test_ops_are_pickled_by_name(op):
    assert pickle.loads(pickle.dumps(op)) is op


def test_model_is_pickled_with_its_parameters():
    model = mg.nn.MLP((2, 3, 2), seed=0)
    again = pickle.loads(pickle.dumps(model))
    X = np.ones((4, 2))
    assert np.array_equal(again(X).data, model(X).data)
    assert [p.name for p in again.parameters().values()] == ["W1", "b1", "W2", "b2"]


def test_shallow_copy_of_a_tensor_shares_nothing_by_accident():
    w = mg.Tensor([1.0, 2.0], requires_grad=True)
    again = copy.copy(w)
    with mg.no_grad():
        again += 1
    assert np.array_equal(w.data, [1, 2])
