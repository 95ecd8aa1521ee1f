"""Files appear or stay whole, dot may be missing or fail, and notebooks show what there is."""

import sys
import sysconfig
import xml.etree.ElementTree as ElementTree

import graphviz
import pytest
from drawing import graphs

import minigraph as mg
from minigraph.drawing import DotFailed, DotNotFound, Drawing, draw, rendering

# Files


@pytest.fixture
def no_dot(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sysconfig, "get_path", lambda name: "/nowhere")


@pytest.fixture
def stand_in(no_dot, tmp_path, monkeypatch):
    """A shell script in the place of dot, in a folder that PATH consists of."""
    if sys.platform == "win32":
        pytest.skip("a shell script")

    def make(script, name="dot"):
        path = tmp_path / "bin" / name
        path.parent.mkdir()
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path.parent

    def on_path(script, name="dot"):
        monkeypatch.setenv("PATH", str(make(script, name)))

    on_path.made = make
    return on_path


@pytest.mark.parametrize("suffix", [".gv", ".dot", ".GV"])
def test_text_is_written_without_dot(tmp_path, no_dot, suffix):
    drawing = draw(mg.Tensor([1.0], name="λ"))
    path = drawing.render(tmp_path / f"graph{suffix}")
    assert path == tmp_path / f"graph{suffix}"
    assert path.read_bytes() == drawing.source.encode()
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("suffix", "magic"),
    [
        (".svg", b"<?xml"),
        (".png", b"\x89PNG"),
        (".pdf", b"%PDF"),
        (".jpg", b"\xff\xd8"),
        (".SVG", b"<?xml"),
        (".html", b"<!DOCTYPE html>"),
    ],
)
def test_pictures_are_written_and_replace_what_was_there(dot, tmp_path, suffix, magic):
    path = tmp_path / f"graph{suffix}"
    path.write_text("old")
    assert draw(graphs.mlp()).render(str(path)) == path
    assert path.read_bytes().startswith(magic)
    assert list(tmp_path.iterdir()) == [path]


def test_svg_has_the_size_of_its_view(dot):
    svg = ElementTree.fromstring(draw(graphs.mlp()).svg())
    width, height = (float(svg.get(side).removesuffix("pt")) for side in ("width", "height"))
    assert [float(v) for v in svg.get("viewBox").split()[2:]] == pytest.approx(
        [width, height], abs=1
    )


@pytest.mark.parametrize("name", ["graph", "graph.bmp", "graph.", ".svg"])
def test_an_unknown_suffix_is_refused_with_the_known(tmp_path, name):
    with pytest.raises(ValueError, match=r"\.gv, \.dot, .* \.svg, \.png, \.pdf"):
        draw(mg.Tensor([1.0])).render(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_without_dot_the_error_says_how_to_get_it_and_the_file_stays(tmp_path, no_dot):
    path = tmp_path / "graph.svg"
    path.write_text("old")
    for picture in (lambda: draw(graphs.mlp()).render(path), draw(graphs.mlp()).svg):
        with pytest.raises(DotNotFound, match="not found") as caught:
            picture()
        assert isinstance(caught.value, graphviz.ExecutableNotFound)
        for way in ("apt", "brew", "winget", "conda"):
            assert f"{way} install graphviz" in str(caught.value)
        assert "pip install minigraph[dot]" in str(caught.value)
        assert "print(drawing)" in str(caught.value)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_dot_that_fails_leaves_the_file_as_it_was(tmp_path, stand_in):
    stand_in("echo out of ink >&2; exit 3")
    path = tmp_path / "graph.svg"
    path.write_text("old")
    drawing = draw(mg.Tensor([1.0]))
    with pytest.raises(DotFailed, match=r"status 3.* out of ink"):
        drawing.render(path)
    assert path.read_text() == "old"
    assert sorted(tmp_path.iterdir()) == [tmp_path / "bin", path]
    assert "out of ink" in drawing._repr_mimebundle_()["text/plain"]


def test_a_dot_that_hangs_is_ended_with_advice(stand_in, monkeypatch):
    stand_in("exec /bin/sleep 60")
    monkeypatch.setattr(rendering, "NOTEBOOK_TIME_LIMIT", 0.2)
    with pytest.raises(DotFailed, match="max_nodes, depth or focus"):
        rendering.laid_out("digraph {}", "svg", "svg()", limit=0.2)
    assert "max_nodes" in draw(mg.Tensor([1.0]))._repr_mimebundle_()["text/plain"]


def test_a_dot_that_says_nothing_has_failed(stand_in):
    stand_in("exit 0")
    with pytest.raises(DotFailed, match="said: nothing"):
        draw(mg.Tensor([1.0])).svg()


def test_graphviz_pure_stands_in_for_dot_from_where_pip_puts_it(stand_in, monkeypatch, tmp_path):
    scripts = stand_in.made("echo '<svg>'\"$1\"'</svg>'", name="graphviz-pure")
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(scripts))
    drawing = draw(mg.Tensor([1.0]))
    assert drawing.svg() == "<svg>-Tsvg</svg>\n"
    with pytest.raises(DotFailed, match=r"no PDF; take \.svg or \.png"):
        drawing.render(tmp_path / "a.pdf")


def test_the_page_holds_the_picture_and_loads_nothing(dot, tmp_path):
    drawing = draw(graphs.mlp(), title="<script>")
    page = drawing.render(tmp_path / "graph.html").read_text(encoding="utf-8")
    assert "<title>&lt;script&gt;</title>" in page
    assert "default-src 'none'" in page
    assert page.count("<svg") == 1
    assert "<?xml" not in page
    assert "<script" not in page


def test_the_listing_is_written_as_text(no_dot, tmp_path):
    drawing = draw(graphs.mlp())
    assert drawing.render(tmp_path / "graph.txt").read_text(encoding="utf-8") == f"{drawing}\n"


def test_graphviz_takes_the_text(no_dot):
    drawing = draw(mg.Tensor([1.0]))
    assert drawing.graphviz.source == drawing.source
    assert isinstance(drawing.graphviz, graphviz.Source)


def test_a_folder_that_is_missing_is_an_error_and_nothing_is_left(tmp_path):
    with pytest.raises(FileNotFoundError):
        draw(mg.Tensor([1.0])).render(tmp_path / "nowhere" / "graph.gv")
    (tmp_path / "graph.gv").mkdir()
    with pytest.raises(OSError, match=r"graph\.gv"):
        draw(mg.Tensor([1.0])).render(tmp_path / "graph.gv")
    assert list(tmp_path.iterdir()) == [tmp_path / "graph.gv"]


# Notebooks


def test_a_notebook_shows_the_picture(dot):
    risk = graphs.mlp()
    bundle = draw(risk)._repr_mimebundle_(include=None, exclude=None)
    assert bundle["image/svg+xml"].startswith("<?xml")
    assert bundle["text/plain"] == str(draw(risk))
    for options in ({"include": ["text/plain"]}, {"exclude": ["image/svg+xml"]}):
        assert list(draw(risk)._repr_mimebundle_(**options)) == ["text/plain"]


def test_a_notebook_without_dot_shows_advice_and_no_traceback(no_dot):
    bundle = draw(graphs.mlp())._repr_mimebundle_()
    assert list(bundle) == ["text/plain"]
    assert "apt install graphviz" in bundle["text/plain"]


def test_a_notebook_does_not_wait_for_a_huge_picture():
    bundle = Drawing("digraph {" + 100_000 * "a -> b -> c -> d\n" + "}", "", 1, 1)
    bundle = bundle._repr_mimebundle_()
    assert list(bundle) == ["text/plain"]
    assert "render" in bundle["text/plain"]
