"""Layers and networks: their parameters, names, scopes, and the risk."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigraph as mg
from minigraph import nn

sizes = st.lists(st.integers(1, 6), min_size=2, max_size=4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_weights_are_drawn_from_each_layer_s_own_range_and_biases_are_zero(dtype):
    model = nn.MLP((100, 400, 50), seed=0, dtype=dtype)
    for layer, bound in zip(model.layers, (0.1, 0.05), strict=True):
        W = layer.W.data
        assert 0.99 * bound < np.abs(W).max() <= bound * (1 + 1e-6)
        assert abs(W.mean()) < 0.02 * bound
        assert W.std() == pytest.approx(bound / np.sqrt(3), rel=0.02)
        assert not layer.b.data.any()
        assert W.dtype == layer.b.dtype == dtype


@given(sizes)
def test_parameters_are_named_in_order_and_counted(sizes):
    model = nn.MLP(sizes, seed=0)
    layers = range(1, len(sizes))
    assert list(model.parameters()) == [f"{p}{i}" for i in layers for p in "Wb"]
    for i, (n_in, n_out) in enumerate(pairwise(sizes), start=1):
        parameters = model.parameters()
        assert parameters[f"W{i}"].shape == (n_in, n_out)
        assert parameters[f"b{i}"].shape == (n_out,)
    for name, p in model.parameters().items():
        assert p.name == name
        assert p.requires_grad
    assert model.n_parameters == sum(p.size for p in model.parameters().values())


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9))
def test_u5_number_of_parameters(d, dh, m):
    assert nn.MLP((d, dh, m), seed=0).n_parameters == dh * d + dh + m * dh + m


def test_seed_decides_the_weights():
    def weights(seed):
        return nn.MLP((3, 4, 2), seed=seed).parameters()

    a, b, c = weights(1), weights(1), weights(2)
    assert np.array_equal(a["W1"].data, b["W1"].data)
    assert not np.array_equal(a["W1"].data, c["W1"].data)
    rng = np.random.default_rng(1)
    first, second = weights(rng), weights(rng)
    assert np.array_equal(first["W2"].data, a["W2"].data)
    assert not np.array_equal(first["W1"].data, second["W1"].data)


@given(st.integers(0, 99))
def test_forward_is_the_line_of_numpy(seed):
    rng = np.random.default_rng(seed)
    model = nn.MLP((3, 5, 4), seed=rng)
    X = rng.normal(size=(6, 3))
    W1, b1, W2, b2 = (p.data for p in model.parameters().values())
    assert np.array_equal(model(X).data, np.maximum(X @ W1 + b1, 0) @ W2 + b2)
    assert np.array_equal(model(mg.Tensor(X)).data, model(X).data)


def test_activation_is_applied_after_each_layer_but_the_last():
    calls = []

    def activation(x):
        calls.append(x.shape)
        return mg.tanh(x)

    model = nn.MLP((2, 3, 4, 5), activation=activation, seed=0)
    assert model(np.ones((7, 2))).shape == (7, 5)
    assert calls == [(7, 3), (7, 4)]


def test_layers_record_under_their_scope():
    model = nn.MLP((2, 3, 2), seed=0)
    with mg.scope("net"):
        y = model(np.ones((1, 2)))
    assert {n.scope for n in mg.Graph(y).nodes if n.op} == {("net", "layer1"), ("net", "layer2")}
    for i, layer in enumerate(model.layers, start=1):
        assert layer.W.scope == layer.b.scope == (f"layer{i}",)


def test_linear_layer_alone():
    layer = nn.Linear(3, 2, seed=0)
    x = np.ones((4, 3))
    assert np.array_equal(layer(x).data, x @ layer.W.data + layer.b.data)
    assert list(layer.parameters()) == ["W", "b"]


def test_float32_stays_float32():
    model = nn.MLP((3, 4, 2), seed=0, dtype=np.float32)
    loss = nn.risk(model, np.ones((5, 3), np.float32), np.zeros(5, int), (0.1, 0.2, 0.3, 0.4))
    assert loss.dtype == np.float32
    loss.backward()
    assert {p.grad.dtype for p in model.parameters().values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize("wrong", [(3,), (), (0, 2), (2, -1, 2)], ids=str)
def test_impossible_sizes_are_refused(wrong):
    with pytest.raises(ValueError, match="size"):
        nn.MLP(wrong)


def test_repr_shows_the_sizes():
    assert repr(nn.Linear(3, 2)) == "Linear(3, 2)"
    assert "3, 4, 2" in repr(nn.MLP((3, 4, 2)))
    assert "relu" in repr(nn.MLP((3, 4, 2)))


# The risk


def problem(seed=0, K=6):
    rng = np.random.default_rng(seed)
    model = nn.MLP((3, 5, 4), seed=rng)
    return model, rng.normal(size=(K, 3)), rng.integers(4, size=K)


LAMBDAS = (0.011, 0.023, 0.037, 0.053)


def test_u18_risk_is_the_loss_and_four_penalties():
    model, X, t = problem()
    W1, W2 = (layer.W.data for layer in model.layers)
    norms = [np.abs(W1).sum(), (W1**2).sum(), np.abs(W2).sum(), (W2**2).sum()]
    loss = mg.softmax_nll(model(X), t).item()
    assert nn.risk(model, X, t).item() == loss
    assert nn.risk(model, X, t, LAMBDAS).item() == pytest.approx(
        loss + np.dot(LAMBDAS, norms), rel=1e-15
    )


@pytest.mark.parametrize("which", range(4))
def test_u18_each_penalty_alone_reaches_its_own_weights_only(which):
    model, X, t = problem()
    parameters = list(model.parameters().values())
    lam = [0.0] * 4
    lam[which] = 0.5
    plain = mg.grad(nn.risk(model, X, t), parameters)
    penalised = mg.grad(nn.risk(model, X, t, lam), parameters)
    W = model.layers[which // 2].W
    for p, g, h in zip(parameters, plain, penalised, strict=True):
        added = 0.5 * (2 * W.data if which % 2 else np.sign(W.data)) if p is W else 0
        np.testing.assert_allclose(h.data - g.data, added + 0 * p.data, rtol=0, atol=1e-15)


def test_doubling_the_batch_changes_nothing():
    model, X, t = problem()
    once = nn.risk(model, X, t, LAMBDAS)
    twice = nn.risk(model, np.vstack([X, X]), np.concatenate([t, t]), LAMBDAS)
    assert twice.item() == pytest.approx(once.item(), rel=1e-15)


@pytest.mark.parametrize("lam", [(), (0.1,), (0.1,) * 3, (0.1,) * 5], ids=len)
def test_wrong_number_of_penalties_is_refused(lam):
    model, X, t = problem()
    with pytest.raises(ValueError, match="4"):
        nn.risk(model, X, t, lam)


BAD_LABELS = {
    "floats": (np.zeros(6), TypeError, "integers"),
    "booleans": (np.zeros(6, bool), TypeError, "integers"),
    "texts": (["a"] * 6, TypeError, None),
    "none": (None, TypeError, None),
    "negative": (np.array([0, 1, -1, 2, 3, 0]), ValueError, "-1.*row 2"),
    "too large": (np.array([0, 1, 4, 2, 3, 0]), ValueError, "4.*row 2"),
    "far too large": (np.array([0, 1, 2**62, 2, 3, 0]), ValueError, "row 2"),
    "most negative": (np.array([0, 1, -(2**63), 2, 3, 0]), ValueError, "row 2"),
    "too few": (np.zeros(5, int), ValueError, "6"),
    "too many": (np.zeros(7, int), ValueError, "6"),
    "one": (np.zeros(1, int), ValueError, "6"),
    "a number": (0, ValueError, "6"),
    "a column": (np.zeros((6, 1), int), ValueError, "6"),
    "one-hot rows": (np.eye(4, dtype=int)[[0, 1, 2, 3, 0, 1]], ValueError, "6"),
}


@pytest.mark.parametrize(("labels", "error", "says"), BAD_LABELS.values(), ids=BAD_LABELS)
@pytest.mark.parametrize("as_tensor", [False, True])
def test_bad_labels_are_refused(labels, error, says, as_tensor):
    model, X, _ = problem()
    if as_tensor:
        if not isinstance(labels, np.ndarray):
            return
        labels = mg.Tensor(labels)
    with pytest.raises(error, match=says):
        nn.risk(model, X, labels)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.uint16, np.int64, np.uint64])
def test_labels_of_any_integer_type(dtype):
    model, X, t = problem()
    assert nn.risk(model, X, t.astype(dtype)).item() == nn.risk(model, X, t).item()
    assert nn.risk(model, X, t.tolist()).item() == nn.risk(model, X, mg.Tensor(t)).item()


def test_an_empty_batch_is_refused():
    model, _, _ = problem()
    with pytest.raises(ValueError, match="at least one row"):
        nn.risk(model, np.zeros((0, 3)), np.zeros(0, int))


def test_logits_are_a_matrix():
    for z in (mg.Tensor([1.0, 2.0]), mg.Tensor(np.ones((2, 2, 2)))):
        with pytest.raises(ValueError):
            mg.softmax_nll(z, [0, 1])


def test_data_of_the_wrong_width_names_shapes_and_the_weights():
    model, _, t = problem()
    with pytest.raises(ValueError, match=r"\(6, 4\).*\(3, 5\).*W1"):
        nn.risk(model, np.ones((6, 4)), t)
