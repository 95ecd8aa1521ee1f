"""Compile the loops of a derived program with Numba, and keep them for the next process.

What Numba makes of one source is one file in the user's cache folder, under ``minigraph/loops``,
which may be deleted at any time. The file is named by a hash of all that decides what is in it
(source, types, versions, processor): after an upgrade another one is looked for. It starts with a
checksum, and is put in its place when it is whole.
"""

import hashlib
import os
import pickle
import re
import sys
import time
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import numpy as np

from minigraph.files import write_whole

__all__ = ["Argument", "CacheWarning", "Compiled", "check_installed", "compiled"]

_ONE_AT_A_TIME = Lock()  # which Numba does anyway


class CacheWarning(UserWarning):
    """Compiled loops cannot be kept; each process compiles them again."""


class Argument(NamedTuple):
    """What a loop takes: an array, or a number."""

    dtype: np.dtype[Any]
    rank: int | None = None  # None: a number, int64 or float64
    contiguous: bool = True  # in C order; else with any strides
    written: bool = False  # else only read: read-only arrays are taken too


class Compiled(NamedTuple):
    """A source that was run, and how its loops came to be."""

    namespace: dict[str, Any]  # of the source, its loops compiled
    seconds: float  # that it took, without Numba's import
    cached: bool  # whether nothing had to be compiled


def compiled(
    source: str, loops: Mapping[str, Sequence[Argument]], parallel: bool = False, title: str = "f"
) -> Compiled:
    """Run a source, and compile each of its loops for the arguments given, and no others.

    Loops are functions of the source by name, decorated or not. With `parallel`, those that have
    a ``prange`` run on several threads. A compiled loop raises a TypeError for arguments of other
    types. What Numba has no code for is one of its NumbaErrors; an ImportError says what to
    install; a CacheWarning, once for each reason, why loops cannot be kept.
    """
    numba = _numba()
    start = time.perf_counter()
    namespace: dict[str, Any] = {"__name__": __name__}  # Numba imports that of what it loads
    exec(compile(source, f"<loops of {title}>", "exec"), namespace)
    if numba.config.DISABLE_JIT:
        return Compiled(namespace, time.perf_counter() - start, False)
    signatures = {name: tuple(map(_type, arguments)) for name, arguments in loops.items()}
    key = _key(source, signatures, parallel)
    with _ONE_AT_A_TIME:
        found = _read(key)
        kept = {name: _Kept(found.get(name)) for name in loops}
        for name, signature in signatures.items():
            function = getattr(namespace[name], "py_func", namespace[name])
            # Numba names machine code by this and a count that starts anew in each process: what
            # was kept of one source must not be taken for a loop of another.
            function.__qualname__ = f"{key}.{name}"
            threads = parallel and "prange" in function.__code__.co_names
            loop = numba.njit(error_model="numpy", parallel=threads)(function)
            loop._cache = kept[name]
            loop.compile(signature)
            loop.disable_compile()
            namespace[name] = loop
        cached = all(one.loaded for one in kept.values())
        parts = {name: one.parts for name, one in kept.items()}
        if not cached and None not in parts.values():
            _write(key, parts)
    return Compiled(namespace, time.perf_counter() - start, cached)


class _Kept:
    """What a loop has in place of Numba's own cache: its machine code, and what that calls."""

    cache_path = None

    def __init__(self, parts: Any) -> None:
        self.parts, self.loaded = parts, parts is not None

    def load_overload(self, signature: Any, context: Any) -> Any:
        try:
            return self._loaded(context) if self.loaded else None
        except Exception:  # a Numba that knows these parts by other names; it compiles anew
            self.parts, self.loaded = None, False
            return None

    def _loaded(self, context: Any) -> Any:
        from llvmlite.binding import address_of_symbol
        from numba.core.compiler import CompileResult
        from numba.core.runtime import rtsys

        called, *parts = self.parts
        rtsys.initialize(context)
        if not all(map(address_of_symbol, called)):
            context.refresh()  # imports all that the compiler needs: 0.4 s, seldom needed here
        return CompileResult._rebuild(context, *parts)

    def save_overload(self, signature: Any, result: Any) -> None:
        if not result.library.has_dynamic_globals:  # addresses of this process
            with suppress(AttributeError, TypeError):  # likewise: then nothing is kept
                module = result.library._final_module
                symbols = (*module.functions, *module.global_variables)
                called = [s.name for s in symbols if s.is_declaration]
                called = [name for name in called if not name.startswith("llvm.")]
                self.parts = (called, *result._reduce())


NEEDS = "derive: backend='numba' needs Numba 0.61 or later: pip install 'minigraph[numba]'"


def check_installed() -> None:
    """Tell what is missing, without the time that an import takes."""
    for name in ("numba", "platformdirs"):
        if sys.modules.get(name, name) is None or find_spec(name) is None:
            raise ImportError(f"{NEEDS} (there is no {name})")


def _numba() -> Any:
    try:
        import numba
        import platformdirs  # noqa: F401
    except ImportError as error:
        raise ImportError(f"{NEEDS} ({error})") from None
    if tuple(map(int, re.findall(r"\d+", numba.__version__)[:2])) < (0, 61):
        raise ImportError(f"{NEEDS} (it is {numba.__version__})")
    return numba


def _type(argument: Argument) -> Any:
    from numba import from_dtype, types

    dtype, rank = from_dtype(argument.dtype), argument.rank
    order = "C" if argument.contiguous else "A"
    return dtype if rank is None else types.Array(dtype, rank, order, not argument.written)


def _key(source: str, signatures: Mapping[str, Any], parallel: bool) -> str:
    """Give a hash of everything that decides what Numba makes of a source."""
    import llvmlite
    import numba
    from numba.core.registry import cpu_target

    import minigraph

    versions = [sys.version, *(p.__version__ for p in (minigraph, numba, llvmlite, np))]
    machine = cpu_target.target_context.codegen().magic_tuple()  # with the processor's features
    settings = sorted(item for item in os.environ.items() if item[0].startswith("NUMBA_"))
    parts = (source, str(signatures), parallel, versions, machine, settings)
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _read(key: str) -> dict[str, Any]:
    """Read what was kept; nothing if it is damaged, or others may have written it."""
    try:
        content = (_own_folder() / key).read_bytes()
    except OSError as error:
        return {} if isinstance(error, FileNotFoundError) else _warn(str(error))
    return pickle.loads(content[32:]) if content[:32] == _checksum(key, content[32:]) else {}


def _write(key: str, parts: Mapping[str, Any]) -> None:
    from numba.core.serialize import dumps

    content = dumps(parts)
    try:
        write_whole(_own_folder() / key, _checksum(key, content) + content)
    except OSError as error:
        _warn(str(error))


def _checksum(key: str, content: bytes) -> bytes:
    return hashlib.sha256(key.encode() + content).digest()


def _own_folder() -> Path:
    """Make the cache folder, for the user alone; an OSError if others may write in it."""
    import platformdirs

    folder: Path = platformdirs.user_cache_path("minigraph", appauthor=False) / "loops"
    if not folder.is_absolute():
        raise NotADirectoryError(f"{folder} is not a full path")
    for path in [*reversed(folder.parents), folder]:
        path.mkdir(0o700, exist_ok=True)
    folder = folder.resolve()
    for path in [folder, *folder.parents] if os.name == "posix" else []:
        status = path.stat()
        opened = status.st_mode & (0o077 if path == folder else 0o022)
        sticky = path != folder and status.st_mode & 0o1000  # as /tmp: what is in it stays ours
        if (opened and not sticky) or status.st_uid not in (0, os.geteuid()):
            raise PermissionError(f"others may write in {path}, and what is kept is executed")
    return folder


@cache
def _warn(why: str) -> dict[str, Any]:
    warnings.warn(f"compiled loops are not kept: {why}", CacheWarning, stacklevel=4)
    return {}
