"""Plant the same mistakes in minigraph and its peers, and print who notices.

    python benchmarks/silent_mistakes.py
    python benchmarks/silent_mistakes.py --words    # and what each of them says, or gives

A mistake is made by the means that each library has for it; where it has none, there is a dash.

error      an exception, by the mistake itself or when the gradient is asked for
warning    a wrong gradient and a warning, of the library or of NumPy
explained  a gradient is None, 0 or refused; `mg.explain`, when asked, names the cut
right      the gradient is right in spite of it
WRONG      the gradient is wrong, None, 0, NaN or infinite, in silence

Three groups. Something is written between forward and backward: right is the gradient at the
values of the forward pass. A NaN or Inf is made of finite numbers: right is what a person would
have meant. A gradient is lost, or is that of something else.

minigraph, PyTorch and JAX have modes for looking more closely, in columns of their own: `mg.debug`
(there `mg.explain` is asked too), `torch.autograd.set_detect_anomaly`, `jax.debug_nans` with
`jax.debug_infs`. Below the table stands what a peer notices and minigraph does not. Nothing is
timed. Libraries that are not installed are left out (`pip install -e '.[bench]'` brings all).
"""

import argparse
import importlib.util
import logging
import textwrap
import threading
import warnings
from contextlib import ExitStack, nullcontext
from types import SimpleNamespace

import numpy as np

import minigraph as mg

W, C = [1.0, 2.0], [3.0, 4.0]
WRITTEN = 2 * np.multiply(W, C) + np.exp(W)  # the gradient by w of sum(w * w * c * t + exp(w))
CUT = 2 * np.multiply(W, C)  # that of sum(w * w * v)
COLUMN, TARGETS = [[1.0], [0.0], [0.0]], [1.0, 2.0, 3.0]


class NoSuchThing(Exception):
    """The library has no means to make this mistake."""


class Explained(Exception):
    """What `mg.explain` says."""


class Minigraph:
    """minigraph; those that record while they compute, as it does, differ in a few words only."""

    package, name = "minigraph", "minigraph"

    def __init__(self):
        self.xp, self.no_grad = mg, mg.no_grad

    def mode(self):
        return nullcontext()

    def leaf(self, values):
        return mg.Tensor(values, requires_grad=True)

    def shared(self, array):
        return mg.Tensor(array, requires_grad=True, copy=False)

    def constant(self, values):
        return mg.Tensor(values)

    def operand(self, array):
        """Make what may stand beside a tensor of an array, sharing its memory."""
        return array

    def array(self, tensor):
        """Give the array that a tensor shares with the user."""
        return tensor.data

    def detach(self, tensor):
        return tensor.detach()

    def ask(self, loss, leaves):
        return mg.grad(loss, leaves)

    def grads(self, function, *values):
        leaves = [self.leaf(v) for v in values]
        return self.ask(function(*leaves), leaves)

    def twice(self, function, value):
        x = self.leaf(value)
        return mg.grad(mg.grad(function(x), x, create_graph=True).sum(), x)

    # Something is written between forward and backward

    def forward(self, w=None):
        """Compute sum(w * w * c * t + exp(w)); give all that a user may hold of it."""
        w = self.leaf(W) if w is None else w
        c, t = aligned(C, float), self.constant([1.0, 1.0])
        h = self.xp.exp(w)
        loss = (w * w * self.operand(c) * t + h).sum()
        return SimpleNamespace(w=w, c=c, t=t, h=h, gradient=lambda: self.ask(loss, [w])[0])

    def own_write(self):
        held = self.forward()
        with self.no_grad():
            held.w -= 0.5
        return held.gradient()

    def masked_write(self):
        held = self.forward()
        with self.no_grad():
            held.w[held.w > 1.5] = 0.25
        return held.gradient()

    def data_write(self):
        held = self.forward()
        held.w.data[...] = 7.0
        return held.gradient()

    def array_write(self):
        held = self.forward()
        self.array(held.w)[...] = 7.0
        return held.gradient()

    def earlier_array(self):
        w = self.leaf(W)
        view = self.array(w)[:1]
        held = self.forward(w)
        view[...] = 7.0
        return held.gradient()

    def earlier_tensor(self):
        w = self.leaf(W)
        with self.no_grad():
            view = w[:1]
        held = self.forward(w)
        with self.no_grad():
            view[...] = 7.0
        return held.gradient()

    def source_array(self):
        source = aligned(W, float)
        held = self.forward(self.shared(source))
        source[...] = 7.0
        return held.gradient()

    def copied_array(self):
        source = aligned(W, float)
        held = self.forward(self.leaf(source))
        source[...] = 7.0
        return held.gradient()

    def plain_operand(self):
        held = self.forward()
        held.c[...] = 7.0
        return held.gradient()

    def constant_tensor(self):
        held = self.forward()
        with self.no_grad():
            held.t[...] = 7.0
        return held.gradient()

    def result(self):
        held = self.forward()
        with self.no_grad():
            held.h *= 7.0
        return held.gradient()

    def result_array(self):
        held = self.forward()
        self.array(held.h)[...] = 7.0
        return held.gradient()

    def unlocked_result(self):
        held = self.forward()
        array = self.array(held.h)
        if array.flags.writeable:
            raise NoSuchThing
        array.setflags(write=True)
        array[...] = 7.0
        return held.gradient()

    def returned_gradient(self):
        held = self.forward()
        self.array(held.gradient())[...] = 7.0
        return held.gradient()

    def optimizer(self):
        held = self.forward()
        held.w.grad = np.ones(2)
        mg.optim.SGD([held.w], lr=0.5).step()
        return held.gradient()

    def another_thread(self):
        held = self.forward()
        array = self.array(held.w)

        def write():
            array[...] = 7.0

        if not array.flags.writeable:
            array[...] = 7.0  # here, where the error can be caught
        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
        return held.gradient()

    # A NaN or Inf is made of finite numbers

    def nan_forward(self):
        return self.grads(lambda w: (self.xp.log(w) * w).sum(), [-1.0, 2.0])[0]

    def inf_forward(self):
        return self.grads(lambda w: self.xp.log(1.0 + self.xp.exp(w)).sum(), [1000.0, 0.0])[0]

    def nan_backward(self):
        def root(w):
            return self.xp.where(w > 0, self.xp.sqrt(w), 0.0 * w).sum()

        return self.grads(root, [0.0, 4.0])[0]

    def nan_of_second_order(self):
        def power(w):
            return self.xp.where(w > 0, w**1.5, 0.0 * w).sum()

        return self.twice(power, [0.0, 4.0])

    # A gradient is lost, or is that of something else

    def lost(self, cut):
        """Cut the path from the first of two parameters to the loss."""
        return self.grads(lambda w, v: (cut(w * w) * v).sum(), W, C)[0]

    def detached(self):
        return self.lost(self.detach)

    def unrecorded(self):
        def cut(h):
            with self.no_grad():
                return h * 1.0

        return self.lost(cut)

    def integers(self):
        return self.lost(lambda h: h.astype(int))

    def copied(self):
        return self.lost(self.constant)

    def copied_data(self):
        return self.lost(lambda h: h.data)

    def copied_by_numpy(self):
        return self.lost(np.array)

    def a_number(self):
        return self.grads(lambda w, v: float((w * w).sum()) * v.sum(), W, C)[0]

    def after_backward(self):
        w, v = self.leaf(W), self.leaf(C)
        (self.detach(w * w) * v).sum().backward()
        return w.grad

    def integer_parameter(self):
        return self.grads(lambda w: (w * 0.5).sum(), [1, 2])[0]

    def column_less_row(self):
        targets = self.constant(TARGETS)
        return self.grads(lambda p: ((p - targets) ** 2).mean(), COLUMN)[0]

    column_in_a_loss = None


class InDebug(Minigraph):
    name = "minigraph, debug"

    def mode(self):
        return mg.debug()

    def lost(self, cut):
        w, v = self.leaf(W), self.leaf(C)
        h = w * w
        return self.explained((cut(h) * v).sum(), w)

    def a_number(self):
        w, v = self.leaf(W), self.leaf(C)
        h = (w * w).sum()
        return self.explained(float(h) * v.sum(), w)

    def after_backward(self):
        return self.detached()

    def explained(self, loss, w):
        cause = mg.explain(loss, w).causes[0]
        if cause.kind != "no path":
            raise Explained(f"{cause.kind}: {cause.text}")


class PyTorch(Minigraph):
    package, name = "torch", "PyTorch"

    def __init__(self):
        import torch

        self.torch, self.xp, self.no_grad = torch, torch, torch.no_grad

    def leaf(self, values):
        return self.torch.tensor(np.array(values), requires_grad=True)

    def shared(self, array):
        return self.torch.from_numpy(array).requires_grad_()

    def constant(self, values):
        if isinstance(values, self.torch.Tensor):
            return self.torch.tensor(values)
        return self.torch.tensor(np.array(values))

    def operand(self, array):
        return self.torch.from_numpy(array)

    def array(self, tensor):
        return tensor.detach().numpy()

    def ask(self, loss, leaves):
        return self.torch.autograd.grad(loss, leaves, retain_graph=True)

    def twice(self, function, value):
        x = self.leaf(value)
        (slope,) = self.torch.autograd.grad(function(x), x, create_graph=True)
        return self.ask(slope.sum(), [x])[0]

    def optimizer(self):
        held = self.forward()
        held.w.grad = self.torch.ones_like(held.w)
        self.torch.optim.SGD([held.w], lr=0.5).step()
        return held.gradient()

    def integers(self):
        return self.lost(lambda h: h.long())

    def column_in_a_loss(self):
        targets, loss = self.constant(TARGETS), self.torch.nn.functional.mse_loss
        return self.grads(lambda p: loss(p, targets), COLUMN)[0]


class DetectAnomaly(PyTorch):
    name = "PyTorch, anomaly"

    def mode(self):
        return self.torch.autograd.set_detect_anomaly(True)


class MyGrad(Minigraph):
    package, name = "mygrad", "MyGrad"

    def __init__(self):
        import mygrad

        self.xp = mygrad
        self.no_grad = lambda: mygrad.no_autodiff

    def leaf(self, values):
        return self.xp.tensor(values)

    def shared(self, array):
        return self.xp.tensor(array, copy=False)

    def constant(self, values):
        return self.xp.tensor(values, constant=True)

    def detach(self, tensor):
        return self.xp.tensor(tensor.data, copy=False, constant=True)

    def ask(self, loss, leaves):
        loss.backward()
        return [leaf.grad for leaf in leaves]

    def twice(self, function, value):
        raise NoSuchThing

    optimizer = returned_gradient = None  # a graph is gone after its backward()


class Autograd(Minigraph):
    """A library that differentiates functions of arrays; what it records is not seen."""

    package, name, dtype = "autograd", "autograd", float

    def __init__(self):
        import autograd
        import autograd.numpy

        self.autograd, self.xp, self.no_grad = autograd, autograd.numpy, nullcontext

    def leaf(self, values):
        return np.array(values)

    constant = leaf

    def shared(self, array):
        return array

    def array(self, array):
        return array

    def grads(self, function, *values):
        return self.grad(function, tuple(range(len(values))))(*map(self.leaf, values))

    def grad(self, function, argnum=0):
        return self.autograd.grad(function, argnum)

    def twice(self, function, value):
        return self.grad(lambda x: self.grad(function)(x).sum())(self.leaf(value))

    def forward(self, w=None):
        w = self.leaf(W) if w is None else w
        c, t = aligned(C, self.dtype), self.constant([1.0, 1.0])
        _, back = self.vjp(lambda w: (w * w * c * t).sum(), w)
        h, back_of_h = self.vjp(self.xp.exp, w)
        one, ones = self.leaf(1.0), self.leaf([1.0, 1.0])
        return SimpleNamespace(w=w, c=c, t=t, h=h, gradient=lambda: back(one) + back_of_h(ones))

    def vjp(self, function, x):
        return self.autograd.make_vjp(function)(x)[::-1]

    def copied(self):
        return self.lost(self.xp.array)

    data_write = earlier_tensor = optimizer = unlocked_result = None
    detached = unrecorded = copied_data = after_backward = None


class JAX(Autograd):
    package, name, dtype = "jax", "JAX", np.float32

    def __init__(self):
        import jax

        logging.getLogger("jax").setLevel(logging.ERROR)
        self.jax, self.xp, self.no_grad = jax, jax.numpy, nullcontext

    def leaf(self, values):
        return self.xp.array(values)

    constant = leaf

    def shared(self, array):
        return self.xp.from_dlpack(array)

    def array(self, array):
        return np.asarray(array)

    def grad(self, function, argnums=0):
        return self.jax.grad(function, argnums)

    def vjp(self, function, x):
        y, back = self.jax.vjp(function, x)
        return y, lambda g: back(g)[0]

    def source_array(self):
        source = aligned(W, np.float32)
        held = self.forward(self.shared(source))
        source[...] = 7.0
        return held.gradient()

    def detached(self):
        return self.lost(self.jax.lax.stop_gradient)

    unlocked_result = Minigraph.unlocked_result


class DebugNans(JAX):
    name = "JAX, debug_nans"

    def mode(self):
        modes = ExitStack()
        modes.enter_context(self.jax.debug_nans(True))
        modes.enter_context(self.jax.debug_infs(True))
        return modes


CONTENDERS = [Minigraph, InDebug, PyTorch, DetectAnomaly, MyGrad, Autograd, JAX, DebugNans]

# In words, the method that makes it, and the right gradient if there is one
MISTAKES = {
    "written between forward and backward": [
        ("own write, w -= 0.5", "own_write", WRITTEN),
        ("masked, w[mask] = 0.25", "masked_write", WRITTEN),
        (".data", "data_write", WRITTEN),
        ("the array of the tensor", "array_write", WRITTEN),
        ("an array taken earlier", "earlier_array", WRITTEN),
        ("a view taken earlier", "earlier_tensor", WRITTEN),
        ("the source array, shared", "source_array", WRITTEN),
        ("the source array", "copied_array", WRITTEN),
        ("an operand, plain array", "plain_operand", WRITTEN),
        ("an operand, a constant", "constant_tensor", WRITTEN),
        ("a result, h *= 7", "result", WRITTEN),
        ("a result's array", "result_array", WRITTEN),
        ("the same, made writable", "unlocked_result", WRITTEN),
        ("a returned gradient", "returned_gradient", WRITTEN),
        ("the optimizer", "optimizer", WRITTEN),
        ("another thread", "another_thread", WRITTEN),
    ],
    "NaN and Inf": [
        ("log(-1)", "nan_forward", None),
        ("log(1 + exp(1000))", "inf_forward", [1.0, 0.5]),
        ("backward: where(w > 0, sqrt(w), 0)", "nan_backward", [0.0, 0.25]),
        ("second order: where(w > 0, w**1.5, 0)", "nan_of_second_order", [0.0, 0.375]),
    ],
    "lost, or of something else": [
        ("detach()", "detached", CUT),
        ("detach(), and .grad is read", "after_backward", CUT),
        ("no_grad()", "unrecorded", CUT),
        ("a cast to integers", "integers", CUT),
        ("a constant made of a tensor", "copied", CUT),
        (".data on the way", "copied_data", CUT),
        ("np.array(h)", "copied_by_numpy", CUT),
        ("float(h)", "a_number", 2 * np.array(W) * sum(C)),
        ("a parameter of integers", "integer_parameter", [0.5, 0.5]),
        ("(n, 1) less (n,)", "column_less_row", [[0.0], [-4 / 3], [-2.0]]),
        ("the same in the library's loss", "column_in_a_loss", [[0.0], [-4 / 3], [-2.0]]),
    ],
}
SEEN = ("error", "warning", "explained", "right")


def aligned(values, dtype):
    """Put an array where JAX takes it without a copy; by luck any array may lie so."""
    memory = np.empty(64 + 8 * len(values), np.uint8)
    start = -memory.ctypes.data % 64
    array = memory[start : start + np.dtype(dtype).itemsize * len(values)].view(dtype)
    array[...] = values
    return array


def outcome(contender, method, right):
    """Make a mistake, and give what came of it: a word, and what was said or computed."""
    mistake = getattr(contender, method)
    if mistake is None:
        return "-", ""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            with contender.mode():
                warned.clear()  # that the mode is slow
                found = mistake()
        except NoSuchThing:
            return "-", ""
        except Explained as explained:
            return "explained", str(explained)
        except Exception as error:
            return "error", f"{type(error).__name__}: {error}"
    found = None if found is None else np.asarray(getattr(found, "data", found), float)
    given = "None" if found is None else np.array2string(found, precision=4, separator=", ")
    if found is not None and right is not None and np.allclose(found, right, rtol=1e-5):
        return "right", given
    if warned:
        return "warning", f"{warned[0].category.__name__}: {warned[0].message}"
    return "WRONG", f"{given}, in silence"


def table(contenders, found, words):
    """Print a row for each mistake, and what was said to it, if that is asked for."""
    heads = [c.name.replace(", ", "\n").split("\n") for c in contenders]
    for line in range(2):
        cells = [head[line] if line < len(head) else "" for head in heads]
        print(f"{'':40}" + "".join(f"{cell:11}" for cell in cells).rstrip())
    for group, rows in MISTAKES.items():
        print(f"\n{group}")
        for row, _, _ in rows:
            cells = [found[row, c.name] for c in contenders]
            print(f"  {row:38}" + "".join(f"{cell:11}" for cell, _ in cells).rstrip())
            for contender, (cell, said) in zip(contenders, cells):
                if words and cell != "-":
                    said = textwrap.shorten(said, 88 - len(contender.name), placeholder=" ...")
                    print(f"      {contender.name}: {cell}: {said}")


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--words", action="store_true", help="what each says, or gives")
    args = options.parse_args()
    missing = {c.package for c in CONTENDERS if not importlib.util.find_spec(c.package)}
    if missing:
        print(f"not installed, and left out: {', '.join(sorted(missing))}\n")
    contenders = [c() for c in CONTENDERS if c.package not in missing]
    rows = [row for group in MISTAKES.values() for row in group]
    found = {
        (row, c.name): outcome(c, method, right) for row, method, right in rows for c in contenders
    }
    table(contenders, found, args.words)
    ours = [c for c in contenders if c.package == "minigraph"]
    print("\nin silence:")
    for c in contenders:
        cells = [found[row, c.name][0] for row, _, _ in rows]
        print(f"  {c.name:20}{cells.count('WRONG'):3} of {len(cells) - cells.count('-')}")
    print("\na peer notices it, or is right, and minigraph is not:")
    for row, _, _ in rows:
        blind = " and ".join(c.name for c in ours if found[row, c.name][0] == "WRONG")
        if found[row, "minigraph"][0] == "-":
            blind = "minigraph has none"
        seen = [c.name for c in contenders if c not in ours and found[row, c.name][0] in SEEN]
        if blind and seen:
            print(f"  {row}: {blind}; noticed by {'; '.join(seen)}")


if __name__ == "__main__":
    main()
