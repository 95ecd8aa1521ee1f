"""The homework's table of gradients: what each way of computing them gives, side by side."""

from typing import NamedTuple

import numpy as np

from . import by_hand
from .by_hand import Array, Lambdas, Parameters

EPSILON = 1e-5  # the step of the central differences: their error is about 1e-10


class Gradients(NamedTuple):
    """The same gradient, computed in five ways."""

    hand: Parameters  # the formulas for one example, entry by entry, then averaged
    loop: Parameters  # P3
    matrix: Parameters  # P6
    graph: Parameters  # minigraph
    central: Parameters  # (R(p + ε) - R(p - ε)) / 2ε


def compute(
    parameters: Parameters,
    x: Array,
    y: Array,
    graph: Parameters,
    lam: Lambdas = by_hand.NO_PENALTY,
) -> Gradients:
    """Put the gradient that the graph gave, in column form, beside the four other ways."""
    _, forwards = by_hand.fprop_loop(parameters, x, y, lam)
    loop, _ = by_hand.bprop_loop(parameters, x, y, forwards, lam)
    _, forward = by_hand.fprop_matrix(parameters, x, y, lam)
    matrix, _ = by_hand.bprop_matrix(parameters, x, y, forward, lam)
    central = by_hand.finite_differences(
        lambda moved: by_hand.fprop_matrix(moved, x, y, lam)[0], parameters, EPSILON
    )
    return Gradients(element_by_element(parameters, x, y, lam), loop, matrix, graph, central)


def element_by_element(parameters: Parameters, x: Array, y: Array, lam: Lambdas) -> Parameters:
    """Compute the gradient by the formulas for single entries: 2.9, 2.11, 2.13, 2.15, 2.18."""
    W1, _, W2, _ = parameters
    (dh, d), m, K = W1.shape, len(W2), len(y)
    _, (ha, hs, _, os, _) = by_hand.fprop_matrix(parameters, x, y)
    W1_, b1_, W2_, b2_ = gradient = by_hand.penalty_gradient(parameters, lam)
    for i in range(K):
        grad_oa = [os[k, i] - (k == y[i]) for k in range(m)]
        grad_hs = [sum(grad_oa[k] * W2[k, j] for k in range(m)) for j in range(dh)]
        grad_ha = [grad_hs[j] if ha[j, i] > 0 else 0.0 for j in range(dh)]
        for k in range(m):
            b2_[k, 0] += grad_oa[k] / K
            for j in range(dh):
                W2_[k, j] += grad_oa[k] * hs[j, i] / K
        for j in range(dh):
            b1_[j, 0] += grad_ha[j] / K
            for c in range(d):
                W1_[j, c] += grad_ha[j] * x[c, i] / K
    return gradient


def largest_differences(gradients: Gradients) -> dict[str, float]:
    """Tell how far each way is from the graph's gradient, at its worst entry."""
    graph = gradients.graph
    return {
        way: max(float(np.abs(a - b).max()) for a, b in zip(gradient, graph))
        for way, gradient in gradients._asdict().items()
        if way != "graph"
    }


def lines(gradients: Gradients) -> list[str]:
    """Write the table, a row for each entry of each parameter, and how well the ways agree."""
    head = ["by hand", "loop", "matrix", "graph", "central difference", "ratio"]
    width = [13, 13, 13, 13, 20, 13]
    rows = ["parameter" + "".join(f"{title:>{w}}" for title, w in zip(head, width))]
    rows.append("-" * len(rows[0]))
    for name in Parameters._fields:
        of_name = [getattr(gradient, name) for gradient in gradients]
        for entry in np.ndindex(of_name[0].shape):
            values = [float(gradient[entry]) for gradient in of_name]
            cells = "".join(f"{round(value, 8) + 0.0:{w}.8f}" for value, w in zip(values, width))
            rows.append(f"{name}[{entry[0]},{entry[1]}] ".ljust(9) + cells + ratio(*values[-2:]))
    worst = largest_differences(gradients)
    rows.append(
        "largest difference to the graph: "
        + ", ".join(f"{way} {value:.1e}" for way, value in worst.items())
    )
    return rows


def ratio(graph: float, central: float) -> str:
    """Write central difference / graph; a gradient of 0 has none, and proves little."""
    if graph == 0:
        return f"{'0 = 0' if abs(central) < 1e-9 else 'inf':>13}"
    return f"{central / graph:13.8f}"
