"""Why no gradient flows: where the path from a tensor to the loss is cut.

A recorded path ends at an input to which no gradient flows, and that is found by walking. What was
made under `no_grad`, by `detach` or through `.data` keeps no inputs: there the path is found again
from the loss's side, by what an end of its graph shares with a tensor that `x` leads to: memory, the
counter of writes, or values. Nothing points forward, so those tensors are looked for among all that
live.
"""

import gc
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from minigraph.calls import _NO_ATTRIBUTES
from minigraph.diagnostics.causes import Cause, listed
from minigraph.diagnostics.flowing import Names
from minigraph.drawing.recording import kept_inputs
from minigraph.graph import Graph, ancestors
from minigraph.tensor import Tensor

__all__ = ["branches_cut", "why_none"]

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


def why_none(loss: Tensor, x: Tensor, names: Names) -> list[Cause]:
    """Find why no gradient flows from `loss` to `x`, the surest reason first."""
    if not x.requires_grad:
        return [_of_x_itself(x, names)]
    if causes := _on_the_way(loss, x, names):
        return causes
    ends = list(_ends(loss))
    causes = _related(ends, _made_from(x), names)
    if not causes and not loss.requires_grad:
        return [_of_the_loss(loss, names)]
    return causes or _unrelated(loss, x, ends, names)


def _of_x_itself(x: Tensor, names: Names) -> Cause:
    label = names.label(x)
    if x.dtype.kind != "f":
        text = f"{label} holds {_kind(x)}, which have no gradient; give floats"
        return Cause("integer", text, end=x)
    if x.op is not None:
        text = f"{label} was made by {x.op.name} of tensors that require no gradient"
        return Cause("requires_grad", text, end=x)
    if _unrecorded(x):
        text = (
            f"{label} was made by an operation that was not recorded: under no_grad(), or of "
            "constants only"
        )
        return Cause("unrecorded", text, end=x)
    twins = [t for t in _living() if t._written is x._written is not None and t.number < x.number]
    if _detached(x) or twins:
        source = f" from {names.label(twins[0])}" if twins else ""
        text = f"{label} was made by detach(){source}, so it is a leaf that requires no gradient"
        return Cause("detach", text, source=twins[0] if twins else None, end=x)
    text = f"{label} is a leaf with requires_grad=False; say requires_grad=True when you make it"
    return Cause("requires_grad", text, end=x)


def _of_the_loss(loss: Tensor, names: Names) -> Cause:
    label = names.label(loss)
    if loss.dtype.kind != "f":
        text = f"the loss, {label}, holds {_kind(loss)}: counts and truth values have no gradient"
        return Cause("integer", text, end=loss)
    if _unrecorded(loss):
        text = (
            f"the loss, {label}, was made by an operation that was not recorded: under no_grad(), "
            "or of constants only (comparisons, integers, detached tensors); it keeps no inputs"
        )
        return Cause("unrecorded", text, end=loss)
    if _detached(loss):
        text = f"the loss, {label}, was made by detach() from a tensor that is gone"
        return Cause("detach", text, end=loss)
    made = "requires no gradient" if loss.op else "is a leaf: it was made from no other tensor"
    return Cause("no path", f"the loss, {label}, {made}", end=loss)


def _kind(x: Tensor) -> str:
    return "truth values" if x.dtype.kind == "b" else "integers"


def _unrecorded(tensor: Tensor) -> bool:
    """Tell whether an op made a tensor and was not recorded."""
    return tensor.op is None and tensor.attributes is _NO_ATTRIBUTES


def _detached(tensor: Tensor) -> bool:
    """Tell whether a leaf shares the memory of an op's result: only detach() makes such."""
    array = tensor._array
    frozen = isinstance(array, np.ndarray) and not array.flags.writeable
    return not _unrecorded(tensor) and frozen and tensor._written is not None


# Cuts on the recorded path


def _on_the_way(loss: Tensor, x: Tensor, names: Names) -> list[Cause]:
    """Find where what `x` leads to is taken without that a gradient flows back."""
    leading = {x.number}
    causes = []
    for consumer in Graph(loss).nodes:
        flows = {slot for slot, _ in consumer.formulas}
        for slot, input in enumerate(consumer.inputs):
            if type(input) is not Tensor or input.number not in leading:
                continue
            if slot in flows:
                leading.add(consumer.number)
            elif not _is_kept(consumer, slot):
                causes.append(_cut(x, consumer, slot, names))
    return causes


def _is_kept(consumer: Tensor, slot: int) -> bool:
    """Tell whether an op has this input for its gradient only, such as the sign of l1_penalty."""
    assert consumer.op is not None
    if consumer.op.name == "softmax_nll" and slot == 1 and consumer.op.trusted:
        return True  # the formula of z is the whole derivative
    return any(slot == kept for kept, _ in kept_inputs(consumer.op))


def _cut(x: Tensor, consumer: Tensor, slot: int, names: Names) -> Cause:
    op, input = consumer.op, consumer.inputs[slot]
    assert op is not None
    label, made = names.label(input), names.made(consumer)
    takes = f"{made}: {op.name} takes {label} as {op.input_name(slot)}"
    leads = "" if input is x else f", which {names.short(x)} leads to"
    formulas = [op.each(i) if op.each else op.vjps[i] for i in range(len(consumer.inputs))]
    if formulas[slot] is not None:
        late = "requires_grad was set after that" if input.requires_grad else "a gradient was off"
        text = f"{takes}{leads}; it was recorded when {names.short(input)} required none: {late}"
        return Cause("set later", text, consumer, slot, source=input, end=consumer)
    if any(formulas):
        text = f"{takes}{leads}, and no gradient flows to that input"
        return Cause("no formula", text, consumer, slot, source=input, end=consumer)
    text = f"{takes}{leads}; its result is constant by rule: {op.name} has no useful derivative"
    return Cause("constant", text, consumer, slot, source=input, end=consumer)


# Cuts that left no record


def _ends(loss: Tensor) -> Iterator[End]:
    if loss.op is None:
        yield End(loss, None, 0)
    for consumer in Graph(loss).nodes:
        for slot, value in enumerate(consumer.inputs):
            if type(value) is Tensor and (value.op is not None or value.requires_grad):
                continue
            if not (type(value) is Tensor and _is_kept(consumer, slot)):
                yield End(value, consumer, slot)


def _living() -> list[Tensor]:
    """List all tensors that live, in order of recording."""
    living = [t for t in gc.get_objects() if type(t) is Tensor and getattr(t, "number", 0)]
    return sorted(living, key=lambda t: t.number)


def _made_from(x: Tensor) -> list[Tensor]:
    """List `x` and all living tensors that were made from it."""
    made, numbers = [x], {x.number}
    for tensor in _living():
        if any(type(i) is Tensor and i.number in numbers for i in tensor.inputs):
            made.append(tensor)
            numbers.add(tensor.number)
    return made


def _related(ends: list[End], sources: list[Tensor], names: Names) -> list[Cause]:
    """Find ends that have to do with what `x` leads to, those with the surest sign first."""
    found: list[tuple[int, Cause]] = []
    numbers = {source.number for source in sources}
    for end in ends:
        if type(end.value) is Tensor and end.value.number in numbers:
            continue  # recorded, without gradient: that was asked before
        for source in sources:
            if type(end.value) is Tensor and end.value.number <= source.number:
                break  # an end is made from what is older
            if (related := _relation(source, end.value)) is not None:
                rank, kind, words = related
                found.append((rank, _related_cause(sources[0], source, end, kind, words, names)))
                break
    return [cause for _, cause in sorted(found, key=lambda pair: pair[0])]


def _relation(source: Tensor, value: Any) -> tuple[int, str, str] | None:
    """Tell what an end of the graph has in common with a tensor, if anything."""
    if type(value) is not Tensor:
        if not isinstance(value, np.ndarray | np.generic):
            same = source.size == 1 and _telling(value) and value == source.item()
            words = "is its value: float(t), int(t) and item() give plain numbers"
            return (1, "number", words) if same else None
        if _shares_memory(source._array, value):
            return 0, "data", "is its own array: .data carries no gradient"
        if _equal(source._array, value) and _telling(value):
            words = "holds the same values: numpy() and .data carry no gradient"
            return 1, "copy", words
        return None
    shared = value._written is not None and value._written is source._written
    if shared or _shares_memory(source._array, value._array):
        if _unrecorded(value):
            return 0, "no_grad", "is a view of it that was made under no_grad() or after detach()"
        if shared:
            return 0, "detach", "shares its memory and requires no gradient: detach()"
        return 0, "data", "shares its memory and requires no gradient: made of .data"
    if _equal(source._array, value._array) and _telling(value._array):
        if _unrecorded(value):
            words = "holds the same values, and its making was not recorded: no_grad()"
            return 1, "no_grad", words
        return 1, "copy", "holds the same values and requires no gradient: a constant copy"
    if _unrecorded(value) and (rule := _rule(source._array, value._array)):
        words = f"holds {rule.replace('…', source.name or 'it')}, a constant by rule"
        return 2, "constant", words
    return None


def _shares_memory(a: Any, b: Any) -> bool:
    if not isinstance(a, np.ndarray) or not isinstance(b, np.ndarray):
        return False
    try:
        return bool(np.may_share_memory(a, b)) and bool(np.shares_memory(a, b, max_work=10_000))
    except np.exceptions.TooHardError:
        return True


def _equal(a: Any, b: Any) -> bool:
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
        for words, rule in RULES.items():
            value = rule(a)
            if value.dtype == b.dtype and _equal(value, b):
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
    made = f" (made by {source.op.name})" if source.op is not None else ""
    label = names.label(end.value)
    if end.consumer is None:
        there = f"the loss, {label},"
    else:
        op = end.consumer.op
        assert op is not None
        name = f"{op.name} takes {label} as {op.input_name(end.slot)}"
        there = f"{names.made(end.consumer)}: {name}, which"
    text = f"the path ends at {names.label(source)}{made}{leads}; {there} {words}"
    return Cause(kind, text, end.consumer, end.slot, source=source, end=end.value)


# No sign of a path


def _unrelated(loss: Tensor, x: Tensor, ends: list[End], names: Names) -> list[Cause]:
    short = names.short(x)
    graph = {node.number: node for node in Graph(loss).nodes}
    newer = [
        end
        for end in ends
        if type(end.value) is Tensor
        and end.value.number > x.number
        and (_unrecorded(end.value) or _detached(end.value))
    ]
    if newer:
        return [_suspect(x, end, names) for end in newer]
    shared = [t for t in ancestors([x]) if t.number in graph and t.requires_grad and t is not x]
    if shared:
        text = (
            f"{names.label(x)} lies on a side branch: it was made from {names.label(shared[-1])}, "
            f"and so was the loss, but not through {short}"
        )
        return [Cause("side branch", text, source=x, end=shared[-1])]
    others = [t for t in graph.values() if x.name and t.name == x.name]
    others += [t for t in graph.values() if _shares_memory(t._array, x._array)]
    if others:
        other = others[0]
        same = " with the same values" if _equal(other._array, x._array) else ""
        text = (
            f"the loss was made from another tensor, {names.label(other)}{same}, not from this "
            "one: it was replaced or copied"
        )
        return [Cause("other tensor", text, source=x, end=other)]
    leaves = [names.short(t) for t in graph.values() if t.op is None and t.requires_grad]
    made = f"it was made from {listed(leaves)}" if leaves else "it was made from no parameter"
    text = f"no path: the loss was not made from {names.label(x)}; {made}"
    return [Cause("no path", text, source=x)]


def _suspect(x: Tensor, end: End, names: Names) -> Cause:
    """Name an end that may hide the path, though nothing that lives tells whether it does."""
    label = names.label(end.value)
    kind = "detach" if _detached(end.value) else "unrecorded"
    made = (
        "was made by detach() from a result that is gone"
        if kind == "detach"
        else "holds truth values or integers, which are constants by rule"
        if end.value.dtype.kind != "f"
        else "was made by an operation that was not recorded: under no_grad(), or of constants only"
    )
    if kind == "unrecorded" and end.value.dtype.kind != "f":
        kind = "constant"
    assert end.consumer is not None
    text = (
        f"no path from {names.short(x)} is recorded. {names.made(end.consumer)}: {label}, which is "
        f"newer than {names.short(x)}, {made}"
    )
    return Cause(kind, text, end.consumer, end.slot, end=end.value)


def branches_cut(loss: Tensor, x: Tensor, names: Names) -> list[Cause]:
    """Find uses of `x` without gradient beside those with one: its detached or plain array."""
    ends = [end for end in _ends(loss) if end.consumer is not None]
    return [c for c in _related(ends, [x], names) if c.kind in ("detach", "data", "no_grad")]
