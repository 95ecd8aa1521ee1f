"""The step of a run by a derived program, in place of a graph and its sweep."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from minigraph.derivation import derive
from minigraph.derivation.deriving import Backend
from minigraph.nn import Module
from minigraph.tensor import Tensor

__all__ = ["DerivedLosses", "Losses"]


class Losses(NamedTuple):
    """Of a minibatch: the loss with penalty, the one without, and the logits."""

    loss: Any
    nll: Any
    logits: Any


class DerivedLosses:
    """Computes the losses of a minibatch, and leaves gradients in the parameters of the model.

    It is derived for the first minibatch, and compared with the graph on it.

    Parameters
    ----------
    losses : callable
        From X and y to `Losses`, by a graph.
    sizes : iterable of int
        Of all minibatches that there will be.
    backend : {"numpy", "numba"}
        As for `derive`.

    Raises
    ------
    TypeError, ValueError
        If the losses cannot be derived, or not for all sizes.
    RuntimeError
        If the derived program gives something else than the graph.
    """

    def __init__(
        self,
        model: Module,
        losses: Callable[[Any, Any], Losses],
        X: Any,
        y: Any,
        sizes: Iterable[int],
        backend: Backend = "numpy",
    ) -> None:
        parameters = model.parameters()
        self._parameters = list(parameters.values())
        self._apart: set[Tensor] = set()  # on which the loss does not depend: they get no gradient
        self._derived = derive(
            lambda *arguments: losses(*arguments[-2:]),  # the model has its parameters
            *self._parameters,
            X,
            y,
            argnums=range(len(parameters)),
            names=[*parameters, "X", "y"],
            style="fast",
            backend=backend,
            has_aux=True,
        )
        for size in sorted(sizes, reverse=True):
            self._compare(losses, X[:size], y[:size])

    def __call__(self, X: Any, y: Any) -> Losses:
        """Compute; what is given is overwritten by the next call."""
        arrays = [p._array for p in self._parameters]
        loss, gradients, (nll, logits) = self._derived(*arrays, X, y, copy=False)
        for p, gradient in zip(self._parameters, gradients):
            p._grad = None if p in self._apart else gradient
        return Losses(loss, nll, logits)

    def own_gradients(self) -> None:
        """Give the parameters gradients of their own, that no later call overwrites."""
        for p in self._parameters:
            if p._grad is not None:
                p._grad = p._grad.copy()

    def _compare(self, losses: Callable[[Any, Any], Losses], X: Any, y: Any) -> None:
        before = [p._grad for p in self._parameters]
        loss, nll, logits = losses(X, y)
        found = self(X, y)
        gradients = [p._grad for p in self._parameters]
        for p in self._parameters:
            p._grad = None
        loss.backward()
        _check("the loss", found.loss, loss._array)
        _check("the loss without penalty", found.nll, nll._array)
        _check("the logits", found.logits, logits._array)
        for p, gradient, kept in zip(self._parameters, gradients, before):
            if gradient is not None:
                _check(f"the gradient of {p._label()}", gradient, p._grad)
            if p._grad is None:
                self._apart.add(p)
            p._grad = kept


def _check(what: str, derived: Any, graph: Any) -> None:
    """Compare within some thousand roundings of the largest entry."""
    if graph is None:  # of a parameter that the loss does not depend on
        graph = np.zeros_like(derived)
    far = np.max(np.abs(np.asarray(derived) - graph), initial=0)
    bound = 1e4 * np.finfo(graph.dtype).eps * np.max(np.abs(graph), initial=1)
    if not far <= bound and np.isfinite(graph).all():
        raise RuntimeError(
            f"fit: in the first minibatch, {what} of the derived program differs from the graph's "
            f"by {far:.1e}; train with derived=False, and report it"
        )
