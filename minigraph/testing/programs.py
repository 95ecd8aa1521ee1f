"""Small programs over the table of operations, as Python text that is run and printed alike."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

import minigraph as mg
from minigraph.arrays import Array
from minigraph.op import Op
from minigraph.ops import TABLE

__all__ = ["Program", "Statement", "literal", "own_name", "spelling"]

# How an operation is written that has neither a function `mg.name` nor the usual form of a call:
# {0}, {1} are its operands, {all} the list of them, names are attributes.
SPELLINGS = {
    "positive": "+{0}",
    "power": "mg.power({0}, {1})",
    "remainder": "{0} % {1}",
    "scalar_power": "{0} ** {exponent}",
    "exponential": "{base} ** {0}",
    "concatenate": "mg.concatenate([{all}], axis={axis})",
    "stack": "mg.stack([{all}], axis={axis})",
    "getitem": "mg.Tensor.__getitem__({0}, {index})",
    "astype": "mg.astype({0}, {dtype})",
    # The first two are asked of symmetric matrices: their gradients are slopes along these.
    "cholesky": "np.linalg.cholesky(({0} + {0}.mT) / 2)",
    "eigh": "mg.ops.decompositions.eigen(({0} + {0}.mT) / 2, UPLO={UPLO})",
    "pinv": "mg.ops.least_squares.pinv({0}, {rcond})",
    "where": "mg.where({2}, {0}, {1})",
}


def spelling(op: Op, operands: Sequence[str], attributes: Mapping[str, Any]) -> str:
    """Write a call of an op as Python, with these texts as its operands."""
    given = {name: literal(value) for name, value in attributes.items()}
    if op.name in SPELLINGS and op in TABLE:
        return SPELLINGS[op.name].format(*operands, all=", ".join(operands), **given)
    arguments = ", ".join([*operands, *(f"{name}={text}" for name, text in given.items())])
    return f"{_path(op)}({arguments})"


def _path(op: Op) -> str:
    """Find the name under which a program reaches the op, or the function in front of it."""
    if op not in TABLE:
        return own_name(op)
    if op.name in mg.__all__:
        return f"mg.{op.name}"
    module = op.__module__.removeprefix("minigraph.")
    return f"mg.{module}.{op.__reduce__()}"


def own_name(op: Op) -> str:
    """Name an op that is not minigraph's, so that no variable has its name."""
    return op.name if op.name.isidentifier() and len(op.name) > 1 else "op"


def literal(value: Any) -> str:
    """Write a value as Python."""
    if isinstance(value, np.ndarray):
        dtype = "" if value.dtype in (float, int, bool) else f", dtype=np.{value.dtype}"
        if value.size == 0:
            return f"np.zeros({value.shape}, dtype=np.{value.dtype})"
        return f"np.array({value.tolist()}{dtype})"
    if isinstance(value, np.dtype) or (isinstance(value, type) and issubclass(value, np.generic)):
        return f"np.{np.dtype(value).name}"
    if isinstance(value, tuple):
        return f"({''.join(f'{literal(part)}, ' for part in value)})"
    return repr(value)


class Statement(NamedTuple):
    """A line of a program, ``name = expression``, and the variables in the expression."""

    name: str
    expression: str
    used: Sequence[str]


class Program:
    """A function of named arrays, in one assignment a line; printed, it runs.

    Parameters
    ----------
    inputs : mapping of str to ndarray
        The arguments.
    statements : sequence of Statement
        The last one gives the result. Those that do not lead to it are left out.
    ops : mapping of str to Op, optional
        Operations that are not minigraph's, by name.

    Examples
    --------
    >>> import numpy as np
    >>> program = Program({"a": np.array([1.0, 2.0])}, [Statement("b", "a * a", ["a"])])
    >>> print(program)
    import numpy as np
    import minigraph as mg
    from minigraph.testing import check_gradients
    <BLANKLINE>
    def program(a):
        b = a * a
        return b
    <BLANKLINE>
    a = np.array([1.0, 2.0])
    check_gradients(program, a)
    >>> program(*program.inputs.values())
    array([1., 4.])
    """

    def __init__(
        self,
        inputs: Mapping[str, Array],
        statements: Sequence[Statement],
        ops: Mapping[str, Op] | None = None,
    ) -> None:
        self.result = statements[-1].name
        needed, kept = {self.result}, []
        for statement in reversed(statements):
            if statement.name in needed:
                needed.update(statement.used)
                kept.append(statement)
        self.statements = kept[::-1]
        self.inputs = {name: array for name, array in inputs.items() if name in needed}
        self.ops = dict(ops or {})

    @cached_property
    def source(self) -> str:
        """The function's text."""
        lines = [f"def program({', '.join(self.inputs)}):"]
        lines += [f"    {s.name} = {s.expression}" for s in self.statements]
        return "\n".join([*lines, f"    return {self.result}", ""])

    @cached_property
    def function(self) -> Any:
        """The function, of arrays or Tensors."""
        names: dict[str, Any] = {"np": np, "mg": mg, **self.ops}
        exec(self.source, names)
        return names["program"]

    def __call__(self, *inputs: Any) -> Any:
        """Run it on arrays or Tensors."""
        return self.function(*inputs)

    def __repr__(self) -> str:
        lines = [f"{name} = {literal(array)}" for name, array in self.inputs.items()]
        arguments = ", ".join(["program", *self.inputs])
        return "\n".join(
            [
                "import numpy as np\nimport minigraph as mg",
                "from minigraph.testing import check_gradients\n",
                self.source,
                *lines,
                f"check_gradients({arguments})",
            ]
        )
