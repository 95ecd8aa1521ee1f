"""How a run ends, what it says then, and how it goes on from there."""

import json
import os
import signal
import threading

import numpy as np
import pytest
from train.victim import BATCHES, EPOCHS, TRAIN, VALID, make, paths, state, timeless

from minigraph import nn, optim
from minigraph.train import NonFiniteLoss, OtherRun, fit, read_log
from minigraph.train.checkpoint import Checkpoint
from minigraph.train.log import written


def train(folder, case="momentum", examples=TRAIN, **options):
    """Give model, optimizer and history of a run with files."""
    model, optimizer, given = make(case)
    options = {**given, **paths(folder), **options}
    return model, optimizer, fit(model, examples, VALID, optimizer=optimizer, **options)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


class Interrupted(nn.MLP):
    """An MLP that sends Ctrl-C to this process in its n-th call."""

    def __init__(self, sizes, at, **options):
        super().__init__(sizes, **options)
        self.calls, self.at = 0, at

    def __call__(self, x):
        self.calls += 1
        if self.calls in self.at:
            os.kill(os.getpid(), signal.SIGINT)
        return super().__call__(x)

    def __repr__(self):
        return "Interrupted"


# All epochs, patience, a callback


def test_after_all_epochs_the_reason_stands_in_history_and_log(tmp_path):
    _, _, history = train(tmp_path)
    assert history.stop_reason == f"epochs: all {EPOCHS} done"
    assert [timeless(row) for row in read_log(tmp_path / "log.jsonl").rows] == [
        timeless(row) for row in history.rows
    ]
    assert history["stop_reason"][:-1] == [None] * (EPOCHS - 1)


def test_patience_ends_the_run_so_many_epochs_after_the_best(tmp_path):
    _, _, history = train(tmp_path, "patience")
    losses = history["valid_loss"]
    assert len(losses) == history.best_epoch + 2 < 9
    assert min(losses) == losses[history.best_epoch - 1]
    assert history.stop_reason == (
        f"patience: no smaller validation loss for 2 epochs, best was {history.best_epoch}"
    )


def test_the_text_of_a_callback_ends_the_run(tmp_path):
    _, _, history = train(tmp_path, callbacks=[lambda h: "λ\n" if len(h.rows) == 2 else None])
    assert history.stop_reason == read_log(tmp_path / "log.jsonl").stop_reason == "callback: λ\n"
    assert len(history.rows) == 2


@pytest.mark.parametrize("case", ["momentum", "patience", "best"])
def test_resuming_a_finished_run_changes_nothing(tmp_path, case):
    model, optimizer, history = train(tmp_path, case)
    before = contents(tmp_path)
    again = train(tmp_path, case, resume=True)
    assert contents(tmp_path) == before
    assert state(*again[:2]) == state(model, optimizer)
    assert again[2].rows == history.rows


def test_resuming_with_more_epochs_goes_on(tmp_path):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    model, optimizer, history = train(tmp_path / "one", epochs=5)
    train(tmp_path / "other", epochs=2)
    again = train(tmp_path / "other", epochs=5, resume=True)
    assert state(*again[:2]) == state(model, optimizer)
    rows = [timeless(row) for row in read_log(tmp_path / "other" / "log.jsonl").rows]
    assert rows[1].pop("stop_reason") == "epochs: all 2 done"
    expected = [timeless(row) for row in history.rows]
    assert expected[1].pop("stop_reason") is None
    assert rows == expected


def test_the_best_parameters_are_restored_from_a_finished_run_too(tmp_path):
    model, _, history = train(tmp_path, "best")
    assert history.best_epoch < EPOCHS
    for name, value in history.best_state.items():
        assert np.array_equal(model.parameters()[name].data, value)
    again, _, _ = train(tmp_path, "best", resume=True)
    for name, value in history.best_state.items():
        assert np.array_equal(again.parameters()[name].data, value)


# A loss that is not finite


def test_a_loss_that_is_not_finite_is_not_stepped_on(tmp_path):
    model, optimizer, options = make("momentum")
    after = {}

    def ruin(history):
        if len(history.rows) == 2:
            model.parameters()["W2"].data[0, 0] = np.inf
            after.update(model.state_dict(), steps=optimizer.steps)

    match = "epoch 3, minibatch 1"
    with pytest.raises(NonFiniteLoss, match=match) as caught, np.errstate(all="ignore"):
        fit(model, TRAIN, VALID, optimizer=optimizer, **options, **paths(tmp_path),
            callbacks=[ruin])  # fmt: skip
    assert caught.value.tensor is model.parameters()["W2"]
    assert not np.isfinite(caught.value.loss.item())
    assert "W2" in caught.value.draw().source
    assert optimizer.steps == after.pop("steps")
    for name, value in after.items():
        assert np.array_equal(model.parameters()[name].data, value)
    history = read_log(tmp_path / "log.jsonl")
    assert history["epoch"] == [1, 2, 3]
    assert history["train_loss"][2] is None
    assert history.stop_reason.startswith("loss not finite in epoch 3, minibatch 1")


@pytest.mark.parametrize("resume", [True, "previous"])
def test_a_run_with_a_loss_that_was_not_finite_can_be_resumed(tmp_path, resume):
    model, optimizer, options = make("momentum")

    def ruin(history):
        if len(history.rows) == 2:
            optimizer.lr = 1e200

    with pytest.raises(NonFiniteLoss), np.errstate(all="ignore"):
        fit(model, TRAIN, VALID, optimizer=optimizer, **options, **paths(tmp_path),
            callbacks=[ruin])  # fmt: skip
    (tmp_path / "other").mkdir()
    one, other = train(tmp_path, resume=resume), train(tmp_path / "other")
    assert state(*one[:2]) == state(*other[:2])
    assert len(read_log(tmp_path / "log.jsonl").rows) == EPOCHS


# Ctrl-C


def interrupted(folder, at, **options):
    model = Interrupted((2, 5, 2), at, seed=1)
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    given = {"epochs": EPOCHS, "batch_size": 30, "progress": False, **paths(folder), **options}
    try:
        return model, optimizer, fit(model, TRAIN, VALID, optimizer=optimizer, **given)
    except KeyboardInterrupt as error:
        return model, optimizer, error


@pytest.mark.parametrize(
    ("call", "epoch", "done"),  # calls: one to count classes; per epoch BATCHES, and one for VALID
    [(2, 1, 1), (3, 1, 2), (4, 2, 0), (5, 2, 0), (6, 2, 1), (6 + BATCHES, 3, 0)],
)
def test_ctrl_c_finishes_the_step_and_saves(tmp_path, call, epoch, done):
    _, optimizer, error = interrupted(tmp_path, (call,))
    assert str(error) == (
        f"fit: interrupted in epoch {epoch}, after {done} minibatches; saved in "
        f"{tmp_path / 'run.safetensors'}; go on with resume=True"
    )
    assert optimizer.steps == (epoch - 1) * BATCHES + done
    arrays, about = Checkpoint(tmp_path / "run.safetensors").load()
    assert arrays["optimizer.steps"] == optimizer.steps
    assert about["position"]["batches"] == done
    log = read_log(tmp_path / "log.jsonl")
    assert log["epoch"] == list(range(1, epoch + 1))
    assert log.stop_reason == f"interrupted after {done} minibatches of the epoch"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler

    (tmp_path / "other").mkdir()
    other = interrupted(tmp_path / "other", ())
    again = interrupted(tmp_path, (), resume=True)
    assert state(*again[:2]) == state(*other[:2])
    assert [timeless(row) for row in read_log(tmp_path / "log.jsonl").rows] == [
        timeless(row) for row in other[2].rows
    ]


def test_ctrl_c_in_the_last_step_is_not_lost(tmp_path):
    last = 1 + EPOCHS * (BATCHES + 1) - 1
    for call in (last, last + 1):
        folder = tmp_path / str(call)
        folder.mkdir()
        _, _, error = interrupted(folder, (call,))
        assert isinstance(error, KeyboardInterrupt)
        assert "interrupted when the run had ended (epochs: all 4 done); saved" in str(error)
        assert read_log(folder / "log.jsonl").stop_reason == f"epochs: all {EPOCHS} done"
        before = contents(folder)
        assert len(interrupted(folder, (), resume=True)[2].rows) == EPOCHS
        assert contents(folder) == before


def test_ctrl_c_to_another_process_is_a_run_that_goes_on_to_the_same_end(victim, tmp_path):
    end = victim("adam", tmp_path, epochs=300, lines=3)
    assert end["error"] == "KeyboardInterrupt"
    assert end["message"].endswith(
        f"saved in {paths(tmp_path)['checkpoint']}; go on with resume=True"
    )
    rows = read_log(tmp_path / "log.jsonl").rows
    assert rows[-1]["stop_reason"].startswith("interrupted after")
    epochs = len(rows) + 1
    (tmp_path / "other").mkdir()
    ends = [train(tmp_path, "adam", epochs=epochs, resume=True),
            train(tmp_path / "other", "adam", epochs=epochs)]  # fmt: skip
    assert state(*ends[0][:2]) == state(*ends[1][:2])


def test_a_second_ctrl_c_stops_at_once_and_the_run_can_be_resumed(tmp_path):
    model = Interrupted((2, 5, 2), (), seed=1)

    def twice(history):
        if len(history.rows) == 2:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
            raise AssertionError("not at once")

    sgd = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    options = {"epochs": EPOCHS, "batch_size": 30, "progress": False, **paths(tmp_path)}
    with pytest.raises(KeyboardInterrupt) as caught:
        fit(model, TRAIN, VALID, optimizer=sgd, callbacks=[twice], **options)
    assert str(caught.value) == ""
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    (tmp_path / "other").mkdir()
    one, other = (interrupted(tmp_path, (), resume=True), interrupted(tmp_path / "other", ()))
    assert state(*one[:2]) == state(*other[:2])


def test_without_a_checkpoint_ctrl_c_says_that_nothing_is_saved(tmp_path):
    _, optimizer, error = interrupted(tmp_path, (3,), checkpoint=None)
    assert "nothing is saved; the model keeps what it has learned" in str(error)
    assert optimizer.steps == 2
    assert read_log(tmp_path / "log.jsonl").stop_reason.startswith("interrupted")


def test_a_handler_of_ones_own_is_left_in_place(tmp_path):
    asked = []
    before = signal.signal(signal.SIGINT, lambda *_: asked.append(1))
    try:
        _, _, history = interrupted(tmp_path, (3,))
    finally:
        signal.signal(signal.SIGINT, before)
    assert asked == [1]
    assert history.stop_reason.startswith("epochs")


def test_a_run_in_another_thread_touches_no_signal_handler(tmp_path, monkeypatch):
    ends, touched = [], []
    monkeypatch.setattr(signal, "signal", lambda *args: touched.append(args))
    thread = threading.Thread(target=lambda: ends.append(train(tmp_path)))
    thread.start()
    thread.join()
    assert touched == []
    assert ends[0][2].stop_reason == f"epochs: all {EPOCHS} done"


# Refusals: nothing is changed by them


def refused(folder, error, match, **options):
    before = contents(folder)
    model, optimizer, given = make(options.pop("case", "momentum"))
    examples = options.pop("examples", TRAIN)
    known = state(model, optimizer)
    with pytest.raises(error, match=match):
        fit(model, examples, VALID, optimizer=options.pop("optimizer", optimizer),
            **{**given, **paths(folder), **options})  # fmt: skip
    assert contents(folder) == before
    assert state(model, optimizer) == known


@pytest.mark.parametrize(
    ("options", "difference"),
    [
        ({"batch_size": 29}, "batch_size was 30 and is 29"),
        ({"patience": 3}, "patience was None and is 3"),
        ({"seed": 8}, "seed was 7 and is 8"),
        ({"penalty": [0, 0, 0, 1]}, r"penalty was None and is \[0, 0, 0, 1\]"),
        ({"evaluate_train": False}, "evaluate_train was True and is False"),
        ({"examples": (TRAIN[0] * 2, TRAIN[1])}, "checksums.train was"),
        ({"test": VALID}, "examples.test was None and is 60; checksums.test was None"),
        ({"case": "adam", "seed": 7}, r"optimizer.name was 'SGD' and is 'Adam'.*optimizer.betas"),
    ],
)
def test_another_configuration_is_refused_with_the_differences(tmp_path, options, difference):
    train(tmp_path, epochs=2)
    refused(tmp_path, OtherRun, difference, resume=True, **options)


def test_another_configuration_is_refused_without_a_log_too(tmp_path):
    train(tmp_path, epochs=2, log=None)
    match = r"run\.safetensors: of another run: seed was 7 and is 8"
    refused(tmp_path, OtherRun, match, resume=True, log=None, seed=8)


@pytest.mark.parametrize("bits", [np.random.Philox, np.random.MT19937])
def test_another_kind_of_generator_is_refused(tmp_path, bits):
    train(tmp_path, "adam", epochs=2)
    seed = np.random.Generator(bits(5))
    refused(tmp_path, OtherRun, "seed was 'PCG64' and is", case="adam", seed=seed, resume=True)


def test_an_optimizer_of_other_parameters_is_refused(tmp_path):
    model, _, options = make("momentum")
    layer = model.layers[1].parameters()
    fit(model, TRAIN, VALID, optimizer=optim.SGD(layer, lr=0.1), **{**options, "epochs": 2},
        **paths(tmp_path))  # fmt: skip
    before, known = contents(tmp_path), model.state_dict()
    sgd = optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(OtherRun, match=r"optimizer\.parameters"):
        fit(model, TRAIN, VALID, optimizer=sgd, resume=True, **options, **paths(tmp_path))
    assert contents(tmp_path) == before
    assert all(np.array_equal(model.parameters()[name].data, known[name]) for name in known)


def test_a_new_run_does_not_touch_files_that_are_there(tmp_path):
    train(tmp_path, epochs=2)
    refused(tmp_path, FileExistsError, r"run\.safetensors: there is a checkpoint already")
    for path in tmp_path.glob("*.safetensors"):
        path.unlink()
    refused(tmp_path, FileExistsError, r"log\.jsonl: there is a log already")


def test_a_checkpoint_of_which_only_the_one_before_is_left_is_not_overwritten(tmp_path):
    train(tmp_path, epochs=2, log=None)
    (tmp_path / "run.safetensors").unlink()
    refused(tmp_path, FileExistsError, "there is a checkpoint already")


def test_a_log_without_its_checkpoint_is_refused(tmp_path):
    train(tmp_path, epochs=2)
    for path in tmp_path.glob("*.safetensors"):
        path.unlink()
    refused(tmp_path, OtherRun, r"log\.jsonl: has 2 epochs, the checkpoint 0", resume=True)


def test_a_log_far_ahead_of_its_checkpoint_is_refused(tmp_path):
    train(tmp_path, epochs=1)
    early = contents(tmp_path)
    train(tmp_path, epochs=4, resume=True)
    for name, content in early.items():
        if name != "log.jsonl":
            (tmp_path / name).write_bytes(content)
    refused(tmp_path, OtherRun, "has 4 epochs, the checkpoint 1", resume=True)


def test_resume_without_a_checkpoint_is_refused(tmp_path):
    refused(tmp_path, ValueError, "resume needs the checkpoint", resume=True, checkpoint=None)


@pytest.mark.parametrize("content", ["", "My diary, 3 May", "a,b\n1,2\n", '{"format": "other"}\n'])
@pytest.mark.parametrize("resume", [True, False])
def test_a_log_that_is_another_file_is_never_written(tmp_path, content, resume):
    if resume:
        train(tmp_path, epochs=2)
    log = tmp_path / "log.jsonl"
    log.write_text(content or "\n")
    error = ValueError if resume else FileExistsError
    refused(tmp_path, error, r"log\.jsonl", resume=resume)


def test_the_log_of_another_run_is_refused(tmp_path):
    (tmp_path / "other").mkdir()
    train(tmp_path / "other", seed=8, epochs=2)
    train(tmp_path, epochs=2)
    log = contents(tmp_path / "other")["log.jsonl"]
    (tmp_path / "log.jsonl").write_bytes(log)
    (tmp_path / "other" / "log.jsonl").unlink()
    for path in (tmp_path / "other").iterdir():
        path.unlink()
    (tmp_path / "other").rmdir()
    refused(tmp_path, OtherRun, "log.*seed was 8 and is 7", resume=True)


def test_a_log_with_other_numbers_than_the_checkpoint_is_refused(tmp_path):
    train(tmp_path, epochs=2)
    log = tmp_path / "log.jsonl"
    first, second, third = log.read_bytes().splitlines(keepends=True)
    row = {**json.loads(second), "train_loss": 0.5}
    del row["crc32"]
    log.write_bytes(first + written(row) + third)
    refused(tmp_path, OtherRun, r"log\.jsonl, line 2: .*other numbers for epoch 1", resume=True)


def test_the_log_of_an_equal_run_is_as_good(tmp_path):
    logs = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        train(tmp_path / name, epochs=2)
        logs.append((tmp_path / name / "log.jsonl").read_bytes())
    assert logs[0] != logs[1]  # the seconds
    (tmp_path / "one" / "log.jsonl").write_bytes(logs[1])
    train(tmp_path / "one", epochs=2, resume=True)
    assert (tmp_path / "one" / "log.jsonl").read_bytes() == logs[1]


def test_a_lost_log_is_written_anew(tmp_path):
    train(tmp_path)
    before = contents(tmp_path)
    (tmp_path / "log.jsonl").unlink()
    train(tmp_path, resume=True)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("name", ["run.safetensors", "run.previous.safetensors"])
def test_one_file_is_not_log_and_checkpoint(tmp_path, name):
    refused(tmp_path, ValueError, "log and checkpoint at once", log=tmp_path / name)


def test_the_log_holds_what_was_measured(tmp_path):
    _, _, history = train(tmp_path)
    first, *rows = map(json.loads, (tmp_path / "log.jsonl").read_text().splitlines())
    assert first["format"] == "minigraph training log 1"
    assert {k: first[k] for k in ("epochs", "batch_size", "seed")} == {
        "epochs": EPOCHS, "batch_size": 30, "seed": 7,
    }  # fmt: skip
    assert [timeless(row) for row in rows] == [timeless(row) for row in history.rows]
