"""Small problems on which a hand-written backward pass is asked: sizes, parameters, a minibatch."""

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from minigraph.arrays import Array

__all__ = ["Maker", "Problem", "Sizes", "usual"]

KNOWN = {"d": 3, "dh": 5, "m": 4, "K": 6}  # all different, so that no transpose can hide
OTHERS = (7, 2, 8, 9, 10, 11, 12, 13)
LAMBDAS = (0.011, 0.023, 0.037, 0.053, 0.017, 0.041, 0.029, 0.061)  # all different too


class Sizes(dict[str, int]):
    """Sizes by name; a name that is asked for and not there gets one that no other has."""

    def __missing__(self, name: str) -> int:
        free = [
            size for size in (KNOWN.get(name, 0), *OTHERS) if size and size not in self.values()
        ]
        self[name] = free[0] if free else max(self.values()) + 1
        return self[name]


@dataclass(frozen=True)
class Problem:
    """One set of arguments: ``fprop(params, x, y, lam)``.

    Attributes
    ----------
    params : dict of str to float64 ndarray
    x, y : ndarray
    lam : tuple of float
    axes : (int or None, int or None)
        Along which axis of `x` and of `y` the examples lie.
    label : str
        What is special about it.
    sizes : dict of str to int
        Those that were asked for, but for the number of examples.
    """

    params: dict[str, Array]
    x: Array
    y: Array
    lam: tuple[float, ...]
    axes: tuple[int | None, int | None]
    label: str
    sizes: Mapping[str, int] = field(default_factory=dict)

    @property
    def K(self) -> int:
        """How many examples there are."""
        axis = self.axes[0]
        return int(self.x.shape[axis]) if axis is not None else 1

    def examples(self, which: Sequence[int] | Array) -> "Problem":
        """Take some of the examples, as often as they are listed."""
        taken = [
            array if axis is None else np.take(array, which, axis=axis)
            for array, axis in zip((self.x, self.y), self.axes)
        ]
        return replace(self, x=taken[0], y=taken[1])

    def value(self, name: str) -> Array:
        """Give a parameter, or x by any other name."""
        return self.params.get(name, self.x)

    def moved(self, name: str, value: Array) -> "Problem":
        """Put another value in the place of a parameter, or of x."""
        if name not in self.params:
            return replace(self, x=value)
        return replace(self, params={**self.params, name: value})

    def copied(self) -> "Problem":
        """Copy all arrays, as a user's function may write into them."""
        params = {name: value.copy() for name, value in self.params.items()}
        return replace(self, params=params, x=self.x.copy(), y=self.y.copy())


class Maker:
    """Makes problems from what the user gave: arrays, or functions of sizes and a generator."""

    def __init__(
        self, params: Any, batch: Any, penalties: int, axis: str | None, seed: int
    ) -> None:
        self.given_params, self.given_batch = params, batch
        self.n_penalties = penalties
        self.axis = axis
        self.seed = seed
        self.sizes = Sizes()
        self.size_of_examples: str | None = None  # the name of the size that K is
        self.narrow: dict[str, str] = {}  # parameters that came in float32, say
        self._make({}, 0)  # so that all names of sizes are known
        self.axes, self.guessed = self._find_axes()

    @property
    def grows(self) -> bool:
        """Whether problems of other sizes can be made."""
        return callable(self.given_params)

    def problem(
        self, label: str, lam: Sequence[float] = (), seed: int = 0, **sizes: int
    ) -> Problem:
        """Make a problem; sizes that are not given are the usual ones. K is how many examples."""
        K = sizes.pop("K", None)
        if K is not None and callable(self.given_batch) and self.size_of_examples:
            sizes[self.size_of_examples] = K
        params, x, y = self._make(sizes, seed)
        lam = tuple(lam) or (0.0,) * self.n_penalties
        known = {n: k for n, k in {**self.sizes, **sizes}.items() if n != self.size_of_examples}
        made = Problem(params, x, y, lam, self.axes, label, known)
        if K is not None and made.K != K:
            rng = np.random.default_rng([self.seed, seed, K])
            made = made.examples(rng.permutation(np.arange(K) % made.K))
        return made

    def settle(self, works: Callable[[Problem], bool]) -> None:
        """See whether a guess of where the examples lie works with some of them; else guess again.

        Of a square x, or where x and y have as many units, both may look like examples.
        """
        if not self.guessed:
            return
        _, x, y = self._make({}, 0)
        first = self.axes
        for place in range(x.ndim):
            self.axes = place, _other(y, x.shape[place])
            if self.axes[1] is not None and all(works(self.problem("", K=K)) for K in (2, 3)):
                return
        self.axes = first

    def lambdas(self) -> tuple[float, ...]:
        """Give penalties that all differ."""
        return tuple(LAMBDAS[i % len(LAMBDAS)] for i in range(self.n_penalties))

    def notes(self) -> list[str]:
        """Say what was guessed, and what was changed."""
        said = []
        if self.narrow:
            dtypes = " and ".join(sorted(set(self.narrow.values())))
            said.append(
                f"parameters in {dtypes} were given to the functions in float64, as slopes by "
                f"differences need its digits: {', '.join(self.narrow)}"
            )
        if self.guessed and self.axes != (None, None):
            where = "rows" if self.axes[0] == 0 else "columns"
            said.append(f"the examples were taken to be {where} of x; axis= says otherwise")
        return said

    def _make(self, sizes: Mapping[str, int], seed: int) -> tuple[dict[str, Array], Array, Array]:
        rng = np.random.default_rng([self.seed, seed])
        all_sizes = Sizes({**self.sizes, **sizes})
        params = self.given_params
        if callable(params):
            params = params(all_sizes, rng)
        batch = self.given_batch
        if callable(batch):
            batch = batch(all_sizes, rng)
        if not isinstance(params, Mapping) or not params:
            raise TypeError(
                f"check_bprop: params is a dict of arrays, or a function (sizes, rng) that gives "
                f"one; got {type(params).__name__}"
            )
        if not isinstance(batch, tuple | list) or len(batch) != 2:
            raise TypeError(
                "check_bprop: batch is a pair (x, y), or a function (sizes, rng) of one"
            )
        for name, size in all_sizes.items():
            self.sizes.setdefault(name, size)
        for name, value in params.items():
            dtype = getattr(value, "dtype", np.dtype(float))
            if dtype.kind == "f" and dtype.itemsize < 8:
                self.narrow[str(name)] = str(dtype)
        values = {str(name): _varied(_floats(name, value), rng) for name, value in params.items()}
        x, y = (np.array(part) for part in batch)
        return values, _wide(x), _wide(y)

    def _find_axes(self) -> tuple[tuple[int | None, int | None], bool]:
        """Find where the examples lie: by what grows with K, or by the labels, or as was said."""
        params, x, y = self._make({}, 0)
        named = {"rows": 0, "columns": -1}
        if self.axis is not None and self.axis not in named:
            raise ValueError(f"check_bprop: axis is 'rows' or 'columns', not {self.axis!r}")
        if callable(self.given_batch):
            for name in self.sizes:
                others, x2, y2 = self._make({name: self.sizes[name] + 3}, 0)
                if x2.ndim != x.ndim or y2.ndim != y.ndim:
                    continue
                if any(others[n].shape != v.shape for n, v in params.items()):
                    continue  # a size of the layers, though x and y have it too
                grown = tuple(
                    next((i for i, (a, b) in enumerate(zip(s.shape, t.shape)) if a != b), None)
                    for s, t in ((x, x2), (y, y2))
                )
                if None not in grown:
                    self.size_of_examples = name
                    return (grown[0], grown[1]), False
        if self.axis is not None:
            place = named[self.axis] % max(x.ndim, 1)
            return (place, _other(y, x.shape[place] if x.ndim else 1)), False
        for place in range(x.ndim):  # rows first, as most programs have them
            other = _other(y, x.shape[place])
            if other is not None:
                return (place, other), True
        return (None, None), True


def _other(y: Array, K: int) -> int | None:
    """Find the axis of the labels along which K examples lie."""
    return next((i for i, size in enumerate(y.shape) if size == K), None)


def _floats(name: Any, value: Any) -> Array:
    array = np.array(value)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"check_bprop: parameter {name} is {array.dtype}; it must be numbers")
    return array.astype(np.float64)


def _varied(value: Array, rng: np.random.Generator) -> Array:
    """Move all entries a little: whole numbers make activations of 0, where relu has a kink.

    Entries that are all equal are moved further: biases of 0 hide much, and all units alike too.
    Weights that are tied, and so the same, are moved alike.
    """
    if value.size and (value == value.flat[0]).all():
        return np.asarray(value + 0.3 * rng.normal(size=value.shape))
    alike = np.random.default_rng(zlib.crc32(value.tobytes()))
    size = np.where(value == 0, np.abs(value).max(initial=0.0), np.abs(value))
    return np.asarray(value + 0.01 * size * alike.normal(size=value.shape))


def _wide(y: Array) -> Array:
    return y.astype(np.float64) if y.dtype.kind == "f" else y


def usual(maker: Maker) -> Iterator[Problem]:
    """Make the problems that every check looks at: each shows what another hides."""
    lam = maker.lambdas()
    yield maker.problem("all sizes differ", seed=1)
    yield maker.problem("another number of examples", seed=2, K=7)
    yield maker.problem("three examples", seed=8, K=3)
    yield maker.problem("the first sizes again, with other numbers", seed=9)
    if lam:
        yield maker.problem("all penalties on", lam, seed=3, K=5)
        yield with_zeros(maker.problem("exact zeros among the weights", lam, seed=4, K=3))
    if maker.grows:
        square = dict.fromkeys(
            (n for n in maker.sizes if n not in ("K", maker.size_of_examples)), 6
        )
        yield maker.problem("all sizes equal", (), 5, K=5, **square)
        if lam:
            yield maker.problem("all sizes equal, all penalties on", lam, 10, K=5, **square)
    yield scaled(maker.problem("larger weights", seed=6, K=8), 2.5)


def with_zeros(problem: Problem) -> Problem:
    """Put a zero into each row of each matrix, but not where that makes a unit without weights.

    All its activations would be 0, where relu has a kink for all examples at once.
    """
    params = {name: value.copy() for name, value in problem.params.items()}
    for value in params.values():
        if value.ndim > 1 and min(value.shape[:2]) > 1:
            rows, columns = value.shape[:2]
            value[np.arange(rows), np.arange(rows) % columns] = 0.0
    return replace(problem, params=params)


def scaled(problem: Problem, factor: float) -> Problem:
    """Make all parameters larger."""
    return replace(problem, params={n: np.asarray(factor * v) for n, v in problem.params.items()})
