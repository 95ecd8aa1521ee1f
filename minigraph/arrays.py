"""What counts as an array, and which contents are accepted."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

__all__ = ["Array", "as_array", "check_kind", "frozen", "is_array"]

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
    if array.dtype.kind not in "fiub":
        raise TypeError(
            f"{what}: {array.dtype} data; minigraph holds floats, integers and booleans"
        )
    return array


def frozen(value: Any) -> Any:
    """Show an array so that it cannot be written; other values as they are."""
    if type(value) is np.ndarray:
        value = value.view()
        value.setflags(write=False)
    return value


def as_array(data: Any, dtype: DTypeLike | None, copy: bool) -> Any:
    """Make the array of a new tensor; without `copy` an array is shared, or refused."""
    if not is_array(data):
        try:
            data = np.asarray(data)
        except ValueError as error:
            raise ValueError(f"Tensor: {error}") from None
        copy = dtype is not None  # it is new already
    check_kind(data, "Tensor")
    wanted = check_kind(np.empty(0, data.dtype if dtype is None else dtype), "Tensor").dtype
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
