"""Time one training step against the same step written by hand in NumPy.

    python benchmarks/step.py
    python benchmarks/step.py --only minigraph PyTorch --sizes 2-2-2 --rounds 20
    python benchmarks/step.py --malloc default --json step.json

A step is forward, backward and an in-place SGD update, and returns the loss. The model, rows being
examples, float32, integer labels t:

    Z = relu(X @ W1 + b1) @ W2 + b2
    loss = mean(logsumexp(Z) - Z[t]) + l11 |W1|_1 + l12 |W1|^2 + l21 |W2|_1 + l22 |W2|^2

How it is measured is said in timing.py, which compiled.py shares: there are other dtypes,
activations, depths and optimizers. A ratio's quartiles follow it, then the minor page faults per
step. "products alone" are the five matrix products of a step and nothing else.

Contenders whose package is not installed are left out (`pip install -e .[bench,numba]` brings all).
"""

import argparse
import json
from functools import partial

import numpy as np
from peers import make_autograd, make_jax, make_mygrad, make_torch
from timing import (
    ONLY,
    Contender,
    ahead,
    bar,
    by_turns,
    checked_steps,
    chosen,
    make_products,
    options,
    problem,
    shown,
    summaries,
    tables,
)

import minigraph as mg
from minigraph import nn, optim

SIZES = {  # name: (inputs, hidden, outputs), examples
    "2-2-2": ((2, 2, 2), 10),
    "784-50-10": ((784, 50, 10), 100),
    "784-500-10": ((784, 500, 10), 256),
}
PENALTIES = (1e-4, 2e-4, 3e-4, 4e-4)  # l11, l12, l21, l22
LEARNING_RATE = 0.05

# The contenders: make(params, X, t, lams, lr) -> step, parameters.


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


def network(params, lr):
    """Give an MLP of these parameters, and its optimizer."""
    (inputs, hidden), outputs = params[0].shape, len(params[3])
    model = nn.MLP((inputs, hidden, outputs), activation=mg.relu, seed=0, dtype=np.float32)
    for tensor, value in zip(model.parameters().values(), params):
        tensor.data = value
    return model, optim.SGD(model.parameters(), lr=lr)


def make_minigraph_nn(params, X, t, lams, lr):
    model, sgd = network(params, lr)
    first, second = model.layers
    l11, l12, l21, l22 = lams

    def step():
        loss = mg.softmax_nll(model(X), t)
        loss = loss + mg.elastic_net(first.W, l11, l12) + mg.elastic_net(second.W, l21, l22)
        sgd.zero_grad()
        loss.backward()
        sgd.step()
        return loss

    return step, lambda: [tensor.data for tensor in sgd.parameters]


def make_minigraph_numba(params, X, t, lams, lr):
    model, sgd = network(params, lr)
    step = mg.derive_step(lambda X, t: nn.risk(model, X, t, lams), sgd, X, t, backend="numba")
    return lambda: step(X, t), lambda: [tensor.data for tensor in sgd.parameters]


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


def make_minigraph_derived(params, X, t, lams, lr, **options):
    params = [p.copy() for p in params]
    l11, l12, l21, l22 = lams

    def risk(W1, b1, W2, b2, X, t):
        logits = mg.linear(mg.relu(mg.linear(X, W1, b1)), W2, b2)
        nll = mg.softmax_nll(logits, t)
        return nll + mg.elastic_net(W1, l11, l12) + mg.elastic_net(W2, l21, l22)

    derived = mg.derive(risk, *params, X, t, argnums=(0, 1, 2, 3), **options)

    def step():
        loss, gradients = derived(*params, X, t, copy=False)
        for p, g in zip(params, gradients):
            p -= lr * g
        return loss

    return step, lambda: params


JAX = "JAX jit"
NUMBA = "minigraph (numba)"
BASELINE = Contender("numpy by hand", "numpy", make_numpy)
CONTENDERS = [
    BASELINE,
    Contender("products alone", "numpy", make_products),
    Contender(NUMBA, "numba", make_minigraph_numba, (0.27, 0.66, 0.76)),
    Contender(
        "minigraph (numba, derive)", "numba", partial(make_minigraph_derived, backend="numba")
    ),
    Contender("minigraph (nn)", "minigraph", make_minigraph_nn, (2.0, 1.18, 1.05)),
    Contender("minigraph (operators)", "minigraph", make_minigraph_operators, (2.3, 1.25, 1.10)),
    Contender(
        "minigraph (derived)",
        "minigraph",
        partial(make_minigraph_derived, style="fast"),
        (0.92, 0.94, 0.98),
    ),
    Contender("minigraph (textbook)", "minigraph", make_minigraph_derived),
    Contender("PyTorch", "torch", make_torch),
    Contender(JAX, "jax", partial(make_jax, jit=True)),
    Contender("JAX eager", "jax", partial(make_jax, jit=False)),
    Contender("MyGrad", "mygrad", make_mygrad),
    Contender("autograd", "autograd", make_autograd),
]


def compare(contenders, size, rounds):
    """Measure all contenders: name -> summary."""
    steps = checked_steps(contenders, size, *problem(*SIZES[size]), PENALTIES, LEARNING_RATE)
    return summaries(by_turns(steps, rounds), (BASELINE.name, JAX))


def table(results):
    """Format size -> name -> summary: a row per contender, the bars beside it."""
    titles = [f"{size} K={SIZES[size][-1]}" for size in results]
    yield " " * 28 + "".join(f"{title:>30}" for title in titles)
    yield " " * 28 + f"{'ratio':>9}{'quartiles':>14}{'faults':>7}" * len(titles)
    for name, _, _, bars in CONTENDERS:
        row = {size: of[name] for size, of in results.items() if name in of}
        if row:
            verdicts = [
                bar(row[size]["by"][BASELINE.name][1], aim)
                for size, aim in zip(SIZES, bars)
                if size in row
            ]
            cells = "".join(cell(name, result) for result in row.values())
            yield f"{name:28}{cells}  {', '.join(verdicts)}".rstrip()
    ratios = [of[NUMBA]["by"][JAX] for of in results.values() if NUMBA in of and JAX in of]
    if ratios:
        cells = "".join(f"{shown(quartiles)}       " for quartiles in ratios)
        yield f"{f'{NUMBA} by {JAX}':28}{cells}  {ahead(ratios)}"


def cell(name, result):
    ratio = shown(result["by"][BASELINE.name])
    if name == BASELINE.name:
        ratio = f"{result['microseconds']:6.0f} µs" + " " * 14
    return f"{ratio}{result['faults']:7.0f}"


def arguments():
    parser = options(__doc__, rounds=40)
    parser.add_argument("--only", nargs="+", metavar="NAME", default=[""], help=ONLY)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def main():
    args = arguments()
    contenders = chosen(CONTENDERS, args.only)
    if args.measure:
        sizes = [size for size in SIZES if size in args.sizes]
        print(json.dumps({size: compare(contenders, size, args.rounds) for size in sizes}))
        return

    tables(args, contenders, table)


if __name__ == "__main__":
    main()
