"""Pickling and deep copying of graphs.

A tensor is written as the flat list of its ancestors, so that nothing recurses. Each one stands
there as a shell, of which a tensor has only one at a time: the pickler knows it again, and tensors
pickled together still share their ancestors when loaded.
"""

import copyreg
from threading import get_ident
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from minigraph.graph import ancestors, check_unchanged, check_unwritten
from minigraph.lending import count_writes
from minigraph.modes import current_mode, tick
from minigraph.op import Op
from minigraph.tensor import Tensor


class _Shell:
    """A tensor without its inputs."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor

    def __reduce__(self) -> tuple[Any, ...]:
        t = self.tensor
        data = np.asarray(t._array) if isinstance(t._array, np.generic) else t._array
        settings = t._name, t._requires_grad, t._retains_grad, t.scope
        return _bare, (data, t._grad, t._written, *settings)


_shells: WeakValueDictionary[tuple[int, int], _Shell] = WeakValueDictionary()
_Made = tuple[Op, list[Any], dict[str, Any]]


def _shell(tensor: Tensor) -> _Shell:
    key = get_ident(), tensor.number  # another thread may be at the same graph
    shell = _shells.get(key)
    if shell is None:
        shell = _shells[key] = _Shell(tensor)
    return shell


def _bare(
    data: Any,
    grad: Any,
    written: list[int] | None,
    name: str | None,
    requires: bool,
    retains: bool,
    scope: tuple[str, ...],
) -> Tensor:
    tensor = Tensor(data, copy=False)
    if written:
        written[0] = 0  # tensors that still share memory share this; times are of another clock
        tensor._written = written
    tensor._grad, tensor._name, tensor.scope = grad, name, scope
    tensor.number = 0  # not in its place yet
    tensor._requires_grad, tensor._retains_grad = requires, retains
    return tensor


def _reduce(tensor: Tensor) -> tuple[Any, ...]:
    flat: list[tuple[_Shell, _Made | None]] = []
    count_writes()
    for t in ancestors([tensor]):
        made = None
        if t.op is not None:
            check_unwritten(t)
            check_unchanged(t)
            inputs = [_shell(i) if type(i) is Tensor else i for i in t.inputs]
            made = (t.op, inputs, t.attributes)
        flat.append((_shell(t), made))
    return _join, (flat,)


def _join(flat: list[tuple[Tensor, _Made | None]]) -> Tensor:
    debug = current_mode().debug
    for tensor, made in flat:
        if tensor.number:
            continue  # in its place since an earlier list
        tensor.number = tick()
        if made is not None:
            tensor.op, inputs, tensor.attributes = made
            tensor.inputs = tuple(inputs)
            tensor.values = tuple([i._array if type(i) is Tensor else i for i in inputs])
            tensor.formulas = tensor.op.formulas(inputs)
            if isinstance(tensor._array, np.ndarray):  # as the op left it
                tensor._array.setflags(write=False)
                tensor._array = tensor._array[()] if tensor.ndim == 0 else tensor._array
            if debug is not None:
                debug.loaded(tensor)
    return flat[-1][0]


copyreg.pickle(Tensor, _reduce)
