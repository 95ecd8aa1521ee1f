"""Training that one can trust: each epoch measured, logged, and resumed to the bit."""

from minigraph.saving import DamagedFile
from minigraph.train.fitting import fit
from minigraph.train.log import History, OtherRun, read_log
from minigraph.train.loops import Watch
from minigraph.train.measuring import evaluate
from minigraph.train.watching import NonFiniteLoss, TrainingWarning

__all__ = [
    "DamagedFile",
    "History",
    "NonFiniteLoss",
    "OtherRun",
    "TrainingWarning",
    "Watch",
    "evaluate",
    "fit",
    "read_log",
]
