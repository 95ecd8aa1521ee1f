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
        formulas = [f for f in (*self.vjps, each) if f is not None]
        self.__module__ = formulas[0].__module__ if formulas else function.__module__
        # The functions and formulas of minigraph's own tables give new arrays, or views, and keep
        # none; what others give is checked, and never handed on as if nobody else held it.
        self.trusted = self.__module__.startswith("minigraph.ops.")
        if isinstance(function, np.ufunc):
            RULES.setdefault(function, self)
        self.call = _variadic(self) if each else _written_out(self)

    def _signature(self, vjps: Mapping[str, Any]) -> tuple[tuple[str, ...], dict[str, Any]]:
        """Names of the inputs, and defaults of the attributes."""
        if isinstance(self.function, np.ufunc):
            if len(vjps) != self.function.nin:
                raise TypeError(f"{self.name}: {self.function.nin} inputs, but {len(vjps)} formulas")
            return tuple(vjps), {}
        parameters = inspect.signature(self.function).parameters.values()
        attributes = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
        variadic = any(p.kind is p.VAR_POSITIONAL for p in parameters)
        names = tuple(
            p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        )
        if variadic != (self.each is not None) or (variadic and vjps):
            raise TypeError(f"{self.name}: a function of any number of inputs, and it alone, has each=")
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
    def __call__(self, first: Operand, second: Tensor, /, *rest: Any, **attributes: Any) -> Tensor: ...
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
        return _plain({names}{attributes})
    _flow = 0
{unwrap}
    try:
        _out = _function({values}{attributes})
    except Exception as _error:
        raise _explained(_op, ({names},), {kept}, _error) from None
    _mode = _current_mode()
    _formulas = _by_flow[_flow] if _flow and _mode.grad else ()
    return _node(_op, _out, ({names},), ({values},), {kept}, _formulas, _mode.scope)
"""
_UNWRAP = """
    if type({name}) is _Tensor:
        {value} = {name}._data
        {flow}
    else:
        {name} = {value} = _operand({name}, _op)
"""
_FLOW = "if {name}._requires_grad: _flow += {bit}"


class _ByFlow(dict[int, tuple[tuple[int, Formula], ...]]):
    """The (slot, formula) pairs of an op for each set of inputs, as bits, that want a gradient."""

    def __init__(self, vjps: Sequence[Formula | None]) -> None:
        super().__init__()
        self.vjps = vjps

    def __missing__(self, flow: int) -> tuple[tuple[int, Formula], ...]:
        pairs = tuple(
            (slot, vjp)
            for slot, vjp in enumerate(self.vjps)
            if flow >> slot & 1 and vjp is not None
        )
        self[flow] = pairs
        return pairs


def _written_out(op: Op) -> Callable[..., Any]:
    """Write the call of an op with a fixed number of inputs."""
    names = op.input_names
    values = [f"_{name}" for name in names]
    parameters = [
        name if default is inspect.Parameter.empty else f"{name}=_defaults[{name!r}]"
        for name, default in op.defaults.items()
    ]
    flows = [
        "pass" if vjp is None else _FLOW.format(name=name, bit=1 << slot)
        for slot, (name, vjp) in enumerate(zip(names, op.vjps))
    ]
    source = _CALL.format(
        parameters=", ".join((*names, *parameters)),
        names=", ".join(names),
        values=", ".join(values),
        attributes="".join(f", {name}={name}" for name in op.defaults),
        kept="{" + ", ".join(f"{name!r}: {name}" for name in op.defaults) + "}",
        no_tensor=" and ".join(f"type({name}) is not _Tensor" for name in names),
        unwrap="".join(
            _UNWRAP.format(name=name, value=value, flow=flow)
            for name, value, flow in zip(names, values, flows)
        ),
    )
    function = _FAST.get(op.function, op.function)
    namespace = {
        "_Tensor": Tensor,
        "_by_flow": _ByFlow(op.vjps),
        "_current_mode": current_mode,
        "_defaults": op.defaults,
        "_explained": _explained,
        "_function": function if op.trusted else _checked(op),
        "_node": _node,
        "_op": op,
        "_operand": operand,
        "_plain": op.function,
    }
    exec(source, namespace)
    call: Callable[..., Any] = namespace["call"]  # type: ignore[assignment]
    call.__name__ = call.__qualname__ = op.name
    return call


def _variadic(op: Op) -> Callable[..., Any]:
    """Make the call of an op with any number of inputs."""
    function = op.function if op.trusted else _checked(op)

    def call(*inputs: Any, **attributes: Any) -> Any:
        attributes = {**op.defaults, **attributes}
        if not any(type(i) is Tensor for i in inputs):
            return op.function(*inputs, **attributes)
        inputs = tuple([i if type(i) is Tensor else operand(i, op) for i in inputs])
        values = tuple([i._data if type(i) is Tensor else i for i in inputs])
        try:
            out = function(*values, **attributes)
        except Exception as error:
            raise _explained(op, inputs, attributes, error) from None
        mode = current_mode()
        formulas = op.formulas(inputs) if mode.grad else ()
        return _node(op, out, inputs, values, attributes, formulas, mode.scope)

    return call


_new = object.__new__
_ndarray = np.ndarray


def _node(
    op: Op,
    out: Any,
    inputs: tuple[Any, ...],
    values: tuple[Any, ...],
    attributes: dict[str, Any],
    formulas: tuple[tuple[int, Formula], ...],
    scope: tuple[str, ...],
) -> Tensor:
    """Make the tensor of a result: frozen, and joined to its inputs if a gradient flows to them."""
    node = _new(Tensor)
    node._written = None
    if type(out) is _ndarray:
        if out.base is not None:
            node._written = _shared_clock(out, inputs)
        out.setflags(False)
    if not op.trusted and out.dtype.kind != "f":
        formulas = ()  # integers and booleans are constants
    node._data = out
    node._grad = node._name = None
    node._retains_grad = False
    if formulas:
        node._requires_grad = True
        node.op = op
        node.inputs = inputs
        node.values = values
        node.attributes = attributes
        node.formulas = formulas
    else:
        node._requires_grad = False
        node.op = None
        node.inputs = node.values = node.formulas = ()
        node.attributes = {}
    node.number = tick()
    node.scope = scope
    return node


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
