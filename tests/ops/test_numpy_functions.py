"""NumPy's functions that are written with other operations: the same text, of arrays and Tensors.

They have no formulas of their own, so the laws of the table say nothing of how they are put
together. Here each call is run as it stands: on arrays it is NumPy's, on Tensors it is ours.
"""

import numpy as np
import pytest

import minigraph as mg
from minigraph.testing import check_gradients

RNG = np.random.default_rng(5)
INPUTS = {
    "s": np.array(0.75),
    "v": np.array([0.5, -1.25, 2.0, 0.75]),
    "w": np.array([1.5, 0.25, 1.0]),
    "x": np.round(RNG.permutation(12).reshape(3, 4) / 4 - 1.3, 3),  # no two entries are equal
    "m": np.round(RNG.permutation(12).reshape(4, 3) / 5 - 1.1, 3),
    "t": np.round(RNG.permutation(24).reshape(2, 3, 4) / 9 - 1.3, 3),
}
MISSING = np.array([[1.0, np.nan, 3.0], [0.5, 2.0, np.nan]])

ELEMENTWISE = """
np.fmax(x, v)
np.fmin(x, v)
np.fmax(x, 0.1)
np.copysign(x, v)
np.copysign(x, -0.0)
np.nan_to_num(x)
np.deg2rad(x)
np.rad2deg(x)
np.radians(x)
np.degrees(x)
np.divmod(x, v)
divmod(x, 0.7)
divmod(0.7, v)
np.modf(x)
np.real(x)
np.conj(x)
np.round(x, 1) + x
x.round() * x
np.heaviside(x, 0.5) * x
np.fix(x) * x
"""
STATISTICS = """
np.prod(x, axis=0)
np.prod(v)
x.prod(axis=(0, -1), keepdims=True)
np.var(x)
np.var(x, axis=0, ddof=1)
x.var(axis=(0, -1), keepdims=True)
np.var(t, axis=(0, 2))
np.std(x)
np.std(x, 1, ddof=1, keepdims=True)
t.std(axis=(-1, 0))
np.ptp(x)
np.ptp(x, axis=-1, keepdims=True)
np.cumsum(x)
x.cumsum(axis=1)
np.cumsum(t, -2)
np.cumprod(x)
x.cumprod(axis=-1)
np.cumprod(t, axis=0)
np.average(x)
np.average(x, axis=1)
np.average(x, weights=x + 5)
np.average(x, axis=0, weights=w)
np.average(t, axis=(2, 1), weights=x.T + 4, keepdims=True)
np.average(x, axis=1, weights=np.arange(4) + 1, returned=True)[0]
np.median(x)
np.median(v, keepdims=True)
np.median(x, axis=0)
np.median(t, axis=(0, -1), keepdims=True)
np.quantile(x, 0.3)
np.quantile(t, [0.1, 0.55, 1], axis=1)
np.quantile(t, [[0.1, 0.9]], axis=(0, 2), keepdims=True)
np.percentile(x, 30, axis=-1)
np.percentile(v, [0, 100])
np.diff(x)
np.diff(t, 2, axis=1)
np.diff(v, prepend=0, append=v)
np.nansum(x, axis=0)
np.nanprod(x, axis=1)
np.nanmean(x, keepdims=True)
np.nanmax(x, axis=1)
np.nanmin(x, axis=1)
np.nanvar(x, axis=1, ddof=1)
np.nanstd(x)
np.nancumsum(x, axis=1)
np.nancumprod(x, axis=1)
np.linalg.norm(v)
np.linalg.norm(x)
np.linalg.norm(x, axis=1, keepdims=True)
np.linalg.norm(t, axis=(0, 2))
np.linalg.norm(v, 1)
np.linalg.norm(v, 3)
np.linalg.norm(v, np.inf)
np.linalg.norm(v, -np.inf)
np.linalg.norm(x, 0, axis=1) * w
np.linalg.norm(x, 2.5, axis=0, keepdims=True)
np.linalg.norm(x, "fro")
np.linalg.norm(x, 1)
np.linalg.norm(x, -1, keepdims=True)
np.linalg.norm(t, np.inf, axis=(0, 2))
np.linalg.norm(t, -np.inf, axis=(2, 1))
np.linalg.vector_norm(t, axis=(0, 1))
np.linalg.vector_norm(x, ord=1)
np.linalg.matrix_norm(t)
"""
SHAPING = """
np.ravel(x)
x.ravel()
x.flatten()
np.moveaxis(t, 0, -1)
np.moveaxis(t, (0, 1), (-1, 0))
np.matrix_transpose(t)
np.permute_dims(t, (2, 0, 1))
np.atleast_1d(s)
np.atleast_2d(s, v, x)
np.atleast_3d(s, v, x, t)
np.flip(t)
np.flip(t, 1)
np.flip(t, (0, -1))
np.flipud(x)
np.fliplr(x)
np.roll(x, 2)
np.roll(x, -1, axis=1)
np.roll(t, (1, 5), axis=(0, 2))
np.roll(t, 1, axis=(0, 1))
np.rot90(x)
np.rot90(x, 2)
np.rot90(t, 3, axes=(1, 2))
np.rot90(t, -3, axes=(2, 0))
np.rot90(x, 4)
np.tile(v, 2)
np.tile(x, (2, 1))
np.tile(x, (2, 1, 3))
np.tile(s, 3)
np.repeat(x, 2)
np.repeat(x, 3, axis=0)
np.repeat(x, [1, 0, 2, 1], axis=1)
t.repeat(2, axis=-1)
np.pad(x, 1)
np.pad(x, ((1, 0), (0, 2)), constant_values=3)
np.pad(v, (1, 2), mode="constant", constant_values=(4, 5))
np.pad(x, 1, mode="edge")
np.pad(x, ((2, 1), (0, 3)), mode="reflect")
np.pad(v, 3, mode="symmetric")
np.pad(v, (2, 6), mode="wrap")
np.hstack([v, w])
np.hstack((x, x, w[:, None]))
np.hstack([s, v])
np.vstack([x, v])
np.vstack((v, v, s * v))
np.dstack([x, x + 1])
np.dstack((v, v))
np.column_stack([w, x, w])
np.append(x, v)
np.append(x, x, axis=1)
np.split(x, 2, axis=1)
np.split(v, [1, 3])
np.array_split(v, 3)
np.array_split(t, 2, axis=1)
np.hsplit(x, 2)
np.vsplit(x, [1])
np.dsplit(t, [1, 2])
np.broadcast_arrays(x, v)
np.meshgrid(v, w)
np.meshgrid(v, w, v, indexing="ij")
np.meshgrid(v, w, sparse=True)
np.trace(x)
np.trace(t, 1, 2, 0)
x.trace()
np.diagonal(x)
np.diagonal(t, -1, 1, 2)
x.diagonal(1)
np.diag(v)
np.diag(v, 2)
np.diag(w, -1)
np.diag(x, -1)
np.diagflat(x, 1)
np.tril(x)
np.tril(t, 1)
np.tril(v)
np.triu(x, -1)
np.triu(t)
np.take(x, [0, 5, 5])
np.take(x, [[0, 2], [1, 1]], axis=1)
np.take(t, -1, axis=0)
x.take([1, 1], axis=0)
np.take_along_axis(x, np.array([[1], [3], [0]]), axis=1)
np.take_along_axis(x, np.array([[0, 2, 2, 1]]), axis=0)
np.take_along_axis(x, np.argsort(x.ravel()), None)
np.compress([True, False, True], x, axis=0)
x.compress([False, True])
np.delete(x, 1, axis=1)
np.delete(v, [0, 2])
"""
PRODUCTS = """
np.vdot(x, x + 1)
np.inner(v, v)
np.inner(x, v)
np.inner(t, x)
np.inner(s, x)
np.outer(v, w)
np.outer(x, s)
np.dot(x, m)
np.dot(t, m)
np.dot(t, t.transpose(0, 2, 1))
np.dot(t, v)
t.dot(v)
np.tensordot(x, m.T)
np.tensordot(x, m, 1)
np.tensordot(t, x, axes=([2, 1], [1, 0]))
np.tensordot(x, t, axes=(0, 1))
np.tensordot(v, w, 0)
np.kron(v, w)
np.kron(x, v)
np.kron(m, t)
np.kron(s, x)
np.cross(m, w)
np.cross(m[0], m)
np.cross(x, x + m.T, axis=0)
np.cross(x, m, axisa=0, axisb=-1, axisc=0)
np.linalg.cross(m, m[::-1])
np.linalg.outer(v, w)
np.linalg.trace(t)
np.linalg.diagonal(t)
np.vecdot(x, v)
np.matvec(x, v)
np.vecmat(w, x)
np.einsum("ij,jk", x, m)
np.einsum("ij,jk->ki", x, m)
np.einsum("ij->j", x)
np.einsum("ij->", x)
np.einsum("ji", x)
np.einsum("ii", x @ m)
np.einsum("ii->i", x @ m)
np.einsum("iij->j", t[:, :2])
np.einsum("iij,j,i->i", t[:, :2], v, v[:2])
np.einsum("i,i", v, v)
np.einsum("i,j,k->kij", v, w, v)
np.einsum("ij,jk,kl,li->", x, m, x, m)
np.einsum("...j,jk->...k", t, m)
np.einsum("...ij,...jk", t, m)
np.einsum("...,...", x, v)
np.einsum("i...->...", t)
np.einsum("ij, j -> i", x, v)
np.einsum("ij,ij->ij", x, v[None])
np.einsum("ij,kj->ik", x, v[None])
np.einsum("i,->i", v, s)
np.einsum("ab,b...->a...", x, m)
np.einsum("ij,k->i", x, w)
np.einsum(x, [0, 1], m, [1, 2], [2, 0])
np.einsum(t, [..., 0], m, [0, 1])
np.einsum("ij,jk->ik", x, m, optimize=True)
"""
ORDER = """
np.sort(x)
np.sort(x, axis=0)
np.sort(x, axis=None)
np.sort(t, 1, kind="stable")
np.partition(v, 2)[2:3]
np.partition(x, 1, axis=1)[:, 1]
np.take_along_axis(x, np.argsort(x, axis=0), 0)
x.argsort() * x
np.argpartition(v, 1)[1] * v
np.select([x > 1, x > 0], [x * x, 2 * x])
np.select([x > 1, x > 0], [x * x, v], default=s)
np.select([x > 1], [x], 7.0)
"""

GROUPS = (ELEMENTWISE, STATISTICS, SHAPING, PRODUCTS, ORDER)
CALLS = [call for group in GROUPS for call in group.splitlines() if call]


def run(call, **given):
    return eval(call, {"np": np, **given})


def joined(y):
    """Lay several results out as one."""
    if not isinstance(y, list | tuple):
        return y
    return np.concatenate([np.reshape(part, -1) for part in y])


def used(call, dtype=float):
    code = compile(call, call, "eval")
    return {name: INPUTS[name].astype(dtype) for name in INPUTS if name in code.co_names}


@pytest.mark.parametrize("call", CALLS)
def test_value_and_gradient(call):
    given = used(call)
    for dtype in (np.float16, np.float32, np.float64):
        arrays = used(call, dtype)
        leaves = {name: mg.Tensor(a, requires_grad=True) for name, a in arrays.items()}
        y, expected = run(call, **leaves), run(call, **arrays)
        assert type(y) is type(expected) or isinstance(y, mg.Tensor)
        for part, right in zip(*[p if isinstance(p, list | tuple) else [p] for p in (y, expected)],
                               strict=True):  # fmt: skip
            assert isinstance(part, mg.Tensor)
            assert (part.shape, part.dtype) == (right.shape, right.dtype)
            atol = 16 * np.finfo(dtype).eps
            np.testing.assert_allclose(part.data, right, rtol=atol, atol=atol)
        total = joined(y).sum()
        for g in mg.grad(total, list(leaves.values()), allow_unused=True):
            assert g is None or g.dtype == dtype  # None: the sign, or the mask, that it gives
    check_gradients(lambda *inputs: joined(run(call, **dict(zip(given, inputs)))),
                    *given.values(), seed=0)  # fmt: skip


def test_fmax_and_fmin_take_the_number_where_one_is_nan():
    a, b = (
        mg.Tensor(x, requires_grad=True) for x in ([np.nan, 1.0, np.nan], [2.0, np.nan, np.nan])
    )
    nan = np.nan
    for function in (np.fmax, np.fmin):
        y = function(a, b)
        assert np.array_equal(y.data, [2, 1, nan], equal_nan=True)
        da, db = mg.grad(y, [a, b], [3.0, 5.0, 7.0])
        assert np.array_equal(da.data, [0, 5, 0])
        assert np.array_equal(db.data, [3, 0, 0])


def test_nan_to_num_passes_the_gradient_of_numbers_only():
    x = mg.Tensor(np.float32([np.nan, np.inf, -np.inf, 2]), requires_grad=True)
    for options in ({}, {"nan": 1.0, "posinf": 2.0, "neginf": 3.0}):
        y = np.nan_to_num(x, **options)
        assert np.array_equal(y.data, np.nan_to_num(x.data, **options))
        assert np.array_equal(mg.grad(y, x, np.ones(4, np.float32)).data, [0, 0, 0, 1])


SECOND_ORDER = [
    "np.prod(x)", "np.cumprod(x, axis=1)", "np.var(x, axis=0)", "np.std(x)", "np.linalg.norm(x)",
    "np.median(x * x, axis=1)", "np.pad(x * x, 1, mode='reflect')", "np.kron(v, v)",
    "np.cross(m, m[::-1])", "np.einsum('ij,jk,k->i', x, m, w)", "np.einsum('ii', x @ m)",
    "np.sort(x * x)", "np.trace(x @ m)", "np.tensordot(t, x * x)",
]  # fmt: skip


@pytest.mark.parametrize("call", SECOND_ORDER)
def test_gradient_of_the_gradient(call):
    given = used(call)
    check_gradients(lambda *inputs: run(call, **dict(zip(given, inputs))),
                    *given.values(), seed=0, order=2)  # fmt: skip


@pytest.mark.parametrize("zeros", [0, 1, 2, 3])
@pytest.mark.parametrize("function", [np.prod, lambda x: np.cumprod(x)[-1]])
def test_product_with_zeros_has_right_derivatives(zeros, function):
    values = np.array([2.0, 3.0, 5.0, 7.0])
    values[:zeros] = 0
    x = mg.Tensor(values, requires_grad=True)
    g = mg.grad(function(x), x, create_graph=True)
    others = [np.delete(values, i).prod() for i in range(4)]
    assert np.array_equal(g.data, others)
    second = mg.grad(g, x, np.ones(4))
    pairs = [sum(np.delete(values, [i, j]).prod() for j in range(4) if j != i) for i in range(4)]
    assert np.array_equal(second.data, pairs)


@pytest.mark.parametrize("n", [1, 2, 63, 64, 65, 1000])
def test_running_product_of_many_entries(n):
    rng = np.random.default_rng(n)
    values, g = 1 + 0.1 * rng.normal(size=n), rng.normal(size=n)
    x = mg.Tensor(values, requires_grad=True)
    y = np.cumprod(x)
    assert np.array_equal(y.data, np.cumprod(values))
    by_division = np.cumsum((g * y.data)[::-1])[::-1] / values
    np.testing.assert_allclose(mg.grad(y, x, g).data, by_division, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("style", ["textbook", "fast"])
@pytest.mark.parametrize("function", [np.dot, lambda a, b: np.prod(a) + np.cumprod(a) @ b])
def test_products_are_written_out_by_derive(function, style):
    a, b = np.array([2.0, 0.0, 5.0, 3.0]), np.array([1.0, 7.0, 2.0, 4.0])
    value, gradients = mg.derive(function, a, b, style=style)(a, b)
    assert value == function(a, b)
    for g, h in zip(gradients, mg.gradient(function, (0, 1))(a, b), strict=True):
        assert np.array_equal(g, h)


def test_nan_stands_for_a_missing_number():
    for name in ("nansum", "nanprod", "nanmean", "nanmax", "nanmin", "nanvar", "nanstd"):
        function = getattr(np, name)
        for axis in (None, 0, 1):
            x = mg.Tensor(MISSING, requires_grad=True)
            y = function(x, axis=axis)
            np.testing.assert_allclose(y.data, function(MISSING, axis=axis), rtol=1e-14)
            g = mg.grad(y.sum(), x).data
            assert (g[np.isnan(MISSING)] == 0).all(), name
            assert np.isfinite(g).all(), name
    assert np.array_equal(np.nancumsum(mg.Tensor(MISSING), 1).data, np.nancumsum(MISSING, 1))
    assert np.isnan(np.median(mg.Tensor(MISSING), axis=1).data).all()


@pytest.mark.parametrize("function", [np.std, np.linalg.norm])
def test_slope_is_zero_where_nothing_spreads(function):
    x = mg.Tensor(np.zeros((2, 3)), requires_grad=True)
    assert np.array_equal(mg.grad(function(x), x).data, np.zeros((2, 3)))


def test_repeated_entries_add_up():
    x = mg.Tensor([1.0, 2.0, 3.0], requires_grad=True)
    for y, expected in (
        (np.take(x, [0, 2, 2]), [1, 0, 2]),
        (np.repeat(x, [0, 3, 1]), [0, 3, 1]),
        (np.pad(x, 2, mode="edge"), [3, 1, 3]),
        (np.tile(x, (2, 2)), [4, 4, 4]),
    ):
        assert np.array_equal(mg.grad(y.sum(), x).data, expected)


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        ("np.einsum('ij,jk', x)", ValueError, "2 terms for 1"),
        ("np.einsum('ij,jk', x, x)", ValueError, "'j' has sizes 4 and 3"),
        ("np.einsum('ijk', x)", ValueError, "'ijk' does not index"),
        ("np.einsum('ij->k', x)", ValueError, "'k' of the result"),
        ("np.einsum('ij->ii', x)", ValueError, "'i' of the result"),
        ("np.einsum('i!', x)", ValueError, "does not index"),
        ("np.einsum('...j->j', x)", ValueError, "lacks the axes"),
        ("np.einsum('ii', x)", ValueError, "'i'"),
        ("np.split(x, 3, axis=1)", ValueError, "no multiple"),
        ("np.quantile(x, 1.5)", ValueError, "between 0 and 1"),
        ("np.quantile(x, 0.5, method='lower')", TypeError, "linear"),
        ("np.pad(x, 1, mode='mean')", TypeError, "'mean' has no rule"),
        ("np.pad(x, -1)", ValueError, "not negative"),
        ("np.linalg.norm(x, 'l2')", ValueError, "'nuc'"),
        ("np.cross(x, x)", ValueError, "3 entries"),
        ("np.average(x, axis=0, weights=v)", ValueError, "weights"),
        ("np.tensordot(x, x, 1)", ValueError, "sizes differ"),
        ("np.take_along_axis(x, np.array([0]), 1)", ValueError, "axes"),
        ("np.select([x > 0], [])", ValueError, "conditions"),
        ("np.moveaxis(x, 2, 0)", np.exceptions.AxisError, "axis 2"),
        ("np.std(x, dtype=float)", TypeError, "fewer arguments"),
    ],
)
def test_what_is_wrong_is_said(call, kind, words):
    leaves = {name: mg.Tensor(a, requires_grad=True) for name, a in used(call).items()}
    with pytest.raises(kind) as caught:
        run(call, **leaves)
    assert words in "\n".join([str(caught.value), *getattr(caught.value, "__notes__", ())])


def test_einsum_of_large_arrays_goes_by_another_way():
    a, b = np.random.default_rng(0).normal(size=(2, 50, 50))
    first, second = mg.gradient(lambda a, b: (np.einsum("ij,jk->ik", a, b) ** 2).sum(), (0, 1))(
        a, b
    )
    product = a @ b
    np.testing.assert_allclose(first, 2 * product @ b.T, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(second, 2 * a.T @ product, rtol=1e-9, atol=1e-9)
