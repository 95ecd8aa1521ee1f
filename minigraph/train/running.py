"""A training run: its steps, its epochs, its ends, and what is kept of it."""

import json
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any

import numpy as np

from minigraph.arrays import shown
from minigraph.checks import check_callable, generator, listed
from minigraph.derivation.deriving import Backend
from minigraph.files import as_path
from minigraph.nn import Module, Seed
from minigraph.nn import penalty as penalty_of
from minigraph.ops.neural import softmax_nll
from minigraph.optim import Optimizer
from minigraph.train.checkpoint import Checkpoint
from minigraph.train.deriving import DerivedLosses, Losses
from minigraph.train.log import COLUMNS, History, Log, check_same
from minigraph.train.measuring import count_wrong, evaluate
from minigraph.train.options import Options, configuration, plain
from minigraph.train.terminal import interrupts, progress_bar
from minigraph.train.watching import (
    NonFiniteLoss,
    TrainingWarning,
    check_examples,
    checksum,
    count_classes,
    first_nonfinite,
    high_start,
    missing_classes,
)

__all__ = ["Run"]

EXTRA = 2  # lines that a log may have beyond the checkpoint: they are computed again
COUNTED = 5_000  # examples
SHOWN = 0.1  # seconds between two changes of the loss beside the progress bar


@dataclass
class Position:
    """How far the epoch that is under way has come, and what it has measured."""

    batches: int = 0
    examples: int = 0
    loss: float = 0.0  # sum over examples
    wrong: int = 0
    seconds: float = 0.0
    learning_rate: float = 0.0  # of its first step


class Classified:
    """Examples whose errors are counted some thousand at a time: one by one took 2 % of a step."""

    def __init__(self, position: Position) -> None:
        self._position = position
        self._logits: list[Any] = []
        self._labels: list[Any] = []
        self._size = 0

    def add(self, logits: Any, labels: Any) -> None:
        """Take note of a minibatch."""
        self._logits.append(logits)
        self._labels.append(labels)
        self._size += len(labels)
        if self._size >= COUNTED:
            self.count()

    def count(self) -> None:
        """Count all that are noted."""
        if self._size:
            logits, labels = map(np.concatenate, (self._logits, self._labels))
            self._position.wrong += count_wrong(logits, labels)
        self._logits, self._labels, self._size = [], [], 0


class Run:
    """A run: checked when it is made, then called once.

    Parameters are those of `fit`; calling it trains, and gives the history.
    """

    def __init__(
        self,
        model: Module,
        train: Any,
        valid: Any,
        test: Any,
        optimizer: Optimizer,
        options: Options,
        seed: Seed,
        callbacks: Sequence[Callable[[History], str | None]],
    ) -> None:
        options.check(model, valid)
        if not isinstance(model, Module):
            raise TypeError(f"fit: model is a Module, such as nn.MLP, not {shown(model)}")
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"fit: optimizer is one of optim's, not {shown(optimizer)}")
        self.model, self.optimizer, self.options = model, optimizer, options
        self.penalty = options.penalty
        self.parameters = model.parameters()
        strangers = set(optimizer.parameters) - set(self.parameters.values())
        if strangers:
            raise ValueError(
                f"fit: the optimizer is not of this model: {next(iter(strangers))._label()} is no "
                "parameter of it"
            )
        m = count_classes(model, train)
        given = {"train": train, "valid": valid, "test": test}
        self.parts = {
            name: check_examples(name, part, m) for name, part in given.items() if part is not None
        }
        self.callbacks = listed(callbacks, "fit: callbacks", "a sequence of functions")
        for callback in self.callbacks:
            check_callable(callback, "fit: each of the callbacks")
        self.rng = generator(seed, "fit: seed")
        self.history = History([])
        self.seed = seed
        self.order_from = self.rng.bit_generator.state  # of the epoch that is under way
        self.position = Position()
        self.m = m
        self.derived = self._derived() if options.derived else None

    # The run

    def __call__(self, log: Any, checkpoint: Any, resume: bool | str) -> History:
        """Train; files are touched only when all that was given has been checked."""
        if log is not None or checkpoint is not None:
            described = configuration(
                self.model, self.optimizer, self.options, self.parts, self.seed, self.m
            )
            self.history.configuration = described
        self.checkpoint = Checkpoint(checkpoint) if checkpoint is not None else None
        arrays, about = self._load(log, resume)
        rows = about.get("rows", []) if resume else None
        more = EXTRA if about else 0
        self.log = Log(log, self.history.configuration, rows, more) if log is not None else None
        try:
            if about:
                self._restore(arrays, about)
            else:
                self._warn()
                self._save()
            self._train()
        finally:
            if self.log is not None:
                self.log.close()
        if self.options.restore_best and self.history.best_state is not None:
            self._restore_best()
        return self.history

    def _train(self) -> None:
        n_batches = -(-len(self.parts["train"][1]) // self.options.batch_size)
        done = len(self.history.rows) * n_batches + self.position.batches
        total = self.options.epochs * n_batches
        with interrupts() as interrupted, progress_bar(self.options.progress, done, total) as bar:
            while not self._is_finished() and not interrupted:
                self._epoch(n_batches, interrupted, bar)
        if interrupted:
            self._interrupt()

    def _is_finished(self) -> bool:
        reason = self.history.stop_reason
        if reason is not None and not reason.startswith("epochs"):
            return True
        return len(self.history.rows) >= self.options.epochs

    def _epoch(self, n_batches: int, interrupted: list[int], bar: Any) -> None:
        X, y = self.parts["train"]
        position, size = self.position, self.options.batch_size
        start = perf_counter() - position.seconds
        self.order_from = self.rng.bit_generator.state
        order = self.rng.permutation(len(y))
        if not position.batches:
            position.learning_rate = self.optimizer.rate
        shown = 0.0
        classified = Classified(position)
        for batch in range(position.batches, n_batches):
            rows = order[batch * size : (batch + 1) * size]
            labels = y[rows]
            value, logits = self._step(X.take(rows, axis=0), labels)
            position.batches += 1
            position.examples += len(labels)
            position.loss += value * len(labels)
            classified.add(logits, labels)
            if batch == 0 and not self.history.rows and (note := high_start(value, self.m)):
                _warn(note, 5)
            if bar is not None:
                bar.update()
                if (now := perf_counter()) > shown + SHOWN:
                    shown = now
                    self._show(bar, value)
            if interrupted and position.batches < n_batches:
                classified.count()
                position.seconds = perf_counter() - start
                self._interrupt()
        classified.count()
        if self.derived is not None:
            self.derived.own_gradients()
        if position.examples != len(y):
            raise AssertionError(f"fit: {position.examples} examples seen, not {len(y)}")
        self._measure(start)
        if bar is not None:
            self._show(bar, self.history.rows[-1]["train_loss"])

    def _step(self, X: Any, y: Any) -> tuple[float, Any]:
        """Take one step; give the loss without penalty, and the logits."""
        if self.derived is not None:
            loss, nll, logits = self.derived(X, y)
            if math.isfinite(loss):  # if not, the graph says where
                self.optimizer.step()
                return float(nll), logits.copy()
        loss, nll, logits = self._losses(X, y)
        if not math.isfinite(loss.item()):
            self._stop_at(loss)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return nll.item(), logits.data

    def _losses(self, X: Any, y: Any) -> Losses:
        logits = self.model(X)
        loss = nll = softmax_nll(logits, y)
        if self.penalty is not None:
            loss = nll + penalty_of(self.model, self.penalty)
        return Losses(loss, nll, logits)

    def _derived(self) -> DerivedLosses:
        X, y = self.parts["train"]
        size = min(self.options.batch_size, len(y))
        sizes = {size, len(y) % size or size}
        backend: Backend = "numba" if self.options.derived == "numba" else "numpy"
        return DerivedLosses(self.model, self._losses, X[:size], y[:size], sizes, backend)

    def _show(self, bar: Any, loss: float) -> None:
        seen = {"loss": f"{loss:.4f}"}
        for part in ("valid", "test"):
            if part in self.parts and self.history.rows:
                seen[f"{part} error"] = f"{self.history.rows[-1][f'{part}_error']:.4f}"
        bar.set_postfix(seen, refresh=False)

    # After an epoch

    def _measure(self, start: float) -> None:
        row = self._row()
        for part in self.parts:
            if part == "train" and not self.options.evaluate_train:
                continue
            prefix = "trained" if part == "train" else part
            row[f"{prefix}_loss"], row[f"{prefix}_error"] = self._evaluated(part)
        row["seconds"] = perf_counter() - start
        self.history.rows.append(row)
        if self.history.best_epoch == row["epoch"]:
            self.history.best_state = {name: p.numpy() for name, p in self.parameters.items()}
        row["stop_reason"] = self._reason(row["epoch"])
        self.position = Position()
        self.order_from = self.rng.bit_generator.state
        self._save()
        if self.log is not None:
            self.log.append(row)

    def _row(self) -> dict[str, Any]:
        position, row = self.position, dict.fromkeys(COLUMNS)
        seen = position.examples
        row.update(
            epoch=len(self.history.rows) + 1,
            train_loss=position.loss / seen if seen else None,
            train_error=position.wrong / seen if seen else None,
            seconds=position.seconds,
            examples=seen,
            learning_rate=position.learning_rate,
        )
        return row

    def _evaluated(self, part: str) -> tuple[float | None, float]:
        before = self._parameters_checksum()
        loss, error = evaluate(self.model, *self.parts[part])
        if self._parameters_checksum() != before:
            raise RuntimeError(
                f"fit: evaluating on the examples of {part} has changed the parameters: "
                f"{type(self.model).__name__}.__call__ writes them"
            )
        return (loss if math.isfinite(loss) else None), error

    def _parameters_checksum(self) -> str:
        return checksum({name: p._array for name, p in self.parameters.items()})

    def _reason(self, epoch: int) -> str | None:
        for callback in self.callbacks:
            text = callback(self.history)
            if text:
                return f"callback: {text}"
        patience, best = self.options.patience, self.history.best_epoch or 0
        if patience is not None and epoch - best >= patience:
            return f"patience: no smaller validation loss for {patience} epochs, best was {best}"
        return f"epochs: all {epoch} done" if epoch == self.options.epochs else None

    def _restore_best(self) -> None:
        assert self.history.best_state is not None
        for name, value in self.history.best_state.items():
            self.parameters[name].data = value
        loss, _ = self._evaluated("valid")
        logged = min(x for x in self.history["valid_loss"] if x is not None)
        if loss != logged:
            raise RuntimeError(
                f"fit: the best parameters have validation loss {loss}, not {logged} as logged: "
                f"{type(self.model).__name__}.__call__ does not always give the same"
            )

    # Ends before the end

    def _interrupt(self) -> None:
        done = f"after {self.position.batches} minibatches"
        if self._is_finished():
            where = f"when the run had ended ({self.history.stop_reason})"
        else:
            self._save()
            row = self._row()
            row["stop_reason"] = f"interrupted {done} of the epoch"
            if self.log is not None:
                self.log.append(row)
            where = f"in epoch {row['epoch']}, {done}"
        saved = "nothing is saved; the model keeps what it has learned"
        if self.checkpoint is not None:
            saved = f"saved in {self.checkpoint.path}; go on with resume=True"
        raise KeyboardInterrupt(f"fit: interrupted {where}; {saved}")

    def _stop_at(self, loss: Any) -> None:
        tensor, what = first_nonfinite(loss)
        row = self._row()
        where = f"epoch {row['epoch']}, minibatch {self.position.batches + 1}"
        row["stop_reason"] = f"loss not finite in {where}: {what}"
        self.history.rows.append(row)
        if self.log is not None:
            self.log.append(row)
        raise NonFiniteLoss(
            f"fit: the loss is {loss.item()} in {where}: {what}. error.draw() shows where", loss,
            tensor,
        )  # fmt: skip

    def _warn(self) -> None:
        y = self.parts["train"][1]
        if note := missing_classes(y, self.m):
            _warn(note, 4)
        if (size := self.options.batch_size) > len(y):
            _warn(f"batch_size={size} is more than all {len(y)} examples: an epoch is one step", 4)

    # What is kept

    def _save(self) -> None:
        if self.checkpoint is None:
            return
        arrays = {f"model.{name}": p._array for name, p in self.parameters.items()}
        arrays |= {f"optimizer.{n}": a for n, a in self.optimizer.state_dict().items()}
        arrays |= {f"best.{n}": a for n, a in (self.history.best_state or {}).items()}
        about = {
            "configuration": self.history.configuration,
            "rows": self.history.rows,
            "position": asdict(self.position),
            "order_from": json.loads(json.dumps(self.order_from, default=plain)),
        }
        self.checkpoint.save(arrays, about)

    def _load(self, log: Any, resume: bool | str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """Read the checkpoint that is to be resumed; nothing if the run begins now."""
        kept = self.checkpoint
        if resume not in (True, False, "previous"):
            raise ValueError(f"fit: resume is True, False or 'previous', not {resume!r}")
        if resume and kept is None:
            raise ValueError("fit: resume needs the checkpoint of the run: checkpoint=path")
        log = None if log is None else as_path(log, "fit: log")
        if kept is not None and log in (kept.path, kept.previous):
            raise ValueError(f"fit: {log} cannot be log and checkpoint at once")
        if kept is None or not kept.exists():
            return {}, {}
        if not resume:
            raise FileExistsError(
                f"{kept.path}: there is a checkpoint already; continue its run with resume=True, "
                "or give another path"
            )
        arrays, about = kept.load(previous=resume == "previous")
        check_same(about["configuration"], self.history.configuration, kept.path)
        return arrays, about

    def _restore(self, arrays: Mapping[str, Any], about: Mapping[str, Any]) -> None:
        state: dict[str, dict[str, Any]] = {prefix: {} for prefix in ("model", "optimizer", "best")}
        for name, array in arrays.items():
            prefix, _, rest = name.partition(".")
            state[prefix][rest] = array
        self.optimizer.load_state_dict(state["optimizer"])
        for name, p in self.parameters.items():
            p.data = state["model"][name]
        self.history.rows = about["rows"]
        self.history.best_state = state["best"] or None
        self.position = Position(**about["position"])
        self.rng.bit_generator.state = about["order_from"]


def _warn(note: str, depth: int) -> None:
    """Warn at the line that called `fit`, which is so many calls away."""
    warnings.warn(note, TrainingWarning, stacklevel=depth + 1)
