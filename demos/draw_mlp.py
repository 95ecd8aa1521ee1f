"""Draw the homework's network: forward, backward, as on the blackboard; and a deep one, folded.

    python demos/draw_mlp.py [--out out] [--suffix .svg]

The network is 2-4-2 on ten points of the two circles, with penalties on its weights; a page steps
through it. Without graphviz's `dot` all is written as text, and a message says how to get it.
"""

import argparse
from pathlib import Path

import graphviz
import numpy as np

import minigraph as mg
from minigraph import data

L1, L2 = 1e-3, 5e-3


def penalised_risk() -> mg.Tensor:
    """Compute the risk of a network on the two circles; what has a name is shown by it."""
    rng = np.random.default_rng(0)
    points, labels = data.two_circles_first10()
    x, t = mg.Tensor(points, name="x"), mg.Tensor(labels, name="t")

    def parameter(name: str, *shape: int) -> mg.Tensor:
        values = rng.normal(size=shape) if len(shape) > 1 else np.zeros(shape)
        return mg.Tensor(values, requires_grad=True, name=name)

    with mg.scope("layer 1"):
        W1, b1 = parameter("W1", 2, 4), parameter("b1", 4)
        z1 = mg.linear(x, W1, b1)
        h1 = mg.relu(z1)
    with mg.scope("layer 2"):
        W2, b2 = parameter("W2", 4, 2), parameter("b2", 2)
        z2 = mg.linear(h1, W2, b2)
    with mg.scope("loss"):
        nll = mg.softmax_nll(z2, t)
    with mg.scope("penalty"):
        penalty = mg.elastic_net(W1, L1, L2) + mg.elastic_net(W2, L1, L2)
    risk = nll + penalty
    names = ("z1", "h1", "z2", "nll", "penalty", "risk")
    for tensor, name in zip((z1, h1, z2, nll, penalty, risk), names):
        tensor.name = name
    return risk


def residual_risk(blocks: int = 24, width: int = 16) -> mg.Tensor:
    """Compute the risk of a deep network: blocks h + tanh(h W + b), each in a scope of its own."""
    rng = np.random.default_rng(0)
    points, labels = data.two_circles_first10()
    h: mg.Tensor = mg.Tensor(points, name="x")
    with mg.scope("entry"):
        h = h @ mg.Tensor(rng.normal(size=(2, width)), requires_grad=True, name="W")
    for i in range(1, blocks + 1):
        with mg.scope(f"block {i}"):
            W = mg.Tensor(rng.normal(size=(width, width)) / width, requires_grad=True, name="W")
            b = mg.Tensor(np.zeros(width), requires_grad=True, name="b")
            h = h + np.tanh(h @ W + b)
    with mg.scope("exit"):
        logits = h @ mg.Tensor(rng.normal(size=(width, 2)), requires_grad=True, name="W")
    risk = mg.softmax_nll(logits, mg.Tensor(labels, name="t"))
    risk.name = "risk"
    return risk


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--out", type=Path, default=Path("out"), help="folder for the pictures")
    options.add_argument("--suffix", default=".svg", help=".svg, .png, .pdf, .html, ...")
    args = options.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    risk, deep = penalised_risk(), residual_risk()
    block = next(node for node in mg.Graph(deep).nodes if node.scope == ("block 12",))
    drawings = {
        "mlp_forward": mg.draw(risk, grads=True, title="Forward, with gradients"),
        "mlp_backward": mg.draw(risk, backward=True, title="Backward"),
        "mlp_blackboard": mg.draw(risk, grads=True, fold=True, title="As on the blackboard"),
        "residual": mg.draw(deep, depth=0, title="24 blocks"),
        "residual_block": mg.draw(deep, depth=0, focus=block, grads=True, title="Block 12 of 24"),
    }
    print(drawings["mlp_forward"], end="\n\n")
    steps = mg.steps(risk, title="Step by step")
    for name, drawing in drawings.items():
        print(drawing.render(args.out / f"{name}.gv"))
    print(steps.render(args.out / "mlp_steps.txt"))
    try:
        for name, drawing in drawings.items():
            print(drawing.render(args.out / f"{name}{args.suffix}"))
        print(steps.render(args.out / "mlp_steps.html"))
    except graphviz.ExecutableNotFound as missing:
        print(f"no picture: {missing}")


if __name__ == "__main__":
    main()
