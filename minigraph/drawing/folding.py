"""Which nodes are drawn as one: folded scopes and repeats of them; and which within the budget."""

from collections import deque
from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from minigraph.drawing.recording import Recording, Scope
from minigraph.drawing.text import Term

__all__ = ["Unit", "choose_units", "inline", "nearest", "neighbours"]

LONGEST = 60  # characters of an expression into which others are written
REPEATS = 3  # so many equal scopes in a row are drawn as one


@dataclass
class Unit:
    """What is drawn as one box: a node with those written inside it, or folded scopes."""

    members: list[int] = field(default_factory=list)
    scopes: list[Scope] = field(default_factory=list)  # one, or equal ones in a row; none: a node

    @property
    def is_folder(self) -> bool:
        """Whether folded scopes are drawn."""
        return bool(self.scopes)

    @property
    def node(self) -> int:
        """The last recorded member: the node itself, or what comes out of a folder."""
        return self.members[-1]


# Expressions written inside their consumers


def inline(recording: Recording, keep: Collection[int]) -> tuple[dict[int, int], dict[int, Term]]:
    """Find the unnamed values that are used once and fit into their consumer's expression.

    Returns
    -------
    hosts : dict of int to int
        For each value written inside another, the node that is drawn for it.
    texts : dict of int to Term
        The expressions of all nodes.
    """
    consumers: dict[int, int] = {}
    texts: dict[int, Term] = {}
    for k in range(len(recording)):
        own = recording.text(k)
        if own is None:
            continue
        inside: dict[int, Term] = {}
        for use in recording.inputs(k):
            if use.tail in texts and _may_move(recording, use.tail, k, keep):
                inside[use.tail] = texts[use.tail]
        texts[k] = recording.text(k, inside) or own
        while inside and len(texts[k].text) > LONGEST:
            longest = max(len(term.text) for term in inside.values())
            inside = {tail: term for tail, term in inside.items() if len(term.text) < longest}
            texts[k] = recording.text(k, inside) or own
        consumers.update(dict.fromkeys(inside, k))
    hosts: dict[int, int] = {}
    for k in sorted(consumers, reverse=True):  # a consumer comes after what it uses
        hosts[k] = hosts.get(consumers[k], consumers[k])
    return hosts, texts


def _may_move(recording: Recording, tail: int, head: int, keep: Collection[int]) -> bool:
    if recording.fan_out[tail] != 1 or tail in keep or not recording.is_unnamed(tail):
        return False
    if recording.kind(tail) == "constant":
        return True
    return recording.scope(tail) == recording.scope(head)


# Scopes


def choose_units(
    recording: Recording,
    nodes: Sequence[int],
    hosts: dict[int, int],
    depth: int | None,
    focus: int | None,
    max_nodes: int | None,
) -> list[Unit]:
    """Fold the scopes that are deeper than `depth`: by default, no more than the budget needs.

    Parameters
    ----------
    nodes : sequence of int
        What is to be drawn, in order.
    hosts : dict of int to int
        What `inline` found.
    focus : int, optional
        A node whose scopes are not folded.
    """
    opened = () if focus is None else recording.scope(focus)
    signs: dict[int, Hashable] = {}

    def units(depth: int) -> list[Unit]:
        return _merged(recording, _folded(recording, nodes, hosts, depth, opened), signs)

    deepest = max((len(recording.scope(k)) for k in nodes), default=0)
    if depth is not None:
        return units(depth)
    if max_nodes is None or len(nodes) - len(hosts) <= max_nodes or deepest == 0:
        return units(deepest)
    low, high = 0, deepest  # deeper folding never gives more boxes
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if len(units(middle)) <= max_nodes else (low, middle - 1)
    return units(low)


def _folded(
    recording: Recording, nodes: Sequence[int], hosts: dict[int, int], depth: int, opened: Scope
) -> list[Unit]:
    units: dict[int | Scope, Unit] = {}
    keys: dict[Scope, Scope | None] = {}
    for k in nodes:
        host = hosts.get(k, k)
        scope = recording.scope(host)
        if scope not in keys:
            keys[scope] = _folder(scope, depth, opened)
        folder = keys[scope]
        key = host if folder is None else folder
        if key not in units:
            units[key] = Unit(scopes=[] if folder is None else [folder])
        units[key].members.append(k)
    return sorted(units.values(), key=lambda unit: unit.members[0])


def _folder(scope: Scope, depth: int, opened: Scope) -> Scope | None:
    """Find the outermost scope around a node that is folded."""
    for length in range(depth + 1, len(scope) + 1):
        if scope[:length] != opened[:length]:
            return scope[:length]
    return None


def _merged(recording: Recording, units: list[Unit], signs: dict[int, Hashable]) -> list[Unit]:
    """Draw equal folders of one scope as one, where enough of them follow each other."""
    families: dict[Scope, list[Unit | None]] = {}  # by outer scope; None is a sibling left open
    seen: set[Scope] = set()
    for unit in units:
        if unit.is_folder:
            families.setdefault(unit.scopes[0][:-1], []).append(unit)
            continue
        scope = recording.scope(unit.node)
        while scope not in seen:
            seen.add(scope)
            if scope:
                families.setdefault(scope[:-1], []).append(None)
                scope = scope[:-1]
    swallowed: set[int] = set()
    for family in families.values():
        for run in _runs(recording, family, signs) if len(family) >= REPEATS else ():
            if len(run) >= REPEATS:
                first = run[0]
                for other in run[1:]:
                    first.members += other.members
                    first.scopes += other.scopes
                    swallowed.add(id(other))
                first.members.sort()
    return [unit for unit in units if id(unit) not in swallowed]


def _runs(
    recording: Recording, family: list[Unit | None], signs: dict[int, Hashable]
) -> Iterable[list[Unit]]:
    runs: list[list[Unit]] = []
    last: Hashable = None
    for unit in family:
        if unit is None:
            last = None
            continue
        sign = tuple([_sign(recording, k, signs) for k in unit.members])
        if runs and sign == last:
            runs[-1].append(unit)
        else:
            runs.append([unit])
        last = sign
    return runs


def _sign(recording: Recording, k: int, signs: dict[int, Hashable]) -> Hashable:
    """Give what nodes that are drawn as one have in common: op, kind, shape and dtype."""
    if k not in signs:
        value: Any = recording.values[k]
        op = getattr(value, "op", None)
        signs[k] = (op and op.name, recording.kind(k), value.shape, value.dtype)
    return signs[k]


# The budget


def neighbours(recording: Recording, units: Sequence[Unit]) -> list[list[int]]:
    """List for each unit those that it is joined with by an edge, in order."""
    home = {k: i for i, unit in enumerate(units) for k in unit.members}
    found: list[dict[int, None]] = [{} for _ in units]
    for use in recording.uses:
        if use.tail in home and use.head in home:
            tail, head = home[use.tail], home[use.head]
            if tail != head:
                found[tail][head] = None
                found[head][tail] = None
    return [list(row) for row in found]


def nearest(
    recording: Recording, units: list[Unit], focus: int | None, max_nodes: int | None
) -> list[Unit]:
    """Keep those nearest to the focus, or to the outputs; the outputs and the focus always stay."""
    if max_nodes is None or len(units) <= max_nodes:
        return units
    roots = recording.outputs if focus is None else {focus}
    starts = [i for i, unit in enumerate(units) if not roots.isdisjoint(unit.members)]
    kept = {i for i, unit in enumerate(units) if not recording.outputs.isdisjoint(unit.members)}
    kept.update(starts)
    joined = neighbours(recording, units)
    queue = deque(starts)
    seen = set(starts)
    while queue and len(kept) < max_nodes:
        for i in joined[queue.popleft()]:
            if i not in seen and (len(kept) < max_nodes or i in kept):
                seen.add(i)
                kept.add(i)
                queue.append(i)
    return [unit for i, unit in enumerate(units) if i in kept]
