"""Time a training step inside `minigraph.debug`, and what the watch over writes costs outside.

    python benchmarks/debug.py
    git worktree add /tmp/before COMMIT && python benchmarks/debug.py --before /tmp/before

The step is that of `benchmarks/step.py`, made of `nn`. It is taken in these ways:

- off: no mode is entered;
- debug: inside `minigraph.debug()`;
- held: no mode, but somebody holds the array that `.data` gives of the first layer's weights;
- now and before: off, in a process that does nothing else, by this engine and by that of another
  checkout, given by --before.

The processes run on the same CPU, with one thread each; one runs and the others wait. Round by
round every way is taken once, in shuffled order, for as many steps as last about 10 ms. A ratio is
the median, over the rounds, of a way's time by another's in the same round; its quartiles follow.
Where a process happens to lie in memory moves its times by some per cent, so all are started anew
several times, and the median of each start is shown too.
"""

import argparse
import os
import random
import subprocess
import sys
from contextlib import ExitStack, nullcontext
from pathlib import Path

import numpy as np
import step as steps

import minigraph as mg

HERE = Path(__file__).resolve()
RATIOS = {"debug": "off", "held": "off", "now": "before"}
BARS = {("debug", "784-50-10"): 4.0, ("now", "784-50-10"): 1.03, ("now", "784-500-10"): 1.03}


def serve(sizes):
    """Answer each line "size way" with the seconds that a step takes, until there are no more."""
    print(Path(mg.__file__).parent.parent, flush=True)
    made, counts = {}, {}
    for size in sizes:
        start = steps.problem(*steps.SIZES[size])
        made[size] = steps.make_minigraph_nn(*start, steps.PENALTIES, steps.LEARNING_RATE)
    for line in sys.stdin:
        size, way = line.split()
        step, parameters = made[size]
        held = parameters()[0] if way == "held" else None
        with mg.debug() if way == "debug" else nullcontext():
            if (size, way) not in counts:
                counts[size, way] = steps.enough(step)
            print(steps.measure(step, counts[size, way])[0], flush=True)
        del held


class Engine:
    """A process that takes steps when it is asked to."""

    def __init__(self, checkout, sizes):
        environment = os.environ | steps.ONE_THREAD | steps.MALLOC["fixed"]
        environment["PYTHONPATH"] = str(checkout)
        command = [sys.executable, HERE, "--serve", "--sizes", *sizes]
        self.process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        found = Path(self.process.stdout.readline().strip())
        if found != checkout.resolve():
            sys.exit(f"{checkout}: the engine of {found} answers")

    def seconds(self, size, way):
        print(size, way, file=self.process.stdin, flush=True)
        return float(self.process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.process.stdin.close()
        self.process.wait()


def measured(sizes, before, rounds, order):
    """Measure all ways in interleaved rounds, in new processes: size -> way -> seconds."""
    times = {size: {} for size in sizes}
    here = HERE.parent.parent
    with ExitStack() as stack:
        watched = stack.enter_context(Engine(here, sizes))
        ways = {way: (watched, way) for way in ("off", "debug", "held")}
        if before:
            for name, checkout in ("now", here), ("before", before):
                ways[name] = stack.enter_context(Engine(checkout, sizes)), "off"
        for size in sizes:
            for engine, way in ways.values():
                engine.seconds(size, way)  # warms up
            for _ in range(rounds):
                for name in order.sample(list(ways), len(ways)):
                    engine, way = ways[name]
                    times[size].setdefault(name, []).append(engine.seconds(size, way))
    return times


def table(starts):
    """Format a list of start -> size -> way -> seconds: a row per ratio and size."""
    yield f"{'':12}{'ratio':18}{'median':>8}{'quartiles':>14}   by start"
    for size in starts[0]:
        for way, base in RATIOS.items():
            if base not in starts[0][size]:
                continue
            ratios = [np.divide(start[size][way], start[size][base]) for start in starts]
            low, ratio, high = np.percentile(np.concatenate(ratios), (25, 50, 75))
            medians = " ".join(f"{np.median(r):.3f}" for r in ratios)
            bar = BARS.get((way, size))
            verdict = f"  ≤{bar:.2f} {'met' if ratio <= bar else 'NOT met'}" if bar else ""
            figures = f"{ratio:>8.3f}{f'{low:.3f}-{high:.3f}':>14}   {medians}{verdict}"
            yield f"{size:12}{f'{way} / {base}':18}{figures}"
        off = np.median(np.concatenate([start[size]["off"] for start in starts]))
        yield f"{size:12}{'off':18}{1e6 * off:>5.0f} µs"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--before", type=Path, help="a checkout to compare with")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--sizes", nargs="+", choices=steps.SIZES, default=list(steps.SIZES))
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        serve(args.sizes)
        return
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    order = random.Random(0)
    starts = [measured(args.sizes, args.before, args.rounds, order) for _ in range(args.starts)]
    print(*table(starts), sep="\n")


if __name__ == "__main__":
    main()
