"""A damaged file gives what was written, or our error: nothing else, and nothing by halves."""

import gzip
import json
import os
import resource
import zlib
from pathlib import Path

import numpy as np
import pytest
from train.damaging import damaged
from train.victim import EPOCHS, TRAIN, VALID, make, paths, state, timeless

import minigraph as mg
from minigraph.data import DataError, read_idx
from minigraph.train import DamagedFile, OtherRun, fit, read_log
from minigraph.train.checkpoint import Checkpoint
from minigraph.train.log import written
from tests.counts import THOROUGH

COPIES = 20_000 if THOROUGH else 400  # of each kind of file; there are five
RESUMED = 3_000 if THOROUGH else 60  # with a damaged log, and with a damaged checkpoint
MEMORY = 2**28


@pytest.fixture
def little_memory():
    """No more than 256 MiB beyond what is in use: what a damaged file may claim cannot be had."""
    statm = Path("/proc/self/statm")
    if not statm.exists():
        pytest.skip("a test for Linux")
    used = int(statm.read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Files of a run of all epochs, and how it ended."""
    folder = tmp_path_factory.mktemp("run")
    end = trained(folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()}, state(*end[:2])


def trained(folder, **more):
    model, optimizer, options = make("adam")
    options = {**options, **paths(folder), **more}
    return model, optimizer, fit(model, TRAIN, VALID, optimizer=optimizer, **options)


def check_copies(path, content, read, is_right, error):
    right, refusals = 0, []
    for seed in range(COPIES):
        copy = damaged(content, seed)
        path.write_bytes(copy)
        try:
            found = read(path)
        except error as refusal:
            refusals.append(str(refusal))
        else:
            assert is_right(found, copy), f"damaged(content, {seed})"
            right += 1
    assert all(path.name in text for text in refusals)
    assert right > 0
    assert len(refusals) > COPIES // 4


def test_a_damaged_log_gives_a_beginning_of_the_true_rows(run, tmp_path, little_memory):
    path = tmp_path / "log.jsonl"
    path.write_bytes(run[0]["log.jsonl"])
    whole = read_log(path)

    def is_right(found, _):
        rows = whole.rows[: len(found.rows)]
        return found.rows == rows and found.configuration == whole.configuration

    check_copies(path, run[0]["log.jsonl"], read_log, is_right, DamagedFile)


def test_a_damaged_checkpoint_is_refused(run, tmp_path, little_memory):
    path = tmp_path / "run.safetensors"
    path.write_bytes(run[0]["run.safetensors"])
    arrays, about = Checkpoint(path).load()

    def is_right(found, _):
        return equal(found[0], arrays) and found[1] == about

    content = run[0]["run.safetensors"]
    check_copies(path, content, lambda path: Checkpoint(path).load(), is_right, DamagedFile)


def test_a_damaged_file_of_arrays_is_refused(tmp_path, little_memory):
    rng = np.random.default_rng(0)
    arrays = {
        "W": rng.normal(size=(3, 4)),
        "λ": np.float32([1, np.nan]),
        "n": np.array(3),
        "none": np.zeros((0, 2), np.float16),
        "yes": np.array([True, False]),
    }
    path = mg.save(arrays, tmp_path / "x.safetensors")
    content = path.read_bytes()
    check_copies(path, content, mg.load, lambda found, _: equal(found, arrays), DamagedFile)


def equal(one, other):
    return one.keys() == other.keys() and all(
        one[name].dtype == other[name].dtype
        and one[name].shape == other[name].shape
        and one[name].tobytes() == other[name].tobytes()
        for name in other
    )


def idx_bytes(array):
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


ARRAY = np.random.default_rng(0).integers(0, 256, (7, 5, 4), np.uint8)


def test_a_damaged_idx_file_is_read_as_it_is_or_refused(tmp_path, little_memory):
    path = tmp_path / "idx"  # has no checksum: what is well formed is right
    check_copies(path, idx_bytes(ARRAY), read_idx, lambda x, copy: idx_bytes(x) == copy, DataError)


def test_a_damaged_gzipped_idx_file_is_refused(tmp_path, little_memory):
    content = gzip.compress(idx_bytes(ARRAY))
    check_copies(
        tmp_path / "idx.gz", content, read_idx, lambda x, _: np.array_equal(x, ARRAY), DataError
    )


# Resuming


@pytest.mark.parametrize("name", ["log.jsonl", "run.safetensors"])
def test_a_run_with_a_damaged_file_is_resumed_rightly_or_nothing_is_changed(
    run, tmp_path, monkeypatch, name
):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    contents, end = run
    model, optimizer, options = make("adam")
    start, begun = model.state_dict(), optimizer.state_dict()
    right, refusals = 0, []
    for seed in range(RESUMED):
        for path, content in contents.items():
            (tmp_path / path).write_bytes(content)
        (tmp_path / name).write_bytes(damaged(contents[name], seed))
        before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        model.load_state_dict(start)
        optimizer.load_state_dict(begun)
        known = state(model, optimizer)
        given = {**options, **paths(tmp_path), "seed": make("adam")[2]["seed"], "resume": True}
        try:
            fit(model, TRAIN, VALID, optimizer=optimizer, **given)
        except (DamagedFile, OtherRun) as refusal:
            refusals.append(str(refusal))
            assert state(model, optimizer) == known
            assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
        else:
            assert state(model, optimizer) == end
            lines = [(tmp_path / "log.jsonl").read_bytes(), contents["log.jsonl"]]
            one, other = ([timeless(json.loads(x)) for x in line.splitlines()] for line in lines)
            assert one == other
            right += 1
    assert all(name in text for text in refusals)
    assert min(right, len(refusals)) > 0


# Damages that the checksums do not notice: somebody has made them


def resealed(line, old, new):
    """A line of a log with another text, and the checksum of that."""
    text = line.rpartition(b', "crc32": "')[0]
    assert old in text
    text = text.replace(old, new, 1)
    return text + b', "crc32": "%08x"}\n' % zlib.crc32(text)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (b'"epoch": 2', b'"epoch": 3', "expected epoch 2, found 3"),
        (b'"epoch": 2', b'"epoch": "2"', "expected epoch 2, found '2'"),
        (b'"epoch"', b'"time"', "expected the columns epoch"),
        (b'"test_loss": null', b'"test_loss": NaN', "test_loss is no number: nan"),
        (b'"test_loss": null', b'"test_loss": "0"', "test_loss is no number: '0'"),
        (b'"test_loss": null', b'"test_loss": ' + b"9" * 400, "test_loss is no number"),
        (b'"test_loss": null', b'"test_loss": ' + b"9" * 5000, "damaged"),
        (b'"test_loss": null', b'"test_loss": ' + b"[" * 100_000, "damaged"),
        (b'"examples": 80', b'"examples": null', "examples is no number: None"),
        (b'"stop_reason": null', b'"stop_reason": 3', "stop_reason is no text: 3"),
        (b'{"epoch": 2', b'{{"epoch": 2', "damaged"),
        (b'{"epoch": 2', b'["epoch", 2', "damaged"),
        (b'{"epoch": 2', b'{"epoch": 2, "\xff": 2', "damaged"),
    ],
)
def test_a_line_that_is_no_epoch_is_named(run, tmp_path, old, new, what):
    path = tmp_path / "log.jsonl"
    lines = run[0]["log.jsonl"].splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], resealed(lines[2], old, new), *lines[3:]]))
    with pytest.raises(DamagedFile, match=rf"log\.jsonl, line 3: .*{what}"):
        read_log(path)


@pytest.mark.parametrize("content", [b"", b"\n", b"{}\n", written({"format": "other"}), b"x" * 99])
def test_what_is_no_log_is_refused(tmp_path, content):
    path = tmp_path / "log.jsonl"
    path.write_bytes(content)
    with pytest.raises(DamagedFile, match=r"log\.jsonl"):
        read_log(path)


def test_a_half_written_last_line_is_left_out(run, tmp_path):
    path = tmp_path / "log.jsonl"
    content = run[0]["log.jsonl"]
    last = content[:-1].rindex(b"\n") + 1
    for end in range(last, len(content)):
        path.write_bytes(content[:end])
        assert len(read_log(path).rows) == EPOCHS - 1


@pytest.mark.parametrize("metadata", ["", ', "__metadata__": null', ', "__metadata__": {}'])
def test_arrays_without_our_checksum_are_refused(tmp_path, metadata):
    header = f'{{"x": {{"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}{metadata}}}'
    path = tmp_path / "x.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header.encode() + bytes(4))
    with pytest.raises(DamagedFile, match=r"x\.safetensors"):
        mg.load(path)


@pytest.mark.parametrize("dtype", ["BF16", "F8_E4M3", "F4", "C64"])
def test_arrays_that_numpy_does_not_have_are_refused(tmp_path, dtype):
    header = f'{{"x": {{"dtype": "{dtype}", "shape": [2], "data_offsets": [0, 4]}}}}'
    path = tmp_path / "x.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header.encode() + bytes(4))
    with pytest.raises(DamagedFile, match=r"x\.safetensors"):
        mg.load(path)


@pytest.mark.parametrize("size", [2**20, 2**33, 2**63, 2**64 - 1])
def test_a_header_that_claims_to_be_huge_is_refused(tmp_path, little_memory, size):
    path = tmp_path / "x.safetensors"
    path.write_bytes(size.to_bytes(8, "little") + b"{}" * 50)
    with pytest.raises(DamagedFile, match=r"x\.safetensors"):
        mg.load(path)
