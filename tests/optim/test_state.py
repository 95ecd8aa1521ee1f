"""States: a fresh optimizer goes on to the same bits, and refuses what does not fit."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optim.makers import MAKERS, parameter

from minigraph import optim

STEPS = 6
KEPT = {
    "SGD": (),
    "momentum": ("velocity",),
    "nesterov": ("velocity",),
    "Adam": ("mean", "square", "count"),
    "AdamW": ("mean", "square", "count"),
}
every_optimizer = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


def start(make, arrays):
    """Make parameters of these values, and an optimizer whose rate shows if it forgot the step."""
    parameters = {name: parameter(array, dtype=array.dtype) for name, array in arrays.items()}
    return parameters, make(parameters, optim.warmup(optim.cosine(0.1, STEPS), 2))


def go(parameters, optimizer, steps):
    """Take these steps, with gradients that depend on the step only; `late` has none at first."""
    for step in steps:
        rng = np.random.default_rng(step)
        for name, p in parameters.items():
            gradient = rng.normal(size=p.shape).astype(p.dtype)
            p.grad = None if name == "late" and step < 3 else gradient
        optimizer.step()


def same_bits(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


@pytest.mark.parametrize("name", MAKERS)
@given(at=st.integers(0, STEPS), dtype=st.sampled_from([np.float32, np.float64]))
def test_saved_and_loaded_it_goes_on_to_the_same_bits(name, at, dtype):
    make = MAKERS[name]
    arrays = {"W": np.ones((3, 2)), "b": np.array(1.0), "late": np.arange(2.0)}
    arrays = {name: array.astype(dtype) for name, array in arrays.items()}
    straight, optimizer = start(make, arrays)
    go(straight, optimizer, range(STEPS))

    first, interrupted = start(make, arrays)
    go(first, interrupted, range(at))
    file = io.BytesIO()
    np.savez(file, **interrupted.state_dict())
    file.seek(0)
    second, fresh = start(make, {name: p.data for name, p in first.items()})
    fresh.load_state_dict(np.load(file))
    assert fresh.steps == at
    assert fresh.rate == interrupted.rate
    go(second, fresh, range(at, STEPS))

    for name, p in straight.items():
        assert same_bits(second[name].data, p.data)
    ours, theirs = optimizer.state_dict(), fresh.state_dict()
    assert list(ours) == list(theirs)
    assert all(same_bits(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize("name", MAKERS)
def test_names_are_what_is_kept_and_for_which_parameter_before_and_after(name):
    parameters, optimizer = start(MAKERS[name], {"W": np.ones((3, 2)), "late": np.ones(2)})
    expected = ["steps", *(f"{what}.{p}" for p in ("W", "late") for what in KEPT[name])]
    assert list(optimizer.state_dict()) == expected
    go(parameters, optimizer, range(2))
    state = optimizer.state_dict()
    assert list(state) == expected
    assert state["steps"].dtype == np.int64
    assert (state["steps"].shape, state["steps"]) == ((), 2)
    if "count" in KEPT[name]:
        assert (state["count.W"], state["count.late"]) == (2, 0)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["w", "b"], ["w", "b"]),
        ([None, None], ["0", "1"]),
        (["w", None], ["0", "1"]),
        (["w", "w"], ["0", "1"]),
    ],
)
def test_parameters_of_an_iterable_go_by_their_names_or_else_by_their_places(names, expected):
    sgd = optim.SGD([parameter(name=name) for name in names], lr=0.1, momentum=0.5)
    assert list(sgd.state_dict()) == ["steps", *(f"velocity.{name}" for name in expected)]


@every_optimizer
def test_state_shares_no_memory(make):
    parameters, optimizer = start(make, {"w": np.ones(2)})
    go(parameters, optimizer, range(2))
    state = optimizer.state_dict()
    kept = {name: array.copy() for name, array in state.items()}
    optimizer.load_state_dict(state)
    go(parameters, optimizer, range(2, 4))
    assert all(same_bits(state[name], kept[name]) for name in kept)
    later = optimizer.state_dict()
    for array in state.values():
        array.fill(7)
    assert all(same_bits(later[name], array) for name, array in optimizer.state_dict().items())


DAMAGE = {
    "missing": (lambda s: s.pop("mean.w"), "mean.w is missing"),
    "no steps": (lambda s: s.pop("steps"), "steps is missing"),
    "unexpected": (lambda s: s.update(extra=np.ones(2)), "extra is unexpected"),
    "shape": (
        lambda s: s.update({"square.w": np.ones(3)}),
        r"square.w is float64\[3\], not float64\[2\]",
    ),
    "dtype": (
        lambda s: s.update({"mean.w": np.ones(2, np.float32)}),
        r"mean.w is float32\[2\], not float64\[2\]",
    ),
    "count dtype": (
        lambda s: s.update(steps=np.array(3.0)),
        r"steps is float64\[\], not int64\[\]",
    ),
    "negative": (lambda s: s.update({"count.w": np.array(-1)}), "count.w is -1, a count"),
}


@pytest.mark.parametrize(("damage", "says"), DAMAGE.values(), ids=DAMAGE)
def test_state_that_does_not_fit_is_refused_with_nothing_changed(damage, says):
    parameters, adam = start(optim.Adam, {"w": np.ones(2)})
    go(parameters, adam, range(3))
    state = adam.state_dict()
    _, fresh = start(optim.Adam, {"w": np.ones(2)})
    before = fresh.state_dict()
    damage(state)
    with pytest.raises(ValueError, match=f"Adam: this state .* nothing of it was loaded: {says}$"):
        fresh.load_state_dict(state)
    after = fresh.state_dict()
    assert all(same_bits(after[name], before[name]) for name in before)


def test_message_lists_all_that_differs():
    momentum = optim.SGD({"w": parameter()}, lr=0.1, momentum=0.5)
    adam = optim.Adam({"w": parameter()})
    lists = "count.w is missing; mean.w is missing; square.w is missing; velocity.w is unexpected$"
    with pytest.raises(ValueError, match=lists):
        adam.load_state_dict(momentum.state_dict())


def test_what_is_not_finite_is_loaded():
    sgd = optim.SGD({"w": parameter()}, lr=0.1, momentum=0.5)
    state = {"steps": np.array(1), "velocity.w": np.array([np.nan, np.inf])}
    sgd.load_state_dict(state)
    assert same_bits(sgd.state_dict()["velocity.w"], state["velocity.w"])
