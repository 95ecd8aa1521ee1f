"""Drawings of recorded graphs: DOT text always, pictures where graphviz's `dot` is found."""

import os
from pathlib import Path
from typing import Any

import graphviz

from minigraph.drawing.dot import source
from minigraph.graph import Graph
from minigraph.tensor import Tensor

__all__ = ["DotNotFound", "Drawing", "draw"]

TEXT_SUFFIXES = (".gv", ".dot")
PICTURE_SUFFIXES = (".svg", ".png", ".pdf")
NOTEBOOK_NODES = 1000  # dot takes minutes for more, and a notebook would seem to hang


class DotNotFound(graphviz.ExecutableNotFound):  # type: ignore[misc]
    """A picture was asked for, but graphviz's program `dot` is not installed."""

    def __init__(self, what: str) -> None:
        RuntimeError.__init__(
            self,
            f"{what}: a picture needs the program `dot`, which was not found on PATH; get it with "
            "`apt install graphviz`, `brew install graphviz`, `winget install graphviz` or "
            "`conda install graphviz`. The text of the graph needs none: render('graph.gv')",
        )


class Drawing:
    """A drawn graph: text, which other programs read too, and pictures made of it.

    Attributes
    ----------
    source : str
        The graph in the DOT language; the same graph always gives the same text.
    n_nodes : int
        How many tensors and arrays are drawn.
    """

    def __init__(self, source: str, n_nodes: int) -> None:
        self.source = source
        self.n_nodes = n_nodes

    def render(self, path: str | os.PathLike[str]) -> Path:
        """Write the drawing into a file, which is replaced only when all went well.

        Parameters
        ----------
        path : path-like
            Its suffix decides: .gv and .dot are text; .svg, .png and .pdf are pictures.

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
        OSError
            If the file cannot be written.
        """
        path = Path(path)
        suffix = path.suffix.lower()
        if suffix in TEXT_SUFFIXES:
            content = self.source.encode()
        elif suffix in PICTURE_SUFFIXES:
            content = self._pipe(suffix[1:], f"render({path.name!r})")
        else:
            known = ", ".join((*TEXT_SUFFIXES, *PICTURE_SUFFIXES))
            raise ValueError(
                f"render: {path.name!r} has suffix {path.suffix!r}, not one of {known}"
            )
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            unfinished.write_bytes(content)
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
        return path

    def svg(self) -> str:
        """Give the picture as SVG text.

        Raises
        ------
        DotNotFound
            If `dot` is not installed.
        """
        return self._pipe("svg", "svg()").decode()

    def _pipe(self, format: str, what: str) -> bytes:
        try:
            return graphviz.Source(self.source).pipe(format=format)  # type: ignore[no-any-return]
        except graphviz.ExecutableNotFound:
            raise DotNotFound(what) from None

    def __repr__(self) -> str:
        return f"<Drawing of {self.n_nodes} nodes>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """Show the picture in a notebook, or say why there is none."""
        if self.n_nodes > NOTEBOOK_NODES:
            return {"text/plain": f"{self!r}, too many to show here; use .render('graph.svg')"}
        try:
            return {"text/plain": repr(self), "image/svg+xml": self.svg()}
        except Exception as error:
            return {"text/plain": f"{self!r}\n{error}"}


def draw(*outputs: Tensor) -> Drawing:
    """Draw the graph behind some outputs: for each tensor its op, name, dtype and shape.

    Blue and rounded is an input (a named leaf), yellow with a thick border a parameter (a leaf
    that requires a gradient), white and dashed a constant, white an op, green with a double border
    an output. Boxes are the `minigraph.scope`; no gradient flows along a dashed arrow.

    Parameters
    ----------
    *outputs : Tensor
        Where the graph ends; at least one.

    Returns
    -------
    Drawing
        Its `source` is DOT text; `render` writes a file; a notebook shows it as it is.

    Raises
    ------
    TypeError
        If there are no outputs, or they are not Tensors.

    Examples
    --------
    >>> import minigraph as mg
    >>> x = mg.Tensor([1.0, 2.0], requires_grad=True, name="x")
    >>> drawing = draw((x * x).sum())
    >>> drawing
    <Drawing of 3 nodes>
    >>> [line for line in drawing.source.splitlines() if "->" in line]
    ['n0 -> n1', 'n0 -> n1', 'n1 -> n2']
    """
    if not outputs:
        raise TypeError("draw: give at least one output Tensor")
    graph = Graph(*outputs)
    text, n_nodes = source(graph)
    return Drawing(text, n_nodes)
