"""One named example for each mistake that was found by using the library."""

import contextvars

import numpy as np
import pytest

import minigraph as mg
from minigraph import calls, nn, optim


def leaf(data, **options):
    return mg.Tensor(data, requires_grad=True, **options)


WORDS = [
    "out", "node", "mode", "flow", "op", "function", "new", "tick", "Tensor", "error", "values",
    "shared_clock", "by_flow", "no_attributes", "ndarray", "plain", "defaults", "operand", "call",
    "type", "dict", "Exception", "inputs", "attributes",
]  # fmt: skip


@pytest.mark.parametrize("word", WORDS)
def test_an_input_may_have_any_name(word):
    """The written-out call once used some of these names itself: `out` gave 192, not 12."""
    scope = {"mg": mg}
    exec(f"cube = mg.Op(lambda {word}: {word} ** 3, name='cube',"
         f" {word}=lambda g, y, x: g * 3 * x**2)", scope)  # fmt: skip
    x = leaf([2.0])
    assert mg.grad(scope["cube"](**{word: x}), x).data == 12


def test_names_of_the_written_call_are_refused_to_inputs():
    with pytest.raises(TypeError, match="_x"):
        mg.Op(lambda x, _x: x * _x, x=lambda g, y, a, b: g * b, _x=lambda g, y, a, b: g * a)
    written = [line.strip() for line in calls._CALL.splitlines() if " = " in line]
    assert all(line.startswith("_") for line in written)


def test_an_input_with_a_default_is_refused():
    with pytest.raises(TypeError, match="make it an attribute"):
        mg.Op(lambda x, b=2.0: x * b, x=lambda g, y, x, b: g * b, b=None)


@pytest.mark.parametrize(
    "inner",
    [
        lambda x: np.where(x > 0, x, 0.0),
        lambda x: np.maximum(x, 0.0),
        lambda x: -np.minimum(-x, 0.0),
        lambda x: x.clip(0.0, 10.0),
    ],
)
def test_an_infinite_slope_does_not_come_through_a_branch_that_was_not_taken(inner):
    x = leaf([-1.0, 4.0])
    with np.errstate(divide="ignore", invalid="ignore"):
        assert np.array_equal(mg.grad(np.sqrt(inner(x)).sum(), x).data, [0, 0.25])


def test_second_derivative_of_a_power_at_exponent_zero():
    a, b = leaf(2.0), leaf(0.0)
    by_a, by_b = mg.grad(a**b, [a, b], create_graph=True)
    assert mg.grad(by_a, b).item() == 0.5
    assert mg.grad(by_b, a).item() == 0.5


def test_a_boolean_exponent_keeps_the_dtype():
    x = leaf([2.0, 3.0], dtype=np.float32)
    assert mg.grad((x ** np.array([True, False])).sum(), x).dtype == np.float32


@pytest.mark.parametrize("combine", [lambda a, x: a * x, lambda a, x: np.ma.exp(x)])
def test_a_masked_array_never_makes_a_constant_of_a_tensor(combine):
    with pytest.raises(TypeError):
        combine(np.ma.array([1.0, 2.0]), leaf([3.0, 4.0]))


def test_weights_of_bincount_are_no_silent_constant():
    with pytest.raises(TypeError, match="bincount"):
        np.bincount([0, 1, 1], weights=leaf([1.0, 2.0, 3.0]))


def test_elastic_net_takes_numbers_as_weights():
    with pytest.raises(ValueError, match="numbers"):
        mg.elastic_net(leaf([1.0, -2.0]), np.array([0.1, 0.2]), 0.0)


def test_a_block_left_in_another_context_does_not_destroy_the_mode():
    def generator():
        with mg.no_grad():
            yield

    suspended = generator()
    contextvars.copy_context().run(next, suspended)
    suspended.close()
    assert (leaf(1.0) * 2).requires_grad


def test_foreign_byte_order_becomes_the_machine_s_own():
    x = leaf(np.arange(3.0).astype(">f8"))
    assert x.dtype.isnative
    v = x.reshape(-1)
    (v * v).sum().backward()
    assert np.array_equal(x.grad, [0, 2, 4])


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint64, np.int64])
def test_labels_may_be_of_any_integer_type(dtype):
    z = leaf([[0.0, 0.0], [0.0, 0.0]])
    mg.softmax_nll(z, np.array([0, 1], dtype)).backward()
    assert np.array_equal(z.grad, [[-0.25, 0.25], [0.25, -0.25]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_linear_refuses_biases_that_do_not_fit(dtype):
    x, W = leaf(np.ones((2, 3)), dtype=np.float32), leaf(np.ones((3, 1)), dtype=np.float32)
    with pytest.raises(ValueError, match="linear"):
        mg.linear(x, W, np.ones(3, dtype))


@pytest.mark.parametrize(
    "data", [np.array([1 + 2j]), ["1.5"], [None], np.array("2020", "M8[D]")], ids=str
)
def test_dtype_does_not_let_refused_data_in(data):
    with pytest.raises(TypeError, match="floats, integers and booleans"):
        mg.Tensor(data, dtype=float)


@pytest.mark.parametrize("value", [np.array([1j, 2]), ["3", "4"]], ids=str)
def test_a_write_does_not_let_refused_data_in(value):
    t = mg.Tensor([1.0, 2.0])
    with pytest.raises(TypeError, match="floats, integers and booleans"):
        t[:] = value
    with pytest.raises(TypeError, match="floats, integers and booleans"):
        t.data = value
    assert np.array_equal(t.data, [1, 2])


def test_copy_false_refuses_to_convert():
    with pytest.raises(ValueError, match="copy=False"):
        mg.Tensor(np.ones(2), dtype=np.float32, copy=False)


def test_gradient_of_a_mean_of_many_halves_is_not_zero():
    x = leaf(np.zeros(70_000), dtype=np.float16)
    x.mean().backward()
    assert x.grad[0] == np.float16(1 / 70_000)


def test_gradients_of_one_input_asked_for_twice_share_no_memory():
    w = leaf([1.0, 2.0])
    first, second = mg.grad((w + w).sum(), [w, w])
    first += 1
    assert np.array_equal(second.data, [2, 2])


def test_a_recorded_gradient_does_not_share_the_seed():
    w, seed = leaf([1.0, 2.0]), np.ones(2)
    g = mg.grad(w + 0, w, seed, create_graph=True)
    assert not np.shares_memory(g.data, seed)


def test_sgd_refuses_a_parameter_given_twice():
    w = leaf([1.0])
    with pytest.raises(ValueError, match="twice"):
        optim.SGD([w, w], lr=0.1)


@pytest.mark.parametrize("symbol", ["+", "-", "*", "/", "**", "//", "%", "@", "&", "|", "^"])
def test_every_operator_in_place_writes_and_is_refused_where_a_gradient_would_be_lost(symbol):
    kind = bool if symbol in "&|^" else float
    t = mg.Tensor(np.eye(2), dtype=kind)
    same, scope = t, {"t": t, "a": np.eye(2).astype(kind)}
    exec(f"t {symbol}= a", scope) if symbol not in ("/", "//", "%") else exec(
        f"t {symbol}= 2.0", scope
    )
    assert scope["t"] is same
    if kind is float:
        with pytest.raises(RuntimeError, match="no_grad"):
            exec(f"t {symbol}= 2.0", {"t": leaf(np.eye(2))})


def test_where_without_branches_says_what_to_write():
    with pytest.raises(TypeError, match="nonzero"):
        np.where(leaf([1.0, -1.0]) > 0)


def test_a_text_is_no_index():
    with pytest.raises(IndexError, match="array"):
        leaf([1.0, 2.0])[[0, 1], "array"]


def test_a_product_with_a_number_says_what_to_write():
    with pytest.raises(ValueError, match=r"use \* in place of @"):
        leaf([1.0]) @ 3


def test_what_is_no_number_is_not_equal_and_has_no_order():
    x = leaf([1.0])
    assert (x == object()) is False
    assert (x != "x") is True
    with pytest.raises(TypeError):
        x < object()  # noqa: B015


def test_errors_of_the_loss_speak_of_logits_and_labels_only():
    model = nn.MLP((2, 3, 3), seed=0)
    with pytest.raises(ValueError, match=r"softmax_nll\(\(2, 3\), \(3,\)\): 2 rows"):
        nn.risk(model, np.ones((2, 2)), np.zeros(3, int))


def test_an_argument_of_numpy_s_that_is_not_known_says_so():
    with pytest.raises(TypeError) as caught:
        np.sum(leaf([1.0]), dtype=float)
    assert "dtype" in str(caught.value)
    assert "fewer arguments" in caught.value.__notes__[0]
    assert np.sum(leaf([1.0, 2.0]), out=None).item() == 3
