"""NumPy's functions on Tensors: which rule answers for `np.f(tensor)`, and what has none."""

import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from operator import attrgetter
from typing import Any

import numpy as np

from minigraph.tensor import Tensor

__all__ = ["RULES"]

# The rule that answers for a NumPy function called on Tensors; filled by `minigraph.ops`.
RULES: dict[Callable[..., Any], Callable[..., Any]] = {}

# Of what carries no gradient by nature, these look at shapes, dtypes and memory alone,
SHAPE_FUNCTIONS: set[Callable[..., Any]] = {
    np.shape, np.ndim, np.size, np.result_type, np.can_cast, np.iscomplexobj, np.isrealobj,
    np.zeros_like, np.ones_like, np.empty_like, np.full_like, np.shares_memory,
    np.may_share_memory,
}  # fmt: skip

# and these at values.
VALUE_FUNCTIONS: set[Callable[..., Any]] = {
    np.isfinite, np.isnan, np.isinf, np.signbit, np.isclose, np.allclose,
    np.array_equal, np.array_equiv, np.count_nonzero, np.nonzero,
    np.flatnonzero, np.argwhere, np.digitize,
    np.array_repr, np.array_str, np.array2string, np.linalg.matrix_rank,
}  # fmt: skip


def array_ufunc(self: Tensor, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
    """Answer for a ufunc, or an operator with an array on the left (NEP 13)."""
    rule = _rule(ufunc)
    if rule is not None and method == "__call__" and not options:
        return rule(*inputs)
    if method != "__call__":
        name = f"the ufunc {ufunc.__name__}.{method}"
        return _without_rule(getattr(ufunc, method), name, inputs, options)
    return array_function(self, ufunc, (), inputs, options)


def _rule(ufunc: np.ufunc) -> Callable[..., Any] | None:
    """Find the rule of a ufunc; SciPy's are read when the first of them meets a Tensor."""
    if ufunc not in RULES and "scipy.special" in sys.modules:
        import_module("minigraph.ops.special")
    return RULES.get(ufunc)


def array_function(
    self: Tensor, function: Any, types: Any, inputs: Any, options: dict[str, Any]
) -> Any:
    """Answer for a NumPy function (NEP 18)."""
    if options.get("out") is not None:
        raise TypeError(
            f"np.{function.__name__}: out= would write into an array behind a graph's back; "
            "write t = ... in its place (also for `array += tensor`)"
        )
    options.pop("out", None)
    if function in RULES:
        try:
            return RULES[function](*inputs, **options)
        except TypeError as error:
            if "argument" in str(error):
                error.add_note(
                    f"minigraph's np.{function.__name__} takes fewer arguments than NumPy's: no "
                    "dtype, out, where, initial or order"
                )
            raise
    if function in SHAPE_FUNCTIONS:
        return function(*_values(inputs), **_values(options))
    if function in VALUE_FUNCTIONS:
        _looked(f"np.{function.__name__}", [inputs, options])
        return function(*_values(inputs), **_values(options))
    name = f"{getattr(function, '__module__', None) or 'numpy'}.{function.__name__}"
    if isinstance(function, np.ufunc) and not hasattr(np, function.__name__):
        name = f"the ufunc {function.__name__}"  # which does not say where it is from
    return _without_rule(function, name, inputs, options)


Tensor.__array_ufunc__ = array_ufunc  # type: ignore[method-assign,assignment]
Tensor.__array_function__ = array_function  # type: ignore[method-assign,assignment]


def _values(arguments: Any, give: Callable[[Tensor], Any] = Tensor._shown) -> Any:
    """Replace Tensors by their arrays in (nested) arguments."""
    if isinstance(arguments, Tensor):
        return give(arguments)
    if isinstance(arguments, list | tuple):
        return type(arguments)([_values(part, give) for part in arguments])
    if isinstance(arguments, dict):
        return {key: _values(value, give) for key, value in arguments.items()}
    return arguments


def _tensors(arguments: Any) -> Iterator[Tensor]:
    """List the Tensors in nested arguments."""
    if isinstance(arguments, Tensor):
        yield arguments
    elif isinstance(arguments, list | tuple | dict):
        for part in arguments.values() if isinstance(arguments, dict) else arguments:
            yield from _tensors(part)


def _looked(name: str, arguments: Any) -> None:
    """Tell who looks on that a function looks at values."""
    for tensor in _tensors(arguments):
        tensor._looked(name)


def _without_rule(
    function: Callable[..., Any], name: str, inputs: Any, options: dict[str, Any]
) -> Any:
    if any(tensor.requires_grad for tensor in _tensors([inputs, options])):
        raise TypeError(
            f"{name} has no rule in minigraph, so its result would carry no gradient; use "
            "t.data if a constant is meant, or add a rule with mg.Op"
        )
    _looked(name, [inputs, options])
    lend = attrgetter("data")  # for it may write into them, as np.copyto does
    return function(*_values(inputs, lend), **_values(options, lend))
