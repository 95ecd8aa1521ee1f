"""Laws of derive_step: a step of it is backward and the optimizer's step, in all they write."""

from contextlib import contextmanager, nullcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigraph as mg
from minigraph import optim
from minigraph.testing.strategies import networks
from tests.counts import examples, share
from tests.derivation.test_laws_of_derivation import seeds
from tests.derivation.test_laws_of_loops import as_python

pytest.importorskip("numba", reason="pip install -e '.[numba]'")

OPTIMIZERS = {
    "SGD": lambda ps: optim.SGD(ps, lr=0.1),
    "momentum": lambda ps: optim.SGD(ps, lr=0.1, momentum=0.9),
    "nesterov": lambda ps: optim.SGD(ps, lr=0.1, momentum=0.9, nesterov=True),
    "Adam": lambda ps: optim.Adam(ps, lr=0.1, eps=1e-3),
    "AdamW": lambda ps: optim.AdamW(ps, lr=0.1, eps=1e-3, weight_decay=0.1),
}
BACKENDS = ("numpy", "python")  # python: loops, as they are

every_backend = pytest.mark.parametrize("how", BACKENDS)
every_optimizer = pytest.mark.parametrize("name", OPTIMIZERS)
one_or_all = pytest.mark.parametrize("name", share([*sorted(OPTIMIZERS)[1:], "Adam"], 5))


@pytest.fixture(autouse=True, scope="module")
def _cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@contextmanager
def backend_of(how):
    with as_python() if how == "python" else nullcontext():
        yield "numba" if how == "python" else how


def derived(how, loss, optimizer, *batch):
    with backend_of(how) as backend:
        return mg.derive_step(loss, optimizer, *batch, backend=backend)


def eager(loss, optimizer, *batch):
    optimizer.zero_grad()
    value = loss(*batch)
    value.backward()
    before = value.numpy()
    optimizer.step()
    return before


def written(optimizer):
    """Copy all that a step writes, by its name."""
    parameters = {f"parameter {i}": p.numpy() for i, p in enumerate(optimizer.parameters)}
    return {**parameters, **optimizer.state_dict()}


def assert_near(found, expected, eps=0.0):
    """Compare within some roundings, of the dtype or of a narrower one that has a part in it."""
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    if expected.dtype.kind == "f":
        eps = max(eps, np.finfo(expected.dtype).eps)
        room = (1000 if eps < 1e-4 else 50) * eps * max(1.0, np.abs(expected).max(initial=0))
        np.testing.assert_allclose(found, expected, rtol=0, atol=room)
    else:
        np.testing.assert_array_equal(found, expected)


def assert_as_eager(found, expected, eps=0.0):
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert_near(found[name], array, eps)


def assert_untouched(optimizer, before):
    for name, array in written(optimizer).items():
        assert array.tobytes() == before[name].tobytes(), name


def check_steps(how, make, batches, eagerly=()):
    """Compare steps, some of which are taken eagerly in the derived run too."""
    (loss, one), (same, other) = make(), make()
    step = derived(how, same, other, *batches[0])
    eps = max(np.finfo(p.dtype).eps for p in one.parameters)
    for i, batch in enumerate(batches):
        expected = eager(loss, one, *batch)
        found = eager(same, other, *batch) if i in eagerly else step(*batch)
        assert_near(np.asarray(found), expected, eps)
        assert_as_eager(written(other), written(one), eps)
    assert other.steps == len(batches)
    return step


def leaves(*arrays, dtype=None):
    """Give parameters w1, w2, ... in arrays of their own."""
    return [mg.Tensor(a, dtype=dtype, requires_grad=True, name=f"w{i}")
            for i, a in enumerate(arrays, 1)]  # fmt: skip


def normal(*shape, dtype=float):
    return np.random.default_rng(shape).normal(size=shape).astype(dtype)


def network(name="Adam", dtype=float, sizes=(3, 4, 2)):
    """Make the loss of a network with one hidden layer, and an optimizer."""
    d, dh, m = sizes
    parameters = {"W1": (d, dh), "b1": (dh,), "W2": (dh, m), "b2": (m,)}
    W1, b1, W2, b2 = (mg.Tensor(normal(*size), dtype=dtype, requires_grad=True, name=name)
                      for name, size in parameters.items())  # fmt: skip

    def loss(X, y):
        return mg.softmax_nll(np.tanh(X @ W1 + b1) @ W2 + b2, y) + mg.l2_penalty(W1)

    return loss, OPTIMIZERS[name]([W1, b1, W2, b2])


def batches_of(*sizes, d=3, m=2, dtype=float):
    return [(normal(K, d, dtype=dtype), np.arange(K) % m) for K in sizes]


# The law


@every_backend
@every_optimizer
@examples(2, thorough=200)
@given(drawn=networks(), seed=seeds)
def test_steps_of_a_random_network_are_the_eager_ones(how, name, drawn, seed):
    def make():
        W1, b1, W2, b2 = leaves(*drawn.parameters.values())

        def loss(X, y):
            logits = np.tanh(X @ W1 + b1) @ W2 + b2
            return mg.softmax_nll(logits, y) + 0.1 * mg.l2_penalty(W2)

        return loss, OPTIMIZERS[name]([W1, b1, W2, b2])

    rng = np.random.default_rng(seed)
    d, m = drawn.x.shape[1], len(drawn.parameters["b2"])
    others = [(rng.normal(size=(K, d)), rng.integers(0, m, K)) for K in (len(drawn.x), 1, 7)]
    check_steps(how, make, [(drawn.x, drawn.labels), *others])


@every_backend
@examples(5, thorough=500)
@given(drawn=networks(at_kinks=True), name=st.sampled_from(sorted(OPTIMIZERS)))
def test_a_step_at_kinks_is_the_eager_one(how, drawn, name):
    def make():
        parameters = dict(zip(drawn.parameters, leaves(*drawn.parameters.values()), strict=True))
        return lambda x: drawn.risk(parameters, x), OPTIMIZERS[name](parameters)

    check_steps(how, make, [(drawn.x,)])


@pytest.mark.parametrize("name", share(sorted(OPTIMIZERS), 5))
def test_compiled_steps_are_the_eager_ones(name):
    def make():
        w, b = leaves(normal(3), normal(), dtype="f")
        return lambda X, y: ((np.tanh(X @ w + b) - y) ** 2).mean(), OPTIMIZERS[name]([w, b])

    batches = [(normal(K, 3, dtype="f"), normal(K, dtype="f")) for K in (5, 5, 7, 1)]
    step = check_steps("numba", make, batches)
    assert ", loops compiled in " in repr(step)


@pytest.mark.parametrize("name", share(sorted(OPTIMIZERS), 5))
def test_compiled_steps_of_a_network_are_the_eager_ones(name):
    check_steps("numba", lambda: network(name), batches_of(5, 5, 7, 1))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.longdouble])
@pytest.mark.parametrize("name", share(sorted(OPTIMIZERS), 2))
def test_dtypes_stay(name, dtype):
    check_steps("numpy", lambda: network(name, dtype), batches_of(5, 3, dtype=dtype))


@one_or_all
def test_dtypes_that_no_loop_takes_are_updated_by_numpy(name):
    with pytest.warns(UserWarning, match="float16 is computed by NumPy's calls") as warned:
        check_steps("python", lambda: network(name, np.float16), batches_of(5, 3, dtype=np.float16))
    assert len(warned) == 1


@every_backend
@one_or_all
def test_parameters_of_several_dtypes_each_have_their_rate(how, name):
    def make():
        W, b = leaves(normal(4, 3).astype("f"), normal(3))
        return lambda X, y: mg.softmax_nll(X @ W + b, y), OPTIMIZERS[name]([W, b])

    step = check_steps(how, make, batches_of(5, 2, d=4, m=3, dtype=np.float32))
    assert "rate_float32" in step.source
    assert "rate_float64" in step.source


# Between derived steps


@every_backend
@one_or_all
def test_eager_steps_in_between_change_nothing(how, name):
    check_steps(how, lambda: network(name), batches_of(5, 5, 2, 5, 5, 2), eagerly=(0, 2, 3))


@every_backend
def test_a_state_that_is_loaded_in_between_is_gone_on_from(how):
    batches = batches_of(5, 3, 5)
    loss, adam = network()
    step = derived(how, loss, adam, *batches[0])
    step(*batches[0])
    kept = adam.state_dict(), [p.numpy() for p in adam.parameters]
    later = []
    for _ in range(2):
        later.append([step(*batch) for batch in batches[1:]])
        adam.load_state_dict(kept[0])
        for p, array in zip(adam.parameters, kept[1], strict=True):
            p.data = array
    assert later[0] == later[1]
    assert adam.steps == 1


@every_backend
@pytest.mark.parametrize("name", ["SGD", "AdamW"])
def test_a_schedule_is_asked_once_for_each_step(how, name):
    def make():
        loss, optimizer = network(name)
        optimizer.lr = optim.cosine(0.5, 4)
        return loss, optimizer

    check_steps(how, make, batches_of(5, 5, 5, 5, 5))
    loss, optimizer = make()
    asked = []
    optimizer.lr = lambda step: asked.append(step) or 0.1
    (batch,) = batches_of(5)
    step = derived(how, loss, optimizer, *batch)
    asked.clear()
    for _ in range(3):
        step(*batch)
    assert asked == [0, 1, 2]


def test_the_learning_rate_may_be_set_at_any_time():
    (loss, one), (same, other) = network("SGD"), network("SGD")
    (batch,) = batches_of(5)
    step = derived("numpy", same, other, *batch)
    for lr in (0.1, 0.5, 0.01):
        one.lr = other.lr = lr
        eager(loss, one, *batch)
        step(*batch)
        assert_as_eager(written(other), written(one))


@pytest.mark.parametrize(("name", "setting", "value"),
                         [("momentum", "nesterov", True), ("Adam", "eps", 0.1),
                          ("AdamW", "weight_decay", 0.0)])  # fmt: skip
def test_other_settings_may_not(name, setting, value):
    loss, optimizer = network(name)
    (batch,) = batches_of(5)
    step = derived("numpy", loss, optimizer, *batch)
    before = written(optimizer)
    setattr(optimizer, setting, value)
    with pytest.raises(ValueError, match=r"settings of .* were changed; only lr may be"):
        step(*batch)
    assert_untouched(optimizer, before)


# Parameters of all kinds


@every_backend
@one_or_all
def test_what_the_loss_does_not_depend_on_is_left_alone(how, name):
    def make():
        w, unused = leaves(normal(3), normal(4))
        return lambda X: ((X @ w) ** 2).mean(), OPTIMIZERS[name]([w, unused])

    check_steps(how, make, [(normal(5, 3),), (normal(2, 3),)], eagerly=[1])


@every_backend
@one_or_all
def test_numbers_and_several_uses_of_a_parameter(how, name):
    def make():
        s, b, c = leaves(np.array(1.5), normal(3), normal(1, 3))

        def loss(X):
            return (s * (X + b + c) ** 2).mean() + np.exp(s) * (b * c).sum() + s * s

        return loss, OPTIMIZERS[name]([s, b, c])

    check_steps(how, make, [(normal(5, 3),), (normal(2, 3),)])


@every_backend
@one_or_all
@pytest.mark.parametrize("tied", [
    lambda W, X: ((np.tanh(X @ W) @ W.T - X) ** 2).mean(),
    lambda W, X: (W * W.T * X[:1]).sum(),
    lambda W, X: (W * np.tanh(W[::-1])).sum() + X.mean() * W.reshape(-1)[3],
    lambda W, X: (X @ W @ W).mean() + mg.l1_penalty(W.T @ W),
])  # fmt: skip
def test_tied_weights_are_read_before_they_are_written(how, name, tied):
    def make():
        (W,) = leaves(normal(4, 4))
        return lambda X: tied(W, X), OPTIMIZERS[name]([W])

    check_steps(how, make, [(normal(3, 4),), (normal(6, 4),)])


@every_backend
@pytest.mark.parametrize("K", [2, 3, 4])  # each is a size of the network, too
@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_a_batch_as_long_as_a_parameter_may_have_another_size_next(how, K, name):
    check_steps(how, lambda: network(name), batches_of(K, 5, 1))


@every_backend
def test_a_minibatch_may_be_several_arguments_in_containers_or_none(how):
    def make():
        w, v = leaves(normal(3), normal(3))

        def loss(batch, scale, weights):
            (X, y), weight = batch["data"], batch["weight"]
            return scale * (weight * weights[0] * (X @ (w * v) - y) ** 2).sum()

        return loss, OPTIMIZERS["momentum"]([w, v])

    def batch(K, scale):
        data = {"data": (normal(K, 3), normal(K)), "weight": normal(K)}
        return data, np.float64(scale), [mg.Tensor(normal(K, 1)[:, 0])]

    check_steps(how, make, [batch(4, 0.1), batch(2, 0.3)])

    def alone():
        (w,) = leaves(normal(3))
        return lambda: (w * w).sum(), OPTIMIZERS["Adam"]([w])

    check_steps(how, alone, [(), ()])


@every_backend
def test_constants_keep_their_names(how):
    anchor = normal(3)

    def make():
        (w,) = leaves(normal(3) + 1)
        return lambda X: ((X @ w) ** 2).mean() + mg.l2_penalty(w - anchor), optim.SGD([w], lr=0.1)

    step = check_steps(how, make, [(normal(4, 3),), (normal(2, 3),)])
    assert [*step.constants] == ["anchor"]


@every_backend
@one_or_all
def test_arrays_in_fortran_s_order_are_written_in_place(how, name):
    arrays = []

    def make():
        arrays.append(np.asfortranarray(normal(4, 3)))
        W = mg.Tensor(arrays[-1], copy=False, requires_grad=True)
        (s,) = leaves(np.array(1.5))
        return lambda X, y: mg.softmax_nll(s * X @ W, y), OPTIMIZERS[name]([W, s])

    check_steps(how, make, batches_of(5, 2, d=4, m=3))
    assert_near(arrays[1], arrays[0])
    assert not np.array_equal(arrays[1], normal(4, 3))


@every_backend
def test_the_result_of_an_operation_may_be_a_parameter(how):
    """Its array is read-only, but tensors may write it."""

    def make():
        with mg.no_grad():
            w, s = mg.Tensor(normal(3)) / 2, mg.sum(mg.Tensor(normal(3)))
        w.requires_grad = s.requires_grad = True
        return lambda X: (s * (X @ w) ** 2).mean(), OPTIMIZERS["Adam"]([w, s])

    check_steps(how, make, [(normal(5, 3),), (normal(2, 3),)])
