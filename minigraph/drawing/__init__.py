"""Drawings of recorded graphs, and pages that step through them."""

from minigraph.drawing.dot import source
from minigraph.drawing.gradients import Gradients
from minigraph.drawing.listing import listing
from minigraph.drawing.picture import Options, check_title, check_whole, picture
from minigraph.drawing.recording import Recording
from minigraph.drawing.rendering import DotFailed, DotNotFound, Drawing
from minigraph.drawing.stepping import Steps, steps_of
from minigraph.graph import Graph
from minigraph.tensor import Tensor

__all__ = ["DotFailed", "DotNotFound", "Drawing", "Steps", "draw", "steps"]


def draw(
    *outputs: Tensor,
    values: bool = True,
    grads: bool = False,
    depth: int | None = None,
    fold: bool = False,
    max_nodes: int | None = 200,
    focus: Tensor | None = None,
    backward: bool = False,
    rankdir: str = "TB",
    legend: bool = True,
    title: str = "",
) -> Drawing:
    """Draw the graph behind some outputs: each tensor with its op, shape, values and gradient.

    Blue and rounded is an input (a named leaf), yellow with a thick border a parameter (a leaf
    that requires a gradient), white and dashed a constant, white an op, green with a double border
    an output. Boxes are the `minigraph.scope`; no gradient flows along a dashed arrow.

    Parameters
    ----------
    *outputs : Tensor
        Where the graph ends; at least one.
    values : bool
        Show what is in each tensor: a number, or mean ± standard deviation.
    grads : bool
        Show the 2-norm of each gradient, that of the outputs' sum, and on the arrows of what is
        used more than once the norm of the part that each sends back. This costs a backward pass
        of its own; `.grad` is neither read nor written.
    depth : int, optional
        Scopes deeper than this are folded into one box each, and three or more equal ones in a
        row into one; 0 folds all. By default they are folded as far as `max_nodes` needs it.
    fold : bool
        Write unnamed values that are used once inside their consumer's expression.
    max_nodes : int or None
        Draw at most so many boxes, those nearest to `focus` or to the outputs; what is missing
        is said. With None everything is drawn, for which `dot` may need minutes.
    focus : Tensor, optional
        A tensor of the graph: it gets a thick border, and its scopes are not folded.
    backward : bool
        Draw the way back in place of the way forward: the gradients as nodes, and on each arrow
        the formula that was used. `fold` has no effect on it.
    rankdir : {"TB", "LR", "BT", "RL"}
        The direction of the arrows: from top to bottom, from left to right, and so on.
    legend : bool
        Explain colours and signs, those that occur.
    title : str
        Stands above the picture.

    Returns
    -------
    Drawing
        ``print`` lists it; its `source` is DOT text; `render` writes a file; a notebook shows it
        as it is.

    Raises
    ------
    TypeError
        If there are no outputs, or they are not Tensors.
    ValueError
        If `depth` is negative, `max_nodes` less than 1, `focus` not in the graph, `rankdir`
        unknown.
    RuntimeError
        If gradients are asked for and none flows, or an array that a formula reads was written.

    Examples
    --------
    >>> import minigraph as mg
    >>> a = mg.Tensor(2.0, requires_grad=True, name="a")
    >>> drawing = mg.draw(a * a + a, grads=True)
    >>> drawing
    <Drawing of 3 nodes>
    >>> print(drawing)
    a            parameter  2  ∂a = 5
    v1 = a * a              4  ∂v1 = 1
    v2 = v1 + a  output     6  ∂v2 = 1
    """
    _check_outputs("draw", outputs)
    graph = Graph(*outputs)
    recording = Recording(graph)
    gradients = Gradients(graph) if grads or backward else None
    options = Options(
        values=values,
        grads=grads,
        depth=depth,
        fold=fold and not backward,
        max_nodes=max_nodes,
        backward=backward,
        rankdir=rankdir,
        legend=legend,
        title=title,
    )
    chosen = picture(recording, gradients, _place(recording, focus), options)
    return Drawing(source(chosen), listing(chosen), chosen.total, chosen.drawn, title)


def steps(*outputs: Tensor, max_nodes: int | None = 200, title: str = "") -> Steps:
    """Step through the graph behind some outputs: forward by node, then backward by edge.

    Each step has its statement and its numbers, and a gradient that is a sum tells how much of it
    has arrived. Backward, the parts are those of the sweep that `backward` uses, with the seed 1
    for each output; `.grad` is neither read nor written.

    Parameters
    ----------
    *outputs : Tensor
        Where the graph ends; at least one. If none requires a gradient, the steps are forward only.
    max_nodes : int or None
        A larger graph is refused: nobody steps through it. With None any is taken.
    title : str
        Of the page.

    Returns
    -------
    Steps
        ``print`` lists them; `render` writes a page to step through; a notebook shows that.

    Raises
    ------
    TypeError
        If there are no outputs, or they are not Tensors.
    ValueError
        If the graph has more than `max_nodes` nodes.
    RuntimeError
        If an array that a formula reads was written.

    Examples
    --------
    >>> import minigraph as mg
    >>> a = mg.Tensor(2.0, requires_grad=True, name="a")
    >>> print(mg.steps(a * a + a))
    1  a = 2
    2  v1 = a * a = 2 * 2 = 4
    3  v2 = v1 + a = 4 + 2 = 6
    4  ∂v2 = seed = 1
    5  ∂v1 += ∂v2 = 1
    6  ∂a += ∂v2 = 1              ∂a = 1, so far, 2 to come
    7  ∂a += ∂v1 * a = 1 * 2 = 2  ∂a = 3, so far, 1 to come
    8  ∂a += ∂v1 * a = 1 * 2 = 2  ∂a = 5, sum of 3
    """
    _check_outputs("steps", outputs)
    check_whole("steps: max_nodes", max_nodes, 1)
    check_title("steps", title)
    graph = Graph(*outputs)
    recording = Recording(graph)
    if max_nodes is not None and len(recording) > max_nodes:
        raise ValueError(
            f"steps: the graph has {len(recording):,} nodes, more than max_nodes={max_nodes}; step "
            "through a smaller network or an earlier tensor, or draw it with mg.draw, which folds "
            "(depth) and shows a part (focus)"
        )
    whole = picture(recording, None, None, Options(max_nodes=None, title=title))
    heads = {arrow.id: arrow.head for arrow in whole.arrows}
    return Steps(source(whole), steps_of(recording, graph), heads, title)


def _check_outputs(what: str, outputs: tuple[Tensor, ...]) -> None:
    if not outputs:
        raise TypeError(f"{what}: give at least one output Tensor")
    for output in outputs:
        if not isinstance(output, Tensor):
            raise TypeError(f"{what}: outputs are Tensors, not {type(output).__name__}")


def _place(recording: Recording, focus: Tensor | None) -> int | None:
    if focus is None:
        return None
    if not isinstance(focus, Tensor):
        raise TypeError(f"draw: focus is a Tensor, not {type(focus).__name__}")
    if id(focus) not in recording.place:
        raise ValueError(
            f"draw: focus, {focus._label()}, is not in the graph of these outputs; give an output "
            "that was made from it, or the tensor itself as an output"
        )
    return recording.place[id(focus)]
