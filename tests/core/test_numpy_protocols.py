"""NumPy's functions on Tensors: recorded by a rule, or refused by name."""

import numpy as np
import pytest

import minigraph as mg


def leaf(x=(1.0, 2.0, 3.0)):
    return mg.Tensor(x, requires_grad=True, name="t")


WITHOUT_RULE = {
    "np.i0": np.i0, "np.polyint": np.polyint, "np.polyder": np.polyder, "np.unwrap": np.unwrap,
    "np.vander": np.vander, "np.spacing": np.spacing, "np.fft.fft": np.fft.fft,
    "np.poly": np.poly, "np.float_power": lambda t: np.float_power(t, 2),
    "np.maximum.reduce": np.maximum.reduce, "np.add.accumulate": np.add.accumulate,
    "np.multiply.outer": lambda t: np.multiply.outer(t, t),
    "np.geomspace": lambda t: np.geomspace(1, t, 3),
}  # fmt: skip


@pytest.mark.parametrize(("name", "function"), WITHOUT_RULE.items(), ids=WITHOUT_RULE)
def test_function_without_a_rule_is_refused_by_name_exactly_where_a_gradient_would_be_lost(
    name, function
):
    with pytest.raises(TypeError) as caught:
        function(leaf())
    assert name.split(".", 1)[1] in str(caught.value)
    assert "t.data" in str(caught.value)
    constant = mg.Tensor([1.0, 2.0, 3.0])
    np.testing.assert_array_equal(
        getattr(result := function(constant), "data", result), function(constant.data)
    )


def test_tensor_hidden_in_an_argument_is_found():
    t = leaf()
    for call in (
        lambda: np.histogramdd([np.ones(3), t]),
        lambda: np.polymul(np.ones(3), t),
        lambda: np.i0(x=t),
        lambda: np.piecewise(np.ones(3), [np.ones(3, bool)], [t]),
    ):
        with pytest.raises(TypeError):
            call()


def test_asarray_is_refused_exactly_where_a_gradient_would_be_lost():
    t = leaf()
    for convert in (np.asarray, np.array, np.ascontiguousarray, lambda t: np.array([t, t])):
        with pytest.raises(TypeError, match=r"t\.data|gradient"):
            convert(t)
        assert np.array_equal(np.ravel(convert(t.detach()))[:3], [1, 2, 3])
    assert np.asarray(t.detach(), dtype=np.float32).dtype == np.float32


def test_out_is_refused():
    t, array = leaf(), np.zeros(3)
    for call in (
        lambda: np.add(t, 1, out=array),
        lambda: np.exp(array, out=t),
        lambda: np.sum(t, out=np.zeros(())),
        lambda: np.concatenate([t, t], out=np.zeros(6)),
    ):
        with pytest.raises(TypeError, match="out="):
            call()
    with pytest.raises(TypeError, match="out="):
        array += t
    assert np.array_equal(array, [0, 0, 0])


@pytest.mark.parametrize(
    "call",
    [
        lambda t: np.add(t, 1, where=np.array([True, False, True])),
        lambda t: np.exp(t, dtype=np.float32),
        lambda t: np.sum(t, dtype=np.float32),
        lambda t: np.sum(t, initial=1.0),
        lambda t: np.reshape(t, (3, 1), order="F"),
        lambda t: np.add(t),
        lambda t: np.where(t),
    ],
)
def test_options_that_a_rule_does_not_know_are_refused_not_ignored(call):
    with pytest.raises(TypeError):
        call(leaf())


def test_value_functions_just_work():
    t = leaf()
    assert np.shape(t) == (3,)
    assert np.ndim(t) == 1
    assert np.size(t) == 3
    assert np.allclose(t, [1, 2, 3])
    assert np.array_equal(t, [1, 2, 3])
    assert not np.may_share_memory(t, np.ones(3))
    assert np.result_type(t, np.float32) == np.float64
    for like in (np.zeros_like, np.ones_like, np.empty_like):
        assert like(t).shape == (3,)
    assert np.array_equal(np.full_like(t, 7), [7, 7, 7])
    assert np.count_nonzero(t) == 3
    assert np.array_equal(np.argsort(-t), [2, 1, 0])
    assert np.array_equal(np.nonzero(t)[0], [0, 1, 2])
    assert np.array_equal(getattr(np.isfinite(t), "data", None), [True] * 3) or all(np.isfinite(t))
    assert bool(np.isnan(t).any()) is False
    assert np.isclose(t, 2.0).tolist() == [False, True, False]
    assert "1" in np.array2string(t)


def test_joining_functions_mix_tensors_and_arrays():
    t = leaf()
    for y in (
        np.concatenate([t, np.ones(2)]),
        np.concatenate([np.ones(2), t]),
        np.stack([np.ones(3), t]),
    ):
        assert isinstance(y, mg.Tensor)
        t.zero_grad()
        y.sum().backward()
        assert np.array_equal(t.grad, [1, 1, 1])


def test_where_takes_a_number_beside_a_tensor():
    t = leaf(np.float32([-1, 2, 3]))
    y = np.where(t > 0, t, 0)
    assert y.dtype == np.float32
    assert np.array_equal(y.data, [0, 2, 3])
    assert np.array_equal(mg.grad(y.sum(), t).data, [0, 1, 1])


def test_array_methods_of_numpy_scalars_and_arrays_give_tensors():
    t = leaf()
    for y in (
        np.float64(2) * t,
        np.ones(3) - t,
        np.ones((2, 3)) @ t,
        np.float32(1) / t,
        np.ones(3) ** t,
    ):
        assert isinstance(y, mg.Tensor)
        assert y.requires_grad
        assert y.dtype == np.float64


def test_masked_arrays_beside_tensors_are_refused():
    with pytest.raises(TypeError, match="mask"):
        leaf() * np.ma.masked_array([1.0, 2.0, 3.0], mask=[0, 1, 0])


@pytest.mark.parametrize(
    "operand",
    ["text", None, 1j, np.array([1j]), np.array(["a"]), object(), {"a": 1}],
    ids=lambda operand: repr(operand).partition(" at 0x")[0],
)
def test_operand_that_is_no_number_is_a_type_error(operand):
    with pytest.raises(TypeError):
        leaf() + operand
    with pytest.raises(TypeError):
        mg.multiply(leaf(), operand)


def test_list_of_tensors_beside_a_tensor_loses_no_gradient():
    t = leaf(1.0)
    with pytest.raises(TypeError):
        leaf() * [t, t, t]
