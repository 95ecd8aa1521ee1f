"""A table of wrong calls over the public API: the call, its error, and words that it must hold.

The words say which op or function, which argument, what was given, what is expected, and what to
do. The calls are text, so that each is its own name in the test, and stands alone in its traceback.
"""

from contextlib import nullcontext
from typing import Any

import numpy as np
from numpy.exceptions import AxisError

import minigraph as mg
from minigraph import nn, optim, plot, train

KINDS = "floats, integers and booleans"
BROADCAST = "sizes must be equal or 1"
WHOLE = "whole numbers"

Row = tuple[str, type[Exception], str]  # the words are separated by |

TENSOR: list[Row] = [
    ("Tensor(None)", TypeError, f"Tensor: data|None|{KINDS}|give numbers"),
    ("Tensor('a')", TypeError, f"Tensor: data|'a'|{KINDS}|turn text into numbers"),
    ("Tensor({})", TypeError, f"Tensor: data|{{}}|{KINDS}"),
    ("Tensor([[1.0], [1.0, 2.0]])", ValueError, "Tensor: data|[[1.0], [1.0, 2.0]]|length"),
    ("Tensor(np.array([1j]))", TypeError, f"Tensor: data|complex128|{KINDS}|z.real and z.imag"),
    ("Tensor(np.array([{}]))", TypeError, f"Tensor: data|object|{KINDS}|give numbers"),
    ("Tensor(masked)", TypeError, "Tensor: data|a masked array|use filled(...)"),
    ("Tensor(dates)", TypeError, f"Tensor: data|datetime64[D]|{KINDS}|np.timedelta64"),
    ("Tensor(np.zeros(2, [('a', float)]))", TypeError, f"Tensor: data|'a'|{KINDS}|one field"),
    ("Tensor([1, 2], requires_grad=True)", TypeError, "requires_grad|int64|dtype=float"),
    ("Tensor([1.0], requires_grad='no')", TypeError, "requires_grad|True or False|'no'"),
    ("Tensor([1.0], dtype=complex)", TypeError, f"Tensor: dtype|complex128|{KINDS}"),
    ("Tensor([1.0], dtype='float3')", TypeError, "Tensor: dtype|'float3'|no dtype|np.float32"),
    ("Tensor(a, copy=False, dtype='f4')", ValueError, "Tensor|copy=False|float64|float32"),
    ("Tensor([1.0], name=3)", TypeError, "name|a string or None|int"),
    ("Tensor(x)", TypeError, "Tensor(t)|gradient|t.detach()|t.copy()"),
    ("Tensor()", TypeError, "Tensor|missing|'data'"),
    ("Tensor([1.0], grad=True)", TypeError, "Tensor|unexpected|'grad'"),
    ("setattr(x, 'data', 'a')", TypeError, f"data|'a'|{KINDS}"),
    ("setattr(x, 'data', np.ones(5))", ValueError, "data|(5,)|(2, 3)|'x'"),
    ("setattr(r, 'data', a)", RuntimeError, "data =|made by multiply|write t = t + ..."),
    ("setattr(x, 'grad', np.ones(3))", ValueError, "grad|float64[2, 3]|'x'|float64[3]"),
    ("setattr(x, 'grad', 'a')", TypeError, f"grad|'a'|{KINDS}"),
    ("setattr(x, 'grad', np.ones((2, 3), 'f4'))", ValueError, "grad|float64|'x'|float32"),
    ("setattr(x, 'name', 3)", TypeError, "name|a string or None|int"),
    ("setattr(x, 'requires_grad', 'yes')", TypeError, "requires_grad|True or False|'yes'"),
    ("setattr(r, 'requires_grad', False)", RuntimeError, "requires_grad|multiply|use detach()"),
    ("setattr(i, 'requires_grad', True)", TypeError, "requires_grad|int64|give floats"),
    ("x.__setitem__(0, 5)", RuntimeError, "t[...] =|'x'|would be lost|no_grad()"),
    ("x.__iadd__(1)", RuntimeError, "t += ...|'x'|would be lost|no_grad()"),
    ("c.__setitem__(7, 5.0)", IndexError, "t[...] =|float64[2]|7|size 2"),
    ("c.__iadd__(np.ones(3))", ValueError, f"t += ...|float64[2]|{BROADCAST}"),
    ("c.__iadd__('a')", TypeError, f"t += ...|'a'|{KINDS}"),
    ("x.item()", ValueError, "item|'x'|6 entries|index it"),
    ("float(x)", ValueError, "item|'x'|6 entries|sum it"),
    ("bool(x)", ValueError, "bool|'x'|6 entries|use .any() or .all()"),
    ("len(s)", TypeError, "len|'s'|0-d|t.item()"),
    ("list(s)", TypeError, "'s'|0-d|nothing to iterate over"),
    ("range(s)", TypeError, "index|only an integer|'s'|int(t)"),
    ("f'{x:.2f}'", ValueError, "item|'x'|6 entries"),
    ("np.asarray(x)", TypeError, "np.asarray|'x'|gradient|use t.data|np.stack"),
    ("c.retain_grad()", RuntimeError, "retain_grad|float64[2]|require"),
    ("x < 'a'", TypeError, "'<'|'Tensor'|'str'"),
]

ELEMENTWISE: list[Row] = [
    ("x + 'a'", TypeError, f"add: b|'a'|{KINDS}|turn text into numbers"),
    ("x + None", TypeError, f"add: b|None|{KINDS}|give numbers"),
    ("None * x", TypeError, f"multiply: a|None|{KINDS}"),
    ("x - {}", TypeError, f"subtract: b|{{}}|{KINDS}"),
    ("x * 1j", TypeError, f"multiply: b|1j|{KINDS}|z.real and z.imag"),
    ("x * masked", TypeError, "multiply: b|masked|use filled(...)"),
    ("x + dates", TypeError, f"add: b|datetime64|{KINDS}|np.timedelta64"),
    ("x / np.array(['a'])", TypeError, f"divide: b|<U1|{KINDS}"),
    ("x + [[1.0], [1.0, 2.0]]", TypeError, "add: b|[[1.0], [1.0, 2.0]]|different length"),
    ("x + w", ValueError, f"add: (2, 3) + (4, 2)|{BROADCAST}|x, w"),
    ("a[:, :2] + x", ValueError, f"add: (2, 2) + (2, 3)|{BROADCAST}|x"),
    ("x // w", ValueError, f"floor_divide: (2, 3) // (4, 2)|{BROADCAST}|x, w"),
    ("x % 'a'", TypeError, f"remainder: b|'a'|{KINDS}"),
    ("x ** w", ValueError, f"power: (2, 3) ** (4, 2)|{BROADCAST}|x, w"),
    ("x ** None", TypeError, f"power: b|None|{KINDS}"),
    ("i ** -1", ValueError, "scalar_power: (3,)|exponent=-1|negative|x.astype(float)"),
    ("x == w", ValueError, f"equal: (2, 3) == (4, 2)|{BROADCAST}"),
    ("t - t", TypeError, "subtract: (3,) - (3,)|booleans|use ^"),
    ("-t", TypeError, "negative: -(3,)|booleans|logical_not"),
    ("~x", TypeError, "invert: (2, 3)|integers or booleans|x > 0"),
    ("x & 1", TypeError, "bitwise_and: (2, 3) & 1|integers or booleans|astype"),
    ("mg.add(x)", TypeError, "add()|missing|'b'"),
    ("mg.add(x, x, x)", TypeError, "add()|takes 2|3 were given"),
    ("mg.add(x, x, axis=1)", TypeError, "add()|unexpected|'axis'"),
    ("mg.add(a, a[:, :2])", ValueError, f"add: (2, 3) + (2, 2)|{BROADCAST}"),
    ("mg.add(None, None)", TypeError, f"add: a|None|{KINDS}"),
    ("mg.exp('a')", TypeError, f"exp: x|'a'|{KINDS}"),
    ("mg.log(object())", TypeError, f"log: x|object|{KINDS}"),
    ("mg.sqrt(x, out=a)", TypeError, "sqrt()|unexpected|'out'"),
    ("mg.relu(None)", TypeError, f"relu: x|None|{KINDS}"),
    ("mg.sigmoid('a')", TypeError, f"sigmoid: x|'a'|{KINDS}"),
    ("mg.tanh()", TypeError, "tanh()|missing|'x'"),
    ("mg.maximum(x, w)", ValueError, f"maximum: (2, 3), (4, 2)|{BROADCAST}|x, w"),
    ("mg.clip(x, 'a')", TypeError, f"maximum: b|'a'|{KINDS}"),
    ("mg.clip(x, low=0)", TypeError, "clip()|unexpected|'low'"),
    ("mg.where(x > 0, x)", TypeError, "where()|missing|'b'"),
    ("mg.where(None, x, x)", TypeError, f"where: condition|None|{KINDS}"),
    ("mg.where(x > 0, x, w)", ValueError, f"where: (2, 3), (2, 3), (4, 2)|{BROADCAST}"),
    ("mg.less(x, 'a')", TypeError, f"less: b|'a'|{KINDS}"),
    ("mg.sign(None)", TypeError, f"sign: x|None|{KINDS}"),
    ("np.where(x > 0)", TypeError, "np.where|both branches|np.nonzero"),
    ("np.add(a, x, out=a)", TypeError, "np.add|out=|write t = ..."),
    ("np.i0(x)", TypeError, "numpy.i0|no rule|use t.data|mg.Op"),
    ("np.linalg.inv(x)", TypeError, "numpy.linalg.inv|no rule|use t.data|mg.Op"),
    ("np.add.reduce(x)", TypeError, "add.reduce|no rule|use t.data|mg.Op"),
    ("np.sum(x, dtype=float)", TypeError, "sum()|'dtype'|np.sum takes fewer arguments"),
]

MATRICES: list[Row] = [
    ("x @ x", ValueError, "matmul: (2, 3) @ (2, 3)|3 and 2 differ|did you mean x.T?"),
    ("x @ w.T", ValueError, "matmul: (2, 3) @ (2, 4)|3 and 2 differ|did you mean x.T?"),
    ("w @ v", ValueError, "matmul: (4, 2) @ (3,)|2 and 3 differ"),
    ("[1.0, 2.0] @ x.T", ValueError, "matmul: (2,) @ (3, 2)|2 and 3 differ"),
    ("x @ 3", ValueError, "matmul: (2, 3) @ ()|a scalar has no rows|use *"),
    ("x @ None", TypeError, f"matmul: b|None|{KINDS}"),
    ("'a' @ x", TypeError, f"matmul: a|'a'|{KINDS}"),
    ("mg.matmul(a, a)", ValueError, "matmul: (2, 3) @ (2, 3)|3 and 2 differ|.T?"),
    ("mg.matmul(x)", TypeError, "matmul()|missing|'b'"),
    ("Tensor(np.ones((2, 3, 4))) @ np.ones((3, 4, 5))", ValueError, f"matmul|{BROADCAST}"),
    ("mg.dot(np.ones((1, 1, 1)), x)", ValueError, "dot: (1, 1, 1), (2, 3)|sizes differ"),
    ("mg.dot(x, None)", TypeError, f"dot: b|None|{KINDS}"),
    ("mg.linear(z, w, v)", ValueError, "linear: (3, 2) @ (4, 2) + (3,)|2 and 4 differ|w.T?"),
    ("mg.linear(w.T, w, v)", ValueError, f"linear: (2, 4) @ (4, 2) + (3,)|{BROADCAST}"),
    ("mg.linear(w.T, w)", TypeError, "linear()|missing|'b'"),
    ("mg.linear('a', w, v)", TypeError, f"matmul: a|'a'|{KINDS}"),
]

AXES: list[Row] = [
    ("x.sum(3)", AxisError, "sum: (2, 3), axis=3|no axis 3|-2 ... 1|x"),
    ("x.sum(axis=(0, -5))", AxisError, "sum: (2, 3)|no axis -5|-2 ... 1"),
    ("s.sum(axis=1)", AxisError, "sum: (), axis=1|no axis 1|a number has none"),
    ("x.sum(axis=1.0)", TypeError, f"sum: (2, 3), axis=1.0|{WHOLE}"),
    ("x.sum(axis=True)", TypeError, f"sum: (2, 3), axis=True|{WHOLE}"),
    ("x.sum(axis='a')", TypeError, f"sum: (2, 3), axis='a'|{WHOLE}"),
    ("x.sum(axis=[0, 1])", TypeError, f"sum: (2, 3), axis=[0, 1]|{WHOLE}|tuple"),
    ("x.sum(axis=(0, 0))", ValueError, "sum: (2, 3), axis=(0, 0)|twice|once"),
    ("x.sum(axes=0)", TypeError, "sum()|unexpected|'axes'"),
    ("mg.sum(a, axis=3)", AxisError, "sum: (2, 3), axis=3|no axis 3|-2 ... 1"),
    ("mg.sum('a')", TypeError, f"sum: x|'a'|{KINDS}"),
    ("x.mean(axis=0.5)", TypeError, f"mean: (2, 3), axis=0.5|{WHOLE}"),
    ("e.max()", ValueError, "max: (0, 3)|empty|size"),
    ("e.min(axis=0)", ValueError, "min: (0, 3), axis=0|empty"),
    ("e.argmax()", ValueError, "argmax: (0, 3)|empty"),
    ("x.argmax(axis=(0, 1))", TypeError, f"argmax: (2, 3), axis=(0, 1)|{WHOLE}"),
    ("x.argmin(axis=2)", AxisError, "argmin: (2, 3), axis=2|no axis 2|-2 ... 1"),
    ("x.all(axis=(1, 1))", ValueError, "all: (2, 3), axis=(1, 1)|twice"),
    ("x.any(axis=2)", AxisError, "any: (2, 3), axis=2|no axis 2"),
    ("mg.logsumexp(e)", ValueError, "logsumexp: (0, 3)|empty"),
    ("mg.logsumexp([1.0, 2.0])", TypeError, "logsumexp: [1.0, 2.0]|np.array(...)"),
    ("mg.softmax(x, axis=4)", AxisError, "softmax: (2, 3), axis=4|no axis 4"),
    ("mg.softmax(2.0)", TypeError, "softmax: 2.0|a Tensor, or a NumPy array"),
    ("mg.log_softmax(x, axis=2)", AxisError, "log_softmax: (2, 3), axis=2|no axis 2"),
    ("mg.log_softmax(None)", TypeError, f"log_softmax: x|None|{KINDS}"),
]

SHAPING: list[Row] = [
    ("x.reshape(4)", ValueError, "reshape: (2, 3), shape=4|multiply to 6|-1"),
    ("x.reshape(-1, -1)", ValueError, "reshape: (2, 3), shape=(-1, -1)|not several"),
    ("x.reshape('a')", TypeError, f"reshape: (2, 3), shape='a'|{WHOLE}"),
    ("x.reshape(2.0, 3)", TypeError, f"reshape: (2, 3), shape=(2.0, 3)|{WHOLE}"),
    ("mg.reshape(x, 2, 3)", TypeError, "reshape()|takes 2|3 were given"),
    ("mg.reshape(a, (4,))", ValueError, "reshape: (2, 3), shape=(4,)|multiply to 6"),
    ("x.transpose(0)", ValueError, "transpose: (2, 3), axes=0|each of the 2 axes once"),
    ("x.transpose(0, 0)", ValueError, "transpose: (2, 3), axes=(0, 0)|twice"),
    ("x.transpose(0, 2)", AxisError, "transpose: (2, 3), axes=(0, 2)|no axis 2"),
    ("x.swapaxes(0, 2)", AxisError, "swapaxes: (2, 3), axis1=0, axis2=2|no axis 2"),
    ("x.swapaxes(0)", TypeError, "swapaxes()|missing|'axis2'"),
    ("x.squeeze(0)", ValueError, "squeeze: (2, 3), axis=0|size 1|reshape"),
    ("mg.expand_dims(x, 5)", AxisError, "expand_dims: (2, 3), axis=5|no axis 5|-3 ... 2"),
    ("mg.broadcast_to(x, (3, 3))", ValueError, f"broadcast_to: (2, 3), shape=(3, 3)|{BROADCAST}"),
    ("mg.broadcast_to(x, (3,))", ValueError, f"broadcast_to: (2, 3), shape=(3,)|{BROADCAST}"),
    ("mg.broadcast_to(x, (-1, 3))", ValueError, "broadcast_to: (2, 3)|shape=(-1, 3)|at least 0"),
    ("x.astype(complex)", TypeError, f"astype: dtype|complex128|{KINDS}"),
    ("x.astype('float3')", TypeError, "astype: dtype|'float3'|np.float32"),
    ("mg.astype('a', float)", TypeError, f"astype: x|'a'|{KINDS}"),
    ("mg.concatenate([x, w])", ValueError, "concatenate: (2, 3), (4, 2)|must be equal|x, w"),
    ("mg.concatenate([x, v])", ValueError, "concatenate: (2, 3), (3,)|number of axes|reshape"),
    ("mg.concatenate([x, x], axis=2)", AxisError, "concatenate: (2, 3), (2, 3), axis=2|no axis 2"),
    ("mg.concatenate([x, 'a'])", TypeError, f"concatenate|'a'|{KINDS}"),
    ("mg.concatenate([s, s])", ValueError, "concatenate: (), ()|no axis|use stack"),
    ("mg.concatenate([])", ValueError, "concatenate|nothing to join|at least one"),
    ("mg.concatenate(None)", TypeError, "concatenate: arrays|a sequence of arrays|None"),
    ("mg.stack([x, w])", ValueError, "stack: (2, 3), (4, 2)|same shape|x, w"),
    ("mg.stack([])", ValueError, "stack|nothing to join|at least one"),
    ("mg.stack(s)", TypeError, "stack: arrays|a sequence of arrays|float64[]"),
    ("mg.stack([x, x], axis=4)", AxisError, "stack: (2, 3), (2, 3), axis=4|no axis 4|-3 ... 2"),
    ("np.block([x, x])", TypeError, "block|no rule|use t.data"),
    ("x[5]", IndexError, "getitem: (2, 3), index=(5,)|5|size 2|x"),
    ("x[0, 0, 0]", IndexError, "getitem: (2, 3), index=(0, 0, 0)|2-dimensional"),
    ("x['a']", IndexError, "getitem|'a'|no index"),
    ("x[1.0]", IndexError, f"getitem: (2, 3), index=(1.0,)|{WHOLE}|slices"),
    ("x[[0.5]]", IndexError, "getitem|float64|integers or booleans"),
    ("x[np.ones((3, 3), bool)]", IndexError, "getitem: (2, 3), (3, 3)|size of axis is 2"),
    ("x[[0, 1], [0, 1, 2]]", IndexError, f"getitem: (2, 3), (2,), (3,)|{BROADCAST}"),
    ("x[np.array([1j])]", TypeError, f"getitem: index|complex128|{KINDS}"),
    ("x[1.5:]", TypeError, f"getitem: (2, 3)|1.5|{WHOLE}"),
    ("x[::0]", ValueError, "getitem: (2, 3)|step"),
    ("s[0]", IndexError, "getitem: ()|0-dimensional"),
]

LOSSES: list[Row] = [
    ("mg.softmax_nll(z, [0, 1])", ValueError, "softmax_nll((3, 2), (2,))|3 rows|(3,)"),
    ("mg.softmax_nll(z, [0, 1, 2])", ValueError, "softmax_nll|label 2 of row 2|0 ... 1"),
    ("mg.softmax_nll(z, [0, 1, -1])", ValueError, "softmax_nll|label -1 of row 2|0 ... 1"),
    ("mg.softmax_nll(z, [0.0, 1.0, 1.0])", TypeError, "softmax_nll|labels are integers|float64"),
    ("mg.softmax_nll(z, ['a', 'b', 'c'])", TypeError, f"softmax_nll: labels|<U1|{KINDS}"),
    ("mg.softmax_nll(z, None)", TypeError, f"softmax_nll: labels|None|{KINDS}"),
    ("mg.softmax_nll(z, [True] * 3)", TypeError, "softmax_nll|labels are integers|bool"),
    ("mg.softmax_nll(z, [[0], [1], [1]])", ValueError, "softmax_nll((3, 2), (3, 1))|(3,)"),
    ("mg.softmax_nll(v, [0, 1, 2])", ValueError, "softmax_nll((3,), (3,))|(n, m)"),
    ("mg.softmax_nll(z[:0], [])", ValueError, "softmax_nll((0, 2), (0,))|at least one row"),
    ("mg.softmax_nll(None, [0])", TypeError, f"softmax_nll: logits|None|{KINDS}"),
    ("mg.softmax_nll(a, [0])", ValueError, "softmax_nll((2, 3), (1,))|2 rows|(2,)"),
    ("mg.softmax_nll(z)", TypeError, "softmax_nll()|missing|'labels'"),
    ("mg.l1_penalty('a')", TypeError, f"l1_penalty: w|'a'|{KINDS}"),
    ("mg.l2_penalty(None)", TypeError, f"l2_penalty: w|None|{KINDS}"),
    ("mg.elastic_net(x, 'a', 0)", TypeError, f"elastic_net: l1|'a'|{KINDS}"),
    ("mg.elastic_net(x, [1.0, 2.0], 0)", ValueError, "elastic_net|(2,)|l1 and l2 are numbers"),
    ("mg.elastic_net(x, 1.0)", TypeError, "elastic_net()|missing|'l2'"),
]

GRADIENTS: list[Row] = [
    ("r.backward()", ValueError, "backward|float64[2, 3]|not a scalar|sum, mean"),
    ("r.backward(np.ones(3))", ValueError, "backward: cotangent|(3,)|float64[2, 3]|same shape"),
    ("r.backward('a')", TypeError, f"backward: the cotangent|'a'|{KINDS}"),
    ("r.backward(np.ones((2, 3), 'f4'))", TypeError, "backward|float32|float64|same dtype"),
    ("c.backward()", RuntimeError, "backward|no gradient flows|float64[2]|detach()"),
    ("x.argmax().backward()", RuntimeError, "backward|no gradient flows|int64[]"),
    ("x.detach().sum().backward()", RuntimeError, "backward|no gradient flows|detach()"),
    ("without_grad().backward()", RuntimeError, "backward|no gradient flows|no_grad()"),
    ("written().backward()", mg.WriteError, "'q'|written after multiply|as a|before the write"),
    ("loss.backward(1, 2)", TypeError, "backward()|takes from 1 to 2|3 were given"),
    ("mg.grad(loss)", TypeError, "grad()|missing|'inputs'"),
    ("mg.grad(loss, a)", TypeError, "grad|outputs and inputs are Tensors|ndarray"),
    ("mg.grad(3.0, x)", TypeError, "grad|outputs and inputs are Tensors|float"),
    ("mg.grad(loss, {'x': x})", TypeError, "grad|outputs and inputs are Tensors|dict"),
    ("mg.grad(loss, c)", RuntimeError, "grad|float64[2]|does not require|requires_grad=True"),
    ("mg.grad(loss, v)", RuntimeError, "grad|input 0|'v'|does not lead|allow_unused=True"),
    ("mg.grad(loss, [x, v])", RuntimeError, "grad|input 1|'v'|does not lead"),
    ("mg.grad(r, x)", ValueError, "grad|float64[2, 3]|not a scalar|give the cotangent"),
    ("mg.grad(r, x, np.ones(3))", ValueError, "grad: cotangent|(3,)|same shape"),
    ("mg.grad((loss, loss), x, (1.0,))", ValueError, "grad|2 outputs|1 cotangents"),
    ("mg.grad((loss, loss), x, 1.0)", TypeError, "grad: grad_outputs|a sequence|1.0"),
    ("mg.grad([], x)", ValueError, "grad|outputs are empty|at least one"),
    ("mg.grad(loss, x, create=True)", TypeError, "grad()|unexpected|'create'"),
    ("wrong_shape(v).sum().backward()", ValueError, "wrong_shape|x|float64[]|float64[3]|'v'"),
    ("wrong_kind(v).sum().backward()", TypeError, "wrong_kind|x|NoneType|float64[3]"),
    ("wrong_result(v)", TypeError, "wrong_result|NoneType|one array"),
    ("mg.no_grad(3)", TypeError, "no_grad()|takes 0|1 was given"),
    ("mg.no_grad()(3)", TypeError, "no_grad|decorate functions|3"),
    ("mg.enable_grad()(generator)", TypeError, "generator|with ...:"),
    ("mg.scope(3)", TypeError, "scope: the name|a string|int"),
    ("mg.Graph(a)", TypeError, "Graph: outputs|Tensors|ndarray"),
]

OPS: list[Row] = [
    ("mg.Op(None)", TypeError, "Op: function|a function|None"),
    ("mg.Op('exp', x=None)", TypeError, "Op: function|'exp'"),
    ("mg.Op(np.add, a=None)", TypeError, "add|2 inputs|1 formulas"),
    ("mg.Op(cube)", TypeError, "cube|the inputs are x|give each input a formula"),
    ("mg.Op(cube, y=None)", TypeError, "cube|formulas for y|the inputs are x"),
    ("mg.Op(cube, x=3)", TypeError, "Op: x|a formula|None|3"),
    ("mg.Op(cube, x=None, name=3)", TypeError, "Op: name|str|3"),
    ("mg.Op(cube, x=None, texts=3)", TypeError, "Op: texts|Mapping|3"),
    ("mg.Op(cube, x=None, kinks=3)", TypeError, "Op: kinks|Sequence|3"),
    ("mg.Op(lambda x=1: x, x=None)", TypeError, "<lambda>|input x|default|*, x=1"),
    ("mg.Op(lambda x, **k: x, x=None)", TypeError, "<lambda>|**k|name each attribute"),
    ("mg.Op(lambda *xs: xs)", TypeError, "<lambda>|any number of inputs|each="),
    ("mg.Op(max, x=None)", TypeError, "max|signature|wrap it: lambda"),
    ("mg.Kink('x = 0')", TypeError, "Kink|missing|'gradient'|'gap'"),
]

DRAWING: list[Row] = [
    ("mg.draw()", TypeError, "draw|at least one output Tensor"),
    ("mg.draw([loss])", TypeError, "draw|outputs are Tensors|list"),
    ("mg.draw(loss, depth=-1)", ValueError, "draw: depth|at least 0|-1"),
    ("mg.draw(loss, depth='a')", TypeError, "draw: depth|a whole number|'a'"),
    ("mg.draw(loss, max_nodes=0)", ValueError, "draw: max_nodes|at least 1|0"),
    ("mg.draw(loss, focus=v)", ValueError, "draw: focus|'v'|not in the graph|give an output"),
    ("mg.draw(loss, focus=a)", TypeError, "draw: focus|a Tensor|ndarray"),
    ("mg.draw(loss, rankdir='XX')", ValueError, "draw: rankdir|TB, LR, BT, RL|'XX'"),
    ("mg.draw(loss, title=3)", TypeError, "draw: title|a string|3"),
    ("mg.draw(loss, colour=1)", TypeError, "draw()|unexpected|'colour'"),
    ("mg.draw(c, grads=True)", RuntimeError, "draw|no gradient flows|draw it without grads"),
    ("mg.draw(loss).render('x.xyz')", ValueError, "render|'x.xyz'|'.xyz'|.svg"),
    ("mg.draw(loss).render(None)", TypeError, "render: path|a path|None"),
    ("mg.steps(a)", TypeError, "steps|outputs are Tensors|ndarray"),
    ("mg.steps(loss, max_nodes=1)", ValueError, "steps|3 nodes|max_nodes=1|mg.draw"),
    ("mg.steps(loss, title=None)", TypeError, "steps: title|a string|None"),
    ("mg.steps(loss).render('x.svg')", ValueError, "render|'x.svg'|.html nor .txt"),
    ("mg.steps(loss).render(3)", TypeError, "render: path|a path|3"),
]

DIAGNOSTICS: list[Row] = [
    ("mg.debug(lines='yes')", TypeError, "debug: lines|True or False|'yes'"),
    ("mg.debug(writes=1)", TypeError, "debug: writes|True or False|1"),
    ("mg.debug(finite=None)", TypeError, "debug: finite|True or False|None"),
    ("mg.debug(cube)", TypeError, "debug: lines|True or False|a function|@mg.debug()"),
    ("mg.debug(nan=True)", TypeError, "debug()|unexpected|'nan'"),
    ("mg.debug()(3)", TypeError, "debug|decorate functions|3"),
    ("mg.debug()(generator)", TypeError, "generator|with ...:"),
    ("debugged(mg.log, [1.0, 0.0])", mg.NonFiniteError, "log makes -inf|at [1]|'p' is 0.0"),
    ("debugged(mg.sqrt, 0.0)", mg.NonFiniteError, "the gradient of sqrt by x|inf|'p' is 0.0"),
    ("written(in_debug=True).backward()", mg.WriteError, "'q'|entry [0] was 1.0, and is 2.0"),
    ("mg.explain(loss)", TypeError, "explain()|missing|'x'"),
    ("mg.explain(a, x)", TypeError, "explain: loss|a Tensor|ndarray"),
    ("mg.explain(loss, a)", TypeError, "explain: x|a Tensor, or a mapping of names|ndarray"),
    ("mg.explain(loss, [x])", TypeError, "explain: x|a Tensor, or a mapping of names|list"),
    ("mg.explain(loss, {'x': 3})", TypeError, "explain: x['x']|a Tensor|int"),
    ("mg.explain(loss, {'x': x}, 0)", ValueError, "explain: index|one tensor|params['W1']"),
    ("mg.explain(loss, {'x': x})['y']", KeyError, "'y'|not explained|x"),
    ("mg.explain(loss, x, 7)", IndexError, "explain: index 7|1 numbers|2 axes|one for each"),
    ("mg.explain(loss, x, (0, 3))", IndexError, "explain: index (0, 3)|'x'|axis 1 has 3"),
    ("mg.explain(loss, x, 'a')", IndexError, "explain: index|whole numbers|'a'"),
    ("mg.explain(loss, x, depth=0)", ValueError, "explain: depth|at least 1|0"),
    ("mg.explain(loss, x, depth='a')", TypeError, "explain: depth|a whole number|'a'"),
    ("mg.explain(r, x)", ValueError, "explain|float64[2, 3]|not a scalar|sum, mean"),
    ("mg.explain(loss, x, grad=[1.0])", ValueError, "explain: cotangent|(1,)|same shape"),
    ("mg.explain(loss, x).draw(max_nodes=0)", ValueError, "draw: max_nodes|at least 1|0"),
    ("mg.explain(loss, x).draw(rankdir='XX')", ValueError, "draw: rankdir|TB, LR, BT, RL|'XX'"),
    ("mg.explain(loss, x).draw(colour=1)", TypeError, "draw()|unexpected|'colour'"),
    ("mg.memory()", TypeError, "memory()|missing|'loss'"),
    ("mg.memory(a)", TypeError, "memory: loss|a Tensor|ndarray"),
    ("mg.memory([loss])", TypeError, "memory: loss|a Tensor|list"),
    ("mg.memory(loss, by='op')", TypeError, "memory()|unexpected|'by'"),
]

SAVING: list[Row] = [
    ("mg.save(a, path)", TypeError, "save: arrays|a mapping|state_dict()|float64[2, 3]"),
    ("mg.save({3: a}, path)", TypeError, "save: names|text|3"),
    ("mg.save({'a': 'b'}, path)", TypeError, f"save: a|'b'|{KINDS}"),
    ("mg.save({'a': np.array([1j])}, path)", TypeError, "save: a|complex128|float64"),
    ("mg.save({'a': [[1], [1, 2]]}, path)", ValueError, "save: a|[[1], [1, 2]]|length"),
    ("mg.save({'__metadata__': a}, path)", ValueError, "save|__metadata__|take another"),
    ("mg.save({'a': a}, None)", TypeError, "save: path|a path|None"),
    ("mg.save({'a': a})", TypeError, "save()|missing|'path'"),
    ("mg.load(None)", TypeError, "load: path|a path|None"),
    ("mg.load(path)", FileNotFoundError, "nothing-here"),
    ("mg.load(text)", train.DamagedFile, "damaged, or no safetensors file|take an older copy"),
]

NN: list[Row] = [
    ("nn.Linear(0, 2)", ValueError, "Linear: n_in|at least 1|0"),
    ("nn.Linear(2.5, 2)", TypeError, "Linear: n_in|a whole number|2.5"),
    ("nn.Linear(2, None)", TypeError, "Linear: n_out|a whole number|None"),
    ("nn.Linear(2, 3, seed='a')", TypeError, "Linear: seed|Generator|'a'"),
    ("nn.Linear(2, 3, seed=-1)", ValueError, "Linear: seed|at least 0|-1"),
    ("nn.Linear(2, 3, dtype=int)", TypeError, "int64|no gradient|give floats"),
    ("nn.Linear(2, 3, name=3)", TypeError, "name|a string|int"),
    ("nn.Linear(2, 3)(X3)", ValueError, "linear: (5, 3) @ (2, 3)|3 and 2 differ"),
    ("nn.Linear(2, 3)(None)", TypeError, f"matmul: a|None|{KINDS}"),
    ("nn.MLP(2)", TypeError, "MLP: sizes|a sequence|2"),
    ("nn.MLP((2,))", ValueError, "MLP|an input and an output|(2,)"),
    ("nn.MLP((2, 0, 1))", ValueError, "MLP|sizes|at least 1|0"),
    ("nn.MLP((2, 3.5, 1))", TypeError, "MLP|sizes|a whole number|3.5"),
    ("nn.MLP((2, 3, 1), activation='relu')", TypeError, "MLP: activation|mg.relu|'relu'"),
    ("model(X3)", ValueError, "linear: (5, 3) @ (2, 3)|3 and 2 differ|W1, b1"),
    ("model([['a', 'b']])", TypeError, f"matmul: a|<U1|{KINDS}"),
    ("model.load_state_dict(None)", TypeError, "load_state_dict: state|a mapping|None"),
    ("model.load_state_dict({})", ValueError, "load_state_dict|W1 is missing"),
    ("model.load_state_dict({'W3': a}, strict=True)", ValueError, "W3 is no parameter"),
    ("model.load_state_dict({'W1': 'a'}, False)", TypeError, f"load_state_dict: W1|'a'|{KINDS}"),
    ("model.load_state_dict({'W1': X}, False)", ValueError, "W1 is float64[5, 2]|float64[2, 3]"),
    ("nn.Module().parameters()", NotImplementedError, "Module|parameters()"),
    ("nn.Module()(X)", NotImplementedError, "Module|cannot be called"),
    ("nn.penalty(model, (1, 2))", ValueError, "penalty|2 layers|4 penalties|2"),
    ("nn.penalty(model, None)", TypeError, "penalty: penalties|a sequence of numbers|None"),
    ("nn.penalty(model, ('a', 0, 0, 0))", TypeError, f"elastic_net: l1|'a'|{KINDS}"),
    ("nn.penalty(None, (1, 2))", TypeError, "penalty|an MLP|NoneType"),
    ("nn.risk(None, X, y)", TypeError, "risk: model|a Module|None"),
    ("nn.risk(model, X, y * 1.0)", TypeError, "softmax_nll|labels are integers|float64"),
    ("nn.risk(model, X, y + 5)", ValueError, "softmax_nll|label 6 of row 0|0 ... 1"),
]

OPTIM: list[Row] = [
    ("optim.SGD([], lr=0.1)", ValueError, "SGD|no parameters"),
    ("optim.SGD(None, lr=0.1)", TypeError, "SGD: parameters|sequence of Tensors|None"),
    ("optim.SGD([a], lr=0.1)", TypeError, "SGD: parameters|float64[2, 3]|requires_grad=True"),
    ("optim.SGD([r], lr=0.1)", TypeError, "SGD: parameters are leaves|float64[2, 3]"),
    ("optim.SGD([x, x], lr=0.1)", ValueError, "SGD|a parameter|twice"),
    ("optim.SGD([x])", TypeError, "SGD|missing|'lr'"),
    ("optim.SGD([x], lr='fast')", TypeError, "SGD: the learning rate|a number|'fast'"),
    ("optim.SGD([x], lr=-1)", ValueError, "SGD: the learning rate|above 0|-1"),
    ("optim.SGD([x], lr=0.1, momentum=1.5)", ValueError, "SGD: momentum|below 1|1.5"),
    ("optim.SGD([x], lr=0.1, nesterov=True)", ValueError, "SGD: nesterov|momentum above 0"),
    ("optim.SGD([x], lr=lambda step: 'a').step()", TypeError, "SGD|step 0|a number|'a'"),
    ("optim.SGD([x], lr=0.1).load_state_dict(None)", TypeError, "SGD: state|a mapping|None"),
    ("optim.Adam([x]).load_state_dict({})", ValueError, "Adam|steps is missing"),
    ("optim.Adam([x], betas=3)", ValueError, "Adam: betas|two numbers|3"),
    ("optim.Adam([x], betas=(0.9, 1.0))", ValueError, "Adam: beta2|below 1|1.0"),
    ("optim.Adam([x], betas=([1], 'a'))", TypeError, "Adam: beta1|a number|[1]"),
    ("optim.Adam([x], eps=0)", ValueError, "Adam: eps|above 0|0"),
    ("optim.AdamW([x], weight_decay='a')", TypeError, "AdamW: weight_decay|a number|'a'"),
    ("optim.cosine(0, 10)", ValueError, "cosine: lr|above 0|0"),
    ("optim.cosine(0.1, 1.5)", ValueError, "cosine: steps|a whole number|1.5"),
    ("optim.cosine(0.1, None)", TypeError, "cosine: steps|a number|None"),
    ("optim.linear(0.1, -1)", ValueError, "linear: steps|at least 1|-1"),
    ("optim.step_decay(0.1, 2, 3)", ValueError, "step_decay: factor|below 1|2"),
    ("optim.step_decay(0.1, 0.5, 'a')", TypeError, "step_decay: every|a number|'a'"),
    ("optim.warmup('a', 3)", TypeError, "warmup: lr|a number|'a'"),
]

DATA: list[Row] = [
    ("mg.data.two_circles(seed='a')", TypeError, "two_circles: seed|Generator|'a'"),
    ("mg.data.two_circles(dtype=int)", TypeError, "two_circles: dtype|floats|int64"),
    ("mg.data.fashion_mnist('/nowhere')", FileNotFoundError, "/nowhere|apt install"),
    ("mg.data.fashion_mnist(3)", TypeError, "fashion_mnist: folder|a path|3"),
    ("mg.data.read_idx(None)", TypeError, "read_idx: path|a path|None"),
    ("mg.data.read_idx(text)", mg.data.DataError, "expected 00 00 08|found|get it again"),
    ("mg.data.split(X, y, (3, 3))", ValueError, "split: sizes|sum <= 5|(3, 3)"),
    ("mg.data.split(X, y, 3)", TypeError, "split: sizes|a sequence|3"),
    ("mg.data.split(X, y[:2], (1,))", ValueError, "split: X has 5 rows|y has 2|one label"),
    ("mg.data.split([1], [1], (1,))", TypeError, "split: X|an array|[1]|np.array"),
    ("mg.data.minibatches(X, y, 0)", ValueError, "minibatches: size|at least 1|0"),
    ("mg.data.minibatches(X, y, 2.5)", TypeError, "minibatches: size|a whole number|2.5"),
    ("mg.data.minibatches(X, y, 2, 'a')", TypeError, "minibatches: rng|Generator|'a'"),
]

TRAIN: list[Row] = [
    ("fit(epochs=-1)", ValueError, "fit: epochs|at least 0|-1"),
    ("fit(epochs=1.5)", TypeError, "fit: epochs|a whole number|1.5"),
    ("fit(batch_size=None)", TypeError, "fit: batch_size|a whole number|None"),
    ("fit(patience=1)", ValueError, "fit: patience|valid=(X, y)"),
    ("fit(penalty=3)", TypeError, "fit: penalty|a sequence of numbers|3"),
    ("fit(penalty=(None, 0, 0, 0))", TypeError, "fit|penalty|a number|None"),
    ("fit(penalty=(-1, 0, 0, 0))", ValueError, "fit: penalties|at least 0|-1"),
    ("fit(train=X)", TypeError, "fit: train|a pair (X, y)"),
    ("fit(train=(None, y))", TypeError, f"fit: train: X|None|{KINDS}"),
    ("fit(train=(3.0, y))", ValueError, "fit: train: X|an array of rows|3.0"),
    ("fit(train=(X, y[:2]))", ValueError, "fit: train|one label|(5, 2)|(2,)"),
    ("fit(train=(X, y * 1.0))", TypeError, "fit: train|labels are integers|float64"),
    ("fit(train=(X, y + 7))", ValueError, "fit: train|label 8 of row 0|0 ... 1"),
    ("fit(train=(X3, y))", ValueError, "linear: (1, 3) @ (2, 3)|3 and 2 differ"),
    ("fit(test=3)", TypeError, "fit: test|a pair (X, y)"),
    ("fit(optimizer=None)", TypeError, "fit: optimizer|optim|None"),
    ("fit(optimizer=optim.SGD([x], lr=0.1))", ValueError, "fit: the optimizer|'x'"),
    ("fit(model=None)", TypeError, "fit: model|a Module|None"),
    ("fit(seed='a')", TypeError, "fit: seed|Generator|'a'"),
    ("fit(callbacks=[3])", TypeError, "fit|callbacks|a function|3"),
    ("fit(resume='yes')", ValueError, "fit: resume|'previous'|'yes'"),
    ("fit(log=3)", TypeError, "fit: log|a path|3"),
    ("fit(checkpoint=3)", TypeError, "fit: checkpoint|a path|3"),
    ("fit(pace=1)", TypeError, "fit()|unexpected|'pace'"),
    ("train.evaluate(model, X[:0], y[:0])", ValueError, "evaluate|n > 0|(0, 2)"),
    ("train.evaluate(None, X, y)", TypeError, "evaluate: model|a function|None"),
    ("train.evaluate(lambda X: X, X, y)", TypeError, "evaluate|makes a Tensor|float64[5, 2]"),
    ("train.read_log(None)", TypeError, "read_log: path|a path|None"),
    ("train.read_log(text)", train.DamagedFile, "no log|first line"),
    ("train.Watch('a')", TypeError, "Watch: n|a whole number|'a'"),
    ("train.Watch(0)", ValueError, "Watch: n|at least 1|0"),
    ("train.Watch(4, 'a')", TypeError, "Watch: loss|a function of the parameters|'a'"),
    ("train.Watch(4).minibatch('a', 3)", TypeError, "minibatch: loss|a number|'a'"),
    ("train.Watch(4).minibatch(0.5, -1)", ValueError, "minibatch: size|at least 0|-1"),
    ("train.Watch(4).epoch({}, 'a')", TypeError, "epoch: reported|a number|'a'"),
    ("train.Watch(4).best(3, {}, 1.0)", TypeError, "best: best|a mapping|3"),
    ("train.Watch(4).best({}, {}, 'a')", TypeError, "best: reported|a number|'a'"),
    ("train.Watch(4).evaluation(3).__enter__()", TypeError, "evaluation: params|a mapping|3"),
    ("train.Watch(4).criterion(None)", TypeError, "criterion: value|a number|None"),
    ("train.History([])['loss']", KeyError, "'loss'|no column|train_loss"),
]

PLOT: list[Row] = [
    ("plot.decision_regions(None, X, y)", TypeError, "decision_regions: predict|a function|None"),
    ("plot.decision_regions(len, X3, y)", ValueError, "decision_regions|(n, 2)|(5, 3)"),
    ("plot.decision_regions(len, [['a', 'b']], [0])", TypeError, f"decision_regions: X|{KINDS}"),
    ("plot.decision_regions(first, X, y, 3)", TypeError, "decision_regions: ax|Axes|3"),
    ("plot.curves(None)", TypeError, "curves|a log|NoneType"),
    ("plot.curves({'epoch': [1]}, 'accuracy')", ValueError, "curves: column|'accuracy'"),
    ("plot.curves({'epoch': [2, 1]})", ValueError, "curves|'epoch'|increasing|[2, 1]"),
    ("plot.filters(None)", TypeError, f"filters: W|None|{KINDS}"),
    ("plot.filters(X, shape=3)", TypeError, "filters: shape|a pair|3"),
    ("plot.filters(X, shape=(2, 2))", ValueError, "filters|(d, n)|(5, 2)|(2, 2)"),
    ("plot.filters(X, shape=(5, 1), most='a')", TypeError, "filters: most|a whole number|'a'"),
    ("plot.confusion_matrix([0.0], [0])", TypeError, "confusion_matrix: labels|integers|float64"),
    ("plot.confusion_matrix(['a'], ['b'])", TypeError, f"confusion_matrix: labels|{KINDS}"),
    ("plot.confusion_matrix([0], [1], names=3)", TypeError, "names|a sequence of strings|3"),
]

TESTING: list[Row] = [
    ("testing.check_gradients(3, x)", TypeError, "check_gradients|int|no function"),
    ("testing.check_gradients(mg.sum)", TypeError, "check_gradients|no differentiable input"),
    ("testing.check_gradients(mg.sum, 'a')", TypeError, "check_gradients|str|lambda x"),
    ("testing.check_gradients(mg.sum, [1, 2])", TypeError, "check_gradients|int64|give floats"),
    ("testing.check_gradients(mg.sum, v, order=3)", ValueError, "order is 1 or 2|3"),
    ("testing.check_gradients(mg.sum, v, gradient=3)", TypeError, "gradient|not a function"),
    ("testing.check_gradients(lambda x: x > 0, v)", TypeError, "check_gradients|bool|floats"),
    ("testing.check_bprop(len, len, {}, None)", TypeError, "check_bprop: params|a dict of arrays"),
    ("testing.check_step(len, len, 3, None)", TypeError, "check_step: params|a dict of arrays|int"),
    ("testing.check_bprop(len)", TypeError, "check_bprop()|missing|'bprop'"),
]

TRANSFORMS: list[Row] = [
    ("mg.gradient(3)", TypeError, "gradient: f|a function|3"),
    ("mg.gradient(mg.tanh)(a)", ValueError, "gradient|tanh|float64[2, 3]|mg.jacobian|sum or mean"),
    ("mg.gradient(mg.stop_gradient)(1)", TypeError, "gradient: x|int64[]|no gradient|give floats"),
    ("mg.gradient(mg.sum)({'w': [None]})", TypeError, "gradient: |['w'][0]|None|arrays of floats"),
    (
        "mg.value_and_grad(mg.tanh, 2)(1.0)",
        ValueError,
        "value_and_grad: argnums|2|tanh|1 positional",
    ),
    ("mg.gradient(mg.tanh, (0, 0))(1.0)", ValueError, "gradient: argnums|(0, 0)|twice"),
    ("mg.jacobian(mg.tanh, 'x')", TypeError, "jacobian: argnums|an int or a tuple of ints|'x'"),
    ("mg.gradient(lambda v: None)(1.0)", TypeError, "gradient: |None|return"),
    ("mg.gradient(lambda v: [v])(1.0)", TypeError, "gradient: |containers|scalar|mg.jacobian"),
    ("mg.hessian(lambda v: v > 0)(1.0)", TypeError, "hessian: |bool[]|no derivative"),
    ("mg.vjp(mg.tanh)", ValueError, "vjp|the arguments of f"),
    ("mg.vjp(mg.tanh, a)[1](1.0)", ValueError, "vjp: v|float64[]|expected float64[2, 3]"),
    ("mg.jvp(mg.tanh, a, [a])", ValueError, "jvp: v holds v[0]|expected v"),
    ("mg.jvp(mg.tanh, 1.0, np.float32(1))", TypeError, "jvp: v|float32[]|expected float64[]"),
    ("mg.hvp(mg.tanh, a, a)", ValueError, "hvp: tanh|float64[2, 3]|mg.jacobian"),
    ("mg.checkpoint(3)", TypeError, "checkpoint: f|a function|3"),
    ("mg.checkpoint(lambda v: (v, v))(x)", TypeError, "checkpoint|(Tensor|return one array"),
    ("mg.custom_vjp(y=None)(lambda x: x)", TypeError, "x|y"),
]

GROUPS = {
    "tensor": TENSOR, "elementwise": ELEMENTWISE, "matrices": MATRICES, "axes": AXES,
    "shaping": SHAPING, "losses": LOSSES, "gradients": GRADIENTS, "op": OPS, "drawing": DRAWING,
    "diagnostics": DIAGNOSTICS, "saving": SAVING, "nn": NN, "optim": OPTIM, "data": DATA,
    "train": TRAIN, "plot": PLOT, "testing": TESTING, "transforms": TRANSFORMS,
}  # fmt: skip
ROWS = [row for group in GROUPS.values() for row in group]


def names(folder: Any) -> dict[str, Any]:
    """What the calls speak of, made anew for each."""
    (folder / "text").write_text("hello")
    x, w = (mg.Tensor(np.ones(n), True, name) for n, name in (((2, 3), "x"), ((4, 2), "w")))
    v, s = mg.Tensor([1.0, 2.0, 3.0], True, "v"), mg.Tensor(2.0, True, "s")
    X, y = np.ones((5, 2)), np.array([1, 0, 1, 0, 1])

    def written(in_debug: bool = False) -> mg.Tensor:
        with mg.debug() if in_debug else nullcontext():
            q = mg.Tensor([1.0, 2.0], requires_grad=True, name="q")
            loss = (q * q).sum()
        with mg.no_grad():
            q += 1.0
        return loss

    @mg.debug()
    def debugged(function: Any, at: Any) -> None:
        with np.errstate(all="ignore"):
            function(mg.Tensor(at, True, "p")).sum().backward()

    @mg.no_grad()
    def without_grad() -> mg.Tensor:
        return x.sum()

    def fit(**options: Any) -> Any:
        model = nn.MLP((2, 3, 2), seed=0)
        sgd = optim.SGD(model.parameters(), lr=0.1)
        given = {"model": model, "train": (X, y), "optimizer": sgd, "epochs": 1, "batch_size": 2}
        return train.fit(**{**given, "progress": False, **options})

    def cube(x: Any) -> Any:
        return x**3

    def generator() -> Any:
        yield

    tensors = {"x": x, "w": w, "v": v, "s": s, "r": x * 2.0, "loss": (x * x).sum()}
    return {
        **{"np": np, "mg": mg, "nn": nn, "optim": optim, "plot": plot, "train": train},
        **tensors,
        "Tensor": mg.Tensor,
        "testing": mg.testing,
        "a": np.ones((2, 3)),
        "c": mg.Tensor([1.0, 2.0]),
        "e": mg.Tensor(np.zeros((0, 3)), requires_grad=True),
        "i": mg.Tensor([1, 2, 3]),
        "t": mg.Tensor([True, False, True]),
        "z": mg.Tensor(np.ones((3, 2)), requires_grad=True, name="z"),
        "masked": np.ma.masked_array([1.0, 1.0, 1.0], [True, False, False]),
        "dates": np.array(["2020-01-01"], "M8[D]"),
        "model": nn.MLP((2, 3, 2), seed=0),
        "X": X,
        "X3": np.ones((5, 3)),
        "y": y,
        "path": folder / "nothing-here",
        "text": folder / "text",
        "written": written,
        "debugged": debugged,
        "without_grad": without_grad,
        "fit": fit,
        "first": lambda rows: rows[:, 0],
        "cube": cube,
        "generator": generator,
        "wrong_shape": mg.Op(cube, x=lambda g, y, x: g[0], name="wrong_shape"),
        "wrong_kind": mg.Op(cube, x=lambda g, y, x: None, name="wrong_kind"),
        "wrong_result": mg.Op(lambda x: None, x=None, name="wrong_result"),
    }
