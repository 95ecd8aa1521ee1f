"""The laws that every op of the table obeys."""

from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import minigraph as mg
from minigraph.ops import TABLE
from tests.ops import differences
from tests.ops.cases import (
    CASES,
    CONSTANTS,
    FLAT,
    IDS,
    distance_from_kinks,
    leaves,
    like,
    op_named,
    values,
)

seeds = st.integers(0, 2**32 - 1)
every_case = pytest.mark.parametrize(("name", "place", "case"), FLAT, ids=IDS)
DTYPES = (np.float16, np.float32, np.float64)


def away_from_kinks(case, arrays):
    y = case.function(*leaves(arrays))
    assume(distance_from_kinks(y) > 1e-2)
    return y


def gradients(case, arrays, seed, create_graph=False, **options):
    inputs = leaves(arrays, **options)
    y = case.function(*inputs)
    return mg.grad(y, inputs, like(y, seed), create_graph=create_graph)


def assert_close(actual, desired, tolerance):
    scale = max(1.0, np.abs(desired).max(initial=0))
    np.testing.assert_allclose(actual, desired, rtol=0, atol=tolerance * scale)


def test_every_op_of_the_table_has_cases():
    assert {op.name for op in TABLE} == CASES.keys() | CONSTANTS.keys()


def test_table_lists_each_op_once():
    assert len(TABLE) == len(set(TABLE))


@every_case
def test_case_records_its_op(name, place, case):
    recorded = {
        node.op.name
        for node in mg.Graph(case.function(*leaves(values(name, case, 0)))).nodes
        if node.op
    }
    assert name in recorded


@every_case
@given(seed=seeds)
def test_value_is_numpy_s(name, place, case, seed):
    arrays = values(name, case, seed)
    y = case.function(*leaves(arrays))
    expected = np.asarray(case.reference(*arrays))
    assert y.shape == expected.shape
    assert y.dtype == expected.dtype
    assert_close(y.data, expected, 1e-14)


@every_case
def test_plain_arrays_give_the_same_value_as_a_plain_array(name, place, case):
    seed = 5
    arrays = values(name, case, seed)
    plain = case.function(*arrays)
    assert not isinstance(plain, mg.Tensor)
    assert np.array_equal(plain, case.function(*leaves(arrays)).data)


@every_case
@given(seed=seeds)
def test_gradient_is_the_central_difference(name, place, case, seed):
    arrays = values(name, case, seed)
    y = away_from_kinks(case, arrays)
    w = like(y, seed)
    measured = differences.gradient(lambda *a: np.sum(w * case.reference(*a)), arrays)
    for found, slope in zip(gradients(case, arrays, seed), measured, strict=True):
        assert_close(found.data, slope, 1e-8)


@every_case
@given(seed=seeds)
def test_second_order_is_the_central_difference_of_gradients_along_a_direction(
    name, place, case, seed
):
    arrays = values(name, case, seed)
    away_from_kinks(case, arrays)

    directions = [like(array, seed + 1) for array in arrays]

    def weighted(step):
        moved = [a + step * d for a, d in zip(arrays, directions, strict=True)]
        found = gradients(case, moved, seed)
        return sum(float(np.sum(like(g, seed + i) * g.data)) for i, g in enumerate(found))

    (measured,) = differences.gradient(weighted, [0.0])
    inputs = leaves(arrays)
    y = case.function(*inputs)
    first = mg.grad(y, inputs, like(y, seed), create_graph=True)
    total = sum((mg.sum(like(g, seed + i) * g) for i, g in enumerate(first)), mg.Tensor(0.0))
    found = mg.grad(total, inputs, allow_unused=True) if total.requires_grad else []
    slope = sum(np.sum(d * g.data) for d, g in zip(directions, found) if g is not None)
    assert_close(slope, measured, 1e-7)


@every_case
def test_gradient_has_shape_and_dtype_of_its_input(name, place, case):
    drawn = values(name, case, 0)
    for dtypes in product(DTYPES, repeat=min(2, len(drawn))):
        arrays = [array.astype(dtypes[i % 2 % len(dtypes)]) for i, array in enumerate(drawn)]
        for create_graph in (False, True):
            for g, array in zip(gradients(case, arrays, 0, create_graph), arrays, strict=True):
                assert (g.shape, g.dtype) == (array.shape, array.dtype), dtypes


@every_case
def test_value_and_gradient_in_narrow_floats_are_the_wide_ones_rounded(name, place, case):
    for dtype in (np.float16, np.float32):
        arrays = [array.astype(dtype) for array in values(name, case, 0)]
        wide = [array.astype(float) for array in arrays]
        y = case.function(*leaves(arrays))
        assert y.dtype == (float if name == "astype" else dtype)
        tolerance = 16 * np.finfo(dtype).eps
        assert_close(y.data.astype(float), case.reference(*wide), tolerance)
        for g, exact in zip(gradients(case, arrays, 0), gradients(case, wide, 0), strict=True):
            assert_close(g.data.astype(float), exact.data, tolerance)


@every_case
def test_gradient_with_a_graph_is_bit_equal_to_the_one_without(name, place, case):
    seed = 5
    arrays = values(name, case, seed)
    plain, recorded = (gradients(case, arrays, seed, graph) for graph in (False, True))
    for a, b in zip(plain, recorded, strict=True):
        assert a.data.tobytes() == b.data.tobytes()


@every_case
def test_backward_leaves_what_grad_gives(name, place, case):
    seed = 5
    arrays = values(name, case, seed)
    inputs = leaves(arrays)
    y = case.function(*inputs)
    y.backward(like(y, seed))
    for input, g in zip(inputs, gradients(case, arrays, seed), strict=True):
        assert input.grad.tobytes() == g.data.tobytes()


def fortran(array):
    return array.copy(order="F")


def strided(array):
    """Give a view with gaps between the entries, of an array with the same entries."""
    wide = np.full([2 * n for n in array.shape], np.nan)
    view = wide[(..., *(slice(None, None, 2),) * array.ndim)]
    view[...] = array
    return view


def frozen(array):
    array = array.copy()
    array.setflags(write=False)
    return array


def flipped(array):
    return np.flip(np.flip(array).copy())


@every_case
@pytest.mark.parametrize("layout", [fortran, strided, frozen, flipped])
def test_memory_layout_changes_nothing(name, place, case, layout):
    arrays = values(name, case, 0)
    laid_out = [layout(array) for array in arrays]
    found = gradients(case, laid_out, 0, copy=False)
    for g, expected in zip(found, gradients(case, arrays, 0), strict=True):
        assert_close(g.data, expected.data, 1e-14)


@every_case
def test_inputs_are_not_written(name, place, case):
    arrays = values(name, case, 0)
    kept = [array.copy() for array in arrays]
    y = case.function(*leaves(arrays, copy=False))
    y.backward(like(y, 0))
    for array, before in zip(arrays, kept, strict=True):
        assert np.array_equal(array, before)


@every_case
def test_result_is_read_only(name, place, case):
    y = case.function(*leaves(values(name, case, 0)))
    with pytest.raises(ValueError, match="read-only"):
        y.data[...] = 0


# Ops without a derivative


@pytest.mark.parametrize("name", CONSTANTS)
def test_op_without_derivative_gives_a_constant(name):
    reference, inputs = CONSTANTS[name]
    tensors = [mg.Tensor(x, requires_grad=x.dtype == float) for x in inputs]
    y = op_named(name)(*tensors)
    assert isinstance(y, mg.Tensor)
    assert not y.requires_grad
    assert y.op is None
    assert np.array_equal(y.data, reference(*inputs))
    assert y.dtype == reference(*inputs).dtype


@pytest.mark.parametrize("dtype", [int, bool, np.uint8])
def test_conversion_to_integers_gives_a_constant(dtype):
    y = mg.Tensor([1.5, 0.0], requires_grad=True).astype(dtype)
    assert not y.requires_grad
    assert y.dtype == dtype


# Declarations


def recorded_node(name, case):
    y = case.function(*leaves(values(name, case, 3)))
    return next(node for node in mg.Graph(y).nodes if node.op and node.op.name == name)


# Adjoints that are not called by a user, and whose texts no drawing shows.
WITHOUT_TEXTS = {"spread", "softmax_error"}


def test_every_formula_of_a_fixed_input_has_a_text():
    for op in set(TABLE):
        if op.name not in WITHOUT_TEXTS:
            wanted = {n for n, vjp in zip(op.input_names, op.vjps) if vjp is not None}
            assert wanted <= op.texts.keys(), op


def test_texts_speak_of_inputs_or_the_output():
    for op in set(TABLE):
        assert op.texts.keys() <= {*op.input_names, "y"}, op


def vocabulary(inputs):
    """What the texts may say, besides operators and array methods."""
    z = inputs.get("z", np.ones((1, 1)))
    return {
        "exp": np.exp, "log": np.log, "sin": np.sin, "cos": np.cos, "sign": np.sign,
        "abs": np.abs, "sum": np.sum, "where": np.where,
        "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
        "softmax": lambda x: np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True),
        "softmax_nll": lambda z, t: (np.log(np.exp(z).sum(1)) - z[np.arange(len(t)), t]).mean(),
        "onehot": lambda t: np.eye(z.shape[1])[t],
        "n": len(z),
        "spread": lambda g: np.broadcast_to(g, inputs["x"].shape),
        "share": lambda g, where: where * (g / _count(where, g)),
    }  # fmt: skip


def _count(mask, like):
    axes = tuple(i for i, n in enumerate(like.shape) if n == 1 != mask.shape[i])
    return mask.sum(axis=axes, keepdims=True)


@every_case
def test_texts_say_what_the_op_computes(name, place, case):
    if name in WITHOUT_TEXTS or op_named(name).each is not None:
        return
    node = recorded_node(name, case)
    op, attributes = node.op, node.attributes
    raw = list(node.values)
    inputs = dict(zip(op.input_names, raw, strict=True))
    y, g = node.data, like(node, 0)
    seen = {"y": y, "g": g}
    if "keepdims" in attributes and not attributes["keepdims"] and raw[0].ndim:
        axis = attributes["axis"]  # the texts leave out that reduced axes are put back
        axis = tuple(range(raw[0].ndim)) if axis is None else axis
        seen = {name: np.expand_dims(value, axis) for name, value in seen.items()}
    names = {**vocabulary(inputs), **inputs, **attributes, **seen}
    for target, text in op.texts.items():
        source = text.format(**{name: f"({name})" for name in names}).replace("ᵀ", ".mT")
        if name == "scalar_power" and target == "x" and attributes["exponent"] == 0:
            continue  # the formula says 0 there; the text would read x ** -1
        written = eval(source, {}, names)
        slot = None if target == "y" else op.input_names.index(target)
        if slot is None:
            computed = y
        elif op.vjps[slot] is None:
            computed = raw[slot]  # what an input without a formula holds
        else:
            computed = op.vjps[slot](g, y, *raw, **attributes)
        if name == "transpose" and attributes["axes"] is not None:
            continue  # ᵀ stands for the axes that the drawing writes beside it
        assert_close(written, computed, 1e-13)


def test_kinks_are_where_the_gap_is_zero():
    x = np.array([-1.0, 0.0, 2.0])
    assert np.array_equal(op_named("relu").kinks[0].gap(x) == 0, [False, True, False])
    assert np.array_equal(op_named("abs").kinks[0].gap(x) == 0, [False, True, False])
    for name in ("maximum", "minimum"):
        assert np.array_equal(op_named(name).kinks[0].gap(x, x[::-1]) == 0, [False, True, False])
    for name in ("max", "min"):
        gap = op_named(name).kinks[0].gap
        assert np.array_equal(gap(np.array([[1.0, 1.0], [1.0, 2.0]]), axis=1) == 0, [True, False])
