"""How good a classifier is on some examples: nothing is recorded, nothing is learned."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from minigraph.arrays import array_of, shown
from minigraph.checks import check_callable
from minigraph.modes import no_grad
from minigraph.ops.neural import softmax_nll
from minigraph.tensor import Tensor

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

    Raises
    ------
    TypeError
        If the model makes no Tensor, or `X` or `y` holds no numbers.
    ValueError
        If there are no examples, or not one label for each row; what `softmax_nll` raises.

    Examples
    --------
    >>> import minigraph as mg
    >>> from minigraph.train import evaluate
    >>> loss, error = evaluate(mg.Tensor, [[0.0, 0.0], [0.0, 9.0]], [1, 0])
    >>> round(loss, 4), error  # (ln 2 + ln(1 + exp(9))) / 2; a tie goes to the first class
    (4.8466, 1.0)
    """
    check_callable(model, "evaluate: model", "a function from rows to logits")
    X, y = array_of(X, "evaluate: X"), array_of(y, "evaluate: y")
    if not X.size or y.shape != X.shape[:1]:
        raise ValueError(
            f"evaluate: rows are (n, d) and labels (n,), n > 0; got {X.shape} and {y.shape}"
        )
    loss, wrong = 0.0, 0
    with no_grad():
        for start in range(0, len(X), ROWS):
            labels = y[start : start + ROWS]
            logits = model(X[start : start + ROWS])
            if not isinstance(logits, Tensor):
                raise TypeError(f"evaluate: the model makes a Tensor, not {shown(logits)}")
            loss += softmax_nll(logits, labels).item() * len(labels)
            wrong += count_wrong(logits.data, labels)
    return loss / len(X), wrong / len(X)


def count_wrong(logits: Any, labels: Any) -> int:
    """Count the rows whose largest logit is not their label's."""
    return int(np.count_nonzero(logits.argmax(axis=1) != labels))
