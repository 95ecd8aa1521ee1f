"""Why no gradient flows: where the path from a tensor to the loss is cut.

A recorded path ends at an input to which no gradient flows, and that is found by walking; the cuts
that left no record are in `relations`.
"""

from collections.abc import Iterator

from minigraph.diagnostics.causes import Cause, listed
from minigraph.diagnostics.flowing import Names, line_after
from minigraph.diagnostics.relations import (
    End,
    are_equal,
    ends_of,
    is_detached,
    is_kept,
    is_unrecorded,
    living,
    made_from,
    related,
    share_memory,
)
from minigraph.graph import Graph, ancestors
from minigraph.notes import Origin, origin_of
from minigraph.tensor import Tensor

__all__ = ["branches_cut", "why_none"]


def why_none(loss: Tensor, x: Tensor, names: Names) -> list[Cause]:
    """Find why no gradient flows from `loss` to `x`, the surest reason first."""
    if not x.requires_grad:
        return [_of_x_itself(x, names)]
    if causes := _on_the_way(loss, x, names):
        return causes
    ends = list(ends_of(loss))
    causes = list(_noted(x, ends, names)) or related(ends, made_from(x), names)
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
    if is_unrecorded(x):
        text = (
            f"{label} was made by an operation that was not recorded: under no_grad(), or of "
            "constants only"
        )
        return Cause("unrecorded", text, end=x)
    twins = [t for t in living() if t._written is x._written is not None and t.number < x.number]
    if is_detached(x) or twins:
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
    if is_unrecorded(loss):
        text = (
            f"the loss, {label}, was made by an operation that was not recorded: under no_grad(), "
            "or of constants only (comparisons, integers, detached tensors); it keeps no inputs"
        )
        return Cause("unrecorded", text, end=loss)
    if is_detached(loss):
        text = f"the loss, {label}, was made by detach() from a tensor that is gone"
        return Cause("detach", text, end=loss)
    made = "requires no gradient" if loss.op else "is a leaf: it was made from no other tensor"
    return Cause("no path", f"the loss, {label}, {made}", end=loss)


def _kind(x: Tensor) -> str:
    return "truth values" if x.dtype.kind == "b" else "integers"


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
            elif not is_kept(consumer, slot):
                causes.append(_cut(x, consumer, slot, names))
    return causes


def _cut(x: Tensor, consumer: Tensor, slot: int, names: Names) -> Cause:
    op, input = consumer.op, consumer.inputs[slot]
    assert op is not None
    label, made = names.label(input), names.told(consumer)
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


# Cuts whose record debug keeps


def _noted(x: Tensor, ends: list[End], names: Names) -> Iterator[Cause]:
    """Find the ends of the loss's graph to which a path from `x` led until it was cut."""
    for end in ends:
        origin = origin_of(end.value) if type(end.value) is Tensor else None
        if origin is None:
            continue
        living = [(slot, input) for slot, found in origin.inputs if (input := found()) is not None]
        sources = [(s, i) for s, i in living if any(t is x for t in ancestors([i]))]
        if sources:
            yield _noted_cause(x, *sources[0], origin, end, names)
        elif x.number in origin.leaves:
            yield _noted_cause(x, origin.inputs[0][0], None, origin, end, names)


def _noted_cause(
    x: Tensor, slot: int, source: Tensor | None, origin: Origin, end: End, names: Names
) -> Cause:
    path = f"the path from {names.short(x)} ends at a tensor that is gone"
    if source is not None:
        leads = "" if source is x else f", which {names.short(x)} leads to"
        made = f" (made by {source.op.name}{line_after(source)})" if source.op is not None else ""
        path = f"the path ends at {names.label(source)}{made}{leads}"
    where = "" if origin.line is None else f", {origin.line}"
    kind, op = "no_grad", origin.op
    if op is None:
        kind, why = "detach", f"it was detached{where}"
    else:
        vjp = op.each(slot) if op.each else op.vjps[slot]
        why = f"{op.name} took it{where}: that was not recorded, under no_grad()"
        if vjp is None:
            kind = "constant"
            why = f"{op.name} took it{where}: a constant by rule, for it has no useful derivative"
    value = end.value
    return Cause(kind, f"{path}; {why}", end.consumer, end.slot, source=source, end=value)


# No sign of a path


def _unrelated(loss: Tensor, x: Tensor, ends: list[End], names: Names) -> list[Cause]:
    short = names.short(x)
    graph = {node.number: node for node in Graph(loss).nodes}
    hidden = [
        end
        for end in ends
        if type(end.value) is Tensor
        and end.value.number > x.number
        and (is_unrecorded(end.value) or is_detached(end.value))
    ]
    if hidden:
        return [_suspect(x, end, names) for end in hidden]
    shared = [t for t in ancestors([x]) if t.number in graph and t.requires_grad and t is not x]
    if shared:
        text = (
            f"{names.label(x)} lies on a side branch: it was made from {names.label(shared[-1])}, "
            f"and so was the loss, but not through {short}"
        )
        return [Cause("side branch", text, source=x, end=shared[-1])]
    others = [t for t in graph.values() if x.name and t.name == x.name]
    others += [t for t in graph.values() if share_memory(t._array, x._array)]
    if others:
        other = others[0]
        same = " with the same values" if are_equal(other._array, x._array) else ""
        text = (
            f"the loss was made from another tensor, {names.label(other)}{same}, not from this "
            "one: it was replaced or copied"
        )
        return [Cause("other tensor", text, source=x, end=other)]
    leaves = [names.short(t) for t in graph.values() if t.op is None and t.requires_grad]
    made = f"it was made from {listed(leaves)}" if leaves else "it was made from no parameter"
    text = f"there is no path: the loss was not made from {names.label(x)}; {made}"
    newer = [e.value for e in ends if type(e.value) is Tensor and e.value.number > x.number]
    if newer:
        text += (
            f". Newer than {short}, and made of plain arrays (data, numpy(), or mg.grad without "
            "create_graph=True), so that they may hide a path: "
            f"{listed(dict.fromkeys(map(names.label, newer)))}"
        )
    return [Cause("no path", text, source=x)]


def _suspect(x: Tensor, end: End, names: Names) -> Cause:
    """Name an end that may hide the path, though nothing that lives tells whether it does."""
    label = names.label(end.value)
    kind = "detach" if is_detached(end.value) else "unrecorded"
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
        f"no path from {names.short(x)} is recorded. {names.told(end.consumer)}: {label}, which is "
        f"newer than {names.short(x)}, {made}"
    )
    return Cause(kind, text, end.consumer, end.slot, end=end.value)


def branches_cut(loss: Tensor, x: Tensor, names: Names) -> list[Cause]:
    """Find uses of `x` without gradient beside those with one: its detached or plain array."""
    ends = [end for end in ends_of(loss) if end.consumer is not None]
    return [c for c in related(ends, [x], names) if c.kind in ("detach", "data", "no_grad")]
