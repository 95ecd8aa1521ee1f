"""Large graphs: what is folded, merged or left out is said, and nothing else changes."""

import numpy as np
import pytest
from drawing import graphs
from drawing.reading import parsed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import minigraph as mg
from minigraph.testing import strategies
from tests.counts import examples

fixture_is_constant = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def scoped(pairs, scopes):
    """A graph of products in nested scopes, some of its arrays shared."""
    made = [mg.Tensor([1.0, 2.0], requires_grad=True, name="w"), mg.Tensor([3.0, 4.0], name="x")]
    for (i, j), scope in zip(pairs, scopes):
        product = made[i % len(made)] * made[j % len(made)]
        product.scope = scope
        made.append(product)
    return made[-1]


SCOPES = st.lists(st.sampled_from("abc"), max_size=3).map(tuple)
GRAPHS = st.lists(
    st.tuples(st.tuples(st.integers(0, 99), st.integers(0, 99)), SCOPES), min_size=1, max_size=14
).map(lambda drawn: scoped(*zip(*drawn)))


def counted(picture):
    """How many nodes of the graph a picture stands for, by what its boxes say."""
    total = 0
    for id in picture.nodes:
        if id.startswith("c"):
            words = picture.rows(id)[1].replace(",", "").split()
            total += int(words[0]) if "×" not in words else int(words[0]) * int(words[2])
        else:
            total += 1
    return total


def left_out(picture):
    return int(picture.note.split()[1].replace(",", "")) if picture.note else 0


@fixture_is_constant
@given(GRAPHS, st.integers(0, 3), st.none() | st.integers(1, 8))
def test_what_is_drawn_and_what_is_said_to_be_left_out_is_all(dot, output, depth, max_nodes):
    total = len(mg.Graph(output).nodes)
    drawing = mg.draw(output, depth=depth, max_nodes=max_nodes)
    picture = parsed(dot, drawing)
    assert counted(picture) + left_out(picture) == total == drawing.n_nodes
    assert drawing.n_drawn == counted(picture)
    assert max_nodes is None or len(picture.nodes) <= max(max_nodes, 1)
    assert str(drawing).count("\n") == len(picture.nodes) - 1 + bool(picture.note)


@given(GRAPHS, st.integers(1, 8))
def test_by_default_as_little_is_folded_as_the_budget_needs(output, max_nodes):
    def boxes(**options):
        lines = str(mg.draw(output, **options)).splitlines()
        return len(lines) - ("not drawn" in lines[-1])

    drawn = [boxes(depth=d, max_nodes=None) for d in range(4)]
    assert drawn == sorted(drawn)
    fitting = [n for n in drawn if n <= max_nodes]
    expected = max(fitting, default=max_nodes)
    assert boxes(max_nodes=max_nodes) == expected


def reachable(edges, roots):
    found, queue = set(roots), list(roots)
    while queue:
        tail = queue.pop()
        heads = {h for t, h in edges if t == tail} - found
        found |= heads
        queue += heads
    return found


@settings(examples(6), suppress_health_check=fixture_is_constant.suppress_health_check)
@given(GRAPHS)
def test_folding_keeps_who_leads_to_whom(dot, output):
    full = parsed(dot, mg.draw(output, max_nodes=None))
    folded = parsed(dot, mg.draw(output, depth=0, max_nodes=None))
    inline = parsed(dot, mg.draw(output, fold=True, max_nodes=None))
    for picture in (folded, inline):
        stay = [n for n in picture.nodes if n in full.nodes]
        for node in stay:
            before = reachable(full.ends(), [node]) & set(stay)
            assert before <= reachable(picture.ends(), [node])
            if picture is inline:
                assert before == reachable(picture.ends(), [node])


@given(strategies.graphs())
def test_an_expression_written_inside_another_is_drawn_nowhere_else(program):
    inputs = [mg.Tensor(a, requires_grad=True, name=n) for n, a in program.inputs.items()]
    output = program.function(*inputs)
    drawing = mg.draw(output, fold=True, max_nodes=None)
    assert drawing.n_nodes == drawing.n_drawn
    assert len(str(drawing).splitlines()) <= drawing.n_nodes


def test_the_folded_form_reads_like_the_blackboard(dot):
    W, b, x = (
        mg.Tensor(np.ones(shape), grad, name=name)
        for shape, grad, name in (((2, 2), True, "W"), (2, True, "b"), ((3, 2), False, "x"))
    )
    h = np.tanh(x @ W + b) * (b - 1.0)
    h.name = "h"
    y = (h * h).sum() + 0.1 * (W * W).sum()
    y.name = "y"
    picture = parsed(dot, mg.draw(y, fold=True, grads=True))
    titles = [picture.title(n) for n in picture.nodes]
    assert titles[-2:] == ["h = tanh(x @ W + b) * (b - 1)", "y = sum(h * h) + 0.1 * sum(W * W)"]
    assert picture.ends().count(("n0", "n" + max(picture.nodes, key=lambda n: int(n[1:]))[1:])) == 2


def test_an_expression_is_not_written_inside_when_that_gets_too_long():
    y = x = mg.Tensor([1.0], requires_grad=True, name="quite_a_long_name")
    for _ in range(8):
        y = y * x + 1.0
    lines = str(mg.draw(y, fold=True)).splitlines()
    assert 2 < len(lines) < 9
    assert all(len(line.split(" = ")[-1].split("  ")[0]) <= 60 for line in lines)


def test_what_is_shared_named_in_focus_or_of_another_scope_stays(dot):
    x = mg.Tensor([1.0], requires_grad=True, name="x")
    shared = x * 2.0
    named = x * 3.0
    named.name = "named"
    with mg.scope("other"):
        elsewhere = x * 4.0
    focus = x * 5.0
    y = shared + shared * named + elsewhere + focus
    picture = parsed(dot, mg.draw(y, fold=True, focus=focus))
    assert sorted(picture.title(n).split(" = ")[1] for n in picture.nodes if n != "n0") == [
        "v1 + v1 * named + v3 + v4", "x * 2", "x * 3", "x * 4", "x * 5",
    ]  # fmt: skip


# Scopes


def test_a_folder_says_what_is_in_it(dot):
    picture = parsed(dot, mg.draw(graphs.mlp(), depth=0, values=True))
    assert picture.rows("c0") == ["layer1", "4 nodes", "9 parameters", "f64[2,3]"]
    assert picture.nodes["c0"]["shape"] == "folder"
    assert picture.clusters == {}
    residual = parsed(dot, mg.draw(graphs.residual(2), depth=0))
    assert residual.rows("c2") == ["loss", "1 node", "output L", "6"]


def test_broken_values_inside_a_folder_are_counted(dot):
    with mg.scope("s"):
        y = mg.Tensor([1.0, np.nan], requires_grad=True) * 2.0
    picture = parsed(dot, mg.draw(y, depth=0))
    assert picture.rows("c0")[-1] == "2 NaN/Inf, f64[2]"
    assert picture.nodes["c0"]["fillcolor"] == "#F0E442"


def test_equal_scopes_in_a_row_are_one(dot):
    picture = parsed(dot, mg.draw(graphs.residual(30), depth=0))
    assert picture.rows("c0") == [
        "block1 … block30", "30 × 4 nodes", "30 × 4 parameters", "f64[3,2]",
    ]  # fmt: skip
    assert picture.ends() == [("c0", "c30"), ("n0", "c0")]
    assert set(parsed(dot, mg.draw(graphs.residual(2), depth=0)).nodes) == {"n0", "c0", "c1", "c2"}


def test_unequal_and_opened_scopes_end_a_row(dot):
    loss = graphs.residual(9)
    middle = next(n for n in mg.Graph(loss).nodes if n.scope == ("block4",))
    picture = parsed(dot, mg.draw(loss, depth=0, focus=middle))
    folders = [picture.title(n) for n in picture.nodes if n[0] == "c"]
    assert folders == ["block1 … block3", "block5 … block9", "loss"]
    assert picture.clusters == {"c3": "block4"}
    assert [n["penwidth"] for n in picture.nodes.values() if n.get("penwidth") == "4"] == ["4"]


def test_the_focus_stays_and_so_do_the_outputs(dot):
    loss = graphs.chain(50)
    loss.name = "end"
    nodes = mg.Graph(loss).nodes
    picture = parsed(dot, mg.draw(loss, focus=nodes[10], max_nodes=4))
    assert set(picture.nodes) == {"n9", "n10", "n11", "n50"}
    assert picture.note == "… 47 of 51 nodes not drawn (max_nodes=4)"
    near_the_output = parsed(dot, mg.draw(loss, max_nodes=3))
    assert set(near_the_output.nodes) == {"n48", "n49", "n50"}


def test_a_backward_graph_folds_too(dot):
    picture = parsed(dot, mg.draw(graphs.residual(4), backward=True, depth=0))
    assert [picture.title(n) for n in picture.nodes] == ["∂ block1 … block4", "∂ loss"]
    assert picture.ends() == [("c4", "c0")]


# Size, under the default limit of recursion


def test_a_deep_scope_does_not_recurse():
    with mg.scope("0"):
        scope = mg.Tensor(1.0).scope
    w = mg.Tensor(1.0, requires_grad=True)
    w.scope = scope * 2000
    assert mg.draw(w).source.count("subgraph") == 2000


def test_a_chain_of_100_000_ops_is_drawn_by_its_end():
    drawing = mg.draw(graphs.chain(100_000), grads=True)
    assert repr(drawing) == "<Drawing of 200 of 100,001 nodes>"
    assert "99,801 of 100,001 nodes not drawn" in str(drawing)


def test_ten_thousand_scopes_are_drawn_as_one():
    drawing = mg.draw(graphs.residual(10_000))
    assert "10,000 × 4 nodes" in str(drawing)
    assert repr(drawing) == "<Drawing of 40,002 nodes>"


def test_a_sum_of_2_to_the_60_paths_is_120_arrows(dot):
    y = x = mg.Tensor(1.0, requires_grad=True, name="x")
    for _ in range(60):
        y = y + y
    picture = parsed(dot, mg.draw(y, grads=True))
    assert len(picture.edges) == 120
    assert "∂x = 1.15e18" in picture.rows("n0")
    assert x.grad is None


@pytest.mark.parametrize("options", [{"fold": True}, {"backward": True}, {"max_nodes": None}])
def test_long_chains_do_not_recurse(options):
    assert mg.draw(graphs.chain(3000), **options).n_nodes == 3001
