"""The commands of minigraph: check a backward pass written by hand, grade many, or derive one.

python -m minigraph check my_homework.py [--exercise homework] [--seed N]
python -m minigraph grade FOLDER --exercise homework --out OUT
python -m minigraph derive my_loss.py [--style fast] [--layout columns]
"""

import argparse
import inspect
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; give its exit status: 0, 1 if something is wrong, 2 if it could not be run."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser("python -m minigraph", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_check(commands)
    _add_grade(commands)
    _add_derive(commands)
    options = parser.parse_args(arguments)
    return int(options.run(options))


def _add_check(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "check",
        help="say which gradients of a backward pass are wrong, and why",
        description="Say which gradients of a backward pass written by hand are wrong, and why.",
        epilog="Exit status: 0 if nothing is wrong, 1 if something is, 2 if it cannot be checked.",
    )
    parser.add_argument(
        "file",
        help="defines fprop, bprop, params and batch; and, if it wants, penalties, graph and axis: "
        "the arguments of minigraph.testing.check_bprop",
    )
    parser.add_argument(
        "--exercise", help="what defines the rest: a file, or a name such as homework"
    )
    parser.add_argument("--seed", type=int, default=0, help="decides the problems (default: 0)")
    parser.set_defaults(run=_check)


def _check(options: argparse.Namespace) -> int:
    from minigraph.testing.diagnosis.grading.submissions import Unfit, diagnose

    try:
        diagnosis = diagnose(options.file, options.exercise, options.seed)
    except Unfit as error:
        print(error, file=sys.stderr)
        return 2
    except Exception:  # not the file's fault, as far as can be seen
        traceback.print_exc()
        return 2
    print(diagnosis)
    return 0 if diagnosis.ok else 1


def _add_grade(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "grade",
        help="check many backward passes, each in a process of its own",
        description="Check many backward passes, each in a process of its own; write a table and a "
        "page for each. It is not a sandbox.",
        epilog="Exit status: 0 if all are right, 1 if one is not, 2 if nothing could be graded.",
    )
    parser.add_argument("folder", help="holds the submissions, one .py file each")
    parser.add_argument("--exercise", help="what defines the rest: a file, or a name: homework")
    parser.add_argument("--out", required=True, help="folder for the table and the pages")
    parser.add_argument("--seconds", type=float, default=60, help="for each (default: 60)")
    parser.add_argument("--memory", type=int, default=2**31, help="bytes for each (default: 2 GiB)")
    parser.add_argument("--workers", type=int, default=1, help="how many at once (default: 1)")
    parser.set_defaults(run=_grade)


def _grade(options: argparse.Namespace) -> int:
    from minigraph.testing.diagnosis.grading.grading import grade

    try:
        grades = grade(
            options.folder,
            options.exercise,
            out=options.out,
            seconds=options.seconds,
            memory=options.memory,
            workers=options.workers,
        )
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    print(grades)
    return 0 if all(one.ok for one in grades) else 1


def _add_derive(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "derive",
        help="print value and gradients of a loss as NumPy",
        description="Print value and gradients of a loss as a function that needs NumPy alone.",
        epilog="Exit status: 0 if it was printed, 2 if it cannot be derived.",
    )
    parser.add_argument(
        "file",
        help="defines loss; arguments, a tuple or dict of examples of what loss takes; and, if it "
        "wants, argnums, as minigraph.derive takes it",
    )
    parser.add_argument("--style", choices=["textbook", "fast"], default="textbook")
    parser.add_argument("--layout", choices=["rows", "columns"], default="rows")
    parser.set_defaults(run=_derive)


def _derive(options: argparse.Namespace) -> int:
    from minigraph.derivation import derive
    from minigraph.testing.diagnosis.grading.submissions import Unfit, faults_of, module_of

    try:
        loss, examples, argnums = _loss_of(module_of(options.file), options.file)
        with faults_of(options.file):
            derived = derive(
                loss, *examples, argnums=argnums, style=options.style, layout=options.layout
            )
    except Unfit as error:
        print(error, file=sys.stderr)
        return 2
    except Exception:  # not the file's fault, as far as can be seen
        traceback.print_exc()
        return 2
    print(derived.source, end="")
    return 0


def _loss_of(module: ModuleType, file: str) -> tuple[Any, Sequence[Any], Any]:
    """Take from a file what is to be derived: the loss, examples of its arguments, argnums."""
    from minigraph.testing.diagnosis.grading.submissions import Unfit

    name = Path(file).name
    missing = [needed for needed in ("loss", "arguments") if not hasattr(module, needed)]
    if missing:
        raise Unfit(
            f"{name} does not define {', '.join(missing)}; what is needed is loss, arguments"
        )
    loss, given = module.loss, module.arguments
    if not callable(loss):
        raise Unfit(f"{name}: loss is {type(loss).__name__}, where a function is needed")
    if not isinstance(given, tuple | list | dict):
        kind = type(given).__name__
        raise Unfit(f"{name}: arguments is {kind}, where a tuple or a dict of examples is needed")
    try:
        bind = inspect.signature(loss).bind
        bound = bind(**given) if isinstance(given, dict) else bind(*given)
    except TypeError as error:
        raise Unfit(f"{name}: the arguments are not those of loss: {error}") from None
    return loss, bound.args, getattr(module, "argnums", None)


if __name__ == "__main__":
    sys.exit(main())
