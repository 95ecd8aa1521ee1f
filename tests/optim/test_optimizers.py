"""What holds for every optimizer: writes in place, dtypes, learning rates, what is refused."""

import re

import numpy as np
import pytest
from optim.makers import MAKERS, parameter

import minigraph as mg
from minigraph import nn, optim

every_optimizer = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
every_class = pytest.mark.parametrize("kind", [optim.SGD, optim.Adam, optim.AdamW])


@every_optimizer
def test_step_writes_in_place(make):
    w = parameter()
    array = w.data
    w.grad = np.ones(2)
    make([w], 0.5).step()
    assert w.data is array
    assert np.all(array < [1, -2])


@every_optimizer
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("lr", [0.25, np.float64(0.25), lambda step: np.float64(0.25)])
def test_step_keeps_each_dtype(make, dtype, lr):
    w, other = parameter(dtype=dtype), parameter(dtype=np.float64)
    optimizer = make({"w": w, "other": other}, lr)
    w.grad, other.grad = np.ones(2, dtype), np.ones(2)
    for _ in range(2):
        optimizer.step()
    assert w.dtype == dtype
    assert other.dtype == np.float64
    for name, array in optimizer.state_dict().items():
        if array.shape == w.shape:
            assert array.dtype == (dtype if name.endswith(".w") else np.float64)
    np.testing.assert_allclose(w.data, other.data, rtol=4 * np.finfo(dtype).eps)


@every_optimizer
def test_gradient_may_be_scalar_and_in_any_layout(make):
    scalar, matrix = parameter(2.0), parameter(np.ones((2, 3)))
    optimizer = make([scalar, matrix], 0.5)
    for _ in range(2):
        scalar.grad, matrix.grad = 1.0, np.ones((3, 2)).T
        optimizer.step()
    assert scalar.shape == ()
    assert scalar.item() < 1.5
    assert np.ptp(matrix.data) == 0


@every_optimizer
def test_parameters_without_a_gradient_are_left_alone(make):
    a, b = parameter(), parameter()
    a.grad = np.ones(2)
    make({"a": a, "b": b}, 1.0).step()
    assert np.all(a.data != [1, -2])
    assert np.array_equal(b.data, [1, -2])


@every_optimizer
def test_one_gradient_object_may_serve_two_steps(make):
    w = parameter()
    w.grad = np.ones(2)
    optimizer = make([w], 0.1)
    optimizer.step()
    optimizer.step()
    assert np.array_equal(w.grad, [1, 1])


def test_zero_grad_forgets_all():
    model = nn.MLP((2, 3, 2), seed=0)
    nn.risk(model, np.ones((1, 2)), [0]).backward()
    optim.SGD(model.parameters(), lr=1.0).zero_grad()
    assert all(p.grad is None for p in model.parameters().values())


def test_parameters_may_be_given_by_an_iterator():
    a, b = parameter(), parameter()
    sgd = optim.SGD(iter([a, b]), lr=1.0)
    a.grad = b.grad = np.ones(2)
    for _ in range(2):
        sgd.step()
    assert np.array_equal(b.data, [-1, -4])


def test_learning_rate_may_be_a_function_of_the_step():
    w = parameter(0.0)
    sgd = optim.SGD([w], lr=lambda step: [0.5, 0.25, 0.0][step])
    reached = []
    for step, rate in enumerate([0.5, 0.25, 0.0]):
        assert (sgd.steps, sgd.rate) == (step, rate)
        w.grad = -1.0
        sgd.step()
        reached.append(w.item())
    assert reached == [0.5, 0.75, 0.75]
    assert sgd.steps == 3


def test_learning_rate_may_be_assigned():
    w = parameter(0.0)
    sgd = optim.SGD([w], lr=0.5)
    assert (sgd.lr, sgd.rate) == (0.5, 0.5)
    sgd.lr = 0.25
    assert (sgd.lr, sgd.rate) == (0.25, 0.25)
    w.grad = -1.0
    sgd.step()
    assert w.item() == 0.25
    sgd.lr = schedule = optim.step_decay(8.0, 0.5, every=1)
    assert sgd.lr is schedule
    assert sgd.rate == 4.0  # of step 1
    sgd.step()
    assert w.item() == 4.25
    with pytest.raises(ValueError, match=r"SGD: the learning rate must be above 0 .* got 0"):
        sgd.lr = 0
    assert sgd.lr is schedule


@every_class
@pytest.mark.parametrize("wrong", [-1.0, float("nan"), float("inf"), "fast", None])
def test_function_that_gives_an_impossible_rate_is_refused_before_anything_changes(kind, wrong):
    w = parameter()
    w.grad = np.ones(2)
    optimizer = kind([w], lr=lambda step: 0.1 if step < 2 else wrong)
    optimizer.step()
    optimizer.step()
    before, state = w.numpy(), optimizer.state_dict()
    error = ValueError if isinstance(wrong, float) else TypeError
    with pytest.raises(error, match=f"{kind.__name__}: the learning rate of step 2 .* {wrong!r}"):
        optimizer.step()
    assert np.array_equal(w.data, before)
    assert optimizer.steps == 2
    for name, array in optimizer.state_dict().items():
        assert np.array_equal(array, state[name])


NAN = float("nan")


@pytest.mark.parametrize(
    ("kind", "options", "says"),
    [
        *(
            (kind, {"lr": lr}, f"the learning rate must be above 0 and below inf, got {lr}")
            for kind in (optim.SGD, optim.Adam, optim.AdamW)
            for lr in (0.0, -1.0, NAN, float("inf"))
        ),
        *(
            (optim.SGD, {"momentum": m}, f"momentum must be at least 0 and below 1, got {m}")
            for m in (1.0, -0.1, NAN)
        ),
        (optim.SGD, {"nesterov": True}, "nesterov needs a momentum above 0, got 0.0"),
        *(
            (kind, {"betas": betas}, f"beta{i} must be at least 0 and below 1, got {betas[i - 1]}")
            for kind in (optim.Adam, optim.AdamW)
            for i, betas in [(1, (1.0, 0.9)), (2, (0.9, 1.0)), (2, (0, -0.1)), (1, (NAN, 0.9))]
        ),
        (optim.Adam, {"betas": 0.9}, "betas must be two numbers, got 0.9"),
        *(
            (optim.Adam, {"eps": eps}, f"eps must be above 0 and below inf, got {eps}")
            for eps in (0, -1e-8, NAN)
        ),
        *(
            (optim.AdamW, {"weight_decay": w}, f"weight_decay must be at least 0 .* got {w}")
            for w in (-0.1, NAN, float("inf"))
        ),
    ],
)
def test_impossible_settings_are_refused(kind, options, says):
    with pytest.raises(ValueError, match=f"^{kind.__name__}: {says}$"):
        kind([parameter()], **{"lr": 0.1, **options})


def test_setting_that_is_no_number_is_a_type_error():
    with pytest.raises(TypeError, match="SGD: momentum must be a number, got 'much'"):
        optim.SGD([parameter()], lr=0.1, momentum="much")


@pytest.mark.parametrize("zero", [{"momentum": 0}, {"momentum": 0.0}])
def test_bounds_that_are_allowed(zero):
    optim.SGD([parameter()], lr=5e-324, **zero)
    optim.AdamW([parameter()], betas=[0, 0], eps=5e-324, weight_decay=0)


@every_class
@pytest.mark.parametrize("nothing", [[], {}, iter(())], ids=["list", "dict", "iterator"])
def test_no_parameters_are_refused(kind, nothing):
    with pytest.raises(ValueError, match=f"{kind.__name__}: no parameters"):
        kind(nothing, lr=0.1)


@every_class
def test_parameter_given_twice_is_refused(kind):
    w = parameter()
    with pytest.raises(ValueError, match=f"{kind.__name__}: a parameter is given twice"):
        kind({"a": w, "b": w}, lr=0.1)


@every_class
@pytest.mark.parametrize(
    "wrong",
    [mg.Tensor([1.0]), parameter() * 2, np.ones(2), 1.0],
    ids=["constant", "result", "array", "number"],
)
def test_what_cannot_be_learned_is_refused(kind, wrong):
    with pytest.raises(TypeError, match=re.escape(f"{kind.__name__}: parameters")):
        kind([wrong], lr=0.1)
