"""Passes over a program: each takes one and gives a simpler one that computes the same."""

from dataclasses import replace
from typing import Any

import numpy as np

from minigraph.derivation.program import Program, Size, Value, is_number, rewritten
from minigraph.op import Op
from minigraph.ops import elementwise, linalg, products, shaping

__all__ = ["shared", "simplified", "with_vectors"]

VIEWS = (shaping.reshape, shaping.broadcast_to, shaping.squeeze, shaping.expand_dims)
TRANSPOSES = (shaping.transpose, shaping.swapaxes)
# What gives a view of its input, or may
SHARING = (*VIEWS, *TRANSPOSES, shaping.indexing, shaping.cast, shaping.cast_to_constant,
           products.contraction)  # fmt: skip


def simplified(program: Program) -> Program:
    """Leave out what changes nothing: products with 1, shapes as they are, casts to the same."""
    return rewritten(program, _simpler)


def _simpler(value: Value) -> Any:
    """Apply rules until none has anything to say."""
    for rule in RULES:
        found = rule(value)
        if found is not None:
            return _simpler(found) if isinstance(found, Value) else found
    return value


def _of_numbers(value: Value) -> Any:
    """Compute what is made of numbers alone; only 1 / K keeps the batch size."""
    if not isinstance(value.op, Op) or not value.inputs or not all(map(is_number, value.inputs)):
        return None
    if not any(isinstance(input, Size) for input in value.inputs):
        if value.shape or value.op.each is not None:
            return None
        return np.asarray(value.op.function(*value.inputs, **value.attributes))[()]
    a, b = (*value.inputs, None)[:2]
    if value.op is elementwise.multiply and value.dtype == float and a == 1:
        return b
    if value.op is elementwise.divide and a == 1 and isinstance(b, Size) and not b.over | b.root:
        return Size(over=int(b.times)) if b.plus == 0 else None
    return None


def _times_one(value: Value) -> Any:
    if value.op is not elementwise.multiply:
        return None
    for one, other in (value.inputs, value.inputs[::-1]):
        if is_number(one) and not isinstance(one, Size) and one == 1 and _like(other, value):
            return other
    return None


def _power_of_one(value: Value) -> Any:
    if value.op is elementwise.scalar_power and value.attributes["exponent"] == 1:
        return value.inputs[0] if _like(value.inputs[0], value) else None
    return None


def _gate(value: Value) -> Any:
    """Write the gate of relu as the truth value that it is: hs > 0 in place of sign(hs)."""
    if value.op is not elementwise.multiply:
        return None
    g, gate = value.inputs
    if not (isinstance(gate, Value) and gate.op is elementwise.sign and gate.name is None):
        return None
    (y,) = gate.inputs
    if isinstance(y, Value) and y.op is elementwise.maximum and _is_zero(y.inputs[1]):
        mask = Value(elementwise.greater, (y, 0), {}, y.shape, np.dtype(bool))
        return value.on(g, mask)
    return None


def _over_one(value: Value) -> Any:
    if value.op is elementwise.divide and is_number(value.inputs[1]) and value.inputs[1] == 1:
        return value.inputs[0] if _like(value.inputs[0], value) else None
    return None


def _same_shape(value: Value) -> Any:
    """Drop a view of the same shape; the program writes into nothing, so copies are no use."""
    if value.op in VIEWS or value.op in (shaping.copy, shaping.cast, shaping.cast_to_constant):
        return value.inputs[0] if _like(value.inputs[0], value) else None
    return None


def _shape_of_shape(value: Value) -> Any:
    """Reshape once where it is done twice."""
    if value.op is not shaping.reshape:
        return None
    (inner,) = value.inputs
    if isinstance(inner, Value) and inner.op in (shaping.reshape, shaping.squeeze,
                                                 shaping.expand_dims):  # fmt: skip
        source = inner.inputs[0]
        return source if _like(source, value) else value.on(source)
    return None


def _transposed_twice(value: Value) -> Any:
    if value.op not in TRANSPOSES or len(value.shape) != 2:
        return None
    (inner,) = value.inputs
    if isinstance(inner, Value) and inner.op in TRANSPOSES and _turns(inner) and _turns(value):
        return inner.inputs[0]
    return None


def _turns(value: Value) -> bool:
    axes = value.attributes
    if value.op is shaping.transpose:
        return axes["axes"] is None or [a % 2 for a in axes["axes"]] == [1, 0]
    return bool(axes["axis1"] % 2 != axes["axis2"] % 2)


def _broadcasts_by_itself(value: Value) -> Any:
    """Let an elementwise op repeat an operand, in place of repeating it before."""
    if not isinstance(value.op, Op) or value.op is linalg.matrix_product:
        return None
    if not (isinstance(value.op.function, np.ufunc) or value.op is elementwise.where):
        return None
    for slot, input in enumerate(value.inputs):
        if isinstance(input, Value) and input.op is shaping.broadcast_to:
            inputs = list(value.inputs)
            inputs[slot] = input.inputs[0]
            if _broadcast(inputs) == value.shape:
                return value.on(*inputs)
    return None


def _broadcast(inputs: list[Any]) -> tuple[Any, ...] | None:
    shapes = [i.shape for i in inputs if isinstance(i, Value)]
    rank = max((len(s) for s in shapes), default=0)
    result: list[Any] = [1] * rank
    for shape in shapes:
        for place, size in enumerate(shape, rank - len(shape)):
            if size != 1:
                if result[place] not in (1, size):
                    return None
                result[place] = size
    return tuple(result)


def _is_zero(input: Any) -> bool:
    return is_number(input) and not isinstance(input, Size) and bool(input == 0)


def _like(given: Any, value: Value) -> bool:
    """Tell whether an operand has the shape and dtype of the result."""
    if isinstance(given, np.generic):
        return value.shape == () and given.dtype == value.dtype
    if not isinstance(given, Value):
        return False
    return given.shape == value.shape and given.dtype == value.dtype


def _weak_numbers(value: Value) -> Any:
    """Write a typed number plainly where the arrays beside it decide the dtype."""
    if not isinstance(value.op, Op) or not isinstance(value.op.function, np.ufunc):
        return None
    dtypes = [i.dtype for i in value.inputs if isinstance(i, Value)]
    typed = [isinstance(i, np.floating) for i in value.inputs]
    if not any(typed) or not dtypes or np.result_type(*dtypes) != value.dtype:
        return None
    inputs = [float(str(i)) if isinstance(i, np.floating) else i for i in value.inputs]
    return value.on(*inputs)


RULES = (
    _of_numbers,
    _times_one,
    _over_one,
    _power_of_one,
    _gate,
    _same_shape,
    _shape_of_shape,
    _transposed_twice,
    _broadcasts_by_itself,
    _weak_numbers,
)


def with_vectors(program: Program) -> Program:
    """Multiply by vectors as they are, in place of matrices of one row or column."""
    return simplified(rewritten(program, _vector_product))


def _vector_product(value: Value) -> Any:
    """Write reshape(A @ reshape(v, (n, 1)), (m,)) as A @ v, and likewise v @ A."""
    product = value.inputs[0] if value.op is shaping.reshape else None
    if not isinstance(product, Value) or product.op is not linalg.matrix_product:
        return value
    a, b = product.inputs
    if len(value.shape) != 1 or not isinstance(a, Value) or not isinstance(b, Value):
        return value
    if len(a.shape) == 2 and (v := _as_vector(b)) is not None and b.shape[1] == 1:
        return replace(value, op=linalg.matrix_product, inputs=(a, v), attributes={})
    if len(b.shape) == 2 and (v := _as_vector(a)) is not None and a.shape[0] == 1:
        return replace(value, op=linalg.matrix_product, inputs=(v, b), attributes={})
    return value


def _as_vector(matrix: Value) -> Any:
    vector = matrix.inputs[0] if matrix.op is shaping.reshape else None
    return vector if isinstance(vector, Value) and len(vector.shape) == 1 else None


def shared(program: Program) -> Program:
    """Compute common parts once."""
    found: dict[Any, Value] = {}

    def rule(value: Value) -> Value:
        inputs = [id(i) if isinstance(i, Value) else _key(i) for i in value.inputs]
        attributes = sorted((k, _key(v)) for k, v in value.attributes.items())
        key = (id(value.op) if isinstance(value.op, Op) else value.op, *inputs, *attributes,
               value.shape, value.dtype.str)  # fmt: skip
        return found.setdefault(key, value)

    return rewritten(program, rule)


def _key(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return tuple(_key(part) for part in value)
    return (type(value).__name__, repr(value))
