"""Train a small network on two circles, check its gradients, draw its graph and what it learned.

    python demos/quickstart.py

Everything that it writes goes into the folder out/ (or --out).
"""

import argparse
from pathlib import Path

import graphviz
import numpy as np
from homework import golden, table
from homework.by_hand import Lambdas, Parameters
from tqdm import tqdm

import minigraph as mg
from minigraph import data, nn, optim
from minigraph.plot import decision_regions

PENALTIES: Lambdas = (1e-5, 1e-4, 1e-5, 1e-4)  # of |W1|, W1², |W2|, W2²; the biases have none


def predict(model: nn.MLP, X: np.ndarray) -> np.ndarray:
    """Give each row the class of its largest logit."""
    with mg.no_grad():  # nothing is recorded, so nothing is kept for a backward pass
        return model(X).data.argmax(axis=1)


def error(model: nn.MLP, X: np.ndarray, y: np.ndarray) -> float:
    """Tell which part of the examples gets the wrong class."""
    return float(np.mean(predict(model, X) != y))


def check_gradients(model: nn.MLP, X: np.ndarray, y: np.ndarray) -> table.Gradients:
    """Let minigraph compute the gradient of the risk; put other ways of computing it beside."""
    parameters = model.parameters()
    for p in parameters.values():
        p.zero_grad()  # backward() adds to what is there
    nn.risk(model, X, y, PENALTIES).backward()

    # The homework's examples are columns, so its matrices are the transposes of the model's.
    def columns(arrays: list[np.ndarray]) -> Parameters:
        return Parameters(*(np.atleast_2d(a).T.copy() for a in arrays))

    values = columns([p.data for p in parameters.values()])
    graph = columns([p.grad for p in parameters.values()])
    return table.compute(values, X.T, y, graph, PENALTIES)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--out", type=Path, default=Path("out"), help="folder for the pictures")
    options.add_argument("--epochs", type=int, default=100)
    options.add_argument("--seed", type=int, default=0)
    args = options.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    # First the gradients: on the homework's own network and minibatch, P7 with K = 10.
    ten_examples = data.two_circles_first10()
    small = nn.MLP((2, 2, 2))
    for p, value in zip(small.parameters().values(), golden.P5_PARAMETERS.values()):
        p.data = value.T.reshape(p.shape)
    print("The gradient of a 2-2-2 network with penalties, five ways (the homework's P7, K = 10)")
    print(*table.lines(check_gradients(small, *ten_examples)), "", sep="\n")

    # The data: 1,100 points on two circles, one inside the other. The model, and its gradients.
    rng = np.random.default_rng(args.seed)
    train, valid, test = data.split(*data.two_circles(rng), (700, 200, 200), rng)
    model = nn.MLP((2, 8, 2), seed=rng)
    worst = table.largest_differences(check_gradients(model, *ten_examples))
    print(
        f"The same for {model!r}, all {model.n_parameters} entries: within "
        f"{max(worst['hand'], worst['loop'], worst['matrix']):.0e} of the formulas by hand, "
        f"{worst['central']:.0e} of central differences"
    )

    # Training by gradient descent with momentum, 20 examples a step.
    sgd = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    progress = tqdm(range(args.epochs), desc="training", unit="epoch")
    for _ in progress:
        losses = []
        for X, y in data.minibatches(*train, size=20, rng=rng):
            risk = nn.risk(model, X, y, PENALTIES)  # forward: records the graph
            sgd.zero_grad()
            risk.backward()  # backward: fills .grad of every parameter
            sgd.step()
            losses.append(risk.item())
        progress.set_postfix(
            loss=f"{np.mean(losses):.4f}", train=f"{error(model, *train):.3f}",
            valid=f"{error(model, *valid):.3f}", refresh=False,
        )  # fmt: skip

    for name, part in (("train", train), ("valid", valid), ("test", test)):
        print(f"{name} error {error(model, *part):.4f} ({len(part[1])} examples)")

    # What it learned, as a picture: the class of every point of the plane.
    figure = decision_regions(lambda rows: predict(model, rows), *test)
    figure.savefig(args.out / "regions.png", dpi=150)
    print(f"decision regions: {args.out / 'regions.png'}")

    # The graph of the risk of the ten examples; names given here appear in the drawing.
    x, y = (mg.Tensor(values, name=name) for values, name in zip(ten_examples, "xy"))
    risk = nn.risk(model, x, y, PENALTIES)
    risk.name = "risk"
    drawing = mg.draw(risk)
    print(f"graph as text:    {drawing.render(args.out / 'graph.gv')}")
    try:
        print(f"graph as picture: {drawing.render(args.out / 'graph.svg')}")
    except graphviz.ExecutableNotFound as missing:
        print(f"graph as picture: not made. {missing}")


if __name__ == "__main__":
    main()
