"""Training that one can trust: each epoch measured, logged, and resumed to the bit."""

from minigraph.train.fitting import fit
from minigraph.train.log import History, LogError, read_log
from minigraph.train.measuring import evaluate
from minigraph.train.watching import NonFiniteLoss, TrainingWarning

__all__ = [
    "History",
    "LogError",
    "NonFiniteLoss",
    "TrainingWarning",
    "evaluate",
    "fit",
    "read_log",
]
