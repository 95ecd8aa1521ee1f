"""`explain`: its arguments checked, and one sweep for all that was asked."""

from collections.abc import Mapping
from typing import Any, overload

import numpy as np

from minigraph.diagnostics.explanation import Explanation
from minigraph.diagnostics.flowing import Flow, Names
from minigraph.diagnostics.tabular import Explanations
from minigraph.methods import Operand
from minigraph.nn import Module
from minigraph.tensor import Tensor

__all__ = ["explain"]

Index = int | tuple[int, ...]


@overload
def explain(
    loss: Tensor,
    x: Tensor,
    index: Index | None = None,
    depth: int = 1,
    grad: Operand | None = None,
) -> Explanation: ...
@overload
def explain(
    loss: Tensor,
    x: Mapping[str, Tensor] | Module,
    index: None = None,
    depth: int = 1,
    grad: Operand | None = None,
) -> Explanations: ...
def explain(
    loss: Tensor,
    x: Tensor | Mapping[str, Tensor] | Module,
    index: Index | None = None,
    depth: int = 1,
    grad: Operand | None = None,
) -> Explanation | Explanations:
    """Say why the gradient of a loss is None, 0 or 0.37.

    None: where the path from `x` to the loss is cut, with the tensors on both sides. 0: which relus
    are closed, masks, factors of 0, saturation, entries that are not read, shares that cancel, with
    counts. A number: what each consumer of `x` sends back. The numbers are those of the one reverse
    sweep; `.grad` is neither read nor written.

    A tensor made under `no_grad` or by `detach` keeps no inputs. Such a cut is found by what it
    shares with living tensors that were made from `x`: memory, the counter of writes, or values.
    Where nothing tells, what may hide the path is listed as that.

    Parameters
    ----------
    loss : Tensor
        A scalar, unless `grad` gives its cotangent.
    x : Tensor, mapping of str to Tensor, or Module
        Of a mapping, or the parameters of a module, a table is given.
    index : int or tuple of int, optional
        One entry of `x`; by default the whole tensor, with norms and counts.
    depth : int
        How far down the graph shares are told: 1 for those of `x`, 2 for those of its consumers
        too, and so on.
    grad : array_like, optional
        The cotangent of `loss`, of its shape.

    Returns
    -------
    Explanation or Explanations
        ``print`` tells it, ``draw`` draws an Explanation.

    Raises
    ------
    TypeError
        If `loss` or `x` is no Tensor, or holds an array that is not NumPy's.
    IndexError
        If `index` is not an entry of `x`.
    ValueError
        If `loss` is not a scalar and `grad` is missing or of another shape; if `depth` is below 1.
    RuntimeError
        If an array that a formula reads has been written since.

    Examples
    --------
    >>> import minigraph as mg
    >>> a = mg.Tensor([2.0, -1.0], requires_grad=True, name="a")
    >>> loss = (mg.relu(a) + a * a).sum()
    >>> print(mg.explain(loss, a, index=0))
    ∂v4/∂a[0] = 5
      2  ∂v2 * a         by v2 = a * a
      2  ∂v2 * a         by v2 = a * a
      1  ∂v1 * sign(v1)  by v1 = relu(a)
    >>> print(mg.explain(mg.relu(a).sum(), a))
    ‖∂v2/∂a‖ = 1, 0 in 1 of 2 entries
      because v1 = relu(a): relu is closed in 1 of 2 entries, at 1
      1  ∂v1 * sign(v1)  by v1 = relu(a)
    >>> w = mg.Tensor([1.0, 1.0], requires_grad=True, name="w")
    >>> print(mg.explain((a.detach() * w).sum(), a))
    ∂v4/∂a is None: no gradient flows to 'a' float64[2]
      because the path ends at 'a' float64[2]; v3 = a * w: multiply takes 'a' float64[2] as a, which
        shares its memory and requires no gradient: detach()
    >>> print(mg.explain(loss, {"a": a, "w": w}))
       ‖gradient‖  zeros   dead units  because
    w  None                            there is no path: the loss was not made from 'w' float64[2]…
    a  5.39        0 of 2  0
    """
    if not isinstance(loss, Tensor):
        raise TypeError(f"explain: loss is a Tensor, not {type(loss).__name__}")
    _check_depth(depth)
    if isinstance(x, Module):
        x = x.parameters()
    wanted: Mapping[str, Any] = x if isinstance(x, Mapping) else {"x": x}
    for name, tensor in wanted.items():
        if not isinstance(tensor, Tensor):
            place = name if tensor is x else f"x[{name!r}]"
            raise TypeError(
                f"explain: {place} is a Tensor, or a mapping of names to Tensors, not "
                f"{type(tensor).__name__}"
            )
    if isinstance(x, Mapping) and index is not None:
        raise ValueError("explain: index is for one tensor; give x=params['W1'] in place of all")
    chosen = None if index is None or isinstance(x, Mapping) else _entry(x, index)
    flow = Flow(loss, list(wanted.values()), grad)
    names = Names(loss)
    found = {
        name: Explanation(loss, tensor, chosen, depth, flow, names)
        for name, tensor in wanted.items()
    }
    return Explanations(found) if isinstance(x, Mapping) else found["x"]


def _check_depth(depth: Any) -> None:
    if not isinstance(depth, int) or isinstance(depth, bool):
        raise TypeError(f"explain: depth is a whole number, not {depth!r}")
    if depth < 1:
        raise ValueError(f"explain: depth is at least 1, not {depth}")


def _entry(x: Tensor, index: Any) -> tuple[int, ...]:
    """Check that an index names one entry."""
    given = index if isinstance(index, tuple) else (index,)
    for i in given:
        if not isinstance(i, int | np.integer) or isinstance(i, bool):
            raise IndexError(f"explain: index holds whole numbers, not {i!r}")
    if len(given) != x.ndim:
        raise IndexError(
            f"explain: index {index!r} has {len(given)} numbers, but {x._label()} has {x.ndim} "
            "axes; give one for each"
        )
    for axis, (i, n) in enumerate(zip(given, x.shape)):
        if not -n <= i < n:
            raise IndexError(
                f"explain: index {index!r} is out of range for {x._label()}: axis {axis} has "
                f"{n} entries"
            )
    return tuple(int(i) for i in given)
