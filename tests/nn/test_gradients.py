"""The graph's gradient of the network is the hand-derived one, and the printed one."""

import numpy as np
import pytest
from hand_derived import by_loop, by_matrix, problems
from hypothesis import assume, given
from hypothesis import strategies as st

import minigraph as mg
from demos.homework import by_hand, golden
from demos.homework.by_hand import Parameters
from minigraph import nn

LAMBDAS = st.just(by_hand.NO_PENALTY) | st.tuples(*[st.floats(0, 0.1)] * 4)


def network(parameters, dtype=float):
    """Build the network that has these parameters: columns become rows."""
    (dh, d), m = parameters.W1.shape, len(parameters.b2)
    model = nn.MLP((d, dh, m), seed=0, dtype=dtype)
    for p, value in zip(model.parameters().values(), parameters, strict=True):
        p.data = value.T.reshape(p.shape)
    return model


def by_graph(parameters, x, y, lam=by_hand.NO_PENALTY, written_out=False):
    """Give risk, gradients and data gradient in the homework's column form."""
    model, X = network(parameters), mg.Tensor(x.T, requires_grad=True)
    if written_out:
        W1, b1, W2, b2 = model.parameters().values()
        z = mg.relu(X @ W1 + b1) @ W2 + b2
        nll = mg.logsumexp(z, axis=1) - z[np.arange(len(y)), y]
        risk = nll.mean()
        for W, l1, l2 in [(W1, *lam[:2]), (W2, *lam[2:])]:
            risk = risk + l1 * abs(W).sum() + l2 * (W**2).sum()
    else:
        risk = nn.risk(model, X, y, lam)
    *grads, grad_x = mg.grad(risk, [*model.parameters().values(), X])
    columns = [g.data.T.reshape(p.shape) for g, p in zip(grads, parameters, strict=True)]
    return risk.item(), Parameters(*columns), grad_x.data.T


def assert_same(found, expected, tolerance=1e-12):
    for a, b in zip(
        [found[0], *found[1], found[2]], [expected[0], *expected[1], expected[2]], strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * max(1, np.abs(b).max()))


@pytest.mark.parametrize("written_out", [False, True])
@given(problem=problems(), lam=LAMBDAS)
def test_graph_is_the_hand_derived_matrix_form_and_the_loop(written_out, problem, lam):
    found = by_graph(*problem, lam, written_out=written_out)
    assert_same(found, by_matrix(*problem, lam))
    assert_same(found, by_loop(*problem, lam))


def test_graph_is_the_hand_derived_form_on_a_thousand_networks():
    rng = np.random.default_rng(0)
    for _ in range(1000):
        d, dh, m, K = rng.integers(1, 8, size=4)
        shapes = [(dh, d), (dh, 1), (m, dh), (m, 1)]
        parameters = Parameters(*(rng.normal(size=shape) for shape in shapes))
        problem = parameters, rng.normal(size=(d, K)), rng.integers(m, size=K)
        lam = tuple(rng.uniform(0, 0.1, 4))
        assert_same(by_graph(*problem, lam), by_matrix(*problem, lam))


@given(problem=problems(smooth=True, max_K=4), lam=LAMBDAS)
def test_graph_is_the_central_difference_also_for_the_data(problem, lam):
    parameters, x, y = problem
    _, forward = by_hand.fprop_matrix(parameters, x, y)
    assume(all(np.abs(z).min() > 1e-4 for z in (forward.ha, parameters.W1, parameters.W2)))
    _, grads, grad_x = by_graph(*problem, lam)

    def risk(moved):
        *rest, data = moved
        return nn.risk(network(Parameters(*rest)), data.T, y, lam).item()

    measured = by_hand.finite_differences(risk, (*parameters, x))
    for g, slope in zip((*grads, grad_x), measured, strict=True):
        np.testing.assert_allclose(g, slope, rtol=0, atol=1e-8)


@given(problem=problems(), lam=LAMBDAS)
def test_float32_is_float64_rounded(problem, lam):
    parameters, x, y = problem
    model = network(parameters, np.float32)
    grads = mg.grad(
        nn.risk(model, x.T.astype(np.float32), y, lam), list(model.parameters().values())
    )
    rounded = Parameters(*(p.astype(np.float32).astype(float) for p in parameters))
    x32 = x.astype(np.float32).astype(float)
    _, forward = by_hand.fprop_matrix(rounded, x32, y)
    assume(np.abs(forward.ha[forward.ha != 0]).min(initial=1) > 1e-4)
    _, expected, _ = by_graph(rounded, x32, y, lam)
    for g, e in zip(grads, expected, strict=True):
        assert g.dtype == np.float32
        np.testing.assert_allclose(
            g.data, e.T.reshape(g.shape), rtol=0, atol=1e-5 * max(1, np.abs(e).max())
        )


# Identities that need no reference


@given(problems())
def test_gradients_of_the_last_layer_sum_to_zero_over_the_classes(problem):
    _, grads, _ = by_graph(*problem)
    np.testing.assert_allclose(grads.b2.sum(), 0, atol=1e-12)
    np.testing.assert_allclose(grads.W2.sum(axis=0), 0, atol=1e-12)


@given(problems())
def test_weights_into_and_out_of_a_hidden_unit_balance(problem):
    W1, b1, W2, _ = problem[0]
    _, grads, _ = by_graph(*problem)
    into = (W1 * grads.W1).sum(axis=1) + (b1 * grads.b1)[:, 0]
    np.testing.assert_allclose(into, (W2 * grads.W2).sum(axis=0), atol=1e-12)


@given(problems())
def test_dead_units_have_no_gradient(problem):
    parameters, x, y = problem
    parameters.b1[0] = -1e3
    _, forward = by_hand.fprop_matrix(parameters, x, y)
    dead = (forward.ha <= 0).all(axis=1)
    _, grads, _ = by_graph(parameters, x, y)
    assert dead[0]
    for zero in (grads.W1[dead], grads.b1[dead], grads.W2[:, dead]):
        assert not zero.any()


@given(problems())
def test_rank_of_the_gradient_of_W2_is_at_most_K_and_m_minus_1(problem):
    parameters, _, y = problem
    _, grads, _ = by_graph(*problem)
    rank = min(len(y), len(parameters.b2) - 1)
    singular = np.linalg.svd(grads.W2, compute_uv=False)
    np.testing.assert_allclose(singular[rank:], 0, atol=1e-12)


# The numbers printed in the homework

P5, P4 = Parameters(**golden.P5_PARAMETERS), Parameters(**golden.P4_PARAMETERS)


def displayed(K):
    """What P7 prints: the gradients of the parameters, and the mean of those of oa."""
    x, y = golden.X[:, :K], golden.Y[:K]
    _, grads, _ = by_graph(P5, x, y)
    model = network(P5)
    logits = model(x.T)
    oa = mg.grad(mg.softmax_nll(logits, y), logits).data.sum(axis=0)[:, None]
    return {"oa": oa, **grads._asdict()}


@pytest.mark.parametrize(
    ("K", "printed"),
    [pytest.param(1, golden.P7_ONE, id="R1"), pytest.param(10, golden.P7_LOOP, id="R2")],
)
def test_gradients_are_the_printed_ones(K, printed):
    found = displayed(K)
    for name, values in printed.items():
        np.testing.assert_allclose(found[name], values, rtol=0, atol=1e-8)


def test_r3_printed_matrix_form_is_ten_times_the_right_value_on_the_weights():
    found = displayed(10)
    for name, values in golden.P7_MATRIX.items():
        factor = 10 if name in ("W1", "W2") else 1
        np.testing.assert_allclose(values, factor * found[name], rtol=0, atol=1e-8)


def forward_differences(K, dtype):
    """Measure the homework's forward differences of the graph's risk."""
    parameters = Parameters(*(p.astype(dtype) for p in P4))
    x, y = golden.X[:, :K].astype(dtype), golden.Y[:K]

    def risk(moved):
        return nn.risk(network(moved, dtype), x.T, y).data[()]

    return by_hand.finite_differences(risk, parameters, golden.EPSILON, forward=True)


@pytest.mark.skipif(
    np.finfo(np.longdouble).eps == np.finfo(float).eps, reason="no float wider than float64 here"
)
def test_r4_twelve_ratios_are_the_printed_ones():
    _, grads, _ = by_graph(P4, golden.X, golden.Y)
    slopes = forward_differences(10, np.longdouble)
    for name, slope, g in zip(grads._fields, slopes, grads, strict=True):
        np.testing.assert_allclose(slope / g, golden.P4_RATIOS[name], rtol=0, atol=5e-9)


def test_r5_six_ratios_are_the_printed_ones():
    _, grads, _ = by_graph(P4, golden.X[:, :1], golden.Y[:1])
    slopes = forward_differences(1, float)
    for name, slope, g in zip(grads._fields, slopes, grads, strict=True):
        legible = ~np.isnan(golden.P2_RATIOS[name])
        np.testing.assert_allclose(
            slope[legible] / g[legible], golden.P2_RATIOS[name][legible], rtol=0, atol=1.1e-8
        )
