"""Training: it is the bare loop, each example counts once, and measuring never teaches."""

import gc
import tracemalloc
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigraph as mg
from demos.homework import by_hand
from minigraph import data, nn, optim
from minigraph.train import TrainingWarning, evaluate, fit, measuring

LAMBDAS = (1e-3, 5e-3, 2e-3, 7e-3)
quick = settings(max_examples=max(5, settings.default.max_examples // 4))


def circles(*sizes, seed=0):
    return data.split(*data.two_circles(seed), sizes, seed)


def network(hidden=3, seed=0, **options):
    return nn.MLP((2, hidden, 2), seed=seed, **options)


def sgd_of(model, lr=0.1, **options):
    return optim.SGD(model.parameters(), lr=lr, **options)


def values(model):
    return model.state_dict()


def assert_same(one, other):
    assert list(one) == list(other)
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


MAKERS = {
    "sgd": lambda p: optim.SGD(p, lr=0.1),
    "momentum": lambda p: optim.SGD(p, lr=optim.cosine(0.1, steps=20), momentum=0.9),
    "adam": lambda p: optim.Adam(p, lr=1e-2),
}


# The loop


@quick
@given(
    n=st.integers(1, 40),
    size=st.integers(1, 12),
    epochs=st.integers(0, 3),
    penalty=st.sampled_from([None, LAMBDAS]),
    maker=st.sampled_from(list(MAKERS)),
    seed=st.integers(0, 99),
)
def test_fit_is_the_bare_loop_to_the_bit(n, size, epochs, penalty, maker, seed):
    ((X, y),) = circles(n)
    ours, theirs = network(), network()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrainingWarning)
        history = fit(ours, (X, y), optimizer=MAKERS[maker](ours.parameters()), epochs=epochs,
                      batch_size=size, penalty=penalty, seed=seed)  # fmt: skip
    optimizer = MAKERS[maker](theirs.parameters())
    rng = np.random.default_rng(seed)
    for epoch in range(epochs):
        losses, wrong = [], 0
        for Xb, yb in data.minibatches(X, y, size, rng):
            wrong += np.count_nonzero(theirs(Xb).data.argmax(axis=1) != yb)
            losses += [nn.risk(theirs, Xb, yb).item()] * len(yb)
            risk = nn.risk(theirs, Xb, yb, penalty)
            optimizer.zero_grad()
            risk.backward()
            optimizer.step()
        assert history["train_loss"][epoch] == pytest.approx(np.mean(losses), rel=1e-13)
        assert history["train_error"][epoch] == wrong / n
        assert history["examples"][epoch] == n
    assert_same(values(ours), values(theirs))
    assert len(history.rows) == epochs


class Witness(nn.MLP):
    """A network that remembers which rows it was called with, learning or not."""

    def __init__(self, sizes):
        super().__init__(sizes, seed=0)
        self.learned, self.seen = [], []

    def __call__(self, x):
        y = super().__call__(x)
        (self.learned if y.requires_grad else self.seen).append(np.array(x))
        return y


@given(n=st.integers(1, 30), size=st.integers(1, 9))
def test_an_epoch_takes_every_example_once_in_a_new_order(n, size):
    X, y = np.arange(2.0 * n).reshape(n, 2), np.arange(n) % 2
    model = Witness((2, 2, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrainingWarning)
        fit(model, (X, y), optimizer=sgd_of(model, 1e-9), epochs=2, batch_size=size)
    sizes = [len(rows) for rows in model.learned]
    assert sizes == 2 * ([size] * (n // size) + [n % size] * (n % size > 0))
    taken = np.concatenate(model.learned)[:, 0]
    for epoch in (taken[:n], taken[n:]):
        np.testing.assert_array_equal(np.sort(epoch), X[:, 0])
    if n > 10:
        assert (taken[:n] != taken[n:]).any()


def test_a_step_is_the_homeworks_with_all_its_penalties():
    """C14, C15: the gradient is that of this minibatch, and of the penalties in the loss."""
    (train,) = circles(20)
    model = network()
    before = values(model)
    fit(model, train, optimizer=sgd_of(model, 0.5), epochs=1, batch_size=20, penalty=LAMBDAS)
    W1, b1, W2, b2 = before.values()
    parameters = by_hand.Parameters(W1.T, b1[:, None], W2.T, b2[:, None])
    X, y = train
    _, forward = by_hand.fprop_matrix(parameters, X.T, y)
    gradient = by_hand.bprop_matrix(parameters, X.T, y, forward, LAMBDAS)[0]
    for name, by_formula in zip(before, gradient):
        step = before[name] - 0.5 * by_formula.T.reshape(before[name].shape)
        np.testing.assert_allclose(values(model)[name], step, rtol=1e-12, atol=1e-15)


def test_seeds_decide_the_order_and_nothing_else_does():
    train, valid = circles(50, 20)

    def trained(seed):
        model = network()
        np.random.seed(seed)  # noqa: NPY002 (is not used)
        fit(model, train, valid, optimizer=sgd_of(model), epochs=2, batch_size=7, seed=seed)
        return values(model)

    assert_same(trained(3), trained(3))
    assert (trained(3)["W1"] != trained(4)["W1"]).any()


def test_the_rate_of_a_schedule_is_in_the_history():
    (train,) = circles(10)
    model = network()
    optimizer = sgd_of(model, lr=lambda step: 1 / (1 + step))
    history = fit(model, train, optimizer=optimizer, epochs=3, batch_size=5)
    assert history["learning_rate"] == [1.0, 1 / 3, 1 / 5]


def test_a_schedule_may_know_no_more_steps_than_the_run_has(tmp_path):
    (train,) = circles(10)
    model = network()
    rates = [0.1, 0.2, 0.3, 0.4, 0.5]  # the rate after the last step may be asked for
    fit(model, train, optimizer=sgd_of(model, rates.__getitem__), epochs=2, batch_size=5,
        log=tmp_path / "log.jsonl")  # fmt: skip


# Measuring


def test_evaluation_is_the_formula(monkeypatch):
    ((X, y),) = circles(37)
    model = network()
    logits = model(X).data
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    loss, error = -np.log(p[np.arange(37), y]).mean(), np.mean(logits.argmax(axis=1) != y)
    for rows in (1, 5, 37, 100):
        monkeypatch.setattr(measuring, "ROWS", rows)
        got = evaluate(model, X, y)
        assert got == (pytest.approx(loss, rel=1e-13), error)


def test_each_part_is_measured_after_the_epoch_and_never_trained_on():
    train, valid, test = circles(40, 30, 20)
    model = Witness((2, 3, 2))
    history = fit(
        model, train, valid, test, optimizer=sgd_of(model), epochs=2, batch_size=40,
        evaluate_train=True,
    )  # fmt: skip
    for part, (X, y) in {"trained": train, "valid": valid, "test": test}.items():
        loss, error = evaluate(model, X, y)
        assert history[f"{part}_loss"][-1] == loss
        assert history[f"{part}_error"][-1] == error
    learned = {tuple(row) for rows in model.learned for row in rows}
    assert learned == {tuple(row) for row in train[0]}
    assert history["train_loss"][-1] != history["trained_loss"][-1]
    assert history["valid_loss"][0] != history["valid_loss"][1]


def test_what_is_not_asked_for_is_not_measured():
    (train,) = circles(10)
    model = network()
    history = fit(model, train, optimizer=sgd_of(model), epochs=1, batch_size=5)
    for column in ("valid_loss", "valid_error", "test_loss", "test_error", "trained_loss"):
        assert history[column] == [None]
    assert history.best_epoch is None
    assert history.best_state is None


class Learner(nn.MLP):
    """C34: a network that learns while it is only asked."""

    def __call__(self, x):
        y = super().__call__(x)
        if not y.requires_grad and len(x) > 1:
            self.layers[0].b.data = self.layers[0].b.data + 1.0
        return y


def test_a_model_that_learns_from_what_it_is_measured_on_is_refused():
    train, valid = circles(10, 10)
    model = Learner((2, 3, 2), seed=0)
    with pytest.raises(
        RuntimeError, match=r"examples of valid has changed the parameters: Learner"
    ):
        fit(model, train, valid, optimizer=sgd_of(model), epochs=1, batch_size=5)


# The best


def overfitting():
    """Few examples with a wrong label among them: the validation loss rises in the end."""
    (X, y), valid = circles(12, 60)
    y = y.copy()
    y[:3] = 1 - y[:3]
    return (X, y), valid


def test_the_best_parameters_are_copies_and_give_the_logged_loss():
    """C16: 'best' must not be another name for 'current'."""
    train, valid = overfitting()
    model = network(20)
    history = fit(model, train, valid, optimizer=sgd_of(model, 0.5), epochs=80, batch_size=4)
    losses = history["valid_loss"]
    best = history.best_epoch
    assert losses[best - 1] == min(losses)
    assert 1 <= best < 80
    assert evaluate(model, *valid)[0] == losses[-1] > losses[best - 1]
    last = values(model)
    model.load_state_dict(history.best_state)
    assert evaluate(model, *valid)[0] == losses[best - 1]
    model.layers[0].W.data = np.zeros((2, 20))
    assert (history.best_state["W1"] != 0).all()
    assert (history.best_state["W1"] != last["W1"]).any()


def test_the_best_are_restored_on_request():
    train, valid = overfitting()
    model = network(20)
    history = fit(model, train, valid, optimizer=sgd_of(model, 0.5), epochs=80, batch_size=4,
                  restore_best=True)  # fmt: skip
    assert_same(values(model), history.best_state)
    assert evaluate(model, *valid)[0] == min(history["valid_loss"])


@pytest.mark.parametrize("patience", [1, 5])
def test_patience_ends_so_many_epochs_after_the_best(patience):
    train, valid = overfitting()
    model = network(20)
    history = fit(model, train, valid, optimizer=sgd_of(model, 0.5), epochs=500, batch_size=4,
                  patience=patience)  # fmt: skip
    losses = history["valid_loss"]
    assert len(losses) == history.best_epoch + patience < 500
    assert min(losses[:-patience]) == losses[history.best_epoch - 1] <= min(losses[-patience:])
    reasons = history["stop_reason"]
    assert set(reasons[:-1]) == {None}
    assert reasons[-1].startswith(f"patience: no smaller validation loss for {patience} epochs")


# Watchers


def test_a_loss_that_starts_worse_than_guessing_is_said():
    (train,) = circles(20)
    model = network()
    for p in model.parameters().values():
        p.data = p.data * 30 + 5
    with pytest.warns(TrainingWarning) as said:
        fit(model, train, optimizer=sgd_of(model, 1e-3), epochs=2, batch_size=5)
    assert len(said) == 1
    assert "that of guessing is ln 2 = 0.693" in str(said[0].message)
    assert said[0].filename == __file__


def test_a_class_without_examples_is_said_once():
    X, y = data.two_circles(0)
    model = nn.MLP((2, 3, 4), seed=0)
    with pytest.warns(TrainingWarning) as said:
        fit(model, (X, y), optimizer=sgd_of(model), epochs=2, batch_size=500)
    assert [str(w.message) for w in said] == [
        "no training example is of class 2, 3: the model cannot learn it"
    ]
    assert said[0].filename == __file__


def test_a_batch_of_more_than_all_is_said_and_taken():
    (train,) = circles(10)
    model = network()
    with pytest.warns(TrainingWarning, match="batch_size=11 is more than all 10 examples"):
        history = fit(model, train, optimizer=sgd_of(model), epochs=1, batch_size=11)
    assert history["examples"] == [10]


def test_nothing_is_said_of_a_good_run():
    train, valid = circles(100, 20)
    model = network()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(model, train, valid, optimizer=sgd_of(model), epochs=2, batch_size=10)


def broken(entry, place=(3, 1)):
    X, y = data.two_circles(0)
    X[place] = entry
    return X, y


BAD = {
    "batch_size=0": ({"batch_size": 0}, ValueError, "batch_size is at least 1, not 0"),
    "batch_size=2.0": ({"batch_size": 2.0}, TypeError, "batch_size is a whole number, not 2.0"),
    "epochs=-1": ({"epochs": -1}, ValueError, "epochs is at least 0, not -1"),
    "patience alone": ({"patience": 3}, ValueError, r"patience needs validation examples, valid="),
    "patience=0": ({"patience": 0}, ValueError, "patience is at least 1"),
    "best alone": ({"restore_best": True}, ValueError, "restore_best needs validation examples"),
    "no validation examples": (
        {"valid": (np.empty((0, 2)), np.empty(0, int))}, ValueError, "valid: there are no examples",
    ),
    "negative λ": (
        {"penalty": (0, -1e-3, 0, 0)}, ValueError, r"at least 0, not \(0, -0.001, 0, 0\)",
    ),
    "too few λ": ({"penalty": (0, 1)}, ValueError, "2 layers need 4 penalties"),
    "NaN in X": ({"train": broken(np.nan)}, ValueError, "train: X has nan in row 3, column 1"),
    "inf in X": ({"valid": broken(-np.inf)}, ValueError, "valid: X has -inf in row 3, column 1"),
    "unknown label": (
        {"train": (np.zeros((3, 2)), np.array([0, 1, 2]))}, ValueError,
        r"train: label 2 of row 2 is none of the classes 0 \.\.\. 1",
    ),
    "float labels": (
        {"train": (np.zeros((3, 2)), np.zeros(3))}, TypeError,
        r"train: labels are integers 0 \.\.\. 1, not float64",
    ),
    "X and y apart": (
        {"train": (np.zeros((3, 2)), np.zeros(2, int))}, ValueError,
        r"one label for each row of X; X has shape \(3, 2\), y \(2,\)",
    ),
    "no pair": ({"train": np.zeros((3, 2))}, TypeError, r"train is a pair \(X, y\)"),
    "resume='typo'": ({"resume": "typo"}, ValueError, "resume is True, False or 'previous', not"),
    "resume alone": ({"resume": True}, ValueError, "resume needs the checkpoint of the run"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_what_is_not_possible_is_refused_before_anything_is_done(what, tmp_path):
    options, kind, match = BAD[what]
    model = network()
    given = {"train": data.two_circles(0), "epochs": 1, "batch_size": 100, **options}
    before = values(model)
    with pytest.raises(kind, match=match):
        fit(model, optimizer=sgd_of(model), log=tmp_path / "log.jsonl", **given)
    assert_same(values(model), before)
    assert list(tmp_path.iterdir()) == []


def test_an_optimizer_of_another_model_is_refused():
    (train,) = circles(10)
    with pytest.raises(ValueError, match="the optimizer is not of this model"):
        fit(network(), train, optimizer=sgd_of(network()), epochs=1, batch_size=5)


def test_a_model_that_gives_no_logits_is_refused():
    class Flat(nn.MLP):
        def __call__(self, x):
            return super().__call__(x).sum(axis=1)

    (train,) = circles(10)
    model = Flat((2, 3, 2), seed=0)
    with pytest.raises(ValueError, match=r"makes \(1,\), not logits \(n, m\)"):
        fit(model, train, optimizer=sgd_of(model), epochs=1, batch_size=5)


# What a person sees


def test_a_bar_is_shown_on_request_and_not_in_a_log(capsys):
    train, valid = circles(20, 10)
    for progress in (True, None, False):
        model = network()
        fit(model, train, valid, optimizer=sgd_of(model), epochs=2, batch_size=5, progress=progress)
        shown = capsys.readouterr()
        assert shown.out == ""
        if progress:
            assert "8/8" in shown.err
            assert "loss=" in shown.err
            assert "valid error=" in shown.err
        else:
            assert shown.err == ""


def test_memory_stays_flat():
    (train,) = circles(50)
    model = network()
    optimizer = sgd_of(model, momentum=0.9)
    gc.disable()
    try:
        fit(model, train, optimizer=optimizer, epochs=2, batch_size=5)
        tracemalloc.start()
        fit(model, train, optimizer=optimizer, epochs=20, batch_size=5)
        before = tracemalloc.get_traced_memory()[0]
        fit(model, train, optimizer=optimizer, epochs=60, batch_size=5)
        after = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
        gc.enable()
    assert after - before < 20_000  # a leaked graph of one step has about 5,000 bytes


def test_history_is_a_mapping_of_columns():
    (train,) = circles(10)
    model = network()
    history = fit(model, train, optimizer=sgd_of(model), epochs=2, batch_size=5)
    assert history["epoch"] == [1, 2]
    assert set(history) == set(history.rows[0])
    assert len(history) == len(list(history))
    assert repr(history) == "<History of 2 epochs, stopped: epochs: all 2 done>"
    with pytest.raises(KeyError, match="'loss' is no column; there are epoch, train_loss"):
        history["loss"]


def test_a_model_of_ones_own_is_trained():
    class Logistic(nn.Module):
        def __init__(self):
            self.W = mg.Tensor(np.zeros((2, 2)), requires_grad=True, name="W")

        def parameters(self):
            return {"W": self.W}

        def __call__(self, x):
            return x @ self.W

    X = np.random.default_rng(0).normal(size=(100, 2))
    model = Logistic()
    history = fit(model, (X, (X[:, 0] > 0).astype(int)), optimizer=sgd_of(model, 1.0), epochs=20,
                  batch_size=10)  # fmt: skip
    assert history["train_error"][-1] < 0.05
    with pytest.raises(TypeError, match="penalty: of an MLP, not of Logistic"):
        fit(model, (X, np.zeros(100, int)), optimizer=sgd_of(model), epochs=1, batch_size=5,
            penalty=(0, 1))  # fmt: skip
