"""What a derivation takes, and what it refuses by name."""

import ast
import importlib
import sys

import numpy as np
import pytest

import minigraph as mg

X = np.arange(1.0, 7.0).reshape(3, 2)
NEW = np.array([[3.0, -1.0], [0.5, 2.0], [-2.0, 1.5]])
OFFSET = np.array([1.0, -2.0])
both_styles = pytest.mark.parametrize("style", ["textbook", "fast"])


def check(f, first, new, **options):
    """Derive from one set of arguments; compare with eager on another."""
    for style in ("textbook", "fast"):
        derived = mg.derive(f, *first, style=style, **options)
        value, gradients = derived(*new)
        places = tuple(i for i, a in enumerate(new) if np.asarray(a).dtype.kind == "f")
        expected, slopes = mg.value_and_grad(f, argnums=places)(
            *[mg.Tensor(a) if isinstance(a, np.ndarray) else a for a in new]
        )
        np.testing.assert_allclose(value, expected.data, rtol=1e-14)
        for g, slope in zip(gradients, slopes, strict=True):
            np.testing.assert_allclose(g, slope.data, rtol=1e-13, atol=1e-14)
    return derived


# Refused


def random_inside(x):
    return (x * np.random.default_rng().normal(size=x.shape)).sum()


def with_where(x):
    if x.sum() > 0:
        return x.sum()
    return (x * x).sum()


def counts_nonzero(x):
    return x.sum() * np.count_nonzero(x)


def unrecorded(x):
    return (x * mg.grad((x * x).sum(), x)).sum()


def leaves_a_gradient(x):
    (x * x).sum().backward()
    return (x * x.grad).sum()


REFUSED = [
    (with_where, TypeError, "with_where asks for values.*bool.*made by greater.*np.where"),
    (lambda x: x.sum() * float(x[0, 0]), TypeError, "item of .*made by getitem"),
    (lambda x: x.sum() * x[0, 0].item(), TypeError, "item of .*made by getitem"),
    (lambda x: x.sum() * int(x[0, 0]), TypeError, "item of .*made by getitem"),
    (lambda x: (x * x.data).sum(), TypeError, "data of 'x|data of a tensor"),
    (lambda x: (x * x.detach().numpy()).sum(), TypeError, "numpy of"),
    (lambda x: (x * np.asarray(x.detach())).sum(), TypeError, "np.asarray of"),
    (lambda x: x.sum() if 3.0 in x else (x * x).sum(), TypeError, "in of"),
    (lambda x: (x * np.isnan(x)).sum(), TypeError, "np.isnan of"),
    (counts_nonzero, TypeError, "np.count_nonzero of"),
    (lambda x: x[np.nonzero(x)].sum(), TypeError, "np.nonzero of"),
    (lambda x: x[x > 2].sum(), TypeError, "by a mask.*depends on values.*np.where"),
    (lambda x: x.sum() * max(x[0, 0], x[0, 1]), TypeError, "bool of .*made by greater"),
    (lambda x: sum(x[: x.sum().astype(int)]).sum(), TypeError, "made by astype"),
    (random_inside, ValueError, "random_inside does something else.*random.*pass them"),
    (unrecorded, TypeError, "a gradient that is not recorded.*create_graph=True"),
    (leaves_a_gradient, TypeError, "a gradient that is not recorded.*create_graph=True"),
    (lambda x: x * 2, ValueError, r"returned float64\[3, 2\].*reduce it"),
    (lambda x: None, TypeError, "returned None, no Tensor"),
    (lambda x: 3.0, TypeError, "returned 3.0, no Tensor"),
    (lambda x: (x, x), TypeError, "no Tensor"),
    (lambda x: (x > 2).sum(), ValueError, "int64"),
]


@pytest.mark.parametrize(("f", "kind", "said"), REFUSED)
def test_what_would_be_the_same_in_every_call_is_refused_by_name(f, kind, said):
    with pytest.raises(kind, match=said):
        mg.derive(f, X)


def test_a_local_name_is_said_of_the_comparison():
    def f(x):
        big = x.sum() > 3
        return x.sum() if big else -x.sum()

    with pytest.raises(TypeError, match="made by greater"):
        mg.derive(f, X)


@pytest.mark.parametrize(
    ("args", "kind", "said"),
    [
        ((X.astype("f4"),), TypeError, "x is float32; it was traced with float64"),
        ((X[0],), ValueError, r"x is \[2\]; it was traced with \[K, 2\]"),
        ((np.ones((3, 3)),), ValueError, r"x is \[3, 3\]; it was traced with \[K, 2\]"),
        ((X, X), TypeError, "2 arguments; expected 1"),
        ((), TypeError, "0 arguments; expected 1"),
        (("a",), TypeError, "'a'; it was traced as float64"),
        (([X],), ValueError, r"x\[0\].*expected x"),
    ],
)
@both_styles
def test_arguments_are_like_those_that_were_traced(args, kind, said, style):
    derived = mg.derive(lambda x: (x * x).sum(), X, style=style)
    with pytest.raises(kind, match=said):
        derived(*args)


def test_another_batch_size_that_the_source_cannot_follow_is_refused_with_the_reason():
    derived = mg.derive(lambda w, x: (x.T @ w).sum() + np.prod(x), np.ones(4), np.ones((4, 2)))
    with pytest.raises(ValueError, match=r"x is \[5, 2\].*another batch size is not possible"):
        derived(np.ones(4), np.ones((5, 2)))


def test_a_size_that_follows_otherwise_than_by_a_multiple_is_not_taken_for_one():
    derived = mg.derive(lambda x: x[: len(x) // 2].sum() + np.prod(x), np.ones(4))
    with pytest.raises(ValueError, match="another batch size is not possible"):
        derived(np.ones(9))


def test_a_number_that_the_source_holds_cannot_change():
    derived = mg.derive(lambda x, n: (x * n).sum(), X, 3)
    assert derived(X, 3)[0] == 3 * X.sum()
    with pytest.raises(ValueError, match=r"n is 4; it was traced as 3.*derive again"):
        derived(X, 4)


# Ops of users


def halved(x):
    return x / 2


def own_number(x):
    return float(np.sum(x))


half = mg.Op(halved, x=lambda g, y, x: g / 2)
total = mg.Op(own_number, x=lambda g, y, x: g * np.ones_like(x))
same = mg.Op(lambda x: x, x=lambda g, y, x: g, name="same")


@mg.custom_vjp(x=lambda g, y, x: 3 * g)
def tripled(x):
    return 3 * x


def test_an_op_whose_function_no_import_finds_says_how_to_register_it():
    with pytest.raises(TypeError, match=r"the op same.*no import finds.*with def.*mg\.Op"):
        mg.derive(lambda x: same(x).sum(), X)


def test_an_op_of_a_main_program_is_refused():
    namespace = {"__name__": "__main__", "np": np}
    exec("def f(x):\n    return x * 2", namespace)
    op = mg.Op(namespace["f"], x=lambda g, y, x: g * 2)
    with pytest.raises(TypeError, match=r"__main__\.f, which no import finds"):
        mg.derive(lambda x: op(x).sum(), X)


def test_an_op_whose_function_can_be_imported_is_called_by_its_name():
    derived = check(lambda x: (half(x) * half(x)).sum() * total(x) + tripled(x).sum(), [X], [NEW])
    assert f"import {__name__}\n" in derived.source
    assert f"{__name__}.halved(" in derived.source


def test_the_module_of_an_op_is_not_hidden_by_a_variable():
    name = __name__.partition(".")[0]
    namespace = {"half": half}
    exec(f"def f({name}):\n    return (half({name}) * {name}).sum()", namespace)
    check(namespace["f"], [X], [NEW])


def test_what_a_user_s_function_gives_back_is_no_argument(tmp_path, monkeypatch):
    (tmp_path / "passing.py").write_text("def same(x):\n    return x\n")
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("passing")
    op = mg.Op(module.same, x=lambda g, y, x: op(g))
    check(lambda x: (op(np.sin(x)) * np.cos(x)).sum(), [X], [NEW])
    del sys.modules["passing"]


# Names

HOSTILE = ['"); import os', "a\nimport os", "läng", "名", "", "1st", "def", "sum", "np", "K", "a b",
           "buffers", "gradients", "make_buffers", "l", "__import__('os')", "x" * 200]  # fmt: skip


@both_styles
@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_becomes_an_identifier_and_nothing_else(name, style):
    def f(x):
        y = np.tanh(x)
        y.name = name
        z = (y * y).sum()
        z.name = name
        return z

    for names in ([name], None):
        derived = mg.derive(f, X, names=names, style=style)
        nodes = list(ast.walk(ast.parse(derived.source)))
        assert sum(isinstance(node, ast.Import | ast.ImportFrom) for node in nodes) == 1
        called = {ast.unparse(node.func) for node in nodes if isinstance(node, ast.Call)}
        assert all(c.startswith("np.") or "." in c or c in ("len", "make_buffers") for c in called)
        value, (g,) = derived(NEW)
        np.testing.assert_allclose(value, (np.tanh(NEW) ** 2).sum(), rtol=1e-15)
        np.testing.assert_allclose(g, 2 * np.tanh(NEW) / np.cosh(NEW) ** 2, rtol=1e-13)


@both_styles
def test_names_that_collide_get_numbers(style):
    def f(a, b, c):
        d = a * b
        e = d + c
        for t in (a, b, c, d, e):
            t.name = "v"
        return e.sum()

    derived = mg.derive(f, X, X + 1, X + 2, names=["v", "v", "v_2"], style=style)
    value, (a, b, c) = derived(X, NEW, X)
    assert value == (X * NEW + X).sum()
    assert np.array_equal(a, NEW)
    assert np.array_equal(b, X)
    assert np.array_equal(c, np.ones((3, 2)))


def test_a_name_in_a_comment_is_safe():
    def f(x):
        y = x * 2
        y.name = "a\nraise SystemExit"
        return (y * y).sum()

    assert "\nraise" not in mg.derive(f, X).source


def test_a_text_that_is_an_attribute_is_written_safely():
    text = '"); import os; ("\'\n'
    derived = mg.derive(lambda x: OF_TEXT(x, how=text).sum(), X)
    assert derived(X)[0] == X.sum() + len(text) * X.size


def signed(x, *, how="a"):
    return x + len(how)


OF_TEXT = mg.Op(signed, x=lambda g, y, x, how: g)


def test_an_attribute_that_source_cannot_hold_is_refused():
    with pytest.raises(TypeError, match="an attribute is"):
        mg.derive(lambda x: OF_TEXT(x, how={1, 2}).sum(), X)


# Constants


def test_arrays_that_are_closed_over_become_keyword_parameters_bound_by_the_object():
    scale = np.array([2.0, 3.0])
    tensor = mg.Tensor([0.5, 0.25])
    data = {"z": np.array([4.0, 1.0])}

    def f(x):
        return (x * scale * tensor + OFFSET - data["z"]).sum() * (scale[0] + 1)

    for style in ("textbook", "fast"):
        derived = mg.derive(f, X, style=style)
        assert set(derived.constants) == {"scale", "tensor", "OFFSET", "data_z"}
        value, _ = derived(NEW)
        np.testing.assert_allclose(value, f(mg.Tensor(NEW)).item(), rtol=1e-14)
        other = {**derived.constants, "OFFSET": np.zeros(2)}
        without = derived.function(NEW, **other)[0]
        np.testing.assert_allclose(value - without, 3 * OFFSET.sum() * 3, rtol=1e-13)


def test_many_constants():
    many = [np.array([1.0 + i, i]) for i in range(60)]
    derived = check(lambda x: sum((x * c).sum() for c in many), [X], [NEW])
    assert len(derived.constants) == 60


def test_masks_signs_and_labels_are_computed():
    def f(x, t):
        mask = x > 0.75
        onehot = t[:, None] == np.arange(2)
        s = np.sign(x) * np.where(mask, x, 0) + np.maximum(x, 1) * onehot
        return (s * x).sum() + mg.softmax_nll(x, t) + mg.l1_penalty(x)

    check(f, [X, np.array([0, 1, 1])], [NEW, np.array([1, 1, 0])])


def test_arrays_that_follow_from_shapes_follow_the_batch():
    def f(x):
        w = np.ones_like(x) + np.zeros_like(x) + np.full_like(x, 2.0)
        y = (x.T * np.arange(len(x)) + np.zeros(x.shape[0])).T * np.ones((len(x), 1))
        return (y * w).sum() / len(x) + x.mean() * np.size(x) + np.ndim(x) * x.sum()

    for new in (NEW, np.ones((5, 2)), np.ones((1, 2))):
        derived = check(f, [X], [new])
    assert derived.constants == {}


def test_roots_of_sizes_and_sizes_less_one_follow_the_batch():
    def f(x):
        y = (x - x.mean(axis=0)) / np.std(x) + x / np.std(x, axis=1, keepdims=True)
        z = (y * x).sum() * np.var(x, axis=0, ddof=1).sum() + np.std(x, ddof=1)
        return z + (np.std(x) + np.exp(x).sum()) / len(x) - x.sum() / len(x)

    for dtype in (np.float64, np.float32):
        for n in (2, 3, 8):
            new = np.random.default_rng(n).normal(size=(n, 2)).astype(dtype)
            derived = mg.derive(f, X.astype(dtype))
            value, (g,) = derived(new)
            expected, slope = mg.value_and_grad(f)(mg.Tensor(new))
            assert value.dtype == g.dtype == dtype
            room = 1e-12 if dtype is np.float64 else 1e-5
            assert abs(value - expected.item()) <= room * max(1, abs(expected.item()))
            np.testing.assert_allclose(g, slope.data, rtol=0, atol=room * np.abs(slope.data).max())


def test_squeeze_without_an_axis_would_drop_a_batch_of_one():
    derived = mg.derive(lambda x: (x.squeeze() * np.arange(2)).sum(), X)
    with pytest.raises(ValueError, match="another batch size is not possible: squeeze"):
        derived(NEW[:1])


def test_places_in_plain_arrays_are_computed():
    at, heights = np.array([-1.0, 0.0, 1.0]), np.array([0.0, 2.0, 1.0])
    check(lambda x: np.interp(x, at, heights).sum(), [X / 9], [NEW / 4])


def test_detach_and_stop_gradient_are_constants_that_are_computed():
    check(lambda x: (x * (x * x).detach() + mg.stop_gradient(np.sin(x)) * x).sum(), [X], [NEW])


def test_checkpoint_is_written_out():
    check(lambda x: (mg.checkpoint(lambda z: np.tanh(z) * z)(x) * x).sum(), [X], [NEW])


# Arguments and results


def test_nested_containers_keep_their_form():
    def f(p, x):
        return (x @ p["W"] * p["more"][0]).sum() + p["more"][1].sum()

    p = {"W": np.ones((2, 2)), "more": [np.array(2.0), np.ones(3)]}
    derived = mg.derive(f, p, X)
    new = {"W": NEW[:2], "more": [np.array(3.0), np.zeros(3)]}
    value, (slopes, g) = derived(new, NEW)
    assert value == (NEW @ NEW[:2] * 3).sum()
    assert slopes.keys() == new.keys()
    assert slopes["more"][0] == (NEW @ NEW[:2]).sum()
    np.testing.assert_allclose(g, 3 * np.ones((3, 2)) @ NEW[:2].T)


def test_a_dict_in_another_order_is_the_same_dict():
    derived = mg.derive(lambda p: (p["a"] * p["b"] ** 2).sum(), {"a": X, "b": NEW})
    value, (g,) = derived({"b": X, "a": NEW})
    assert value == (NEW * X**2).sum()
    assert np.array_equal(g["a"], X**2)
    with pytest.raises(ValueError, match=r"p\['c'\].*expected p\['a'\], p\['b'\]"):
        derived({"a": X, "c": X})


def test_numbers_without_axes_and_floats():
    derived = check(lambda a, b, x: (a * x + b).sum() * a, [2.0, np.array(3.0), X],
                    [0.5, np.array(-1.0), NEW])  # fmt: skip
    value, gradients = derived(0.5, np.array(-1.0), NEW)
    assert [g.shape for g in gradients] == [(), (), (3, 2)]
    assert all(isinstance(g, np.ndarray) for g in (value, *gradients))


@pytest.mark.parametrize(("argnums", "places"), [(0, [0]), (1, [1]), ((1, 0), [1, 0]), (-1, [2])])
def test_argnums(argnums, places):
    f = lambda a, b, c: (a * b).sum() + (a * c * c).sum()
    a, b, c = X, NEW, X + NEW
    value, gradients = mg.derive(f, a, a, a, argnums=argnums)(a, b, c)
    assert np.isclose(value, (a * b).sum() + (a * c * c).sum())
    gradients = [gradients] if isinstance(argnums, int) else gradients
    for place, g in zip(places, gradients, strict=True):
        np.testing.assert_allclose(g, [b + c * c, a, 2 * a * c][place])


def test_argnums_none_is_every_argument_of_floats():
    derived = mg.derive(lambda a, n, b: (a * b * n).sum(), X, np.array([1, 2]), NEW)
    assert len(derived(X, np.array([1, 2]), NEW)[1]) == 2


@both_styles
def test_results_are_new_arrays(style):
    def f(a, b):
        return (a * b).sum() + a.sum()

    derived = mg.derive(lambda a, b: (a * b).sum() + b.sum(), X, NEW, style=style)
    a, b = X.copy(), NEW.copy()
    value, gradients = derived(a, b)
    for g in (value, *gradients):
        g[...] = 99
    assert np.array_equal(a, X)
    assert np.array_equal(b, NEW)
    again, slopes = derived(a, b)
    assert again == f(b, a)
    assert np.array_equal(slopes[0], NEW)
    kept = [g.copy() for g in slopes]
    derived(NEW, X)
    assert all(map(np.array_equal, slopes, kept))


@both_styles
def test_without_a_copy_the_results_are_the_same(style):
    f = lambda a, b: (np.tanh(a @ b.T) ** 2).sum()
    derived = mg.derive(f, X, NEW, style=style)
    value, gradients = derived(NEW, X)
    fast, views = derived(NEW, X, copy=False)
    assert value == fast
    assert all(map(np.array_equal, gradients, views))


def test_an_einsum_that_is_a_view_is_not_written_over():
    def f(x):
        y = x * 2
        z = np.einsum("ij->ji", y)
        return (z.T * np.exp(y)).sum()

    check(f, [X], [NEW])


# Gradients of gradients


def test_a_gradient_of_a_gradient():
    def slope(x):
        (g,) = mg.grad((np.tanh(x) * x).sum(), [x], create_graph=True)
        return (g * g).sum()

    check(slope, [X / 3], [NEW])


def test_a_product_with_the_hessian():
    v = np.array([[1.0, -1.0], [0.5, 2.0], [0.0, 1.0]])

    def curvature(x):
        return (mg.hvp(lambda z: (np.sin(z) * z * z).sum(), x, v) * v).sum()

    check(curvature, [X / 3], [NEW])
    check(lambda x: (mg.gradient(lambda z: mg.logsumexp(z))(x) ** 2).sum(), [X], [NEW])


def test_a_loss_that_checks_its_targets_is_captured():
    z, t = np.array([0.5, -1.0, 2.0]), np.array([0.0, 1.0, 1.0])
    derived = mg.derive(mg.nn.bce_with_logits, z, t, argnums=0)
    value, gradient = derived(-z, t)
    expected = mg.value_and_grad(mg.nn.bce_with_logits)(mg.Tensor(-z), t)
    np.testing.assert_allclose(value, expected[0].data, rtol=1e-14)
    np.testing.assert_allclose(gradient, expected[1].data, rtol=1e-14)
