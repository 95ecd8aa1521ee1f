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
--quick, a fiftieth of each; the bars of the issue are for all of it.
"""

import argparse
import platform
import time
import traceback
from collections import Counter
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from typing import NamedTuple

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings

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


# What is planted. Functions are forward(xp, *inputs); gradients, right or wrong, are
# pull(xp, g, y, *inputs) with one cotangent per input. xp is numpy, torch or jax.numpy.


class Problem(NamedTuple):
    forward: Callable
    right: Callable
    wrong: Callable
    inputs: list


def network(rng, error):
    """Make the gradient of one of three inputs off by a relative error."""

    def forward(xp, x, V, W):
        return xp.tanh(xp.tanh(x @ V) @ W)

    def right(xp, g, y, x, V, W):
        h = xp.tanh(x @ V)
        outer = g * (1 - y * y)
        inner = (outer @ W.T) * (1 - h * h)
        return inner @ V.T, x.T @ inner, h.T @ outer

    def wrong(*arguments):
        gradients = enumerate(right(*arguments))
        return tuple((1 + error) * g if i == place else g for i, g in gradients)

    place = rng.integers(3)
    return Problem(forward, right, wrong, [rng.normal(size=s) for s in ((4, 3), (3, 5), (5, 2))])


def sines(rng, plant, size=20, dtype=float):
    """Take the sum of c sin x; its gradient, c cos x, becomes factor c cos x + term."""
    x = rng.uniform(-1, 1, size).astype(dtype)
    c = (rng.uniform(0.5, 1.5, size) * rng.choice([-1, 1], size)).astype(dtype)

    def pull(factor, term):
        def gradient(xp, g, y, x):
            return (g * xp.asarray(factor * c) * xp.cos(x) + g * xp.asarray(term),)

        return gradient

    right = np.ones_like(c), np.zeros_like(c)
    wrong = plant(rng, c, *(part.copy() for part in right))
    return Problem(lambda xp, x: xp.sum(xp.asarray(c) * xp.sin(x)), pull(*right), pull(*wrong), [x])


def small_sign(rng, c, factor, term):
    place = rng.integers(c.size)
    c[place] *= 1e-6
    factor[place] = -1
    return factor, term


def one_doubled(rng, c, factor, term):
    factor[rng.integers(c.size)] = 2
    return factor, term


def off_direction(rng, c, factor, term, d):
    """Add a tenth of the gradient's size, without a part along d."""
    term = 0.1 * rng.normal(size=c.size)
    return factor, term - d * (term @ d) / (d @ d)


def widened(rng, c, factor, term):
    return factor.astype(np.float64), term.astype(np.float64)


def softmax(rng):
    def forward(xp, x):
        e = xp.exp(x)
        return e / e.sum(-1, keepdims=True)

    def pull(k):
        return lambda xp, g, y, x: (k * y * (g - (g * y).sum(-1, keepdims=True)),)

    return Problem(forward, pull(1), pull(3), [rng.normal(size=(4, 5))])


def bias(rng):
    def pull(sum_up):
        def gradient(xp, g, y, x, b):
            outer = g * (1 - y * y)
            return outer, sum_up(outer)

        return gradient

    inputs = [rng.normal(size=(4, 5)), rng.normal(size=5)]
    return Problem(
        lambda xp, x, b: xp.tanh(x + b), pull(lambda g: g.sum(0)), pull(lambda g: g[0]), inputs
    )


ALL_ONES = partial(off_direction, d=np.ones(20))
JAXS_OWN = partial(off_direction, d=np.random.RandomState(0).randn(20))  # as in its check_vjp
KINDS = {
    "relative 1e-3 of one input": partial(network, error=1e-3),
    "relative 9e-4 of one input": partial(network, error=9e-4),
    "relative 1e-5 of one input": partial(network, error=1e-5),
    "relative 1e-7 of one input": partial(network, error=1e-7),
    "sign of one entry of size 1e-6": partial(sines, plant=small_sign),
    "softmax 3 times too big": softmax,
    "one entry in 10,000 doubled": partial(sines, plant=one_doubled, size=10_000),
    "orthogonal to all-ones": partial(sines, plant=ALL_ONES),
    "orthogonal to JAX's direction": partial(sines, plant=JAXS_OWN),
    "broadcast not summed": bias,
    "float32 widened to float64": partial(sines, plant=widened, dtype=np.float32),
}


# The checkers: check(problem, pull, seed) gives "passed", "caught" or "n/a"; minigraph's also
# "below", where they passed an error smaller than the power that the report states.


def outcome(accepts):
    """Count an exception of the library as a refusal: the user sees one."""
    try:
        return "passed" if accepts() else "caught"
    except Exception:
        return "caught"


def judged(problem, pull, f, **options):
    """Look, where minigraph passes a gradient, whether its report says that it may be wrong."""
    try:
        report = check_gradients(f, *problem.inputs, raises=False, **options)
    except TypeError:  # by the sweep: another dtype
        return "caught"
    if not report.ok:
        return "caught"
    pairs = zip(relative_errors(problem, pull), report.findings)
    seen = [finding.power <= size for size, finding in pairs if size > 0]
    return "below" if seen and not any(seen) else "passed"


def relative_errors(problem, pull):
    """Return the size of the planted error, for each input."""
    y = problem.forward(np, *problem.inputs)
    g = np.random.default_rng(0).normal(size=np.shape(y))
    pairs = zip(pull(np, g, y, *problem.inputs), problem.right(np, g, y, *problem.inputs))
    return [np.linalg.norm(found - right) / np.linalg.norm(right) for found, right in pairs]


def by_op(problem, pull, seed):
    op = mg.Op(
        lambda *inputs: problem.forward(np, *inputs),
        each=lambda i: lambda g, y, *inputs: pull(np, g, y, *inputs)[i],
        name="planted",
    )
    return judged(problem, pull, op, seed=seed)


def by_hand(problem, pull, seed):
    """Check the gradient of a loss: the output times a fixed cotangent, summed."""
    y = problem.forward(np, *problem.inputs)
    g = np.random.default_rng(seed).normal(size=np.shape(y)).astype(y.dtype)

    def loss(*inputs):
        return np.sum(g * problem.forward(np, *inputs))

    def gradient(*inputs):
        found = pull(np, g, problem.forward(np, *inputs), *inputs)
        return found if len(inputs) > 1 else found[0]

    return judged(problem, pull, loss, gradient=gradient, seed=seed)


def torch_checker():
    import torch

    torch.set_num_threads(1)  # two that wait for each other on small arrays take far longer

    def check(problem, pull, seed):
        class Planted(torch.autograd.Function):
            @staticmethod
            def forward(context, *inputs):
                y = problem.forward(torch, *inputs)
                context.save_for_backward(y, *inputs)
                return y

            @staticmethod
            def backward(context, g):
                return tuple(pull(torch, g, *context.saved_tensors))

        inputs = [torch.tensor(x, requires_grad=True) for x in problem.inputs]
        if any(x.dtype != torch.float64 for x in inputs):
            return "n/a"  # its sweep casts gradients back, and gradcheck is for doubles
        return outcome(lambda: torch.autograd.gradcheck(Planted.apply, inputs))

    return check


def jax_checker():
    import jax
    import jax.numpy as jnp
    from jax.test_util import check_grads

    jax.config.update("jax_enable_x64", True)

    def check(problem, pull, seed):
        def forward(*inputs):
            y = problem.forward(jnp, *inputs)
            return y, (y, *inputs)

        f = jax.custom_vjp(lambda *inputs: problem.forward(jnp, *inputs))
        f.defvjp(forward, lambda saved, g: tuple(pull(jnp, g, *saved)))
        inputs = [jnp.asarray(x) for x in problem.inputs]
        return outcome(lambda: check_grads(f, inputs, order=1, modes=["rev"]) is None)

    return check


def autograd_checker():
    from autograd.extend import defvjp, primitive
    from autograd.test_util import check_grads

    def check(problem, pull, seed):
        def slot(i):
            return lambda y, *inputs: lambda g: pull(np, g, y, *inputs)[i]

        f = primitive(lambda *inputs: problem.forward(np, *inputs))
        defvjp(f, *map(slot, range(len(problem.inputs))))
        np.random.seed(seed)  # noqa: NPY002 (its directions)
        check = check_grads(f, tuple(range(len(problem.inputs))), modes=["rev"], order=1)
        return outcome(lambda: check(*problem.inputs) is None)

    return check


PEERS = {"torch": torch_checker, "jax": jax_checker, "autograd": autograd_checker}


def checkers():
    """Return the checkers of what is installed, and the versions."""
    found, versions = {"minigraph": by_op, "by hand": by_hand}, [f"numpy {np.__version__}"]
    for package, make in PEERS.items():
        try:
            found[package] = make()
        except ImportError:
            continue
        versions.append(f"{package} {version(package)}")
    return found, f"python {platform.python_version()}, {', '.join(versions)}"


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


# The bars of the issue


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
