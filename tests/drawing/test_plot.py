"""Decision regions: what the figure holds, and what is refused."""

import subprocess
import sys

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from minigraph.plot import COLOURS, FILLS, MARKERS, decision_regions

X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [0.2, 0.1]])
Y = np.array([0, 1, 1, 2, 2])


def total(rows):
    return np.rint(rows.sum(axis=1)).clip(0, 2)


def legend(figure):
    return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


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


def test_it_draws_into_the_axes_given():
    figure = Figure()
    left, right = figure.subplots(1, 2)
    assert decision_regions(total, X, Y, ax=right) is figure
    assert right.get_title()
    assert not left.get_title()


def test_ten_classes_have_ten_markers_and_colours():
    assert len(set(MARKERS)) == len(set(COLOURS)) == len(set(FILLS)) == 10
    # Examples stand out from every region, also without colour.
    lightness = [
        [0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in map(to_rgb, c)]
        for c in (COLOURS, FILLS)
    ]
    assert max(lightness[0]) < min(lightness[1])


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


def test_without_matplotlib_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pip install 'minigraph\[demos\]'"):
        decision_regions(total, X, Y)


def test_matplotlib_is_imported_when_needed_and_pyplot_never():
    program = (
        "import sys, numpy as np, minigraph.plot as plot; assert 'matplotlib' not in sys.modules;"
        "plot.decision_regions(lambda r: r[:, 0] > 0.5, np.eye(2), [1, 0]);"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
