"""The log of a training run: one line of JSON per epoch, on the disk before the next one begins."""

import json
import os
import sys
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from minigraph.files import as_path, naming, sync_folder
from minigraph.saving import DamagedFile

__all__ = ["COLUMNS", "History", "Log", "OtherRun", "check_same", "read_log"]

FORMAT = "minigraph training log 1"
NUMBERS = (
    "train_loss", "train_error", "trained_loss", "trained_error", "valid_loss", "valid_error",
    "test_loss", "test_error", "seconds", "learning_rate",
)  # fmt: skip
COLUMNS = ("epoch", *NUMBERS[:-2], "seconds", "examples", "learning_rate", "stop_reason")
MAX = sys.float_info.max
Row = dict[str, Any]
StrPath = str | os.PathLike[str]


class OtherRun(ValueError):
    """A log or a checkpoint is not of the run that is to be continued."""


class History(Mapping[str, list[Any]]):
    """What a training run measured, by column: one entry per epoch, None where not measured.

    Attributes
    ----------
    rows : list of dict
        The same by epoch.
    configuration : dict
        What was trained, and how, with versions of what ran; empty for a run without files.
    best_state : dict of str to ndarray, or None
        Copies of the parameters after the epoch `best_epoch`; a log does not have them.

    Examples
    --------
    >>> history = History([{"epoch": 1, "valid_loss": 0.7}, {"epoch": 2, "valid_loss": 0.5}])
    >>> history["valid_loss"], history.best_epoch
    ([0.7, 0.5], 2)
    """

    def __init__(self, rows: list[Row], configuration: Mapping[str, Any] | None = None) -> None:
        self.rows = rows
        self.configuration = dict(configuration or {})
        self.best_state: dict[str, Any] | None = None

    def __getitem__(self, column: str) -> list[Any]:
        if not any(column in row for row in self.rows) and column not in COLUMNS:
            raise KeyError(f"{column!r} is no column; there are {', '.join(self)}")
        return [row.get(column) for row in self.rows]

    def __iter__(self) -> Iterator[str]:
        return iter(self.rows[0] if self.rows else COLUMNS)

    def __len__(self) -> int:
        return len(self.rows[0] if self.rows else COLUMNS)

    @property
    def best_epoch(self) -> int | None:
        """The epoch of the smallest validation loss, the first of several; None if there is none.

        An epoch that was interrupted does not count.
        """
        losses = [(row["valid_loss"], row["epoch"]) for row in self.rows
                  if row.get("valid_loss") is not None]  # fmt: skip
        return min(losses)[1] if losses else None

    @property
    def stop_reason(self) -> str | None:
        """Why the run ended; None of one that has not, or was killed."""
        return self.rows[-1].get("stop_reason") if self.rows else None

    def __repr__(self) -> str:
        reason = f", stopped: {self.stop_reason}" if self.stop_reason else ""
        return f"<History of {len(self.rows)} epochs{reason}>"


def read_log(path: StrPath) -> History:
    """Read the log of a training run, also of one that is still running or was killed.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    History
        A mapping of column to list. A last line that was only half written is left out.

    Raises
    ------
    DamagedFile
        If the file is no log, or a line is damaged: it names the line.
    OSError
        If there is no such file, or it cannot be read.
    """
    first, rows, _ = parsed(as_path(path, "read_log: path").read_bytes(), path)
    if first is None:
        raise DamagedFile(f"{path}: no log: it has no complete first line")
    return History(rows, first)


class Log:
    """A log that is being written, by one process: the file is locked while it is open.

    Parameters
    ----------
    path : path-like
    configuration : dict
        Goes into the first line.
    rows : list of dict, optional
        Of a run that is resumed: the epochs that count. The file is brought to have just these.
        By default the run is new, and so must be the file.
    more : int
        How many more epochs the file may have, that are then cut off.

    Raises
    ------
    DamagedFile
        If it is no log, or a line is damaged.
    OtherRun
        If it is of another configuration, or has other numbers for an epoch.
    OSError
        If the run is new, but the file is not; if another run writes it; if it cannot be written.
    """

    def __init__(
        self,
        path: StrPath,
        configuration: Mapping[str, Any],
        rows: list[Row] | None = None,
        more: int = 0,
    ) -> None:
        self.path = as_path(path, "fit: log")
        self._file = open(self.path, "a+b", buffering=0)  # noqa: SIM115
        try:
            _lock(self._file, self.path)
            self._file.seek(0)
            content = self._file.read()
            if rows is None and content:
                raise FileExistsError(
                    f"{self.path}: there is a log already; continue its run with resume=True, or "
                    "give another path"
                )
            self._continue(content, configuration, rows or [], more)
        except BaseException:
            self._file.close()
            raise

    def _continue(
        self, content: bytes, configuration: Mapping[str, Any], rows: list[Row], more: int
    ) -> None:
        first, there, ends = parsed(content, self.path)
        if first is None:
            start = f'{{"format": "{FORMAT}"'.encode()
            if not (content.startswith(start) or start.startswith(content)):
                raise DamagedFile(f"{self.path}: not the beginning of a {FORMAT}")
            self._cut(0)
            self._write({"format": FORMAT, **configuration})
            sync_folder(self.path.parent)
        else:
            check_same(first, configuration, self.path)
        kept = 0
        while kept < min(len(rows), len(there)) and _same(rows[kept], there[kept]):
            kept += 1
        if kept < min(len(rows), len(there)) and there[kept]["examples"] == rows[kept]["examples"]:
            raise OtherRun(
                f"{self.path}, line {kept + 2}: another run than the checkpoint's, which has other "
                f"numbers for epoch {kept + 1}"
            )
        if len(there) > len(rows) + more:
            raise OtherRun(
                f"{self.path}: has {len(there)} epochs, the checkpoint {len(rows)}: it is not cut; "
                "give the newer checkpoint, or another log"
            )
        if first is not None:
            self._cut(ends[kept])
        for row in rows[kept:]:
            self.append(row)

    def append(self, row: Row) -> None:
        """Add an epoch; when this returns, it is on the disk.

        Raises
        ------
        OSError
            If it cannot be written; then nothing of it is in the file.
        """
        self._write(row)

    def _write(self, row: Mapping[str, Any]) -> None:
        start = self._file.seek(0, os.SEEK_END)
        line = memoryview(written(row))
        try:
            while line:
                line = line[self._file.write(line) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            self._cut(start)
            raise OSError(error.errno, f"{error.strerror}; nothing of this epoch is in the log",
                          str(self.path)) from None  # fmt: skip

    def _cut(self, end: int) -> None:
        with naming(self.path):
            self._file.truncate(end)
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file, and let others write it."""
        self._file.close()


def _lock(file: Any, path: Path) -> None:
    try:
        import portalocker
    except ImportError:
        raise ImportError("a log needs portalocker: pip install 'minigraph[train]'") from None
    try:
        portalocker.lock(file, portalocker.LOCK_EX | portalocker.LOCK_NB)
    except portalocker.LockException:
        raise BlockingIOError(
            f"{path}: another run is writing this log; give each its own"
        ) from None


# Lines


def written(row: Mapping[str, Any]) -> bytes:
    """Write a line: JSON, and last the CRC-32 of what stands before it."""
    text = json.dumps(row, ensure_ascii=False, allow_nan=False)[:-1]
    return f'{text}, "crc32": "{zlib.crc32(text.encode()):08x}"}}\n'.encode()


def parsed(content: bytes, path: StrPath) -> tuple[Row | None, list[Row], list[int]]:
    """Take a log apart: the first line, the epochs, and where each complete line ends."""
    whole = content.split(b"\n")[:-1]  # after the last line break stands nothing, or half a line
    read = [_line(line, path, number) for number, line in enumerate(whole, start=1)]
    ends, end = [], 0
    for line in whole:
        end += len(line) + 1
        ends.append(end)
    if not read:
        return None, [], []
    if read[0].pop("format", None) != FORMAT:
        raise DamagedFile(f"{path}, line 1: not the beginning of a {FORMAT}")
    for number, row in enumerate(read[1:], start=2):
        _check(row, path, number)
    return read[0], read[1:], ends


def _line(line: bytes, path: StrPath, number: int) -> Row:
    where = f"{path}, line {number}"
    text, mark, sum_ = line.rpartition(b', "crc32": "')
    if not mark or sum_ != b'%08x"}' % zlib.crc32(text):
        raise DamagedFile(f"{where}: damaged, or no line of a training log: {line[:40]!r}...")
    try:
        row = json.loads(text + b"}")
    except (ValueError, RecursionError) as error:
        raise DamagedFile(f"{where}: damaged: {error}") from None
    if not isinstance(row, dict):
        raise DamagedFile(f"{where}: damaged: no JSON object")
    return row


def _check(row: Row, path: StrPath, number: int) -> None:
    where = f"{path}, line {number}"
    if tuple(row) != COLUMNS:
        raise DamagedFile(
            f"{where}: expected the columns {', '.join(COLUMNS)}; found {', '.join(row)}"
        )
    if row["epoch"] != number - 1:
        raise DamagedFile(f"{where}: expected epoch {number - 1}, found {row['epoch']!r}")
    for name in NUMBERS:
        value = row[name]
        if value is not None and not (isinstance(value, int | float) and -MAX <= value <= MAX):
            raise DamagedFile(f"{where}: {name} is no number: {value!r}")
    if not isinstance(row["examples"], int):
        raise DamagedFile(f"{where}: examples is no number: {row['examples']!r}")
    if not isinstance(row["stop_reason"], str | None):
        raise DamagedFile(f"{where}: stop_reason is no text: {row['stop_reason']!r}")


def _same(one: Row, other: Row) -> bool:
    """Tell whether two lines are of one epoch: all but the time it took."""
    return {**one, "seconds": 0} == {**other, "seconds": 0}


def check_same(before: Mapping[str, Any], now: Mapping[str, Any], path: StrPath) -> None:
    """Compare two configurations; how many epochs are wanted, and versions, may differ.

    Raises
    ------
    OtherRun
        It lists the differences.
    """
    if unlike := list(_differences(before, now, "")):
        raise OtherRun(f"{path}: of another run: {'; '.join(unlike)}")


def _differences(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for key in dict.fromkeys([*before, *now]):
        one, other = before.get(key), now.get(key)
        if prefix + key in ("epochs", "versions") or one == other:
            continue
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            yield from _differences(one, other, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key} was {one!r} and is {other!r}"
