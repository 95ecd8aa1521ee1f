"""From a graph to its formulas: value and gradients written out in NumPy."""

from minigraph.derivation.derived import Derived
from minigraph.derivation.deriving import derive
from minigraph.derivation.stepping import DerivedStep, derive_step

__all__ = ["Derived", "DerivedStep", "derive", "derive_step"]
