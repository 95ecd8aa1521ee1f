"""Tensor: an array, and how it was made.

`minigraph.methods` lists its operators and array methods; the formulas are in `minigraph.ops`.
"""

import copy as copying
import math
import operator
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Self, final

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from minigraph.arrays import Array, array_of, as_array, shown
from minigraph.lending import clock_of, lend
from minigraph.methods import Methods, Operand
from minigraph.modes import count_write, current_mode, tick
from minigraph.reasons import reason

if TYPE_CHECKING:
    from minigraph.op import Op

__all__ = ["Tensor"]


@final
class Tensor(Methods):
    """An array that remembers how it was made, so that gradients can be derived.

    Parameters
    ----------
    data : array_like
        Floats, integers or booleans of any shape. NumPy's rules give the dtype.
    requires_grad : bool
        Ask for the gradient with respect to this tensor. Floating point only.
    name : str, optional
        Shown in drawings and error messages.
    dtype : dtype_like, optional
        Converts `data`.
    copy : bool
        With False the tensor shares the memory of `data`, and a write to that array by other
        means than this tensor goes unnoticed.

    Attributes
    ----------
    op : Op or None
        What made it, when that was recorded; None for a leaf.
    inputs : tuple
        The operands given to `op`: tensors, arrays and numbers. A tensor points to its inputs
        only, so a graph is freed by reference counts alone.
    attributes : dict
        The keyword arguments given to `op`.
    scope : tuple of str
        The `minigraph.scope` in which it was made.
    number : int
        Its place in the order of recording.

    Raises
    ------
    TypeError
        If `data` is complex, an object, text, a date or masked; if `requires_grad` is asked of
        integers or booleans.

    Examples
    --------
    >>> import minigraph as mg
    >>> x = mg.Tensor([1.0, 2.0, 3.0], requires_grad=True, name="x")
    >>> y = (x * x).sum()
    >>> y
    Tensor(14., dtype=float64, op=sum)
    >>> y.backward()
    >>> x.grad
    array([2., 4., 6.])
    """

    __slots__ = (
        "__weakref__", "_array", "_grad", "_name", "_requires_grad", "_retains_grad", "_written",
        "attributes", "formulas", "inputs", "number", "op", "scope", "values",
    )  # fmt: skip

    _array: Any  # ndarray; a NumPy scalar for a 0-d result; an array that dispatches like one
    _grad: Any
    _requires_grad: bool
    _written: list[int] | None  # time of the last counted write, one list for all that share memory
    op: "Op | None"
    inputs: tuple[Any, ...]
    values: tuple[Any, ...]  # the inputs' arrays, as the formulas read them
    attributes: dict[str, Any]
    formulas: tuple[tuple[int, Callable[..., Any]], ...]  # by slot, where a gradient flows
    number: int
    scope: tuple[str, ...]

    def __init__(
        self,
        data: Operand,
        requires_grad: bool = False,
        name: str | None = None,
        dtype: DTypeLike | None = None,
        copy: bool = True,
    ) -> None:
        if isinstance(data, Tensor):
            if data._requires_grad:
                raise TypeError("Tensor(t) would cut t's gradient; use t.detach() or t.copy()")
            data = data._array
        self._array = as_array(data, dtype, copy)
        self._grad = None
        self._written = None
        self._retains_grad = False
        self.op = None
        self.inputs = self.values = self.formulas = ()
        self.attributes = {}
        self.number = tick()
        mode = current_mode()
        self.scope = mode.scope
        self.name = name
        self._requires_grad = False
        self.requires_grad = requires_grad
        if mode.debug is not None:
            mode.debug.leaf(self)

    @property
    def data(self) -> Array:
        """The values; read-only where an op made it. Assigning copies values into them.

        The array of a leaf may be written by whoever holds it: while it is held, writes are seen
        when an operation takes the tensor and when a sweep begins, and counted.
        """
        self._looked("data")
        data = self._shown()
        if self.op is None and isinstance(data, np.ndarray) and data.flags.writeable:
            return lend(self)
        return data

    @data.setter
    def data(self, value: ArrayLike) -> None:
        array = array_of(value, "data")
        if array.shape != self.shape:
            raise ValueError(
                f"data: shape {array.shape} cannot replace shape {self.shape} of {self._label()}"
            )
        self.overwrite("data =", np.copyto, array)

    def _shown(self) -> Array:
        """Give the array for a look that changes nothing, and is over at once."""
        data = self._array
        if isinstance(data, np.generic):
            data = np.asarray(data)
            data.setflags(write=False)
        return data  # type: ignore[no-any-return]

    @property
    def grad(self) -> Array | None:
        """The gradient left by `backward`: None, or a writable array that shares no memory."""
        return self._grad  # type: ignore[no-any-return]

    @grad.setter
    def grad(self, value: ArrayLike | None) -> None:
        if value is None or value is self._grad:
            self._grad = value
            return
        array = np.array(array_of(value, "grad"))
        if array.shape != self.shape or array.dtype != self.dtype:
            raise ValueError(
                f"grad: expected {self.dtype}{list(self.shape)} for {self._label()}, "
                f"got {array.dtype}{list(array.shape)}"
            )
        self._grad = array

    @property
    def name(self) -> str | None:
        """Shown in drawings and error messages; may be set at any time."""
        return self._name

    @name.setter
    def name(self, name: str | None) -> None:
        if name is not None and not isinstance(name, str):
            raise TypeError(f"name: expected a string or None, got {type(name).__name__}")
        self._name = name

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to or through this tensor; may be set on leaves."""
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if self.op is not None:
            raise RuntimeError(
                f"requires_grad: {self._label()} was made by {self.op.name}, so it follows from "
                "its inputs; use detach() to cut it off"
            )
        if not isinstance(value, (bool, np.bool_)):
            raise TypeError(f"requires_grad is True or False, not {shown(value)}")
        if value and self.dtype.kind != "f":
            raise TypeError(
                f"requires_grad: {self.dtype} has no gradient; give floats (dtype=float, or 1.0 "
                "in place of 1)"
            )
        self._requires_grad = bool(value)

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the axes."""
        return self._array.shape  # type: ignore[no-any-return]

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self._array.ndim  # type: ignore[no-any-return]

    @property
    def size(self) -> int:
        """Number of entries."""
        return math.prod(self._array.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the entries."""
        return self._array.dtype  # type: ignore[no-any-return]

    def item(self) -> Any:
        """Give the only entry as a Python number.

        Raises
        ------
        ValueError
            If there is not exactly one entry.
        """
        self._looked("item")
        try:
            return self._array.item()
        except ValueError:
            raise ValueError(
                f"item: {self._label()} has {self.size} entries, not one; index it, or sum it first"
            ) from None

    def numpy(self) -> Array:
        """Copy the values into a new, writable array, without gradient."""
        self._looked("numpy")
        return np.array(self._array)

    def _looked(self, how: str) -> None:
        """Tell who looks on that the values are looked at, from outside of every operation."""
        if (debug := current_mode().debug) is not None:
            debug.looked(self, how)

    def detach(self) -> "Tensor":
        """Give a leaf that shares the memory and carries no gradient."""
        leaf = Tensor(self._shown(), copy=False)
        leaf._written = clock_of(self)
        leaf._name = self._name
        if (debug := current_mode().debug) is not None:
            debug.detached(leaf, self)
        return leaf

    def retain_grad(self) -> None:
        """Keep the gradient of this tensor too when `backward` passes, as for a leaf.

        Raises
        ------
        RuntimeError
            If no gradient flows through it.
        """
        if not self._requires_grad:
            raise RuntimeError(
                f"retain_grad: no gradient flows through {self._label()}; something that it was "
                "made from must require one"
            )
        self._retains_grad = True

    def zero_grad(self) -> None:
        """Forget the gradient: `.grad` becomes None."""
        self._grad = None

    # Writing in place: counted, so that a sweep that still needs the old values can refuse

    def write(self, what: str, write: Callable[[Array, Any], object], value: Any) -> Self:
        """Write into the array, unless a gradient would be lost by it; see `overwrite`."""
        if not isinstance(value, (Tensor, bool, int, float)):
            value = array_of(value, what)
        other = value if isinstance(value, Tensor) else self
        if current_mode().grad and (self._requires_grad or other._requires_grad):
            needed = self if self._requires_grad else other
            raise RuntimeError(
                f"{what}: the gradient of {needed._label()} would be lost by a write in place; "
                "write t = t + ... in its place, or put an update under `with mg.no_grad():`"
            )
        return self.overwrite(what, write, value._array if type(value) is Tensor else value)

    def overwrite(self, what: str, write: Callable[[Array, Any], object], value: Any) -> Self:
        """Let ``write(array, value)`` change a leaf's array, whatever the mode, and note the time.

        This is the one way in which minigraph writes into a tensor.

        Parameters
        ----------
        what : str
            Names the caller in errors.
        write : callable
            Changes its first argument in place.
        value : array_like

        Raises
        ------
        RuntimeError
            If the tensor was made by a recorded op.
        """
        if self.op is not None:
            raise RuntimeError(
                f"{what}: {self._label()} was made by {self.op.name} and is part of a graph; "
                "write t = t + ... (or np.where for a part of it) in place of writing into it"
            )
        data = self._array
        if not isinstance(data, (np.ndarray, np.generic)):
            library = type(data).__module__.partition(".")[0]
            raise TypeError(f"{what}: a {library} array is not written; make a new Tensor of it")
        try:
            if type(data) is np.ndarray and data.flags.writeable:
                write(data, value)
            else:
                self._thawed(lambda array: write(array, value))
        except (TypeError, ValueError, IndexError) as error:  # NumPy checks before it writes
            kind = next(k for k in (TypeError, IndexError, ValueError) if isinstance(error, k))
            words = reason(error, [self.shape])
            raise kind(f"{what}: {self._label()}: {words}") from None
        count_write(clock_of(self))
        return self

    def _thawed(self, write: Callable[[Array], object]) -> None:
        """Write into the frozen result of an op that was not recorded."""
        array = np.asarray(self._array)
        base = array.base
        if 0 in array.strides or (isinstance(base, np.ndarray) and not base.flags.writeable):
            raise ValueError("its memory belongs to another result or array; copy() it first")
        array.setflags(write=True)
        try:
            write(array)
        finally:
            array.setflags(write=False)
        self._array = array

    def __setitem__(self, index: Any, value: Operand) -> None:
        parts = index if isinstance(index, tuple) else (index,)
        place = tuple([p._array if isinstance(p, Tensor) else p for p in parts])
        self.write("t[...] =", lambda array, v: array.__setitem__(place, v), value)

    # Python's protocols

    def _label(self) -> str:
        name = repr(self._name) if self._name else "a tensor"
        return f"{name} {self.dtype}{list(self.shape)}"

    def __repr__(self) -> str:
        parts = [
            np.array2string(self._shown(), separator=", ", prefix="Tensor("),
            f"dtype={self.dtype}",
        ]
        if self._name is not None:
            parts.append(f"name={self._name!r}")
        if self.op is not None:
            parts.append(f"op={self.op.name}")
        elif self._requires_grad:
            parts.append("requires_grad=True")
        return f"Tensor({', '.join(parts)})"

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else repr(self)

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __bool__(self) -> bool:
        self._looked("bool")
        if self.size != 1:
            raise ValueError(f"bool: {self._label()} has {self.size} entries; use .any() or .all()")
        return bool(self.item())

    def __index__(self) -> int:
        if self.dtype.kind not in "iu":
            raise TypeError(
                f"index: only an integer can be one, not {self._label()}; use int(t) or astype(int)"
            )
        return operator.index(self.item())

    def __len__(self) -> int:
        if self.ndim == 0:
            raise TypeError(
                f"len: {self._label()} is 0-d: it has no length, and nothing to iterate over; use "
                "t.item() for the number"
            )
        return self.shape[0]

    def __iter__(self) -> Iterator["Tensor"]:
        return (self[i] for i in range(len(self)))

    def __contains__(self, value: object) -> bool:
        self._looked("in")
        return bool(np.any(self._array == (value._array if isinstance(value, Tensor) else value)))

    def __hash__(self) -> int:  # by identity, though == is elementwise
        return id(self)

    def __copy__(self) -> "Tensor":
        return copying.deepcopy(self)

    def __init_subclass__(cls) -> None:
        raise TypeError("Tensor is final: hold tensors in your class instead")

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Array:
        if self._requires_grad:
            raise TypeError(
                f"np.asarray: turning {self._label()} into an array would lose its gradient; use "
                "t.data if that is meant, np.stack or np.concatenate to join tensors"
            )
        self._looked("np.asarray")
        return np.array(self._array, dtype=dtype, copy=copy is not False)
