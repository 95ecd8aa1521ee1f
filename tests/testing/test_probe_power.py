"""What a test of a backward pass misses is counted; a test that is too small misses half."""

import subprocess
import sys

import numpy as np
import pytest
from probing import COLUMNS, HOMEWORK, LAMBDAS, power_of

from minigraph.testing import probe_power
from minigraph.testing.mistakes import LIBRARY, load
from tests.counts import THOROUGH

STEP = 1 if THOROUGH else 3


def arguments(lam, seed, **sizes):
    program, rng = load("columns"), np.random.default_rng(seed)
    params = program.params(sizes, rng)
    return params, *program.batch(sizes, rng), lam


def copied(params, x, y, lam):
    return {name: value.copy() for name, value in params.items()}, x.copy(), y.copy(), lam


def slopes(fprop, params, *rest, eps, central):
    """Differences of the loss, entry by entry."""
    found = {}
    for name, value in params.items():
        found[name] = np.empty_like(value)
        for entry in np.ndindex(value.shape):
            losses = []
            for step in (eps, -eps if central else 0.0):
                moved = {**params, name: value.copy()}
                moved[name][entry] += step
                losses.append(fprop(moved, *rest))
            found[name][entry] = (losses[0] - losses[1]) / (2 * eps if central else eps)
    return found


def homework_check(seed):
    """As in the homework: one example, all sizes 2, no penalties, a ratio within 1 %."""
    given = arguments((0.0,) * 4, seed, d=2, dh=2, m=2, K=1)

    def check(fprop, bprop):
        gradients = bprop(*copied(*given))
        measured = slopes(fprop, *given, eps=1e-5, central=False)
        for name, right in measured.items():
            ratio = gradients[name][right != 0] / right[right != 0]
            if not np.all(abs(ratio - 1) < 0.01):
                return False
        return True

    return check


def good_check(fprop, bprop):
    """Sizes that all differ, penalties, exact zeros, and a look at how it behaves."""
    cases = [
        arguments((0.0,) * 4, 1, d=3, dh=5, m=4, K=6),
        arguments(LAMBDAS, 2, d=3, dh=5, m=4, K=7),
        arguments(LAMBDAS, 4, d=3, dh=5, m=4, K=3),
    ]
    for name in ("W1", "W2"):
        cases[2][0][name].flat[::3] = 0.0
    first = []
    for case in cases:
        given = copied(*case)
        gradients = bprop(*given)
        for name, value in case[0].items():
            np.testing.assert_array_equal(given[0][name], value)
            assert gradients[name].dtype == np.float64
        measured = slopes(fprop, *case, eps=1e-6, central=True)
        for name, right in measured.items():
            assert gradients[name].shape == right.shape
            np.testing.assert_allclose(gradients[name], right, rtol=1e-6, atol=1e-7)
        first.append((gradients, {name: g.copy() for name, g in gradients.items()}))
    doubled = [np.concatenate([part, part], axis=-1) for part in cases[0][1:3]]
    assert np.isclose(fprop(cases[0][0], *doubled, (0.0,) * 4), fprop(*cases[0]))
    for gradients, kept in first:
        for name in kept:
            np.testing.assert_array_equal(gradients[name], kept[name])


def test_the_check_of_the_homework_misses_half_of_all_mistakes():
    powers = [probe_power(homework_check(seed)) for seed in range(1, 3)]
    assert all(power.accepts_right for power in powers)
    assert 0.35 < np.mean([power.share for power in powers]) < 0.65
    for power in powers:  # these it can never see
        seen = {m.name for m in power.mistakes} - {m.name for m in power.missed}
        blind = {"missing 1/K", "no penalty gradient", "other λ", "bias penalised"}
        assert not seen & {m.name for m in COLUMNS if set(m.causes.values()) <= blind}


def test_the_sizes_of_the_homework_hide_about_half_of_all_mistakes():
    """Measured with ten points, of 133 mistakes: 62 to 87 are missed, 74 on average (56 %)."""
    powers = [power_of(HOMEWORK, seed=seed) for seed in range(3 if THOROUGH else 1)]
    assert all(power.accepts_right for power in powers)
    assert 0.35 < np.mean([power.share for power in powers]) < 0.55
    for power in powers:
        missed = {m.name for m in power.missed}
        blind = {"missing 1/K", "extra 1/K", "no penalty gradient", "other λ", "bias penalised"}
        assert {m.name for m in COLUMNS if set(m.causes.values()) <= blind} <= missed


def test_more_examples_other_sizes_and_penalties_show_more():
    ten, odd = HOMEWORK | {"K": 10}, {"d": 3, "dh": 5, "m": 4, "K": 6}
    powers = [
        power_of(HOMEWORK, step=STEP),
        power_of(ten, step=STEP),
        power_of(ten, LAMBDAS, step=STEP),
        power_of(odd, LAMBDAS, step=STEP),
    ]
    shares = [power.share for power in powers]
    assert shares == sorted(set(shares)), shares
    assert "missing 1/K" in powers[0].by_cause
    assert "missing 1/K" not in powers[1].by_cause
    assert "no penalty gradient" in powers[1].by_cause
    assert "no penalty gradient" not in powers[2].by_cause


def test_sizes_that_are_not_given_all_differ_and_unknown_ones_are_refused():
    assert probe_power({}, COLUMNS[:9]).missed == probe_power({"K": 6}, COLUMNS[:9]).missed
    with pytest.raises(ValueError, match="no size is called n; there are d, dh, m, K"):
        probe_power({"n": 3})
    with pytest.raises(ValueError, match="4 penalties, not 1"):
        probe_power({}, penalties=(0.1,))


def test_a_good_check_misses_few():
    power = probe_power(good_check)
    assert power.accepts_right, power.reason
    assert power.share > 0.9, power


def test_one_that_accepts_all_misses_all_and_says_so_by_cause():
    power = probe_power(lambda fprop, bprop: True)
    assert (power.accepts_right, power.share) == (True, 0)
    assert power.missed == power.mistakes == COLUMNS
    assert sum(map(len, power.by_cause.values())) == len(COLUMNS)
    assert len(power.by_cause["missing 1/K"]) == sum(
        set(m.causes.values()) == {"missing 1/K"} for m in COLUMNS
    )
    assert f"notices 0 of {len(COLUMNS)} mistakes (0%)" in str(power)
    assert any(line.split()[0:2] == ["missing", "1/K"] for line in str(power).splitlines())


def test_one_that_rejects_all_is_said_to_reject_the_right_one():
    power = probe_power(lambda fprop, bprop: False)
    assert (power.accepts_right, power.share, power.missed) == (False, 1, ())
    assert str(power).startswith("REJECTS the right version")


def test_no_answer_is_yes_and_an_exception_is_no():
    def nothing(fprop, bprop):
        return None

    def assertion(fprop, bprop):
        raise AssertionError("no")

    def broken(fprop, bprop):
        raise KeyError("W3")

    assert probe_power(nothing, COLUMNS[:3]).share == 0
    power = probe_power(assertion, COLUMNS[:3])
    assert (power.share, power.broken, power.reason) == (1, {}, "AssertionError: no")
    power = probe_power(broken, COLUMNS[:3])
    assert (power.share, power.accepts_right) == (1, False)
    assert power.broken == {m.name: "KeyError: 'W3'" for m in COLUMNS[:3]}
    assert "3 of them by another exception" in str(power)


def test_mistakes_of_another_architecture_are_left_out():
    seen = []
    power = probe_power(lambda f, b: seen.append(b), LIBRARY, architecture="deep")
    assert {m.architecture for m in power.mistakes} == {"deep"}
    assert len(seen) == len(power.mistakes) + 1
    with pytest.raises(ValueError, match="none of the mistakes is in the architecture rows"):
        probe_power(lambda f, b: True, COLUMNS, architecture="rows")
    with pytest.raises(ValueError, match="no architecture 'rnn'"):
        probe_power(lambda f, b: True, architecture="rnn")


def test_what_programs_print_and_warn_of_is_not_shown(capsys):
    given = arguments((0.0,) * 4, 1, d=3, dh=5, m=4, K=6)

    def check(fprop, bprop):
        bprop(*copied(*given))

    power = probe_power(check)
    assert "prints" in power.by_cause
    assert capsys.readouterr().out == ""


def test_the_library_of_mistakes_is_read_only_when_needed():
    code = (
        "import sys, minigraph.testing; sys.exit(any('.mistakes' in name for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
