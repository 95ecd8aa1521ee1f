"""`check_step` finds what is wrong with a training step, names it, and blames nothing right."""

import numpy as np
import pytest

from minigraph.testing import check_step

ETA = 0.05
NAMES = ["W1", "b1", "W2", "b2"]


def params(sizes, rng):
    d = sizes["d"]
    return {
        "W1": rng.normal(size=(2, d)),
        "b1": rng.normal(size=2),
        "W2": rng.normal(size=(1, 2)),
        "b2": rng.normal(),
    }


def batch(sizes, rng):
    return rng.normal(size=(sizes["K"], sizes["d"])), rng.normal(size=sizes["K"])


def fprop(p, x, y, lam=()):
    h = np.tanh(x @ p["W1"].T + p["b1"])
    e = h @ p["W2"][0] + p["b2"] - y
    risk = e @ e / len(y)
    if lam:
        l11, l12, l21, l22 = lam
        risk += l11 * np.abs(p["W1"]).sum() + l12 * (p["W1"] ** 2).sum()
        risk += l21 * np.abs(p["W2"]).sum() + l22 * (p["W2"] ** 2).sum()
    return risk


def gradients(p, x, y, lam=()):
    l11, l12, l21, l22 = lam or (0, 0, 0, 0)
    h = np.tanh(x @ p["W1"].T + p["b1"])
    e = 2 * (h @ p["W2"][0] + p["b2"] - y) / len(y)
    back = e[:, None] * p["W2"] * (1 - h**2)
    return {
        "W1": back.T @ x + l11 * np.sign(p["W1"]) + 2 * l12 * p["W1"],
        "b1": back.sum(axis=0),
        "W2": e[None] @ h + l21 * np.sign(p["W2"]) + 2 * l22 * p["W2"],
        "b2": e.sum(),
    }


def right_step(p, x, y, lam=()):
    g = gradients(p, x, y, lam)
    return {n: p[n] - ETA * g[n] for n in p}


def check(step, **options):
    return check_step(step, fprop, params, batch, **options)


def scaled_step(factors):
    """Steps that are so many times as large, by parameter; a factor is a function of K."""

    def step(p, x, y):
        g = gradients(p, x, y)
        return {n: p[n] - ETA * factors.get(n, lambda K: 1)(len(y)) * g[n] for n in p}

    return step


def statuses(diagnosis):
    return {name: verdict.status for name, verdict in diagnosis.verdicts.items()}


def assert_only_cause(diagnosis, words, names):
    """These parameters are wrong, for this one reason; the others are right."""
    wrong = {n: "wrong" if n in names else "right" for n in NAMES}
    assert statuses(diagnosis) == wrong, str(diagnosis)
    for name in names:
        (cause,) = diagnosis.verdicts[name].causes
        assert words in cause, str(diagnosis)


def rate_in(diagnosis):
    (note,) = (n for n in diagnosis.notes if "η = " in n)
    return float(note.split("η = ")[1].split(",")[0].split(";")[0])


# Right steps


@pytest.mark.parametrize("penalties", [None, (0, 0, 0, 0)])
@pytest.mark.parametrize("eta", [1e-10, ETA, 3.0])
def test_a_right_step_is_right_whatever_its_size(eta, penalties):
    def step(p, x, y, *lam):
        g = gradients(p, x, y, *(lam if penalties else ()))
        return {n: p[n] - eta * g[n] for n in p}

    diagnosis = check(step, penalties=penalties)
    assert diagnosis.ok, str(diagnosis)
    assert rate_in(diagnosis) == pytest.approx(eta, rel=1e-5)
    assert str(diagnosis).startswith("step: all updates are right")


def in_place(p, x, y, lam):
    g = gradients(p, x, y, lam)
    for n in p:
        p[n] -= ETA * g[n]


def puts_new_arrays_into_the_dict(p, x, y, lam):
    p.update(right_step(p, x, y, lam))


@pytest.mark.parametrize("step", [in_place, puts_new_arrays_into_the_dict])
def test_a_step_in_place_is_right_and_noted(step):
    diagnosis = check(step, penalties=(0, 0, 0, 0))
    assert diagnosis.ok, str(diagnosis)
    assert any("step returns nothing" in note for note in diagnosis.notes)


def test_new_arrays_in_the_dict_that_was_given_are_right_and_noted():
    def step(p, x, y):
        p.update(right_step(p, x, y))
        return p

    diagnosis = check(step)
    assert diagnosis.ok, str(diagnosis)
    assert any("the dict that it was given" in note for note in diagnosis.notes)


def test_a_step_with_arrays_in_place_of_functions_is_right():
    rng = np.random.default_rng(0)
    sizes = {"d": 3, "K": 5}
    diagnosis = check_step(right_step, fprop, params(sizes, rng), batch(sizes, rng), axis="rows")
    assert diagnosis.ok, str(diagnosis)
    assert diagnosis.blind_spots


def test_examples_are_told_from_features_where_the_labels_are_the_inputs():
    def loss(p, x, y):
        return np.mean((p["W"] @ x - y) ** 2)

    def step(p, x, y):
        return {"W": p["W"] - ETA * 2 * (p["W"] @ x - y) @ x.T / x.size}

    def inputs_twice(sizes, rng):
        x = rng.normal(size=(sizes["d"], sizes["K"]))
        return x, x

    diagnosis = check_step(
        step, loss, lambda s, rng: {"W": rng.normal(size=(s["d"], s["d"]))}, inputs_twice
    )
    assert diagnosis.ok, str(diagnosis)
    assert "the loss is a mean over the examples" in diagnosis.notes


def test_inputs_that_are_indices_stay_so():
    def loss(p, x, y):
        return np.mean((p["E"][x] - y) ** 2)

    def step(p, x, y):
        new = p["E"].copy()
        np.subtract.at(new, x, ETA * 2 * (p["E"][x] - y) / len(y))
        return {"E": new}

    diagnosis = check_step(
        step,
        loss,
        lambda s, rng: {"E": rng.normal(size=s["words"])},
        lambda s, rng: (rng.integers(0, s["words"], s["K"]), rng.normal(size=s["K"])),
    )
    assert diagnosis.ok, str(diagnosis)


# Another gradient


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (slice(-1, None), "only the last example counts"),
        (slice(0, 1), "only the first example counts"),
        (slice(-2, None), "only the last examples count, 2 of 6"),
        (slice(None, -1), "the last examples are left out, 1 of 6"),
        (slice(None, None, 2), "examples are left out: 3 of 6"),
    ],
)
def test_a_part_of_the_minibatch_is_named(part, words):
    diagnosis = check(lambda p, x, y: right_step(p, x[part], y[part]))
    assert_only_cause(diagnosis, words, NAMES)
    assert rate_in(diagnosis) == pytest.approx(ETA, rel=1e-4)


def test_a_part_of_the_minibatch_divided_by_the_whole_is_named():
    def step(p, x, y):
        g = gradients(p, x[:-1], y[:-1])
        return {n: p[n] - ETA * (len(y) - 1) / len(y) * g[n] for n in p}

    diagnosis = check(step)
    assert_only_cause(diagnosis, "the last examples are left out, 1 of 6", NAMES)
    assert rate_in(diagnosis) == pytest.approx(ETA, rel=1e-4)


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (slice(-1, None), "only the last example counts"),
        (slice(0, 1), "only the first example counts"),
        (slice(None, -1), "the last examples are left out, 1 of 6"),
    ],
)
def test_a_part_of_the_minibatch_is_named_for_few_parameters(part, words):
    def loss(p, x, y):
        return np.mean((x @ p["w"] - y) ** 2)

    def step(p, x, y):
        x, y = x[part], y[part]
        return {"w": p["w"] - ETA * 2 * x.T @ (x @ p["w"] - y) / len(y)}

    diagnosis = check_step(step, loss, lambda s, rng: {"w": rng.normal(size=s["d"])}, batch)
    (cause,) = diagnosis.verdicts["w"].causes
    assert words in cause
    assert rate_in(diagnosis) == pytest.approx(ETA, rel=1e-4)


def test_the_rest_after_whole_minibatches_is_missed():
    def step(p, x, y):
        n = len(y) // 3 * 3
        return right_step(p, x[:n], y[:n])

    assert_only_cause(check(step), "the last examples are left out, 1 of 7: 6 are used", NAMES)


def test_a_part_of_the_minibatch_for_one_parameter_is_named():
    def step(p, x, y):
        return {**right_step(p, x, y), "W1": right_step(p, x[-1:], y[-1:])["W1"]}

    assert_only_cause(check(step), "only the last example counts", ["W1"])


def test_another_minibatch_is_named():
    def step(p, x, y):
        rng = np.random.default_rng(5)
        return right_step(p, rng.normal(size=(4, x.shape[1])), np.zeros(4))

    assert_only_cause(check(step), "does not depend on x and y", NAMES)


def test_penalties_that_the_step_leaves_out_are_named():
    diagnosis = check(lambda p, x, y: right_step(p, x, y), penalties=(0, 0, 0, 0))
    assert_only_cause(diagnosis, "in the loss but not in the step", ["W1", "W2"])
    assert "λ11 * sign(W1) + λ12 * 2 * W1" in diagnosis.verdicts["W1"].causes[0]


def test_penalties_that_are_left_out_besides_another_mistake_are_named_too():
    diagnosis = check(lambda p, x, y: right_step(p, x[-1:], y[-1:]), penalties=(0, 0, 0, 0))
    first, second = diagnosis.verdicts["W1"].causes
    assert "only the last example counts" in first
    assert "in the loss but not in the step" in second
    (only,) = diagnosis.verdicts["b1"].causes
    assert "only the last example counts" in only


def test_a_penalty_with_half_its_term_is_named():
    def step(p, x, y, lam):
        new = right_step(p, x, y, lam)
        return {**new, "W2": new["W2"] + ETA * lam[3] * p["W2"]}

    assert_only_cause(check(step, penalties=(0, 0, 0, 0)), "a factor 2 is missing", ["W2"])


def test_a_term_that_is_not_in_the_loss_is_named():
    def step(p, x, y):
        new = right_step(p, x, y)
        return {**new, "W1": new["W1"] - ETA * 0.01 * p["W1"]}

    assert_only_cause(check(step), "the term 0.01 * W1, which is not in the loss", ["W1"])


@pytest.mark.parametrize(
    ("factors", "words"),
    [
        ({"W1": lambda K: K, "W2": lambda K: K}, "its step is K times the right one"),
        ({"b1": lambda K: 1 / K}, "its step is 1/K of the right one"),
        ({"b2": lambda K: 3}, "its step is 3 times the right one"),
        ({"W2": lambda K: -1}, "it steps uphill"),
        ({"b1": lambda K: 0}, "it is not updated"),
        (dict.fromkeys(NAMES, lambda K: -1), "it steps uphill"),
        (dict.fromkeys(NAMES, lambda K: 0), "it is not updated"),
        (dict.fromkeys(NAMES, lambda K: K), "its step is K times the right one"),
    ],
)
def test_a_step_of_another_size_is_named(factors, words):
    assert_only_cause(check(scaled_step(factors)), words, list(factors))


def test_where_two_rates_have_as_many_votes_both_are_said():
    twice = {"W1": lambda K: 2, "b1": lambda K: 2}
    diagnosis = check(scaled_step(twice))
    (note,) = (n for n in diagnosis.notes if "η = " in n)
    assert note == "the learning rate is η = 0.1, by W1, b1; by W2, b2 it would be 0.05"
    assert_only_cause(diagnosis, "half the right one", ["W2", "b2"])


def test_a_step_with_a_gradient_for_an_updated_parameter_is_named():
    def step(p, x, y):
        new = dict(p)
        for n in ("W2", "b2", "W1", "b1"):
            new[n] = new[n] - ETA * gradients(new, x, y)[n]
        return new

    diagnosis = check(step)
    assert statuses(diagnosis) == {"W1": "wrong", "b1": "wrong", "W2": "right", "b2": "wrong"}
    after = {n: v.causes[0].split(" w")[0] for n, v in diagnosis.verdicts.items() if v.causes}
    assert after == {
        "b2": "its gradient is computed after W2",
        "W1": "its gradient is computed after W2, b2",
        "b1": "its gradient is computed after W1, W2, b2",
    }


def test_a_wrong_gradient_without_a_known_cause_is_not_given_one():
    def step(p, x, y):
        g = gradients(p, x, y)
        return {n: p[n] - ETA * (np.sin(9 * g[n]) if n == "W1" else g[n]) for n in p}

    diagnosis = check(step)
    assert statuses(diagnosis) == {n: "wrong" if n == "W1" else "right" for n in NAMES}
    assert diagnosis.verdicts["W1"].causes == ()


def test_no_learning_rate_is_claimed_where_none_fits():
    def step(p, x, y):
        return {n: p[n] - ETA * np.sin(9 * g) for n, g in gradients(p, x, y).items()}

    diagnosis = check(step)
    assert set(statuses(diagnosis).values()) == {"wrong"}
    assert any("no learning rate fits" in note for note in diagnosis.notes)


# Results that are shared, kept or stale


def remark(diagnosis):
    (one,) = diagnosis.remarks
    return one


def test_a_step_that_returns_the_arrays_it_was_given_loses_the_old_parameters():
    def step(p, x, y, lam):
        in_place(p, x, y, lam)
        return p

    diagnosis = check(step, penalties=(0, 0, 0, 0))
    assert set(statuses(diagnosis).values()) == {"right"}
    assert remark(diagnosis).startswith("W1, b1, W2, b2: the array that step returns is the one")
    assert not diagnosis.ok


def test_a_step_that_writes_into_what_it_was_given_and_returns_copies_is_told():
    def step(p, x, y):
        new = right_step(p, x, y)
        p["b1"] -= ETA * gradients(p, x, y)["b1"]
        return {**new, "b1": p["b1"].copy()}

    diagnosis = check(step)
    assert set(statuses(diagnosis).values()) == {"right"}
    assert remark(diagnosis).startswith("b1: step changes the array that it was given")


def test_a_step_that_changes_the_minibatch_is_told():
    def step(p, x, y):
        new = right_step(p, x, y)
        x *= 2
        return new

    assert "changes its argument x" in remark(check(step))


def test_results_that_lie_in_one_array_without_overlap_are_right():
    def step(p, x, y):
        new = right_step(p, x, y)
        whole = np.concatenate([new["b1"], new["W2"][0]])
        return {**new, "b1": whole[:2], "W2": whole[None, 2:]}

    assert check(step).ok


def test_results_that_share_memory_with_each_other_are_told():
    def tied_loss(p, x, y):
        return np.mean((x @ (p["u"] + p["v"]) - y) ** 2)

    def tied_step(p, x, y):
        g = 2 * x.T @ (x @ (p["u"] + p["v"]) - y) / len(y)
        new = p["u"] - ETA * g
        return {"u": new, "v": new}

    def same_twice(s, rng):
        w = rng.normal(size=s["d"])
        return {"u": w, "v": w}

    diagnosis = check_step(
        tied_step,
        tied_loss,
        same_twice,
        lambda s, rng: (rng.normal(size=(s["K"], s["d"])), rng.normal(size=s["K"])),
    )
    assert set(statuses(diagnosis).values()) == {"right"}, str(diagnosis)
    assert "u and v share memory" in remark(diagnosis)


def test_a_buffer_that_is_used_again_is_told():
    buffers = {}

    def step(p, x, y):
        for n, value in right_step(p, x, y).items():
            buffers.setdefault((n, value.shape), np.empty(value.shape))[...] = value
        return {n: buffers[n, p[n].shape] for n in p}

    diagnosis = check(step)
    assert set(statuses(diagnosis).values()) == {"right"}
    assert len(diagnosis.remarks) == 4
    assert all("changes at the next call" in r for r in diagnosis.remarks)


def test_a_step_that_keeps_something_is_told_and_not_judged():
    kept = {}

    def step(p, x, y):
        new = right_step(p, x, y)
        g = gradients(p, x, y)["W1"]
        old = kept.get("W1", g)
        new["W1"] = p["W1"] - ETA * (old if old.shape == g.shape else g)
        kept["W1"] = g
        return new

    diagnosis = check(step)
    assert statuses(diagnosis) == {n: "cannot tell" if n == "W1" else "right" for n in NAMES}
    assert "W1: taken again" in remark(diagnosis)
    assert not diagnosis.ok


# What is no step


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (lambda p, x, y: [1, 2], "step returns list, where the dict of the new parameters"),
        (lambda p, x, y: dict.fromkeys(p, "new"), "step returns str, not an array of numbers"),
        (lambda p, x, y: p["W3"], "step raises KeyError: 'W3'"),
        (lambda p: p, "step raises TypeError"),
    ],
)
def test_a_step_that_is_none_is_told_without_a_traceback(step, words):
    diagnosis = check(step)
    assert words in remark(diagnosis)
    assert set(statuses(diagnosis).values()) == {"cannot tell"}


def test_a_step_without_result_or_effect_leaves_all_as_it_was():
    diagnosis = check(lambda p, x, y: None)
    assert_only_cause(diagnosis, "it is not updated", NAMES)


def test_a_parameter_that_is_not_returned_is_told():
    def step(p, x, y):
        new = right_step(p, x, y)
        del new["b1"]
        return new

    assert_only_cause(check(step), "it returns W1, W2, b2", ["b1"])


def test_a_shape_that_broadcasting_changes_is_told():
    def step(p, x, y):
        new = right_step(p, x, y)
        return {**new, "b1": p["b1"] - ETA * gradients(p, x, y)["b1"][:, None]}

    assert_only_cause(check(step), "its shape is [2, 2] after the step, and was [2]", ["b1"])


def test_new_values_that_are_not_finite_are_told():
    def step(p, x, y):
        return {**right_step(p, x, y), "b2": p["b2"] / 0}

    assert_only_cause(check(step), "it is not finite after the step", ["b2"])


def test_new_values_of_less_precision_are_not_judged():
    def step(p, x, y):
        return {n: v.astype(np.float32) if n == "W1" else v for n, v in right_step(p, x, y).items()}

    diagnosis = check(step)
    assert statuses(diagnosis) == {n: "cannot tell" if n == "W1" else "right" for n in NAMES}
    assert "it comes back as float32" in str(diagnosis)


class Broken(dict):
    def __getitem__(self, name):
        raise RuntimeError("not now")

    keys = items = __iter__ = None


@pytest.mark.parametrize(
    "spoil",
    [
        lambda p, x, y: p.clear(),
        lambda p, x, y: p.update(W1=None),
        lambda p, x, y: Broken(p),
        lambda p, x, y: {n: np.nan * v for n, v in p.items()},
        lambda p, x, y: {n: [[1], [2, 3]] for n in p},
        lambda p, x, y: {n: 1j * v for n, v in p.items()},
        lambda p, x, y: dict.fromkeys(p, 7),
        lambda p, x, y: {n: v[..., None] for n, v in p.items() if np.ndim(v)},
        lambda p, x, y: {1: 2, None: 3},
    ],
)
def test_nothing_that_a_step_does_raises(spoil):
    diagnosis = check(spoil)
    assert not diagnosis.ok
    assert set(diagnosis.verdicts) == set(NAMES)
    assert str(diagnosis).startswith("step: ")


def test_a_loss_that_is_not_finite_does_not_raise():
    diagnosis = check_step(right_step, lambda p, x, y: np.nan * fprop(p, x, y), params, batch)
    assert not diagnosis.ok


def test_arguments_of_another_form_are_refused_by_the_name_of_this_function():
    with pytest.raises(TypeError, match=r"^check_step: params is a dict"):
        check_step(right_step, fprop, [1, 2], batch)
    with pytest.raises(ValueError, match=r"^check_step: axis"):
        check(right_step, axis="depth")
