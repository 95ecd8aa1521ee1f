"""Measure how long large graphs take to draw (issue 5's bars in brackets), and to lay out.

    python benchmarks/drawing.py

Times are the best of five on one core, in milliseconds, of `mg.draw` alone; `dot` is the time that
graphviz then takes for the SVG, where it is installed.
"""

import gc
import shutil
import time

import numpy as np

import minigraph as mg


def doubled():
    y = mg.Tensor(1.0, requires_grad=True, name="x")
    for _ in range(60):
        y = y + y
    return y


def chain(n=100_000):
    y = mg.Tensor(1.0, requires_grad=True, name="x")
    for _ in range(n):
        y = y + 1.0
    return y


def scopes(n=10_000):
    h = mg.Tensor(np.ones((3, 2)), name="x")
    for i in range(n):
        with mg.scope(f"block{i}"):
            W = mg.Tensor(-np.eye(2), requires_grad=True, name="W")
            h = h + mg.relu(h @ W)
    return h.sum()


def perceptron():
    model = mg.nn.MLP((784, 50, 10), seed=0)
    rng = np.random.default_rng(0)
    X, t = mg.Tensor(rng.normal(size=(100, 784)), name="x"), rng.integers(10, size=100)
    return mg.nn.risk(model, X, t, (1e-4, 5e-4, 1e-4, 5e-4))


CASES = (
    ("y = y + y, 60 times [5]", doubled, {}),
    ("the same, with gradients", doubled, {"grads": True}),
    ("chain of 100,000 [2000]", chain, {}),
    ("the same, with gradients", chain, {"grads": True}),
    ("10,000 scopes of 4 nodes [2000]", scopes, {}),
    ("10,000 nodes, all drawn", lambda: chain(10_000), {"max_nodes": None, "grads": True}),
    ("784-50-10 network, 100 rows", perceptron, {}),
    ("the same, with gradients", perceptron, {"grads": True}),
    ("the same, backward", perceptron, {"backward": True}),
)


def best(run, times=5):
    found = []
    for _ in range(times):
        start = time.perf_counter()
        result = run()
        found.append(time.perf_counter() - start)
        if found[-1] > 3:
            break
    return 1e3 * min(found), result


def main():
    print(f"{'graph':<34}{'draw':>9}{'boxes':>8}{'dot':>9}")
    for name, make, options in CASES:
        output = make()
        gc.collect()
        milliseconds, drawing = best(
            lambda output=output, options=options: mg.draw(output, **options)
        )
        boxes = str(drawing).count("\n") + 1
        layout = "-"
        if shutil.which("dot") and boxes <= 1000:
            layout = f"{best(drawing.svg, times=1)[0]:.0f}"
        print(f"{name:<34}{milliseconds:>9.1f}{boxes:>8}{layout:>9}")


if __name__ == "__main__":
    main()
