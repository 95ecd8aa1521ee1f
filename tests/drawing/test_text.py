"""Expressions, formulas and numbers, as a person would write them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minigraph as mg
from minigraph.drawing.numbers import BLOCK, norm, summary
from minigraph.drawing.text import Term, broken, expression, filled, number, written

# Expressions


def made(node, *operands):
    return expression(node, [Term(x, 3 if x.startswith("-") else 5) for x in operands]).text


def test_expressions_read_like_the_program():
    a = mg.Tensor(np.ones((2, 2)), requires_grad=True)
    assert made(a + a, "a", "b") == "a + b"
    assert made(a @ a, "a", "b") == "a @ b"
    assert made(-a, "a") == "-a"
    assert made(a**3, "a") == "a ** 3"
    assert made(a - 2.0, "a", "-2") == "a - (-2)"
    assert made(a.sum(axis=0), "a") == "sum(a, axis=0)"
    assert made(a.sum(axis=(0,)), "a") == "sum(a, axis=(0,))"
    assert made(a.sum(), "a") == "sum(a)"
    assert made(a[np.array([0, 1]), 0], "a", "v2") == "a[v2, 0]"
    assert made(a[-1], "-a") == "(-a)[-1]"
    assert made(mg.concatenate([a, a], axis=1), "a", "b") == "concatenate(a, b, axis=1)"
    assert made(a[1:, None, ..., ::2], "a") == "a[1:, None, ..., ::2]"


def test_a_text_that_does_not_fit_its_op_gives_the_plain_form():
    for text in ("{nothing}", "{", "{0}", "{x.nothing}"):
        op = mg.Op(lambda x: x, x=lambda g, y, x: g, name="copy_of", texts={"y": text})
        assert made(op(mg.Tensor(1.0, requires_grad=True)), "a") == "copy_of(a)"


def test_attributes_that_may_differ_between_runs_are_written_as_their_type():
    assert written(object()) == "object"
    assert written(np.ones(1000)) == "ndarray"
    assert written(np.float32(0.1)) == "0.1"
    assert written(123456) == "123456"


@pytest.mark.parametrize(
    ("template", "terms", "text"),
    [
        ("{a} @ {b} + {c}", ("x", "y", "z"), "x @ y + z"),
        ("{a} * {b}", (Term("x + 1", 1), "y"), "(x + 1) * y"),
        ("{a} * {b}", (Term("x @ w", 2), Term("u * v", 2)), "x @ w * (u * v)"),
        ("{a} + {b}", (Term("x + 1", 1), Term("y + 2", 1)), "x + 1 + y + 2"),
        ("{a} - {b}", (Term("x + 1", 1), Term("y + 2", 1)), "x + 1 - (y + 2)"),
        ("{a} - {b}", ("x", Term("-2", 3)), "x - (-2)"),
        ("-{a}", (Term("x + 1", 1),), "-(x + 1)"),
        ("-{a} * {b}", (Term("x * y", 2), "z"), "-(x * y) * z"),
        ("{a}ᵀ @ {b}", (Term("x + 1", 1), "z"), "(x + 1)ᵀ @ z"),
        ("{a} ** {b}", (Term("-2", 3), "z"), "(-2) ** z"),
        ("{a}.sum(axis=0)", (Term("x * y", 2),), "(x * y).sum(axis=0)"),
        ("f({a}, {b})", (Term("x + 1", 1), Term("-2", 3)), "f(x + 1, -2)"),
        ("where({a} > {b}, {c}, 0)", (Term("x + 1", 1), "y", Term("a == b", 0)),
         "where(x + 1 > y, a == b, 0)"),
    ],
)  # fmt: skip
def test_parentheses_stand_where_they_are_needed(template, terms, text):
    terms = [Term(x) if isinstance(x, str) else x for x in terms]
    assert filled(template, dict(zip("abc", terms))).text == text


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["{a} + {b}", "{a} - {b}", "{a} * {b}", "-{a}", "f({a} * {b})"]),
            st.integers(0, 9),
            st.integers(0, 9),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_a_text_put_into_another_keeps_its_value(steps):
    given = {"x": 3, "y": 5, "z": 7, "f": lambda x: 2 * x}
    texts, values = [Term(name) for name in "xyz"], [3, 5, 7]
    for template, i, j in steps:
        i, j = i % len(texts), j % len(texts)
        texts.append(filled(template, {"a": texts[i], "b": texts[j]}))
        parts = {"a": values[i], "b": values[j], "f": given["f"]}
        values.append(eval(template.format(a="a", b="b"), parts))
        assert eval(texts[-1].text, given) == values[-1]


def test_formulas_do_the_sums_that_a_person_does():
    x = mg.Tensor([3.0], requires_grad=True, name="x")
    assert "∂x = ∂v1 * (2 * x) " in str(mg.draw((x**2).sum(), backward=True))
    assert "∂x = ∂v1 * (3 * x ** 2) " in str(mg.draw((x**3).sum(), backward=True))
    assert "∂x = scatter(∂v1) " in str(mg.draw(x[0], backward=True))
    joined = mg.concatenate([np.ones(2), x])
    assert "∂x = split(∂v2, axis=0)[1] " in str(mg.draw(joined, backward=True))
    joined = mg.stack([x, np.ones(1)], axis=1)
    assert "∂x = unstack(∂v2, axis=1)[0] " in str(mg.draw(joined, backward=True))
    own = mg.Op(lambda x: 2 * x, x=lambda g, y, x: 2 * g, name="twice")
    assert "∂x = vjp_twice(∂v1) " in str(mg.draw(own(x).sum(), backward=True))


def test_long_texts_break_before_an_operator_near_their_middle():
    assert broken("a * sum(abs(W)) + b * sum(W ** 2)", 20) == [
        "a * sum(abs(W))",
        "+ b * sum(W ** 2)",
    ]
    assert broken("short", 20) == ["short"]
    assert broken("x" * 30, 20) == ["x" * 30]
    assert broken("", 20) == []


# Numbers


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (0, "0"), (-0.0, "0"), (1, "1"), (-2.5, "-2.5"), (0.1 + 0.2, "0.3"), (1 / 3, "0.333"),
        (1e-4, "0.0001"), (5e-5, "5e-5"), (-1.77e-7, "-1.77e-7"), (99.96, "100"), (1583.7, "1584"),
        (39250, "39250"), (999_999.7, "1e6"), (1.234e9, "1.23e9"), (float("nan"), "NaN"),
        (float("inf"), "inf"), (float("-inf"), "-inf"),
    ],
)  # fmt: skip
def test_numbers_are_written_as_a_person_does(x, text):
    assert number(x) == text


@given(st.floats(-1e300, 1e300))
def test_a_written_number_is_near_to_what_it_stands_for(x):
    assert float(number(x)) == pytest.approx(x, rel=6e-3, abs=0)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (3.14159, "3.14"),
        (7, "7"),
        (True, "True"),
        (np.float32(np.inf), "inf"),
        ([1.0, -2.0, 0.5], "1, -2, 0.5"),
        ([1.0, 1e-17], "1, 0"),
        (np.zeros((3, 3)), "all 0"),
        (np.full(5, 2.5), "all 2.5"),
        (np.arange(10), "0 … 9"),
        ([1, 2], "1, 2"),
        ([7, 7], "all 7"),
        ([True, False, True, True], "75% True"),
        ([False] * 3, "all False"),
        (np.zeros((0, 3)), "empty"),
        (np.array([[0.0, 0.0], [0.0, 4.0]]), "1 ± 1.73, 75% zero"),
        (np.tile([1.0, -1.0], 50) - 1.77e-7, "0 ± 1"),
        (1000 + np.tile([1.0, -1.0], 50), "1000 ± 1"),
        ([[np.nan, 1.0], [np.inf, 3.0]], "2 NaN/Inf, 2 ± 1"),
        ([np.nan, np.nan], "2 NaN/Inf"),
        ([np.nan, 1.0], "1 NaN/Inf, 1"),
        (np.tile([1e300, -1e300], 4), "0 ± inf"),
    ],
)
def test_values_in_words(values, text):
    assert summary(np.asarray(values)).text == text


@given(
    hnp.arrays(
        st.sampled_from([np.float16, np.float32, np.float64]),
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0),
        elements=st.floats(-100, 100, width=16),
    )
)
def test_the_norm_is_that_of_numpy(array):
    expected = np.linalg.norm(np.asarray(array, np.float64)) if array.ndim else float(array)
    assert norm(array) == pytest.approx(expected, rel=1e-12)


def test_large_arrays_are_read_in_blocks_whatever_their_layout():
    array = np.random.default_rng(0).normal(3, 2, (5, BLOCK // 2))
    array[2, 7] = np.nan
    for layout in (array, array.T, array[:, ::-2], np.asfortranarray(array)):
        finite = layout[np.isfinite(layout)]
        seen = summary(layout)
        assert seen.broken == 1
        assert seen.extremes == f"{number(finite.min())} … {number(finite.max())}"
        assert seen.text.endswith(f"± {number(finite.std())}")
    assert norm(np.full(3 * BLOCK, 2.0)) == pytest.approx(2 * np.sqrt(3 * BLOCK))
    assert norm(np.array([3e200, 4e200])) == pytest.approx(5e200)
    assert np.isnan(norm(array))


def test_arrays_of_other_libraries_are_not_computed_for_a_picture():
    da = pytest.importorskip("dask.array")
    x = mg.Tensor(da.ones((4, 2), chunks=2), requires_grad=True, name="x")
    text = str(mg.draw((x * x).sum(), grads=True))
    assert text.count("not computed") >= 3
