"""Data sets and their handling as plain NumPy arrays: rows of `X` are examples, `y` labels them."""

import gzip
import math
import os
import zlib
from collections.abc import Iterator, Sequence
from io import BufferedIOBase
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from minigraph.arrays import shown
from minigraph.checks import as_float_dtype, generator, listed, whole
from minigraph.files import as_path

__all__ = ["DataError", "fashion_mnist", "minibatches", "read_idx", "split",
           "two_circles", "two_circles_first10"]  # fmt: skip

Array = NDArray[Any]
XY = tuple[Array, Array]
Seed = int | np.random.Generator
StrPath = str | os.PathLike[str]
_FILES = [f"{p}-{k}-ubyte.gz" for p in ("train", "t10k") for k in ("images-idx3", "labels-idx1")]
_DEBIAN_FOLDER = "/usr/share/datasets/fashion-mnist"
_MAX_BYTES, _CHUNK = 2**30, 2**20


class DataError(ValueError):
    """A data file is damaged or not what it should be."""


def two_circles(seed: Seed = 0, dtype: DTypeLike = np.float64) -> XY:
    """Two circles of 550 points each around the origin, without noise, in shuffled order.

    Point k = 0..549 of a circle is r (cos(2πk/550), sin(2πk/550)), with radius r = 1.0 for
    label 0 and r = 0.8 for label 1.

    Parameters
    ----------
    seed : int or numpy.random.Generator
        Decides the order of the rows.
    dtype : dtype_like
        Floating type of `X`.

    Returns
    -------
    X : (1100, 2) ndarray
        One point per row.
    y : (1100,) ndarray of int64
        Their labels, 0 or 1.

    Raises
    ------
    TypeError
        If `dtype` is an integer type.

    Examples
    --------
    >>> two_circles()[0].shape
    (1100, 2)
    """
    dtype = as_float_dtype(dtype, "two_circles: dtype")
    order = generator(seed, "two_circles: seed").permutation(1100)
    X, y = _on_circles(k=order % 550, label=order // 550)
    return X.astype(dtype), y


def two_circles_first10() -> XY:
    """First ten rows of the course's `two_circles`: k = 36 88 519 61 229 6 263 89 48 338.

    Returns
    -------
    X : (10, 2) ndarray of float64
    y : (10,) ndarray of int64

    Examples
    --------
    >>> two_circles_first10()[1]
    array([1, 1, 0, 0, 0, 0, 0, 1, 0, 0])
    """
    k = np.array([36, 88, 519, 61, 229, 6, 263, 89, 48, 338])
    return _on_circles(k, label=np.array([1, 1, 0, 0, 0, 0, 0, 1, 0, 0]))


def _on_circles(k: Array, label: Array) -> XY:
    angle = 2 * np.pi * k / 550
    radius = np.where(label == 0, 1.0, 0.8)
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle)]), label


def fashion_mnist(folder: StrPath | None = None, dtype: DTypeLike = np.float32) -> tuple[XY, XY]:
    """Load Fashion-MNIST, grey images of 28 × 28 pixels in ten classes.

    Parameters
    ----------
    folder : path_like, optional
        Where the four gzipped files are; by default the folder that the environment variable
        MINIGRAPH_DATA names, then /usr/share/datasets/fashion-mnist, Debian's.
    dtype : dtype_like
        Floating type of the images.

    Returns
    -------
    (X_train, y_train) : (60000, 784) ndarray and (60000,) ndarray of int64
        Pixels divided by 255, in [0, 1]; labels 0 ... 9.
    (X_test, y_test) : (10000, 784) ndarray and (10000,) ndarray of int64

    Raises
    ------
    FileNotFoundError
        If none of the folders holds all four files; it says how to get them.
    DataError
        If a file is damaged, or images and labels do not fit each other.
    TypeError
        If `dtype` is an integer type.

    Examples
    --------
    Where the four files are installed::

        (X_train, y_train), (X_test, y_test) = fashion_mnist()
    """
    dtype = as_float_dtype(dtype, "fashion_mnist: dtype")
    train_X, train_y, test_X, test_y = _find_files(folder)
    return _load_pair(train_X, train_y, dtype), _load_pair(test_X, test_y, dtype)


def _find_files(folder: StrPath | None) -> list[Path]:
    default = os.environ.get("MINIGRAPH_DATA"), _DEBIAN_FOLDER
    if folder is None:
        folders = [Path(place) for place in default if place]
    else:
        folders = [as_path(folder, "fashion_mnist: folder")]
    for place in folders:
        paths = [Path(place, name) for name in _FILES]
        if all(path.is_file() for path in paths):
            return paths
    raise FileNotFoundError(
        f"Fashion-MNIST: no folder of {', '.join(map(str, folders))} holds {', '.join(_FILES)}. "
        "Run `apt install dataset-fashion-mnist`, or set MINIGRAPH_DATA to a folder that holds "
        "the four files, or pass that folder as folder="
    )


def _load_pair(images_path: Path, labels_path: Path, dtype: DTypeLike) -> XY:
    images, labels = read_idx(images_path), read_idx(labels_path)
    if images.shape[1:] != (28, 28) or labels.shape != images.shape[:1] or labels.max() > 9:
        expected = "images of shape (n, 28, 28) and labels 0..9 of shape (n,)"
        found = f"shapes {images.shape} and {labels.shape}, labels up to {labels.max()}"
        raise _refusal(f"{images_path} and {labels_path}", expected, found)
    # With dtype=, the division converts in small buffers: no second copy in floating point.
    return np.divide(images.reshape(-1, 784), 255, dtype=dtype), labels.astype(np.int64)


def read_idx(path: StrPath) -> NDArray[np.uint8]:
    """Read a file of unsigned bytes in the IDX format, gzipped or plain whatever its suffix.

    The format: bytes 0, 0, 8, number of dimensions; sizes as big-endian uint32; elements, C order.
    No memory is taken on the word of the header: the bytes must be there.

    Parameters
    ----------
    path : path_like

    Returns
    -------
    ndarray of uint8
        New and writable, of the shape that the file states.

    Raises
    ------
    DataError
        If it is another format, damaged, cut off, too long, empty or over 1 GiB.
    OSError
        If it cannot be opened.

    Examples
    --------
    >>> from tempfile import NamedTemporaryFile
    >>> with NamedTemporaryFile() as file:
    ...     _ = Path(file.name).write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9]))
    ...     read_idx(file.name)
    array([7, 8, 9], dtype=uint8)
    """
    with open(as_path(path, "read_idx: path"), "rb") as file:
        packed = file.peek(2)[:2] == b"\x1f\x8b"
        try:
            return _read_array(path, gzip.GzipFile(fileobj=file) if packed else file)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise _refusal(path, "intact gzip data", error) from error


def _read_array(path: StrPath, stream: BufferedIOBase) -> NDArray[np.uint8]:
    magic = _read_exactly(path, stream, 4, "of magic number")
    if magic[:3] != b"\0\0\x08" or not 1 <= magic[3] <= 64:  # 64 is NumPy's limit
        raise _refusal(path, "00 00 08 (IDX, unsigned bytes) and 01..40 (ndim)", magic.hex(" "))
    sizes = _read_exactly(path, stream, 4 * magic[3], f"of sizes for {magic[3]} dimensions")
    shape = tuple(np.frombuffer(sizes, ">u4").tolist())
    size = math.prod(shape)
    if not 1 <= size <= _MAX_BYTES:
        raise _refusal(path, f"1 to {_MAX_BYTES} bytes of data", f"shape {shape}")
    data = _read_exactly(path, stream, size, f"for shape {shape}")
    if stream.read(1):  # at the end, this read makes gzip compare its checksum
        raise _refusal(path, f"{size} bytes for shape {shape}", f"{size + 1} or more")
    return np.frombuffer(data, np.uint8).reshape(shape)


def _read_exactly(path: StrPath, stream: BufferedIOBase, size: int, what: str) -> bytearray:
    data = bytearray()
    # read(n) may allocate n bytes first: by chunks, a false claim costs one chunk.
    while chunk := stream.read(min(_CHUNK, size - len(data))):
        data += chunk
    if len(data) < size:
        raise _refusal(path, f"{size} bytes {what}", len(data))
    return data


def _refusal(path: StrPath, expected: str, found: object) -> DataError:
    cause = "probably it is damaged, cut off or not the file that was meant: get it again"
    return DataError(f"{path}: expected {expected}, found {found}; {cause}")


def split(X: Array, y: Array, sizes: Sequence[int], seed: Seed = 0) -> tuple[XY, ...]:
    """Shuffle the examples once and cut them into parts of the given sizes.

    Parameters
    ----------
    X, y : (n, ...) ndarray
        Of any type.
    sizes : sequence of int
        How many examples each part gets; what their sum leaves of n is in no part.
    seed : int or numpy.random.Generator
        Decides the order.

    Returns
    -------
    tuple of (X, y)
        New arrays, one pair for each size.

    Raises
    ------
    ValueError
        If `X` and `y` differ in length, or `sizes` are not integers >= 0 of sum <= n.

    Examples
    --------
    >>> [X.shape for X, _ in split(*two_circles(), sizes=(700, 200, 200))]
    [(700, 2), (200, 2), (200, 2)]
    """
    n = _count_examples("split", X, y)
    sizes = listed(sizes, "split: sizes", "a sequence of whole numbers")
    if not all(isinstance(s, int | np.integer) and s >= 0 for s in sizes) or sum(sizes) > n:
        raise ValueError(
            f"split: sizes must be integers >= 0 of sum <= {n}, the rows of X, not {sizes}"
        )
    order = generator(seed, "split: seed").permutation(n)
    parts = np.split(order, np.cumsum(sizes))[:-1]
    return tuple((X[part], y[part]) for part in parts)


def minibatches(X: Array, y: Array, size: int, rng: Seed | None = None) -> Iterator[XY]:
    """Iterate once over all examples, `size` at a time; the last batch may be shorter.

    Parameters
    ----------
    X, y : (n, ...) ndarray
        Of any type.
    size : int
        How many examples a batch has.
    rng : numpy.random.Generator or int, optional
        Decides the order; a Generator draws a new one at every call. None keeps the order given.

    Returns
    -------
    iterator of (X_batch, y_batch)
        New arrays of shape (size, ...).

    Raises
    ------
    ValueError
        If `X` and `y` differ in length, or `size` < 1: at the call, not at the first batch.

    Examples
    --------
    >>> [len(y_batch) for _, y_batch in minibatches(*two_circles(), size=500, rng=0)]
    [500, 500, 100]
    """
    n = _count_examples("minibatches", X, y)
    size = whole(size, "minibatches: size", 1)
    order = np.arange(n) if rng is None else generator(rng, "minibatches: rng").permutation(n)
    # take copies whole rows in two thirds of the time of X[i]
    return ((X.take(i, axis=0), y[i]) for i in (order[k : k + size] for k in range(0, n, size)))


def _count_examples(function: str, X: Array, y: Array) -> int:
    for name, array in (("X", X), ("y", y)):
        if not getattr(array, "shape", ()):
            raise TypeError(f"{function}: {name} is an array, not {shown(array)}; np.array(...)")
    if len(X) != len(y):
        raise ValueError(
            f"{function}: X has {len(X)} rows but y has {len(y)}: give one label for each row"
        )
    return len(X)
