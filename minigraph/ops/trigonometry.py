"""Trigonometric and hyperbolic functions, their inverses, and what belongs to angles."""

import math

import numpy as np

from minigraph.methods import Operand
from minigraph.op import Kink, Op
from minigraph.ops.elementwise import INF, multiply
from minigraph.tensor import Tensor

tan = Op(np.tan, x=lambda g, y, x: g * (1 + y * y), texts={"x": "{g} * (1 + {y} * {y})"})
sinh = Op(np.sinh, x=lambda g, y, x: g * np.cosh(x), texts={"x": "{g} * cosh({x})"})
cosh = Op(np.cosh, x=lambda g, y, x: g * np.sinh(x), texts={"x": "{g} * sinh({x})"})

# (1 - x) * (1 + x) keeps the digits near the ends that 1 - x * x loses.

arcsin = Op(
    np.arcsin,
    x=lambda g, y, x: g / np.sqrt((1 - x) * (1 + x)),
    domain={"x": (-1, 1)},
    texts={"x": "{g} / sqrt((1 - {x}) * (1 + {x}))"},
)
arccos = Op(
    np.arccos,
    x=lambda g, y, x: -g / np.sqrt((1 - x) * (1 + x)),
    domain={"x": (-1, 1)},
    texts={"x": "-{g} / sqrt((1 - {x}) * (1 + {x}))"},
)
arctan = Op(np.arctan, x=lambda g, y, x: g / (1 + x * x), texts={"x": "{g} / (1 + {x} * {x})"})
arcsinh = Op(
    np.arcsinh,
    x=lambda g, y, x: g / np.sqrt(1 + x * x),
    texts={"x": "{g} / sqrt(1 + {x} * {x})"},
)
arccosh = Op(
    np.arccosh,
    x=lambda g, y, x: g / np.sqrt((x - 1) * (x + 1)),
    domain={"x": (1, INF)},
    texts={"x": "{g} / sqrt(({x} - 1) * ({x} + 1))"},
)
arctanh = Op(
    np.arctanh,
    x=lambda g, y, x: g / ((1 - x) * (1 + x)),
    domain={"x": (-1, 1)},
    texts={"x": "{g} / ((1 - {x}) * (1 + {x}))"},
)

# The plane: length and angle of (b, a). The angle jumps where b < 0 and a changes its sign.

hypot = Op(
    np.hypot,
    a=lambda g, y, a, b: g * (a / np.where(y == 0, 1, y)),
    b=lambda g, y, a, b: g * (b / np.where(y == 0, 1, y)),
    kinks=[Kink("a = b = 0", "0", np.hypot)],
    texts={
        "a": "{g} * ({a} / where({y} == 0, 1, {y}))",
        "b": "{g} * ({b} / where({y} == 0, 1, {y}))",
    },
)
arctan2 = Op(
    np.arctan2,
    a=lambda g, y, a, b: g * b / (a * a + b * b),
    b=lambda g, y, a, b: -g * a / (a * a + b * b),
    kinks=[
        Kink(
            "a = 0 and b ≤ 0",
            "that on either side",
            lambda a, b: np.where(b < 0, np.abs(a), np.hypot(a, b)),
            jump=True,
        )
    ],
    texts={
        "a": "{g} * {b} / ({a} * {a} + {b} * {b})",
        "b": "-{g} * {a} / ({a} * {a} + {b} * {b})",
    },
)


def _sinc(x):
    """Compute sin(πx) / (πx), which is 1 at 0."""
    return np.sinc(x)


def _slope_of_sinc(y, x):
    """Compute (cos πx - sinc x) / x."""
    near = np.abs(x) < float(np.finfo(x.dtype).eps) ** (1 / 7)  # where the difference loses digits
    z = math.pi**2 * (x * x)
    series = -(math.pi**2) * x * (1 / 3 - z * (1 / 30 - z / 840))
    return np.where(near, series, (np.cos(math.pi * x) - y) / np.where(near, 1, x))


sinc = Op(
    _sinc,
    x=lambda g, y, x: g * _slope_of_sinc(y, x),
    name="sinc",
    texts={"x": "{g} * where({x} == 0, 0, (cos(pi * {x}) - {y}) / where({x} == 0, 1, {x}))"},
)


def deg2rad(x: Operand) -> Tensor:
    """Convert degrees to radians."""
    return multiply(x, math.pi / 180)


def rad2deg(x: Operand) -> Tensor:
    """Convert radians to degrees."""
    return multiply(x, 180 / math.pi)


radians, degrees = deg2rad, rad2deg
