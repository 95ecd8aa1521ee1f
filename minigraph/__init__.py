"""minigraph: automatic differentiation that people can read, draw and trust."""

from minigraph import data, nn, optim
from minigraph.graph import Graph
from minigraph.modes import enable_grad, no_grad, scope
from minigraph.op import Kink, Op
from minigraph.ops.elementwise import (
    abs, add, ceil, clip, cos, divide, equal, exp, expm1, floor, floor_divide, greater,
    greater_equal, less, less_equal, log, log1p, logical_and, logical_not, logical_or,
    logical_xor, maximum, minimum, multiply, negative, not_equal, power, relu, rint, sigmoid,
    sign, sin, softplus, sqrt, square, subtract, tanh, trunc, where,
)  # fmt: skip
from minigraph.ops.linalg import dot, matmul
from minigraph.ops.neural import (
    elastic_net, l1_penalty, l2_penalty, linear, log_softmax, softmax, softmax_nll,
)  # fmt: skip
from minigraph.ops.reductions import all, any, argmax, argmin, logsumexp, max, mean, min, sum
from minigraph.ops.shaping import (
    astype, broadcast_to, concatenate, copy, expand_dims, reshape, squeeze, stack, swapaxes,
    transpose,
)  # fmt: skip
from minigraph.sweep import grad
from minigraph.tensor import Tensor

__version__ = "0.1.0"
