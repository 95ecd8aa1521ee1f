"""What derive_step gives, refuses, and leaves as it was; and the source of a step."""

import os
import subprocess
import sys

import numpy as np
import pytest

import minigraph as mg
from minigraph import optim
from tests.derivation.test_laws_of_loops import as_python
from tests.derivation.test_stepping import (
    BACKENDS,
    OPTIMIZERS,
    assert_as_eager,
    assert_near,
    assert_untouched,
    batches_of,
    derived,
    eager,
    every_backend,
    leaves,
    network,
    normal,
    one_or_all,
    written,
)

# The loss that is given


@every_backend
@pytest.mark.parametrize("loss", [
    lambda w: w[0],
    lambda w: w[:1],
    lambda w: (w * w).sum(keepdims=True),
    lambda w: 3 * w[0],
])  # fmt: skip
def test_the_loss_is_that_before_the_step_and_stays_so(how, loss):
    (w,) = leaves([2.0])
    step = derived(how, lambda: loss(w), optim.SGD([w], lr=0.25))
    expected = loss(w).numpy()
    first = step()
    step()
    np.testing.assert_array_equal(first, expected)
    assert isinstance(first, np.float64 if expected.ndim == 0 else np.ndarray)


def test_a_loss_that_is_its_parameter_is_given_as_it_was():
    for how in BACKENDS:
        (w,) = leaves(2.0)
        step = derived(how, lambda w=w: w + 0, optim.SGD([w], lr=0.25))
        assert [step(), step(), w.item()] == [2.0, 1.75, 1.5]


@every_backend
def test_parameters_change_by_a_loss_that_is_not_finite_too(how):
    loss, sgd = network("SGD")
    ((X, y),) = batches_of(5)
    step = derived(how, loss, sgd, X, y)
    with np.errstate(all="ignore"):
        assert np.isnan(step(np.full_like(X, np.nan), y))
    assert all(np.isnan(p.data).any() for p in sgd.parameters)
    assert sgd.steps == 1


# Refused, and nothing changed


def refused(how, call, error, match, name="Adam"):
    """Check that a call is refused after one good step, and has changed nothing."""
    loss, optimizer = network(name)
    (batch,) = batches_of(5)
    step = derived(how, loss, optimizer, *batch)
    step(*batch)
    before, graph = written(optimizer), loss(*batch)
    with pytest.raises(error, match=match):
        call(step, *batch)
    assert_untouched(optimizer, before)
    graph.backward()  # no write was counted
    step(*batch)


@every_backend
@pytest.mark.parametrize(("call", "error", "match"), [
    (lambda step, X, y: step(X), TypeError, "step: 1 arguments; expected 2"),
    (lambda step, X, y: step(X, y, y), TypeError, "step: 3 arguments; expected 2"),
    (lambda step, X, y: step(X[:, 1:], y), ValueError, r"X is \[5, 2\]; .* traced with \[K, 3\]"),
    (lambda step, X, y: step(X[1:], y), ValueError, r"y is \[5\]; it was traced with \[K\]"),
    (lambda step, X, y: step(np.float32(X), y), TypeError, "X is float32; .* with float64"),
    (lambda step, X, y: step(X, y * 1.0), TypeError, "y is float64; it was traced with int64"),
    (lambda step, X, y: step([X], y), ValueError, r"step: given X\[0\], y; expected X, y"),
    (lambda step, X, y: step(X, 3), TypeError, "step: y is 3; it was traced as"),
    (lambda step, X, y: step(X, y + 1), IndexError, "out of bounds"),
    (lambda step, X, y: step(X, y - 3), IndexError, "out of bounds"),
])  # fmt: skip
def test_a_wrong_minibatch_changes_nothing(how, call, error, match):
    refused(how, call, error, match)


@every_backend
@pytest.mark.parametrize("rate", [-1.0, np.nan, np.inf, "a"])
def test_a_wrong_learning_rate_changes_nothing(how, rate):
    def call(step, X, y):
        optimizer = step.state.optimizer
        optimizer.lr = lambda _: rate
        try:
            step(X, y)
        finally:
            optimizer.lr = 0.1

    refused(how, call, (TypeError, ValueError), "the learning rate of step 1")


@every_backend
@one_or_all
@pytest.mark.parametrize("loss", [
    lambda W, V, X, y: mg.l2_penalty(V) + mg.softmax_nll(X @ W, y),  # V has no part in labels
    lambda W, V, X, y: mg.softmax_nll(X @ W, y) * mg.sum(V),
    lambda W, V, X, y: mg.softmax_nll(V, y) + mg.l1_penalty(W),  # in one loop with labels
    lambda W, V, X, y: (V * V)[np.arange(5), y].sum() + (X @ W)[0, y].sum(),
])  # fmt: skip
def test_no_parameter_is_written_before_all_labels_are_right(how, name, loss):
    W, V = leaves(normal(4, 3), normal(5, 3))
    optimizer = OPTIMIZERS[name]([V, W])
    X, y = normal(5, 4), np.arange(5) % 3
    step = derived(how, lambda X, y: loss(W, V, X, y), optimizer, X, y)
    step(X, y)
    before = written(optimizer)
    with pytest.raises(IndexError, match="out of bounds"):
        step(X, np.array([0, 1, 2, 0, 3]))
    assert_untouched(optimizer, before)


@every_backend
def test_an_array_that_nobody_may_write_is_named_before_anything_changes(how):
    array = normal(3)
    array.flags.writeable = False
    (v,) = leaves(normal(3))
    w = mg.Tensor(array, copy=False, requires_grad=True, name="w")
    optimizer = optim.SGD([v, w], lr=0.1, momentum=0.9)
    step = derived(how, lambda: (v * w).sum(), optimizer)
    before = written(optimizer)
    with pytest.raises(ValueError, match=r"SGD\.step: 'w' float64\[3\]: its memory belongs to"):
        step()
    assert_untouched(optimizer, before)


def test_different_numbers_of_steps_are_refused():
    w, v = leaves(normal(3), normal(3))
    adam = optim.Adam([w, v])
    eager(lambda: (w * w).sum(), adam)
    step = derived("numpy", lambda: (w * v).sum(), adam)
    before = written(adam)
    with pytest.raises(ValueError, match="Adam: parameters have taken different numbers of steps"):
        step()
    assert_untouched(adam, before)
    derived("numpy", lambda: (v * v).sum(), adam)()  # of these alone they are equal
    assert adam.state_dict()["count.w2"] == 1


@pytest.mark.parametrize(("loss", "error", "match"), [
    (lambda w, X: mg.mean(X * X), (TypeError, ValueError), "depends on no"),
    (lambda w, X: X @ w, ValueError, "reduce it"),
    (lambda w, X: mg.mean(X @ w.data), TypeError, "asks for values"),
])  # fmt: skip
def test_a_wrong_loss_is_refused(loss, error, match):
    (w,) = leaves(normal(3))
    with pytest.raises(error, match=match):
        mg.derive_step(lambda X: loss(w, X), optim.SGD([w], lr=0.1), normal(4, 3))


def test_parameters_that_share_memory_are_refused():
    array = normal(6)
    w = mg.Tensor(array[:4], copy=False, requires_grad=True, name="w")
    v = mg.Tensor(array[2:], copy=False, requires_grad=True, name="v")
    with pytest.raises(ValueError, match=r"'w' float64\[4\] and 'v' float64\[4\] share memory"):
        mg.derive_step(lambda: (w * v).sum(), optim.SGD([w, v], lr=0.1))
    start = array[:4]
    with pytest.raises(ValueError, match=r"'w' float64\[4\] and start share memory"):
        mg.derive_step(lambda: mg.l2_penalty(w - start), optim.SGD([w], lr=0.1))
    u = mg.Tensor(array[4:], copy=False, requires_grad=True, name="u")
    mg.derive_step(lambda: (w[2:] * u).sum(), optim.SGD([w, u], lr=0.1))  # side by side


# What a step leaves, and what deriving does


@every_backend
def test_writes_are_seen_by_graphs_of_before(how):
    loss, sgd = network("SGD")
    (batch,) = batches_of(5)
    step = derived(how, loss, sgd, *batch)
    graph = loss(*batch)
    step(*batch)
    with pytest.raises(mg.WriteError, match=r"'W1'|'b1'|'W2'|'b2'"):
        graph.backward()
    loss(*batch).backward()


@every_backend
def test_deriving_changes_nothing_and_steps_leave_no_gradients(how):
    loss, adam = network()
    (batch,) = batches_of(5)
    eager(loss, adam, *batch)
    gradients = [p.grad for p in adam.parameters]
    before, graph = written(adam), loss(*batch)
    step = derived(how, loss, adam, *batch)
    assert_untouched(adam, before)
    kept = [g.copy() for g in gradients]
    graph.backward()
    adam.zero_grad()
    step(*batch)
    assert [p.grad for p in adam.parameters] == [None] * 4
    assert all(map(np.array_equal, step.batch.arrays, batch))
    assert len(kept) == 4


def test_steps_are_taken_while_loops_are_compiled():
    (loss, one), (same, other) = network(), network()
    (batch,) = batches_of(5)
    with as_python():
        step = mg.derive_step(same, other, *batch, backend="numba", warm=False)
        for _ in range(20):
            assert_near(np.asarray(step(*batch)), eager(loss, one, *batch))
    assert_as_eager(written(other), written(one))


# Source


def test_source_writes_in_place():
    for how in BACKENDS:
        for name in OPTIMIZERS:
            step = derived(how, *network(name), *batches_of(5)[0])
            assert "[...] = " not in step.source
            assert step.source.rstrip().rpartition("\n")[2].strip().startswith("return ")
            assert len(step.program.updates) == len(step.state.arrays())


RUN = """
import sys
import numpy as np
namespace = {}
exec(open(sys.argv[1], encoding="utf-8").read(), namespace)
arrays = [np.load(path) for path in sys.argv[2:]]
print(float(namespace["step"](*arrays)))
for path, array in zip(sys.argv[2:], arrays):
    np.save(path, array)
assert "minigraph" not in sys.modules
"""


@every_backend
def test_source_runs_alone_and_is_clean(how, tmp_path):
    loss, adam = network()
    ((X, y),) = batches_of(5)
    step = derived(how, loss, adam, X, y)
    path = step.save(tmp_path / "step.py")
    state = step.state
    paths = [tmp_path / f"{i}.npy" for i in range(len(step.program.parameters))]
    for file, array in zip(paths, [*state.arrays(), *state.rates(), X, y], strict=True):
        np.save(file, array)
    env = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    command = [sys.executable, "-c", RUN, str(path), *map(str, paths)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=env, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == pytest.approx(float(step(X, y)), rel=1e-13)
    for file, array in zip(paths, state.arrays(), strict=False):
        assert_near(np.load(file), array)
    for command in (["check"], ["format", "--check"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--no-cache", "--isolated", str(path)]
        done = subprocess.run(ruff, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@every_backend
def test_a_step_shows_itself(how):
    step = derived(how, *network(), *batches_of(5)[0])
    assert repr(step).startswith("<DerivedStep step, ")
    assert str(step) == step.source
    assert "(K, 4)" in step.explain()
    names = {t.name for t in step.graph.outputs}
    assert {"new_W1", "new_mean_W1", "new_square_b2", "new_b2"} <= names
    assert "new_W1" in str(mg.draw(*step.graph.outputs))
    with pytest.raises(TypeError, match="a step gives no gradients"):
        step.backward_pass()


def test_parameters_without_names_are_numbered():
    w, v = (mg.Tensor(normal(3), requires_grad=True) for _ in range(2))
    step = derived("numpy", lambda: (w * v).sum(), optim.SGD([w, v], lr=0.1, momentum=0.5))
    assert "def step(x0, x1, velocity_x0, velocity_x1, rate, *, buffers=None)" in step.source


def test_an_optimizer_without_a_formula_is_refused():
    class Plain(mg.optim.Optimizer):
        def _start(self, p):
            return {}

        def _update(self, p, gradient, kept, rate):
            return rate * gradient

    loss, sgd = network()
    with pytest.raises(TypeError, match="derive_step: Plain has no formula"):
        mg.derive_step(loss, Plain(sgd.parameters, lr=0.1), *batches_of(5)[0])
