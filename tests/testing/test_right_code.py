"""check_bprop accuses nothing that is right, however it is written."""

from random import Random

import numpy as np
import pytest
from rewritings import Rewriting, rewriting

import minigraph as mg
from minigraph.testing import Diagnosis, check_bprop
from tests.counts import THOROUGH

SIZES = {"d": 3, "dh": 5, "dh2": 7, "m": 4, "K": 6}


def arguments(written: Rewriting, seed: int = 0):
    """Draw parameters and a minibatch for a program."""
    module, rng = written.module(), np.random.default_rng(seed)
    return module, module.params(SIZES, rng), module.batch(SIZES, rng)


def assert_right(written: Rewriting) -> None:
    """Compare a program with its graph: loss and gradients are those of minigraph."""
    for seed in (1, 2):
        module, params, (x, y) = arguments(written, seed)
        rng = np.random.default_rng(seed)
        # off the lattice, so that no kink is met
        params = {n: p.astype(float) + 0.1 * rng.normal(size=p.shape) for n, p in params.items()}
        rest = (x, y, (0.01, 0.03, 0.05, 0.07, 0.02, 0.06)[: written.penalties])
        rest = rest if written.penalties else rest[:2]
        tensors = {name: mg.Tensor(p, requires_grad=True) for name, p in params.items()}
        loss = module.graph(tensors, *rest)
        exact = 3000 * written.rounding  # some have a unit that is normalised by next to nothing
        np.testing.assert_allclose(module.fprop(params, *rest), loss.item(), rtol=exact)
        given = module.bprop(params, *rest)
        right = dict(zip(tensors, mg.grad(loss, list(tensors.values()))))
        scale = max(float(np.abs(g.data).max()) for g in right.values())
        for name, g in right.items():
            assert np.shape(given[name]) == g.shape, name
            np.testing.assert_allclose(given[name], g.data, atol=exact * scale, err_msg=name)


def diagnosed(written: Rewriting) -> Diagnosis:
    """Check a program as a user would."""
    module, params, batch = arguments(written, 3)
    if not written.fixed:
        params, batch = module.params, module.batch
    return check_bprop(
        module.fprop, module.bprop, params, batch,
        penalties=(0,) * written.penalties or None,
        graph=module.graph if written.with_graph else None, **written.options,
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(2000 if THOROUGH else 10))
def test_right_code_is_not_accused(seed: int) -> None:
    written = rewriting(Random(seed))
    assert_right(written)
    diagnosis = diagnosed(written)
    assert diagnosis.ok, f"{written.source}\n{written[1:]}\n{diagnosis}"


# Each of these was accused once


def single(function):
    """Compute in float32 inside."""

    def call(p, x, y, *lam):
        p = {name: value.astype(np.float32) for name, value in p.items()}
        return function(p, x.astype(np.float32), y, *lam)

    return call


def fprop(p, x, y):
    a = np.maximum(p["W1"] @ x + p["b1"], 0)
    o = p["W2"] @ a
    return np.mean(np.logaddexp.reduce(o, axis=0) - o[y, np.arange(len(y))])


def bprop(p, x, y, wrong=1.0):
    a = np.maximum(p["W1"] @ x + p["b1"], 0)
    o = p["W2"] @ a
    g = np.exp(o - np.logaddexp.reduce(o, axis=0))
    g[y, np.arange(len(y))] -= 1
    g /= len(y)
    g_a = np.where(a > 0, p["W2"].T @ g, 0)
    return {
        "W1": g_a @ x.T,
        "b1": g_a.sum(axis=1, keepdims=True),
        "W2": g @ a.T * np.float32(wrong),
    }


def params(sizes, rng):
    d, dh, m = sizes["d"], sizes["dh"], sizes["m"]
    shapes = {"W1": (dh, d), "b1": (dh, 1), "W2": (m, dh)}
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


def batch(sizes, rng):
    return rng.normal(size=(sizes["d"], sizes["K"])), rng.integers(sizes["m"], size=sizes["K"])


SINGLE = {
    "the gradients": (fprop, single(bprop)),
    "the loss": (lambda *a: float(single(fprop)(*a)), bprop),
    "both": (single(fprop), single(bprop)),
    "what is returned": (
        fprop,
        lambda *a: {name: g.astype(np.float32) for name, g in bprop(*a).items()},
    ),
}


@pytest.mark.parametrize("what", SINGLE)
def test_float32_inside_is_right_within_its_rounding(what):
    for seed in range(3 if THOROUGH else 1):
        diagnosis = check_bprop(*SINGLE[what], params, batch, seed=seed)
        assert diagnosis.ok, str(diagnosis)
        said = any("as float32 does" in line for line in diagnosis.blind_spots)
        assert said == (what in ("the loss", "both"))


@pytest.mark.parametrize("what", SINGLE)
def test_a_mistake_of_a_few_thousandths_is_found_in_float32_too(what):
    loss, gradients = SINGLE[what]

    def wrong(*arguments):
        given = gradients(*arguments)
        given["W2"] = given["W2"] * np.float32(1.003)
        return given

    verdicts = check_bprop(loss, wrong, params, batch).verdicts
    assert [verdicts[name].status for name in ("W1", "b1", "W2")] == ["right", "right", "wrong"]


def test_float32_where_all_examples_are_as_they_should_be():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 6))
    given = params({"d": 3, "dh": 5, "m": 4}, rng)
    given["W2"] *= 8  # p is 1, nearly: float32 has little of p - 1
    y = (given["W2"] @ np.maximum(given["W1"] @ x + given["b1"], 0)).argmax(axis=0)
    for loss in (fprop, single(fprop)):
        diagnosis = check_bprop(loss, single(bprop), given, (x, y), axis="columns")
        assert diagnosis.ok, str(diagnosis)


@pytest.mark.parametrize("at_zero", [0.0, 0.5, 1.0])
def test_whole_numbers_that_make_activations_of_zero(at_zero):
    def whole(function):
        return lambda sizes, rng: {n: np.rint(v) for n, v in function(sizes, rng).items()}

    def integers(sizes, rng):
        x, y = batch(sizes, rng)
        return np.rint(x), y

    def gradients(p, x, y):
        a = p["W1"] @ x + p["b1"]
        given = bprop(p, x, y)
        o = p["W2"] @ np.maximum(a, 0)
        g = np.exp(o - np.logaddexp.reduce(o, axis=0))
        g[y, np.arange(len(y))] -= 1
        g_a = p["W2"].T @ g / len(y) * np.heaviside(a, at_zero)
        return {**given, "W1": g_a @ x.T, "b1": g_a.sum(axis=1, keepdims=True)}

    for seed in range(5 if THOROUGH else 2):
        diagnosis = check_bprop(fprop, gradients, whole(params), integers, seed=seed)
        assert diagnosis.ok, str(diagnosis)


def test_a_kink_where_the_loss_is_also_curved():
    def loss(p, x, y, lam):
        return lam[0] * np.abs(p["W"]).sum() + np.cosh(4 * np.sin(p["W"])).sum() + 0 * x.sum()

    def gradients(p, x, y, lam):
        side = np.where(p["W"] >= 0, 1, -1)  # at 0: the slope to the right
        return {"W": lam[0] * side + 4 * np.sinh(4 * np.sin(p["W"])) * np.cos(p["W"])}

    diagnosis = check_bprop(
        loss,
        gradients,
        lambda sizes, rng: {"W": rng.normal(size=(3, 2))},
        lambda sizes, rng: (rng.normal(size=(sizes["K"], 2)), rng.normal(size=sizes["K"])),
        penalties=(0,),
    )
    assert diagnosis.ok, str(diagnosis)


@pytest.mark.parametrize("extra", [(np.ones(3), np.ones((2, 2))), None, "adam", {"ha": 1}])
def test_what_is_returned_besides_the_gradients_is_not_looked_at(extra):
    diagnosis = check_bprop(fprop, lambda *a: {**bprop(*a), "cache": extra}, params, batch)
    assert diagnosis.ok, str(diagnosis)


def test_a_buffer_that_is_returned_besides_the_gradients_may_be_used_again():
    kept = np.zeros(1)

    def gradients(p, x, y):
        kept[0] += 1
        return {**bprop(p, x, y), "calls": kept}

    assert check_bprop(fprop, gradients, params, batch).ok


def test_columns_are_found_where_inputs_and_outputs_are_as_many():
    def loss(p, x, y):
        return ((p["W"] @ x - y) ** 2).sum() / x.shape[1]

    def gradients(p, x, y):
        return {"W": 2 * (p["W"] @ x - y) @ x.T / x.shape[1]}

    rng = np.random.default_rng(0)
    given = {"W": rng.normal(size=(2, 2))}
    diagnosis = check_bprop(loss, gradients, given, (rng.normal(size=(2, 6)), np.ones((2, 6))))
    assert diagnosis.ok, str(diagnosis)
    assert any("columns of x" in note for note in diagnosis.notes)
    assert "the loss is a mean over the examples" in diagnosis.notes


def test_a_loss_in_float32_that_hardly_changes():
    def loss(p, x, y):
        return float(np.float32(1.3) + np.float32(1e-4) * np.float32((p["w"] ** 2).sum()))

    def gradients(p, x, y):
        return {"w": 2e-4 * p["w"]}

    diagnosis = check_bprop(loss, gradients, lambda sizes, rng: {"w": rng.normal(size=3)}, batch)
    assert diagnosis.verdicts["w"].status == "right", str(diagnosis)


def test_a_loss_that_is_steep_is_not_taken_for_float32():
    def loss(p, x, y):
        return np.sum(np.tanh(2000 * p["w"])) + 0 * x.sum()

    def gradients(p, x, y):
        return {"w": 2000 * (1 - np.tanh(2000 * p["w"]) ** 2)}

    diagnosis = check_bprop(loss, gradients, {"w": np.array([1e-4, -3e-4, 5e-4, 1.0])}, batch)
    assert diagnosis.ok, str(diagnosis)


def test_two_kinks_at_one_place_have_two_sides_each():
    def loss(p, x, y, lam):
        return 0.3 * np.maximum(-p["W"], 0).sum() + lam[0] * np.abs(p["W"]).sum() + 0 * x.sum()

    def gradients(p, x, y, lam):
        return {"W": -0.3 * (p["W"] <= 0) + lam[0] * np.where(p["W"] >= 0, 1, -1)}

    def weights(sizes, rng):
        return {"W": rng.normal(size=(3, 2))}

    for function in (loss, single(loss)):
        diagnosis = check_bprop(function, gradients, weights, batch, penalties=(0,))
        assert diagnosis.ok, str(diagnosis)
