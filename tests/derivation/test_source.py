"""The source that a derivation prints: clean, short, with NumPy alone, always the same bytes."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import Phase, given, settings

import minigraph as mg
from minigraph.derivation import derive
from minigraph.testing.strategies import graphs
from tests.counts import THOROUGH

STYLES = ("textbook", "fast")
SIZES = {"W1": (4, 5), "b1": (5,), "W2": (5, 3), "b2": (3,), "X": (6, 4)}


def loss(W1, b1, W2, b2, X, y):
    ha = X @ W1 + b1
    hs = mg.relu(ha)
    oa = hs @ W2 + b2
    penalty = mg.elastic_net(W1, 0.011, 0.023) + mg.elastic_net(W2, 0.037, 0.053)
    return mg.softmax_nll(oa, y) + penalty


def arrays():
    rng = np.random.default_rng(0)
    return [*(rng.normal(size=size) for size in SIZES.values()), rng.integers(0, 3, 6)]


def network(style="textbook"):
    return derive(loss, *arrays(), argnums=(0, 1, 2, 3), style=style)


def drawn_programs(n):
    found = []

    @settings(max_examples=n, database=None, derandomize=True, phases=[Phase.generate])
    @given(graphs())
    def draw(program):
        found.append(program)

    draw()
    return found


def sources():
    """List the sources of random programs and the network, in both styles."""
    found = [network(style).source for style in STYLES]
    for program in drawn_programs(2000 if THOROUGH else 40):
        found += [squared(program, style=style).source for style in STYLES]
    return found


def squared(program, **options):
    def loss_of_squares(*inputs):
        return (program.function(*inputs) ** 2).sum()

    with np.errstate(all="ignore"):
        return derive(loss_of_squares, *program.inputs.values(), **options)


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def test_source_is_as_the_formatter_would_have_it(tmp_path):
    pytest.importorskip("ruff", reason="pip install -e '.[test]'")
    for i, source in enumerate(sources()):
        (tmp_path / f"derived{i}.py").write_text(source, encoding="utf-8")
    for command in (["check", "--no-cache"], ["format", "--check", "--diff", "--no-cache"]):
        done = run(sys.executable, "-m", "ruff", *command, "--isolated", str(tmp_path))
        assert done.returncode == 0, done.stdout[:3000] + done.stderr[:3000]


def test_textbook_of_the_homework_s_network_is_short_and_has_its_names():
    source = network().source
    body = source[source.index(":\n", source.index("def ")) :].strip(":\n").splitlines()
    assert len(body) <= 25
    names = {line.partition(" = ")[0].strip() for line in body}
    assert {"ha", "hs", "oa", "grad_W1", "grad_b1", "grad_W2", "grad_b2", "loss"} <= names
    assert "softmax - onehot" in source
    assert "grad_oa @ W2.T" in source


CALL = """
import json, sys
import numpy as np
source = open(sys.argv[1], encoding="utf-8").read()
exec(source)
rng = np.random.default_rng(0)
sizes = json.loads(sys.argv[2])
given = [*(rng.normal(size=size) for size in sizes), rng.integers(0, 3, 6)]
value, gradients = loss_and_gradients(*given)
assert "minigraph" not in sys.modules
print(json.dumps([float(value), *[g.tolist() for g in gradients]]))
"""


@pytest.mark.parametrize("style", STYLES)
def test_source_runs_alone_with_numpy(style, tmp_path):
    derived = network(style)
    path = derived.save(tmp_path / "derived.py")
    assert path.read_text(encoding="utf-8") == derived.source
    sizes = str([list(size) for size in SIZES.values()])
    done = run(sys.executable, "-I", "-c", CALL, str(path), sizes)
    assert done.returncode == 0, done.stderr
    value, *gradients = eval(done.stdout)
    expected, slopes = mg.value_and_grad(loss, argnums=(0, 1, 2, 3))(*map(mg.Tensor, arrays()))
    assert abs(value - expected.item()) <= 1e-12
    for g, slope in zip(gradients, slopes, strict=True):
        np.testing.assert_allclose(g, slope.data, rtol=0, atol=1e-12)


def test_source_is_the_same_in_every_process():
    code = "from tests.derivation.test_source import network; print(network('fast').source); "
    code += "print(network().source)"
    found = set()
    for seed in ("1", "2"):
        environment = {
            **os.environ,
            "PYTHONHASHSEED": seed,
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        done = run(sys.executable, "-c", code, env=environment)
        assert done.returncode == 0, done.stderr
        found.add(done.stdout)
    assert len(found) == 1
    assert network().source in found.pop()


@pytest.mark.parametrize("style", STYLES)
def test_a_long_chain_needs_no_recursion(style):
    n = 5_000 if THOROUGH else 400

    def chain(x):
        for _ in range(n):
            x = np.sin(x) + x
        return x.sum()

    x = np.array([0.1, 0.2])
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(200)
    try:
        derived = derive(chain, x, style=style)
    finally:
        sys.setrecursionlimit(limit)
    value, (g,) = derived(x)
    expected, slope = mg.value_and_grad(chain)(mg.Tensor(x))
    assert value == expected.item()
    np.testing.assert_allclose(g, slope.data, rtol=1e-12)


def test_a_value_is_not_compared_with_itself_by_an_operator():
    """Linters take ``x == x`` for a slip; it came from ``np.maximum(x, x)``."""
    derived = mg.derive(lambda x: np.maximum(x, x).sum(), np.ones(3))
    assert "x == x" not in derived.source
    assert "np.equal(x, x)" in derived.source


def test_a_gate_that_two_products_use_stays_one_value():
    """Each product made a sign of its own."""
    derived = mg.derive(lambda a: mg.abs(mg.relu(a)), np.array(0.55), style="fast")
    assert derived.source.count("np.sign") + derived.source.count("> 0") <= 2
