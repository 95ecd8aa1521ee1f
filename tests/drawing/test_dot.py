"""The DOT text says what the graph is, in words and signs; names stay text."""

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from drawing.reading import parsed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import minigraph as mg
from minigraph.drawing import draw
from minigraph.drawing.text import clean

HOSTILE = [
    'quote " and "] n9 [label="x',
    "html <b> & </b> <table> &amp; &#65; >>",
    r"backslash \N \G \n \\ \" end\ ",
    "new\nline\r\tand\x0btab",
    "nul \0 bell \a escape \x1b del \x7f",
    "lone surrogate \ud800 and direction \u202e",
    "format {0} {} {x.__class__} {a} {g} %s ${HOME}",
    "emoji 😀 and ∂ λ ᵀ 汉字",
    "// comment /* */ # ; -> {}",
    "'; digraph { evil }",
    "<script>alert(1)</script>",
    "<>",
    "]]> <!-- -->",
    "node",
    "n0",
    "c0",
    "legend",
    "note",
    "x" * 5000,
]


def mlp_risk(penalties=None):
    model = mg.nn.MLP((2, 3, 2), seed=0)
    X, y = mg.data.two_circles_first10()
    return mg.nn.risk(model, mg.Tensor(X, name="x"), mg.Tensor(y, name="y"), penalties)


def test_dot_finds_the_nodes_edges_and_scopes_of_the_graph(dot):
    picture = parsed(dot, draw(mlp_risk((0, 1e-3, 0, 0.5))))
    shown = {rows[0].split(" = ")[0]: rows for rows in map(picture.rows, picture.nodes)}
    assert shown["W1"] == ["W1", "parameter f64[2,3]", "-0.073 ± 0.506"]
    assert shown["b1"] == ["b1", "parameter f64[3]", "all 0"]
    assert shown["x"][1:] == ["input f64[10,2]", "0.254 ± 0.618"]
    assert shown["y"][1:] == ["input i64[10]", "0 … 1"]
    assert "v13" in shown
    assert ["v6 = x @ W1 + b1", "f64[10,3]"] in [rows[:2] for rows in shown.values()]
    assert "output" in [rows[1] for rows in shown.values()]
    assert picture.clusters == {"c0": "layer1", "c1": "layer2"}
    assert picture.inside["n0"] == ["c0"]
    assert "n4" not in picture.inside


def test_a_leaf_is_a_drawing_of_one_node(dot):
    picture = parsed(dot, draw(mg.Tensor([1.0], requires_grad=True, name="w")))
    assert picture.edges == []
    assert picture.clusters == {}
    assert picture.rows("n0") == ["w", "parameter f64[1]", "all 1"][:2] + ["1"]


def test_a_repeated_operand_has_two_edges(dot):
    a = mg.Tensor([1.0], requires_grad=True)
    assert parsed(dot, draw(a * a)).ends() == [("n0", "n1")] * 2


def test_an_output_that_others_use_too_is_drawn_once_as_output(dot):
    a = mg.Tensor([1.0], requires_grad=True, name="a")
    b = a * 2.0
    picture = parsed(dot, draw(b, b + 1.0, b))
    kinds = [picture.rows(k)[1] for k in ("n0", "n1", "n2")]
    assert kinds == ["parameter f64[1]", "output f64[1]", "output f64[1]"]


def test_numbers_are_written_into_the_expression_and_arrays_are_nodes(dot):
    a = mg.Tensor(np.ones((2, 3), np.float32), requires_grad=True, name="a")
    mask = np.array([True, False, True])
    picture = parsed(dot, draw(mg.where(mask, a * 0.00051234, -2) * mask + np.float32(3)))
    assert [picture.title(f"n{k}") for k in range(6)] == [
        "a",
        "v1 = a * 0.000512",
        "v2",
        "v3 = where(v2, v1, -2)",
        "v4 = v3 * v2",
        "v5 = v4 + 3",
    ]
    assert picture.rows("n2")[1:] == ["constant bool[3]", "67% True"]
    assert picture.ends().count(("n2", "n4")) == 1  # the same array twice: one node, two edges


def test_no_gradient_flows_along_dashed_edges(dot):
    a, b = mg.Tensor([1.0], requires_grad=True), mg.Tensor([2.0])
    styles = {e["tail"]: e.get("style") for e in parsed(dot, draw(a * b)).edges}
    assert styles == {"n0": None, "n1": "dashed"}


def test_what_leads_only_to_an_input_without_a_formula_is_dashed(dot):
    z = mg.Tensor(np.ones((2, 2)), requires_grad=True, name="z")
    picture = parsed(dot, draw(mg.softmax_nll(z, [0, 1])))
    styles = {(e["tail"], e["head"]): e.get("style") for e in picture.edges}
    assert styles == {
        ("n0", "n1"): "dashed",  # to logsumexp, which the loss keeps for its gradient only
        ("n1", "n3"): "dashed",
        ("n0", "n3"): None,
        ("n2", "n3"): "dashed",
    }


def test_scopes_are_nested_clusters_and_entered_twice_are_one(dot):
    w = mg.Tensor(1.0, requires_grad=True, name="w")
    with mg.scope("outer"), mg.scope("inner"):
        w = w * 2.0
    with mg.scope("other"), mg.scope("inner"):
        w = w * 3.0
    with mg.scope("outer"):
        w = w * 4.0
    picture = parsed(dot, draw(w))
    assert picture.clusters == {"c0": "outer", "c1": "inner", "c2": "other", "c3": "inner"}
    assert picture.inside == {"n1": ["c0", "c1"], "n2": ["c2", "c3"], "n3": ["c0"]}


def test_values_may_be_left_out(dot):
    drawing = draw(mlp_risk(), values=False)
    picture = parsed(dot, drawing)
    assert picture.rows("n0") == ["W1", "parameter f64[2,3]"]
    assert picture.rows(f"n{len(picture.nodes) - 1}")[1:] == ["output f64"]
    assert "±" not in drawing.source


def test_title_direction_and_legend_are_as_asked():
    a = mg.Tensor([1.0], requires_grad=True)
    source = draw(a * 2.0, title="a < b", rankdir="LR", legend=False).source
    assert "rankdir=LR" in source
    assert 'label="a &lt; b"' in source
    assert "legend" not in source


def test_the_legend_explains_what_occurs_and_nothing_else(dot):
    a = mg.Tensor([1.0], requires_grad=True)

    def legend(drawing):
        (line,) = [li for li in drawing.source.splitlines() if li.startswith("legend")]
        return "".join(ElementTree.fromstring(line.partition("<")[2][:-2]).itertext())

    assert legend(draw(a * 2.0)) == "parameteroutput"
    assert "2-norm" in legend(draw(a * 2.0, grads=True))
    assert "←" not in legend(draw(a * 2.0, grads=True))
    assert "what an arrow adds" in legend(draw(a * a, grads=True))
    assert "dashed" in legend(draw(a * np.ones(1)))


def test_nan_is_marked_by_colour_border_and_words(dot):
    a = mg.Tensor([1.0, np.nan, np.inf, 3.0], requires_grad=True, name="a")
    with np.errstate(invalid="ignore"):
        picture = parsed(dot, draw(a * 0.0))
    for k, width in (("n0", "4"), ("n1", "2.4")):  # the output's border is double
        assert picture.nodes[k]["fillcolor"] == "#F0E442"
        assert picture.nodes[k]["penwidth"] == width
    assert picture.rows("n0")[-1] == "2 NaN/Inf, 2 ± 1"


# Names


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_text(dot, name):
    check_name(dot, name, {"grads": True}, {"backward": True}, {"fold": True}, {"depth": 0})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(codec=None), max_size=30))
def test_any_name_stays_text(dot, name):
    check_name(dot, name, {"grads": True, "fold": True})


def check_name(dot, name, *ways):
    op = mg.Op(lambda x: 2 * x, x=lambda g, y, x: 2 * g, name=name or "op")
    with mg.scope(name):
        a = mg.Tensor([1.0], requires_grad=True, name=name)
        b = op(a)
        c = b + 1.0
    c.name = name
    shown = clean(name, 40)
    for options in ways:
        drawing = draw(c, title=name, **options)
        picture = parsed(dot, drawing)
        assert "\\" not in drawing.source
        if "depth" in options:
            assert picture.rows("c0")[0:1] == [shown][: bool(shown)] or not shown
            continue
        inside = "fold" in options and len(picture.nodes) == 2  # unless that is too long
        assert sorted(picture.nodes) == ["n0", "n1", "n2"][:: 1 + inside]
        assert picture.clusters == {"c0": clean(name, 60)}
    svg = list(ElementTree.fromstring(draw(c).svg()).iter())  # after all of dot's unescaping
    texts = ["".join(element.itertext()) for element in svg]
    assert (shown or "v0") in [text.replace("\xa0", " ") for text in texts]
    assert "\\" not in str(draw(c))


def test_clean_keeps_what_it_can():
    assert clean(" a\n b\t", 9) == "a b"
    assert clean("\0\\😀\ud800", 9) == "�∖😀�"
    assert clean("x" * 11, 10) == "x" * 9 + "…"


@pytest.mark.parametrize("name", ["", " ", "\n"])
def test_an_empty_name_is_none(dot, name):
    assert parsed(dot, draw(mg.Tensor([1.0], name=name))).title("n0") == "v0"


def test_a_drawing_does_not_change_with_its_tensors():
    a = mg.Tensor(1.0, requires_grad=True, name="a")
    drawing = draw(a)
    before = drawing.source, str(drawing)
    a.name, a.data = "b", 2.0
    assert (drawing.source, str(drawing)) == before
    assert draw(a).source != before[0]


# The listing


def test_the_listing_has_one_aligned_line_for_each_node():
    lines = str(draw(mlp_risk(), grads=True, title="risk")).splitlines()
    assert lines[0] == "risk"
    assert [line.split()[0] for line in lines[1:5]] == ["layer1", "layer1", "layer2", "layer2"]
    assert len(lines) == 12
    columns = {line.index("f64") for line in lines if "f64" in line}
    assert len(columns) == 1
    assert " ".join(lines[1].split()).startswith("layer1 W1 parameter f64[2,3] -0.073 ± 0.506 ‖")


# Bad input


def test_wrong_arguments_are_refused_with_what_is_right():
    a = mg.Tensor([1.0], requires_grad=True)
    for wrong, error, text in (
        ({"depth": -1}, ValueError, "depth is at least 0"),
        ({"depth": 1.5}, TypeError, "whole number"),
        ({"max_nodes": 0}, ValueError, "max_nodes is at least 1"),
        ({"focus": mg.Tensor(1.0, name="other")}, ValueError, "'other' .* is not in the graph"),
        ({"focus": 3}, TypeError, "focus is a Tensor, not int"),
        ({"rankdir": "XY"}, ValueError, "TB, LR, BT, RL"),
    ):
        with pytest.raises(error, match=text):
            draw(a * 2.0, **wrong)
    x = mg.Tensor([1.0], name="x")
    with pytest.raises(ValueError, match="no gradient flows to focus, x"):
        draw(a * x, focus=x, backward=True)
    with pytest.raises(TypeError, match="at least one"):
        draw()
    with pytest.raises(TypeError, match="Tensors, not int"):
        draw(3)


def test_a_graph_that_was_not_recorded_is_a_leaf(dot):
    w = mg.Tensor([1.0], requires_grad=True, name="w")
    with mg.no_grad():
        y = w * 2.0
    picture = parsed(dot, draw(y))
    assert picture.rows("n0")[:2] == ["v0", "constant f64[1]"]


# Colours


def channels(colour):
    return np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])


def linear(colour):
    c = channels(colour)
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def contrast(a, b):
    """W3C's contrast ratio (WCAG 2.1)."""
    bright = sorted(float(linear(c) @ [0.2126, 0.7152, 0.0722]) for c in (a, b))
    return (bright[1] + 0.05) / (bright[0] + 0.05)


# Machado, Oliveira and Fernandes, "A physiologically-based model for simulation of color vision
# deficiency", 2009, severity 1
BLINDNESS = {
    "none": np.eye(3),
    "protan": [
        [0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deutan": [
        [0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritan": [
        [1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}  # fmt: skip


def lab(rgb):
    xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    ) @ np.clip(rgb, 0, 1)
    f = np.cbrt(xyz / [0.9505, 1.0, 1.089])
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def palette():
    from minigraph.drawing import dot as writer

    named = {"white": "#FFFFFF"}
    fills = {s["fillcolor"] for s in writer.STYLES.values()} | {writer.NAN, "#FAFAFA"}
    fills = {named.get(fill, fill) for fill in fills}
    return writer, fills, {s["color"] for s in writer.STYLES.values()}


def test_text_can_be_read_on_every_fill_and_borders_on_white():
    writer, fills, borders = palette()
    for fill in fills:
        for ink in ("#000000", writer.GREY, writer.BACKWARD):
            assert contrast(ink, fill) >= 4.5, (ink, fill)
    for border in borders | {"#444444"}:
        assert contrast(border, "#FFFFFF") >= 4.5, border


@pytest.mark.parametrize("blindness", BLINDNESS)
def test_fills_differ_for_every_kind_of_colour_vision(blindness):
    _, fills, _ = palette()
    seen = {f: lab(BLINDNESS[blindness] @ linear(f)) for f in fills - {"#FAFAFA"}}
    for a in seen:
        for b in seen:
            assert a == b or np.linalg.norm(seen[a] - seen[b]) >= 10, (a, b)


def test_nothing_is_vermillion_but_gradients():
    writer, _, _ = palette()
    plain = draw(mlp_risk(), legend=False).source
    assert writer.BACKWARD not in plain.replace(writer.EDGE, "")
    assert re.search(writer.BACKWARD, draw(mlp_risk(), grads=True, legend=False).source)
