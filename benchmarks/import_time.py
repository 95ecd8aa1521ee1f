"""Measure how long `import minigraph` takes, as a ratio to `import numpy`, in fresh processes.

    python benchmarks/import_time.py
    python benchmarks/import_time.py --pairs 51

Both are imported in turn; a first import of each, which may write bytecode, does not count.
Bar: at most 1.3, NumPy included.
"""

import argparse
import os
import subprocess
import sys

import numpy as np

TIMED = "import time; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"


def seconds(module):
    command = [sys.executable, "-c", TIMED.format(module)]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return float(done.stdout)


def main():
    parser = argparse.ArgumentParser(description="Measure the time of import.")
    parser.add_argument("--pairs", type=int, default=21)
    pairs = [(seconds("numpy"), seconds("minigraph")) for _ in range(parser.parse_args().pairs + 1)]
    numpy, minigraph = np.array(pairs[1:]).T
    low, middle, high = np.percentile(minigraph / numpy, [25, 50, 75])
    print(f"numpy {np.median(numpy) * 1e3:.0f} ms, minigraph {np.median(minigraph) * 1e3:.0f} ms")
    print(f"ratio {middle:.2f} (quartiles {low:.2f} to {high:.2f}; bar 1.3)")


if __name__ == "__main__":
    main()
