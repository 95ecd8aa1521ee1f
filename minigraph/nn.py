"""Networks: plain objects that hold named parameter Tensors."""

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from itertools import pairwise
from operator import add
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from minigraph.arrays import Array, array_of
from minigraph.checks import check_callable, check_mapping, generator, listed, whole
from minigraph.methods import Operand
from minigraph.modes import scope
from minigraph.op import Op
from minigraph.ops.elementwise import relu
from minigraph.ops.layers import bce_with_logits, dropout, embedding, huber, layer_norm, mse
from minigraph.ops.neural import affine, elastic_net, linear, softmax_nll
from minigraph.tensor import Tensor

__all__ = ["MLP", "Linear", "Module", "bce_with_logits", "dropout", "embedding", "huber",
           "layer_norm", "mse", "penalty", "risk"]  # fmt: skip

Seed = int | np.random.Generator | None


class Module:
    """A network: what is learned has names, and can be taken out and put back.

    Whoever extends it gives `parameters` and ``__call__``.
    """

    def parameters(self) -> dict[str, Tensor]:
        """Give the parameters by name."""
        raise NotImplementedError(f"{type(self).__name__} has no method parameters()")

    def __call__(self, x: Operand) -> Tensor:
        """Compute the outputs for some rows."""
        raise NotImplementedError(f"{type(self).__name__} cannot be called")

    @property
    def n_parameters(self) -> int:
        """How many numbers are learned; of an MLP Σ n_in n_out + n_out, the homework's n_θ (U5)."""
        return sum(p.size for p in self.parameters().values())

    def state_dict(self) -> dict[str, Array]:
        """Copy the values of all parameters."""
        return {name: p.numpy() for name, p in self.parameters().items()}

    def load_state_dict(self, state: Mapping[str, Operand], strict: bool = True) -> None:
        """Put values into the parameters, all or none.

        Parameters
        ----------
        state : mapping of str to array_like
            As `state_dict` gives them; they are copied.
        strict : bool
            Refuse names that are missing, and names that are no parameter's. Otherwise the
            common ones are taken.

        Raises
        ------
        ValueError
            If names, shapes or dtypes do not fit; it lists all that do not, and nothing is loaded.
        """
        check_mapping(state, "load_state_dict: state", "names to arrays, as state_dict gives it")
        parameters = self.parameters()
        wrong = []
        if strict:
            wrong += [f"{name} is missing" for name in parameters if name not in state]
            wrong += [f"{name} is no parameter" for name in state if name not in parameters]
        values = {
            name: array_of(state[name], f"load_state_dict: {name}")
            for name in parameters
            if name in state
        }
        for name, value in values.items():
            p = parameters[name]
            if value.shape != p.shape or value.dtype != p.dtype:
                wrong.append(
                    f"{name} is {value.dtype}{list(value.shape)}, not {p.dtype}{list(p.shape)}"
                )
        if wrong:
            raise ValueError(f"load_state_dict: does not fit {self!r}: {'; '.join(wrong)}")
        for name, value in values.items():
            parameters[name].data = value


class Linear(Module):
    """An affine layer, ``y = x @ W + b``.

    Parameters
    ----------
    n_in, n_out : int
        Sizes of an input row and of an output row.
    seed : int or numpy.random.Generator, optional
        Where the weights come from.
    dtype : dtype_like
        Of the parameters.
    name : str
        Its scope in drawings.
    suffix : str
        Added to the names of its parameters, such as the 1 of W1.

    Attributes
    ----------
    W : (n_in, n_out) Tensor
        Drawn from U(-1/√n_in, 1/√n_in).
    b : (n_out,) Tensor
        Zeros.

    Examples
    --------
    >>> from minigraph import nn
    >>> layer = nn.Linear(3, 2, seed=0)
    >>> layer([[1.0, 2.0, 3.0]]).shape
    (1, 2)
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        seed: Seed = None,
        dtype: DTypeLike = np.float64,
        name: str = "linear",
        suffix: str = "",
    ) -> None:
        n_in, n_out = whole(n_in, "Linear: n_in", 1), whole(n_out, "Linear: n_out", 1)
        self.name = name
        bound = 1 / np.sqrt(n_in)
        weights = generator(seed, "Linear: seed").uniform(-bound, bound, (n_in, n_out))
        with scope(name):
            self.W = Tensor(weights, requires_grad=True, name=f"W{suffix}", dtype=dtype)
            self.b = Tensor(np.zeros(n_out), requires_grad=True, name=f"b{suffix}", dtype=dtype)

    def parameters(self) -> dict[str, Tensor]:
        """Give the parameters by name."""
        return {str(p.name): p for p in (self.W, self.b)}

    def __call__(self, x: Operand) -> Tensor:
        """Apply the layer to rows `x` of shape (n, n_in)."""
        if getattr(x, "ndim", 0) == 2:
            y = affine(x, self.W, self.b)
            y.scope = (*y.scope, self.name)  # a tenth of the time of entering the scope
            return y
        with scope(self.name):
            return linear(x, self.W, self.b)

    def __repr__(self) -> str:
        return f"Linear({self.W.shape[0]}, {self.W.shape[1]})"


class MLP(Module):
    """A multi-layer perceptron: affine layers with an activation between them.

    Parameters
    ----------
    sizes : sequence of int
        Of the input, the hidden layers and the output: ``(d, dh, m)`` for the homework's network.
    activation : callable
        Applied after each layer but the last.
    seed : int or numpy.random.Generator, optional
        Where the weights come from.
    dtype : dtype_like
        Of the parameters.

    Attributes
    ----------
    layers : tuple of Linear
        Layer i has the parameters Wi and bi, counted from 1, and the scope layeri.

    Examples
    --------
    >>> from minigraph import nn
    >>> model = nn.MLP((784, 50, 10), seed=0)
    >>> list(model.parameters())
    ['W1', 'b1', 'W2', 'b2']
    >>> model.n_parameters
    39760
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activation: Callable[[Tensor], Tensor] = relu,
        seed: Seed = None,
        dtype: DTypeLike = np.float64,
    ) -> None:
        sizes = [whole(n, "MLP: each of the sizes", 1) for n in listed(sizes, "MLP: sizes")]
        if len(sizes) < 2:
            raise ValueError(f"MLP: sizes of at least an input and an output, got {tuple(sizes)}")
        check_callable(activation, "MLP: activation", "a function, such as mg.relu")
        rng = generator(seed, "MLP: seed")
        self.activation = activation
        self.layers = tuple(
            Linear(n_in, n_out, rng, dtype, name=f"layer{i}", suffix=str(i))
            for i, (n_in, n_out) in enumerate(pairwise(sizes), start=1)
        )

    def parameters(self) -> dict[str, Tensor]:
        """Give the parameters by name, W1, b1, W2, b2 and so on."""
        return {name: p for layer in self.layers for name, p in layer.parameters().items()}

    def __call__(self, x: Operand) -> Tensor:
        """Give the logits, (n, m), for rows `x`, (n, d)."""
        for layer in self.layers[:-1]:
            x = layer(x)
            if isinstance(self.activation, Op):
                x = self.activation(x)
                x.scope = (*x.scope, layer.name)
            else:
                with scope(layer.name):
                    x = self.activation(x)
        return self.layers[-1](x)

    def __repr__(self) -> str:
        sizes = [layer.W.shape[0] for layer in self.layers] + [self.layers[-1].W.shape[1]]
        return f"MLP({tuple(sizes)}, {getattr(self.activation, '__name__', self.activation)})"


def risk(
    model: Module, x: Operand, labels: Operand, penalties: Sequence[Any] | None = None
) -> Tensor:
    """Compute the (penalised) empirical risk of a classifier on a batch.

    R̃ = mean NLL + λ11 ‖W1‖₁ + λ12 ‖W1‖² + λ21 ‖W2‖₁ + λ22 ‖W2‖² + …, biases untouched: the
    homework's 2.18 (U5, U18).

    Parameters
    ----------
    model : Module
        With penalties an MLP.
    x : (n, d) array_like
        One row per example.
    labels : (n,) array_like of int
    penalties : sequence of float, optional
        (λ11, λ12, λ21, λ22, …): for each layer the weights of its ‖W‖₁ and of its ‖W‖².

    Returns
    -------
    Tensor
        0-d.

    Raises
    ------
    ValueError
        If there are not two penalties per layer; what `softmax_nll` raises.

    Examples
    --------
    >>> from minigraph import data, nn
    >>> model = nn.MLP((2, 8, 2), seed=0)
    >>> X, t = data.two_circles_first10()
    >>> nn.risk(model, X, t, penalties=(0, 1e-3, 0, 1e-3)).shape
    ()
    """
    check_callable(model, "risk: model", "a Module, from rows to logits")
    total = softmax_nll(model(x), labels)
    return total if penalties is None else total + penalty(model, penalties)


def penalty(model: Module, penalties: Sequence[Any]) -> Tensor:
    """Compute λ11 ‖W1‖₁ + λ12 ‖W1‖² + λ21 ‖W2‖₁ + λ22 ‖W2‖² + …, biases untouched (U18).

    Parameters
    ----------
    model : MLP
    penalties : sequence of float
        (λ11, λ12, λ21, λ22, …): for each layer the weights of its ‖W‖₁ and of its ‖W‖².

    Returns
    -------
    Tensor
        0-d.

    Raises
    ------
    TypeError
        If the model is no MLP.
    ValueError
        If there are not two penalties per layer.

    Examples
    --------
    >>> from minigraph import nn
    >>> model = nn.MLP((1, 1, 1))
    >>> for p in model.parameters().values():
    ...     p.data = [[-2.0]] if p.ndim == 2 else [7.0]
    >>> nn.penalty(model, (1, 10, 0, 100)).item()  # 1 * |-2| + 10 * 4 + 100 * 4
    442.0
    """
    if not isinstance(model, MLP):
        raise TypeError(f"penalty: of an MLP, not of {type(model).__name__}")
    penalties = listed(penalties, "penalty: penalties", "a sequence of numbers, two per layer")
    if len(penalties) != 2 * len(model.layers):
        raise ValueError(
            f"penalty: {len(model.layers)} layers need {2 * len(model.layers)} penalties "
            f"(λ11, λ12, λ21, λ22, ...), got {len(penalties)}"
        )
    pairs = zip(model.layers, penalties[::2], penalties[1::2])
    return reduce(add, (elastic_net(layer.W, l1, l2) for layer, l1, l2 in pairs))
