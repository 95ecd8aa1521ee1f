"""The same program gives the same bits: in another thread, task or process, and again."""

import asyncio
import multiprocessing
import os
import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest

import minigraph as mg
from minigraph import nn, optim
from minigraph.modes import current_mode

SCRIPT = "from core.test_processes import trained; print(trained(3).hex())"


def trained(seed):
    """Train a small network, of which one parameter is used twice; give all its bytes."""
    model = nn.MLP((2, 5, 3), seed=seed)
    sgd = optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(20, 2)), rng.integers(0, 3, 20)
    for _ in range(5):
        sgd.zero_grad()
        risk = nn.risk(model, X, y, (1e-3, 1e-2, 1e-3, 1e-2))
        (risk + (model(X) * model(X)).mean()).backward()
        sgd.step()
    return b"".join(p.data.tobytes() for p in model.parameters().values())


def mode():
    return current_mode().grad, current_mode().scope, current_mode().debug is not None


def test_in_threads():
    found = {}
    threads = [
        threading.Thread(target=lambda i=i: found.setdefault(i, trained(i))) for i in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {i: trained(i) for i in range(8)}


def test_in_tasks():
    async def task(i):
        with mg.scope(f"task{i}"):
            await asyncio.sleep(0)
            return trained(i)

    async def tasks():
        return await asyncio.gather(*map(task, range(4)))

    assert asyncio.run(tasks()) == [trained(i) for i in range(4)]


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_in_worker_processes(start):
    if start not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this system does not {start}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of fork beside threads
        with multiprocessing.get_context(start).Pool(2) as pool:
            assert pool.map(trained, range(4)) == [trained(i) for i in range(4)]


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_a_forked_process_goes_on_in_its_mode_and_a_spawned_one_begins_in_none(start):
    if start not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this system does not {start}")
    with warnings.catch_warnings(), mg.no_grad(), mg.scope("here"), mg.debug():
        warnings.simplefilter("ignore", DeprecationWarning)
        with multiprocessing.get_context(start).Pool(1) as pool:
            expected = (False, ("here",), True) if start == "fork" else (True, (), False)
            assert pool.apply(mode) == expected


def test_whatever_the_seed_of_hashes_is():
    outputs = set()
    for seed in ("0", "1"):
        paths = [os.path.dirname(os.path.dirname(__file__)), *sys.path]
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        command = [sys.executable, "-c", SCRIPT]
        outputs.add(
            subprocess.run(command, env=environment, capture_output=True, check=True).stdout
        )
    assert outputs == {trained(3).hex().encode() + b"\n"}
