"""The held-out backward passes are right where they say so, and wrong just where they say so."""

from copy import deepcopy

import numpy as np
import pytest

import minigraph as mg
from tests.testing.held_out import ARCHITECTURES, load

SIZES = [
    {"d": 3, "dh": 5, "m": 4, "K": 6},
    {"d": 4, "dh": 3, "m": 2, "K": 9},
    {"d": 2, "dh": 4, "m": 3, "K": 1},
    {"d": 5, "dh": 2, "m": 6, "K": 4},
]
LAMBDAS = (0.031, 0.047, 0.073, 0.019)


def arguments(program, sizes, seed=0):
    rng = np.random.default_rng([seed, *sizes.values()])
    params = program.params(sizes, rng)
    rest = [*program.batch(sizes, rng)]
    if program.PENALTIES:
        rest.append(LAMBDAS[: program.PENALTIES])
    return params, *rest


def differences(fprop, params, *rest, eps=1e-5):
    params = deepcopy(params)
    slopes = {}
    for name, value in params.items():
        slopes[name] = np.empty_like(value)
        for entry in np.ndindex(value.shape):
            p = value[entry]
            value[entry] = p + eps
            above = fprop(params, *rest)
            value[entry] = p - eps
            below = fprop(params, *rest)
            value[entry] = p
            slopes[name][entry] = (above - below) / (2 * eps)
    return slopes


def differing(gradients, right, tolerance):
    """Names of gradients that are off by more than ``tolerance``, on the scale of the largest."""
    assert gradients.keys() == right.keys()
    scale = max(np.abs(g).max() for g in right.values())
    return {
        name
        for name, g in gradients.items()
        if np.shape(g) != right[name].shape or np.abs(g - right[name]).max() > tolerance * scale
    }


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_right_versions_agree_with_differences_and_graph(architecture, sizes):
    program = load(architecture)
    params, *rest = arguments(program, sizes)
    gradients = program.bprop(params, *rest)
    assert not differing(gradients, differences(program.fprop, params, *rest), 1e-6)

    if hasattr(program, "graph"):
        tensors = {name: mg.Tensor(p, requires_grad=True) for name, p in params.items()}
        loss = program.graph(tensors, *rest)
        assert np.isclose(loss.item(), program.fprop(params, *rest), rtol=1e-12)
        loss.backward()
        assert not differing(gradients, {name: t.grad.data for name, t in tensors.items()}, 1e-10)


def test_there_is_variety():
    programs = [load(architecture) for architecture in ARCHITECTURES]
    assert {program.AXIS for program in programs} == {"columns", "rows"}
    assert sum(hasattr(program, "graph") for program in programs) >= len(programs) / 2
