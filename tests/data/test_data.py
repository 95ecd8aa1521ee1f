import gzip
import io
import itertools
import math
import os
import tempfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minigraph import data
from minigraph.data import (
    DataError,
    fashion_mnist,
    minibatches,
    read_idx,
    split,
    two_circles,
    two_circles_first10,
)

FIRST10_K = [36, 88, 519, 61, 229, 6, 263, 89, 48, 338]
FIRST10_LABEL = [1, 1, 0, 0, 0, 0, 0, 1, 0, 0]
NAMES = [
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
]
SEEDS = st.integers(0, 2**32)
ARRAYS = hnp.arrays(np.uint8, hnp.array_shapes(max_dims=3, max_side=6))


def header(*shape, magic=(0, 0, 8)):
    return bytes([*magic, len(shape)]) + b"".join(size.to_bytes(4, "big") for size in shape)


def idx_bytes(array):
    return header(*array.shape) + array.tobytes()


def read_bytes(content):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "file")
        path.write_bytes(content)
        return read_idx(path)


def write_fashion(folder, images=None, labels=None, n=3):
    """Write four files; `images` and `labels` replace those of the test part."""
    folder.mkdir(exist_ok=True)
    good_images = np.arange(n * 784, dtype=np.uint8).reshape(n, 28, 28)
    good_labels = np.arange(n, dtype=np.uint8)
    arrays = [
        good_images,
        good_labels,
        good_images if images is None else images,
        good_labels if labels is None else labels,
    ]
    for name, array in zip(NAMES, arrays, strict=True):
        folder.joinpath(name).write_bytes(gzip.compress(idx_bytes(array)))
    return folder


def numbered(n):
    """Return examples that carry their number, so that rows and labels can be matched."""
    return np.arange(2 * n).reshape(n, 2), np.arange(n)


def assert_same_rows(parts, n):
    """Check that rows and labels still fit, and return the numbers of the rows in order."""
    X = np.concatenate([X for X, _ in parts])
    y = np.concatenate([y for _, y in parts])
    np.testing.assert_array_equal(X, numbered(n)[0][y])
    return y.tolist()


# ---- two circles


def test_two_circles_has_every_angle_once_on_each_circle():
    X, y = two_circles()
    assert (X.shape, X.dtype, y.shape, y.dtype) == ((1100, 2), np.float64, (1100,), np.int64)
    for label, radius in [(0, 1.0), (1, 0.8)]:
        circle = X[y == label]
        k = np.arctan2(circle[:, 1], circle[:, 0]) * 550 / (2 * np.pi) % 550
        np.testing.assert_allclose(np.hypot(*circle.T), radius, rtol=1e-15)
        np.testing.assert_allclose(k, np.rint(k), atol=1e-9)
        assert sorted(np.rint(k) % 550) == list(range(550))


def test_two_circles_follows_seed():
    X, y = two_circles(seed=5)
    for same in [two_circles(seed=5), two_circles(seed=np.random.default_rng(5))]:
        np.testing.assert_array_equal(same[0], X)
        np.testing.assert_array_equal(same[1], y)
    assert not np.array_equal(two_circles(seed=6)[0], X)


def test_two_circles_is_shuffled_across_both_circles():
    assert 0 < two_circles()[1][:100].sum() < 100


def test_two_circles_dtype():
    X, _ = two_circles(dtype=np.float32)
    assert X.dtype == np.float32
    np.testing.assert_array_equal(X, two_circles()[0].astype(np.float32))
    with pytest.raises(TypeError, match="int"):
        two_circles(dtype=np.int64)


def test_first10_equals_formula():
    X, y = two_circles_first10()
    assert (X.shape, X.dtype, y.dtype) == ((10, 2), np.float64, np.int64)
    assert y.tolist() == FIRST10_LABEL
    for row, k, label in zip(X, FIRST10_K, FIRST10_LABEL, strict=True):
        radius, angle = (1.0, 0.8)[label], 2 * math.pi * k / 550
        expected = [radius * math.cos(angle), radius * math.sin(angle)]
        np.testing.assert_allclose(row, expected, rtol=1e-13)


def test_first10_is_subset_of_two_circles():
    X, y = two_circles()
    for row, label in zip(*two_circles_first10(), strict=True):
        (match,) = np.flatnonzero(np.abs(X - row).max(axis=1) < 1e-12)
        assert y[match] == label


# ---- the IDX format


@given(array=ARRAYS, packed=st.booleans())
@settings(max_examples=60, deadline=None)
def test_idx_round_trip(array, packed):
    content = idx_bytes(array)
    result = read_bytes(gzip.compress(content) if packed else content)
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result, array, strict=True)


def test_idx_matches_a_file_written_by_hand(tmp_path):
    path = tmp_path / "plain.gz"  # the suffix lies, the content counts
    path.write_bytes(b"\x00\x00\x08\x02\x00\x00\x00\x02\x00\x00\x00\x03\x01\x02\x03\x04\x05\xff")
    assert read_idx(str(path)).tolist() == [[1, 2, 3], [4, 5, 255]]


def test_idx_result_is_fresh_and_writable(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(idx_bytes(np.arange(5, dtype=np.uint8)))
    read_idx(path)[:] = 9
    assert read_idx(path).tolist() == [0, 1, 2, 3, 4]


def test_idx_spans_many_chunks(monkeypatch):
    monkeypatch.setattr(data, "_CHUNK", 7)
    array = np.arange(100, dtype=np.uint8)
    np.testing.assert_array_equal(read_bytes(idx_bytes(array)), array)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize(
    ("content", "expected", "found"),
    [
        (b"", "4 bytes of magic number", "0"),
        (header(4)[:3], "4 bytes of magic number", "3"),
        (header(4, 5)[:9], "8 bytes of sizes for 2 dimensions", "5"),
        (header(2, 3) + bytes(5), r"6 bytes for shape \(2, 3\)", "5"),
        (header(2, 3) + bytes(7), r"6 bytes for shape \(2, 3\)", "7 or more"),
        (header(2, 3) + bytes(5000), r"6 bytes for shape \(2, 3\)", "7 or more"),
        (header(4, magic=(0, 0, 13)) + bytes(16), "unsigned bytes", "00 00 0d 01"),
        (header(4, magic=(1, 0, 8)) + bytes(4), "00 00 08", "01 00 08 01"),
        (header(4, magic=(0, 1, 8)) + bytes(4), "00 00 08", "00 01 08 01"),
        (header() + bytes(4), "ndim", "00 00 08 00"),
        (header(*[1] * 65) + bytes(1), "ndim", "00 00 08 41"),
        (header(0, 28), "1 to 1073741824 bytes", r"shape \(0, 28\)"),
        (header(2**30 + 1), "1 to 1073741824 bytes", r"shape \(1073741825,\)"),
        (b"<!DOCTYPE html>", "unsigned bytes", "3c 21 44 4f"),
    ],
)
def test_idx_refuses(tmp_path, pack, content, expected, found):
    path = tmp_path / "some-file"
    path.write_bytes(pack(content))
    with pytest.raises(DataError, match=f"some-file: expected .*{expected}.*found {found}; "):
        read_idx(path)


def test_idx_accepts_as_many_dimensions_as_numpy():
    assert read_bytes(header(*[1] * 64) + b"\x07").shape == (1,) * 64


@given(array=ARRAYS, packed=st.booleans(), draw=st.data())
@settings(max_examples=60, deadline=None)
def test_idx_refuses_every_truncation(array, packed, draw):
    content = gzip.compress(idx_bytes(array)) if packed else idx_bytes(array)
    length = draw.draw(st.integers(0, len(content) - 1))
    with pytest.raises(DataError):
        read_bytes(content[:length])


def change_some_bytes(content, draw):
    """Write drawn bytes to one to four drawn places."""
    places = st.integers(0, len(content) - 1)
    mutations = st.dictionaries(places, st.integers(0, 255), min_size=1, max_size=4)
    for place, byte in draw.draw(mutations).items():
        content[place] = byte


@given(array=ARRAYS, draw=st.data())
@settings(max_examples=80, deadline=None)
def test_idx_mutated_gzip_reads_equal_or_is_refused(array, draw):
    content = bytearray(gzip.compress(idx_bytes(array), mtime=0))
    change_some_bytes(content, draw)
    try:
        result = read_bytes(bytes(content))
    except DataError:
        return
    np.testing.assert_array_equal(result, array, strict=True)


@given(array=ARRAYS, draw=st.data())
@settings(max_examples=80, deadline=None)
def test_idx_mutated_plain_file_reads_its_own_bytes_or_is_refused(array, draw):
    content = bytearray(idx_bytes(array))
    change_some_bytes(content, draw)
    try:
        result = read_bytes(bytes(content))
    except DataError:
        return
    assert idx_bytes(result) == content


@pytest.mark.parametrize("bit", range(8))
def test_idx_notices_each_flipped_checksum_bit(bit):
    content = bytearray(gzip.compress(idx_bytes(np.arange(9, dtype=np.uint8))))
    content[-8] ^= 1 << bit
    with pytest.raises(DataError, match="expected intact gzip data, found CRC"):
        read_bytes(bytes(content))


def test_idx_names_a_cut_gzip_file(tmp_path):
    path = tmp_path / "cut.gz"
    path.write_bytes(gzip.compress(idx_bytes(np.arange(9, dtype=np.uint8)))[:-1])
    with pytest.raises(DataError, match=r"cut\.gz: expected intact gzip data.*cut off"):
        read_idx(path)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize(
    "content",
    [
        header(2**32 - 1, 2**32 - 1) + bytes(9),  # beyond the limit
        header(2**30) + bytes(9),  # within the limit, but the bytes are not there
        header(9) + bytes(50_000_000),  # far more bytes than stated
    ],
    ids=["huge", "absent", "bomb"],
)
def test_idx_allocates_little_for_a_hostile_file(tmp_path, pack, content):
    path = tmp_path / "hostile"
    path.write_bytes(pack(content))
    tracemalloc.start()
    try:
        with pytest.raises(DataError):
            read_idx(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4_000_000


def test_idx_unpacks_no_further_than_one_byte_past_the_claim(monkeypatch):
    taken = []

    class Counting(gzip.GzipFile):
        def read(self, size=-1):
            chunk = super().read(size)
            taken.append(len(chunk))
            return chunk

    monkeypatch.setattr(data.gzip, "GzipFile", Counting)
    content = io.BytesIO()
    with gzip.open(content, "wb") as file:
        file.write(header(9) + bytes(100_000))
    with pytest.raises(DataError):
        read_bytes(content.getvalue())
    assert sum(taken) == 8 + 9 + 1


def test_idx_directory_and_missing_file(tmp_path):
    with pytest.raises(OSError, match=tmp_path.name):
        read_idx(tmp_path)
    with pytest.raises(FileNotFoundError, match="absent"):
        read_idx(tmp_path / "absent")


def test_data_error_is_a_value_error():
    assert issubclass(DataError, ValueError)


# ---- Fashion-MNIST


def test_fashion_mnist_scales_and_flattens(tmp_path):
    (X_train, y_train), (X_test, y_test) = fashion_mnist(write_fashion(tmp_path))
    pixels = np.arange(3 * 784, dtype=np.uint8).reshape(3, 784)
    for X, y in [(X_train, y_train), (X_test, y_test)]:
        np.testing.assert_array_equal(X, pixels.astype(np.float32) / np.float32(255), strict=True)
        np.testing.assert_array_equal(y, np.arange(3), strict=True)
        assert (X.min(), X.max()) == (0, 1)


def test_fashion_mnist_tells_train_from_test(tmp_path):
    images = np.full((2, 28, 28), 51, np.uint8)
    write_fashion(tmp_path, images, np.array([7, 9], np.uint8))
    (X_train, _), (X_test, y_test) = fashion_mnist(tmp_path)
    assert (len(X_train), X_test.shape, y_test.tolist()) == (3, (2, 784), [7, 9])
    np.testing.assert_array_equal(X_test, np.float32(0.2))


def test_fashion_mnist_dtype(tmp_path):
    write_fashion(tmp_path)
    (X, _), _ = fashion_mnist(tmp_path, dtype=np.float64)
    np.testing.assert_array_equal(X.ravel()[:256], np.arange(256) / 255, strict=True)
    with pytest.raises(TypeError, match=r"fashion_mnist: dtype is of floats.*not int64"):
        fashion_mnist(tmp_path, dtype=np.int64)


def test_fashion_mnist_search_order(tmp_path, monkeypatch):
    places = {n: write_fashion(tmp_path / f"folder{n}", n=n) for n in (1, 2, 3)}
    monkeypatch.setattr(data, "_DEBIAN_FOLDER", str(places[3]))

    def count(folder=None):
        return len(fashion_mnist(folder)[0][1])

    monkeypatch.delenv("MINIGRAPH_DATA", raising=False)
    assert (count(), count(places[1])) == (3, 1)
    monkeypatch.setenv("MINIGRAPH_DATA", str(places[2]))
    assert (count(), count(str(places[1]))) == (2, 1)
    places[2].joinpath(NAMES[3]).unlink()
    assert count() == 3


def test_fashion_mnist_not_found_names_folders_and_ways(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIGRAPH_DATA", str(tmp_path / "from_environment"))
    monkeypatch.setattr(data, "_DEBIAN_FOLDER", str(tmp_path / "from_package"))
    with pytest.raises(FileNotFoundError) as caught:
        fashion_mnist()
    message = str(caught.value)
    ways = ["apt install dataset-fashion-mnist", "set MINIGRAPH_DATA", "folder="]
    for part in ["from_environment", "from_package", *ways, *NAMES]:
        assert part in message


def test_fashion_mnist_searches_only_the_given_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIGRAPH_DATA", str(write_fashion(tmp_path / "complete")))
    with pytest.raises(FileNotFoundError, match="elsewhere") as caught:
        fashion_mnist(tmp_path / "elsewhere")
    assert "complete" not in str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_fashion_mnist_needs_all_four_files(tmp_path, name):
    write_fashion(tmp_path)
    tmp_path.joinpath(name).unlink()
    tmp_path.joinpath(name).mkdir()
    with pytest.raises(FileNotFoundError, match=name):
        fashion_mnist(tmp_path)


@pytest.mark.parametrize(
    ("images", "labels", "found"),
    [
        (np.zeros((3, 28, 27), np.uint8), None, r"\(3, 28, 27\)"),
        (np.zeros((3, 784), np.uint8), None, r"\(3, 784\)"),
        (np.zeros((4, 28, 28), np.uint8), None, r"\(4, 28, 28\) and \(3,\)"),
        (None, np.zeros((3, 1), np.uint8), r"\(3, 1\)"),
        (None, np.array([0, 10, 2], np.uint8), "labels up to 10"),
    ],
)
def test_fashion_mnist_refuses_what_does_not_fit(tmp_path, images, labels, found):
    write_fashion(tmp_path, images, labels)
    with pytest.raises(DataError, match=rf"t10k-images.*t10k-labels.*found .*{found}"):
        fashion_mnist(tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_fashion_mnist_refuses_a_damaged_file(tmp_path, name):
    path = write_fashion(tmp_path) / name
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=name):
        fashion_mnist(tmp_path)


def test_real_fashion_mnist():
    try:
        parts = fashion_mnist()
    except FileNotFoundError:
        if os.environ.get("CI"):
            raise
        pytest.skip("needs `apt install dataset-fashion-mnist` or MINIGRAPH_DATA")
    for (X, y), n in zip(parts, (60_000, 10_000), strict=True):
        assert (X.shape, X.dtype, y.shape, y.dtype) == ((n, 784), np.float32, (n,), np.int64)
        assert (X.min(), X.max()) == (0, 1)
        assert np.bincount(y).tolist() == [n // 10] * 10


# ---- splits and minibatches


@given(sizes=st.lists(st.integers(0, 20), max_size=5), rest=st.integers(0, 5), seed=SEEDS)
@settings(max_examples=60, deadline=None)
def test_split_is_a_partition(sizes, rest, seed):
    n = sum(sizes) + rest
    parts = split(*numbered(n), sizes, seed)
    assert isinstance(parts, tuple)
    assert [len(y) for _, y in parts] == sizes
    rows = assert_same_rows([*parts, (np.empty((0, 2), int), np.empty(0, int))], n)
    assert len(set(rows)) == len(rows) == n - rest


def test_split_follows_seed_and_shuffles():
    first, second, other = (
        assert_same_rows(split(*numbered(50), (20, 30), seed), 50)
        for seed in (3, np.random.default_rng(3), 4)
    )
    assert first == second != other
    assert first != sorted(first)


def test_split_copies():
    X, y = numbered(6)
    for X_part, y_part in split(X, y, (3, 3)):
        X_part[:], y_part[:] = -1, -1
    np.testing.assert_array_equal(X, numbered(6)[0])
    np.testing.assert_array_equal(y, numbered(6)[1])


@pytest.mark.parametrize("sizes", [(3, 3), (6,), (6, -1), (-1, 2), (0.5, 0.5), (2.0,)])
def test_split_refuses_sizes(sizes):
    with pytest.raises(ValueError, match="sizes must be integers >= 0 of sum <= 5") as caught:
        split(*numbered(5), sizes)
    assert str(sizes) in str(caught.value)


@given(n=st.integers(0, 60), size=st.integers(1, 70), rng=st.none() | SEEDS)
@settings(max_examples=60, deadline=None)
def test_minibatches_are_a_partition(n, size, rng):
    batches = list(minibatches(*numbered(n), size, rng))
    sizes = [len(y) for _, y in batches]
    assert sizes == [size] * (n // size) + [n % size] * (n % size > 0)
    rows = assert_same_rows(batches, n) if n else []
    assert sorted(rows) == list(range(n))
    if rng is None:
        assert rows == list(range(n))


def test_minibatches_follow_rng():
    def order(rng):
        return assert_same_rows(list(minibatches(*numbered(50), 8, rng)), 50)

    rng = np.random.default_rng(3)
    first_epoch, second_epoch = order(rng), order(rng)
    assert order(3) == first_epoch != second_epoch
    assert order(4) != first_epoch != list(range(50))


@pytest.mark.parametrize("rng", [None, 0])
def test_minibatches_copy_and_keep_dtypes(rng):
    X, y = numbered(6)
    for X_batch, y_batch in minibatches(X.astype(np.float32), y.astype(np.int8), 4, rng):
        assert (X_batch.dtype, y_batch.dtype) == (np.float32, np.int8)
    for X_batch, y_batch in minibatches(X, y, 4, rng):
        X_batch[:], y_batch[:] = -1, -1
    np.testing.assert_array_equal(X, numbered(6)[0])
    np.testing.assert_array_equal(y, numbered(6)[1])


def test_minibatches_are_lazy():
    X, y = numbered(1000)
    batches = minibatches(X, y, 10)
    X[:] = 7
    (first,) = itertools.islice(batches, 1)
    np.testing.assert_array_equal(first[0], np.full((10, 2), 7))


@pytest.mark.parametrize("size", [0, -3])
def test_minibatches_refuse_size_at_the_call(size):
    with pytest.raises(ValueError, match=f"minibatches: size is at least 1, not {size}"):
        minibatches(*numbered(5), size)


def test_minibatches_refuse_fraction_at_the_call():
    with pytest.raises(TypeError, match=r"minibatches: size is a whole number, not 1\.5"):
        minibatches(*numbered(5), 1.5)


@pytest.mark.parametrize(
    "function", [lambda X, y: split(X, y, (1,)), lambda X, y: minibatches(X, y, 1)]
)
def test_unequal_lengths_are_refused_at_the_call(function):
    with pytest.raises(ValueError, match="X has 5 rows but y has 4"):
        function(np.zeros((5, 2)), np.zeros(4))
