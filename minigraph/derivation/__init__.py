"""From a graph to its formulas: value and gradients written out in NumPy."""

from minigraph.derivation.derived import Derived, derive

__all__ = ["Derived", "derive"]
