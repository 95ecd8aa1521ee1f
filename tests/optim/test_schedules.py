"""Schedules: their values at the steps that matter, beyond the last one, and what is refused."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigraph import optim

LR = st.floats(1e-6, 10)
STEPS = st.integers(1, 1000)


@given(LR, st.floats(0.01, 0.99), st.integers(1, 50), st.integers(0, 5))
def test_step_decay_multiplies_once_in_every_so_many_steps(lr, factor, every, times):
    rate = optim.step_decay(lr, factor, every)
    expected = lr
    for _ in range(times):
        expected *= factor
    for step in (times * every, (times + 1) * every - 1):
        assert math.isclose(rate(step), expected, rel_tol=1e-12)


@pytest.mark.parametrize("schedule", [optim.linear, optim.cosine])
@given(LR, STEPS, st.floats(0, 10))
def test_way_starts_at_lr_and_ends_at_end_and_stays(schedule, lr, steps, end):
    rate = schedule(lr, steps, end)
    assert math.isclose(rate(0), lr, rel_tol=1e-12, abs_tol=1e-14)
    assert rate(steps) == rate(steps + 1) == rate(10 * steps) == end
    low, high = min(lr, end), max(lr, end)
    tolerance = 1e-14 * high
    assert all(low - tolerance <= rate(step) <= high + tolerance for step in range(steps))


@given(LR, STEPS, st.floats(0, 10))
def test_linear_goes_in_equal_parts(lr, steps, end):
    rate = optim.linear(lr, steps, end)
    for step in range(steps):
        assert math.isclose(rate(step) - rate(step + 1), (lr - end) / steps, abs_tol=1e-14)


@pytest.mark.parametrize(("step", "part"), [(0, 1), (2, 0.75), (3, 0.5), (4, 0.25), (6, 0), (7, 0)])
def test_cosine_at_the_angles_whose_cosine_is_known(step, part):
    assert math.isclose(optim.cosine(2.0, steps=6)(step), 2 * part, abs_tol=1e-15)
    assert math.isclose(optim.cosine(2.0, steps=6, end=1.0)(step), 1 + part)


@given(STEPS)
def test_only_the_end_of_a_way_to_zero_is_zero(steps):
    for schedule in (optim.linear, optim.cosine):
        rate = schedule(1e-3, steps)
        assert all(rate(step) > 0 for step in range(steps))


@given(LR, STEPS)
def test_warmup_rises_in_equal_parts_to_a_constant_rate(lr, steps):
    rate = optim.warmup(lr, steps)
    for step in range(steps):
        assert math.isclose(rate(step), lr * (step + 1) / steps)
    assert rate(steps - 1) == rate(steps) == rate(10 * steps) == lr


@given(STEPS)
def test_warmup_leads_to_the_first_rate_and_follows_from_there(steps):
    after = optim.cosine(0.5, steps=7, end=0.1)
    rate = optim.warmup(after, steps)
    assert rate(steps - 1) == after(0)
    assert [rate(steps + step) for step in range(9)] == [after(step) for step in range(9)]


NAN = float("nan")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: optim.step_decay(0, 0.5, 1), "step_decay: lr must be above 0 .* got 0"),
        (lambda: optim.step_decay(1, 1.0, 1), "step_decay: factor must be above 0 and below 1"),
        (lambda: optim.step_decay(1, 0.0, 1), "step_decay: factor must be above 0 and below 1"),
        (lambda: optim.step_decay(1, 0.5, 0), "step_decay: every must be a whole number"),
        (lambda: optim.linear(NAN, 1), "linear: lr must be above 0 .* got nan"),
        (lambda: optim.linear(1, 1, -0.1), "linear: end must be at least 0 .* got -0.1"),
        (lambda: optim.linear(1, 1.5), "linear: steps must be a whole number.* got 1.5"),
        (lambda: optim.cosine(-1, 1), "cosine: lr must be above 0 .* got -1"),
        (lambda: optim.cosine(1, 1, NAN), "cosine: end must be at least 0 .* got nan"),
        (lambda: optim.cosine(1, NAN), "cosine: steps must be a whole number.* got nan"),
        (lambda: optim.cosine(1, math.inf), "cosine: steps must be a whole number.* got inf"),
        (lambda: optim.warmup(0.0, 1), "warmup: lr must be above 0 .* got 0.0"),
        (lambda: optim.warmup(1.0, -1), "warmup: steps must be a whole number.* got -1"),
    ],
)
def test_impossible_settings_are_refused(make, says):
    with pytest.raises(ValueError, match=f"^{says}"):
        make()
