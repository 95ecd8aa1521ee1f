"""How good a classifier is on some examples: nothing is recorded, nothing is learned."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from minigraph.modes import no_grad
from minigraph.ops.neural import softmax_nll

__all__ = ["count_wrong", "evaluate"]

ROWS = 10_000  # at once


def evaluate(model: Callable[[Any], Any], X: ArrayLike, y: ArrayLike) -> tuple[float, float]:
    """Compute the mean negative log-likelihood of some examples, and the share of wrong classes.

    Parameters
    ----------
    model : callable
        From rows (n, d) to a Tensor of logits (n, m); nothing is recorded.
    X, y : (n, d) and (n,) array_like

    Returns
    -------
    loss, error : float

    Examples
    --------
    >>> import minigraph as mg
    >>> from minigraph.train import evaluate
    >>> loss, error = evaluate(mg.Tensor, [[0.0, 0.0], [0.0, 9.0]], [1, 0])
    >>> round(loss, 4), error  # (ln 2 + ln(1 + exp(9))) / 2; a tie goes to the first class
    (4.8466, 1.0)
    """
    X, y = np.asarray(X), np.asarray(y)
    loss, wrong = 0.0, 0
    with no_grad():
        for start in range(0, len(X), ROWS):
            labels = y[start : start + ROWS]
            logits = model(X[start : start + ROWS])
            loss += softmax_nll(logits, labels).item() * len(labels)
            wrong += count_wrong(logits.data, labels)
    return loss / len(X), wrong / len(X)


def count_wrong(logits: Any, labels: Any) -> int:
    """Count the rows whose largest logit is not their label's."""
    return int(np.count_nonzero(logits.argmax(axis=1) != labels))
