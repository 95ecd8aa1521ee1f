"""What the strategies draw: inside domains, away from kinks or on them; and it prints as Python."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, find, given, settings
from hypothesis import strategies as st

import minigraph as mg
from minigraph.ops import TABLE
from minigraph.testing import arguments, check_gradients, strategies
from tests.counts import examples

hinge = mg.Op(
    lambda x, w, *, margin: np.maximum(margin - x, 0) * w,
    x=lambda g, y, x, w, margin: np.where(x < margin, -g * w, 0 * g),
    w=lambda g, y, x, w, margin: g * np.maximum(margin - x, 0),
    name="hinge",
    domain={"w": (0, np.inf)},
    kinks=[mg.Kink("x = margin", "0", lambda x, w, margin: x - margin)],
    shapes="(n, m), (m)",
    broadcasts=True,
)
search = settings(max_examples=1000, database=None, suppress_health_check=list(HealthCheck))


@given(shape=strategies.shapes(), pair=strategies.broadcastable(3), dtype=strategies.dtypes())
def test_shapes_and_dtypes(shape, pair, dtype):
    assert isinstance(shape, tuple)
    assert len(np.broadcast_shapes(*pair)) <= 3
    assert np.dtype(dtype).kind == "f"


@given(shape=strategies.shapes(), layout=strategies.layouts(), data=st.data())
def test_a_layout_keeps_the_entries(shape, layout, data):
    array = data.draw(strategies.arrays(shape, low=0, high=5))
    assert array.shape == shape
    assert ((array >= 0) & (array <= 5)).all()
    assert np.array_equal(layout(array), array)


def test_layouts_lie_in_memory_as_they_say():
    array = np.arange(6.0).reshape(2, 3)
    found = {name: layout(array) for name, layout in strategies.LAYOUTS.items()}
    assert found["C order"].flags.c_contiguous
    assert found["Fortran order"].flags.f_contiguous
    assert not found["with gaps"].flags.contiguous
    assert min(found["backwards"].strides) < 0
    assert not found["read-only"].flags.writeable
    assert found["a view of a larger array"].base is not None


@given(x_and_w=strategies.arrays_for(hinge, margin=1.0))
def test_arrays_for_an_op_are_inside_its_domain_and_away_from_its_kinks(x_and_w):
    x, w = x_and_w
    assert x.shape[-1:] == w.shape
    assert (w > 0).all()
    assert (np.abs(x - 1) > 0.01).all()


def test_arrays_for_an_op_lie_on_its_kinks_when_asked():
    drawn = strategies.arrays_for(hinge, at_kinks=True, margin=1.0)
    x, _ = find(drawn, lambda arrays: (arrays[0] == 1).any(), settings=search)
    assert x.tolist() == [[1.0]] or 1 in x


def test_an_attribute_without_a_rule_is_asked_for():
    with pytest.raises(TypeError, match=r"give it: calls\(hinge, margin=...\)"):
        find(strategies.calls(hinge), lambda program: True)


@given(program=strategies.calls(hinge, margin=0.5))
def test_an_op_of_ones_own_is_called_by_its_name(program):
    assert "hinge(a, b, margin=0.5)" in program.source
    assert check_gradients(program.function, *program.inputs.values()).ok


ODD = {
    "a lambda": mg.Op(lambda x: x * 1, x=lambda g, y, x: g),
    "named like a variable": mg.Op(lambda x: x * 1, x=lambda g, y, x: g, name="a"),
    "with a constant": mg.Op(
        lambda x, t: x * t, x=lambda g, y, x, t: g * t, t=None, name="nn", broadcasts=True
    ),
    "of any number": mg.Op(
        lambda *x: sum(x), each=lambda i: lambda g, y, *x: g, name="total", broadcasts=True
    ),
    "negative only": mg.Op(
        lambda x: 1 / x, x=lambda g, y, x: -g / x**2, name="inverse", domain={"x": (-np.inf, -5)}
    ),
    "in a narrow domain": mg.Op(
        lambda x: x * 1, x=lambda g, y, x: g, name="same", domain={"x": (0, 0.1)}
    ),
}


@pytest.mark.parametrize("op", ODD.values(), ids=ODD)
@examples(6)
@given(data=st.data())
def test_ops_of_every_form_are_called_and_stand_in_programs(op, data):
    for program in (
        data.draw(strategies.calls(op)),
        data.draw(strategies.graphs(ops=[op, mg.add], max_statements=3)),
    ):
        assert check_gradients(program.function, *program.inputs.values()).ok


@given(program=strategies.graphs())
def test_programs_run_on_arrays_and_tensors_alike(program):
    arrays = list(program.inputs.values())
    y = program(*(mg.Tensor(array, requires_grad=True) for array in arrays))
    assert np.array_equal(y.data, program(*arrays))
    assert y.requires_grad
    assert np.isfinite(y.data).all()


def test_programs_reuse_results_and_reach_every_op_of_the_table():
    """Some ops come once in 150 programs: those that did not are asked for by name."""
    used, names = [], set()

    def look(ops, n, most):
        @settings(max_examples=n, derandomize=True, suppress_health_check=list(HealthCheck))
        @given(strategies.graphs(ops, max_statements=most))
        def run(program):
            used.append(max(sum(s.used.count(n) for s in program.statements) for n in "abcd"))
            leaves = [mg.Tensor(array, requires_grad=True) for array in program.inputs.values()]
            names.update(node.op.name for node in mg.Graph(program(*leaves)).nodes if node.op)

        run()

    look(None, 200, 8)
    assert max(used) > 2
    few = {"elastic_net", "linear"}  # three operands that fit are rare; networks() has both
    left_out = {"spread", "scatter", "softmax_error"} | arguments.SELDOM_MET
    assert not names & left_out
    for op in TABLE:
        if (op.each or any(op.vjps)) and op.name not in names | left_out | few:
            look([op], 10, 2)
            assert op.name in names


def test_a_failing_program_shrinks_to_its_smallest_form_and_prints_as_python():
    def has_product_after_exp(program):
        y = program(*(mg.Tensor(array, requires_grad=True) for array in program.inputs.values()))
        return any(
            node.op is mg.multiply and any(getattr(i, "op", None) is mg.exp for i in node.inputs)
            for node in mg.Graph(y).nodes
        )

    drawn = strategies.graphs(ops=[mg.add, mg.exp, mg.multiply, mg.sum], max_statements=5)
    program = find(drawn, has_product_after_exp, settings=search)
    assert len(program.statements) == 2
    text = repr(program)
    assert text.startswith("import numpy as np\nimport minigraph as mg\n")
    ran = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


@given(network=strategies.networks())
def test_networks_have_matching_sizes_and_a_finite_risk(network):
    W1, b1, W2, b2 = network.parameters.values()
    assert network.x.shape[1] == W1.shape[0]
    assert W1.shape[1:] == b1.shape == W2.shape[:1]
    assert W2.shape[1:] == b2.shape
    assert len(network.labels) == len(network.x)
    assert np.isfinite(network.risk(network.parameters, network.x))
