"""The DOT text of small drawings, to the byte; and what dot makes of it.

    python tests/drawing/golden.py

writes the texts anew.
"""

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from drawing.golden import DRAWINGS, FOLDER

import minigraph as mg

ROOT = Path(__file__).resolve().parents[2]
SVG = "{http://www.w3.org/2000/svg}"

PROGRAM = """
import sys
import minigraph as mg
for i in range(int(sys.argv[1])):  # unrelated
    with mg.scope(f"other{i}"):
        mg.Tensor([1.0], requires_grad=True) * 2.0
from drawing.golden import DRAWINGS
for drawing in DRAWINGS.values():
    print(drawing().source, drawing())
"""


@pytest.mark.parametrize("name", DRAWINGS)
def test_the_text_is_the_golden_one(name):
    golden = (FOLDER / f"{name}.gv").read_text(encoding="utf-8")
    assert DRAWINGS[name]().source == golden, __doc__


def test_every_golden_text_has_a_drawing():
    assert sorted(path.stem for path in FOLDER.iterdir()) == sorted(DRAWINGS)


@pytest.mark.parametrize("name", DRAWINGS)
@pytest.mark.parametrize("program", ["dot", "graphviz_pure"])
def test_it_is_drawn_without_complaint_at_its_size_with_its_ids(request, program, name):
    path = request.getfixturevalue(program)
    run = subprocess.run(
        [path, "-Tsvg", FOLDER / f"{name}.gv"], capture_output=True, check=True, timeout=60
    )
    said = run.stderr.decode().splitlines()
    if program == "graphviz_pure":  # it says so of ∂, ±, ‖ and every other such character
        said = [line for line in said if "no value for width of non-ASCII" not in line]
    assert said == []
    svg = ElementTree.fromstring(run.stdout)
    width, height = (float(svg.get(side).removesuffix("pt")) for side in ("width", "height"))
    assert [float(v) for v in svg.get("viewBox").split()] == pytest.approx(
        [0, 0, width, height], abs=1
    )
    by_class = {"node": "n", "edge": "e", "cluster": "c"}
    drawn = {kind: set() for kind in by_class}
    for group in svg.iter(f"{SVG}g"):
        if group.get("class") in drawn:
            drawn[group.get("class")].add(group.get("id"))
    nodes = drawn["node"] - {"legend", "note"}
    drawn["node"] = {i for i in nodes if not i.startswith("c")}  # folders are drawn as nodes
    for kind, letter in by_class.items():
        assert all(i[0] == letter and i[1:].isdigit() for i in drawn[kind] if i[:4] != "node")
    assert nodes
    assert drawn["edge"]


def test_the_bytes_are_the_same_in_every_process_and_after_other_work():
    runs = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM, others],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
            capture_output=True,
            check=True,
        ).stdout
        for seed, others in (("1", "0"), ("2", "57"))
    ]
    assert runs[0] == runs[1] != b""


def test_a_name_changes_the_text():
    a = mg.Tensor(1.0, name="a")
    before = mg.draw(a).source
    a.name = "b"
    assert mg.draw(a).source != before
