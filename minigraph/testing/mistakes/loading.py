"""Run the source of a program, right or with the patches of a mistake."""

import inspect
import itertools
import linecache
from functools import cache
from importlib import import_module
from types import ModuleType

from minigraph.testing.mistakes.mistake import Mistake

__all__ = ["ARCHITECTURES", "load", "source"]

ARCHITECTURES = ("columns", "loop", "rows", "deep", "norm")
_numbers = itertools.count(1)


def load(program: str | Mistake) -> ModuleType:
    """Make a module of a program, right or wrong.

    Parameters
    ----------
    program : str or Mistake
        The name of an architecture, or a mistake in one.

    Returns
    -------
    module
        New at each call, with nothing left of earlier ones. It has

        - ``fprop(params, x, y, lam)``, the loss as a float, and ``bprop(params, x, y, lam)``, its
          gradient as a dict of arrays, both without ``lam`` where there are no penalties;
        - ``params(sizes, rng)`` and ``batch(sizes, rng)``, which draw a dict of arrays and a pair
          ``(x, y)``, for a dict of ``d``, ``dh``, ``m``, ``K`` (and ``dh2``, of "deep");
        - ``graph(params, x, y, lam)``, the loss as it should be, as a Tensor;
        - ``AXIS``, "columns" or "rows": what an example is; ``PENALTIES``, how many ``lam`` holds.

        Tracebacks show its lines as they were run.

    Raises
    ------
    ValueError
        If there is no such architecture, or what a patch replaces does not occur exactly once.

    Examples
    --------
    >>> import numpy as np
    >>> from minigraph.testing.mistakes import LIBRARY, load
    >>> right = load("deep")
    >>> wrong = load(next(m for m in LIBRARY if m.causes == {"W3": "missing 1/K"}))
    >>> rng = np.random.default_rng(0)
    >>> sizes = {"d": 3, "dh": 5, "dh2": 6, "m": 4, "K": 7}
    >>> params, (x, y) = right.params(sizes, rng), right.batch(sizes, rng)
    >>> ratio = wrong.bprop(params, x, y)["W3"] / right.bprop(params, x, y)["W3"]
    >>> print(ratio.round(12)[0])
    [7. 7. 7. 7.]
    """
    name = program if isinstance(program, str) else program.name
    text = source(program)
    file = f"<mistakes {next(_numbers)}: {name}>"
    module = ModuleType(name, f"{name}, of minigraph.testing.mistakes")
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    exec(compile(text, file, "exec"), module.__dict__)
    return module


def source(program: str | Mistake) -> str:
    """Give the text of a program, right or with the patches of a mistake.

    Parameters
    ----------
    program : str or Mistake

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If there is no such architecture, or what a patch replaces does not occur exactly once.
    """
    if isinstance(program, str):
        return _right(program)
    text = _right(program.architecture)
    for old, _ in program.patches:
        if text.count(old) != 1:
            raise ValueError(
                f"{program.name}: {old!r} occurs {text.count(old)} times in "
                f"{program.architecture}, not once; make the patch longer"
            )
    for old, new in program.patches:
        text = text.replace(old, new)
    return text


@cache
def _right(architecture: str) -> str:
    if architecture not in ARCHITECTURES:
        raise ValueError(f"no architecture {architecture!r}; there are {', '.join(ARCHITECTURES)}")
    return inspect.getsource(import_module(f"{__package__}.architectures.{architecture}"))
