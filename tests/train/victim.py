"""A process that trains and does not live long: `python victim.py`, one order per line.

An order is a JSON object: the `case` and the `folder` of the files, arguments of `fit`, and perhaps
how the run is disturbed. A fork carries it out, so that hundreds of deaths take seconds. The answer
is a line of JSON: how it ended, and all that a run leaves behind, but for the time it took.
"""

import builtins
import hashlib
import importlib
import json
import os
import resource
import signal
import sys
import time
from errno import ENOSPC
from pathlib import Path
from select import select

import numpy as np

from minigraph import data, files, nn, optim
from minigraph.train import fit, log, running

# What is trained

NOBODY = 65534
BATCHES = 3
X, y = data.two_circles(0)
TRAIN, VALID = data.split(X, y, (30 * BATCHES - 10, 60))
EPOCHS = 4


def momentum(model):
    return optim.SGD(model.parameters(), lr=0.1, momentum=0.9)


def adam(model):
    return optim.Adam(list(model.parameters().values()), lr=optim.cosine(0.05, EPOCHS * BATCHES))


def steep(model):
    return optim.SGD(model.parameters(), lr=3.0, momentum=0.9)


def generator(bits):
    return lambda: np.random.Generator(bits(5))


CASES = {
    "momentum": (momentum, lambda: 7, {"evaluate_train": True}),
    "adam": (adam, generator(np.random.PCG64), {"penalty": [1e-4, 1e-3, 0, 1e-3]}),
    "patience": (steep, generator(np.random.MT19937), {"patience": 2, "epochs": 9}),
    "best": (steep, generator(np.random.Philox), {"restore_best": True}),
    "sfc": (momentum, generator(np.random.SFC64), {"test": VALID}),
}


def make(case):
    """Give what a run of this case begins with, and its arguments for `fit`."""
    optimizer_of, seed_of, more = CASES[case]
    model = nn.MLP((2, 5, 2), seed=1, dtype="float32" if case == "adam" else "float64")
    optimizer = optimizer_of(model)
    options = {"epochs": EPOCHS, "batch_size": 30, "progress": False, "seed": seed_of(), **more}
    return model, optimizer, options


def paths(folder):
    return {"log": Path(folder, "log.jsonl"), "checkpoint": Path(folder, "run.safetensors")}


def state(model, optimizer):
    """Hash all that a run changes in memory."""
    arrays = {**model.state_dict(), **optimizer.state_dict()}
    return digest(b"".join(array.tobytes() for array in arrays.values()))


def digest(content):
    return hashlib.sha256(content).hexdigest()


def timeless(row):
    return {name: value for name, value in row.items() if name not in ("seconds", "crc32")}


def left_behind(model, optimizer, options, history, folder):
    """Describe the end of a run to the last bit, but for the time it took."""
    best, seed = history.best_state or {}, options["seed"]
    lines = paths(folder)["log"].read_bytes().splitlines()
    return {
        "state": state(model, optimizer),
        "best": {name: array.tobytes().hex() for name, array in best.items()},
        "seed": digest(repr(seed if isinstance(seed, int) else seed.bit_generator.state).encode()),
        "history": [timeless(row) for row in history.rows],
        "log": [timeless(json.loads(line)) for line in lines],
        "files": sorted(path.name for path in Path(folder).glob("[!.]*")),
    }


# How it is disturbed


class Disturbed:
    """Counts what happens to files, and the steps; at the `at`-th event it does the `deed`.

    The deeds: "kill" before the event, "half" way through it, "interrupt" (Ctrl-C) and "full", an
    error of the disk in the middle of it.
    """

    def __init__(self, deed=None, at=None):
        self.deed, self.at, self.events = deed, at, []

    def __call__(self, what, act, half=lambda: None):
        self.events.append(what)
        if len(self.events) - 1 == self.at:
            if self.deed in ("half", "full"):
                half()
            if self.deed in ("kill", "half"):
                os.kill(os.getpid(), signal.SIGKILL)
            if self.deed == "interrupt":
                os.kill(os.getpid(), signal.SIGINT)
            if self.deed == "full" and what in ("write", "fsync"):
                raise OSError(ENOSPC, os.strerror(ENOSPC))
        return act()

    def wrap(self, owner, name):
        inner = getattr(owner, name)
        setattr(owner, name, lambda *a, **k: self(name.strip("_"), lambda: inner(*a, **k)))

    def fsync(self, descriptor):
        self("fsync", lambda: None)  # a killed process loses nothing that it has written

    def open(self, *args, **kwargs):
        return DisturbedFile(builtins.open(*args, **kwargs), self)

    def install(self):
        os.fsync = self.fsync
        self.wrap(Path, "replace")
        self.wrap(running.Run, "_step")
        files.open = log.open = self.open


class DisturbedFile:
    def __init__(self, file, disturbed):
        self.file, self.disturbed = file, disturbed

    def __getattr__(self, name):
        return getattr(self.file, name)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.file.close()

    def write(self, content):
        def half():
            self.file.write(content[: len(content) // 2])
            self.file.flush()

        return self.disturbed("write", lambda: self.file.write(content), half)

    def truncate(self, end):
        return self.disturbed("truncate", lambda: self.file.truncate(end))


# One order


def carry_out(order):
    """Train as ordered, and say how it ended."""
    case, folder = order.pop("case"), order.pop("folder")
    disturbed = Disturbed(order.pop("deed", None), order.pop("at", None))
    disturbed.install()
    if limit := order.pop("limit", None):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    model, optimizer, options = make(case)
    if order.pop("unprivileged", False) and os.geteuid() == 0:
        for module in ("portalocker", "safetensors.numpy", "tqdm.auto"):
            importlib.import_module(module)  # now: nobody may not read them where they are
        os.setuid(NOBODY)
    options |= order
    try:
        history = fit(model, TRAIN, VALID, optimizer=optimizer, **{**paths(folder), **options})
    except (Exception, KeyboardInterrupt) as error:
        end = {"error": type(error).__name__, "message": str(error)}
        end["state"] = state(model, optimizer)
    else:
        end = {"error": None, **left_behind(model, optimizer, options, history, folder)}
    return {**end, "events": disturbed.events}


def written_lines(path):
    return path.read_bytes().count(b"\n") if path.exists() else 0


def main():
    """Fork for each order; kill it `after` so many seconds, or Ctrl-C it after so many `lines`."""
    for line in sys.stdin:
        order = json.loads(line)
        after, lines = order.pop("after", None), order.pop("lines", None)
        log = paths(order["folder"])["log"]
        out, into = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(out)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            os.write(into, json.dumps(carry_out(order)).encode())
            os._exit(0)
        os.close(into)
        if after is not None:
            time.sleep(after)
            os.kill(child, signal.SIGKILL)
        if lines is not None:
            while not select([out], [], [], 0.001)[0] and written_lines(log) < lines:
                pass
            os.kill(child, signal.SIGINT)
        with open(out, "rb") as pipe:
            answer = pipe.read()
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status)
        print(json.dumps({"error": "killed"}) if killed else answer.decode(), flush=True)


if __name__ == "__main__":
    main()
