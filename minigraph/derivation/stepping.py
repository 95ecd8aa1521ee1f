"""derive_step: a whole step of training, with the optimizer's update, as one program."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minigraph.arrays import shown
from minigraph.checks import check_callable
from minigraph.derivation.arguments import Arguments
from minigraph.derivation.capturing import capture
from minigraph.derivation.derived import Derived
from minigraph.derivation.deriving import Backend, made
from minigraph.derivation.recording import recorded
from minigraph.lending import clock_of
from minigraph.modes import count_write
from minigraph.nested import argument_names, flatten
from minigraph.optim import Optimizer
from minigraph.tensor import Tensor

__all__ = ["DerivedStep", "derive_step"]


class DerivedStep(Derived):
    """One step of training, as NumPy source and as a function: loss, gradients and update.

    Its function takes the parameters, what the optimizer keeps for them, its rates, and the
    minibatch; it writes into the first two in place, and gives the loss. The attributes are those
    of `Derived`.
    """

    state: "_State"

    def __call__(self, *args: Any, copy: bool = True) -> Any:
        """Take one step on a minibatch; give the loss before it.

        Parameters
        ----------
        *args : as `derive_step` was given

        Returns
        -------
        scalar of NumPy
            The parameters, and what the optimizer keeps, have changed; gradients are not left in
            the parameters. That is so too for a loss that is not finite.

        Raises
        ------
        TypeError, ValueError
            If an argument is not like the one that was traced, or the optimizer's parameters have
            not taken the same number of steps; then nothing has changed.
        """
        state = self.state
        arrays = state.arrays()
        whole = arrays if all(a.flags.carray for a in arrays) else state.copied(arrays)
        batch = [a._array if type(a) is Tensor else a for a in args]
        given, _, K = self._call.read((*whole, *state.rates(), *batch), self._taken, self._fixed)
        value = self._run(given, K)
        if whole is not arrays:
            for array, copied in zip(arrays, whole):
                np.copyto(array, copied)
        state.stepped()
        return value


class _State:
    """What a step writes: parameters, and what an optimizer keeps for them; and its rates."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer, self.parameters = optimizer, optimizer.parameters
        self.n = len(self.parameters)
        self.kept = [(place, what, array) for place, (_, kept) in enumerate(optimizer._kept)
                     for what, array in kept.items() if array.dtype.kind == "f"]  # fmt: skip
        self.dtypes = list(dict.fromkeys(p.dtype for p in self.parameters))
        stems = [f"{what}_{optimizer._names[place]}" for place, what, _ in self.kept]
        rates = [f"{rate}_{dtype}" if self.dtypes[1:] else rate
                 for dtype in self.dtypes for rate in optimizer._rates()]  # fmt: skip
        self.last: tuple[Any, list[Any]] = None, []  # rates, as numbers and as arrays
        self.names = [*optimizer._names, *stems, *rates]

    def arrays(self) -> list[Any]:
        """Give the arrays that a step writes."""
        return [*[p._array for p in self.parameters], *[array for _, _, array in self.kept]]

    def copied(self, arrays: Sequence[Any]) -> list[Any]:
        """Give copies in C order of those that are not, for loops that know no other."""
        for p, array in zip(self.parameters, arrays):
            if not array.flags.writeable:
                raise ValueError(f"step: the array of {p._label()} is read-only; copy it")
        return [np.ascontiguousarray(array) for array in arrays]

    def rates(self) -> list[Any]:
        """Give the numbers of the next step, in each dtype."""
        rates = self.optimizer._rates()
        if rates != self.last[0]:
            arrays = [np.asarray(rate, dtype) for dtype in self.dtypes for rate in rates.values()]
            self.last = rates, arrays
        return self.last[1]

    def stepped(self) -> None:
        """Note that a step was taken."""
        count_write(*[clock_of(p) for p in self.parameters])
        self.optimizer._stepped()

    def update(self, tensors: Sequence[Tensor], gradients: Sequence[Any]) -> dict[int, Tensor]:
        """Give what a step writes, by the place of what it is written into."""
        given = iter(tensors[self.n + len(self.kept) :])
        names = list(self.optimizer._rates())
        rates = {dtype: {name: next(given) for name in names} for dtype in self.dtypes}
        found: dict[int, Tensor] = {}
        for place, (p, gradient) in enumerate(zip(tensors, gradients)):
            if gradient is None:  # the loss does not depend on it: it is left alone
                continue
            own = {what: self.n + i for i, (of, what, _) in enumerate(self.kept) if of == place}
            kept = {what: tensors[at] for what, at in own.items()}
            found[place], changed = self.optimizer._formula(p, gradient, kept, rates[p.dtype])
            found[place].name = f"new_{self.names[place]}"
            for what, at in own.items():
                found[at] = changed[what]
                found[at].name = f"new_{self.names[at]}"
        return found


def derive_step(
    loss: Callable[..., Any],
    optimizer: Optimizer,
    *args: Any,
    backend: Backend = "numpy",
    warm: bool = True,
    parallel: bool = False,
) -> DerivedStep:
    """Write out a whole step of training: loss, gradients and the optimizer's update.

    Parameters
    ----------
    loss : callable
        Gives a scalar loss of a minibatch, made with the optimizer's parameters, as in a loop that
        calls `backward` and `step`.
    optimizer : Optimizer
        Its parameters, and what it keeps for them, are written in place at each step; its learning
        rate is asked for anew.
    *args : nested containers of arrays
        A minibatch. No step is taken with it.
    backend, warm, parallel
        As for `derive`; NumPy's calls are those of the fast style.

    Returns
    -------
    DerivedStep

    Raises
    ------
    TypeError, ValueError
        As `derive`; if the loss depends on none of the parameters.

    Examples
    --------
    >>> import numpy as np, minigraph as mg
    >>> w = mg.Tensor(np.zeros(2), requires_grad=True, name="w")
    >>> X, y = np.eye(2), np.array([1.0, 2.0])
    >>> def loss(X, y):
    ...     return mg.nn.mse(X @ w, y)
    >>> step = mg.derive_step(loss, mg.optim.SGD([w], lr=0.5), X, y)
    >>> [round(float(step(X, y)), 4) for _ in range(3)]
    [2.5, 0.625, 0.1562]
    """
    check_callable(loss, "derive_step: loss")
    if backend not in ("numpy", "numba"):
        raise ValueError(f"derive_step: backend is numpy or numba, not {backend!r}")
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"derive_step: optimizer is one of optim's, not {shown(optimizer)}")
    state = _State(optimizer)
    kept = [*state.arrays()[state.n :], *state.rates()]
    first = state.n + len(kept)  # of the minibatch

    def step(*arguments: Any) -> Any:
        return loss(*arguments[first:])

    step.__name__ = getattr(loss, "__name__", "loss")
    paths = [leaf.path for value, path in zip(args, argument_names(loss, len(args)))
             for leaf in flatten(value, path)[0]]  # fmt: skip
    arguments = (*optimizer.parameters, *kept, *args)
    call = Arguments(step, arguments, range(state.n), [*state.names, *paths])
    call.name = "step"
    program, fixed = recorded(
        call, lambda group: capture(step, *call.traced(group), call.wanted, update=state.update)
    )
    if not program.updates:
        raise ValueError(f"derive_step: {call.title} depends on no parameter of the optimizer")
    result = made(DerivedStep, call, program, fixed, backend, warm=warm, parallel=parallel)
    result.state = state
    return result
