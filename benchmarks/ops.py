"""Time operations, forward and backward, against autograd, MyGrad and PyTorch.

    python benchmarks/ops.py
    python benchmarks/ops.py --only sort einsum --rounds 40

Each operation takes float64 arrays of 1, 1,000 and 1,000,000 entries. A run computes the result,
gives it a fixed cotangent, and has the gradient of every float input as an array; nothing is summed
or otherwise added, so that only the operation is timed. minigraph is called by NumPy's own names,
`np.exp(tensor)`; a peer by those of its own module.

Every peer's gradients are compared with minigraph's first: where they differ, or the peer has no
such function, the cell says so, and counts for nobody. Then, round by round, all run once, in
shuffled order, for about 3 ms. A figure is the median, over the rounds, of the peer's time by
minigraph's in the same round, so above 1 minigraph is ahead. Times are of the process. The script
runs itself again on one CPU with one thread, and with glibc's malloc told to keep its memory (see
`step.py`).

Below the table are the geometric means, the counts, and the cells in which autograd or MyGrad is
ahead, each with the reason. PyTorch's kernels for 1,000,000 entries use vector instructions for
exp, log, sin and tanh, and do in one pass what NumPy does in several; there it is often ahead.
"""

import argparse
import os
import random
import sys
import time
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
from step import MALLOC, ONE_THREAD, Contender, versions

import minigraph as mg

SECONDS_PER_MEASUREMENT = 0.003

SHAPES = {1: (1, 1), 1_000: (25, 40), 1_000_000: (1000, 1000)}  # of the matrices of so many entries


# Inputs, by a generator and a shape: matrices, or vectors of as many entries. No gradient is taken
# by masks and places.


def matrix(rng, shape):
    return rng.normal(size=shape)


def turned(rng, shape):
    return rng.normal(size=shape[::-1])


def vector(rng, shape):
    return rng.normal(size=shape).ravel()


def positive(rng, shape):
    return rng.uniform(0.5, 2, size=shape).ravel()


def near_one(rng, shape):
    return 1 + 1e-3 * vector(rng, shape)


def column(rng, shape):
    return rng.normal(size=shape[0])


def row(rng, shape):
    return rng.normal(size=shape[1])


def mask(rng, shape):
    return vector(rng, shape) > 0


def places(rng, shape):
    n = shape[0] * shape[1]
    return rng.integers(n, size=n)


OPS = {  # name: a function by NumPy's names, and its inputs
    "add": (lambda np, a, b: np.add(a, b), vector, vector),
    "add a row": (lambda np, a, b: np.add(a, b), matrix, row),
    "multiply": (lambda np, a, b: np.multiply(a, b), vector, vector),
    "divide": (lambda np, a, b: np.divide(a, b), vector, positive),
    "power": (lambda np, a, b: np.power(a, b), positive, vector),
    "exp": (lambda np, x: np.exp(x), vector),
    "log": (lambda np, x: np.log(x), positive),
    "sqrt": (lambda np, x: np.sqrt(x), positive),
    "sin": (lambda np, x: np.sin(x), vector),
    "tanh": (lambda np, x: np.tanh(x), vector),
    "1 / (1 + exp(-x))": (lambda np, x: 1 / (1 + np.exp(-x)), vector),
    "abs": (lambda np, x: np.abs(x), vector),
    "maximum": (lambda np, a, b: np.maximum(a, b), vector, vector),
    "where": (lambda np, c, a, b: np.where(c, a, b), mask, vector, vector),
    "sum": (lambda np, x: np.sum(x), vector),
    "mean of rows": (lambda np, x: np.mean(x, axis=1), matrix),
    "max of rows": (lambda np, x: np.max(x, axis=1), matrix),
    "prod": (lambda np, x: np.prod(x), near_one),
    "cumsum": (lambda np, x: np.cumsum(x, axis=0), vector),
    "std": (lambda np, x: np.std(x), vector),
    "log(sum(exp(x)))": (lambda np, x: np.log(np.sum(np.exp(x))), vector),
    "norm": (lambda np, x: np.linalg.norm(x), vector),
    "reshape": (lambda np, x: np.reshape(x, (-1,)), matrix),
    "transpose": (lambda np, x: np.transpose(x), matrix),
    "concatenate": (lambda np, a, b: np.concatenate([a, b]), vector, vector),
    "stack": (lambda np, a, b: np.stack([a, b]), vector, vector),
    "x[::2]": (lambda np, x: x[::2], vector),
    "x[places]": (lambda np, x, places: x[places], vector, places),
    "sort": (lambda np, x: np.sort(x), vector),
    "matmul": (lambda np, a, b: np.matmul(a, b), matrix, turned),
    "dot": (lambda np, a, b: np.dot(a, b), vector, vector),
    "outer": (lambda np, a, b: np.outer(a, b), column, row),
    "tensordot": (lambda np, a, b: np.tensordot(a, b, ((0,), (1,))), matrix, turned),
    "einsum": (lambda np, a, b: np.einsum("ij,ij->i", a, b), matrix, matrix),
}


# The contenders: make(f, arrays, g) -> run. run() computes f of the arrays, gives the result the
# cotangent g, and returns the gradients of the arrays of floats.


def is_constant(array):
    return array.dtype.kind != "f"


def make_minigraph(f, arrays, g):
    inputs = [a if is_constant(a) else mg.Tensor(a, requires_grad=True) for a in arrays]
    leaves = [x for x in inputs if isinstance(x, mg.Tensor)]

    def run():
        for x in leaves:
            x.grad = None
        f(np, *inputs).backward(g)
        return [x.grad for x in leaves]

    return run


def make_autograd(f, arrays, g):
    import autograd.numpy
    from autograd import make_vjp

    argnums = tuple(i for i, a in enumerate(arrays) if not is_constant(a))
    alone = len(argnums) == 1
    vjp = make_vjp(
        lambda *inputs: f(autograd.numpy, *inputs),
        argnums[0] if alone else argnums,
    )

    def run():
        pull, _ = vjp(*arrays)
        return [pull(g)] if alone else pull(g)

    return run


def make_mygrad(f, arrays, g):
    import mygrad

    names = SimpleNamespace(**vars(mygrad) | {"dot": mygrad.matmul})
    inputs = [a if is_constant(a) else mygrad.tensor(a) for a in arrays]
    leaves = [x for x in inputs if isinstance(x, mygrad.Tensor)]

    def run():
        f(names, *inputs).backward(g)
        return [x.grad for x in leaves]

    return run


def make_torch(f, arrays, g):
    import torch

    torch.set_num_threads(1)
    other_names = {
        "max": torch.amax,
        "power": torch.pow,
        "sort": lambda x: torch.sort(x).values,
        "std": lambda x: torch.std(x, correction=0),
        "transpose": lambda x: x.T,
    }
    names = SimpleNamespace(**vars(torch) | other_names)
    inputs = [torch.from_numpy(a).requires_grad_(not is_constant(a)) for a in arrays]
    leaves = [x for x in inputs if x.requires_grad]
    g = torch.from_numpy(g)

    def run():
        for x in leaves:
            x.grad = None
        f(names, *inputs).backward(g)
        return [x.grad for x in leaves]

    return run


OURS = Contender("minigraph", "minigraph", make_minigraph)
PEERS = [
    Contender("autograd", "autograd", make_autograd),
    Contender("MyGrad", "mygrad", make_mygrad),
    Contender("PyTorch", "torch", make_torch),
]
EXPLAINED = ("autograd", "MyGrad")
LEVEL = "the same calls of NumPy in both, within the scatter of the rounds"
OWN_ARRAY = (
    "autograd hands out the cotangent itself, or a view of it; here a gradient is an own array"
)
REASONS = {
    "maximum": "theirs multiply by a mask: NaN where the cotangent is infinite; np.where is slower",
    "max of rows": "MyGrad gives all to the first of equal entries, by argmax; here they share",
    "prod": "theirs divide by the entries, so that 0 needs mending; here two running products",
    "cumsum": OWN_ARRAY,
    "reshape": OWN_ARRAY,
    "transpose": OWN_ARRAY,
    "sort": "argsort and an indexing, with the Python in front of both; autograd has one rule",
    "outer": "a product of matrices of inner size 1 is slower than autograd's elementwise one",
}


def seconds(function, count):
    start = time.process_time()
    for _ in range(count):
        function()
    return (time.process_time() - start) / count


def same(found, expected):
    """Compare lists of gradients, up to rounding."""
    pairs = [(np.asarray(a), b) for a, b in zip(found, expected, strict=True)]
    return all(
        a.shape == b.shape and np.allclose(a, b, rtol=1e-9, atol=1e-9 * np.abs(b).max())
        for a, b in pairs
    )


def runs_of(name, n, peers):
    """Make the runs of minigraph and its peers; in place of some, say why there is none."""
    f, *inputs = OPS[name]
    rng = np.random.default_rng(0)
    arrays = [make(rng, SHAPES[n]) for make in inputs]
    g = np.asarray(rng.normal(size=f(np, *arrays).shape))
    runs = {OURS.name: OURS.make(f, arrays, g)}
    expected = runs[OURS.name]()
    for peer in peers:
        run = peer.make(f, arrays, g)
        try:
            with np.errstate(all="ignore"):
                right = same(run(), expected)
        except AttributeError:
            runs[peer.name] = "none"
        else:
            runs[peer.name] = run if right else "wrong"
    return runs


def compare(name, n, peers, rounds):
    """Give minigraph's seconds, and the quartiles of each peer's ratio, or why there are none."""
    runs = runs_of(name, n, peers)
    timed = {peer: run for peer, run in runs.items() if callable(run)}
    counts = {
        peer: max(1, round(SECONDS_PER_MEASUREMENT / seconds(run, 3)))
        for peer, run in timed.items()
    }
    shuffled, times = random.Random(0), {peer: [] for peer in timed}
    for _ in range(rounds):
        for peer in shuffled.sample(list(timed), len(timed)):
            times[peer].append(seconds(timed[peer], counts[peer]))
    ours = times.pop(OURS.name)
    ratios = {peer: np.percentile(np.divide(t, ours), [25, 50, 75]) for peer, t in times.items()}
    return np.median(ours), {peer.name: ratios.get(peer.name, runs[peer.name]) for peer in peers}


def cell(result):
    return f"{result:>9}" if isinstance(result, str) else f"{result[1]:9.2f}"


def print_table(peers, names, rounds):
    """Measure and print row by row; give the results by operation, size and peer."""
    results = {}
    print(f"{'':18}" + "".join(f" | {f'{n:,}':>9}{'':{9 * len(peers)}}" for n in SHAPES))
    titles = "".join(f"{peer.name:>9}" for peer in peers)
    print(f"{'':18}" + f" | {'minigraph':>9}{titles}" * len(SHAPES))
    for name in names:
        print(f"{name:18}", end="")
        for n in SHAPES:
            ours, found = compare(name, n, peers, rounds)
            results.update({(name, n, peer): result for peer, result in found.items()})
            print(f" | {ours * 1e6:6,.0f} µs{''.join(map(cell, found.values()))}", end="")
        print(flush=True)
    return results


def summary(results, peer):
    """Give lines on one peer: geometric means, counts, and why it is ahead where it is."""
    cells = {key[:2]: r for key, r in results.items() if key[2] == peer and not isinstance(r, str)}
    means = []
    for n in SHAPES:
        medians = [r[1] for (_, size), r in cells.items() if size == n]
        means.append(f"{np.exp(np.mean(np.log(medians))):.2f} at {n:,}")
    behind = {key: r for key, r in cells.items() if r[1] <= 1}
    ahead = len(cells) - len(behind)
    yield (
        f"{peer}: geometric mean {', '.join(means)}; minigraph is ahead in {ahead} of {len(cells)} "
        f"cells, {ahead / len(cells):.0%}"
    )
    for (name, n), (low, median, high) in behind.items() if peer in EXPLAINED else ():
        reason = LEVEL if high >= 1 else REASONS.get(name, "NOT EXPLAINED")
        yield f"    {name:18}{n:>10,}{median:6.2f} ({low:.2f} to {high:.2f})  {reason}"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", nargs="+", metavar="NAME", default=[""], help="parts of names")
    args = parser.parse_args()
    if "MINIGRAPH_BENCHMARK" not in os.environ:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        environment = {**os.environ, **ONE_THREAD, **MALLOC["fixed"], "MINIGRAPH_BENCHMARK": "1"}
        os.execve(sys.executable, [sys.executable, *sys.argv], environment)

    peers = [peer for peer in PEERS if find_spec(peer.package)]
    for peer in PEERS:
        if peer not in peers:
            print(f"{peer.name} is not installed: left out")
    names = [name for name in OPS if any(part in name for part in args.only)]
    results = print_table(peers, names, args.rounds)
    print(versions([OURS, *peers]))
    for peer in peers:
        print(*summary(results, peer.name), sep="\n")


if __name__ == "__main__":
    main()
