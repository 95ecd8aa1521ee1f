"""Measure the diagnosis of hand-written backward passes on the library of mistakes.

    python benchmarks/diagnosis.py [--architecture columns] [--without-graph]
    python benchmarks/diagnosis.py --held-out

For each mistake in a gradient: are just those parameters called wrong that are, is the cause named
for each, or is another? Then the right programs on many seeds: is anything accused?

The held-out mistakes have no causes to compare with: what is said of each is printed, for a reader.
"""

import argparse
import sys
import time
import warnings
from collections import Counter
from pathlib import Path

from minigraph.testing import Diagnosis, check_bprop
from minigraph.testing.mistakes import ARCHITECTURES, LIBRARY, Mistake, load, naming


def diagnosed(what: Mistake | str, with_graph: bool = True, seed: int = 0) -> Diagnosis:
    module = load(what)
    right = load(what if isinstance(what, str) else what.architecture)
    return check_bprop(
        module.fprop, module.bprop, module.params, module.batch, seed=seed,
        penalties=(0,) * module.PENALTIES, graph=right.graph if with_graph else None,
    )  # fmt: skip


def held_out() -> None:
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from tests.testing import held_out as programs

    count: Counter[str] = Counter()
    for mistake in programs.MISTAKES:
        wrong, right = programs.load(mistake), programs.load(mistake.architecture)
        diagnosis = check_bprop(
            wrong.fprop, wrong.bprop, wrong.params, wrong.batch, axis=wrong.AXIS,
            penalties=(0,) * wrong.PENALTIES, graph=getattr(right, "graph", None),
        )  # fmt: skip
        found = {n for n, v in diagnosis.verdicts.items() if v.status == "wrong"}
        first = mistake.rule.partition(",")[0]
        kind = first if first in ("loss", "conduct") else "gradient"
        count[f"{kind}, mistakes"] += 1
        count[f"{kind}, found"] += not diagnosis.ok
        if kind == "gradient":
            count["gradient, just the wrong parameters"] += found == set(mistake.wrong)
        print(f"\n{mistake.name} ({mistake.architecture}, {mistake.rule})\n{diagnosis}")
    for what, number in sorted(count.items()):
        print(f"{what:40}{number:4}")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--architecture", choices=ARCHITECTURES)
    options.add_argument("--without-graph", action="store_true")
    options.add_argument("--seeds", type=int, default=20, help="for the right programs")
    options.add_argument("--show", action="store_true", help="print every diagnosis")
    options.add_argument("--held-out", action="store_true", help="the mistakes of the tests")
    args = options.parse_args()
    warnings.simplefilter("ignore")
    if args.held_out:
        held_out()
        return
    names = [args.architecture] if args.architecture else list(ARCHITECTURES)
    total: Counter[str] = Counter()
    print(
        f"{'':10}{'mistakes':>10}{'detected':>10}{'where':>8}{'named':>8}"
        f"{'misnamed':>10}{'slowest, s':>12}"
    )
    for name in names:
        count: Counter[str] = Counter()
        slowest = 0.0
        for mistake in LIBRARY:
            if mistake.architecture != name or mistake.where != "gradient":
                continue
            start = time.perf_counter()
            diagnosis = diagnosed(mistake, not args.without_graph)
            slowest = max(slowest, time.perf_counter() - start)
            wrong = {n: v for n, v in diagnosis.verdicts.items() if v.status == "wrong"}
            count["mistakes"] += 1
            count["detected"] += not diagnosis.ok
            count["where"] += set(wrong) == set(mistake.causes) & set(diagnosis.verdicts)
            if not diagnosis.ok:
                count[naming(mistake, diagnosis.verdicts)] += 1
            if args.show:
                print(f"\n{mistake.name}: {dict(mistake.causes)}\n{diagnosis}")
        numbers = [count[key] for key in ("mistakes", "detected", "where", "named", "misnamed")]
        print(
            f"{name:10}{numbers[0]:10}{numbers[1]:10}{numbers[2]:8}{numbers[3]:8}"
            f"{numbers[4]:10}{slowest:12.1f}",
            flush=True,
        )
        total += count
    print(f"{'all':10}{total['mistakes']:10}{total['detected']:10}{total['where']:8}"
          f"{total['named']:8}{total['misnamed']:10}")  # fmt: skip
    accused = sum(
        not diagnosed(name, not args.without_graph, seed).ok
        for name in names
        for seed in range(args.seeds)
    )
    print(f"right programs accused: {accused} of {len(names) * args.seeds}")


if __name__ == "__main__":
    main()
