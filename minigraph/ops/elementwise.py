"""Elementwise ops: an entry of the result depends on the entries at its own place only.

Each formula is ``vjp(g, y, *inputs)``: `g` is the cotangent of the result `y`. Broadcasting is
undone by the sweep, so the formulas are the pure derivatives.
"""

import math
from typing import Any

import numpy as np

from minigraph.methods import Operand
from minigraph.op import Kink, Op
from minigraph.tensor import Tensor

INF = float("inf")
LN2 = math.log(2)

# Arithmetic

add = Op(
    np.add,
    a=lambda g, y, a, b: g,
    b=lambda g, y, a, b: g,
    symbol="+",
    texts={"a": "{g}", "b": "{g}"},
)
subtract = Op(
    np.subtract,
    a=lambda g, y, a, b: g,
    b=lambda g, y, a, b: -g,
    symbol="-",
    texts={"a": "{g}", "b": "-{g}"},
)
multiply = Op(
    np.multiply,
    a=lambda g, y, a, b: g * b,
    b=lambda g, y, a, b: g * a,
    symbol="*",
    texts={"a": "{g} * {b}", "b": "{g} * {a}"},
)
divide = Op(
    np.divide,
    a=lambda g, y, a, b: g / b,
    b=lambda g, y, a, b: -g * y / b,
    symbol="/",
    texts={"a": "{g} / {b}", "b": "-{g} * {y} / {b}"},
)
negative = Op(np.negative, x=lambda g, y, x: -g, symbol="-", texts={"y": "-{x}", "x": "-{g}"})
positive = Op(np.positive, x=lambda g, y, x: g, symbol="+", texts={"y": "+{x}", "x": "{g}"})

# Powers. The exponent is kept from 0 ** -1 and the base from log(0), whose factors are 0 there.

general_power = Op(
    np.power,
    a=lambda g, y, a, b: g * b * a ** np.where((a == 0) & (b == 0), 1, b - 1),
    b=lambda g, y, a, b: g * y * np.log(np.where(a == 0, 1, a)),
    symbol="**",
    domain={"a": (0, INF)},
    texts={
        "a": "{g} * {b} * {a} ** where(({a} == 0) & ({b} == 0), 1, {b} - 1)",
        "b": "{g} * {y} * log(where({a} == 0, 1, {a}))",
    },
)


def _scalar_power(x, *, exponent):
    return x**exponent


scalar_power = Op(
    _scalar_power,
    x=lambda g, y, x, exponent: g * (exponent * x ** (exponent - 1)) if exponent else 0 * g,
    name="scalar_power",
    domain={"x": (0, INF)},
    texts={"y": "{x} ** {exponent}", "x": "{g} * ({exponent} * {x} ** ({exponent} - 1))"},
)


def _exponential(x, *, base):
    return base**x


exponential = Op(
    _exponential,
    x=lambda g, y, x, base: (
        g * y * (math.log(base) if base > 0 else 0.0 if base == 0 else math.nan)
    ),
    name="exponential",
    texts={"y": "{base} ** {x}", "x": "{g} * {y} * log({base})"},
)


def power(a: Operand, b: Operand) -> Tensor:
    """Raise `a` to the power `b`, elementwise.

    Parameters
    ----------
    a, b : array_like
        Base and exponent; they broadcast.

    Returns
    -------
    Tensor
        d(aᵇ)/da = b aᵇ⁻¹, d(aᵇ)/db = aᵇ ln a. A number as exponent has an op of its own, which
        needs no logarithm and so is right for negative `a` too; so has a number as base.

    Raises
    ------
    ValueError
        If the shapes do not broadcast.

    Examples
    --------
    >>> import minigraph as mg
    >>> x = mg.Tensor([-2.0, 3.0], requires_grad=True)
    >>> mg.grad(mg.power(x, 2).sum(), x)
    Tensor([-4.,  6.], dtype=float64)
    """
    if type(b) in (int, float, bool):
        return scalar_power(a, exponent=b)
    if type(a) in (int, float, bool):
        return exponential(b, base=a)
    if getattr(b, "dtype", None) == np.dtype(bool):
        b = b.astype(np.int8)  # type: ignore[union-attr]
    return general_power(a, b)


reciprocal = Op(np.reciprocal, x=lambda g, y, x: -g * y * y, texts={"x": "-{g} * {y} * {y}"})
square = Op(np.square, x=lambda g, y, x: g * (2 * x), texts={"x": "{g} * (2 * {x})"})
sqrt = Op(
    np.sqrt,
    x=lambda g, y, x: g / (2 * y),
    domain={"x": (0, INF)},
    texts={"x": "{g} / (2 * {y})"},
)
cbrt = Op(
    np.cbrt,
    x=lambda g, y, x: g / (3 * y * y),
    kinks=[Kink("x = 0", "infinite", lambda x: x, jump=True)],
    texts={"x": "{g} / (3 * {y} * {y})"},
)

# Exponentials and logarithms

exp = Op(np.exp, x=lambda g, y, x: g * y, texts={"x": "{g} * {y}"})
expm1 = Op(np.expm1, x=lambda g, y, x: g * (y + 1), texts={"x": "{g} * ({y} + 1)"})
log = Op(np.log, x=lambda g, y, x: g / x, domain={"x": (0, INF)}, texts={"x": "{g} / {x}"})
log1p = Op(
    np.log1p,
    x=lambda g, y, x: g / (1 + x),
    domain={"x": (-1, INF)},
    texts={"x": "{g} / (1 + {x})"},
)
exp2 = Op(np.exp2, x=lambda g, y, x: g * (LN2 * y), texts={"x": "{g} * (log(2) * {y})"})
log2 = Op(
    np.log2,
    x=lambda g, y, x: g / (LN2 * x),
    domain={"x": (0, INF)},
    texts={"x": "{g} / (log(2) * {x})"},
)
log10 = Op(
    np.log10,
    x=lambda g, y, x: g / (math.log(10) * x),
    domain={"x": (0, INF)},
    texts={"x": "{g} / (log(10) * {x})"},
)


def _from(y: Any) -> Any:
    """Give y, to be taken from its parts; 0 where it is -inf, the logarithm of nothing."""
    return np.where(y == -INF, 0, y)


logaddexp = Op(
    np.logaddexp,
    a=lambda g, y, a, b: g * np.exp(a - _from(y)),
    b=lambda g, y, a, b: g * np.exp(b - _from(y)),
    texts={"a": "{g} * exp({a} - {y})", "b": "{g} * exp({b} - {y})"},
)
logaddexp2 = Op(
    np.logaddexp2,
    a=lambda g, y, a, b: g * np.exp2(a - _from(y)),
    b=lambda g, y, a, b: g * np.exp2(b - _from(y)),
    texts={"a": "{g} * exp2({a} - {y})", "b": "{g} * exp2({b} - {y})"},
)

# Trigonometric and sigmoidal functions; `trigonometry` has more

sin = Op(np.sin, x=lambda g, y, x: g * np.cos(x), texts={"x": "{g} * cos({x})"})
cos = Op(np.cos, x=lambda g, y, x: -g * np.sin(x), texts={"x": "-{g} * sin({x})"})
tanh = Op(np.tanh, x=lambda g, y, x: g * (1 - y * y), texts={"x": "{g} * (1 - {y} * {y})"})


def _sigmoid(x):
    """Compute 1 / (1 + e⁻ˣ) = ½ (tanh(x/2) + 1): no overflow, small values to full precision."""
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


sigmoid = Op(
    _sigmoid,
    x=lambda g, y, x: g * (y * (1 - y)),
    name="sigmoid",
    texts={"x": "{g} * ({y} * (1 - {y}))"},
)


def _softplus(x):
    """Compute ln(1 + eˣ) without overflow; -softplus(-x) is ln sigmoid(x)."""
    return np.logaddexp(x, 0)


softplus = Op(
    _softplus,
    x=lambda g, y, x: g * sigmoid(x),
    name="softplus",
    texts={"x": "{g} * sigmoid({x})"},
)

_multiple = Kink(
    "a is a multiple of b",
    "that within a period",
    lambda a, b: np.minimum(np.abs(a % b), np.abs(b - a % b)),
    jump=True,
)
remainder = Op(
    np.remainder,
    a=lambda g, y, a, b: g,
    b=lambda g, y, a, b: -g * (a // b),
    symbol="%",
    kinks=[_multiple],
    texts={"a": "{g}", "b": "-{g} * ({a} // {b})"},
)
fmod = Op(
    np.fmod,
    a=lambda g, y, a, b: g,
    b=lambda g, y, a, b: -g * np.trunc(a / b),
    kinks=[_multiple],
    texts={"a": "{g}", "b": "-{g} * trunc({a} / {b})"},
)

# Functions with kinks: what is taken there is written in the declaration


def _relu(x):
    """Compute max(x, 0), the homework's rect; its slope at 0 is taken as 0."""
    return np.maximum(x, 0)


relu = Op(
    _relu,
    x=lambda g, y, x: g * np.sign(y),  # y >= 0: this is g 1{x > 0}, faster on small arrays
    name="relu",
    kinks=[Kink("x = 0", "0", lambda x: x)],
    texts={"x": "{g} * sign({y})"},
)
abs = Op(
    np.absolute,
    x=lambda g, y, x: g * np.sign(x),
    name="abs",
    kinks=[Kink("x = 0", "0", lambda x: x)],
    texts={"x": "{g} * sign({x})"},
)
fabs = Op(
    np.fabs,
    x=lambda g, y, x: g * np.sign(x),
    kinks=[Kink("x = 0", "0", lambda x: x)],
    texts={"x": "{g} * sign({x})"},
)
maximum = Op(
    np.maximum,
    a=lambda g, y, a, b: np.where(a > b, g, np.where(a == b, g / 2, 0)),
    b=lambda g, y, a, b: np.where(b > a, g, np.where(a == b, g / 2, 0)),
    kinks=[Kink("a = b", "half for each", lambda a, b: a - b)],
    texts={
        "a": "where({a} > {b}, {g}, where({a} == {b}, {g} / 2, 0))",
        "b": "where({b} > {a}, {g}, where({a} == {b}, {g} / 2, 0))",
    },
)
minimum = Op(
    np.minimum,
    a=lambda g, y, a, b: np.where(a < b, g, np.where(a == b, g / 2, 0)),
    b=lambda g, y, a, b: np.where(b < a, g, np.where(a == b, g / 2, 0)),
    kinks=[Kink("a = b", "half for each", lambda a, b: a - b)],
    texts={
        "a": "where({a} < {b}, {g}, where({a} == {b}, {g} / 2, 0))",
        "b": "where({b} < {a}, {g}, where({a} == {b}, {g} / 2, 0))",
    },
)


def fmax(a: Operand, b: Operand) -> Tensor:
    """Choose the larger entry; where one is NaN, the other."""
    return maximum(where(a != a, b, a), where(b != b, a, b))


def fmin(a: Operand, b: Operand) -> Tensor:
    """Choose the smaller entry; where one is NaN, the other."""
    return minimum(where(a != a, b, a), where(b != b, a, b))


def clip(x: Operand, min: Operand | None = None, max: Operand | None = None) -> Tensor:
    """Limit `x` to the interval from `min` to `max`: ``minimum(maximum(x, min), max)``.

    Parameters
    ----------
    x : array_like
    min, max : array_like, optional
        The limits; they broadcast against `x`, and None sets none.

    Returns
    -------
    Tensor
        On a limit the cotangent is shared with it, as in any tie.

    Raises
    ------
    ValueError
        If the shapes do not broadcast.

    Examples
    --------
    >>> import minigraph as mg
    >>> x = mg.Tensor([-1.0, 0.0, 0.5, 2.0], requires_grad=True)
    >>> mg.grad(mg.clip(x, 0.0, 1.0).sum(), x)
    Tensor([0. , 0.5, 1. , 0. ], dtype=float64)
    """
    y: Any = x if isinstance(x, Tensor) else np.asarray(x)
    if min is not None:
        y = maximum(y, min)
    if max is not None:
        y = minimum(y, max)
    return y


def _where(condition, a, b):
    """Choose `a` where the condition holds, `b` elsewhere."""
    return np.where(condition, a, b)


where = Op(
    _where,
    condition=None,
    a=lambda g, y, condition, a, b: np.where(condition, g, 0),
    b=lambda g, y, condition, a, b: np.where(condition, 0, g),
    name="where",
    broadcasts=True,
    texts={"a": "where({condition}, {g}, 0)", "b": "where({condition}, 0, {g})"},
)


def nan_to_num(
    x: Any, copy: bool = True, nan: float = 0.0, posinf: Any = None, neginf: Any = None
) -> Tensor:
    """Replace NaN and infinite entries; a gradient flows to the others."""
    if x.dtype.kind != "f":
        return positive(x)
    widest = float(np.finfo(x.dtype).max)
    y = where(x != x, nan, x)
    y = where(x == INF, widest if posinf is None else posinf, y)
    return where(x == -INF, -widest if neginf is None else neginf, y)


def copysign(a: Operand, b: Any) -> Tensor:
    """Give `a` the sign of `b`, which may be that of -0.0."""
    number = isinstance(b, int | float)  # which leaves the dtype to a
    return fabs(a) * (math.copysign(1, b) if number else unit_sign(b))


def divmod(a: Operand, b: Operand) -> tuple[Tensor, Tensor]:
    """Divide with remainder: ``a // b, a % b``."""
    return floor_divide(a, b), remainder(a, b)


def modf(x: Operand) -> tuple[Tensor, Tensor]:
    """Split into a fraction, with the slope of `x`, and a whole number of the same sign."""
    whole = trunc(x)
    return x - whole, whole


def real(x: Any) -> Tensor:
    """Give `x` itself: all Tensors are real."""
    return positive(x)


conjugate = real

# Constants by rule: piecewise constant functions have no useful derivative, and what they give
# carries none. (`sign` has a slope nowhere; `abs` is what people mean.)

sign = Op(np.sign, x=None)
floor = Op(np.floor, x=None)
ceil = Op(np.ceil, x=None)
trunc = Op(np.trunc, x=None)
rint = Op(np.rint, x=None)
floor_divide = Op(np.floor_divide, a=None, b=None, symbol="//")
less = Op(np.less, a=None, b=None, symbol="<")
less_equal = Op(np.less_equal, a=None, b=None, symbol="<=")
greater = Op(np.greater, a=None, b=None, symbol=">")
greater_equal = Op(np.greater_equal, a=None, b=None, symbol=">=")
equal = Op(np.equal, a=None, b=None, symbol="==")
not_equal = Op(np.not_equal, a=None, b=None, symbol="!=")
logical_and = Op(np.logical_and, a=None, b=None)
logical_or = Op(np.logical_or, a=None, b=None)
logical_xor = Op(np.logical_xor, a=None, b=None)
logical_not = Op(np.logical_not, x=None)
bitwise_and = Op(np.bitwise_and, a=None, b=None, symbol="&")
bitwise_or = Op(np.bitwise_or, a=None, b=None, symbol="|")
bitwise_xor = Op(np.bitwise_xor, a=None, b=None, symbol="^")
invert = Op(np.invert, x=None, symbol="~")


def _unit_sign(x):
    """Give -1 where the sign bit is set, and 1 elsewhere."""
    return np.copysign(np.ones_like(x), x)


def _round(x, *, decimals=0):
    """Round to a number of decimals."""
    return np.round(x, decimals)


def _heaviside(x, y):
    """Give 0 for negative x, 1 for positive, and y for 0."""
    return np.heaviside(x, y)


unit_sign = Op(_unit_sign, x=None, name="unit_sign")
round = Op(_round, x=None, name="round")
heaviside = Op(_heaviside, x=None, y=None, name="heaviside", broadcasts=True)
fix = trunc
