"""Why a gradient is None, 0 or a number: planted situations, and shares that add up to the bit."""

import html
from functools import reduce
from operator import add

import numpy as np
import pytest
from hypothesis import given

import minigraph as mg
from minigraph.graph import ancestors
from minigraph.testing.laws import leaves
from minigraph.testing.strategies import graphs, networks
from tests.counts import examples
from tests.diagnostics.situations import SITUATIONS, leaf, network, pair


@pytest.mark.parametrize("name", SITUATIONS)
def test_the_right_cause_is_named(name):
    function, verdict, kind, words = SITUATIONS[name]
    loss, x, index, _, grad = (*function(), None, None, None)[:5]
    found = mg.explain(loss, x, index, grad=grad)
    text = " ".join(str(found).split())
    assert found.verdict == verdict, text
    assert (found.causes[0].kind if found.causes else None) == kind, text
    assert [word for word in words if word not in text] == [], text
    if verdict == "none":
        assert found.gradient is None
        assert not found.shares
    else:
        with np.errstate(all="ignore"):
            expected = mg.grad(loss, x, grad).data
        assert_same(found.gradient, expected if index is None else expected[index])
        assert_sum(found.shares, found.gradient)
    assert html.unescape(found._repr_html_()) == f"<pre>{found}</pre>"
    assert found.draw().source.startswith("digraph")


def test_there_are_enough_situations():
    assert len(SITUATIONS) >= 60


# Shares


def assert_same(a, b):
    assert a.dtype == b.dtype
    assert a.shape == b.shape
    assert np.asarray(a).tobytes() == np.asarray(b).tobytes() or (
        np.isnan(a).any() and np.array_equal(a, b, equal_nan=True)
    )


def assert_sum(shares, total):
    """See that shares, added in the order of the sweep, are the total to the bit; and so below."""
    assert sorted(share.order for share in shares) == list(range(len(shares)))
    sizes = [abs(share.size) for share in shares if share.size == share.size]
    assert sizes == sorted(sizes, reverse=True)
    ordered = sorted(shares, key=lambda share: share.order)
    with np.errstate(all="ignore"):
        assert_same(reduce(add, [share.value for share in ordered]), total)


@given(graphs() | graphs(at_kinks=True))
def test_shares_of_every_tensor_of_a_random_graph_sum_to_its_gradient(program):
    inputs = leaves(list(program.inputs.values()))
    loss = mg.sum(program(*inputs))
    for tensor in ancestors([loss]):
        found = mg.explain(loss, tensor, depth=3)
        gradient = None
        if tensor.requires_grad:
            gradient = mg.grad(loss, tensor, allow_unused=True)
        if gradient is None:
            assert found.verdict == "none"
            assert found.causes
            continue
        assert_same(found.gradient, gradient.data)
        assert_sum(found.shares, found.gradient)
        for share in found.shares:
            if share.shares:
                assert_sum(share.shares, mg.grad(loss, share.consumer).data)
        zeros = np.argwhere(gradient.data == 0)
        assert (found.zeros, bool(found.causes)) == (len(zeros), len(zeros) > 0)
        for index in zeros.tolist():
            one = mg.explain(loss, tensor, tuple(index))
            assert one.verdict == "zero"
            assert one.causes


@given(networks() | networks(at_kinks=True))
def test_zeros_of_a_random_network_have_causes_that_hold(network):
    parameters = {k: leaf(a, k) for k, a in network.parameters.items()}
    risk = network.risk(parameters, mg.Tensor(network.x, name="X"))
    table = mg.explain(risk, parameters)
    for name, one in table.items():
        assert_sum(one.shares, mg.grad(risk, parameters[name]).data)
        for cause in one.causes:
            assert 0 < cause.count <= cause.of
            if cause.kind == "closed":
                relu = cause.node
                assert (relu.data[:, list(cause.units)] == 0).all()


@examples(6)
@given(graphs() | graphs(at_kinks=True))
def test_a_cut_behind_a_random_graph_is_found_for_all_that_leads_to_it(program):
    inputs = leaves(list(program.inputs.values()))
    y = program(*inputs)
    if not y.requires_grad:
        return
    loss = mg.sum(y.detach() * leaf(2.0))
    for tensor in ancestors([y]):
        if tensor.requires_grad and mg.grad(mg.sum(y), tensor, allow_unused=True) is not None:
            cause = mg.explain(loss, tensor).causes[0]
            assert cause.kind == "detach"
            assert np.shares_memory(cause.source.data, y.data) or y.ndim == 0


def test_shares_of_a_gradient_of_a_gradient():
    x = leaf([[1.0, -2.0], [0.5, 3.0]], "x")
    slope = mg.grad((mg.relu(x @ x.T) ** 2).sum(), x, create_graph=True)
    loss = mg.l2_penalty(slope)
    found = mg.explain(loss, x, depth=4)
    assert_same(found.gradient, mg.grad(loss, x).data)
    assert_sum(found.shares, found.gradient)


def test_a_formula_that_runs_on_arrays_only_is_walked_through():
    op = mg.Op(lambda x: x * 2, x=lambda g, y, x: np.asarray(g) * 2, name="doubled")
    x = leaf([-1.0, 2.0])
    found = mg.explain(mg.relu(op(x)).sum(), x)
    assert [cause.kind for cause in found.causes] == ["closed"]


def test_a_half_made_tensor_of_another_thread_is_passed_over():
    half = object.__new__(mg.Tensor)
    x, w = pair()
    assert mg.explain((x.detach() * w).sum(), x).causes[0].kind == "detach"
    assert type(half) is mg.Tensor


def test_shares_are_listed_largest_first_and_down_the_graph():
    a = leaf([2.0, -1.0], "a")
    loss = (mg.relu(a) + a * a).sum()
    found = mg.explain(loss, a, index=0, depth=3)
    assert [(s.value, s.order) for s in found.shares] == [(2, 0), (2, 1), (1, 2)]
    assert [s.consumer.op.name for s in found.shares] == ["multiply", "multiply", "relu"]
    (below,) = found.shares[0].shares
    assert below.consumer.op.name == "add"
    assert [s.consumer.op.name for s in below.shares] == ["sum"]
    assert found.shares[1].repeated
    assert not found.shares[1].shares
    lines = str(found).splitlines()
    assert [len(line) - len(line.lstrip()) for line in lines] == [0, 2, 6, 10, 2, 2, 6]


def test_shares_of_a_deep_graph_are_not_found_by_recursion():
    x = y = leaf(1.0)
    for _ in range(4_000):
        y = y * 1.0
    found = mg.explain(y, x, depth=4_000)
    assert len(str(found).splitlines()) == 4_001
    z = x * 0.0
    for _ in range(2_000):
        z = z * 1.0
    assert mg.explain(z, x).causes[0].kind == "zero factor"


def test_grad_is_left_alone_and_a_graph_may_be_asked_after_backward():
    x = leaf([1.0, 2.0])
    loss = (x * x).sum()
    mg.explain(loss, x)
    assert x.grad is None
    loss.backward()
    with mg.no_grad():
        found = mg.explain(loss, x, index=1)
    assert found.gradient == 4
    assert np.array_equal(x.grad, [2, 4])


# Tables


def test_a_table_puts_parameters_without_gradient_first_and_counts_dead_units():
    loss, W1, b1, W2 = network([0.0, -9.0, 0.0])
    b2 = leaf([0.0], "b2")
    table = mg.explain(loss, {"W1": W1, "b1": b1, "W2": W2, "b2": b2})
    assert list(table) == ["b2", "W1", "b1", "W2"]
    assert table.rows[0][1] == "None"
    assert table.rows[1][1:4] == ("8.48", "2 of 6", "1")
    assert table["b1"].causes[0].units == (1,)
    assert str(table).splitlines()[1].startswith("b2  None")
    assert "<td>b2</td>" in table._repr_html_()
    assert "1 of them None" in repr(table)


def test_an_empty_table_and_names_that_are_no_text():
    x, w = pair()
    loss = (x * w).sum()
    assert len(mg.explain(loss, {})) == 0
    assert len(str(mg.explain(loss, {})).splitlines()) == 1
    assert str(mg.explain(loss, {0: x, 1: w})).splitlines()[1].startswith("0 ")


def test_a_module_stands_for_its_parameters():
    net = mg.nn.MLP([2, 3, 2], seed=0)
    loss = mg.softmax_nll(net([[1.0, 2.0]]), [0])
    assert sorted(mg.explain(loss, net)) == sorted(net.parameters())


def test_a_name_is_escaped_in_a_notebook():
    x = leaf([1.0], "<script>")
    loss = (x * 2).sum()
    assert "<script>" not in mg.explain(loss, x)._repr_html_()
    assert "<script>" not in mg.explain(loss, {"<script>": x})._repr_html_()


# Pictures


def test_a_cut_is_marked_in_the_picture():
    x, w = pair()
    h = np.tanh(x)
    drawing = mg.explain((h.detach() * w).sum(), x).draw()
    assert "✗ detach" in str(drawing)
    assert "#962C00" in drawing.source


def test_a_picture_of_a_loss_without_gradient_is_drawn_without_gradients(dot, tmp_path):
    x, _ = pair()
    loss = (x * x).sum()
    drawing = mg.explain(loss.detach(), x).draw()
    assert drawing.n_nodes == 4
    assert drawing.render(tmp_path / "cut.svg").exists()


# Source lines, where they are known


def test_lines_stand_with_the_nodes_where_they_are_known(monkeypatch):
    from minigraph.diagnostics import flowing, shares

    for module in (flowing, shares):
        monkeypatch.setattr(module, "line_of", lambda tensor: "net.py:7")
    x = leaf([-1.0, 2.0], "x")
    h = mg.relu(x)
    found = mg.explain(h.sum(), x)
    assert "v1 = relu(x), net.py:7: relu is closed" in str(found)
    assert found.shares[0].line == "net.py:7"
    assert "(net.py:7)" in str(found)
    w = leaf([1.0, 2.0])
    assert "(made by relu, net.py:7), which x" in str(mg.explain((h.detach() * w).sum(), x))


# Bad input


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda x, loss: mg.explain(1.0, x), TypeError, "loss is a Tensor, not float"),
        (lambda x, loss: mg.explain(loss, [1.0]), TypeError, "x is a Tensor, or a mapping"),
        (lambda x, loss: mg.explain(loss, {"a": 1.0}), TypeError, r"x\['a'\] is a Tensor"),
        (lambda x, loss: mg.explain(loss, x, 3), IndexError, "out of range .* axis 0 has 3"),
        (lambda x, loss: mg.explain(loss, x, -4), IndexError, "out of range"),
        (lambda x, loss: mg.explain(loss, x, (0, 0)), IndexError, "has 2 numbers, .* has 1 axes"),
        (lambda x, loss: mg.explain(loss, x, "a"), IndexError, "holds whole numbers, not 'a'"),
        (lambda x, loss: mg.explain(loss, x, True), IndexError, "holds whole numbers, not True"),
        (lambda x, loss: mg.explain(loss, {"x": x}, 0), ValueError, "index is for one tensor"),
        (lambda x, loss: mg.explain(loss, x, depth=0), ValueError, "depth is at least 1, not 0"),
        (lambda x, loss: mg.explain(loss, x, depth=1.5), TypeError, "depth is a whole number"),
        (lambda x, loss: mg.explain(x * 2, x), ValueError, "is not a scalar; reduce it"),
        (lambda x, loss: mg.explain(loss, x, grad=[1.0]), ValueError, "cotangent of shape"),
    ],
)
def test_wrong_calls_are_told(call, error, words):
    x = leaf([1.0, 2.0, 3.0], "x")
    with pytest.raises(error, match=f"explain: .*{words}"):
        call(x, (x * x).sum())


def test_a_written_array_is_refused_and_not_explained_by_other_values():
    x = leaf([1.0, 2.0], "x")
    loss = (x * x).sum()
    with mg.no_grad():
        x += 1.0
    with pytest.raises(RuntimeError, match=r"'x' .* was written after multiply"):
        mg.explain(loss, x)


def test_a_write_elsewhere_does_not_keep_from_saying_that_no_path_exists():
    x, w = pair()
    loss = (w * w).sum()
    with mg.no_grad():
        w += 1.0
    assert mg.explain(loss, x).causes[0].kind == "no path"


def test_a_gradient_without_entries_is_no_zero():
    x = leaf(np.zeros((0, 2)))
    assert mg.explain((x * 2).sum(), x).verdict == "number"


def test_neighbours_in_one_array_share_nothing():
    both = np.array([1.0, 5.0, 2.0, 6.0])
    x = mg.Tensor(both[::2], requires_grad=True, copy=False)
    other, w = mg.Tensor(both[1::2], copy=False), leaf([1.0, 2.0])
    assert mg.explain((other * w).sum(), x).causes[0].kind == "no path"


def test_an_array_that_is_not_computed_is_refused():
    dask = pytest.importorskip("dask.array")
    x = mg.Tensor(dask.ones(3), requires_grad=True, name="x")
    with pytest.raises(TypeError, match=r"'x' .* is a dask array, not computed yet"):
        mg.explain((x * 2).sum(), x)


# In debug what is not recorded is known too


def test_debug_keeps_what_was_made_under_no_grad_by_detach_or_as_a_constant():
    with mg.debug():
        w = mg.Tensor([1.0, -2.0], requires_grad=True, name="w")
        with mg.no_grad():
            k = mg.tanh(w) * 2  # not recorded
        loss = (k + 1.0).sum()
        d = (mg.tanh(w).detach() * 3.0).sum()
        c = ((w > 0) * 2.0).sum()
    for end, kind, words in (
        (loss, "no_grad", "tanh took it, test_explain.py, line"),
        (d, "detach", "it was detached, test_explain.py, line"),
        (c, "constant", "greater took it, test_explain.py, line"),
    ):
        explained = mg.explain(end, w)
        assert [cause.kind for cause in explained.causes] == [kind]
        assert words in str(explained.causes[0].text)
    assert k.op is None
