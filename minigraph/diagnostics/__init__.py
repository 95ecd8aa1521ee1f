"""What went on in a graph: writes and NaN as they happen, why a gradient is what it is, memory."""

from minigraph.diagnostics.debugging import debug

__all__ = ["debug"]
