"""Writing in place: refused where a sweep still needs the old values, harmless elsewhere."""

import copy
import operator
import pickle
from contextlib import suppress

import numpy as np
import pytest

import minigraph as mg


def parameter(name="w"):
    return mg.Tensor([1.0, 2.0, 3.0], requires_grad=True, name=name)


def by_isub(w):
    with mg.no_grad():
        w -= 0.5


def by_iadd(w):
    with mg.no_grad():
        w += np.ones(3)


def by_imul(w):
    with mg.no_grad():
        w *= mg.Tensor([2.0, 2.0, 2.0])


def by_idiv(w):
    with mg.no_grad():
        w /= 2


def by_ipow(w):
    with mg.no_grad():
        w **= 2


def by_place(w):
    with mg.no_grad():
        w[0] = 7.0


def by_mask(w):
    with mg.no_grad():
        w[w > 1] = 0.0


def by_data(w):
    w.data = [4.0, 5.0, 6.0]


def by_augmented_data_of_a_tensor(w):
    with mg.no_grad():
        w.data = w.data - 1


def by_sgd(w):
    w.grad = np.ones(3)
    mg.optim.SGD([w], lr=0.1).step()


def by_sgd_with_momentum(w):
    w.grad = np.ones(3)
    mg.optim.SGD({"w": w}, lr=0.1, momentum=0.5).step()


def through_detach(w):
    d = w.detach()
    with mg.no_grad():
        d -= 1


def through_detach_without_no_grad(w):
    d = w.detach()
    d[0] = 9.0


def through_data_of_detach(w):
    w.detach().data = [0.0, 0.0, 0.0]


def through_a_view(w):
    with mg.no_grad():
        view = w[1:]
        view -= 1


def through_a_view_of_a_view(w):
    with mg.no_grad():
        view = w.reshape(3, 1).T[0, ::2]
        view *= 3


def through_a_view_of_detach(w):
    view = w.detach()[:2]
    view[0] = 8.0


WRITES = [
    by_isub, by_iadd, by_imul, by_idiv, by_ipow, by_place, by_mask, by_data,
    by_augmented_data_of_a_tensor, by_sgd, by_sgd_with_momentum, through_detach,
    through_detach_without_no_grad, through_data_of_detach, through_a_view,
    through_a_view_of_a_view, through_a_view_of_detach,
]  # fmt: skip
every_write = pytest.mark.parametrize("write", WRITES, ids=lambda write: write.__name__)


@every_write
def test_write_changes_the_tensor_itself(write):
    w = parameter()
    before = w.numpy()
    write(w)
    assert not np.array_equal(w.data, before)
    assert w.requires_grad
    assert w.op is None


@every_write
def test_write_between_forward_and_backward_is_refused_by_name(write):
    w = parameter("weights")
    loss = (w * w).sum()
    write(w)
    kept = None if w.grad is None else w.grad.copy()
    for sweep in (
        loss.backward,
        lambda: mg.grad(loss, w),
        lambda: mg.grad(loss, w, create_graph=True),
    ):
        with pytest.raises(RuntimeError, match=r"'weights'.*multiply"):
            sweep()
    assert np.array_equal(w.grad, kept) if kept is not None else w.grad is None


@every_write
def test_write_before_forward_is_harmless(write):
    w = parameter()
    write(w)
    w.zero_grad()
    (w * w).sum().backward()
    assert np.array_equal(w.grad, 2 * w.data)


@every_write
def test_write_after_backward_is_harmless_and_the_next_forward_is_new(write):
    w = parameter()
    (w * w).sum().backward()
    write(w)
    w.zero_grad()
    loss = (w * w).sum()
    assert np.array_equal(mg.grad(loss, w).data, 2 * w.data)


@every_write
def test_graph_of_a_written_tensor_is_not_pickled(write):
    w = parameter()
    loss = (w * w).sum()
    write(w)
    for duplicate in (pickle.dumps, copy.deepcopy):
        with pytest.raises(RuntimeError, match=r"'w'.*multiply"):
            duplicate(loss)


def test_write_through_the_tensor_is_seen_by_its_view_that_was_saved():
    w = parameter()
    loss = (w[:2] * w[1:]).sum()
    by_isub(w)
    with pytest.raises(RuntimeError, match="written"):
        loss.backward()


def test_write_to_another_tensor_is_harmless():
    w, other = parameter(), parameter("other")
    loss = (w * w).sum()
    by_isub(other)
    loss.backward()
    assert np.array_equal(w.grad, [2, 4, 6])


# Results


UNARY = {
    "exp": mg.exp, "sqrt": mg.sqrt, "tanh": mg.tanh, "sigmoid": mg.sigmoid, "relu": mg.relu,
    "softmax": mg.softmax, "log_softmax": mg.log_softmax, "divide": lambda w: 1 / w,
    "power": lambda w: 2.0**w, "logsumexp": lambda w: mg.logsumexp(w, keepdims=True),
    "max": lambda w: w.max(keepdims=True),
}  # fmt: skip


@pytest.mark.parametrize("op", UNARY.values(), ids=UNARY)
@pytest.mark.parametrize("when", ["before the next op", "after the next op"])
def test_write_to_a_result_through_detach_never_gives_a_wrong_gradient(op, when):
    w = parameter()
    right = mg.grad(op(w), w, np.ones(op(w).shape)).data
    y = op(w)
    late = y.sum() if when == "after the next op" else None
    d = y.detach()
    with suppress(RuntimeError, ValueError), mg.no_grad():  # refused at once: as good
        d *= 100
    loss = y.sum() if late is None else late
    with suppress(RuntimeError):
        loss.backward()
    if w.grad is not None:
        np.testing.assert_allclose(w.grad, right, rtol=1e-15)


def test_result_of_a_recorded_op_cannot_be_written():
    w = parameter()
    y = w * 2
    y.name = "outputs"

    def assign():
        y[0] = 1.0

    def add():
        nonlocal y
        y += 1

    def replace():
        y.data = [1.0, 2.0, 3.0]

    for write in (assign, add, replace):
        for mode in (mg.no_grad(), mg.enable_grad()):
            with mode, pytest.raises(RuntimeError, match="outputs"):
                write()
    with pytest.raises(ValueError, match="read-only"):
        y.data[0] = 1.0
    assert np.array_equal(y.data, [2, 4, 6])


def test_error_of_a_write_says_what_to_write_instead():
    y = parameter() * 2
    with pytest.raises(RuntimeError, match=r"t = t \+"):
        y += 1
    with mg.no_grad(), pytest.raises(RuntimeError, match=r"np\.where"):
        y[0] = 1.0


@pytest.mark.parametrize(
    "write", [operator.iadd, operator.isub, operator.imul, operator.itruediv, operator.ipow]
)
def test_write_into_a_parameter_outside_no_grad_is_refused(write):
    w = parameter()
    with pytest.raises(RuntimeError, match=r"'w'.*no_grad"):
        write(w, 2.0)
    with pytest.raises(RuntimeError, match="no_grad"):
        w[0] = 1.0
    assert np.array_equal(w.data, [1, 2, 3])


def test_write_of_a_parameter_into_a_constant_would_lose_its_gradient():
    w, c = parameter(), mg.Tensor([0.0, 0.0, 0.0])
    with pytest.raises(RuntimeError, match="'w'"):
        c += w
    with pytest.raises(RuntimeError, match="'w'"):
        c[...] = w
    assert np.array_equal(c.data, [0, 0, 0])


def test_constants_may_be_written_at_any_time():
    c = mg.Tensor([1.0, 2.0])
    same = c
    c += 1
    c[0] = 7.0
    assert c is same
    assert np.array_equal(c.data, [7, 3])


def test_results_made_under_no_grad_may_be_written():
    w = parameter()
    with mg.no_grad():
        y = w * 2
        y += 1
        y[0] = 0.0
    assert np.array_equal(y.data, [0, 5, 7])
    assert np.array_equal(w.data, [1, 2, 3])


def test_scalars_may_be_written():
    w = mg.Tensor(2.0, requires_grad=True)
    with mg.no_grad():
        w -= 0.5
        w[...] = w * 2
    assert w.item() == 3
    (w * w).backward()
    assert w.grad == 6
    for scalar in (np.float64(2.0), np.array(2.0)):
        t = mg.Tensor(scalar)
        t += 1
        assert t.item() == 3


def test_repeated_memory_is_not_written():
    with mg.no_grad():
        wide = mg.broadcast_to(parameter(), (2, 3))
        with pytest.raises(ValueError, match="copy"):
            wide += 1


def test_failed_write_changes_nothing_and_says_where():
    w = parameter()
    with mg.no_grad():
        with pytest.raises(ValueError, match="'w'"):
            w += np.ones(4)
        with pytest.raises(IndexError):
            w[9] = 1.0
    with pytest.raises(ValueError, match="'w'"):
        w.data = [1.0]
    assert np.array_equal(w.data, [1, 2, 3])


def test_integers_do_not_take_floats_in_silence():
    t = mg.Tensor([1, 2])
    with pytest.raises(TypeError, match="int64"):
        t += 0.5
    assert np.array_equal(t.data, [1, 2])


# Arrays that the user holds


def test_write_to_the_source_array_is_harmless():
    a = np.array([1.0, 2.0])
    t = mg.Tensor(a, requires_grad=True)
    y = (t * t).sum()
    a[0] = 9
    y.backward()
    assert np.array_equal(t.grad, [2, 4])
    with mg.no_grad():
        t += 1
    assert np.array_equal(a, [9, 2])


def test_copy_false_shares_the_memory_by_wish():
    a = np.array([1.0, 2.0])
    t = mg.Tensor(a, copy=False)
    assert np.shares_memory(t.data, a)
    a[0] = 5
    assert t.data[0] == 5
    t += 1
    assert np.array_equal(a, [6, 3])


def test_copy_false_never_freezes_the_user_s_array():
    a = np.ones((1, 3))
    t = mg.Tensor(a, requires_grad=True, copy=False)
    for y in (t[0], t.T, t.squeeze(), +t, t.reshape(3), mg.astype(t, float), t * 1, t.copy()):
        y.sum().backward()
    a[0, 0] = 2
    assert a.flags.writeable


@pytest.mark.parametrize("function", [np.asarray, np.squeeze, np.real, np.ravel, np.atleast_1d])
def test_function_of_the_user_that_hands_back_its_array_does_not_freeze_it(function):
    a = np.ones(3)
    op = mg.Op(lambda x: function(x), x=lambda g, y, x: g, name="handed")
    op(mg.Tensor(a, requires_grad=True, copy=False)).sum().backward()
    a[0] = 5
    assert a.flags.writeable


def test_copy_false_of_a_read_only_array_is_not_written():
    a = np.ones(3)
    a.setflags(write=False)
    t = mg.Tensor(a, copy=False)
    y = (mg.Tensor([1.0, 1.0, 1.0], requires_grad=True) * t).sum()
    with suppress(ValueError, RuntimeError):
        t += 1
    assert np.array_equal(a, [1, 1, 1])
    assert not a.flags.writeable
    y.backward()


def test_numpy_gives_a_copy_of_its_own():
    for t in (parameter(), parameter() * 2, mg.Tensor(2.0), parameter().sum()):
        values = t.numpy()
        assert values.flags.writeable
        assert not np.shares_memory(values, t.data)


def test_detach_shares_the_memory():
    w = parameter()
    d = w.detach()
    assert np.shares_memory(d.data, w.data)
    assert not d.requires_grad
    assert d.name == "w"
