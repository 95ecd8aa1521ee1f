"""What counts as an array, and which contents are accepted."""

import reprlib
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

__all__ = [
    "Array",
    "array_of",
    "as_array",
    "check_kind",
    "dtype_of",
    "frozen",
    "is_array",
    "same_bits",
    "shown",
]

Array = np.ndarray[Any, np.dtype[Any]]


def is_array(value: object) -> bool:
    """Tell whether `value` is NumPy's array or scalar, or answers NumPy's protocols like one."""
    return isinstance(value, (np.ndarray, np.generic)) or (
        hasattr(value, "__array_function__") and hasattr(value, "dtype")
    )


def check_kind(array: Any, what: str) -> Any:
    """Give `array` back if it holds floats, integers or booleans; otherwise say what it holds."""
    if isinstance(array, np.ma.MaskedArray):
        raise TypeError(f"{what}: a masked array would lose its mask; use filled(...) first")
    kind = array.dtype.kind
    if kind not in "fiub":
        alone = isinstance(array, (np.ndarray, np.generic)) and array.ndim == 0
        given = shown(array.item()) if alone else f"{array.dtype} data"
        instead = _INSTEAD.get(kind, "")
        raise TypeError(f"{what}: {given}; minigraph holds floats, integers and booleans{instead}")
    return array


_INSTEAD = {
    "c": "; give real and imaginary part by themselves, z.real and z.imag",
    "M": "; give the time since a start, (t - t[0]) / np.timedelta64(1, 's')",
    "m": "; give a number, t / np.timedelta64(1, 's')",
    "O": "; give numbers in lists of equal length, or an array of them",
    "S": "; turn text into numbers first",
    "U": "; turn text into numbers first",
    "V": "; give one field, a['name']",
}


def shown(value: Any) -> str:
    """Write an argument in few words: an array by its dtype and shape."""
    if not isinstance(value, type) and is_array(value):
        return f"{value.dtype}{list(value.shape)}"
    return reprlib.repr(value)


def array_of(value: Any, what: str) -> Array:
    """Make an array of numbers of what need not be one: a list, a number."""
    try:
        array: Array = np.asarray(value)
    except ValueError:
        raise ValueError(
            f"{what}: {shown(value)}: rows of different length make no array; fill them up, or "
            "keep them apart"
        ) from None
    check_kind(array, what)
    return array


def dtype_of(dtype: Any, what: str) -> np.dtype[Any]:
    """Give what NumPy understands as a dtype."""
    try:
        found: np.dtype[Any] = np.dtype(dtype)
    except (TypeError, ValueError):
        raise TypeError(
            f"{what}: {shown(dtype)} is no dtype; give one such as np.float32"
        ) from None
    return found


def frozen(value: Any) -> Any:
    """Show an array so that it cannot be written; other values as they are."""
    if type(value) is np.ndarray:
        value = value.view()
        value.setflags(write=False)
    return value


_BITS = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}


def same_bits(a: Array, b: Array) -> bool:
    """Compare two arrays of one shape and dtype; NaN is as NaN was."""
    bits = _BITS.get(a.dtype.itemsize)
    if bits is None:  # not all bits of a long double mean something
        return bool(np.array_equal(a, b, equal_nan=True))
    return bool((a.view(bits) == b.view(bits)).all())


def as_array(data: Any, dtype: DTypeLike | None, copy: bool) -> Any:
    """Make the array of a new tensor; without `copy` an array is shared, or refused."""
    if not is_array(data):
        data = array_of(data, "Tensor: data")
        copy = dtype is not None  # it is new already
    check_kind(data, "Tensor: data")
    wanted = data.dtype if dtype is None else dtype_of(dtype, "Tensor: dtype")
    check_kind(np.empty(0, wanted), "Tensor: dtype")
    if not wanted.isnative:
        wanted = np.dtype(wanted.type)  # formulas compute in the machine's own byte order
    if copy:
        data = data.astype(wanted)
    elif data.dtype != wanted:
        raise ValueError(f"Tensor: copy=False cannot share {data.dtype} data as {wanted}")
    if isinstance(data, (np.ndarray, np.generic)):
        data = np.asarray(data)
        if not data.flags.writeable:
            data = data.view()  # shows that another holds it: it is never thawed for a write
    return data
