"""What minigraph does with each public function of NumPy, asked of the rules themselves."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minigraph.numpy_rules import RULES, SHAPE_FUNCTIONS, VALUE_FUNCTIONS
from minigraph.op import Op

MARK = "<!-- table: numpy -->"

# Why there is no rule, by the first reason that fits.
MODULES = {
    "fft": "results are complex",
    "linalg": "no rule yet",
}
REASONS: dict[str, str] = {
    "writes into an array": "copyto fill_diagonal place put put_along_axis putmask",
    "results are complex": "eig eigvals angle emath iscomplex roots sort_complex",
    "of integers, bits or text": (
        "binary_repr base_repr bitwise_count bitwise_left_shift bitwise_right_shift gcd lcm "
        "left_shift right_shift packbits unpackbits bincount ldexp frexp array2string array_repr "
        "array_str format_float_positional format_float_scientific"
    ),
    "values or places, no slopes": (
        "histogram histogram2d histogramdd histogram_bin_edges isin intersect1d setdiff1d setxor1d "
        "union1d unique unique_all unique_counts unique_inverse unique_values nanargmax nanargmin "
        "lexsort nextafter spacing trim_zeros"
    ),
    "calls a function of yours; write the loop": (
        "apply_along_axis apply_over_axes piecewise fromfunction frompyfunc vectorize"
    ),
    "of dates, or of complex parts": (
        "busday_count busday_offset is_busday isnat imag datetime_as_string isreal real_if_close"
    ),
    "looks at values or shapes; give it `t.data`": (
        "common_type min_scalar_type diag_indices_from tril_indices_from triu_indices_from ix_ "
        "einsum_path isneginf isposinf ravel_multi_index unravel_index save savetxt savez "
        "savez_compressed printoptions"
    ),
    "use `power`": "float_power",
    "write `10 ** np.linspace(...)`": "geomspace logspace",
    "use `+`, `-`, `np.convolve`": "polyadd polysub polymul",
    "use `np.tile`": "resize",
    "reshape; use `np.linalg.inv`, `np.linalg.solve`": "tensorinv tensorsolve",
}
WHY = {name: reason for reason, names in REASONS.items() for name in names.split()}


def filled(page: str) -> str:
    """Replace the mark in the page by the table."""
    if MARK not in page:
        raise ValueError(f"{MARK} is missing")
    return page.replace(MARK, "\n".join(_rows()))


def functions() -> dict[str, Callable[..., Any]]:
    """All public functions of NumPy that take arrays and dispatch on them, by name."""
    found = {}
    for prefix, module in (("", np), ("linalg.", np.linalg), ("fft.", np.fft)):
        for name in sorted(module.__all__):
            function = getattr(module, name)
            if isinstance(function, np.ufunc) or _dispatches(function):
                found[prefix + name] = function
    return found


def _dispatches(function: Any) -> bool:
    return hasattr(function, "__wrapped__") or type(function).__name__ == "_ArrayFunctionDispatcher"


def verdict(name: str, function: Callable[..., Any]) -> tuple[str, str]:
    """Tell what becomes of a gradient, and by what or why."""
    rule = RULES.get(function)
    if isinstance(rule, Op):
        if rule.each is not None or any(rule.vjps):
            return "differentiable", f"op `{rule.name}`"
        return "constant by rule", f"op `{rule.name}`"
    if rule is not None:
        return _composed(name)
    if function in SHAPE_FUNCTIONS | VALUE_FUNCTIONS:
        return "constant by rule", "a plain array or number"
    module, _, last = name.rpartition(".")
    return "refused", WHY.get(last) or MODULES.get(module, "no rule yet")


def _composed(name: str) -> tuple[str, str]:
    if name in ("argpartition", "searchsorted"):
        return "constant by rule", "places"
    return "differentiable", "by other operations"


def _rows() -> Iterator[str]:
    yield "| NumPy's function | gradient | by what, or why not |"
    yield "|---|---|---|"
    for name, function in functions().items():
        yield f"| `np.{name}` | {' | '.join(verdict(name, function))} |"


if __name__ == "__main__":
    print("\n".join(_rows()))
