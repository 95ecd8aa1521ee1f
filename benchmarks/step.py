"""Time one training step against the same step written by hand in NumPy.

    python benchmarks/step.py
    python benchmarks/step.py --only minigraph PyTorch --sizes 2-2-2 --rounds 20
    python benchmarks/step.py --malloc default --json step.json

A step is forward, backward and an in-place SGD update, and returns the loss. The model, rows being
examples, float32, integer labels t:

    Z = relu(X @ W1 + b1) @ W2 + b2
    loss = mean(logsumexp(Z) - Z[t]) + l11 |W1|_1 + l12 |W1|^2 + l21 |W2|_1 + l22 |W2|^2

Before any timing, every contender takes three steps from the same start; losses or updates that
differ from the baseline's, or parameters that are not float32, end the run. Then, round by round,
every contender runs once, in shuffled order, for as many steps as last about 10 ms. A ratio is the
median, over the rounds, of the contender's time by the baseline's in the same round. Its quartiles
follow, then the minor page faults per step. The garbage collector stays on.

The script runs itself again on one CPU with one thread. glibc's malloc gives memory back to the
system and faults it in anew at every step, or does not, by luck; so there are two tables: "fixed",
where it keeps what it has, and "default". Elsewhere than on glibc the two are the same.

Contenders whose package is not installed are left out (`pip install -e .[bench]` brings all).
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
from functools import partial
from importlib.metadata import version
from typing import NamedTuple

import numpy as np

import minigraph as mg
from minigraph import nn, optim

SIZES = {  # name: (inputs, hidden, outputs, examples)
    "2-2-2": (2, 2, 2, 10),
    "784-50-10": (784, 50, 10, 100),
    "784-500-10": (784, 500, 10, 256),
}
PENALTIES = (1e-4, 2e-4, 3e-4, 4e-4)  # l11, l12, l21, l22
LEARNING_RATE = 0.05
SECONDS_PER_MEASUREMENT = 0.01
CHECKED_STEPS = 3
TOLERANCE = 1e-4

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "JAX_PLATFORMS": "cpu",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
}
# 32 MiB is the largest threshold for mmap that every glibc accepts.
MALLOC = {
    "fixed": {"MALLOC_TRIM_THRESHOLD_": str(2**32), "MALLOC_MMAP_THRESHOLD_": str(2**25)},
    "default": {},
}


# The contenders: make(params, X, t, lams, lr) -> step, parameters. step() takes one step and
# returns the loss; parameters() gives the present W1, b1, W2, b2, in the baseline's layout.


def make_numpy(params, X, t, lams, lr):
    W1, b1, W2, b2 = (p.copy() for p in params)
    l11, l12, l21, l22 = lams
    n = len(X)
    rows = np.arange(n)

    def step():
        H = np.maximum(X @ W1 + b1, 0)
        Z = H @ W2 + b2
        Z -= Z.max(axis=1, keepdims=True)
        P = np.exp(Z)
        sums = P.sum(axis=1, keepdims=True)
        loss = (np.log(sums).sum() - Z[rows, t].sum()) / n
        loss += l11 * np.abs(W1).sum() + l12 * np.vdot(W1, W1)
        loss += l21 * np.abs(W2).sum() + l22 * np.vdot(W2, W2)

        P /= sums
        P[rows, t] -= 1
        P /= n
        gW2 = H.T @ P
        gW2 += l21 * np.sign(W2)
        gW2 += 2 * l22 * W2
        gb2 = P.sum(axis=0)
        gH = P @ W2.T
        gH *= H > 0
        gW1 = X.T @ gH
        gW1 += l11 * np.sign(W1)
        gW1 += 2 * l12 * W1
        gb1 = gH.sum(axis=0)

        for p, g in (W1, gW1), (b1, gb1), (W2, gW2), (b2, gb2):
            p -= lr * g
        return loss

    return step, lambda: (W1, b1, W2, b2)


def make_minigraph_nn(params, X, t, lams, lr):
    (inputs, hidden), outputs = params[0].shape, len(params[3])
    model = nn.MLP((inputs, hidden, outputs), activation=mg.relu, seed=0, dtype=np.float32)
    first, second = model.layers
    tensors = first.W, first.b, second.W, second.b
    for tensor, value in zip(tensors, params):
        tensor.data = value
    sgd = optim.SGD(model.parameters(), lr=lr)
    l11, l12, l21, l22 = lams

    def step():
        loss = mg.softmax_nll(model(X), t)
        loss = loss + mg.elastic_net(first.W, l11, l12) + mg.elastic_net(second.W, l21, l22)
        sgd.zero_grad()
        loss.backward()
        sgd.step()
        return loss

    return step, lambda: [tensor.data for tensor in tensors]


def make_minigraph_operators(params, X, t, lams, lr):
    tensors = W1, b1, W2, b2 = [mg.Tensor(p, requires_grad=True) for p in params]
    sgd = optim.SGD(dict(zip(("W1", "b1", "W2", "b2"), tensors)), lr=lr)
    l11, l12, l21, l22 = lams

    def step():
        H = mg.relu(X @ W1 + b1)
        loss = mg.softmax_nll(H @ W2 + b2, t)
        loss = loss + l11 * mg.l1_penalty(W1) + l12 * mg.l2_penalty(W1)
        loss = loss + l21 * mg.l1_penalty(W2) + l22 * mg.l2_penalty(W2)
        sgd.zero_grad()
        loss.backward()
        sgd.step()
        return loss

    return step, lambda: [tensor.data for tensor in tensors]


def make_minigraph_derived(params, X, t, lams, lr):
    params = [p.copy() for p in params]
    l11, l12, l21, l22 = lams

    def risk(W1, b1, W2, b2, X, t):
        logits = mg.linear(mg.relu(mg.linear(X, W1, b1)), W2, b2)
        nll = mg.softmax_nll(logits, t)
        return nll + mg.elastic_net(W1, l11, l12) + mg.elastic_net(W2, l21, l22)

    derived = mg.derive(risk, *params, X, t, argnums=(0, 1, 2, 3), style="fast")

    def step():
        loss, gradients = derived(*params, X, t, copy=False)
        for p, g in zip(params, gradients):
            p -= lr * g
        return loss

    return step, lambda: params


def make_torch(params, X, t, lams, lr):
    import torch

    torch.set_num_threads(1)
    X, t = torch.from_numpy(X), torch.from_numpy(t)
    (inputs, hidden), outputs = params[0].shape, len(params[3])
    model = torch.nn.Sequential(
        torch.nn.Linear(inputs, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, outputs)
    )
    with torch.no_grad():
        for tensor, value in zip(model.parameters(), params):
            tensor.copy_(torch.from_numpy(value.T))
    W1, W2 = model[0].weight, model[2].weight
    sgd = torch.optim.SGD(model.parameters(), lr=lr)
    l11, l12, l21, l22 = lams

    def step():
        loss = torch.nn.functional.cross_entropy(model(X), t)
        loss = loss + l11 * W1.abs().sum() + l12 * (W1 * W1).sum()
        loss = loss + l21 * W2.abs().sum() + l22 * (W2 * W2).sum()
        sgd.zero_grad()
        loss.backward()
        sgd.step()
        return loss

    return step, lambda: [p.detach().numpy().T for p in model.parameters()]


def make_mygrad(params, X, t, lams, lr):
    import mygrad
    from mygrad.nnet.activations import relu
    from mygrad.nnet.losses import softmax_crossentropy

    tensors = W1, b1, W2, b2 = [mygrad.tensor(p) for p in params]
    l11, l12, l21, l22 = lams

    def step():
        H = relu(X @ W1 + b1)
        loss = softmax_crossentropy(H @ W2 + b2, t)
        loss = loss + l11 * mygrad.abs(W1).sum() + l12 * mygrad.square(W1).sum()
        loss = loss + l21 * mygrad.abs(W2).sum() + l22 * mygrad.square(W2).sum()
        loss.backward()
        for p in tensors:
            p.data -= lr * p.grad
        return loss

    return step, lambda: [tensor.data for tensor in tensors]


def make_autograd(params, X, t, lams, lr):
    import autograd
    import autograd.numpy as anp
    from autograd.scipy.special import logsumexp

    params = [p.copy() for p in params]
    l11, l12, l21, l22 = lams
    rows = np.arange(len(X))

    def objective(params):
        W1, b1, W2, b2 = params
        Z = anp.maximum(X @ W1 + b1, 0) @ W2 + b2
        loss = anp.mean(logsumexp(Z, axis=1) - Z[rows, t])
        loss = loss + l11 * anp.sum(anp.abs(W1)) + l12 * anp.sum(W1**2)
        return loss + l21 * anp.sum(anp.abs(W2)) + l22 * anp.sum(W2**2)

    value_and_grad = autograd.value_and_grad(objective)

    def step():
        loss, gradients = value_and_grad(params)
        for p, g in zip(params, gradients):
            p -= lr * g
        return loss

    return step, lambda: params


def make_jax(params, X, t, lams, lr, jit):
    import jax
    import jax.numpy as jnp

    params = [jnp.array(p) for p in params]
    X, t = jnp.array(X), jnp.array(t)
    l11, l12, l21, l22 = lams

    def objective(params, X, t):
        W1, b1, W2, b2 = params
        Z = jax.nn.relu(X @ W1 + b1) @ W2 + b2
        loss = -jnp.take_along_axis(jax.nn.log_softmax(Z), t[:, None], axis=1).mean()
        loss += l11 * jnp.abs(W1).sum() + l12 * jnp.square(W1).sum()
        return loss + l21 * jnp.abs(W2).sum() + l22 * jnp.square(W2).sum()

    def update(params, X, t):
        loss, gradients = jax.value_and_grad(objective)(params, X, t)
        return loss, [p - lr * g for p, g in zip(params, gradients)]

    if jit:
        update = jax.jit(update, donate_argnums=0)

    def step():
        nonlocal params
        loss, params = jax.block_until_ready(update(params, X, t))
        return loss

    return step, lambda: params


class Contender(NamedTuple):
    name: str
    package: str
    make: Callable
    bars: tuple[float, ...] = ()  # the ratio aimed at, by size


BASELINE = Contender("numpy by hand", "numpy", make_numpy)
CONTENDERS = [
    BASELINE,
    Contender("minigraph (nn)", "minigraph", make_minigraph_nn, (2.0, 1.18, 1.05)),
    Contender("minigraph (operators)", "minigraph", make_minigraph_operators, (2.3, 1.25, 1.10)),
    Contender("minigraph (derived)", "minigraph", make_minigraph_derived, (0.92, 0.94, 0.98)),
    Contender("PyTorch", "torch", make_torch),
    Contender("JAX jit", "jax", partial(make_jax, jit=True)),
    Contender("JAX eager", "jax", partial(make_jax, jit=False)),
    Contender("MyGrad", "mygrad", make_mygrad),
    Contender("autograd", "autograd", make_autograd),
]


def problem(inputs, hidden, outputs, examples):
    """Draw the parameters, the examples and their labels."""
    rng = np.random.default_rng(0)

    def normal(*shape, scale=1.0):
        return rng.normal(scale=scale, size=shape).astype(np.float32)

    params = (
        normal(inputs, hidden, scale=(2 / inputs) ** 0.5),
        normal(hidden, scale=0.1),
        normal(hidden, outputs, scale=(2 / hidden) ** 0.5),
        normal(outputs, scale=0.1),
    )
    return params, normal(examples, inputs), rng.integers(outputs, size=examples)


def distance(a, b):
    """Return ||a - b|| / ||b|| over lists of arrays."""
    a, b = (np.concatenate([np.ravel(part) for part in parts]) for parts in (a, b))
    return np.linalg.norm(a - b) / np.linalg.norm(b)


def checked_steps(contenders, size):
    """Make every contender's step, and see that all of them compute the same."""
    params, X, t = problem(*SIZES[size])
    steps, losses, updates = {}, {}, {}
    for name, _, make, _ in contenders:
        step, parameters = make(params, X, t, PENALTIES, LEARNING_RATE)
        losses[name] = np.array([float(step()) for _ in range(CHECKED_STEPS)])
        reached = [np.asarray(p) for p in parameters()]
        if any(p.dtype != np.float32 for p in reached):
            sys.exit(f"{name}, {size}: not every parameter is float32")
        updates[name] = [p - start for p, start in zip(reached, params)]
        steps[name] = step
    for name in steps:
        for what, of in ("losses", losses), ("updates", updates):
            error = distance(of[name], of[BASELINE.name])
            if not error <= TOLERANCE:
                sys.exit(f"{name}, {size}: {what} are off the baseline's by a relative {error:.1e}")
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


def compare(contenders, size, rounds):
    """Measure all contenders in interleaved rounds: name -> microseconds, ratio, spread, faults."""
    steps = checked_steps(contenders, size)
    counts = {name: enough(step) for name, step in steps.items()}
    order = random.Random(0)
    measured = {name: [] for name in steps}
    for _ in range(rounds):
        for name in order.sample(list(steps), len(steps)):
            measured[name].append(measure(steps[name], counts[name]))
    baseline = np.array(measured[BASELINE.name])[:, 0]
    return {name: summary(np.array(rows), baseline) for name, rows in measured.items()}


def summary(rows, baseline):
    seconds, faults = rows.T
    low, ratio, high = np.percentile(seconds / baseline, (25, 50, 75))
    return {
        "ratio": ratio,
        "quartiles": (low, high),
        "microseconds": 1e6 * np.median(seconds),
        "faults": np.median(faults),
    }


def table(results):
    """Format size -> name -> summary: a row per contender, the bars beside it."""
    titles = [f"{size} K={SIZES[size][-1]}" for size in results]
    yield " " * 22 + "".join(f"{title:>30}" for title in titles)
    yield " " * 22 + f"{'ratio':>9}{'quartiles':>14}{'faults':>7}" * len(titles)
    for name, _, _, bars in CONTENDERS:
        row = {size: of[name] for size, of in results.items() if name in of}
        if row:
            verdicts = [verdict(row[size], bar) for size, bar in zip(SIZES, bars) if size in row]
            cells = "".join(cell(name, result) for result in row.values())
            yield f"{name:22}{cells}  {', '.join(verdicts)}".rstrip()


def cell(name, result):
    ratio, quartiles = f"{result['ratio']:.2f}", "{:.2f}-{:.2f}".format(*result["quartiles"])
    if name == BASELINE.name:
        ratio, quartiles = f"{result['microseconds']:.0f} µs", ""
    return f"{ratio:>9}{quartiles:>14}{result['faults']:>7.0f}"


def verdict(result, bar):
    return f"≤{bar:.2f} {'met' if result['ratio'] <= bar else 'NOT met'}"


def versions(contenders):
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    packages = [f"python {platform.python_version()}", f"{blas['name']} {blas['version']}"]
    for package in dict.fromkeys(contender.package for contender in contenders):
        imported = getattr(sys.modules.get(package), "__version__", None)
        packages.append(f"{package} {imported or version(package)}")
    return f"{', '.join(packages)}; {platform.machine()}, {os.cpu_count()} CPUs"


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--only", nargs="+", metavar="NAME", default=[""], help="parts of names")
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--malloc", choices=[*MALLOC, "both"], default="both")
    parser.add_argument("--json", metavar="FILE", help="write all figures there, too")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def chosen(only):
    """Return the baseline and the installed contenders whose names hold one of these parts."""
    installed = [c for c in CONTENDERS if importlib.util.find_spec(c.package)]
    names = [c.name for c in installed]
    wanted = {BASELINE.name}
    for part in only:
        found = [name for name in names if part.lower() in name.lower()]
        if not found:
            sys.exit(f"--only {part}: not among {', '.join(names)}")
        wanted.update(found)
    return [c for c in installed if c.name in wanted]


def measured_alone(malloc):
    """Run this script again, pinned, with that allocator, and return its figures."""
    command = [sys.executable, __file__, *sys.argv[1:], "--malloc", malloc, "--measure"]
    environment = os.environ | ONE_THREAD | MALLOC[malloc]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE)
    if done.returncode:
        sys.exit(done.returncode)
    return json.loads(done.stdout)


def main():
    args = arguments()
    contenders = chosen(args.only)
    if args.measure:
        sizes = [size for size in SIZES if size in args.sizes]
        print(json.dumps({size: compare(contenders, size, args.rounds) for size in sizes}))
        return

    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    print(versions(contenders))
    report = {"versions": versions(contenders), "rounds": args.rounds, "results": {}}
    for malloc in MALLOC if args.malloc == "both" else [args.malloc]:
        results = report["results"][malloc] = measured_alone(malloc)
        print(f"\nallocator: {malloc}", *table(results), sep="\n")
    if args.json:
        with open(args.json, "w") as file:
            json.dump(report, file, indent=1)


if __name__ == "__main__":
    main()
