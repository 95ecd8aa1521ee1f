"""`check_step` infers momentum, blames no right form of it, and names the usual mistakes."""

import numpy as np
import pytest

from minigraph.testing import check_step

ETA, MU = 0.05, 0.9
NAMES = ["W1", "b1", "W2", "b2"]


def params(sizes, rng):
    d, dh = sizes["d"], sizes["dh"]
    shapes = {"W1": (dh, d), "b1": (dh,), "W2": (1, dh), "b2": ()}
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


def batch(sizes, rng):
    return rng.normal(size=(sizes["K"], sizes["d"])), rng.normal(size=sizes["K"])


def fprop(p, x, y, lam=(0, 0, 0, 0)):
    h = np.tanh(x @ p["W1"].T + p["b1"])
    e = h @ p["W2"][0] + p["b2"] - y
    penalty = sum(lam[0:1]) * np.abs(p["W1"]).sum() + lam[1] * (p["W1"] ** 2).sum()
    return e @ e / len(y) + penalty + lam[2] * np.abs(p["W2"]).sum() + lam[3] * (p["W2"] ** 2).sum()


def gradients(p, x, y, lam=(0, 0, 0, 0)):
    h = np.tanh(x @ p["W1"].T + p["b1"])
    e = 2 * (h @ p["W2"][0] + p["b2"] - y) / len(y)
    back = e[:, None] * p["W2"] * (1 - h**2)
    return {
        "W1": back.T @ x + lam[0] * np.sign(p["W1"]) + 2 * lam[1] * p["W1"],
        "b1": back.sum(axis=0),
        "W2": e[None] @ h + lam[2] * np.sign(p["W2"]) + 2 * lam[3] * p["W2"],
        "b2": e.sum(),
    }


def with_velocity(rule, gradient=gradients, mu=MU):
    """Make a step that keeps v; ``rule(v, g, mu) -> (new v, what is taken off, times η)``."""
    v = {}

    def step(p, *rest):
        new = {}
        for n, g in gradient(p, *rest).items():
            of_n = mu.get(n, MU) if isinstance(mu, dict) else mu
            v[n], taken = rule(v.get(n, np.zeros_like(g)), g, of_n)
            new[n] = p[n] - ETA * taken
        return new

    return step


def heavy_ball(v, g, mu):
    v = mu * v + g
    return v, v


def nesterov(v, g, mu):
    v = mu * v + g
    return v, g + mu * v


def mean(v, g, mu):
    v = mu * v + (1 - mu) * g
    return v, v / (1 - mu)


def look_ahead():
    """Nesterov's own form: the gradient is taken where the velocity alone would lead."""
    v = {}

    def step(p, x, y):
        for n in p:
            v.setdefault(n, np.zeros_like(p[n]))
        g = gradients({n: p[n] - MU * v[n] for n in p}, x, y)
        for n in p:
            v[n] = MU * v[n] + ETA * g[n]
        return {n: p[n] - v[n] for n in p}

    return step


def check(step, **options):
    return check_step(step, fprop, params, batch, **options)


def note(diagnosis, words):
    return next(line for line in diagnosis.notes if words in line)


@pytest.mark.parametrize("penalties", [None, (0,) * 4])
@pytest.mark.parametrize("mu", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("rule", [heavy_ball, nesterov, mean])
def test_right_momentum_is_right_and_inferred(rule, mu, penalties):
    diagnosis = check(with_velocity(rule, mu=mu), penalties=penalties)
    assert diagnosis.ok, str(diagnosis)
    assert "η = 0.05" in note(diagnosis, "the learning rate")
    assert f"if it is the mean v = μ v + (1 - μ) gradient, η is {ETA / (1 - mu):.6g}" in note(
        diagnosis, f"momentum μ = {mu}:"
    )
    assert any("Nesterov's" in line for line in diagnosis.notes) == (rule is nesterov)
    assert any("other sizes of these were not tried" in line for line in diagnosis.blind_spots)


def test_the_gradient_taken_ahead_is_right_and_inferred():
    diagnosis = check(look_ahead())
    assert diagnosis.ok, str(diagnosis)
    assert "η = 0.05" in note(diagnosis, "the learning rate")
    assert note(diagnosis, "momentum μ = 0.9")
    assert note(diagnosis, "the gradient is taken ahead")


def test_a_velocity_that_is_changed_in_place_with_the_parameters_is_right():
    v = {}

    def step(p, x, y):
        for n, g in gradients(p, x, y).items():
            v.setdefault(n, np.zeros_like(g))
            v[n] *= MU
            v[n] += g
            p[n] -= ETA * v[n]

    diagnosis = check(step)
    assert diagnosis.ok, str(diagnosis)


def test_a_parameter_that_the_loss_does_not_use_is_not_blamed():
    def gradient(p, x, y):
        return {**gradients(p, x, y), "unused": np.zeros(3)}

    diagnosis = check_step(
        with_velocity(heavy_ball, gradient), fprop,
        lambda s, rng: {**params(s, rng), "unused": rng.normal(size=3)}, batch,
    )  # fmt: skip
    assert diagnosis.ok, str(diagnosis)
    assert note(diagnosis, "momentum μ = 0.9")


def test_a_parameter_that_is_not_updated_is_said_to_be_so_and_no_more():
    moving = with_velocity(heavy_ball)
    diagnosis = check(lambda p, x, y: {**moving(p, x, y), "W2": p["W2"].copy()})
    assert diagnosis.verdicts["W2"].causes == ("it is not updated",)
    assert diagnosis.verdicts["W1"].status == "right"


def test_arrays_in_place_of_functions_are_enough():
    rng = np.random.default_rng(0)
    sizes = {"d": 3, "dh": 5, "K": 6}
    step = with_velocity(heavy_ball)
    diagnosis = check_step(step, fprop, params(sizes, rng), batch(sizes, rng), axis="rows")
    assert diagnosis.ok, str(diagnosis)
    assert note(diagnosis, "momentum μ = 0.9")


@pytest.mark.parametrize("broken", range(1, 12))
def test_a_step_with_momentum_that_breaks_later_does_not_raise(broken):
    moving, calls = with_velocity(heavy_ball), [0]

    def step(p, x, y):
        new = moving(p, x, y)
        calls[0] += 1
        if calls[0] > broken:
            del new["W1"]
            new["b1"] = new["b1"][:, None] + new["b1"]
        return new

    assert not check(step).ok


def test_a_state_that_is_passed_is_kept_by_a_few_lines():
    def step_of(p, x, y, v):
        v = {n: MU * v.get(n, 0.0) + g for n, g in gradients(p, x, y).items()}
        return {n: p[n] - ETA * v[n] for n in p}, v

    state = [{}]

    def step(p, x, y):
        new, state[0] = step_of(p, x, y, state[0])
        return new

    diagnosis = check(step)
    assert diagnosis.ok, str(diagnosis)


def only_the_last(p, x, y):
    return gradients(p, x[-1:], y[-1:])


def times_K(p, x, y):
    return {n: g * len(y) if g.ndim == 2 else g for n, g in gradients(p, x, y).items()}


def old_velocity(v, g, mu):
    return mu * v + g, v


def gradient_and_velocity(v, g, mu):
    v = mu * v + g
    return v, g + v


WRONG = {
    "it only adds up": (with_velocity(heavy_ball, mu=1.0), NAMES, "its velocity never fades"),
    "the sign of μ": (with_velocity(heavy_ball, mu=-0.9), NAMES, "between 0 and 1"),
    "another μ": (
        with_velocity(heavy_ball, mu={"W2": 0.5}), ["W2"], "μ = 0.5, where most have 0.9",
    ),
    "none": (with_velocity(heavy_ball, mu={"b2": 0.0}), ["b2"], "it has no momentum, where"),
    "used before it is updated": (
        with_velocity(old_velocity), NAMES, "the velocity of the call before",
    ),
    "Nesterov without μ": (
        with_velocity(gradient_and_velocity), NAMES,
        "its step is η (gradient + 1 v); with momentum it is η v, and Nesterov's is",
    ),
    "uphill": (
        with_velocity(heavy_ball, lambda *a: {n: -g for n, g in gradients(*a).items()}), NAMES,
        "it steps uphill",
    ),
    "one example": (
        with_velocity(heavy_ball, only_the_last), NAMES, "only the last example counts",
    ),
    "C24": (with_velocity(heavy_ball, times_K), ["W1", "W2"], "its step is K times the right one"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_wrong_momentum_is_named(what):
    step, names, words = WRONG[what]
    diagnosis = check(step)
    assert {n for n, v in diagnosis.verdicts.items() if v.status == "wrong"} == set(names)
    for name in names:
        (cause,) = diagnosis.verdicts[name].causes
        assert words in cause, str(diagnosis)


def test_penalties_that_are_left_out_are_named():
    diagnosis = check(with_velocity(heavy_ball, lambda p, x, y, lam: gradients(p, x, y)),
                      penalties=(0,) * 4)  # fmt: skip
    for name in ("W1", "W2"):
        (cause,) = diagnosis.verdicts[name].causes
        assert "in the loss but not in the step" in cause
    assert diagnosis.verdicts["b1"].status == diagnosis.verdicts["b2"].status == "right"


def test_one_velocity_for_two_parameters_is_named():
    def loss(p, x, y):
        return np.mean((np.tanh(x @ p["u"]) + x**2 @ p["v"] + p["b"] - y) ** 2)

    velocity = {"b": 0.0, "w": 0.0}

    def step(p, x, y):
        h = np.tanh(x @ p["u"])
        e = 2 * (h + x**2 @ p["v"] + p["b"] - y) / len(y)
        g = {"u": x.T @ (e * (1 - h**2)), "v": (x**2).T @ e, "b": e.sum()}
        new = {}
        for n in p:
            of = "b" if n == "b" else "w"
            velocity[of] = MU * velocity[of] + g[n]
            new[n] = p[n] - ETA * velocity[of]
        return new

    def make(s, rng):
        return {"u": rng.normal(size=s["d"]), "v": rng.normal(size=s["d"]), "b": rng.normal()}

    diagnosis = check_step(step, loss, make, batch)
    assert diagnosis.verdicts["b"].status == "right"
    for one, other in ("uv", "vu"):
        (cause,) = diagnosis.verdicts[one].causes
        assert cause.startswith(f"its velocity is that of {other} too"), str(diagnosis)
        assert "μ = 0.9" in cause


def shrinking():
    rate = [ETA]

    def step(p, x, y):
        rate[0] *= 0.999
        return {n: p[n] - rate[0] * g for n, g in gradients(p, x, y).items()}

    return step


def adam():
    m, s, t = {}, {}, [0]

    def step(p, x, y):
        t[0] += 1
        new = {}
        for n, g in gradients(p, x, y).items():
            m[n] = 0.9 * m.get(n, 0) + 0.1 * g
            s[n] = 0.999 * s.get(n, 0) + 0.001 * g**2
            scale = np.sqrt(s[n] / (1 - 0.999 ** t[0])) + 1e-8
            new[n] = p[n] - ETA * m[n] / (1 - 0.9 ** t[0]) / scale
        return new

    return step


def dropout():
    rng = np.random.default_rng(0)

    def step(p, x, y):
        return {n: p[n] - ETA * g * rng.uniform() for n, g in gradients(p, x, y).items()}

    return step


@pytest.mark.parametrize("make", [shrinking, adam, dropout])
def test_what_else_a_step_keeps_is_no_momentum(make):
    diagnosis = check(make())
    assert {v.status for v in diagnosis.verdicts.values()} == {"cannot tell"}
    assert any("step keeps something" in remark for remark in diagnosis.remarks)
    assert not any("momentum μ" in line for line in diagnosis.notes)
