"""Compare minigraph's optimizers with torch.optim's: parameters reached, and time per step.

    python benchmarks/optimizers.py
    python benchmarks/optimizers.py --steps 1000 --rounds 20

Both take the same steps on the parameters of a 784-50-10 network, with the same drawn gradients.
The difference is the largest over all steps and parameters, |ours - theirs| by the largest |theirs|
of that parameter; where it is above the tolerance of its dtype this is said, and the status is 1.
Then they take turns, one round of steps each, on one CPU with one thread, the gradients being there
beforehand; the ratio is the median, over the rounds, of our time by theirs, its quartiles follow.
"""

import argparse
import importlib.util
import os
import platform
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

import minigraph as mg
from minigraph import optim

SHAPES = {"W1": (784, 50), "b1": (50,), "W2": (50, 10), "b2": (10,)}
# In float32 PyTorch multiplies weights by 1 - lr * weight_decay, whose rounding moves a decay of
# 1e-5 by 0.1 %; ours multiplies by lr * weight_decay itself.
TOLERANCES = {"float64": 1e-12, "float32": 1e-4}


class Contest(NamedTuple):
    name: str
    ours: Callable
    theirs: str  # the class in torch.optim
    settings: dict  # of both


CONTESTS = [
    Contest("SGD", optim.SGD, "SGD", {"lr": 0.1}),
    Contest("SGD, momentum", optim.SGD, "SGD", {"lr": 0.1, "momentum": 0.9}),
    Contest("SGD, Nesterov", optim.SGD, "SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    Contest("Adam", optim.Adam, "Adam", {"lr": 1e-3}),
    Contest("AdamW, decay 0.01", optim.AdamW, "AdamW", {"lr": 1e-3, "weight_decay": 0.01}),
    Contest("AdamW, decay 0.1", optim.AdamW, "AdamW", {"lr": 1e-3, "weight_decay": 0.1}),
]


def draw(rng, dtype):
    return [rng.normal(size=shape).astype(dtype) for shape in SHAPES.values()]


def make(contest, dtype):
    """Return our parameters and theirs, of the same values, and the two optimizers."""
    import torch

    start = draw(np.random.default_rng(0), dtype)
    ours = [mg.Tensor(p, requires_grad=True, name=name) for name, p in zip(SHAPES, start)]
    theirs = [torch.tensor(p, requires_grad=True) for p in start]
    optimizers = (
        contest.ours(ours, **contest.settings),
        getattr(torch.optim, contest.theirs)(theirs, **contest.settings),
    )
    return ours, theirs, *optimizers


def give(ours, theirs, gradients):
    import torch

    for mine, yours, gradient in zip(ours, theirs, gradients):
        mine.grad = gradient
        yours.grad = torch.from_numpy(gradient.copy())


def difference(contest, dtype, steps):
    """Return the largest relative difference after any of the steps."""
    ours, theirs, our_optimizer, their_optimizer = make(contest, dtype)
    rng = np.random.default_rng(1)
    largest = 0.0
    for _ in range(steps):
        give(ours, theirs, draw(rng, dtype))
        our_optimizer.step()
        their_optimizer.step()
        for mine, yours in zip(ours, theirs):
            yours = yours.detach().numpy()
            if mine.dtype != dtype:
                sys.exit(f"{contest.name}: {mine.name} became {mine.dtype}, it was {dtype}")
            largest = max(largest, np.abs(mine.data - yours).max() / np.abs(yours).max())
    return largest


def seconds(step, count):
    start = time.perf_counter()
    for _ in range(count):
        step()
    return (time.perf_counter() - start) / count


def compare_times(contest, dtype, steps, rounds):
    """Return our seconds and theirs, a row per round."""
    ours, theirs, our_optimizer, their_optimizer = make(contest, dtype)
    give(ours, theirs, draw(np.random.default_rng(1), dtype))
    for optimizer in (our_optimizer, their_optimizer):
        seconds(optimizer.step, 10)
    return np.array(
        [
            (seconds(our_optimizer.step, steps), seconds(their_optimizer.step, steps))
            for _ in range(rounds)
        ]
    )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=10)
    args = parser.parse_args()
    if importlib.util.find_spec("torch") is None:
        sys.exit("PyTorch is not installed: pip install -e '.[bench]'")
    import torch

    torch.set_num_threads(1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    print(
        f"python {platform.python_version()}, numpy {np.__version__}, torch {torch.__version__}; "
        f"784-50-10, {args.steps} steps, {args.rounds} rounds, one thread\n"
    )
    titles = f"{'difference':>12}{'ours':>9}{'theirs':>9}{'ratio':>7}{'quartiles':>12}"
    print(f"{'':30}{titles}")
    failed = False
    for contest in CONTESTS:
        for dtype, tolerance in TOLERANCES.items():
            error = difference(contest, dtype, args.steps)
            times = compare_times(contest, dtype, args.steps, args.rounds)
            ours, theirs = 1e6 * np.median(times, axis=0)
            low, ratio, high = np.percentile(times[:, 0] / times[:, 1], (25, 50, 75))
            verdict = "" if error <= tolerance else f"  above {tolerance:.0e}"
            failed = failed or bool(verdict)
            print(
                f"{contest.name:20}{dtype:10}{error:12.1e}{ours:6.0f} µs{theirs:6.0f} µs"
                f"{ratio:7.2f}{f'{low:.2f}-{high:.2f}':>12}{verdict}"
            )
    sys.exit(failed)


if __name__ == "__main__":
    main()
