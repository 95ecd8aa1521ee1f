"""The rules of the reverse sweep."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigraph as mg
from minigraph.sweep import sweep
from minigraph.testing import check_gradients


def leaf(x, **options):
    return mg.Tensor(x, requires_grad=True, dtype=options.pop("dtype", float), **options)


def counting_op(counts):
    """Multiply; note which formulas are computed."""

    def formula(name, rule):
        def vjp(g, y, a, b):
            counts.append(name)
            return rule(g, a, b)

        return vjp

    return mg.Op(
        lambda a, b: a * b,
        a=formula("a", lambda g, a, b: g * b),
        b=formula("b", lambda g, a, b: g * a),
        name="counted",
    )


# Accumulation


def test_second_backward_adds_exactly_once_more():
    a = leaf(2.0)
    b = a * a
    c = b * a
    c.backward()
    assert a.grad == 12
    c.backward()
    assert a.grad == 24


def test_backward_of_two_losses_adds_up():
    a = leaf([1.0, 2.0])
    (3 * a).sum().backward()
    (a * a).sum().backward()
    assert np.array_equal(a.grad, [5, 7])


def test_zero_grad_starts_anew():
    a = leaf(2.0)
    (a * a).backward()
    a.zero_grad()
    assert a.grad is None
    (a * a).backward()
    assert a.grad == 4


def test_doubling_sixty_times_is_linear_work_and_exact():
    counts = []
    op = mg.Op(
        lambda a, b: a + b,
        a=lambda g, y, a, b: counts.append(1) or g,
        b=lambda g, y, a, b: counts.append(1) or g,
        name="counted_add",
    )
    x = leaf(1.0)
    y = x
    for _ in range(60):
        y = op(y, y)
    y.backward()
    assert x.grad == 2.0**60
    assert len(counts) == 120
    assert mg.grad(y, x, create_graph=True).item() == 2.0**60


@st.composite
def programs(draw):
    """Draw a random program: each line combines two earlier values."""
    lines = draw(
        st.lists(
            st.tuples(st.sampled_from("+-*"), st.integers(0, 99), st.integers(0, 99)),
            min_size=1,
            max_size=8,
        )
    )
    return [(sign, i % (n + 3), j % (n + 3)) for n, (sign, i, j) in enumerate(lines)]


def run(program, inputs):
    values = list(inputs)
    for sign, i, j in program:
        a, b = values[i], values[j]
        values.append(a + b if sign == "+" else a - b if sign == "-" else np.sin(a) * b)
    return values


@given(programs())
def test_gradient_of_a_random_graph_is_the_central_difference(program):
    start = [np.array([0.3, -0.8]), np.array(1.1), np.array([[0.5], [0.7]])]
    inputs = [leaf(x) for x in start]
    y = run(program, inputs)[-1]
    w = np.linspace(0.5, 2, y.size).reshape(y.shape)
    found = mg.grad(y, inputs, w, allow_unused=True)
    check_gradients(lambda *x: run(program, x)[-1], *start, claim=np.inf)
    y.backward(w)
    for g, input in zip(found, inputs, strict=True):
        assert (g is None) == (input.grad is None)
        assert g is None or np.array_equal(g.data, input.grad)


# Nothing is shared


def memory_is_its_own(*arrays):
    return not any(np.shares_memory(a, b) for i, a in enumerate(arrays) for b in arrays[:i])


IDENTITIES = {
    "positive": lambda a: +a,
    "reshape": lambda a: a.reshape(3, 2),
    "transpose": lambda a: a.T,
    "getitem": lambda a: a[:],
    "copy": lambda a: a.copy(),
    "broadcast_to": lambda a: mg.broadcast_to(a, (2, 3)),
    "squeeze": lambda a: a[None].squeeze(0),
    "expand_dims": lambda a: mg.expand_dims(a, 0),
    "concatenate": lambda a: mg.concatenate([a]),
    "stack": lambda a: mg.stack([a]),
    "where": lambda a: mg.where(True, a, a),
    "sum over nothing": lambda a: mg.sum(a, axis=()),
    "itself": lambda a: a,
}


@pytest.mark.parametrize("op", IDENTITIES.values(), ids=IDENTITIES)
def test_grad_shares_no_memory_with_seed_data_or_another_grad(op):
    a, b = leaf(np.ones((2, 3))), leaf(np.ones((2, 3)))
    y = op(a) + op(b)
    seed = np.arange(6.0).reshape(y.shape)
    y.backward(seed)
    assert memory_is_its_own(a.grad, b.grad, a.data, b.data, y.data, seed)
    assert a.grad.flags.writeable
    kept = b.grad.copy()
    a.grad += 1
    assert np.array_equal(b.grad, kept)
    assert np.array_equal(seed.ravel(), np.arange(6.0))


def test_grads_of_a_sum_share_no_memory():
    a, b = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    (a + b).sum().backward()
    assert not np.shares_memory(a.grad, b.grad)
    a.grad *= 5
    assert np.array_equal(b.grad, [1, 1])


@pytest.mark.parametrize("op", IDENTITIES.values(), ids=IDENTITIES)
def test_results_of_grad_share_no_memory(op):
    a, b = leaf(np.ones((2, 3))), leaf(np.ones((2, 3)))
    y = op(a) + op(b)
    seed = np.arange(6.0).reshape(y.shape)
    da, db = mg.grad(y, [a, b], seed)
    assert memory_is_its_own(da.data, db.data, a.data, b.data, seed)


def test_seed_of_a_leaf_is_copied():
    a = leaf([1.0, 2.0])
    seed = np.array([3.0, 4.0])
    a.backward(seed)
    seed[0] = 9
    assert np.array_equal(a.grad, [3, 4])


def test_a_grad_taken_by_the_user_does_not_change_at_the_next_backward():
    a = leaf([1.0, 2.0])
    a.sum().backward()
    first = a.grad
    a.sum().backward()
    assert np.array_equal(first, [1, 1])
    assert np.array_equal(a.grad, [2, 2])


@pytest.mark.parametrize("shape", [(), (1,), (2, 3), (0,)], ids=str)
def test_grad_is_a_writable_array(shape):
    a = leaf(np.ones(shape))
    for _ in range(2):
        (a * 2).sum().backward()
        assert type(a.grad) is np.ndarray
        assert a.grad.flags.writeable
        assert a.grad.shape == shape


def test_intermediates_used_twice_are_added_without_touching_the_seed():
    a = leaf([1.0, 2.0])
    y = +a
    z = (y + y) + (y + y)
    seed = np.array([1.0, 10.0])
    z.backward(seed)
    assert np.array_equal(a.grad, [4, 40])
    assert np.array_equal(seed, [1, 10])


# grad()


def test_grad_never_touches_dot_grad():
    a = leaf(2.0)
    b = a * a
    b.retain_grad()
    a.grad = 7.0
    assert mg.grad(b * a, a).item() == 12
    assert a.grad == 7
    assert b.grad is None


def test_one_input_gives_a_tensor_and_a_sequence_gives_a_tuple():
    a, b = leaf(2.0), leaf(3.0)
    y = a * b
    assert isinstance(mg.grad(y, a), mg.Tensor)
    assert [g.item() for g in mg.grad(y, [a])] == [3]
    found = mg.grad(y, (b, a, b))
    assert isinstance(found, tuple)
    assert [g.item() for g in found] == [2, 3, 2]
    assert mg.grad(y, []) == ()


def test_grad_of_an_interior_tensor_is_its_cotangent():
    a = leaf(2.0)
    b = a * a
    c = b * a
    db, da = mg.grad(c, [b, a])
    assert db.item() == 2
    assert da.item() == 12
    assert mg.grad(c, c).item() == 1


def test_grad_of_a_leaf_by_itself_is_its_seed():
    a = leaf([1.0, 2.0])
    assert np.array_equal(mg.grad(a, a, [3.0, 4.0]).data, [3, 4])


def test_several_outputs_add_their_gradients():
    a, b = leaf([1.0, 2.0]), leaf(3.0)
    y, z = a * a, a * b
    da, db = mg.grad([y, z], [a, b], [np.array([1.0, 10.0]), np.array([100.0, 1000.0])])
    assert np.array_equal(da.data, [2 + 300, 40 + 3000])
    assert db.item() == 2100


def test_an_output_may_lead_to_another_and_be_named_twice():
    a = leaf(2.0)
    b = a * a
    c = b * a
    assert mg.grad([c, b], a).item() == 12 + 4
    assert mg.grad([b, c], a).item() == 12 + 4
    assert mg.grad([b, b], a).item() == 8


@pytest.mark.parametrize("order", [1, -1])
def test_cotangents_of_several_outputs_may_be_left_out_for_scalars(order):
    a = leaf(2.0)
    outputs = [a * a, a * 3][::order]
    assert mg.grad(outputs, a).item() == 7
    assert mg.grad(outputs, a, [None, 2.0]).item() == (10 if order == 1 else 11)


def test_an_unused_input_is_an_error_that_names_it():
    a, b = leaf(2.0), leaf(3.0, name="spare")
    with pytest.raises(RuntimeError, match=r"spare.*allow_unused"):
        mg.grad(a * a, [a, b])
    da, db = mg.grad(a * a, [a, b], allow_unused=True)
    assert da.item() == 4
    assert db is None


def test_an_input_cut_off_by_detach_is_unused():
    a = leaf(2.0)
    y = leaf(1.0) * a.detach()
    assert mg.grad(y, a, allow_unused=True) is None


def test_an_input_without_gradient_is_an_error():
    a = leaf(2.0)
    with pytest.raises(RuntimeError, match=r"data.*require"):
        mg.grad(a * a, mg.Tensor(1.0, name="data"))


@pytest.mark.parametrize("wrong", [np.ones(2), 1.0, "a", [1.0], None], ids=repr)
def test_what_is_no_tensor_is_a_type_error(wrong):
    a = leaf(2.0)
    with pytest.raises(TypeError):
        mg.grad(a * a, wrong)
    with pytest.raises(TypeError):
        mg.grad(wrong, a)


# Only what is wanted is computed


def test_only_formulas_on_the_way_to_a_wanted_leaf_are_computed():
    counts = []
    op = counting_op(counts)
    a, b = leaf(2.0), leaf(3.0)
    y = op(a, b)
    mg.grad(y, a)
    assert counts == ["a"]
    mg.grad(y, b)
    assert counts == ["a", "b"]
    y.backward()
    assert sorted(counts[2:]) == ["a", "b"]


def test_no_formula_is_computed_for_data():
    counts = []
    op = counting_op(counts)
    op(mg.Tensor(2.0), leaf(3.0)).backward()
    op(leaf(3.0), 2.0).backward()
    assert counts == ["b", "a"]


def test_an_interior_input_ends_the_sweep():
    counts = []
    op = counting_op(counts)
    a = leaf(2.0)
    b = op(a, a)
    mg.grad(b * b, b)
    assert counts == []


def test_each_formula_is_computed_once_per_sweep():
    counts = []
    op = counting_op(counts)
    a = leaf(2.0)
    b = op(a, a)
    (b * b + b).backward()
    assert sorted(counts) == ["a", "b"]


# retain_grad


def test_retained_grad_of_an_interior_tensor_is_its_cotangent():
    a = leaf([1.0, 2.0])
    b = a * 3
    b.retain_grad()
    c = (b * b).sum()
    c.backward()
    assert np.array_equal(b.grad, [6, 12])
    c.backward()
    assert np.array_equal(b.grad, [12, 24])
    assert memory_is_its_own(a.grad, b.grad, b.data)


def test_without_retain_grad_interior_tensors_keep_none():
    a = leaf([1.0, 2.0])
    b = a * 3
    b.sum().backward()
    assert b.grad is None


def test_retain_grad_of_a_constant_is_an_error():
    with pytest.raises(RuntimeError, match="fixed"):
        mg.Tensor(1.0, name="fixed").retain_grad()


# Seeds


def test_backward_of_more_than_one_entry_needs_a_seed():
    y = leaf([1.0, 2.0]) * 2
    y.name = "outputs"
    with pytest.raises(ValueError, match=r"outputs.*float64.*2.*scalar"):
        y.backward()


@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 1)], ids=str)
def test_seed_of_another_shape_is_an_error(shape):
    y = leaf([1.0, 2.0]) * 2
    with pytest.raises(ValueError, match="shape"):
        y.backward(np.ones(shape))
    with pytest.raises(ValueError, match="shape"):
        mg.grad(y, y, np.ones(shape))


@pytest.mark.parametrize("dtype", [np.float32, int, bool, complex])
def test_seed_of_another_dtype_is_an_error(dtype):
    y = leaf([1.0, 2.0]) * 2
    with pytest.raises(TypeError, match="dtype"):
        y.backward(np.ones(2, dtype))


def test_backward_without_a_gradient_says_why():
    y = mg.Tensor([1.0], name="data") * 2
    with pytest.raises(RuntimeError, match="no_grad"):
        y.backward()


def test_seed_may_be_a_tensor_and_gets_a_gradient_of_its_own():
    a, w = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    y = a * a
    g = mg.grad(y, a, w, create_graph=True)
    assert np.array_equal(mg.grad(g, w, [1.0, 1.0]).data, [2, 4])
    y.backward(w)
    assert np.array_equal(a.grad, [6, 16])


def test_wrong_number_of_cotangents_is_an_error():
    a = leaf(2.0)
    with pytest.raises(ValueError, match="2"):
        mg.grad([a * a, a * 2], a, [1.0])


def test_one_array_of_cotangents_for_several_scalars_is_taken_apart_or_refused_clearly():
    a = leaf(2.0)
    assert mg.grad([a * a, a * 2], a, np.array([1.0, 10.0])).item() == 24


def test_an_error_in_a_formula_leaves_every_grad_as_it_was():
    def broken(g, y, x):
        raise ZeroDivisionError("here")

    op = mg.Op(lambda x: x * 1, x=broken, name="broken")
    a, b = leaf(2.0), leaf(3.0)
    y = op(a) * 2 + b * 3 + a
    b.grad = 7.0
    with pytest.raises(ZeroDivisionError, match="here"):
        y.backward()
    assert a.grad is None
    assert b.grad == 7


# Higher orders


def test_three_orders_of_a_polynomial():
    x = leaf(2.0)
    first = mg.grad(x**4, x, create_graph=True)
    second = mg.grad(first, x, create_graph=True)
    third = mg.grad(second, x)
    assert [first.item(), second.item(), third.item()] == [32, 48, 48]


def test_third_order_of_a_composition():
    x = leaf(0.7)
    y = mg.exp(mg.sin(x) * x)
    derivatives = []
    for _ in range(3):
        y = mg.grad(y, x, create_graph=True)
        derivatives.append(y.item())

    def second(t):
        first = mg.grad(mg.exp(mg.sin(t) * t), t, create_graph=True)
        return mg.grad(first, t, create_graph=True)

    assert check_gradients(second, x.data)["t"].analytic == pytest.approx(derivatives[2])


def test_gradient_without_create_graph_is_a_constant():
    x = leaf(2.0)
    assert not mg.grad(x * x, x).requires_grad
    assert mg.grad(x * x, x, create_graph=True).requires_grad


def test_create_graph_works_under_no_grad():
    x = leaf(2.0)
    y = x**3
    with mg.no_grad():
        g = mg.grad(y, x, create_graph=True)
    assert mg.grad(g, x).item() == 12


@given(st.integers(0, 99))
def test_hessian_vector_product_of_the_risk_is_the_difference_of_gradients(seed):
    rng = np.random.default_rng(seed)
    model = mg.nn.MLP((3, 5, 4), activation=mg.tanh, seed=rng)
    X, t = rng.normal(size=(6, 3)), rng.integers(4, size=6)
    lam = (0.0, 0.02, 0.0, 0.04)
    parameters = list(model.parameters().values())
    v = [rng.normal(size=p.shape) for p in parameters]
    first = mg.grad(mg.nn.risk(model, X, t, lam), parameters, create_graph=True)
    product = mg.grad(sum(((g * w).sum() for g, w in zip(first, v)), mg.Tensor(0.0)), parameters)

    def gradient(step):
        for p, start, w in zip(parameters, starts, v, strict=True):
            p.data = start + step * w
        found = mg.grad(mg.nn.risk(model, X, t, lam), parameters)
        return np.concatenate([g.data.ravel() for g in found])

    starts = [p.numpy() for p in parameters]
    h = 1e-3
    measured = (8 * (gradient(h) - gradient(-h)) - gradient(2 * h) + gradient(-2 * h)) / (12 * h)
    exact = np.concatenate([g.data.ravel() for g in product])
    assert np.abs(exact - measured).max() <= 1e-6 * np.abs(measured).max()


def test_the_observer_sees_every_edge_once_and_parts_that_add_up_to_the_gradient():
    a, b = leaf([1.0, 2.0]), leaf(3.0)
    h = a * b
    y = (h * h + a).sum()
    seen = []

    def observe(consumer, slot, input, cotangent, part, total):
        assert cotangent.shape == consumer.shape
        seen.append((consumer.number, slot, input.number, np.copy(part), np.copy(total)))

    sweep([(y, np.float64(1))], observer=observe)
    edges = {(e.consumer.number, e.slot, e.input.number) for e in mg.Graph(y).edges}
    assert {edge[:3] for edge in seen} == edges
    assert len(seen) == len(edges)
    y.backward()
    for tensor in (a, b):
        parts = [part for _, _, number, part, _ in seen if number == tensor.number]
        totals = [total for _, _, number, _, total in seen if number == tensor.number]
        assert np.array_equal(sum(parts), tensor.grad)
        assert np.array_equal(totals[-1], tensor.grad)


# Order and dtypes


def test_shares_are_added_in_descending_order_of_recording():
    x = leaf(1.0)
    first, second, third = x * 1e16, x * -1e16, x * 1.0
    (first + second + third).backward()
    assert x.grad == (1.0 - 1e16) + 1e16 == 0
    assert (1e16 - 1e16) + 1.0 == 1


def test_a_gradient_has_the_dtype_of_its_tensor_also_where_the_operation_is_wider():
    x = leaf([1.0, 2.0], dtype=np.float32)
    assert (x * 2.0).dtype == np.float32
    assert (x * 2).dtype == np.float32
    wide = x * np.ones(2)
    assert wide.dtype == np.float64
    assert mg.grad(wide.sum(), x).dtype == np.float32
