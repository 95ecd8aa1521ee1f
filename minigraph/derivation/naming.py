"""Names of a program's values: those that the program uses, made safe for Python."""

import builtins
import keyword
import re
import unicodedata
from collections.abc import Iterable

__all__ = ["Names", "identifier"]

LONGEST = 24

# What the source itself means by these, and what is misread: l, O and I look like digits.
TAKEN = {"np", "scipy", "K", "l", "O", "I", *dir(builtins), *keyword.kwlist, *keyword.softkwlist}


def identifier(text: str) -> str:
    """Make a name that Python can read of any text: letters, digits and _ stay."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    name = re.sub(r"\W+", "_", plain).strip("_")
    if not name or name[0].isdigit():
        name = f"x{name}"
    name = name[:LONGEST]
    return f"{name}_" if name in TAKEN else name


class Names:
    """Names given so far: each once."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)
        self._last: dict[str, int] = {}  # the number that each stem bore last

    def give(self, wanted: str) -> str:
        """Give this name made safe, with a number if it is taken."""
        name = identifier(wanted)
        if name in self._taken:
            return self._numbered(f"{name}_", 2)
        self._taken.add(name)
        return name

    def next(self, stem: str) -> str:
        """Give the next free name of a row: t1, t2, ..."""
        return self._numbered(stem, 1)

    def _numbered(self, stem: str, first: int) -> str:
        number = self._last.get(stem, first - 1) + 1
        while f"{stem}{number}" in self._taken:
            number += 1
        self._last[stem] = number
        self._taken.add(f"{stem}{number}")
        return f"{stem}{number}"
