"""The formulas run on Dask arrays too: the same gradients, and nothing is computed unasked."""

import dask
import dask.array as da
import numpy as np
import pytest

import minigraph as mg

rng = np.random.default_rng(0)
X, ONEHOT = rng.normal(size=(20, 3)), np.eye(4)[rng.integers(4, size=20)]
PARAMETERS = [rng.normal(size=shape) for shape in [(3, 5), (5,), (5, 4), (4,)]]


def risk_and_gradients(wrap):
    """Differentiate the penalised risk of an MLP, written out with operators."""
    parameters = [mg.Tensor(wrap(p), requires_grad=True, copy=False) for p in PARAMETERS]
    W1, b1, W2, b2 = parameters
    z = mg.relu(mg.Tensor(wrap(X), copy=False) @ W1 + b1) @ W2 + b2
    risk = (mg.logsumexp(z, axis=1) - (z * wrap(ONEHOT)).sum(axis=1)).mean()
    for W in (W1, W2):
        risk = risk + mg.elastic_net(W, 0.1, 0.2) + 0.3 * mg.l1_penalty(W) + 0.4 * mg.l2_penalty(W)
    return risk, mg.grad(risk, parameters)


def refuse(graph, keys, **options):
    raise AssertionError("computed before it was asked for")


def test_network_on_dask_arrays_has_the_gradients_of_ndarrays_and_stays_lazy():
    expected_risk, expected = risk_and_gradients(np.array)
    with dask.config.set(scheduler=refuse):
        risk, gradients = risk_and_gradients(lambda array: da.from_array(array, chunks=5))
    assert isinstance(risk.data, da.Array)
    assert abs(float(risk.data.compute()) - expected_risk.item()) <= 1e-12
    for g, e in zip(gradients, expected, strict=True):
        assert isinstance(g.data, da.Array)
        assert (g.shape, g.dtype) == (e.shape, e.dtype)
        np.testing.assert_allclose(g.data.compute(), e.data, rtol=0, atol=1e-12)


def test_a_dask_array_is_not_written_in_place():
    w = mg.Tensor(da.ones(3), requires_grad=True, name="w")
    with mg.no_grad(), pytest.raises(TypeError, match="make a new Tensor"):
        w -= 1.0
    assert isinstance(w.data, da.Array)
