"""Train a 784-50-10 network on Fashion-MNIST for an epoch of 600 minibatches of 100.

apt install dataset-fashion-mnist    # or set MINIGRAPH_DATA, or give --folder
python demos/fashion_mnist.py
"""

import argparse
import sys
import time

import numpy as np
from tqdm import tqdm

import minigraph as mg
from minigraph import data, nn, optim


def error(model: nn.MLP, X: np.ndarray, y: np.ndarray) -> float:
    """Tell which part of the examples gets the wrong class."""
    with mg.no_grad():  # nothing is recorded, so nothing is kept for a backward pass
        return float(np.mean(model(X).data.argmax(axis=1) != y))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--epochs", type=int, default=1)
    options.add_argument("--hidden", type=int, default=50, help="number of hidden units")
    options.add_argument("--batch-size", type=int, default=100)
    options.add_argument("--lr", type=float, default=0.1, help="learning rate at the start")
    options.add_argument("--folder", help="where the four files of the data set are")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--limit", type=int, help="use only so many examples of each part")
    args = options.parse_args()

    try:
        train, test = data.fashion_mnist(args.folder)
    except (FileNotFoundError, data.DataError) as problem:
        sys.exit(str(problem))  # says where it looked and how to get the data; exit status 1
    train, test = ([array[: args.limit] for array in part] for part in (train, test))

    # float32 throughout: half the memory traffic, and far finer than the noise of minibatches.
    rng = np.random.default_rng(args.seed)
    model = nn.MLP((784, args.hidden, 10), seed=rng, dtype=np.float32)
    sgd = optim.SGD(model.parameters(), lr=args.lr, momentum=0.9)
    n_batches = -(-len(train[1]) // args.batch_size)
    steps_left = n_steps = args.epochs * n_batches
    start = time.perf_counter()
    for epoch in range(1, args.epochs + 1):
        batches = data.minibatches(*train, size=args.batch_size, rng=rng)
        progress = tqdm(batches, total=n_batches, desc=f"epoch {epoch}", unit="batch")
        average = None
        for X, y in progress:
            # Steps that shrink to 0 let the noise of the minibatches average out: test error
            # 0.15 after one epoch, where steps of one size end anywhere from 0.17 to 0.20.
            sgd.lr = args.lr * steps_left / n_steps
            steps_left -= 1
            risk = nn.risk(model, X, y)
            sgd.zero_grad()
            risk.backward()
            sgd.step()
            loss = risk.item()
            average = loss if average is None else 0.98 * average + 0.02 * loss
            progress.set_postfix(loss=f"{average:.3f}", refresh=False)
    seconds = time.perf_counter() - start
    print(
        f"trained {model!r} for {args.epochs} epochs of {n_batches} minibatches in {seconds:.1f} s"
    )
    for name, part in (("train", train), ("test", test)):
        print(f"{name} error {error(model, *part):.4f} ({len(part[1])} examples)")


if __name__ == "__main__":
    main()
