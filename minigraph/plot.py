"""Figures, drawn with matplotlib (``pip install 'minigraph[demos]'``).

Each function draws into the axes it is given, or into a new figure, and returns the figure:
``figure.savefig(path)`` writes it into a file. What is shown can be told apart without colour.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from minigraph.arrays import array_of, shown
from minigraph.checks import check_callable, listed, whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["confusion_matrix", "curves", "decision_regions", "filters"]

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
PARTS = {"train": ("o", "-", COLOURS[0]), "valid": ("s", "--", COLOURS[1]),
         "test": ("^", ":", COLOURS[6])}  # fmt: skip
MARKED = 20  # points of a curve that have a marker, at most
MOST_CLASSES = 50  # of which a table can still be read


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
    check_callable(predict, "decision_regions: predict", "a function from rows to classes")
    X, y = array_of(X, "decision_regions: X"), array_of(y, "decision_regions: y")
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

    ax = _axes("decision_regions", ax, (6.4, 5.0))
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
    return _finish(ax, legend=True)


def _classes(predict: Callable[[Any], ArrayLike], rows: Any) -> Any:
    """Ask for the classes of some rows, and check that there is one for each."""
    classes = array_of(predict(rows), "decision_regions: predict's result").astype(int)
    if classes.shape != (len(rows),) or classes.min() < 0 or classes.max() >= len(MARKERS):
        raise ValueError(
            f"decision_regions: predict gives one class, 0 ... {len(MARKERS) - 1}, for each of "
            f"{len(rows)} rows; got shape {classes.shape}"
        )
    return classes


def curves(
    log: Mapping[str, Sequence[float | None]], column: str = "loss", ax: "Axes | None" = None
) -> "Figure":
    """Show how the loss or the error went over the epochs, and where validation was best.

    One curve each for training, validation and test, as far as the log has them; a line through
    the measured values only. The vertical line is at the epoch with the lowest validation loss,
    whichever column is shown: the earliest of several.

    Parameters
    ----------
    log : mapping of str to sequence of float
        Columns of one length n: ``epoch``, increasing, and any of ``train_loss``,
        ``train_error``, ``valid_loss``, ``valid_error``, ``test_loss`` and ``test_error``.
        Where nothing was measured there is None or NaN.
    column : {"loss", "error"}
        What to show.
    ax : matplotlib.axes.Axes, optional
        Where to draw; in a new figure by default.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError
        If `log` is no mapping, or a column holds something else than numbers and None.
    ValueError
        If `column` is another, there are no epochs, they do not increase, columns differ in
        length, or no part was measured.

    Examples
    --------
    >>> log = {"epoch": [1, 2, 3], "train_loss": [0.9, 0.5, 0.4], "valid_loss": [0.8, 0.6, 0.7]}
    >>> figure = curves(log)
    >>> [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    ['train', 'valid', 'lowest valid loss, epoch 2']
    """
    if not isinstance(log, Mapping):
        raise TypeError(f"curves: a log maps names of columns to values, got {type(log).__name__}")
    if column not in ("loss", "error"):
        raise ValueError(f"curves: column is 'loss' or 'error', got {column!r}")
    epochs = _column(log, "epoch")
    if len(epochs) == 0 or not np.isfinite(epochs).all() or (np.diff(epochs) <= 0).any():
        raise ValueError(
            "curves: the column 'epoch' holds at least one epoch, in increasing order; got "
            f"{log.get('epoch', 'none')}"
        )
    values = {part: _column(log, f"{part}_{column}", len(epochs)) for part in PARTS}
    if not any(np.isfinite(y).any() for y in values.values()):
        names = ", ".join(f"{part}_{column}" for part in PARTS)
        raise ValueError(f"curves: the log has no value in any of {names}")

    ax = _axes("curves", ax, (7.2, 4.0))
    for part, (marker, line, colour) in PARTS.items():
        measured = np.isfinite(values[part])
        if measured.any():
            x, y = epochs[measured], values[part][measured]
            every = -(-len(x) // MARKED)
            ax.plot(x, y, line, marker=marker, markevery=every, color=colour, label=part)
    valid_loss = _column(log, "valid_loss", len(epochs))
    if np.isfinite(valid_loss).any():
        best = epochs[np.where(np.isfinite(valid_loss), valid_loss, np.inf).argmin()]
        label = f"lowest valid loss, epoch {best:g}"
        ax.axvline(best, color="0.5", linewidth=1, zorder=0, label=label)
    margin = 0.5 + 0.03 * np.ptp(epochs)
    ax.set(xlabel="epoch", ylabel=column, xlim=(epochs[0] - margin, epochs[-1] + margin))
    ax.locator_params(axis="x", integer=True, min_n_ticks=1)  # there is no epoch 2.5
    return _finish(ax, legend=True)


def _column(log: Mapping[str, Sequence[float | None]], name: str, length: int = 0) -> Any:
    """Get a column as an array, (n,), NaN where nothing was measured or it is absent."""
    given = log.get(name)
    try:
        values = np.asarray([np.nan] * length if given is None else given, dtype=float)
    except (TypeError, ValueError):
        raise TypeError(f"curves: the column {name!r} holds numbers or None, got {given}") from None
    if values.ndim != 1 or (length and len(values) != length):
        raise ValueError(
            f"curves: the column {name!r} has one value for each of {length or 'n'} epochs; "
            f"got shape {values.shape}"
        )
    return values


def filters(
    W: ArrayLike, shape: tuple[int, int] = (28, 28), ax: "Axes | None" = None, most: int = 64
) -> "Figure":
    """Show the weights of a first layer as images, one for each hidden unit.

    All have one scale, symmetric around 0: black is the most negative weight, white the most
    positive one, and zero is grey. The number above an image is its unit's, from 0.

    Parameters
    ----------
    W : (d, n) array_like
        Weights of d inputs to n hidden units.
    shape : (int, int)
        Rows and columns of an image, of product d.
    ax : matplotlib.axes.Axes, optional
        Where to draw; in a new figure by default.
    most : int
        How many units are shown at most, the first ones; the title says what is left out.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If `W` is empty, not finite or not of the shape that `shape` says, or `most` < 1.

    Examples
    --------
    >>> figure = filters(np.eye(6), shape=(2, 3), most=4)
    >>> figure.axes[0].get_title()
    'hidden units: the first 4 of 6'
    """
    W = array_of(W, "filters: W")
    rows_columns = listed(shape, "filters: shape", "a pair, rows and columns")
    shape = tuple([whole(n, "filters: each size of shape", 1) for n in rows_columns])  # type: ignore[assignment]
    most = whole(most, "filters: most", 1)
    if W.ndim != 2 or W.size == 0 or len(shape) != 2 or W.shape[0] != shape[0] * shape[1]:
        raise ValueError(
            "filters: weights are (d, n), n > 0, for images of d = rows * columns pixels; "
            f"got {W.shape} for images of {shape}"
        )
    if not np.isfinite(W).all():
        raise ValueError(f"filters: {(~np.isfinite(W)).sum()} of {W.size} weights are not finite")

    images = W[:, :most].T.reshape(-1, *shape)
    n = len(images)
    gap = 0.35 * max(shape)  # holds the number
    height, width = shape[0] + gap, shape[1] + gap / 2
    columns = min(n, math.ceil(math.sqrt(n * height / width)))  # the grid is about a square
    rows = math.ceil(n / columns)
    ax = _axes("filters", ax, (7.0, 1.0 + 5.3 * (rows * height) / (columns * width)))
    scale = float(np.abs(images).max()) or 1.0
    for unit, image in enumerate(images):
        top, left = unit // columns * height, unit % columns * width
        right, bottom = left + shape[1], top + shape[0]
        ax.text(left, top - 0.1 * gap, str(unit), fontsize=8, verticalalignment="bottom")
        drawn = ax.imshow(image, "gray", vmin=-scale, vmax=scale, extent=(left, right, bottom, top))
        frame = [left, right, right, left, left], [top, top, bottom, bottom, top]
        ax.plot(*frame, color="black", linewidth=0.5)  # white weights end here, not the page
    ax.set(xlim=(-0.02 * width, columns * width), ylim=(rows * height - 0.95 * gap, -gap))
    ax.set_axis_off()
    of_all = "" if n == W.shape[1] else f" of {W.shape[1]}"
    ax.set_title(f"hidden units: {'the first ' if of_all else ''}{n}{of_all}")
    figure = _finish(ax)
    figure.colorbar(drawn, ax=ax, label="weight", shrink=0.7)
    return figure


def confusion_matrix(
    labels: ArrayLike,
    predicted: ArrayLike,
    names: Sequence[str] | None = None,
    ax: "Axes | None" = None,
) -> "Figure":
    """Show which classes are taken for which: rows are true classes, columns predicted ones.

    A cell holds a number of examples; its fill, their part of the row. At the right is each
    class's error, the part of its examples that was taken for another.

    Parameters
    ----------
    labels, predicted : (n,) array_like of int
        True and predicted classes, 0 ... m-1.
    names : sequence of str, optional
        What the m classes are called; numbers by default, up to the largest that occurs.
    ax : matplotlib.axes.Axes, optional
        Where to draw; in a new figure by default.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError
        If classes are not integers.
    ValueError
        If there are no examples, shapes differ, a class is out of range, or m > 50.

    Examples
    --------
    >>> figure = confusion_matrix([0, 0, 1, 1], [0, 1, 1, 1], names=["cat", "dog"])
    >>> figure.axes[0].get_title()
    'error 1 of 4 (25.0 %)'
    """
    if names is not None:
        names = listed(names, "confusion_matrix: names", "a sequence of strings")
    what = "confusion_matrix: labels", "confusion_matrix: predicted"
    counts = _count(array_of(labels, what[0]), array_of(predicted, what[1]), names)
    m = len(counts)
    names = [str(name) for name in (range(m) if names is None else names)]
    of_class = counts.sum(axis=1)
    parts = counts / np.maximum(of_class, 1)[:, None]

    ax = _axes("confusion_matrix", ax, (2.7 + 0.5 * m, 1.6 + 0.5 * m))
    ax.imshow(parts, "Blues", vmin=0, vmax=1.6)  # no darker than black numbers can stand on
    for (row, column), count in np.ndenumerate(counts):
        ax.text(column, row, str(count), color="black", fontsize=9, ha="center", va="center")
    ax.set_xticks(range(m), names, rotation=0 if max(map(len, names)) <= 5 else 90)
    ax.set_yticks(range(m), names)
    errors = [f"{100 - 100 * parts[k, k]:.1f} %" if of_class[k] else "–" for k in range(m)]
    beside = ax.secondary_yaxis("right")
    beside.set_yticks(range(m), errors)
    beside.set_ylabel("error of the class")
    wrong, n = counts.sum() - counts.trace(), counts.sum()
    title = f"error {wrong} of {n} ({100 * wrong / n:.1f} %)"
    ax.set(xlabel="predicted class", ylabel="true class", title=title)
    return _finish(ax)


def _count(labels: Any, predicted: Any, names: Sequence[str] | None) -> Any:
    """Count the examples of each pair of classes, (m, m)."""
    if labels.ndim != 1 or labels.shape != predicted.shape or len(labels) == 0:
        raise ValueError(
            "confusion_matrix: labels and predicted classes are (n,), n > 0; "
            f"got {labels.shape} and {predicted.shape}"
        )
    for what, classes in (("labels", labels), ("predicted classes", predicted)):
        if classes.dtype.kind not in "iub":
            raise TypeError(f"confusion_matrix: {what} are integers, got {classes.dtype}")
    low, high = (int(f([f(labels), f(predicted)])) for f in (np.min, np.max))
    m = high + 1 if names is None else len(names)
    if low < 0 or high >= m or m > MOST_CLASSES:
        raise ValueError(
            f"confusion_matrix: classes are 0 ... {min(m, MOST_CLASSES) - 1}"
            f"{'' if names is None else f' by the {m} names'}, and at most {MOST_CLASSES}; "
            f"got {low} ... {high}"
        )
    pairs = labels.astype(int) * m + predicted.astype(int)
    return np.bincount(pairs, minlength=m * m).reshape(m, m)


def _axes(function: str, ax: "Axes | None", size: tuple[float, float]) -> "Axes":
    """Give the axes to draw into: those given, or those of a new figure without pyplot."""
    if ax is not None:
        if not hasattr(ax, "get_figure"):
            raise TypeError(f"{function}: ax is matplotlib's Axes, not {shown(ax)}")
        return ax
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError(f"{function} needs matplotlib: pip install 'minigraph[demos]'") from None
    return Figure(figsize=size, layout="constrained").subplots()


def _finish(ax: "Axes", legend: bool = False) -> "Figure":
    """Put the legend beside the axes, where it covers no data, and give the figure."""
    if legend:
        ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    figure = ax.get_figure(root=True)
    assert figure is not None
    return figure
