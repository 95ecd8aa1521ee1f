"""How an op is called: inputs unwrapped, the result computed, the node made.

This is most of the engine's cost on small networks, so the call is written out for each op, as a
person would for its number of inputs. A loop over the inputs takes 4 µs more a call, where a whole
training step of the 2-2-2 network, written by hand, takes 60 (`benchmarks/step.py`).
"""

import inspect
import operator
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from types import CodeType
from typing import TYPE_CHECKING, Any

import numpy as np

from minigraph.arrays import Array, array_of, check_kind, frozen, is_array
from minigraph.errors import explained
from minigraph.lending import clock_of, lent, recount
from minigraph.modes import current_mode, tick
from minigraph.tensor import Tensor

if TYPE_CHECKING:
    from minigraph.op import Op

__all__ = ["Formula", "Pairs", "signature", "written_out"]

Formula = Callable[..., Any]
Pairs = tuple[tuple[int, Formula], ...]  # (slot, formula), where a gradient flows

# On the NumPy scalars that stand for 0-d results these take a tenth of the ufunc's time, and on
# arrays they are the ufunc.
_FAST: dict[Any, Callable[..., Any]] = {
    np.add: operator.add,
    np.subtract: operator.sub,
    np.multiply: operator.mul,
    np.divide: operator.truediv,
    np.negative: operator.neg,
    np.matmul: operator.matmul,
}

_CALL = """
def call({parameters}):
    if {no_tensor}:
        try:
            return _plain({arguments})
        except _Exception as _error:
            raise _explained(_op, {plain_inputs}, {plain_attributes}, _error) from None
{unwrap}
    try:
        _out = _function({values})
    except _Exception as _error:
        raise _explained(_op, {inputs_kept}, {attributes_kept}, _error) from None
    _node = _new(_Tensor)
    _node._written = None
    if _type(_out) is _ndarray:
        if _out.base is not None:
            _node._written = _shared_clock(_out, {inputs_kept})
        _out.setflags(False)
    _node._array = _out
    _node._grad = _node._name = None
    _node._retains_grad = False
    _node.number = _tick()
    _mode = _current_mode()
    _node.scope = _mode.scope
    if _mode.grad and {flow}:
        _node._requires_grad = True
        _node.formulas = {formulas}
    else:
        _node._requires_grad = False
        _node.formulas = ()
        if not _mode.trace:
            _node.op = None
            _node.inputs = _node.values = ()
            _node.attributes = _no_attributes
            if _mode.debug is not None:
                _mode.debug.computed(_node, _op, {inputs_kept}, {values_kept}, {attributes_kept})
            return _node
    _node.op = _op
    _node.inputs = {inputs_kept}
    _node.values = {values_kept}
    _node.attributes = {attributes_kept}
    if _lent:
        _recount(_node)
    if _mode.debug is not None:
        _mode.debug.computed(_node, _op, _node.inputs, _node.values, _node.attributes)
    return _node
"""
_UNWRAP = """
    if _type({name}) is _Tensor:
        {value} = {name}._array
        {flow}
    else:
        {name} = {value} = _operand({name}, _op, {name!r})
"""
_UNWRAP_ALL = """
    _attributes = {**_defaults, **attributes}
    _inputs = tuple([i if _type(i) is _Tensor else _operand(i, _op) for i in inputs])
    _values = tuple([i._array if _type(i) is _Tensor else i for i in _inputs])
    _formulas = _op.formulas(_inputs)
"""


def signature(op: "Op", vjps: Mapping[str, Any]) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Give the names of an op's inputs, and the defaults of its attributes.

    Raises
    ------
    TypeError
        If the function's parameters cannot be told, or do not match the formulas.
    """
    if isinstance(op.function, np.ufunc):
        if len(vjps) != op.function.nin:
            raise TypeError(f"{op.name}: {op.function.nin} inputs, but {len(vjps)} formulas")
        return tuple(vjps), {}
    try:
        parameters = inspect.signature(op.function).parameters.values()
    except ValueError as error:
        raise TypeError(f"{op.name}: {error}; wrap it: lambda x: ...") from None
    attributes = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
    variadic = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    names = tuple(
        p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    )
    for p in parameters:
        if p.kind is p.VAR_KEYWORD:
            raise TypeError(f"{op.name}: {p}: name each attribute, after *,")
        if p.name.startswith("_"):
            raise TypeError(f"{op.name}: {p.name}: names that begin with _ are the written call's")
        if p.kind is not p.KEYWORD_ONLY and p.default is not p.empty:
            raise TypeError(
                f"{op.name}: input {p.name} has a default; make it an attribute: *, {p}"
            )
    if variadic != (op.each is not None) or (variadic and vjps):
        raise TypeError(f"{op.name}: a function of any number of inputs, and it alone, has each=")
    if not variadic and (tuple(vjps) != names or not names):
        raise TypeError(
            f"{op.name}: formulas for {', '.join(vjps) or 'nothing'}, but the inputs are "
            f"{', '.join(names) or 'none'}; give each input a formula, in order, or None"
        )
    return names, attributes


def written_out(op: "Op") -> Callable[..., Any]:
    """Write the call of an op for its number of inputs."""
    return _compiled(op, _any_inputs() if op.each else _fixed_inputs(op))


def _any_inputs() -> dict[str, str]:
    return {
        "parameters": "*inputs, **attributes",
        "no_tensor": "not any(_type(i) is _Tensor for i in inputs)",
        "arguments": "*inputs, **attributes",
        "plain_inputs": "inputs",
        "plain_attributes": "attributes",
        "unwrap": _UNWRAP_ALL,
        "values": "*_values, **_attributes",
        "inputs_kept": "_inputs",
        "values_kept": "_values",
        "attributes_kept": "_attributes",
        "flow": "_formulas",
        "formulas": "_formulas",
    }


def _fixed_inputs(op: "Op") -> dict[str, str]:
    names = op.input_names
    values = [f"_{slot}" for slot in range(len(names))]
    passed = [f"{name}={name}" for name in op.defaults]
    parameters = [
        name if default is inspect.Parameter.empty else f"{name}=_defaults[{name!r}]"
        for name, default in sorted(op.defaults.items(), key=_is_optional)
    ]
    unwrap = ["    _flow = 0"]
    for slot, (name, value, vjp) in enumerate(zip(names, values, op.vjps)):
        flow = f"if {name}._requires_grad: _flow += {1 << slot}" if vjp else "pass"
        unwrap.append(_UNWRAP.format(name=name, value=value, flow=flow))
    kept = f"_dict({', '.join(passed)})" if passed else "_no_attributes"
    return {
        "parameters": ", ".join((*names, *parameters)),
        "no_tensor": " and ".join(f"_type({name}) is not _Tensor" for name in names),
        "arguments": ", ".join((*names, *passed)),
        "plain_inputs": f"({', '.join(names)},)",
        "plain_attributes": kept,
        "unwrap": "".join(unwrap),
        "values": ", ".join((*values, *passed)),
        "inputs_kept": f"({', '.join(names)},)",
        "values_kept": f"({', '.join(values)},)",
        "attributes_kept": kept,
        "flow": "_flow",
        "formulas": "_by_flow[_flow]",
    }


def _is_optional(attribute: tuple[str, Any]) -> bool:
    return attribute[1] is not inspect.Parameter.empty


def _compiled(op: "Op", parts: dict[str, str]) -> Callable[..., Any]:
    function = _FAST.get(op.function, op.function)
    if not op.trusted:
        function = _checked(op)
        parts["flow"] += " and _out.dtype.kind == 'f'"  # integers and booleans are constants
    namespace = {
        "__name__": __name__,
        "_Exception": Exception,
        "_Tensor": Tensor,
        "_by_flow": _ByFlow(op.vjps),
        "_current_mode": current_mode,
        "_defaults": op.defaults,
        "_dict": dict,
        "_explained": explained,
        "_function": function,
        "_lent": lent,
        "_ndarray": _ndarray,
        "_new": object.__new__,
        "_no_attributes": _NO_ATTRIBUTES,
        "_op": op,
        "_operand": operand,
        "_plain": op.function,
        "_recount": recount,
        "_shared_clock": _shared_clock,
        "_tick": tick,
        "_type": type,
    }
    exec(_code(_CALL.format(**parts)), namespace)
    call: Callable[..., Any] = namespace["call"]  # type: ignore[assignment]
    call.__name__ = call.__qualname__ = op.name
    call.__doc__ = op.__doc__
    return call


@cache  # ops with inputs and attributes of the same names are written alike
def _code(source: str) -> CodeType:
    return compile(source, "<the call of an op>", "exec")


class _ByFlow(dict[int, Pairs]):
    """The (slot, formula) pairs of an op for each set of inputs, as bits, that want a gradient."""

    def __init__(self, vjps: Sequence[Formula | None]) -> None:
        super().__init__()
        self.vjps = vjps

    def __missing__(self, flow: int) -> Pairs:
        pairs = [(s, vjp) for s, vjp in enumerate(self.vjps) if vjp is not None and flow >> s & 1]
        self[flow] = tuple(pairs)
        return self[flow]


_ndarray = np.ndarray
_NO_ATTRIBUTES: dict[str, Any] = {}  # one for all, never written


def _shared_clock(out: Array, inputs: tuple[Any, ...]) -> list[int] | None:
    """Let a view and the tensor whose memory it shows count their writes together."""
    for input in inputs:
        if type(input) is Tensor and np.may_share_memory(out, input._array):
            return clock_of(input)
    return None


def operand(value: Any, op: "Op", name: str = "an input") -> Any:
    """Turn what stands beside a Tensor into a number or an array; Python numbers stay weak."""
    kind = type(value)
    if kind is float or kind is int or kind is bool:
        return value
    if kind is not _ndarray:
        if isinstance(value, np.ma.MaskedArray):
            check_kind(value, f"{op.name}: {name}")
        if not is_array(value) or isinstance(value, np.ndarray):  # a list, a np.matrix
            try:
                value = array_of(value, f"{op.name}: {name}")
            except ValueError as error:
                raise TypeError(str(error)) from None
    if value.dtype.kind not in "fiub":
        check_kind(value, f"{op.name}: {name}")
    return value


def _checked(op: "Op") -> Callable[..., Any]:
    """Wrap a user's function: it cannot write its inputs, nor give what nobody may freeze."""

    def function(*values: Any, **attributes: Any) -> Any:
        out = op.function(*map(frozen, values), **attributes)
        if isinstance(out, bool | int | float):
            out = np.asarray(out)[()]
        if isinstance(out, Tensor) or not is_array(out):
            raise TypeError(f"{op.name}: returned {type(out).__name__}; an op returns one array")
        check_kind(out, f"{op.name} returned")
        return out.view() if type(out) is _ndarray else out

    return function
