"""Time an epoch of Fashion-MNIST against the loop that one writes by hand in NumPy.

    python benchmarks/epoch.py
    python benchmarks/epoch.py --only products numba --rounds 30 --malloc fixed

784-50-10 with penalties, relu, SGD, float32, one pinned thread, 600 minibatches of 100 rows in a
new order each epoch. An epoch is everything: the order, the minibatches' rows, forward, backward,
update, and the record of the losses. `fit` does more: it also counts the errors, and looks for NaN.

Every contender trains from the same start, with the same orders, `--rounds` times by turns. A ratio
is the median over the turns of the median time of an epoch by that of NumPy by hand, its quartiles
behind it. The first epoch is left out; "set-up" is what it took longer than the others: deriving,
and compiling or loading what was compiled. "curve off by" is the largest relative difference from
NumPy by hand: of a bare loop in the loss of any minibatch, of `fit` in what it reports, the mean
loss without penalty of each epoch.

"rows, products alone" takes the rows of each minibatch and does the matrix products of a step.

Without the data set (`apt install dataset-fashion-mnist`) it trains on noise of its shape.
"""

import argparse
import json
import random
from functools import partial
from time import perf_counter

import numpy as np
from by_hand import RATE, by_hand
from timing import (
    ONLY,
    Contender,
    bar,
    chosen,
    make_products,
    options,
    ratio,
    shown,
    tables,
)

import minigraph as mg
from minigraph import data, nn, optim
from minigraph.train import fit

SIZES, ROWS = (784, 50, 10), 100
PENALTIES = (1e-5, 1e-4, 1e-5, 1e-4)
TOLERANCE = 1e-4
BAR = 0.75


# The contenders: run(examples, epochs, clock) -> the losses of all minibatches, and the mean loss
# without penalty of each epoch, or None. Each calls clock() when an epoch is over.


def train_by_hand(examples, epochs, clock):
    params = [p.numpy() for p in nn.MLP(SIZES, seed=0, dtype=np.float32).parameters().values()]
    step = by_hand(params, [PENALTIES[:2], PENALTIES[2:]])
    rng = np.random.default_rng(0)
    X, y = examples
    losses = []
    for _ in range(epochs):
        order = rng.permutation(len(X))
        for start in range(0, len(X), ROWS):
            rows = order[start : start + ROWS]
            losses.append(step(X[rows], y[rows]))
        clock()
    losses, nll = np.transpose(losses)
    return losses, nll.reshape(epochs, -1).mean(axis=1)


def do_products(examples, epochs, clock):
    """Take the rows of each minibatch and do the products of a step, and nothing else."""
    X, _ = examples
    rng = np.random.default_rng(0)
    params = [p.numpy() for p in nn.MLP(SIZES, seed=0, dtype=np.float32).parameters().values()]
    minibatch = X[:ROWS].copy()
    products, _ = make_products(params, minibatch)
    for _ in range(epochs):
        order = rng.permutation(len(X))
        for start in range(0, len(X), ROWS):
            rows = order[start : start + ROWS]
            np.take(X, rows, axis=0, out=minibatch, mode="clip")
            products()
        clock()
    return None, None


def train_by_steps(examples, epochs, clock, backend):
    model = nn.MLP(SIZES, seed=0, dtype=np.float32)
    sgd = optim.SGD(model.parameters(), lr=RATE["SGD"])

    def eager(X, y):
        loss = nn.risk(model, X, y, PENALTIES)
        sgd.zero_grad()
        loss.backward()
        sgd.step()
        return loss

    step = eager
    if backend:
        X, y = (part[:ROWS] for part in examples)
        step = mg.derive_step(
            lambda X, y: nn.risk(model, X, y, PENALTIES), sgd, X, y, backend=backend
        )
    rng = np.random.default_rng(0)
    losses = []
    for _ in range(epochs):
        for X, y in data.minibatches(*examples, size=ROWS, rng=rng):
            losses.append(float(step(X, y)))
        clock()
    return np.array(losses), None


def train_by_fit(examples, epochs, clock, derived):
    model = nn.MLP(SIZES, seed=0, dtype=np.float32)
    sgd = optim.SGD(model.parameters(), lr=RATE["SGD"])
    options = {"batch_size": ROWS, "penalty": PENALTIES, "progress": False, "derived": derived}
    history = fit(model, examples, optimizer=sgd, epochs=epochs, callbacks=[clock], **options)
    return None, np.array(history["train_loss"])


HAND = "numpy by hand"
CONTENDERS = [
    Contender(HAND, "numpy", train_by_hand),
    Contender("rows, products alone", "numpy", do_products),
    Contender("derive_step (numba)", "numba", partial(train_by_steps, backend="numba"), (BAR,)),
    Contender("fit (numba)", "numba", partial(train_by_fit, derived="numba"), (BAR,)),
    Contender("eager", "minigraph", partial(train_by_steps, backend=None)),
    Contender("fit (derived)", "minigraph", partial(train_by_fit, derived=True)),
    Contender("fit", "minigraph", partial(train_by_fit, derived=False)),
]


def fashion_mnist():
    """Give the examples, and say what they are."""
    try:
        return data.fashion_mnist()[0], "Fashion-MNIST"
    except FileNotFoundError:
        rng = np.random.default_rng(0)
        X = rng.random((60_000, SIZES[0]), np.float32)
        return (X, rng.integers(SIZES[-1], size=len(X))), "noise of the shape of Fashion-MNIST"


def timed(run, examples, epochs):
    """Give the curves, the seconds of an epoch, and those of the set-up."""
    times = [perf_counter()]

    def clock(history=None):
        times.append(perf_counter())

    curves = run(examples, epochs, clock)
    first, *others = np.diff(times)
    return curves, np.median(others), first - np.median(others)


def off(curves, expected):
    """Give the largest relative difference of curves, of which None are left out."""
    pairs = [(a, b) for a, b in zip(curves, expected) if a is not None]
    return max((float(np.max(np.abs(a / b - 1))) for a, b in pairs), default=None)


def compare(contenders, epochs, rounds):
    """Train by turns: name -> seconds of an epoch and of the set-up in each turn, and the error."""
    examples, _ = fashion_mnist()
    runs = {contender.name: contender.make for contender in contenders}
    found = {name: {"seconds": [], "set-up": []} for name in runs}
    order = random.Random(0)
    curves = {}
    for _ in range(rounds):
        for name in order.sample(list(runs), len(runs)):
            curves[name], seconds, setup = timed(runs[name], examples, epochs)
            found[name]["seconds"].append(seconds)
            found[name]["set-up"].append(setup)
    for name, result in found.items():
        result["off"] = off(curves[name], curves[HAND])
        result["ratio"] = ratio(result["seconds"], found[HAND]["seconds"])
    return found


def table(results):
    yield f"{'':22}{'an epoch':>11}{'ratio':>9}{'quartiles':>14}{'set-up':>9}  curve off by"
    for name, _, _, bars in CONTENDERS:
        if name in results:
            result = results[name]
            times = f"{1e3 * np.median(result['seconds']):8.1f} ms{shown(result['ratio'])}"
            setup = f"{np.median(result['set-up']):7.2f} s"
            error = result["off"]
            compared = name != HAND and error is not None
            same = f"{error:14.1e} {bar(error, TOLERANCE)}" if compared else ""
            verdicts = [bar(result["ratio"][1], aim) for aim in bars]
            yield f"{name:22}{times}{setup}{same}  {', '.join(verdicts)}".rstrip()


def arguments():
    parser = options(__doc__, rounds=12)
    parser.add_argument("--only", nargs="+", metavar="NAME", default=[""], help=ONLY)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def main():
    args = arguments()
    contenders = chosen(CONTENDERS, args.only)
    if args.measure:
        print(json.dumps(compare(contenders, args.epochs, args.rounds)))
        return

    about = f"{fashion_mnist()[1]}, {args.epochs} epochs, {args.rounds} turns"
    tables(args, contenders, table, about)


if __name__ == "__main__":
    main()
