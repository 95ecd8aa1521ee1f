"""minigraph: automatic differentiation that people can read, draw and trust."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from minigraph import pickling  # noqa: F401 (once loaded, tensors and ops can be pickled)
from minigraph.errors import NonFiniteError, WriteError
from minigraph.graph import Graph
from minigraph.modes import enable_grad, no_grad, scope
from minigraph.op import Kink, Op
from minigraph.ops.elementwise import (
    abs,
    add,
    ceil,
    clip,
    cos,
    divide,
    equal,
    exp,
    expm1,
    floor,
    floor_divide,
    greater,
    greater_equal,
    less,
    less_equal,
    log,
    log1p,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    maximum,
    minimum,
    multiply,
    negative,
    not_equal,
    power,
    relu,
    rint,
    sigmoid,
    sign,
    sin,
    softplus,
    sqrt,
    square,
    subtract,
    tanh,
    trunc,
    where,
)  # fmt: skip
from minigraph.ops.linalg import dot, matmul
from minigraph.ops.neural import (
    elastic_net,
    l1_penalty,
    l2_penalty,
    linear,
    log_softmax,
    softmax,
    softmax_nll,
)  # fmt: skip
from minigraph.ops.reductions import all, any, argmax, argmin, logsumexp, max, mean, min, sum
from minigraph.ops.shaping import (
    astype,
    broadcast_to,
    concatenate,
    copy,
    expand_dims,
    reshape,
    squeeze,
    stack,
    swapaxes,
    transpose,
)  # fmt: skip
from minigraph.sweep import grad
from minigraph.tensor import Tensor

if TYPE_CHECKING:
    from minigraph import data, nn, optim, testing, train
    from minigraph.derivation import Derived, DerivedStep, derive, derive_step
    from minigraph.diagnostics import Explanation, Explanations, Memory, debug, explain, memory
    from minigraph.drawing import Drawing, Steps, draw, steps
    from minigraph.recomputing import checkpoint
    from minigraph.saving import load, save
    from minigraph.transforms import (
        custom_vjp,
        gradient,
        hessian,
        hvp,
        jacobian,
        jvp,
        stop_gradient,
        value_and_grad,
        vjp,
    )  # fmt: skip

__all__ = [
    "Derived",
    "DerivedStep",
    "Drawing",
    "Explanation",
    "Explanations",
    "Graph",
    "Kink",
    "Memory",
    "NonFiniteError",
    "Op",
    "Steps",
    "Tensor",
    "WriteError",
    "__version__",
    "abs",
    "add",
    "all",
    "any",
    "argmax",
    "argmin",
    "astype",
    "broadcast_to",
    "ceil",
    "checkpoint",
    "clip",
    "concatenate",
    "copy",
    "cos",
    "custom_vjp",
    "data",
    "debug",
    "derive",
    "derive_step",
    "divide",
    "dot",
    "draw",
    "elastic_net",
    "enable_grad",
    "equal",
    "exp",
    "expand_dims",
    "explain",
    "expm1",
    "floor",
    "floor_divide",
    "grad",
    "gradient",
    "greater",
    "greater_equal",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "l1_penalty",
    "l2_penalty",
    "less",
    "less_equal",
    "linear",
    "load",
    "log",
    "log1p",
    "log_softmax",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "logsumexp",
    "matmul",
    "max",
    "maximum",
    "mean",
    "memory",
    "min",
    "minimum",
    "multiply",
    "negative",
    "nn",
    "no_grad",
    "not_equal",
    "optim",
    "power",
    "relu",
    "reshape",
    "rint",
    "save",
    "scope",
    "sigmoid",
    "sign",
    "sin",
    "softmax",
    "softmax_nll",
    "softplus",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "steps",
    "stop_gradient",
    "subtract",
    "sum",
    "swapaxes",
    "tanh",
    "testing",
    "train",
    "transpose",
    "trunc",
    "value_and_grad",
    "vjp",
    "where",
]  # fmt: skip

__version__ = "0.1.0"

# What stands around the engine is imported when it is first asked for: `import minigraph` takes
# little more time than `import numpy`.
_LATER = {
    "derivation": ("Derived", "DerivedStep", "derive", "derive_step"),
    "diagnostics": ("Explanation", "Explanations", "Memory", "debug", "explain", "memory"),
    "drawing": ("Drawing", "Steps", "draw", "steps"),
    "recomputing": ("checkpoint",),
    "saving": ("load", "save"),
    "transforms": (
        "custom_vjp", "gradient", "hessian", "hvp", "jacobian", "jvp", "stop_gradient",
        "value_and_grad", "vjp",
    ),
}  # fmt: skip
_HOMES = {name: f"minigraph.{module}" for module, names in _LATER.items() for name in names}
_MODULES = ("data", "nn", "optim", "testing", "train")


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"minigraph.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'minigraph' has no attribute {name!r}")
    globals()[name] = found = getattr(import_module(_HOMES[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
