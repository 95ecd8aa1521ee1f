"""The golden DOT texts. This command writes them anew, to be looked at before they are committed:

python tests/drawing/golden.py
"""

import sys
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"
sys.path[:0] = [str(FOLDER.parents[1]), str(FOLDER.parents[2])]  # as a script

from drawing import graphs  # noqa: E402

import minigraph as mg  # noqa: E402


def broken():
    u = mg.Tensor([1.0, 0.0, -1.0], requires_grad=True, name="u")
    v = mg.where(u.data > 0, 1.0, float("nan")) * u
    v.name = "v"
    return v.sum(), v


def focused():
    total, v = broken()
    return mg.draw(total, focus=v, title="NaN < first >")


def budgeted():
    loss = graphs.residual()
    return mg.draw(loss, max_nodes=5, depth=1, focus=mg.Graph(loss).nodes[10])


DRAWINGS = {
    "fan": lambda: mg.draw(graphs.fan(), grads=True),
    "mlp": lambda: mg.draw(graphs.mlp(), grads=True),
    "mlp_folded": lambda: mg.draw(graphs.mlp(), depth=0, legend=False),
    "mlp_inline": lambda: mg.draw(graphs.mlp(), fold=True, grads=True, rankdir="LR"),
    "mlp_backward": lambda: mg.draw(graphs.mlp(), backward=True),
    "repeats": lambda: mg.draw(graphs.residual(), depth=0, grads=True),
    "focus": focused,
    "budget": budgeted,
}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, drawing in DRAWINGS.items():
        print(drawing().render(FOLDER / f"{name}.gv"))
