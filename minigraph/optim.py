"""Optimizers: they write into parameters in place, by the tensors' own counted write."""

import operator
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from minigraph.arrays import Array, array_of, shown
from minigraph.checks import check_mapping, listed
from minigraph.schedules import Rate, checked, cosine, linear, step_decay, warmup
from minigraph.tensor import Tensor

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "cosine", "linear", "step_decay", "warmup"]

Parameters = Mapping[str, Tensor] | Iterable[Tensor]
Kept = Sequence[dict[str, Array]]  # of some parameters


class Optimizer(ABC):
    """What all optimizers have in common; make one of `SGD`, `Adam` and `AdamW`.

    Parameters
    ----------
    parameters : mapping of str to Tensor, or iterable of Tensor
        What is learned; those without a gradient are left alone.
    lr : float or callable
        The learning rate η: above 0, or a function that gives it for the step, 0 being the first
        (see `cosine`). The function may give 0 too: such a step changes no parameter.

    Attributes
    ----------
    parameters : tuple of Tensor
    steps : int
        How many steps have been taken.

    Raises
    ------
    ValueError
        If there are no parameters, one is given twice, or a setting is out of range.
    TypeError
        If a parameter is not a leaf that requires a gradient, or a setting is no number.
    """

    settings: ClassVar[tuple[str, ...]] = ()  # names of attributes: what it was made with, but lr

    def __init__(self, parameters: Parameters, lr: Rate) -> None:
        self._who = who = type(self).__name__
        self._what = f"{who}.step"
        named = dict(parameters) if isinstance(parameters, Mapping) else None
        words = "a mapping or sequence of Tensors"
        given = parameters if named is None else named.values()
        self.parameters = listed(given, f"{who}: parameters", words)
        if not self.parameters:
            raise ValueError(f"{who}: no parameters to learn")
        for p in self.parameters:
            if not isinstance(p, Tensor) or p.op is not None or not p.requires_grad:
                label = p._label() if isinstance(p, Tensor) else shown(p)
                raise TypeError(
                    f"{who}: parameters are leaves that require a gradient, not {label}; make "
                    "them by mg.Tensor(..., requires_grad=True)"
                )
        if len(set(self.parameters)) < len(self.parameters):
            raise ValueError(f"{who}: a parameter is given twice, and would take two steps at once")
        self.lr = lr
        self.steps = 0
        self._names = _names(self.parameters) if named is None else tuple(named)
        self._kept = [(p, self._start(p)) for p in self.parameters]

    @property
    def lr(self) -> Rate:
        """The learning rate as it was given, a number or a function; may be set at any time."""
        return self._lr

    @lr.setter
    def lr(self, lr: Rate) -> None:
        self._lr: Rate = (
            lr if callable(lr) else checked(self._who, "the learning rate", lr, zero=False)
        )

    @property
    def rate(self) -> float:
        """The learning rate of the next step, a number.

        Raises
        ------
        ValueError
            If the function `lr` gives what is negative, infinite or NaN.
        """
        lr = self._lr
        if callable(lr):
            return checked(self._who, f"the learning rate of step {self.steps}", lr(self.steps))
        return lr

    def __repr__(self) -> str:
        lr = getattr(self._lr, "__qualname__", self._lr)
        given = "".join(f", {name}={getattr(self, name)!r}" for name in self.settings)
        return f"{self._who}(lr={lr}{given})"

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for p in self.parameters:
            p._grad = None

    def step(self) -> None:
        """Take one step down the gradient that `backward` left.

        Raises
        ------
        ValueError
            If the learning rate of this step is not possible; then nothing has changed.
        """
        rate, what = self.rate, self._what
        dtype: Any = None
        eta: Any = None
        for p, kept in self._kept:
            gradient = p._grad
            if gradient is None:
                continue
            if gradient.dtype is not dtype:
                dtype = gradient.dtype
                eta = np.asarray(rate, dtype)  # 0-d: half the time of a Python number
            update = self._update(p, gradient, kept, eta) if kept else eta * gradient
            p.overwrite(what, operator.isub, update)
        self.steps += 1

    @abstractmethod
    def _start(self, p: Tensor) -> dict[str, Array]:
        """Give the arrays that are kept for a parameter between steps, as they are at the start.

        Where nothing is kept, the step is the plain one, η g.
        """

    @abstractmethod
    def _update(self, p: Tensor, gradient: Array, kept: dict[str, Array], rate: Array) -> Array:
        """Bring what is kept up to date, and give a new array: what to subtract."""

    # For `derive_step`, which writes all of a step out

    def _formula(
        self, p: Any, gradient: Any, kept: Mapping[str, Any], rates: Mapping[str, Any]
    ) -> tuple[Any, dict[str, Any]]:
        """Give the parameter, and what is kept, as they are after a step, by operations alone."""
        raise TypeError(f"derive_step: {self._who} has no formula of its step, Optimizer._formula")

    def _rates(self, rate: float, kept: Kept) -> dict[str, float]:
        """Give the numbers that change from step to step, for the next one."""
        return {"rate": rate}

    def _stepped(self, kept: Kept) -> None:
        """Note that a step was taken elsewhere, of the parameters for which this is kept."""
        self.steps += 1

    def state_dict(self) -> dict[str, Array]:
        """Copy what the next steps depend on, besides the parameters and the settings.

        A learning rate that is a function goes on where it was, since `steps` is part of the state;
        the function itself is not.

        Returns
        -------
        dict of str to ndarray
            ``steps``, and ``velocity.W1`` and its like: what is kept, and for which parameter. That
            is its key in the mapping; of an iterable, its own name where all have distinct ones,
            else its place, from 0. All are there before the first step too.

        Examples
        --------
        >>> import minigraph as mg
        >>> w = mg.Tensor([1.0, 2.0], requires_grad=True, name="w")
        >>> mg.optim.SGD([w], lr=0.1, momentum=0.9).state_dict()
        {'steps': array(0), 'velocity.w': array([0., 0.])}
        """
        return {name: array.copy() for name, array in self._state().items()}

    def load_state_dict(self, state: Mapping[str, ArrayLike]) -> None:
        """Go on from what `state_dict` gave: the steps that follow are the same to the last bit.

        Parameters
        ----------
        state : mapping of str to array_like
            Is copied.

        Raises
        ------
        ValueError
            If a name is missing or unexpected, a shape or dtype is another, or a count is negative;
            then nothing has changed.
        """
        check_mapping(state, f"{self._who}: state", "names to arrays, as state_dict gives it")
        own = self._state()
        given = {name: array_of(array, f"{self._who}: {name}") for name, array in state.items()}
        wrong = [f"{name} is missing" for name in own if name not in given]
        wrong += [f"{name} is unexpected" for name in given if name not in own]
        for name in own.keys() & given.keys():
            expected, array = own[name], given[name]
            if (array.shape, array.dtype) != (expected.shape, expected.dtype):
                wrong.append(
                    f"{name} is {array.dtype}{list(array.shape)}, "
                    f"not {expected.dtype}{list(expected.shape)}"
                )
            elif array.dtype == np.int64 and array < 0:
                wrong.append(f"{name} is {array}, a count")
        if wrong:
            raise ValueError(
                f"{self._who}: this state is not of this optimizer, and nothing of it was loaded: "
                + "; ".join(sorted(wrong))
            )
        for name, array in given.items():
            np.copyto(own[name], array)
        self.steps = int(given["steps"])

    def _state(self) -> dict[str, Array]:
        """Give what is kept, itself, by its name in the state."""
        state = {"steps": np.array(self.steps, np.int64)}
        for name, (_, kept) in zip(self._names, self._kept):
            state.update({f"{what}.{name}": array for what, array in kept.items()})
        return state


def _names(parameters: tuple[Tensor, ...]) -> tuple[str, ...]:
    names = [p.name for p in parameters if p.name is not None]
    if len(set(names)) == len(parameters):
        return tuple(names)
    return tuple(str(place) for place in range(len(parameters)))


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum if wanted.

    v ← μ v + g, θ ← θ - η v, from v = 0 (the homework's U6 for μ = 0). With `nesterov`
    θ ← θ - η (g + μ v). Sutskever et al., "On the importance of initialization and momentum in deep
    learning", 2013, both in PyTorch's form, where η is not part of v.

    Parameters
    ----------
    parameters : mapping of str to Tensor, or iterable of Tensor
        What is learned; those without a gradient are left alone.
    lr : float or callable
        The learning rate η, or a function that gives it for the number of the step.
    momentum : float
        μ, 0 ≤ μ < 1; above 0 a ``velocity`` v is kept for each parameter.
    nesterov : bool
        Take the gradient's part in the next velocity too; needs momentum.

    Raises
    ------
    ValueError
        If there are no parameters, one is given twice, η ≤ 0, μ is out of range, or `nesterov` has
        no momentum.
    TypeError
        If a parameter is not a leaf that requires a gradient.

    Examples
    --------
    >>> import minigraph as mg
    >>> w = mg.Tensor(4.0, requires_grad=True)
    >>> sgd = mg.optim.SGD([w], lr=0.25)
    >>> (w * w).backward()
    >>> sgd.step()
    >>> w.item()
    2.0
    """

    settings: ClassVar[tuple[str, ...]] = ("momentum", "nesterov")

    def __init__(
        self, parameters: Parameters, lr: Rate, momentum: float = 0.0, nesterov: bool = False
    ) -> None:
        self._momentum = checked("SGD", "momentum", momentum, high=1)
        if nesterov and not self._momentum:
            raise ValueError(f"SGD: nesterov needs a momentum above 0, got {momentum!r}")
        self.nesterov = nesterov
        super().__init__(parameters, lr)

    @property
    def momentum(self) -> float:
        """The factor μ."""
        return self._momentum

    def _start(self, p: Tensor) -> dict[str, Array]:
        return {"velocity": np.zeros_like(p.data)} if self._momentum else {}

    def _update(self, p: Tensor, gradient: Array, kept: dict[str, Array], rate: Array) -> Array:
        velocity = kept["velocity"]
        velocity *= self._momentum
        velocity += gradient
        if self.nesterov:
            return rate * (gradient + self._momentum * velocity)
        return rate * velocity

    def _formula(
        self, p: Any, gradient: Any, kept: Mapping[str, Any], rates: Mapping[str, Any]
    ) -> tuple[Any, dict[str, Any]]:
        if not kept:
            return p - rates["rate"] * gradient, {}
        velocity = self._momentum * kept["velocity"] + gradient
        step = gradient + self._momentum * velocity if self.nesterov else velocity
        return p - rates["rate"] * step, {"velocity": velocity}


class Adam(Optimizer):
    """Adam: steps that a running mean of the gradient gives, by the root of that of its square.

    From m = v = 0, in a parameter's step t = 1, 2, …:
    m ← β₁ m + (1 - β₁) g, v ← β₂ v + (1 - β₂) g²,
    θ ← θ - η m̂ / (√v̂ + ε), where m̂ = m / (1 - β₁ᵗ), v̂ = v / (1 - β₂ᵗ).
    Kingma and Ba, "Adam: a method for stochastic optimization", 2015, algorithm 1; PyTorch's too.

    Parameters
    ----------
    parameters : mapping of str to Tensor, or iterable of Tensor
        What is learned; those without a gradient are left alone.
    lr : float or callable
        The learning rate η, or a function that gives it for the number of the step.
    betas : pair of float
        (β₁, β₂), each 0 ≤ β < 1.
    eps : float
        ε > 0, also when it is rounded to the dtype of the parameters: in float16 give 1e-7 or more.

    Raises
    ------
    ValueError
        If there are no parameters, one is given twice, η ≤ 0, or β₁, β₂ or ε is out of range.
    TypeError
        If a parameter is not a leaf that requires a gradient.

    Notes
    -----
    ``mean`` m, ``square`` v and ``count`` t are kept for each parameter: t counts its own steps, so
    that one that gets its first gradient late starts like the others.

    A penalty λ‖θ‖² belongs into the loss (`elastic_net`, `nn.risk`), or take `AdamW`.

    Examples
    --------
    >>> import minigraph as mg
    >>> w = mg.Tensor(4.0, requires_grad=True)
    >>> adam = mg.optim.Adam([w], lr=0.25)
    >>> (w * w).backward()
    >>> adam.step()
    >>> round(w.item(), 6)
    3.75
    """

    settings: ClassVar[tuple[str, ...]] = ("betas", "eps")

    def __init__(
        self,
        parameters: Parameters,
        lr: Rate = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        who = type(self).__name__
        try:
            first, second = betas
        except (TypeError, ValueError):
            raise ValueError(f"{who}: betas must be two numbers, got {betas!r}") from None
        self.betas = checked(who, "beta1", first, high=1), checked(who, "beta2", second, high=1)
        self.eps = checked(who, "eps", eps, zero=False)
        super().__init__(parameters, lr)

    def _start(self, p: Tensor) -> dict[str, Array]:
        if not p.dtype.type(self.eps):  # where a gradient is 0, 0 / 0 would follow
            least = f"{np.finfo(p.dtype).smallest_subnormal:.0e} for {p.dtype} parameters"
            raise ValueError(f"{self._who}: eps must be at least {least}, got {self.eps}")
        mean, square = np.zeros_like(p.data), np.zeros_like(p.data)
        return {"mean": mean, "square": square, "count": np.zeros((), np.int64)}

    def _update(self, p: Tensor, gradient: Array, kept: dict[str, Array], rate: Array) -> Array:
        beta1, beta2 = self.betas
        mean, square, count = kept["mean"], kept["square"], kept["count"]
        count += 1
        t = int(count)

        work = np.empty_like(gradient)  # the one temporary array: parameters may be large
        np.multiply(gradient, 1 - beta1, out=work)
        mean *= beta1
        mean += work
        np.multiply(gradient, gradient, out=work)
        work *= 1 - beta2
        square *= beta2
        square += work

        np.sqrt(square, out=work)
        work /= (1 - beta2**t) ** 0.5
        work += self.eps
        np.divide(mean, work, out=work)
        work *= rate / (1 - beta1**t)
        return work

    def _formula(
        self, p: Any, gradient: Any, kept: Mapping[str, Any], rates: Mapping[str, Any]
    ) -> tuple[Any, dict[str, Any]]:
        beta1, beta2 = self.betas
        mean = beta1 * kept["mean"] + (1 - beta1) * gradient
        square = beta2 * kept["square"] + (1 - beta2) * (gradient * gradient)
        step = rates["rate"] * (mean / (np.sqrt(square) / rates["root"] + self.eps))
        return p - step, {"mean": mean, "square": square}

    def _rates(self, rate: float, kept: Kept) -> dict[str, float]:
        beta1, beta2 = self.betas
        counts = {each["count"].item() for each in kept}
        if len(counts) > 1:
            raise ValueError(
                f"{self._who}: parameters have taken different numbers of steps, "
                f"{min(counts)} to {max(counts)}; one program takes the same step for all"
            )
        t = counts.pop() + 1
        return {"rate": rate / (1 - beta1**t), "root": (1 - beta2**t) ** 0.5}

    def _stepped(self, kept: Kept) -> None:
        super()._stepped(kept)
        for each in kept:
            each["count"][()] += 1  # in a third of the time of += on the array


class AdamW(Adam):
    """Adam with decoupled weight decay: θ ← θ - η m̂ / (√v̂ + ε) - η λ θ, all with the old θ.

    Loshchilov and Hutter, "Decoupled weight decay regularization", 2019, algorithm 2, in PyTorch's
    form: their λ is ours times η.

    Parameters
    ----------
    parameters : mapping of str to Tensor, or iterable of Tensor
        What is learned; those without a gradient are left alone, without decay too.
    lr : float or callable
        The learning rate η, or a function that gives it for the number of the step.
    betas : pair of float
        (β₁, β₂), each 0 ≤ β < 1.
    eps : float
        ε > 0, also when it is rounded to the dtype of the parameters.
    weight_decay : float
        λ ≥ 0, for all parameters, biases too.

    Raises
    ------
    ValueError
        As `Adam`; if λ is out of range.
    TypeError
        If a parameter is not a leaf that requires a gradient.

    Examples
    --------
    >>> import minigraph as mg
    >>> w = mg.Tensor(4.0, requires_grad=True)
    >>> adamw = mg.optim.AdamW([w], lr=0.25, weight_decay=0.5)
    >>> (w * w).backward()
    >>> adamw.step()
    >>> round(w.item(), 6)
    3.25
    """

    settings: ClassVar[tuple[str, ...]] = ("betas", "eps", "weight_decay")

    def __init__(
        self,
        parameters: Parameters,
        lr: Rate = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        self.weight_decay = checked("AdamW", "weight_decay", weight_decay)
        super().__init__(parameters, lr, betas, eps)

    def _update(self, p: Tensor, gradient: Array, kept: dict[str, Array], rate: Array) -> Array:
        update = super()._update(p, gradient, kept, rate)
        update += (rate * self.weight_decay) * p._array
        return update

    def _formula(
        self, p: Any, gradient: Any, kept: Mapping[str, Any], rates: Mapping[str, Any]
    ) -> tuple[Any, dict[str, Any]]:
        changed, kept = super()._formula(p, gradient, kept, rates)
        return changed - rates["decay"] * p, kept

    def _rates(self, rate: float, kept: Kept) -> dict[str, float]:
        return {**super()._rates(rate, kept), "decay": rate * self.weight_decay}
