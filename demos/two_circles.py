"""Train on two circles: what a penalty, hidden units, epochs and early stopping do (P5).

    python demos/two_circles.py

The circles have radius 1 and 0.8, so only a network that can close a curve separates them. For each
number of hidden units dh, penalty λ and number of epochs, a network is trained and measured; tables
are printed, and figures with decision regions and curves go into the folder out/ (or --out).
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

import minigraph as mg
from minigraph import data, nn, optim
from minigraph.plot import curves, decision_regions
from minigraph.train import History, evaluate, fit

PARTS = ("train", "valid", "test")

# How all networks of the grid learn. With momentum, dh = 8 separates the circles in 5 to 8 epochs
# from each of ten seeds, so that 60 leave a margin; without, 60 are too few from seven of them.
# Steps of 0.3 with momentum are no faster, and from two of the seeds no unit is active for any
# example in the end, so that nothing more can be learned. A cosine lets the steps shrink to 0, so
# that the last minibatches do not decide the result.
LEARNING_RATE, MOMENTUM, BATCH_SIZE = 0.1, 0.9, 20

# Early stopping needs a network that would overfit, and none of the grid does: what fits 700
# examples without noise is right. So it gets few examples, of which some have the wrong label, more
# hidden units than it needs, and Adam, whose steps fit single examples sooner.
FEW, FLIPPED, MANY_UNITS, ADAM_RATE = 100, 0.15, 100, 0.02


class Trained(NamedTuple):
    name: str
    model: nn.MLP
    history: History
    measured: dict[str, tuple[float, float]]  # (loss, error) of each part, by the final parameters


# Training


def circles(seed: int) -> dict[str, Any]:
    """Split the 1,100 points into 700 for training, 200 for validation and 200 for the test."""
    rng = np.random.default_rng(seed)
    return dict(zip(PARTS, data.split(*data.two_circles(rng), (700, 200, 200), rng)))


def learn(parts: dict[str, Any], dh: int, lam: float, epochs: int, seed: int) -> Trained:
    """Train a 2-dh-2 network with the penalty λ (‖W1‖² + ‖W2‖²).

    Two hidden units cannot close a curve: where neither is active the output is constant, on an
    unbounded region, and what they enclose is always unbounded too. That takes three.
    """
    model = nn.MLP((2, dh, 2), seed=seed)
    steps = epochs * -(-len(parts["train"][1]) // BATCH_SIZE)
    rate = optim.cosine(LEARNING_RATE, steps)
    sgd = optim.SGD(model.parameters(), lr=rate, momentum=MOMENTUM)
    history = fit(
        model, **parts, optimizer=sgd, epochs=epochs, batch_size=BATCH_SIZE,
        penalty=(0, lam, 0, lam), seed=seed, progress=False,
    )  # fmt: skip
    return measured(f"dh = {dh}, λ = {lam:g}", model, history, parts)


def measured(name: str, model: nn.MLP, history: History, parts: dict[str, Any]) -> Trained:
    """Measure all parts by the same parameters; the history's train_loss is of many steps."""
    return Trained(name, model, history, {p: evaluate(model, *parts[p]) for p in PARTS})


def noisy_circles(seed: int) -> tuple[dict[str, Any], Any]:
    """Flip some labels, then split, with few examples for training; and give all right labels.

    In the validation and test examples labels are flipped too, as they would be in real data: the
    least possible error there is the share of flipped ones. The right labels are for the reader.
    """
    rng = np.random.default_rng(seed)
    X, y = data.two_circles(rng)
    noisy = np.where(rng.random(len(y)) < FLIPPED, 1 - y, y)
    return dict(zip(PARTS, data.split(X, noisy, (FEW, 200, 200), rng))), (X, y)


def stop_early(parts: dict[str, Any], epochs: int, patience: int, seed: int) -> list[Trained]:
    """Train the same network twice: until patience ends, with its best parameters; and to the end.

    Seeds are equal, so that the first run is the beginning of the second.
    """
    runs = []
    for name, options in (
        ("stopped", {"patience": patience, "restore_best": True}),
        ("to the end", {}),
    ):
        model = nn.MLP((2, MANY_UNITS, 2), seed=seed)
        adam = optim.Adam(model.parameters(), lr=ADAM_RATE)
        history = fit(
            model, **parts, optimizer=adam, epochs=epochs, batch_size=BATCH_SIZE,
            seed=seed, progress=False, **options,
        )  # fmt: skip
        kept = f", kept epoch {history.best_epoch}" if options else ""
        runs.append(measured(f"{name}{kept}", model, history, parts))
    return runs


# What is shown


def numbers(run: Trained) -> str:
    """Put errors and losses into two lines, train / valid / test."""
    losses, errors = zip(*run.measured.values())
    return "\n".join(
        f"{what} {' / '.join(f'{value:.3f}' for value in values)}"
        for what, values in (("error", errors), ("loss", losses))
    )


def row(run: Trained) -> str:
    cells = "".join(f"  {loss:7.4f} {error:7.4f}" for loss, error in run.measured.values())
    return f"{run.name:<22} {len(run.history.rows):>6}{cells}"


def header() -> str:
    return f"{'':<22} epochs" + "".join(f"{part + ' loss':>11} error" for part in PARTS)


def regions(run: Trained, examples: Any, ax: Axes, size: float = 1.0) -> None:
    def predict(rows: np.ndarray) -> np.ndarray:
        with mg.no_grad():  # nothing is recorded, so nothing is kept for a backward pass
            return run.model(rows).data.argmax(axis=1)

    decision_regions(predict, *examples, ax=ax)
    for drawn in ax.collections:
        if isinstance(drawn, PathCollection):  # the examples
            drawn.set_sizes(size * drawn.get_sizes())


def one_legend(figure: Figure) -> None:
    """Replace the legends of all axes by one for the figure."""
    handles = {}
    for ax in figure.axes:
        ax.get_legend().remove()
        for handle, label in zip(*ax.get_legend_handles_labels()):
            # The line at the lowest loss is elsewhere in each: its epoch is in their titles.
            handles["lowest valid loss" if label.startswith("lowest") else label] = handle
    where = "outside lower center"
    figure.legend(handles.values(), handles.keys(), loc=where, ncols=len(handles))


def panels(runs: list[Trained], columns: int, title: str) -> tuple[Figure, Iterator[Any]]:
    """Make a figure with axes for each run, `columns` in a row."""
    rows = -(-len(runs) // columns)
    figure = Figure(figsize=(max(6, 1 + 3.3 * columns), 1.3 + 3.5 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    figure.suptitle(title)
    return figure, zip(axes.flat, runs)


def draw_regions(runs: list[Trained], columns: int, examples: Any) -> Figure:
    epochs = len(runs[0].history.rows)
    title = f"After {epochs} epochs, with the test examples.\nNumbers: train / valid / test"
    figure, pairs = panels(runs, columns, title)
    for ax, run in pairs:
        regions(run, examples, ax, size=0.7)
        ax.set_title(f"{run.name}\n{numbers(run)}", fontsize=9)
        ax.label_outer()
    one_legend(figure)
    return figure


def draw_curves(runs: list[Trained], columns: int) -> Figure:
    title = "Loss without penalty: training's during the epoch,\nthe others' at its end"
    figure, pairs = panels(runs, columns, title)
    for ax, run in pairs:
        curves(run.history, "loss", ax=ax)
        ax.set_title(f"{run.name}\nlowest valid loss: epoch {run.history.best_epoch}", fontsize=9)
        ax.label_outer()
    one_legend(figure)
    return figure


def draw_stopping(runs: list[Trained], right: list[float], examples: Any) -> Figure:
    figure = Figure(figsize=(14, 6.4), layout="constrained")
    figure.suptitle(
        f"{FEW} training examples, {FLIPPED:.0%} of all labels flipped, dh = {MANY_UNITS}. "
        "Numbers: train / valid / test\n"  # an empty line: axes as high as wide do not keep away
    )
    *plane, beside = figure.subplots(1, 3, width_ratios=(1, 1, 1.3))
    for ax, run, error in zip(plane, runs, right):
        regions(run, examples, ax)
        title = f"{run.name}\n{numbers(run)}\nerror on all right labels {error:.3f}"
        ax.set_title(title, fontsize=10)
    below = {"loc": "upper left", "bbox_to_anchor": (0.0, -0.15), "frameon": False}
    plane[0].legend(**below, ncols=3)
    plane[1].get_legend().remove()
    early, last = (run.history for run in runs)
    curves(last, "loss", ax=beside)
    stop = len(early.rows)
    beside.axvline(stop, color="black", linestyle="-.", label=f"stopped, epoch {stop}")
    beside.set_title("loss of both", fontsize=10)
    beside.legend(**below, ncols=2)
    return figure


# The program


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--out", type=Path, default=Path("out"), help="folder for the figures")
    options.add_argument("--suffix", default=".png", choices=(".png", ".svg"))
    options.add_argument("--seed", type=int, default=0, help="of data, parameters and order")
    options.add_argument("--hidden", type=int, nargs="+", default=[2, 8, 20], help="values of dh")
    options.add_argument(
        "--penalty", type=float, nargs="+", default=[0, 0.003, 0.009, 0.03], help="values of λ"
    )
    options.add_argument("--epochs", type=int, nargs="+", default=[3, 60])
    options.add_argument(
        "--noisy-epochs", type=int, default=300, help="of the run without early stopping"
    )
    options.add_argument("--patience", type=int, default=30)
    options.add_argument(
        "--seeds", type=int, default=10, help="train without penalty from so many seeds, 0, 1, ..."
    )
    args = options.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    def save(figure: Figure, name: str) -> None:
        path = args.out / f"circles_{name}{args.suffix}"
        figure.savefig(path, dpi=100)
        print(f"figure: {path}", flush=True)

    # The grid.
    parts, columns = circles(args.seed), len(args.penalty)
    for epochs in args.epochs:
        print(header())
        runs = []
        for dh in args.hidden:
            for lam in args.penalty:
                runs.append(learn(parts, dh, lam, epochs, args.seed))
                print(row(runs[-1]), flush=True)
        save(draw_regions(runs, columns, parts["test"]), f"regions_{epochs}")

    save(draw_curves(runs, columns), f"curves_{epochs}")

    # Early stopping.
    parts, circle = noisy_circles(args.seed)
    print(f"\n{FEW} training examples, {FLIPPED:.0%} of all labels flipped, dh = {MANY_UNITS}")
    print(f"{header()}  error on all right labels")
    runs = stop_early(parts, args.noisy_epochs, args.patience, args.seed)
    right = [evaluate(run.model, *circle)[1] for run in runs]
    for run, error in zip(runs, right):
        print(f"{row(run)}  {error:.4f}")
    print(f"the first run ended by {runs[0].history.stop_reason}")
    save(draw_stopping(runs, right, parts["train"]), "stopping")

    # One run is an anecdote: the same from other seeds, which decide the split too.
    if args.seeds:
        print(f"\nTest errors without penalty after {args.epochs[-1]} epochs, from other seeds")
    for dh in args.hidden if args.seeds else ():
        errors = [
            learn(circles(seed), dh, 0.0, args.epochs[-1], seed).measured["test"][1]
            for seed in range(args.seeds)
        ]
        print(
            f"dh = {dh}: 0 from {errors.count(0)} of {args.seeds} seeds, smallest {min(errors):.3f}"
            f", largest {max(errors):.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
