"""Errors to plant in gradients, and checkers of several libraries to find them.

`checker_power.py` runs these and prints what was found.
"""

import platform
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from typing import NamedTuple

import numpy as np

import minigraph as mg
from minigraph.testing import check_gradients

# Functions are forward(xp, *inputs); gradients, right or wrong, are
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
