"""The reverse sweep: from an output back to the leaves, one formula per edge."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from heapq import heappop, heappush
from typing import Any, overload

import numpy as np

from minigraph.arrays import array_of, frozen, is_array
from minigraph.checks import listed
from minigraph.graph import ancestors, check_unchanged, check_unwritten
from minigraph.lending import count_writes, lent
from minigraph.methods import Operand
from minigraph.modes import current_mode, enable_grad, last_write
from minigraph.notes import notes
from minigraph.tensor import Tensor

__all__ = ["grad"]

_ndarray = np.ndarray
_SCALARS = {np.float16, np.float32, np.float64, np.longdouble}

# consumer, slot, input, cotangent of the consumer, the part sent to the input, the input's total
Observer = Callable[[Tensor, int, Tensor, Any, Any, Any], None]

# A tensor, the cotangent found for it, and whether no other array shares that one's memory
Found = tuple[Tensor, Any, bool]


def sweep(
    seeds: Sequence[tuple[Tensor, Any]],
    wanted: Sequence[Tensor] | None = None,
    create_graph: bool = False,
    observer: Observer | None = None,
    linear: bool = False,
    since: int = 0,
) -> list[Found]:
    """Carry cotangents from outputs back to leaves, in descending order of recording.

    Parameters
    ----------
    seeds : sequence of (Tensor, cotangent)
        The outputs, each with a cotangent of its shape and dtype.
    wanted : sequence of Tensor, optional
        Only the formulas on the way to these are computed, and only these are returned;
        by default the leaves that require a gradient, and tensors that retain theirs.
    create_graph : bool
        Run the formulas on Tensors, so that the cotangents have a graph of their own.
    observer : callable, optional
        Called once per edge with (consumer, slot, input, cotangent, part, total). The arrays are
        valid during the call only.
    linear : bool
        With `create_graph`, record only how the cotangents depend on the seeds: what the formulas
        read besides is constant.
    since : int
        What was recorded before this time is treated as a leaf.

    Returns
    -------
    list of (Tensor, cotangent, bool)
        The third tells whether the cotangent is a new array that shares memory with no other.
    """
    useful = None if wanted is None else leading_to(wanted, [t for t, _ in seeds], since)
    keep = () if wanted is None else {t.number for t in wanted}
    table: dict[int, Any] = {}  # cotangents in work, by the number of their tensor
    tensors: dict[int, Tensor] = {}
    owned: set[int] = set()  # those that may be added to in place
    heap: list[int] = []
    found: list[Found] = []
    for tensor, seed in seeds:
        number = tensor.number
        if number in table:
            table[number] = table[number] + seed
            continue
        table[number], tensors[number] = seed, tensor
        if tensor.op is not None:
            heappush(heap, -number)
    on_tensors = create_graph and not linear
    if lent:
        count_writes()
    written, debug = last_write[0], current_mode().debug
    while heap:
        number = -heappop(heap)
        node, g = tensors[number], table.pop(number)
        if node._retains_grad or number in keep:
            found.append((node, g, False))
        if written > number:
            check_unwritten(node)
        if number in notes:
            check_unchanged(node)
        op: Any = node.op
        inputs, attributes = node.inputs, node.attributes
        y, values = (node, inputs) if on_tensors else (node._array, node.values)
        if not op.trusted:  # a formula of a user's may not write what it is given
            g, values = frozen(g), tuple(map(frozen, values))
        for slot, vjp in node.formulas:
            input = inputs[slot]
            key = input.number
            if useful is not None and key not in useful:
                continue
            try:
                part = vjp(g, y, *values, **attributes) if attributes else vjp(g, y, *values)
            except Exception as error:
                error.add_note(f"in the gradient of {op.name} by {op.input_name(slot)}")
                raise
            data = input._array
            kind = type(part)
            if kind is (Tensor if create_graph else _ndarray):
                fits = part.shape == data.shape and part.dtype is data.dtype
            else:
                fits = kind is type(data) and kind in _SCALARS
            if not fits:
                part = fitted(part, node, slot, create_graph)
            if key not in table:
                table[key], tensors[key] = part, input
                if input.op is not None and key >= since:
                    heappush(heap, -key)
                elif type(part) is _ndarray and part.base is None and part is not g and op.trusted:
                    owned.add(key)  # a new array: the leaf can take it over without a copy
            elif key in owned:
                table[key] += part
            else:
                table[key] = total = table[key] + part
                if type(total) is _ndarray:
                    owned.add(key)
            if debug is not None:
                debug.arrived(node, slot, g, part, table[key])
            if observer is not None:
                observer(node, slot, input, g, part, table[key])
    for number, value in table.items():  # what is left are leaves
        if wanted is None or number in keep:
            found.append((tensors[number], value, number in owned))
    return found


def leading_to(wanted: Sequence[Tensor], outputs: Sequence[Tensor], since: int = 0) -> set[int]:
    """Numbers of the tensors between `wanted` and `outputs`, both included."""
    useful = {tensor.number for tensor in wanted}
    oldest = min(useful, default=0)  # what is older leads to none
    for node in ancestors(outputs, max(since, oldest)):
        if any(node.inputs[slot].number in useful for slot, _ in node.formulas):
            useful.add(node.number)
    return useful


def fitted(part: Any, node: Tensor, slot: int, create_graph: bool) -> Any:
    """Bring what a formula returned to the shape and dtype of its input, where a rule says how."""
    op, input = node.op, node.inputs[slot]
    assert op is not None
    if type(part) is Tensor:
        part = part if create_graph else part._array
    elif is_array(part):
        part = Tensor(part, copy=False) if create_graph and part.dtype.kind == "f" else part
    else:
        raise TypeError(
            f"{op.name}: the formula of {op.input_name(slot)} returned {type(part).__name__}; "
            f"expected an array {input.dtype}{list(input.shape)}"
        )
    shape, dtype = input._array.shape, input._array.dtype
    fitted = part
    if part.shape != shape and op.broadcasts:
        fitted = unbroadcast(part, shape)
    if fitted.dtype != dtype != node.dtype and fitted.dtype.kind == "f":
        fitted = fitted.astype(dtype)  # the op itself promoted this input
    if fitted.shape != shape or fitted.dtype != dtype:
        raise (TypeError if fitted.shape == shape else ValueError)(
            f"{op.name}: the formula of {op.input_name(slot)} returned "
            f"{part.dtype}{list(part.shape)}; expected {dtype}{list(shape)}, as "
            f"{input._label()} has"
        )
    return fitted


def unbroadcast(g: Any, shape: tuple[int, ...]) -> Any:
    """Sum `g` over the axes along which an input of this shape was repeated."""
    if g.shape[1:] == shape:
        return g.sum(axis=0)
    extra = g.ndim - len(shape)
    if extra < 0 or any(n not in (1, m) for n, m in zip(shape, g.shape[extra:])):
        return g
    axes = tuple(i for i, n in enumerate(g.shape) if i < extra or shape[i - extra] == 1 != n)
    total = g.sum(axis=axes, keepdims=extra == 0)
    return total if total.shape == shape else total.reshape(shape)


def seed_of(output: Tensor, grad: Any, what: str) -> Any:
    """Check the cotangent given for an output, or make the default one."""
    if not output._requires_grad:
        raise RuntimeError(
            f"{what}: no gradient flows to {output._label()}: nothing that it was made from "
            "requires one, or it was made under no_grad() or cut off by detach()"
        )
    if grad is None:
        data = output._array
        if isinstance(data, np.generic):
            return type(data)(1)
        if output.size != 1:
            raise ValueError(
                f"{what}: {output._label()} is not a scalar; reduce it (sum, mean), or give the "
                "cotangent"
            )
        return np.ones_like(data)
    if not is_array(grad):  # numbers and lists have no dtype of their own
        grad = array_of(grad, f"{what}: the cotangent").astype(output.dtype)[()]
    if grad.shape != output.shape:
        raise ValueError(
            f"{what}: cotangent of shape {grad.shape} for {output._label()}; it has the same shape"
        )
    if grad.dtype != output.dtype:
        raise TypeError(
            f"{what}: cotangent of dtype {grad.dtype} for {output._label()}; it has the same dtype"
        )
    return grad


def backward(output: Tensor, grad: Operand | None = None) -> None:
    """Add the gradient of this tensor to the `.grad` of every leaf that it was made from.

    Parameters
    ----------
    grad : array_like, optional
        Cotangent of this tensor, of its shape and dtype. 1 for a tensor of one entry.

    Raises
    ------
    RuntimeError
        If no gradient flows to this tensor, or an array that a formula reads has been written
        since it was recorded.
    ValueError, TypeError
        If `grad` is missing for more than one entry, or has another shape or dtype.

    See Also
    --------
    minigraph.grad : returns gradients, and leaves `.grad` alone.
    """
    seed = seed_of(output, grad, "backward")
    for tensor, value, owned in sweep([(output, seed._array if type(seed) is Tensor else seed)]):
        if tensor._grad is not None:  # the sweep has succeeded: nothing is left half-done
            value, owned = tensor._grad + value, False
        tensor._grad = value if owned else copied(value)


Tensor.backward = backward  # type: ignore[method-assign,assignment]


def _tensors(given: Any) -> tuple[Tensor, ...]:
    tensors = tuple(given) if isinstance(given, (tuple, list)) else (given,)
    for tensor in tensors:
        if not isinstance(tensor, Tensor):
            raise TypeError(f"grad: outputs and inputs are Tensors, not {type(tensor).__name__}")
    return tensors


def copied(value: Any) -> Any:
    """Copy a cotangent, of any library."""
    return np.array(value) if isinstance(value, (np.ndarray, np.generic)) else value.copy()


@overload
def grad(
    outputs: Tensor | Sequence[Tensor], inputs: Tensor, *given: Any, **options: Any
) -> Tensor: ...
@overload
def grad(
    outputs: Tensor | Sequence[Tensor], inputs: Sequence[Tensor], *given: Any, **options: Any
) -> tuple[Tensor, ...]: ...
def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Any = None,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> Any:
    """Give the gradient of the outputs' sum with respect to each input; `.grad` is not touched.

    Parameters
    ----------
    outputs : Tensor or sequence of Tensor
        Scalars, unless `grad_outputs` gives their cotangents.
    inputs : Tensor or sequence of Tensor
        Leaves or tensors in between, that require a gradient.
    grad_outputs : array_like or sequence, optional
        One cotangent per output, of its shape and dtype.
    create_graph : bool
        Record how the gradients are made, so that they can be differentiated again.
    allow_unused : bool
        Give None for an input that the outputs do not depend on, in place of an error.

    Returns
    -------
    Tensor or tuple of Tensor
        Of each input's shape and dtype; one Tensor for one input.

    Raises
    ------
    RuntimeError
        If no gradient flows to an output, an input is unused or requires no gradient, or an array
        that a formula reads has been written since.
    ValueError, TypeError
        If a cotangent is missing, or has the wrong shape or dtype.

    Examples
    --------
    >>> import minigraph as mg
    >>> x = mg.Tensor(2.0, requires_grad=True)
    >>> slope = mg.grad(x**3, x, create_graph=True)
    >>> slope, mg.grad(slope, x)
    (Tensor(12., dtype=float64, op=multiply), Tensor(12., dtype=float64))
    """
    ends, wanted = _tensors(outputs), _tensors(inputs)
    given = (grad_outputs,) if isinstance(outputs, Tensor) else grad_outputs
    if not ends:
        raise ValueError("grad: outputs are empty; give at least one")
    given = (None,) * len(ends) if given is None else listed(given, "grad: grad_outputs")
    if len(given) != len(ends):
        raise ValueError(f"grad: {len(ends)} outputs, but {len(given)} cotangents")
    seeds = []
    for end, cotangent in zip(ends, given):
        seed = seed_of(end, cotangent, "grad")
        if create_graph and not isinstance(seed, Tensor):
            seed = Tensor(seed)
        elif isinstance(seed, Tensor) and not create_graph:
            seed = seed._array
        seeds.append((end, seed))
    for tensor in wanted:
        if not tensor._requires_grad:
            raise RuntimeError(
                f"grad: {tensor._label()} does not require a gradient; make it with "
                "requires_grad=True, before the output is computed"
            )
    with enable_grad() if create_graph else nullcontext():
        found = {found[0].number: found for found in sweep(seeds, wanted, create_graph)}
    results: list[Tensor | None] = []
    for place, tensor in enumerate(wanted):
        entry = found.get(tensor.number)
        if entry is None and not allow_unused:
            raise RuntimeError(
                f"grad: input {place}, {tensor._label()}, does not lead to the output; "
                "allow_unused=True gives None for it"
            )
        if entry is None:
            results.append(None)
            continue
        _, value, owned = entry
        if not create_graph:
            first = all(tensor is not other for other in wanted[:place])
            value = Tensor(value if owned and first else copied(value), copy=False)
        results.append(value)
    return results[0] if isinstance(inputs, Tensor) else tuple(results)
