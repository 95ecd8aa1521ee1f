"""How each op is written in NumPy."""

import math
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minigraph.derivation.expressions import (
    ATOM,
    COMPARISON,
    LOOSE,
    PRODUCT,
    SUM,
    UNARY,
    Text,
    digits,
    index_of,
    literal,
    operator,
    power,
    shown,
)  # fmt: skip
from minigraph.derivation.naming import TAKEN
from minigraph.derivation.program import Size, Value
from minigraph.op import Op
from minigraph.ops import (
    decompositions,
    elementwise,
    inverses,
    neural,
    products,
    reductions,
    selecting,
    shaping,
    signals,
    trigonometry,
)

__all__ = [
    "SEVERAL",
    "form_of",
    "length",
    "module_of",
    "statements",
    "symbolic",
    "user_function",
    "written",
]

Form = Callable[[Sequence[Text], Value], Text]

OPERATORS: dict[Any, tuple[str, int]] = {
    np.add: ("+", SUM),
    np.subtract: ("-", SUM),
    np.multiply: ("*", PRODUCT),
    np.divide: ("/", PRODUCT),
    np.floor_divide: ("//", PRODUCT),
    np.remainder: ("%", PRODUCT),
    np.matmul: ("@", PRODUCT),
    np.less: ("<", COMPARISON),
    np.less_equal: ("<=", COMPARISON),
    np.greater: (">", COMPARISON),
    np.greater_equal: (">=", COMPARISON),
    np.equal: ("==", COMPARISON),
    np.not_equal: ("!=", COMPARISON),
}


def written(value: Value, inputs: Sequence[Text]) -> Text:
    """Write what makes a value, from what its inputs are called."""
    op = value.op
    if isinstance(op, str):
        return _MADE[op](value)
    inputs = [_typed(i, text, value) for i, text in zip(value.inputs, inputs)]
    form = form_of(op)
    if form is not None:
        return form(inputs, value)
    if (text := symbolic(op, inputs)) is not None:
        return text
    arguments = [i.within(LOOSE) for i in inputs]
    arguments += [f"{name}={shown(v)}" for name, v in value.attributes.items()]
    call = f"{user_function(op)}({', '.join(arguments)})"
    # What a user's function gives may be a number, or an argument itself
    return Text(call if isinstance(op.function, np.ufunc) else f"np.array({call})")


def symbolic(op: Op, inputs: Sequence[Text]) -> Text | None:
    """Write an op by its operator, if it has one."""
    if isinstance(op.function, np.ufunc) and op.function in OPERATORS:
        symbol, level = OPERATORS[op.function]
        if level != COMPARISON or inputs[0] != inputs[1]:  # linters refuse x == x, the test for NaN
            return operator(symbol, level, inputs)
    if op.function is np.negative:
        return Text(f"-{inputs[0].within(UNARY)}", UNARY)
    return None


def _typed(input: Any, text: Text, value: Value) -> Text:
    """Give a number that follows K its dtype, where no array beside it decides that."""
    beside = isinstance(getattr(value.op, "function", None), np.ufunc) and any(value.values)
    if not isinstance(input, Size) or beside or value.dtype.kind != "f" or value.dtype == float:
        return text
    return Text(f"np.{value.dtype.name}({text.code})")


def user_function(op: Op) -> str:
    """Give the name under which source finds an op's function.

    Raises
    ------
    TypeError
        If it cannot be imported.
    """
    function = op.function
    if isinstance(function, np.ufunc):
        short = "abs" if function is np.absolute else function.__name__
        for prefix, module in (("np", "numpy"), ("scipy.special", "scipy.special")):
            if getattr(sys.modules.get(module), short, None) is function:
                return f"{prefix}.{short}"
    module, name = str(function.__module__), getattr(function, "__qualname__", "")
    path = f"{module}.{name}"
    found = getattr(sys.modules.get(module), name, None)
    named = all(part.isidentifier() and part not in TAKEN for part in path.split("."))
    if module != "__main__" and named and function in (found, getattr(found, "function", None)):
        return path
    raise TypeError(
        f"derive: the op {op.name} calls {path}, which no import finds; define it with def at the "
        "top of a module that can be imported, and make the op of it: mg.Op(function, ...)"
    )


def module_of(op: Op) -> str | None:
    """Name the module besides NumPy that source must import for an op."""
    if form_of(op) or op in SEVERAL:
        return "scipy.special" if op.__module__ == SPECIAL_MODULE else None
    if op.function in OPERATORS or op is shaping.scatter:
        return None
    module = user_function(op).rpartition(".")[0]
    return None if module == "np" else module


# What takes more than one statement


def statements(name: str, inputs: Sequence[Text], value: Value) -> list[str]:
    """Write the statements that make a value of this name."""
    if value.op in SEVERAL:
        call, parts = SEVERAL[value.op]
        first = _simple(call)(inputs, value).code
        return [f"{name} = {first}", f"{name} = np.concatenate([{parts}], axis=-2)".format(name)]
    if value.op is not shaping.scatter:
        return [f"{name} = {written(value, inputs).within(LOOSE)}"]
    arrays = list(value.values)[1:]
    place = index_of(value.attributes["index"], inputs[1:])
    zeros = f"{name} = np.zeros({shown(value.shape)}, dtype={shown(value.dtype)})"
    if any(array.dtype.kind in "iu" for array in arrays):
        index = f"({place})" if len(value.attributes["index"]) > 1 else f"({place},)"
        index = f"np.s_[{place}]" if ":" in place else index
        return [zeros, f"np.add.at({name}, {index}, {inputs[0].within(LOOSE)})"]
    return [zeros, f"{name}[{place}] = {inputs[0].within(LOOSE)}"]


# What NumPy gives in several parts is one array here; see `ops.decompositions`.
SEVERAL: dict[Any, tuple[str, str]] = {
    decompositions.eigen: ("np.linalg.eigh({0}, {UPLO})", "{0}[0][..., None, :], {0}[1]"),
    decompositions.triples: (
        "np.linalg.svd({0}, full_matrices=False)",
        "{0}[0], {0}[1][..., None, :], {0}[2].mT",
    ),
    decompositions.columns: ("np.linalg.qr({0})", "{0}[0], {0}[1].mT"),
}

# Forms

# Of no use in a program, whose norm is an op already, but one of NumPy's calls
length = Op(lambda x, *, keepdims: np.linalg.norm(x, keepdims=keepdims), x=None, name="norm")


def _call(name: str, *attributes: str) -> Form:
    """Write ``name(inputs, attribute=...)``, without attributes that are as by default."""

    def form(inputs: Sequence[Text], value: Value) -> Text:
        arguments = [i.within(LOOSE) for i in inputs]
        for attribute in attributes:
            given = value.attributes[attribute]
            if given is not None and given is not False:
                arguments.append(f"{attribute}={shown(given)}")
        return Text(f"{name}({', '.join(arguments)})")

    return form


def _method(name: str) -> Form:
    """Write ``x.name(axis=..., keepdims=...)``."""

    def form(inputs: Sequence[Text], value: Value) -> Text:
        options = [
            f"{attribute}={shown(given)}"
            for attribute, given in value.attributes.items()
            if given is not None and given is not False
        ]
        if inputs[0].level > ATOM or inputs[0].code[0].isdigit():
            return Text(f"np.{name}({', '.join([inputs[0].within(LOOSE), *options])})")
        return Text(f"{inputs[0].code}.{name}({', '.join(options)})")

    return form


def _joined(name: str) -> Form:
    def form(inputs: Sequence[Text], value: Value) -> Text:
        parts = ", ".join(i.within(LOOSE) for i in inputs)
        return Text(f"np.{name}([{parts}], axis={value.attributes['axis']})")

    return form


def _transposed(inputs: Sequence[Text], value: Value) -> Text:
    axes = value.attributes["axes"]
    if axes is None or tuple(axes) == tuple(range(len(value.shape)))[::-1]:
        return Text(f"{inputs[0].within(ATOM)}.T")
    return Text(f"np.transpose({inputs[0].within(LOOSE)}, {shown(tuple(axes))})")


def _swapped(inputs: Sequence[Text], value: Value) -> Text:
    axes = [value.attributes[name] for name in ("axis1", "axis2")]
    if len(value.shape) == 2 and axes[0] % 2 != axes[1] % 2:
        return Text(f"{inputs[0].within(ATOM)}.T")
    return Text(f"np.swapaxes({inputs[0].within(LOOSE)}, {axes[0]}, {axes[1]})")


def _taken(inputs: Sequence[Text], value: Value) -> Text:
    return Text(f"{inputs[0].within(ATOM)}[{index_of(value.attributes['index'], inputs[1:])}]")


def _expanded(inputs: Sequence[Text], value: Value) -> Text:
    axis = value.attributes["axis"]
    rank = len(value.shape)
    places = {a % rank for a in (axis if isinstance(axis, tuple) else (axis,))}
    if rank <= 2 and inputs[0].level == ATOM:
        index = ", ".join("None" if i in places else ":" for i in range(rank))
        return Text(f"{inputs[0].code}[{index}]")
    return Text(f"np.expand_dims({inputs[0].within(LOOSE)}, {shown(axis)})")


def _simple(template: str) -> Form:
    """Fill in ``{0}``, ``{1}`` for inputs and ``{name}`` for attributes."""

    def form(inputs: Sequence[Text], value: Value) -> Text:
        parts = [i.within(LOOSE) for i in inputs]
        return Text(template.format(*parts, **{k: shown(v) for k, v in value.attributes.items()}))

    return form


def _operator_form(symbol: str) -> Form:
    return lambda inputs, value: operator(symbol, PRODUCT, inputs)


def _scalar_power(inputs: Sequence[Text], value: Value) -> Text:
    return power(inputs[0], literal(value.attributes["exponent"]))


def _exponential(inputs: Sequence[Text], value: Value) -> Text:
    return power(literal(value.attributes["base"]), inputs[0])


def _einsum(inputs: Sequence[Text], value: Value) -> Text:
    """Look for an order of the products where it may pay; see `products.contraction`."""
    subscripts = value.attributes["subscripts"]
    parts = ", ".join(i.within(LOOSE) for i in inputs)
    shapes = [getattr(i, "shape", np.shape(i)) for i in value.inputs]
    sizes = {c: n for term, shape in zip(subscripts.split("->")[0].split(","), shapes)
             for c, n in zip(term, shape)}  # fmt: skip
    if any(isinstance(n, Size) for n in sizes.values()):
        many = True
    else:
        many = math.prod(sizes.values()) > 50_000 + 8 * sum(map(math.prod, shapes))
    optimize = ", optimize=True" if many and len(inputs) > 1 else ""
    return Text(f'np.einsum("{subscripts}", {parts}{optimize})')


def _polygamma(inputs: Sequence[Text], value: Value) -> Text:
    n = value.attributes["n"]
    factor = digits((-1) ** (n + 1) * float(math.factorial(n)))
    return Text(f"{factor} * scipy.special.zeta({n + 1}, {inputs[0].within(LOOSE)})", PRODUCT)


def form_of(op: Op) -> Form | None:
    """Find how an op is written, if not as a call of its function."""
    if op.__module__ == SPECIAL_MODULE:  # which is read only where SciPy is
        return SPECIAL.get(op.name)
    return FORMS.get(op)


SPECIAL_MODULE = "minigraph.ops.special"
SPECIAL: dict[str, Form] = {"polygamma": _polygamma}

FORMS: dict[Op, Form] = {
    elementwise.scalar_power: _scalar_power,
    elementwise.exponential: _exponential,
    elementwise.where: _simple("np.where({0}, {1}, {2})"),
    elementwise.unit_sign: _simple("np.copysign(1, {0})"),
    elementwise.round: _simple("np.round({0}, {decimals})"),
    elementwise.heaviside: _simple("np.heaviside({0}, {1})"),
    trigonometry.sinc: _simple("np.sinc({0})"),
    reductions.sum: _method("sum"),
    reductions.mean: _method("mean"),
    reductions.prod: _method("prod"),
    reductions.max: _method("max"),
    reductions.min: _method("min"),
    reductions.argmax: _method("argmax"),
    reductions.argmin: _method("argmin"),
    reductions.any: _method("any"),
    reductions.all: _method("all"),
    reductions.cumsum: _call("np.cumsum", "axis"),
    reductions.cumprod: _call("np.cumprod", "axis"),
    reductions.vector_product: _operator_form("@"),
    shaping.reshape: _simple("np.reshape({0}, {shape})"),
    shaping.transpose: _transposed,
    shaping.swapaxes: _swapped,
    shaping.squeeze: _call("np.squeeze", "axis"),
    shaping.expand_dims: _expanded,
    shaping.broadcast_to: _simple("np.broadcast_to({0}, {shape})"),
    shaping.copy: _simple("np.array({0})"),
    shaping.cast: _simple("np.asarray({0}, dtype={dtype})"),
    shaping.cast_to_constant: _simple("np.asarray({0}, dtype={dtype})"),
    shaping.concatenation: _joined("concatenate"),
    shaping.stacking: _joined("stack"),
    shaping.indexing: _taken,
    selecting.argsort: _call("np.argsort", "axis", "kind"),
    selecting.partition_places: _simple("np.argpartition({0}, {kth}, axis={axis})"),
    length: _call("np.linalg.norm", "keepdims"),
    neural.norm1: _simple("np.vdot({1}, {0})"),
    neural.l2_penalty: _simple("np.vdot({0}, {0})"),
    products.contraction: _einsum,
    inverses.solution: _simple("np.linalg.solve({0}, {1})"),
    inverses.inv: _simple("np.linalg.inv({0})"),
    inverses.signed_log: _simple("np.stack(np.linalg.slogdet({0}), axis=-1)"),
    decompositions.lower_factor: _simple("np.linalg.cholesky({0})"),
    signals.convolution: _simple("np.convolve({0}, {1}, mode={mode})"),
    selecting.places_in_order: _simple("np.searchsorted({0}, {1}, side={side})"),
}

_MADE: dict[str, Callable[[Value], Text]] = {
    "arange": lambda value: Text(f"np.arange({shown(value.attributes['stop'])})"),
    "full": lambda value: Text(
        f"np.full({shown(value.attributes['shape'])}, {digits(value.attributes['value'])}, "
        f"dtype={shown(value.dtype)})"
    ),
}
