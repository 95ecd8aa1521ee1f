"""Figures, drawn with matplotlib (``pip install 'minigraph[demos]'``)."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["decision_regions"]

# Classes differ in marker and in lightness too, not in colour only (Okabe and Ito's colours).
MARKERS = "o^sDvP*Xph"
COLOURS = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9",
    "#E69F00", "#000000", "#8B4513", "#7F7F7F", "#6A3D9A",
)  # fmt: skip
FILLS = (
    "#F2F8FC", "#F9D9BF", "#BFE4D6", "#F2DCE8", "#CFE6F5",
    "#FBE8BF", "#CCCCCC", "#E2CFC0", "#E8E8E8", "#D5C8E4",
)  # fmt: skip
STEPS = 400  # cells of the grid along each axis


def decision_regions(
    predict: Callable[[Any], ArrayLike], X: ArrayLike, y: ArrayLike, ax: "Axes | None" = None
) -> "Figure":
    """Show which class a classifier gives to each point of the plane, and the examples.

    Regions have a light fill and a black line between them; each class has a marker of its own,
    and an example that lies in a region of another class has a black ring.

    Parameters
    ----------
    predict : callable
        From rows, (k, 2), to their classes, (k,); called once for a grid and once for `X`.
    X : (n, 2) array_like
        The examples.
    y : (n,) array_like of int
        Their classes, 0 ... 9.
    ax : matplotlib.axes.Axes, optional
        Where to draw; in a new figure by default.

    Returns
    -------
    matplotlib.figure.Figure
        ``figure.savefig(path)`` writes it into a file.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If there are no examples, or a shape or a class is another.

    Examples
    --------
    >>> X = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
    >>> figure = decision_regions(lambda rows: rows.sum(axis=1) > 1.5, X, [0, 0, 0, 1])
    >>> figure.axes[0].get_title()
    'error 0 of 4'
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError(
            "decision_regions needs matplotlib: pip install 'minigraph[demos]'"
        ) from None
    X, y = np.asarray(X), np.asarray(y)
    if X.ndim != 2 or X.shape[1] != 2 or len(X) == 0 or y.shape != X.shape[:1]:
        raise ValueError(
            "decision_regions: examples are (n, 2) with classes (n,), n > 0; "
            f"got {X.shape} and {y.shape}"
        )
    margin = 0.08 * np.ptp(X, axis=0) + 1e-9
    columns, rows = np.linspace(X.min(axis=0) - margin, X.max(axis=0) + margin, STEPS).T
    grid = np.column_stack([axis.ravel() for axis in np.meshgrid(columns, rows)])
    regions, found = _classes(predict, grid), _classes(predict, X)
    if not np.isin(y, np.arange(len(MARKERS))).all():
        raise ValueError(f"decision_regions: classes are integers 0 ... {len(MARKERS) - 1}")

    if ax is None:
        ax = Figure(figsize=(6.4, 5.0), layout="constrained").subplots()
    levels = np.arange(max(regions.max(), y.max()) + 2) - 0.5
    plane = regions.reshape(STEPS, STEPS)
    ax.contourf(columns, rows, plane, levels=levels, colors=FILLS[: len(levels) - 1])
    if regions.min() < regions.max():
        ax.contour(columns, rows, plane, levels=levels[1:-1], colors="black", linewidths=1)
    for k in np.unique(y):
        ax.scatter(
            X[y == k, 0],
            X[y == k, 1],
            22,
            marker=MARKERS[k],
            color=COLOURS[k],
            edgecolors="white",
            linewidths=0.4,
            label=f"class {k}",
        )
    wrong = found != y
    if wrong.any():
        missed = X[wrong, 0], X[wrong, 1]
        ax.scatter(missed[0], missed[1], 80, facecolors="none", edgecolors="black", label="missed")
    ax.set(xlabel="x₁", ylabel="x₂", title=f"error {wrong.sum()} of {len(y)}", aspect="equal")
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)  # never over examples
    figure = ax.get_figure(root=True)
    assert figure is not None
    return figure


def _classes(predict: Callable[[Any], ArrayLike], rows: Any) -> Any:
    """Ask for the classes of some rows, and check that there is one for each."""
    classes = np.asarray(predict(rows)).astype(int)
    if classes.shape != (len(rows),) or classes.min() < 0 or classes.max() >= len(MARKERS):
        raise ValueError(
            f"decision_regions: predict gives one class, 0 ... {len(MARKERS) - 1}, for each of "
            f"{len(rows)} rows; got shape {classes.shape}"
        )
    return classes
