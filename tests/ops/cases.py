"""For every op of the table: how it is called, NumPy's own answer, and shapes to try it on.

An op without an entry here fails the suite.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import minigraph as mg
from minigraph.ops import TABLE


class Case(NamedTuple):
    """A call of an op, as a function of the inputs that get a gradient."""

    function: Callable[..., Any]
    reference: Callable[..., Any]
    shapes: tuple[tuple[int, ...], ...]


def each(function, reference, *shape_lists):
    return [Case(function, reference, shapes) for shapes in shape_lists]


def unary(function, reference, *shapes):
    return each(function, reference, *[(shape,) for shape in shapes or ((), (3,), (2, 3))])


def binary(function, reference):
    return each(
        function,
        reference,
        ((2, 3), (2, 3)),
        ((3,), (2, 3)),
        ((2, 1), (1, 3)),
        ((), (2, 2)),
        ((1, 3), ()),
        ((), ()),
    )


def softmax(x, axis=-1):
    return np.exp(x) / np.exp(x).sum(axis=axis, keepdims=True)


def mean_nll(z, t):
    return -np.log(softmax(z)[np.arange(len(t)), t]).mean()


def logsumexp(x, **options):
    return np.log(np.sum(np.exp(x), **options))


def reduction(function, reference):
    """Make cases for the ways to name axes."""
    found = []
    for shape, options in [
        ((), {}),
        ((4,), {}),
        ((2, 3), {}),
        ((2, 3), {"axis": 0}),
        ((2, 3), {"axis": -1, "keepdims": True}),
        ((2, 3), {"keepdims": True}),
        ((2, 3, 2), {"axis": (0, -1)}),
        ((2, 1, 3), {"axis": (2,), "keepdims": True}),
    ]:
        found.append(
            Case(
                lambda x, options=options: function(x, **options),
                lambda x, options=options: reference(x, **options),
                (shape,),
            )
        )
    return found


def shaping(function, *calls):
    """Make cases of a function that NumPy has by the same name: (shape, arguments) each."""
    reference = getattr(np, function.__name__)
    return [
        Case(
            lambda x, arguments=arguments: function(x, *arguments),
            lambda x, arguments=arguments: reference(x, *arguments),
            (shape,),
        )
        for shape, *arguments in calls
    ]


def joining(function):
    reference = getattr(np, function.__name__)
    return [
        Case(
            lambda *x, axis=axis: function(x, axis),
            lambda *x, axis=axis: reference(x, axis),
            shapes,
        )
        for axis, *shapes in [
            (0, (3,), (3,)),
            (0, (2, 3), (2, 3), (2, 3)),
            (1, (2, 3), (2, 3)),
            (-1, (2, 1, 2), (2, 1, 2)),
        ]
    ]


def taking(*index_and_shapes):
    return [
        Case(lambda x, i=index: mg.Tensor.__getitem__(x, i), lambda x, i=index: x[i], (shape,))
        for index, shape in index_and_shapes
    ]


LABELS = np.array([2, 0, 2])
ROWS = np.array([1, 0, 1])
MASK = np.array([[True, False, True], [False, False, True]])
scatter, softmax_error, spread = (
    next(op for op in TABLE if op.name == name) for name in ("scatter", "softmax_error", "spread")
)


def put(g):
    """Scatter by hand: rows 1, 0 and 1 of g added into a 2 x 3 array of zeros."""
    out = np.zeros((2, 3), g.dtype)
    for row, values in zip(ROWS, g):
        out[row] += values
    return out


CASES = {
    # elementwise
    "add": binary(mg.add, np.add),
    "subtract": binary(mg.subtract, np.subtract),
    "multiply": binary(mg.multiply, np.multiply),
    "divide": binary(mg.divide, np.divide),
    "negative": unary(mg.negative, np.negative),
    "positive": unary(lambda x: +x, np.positive),
    "power": binary(mg.power, np.power),
    "scalar_power": [
        case
        for n in (-2, -0.5, 0, 0.5, 1, 2, 3)
        for case in unary(lambda x, n=n: x**n, lambda x, n=n: x**n, (2, 3))
    ],
    "remainder": binary(lambda a, b: a % b, np.remainder),
    "exponential": [
        case
        for base in (2, 0.5, 1)
        for case in unary(lambda x, b=base: b**x, lambda x, b=base: b**x, (2, 3))
    ],
    "square": unary(mg.square, np.square),
    "sqrt": unary(mg.sqrt, np.sqrt),
    "exp": unary(mg.exp, np.exp),
    "expm1": unary(mg.expm1, np.expm1),
    "log": unary(mg.log, np.log),
    "log1p": unary(mg.log1p, np.log1p),
    "sin": unary(mg.sin, np.sin),
    "cos": unary(mg.cos, np.cos),
    "tanh": unary(mg.tanh, np.tanh),
    "sigmoid": unary(mg.sigmoid, lambda x: 1 / (1 + np.exp(-x))),
    "softplus": unary(mg.softplus, lambda x: np.log(1 + np.exp(x))),
    "relu": unary(mg.relu, lambda x: np.where(x > 0, x, 0 * x)),
    "abs": unary(mg.abs, np.abs),
    "maximum": binary(mg.maximum, np.maximum),
    "minimum": binary(mg.minimum, np.minimum),
    "where": binary(
        lambda a, b: mg.where(MASK[:, :1], a, b), lambda a, b: np.where(MASK[:, :1], a, b)
    ),
    # linear algebra
    "matmul": each(
        mg.matmul,
        np.matmul,
        ((2, 3), (3, 4)),
        ((3,), (3,)),
        ((3,), (3, 2)),
        ((2, 3), (3,)),
        ((2, 2, 3), (3, 2)),
        ((2, 3), (2, 3, 1)),
        ((2, 1, 2, 3), (3, 3, 2)),
        ((3,), (2, 3, 2)),
        ((2, 2, 3), (3,)),
    ),
    # reductions
    "sum": reduction(mg.sum, np.sum),
    "mean": reduction(mg.mean, np.mean),
    "max": reduction(mg.max, np.max),
    "min": reduction(mg.min, np.min),
    "logsumexp": reduction(mg.logsumexp, logsumexp),
    "spread": each(
        lambda g: spread(g, np.ones((2, 3)), axis=0, keepdims=False),
        lambda g: np.broadcast_to(g, (2, 3)),
        ((3,),),
    ),
    # shaping
    "reshape": shaping(mg.reshape, ((2, 3), (3, 2)), ((2, 3), (-1,)), ((1,), ()), ((), (1, 1))),
    "transpose": shaping(mg.transpose, ((2, 3),), ((2, 3, 4), (1, 2, 0)), ((2, 3, 1), (-1, 0, 1))),
    "swapaxes": shaping(mg.swapaxes, ((2, 3, 1), 0, -1), ((2, 3), 0, 1)),
    "squeeze": shaping(mg.squeeze, ((1, 2, 1),), ((1, 2, 1), 0), ((1, 2, 1), (0, -1))),
    "expand_dims": shaping(mg.expand_dims, ((2, 3), 1), ((2,), (0, -1))),
    "broadcast_to": shaping(mg.broadcast_to, ((3,), (2, 3)), ((2, 1), (4, 2, 3)), ((), (2, 2))),
    "copy": shaping(mg.copy, ((2, 3),)),
    "astype": unary(lambda x: mg.astype(x, np.float64), lambda x: x.astype(np.float64)),
    "concatenate": joining(mg.concatenate)
    + each(
        lambda a, b: mg.concatenate([a, b], axis=None),
        lambda a, b: np.concatenate([a, b], axis=None),
        ((2, 3), (2,)),
    )
    + each(
        lambda a, b: mg.concatenate([a, b], -1),
        lambda a, b: np.concatenate([a, b], -1),
        ((2, 3), (2, 1)),
    ),
    "stack": joining(mg.stack),
    "getitem": taking(
        (1, (3,)),
        (-1, (2, 3)),
        (slice(1, None), (3, 2)),
        ((slice(None, None, -2), 0), (4, 2)),
        ((..., None, 0), (2, 3)),
        (ROWS, (2, 3)),
        ([1, 1, 0], (2, 2)),
        ((ROWS, slice(None), LABELS), (2, 2, 3)),
        (MASK, (2, 3)),
        ((slice(None), MASK[0]), (2, 3)),
        ([], (2, 3)),
    ),
    "scatter": each(
        lambda g: scatter(g, np.zeros((2, 3), g.dtype), ROWS, index=("array",)), put, ((3, 3),)
    ),
    # networks
    "softmax": unary(mg.softmax, softmax, (3,), (2, 3))
    + unary(lambda x: mg.softmax(x, axis=0), lambda x: softmax(x, 0), (2, 3)),
    "log_softmax": unary(mg.log_softmax, lambda x: np.log(softmax(x)), (3,), (2, 3))
    + unary(lambda x: mg.log_softmax(x, axis=0), lambda x: np.log(softmax(x, 0)), (2, 3)),
    "softmax_nll": unary(
        lambda z: mg.softmax_nll(z, LABELS), lambda z: mean_nll(z, LABELS), (3, 3), (3, 4)
    ),
    "softmax_error": each(
        lambda z, lse: softmax_error(z, lse, LABELS),
        lambda z, lse: np.exp(z - lse) - np.eye(3, dtype=z.dtype)[LABELS],
        ((3, 3), (3, 1)),
    ),
    "l1_penalty": unary(mg.l1_penalty, lambda w: np.sum(abs(w))),
    "l2_penalty": unary(mg.l2_penalty, lambda w: np.sum(w * w)),
    "elastic_net": each(
        mg.elastic_net,
        lambda w, l1, l2: l1 * np.sum(abs(w)) + l2 * np.sum(w * w),
        ((2, 3), (), ()),
        ((), (), ()),
    ),
    "linear": each(
        mg.linear,
        lambda x, W, b: x @ W + b,
        ((2, 3), (3, 4), (4,)),
        ((2, 3), (3, 4), (1,)),
    ),
}

FLAT = [(name, place, case) for name, cases in CASES.items() for place, case in enumerate(cases)]
IDS = [f"{name}-{'-'.join(map(str, case.shapes))}".replace(" ", "") for name, _, case in FLAT]

_HALF = np.array([0.5, -1.5, 2.0])
_FLAGS = np.array([True, False, True])
_UNARY, _BINARY, _TRUTH = (_HALF,), (_HALF, _HALF[::-1]), (_FLAGS, ~_FLAGS)

# Ops without a derivative: their results are constants.
CONSTANTS = {
    **{name: (getattr(np, name), _UNARY) for name in ("sign", "floor", "ceil", "trunc", "rint")},
    **{
        name: (getattr(np, name), _BINARY)
        for name in (
            "floor_divide", "less", "less_equal", "greater", "greater_equal", "equal", "not_equal",
            "logical_and", "logical_or", "logical_xor",
        )
    },
    **{name: (getattr(np, f"bitwise_{name[8:]}"), _TRUTH)
       for name in ("bitwise_and", "bitwise_or", "bitwise_xor")},
    "invert": (np.invert, (_FLAGS,)),
    **{name: (getattr(np, name), _UNARY)
       for name in ("logical_not", "argmax", "argmin", "any", "all")},
}  # fmt: skip


def op_named(name):
    """Find the op; of two that share a name, the one with formulas."""
    found = [op for op in TABLE if op.name == name]
    return max(found, key=lambda op: any(op.vjps) or op.each is not None)


def values(name, case, seed):
    """Draw inputs inside the op's domain, in float64."""
    rng = np.random.default_rng(seed)
    domain = op_named(name).domain
    lows = [domain[input][0] + 0.5 if input in domain else -2.0 for input in _inputs(name, case)]
    if name in ("divide", "remainder"):
        lows[1] = 0.5  # two intervals: the divisor is not 0
    return [
        np.asarray(rng.uniform(low, low + 3, shape))
        for low, shape in zip(lows, case.shapes, strict=True)
    ]


def _inputs(name, case):
    names = op_named(name).input_names
    return [names[i] if i < len(names) else "" for i in range(len(case.shapes))]


def leaves(arrays, **options):
    return [mg.Tensor(array, requires_grad=True, **options) for array in arrays]


def like(y, seed):
    """Draw a cotangent: entries of both signs, none of them 0 or 1, and no two alike."""
    w = np.random.default_rng([seed, 1]).uniform(0.5, 2, y.shape)
    w[...] *= np.where(np.arange(w.size).reshape(w.shape) % 2, -1, 1)
    return w.astype(y.dtype)


def distance_from_kinks(y):
    """Find how far the graph behind y is from the nearest declared kink."""
    gaps = [
        np.abs(kink.gap(*node.values, **node.attributes)).min()
        for node in mg.Graph(y).nodes
        if node.op
        for kink in node.op.kinks
    ]
    return min(gaps, default=np.inf)
