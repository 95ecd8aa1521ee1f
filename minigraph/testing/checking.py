"""Whether a gradient is right, and what the check of it would have seen."""

from collections.abc import Callable
from typing import Any

import numpy as np

from minigraph.graph import Graph
from minigraph.tensor import Tensor
from minigraph.testing.functions import Function, HandWritten
from minigraph.testing.report import KINK, WRONG, Finding, GradientError, Report
from minigraph.testing.tracing import replay
from minigraph.testing.verdicts import Check

__all__ = ["check_gradients"]

SUSPECTS = 200  # nodes of a failing graph that are checked one by one
LOCAL_BUDGET = 2000  # evaluations of one op, for each of them


def check_gradients(
    f: Callable[..., Any],
    *inputs: Any,
    gradient: Callable[..., Any] | None = None,
    order: int = 1,
    seed: int | None = None,
    budget: int = 200,
    claim: float | None = None,
    raises: bool = True,
) -> Report:
    """Compare the gradient of a function with differences, and say what that could have seen.

    For random directions d of each input and random cotangents w, wᵀ J d is measured by
    extrapolated central differences with an error bar, and compared with the gradient's. Then every
    entry is measured alone, where that is affordable, or as far as it takes to find one that is
    wrong. Also checked: two calls agree, inputs and random state stay as they are, shapes and
    dtypes are right, a zero cotangent gives exactly zero, and the gradient is linear in the
    cotangent.

    Parameters
    ----------
    f : callable
        Takes Tensors and gives a Tensor of any shape. With `gradient` it takes arrays and gives a
        number.
    *inputs : array, Tensor, or dicts, lists and tuples of them
        Where the gradient is checked. Tensors that require no gradient are constants.
    gradient : callable, optional
        A gradient written by hand, in NumPy: ``gradient(*inputs)`` gives one array for each input,
        in the same containers (a tuple for several inputs).
    order : {1, 2}
        2 checks the gradient of the gradient too.
    seed : int, optional
        Of the directions and cotangents; a fresh one by default, which the report shows.
    budget : int
        Evaluations of `f` up to which more is checked than one random direction of each input: a
        second one, then single entries. To find an entry that is wrong, a failing check takes about
        6 log₂(size) more.
    claim : float, optional
        The relative error of an input's gradient that must be visible; where the error bars are
        wider, the verdict is ``unresolvable``. By default 20 eps^(1/3): 1e-4 in float64, 0.1 where
        the function computes in float32.
    raises : bool
        With False, a report of a wrong gradient is returned like that of a right one.

    Returns
    -------
    Report
        With one `Finding` per input; printed, it is a table.

    Raises
    ------
    GradientError
        If a gradient is wrong or cannot be resolved; it is an AssertionError.
    TypeError, ValueError
        If an input or the result of `f` cannot be checked: integers, overlapping memory, a list.

    See Also
    --------
    minigraph.testing.strategies : random inputs, programs and networks to check.

    Notes
    -----
    Narrower floats are widened to float64 for the comparison; their own gradient must agree with
    the wide one to within 1000 roundings of its largest entry.

    At a kink the gradient must lie between the one-sided slopes. Where several kinks meet that is
    too much to ask: then it must be right at a point nearby, and in a graph each operation's own
    choice must be a right one.

    Examples
    --------
    >>> import numpy as np
    >>> from minigraph.testing import check_gradients
    >>> report = check_gradients(lambda x: np.exp(x).sum(), np.array([0.5, 1.0]))
    >>> report.ok, report["x"].verdict, report["x"].power < 1e-9
    (True, 'ok', True)

    A gradient by hand, with a mistake in it:

    >>> x = np.array([0.5, 1.0])
    >>> report = check_gradients(lambda x: np.sum(x**3), x, gradient=lambda x: 3 * x, raises=False)
    >>> report["x"].verdict, report["x"].entry
    ('wrong', (0,))
    """
    if order not in (1, 2):
        raise ValueError(f"check_gradients: order is 1 or 2, not {order!r}")
    if order == 2 and gradient is not None:
        raise ValueError("check_gradients: order=2 needs a function that makes a graph")
    if seed is None:
        seed = int(np.random.SeedSequence().entropy) % 2**32  # type: ignore[arg-type]
    function = Function(f, inputs) if gradient is None else HandWritten(f, inputs, gradient)
    report = Report(function, seed)
    check = Check(function, np.random.default_rng(seed), budget, claim)
    report.findings = check.run()
    if order == 2 and report.ok:
        second = function.second_order(check.cotangents[0])
        for finding in Check(second, np.random.default_rng(seed), budget, claim).run():
            finding.order = 2
            report.findings.append(finding)
        function.n_values += second.n_values
        function.n_gradients += second.n_gradients
    if gradient is None and not all(f.ok and f.valid for f in report.findings):
        _look_into_the_graph(report, check, seed)
    if raises and not report.ok:
        raise GradientError(report)
    return report


def _look_into_the_graph(report: Report, check: Check, seed: int) -> None:
    """Find the first node whose own formula is wrong; at a kink, its choice too.

    If there is none, kinks may cancel: maximum(min(x), x) is x, but where entries tie, what both
    operations choose is not the slope 1.
    """
    function, kinks = check.function, False
    try:
        report.output = function.output(function.arrays)
        for node in Graph(report.output).nodes[:SUSPECTS]:
            for slot, _ in node.formulas:
                finding = _checked_formula(node, slot, seed)
                kinks |= finding.verdict == KINK
                if finding.verdict == WRONG or not finding.valid:
                    assert node.op is not None
                    report.suspect, report.suspect_input = node, node.op.input_name(slot)
                    for found in report.findings:
                        found.ok &= found.valid  # several kinks are no excuse now
                    return
        wrong = [finding.verdict == WRONG for finding in report.findings]
        if kinks and any(wrong) and all(finding.ok for finding in check.nearby()):
            cancel = "right nearby: here kinks of several operations cancel"
            for finding in (f for f, is_wrong in zip(report.findings, wrong) if is_wrong):
                finding.settle(KINK, cancel, ok=True, valid=False)
    except Exception:
        return  # these are hints: whatever happens here, the verdicts stand


def _checked_formula(node: Tensor, slot: int, seed: int) -> Finding:
    """Check one formula of one node, at the values that it had."""
    op, with_formula = node.op, {slot for slot, _ in node.formulas}
    assert op is not None

    def alone(x: Tensor) -> Any:
        known = {node.inputs[slot].number: x}
        arguments = [  # an input without a formula may be one that was made of x
            x if i == slot else value if i in with_formula else replay(input, known)
            for i, (input, value) in enumerate(zip(node.inputs, node.values))
        ]
        return op(*arguments, **node.attributes)

    function = Function(alone, [np.array(node.values[slot])])
    (finding,) = Check(function, np.random.default_rng(seed), LOCAL_BUDGET, np.inf).run()
    return finding
