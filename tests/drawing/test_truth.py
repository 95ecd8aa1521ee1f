"""What is drawn is the recorded graph, and its gradients are those of backward()."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from drawing import graphs
from drawing.reading import parsed
from hypothesis import HealthCheck, given, settings

import minigraph as mg
from minigraph.drawing.gradients import Gradients
from minigraph.drawing.numbers import norm
from minigraph.drawing.recording import Recording
from minigraph.sweep import sweep
from minigraph.testing import strategies

fixture_is_constant = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def recorded(program):
    inputs = [mg.Tensor(a, requires_grad=True, name=n) for n, a in program.inputs.items()]
    return inputs, program.function(*inputs)


def as_drawn(graph):
    """Which input, as which number, stands in which place of which node: by the tensors alone."""
    numbers, uses = {}, []
    for node in graph.nodes:
        tensors_and_arrays = [
            (slot, x)
            for slot, x in enumerate(node.inputs)
            if isinstance(x, mg.Tensor) or np.ndim(x)
        ]
        for _, x in tensors_and_arrays:
            numbers.setdefault(id(x), len(numbers))
        numbers.setdefault(id(node), len(numbers))
        uses += [(numbers[id(x)], numbers[id(node)], slot) for slot, x in tensors_and_arrays]
    return numbers, uses


@fixture_is_constant
@given(strategies.graphs())
def test_the_picture_read_back_is_the_graph(dot, program):
    _, output = recorded(program)
    graph = mg.Graph(output)
    numbers, uses = as_drawn(graph)
    picture = parsed(dot, mg.draw(output, max_nodes=None))
    assert set(picture.nodes) == {f"n{k}" for k in numbers.values()}
    by_id = {edge["id"]: (edge["tail"], edge["head"]) for edge in picture.edges}
    assert by_id == {f"e{i}": (f"n{t}", f"n{h}") for i, (t, h, _) in enumerate(uses)}
    for node in graph.nodes:
        name = node.name or f"v{numbers[id(node)]}"
        title = picture.title(f"n{numbers[id(node)]}")
        assert title.split(" = ")[0] == name


@fixture_is_constant
@given(strategies.graphs())
def test_solid_arrows_are_those_on_which_the_sweep_sends_something(dot, program):
    inputs, output = recorded(program)
    if not output.requires_grad:
        return
    recording = Recording(mg.Graph(output))
    gradients = Gradients(mg.Graph(output))
    solid = {(recording.values[use.head].number, use.slot) for use in recording.uses if use.flows}
    assert solid == set(gradients.parts)
    backward = parsed(dot, mg.draw(output, backward=True, max_nodes=None))
    assert len(backward.edges) == len(solid)
    assert len(backward.nodes) == len(gradients.totals)
    assert [a.grad for a in inputs] == [None] * len(inputs)


@given(strategies.graphs(at_kinks=True))
def test_the_parts_on_edges_sum_to_the_gradient_which_is_that_of_backward(program):
    inputs, output = recorded(program)
    if not output.requires_grad:
        return
    seeds, sums = [(output, np.ones_like(output.data)[()])], {}
    parts = {}

    def observe(consumer, slot, input, g, part, total):
        sums[input.number] = sums.get(input.number, 0) + np.array(part)
        parts[consumer.number, slot] = np.array(part)

    sweep(seeds, observer=observe)
    gradients = Gradients(mg.Graph(output))
    output.backward(np.ones_like(output.data))
    for a in inputs:
        if a.grad is not None and a is not output:
            np.testing.assert_allclose(sums[a.number], a.grad, rtol=1e-12, atol=1e-12)
            assert gradients.totals[a.number] == pytest.approx(norm(a.grad), abs=1e-12)
    assert gradients.parts.keys() == parts.keys()
    for edge, part in parts.items():
        assert gradients.parts[edge] == pytest.approx(norm(part), abs=1e-12, nan_ok=True)


def test_parts_are_on_the_edges_where_several_come_together(dot):
    picture = parsed(dot, mg.draw(graphs.fan(), grads=True))
    labels = {edge["id"]: label_text(edge) for edge in picture.edges}
    assert labels == {"e0": "← 2", "e1": "← 2", "e2": "", "e3": "← 1"}
    assert picture.rows("n0") == ["a", "parameter", "2", "∂a = 5"]
    backward = parsed(dot, mg.draw(graphs.fan(), backward=True))
    assert backward.rows("n0") == ["∂a", "parameter", "5, sum of 3"]
    assert backward.rows("n2") == ["∂y", "seed", "1"]
    assert sorted(label_text(edge) for edge in backward.edges) == [
        "∂v1 * a= 2", "∂v1 * a= 2", "∂y", "∂y= 1",
    ]  # fmt: skip
    assert backward.ends() == [("n1", "n0")] * 2 + [("n2", "n0"), ("n2", "n1")]


def label_text(edge):
    label = edge.get("label", "")
    return "".join(ElementTree.fromstring(label).itertext()) if label else ""


def test_the_bias_is_reached_through_a_sum_over_rows():
    x, b = mg.Tensor(np.ones((3, 2)), name="x"), mg.Tensor([1.0, 2.0], True, name="b")
    W = mg.Tensor(np.ones((2, 1, 2, 2)), True, name="W")
    text = str(mg.draw(((x + b) @ W).sum(), backward=True))
    assert "∂b = sum(∂v3, axis=0)" in text
    text = str(mg.draw((np.ones((5, 3, 2)) @ W).sum(), backward=True))
    assert "∂W = sum(v1ᵀ @ ∂v2, axis=1)" in text
    assert "∂b = sum(∂v2 * x)" in str(
        mg.draw((x * mg.Tensor(2.0, True, name="b")).sum(), backward=True)
    )


def test_outputs_that_are_no_numbers_are_summed_and_the_picture_says_so():
    a = mg.Tensor([1.0, 2.0], requires_grad=True, name="a")
    y, z = a * 3.0, a * 4.0
    y.name, z.name = "y", "z"
    drawing = mg.draw(y, z.sum(), grads=True)
    assert "∂(sum(y) + v3)/∂v" in drawing.source
    assert "‖∂a‖ = 9.9" in str(drawing)


def test_an_output_that_leads_to_another_gets_its_seed_and_its_part():
    a = mg.Tensor(1.0, requires_grad=True, name="a")
    b = a * 2.0
    drawing = str(mg.draw(b, b * 5.0, backward=True))
    assert "∂v1 = seed + ∂v2 * 5  seed" in drawing
    assert "6, sum of 2" in drawing


def test_parts_that_cancel_leave_nothing():
    a = mg.Tensor([0.1, 0.3], requires_grad=True, name="a")
    drawing = mg.draw((a * 3.0).sum() - (a * 0.1 * 30.0).sum(), grads=True)
    assert "‖∂a‖ = 0\n" in f"{drawing}\n" or "‖∂a‖ = 0 " in str(drawing)


def test_large_gradients_of_half_precision_are_not_taken_for_rounding():
    a = mg.Tensor(np.float16([0.1, 0.2, 0.3, 0.4]), requires_grad=True, name="a")
    assert "‖∂a‖ = 80000" in str(mg.draw(a * 20000.0 + a * 20000.0, grads=True))


def test_drawing_changes_nothing():
    loss = graphs.mlp()
    nodes = mg.Graph(loss).nodes
    nodes[0].grad = np.ones(nodes[0].shape)
    np.random.seed(3)  # noqa: NPY002
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    before = [
        (n.data.copy(), None if n.grad is None else n.grad.copy(), n.requires_grad, n._written)
        for n in nodes
    ]
    for options in ({"grads": True}, {"backward": True}, {"fold": True}, {"depth": 0}):
        mg.draw(loss, **options)
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002
    for node, (data, grad, requires_grad, written) in zip(nodes, before):
        np.testing.assert_array_equal(node.data, data)
        np.testing.assert_array_equal(node.grad, grad) if grad is not None else None
        assert (node.grad is None, node.requires_grad) == (grad is None, requires_grad)
        assert node._written == written
    loss.backward()


def test_gradients_of_what_has_none_are_refused():
    x = mg.Tensor([1.0], name="x")
    for options in ({"grads": True}, {"backward": True}):
        with pytest.raises(RuntimeError, match="no gradient flows to 'x'"):
            mg.draw(x, **options)
    w = mg.Tensor([1.0], requires_grad=True, name="w")
    y = w * w
    with mg.no_grad():
        w += 1.0
    with pytest.raises(RuntimeError, match=r"'w' .* was written"):
        mg.draw(y, grads=True)
    assert "w * w" in str(mg.draw(y))
