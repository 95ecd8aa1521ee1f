"""Time an epoch of `fit` against the bare loop of the quickstart, and see that memory stays flat.

    python benchmarks/fit.py

784-50-10, 600 minibatches of 100 rows an epoch, ten epochs, without files or validation: what is
left is the loop itself, its watchers and the training error. The loop and `fit` take turns in one
run; the ratio is the median of the turns'. So does `fit` with derived=True, which is to be 1.1
times as fast. Then so many steps with the garbage collector off, for the memory.
"""

import argparse
import gc
import resource
import sys
from statistics import median
from time import perf_counter

import numpy as np

from minigraph import data, nn, optim
from minigraph.train import fit

SIZES, ROWS, BATCHES, EPOCHS = (784, 50, 10), 100, 600, 10
PENALTIES = (1e-5, 1e-4, 1e-5, 1e-4)


def bare(model: nn.MLP, train: tuple[np.ndarray, np.ndarray]) -> float:
    """Train for some epochs as the quickstart does; give the seconds."""
    sgd = optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    rng = np.random.default_rng(0)
    losses = []
    start = perf_counter()
    for _ in range(EPOCHS):
        for X, y in data.minibatches(*train, size=ROWS, rng=rng):
            risk = nn.risk(model, X, y, PENALTIES)
            sgd.zero_grad()
            risk.backward()
            sgd.step()
            losses.append(risk.item())
    return perf_counter() - start


def fitted(
    model: nn.MLP,
    train: tuple[np.ndarray, np.ndarray],
    epochs: int = EPOCHS,
    derived: bool = False,
) -> float:
    """Train by `fit`; give the seconds."""
    sgd = optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    options = {"batch_size": ROWS, "penalty": PENALTIES, "progress": False, "derived": derived}
    start = perf_counter()
    fit(model, train, optimizer=sgd, epochs=epochs, **options)
    return perf_counter() - start


def derived(model: nn.MLP, train: tuple[np.ndarray, np.ndarray]) -> float:
    """Train by `fit` on a derived program; give the seconds."""
    return fitted(model, train, derived=True)


def kilobytes() -> int:
    """Give the largest memory that the process has had."""
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size // 1024 if sys.platform == "darwin" else size


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--turns", type=int, default=5)
    options.add_argument("--steps", type=int, default=100_000, help="for the memory")
    args = options.parse_args()
    rng = np.random.default_rng(0)
    print(f"{'dtype':10}{'bare, ms':>10}{'fit, ms':>10}{'ratio':>8}{'derived, ms':>13}"
          f"{'fit/derived':>13}   {EPOCHS} x {BATCHES} steps")  # fmt: skip
    for dtype in (np.float32, np.float64):
        X = rng.normal(size=(ROWS * BATCHES, SIZES[0])).astype(dtype)
        train = X, rng.integers(0, SIZES[-1], len(X))
        turns = []
        for turn in range(args.turns):
            order = (bare, fitted, derived) if turn % 2 else (derived, fitted, bare)
            turns.append({run: run(nn.MLP(SIZES, seed=0, dtype=dtype), train) for run in order})
        loop, ours, fast = (1e3 * median(turn[run] for turn in turns)
                            for run in (bare, fitted, derived))  # fmt: skip
        ratio = median(turn[fitted] / turn[bare] for turn in turns)
        gain = median(turn[fitted] / turn[derived] for turn in turns)
        print(f"{np.dtype(dtype).name:10}{loop:10.2f}{ours:10.2f}{ratio:8.3f}{fast:13.2f}"
              f"{gain:13.3f}")  # fmt: skip

    train = data.two_circles(0)
    epochs = args.steps // 11
    gc.disable()
    fitted(nn.MLP((2, 8, 2), seed=0), train, epochs=epochs // 10)
    before = kilobytes()
    fitted(nn.MLP((2, 8, 2), seed=0), train, epochs=epochs)
    print(f"memory: {before:,} kB after {epochs // 10 * 11:,} steps, {kilobytes():,} kB after "
          f"{epochs * 11:,} more; garbage collector off")  # fmt: skip


if __name__ == "__main__":
    main()
