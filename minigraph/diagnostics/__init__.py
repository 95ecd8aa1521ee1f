"""What went on in a graph: writes and NaN as they happen, why a gradient is what it is, memory."""

from minigraph.diagnostics.debugging import debug
from minigraph.diagnostics.explaining import explain
from minigraph.diagnostics.explanation import Explanation
from minigraph.diagnostics.keeping import Memory, memory
from minigraph.diagnostics.tabular import Explanations

__all__ = ["Explanation", "Explanations", "Memory", "debug", "explain", "memory"]
