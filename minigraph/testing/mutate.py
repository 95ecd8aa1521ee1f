"""Plant every mutant of every formula, and see whether the laws notice.

    python -m minigraph.testing.mutate [--op NAME] [--calls 40]

Prints op × mutant with the law that noticed it, or why it is the same as the right formula, or that
it survived; the exit code tells whether one did.
"""

import argparse
import sys
from collections.abc import Sequence
from importlib.util import find_spec

from minigraph.op import Op
from minigraph.ops import TABLE
from minigraph.testing.laws import LAWS
from minigraph.testing.mutation import Mutant, drawn_calls, mutants, planted
from minigraph.testing.programs import Program

__all__ = ["killer", "main"]

# Mutants that are the right formula, written differently: (op, input, mutant), and the proof.
_FACTORS = "the two are the factors of one product, g * l1 * s + 2 * g * l2 * w or g * sum(s * w)"
EQUIVALENT = {
    ("getitem", "input 0", "y for input 0"): (
        "scatter reads only the shape and the dtype of x; y has the same, where it can stand for x"
    ),
    ("norm", "x", "x and y swapped"): (
        "they are of one shape only where nothing is summed, so that y is |x| and y / x is x / y"
    ),
    ("erfcx", "x", "x and y swapped"): "the two are the factors of one product",
    (
        "sinc",
        "x",
        "less: or equal",
    ): "at its limit of |x| both sides are the slope",
    **{
        ("pinv", "a", f"matmul {k} left out: operand {place}"): (
            "shapes allow it for square matrices only; of full rank, the term is 0 for these"
        )
        for k, place in ((3, 0), (4, 0), (5, 0), (5, 1))
    },
    ("elastic_net", "w", "l1 and s swapped"): _FACTORS,
    ("elastic_net", "w", "l2 and w swapped"): _FACTORS,
    ("elastic_net", "l1", "s and w swapped"): _FACTORS,
}


def tables() -> tuple[Op, ...]:
    """Give all operations; those of SciPy's special functions too, where there is SciPy."""
    if find_spec("scipy") is None:
        return TABLE
    from minigraph.ops import special

    return TABLE + special.TABLE


def killer(mutant: Mutant, programs: Sequence[Program]) -> str | None:
    """Give the name of the law that notices a mutant; None if it survives."""
    with planted(mutant):
        for law in LAWS:
            for seed, program in enumerate(programs):
                try:
                    law(program, seed)
                except AssertionError:
                    return law.__name__
                except Exception as error:  # a mutant may break in any way
                    return f"{law.__name__}: {type(error).__name__}"
    return None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the laws against all mutants; give the number of survivors."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--op", help="only the operations of this name")
    parser.add_argument("--calls", type=int, default=40, help="random calls of each operation")
    options = parser.parse_args(arguments)
    counts = {"killed": 0, "equivalent": 0, "SURVIVED": 0}
    for op in tables():
        if options.op not in (None, op.name) or not (op.each or any(op.vjps)):
            continue
        programs = drawn_calls(op, options.calls)
        for law in LAWS:  # the right formulas come first: a law that they break kills everything
            for seed, program in enumerate(programs):
                law(program, seed)
        for mutant in mutants(op, programs):
            reason = EQUIVALENT.get((op.name, mutant.input, mutant.name))
            noticed = killer(mutant, programs)
            verdict = "killed" if noticed else "equivalent" if reason else "SURVIVED"
            if noticed and reason:
                verdict = "SURVIVED"  # the proof is wrong: let someone look
                reason = f"said to be equivalent, but {noticed} noticed it"
            counts[verdict] += 1
            cells = f"{op.name:14} {mutant.input:9} {mutant.name:42} {verdict:10}"
            print(cells, reason or noticed or "")
    print(", ".join(f"{n} {verdict}" for verdict, n in counts.items()))
    return counts["SURVIVED"]


if __name__ == "__main__":
    sys.exit(bool(main()))
