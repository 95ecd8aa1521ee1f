"""Checkpoints: all that a training run needs to go on as if it had never stopped."""

import os
from collections.abc import Mapping
from typing import Any

from minigraph.arrays import Array
from minigraph.files import as_path, sync_folder, write_synced
from minigraph.saving import DamagedFile, packed, unpacked

__all__ = ["Checkpoint"]

FORMAT = "minigraph checkpoint 1"


class Checkpoint:
    """A file with arrays and what JSON can say, and beside it the one before.

    Parameters
    ----------
    path : path-like
        A safetensors file. The one before it gets ".previous" before the suffix.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = as_path(path, "fit: checkpoint")
        self.previous = self.path.with_name(f"{self.path.stem}.previous{self.path.suffix}")
        self._went_back = False  # then the newest may be damaged, and is not kept as previous

    def exists(self) -> bool:
        """Tell whether there is anything to resume."""
        return self.path.exists() or self.previous.exists()

    def save(self, arrays: Mapping[str, Array], about: Mapping[str, Any]) -> None:
        """Put a new checkpoint into place; at every instant one is whole.

        Raises
        ------
        OSError
            If it cannot be written; the one that was there is still there.
        """
        content = packed(arrays, {"format": FORMAT, **about})
        newest = self.path.with_name(f".{self.path.name}.new")
        write_synced(newest, content, self.path)
        if self.path.exists() and not self._went_back:
            self.path.replace(self.previous)
        newest.replace(self.path)
        self._went_back = False
        sync_folder(self.path.parent)

    def load(self, previous: bool = False) -> tuple[dict[str, Array], dict[str, Any]]:
        """Read the checkpoint, or the one before it.

        Raises
        ------
        DamagedFile
            If it is damaged, or no checkpoint.
        """
        # Killed between the two renames of save(), the newest is where the one before is kept.
        path = self.previous if previous or not self.path.exists() else self.path
        try:
            arrays, about = unpacked(path.read_bytes(), path)
        except DamagedFile as error:
            if path == self.path and self.previous.exists():
                error.add_note(f"resume='previous' goes on from the one before, {self.previous}")
            raise
        if not isinstance(about, dict) or about.pop("format", None) != FORMAT:
            raise DamagedFile(f"{path}: no checkpoint of a training run")
        self._went_back = path == self.previous
        return arrays, about
