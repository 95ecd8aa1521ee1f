"""A witness for a training loop written by hand: whether it does what it reports."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from minigraph.checks import check_callable, check_mapping, number, whole
from minigraph.train.watching import checksum

__all__ = ["Watch"]

ALIKE = 1e-9  # relative, for two ways to sum the same numbers


class Watch:
    """Watches a hand-written training loop; ``print`` shows what is wrong with it.

    A loop tells it what it does, by one line at each place; no call changes anything.

    Parameters
    ----------
    n : int
        How many training examples there are.
    loss : callable, optional
        ``loss(params) -> float`` on all of them, penalties included, to compare with.
    penalty : callable, optional
        ``penalty(params) -> float``, the part of `loss` that does not depend on the examples.

    Attributes
    ----------
    remarks : list of str
        What is wrong, each once, with the epoch in which it was seen first.

    Examples
    --------
    A loop that forgets to start its sum anew:

    >>> from minigraph.train import Watch
    >>> watch, total, params = Watch(n=4), 0.0, {"w": 1.0}
    >>> for epoch in range(2):
    ...     for loss in (0.7, 0.5):
    ...         watch.minibatch(loss, size=2)
    ...         total += loss * 2
    ...     watch.epoch(params, reported=total / 4)
    >>> print(watch)
    epoch 2: the loss that is reported is the sum over all epochs: set it to 0 before each epoch
    """

    def __init__(
        self,
        n: int,
        loss: Callable[[Mapping[str, Any]], float] | None = None,
        penalty: Callable[[Mapping[str, Any]], float] | None = None,
    ) -> None:
        for what, function in (("loss", loss), ("penalty", penalty)):
            if function is not None:
                check_callable(function, f"Watch: {what}", "a function of the parameters")
        self.n, self.loss, self.penalty = whole(n, "Watch: n", 1), loss, penalty
        self.remarks: list[str] = []
        self.reported: list[float] = []
        self._minibatches: list[tuple[float, int]] = []
        self._total = 0.0  # since the run began
        self._criteria: list[float] = []
        self._kinds: set[str] = set()

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong, as far as could be seen."""
        return not self.remarks

    def __str__(self) -> str:
        return "\n".join(self.remarks) or f"nothing wrong in {len(self.reported)} epochs"

    def __repr__(self) -> str:
        return f"<Watch: {len(self.reported)} epochs, {len(self.remarks)} remarks>"

    def minibatch(self, loss: float, size: int) -> None:
        """Tell the mean loss of a minibatch, without penalties, and how many examples it has."""
        loss, size = number(loss, "minibatch: loss"), whole(size, "minibatch: size", 0)
        self._minibatches.append((loss, size))
        self._total += loss * size

    def epoch(self, params: Mapping[str, Any], reported: float) -> None:
        """Tell that an epoch is over, and which loss the loop takes for that of the epoch."""
        reported = number(reported, "epoch: reported")
        self.reported.append(reported)
        seen = sum(size for _, size in self._minibatches)
        if seen != self.n:
            self._say(
                "examples",
                f"it takes {seen} of {self.n} examples ({seen / self.n:.3g} of an epoch): "
                + (
                    "the last minibatch, which is smaller, is left out"
                    if self._minibatches and 0 < self.n - seen < self._minibatches[0][1]
                    else "the number of minibatches is not n / K, rounded up"
                ),
            )
        self._look_at_loss(params, reported)
        self._minibatches = []

    def _look_at_loss(self, params: Mapping[str, Any], reported: float) -> None:
        data = reported - (self.penalty(params) if self.penalty else 0.0)
        losses = [loss for loss, _ in self._minibatches]
        seen = sum(size for _, size in self._minibatches)
        if not seen:
            return
        mean = sum(loss * size for loss, size in self._minibatches) / seen
        last, size = self._minibatches[-1]
        right = [mean, *([self.loss(params) - reported + data] if self.loss else [])]
        if any(_alike(data, value) for value in right):
            return
        only_last = "that of the last minibatch alone: add up those of all"
        wrong = {
            only_last: last,
            f"{only_last}; and it is divided by n / K once more": last * size / self.n,
            "a minibatch's mean divided by n / K: too small beside the penalties": (
                mean * size / self.n
            ),
            "the sum over all epochs: set it to 0 before each epoch": self._total / self.n,
            "the sum of the minibatches' means: divide by their number": sum(losses),
            "the sum over the examples: divide by their number": mean * seen,
            "without the penalties": mean - (reported - data),
        }
        found = [words for words, value in wrong.items() if _alike(data, value)]
        if found:
            self._say(found[0], f"the loss that is reported is {found[0]}")
        else:
            words = f"the loss that is reported, {reported:.6g}, is not that of the minibatches"
            self._say("loss", f"{words}, {mean + reported - data:.6g}")

    def best(self, best: Mapping[str, Any], params: Mapping[str, Any], reported: float) -> None:
        """Tell which parameters are kept as the best, the present ones, and the best loss."""
        check_mapping(best, "best: best", "names to arrays")
        check_mapping(params, "best: params", "names to arrays")
        reported = number(reported, "best: reported")
        same = [n for n in best if n in params and np.shares_memory(best[n], params[n])]
        if same:
            self._say(
                "same",
                f"the best {', '.join(same)} and the present are the same array, so each step "
                "changes the best too: keep a copy",
            )
        if self.loss and not _alike(value := self.loss(best), reported):
            self._say(
                "best",
                f"the parameters kept as the best have loss {value:.6g}, not {reported:.6g}: they "
                "are those of another time",
            )

    @contextlib.contextmanager
    def evaluation(self, params: Mapping[str, Any], part: str = "valid") -> Iterator[None]:
        """Compare the parameters before and after what stands inside: an evaluation."""
        check_mapping(params, "evaluation: params", "names to arrays")
        before = {n: checksum({n: np.asarray(v)}) for n, v in params.items()}
        yield
        changed = [n for n, v in params.items() if checksum({n: np.asarray(v)}) != before[n]]
        if changed:
            self._say(
                part,
                f"evaluating on {part} changes {', '.join(changed)}: it trains on these examples",
            )

    def criterion(self, value: float) -> None:
        """Tell the number on which it depends whether training goes on."""
        self._criteria.append(abs(number(value, "criterion: value")))

    def stopped(self) -> None:
        """Tell that the loop has ended by its own criterion, not by the number of epochs."""
        after = f"it stops after {len(self.reported)} epochs"
        if self._criteria and max(self._criteria) < 1e-12:
            self._say(
                "criterion",
                f"{after} by a number that is 0 whatever happens (at most "
                f"{max(self._criteria):.1g}), as is the sum of softmax's errors over the classes: "
                "take the norm of all gradients, or the validation loss",
            )
        losses = self.reported
        if len(losses) > 1 and losses[-1] >= min(losses[:-1]):
            self._say(
                "patience",
                f"{after}, at the first loss that is not smaller than the best: losses go up and "
                "down; wait for some epochs (patience), and take the validation loss",
            )

    def _say(self, kind: str, words: str) -> None:
        """Note what is wrong, the first time that something of its kind is."""
        if kind not in self._kinds:
            self._kinds.add(kind)
            self.remarks.append(f"epoch {max(len(self.reported), 1)}: {words}")


def _alike(a: float, b: float) -> bool:
    return bool(np.isclose(a, b, rtol=ALIKE, atol=0))
