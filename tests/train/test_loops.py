"""A witness says what is wrong with a loop written by hand; see test_homework_mistakes.py too."""

import numpy as np
import pytest

from minigraph.train import Watch

LOSSES, SIZE = (0.9, 0.6, 0.3), 2
PENALTY = 0.25


def reported(value, epochs=1, **options):
    """Watch epochs of the same three minibatches, with a loss that is reported."""
    watch = Watch(n=6, **options)
    for epoch in range(epochs):
        for loss in LOSSES:
            watch.minibatch(loss, SIZE)
        watch.epoch({"w": np.ones(2)}, value(epoch))
    return watch


@pytest.mark.parametrize("penalty", [0.0, PENALTY])
def test_the_mean_over_the_minibatches_or_over_all_examples_is_right(penalty):
    options = {"penalty": lambda p: penalty} if penalty else {}
    assert reported(lambda epoch: 0.6 + penalty, 2, **options).ok
    assert reported(lambda epoch: 0.5 + penalty, loss=lambda p: 0.5 + penalty, **options).ok


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.3, "is that of the last minibatch alone"),
        (0.1, "and it is divided by n / K once more"),
        (0.2, "is a minibatch's mean divided by n / K"),
        (1.8, "is the sum of the minibatches' means"),
        (3.6, "is the sum over the examples"),
        (0.6 - PENALTY, "is without the penalties"),
        (0.77, "1.02, is not that of the minibatches, 0.85"),
    ],
)
def test_another_loss_is_named_once(value, words):
    watch = reported(lambda epoch: value + PENALTY, 2, penalty=lambda p: PENALTY)
    (remark,) = watch.remarks
    assert remark.startswith("epoch 1: the loss that is reported")
    assert words in remark


def test_a_sum_that_is_not_set_back_is_named_in_the_second_epoch():
    watch = reported(lambda epoch: 0.6 * (epoch + 1), 3)
    assert watch.remarks == [
        "epoch 2: the loss that is reported is the sum over all epochs: set it to 0 before each "
        "epoch"
    ]


def test_an_epoch_without_minibatches_or_with_too_many_is_told():
    watch = Watch(n=6)
    watch.epoch({}, 0.7)
    assert "it takes 0 of 6 examples" in str(watch)
    watch = Watch(n=4)
    for loss in LOSSES:
        watch.minibatch(loss, SIZE)
    watch.epoch({}, 0.6)
    assert "it takes 6 of 4 examples (1.5 of an epoch)" in str(watch)


def test_the_best_is_a_copy_with_the_loss_that_is_said():
    w = np.array([1.0, 2.0])
    watch = Watch(6, loss=lambda p: float(p["w"].sum()))
    watch.best({"w": w.copy()}, {"w": w}, 3.0)
    assert watch.ok
    watch.best({"w": w.T}, {"w": w}, 3.0)
    watch.best({"w": w.copy()}, {"w": w}, 2.5)
    assert [remark.split(":")[1] for remark in watch.remarks] == [
        " the best w and the present are the same array, so each step changes the best too",
        " the parameters kept as the best have loss 3, not 2.5",
    ]


def test_what_an_evaluation_changes_is_named():
    p = {"w": np.ones(3), "b": np.zeros(1)}
    watch = Watch(6)
    with watch.evaluation(p, "test"):
        p["w"].sum()
    assert watch.ok
    with watch.evaluation(p, "test"):
        p["b"] += 1
    assert "evaluating on test changes b" in str(watch)


def test_a_criterion_that_can_tell_something_and_patience_are_right():
    watch = reported(lambda epoch: 0.6)
    watch.criterion(0.1)
    watch.criterion(1e-17)
    watch.stopped()
    assert watch.ok
