"""Steps without the garbage collector, a tenth of them raising: nothing stays behind."""

import gc
import os
import sys
from pathlib import Path
from weakref import ref

import numpy as np
import pytest
from hypothesis import settings

import minigraph as mg
from minigraph import nn, notes, optim
from minigraph.lending import lent
from minigraph.modes import current_mode
from minigraph.tensor import Tensor

STEPS = 100_000 if settings.default.max_examples >= 1000 else 2_000

fails = {"forward": False, "backward": False}


class Planned(Exception):
    pass


def _function(x):
    if fails["forward"]:
        raise Planned
    return x * 2


def _formula(g, y, x):
    if fails["backward"]:
        raise Planned
    return g * 2


fragile = mg.Op(_function, x=_formula, name="fragile")


class Training:
    """A small network, with steps that end well and steps that raise."""

    def __init__(self):
        rng = np.random.default_rng(0)
        self.X, self.t = rng.normal(size=(6, 4)), rng.integers(3, size=6)
        self.model = nn.MLP((4, 5, 3), seed=0)
        self.W = self.model.layers[0].W
        self.sgd = optim.SGD(self.model.parameters(), lr=1e-3)

    def loss(self):
        return nn.risk(self.model, fragile(self.model.layers[0](self.X))[:, :4], self.t)

    def step(self):
        loss = self.loss()
        self.sgd.zero_grad()
        loss.backward()
        self.sgd.step()

    def step_in_debug(self):
        with mg.debug(), mg.scope("part"):
            self.step()

    def step_with_a_view(self):
        held = self.W.data
        self.step()
        held[0, 0] *= 0.5

    def second_order(self):
        W = self.W
        gradient = mg.grad(self.loss(), W, create_graph=True)
        (gradient * gradient).sum().backward()

    def raise_forward(self):
        fails["forward"] = True
        self.step()

    def raise_backward(self):
        fails["backward"] = True
        with mg.debug():
            self.step()

    def raise_second_order(self):
        gradient = mg.grad(self.loss(), self.W, create_graph=True)
        fails["backward"] = True
        (gradient * gradient).sum().backward()

    def refused_write(self):
        self.W[0] = 1.0

    def write_before_backward(self):
        loss = self.loss()
        self.W.data[0, 0] += 1e-3
        loss.backward()

    def write_in_debug(self):
        factor = np.ones(3)
        with mg.debug():
            loss = (self.model(self.X) * factor).sum()
            factor[0] = 2.0
        loss.backward()

    def nan_forward(self):
        with mg.debug():
            mg.log(0.0 * self.loss())

    def nan_backward(self):
        with mg.debug():
            mg.sqrt(0.0 * self.loss()).backward()

    def wrong_shapes(self):
        self.X @ self.W.T


GOOD = [
    Training.step, Training.step_in_debug, Training.step_with_a_view, Training.second_order,
]  # fmt: skip
RAISING = [
    Training.raise_forward, Training.raise_backward, Training.raise_second_order,
    Training.refused_write, Training.write_before_backward, Training.write_in_debug,
    Training.nan_forward, Training.nan_backward, Training.wrong_shapes,
]  # fmt: skip
ERRORS = Planned, RuntimeError, ValueError, mg.NonFiniteError

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of NumPy: they are meant


def raises(training, step):
    """Take a step that raises; read the error, and let it go."""
    outer, words, node = current_mode(), None, None
    try:
        step(training)
    except ERRORS as error:
        words = str(error)
        node = ref(error.node) if hasattr(error, "node") else None
    finally:
        fails.update(forward=False, backward=False)
    assert words is not None, f"{step.__name__} did not raise"
    assert current_mode() is outer
    return node


def resident():
    """Give the resident bytes of this process, 0 where /proc does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def run(training, steps):
    for i in range(steps):
        if i % 10 == 0:
            raises(training, RAISING[i // 10 % len(RAISING)])
        else:
            GOOD[i % len(GOOD)](training)


def live_tensors():
    return sum(type(o) is Tensor for o in gc.get_objects())


@pytest.mark.usefixtures("without_collector")
@pytest.mark.parametrize("step", [*GOOD, *RAISING], ids=lambda step: step.__name__)
def test_nothing_stays_of_a_step(step):
    training = Training()
    training.step()
    gc.collect()
    parameters = live_tensors()
    for _ in range(2):
        if step in RAISING:
            node = raises(training, step)
            assert node is None or node() is None
        else:
            step(training)
    del training.sgd
    assert live_tensors() == parameters
    assert not lent
    assert not gc.collect()


@pytest.mark.usefixtures("without_collector")
def test_memory_is_flat():
    tables = [len(table) for table in (lent, notes.notes, notes._latest)]
    training = Training()
    parameters = live_tensors()
    run(training, 200)  # caches fill
    gc.collect()
    measured = []
    for _ in range(2):
        run(training, STEPS // 2)
        assert live_tensors() == parameters
        assert not gc.collect()  # no cycles; it empties Python's own lists of free objects, too
        measured.append((sys.getallocatedblocks(), resident()))
    (blocks, size), (blocks_then, size_then) = measured
    print(f"{STEPS} steps: {blocks_then - blocks} blocks, {size_then - size} bytes more")
    assert blocks_then - blocks < 300  # NumPy keeps some small ones for later
    assert size_then - size < 1_000_000
    assert not lent
    del training
    assert live_tensors() == 0
    assert [len(table) for table in (lent, notes.notes, notes._latest)] == tables
