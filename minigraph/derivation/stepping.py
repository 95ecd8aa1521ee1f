"""derive_step: a whole step of training, with the optimizer's update, as one program."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import update_wrapper
from operator import attrgetter
from typing import Any

import numpy as np

from minigraph.arrays import shown
from minigraph.checks import check_callable
from minigraph.derivation.arguments import Arguments
from minigraph.derivation.capturing import capture
from minigraph.derivation.derived import Derived
from minigraph.derivation.deriving import Backend, made
from minigraph.derivation.naming import identifier
from minigraph.derivation.program import Program
from minigraph.derivation.recording import recorded
from minigraph.lending import clock_of
from minigraph.modes import count_write
from minigraph.optim import Optimizer
from minigraph.tensor import Tensor

__all__ = ["DerivedStep", "derive_step"]


class DerivedStep(Derived):
    """One step of training, as NumPy source and as a function: loss, gradients and update.

    Its function takes the parameters, what the optimizer keeps for them, its rates, and the
    minibatch; it writes into the first two in place, and gives the loss. The attributes are those
    of `Derived`.

    Examples
    --------
    >>> import numpy as np, minigraph as mg
    >>> w = mg.Tensor([1.0, 2.0], requires_grad=True, name="w")
    >>> step = mg.derive_step(lambda x: (w * x).sum(), mg.optim.SGD([w], lr=0.5), np.ones((3, 2)))
    >>> print(step.explain())
    t1 = np.multiply(w, x, out=buffer1)             multiply       (K, 2)
    loss = t1.sum()                                 sum            ()
    grad_w = np.add.reduce(x, axis=0, out=buffer2)  sum            (2)          ∂loss/∂w
    t2 = np.multiply(rate, grad_w, out=grad_w)      multiply       (2)
    np.subtract(w, t2, out=w)                       subtract       (2)
    >>> print(step(np.ones((3, 2))), w.data)
    9.0 [-0.5  0.5]
    """

    state: "_State"
    batch: Arguments  # a minibatch alone
    _batch_taken: Program  # what is taken of it

    def __call__(self, *args: Any, copy: bool = True) -> Any:
        """Take one step on a minibatch; give the loss before it.

        Parameters
        ----------
        *args : as `derive_step` was given
        copy : bool
            Changes nothing: the loss is a number of its own.

        Returns
        -------
        scalar of NumPy
            The parameters, and what the optimizer keeps, have changed; gradients are not left in
            the parameters. That is so too for a loss that is not finite.

        Raises
        ------
        TypeError, ValueError, IndexError
            If an argument is not like the one that was traced, a label is out of range, the
            learning rate is not possible, the optimizer's other settings were changed, its
            parameters have not taken the same number of steps, or one is read-only; then nothing
            has changed.
        """
        state = self.state
        batch = [a._array if type(a) is Tensor else a for a in args]
        given, _, K = self.batch.read(tuple(batch), self._batch_taken, self._fixed)
        rates, arrays = state.rates(), state.arrays()
        plain = all(a.flags.carray for a in arrays[: state.n])  # what is kept is alike
        whole = arrays if plain else state.copied(arrays)
        value = self._run([*whole, *rates, *given], K)
        if whole is not arrays:
            state.write_back(whole)
        state.stepped()
        return value if isinstance(value, np.generic) else np.array(value)[()]

    def backward_pass(self) -> tuple[Any, ...]:
        """Refuse: a step gives no gradients.

        Raises
        ------
        TypeError
            Always.
        """
        raise TypeError("step: a step gives no gradients; check what mg.derive gives of the loss")


class _State:
    """What a step writes: parameters, and what an optimizer keeps for them; and its rates."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer, self.parameters = optimizer, optimizer.parameters
        self.n = len(self.parameters)
        self.kept = [(place, what, array) for place, (_, kept) in enumerate(optimizer._kept)
                     for what, array in kept.items() if array.dtype.kind == "f"]  # fmt: skip
        self.set = attrgetter("settings", *optimizer.settings)
        self.settings = self.set(optimizer)
        self.moved = [kept for _, kept in optimizer._kept[:1]]  # of what the loss depends on
        self.last: tuple[Any, list[Any]] = None, []  # rates, as numbers and as arrays
        self.dtypes = list(dict.fromkeys(p.dtype for p in self.parameters))
        self.rate_names = list(optimizer._rates(optimizer.rate, self.moved))
        names = [identifier(name) for name in optimizer._names]
        stems = [f"{what}_{names[place]}" for place, what, _ in self.kept]
        rates = [f"{rate}_{dtype}" if self.dtypes[1:] else rate
                 for dtype in self.dtypes for rate in self.rate_names]  # fmt: skip
        self.names = [*names, *stems, *rates]

    def arrays(self) -> list[Any]:
        """Give the arrays that a step writes."""
        return [*[p._array for p in self.parameters], *[array for _, _, array in self.kept]]

    def copied(self, arrays: Sequence[Any]) -> list[Any]:
        """Give copies of arrays that programs cannot write, if tensors can."""
        for p in self.parameters:
            p.overwrite(self.optimizer._what, lambda *_: None, None)
        return [a if a.flags.carray else np.array(a, order="C") for a in arrays]

    def write_back(self, whole: Sequence[Any]) -> None:
        """Write what was computed in copies."""
        for p, array in zip(self.parameters, whole):
            if array is not p._array:
                p.overwrite(self.optimizer._what, np.copyto, array)
        for (_, _, array), written in zip(self.kept, whole[self.n :]):
            np.copyto(array, written)

    def rates(self) -> list[Any]:
        """Give the numbers of the next step, in each dtype."""
        if self.set(self.optimizer) != self.settings:
            raise ValueError(
                f"step: the settings of {self.optimizer!r} were changed; only lr may be: derive it "
                "again"
            )
        rates = self.optimizer._rates(self.optimizer.rate, self.moved)
        if rates != self.last[0]:
            arrays = [np.array(rate, dtype) for dtype in self.dtypes for rate in rates.values()]
            self.last = rates, arrays
        return self.last[1]

    def stepped(self) -> None:
        """Note that a step was taken."""
        count_write(*[clock_of(p) for p in self.parameters])
        self.optimizer._stepped(self.moved)

    def update(self, tensors: Sequence[Tensor], gradients: Sequence[Any]) -> dict[int, Tensor]:
        """Give what a step writes, by the place of what it is written into."""
        given = iter(tensors[self.n + len(self.kept) :])
        rates = {dtype: {name: next(given) for name in self.rate_names} for dtype in self.dtypes}
        found: dict[int, Tensor] = {}
        self.moved = []
        for place, (p, gradient) in enumerate(zip(tensors, gradients)):
            if gradient is None:  # the loss does not depend on it: it is left alone
                continue
            own = {what: self.n + i for i, (of, what, _) in enumerate(self.kept) if of == place}
            kept = {what: tensors[at] for what, at in own.items()}
            found[place], changed = self.optimizer._formula(p, gradient, kept, rates[p.dtype])
            found.update({own[what]: tensor for what, tensor in changed.items()})
            self.moved.append(self.optimizer._kept[place][1])
        for at, tensor in found.items():
            tensor.name = f"new_{self.names[at]}"
        return found


class _Arguments(Arguments):
    """What a program of a step takes; of all that, the minibatch alone may have a batch size."""

    def __init__(self, step: Any, state: _State, batch: Arguments, args: Sequence[Any]) -> None:
        written = state.arrays()[state.n :]
        given = (*state.parameters, *written, *state.rates(), *args)
        super().__init__(step, given, range(state.n), [*state.names, *batch.paths])
        self.batch, self.title, self.name = batch, batch.title, "step"

    def batches(self) -> list[list[int]]:
        """List which arrays may hold one row per example."""
        first = len(self.arrays) - len(self.batch.arrays)
        return [[first + place for place in group] for group in self.batch.batches()]


def _check_apart(parameters: Sequence[Tensor], others: Iterable[tuple[str, Any]]) -> None:
    """Refuse parameters in the memory of something that is read while they are written."""
    named = [*[(p._label(), p._array) for p in parameters], *others]
    for place, p in enumerate(parameters, start=1):
        for label, array in named[place:]:
            if np.shares_memory(p._array, array):
                raise ValueError(
                    f"derive_step: {p._label()} and {label} share memory, and steps write into the "
                    "first; copy one of them"
                )


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
        Its parameters, and what it keeps for them, are written in place at each step; those on
        which the loss does not depend are left alone. Its learning rate is asked for anew.
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
        As `derive`; if the loss depends on none of the parameters, or one of them shares memory
        with another, with the minibatch, or with what the loss closes over.
    ImportError
        If the backend is numba, and Numba is missing or too old.

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
    batch = Arguments(loss, args, (), None)
    batch.name = "step"
    first = len(state.names)  # of the minibatch

    def step(*arguments: Any) -> Any:
        return loss(*arguments[first:])

    update_wrapper(step, loss, assigned=["__name__"], updated=())  # its constants have names
    call = _Arguments(step, state, batch, args)
    program, fixed = recorded(
        call, lambda group: capture(step, *call.traced(group), call.wanted, update=state.update)
    )
    if not program.updates:
        raise ValueError(f"derive_step: {call.title} depends on no parameter of the optimizer")
    constants = [(value.name or "a constant", a) for value, a in program.constants.items()]
    _check_apart(state.parameters, [*zip(batch.paths, batch.arrays), *constants])
    result = made(DerivedStep, call, program, fixed, backend, warm=warm, parallel=parallel)
    result.state, result.batch = state, batch
    result._batch_taken = replace(program, parameters=program.parameters[first:])
    return result
