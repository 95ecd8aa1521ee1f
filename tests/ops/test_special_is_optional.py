"""SciPy is loaded by whoever wants it: by minigraph only when it is asked for."""

import subprocess
import sys
from importlib.util import find_spec

import pytest


def run(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_minigraph_works_without_scipy_and_says_what_to_install():
    assert "minigraph.special needs SciPy: pip install 'minigraph[special]'" in run(
        "import sys; sys.modules['scipy'] = None\n"
        "import numpy as np, minigraph as mg\n"
        "x = mg.Tensor([1.0], requires_grad=True)\n"
        "try: np.frexp(x)\n"
        "except TypeError: pass\n"
        "try: import minigraph.special\n"
        "except ImportError as error: print(error)\n"
    )


@pytest.mark.skipif(find_spec("scipy") is None, reason="SciPy: pip install -e '.[test]'")
def test_the_table_is_read_when_a_ufunc_of_scipy_meets_a_tensor():
    assert run(
        "import sys, numpy as np, minigraph as mg\n"
        "print(any(name.partition('.')[0] == 'scipy' for name in sys.modules))\n"
        "import scipy.special\n"
        "x = mg.Tensor(0.0, requires_grad=True)\n"
        "np.exp(x)\n"
        "print('minigraph.ops.special' in sys.modules)\n"
        "print(scipy.special.expit(x).requires_grad)\n"
    ).split() == ["False", "False", "True"]
