"""Time compiled training steps against JAX's jit and NumPy by hand, in twelve further rows.

    python benchmarks/compiled.py
    python benchmarks/compiled.py --rows Adam tanh --rounds 20 --malloc fixed

The step of step.py in float64, with tanh and sigmoid, with two hidden layers, with momentum and
with Adam: `derive_step(..., backend="numba")`, `jax.jit` with donated parameters, and NumPy by
hand. A ratio is to NumPy by hand in the same round, its quartiles behind it. The last column is
minigraph's time by JAX's; below 1, minigraph is ahead. "products" are the matrix products alone.

How it is measured is said in timing.py. Each row has a process of its own: JAX counts in float64
only where the whole process does.
"""

import argparse
import json
import sys
from typing import NamedTuple

import numpy as np
from timing import (
    Contender,
    add_options,
    ahead,
    allocators,
    alone,
    by_turns,
    checked_steps,
    installed,
    make_products,
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
RATE = {"SGD": 0.05, "momentum": 0.01, "Adam": 1e-3}
MOMENTUM = 0.9
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


# NumPy by hand: in place where that is easy to read


def relu(Z):
    return np.maximum(Z, 0, out=Z)


def sigmoid(Z):
    np.negative(Z, out=Z)
    np.exp(Z, out=Z)
    Z += 1
    return np.reciprocal(Z, out=Z)


ACTIVATIONS = {  # the function, and its derivative by its value
    "relu": (relu, lambda H: H > 0),
    "tanh": (lambda Z: np.tanh(Z, out=Z), lambda H: 1 - H * H),
    "sigmoid": (sigmoid, lambda H: H * (1 - H)),
}


def sgd_by_hand(params):
    def update(gradients):
        for p, g in zip(params, gradients):
            p -= RATE["SGD"] * g

    return update


def momentum_by_hand(params):
    velocities = [np.zeros_like(p) for p in params]

    def update(gradients):
        for p, v, g in zip(params, velocities, gradients):
            v *= MOMENTUM
            v += g
            p -= RATE["momentum"] * v

    return update


def adam_by_hand(params):
    means, squares = ([np.zeros_like(p) for p in params] for _ in range(2))
    steps = 0

    def update(gradients):
        nonlocal steps
        steps += 1
        rate, root = RATE["Adam"] / (1 - BETA1**steps), (1 - BETA2**steps) ** 0.5
        for p, m, v, g in zip(params, means, squares, gradients):
            m *= BETA1
            m += (1 - BETA1) * g
            v *= BETA2
            np.square(g, out=g)
            g *= 1 - BETA2
            v += g
            np.sqrt(v, out=g)
            g /= root
            g += EPSILON
            np.divide(m, g, out=g)
            g *= rate
            p -= g

    return update


UPDATES = {"SGD": sgd_by_hand, "momentum": momentum_by_hand, "Adam": adam_by_hand}


def make_numpy(params, X, t, case):
    params = [p.copy() for p in params]
    weights, biases = params[::2], params[1::2]
    activate, derivative = ACTIVATIONS[case.activation]
    update = UPDATES[case.optimizer](params)
    n, rows = len(X), np.arange(len(X))

    def step():
        inputs = [X]
        for W, b in zip(weights[:-1], biases):
            Z = inputs[-1] @ W
            Z += b
            inputs.append(activate(Z))
        Z = inputs[-1] @ weights[-1]
        Z += biases[-1]
        Z -= Z.max(axis=1, keepdims=True)
        G = np.exp(Z)
        sums = G.sum(axis=1, keepdims=True)
        loss = (np.log(sums).sum() - Z[rows, t].sum()) / n
        for W, (l1, l2) in zip(weights, case.penalties):
            loss += l1 * np.abs(W).sum() + l2 * np.vdot(W, W)

        G /= sums
        G[rows, t] -= 1
        G /= n
        gradients = []
        for W, H, (l1, l2) in zip(weights[::-1], inputs[::-1], case.penalties[::-1]):
            gW = H.T @ G
            gW += l1 * np.sign(W)
            gW += 2 * l2 * W
            gradients += [G.sum(axis=0), gW]
            if H is not X:
                G = G @ W.T
                G *= derivative(H)
        update(gradients[::-1])
        return loss

    return step, lambda: params


# minigraph


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
    step = mg.derive_step(lambda X, t: nn.risk(model, X, t, penalties), optimizer, backend="numba")
    return lambda: step(X, t), lambda: [tensor.data for tensor in tensors.values()]


# JAX: the optimizer's memory is a list of lists, each like the parameters


def advanced(optimizer, params, memory, gradients, steps):
    """Give the next parameters and memory, as jax.jit traces it."""
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


# The rows

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
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", nargs="+", metavar="PART", default=[""], help="parts of titles")
    parser.add_argument("--measure", type=int, metavar="ROW", help=argparse.SUPPRESS)
    add_options(parser, rounds=40)
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
    titles = "".join(f"{title:>23}" for title in (NUMBA, JAX, PRODUCTS, f"{NUMBA} by JAX"))
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
