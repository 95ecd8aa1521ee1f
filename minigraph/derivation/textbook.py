"""The source of a program as a person would write it: one statement per formula."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from minigraph.derivation.expressions import LOOSE, Text, literal
from minigraph.derivation.forms import SEVERAL, module_of, statements, written
from minigraph.derivation.naming import Names, identifier
from minigraph.derivation.program import Program, Size, Value
from minigraph.op import Op
from minigraph.ops.shaping import scatter

__all__ = ["WIDTH", "Line", "Writer", "broken", "signature", "source_of"]

WIDTH = 88  # of lines, as formatters have it by default
Line = tuple[str, str | None, Value]  # code, comment, the value that it makes


class Writer:
    """Writes the statements of a program, and remembers what each value is called."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.modules = modules(program)
        # What the source itself calls so, and where the functions of a user's ops are
        own = ("gradients", "buffers", "make_buffers")
        self.names = Names([*own, *(module.partition(".")[0] for module in self.modules)])
        self.texts: dict[Value, Text] = {}
        self.lines: list[Line] = []
        self.uses = program.uses()
        self.outputs = {o for o in program.outputs if isinstance(o, Value)}
        self.parameters = [self._named(p) for p in program.parameters]
        self.constants = [self._named(c, "constant") for c in program.constants]
        # Names of the program come first: others make way for them
        self.reserved = {v: self.names.give(v.name) for v in program.body if v.name}

    def _named(self, value: Value, otherwise: str = "x") -> str:
        name = self.names.give(value.name or otherwise)
        self.texts[value] = Text(name)
        return name

    def text(self, input: Any) -> Text:
        """Say how an input is written."""
        return self.texts[input] if isinstance(input, Value) else literal(input)

    def write(self) -> None:
        """Write all statements."""
        for value in self.program.body:
            inputs = [self.text(i) for i in value.inputs]
            if self.is_part(value):
                text = written(value, inputs)
                if len(text.code) <= WIDTH // 2:
                    self.texts[value] = text
                    continue
            self._name_parts(value)
            inputs = [self.text(i) for i in value.inputs]
            name = self.name(value)
            self.state(value, statements(name, inputs, value))
            self.texts[value] = Text(name)

    def _name_parts(self, value: Value) -> None:
        """Write the longest parts of a statement before it, until it fits on a line."""
        parts = [v for v in dict.fromkeys(value.values) if not self.texts[v].code.isidentifier()]
        for part in sorted(parts, key=lambda v: -len(self.texts[v].code)):
            inputs = [self.text(i) for i in value.inputs]
            codes = statements(self.reserved.get(value, "t1000"), inputs, value)
            if max(map(len, codes)) <= WIDTH - 4:
                return
            name = self.name(part)
            self.state(part, [f"{name} = {self.texts[part].code}"])
            self.texts[part] = Text(name)

    def is_part(self, value: Value) -> bool:
        """Tell whether a value is written as part of the one statement that reads it."""
        single = self.uses[value] == 1 and value not in self.outputs
        return single and not value.name and value.op not in (scatter, *SEVERAL)

    def name(self, value: Value) -> str:
        """Find a name for a value."""
        if value in self.reserved:
            return self.reserved[value]
        wanted = self._describing(value)
        return self.names.give(wanted) if wanted else self.names.next("t")

    def state(self, value: Value, codes: Sequence[str]) -> None:
        """Add the statements that make a value."""
        comment = f"∂{self.loss}/∂{identifier(value.step)}" if value.step else None
        for code in codes:
            self.lines.append((code, comment, value))
            comment = None

    def imports(self) -> list[str]:
        """Write what comes first in the module."""
        return ["import numpy as np", *(f"import {module}" for module in self.modules)]

    def before(self, title: str) -> list[str]:
        """Write what comes before the function."""
        return []

    def prelude(self) -> list[str]:
        """Write the first statements of the function."""
        return []

    def options(self) -> list[str]:
        """Name the arguments that are given by name."""
        return self.constants

    def _describing(self, value: Value) -> str | None:
        """Find a name for a value that the program has none for, such as sign_W1."""
        if value is self.program.outputs[0]:
            return "loss"
        inputs = list(value.inputs)
        op = value.op if isinstance(value.op, str) else value.op.name
        if len(inputs) == 1 and (text := self.text(inputs[0])).code.isidentifier():
            return f"{op}_{text.code}"
        return None

    @property
    def loss(self) -> str:
        """What the value is called."""
        first = self.program.outputs[0]
        return identifier((isinstance(first, Value) and first.name) or "loss")


def source_of(writer: Writer, title: str) -> str:
    """Put the statements of a program into a function."""
    program = writer.program
    prelude, before = writer.prelude(), writer.before(title)
    written = dict(program.updates)
    value, *gradients = [
        writer.text(o).within(LOOSE) for i, o in enumerate(program.outputs) if i not in written
    ]
    pack = f"({gradients[0]},)" if len(gradients) == 1 else f"({', '.join(gradients)})"
    body = []
    if program.batch is not None and (before or _follows(program)):
        name = writer.texts[program.batch].code
        rows = isinstance(program.batch.shape[0], Size)
        body.append(f"K = len({name})" if rows else f"K = {name}.shape[1]")
    body += prelude
    body += [line for code, comment, _ in writer.lines for line in _commented(code, comment)]
    body += [f"return {value}"] if written else _wrapped("return ", value, gradients, pack)
    head = signature(title, writer.parameters, writer.options())
    return "\n".join(
        [*writer.imports(), "", "", *before, *head, *(f"    {line}" for line in body), ""]
    )


def modules(program: Program) -> list[str]:
    """List the modules besides NumPy whose functions a program calls."""
    found = {module_of(value.op) for value in program.body if isinstance(value.op, Op)}
    return sorted(module for module in found if module)


def _commented(code: str, comment: str | None) -> list[str]:
    if comment is not None and len(code) + len(comment) <= WIDTH - 8:
        return [f"{code}  # {comment}"]
    return broken(code, WIDTH - 4)


def broken(code: str, width: int) -> list[str]:
    """Break a long statement as formatters do: at its last bracket, or one around a formula."""
    if len(code) <= width:
        return [code]
    if code.startswith("return "):
        return ["return (", *_each(code[7:]), ")"]
    head = code.partition("(")[0]
    start = head.index("= ") + 2 if "= " in head else 0
    names, formula = code[: max(0, start - 3)], code[start:]
    if "," in names and "[" not in names and len(head) >= width:
        return ["(", *_each(names), *broken(f") = {formula}", width)]
    if places := _top_level(formula, " "):
        words = [place for place in places if formula.startswith((" if ", " else "), place)]
        cuts = [0, *words, len(formula)] if len(formula) + 4 > width else [0, len(formula)]
        parts = [formula[i:j].strip() for i, j in pairwise(cuts)]
        return [f"{code[:start]}(", *(f"    {part}" for part in parts), ")"]
    opening = start + _last_opening(code[start:])
    inner = code[opening + 1 : -1]
    if len(inner) + 4 <= width:
        return [code[: opening + 1], f"    {inner}", code[-1]]
    return [code[: opening + 1], *_each(inner), code[-1]]


def _each(arguments: str) -> list[str]:
    """Give each argument a line."""
    cuts = [-1, *_top_level(arguments, ","), len(arguments)]
    return [f"    {arguments[i + 1 : j].strip()}," for i, j in pairwise(cuts)]


def _top_level(code: str, sign: str) -> list[int]:
    """List where a sign stands outside of all brackets and texts."""
    depth, quoted, places = 0, False, []
    for place, character in enumerate(code):
        quoted ^= character == '"'
        depth += (character in "([{") - (character in ")]}")
        if character == sign and not depth and not quoted:
            places.append(place)
    return places


def _last_opening(code: str) -> int:
    depth = 0
    for place in range(len(code) - 1, -1, -1):
        depth += (code[place] in ")]}") - (code[place] in "([{")
        if not depth:
            return place
    return 0


def _wrapped(start: str, value: str, gradients: Sequence[str], pack: str) -> list[str]:
    line = f"{start}{value}, {pack}"
    if len(line) + 4 <= WIDTH:
        return [line]
    inner = ["gradients = (", *(f"    {g}," for g in gradients), ")"]
    return [*inner, f"{start}{value}, gradients"]


def signature(title: str, parameters: Sequence[str], constants: Sequence[str] = ()) -> list[str]:
    """Write the head of a function, on as many lines as it needs."""
    parts = [*parameters, *(["*", *constants] if constants else [])]
    line = f"def {title}({', '.join(parts)}):"
    if len(line) <= WIDTH:
        return [line]
    inner = f"    {', '.join(parts)}"
    if len(inner) <= WIDTH and not constants:
        return [f"def {title}(", inner, "):"]
    return [f"def {title}(", *(f"    {part}," for part in parts), "):"]


def _follows(program: Program) -> bool:
    """Tell whether anything that is written follows the batch size."""

    def within(part: Any) -> bool:
        if isinstance(part, Mapping):
            return any(map(within, part.values()))
        if isinstance(part, tuple | list):
            return any(map(within, part))
        if isinstance(part, slice):
            return within((part.start, part.stop, part.step))
        return isinstance(part, Size)

    return any(
        within(v.inputs) or within(v.attributes) or (v.op is scatter and within(v.shape))
        for v in program.body
    )
