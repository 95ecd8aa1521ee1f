"""Mutants are wrong versions of formulas; planted, they are noticed; taken out, all is right."""

import numpy as np
import pytest

import minigraph as mg
from minigraph.ops import TABLE
from minigraph.ops.linalg import matrix_product
from minigraph.ops.neural import nll
from minigraph.ops.shaping import indexing
from minigraph.testing import mutate
from minigraph.testing.laws import LAWS
from minigraph.testing.mutation import drawn_calls, mutants, planted
from tests.counts import share

DIFFERENTIABLE = [op for op in TABLE if op.each or any(op.vjps)]


def names(op, slot=0, n=20):
    return {m.name for m in mutants(op, drawn_calls(op, n)) if m.slot == slot}


@pytest.mark.parametrize(
    ("op", "slot", "expected"),
    [
        (mg.multiply, 0, {"sign", "g missing", "g twice", "a for b", "times 1 + 1e-5"}),
        (mg.multiply, 1, {"one copy for the sum of all", "mean for the sum of copies"}),
        (matrix_product, 0, {"swapaxes left out: operand 0"}),
        (mg.maximum, 0, {"where: the other side", "greater: or equal", "equal: never"}),
        (mg.tanh, 0, {"x for y", "times K", "times 1/K", "left at zero"}),
        (mg.sum, 0, {"last row missing"}),
        (nll, 0, {"softmax_error: one-hot missing"}),
        (indexing, 0, {"scatter: the last of several wins"}),
        (mg.linear.__globals__["affine"], 2, {"sum: mean"}),
    ],
)
def test_the_usual_mistakes_are_among_the_mutants(op, slot, expected):
    assert expected <= names(op, slot)


def test_a_planted_mutant_is_what_everyone_computes_with_until_it_is_taken_out():
    x = mg.Tensor([0.5, -1.0], requires_grad=True)
    right = mg.grad(np.tanh(x).sum(), x).data
    sign = next(m for m in mutants(mg.tanh, drawn_calls(mg.tanh, 4)) if m.name == "sign")
    with planted(sign):
        assert np.array_equal(mg.grad(np.tanh(x).sum(), x).data, -right)
        assert np.array_equal(mg.grad(mg.tanh(x).sum(), x, create_graph=True).data, -right)
    assert np.array_equal(mg.grad(np.tanh(x).sum(), x).data, right)


@pytest.mark.parametrize("op", share(DIFFERENTIABLE, 4), ids=lambda op: op.name)
def test_mutants_are_killed(op):
    """Three of each op, picked anew by each name: `python -m minigraph.testing.mutate` does all."""
    programs = drawn_calls(op, 40)
    found = [m for m in mutants(op, programs[:10] + programs[-10:])
             if (op.name, m.input, m.name) not in mutate.EQUIVALENT]  # fmt: skip
    for mutant in found[:: max(1, len(found) // 3)]:
        assert mutate.killer(mutant, programs), mutant
    for law in LAWS:  # and with all of them taken out, the laws hold again
        law(programs[0], 0)


def test_the_command_prints_a_verdict_for_each_mutant(capsys):
    assert mutate.main(["--op", "negative", "--calls", "10"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["negative", "x", "sign", "killed", "gradient_is_the_slope"]
    assert lines[-1] == f"{len(lines) - 1} killed, 0 equivalent, 0 SURVIVED"


def test_a_survivor_is_shown_and_counted(monkeypatch, capsys):
    monkeypatch.setattr(mutate, "LAWS", ())
    assert mutate.main(["--op", "negative", "--calls", "4"]) > 0
    assert "SURVIVED" in capsys.readouterr().out
