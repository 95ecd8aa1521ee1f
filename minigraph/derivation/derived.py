"""derive: the source of a function's value and gradients, in NumPy alone."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from minigraph.arrays import is_array, shown
from minigraph.checks import check_callable
from minigraph.derivation import passes, sizes
from minigraph.derivation.capturing import capture
from minigraph.derivation.columns import in_columns, turned
from minigraph.derivation.fast import FastWriter
from minigraph.derivation.naming import identifier
from minigraph.derivation.program import Program, Value
from minigraph.derivation.shortcuts import shortened
from minigraph.derivation.textbook import Writer, source_of
from minigraph.derivation.viewing import graph_of
from minigraph.graph import Graph
from minigraph.nested import Leaf, argument_names, flatten
from minigraph.tensor import Tensor

__all__ = ["Derived", "derive"]

Style = Literal["textbook", "fast"]
Layout = Literal["rows", "columns"]


class Derived:
    """The value and gradients of a function as NumPy source, and as a function.

    Attributes
    ----------
    source : str
        A module with one function; it needs NumPy alone.
    function : callable
        That function: takes the arrays one by one, and those closed over by name.
    constants : dict of str to array
        What the program closed over.
    program : Program
        Behind the source, after all passes.

    With ``layout="columns"``, `function` takes and gives the transposes of matrices; the object
    itself takes and gives what the function did that it was derived from.
    """

    def __init__(
        self,
        call: "_Arguments",
        program: Program,
        writer: Writer,
        fixed: str | None,
        taken: Program | None = None,
        plain: Program | None = None,
    ) -> None:
        writer.write()
        self.source = source_of(writer, call.name)
        self.constants = dict(zip(writer.constants, program.constants.values()))
        self.program = program
        self._call, self._lines, self._fixed = call, writer.lines, fixed
        self._taken = taken or program  # in rows: what `f` takes
        self._in_columns = taken is not None
        self._plain = plain or program  # before what only the fast style does
        namespace: dict[str, Any] = {}
        exec(compile(self.source, f"<derived from {call.title}>", "exec"), namespace)
        self.function: Callable[..., Any] = namespace[call.name]
        self._make = namespace.get("make_buffers")
        self._buffers: dict[Any, Any] = {}  # by the batch size
        self._copied = _shared_outputs(program)

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
        if self._make is None:
            value, gradients = self.function(*arrays, **self.constants)
        else:
            buffers = self._buffers.get(K)
            if buffers is None:
                buffers = self._buffers[K] = self._make() if K is None else self._make(K)
            value, gradients = self.function(*arrays, **self.constants, buffers=buffers)
        if self._in_columns:
            gradients = [turned(g) for g in gradients]
        if not copy and not on_tensors:
            return self._packed([value, *gradients])
        results = [value, *gradients]
        for place in range(len(results)) if self._make else self._copied:
            results[place] = np.array(results[place])
        results = [Tensor(r) if on_tensors else np.asarray(r) for r in results]
        return self._packed(results)

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
        return f"<Derived {self._call.name}, {len(self._lines)} lines>"

    def __str__(self) -> str:
        return self.source


def derive(
    f: Callable[..., Any],
    *args: Any,
    argnums: int | Sequence[int] | None = None,
    names: Sequence[str] | None = None,
    style: Style = "textbook",
    layout: Layout = "rows",
    has_aux: bool = False,
) -> Derived:
    """Write out the value and gradients of a function as NumPy that a person would write.

    The function is run on examples of its arguments, and what it does is recorded, with its
    sweep; passes leave out what changes nothing and compute common parts once.

    Parameters
    ----------
    f : callable
        Gives a scalar loss. Its source is never read; it may not look at values.
    *args : nested containers of arrays
        Examples. Whole numbers, text and None are taken as they are, in every call.
    argnums : int or sequence of int, optional
        By which arguments to differentiate; by default all that hold floats alone.
    names : sequence of str, optional
        What to call the arrays of the arguments, in order.
    style : {"textbook", "fast"}
        One statement per formula; or one call of NumPy per line, into arrays that are kept from
        call to call and taken over by others when nothing reads them any more.
    layout : {"rows", "columns"}
        With columns, each matrix of the source is the transpose of the program's, as on paper:
        ``W @ X + b[:, None]`` for ``X @ W + b``.
    has_aux : bool
        Whether `f` gives a tuple: the loss, and other Tensors, which come back as a tuple behind
        the gradients.

    Returns
    -------
    Derived

    Raises
    ------
    TypeError, ValueError
        If `f` cannot be captured: it branches on values, looks at raw arrays, draws random
        numbers, gives no scalar, or calls an op that no import finds.

    Examples
    --------
    >>> import numpy as np, minigraph as mg
    >>> def loss(W, X):
    ...     h = np.tanh(X @ W)
    ...     return mg.l2_penalty(h)
    >>> print(mg.derive(loss, np.ones((2, 2)), np.ones((3, 2)), argnums=0))
    import numpy as np
    <BLANKLINE>
    <BLANKLINE>
    def loss_and_gradients(W, X):
        h = np.tanh(X @ W)
        loss = np.vdot(h, h)
        grad_h = 2.0 * h  # ∂loss/∂h
        grad_W = X.T @ (grad_h * (1 - h * h))  # ∂loss/∂W
        return loss, (grad_W,)
    <BLANKLINE>
    """
    check_callable(f, "derive: f")
    if style not in WRITERS:
        raise ValueError(f"derive: style is one of {', '.join(WRITERS)}, not {style!r}")
    if layout not in ("rows", "columns"):
        raise ValueError(f"derive: layout is rows or columns, not {layout!r}")
    call = _Arguments(f, args, argnums, names)
    first = capture(f, *call.traced(), call.wanted, has_aux)
    try:
        sizes.following(first, capture(f, *call.traced(), call.wanted, has_aux), (1, 1), 0)
    except sizes.Differs as error:
        raise ValueError(
            f"derive: {call.title} does something else in a second call with the same arguments: "
            f"{error}. Does it draw random numbers? Draw them outside, and pass them"
        ) from None
    program, fixed = _for_any_batch(f, call, first, has_aux)
    program = passes.shared(passes.simplified(program))
    program = passes.simplified(program)
    taken = program if layout == "columns" else None
    if taken is None:
        program = passes.with_vectors(program)
    else:
        program = passes.simplified(passes.shared(passes.simplified(in_columns(program))))
    plain = program
    if style == "fast":
        traced = len(call.arrays[program.batch_place]) if program.batch is not None else 0
        program = shortened(program, traced)
    return Derived(call, program, WRITERS[style](program), fixed, taken, plain)


WRITERS: dict[str, type[Writer]] = {"textbook": Writer, "fast": FastWriter}


def _for_any_batch(f: Callable[..., Any], call: "_Arguments", first: Program, has_aux: bool) -> Any:
    """Give the program for any batch size, if it can be told; else why not."""
    reasons = []
    for group in call.batches():
        size = call.arrays[group[-1]].shape[0]
        try:
            larger = capture(f, *call.traced(group), call.wanted, has_aux)
            return sizes.following(first, larger, (size, 2 * size + 1), group[0]), None
        except (ValueError, TypeError, IndexError) as error:
            reasons.append(str(error))
    return first, (reasons or ["no argument has axes"])[0]


class _Arguments:
    """The arguments of a function: flat, as Tensors, checked, and put back into containers."""

    def __init__(
        self,
        f: Callable[..., Any],
        args: tuple[Any, ...],
        argnums: int | Sequence[int] | None,
        names: Sequence[str] | None,
    ) -> None:
        self.f, self.title = f, getattr(f, "__name__", type(f).__name__)
        self.name = identifier(f"{self.title}_and_gradients")
        self.leaves: list[Leaf] = []
        self.places: list[list[int]] = []  # of the arrays of each argument, among all
        self.rebuilds = []
        self.arrays: list[Any] = []
        self.names = argument_names(f, len(args))
        for path, value in zip(self.names, args):
            leaves, rebuild = flatten(value, path)
            self.rebuilds.append(rebuild)
            self.places.append([])
            for leaf in leaves:
                array = _array(leaf)
                self.leaves.append(leaf)
                if array is not None:
                    self.places[-1].append(len(self.arrays))
                    self.arrays.append(array)
        self.paths = [leaf.path for leaf in self.leaves if _array(leaf) is not None]
        if names is not None:
            if not all(isinstance(name, str) for name in names):
                raise TypeError(f"derive: names are strings, not {shown(names)}")
            if len(names) != len(self.paths):
                raise ValueError(
                    f"derive: {len(names)} names for {len(self.paths)} arrays: "
                    f"{', '.join(self.paths)}"
                )
            self.paths = list(names)
        self.flat = len(self.arrays) == len(self.leaves) == len(args) and all(
            leaf.value is value for leaf, value in zip(self.leaves, args)
        )
        self._expected: dict[Any, Any] = {}  # dtypes and shapes, by the batch size
        self.one = isinstance(argnums, int)
        self.chosen = self._chosen(argnums)
        self.wanted = [place for i in self.chosen for place in self.places[i]]

    def _chosen(self, argnums: int | Sequence[int] | None) -> list[int]:
        floats = [
            i
            for i, places in enumerate(self.places)
            if places and all(self.arrays[p].dtype.kind == "f" for p in places)
        ]
        if argnums is None:
            if not floats:
                raise TypeError(f"derive: no argument of {self.title} is of floats")
            return floats
        n = len(self.places)
        given = [argnums] if isinstance(argnums, int) else list(argnums)
        for i in given:
            if not isinstance(i, int) or not -n <= i < n:
                raise ValueError(f"derive: argnums has {i!r}, but there are {n} arguments")
            if i % n not in floats:
                raise TypeError(
                    f"derive: argument {i} of {self.title} has no gradient: it is not of floats"
                )
        return [i % n for i in given]

    def traced(self, group: Sequence[int] = ()) -> tuple[list[Any], list[Leaf]]:
        """Give new Tensors in the containers of the arguments; those of the group longer."""
        tensors, given, place = [], [], 0
        for leaf in self.leaves:
            array = _array(leaf)
            if array is None:
                given.append(leaf.value)
                continue
            if place in group:
                # What depends on half of the size, or on its logarithm, differs at 2 K + 1
                array = np.concatenate([array, array, array[:1]])
            tensor = leaf.value  # itself, if it can be: f may know it as a model's parameter
            if place in group or not _is_leaf(tensor, place in self.wanted):
                tensor = Tensor(array, requires_grad=place in self.wanted)
            tensors.append(Leaf(self.paths[place], tensor))
            given.append(tensor)
            place += 1
        values = iter(given)
        return [rebuild(values) for rebuild in self.rebuilds], tensors

    def batches(self) -> list[list[int]]:
        """List which arrays may hold one row per example.

        These are all as long as the last one, or those of them that no gradient is asked for.
        """
        long = [i for i, array in enumerate(self.arrays) if array.ndim and array.shape[0]]
        if not long:
            return []
        size = self.arrays[long[-1]].shape[0]
        alike = [i for i in long if self.arrays[i].shape[0] == size]
        data = [i for i in alike if i not in self.wanted]
        return [alike] if data in ([], alike) else [data, alike]

    def read(self, args: tuple[Any, ...], program: Program, fixed: str | None) -> Any:
        """Check arguments; list their arrays, and give the batch size."""
        if self.flat and set(map(type, args)) == {np.ndarray}:  # no containers
            return args, False, self._check(args, program, fixed)
        if len(args) != len(self.places):
            raise TypeError(f"{self.name}: {len(args)} arguments; expected {len(self.places)}")
        given = [leaf for value, path in zip(args, self.names) for leaf in flatten(value, path)[0]]
        found = {leaf.path: leaf for leaf in given}  # a dict may be in another order
        expected = [leaf.path for leaf in self.leaves]
        if found.keys() != set(expected):
            raise ValueError(
                f"{self.name}: given {', '.join(found)}; expected {', '.join(expected)}"
            )
        arrays = [self._read(found[old.path], old) for old in self.leaves]
        arrays = [array for array in arrays if array is not None]
        on_tensors = any(isinstance(leaf.value, Tensor) for leaf in given)
        return arrays, on_tensors, self._check(arrays, program, fixed)

    def _read(self, leaf: Leaf, traced: Leaf) -> Any:
        array = _array(leaf)
        if (array is None) != (_array(traced) is None):
            raise TypeError(
                f"{self.name}: {traced.path} is {shown(leaf.value)}; it was traced as "
                f"{shown(traced.value)}"
            )
        if array is None and leaf.value != traced.value:
            raise ValueError(
                f"{self.name}: {traced.path} is {leaf.value!r}; it was traced as "
                f"{traced.value!r}, and that is in the source: derive again"
            )
        return array

    def _check(self, arrays: Sequence[Any], program: Program, fixed: str | None) -> int | None:
        """Check dtypes and shapes; give the batch size, where there is one."""
        K = None
        if program.batch_place >= 0 and (shape := arrays[program.batch_place].shape):
            K = shape[0]
        expected = self._expected.get(K)
        if expected is None:
            expected = self._expected[K] = [
                (p.dtype, tuple([n if type(n) is int else n.at(K or 0) for n in p.shape]))
                for p in program.parameters
            ]
        if [(a.dtype, a.shape) for a in arrays] != expected:
            self._refuse(arrays, expected, program, fixed)
        return K

    def _refuse(
        self, arrays: Sequence[Any], expected: Any, program: Program, fixed: str | None
    ) -> None:
        """Say which argument differs from the one that was traced, and how."""
        if len(arrays) != len(expected):
            raise TypeError(f"{self.name}: {len(arrays)} arguments; expected {len(expected)}")
        found = zip(self.paths, arrays, program.parameters, expected)
        for path, array, parameter, (dtype, shape) in found:
            if array.dtype != dtype:
                raise TypeError(f"{self.name}: {path} is {array.dtype}; it was traced with {dtype}")
            if array.shape != shape:
                why = f"; another batch size is not possible: {fixed}" if fixed else ""
                raise ValueError(
                    f"{self.name}: {path} is {list(array.shape)}; it was traced with "
                    f"[{', '.join(map(str, parameter.shape))}]{why}"
                )

    def packed(self, gradients: Sequence[Any]) -> Any:
        """Put gradients into the containers of their arguments."""
        if self.flat:
            return gradients[0] if self.one else tuple(gradients)
        values = iter(gradients)
        packs = tuple([self.rebuilds[i](values) for i in self.chosen])
        return packs[0] if self.one else packs


def _is_leaf(value: Any, requires_grad: bool) -> bool:
    leaf = type(value) is Tensor and value.op is None
    return leaf and value.requires_grad == requires_grad


def _array(leaf: Leaf) -> Any:
    """Give what varies from call to call as an array; None for what does not."""
    value = leaf.value
    if isinstance(value, Tensor):
        return value._array if isinstance(value._array, np.ndarray) else np.asarray(value._array)
    if isinstance(value, float):
        return np.asarray(value)
    return np.asarray(value) if is_array(value) else None


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
