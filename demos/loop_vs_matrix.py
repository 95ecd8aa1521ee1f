"""Time an epoch of Fashion-MNIST: a loop over the examples, matrices, and minigraph (P8).

A 784-50-10 network takes 600 steps of gradient descent, one for each minibatch of K = 100 examples,
and sees each of the 60,000 examples once. Three versions start from the same parameters and take
the same minibatches in the same order, so they must end at the same parameters: the loop and the
matrices of homework/by_hand.py, and minigraph's graph.

    apt install dataset-fashion-mnist    # or set MINIGRAPH_DATA, or give --folder
    python demos/loop_vs_matrix.py
    python demos/loop_vs_matrix.py --dtype float64
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

# BLAS reads these when NumPy is imported. With one thread each, the versions differ in how they
# compute, not in how many processors they get.
os.environ.update(
    OPENBLAS_NUM_THREADS="1",
    OMP_NUM_THREADS="1",
    MKL_NUM_THREADS="1",
    VECLIB_MAXIMUM_THREADS="1",
)

import numpy as np
from homework import by_hand
from homework.by_hand import Array, Parameters

from minigraph import data, nn, optim

SIZES = (784, 50, 10)
K = 100
LEARNING_RATE = 0.1
REPEATS = 5  # of the short epochs, which a busy machine disturbs most; the median counts
ROUNDING = 1e3  # how many eps the parameters may differ by after an epoch

Batches = list[tuple[Array, Array]]  # x: d x K, y: (K,)
Trained = tuple[Parameters, int]  # the parameters after the last step, how many examples were seen
Train = Callable[[Parameters, Batches], Trained]


class Timing(NamedTuple):
    version: str
    examples: int
    seconds: float
    parameters: Parameters


# The three versions


def train_by_hand(fprop: Callable, bprop: Callable, start: Parameters, batches: Batches) -> Trained:
    parameters, seen = Parameters(*(p.copy() for p in start)), 0
    for x, y in batches:
        _, forward = fprop(parameters, x, y)
        gradient, _ = bprop(parameters, x, y, forward)
        for p, g in zip(parameters, gradient):
            p -= LEARNING_RATE * g
        seen += len(y)
    return parameters, seen


def train_graph(start: Parameters, batches: Batches) -> Trained:
    model, seen = nn.MLP(SIZES, dtype=start.W1.dtype), 0
    tensors = model.parameters().values()
    for tensor, p in zip(tensors, start):
        tensor.data = p.T.reshape(tensor.shape).copy()  # minigraph's examples are rows
    sgd = optim.SGD(tensors, lr=LEARNING_RATE)
    for x, y in batches:
        risk = nn.risk(model, x.T, y)
        sgd.zero_grad()
        risk.backward()
        sgd.step()
        seen += len(y)
    return Parameters(*(np.atleast_2d(tensor.data).T for tensor in tensors)), seen


train_loop = partial(train_by_hand, by_hand.fprop_loop, by_hand.bprop_loop)
train_matrix = partial(train_by_hand, by_hand.fprop_matrix, by_hand.bprop_matrix)


# Timing and comparing them


def measure(
    version: str, train: Train, start: Parameters, batches: Batches, repeats: int
) -> Timing:
    train(start, batches[:1])  # warms up caches and allocators
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        parameters, seen = train(start, batches)
        seconds.append(time.perf_counter() - began)
    return Timing(version, seen, median(seconds), parameters)


def row(timing: Timing, loop: Timing, x: Array, y: Array) -> dict[str, str | int | float]:
    """Put into numbers how fast a version was, and how well it learned."""
    speed = timing.examples / timing.seconds
    loss, _ = by_hand.fprop_matrix(timing.parameters, x, y)  # of all examples, after the last step
    return {
        "version": timing.version,
        "examples": timing.examples,
        "seconds": timing.seconds,
        "examples_per_second": speed,
        "ratio": speed / (loop.examples / loop.seconds),
        "loss": float(loss),
    }


def difference(a: Parameters, b: Parameters) -> float:
    return float(max(np.abs(p - q).max() for p, q in zip(a, b)))


def load(folder: str | None, dtype: str, limit: int | None, seed: int) -> tuple[Array, Array]:
    """Load the training examples in random order, as columns."""
    try:
        (X, y), _ = data.fashion_mnist(folder, dtype)
    except (FileNotFoundError, data.DataError) as problem:
        sys.exit(str(problem))  # says where it looked and how to get the data; exit status 1
    order = np.random.default_rng(seed).permutation(len(y))[:limit]
    # Shuffled once, rows of X, so that each minibatch is one piece of memory. Columns of an array
    # in C order would lie 60,000 numbers apart, and gathering them takes as long as a product.
    return X[order].T, y[order]


def positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"at least 1, not {text}")
    return number


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--out", type=Path, default=Path("out"), help="folder for the result")
    options.add_argument("--seed", type=int, default=0, help="of the parameters and of the order")
    options.add_argument("--folder", help="where the four files of the data set are")
    options.add_argument("--limit", type=positive, help="use only so many examples")
    options.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    options.add_argument(
        "--loop-batches", type=positive, help="let the loop run only so many minibatches"
    )
    args = options.parse_args()

    x, y = load(args.folder, args.dtype, args.limit, args.seed)
    batches = [(x[:, k : k + K], y[k : k + K]) for k in range(0, len(y), K)]
    initial = by_hand.init(*SIZES, np.random.default_rng(args.seed))
    start = Parameters(*(p.astype(args.dtype) for p in initial))
    print(
        f"Fashion-MNIST, {'-'.join(map(str, SIZES))} in {args.dtype}, one thread: "
        f"{len(batches)} minibatches of {K}"
    )

    in_loop = batches[: args.loop_batches]
    loop = measure("loop", train_loop, start, in_loop, repeats=1)
    matrix = measure("matrix", train_matrix, start, batches, REPEATS)
    graph = measure("graph", train_graph, start, batches, REPEATS)

    print("version  examples   seconds  examples/s  ratio  loss after it")
    timings = (loop, matrix, graph)
    rows = [row(timing, loop, x, y) for timing in timings]
    for values in rows:
        print("{:7}  {:8}  {:8.3f}  {:10.0f}  {:5.1f}  {:.6f}".format(*values.values()))
    print(f"seconds of matrix and graph: the median of {REPEATS} epochs")

    epoch = loop.seconds / loop.examples * len(y)
    if len(in_loop) < len(batches):
        print(
            f"the loop ran {len(in_loop)} of {len(batches)} minibatches: "
            f"extrapolated, its epoch takes {epoch:.1f} s"
        )
    # The loop is compared after the minibatches that it had.
    as_far, _ = train_matrix(start, in_loop)
    differences = {
        "loop": difference(loop.parameters, as_far),
        "graph": difference(graph.parameters, matrix.parameters),
    }
    print(
        "largest difference of a parameter from the matrix version's: "
        f"loop {differences['loop']:.1e}, graph {differences['graph']:.1e}"
    )

    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / f"loop_vs_matrix_{args.dtype}.json"
    result = {
        "dtype": np.result_type(*(p for t in timings for p in t.parameters)).name,
        "seed": args.seed,
        "minibatches": len(batches),
        "loop_minibatches": len(in_loop),
        "loop_epoch_seconds": epoch,
        "versions": rows,
        "largest_difference_from_matrix": differences,
    }
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(f"as a file: {path}")
    if not max(differences.values()) < ROUNDING * np.finfo(args.dtype).eps:
        sys.exit("the versions disagree by more than rounding: one of them computes something else")


if __name__ == "__main__":
    main()
