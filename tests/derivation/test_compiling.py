"""Compiled loops: right, kept for the next process, and never taken from where others may write."""

import errno
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from minigraph.derivation import compiling
from minigraph.derivation.compiling import Argument, CacheWarning, compiled
from tests.counts import THOROUGH

numba = pytest.importorskip("numba", reason="pip install -e '.[numba]'")
pytest.importorskip("platformdirs", reason="pip install -e '.[numba]'")
posix = pytest.mark.skipif(os.name != "posix", reason="modes of folders")

F, N = np.dtype("float32"), Argument(np.dtype("int64"))
SOURCE = """
import numpy as np
from numba import njit


@njit(error_model="numpy")
def loops_1(X, b, h, K):
    for i in range(K):
        for j in range(3):
            h[i, j] = np.maximum(X[i, j] + b[j], np.float32(0)) / b[j]


def loops_2(h, s):
    total = 0.0
    for i in range(len(h)):
        for j in range(3):
            total += h[i, j]
    s[()] = total


def run(X, b):
    h, s = np.empty((len(X), 3), np.float32), np.empty((), np.float32)
    loops_1(X, b, h, len(X))
    loops_2(h, s)
    return h, s[()]
"""
LOOPS = {
    "loops_1": [Argument(F, 2, contiguous=False), Argument(F, 1), Argument(F, 2, written=True), N],
    "loops_2": [Argument(F, 2), Argument(F, 0, written=True)],
}
SMALL = "def loops_1(s):\n    s[()] = 3"
ONE = {"loops_1": [Argument(F, 0, written=True)]}
X = np.arange(-6, 6, dtype=F).reshape(4, 3)
B = np.array([0.5, 0, -1], F)


def is_right(namespace):
    h, s = namespace["run"](X, B)
    with np.errstate(all="ignore"):
        expected = np.maximum(X + B, 0) / B
    np.testing.assert_array_equal(h, expected)
    return np.isnan(s) and np.isinf(h).any()  # 0 / 0 and 2 / 0, as in NumPy


def small_is_cached():
    namespace, _, cached = compiled(SMALL, ONE)
    s = np.zeros((), F)
    namespace["loops_1"](s)
    assert s == 3
    return cached


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Where loops are kept in this test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    compiling._warn.cache_clear()
    return tmp_path / "cache" / "minigraph" / "loops"


def in_a_process(code, cache, **variables):
    setting = os.environ | {"XDG_CACHE_HOME": str(cache)} | variables
    setting["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, "-c", code], env=setting, stdout=pipe, stderr=pipe, text=True
    )


def printed(process):
    out, errors = process.communicate(timeout=100)
    assert process.returncode == 0, errors
    assert not errors
    return out.strip()


BUILDS = """
from numba.core.event import install_recorder
from tests.derivation.test_compiling import *

s = np.zeros((), F)
with install_recorder("numba:compile") as events:
    first = compiled(SMALL, ONE)
loop = first.namespace["loops_1"]
loop(s)
print(s, first.cached, sum(loop.stats.cache_hits.values()), bool(events.buffer))
"""
LOADS = f"""{BUILDS}
print("numba.np.linalg" in sys.modules)  # which only the compiler needs
# This one's loop has the same name and types, and is the first that this process compiles.
second = compiled(SMALL.replace("3", "4"), ONE)
second.namespace["loops_1"](s)
found = [*loop.overloads.values(), *second.namespace["loops_1"].overloads.values()]
print(s, second.cached, len(dict.fromkeys(one.fndesc.env_name for one in found)))
"""


def test_two_processes_at_once_and_one_later_with_nothing_to_compile(folder, tmp_path):
    cache, elsewhere = tmp_path / "cache", tmp_path / "elsewhere"
    settings = {"PYTHONDONTWRITEBYTECODE": "1", "NUMBA_CACHE_DIR": str(elsewhere)}
    both = [in_a_process(BUILDS, cache, **settings) for _ in range(2)]
    for process in both:
        assert re.fullmatch("3.0 (False 0 True|True 1 False)", printed(process))
    assert len([*folder.iterdir()]) == 1
    later = printed(in_a_process(LOADS, cache, **settings))
    assert later.splitlines() == ["3.0 True 1 False", "False", "4.0 False 2"]
    assert len([*folder.iterdir()]) == 2
    assert not elsewhere.exists()


THREADS = """
from tests.derivation.test_compiling import *

threads = compiled(PARALLEL, dict.fromkeys(("loops_1", "loops_2"), [X1]), parallel=True)
x = np.zeros(5, F)
for loop in (threads.namespace["loops_1"], threads.namespace["loops_2"]):
    loop(x)
    print(x.sum(), loop.targetoptions["parallel"])
print(threads.cached)
"""
X1 = Argument(F, 1, written=True)
PARALLEL = """
from numba import prange

def loops_1(x):
    for i in range(len(x)):
        x[i] = 3

def loops_2(x):
    for i in prange(len(x)):
        x[i] = 4
"""


def test_loops_on_several_threads(tmp_path):
    for cached in (False, True) if THOROUGH else (False,):
        lines = printed(in_a_process(THREADS, tmp_path / "cache")).splitlines()
        assert lines == ["15.0 False", "20.0 True", str(cached)]


def test_two_threads_at_once(folder):
    found = []
    work = [threading.Thread(target=lambda: found.append(compiled(SOURCE, LOOPS))) for _ in "ab"]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    assert all(is_right(one.namespace) for one in found)
    assert sorted(one.cached for one in found) == [False, True]


def test_what_it_takes():
    loops_1 = compiled(SOURCE, LOOPS).namespace["loops_1"]
    h = np.empty((4, 3), F)
    frozen = X.copy()
    frozen.flags.writeable = False
    loops_1(frozen, B, h, 4)
    expected = h.copy()
    for given in (np.asfortranarray(X), np.repeat(X, 2, axis=1)[:, ::2], np.asfortranarray(frozen)):
        loops_1(given, B, h, np.int64(4))
        np.testing.assert_array_equal(h, expected)
    h.flags.writeable = False
    for wrong in (
        (X.astype(float), B, expected, 4),
        (X, X, expected, 4),
        (X, B, h, 4),
        (X, B, np.asfortranarray(expected), 4),
        (X, B, expected),
    ):
        with pytest.raises(TypeError):
            loops_1(*wrong)
    assert len(loops_1.signatures) == 1


def test_a_damaged_file_is_made_anew(folder):
    assert not small_is_cached()
    (entry,) = folder.iterdir()
    whole = entry.read_bytes()
    flipped = [bytearray(whole) for _ in range(4)]
    for content, place in zip(flipped, (0, 31, 32, len(whole) // 2)):
        content[place] ^= 1
    aborts = bytes(32) + b"cos\nabort\n(tR."  # if it is unpickled
    for content in (*map(bytes, flipped), whole[:-1], whole[:7], b"", whole + b"\0", aborts):
        entry.write_bytes(content)
        assert not small_is_cached()
        assert small_is_cached()
    entry.unlink()
    assert not small_is_cached()
    assert entry.exists()


def test_a_file_of_another_name_is_not_taken(folder):
    small_is_cached()
    (entry,) = folder.iterdir()
    other = entry.rename(folder / ("0" * 64))
    assert compiling._read(other.name) == compiling._read(entry.name) == {}
    assert compiling._read(other.rename(entry).name).keys() == ONE.keys()


def test_a_folder_in_the_place_of_the_file(folder):
    small_is_cached()
    (entry,) = folder.iterdir()
    entry.unlink()
    entry.mkdir()
    with pytest.warns(CacheWarning, match="not kept.*directory"):
        assert not small_is_cached()
    assert [*folder.iterdir()] == [entry]


def test_what_decides_the_name(monkeypatch):
    def key(source=SOURCE, loops=LOOPS, parallel=False):
        types = {n: tuple(map(compiling._type, arguments)) for n, arguments in loops.items()}
        return compiling._key(source, types, parallel)

    keys = [key(), key(SOURCE + "\n"), key(parallel=True)]
    for argument in (Argument(F, 2), Argument(F, 2, False, True), Argument(np.dtype(float), 2)):
        keys.append(key(loops={"loops_1": [argument]}))
    for package in ("minigraph", "numba", "llvmlite", "numpy"):
        with monkeypatch.context() as patch:
            patch.setattr(f"{package}.__version__", "99.0")
            keys.append(key())
    with monkeypatch.context() as patch:
        patch.setenv("NUMBA_BOUNDSCHECK", "1")
        keys.append(key())
    assert len({*keys}) == len(keys)
    assert key() == keys[0]


def without_a_cache(match):
    """It works all the same, and says why nothing is kept: once."""
    with pytest.warns(CacheWarning, match=match) as caught:
        assert not small_is_cached()
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert not small_is_cached()


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "cache").write_text("a file")
    without_a_cache("not kept.*cache")


def test_no_home_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *a, **k: Path("~", "minigraph"))
    without_a_cache("full path")
    assert [*tmp_path.iterdir()] == []


def test_no_space(folder, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(compiling, "write_whole", full)
    without_a_cache("No space left")


@posix
def test_a_folder_that_others_may_write_is_refused(folder, tmp_path):
    small_is_cached()
    (entry,) = folder.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    for path, mode in (
        (folder, 0o750),
        (folder, 0o1777),
        (folder.parent, 0o720),
        (tmp_path, 0o702),
    ):
        before = path.stat().st_mode
        path.chmod(mode)
        compiling._warn.cache_clear()
        without_a_cache(f"others may write in {path}, and")
        path.chmod(before)
    tmp_path.chmod(0o1777)  # as /tmp
    assert small_is_cached()
    assert [*folder.iterdir()] == [entry]


@posix
def test_a_folder_of_somebody_else_is_refused(folder, monkeypatch):
    small_is_cached()
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    if os.getuid():
        without_a_cache("others may write in")
    else:  # root's are taken
        assert small_is_cached()
        os.chown(folder, 54321, 54321)
        without_a_cache(f"others may write in {folder}")


def test_the_folder_is_closed_whatever_the_umask_is(folder):
    before = os.umask(0)
    try:
        small_is_cached()
        assert small_is_cached()
    finally:
        os.umask(before)


def test_an_interrupt_leaves_nothing(folder, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(compiling._Kept, "save_overload", interrupted)
        with pytest.raises(KeyboardInterrupt):
            compiled(SMALL, ONE)
    assert [*folder.iterdir()] == []
    assert not small_is_cached()


def test_the_compiler_is_imported_if_code_calls_what_is_not_there(folder, monkeypatch):
    small_is_cached()
    (entry,) = folder.iterdir()
    called, *parts = compiling._read(entry.name)["loops_1"]
    context, refreshed = numba.core.registry.cpu_target.target_context, []
    monkeypatch.setattr(type(context), "refresh", lambda self: refreshed.append(self))
    assert compiling._Kept((called, *parts)).load_overload(None, context).entry_point
    assert not refreshed
    assert compiling._Kept((["no_such_function"], *parts)).load_overload(None, context)
    assert refreshed == [context]


def test_code_with_addresses_of_this_process_is_not_kept(folder):
    source = "import numpy as np\nbig = np.full(2**18, 3.0)\n" + SMALL.replace("3", "big[5]")
    for _ in range(2):
        assert not compiled(source, ONE).cached
    assert [*folder.iterdir()] == []


def test_what_numba_has_no_code_for_is_its_own_error(folder):
    source = "def loops_1(s):\n    s[()] = open(3)"
    with pytest.raises(numba.core.errors.NumbaError, match="open"):
        compiled(source, ONE)
    assert [*folder.iterdir()] == []


def test_compiling_can_be_switched_off(folder, monkeypatch):
    monkeypatch.setattr(numba.config, "DISABLE_JIT", True)
    assert not small_is_cached()
    assert not folder.exists()


def test_numba_is_missing_or_too_old(monkeypatch):
    for version in ("0.60.0", "0.9.1rc2"):
        with monkeypatch.context() as patch:
            patch.setattr(numba, "__version__", version)
            with pytest.raises(ImportError, match=rf"0.61.*'minigraph\[numba\]'.*{version}"):
                compiled(SMALL, ONE)
    for package in ("numba", "platformdirs"):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, package, None)
            with pytest.raises(ImportError, match=rf"pip install 'minigraph\[numba\]'.*{package}"):
                compiled(SMALL, ONE)


@pytest.mark.parametrize("part", ["_rebuild", "_reduce"])
def test_a_numba_with_other_parts_compiles_each_time(part, monkeypatch):
    from numba.core.compiler import CompileResult

    if part == "_rebuild":
        assert not small_is_cached()
    monkeypatch.delattr(CompileResult, part)
    assert not small_is_cached()
    assert not small_is_cached()
