"""The diagnosis finds each mistake of the library, where it is, and says what it is."""

import pytest

from minigraph.testing import check_bprop
from minigraph.testing.mistakes import CAUSES, LIBRARY, SENTENCES, load, naming
from tests.counts import share

GRADIENT = [mistake for mistake in LIBRARY if mistake.where == "gradient"]

# A one-sided derivative at a kink is as good as any other: these must not be accused.
RIGHT = {"relu′(0) = 1", "deep: relu′(0) = 1", "sign(0) = 1 in the L1 of W1"}
# Found, in the right parameters, without a name for them
UNNAMED = {
    "the L1 of W2 is the sign of its gradient",
    "each example takes its step at once",
    "back through a W2 that has decayed",
    "deep: divided by the derivative of the sigmoid",  # rounding hides it where that is near 0
    "the term of the variance without n",
    "means over the units",
}


def diagnosis(mistake):
    wrong, right = load(mistake), load(mistake.architecture)
    return check_bprop(
        wrong.fprop, wrong.bprop, wrong.params, wrong.batch,
        penalties=(0,) * wrong.PENALTIES, graph=right.graph,
    )  # fmt: skip


@pytest.mark.parametrize("mistake", share(GRADIENT, 25), ids=lambda mistake: mistake.name)
def test_mistakes_of_the_library_are_found_and_named(mistake):
    found = diagnosis(mistake)
    if mistake.name in RIGHT:
        assert found.ok
        return
    wrong = {name for name, verdict in found.verdicts.items() if verdict.status == "wrong"}
    assert wrong == set(mistake.causes)
    assert "fprop" not in found.verdicts
    assert all(name in str(found) for name in wrong)
    expected = "unnamed" if mistake.name in UNNAMED else "named"
    assert naming(mistake, found.verdicts) == expected, str(found)


def test_every_cause_has_its_sentences():
    assert SENTENCES.keys() == CAUSES["gradient"].keys()
    assert {m.name for m in GRADIENT} > RIGHT | UNNAMED
    assert len(UNNAMED) < 0.05 * len(GRADIENT)


def test_naming_tells_a_wrong_name():
    mistake = next(m for m in GRADIENT if m.causes == {"b2": "missing 1/K"})
    assert naming(mistake, {"b2": ("wrong", ("it is transposed",))}) == "misnamed"
    assert naming(mistake, {"b2": ("wrong", ())}) == "unnamed"
    said = "it is K times the right one: the division by the number of examples K is missing"
    assert naming(mistake, {"b2": ("wrong", ("it is transposed", said))}) == "named"
