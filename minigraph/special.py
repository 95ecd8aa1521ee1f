"""SciPy's special functions with derivatives, by SciPy's names.

Its ufuncs need no import from here: where SciPy is loaded, ``scipy.special.erf(t)`` records by
itself. `polygamma`, `logsumexp`, `softmax` and `log_softmax` are no ufuncs in SciPy, and refuse
Tensors there; these take them.

Needs SciPy: ``pip install 'minigraph[special]'``.

Examples
--------
>>> import minigraph as mg
>>> from minigraph import special
>>> x = mg.Tensor([0.0, 1.0], requires_grad=True)
>>> mg.grad(special.erf(x).sum(), x)
Tensor([1.12837917, 0.4151075 ], dtype=float64)
"""

from minigraph.ops.neural import log_softmax, softmax
from minigraph.ops.reductions import logsumexp

try:
    from minigraph.ops.special import (
        beta,
        betaln,
        digamma,
        entr,
        erf,
        erfc,
        erfcx,
        expit,
        gamma,
        gammaln,
        log_expit,
        log_ndtr,
        logit,
        ndtr,
        polygamma,
        psi,
        xlog1py,
        xlogy,
    )
except ImportError as error:
    raise ImportError("minigraph.special needs SciPy: pip install 'minigraph[special]'") from error

__all__ = [
    "beta",
    "betaln",
    "digamma",
    "entr",
    "erf",
    "erfc",
    "erfcx",
    "expit",
    "gamma",
    "gammaln",
    "log_expit",
    "log_ndtr",
    "log_softmax",
    "logit",
    "logsumexp",
    "ndtr",
    "polygamma",
    "psi",
    "softmax",
    "xlog1py",
    "xlogy",
]
