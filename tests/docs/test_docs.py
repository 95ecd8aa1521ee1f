"""What the documentation shows is what happens: every example runs, every shown output is compared.

In a page, blocks marked ``python`` run in order in one namespace, as a reader would type them. A
block that begins with ``>>>`` is a doctest. A block marked ``text`` straight after a Python block
is what that block prints; ``...`` in it stands for anything. In a table
with a column "minigraph", every piece of code in that column runs too.
"""

import contextlib
import doctest
import importlib.util
import io
import linecache
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from minigraph.numpy_rules import RULES

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMANDS = (
    "pip install -e '.[demos]' && python demos/quickstart.py",
    "pip install -e '.[test]' && pytest",
)


class Example(NamedTuple):
    """A piece of a page that can be run."""

    line: int  # of its first line of code, counted from 1
    code: str
    output: str | None = None  # what it prints, where the page says so


def examples(text: str) -> Iterator[Example]:
    """Find what can be run in a page of Markdown, in order."""
    lines = text.splitlines()
    column: int | None = None  # of a table, the one whose code is ours
    i = 0
    while i < len(lines):
        line = lines[i]
        if fence := re.match(r"(`{3,})(\S*)", line):
            body, after = _fenced(lines, i, fence[1])
            if fence[2] == "python":
                output = None
                start = after + 1 if after < len(lines) and not lines[after].strip() else after
                if start < len(lines) and lines[start] == "```text":
                    shown, after = _fenced(lines, start, "```")
                    output = "\n".join(shown)
                yield Example(i + 2, "\n".join(body), output)
            i, column = after, None
            continue
        cells = re.split(r"(?<!\\)\|", line)[1:-1] if line.startswith("|") else []
        if not cells:
            column = None
        elif column is None:
            names = [cell.strip() for cell in cells]
            column = names.index("minigraph") if "minigraph" in names else -1
        elif column >= 0:
            for code in re.findall(r"`([^`]+)`", cells[column]):
                yield Example(i + 1, code.replace(r"\|", "|"))
        i += 1


def _fenced(lines: list[str], start: int, fence: str) -> tuple[list[str], int]:
    end = lines.index(fence, start + 1)
    return lines[start + 1 : end], end + 1


def run(page: str, example: Example, namespace: dict[str, Any]) -> None:
    """Run one example as its page says; whatever differs is an AssertionError."""
    if example.code.lstrip().startswith(">>>"):
        test = doctest.DocTestParser().get_doctest(
            example.code, namespace, page, page, example.line - 1
        )
        report = io.StringIO()
        doctest.DocTestRunner(verbose=False).run(test, out=report.write, clear_globs=False)
        namespace.update(test.globs)
        assert not report.getvalue(), report.getvalue()
        return
    source = "\n" * (example.line - 1) + example.code
    linecache.cache[page] = len(source), None, source.splitlines(keepends=True), page
    code = compile(source, page, "exec")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code, namespace)
    if example.output is not None:
        shown, got = example.output.rstrip(), printed.getvalue().rstrip()
        same = doctest.OutputChecker().check_output(shown + "\n", got + "\n", doctest.ELLIPSIS)
        assert same, f"{page}:{example.line} shows\n{shown}\nbut prints\n{got}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_example_of_a_page_runs_and_prints_what_is_shown(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(ROOT)  # `demos`, as for a reader who sits in the checkout
    namespace: dict[str, Any] = {"__name__": "__main__"}
    rules = RULES.copy()
    try:
        for example in examples(page.read_text(encoding="utf-8")):
            run(page.name, example, namespace)
    finally:  # a page's own op does not answer for NumPy's function in other tests
        RULES.clear()
        RULES.update(rules)


def test_a_wrong_output_a_wrong_doctest_and_a_broken_cell_are_noticed() -> None:
    block = "```python\nprint(6 * 7)\n```\n\n```text\n42\n```\n"
    right = block + "\n| minigraph |\n|---|\n| `a = 1` |\n"
    for page in (right, "```python\n>>> 6 * 7\n42\n```\n"):
        for example in examples(page):
            run("page", example, {})
        (first, *_) = examples(page.replace("42", "41"))
        with pytest.raises(AssertionError):
            run("page", first, {})
    (*_, cell) = examples(right.replace("a = 1", "1 / 0"))
    with pytest.raises(ZeroDivisionError):
        run("page", cell, {})


def test_the_readme_begins_with_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = [text.index(command) for command in COMMANDS]
    assert found == sorted(found)
    assert found[-1] < text.index("```python")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_a_page_points_to_exists(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    links = [link for link in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in link]
    paths = [page.parent / link for link in links]
    folders = "minigraph|demos|tests|docs|benchmarks|.ci"
    paths += [ROOT / name for name in re.findall(rf"`((?:{folders})/[\w./]*)`", text)]
    assert [path for path in paths if not path.exists()] == []


TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_test_that_a_page_names_exists(page: Path) -> None:
    named = TEST.findall(page.read_text(encoding="utf-8"))
    assert [name for name in named if not _holds(*name)] == []


def test_every_promise_names_a_test() -> None:
    text = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")
    assert len(set(TEST.findall(text))) >= 50
    for promise in re.findall(r"^- .*\\\n.*", text, re.M):
        assert TEST.search(promise), promise
    in_table = re.search(r"`(tests/[\w/]+\.py)::` \|\n\|[-|]+\n((?:\|.*\n)+)", text)
    assert in_table is not None
    rows = [row.split("|")[-2].strip(" `") for row in in_table[2].splitlines()]
    assert [row for row in rows if not _holds(in_table[1], row)] == []


def _holds(path: str, test: str) -> bool:
    file = ROOT / path
    return file.exists() and f"def {test}(" in file.read_text(encoding="utf-8")


def test_the_documentation_builds_without_a_warning(tmp_path: Path) -> None:
    missing = [m for m in ("sphinx", "myst_parser", "numpydoc", "furo") if not _installed(m)]
    if missing:
        message = f"{', '.join(missing)} not installed: pip install -e '.[docs]'"
        if "CI" in os.environ:
            pytest.fail(message)
        pytest.skip(message)
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-E"]
    command += ["-d", str(tmp_path / "doctrees"), str(ROOT / "docs"), str(tmp_path / "html")]
    built = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert built.returncode == 0, built.stdout + built.stderr
    assert "softmax_nll" in (tmp_path / "html" / "ops.html").read_text(encoding="utf-8")


def _installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None
