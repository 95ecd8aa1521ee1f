"""The smallest problem that shows a mistake, as Python that can be run."""

from collections.abc import Sequence

import numpy as np

from minigraph.arrays import Array
from minigraph.testing.diagnosis.clock import OutOfTime
from minigraph.testing.diagnosis.measuring import Measured
from minigraph.testing.diagnosis.problems import Maker, Problem
from minigraph.testing.diagnosis.subject import Subject, Unusable

__all__ = ["smallest"]


def smallest(subject: Subject, maker: Maker, cases: list[Measured], names: Sequence[str]) -> str:
    """Try sizes from 1 upwards, then all problems looked at; write the first that shows it."""
    of_params = [name for name in names if name in cases[0].problem.params]
    for problem in _small_ones(maker):
        try:
            case = Measured(subject, problem)
            wrong = [n for n in of_params if n in case.given and not case.agrees(n)]
        except (Unusable, ValueError):
            continue
        except OutOfTime:
            break
        if wrong:
            return written(case, wrong[0])
    for case in sorted(cases, key=lambda case: case.problem.x.size):
        for name in names:
            if name in case.given and not case.agrees(name):
                return written(case, name)
    return ""


def _small_ones(maker: Maker) -> list[Problem]:
    found = []
    lam = maker.lambdas()
    for size in (1, 2, 3):
        sizes = {}
        if maker.grows:
            sizes = {n: max(size, 2) if n == "m" else size for n in maker.sizes}
            sizes.pop(maker.size_of_examples or "", None)
        for K in (1, 2, 3):
            for weights in ((), lam) if lam else ((),):
                found.append(maker.problem("small", weights, seed=7, K=K, **sizes))
    return sorted(found, key=lambda p: sum(v.size for v in p.params.values()) * p.K)


def written(case: Measured, name: str) -> str:
    """Write a problem as Python, with what it gives and what it should."""
    problem = case.problem
    lines = ["import numpy as np", "", "params = {"]
    lines += [f"    {n!r}: {_array(v)}," for n, v in problem.params.items()]
    lines += ["}", f"x = {_array(problem.x)}", f"y = {_array(problem.y)}"]
    arguments = "params, x, y"
    if problem.lam:
        lines.append(f"lam = {tuple(problem.lam)}")
        arguments += ", lam"
    lines.append(f"print(bprop({arguments})[{name!r}])")
    lines.append(f"# given:          {_short(case.given[name])}")
    lines.append(f"# slope of fprop: {_short(case.slope(name))}")
    return "\n".join(lines)


def _array(value: Array) -> str:
    rounded = value.round(6) if value.dtype.kind == "f" else value
    return f"np.array({rounded.tolist()})"


def _short(value: Array) -> str:
    return np.array2string(np.asarray(value), precision=6, separator=", ").replace("\n", "")
