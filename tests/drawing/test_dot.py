"""Drawings: the DOT text says what the graph is, dot reads it, and files appear or stay whole."""

import html
import json
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import graphviz
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import minigraph as mg
from minigraph.drawing import DotNotFound, Drawing, draw
from minigraph.drawing.text import clean, expression, written

HOSTILE = [
    'quote " and "] n9 [label="x',
    "html <b> & </b> <table> &amp; &#65; >>",
    r"backslash \N \G \n \\ \" end\ ",
    "new\nline\r\tand\x0btab",
    "nul \0 bell \a escape \x1b del \x7f",
    "lone surrogate \ud800 and direction \u202e",
    "format {0} {} {x.__class__} %s ${HOME}",
    "emoji 😀 and ∂ λ ᵀ 汉字",
    "// comment /* */ # ; -> {}",
    "'; digraph { evil }",
    "<>",
    "]]> <!-- -->",
    "node",
    "x" * 1000,
]


def parsed(dot, drawing):
    """What dot itself makes of the text: labels by node id, edges, clusters' labels."""
    run = subprocess.run(
        [dot, "-Tdot_json"], input=drawing.source.encode(), capture_output=True, check=True
    )
    assert run.stderr == b""
    graph = json.loads(run.stdout)
    objects = graph.get("objects", [])
    nodes = {o["name"]: o["label"] for o in objects if "nodes" not in o}
    clusters = [html.unescape(o["label"]) for o in objects if "nodes" in o]
    ids = {o["_gvid"]: o["name"] for o in objects}
    edges = [(ids[e["tail"]], ids[e["head"]]) for e in graph.get("edges", [])]
    return nodes, edges, clusters


def bold(label):
    return html.unescape(re.search("<b>(.*)</b>", label)[1])


def grey(label):
    return html.unescape(re.search("<font.*>(.*)</font>", label)[1])


def edges_in(drawing):
    return re.findall(r"^(n\d+) -> (n\d+)", drawing.source, flags=re.MULTILINE)


def labels_in(drawing):
    return re.findall(r"^n\d+ \[label=<(.*)>, tooltip", drawing.source, flags=re.MULTILINE)


def mlp_risk(penalties=None):
    model = mg.nn.MLP((2, 3, 2), seed=0)
    X, y = mg.data.two_circles_first10()
    return mg.nn.risk(model, mg.Tensor(X, name="x"), mg.Tensor(y, name="y"), penalties)


# The text


def test_dot_finds_the_nodes_edges_and_scopes_of_the_graph(dot):
    risk = mlp_risk()
    graph = mg.Graph(risk)
    nodes, edges, clusters = parsed(dot, draw(risk))
    ids = {node: f"n{k}" for k, node in enumerate(graph.nodes)}
    assert sorted(nodes) == sorted(ids.values())
    assert sorted(edges) == sorted((ids[e.input], ids[e.consumer]) for e in graph.edges)
    assert clusters == ["layer1", "layer2"]
    for node, k in ids.items():
        assert bold(nodes[k]).split(" = ")[0] == (node.name or k.replace("n", "v"))
        if node.op and node is not risk:
            assert grey(nodes[k]).startswith(node.op.name)


def test_names_expressions_kinds_dtypes_and_shapes_are_shown():
    labels = labels_in(draw(mlp_risk(penalties=(0, 1e-3, 0, 0.5))))
    shown = {bold(label).split(" = ")[0]: (bold(label), grey(label)) for label in labels}
    assert shown["W1"] == ("W1", "parameter f64[2,3]")
    assert shown["x"] == ("x", "input f64[10,2]")
    assert shown["y"] == ("y", "input i64[10]")
    texts = [text.split(" = ", 1)[-1] for text, _ in shown.values()]
    assert "x @ W1 + b1" in texts
    assert any("0.001 * sum(W1 ** 2)" in text for text in texts)
    assert "linear f64[10,3]" in [kind for _, kind in shown.values()]
    assert [kind for _, kind in shown.values()].count("output f64") == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=12))
def test_any_graph_has_its_own_nodes_and_edges(dot, pairs):
    made = [mg.Tensor([1.0, 2.0], requires_grad=True), mg.Tensor([3.0, 4.0])]
    for i, j in pairs:
        made.append(made[i % len(made)] * made[j % len(made)])
    output = made[-1]
    graph = mg.Graph(output)
    ids = {node: f"n{k}" for k, node in enumerate(graph.nodes)}
    nodes, edges, _ = parsed(dot, draw(output))
    assert sorted(nodes) == sorted(ids.values())
    assert sorted(edges) == sorted((ids[e.input], ids[e.consumer]) for e in graph.edges)


def test_a_leaf_is_a_drawing_of_one_node(dot):
    nodes, edges, clusters = parsed(dot, draw(mg.Tensor([1.0], requires_grad=True, name="w")))
    assert (len(nodes), edges, clusters) == (1, [], [])
    assert (bold(nodes["n0"]), grey(nodes["n0"])) == ("w", "parameter f64[1]")


def test_a_repeated_operand_has_two_edges():
    a = mg.Tensor([1.0], requires_grad=True)
    assert edges_in(draw(a * a)) == [("n0", "n1")] * 2


def test_an_output_that_others_use_too_is_drawn_once_as_output():
    a = mg.Tensor([1.0], requires_grad=True, name="a")
    b = a * 2.0
    drawing = draw(b, b + 1.0, b)
    assert [grey(label) for label in labels_in(drawing)] == ["parameter f64[1]"] + [
        "output f64[1]"
    ] * 2


def test_numbers_are_written_into_the_expression_and_arrays_are_nodes():
    a = mg.Tensor(np.ones((2, 3), np.float32), requires_grad=True, name="a")
    mask = np.array([True, False, True])
    drawing = draw(mg.where(mask, a * 0.00051234, -2) * mask + np.float32(3))
    labels = [(bold(label), grey(label)) for label in labels_in(drawing)]
    texts = [text for text, _ in labels]
    assert texts == [
        "a",
        "v1 = a * 0.000512",
        "v2",
        "v3 = where(v2, v1, -2)",
        "v4 = v3 * v2",
        "v5 = v4 + 3",
    ]
    assert labels[2][1] == "constant bool[3]"  # the same array twice: one node, two edges
    assert edges_in(drawing).count(("n2", "n4")) == 1


def test_no_gradient_flows_along_dashed_edges():
    a, b = mg.Tensor([1.0], requires_grad=True), mg.Tensor([2.0])
    solid, dashed = (line for line in draw(a * b).source.splitlines() if "->" in line)
    assert solid == "n0 -> n2"
    assert dashed.startswith("n1 -> n2 [style=dashed")


def test_scopes_are_nested_clusters_and_entered_twice_are_one(dot):
    w = mg.Tensor(1.0, requires_grad=True, name="w")
    with mg.scope("outer"), mg.scope("inner"):
        w = w * 2.0
    with mg.scope("other"), mg.scope("inner"):
        w = w * 3.0
    with mg.scope("outer"):
        w = w * 4.0
    _, _, clusters = parsed(dot, draw(w))
    assert sorted(clusters) == ["inner", "inner", "other", "outer"]


def test_a_deep_scope_does_not_recurse():
    with mg.scope("0"):
        scope = mg.Tensor(1.0).scope
    w = mg.Tensor(1.0, requires_grad=True)
    w.scope = scope * 2000
    assert draw(w).source.count("subgraph") == 2000


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_text(dot, name):
    op = mg.Op(lambda x: 2 * x, x=lambda g, y, x: 2 * g, name=name)
    with mg.scope(name):
        a = mg.Tensor([1.0], requires_grad=True, name=name)
        b = op(a)
        c = b + 1.0
    c.name = name
    drawing = draw(c)
    nodes, edges, clusters = parsed(dot, drawing)
    assert sorted(nodes) == ["n0", "n1", "n2"]
    assert sorted(edges) == [("n0", "n1"), ("n1", "n2")]
    assert clusters == [clean(name, 60)]
    svg = list(ElementTree.fromstring(drawing.svg()).iter())  # after all of dot's unescaping
    assert clean(name, 40) in ["".join(element.itertext()) for element in svg]
    assert clean(name, 400) in [
        element.get("{http://www.w3.org/1999/xlink}title") for element in svg
    ]


def test_clean_keeps_what_it_can():
    assert clean(" a\n b\t", 9) == "a b"
    assert clean("\0\\😀\ud800", 9) == "�∖😀�"
    assert clean("x" * 11, 10) == "x" * 9 + "…"


@pytest.mark.parametrize("name", ["", " ", "\n"])
def test_an_empty_name_is_none(dot, name):
    nodes, _, _ = parsed(dot, draw(mg.Tensor([1.0], name=name)))
    assert bold(nodes["n0"]) == "v0"


def test_an_empty_scope_parses(dot):
    with mg.scope(""):
        w = mg.Tensor([1.0], requires_grad=True)
    assert parsed(dot, draw(w))[2] == [""]


PROGRAM = """
import minigraph as mg
from minigraph.drawing import draw
model = mg.nn.MLP((2, 8, 2), seed=0)
X, y = mg.data.two_circles_first10()
print(draw(mg.nn.risk(model, X, y, (1, 2, 3, 4))).source)
"""


def test_the_text_is_the_same_in_every_process():
    runs = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(mg.__file__).parents[1])},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1] != b""


def test_a_drawing_does_not_change_with_its_tensors():
    a = mg.Tensor(1.0, requires_grad=True, name="a")
    drawing = draw(a)
    before = drawing.source
    a.name, a.data = "b", 2.0
    assert drawing.source == before
    assert draw(a).source != before


def test_a_chain_of_100_000_ops_is_written_in_seconds():
    x = mg.Tensor(1.0, requires_grad=True)
    for _ in range(100_000):
        x = x + 1.0
    start = time.perf_counter()
    drawing = draw(x)
    assert time.perf_counter() - start < 15
    assert len(edges_in(drawing)) == 100_000
    assert drawing.n_nodes == 100_001


def test_wrong_outputs_are_refused():
    with pytest.raises(TypeError, match="at least one"):
        draw()
    with pytest.raises(TypeError, match="Tensors, not int"):
        draw(3)


# Expressions


def made(node, *operands):
    return expression(node, operands)


def test_expressions_read_like_the_program():
    a = mg.Tensor(np.ones((2, 2)), requires_grad=True)
    assert made(a + a, "a", "b") == "a + b"
    assert made(a @ a, "a", "b") == "a @ b"
    assert made(-a, "a") == "-a"
    assert made(a**3, "a") == "a ** 3"
    assert made(a - 2.0, "a", "-2") == "a - (-2)"
    assert made(a.sum(axis=0), "a") == "sum(a, axis=0)"
    assert made(a.sum(axis=(0,)), "a") == "sum(a, axis=(0,))"
    assert made(a.sum(), "a") == "sum(a)"
    assert made(mg.concatenate([a, a], axis=1), "a", "b") == "concatenate(a, b, axis=1)"
    assert made(a[1:, None, ..., ::2], "a") == "getitem(a, index=(1:, None, ..., ::2))"


def test_a_text_that_does_not_fit_its_op_gives_the_plain_form():
    for text in ("{nothing}", "{", "{0}", "{x.nothing}"):
        op = mg.Op(lambda x: x, x=lambda g, y, x: g, name="copy_of", texts={"y": text})
        assert made(op(mg.Tensor(1.0, requires_grad=True)), "a") == "copy_of(a)"


def test_attributes_that_may_differ_between_runs_are_written_as_their_type():
    assert written(object()) == "object"
    assert written(np.ones(1000)) == "ndarray"
    assert written(np.float32(0.1)) == "0.1"
    assert written(123456) == "123456"


# Files


@pytest.mark.parametrize("suffix", [".gv", ".dot", ".GV"])
def test_text_is_written_without_dot(tmp_path, monkeypatch, suffix):
    monkeypatch.setenv("PATH", "")
    drawing = draw(mg.Tensor([1.0], name="λ"))
    path = drawing.render(tmp_path / f"graph{suffix}")
    assert path == tmp_path / f"graph{suffix}"
    assert path.read_bytes() == drawing.source.encode()
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("suffix", "magic"),
    [(".svg", b"<?xml"), (".png", b"\x89PNG"), (".pdf", b"%PDF"), (".SVG", b"<?xml")],
)
def test_pictures_are_written_and_replace_what_was_there(dot, tmp_path, suffix, magic):
    path = tmp_path / f"graph{suffix}"
    path.write_text("old")
    assert draw(mlp_risk()).render(str(path)) == path
    assert path.read_bytes().startswith(magic)
    assert list(tmp_path.iterdir()) == [path]


def test_svg_has_the_size_of_its_view(dot):
    svg = ElementTree.fromstring(draw(mlp_risk()).svg())
    width, height = (float(svg.get(side).removesuffix("pt")) for side in ("width", "height"))
    assert [float(v) for v in svg.get("viewBox").split()[2:]] == pytest.approx(
        [width, height], abs=1
    )


@pytest.mark.parametrize("name", ["graph", "graph.bmp", "graph.", ".svg"])
def test_an_unknown_suffix_is_refused_with_the_known(tmp_path, name):
    with pytest.raises(ValueError, match=r"\.gv, \.dot, \.svg, \.png, \.pdf"):
        draw(mg.Tensor([1.0])).render(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_without_dot_the_error_says_how_to_get_it_and_the_file_stays(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    path = tmp_path / "graph.svg"
    path.write_text("old")
    for picture in (lambda: draw(mlp_risk()).render(path), draw(mlp_risk()).svg):
        with pytest.raises(DotNotFound, match="not found") as caught:
            picture()
        assert isinstance(caught.value, graphviz.ExecutableNotFound)
        for way in ("apt", "brew", "winget", "conda"):
            assert f"{way} install graphviz" in str(caught.value)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands in for dot")
def test_a_dot_that_fails_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    stand_in = tmp_path / "bin" / "dot"
    stand_in.parent.mkdir()
    stand_in.write_text("#!/bin/sh\nexit 3\n")
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", str(stand_in.parent))
    path = tmp_path / "graph.svg"
    path.write_text("old")
    drawing = draw(mg.Tensor([1.0]))
    with pytest.raises(subprocess.CalledProcessError):
        drawing.render(path)
    assert path.read_text() == "old"
    assert sorted(tmp_path.iterdir()) == [tmp_path / "bin", path]
    assert "3" in drawing._repr_mimebundle_()["text/plain"]


def test_a_folder_that_is_missing_is_an_error_and_nothing_is_left(tmp_path):
    with pytest.raises(FileNotFoundError):
        draw(mg.Tensor([1.0])).render(tmp_path / "nowhere" / "graph.gv")
    (tmp_path / "graph.gv").mkdir()
    with pytest.raises(OSError, match=r"graph\.gv"):
        draw(mg.Tensor([1.0])).render(tmp_path / "graph.gv")
    assert list(tmp_path.iterdir()) == [tmp_path / "graph.gv"]


# Notebooks


def test_a_notebook_shows_the_picture(dot):
    risk = mlp_risk()
    bundle = draw(risk)._repr_mimebundle_(include=None, exclude=None)
    assert bundle["image/svg+xml"].startswith("<?xml")
    assert bundle["text/plain"] == f"<Drawing of {len(mg.Graph(risk).nodes)} nodes>"


def test_a_notebook_without_dot_shows_advice_and_no_traceback(monkeypatch):
    monkeypatch.setenv("PATH", "")
    bundle = draw(mlp_risk())._repr_mimebundle_()
    assert list(bundle) == ["text/plain"]
    assert "apt install graphviz" in bundle["text/plain"]


def test_a_notebook_does_not_wait_for_a_huge_picture():
    bundle = Drawing("digraph {}", n_nodes=100_000)._repr_mimebundle_()
    assert list(bundle) == ["text/plain"]
    assert "render" in bundle["text/plain"]
