"""The one function that trains."""

import os
from collections.abc import Callable, Sequence
from typing import Literal

from numpy.typing import ArrayLike

from minigraph.nn import Module, Seed
from minigraph.optim import Optimizer
from minigraph.train.log import History
from minigraph.train.options import Options
from minigraph.train.running import Run

__all__ = ["fit"]

Examples = tuple[ArrayLike, ArrayLike]
Callback = Callable[[History], str | None]
StrPath = str | os.PathLike[str]


def fit(
    model: Module,
    train: Examples,
    valid: Examples | None = None,
    test: Examples | None = None,
    *,
    optimizer: Optimizer,
    epochs: int,
    batch_size: int,
    penalty: Sequence[float] | None = None,
    patience: int | None = None,
    log: StrPath | None = None,
    checkpoint: StrPath | None = None,
    resume: bool | Literal["previous"] = False,
    seed: Seed = 0,
    callbacks: Sequence[Callback] = (),
    evaluate_train: bool = False,
    restore_best: bool = False,
    progress: bool | None = None,
    derived: bool | Literal["numba"] = False,
) -> History:
    """Train a classifier by minibatches, and measure it after each epoch.

    An epoch takes every training example once, in a new order, the last minibatch however short.
    Each step goes down the gradient of the mean negative log-likelihood of its minibatch, plus
    penalties: of the very graph whose loss is reported. Losses in the history are without penalty,
    means over examples; errors are shares of wrongly classified examples.

    Parameters
    ----------
    model : Module
        From rows (n, d) to logits (n, m).
    train, valid, test : (X, y)
        Rows, and their classes 0 ... m - 1. The last two are evaluated, never trained on.
    optimizer : Optimizer
        Of the model's parameters.
    epochs : int
        How often to take all training examples, from the beginning of the run.
    batch_size : int
    penalty : sequence of float, optional
        (λ11, λ12, λ21, λ22, ...) of an `MLP`, as for `nn.risk`.
    patience : int, optional
        Stop after so many epochs without a smaller validation loss.
    log : path-like, optional
        A file that gets a line of JSON per epoch, on the disk before the next one begins; the
        first line has the configuration. `read_log` reads it.
    checkpoint : path-like, optional
        A safetensors file from which the run can be resumed, written after each epoch; the one
        before it is kept beside it.
    resume : bool or "previous"
        Go on from `checkpoint`, if there is one, with the result that the run would have had
        without interruption, to the bit. Everything else must be as it was, but `epochs` may be
        more. With "previous" from the one before.
    seed : int or numpy.random.Generator
        Decides the order of the examples.
    callbacks : sequence of callable
        Each is called with the history after each epoch; a text that it returns ends the run.
    evaluate_train : bool
        Evaluate on the training examples after each epoch too (``trained_loss``,
        ``trained_error``): ``train_loss`` is the mean of what was measured while it learned.
    restore_best : bool
        In the end, give the model the parameters that had the smallest validation loss.
    progress : bool, optional
        Show a bar; by default in terminals and notebooks only.
    derived : bool or "numba"
        Let `derive` write the loss and its gradients as NumPy before the first step, or as loops
        that Numba compiles, and train with that: the same history but for roundings, in less time.
        It is compared with the graph on the first minibatch. A model that draws random numbers, or
        looks at values, is refused.

    Returns
    -------
    History
        By column, one entry per epoch. `best_state` has copies of the best parameters.

    Raises
    ------
    TypeError, ValueError
        If something that was given is not possible, or the model cannot be derived though it is to
        be; nothing has been trained or written then.
    RuntimeError
        If what was derived does not give what the graph gives.
    NonFiniteLoss
        If the loss becomes NaN or infinite. The step is not taken, the log says so.
    KeyboardInterrupt
        After Ctrl-C: the step is finished, the log and the checkpoint are written first.
    DamagedFile, OtherRun
        If the log or the checkpoint cannot be continued; nothing has been changed then.
    OSError
        If a file cannot be written, another run is writing the log, or there are files of another
        run and `resume` is False. Model and optimizer keep what they have learned.

    Warns
    -----
    TrainingWarning
        If a class has no training example, `batch_size` is more than all examples, or the loss at
        the start is above twice that of guessing, ln m.

    Examples
    --------
    >>> from minigraph import data, nn, optim
    >>> from minigraph.train import fit
    >>> train, valid = data.split(*data.two_circles(0), (800, 300))
    >>> model = nn.MLP((2, 8, 2), seed=0)
    >>> sgd = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    >>> history = fit(model, train, valid, optimizer=sgd, epochs=60, batch_size=20)
    >>> history
    <History of 60 epochs, stopped: epochs: all 60 done>
    >>> history["valid_error"][-1]
    0.0
    """
    options = Options(epochs, batch_size, penalty, patience, evaluate_train, restore_best, progress,
                      derived)  # fmt: skip
    run = Run(model, train, valid, test, optimizer, options, seed, callbacks)
    return run(log, checkpoint, resume)
