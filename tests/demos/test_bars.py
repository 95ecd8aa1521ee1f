"""What the demos reach at full length; collected in the profile `thorough` only."""

import re

from tests.demos.test_demos import run


def test_eight_hidden_units_learn_the_circles_from_nine_of_ten_seeds_and_two_from_none(tmp_path):
    options = ["--epochs", 60, "--penalty", 0, "--hidden", 2, 8, "--noisy-epochs", 1]
    out, _ = run(tmp_path, "two_circles.py", *options, "--seeds", 10)
    assert re.search(r"dh = 2: 0 from 0 of 10 seeds", out)
    assert int(re.search(r"dh = 8: 0 from (\d+) of 10 seeds", out)[1]) >= 9


def test_fifty_hidden_units_chosen_by_validation_have_at_most_12_percent_test_error(
    tmp_path, fashion_mnist
):
    out, _ = run(tmp_path, "fashion_mnist.py", "--folder", fashion_mnist)
    assert "784-50-10" in out
    assert float(re.search(r"test error (\S+) \(10000 images\)", out)[1]) <= 0.12
