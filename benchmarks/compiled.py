"""Time compiled training steps against JAX's jit and NumPy by hand, in twelve further rows.

    python benchmarks/compiled.py
    python benchmarks/compiled.py --rows Adam tanh --rounds 20 --malloc fixed

The step of step.py in float64, with tanh and sigmoid, with two hidden layers, with momentum and
with Adam: `derive_step(..., backend="numba")`, `jax.jit` with donated parameters, and NumPy by
hand. A ratio is to NumPy by hand in the same round, its quartiles behind it. "products" are the
matrix products alone. The last column is minigraph's time by JAX's; below 1, minigraph is ahead.

How it is measured is said in timing.py. Each row has a process of its own: JAX counts in float64
only where the whole process does.
"""

import argparse
import json
import sys
from typing import NamedTuple

import numpy as np
from by_hand import BETA1, BETA2, EPSILON, MOMENTUM, RATE, by_hand
from timing import (
    Contender,
    ahead,
    allocators,
    alone,
    by_turns,
    checked_steps,
    installed,
    make_products,
    options,
    pin,
    problem,
    shown,
    summaries,
    versions,
    write,
)

import minigraph as mg
from minigraph import nn, optim

SMALL, MIDDLE, LARGE = ((2, 2, 2), 10), ((784, 50, 10), 100), ((784, 500, 10), 256)


class Case(NamedTuple):
    """A network and how it is trained."""

    sizes: tuple[int, ...]
    examples: int
    activation: str = "relu"
    optimizer: str = "SGD"
    dtype: str = "float32"

    def __str__(self):
        layers = "-".join(map(str, self.sizes))
        return f"{layers} K={self.examples} {self.activation} {self.optimizer} {self.dtype}"

    @property
    def penalties(self):
        """The weights of |W|_1 and |W|^2, layer by layer."""
        return [(1e-4 + 2e-4 * i, 2e-4 + 2e-4 * i) for i in range(len(self.sizes) - 1)]


CASES = [
    Case(*SMALL, dtype="float64"),
    Case(*MIDDLE, dtype="float64"),
    Case(*LARGE, dtype="float64"),
    Case(*MIDDLE, activation="tanh"),
    Case(*LARGE, activation="tanh"),
    Case(*MIDDLE, activation="sigmoid"),
    Case(*LARGE, activation="sigmoid"),
    Case((2, 8, 8, 2), 10),
    Case((784, 100, 50, 10), 100),
    Case(*MIDDLE, optimizer="momentum"),
    Case(*MIDDLE, optimizer="Adam"),
    Case(*LARGE, optimizer="Adam"),
]


# The contenders: make(params, X, t, case) -> step, parameters.


def make_numpy(params, X, t, case):
    params = [p.copy() for p in params]
    step = by_hand(params, case.penalties, case.activation, case.optimizer)
    return lambda: step(X, t)[0], lambda: params


def make_minigraph(params, X, t, case):
    model = nn.MLP(case.sizes, activation=getattr(mg, case.activation), seed=0, dtype=case.dtype)
    tensors = model.parameters()
    for tensor, value in zip(tensors.values(), params):
        tensor.data = value
    if case.optimizer == "Adam":
        optimizer = optim.Adam(tensors, RATE["Adam"], (BETA1, BETA2), EPSILON)
    else:
        momentum = MOMENTUM if case.optimizer == "momentum" else 0
        optimizer = optim.SGD(tensors, RATE[case.optimizer], momentum)
    penalties = np.ravel(case.penalties).tolist()
    step = mg.derive_step(
        lambda X, t: nn.risk(model, X, t, penalties), optimizer, X, t, backend="numba"
    )
    return lambda: step(X, t), lambda: [tensor.data for tensor in tensors.values()]


def advanced(optimizer, params, memory, gradients, steps):
    """Give the next parameters and memory: JAX's arrays, what Adam keeps as two lists of them."""
    import jax.numpy as jnp

    lr = RATE[optimizer]
    if optimizer == "SGD":
        return [p - lr * g for p, g in zip(params, gradients)], memory
    if optimizer == "momentum":
        velocities = [MOMENTUM * v + g for v, g in zip(memory[0], gradients)]
        return [p - lr * v for p, v in zip(params, velocities)], [velocities]
    means = [BETA1 * m + (1 - BETA1) * g for m, g in zip(memory[0], gradients)]
    squares = [BETA2 * v + (1 - BETA2) * g * g for v, g in zip(memory[1], gradients)]
    # 1 - beta**steps loses digits in float32
    rate = -lr / jnp.expm1(steps * np.log(BETA1).item())
    root = jnp.sqrt(-jnp.expm1(steps * np.log(BETA2).item()))
    params = [
        p - rate * m / (jnp.sqrt(v) / root + EPSILON) for p, m, v in zip(params, means, squares)
    ]
    return params, [means, squares]


def make_jax(params, X, t, case):
    import jax
    import jax.numpy as jnp

    activate = {"relu": jax.nn.relu, "tanh": jnp.tanh, "sigmoid": jax.nn.sigmoid}[case.activation]
    kept = {"SGD": 0, "momentum": 1, "Adam": 2}[case.optimizer]
    memory = [[jnp.zeros_like(p) for p in params] for _ in range(kept)]
    state = [jnp.array(p) for p in params], memory, jnp.zeros((), case.dtype)
    X, t = jnp.array(X), jnp.array(t)

    def objective(params, X, t):
        Z = X
        for W, b in zip(params[:-2:2], params[1:-2:2]):
            Z = activate(Z @ W + b)
        Z = Z @ params[-2] + params[-1]
        loss = -jnp.take_along_axis(jax.nn.log_softmax(Z), t[:, None], axis=1).mean()
        for W, (l1, l2) in zip(params[::2], case.penalties):
            loss += l1 * jnp.abs(W).sum() + l2 * jnp.square(W).sum()
        return loss

    def update(state, X, t):
        params, memory, steps = state
        loss, gradients = jax.value_and_grad(objective)(params, X, t)
        steps += 1
        return loss, (*advanced(case.optimizer, params, memory, gradients, steps), steps)

    update = jax.jit(update, donate_argnums=0)

    def step():
        nonlocal state
        loss, state = jax.block_until_ready(update(state, X, t))
        return loss

    return step, lambda: state[0]


HAND, NUMBA, JAX, PRODUCTS = "numpy by hand", "minigraph (numba)", "JAX jit", "products"
CONTENDERS = [
    Contender(HAND, "numpy", make_numpy),
    Contender(NUMBA, "numba", make_minigraph),
    Contender(JAX, "jax", make_jax),
    Contender(PRODUCTS, "numpy", make_products),
]


def compare(case, rounds):
    """Measure all contenders: name -> summary."""
    given = problem(case.sizes, case.examples, case.dtype)
    steps = checked_steps(installed(CONTENDERS), case, *given, case)
    return summaries(by_turns(steps, rounds), (HAND, JAX))


def row(case, result):
    def cell(name, by):
        return shown(result[name]["by"][by]) if {name, by} <= result.keys() else f"{'-':>23}"

    hand = f"{result[HAND]['microseconds']:9.0f} µs"
    cells = "".join(cell(name, HAND) for name in (NUMBA, JAX, PRODUCTS))
    return f"{case!s:42}{hand}{cells}{cell(NUMBA, JAX)}"


def arguments():
    parser = options(__doc__, rounds=40)
    parser.add_argument("--rows", nargs="+", metavar="PART", default=[""], help="parts of titles")
    parser.add_argument("--measure", type=int, metavar="ROW", help=argparse.SUPPRESS)
    return parser.parse_args()


def main():
    args = arguments()
    if args.measure is not None:
        print(json.dumps(compare(CASES[args.measure], args.rounds)))
        return

    chosen = [
        case for case in CASES if any(part.lower() in str(case).lower() for part in args.rows)
    ]
    if not chosen:
        sys.exit(f"--rows {' '.join(args.rows)}: not among {', '.join(map(str, CASES))}")
    pin()
    print(versions(installed(CONTENDERS)))
    titles = "".join(f"{title:>23}" for title in (NUMBA, JAX, PRODUCTS, "numba by JAX"))
    report = {"versions": versions(installed(CONTENDERS)), "rounds": args.rounds, "results": {}}
    for malloc in allocators(args):
        print(f"\nallocator: {malloc}\n{'':42}{HAND:>12}{titles}")
        results = report["results"][malloc] = {}
        for case in chosen:
            x64 = "1" if case.dtype == "float64" else "0"
            result = alone(malloc, "--measure", str(CASES.index(case)), JAX_ENABLE_X64=x64)
            results[str(case)] = result
            print(row(case, result), flush=True)
        ratios = [of[NUMBA]["by"][JAX] for of in results.values() if {NUMBA, JAX} <= of.keys()]
        if ratios:
            print(f"{NUMBA} by {JAX}: {ahead(ratios)} rows")
    write(report, args.json)


if __name__ == "__main__":
    main()
