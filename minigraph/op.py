"""Op: a NumPy function plus one line of calculus per input, and how a call of it is recorded."""

import inspect
import operator
import pickle
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, overload

import numpy as np

from minigraph.modes import current_mode, tick
from minigraph.tensor import RULES, Array, Operand, Tensor, check_kind, is_array

__all__ = ["Kink", "Op"]

Formula = Callable[..., Any]

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


class Kink(NamedTuple):
    """A set of points where an op has no derivative, and what is taken there.

    Parameters
    ----------
    where : str
        The points, as an equation.
    gradient : str
        The chosen (sub)gradient.
    gap : callable
        ``gap(*inputs, **attributes)``: an array that is 0 exactly at a kink; its magnitude is
        the distance from it.
    """

    where: str
    gradient: str
    gap: Callable[..., Any]


class Op:
    """An operation: a NumPy function, and one vector-Jacobian product per input.

    A formula is ``vjp(g, y, *inputs, **attributes)``: from the cotangent `g` of the output `y` it
    makes the cotangent of its input, with operators, array methods, NumPy functions and other ops
    only, so that it also runs on Tensors. It never looks at values (no ``if``), keeps the dtype,
    and leaves broadcasting to the sweep.

    Parameters
    ----------
    function : callable
        Computes the output from plain arrays and numbers. Positional parameters are inputs,
        keyword-only ones are attributes.
    symbol : str, optional
        How drawings write it; a binary op is written between its operands.
    name : str, optional
        `function`'s own name by default.
    each : callable, optional
        For an op with any number of inputs: ``each(i)`` is the formula of input i, or None.
    domain : mapping of str to (float, float), optional
        For each restricted input, the open interval on which the op is differentiable.
    kinks : sequence of Kink
        Where it has no derivative, and what is taken there.
    texts : mapping of str to str, optional
        The formulas as drawings show them: ``{a}`` stands for an input, ``{g}`` for the cotangent;
        ``y`` is the text of the output.
    broadcasts : bool, optional
        Whether inputs are broadcast against each other, which the sweep then undoes. True for
        ufuncs.
    **vjps : callable or None
        One per input, in order: its formula, or None where no gradient flows.

    Raises
    ------
    TypeError
        If formulas and inputs do not match, or a call gets the wrong arguments.

    Examples
    --------
    >>> import numpy as np, minigraph as mg
    >>> cube = mg.Op(lambda x: x**3, x=lambda g, y, x: g * 3 * x**2, name="cube")
    >>> x = mg.Tensor([1.0, 2.0], requires_grad=True)
    >>> mg.grad(cube(x).sum(), x)
    Tensor([ 3., 12.], dtype=float64)
    >>> cube(np.array([1.0, 2.0]))
    array([1., 8.])
    """

    def __init__(
        self,
        function: Callable[..., Any],
        /,
        *,
        symbol: str | None = None,
        name: str | None = None,
        each: Callable[[int], Formula | None] | None = None,
        domain: Mapping[str, tuple[float, float]] | None = None,
        kinks: Sequence[Kink] = (),
        texts: Mapping[str, str] | None = None,
        broadcasts: bool | None = None,
        **vjps: Formula | None,
    ) -> None:
        self.function = function
        self.name = name or function.__name__
        self.symbol = symbol
        self.each = each
        self.domain = dict(domain or {})
        self.kinks = tuple(kinks)
        self.texts = dict(texts or {})
        self.broadcasts = isinstance(function, np.ufunc) if broadcasts is None else broadcasts
        self.input_names, self.defaults = self._signature(vjps)
        self.vjps = tuple(vjps.values())
        self.__name__ = self.name
        self.__doc__ = inspect.getdoc(function) if not isinstance(function, np.ufunc) else None
        self.__module__ = sys._getframe(1).f_globals["__name__"]  # where pickle finds it
        # The functions and formulas of minigraph's own tables give new arrays, or views, and keep
        # none; what others give is checked, and never handed on as if nobody else held it.
        self.trusted = self.__module__.startswith("minigraph.ops.")
        if isinstance(function, np.ufunc):
            RULES.setdefault(function, self)
        self.call = _written_out(self)
        # Python looks __call__ up on the class: with one of its own, an op costs no call more.
        self.__class__ = type("Op", (Op,), {"__call__": staticmethod(self.call)})

    def _signature(self, vjps: Mapping[str, Any]) -> tuple[tuple[str, ...], dict[str, Any]]:
        """Names of the inputs, and defaults of the attributes."""
        if isinstance(self.function, np.ufunc):
            if len(vjps) != self.function.nin:
                raise TypeError(
                    f"{self.name}: {self.function.nin} inputs, but {len(vjps)} formulas"
                )
            return tuple(vjps), {}
        parameters = inspect.signature(self.function).parameters.values()
        attributes = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
        variadic = any(p.kind is p.VAR_POSITIONAL for p in parameters)
        names = tuple(
            p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        )
        if variadic != (self.each is not None) or (variadic and vjps):
            raise TypeError(
                f"{self.name}: a function of any number of inputs, and it alone, has each="
            )
        if not variadic and tuple(vjps) != names:
            raise TypeError(
                f"{self.name}: formulas for {', '.join(vjps) or 'nothing'}, but the inputs are "
                f"{', '.join(names)}; give each input a formula, in order, or None"
            )
        return names, attributes

    def formulas(self, inputs: Sequence[Any]) -> tuple[tuple[int, Formula], ...]:
        """Pair the slots to which a gradient flows, with these inputs, with their formulas."""
        vjps = self.vjps if self.each is None else map(self.each, range(len(inputs)))
        return tuple(
            (slot, vjp)
            for slot, (input, vjp) in enumerate(zip(inputs, vjps))
            if vjp is not None and type(input) is Tensor and input._requires_grad
        )

    def input_name(self, slot: int) -> str:
        """Name the input in this place."""
        return self.input_names[slot] if slot < len(self.input_names) else f"input {slot}"

    @overload
    def __call__(self, first: Tensor, /, *rest: Any, **attributes: Any) -> Tensor: ...
    @overload
    def __call__(
        self, first: Operand, second: Tensor, /, *rest: Any, **attributes: Any
    ) -> Tensor: ...
    @overload
    def __call__(self, *inputs: Any, **attributes: Any) -> Any: ...
    def __call__(self, *inputs: Any, **attributes: Any) -> Any:
        """Compute, and record where a gradient will flow; plain arrays give a plain array."""
        return self.call(*inputs, **attributes)

    def __repr__(self) -> str:
        return f"<Op {self.name}({', '.join((*self.input_names, *self.defaults))})>"

    def __reduce__(self) -> str:
        for name, value in vars(sys.modules[self.__module__]).items():
            if value is self:
                return name
        raise pickle.PicklingError(
            f"op {self.name!r} is pickled by the name of a variable of its module, and "
            f"{self.__module__} has none that holds it"
        )


# A call unwraps the inputs, computes, and makes the node. It is most of the engine's cost on small
# networks, so it is written out for each op as a person would for that number of inputs: a loop
# over the inputs takes 4 µs more, of the 60 µs that a whole step of the 2-2-2 network has.

_CALL = """
def call({parameters}):
    if {no_tensor}:
        return _plain({arguments})
{unwrap}
    try:
        _out = _function({values})
    except Exception as _error:
        raise _explained(_op, {inputs_kept}, {attributes_kept}, _error) from None
    _node = _new(_Tensor)
    _node._written = None
    if type(_out) is _ndarray:
        if _out.base is not None:
            _node._written = _shared_clock(_out, {inputs_kept})
        _out.setflags(False)
    _node._data = _out
    _node._grad = _node._name = None
    _node._retains_grad = False
    _node.number = _tick()
    _mode = _current_mode()
    _node.scope = _mode.scope
    if _mode.grad and {flow}:
        _node._requires_grad = True
        _node.op = _op
        _node.inputs = {inputs_kept}
        _node.values = {values_kept}
        _node.attributes = {attributes_kept}
        _node.formulas = {formulas}
    else:
        _node._requires_grad = False
        _node.op = None
        _node.inputs = _node.values = _node.formulas = ()
        _node.attributes = _no_attributes
    return _node
"""
_UNWRAP = """
    if type({name}) is _Tensor:
        _{name} = {name}._data
        {flow}
    else:
        {name} = _{name} = _operand({name}, _op)
"""
_UNWRAP_ALL = """
    _attributes = {**_defaults, **attributes}
    _inputs = tuple([i if type(i) is _Tensor else _operand(i, _op) for i in inputs])
    _values = tuple([i._data if type(i) is _Tensor else i for i in _inputs])
    _formulas = _op.formulas(_inputs)
"""


def _written_out(op: Op) -> Callable[..., Any]:
    """Write the call of an op for its number of inputs."""
    return _compiled(op, _any_inputs() if op.each else _fixed_inputs(op))


def _any_inputs() -> dict[str, str]:
    return {
        "parameters": "*inputs, **attributes",
        "no_tensor": "not any(type(i) is _Tensor for i in inputs)",
        "arguments": "*inputs, **attributes",
        "unwrap": _UNWRAP_ALL,
        "values": "*_values, **_attributes",
        "inputs_kept": "_inputs",
        "values_kept": "_values",
        "attributes_kept": "_attributes",
        "flow": "_formulas",
        "formulas": "_formulas",
    }


def _fixed_inputs(op: Op) -> dict[str, str]:
    names = op.input_names
    values = [f"_{name}" for name in names]
    passed = [f"{name}={name}" for name in op.defaults]
    parameters = [
        name if default is inspect.Parameter.empty else f"{name}=_defaults[{name!r}]"
        for name, default in op.defaults.items()
    ]
    unwrap = ["    _flow = 0"]
    for slot, (name, vjp) in enumerate(zip(names, op.vjps)):
        flow = f"if {name}._requires_grad: _flow += {1 << slot}" if vjp else "pass"
        unwrap.append(_UNWRAP.format(name=name, flow=flow))
    return {
        "parameters": ", ".join((*names, *parameters)),
        "no_tensor": " and ".join(f"type({name}) is not _Tensor" for name in names),
        "arguments": ", ".join((*names, *passed)),
        "unwrap": "".join(unwrap),
        "values": ", ".join((*values, *passed)),
        "inputs_kept": f"({', '.join(names)},)",
        "values_kept": f"({', '.join(values)},)",
        "attributes_kept": f"dict({', '.join(passed)})" if passed else "_no_attributes",
        "flow": "_flow",
        "formulas": "_by_flow[_flow]",
    }


def _compiled(op: Op, parts: dict[str, str]) -> Callable[..., Any]:
    function = _FAST.get(op.function, op.function)
    if not op.trusted:
        function = _checked(op)
        parts["flow"] += " and _out.dtype.kind == 'f'"  # integers and booleans are constants
    namespace = {
        "_Tensor": Tensor,
        "_by_flow": _ByFlow(op.vjps),
        "_current_mode": current_mode,
        "_defaults": op.defaults,
        "_explained": _explained,
        "_function": function,
        "_ndarray": _ndarray,
        "_new": object.__new__,
        "_no_attributes": _NO_ATTRIBUTES,
        "_op": op,
        "_operand": operand,
        "_plain": op.function,
        "_shared_clock": _shared_clock,
        "_tick": tick,
    }
    exec(_CALL.format(**parts), namespace)
    call: Callable[..., Any] = namespace["call"]  # type: ignore[assignment]
    call.__name__ = call.__qualname__ = op.name
    return call


class _ByFlow(dict[int, tuple[tuple[int, Formula], ...]]):
    """The (slot, formula) pairs of an op for each set of inputs, as bits, that want a gradient."""

    def __init__(self, vjps: Sequence[Formula | None]) -> None:
        super().__init__()
        self.vjps = vjps

    def __missing__(self, flow: int) -> tuple[tuple[int, Formula], ...]:
        pairs = [(s, vjp) for s, vjp in enumerate(self.vjps) if vjp is not None and flow >> s & 1]
        self[flow] = tuple(pairs)
        return self[flow]


_ndarray = np.ndarray
_NO_ATTRIBUTES: dict[str, Any] = {}  # one for all, never written


def constant(array: Any) -> Tensor:
    """Wrap an array that minigraph made itself: a leaf without gradient, no copy."""
    return Tensor(array, copy=False)


def _shared_clock(out: Array, inputs: tuple[Any, ...]) -> list[int] | None:
    """Let a view and the tensor whose memory it shows count their writes together."""
    for input in inputs:
        if type(input) is Tensor and np.may_share_memory(out, input._data):
            if input._written is None:
                input._written = [0]
            return input._written
    return None


def operand(value: Any, op: Op) -> Any:
    """Turn what stands beside a Tensor into a number or an array; Python numbers stay weak."""
    kind = type(value)
    if kind is float or kind is int or kind is bool:
        return value
    if kind is not _ndarray:
        if isinstance(value, np.ma.MaskedArray):
            check_kind(value, op.name)
        if not is_array(value) or isinstance(value, np.ndarray):  # a list, a np.matrix
            try:
                value = np.asarray(value)
            except ValueError as error:
                raise TypeError(f"{op.name}: {error}") from None
    if value.dtype.kind not in "fiub":
        check_kind(value, op.name)
    return value


def _checked(op: Op) -> Callable[..., Any]:
    """Wrap a user's function: check what it returns, and never freeze the user's own array."""

    def function(*values: Any, **attributes: Any) -> Any:
        out = op.function(*values, **attributes)
        if isinstance(out, bool | int | float):
            out = np.asarray(out)[()]
        if not is_array(out):
            raise TypeError(f"returned {type(out).__name__}; an op returns one array")
        check_kind(out, "returned")
        return out.view() if type(out) is _ndarray else out

    return function


def shape_of(value: Any) -> str:
    """Write a shape as error messages do; a number as itself."""
    return str(tuple(value.shape)) if hasattr(value, "shape") else repr(value)


def _explained(
    op: Op, inputs: tuple[Any, ...], attributes: dict[str, Any], error: Exception
) -> Exception:
    """Say which op failed on what, in the words of its caller: shapes, names, the likely cause."""
    between = f" {op.symbol} " if op.symbol and len(inputs) == 2 else ", "
    call = between.join(map(shape_of, inputs))
    call += "".join(f", {key}={value!r}" for key, value in attributes.items() if value is not None)
    reason = str(error)
    if "could not be broadcast" in reason:
        reason = "the shapes do not broadcast: sizes must be equal or 1, counted from the last axis"
    elif "core dimension" in reason:
        labels = [getattr(i, "name", None) or name for i, name in zip(inputs, op.input_names)]
        reason = mismatch(inputs[0].shape, inputs[1].shape, labels)
    names = [i.name for i in inputs if type(i) is Tensor and i.name]
    where = f" ({', '.join(names)})" if names else ""
    if type(error).__module__ != "builtins":
        error.add_note(f"in op {op.name}: {call}{where}")
        return error
    return type(error)(f"{op.name}: {call}: {reason}{where}")


def mismatch(a: tuple[int, ...], b: tuple[int, ...], labels: Sequence[str]) -> str:
    """Say why matrices of two shapes have no product."""
    rows = b[-2] if len(b) > 1 else b[-1]
    hint = ""
    if len(b) > 1 and a[-1] == b[-1]:
        hint = f"; did you mean {labels[1]}.T?"
    elif len(a) > 1 and a[-2] == rows:
        hint = f"; did you mean {labels[0]}.T?"
    return f"inner sizes {a[-1]} and {rows} differ{hint}"
