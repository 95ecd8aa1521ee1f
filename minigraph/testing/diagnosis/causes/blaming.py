"""Whether it is the loss that is wrong, and not the gradients."""

from collections.abc import Sequence

from minigraph.testing.diagnosis.causes.intermediates import node_causes
from minigraph.testing.diagnosis.causes.loss_causes import (
    ANOTHER,
    data_part,
    of_the_right_loss,
    penalty_part,
    same_loss,
)
from minigraph.testing.diagnosis.clock import OutOfTime
from minigraph.testing.diagnosis.comparing import Comparison
from minigraph.testing.diagnosis.verdicts import Verdict

__all__ = ["blame_the_loss"]


def blame_the_loss(c: Comparison) -> bool:
    """See whether it is the loss that is wrong: the gradients are those of the graph."""
    asked = [name for name in c.parameters if name in c.cases[0].given]
    if c.records and all(of_the_right_loss(name, c.records, c.cases) for name in asked):
        wrong = [name for name in c.parameters if name in c.off]
        if wrong:
            _say_what_is_wrong(c, wrong)
        return bool(wrong)
    for record, case in zip(c.records, c.cases):
        if not any(case.problem.lam) and not same_loss(record, case):
            c.diagnosis.remarks.append(
                f"the graph gives {record.loss.item():.6g} where fprop gives {case.loss:.6g} "
                f"({case.problem.label}): it is another loss, and was not used"
            )
            c.forget_graph()
            break
    return False


def _say_what_is_wrong(c: Comparison, wrong: Sequence[str]) -> None:
    try:
        causes = data_part(c.subject, c.maker, c.graph)
        causes += penalty_part(c.shares())
    except OutOfTime:
        causes = []
        c.not_tried("not tried: what is wrong with the loss")
    for name in c.off:
        if name in wrong:
            why = "it is not the slope of fprop, but that of the right loss"
            verdict = Verdict("right", (why,))
        elif name in c.intermediates.nodes:
            verdict = Verdict("wrong", tuple(node_causes(name, c.plain)))
        else:
            verdict = Verdict("cannot tell", ("it is not the slope of fprop, which is wrong",))
        c.diagnosis.verdicts[name] = verdict
    of_loss = Verdict("wrong", tuple(causes or (ANOTHER,)))
    c.diagnosis.verdicts = {"fprop": of_loss, **c.diagnosis.verdicts}
    for record, case in zip(c.records, c.cases):
        if not same_loss(record, case):
            c.diagnosis.evidence.append(
                f"fprop: given {case.loss:.6g}, the graph {record.loss.item():.6g} "
                f"({case.problem.label})"
            )
            break
