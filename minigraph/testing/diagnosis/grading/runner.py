"""Check one submission in this process, within limits; what `grade` starts for each.

    python -m minigraph.testing.diagnosis.grading.runner SUBMISSION RESULT MEMORY SEED [EXERCISE]

The result is written as JSON to a file, since what is printed is the submission's.
"""

import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

import numpy as np

import minigraph as mg
from minigraph.testing.diagnosis.grading.submissions import Unfit, arguments, checked
from minigraph.testing.diagnosis.problems import Maker
from minigraph.testing.diagnosis.subject import Subject, Unusable

__all__ = ["main"]


def main(submission: str, result: str, memory: str, seed: str, *exercise: str) -> None:
    """Check within limits and write what was found; nothing may come after it."""
    found: dict[str, Any]
    result = os.path.abspath(result)  # the working folder may be gone later
    try:
        limited = _limit(int(memory))
        found = _checked(submission, exercise[0] if exercise else None, int(seed))
        found["limited"] = limited
    except Unfit as error:
        outcome = _memory_or("not checkable", str(error))
        found = {"outcome": outcome, "remarks": [str(error)]}
    except SystemExit as error:
        text = f"it ends the process (SystemExit: {error})"
        found = {"outcome": "crashed", "remarks": [text]}
    except MemoryError:
        found = {"outcome": "out of memory", "remarks": ["MemoryError"]}
    except BaseException as error:
        text = f"the check itself fails: {type(error).__name__}: {error}"
        found = {"outcome": "check failed", "remarks": [text], "text": traceback.format_exc()}
    Path(result).write_text(json.dumps(found), encoding="utf-8")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # threads that were left running do not hold it up


def _limit(memory: int) -> bool:
    """Limit the memory of this process, where that can be done."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    except (ImportError, ValueError, OSError):
        return False
    return True


def _checked(submission: str, exercise: str | None, seed: int) -> dict[str, Any]:
    given = arguments(submission, exercise)
    diagnosis = checked(given, submission, exercise, seed)
    remarks = list(diagnosis.remarks)
    statuses = [verdict.status for verdict in diagnosis.verdicts.values()]
    if "wrong" in statuses:
        outcome = "wrong"
    elif "cannot tell" in statuses:
        outcome = _memory_or("cannot tell", " ".join(remarks))
    else:
        outcome = "remarks" if remarks else "right"
        if exercise is not None and "graph" in given:
            other = _other_loss(given, seed)
            outcome, remarks = ("other loss" if other else outcome), [*other, *remarks]
    verdicts = {name: [v.status, *v.causes] for name, v in diagnosis.verdicts.items()}
    return {"outcome": outcome, "verdicts": verdicts, "remarks": remarks, "text": str(diagnosis)}


def _other_loss(given: dict[str, Any], seed: int) -> list[str]:
    """Compare the loss with that of the exercise: gradients can be right of another one."""
    n = len(given.get("penalties") or ())
    maker = Maker(given["params"], given["batch"], n, given.get("axis"), seed)
    problem = maker.problem("all sizes differ", maker.lambdas(), seed=1)
    tensors = {name: mg.Tensor(value) for name, value in problem.params.items()}
    x = mg.Tensor(problem.x) if problem.x.dtype.kind == "f" else problem.x
    rest = [x, problem.y, *([problem.lam] if n else [])]
    try:
        right = given["graph"](tensors, *rest).item()
        loss = Subject(given["fprop"], given["bprop"]).loss(problem)
    except Unusable as error:
        return [str(error)]
    if np.isclose(loss, right, rtol=1e-6, atol=1e-9):
        return []
    return [f"fprop gives {loss:.6g} where the loss of the exercise is {right:.6g}"]


def _memory_or(outcome: str, text: str) -> str:
    return "out of memory" if "MemoryError" in text else outcome


if __name__ == "__main__":
    main(*sys.argv[1:])
