"""fit(derived=...): the run of the graph, by a program that was derived from it."""

import sys

import numpy as np
import pytest

import minigraph as mg
from minigraph import data, nn, optim
from minigraph.train import NonFiniteLoss, OtherRun, deriving, fit

LAMBDAS = (1e-3, 5e-3, 2e-3, 7e-3)
BACKENDS = (True, "numba")
TRAIN, VALID = data.split(*data.two_circles(0), (103, 50), 0)


@pytest.fixture(autouse=True, scope="module")
def _cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(params=BACKENDS)
def derived(request):
    """Loops are compiled in one test, and run as Python in the others."""
    if request.param == "numba":
        numba = pytest.importorskip("numba", reason="pip install -e '.[numba]'")
        request.getfixturevalue("monkeypatch").setattr(numba.config, "DISABLE_JIT", True)
    return request.param


def run(derived, *, model=None, train=TRAIN, epochs=4, batch_size=20, **options):
    model = model or nn.MLP((2, 3, 2), seed=0)
    sgd = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    options = {"optimizer": sgd, "epochs": epochs, "batch_size": batch_size, **options}
    return fit(model, train, VALID, derived=derived, **options), model


def assert_same(one, other, rtol=1e-9):
    for column in ("train_loss", "train_error", "valid_loss", "valid_error", "examples"):
        np.testing.assert_allclose(one[0][column], other[0][column], rtol=rtol, atol=rtol)
    for name, p in one[1].state_dict().items():
        np.testing.assert_allclose(p, other[1].state_dict()[name], rtol=0, atol=rtol)


@pytest.mark.parametrize("penalty", [None, LAMBDAS])
@pytest.mark.parametrize("batch_size", [20, 103, 1000, 102])  # a last one of 3, none, none, of 1
@pytest.mark.filterwarnings("ignore:batch_size=1000")
def test_the_history_is_that_of_the_graph(derived, penalty, batch_size):
    options = {"penalty": penalty, "batch_size": batch_size}
    assert_same(run(derived, **options), run(False, **options))


def test_the_history_of_compiled_loops_is_that_of_the_graph():
    pytest.importorskip("numba", reason="pip install -e '.[numba]'")
    assert_same(run("numba"), run(False))


def test_float32_stays_float32(derived):
    train = TRAIN[0].astype(np.float32), TRAIN[1]
    models = [nn.MLP((2, 3, 2), seed=0, dtype=np.float32) for _ in range(2)]
    runs = [run(d, train=train, model=m) for d, m in zip((derived, False), models, strict=True)]
    assert_same(*runs, rtol=1e-4)
    assert models[0].layers[0].W.dtype == np.float32


def test_a_run_that_is_resumed_ends_as_the_one_that_was_not(derived, tmp_path):
    path = tmp_path / "run.safetensors"
    run(derived, epochs=2, checkpoint=path)
    resumed = run(derived, checkpoint=path, resume=True)
    assert_same(resumed, run(derived), rtol=0)
    assert resumed[0].configuration["derived"] == derived
    for other in (False, *BACKENDS):
        if other != derived:
            with pytest.raises(OtherRun, match="derived"):
                run(other, checkpoint=path, resume=True)


@pytest.mark.parametrize("derived", [None, 1, "cuda", "numpy", [], np.ones(2)])
def test_other_ways_are_refused(derived):
    with pytest.raises(ValueError, match="derived is True, False or 'numba', not"):
        run(derived)


def test_without_numba_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(ImportError, match="numba"):
        run("numba")


def test_a_parameter_that_the_loss_does_not_depend_on_is_left_alone(derived):
    """By the decay of weights, and in what the optimizer counts, too."""

    class Wider(nn.MLP):
        def parameters(self):
            return {**super().parameters(), "unused": unused}

    states = []
    for way in (derived, False):
        unused = mg.Tensor(np.ones(3), requires_grad=True)
        model = Wider((2, 3, 2), seed=0)
        adamw = optim.AdamW(model.parameters(), weight_decay=0.1)
        run(way, model=model, optimizer=adamw)
        np.testing.assert_array_equal(unused.data, 1)
        assert unused.grad is None
        states.append(adamw.state_dict())
    for name, array in states[0].items():
        np.testing.assert_allclose(array, states[1][name], rtol=1e-9, atol=1e-12)


def test_gradients_that_are_kept_after_an_epoch_stay(derived):
    model = nn.MLP((2, 3, 2), seed=0)
    seen = []

    def callback(history):
        seen.append({name: (p.grad, p.grad.copy()) for name, p in model.parameters().items()})

    run(derived, model=model, callbacks=[callback])
    assert len(seen) == 4
    for gradient, copy in (pair for epoch in seen for pair in epoch.values()):
        np.testing.assert_array_equal(gradient, copy)
        assert gradient.flags.owndata


def test_a_model_that_draws_random_numbers_is_refused_before_anything_is_done(tmp_path):
    rng = np.random.default_rng(0)

    class Dropping(nn.MLP):
        def __call__(self, x):
            return super().__call__(x * (rng.random(x.shape) < 0.5))

    model = Dropping((2, 3, 2), seed=0)
    before = model.state_dict()
    with pytest.raises(ValueError, match=r"derive: .* Does it draw random numbers"):
        run(True, model=model, log=tmp_path / "log.jsonl", checkpoint=tmp_path / "c.safetensors")
    assert not list(tmp_path.iterdir())
    assert all(np.array_equal(p, before[name]) for name, p in model.state_dict().items())


def test_a_model_that_branches_on_values_is_refused():
    class Branching(nn.MLP):
        def __call__(self, x):
            y = super().__call__(x)
            return y if mg.sum(y) > 0 else 2 * y

    with pytest.raises(TypeError, match="asks for values while it is recorded"):
        run(True, model=Branching((2, 3, 2), seed=0))


def test_what_differs_from_the_graph_is_refused(monkeypatch):
    derive = deriving.derive

    def wrong(*args, **options):
        derived = derive(*args, **options)

        def call(*arrays, copy):
            value, (first, *gradients), others = derived(*arrays, copy=copy)
            return value, (1.001 * first, *gradients), others

        return call

    monkeypatch.setattr(deriving, "derive", wrong)
    with pytest.raises(RuntimeError, match=r"the gradient of 'W1'.* differs from the graph's by"):
        run(True)


def test_a_loss_that_is_not_finite_is_said_as_without(derived):
    errors = []
    for way in (derived, False):
        model = nn.MLP((2, 3, 2), seed=0)
        sgd = optim.SGD(model.parameters(), lr=1e200)
        with np.errstate(all="ignore"), pytest.raises(NonFiniteLoss) as error:
            run(way, model=model, optimizer=sgd)
        errors.append(str(error.value))
    assert errors[0] == errors[1]
