"""What a graph keeps, counted by hand."""

import numpy as np
import pytest

import minigraph as mg


def held(memory):
    return {row.what: (row.nodes, row.arrays, row.bytes) for row in memory.rows}


def network():
    W = mg.Tensor(np.ones((100, 50)), requires_grad=True, name="W")
    x = mg.Tensor(np.ones((200, 100)), name="x")
    return x @ W


def test_bytes_are_those_of_a_count_by_hand():
    found = mg.memory(mg.relu(network()).sum())
    assert held(found) == {
        "input": (1, 1, 200 * 100 * 8),
        "matmul": (1, 1, 200 * 50 * 8),
        "relu": (1, 1, 200 * 50 * 8),
        "parameter": (1, 1, 100 * 50 * 8),
        "sum": (1, 1, 8),
    }
    assert found.leaves == 200_000
    assert found.intermediates == 160_008
    assert found.total == 360_008
    assert [row.bytes for row in found.rows] == sorted((r.bytes for r in found.rows), reverse=True)


def test_views_count_once_on_their_base():
    y = network()
    found = held(mg.memory(y.T.reshape(-1)[::2].sum() + y[0, 0]))
    assert found["matmul"] == (1, 1, 80_000)
    assert found["transpose"] == (1, 0, 0)
    assert found["reshape"] == (1, 1, 80_000)  # of a transposed matrix it copies
    assert found["getitem"][:2] == (2, 1)  # a view, and a number
    x = mg.Tensor(np.ones(1000), requires_grad=True)
    assert mg.memory(np.broadcast_to(x, (50, 1000))).intermediates == 0


def test_a_view_of_a_large_array_keeps_all_of_it():
    large = np.ones((1000, 10))
    x = mg.Tensor(large[:3], copy=False)
    w = mg.Tensor(np.ones(10), requires_grad=True)
    assert held(mg.memory((x * w).sum()))["constant"] == (1, 1, 80_000)


def test_plain_operands_and_shared_arrays_count_once():
    w = mg.Tensor(np.ones(10), requires_grad=True)
    c = np.ones(10)
    found = held(mg.memory((w * c + w * c[::-1] + w * w.detach() + 3.0).sum()))
    assert found["operand"] == (1, 1, 80)
    assert found["parameter"] == (1, 1, 80)
    assert found["constant"] == (1, 0, 0)
    assert found["multiply"] == (3, 3, 240)


def test_a_float32_array_takes_half():
    w = mg.Tensor(np.ones(10), requires_grad=True, dtype=np.float32)
    assert held(mg.memory(w * 2))["multiply"] == (1, 1, 40)


def test_a_running_total_is_recognised():
    w = mg.Tensor(np.ones(10), requires_grad=True)
    total = mg.Tensor(0.0)
    for _ in range(30):
        total = total + (w * w).sum()
    found = mg.memory(total)
    assert found.chain == 30
    assert "30 additions in a row" in found.advice[0]
    assert "loss.detach()" in found.advice[0]
    assert held(found)["multiply"] == (30, 30, 2400)


def test_a_residual_network_and_a_penalised_loss_are_no_running_total():
    w = mg.Tensor(np.ones(10), requires_grad=True)
    h = w
    for _ in range(30):
        h = h + np.tanh(h)
    loss = h.sum() + mg.l2_penalty(w) + mg.l1_penalty(w)
    found = mg.memory(loss)
    assert found.chain == 2
    assert not any("row" in words for words in found.advice)


def test_a_leaf_keeps_itself_and_nothing_more():
    found = mg.memory(mg.Tensor(np.ones(3)))
    assert (found.total, found.leaves, found.intermediates, found.advice) == (24, 24, 0, ())


def test_it_prints_as_a_table_with_the_total():
    found = mg.memory(mg.relu(network()).sum())
    lines = str(found).splitlines()
    assert lines[0].split() == ["kept", "by", "nodes", "arrays", "memory"]
    assert lines[1].split() == ["input", "1", "1", "160", "kB"]
    assert next(line for line in lines if line.startswith("total")).endswith("360 kB")
    assert "no_grad()" in str(found)
    assert repr(found) == "<Memory: 360 kB in 5 nodes>"
    assert found._repr_html_().startswith("<pre>")


def test_many_ops_are_summed_up_in_the_last_row():
    x = y = mg.Tensor(np.ones(3), requires_grad=True)
    for k in range(30):
        y = mg.Op(lambda x: x * 1, x=lambda g, y, x: g, name=f"op{k}")(y)
    found = mg.memory(y)
    assert len(found.rows) == 31
    assert "… 11 more" in str(found)
    assert x.size == 3


def test_a_deep_graph_is_counted():
    y = mg.Tensor(1.0, requires_grad=True)
    for _ in range(20_000):
        y = y + 1.0
    assert mg.memory(y).chain == 20_000


def test_arrays_that_are_not_numpy_s_are_told():
    dask = pytest.importorskip("dask.array")
    x = mg.Tensor(dask.ones(3), requires_grad=True)
    assert "2 arrays that are not NumPy's" in mg.memory(x * 2).advice[-1]


def test_only_a_tensor_has_a_graph():
    with pytest.raises(TypeError, match="memory: loss is a Tensor, not float"):
        mg.memory(1.0)
