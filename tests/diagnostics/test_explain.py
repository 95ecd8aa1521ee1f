"""Why a gradient is None, 0 or a number: planted situations, and shares that add up to the bit."""

import copy
import html
import pickle
from functools import reduce
from operator import add

import numpy as np
import pytest
from hypothesis import given

import minigraph as mg
from minigraph.graph import ancestors
from minigraph.testing.laws import leaves
from minigraph.testing.strategies import graphs, networks


def leaf(values, name=None, **options):
    return mg.Tensor(np.asarray(values, float), requires_grad=True, name=name, **options)


def pair():
    return leaf([1.5, -2.25, 3.0], "x"), leaf([0.75, 1.25, -0.5], "w")


# Each situation gives the loss, x, an index or None, the verdict, the kind of the first cause,
# and words that stand in the text. Its tensors must live until it has been explained.

SITUATIONS = {}


def situation(verdict, kind, *words):
    def keep(function):
        SITUATIONS[function.__name__] = (function, verdict, kind, words)
        return function

    return keep


# Cuts


@situation("none", "detach", "'x' float64[3]", "multiply takes", "detach()")
def detached_leaf():
    x, w = pair()
    return (x.detach() * w).sum(), x


@situation("none", "detach", "(made by tanh), which x leads to", "shares its memory")
def detached_result_that_lives():
    x, w = pair()
    h = np.tanh(x)
    return (h.detach() * w).sum(), x, None, h


@situation("none", "detach", "newer than x", "made by detach() from a result that is gone")
def detached_result_that_is_gone():
    x, w = pair()
    return (np.tanh(x).detach() * w).sum(), x


@situation("none", "detach", "(made by sum), which x leads to")
def detached_number():
    x, w = pair()
    total = x.sum()
    return (w * total.detach()).sum(), x, None, total


@situation("none", "detach", "the loss, ", "shares its memory", "detach()")
def loss_detached():
    x, _ = pair()
    loss = (x * x).sum()
    return loss.detach(), x, None, loss


@situation("none", "detach", "detach() from a tensor that is gone")
def loss_detached_and_gone():
    x, _ = pair()
    return (x * x).sum().detach(), x


@situation("none", "detach", "'x' float64[3]", "made by detach() from", "leaf")
def asked_of_the_detached_leaf():
    x, w = pair()
    cut = x.detach()
    return (cut * w).sum(), cut, None, x


@situation("none", "detach", "made by detach()")
def asked_of_a_detached_result():
    x, w = pair()
    cut = np.tanh(x).detach()
    return (cut * w).sum(), cut


@situation("none", "unrecorded", "newer than x", "no_grad()")
def made_under_no_grad():
    x, w = pair()
    with mg.no_grad():
        h = np.tanh(x)
    return (h * w).sum(), x


@situation("none", "no_grad", "(made by tanh), which x leads to", "same values", "no_grad()")
def made_again_under_no_grad():
    x, w = pair()
    kept = np.tanh(x)
    with mg.no_grad():
        h = np.tanh(x)
    return (h * w).sum(), x, None, kept


@situation("none", "no_grad", "a view of it", "no_grad()")
def view_under_no_grad():
    x, w = pair()
    with mg.no_grad():
        h = x[::-1]
    return (h * w).sum(), x


@situation("none", "unrecorded", "the loss, ", "no_grad()")
def loss_under_no_grad():
    x, _ = pair()
    with mg.no_grad():
        return (x * x).sum(), x


@situation("none", "unrecorded", "no_grad()", "constants")
def asked_of_a_result_under_no_grad():
    x, w = pair()
    with mg.no_grad():
        h = x * 2
    return (h * w).sum(), h


@situation("none", "data", "multiply takes v2 float64[3] as b", ".data carries no gradient")
def data_as_operand():
    x, w = pair()
    return (w * x.data).sum(), x


@situation("none", "data", "shares its memory", ".data")
def tensor_that_shares_data():
    x, w = pair()
    return (w * mg.Tensor(x.data, copy=False)).sum(), x


@situation("none", "data", "(made by tanh), which x leads to", ".data")
def data_of_a_result():
    x, w = pair()
    h = np.tanh(x)
    return (w * h.data).sum(), x, None, h


@situation("none", "copy", "holds the same values", "numpy()")
def copied_array():
    x, w = pair()
    return (w * x.numpy()).sum(), x


@situation("none", "copy", "same values", "constant copy")
def tensor_of_a_copy():
    x, w = pair()
    return (w * mg.Tensor(x.numpy())).sum(), x


@situation("none", "copy", "(made by exp), which x leads to", "constant copy")
def tensor_of_a_copied_result():
    x, w = pair()
    h = np.exp(x)
    return (w * mg.Tensor(h.data)).sum(), x, None, h


@situation("none", "number", "the number 3.7", "float(t)")
def python_number():
    x, w = leaf(3.7, "x"), leaf([1.0, 2.0])
    return (w * float(x)).sum(), x


@situation("none", "number", "item()")
def item_of_a_result():
    x, w = pair()
    total = (x * x).sum()
    return (w * total.item()).sum(), x, None, total


@situation("none", "constant", "the values of x > 0", "constants by rule")
def comparison():
    x, w = pair()
    return ((x > 0) * w).sum(), x


@situation("none", "constant", "where takes", "as condition", "the values of x <= 0")
def condition_of_where():
    x, w = leaf([1.0, 0.0, -1.0], "x"), pair()[1]
    return mg.where(x <= 0, w, 2 * w).sum(), x


@situation("none", "constant", "sign(x)", "constants by rule")
def sign():
    x, w = pair()
    return (np.sign(x) * w).sum(), x


@situation("none", "constant", "floor(x)")
def floor():
    x, w = pair()
    return (np.floor(x) * w).sum(), x


@situation("none", "constant", "floor(it)", "(made by multiply), which x leads to")
def floor_of_a_result():
    x, w = pair()
    h = x * 2.7
    return (np.floor(h) * w).sum(), x, None, h


@situation("none", "constant", "x.astype(int64)")
def integers():
    x, w = pair()
    return (x.astype(np.int64) * w).sum(), x


@situation("none", "constant", "x.argmax(1)")
def argmax():
    x, w = leaf([[1.0, 2.0], [4.0, 3.0]], "x"), leaf([2.0, 3.0])
    return (x.argmax(axis=1) * w).sum(), x


@situation("none", "constant", "truth values or integers", "newer than x")
def place_of_the_largest():
    x, w = pair()
    return (x.argmax() * w).sum(), x


@situation("none", "constant", "truth values or integers", "newer than x")
def comparison_of_two():
    x, w = pair()
    return ((x > np.array([2.0, -9.0, 1.0])) * w).sum(), x


@situation("none", "constant", "greater takes 'x' float64[3] as a", "constant by rule")
def comparison_in_a_trace():
    from minigraph.modes import Setting

    x, w = pair()
    with Setting(trace=True):
        return ((x > 0) * w).sum(), x


@situation("none", "no formula", "where takes 'x' float64[3] as condition", "no gradient flows")
def float_as_condition():
    x, w = pair()
    return mg.where(x, w, 2 * w).sum(), x


@situation("none", "integer", "the loss", "counts and truth values")
def loss_is_a_count():
    x, _ = pair()
    return (x > 0).sum(), x


@situation("none", "integer", "'t' int64[2] holds integers", "give floats")
def x_holds_integers():
    t = mg.Tensor([0, 1], name="t")
    z = leaf([[1.0, 2.0], [0.0, 3.0]])
    return mg.softmax_nll(z, t), t


@situation("none", "requires_grad", "'x' float64[3] is a leaf with requires_grad=False")
def not_asked_for():
    x, w = mg.Tensor([1.5, 2.5, 3.5], name="x"), pair()[1]
    return (x * w).sum(), x


@situation("none", "set later", "multiply takes 'x'", "requires_grad was set after that")
def asked_for_too_late():
    x, w = mg.Tensor([1.5, 2.5, 3.5], name="x"), pair()[1]
    loss = (x * w).sum()
    x.requires_grad = True
    return loss, x


@situation("none", "side branch", "made from 'w' float64[3], and so was the loss")
def side_branch():
    w = pair()[1]
    x = w[:2] * 1.5
    return (w * w).sum(), x


@situation("none", "other tensor", "another tensor, 'x' float64[3], not from this")
def replaced():
    x, w = pair()
    loss = (x * w).sum()
    return loss, leaf(x.data - 0.1 * w.data, "x"), None, x


@situation("none", "other tensor", "with the same values", "replaced or copied")
def pickled():
    x, w = pair()
    loss = (x * w).sum()
    return pickle.loads(pickle.dumps(loss)), x, None, loss


@situation("none", "other tensor", "with the same values")
def copied_graph():
    x, w = pair()
    loss = (x * w).sum()
    return copy.deepcopy(loss), x, None, loss


@situation("none", "no path", "the loss was not made from 'x'", "made from w")
def no_path():
    x, w = pair()
    return (w * w).sum(), x


@situation("none", "no path", "Newer than x", "create_graph=True", "v2 float64[3]")
def gradient_without_create_graph():
    x, w = pair()
    slope = mg.grad((x * x * x).sum(), x)
    return (slope * w).sum(), x


@situation("none", "no path", "is a leaf: it was made from no other tensor")
def loss_is_a_constant_leaf():
    return mg.Tensor(1.0), leaf([1.0])


@situation("none", "no path", "the loss was not made from 'x'")
def l1_penalty_of_another():  # its sign is newer than x, and made by a rule, but no sign of a path
    x, w = pair()
    return mg.l1_penalty(w), x


# Zeros


@situation("zero", "closed", "relu is closed in all 3 entries")
def relu_closed():
    x = leaf([-1.0, -2.0, 0.0])
    return mg.relu(x).sum(), x


def network(bias):
    X = mg.Tensor([[1.0, 2.0], [0.5, -1.0], [2.0, 1.0], [1.5, 0.25]], name="X")
    W1, b1 = leaf([[1.0, -1.0, 0.5], [0.5, 1.0, -1.0]], "W1"), leaf(bias, "b1")
    W2 = leaf([[1.0], [-2.0], [3.0]], "W2")
    with mg.scope("hidden"):
        h = mg.relu(mg.linear(X, W1, b1))
    return (h @ W2).sum(), W1, b1, W2


@situation("zero", "closed", "unit 1 in all 4 examples", "in 4 of 12 entries")
def dead_unit():
    loss, _, b1, _ = network([0.0, -9.0, 0.0])
    return loss, b1, 1


@situation("number", "closed", "units 0, 2 in all 4 examples", "0 in 4 of 6 entries")
def dead_units_of_a_weight():
    loss, W1, _, _ = network([-9.0, 0.0, -9.0])
    return loss, W1


@situation("zero", "zero factor", "the factor", "is 0")
def weights_behind_a_dead_unit():
    loss, _, _, W2 = network([0.0, -9.0, 0.0])
    return loss, W2, (1, 0)


@situation("number", "zero factor", "the factor X is 0", "row 1 in all 2 columns")
def a_pixel_that_is_never_set():
    X, W = mg.Tensor([[1.0, 0.0], [2.0, 0.0]], name="X"), leaf([[1.0, 2.0], [3.0, 4.0]], "W")
    return (X @ W).sum(), W


@situation("zero", "zero factor", "the factor m is 0 in all 3 entries")
def multiplied_by_a_mask_of_zeros():
    x, m = pair()[0], mg.Tensor(np.zeros(3), name="m")
    return (x * m).sum(), x


@situation("number", "zero factor", "in 1 of 3 entries, at 1")
def dropped_out():
    x = pair()[0]
    return (x * np.array([2.0, 0.0, 2.0])).sum(), x


@situation("zero", "zero factor", "the factor 0.0 is 0")
def weight_of_a_term_is_zero():
    x, w = pair()
    return (w * w).sum() + 0.0 * (x * x).sum(), x


@situation("zero", "zero factor", "the factor W is 0")
def weights_of_zeros():
    x, W = leaf([[1.0, 2.0]]), leaf(np.zeros((2, 3)), "W")
    return (x @ W).sum(), x


@situation("zero", "mask", "the mask chose", "in 1 of 3 entries, at 1")
def masked_by_where():
    x, w = pair()
    return mg.where(x > 0, x, w).sum(), x, 1


@situation("zero", "mask", "lies above 1.0, which was taken,")
def clipped():
    x = leaf([2.0, 3.0])
    return x.clip(0.0, 1.0).sum(), x


@situation("number", "mask", "lies below", "in 2 of 3 entries, at 0, 2")
def smaller_in_maximum():
    x = leaf([0.0, 5.0, 1.0], "x")
    return mg.maximum(x, np.array([1.0, 2.0, 3.0])).sum(), x


@situation("number", "mask", "is not the largest in 2 of 3 entries")
def not_the_largest():
    x = pair()[0]
    return x.max(), x


@situation("zero", "mask", "is not the smallest")
def not_the_smallest():
    x = pair()[0]
    return x.min(), x, -1


@situation("zero", "saturated", "tanh is saturated in all 2 entries")
def saturated_tanh():
    x = leaf([40.0, -50.0])
    return np.tanh(x).sum(), x


@situation("zero", "saturated", "sigmoid is saturated")
def saturated_sigmoid():
    x = leaf([40.0, 800.0])
    return mg.sigmoid(x).sum(), x


@situation("zero", "saturated", "softmax is saturated")
def saturated_softmax():
    x = leaf([[900.0, 0.0]])
    return (mg.softmax(x) * np.array([1.0, 2.0])).sum(), x


@situation("zero", "saturated", "softmax_nll is saturated")
def saturated_loss():
    x = leaf([[900.0, 0.0]])
    return mg.softmax_nll(x, [0]), x


@situation("zero", "saturated", "log_softmax is saturated")
def saturated_log_softmax():
    x = leaf([[900.0, 0.0]])
    return -mg.log_softmax(x)[0, 0], x


@situation("number", "unread", "the index does not read in 2 of 3 entries, at 0, 2")
def slice_not_read():
    x = pair()[0]
    return x[1:2].sum(), x


@situation("zero", "unread", "does not read")
def row_not_read_by_an_index_array():
    x = leaf(np.ones((3, 2)))
    return x[np.array([0, 0, 2])].sum(), x, (1, 1)


@situation("zero", "cancel", "the 2 shares of x cancel exactly in all 3 entries")
def shares_cancel():
    x = pair()[0]
    return (x - x).sum(), x


@situation("zero", "cancel", "its terms cancel exactly")
def terms_cancel():
    b, c = leaf(1.0, "b"), np.array([1.0, -1.0])
    return (b * c).sum(), b


@situation("zero", "cancel", "the 2 shares of v1 cancel", "its only entry")
def shares_cancel_further_down():
    x = leaf(2.0)
    y = x * 3
    return y * 1 - y, x


@situation("zero", "flat", "the derivative of abs is 0, as x = 0,")
def kink_of_abs():
    x = leaf([0.0, 0.0], "x")
    return abs(x).sum(), x


@situation("zero", "flat", "the derivative of square is 0, as x = 0,")
def bottom_of_a_parabola():
    x = leaf([0.0], "x")
    return np.square(x).sum(), x


@situation("zero", "flat", "l1_penalty by w is 0, as w = 0,")
def kink_of_the_penalty():
    w = leaf([0.0, 0.0], "w")
    return mg.l1_penalty(w), w


@situation("zero", "flat", "x ** 0: the derivative of scalar_power is 0")
def power_of_zero():
    x = leaf([2.0], "x")
    return (x**0).sum(), x


@situation("zero", "underflow", "too small for float64")
def product_underflows():
    x = leaf([1.0])
    return ((x * 1e-200) * 1e-200).sum(), x


@situation("zero", "seed", "the seed", "is 0 in all 2 entries")
def seed_of_zeros():
    x = leaf([1.0, 2.0])
    return x * 3, x, None, None, np.zeros(2)


@situation("zero", "closed", "relu is closed in all 2 entries")
def closed_far_behind_shaping_ops():
    x = leaf([[-1.0, -2.0]])
    return np.stack([mg.relu(x.T.reshape(-1)), np.zeros(2)]).mean(), x


@situation("zero", "flat", "the derivative of thresholded is 0")
def own_operation():
    op = mg.Op(np.floor, x=lambda g, y, x: 0 * g, name="thresholded")
    x = leaf([1.5])
    return op(x).sum(), x


# Numbers


@situation("number", None, "‖∂")
def tensor_used_three_times():
    x = pair()[0]
    return (x * x + x).sum(), x


@situation("number", None, "to be told", "not all of it", "detach()")
def one_branch_detached():
    x = mg.Tensor([1.5, 2.5], requires_grad=True, name="to be told")
    return (x * x.detach()).sum(), x


@situation("number", None, "is saturated in 1 of 2 entries")
def almost_saturated():
    x = leaf([18.5, 0.0])
    return np.tanh(x).sum(), x


@situation("number", None, "nearly cancel in 1 of 1 entries")
def shares_that_nearly_cancel():
    x = leaf([0.3])
    return (x * 0.1 + x * 0.2 - x * 0.3).sum(), x


@situation("number", None, "1 of 2 entries are NaN or infinite")
def not_a_number():
    x = leaf([0.0, 1.0])
    with np.errstate(all="ignore"):
        return np.sqrt(x).sum(), x


@situation("number", None, "grad stays None", "retain_grad()")
def result_in_between():
    x = pair()[0] * 2
    return (x * x).sum(), x


@situation("number", None, "= 1", "seed", "the loss itself")
def loss_by_itself():
    loss = (pair()[0] * 2).sum()
    return loss, loss


@pytest.mark.parametrize("name", SITUATIONS)
def test_the_right_cause_is_named(name):
    function, verdict, kind, words = SITUATIONS[name]
    loss, x, index, _, grad = (*function(), None, None, None)[:5]
    found = mg.explain(loss, x, index, grad=grad)
    text = " ".join(str(found).split())
    assert found.verdict == verdict, text
    assert (found.causes[0].kind if found.causes else None) == kind, text
    assert [word for word in words if word not in text] == [], text
    if verdict == "none":
        assert found.gradient is None
        assert not found.shares
    else:
        with np.errstate(all="ignore"):
            expected = mg.grad(loss, x, grad).data
        assert_same(found.gradient, expected if index is None else expected[index])
        assert_sum(found.shares, found.gradient)
    assert html.unescape(found._repr_html_()) == f"<pre>{found}</pre>"
    assert found.draw().source.startswith("digraph")


def test_there_are_enough_situations():
    assert len(SITUATIONS) >= 60


# Shares


def assert_same(a, b):
    assert a.dtype == b.dtype
    assert a.shape == b.shape
    assert np.asarray(a).tobytes() == np.asarray(b).tobytes() or (
        np.isnan(a).any() and np.array_equal(a, b, equal_nan=True)
    )


def assert_sum(shares, total):
    """See that shares, added in the order of the sweep, are the total to the bit; and so below."""
    assert sorted(share.order for share in shares) == list(range(len(shares)))
    sizes = [abs(share.size) for share in shares if share.size == share.size]
    assert sizes == sorted(sizes, reverse=True)
    ordered = sorted(shares, key=lambda share: share.order)
    with np.errstate(all="ignore"):
        assert_same(reduce(add, [share.value for share in ordered]), total)


@given(graphs() | graphs(at_kinks=True))
def test_shares_of_every_tensor_of_a_random_graph_sum_to_its_gradient(program):
    inputs = leaves(list(program.inputs.values()))
    loss = mg.sum(program(*inputs))
    for tensor in ancestors([loss]):
        found = mg.explain(loss, tensor, depth=3)
        gradient = None
        if tensor.requires_grad:
            gradient = mg.grad(loss, tensor, allow_unused=True)
        if gradient is None:
            assert found.verdict == "none"
            assert found.causes
            continue
        assert_same(found.gradient, gradient.data)
        assert_sum(found.shares, found.gradient)
        for share in found.shares:
            if share.shares:
                assert_sum(share.shares, mg.grad(loss, share.consumer).data)
        zeros = np.argwhere(gradient.data == 0)
        assert (found.zeros, bool(found.causes)) == (len(zeros), len(zeros) > 0)
        for index in zeros.tolist():
            one = mg.explain(loss, tensor, tuple(index))
            assert one.verdict == "zero"
            assert one.causes


@given(networks() | networks(at_kinks=True))
def test_zeros_of_a_random_network_have_causes_that_hold(network):
    parameters = {k: leaf(a, k) for k, a in network.parameters.items()}
    risk = network.risk(parameters, mg.Tensor(network.x, name="X"))
    table = mg.explain(risk, parameters)
    for name, one in table.items():
        assert_sum(one.shares, mg.grad(risk, parameters[name]).data)
        for cause in one.causes:
            assert 0 < cause.count <= cause.of
            if cause.kind == "closed":
                relu = cause.node
                assert (relu.data[:, list(cause.units)] == 0).all()


@given(graphs() | graphs(at_kinks=True))
def test_a_cut_behind_a_random_graph_is_found_for_all_that_leads_to_it(program):
    inputs = leaves(list(program.inputs.values()))
    y = program(*inputs)
    if not y.requires_grad:
        return
    loss = mg.sum(y.detach() * leaf(2.0))
    for tensor in ancestors([y]):
        if tensor.requires_grad and mg.grad(mg.sum(y), tensor, allow_unused=True) is not None:
            cause = mg.explain(loss, tensor).causes[0]
            assert cause.kind == "detach"
            assert np.shares_memory(cause.source.data, y.data) or y.ndim == 0


def test_shares_of_a_gradient_of_a_gradient():
    x = leaf([[1.0, -2.0], [0.5, 3.0]], "x")
    slope = mg.grad((mg.relu(x @ x.T) ** 2).sum(), x, create_graph=True)
    loss = mg.l2_penalty(slope)
    found = mg.explain(loss, x, depth=4)
    assert_same(found.gradient, mg.grad(loss, x).data)
    assert_sum(found.shares, found.gradient)


def test_a_formula_that_runs_on_arrays_only_is_walked_through():
    op = mg.Op(lambda x: x * 2, x=lambda g, y, x: np.asarray(g) * 2, name="doubled")
    x = leaf([-1.0, 2.0])
    found = mg.explain(mg.relu(op(x)).sum(), x)
    assert [cause.kind for cause in found.causes] == ["closed"]


def test_a_half_made_tensor_of_another_thread_is_passed_over():
    half = object.__new__(mg.Tensor)
    x, w = pair()
    assert mg.explain((x.detach() * w).sum(), x).causes[0].kind == "detach"
    assert type(half) is mg.Tensor


def test_shares_are_listed_largest_first_and_down_the_graph():
    a = leaf([2.0, -1.0], "a")
    loss = (mg.relu(a) + a * a).sum()
    found = mg.explain(loss, a, index=0, depth=3)
    assert [(s.value, s.order) for s in found.shares] == [(2, 0), (2, 1), (1, 2)]
    assert [s.consumer.op.name for s in found.shares] == ["multiply", "multiply", "relu"]
    (below,) = found.shares[0].shares
    assert below.consumer.op.name == "add"
    assert [s.consumer.op.name for s in below.shares] == ["sum"]
    assert found.shares[1].repeated
    assert not found.shares[1].shares
    lines = str(found).splitlines()
    assert [len(line) - len(line.lstrip()) for line in lines] == [0, 2, 6, 10, 2, 2, 6]


def test_shares_of_a_deep_graph_are_not_found_by_recursion():
    x = y = leaf(1.0)
    for _ in range(20_000):
        y = y * 1.0
    found = mg.explain(y, x, depth=20_000)
    assert len(str(found).splitlines()) == 20_001
    z = x * 0.0
    for _ in range(2_000):
        z = z * 1.0
    assert mg.explain(z, x).causes[0].kind == "zero factor"


def test_grad_is_left_alone_and_a_graph_may_be_asked_after_backward():
    x = leaf([1.0, 2.0])
    loss = (x * x).sum()
    mg.explain(loss, x)
    assert x.grad is None
    loss.backward()
    with mg.no_grad():
        found = mg.explain(loss, x, index=1)
    assert found.gradient == 4
    assert np.array_equal(x.grad, [2, 4])


# Tables


def test_a_table_puts_parameters_without_gradient_first_and_counts_dead_units():
    loss, W1, b1, W2 = network([0.0, -9.0, 0.0])
    b2 = leaf([0.0], "b2")
    table = mg.explain(loss, {"W1": W1, "b1": b1, "W2": W2, "b2": b2})
    assert list(table) == ["b2", "W1", "b1", "W2"]
    assert table.rows[0][1] == "None"
    assert table.rows[1][1:4] == ("8.48", "2 of 6", "1")
    assert table["b1"].causes[0].units == (1,)
    assert str(table).splitlines()[1].startswith("b2  None")
    assert "<td>b2</td>" in table._repr_html_()
    assert "1 of them None" in repr(table)


def test_an_empty_table_and_names_that_are_no_text():
    x, w = pair()
    loss = (x * w).sum()
    assert len(mg.explain(loss, {})) == 0
    assert len(str(mg.explain(loss, {})).splitlines()) == 1
    assert str(mg.explain(loss, {0: x, 1: w})).splitlines()[1].startswith("0 ")


def test_a_module_stands_for_its_parameters():
    net = mg.nn.MLP([2, 3, 2], seed=0)
    loss = mg.softmax_nll(net([[1.0, 2.0]]), [0])
    assert sorted(mg.explain(loss, net)) == sorted(net.parameters())


def test_a_name_is_escaped_in_a_notebook():
    x = leaf([1.0], "<script>")
    loss = (x * 2).sum()
    assert "<script>" not in mg.explain(loss, x)._repr_html_()
    assert "<script>" not in mg.explain(loss, {"<script>": x})._repr_html_()


# Pictures


def test_a_cut_is_marked_in_the_picture():
    x, w = pair()
    h = np.tanh(x)
    drawing = mg.explain((h.detach() * w).sum(), x).draw()
    assert "✗ detach" in str(drawing)
    assert "#962C00" in drawing.source


def test_a_picture_of_a_loss_without_gradient_is_drawn_without_gradients(dot, tmp_path):
    x, _ = pair()
    loss = (x * x).sum()
    drawing = mg.explain(loss.detach(), x).draw()
    assert drawing.n_nodes == 4
    assert drawing.render(tmp_path / "cut.svg").exists()


# Source lines, where they are known


def test_lines_stand_with_the_nodes_where_they_are_known(monkeypatch):
    from minigraph.diagnostics import flowing, shares

    for module in (flowing, shares):
        monkeypatch.setattr(module, "line_of", lambda tensor: "net.py:7")
    x = leaf([-1.0, 2.0], "x")
    h = mg.relu(x)
    found = mg.explain(h.sum(), x)
    assert "v1 = relu(x), net.py:7: relu is closed" in str(found)
    assert found.shares[0].line == "net.py:7"
    assert "(net.py:7)" in str(found)
    w = leaf([1.0, 2.0])
    assert "(made by relu, net.py:7), which x" in str(mg.explain((h.detach() * w).sum(), x))


# Bad input


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda x, loss: mg.explain(1.0, x), TypeError, "loss is a Tensor, not float"),
        (lambda x, loss: mg.explain(loss, [1.0]), TypeError, "x is a Tensor, or a mapping"),
        (lambda x, loss: mg.explain(loss, {"a": 1.0}), TypeError, r"x\['a'\] is a Tensor"),
        (lambda x, loss: mg.explain(loss, x, 3), IndexError, "out of range .* axis 0 has 3"),
        (lambda x, loss: mg.explain(loss, x, -4), IndexError, "out of range"),
        (lambda x, loss: mg.explain(loss, x, (0, 0)), IndexError, "has 2 numbers, .* has 1 axes"),
        (lambda x, loss: mg.explain(loss, x, "a"), IndexError, "holds whole numbers, not 'a'"),
        (lambda x, loss: mg.explain(loss, x, True), IndexError, "holds whole numbers, not True"),
        (lambda x, loss: mg.explain(loss, {"x": x}, 0), ValueError, "index is for one tensor"),
        (lambda x, loss: mg.explain(loss, x, depth=0), ValueError, "depth is at least 1, not 0"),
        (lambda x, loss: mg.explain(loss, x, depth=1.5), TypeError, "depth is a whole number"),
        (lambda x, loss: mg.explain(x * 2, x), ValueError, "is not a scalar; reduce it"),
        (lambda x, loss: mg.explain(loss, x, grad=[1.0]), ValueError, "cotangent of shape"),
    ],
)
def test_wrong_calls_are_told(call, error, words):
    x = leaf([1.0, 2.0, 3.0], "x")
    with pytest.raises(error, match=f"explain: .*{words}"):
        call(x, (x * x).sum())


def test_a_written_array_is_refused_and_not_explained_by_other_values():
    x = leaf([1.0, 2.0], "x")
    loss = (x * x).sum()
    with mg.no_grad():
        x += 1.0
    with pytest.raises(RuntimeError, match=r"'x' .* was written after multiply"):
        mg.explain(loss, x)


def test_a_write_elsewhere_does_not_keep_from_saying_that_no_path_exists():
    x, w = pair()
    loss = (w * w).sum()
    with mg.no_grad():
        w += 1.0
    assert mg.explain(loss, x).causes[0].kind == "no path"


def test_a_gradient_without_entries_is_no_zero():
    x = leaf(np.zeros((0, 2)))
    assert mg.explain((x * 2).sum(), x).verdict == "number"


def test_neighbours_in_one_array_share_nothing():
    both = np.array([1.0, 5.0, 2.0, 6.0])
    x = mg.Tensor(both[::2], requires_grad=True, copy=False)
    other, w = mg.Tensor(both[1::2], copy=False), leaf([1.0, 2.0])
    assert mg.explain((other * w).sum(), x).causes[0].kind == "no path"


def test_an_array_that_is_not_computed_is_refused():
    dask = pytest.importorskip("dask.array")
    x = mg.Tensor(dask.ones(3), requires_grad=True, name="x")
    with pytest.raises(TypeError, match=r"'x' .* is a dask array, not computed yet"):
        mg.explain((x * 2).sum(), x)
