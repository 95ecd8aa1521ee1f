"""Derived sources are backward passes like others: the diagnosis finds them right, or says why."""

import numpy as np
import pytest

import minigraph as mg
from minigraph.testing import check_bprop

rng = np.random.default_rng(0)
PARAMS = [rng.normal(size=shape) for shape in ((2, 3), (3,), (3, 2), (2,))]
X, y = rng.normal(size=(5, 2)), rng.integers(0, 2, 5)
LAMBDAS = 1e-3, 2e-3, 3e-3, 4e-3


def risk(W1, b1, W2, b2, X, y):
    logits = mg.linear(mg.relu(mg.linear(X, W1, b1)), W2, b2)
    l11, l12, l21, l22 = LAMBDAS
    return mg.softmax_nll(logits, y) + mg.elastic_net(W1, l11, l12) + mg.elastic_net(W2, l21, l22)


@pytest.mark.parametrize("layout", ["rows", "columns"])
@pytest.mark.parametrize("style", ["textbook", "fast"])
def test_a_derived_source_is_found_right(style, layout):
    derived = mg.derive(risk, *PARAMS, X, y, argnums=range(4), style=style, layout=layout)
    diagnosis = check_bprop(derived)
    assert diagnosis.ok, diagnosis
    assert str(diagnosis).splitlines()[1] == "W1, b1, W2, b2  right"


def test_a_wrong_source_is_found_wrong():
    derived = mg.derive(risk, *PARAMS, X, y, argnums=range(4))
    namespace = {}
    exec(derived.source.replace("1 / K *", "2 / K *"), namespace)
    derived.function = namespace["risk_and_gradients"]
    diagnosis = check_bprop(derived)
    assert not diagnosis.ok
    assert "wrong" in str(diagnosis)


def test_a_function_of_one_array_alone_can_be_diagnosed():
    assert check_bprop(mg.derive(lambda w: (w**2).sum(), np.ones(3), argnums=0)).ok


def test_containers_are_refused_by_name():
    derived = mg.derive(lambda p: (p["w"] ** 2).sum(), {"w": np.ones(3)})
    with pytest.raises(TypeError, match="arrays alone"):
        check_bprop(derived)
    with pytest.raises(TypeError, match=r"what mg\.derive"):
        check_bprop(risk)
