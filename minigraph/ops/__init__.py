"""The tables of formulas, and the places where Python and NumPy find them."""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from minigraph.numpy_rules import RULES
from minigraph.op import Op
from minigraph.ops import (
    elementwise,
    linalg,
    neural,
    products,
    rearranging,
    reductions,
    selecting,
    shaping,
    statistics,
    trigonometry,
)
from minigraph.tensor import Tensor

__all__ = ["TABLE"]

_MODULES = (
    elementwise, trigonometry, linalg, reductions, shaping, selecting, neural, products,
    rearranging, statistics,
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
              "vecdot", "vector_norm"):  # fmt: skip
    RULES[getattr(np.linalg, _name)] = getattr(linalg, _name, None) or RULES[getattr(np, _name)]

# Python's operators: the written-out call itself, not a method around it.
_OPERATORS: dict[str, Callable[..., Any]] = {
    "add": elementwise.add.call,
    "sub": elementwise.subtract.call,
    "mul": elementwise.multiply.call,
    "truediv": elementwise.divide.call,
    "floordiv": elementwise.floor_divide.call,
    "mod": elementwise.remainder.call,
    "pow": elementwise.power,
    "matmul": linalg.matmul,
    "and": elementwise.bitwise_and.call,
    "or": elementwise.bitwise_or.call,
    "xor": elementwise.bitwise_xor.call,
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
    "__neg__": elementwise.negative.call,
    "__pos__": elementwise.positive.call,
    "__abs__": elementwise.abs.call,
    "__invert__": elementwise.invert.call,
    "__getitem__": shaping.getitem,
    "T": property(shaping.transpose.call),
    "mT": property(lambda self: shaping.swapaxes(self, -1, -2)),
    "all": reductions.all.call,
    "any": reductions.any.call,
    "argmax": reductions.argmax.call,
    "argmin": reductions.argmin.call,
    "astype": shaping.astype,
    "clip": elementwise.clip,
    "copy": shaping.copy.call,
    "dot": linalg.dot,
    "max": reductions.max.call,
    "mean": reductions.mean.call,
    "min": reductions.min.call,
    "argpartition": selecting.argpartition,
    "argsort": selecting.argsort.call,
    "compress": lambda self, condition, axis=None: selecting.compress(condition, self, axis),
    "conj": elementwise.conjugate,
    "conjugate": elementwise.conjugate,
    "cumprod": reductions.cumprod,
    "cumsum": reductions.cumsum.call,
    "diagonal": selecting.diagonal,
    "flatten": rearranging.ravel,
    "prod": reductions.prod.call,
    "ravel": rearranging.ravel,
    "repeat": rearranging.repeat,
    "round": elementwise.round.call,
    "std": statistics.std,
    "take": selecting.take,
    "trace": selecting.trace,
    "var": statistics.var,
    "reshape": _sizes_or_tuple(shaping.reshape, ()),
    "squeeze": shaping.squeeze.call,
    "sum": reductions.sum.call,
    "swapaxes": shaping.swapaxes.call,
    "transpose": _sizes_or_tuple(shaping.transpose, None),
}
for _name, _method in _METHODS.items():
    setattr(Tensor, _name, _method)
