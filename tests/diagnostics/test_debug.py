"""mg.debug: writes by any route, the first NaN or Inf, and the lines of both."""

import asyncio
import pickle
import subprocess
import sys
import threading
from contextlib import contextmanager
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigraph as mg
from minigraph.modes import current_mode
from minigraph.notes import notes
from minigraph.ops import TABLE
from minigraph.testing.mutation import Mutant, drawn_calls, planted
from minigraph.testing.strategies import calls
from tests.counts import examples

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of NumPy: they are meant

OPS = [op for op in TABLE if op.each is not None or any(op.vjps)]
TIMES = next(p for p in drawn_calls(mg.multiply, 40) if min(map(np.size, p.inputs.values())) > 1)
drawn = cache(lambda op: drawn_calls(op, 6)[0])
every_op = pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
some = examples(4)


# Writes


class Recorded:
    """A call of an op with all that a user may hold: leaves, their arrays, an operand, a view."""

    def __init__(self, program, plain):
        self.arrays = [array.copy() for array in program.inputs.values()]
        self.leaves = [mg.Tensor(a, requires_grad=True, copy=False) for a in self.arrays]
        self.views = [leaf.data for leaf in self.leaves]
        operands = list(self.leaves)
        self.operand = None
        if plain < len(operands) and len(operands) > 1:
            self.operand = self.arrays[plain]
            operands[plain] = self.operand
        self.wanted = [leaf for leaf in self.leaves if any(leaf is o for o in operands)]
        self.y = program(*operands)
        self.loss = (self.y * self.y).sum()

    def gradients(self):
        return [g.numpy() for g in mg.grad(self.loss, self.wanted)]


def own_write(r):
    with mg.no_grad():
        for leaf in r.leaves:
            leaf += 1.0


def masked_write(r):
    with mg.no_grad():
        for leaf in r.leaves:
            leaf[leaf == leaf] = 0.25


def data(r):
    for leaf in r.leaves:
        leaf.data[...] = 0.25


def earlier_view(r):
    for view in r.views:
        view[...] = 0.25


def source_array(r):
    for array in r.arrays:
        array[...] = 0.25


def plain_operand(r):
    if r.operand is not None:
        r.operand[...] = 0.25


def result(r):
    for node in mg.Graph(r.loss).nodes:
        if node.op is not None and node.ndim:
            array = node.data
            try:
                array.setflags(write=True)
            except ValueError:  # a view of what may not be written
                continue
            array[...] = 0.25


def returned_gradient(r):
    for g in mg.grad(r.loss, r.wanted):
        g.data[...] = 0.25


def optimizer(r):
    for leaf in r.leaves:
        leaf.grad = np.ones_like(leaf.data)
    mg.optim.SGD(r.leaves, lr=0.5).step()


def another_thread(r):
    thread = threading.Thread(target=data, args=(r,))
    thread.start()
    thread.join()


ROUTES = [
    own_write, masked_write, data, earlier_view, source_array, plain_operand, result,
    returned_gradient, optimizer, another_thread,
]  # fmt: skip
# What the promises list as not seen outside debug. (A leaf's array is seen only by `.data`.)
UNSEEN = {source_array, plain_operand, result}


def survives(r, route):
    """Write, then tell whether the gradients were refused; if not, they are those of before."""
    before = r.gradients()
    route(r)
    try:
        after = r.gradients()
    except mg.WriteError:
        return False
    for a, b in zip(before, after):
        np.testing.assert_array_equal(a, b, route.__name__)
    return True


@every_op
@some
@given(data=st.data(), plain=st.integers(0, 2))
def test_no_write_gives_a_wrong_gradient_in_debug(op, data, plain):
    program = data.draw(calls(op))
    for route in ROUTES:
        with mg.debug(finite=False):
            survives(Recorded(program, plain), route)


@every_op
@some
@given(data=st.data())
def test_no_write_gives_a_wrong_gradient_outside_but_by_the_routes_that_are_listed(op, data):
    program = data.draw(calls(op))
    for route in ROUTES:
        if route not in UNSEEN:
            survives(Recorded(program, 3), route)


@pytest.mark.parametrize("route", [r for r in ROUTES if r is not returned_gradient])
def test_each_route_is_refused_where_the_formula_reads_the_array(route):
    with mg.debug():
        assert not survives(Recorded(TIMES, 1), route)


def test_writes_that_are_not_seen_outside_debug():
    for route in UNSEEN:
        r = Recorded(TIMES, 1)
        r.views.clear()
        with pytest.raises(AssertionError, match="Arrays are not equal"):
            survives(r, route)


def test_error_names_tensor_op_lines_entry_and_values():
    with mg.debug():
        w = mg.Tensor([1.0, 2.0, 3.0], requires_grad=True, name="w")
        y = (w * w).sum()  # here
    w.data[1] = 7.0
    with pytest.raises(mg.WriteError) as caught:
        y.backward()
    error = caught.value
    assert error.tensor is w
    assert error.op is mg.multiply
    assert error.operands[0] is w
    assert error.line.function == "test_error_names_tensor_op_lines_entry_and_values"
    text = str(error)
    assert "'w' float64[3] was written after multiply had taken it as a" in text
    assert "entry [1] was 2.0, and is 7.0" in text
    assert "y = (w * w).sum()  # here" in text
    assert 'name="w")' in text
    assert w.grad is None
    assert "w" in str(error.draw())


def test_an_error_comes_out_of_a_pickle_with_its_message():
    with mg.debug(finite=False):
        w = mg.Tensor([1.0, 2.0], requires_grad=True)
        y = (w * w).sum()
    w.data[0] = 7.0
    for error, action in ((mg.WriteError, y.backward), (mg.NonFiniteError, debugged_log)):
        with pytest.raises(error) as caught:
            action()
        copy = pickle.loads(pickle.dumps(caught.value))
        assert type(copy) is error
        assert str(copy) == str(caught.value)
        assert copy.tensor is copy.op is copy.line is None
        with pytest.raises(RuntimeError, match="was pickled"):
            copy.draw()


@mg.debug()
def debugged_log():
    return mg.log(mg.Tensor(0.0, requires_grad=True))


def test_a_write_to_a_plain_operand_names_it_and_the_entry():
    x = mg.Tensor(np.ones((2, 3)), requires_grad=True)
    scale = np.full((2, 3), 2.0)
    with mg.debug():
        y = (x * scale).sum()
        scale[1, 2] = np.nan
        with pytest.raises(mg.WriteError, match="an array float64") as caught:
            y.backward()
    assert "entry [1, 2] was 2.0, and is nan" in str(caught.value)
    assert caught.value.tensor.op is mg.multiply


def test_a_second_gradient_after_a_write_is_refused_too():
    with mg.debug():
        x = mg.Tensor(2.0, requires_grad=True)
        c = np.array([3.0])
        g = mg.grad(((x * c) ** 2).sum(), x, create_graph=True)
        c[0] = 4.0
        with pytest.raises(mg.WriteError):
            mg.grad(g, x)


def test_what_was_recorded_before_is_still_checked_for_counted_writes_and_finite_gradients():
    x = mg.Tensor([0.0, 1.0], requires_grad=True, name="x")
    y = mg.sqrt(x).sum()
    with mg.debug(), pytest.raises(mg.NonFiniteError, match="the gradient of sqrt by x makes inf"):
        y.backward()
    z = (x * x).sum()
    x.data[0] = 5.0
    with mg.debug(), pytest.raises(mg.WriteError):
        z.backward()


def test_nothing_of_it_stays_when_the_graph_is_gone():
    before = len(notes)
    with mg.debug():
        x = mg.Tensor(np.ones(3), requires_grad=True)
        for _ in range(5):
            (x * x).sum().backward()
    assert len(notes) == before + 1
    del x
    assert len(notes) == before


# Writes through .data, outside debug


def test_a_view_that_is_held_is_looked_at_when_an_operation_takes_the_tensor():
    w = mg.Tensor([1.0, 2.0], requires_grad=True)
    held = w.data[:1]
    held[0] = 5.0
    y = (w * w).sum()  # of the new values
    y.backward()
    np.testing.assert_array_equal(w.grad, [10.0, 4.0])
    y = (w * w).sum()
    held[0] = 6.0
    with pytest.raises(mg.WriteError):
        y.backward()


def test_a_write_is_counted_when_the_view_is_gone():
    w = mg.Tensor([1.0, 2.0], requires_grad=True)
    y = (w * w).sum()
    w.data[0] = 5.0
    with pytest.raises(mg.WriteError, match="written after multiply had taken it as a"):
        y.backward()


def test_looking_is_no_write():
    w = mg.Tensor([1.0, np.nan], requires_grad=True)
    y = (w * w).sum()
    assert w.data is not w.data[:]
    assert w.data.max() != 1
    repr(w)
    y.backward()


def test_data_is_the_same_array_while_it_is_held():
    w = mg.Tensor([1.0, 2.0])
    held = w.data
    assert w.data is held
    held[0] = 3.0
    assert w.numpy()[0] == 3.0
    w.data += 1.0
    assert held[0] == 4.0


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble, int, bool])
@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3)])
def test_data_shows_any_array(dtype, shape):
    a = np.ones(shape, dtype)
    shown = mg.Tensor(a).data
    assert shown.dtype == a.dtype
    np.testing.assert_array_equal(shown, a)


# NaN and Inf


@contextmanager
def poisoned(op, value):
    """Let the function of an op give one entry that is not finite, where it gives floats."""
    namespace = op.call.__globals__
    right = namespace["_function"]

    def wrong(*values, **attributes):
        out = np.array(right(*values, **attributes))
        if out.dtype.kind == "f" and out.size:
            out.flat[-1] = value
        return out[()]

    namespace["_function"] = wrong
    try:
        yield
    finally:
        namespace["_function"] = right


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@every_op
def test_the_first_op_that_makes_a_non_finite_number_is_named(op, value):
    program = drawn(op)
    leaves = [mg.Tensor(a, requires_grad=True) for a in program.inputs.values()]
    with poisoned(op, value), mg.debug(), pytest.raises(mg.NonFiniteError) as caught:
        mg.tanh(program(*leaves)).sum()
    assert caught.value.op is op
    assert caught.value.tensor.op is op
    assert str(caught.value).startswith(f"{op.name} makes {value} of finite numbers: ")
    assert caught.value.draw().source


@pytest.mark.parametrize("value", [np.nan, np.inf])
@every_op
def test_under_no_grad_too(op, value):
    program = drawn(op)
    with poisoned(op, value), mg.debug(), mg.no_grad(), pytest.raises(mg.NonFiniteError) as caught:
        program(*map(mg.Tensor, program.inputs.values()))
    assert caught.value.op is op
    assert caught.value.draw().source


def slots(op):
    return [s for s in range(len(op.vjps)) if op.vjps[s] is not None] or [0]


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize(
    ("op", "slot"),
    [(op, slot) for op in OPS for slot in slots(op)],
    ids=lambda value: getattr(value, "name", value),
)
def test_the_first_formula_that_makes_a_non_finite_number_is_named(op, slot, order):
    formula = op.each(slot) if op.each else op.vjps[slot]
    active = []

    def wrong(g, y, *values, **attributes):
        part = formula(g, y, *values, **attributes)
        return part * np.nan if active else part

    program = drawn(op)
    leaves = [mg.Tensor(a, requires_grad=True) for a in program.inputs.values()]
    with planted(Mutant(op, slot, "NaN", wrong)), mg.debug():
        y = program(*leaves)
        loss = (y * y * y).sum()
        if order == 2:
            (first, *_) = mg.grad(loss, leaves, create_graph=True)
            loss = (first * first).sum()
        active.append(True)
        with pytest.raises(mg.NonFiniteError) as caught:
            mg.grad(loss, leaves, allow_unused=True)
    assert caught.value.op is op
    assert f"the gradient of {op.name} by" in str(caught.value)


def test_a_sum_of_gradients_that_overflows_is_named():
    x = mg.Tensor(1.0, requires_grad=True, name="x")
    with mg.debug(), pytest.raises(mg.NonFiniteError, match="sum of the gradients of 'x'"):
        mg.grad([x * 1e308, x * 1e308], x)


def test_data_that_is_not_finite_from_the_start_stops_nothing():
    x = mg.Tensor([np.nan, np.inf, 1.0], requires_grad=True)
    with mg.debug():
        (x * 2.0 + mg.where(x > 0, x, -np.inf)).sum().backward()


def test_in_the_gradient_of_the_gradient_the_op_is_named():
    x = mg.Tensor(0.0, requires_grad=True, name="x")
    with mg.debug():
        y = x**1.5
        slope = mg.grad(y, x, create_graph=True)
        with pytest.raises(mg.NonFiniteError, match="scalar_power"):
            mg.grad(slope, x)


# The mode


def test_it_nests_and_is_entered_again():
    outer, inner = mg.debug(finite=False), mg.debug(finite=True)
    x = mg.Tensor(0.0, requires_grad=True)
    with outer:
        mg.log(x)
        with inner:
            with pytest.raises(mg.NonFiniteError), inner:
                mg.log(x)
            with outer:
                mg.log(x)
        mg.log(x)
    mg.log(x)
    assert current_mode().debug is None


def test_it_is_a_decorator():
    @mg.debug()
    def f(x):
        return mg.log(x)

    with pytest.raises(mg.NonFiniteError):
        f(mg.Tensor(0.0))
    with pytest.raises(TypeError, match="generator"):

        @mg.debug()
        def g():
            yield


def test_it_holds_for_its_thread_and_its_task_only():
    x = mg.Tensor(0.0)
    errors = []

    def elsewhere():
        try:
            mg.log(x)
        except ArithmeticError as error:
            errors.append(error)

    async def inside(found):
        with mg.debug():
            await asyncio.sleep(0)
            with pytest.raises(mg.NonFiniteError):
                mg.log(x)
        found.append("inside")

    async def outside(found):
        await asyncio.sleep(0)
        mg.log(x)
        found.append("outside")

    async def both():
        found = []
        await asyncio.gather(inside(found), outside(found))
        return found

    with mg.debug():
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
    assert not errors
    assert sorted(asyncio.run(both())) == ["inside", "outside"]


def test_a_line_at_the_top_of_a_script_is_known(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import minigraph as mg\nwith mg.debug():\n    mg.log(mg.Tensor(0.0))\n")
    ran = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    assert "log: script.py, line 3, in <module>: mg.log(mg.Tensor(0.0))" in ran.stderr


def test_lines_are_those_of_the_program():
    with mg.debug():
        x = mg.Tensor([1.0], requires_grad=True)
        net = mg.nn.MLP([1, 2, 1])
        y = net(x.reshape(1, 1))
    lines = [notes[node.number].line for node in mg.Graph(y).nodes if node.number in notes]
    assert {line.file for line in lines} == {__file__}
    assert {line.function for line in lines} == {"test_lines_are_those_of_the_program"}


def test_lines_of_a_module_are_found_too():
    there = {"mg": mg, "__name__": "__main__"}
    exec(compile("with mg.debug():\n    x = mg.Tensor(1.0)\n", "script.py", "exec"), there)
    assert notes[there["x"].number].line == ("script.py", 2, "<module>")
