"""What bprop returns besides the parameters' gradients: checked where that can be told."""

import numpy as np
import pytest

from minigraph.testing import check_bprop
from tests.counts import share
from tests.testing.test_check_bprop import SOURCE, batch, fprop, graph, params, wrong_ones

KEYS = {"grad_oa": "grad_oa", "hs": "grad_hs", "dha": "grad_ha"}
X = {"x": "grad_x"}


def check(*changes, keys=KEYS, loss=fprop, **options):
    source = SOURCE + "\ngrad_x = W1.T @ grad_ha"
    for old, new in changes:
        assert source.count(old) == 1
        source = source.replace(old, new)
    code = compile(source, "homework", "exec")

    def bprop(params, x, y, lam):
        names = {**params, "x": x, "y": y, "lam": lam, "np": np}
        exec(code, names)
        found = {name: names[f"grad_{name}"] for name in params}
        return found | {key: names[name] for key, name in keys.items()}

    return check_bprop(loss, bprop, params, batch, penalties=(0,) * 4, **options)


@pytest.mark.parametrize("key", share(["x", "grad_x", "dx", "d_x", "∂x"], 2))
def test_the_inputs_gradient_is_checked_by_differences(key):
    keys = {key: "grad_x"}
    assert check(keys=keys).verdicts[key].status == "right"
    diagnosis = check(("W1.T @ grad_ha", "-W1.T @ grad_ha"), keys=keys)
    assert wrong_ones(diagnosis) == {key}
    assert diagnosis.verdicts[key].causes == ("its sign is wrong: it is minus the right one",)
    assert f"[{key!r}])" in diagnosis.counterexample


def test_intermediates_are_those_of_the_tensors_that_have_their_names():
    diagnosis = check(graph=graph)
    assert diagnosis.ok, str(diagnosis)
    assert [diagnosis.verdicts[key].status for key in KEYS] == ["right"] * 3
    assert not any("not checked" in line for line in diagnosis.blind_spots)


def test_what_nothing_can_tell_is_listed():
    diagnosis = check()
    assert diagnosis.ok
    words = "grad_oa, hs, dha are not checked: give graph=, with tensors of such names"
    assert words in diagnosis.blind_spots
    diagnosis = check(keys={"grad_foo": "ha"}, graph=graph)
    assert diagnosis.ok
    assert any(line.startswith("grad_foo is not checked: no") for line in diagnosis.blind_spots)
    assert check(keys={"cache": "np"}).ok  # no array: nobody's gradient


def test_a_tensor_itself_may_be_returned_by_its_name():
    assert check(keys={"ha": "ha"}, graph=graph).verdicts["ha"].status == "right"
    assert check(keys={"dha": "ha"}, graph=graph).verdicts["dha"].status == "wrong"


@pytest.mark.parametrize(("change", "first", "cause"), [
    (("W2.T @ grad_oa", "2 * W2.T @ grad_oa"), "hs", "it is twice the right one"),
    (("grad_hs * (ha > 0)", "grad_hs"), "dha", "the derivative of relu is missing"),
    (("grad_hs * (ha > 0)", "(grad_hs * (ha > 0)) ** 3"), "dha", ""),
])  # fmt: skip
def test_the_first_line_that_is_wrong_is_told(change, first, cause):
    diagnosis = check(change, graph=graph)
    wrong = list(KEYS)[list(KEYS).index(first) :]
    assert wrong_ones(diagnosis) == {*wrong, "W1", "b1"}
    assert f"the first that is wrong is {first}: what comes before it is right" in diagnosis.notes
    assert all(cause in words for words in diagnosis.verdicts[first].causes)
    if not cause:
        assert diagnosis.verdicts[first].causes == ()
        said = ("it is right for the dha that was given",)
        assert diagnosis.verdicts["W1"].causes == diagnosis.verdicts["b1"].causes == said


def test_an_intermediate_with_another_factor_that_is_made_good_is_right():
    diagnosis = check(
        (" / x.shape[1]", ""), ("grad_oa @ hs.T", "grad_oa @ hs.T / x.shape[1]"),
        ("grad_oa.sum(axis=1, keepdims=True)", "grad_oa.mean(axis=1, keepdims=True)"),
        ("grad_hs = W2.T @ grad_oa", "grad_hs = W2.T @ grad_oa / x.shape[1]"),
        graph=graph,
    )  # fmt: skip
    assert diagnosis.ok, str(diagnosis)
    said = ("it is K times the gradient of the loss, which the lines after it make good",)
    assert diagnosis.verdicts["grad_oa"].causes == said


def test_where_the_loss_is_wrong_intermediates_are_checked_by_the_graph_and_x_is_not():
    diagnosis = check(
        ("grad_ha.sum(", "(grad_ha * 1).sum("), keys={**KEYS, **X}, graph=graph,
        loss=lambda *a: 2 * fprop(*a),
    )  # fmt: skip
    assert wrong_ones(diagnosis) == {"fprop"}
    assert diagnosis.verdicts["x"].status == "cannot tell"
    assert all(diagnosis.verdicts[key].status == "right" for key in KEYS)


def test_a_graph_of_another_loss_tells_nothing_of_intermediates():
    diagnosis = check(graph=lambda *a: 2 * graph(*a))
    assert wrong_ones(diagnosis) == set()
    assert "dha is not checked: the graph is of another loss" in diagnosis.blind_spots


def test_a_name_that_several_tensors_have_tells_none_of_them():
    def named_twice(p, x, y, lam):
        loss = graph(p, x, y, lam)
        other = loss * 1.0
        other.name = "oa"
        return other

    diagnosis = check(graph=named_twice)
    assert diagnosis.ok
    assert any(line.startswith("grad_oa is not checked: no") for line in diagnosis.blind_spots)
