"""What a mistaken hand writes in the place of a rule, family by family.

Each family gives functions of the cotangent g that arrives at a node: what is sent back to one of
its inputs in place of the right thing, by what is wrong with it in words.
"""

from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

import numpy as np

from minigraph.arrays import Array
from minigraph.tensor import Tensor
from minigraph.testing.changes import Change, Traced, changes
from minigraph.testing.diagnosis.problems import Problem
from minigraph.testing.diagnosis.rules.record import Record

__all__ = ["UNNAMED", "Part", "Site", "other_arrays", "other_labels", "with_operand", "wrong_rules"]

Part = Callable[[Any], Any]
Family = Iterator[tuple[str, Part]]
UNNAMED = "something else stands there"
LEAKS = (0.01, 0.1, 0.2, 0.3, 0.5)


def wrong_rules(record: Record, k: int, slot: int) -> dict[str, Part]:
    """List all wrong versions of the rule of node k for the input in this slot."""
    site = Site(record, k, slot)
    found: dict[str, Part] = {}
    for family in FAMILIES:
        for words, part in family(site):
            found.setdefault(words, part)
    return found


def other_labels(problem: Problem) -> dict[str, Problem]:
    """List problems whose labels are in another order, by what that is called."""
    y, axis = problem.y, problem.axes[1]
    called = "labels" if y.dtype.kind in "iu" else "targets"
    found = {}
    for i in range(y.ndim):
        whose = "example" if i == axis else "output"
        for words, other in (
            (f"the {called} are those of the {whose} before", np.roll(y, 1, axis=i)),
            (f"the {called} are those of the {whose} after", np.roll(y, -1, axis=i)),
            (f"the {called} are in the order of the {whose}s reversed", np.flip(y, axis=i)),
        ):
            found[words] = replace(problem, y=other)
    if y.dtype.kind == "f":
        found["the targets are left out, as if they were 0"] = replace(problem, y=np.zeros_like(y))
    return found


class Site:
    """A rule, and what stands around it."""

    def __init__(self, record: Record, k: int, slot: int) -> None:
        self.record, self.k, self.slot = record, k, slot
        self.node = record.nodes[k]
        self.g = record.cotangents[k]
        self.vjp = dict(self.node.formulas)[slot]
        self.x = self.node.values[slot]
        self.y = self.node._array
        self.a = record.called(self.node.inputs[slot])
        self.b = record.called(self.node)
        assert self.node.op is not None
        self.op = self.node.op

    def right(self, g: Any) -> Any:
        """Compute the right part."""
        part = self.vjp(g, self.y, *self.node.values, **self.node.attributes)
        return part.data if isinstance(part, Tensor) else part

    @cached_property
    def trace(self) -> Traced:
        """What the formula does, so that its pieces can be changed."""
        given = (self.g, self.y, *self.node.values)
        return Traced(self.op, self.slot, self.vjp, given, dict(self.node.attributes))

    def traced(self, g: Any) -> Traced:
        """Give what the formula does with another cotangent: it is the same, whatever comes."""
        if g is self.g:
            return self.trace
        other = copy(self.trace)
        other.values = {**other.values, "g": g}
        return other

    def operand(self, name: str) -> str:
        """Call an operand of the formula by what it is here."""
        if name == "g":
            return f"∂{self.b}"
        if name == "y":
            return self.b
        names = [self.op.input_name(i) for i in range(len(self.node.inputs))]
        return self.record.called(self.node.inputs[names.index(name)]) if name in names else name


# Families


def changed_formulas(site: Site) -> Family:
    """Change a piece of the formula: what the mutants of the tests are."""
    for name, change in changes(site.trace):
        if name != "times 1 + 1e-5":
            yield _words(site, name), partial(_mutated, site, change)


def _mutated(site: Site, change: Change, g: Any) -> Any:
    return change(site.traced(g))


def _words(site: Site, name: str) -> str:
    if name in WORDS:
        return WORDS[name]
    if " for " in name:
        new, old = name.split(" for ", 1)
        return f"{site.operand(new)} is used in place of {site.operand(old)}"
    if name.startswith(("transpose left out", "swapaxes left out")):
        return "the transpose is missing"
    if name.endswith(" swapped"):
        one, other = name.removesuffix(" swapped").split(" and ")
        return f"{site.operand(one)} and {site.operand(other)} are swapped"
    return f"{UNNAMED} ({site.op.name} by {site.op.input_name(site.slot)}: {name})"


WORDS = {
    "sign": "its sign is wrong",
    "left at zero": "it is left at zero",
    "times 2": "a factor 2 is too much",
    "times K": "the division by the number of examples K is missing",
    "times 1/K": "it is divided by the number of examples K once too often",
    "last row missing": "the last row is left out",
    "g missing": "the gradient that comes from above is left out",
    "g twice": "the gradient that comes from above is taken twice",
    "one copy for the sum of all": "only the first example counts, where all are summed",
    "mean for the sum of copies": "a mean over the examples is taken where a sum belongs",
    "sum: mean": "a mean is taken where a sum belongs",
    "mean: sum": "a sum is taken where a mean belongs",
    "softmax_error: one-hot missing": "the one-hot vector of the label is not subtracted",
}


def other_operands(site: Site) -> Family:
    """Take one array of the graph for another, or the gradient of another node."""
    traced = site.trace
    for operand in traced.used:
        value = traced.values[operand]
        if np.ndim(value) == 2:
            words = f"{site.operand(operand)} is reshaped where it should be transposed"
            yield words, partial(with_operand, site, operand, _reshaped(np.asarray(value)))
            yield from _one_example(site, operand, np.asarray(value))
        if np.ndim(value):
            words = f"{site.operand(operand)} is left out, as if it were 1"
            yield words, partial(with_operand, site, operand, np.ones_like(value))
        if np.ndim(value) and np.all(value):
            words = f"{site.operand(operand)} divides where it should multiply, or the reverse"
            yield words, partial(with_operand, site, operand, 1 / np.asarray(value))
        for name, array in site.record.arrays:
            words = f"{name} is used in place of {site.operand(operand)}"
            if array.shape == np.shape(value) and not np.array_equal(array, value):
                yield words, partial(with_operand, site, operand, array)
            if array.shape == np.shape(value)[::-1] and np.ndim(value) == 2:
                words += ", transposed" if array.shape == np.shape(value) else ""
                yield words, partial(with_operand, site, operand, array.T)
    for k, g in site.record.cotangents.items():
        if k != site.k and np.shape(g) == np.shape(site.g) != ():
            other = site.record.called(site.record.nodes[k])
            words = f"∂{other} is used in place of ∂{site.b}"
            yield words, partial(_with_cotangent, site, g)


def other_arrays(site: Site) -> dict[str, Array]:
    """List what a rule gives with another array for one of its operands, of any shape."""
    found: dict[str, Array] = {}
    for operand in site.trace.used:
        for name, array in site.record.arrays:
            for value in (array, array.T):
                words = f"{name} is used in place of {site.operand(operand)}"
                try:
                    found.setdefault(words, np.asarray(with_operand(site, operand, value, site.g)))
                except ValueError:
                    continue
    return found


def _reshaped(array: Array) -> Array:
    return array.reshape(array.shape[::-1]).T


def _one_example(site: Site, operand: str, value: Array) -> Family:
    """Take one row or column of an operand for all of them."""
    for axis, lines in ((0, "rows"), (1, "columns")):
        for which, place in (("first", 0), ("last", -1)):
            line = np.take(value, [place], axis=axis)
            words = f"the {which} of the {lines} of {site.operand(operand)} stands for all of them"
            yield words, partial(with_operand, site, operand, np.broadcast_to(line, value.shape))


def with_operand(site: Site, name: str, value: Array, g: Any) -> Any:
    """Compute the part with another value for an operand of the formula."""
    replaced: dict[str, Any] = {name: value}
    return site.traced(g).run(**replaced)


def _with_cotangent(site: Site, other: Any, g: Any) -> Any:
    return site.right(other)


def factors_on_the_gradient(site: Site) -> Family:
    """Multiply what comes from above by an array that does not belong there."""
    shape = np.shape(site.g)
    for axis in range(np.ndim(site.g)):
        for which, place in (("first", 0), ("last", -1)):
            mask = np.zeros(shape[axis])
            mask[place] = 1.0
            mask = mask.reshape(-1, *[1] * (np.ndim(site.g) - axis - 1))
            line = f"the {which} {'row' if axis == 0 else 'column'} of ∂{site.b}"
            yield f"only {line} counts", partial(_scaled_above, site, mask)
            yield f"{line} is left out", partial(_scaled_above, site, 1 - mask)
    for name, array in site.record.arrays:
        try:
            fits = np.broadcast_shapes(array.shape, shape) == shape
        except ValueError:
            continue
        if not fits or array.size == 1:
            continue
        factors = [(name, array)]
        if array.shape == shape:
            factors += [
                (f"({name} > 0)", 1.0 * (array > 0)),
                (f"(1 - {name})", 1 - array),
                (f"{name} * (1 - {name})", array * (1 - array)),
                (f"(1 - {name}**2)", 1 - array**2),
            ]
        if (array != 0).all():
            factors += [(f"1 / {name}", 1 / array), (f"{name}**2", array**2)]
        for words, factor in factors:
            said = f"∂{site.b} is multiplied by {words}, which does not belong there"
            yield said, partial(_scaled_above, site, factor)


def _scaled_above(site: Site, factor: Array, g: Any) -> Any:
    return site.right(g * factor)


def wrong_derivatives(site: Site) -> Family:
    """Give wrong derivatives of a function of each entry."""
    x, y = site.x, site.y
    if np.shape(x) != np.shape(y) or np.ndim(y) == 0 or len(site.node.inputs) != 1:
        return
    a, b, op = site.a, site.b, site.op.name
    yield f"the derivative of {op} is missing", lambda g: g
    right = site.record.rule(site.k, site.slot).removeprefix(f"∂{b} * ")
    if op == "relu":
        right = f"({a} > 0)"
    K = site.record.problem.K
    guesses: dict[str, Part] = {
        f"({a} > 0)": lambda g: g * (x > 0),
        f"({a} < 0), the inverse": lambda g: g * (x < 0),
        f"(∂{b} > 0), a mask of the gradient": lambda g: g * (g > 0),
        a: lambda g: g * x,
        b: lambda g: g * y,
        f"(1 - {b})": lambda g: g * (1 - y),
        f"{b} * (1 - {b})": lambda g: g * y * (1 - y),
        f"(1 - {b}**2)": lambda g: g * (1 - y**2),
        f"(1 - {b})**2": lambda g: g * (1 - y) ** 2,
        f"(1 + {b})": lambda g: g * (1 + y),
        f"{b} * (1 + {b})": lambda g: g * y * (1 + y),
        f"(1 + {b}**2)": lambda g: g * (1 + y**2),
        f"{b}**2": lambda g: g * y**2,
        f"(1 - {a}**2)": lambda g: g * (1 - x**2),
        f"(1 - {a})": lambda g: g * (1 - x),
        f"{a} * (1 - {a})": lambda g: g * x * (1 - x),
        f"sign({a})": lambda g: g * np.sign(x),
        f"1 / ({op}'s derivative), divided where it should be multiplied": lambda g: (
            g / (site.right(np.ones_like(g)))
        ),
        f"the derivative of sigmoid at {a}": lambda g: g * _sigmoid(x) * (1 - _sigmoid(x)),
        f"the derivative of sigmoid at {b}": lambda g: g * _sigmoid(y) * (1 - _sigmoid(y)),
        f"the derivative of tanh at {a}": lambda g: g * (1 - np.tanh(x) ** 2),
        f"the derivative of tanh at {b}": lambda g: g * (1 - np.tanh(y) ** 2),
        **{
            f"that of a leaky {op}, {leak} where {a} < 0": partial(_leaky, x, leak)
            for leak in LEAKS
        },
        f"({a} > 0) alone, without the gradient from above": lambda g: (x > 0) / K,
        f"whether the row of {a} has a sum > 0": lambda g: g * (_row_sums(x, -1) > 0),
        f"whether the column of {a} has a sum > 0": lambda g: g * (_row_sums(x, 0) > 0),
        f"({b} > 0) of any entry in the row": lambda g: g * (y > 0).any(axis=-1, keepdims=True),
        f"({b} > 0) of any entry in the column": lambda g: g * (y > 0).any(axis=0, keepdims=True),
    }
    for words, part in guesses.items():
        yield f"the derivative of {op} is taken as {words}, should be {right}", part
    for name, array in site.record.arrays:
        if array.shape == np.shape(y) and name not in (a, b):
            said = f"the derivative of {op} is taken at {name}, should be at {a}"
            yield said, partial(_derivative_at, site, array)


def _row_sums(x: Array, axis: int) -> Array:
    sums: Array = x.sum(axis=axis, keepdims=True)
    return sums


def _leaky(x: Array, leak: float, g: Any) -> Any:
    return g * np.where(x > 0, 1.0, leak)


def _derivative_at(site: Site, other: Array, g: Any) -> Any:
    values = list(site.node.values)
    values[site.slot] = other
    y = site.op.function(*values, **site.node.attributes)
    return site.vjp(g, y, *values, **site.node.attributes)


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def factors_on_a_bias(site: Site) -> Family:
    """Multiply by inputs, as for a weight; or sum over too much."""
    shape = np.shape(site.x)
    if np.shape(site.g) == shape or np.ndim(site.g) != 2:
        return
    yield (
        "it is summed over everything, so that all its entries are the same",
        lambda g: np.full(shape, g.sum()),
    )
    for name, array in site.record.arrays:
        for axis, which in ((0, "row"), (1, "column")):
            if array.ndim == 2 and array.shape[1 - axis] == np.shape(site.g)[1 - axis]:
                for words, factor in (
                    (f"the first {which} of {name}", np.take(array, [0], axis=axis)),
                    (f"the last {which} of {name}", np.take(array, [-1], axis=axis)),
                    (f"the sum of {name}'s {which}s", array.sum(axis=axis, keepdims=True)),
                    (f"the mean of {name}'s {which}s", array.mean(axis=axis, keepdims=True)),
                ):
                    if not np.allclose(factor, 1):
                        said = f"it is multiplied by {words}: a bias has no such factor"
                        yield said, partial(_scaled_bias, shape, factor)


def _scaled_bias(shape: tuple[int, ...], factor: Array, g: Any) -> Any:
    return _summed(g * factor, shape)


def _summed(part: Array, shape: tuple[int, ...]) -> Array:
    extra = part.ndim - len(shape)
    sizes = (*[1] * extra, *shape)
    axes = tuple(i for i, n in enumerate(part.shape) if sizes[i] == 1 != n)
    summed: Array = part.sum(axis=axes, keepdims=True).reshape(shape)
    return summed


def softmax_errors(site: Site) -> Family:
    """Give wrong forms of softmax - onehot."""
    if site.op.name != "softmax_nll" or site.slot != 0:
        return
    z = site.x
    t = next(np.asarray(v) for v in site.node.values if np.asarray(v).dtype.kind in "iu")
    n, m = z.shape
    e, shifted = np.exp(z - z.max()), np.exp(z - z.max(axis=1, keepdims=True))
    p, onehot = e / e.sum(axis=1, keepdims=True), np.eye(m)[t]
    error = p - onehot
    guesses = {
        "it is multiplied by p (1 - p), the derivative of softmax, which is in it already": (
            error * p * (1 - p)
        ),
        "it goes through the derivative of softmax once more, which is in it already": (
            p * (error - (p * error).sum(axis=1, keepdims=True))
        ),
        "it is the gradient by the probabilities, -1/p at the label, not by the logits": -onehot
        / p,
        "it is the gradient by the logarithm of the probabilities, -1 at the label": -onehot,
        "softmax is taken over the examples, not over the classes": (
            e / e.sum(axis=0, keepdims=True) - onehot
        ),
        "softmax is taken over the examples, of logits that are shifted one by one": (
            shifted / shifted.sum(axis=0, keepdims=True) - onehot
        ),
        "softmax is taken over the whole batch at once": e / e.sum() - onehot,
        "softmax is taken over the whole batch, of logits shifted one by one": shifted
        / shifted.sum()
        - onehot,
        "the labels of all examples are subtracted from each": p - onehot.sum(axis=0),
        "1 is subtracted from each at the labels of all examples": p - onehot.max(axis=0),
        "exp, shifted, is not divided by its sum": shifted - onehot,
        "1 is subtracted from all probabilities, not from that of the label only": p - 1,
        "only the entry of the label is kept; those of the other classes are missing": (
            error * onehot
        ),
        "the entry of the label is missing": error * (1 - onehot),
        "the logits are used in place of their softmax": z - onehot,
        "exp is not divided by its sum": np.exp(z) - onehot,
        "the most probable class is taken for the label": p - np.eye(m)[z.argmax(axis=1)],
        "the squared error's gradient by the logits stands there": (
            2 * p * (error - (p * error).sum(axis=1, keepdims=True))
        ),
        "examples count by the probability of their label": error * p[np.arange(n), t][:, None],
        "examples that are classified rightly do not count": (
            error * (z.argmax(axis=1) != t)[:, None]
        ),
    }
    for shift in (1, -1):
        guesses[f"the labels are shifted by {shift:+d}: class k is taken for k{shift:+d}"] = (
            p - np.eye(m)[(t + shift) % m]
        )
        lost = np.zeros_like(onehot)
        inside = (t + shift >= 0) & (t + shift < m)
        lost[np.arange(n)[inside], (t + shift)[inside]] = 1
        guesses[f"the labels are shifted by {shift:+d}, those beyond the last are lost"] = p - lost
    for words, value in guesses.items():
        yield words, partial(_scaled_error, value / n)


def _scaled_error(value: Array, g: Any) -> Any:
    return g * value


FAMILIES = (
    wrong_derivatives,
    changed_formulas,
    softmax_errors,
    factors_on_a_bias,
    other_operands,
    factors_on_the_gradient,
)
