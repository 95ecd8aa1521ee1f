"""Op: a NumPy function plus one line of calculus per input, and how a call of it is recorded."""

import inspect
import pickle
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple, overload

import numpy as np

from minigraph.arrays import shown
from minigraph.calls import Formula, Pairs, signature, written_out
from minigraph.checks import check_callable
from minigraph.methods import Operand
from minigraph.numpy_rules import RULES
from minigraph.tensor import Tensor

__all__ = ["Kink", "Op"]


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
    jump : bool
        Whether the value itself jumps there, or its slope is infinite: differences say nothing.

    Examples
    --------
    >>> import minigraph as mg
    >>> mg.relu.kinks[0].where, mg.relu.kinks[0].gradient
    ('x = 0', '0')
    """

    where: str
    gradient: str
    gap: Callable[..., Any]
    jump: bool = False


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
        ``y`` is the text of the output; an input without a formula may say what it holds. With
        `each`, the text of that name holds for every input, and ``{i}`` is its place.
    shapes : str, optional
        The shapes of the inputs, where they are neither any nor broadcast:
        ``"(..., n, k), (..., k, m)"``; axes in place of ``...`` broadcast.
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
        shapes: str | None = None,
        broadcasts: bool | None = None,
        **vjps: Formula | None,
    ) -> None:
        check_callable(function, "Op: function")
        declared: dict[str, tuple[Any, type]] = {
            "name": (name, str),
            "symbol": (symbol, str),
            "shapes": (shapes, str),
            "domain": (domain, Mapping),
            "texts": (texts, Mapping),
            "kinks": (kinks, Sequence),
        }
        for what, (given, kind) in declared.items():
            if given is not None and not isinstance(given, kind):
                raise TypeError(f"Op: {what} is a {kind.__name__}, not {shown(given)}")
        for input, vjp in {"each": each, **vjps}.items():
            if vjp is not None:
                check_callable(vjp, f"Op: {input}", "a formula, lambda g, y, ...: ..., or None")
        self.function = function
        self.name = name or function.__name__
        self.symbol = symbol
        self.each = each
        self.domain = dict(domain or {})
        self.kinks = tuple(kinks)
        self.texts = dict(texts or {})
        self.shapes = shapes
        self.broadcasts = isinstance(function, np.ufunc) if broadcasts is None else broadcasts
        self.input_names, self.defaults = signature(self, vjps)
        self.vjps = tuple(vjps.values())
        self.__name__ = self.name
        caller = sys._getframe(1).f_globals  # where pickle finds the op
        self.__module__ = caller.get("__name__", "__main__")
        # The functions and formulas of minigraph's own tables give new arrays, or views, and keep
        # none; what others give is checked, and never handed on as if nobody else held it.
        self.trusted = self.__module__.startswith("minigraph.ops.")
        if isinstance(function, np.ufunc):
            RULES.setdefault(function, self)
        # A class of its own, for Python looks its docstring up there, and soon the call.
        self.__class__ = type("Op", (Op,), {"__doc__": _first_words(function)})

    @cached_property
    def call(self) -> Callable[..., Any]:
        """The written-out call; from the first use on it is the class's own, one call less."""
        call = written_out(self)
        type(self).__call__ = staticmethod(call)  # type: ignore[method-assign]
        return call

    def formulas(self, inputs: Sequence[Any]) -> Pairs:
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


def _first_words(function: Callable[..., Any]) -> str:
    """Give the first paragraph of a docstring; that of a ufunc begins with its signature."""
    paragraphs = (function.__doc__ or "").split("\n\n")
    return inspect.cleandoc(paragraphs[isinstance(function, np.ufunc) and len(paragraphs) > 1])
