"""Right backward passes, written at random: the same calculus in ever other NumPy.

A program is composed as text, line by line; each line has several forms that mean the same. All
choices are those of one `random.Random`, the first form being the plainest: so Hypothesis can make
a program that fails simpler.
"""

import re
import types
from random import Random
from typing import Any, NamedTuple

__all__ = ["Rewriting", "rewriting"]

HELPERS = {
    "product": """
def product(a, b):
    c = np.zeros((a.shape[0], b.shape[1]), np.result_type(a, b))
    for i in range(a.shape[0]):
        for j in range(b.shape[1]):
            c[i, j] = sum(a[i, k] * b[k, j] for k in range(a.shape[1]))
    return c
""",
    "rect": """
def rect(a):
    h = a.copy()
    for place, value in np.ndenumerate(a):
        if value <= 0:
            h[place] = 0
    return h
""",
    "softmax": """
def softmax(a):
    e = np.exp(a - np.max(a))
    return e / np.sum(e)
""",
    "buffer": """
WORK = {}


def buffer(name, value):
    value = np.asarray(value)
    kept = WORK.get(name)
    if kept is None or kept.shape != value.shape or kept.dtype != value.dtype:
        kept = WORK[name] = np.empty_like(value)
    kept[...] = value
    return kept
""",
}

ACTIVATIONS = {  # forms, and forms of g times the derivative at a, where h is the value
    "relu": (
        ["np.maximum({a}, 0)", "np.where({a} > 0, {a}, 0)", "{a} * ({a} > 0)", "rect({a})",
         "({a} + np.abs({a})) / 2", "np.clip({a}, 0, None)"],
        ["{g} * ({a} > 0)", "np.where({a} > 0, {g}, 0)", "{g} * ({h} > 0)", "{g} * ({a} >= 0)",
         "np.multiply({g}, {a} > 0)", "{g} * np.heaviside({a}, 0.5)",
         "{g} * (np.sign({a}) + 1) / 2", "np.where({a} < 0, 0, {g})", "in place"],
        "mg.relu({a})",
    ),
    "tanh": (
        ["np.tanh({a})", "2 / (1 + np.exp(-2 * {a})) - 1", "1 - 2 / (np.exp(2 * {a}) + 1)"],
        ["{g} * (1 - {h} ** 2)", "{g} * (1 - {h}) * (1 + {h})", "{g} / np.cosh({a}) ** 2",
         "{g} - {g} * {h} * {h}", "{g} * (1 - np.square(np.tanh({a})))"],
        "np.tanh({a})",
    ),
    "sigmoid": (
        ["1 / (1 + np.exp(-{a}))", "(np.tanh({a} / 2) + 1) / 2", "np.exp(-np.logaddexp(0, -{a}))"],
        ["{g} * {h} * (1 - {h})", "{g} * ({h} - {h} ** 2)", "{g} / (2 + 2 * np.cosh({a}))"],
        "1 / (1 + np.exp(-{a}))",
    ),
    "softplus": (
        ["np.logaddexp(0, {a})", "np.maximum({a}, 0) + np.log1p(np.exp(-np.abs({a})))"],
        ["{g} / (1 + np.exp(-{a}))", "{g} * (1 - np.exp(-{h}))",
         "{g} * (np.tanh({a} / 2) + 1) / 2"],
        "np.log(1 + np.exp({a}))",
    ),
    "leaky": (
        ["np.where({a} > 0, {a}, 0.1 * {a})", "np.maximum({a}, 0.1 * {a})"],
        ["{g} * np.where({a} > 0, 1, 0.1)", "np.where({a} < 0, 0.1 * {g}, {g})"],
        "np.where({a} > 0, {a}, 0.1 * {a})",
    ),
}  # fmt: skip


class Rewriting(NamedTuple):
    """A right program, and with which options it is to be checked.

    Attributes
    ----------
    source : str
        A module with `fprop`, `bprop`, `params`, `batch`, `graph`.
    penalties : int
        How many λ its loss takes.
    rounding : float
        The relative rounding error of its arithmetic.
    options : dict
        Other options of `check_bprop`: `axis`, `seed`.
    with_graph, fixed : bool
        Whether to give the graph; whether to give arrays in the place of functions of sizes.
    """

    source: str
    penalties: int
    rounding: float
    options: dict[str, Any]
    with_graph: bool
    fixed: bool

    def module(self) -> types.ModuleType:
        """Run the source."""
        module = types.ModuleType("rewriting")
        exec(compile(self.source, "<rewriting>", "exec"), module.__dict__)
        return module


def rewriting(rng: Random) -> Rewriting:
    """Write a right program."""
    return _Writer(rng).written()


class _Writer:
    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.rows = self.pick(False, True)
        self.vector = False  # while one example at a time is taken, as a vector
        self.axis, self.over = (1, 0) if self.rows else (0, 1)  # of the units, of the examples
        self.loss = self.pick("softmax", "softmax", "softmax", "square", "half", "logistic")
        self.depth = self.pick(1, 1, 2, 0)
        self.act = self.pick("relu", "relu", *ACTIVATIONS)
        self.norm = self.pick("", "", "", "layer", "batch") if self.depth else ""
        self.bias = self.pick(True, True, True, False)
        self.gain = bool(self.norm) and self.pick(False, True)
        self.scalar = self.pick(False, False, False, True)
        self.mean = self.pick(True, True, True, False)
        self.layers = range(1, self.depth + 2)
        self.penalties = self.pick(2 * len(self.layers), 0)
        self.float32 = self.pick("", "", "", "both", "bprop", "result", "fprop")
        self.lines: list[str] = []
        self.indent = 1
        self.called = ""  # the function that is written

    def pick(self, *forms: Any) -> Any:
        return self.rng.choice(forms)

    def rarely(self) -> bool:
        return self.pick(*[False] * 7, True)

    def add(self, line: str) -> None:
        self.lines += ["    " * self.indent + part for part in line.split("\n")]

    def let(self, name: str, value: str) -> None:
        """Assign, sometimes into a buffer that is used again at the next call."""
        kept = f'buffer("{self.called}_{name}", {value})'
        self.add(f"{name} = {kept if self.rarely() else value}")

    # The parts of a layer

    def product(self, a: str, b: str) -> str:
        return self.pick(
            f"{a} @ {b}", f"np.dot({a}, {b})", f"np.matmul({a}, {b})", f"{a}.dot({b})",
            f"np.einsum('ij,jk->ik', {a}, {b})", f"({b}.T @ {a}.T).T", f"product({a}, {b})",
            f"np.tensordot({a}, {b}, 1)", f"np.einsum('ij,kj->ik', {a}, {b}.T)",
            f"sum(np.outer(u, v) for u, v in zip({a}.T, {b}))",
            f"({a}[:, :, None] * {b}[None]).sum(axis=1)",
            f"np.stack([{a} @ c for c in {b}.T], axis=1)",
            f"np.array([[np.dot(r, c) for c in {b}.T] for r in {a}])",
        )  # fmt: skip

    def linear(self, W: str, h: str, b: str) -> str:
        if self.vector:
            T = ".T" if self.rows else ""
            back = "" if self.rows else ".T"
            made = self.pick(
                f"{W}{T} @ {h}", f"np.dot({h}, {W}{back})", f"({W}{T} * {h}).sum(axis=1)",
                f"np.einsum('ij,j->i', {W}{T}, {h})", f"np.array([r @ {h} for r in {W}{T}])",
            )  # fmt: skip
            flat = f"{b}.reshape(-1)"
        else:
            made = self.product(h, W) if self.rows else self.product(W, h)
            flat = b
        if not self.bias:
            return made
        return self.pick(f"{made} + {flat}", f"{flat} + {made}", f"np.add({made}, {flat})")

    def grad_W(self, g: str, h: str) -> str:
        if self.vector:
            a, b = (h, g) if self.rows else (g, h)
            return self.pick(
                f"np.outer({a}, {b})", f"{a}[:, None] * {b}", f"np.multiply.outer({a}, {b})",
                f"np.einsum('i,j->ij', {a}, {b})", f"{a}.reshape(-1, 1) @ {b}.reshape(1, -1)",
            )  # fmt: skip
        form = self.pick("product", "einsum")
        if form == "einsum":
            return (
                f"np.einsum('ki,kj->ij', {h}, {g})"
                if self.rows
                else f"np.einsum('ik,jk->ij', {g}, {h})"
            )
        return self.product(f"{h}.T", g) if self.rows else self.product(g, f"{h}.T")

    def grad_b(self, g: str) -> str:
        if self.vector:
            return g if self.rows else self.pick(f"{g}[:, None]", f"{g}.reshape(-1, 1)")
        if self.rows:
            return self.pick(
                f"{g}.sum(axis=0)", f"np.sum({g}, 0)", f"np.ones(len({g}), {g}.dtype) @ {g}",
                f"np.einsum('ki->i', {g})", f"sum({g})", f"np.add.reduce({g})",
                f"{g}.mean(axis=0) * len({g})",
            )  # fmt: skip
        return self.pick(
            f"{g}.sum(axis=1, keepdims=True)", f"np.sum({g}, 1)[:, None]",
            f"{g} @ np.ones(({g}.shape[1], 1), {g}.dtype)", f"np.einsum('ik->i', {g})[:, None]",
            f"sum({g}.T).reshape(-1, 1)", f"np.array([[row.sum()] for row in {g}])",
            f"np.add.reduce({g}, axis=1)[:, np.newaxis]",
        )  # fmt: skip

    def back(self, W: str, g: str) -> str:
        if self.vector:
            T = "" if self.rows else ".T"
            other = ".T" if self.rows else ""
            return self.pick(f"{W}{T} @ {g}", f"{g} @ {W}{other}", f"np.dot({W}{T}, {g})")
        return self.product(g, f"{W}.T") if self.rows else self.product(f"{W}.T", g)

    # Forward and backward on the examples xb, yb

    def forward(self) -> None:
        h = "xb"
        for i in self.layers:
            last = i == self.layers[-1]
            made = ("raw" if self.scalar else "o") if last else f"a{i}"
            self.let(made, self.linear(f"W{i}", h, f"b{i}"))
            if last:
                break
            a = f"a{i}"
            if i == 1 and self.norm:
                a = self.normalise(a)
            self.let(f"h{i}", self.pick(*ACTIVATIONS[self.act][0]).format(a=a))
            h = f"h{i}"
        if self.scalar:
            self.let("o", self.pick("s * raw", "raw * s"))

    @property
    def normed(self) -> int:
        """Over which axis means are taken."""
        return self.axis * (not self.vector) if self.norm == "layer" else self.over

    def normalise(self, a: str) -> str:
        kept = f"axis={self.normed}, keepdims=True"
        self.let("centred", self.pick(f"{a} - {a}.mean({kept})", f"{a} - np.mean({a}, {kept})"))
        var = self.pick(f"{a}.var({kept})", f"(centred ** 2).mean({kept})")
        self.let("std", f"np.sqrt({var} + 1e-5)")
        self.let("n", self.pick("centred / std", "centred * std ** -1.0"))
        if not self.gain:
            return "n"
        self.let("z", f"n * {self.flat('g1')}")
        return "z"

    def flat(self, name: str) -> str:
        return f"{name}.reshape(-1)" if self.vector and not self.rows else name

    def losses(self) -> str:
        """Write the sum of the losses of the examples xb."""
        axis = f"axis={self.axis * (not self.vector)}"
        if self.loss in ("square", "half"):
            self.let("r", self.pick("o - yb", "np.subtract(o, yb)"))
            total = self.pick(
                "np.sum(r ** 2)", "np.vdot(r, r)", "np.linalg.norm(r) ** 2", "(r * r).sum()",
                "sum(v * v for v in r.ravel())",
            )  # fmt: skip
            return total if self.loss == "square" else f"0.5 * {total}"
        if self.loss == "logistic":
            self.let("v", "o.reshape(-1)")
            return self.pick(
                "np.sum(np.logaddexp(0, v) - yb * v)",
                "(np.maximum(v, 0) - yb * v + np.log1p(np.exp(-np.abs(v)))).sum()",
                "np.logaddexp(0, np.where(yb > 0.5, -v, v)).sum()",
            )
        if self.pick(False, True):
            self.let("shift", f"o.max({axis}, keepdims=True)")
            self.let("o", "o - shift")
            self.let("lse", f"np.log(np.exp(o).sum({axis}))")
        else:
            self.let("lse", f"np.logaddexp.reduce(o, {axis})")
        if self.vector:
            return "lse - o[yb]"
        at = "np.arange(len(yb)), yb" if self.rows else "yb, np.arange(len(yb))"
        of_each = "zip(o, yb)" if self.rows else "zip(o.T, yb)"
        return self.pick(
            f"np.sum(lse - o[{at}])", f"lse.sum() - o[{at}].sum()",
            f"np.sum(lse) - sum(c[k] for c, k in {of_each})",
        )  # fmt: skip

    def grad_o(self) -> None:
        """Write g, the gradient of the sum of the losses by o."""
        axis = f"axis={self.axis * (not self.vector)}"
        if self.loss in ("square", "half"):
            two = "" if self.loss == "half" else "2 * "
            self.let("g", self.pick(f"{two}(o - yb)", f"-{two}(yb - o)"))
            return
        if self.loss == "logistic":
            self.let("v", "o.reshape(-1)")
            p = self.pick("1 / (1 + np.exp(-v))", "(np.tanh(v / 2) + 1) / 2")
            self.let("g", f"({p} - yb).reshape(o.shape)")
            return
        form = self.pick("exp", "lse", "each")
        if form == "exp":
            self.let("e", f"np.exp(o - o.max({axis}, keepdims=True))")
            p = f"e / e.sum({axis}, keepdims=True)"
        elif form == "lse":
            p = f"np.exp(o - np.logaddexp.reduce(o, {axis}, keepdims=True))"
        elif self.vector:
            p = "softmax(o)"
        else:
            p = (
                "np.array([softmax(c) for c in o])"
                if self.rows
                else "np.array([softmax(c) for c in o.T]).T"
            )
        self.let("p", p)
        self.subtract_onehot()

    def subtract_onehot(self) -> None:
        if self.vector:
            eye, at, compared = "np.eye(len(p))[yb]", "yb", "(np.arange(len(p)) == yb)"
        elif self.rows:
            eye, at = "np.eye(p.shape[1])[yb]", "np.arange(len(yb)), yb"
            compared = "(yb[:, None] == np.arange(p.shape[1]))"
        else:
            eye, at = "np.eye(len(p))[:, yb]", "yb, np.arange(len(yb))"
            compared = "(np.arange(len(p))[:, None] == yb)"
        forms = [f"g = p - {eye}", f"g = p - {compared}", f"g = p.copy()\ng[{at}] -= 1",
                 f"g = p\ng[{at}] -= 1", f"g = p.copy()\nnp.add.at(g, ({at},), -1)"]  # fmt: skip
        if not self.vector:
            forms[-1] = f"g = p.copy()\nnp.add.at(g, ({at}), -1)"
            place = "k, y_k" if self.rows else "y_k, k"
            forms.append(f"g = p.copy()\nfor k, y_k in enumerate(yb):\n    g[{place}] -= 1")
        self.add(self.pick(*forms))

    def backward(self, early: bool) -> dict[str, str]:
        """Write the backward pass; give the gradient of each parameter as an expression."""
        found = {}
        self.grad_o()
        if early:
            self.add(self.pick("g = g / K", "g /= K", "g *= 1 / K", "g = np.divide(g, K)"))
        if self.scalar:
            form = self.pick("(g * raw).sum()", "np.vdot(g, raw)", "np.sum(raw * g)")
            found["s"] = self.pick(form, f"float({form})", f"np.array({form})")
            self.add(f"d_s = {found['s']}")
            found["s"] = "d_s"
            self.let("g", self.pick("g * s", "s * g"))
        for i in reversed(self.layers):
            h = f"h{i - 1}" if i > 1 else "xb"
            self.let(f"d_W{i}", self.grad_W("g", h))
            found[f"W{i}"] = f"d_W{i}"
            if self.bias:
                self.let(f"d_b{i}", self.grad_b("g"))
                found[f"b{i}"] = f"d_b{i}"
            if i == 1:
                break
            self.let("g_h", self.back(f"W{i}", "g"))
            normed = i == 2 and self.norm
            a = ("z" if self.gain else "n") if normed else f"a{i - 1}"
            form = self.pick(*ACTIVATIONS[self.act][1])
            if form == "in place":
                self.add(f"g = g_h.copy()\ng[{a} <= 0] = 0")
            else:
                self.let("g", form.format(g="g_h", a=a, h=h))
            if normed:
                found |= self.back_through_norm()
        return found

    def back_through_norm(self) -> dict[str, str]:
        found = {}
        if self.gain:
            self.let("g_n", "g * n")
            self.let("d_g1", self.grad_b("g_n"))
            found["g1"] = "d_g1"
            self.let("g", f"g * {self.flat('g1')}")
        kept = f"axis={self.normed}, keepdims=True"
        if self.pick(False, True):
            self.add(
                f"g_std = (-g * centred / std ** 2).sum({kept})\n"
                f"g_c = g / std + g_std * centred / (n.shape[{self.normed}] * std)\n"
                f"g = g_c - g_c.mean({kept})"
            )
        else:
            self.let("g", f"(g - g.mean({kept}) - n * (g * n).mean({kept})) / std")
        return found

    # Penalties

    def penalty(self, i: int) -> str:
        one, two, W = f"lam[{2 * i - 2}]", f"lam[{2 * i - 1}]", f"W{i}"
        return self.pick(
            f"{one} * np.abs({W}).sum() + {two} * ({W} ** 2).sum()",
            f"np.sum({one} * np.abs({W}) + {two} * {W} * {W})",
            f"{two} * np.vdot({W}, {W}) + {one} * np.linalg.norm({W}.ravel(), 1)",
            f"sum({one} * abs(w) + {two} * w ** 2 for w in {W}.ravel())",
        )

    def grad_penalty(self, i: int) -> str:
        one, two, W = f"lam[{2 * i - 2}]", f"lam[{2 * i - 1}]", f"W{i}"
        sign = self.pick(
            f"np.sign({W})", f"np.where({W} > 0, 1, -1)", f"np.where({W} >= 0, 1, -1)",
            f"(({W} > 0) * 1.0 - ({W} < 0))", f"np.where({W} == 0, 0.3, np.sign({W}))",
            f"(2.0 * ({W} > 0) - 1)",
        )  # fmt: skip
        return self.pick(
            f"{one} * {sign} + 2 * {two} * {W}", f"{two} * ({W} + {W}) + {one} * {sign}"
        )

    # Functions

    @property
    def shapes(self) -> dict[str, str]:
        units = ["d", *("dh", "dh2")[: self.depth], "1" if self.loss == "logistic" else "m"]
        found = {}
        for i in self.layers:
            a, b = units[i - 1 : i + 1]
            found[f"W{i}"] = f"({a}, {b})" if self.rows else f"({b}, {a})"
            if self.bias:
                found[f"b{i}"] = f"({b},)" if self.rows else f"({b}, 1)"
        if self.gain:
            found["g1"] = "(dh,)" if self.rows else "(dh, 1)"
        if self.scalar:
            found["s"] = "()"
        return found

    def preamble(self, cast: bool) -> None:
        if cast:
            self.add("params = {name: p.astype(np.float32) for name, p in params.items()}")
            self.add("x = x.astype(np.float32)")
        form = self.pick("each", "values")
        if form == "each":
            for name in self.shapes:
                self.add(f'{name} = params["{name}"]')
        else:
            names = ", ".join(f'"{name}"' for name in self.shapes)
            self.add(f"{', '.join(self.shapes)}, = (params[name] for name in ({names},))")
        examples = [f"x.shape[{self.over}]"] + ["len(x)"] * self.rows
        if self.loss in ("softmax", "logistic"):
            examples += ["len(y)", "y.size"]
        self.add(f"K = {self.pick(*examples)}")

    def walk(self) -> str:
        """Begin to walk over the examples, in a random way: all at once, some, one by one."""
        ways = ["all", "all", "all"]
        if self.norm != "batch":
            ways += ["some", "one", "vectors"]
        way = self.pick(*ways)
        self.vector = way == "vectors"
        if way == "all":
            self.add("xb, yb = x, y")
            return str(way)
        of_y = self.rows or self.loss in ("softmax", "logistic")  # examples first
        if way == "vectors":
            at = self.pick("range(K)", "reversed(range(K))", "np.arange(K)")
            self.add(f"for i in {at}:")
            self.indent += 1
            self.add(f"xb = {'x[i]' if self.rows else 'x[:, i]'}")
            self.add(f"yb = {'y[i]' if of_y else 'y[:, i]'}")
            return str(way)
        some = 1 if way == "one" else self.pick(2, 4, 5)
        self.add(f"for i in range(0, K, {some}):")
        self.indent += 1
        self.add(f"xb = {f'x[i:i + {some}]' if self.rows else f'x[:, i:i + {some}]'}")
        self.add(f"yb = {f'y[i:i + {some}]' if of_y else f'y[:, i:i + {some}]'}")
        return str(way)

    def arguments(self) -> str:
        return (
            "params, x, y, lam"
            if self.penalties
            else self.pick("params, x, y", "params, x, y, lam=()")
        )

    def fprop(self) -> None:
        self.called = "f"
        self.lines += ["", "", f"def fprop({self.arguments()}):"]
        self.preamble(self.float32 in ("both", "fprop"))
        self.add("loss = 0")
        self.walk()
        self.forward()
        self.add(f"loss += {self.losses()}")
        self.indent, self.vector = 1, False
        if self.mean:
            self.add(self.pick("loss = loss / K", "loss = 1 / K * loss"))
        if self.penalties:
            for i in self.layers:
                self.add(f"loss += {self.penalty(i)}")
        self.add(self.pick("return loss", "return float(loss)", "return np.array(loss)"))

    def bprop(self) -> None:
        self.called = "b"
        self.lines += ["", "", f"def bprop({self.arguments()}):"]
        self.preamble(self.float32 in ("both", "bprop"))
        zeros = self.pick(
            "{name: np.zeros_like(p) for name, p in params.items()}",
            "{name: np.zeros(p.shape) for name, p in params.items()}",
            "dict.fromkeys(params, 0)",
        )
        self.add(f"grads = {zeros}")
        way = self.walk()
        self.forward()
        early = self.mean and self.pick(True, False)
        for name, value in self.backward(early).items():
            plus = f'grads["{name}"] = grads["{name}"] + {value}'
            if "fromkeys" not in zeros:
                plus = self.pick(plus, f'grads["{name}"] += {value}')
            if way == "all" and name != "s":
                plus = self.pick(plus, f'grads["{name}"] = {value}')
            self.add(plus)
        self.indent, self.vector = 1, False
        if self.mean and not early:
            for name in self.shapes:
                self.add(f'grads["{name}"] = grads["{name}"] / K')
        if self.penalties:
            for i in self.layers:
                self.add(f'grads["W{i}"] = grads["W{i}"] + {self.grad_penalty(i)}')
        self.finish(way)

    def finish(self, way: str) -> None:
        """Write what is returned: copies, so that no buffer leaves the function."""
        for name, shape in self.shapes.items():
            own = f'np.array(grads["{name}"])'
            forms = [own, own, f"{own}.copy(order='F')", f"np.array({own}.T).T"]
            if shape == "()":
                forms += [f'float(grads["{name}"])', f'np.float64(grads["{name}"])']
            made = self.pick(*forms)
            if self.float32 == "result" and not made.startswith("float"):
                made += ".astype(np.float32)"
            self.add(f'grads["{name}"] = {made}')
        extra = ["", ""]
        extra += ['grads["loss"] = 0.0', 'grads["K"] = K', 'grads["x"] = x', 'grads["y"] = y']
        if way == "all":
            extra += [
                'grads["grad_oa"] = g', 'grads["logits"] = o.copy()',
                'grads["cache"] = (xb, o)', 'grads["grad_x"] = None',
            ]  # fmt: skip
        added = self.pick(*extra)
        if added:
            self.add(added)
        self.add(self.pick("return grads", "return {**grads}"))

    def rest(self) -> None:
        """Write params, batch and graph, which are always the same."""
        lattice = self.pick(False, False, False, False, True)
        normal = "np.rint(2 * rng.normal(size={}))" if lattice else "rng.normal(size={})"
        d, m = self.pick("sizes['d']", "sizes['d']", "2", "1"), self.pick("sizes['m']", "2")
        sizes = {"d": d, "dh": "sizes['dh']", "dh2": "sizes['dh2']", "m": m}
        used = {n for shape in self.shapes.values() for n in re.findall(r"\w+", shape)} & {*sizes}
        self.lines += ["", "", "def params(sizes, rng):"]
        for name in sorted(used):
            self.add(f"{name} = {sizes[name]}")
        cast = self.pick("", ", np.float32")
        self.add("return {")
        for name, shape in self.shapes.items():
            self.add(f'    "{name}": np.array({normal.format(shape)}{cast}),')
        self.add("}")
        self.lines += ["", "", "def batch(sizes, rng):"]
        self.add(f"d, K = {d}, sizes['K']")
        self.add(f"x = {normal.format('(K, d)' if self.rows else '(d, K)')}")
        if self.loss == "softmax":
            self.add(f"return x, rng.integers({m}, size=K)")
        elif self.loss == "logistic":
            kind = self.pick("", " * 1.0")
            self.add(f"return x, rng.integers(2, size=K){kind}")
        else:
            self.add(f"m = {m}")
            self.add(f"return x, {normal.format('(K, m)' if self.rows else '(m, K)')}")
        self.graph()

    def graph(self) -> None:
        self.lines += ["", "", "def graph(p, x, y, lam=()):"]
        h = "x"
        for i in self.layers:
            product = f"{h} @ p['W{i}']" if self.rows else f"p['W{i}'] @ {h}"
            self.add(f"o = {product}" + f" + p['b{i}']" * self.bias)
            if i == self.layers[-1]:
                break
            if i == 1 and self.norm:
                kept = f"axis={self.normed}, keepdims=True"
                self.add(f"o = o - o.mean({kept})")
                self.add(f"o = o / np.sqrt((o ** 2).mean({kept}) + 1e-5)")
                if self.gain:
                    self.add("o = o * p['g1']")
            self.add(f"h{i} = {ACTIVATIONS[self.act][2].format(a='o')}")
            h = f"h{i}"
        if self.scalar:
            self.add("o = p['s'] * o")
        K = f"x.shape[{self.over}]"
        if self.loss == "softmax":
            self.add(f"loss = mg.softmax_nll(o{'' if self.rows else '.T'}, y)")
        elif self.loss == "logistic":
            self.add("v = o.reshape(-1)")
            self.add("loss = mg.softmax_nll(np.stack([0 * v, v], axis=1), y.astype(int))")
        else:
            half = 0.5 if self.loss == "half" else 1
            self.add(f"loss = {half} * ((o - y) ** 2).sum() / {K}")
        if not self.mean:
            self.add(f"loss = loss * {K}")
        for i in self.layers if self.penalties else ():
            one, two = f"lam[{2 * i - 2}]", f"lam[{2 * i - 1}]"
            self.add(f"loss = loss + mg.elastic_net(p['W{i}'], {one}, {two})")
        self.add("return loss")

    def written(self) -> Rewriting:
        self.fprop()
        self.bprop()
        self.rest()
        body = "\n".join(self.lines)
        used = [text for name, text in HELPERS.items() if f"{name}(" in body]
        head = "import numpy as np\n\nimport minigraph as mg\n"
        axis = self.pick(None, "rows" if self.rows else "columns")
        return Rewriting(
            source="\n".join([head, *used]) + body + "\n",
            penalties=self.penalties,
            rounding=6e-8 if self.float32 else 1e-16,
            options={"seed": self.rng.randrange(1000), "axis": axis},
            with_graph=self.pick(False, True),
            fixed=self.pick(False, False, True),
        )
