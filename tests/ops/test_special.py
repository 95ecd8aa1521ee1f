"""SciPy's special functions on Tensors: the laws of the table, and values that are known."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("scipy", reason="SciPy is not installed: pip install -e '.[test]'")

import scipy.special

import minigraph as mg
from minigraph import special
from minigraph.ops.special import TABLE
from minigraph.testing import laws, mutate
from minigraph.testing.mutation import drawn_calls, mutants
from minigraph.testing.strategies import calls
from tests.counts import examples, share

LAWS = [
    laws.gradient_is_the_slope, laws.gradient_has_shape_and_dtype_of_its_input,
    laws.graph_changes_no_bit, laws.gradient_of_the_gradient_is_its_slope,
]  # fmt: skip
each_op = pytest.mark.parametrize("op", TABLE, ids=lambda op: op.name)


def leaf(x, **options):
    return mg.Tensor(x, requires_grad=True, **options)


def scipy_s(op):
    """SciPy's own function, the inputs first."""
    if op.name == "polygamma":
        return lambda x, n: scipy.special.polygamma(n, x)
    return getattr(scipy.special, op.name)


def ends():
    return [(laws.ends_of_domains_are_as_promised, op) for op in TABLE if op.name in laws.ENDS]


@pytest.mark.parametrize(
    ("law", "op"),
    [*itertools.product(LAWS, TABLE), *ends()],
    ids=lambda value: getattr(value, "name", value.__name__),
)
@examples(2, thorough=250)
@given(data=st.data(), seed=st.integers(0, 2**32 - 1))
def test_law_holds(law, op, data, seed):
    law(data.draw(calls(op)), seed)


@each_op
def test_value_is_scipy_s_and_its_ufuncs_record_by_themselves(op):
    for program in drawn_calls(op, 4):
        inputs = list(program.inputs.values())
        y = program(*map(leaf, inputs))
        expected = scipy_s(op)(*inputs, **y.attributes)
        assert (y.op, y.shape, y.dtype) == (op, expected.shape, float)
        np.testing.assert_allclose(y.data, expected, rtol=1e-14)
        if isinstance(op.function, np.ufunc):
            found = scipy_s(op)(*map(leaf, inputs))
            assert found.op is op
            assert np.array_equal(found.data, y.data)


@each_op
def test_text_says_what_the_formula_computes(op):
    for program in drawn_calls(op, 4):
        node = program(*map(leaf, program.inputs.values()))
        named = dict(zip(op.input_names, node.values, strict=True))
        assert named.keys() == op.texts.keys()
        words = {**vars(np), **vars(scipy.special), **named, **node.attributes, "y": node.data}
        g = words["g"] = np.linspace(1, 2, node.size).reshape(node.shape)
        for name, formula in zip(op.input_names, op.vjps, strict=True):
            said = eval(op.texts[name].format(**{word: word for word in words}), {}, words)
            computed = formula(g, node.data, *node.values, **node.attributes)
            np.testing.assert_allclose(said, computed, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("op", share(TABLE, 8), ids=lambda op: op.name)
def test_no_mutant_survives(op):
    programs = drawn_calls(op, 20)
    assert [m.name for m in mutants(op, programs) if not mutate.killer(m, programs)] == []


EULER = 0.57721566490153286
KNOWN = [  # the call, its value, its slope
    ("erf(0.0)", 0, 2 / math.sqrt(math.pi)),
    ("erfc(1.0)", 0.15729920705028513, -2 / math.sqrt(math.pi) / math.e),
    ("erfcx(0.0)", 1, -2 / math.sqrt(math.pi)),
    ("ndtr(0.0)", 0.5, 1 / math.sqrt(2 * math.pi)),
    ("log_ndtr(0.0)", -math.log(2), math.sqrt(2 / math.pi)),
    ("gamma(5.0)", 24, 24 * (1 + 1 / 2 + 1 / 3 + 1 / 4 - EULER)),
    ("gamma(-0.5)", -2 * math.sqrt(math.pi),
     -2 * math.sqrt(math.pi) * (2 - EULER - 2 * math.log(2))),
    ("gammaln(1.0)", 0, -EULER),
    ("psi(1.0)", -EULER, math.pi**2 / 6),
    ("polygamma(1, 0.5)", math.pi**2 / 2, -14 * 1.2020569031595942),
    ("beta(2.0, 3.0)", 1 / 12, -float(Fraction(1, 12) * (Fraction(1, 2) + Fraction(1, 3) +
                                                        Fraction(1, 4)))),
    ("betaln(1.0, 1.0)", 0, -1),
    ("expit(0.0)", 0.5, 0.25),
    ("log_expit(0.0)", -math.log(2), 0.5),
    ("logit(0.5)", 0, 4),
    ("xlogy(2.0, 3.0)", 2 * math.log(3), math.log(3)),
    ("xlog1py(2.0, 3.0)", 2 * math.log(4), math.log(4)),
    ("entr(1.0)", 0, -1),
]  # fmt: skip


@pytest.mark.parametrize(("call", "value", "slope"), KNOWN, ids=[call for call, _, _ in KNOWN])
def test_known_value_and_slope_of_the_first_float(call, value, slope):
    name, _, arguments = call.rstrip(")").partition("(")
    given = eval(f"[{arguments}]")
    x = leaf(next(a for a in given if isinstance(a, float)))
    y = getattr(special, name)(*[x if a == x.item() and isinstance(a, float) else a for a in given])
    assert y.item() == pytest.approx(value, rel=1e-14, abs=1e-15)
    if name != "betaln":  # both of its inputs are x
        assert mg.grad(y, x).item() == pytest.approx(slope, rel=1e-14)


def test_slopes_far_out_neither_overflow_nor_vanish():
    x = leaf([-1e100, -40.0, 50.0])
    slope = mg.grad(special.log_ndtr(x).sum(), x).data
    np.testing.assert_allclose(slope, [1e100, 40.024968872, 0], rtol=1e-9)
    x = leaf([-1000.0, 1000.0])
    assert np.array_equal(mg.grad(special.log_expit(x).sum(), x).data, [1, 0])
    a, b = leaf([0.0, 0.0]), leaf([0.0, 2.0])
    assert np.array_equal(special.xlogy(a, b).data, [0, 0])
    assert np.array_equal(mg.grad(special.xlogy(a, b).sum(), b).data, [0, 0])
    b = leaf([-1.0, 2.0])
    assert np.array_equal(mg.grad(special.xlog1py(a, b).sum(), b).data, [0, 0])


def test_between_the_poles_of_gamma_slopes_are_right():
    x = np.array([-0.5, -1.5, -2.25])
    for function in (special.gamma, special.gammaln, special.psi):
        mg.testing.check_gradients(function, x, seed=0)


def test_what_is_no_ufunc_in_scipy_is_here():
    x = leaf([[1.0, 2.0], [3.0, 5.0]])
    y = special.logsumexp(x, axis=1)
    np.testing.assert_allclose(y.data, scipy.special.logsumexp(x.data, axis=1), rtol=1e-15)
    np.testing.assert_allclose(special.softmax(x, axis=0).data, scipy.special.softmax(x.data, 0))
    assert special.polygamma(0, x).op is special.psi
    assert special.digamma is special.psi
    assert set(special.__all__) <= set(dir(scipy.special))


def test_ufunc_without_rule_says_so():
    with pytest.raises(TypeError, match=r"the ufunc j0 has no rule.*mg\.Op"):
        scipy.special.j0(leaf([1.0]))
    y = scipy.special.j0(mg.Tensor([0.0]))
    assert np.array_equal(y, [1])
