"""Backward passes written by hand, and a library of the mistakes that people make in them.

`ARCHITECTURES` names programs in plain NumPy that are right, `LIBRARY` lists mistakes in them with
their causes, and `load` gives either as a module. `CAUSES` is the vocabulary, `SENTENCES` what the
diagnosis says of each, and `naming` tells whether it did.
"""

from minigraph.testing.mistakes.loading import ARCHITECTURES, load, source
from minigraph.testing.mistakes.mistake import CAUSES, Mistake
from minigraph.testing.mistakes.sentences import SENTENCES, naming
from minigraph.testing.mistakes.tables import (
    columns,
    columns_calls,
    columns_rules,
    deep,
    loop,
    norm,
    rows,
)

__all__ = [
    "ARCHITECTURES",
    "CAUSES",
    "LIBRARY",
    "SENTENCES",
    "Mistake",
    "load",
    "naming",
    "source",
]

LIBRARY: tuple[Mistake, ...] = (
    *columns.MISTAKES,
    *columns_rules.MISTAKES,
    *columns_calls.MISTAKES,
    *loop.MISTAKES,
    *rows.MISTAKES,
    *deep.MISTAKES,
    *norm.MISTAKES,
)
