"""Train a network on Fashion-MNIST; choose its settings by validation, and test it once (P9, P10).

    apt install dataset-fashion-mnist    # or set MINIGRAPH_DATA, or give --folder
    python demos/fashion_mnist.py                 # a minute or two
    python demos/fashion_mnist.py --hidden 500    # some ten minutes; more is learned

Of the 60,000 training images 10,000 are for validation. A network is trained for each setting, and
the one with the smallest validation error is chosen; up to there no test image has been looked at.
The chosen one is trained once more, from the same seed and so to the same parameters, now with the
test images measured after each epoch, for the curves. Log, figures and the logs of the search go
into the folder out/ (or --out).
"""

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

# BLAS reads these when NumPy is imported. On two cores where something else ran too, two threads
# that wait for each other took three to ten times as long as one.
os.environ.update(
    OPENBLAS_NUM_THREADS="1",
    OMP_NUM_THREADS="1",
    MKL_NUM_THREADS="1",
    VECLIB_MAXIMUM_THREADS="1",
)

import numpy as np
from matplotlib.figure import Figure

import minigraph as mg
from minigraph import data, nn, optim
from minigraph.plot import confusion_matrix, curves, filters
from minigraph.train import History, fit, read_log

CLASSES = (
    "T-shirt", "trouser", "pullover", "dress", "coat",
    "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip
BATCH_SIZE, MOMENTUM = 100, 0.9

# The settings to choose from are few, and a factor of two or three apart: the error on 10,000
# images has a standard deviation of 0.003. Steps of 0.03 learn less in 20 epochs, and a λ of 1e-3
# holds back even 50 hidden units.
LEARNING_RATES = (0.05, 0.1, 0.2)
PENALTIES = (0.0, 1e-4, 3e-4)  # λ of λ (‖W1‖² + ‖W2‖²)


class Setting(NamedTuple):
    hidden: int
    lr: float
    lam: float

    def __str__(self) -> str:
        return f"784-{self.hidden}-10, learning rate {self.lr:g}, λ = {self.lam:g}"


def load(folder: str | None, limit: int | None, seed: int) -> dict[str, Any]:
    """Load the images, split those for training 5 : 1, and centre all."""
    try:
        labelled, test = data.fashion_mnist(folder)
    except (FileNotFoundError, data.DataError) as problem:
        sys.exit(str(problem))  # says where it looked and how to get the data; exit status 1
    labelled, test = ([array[:limit] for array in part] for part in (labelled, test))
    n = len(labelled[1])
    train, valid = data.split(*labelled, (n - n // 6, n // 6), seed)
    # float32 throughout: half the memory traffic, and far finer than the noise of minibatches.
    # From 0 ... 1, minus each pixel's mean over the training images, those of the other parts being
    # unknown: with inputs around 0 a step of one weight disturbs the others less. With 50 hidden
    # units this takes 0.8 points off the validation error.
    mean = train[0].mean(axis=0)
    return {name: (X - mean, y) for name, (X, y) in
            {"train": train, "valid": valid, "test": test}.items()}  # fmt: skip


def learn(
    setting: Setting, parts: dict[str, Any], epochs: int, seed: int, log: Path
) -> tuple[nn.MLP, History]:
    """Train with one setting; give the network, and what the log says about it."""
    model = nn.MLP((784, setting.hidden, 10), seed=seed, dtype=np.float32)
    # Steps that shrink to 0 let the noise of the minibatches average out, so that the parameters
    # after the last step are good ones, and none have to be picked among epochs.
    steps = epochs * -(-len(parts["train"][1]) // BATCH_SIZE)
    rate = optim.cosine(setting.lr, steps)
    sgd = optim.SGD(model.parameters(), lr=rate, momentum=MOMENTUM)
    log.parent.mkdir(parents=True, exist_ok=True)
    log.unlink(missing_ok=True)  # of a run before: fit() never writes over a log
    fit(
        model, **parts, optimizer=sgd, epochs=epochs, batch_size=BATCH_SIZE,
        penalty=(0, setting.lam, 0, setting.lam), seed=seed, log=log,
    )  # fmt: skip
    return model, read_log(log)


def positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"at least 1, not {text}")
    return number


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--out", type=Path, default=Path("out"), help="folder for log and figures")
    options.add_argument("--epochs", type=positive, default=20)
    options.add_argument(
        "--hidden", type=positive, nargs="+", default=[50], help="hidden units, to choose from"
    )
    options.add_argument("--folder", help="where the four files of the data set are")
    options.add_argument("--seed", type=int, default=0, help="of split, parameters and order")
    options.add_argument("--limit", type=positive, help="use only so many images of each file")
    args = options.parse_args()
    if args.limit is not None and args.limit < 6:
        options.error("--limit is at least 6: every sixth image is for validation")
    parts = load(args.folder, args.limit, args.seed)
    print(", ".join(f"{name}: {len(y)} images" for name, (_, y) in parts.items()))

    # The search. What fit() is not given, it cannot measure: the logs have no test columns.
    known = {name: parts[name] for name in ("train", "valid")}
    found = {}
    for hidden in args.hidden:
        for lr in LEARNING_RATES:
            for lam in PENALTIES:
                setting = Setting(hidden, lr, lam)
                path = args.out / "fashion_mnist_search" / f"{hidden}_{lr:g}_{lam:g}.jsonl"
                _, log = learn(setting, known, args.epochs, args.seed, path)
                found[setting] = error, loss = log["valid_error"][-1], log["valid_loss"][-1]
                seconds = sum(log["seconds"])
                print(
                    f"{setting}: valid error {error:.4f}, loss {loss:.4f}, {seconds:.1f} s",
                    flush=True,
                )
    chosen = min(found, key=lambda setting: found[setting])  # by the loss if errors are equal
    print(f"chosen by validation: {chosen}")

    # The chosen one again, with the test.
    start = time.perf_counter()
    path = args.out / "fashion_mnist.jsonl"
    model, log = learn(chosen, parts, args.epochs, args.seed, path)
    if (log["valid_error"][-1], log["valid_loss"][-1]) != found[chosen]:
        sys.exit("the second run differs from the first: measuring the test has changed it")
    n_batches = -(-len(parts["train"][1]) // BATCH_SIZE)
    print(
        f"trained {model!r} for {args.epochs} epochs of {n_batches} minibatches in "
        f"{time.perf_counter() - start:.1f} s"
    )
    print("epoch  train loss  error  valid loss  error")
    for row in log.rows:
        print("{epoch:5}  {train_loss:10.4f} {train_error:.4f}  {valid_loss:10.4f} "
              "{valid_error:.4f}".format(**row))  # fmt: skip
    print(f"log: {path}")

    def save(figure: Figure, name: str) -> None:
        to = args.out / f"fashion_mnist_{name}.png"
        figure.savefig(to, dpi=100)
        print(f"figure: {to}")

    # All six curves are drawn from the log. Training's are means over the steps of the epoch.
    save(curves(log, "loss"), "loss")
    save(curves(log, "error"), "error")
    X, y = parts["test"]
    with mg.no_grad():  # nothing is recorded, so nothing is kept for a backward pass
        predicted = model(X).data.argmax(axis=1)
    save(confusion_matrix(y, predicted, CLASSES), "confusion")
    save(filters(model.layers[0].W.data), "filters")
    print(f"test error {log['test_error'][-1]:.4f} ({len(y)} images)")


if __name__ == "__main__":
    main()
