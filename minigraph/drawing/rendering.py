"""Pictures of DOT text, by graphviz's `dot` or graphviz-pure; files that appear or stay whole."""

import html
import os
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import graphviz

from minigraph.files import as_path, write_whole

__all__ = ["DotFailed", "DotNotFound", "Drawing"]

TEXT_SUFFIXES = (".gv", ".dot", ".txt")
PICTURE_SUFFIXES = (".svg", ".png", ".pdf", ".jpg", ".html")
TIME_LIMIT = 600.0  # seconds; dot takes more than a minute for 10,000 nodes
NOTEBOOK_TIME_LIMIT = 30.0  # a notebook would seem to hang
NOTEBOOK_LENGTH = 1_000_000  # of DOT text: beyond, not even that is enough
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>body {{ margin: 1em; }}</style>
</head>
<body>
{svg}</body>
</html>
"""


class DotNotFound(graphviz.ExecutableNotFound):  # type: ignore[misc]
    """A picture was asked for, but graphviz's program `dot` is not installed."""

    def __init__(self, what: str) -> None:
        RuntimeError.__init__(
            self,
            f"{what}: a picture needs the program `dot`, which was not found on PATH; get it with "
            "`apt install graphviz`, `brew install graphviz`, `winget install graphviz` or "
            "`conda install graphviz`, or get a stand-in with `pip install minigraph[dot]`. "
            "print(drawing) and render('graph.gv') need none of these",
        )


class DotFailed(RuntimeError):
    """The program that makes the picture failed, or did not end in time."""


class Drawing:
    """A drawn graph: text, which other programs read too, and pictures made of it.

    ``str(drawing)`` lists what is drawn, one line each. Everything is copied when it is made: what
    happens to the tensors later does not change it.

    Attributes
    ----------
    source : str
        The graph in the DOT language; the same graph always gives the same text.
    n_nodes : int
        How many tensors and arrays the graph has.
    n_drawn : int
        How many of them are drawn, by themselves or as part of a folded scope or an expression.
    """

    def __init__(
        self, source: str, listing: str, n_nodes: int, n_drawn: int, title: str = ""
    ) -> None:
        self.source = source
        self.n_nodes = n_nodes
        self.n_drawn = n_drawn
        self._listing = listing
        self._title = title

    @property
    def graphviz(self) -> Any:
        """The text as a `graphviz.Source`, with every option of that package."""
        return graphviz.Source(self.source)

    def render(self, path: str | os.PathLike[str]) -> Path:
        """Write the drawing into a file, which is replaced only when all went well.

        Parameters
        ----------
        path : path-like
            Its suffix decides: .gv and .dot are DOT text and .txt the listing; .svg, .png, .pdf
            and .jpg are pictures, and .html is a page with one.

        Returns
        -------
        pathlib.Path
            The file.

        Raises
        ------
        ValueError
            If the suffix is another.
        DotNotFound
            If a picture is asked for and `dot` is not installed; a `graphviz.ExecutableNotFound`.
        DotFailed
            If `dot` fails, or takes longer than ten minutes.
        OSError
            If the file cannot be written.
        """
        path = as_path(path, "render: path")
        suffix = path.suffix.lower()
        if suffix not in TEXT_SUFFIXES + PICTURE_SUFFIXES:
            known = ", ".join((*TEXT_SUFFIXES, *PICTURE_SUFFIXES))
            raise ValueError(
                f"render: {path.name!r} has suffix {path.suffix!r}, not one of {known}"
            )
        return write_whole(path, self._content(suffix[1:], f"render({path.name!r})"))

    def _content(self, format: str, what: str) -> bytes:
        if format == "txt":
            return f"{self}\n".encode()
        if format in ("gv", "dot"):
            return self.source.encode()
        if format == "html":
            svg = laid_out(self.source, "svg", what).decode()
            title = html.escape(self._title or "minigraph")
            return PAGE.format(title=title, svg=svg[svg.index("<svg") :]).encode()
        return laid_out(self.source, format, what)

    def svg(self) -> str:
        """Give the picture as SVG text.

        Raises
        ------
        DotNotFound, DotFailed
            As `render` does.
        """
        return laid_out(self.source, "svg", "svg()").decode()

    def __str__(self) -> str:
        return self._listing

    def __repr__(self) -> str:
        some = f"{self.n_drawn:,} of " if self.n_drawn != self.n_nodes else ""
        return f"<Drawing of {some}{self.n_nodes:,} node{'s' * (self.n_nodes != 1)}>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """Show the picture in a notebook, or the listing and why there is no picture."""
        bundle = {"text/plain": str(self)}
        if include and "image/svg+xml" not in include:
            return bundle
        if exclude and "image/svg+xml" in exclude:
            return bundle
        if len(self.source) > NOTEBOOK_LENGTH:
            bundle["text/plain"] = f"{self!r}, too many to show here; use .render('graph.svg')"
            return bundle
        try:
            picture = laid_out(self.source, "svg", "the picture", NOTEBOOK_TIME_LIMIT)
            bundle["image/svg+xml"] = picture.decode()
        except Exception as error:
            bundle["text/plain"] += f"\n{error}"
        return bundle


def laid_out(source: str, format: str, what: str, limit: float = TIME_LIMIT) -> bytes:
    """Let `dot`, or graphviz-pure in its place, make a picture of DOT text.

    Raises
    ------
    DotNotFound
        If there is neither.
    DotFailed
        If it fails, with what it said, or takes more than `limit` seconds.
    """
    program = shutil.which("dot") or _stand_in()
    if program is None:
        raise DotNotFound(what)
    if format == "pdf" and "pure" in Path(program).name:
        raise DotFailed(f"{what}: graphviz-pure writes no PDF; take .svg or .png, or install dot")
    try:
        run = subprocess.run(
            [program, f"-T{format}"], input=source.encode(), capture_output=True, timeout=limit
        )
    except subprocess.TimeoutExpired:
        raise DotFailed(
            f"{what}: {program} did not end within {limit:.0f} s; draw less, by max_nodes, depth "
            "or focus"
        ) from None
    if run.returncode or not run.stdout:
        said = run.stderr.decode(errors="replace").strip() or "nothing"
        raise DotFailed(f"{what}: {program} failed (status {run.returncode}) and said: {said}")
    return run.stdout


def _stand_in() -> str | None:
    """Find graphviz-pure, which pip puts beside Python, on PATH or not."""
    scripts = sysconfig.get_path("scripts")
    return shutil.which("graphviz-pure") or shutil.which("graphviz-pure", path=scripts)
