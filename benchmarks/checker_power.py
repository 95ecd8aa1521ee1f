"""Measure what checkers of gradients see: planted errors, false alarms, error bars, cost.

    python benchmarks/checker_power.py
    python benchmarks/checker_power.py --quick
    python benchmarks/checker_power.py --seeds 50 --graphs 1000 --networks 100 --bars 1000

Power. An error is planted in the gradient of a small function, in each library's own way: a custom
op, or for "by hand" a NumPy function with `gradient=`. A checker catches it if it refuses the
gradient, or if the library does so on the way. Each seed has new inputs and another place for the
error. The same functions with their right gradients follow, for a fifth of the seeds: what a
checker catches counts for little where it refuses those too. All checkers run with their defaults,
in float64 but for the last row, for the first order in reverse mode. The seed also seeds the
directions of minigraph and autograd; those of JAX are always the same, which is what the row
"orthogonal to JAX's" is about. A peer that needs more than a minute for a row ends it there; the
number after the slash says how many seeds it had.

"Below" are errors that minigraph passed, with a report whose stated power (`Finding.power`) is
larger than the error: it says that it could not have seen it. "Silent" are those passed otherwise.
The size of an error is ‖planted - right‖ / ‖right‖, for a random cotangent.

False alarms. Random programs and networks with minigraph's own gradients, half of them drawn with
many inputs exactly at kinks. Every refusal is an alarm, also "unresolvable" and an exception.

Error bars. Every slope that `check_gradients` would measure on random programs, directions and
entries, first and second looks, against the gradient in np.longdouble. A case is a slope for three
cotangents, all of which must lie inside; cases whose bar is infinite are left out and counted.

Cost. The network 784-50-10 with a batch of 100.

Peers that are not installed are left out (`pip install -e '.[test,bench]'` brings all). With
--quick, a fiftieth of each; the bars are for all of it.
"""

import argparse
import time
import traceback
from collections import Counter

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from planted_errors import KINDS, by_hand, by_op, checkers

import minigraph as mg
from minigraph.ops import TABLE
from minigraph.testing import check_gradients, strategies
from minigraph.testing.comparing import Measurements, cotangents
from minigraph.testing.functions import Function

DIRECTIONS = 2  # of each input, as in check_gradients
PLENTY = 10**6  # a budget that affords every entry
SHOWN = 3  # slopes outside of their error bars, printed in full
WORK = {"seeds": 200, "graphs": 10_000, "networks": 1000, "bars": 10_000}
QUICK = 50
PATIENCE = 60  # seconds for a row of a peer


def count(check, make, seeds, planted):
    """Return the outcomes of a checker over the seeds, or over as many as there is time for."""
    results = Counter()
    start = time.perf_counter()
    for seed in range(seeds):
        problem = make(np.random.default_rng(seed))
        results[check(problem, problem.wrong if planted else problem.right, seed)] += 1
        if check not in (by_op, by_hand) and time.perf_counter() - start > PATIENCE:
            break
    return results


def cell(counts, own):
    if counts["n/a"]:
        return "n/a"
    text = f"{counts['caught']}/{counts.total()}"
    return f"{text}, {counts['below']} below, {counts['passed']} silent" if own else text


def report_power(checkers, seeds, planted):
    """Print a row per kind of error; return minigraph's outcomes, by kind."""
    title = "planted errors: caught" if planted else "the same, right: refused"
    own = {by_op, by_hand} if planted else {}
    widths = [32, *(32 if check in own else 12 for check in checkers.values())]
    print("\n" + "".join(map(str.ljust, [title, *checkers], widths)).rstrip())
    found = {}
    for kind, make in KINDS.items():
        results = {c: count(c, make, seeds, planted) for c in checkers.values()}
        cells = [cell(counts, check in own) for check, counts in results.items()]
        print("".join(map(str.ljust, [kind, *cells], widths)).rstrip(), flush=True)
        found[kind] = results[by_op] + results[by_hand]
    return found


# False alarms


def for_each(strategy, number, do):
    """Draw so many examples, the same ones at every run."""

    @settings(
        max_examples=number,
        database=None,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(strategy)
    def run(example):
        do(example)

    run()


def report_alarms(what, strategy, number, check):
    """Check so many examples, half of them at kinks; return the number of alarms."""
    alarms = 0
    for at_kinks in (False, True):
        verdicts, refused = Counter(), {}

        def look(example, verdicts=verdicts, refused=refused):
            seed = verdicts["examples"]
            verdicts["examples"] += 1
            try:
                report = check(example, seed=seed, raises=False)
            except Exception:
                verdicts["an exception"] += 1
                text = f"{example}\n# seed={seed}\n{traceback.format_exc()}"
                refused.setdefault("an exception", []).append(text)
                return
            found = [f.verdict + ", REFUSED" * (not f.ok) for f in report.findings]
            verdicts.update(found)
            if not report.ok:
                refused.setdefault(frozenset(found), []).append(f"{example}\n{report}")

        for_each(strategy(at_kinks=at_kinks), number // 2, look)
        counts = ", ".join(f"{n:,} {verdict}" for verdict, n in verdicts.items())
        where = "many at kinks" if at_kinks else "away from kinks"
        number_refused = sum(map(len, refused.values()))
        print(f"{what}, {where}: {number_refused} false alarms; {counts}", flush=True)
        for texts in refused.values():  # the first of each sort
            print(f"\n{texts[0]}\n", flush=True)
        alarms += number_refused
    return alarms


def check_program(program, **options):
    return check_gradients(program.function, *program.inputs.values(), **options)


def check_network(network, **options):
    return check_gradients(network.risk, network.parameters, network.x, **options)


# Error bars


class Looks(Measurements):
    """Measurements that keep every comparison made, those too that a second look replaces."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.looks = []

    def _along(self, *arguments):
        self.looks.append(super()._along(*arguments))
        return self.looks[-1]


def looks(program, seed):
    """Compare along directions and entries, with gradients in extended precision for the truth."""
    rng = np.random.default_rng(seed)
    function = Function(program.function, list(program.inputs.values()))
    y = function.value(function.arrays)
    ws = cotangents(rng, y.shape)
    places = list(range(len(function.arrays)))
    measured = Looks(function, function.arrays, y, ws, places, rng, PLENTY)
    wide = [array.astype(np.longdouble) for array in function.arrays]
    pulled = [function.pull(wide, w) for w in ws]
    measured.gradients = {i: np.array([g[i].ravel() for g in pulled]) for i in places}
    for place, array in enumerate(function.arrays):
        for _ in range(DIRECTIONS):
            measured.direction(place)
        for entry in range(array.size):
            measured.entry(place, entry)
    return measured.looks


def report_bars(number):
    """Print and return the number of cases and the share that lies inside the error bar."""
    cases, outside = [], []

    def measure(program):
        for look in looks(program, seed=len(cases)):
            cases.append(np.max(look.slopes.error / np.maximum(np.abs(look.analytic), 1e-9)))
            if np.isfinite(cases[-1]) and np.any(look.gap > look.slopes.error):
                outside.append((np.max(look.gap / look.slopes.error), look, program))

    ops = [op for op in TABLE if op.name != "astype"]  # to float64: it would round the truth
    for_each(strategies.graphs(ops), max(number // 5, 1), measure)
    finite = np.array([width for width in cases if np.isfinite(width)], float)
    share = 1 - len(outside) / len(finite)
    print(f"\n{len(finite):,} slopes with an error bar: {share:.3%} of the true ones lie inside")
    quartiles = "{:.0e}, {:.0e}, {:.0e}".format(*np.percentile(finite, (25, 50, 75)))
    infinite = len(cases) - len(finite)
    print(f"their widths relative to the slope, quartiles: {quartiles}; infinite: {infinite}")
    if np.finfo(np.longdouble).eps == np.finfo(float).eps:
        print("longdouble is float64 here: the truth has rounding errors of its own")
    for ratio, look, program in sorted(outside, key=lambda case: -case[0])[:SHOWN]:
        slopes = f"{look.slopes.slope} ± {look.slopes.error}"
        print(f"\noff by {ratio:.2f} bars: true {look.analytic}, measured {slopes}\n{program}")
    return len(finite), share


# Cost


def report_cost():
    """Print and return the evaluations that a network of 784-50-10 takes, and the report."""
    rng = np.random.default_rng(0)
    sizes = {"W1": (784, 50), "b1": (50,), "W2": (50, 10), "b2": (10,)}
    parameters = {name: rng.normal(size=size) / size[0] ** 0.5 for name, size in sizes.items()}
    labels = rng.integers(10, size=100)
    network = strategies.Network(
        parameters, rng.normal(size=(100, 784)), labels, (1e-4, 2e-4, 3e-4, 4e-4)
    )
    start = time.perf_counter()
    report = check_gradients(
        network.risk, network.parameters, mg.Tensor(network.x), seed=0, raises=False
    )
    seconds = time.perf_counter() - start
    print(f"\nthe network 784-50-10, batch of 100: {seconds:.2f} s\n{report}")
    return report


# The bars


def bar(what, figure, holds, enough=True):
    verdict = "NOT met" if not holds else "met" if enough else "met so far, too few cases"
    print(f"{what:44}{figure:44}{verdict}")


def report_verdicts(done, own, right, alarms, cases, share, cost):
    full = {name: done[name] >= number for name, number in WORK.items()}
    print(f"\n{'bar':44}figure")
    for kind, counts in own.items():
        figure = f"{counts['caught']} of {counts.total()} caught, {counts['passed']} silent"
        allowed = counts["below"] if "1e-7" in kind else 0
        bar(kind, figure, counts["caught"] + allowed == counts.total(), full["seeds"])
    refused = sum(right.values(), Counter())
    figure = f"{refused['caught']} false alarms in {refused.total():,}"
    bar("right code, the table's functions", figure, refused["caught"] == 0, full["seeds"])
    for what, found in alarms.items():
        figure = f"{found} false alarms in {done[what]:,}"
        bar(f"right code, {what}", figure, found == 0, full[what])
    inside = f"{share:.3%} of {cases:,} inside"
    bar("error bars hold in 99.9 % of 10,000", inside, share >= 0.999, cases >= WORK["bars"])
    unchecked = [f.name for f in cost.findings if f.entries < f.size]
    says = all(name in str(cost).split("not entry by entry:")[-1] for name in unchecked)
    figure = f"{cost.n_values} evaluations, the rest {'named' if says else 'NOT named'}"
    bar("784-50-10 in 200 evaluations of f", figure, cost.ok and says and cost.n_values <= 200)
    print("surviving mutants and the time of the law suite are not measured here")


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, number in WORK.items():
        parser.add_argument(f"--{name}", type=int, default=number)
    parser.add_argument("--quick", action="store_true", help="a fiftieth of the work")
    args = vars(parser.parse_args())
    share = QUICK if args.pop("quick") else 1
    return {name: max(number // share, 2) for name, number in args.items()}


def main():
    work = arguments()
    start = time.perf_counter()
    found, versions = checkers()
    print(versions)
    own = report_power(found, work["seeds"], planted=True)
    right = report_power(found, max(work["seeds"] // 5, 1), planted=False)
    print()
    alarms = {
        "graphs": report_alarms("graphs", strategies.graphs, work["graphs"], check_program),
        "networks": report_alarms("networks", strategies.networks, work["networks"], check_network),
    }
    cases, share = report_bars(work["bars"])
    report_verdicts(work, own, right, alarms, cases, share, report_cost())
    print(f"{time.perf_counter() - start:.0f} seconds in all")


if __name__ == "__main__":
    main()
