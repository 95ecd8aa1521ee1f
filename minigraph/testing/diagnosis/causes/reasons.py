"""Why gradients are wrong: every known cause is tried, from the plainest to a changed rule."""

import numpy as np

from minigraph.testing.diagnosis.causes.intermediates import node_causes
from minigraph.testing.diagnosis.causes.penalties import penalty_causes
from minigraph.testing.diagnosis.causes.signatures import (
    LEFT_OUT,
    MISSHAPEN,
    WEIGHTED,
    data_causes,
    example_causes,
    example_weights,
    few,
)
from minigraph.testing.diagnosis.clock import OutOfTime
from minigraph.testing.diagnosis.comparing import Comparison
from minigraph.testing.diagnosis.counterexamples import smallest
from minigraph.testing.diagnosis.measuring import Measured
from minigraph.testing.diagnosis.rules.matching import matching, misshapen
from minigraph.testing.diagnosis.rules.record import DATA, Change, Record
from minigraph.testing.diagnosis.verdicts import Verdict, worst

__all__ = ["say_why"]

Causes = dict[str, list[str]]
GENERAL = (LEFT_OUT, WEIGHTED, MISSHAPEN)  # causes that a rule may explain better


def say_why(c: Comparison) -> None:
    """Write the causes of all that is wrong into the diagnosis."""
    causes: Causes = {name: [] for name in c.off}
    for name, off in c.off.items():
        _show(c, name, off[0])
    c.clock.doing = "looking for causes"
    try:
        _look_at_data(c, causes)
        _look_at_penalties(c, causes)
        if c.records and c.off:
            c.clock.doing = "changing rules of the graph"
            _look_at_rules(c, causes)
    except OutOfTime:
        c.not_tried("not all known causes were tried")
    for name, found in causes.items():
        c.diagnosis.verdicts[name] = Verdict("wrong", tuple(dict.fromkeys(found)))
    if c.off:
        c.diagnosis.notes += c.intermediates.first_wrong(c.wrong())
        c.clock.doing = "looking for the smallest example"
        c.diagnosis.counterexample = smallest(c.subject, c.maker, c.cases, list(c.off))


def _look_at_data(c: Comparison, causes: Causes) -> None:
    for name, off in c.off.items():
        if any(case in c.plain for case in off):
            found = node_causes if name in c.others else data_causes
            causes[name] += found(name, c.plain)
    c.off_by = {name: tuple(words) for name, words in causes.items()}
    _share_weights({name: causes[name] for name in c.off if name in c.parameters}, few(c.plain))


def _share_weights(causes: Causes, cases: list[Measured]) -> None:
    """See whether weights of the examples that explain one gradient explain others too."""
    for found in [name for name, words in causes.items() if words]:
        weighed = example_weights(found, cases)
        if not list(example_causes(found, cases, weighed)):
            continue
        for name in [name for name, words in causes.items() if not words]:
            causes[name] += example_causes(name, cases, weighed)


def _show(c: Comparison, name: str, case: Measured) -> None:
    right = case.slope(name)
    c.diagnosis.evidence.append(worst(case.given[name], right, name, case.problem.label))
    c.diagnosis.expected[name] = ("", right)


def _look_at_penalties(c: Comparison, causes: Causes) -> None:
    named = [name for name in causes if name in c.parameters]
    if c.cases[0].is_coarse:  # then they are below its rounding
        return
    found, first = c.shares() if named else [], c.cases[0].problem
    for name in named:
        if found and all(name in of_each for of_each in found):
            causes[name] += penalty_causes(name, found, first.params, first.K)


def _look_at_rules(c: Comparison, causes: Causes) -> None:
    penalised = [record for record in c.records if any(record.problem.lam)]
    for name in c.off:
        if name in c.parameters:
            text = (penalised or c.records)[0].right_formula(name)
            c.diagnosis.expected[name] = (text, c.diagnosis.expected[name][1])
    _search(c, causes)
    followed = c.intermediates.follow(list(c.off)) if c.intermediates.nodes else {}
    for name, key in followed.items():
        if not causes[name]:
            causes[name].append(f"it is right for the {key} that was given")


def _search(c: Comparison, causes: Causes) -> None:
    """Look for rules that explain, changed, what is not explained yet."""
    pairs = [p for p in zip(c.records, c.cases) if not any(p[1].problem.lam)]
    of_parameters = {n: found for n, found in causes.items() if n in c.parameters}
    unexplained = [n for n, found in of_parameters.items() if all(map(_is_general, found))]
    if not unexplained or not pairs:
        return
    records, cases = map(list, zip(*pairs))
    leave = frozenset(c.parameters) - cases[0].given.keys()
    shapes = {n: v.shape for n, v in cases[0].problem.params.items()}
    misshaped = {n for n in of_parameters if cases[0].given[n].shape != shapes[n]}
    leave |= misshaped
    explained = frozenset(name for name in of_parameters if name not in unexplained)
    with np.errstate(all="ignore"):  # what is wrong may also overflow
        found = matching(records, cases, leave, c.clock.is_up)
        if not found and explained:
            found = matching(records, cases, leave | explained, c.clock.is_up)
        for name in misshaped.intersection(unexplained):
            found += misshapen(records, cases, name)
        for changes in found:
            _blame(c, records[0], changes, causes, unexplained)
    c.clock.check()


def _blame(
    c: Comparison,
    record: Record,
    changes: tuple[Change, ...],
    causes: Causes,
    unexplained: list[str],
) -> None:
    """Write a changed rule to the parameters that it reaches."""
    for change in changes:
        reached = record.reached_by(change)
        words = record.describe(change)
        if change.node != DATA:
            c.diagnosis.marks.append((change.node, change.slot, words))
        for name in unexplained:
            if name in reached:
                general = [i for i, words in enumerate(causes[name]) if _is_general(words)]
                at = general[0] if general else len(causes[name])  # what says more comes first
                causes[name].insert(at, words)
    explained = c.intermediates.explained_by(changes, record)
    for key, its_changes in explained.items():
        if key in c.off:
            causes[key] += [record.describe(change) for change in its_changes]


def _is_general(words: str) -> bool:
    return words.startswith(GENERAL)
