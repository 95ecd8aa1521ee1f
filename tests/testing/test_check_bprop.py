"""The diagnosis of hand-written backward passes: what is wrong is named, what is right is right."""

import cProfile
import io
import math
import pickle
import re
import sys
import time

import numpy as np
import pytest

import minigraph as mg
from demos.homework import by_hand
from minigraph.testing import BackpropError, assert_bprop, check_bprop
from minigraph.testing.diagnosis import clock
from minigraph.testing.diagnosis.causes import reasons
from minigraph.testing.mistakes import ARCHITECTURES, LIBRARY, load
from tests.counts import THOROUGH, share

# Which values the subgradient takes at a kink is free: these are no mistakes of the gradient.
CONVENTIONS = [m for m in LIBRARY if re.search(r"relu′\(0\)|sign\(0\)", m.name)]
OTHER = [m for m in LIBRARY if m.where != "gradient"]


def diagnosed(mistake, **options):
    module = load(mistake)
    right = module if isinstance(mistake, str) else load(mistake.architecture)
    graph = right.graph if options.pop("with_graph", True) else None
    return check_bprop(
        module.fprop, module.bprop, module.params, module.batch,
        penalties=(0,) * module.PENALTIES, graph=graph, **options,
    )  # fmt: skip


def wrong_ones(diagnosis):
    return {name for name, verdict in diagnosis.verdicts.items() if verdict.status == "wrong"}


# The library


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_what_is_right_is_not_accused(architecture):
    for seed in range(20 if THOROUGH else 2):
        diagnosis = diagnosed(architecture, seed=seed)
        assert diagnosis.ok, str(diagnosis)
        assert str(diagnosis).startswith("bprop: all gradients are right")


@pytest.mark.parametrize("mistake", CONVENTIONS, ids=lambda m: m.name)
def test_each_subgradient_at_a_kink_is_right(mistake):
    assert wrong_ones(diagnosed(mistake)) == set()


@pytest.mark.parametrize("mistake", share(OTHER, 29), ids=lambda m: m.name)
def test_whatever_the_functions_do_ends_in_a_diagnosis(mistake):
    diagnosis = diagnosed(mistake)
    assert diagnosis.verdicts
    assert str(diagnosis)


# Sentences, on the homework's network

SOURCE = """
ha = W1 @ x + b1
hs = np.maximum(ha, 0)
oa = W2 @ hs + b2
e = np.exp(oa - oa.max(axis=0))
grad_oa = (e / e.sum(axis=0) - np.eye(len(b2))[:, y]) / x.shape[1]
grad_W2 = grad_oa @ hs.T + lam[2] * np.sign(W2) + 2 * lam[3] * W2
grad_b2 = grad_oa.sum(axis=1, keepdims=True)
grad_hs = W2.T @ grad_oa
grad_ha = grad_hs * (ha > 0)
grad_W1 = grad_ha @ x.T + lam[0] * np.sign(W1) + 2 * lam[1] * W1
grad_b1 = grad_ha.sum(axis=1, keepdims=True)
"""


def fprop(params, x, y, lam):
    return by_hand.fprop_matrix(by_hand.Parameters(**params), x, y, lam)[0]


def params(sizes, rng):
    return by_hand.init(sizes["d"], sizes["dh"], sizes["m"], rng)._asdict()


def batch(sizes, rng):
    return rng.normal(size=(sizes["d"], sizes["K"])), rng.integers(sizes["m"], size=sizes["K"])


def graph(params, x, y, lam):
    ha = params["W1"] @ x + params["b1"]
    hs = mg.relu(ha)
    oa = params["W2"] @ hs + params["b2"]
    for name, tensor in (("ha", ha), ("hs", hs), ("oa", oa)):
        tensor.name = name
    penalty = mg.elastic_net(params["W1"], *lam[:2]) + mg.elastic_net(params["W2"], *lam[2:])
    return mg.softmax_nll(oa.T, y) + penalty


def homework(*changes):
    source = SOURCE
    for old, new in changes:
        assert source.count(old) == 1
        source = source.replace(old, new)
    code = compile(source, "homework", "exec")

    def bprop(params, x, y, lam):
        names = {**params, "x": x, "y": y, "lam": lam, "np": np}
        exec(code, names)
        return {name: names[f"grad_{name}"] for name in params}

    return bprop


def check(*changes, **options):
    return check_bprop(fprop, homework(*changes), params, batch, penalties=(0,) * 4, **options)


SAID = {
    "C24: W is not divided by K": (
        [("hs.T +", "hs.T * x.shape[1] +"), ("x.T +", "x.T * x.shape[1] +")], None,
        {"W1": "K times the right one: the division by the number of examples K is missing",
         "W2": "K times the right one"},
    ),
    "E10: 1/K is missing": (
        [(" / x.shape[1]", "")], None, dict.fromkeys(("W1", "b1", "W2", "b2"), "K times"),
    ),
    "E17: a bias times x": (
        [("grad_b1 = grad_ha.sum", "grad_b1 = (grad_ha * x[:1]).sum")], graph,
        {"b1": "multiplied by the first row of x: a bias has no such factor"},
    ),
    "E20: the wrong λ": (
        [("lam[2]", "lam[3]")], None,
        {"W2": "λ22 is used where λ21 belongs, for the term sign(W2)"},
    ),
    "C15: penalties only in the loss": (
        [(" + lam[2] * np.sign(W2) + 2 * lam[3] * W2", "")], None,
        {"W2": "the penalty is in the loss but not in the gradient: "
               "λ21 * sign(W2) + λ22 * 2 * W2 is missing"},
    ),
    "C14: only the last example": (
        [("grad_oa @ hs.T", "grad_oa[:, -1:] @ hs[:, -1:].T")], None,
        {"W2": "only the last example counts"},
    ),
    "C5: an axis is lost": (
        [("grad_ha.sum(axis=1, keepdims=True)", "grad_ha.sum(axis=1)")], None,
        {"b1": "its entries are right, but its shape is 5 where the parameter has 5×1"},
    ),
    "transposed": ([("grad_W1 = grad_ha @ x.T", "grad_W1 = (grad_ha @ x.T)"),
                    ("lam[0] * np.sign(W1) + 2 * lam[1] * W1", "0"),
                    ("grad_ha @ x.T) +", "grad_ha @ x.T).T +")], None, {"W1": "it is transposed"}),
    "no derivative of relu": (
        [("grad_hs * (ha > 0)", "grad_hs")], graph,
        dict.fromkeys(("W1", "b1"), "∂ha, as it comes from hs: the derivative of relu is missing"),
    ),
    "a mask of the gradient": (
        [("(ha > 0)", "(grad_hs > 0)")], graph,
        dict.fromkeys(("W1", "b1"), "a mask of the gradient"),
    ),
    "the activation before relu": (
        [("grad_oa @ hs.T", "grad_oa @ ha.T")], graph, {"W2": "ha is used in place of hs"},
    ),
    "labels from 1": (
        [("[:, y]", "[:, (y + 1) % len(b2)]")], graph,
        dict.fromkeys(("W1", "b1", "W2", "b2"), "the labels are shifted by +1"),
    ),
    "no one-hot": (
        [(" - np.eye(len(b2))[:, y]", "")], graph,
        dict.fromkeys(("W1", "b1", "W2", "b2"), "one-hot vector of the label is not subtracted"),
    ),
    "two at once": (
        [("(ha > 0)", "(ha < 0)"), ("grad_oa @ hs.T", "-grad_oa @ hs.T")], graph,
        {"W2": "its sign is wrong", "W1": "the inverse", "b1": "the inverse"},
    ),
    "C16: updated before use": (
        [("grad_hs = W2.T", "grad_hs = (W2 - 0.1 * grad_oa @ hs.T).T")], graph,
        dict.fromkeys(("W1", "b1"), "a step of 0.1 was taken with W2 before it was used"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", SAID)
def test_the_homeworks_mistakes_are_named(what):
    changes, with_graph, said = SAID[what]
    diagnosis = check(*changes, graph=with_graph)
    assert wrong_ones(diagnosis) == set(said)
    for name, words in said.items():
        causes = diagnosis.verdicts[name].causes
        assert any(words in cause for cause in causes), causes
        assert all(cause in str(diagnosis) for cause in causes)


def test_it_runs_under_a_profiler():
    with cProfile.Profile():
        diagnosis = check()
    assert diagnosis.ok


def test_without_a_graph_what_no_signature_shows_is_said_to_be_unknown():
    diagnosis = check(("grad_hs * (ha > 0)", "grad_hs"))
    assert wrong_ones(diagnosis) == {"W1", "b1"}
    assert diagnosis.verdicts["W1"].causes == ()
    assert "no known cause fits" in str(diagnosis)


def test_the_counterexample_is_python_that_shows_it():
    diagnosis = check((" / x.shape[1]", ""))
    names = {"bprop": homework((" / x.shape[1]", ""))}
    exec(diagnosis.counterexample, names)
    x, y, given = names["x"], names["y"], names["params"]
    assert x.shape[1] <= 2
    wrong = names["bprop"](given, x, y, names.get("lam", (0,) * 4))
    right = homework()(given, x, y, names.get("lam", (0,) * 4))
    assert any(not np.allclose(wrong[name], right[name]) for name in right)


def test_evidence_and_what_is_right_are_shown():
    diagnosis = check(("grad_oa @ hs.T", "grad_oa @ ha.T"), graph=graph)
    (line,) = diagnosis.evidence
    assert re.match(r"W2\[\d, \d\]: given \S+, slope of the loss \S+ \(all sizes differ\)", line)
    words, array = diagnosis.expected["W2"]
    assert "@ hsᵀ" in words
    assert array.shape == (4, 5)


def test_a_graph_of_another_loss_is_said_and_not_used():
    def other(params, x, y, lam):
        return 2 * graph(params, x, y, lam)

    diagnosis = check(("(ha > 0)", "(ha < 0)"), graph=other)
    assert any("it is another loss" in remark for remark in diagnosis.remarks)
    assert wrong_ones(diagnosis) == {"W1", "b1"}


# What users give


def test_arrays_in_place_of_functions_are_checked_as_far_as_they_go():
    rng = np.random.default_rng(0)
    sizes = {"d": 3, "dh": 5, "m": 4, "K": 6}
    given = params(sizes, rng), batch(sizes, rng)
    for changes, ok in (((), True), (((" / x.shape[1]", ""),), False)):
        diagnosis = check_bprop(
            fprop, homework(*changes), *given, penalties=(0,) * 4, axis="columns"
        )
        assert diagnosis.ok == ok
        assert any("params is not a function of sizes" in line for line in diagnosis.blind_spots)
    assert "K times the right one" in str(diagnosis)


def test_functions_without_penalties_take_three_arguments():
    def loss(p, x, y):
        return np.mean((x @ p["w"] - y) ** 2)

    def gradient(p, x, y):
        return {"w": 2 * x.T @ (x @ p["w"] - y) / len(x)}

    def make(sizes, rng):
        return rng.normal(size=(sizes["K"], sizes["d"])), rng.normal(size=sizes["K"])

    def weights(sizes, rng):
        return {"w": rng.normal(size=sizes["d"])}

    assert_bprop(loss, gradient, weights, make)
    with pytest.raises(BackpropError, match=r"w  wrong  it is half the right one") as caught:
        assert_bprop(loss, lambda *a: {"w": gradient(*a)["w"] / 2}, weights, make)
    assert not caught.value.diagnosis.ok


BAD = {
    "raises": (lambda *a: 1 / 0, "bprop raises ZeroDivisionError: division by zero (line"),
    "no dict": (lambda *a: [1, 2], "bprop returns list, where a dict name → gradient is needed"),
    "objects": (
        lambda p, *a: {n: np.array([None]) for n in p}, "where an array of numbers is needed",
    ),
    "None": (lambda *a: None, "bprop returns NoneType, where a dict"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_a_bprop_that_cannot_be_used_is_a_finding(what):
    bprop, words = BAD[what]
    diagnosis = check_bprop(fprop, bprop, params, batch, penalties=(0,) * 4)
    assert {verdict.status for verdict in diagnosis.verdicts.values()} == {"cannot tell"}
    assert any(words in remark for remark in diagnosis.remarks), diagnosis.remarks
    assert str(diagnosis).startswith("bprop: nothing can be said of it")


def test_a_key_that_is_missing_is_named():
    def bprop(*arguments):
        given = homework()(*arguments)
        del given["b1"]
        return given

    for built in (None, graph):
        diagnosis = check_bprop(fprop, bprop, params, batch, penalties=(0,) * 4, graph=built)
        causes = diagnosis.verdicts["b1"].causes
        assert causes == ("bprop does not return it; it returns W1, W2, b2",)


def test_a_missing_key_does_not_hide_the_rule_that_is_wrong():
    def bprop(*arguments):
        given = homework(("(ha > 0)", "(ha < 0)"))(*arguments)
        del given["b2"]
        return given

    diagnosis = check_bprop(fprop, bprop, params, batch, penalties=(0,) * 4, graph=graph)
    assert "the inverse" in diagnosis.verdicts["W1"].causes[0]


def test_a_graph_that_raises_is_a_finding():
    diagnosis = check(("(ha > 0)", "(ha < 0)"), graph=lambda p, x, y, lam: p["nothing"])
    assert wrong_ones(diagnosis) == {"W1", "b1"}
    assert "graph raises KeyError: 'nothing'; it was not used" in diagnosis.remarks


CONDUCT = {
    "fprop changes its argument x": ("fprop", lambda p, x, y, lam: x.fill(0)),
    "bprop changes its argument params['W1']": ("bprop", lambda p, x, y, lam: p["W1"].fill(0)),
    "bprop prints at each call": ("bprop", lambda *a: print("here")),
}  # fmt: skip


@pytest.mark.parametrize("words", CONDUCT)
def test_bad_conduct_is_remarked(words):
    which, deed = CONDUCT[words]

    def spoiled(function):
        def call(*arguments):
            result = function(*arguments)
            deed(*arguments)
            return result

        return call

    forward = spoiled(fprop) if which == "fprop" else fprop
    backward = spoiled(homework()) if which == "bprop" else homework()
    diagnosis = check_bprop(forward, backward, params, batch, penalties=(0,) * 4)
    assert not diagnosis.ok
    assert wrong_ones(diagnosis) == set()
    assert any(remark.startswith(words) for remark in diagnosis.remarks), diagnosis.remarks


def test_buffers_that_are_used_again_and_parameters_that_are_shared_are_remarked():
    kept = {}

    def buffered(*arguments):
        for name, array in homework()(*arguments).items():
            if name in kept and kept[name].shape == array.shape:
                kept[name][...] = array
            else:
                kept[name] = array
        return dict(kept)

    diagnosis = check_bprop(fprop, buffered, params, batch, penalties=(0,) * 4)
    assert any("a buffer that is used again" in remark for remark in diagnosis.remarks)

    def shared(p, *rest):
        return {**homework()(p, *rest), "W1": p["W1"]}

    diagnosis = check_bprop(fprop, shared, params, batch, penalties=(0,) * 4)
    assert any("memory that is the parameters' own" in remark for remark in diagnosis.remarks)


def test_a_loss_that_overflows_is_remarked():
    def naive(p, x, y, lam):
        oa = p["W2"] @ np.maximum(p["W1"] @ x + p["b1"], 0) + p["b2"]
        e = np.exp(oa)
        os = e / e.sum(axis=0)
        return -np.log(os[y, np.arange(len(y))]).mean() + by_hand.penalty(
            by_hand.Parameters(**p), lam
        )

    diagnosis = check_bprop(naive, homework(), params, batch, penalties=(0,) * 4)
    assert wrong_ones(diagnosis) == set()
    assert any("subtract the largest activation first" in remark for remark in diagnosis.remarks)


def test_a_loss_that_is_a_sum_is_told_from_a_gradient_that_is_wrong():
    def total(p, x, y, lam):
        return (
            fprop(p, x, y, (0,) * 4) * x.shape[1] + fprop(p, x, y, lam) - fprop(p, x, y, (0,) * 4)
        )

    diagnosis = check_bprop(total, homework(), params, batch, penalties=(0,) * 4)
    assert wrong_ones(diagnosis) == {"W1", "b1", "W2", "b2"}
    assert "1/K of the right one" in str(diagnosis)
    assert "the loss is a sum over the examples" in str(diagnosis)


def test_params_and_batch_of_another_form_are_refused():
    with pytest.raises(TypeError, match="params is a dict of arrays, or a function"):
        check_bprop(fprop, homework(), [1, 2], batch)
    with pytest.raises(TypeError, match=r"batch is a pair \(x, y\)"):
        check_bprop(fprop, homework(), params, 3)
    given = batch({"d": 2, "m": 2, "K": 3}, np.random.default_rng(0))
    with pytest.raises(ValueError, match="axis is 'rows' or 'columns', not 'up'"):
        check_bprop(fprop, homework(), params, given, axis="up")


def test_slopes_at_a_kink_admit_what_lies_between_both_sides():
    def loss(p, x, y, lam):
        return lam[0] * np.abs(p["w"]).sum() + 0 * x.sum()

    def weights(sizes, rng):
        return {"w": rng.normal(size=(3, 2))}

    def make(sizes, rng):
        return rng.normal(size=(sizes["K"], 2)), rng.normal(size=sizes["K"])

    for at_zero, right in ((0.0, True), (1.0, True), (-0.3, True), (1.5, False), (math.nan, False)):

        def gradient(p, x, y, lam, at_zero=at_zero):
            return {"w": lam[0] * np.where(p["w"] == 0, at_zero, np.sign(p["w"]))}

        diagnosis = check_bprop(loss, gradient, weights, make, penalties=(0,))
        assert (wrong_ones(diagnosis) == set()) == right


# Numbers of fewer digits, whole numbers, and what ends the program


def single(function):
    def call(p, x, y, lam):
        narrow = {name: value.astype(np.float32) for name, value in p.items()}
        return function(narrow, x.astype(np.float32), y, tuple(map(np.float32, lam)))

    return call


def narrowed(function, dtype=np.float32):
    return lambda *a: {name: value.astype(dtype) for name, value in function(*a).items()}


def test_what_is_computed_in_float32_is_noted_not_accused():
    options = {"penalties": (0,) * 4, "graph": graph}
    for backward, noted in (
        (narrowed(homework()), "W1, b1, W2, b2: computed in float32"),
        (narrowed(narrowed(homework()), np.float64), ""),
        (single(homework()), ""),
    ):
        diagnosis = check_bprop(fprop, backward, params, batch, **options)
        assert diagnosis.ok, str(diagnosis)
        assert noted in str(diagnosis)
    diagnosis = check_bprop(single(fprop), narrowed(homework()), params, batch, **options)
    assert diagnosis.ok, str(diagnosis)
    assert any("as float32 does" in line for line in diagnosis.blind_spots)
    wrong = narrowed(homework((" / x.shape[1]", "")))
    diagnosis = check_bprop(fprop, wrong, params, batch, **options)
    assert all("K times" in diagnosis.verdicts[name].causes[0] for name in ("W1", "b2"))


def test_parameters_in_float32_are_checked_in_float64():
    def narrow(sizes, rng):
        return {n: v.astype(np.float32) for n, v in params(sizes, rng).items()}

    seen = set()

    def loss(p, *rest):
        seen.update(value.dtype for value in p.values())
        return fprop(p, *rest)

    diagnosis = check_bprop(loss, homework(), narrow, batch, penalties=(0,) * 4)
    assert diagnosis.ok
    assert seen == {np.dtype(np.float64)}
    assert any(line.startswith("parameters in float32") for line in diagnosis.notes)


def test_a_loss_of_whole_numbers_has_no_slopes():
    diagnosis = check_bprop(
        lambda *a: round(10 * fprop(*a)), homework(), params, batch, penalties=(0,) * 4
    )
    assert {verdict.status for verdict in diagnosis.verdicts.values()} == {"cannot tell"}
    assert any("so its slopes are 0" in remark for remark in diagnosis.remarks)


def test_a_function_that_exits_is_a_finding():
    def leave(*arguments):
        raise SystemExit(2)

    for functions in ((leave, homework()), (fprop, leave)):
        diagnosis = check_bprop(*functions, params, batch, penalties=(0,) * 4)
        assert {verdict.status for verdict in diagnosis.verdicts.values()} == {"cannot tell"}
        assert any("raises SystemExit: 2 (line" in remark for remark in diagnosis.remarks)
    diagnosis = check_bprop(fprop, homework(), params, batch, penalties=(0,) * 4, graph=leave)
    assert diagnosis.remarks == ["graph raises SystemExit: 2; it was not used"]


@pytest.mark.parametrize(
    "mistake", share([m for m in OTHER if m.where == "conduct"], 9), ids=lambda m: m.name
)
def test_bad_conduct_is_not_passed_over(mistake):
    diagnosis = diagnosed(mistake, with_graph=False)
    assert not diagnosis.ok or any("computed in float32" in note for note in diagnosis.notes)


def test_gradients_that_share_memory_are_remarked():
    def bprop(*arguments):
        found = homework()(*arguments)
        both = np.concatenate([found["b1"], found["b2"]])
        return {**found, "b1": both[: len(found["b1"])], "b2": both[-len(found["b2"]) - 1 :][1:]}

    assert check_bprop(fprop, bprop, params, batch, penalties=(0,) * 4).ok  # parts, not shared

    def shared(p, x, y):
        g = 2 * (p["a"] + p["b"] - y.mean())
        return {"a": g, "b": g}

    diagnosis = check_bprop(
        lambda p, x, y: ((p["a"] + p["b"] - y.mean()) ** 2).sum(), shared,
        lambda sizes, rng: {"a": rng.normal(size=3), "b": rng.normal(size=3)},
        lambda s, rng: (rng.normal(size=(s["K"], 2)), rng.normal(size=s["K"])),
    )  # fmt: skip
    assert any(remark.startswith("a and b: bprop returns") for remark in diagnosis.remarks)


# The picture


def test_the_rule_that_is_wrong_is_drawn_in_vermillion():
    drawing = check(("grad_hs * (ha > 0)", "grad_hs"), graph=graph).draw(title="homework")
    lines = drawing.source.splitlines()
    (box,) = [line for line in lines if "✗ ∂ha, as it comes from hs" in line]
    assert "hs = relu(ha)" in box
    assert 'color="#962C00"' in box
    (arrow,) = [line for line in lines if " -> " in line and "#962C00" in line]
    assert "the derivative of relu is missing" in arrow
    assert "✗ what is wrong" in drawing.source
    assert "✗ ∂ha, as it comes from hs: the derivative of relu is missing" in str(drawing)
    assert drawing.source == pickle.loads(pickle.dumps(drawing)).source


def test_without_a_known_rule_the_parameters_are_drawn_in_vermillion():
    drawing = check(("grad_oa @ hs.T", "-grad_oa @ hs.T"), graph=graph).draw()
    (box,) = [line for line in drawing.source.splitlines() if "✗ its sign is wrong" in line]
    assert "<b>W2</b>" in box
    assert 'color="#962C00"' in box
    assert "✗" not in str(check(graph=graph).draw())
    diagnosis = check_bprop(
        lambda *a: 2 * fprop(*a), homework(), params, batch, penalties=(0,) * 4, graph=graph
    )
    assert "✗ it is 2 times the right one" in str(diagnosis.draw()).splitlines()[-1]


def test_without_a_graph_there_is_nothing_to_draw():
    with pytest.raises(ValueError, match="give graph= to check_bprop"):
        check().draw()


# Time


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_when_the_time_is_up_what_was_not_tried_is_said():
    def slow(*arguments):
        time.sleep(0.001)
        return fprop(*arguments)

    wrong = homework(("(ha > 0)", "(ha > 0) * (grad_hs + ha)"))
    start = time.monotonic()
    diagnosis = check_bprop(slow, wrong, params, batch, penalties=(0,) * 4, budget=0.5)
    assert time.monotonic() - start < 2
    assert wrong_ones(diagnosis) == {"W1", "b1"}
    assert any(
        re.fullmatch(r"not tried: .*larger weights; the time was up after 0.5 s .*", line)
        for line in diagnosis.blind_spots
    )
    diagnosis = check_bprop(slow, wrong, params, batch, penalties=(0,) * 4, budget=0.02)
    assert {verdict.status for verdict in diagnosis.verdicts.values()} == {"cannot tell"}
    assert "even the first problem was too much" in str(diagnosis)


def test_the_search_stops_when_the_time_is_up(monkeypatch):
    def late(records, cases, leave, is_late):
        while not is_late():
            time.sleep(0.01)
        return []

    monkeypatch.setattr(reasons, "matching", late)
    diagnosis = check(("grad_hs * (ha > 0)", "grad_hs"), graph=graph, budget=1.0)
    assert any(line.startswith("not all known causes") for line in diagnosis.blind_spots)


@pytest.mark.parametrize("stream", [Terminal(), io.StringIO()])
def test_progress_is_shown_on_a_terminal_and_wiped(stream, monkeypatch):
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(clock, "SHOWN_AFTER", 0.05)
    monkeypatch.setattr(clock, "AGAIN_AFTER", 0.01)
    check()
    written = stream.getvalue()
    if not stream.isatty():
        assert written == ""
        return
    shown = written.split("\r")
    assert "check_bprop: measuring slopes, 0 s" in shown
    assert written.endswith("\r")
    assert shown[-2].isspace()
    assert len(shown[-2]) == max(map(len, shown))
