"""What operations are called with: shapes, constants and attributes that go together."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minigraph.arrays import Array
from minigraph.op import Op
from minigraph.ops import TABLE

__all__ = ["SELDOM_MET", "arrays", "broadcastable", "entries", "places", "rest", "shapes", "sizes"]

Shape = tuple[int, ...]
Draw = Callable[..., Any]


def shapes(max_dims: int = 3, min_side: int = 0, max_side: int = 3) -> st.SearchStrategy[Shape]:
    """Draw shapes, those of scalars and of empty arrays included."""
    return hnp.array_shapes(min_dims=0, max_dims=max_dims, min_side=min_side, max_side=max_side)


def broadcastable(
    n: int, max_dims: int = 3, min_side: int = 0, max_side: int = 3
) -> st.SearchStrategy[tuple[Shape, ...]]:
    """Draw `n` shapes that broadcast against each other."""
    if n == 1:
        return shapes(max_dims, min_side, max_side).map(lambda shape: (shape,))
    return hnp.mutually_broadcastable_shapes(
        num_shapes=n, max_dims=max_dims, min_side=min_side, max_side=max_side
    ).map(lambda drawn: drawn.input_shapes)


@st.composite
def arrays(
    draw: Draw, shape: Shape, low: float = -2.0, high: float = 2.0, on_grid: bool = False
) -> Array:
    """Draw a float64 array with entries between `low` and `high`, to two decimals.

    Parameters
    ----------
    shape : tuple of int
    low, high : float
    on_grid : bool
        Draw whole and half numbers, so that zeros and ties are common.
    """
    seed = draw(st.integers(0, 2**16 - 1))
    values = np.random.default_rng(seed).uniform(low, high, shape)
    return np.asarray(np.round(2 * values) / 2 if on_grid else np.round(values, 2))


def entries(
    op: Op, name: str, shape: Shape, low: float, high: float, on_grid: bool
) -> st.SearchStrategy[Array]:
    """Draw an input of an op, between `low` and `high` if it has no rule of its own."""
    if f"{op.name}.{name}" in _ENTRIES and op in TABLE:
        return _ENTRIES[f"{op.name}.{name}"](shape, on_grid)
    return arrays(shape, low, high, on_grid)


def _matrices(shape: Shape, on_grid: bool) -> st.SearchStrategy[Array]:
    """Draw matrices near one with 1, 2, 3, ... on its diagonal.

    They are regular, of full rank, and well conditioned; their eigenvalues and singular values are
    positive and differ.
    """
    diagonal = np.eye(shape[-2], shape[-1]) * np.arange(1, shape[-1] + 1)
    return arrays(shape, on_grid=on_grid).map(lambda a: a / 32 + diagonal)


_ENTRIES: dict[str, Callable[[Shape, bool], st.SearchStrategy[Array]]] = {
    **{f"{name}.a": _matrices for name in ("solve", "inv", "slogdet", "cholesky", "eigh", "svd")},
    **{
        "solve_system.ab": _matrices,
        "qr.a": _matrices,
        "pinv.a": _matrices,
        "full_rank.r": _matrices,
    },
    "over_gaps.a": lambda shape, on_grid: arrays(shape, -3, -1, on_grid),
    "over_gaps.b": lambda shape, on_grid: arrays(shape, 1, 3, on_grid),
}
# Operations whose inputs random programs seldom make
SELDOM_MET = {key.partition(".")[0] for key in _ENTRIES}


def sizes(op: Op, min_side: int) -> st.SearchStrategy[Sequence[Shape]]:
    """Draw the shapes of the inputs that get a gradient."""
    if op.name in _SIZES and op in TABLE:
        return _SIZES[op.name](min_side)
    if op.shapes:
        return _by_signature(op.shapes, min_side)
    n = len(op.input_names) or 2  # two, where any number will do
    if op.broadcasts:
        return broadcastable(n, min_side=min_side)
    return shapes(min_side=min_side).map(lambda shape: [shape] * n)


@st.composite
def rest(
    draw: Draw, op: Op, sizes: Sequence[Shape], given: dict[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    """Draw what stands beside inputs of these shapes: constants and attributes."""
    if op.name in _CONSTANTS and op in TABLE:
        constants, attributes = draw(_CONSTANTS[op.name](*sizes))
    else:
        constants, attributes = [], {}
    for name in op.defaults:
        if name not in attributes and name not in given:
            attributes[name] = draw(_attribute(op, name, sizes[0]))
    return constants, {**attributes, **given}


@st.composite
def _by_signature(draw: Draw, signature: str, min_side: int) -> list[Shape]:
    """Draw shapes by a text like ``(..., n, k), (..., k, m)``."""
    parts = [re.findall(r"[\w.]+", part) for part in re.findall(r"\((.*?)\)", signature)]
    letters = {name: draw(st.integers(min_side, 4)) for part in parts for name in part}
    loops = draw(broadcastable(len(parts), max_dims=2, min_side=min_side))
    return [
        tuple(n for name in part for n in (loop if name == "..." else (letters[name],)))
        for part, loop in zip(parts, loops)
    ]


def places(size: int, n: int) -> st.SearchStrategy[Array]:
    """Draw `n` places along an axis of this size, repeated ones included; labels are such too."""
    return st.lists(st.integers(0, size - 1), min_size=n, max_size=n).map(np.array)


# Attributes, by name


def _attribute(op: Op, name: str, shape: Shape) -> st.SearchStrategy[Any]:
    make = _ATTRIBUTES.get(f"{op.name}.{name}") or _ATTRIBUTES.get(name)
    if make is None:
        raise TypeError(
            f"calls: no rule to draw the attribute {name} of {op.name}; give it: "
            f"calls({op.name}, {name}=...)"
        )
    return make(shape)


def _axes(shape: Shape) -> st.SearchStrategy[Any]:
    return st.none() | hnp.valid_tuple_axes(len(shape)) | _axis(shape)


def _axis(shape: Shape) -> st.SearchStrategy[Any]:
    return st.integers(-len(shape), len(shape) - 1) if shape else st.none()


def _new_axis(shape: Shape) -> st.SearchStrategy[int]:
    return st.integers(-len(shape) - 1, len(shape))


def _same_size(shape: Shape) -> st.SearchStrategy[Shape]:
    size = int(np.prod(shape))
    return st.sampled_from([(size,), (-1,) if size else (0,), (1, size), (size, 1), shape[::-1]])


_ATTRIBUTES: dict[str, Callable[[Shape], st.SearchStrategy[Any]]] = {
    "axis": _axes,
    "keepdims": lambda shape: st.booleans(),
    "exponent": lambda shape: st.sampled_from([2, 3, 1, 0, 0.5, -1, -2.5]),
    "base": lambda shape: st.sampled_from([2, 0.5, 1, 3.0]),
    "dtype": lambda shape: st.just(np.float64),
    "axes": lambda shape: st.none() | st.permutations(range(len(shape))).map(tuple),
    "axis1": _axis,
    "axis2": _axis,
    "reshape.shape": _same_size,
    "broadcast_to.shape": lambda shape: st.sampled_from(
        [shape, (2, *shape), (1, *shape), (2, 1, *shape)]
    ),
    "convolve.mode": lambda shape: st.sampled_from(["full", "valid"]),
    "polygamma.n": lambda shape: st.sampled_from([1, 2, 3]),
    "UPLO": lambda shape: st.sampled_from("LU"),
    "rcond": lambda shape: st.just(1e-9),
    "of": lambda shape: st.sampled_from(["eigh", "svd"]),
    "pairs": lambda shape: st.booleans(),
    "prod.axis": lambda shape: _axes(shape) | _axis(shape),
    "cumsum.axis": lambda shape: st.none() | _axis(shape),
    "cumprod.axis": lambda shape: st.none() | _axis(shape),
    "expand_dims.axis": _new_axis,
    "stack.axis": _new_axis,
    "squeeze.axis": lambda shape: st.sampled_from(
        [None, *(i for i, n in enumerate(shape) if n == 1)]
    ),
}


# Operations whose shapes, or whose constants, follow a rule of their own


@st.composite
def _joined(draw: Draw, min_side: int) -> list[Shape]:
    """Draw shapes that differ along one axis at the most."""
    shape = draw(shapes(min_side=min_side).filter(len))
    axis = draw(st.integers(0, len(shape) - 1))
    lengths = draw(st.lists(st.integers(min_side, 3), min_size=1, max_size=3))
    return [(*shape[:axis], n, *shape[axis + 1 :]) for n in lengths]


@st.composite
def _joint(draw: Draw, *sizes: Shape) -> Any:
    """Draw an axis along which arrays of these shapes can be joined, if there is one."""
    rests = [[shape[:i] + shape[i + 1 :] for shape in sizes] for i in range(len(sizes[0]))]
    fitting = [i for i, shapes in enumerate(rests) if len(set(shapes)) == 1]
    axis = draw(st.sampled_from(fitting or [0]))
    return [], {"axis": draw(st.sampled_from([axis, axis - len(sizes[0])]))}


def _matrix(min_side: int) -> st.SearchStrategy[Sequence[Shape]]:
    return st.tuples(st.integers(1, 4), st.integers(1, 4)).map(lambda shape: [shape])


_SUMS = ("i->i", "ij->ji", "i,i->", "ij,j->i", "ij,ij->ij", "i,j->ij", "ij,jk->ki", "bij,bjk->bik",
         "ij,jk,ki->k", "ij,jk,k->i", "i,ij,j->")  # fmt: skip


@st.composite
def _contracted(draw: Draw, min_side: int) -> list[Shape]:
    """Draw shapes for one of the sums."""
    left, _ = draw(st.sampled_from(_SUMS)).split("->")
    size = st.integers(min_side, 3)
    # Half of them have equal shapes, where one can be taken for another.
    letters: dict[str, Any] = dict.fromkeys("bijk", draw(size))
    if draw(st.booleans()):
        letters = {c: draw(size) for c in "bijk"}
    return [tuple(letters[c] for c in term) for term in left.split(",")]


def _subscripts(*sizes: Shape) -> st.SearchStrategy[Any]:
    """Draw one of the sums that arrays of these shapes allow."""

    def fits(text: str) -> bool:
        terms = text.partition("->")[0].split(",")
        pairs = [p for term, shape in zip(terms, sizes) for p in zip(term, shape)]
        return [*map(len, terms)] == [*map(len, sizes)] and len(set(pairs)) == len(dict(pairs))

    fitting = [text for text in _SUMS if fits(text)] or [_SUMS[0]]
    return st.sampled_from(fitting).map(lambda text: ([], {"subscripts": text}))


def _sheets(min_side: int) -> st.SearchStrategy[Sequence[Shape]]:
    """Draw any shape, and often one whose axes can be told apart."""
    sheets = hnp.array_shapes(min_dims=2, min_side=2, max_side=4, max_dims=3)
    return (shapes(min_side=min_side) | sheets).map(lambda shape: [shape])


def _tall(min_side: int) -> st.SearchStrategy[Sequence[Shape]]:
    """Draw shapes of matrices with at least as many rows as columns."""
    drawn = _by_signature("(..., n, m)", min_side)
    return drawn.map(lambda sizes: [(*sizes[0][:-2], *sorted(sizes[0][-2:], reverse=True))])


_SIZES: dict[str, Callable[[int], st.SearchStrategy[Sequence[Shape]]]] = {
    "concatenate": _joined,
    "stack": lambda min_side: shapes(min_side=min_side).flatmap(
        lambda shape: st.integers(1, 3).map(lambda n: [shape] * n)
    ),
    "getitem": lambda min_side: shapes(min_side=min_side).map(lambda shape: [shape]),
    "scatter": lambda min_side: shapes(min_side=1).filter(len).map(lambda shape: [shape]),
    "einsum": _contracted,
    "prod": _sheets,
    "cumprod": _sheets,
    "qr": _tall,
    "solve_system": lambda min_side: _by_signature("(..., n, n), (..., n, k)", min_side).map(
        lambda sizes: [(*sizes[0][:-1], sizes[0][-1] + sizes[1][-1])]
    ),
    "pinv": lambda min_side: _by_signature("(..., n, m)", min_side),
    "softmax_nll": _matrix,
    "softmax_error": lambda min_side: _matrix(1).map(lambda sizes: [*sizes, (sizes[0][0], 1)]),
    "spread": lambda min_side: shapes(max_dims=2, min_side=min_side).map(lambda shape: [shape]),
    "where": lambda min_side: broadcastable(2, min_side=min_side),
    "elastic_net": lambda min_side: shapes(min_side=min_side).map(lambda shape: [shape, (), ()]),
    "l1_penalty": lambda min_side: shapes(min_side=min_side).map(lambda shape: [shape]),
}


@st.composite
def _index(draw: Draw, shape: Shape) -> Any:
    """Draw slices, integers, new axes; integer arrays with repeated places; or a mask."""
    kind = draw(st.sampled_from(["basic", "places", "pairs", "mask"]))
    if kind == "basic" or not shape or 0 in shape:
        return [], {"index": draw(hnp.basic_indices(shape, allow_newaxis=True))}
    if kind == "mask":
        every = draw(st.integers(2, 3))
        return [], {"index": np.arange(np.prod(shape)).reshape(shape) % every == 0}
    n = draw(st.integers(1, 4))
    used = shape[: 2 if kind == "pairs" else 1]
    index = tuple(draw(places(size, n)) for size in used)
    return [], {"index": index if len(index) > 1 else index[0]}


@st.composite
def _condition(draw: Draw, a: Shape, b: Shape) -> Any:
    return [draw(arrays(draw(st.sampled_from([a, b])))) > 0], {}


def _labels(logits: Shape, *rest: Shape) -> st.SearchStrategy[Any]:
    if len(logits) != 2 or 0 in logits:
        return st.just(([np.zeros(0, int)], {}))
    return places(logits[1], logits[0]).map(lambda labels: ([labels], {}))


_CONSTANTS: dict[str, Callable[..., st.SearchStrategy[tuple[list[Any], dict[str, Any]]]]] = {
    "concatenate": _joint,
    "einsum": _subscripts,
    "getitem": _index,
    "scatter": lambda shape: places(3, shape[0]).map(
        lambda drawn: ([np.zeros((3, *shape[1:])), drawn], {"index": ("array",)})
    ),
    "softmax_nll": _labels,
    "softmax_error": _labels,
    "spread": lambda shape: st.sampled_from(
        [
            ([np.zeros((2, *shape))], {"axis": 0, "keepdims": False}),
            ([np.zeros((*shape, 3))], {"axis": -1, "keepdims": False}),
            ([np.zeros(shape)], {"axis": (), "keepdims": True}),
        ]
    ),
    "where": _condition,
}
