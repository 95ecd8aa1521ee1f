"""Of the checkpoint and the one before it, one is always whole."""

import pytest
from train.victim import paths

from minigraph.train import DamagedFile
from minigraph.train.checkpoint import Checkpoint
from tests.counts import THOROUGH


@pytest.fixture
def kept(tmp_path):
    """The checkpoints 1 and, before it, 0."""
    checkpoint = Checkpoint(tmp_path / "run.safetensors")
    for number in range(2):
        checkpoint.save({"x": [number]}, {"number": number})
    return checkpoint


def damage(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def test_the_newest_and_the_one_before_are_kept(kept, tmp_path):
    assert kept.load()[1] == {"number": 1}
    assert kept.load(previous=True)[1] == {"number": 0}
    assert sorted(tmp_path.iterdir()) == [kept.previous, kept.path]


def test_between_the_two_renames_the_one_before_is_the_newest(kept):
    kept.path.replace(kept.previous)
    assert kept.exists()
    assert kept.load()[1] == kept.load(previous=True)[1] == {"number": 1}


def test_a_damaged_one_is_refused_and_the_one_before_named(kept):
    damage(kept.path)
    with pytest.raises(DamagedFile, match=r"run\.safetensors: damaged") as caught:
        kept.load()
    assert "run.previous.safetensors" in caught.value.__notes__[0]
    assert kept.load(previous=True)[1] == {"number": 0}


def test_a_damaged_one_never_takes_the_place_of_the_one_before(kept):
    damage(kept.path)
    resumed = Checkpoint(kept.path)
    resumed.load(previous=True)
    for number in (2, 3):
        resumed.save({"x": [number]}, {"number": number})
        assert kept.load()[1] == {"number": number}
        assert kept.load(previous=True)[1] == {"number": 2 * (number - 2)}


@pytest.mark.parametrize("deed", ["kill", "half"])
def test_a_run_that_went_on_from_the_one_before_can_be_killed_too(victim, tmp_path, deed):
    end = victim.undisturbed("momentum")
    for at in range(32) if THOROUGH else (5, 6, 12):
        folder = tmp_path / str(at)
        folder.mkdir()
        victim("momentum", folder, deed="kill", at=31)
        damage(paths(folder)["checkpoint"])
        victim("momentum", folder, resume="previous", deed=deed, at=at)
        resumed = victim("momentum", folder, resume=True)
        if resumed["error"] == "DamagedFile":
            resumed = victim("momentum", folder, resume="previous")
        assert resumed == {**end, "events": resumed.get("events")}


def test_a_file_of_save_is_no_checkpoint(tmp_path):
    import minigraph as mg

    path = mg.save({"x": [1.0]}, tmp_path / "x.safetensors")
    with pytest.raises(DamagedFile, match="no checkpoint"):
        Checkpoint(path).load()
