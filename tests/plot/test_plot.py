"""Figures: what they hold, and what is refused."""

import subprocess
import sys
from functools import partial

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from minigraph.plot import (
    COLOURS,
    FILLS,
    MARKERS,
    confusion_matrix,
    curves,
    decision_regions,
    filters,
)

X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [0.2, 0.1]])
Y = np.array([0, 1, 1, 2, 2])


def total(rows):
    return np.rint(rows.sum(axis=1)).clip(0, 2)


def lightness(colours):
    return np.asarray(colours) @ (0.2126, 0.7152, 0.0722)


def legend(figure):
    return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


def assert_apart(figure, boxes):
    """No box overlaps another or is cut off."""
    for i, box in enumerate(boxes):
        assert box.count_overlaps(boxes[:i]) == 0
        assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 < box.y1 <= figure.bbox.y1


# Decision regions


def test_classes_and_mistakes_are_shown(tmp_path):
    figure = decision_regions(total, X, Y)
    assert figure.axes[0].get_title() == "error 1 of 5"
    assert legend(figure) == ["class 0", "class 1", "class 2", "missed"]
    figure.savefig(tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 10_000


def test_without_mistakes_or_with_one_class_there_is_no_more_than_that():
    assert legend(decision_regions(total, X[:4], Y[:4])) == ["class 0", "class 1", "class 2"]
    figure = decision_regions(lambda rows: np.full(len(rows), 1), X[1:3], [1, 1])
    assert legend(figure) == ["class 1"]


def test_ten_classes_have_ten_markers_and_colours():
    assert len(set(MARKERS)) == len(set(COLOURS)) == len(set(FILLS)) == 10
    # Examples stand out from every region, also without colour.
    examples, regions = (lightness([to_rgb(c) for c in colours]) for colours in (COLOURS, FILLS))
    assert max(examples) < min(regions)


@pytest.mark.parametrize(
    ("predict", "examples", "classes"),
    [
        (total, X, Y[:4]),
        (total, X[:, :1], Y),
        (total, X[:0], Y[:0]),
        (total, X, Y - 1),
        (total, X, Y + 8),
        (lambda rows: rows, X, Y),
        (lambda rows: total(rows) - 1, X, Y),
        (lambda rows: total(rows) + 8, X, Y),
    ],
)
def test_other_shapes_and_classes_are_refused(predict, examples, classes):
    with pytest.raises(ValueError, match="decision_regions: "):
        decision_regions(predict, examples, classes)


# Curves

NAN = float("nan")
LOG = {
    "epoch": [1, 2, 3, 4],
    "train_loss": [0.9, 0.5, 0.4, 0.3],
    "train_error": [0.5, 0.4, 0.3, 0.2],
    "valid_loss": [0.9, NAN, 0.6, 0.6],
    "valid_error": [0.6, 0.5, 0.4, 0.3],
    "test_loss": [None, None, None, 0.7],
    "seconds": ["x"] * 4,  # a log may have more columns
}


def lines(figure):
    return {line.get_label(): line for line in figure.axes[0].lines}


def points(line):
    return line.get_xydata().tolist()


def test_a_curve_goes_through_what_was_measured():
    figure = curves(LOG)
    drawn = lines(figure)
    best = "lowest valid loss, epoch 3"
    assert list(drawn) == legend(figure) == ["train", "valid", "test", best]
    assert points(drawn["train"]) == [[1, 0.9], [2, 0.5], [3, 0.4], [4, 0.3]]
    assert points(drawn["valid"]) == [[1, 0.9], [3, 0.6], [4, 0.6]]
    assert points(drawn["test"]) == [[4, 0.7]]
    assert set(drawn[best].get_xdata()) == {3}
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("epoch", "loss")


def test_the_error_has_the_best_epoch_of_the_validation_loss():
    figure = curves(LOG, "error")
    assert legend(figure) == ["train", "valid", "lowest valid loss, epoch 3"]
    assert points(lines(figure)["valid"]) == [[1, 0.6], [2, 0.5], [3, 0.4], [4, 0.3]]
    assert figure.axes[0].get_ylabel() == "error"


def test_without_validation_no_epoch_is_best():
    log = {"epoch": (1, 2), "train_loss": np.array([2.0, 1.0]), "valid_loss": [None, NAN]}
    assert legend(curves(log)) == ["train"]


def test_curves_differ_in_line_and_marker_and_not_in_colour_only():
    drawn = list(lines(curves(LOG)).values())[:3]
    for style in ("get_linestyle", "get_marker", "get_color"):
        assert len({getattr(line, style)() for line in drawn}) == 3


@pytest.mark.parametrize("n", [1, 20, 21, 300])
def test_a_long_curve_has_a_marker_here_and_there(n):
    log = {"epoch": range(n), "train_loss": np.ones(n)}
    (line,) = lines(curves(log)).values()
    assert min(n, 10) <= len(range(0, n, line.get_markevery())) <= 20


def test_ticks_are_whole_epochs_and_all_points_are_inside():
    for n in (1, 2, 7):
        axes = curves({"epoch": range(1, n + 1), "train_loss": np.ones(n)}).axes[0]
        assert all(tick == round(tick) for tick in axes.get_xticks())
        low, high = axes.get_xlim()
        assert low < 1 <= n < high


def test_the_legend_covers_no_data():
    figure = curves(LOG)
    figure.draw_without_rendering()
    (axes,) = figure.axes
    assert axes.get_legend().get_window_extent().x0 >= axes.get_window_extent().x1
    assert axes.get_legend().get_window_extent().x1 <= figure.bbox.x1


@pytest.mark.parametrize(
    ("log", "column", "error", "words"),
    [
        ([1, 2], "loss", TypeError, "maps names of columns"),
        (LOG, "accuracy", ValueError, "'loss' or 'error', got 'accuracy'"),
        ({"train_loss": [1.0]}, "loss", ValueError, "at least one epoch"),
        ({"epoch": [], "train_loss": []}, "loss", ValueError, "at least one epoch"),
        ({"epoch": [2, 1], "train_loss": [1, 2]}, "loss", ValueError, "increasing"),
        ({"epoch": [1, None], "train_loss": [1, 2]}, "loss", ValueError, "at least one epoch"),
        ({"epoch": [1, 2], "train_loss": [1]}, "loss", ValueError, "'train_loss' has one value"),
        ({"epoch": [1], "test_loss": 3.0}, "loss", ValueError, "'test_loss' has one value"),
        ({"epoch": [1], "train_loss": ["a"]}, "loss", TypeError, "'train_loss' holds numbers"),
        ({"epoch": [1], "train_loss": [1]}, "error", ValueError, "train_error, valid_error"),
        ({"epoch": [1], "train_loss": [None]}, "loss", ValueError, "no value in any of"),
    ],
)
def test_a_log_that_cannot_be_drawn_is_refused(log, column, error, words):
    with pytest.raises(error, match=rf"^curves: .*{words}"):
        curves(log, column)


# Filters


def test_each_unit_is_an_image_with_its_number():
    W = np.arange(24.0).reshape(6, 4) - 20
    figure = filters(W, shape=(2, 3))
    axes, bar = figure.axes
    assert len(axes.images) == 4
    for unit, image in enumerate(axes.images):
        assert np.array_equal(image.get_array(), W[:, unit].reshape(2, 3))
        left, right, bottom, top = image.get_extent()
        assert (right - left, bottom - top) == pytest.approx((3, 2))
        x, y = axes.texts[unit].get_position()
        assert axes.texts[unit].get_text() == str(unit)
        assert left <= x < right
        assert y < top
    assert axes.get_title() == "hidden units: 4"
    assert bar.get_ylabel() == "weight"


def test_filters_have_one_scale_symmetric_around_0_that_grows_lighter():
    for W, scale in ((np.eye(4) - 3 * np.eye(4)[::-1], 3), (np.zeros((4, 2)), 1)):
        images = filters(W, shape=(2, 2)).axes[0].images
        assert {image.get_clim() for image in images} == {(-scale, scale)}
        fills = images[0].to_rgba(np.linspace(-scale, scale, 99))[:, :3]
        assert (np.diff(lightness(fills)) > 0).all()


def test_filters_and_numbers_overlap_nothing():
    for n, shape in ((50, (28, 28)), (64, (28, 28)), (8, (1, 2)), (5, (6, 2)), (1, (2, 2))):
        figure = filters(np.ones((shape[0] * shape[1], n)), shape)
        figure.draw_without_rendering()
        axes = figure.axes[0]
        boxes = [a.get_window_extent() for a in (*axes.images, *axes.texts, axes.title)]
        assert len(boxes) == 2 * n + 1
        assert_apart(figure, boxes)


def test_what_is_left_out_is_said():
    axes = filters(np.eye(100), shape=(10, 10)).axes[0]
    assert len(axes.images) == 64
    assert axes.get_title() == "hidden units: the first 64 of 100"


@pytest.mark.parametrize(
    ("W", "options", "words"),
    [
        (np.ones(784), {}, r"\(784,\) for images of \(28, 28\)"),
        (np.ones((50, 784)), {}, r"\(50, 784\) for images"),
        (np.ones((784, 0)), {}, "n > 0"),
        (np.ones((6, 2)), {"shape": (2, 3, 1)}, r"images of \(2, 3, 1\)"),
        (np.full((784, 2), NAN), {}, "1568 of 1568 weights are not finite"),
        (np.ones((784, 2)), {"most": 0}, "most is at least 1"),
    ],
)
def test_weights_that_are_no_images_are_refused(W, options, words):
    with pytest.raises(ValueError, match=f"^filters: .*{words}"):
        filters(W, **options)


# Confusion matrix

LABELS = np.array([0, 0, 0, 2, 2, 2, 2, 2])
PREDICTED = np.array([0, 0, 1, 2, 2, 2, 0, 0])


def ticks(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def test_rows_are_true_classes_and_columns_predicted_ones():
    axes = confusion_matrix(LABELS, PREDICTED, ["a", "b", "c"]).axes[0]
    cells = {text.get_position(): int(text.get_text()) for text in axes.texts}  # (column, row)
    counts = [[cells[column, row] for column in range(3)] for row in range(3)]
    assert counts == [[2, 1, 0], [0, 0, 0], [2, 0, 3]]
    assert ticks(axes.xaxis) == ticks(axes.yaxis) == ["a", "b", "c"]
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("true class", "predicted class")
    assert axes.get_title() == "error 3 of 8 (37.5 %)"


def test_each_class_has_its_error_beside():
    figure = confusion_matrix(LABELS, PREDICTED)
    figure.draw_without_rendering()
    (beside,) = figure.axes[0].child_axes
    assert ticks(beside.yaxis) == ["33.3 %", "–", "40.0 %"]
    assert beside.get_ylabel() == "error of the class"
    assert ticks(figure.axes[0].yaxis) == ["0", "1", "2"]


def test_numbers_are_legible_on_every_fill():
    image = confusion_matrix(LABELS, PREDICTED).axes[0].images[0]
    assert image.get_array().max() <= 1
    fills = image.to_rgba(np.linspace(0, 1, 101))[:, :3]
    luminance = lightness(np.where(fills > 0.04, ((fills + 0.055) / 1.055) ** 2.4, fills / 12.92))
    assert (np.diff(luminance) <= 0).all()  # darker means more, in grey too
    assert ((luminance + 0.05) / 0.05).min() > 4.5  # against black: WCAG 2's AA


@pytest.mark.parametrize("names", [None, ["T-shirt/top", *["Ankle boot"] * 8, "Bag"]])
def test_texts_of_a_confusion_matrix_overlap_nothing(names):
    classes = np.arange(10).repeat(1000)
    figure = confusion_matrix(classes, np.roll(classes, 100), names)
    figure.draw_without_rendering()
    (axes,) = figure.axes
    boxes = [text.get_window_extent() for text in axes.texts]
    for axis in (axes.xaxis, axes.yaxis, axes.child_axes[0].yaxis):
        boxes += [text.get_window_extent() for text in (*axis.get_ticklabels(), axis.label)]
    assert_apart(figure, boxes)


@pytest.mark.parametrize(
    ("labels", "predicted", "names", "error", "words"),
    [
        ([], [], None, ValueError, "n > 0"),
        ([0, 1], [0], None, ValueError, r"got \(2,\) and \(1,\)"),
        ([[0]], [[0]], None, ValueError, r"got \(1, 1\)"),
        ([0.0, 1.0], [0, 1], None, TypeError, "labels are integers, got float64"),
        ([0, 1], [0.0, 1.0], None, TypeError, "predicted classes are integers"),
        ([-1, 1], [0, 1], None, ValueError, r"got -1 \.\.\. 1"),
        ([0, 1], [0, 2], "ab", ValueError, r"0 \.\.\. 1 by the 2 names.* got 0 \.\.\. 2"),
        ([0, 50], [0, 0], None, ValueError, "at most 50"),
    ],
)
def test_other_classes_are_refused(labels, predicted, names, error, words):
    with pytest.raises(error, match=f"^confusion_matrix: .*{words}"):
        confusion_matrix(labels, predicted, names)


# All of them

CALLS = [
    pytest.param(partial(decision_regions, total, X, Y), id="decision_regions"),
    pytest.param(partial(curves, LOG), id="curves"),
    pytest.param(partial(filters, np.eye(784)[:, :9]), id="filters"),
    pytest.param(partial(confusion_matrix, LABELS, PREDICTED), id="confusion_matrix"),
]


@pytest.mark.parametrize("call", CALLS)
def test_it_draws_into_the_axes_given(call):
    figure = Figure()
    left, right = figure.subplots(1, 2)
    assert call(ax=right) is figure
    assert right.has_data()
    assert not left.has_data()


@pytest.mark.parametrize("call", CALLS)
def test_without_matplotlib_the_error_names_the_extra(call, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    words = rf"^{call.func.__name__} needs matplotlib: pip install 'minigraph\[demos\]'"
    with pytest.raises(ImportError, match=words):
        call()


def test_matplotlib_is_imported_when_needed_and_pyplot_never():
    program = (
        "import sys, numpy as np, minigraph.plot as plot; assert 'matplotlib' not in sys.modules;"
        "plot.decision_regions(lambda r: r[:, 0] > 0.5, np.eye(2), [1, 0]);"
        "plot.curves({'epoch': [1], 'valid_loss': [1]}); plot.filters(np.eye(784)[:, :2]);"
        "plot.confusion_matrix([0], [0]).savefig(sys.stdout.buffer);"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)
