"""Two programs of one function, for two batch sizes, as one whose numbers follow K."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from minigraph.derivation.program import Program, Size, Value
from minigraph.ops.shaping import squeeze

__all__ = ["Differs", "following"]


class Differs(ValueError):
    """The two programs are not the same but for numbers that follow the batch size."""


def following(first: Program, second: Program, sizes: tuple[int, int], batch: int) -> Program:
    """Give the program whose numbers follow the batch size, from one for each of two sizes.

    Parameters
    ----------
    first, second : Program
        Of the same function.
    sizes : (int, int)
        The batch size of each.
    batch : int
        The place of the parameter whose length is the batch size.

    Raises
    ------
    Differs
        Naming what does not follow from K.
    """
    if len(first.body) != len(second.body):
        raise Differs(f"it makes {len(first.body)} values of one and {len(second.body)} of another")
    known: dict[Value, Value] = {}
    pairs: dict[Value, Value] = {}
    for a, b in zip(first.parameters, second.parameters):
        known[a] = replace(a, shape=_number(a.shape, b.shape, sizes))
        pairs[a] = b
    constants = {}
    for (a, array), (b, other) in zip(first.constants.items(), second.constants.items()):
        if a.shape != b.shape or not same(array, other):
            raise Differs(f"it makes an array {a.dtype}{list(a.shape)} that is no operation's")
        known[a], pairs[a] = a, b
        constants[a] = array
    body = []
    for a, b in zip(first.body, second.body):
        if a.op is not b.op and a.op != b.op:
            raise Differs("it does other operations")
        if a.op is squeeze and a.attributes["axis"] is None and a.shape != b.shape:
            raise Differs("squeeze would drop the axis of a batch of one; give it an axis")
        inputs = tuple([_input(i, j, known, pairs, sizes) for i, j in zip(a.inputs, b.inputs)])
        known[a] = replace(
            a,
            inputs=inputs,
            attributes=_number(a.attributes, b.attributes, sizes),
            shape=_number(a.shape, b.shape, sizes),
        )
        pairs[a] = b
        body.append(known[a])
    outputs = [_input(i, j, known, pairs, sizes) for i, j in zip(first.outputs, second.outputs)]
    parameters = tuple([known[p] for p in first.parameters])
    return Program(
        parameters, constants, tuple(body), tuple(outputs), parameters[batch], first.updates
    )


def same(a: Any, b: Any) -> bool:
    """Tell whether two arrays hold the same, NaN included."""
    return a is b or (a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes())


def _input(a: Any, b: Any, known: Any, pairs: Any, sizes: tuple[int, int]) -> Any:
    if isinstance(a, Value) != isinstance(b, Value) or (isinstance(a, Value) and pairs[a] is not b):
        raise Differs("its operations read other values")
    return known[a] if isinstance(a, Value) else _number(a, b, sizes)


def _number(a: Any, b: Any, sizes: tuple[int, int]) -> Any:
    """Find how a number, or each in a container, follows from the batch size."""
    if isinstance(a, Mapping):
        return {key: _number(a[key], b[key], sizes) for key in a}
    if isinstance(a, tuple) and isinstance(b, tuple) and len(a) == len(b):
        return tuple([_number(x, y, sizes) for x, y in zip(a, b)])
    if isinstance(a, slice) and isinstance(b, slice):
        ends = [_number(getattr(a, e), getattr(b, e), sizes) for e in ("start", "stop", "step")]
        return slice(*ends)
    if type(a) is type(b) and (a == b or repr(a) == repr(b)):
        return a
    if isinstance(a, int | float | np.number) and isinstance(b, int | float | np.number):
        for size in _candidates(a, sizes):
            if all(_close(size.at(n), x) for n, x in zip(sizes, (a, b))):
                return size
    raise Differs(f"{a!r} became {b!r} when the batch grew from {sizes[0]} to {sizes[1]}")


def _candidates(a: Any, sizes: tuple[int, int]) -> list[Size]:
    n = sizes[0]
    if isinstance(a, int | np.integer):
        exact = [Size(times=int(a) // n)] if int(a) % n == 0 and a else []
        return [*exact, Size(plus=int(a) - n)]
    over = 1 / (float(a) * n) if a else 0
    square = round(float(a) ** 2) if a == a and abs(a) < 1e8 else 0
    roots = [
        Size(times=times, plus=square - times * n, root=True)
        for times in (square // n, square // n + 1)
        if times
    ]
    whole = [Size(over=round(over))] if round(over) >= 1 else []
    less = [Size(plus=int(a) - n)] if a == a and float(a).is_integer() else []
    return [*whole, Size(times=float(a) * n, over=1), Size(times=float(a) / n), *less, *roots]


def _close(a: Any, b: Any) -> bool:
    digits = np.finfo(b.dtype if isinstance(b, np.floating) else float).eps
    return bool(abs(a - float(b)) <= 2 * digits * abs(float(b)))
