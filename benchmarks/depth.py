"""Measure how deep a graph may be, what a node costs, and that it is all given back.

    python benchmarks/depth.py
    python benchmarks/depth.py --nodes 10000 100000

The graph is a chain, y = y + 1 on a scalar that requires a gradient. The garbage collector is off
throughout, so that only reference counts can free a node. For each length, the table shows

- build, sweep (backward) and free, in seconds;
- bytes per node, as tracemalloc counts them: constant, if memory is linear in the length;
- cycles: the objects that only a collection could free, once the chain is gone; and left, the
  bytes that not even that frees;
- resident: the growth of the process by the chain and what remains of it, where /proc tells.

Two more: y = y + y sixty times, whose gradient is 2**60, reached by 2**60 paths; and the pickling
of a chain of 100,000. Then everything runs again in a thread with a stack of 512 KB. A wrong
gradient ends the run.
"""

import argparse
import gc
import os
import pickle
import sys
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import minigraph as mg

NODES = (100_000, 300_000, 1_000_000)
PICKLED_NODES = 100_000
SMALL_STACK = 512 * 1024


def chain(nodes):
    x = y = mg.Tensor(1.0, requires_grad=True)
    for _ in range(nodes):
        y = y + 1.0
    return x, y


def expect_gradient(x, gradient):
    if x.grad != gradient:
        sys.exit(f"the gradient is {x.grad}, not {gradient}")


def resident():
    """Return the resident megabytes of this process, NaN where /proc does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return float("nan")
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def timed_chain(nodes):
    """Return the seconds to build, sweep and free, and the megabytes grown and kept."""
    before = resident()
    start = time.perf_counter()
    x, y = chain(nodes)
    built = time.perf_counter()
    y.backward()
    swept = time.perf_counter()
    expect_gradient(x, 1.0)
    grown = resident() - before
    freeing = time.perf_counter()
    del x, y
    freed = time.perf_counter()
    return built - start, swept - built, freed - freeing, grown, resident() - before


def traced_chain(nodes):
    """Return the bytes per node, the objects left in cycles, and the bytes left in the end."""
    gc.collect()
    tracemalloc.start()
    x, y = chain(nodes)
    held, _ = tracemalloc.get_traced_memory()
    y.backward()
    del x, y
    cycles = gc.collect()  # this empties CPython's free lists, too
    left, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return held / nodes, cycles, left


def report_chains(lengths):
    print(f"{'nodes':>10}{'build':>9}{'sweep':>9}{'free':>9}{'bytes/node':>12}", end="")
    print(f"{'cycles':>8}{'left':>10}{'resident':>20}")
    for nodes in lengths:
        build, sweep, free, grown, kept = timed_chain(nodes)
        each, cycles, left = traced_chain(nodes)
        print(f"{nodes:>10,}{build:>7.2f} s{sweep:>7.2f} s{free:>7.3f} s{each:>12.1f}", end="")
        print(f"{cycles:>8}{left:>8,} B{f'+{grown:.0f} MB, {kept:.0f} kept':>20}")


def report_doubling():
    x = y = mg.Tensor(1.0, requires_grad=True)
    for _ in range(60):
        y = y + y
    start = time.perf_counter()
    y.backward()
    seconds = time.perf_counter() - start
    expect_gradient(x, 2.0**60)
    print(f"60 times y = y + y: the gradient is 2**60, swept in {1e6 * seconds:.0f} µs")


def report_pickling():
    _, y = chain(PICKLED_NODES)
    start = time.perf_counter()
    text = pickle.dumps(y)
    dumped = time.perf_counter()
    copy = pickle.loads(text)
    loaded = time.perf_counter()
    if copy.data != y.data:
        sys.exit(f"the pickle holds {copy.data}, not {y.data}")
    copy.backward()
    print(
        f"pickling {PICKLED_NODES:,} nodes: dumped in {dumped - start:.2f} s, "
        f"loaded in {loaded - dumped:.2f} s, {len(text) / PICKLED_NODES:.0f} bytes per node"
    )


def report(lengths):
    report_chains(lengths)
    report_doubling()
    report_pickling()


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nodes", type=int, nargs="+", default=NODES)
    lengths = parser.parse_args().nodes

    gc.disable()
    print("in the main thread")
    report(lengths)
    print(f"\nin a thread with a stack of {SMALL_STACK // 1024} KB")
    threading.stack_size(SMALL_STACK)
    with ThreadPoolExecutor(max_workers=1) as executor:
        executor.submit(report, lengths).result()


if __name__ == "__main__":
    main()
