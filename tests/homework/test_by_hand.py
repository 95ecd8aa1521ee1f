"""The backward pass by hand: the homework's printed numbers, and the laws any gradient obeys."""

import numpy as np
import pytest
from hand_derived import by_loop, by_matrix, problems
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from demos.homework import by_hand, golden
from demos.homework.by_hand import Parameters, finite_differences

both_forms = pytest.mark.parametrize("form", [by_loop, by_matrix])


def assert_close(actual, desired, atol):
    np.testing.assert_allclose(actual, desired, rtol=0, atol=atol)


def assert_all_close(actual, desired, atol):
    for a, b in zip(actual, desired, strict=True):
        assert_close(a, b, atol)


# The numbers printed in the homework

P5 = Parameters(**golden.P5_PARAMETERS)
P4 = Parameters(**golden.P4_PARAMETERS)


def displayed(form, K):
    """What P7 prints: the gradients of the parameters, and the mean of oa's."""
    x, y = golden.X[:, :K], golden.Y[:K]
    _, forward = by_hand.fprop_matrix(P5, x, y)
    grad_oa = (forward.os - by_hand.onehot(2, y)).mean(axis=1, keepdims=True)
    _, grads, _ = form(P5, x, y)
    return {"oa": grad_oa, **grads._asdict()}


@both_forms
@pytest.mark.parametrize(
    ("K", "printed"),
    [pytest.param(1, golden.P7_ONE, id="R1"), pytest.param(10, golden.P7_LOOP, id="R2")],
)
def test_gradients_are_the_printed_ones(form, K, printed):
    found = displayed(form, K)
    for name in printed:
        assert_close(found[name], printed[name], 1e-8)


def test_r3_printed_matrix_form_is_ten_times_too_large_on_the_weights_only():
    found = displayed(by_matrix, 10)
    for name in golden.P7_MATRIX:
        factor = 10 if name in ("W1", "W2") else 1
        assert_close(golden.P7_MATRIX[name], factor * found[name], 1e-8)


def p4_ratios(dtype):
    """Forward difference / gradient on the ten rows; and the gradient."""
    parameters = Parameters(*(p.astype(dtype) for p in P4))
    slopes = finite_differences(
        lambda moved: by_hand.fprop_loop(moved, golden.X, golden.Y)[0],
        parameters,
        golden.EPSILON,
        forward=True,
    )
    _, grads, _ = by_loop(parameters, golden.X, golden.Y)
    return {name: s / g for name, s, g in zip(grads._fields, slopes, grads)}, grads


@pytest.mark.skipif(
    np.finfo(np.longdouble).eps == np.finfo(float).eps, reason="no float wider than float64 here"
)
def test_r4_twelve_ratios_are_the_printed_ones():
    found, _ = p4_ratios(np.longdouble)
    for name, printed in golden.P4_RATIOS.items():
        assert_close(found[name], printed, 5e-9)


def test_r4_in_float64_eleven_ratios_are_the_printed_ones_and_one_is_rounding():
    # W1[0, 1]'s gradient is so small that one unit in the last place of the loss moves its ratio
    # by 5e-8: there the printed number, and ours, can only be right to a few such units.
    found, grads = p4_ratios(float)
    deviation = {name: np.abs(found[name] - golden.P4_RATIOS[name]) for name in found}
    loss, _, _ = by_loop(P4, golden.X, golden.Y)
    unit = np.spacing(loss) / (golden.EPSILON * abs(grads.W1[0, 1]))
    assert unit > 5e-8
    assert deviation["W1"][0, 1] <= 4 * unit
    deviation["W1"][0, 1] = 0
    for name in deviation:
        assert_close(deviation[name], 0, 5e-9)


def p2():
    """Forward differences and gradients on row 0."""
    x, y = golden.X[:, :1], golden.Y[0]
    slopes = finite_differences(
        lambda moved: by_hand.fprop(moved, x, y).L, P4, golden.EPSILON, forward=True
    )
    grads, _ = by_hand.bprop(P4, x, y, by_hand.fprop(P4, x, y))
    return slopes._asdict(), grads._asdict()


def test_r5_six_ratios_are_the_printed_ones():
    slopes, grads = p2()
    for name, printed in golden.P2_RATIOS.items():
        legible = ~np.isnan(printed)
        assert_close(slopes[name][legible] / grads[name][legible], printed[legible], 1.1e-8)


def test_r5_the_illegible_ratio_mirrors_the_one_above_it():
    slopes, grads = p2()
    ratio = slopes["W2"][:, 1] / grads["W2"][:, 1]
    assert_close(ratio, [1.00000064, 0.99999936], 1.1e-8)


def test_r5_printed_true_is_zero_equal_to_zero():
    for grads in p2():
        assert not grads["W1"][0].any()
        assert not grads["b1"][0].any()
        assert not grads["W2"][:, 0].any()


# Laws, for any network and any data

NO_LAMBDAS = st.just(by_hand.NO_PENALTY)
LAMBDAS = st.tuples(*[st.floats(0, 0.1)] * 4)


@given(problems(), NO_LAMBDAS | LAMBDAS)
def test_loop_is_matrix(problem, lam):
    risk, grads, grad_x = by_loop(*problem, lam)
    matrix_risk, matrix_grads, matrix_grad_x = by_matrix(*problem, lam)
    assert_close(matrix_risk, risk, 1e-12)
    assert_all_close(matrix_grads, grads, 1e-12)
    assert_close(matrix_grad_x, grad_x, 1e-12)


@both_forms
@given(problem=problems(max_K=1))
def test_single_example_is_a_minibatch_of_one(form, problem):
    parameters, x, y = problem
    forward = by_hand.fprop(parameters, x, y[0])
    single_grads, single_grad_x = by_hand.bprop(parameters, x, y[0], forward)
    risk, grads, grad_x = form(*problem)
    assert_close(risk, forward.L, 1e-12)
    assert_all_close(grads, single_grads, 1e-12)
    assert_close(grad_x, single_grad_x, 1e-12)


@both_forms
@given(problem=problems(), lam=LAMBDAS)
def test_doubling_the_minibatch_changes_nothing(form, problem, lam):
    parameters, x, y = problem
    risk, grads, _ = form(parameters, x, y, lam)
    twice_risk, twice, _ = form(parameters, np.hstack([x, x]), np.hstack([y, y]), lam)
    assert_close(twice_risk, risk, 1e-12)
    assert_all_close(twice, grads, 1e-12)


@both_forms
@settings(deadline=None)
@given(problem=problems(smooth=True, max_K=4), lam=NO_LAMBDAS | LAMBDAS)
def test_gradients_are_central_differences(form, problem, lam):
    parameters, x, y = problem
    _, forward = by_hand.fprop_matrix(parameters, x, y)
    # No step may cross a kink, of rect or of the absolute value.
    assume(all(np.abs(z).min() > 1e-4 for z in (forward.ha, parameters.W1, parameters.W2)))
    _, grads, grad_x = form(parameters, x, y, lam)
    measured = finite_differences(lambda moved: form(moved, x, y, lam)[0], parameters)
    assert_all_close(grads, measured, 1e-8)
    (measured_x,) = finite_differences(lambda moved: form(parameters, *moved, y, lam)[0], (x,))
    assert_close(grad_x, measured_x, 1e-8)


@given(problems(), LAMBDAS)
def test_penalty_is_the_weighted_sum_of_the_norms_of_the_weights(problem, lam):
    W1, _, W2, _ = parameters = problem[0]
    norms = [np.linalg.norm(W.ravel(), order) ** order for W in (W1, W2) for order in (1, 2)]
    assert_close(by_hand.penalty(parameters, lam), np.dot(lam, norms), 1e-12)


@both_forms
@given(problem=problems(), lam=LAMBDAS)
def test_penalty_leaves_biases_and_zero_weights_alone(form, problem, lam):
    _, plain, _ = form(*problem)
    _, penalised, _ = form(*problem, lam)
    assert np.array_equal(plain.b1, penalised.b1)
    assert np.array_equal(plain.b2, penalised.b2)
    for name in ("W1", "W2"):
        zero = getattr(problem[0], name) == 0
        assert np.array_equal(getattr(plain, name)[zero], getattr(penalised, name)[zero])


@both_forms
@given(problem=problems(), lam=LAMBDAS)
def test_gradient_of_b2_sums_to_zero_over_the_classes(form, problem, lam):
    _, grads, _ = form(*problem, lam)
    assert_close(grads.b2.sum(), 0, 1e-12)


@both_forms
@given(problem=problems())
def test_columns_of_the_gradient_of_W2_sum_to_zero(form, problem):
    _, grads, _ = form(*problem)
    assert_close(grads.W2.sum(axis=0), 0, 1e-12)


@both_forms
@given(problem=problems())
def test_weights_into_and_out_of_a_hidden_unit_balance(form, problem):
    # Scaling a unit's inputs by c > 0 and its outputs by 1/c leaves the network as it is.
    W1, b1, W2, _ = problem[0]
    _, grads, _ = form(*problem)
    into = (W1 * grads.W1).sum(axis=1) + (b1 * grads.b1)[:, 0]
    out_of = (W2 * grads.W2).sum(axis=0)
    assert_close(into, out_of, 1e-12)


@both_forms
@given(problem=problems())
def test_dead_units_have_no_gradient(form, problem):
    parameters, x, y = problem
    parameters.b1[0] = -1e3  # one at least is dead on all examples
    _, forward = by_hand.fprop_matrix(parameters, x, y)
    dead = (forward.ha <= 0).all(axis=1)
    _, grads, _ = form(parameters, x, y)
    assert dead[0]
    assert not grads.W1[dead].any()
    assert not grads.b1[dead].any()
    assert not grads.W2[:, dead].any()


@both_forms
@given(problem=problems())
def test_rank_of_the_gradient_of_W2_is_at_most_K_and_m_minus_1(form, problem):
    parameters, _, y = problem
    _, grads, _ = form(*problem)
    rank = min(len(y), len(parameters.b2) - 1)
    singular_values = np.linalg.svd(grads.W2, compute_uv=False)
    assert_close(singular_values[rank:], 0, 1e-12)


@given(problems(), st.floats(-1e3, 1e3))
def test_softmax_gives_probabilities_and_ignores_a_common_shift(problem, shift):
    oa = problem[1]
    os = by_hand.softmax(oa)
    assert (os > 0).all()
    assert_close(os.sum(axis=0), 1, 1e-14)
    assert_close(by_hand.softmax(oa + shift), os, 1e-12)


@given(problems())
def test_loss_is_minus_the_logarithm_of_the_label_s_probability(problem):
    _, forward = by_hand.fprop_matrix(*problem)
    y = problem[2]
    assert_close(forward.L, -np.log(forward.os[y, np.arange(len(y))]), 1e-12)


@both_forms
@pytest.mark.parametrize("y", [0, 1, 2])
def test_loss_and_gradient_are_right_at_logits_of_ten_thousand(form, y):
    # Two examples: logits of 1e4, -1e4, 0 and, beside them, of -1e4 for all three classes.
    W1, W2 = np.eye(2), np.array([[1e4, -1e4], [-1e4, -1e4], [0.0, -1e4]])
    parameters = Parameters(W1, np.zeros((2, 1)), W2, np.zeros((3, 1)))
    risk, grads, _ = form(parameters, np.eye(2), np.array([y, 0]))
    assert risk == pytest.approx((1e4 - W2[y, 0] + np.log(3)) / 2, rel=1e-15, abs=0)
    first, second = grads.W2.T * 2  # the hidden layer is the identity on these examples
    assert np.array_equal(first, np.eye(3)[0] - np.eye(3)[y])
    assert_close(second, 1 / 3 - np.eye(3)[0], 1e-15)


@both_forms
@pytest.mark.parametrize("lam", [by_hand.NO_PENALTY, (0.1, 0.2, 0.3, 0.4)])
def test_float32_stays_float32(form, lam):
    parameters = Parameters(*(p.astype(np.float32) for p in P5))
    loss, grads, grad_x = form(parameters, golden.X.astype(np.float32), golden.Y, lam)
    assert {array.dtype for array in (np.asarray(loss), *grads, grad_x)} == {np.dtype("f4")}


@given(st.integers(1, 9).flatmap(lambda m: st.tuples(st.just(m), st.lists(st.integers(0, m - 1)))))
def test_onehot_has_its_one_in_the_label_s_row(m_y):
    m, y = m_y
    columns = by_hand.onehot(m, np.array(y, dtype=int))
    assert columns.shape == (m, len(y))
    assert (columns.sum(axis=0) == 1).all()
    assert columns.argmax(axis=0).tolist() == y


def test_init_draws_each_layer_in_its_own_range():
    W1, b1, W2, b2 = by_hand.init(100, 400, 50, np.random.default_rng(0))
    assert (W1.shape, b1.shape, W2.shape, b2.shape) == ((400, 100), (400, 1), (50, 400), (50, 1))
    for W, bound in [(W1, 0.1), (W2, 0.05)]:
        assert 0.99 * bound < np.abs(W).max() <= bound
        assert abs(W.mean()) < 0.02 * bound
    for b in (b1, b2):
        assert b.dtype == float
        assert not b.any()


def test_finite_differences_do_not_write_into_the_parameters():
    parameters = Parameters(*(p.copy() for p in P5))
    for p in parameters:
        p.setflags(write=False)
    finite_differences(lambda moved: by_hand.penalty(moved, (1, 1, 1, 1)), parameters)


@pytest.mark.parametrize(("forward", "error"), [(False, 0.0), (True, 0.125)])
def test_finite_differences_of_a_square_are_off_by_the_step_only_if_forward(forward, error):
    (slope,) = finite_differences(lambda v: v[0][0] ** 2, (np.array([2.0]),), 0.125, forward)
    assert slope == 4 + error
