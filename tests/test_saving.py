"""What is saved is loaded to the bit, or not at all."""

import os

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minigraph as mg
from minigraph.saving import DTYPES, DamagedFile, packed, unpacked

arrays = st.sampled_from(DTYPES).flatmap(
    lambda name: hnp.arrays(
        np.dtype(name), hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
    )
)
layouts = st.sampled_from(
    [
        lambda x: x,
        np.transpose,
        np.asfortranarray,
        lambda x: x[..., ::-1] if x.ndim else x,
        lambda x: x.astype(x.dtype.newbyteorder(">")),
        lambda x: mg.Tensor(x) if x.dtype.kind == "f" else x,
    ]
)


def plain(x):
    x = np.asarray(x.data if isinstance(x, mg.Tensor) else x)
    return x.astype(x.dtype.newbyteorder("="))


@given(saved=st.dictionaries(st.text(st.characters(codec="utf-8")), st.builds(
    lambda layout, x: layout(x), layouts, arrays), max_size=4))  # fmt: skip
def test_arrays_are_loaded_as_they_were_saved(saved):
    if "__metadata__" in saved:
        return
    loaded, about = unpacked(packed(saved, {"about": "λ"}), "file")
    assert about == {"about": "λ"}
    assert list(loaded) == sorted(saved)
    for name, x in saved.items():
        expected = plain(x)
        assert (loaded[name].dtype, loaded[name].shape) == (expected.dtype, expected.shape)
        assert loaded[name].tobytes() == expected.tobytes()
        assert loaded[name].flags.writeable
        assert loaded[name].flags.owndata


def test_the_safetensors_library_reads_what_is_saved(tmp_path):
    model = mg.nn.MLP((2, 3, 2), seed=0)
    path = mg.save(model.state_dict(), tmp_path / "model.safetensors")
    read = safetensors.numpy.load_file(path)
    assert read.keys() == model.state_dict().keys()
    assert all(np.array_equal(read[name], x) for name, x in model.state_dict().items())


def test_what_the_safetensors_library_writes_has_no_checksum(tmp_path):
    path = tmp_path / "x.safetensors"
    safetensors.numpy.save_file({"x": np.ones(2)}, path, {"minigraph": "{}"})
    with pytest.raises(DamagedFile, match=r"x\.safetensors: not written by minigraph.*load_file"):
        mg.load(path)


@pytest.mark.parametrize("x", [np.array([{}]), np.array(["a"]), np.array(1j), np.longdouble(1)])
def test_other_kinds_of_arrays_are_refused(tmp_path, x):
    path = tmp_path / "x.safetensors"
    mg.save({"x": [1.0]}, path)
    before = path.read_bytes()
    with pytest.raises(TypeError, match=rf"save: other is {x.dtype}.*float64"):
        mg.save({"other": x}, path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", [1, b"x", None])
def test_names_are_text(tmp_path, name):
    with pytest.raises(TypeError, match="names are text"):
        mg.save({name: [1.0]}, tmp_path / "x.safetensors")


def test_the_name_of_the_formats_own_metadata_is_refused(tmp_path):
    with pytest.raises(ValueError, match="__metadata__"):
        mg.save({"__metadata__": [1.0]}, tmp_path / "x.safetensors")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("broken", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_when_saving_fails_the_old_file_is_still_there_and_no_other(
    tmp_path, monkeypatch, broken, error
):
    path = mg.save({"x": [1.0]}, tmp_path / "x.safetensors")
    before = path.read_bytes()

    def fail(*args):
        raise error

    monkeypatch.setattr(*((os, "fsync") if broken == "fsync" else (type(path), "replace")), fail)
    with pytest.raises(type(error)):
        mg.save({"x": [2.0]}, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_named_by_the_file(tmp_path):
    path = tmp_path / "nowhere" / "x.safetensors"
    with pytest.raises(FileNotFoundError) as caught:
        mg.save({}, path)
    assert caught.value.filename == str(path)
    with pytest.raises(FileNotFoundError):
        mg.load(path)


def test_a_saved_file_is_as_readable_as_any_other(tmp_path):
    other = tmp_path / "other"
    other.write_bytes(b"")
    path = mg.save({}, tmp_path / "x.safetensors")
    assert path.stat().st_mode == other.stat().st_mode
