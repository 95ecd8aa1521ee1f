"""Ops that a user adds: right ones work at every order, wrong ones are named."""

import numpy as np
import pytest

import minigraph as mg
from minigraph.numpy_rules import RULES
from minigraph.testing import check_gradients


def leaf(x, **options):
    return mg.Tensor(x, requires_grad=True, **options)


def identity(vjp, **options):
    return mg.Op(lambda x: x * 1, x=vjp, **{"name": "custom", **options})


cube = mg.Op(lambda x: x**3, x=lambda g, y, x: g * 3 * x**2, name="cube")


def test_one_statement_adds_an_op_with_every_order():
    x = leaf(2.0)
    y = cube(x)
    first = mg.grad(y, x, create_graph=True)
    second = mg.grad(first, x, create_graph=True)
    assert [y.item(), first.item(), second.item(), mg.grad(second, x).item()] == [8, 12, 12, 6]
    assert y.op is cube
    assert isinstance(cube(np.array([2.0])), np.ndarray)


def test_attributes_are_keyword_only_parameters():
    def scale(x, *, by=2.0, plus):
        return x * by + plus

    op = mg.Op(scale, x=lambda g, y, x, by, plus: g * by)
    x = leaf([1.0, 2.0])
    y = op(x, plus=1.0)
    assert y.op.name == "scale"
    assert y.attributes == {"by": 2.0, "plus": 1.0}
    assert np.array_equal(y.data, [3, 5])
    assert np.array_equal(mg.grad(op(x, by=5.0, plus=0.0).sum(), x).data, [5, 5])
    with pytest.raises(TypeError, match="plus"):
        op(x)
    with pytest.raises(TypeError, match="nonsense"):
        op(x, plus=1.0, nonsense=2)


def test_number_of_inputs_is_checked():
    for arguments in ((), (leaf(1.0), 2.0)):
        with pytest.raises(TypeError, match="cube"):
            cube(*arguments)


def test_inputs_without_formula_get_no_gradient():
    op = mg.Op(lambda a, b: a * b, a=lambda g, y, a, b: g * b, b=None, name="half")
    a, b = leaf(2.0), leaf(3.0)
    op(a, b).backward()
    assert a.grad == 3
    assert b.grad is None
    assert not op(2.0, b).requires_grad


def test_op_of_any_number_of_inputs():
    op = mg.Op(
        lambda *terms: sum(i * t for i, t in enumerate(terms)),
        each=lambda i: (lambda g, y, *terms: i * g) if i else None,
        name="weighted",
    )
    a, b, c = leaf(1.0), leaf(1.0), leaf(1.0)
    y = op(a, b, c)
    assert y.item() == 3
    assert [None if g is None else g.item() for g in mg.grad(y, [a, b, c], allow_unused=True)] == [
        None, 1, 2,
    ]  # fmt: skip
    assert isinstance(op(1.0, 2.0), float)


def test_op_from_a_ufunc_without_a_rule_answers_for_it(monkeypatch):
    monkeypatch.delitem(RULES, np.arctan)
    op = mg.Op(np.arctan, x=lambda g, y, x: g / (1 + x * x))
    x = leaf([0.5, 2.0])
    y = np.arctan(x)
    assert y.op is op
    assert check_gradients(np.arctan, x.data).ok


def test_broadcasting_is_undone_only_where_it_is_declared():
    def times(**options):
        return mg.Op(
            lambda a, b: a * b,
            a=lambda g, y, a, b: g * b,
            b=lambda g, y, a, b: g * a,
            name="times",
            **options,
        )

    a, b = leaf(np.ones(3)), leaf(np.ones((2, 3)))
    assert np.array_equal(mg.grad(times(broadcasts=True)(a, b).sum(), a).data, [2, 2, 2])
    with pytest.raises(ValueError, match=r"times.*\ba\b.*2, 3.*3"):
        times()(a, b).sum().backward()


# What formulas give back


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize(
    "wrong",
    [
        lambda g, y, x: g.sum(),
        lambda g, y, x: g[:, None],
        lambda g, y, x: g[:1],
        lambda g, y, x: g.reshape(1, -1),
    ],
)
def test_wrong_shape_is_named_by_op_input_expected_and_given(wrong, create_graph):
    x = leaf([1.0, 2.0], name="weights")
    y = identity(wrong)(x)
    with pytest.raises(ValueError, match=r"custom.*\bx\b.*float64.*expected float64\[2\].*weights"):
        mg.grad(y, x, [1.0, 1.0], create_graph=create_graph)
    with pytest.raises(ValueError, match="custom"):
        y.backward([1.0, 1.0])
    assert x.grad is None


@pytest.mark.parametrize("dtype", [np.float64, np.float16, int, bool, complex])
@pytest.mark.parametrize("create_graph", [False, True])
def test_wrong_dtype_is_named(dtype, create_graph):
    def wrong(g, y, x):
        return g.astype(dtype) if dtype is not complex else np.ones(2, complex)

    x = leaf(np.float32([1.0, 2.0]))
    y = identity(wrong)(x)
    with pytest.raises(TypeError, match=r"custom.*float32"):
        mg.grad(y, x, np.float32([1, 1]), create_graph=create_graph)


@pytest.mark.parametrize("wrong", [None, 1.0, [1.0, 1.0], (1.0, 1.0), "g"], ids=repr)
@pytest.mark.parametrize("create_graph", [False, True])
def test_what_is_no_array_is_named(wrong, create_graph):
    x = leaf([1.0, 2.0])
    y = identity(lambda g, y, x: wrong)(x)
    with pytest.raises(TypeError, match=rf"custom.*{type(wrong).__name__}"):
        mg.grad(y, x, [1.0, 1.0], create_graph=create_graph)


def test_formula_may_give_a_plain_array_in_a_recorded_sweep():
    x = leaf([1.0, 2.0])
    y = identity(lambda g, y, x: np.array([3.0, 4.0]))(x)
    g = mg.grad(y, x, [1.0, 1.0], create_graph=True)
    assert isinstance(g, mg.Tensor)
    assert np.array_equal(g.data, [3, 4])


def test_formula_may_give_back_its_cotangent_or_an_input():
    for vjp, expected in [(lambda g, y, x: g, [5, 7]), (lambda g, y, x: x, [1, 2])]:
        x, z = leaf([1.0, 2.0]), leaf([1.0, 2.0])
        op, seed = identity(vjp), np.array([5.0, 7.0])
        (op(x) + op(z)).backward(seed)
        for t in (x, z):
            assert np.array_equal(t.grad, expected)
            assert not any(np.shares_memory(t.grad, a) for a in (seed, t.data))
        assert not np.shares_memory(x.grad, z.grad)


def test_formula_that_gives_a_global_array_does_not_hand_it_out():
    constant = np.array([3.0, 4.0])
    op = identity(lambda g, y, x: constant)
    x, z = leaf([1.0, 2.0]), leaf([1.0, 2.0])
    for _ in range(2):
        (op(x) + op(z) + op(x)).backward([1.0, 1.0])
    x.grad += 1
    assert np.array_equal(constant, [3, 4])
    assert np.array_equal(z.grad, [6, 8])
    assert np.array_equal(x.grad, [13, 17])


def test_formula_that_writes_into_its_cotangent_does_no_harm():
    def doubling(g, y, x):
        g *= 2
        return g

    op = identity(doubling)
    x, z = leaf([1.0, 2.0]), leaf([1.0, 2.0])
    seed = np.array([1.0, 1.0])
    y = op(x) + op(z)
    try:
        y.backward(seed)
    except (RuntimeError, ValueError, TypeError):  # refused: as good as done right
        assert x.grad is None
    else:
        assert np.array_equal(x.grad, [2, 2])
        assert np.array_equal(z.grad, [2, 2])
    assert np.array_equal(seed, [1, 1])


# What functions give back


def test_function_that_gives_back_its_input_shares_the_clock_of_its_writes():
    op = mg.Op(lambda x: x, x=lambda g, y, x: g, name="same")
    x = leaf([1.0, 2.0])
    y = op(x)
    z = y * y
    with pytest.raises(ValueError, match="read-only"):
        y.data[0] = 5
    x.data[0] = 1.0  # the leaf's own array is not frozen by it
    with mg.no_grad():
        x += 1
    with pytest.raises(RuntimeError):
        z.backward([1.0, 1.0])


def test_function_that_gives_a_global_array_does_not_freeze_it():
    table = np.array([3.0, 4.0])
    op = mg.Op(lambda x: table, x=lambda g, y, x: 0 * g, name="lookup")
    y = op(leaf([1.0, 2.0]))
    table[0] = 5
    assert not y.data.flags.writeable


@pytest.mark.parametrize(
    "wrong", [None, "text", [1.0], (np.ones(2),), 1j, np.array(["a"])], ids=repr
)
def test_function_that_gives_no_array_of_numbers_is_named(wrong):
    op = mg.Op(lambda x: wrong, x=lambda g, y, x: g, name="odd")
    with pytest.raises(TypeError, match="odd"):
        op(leaf(1.0))


@pytest.mark.parametrize("number", [2.0, 3, True, np.float32(2)])
def test_function_may_give_a_number(number):
    op = mg.Op(lambda x: number, x=lambda g, y, x: 0 * g, name="number")
    y = op(leaf(np.asarray(1.0, getattr(number, "dtype", float))))
    assert y.shape == ()
    assert y.requires_grad == (np.asarray(number).dtype.kind == "f")


def test_function_with_integer_results_gives_a_constant():
    op = mg.Op(lambda x: x.astype(int), x=lambda g, y, x: g, name="whole")
    assert not op(leaf([1.5])).requires_grad


def test_an_error_of_the_function_names_the_op_and_the_shapes():
    def picky(x):
        raise ValueError("no good")

    op = mg.Op(picky, x=lambda g, y, x: g)
    with pytest.raises(ValueError, match=r"no good\n.*picky.*\(2,\).*given"):
        op(leaf([1.0, 2.0], name="given"))


# Declarations


def test_formulas_that_do_not_match_the_inputs_are_refused():
    formula = lambda g, y, *rest: g
    for declare in (
        lambda: mg.Op(lambda a, b: a, a=formula),
        lambda: mg.Op(lambda a, b: a, b=formula, a=formula),
        lambda: mg.Op(lambda a: a, a=formula, b=formula),
        lambda: mg.Op(lambda a: a),
        lambda: mg.Op(np.arctan2, x=formula),
        lambda: mg.Op(lambda *a: a[0]),
        lambda: mg.Op(lambda *a: a[0], a=formula),
        lambda: mg.Op(lambda a: a, each=lambda i: formula),
    ):
        with pytest.raises(TypeError):
            declare()


def test_repr_names_inputs_and_attributes():
    op = mg.Op(lambda a, b, *, axis=0: a, a=None, b=None, name="pair")
    assert repr(op) == "<Op pair(a, b, axis)>"
