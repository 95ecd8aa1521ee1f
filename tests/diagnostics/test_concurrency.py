"""Threads, asyncio tasks and processes: each trains as if it were alone, and no mode leaks."""

import asyncio
import copy
import gc
import multiprocessing
import pickle
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import numpy as np
import pytest

import minigraph as mg
from minigraph import nn, notes, optim
from minigraph.lending import lent
from minigraph.modes import current_mode

STEPS = 60
WORKERS = 8


def blocks(seed):
    """The modes that a worker is inside of: all train alike."""
    return [nullcontext, mg.debug, lambda: mg.scope("part"), mg.enable_grad][seed % 4]()


def steps(seed):
    """Train a network of its own, a step at a time; give the bytes of the parameters in the end."""
    rng = np.random.default_rng(seed)
    X, t = rng.normal(size=(12, 5)), rng.integers(3, size=12)
    model = nn.MLP((5, 7, 3), activation=mg.tanh, seed=seed)
    sgd = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    weights = model.layers[0].W
    for _ in range(STEPS):
        before = current_mode()
        with blocks(seed):
            loss = nn.risk(model, X, t, penalties=(1e-3, 0, 0, 1e-3))
            sgd.zero_grad()
            loss.backward()
        with mg.no_grad():
            weights.data[0, 0] *= 0.5
        assert current_mode() is before
        yield
        sgd.step()
    with pytest.raises(mg.WriteError):
        loss.backward()
    yield b"".join(p.numpy().tobytes() for p in model.parameters().values())


def train(seed):
    outer = current_mode()
    *_, result = steps(seed)
    return result, current_mode() is outer


async def train_in_turns(seed):
    outer = current_mode()
    with blocks(seed + 1):
        inside = current_mode()
        for result in steps(seed):  # noqa: B007
            await asyncio.sleep(0)
            assert current_mode() is inside
    return result, current_mode() is outer


@pytest.fixture(scope="module")
def alone():
    return [train(seed) for seed in range(WORKERS)]


@pytest.fixture
def eager_switches():
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def is_clean():
    gc.collect()
    mode = current_mode()
    return mode.grad and mode.debug is None and not mode.scope and not lent and not notes._latest


@pytest.mark.usefixtures("eager_switches")
def test_threads_train_as_if_alone(alone):
    with ThreadPoolExecutor(WORKERS) as pool, mg.no_grad():  # theirs do not hold in the threads
        assert list(pool.map(train, range(WORKERS))) == alone
    assert is_clean()


def test_tasks_train_as_if_alone(alone):
    async def together():
        return await asyncio.gather(*map(train_in_turns, range(WORKERS)))

    assert asyncio.run(together()) == alone
    assert is_clean()


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_train_as_if_alone(alone, method):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} here")
    held = mg.Tensor([1.0, 2.0])
    view = held.data  # a loan that the children inherit
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # fork beside threads
        with multiprocessing.get_context(method).Pool(2) as pool:
            assert pool.map(train, range(4)) == alone[:4]
    view[0] = 5.0
    del view, held
    assert is_clean()


# Tables that all threads share


def together(action, workers=WORKERS):
    """Let threads do the same at once; raise what one of them raised."""
    start = threading.Barrier(workers)

    def run(number):
        start.wait()
        return action(number)

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(run, range(workers)))


@pytest.mark.usefixtures("eager_switches")
def test_an_array_may_be_lent_to_many_threads_at_once():
    for _ in range(300):
        w = mg.Tensor([1.0, 2.0], requires_grad=True)
        y = (w * w).sum()
        views = together(lambda _, w=w: w.data, 4)
        last = views.pop()
        views.clear()
        last[0] = 7.0  # through whichever is left
        with pytest.raises(mg.WriteError):
            y.backward()
    del w, y, last
    assert is_clean()


@pytest.mark.usefixtures("eager_switches")
def test_a_tensor_may_be_detached_by_many_threads_at_once():
    for _ in range(300):
        w = mg.Tensor([1.0, 2.0], requires_grad=True)
        y = (w * w).sum()
        for leaf in together(lambda _, w=w: w.detach(), 4):
            assert leaf._written is w._written
        leaf[0] = 7.0
        with pytest.raises(mg.WriteError):
            y.backward()


@pytest.mark.usefixtures("eager_switches")
def test_tables_stand_threads_that_fill_and_empty_them():
    def action(number):
        x = mg.Tensor(np.full(3, float(number)), requires_grad=True)
        for _ in range(200):
            held = x.data
            with mg.debug():
                (x * x).sum().backward()
            del held
            x.data[0] += 1.0
        return float(x.grad.sum())

    expected = [2 * (200 * (3 * n) + sum(range(200))) for n in range(WORKERS)]
    assert together(action) == expected
    assert is_clean()


@pytest.mark.usefixtures("eager_switches")
def test_a_graph_may_be_copied_by_many_threads_at_once():
    x = mg.Tensor([1.0, 2.0], requires_grad=True)
    y = x
    for _ in range(20):
        y = y * x

    def action(number):
        for _ in range(20):
            copied = pickle.loads(pickle.dumps(y)) if number % 2 else copy.deepcopy(y)
            leaves = {id(n) for n in mg.Graph(copied).nodes if n.op is None}
            assert len(leaves) == 1
            (leaf,) = (n for n in mg.Graph(copied).nodes if n.op is None)
            np.testing.assert_allclose(mg.grad(copied.sum(), leaf).numpy(), 21 * x.numpy() ** 20)

    together(action)


@pytest.mark.usefixtures("eager_switches")
def test_the_last_write_is_the_latest_of_all_threads():
    from minigraph.modes import last_write

    def action(number):
        w = mg.Tensor([1.0])
        for _ in range(300):
            w += 1.0
            assert last_write[0] >= w._written[0]

    together(action)
