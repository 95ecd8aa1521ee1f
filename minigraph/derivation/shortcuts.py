"""Passes of the fast style: the same to rounding where all is finite, in fewer or quicker calls."""

import math
from dataclasses import replace
from typing import Any

from minigraph.derivation.lowering import fmax
from minigraph.derivation.passes import TRANSPOSES
from minigraph.derivation.program import Program, Value, entries, rewritten
from minigraph.op import Op
from minigraph.ops import elementwise, linalg, reductions, shaping

__all__ = ["from_sums", "in_place", "shortened"]

# Up to so many entries, np.sign takes less than a comparison and a product with truth values.
SIGNS = 1000

MANY = 100  # products are moved; to move more takes time, and longer programs have no few arrays


def shortened(program: Program, batch: int) -> Program:
    """Take all shortcuts; `batch` is the batch size that was traced, for what depends on sizes."""
    program = with_signs(from_sums(program), batch)
    return with_late_products(in_place(with_an_array_less(program)), batch)


def from_sums(program: Program) -> Program:
    """Compute a softmax from the sum that its logarithm is of."""
    return rewritten(program, _shorter)


def with_signs(program: Program, batch: int) -> Program:
    """Let the gate of relu be a sign, where the array is small."""
    uses = program.uses()

    def rule(value: Value) -> Value:
        if value.op is not elementwise.multiply:
            return value
        g, mask = value.inputs
        y, zero = _pair(elementwise.greater, mask)
        if not _made_by(elementwise.maximum, y) or zero != 0 or uses.get(mask) != 1:
            return value
        if entries(y.shape, batch) > SIGNS or y.dtype != value.dtype:
            return value
        return value.on(g, Value(elementwise.sign, (y,), {}, y.shape, y.dtype))

    return rewritten(program, rule)


def with_an_array_less(program: Program) -> Program:
    """Write a u + b v as b ((a / b) u + v), which is made in the place of u alone."""
    uses = program.uses()

    def rule(value: Value) -> Value:
        products = [i for i in value.inputs if isinstance(i, Value) and uses.get(i) == 1]
        if value.op is not elementwise.add or len(products) < 2 or not value.shape:
            return value
        (a, u), (b, v) = (_pair(elementwise.multiply, product) for product in products)
        numbers = isinstance(a, float) and isinstance(b, float) and b and math.isfinite(a / b)
        if not numbers or not _alike(u, value) or not _alike(v, value):
            return value
        scaled = products[0].on(a / b, u)
        total = Value(elementwise.add, (scaled, v), {}, value.shape, value.dtype)
        return replace(value, op=elementwise.multiply, inputs=(b, total))

    return rewritten(program, rule)


def with_late_products(program: Program, batch: int) -> Program:
    """Multiply matrices just before the product is read, if that keeps no larger array longer.

    Then the product can take over the memory of what is read for the last time before.
    """
    body = list(program.body)
    for product in [v for v in reversed(body) if v.op is linalg.matrix_product][:MANY]:
        place = body.index(product)
        readers = [i for i, v in enumerate(body) if product in v.inputs]
        if not readers:
            continue
        later = {input for v in body[readers[0] :] for input in v.values}
        kept = [v for v in _behind(product) if v.op != "parameter" and v not in later]
        if all(entries(v.shape, batch) <= entries(product.shape, batch) for v in kept):
            body.insert(readers[0], product)
            del body[place]
    return replace(program, body=tuple(body))


def _behind(product: Value) -> list[Value]:
    """List what a product reads, through transposes."""
    return [input.inputs[0] if input.op in TRANSPOSES else input for input in product.values]


def _alike(given: Any, value: Value) -> bool:
    like = isinstance(given, Value) and given.shape == value.shape
    return like and given.dtype == value.dtype


def in_place(program: Program) -> Program:
    """Subtract a one-hot matrix where its ones are: only these entries change."""
    uses = program.uses()

    def rule(value: Value) -> Any:
        labels = _labels(value)
        if labels is None or uses.get(value.inputs[0], 2) > 1:
            return value
        return replace(value, op="less_onehot", inputs=(value.inputs[0], labels))

    return rewritten(program, rule)


def _labels(value: Value) -> Value | None:
    """Find y in ``p - (y[:, None] == np.arange(m))``."""
    if value.op is not elementwise.subtract:
        return None
    p, onehot = value.inputs
    if not (isinstance(p, Value) and isinstance(onehot, Value) and onehot.op is elementwise.equal):
        return None
    column, counts = onehot.inputs
    if not (isinstance(counts, Value) and counts.op == "arange" and isinstance(column, Value)):
        return None
    labels: Value = column.inputs[0]
    as_column = column.op in (shaping.expand_dims, shaping.indexing) and column.shape[1:] == (1,)
    if not as_column or len(labels.shape) != 1 or p.shape != onehot.shape:
        return None
    return labels if labels.dtype.kind in "iu" else None


def _shorter(value: Value) -> Any:
    return _unguarded(value) or _softmax(value) or value


def _made_by(op: Op, input: Any) -> tuple[Any, ...]:
    """Give the inputs of a value made by this op; none, if another made it."""
    return input.inputs if isinstance(input, Value) and input.op is op else ()


def _unguarded(value: Value) -> Any:
    """Leave out of a logsumexp what is about infinite entries: max(log Σ + m, m)."""
    if value.op is not fmax:
        return None
    total, m = value.inputs
    log, same = _pair(elementwise.add, total)
    return total if same is m and _made_by(elementwise.log, log) else None


def _softmax(value: Value) -> Any:
    """Divide what was summed by its sum, e / Σ e, in place of exp(x - (log Σ e + m))."""
    x, lse = _pair(elementwise.subtract, value.inputs[0] if value.op is elementwise.exp else None)
    log, m = _pair(elementwise.add, lse)
    (total,) = _made_by(elementwise.log, log) or (None,)
    (e,) = _made_by(reductions.sum, total) or (None,)
    if e is None or not total.attributes["keepdims"]:
        return None
    (shifted,) = _made_by(elementwise.exp, e) or (None,)
    if _pair(elementwise.subtract, shifted) != (x, m):
        return None
    return replace(value, op=elementwise.divide, inputs=(e, total))


def _pair(op: Op, input: Any) -> tuple[Any, Any]:
    left, right = _made_by(op, input) or (None, None)
    return left, right
