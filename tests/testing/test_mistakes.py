"""The library of wrong backward passes: the right ones are right, the wrong ones as they say."""

import contextlib
import copy
import io
import linecache
import traceback
from collections import Counter
from functools import cache
from itertools import combinations

import numpy as np
import pytest

import minigraph as mg
from minigraph.testing import check_gradients
from minigraph.testing.mistakes import ARCHITECTURES, CAUSES, LIBRARY, Mistake, load, source

LAMBDAS = (0.011, 0.023, 0.037, 0.053)
ODD = {"d": 3, "dh": 5, "dh2": 7, "m": 4, "K": 6}
SIZES = [
    ODD,
    {"d": 2, "dh": 3, "dh2": 5, "m": 6, "K": 11},
    {"d": 4, "dh": 4, "dh2": 4, "m": 4, "K": 5},
    {**ODD, "K": 1},
    {"d": 2, "dh": 2, "dh2": 2, "m": 2, "K": 2},
]


def draw(architecture, sizes, seed=0, penalised=True):
    """Give a right program with parameters, and the rest of its arguments."""
    program, rng = load(architecture), np.random.default_rng(seed)
    params, (x, y) = program.params(sizes, rng), program.batch(sizes, rng)
    lam = (LAMBDAS[: program.PENALTIES] if penalised else (0.0,) * program.PENALTIES,)
    return program, params, (x, y, *lam[: program.PENALTIES])


# The right programs


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
    program, params, rest = draw(architecture, {**ODD, "K": K})
    check_gradients(
        lambda given: program.fprop(given, *rest),
        params,
        gradient=lambda given: program.bprop(given, *rest),
    )


# Probes: parameters and data on which two programs are compared


@cache
def correct(architecture, probe):
    """Give the right loss and gradient on a probe."""
    right = load(architecture)
    return [call(f, *probes(architecture)[probe])[0] for f in (right.fprop, right.bprop)]


@cache
def probes(architecture):
    """List calls by name: odd sizes, zeros, equal sizes, one example, large logits, on the kink."""
    found = {
        "odd": draw(architecture, ODD, 1),
        "odd, seven examples": draw(architecture, {**ODD, "K": 7}, 2),
        "no penalty": draw(architecture, ODD, 3, penalised=False),
        "square": draw(architecture, SIZES[2], 4),
        "all equal": draw(architecture, {**SIZES[2], "K": 4}, 5),
        "one example": draw(architecture, SIZES[3], 6),
        "zeros": draw(architecture, {**ODD, "K": 3}, 7),
        "large": draw(architecture, ODD, 8),
        "kink": draw(architecture, ODD, 9),
    }
    _, params, _ = found["zeros"]
    for name in params:
        params[name].flat[::3] = 0
    _, params, _ = found["large"]
    params[max(name for name in params if name[0] == "W")] *= 1000.0
    program, params, rest = found["kink"]
    x = rest[0]
    params["W1"][:], x[:] = np.rint(2 * params["W1"]), np.rint(2 * x)
    if architecture == "deep":
        x[0] = 0
    elif "b1" in params and program.AXIS == "columns":
        params["b1"][:] = -params["W1"] @ x[:, :1]
    return {name: (params, rest) for name, (_, params, rest) in found.items()}


def copied(params, rest):
    """Copy the arguments of a call."""
    params = {name: p.copy() for name, p in params.items()}
    return params, tuple(r.copy() if isinstance(r, np.ndarray) else r for r in rest)


def call(function, params, rest):
    """Call with copies; give the result or the exception, the arguments after it, the output."""
    given, rest = copied(params, rest)
    printed = io.StringIO()
    with np.errstate(all="ignore"), contextlib.redirect_stdout(printed):
        try:
            result = function(given, *rest)
        except Exception as error:
            result = error
    return result, given, rest, printed.getvalue()


def same(a, b):
    """Tell whether two results are the same number or array, but for rounding."""
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape:
        return False
    with np.errstate(invalid="ignore"):  # inf - inf
        close = (np.abs(a - b) <= 1e-12 + 1e-9 * np.abs(b)) & np.isfinite(b)
    return bool((close | (a == b) | (np.isnan(a) & np.isnan(b))).all())


def differing(found, right):
    """Name the gradients that are not the right ones."""
    return {name for name in right if name not in found or not same(found[name], right[name])}


def changed(params, rest, given, given_rest):
    """Name the arguments that are others after a call."""
    before = {**params, "x": rest[0], "y": rest[1]}
    after = {**given, "x": given_rest[0], "y": given_rest[1]}
    return {name for name in before if not np.array_equal(before[name], after[name])}


def sharing(params, results):
    """Name the gradients that share memory with a parameter or a gradient of any result."""
    arrays = [(name, g) for r in results for name, g in r.items() if isinstance(g, np.ndarray)]
    pairs = [*combinations(arrays, 2), *(((n, g), (n, p)) for n, g in arrays for p in params)]
    return {n for pair in pairs if np.shares_memory(pair[0][1], pair[1][1]) for n, _ in pair}


GRADIENT, LOSS, CONDUCT = (
    [m for m in LIBRARY if m.where == where] for where in ("gradient", "loss", "conduct")
)


def by_name(mistakes):
    return pytest.mark.parametrize("mistake", mistakes, ids=lambda m: m.name)


# The table


def test_the_library_is_large_and_covers_the_vocabulary():
    assert len(LIBRARY) >= 130
    assert len({m.name for m in LIBRARY}) == len(LIBRARY)
    counts = Counter(cause for m in LIBRARY for cause in set(m.causes.values()))
    vocabulary = {cause for causes in CAUSES.values() for cause in causes}
    assert set(counts) == vocabulary
    assert {cause for m in LIBRARY for cause in m.also} <= vocabulary
    assert sum(len(set(m.causes.values())) > 1 for m in LIBRARY) >= 10
    assert all(m.architecture in ARCHITECTURES and m.causes for m in LIBRARY)


def test_each_patch_changes_one_place():
    for mistake in LIBRARY:
        for old, new in mistake.patches:
            assert old != new, mistake
            assert source(mistake.architecture).count(old) == 1, mistake
        assert source(mistake) != source(mistake.architecture), mistake


def test_a_patch_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="occurs 0 times in columns"):
        load(Mistake("no such line", "columns", {"W1": "factor 2"}, (("no such line", ""),)))
    with pytest.raises(ValueError, match="no architecture 'rnn'; there are columns"):
        load("rnn")


def test_a_traceback_shows_the_line_that_was_patched():
    mistake = next(m for m in LIBRARY if m.name == "the number of inputs, for that of classes")
    result, *_ = call(load(mistake).bprop, *probes("columns")["odd"])
    linecache.checkcache()
    text = "".join(traceback.format_exception(result))
    assert "the number of inputs, for that of classes>" in text
    assert "onehot = np.eye(m)[:, y]" in text


# What is wrong


@by_name(GRADIENT)
def test_the_gradient_is_wrong_for_the_parameters_that_are_said(mistake):
    wrong = load(mistake)
    found, runs = set(), 0
    for probe, (params, rest) in probes(mistake.architecture).items():
        loss, expected = correct(mistake.architecture, probe)
        result, given, given_rest, printed = call(wrong.bprop, params, rest)
        assert not changed(params, rest, given, given_rest)
        assert not printed
        if not isinstance(result, Exception):
            runs += 1
            assert list(result) == list(params)
            found |= differing(result, expected)
        assert same(call(wrong.fprop, params, rest)[0], loss)
    assert runs == len(probes(mistake.architecture)) or "raises" in mistake.note
    assert found == set(mistake.causes)


@by_name(LOSS)
def test_the_loss_is_wrong_and_its_slope_for_the_parameters_that_are_said(mistake):
    right, wrong = load(mistake.architecture), load(mistake)
    all_probes = probes(mistake.architecture)
    for probe, (params, rest) in all_probes.items():
        _, expected = correct(mistake.architecture, probe)
        assert not differing(call(wrong.bprop, params, rest)[0], expected)
    if set(mistake.causes.values()) == {"loss overflows"}:
        assert set(mistake.causes) == {"fprop"}
        assert np.isfinite(call(right.fprop, *all_probes["large"])[0])
        assert not np.isfinite(call(wrong.fprop, *all_probes["large"])[0])
        assert same(right.fprop(params, *rest), wrong.fprop(params, *rest))
        return
    params, rest = all_probes["odd"]

    def error(name, step):
        moved = copy.deepcopy(params)
        moved[name] += step * np.random.default_rng(0).normal(size=moved[name].shape)
        return wrong.fprop(moved, *rest) - right.fprop(moved, *rest)

    slopes = {name: (error(name, 1e-4) - error(name, -1e-4)) / 2e-4 for name in params}
    assert {name for name in params if abs(slopes[name]) > 1e-6} == set(mistake.causes)


@by_name(CONDUCT)
def test_the_conduct_is_as_is_said(mistake):
    right, wrong = load(mistake.architecture), load(mistake)
    (cause,) = set(mistake.causes.values())
    all_probes = probes(mistake.architecture)
    params, rest = all_probes["odd"]
    expected, *_ = call(right.bprop, params, rest)
    result, given, given_rest, printed = call(wrong.bprop, params, rest)
    moved = {name: p + 1 for name, p in params.items()}, (rest[0] + 1, *rest[1:])
    if cause == "argument changed":
        found = changed(params, rest, given, given_rest)
    elif cause == "stale buffer":
        wrong = load(mistake)
        assert not differing(call(wrong.bprop, params, rest)[0], expected)
        between = differing(call(wrong.bprop, *moved)[0], call(right.bprop, *moved)[0])
        found = between | differing(call(wrong.bprop, params, rest)[0], expected)
    elif cause == "aliased result":
        later = wrong.bprop(given, *given_rest)
        found = sharing(list(given.values()), [result, later])
    elif cause == "integer arithmetic":
        found = differing(result, expected)
    elif cause == "not finite":
        assert all(np.isfinite(g).all() for g in result.values())
        results = [call(wrong.bprop, *all_probes[p])[0] for p in ("large", "one example")]
        found = {n for r in results for n, g in r.items() if not np.isfinite(g).all()}
    elif cause == "raises":
        results = [call(wrong.bprop, *probe)[0] for probe in all_probes.values()]
        found = {"bprop"} if any(isinstance(r, Exception) for r in results) else set()
    elif cause == "missing key":
        found = set(params) - set(result)
    elif cause == "prints":
        assert not differing(result, expected)
        found = {"bprop"} if printed else set()
    elif cause == "not deterministic":
        found = differing(call(wrong.bprop, params, rest)[0], result)
    else:
        assert cause == "wrong type"
        found = wrong_types(result, call(wrong.fprop, params, rest)[0])
    assert found == set(mistake.causes)


def wrong_types(result, loss):
    """Name what is no array of float64; "bprop", if it is not a dict; "fprop", if no float."""
    found = set() if type(loss) is float else {"fprop"}
    if not isinstance(result, dict):
        return found | {"bprop"}
    return found | {n for n, g in result.items() if getattr(g, "dtype", None) != np.float64
                    or not isinstance(g, np.ndarray)}  # fmt: skip


# No two do the same


def behaviour(program, architecture):
    """Give all that a program does on all probes: numbers, and the rest as text."""
    text, numbers = [], []

    def note(value):
        if isinstance(value, dict | list | tuple):
            text.append(f"{type(value).__name__} {list(value) if isinstance(value, dict) else ''}")
            for part in value.values() if isinstance(value, dict) else value:
                note(part)
        elif isinstance(value, Exception):
            text.append(type(value).__name__)
        else:
            array = np.asarray(value.data if isinstance(value, mg.Tensor) else value)
            text.append(f"{type(value).__name__} {array.shape} {array.dtype.char}")
            numbers.append(array.ravel())

    for name in ("odd", "square", "one example", "zeros", "large", "kink"):
        probe = probes(architecture)[name]
        for function in (program.fprop, program.bprop):
            result, given, rest, printed = call(function, *probe)
            note(result)
            text.append(f"{sorted(changed(*probe, given, rest))} {printed}")
        # Once more, after a call with others; and does what comes share memory?
        call(program.bprop, {name: p + 1 for name, p in probe[0].items()}, probe[1])
        again, given, *_ = call(program.bprop, *probe)
        note(again)
        if isinstance(again, dict):
            text.append(f"{sorted(sharing(list(given.values()), [again]))}")
    return text, np.concatenate(numbers)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_no_two_mistakes_do_the_same(architecture):
    mistakes = [m for m in LIBRARY if m.architecture == architecture]
    groups = {}
    for program in (architecture, *mistakes):
        text, numbers = behaviour(load(program), architecture)
        name = program if isinstance(program, str) else program.name
        groups.setdefault("\n".join(text), []).append((name, numbers))
    equal = [
        (a, b)
        for group in groups.values()
        for (a, first), (b, second) in combinations(group, 2)
        if same(first, second)
    ]
    assert not equal
