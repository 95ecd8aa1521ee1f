"""Hypothesis strategies for gradients: shapes, arrays, calls of operations, programs, networks.

Needs Hypothesis: ``pip install 'minigraph[test]'``.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import minigraph as mg
from minigraph.arrays import Array
from minigraph.op import Op
from minigraph.ops import TABLE
from minigraph.testing.programs import Program, Statement, literal, own_name, spelling

try:
    from hypothesis import assume
    from hypothesis import strategies as st

    from minigraph.testing.arguments import (
        SELDOM_MET,
        arrays,
        broadcastable,
        entries,
        places,
        rest,
        shapes,
        sizes,
    )
except ImportError as error:
    raise ImportError(
        "minigraph.testing.strategies needs Hypothesis: pip install 'minigraph[test]'"
    ) from error

__all__ = [
    "LAYOUTS",
    "Network",
    "arrays",
    "arrays_for",
    "broadcastable",
    "calls",
    "dtypes",
    "graphs",
    "layouts",
    "networks",
    "shapes",
]

LARGEST = 6.0  # entries of results stay below: tanh and its like do not saturate
MARGIN = 0.02  # and values at least this far from kinks and the ends of a domain
ATTEMPTS = 3  # to find operands on which an operation is possible
NAMES = "abcdefghijklmnopqrstuvwxyz"
Shape = tuple[int, ...]
Draw = Callable[..., Any]


# Shapes and arrays


def dtypes() -> st.SearchStrategy[Any]:
    """Draw one of the floating-point types."""
    return st.sampled_from([np.float64, np.float32, np.float16])


def _strided(array: Array) -> Array:
    wide = np.full([2 * n for n in array.shape], np.nan, array.dtype)
    view: Array = wide[tuple([slice(None, None, 2)] * array.ndim)] if array.ndim else wide
    view[...] = array
    return view


def _read_only(array: Array) -> Array:
    array = array.copy()
    array.setflags(write=False)
    return array


# Ways in which equal arrays may lie in memory
LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "C order": lambda array: array.copy(),
    "Fortran order": lambda array: array.copy(order="F"),
    "with gaps": _strided,
    "backwards": lambda array: np.flip(np.flip(array).copy()),
    "read-only": _read_only,
    "a view of a larger array": lambda array: np.stack([array, array])[1],
}


def layouts() -> st.SearchStrategy[Callable[[Array], Array]]:
    """Draw a function that lays an array out anew: same entries, other memory."""
    return st.sampled_from(list(LAYOUTS)).map(LAYOUTS.__getitem__)


# Calls of one operation


def arrays_for(op: Op, at_kinks: bool = False, **attributes: Any) -> st.SearchStrategy[list[Array]]:
    """Draw inputs of an op: inside its domain, and away from its kinks or on them.

    Parameters
    ----------
    op : Op
    at_kinks : bool
        Draw whole and half numbers, so that many lie exactly on kinks.
    **attributes
        What the op is called with; what is not given is drawn.

    Returns
    -------
    SearchStrategy
        Of lists of float64 arrays, one per input that has a formula.
    """
    return calls(op, at_kinks, **attributes).map(lambda program: list(program.inputs.values()))


@st.composite
def calls(
    draw: Draw, /, op: Op, at_kinks: bool = False, min_side: int = 1, **attributes: Any
) -> Program:
    """Draw a call of an op, as a `Program` of one statement.

    Shapes follow from the declaration: ``op.shapes``, or that it broadcasts, or else one array.
    Attributes are drawn by their names; those with other names are given here.

    Parameters
    ----------
    op : Op
    at_kinks : bool
        Draw whole and half numbers, so that many inputs lie exactly on kinks.
    min_side : int
        With 0, sizes may be 0.
    **attributes
    """
    drawn, constants, given = draw(_arguments(op, at_kinks, min_side, attributes))
    named = dict(zip(NAMES, drawn))
    statement = _call(op, "result", named, list(named), constants, given)
    inputs = {name: named[name] for name in statement.used}
    program = Program(inputs, [statement], {} if op in TABLE else {own_name(op): op})
    y = _attempt(program.function, [mg.Tensor(a, requires_grad=True) for a in inputs.values()])
    assume(y is not None and all(_is_good_node(node, at_kinks) for node in mg.Graph(y).nodes))
    return program


def _call(
    op: Op,
    name: str,
    values: Mapping[str, Array],
    operands: Sequence[str],
    constants: Sequence[Any],
    attributes: dict[str, Any],
) -> Statement:
    """Write a call of an op on variables; inputs without a formula are written out as constants."""
    constant = [op not in TABLE and vjp is None for vjp in op.vjps] or [False] * len(operands)
    texts = [literal(values[o]) if c else o for o, c in zip(operands, constant)]
    used = [o for o, c in zip(operands, constant) if not c]
    return Statement(name, spelling(op, [*texts, *map(literal, constants)], attributes), used)


def _attempt(function: Callable[..., Any], inputs: Sequence[mg.Tensor]) -> mg.Tensor | None:
    """Run a program; None where plain arrays are refused, too."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of an empty mean
        try:
            return function(*inputs)  # type: ignore[no-any-return]
        except (ValueError, TypeError, IndexError):
            try:
                function(*(tensor.data for tensor in inputs))
            except (ValueError, TypeError, IndexError):
                return None
            raise


def _is_good_node(node: mg.Tensor, at_kinks: bool) -> bool:
    if node.op is None:
        return True
    if not (np.abs(node.data) <= LARGEST).all():
        return False
    for name, value in zip(node.op.input_names, node.values):
        low, high = node.op.domain.get(name, (-np.inf, np.inf))
        if not np.all((value > low + MARGIN) & (value < high - MARGIN)):
            return False
    for kink in node.op.kinks:
        gap = np.abs(kink.gap(*node.values, **node.attributes))
        on_it = (gap == 0) & (at_kinks and not kink.jump)
        if not ((gap > MARGIN) | on_it).all():
            return False
    return True


@st.composite
def _arguments(
    draw: Draw, op: Op, at_kinks: bool, min_side: int, given: dict[str, Any]
) -> tuple[list[Array], list[Any], dict[str, Any]]:
    """Draw the arrays that get a gradient, the constants after them, and the attributes."""
    drawn = draw(sizes(op, min_side))
    constants, attributes = draw(rest(op, drawn, given))
    inputs = []
    for place, size in enumerate(drawn):
        name = op.input_names[place] if place < len(op.input_names) else ""
        low, high = _interval(*op.domain.get(name, (-np.inf, np.inf)))
        inputs.append(draw(entries(op, name, size, low, high, at_kinks)))
    return inputs, constants, attributes


def _interval(low: float, high: float) -> tuple[float, float]:
    """Choose a part of a domain, a little inside its ends, to draw from."""
    edge = min(0.1, (high - low) / 4)
    if np.isfinite(low):
        return low + edge, min(low + 4, high - edge)
    return (high - 4, high - edge) if np.isfinite(high) else (-2.0, 2.0)


# Whole programs

# Adjoints: they stand in gradients, not in programs.
_ADJOINTS = {"spread", "scatter", "softmax_error"}
# How many variables they take, where that is not the number of their inputs
_OPERANDS = {
    "concatenate": 2,
    "einsum": 2,
    "getitem": 1,
    "l1_penalty": 1,
    "softmax_nll": 1,
    "stack": 2,
    "where": 2,
}
_SHAPES: tuple[Shape, ...] = ((), (3,), (2, 3), (3, 2), (3, 3), (2, 1))


def _has_formula(op: Op) -> bool:
    return op.each is not None or any(op.vjps)


@st.composite
def graphs(
    draw: Draw,
    ops: Sequence[Op] | None = None,
    max_statements: int = 8,
    at_kinks: bool = False,
) -> Program:
    """Draw a program: random operations on its inputs and on earlier results, reused ones included.

    It shrinks to the fewest and simplest statements that still fail, and prints as Python.

    Parameters
    ----------
    ops : sequence of Op, optional
        What to draw from; by default all operations of the table that have a gradient.
    max_statements : int
    at_kinks : bool
        Draw inputs among whole and half numbers, so that zeros and ties are common.

    Returns
    -------
    SearchStrategy
        Of `minigraph.testing.programs.Program`.
    """
    left_out = _ADJOINTS | SELDOM_MET
    pool = [op for op in ops or TABLE if _has_formula(op) and op.name not in left_out]
    inputs = {
        NAMES[i]: draw(arrays(draw(st.sampled_from(_SHAPES)), low, 2, at_kinks))
        for i, low in enumerate(
            draw(st.lists(st.sampled_from([-2.0, 0.5]), min_size=1, max_size=3))
        )
    }
    own = {own_name(op): op for op in pool if op not in TABLE}
    values = {name: mg.Tensor(array, requires_grad=True) for name, array in inputs.items()}
    statements: list[Statement] = []
    while len(statements) < max_statements and draw(st.integers(0, max_statements)):
        op = draw(st.sampled_from(pool))
        for _ in range(ATTEMPTS):
            statement = draw(_statement(op, NAMES[len(values)], values))
            result = _result(statement, values, own, at_kinks)
            if result is not None:
                values[statement.name] = result
                statements.append(statement)
                break
    assume(statements)
    return Program(inputs, statements, own)


@st.composite
def _statement(draw: Draw, op: Op, name: str, values: dict[str, mg.Tensor]) -> Statement:
    """Draw a call of `op` on variables; it need not be possible."""
    names = list(values)
    n = _OPERANDS.get(op.name) or len(op.input_names) or 2
    operands = [draw(st.sampled_from(names)) for _ in range(n)]
    if draw(st.booleans()):  # long chains, too
        operands[0] = names[-1]
    constants, attributes = draw(rest(op, [values[o].shape for o in operands], {}))
    arrays = {operand: values[operand].data for operand in operands}
    return _call(op, name, arrays, operands, constants, attributes)


def _result(
    statement: Statement, values: dict[str, mg.Tensor], ops: dict[str, Op], at_kinks: bool
) -> mg.Tensor | None:
    """Run a statement; None where it is impossible, or too near to the edge of a domain."""
    code = f"lambda {', '.join(values)}: {statement.expression}"
    result = _attempt(eval(code, {"np": np, "mg": mg, **ops}), list(values.values()))
    if result is None:
        return None
    newest = max(value.number for value in values.values())
    new = [node for node in mg.Graph(result).nodes if node.number > newest]
    return result if all(_is_good_node(node, at_kinks) for node in new) else None


# Networks


@dataclass
class Network:
    """A one-hidden-layer network with a batch, labels and penalties; its risk is a graph.

    Attributes
    ----------
    parameters : dict of str to ndarray
        W1 (d, dh), b1 (dh,), W2 (dh, m), b2 (m,).
    x : (K, d) ndarray
    labels : (K,) ndarray of int
    penalties : tuple of float
        λ11, λ12, λ21, λ22 of ‖W1‖₁, ‖W1‖², ‖W2‖₁, ‖W2‖².
    """

    parameters: dict[str, Array]
    x: Array
    labels: Array
    penalties: tuple[float, float, float, float]

    def risk(self, parameters: dict[str, Any], x: Any) -> Any:
        """Compute the penalised risk R̃ of these parameters on these examples."""
        W1, b1, W2, b2 = parameters.values()
        l11, l12, l21, l22 = self.penalties
        logits = mg.linear(mg.relu(mg.linear(x, W1, b1)), W2, b2)
        risk = mg.softmax_nll(logits, self.labels)
        return risk + mg.elastic_net(W1, l11, l12) + mg.elastic_net(W2, l21, l22)


@st.composite
def networks(draw: Draw, max_size: int = 5, max_batch: int = 9, at_kinks: bool = False) -> Network:
    """Draw networks with a hidden layer of relu units, a batch, labels, penalties on or off.

    Parameters
    ----------
    max_size, max_batch : int
        Of the layers, and of the batch.
    at_kinks : bool
        Draw whole and half numbers, so that exact zeros are common.
    """
    d, dh, m = (draw(st.integers(1, max_size)) for _ in range(3))
    K = draw(st.integers(1, max_batch))
    sizes = {"W1": (d, dh), "b1": (dh,), "W2": (dh, m), "b2": (m,)}
    parameters = {name: draw(arrays(size, -1, 1, at_kinks)) for name, size in sizes.items()}
    x = draw(arrays((K, d), -1, 1, at_kinks))
    penalties = draw(st.sampled_from([(0.0, 0.0, 0.0, 0.0), (0.011, 0.023, 0.037, 0.053)]))
    return Network(parameters, x, draw(places(m, K)), penalties)
