"""The laws that the gradient of every operation obeys, as functions that any test can call.

Each takes a `Program` (of one call, as `strategies.calls` draws it) and a seed, and raises an
AssertionError where the law does not hold.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minigraph.arrays import Array
from minigraph.graph import Graph
from minigraph.op import Kink
from minigraph.sweep import grad
from minigraph.tensor import Tensor
from minigraph.testing.checking import check_gradients
from minigraph.testing.comparing import away_from_zero
from minigraph.testing.programs import Program

__all__ = ["LAWS", "floats", "gradients", "leaves"]

Law = Callable[[Program, int], None]

NO_FLOAT16 = {"solve", "solve_system", "inv", "slogdet", "cholesky", "eigh", "svd", "qr", "pinv"}
SYMMETRIC = {"cholesky", "eigh"}  # they read one triangle


def leaves(arrays: Sequence[Array], **options: Any) -> list[Tensor]:
    """Make a Tensor that requires a gradient of each array."""
    return [Tensor(array, requires_grad=True, **options) for array in arrays]


def gradients(
    program: Program, inputs: Sequence[Tensor], seed: int, create_graph: bool = False
) -> list[Tensor]:
    """Give the gradients of a program's result, times a random cotangent, for its inputs."""
    y = program(*inputs)
    w = away_from_zero(np.random.default_rng(seed), y.shape).astype(y.dtype)
    return list(grad(y, inputs, w, create_graph=create_graph))


def floats(program: Program) -> list[type[np.floating[Any]]]:
    """List the floating types of a program; linear algebra has no float16 in NumPy."""
    nodes = Graph(program(*leaves(list(program.inputs.values())))).nodes
    refused = any(node.op and node.op.name in NO_FLOAT16 for node in nodes)
    return [np.float32, np.float64] if refused else [np.float16, np.float32, np.float64]


def gradient_is_the_slope(program: Program, seed: int) -> None:
    """Compare with differences; linear in the cotangent, 0 for 0, the same at every call."""
    check_gradients(program.function, *program.inputs.values(), seed=seed)


def gradient_of_the_gradient_is_its_slope(program: Program, seed: int) -> None:
    """Check the formulas' own gradients in the same way; on a kink they have none."""
    nodes = Graph(program(*leaves(list(program.inputs.values())))).nodes
    if any((_gap(kink, n) == 0).any() for n in nodes if n.op for kink in n.op.kinks):
        return
    check_gradients(program.function, *program.inputs.values(), order=2, budget=0, seed=seed)


def gradient_has_shape_and_dtype_of_its_input(program: Program, seed: int) -> None:
    """Try every floating type, with and without a graph; narrow ones are the wide one rounded."""
    wide = gradients(program, leaves(list(program.inputs.values())), seed)
    for dtype in floats(program):
        inputs = leaves([array.astype(dtype) for array in program.inputs.values()])
        for create_graph in (False, True):
            found = gradients(program, inputs, seed, create_graph)
            for input, g, exact in zip(inputs, found, wide):
                assert (g.shape, g.dtype) == (input.shape, input.dtype), (g, input)
                room = 64 * float(np.finfo(dtype).eps) * max(1.0, np.abs(exact.data).max(initial=0))
                assert (np.abs(g.data.astype(float) - exact.data) <= room).all(), dtype


def gradient_of_a_symmetric_matrix_is_symmetric(program: Program, seed: int) -> None:
    """See that what reads one triangle shares the gradient with the other: see `cholesky`."""
    for node in Graph(program(*leaves(list(program.inputs.values())))).nodes:
        if node.op is not None and node.op.name in SYMMETRIC:
            g = away_from_zero(np.random.default_rng(seed), node.shape)
            found = grad(node, node.inputs[0], g).data
            np.testing.assert_array_equal(found, found.mT)


def graph_changes_no_bit(program: Program, seed: int) -> None:
    """See that a gradient with a graph of its own has the same bits as one without."""
    arrays = list(program.inputs.values())
    for g, recorded in zip(
        gradients(program, leaves(arrays), seed), gradients(program, leaves(arrays), seed, True)
    ):
        assert g.data.tobytes() == recorded.data.tobytes()


def kinks_are_taken_as_declared(program: Program, seed: int) -> None:
    """See that exactly on a kink the gradient is the one that the declaration says."""
    inputs = leaves(list(program.inputs.values()))
    y = program(*inputs)
    for node in Graph(y).nodes:
        for kink in node.op.kinks if node.op else ():
            g = away_from_zero(np.random.default_rng(seed), node.shape)
            found = grad(node, [node.inputs[slot] for slot, _ in node.formulas], g)
            CHOICES[kink.gradient](kink, node, g, [part.data for part in found])


def ends_of_domains_are_as_promised(program: Program, seed: int) -> None:
    """See that slopes are what is promised where a domain ends and a formula takes care."""
    for node in Graph(program(*leaves(list(program.inputs.values())))).nodes:
        for arrays, attributes, slopes in ENDS.get(node.op.name, ()) if node.op else ():
            inputs = leaves([np.array(array) for array in arrays])
            with np.errstate(all="ignore"):
                found = grad(node.op(*inputs, **attributes).sum(), inputs)  # type: ignore[misc]
            for g, slope in zip(found, slopes):
                np.testing.assert_allclose(g.data, slope, rtol=1e-12)


INF = float("inf")
SLOPE_OF_SINC = -0.0026318928445090506  # at 0.0008

# (inputs, attributes, their slopes): 0 ** b, the logarithm of 0, an empty sum of exponentials
ENDS: dict[str, list[tuple[tuple[Any, ...], dict[str, Any], tuple[Any, ...]]]] = {
    "power": [
        (([0.0, 0.0, 0.0], [0.0, 1.0, 2.0]), {}, ([0.0, 1.0, 0.0], [0.0, 0.0, 0.0])),
    ],
    "scalar_power": [
        (([0.0, -2.0],), {"exponent": n}, ([float(n == 1), n * (-2.0) ** (n - 1)],))
        for n in (0, 1, 2, 3)
    ],
    "exponential": [(([1.0, 2.0],), {"base": 0}, ([0.0, 0.0],))],
    "sqrt": [(([0.0, 4.0],), {}, ([INF, 0.25],))],
    "log": [(([0.0, 4.0],), {}, ([INF, 0.25],))],
    "cbrt": [(([0.0, 8.0],), {}, ([INF, 1 / 12],))],
    "hypot": [(([0.0, 3.0], [0.0, 4.0]), {}, ([0.0, 0.6], [0.0, 0.8]))],
    "logaddexp": [(([-INF, -INF, 1.0], [-INF, 1.0, -INF]), {}, ([0.0, 0.0, 1.0], [0.0, 1.0, 0.0]))],
    "logaddexp2": [
        (([-INF, -INF, 1.0], [-INF, 1.0, -INF]), {}, ([0.0, 0.0, 1.0], [0.0, 1.0, 0.0]))
    ],
    "sinc": [
        (([0.0, 1.0, 1 / 1250],), {}, ([0.0, -1.0, SLOPE_OF_SINC],)),
    ],
    "xlogy": [
        (([0.0, 0.0, 6.0], [0.0, 1.0, 2.0]), {}, ([-INF, 0.0, np.log(2)], [0.0, 0.0, 3.0])),
    ],
    "xlog1py": [
        (([0.0, 0.0, 6.0], [-1.0, 0.0, 1.0]), {}, ([-INF, 0.0, np.log(2)], [0.0, 0.0, 3.0])),
    ],
    "log1p": [(([-1.0, 3.0],), {}, ([INF, 0.25],))],
    "logsumexp": [(([-INF, -INF],), {}, ([0.0, 0.0],)), (([-INF, 1.0],), {}, ([0.0, 1.0],))],
}


LAWS: tuple[Law, ...] = (
    gradient_is_the_slope,
    ends_of_domains_are_as_promised,
    kinks_are_taken_as_declared,
    gradient_has_shape_and_dtype_of_its_input,
    graph_changes_no_bit,
    gradient_of_a_symmetric_matrix_is_symmetric,
    gradient_of_the_gradient_is_its_slope,
)


# What is taken at a kink, by the words of its declaration


def _gap(kink: Kink, node: Tensor) -> Array:
    return np.asarray(kink.gap(*node.values, **node.attributes))


def _zero(kink: Kink, node: Tensor, g: Array, found: list[Array]) -> None:
    gap = _gap(kink, node)
    for part in found:
        if part.shape == gap.shape:
            assert (part[gap == 0] == 0).all()


def _half(kink: Kink, node: Tensor, g: Array, found: list[Array]) -> None:
    a, b = node.values
    for part, value, above in zip(found, (a, b), (a > b, b > a)):
        if node.op is not None and node.op.name == "minimum":
            above = ~above & (a != b)
        share = np.where(a == b, g / 2, np.where(above, g, 0))
        np.testing.assert_allclose(part, _summed(share, np.shape(value)), rtol=1e-14, atol=1e-14)


def _share(kink: Kink, node: Tensor, g: Array, found: list[Array]) -> None:
    (x,), axis = node.values, node.attributes["axis"]
    extremum = np.max if node.op is not None and node.op.name == "max" else np.min
    y = extremum(x, axis=axis, keepdims=True)
    reached = x == y
    share = g.reshape(y.shape) * reached / reached.sum(axis=axis, keepdims=True)
    np.testing.assert_allclose(found[0], share, rtol=1e-14)


def _beside(kink: Kink, node: Tensor, g: Array, found: list[Array]) -> None:
    """Check the slope of the piece between two jumps."""
    a, b = node.values
    slopes: dict[str, Callable[[], tuple[Array, Array]]] = {
        "remainder": lambda: (g, -g * np.floor_divide(a, b)),
        "fmod": lambda: (g, -g * np.sign(a) * np.sign(b) * np.floor_divide(np.abs(a), np.abs(b))),
        "arctan2": lambda: (g * np.cos(node.data) / np.hypot(a, b),
                            -g * np.sin(node.data) / np.hypot(a, b)),
    }  # fmt: skip
    assert node.op is not None
    for part, slope, value in zip(found, slopes[node.op.name](), (a, b)):
        np.testing.assert_allclose(part, _summed(slope, np.shape(value)), rtol=1e-14, atol=1e-14)


CHOICES: dict[str, Callable[[Kink, Tensor, Array, list[Array]], None]] = {
    "0": _zero,
    "half for each": _half,
    "an equal share for each": _share,
    "that within a period": _beside,
    "that on either side": _beside,
    "infinite": lambda kink, node, g, found: None,  # no call is drawn there: see ENDS
}


def _summed(g: Array, shape: tuple[int, ...]) -> Array:
    """Undo a broadcast, by NumPy alone."""
    g = g.sum(axis=tuple(range(g.ndim - len(shape))))
    ones = tuple(i for i, n in enumerate(shape) if n == 1)
    return np.asarray(g.sum(axis=ones, keepdims=True))
