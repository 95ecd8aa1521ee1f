"""The one function that diagnoses: measure, compare, and say what fits."""

from collections.abc import Callable, Sequence
from typing import Any

from minigraph.derivation import Derived
from minigraph.testing.diagnosis.causes.blaming import blame_the_loss
from minigraph.testing.diagnosis.causes.conventions import choices_at_kinks
from minigraph.testing.diagnosis.causes.losses import (
    blind_spots,
    common_factor,
    loss_remarks,
    precision_notes,
    what_the_loss_is,
)
from minigraph.testing.diagnosis.causes.reasons import say_why
from minigraph.testing.diagnosis.causes.repeats import repeated_forwards
from minigraph.testing.diagnosis.clock import Clock, OutOfTime
from minigraph.testing.diagnosis.comparing import Comparison
from minigraph.testing.diagnosis.problems import Maker
from minigraph.testing.diagnosis.subject import Subject, Unusable, conduct
from minigraph.testing.diagnosis.verdicts import BackpropError, Diagnosis, Verdict

__all__ = ["assert_bprop", "check_bprop"]


def check_bprop(
    fprop: Any,
    bprop: Callable[..., Any] | None = None,
    params: Any = None,
    batch: Any = None,
    *,
    penalties: Sequence[float] | None = None,
    graph: Callable[..., Any] | None = None,
    axis: str | None = None,
    seed: int = 0,
    budget: float = 20.0,
) -> Diagnosis:
    """Say which gradients of a hand-written backward pass are wrong, and why.

    The gradients are compared with slopes of the hand-written loss itself, measured by differences,
    on several small problems: with other sizes, other numbers of examples, each penalty switched on
    alone, zeros among the weights. A cause is named only if it gives just what `bprop` gave, on all
    of them; if several do, all are named, and if none does, that is said.

    Parameters
    ----------
    fprop : callable or Derived
        ``fprop(params, x, y, lam) -> loss`` in NumPy; `lam` may be left out. What
        `minigraph.derive` gives stands for the first four: its source is checked against the
        function that it was derived from.
    bprop : callable
        ``bprop(params, x, y, lam) -> {name: gradient}``. Other keys are checked where that can be
        told: ``x`` (or ``grad_x``, ``dx``) is the gradient of the input, and, with `graph`, the
        name of a tensor in it, with or without ``grad_``, ``d_``, ``d`` or ``∂`` before it, is
        that of the tensor.
    params : dict of array, or callable
        Or a function ``(sizes, rng) -> dict``: then other sizes are tried too. `sizes` is a dict
        such as ``{"d": 3, "dh": 5, "m": 4, "K": 6}``; any name may be asked for.
    batch : (x, y), or callable
        A minibatch, or a function ``(sizes, rng) -> (x, y)``.
    penalties : sequence of float, optional
        As many numbers as `lam` has; for four these are called λ11, λ12, λ21, λ22.
    graph : callable, optional
        ``graph(params, x, y, lam) -> Tensor``: the loss as it should be, built in minigraph. Then
        each rule of the backward pass is changed in turn, alone and in pairs, to find the wrong
        one; and a wrong loss is told from wrong gradients.
    axis : {"rows", "columns"}, optional
        How the examples lie; by default this is found out, or guessed and said.
    seed : int
        Decides the problems.
    budget : float
        Seconds, after which the search stops; what was not tried is then among the
        `Diagnosis.blind_spots`. A terminal shows after two seconds what is being done.

    Returns
    -------
    Diagnosis
        ``print`` shows it.

    Raises
    ------
    TypeError, ValueError
        If `params` or `batch` are not of these forms. What the two functions do wrong is never
        raised: it is part of the diagnosis.

    Examples
    --------
    >>> import numpy as np
    >>> from minigraph.testing import check_bprop
    >>> def fprop(p, x, y):
    ...     return np.mean((x @ p["w"] - y) ** 2)
    >>> def bprop(p, x, y):
    ...     return {"w": 2 * x.T @ (x @ p["w"] - y)}
    >>> print(check_bprop(
    ...     fprop, bprop,
    ...     params=lambda sizes, rng: {"w": rng.normal(size=sizes["d"])},
    ...     batch=lambda s, rng: (rng.normal(size=(s["K"], s["d"])), rng.normal(size=s["K"])),
    ... ))  # doctest: +ELLIPSIS
    bprop: w is wrong
    w  wrong  it is K times the right one: the division by the number of examples K is missing
    ...
    """
    if isinstance(fprop, Derived):
        fprop, bprop, params, batch = fprop.backward_pass()
    if bprop is None:
        raise TypeError(
            "check_bprop: bprop is missing: give fprop, bprop, params and batch, or "
            "what mg.derive gives"
        )
    clock = Clock(budget)
    subject = Subject(fprop, bprop, clock)
    maker = Maker(params, batch, len(penalties or ()), axis, seed)
    with subject.quiet(), clock.showing():
        maker.settle(subject.works)
        return _diagnosed(Comparison(subject, maker, graph))


def assert_bprop(*args: Any, **options: Any) -> None:
    """Raise `BackpropError`, with the diagnosis, if `check_bprop` finds a mistake.

    Parameters
    ----------
    *args, **options
        Those of `check_bprop`.

    Raises
    ------
    BackpropError
        An AssertionError; its message is the diagnosis, which is its attribute too.
    """
    diagnosis = check_bprop(*args, **options)
    if not diagnosis.ok:
        raise BackpropError(diagnosis)


def _diagnosed(c: Comparison) -> Diagnosis:
    diagnosis, subject, maker = c.diagnosis, c.subject, c.maker
    try:
        c.run()
        if not blame_the_loss(c):
            say_why(c)
        c.clock.is_limited = False  # what is left to do is short
        first = c.cases[0].problem
        diagnosis.remarks += loss_remarks(subject, first)
        diagnosis.remarks += conduct(subject, first, c.cases[-1].problem)
    except (Unusable, OutOfTime) as error:
        if isinstance(error, OutOfTime):
            c.not_tried("even the first problem was too much: give smaller sizes")
        else:
            diagnosis.remarks.append(str(error))
        for name in c.parameters:
            diagnosis.verdicts.setdefault(name, Verdict("cannot tell"))
        return diagnosis
    loss = what_the_loss_is(subject, c.cases[0])
    diagnosis.notes += [
        loss + common_factor(loss, c.off_by, c.parameters),
        *precision_notes(c.cases[0]),
        *choices_at_kinks(subject, maker),
        *repeated_forwards(subject, first),
        *maker.notes(),
    ]
    diagnosis.blind_spots += blind_spots(maker, c.cases)
    return diagnosis
