"""SciPy's special functions: rules for its ufuncs, read once when one meets a Tensor.

Nothing imports this module, and so SciPy, but who has imported SciPy already or asks for it.
"""

import math
from typing import Any

import numpy as np
from scipy import special

from minigraph.op import Op
from minigraph.ops.elementwise import INF
from minigraph.tensor import Tensor

_SLOPE = 2 / math.sqrt(math.pi)  # of erf at 0
_DENSITY = 1 / math.sqrt(2 * math.pi)  # of the normal distribution at 0

# Error functions, and the normal distribution

erf = Op(
    special.erf,
    x=lambda g, y, x: g * (_SLOPE * np.exp(-x * x)),
    texts={"x": "{g} * (2 / sqrt(pi) * exp(-{x} * {x}))"},
)
erfc = Op(
    special.erfc,
    x=lambda g, y, x: -g * (_SLOPE * np.exp(-x * x)),
    texts={"x": "-{g} * (2 / sqrt(pi) * exp(-{x} * {x}))"},
)
erfcx = Op(
    special.erfcx,
    x=lambda g, y, x: g * (2 * x * y - _SLOPE),
    texts={"x": "{g} * (2 * {x} * {y} - 2 / sqrt(pi))"},
)
ndtr = Op(
    special.ndtr,
    x=lambda g, y, x: g * (_DENSITY * np.exp(-x * x / 2)),
    texts={"x": "{g} * (exp(-{x} * {x} / 2) / sqrt(2 * pi))"},
)
log_ndtr = Op(  # the density over ndtr, without the quotient of two that underflow
    special.log_ndtr,
    x=lambda g, y, x: g * (2 * _DENSITY / erfcx(-math.sqrt(0.5) * x)),
    texts={"x": "{g} * (exp(-{x} * {x} / 2 - {y}) / sqrt(2 * pi))"},
)

# The gamma function and its family. Domains are given for drawing calls; between the poles at
# 0, -1, -2, ... the formulas hold too.


def _polygamma(x, *, n=1):
    """Compute the n-th derivative of psi, for n = 1, 2, ..."""
    return (-1) ** (n + 1) * float(math.factorial(n)) * special.zeta(n + 1, x)


polygammas: Op = Op(
    _polygamma,
    x=lambda g, y, x, n: g * polygammas(x, n=n + 1),
    name="polygamma",
    domain={"x": (0, INF)},
    texts={"x": "{g} * polygamma({n} + 1, {x})"},
)
psi = Op(
    special.psi,
    x=lambda g, y, x: g * polygammas(x, n=1),
    domain={"x": (0, INF)},
    texts={"x": "{g} * polygamma(1, {x})"},
)
gamma = Op(
    special.gamma,
    x=lambda g, y, x: g * (y * psi(x)),
    domain={"x": (0, INF)},
    texts={"x": "{g} * ({y} * psi({x}))"},
)
gammaln = Op(
    special.gammaln,
    x=lambda g, y, x: g * psi(x),
    domain={"x": (0, INF)},
    texts={"x": "{g} * psi({x})"},
)
beta = Op(
    special.beta,
    a=lambda g, y, a, b: g * (y * (psi(a) - psi(a + b))),
    b=lambda g, y, a, b: g * (y * (psi(b) - psi(a + b))),
    domain={"a": (0, INF), "b": (0, INF)},
    texts={
        "a": "{g} * ({y} * (psi({a}) - psi({a} + {b})))",
        "b": "{g} * ({y} * (psi({b}) - psi({a} + {b})))",
    },
)
betaln = Op(
    special.betaln,
    a=lambda g, y, a, b: g * (psi(a) - psi(a + b)),
    b=lambda g, y, a, b: g * (psi(b) - psi(a + b)),
    domain={"a": (0, INF), "b": (0, INF)},
    texts={
        "a": "{g} * (psi({a}) - psi({a} + {b}))",
        "b": "{g} * (psi({b}) - psi({a} + {b}))",
    },
)
digamma = psi


def polygamma(n: int, x: Any) -> Tensor:
    """Compute the n-th derivative of `psi`, in the order of SciPy's arguments."""
    return psi(x) if n == 0 else polygammas(x, n=n)


# Sigmoids

expit = Op(
    special.expit,
    x=lambda g, y, x: g * (y * (1 - y)),
    texts={"x": "{g} * ({y} * (1 - {y}))"},
)
log_expit = Op(
    special.log_expit,
    x=lambda g, y, x: g * expit(-x),
    texts={"x": "{g} * expit(-{x})"},
)
logit = Op(
    special.logit,
    x=lambda g, y, x: g / (x * (1 - x)),
    domain={"x": (0, 1)},
    texts={"x": "{g} / ({x} * (1 - {x}))"},
)

# Entropies: 0 · log 0 is 0, and has in the logarithm's argument the slope 0.

xlogy = Op(
    special.xlogy,
    a=lambda g, y, a, b: g * np.log(b),
    b=lambda g, y, a, b: g * (a / np.where((a == 0) & (b == 0), 1, b)),
    domain={"b": (0, INF)},
    texts={
        "a": "{g} * log({b})",
        "b": "{g} * ({a} / where(({a} == 0) & ({b} == 0), 1, {b}))",
    },
)
xlog1py = Op(
    special.xlog1py,
    a=lambda g, y, a, b: g * np.log1p(b),
    b=lambda g, y, a, b: g * (a / np.where((a == 0) & (b == -1), 1, 1 + b)),
    domain={"b": (-1, INF)},
    texts={
        "a": "{g} * log1p({b})",
        "b": "{g} * ({a} / where(({a} == 0) & ({b} == -1), 1, 1 + {b}))",
    },
)
entr = Op(
    special.entr,
    x=lambda g, y, x: -g * (np.log(x) + 1),
    domain={"x": (0, INF)},
    texts={"x": "-{g} * (log({x}) + 1)"},
)

TABLE: tuple[Op, ...] = tuple(
    dict.fromkeys(op for op in list(vars().values()) if isinstance(op, Op))
)
