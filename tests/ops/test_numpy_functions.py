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

CALLS = [call for group in (ELEMENTWISE,) for call in group.splitlines() if call]


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
