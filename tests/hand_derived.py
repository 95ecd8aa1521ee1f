"""The homework's network by hand: its two minibatch forms with one signature, and problems."""

import numpy as np
from hypothesis import strategies as st

from demos.homework import by_hand
from demos.homework.by_hand import Parameters


def by_loop(parameters, x, y, lam=by_hand.NO_PENALTY):
    """Give risk, gradients and data gradient, one example after the other."""
    risk, forwards = by_hand.fprop_loop(parameters, x, y, lam)
    return risk, *by_hand.bprop_loop(parameters, x, y, forwards, lam)


def by_matrix(parameters, x, y, lam=by_hand.NO_PENALTY):
    """Give the same of all examples at once."""
    risk, forward = by_hand.fprop_matrix(parameters, x, y, lam)
    return risk, *by_hand.bprop_matrix(parameters, x, y, forward, lam)


@st.composite
def problems(draw, smooth=False, max_K=9):
    """Draw parameters, data as columns, labels; unless smooth, often integers: zeros and ties."""
    d, dh, m = (draw(st.integers(1, 6)) for _ in range(3))
    K = draw(st.integers(1, max_K))
    decimals = 16 if smooth else draw(st.sampled_from([0, 16]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shapes = [(dh, d), (dh, 1), (m, dh), (m, 1), (d, K)]
    *parameters, x = (rng.normal(size=shape).round(decimals) for shape in shapes)
    return Parameters(*parameters), x, rng.integers(m, size=K)
