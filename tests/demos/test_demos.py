"""The demos, run as a user runs them: as scripts, from some folder of his own."""

import gzip
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

from demos.homework import by_hand, golden, table
from minigraph.train import read_log

DEMOS = Path(__file__).resolve().parents[2] / "demos"

# Runs a script as on a machine that has neither dot nor the stand-in that pip puts beside Python.
WITHOUT_DOT = """
import os, runpy, sys, sysconfig
os.environ["PATH"], sysconfig.get_path = "", lambda *given: "/nowhere"
sys.argv, sys.path[0] = sys.argv[1:], os.path.dirname(sys.argv[1])
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def run(folder, script, *options, status=0, dot=True, **environment):
    """Run a demo in `folder`; give what it printed, and what it printed as progress or error."""
    done = subprocess.run(
        [sys.executable, *([] if dot else ["-c", WITHOUT_DOT]), DEMOS / script, *map(str, options)],
        cwd=folder,
        env={**os.environ, "PYTHONWARNINGS": "error", **environment},
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == status, done.stderr
    return done.stdout, done.stderr


def rows(text):
    """Find the tables in a text: for each, entry → (hand, loop, matrix, graph, central, ratio)."""
    tables = []
    for line in text.splitlines():
        if line.startswith("parameter "):
            tables.append({})
        elif match := re.match(r"([Wb][12]\[\d+,\d+\])\s+(.+)", line):
            cells = re.split(r"\s{2,}", match[2].strip())
            tables[-1][match[1]] = [float(cell) for cell in cells[:5]] + cells[5:]
    return tables


def assert_agreement(entries):
    for *values, ratio in entries.values():
        np.testing.assert_allclose(values, values[0], rtol=0, atol=2e-8)
        assert ratio == "0 = 0" if values[3] == 0 else float(ratio) == pytest.approx(1, abs=1e-5)


# Quickstart


def test_quickstart_learns_the_circles_and_leaves_its_pictures(tmp_path, dot):
    out, progress = run(tmp_path, "quickstart.py")
    assert "test error 0.0000 (200 examples)" in out
    assert "loss=" in progress
    assert "100/100" in progress
    (entries,) = rows(out)
    assert len(entries) == 12
    assert_agreement(entries)
    difference = re.search(r"within (\S+) of the formulas by hand, (\S+) of central", out)
    assert float(difference[1]) < 1e-14
    assert float(difference[2]) < 1e-8
    folder = tmp_path / "out"
    assert sorted(path.name for path in folder.iterdir()) == [
        "graph.gv",
        "graph.svg",
        "regions.png",
    ]
    for path in folder.iterdir():
        assert str(Path("out", path.name)) in out
    assert (folder / "regions.png").read_bytes().startswith(b"\x89PNG")
    ElementTree.parse(folder / "graph.svg")
    assert list(tmp_path.iterdir()) == [folder]


def test_quickstart_without_dot_says_what_is_missing_and_ends_well(tmp_path):
    out, _ = run(tmp_path, "quickstart.py", "--epochs", 1, "--out", tmp_path / "a" / "b", dot=False)
    assert "apt install graphviz" in out
    folder = tmp_path / "a" / "b"
    assert sorted(path.name for path in folder.iterdir()) == ["graph.gv", "regions.png"]


def test_quickstart_repeats_itself_by_its_seed(tmp_path):
    options = ["quickstart.py", "--epochs", 1, "--out", tmp_path, "--seed"]
    first, again, other = (run(tmp_path, *options, seed, PATH="")[0] for seed in (1, 1, 2))
    assert first == again != other


# Two circles


def networks(out):
    """Find the rows of the tables: (dh, λ, epochs) → (loss, error) of train, valid and test."""
    pattern = r"dh = (\d+), λ = (\S+) +(\d+)" + 6 * r" +(\d\.\d+)"
    return {
        (int(dh), float(lam), int(epochs)): np.array(measured, float).reshape(3, 2)
        for dh, lam, epochs, *measured in re.findall(pattern, out)
    }


def test_two_hidden_units_cannot_learn_the_circles_and_eight_or_twenty_can(tmp_path):
    options = ["--epochs", 20, "--penalty", 0, "--noisy-epochs", 40, "--patience", 4]
    out, _ = run(tmp_path, "two_circles.py", *options, "--seeds", 2)
    found = networks(out)
    assert set(found) == {(2, 0, 20), (8, 0, 20), (20, 0, 20)}
    for (dh, _, _), measured in found.items():
        for _, error in measured:
            assert 0.25 < error < 0.6 if dh == 2 else error == 0
    smallest, largest = re.search(
        r"dh = 2: 0 from 0 of 2 seeds, smallest (\S+), largest (\S+)", out
    ).groups()
    assert 0.25 < float(smallest) < float(largest) < 0.6  # seeds decide the result,
    again = found[2, 0, 20][2, 1]  # and only they do
    assert pytest.approx(again, abs=6e-4) in (float(smallest), float(largest))
    assert "dh = 8: 0 from 2 of 2 seeds" in out

    kept, stopped, last = re.search(
        r"stopped, kept epoch (\d+) +(\d+) .*\nto the end +(\d+) ", out
    ).groups()
    assert int(kept) + 4 == int(stopped) < int(last) == 40
    assert "ended by patience: no smaller validation loss for 4 epochs" in out
    names = ("curves_20", "regions_20", "stopping")
    folder = tmp_path / "out"
    assert sorted(path.name for path in folder.iterdir()) == [f"circles_{n}.png" for n in names]
    for path in folder.iterdir():
        assert path.read_bytes().startswith(b"\x89PNG")
        assert str(Path("out", path.name)) in out


def test_circles_stay_unlearned_with_a_large_penalty(tmp_path):
    options = ["--hidden", 8, "--penalty", 0.03, "--epochs", 10, "--noisy-epochs", 1]
    out, _ = run(tmp_path, "two_circles.py", *options, "--seeds", 0, "--suffix", ".svg")
    (measured,) = networks(out).values()
    np.testing.assert_allclose(measured[:, 0], np.log(2), atol=0.01)
    assert (measured[:, 1] > 0.4).all()
    for path in (tmp_path / "out").iterdir():
        ElementTree.parse(path)


# The drawings


def test_draw_mlp_leaves_its_pictures(tmp_path, dot):
    out, _ = run(tmp_path, "draw_mlp.py")
    assert "z1 = x @ W1 + b1" in out
    names = ["mlp_backward", "mlp_blackboard", "mlp_forward", "residual", "residual_block"]
    files = {path.name for path in (tmp_path / "out").iterdir()}
    pictures = {f"{name}{suffix}" for name in names for suffix in (".gv", ".svg")}
    assert files == pictures | {"mlp_steps.txt", "mlp_steps.html"}
    assert "∂W1 += xᵀ @ ∂z1" in (tmp_path / "out" / "mlp_steps.html").read_text(encoding="utf-8")
    for name in names:
        ElementTree.parse(tmp_path / "out" / f"{name}.svg")
        assert str(Path("out", f"{name}.svg")) in out
    lines = (tmp_path / "out" / "residual.gv").read_text(encoding="utf-8").splitlines()
    assert any("24 × 6 nodes" in line for line in lines)
    assert len(lines) < 25


def test_draw_mlp_without_dot_leaves_the_texts(tmp_path):
    out, _ = run(tmp_path, "draw_mlp.py", "--out", tmp_path / "a", dot=False)
    assert "apt install graphviz" in out
    assert {path.suffix for path in (tmp_path / "a").iterdir()} == {".gv", ".txt"}


# The homework's gradients


@pytest.fixture(scope="module")
def homework(tmp_path_factory):
    return run(tmp_path_factory.mktemp("homework"), "homework_gradients.py")[0]


def test_all_ways_agree_in_all_tables(homework):
    tables = rows(homework)
    assert [len(entries) for entries in tables] == [12] * 6  # P1, P2, P4, P4 penalised, P7, P7
    for entries in tables:
        assert_agreement(entries)
    worst = re.findall(r"hand (\S+), loop (\S+), matrix (\S+), central (\S+)", homework)
    assert len(worst) == 6
    for hand, loop, matrix, central in np.array(worst, dtype=float):
        assert max(hand, loop, matrix) < 1e-15
        assert central < 1e-9


@pytest.mark.parametrize(("at", "printed"), [(4, golden.P7_ONE), (5, golden.P7_LOOP)])
def test_p7_shows_the_printed_numbers(homework, at, printed):
    for entry, values in rows(homework)[at].items():
        name, j, k = re.fullmatch(r"(\w+)\[(\d+),(\d+)\]", entry).groups()
        assert values[3] == pytest.approx(printed[name][int(j), int(k)], abs=1.5e-8)


def test_penalties_change_the_weights_gradients_only(homework):
    plain, penalised = rows(homework)[2:4]
    for entry, values in plain.items():
        assert (values[3] == penalised[entry][3]) == entry.startswith("b")


def test_it_says_what_the_homework_got_wrong(homework):
    assert "W1 10.00, b1 1.00, W2 10.00, b2 1.00 times the above" in homework
    assert "6 legible ones, all met to 5e-09" in homework


def test_p6_shows_the_shapes_of_one_example_and_of_a_minibatch(homework):
    lines = [" ".join(line.split()) for line in homework.splitlines()]
    for line in (
        "ha old W1 @ x + b1 dh×d @ d×1 + dh×1 -> dh×1",
        "new W1 @ x + b1 dh×d @ d×K + dh×1 -> dh×K",
        "grad_W2 old grad_oa @ hsᵀ m×1 @ 1×dh -> m×dh",
        "new grad_oa @ hsᵀ m×K @ K×dh -> m×dh",
        "new W1ᵀ @ grad_ha d×dh @ dh×K -> d×K",
    ):
        assert line in lines


# The table


def test_the_table_shows_a_wrong_gradient():
    parameters = by_hand.Parameters(**golden.P5_PARAMETERS)
    x, y, lam = golden.X, golden.Y, (0.1, 0.2, 0.3, 0.4)
    right = table.compute(parameters, x, y, by_hand.Parameters(*parameters), lam).loop
    wrong = right._replace(W2=10 * right.W2)
    for graph, least in ((right, 0), (wrong, 0.1)):
        worst = table.largest_differences(table.compute(parameters, x, y, graph, lam))
        assert list(worst) == ["hand", "loop", "matrix", "central"]
        assert all(least <= value < least + 9 * (least > 0) + 1e-9 for value in worst.values())
    text = "\n".join(table.lines(table.compute(parameters, x, y, wrong, lam)))
    assert {float(e[-1]) for n, e in rows(text)[0].items() if n.startswith("W2")} == {0.1}


def test_formulas_for_single_entries_are_those_for_matrices():
    rng = np.random.default_rng(0)
    parameters = by_hand.Parameters(
        *(p + rng.normal(size=p.shape) for p in by_hand.init(3, 5, 4, rng))
    )
    x, y, lam = rng.normal(size=(3, 7)), rng.integers(4, size=7), (0.1, 0.2, 0.3, 0.4)
    gradients = table.compute(parameters, x, y, parameters, lam)
    for ours, matrix in zip(gradients.hand, gradients.matrix):
        np.testing.assert_allclose(ours, matrix, rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    ("graph", "central", "shown"),
    [
        (0.0, 1e-11, "0 = 0"),
        (0.0, 1e-3, "inf"),
        (2.0, 2.0, "1.00000000"),
        (-1.0, 2.0, "-2.00000000"),
    ],
)
def test_ratio(graph, central, shown):
    assert table.ratio(graph, central).strip() == shown


# Fashion-MNIST


def test_fashion_mnist_chooses_by_validation_and_draws_from_its_log(tmp_path, fashion_mnist):
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "fashion_mnist.jsonl").write_text("of a run before", encoding="utf-8")
    options = ["--limit", 4800, "--epochs", 2, "--hidden", 20, "--folder", fashion_mnist]
    out, _ = run(tmp_path, "fashion_mnist.py", *options)
    assert "train: 4000 images, valid: 800 images, test: 4800 images" in out
    assert "for 2 epochs of 40 minibatches" in out
    figures = {f"fashion_mnist_{name}.png" for name in ("loss", "error", "confusion", "filters")}
    assert {path.name for path in folder.iterdir()} == figures | {
        "fashion_mnist.jsonl",
        "fashion_mnist_search",
    }
    for path in [*map(folder.joinpath, figures), folder / "fashion_mnist.jsonl"]:
        assert str(path.relative_to(tmp_path)) in out
    assert list(tmp_path.iterdir()) == [folder]

    # The choice is the best of the search, which had no test; its run again is the same.
    search = {path.stem: read_log(path) for path in (folder / "fashion_mnist_search").iterdir()}
    assert len(search) == 3 * 3
    for log in search.values():
        assert log["test_error"] == log["test_loss"] == [None, None]
        assert log["examples"] == [4000, 4000]
        assert log.configuration["parameters"]["W1"].startswith("float32")
        assert "test" not in log.configuration["examples"]
    chosen = re.search(r"chosen by validation: 784-(\d+)-10, learning rate (\S+), λ = (\S+)", out)
    best = search["_".join(chosen.groups())]
    assert best["valid_error"][-1] == min(log["valid_error"][-1] for log in search.values())
    log = read_log(folder / "fashion_mnist.jsonl")
    for column in ("train_loss", "train_error", "valid_loss", "valid_error"):
        assert log[column] == best[column]
    assert log["epoch"] == [1, 2]
    assert max(log["train_error"][-1], log["valid_error"][-1], log["test_error"][-1]) < 0.4

    (test,) = re.findall(r"test error (\S+) \(4800 images\)", out)
    assert float(test) == pytest.approx(log["test_error"][-1], abs=5e-5)
    assert out.endswith(f"test error {test} (4800 images)\n")
    assert out.count("test") == 2  # the sizes, and this: it is not shown before


def test_without_the_data_it_names_three_ways_to_get_them(tmp_path):
    out, error = run(tmp_path, "fashion_mnist.py", "--folder", tmp_path, status=1)
    assert out == ""
    for way in ("apt install dataset-fashion-mnist", "MINIGRAPH_DATA", "folder="):
        assert way in error
    assert "Traceback" not in error


def test_damaged_data_are_named_without_a_traceback(tmp_path):
    for part in ("train", "t10k"):
        for kind in ("images-idx3", "labels-idx1"):
            (tmp_path / f"{part}-{kind}-ubyte.gz").write_bytes(gzip.compress(b"not this")[:-4])
    _, error = run(tmp_path, "fashion_mnist.py", status=1, MINIGRAPH_DATA=str(tmp_path))
    assert "train-images-idx3-ubyte.gz" in error
    assert "Traceback" not in error


# Loop and matrices


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_loop_matrix_and_graph_see_each_example_once_and_agree(tmp_path, fashion_mnist, dtype):
    options = ["--limit", 250, "--folder", fashion_mnist, "--dtype", dtype]
    out, _ = run(tmp_path, "loop_vs_matrix.py", *options)
    assert f"784-50-10 in {dtype}, one thread: 3 minibatches of 100" in out
    assert "extrapolated" not in out
    path = tmp_path / "out" / f"loop_vs_matrix_{dtype}.json"
    assert str(path.relative_to(tmp_path)) in out
    result = json.loads(path.read_text(encoding="utf-8"))
    loop, matrix, graph = result["versions"]
    assert loop["examples"] == matrix["examples"] == graph["examples"] == 250
    assert loop["ratio"] == 1
    assert matrix["ratio"] == pytest.approx(loop["seconds"] / matrix["seconds"])
    assert min(matrix["ratio"], graph["ratio"]) > 1
    for version in (matrix, graph):
        assert version["loss"] == pytest.approx(loop["loss"], rel=1e-5)
    assert loop["loss"] < np.log(10)
    assert result["dtype"] == dtype  # of the parameters at the end
    assert max(result["largest_difference_from_matrix"].values()) < 100 * np.finfo(dtype).eps


def test_a_part_of_the_loop_is_said_to_be_extrapolated(tmp_path, fashion_mnist):
    options = ["--limit", 250, "--folder", fashion_mnist, "--loop-batches", 1, "--out", "here"]
    out, _ = run(tmp_path, "loop_vs_matrix.py", *options)
    assert "the loop ran 1 of 3 minibatches: extrapolated, its epoch takes" in out
    result = json.loads((tmp_path / "here" / "loop_vs_matrix_float32.json").read_text())
    loop, matrix, _ = result["versions"]
    assert (loop["examples"], matrix["examples"]) == (100, 250)
    assert result["loop_epoch_seconds"] == pytest.approx(2.5 * loop["seconds"])
    assert matrix["ratio"] == pytest.approx(result["loop_epoch_seconds"] / matrix["seconds"])
    assert result["largest_difference_from_matrix"]["loop"] < 1e-5


def test_loop_vs_matrix_without_the_data_says_how_to_get_them(tmp_path):
    _, error = run(tmp_path, "loop_vs_matrix.py", "--folder", tmp_path, status=1)
    assert "apt install dataset-fashion-mnist" in error
    assert "Traceback" not in error


# Derivatives of derivatives


def test_newton_learns_the_circles_where_gradient_descent_has_hardly_begun(tmp_path):
    out, error = run(tmp_path, "higher_order.py", "--steps", 40)
    assert error == ""
    assert "derivatives at 0: 0 1 0 -2 0 16\n" in out
    (asymmetry,) = re.findall(r"Hessian \(42, 42\), largest asymmetry (\S+)", out)
    assert float(asymmetry) < 1e-14
    ends = {
        name: (float(risk), float(slope))
        for name, risk, slope in re.findall(r"(.+): risk .+ to (\S+), largest slope (\S+)", out)
    }
    assert ends["Newton"][0] < 0.01 < 0.5 < ends["gradient descent"][0]
    assert ends["Newton"][1] < 1e-8
    for name in ("tower", "newton"):
        path = tmp_path / "out" / f"{name}.png"
        assert path.read_bytes().startswith(b"\x89PNG")
        assert str(path.relative_to(tmp_path)) in out


def test_physics_aims_as_hohmann_did(tmp_path):
    out, error = run(tmp_path, "physics.py", "--steps", 200)
    assert error == ""
    misses = [float(miss) for miss in re.findall(r"misses by (\S+)", out)]
    assert misses[0] > 0.1
    assert misses[-1] < 1e-12
    found, formula = re.search(
        r"a push of (\S+) km/s; by Hohmann's formula (\S+) km/s", out
    ).groups()
    assert float(found) == pytest.approx(float(formula), abs=0.002)
    (difference,) = re.findall(r"within (\S+) of differences", out)
    assert float(difference) < 1e-6
    assert (tmp_path / "out" / "physics.png").read_bytes().startswith(b"\x89PNG")


# The homework, derived


def test_the_homework_is_derived_in_both_layouts_and_is_what_was_derived_by_hand(tmp_path):
    out, error = run(tmp_path, "derive_homework.py")
    assert not error
    columns, rows = re.findall(r"largest difference from by hand, (\w+): (\S+)", out)
    assert (columns[0], rows[0]) == ("columns", "rows")
    assert max(float(columns[1]), float(rows[1])) < 1e-13
    items = re.split(r"\n\n(?=\w+: U\d+)", out)[1:]
    assert len(items) == 13
    grad_hs = next(item for item in items if item.startswith("grad_hs"))
    lines = [line.split(maxsplit=1) for line in grad_hs.splitlines()[1:]]
    assert [line[0] for line in lines] == ["by", "columns", "rows"]
    assert re.fullmatch(r"W2\.T @ grad_oa +\(5, K\)", lines[1][1])
    assert re.fullmatch(r"grad_oa @ W2\.T +\(K, 5\)", lines[2][1])
