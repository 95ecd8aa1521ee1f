"""The steps through a graph, and the page that shows them, as a browser sees it."""

import io
import json
import re
from pathlib import Path
from time import monotonic, sleep

import numpy as np
import pytest
from drawing import graphs
from drawing.test_dot import HOSTILE
from hypothesis import given

import minigraph as mg
from minigraph.drawing import DotNotFound
from minigraph.drawing.numbers import corners, norm
from minigraph.drawing.text import written_size
from minigraph.testing import strategies

FAN = """\
1  a = 2
2  v1 = a * a = 2 * 2 = 4
3  y = v1 + a = 4 + 2 = 6
4  ∂y = seed = 1
5  ∂v1 += ∂y = 1
6  ∂a += ∂y = 1               ∂a = 1, so far, 2 to come
7  ∂a += ∂v1 * a = 1 * 2 = 2  ∂a = 3, so far, 1 to come
8  ∂a += ∂v1 * a = 1 * 2 = 2  ∂a = 5, sum of 3"""


# The list


def test_the_steps_are_forward_by_node_and_backward_by_edge():
    steps = mg.steps(graphs.fan())
    assert str(steps) == FAN
    assert repr(steps) == "<Steps: 3 forward, 5 backward>"


def test_arrays_are_told_by_size():
    x = mg.Tensor([[1.0, 2.0], [3.0, 4.0]], name="x")
    b = mg.Tensor([0.0, 7.0], requires_grad=True, name="b")
    lines = str(mg.steps((x + b).sum() + (b * b).sum())).splitlines()
    assert " 3  v2 = x + b  f64[2,2]  6 ± 4.12" in lines
    assert any(re.search(r"∂b \+= sum\(∂v2, axis=0\) +f64\[2\]  ‖ ‖ = 2.83", row) for row in lines)
    assert sum("sum of 3" in row for row in lines) == 1


@given(strategies.graphs(at_kinks=True))
def test_each_edge_with_a_gradient_is_one_step_and_the_last_sum_is_the_gradient(program):
    inputs = [mg.Tensor(a, requires_grad=True, name=n) for n, a in program.inputs.items()]
    output = program.function(*inputs)
    if output.size == 0:
        return
    steps = mg.steps(output, max_nodes=None)
    backward = [step for step in steps._steps if step.backward]
    drawn = mg.draw(output, backward=True, max_nodes=None, legend=False).source
    assert sorted(s.edge for s in backward if s.edge) == sorted(
        re.findall(r' \[id="(e\d+)"', drawn)
    )
    assert [a.grad for a in inputs] == [None] * len(inputs)
    output.backward(np.ones_like(output.data))
    for a in inputs:
        told = [step for step in backward if step.name == f"∂{a.name}"]
        if len(told) > 1 and a is not output and np.isfinite(norm(a.grad)):
            assert told[-1].state.endswith(f"sum of {len(told)}")
            if abs(norm(a.grad)) > 1e-9:
                assert f"= {written_size(norm(a.grad))}, sum" in told[-1].state


def test_numbers_are_not_put_where_they_cannot_be_read():
    a = mg.Tensor(3.0, requires_grad=True, name="a")
    assert "∂a += spread(∂v1 * (v1.size / a.size)) = 1" in str(mg.steps(a.mean()))


def test_a_tensor_without_a_gradient_has_forward_steps_only():
    x = mg.Tensor([1.0, 2.0], name="x")
    assert str(mg.steps(x)) == "1  x  input  f64[2]  1, 2  no gradient flows to x"
    assert len(str(mg.steps(x * 2.0 * x)).splitlines()) == 1  # nothing was recorded


def test_several_outputs_have_a_seed_each():
    a = mg.Tensor(2.0, requires_grad=True, name="a")
    b = a * 3.0
    text = str(mg.steps(b, b * b))
    assert text.count("= seed = 1") == 2
    assert "∂v1 = 13, sum of 3" in text


def test_arrays_of_other_libraries_are_not_computed():
    da = pytest.importorskip("dask.array")
    x = mg.Tensor(da.ones((4, 2), chunks=2), requires_grad=True, name="x")
    assert "not computed" in str(mg.steps((x * x).sum()))


def test_corners_are_aligned_and_short():
    assert corners(np.array([[1.0, -2.5], [1000.0, 0.001]])) == "[[    1  -2.5]\n [ 1000 0.001]]"
    text = corners(np.arange(1e6).reshape(1000, 1000))
    assert len(text.splitlines()) == 5
    assert max(map(len, text.splitlines())) < 60
    assert corners(np.zeros((0, 3))) == "[]"
    assert corners(np.array([np.nan, np.inf])) == "[NaN inf]"
    assert corners(np.array([True, False])) == "[ True False]"


# What cannot be done


def test_a_graph_too_large_to_step_through_is_refused_with_advice():
    with pytest.raises(ValueError, match=r"201 nodes, more than max_nodes=200.*depth.*focus"):
        mg.steps(graphs.chain(200))
    assert len(str(mg.steps(graphs.chain(200), max_nodes=None)).splitlines()) > 400


def test_bad_arguments_are_refused():
    with pytest.raises(TypeError, match="steps: give at least one output"):
        mg.steps()
    with pytest.raises(TypeError, match="steps: outputs are Tensors, not int"):
        mg.steps(3)
    with pytest.raises(ValueError, match="steps: max_nodes is at least 1"):
        mg.steps(mg.Tensor(1.0), max_nodes=0)
    w = mg.Tensor([1.0], requires_grad=True, name="w")
    y = w * w
    with mg.no_grad():
        w += 1.0
    with pytest.raises(RuntimeError, match=r"'w' .* was written"):
        mg.steps(y)


def test_an_unknown_suffix_and_an_unwritable_path_leave_nothing(tmp_path):
    steps = mg.steps(graphs.fan())
    with pytest.raises(ValueError, match=r"neither suffix \.html nor \.txt"):
        steps.render(tmp_path / "steps.svg")
    with pytest.raises(FileNotFoundError):
        steps.render(tmp_path / "nowhere" / "steps.txt")
    assert list(tmp_path.iterdir()) == []
    path = steps.render(tmp_path / "steps.txt")
    assert path.read_text(encoding="utf-8") == FAN + "\n"


def test_without_dot_the_list_is_there_and_a_notebook_says_how(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("sysconfig.get_path", lambda name: "/nowhere")
    steps = mg.steps(graphs.fan())
    (tmp_path / "steps.html").write_text("old")
    with pytest.raises(DotNotFound):
        steps.render(tmp_path / "steps.html")
    assert (tmp_path / "steps.html").read_text() == "old"
    shown = steps._repr_html_()
    assert shown.startswith("<pre>")
    assert "∂y = seed = 1" in shown
    assert "apt install graphviz" in shown


# The page


@pytest.fixture
def opened(dot, browser, tmp_path):
    """Open the page of these steps; give what a reader sees."""

    def open_page(steps, at=""):
        path = steps.render(tmp_path / "steps.html")
        browser.get("about:blank")  # another address of the same page would not load it again
        browser.get_log("browser"), browser.get_log("performance")
        browser.get(f"{path.as_uri()}{at}")
        return Page(browser, path)

    return open_page


class Page:
    def __init__(self, browser, path: Path):
        self.browser, self.path = browser, path

    def text(self, id):
        return self.browser.find_element("id", id).text

    @property
    def counter(self):
        return self.text("counter")

    @property
    def address(self):
        return self.browser.current_url.partition("#")[2]

    def press(self, key):
        self.browser.find_element("tag name", "body").send_keys(key)

    def with_class(self, name):
        found = self.browser.find_elements("css selector", f"svg .{name}")
        return {element.get_attribute("id") for element in found}

    def requests(self):
        messages = [
            json.loads(m["message"])["message"] for m in self.browser.get_log("performance")
        ]
        sent = [m for m in messages if m["method"] == "Network.requestWillBeSent"]
        return {m["params"]["request"]["url"] for m in sent}


def keys():
    from selenium.webdriver import Keys

    return Keys


# counter, panel, not yet computed, current, with a gradient: of y = a * a + a, step by step
FAN_PAGE = [
    ("1 / 8 forward", "a\na = 2", {"n1", "n2", "e0", "e1", "e2", "e3"}, {"n0"}, set()),
    ("2 / 8 forward", "v1\nv1 = a * a = 2 * 2 = 4", {"n2", "e2", "e3"}, {"n1"}, set()),
    ("3 / 8 forward", "y\ny = v1 + a = 4 + 2 = 6", set(), {"n2"}, set()),
    ("4 / 8 backward", "∂y\n∂y = seed = 1", set(), {"n2"}, {"n2"}),
    ("5 / 8 backward", "∂v1\n∂v1 += ∂y = 1", set(), {"n1", "e2"}, {"n1", "e2"}),
    ("6 / 8 backward", "∂a\n∂a += ∂y = 1\n∂a = 1, so far, 2 to come", set(), {"n0", "e3"},
     {"n0", "e2", "e3"}),
    ("7 / 8 backward", "∂a\n∂a += ∂v1 * a = 1 * 2 = 2\n∂a = 3, so far, 1 to come", set(),
     {"n0", "e0"}, {"n0", "e0", "e2", "e3"}),
    ("8 / 8 backward", "∂a\n∂a += ∂v1 * a = 1 * 2 = 2\n∂a = 5, sum of 3", set(),
     {"n0", "e1"}, {"n0", "e0", "e1", "e2", "e3"}),
]  # fmt: skip


def state(page):
    classes = [page.with_class(name) for name in ("future", "now", "gradient")]
    return page.counter, page.text("panel"), *classes


def test_keys_lead_through_all_steps_and_back(opened):
    page, key = opened(mg.steps(graphs.fan())), keys()
    seen = [state(page)]
    for number in range(2, 9):
        page.press(key.ARROW_RIGHT)
        assert page.address == str(number)
        seen.append(state(page))
    assert seen == FAN_PAGE
    page.press(key.ARROW_RIGHT)  # nothing is beyond
    assert state(page) == FAN_PAGE[-1]
    page.press(key.HOME)
    assert state(page) == FAN_PAGE[0]
    page.press(key.ARROW_LEFT)
    assert state(page) == FAN_PAGE[0]
    page.press(key.END)
    page.press(key.ARROW_LEFT)
    assert state(page) == FAN_PAGE[-2]
    assert page.browser.get_log("browser") == []
    assert page.requests() == {page.path.as_uri()}


@pytest.mark.parametrize(("hash", "number"), [("#7", 7), ("#99", 8), ("#-3", 1), ("#x", 1)])
def test_an_address_opens_its_step(opened, hash, number):
    page = opened(mg.steps(graphs.fan()), at=hash)
    assert state(page) == FAN_PAGE[number - 1]
    page.browser.execute_script("location.hash = '#4'")
    deadline = monotonic() + 5
    while page.counter != "4 / 8 backward" and monotonic() < deadline:
        sleep(0.02)
    assert state(page) == FAN_PAGE[3]


def test_buttons_the_slider_and_the_picture_lead_to_steps(opened):
    page = opened(mg.steps(graphs.fan()))
    for button, number in (("next", 2), ("backward", 4), ("back", 3)):
        page.browser.find_element("id", button).click()
        assert state(page) == FAN_PAGE[number - 1]
    slider = page.browser.find_element("id", "slider")
    slider.send_keys(keys().END)
    assert state(page) == FAN_PAGE[7]
    page.browser.find_element("id", "n1").click()  # to where its gradient was complete
    assert page.counter == "5 / 8 backward"
    page.browser.find_element("id", "back").click()
    page.browser.find_element("id", "back").click()
    page.browser.find_element("id", "n0").click()
    assert page.counter == "1 / 8 forward"


def test_pointing_at_a_node_tells_all_that_is_known_of_it_by_then(opened):
    from selenium.webdriver import ActionChains

    page = opened(mg.steps(graphs.fan()), at="#7")
    ActionChains(page.browser).move_to_element(page.browser.find_element("id", "n0")).perform()
    told = page.text("panel").splitlines()
    assert told == [
        "a", "a = 2", "∂a += ∂y = 1", "∂a = 1, so far, 2 to come",
        "∂a += ∂v1 * a = 1 * 2 = 2", "∂a = 3, so far, 1 to come",
    ]  # fmt: skip


def test_play_goes_on_to_the_end(opened):
    page = opened(mg.steps(graphs.fan()), at="#7")
    page.browser.find_element("id", "play").click()
    assert page.text("play") == "pause"
    deadline = monotonic() + 10
    while page.text("play") == "pause" and monotonic() < deadline:
        sleep(0.05)
    assert state(page) == FAN_PAGE[-1]


def test_a_backward_step_shows_vermillion_and_a_forward_step_does_not(opened):
    image = pytest.importorskip("PIL.Image")
    page = opened(mg.steps(graphs.mlp()), at="#1")
    vermillion = {}
    for name, key in (("forward", keys().HOME), ("backward", keys().END)):
        page.press(key)
        sleep(0.4)  # the transition
        seen = image.open(io.BytesIO(page.browser.get_screenshot_as_png())).convert("RGB")
        colours = np.asarray(seen) @ np.array([0x10000, 0x100, 1])
        assert len(np.unique(colours)) > 50  # not blank
        vermillion[name] = int((colours == 0x962C00).sum())
    assert vermillion["forward"] == 0
    assert vermillion["backward"] > 500


def test_hostile_names_stay_text_and_nothing_runs(opened):
    canary = (
        "</script><script>document.title='pwn'</script><img src=x onerror=document.title='pwn'>"
    )
    names = [
        *HOSTILE,
        canary,
        '"></pre><svg onload=document.title="pwn">',
        "http://example.invalid/",
    ]
    total = 0.0
    for name in names:
        with mg.scope(name):
            total = total + mg.Tensor(1.0, requires_grad=True, name=name)
    total.name = canary
    steps = mg.steps(total, title=canary)
    page = opened(steps)
    assert page.browser.title == canary
    look = """
        const panel = document.getElementById("panel");
        return [document.getElementById("counter").textContent,
            panel.querySelector("h2").textContent, panel.textContent,
            panel.querySelectorAll("script, img, svg").length]
    """
    for number, told in enumerate(steps._steps, start=1):
        counter, heading, panel, foreign = page.browser.execute_script(look)
        assert counter.startswith(f"{number} / {len(steps._steps)} ")
        assert heading == told.name
        assert told.name in told.text
        assert (told.text if told.text != told.name else "") in panel
        assert foreign == 0
        page.press(keys().ARROW_RIGHT)
    assert page.browser.title == canary
    assert page.browser.get_log("browser") == []
    assert page.requests() == {page.path.as_uri()}


def test_the_policy_lets_no_other_script_run(opened):
    page = opened(mg.steps(graphs.fan()))
    page.browser.execute_script(
        "const s = document.createElement('script'); s.textContent = 'document.title = \"pwn\"';"
        "document.body.append(s);"
    )
    assert page.browser.title == "Step by step"
    assert any("Content Security Policy" in m["message"] for m in page.browser.get_log("browser"))


def test_a_notebook_shows_the_page_in_a_frame_of_its_own(dot, browser, tmp_path):
    page = tmp_path / "notebook.html"
    shown = mg.steps(graphs.fan())._repr_html_()
    page.write_text(f"<!DOCTYPE html><meta charset=utf-8>{shown}", encoding="utf-8")
    browser.get(page.as_uri())
    browser.get_log("browser")
    browser.switch_to.frame(browser.find_element("tag name", "iframe"))
    try:
        browser.find_element("id", "next").click()
        assert browser.find_element("id", "counter").text == "2 / 8 forward"
    finally:
        browser.switch_to.default_content()
    assert browser.get_log("browser") == []


def test_motion_is_left_out_for_those_who_asked(opened):
    page = opened(mg.steps(graphs.fan()), at="#8")
    edge = "return getComputedStyle(document.querySelector('#e1 path')).animationName"
    assert page.browser.execute_script(edge) == "back"
    media = {"features": [{"name": "prefers-reduced-motion", "value": "reduce"}]}
    page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    try:
        assert page.browser.execute_script(edge) == "none"
    finally:
        page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_the_page_is_the_same_every_time(dot):
    first, second = (mg.steps(graphs.mlp()).html() for _ in range(2))
    assert first == second
