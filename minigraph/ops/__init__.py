"""The tables of formulas, and the places where Python and NumPy find them."""

import operator
from collections.abc import Callable
from types import MethodType
from typing import Any

import numpy as np

from minigraph.numpy_rules import RULES
from minigraph.op import Op
from minigraph.ops import (
    decompositions,
    elementwise,
    inverses,
    least_squares,
    linalg,
    neural,
    products,
    rearranging,
    reductions,
    selecting,
    shaping,
    signals,
    statistics,
    trigonometry,
)
from minigraph.tensor import Tensor

__all__ = ["TABLE"]

_MODULES = (
    elementwise, trigonometry, linalg, reductions, shaping, selecting, neural, products,
    rearranging, statistics, signals, inverses, decompositions, least_squares,
)  # fmt: skip

# Every op that minigraph brings: documentation and tests are driven by it.
TABLE: tuple[Op, ...] = tuple(
    dict.fromkeys(op for module in _MODULES for op in vars(module).values() if isinstance(op, Op))
)

# NumPy's function of the same name as one of ours is answered by it.
for _module in _MODULES:
    for _name, _rule in vars(_module).items():
        if callable(_rule) and callable(getattr(np, _name, None)):
            RULES[getattr(np, _name)] = _rule
RULES[np.amax], RULES[np.amin] = reductions.max, reductions.min
RULES[np.around] = elementwise.round


def _clip(a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Any:
    return elementwise.clip(a, a_min if min is None else min, a_max if max is None else max)


def _where(condition: Any, *branches: Any) -> Any:
    if not branches:
        raise TypeError("np.where: give both branches, or ask np.nonzero for the places")
    return elementwise.where(condition, *branches)


RULES[np.clip], RULES[np.where] = _clip, _where
RULES[np.linalg.diagonal] = lambda x, *, offset=0: selecting.diagonal(x, offset, -2, -1)
RULES[np.linalg.trace] = lambda x, *, offset=0: selecting.trace(x, offset, -2, -1)
for _name in ("cross", "matmul", "matrix_norm", "matrix_transpose", "norm", "outer", "tensordot",
              "vecdot", "vector_norm", "matrix_power", "multi_dot", "cond"):  # fmt: skip
    RULES[getattr(np.linalg, _name)] = getattr(linalg, _name, None) or RULES[getattr(np, _name)]
for _name in ("inv", "solve", "slogdet", "det"):
    RULES[getattr(np.linalg, _name)] = getattr(inverses, _name)
for _name in ("cholesky", "eigh", "eigvalsh", "svd", "svdvals", "qr"):
    RULES[getattr(np.linalg, _name)] = getattr(decompositions, _name)
RULES[np.linalg.pinv], RULES[np.linalg.lstsq] = least_squares.pinv, least_squares.lstsq

# Python's operators.
_OPERATORS: dict[str, Callable[..., Any]] = {
    "add": elementwise.add,
    "sub": elementwise.subtract,
    "mul": elementwise.multiply,
    "truediv": elementwise.divide,
    "floordiv": elementwise.floor_divide,
    "mod": elementwise.remainder,
    "pow": elementwise.power,
    "matmul": linalg.matmul,
    "and": elementwise.bitwise_and,
    "or": elementwise.bitwise_or,
    "xor": elementwise.bitwise_xor,
}
_COMPARISONS = {
    "lt": elementwise.less,
    "le": elementwise.less_equal,
    "gt": elementwise.greater,
    "ge": elementwise.greater_equal,
    "eq": elementwise.equal,
    "ne": elementwise.not_equal,
}


def _reflected(function: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    return lambda self, other: function(other, self)


def _comparison(op: Op) -> Callable[[Any, Any], Any]:
    """Compare by the op; what is no number is never equal, and has no order, as in Python."""

    def compare(self: Tensor, other: object) -> Any:
        try:
            return op.call(self, other)
        except TypeError:
            return NotImplemented

    return compare


def _in_place(symbol: str, write: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    return lambda self, other: self.write(f"t {symbol} ...", write, other)


def _sizes_or_tuple(function: Op, default: Any) -> Callable[..., Any]:
    """Take ``t.reshape(2, 3)`` as ``t.reshape((2, 3))``."""

    def method(self: Tensor, *sizes: Any) -> Any:
        return function(self, sizes[0] if len(sizes) == 1 else sizes or default)

    method.__name__ = method.__qualname__ = function.name
    method.__doc__ = function.__doc__
    return method


class _Method:
    """An op as a method; once asked for, its written-out call itself, with nothing around it."""

    def __init__(self, op: Op, name: str) -> None:
        self.op, self.name = op, name

    def __get__(self, tensor: Tensor | None, owner: type) -> Callable[..., Any]:
        setattr(Tensor, self.name, self.op.call)
        return self.op.call if tensor is None else MethodType(self.op.call, tensor)


_METHODS: dict[str, Any] = {
    **{f"__{name}__": call for name, call in _OPERATORS.items()},
    **{f"__r{name}__": _reflected(call) for name, call in _OPERATORS.items()},
    **{f"__{name}__": _comparison(op) for name, op in _COMPARISONS.items()},
    "__iadd__": _in_place("+=", operator.iadd),
    "__isub__": _in_place("-=", operator.isub),
    "__imul__": _in_place("*=", operator.imul),
    "__itruediv__": _in_place("/=", operator.itruediv),
    "__ipow__": _in_place("**=", operator.ipow),
    "__ifloordiv__": _in_place("//=", operator.ifloordiv),
    "__imod__": _in_place("%=", operator.imod),
    "__imatmul__": _in_place("@=", operator.imatmul),
    "__iand__": _in_place("&=", operator.iand),
    "__ior__": _in_place("|=", operator.ior),
    "__ixor__": _in_place("^=", operator.ixor),
    "__divmod__": elementwise.divmod,
    "__rdivmod__": _reflected(elementwise.divmod),
    "__neg__": elementwise.negative,
    "__pos__": elementwise.positive,
    "__abs__": elementwise.abs,
    "__invert__": elementwise.invert,
    "__getitem__": shaping.getitem,
    "T": property(lambda self: shaping.transpose(self)),
    "mT": property(lambda self: shaping.swapaxes(self, -1, -2)),
    "all": reductions.all,
    "any": reductions.any,
    "argmax": reductions.argmax,
    "argmin": reductions.argmin,
    "astype": shaping.astype,
    "clip": elementwise.clip,
    "copy": shaping.copy,
    "dot": linalg.dot,
    "max": reductions.max,
    "mean": reductions.mean,
    "min": reductions.min,
    "argpartition": selecting.argpartition,
    "argsort": selecting.argsort,
    "compress": lambda self, condition, axis=None: selecting.compress(condition, self, axis),
    "conj": elementwise.conjugate,
    "conjugate": elementwise.conjugate,
    "cumprod": reductions.cumprod,
    "cumsum": reductions.cumsum,
    "diagonal": selecting.diagonal,
    "flatten": rearranging.ravel,
    "prod": reductions.prod,
    "ravel": rearranging.ravel,
    "repeat": rearranging.repeat,
    "round": elementwise.round,
    "std": statistics.std,
    "take": selecting.take,
    "trace": selecting.trace,
    "var": statistics.var,
    "reshape": _sizes_or_tuple(shaping.reshape, ()),
    "squeeze": shaping.squeeze,
    "sum": reductions.sum,
    "swapaxes": shaping.swapaxes,
    "transpose": _sizes_or_tuple(shaping.transpose, None),
}
for _name, _method in _METHODS.items():
    setattr(Tensor, _name, _Method(_method, _name) if isinstance(_method, Op) else _method)
