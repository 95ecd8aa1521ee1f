"""Laws of derivation: what is derived computes what the sweep computes, on any data.

Each program is derived from one set of inputs, and run on others.
"""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigraph as mg
from minigraph.derivation import derive, passes
from minigraph.derivation.capturing import capture
from minigraph.derivation.program import Size, Value
from minigraph.derivation.shortcuts import in_place, shortened
from minigraph.nested import Leaf
from minigraph.ops import TABLE, elementwise, linalg, trigonometry
from minigraph.ops.shaping import scatter
from minigraph.testing.strategies import calls, graphs, networks
from tests.counts import examples

STYLES = ("textbook", "fast")
both_styles = pytest.mark.parametrize("style", STYLES)
seeds = st.integers(0, 2**32 - 1)
anywhere = graphs() | graphs(at_kinks=True)


def loss_of(program):
    """Weigh the entries of a program's result: a loss whose gradient is no constant."""

    def loss(*inputs):
        y = program.function(*inputs)
        return (y * (np.arange(y.size).reshape(y.shape) + 1.5)).sum()

    return loss


def other(arrays, seed):
    """Give new data of the same shapes and dtypes: other entries, of the same sign."""
    rng = np.random.default_rng(seed)
    return [np.asarray(a * rng.uniform(0.5, 1.1, a.shape)).astype(a.dtype) for a in arrays]


def longer(derived, arrays, seed):
    """Give data of another batch size, if the source follows it."""
    K = int(np.random.default_rng(seed).integers(1, 12))
    found = []
    for array, parameter in zip(arrays, derived.program.parameters, strict=True):
        shape = [n.at(K) if isinstance(n, Size) else n for n in parameter.shape]
        found.append(np.resize(array, shape))
    return other(found, seed)


def eager(f, arrays):
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        value, gradients = mg.value_and_grad(f, argnums=tuple(range(len(arrays))))(
            *map(mg.Tensor, arrays)
        )
    return [np.asarray(part.data) for part in (value, *gradients)]


def run(derived, arrays):
    with np.errstate(all="ignore"):
        value, gradients = derived(*arrays)
    return [value, *gradients]


def check_same(found, expected, tolerance=1e-12):
    for a, b in zip(found, expected, strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        room = tolerance * max(1.0, np.abs(b).max(initial=0, where=np.isfinite(b)))
        np.testing.assert_allclose(a, b, rtol=0, atol=room)


def check_derived(f, arrays, seed, tolerance=1e-12, **options):
    """Derive; compare on the same data, on other data and, where it follows K, on more of it."""
    with np.errstate(all="ignore"):
        derived = derive(f, *arrays, **options)
    for given_ in (arrays, other(arrays, seed)):
        check_same(run(derived, given_), eager(f, given_), tolerance)
    if derived.program.batch is not None:
        more = longer(derived, arrays, seed)
        try:
            expected = eager(f, more)
        except (ValueError, IndexError):  # no such batch
            return derived
        check_same(run(derived, more), expected, tolerance)
    return derived


# Whole programs


@both_styles
@examples(50, thorough=2500)
@given(program=anywhere, seed=seeds)
def test_a_random_graph_derived_is_the_graph(style, program, seed):
    check_derived(loss_of(program), list(program.inputs.values()), seed, style=style)


# In these the order of operations is the same, so the bits are.
PLAIN = [
    op
    for op in TABLE
    if isinstance(op.function, np.ufunc)
    and op.__module__ in (elementwise.__name__, trigonometry.__name__, linalg.__name__)
]


@examples(20, thorough=1000)
@given(program=graphs(PLAIN) | graphs(PLAIN, at_kinks=True), seed=seeds)
def test_textbook_of_elementwise_ops_and_products_has_the_same_bits(program, seed):
    arrays, f = list(program.inputs.values()), loss_of(program)
    derived = derive(f, *arrays)
    new = other(arrays, seed)
    for found, expected in zip(run(derived, new), eager(f, new), strict=True):
        assert found.tobytes() == expected.tobytes()


def check_narrow(program, seed, **options):
    """Derive from float32, and compare."""
    arrays = [array.astype(np.float32) for array in program.inputs.values()]
    wide = [np.abs(part).max(initial=0) for part in eager(loss_of(program), arrays)]
    if np.isfinite(wide).all() and max(wide) < 1e4:  # beyond, rounding is amplified
        check_derived(loss_of(program), arrays, seed, 1e-5, **options)


@both_styles
@examples(8, thorough=500)
@given(program=anywhere, seed=seeds)
def test_a_random_graph_of_narrow_floats_derived_is_the_graph(style, program, seed):
    check_narrow(program, seed, style=style)


def check_network(network, seed, **options):
    """Derive from a network, and compare on batches of several sizes."""
    arrays = [*network.parameters.values(), network.x]

    def risk(W1, b1, W2, b2, x, labels):
        l11, l12, l21, l22 = network.penalties
        oa = mg.relu(x @ W1 + b1) @ W2 + b2
        penalty = mg.elastic_net(W1, l11, l12) + mg.elastic_net(W2, l21, l22)
        return mg.softmax_nll(oa, labels) + penalty

    by = tuple(range(4))
    derived = derive(risk, *arrays, network.labels, argnums=by, **options)
    rng = np.random.default_rng(seed)
    for K in (len(network.x), 1, 7):
        x = rng.normal(size=(K, network.x.shape[1]))
        new = [*other(arrays[:-1], seed), x, rng.integers(0, len(network.parameters["b2"]), K)]
        value, gradients = derived(*new)
        expected = mg.value_and_grad(risk, argnums=by)(*map(mg.Tensor, new))
        check_same([value, *gradients], [t.data for t in (expected[0], *expected[1])])


@both_styles
@examples(8, thorough=500)
@given(network=networks() | networks(at_kinks=True), seed=seeds)
def test_a_random_network_derived_is_the_network(style, network, seed):
    check_network(network, seed, style=style)


# Each op by itself


def special_table():
    try:
        from minigraph.ops.special import TABLE as special
    except ImportError:
        return ()
    return special


OPS = [op for op in (*TABLE, *special_table()) if op.each is not None or any(op.vjps)]
CONSTANTS = [op for op in TABLE if op not in OPS]


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
@examples(1, thorough=50)
@given(data=st.data(), seed=seeds)
def test_an_op_derived_is_the_op(op, data, seed):
    program = data.draw(calls(op) | calls(op, at_kinks=True))
    for style in STYLES:
        check_derived(loss_of(program), list(program.inputs.values()), seed, style=style)


# How ops that are constants are called, where two arrays of floats will not do
CALLS = {
    "argpartition": lambda op, x, y: op(x, kth=1),
    "astype": lambda op, x, y: op(x, dtype=np.dtype(int)),
    "bitwise_and": lambda op, x, y: op(x > 1, y > 1),
    "bitwise_or": lambda op, x, y: op(x > 1, y > 1),
    "bitwise_xor": lambda op, x, y: op(x > 1, y > 1),
    "invert": lambda op, x, y: op(x > 1),
    "searchsorted": lambda op, x, y: op(np.sort(x), y),
}


def check_constant(op, **options):
    """Derive from a call of an op without derivative, and compare on other data."""

    def f(x, y):
        call = CALLS.get(op.name, lambda op, *inputs: op(*inputs[: len(op.input_names)]))
        chosen = call(op, x, y)
        return (chosen * (np.sin(x) + y)[: len(chosen) if chosen.ndim else None]).sum()

    rng = np.random.default_rng(0)
    x, y, *new = [rng.uniform(0.5, 2, 6) for _ in range(6)]
    derived = derive(f, x, y, **options)
    check_same(run(derived, [x, y]), eager(f, [x, y]))
    found = [run(derived, new[:2]), run(derived, new[2:])]
    check_same(found[0], eager(f, new[:2]))
    assert f"{op.name}" in {getattr(v.op, "name", v.op) for v in derived.program.body}


@both_styles
@pytest.mark.parametrize("op", CONSTANTS, ids=lambda op: op.name)
def test_an_op_without_derivative_is_computed_and_not_baked_in(op, style):
    check_constant(op, style=style)


# Passes


def evaluated(program, arrays):
    """Run a program value by value, each by the function of its op."""
    known = dict(zip(program.parameters, arrays, strict=True)) | dict(program.constants)
    with np.errstate(all="ignore"):
        for value in program.body:
            inputs = [known[i] if isinstance(i, Value) else i for i in value.inputs]
            known[value] = MADE.get(value.op, computed)(value, inputs)
    return [np.asarray(known[o] if isinstance(o, Value) else o) for o in program.outputs]


def computed(value, inputs):
    return value.op.function(*inputs, **value.attributes)


def scattered(value, inputs):
    like = np.zeros(value.shape, value.dtype)
    return scatter.function(inputs[0], like, *inputs[1:], **value.attributes)


def less_onehot(value, inputs):
    return inputs[0] - (inputs[1][:, None] == np.arange(value.shape[1]))


MADE = {
    scatter: scattered,
    "full": lambda value, _: np.full(value.shape, value.attributes["value"], value.dtype),
    "arange": lambda value, _: np.arange(value.attributes["stop"]),
    "less_onehot": less_onehot,
}
PASSES = {
    "simplified": passes.simplified,
    "shared": passes.shared,
    "in_place": in_place,
    "shortened": lambda program: shortened(program, 3),
}


def program_of(f, arrays):
    leaves = [Leaf(f"x{i}", mg.Tensor(a, requires_grad=True)) for i, a in enumerate(arrays)]
    return capture(f, [leaf.value for leaf in leaves], leaves, range(len(leaves)))


@pytest.mark.parametrize("name", PASSES)
@examples(12, thorough=1000)
@given(program=anywhere, seed=seeds)
def test_a_pass_changes_no_result_and_adds_no_value(name, program, seed):
    """`shared` and `in_place` change no bit, the others no more than rounding."""
    arrays = list(program.inputs.values())
    before = program_of(loss_of(program), arrays)
    if name in ("in_place", "shortened"):
        before = passes.shared(passes.simplified(before))
    after = PASSES[name](before)
    assert len(after.body) <= len(before.body)
    new = other(arrays, seed)
    check_same(evaluated(after, new), evaluated(before, new), 0 if name == "shared" else 1e-12)
    again = PASSES[name](after)
    if name in ("shared", "in_place"):  # once is enough
        assert len(again.body) == len(after.body)


def softmax_of_labels(W, x, t):
    z = np.tanh(x @ W) * 3
    return mg.softmax_nll(z, t) + (np.tanh(x @ W) * 3).sum()


@pytest.mark.parametrize("name", PASSES)
def test_a_pass_does_something_to_a_softmax(name):
    rng = np.random.default_rng(0)
    leaves = [
        Leaf("W", mg.Tensor(rng.normal(size=(4, 3)), requires_grad=True)),
        Leaf("x", mg.Tensor(rng.normal(size=(5, 4)))),
        Leaf("t", mg.Tensor(rng.integers(0, 3, 5))),
    ]
    before = captured = capture(softmax_of_labels, [v for _, v in leaves], leaves, [0])
    if name in ("in_place", "shortened"):
        before = passes.shared(passes.simplified(before))
    after = PASSES[name](before)
    assert [v.op for v in after.body] != [v.op for v in before.body]
    new = [rng.normal(size=(4, 3)), rng.normal(size=(5, 4)), rng.integers(0, 3, 5)]
    check_same(evaluated(after, new), evaluated(captured, new), 1e-14)
