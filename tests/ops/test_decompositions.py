"""np.linalg on Tensors: values, named tuples, conventions, orders, and where nothing is given."""

import numpy as np
import pytest

import minigraph as mg
from minigraph.testing import check_gradients

L = np.linalg


def matrix(*shape, seed=0):
    """Draw a well conditioned matrix, or a stack."""
    return np.random.default_rng(seed).normal(size=shape) + 3 * np.eye(*shape[-2:])


def symmetric(a):
    return (a + a.mT) / 2


def positive(a):
    return a @ a.mT + np.eye(a.shape[-1], dtype=a.dtype)


def variable(a, dtype=float):
    return mg.Tensor(np.array(a, dtype), requires_grad=True)


SQUARE, STACK, TALL, WIDE = matrix(4, 4), matrix(2, 3, 3), matrix(5, 3), matrix(2, 3, 5)
ROWS = np.random.default_rng(1).normal(size=(4, 2))

CALLS = {
    "solve": (L.solve, SQUARE, ROWS),
    "solve, a vector": (L.solve, SQUARE, ROWS[:, 0]),
    "solve, stacks": (L.solve, STACK, matrix(4, 1, 3, 2)),
    "inv": (L.inv, STACK),
    "det": (L.det, STACK),
    "det, negative": (L.det, SQUARE[::-1][:3, 1:]),
    "slogdet": (lambda a: L.slogdet(a)[1], STACK),
    "cholesky": (lambda a: L.cholesky(positive(a)), STACK),
    "cholesky, upper": (lambda a: L.cholesky(positive(a), upper=True), SQUARE),
    "eigh, values": (lambda a: L.eigh(symmetric(a))[0], STACK),
    "eigh, vectors": (lambda a: L.eigh(symmetric(a))[1], STACK),
    "eigh, upper": (lambda a: L.eigh(symmetric(a), "U")[1], SQUARE),
    "eigvalsh": (lambda a: L.eigvalsh(symmetric(a)), SQUARE),
    "svdvals": (L.svdvals, WIDE),
    "svd, compute_uv": (lambda a: L.svd(a, compute_uv=False), TALL),
    "svd, square": (lambda a: L.svd(a)[2], SQUARE),
    "qr, r": (lambda a: L.qr(a, mode="r"), WIDE),
    "qr, complete": (lambda a: L.qr(a, mode="complete")[1], WIDE),
    "pinv, tall": (L.pinv, TALL),
    "pinv, wide": (L.pinv, WIDE),
    "lstsq": (lambda a, b: L.lstsq(a, b)[0], TALL, matrix(5, 2)),
    "lstsq, residuals": (lambda a, b: L.lstsq(a, b)[1], TALL, matrix(5, 2)[:, 0]),
    "lstsq, values": (lambda a: L.lstsq(a, np.ones(5))[3], TALL),
    "lstsq, wide": (lambda a, b: L.lstsq(a, b)[0], TALL.T, np.ones(3)),
    "matrix_power": (lambda a: L.matrix_power(a, 5) / 100, STACK),
    "matrix_power, negative": (lambda a: L.matrix_power(a, -3), STACK),
    "multi_dot": (lambda *x: L.multi_dot(x), SQUARE[0], SQUARE, ROWS, np.ones(2)),
    "cond": (L.cond, STACK),
    "cond, 1": (lambda a: L.cond(a, 1), STACK),
    "cond, -2": (lambda a: L.cond(a, -2), TALL),
    **{
        f"{name}, {part}, {a.shape}": (lambda a, f=f, i=i: f(a)[i], a)
        for name, f, parts in (
            ("svd", lambda a: L.svd(a, full_matrices=False), ("u", "s", "v")),
            ("qr", L.qr, ("q", "r")),
        )
        for i, part in enumerate(parts)
        for a in (TALL, WIDE)
    },
    **{
        f"norm of matrices, {ord}": (lambda a, ord=ord: L.norm(a, ord, (2, 0), True), WIDE)
        for ord in ("fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf)
    },
    **{
        f"norm of vectors, {ord}": (lambda a, ord=ord: L.norm(a, ord, 1), WIDE)
        for ord in (1, -1, 2, -2, np.inf, -np.inf, 3, 2.5, 0.5, -0.5)
    },
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_value_is_numpy_s_and_gradients_are_slopes_at_two_orders(name):
    f, *arrays = CALLS[name]
    y, expected = f(*map(variable, arrays)), f(*arrays)
    assert y.shape == np.shape(expected)
    np.testing.assert_allclose(y.data, expected, rtol=1e-11, atol=1e-12)
    check_gradients(f, *arrays)
    check_gradients(f, *arrays, order=2, budget=0)


@pytest.mark.parametrize("name", CALLS)
def test_float32_stays_float32(name):
    f, *arrays = CALLS[name]
    inputs = [variable(a, np.float32) for a in arrays]
    y = f(*inputs)
    assert y.dtype == np.float32
    assert all(g.dtype == np.float32 for g in mg.grad(mg.sum(y), inputs))


@pytest.mark.parametrize(
    ("f", "a"),
    [(L.slogdet, STACK), (L.eigh, STACK), (L.svd, STACK), (L.qr, TALL), (L.lstsq, TALL)],
)
def test_several_results_come_in_numpy_s_own_tuple(f, a):
    rest = (np.ones(len(a)),) if f is L.lstsq else ()
    found, expected = f(variable(a), *rest), f(a, *rest)
    assert type(found) is type(expected)
    for part, right in zip(found, expected, strict=True):
        part = part.data if isinstance(part, mg.Tensor) else part
        np.testing.assert_allclose(part, right, atol=1e-12)


def test_sign_of_a_determinant_rank_and_order_0_are_constants():
    a = variable([[0.0, 1.0], [2.0, 0.0]])
    sign, logarithm = L.slogdet(a)
    assert not sign.requires_grad
    assert logarithm.requires_grad
    assert sign.item() == -1
    assert L.matrix_rank(a) == 2
    count = L.norm(a[0], 0)
    assert not count.requires_grad
    assert count.item() == 1


@pytest.mark.parametrize("f", [L.cholesky, L.eigvalsh, lambda a: L.cholesky(a, upper=True)])
def test_gradient_of_what_reads_one_triangle_is_symmetric(f):
    """Its product with a symmetric change is the slope along it, by differences."""
    a, change = positive(SQUARE), symmetric(matrix(4, 4, seed=3))
    g = mg.gradient(lambda a: mg.sum(f(a) * ROWS[:, :1]))(a)
    np.testing.assert_array_equal(g, g.T)
    t = 1e-5
    slope = np.sum((f(a + t * change) - f(a - t * change)) * ROWS[:, :1]) / (2 * t)
    assert np.sum(g * change) == pytest.approx(slope, rel=1e-8)


def test_only_the_triangle_is_read():
    a = positive(SQUARE)
    wrong = a + np.triu(np.full((4, 4), 7.0), 1)
    for f in (L.cholesky, lambda a: L.eigh(a)[0], lambda a: L.eigh(a.T, "U")[0]):
        np.testing.assert_allclose(f(variable(wrong)).data, f(a), rtol=1e-12)


def test_what_treats_equal_eigenvalues_alike_has_its_gradient_there():
    eye = variable(np.eye(3))
    np.testing.assert_allclose(mg.grad(mg.sum(L.eigvalsh(eye) ** 2), eye).data, 2 * np.eye(3))
    np.testing.assert_allclose(mg.grad(L.norm(eye, "nuc"), eye).data, np.eye(3), atol=1e-15)
    flat = variable(np.outer([1.0, 0.0, 0.0], [1.0, 0.0]))  # the value 0 has vectors, too
    np.testing.assert_allclose(mg.grad(L.norm(flat, 2), flat).data, flat.data, atol=1e-15)


NEARLY = 5 * np.eye(3) + 1e-15 * symmetric(matrix(3, 3))


@pytest.mark.parametrize(
    ("f", "a", "words"),
    [
        (lambda a: L.eigh(a)[1], NEARLY, "eigh|two eigenvalues are equal"),
        (lambda a: mg.grad(mg.sum(L.eigvalsh(a) ** 2), a, create_graph=True), NEARLY, "eigh|equal"),
        (lambda a: L.svd(a)[0], NEARLY, "svd|two singular values are equal"),
        (lambda a: L.svd(a, full_matrices=False)[0], np.eye(3, 2) * [1, 0], "svd|or one is 0"),
        (lambda a: L.qr(a)[0], np.array([[1.0, 2.0], [2.0, 4.0]]), "full_rank|depend on each"),
        (L.det, np.ones((2, 2)), "inv|singular"),
        (lambda a: L.slogdet(a)[1], np.ones((2, 2)), "inv|singular"),
    ],
)
def test_what_has_no_derivative_says_so_on_the_way_back(f, a, words):
    a = variable(a)
    y = f(a)
    with pytest.raises(L.LinAlgError) as caught:
        mg.grad(y, a, np.random.default_rng(2).normal(size=y.shape))
    assert all(word in str(caught.value) for word in words.split("|"))


def test_slopes_of_norms_at_0_are_0():
    for ord in (None, 1, 2, 3, 2.5, 0.5, np.inf):
        x = variable(np.zeros(3))
        first = mg.grad(L.norm(x, ord), x, create_graph=True)
        np.testing.assert_array_equal(first.data, np.zeros(3))
    x = variable([0.0, 1.0])
    np.testing.assert_array_equal(mg.grad(L.norm(x, 3), x).data, [0, 1])


def test_pinv_of_lower_rank_has_the_slope_along_changes_that_keep_it():
    u, v = np.array([1.0, 2.0, -1.0]), np.array([3.0, 1.0])
    check_gradients(lambda u, v: L.pinv(mg.multiply(u[:, None], v), 1e-10), u, v)


def test_gradient_through_a_large_system_is_the_closed_formula():
    rng = np.random.default_rng(5)
    a, b, c = rng.normal(size=(100, 100)) + 10 * np.eye(100), rng.normal(size=100), np.arange(100.0)
    by_a, by_b = mg.gradient(lambda a, b: mg.sum(c * L.solve(a, b)), (0, 1))(a, b)
    w = L.solve(a.T, c)
    np.testing.assert_allclose(by_b, w, rtol=1e-10)
    np.testing.assert_allclose(by_a, -np.outer(w, L.solve(a, b)), rtol=1e-10)


def test_matrix_is_taken_apart_once():
    """However many of the parts are used, forward and on the way back."""
    a = variable(TALL)
    for parts in (L.svd(a, full_matrices=False), L.lstsq(a, np.ones(5))):
        nodes = [n for y in parts if isinstance(y, mg.Tensor) for n in mg.Graph(y).nodes if n.op]
        assert len({n.number for n in nodes if n.op.name == "svd"}) == 1


def test_order_of_multi_dot_is_the_cheapest():
    a, b, c = (variable(np.ones(shape)) for shape in ((50, 2), (2, 50), (50, 1)))
    products = [n.shape for n in mg.Graph(L.multi_dot([a, b, c])).nodes if n.op]
    assert products == [(2, 1), (50, 1)]


@pytest.mark.parametrize(
    "log_det",
    [
        lambda a: L.slogdet(a)[1],
        lambda a: 2 * mg.sum(mg.log(np.diagonal(L.cholesky(a)))),
        lambda a: mg.sum(mg.log(L.eigvalsh(a))),
        lambda a: mg.sum(mg.log(L.svdvals(a))),
        lambda a: mg.sum(mg.log(mg.abs(np.diagonal(L.qr(a)[1])))),
        lambda a: mg.log(L.det(a)),
        lambda a: -mg.log(L.det(L.inv(a))),
        lambda a: -mg.log(L.det(L.solve(a, np.eye(3)))),
        lambda a: -mg.log(L.det(L.pinv(a))),
    ],
    ids=["slogdet", "cholesky", "eigvalsh", "svdvals", "qr", "det", "inv", "solve", "pinv"],
)
def test_four_derivatives_of_a_log_determinant_are_the_closed_form(log_det):
    """Those of ln |a + t b| are (-1)^(k-1) (k-1)! tr((a⁻¹ b)^k)."""
    a, b = positive(STACK[0]), symmetric(STACK[1])
    f, power = lambda t: log_det(a + t * b), L.solve(a, b)
    for k, factor in enumerate((1, -1, 2, -6), start=1):
        f = mg.gradient(f)
        assert f(0.0) == pytest.approx(factor * np.trace(L.matrix_power(power, k)), rel=1e-9)
