"""Recording a function until it is known for which batch sizes its program is right."""

from collections.abc import Callable, Sequence

from minigraph.derivation import passes, sizes
from minigraph.derivation.arguments import Arguments
from minigraph.derivation.program import Program

__all__ = ["recorded"]

Record = Callable[[Sequence[int]], Program]


def recorded(call: Arguments, record: Record) -> tuple[Program, str | None]:
    """Record a function twice, and once more for each set of arrays that may be a batch.

    Parameters
    ----------
    call : Arguments
    record : callable
        Gives the program when these arrays are longer.

    Returns
    -------
    Program
        Simplified, for any batch size if it can be.
    str or None
        Why it is for one batch size alone.
    """
    first = record(())
    try:
        sizes.following(first, record(()), (1, 1), 0)
    except sizes.Differs as error:
        raise ValueError(
            f"derive: {call.title} does something else in a second call with the same arguments: "
            f"{error}. Does it draw random numbers? Draw them outside, and pass them"
        ) from None
    program, fixed = _for_any_batch(call, record, first)
    program = passes.shared(passes.simplified(program))
    return passes.simplified(program), fixed


def _for_any_batch(call: Arguments, record: Record, first: Program) -> tuple[Program, str | None]:
    reasons = []
    for group in call.batches():
        size = call.arrays[group[-1]].shape[0]
        try:
            larger = record(group)
            return sizes.following(first, larger, (size, 2 * size + 1), group[0]), None
        except (ValueError, TypeError, IndexError) as error:
            reasons.append(str(error))
    return first, (reasons or ["no argument has axes"])[0]
