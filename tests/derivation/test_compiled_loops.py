"""Fused loops: the order of sums, special values, arguments, and the source."""

import os
import re
import sys
import threading
import time
import warnings

import numpy as np
import pytest

import minigraph as mg
from minigraph.derivation import compiling, derive, derived, fusible
from minigraph.testing.strategies import LAYOUTS
from tests.counts import THOROUGH, share
from tests.derivation.test_laws_of_derivation import check_same, eager
from tests.derivation.test_laws_of_loops import as_python
from tests.derivation.test_source import CALL, SIZES, arrays, drawn_programs, loss, run, squared

numba = pytest.importorskip("numba", reason="pip install -e '.[numba]'")

F, D = np.float32, np.float64
WEIGHTS = (0, 1, 2, 3)  # by which the network is differentiated


@pytest.fixture(autouse=True, scope="module")
def _cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def network(_cache):
    return derive(loss, *arrays(), argnums=WEIGHTS, backend="numba")


def check_network(network, given):
    with np.errstate(all="ignore"):
        value, gradients = network(*given)
        textbook = derive(loss, *arrays(), argnums=WEIGHTS)
        expected = textbook(*given)
    check_same([value, *gradients], [expected[0], *expected[1]])


def driver(derived):
    """Give the source of the function that calls loops and NumPy."""
    return derived.source[derived.source.rindex("\ndef ") :]


# Sums, in the order that is stated


def in_order(x):
    """Sum the last axis, one after the other."""
    return np.cumsum(x.astype(D), axis=-1)[..., -1]


def over_rows(x):
    """Sum 16 rows each in the dtype, and these in float64."""
    parts = [np.cumsum(x[i : i + 16], axis=0, dtype=x.dtype)[-1] for i in range(0, len(x), 16)]
    return in_order(np.stack(parts, axis=-1))


def sums(x):
    """Give sums over rows, over columns and over all, also of products."""
    rows, columns = x.sum(axis=-1), x.sum(axis=0)
    return x.sum(), rows, columns, x.mean(axis=0), mg.l2_penalty(x), mg.l1_penalty(x)


def sums_in_order(x):
    square, size = over_rows(np.square(x)), over_rows(np.abs(x))
    columns = over_rows(x)
    mean = columns / len(x)
    return [in_order(columns), in_order(x), columns, mean, in_order(square), in_order(size)]


def adversaries(rng, n, m):
    """List matrices in which much is lost when they are summed in the wrong way."""
    turns = np.where(np.arange(n * m) % 2, -1e8, 1e8).reshape(n, m)
    yield rng.normal(size=(n, m))
    yield turns + rng.normal(size=(n, m))
    yield np.full((n, m), 1e-3) + 1e5 * (np.arange(n * m).reshape(n, m) == 0)
    yield np.exp(rng.uniform(-30, 30, size=(n, m))) * rng.choice([-1, 1], size=(n, m))


@pytest.mark.parametrize("dtype", share([F, D], 2))
def test_sums_are_in_the_order_that_is_stated(dtype):
    """And no further from the truth than 16 roundings of the sum of all sizes are."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 6)).astype(dtype)
    derived = derive(sums, x, has_aux=True, backend="numba")
    assert not re.search(r"sum\(|mean\(|vdot\(", driver(derived))
    u = np.finfo(dtype).eps / 2
    for n in (1, 15, 16, 17, 333):
        for x in (wide.astype(dtype) for wide in adversaries(rng, n, 6)):
            value, _, others = derived(x)
            for found, expected in zip([value, *others], sums_in_order(x), strict=True):
                np.testing.assert_array_equal(found, expected.astype(dtype))
            exact = np.sum(x, axis=0, dtype=np.longdouble)
            room = 16 * u * np.abs(x).sum(axis=0, dtype=np.longdouble) + u * np.abs(exact)
            assert (np.abs(others[1] - exact) <= room).all()


# Special values

SPECIAL = [np.nan, np.inf, 0.0, 1, 0.5, 2, 3, 1e-30, 1e30, 1e-40, 1e-8, 88, 710, 0.3, 1.7, 5.1]
UFUNCS = [*fusible.LOOPED, *fusible.QUICK]


@pytest.mark.parametrize("dtype", share([F, D], 2))
@pytest.mark.parametrize("n", [1, 2])
def test_ufuncs_give_what_numpy_gives(n, dtype):
    """On special values too, except for the sign of the larger of two zeros.

    NumPy's own maximum of 0.0 and -0.0 has the sign of either, by their places in the arrays.
    """
    ufuncs = [ufunc for ufunc in UFUNCS if ufunc.nin == n]
    with np.errstate(over="ignore", under="ignore"):
        values = np.array([*SPECIAL, *np.negative(SPECIAL)], dtype)
    pairs = [np.ravel(grid) for grid in np.meshgrid(values, values)]
    given = [pair.copy() for pair in pairs] if n == 2 else [values]

    def all_of_them(*inputs):
        return (0 * inputs[0]).sum(), *(ufunc(*inputs) for ufunc in ufuncs)

    with np.errstate(all="ignore"):
        derived = derive(all_of_them, *given, has_aux=True, backend="numba")
        assert not re.search(r"np\.(?!float)", driver(derived))
        for ufunc, found in zip(ufuncs, derived(*given)[2], strict=True):
            expected = ufunc(*given)
            assert found.dtype == expected.dtype
            np.testing.assert_allclose(
                found, expected, 4 * np.finfo(dtype).eps, 0, err_msg=ufunc.__name__
            )
            if ufunc not in (np.maximum, np.minimum, np.fmax):
                number = ~np.isnan(expected.astype(dtype))
                np.testing.assert_array_equal(
                    np.signbit(found.astype(dtype))[number],
                    np.signbit(expected.astype(dtype))[number],
                    err_msg=ufunc.__name__,
                )


def rows(x, y, mask):
    """Use all that is made of a row, with ties, masks and narrower floats."""
    largest = x.max(axis=-1, keepdims=True)
    e = np.exp(x - largest) * mask
    p = e / e.sum(axis=-1, keepdims=True)
    chosen = np.where(mask, np.maximum(x, y), -x) + mg.sign(x) + np.abs(y)
    return (p * chosen).sum() + x.min(axis=1).sum() + (chosen * (x == y)).mean()


def special_rows():
    rng = np.random.default_rng(0)
    wide = rng.integers(-2, 3, size=(6, 4)) / 2.0  # ties
    mask = rng.random((6, 4)) < 0.7
    mask[:, 0] = True
    yield wide, rng.integers(-2, 3, size=4).astype(F), mask
    yield -wide, np.zeros(4, F), mask
    for special in (np.nan, np.inf, -np.inf, -0.0, 1e300):
        wide = wide.copy()
        wide[rng.integers(6), rng.integers(4)] = special
        yield wide, np.array([special, 1, -1, 0], D).clip(-1e30, 1e30).astype(F), mask


@pytest.mark.parametrize("run_as", ["python", "compiled"])
def test_rows_with_special_values_ties_masks_and_two_dtypes(run_as):
    first, *others = special_rows()
    with as_python() if run_as == "python" else warnings.catch_warnings():
        derived = derive(rows, *first, backend="numba")
    for given in (first, *others):
        x, y, mask = given
        with np.errstate(all="ignore"):
            value, gradients = derived(*given)
        expected = eager(lambda x, y, mask=mask: rows(x, y, mask), [x, y])
        check_same([value, *gradients], expected)


@pytest.mark.parametrize("shape", [(), (1,), (0,), (3, 0), (0, 3), (1, 1), (2, 0, 3), (2, 1, 3)])
def test_any_shape(shape):
    def f(x, y):
        z = np.exp(x) * y + 1
        return (z * z).sum() + mg.l1_penalty(x) + (z.sum(axis=-1) if z.ndim else z).sum()

    given = [np.full(shape, 0.5), np.full(shape[-1:], -0.25)]
    with as_python():
        derived = derive(f, *given, backend="numba")
        value, gradients = derived(*given)
    check_same([value, *gradients], eager(f, given))


def test_a_batch_of_nothing():
    def f(W, x):
        h = np.tanh(x @ W)
        return (h * h).sum() + mg.l2_penalty(W) + np.exp(h).sum(axis=0).max()

    W, x = np.ones((3, 2)), np.ones((5, 3))
    with as_python():
        derived = derive(f, W, x, argnums=0, backend="numba")
    for given in (x, x[:0], x[:1]):
        value, g = derived(W, given)
        check_same([value, g], eager(lambda W, x=given: f(W, x), [W]))


# Arguments


def test_labels_are_checked_and_nothing_is_lost(network):
    *weights, x, _ = arrays()
    for labels in ([0, 1, 2, 0, 1, 2], [-1, -3, 0, 1, 2, -2]):
        check_network(network, [*weights, x, np.array(labels)])
    for label in (3, -4, 2**62, -(2**63)):
        with pytest.raises(IndexError, match="a label is out of bounds for 3"):
            network(*weights, x, np.array([0, 1, 2, 0, 1, label]))
        check_network(network, arrays())


@pytest.mark.parametrize("layout", LAYOUTS)
def test_arrays_may_lie_in_memory_in_any_way(network, layout):
    *given, y = arrays()
    check_network(network, [*map(LAYOUTS[layout], given), y[::-1].copy()[::-1]])


def test_arguments_that_were_not_traced_are_refused(network):
    given = dict(zip(SIZES | {"y": ()}, arrays(), strict=True))
    for name, array, error in (
        ("W1", given["W1"].astype(F), TypeError),
        ("W1", given["W1"][:, :3], ValueError),
        ("X", given["X"][0], ValueError),
        ("y", given["y"].astype(np.int32), TypeError),
        ("y", given["y"][:4], ValueError),
    ):
        with pytest.raises(error, match=rf"{name} is .*traced with"):
            network(*(given | {name: array}).values())
    check_network(network, given.values())


@pytest.mark.parametrize("dtype", [np.float16, np.longdouble])
def test_floats_that_no_loop_takes_run_through_numpy(dtype):
    given = [a.astype(dtype) if a.dtype == float else a for a in arrays()]
    with pytest.warns(UserWarning, match=f"{np.dtype(dtype).name} is computed by NumPy's calls"):
        derived = derive(loss, *given, argnums=WEIGHTS, backend="numba")
    assert "np.exp(" in driver(derived)
    value, gradients = derived(*given)
    expected = eager(lambda *weights: loss(*weights, *given[4:]), given[:4])
    check_same([value, *gradients], expected, 0.005 if dtype is np.float16 else 1e-12)


def test_unsigned_and_short_labels_are_as_in_numpy():
    def f(x, y):
        return np.exp(x)[np.arange(3), y].sum()

    x = np.arange(12.0).reshape(3, 4)
    for labels in (np.array([3, 0, 1], np.uint8), np.array([3, -1, 1], np.int32)):
        with as_python():
            value, g = derive(f, x, labels, argnums=0, backend="numba")(x, labels)
        check_same([value, g], eager(lambda x, y=labels: f(x, y), [x]))


# Source


def sources(n):
    """List the sources of random programs and the network."""
    with as_python(), np.errstate(all="ignore"):
        return [
            derive(loss, *arrays(), argnums=WEIGHTS, backend="numba").source,
            *(squared(program, backend="numba").source for program in drawn_programs(n)),
        ]


def test_source_is_as_the_formatter_would_have_it(tmp_path):
    pytest.importorskip("ruff", reason="pip install -e '.[test]'")
    for i, source in enumerate(sources(2000 if THOROUGH else 25)):
        (tmp_path / f"derived{i}.py").write_text(source, encoding="utf-8")
    for command in (["check", "--no-cache"], ["format", "--check", "--diff", "--no-cache"]):
        done = run(sys.executable, "-m", "ruff", *command, "--isolated", str(tmp_path))
        assert done.returncode == 0, done.stdout[:3000] + done.stderr[:3000]


def test_long_names_and_many_sums_are_broken_as_formatters_do(tmp_path):
    pytest.importorskip("ruff", reason="pip install -e '.[test]'")

    def deep(weights, x):
        for w in weights:
            h = x @ w
            x = np.tanh(h) * np.where(h > 0.123456, h * 1.2345678, np.exp(-h) / 3.1415927)
        return (x * x).sum() + sum(mg.elastic_net(w, 0.01, 0.02) for w in weights)

    weights, x = [np.ones((4, 4))] * 12, np.ones((6, 4))
    names = [f"a_weight_with_a_long_{i}" for i in range(12)]
    with as_python():
        derived = derive(deep, weights, x, argnums=0, names=[*names, "x"], backend="numba")
    path = derived.save(tmp_path / "derived.py")
    done = run(sys.executable, "-m", "ruff", "format", "--diff", "--isolated", str(path))
    assert done.returncode == 0, done.stdout[:3000]
    assert "return (\n" in derived.source


def test_source_is_the_same_in_every_process():
    code = "from tests.derivation.test_compiled_loops import *\nprint(*sources(8))"
    settings = {"PYTHONHASHSEED": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = run(sys.executable, "-c", code, env=os.environ | settings)
    assert done.stdout == " ".join(sources(8)) + "\n", done.stderr


def test_source_runs_where_there_is_no_numba(network, tmp_path):
    path = network.save(tmp_path / "derived.py")
    code = f"import sys; sys.modules['numba'] = None\n{CALL}"
    sizes = str([list(size) for size in SIZES.values()])
    done = run(sys.executable, "-I", "-c", code, str(path), sizes)
    assert done.returncode == 0, done.stderr
    value, *gradients = map(np.array, eval(done.stdout))
    expected = network(*arrays())
    check_same([value, *gradients], [expected[0], *expected[1]])


def test_the_step_of_a_network_is_four_loops_and_five_products(network):
    calls = re.findall(r"loops_\d+\(|\.dot\(|np\.\w+\(", driver(network))
    products = ["loops_1(", ".dot(", "loops_2(", ".dot(", ".dot(", "loops_3(", ".dot(", "loops_4("]
    assert calls == [".dot(", *products, "np.float64("]
    buffers = re.findall(r"np\.empty\((.*?), dtype", network.source)
    gradients = ["(5,)", "(3,)", "(4, 5)", "(5, 3)"]
    assert sorted(buffers) == sorted([*gradients, "(K, 5)", "(K, 5)", "(K, 3)"])


def test_names_that_loops_have_for_themselves_are_no_variables():
    def f(loops_1, njit, i, K, prange, i5):
        j = (loops_1 * njit + i) * K
        return (j * prange - i5).sum()

    given = [np.random.default_rng(0).normal(size=(3, 4)) for _ in range(6)]
    with as_python():
        value, gradients = derive(f, *given, backend="numba")(*given)
    check_same([value, *gradients], eager(f, given))


# While loops are compiled, and on several threads


def behind(monkeypatch, compile_):
    """Derive with loops that this compiles in the background."""
    monkeypatch.setattr(derived, "compiled", compile_)
    return derive(loss, *arrays(), argnums=WEIGHTS, backend="numba", warm=False)


def wait_for(condition):
    for _ in range(500):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("that never happened")


def test_calls_do_not_wait_for_loops_that_are_compiled_in_the_background(monkeypatch):
    go, made = threading.Event(), []

    def compile_(*args):
        go.wait()
        made.append(compiling.compiled(*args))
        return made[0]

    with as_python():
        network = behind(monkeypatch, compile_)
        assert "loops are being compiled" in repr(network)
        check_network(network, arrays())
        assert not made
        go.set()
        wait_for(lambda: network.seconds is not None)
        assert network.function is made[0].namespace[network.function.__name__]
        check_network(network, arrays())


def test_loops_that_do_not_compile_in_the_background_are_told_of_once(monkeypatch):
    done = threading.Event()

    def compile_(*args):
        try:
            raise RuntimeError("no such luck")
        finally:
            done.set()

    network = behind(monkeypatch, compile_)
    wait_for(lambda: network._error is not None)
    with pytest.warns(UserWarning, match="stays with NumPy's calls.*no such luck"):
        network(*arrays())
    check_network(network, arrays())


def test_what_is_missing_is_told_of_at_once(monkeypatch):
    for module in ("numba", "platformdirs"):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, module, None)
            with pytest.raises(ImportError, match=r"minigraph\[numba\]"):
                derive(loss, *arrays(), argnums=WEIGHTS, backend="numba", warm=False)


def test_rows_are_computed_on_several_threads_where_nothing_is_summed_over_them(monkeypatch):
    def f(x, w):
        h = np.maximum(x @ w, 0)
        return ((h * h) @ w.T).sum()

    x, w = np.ones((300, 2)), np.ones((2, 200))
    with as_python():
        one, several = (derive(f, x, w, backend="numba", parallel=p) for p in (False, True))
        for found, expected in zip(several(x, w)[1], one(x, w)[1], strict=True):
            assert found.tobytes() == expected.tobytes()
    assert "prange" not in one.source
    assert "for i in prange(300)" in several.source
    for loops in several.source.split("@njit")[1:]:
        assert not ("prange" in loops and "_sums" in loops)
