"""Entries of arrays in loops: the formula that makes each, as an expression of numbers."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from minigraph.derivation.expressions import (
    COMPARISON,
    LOOSE,
    PRODUCT,
    Text,
    literal,
    operator,
)  # fmt: skip
from minigraph.derivation.forms import symbolic, user_function
from minigraph.derivation.nests import EXTREMA, Nest, Place
from minigraph.derivation.program import Value
from minigraph.op import Op
from minigraph.ops import elementwise, neural, reductions, shaping

__all__ = ["LETTERS", "Entries"]

LETTERS = ("i", "j", "k", "m", "n", *(f"i{axis}" for axis in range(5, 64)))


class Entries:
    """Writes the entries of a nest: from arrays, and from variables that were made before."""

    def __init__(self, nest: Nest, arrays: Mapping[Value, str], texts: dict[Value, Text]) -> None:
        self.nest, self.arrays, self.texts = nest, arrays, texts

    def formula(self, value: Value) -> Text:
        """Write what makes an entry, a row, or what is added to a sum."""
        op = value.op
        assert isinstance(op, Op)
        dtypes = [input.dtype for input in value.values]
        dtype = value.dtype if value.dtype.kind == "f" else np.result_type(*dtypes)
        found = self.nest.inputs(value)
        kinds = [dtype] * len(found)
        if op is elementwise.where:
            kinds[0] = np.dtype(bool)
        texts = [self._operand(input, place, kind) for (input, place), kind in zip(found, kinds)]
        if (form := FORMS.get(op)) is not None:
            return form(texts, value)
        if (text := symbolic(op, texts)) is not None:
            return text
        return Text(f"{user_function(op)}({', '.join(text.within(LOOSE) for text in texts)})")

    def _operand(self, input: Any, place: Place, dtype: Any) -> Text:
        """Read an input in the dtype of the operation."""
        text = self.read(input, place)
        if isinstance(input, Value) and (input.dtype == dtype or dtype.kind == "b"):
            return text
        plain = dtype.char == "d" or dtype.kind != "f"
        return text if plain and not isinstance(input, Value) else _typed(text, dtype)

    def read(self, input: Any, place: Place) -> Text:
        """Write the entry at a place: of an array, or of what is known from the index."""
        if not isinstance(input, Value):
            return literal(input, weak=True)
        if input.op == "full":
            return literal(input.attributes["value"], weak=True)
        if input.op == "arange":
            return Text("0" if place[0] is None else LETTERS[place[0]])
        if input in self.texts:
            return self.texts[input]
        return Text(self.element(self.arrays[input], place))

    def element(self, array: str, place: Place) -> str:
        """Write an array with an index."""
        index = ", ".join("0" if axis is None else LETTERS[axis] for axis in place)
        return f"{array}[{index}]"


def _typed(text: Text, dtype: Any) -> Text:
    return Text(f"np.{dtype.name}({text.within(LOOSE)})")


def _chosen(texts: Sequence[Text], value: Value) -> Text:
    if texts[1] == texts[2]:
        return texts[1]
    condition, a, b = [text.within(COMPARISON) for text in texts]
    return Text(f"{a} if {condition} else {b}", LOOSE)


def _call(template: str) -> Any:
    def form(texts: Sequence[Text], value: Value) -> Text:
        parts = [text.within(LOOSE) for text in texts]
        one, zero = (f"np.{value.dtype.name}({number})" for number in (1, 0))
        return Text(template.format(*parts, one=one, zero=zero))

    return form


_POWERS = {2: np.square, 0.5: np.sqrt, -1: np.reciprocal}

FORMS: dict[Any, Callable[[Sequence[Text], Value], Text]] = {
    elementwise.where: _chosen,
    elementwise.unit_sign: _call("np.copysign({one}, {0})"),
    elementwise.sign: _call("np.sign({0} + {zero})"),  # of -0.0 it is 0.0
    elementwise.scalar_power: lambda texts, value: Text(
        f"np.{_POWERS[value.attributes['exponent']].__name__}({texts[0].within(LOOSE)})"
    ),
    shaping.cast: lambda texts, value: texts[0],
    neural.norm1: lambda texts, value: operator("*", PRODUCT, texts[::-1]),
    neural.l2_penalty: _call("np.square({0})"),
    **dict.fromkeys((reductions.sum, reductions.mean, *EXTREMA), lambda texts, value: texts[0]),
}
