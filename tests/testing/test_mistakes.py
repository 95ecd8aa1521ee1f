"""The library of wrong backward passes: the right ones are right, the wrong ones as they say."""

import numpy as np
import pytest

import minigraph as mg
from minigraph.testing import check_gradients
from minigraph.testing.mistakes import ARCHITECTURES, load

LAMBDAS = (0.011, 0.023, 0.037, 0.053)
SIZES = [
    {"d": 3, "dh": 5, "dh2": 7, "m": 4, "K": 6},
    {"d": 2, "dh": 3, "dh2": 5, "m": 6, "K": 11},
    {"d": 4, "dh": 4, "dh2": 4, "m": 4, "K": 5},
    {"d": 3, "dh": 5, "dh2": 7, "m": 4, "K": 1},
    {"d": 2, "dh": 2, "dh2": 2, "m": 2, "K": 2},
]


def draw(architecture, sizes, seed=0):
    """Give a right program with parameters, and the rest of its arguments."""
    program, rng = load(architecture), np.random.default_rng(seed)
    params, (x, y) = program.params(sizes, rng), program.batch(sizes, rng)
    lam = (LAMBDAS[: program.PENALTIES],) if program.PENALTIES else ()
    return program, params, (x, y, *lam)


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_right_programs_agree_with_their_graph(architecture, sizes):
    for seed in range(5):
        program, params, rest = draw(architecture, sizes, seed)
        params["W1"][0, 0] = 0  # where |w| has its kink
        tensors = {name: mg.Tensor(p, requires_grad=True) for name, p in params.items()}
        loss = program.graph(tensors, *rest)
        assert type(program.fprop(params, *rest)) is float
        np.testing.assert_allclose(program.fprop(params, *rest), loss.item(), rtol=1e-12)
        found = program.bprop(params, *rest)
        assert list(found) == list(params)
        for name, expected in zip(tensors, mg.grad(loss, list(tensors.values()))):
            assert found[name].shape == params[name].shape
            np.testing.assert_allclose(found[name], expected.data, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("K", [1, 6])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_right_programs_agree_with_differences(architecture, K):
    program, params, rest = draw(architecture, {**SIZES[0], "K": K})
    check_gradients(
        lambda given: program.fprop(given, *rest),
        params,
        gradient=lambda given: program.bprop(given, *rest),
    )
