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


square = Op(np.square, x=lambda g, y, x: g * (2 * x), texts={"x": "{g} * (2 * {x})"})
sqrt = Op(
    np.sqrt,
    x=lambda g, y, x: g / (2 * y),
    domain={"x": (0, INF)},
    texts={"x": "{g} / (2 * {y})"},
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

# Trigonometric and sigmoidal functions

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

remainder = Op(
    np.remainder,
    a=lambda g, y, a, b: g,
    b=lambda g, y, a, b: -g * (a // b),
    symbol="%",
    kinks=[
        Kink(
            "a is a multiple of b",
            "that within a period",
            lambda a, b: np.minimum(np.abs(a % b), np.abs(b - a % b)),
            jump=True,
        )
    ],
    texts={"a": "{g}", "b": "-{g} * ({a} // {b})"},
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
