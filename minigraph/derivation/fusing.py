"""The pass that groups values into nests of loops: arrays are walked once for all made of them."""

from dataclasses import replace
from graphlib import TopologicalSorter
from typing import Any

from minigraph.derivation.fusible import QUICK, is_looped
from minigraph.derivation.nests import (
    EXTREMA,
    MADE,
    SEVERAL,
    SUMS,
    Nest,
    Place,
    in_order,
    long_axes,
    source,
    summed,
)
from minigraph.derivation.program import Program, Value
from minigraph.ops import shaping

__all__ = ["Step", "fused"]

NEAR = 8  # nests that a value may join: the last ones
LONG = 40  # ops that one value may pull into a nest
LONGEST = 120  # members of a nest, and of all nests of one function
PAIRS = 8  # of arrays, one of them written: compilers check no more of them for overlap

Step = Value | list[Nest]


class _Fusion:
    """Makes nests: for each value that is needed as an array, and for each sum.

    Other values wait until one of these pulls them into its nest.
    """

    def __init__(self, program: Program, batch: int) -> None:
        self.nests: list[Nest] = []
        self.homes: dict[Value, Nest] = {}  # where each member is made first
        self.looped = {value for value in program.body if is_looped(value, batch)}
        self.arrays = self._arrays(program)
        self.updated = {program.parameters[place] for _, place in program.updates}
        self.changed = {program.outputs[place] for place, _ in program.updates}
        waiting: dict[Value, int] = {}  # how many ops a value would pull along
        for value in program.body:
            if value not in self.looped or value in self.homes:
                continue
            ops = 1 + sum(waiting.get(input, 0) for input in value.values)
            if value in self.arrays or value.op in SEVERAL or ops > LONG:
                self._place(value)
            else:
                waiting[value] = ops
        read = self.arrays.union(*(nest.reads for nest in self.nests))
        self.calls = [v for v in program.body if v in read and v not in self.looped]

    def _arrays(self, program: Program) -> set[Value]:
        """List what is needed as an array: outputs, and what calls read."""
        arrays = {o for o in program.outputs if isinstance(o, Value)}
        live = set(arrays)
        for value in reversed(program.body):
            if value in live:
                live.update(value.values)
                known = value.op in MADE or source(value) is not None
                if value not in self.looped and (value in arrays or not known):
                    arrays.update([value, *value.values])
                elif value in self.looped and value.op is shaping.indexing:
                    arrays.add(value.inputs[0])  # of which entries are taken out of order
        return arrays

    def _place(self, value: Value) -> None:
        """Put a value into a nest where it fits, or into a new one."""
        walked = value.inputs[0] if value.op in SEVERAL else value
        space, place = long_axes(walked.shape), in_order(value.shape)
        near = [nest for nest in self.nests[-NEAR:] if space in (nest.space, nest.space[:-1])]
        for nest in reversed(near):
            trial = replace(nest, places=dict(nest.places), reads=dict(nest.reads))
            if self._add(trial, value, place) is None and self._pays(nest, trial):
                nest.places, nest.reads = trial.places, trial.reads
                break
        else:
            nest = Nest(space)
            while (twice := self._add(nest, value, place)) is not None:
                if twice not in self.homes:  # read along two axes, from an array
                    self._place(twice)
                self.homes[twice].stored[twice] = None
                nest = Nest(space)
            self.nests.append(nest)
        nest.stored.update({v: None for v in nest.places if v in self.arrays})
        for member in nest.places:
            self.homes.setdefault(member, nest)
        for read in nest.reads:
            if read in self.homes:
                self.homes[read].stored[read] = None

    def _add(self, nest: Nest, value: Value, place: Place) -> Value | None:
        """Make a value a member, with all that it needs; give what is in the way of that."""
        nest.places[value] = place
        if value.op in (*SUMS, *EXTREMA):
            of_rows = summed(value) == {len(nest.space) - 1}
            if not of_rows and (value.op in EXTREMA or not summed(value) >= nest.outer):
                return value
        needs = (self._reach(nest, input, at) for input, at in nest.inputs(value))
        return next((found for found in needs if found is not None), None)

    def _reach(self, nest: Nest, input: Any, place: Place) -> Value | None:
        """Find how a nest gets an input: as a member, from outside, or by making it."""
        if not isinstance(input, Value) or input.op in MADE or input in nest.reads:
            return None
        if input in nest.places:
            there = nest.places[input] == place and not nest.is_total(input)
            return None if there else input
        if input in self.looped:
            made = input in self.homes and not self._again(input)
            if not made and nest.outer <= set(place):
                return self._add(nest, input, place)
            if input not in self.homes:
                self._place(input)
        nest.reads[input] = None
        return None

    def _again(self, value: Value) -> bool:
        """Tell whether to compute a value anew: if it is one quick op of arrays that are there."""
        if value in self.homes[value].stored or value.op in SEVERAL:
            return False
        inputs = [input for input, _ in self.homes[value].inputs(value) if isinstance(input, Value)]
        there = all(i not in self.looped or i in self.homes[i].stored for i in inputs)
        return there and getattr(value.op, "function", None) not in QUICK

    def _pays(self, nest: Nest, trial: Nest) -> bool:
        """Tell whether what is added shares arrays with the nest, and may be made together."""
        new = [v for member in trial.places if member not in nest.places
               for v, _ in trial.inputs(member) if isinstance(v, Value)]  # fmt: skip
        shares = any(v in nest.places or (v in nest.reads and v.shape) for v in new)
        small = len(trial.places) <= LONGEST and self._pairs(trial) <= PAIRS
        alone = self._writes(trial) and any(v.op is shaping.indexing for v in trial.places)
        if not shares or not small or alone:
            return False
        return not any(nest in self._makers(read) for read in trial.reads)

    def _pairs(self, nest: Nest) -> int:
        """Count pairs of arrays in the innermost loop, one of them written."""
        entries = {input for member in nest.places for input, place in nest.inputs(member)
                   if nest.is_entry(place)}  # fmt: skip
        sums = sum(nest.is_total(v) and nest.walks(v) for v in nest.places)
        written = sum(nest.is_entry(place) for v, place in nest.places.items()
                      if v in nest.stored or v in self.arrays)  # fmt: skip
        read = [v for v in nest.reads if v in entries]
        spare = sum(v.op != "parameter" or v in self.updated for v in read)  # may be overwritten
        arrays, changed = len(read) + sums + max(0, written - spare), written + sums
        return changed * (changed - 1) // 2 + changed * (arrays - changed)

    def _makers(self, value: Value) -> set[Nest | Value]:
        """List all nests and calls on which a value depends."""
        found: set[Nest | Value] = set()
        stack = [value]
        while stack:
            value = stack.pop()
            maker = self.homes.get(value, value)
            if maker not in found:
                found.add(maker)
                stack.extend(maker.reads if isinstance(maker, Nest) else maker.values)
        return found

    def _writes(self, node: Any) -> bool:
        """Tell whether a nest or call makes what is written into a parameter."""
        return any(v in self.changed for v in (node.places if isinstance(node, Nest) else [node]))

    def ordered(self) -> list[Step]:
        """Give calls and nests in an order in which few runs of nests alternate with calls.

        What is written into parameters comes last: no label is found wrong after it.
        """
        sorter: TopologicalSorter[Any] = TopologicalSorter()
        nodes: list[Any] = [*self.calls, *self.nests]
        for node in nodes:
            read = node.reads if isinstance(node, Nest) else node.values
            sorter.add(node, *[self.homes.get(v, v) for v in read if v.op != "parameter"])
        sorter.prepare()
        steps: list[Step] = []
        waiting: list[Nest] = []
        late: list[Any] = []
        while sorter.is_active():
            ready = list(sorter.get_ready())
            late += [node for node in ready if self._writes(node)]
            ready = [node for node in ready if not self._writes(node)]
            if not ready and not waiting:
                ready, late = late, []
            calls = [node for node in ready if isinstance(node, Value)]
            waiting += [node for node in ready if isinstance(node, Nest)]
            steps += calls
            if not calls:
                last = steps[-1] if steps else None
                if isinstance(last, list) and sum(len(n.places) for n in last) < LONGEST:
                    last += waiting
                else:
                    steps.append(waiting)
                sorter.done(*waiting)
                waiting = []
            sorter.done(*calls)
        return steps


def fused(program: Program, batch: int) -> list[Step]:
    """Group values into nests of loops; `batch` is the batch size that was traced.

    Returns
    -------
    list of Value or list of Nest
        What NumPy's calls compute, and between them runs of nests, in order.
    """
    fusion = _Fusion(program, batch)
    order = {value: place for place, value in enumerate(program.body)}
    for nest in fusion.nests:
        needed = set(nest.stored)  # not what was made for a nest that is none
        members = sorted(nest.places, key=order.__getitem__)
        for value in reversed(members):
            if value in needed:
                needed.update(input for input, _ in nest.inputs(value) if isinstance(input, Value))
        nest.places = {v: nest.places[v] for v in members if v in needed}
        nest.reads = {v: None for v in nest.reads if v in needed}
        nest.loops = _loops(nest)
    fusion.nests = [nest for nest in fusion.nests if nest.places]
    return fusion.ordered()


def _loops(nest: Nest) -> dict[Value, int]:
    """Count in which loop each member of a nest is; keep what is read in a later one."""
    loops: dict[Value, int] = {}
    for value in nest.places:
        members = [input for input, _ in nest.inputs(value) if input in loops]
        walks = nest.walks(value)
        known = [loops[i] + (walks and not nest.is_entry(nest.places[i])) for i in members]
        loops[value] = max(known, default=0 if walks else -1)
    users = nest.users()
    for value in reversed(nest.places):  # as late as they can be
        entry = nest.is_entry(nest.places[value]) and value.op not in SEVERAL
        if entry and users[value] and value not in nest.stored:
            loops[value] = min(loops[user] for user in users[value])
            if any(loops[user] > loops[value] for user in users[value]):
                nest.stored[value] = None
    return loops
