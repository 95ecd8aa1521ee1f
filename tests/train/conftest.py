"""Runs that are killed, one process for all."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest


class Victim:
    """Has runs carried out by another process, see victim.py."""

    def __init__(self):
        root = Path(__file__).parents[2]
        self._process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("victim.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(root), "OPENBLAS_NUM_THREADS": "1"},
        )
        self._ends = {}

    def __call__(self, case, folder, **order):
        """Run, and say how it ended."""
        print(json.dumps({"case": case, "folder": str(folder), **order}),
              file=self._process.stdin, flush=True)  # fmt: skip
        return json.loads(self._process.stdout.readline())

    def undisturbed(self, case):
        """How a run of this case ends that nothing happens to."""
        if case not in self._ends:
            with tempfile.TemporaryDirectory() as folder:
                self._ends[case] = self(case, folder)
            assert self._ends[case]["error"] is None, self._ends[case]
        return self._ends[case]

    def close(self):
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


@pytest.fixture(autouse=True)
def ctrl_c():
    """Ctrl-C as Python takes it: what a shell runs in the background begins with it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def victim():
    victim = Victim()
    yield victim
    victim.close()
