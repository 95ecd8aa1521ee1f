"""The tables of formulas, and the places where Python and NumPy find them."""

from typing import Any

import numpy as np

from minigraph.op import Op
from minigraph.ops import elementwise, linalg, neural, reductions, shaping
from minigraph.tensor import RULES, Tensor

_MODULES = (elementwise, linalg, reductions, shaping, neural)

TABLE: tuple[Op, ...] = tuple(
    op for module in _MODULES for op in vars(module).values() if isinstance(op, Op)
)
# A function or op of ours that bears the name of one of NumPy's answers for it.
for _module in _MODULES:
    for _name, _rule in vars(_module).items():
        if callable(_rule) and not _name.startswith("_") and callable(getattr(np, _name, None)):
            RULES[getattr(np, _name)] = _rule
RULES[np.amax], RULES[np.amin] = reductions.max, reductions.min
RULES[np.clip] = lambda a, a_min=None, a_max=None, *, min=None, max=None: elementwise.clip(
    a, a_min if min is None else min, a_max if max is None else max
)


def _reflected(function: Any) -> Any:
    return lambda self, other: function(other, self)


def _comparison(op: Op) -> Any:
    """Compare by the op; what is no number is not equal, as in Python, and cannot be ordered."""

    def compare(self: Tensor, other: object) -> Any:
        return NotImplemented if other is None or isinstance(other, str) else op.call(self, other)

    return compare


_OPERATORS = {
    "add": elementwise.add.call,
    "sub": elementwise.subtract.call,
    "mul": elementwise.multiply.call,
    "truediv": elementwise.divide.call,
    "floordiv": elementwise.floor_divide.call,
    "pow": elementwise.power,
    "matmul": linalg.matmul,
    "and": elementwise.bitwise_and.call,
    "or": elementwise.bitwise_or.call,
    "xor": elementwise.bitwise_xor.call,
}
for _name, _rule in _OPERATORS.items():
    setattr(Tensor, f"__{_name}__", _rule)
    setattr(Tensor, f"__r{_name}__", _reflected(_rule))
for _name in ("neg", "pos", "abs", "invert"):
    _op = {"neg": "negative", "pos": "positive"}.get(_name, _name)
    setattr(Tensor, f"__{_name}__", vars(elementwise)[_op].call)
for _name, _op in {
    "lt": elementwise.less,
    "le": elementwise.less_equal,
    "gt": elementwise.greater,
    "ge": elementwise.greater_equal,
    "eq": elementwise.equal,
    "ne": elementwise.not_equal,
}.items():
    setattr(Tensor, f"__{_name}__", _comparison(_op))


def _unpacked(function: Any, default: Any = None) -> Any:
    """Take ``t.reshape(2, 3)`` as ``t.reshape((2, 3))``."""

    def method(self: Tensor, *sizes: Any) -> Tensor:
        if not sizes:
            return function(self, default)  # type: ignore[no-any-return]
        return function(self, sizes[0] if len(sizes) == 1 else sizes)  # type: ignore[no-any-return]

    return method


for _module, _names in (
    (reductions, ("sum", "mean", "max", "min", "any", "all", "argmax", "argmin")),
    (shaping, ("swapaxes", "squeeze", "copy")),
):
    for _name in _names:
        setattr(Tensor, _name, vars(_module)[_name].call)
_attached: dict[str, Any] = {
    "__getitem__": shaping.getitem,
    "astype": shaping.astype,
    "reshape": _unpacked(shaping.reshape, ()),
    "transpose": _unpacked(shaping.transpose),
    "dot": linalg.dot,
    "clip": elementwise.clip,
    "T": property(shaping.transpose.call),
    "mT": property(lambda self: shaping.swapaxes(self, -1, -2)),
}
for _name, _rule in _attached.items():
    setattr(Tensor, _name, _rule)
