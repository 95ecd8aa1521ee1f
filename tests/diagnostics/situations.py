"""Planted situations: graphs whose gradient is None, 0 or a number, and why."""

import copy
import pickle

import numpy as np

import minigraph as mg
from minigraph.modes import Setting


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
