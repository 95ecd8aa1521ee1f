"""The homework's gradients, computed in six ways, and the shapes of all its expressions.

For P1, P2, P4 and P7: by hand (the formulas for single entries), by a loop over the examples, by
matrices, by minigraph, and by central differences. For P6: the expressions for one example and for
a minibatch with their shapes, read from minigraph's graph of the loss and of its gradient.

    python demos/homework_gradients.py
"""

import sys

import numpy as np
from homework import by_hand, golden, table
from homework.by_hand import Array, Lambdas, Parameters

import minigraph as mg
from minigraph.drawing.text import Term, expression, written

PENALTIES: Lambdas = (0.011, 0.023, 0.037, 0.053)  # all different, so that a mix-up would show


# The homework's network in minigraph: examples are columns, as in the homework


def network(parameters: Parameters, x: Array, y: Array) -> dict[str, mg.Tensor]:
    """Compute the loss, and keep every tensor by its name in the homework."""
    W1, b1, W2, b2 = (mg.Tensor(p, requires_grad=True) for p in parameters)
    x_ = mg.Tensor(x, requires_grad=True)  # for the gradient of the data (2.17)
    ha = W1 @ x_ + b1
    hs = mg.relu(ha)
    oa = W2 @ hs + b2
    y_ = mg.Tensor(y)
    L = mg.softmax_nll(oa.T, y_)  # minigraph's examples are rows
    names = ["x", "y", "W1", "b1", "W2", "b2", "ha", "hs", "oa", "L"]
    tensors = dict(zip(names, [x_, y_, W1, b1, W2, b2, ha, hs, oa, L]))
    for name, tensor in tensors.items():
        tensor.name = name  # names appear in error messages, in drawings, and in the table of P6
    return tensors


def by_graph(parameters: Parameters, x: Array, y: Array, lam: Lambdas) -> Parameters:
    """Let minigraph derive the gradient of the penalised risk."""
    t = network(parameters, x, y)
    l11, l12, l21, l22 = lam
    risk = t["L"] + mg.elastic_net(t["W1"], l11, l12) + mg.elastic_net(t["W2"], l21, l22)
    risk.backward()
    return Parameters(*(t[name].grad for name in Parameters._fields))


# P1, P2, P4, P7: the tables


def show(
    title: str, parameters: Parameters, K: int, lam: Lambdas = by_hand.NO_PENALTY
) -> table.Gradients:
    x, y = golden.X[:, :K], golden.Y[:K]  # the first K rows of the course's two circles
    gradients = table.compute(parameters, x, y, by_graph(parameters, x, y, lam), lam)
    print(f"\n{title}\n", *table.lines(gradients), sep="\n")
    return gradients


def compare_ratios(parameters: Parameters, K: int, printed: dict[str, Array]) -> None:
    """Repeat the homework's own check, by forward differences, and compare what it printed."""
    x, y = golden.X[:, :K], golden.Y[:K]
    slopes = by_hand.finite_differences(
        lambda moved: by_hand.fprop_matrix(moved, x, y)[0], parameters, golden.EPSILON, forward=True
    )
    gradient = by_graph(parameters, x, y, by_hand.NO_PENALTY)
    off = []
    for name, slope, g in zip(Parameters._fields, slopes, gradient):
        legible = ~np.isnan(printed[name])
        off.extend(np.abs(slope[legible] / g[legible] - printed[name][legible]))
    print(
        f"the homework's ratios, by forward differences of step {golden.EPSILON}: "
        f"{len(off)} legible ones, all met to {max(off):.0e}"
    )


def compare_printed(gradients: table.Gradients, printed: dict[str, Array]) -> None:
    off = max(np.abs(getattr(gradients.graph, n) - printed[n]).max() for n in Parameters._fields)
    print(f"the homework printed these with 8 digits: met to {off:.0e}")


# P6: the expressions and their shapes, one example and a minibatch


def graph_with_gradient(d: int, dh: int, m: int, K: int) -> dict[str, mg.Tensor]:
    """Record the loss and, by create_graph, its gradient too; give the tensors by name."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(d, K)), rng.integers(m, size=K)
    tensors = network(by_hand.init(d, dh, m, rng), x, y)
    wanted = ["oa", "W2", "b2", "hs", "ha", "W1", "b1", "x"]
    gradients = mg.grad(tensors["L"], [tensors[n] for n in wanted], create_graph=True)
    for name, gradient in zip(wanted, gradients):
        tensors[f"grad_{name}"] = gradient
        gradient.name = gradient.name or f"grad_{name}"  # of one example, b2's is oa's itself
    for node in mg.Graph(*gradients).nodes:
        if node.op and node.op.name == "logsumexp":
            tensors["lse"], node.name = node, "lse"
        if np.array_equal(node.data, tensors["ha"].data > 0):
            node.name = "1{ha>0}"
    return tensors


def text(x: mg.Tensor | float, letters: dict[int, str] | None = None, top: bool = True) -> str:
    """Write how `x` was made of named tensors; with letters, their shapes in place of names."""
    if np.ndim(x) == 0 and (not isinstance(x, mg.Tensor) or x.op is None):
        return written(x.data if isinstance(x, mg.Tensor) else x)
    transposed = x.op is not None and x.op.name in ("transpose", "swapaxes")
    if not top and (x.name or transposed) and letters:
        return shape(x, letters)
    if not top and x.name:
        return x.name
    operands = [text(operand, letters, top=False) for operand in x.inputs]
    if transposed:
        return f"{operands[0]}ᵀ"
    whole = expression(x, [Term(operand) for operand in operands]).text
    return f"({whole})" if " - " in whole and not top else whole


def shape(x: mg.Tensor, letters: dict[int, str]) -> str:
    return "×".join(letters.get(size, str(size)) for size in x.shape) or "scalar"


def show_shapes() -> None:
    sizes = {"d": 3, "dh": 5, "m": 4, "K": 10}  # all different: a size tells which letter it is
    letters = {size: letter for letter, size in sizes.items()}
    one = graph_with_gradient(**{**sizes, "K": 1})
    batch = graph_with_gradient(**sizes)
    print(
        "\nP6: every expression for one example (old) and for a minibatch (new), from the graph\n"
    )
    rows = ["ha", "hs", "oa", "lse", "L", "grad_oa", "grad_W2", "grad_b2", "grad_hs", "grad_ha"]
    for name in [*rows, "grad_W1", "grad_b1", "grad_x"]:
        for label, version, tensor in ((name, "old", one[name]), ("", "new", batch[name])):
            same = tensor.name != name  # the very tensor that has that name
            made = tensor.name if same else text(tensor)
            of = shape(tensor, letters) if same else text(tensor, letters)
            print(f"{label:8} {version}  {made:48} {of} -> {shape(tensor, letters)}")


def main() -> None:
    sys.stdout.reconfigure(encoding="utf-8")  # for the × and ᵀ of P6, wherever it goes
    p1 = by_hand.init(2, 2, 2, np.random.default_rng(0))
    show("P1: one example, weights drawn anew", p1, K=1)

    p4 = Parameters(**golden.P4_PARAMETERS)
    show("P2: one example, the homework's weights (hidden unit 0 is dead on it)", p4, K=1)
    compare_ratios(p4, 1, golden.P2_RATIOS)
    show("P4: a minibatch of K = 10, the same weights", p4, K=10)
    compare_ratios(p4, 10, golden.P4_RATIOS)
    show(f"P4 with the penalties {PENALTIES}", p4, K=10, lam=PENALTIES)

    show_shapes()

    p5 = Parameters(**golden.P5_PARAMETERS)
    compare_printed(show("P7: K = 1, the trained parameters", p5, K=1), golden.P7_ONE)
    gradients = show("P7: K = 10, the trained parameters", p5, K=10)
    compare_printed(gradients, golden.P7_LOOP)
    factors = {
        name: float((golden.P7_MATRIX[name] / getattr(gradients.graph, name)).mean())
        for name in Parameters._fields
    }
    print(
        "what the homework printed from matrices here: "
        + ", ".join(f"{name} {factor:.2f}" for name, factor in factors.items())
        + " times the above: W1 and W2 were summed over the minibatch, but not divided by K"
    )


if __name__ == "__main__":
    main()
