"""Products of arrays: sums over shared indices, and those that NumPy has a name for."""

import math
import string
from collections.abc import Sequence
from typing import Any

import numpy as np

from minigraph.op import Op
from minigraph.ops import reductions
from minigraph.ops.elementwise import multiply
from minigraph.ops.linalg import matmul, tensordot
from minigraph.ops.rearranging import moveaxis, roll
from minigraph.ops.selecting import diagonal, with_shape
from minigraph.ops.shaping import reshape
from minigraph.tensor import Tensor

# Einstein's sums. The op takes them in a normal form, in which the cotangent of an input is a sum
# of the same form: of g and the other inputs. Each index is in the result or in two inputs, in no
# input twice, and of one size everywhere.


def _einsum(*arrays, subscripts):
    """Multiply entries by their indices, and sum over those that the result does not have."""
    if not isinstance(subscripts, str):
        raise TypeError(f"subscripts is text like 'ij,jk->ik', not {subscripts!r}")
    terms = subscripts.split("->")[0].split(",")
    sizes = {c: n for term, x in zip(terms, arrays) for c, n in zip(term, x.shape)}
    # Another order, or BLAS, pays where entries are used many times; to find it takes 30 µs.
    many = math.prod(sizes.values()) > 50_000 + 8 * sum(x.size for x in arrays)
    return np.einsum(subscripts, *arrays, optimize=many)


def _other_side(g: Any, arrays: Sequence[Any], i: int, subscripts: str) -> Any:
    left, right = subscripts.split("->")
    terms = left.split(",")
    others = [j for j in range(len(arrays)) if j != i]
    wanted = ",".join([right, *(terms[j] for j in others)]) + "->" + terms[i]
    return contraction(g, *(arrays[j] for j in others), subscripts=wanted)


contraction: Op = Op(
    _einsum,
    each=lambda i: lambda g, y, *arrays, subscripts: _other_side(g, arrays, i, subscripts),
    name="einsum",
)


def einsum(subscripts: Any, *operands: Any, optimize: Any = True) -> Tensor:
    """Sum products of entries by Einstein's convention, as `numpy.einsum` does.

    Any number of operands, ``...``, repeated indices, and NumPy's form with lists of integers.
    """
    if not isinstance(subscripts, str):
        subscripts, operands = _from_lists([subscripts, *operands])
    arrays = [with_shape(x) for x in operands]
    terms, result = _parsed(subscripts, arrays)
    sizes = _sizes(subscripts, terms, arrays)
    for i, term in enumerate(terms):
        arrays[i], terms[i] = _without_repeats(arrays[i], term)
        kept = [c for c, n in zip(terms[i], arrays[i].shape) if n == sizes[c]]
        if len(kept) < len(terms[i]):  # size 1 is repeated for the others
            arrays[i] = arrays[i].reshape([sizes[c] for c in kept])
            terms[i] = "".join(kept)
    for i, term in enumerate(terms):
        elsewhere = result + "".join(terms[:i] + terms[i + 1 :])
        alone = tuple([place for place, c in enumerate(term) if c not in elsewhere])
        if alone:
            arrays[i] = reductions.sum(arrays[i], axis=alone)
            terms[i] = "".join([c for c in term if c in elsewhere])
    return contraction(*arrays, subscripts=f"{','.join(terms)}->{result}")


def _from_lists(given: Sequence[Any]) -> tuple[str, tuple[Any, ...]]:
    """Write ``einsum(x, [0, 1], y, [1, 2], [0, 2])`` as the usual form."""
    pairs, last = given[: len(given) // 2 * 2], given[len(given) // 2 * 2 :]

    def term(indices: Any) -> str:
        return "".join(["..." if i is Ellipsis else string.ascii_letters[i] for i in indices])

    text = ",".join(map(term, pairs[1::2])) + "".join([f"->{term(result)}" for result in last])
    return text, tuple(pairs[::2])


def _parsed(subscripts: str, arrays: Sequence[Any]) -> tuple[list[str], str]:
    """Give the indices of each operand and of the result, letters in place of ``...``."""
    text = subscripts.replace(" ", "")
    left, arrow, result = text.partition("->")
    terms = left.split(",")
    if len(terms) != len(arrays):
        raise ValueError(f"einsum: {subscripts!r} has {len(terms)} terms for {len(arrays)} arrays")
    free = [c for c in string.ascii_letters if c not in text]
    widest = max([x.ndim - len(t) + 3 for t, x in zip(terms, arrays) if "..." in t], default=0)
    dots = "".join(free[: max(widest, 0)])
    if not arrow:
        letters = left.replace(",", "").replace(".", "")
        result = ("..." if "..." in left else "") + "".join(
            sorted(c for c in set(letters) if letters.count(c) == 1)
        )
    for i, (term, x) in enumerate(zip(terms, arrays)):
        n = x.ndim - len(term) + 3 if "..." in term else 0
        terms[i] = term.replace("...", dots[len(dots) - max(n, 0) :], 1)
        if n < 0 or len(terms[i]) != x.ndim or not (terms[i] + "a").isalpha():
            raise ValueError(f"einsum: {subscripts!r}: {term!r} does not index {x.shape}")
    if dots and "..." not in result:
        raise ValueError(f"einsum: {subscripts!r}: the result lacks the axes of '...'")
    result = result.replace("...", dots, 1)
    unknown = [c for c in result if c not in "".join(terms) or result.count(c) > 1]
    if unknown:
        raise ValueError(
            f"einsum: {subscripts!r}: {unknown[0]!r} of the result is in no operand, or twice in it"
        )
    return terms, result


def _sizes(subscripts: str, terms: Sequence[str], arrays: Sequence[Any]) -> dict[str, int]:
    """Give the size of each index; size 1 broadcasts."""
    sizes: dict[str, int] = {}
    for term, x in zip(terms, arrays):
        for c, n in zip(term, x.shape):
            if sizes.setdefault(c, n) == 1:
                sizes[c] = n
            elif n not in (1, sizes[c]):
                shapes = ", ".join([str(x.shape) for x in arrays])
                raise ValueError(
                    f"einsum: {subscripts!r}: {shapes}: index {c!r} has sizes {sizes[c]} and {n}"
                )
    return sizes


def _without_repeats(x: Any, term: str) -> tuple[Any, str]:
    """Take the diagonal of axes that have the same index."""
    for c in sorted(set(term)):
        while term.count(c) > 1:
            first, second = term.index(c), term.rindex(c)
            if x.shape[first] != x.shape[second]:
                raise ValueError(f"einsum: index {c!r} twice, of sizes {x.shape} along its axes")
            x = diagonal(x, 0, first, second)
            term = term[:first] + term[first + 1 : second] + term[second + 1 :] + c
    return x, term


# Products with names


def vdot(a: Any, b: Any) -> Tensor:
    """Multiply the flat forms as vectors."""
    return matmul(reshape(a, (-1,)), reshape(b, (-1,)))


def inner(a: Any, b: Any) -> Tensor:
    """Sum products over the last axes."""
    a, b = with_shape(a), with_shape(b)
    if a.ndim == 0 or b.ndim == 0:
        return multiply(a, b)
    return matmul(a, b) if b.ndim == 1 else tensordot(a, b, (-1, -1))


def outer(a: Any, b: Any) -> Tensor:
    """Multiply every entry of `a` by every one of `b`."""
    return matmul(reshape(a, (-1, 1)), reshape(b, (1, -1)))


def vecdot(a: Any, b: Any, *, axis: int = -1) -> Tensor:
    """Sum products over an axis of both."""
    return reductions.sum(multiply(moveaxis(a, axis, -1), moveaxis(b, axis, -1)), axis=-1)


def matvec(a: Any, b: Any) -> Tensor:
    """Multiply (stacks of) matrices by vectors."""
    return matmul(a, with_shape(b)[..., None])[..., 0]


def vecmat(a: Any, b: Any) -> Tensor:
    """Multiply (stacks of) vectors by matrices."""
    return matmul(with_shape(a)[..., None, :], b)[..., 0, :]


def kron(a: Any, b: Any) -> Tensor:
    """Put a copy of `b`, times each entry of `a`, in the place of that entry."""
    a, b = with_shape(a), with_shape(b)
    ndim = max(a.ndim, b.ndim)
    rows, columns = ([1] * (ndim - x.ndim) + list(x.shape) for x in (a, b))
    left = reshape(a, tuple([n for size in rows for n in (size, 1)]))
    right = reshape(b, tuple([n for size in columns for n in (1, size)]))
    return multiply(left, right).reshape([n * m for n, m in zip(rows, columns)])


def cross(
    a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Tensor:
    """Compute the vector product in space."""
    axisa, axisb, axisc = (axisa, axisb, axisc) if axis is None else (axis, axis, axis)
    a, b = moveaxis(a, axisa, -1), moveaxis(b, axisb, -1)
    if a.shape[-1] != 3 or b.shape[-1] != 3:
        raise ValueError(f"cross: {a.shape} and {b.shape}: vectors of 3 entries are meant")
    first = multiply(roll(a, -1, -1), roll(b, 1, -1))
    return moveaxis(first - multiply(roll(a, 1, -1), roll(b, -1, -1)), -1, axisc)
