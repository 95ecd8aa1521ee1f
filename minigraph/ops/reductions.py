"""Reductions: axes are summed up, or searched, and `keepdims` keeps them with size 1."""

import math
from typing import Any

import numpy as np

from minigraph.op import Kink, Op
from minigraph.tensor import Tensor

Axis = int | tuple[int, ...] | None


def put_back(r: Any, x: Any, axis: Axis, keepdims: bool) -> Any:
    """Put the reduced axes of `r` back with size 1, so that it broadcasts against `x`."""
    if keepdims or axis is None or r.ndim == x.ndim:  # a scalar broadcasts as it is
        return r
    return np.expand_dims(r, axis)


def _spread(r, x, *, axis, keepdims):
    """Repeat `r` along the axes over which `x` was summed: the adjoint of `sum`."""
    return np.broadcast_to(put_back(r, x, axis, keepdims), x.shape)


spread = Op(
    _spread,
    r=lambda g, y, r, x, axis, keepdims: g.sum(axis=axis, keepdims=keepdims),
    x=None,
    name="spread",
    texts={"r": "{g}.sum(axis={axis}, keepdims={keepdims})"},
)


def _sum(x, *, axis=None, keepdims=False):
    """Add up the entries along the axes."""
    return np.sum(x, axis=axis, keepdims=keepdims)


sum = Op(
    _sum,
    x=lambda g, y, x, axis, keepdims: spread(g, x, axis=axis, keepdims=keepdims),
    name="sum",
    texts={"x": "spread({g})"},
)


def _mean(x, *, axis=None, keepdims=False):
    """Average the entries along the axes."""
    return np.mean(x, axis=axis, keepdims=keepdims)


mean = Op(
    _mean,
    x=lambda g, y, x, axis, keepdims: spread(
        g * ((g.size or 1) / (x.size or 1)), x, axis=axis, keepdims=keepdims
    ),
    name="mean",
    texts={"x": "spread({g} * ({y}.size / {x}.size))"},
)


def rows_of(x: Any, axis: Axis) -> Any:
    """Put the axes last, as one; `back_from_rows` undoes it."""
    order, sizes = _order(x, axis)
    return np.transpose(x, order).reshape(*sizes, x.size // (math.prod(sizes) or 1))


def back_from_rows(rows: Any, x: Any, axis: Axis) -> Any:
    """Give the entries of `rows` the places that those of `x` had before `rows_of`."""
    order, _ = _order(x, axis)
    y = rows.reshape([x.shape[i] for i in order])
    return np.transpose(y, [order.index(i) for i in range(x.ndim)])


def _order(x: Any, axis: Axis) -> tuple[list[int], list[int]]:
    """Give the axes with those of `axis` at the end, and the sizes of the others."""
    axes = range(x.ndim) if axis is None else np.atleast_1d(axis) % (x.ndim or 1)
    last = [int(i) for i in axes if x.ndim]
    kept = [i for i in range(x.ndim) if i not in last]
    return kept + last, [x.shape[i] for i in kept]


def _prod(x, *, axis=None, keepdims=False):
    """Multiply the entries along the axes."""
    return np.prod(x, axis=axis, keepdims=keepdims)


def _others(x: Any, axis: Axis) -> Any:
    """Multiply, for each entry, all the others: those before it by those after it.

    Nothing is divided, so an entry may be 0, and the derivative of this is right there too.
    """
    rows = rows_of(x, axis)
    one = np.ones(rows[..., :1].shape, rows.dtype)
    before = np.cumprod(np.concatenate([one, rows[..., :-1]], axis=-1), axis=-1)
    after = np.cumprod(np.concatenate([one, rows[..., :0:-1]], axis=-1), axis=-1)[..., ::-1]
    return back_from_rows(before * after, x, axis)


prod = Op(
    _prod,
    x=lambda g, y, x, axis, keepdims: put_back(g, x, axis, keepdims) * _others(x, axis),
    name="prod",
    texts={"x": "{g} * others({x})"},
)


def _dot(a, b):
    """Sum the products of the entries of two vectors."""
    return np.dot(a, b)


vector_product = Op(
    _dot,
    a=lambda g, y, a, b: g * b,
    b=lambda g, y, a, b: g * a,
    name="dot",
    symbol="@",
    shapes="(k), (k)",
    texts={"a": "{g} * {b}", "b": "{g} * {a}"},
)


def _norm(x, *, axis=None, keepdims=False):
    """Compute the length √Σ x² along the axes."""
    if axis is None:
        return np.linalg.norm(x, keepdims=keepdims)  # by a dot product, without an array of squares
    return np.sqrt(np.sum(x * x, axis=axis, keepdims=keepdims))


norm = Op(
    _norm,
    x=lambda g, y, x, axis, keepdims: put_back(g / np.where(y == 0, 1, y), x, axis, keepdims) * x,
    name="norm",
    kinks=[
        Kink(
            "all entries are 0",
            "0",
            lambda x, axis=None, keepdims=False: np.broadcast_to(
                _norm(x, axis=axis, keepdims=True), x.shape
            ),
        )
    ],
    texts={"x": "{g} / where({y} == 0, 1, {y}) * {x}"},
)


def _share(g: Any, y: Any, x: Any, axis: Axis, keepdims: bool) -> Any:
    """Give the cotangent of an extremum to the entries that reach it, in equal parts."""
    reached = (x == put_back(y, x, axis, keepdims)).astype(x.dtype)
    return put_back(g, x, axis, keepdims) / reached.sum(axis=axis, keepdims=True) * reached


def _lead(x: Any, *, axis: Axis = None, keepdims: bool = False) -> Any:
    """Distance between the two largest entries along the axes: 0 where they tie."""
    rows = rows_of(x, axis)
    top = np.sort(rows, axis=-1)[..., -2:]
    return top[..., -1] - top[..., 0] if rows.shape[-1] > 1 else np.inf


def _max(x, *, axis=None, keepdims=False):
    """Find the largest entry along the axes."""
    return np.max(x, axis=axis, keepdims=keepdims)


max = Op(
    _max,
    x=lambda g, y, x, axis, keepdims: _share(g, y, x, axis, keepdims),
    name="max",
    kinks=[Kink("the largest entries are equal", "an equal share for each", _lead)],
    texts={"x": "share({g}, {x} == {y})"},
)


def _min(x, *, axis=None, keepdims=False):
    """Find the smallest entry along the axes."""
    return np.min(x, axis=axis, keepdims=keepdims)


min = Op(
    _min,
    x=lambda g, y, x, axis, keepdims: _share(g, y, x, axis, keepdims),
    name="min",
    kinks=[
        Kink(
            "the smallest entries are equal",
            "an equal share for each",
            lambda x, axis=None, keepdims=False: _lead(-x, axis=axis),
        )
    ],
    texts={"x": "share({g}, {x} == {y})"},
)


def _logsumexp(x, *, axis=None, keepdims=False):
    """Compute ln Σ eˣ along the axes without overflow: the largest entry is taken out first."""
    largest = x.max(axis=axis, keepdims=True)
    y = np.log(np.exp(x - largest).sum(axis=axis, keepdims=True)) + largest
    y = np.fmax(y, largest)  # never less; where the largest is infinite, y is nan so far
    return y if keepdims else np.squeeze(y, axis)


def _shares(y: Any, x: Any, axis: Axis, keepdims: bool) -> Any:
    """Compute the softmax of `x` from its logsumexp; 0 where all entries are -inf."""
    return np.exp(x - put_back(np.where(y == -np.inf, 0, y), x, axis, keepdims))


logsumexp = Op(
    _logsumexp,
    x=lambda g, y, x, axis, keepdims: (
        put_back(g, x, axis, keepdims) * _shares(y, x, axis, keepdims)
    ),
    name="logsumexp",
    texts={"x": "{g} * exp({x} - {y})"},
)

# Running sums and products


def _cumsum(x, *, axis=None):
    """Add up the entries along an axis, or of the flat form, and keep each sum on the way."""
    return np.cumsum(x, axis=axis)


cumsum = Op(
    _cumsum,
    x=lambda g, y, x, axis: np.flip(np.cumsum(np.flip(g, axis), axis), axis).reshape(x.shape),
    name="cumsum",
    texts={"x": "flip(cumsum(flip({g}))).reshape({x}.shape)"},
)


def _cumprod(x, *, axis=None):
    """Multiply the entries along an axis, or of the flat form, and keep each product on the way."""
    return np.cumprod(x, axis=axis)


def _from_later(g: Any, y: Any, x: Any, axis: int | None) -> Any:
    """Sum, for each entry, the cotangents of the products that it is in, by their other factors.

    These are the product of all before it, times r = g + (the next entry) * (the next r). Such a
    sum over the next, the next two, the next four, ... is made of two sums of half as many.
    Nothing is divided, so an entry may be 0, and the derivative of this is right there too.
    """
    g, y, rows = (np.swapaxes(np.reshape(z, y.shape), axis or 0, -1) for z in (g, y, x))
    r, factors, step = g, rows[..., 1:], 1
    while step < rows.shape[-1]:
        r = np.concatenate([r[..., :-step] + factors * r[..., step:], r[..., -step:]], axis=-1)
        factors = factors[..., :-step] * factors[..., step:]
        step *= 2
    one = np.ones(y[..., :1].shape, y.dtype)
    before = np.concatenate([one, y[..., :-1]], axis=-1)
    return np.swapaxes(before * r, axis or 0, -1).reshape(x.shape)


cumprod = Op(
    _cumprod,
    x=lambda g, y, x, axis: _from_later(g, y, x, axis),
    name="cumprod",
    texts={"x": "from_later({g}, {x})"},
)


def cumulative_sum(x: Any, *, axis: int | None = None, include_initial: bool = False) -> Tensor:
    """Compute `cumsum` along an axis, which a vector need not name; from 0 on, if asked."""
    return _cumulative("cumulative_sum", cumsum, x, axis, 0 if include_initial else None)


def cumulative_prod(x: Any, *, axis: int | None = None, include_initial: bool = False) -> Tensor:
    """Compute `cumprod` along an axis, which a vector need not name; from 1 on, if asked."""
    return _cumulative("cumulative_prod", cumprod, x, axis, 1 if include_initial else None)


def _cumulative(name: str, function: Any, x: Any, axis: int | None, first: int | None) -> Tensor:
    if axis is None and x.ndim != 1:
        raise ValueError(f"{name}: {x.ndim} axes; say along which one, axis=...")
    axis = axis or 0
    if first is not None:
        start = x.shape[:axis] + (1,) + x.shape[axis % x.ndim + 1 :]
        x = np.concatenate([np.full(start, first, x.dtype), x], axis)
    return function(x, axis=axis)


# Constants by rule: places and truth values carry no gradient.


def _argmax(x, *, axis=None, keepdims=False):
    """Find the place of the first largest entry."""
    return np.argmax(x, axis=axis, keepdims=keepdims)


def _argmin(x, *, axis=None, keepdims=False):
    """Find the place of the first smallest entry."""
    return np.argmin(x, axis=axis, keepdims=keepdims)


def _any(x, *, axis=None, keepdims=False):
    """Tell whether any entry is true."""
    return np.any(x, axis=axis, keepdims=keepdims)


def _all(x, *, axis=None, keepdims=False):
    """Tell whether all entries are true."""
    return np.all(x, axis=axis, keepdims=keepdims)


argmax = Op(_argmax, x=None, name="argmax")
argmin = Op(_argmin, x=None, name="argmin")
any = Op(_any, x=None, name="any")
all = Op(_all, x=None, name="all")
