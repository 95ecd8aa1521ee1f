"""Checks of gradients that can be believed: they say what they could have seen.

`check_gradients` compares a gradient with differences. `minigraph.testing.strategies`, which needs
Hypothesis, draws random inputs, programs and networks to check.
"""

from minigraph.testing.checking import check_gradients
from minigraph.testing.report import Finding, GradientError, Report

__all__ = ["Finding", "GradientError", "Report", "check_gradients"]
