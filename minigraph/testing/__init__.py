"""Checks of gradients that can be believed: they say what they could have seen.

`check_gradients` compares a gradient with differences. `check_bprop` says what is wrong with a
backward pass written by hand, `check_step` with a training step; `grade` says it of many files, and
`probe_power` which mistakes a test of your own would miss. `minigraph.testing.strategies`, which
needs Hypothesis, draws random inputs, programs and networks to check.
"""

from minigraph.testing.checking import check_gradients
from minigraph.testing.diagnosis import (
    BackpropError,
    Diagnosis,
    Grade,
    Grades,
    Power,
    Verdict,
    assert_bprop,
    check_bprop,
    check_step,
    grade,
    probe_power,
)
from minigraph.testing.report import Finding, GradientError, Report

__all__ = [
    "BackpropError",
    "Diagnosis",
    "Finding",
    "Grade",
    "Grades",
    "GradientError",
    "Power",
    "Report",
    "Verdict",
    "assert_bprop",
    "check_bprop",
    "check_gradients",
    "check_step",
    "grade",
    "probe_power",
]
