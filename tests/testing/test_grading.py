"""Many backward passes are graded, whatever one of them does."""

import csv
import os
import re
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from minigraph.testing import grade
from minigraph.testing.diagnosis import Grade, Grades, Verdict
from minigraph.testing.diagnosis.grading.grading import _names
from minigraph.testing.mistakes import LIBRARY, source

RIGHT = source("columns")
WRONG = source(
    next(m for m in LIBRARY if m.architecture == "columns" and m.causes == {"W2": "missing 1/K"})
)
ONLY = "import numpy as np\ndef fprop(params, x, y, lam):\n    {}\n" + (
    "def bprop(params, x, y, lam):\n"
    "    return {{name: np.zeros_like(value) for name, value in params.items()}}\n"
)

SUBMISSIONS = {
    "right": RIGHT
    + "\nparams, AXIS = None, 'none'  # the exercise's are used\n"
    + "print('`' * 5 + '|\\x1b[31m' * 1_000_000)\n",
    "wrong": WRONG,
    "another_loss": ONLY.format("return 0.0"),
    "deletes": RIGHT + "\nimport os, shutil\nshutil.rmtree(os.getcwd())\n",
    "memory": "kept = []\nwhile True:\n    kept.append(bytearray(10**7))\n",
    "memory_later": ONLY.format("return bytearray(2**40)"),
    "exits": RIGHT + "\nimport os\nos._exit(0)\n",
    "segfault": RIGHT + "\nimport ctypes\nctypes.string_at(0)\n",
    "numpy": "x = 1\ninput()\n",
    "missing": "from math import *\ndef fprop(params, x, y, lam):\n    return 0.0\n",
}
EXPECTED = {
    "right": "right",
    "wrong": "wrong",
    "another_loss": "other loss",
    "deletes": "right",
    "memory": "out of memory",
    "memory_later": "out of memory",
    "exits": "crashed",
    "segfault": "crashed",
    "numpy": "not checkable",
    "missing": "not checkable",
}
LOOPS = """
import subprocess, time
child = subprocess.Popen(["sleep", "100"])
print("started", child.pid, flush=True)
while True:
    time.sleep(0.01)
"""


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("graded")
    for name, text in SUBMISSIONS.items():
        (folder / f"{name}.py").write_text(text)
    (folder / "notes.txt").write_text("no submission")
    aside = tmp_path_factory.mktemp("loops")
    (aside / "loops.py").write_text(LOOPS)
    with ThreadPoolExecutor(1) as pool:  # it takes its time while the others run
        loops = pool.submit(grade, aside, "homework", out=aside / "out", seconds=4)
        grades = grade(folder, "homework", out=folder / "out", memory=2**30, workers=3)
        return grades, folder, loops.result()


def by_name(grades):
    return {one.name: one for one in grades}


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited, and signals have numbers")
def test_each_is_reported_as_what_it_is(graded):
    grades, *_ = graded
    assert {one.name: one.outcome for one in grades} == EXPECTED
    assert {one.name for one in grades if one.ok} == {"right", "deletes"}


def test_the_parameter_that_is_wrong_is_named_with_its_cause(graded):
    wrong = by_name(graded[0])["wrong"]
    assert {n: v.status for n, v in wrong.verdicts.items()} == {
        "W1": "right", "b1": "right", "W2": "wrong", "b2": "right"
    }  # fmt: skip
    assert wrong.verdicts["W2"].causes
    assert wrong.verdicts["W2"].causes[0] in wrong.page


@pytest.mark.parametrize(
    ("name", "remark"),
    [
        ("another_loss", "fprop gives 0 where the loss of the exercise is"),
        ("deletes", "deleted the folder"),
        ("right", r"printed \d{7} bytes"),
        ("memory", r"^memory\.py, line 3: MemoryError"),
        ("exits", "exit status 0, before the check was done"),
        ("segfault", "SIGSEGV"),
        ("numpy", r"^numpy\.py, line 2: EOFError"),
        ("missing", r"^missing\.py does not define bprop;"),
    ],
)
def test_what_went_wrong_is_said(graded, name, remark):
    one = by_name(graded[0])[name]
    assert any(re.search(remark, said) for said in one.remarks), one.remarks


def test_little_of_much_output_is_kept_and_nothing_that_a_terminal_obeys(graded):
    page = by_name(graded[0])["right"].page
    assert 1000 < len(page) < 40_000
    assert "\x1b" not in page
    assert "``````text\n`````|" in page  # the fence is longer than what it encloses


def test_there_is_a_page_for_each_and_a_table_of_all(graded):
    grades, folder, _ = graded
    out = folder / "out"
    expected = {f"{name}.md" for name in SUBMISSIONS} | {"grades.md", "grades.csv"}
    assert {p.name for p in out.iterdir()} == expected
    for one in grades:
        assert (out / f"{one.name}.md").read_text(encoding="utf-8") == one.page
    with (out / "grades.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["submission"]: row for row in csv.DictReader(file)}
    assert {name: row["outcome"] for name, row in rows.items()} == {
        one.name: one.outcome for one in grades
    }
    assert rows["wrong"]["W1"] == "right"
    assert rows["wrong"]["W2"].startswith("wrong: ")
    table = [x for x in (out / "grades.md").read_text(encoding="utf-8").splitlines() if "|" in x]
    assert len(table) == len(SUBMISSIONS) + 2
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1


def test_submissions_are_left_as_they_were(graded):
    _, folder, _ = graded
    assert {p.name for p in folder.iterdir()} == {
        *(f"{name}.py" for name in SUBMISSIONS), "notes.txt", "out"
    }  # fmt: skip
    for name, text in SUBMISSIONS.items():
        assert (folder / f"{name}.py").read_text() == text


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked up in /proc")
def test_one_that_loops_is_stopped_with_what_it_started(graded):
    (one,) = graded[2]
    assert one.outcome == "too slow"
    assert one.seconds < 30
    assert re.search(r'loops\.py", line 6', one.output)  # where it was
    pid = int(re.match(r"started (\d+)", one.output)[1])
    try:
        assert not alive(pid)
    except AssertionError:
        os.kill(pid, signal.SIGKILL)
        raise


def test_an_exercise_is_a_file_that_may_give_the_loss_too(tmp_path):
    exercise = tmp_path / "line.py"
    exercise.write_text(
        "import numpy as np\n"
        "def fprop(params, x, y):\n"
        "    return np.mean((x @ params['w'] - y) ** 2)\n"
        "params = lambda sizes, rng: {'w': rng.normal(size=sizes['d'])}\n"
        "batch = lambda s, rng: (rng.normal(size=(s['K'], s['d'])), rng.normal(size=s['K']))\n"
    )
    right = tmp_path / "a.py"
    right.write_text(
        "def bprop(params, x, y):\n    return {'w': 2 * x.T @ (x @ params['w'] - y) / len(y)}\n"
    )
    wrong = tmp_path / "b.py"
    wrong.write_text("def bprop(params, x, y):\n    return {'w': x.T @ (x @ params['w'] - y)}\n")
    grades = grade([right, wrong], exercise, out=tmp_path / "out", workers=2)
    assert [one.outcome for one in grades] == ["right", "wrong"]


def test_what_cannot_be_graded_is_refused_before_anything_runs(tmp_path):
    with pytest.raises(ValueError, match=r"no \.py file"):
        grade(tmp_path, "homework", out=tmp_path / "out")
    file = tmp_path / "a.py"
    file.write_text(RIGHT)
    with pytest.raises(ValueError, match="no exercise 'homewrok': no such file, and known are hom"):
        grade([file], "homewrok", out=tmp_path / "out")
    broken = tmp_path / "broken.py"
    broken.write_text("AXIS = 'rows'\n1 / 0\n")
    before = sys.path[:]
    with pytest.raises(ValueError, match=r"broken\.py, line 2: ZeroDivisionError"):
        grade([file], broken, out=tmp_path / "out")
    assert sys.path == before
    assert not (tmp_path / "out").exists()


def test_one_that_cannot_be_read_is_reported(tmp_path):
    (one,) = grade([tmp_path / "absent.py"], out=tmp_path / "out")
    assert one.outcome == "not checkable"
    assert "cannot be read" in one.remarks[0]


def test_pages_have_names_of_their_own():
    paths = [Path(p) for p in ("x/a.py", "y/A.py", "z/b.py", "q/grades.py", "q/c|d.py", "x/a.py")]
    assert _names(paths) == ["x-a", "y-A", "b", "grades-2", "c_d", "x-a-2"]


def test_a_table_shows_names_and_causes_as_they_are():
    verdicts = {"W|1": Verdict("wrong", ("|W| is\nmissing",))}
    one = Grade("a_b*c", Path("a_b*c.py"), "wrong", verdicts, ("<b>",), "", "", 1.0)
    *_, head, _, row = Grades([one]).markdown.splitlines()
    assert head == r"| submission | outcome | W\|1 | why |"
    assert row == (r"| [a\_b\*c](<a_b*c.md>) | wrong | wrong | W\|1: \|W\| is missing; \<b\> |")
