"""The held-out backward passes are right where they say so, and wrong just where they say so."""

from copy import deepcopy

import numpy as np
import pytest

import minigraph as mg
from minigraph.testing import check_bprop
from tests.counts import share
from tests.testing.held_out import ARCHITECTURES, MISTAKES, load, source

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


def misbehaviour(program, sizes):
    """What calls of ``bprop`` do to their arguments, to each other and to earlier results."""
    params, *rest = arguments(program, sizes)
    other, *_ = arguments(program, sizes, seed=1)
    given = deepcopy((params, rest))
    first = program.bprop(params, *rest)
    kept = deepcopy(first)
    found = set()
    if not same(given, (params, rest)):
        found.add("arguments changed")
    params, rest = given
    if not same(program.bprop(params, *rest), kept):
        found.add("second call differs")
    of_other = deepcopy(program.bprop(other, *rest))
    if not same(first, kept):
        found.add("result overwritten")
    if not same(program.bprop(other, *deepcopy(rest)), of_other):
        found.add("result depends on the batch's identity")
    return found


def same(one, two):
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(same(one[k], two[k]) for k in one)
    if isinstance(one, (tuple, list)):
        return len(one) == len(two) and all(map(same, one, two))
    return np.array_equal(one, two)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_right_versions_behave(architecture):
    assert not any(misbehaviour(load(architecture), sizes) for sizes in SIZES)


def of_conduct(mistake):
    return mistake.rule == "conduct"


def in_the_loss(mistake):
    return mistake.rule.startswith("loss")


def is_pair(mistake):
    return "; " in mistake.rule


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_wrong_versions_are_wrong_as_they_say(mistake):
    assert source(mistake) != source(mistake.architecture)
    right = load(mistake.architecture)
    off = set()
    for sizes in SIZES:
        params, *rest = arguments(right, sizes)
        wrong = load(mistake)
        loss = wrong.fprop(deepcopy(params), *deepcopy(rest))
        gradients = wrong.bprop(deepcopy(params), *deepcopy(rest))
        truth = right.bprop(params, *rest)
        if in_the_loss(mistake):
            assert not differing(gradients, truth, 0)
            truth = differences(wrong.fprop, params, *rest)
        elif not of_conduct(mistake):
            assert loss == right.fprop(params, *rest)
        off |= differing(gradients, truth, 1e-5)
    assert off == set(mistake.wrong)
    assert off or of_conduct(mistake)
    assert any(misbehaviour(load(mistake), sizes) for sizes in SIZES) == of_conduct(mistake)


@pytest.mark.parametrize("pair", [*filter(is_pair, MISTAKES)], ids=lambda pair: pair.name)
def test_each_of_two_is_a_mistake_of_its_own(pair):
    right = load(pair.architecture)
    params, *rest = arguments(right, SIZES[0])
    truth = right.bprop(params, *rest)
    one, two = (
        differing(load(pair._replace(patches=(patch,))).bprop(params, *rest), truth, 1e-5)
        for patch in pair.patches
    )
    assert one
    assert two
    assert one | two == set(pair.wrong)


@pytest.mark.parametrize("mistake", share(MISTAKES, 20), ids=lambda mistake: mistake.name)
def test_the_diagnosis_finds_it_in_the_parameters_that_are_wrong(mistake):
    """How often it names the cause too is judged by reading: benchmarks/diagnosis.py --held-out."""
    wrong, right = load(mistake), load(mistake.architecture)
    diagnosis = check_bprop(
        wrong.fprop, wrong.bprop, wrong.params, wrong.batch, axis=wrong.AXIS,
        penalties=(0,) * wrong.PENALTIES, graph=getattr(right, "graph", None),
    )  # fmt: skip
    assert not diagnosis.ok
    if not of_conduct(mistake) and not in_the_loss(mistake):
        found = {n for n, verdict in diagnosis.verdicts.items() if verdict.status == "wrong"}
        assert found == set(mistake.wrong)


def test_there_is_variety():
    programs = [load(architecture) for architecture in ARCHITECTURES]
    assert {program.AXIS for program in programs} == {"columns", "rows"}
    assert sum(hasattr(program, "graph") for program in programs) >= len(programs) / 2
    assert {mistake.architecture for mistake in MISTAKES} == ARCHITECTURES.keys()
    assert len({mistake.name for mistake in MISTAKES}) == len(MISTAKES) >= 36
    assert sum(map(of_conduct, MISTAKES)) >= 5
    assert sum(map(in_the_loss, MISTAKES)) >= 4
    assert sum(map(is_pair, MISTAKES)) >= 4
