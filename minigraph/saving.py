"""Named arrays in safetensors files: no pickle, a checksum, whole or refused."""

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from minigraph.arrays import Array, array_of, is_array
from minigraph.checks import check_mapping
from minigraph.files import as_path, write_whole
from minigraph.methods import Operand
from minigraph.tensor import Tensor

__all__ = ["DamagedFile", "load", "save"]

DTYPES = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
          "float16", "float32", "float64")  # fmt: skip


class DamagedFile(ValueError):
    """A file is damaged, or not what it should be; nothing was taken from it."""


def save(arrays: Mapping[str, Operand], path: str | os.PathLike[str]) -> Path:
    """Write named arrays into a file, which is replaced only when all went well.

    Parameters
    ----------
    arrays : mapping of str to array_like
        Such as a model's ``state_dict()``; integers, floats of 16 to 64 bits, booleans.
    path : path-like
        By custom with suffix .safetensors. The format is that of the safetensors library, with a
        SHA-256 checksum of the contents in its metadata.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    TypeError
        If a name is no text, or an array of another kind.
    ValueError
        If a name is ``__metadata__``, which the format has for itself.
    OSError
        If the file cannot be written; what was there before is still there.
    ImportError
        If safetensors is not installed.

    Examples
    --------
    >>> import minigraph as mg
    >>> model = mg.nn.MLP((2, 3, 2), seed=0)
    >>> path = mg.save(model.state_dict(), getfixture("tmp_path") / "model.safetensors")
    >>> same = mg.nn.MLP((2, 3, 2))
    >>> same.load_state_dict(mg.load(path))
    """
    check_mapping(arrays, "save: arrays", "names to arrays, such as model.state_dict()")
    return write_whole(as_path(path, "save: path"), packed(arrays, {}))


def load(path: str | os.PathLike[str]) -> dict[str, Array]:
    """Read what `save` wrote, and check it to the last bit.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    dict of str to ndarray
        New, writable arrays, sorted by name.

    Raises
    ------
    DamagedFile
        If the file is damaged, or was not written by `save`.
    OSError
        If there is no such file, or it cannot be read.
    ImportError
        If safetensors is not installed.
    """
    return unpacked(as_path(path, "load: path").read_bytes(), path)[0]


def packed(arrays: Mapping[str, Operand], about: Mapping[str, Any]) -> bytes:
    """Give the bytes of a file with these arrays, and with what JSON can say about them."""
    library = _safetensors("save")
    checked = {name: _checked(name, array) for name, array in sorted(arrays.items())}
    text = json.dumps(about, ensure_ascii=False, allow_nan=False)
    metadata = {"minigraph": text, "sha256": _digest(checked, text)}
    content: bytes = library.save(checked, metadata)
    return content


def unpacked(content: bytes, path: str | os.PathLike[str]) -> tuple[dict[str, Array], Any]:
    """Take apart the bytes of the file `path`."""
    library = _safetensors("load")
    try:
        arrays = dict(sorted(library.load(content).items()))
        # load() has checked the header, but does not give the metadata that are in it
        metadata = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        metadata = metadata.get("__metadata__") or {}
    except Exception as error:  # of the library's own kind, or of what it calls
        raise DamagedFile(
            f"{path}: damaged, or no safetensors file ({error}); take an older copy"
        ) from None
    text = metadata.get("minigraph")
    if text is None or "sha256" not in metadata:
        raise DamagedFile(
            f"{path}: not written by minigraph, so it has no checksum; read it with "
            "safetensors.numpy.load_file"
        )
    if metadata["sha256"] != _digest(arrays, text):
        raise DamagedFile(f"{path}: damaged: the checksum is another; take an older copy")
    return {name: np.array(array) for name, array in arrays.items()}, json.loads(text)


def _checked(name: str, array: Operand) -> Array:
    if not isinstance(name, str):
        raise TypeError(f"save: names are text, not {name!r}")
    if name == "__metadata__":
        raise ValueError("save: the format has the name __metadata__ for itself; take another")
    values = array._array if isinstance(array, Tensor) else array
    values = np.asarray(values if is_array(values) else array_of(values, f"save: {name}"))
    if values.dtype.name not in DTYPES:
        raise TypeError(f"save: {name} is {values.dtype}; safetensors has {', '.join(DTYPES)}")
    values = np.require(values, values.dtype.newbyteorder("="), "C")
    return values if sys.byteorder == "little" else values.astype(values.dtype.newbyteorder("<"))


def _digest(arrays: Mapping[str, Array], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for name, array in arrays.items():
        digest.update(f"\n{name!r} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _safetensors(what: str) -> Any:
    try:
        import safetensors.numpy
    except ImportError:
        raise ImportError(f"{what} needs safetensors: pip install 'minigraph[train]'") from None
    return safetensors.numpy
