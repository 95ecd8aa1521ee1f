"""Paths, and files that are whole at all times, whatever happens while they are written."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from minigraph.arrays import shown

__all__ = ["as_path", "naming", "sync_folder", "write_synced", "write_whole"]


def as_path(path: str | os.PathLike[str], what: str) -> Path:
    """Give a path as a Path."""
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"{what} is a path, as text or a pathlib.Path, not {shown(path)}")
    return Path(path)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Have the system's errors name this file: those about an open one name none."""
    try:
        yield
    except OSError as error:
        error.filename = str(path)
        raise


def write_whole(path: Path, content: bytes) -> Path:
    """Write a file beside `path`, onto the disk, and then put it in its place.

    Raises
    ------
    OSError
        If that fails; what was at `path` is still there.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    write_synced(unfinished, content, path)
    try:
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    sync_folder(path.parent)
    return path


def write_synced(path: Path, content: bytes, target: Path) -> None:
    """Write a file onto the disk; if that fails, there is none, and the error names `target`."""
    try:
        with naming(target), open(path, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        with suppress(OSError):  # in a folder that cannot be written, this fails too
            path.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """Make sure that the names in a folder are on the disk, where the system can do that."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with naming(folder):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
