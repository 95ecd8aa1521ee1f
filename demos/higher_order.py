"""Derivatives of derivatives: a tower over tanh, and Newton's method on the two circles.

    python demos/higher_order.py

`mg.gradient` gives a function, so it can be applied again: the first figure shows tanh and its
first five derivatives. Then a small network learns the two circles by gradient descent, and by
Newton's method, whose step solves with the Hessian of all its 42 parameters. Both begin at the same
place. Figures go into the folder out/ (or --out).
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import minigraph as mg
from minigraph import data
from minigraph.plot import decision_regions

Parameters = dict[str, Any]
COLOURS = ("#000000", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00")  # Okabe and Ito


# The tower


def tower(orders: int, x: np.ndarray) -> list[np.ndarray]:
    """Give tanh and its derivatives at all x; each entry depends on its own x only."""
    floors, f = [np.tanh(x)], np.tanh
    for _ in range(orders):
        f = derivative(f)
        floors.append(f(x))
    return floors


def derivative(f: Any) -> Any:
    return mg.gradient(lambda x: np.sum(f(x)))


def draw_tower(floors: list[np.ndarray], x: np.ndarray) -> Figure:
    figure = Figure(figsize=(8, 5), layout="constrained")
    ax = figure.subplots()
    for order, values in enumerate(floors):
        label = "tanh" if order == 0 else f"derivative {order}"
        style = "-" if order == 0 else (0, (4 + order, order))
        ax.plot(x, values, color=COLOURS[order % len(COLOURS)], linestyle=style, label=label)
    ax.axhline(0, color="grey", linewidth=0.5)
    ax.set(xlabel="x", title="tanh and its derivatives, each the gradient of the one before")
    ax.legend(frameon=False)
    return figure


# Newton


def network(seed: int, hidden: int = 8) -> Parameters:
    rng = np.random.default_rng(seed)
    return {
        "W1": rng.normal(size=(2, hidden)),
        "b1": rng.normal(size=hidden),
        "W2": rng.normal(size=(hidden, 2)) / hidden**0.5,
        "b2": np.zeros(2),
    }


def logits(p: Parameters, X: Any) -> Any:
    return mg.linear(np.tanh(mg.linear(X, p["W1"], p["b1"])), p["W2"], p["b2"])


def joined(p: Parameters) -> np.ndarray:
    return np.concatenate([part.reshape(-1) for part in p.values()])


def moved(p: Parameters, step: np.ndarray) -> Parameters:
    """Add a vector, cut into the parameters' shapes."""
    ends = np.cumsum([part.size for part in p.values()])[:-1]
    return {name: part + s.reshape(part.shape)
            for (name, part), s in zip(p.items(), np.split(step, ends))}  # fmt: skip


def matrix(hessian: dict[str, Parameters], p: Parameters) -> np.ndarray:
    """Join the blocks of a Hessian, ``hessian["W1"]["b1"]`` and so on, to one matrix."""
    return np.block(
        [[hessian[a][b].reshape(p[a].size, p[b].size) for b in p] for a in p]
    )  # fmt: skip


def newton(risk: Any, p: Parameters, steps: int) -> tuple[Parameters, list[float]]:
    """Minimise by Newton's method with damping (Levenberg, 1944; Marquardt, 1963).

    The risk of a network is not convex: damping, in addition to the least eigenvalue, makes each
    step one downhill. It is less after a step that was, and more after one that was not.
    """
    value_and_grad, hessian, damping = mg.value_and_grad(risk), mg.hessian(risk), 1.0
    risks = []
    for _ in range(steps):
        value, slopes = value_and_grad(p)
        risks.append(float(value))
        H, g = matrix(hessian(p), p), joined(slopes)
        least = min(0.0, np.linalg.eigvalsh(H)[0])
        while damping < 1e8:
            step = np.linalg.solve(H + (damping - least) * np.eye(len(g)), -g)
            after = moved(p, step)
            if risk(after) < value:
                p, damping = after, damping / 4
                break
            damping *= 4
    return p, [*risks, float(risk(p))]


def descend(risk: Any, p: Parameters, steps: int, rate: float) -> tuple[Parameters, list[float]]:
    """Minimise by gradient descent."""
    value_and_grad, risks = mg.value_and_grad(risk), []
    for _ in range(steps):
        value, slopes = value_and_grad(p)
        risks.append(float(value))
        p = moved(p, -rate * joined(slopes))
    return p, [*risks, float(risk(p))]


def draw_newton(runs: dict[str, Any], X: np.ndarray, labels: np.ndarray) -> Figure:
    figure = Figure(figsize=(13, 4.6), layout="constrained")
    curves, *planes = figure.subplots(1, 3)
    for (name, (_, risks)), style in zip(runs.items(), ("-", "--")):
        curves.semilogy(risks, style, color=COLOURS[style == "--"], label=name)
    curves.set(xlabel="step", ylabel="penalised risk", title="Both from the same place")
    curves.yaxis.set_major_formatter("{x:g}")
    curves.yaxis.set_minor_formatter("")
    curves.legend(frameon=False)
    for ax, (name, (p, risks)) in zip(planes, runs.items()):
        decision_regions(lambda rows, p=p: logits(p, rows).argmax(axis=1), X, labels, ax=ax)
        error = np.mean(logits(p, X).argmax(axis=1) != labels)
        ax.set_title(f"{name}, {len(risks) - 1} steps: error {error:.3f}")
    return figure


# The program


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--out", type=Path, default=Path("out"), help="folder for the figures")
    options.add_argument("--seed", type=int, default=0, help="of data and parameters")
    options.add_argument("--steps", type=int, default=60)
    options.add_argument("--orders", type=int, default=5, help="floors of the tower over tanh")
    args = options.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    def save(figure: Figure, name: str) -> None:
        path = args.out / f"{name}.png"
        figure.savefig(path, dpi=100)
        print(f"figure: {path}", flush=True)

    x = np.linspace(-3, 3, 601)
    floors = tower(args.orders, x)
    at_zero = [float(f) + 0.0 for f in np.round([floor[300] for floor in floors], 9)]
    print("tanh and its derivatives at 0:", *(f"{value:g}" for value in at_zero))
    save(draw_tower(floors, x), "tower")

    X, labels = data.two_circles(args.seed)
    X, labels = X[:300], labels[:300]

    def risk(p: Parameters) -> Any:
        penalty = mg.l2_penalty(p["W1"]) + mg.l2_penalty(p["W2"])
        return mg.softmax_nll(logits(p, X), labels) + 1e-5 * penalty

    start = network(args.seed)
    H = matrix(mg.hessian(risk)(start), start)
    print(f"Hessian {H.shape}, largest asymmetry {np.abs(H - H.T).max():.1e}", flush=True)
    runs = {
        "Newton": newton(risk, start, args.steps),
        "gradient descent": descend(risk, start, args.steps, rate=1.0),
    }
    for name, (p, risks) in runs.items():
        slope = np.abs(joined(mg.gradient(risk)(p))).max()
        print(f"{name}: risk {risks[0]:.4f} to {risks[-1]:.3e}, largest slope {slope:.1e}")
    save(draw_newton(runs, X, labels), "newton")


if __name__ == "__main__":
    main()
