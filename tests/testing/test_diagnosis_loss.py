"""A loss that is wrong is told from gradients that are wrong."""

import numpy as np
import pytest

from minigraph.testing import check_bprop
from minigraph.testing.mistakes import LIBRARY
from tests.counts import share
from tests.testing.test_check_bprop import (
    batch,
    diagnosed,
    fprop,
    graph,
    homework,
    params,
    wrong_ones,
)

LOSS = [m for m in LIBRARY if m.where == "loss"]
SAID = {
    "loss is a sum": "it is a sum over the examples, where the mean is meant",
    "penalty doubled in loss": "counts twice",
    "penalty of the wrong layer in loss": "is that of W",
    "penalty missing in loss": "is missing, or always 0",
    "loss over the wrong axis": "the wrong axis",
    "loss divided by another number": "divided by ",
}
NO_PENALTIES = (0,) * 4


def check(loss, bprop=None, **options):
    options.setdefault("penalties", NO_PENALTIES)
    return check_bprop(loss, bprop or homework(), params, batch, **options)


@pytest.mark.parametrize("mistake", share(LOSS, 6), ids=lambda m: m.name)
def test_a_mistake_in_the_loss_is_told_as_such_and_named(mistake):
    diagnosis = diagnosed(mistake)
    (cause,) = set(mistake.causes.values())
    if cause == "loss overflows":
        assert wrong_ones(diagnosis) == set()
        assert any("overflows" in remark for remark in diagnosis.remarks)
        return
    assert wrong_ones(diagnosis) == {"fprop"}
    assert all(SAID[cause] in words for words in diagnosis.verdicts["fprop"].causes)
    others = {name for name, v in diagnosis.verdicts.items() if "the right loss" in str(v)}
    assert others == set(mistake.causes)
    assert str(diagnosis).startswith("fprop: the loss is wrong, and the gradients are right\n")
    assert any(line.startswith("fprop: given ") for line in diagnosis.evidence)


def data(*arguments):
    return fprop(*arguments[:3], NO_PENALTIES)


LOSSES = {
    "it is divided by 29, whatever the number of examples is": lambda p, x, y, lam: (
        fprop(p, x, y, lam) + data(p, x, y) * (x.shape[1] / 29 - 1)
    ),
    "it is divided by d, not by the number of examples K: the mean goes over the wrong axis": (
        lambda p, x, y, lam: fprop(p, x, y, lam) + data(p, x, y) * (x.shape[1] / len(x) - 1)
    ),
    "it is divided by m too: the mean over all entries is taken": lambda p, x, y, lam: (
        fprop(p, x, y, lam) + data(p, x, y) * (1 / len(p["b2"]) - 1)
    ),
    "it is divided by K - 1": lambda p, x, y, lam: (
        fprop(p, x, y, lam) + data(p, x, y) / (x.shape[1] - 1)
    ),
    "it is 3 times the right one": lambda p, x, y, lam: fprop(p, x, y, lam) + 2 * data(p, x, y),
    "it is divided by the number of examples K once too often": lambda p, x, y, lam: (
        fprop(p, x, y, lam) + data(p, x, y) * (1 / x.shape[1] - 1)
    ),
    "the penalty λ12 of W1 counts 0.5 times": lambda p, x, y, lam: (
        fprop(p, x, y, lam) - lam[1] * (p["W1"] ** 2).sum() / 2
    ),
    "the penalty λ21 is that of W1 too, which has none": lambda p, x, y, lam: (
        fprop(p, x, y, lam) + lam[2] * np.abs(p["W1"]).sum()
    ),
    "the penalty λ22 of W2 is another function of it": lambda p, x, y, lam: (
        fprop(p, x, y, lam) + lam[3] * (p["W2"] ** 4).sum()
    ),
    "it is another loss than that of the graph": lambda p, x, y, lam: (
        fprop(p, x, y, lam) + (p["b2"] ** 2).sum()
    ),
}


@pytest.mark.parametrize("words", LOSSES)
def test_what_is_wrong_with_a_loss_is_said(words):
    diagnosis = check(LOSSES[words], graph=graph)
    assert wrong_ones(diagnosis) == {"fprop"}
    (cause,) = diagnosis.verdicts["fprop"].causes
    assert cause.startswith(words)


def test_a_mean_where_the_sum_is_meant_is_said():
    def loss(p, x, y):
        return np.mean((x @ p["w"] - y) ** 2)

    def gradient(p, x, y):
        return {"w": 2 * x.T @ (x @ p["w"] - y)}

    diagnosis = check_bprop(
        loss, gradient, lambda s, rng: {"w": rng.normal(size=s["d"])},
        lambda s, rng: (rng.normal(size=(s["K"], s["d"])), rng.normal(size=s["K"])),
        graph=lambda p, x, y: ((x @ p["w"] - y) ** 2).sum(),
    )  # fmt: skip
    words = ("it is a mean over the examples, where the sum is meant",)
    assert diagnosis.verdicts["fprop"].causes == words


def test_a_gradient_that_is_missing_is_wrong_besides_the_loss():
    def bprop(*arguments):
        given = homework()(*arguments)
        del given["b1"]
        return given

    diagnosis = check(lambda *a: 2 * fprop(*a), bprop, graph=graph)
    assert wrong_ones(diagnosis) == {"fprop", "b1"}
    assert str(diagnosis).startswith("fprop: the loss is wrong; wrong besides: b1")


def test_a_loss_and_gradients_that_agree_but_not_with_the_graph_are_remarked():
    def double(*arguments):
        return {name: 2 * value for name, value in homework()(*arguments).items()}

    diagnosis = check(lambda *a: 2 * fprop(*a), double, graph=graph)
    assert wrong_ones(diagnosis) == set()
    assert any("it is another loss" in remark for remark in diagnosis.remarks)
    assert check(lambda *a: fprop(*a) + 1, graph=graph).ok  # a constant is nobody's mistake


def test_without_a_graph_one_factor_of_all_gradients_may_be_the_losss():
    for loss, is_said in ((lambda *a: 4 * fprop(*a), True), (fprop, False)):
        bprop = homework() if is_said else homework(("grad_oa @ hs.T", "2 * grad_oa @ hs.T"))
        diagnosis = check(loss, bprop)
        assert not diagnosis.ok
        assert ("it may be the loss that has a wrong one" in str(diagnosis)) == is_said


def test_without_a_graph_a_penalty_that_is_twice_in_the_loss_is_said():
    def twice(p, x, y, lam):
        return 2 * fprop(p, x, y, lam) - data(p, x, y)

    causes = check(twice).verdicts["W2"].causes
    assert causes == (
        "the term of λ21 is sign(W2), as usual, but the loss has λ21 twice",
        "the term of λ22 is 2 * W2, as usual, but the loss has λ22 twice",
    )
    diagnosis = check(fprop, homework(("2 * lam[3] * W2", "lam[3] * W2")))
    assert "a factor 2 is missing" in diagnosis.verdicts["W2"].causes[0]
