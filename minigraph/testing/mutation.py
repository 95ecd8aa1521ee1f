"""Wrong versions of an operation's formulas: what tests of gradients must notice.

A formula is traced: run on Tensors, with all that it does recorded. A mutant runs that record with
one thing changed, an operation, an operand or the result, each time that the sweep asks for it.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings

from minigraph.graph import Graph
from minigraph.op import Op
from minigraph.tensor import Tensor
from minigraph.testing.changes import Traced, changes
from minigraph.testing.programs import Program
from minigraph.testing.strategies import calls

__all__ = ["Mutant", "drawn_calls", "mutants", "planted"]

Formula = Callable[..., Any]


class Mutant(NamedTuple):
    """A wrong version of one formula of an op.

    Attributes
    ----------
    op : Op
    slot : int
        The input whose formula it is.
    name : str
        What is wrong with it.
    formula : callable
        ``formula(g, y, *inputs, **attributes)``, in the place of the right one.
    """

    op: Op
    slot: int
    name: str
    formula: Formula

    @property
    def input(self) -> str:
        """The name of the input."""
        return self.op.input_name(self.slot)


def mutants(op: Op, programs: Sequence[Program] | None = None) -> list[Mutant]:
    """List the wrong versions of an op's formulas.

    Parameters
    ----------
    op : Op
    programs : sequence of Program, optional
        Calls of the op; what its formulas do there is what is changed. By default 40 that are
        drawn by its declaration.

    Returns
    -------
    list of Mutant

    Examples
    --------
    >>> import minigraph as mg
    >>> from minigraph.testing.mutation import mutants
    >>> [mutant.name for mutant in mutants(mg.tanh)][:3]
    ['sign', 'left at zero', 'times 1 + 1e-5']
    """
    found: dict[tuple[int, str], Mutant] = {}
    for program in programs or drawn_calls(op, 40):
        for node in _nodes(program, op):
            for slot, formula in node.formulas:
                g = np.linspace(1, 2, node.size, dtype=node.dtype).reshape(node.shape)
                traced = Traced(op, slot, formula, (g, node.data, *node.values), node.attributes)
                for name, _ in changes(traced):
                    if (slot, name) not in found:
                        wrong = _changed(op, slot, formula, name)
                        found[slot, name] = Mutant(op, slot, name, wrong)
    return list(found.values())


def drawn_calls(op: Op, n: int) -> list[Program]:
    """Draw calls of an op, the same ones each time: some away from kinks, some on them."""
    found: list[Program] = []
    options: dict[str, Any] = {
        "database": None,
        "deadline": None,
        "derandomize": True,
        "phases": [Phase.generate],
        "suppress_health_check": list(HealthCheck),
    }
    for at_kinks in (False, True):

        @settings(max_examples=max(1, n // 2), **options)
        @given(calls(op, at_kinks=at_kinks))
        def keep(program: Program) -> None:
            found.append(program)

        keep()
    return found


def _nodes(program: Program, op: Op) -> Iterator[Tensor]:
    y = program(*(Tensor(array, requires_grad=True) for array in program.inputs.values()))
    return (node for node in Graph(y).nodes if node.op is op)


def _changed(op: Op, slot: int, formula: Formula, name: str) -> Formula:
    def wrong(g: Any, y: Any, *inputs: Any, **attributes: Any) -> Any:
        traced = Traced(op, slot, formula, (g, y, *inputs), attributes)
        known = dict(changes(traced))
        return known[name](traced) if name in known else traced.run()

    return wrong


@contextmanager
def planted(mutant: Mutant) -> Iterator[None]:
    """Put a mutant into its op, for all who call it, inside the block."""
    op, slot = mutant.op, mutant.slot
    right, each, trusted = op.vjps, op.each, op.trusted
    by_flow = op.call.__globals__["_by_flow"]

    def install(vjps: Any, each_formula: Any, trust: bool) -> None:
        op.vjps, op.each, op.trusted = vjps, each_formula, trust
        by_flow.vjps = vjps
        by_flow.clear()

    wrong = tuple(mutant.formula if i == slot else vjp for i, vjp in enumerate(right))
    install(wrong, each and (lambda i: mutant.formula if i == slot else each(i)), False)
    try:
        yield
    finally:
        install(right, each, trusted)
