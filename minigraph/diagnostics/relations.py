"""Cuts that left no record, found from the loss's side.

What was made under `no_grad`, by `detach` or through `.data` keeps no inputs. The path is found
again by what an end of the loss's graph shares with a tensor that `x` leads to: memory, the counter
of writes, or values. Nothing points forward, so those tensors are looked for among all that live.
"""

import gc
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from minigraph.calls import _NO_ATTRIBUTES
from minigraph.diagnostics.causes import Cause
from minigraph.diagnostics.flowing import Names, line_after
from minigraph.drawing.recording import kept_inputs
from minigraph.graph import Graph
from minigraph.tensor import Tensor

__all__ = [
    "End",
    "are_equal",
    "ends_of",
    "is_detached",
    "is_kept",
    "is_unrecorded",
    "living",
    "made_from",
    "related",
    "share_memory",
]

RULES: dict[str, Callable[[Any], Any]] = {
    "sign(…)": np.sign,
    "floor(…)": np.floor,
    "ceil(…)": np.ceil,
    "rint(…)": np.rint,
    "trunc(…)": np.trunc,
    "… > 0": lambda a: a > 0,
    "… >= 0": lambda a: a >= 0,
    "… < 0": lambda a: a < 0,
    "… <= 0": lambda a: a <= 0,
    "… == 0": lambda a: a == 0,
    "… != 0": lambda a: a != 0,
}


class End(NamedTuple):
    """Something without gradient that a graph is made from: a leaf, an array, a number."""

    value: Any
    consumer: Tensor | None  # None for the loss itself
    slot: int


def is_unrecorded(tensor: Tensor) -> bool:
    """Tell whether an op made a tensor and was not recorded."""
    return tensor.op is None and tensor.attributes is _NO_ATTRIBUTES


def is_detached(tensor: Tensor) -> bool:
    """Tell whether a leaf shares the memory of an op's result: only detach() makes such."""
    array = tensor._array
    frozen = isinstance(array, np.ndarray) and not array.flags.writeable
    return not is_unrecorded(tensor) and frozen and tensor._written is not None


def is_kept(consumer: Tensor, slot: int) -> bool:
    """Tell whether an op has this input for its gradient only, such as the sign of l1_penalty."""
    assert consumer.op is not None
    if consumer.op.name == "softmax_nll" and slot == 1 and consumer.op.trusted:
        return True  # the formula of z is the whole derivative
    return any(slot == kept for kept, _ in kept_inputs(consumer.op))


def ends_of(loss: Tensor) -> Iterator[End]:
    """Find what a graph is made from, without gradient."""
    if loss.op is None:
        yield End(loss, None, 0)
    for consumer in Graph(loss).nodes:
        for slot, value in enumerate(consumer.inputs):
            if type(value) is Tensor and (value.op is not None or value.requires_grad):
                continue
            if not (type(value) is Tensor and is_kept(consumer, slot)):
                yield End(value, consumer, slot)


def living() -> list[Tensor]:
    """List all tensors that live, in order of recording; not those that a thread is making."""
    whole = ("number", "attributes", "_requires_grad")
    found = [t for t in gc.get_objects() if type(t) is Tensor and all(hasattr(t, a) for a in whole)]
    return sorted(found, key=lambda t: t.number)


def made_from(x: Tensor) -> list[Tensor]:
    """List `x` and all living tensors that were made from it."""
    made, numbers = [x], {x.number}
    for tensor in living():
        if any(type(i) is Tensor and i.number in numbers for i in tensor.inputs):
            made.append(tensor)
            numbers.add(tensor.number)
    return made


def related(ends: list[End], sources: list[Tensor], names: Names) -> list[Cause]:
    """Find ends that have to do with what `x` leads to, those with the surest sign first."""
    found: list[tuple[int, Cause]] = []
    numbers = {source.number for source in sources}
    for end in ends:
        value, older = end.value, sources
        if type(value) is Tensor:
            if value.number in numbers:
                continue  # recorded, without gradient: that was asked before
            older = [source for source in sources if source.number < value.number]
        relations = [(source, _relation(source, value)) for source in older]
        signs = [
            (sign[0], source.shape != getattr(value, "shape", ()), i)  # a view is the weaker sign
            for i, (source, sign) in enumerate(relations)
            if sign is not None
        ]
        if signs:
            source, sign = relations[min(signs)[2]]
            assert sign is not None
            rank, kind, words = sign
            found.append((rank, _related_cause(sources[0], source, end, kind, words, names)))
    return [cause for _, cause in sorted(found, key=lambda pair: pair[0])]


def _relation(source: Tensor, value: Any) -> tuple[int, str, str] | None:
    """Tell what an end of the graph has in common with a tensor, if anything."""
    if type(value) is not Tensor:
        if not isinstance(value, np.ndarray | np.generic):
            same = source.size == 1 and _telling(value) and value == source.item()
            words = "is its value: float(t), int(t) and item() give plain numbers"
            return (1, "number", words) if same else None
        if share_memory(source._array, value):
            return 0, "data", "shares its memory: .data carries no gradient"
        if are_equal(source._array, value) and _telling(value):
            words = "holds the same values: numpy() and .data carry no gradient"
            return 1, "copy", words
        return None
    shared = value._written is not None and value._written is source._written
    if shared or share_memory(source._array, value._array):
        if is_unrecorded(value):
            return 0, "no_grad", "is a view of it that was made under no_grad() or after detach()"
        if shared:
            return 0, "detach", "shares its memory and requires no gradient: detach()"
        return 0, "data", "shares its memory and requires no gradient: made of .data"
    if are_equal(source._array, value._array) and _telling(value._array):
        if is_unrecorded(value):
            words = "holds the same values, and its making was not recorded: no_grad()"
            return 1, "no_grad", words
        return 1, "copy", "holds the same values and requires no gradient: a constant copy"
    varied = value.size > 1 and bool(np.any(value._array != value._array.reshape(-1)[0]))
    if is_unrecorded(value) and varied and (rule := _rule(source._array, value._array)):
        made = rule.replace("…", source.name or "it")
        return 2, "constant", f"holds the values of {made}: results of that are constants by rule"
    return None


def share_memory(a: Any, b: Any) -> bool:
    """Tell whether two arrays have an entry in common."""
    if not isinstance(a, np.ndarray) or not isinstance(b, np.ndarray):
        return False
    try:
        return np.shares_memory(a, b, max_work=10_000)  # type: ignore[arg-type]
    except np.exceptions.TooHardError:
        return True


def are_equal(a: Any, b: Any) -> bool:
    """Tell whether two arrays have the same shape, dtype and values."""
    return a.shape == b.shape and a.dtype == b.dtype and bool(np.array_equal(a, b))


def _telling(values: Any) -> bool:
    """Tell whether equal values mean anything: zeros and ones are found everywhere."""
    first = np.asarray(values).reshape(-1)[:1]
    if first.size == 0:
        return False
    plain = float(first[0]) in (0, 1, -1, 2, -2, 0.5)
    return not plain or not bool(np.all(np.asarray(values) == first[0]))


def _rule(a: Any, b: Any) -> str | None:
    """Tell by which rule `b` may be a constant made of `a`."""
    with np.errstate(all="ignore"):
        for words, rule in RULES.items() if a.shape == b.shape else ():
            if are_equal(rule(a), b):
                return words
        if b.dtype.kind in "iu" and a.shape == b.shape and np.array_equal(a.astype(b.dtype), b):
            return f"….astype({b.dtype})"
        for axis in (None, *range(a.ndim)) if b.dtype.kind == "i" and a.size else ():
            for name, search in (("argmax", np.argmax), ("argmin", np.argmin)):
                if np.array_equal(search(a, axis=axis), b):
                    return f"….{name}({'' if axis is None else axis})"
    return None


def _related_cause(
    x: Tensor, source: Tensor, end: End, kind: str, words: str, names: Names
) -> Cause:
    leads = "" if source is x else f", which {names.short(x)} leads to"
    made = f" (made by {source.op.name}{line_after(source)})" if source.op is not None else ""
    label = names.label(end.value)
    if end.consumer is None:
        there = f"the loss, {label},"
    else:
        op = end.consumer.op
        assert op is not None
        name = f"{op.name} takes {label} as {op.input_name(end.slot)}"
        there = f"{names.told(end.consumer)}: {name}, which"
    text = f"the path ends at {names.label(source)}{made}{leads}; {there} {words}"
    return Cause(kind, text, end.consumer, end.slot, source=source, end=end.value)
