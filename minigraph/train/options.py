"""How a run is to be trained: the options, and all that decides its result, as text."""

import json
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator

from minigraph.arrays import Array
from minigraph.checks import listed, number
from minigraph.nn import Module, Seed
from minigraph.nn import penalty as penalty_of
from minigraph.optim import Optimizer
from minigraph.train.watching import checksum

__all__ = ["Options", "configuration", "plain"]


@dataclass
class Options:
    """How to train, checked."""

    epochs: int
    batch_size: int
    penalty: Sequence[float] | None
    patience: int | None
    evaluate_train: bool
    restore_best: bool
    progress: bool | None
    derived: bool | str = False

    def check(self, model: Module, valid: Any) -> None:
        """Refuse what is not possible.

        Raises
        ------
        TypeError, ValueError
            It names the option, what was given, and what is possible.
        """
        for name, least in (("epochs", 0), ("batch_size", 1), ("patience", 1)):
            value = getattr(self, name)
            if value is None and name == "patience":
                continue
            if not isinstance(value, int | np.integer) or isinstance(value, bool):
                raise TypeError(f"fit: {name} is a whole number, not {value!r}")
            if value < least:
                raise ValueError(f"fit: {name} is at least {least}, not {value}")
        if not isinstance(self.derived, bool | str) or self.derived not in (True, False, "numba"):
            raise ValueError(f"fit: derived is True, False or 'numba', not {self.derived!r}")
        if valid is None and (self.patience is not None or self.restore_best):
            what = "patience" if self.patience is not None else "restore_best"
            raise ValueError(f"fit: {what} needs validation examples, valid=(X, y)")
        if self.penalty is not None:
            for weight in listed(self.penalty, "fit: penalty", "a sequence of numbers"):
                number(weight, "fit: each penalty")
            penalty_of(model, self.penalty)  # are there as many as it needs?
            if not all(np.isfinite(weight) and weight >= 0 for weight in self.penalty):
                raise ValueError(
                    f"fit: penalties are finite and at least 0, not {tuple(self.penalty)}: a "
                    "negative one rewards large weights"
                )


def configuration(
    model: Module,
    optimizer: Optimizer,
    options: Options,
    parts: Mapping[str, tuple[Array, Array]],
    seed: Seed,
    m: int,
) -> dict[str, Any]:
    """Describe a run by what JSON can say: two runs of one description give the same result.

    This reads all data once, for the checksums.
    """
    from minigraph import __version__

    described = {
        "model": repr(model),
        "parameters": {n: f"{p.dtype}{list(p.shape)}" for n, p in model.parameters().items()},
        "optimizer": _described(optimizer, model),
        "epochs": options.epochs,
        "batch_size": options.batch_size,
        "penalty": options.penalty,
        "patience": options.patience,
        "evaluate_train": options.evaluate_train,
        "seed": type(seed.bit_generator).__name__ if isinstance(seed, Generator) else seed,
        "classes": m,
        "examples": {name: len(y) for name, (_, y) in parts.items()},
        "checksums": {name: checksum({"X": X, "y": y}) for name, (X, y) in parts.items()},
        "versions": {
            "minigraph": __version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    }
    if options.derived:  # its roundings are others
        described["derived"] = options.derived
    return dict(json.loads(json.dumps(described, default=plain)))


def _described(optimizer: Optimizer, model: Module) -> dict[str, Any]:
    """Describe an optimizer by its settings; a schedule by its rates at some steps."""
    lr: Any = optimizer.lr
    if callable(lr):
        lr = {str(step): _rate(lr, step) for step in (0, 1, 10, 100, 1000, 10_000, 100_000)}
    settings = {name: getattr(optimizer, name) for name in optimizer.settings}
    names = {p: name for name, p in model.parameters().items()}
    of = [names[p] for p in optimizer.parameters]
    return {"name": type(optimizer).__name__, "parameters": of, "lr": lr, **settings}


def _rate(lr: Callable[[int], float], step: int) -> float | None:
    try:
        return lr(step)
    except Exception:  # a schedule may know no more steps than the run has
        return None


def plain(value: Any) -> Any:
    """Turn into something that JSON can write."""
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else type(value).__name__
