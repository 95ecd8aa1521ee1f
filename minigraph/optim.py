"""Optimizers: they write into parameters in place, by the tensors' own counted write."""

import operator
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from minigraph.tensor import Tensor

__all__ = ["SGD"]


class SGD:
    """Stochastic gradient descent, with momentum if wanted.

    v ← μ v + g, θ ← θ - η v (the homework's U6 for μ = 0; Sutskever et al., "On the importance of
    initialization and momentum in deep learning", 2013, in PyTorch's form).

    Parameters
    ----------
    parameters : mapping of str to Tensor, or iterable of Tensor
        What is learned; those without a gradient are left alone.
    lr : float
        The learning rate η.
    momentum : float
        μ, 0 ≤ μ < 1.

    Raises
    ------
    ValueError
        If there are no parameters, η ≤ 0, or μ is out of range.
    TypeError
        If a parameter is not a leaf that requires a gradient.

    Examples
    --------
    >>> import minigraph as mg
    >>> w = mg.Tensor(4.0, requires_grad=True)
    >>> sgd = mg.optim.SGD([w], lr=0.25)
    >>> (w * w).backward()
    >>> sgd.step()
    >>> w.item()
    2.0
    """

    def __init__(
        self, parameters: Mapping[str, Tensor] | Iterable[Tensor], lr: float, momentum: float = 0.0
    ) -> None:
        values = parameters.values() if isinstance(parameters, Mapping) else parameters
        self.parameters = tuple(values)
        if not self.parameters:
            raise ValueError("SGD: no parameters to learn")
        for p in self.parameters:
            if not isinstance(p, Tensor) or p.op is not None or not p.requires_grad:
                raise TypeError(f"SGD: parameters are leaves that require a gradient, not {p!r}")
        if len(set(self.parameters)) < len(self.parameters):
            raise ValueError("SGD: a parameter is given twice, and would take two steps at once")
        if not lr > 0:
            raise ValueError(f"SGD: the learning rate is positive, got {lr}")
        if not 0 <= momentum < 1:
            raise ValueError(f"SGD: 0 <= momentum < 1, got {momentum}")
        self.lr = lr
        self.momentum = momentum
        self._velocities: dict[Tensor, Any] = {}

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for p in self.parameters:
            p._grad = None

    def step(self) -> None:
        """Take one step down the gradient that `backward` left."""
        velocities = self._velocities
        rates: dict[Any, Any] = {}  # NumPy takes half the time for a 0-d array, not a Python number
        for p in self.parameters:
            update = p._grad
            if update is None:
                continue
            if self.momentum:
                update = velocities[p] = self.momentum * velocities.get(p, 0.0) + update
            rate = rates.get(update.dtype)
            if rate is None:
                rate = rates[update.dtype] = np.asarray(self.lr, update.dtype)
            p.overwrite("SGD.step", operator.isub, rate * update)
