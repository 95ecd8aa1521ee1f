"""The laws that every op of the table obeys, on calls that are drawn by its declaration."""

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import minigraph as mg
from minigraph.ops import TABLE, decompositions
from minigraph.ops.shaping import filled
from minigraph.testing import GradientError, laws, mutation
from minigraph.testing.laws import LAWS, gradients, leaves
from minigraph.testing.strategies import arrays, broadcastable, calls, layouts
from tests.counts import examples
from tests.ops.references import plain, reference

OPS = [op for op in TABLE if op.each is not None or any(op.vjps)]
CONSTANTS = [op for op in TABLE if op not in OPS]
every_op = pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
seeds = st.integers(0, 2**32 - 1)

some = examples(4, thorough=500)
# These laws do not turn on the values; a few shapes and attributes will do.
few = examples(3, thorough=250)


def anywhere(op):
    """Draw calls away from the op's kinks, and calls with many inputs on them."""
    return calls(op) | calls(op, at_kinks=True)


def inputs_of(program, **options):
    return leaves(list(program.inputs.values()), **options)


def cotangent(y, seed):
    """Draw entries of both signs, none of them 0 or 1."""
    rng = np.random.default_rng(seed)
    return (rng.uniform(0.5, 2, y.shape) * rng.choice([-1, 1], y.shape)).astype(y.dtype)


def recorded(program, op):
    """Run a program; give the node that the op made in it."""
    nodes = mg.Graph(program(*inputs_of(program))).nodes
    return next(node for node in nodes if node.op is op)


def assert_close(actual, desired, tolerance):
    scale = max(1.0, np.abs(desired).max(initial=0))
    np.testing.assert_allclose(actual, desired, rtol=0, atol=tolerance * scale)


# The laws of minigraph.testing


def says_something(law, op):
    """Tell whether there is anything in this op that can break the law."""
    if law is laws.kinks_are_taken_as_declared:
        return bool(op.kinks)
    if law is laws.gradient_of_a_symmetric_matrix_is_symmetric:
        return op.name in laws.SYMMETRIC
    return law is not laws.ends_of_domains_are_as_promised or op.name in laws.ENDS


def places_for(law, op):
    """Draw calls on which the law speaks: on a kink the gradient jumps and has no slope."""
    return calls(op) if law is laws.gradient_of_the_gradient_is_its_slope else anywhere(op)


def laws_of(ops):
    pairs = [(law, op) for law in LAWS for op in ops if says_something(law, op)]
    names = [f"{law.__name__}-{op.name}" for law, op in pairs]
    return pytest.mark.parametrize(("law", "op"), pairs, ids=names)


# One number in, one out: of these a few calls see as much, for each has many entries.
OF_ONE_NUMBER = [op for op in OPS if isinstance(op.function, np.ufunc) and len(op.vjps) == 1]


@laws_of([op for op in OPS if op not in OF_ONE_NUMBER])
@some
@given(data=st.data(), seed=seeds)
def test_law_holds_for_the_op(law, op, data, seed):
    law(data.draw(places_for(law, op)), seed)


@laws_of(OF_ONE_NUMBER)
@few
@given(data=st.data(), seed=seeds)
def test_law_holds_for_the_op_of_one_number(law, op, data, seed):
    law(data.draw(places_for(law, op)), seed)


# An op that no table knows: nothing but its declaration is read.


def log_distance(b):
    """Make an op of |ln a| b, with this formula for b."""
    return mg.Op(
        lambda a, b: np.abs(np.log(a)) * b,
        a=lambda g, y, a, b: g * b * np.sign(np.log(a)) / a,
        b=b,
        name="log_distance",
        domain={"a": (0, np.inf)},
        kinks=[mg.Kink("a = 1", "0", lambda a, b: np.log(a))],
        broadcasts=True,
    )


RIGHT = log_distance(lambda g, y, a, b: g * np.abs(np.log(a)))
WRONG = log_distance(lambda g, y, a, b: g * np.log(a))


@pytest.mark.parametrize("law", LAWS)
@some
@given(data=st.data(), seed=seeds)
def test_law_holds_for_an_op_that_no_table_knows(law, data, seed):
    law(data.draw(places_for(law, RIGHT)), seed)


def look_at_slopes(op):
    @settings(phases=[Phase.generate], database=None, report_multiple_bugs=False)
    @given(program=calls(op))
    def look(program):
        laws.gradient_is_the_slope(program, 0)

    look()


def test_wrong_formula_of_an_op_that_no_table_knows_breaks_a_law():
    with pytest.raises(GradientError):
        look_at_slopes(WRONG)


def test_mutant_that_is_planted_breaks_a_law():
    wrong = mutation.Mutant(mg.tanh, 0, "sign", lambda g, y, x: -g * (1 - y * y))
    with mutation.planted(wrong), pytest.raises(GradientError):
        look_at_slopes(mg.tanh)
    look_at_slopes(mg.tanh)


# Values


@every_op
@few
@given(data=st.data())
def test_call_records_the_op(op, data):
    assert recorded(data.draw(anywhere(op)), op).requires_grad


@every_op
@some
@given(data=st.data())
def test_value_is_numpy_s(op, data):
    program = data.draw(anywhere(op))
    y, expected = program(*inputs_of(program)), reference(program, *program.inputs.values())
    assert (y.shape, y.dtype) == (expected.shape, expected.dtype)
    assert_close(y.data, expected, 1e-14)


@every_op
@few
@given(data=st.data())
def test_plain_arrays_give_the_same_value_as_a_plain_array(op, data):
    program = data.draw(anywhere(op))
    value = program(*program.inputs.values())
    assert not isinstance(value, mg.Tensor)
    assert np.array_equal(value, program(*inputs_of(program)).data)


@every_op
@few
@given(data=st.data())
def test_result_is_read_only(op, data):
    program = data.draw(calls(op))
    with pytest.raises(ValueError, match="read-only"):
        program(*inputs_of(program)).data[...] = 0


# Gradients


@every_op
@few
@given(data=st.data(), seed=seeds)
def test_backward_leaves_what_grad_gives_and_writes_to_no_input(op, data, seed):
    program = data.draw(anywhere(op))
    kept = [array.copy() for array in program.inputs.values()]
    inputs = inputs_of(program, copy=False)
    y = program(*inputs)
    w = cotangent(y, seed)
    y.backward(w)
    for input, g, before in zip(inputs, mg.grad(program(*inputs), inputs, w), kept, strict=True):
        assert input.grad.tobytes() == g.data.tobytes()
        assert input.data.tobytes() == before.tobytes()


@every_op
@few
@given(data=st.data(), seed=seeds)
def test_value_and_gradient_in_narrow_floats_are_the_wide_ones_rounded(op, data, seed):
    program = data.draw(anywhere(op))
    for dtype in laws.floats(program)[:-1]:
        arrays = [array.astype(dtype) for array in program.inputs.values()]
        narrow, wide = leaves(arrays), leaves([array.astype(float) for array in arrays])
        y, exact = program(*narrow), program(*wide)
        assert y.dtype == reference(program, *arrays).dtype
        found = [y, *gradients(program, narrow, seed)]
        for a, b in zip(found, [exact, *gradients(program, wide, seed)], strict=True):
            assert_close(a.data.astype(float), b.data, 16 * np.finfo(dtype).eps)


@every_op
@few
@given(data=st.data(), layout=layouts(), seed=seeds)
def test_memory_layout_changes_nothing(op, data, layout, seed):
    program = data.draw(calls(op))
    laid_out = leaves([layout(array) for array in program.inputs.values()], copy=False)
    found = gradients(program, laid_out, seed)
    for g, expected in zip(found, gradients(program, inputs_of(program), seed), strict=True):
        assert_close(g.data, expected.data, 1e-14)


@every_op
@pytest.mark.filterwarnings("ignore:Mean of empty slice", "ignore:invalid value")
@some
@given(data=st.data(), seed=seeds)
def test_sizes_of_zero_are_sizes_like_others(op, data, seed):
    program = data.draw(calls(op, min_side=0))
    inputs = inputs_of(program)
    y, expected = program(*inputs), reference(program, *program.inputs.values())
    assert (y.shape, y.dtype) == (expected.shape, expected.dtype)
    y.backward(cotangent(y, seed))
    for input, g in zip(inputs, gradients(program, inputs, seed, create_graph=True), strict=True):
        assert input.grad.shape == g.shape == input.shape
        assert np.isfinite(input.grad).all()


# Ops without a derivative


OF_OWN_TESTS = ("astype", "argpartition", "searchsorted")


def takes_floats(op):
    return not isinstance(op.function, np.ufunc) or "d" in "".join(op.function.types)


@pytest.mark.parametrize("op", [op for op in CONSTANTS if op.name not in OF_OWN_TESTS], ids=repr)
@given(data=st.data())
def test_op_without_derivative_gives_a_constant(op, data):
    shapes = data.draw(broadcastable(len(op.input_names), min_side=1))
    inputs = [data.draw(arrays(shape, on_grid=True)) for shape in shapes]
    if op.name == "floor_divide":
        inputs[1] = np.where(inputs[1] == 0, 0.5, inputs[1])
    if not takes_floats(op):
        inputs = [array > 0 for array in inputs]
    y = op(*(mg.Tensor(array, requires_grad=array.dtype == float) for array in inputs))
    expected = getattr(plain, op.name)(*inputs)
    assert isinstance(y, mg.Tensor)
    assert not y.requires_grad
    assert y.op is None
    assert y.dtype == expected.dtype
    assert np.array_equal(y.data, expected)


@pytest.mark.parametrize("dtype", [int, bool, np.uint8])
def test_conversion_to_integers_gives_a_constant(dtype):
    y = mg.Tensor([1.5, 0.0], requires_grad=True).astype(dtype)
    assert not y.requires_grad
    assert y.dtype == dtype
    assert np.array_equal(y.data, np.array([1.5, 0.0]).astype(dtype))


# Declarations


@every_op
def test_every_formula_of_a_fixed_input_has_a_text(op):
    wanted = {n for n, vjp in zip(op.input_names, op.vjps) if vjp is not None}
    assert wanted <= op.texts.keys() <= {*op.input_names, "y", "each"}


def others(x, axis):
    """Multiply, for each entry, all the others along the axes."""
    out = np.empty_like(x)
    for place in np.ndindex(x.shape):
        rest = x.copy()
        rest[place] = 1
        product = np.prod(rest, axis=axis, keepdims=True)
        out[place] = np.broadcast_to(product, x.shape)[place]
    return out


def from_later(g, x, axis):
    """Sum, for each entry, `g` times the slopes of all products: a product's is straight."""
    out = np.empty_like(x)
    for place in np.ndindex(x.shape):
        one, zero = x.copy(), x.copy()
        one[place], zero[place] = 1, 0
        out[place] = np.sum(g * (np.cumprod(one, axis) - np.cumprod(zero, axis)))
    return out


def vocabulary(inputs, attributes):
    """What the texts may say, besides operators and array methods."""
    z = inputs.get("z", np.ones((1, 1)))
    axis = attributes.get("axis")
    return {
        "correlate": np.correlate, "back": {"full": "valid", "valid": "full"}.get,
        "exp": np.exp, "log": np.log, "sin": np.sin, "cos": np.cos, "sign": np.sign,
        "abs": np.abs, "sum": np.sum, "where": np.where, "sqrt": np.sqrt, "trunc": np.trunc,
        "cosh": np.cosh, "sinh": np.sinh, "exp2": np.exp2, "pi": np.pi,
        "sigmoid": plain.sigmoid, "softmax": plain.softmax, "softmax_nll": plain.softmax_nll,
        "others": lambda x: others(x, axis),
        "from_later": lambda g, x: from_later(g, x, axis),
        "flip": lambda g: np.flip(g, axis), "cumsum": lambda g: np.cumsum(g, axis),
        "onehot": lambda t: np.eye(z.shape[1])[t],
        "n": len(z),
        "spread": lambda g: np.broadcast_to(g, inputs["x"].shape),
        "share": lambda g, where: where * (g / _count(where, g)),
    }  # fmt: skip


def symmetric(x):
    return (x + x.mT) / 2


def half(x):
    return np.tril(x, -1) + x * np.eye(x.shape[-1]) / 2


def gaps(a, b):
    """Give the gaps from each of one to each of another, infinite where there is none."""
    d = b[..., None, :] - a[..., :, None]
    return np.where(d == 0, np.inf, d)


def words_of_matrices(op, g, y, inputs):
    """What the texts of matrices taken apart say of their parts."""
    words = {
        "solve": np.linalg.solve, "inv": np.linalg.inv, "half": half, "gaps": gaps,
        "symmetric": symmetric, "mirror": lambda x: half(x) + half(x).mT,
        "diag": lambda x: x[..., None] * np.eye(x.shape[-1]),
        "svd": decompositions.triples,
        "out": lambda v, gv: gv - v @ (v.mT @ gv),
    }  # fmt: skip
    if op.name == "solve_system":
        words["a"] = inputs["ab"][..., : y.shape[-2]]
        words["beside"] = lambda *parts: np.concatenate(parts, axis=-1)
    if op.name == "eigh":
        words |= {"w": y[..., 0, :], "v": y[..., 1:, :], "gw": g[..., 0, :], "gv": g[..., 1:, :]}
    if op.name == "svd":
        n = inputs["a"].shape[-2]
        s = y[..., n : n + 1, :]
        words |= {"u": y[..., :n, :], "s": s, "v": y[..., n + 1 :, :]}
        words |= {"gu": g[..., :n, :], "gs": g[..., n, :], "gv": g[..., n + 1 :, :]}
        words["turn"] = lambda p: (p - p.mT) / gaps(s[..., 0, :] ** 2, s[..., 0, :] ** 2)
    if op.name == "qr":
        n = inputs["a"].shape[-2]
        words |= {"q": y[..., :n, :], "r": y[..., n:, :].mT}
        words |= {"gq": g[..., :n, :], "gr": g[..., n:, :].mT}
    return words


def joined(arrays, attributes):
    """What the texts of ops with any number of inputs may say."""

    def scatter(g):
        out = np.zeros_like(arrays[0])
        np.add.at(out, filled(attributes["index"], arrays[1:]), g)
        return out

    def split(g, axis):
        return np.split(g, np.cumsum([array.shape[axis] for array in arrays[:-1]]), axis)

    return {"scatter": scatter, "split": split, "unstack": lambda g, axis: np.moveaxis(g, axis, 0)}


def _count(mask, like):
    axes = tuple(i for i, n in enumerate(like.shape) if n == 1 != mask.shape[i])
    return mask.sum(axis=axes, keepdims=True)


@pytest.mark.parametrize("op", [op for op in OPS if op.texts], ids=lambda op: op.name)
@few
@given(data=st.data(), seed=seeds)
def test_texts_say_what_the_op_computes(op, data, seed):
    node = recorded(data.draw(anywhere(op)), op)
    attributes, raw = node.attributes, list(node.values)
    inputs = dict(zip(op.input_names, raw, strict=True)) if op.each is None else {}
    y, g = node.data, cotangent(node, seed)
    seen = {"y": y, "g": g}
    if "keepdims" in attributes and y.ndim < raw[0].ndim:
        axis = attributes["axis"]  # the texts leave out that reduced axes are put back
        axis = tuple(range(raw[0].ndim)) if axis is None else axis
        seen = {name: np.expand_dims(value, axis) for name, value in seen.items()}
    words = vocabulary(inputs, attributes) if op.each is None else joined(raw, attributes)
    words |= words_of_matrices(op, g, y, inputs)
    names = {**words, **inputs, **attributes, **seen}
    for target, text in op.texts.items():
        if target == "each":
            for i, formula in enumerate(map(op.each, range(len(raw)))):
                if formula is not None:
                    source = text.format(g="(g)", axis="axis", i=i)
                    assert_close(eval(source, {}, names), formula(g, y, *raw, **attributes), 1e-13)
            continue
        if op.name == "scalar_power" and target == "x" and attributes["exponent"] == 0:
            continue  # the formula says 0 there; the text would read x ** -1
        if op.name == "transpose" and attributes["axes"] is not None:
            continue  # ᵀ stands for the axes that the drawing writes beside it
        transposed = ".T" if op.name == "transpose" else ".mT"
        if attributes.get("pairs"):
            continue  # the text leaves out that only pairs with i ≠ j are meant
        source = text.format(**{name: f"({name})" for name in names}).replace("ᵀ", transposed)
        if target == "y":
            computed = y
        elif (formula := op.vjps[op.input_names.index(target)]) is None:
            computed = inputs[target]  # what an input without a formula holds
        else:
            computed = formula(g, y, *raw, **attributes)
        assert_close(eval(source, {}, names), computed, 1e-13)


def test_kinks_are_where_the_gap_is_zero():
    x = np.array([-1.0, 0.0, 2.0])
    for op in (mg.relu, mg.abs):
        assert np.array_equal(op.kinks[0].gap(x) == 0, [False, True, False])
    for op in (mg.maximum, mg.minimum):
        assert np.array_equal(op.kinks[0].gap(x, x[::-1]) == 0, [False, True, False])
    for op in (mg.max, mg.min):
        gap = op.kinks[0].gap(np.array([[1.0, 1.0], [1.0, 2.0]]), axis=1)
        assert np.array_equal(gap == 0, [True, False])
