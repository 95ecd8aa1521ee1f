"""What errors say: which op or function, which argument, what was given, and what is expected."""

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from errors.calls import GROUPS, ROWS, names
from hypothesis import given
from numpy.exceptions import AxisError

import minigraph as mg
from minigraph.op import Op
from minigraph.ops import TABLE
from minigraph.testing.strategies import shapes

NUMPY = str(Path(np.__file__).parent)
CALL = "<the call>"  # the file that the user's line is in
DEEPEST = 8  # minigraph's own lines below the user's, at most

# What NumPy and Python say of what is inside minigraph: nobody who calls it knows of that
BARE = (
    "operands could not be broadcast together",
    "is out of bounds for array of dimension",
    "ufunc '",
    "core dimension",
    "cannot be interpreted as an integer",
    "integer argument expected",
    "inhomogeneous shape",
    "zero-size array",
    "object has no attribute",
    "object is not iterable",
    "object is not callable",
    "has no len()",
    "unsupported operand",
    "not understood",
    "must be an iterable",
    "SeedSequence",
    "could not convert",
)


def raised(action: Callable[[], Any]) -> Exception:
    try:
        action()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def words(error: BaseException) -> str:
    return "\n".join([str(error), *getattr(error, "__notes__", ())])


def check_words(error: Exception, *expected: str) -> None:
    said = words(error)
    assert [word for word in expected if word not in said] == [], said
    assert [bare for bare in BARE if bare in said] == [], said


def check_traceback(error: Exception, file: str) -> None:
    """The last line that is not minigraph's own is the user's; few follow, and none of NumPy's."""
    files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    below = files[len(files) - files[::-1].index(file) :]
    assert len(below) <= DEEPEST, below
    assert not any(name.startswith(NUMPY) for name in below), below
    assert error.__cause__ is None
    assert error.__suppress_context__ or error.__context__ is None  # no "During handling of ..."


def test_the_table_has_150_rows_and_every_group_and_each_call_once() -> None:
    assert len(ROWS) >= 150
    assert min(map(len, GROUPS.values())) >= 10
    assert len({call for call, _, _ in ROWS}) == len(ROWS)


def test_the_table_calls_all_that_is_public() -> None:
    calls = "\n".join(call for call, _, _ in ROWS)
    unary = {"abs", "ceil", "copy", "cos", "expm1", "floor", "log1p", "rint", "sin", "softplus",
             "square", "trunc"}  # fmt: skip
    binary = {"divide", "equal", "floor_divide", "greater", "greater_equal", "less_equal",
              "logical_and", "logical_not", "logical_or", "logical_xor", "minimum", "multiply",
              "negative", "not_equal", "power", "subtract"}  # fmt: skip
    methods = {"all", "any", "argmax", "argmin", "max", "mean", "min", "squeeze", "swapaxes",
               "transpose"}  # fmt: skip
    results = {"Derived", "DerivedStep", "Drawing", "Explanation", "Explanations", "Memory",
               "NonFiniteError", "Steps", "WriteError", "__version__"}  # fmt: skip
    called_by_the_law_below = unary | binary
    for name in set(mg.__all__) - called_by_the_law_below - methods - results:
        assert name in calls, name
    assert {op.name for op in TABLE} >= called_by_the_law_below | methods
    for method in methods:
        assert f".{method}(" in calls, method


@pytest.mark.parametrize(("call", "kind", "said"), ROWS, ids=[call for call, _, _ in ROWS])
def test_an_error_says_what_was_given_what_is_expected_and_where(
    call: str, kind: type[Exception], said: str, tmp_path: Path
) -> None:
    code = compile(call, CALL, "eval")
    there = names(tmp_path)
    error = raised(lambda: eval(code, there))
    assert type(error) is kind, repr(error)
    check_words(error, *said.split("|"))
    file = __file__.replace("test_errors", "calls") if "fit(" in call else CALL
    check_traceback(error, file)


def test_an_error_in_a_function_of_the_users_keeps_its_place_and_names_the_op() -> None:
    careless = mg.Op(lambda x: x.spam, x=None, name="careless")
    error = raised(lambda: careless(mg.Tensor([1.0], name="x")))
    assert type(error) is AttributeError
    assert "in op careless: (1,) (x)" in words(error)
    assert traceback.extract_tb(error.__traceback__)[-1].filename == __file__
    careless = mg.Op(lambda x: x**3, x=lambda g, y, x: g.spam, name="careless")
    error = raised(careless(mg.Tensor(1.0, requires_grad=True)).backward)
    assert "in the gradient of careless by x" in words(error)
    assert traceback.extract_tb(error.__traceback__)[-1].filename == __file__


# The whole table of ops, with drawn arguments

NO_NUMBERS = {
    "None": None,
    "a string": "spam",
    "a dict": {},
    "an object": object(),
    "a complex number": 1j,
    "an array of text": np.array(["a", "b"]),
    "an array of objects": np.array([None, 1.0]),
    "complex": np.ones(2, complex),
    "dates": np.array(["2020-01-01", "2020-01-02"], "M8[D]"),
    "rows of different length": [[1.0], [1.0, 2.0]],
    "a masked array": np.ma.masked_array([1.0, 2.0], [True, False]),
}
ATTRIBUTES = (None, -7, 0, 1, 5, 0.5, True, "spam", (0, 0), (0, 9), (-1, -1), [0], {}, (2, 3))
KINDS = (TypeError, ValueError, IndexError, AxisError, np.linalg.LinAlgError, OverflowError,
         ZeroDivisionError)  # fmt: skip
OF_FIXED_ARITY = [op for op in TABLE if op.each is None]
each_op = pytest.mark.parametrize("op", TABLE, ids=[f"{i} {op.name}" for i, op in enumerate(TABLE)])
each_fixed = pytest.mark.parametrize("op", OF_FIXED_ARITY, ids=lambda op: op.name)


def check_op(op: Op, error: Exception, *expected: str) -> None:
    assert type(error) in KINDS, repr(error)
    check_words(error, op.name, *expected)
    check_traceback(error, __file__)


def required(op: Op) -> dict[str, Any]:
    usual = {"shape": (-1,), "axis": 0, "axis1": 0, "axis2": 0, "exponent": 2, "base": 2}
    usual |= {"subscripts": "i,i->", "kth": 0}
    usual |= {"dtype": np.float32, "keepdims": False, "index": (0,)}
    return {name: usual[name] for name in op.defaults if name in usual}


@each_fixed
def test_a_wrong_number_of_inputs_and_an_unknown_keyword_are_named(op: Op) -> None:
    tensor = mg.Tensor(np.ones((2, 2)))
    n = len(op.input_names)
    too_many = [tensor] * (n + len(op.defaults) + 1)
    check_op(op, raised(lambda: op(*[tensor] * (n - 1), **required(op))), op.input_names[-1])
    check_op(op, raised(lambda: op(*too_many)), "positional argument")
    check_op(op, raised(lambda: op(*[tensor] * n, **required(op), spam=1)), "'spam'")


@each_op
@pytest.mark.parametrize("wrong", NO_NUMBERS)
def test_what_holds_no_numbers_is_refused_by_name(op: Op, wrong: str) -> None:
    tensor = mg.Tensor(np.ones(2))
    for slot in range(len(op.input_names) or 2):
        inputs: list[Any] = [tensor] * (len(op.input_names) or 2)
        inputs[slot] = NO_NUMBERS[wrong]
        if len(inputs) > 1:
            error = raised(lambda inputs=inputs: op(*inputs, **required(op)))
            check_op(op, error, op.input_name(slot) if op.each is None else "")


@pytest.mark.filterwarnings("ignore:Warning. .argpartition. will ignore")  # NumPy's own
@each_op
@given(data=st.data())
def test_whatever_is_wrong_the_op_is_named(op: Op, data: st.DataObject) -> None:
    n = len(op.input_names) or data.draw(st.integers(0, 3))
    sizes = [data.draw(shapes(max_dims=3, min_side=0)) for _ in range(n)]
    plain = data.draw(st.booleans())
    inputs: list[Any] = [np.ones(size) if plain else mg.Tensor(np.ones(size)) for size in sizes]
    if plain and inputs:
        inputs[0] = data.draw(st.sampled_from([inputs[0], *NO_NUMBERS.values()]))
    attributes = {name: data.draw(st.sampled_from(ATTRIBUTES)) for name in op.defaults}
    if "index" in attributes:
        attributes["index"] = (attributes["index"],)  # Tensor's own [...] has made it a tuple
    try:
        with np.errstate(all="ignore"):
            op(*inputs, **attributes)
    except RuntimeWarning:  # the mean of nothing
        return
    except Exception as error:
        check_op(op, error)


@pytest.mark.parametrize("op", [op for op in TABLE if len(op.input_names) == 2 and op.broadcasts])
@given(data=st.data())
def test_shapes_that_do_not_broadcast_are_both_named(op: Op, data: st.DataObject) -> None:
    first, second = (data.draw(shapes(max_dims=3, min_side=0)) for _ in range(2))
    try:
        np.broadcast_shapes(first, second)
    except ValueError:
        if op.shapes:
            return
        error = raised(lambda: op(mg.Tensor(np.ones(first, int)), np.ones(second, int)))
        assert type(error) is ValueError
        check_op(op, error, str(first), str(second), "equal or 1")
