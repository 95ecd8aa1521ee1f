"""What the benchmarks of training steps share: contenders take turns, pinned, with one thread.

A contender's make(params, X, t, ...) gives step and parameters: step() takes one step and returns
the loss; parameters() gives the present parameters, in the baseline's layout. One that does a part
of a step only has None in place of parameters, and is timed, but not compared.

Before any timing, every contender takes three steps from the same start; losses or updates that
differ from the baseline's, or parameters of another dtype, end the run. Then, round by round, every
contender runs once, in shuffled order, for as many steps as last about 10 ms. A ratio is the
median, over the rounds, of the contender's time by the other's in the same round. The garbage
collector stays on.

A script runs itself again on one CPU with one thread. glibc's malloc gives memory back to the
system and faults it in anew at every step, or does not, by luck; so there are two tables: "fixed",
where it keeps what it has, and "default". Elsewhere than on glibc the two are the same.
"""

import argparse
import importlib.util
import json
import os
import platform
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from itertools import pairwise
from typing import NamedTuple

import numpy as np

SECONDS_PER_MEASUREMENT = 0.01
CHECKED_STEPS = 3
TOLERANCE = {"float32": 1e-4, "float64": 1e-10}

ONLY = "the baseline and those whose names have one of these parts"
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "JAX_PLATFORMS": "cpu",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
}
# 32 MiB is the largest threshold for mmap that every glibc accepts.
MALLOC = {
    "fixed": {"MALLOC_TRIM_THRESHOLD_": str(2**32), "MALLOC_MMAP_THRESHOLD_": str(2**25)},
    "default": {},
}


class Contender(NamedTuple):
    name: str
    package: str
    make: Callable
    bars: tuple[float, ...] = ()  # the ratio aimed at, by size


def installed(contenders):
    """Return those whose package is there."""
    return [c for c in contenders if importlib.util.find_spec(c.package)]


def chosen(contenders, only):
    """Return the first, the baseline, and of the installed ones those of these parts of names."""
    there = installed(contenders)
    names = [c.name for c in there]
    wanted = {contenders[0].name}
    for part in only:
        found = [name for name in names if part.lower() in name.lower()]
        if not found:
            sys.exit(f"--only {part}: not among {', '.join(names)}")
        wanted.update(found)
    return [c for c in there if c.name in wanted]


def problem(sizes, examples, dtype=np.float32):
    """Draw parameters W1, b1, W2, b2, ..., the examples and their labels."""
    rng = np.random.default_rng(0)
    params = []
    for inputs, outputs in pairwise(sizes):
        params.append(rng.normal(scale=(2 / inputs) ** 0.5, size=(inputs, outputs)).astype(dtype))
        params.append(rng.normal(scale=0.1, size=outputs).astype(dtype))
    X = rng.normal(size=(examples, sizes[0])).astype(dtype)
    return params, X, rng.integers(sizes[-1], size=examples)


def make_products(params, X, *_):
    """Do the matrix products of a step alone, into arrays that are there already."""
    forward, backward = [], []
    for place, W in enumerate(params[::2]):
        Y = X @ W
        forward.append((X, W, Y))
        if place:
            backward.append((Y, W.T, np.empty_like(X)))
        backward.append((X.T, Y, np.empty_like(W)))
        X = Y
    products = forward + backward[::-1]

    def step():
        for a, b, result in products:
            np.matmul(a, b, out=result)

    return step, None


def distance(a, b):
    """Return ||a - b|| / ||b|| over lists of arrays."""
    a, b = (np.concatenate([np.ravel(part) for part in parts]) for parts in (a, b))
    return np.linalg.norm(a - b) / np.linalg.norm(b)


def checked_steps(contenders, where, params, *rest):
    """Make every contender's step, and see that all compute the same as the first."""
    steps, losses, updates = {}, {}, {}
    dtype = params[0].dtype
    for name, _, make, _ in contenders:
        steps[name], parameters = make(params, *rest)
        if parameters is None:
            continue
        losses[name] = np.array([float(steps[name]()) for _ in range(CHECKED_STEPS)])
        reached = [np.asarray(p) for p in parameters()]
        if any(p.dtype != dtype for p in reached):
            sys.exit(f"{name}, {where}: not every parameter is {dtype}")
        updates[name] = [p - start for p, start in zip(reached, params)]
    for name in losses:
        for what, of in ("losses", losses), ("updates", updates):
            error = distance(of[name], of[contenders[0].name])
            if not error <= TOLERANCE[dtype.name]:
                sys.exit(
                    f"{name}, {where}: {what} are off the baseline's by a relative {error:.1e}"
                )
    return steps


def measure(step, count):
    """Return seconds and minor page faults per step."""
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    start = time.perf_counter()
    for _ in range(count):
        step()
    seconds = time.perf_counter() - start
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults
    return seconds / count, faults / count


def enough(step):
    """Return the number of steps that a measurement needs; this also warms up."""
    count = 1
    while measure(step, count)[0] * count < SECONDS_PER_MEASUREMENT:
        count *= 2
    return count


def by_turns(steps, rounds):
    """Measure all in interleaved rounds: name -> seconds and faults of each round."""
    counts = {name: enough(step) for name, step in steps.items()}
    order = random.Random(0)
    measured = {name: [] for name in steps}
    for _ in range(rounds):
        for name in order.sample(list(steps), len(steps)):
            measured[name].append(measure(steps[name], counts[name]))
    return {name: np.transpose(rows).tolist() for name, rows in measured.items()}


def summaries(measured, references):
    """Give for each name its median time and faults, and its ratios to the references."""
    found = {}
    for name, (seconds, faults) in measured.items():
        found[name] = {"microseconds": 1e6 * np.median(seconds), "faults": np.median(faults)}
        found[name]["by"] = {r: ratio(seconds, measured[r][0]) for r in references if r in measured}
    return found


def ratio(seconds, others):
    """Return the quartiles of the ratio within a round: low, median, high."""
    return np.percentile(np.divide(seconds, others), (25, 50, 75)).tolist()


def shown(quartiles):
    """Format the median, and the other quartiles behind it."""
    low, middle, high = quartiles
    return f"{middle:9.2f}{f'{low:.2f}-{high:.2f}':>14}"


def bar(value, aim):
    """Say whether a value is as small as it is to be."""
    aimed = f"{aim:.2f}" if aim >= 0.01 else f"{aim:.0e}"
    return f"≤{aimed} {'met' if value <= aim else 'NOT met'}"


def ahead(ratios):
    """Say in how many rows the median is below 1."""
    return f"ahead in {sum(middle < 1 for _, middle, _ in ratios)} of {len(ratios)}"


def versions(contenders):
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    packages = [f"python {platform.python_version()}", f"{blas['name']} {blas['version']}"]
    for package in dict.fromkeys(["numpy", "minigraph", *(c.package for c in contenders)]):
        imported = getattr(sys.modules.get(package), "__version__", None)
        packages.append(f"{package} {imported or version(package)}")
    return f"{', '.join(packages)}; {platform.machine()}, {os.cpu_count()} CPUs"


def pin():
    """Stay on one CPU, as will those that are started from here."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def alone(malloc, *options, **environment):
    """Run the script again with these options and that allocator; return the JSON it prints."""
    command = [sys.executable, *sys.argv, *options, "--malloc", malloc]
    environment = os.environ | ONE_THREAD | MALLOC[malloc] | environment
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE)
    if done.returncode:
        sys.exit(done.returncode)
    return json.loads(done.stdout)


def options(doc, rounds):
    """Begin the options of a script: those that all have."""
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--malloc", choices=[*MALLOC, "both"], default="both")
    parser.add_argument("--json", metavar="FILE", help="write all figures there, too")
    return parser


def allocators(args):
    return list(MALLOC) if args.malloc == "both" else [args.malloc]


def tables(args, contenders, table, *about):
    """Measure with each allocator, in a process of its own, and print a table of each."""
    pin()
    print(versions(contenders), *about, sep="\n")
    report = {"versions": versions(contenders), "rounds": args.rounds, "results": {}}
    for malloc in allocators(args):
        results = report["results"][malloc] = alone(malloc, "--measure")
        print(f"\nallocator: {malloc}", *table(results), sep="\n", flush=True)
    write(report, args.json)


def write(report, file):
    if file:
        with open(file, "w") as stream:
            json.dump(report, stream, indent=1)
