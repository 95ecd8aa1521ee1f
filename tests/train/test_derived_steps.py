"""fit(derived=True): the run of the graph, by a program that was derived from it."""

import numpy as np
import pytest

import minigraph as mg
from minigraph import data, nn, optim
from minigraph.train import NonFiniteLoss, OtherRun, deriving, fit

LAMBDAS = (1e-3, 5e-3, 2e-3, 7e-3)
TRAIN, VALID = data.split(*data.two_circles(0), (103, 50), 0)


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
def test_the_history_is_that_of_the_graph(penalty, batch_size):
    options = {"penalty": penalty, "batch_size": batch_size}
    assert_same(run(True, **options), run(False, **options))


def test_float32_stays_float32():
    train = TRAIN[0].astype(np.float32), TRAIN[1]
    models = [nn.MLP((2, 3, 2), seed=0, dtype=np.float32) for _ in range(2)]
    runs = [run(d, train=train, model=m) for d, m in zip((True, False), models, strict=True)]
    assert_same(*runs, rtol=1e-4)
    assert models[0].layers[0].W.dtype == np.float32


def test_a_run_that_is_resumed_ends_as_the_one_that_was_not(tmp_path):
    path = tmp_path / "run.safetensors"
    run(True, epochs=2, checkpoint=path)
    resumed = run(True, checkpoint=path, resume=True)
    assert_same(resumed, run(True), rtol=0)
    with pytest.raises(OtherRun, match="derived"):
        run(False, checkpoint=path, resume=True)


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


def test_a_loss_that_is_not_finite_is_said_as_without():
    errors = []
    for derived in (True, False):
        model = nn.MLP((2, 3, 2), seed=0)
        sgd = optim.SGD(model.parameters(), lr=1e200)
        with np.errstate(all="ignore"), pytest.raises(NonFiniteLoss) as error:
            run(derived, model=model, optimizer=sgd)
        errors.append(str(error.value))
    assert errors[0] == errors[1]
