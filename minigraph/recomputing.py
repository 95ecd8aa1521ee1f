"""checkpoint: intermediate results are computed again when the sweep needs them, and not kept."""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

import numpy as np

from minigraph.arrays import shown
from minigraph.checks import check_callable
from minigraph.graph import older
from minigraph.modes import enable_grad, tick
from minigraph.op import Op
from minigraph.sweep import sweep
from minigraph.tensor import Tensor

__all__ = ["checkpoint"]


def checkpoint(f: Callable[..., Any]) -> Callable[..., Any]:
    """Make f forget its intermediate results, and compute them again in the backward pass.

    A call of it is one node of the graph. Its inputs are all Tensors that require a gradient and
    that `f` read: its arguments, and what it closes over. When a sweep comes to the node, `f` runs
    again. So memory is needed for one call at a time, at the price of a second forward pass.
    Gradients are right at any order; to take one of a gradient, the graph of `f` is recorded after
    all.

    Parameters
    ----------
    f : callable
        Gives one array, the same whenever it is called again: it draws no random numbers.

    Returns
    -------
    callable
        Takes what `f` takes, and gives the same values.

    Raises
    ------
    TypeError
        If `f` gives containers.
    RuntimeError
        In the sweep: if `f` gives other values the second time, since it draws random numbers or a
        plain array that it reads has been written. A write to a Tensor is a `WriteError`, as
        elsewhere.

    Examples
    --------
    >>> import numpy as np, minigraph as mg
    >>> x = mg.Tensor([0.0, 1.0], requires_grad=True)
    >>> y = mg.checkpoint(lambda x: np.exp(-(x**2)))(x)
    >>> y.op.name, len(mg.Graph(y).nodes)
    ('checkpoint', 2)
    >>> mg.grad(y.sum(), x)
    Tensor([-0.        , -0.73575888], dtype=float64)
    """
    check_callable(f, "checkpoint: f")

    @wraps(f, updated=())
    def checkpointed(*args: Any, **options: Any) -> Any:
        since = tick()
        y = f(*args, **options)
        if isinstance(y, dict | list | tuple):
            raise TypeError(
                f"checkpoint: f returned {shown(y)}; return one array (mg.stack and "
                "mg.concatenate join several)"
            )
        if not isinstance(y, Tensor) or not y.requires_grad or y.number < since:
            return y
        inputs = older([y], since)
        if not inputs:
            return y  # all that it depends on was made inside
        call = _Call(partial(f, *args, **options), y._array, inputs)
        return _forgetful(*inputs, call=call)

    return checkpointed


class _Call:
    """A call of f that can be repeated, and what came of it when it was repeated last.

    What came of it goes as the formulas take it. Where a sweep skips some of them, the rest stays
    until the next sweep; if that part is recorded, it is freed by the garbage collector, since it
    depends on this node.
    """

    def __init__(self, f: partial[Any], value: Any, inputs: list[Tensor]) -> None:
        self.f, self.inputs = f, inputs
        self._value = value
        self._g: Any = None
        self._parts: dict[int, Any] = {}

    def __repr__(self) -> str:
        return getattr(self.f.func, "__name__", "f")

    def value(self) -> Any:
        """Hand over what the first call gave: from then on the node keeps it."""
        value, self._value = self._value, None
        return value

    def part(self, place: int, g: Any, y: Any) -> Any:
        """Give the cotangent of the input in this place.

        The formulas of a node run one after the other, with the same g: the first repeats the
        call for all.
        """
        if g is not self._g or place not in self._parts:
            self._g, self._parts = g, self._again(g, y)
        part = self._parts.pop(place)
        if not self._parts:
            self._g = None
        return part

    def _again(self, g: Any, y: Any) -> dict[int, Any]:
        recorded, nested = isinstance(g, Tensor), isinstance(y, Tensor)
        since = tick()
        with enable_grad():
            again = self.f()
        inputs = older([again], since) if isinstance(again, Tensor) else []
        if list(map(id, inputs)) != list(map(id, self.inputs)) or not _same(again._array, y):
            raise RuntimeError(
                f"checkpoint: {self!r} gave another result when it ran again for the backward "
                "pass; it draws random numbers, or what it reads has changed since"
            )
        found = sweep([(again, g)], self.inputs, recorded, linear=not nested, since=since)
        parts = {tensor.number: part for tensor, part, _ in found}
        return {place: parts[input.number] for place, input in enumerate(self.inputs)}


def _same(again: Any, y: Any) -> bool:
    """Compare up to rounding: a product need not be summed in the same order each time."""
    y = y._array if isinstance(y, Tensor) else y
    if again.shape != y.shape or again.dtype != y.dtype:
        return False
    scale = np.max(np.abs(y), initial=0, where=np.isfinite(y))
    tolerance = 1000 * np.finfo(y.dtype).eps * scale
    return bool(np.allclose(again, y, rtol=0, atol=tolerance, equal_nan=True))


# What depends on its inputs is `call`, which runs f on them again.
_forgetful = Op(
    lambda *inputs, call: call.value(),
    each=lambda i: lambda g, y, *inputs, call: call.part(i, g, y),
    name="checkpoint",
)
