"""checkpoint: the same numbers with less memory, and errors where they could not be the same."""

import gc
import tracemalloc

import numpy as np
import pytest

import minigraph as mg


def block(x):
    return np.tanh(np.sin(np.exp(-x * x) + x) + 0.5 * x)


def test_a_call_is_one_node_whose_inputs_are_all_that_it_read():
    W, x = (mg.Tensor(np.full((2, 2), n), requires_grad=True) for n in (1.0, 2.0))
    y = mg.checkpoint(lambda x: np.tanh(W @ x) + W)(x)
    assert y.op.name == "checkpoint"
    assert sorted(map(id, y.inputs)) == sorted([id(W), id(x)])
    assert len(mg.Graph(y).nodes) == 3
    np.sum(y).backward()
    W2, x2 = (mg.Tensor(t.data, requires_grad=True) for t in (W, x))
    np.sum(np.tanh(W2 @ x2) + W2).backward()
    assert np.array_equal(W.grad, W2.grad)
    assert np.array_equal(x.grad, x2.grad)


def test_what_is_closed_over_may_depend_on_other_inputs():
    """The way from one input to another is not inside the call, and is not counted twice."""

    def f(wrap):
        def function(a):
            b = a * a
            return wrap(lambda b: a * b * np.sin(b))(b)

        return function

    for transform in (mg.gradient, mg.hessian):
        expected = transform(f(lambda g: g))(0.7)
        np.testing.assert_allclose(transform(f(mg.checkpoint))(0.7), expected, rtol=1e-14)


def test_memory_is_that_of_one_call_at_a_time():
    def peak(block):
        def f(x):
            for _ in range(20):
                x = block(x)
            return np.sum(x)

        x = np.linspace(0, 1, 20_000)
        tracemalloc.start()
        found = mg.gradient(f)(x)
        reached = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found, reached

    kept, again = peak(block), peak(mg.checkpoint(block))
    assert np.array_equal(kept[0], again[0])
    assert again[1] < kept[1] / 4


def test_the_function_runs_once_forward_and_once_back_for_all_inputs():
    calls = []

    @mg.checkpoint
    def f(a, b, c):
        calls.append(1)
        return a * b * c

    found = mg.gradient(f, (0, 1, 2))(2.0, 3.0, 4.0)
    assert found == (12, 8, 6)
    assert len(calls) == 2
    _, pullback = mg.vjp(f, 2.0, 3.0, 4.0)
    assert pullback(1.0) == (12, 8, 6)
    assert pullback(2.0) == (24, 16, 12)
    assert len(calls) == 5


def test_checkpoints_nest():
    inner = mg.checkpoint(block)
    outer = mg.checkpoint(lambda x: np.sum(inner(inner(x))))
    x = np.linspace(-1, 1, 4)

    def plain(x):
        return np.sum(block(block(x)))

    assert np.array_equal(mg.gradient(outer)(x), mg.gradient(plain)(x))
    np.testing.assert_allclose(mg.hessian(outer)(x), mg.hessian(plain)(x), rtol=1e-13)


def test_constants_arrays_and_no_grad_pass_through():
    f = mg.checkpoint(block)
    assert type(f(np.ones(2))) is np.ndarray
    assert f(mg.Tensor(np.ones(2))).op is None
    x = mg.Tensor(np.ones(2), requires_grad=True)
    with mg.no_grad():
        assert not f(x).requires_grad
    assert mg.checkpoint(lambda x: x)(x) is x
    view = mg.checkpoint(lambda x: x[::-1])(x)
    assert np.array_equal(mg.grad(view.sum(), x).data, [1, 1])


def test_writes_to_what_the_call_read_are_refused():
    W, x = (mg.Tensor(np.full(2, n), requires_grad=True) for n in (1.0, 2.0))
    y = mg.checkpoint(lambda x: np.tanh(W * x))(x).sum()
    with mg.no_grad():
        W -= 0.1
    with pytest.raises(mg.WriteError, match="checkpoint"):
        y.backward()
    assert x.grad is None


def test_another_result_in_the_second_run_is_refused():
    constant, rng = np.ones(2), np.random.default_rng(0)
    x = mg.Tensor(np.ones(2), requires_grad=True)
    y = mg.checkpoint(lambda x: x * x * constant)(x).sum()
    constant[0] = 1.001
    with pytest.raises(RuntimeError, match=r"another result.*has changed since"):
        y.backward()
    y = mg.checkpoint(lambda x: x * x * rng.normal(size=2))(x).sum()
    with pytest.raises(RuntimeError, match="draws random numbers"):
        y.backward()
    weights = [mg.Tensor(np.ones(2), requires_grad=True) for _ in range(2)]
    y = mg.checkpoint(lambda x: x * weights[0])(x).sum()
    weights.reverse()  # another tensor of the same values
    with pytest.raises(RuntimeError, match="another result"):
        y.backward()
    y = mg.checkpoint(lambda x: x * np.array([1.0, np.nan]))(x)  # NaN is as NaN was
    assert np.isnan(mg.grad(y.sum(), x).data[1])


def test_containers_are_refused():
    with pytest.raises(TypeError, match=r"checkpoint: f returned .*return one array"):
        mg.checkpoint(lambda x: (x, x))(mg.Tensor(1.0, requires_grad=True))


def test_a_graph_with_checkpoints_is_freed_by_reference_counts():
    gc.collect()
    gc.disable()
    try:
        x = mg.Tensor(np.ones(7), requires_grad=True)
        y = np.sum(mg.checkpoint(block)(x) ** 2)
        g = mg.grad(y, x, create_graph=True)
        np.sum(g).backward()
        del y, g
        alive = [t for t in gc.get_objects() if type(t) is mg.Tensor and t.shape == (7,)]
        assert [t is x for t in alive] == [True]
    finally:
        gc.enable()
