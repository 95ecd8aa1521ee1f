"""Why entries of a gradient are 0: followed from the tensor towards the loss, edge by edge.

A part is linear in the cotangent that it is made of. So a formula is asked again with other
cotangents: with random ones in every entry, what is still 0 has a derivative of 0 here; with random
ones only where a cotangent is, what is 0 is cut off further on; and what is 0 in neither has
terms that cancel, or a product too small for its dtype.
"""

from heapq import heappop, heappush
from typing import Any

import numpy as np

from minigraph.diagnostics.causes import Cause, counted, places, whole_columns
from minigraph.diagnostics.flowing import Flow, Names, Sent, pulled
from minigraph.modes import enable_grad
from minigraph.sweep import grad
from minigraph.tensor import Tensor

__all__ = ["saturation", "why_zero"]

# For each of these, the input whose zeros make the derivative by another input 0
FACTORS = {name: {0: 1, 1: 0} for name in ("multiply", "dot", "matmul", "linear")}
SATURATING = {"sigmoid", "tanh", "softplus", "softmax", "log_softmax", "logsumexp", "softmax_nll"}
ROWWISE = {"softmax", "log_softmax"}  # an entry depends on all of its row


def why_zero(flow: Flow, names: Names, x: Tensor, where: Any) -> list[Cause]:
    """Find why the entries of the gradient of `x` in a mask are 0, nearest to `x` first."""
    causes: list[Cause] = []
    masks = {x.number: np.asarray(where)}
    heap = [x.number]
    while heap:  # from x to the loss: all that leads to a tensor has been asked before it
        number = heappop(heap)
        tensor, mask = flow.tensors[number], masks.pop(number)
        sent = flow.sent[number]
        apart = mask & np.any([s.part != 0 for s in sent], axis=0)
        if apart.any():
            causes.append(_cancelling(names, tensor, len(sent), apart))
        mask = mask & ~apart
        for one in sent if mask.any() else ():
            if one.consumer is None:
                n = int(mask.sum())
                text = f"the seed, the cotangent that was given, is 0 in {counted(n, mask.size)}"
                causes.append(Cause("seed", text, count=n, of=mask.size))
                continue
            found, blocked = _of_one(flow, names, one, mask)
            causes += found
            if blocked is not None and blocked.any():
                key = one.consumer.number
                if key not in masks:
                    masks[key] = blocked
                    heappush(heap, key)
                else:
                    masks[key] = masks[key] | blocked
    return causes


def _cancelling(names: Names, tensor: Tensor, n: int, apart: Any) -> Cause:
    count = int(apart.sum())
    text = f"the {n} shares of {names.short(tensor)} cancel exactly in {counted(count, apart.size)}"
    return Cause("cancel", text, tensor, count=count, of=apart.size)


def _of_one(flow: Flow, names: Names, sent: Sent, mask: Any) -> tuple[list[Cause], Any]:
    """Say why a part is 0 where the mask holds, and which entries of its cotangent are to blame."""
    node, slot = sent.consumer, sent.slot
    assert node is not None
    assert node.op is not None
    g = flow.cotangents[node.number]
    u = _random(node, 0)
    causes = []
    flat = mask & (pulled(node, slot, u) == 0)
    rest = mask & ~flat
    blocked = np.zeros_like(mask)
    if rest.any():
        reached = pulled(node, slot, np.where(g != 0, u, np.zeros_like(u))[()]) != 0
        blocked = rest & ~reached
        if node.op.name in ROWWISE and node.op.trusted:
            row = (g != 0).any(axis=node.attributes["axis"], keepdims=True)
            flat, blocked = flat | (blocked & row), blocked & ~row
        lost = rest & reached
        terms = lost & (pulled(node, slot, (g * u)[()]) != 0)
        if terms.any():
            causes.append(_told(names, node, slot, "cancel", terms, "its terms cancel exactly"))
        if (lost & ~terms).any():
            small = f"the product is too small for {node.dtype}"
            causes.append(_told(names, node, slot, "underflow", lost & ~terms, small))
    if flat.any():
        causes.insert(0, _derivative(names, node, slot, flat))
    if not blocked.any():
        return causes, None
    further = _reaching(node, slot, blocked) & (g == 0)
    if not further.any():
        reason = "each term of the gradient has a factor of 0"
        causes.append(_told(names, node, slot, "zero factor", blocked, reason))
    return causes, further


def _random(node: Tensor, seed: int) -> Any:
    """Draw cotangents from 1 to 2 for a node: no sum of them is 0 by chance."""
    drawn = np.random.default_rng(seed).uniform(1, 2, node.shape)
    return np.asarray(drawn).astype(node.dtype)[()]


def _reaching(node: Tensor, slot: int, mask: Any) -> Any:
    """Find the entries of a node's cotangent of which the masked entries of a part are made."""
    everywhere = np.ones(node.shape, bool)
    g = Tensor(_random(node, 1), requires_grad=True)
    try:
        with enable_grad(), np.errstate(all="ignore"):
            part = pulled(node, slot, g)
            weights = np.where(mask, _random(part, 2), part.dtype.type(0))
            return grad(part, g, weights[()]).data != 0 if part.requires_grad else everywhere
    except Exception:  # a user's formula that runs on arrays only: blame all that is 0
        return everywhere


# Words


def _told(
    names: Names,
    node: Tensor,
    slot: int,
    kind: str,
    mask: Any,
    reason: str,
) -> Cause:
    n = int(mask.sum())
    closed = kind == "closed"
    units = whole_columns(mask) if closed else ()
    where = places(mask, "unit", "example") if closed else places(mask)
    text = f"{names.told(node)}: {reason} in {counted(n, mask.size)}"
    text += f", {where}" if where else ""
    return Cause(kind, text, node, slot, count=n, of=mask.size, units=units)


def _derivative(names: Names, node: Tensor, slot: int, flat: Any) -> Cause:
    """Say why the derivative of an op by an input is 0 in the places of a mask."""
    op = node.op
    assert op is not None
    name = op.name if op.trusted else ""
    if name == "relu":
        return _told(names, node, slot, "closed", flat, "relu is closed")
    if name == "getitem":
        return _told(names, node, slot, "unread", flat, "the index does not read")
    if name in SATURATING:
        return _told(names, node, slot, "saturated", flat, f"{name} is saturated")
    if name in ("where", "maximum", "minimum", "max", "min"):
        return _told(names, node, slot, "mask", flat, _not_taken(names, node, slot))
    if name in FACTORS and slot in FACTORS[name]:
        factor = node.inputs[FACTORS[name][slot]]
        reason = f"the factor {_operand(names, factor)} is 0"
        return _told(names, node, slot, "zero factor", flat, reason)
    x = node.values[slot]
    there = np.broadcast_to(x, flat.shape)[flat]
    point = f", as {_operand(names, node.inputs[slot])} = 0," if not there.any() else ""
    by = f" by {op.input_name(slot)}" if len(op.input_names) > 1 else ""
    return _told(names, node, slot, "flat", flat, f"the derivative of {op.name}{by} is 0{point}")


def _not_taken(names: Names, node: Tensor, slot: int) -> str:
    op = node.op
    assert op is not None
    x = _operand(names, node.inputs[slot])
    if op.name in ("max", "min"):
        return f"{x} is not the {'largest' if op.name == 'max' else 'smallest'}"
    if op.name == "where":
        return f"the mask chose {_operand(names, node.inputs[3 - slot])}"
    side = "below" if op.name == "maximum" else "above"
    return f"{x} lies {side} {_operand(names, node.inputs[1 - slot])}, which was taken,"


def _operand(names: Names, value: Any) -> str:
    """Name an operand as the drawing does; a number is itself."""
    place = names.recording.place.get(id(value))
    return repr(value) if place is None else names.recording.short[place]


def saturation(flow: Flow, names: Names, told: set[Tensor | None]) -> list[str]:
    """Say where sigmoids and their like on the way have a derivative of less than rounding."""
    remarks = []
    for number in sorted(flow.cotangents):
        node = flow.tensors.get(number)
        if node is None or node.op is None or node.op.name not in ("sigmoid", "tanh", "softmax"):
            continue
        y = np.asarray(node._array)
        slope = 1 - y * y if node.op.name == "tanh" else y * (1 - y)
        n = int((slope <= np.finfo(y.dtype).eps).sum())
        if n and node.op.trusted and node not in told:
            made = names.told(node)
            remarks.append(f"{made}: {node.op.name} is saturated in {counted(n, y.size)}")
    return remarks
