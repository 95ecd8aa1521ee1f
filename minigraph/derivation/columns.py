"""A program for examples in columns: each matrix stands for its transpose, as on paper."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from minigraph.derivation.program import Program, Value, rewritten
from minigraph.ops import elementwise, linalg, neural, products, reductions, selecting, shaping

__all__ = ["in_columns", "turned"]


def turned(array: Any) -> Any:
    """Give a matrix with rows and columns exchanged; anything else as it is."""
    return array.T if array.ndim == 2 else array


def in_columns(program: Program) -> Program:
    """Exchange rows and columns of each matrix, arguments and outputs included.

    X @ W becomes W @ X: the products of transposes are those of the other order. An op that has
    no rule here works in rows, between two transposes.
    """
    new = {p: _turned(p) for p in (*program.parameters, *program.constants)}

    def rule(value: Value) -> Value:
        value = value.on(*[new.get(i, i) if isinstance(i, Value) else i for i in value.inputs])
        if not any(map(_is_matrix, (value, *value.values))):
            return value
        return _with_rule(value) or _between_transposes(value)

    return rewritten(
        replace(
            program,
            parameters=tuple([new[p] for p in program.parameters]),
            constants={new[c]: turned(array) for c, array in program.constants.items()},
            outputs=tuple([new.get(o, o) if isinstance(o, Value) else o for o in program.outputs]),
            batch=program.batch and new[program.batch],
        ),
        rule,
    )


def _is_matrix(value: Any) -> bool:
    return isinstance(value, Value) and len(value.shape) == 2


def _turned(value: Value, **attributes: Any) -> Value:
    """Give the value in columns, with other attributes where the exchange changes them."""
    shape = value.shape[::-1] if _is_matrix(value) else value.shape
    return replace(value, shape=shape, attributes={**value.attributes, **attributes})


def _between_transposes(value: Value) -> Value:
    result = value.on(*[_transposed(i) if _is_matrix(i) else i for i in value.inputs])
    return _transposed(replace(result, name=None, step=None)) if _is_matrix(value) else result


def _transposed(value: Value) -> Value:
    return Value(shaping.transpose, (value,), {"axes": None}, value.shape[::-1], value.dtype)


def _with_rule(value: Value) -> Value | None:
    if any(len(v.shape) > 2 for v in (value, *value.values)):
        return None
    rule = RULES.get(value.op)
    if rule is not None:
        return rule(value)
    function = getattr(value.op, "function", None)
    elementwise = isinstance(function, np.ufunc) and function.signature is None
    return _each_entry(value) if elementwise else None


# Rules: each gives the value in columns; None where it knows no better than two transposes


def _each_entry(value: Value) -> Value:
    """Let a vector go along the rows, b[:, None], where it went along the columns."""
    inputs = list(value.inputs)
    for place, input in enumerate(inputs):
        if isinstance(input, Value) and len(input.shape) == 1:
            inputs[place] = _column(input)
    for place, input in enumerate(inputs):
        others = inputs[:place] + inputs[place + 1 :]
        if _is_row(input) and any(map(_is_matrix, others)):
            inputs[place] = input.inputs[0]  # it goes along the columns by itself
    return _turned(value.on(*inputs))


def _column(vector: Value) -> Value:
    shape = (*vector.shape, 1)
    return Value(shaping.expand_dims, (vector,), {"axis": 1}, shape, vector.dtype)


def _is_row(value: Any) -> bool:
    if not _is_matrix(value) or value.name:
        return False
    if value.op is shaping.indexing:
        return bool(value.attributes["index"] == (None, slice(None)))
    return value.op is shaping.expand_dims and value.attributes["axis"] == 0


def _product(value: Value) -> Value:
    return _turned(value.on(*value.inputs[::-1]))


def _other_axis(value: Value) -> Value | None:
    """Exchange the axes that a matrix is reduced along, or a result is made along."""
    axis = value.attributes["axis"]
    if axis is None:
        return _turned(value) if value.op in OF_ALL else None
    if isinstance(axis, tuple):
        return _turned(value, axis=tuple([1 - a % 2 for a in axis]))
    return _turned(value, axis=1 - axis % 2)


def _other_shape(value: Value) -> Value | None:
    """Reshape what is a vector with or without a second axis: the order of entries stays."""
    shapes = [v.shape for v in (value, *value.values) if _is_matrix(v)]
    if not all(1 in shape for shape in shapes):
        return None
    shape = value.attributes["shape"]
    return _turned(value, shape=shape[::-1] if _is_matrix(value) else shape)


def _spread(value: Value) -> Value:
    (input,) = value.inputs
    if isinstance(input, Value) and len(input.shape) == 1:
        value = value.on(_column(input))
    return _turned(value, shape=value.attributes["shape"][::-1])


def _other_index(value: Value) -> Value | None:
    """Write z[t, rows] for z[rows, t], in taking and in putting back."""
    index, (first, *arrays) = value.attributes["index"], value.inputs
    whole = value if value.op is shaping.scatter else first
    if any(len(array.shape) > 1 for array in arrays):
        return None
    if any(part is Ellipsis or isinstance(part, bool) for part in index):
        return None
    if len(whole.shape) == 1 and len(index) == 2 and None in index and not arrays:  # y[:, None]
        return _turned(value, index=index[::-1])
    if not _is_matrix(whole) or None in index:
        return None
    index = (*index, slice(None))[:2][::-1]
    index = index[:1] if index[1] == slice(None) else index
    return _turned(value.on(first, *arrays[::-1]), index=index)


def _other_letters(value: Value) -> Value | None:
    subscripts = value.attributes["subscripts"]
    if "." in subscripts or "->" not in subscripts:
        return None
    operands, result = subscripts.split("->")
    parts = [part[::-1] if len(part) == 2 else part for part in (*operands.split(","), result)]
    return _turned(value, subscripts=f"{','.join(parts[:-1])}->{parts[-1]}")


def _made(value: Value) -> Value:
    return _turned(value, shape=value.attributes["shape"][::-1])


OF_ALL = (reductions.sum, reductions.mean, reductions.prod, reductions.max, reductions.min,
          reductions.any, reductions.all, shaping.squeeze)  # fmt: skip
ALONG = (*OF_ALL, reductions.argmax, reductions.argmin, reductions.cumsum,
         reductions.cumprod, selecting.argsort, shaping.expand_dims, shaping.concatenation,
         shaping.stacking)  # fmt: skip
ENTRIES = (elementwise.scalar_power, elementwise.exponential, elementwise.where,
           elementwise.unit_sign, elementwise.round, elementwise.heaviside,
           shaping.copy, shaping.cast, shaping.cast_to_constant)  # fmt: skip

RULES: dict[Any, Callable[[Value], Value | None]] = {
    **dict.fromkeys(ALONG, _other_axis),
    **dict.fromkeys(ENTRIES, _each_entry),
    **dict.fromkeys((shaping.transpose, shaping.swapaxes), _turned),
    **dict.fromkeys((neural.norm1, neural.l2_penalty), _turned),  # sums over all entries
    linalg.matrix_product: _product,
    shaping.reshape: _other_shape,
    shaping.broadcast_to: _spread,
    shaping.indexing: _other_index,
    shaping.scatter: _other_index,
    products.contraction: _other_letters,
    "full": _made,
}
