"""What was derived: the source of a value and its gradients, and the function that it is."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np

from minigraph.derivation import passes
from minigraph.derivation.arguments import Arguments
from minigraph.derivation.columns import turned
from minigraph.derivation.compiling import check_installed, compiled
from minigraph.derivation.looped import LoopWriter
from minigraph.derivation.program import Program, Value
from minigraph.derivation.textbook import Writer, source_of
from minigraph.derivation.viewing import graph_of
from minigraph.graph import Graph
from minigraph.tensor import Tensor

__all__ = ["Derived"]


class Derived:
    """The value and gradients of a function as NumPy source, and as a function.

    Attributes
    ----------
    source : str
        A module with one function, and those that it calls; it needs NumPy alone, with loops also
        Numba, for speed.
    function : callable
        That function: takes the arrays one by one, and those closed over by name.
    constants : dict of str to array
        What the program closed over.
    program : Program
        Behind the source, after all passes.
    seconds : float or None
        How long it took to compile the loops, or to read them from the cache; None before that,
        and where there are none.
    cached : bool
        Whether they were read.

    With ``layout="columns"``, `function` takes and gives the transposes of matrices; the object
    itself takes and gives what the function did that it was derived from.

    Examples
    --------
    >>> import numpy as np, minigraph as mg
    >>> def loss(w, x):
    ...     return mg.l2_penalty(w * x)
    >>> derived = mg.derive(loss, np.ones(2), np.ones(2), argnums=0)
    >>> derived
    <Derived loss_and_gradients, 3 lines>
    >>> derived(np.array([1.0, 2.0]), np.array([3.0, 1.0]))
    (array(13.), array([18.,  4.]))
    """

    function: Callable[..., Any]
    seconds: float | None = None
    cached = False
    _error: Exception | None = None  # of a compilation in the background
    _make: Callable[..., Any] | None  # makes the buffers

    def __init__(
        self,
        call: Arguments,
        program: Program,
        writer: Writer,
        fixed: str | None,
        taken: Program | None = None,
        meanwhile: "Derived | None" = None,
    ) -> None:
        writer.write()
        self.source = source_of(writer, call.name)
        self.constants = dict(zip(writer.constants, writer.program.constants.values()))
        self.program = writer.program
        self._call, self._lines, self._fixed = call, writer.lines, fixed
        self._taken = taken or program  # in rows: what `f` takes
        self._in_columns = taken is not None
        self._plain = program  # before what only one way of writing does
        self._copied = _shared_outputs(writer.program)
        self._buffers: dict[Any, Any] = {}  # by the batch size
        self._looped = isinstance(writer, LoopWriter)
        self._meanwhile = meanwhile
        if not isinstance(writer, LoopWriter):
            namespace: dict[str, Any] = {}
            exec(compile(self.source, f"<derived from {call.title}>", "exec"), namespace)
            self._install(namespace)
        elif meanwhile is None:
            self._compile(writer)
        else:
            self.function, self._make = meanwhile.function, meanwhile._make
            check_installed()
            Thread(target=self._compile_behind, args=(writer,), daemon=True).start()

    def _compile(self, writer: LoopWriter) -> None:
        """Compile the loops; until then, what was given to be used meanwhile is used."""
        made = compiled(self.source, writer.signatures, writer.parallel, self._call.title)
        self.seconds, self.cached = made.seconds, made.cached
        self._install(made.namespace)
        self._meanwhile = None

    def _compile_behind(self, writer: LoopWriter) -> None:
        try:
            self._compile(writer)
        except Exception as error:  # said at the next call: this thread has no caller
            self._error = error

    def _install(self, namespace: Mapping[str, Any]) -> None:
        self.function = namespace[self._call.name]
        self._make = namespace.get("make_buffers")

    def __call__(self, *args: Any, copy: bool = True) -> tuple[Any, ...]:
        """Give the value and the gradients at other arguments.

        Parameters
        ----------
        *args : as `derive` was given
            Of the same dtypes and shapes; of another batch size where the source follows K.
        copy : bool
            With False, gradients may be given in the buffers of the source, which the next call
            overwrites, or in memory that they share with arguments.

        Returns
        -------
        value, gradients
            As `value_and_grad` gives them, in new arrays; and a tuple of what else `f` gives.

        Raises
        ------
        TypeError, ValueError
            If an argument is not like the one that was traced.
        """
        arrays, on_tensors, K = self._call.read(args, self._taken, self._fixed)
        if self._in_columns:
            arrays = [turned(array) for array in arrays]
        value, gradients = self._run(arrays, K)
        if self._in_columns:
            gradients = [turned(g) for g in gradients]
        if not copy and not on_tensors:
            return self._packed([value, *gradients])
        results = [value, *gradients]
        for place in range(len(results)) if self._make else self._copied:
            results[place] = np.array(results[place])
        results = [Tensor(r) if on_tensors else np.asarray(r) for r in results]
        return self._packed(results)

    def _run(self, arrays: Sequence[Any], K: int | None) -> Any:
        """Call the function, with buffers if it takes any."""
        if (meanwhile := self._meanwhile) is not None:
            if self._error is not None:
                text = f"{self._call.name} stays with NumPy's calls, its loops do not compile: "
                warnings.warn(f"{text}{self._error}", stacklevel=3)
                self._error = None
            return meanwhile._run(arrays, K)
        if self._looped:  # of one layout alone
            arrays = [a if a.flags.c_contiguous else np.ascontiguousarray(a) for a in arrays]
        if self._make is None:
            return self.function(*arrays, **self.constants)
        buffers = self._buffers.get(K)
        if buffers is None:
            buffers = self._buffers[K] = self._make() if K is None else self._make(K)
        return self.function(*arrays, **self.constants, buffers=buffers)

    def _packed(self, results: Sequence[Any]) -> tuple[Any, ...]:
        value, *rest = results
        gradients, others = self._call.packed(rest), rest[len(self._call.wanted) :]
        return (value, gradients, tuple(others)) if others else (value, gradients)

    @property
    def graph(self) -> Graph:
        """The program's value and gradients at the examples that it was derived from, as a graph.

        It has an operation for each of the formulas, for `draw`; in the fast style too, where
        statements may stand for several of them.
        """
        arrays, taken = self._call.arrays, self._taken
        K = len(arrays[taken.batch_place]) if taken.batch is not None else None
        return graph_of(self._plain, [*map(turned, arrays)] if self._in_columns else arrays, K)

    def save(self, path: Any) -> Path:
        """Write the source to a file."""
        from minigraph.files import as_path, write_whole

        return write_whole(as_path(path, "Derived.save: path"), self.source.encode())

    def backward_pass(self) -> tuple[Any, ...]:
        """Give fprop, bprop, params and batch, as `minigraph.testing.check_bprop` takes them.

        The parameters are the arguments by which it was differentiated; of the others, the first
        is x, and the rest are y.

        Raises
        ------
        TypeError
            If arguments are containers.
        """
        call = self._call
        if not call.flat:
            raise TypeError(f"{call.name}: check_bprop takes what was derived for arrays alone")
        names = {place: call.paths[place] for place in call.wanted}
        others = [p for p in range(len(call.arrays)) if p not in names]
        rest = others[1:]

        def given(params: Any, x: Any, y: Any) -> list[Any]:
            found = dict(zip(others, [x, *(y if len(rest) > 1 else [y])]))
            found |= {place: params[name] for place, name in names.items()}
            return [np.asarray(found[p], array.dtype) for p, array in enumerate(call.arrays)]

        def fprop(params: Any, x: Any, y: Any) -> float:
            return float(call.f(*given(params, x, y)))

        def bprop(params: Any, x: Any, y: Any) -> dict[str, Any]:
            gradients = self(*given(params, x, y))[1]
            return dict(zip(names.values(), [gradients] if call.one else gradients))

        params = {name: call.arrays[place] for place, name in names.items()}
        y = tuple([call.arrays[p] for p in rest])
        x = call.arrays[others[0]] if others else np.zeros((1, 1))
        return fprop, bprop, params, (x, y if len(rest) > 1 else y[0] if y else np.zeros(len(x)))

    def explain(self) -> str:
        """Say of each line which rule it is, and the shape that it gives."""
        width = max((len(code) for code, _, _ in self._lines), default=0)
        rows = []
        for code, comment, value in self._lines:
            shape = f"({', '.join(map(str, value.shape))})"
            rule = value.op if isinstance(value.op, str) else value.op.name
            rows.append(f"{code:{width}}  {rule:14} {shape:12} {comment or ''}".rstrip())
        return "\n".join(rows)

    def __repr__(self) -> str:
        made = ""
        if self.seconds is not None:
            how = "read" if self.cached else "compiled"
            made = f", loops {how} in {self.seconds:.1f} s"
        elif self._looped:
            made = ", loops are being compiled"
        return f"<{type(self).__name__} {self._call.name}, {len(self._lines)} lines{made}>"

    def __str__(self) -> str:
        return self.source


def _shared_outputs(program: Program) -> list[int]:
    """List the places of outputs whose memory may belong to something else."""
    seen: set[Value] = set()
    places = []
    for place, output in enumerate(program.outputs):
        if not isinstance(output, Value):
            continue
        if output in seen or output.op == "parameter" or output.op in passes.SHARING:
            places.append(place)
        seen.add(output)
    return places
