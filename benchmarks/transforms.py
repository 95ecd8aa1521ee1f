"""Time derivatives of the penalised risk of an MLP, in gradients and in forward passes.

    python benchmarks/transforms.py
    python benchmarks/transforms.py --rounds 50

float32, the parameters are a dict of plain arrays. Round by round everything runs once, in shuffled
order. A ratio is the median, over the rounds, of its time by that of its unit in the same round;
times are of the process, so that other programs disturb less.

    gradient        gradient(risk)(parameters), by risk(parameters) on plain arrays: a forward pass
    jvp             jvp(risk, parameters, v), by a forward pass
    jvp of logits   jvp(logits, parameters, v), by a forward pass to the logits
    hvp             hvp(risk, parameters, v), by a gradient
    checkpoint      the gradient with the hidden layer under checkpoint, by a gradient

A gradient through `np.linalg.solve` of size 500, by the matrix and the right side, is timed in the
same way, by NumPy's solve alone; the bar is 3, and 1e-10 from the closed formula.

The memory that `checkpoint` saves is measured on a chain of 64 blocks: the peak of what NumPy holds
while a gradient is taken, by tracemalloc. The script runs itself again with one thread on one CPU,
and with glibc's malloc told to keep its memory (see `step.py`).
"""

import argparse
import os
import random
import sys
import time
import tracemalloc
from functools import partial

import numpy as np
from step import MALLOC, ONE_THREAD, PENALTIES, SIZES, problem

import minigraph as mg

NAMES = ("W1", "b1", "W2", "b2")
UNITS = {
    "gradient": ("forward", {}),
    "jvp": ("forward", {"784-500-10": 4.0}),  # the bars
    "jvp of logits": ("to logits", {"784-500-10": 4.0}),
    "hvp": ("gradient", {"784-50-10": 4.0, "784-500-10": 4.0}),
    "checkpoint": ("gradient", {}),
}


def contenders(size):
    """Make the functions to time: one of each, on the same parameters."""
    arrays, X, t = problem(*SIZES[size])
    parameters = dict(zip(NAMES, arrays))
    rng = np.random.default_rng(1)
    v = {name: rng.normal(size=p.shape).astype(p.dtype) for name, p in parameters.items()}
    l11, l12, l21, l22 = PENALTIES

    def hidden(W, b):
        return mg.relu(mg.linear(X, W, b))

    def logits(p, hidden=hidden):
        return mg.linear(hidden(p["W1"], p["b1"]), p["W2"], p["b2"])

    def risk(p, hidden=hidden):
        loss = mg.softmax_nll(logits(p, hidden), t)
        return loss + mg.elastic_net(p["W1"], l11, l12) + mg.elastic_net(p["W2"], l21, l22)

    return {
        "forward": lambda: risk(parameters),
        "to logits": lambda: logits(parameters),
        "gradient": partial(mg.gradient(risk), parameters),
        "jvp": lambda: mg.jvp(risk, parameters, v),
        "jvp of logits": lambda: mg.jvp(logits, parameters, v),
        "hvp": lambda: mg.hvp(risk, parameters, v),
        "checkpoint": partial(
            mg.gradient(lambda p: risk(p, hidden=mg.checkpoint(hidden))), parameters
        ),
    }


def seconds(function, count):
    start = time.process_time()
    for _ in range(count):
        function()
    return (time.process_time() - start) / count


def ratios(size, rounds):
    """Give the seconds of a forward pass, and each ratio with its quartiles."""
    functions = contenders(size)
    counts = {name: max(1, round(0.01 / seconds(f, 3))) for name, f in functions.items()}
    shuffled, times = random.Random(0), {name: [] for name in functions}
    for _ in range(rounds):
        for name in shuffled.sample(list(functions), len(functions)):
            times[name].append(seconds(functions[name], counts[name]))
    quartiles = {
        name: np.percentile(np.divide(times[name], times[unit]), [25, 50, 75])
        for name, (unit, _) in UNITS.items()
    }
    return np.median(times["forward"]), quartiles


def through_solve(rounds, n=500):
    """Give the ratio of a gradient through a system of equations, and how far it is off."""
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(n, n)) + n**0.5 * np.eye(n), rng.normal(size=n)
    gradient = mg.gradient(lambda a, b: mg.sum(np.linalg.solve(a, b)), (0, 1))
    times = [
        (seconds(lambda: gradient(a, b), 1), seconds(lambda: np.linalg.solve(a, b), 1))
        for _ in range(rounds)
    ]
    by_a, by_b = gradient(a, b)
    w = np.linalg.solve(a.T, np.ones(n))
    right = (-np.outer(w, np.linalg.solve(a, b)), w)
    off = max(np.abs(g - r).max() / np.abs(r).max() for g, r in zip((by_a, by_b), right))
    return np.median([both / alone for both, alone in times]), off


def peak_bytes(block):
    """Give the peak of memory during a gradient through 64 blocks of 100,000 numbers each."""

    def f(x):
        for _ in range(64):
            x = block(x)
        return mg.sum(x)

    x = np.linspace(0, 1, 100_000)
    mg.gradient(f)(x)
    tracemalloc.start()
    mg.gradient(f)(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def block(x):
    return np.tanh(np.sin(np.exp(-x * x) + x) + 0.5 * x)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    if "MINIGRAPH_BENCHMARK" not in os.environ:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        environment = {**os.environ, **ONE_THREAD, **MALLOC["fixed"], "MINIGRAPH_BENCHMARK": "1"}
        os.execve(sys.executable, [sys.executable, *sys.argv], environment)

    for size in ("784-50-10", "784-500-10"):
        forward, quartiles = ratios(size, rounds)
        print(f"{size}, K = {SIZES[size][-1]}: a forward pass takes {forward * 1e6:,.0f} µs")
        for name, (low, median, high) in quartiles.items():
            unit, bars = UNITS[name]
            verdict = ""
            if size in bars:
                verdict = f"  bar {bars[size]:g}: {'met' if median <= bars[size] else 'MISSED'}"
            print(f"    {name:<14}{median:5.2f} × {unit} ({low:.2f} to {high:.2f}){verdict}")
    ratio, off = through_solve(rounds)
    verdict = "met" if ratio <= 3 and off <= 1e-10 else "MISSED"
    print(f"solve, 500: {ratio:.2f} × NumPy's solve, off by {off:.0e}  bar 3, 1e-10: {verdict}")
    kept, again = peak_bytes(block), peak_bytes(mg.checkpoint(block))
    print(f"64 blocks: peak {kept / 1e6:.1f} MB, under checkpoint {again / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
