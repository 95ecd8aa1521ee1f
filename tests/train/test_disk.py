"""A disk that is full, a folder that cannot be written, a log that another run is writing."""

import errno
import os
import tempfile
from pathlib import Path

import pytest
from train.victim import EPOCHS, TRAIN, VALID, make, paths, state

from minigraph.files import write_synced, write_whole
from minigraph.train import fit, read_log
from minigraph.train.checkpoint import Checkpoint
from tests.counts import THOROUGH


def train(folder, **options):
    model, optimizer, given = make("momentum")
    options = {**given, **paths(folder), **options}
    return model, optimizer, fit(model, TRAIN, VALID, optimizer=optimizer, **options)


@pytest.fixture(scope="module")
def states():
    """What a run has in memory after each epoch, and at the start."""
    files = {"log": None, "checkpoint": None}
    return [state(*train("", epochs=epochs, **files)[:2]) for epochs in range(EPOCHS + 1)]


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def check_resumed(victim, folder):
    resumed, end = victim("momentum", folder, resume=True), victim.undisturbed("momentum")
    assert resumed == {**end, "events": resumed["events"]}


# Full


@pytest.mark.parametrize("limit", range(100, 8000, 100 if THOROUGH else 1300))
def test_when_the_disk_is_full_nothing_is_lost(victim, tmp_path, states, limit):
    stopped = victim("momentum", tmp_path, limit=limit)
    if stopped["error"] is not None:
        assert stopped["error"] == "OSError"
        assert any(str(path) in stopped["message"] for path in paths(tmp_path).values())
        assert stopped["state"] in states
        assert not list(tmp_path.glob(".*"))
        if (kept := Checkpoint(paths(tmp_path)["checkpoint"])).exists():
            rows = kept.load()[1]["rows"]
            assert states.index(stopped["state"]) - len(rows) in (0, 1)
            assert read_log(tmp_path / "log.jsonl").rows == rows
    check_resumed(victim, tmp_path)


@pytest.mark.parametrize("limit", range(300, 2500, 50 if THOROUGH else 740))
def test_when_the_log_does_not_fit_its_last_line_is_whole(victim, tmp_path, states, limit):
    stopped = victim("momentum", tmp_path, limit=limit, checkpoint=None)
    log = (tmp_path / "log.jsonl").read_bytes()
    assert log == b"" or log.endswith(b"\n")
    if stopped["error"] is not None:
        assert (
            f"nothing of this epoch is in the log: '{tmp_path / 'log.jsonl'}" in stopped["message"]
        )
        epochs = len(read_log(tmp_path / "log.jsonl").rows) + 1 if log else 0
        assert states[epochs] == stopped["state"]


def test_a_folder_that_is_on_a_disk_that_cannot_be_written_is_named_by_the_file(
    tmp_path, monkeypatch
):
    def refuse(path, missing_ok=False):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    monkeypatch.setattr(Path, "unlink", refuse)
    target = tmp_path / "nowhere" / "x"
    with pytest.raises(FileNotFoundError) as caught:
        write_synced(target.with_name(".x.new"), b"", target)
    assert caught.value.filename == str(target)


@pytest.mark.parametrize("name", ["fsync", "open"])
def test_what_cannot_be_synced_is_named(tmp_path, monkeypatch, name):
    def fail(*args):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, name, fail)
    with pytest.raises(OSError, match="Input/output error") as caught:
        write_whole(tmp_path / "x", b"new")
    assert name == "open" or caught.value.filename == str(tmp_path / "x")


# Read-only


@pytest.fixture
def open_folder():
    """A folder that every user can look into."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        folder.chmod(0o755)


def close(folder):
    for path in folder.iterdir():
        path.chmod(0o444)
    folder.chmod(0o555)


def reopen(folder):
    folder.chmod(0o755)
    for path in folder.iterdir():
        path.chmod(0o644)


@pytest.mark.parametrize("only", ["log", "checkpoint"])
def test_a_new_run_in_a_folder_that_cannot_be_written_names_the_file(victim, open_folder, only):
    files = {name: str(path) for name, path in paths(open_folder).items() if name == only}
    close(open_folder)
    end = victim("momentum", open_folder, unprivileged=True,
                 **{"log": None, "checkpoint": None, **files})  # fmt: skip
    assert end["error"] == "PermissionError"
    assert str(paths(open_folder)[only]) in end["message"]
    assert contents(open_folder) == {}


@pytest.mark.parametrize("log", [True, False])
def test_a_run_that_cannot_be_written_any_more_goes_on_later(victim, open_folder, states, log):
    train(open_folder, epochs=2)
    before = contents(open_folder)
    close(open_folder)
    without = {} if log else {"log": None}
    end = victim("momentum", open_folder, resume=True, unprivileged=True, **without)
    assert end["error"] == "PermissionError"
    assert str(paths(open_folder)["log" if log else "checkpoint"]) in end["message"]
    assert states.index(end["state"]) == (0 if log else 3)
    assert contents(open_folder) == before
    reopen(open_folder)
    model, optimizer, _ = train(open_folder, resume=True)
    assert state(model, optimizer) == states[-1]


# In use


def test_a_log_that_is_being_written_is_refused(victim, tmp_path, states):
    refusals = []

    def second(history):
        if len(history.rows) == 2:
            before = contents(tmp_path)
            with pytest.raises(BlockingIOError, match=r"log\.jsonl: another run is writing") as one:
                train(tmp_path, resume=True)
            refusals.append(str(one.value))
            other = victim("momentum", tmp_path, resume=True)
            assert (other["error"], other["state"]) == ("BlockingIOError", states[0])
            refusals.append(other["message"])
            assert contents(tmp_path) == before

    model, optimizer, _ = train(tmp_path, callbacks=[second])
    assert refusals[0] == refusals[1]
    assert state(model, optimizer) == states[-1]
    check_resumed(victim, tmp_path)
