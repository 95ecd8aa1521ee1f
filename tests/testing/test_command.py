"""``python -m minigraph`` checks a file, and says what is missing in it."""

import subprocess
import sys

import pytest

from minigraph.__main__ import main
from minigraph.testing.diagnosis import Diagnosis, Verdict
from minigraph.testing.diagnosis.grading import submissions
from minigraph.testing.mistakes import LIBRARY, source

WRONG = source(
    next(m for m in LIBRARY if m.architecture == "columns" and m.causes == {"W2": "missing 1/K"})
)
LINE = """
import numpy as np
def fprop(params, x, y):
    return np.mean((x @ params["w"] - y) ** 2)
def bprop(params, x, y):
    return {"w": 2 * x.T @ (x @ params["w"] - y) / len(y)}
params = {"w": np.arange(3.0)}
batch = np.random.default_rng(0).normal(size=(6, 3)), np.arange(6.0)
"""


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", sys.path[:])  # the command adds the file's folder

    def written(text, name="my_homework.py"):
        path = tmp_path / name
        path.write_text(text)
        return str(path)

    return written


@pytest.fixture
def given(monkeypatch):
    """What check_bprop is called with; it is not run."""
    calls = []

    def check_bprop(*args, **options):
        calls.append(options)
        found = Diagnosis()
        found.verdicts["w"] = Verdict("right")
        return found

    monkeypatch.setattr(submissions, "check_bprop", check_bprop)
    return calls


def test_the_status_is_0_for_what_is_right(file, capsys):
    assert main(["check", file(LINE)]) == 0
    assert "right" in capsys.readouterr().out


def test_the_status_is_1_for_what_is_wrong_from_a_shell_too(file):
    command = [sys.executable, "-m", "minigraph", "check", file(WRONG)]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("bprop: W2 is wrong")
    assert not done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def fprop(): ...\nbatch = 1\n", "does not define bprop, params; what is needed is fprop"),
        ("x = (\n", "my_homework.py, line 1: SyntaxError: "),
        ("\n\nimport numpie\n", "my_homework.py, line 3: ModuleNotFoundError: No module named"),
        ("def f():\n    g()\nf()\n", "my_homework.py, line 2: NameError: name 'g'"),
        ("import sys\nsys.exit(0)\n", "my_homework.py, line 2: SystemExit: 0"),
        (f"{LINE}bprop = 3\n", "bprop is int, where a function is needed"),
        (f"{LINE}penalties = 'λ'\n", "penalties is 'λ', where how many there are is needed"),
        (f"{LINE}batch = 7\n", "batch is a pair (x, y)"),
        (f"{LINE}axis = 'up'\n", "axis is 'rows' or 'columns', not 'up'"),
        (f"{LINE}params = lambda s, r: s.d\n", "line 9: AttributeError: "),
    ],
)
def test_the_status_is_2_and_the_reason_is_said_if_it_cannot_be_checked(text, said, file, capsys):
    assert main(["check", file(text)]) == 2
    shown = capsys.readouterr()
    assert said in shown.err
    assert "Traceback" not in shown.err
    assert not shown.out


def test_a_function_that_exits_is_a_finding(file, capsys):
    text = f"{LINE}import sys\nfprop = lambda p, x, y: sys.exit(0)\n"
    assert main(["check", file(text)]) == 1
    assert "* fprop raises SystemExit: 0 (line 10)" in capsys.readouterr().out


def test_a_file_that_is_not_there(tmp_path, capsys):
    assert main(["check", str(tmp_path / "absent.py")]) == 2
    assert "absent.py: No such file" in capsys.readouterr().err


def test_a_fault_of_the_check_is_shown_in_full_and_is_not_called_wrong(file, monkeypatch, capsys):
    def check_bprop(*args, **options):
        raise RuntimeError("ours")

    monkeypatch.setattr(submissions, "check_bprop", check_bprop)
    assert main(["check", file(LINE)]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_the_seed_is_passed_on(file, given):
    assert main(["check", file(LINE), "--seed", "7"]) == 0
    assert main(["check", file(LINE)]) == 0
    assert [call["seed"] for call in given] == [7, 0]


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("PENALTIES = 2", "penalties", 2),
        ("penalties = [0.1, 0.2, 0.3]", "penalties", 3),
        ("penalties = 0", "penalties", None),
        ("AXIS = 'columns'", "axis", "columns"),
        ("axis, AXIS = 'rows', 'columns'", "axis", "rows"),
    ],
)
def test_names_may_be_written_as_constants(line, name, value, file, given):
    assert main(["check", file(f"{LINE}{line}\n")]) == 0
    found = given[0][name]
    assert (len(found) if name == "penalties" and found else found) == value


def test_an_exercise_gives_the_rest_but_never_the_backward_pass(file, given):
    bprop = "def bprop(params, x, y, lam): return 'mine'\n"
    exercise = file(f"{LINE}AXIS = 'rows'\n", "exercise.py")
    assert main(["check", file(f"{bprop}axis = 'columns'\n"), "--exercise", exercise]) == 0
    assert given[0]["axis"] == "rows"
    assert given[0]["bprop"](0, 0, 0, 0) == "mine"
    assert list(given[0]["params"]) == ["w"]


def test_the_main_part_of_a_file_is_not_run_and_nothing_is_left_beside_it(file, tmp_path, given):
    assert main(["check", file(f"{LINE}if __name__ == '__main__':\n    1 / 0\n")]) == 0
    assert [p.name for p in tmp_path.iterdir()] == ["my_homework.py"]


def test_what_a_file_imports_may_be_beside_it(file, given):
    file("half = 0.5\n", "beside_my_homework.py")
    assert main(["check", file(f"from beside_my_homework import half\n{LINE}")]) == 0


def test_grade_writes_a_table_and_its_status_is_1_if_one_is_not_right(file, tmp_path, capsys):
    file("x = (\n")
    out = tmp_path / "out"
    arguments = ["grade", str(tmp_path), "--exercise", "homework", "--out", str(out)]
    assert main(arguments) == 1
    assert "not checkable" in capsys.readouterr().out
    assert "not checkable" in (out / "grades.md").read_text(encoding="utf-8")


def test_grade_has_status_2_if_there_is_nothing_to_grade(tmp_path, capsys):
    assert main(["grade", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "no submissions" in capsys.readouterr().err


# derive

LOSS = """
import numpy as np
def loss(W, X):
    ha = X @ W
    return (ha * ha).sum()
arguments = np.ones((3, 2)), np.ones((5, 3))
"""
BY_NAME = "arguments = {'X': np.ones((5, 3)), 'W': np.ones((3, 2))}\n"


@pytest.mark.parametrize(
    ("more", "options", "lines"),
    [
        ("", (), ["def loss_and_gradients(W, X):", "ha = X @ W", "(grad_W, grad_X)"]),
        (f"{BY_NAME}argnums = 0\n", (), ["def loss_and_gradients(W, X):", "(grad_W,)"]),
        ("", ("--layout", "columns"), ["ha = W @ X"]),
        ("", ("--style", "fast"), ["def make_buffers(K):", "buffers=None"]),
    ],
)
def test_derive_prints_a_module(more, options, lines, file, capsys):
    assert main(["derive", file(LOSS + more), *options]) == 0
    source = capsys.readouterr().out
    compile(source, "source", "exec")
    assert source.endswith("\n")
    assert not source.endswith("\n\n")
    for line in lines:
        assert line in source


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def loss(W): ...\n", "does not define arguments; what is needed is loss, arguments"),
        (f"{LOSS}loss = 3\n", "my_homework.py: loss is int, where a function is needed"),
        (f"{LOSS}arguments = 3\n", "arguments is int, where a tuple or a dict of examples"),
        (f"{LOSS}arguments = (1.0,)\n", "are not those of loss: missing a required argument: 'X'"),
        (f"{LOSS}argnums = 2\n", "argnums has 2, but there are 2 arguments"),
        (f"{LOSS}loss = lambda W, X: W if W.sum() > 0 else X\n", "line 7: <lambda> asks for "),
        (f"{LOSS}loss = lambda W, X: W.no\n", "line 7: AttributeError: "),
        ("x = (\n", "my_homework.py, line 1: SyntaxError: "),
    ],
)
def test_derive_says_what_cannot_be_derived(text, said, file, capsys):
    assert main(["derive", file(text)]) == 2
    shown = capsys.readouterr()
    assert said in shown.err
    assert "Traceback" not in shown.err
    assert not shown.out


def test_a_command_is_asked_for(capsys):
    with pytest.raises(SystemExit) as error:
        main([])
    assert error.value.code == 2
    assert "COMMAND" in capsys.readouterr().err
