"""What is wrong with a backward pass written by hand: which gradient, why, and what is right."""

from minigraph.testing.diagnosis.checking import assert_bprop, check_bprop
from minigraph.testing.diagnosis.grading.grades import Grade, Grades
from minigraph.testing.diagnosis.grading.grading import grade
from minigraph.testing.diagnosis.power import Power, probe_power
from minigraph.testing.diagnosis.steps.stepping import check_step
from minigraph.testing.diagnosis.verdicts import BackpropError, Diagnosis, Verdict

__all__ = [
    "BackpropError",
    "Diagnosis",
    "Grade",
    "Grades",
    "Power",
    "Verdict",
    "assert_bprop",
    "check_bprop",
    "check_step",
    "grade",
    "probe_power",
]
