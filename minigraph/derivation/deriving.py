"""derive: the source of a function's value and gradients, in NumPy alone."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar

import numpy as np

from minigraph.checks import check_callable
from minigraph.derivation import passes
from minigraph.derivation.arguments import Arguments
from minigraph.derivation.capturing import capture
from minigraph.derivation.columns import in_columns
from minigraph.derivation.derived import Derived
from minigraph.derivation.fast import FastWriter
from minigraph.derivation.looped import LoopWriter
from minigraph.derivation.program import Program
from minigraph.derivation.recording import recorded
from minigraph.derivation.shortcuts import from_sums, shortened
from minigraph.derivation.textbook import Writer

__all__ = ["Backend", "derive", "made"]

Style = Literal["textbook", "fast"]
Layout = Literal["rows", "columns"]
Backend = Literal["numpy", "numba"]
Made = TypeVar("Made", bound=Derived)


def derive(
    f: Callable[..., Any],
    *args: Any,
    argnums: int | Sequence[int] | None = None,
    names: Sequence[str] | None = None,
    style: Style = "textbook",
    layout: Layout = "rows",
    backend: Backend = "numpy",
    warm: bool = True,
    parallel: bool = False,
    has_aux: bool = False,
) -> Derived:
    """Write out the value and gradients of a function as NumPy that a person would write.

    The function is run on examples of its arguments, and what it does is recorded, with its
    sweep; passes leave out what changes nothing and compute common parts once.

    Parameters
    ----------
    f : callable
        Gives a scalar loss. Its source is never read; it may not look at values.
    *args : nested containers of arrays
        Examples. Whole numbers, text and None are taken as they are, in every call.
    argnums : int or sequence of int, optional
        By which arguments to differentiate; by default all that hold floats alone.
    names : sequence of str, optional
        What to call the arrays of the arguments, in order.
    style : {"textbook", "fast"}
        One statement per formula; or one call of NumPy per line, into arrays that are kept from
        call to call and taken over by others when nothing reads them any more.
    layout : {"rows", "columns"}
        With columns, each matrix of the source is the transpose of the program's, as on paper:
        ``W @ X + b[:, None]`` for ``X @ W + b``.
    backend : {"numpy", "numba"}
        With numba, what stands between the products of matrices is grouped into loops, which are
        compiled, and kept in the user's cache folder for the next process; `style` has no meaning
        then. It needs `minigraph[numba]`; the source alone runs without Numba too, slowly.
    warm : bool
        Whether to wait until the loops are compiled. With False, the first calls run on NumPy, in
        the fast style, while they are compiled in the background.
    parallel : bool
        Whether loops over many rows run on several threads. Sums over rows do not, so that the
        result does not depend on the number of threads.
    has_aux : bool
        Whether `f` gives a tuple: the loss, and other Tensors, which come back as a tuple behind
        the gradients.

    Returns
    -------
    Derived

    Raises
    ------
    TypeError, ValueError
        If `f` cannot be captured: it branches on values, looks at raw arrays, draws random
        numbers, gives no scalar, or calls an op that no import finds.
    ImportError
        If the backend is numba, and Numba is missing or too old.

    Examples
    --------
    >>> import numpy as np, minigraph as mg
    >>> def loss(W, X):
    ...     h = np.tanh(X @ W)
    ...     return mg.l2_penalty(h)
    >>> print(mg.derive(loss, np.ones((2, 2)), np.ones((3, 2)), argnums=0))
    import numpy as np
    <BLANKLINE>
    <BLANKLINE>
    def loss_and_gradients(W, X):
        h = np.tanh(X @ W)
        loss = np.vdot(h, h)
        grad_h = 2.0 * h  # ∂loss/∂h
        grad_W = X.T @ (grad_h * (1 - h * h))  # ∂loss/∂W
        return loss, (grad_W,)
    <BLANKLINE>
    """
    check_callable(f, "derive: f")
    if style not in ("textbook", "fast"):
        raise ValueError(f"derive: style is textbook or fast, not {style!r}")
    if layout not in ("rows", "columns"):
        raise ValueError(f"derive: layout is rows or columns, not {layout!r}")
    if backend not in ("numpy", "numba"):
        raise ValueError(f"derive: backend is numpy or numba, not {backend!r}")
    call = Arguments(f, args, argnums, names)
    program, fixed = recorded(
        call, lambda group: capture(f, *call.traced(group), call.wanted, has_aux)
    )
    taken = program if layout == "columns" else None
    if taken is None:
        program = passes.with_vectors(program)
    else:
        program = passes.simplified(passes.shared(passes.simplified(in_columns(program))))
    return made(Derived, call, program, fixed, backend, style, warm, parallel, taken)


def made(
    kind: type[Made],
    call: Arguments,
    program: Program,
    fixed: str | None,
    backend: Backend,
    style: Style = "fast",
    warm: bool = True,
    parallel: bool = False,
    taken: Program | None = None,
) -> Made:
    """Choose how to write a program, and do the passes that are for that alone."""
    traced = len(call.arrays[program.batch_place]) if program.batch is not None else 0
    if backend == "numba":
        meanwhile = None
        if not warm:
            meanwhile = made(kind, call, program, fixed, "numpy", taken=taken)
        _check_dtypes(program)
        writer = LoopWriter(from_sums(program), traced, parallel)
        return kind(call, program, writer, fixed, taken, meanwhile)
    if style == "fast":
        return kind(call, program, FastWriter(shortened(program, traced)), fixed, taken)
    return kind(call, program, Writer(program), fixed, taken)


def _check_dtypes(program: Program) -> None:
    """Say what loops do not know."""
    dtypes = {v.dtype for v in program.body if v.dtype.kind == "f"}
    others = sorted(d.name for d in dtypes if d not in (np.float32, np.float64))
    if others:
        warnings.warn(
            f"derive: {', '.join(others)} is computed by NumPy's calls; loops are for float32 and "
            "float64",
            stacklevel=4,
        )
