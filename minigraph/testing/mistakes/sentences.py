"""What the diagnosis is expected to say of each cause, and whether it does."""

import re
from collections.abc import Mapping
from typing import Literal

from minigraph.testing.mistakes.mistake import Mistake

__all__ = ["SENTENCES", "naming"]

# Each cause of a wrong gradient with the sentences that name it. One that says where a rule is
# changed names it too, if the change is what the cause says: its words end such a sentence.
SENTENCES: dict[str, str] = {
    "missing 1/K": r"K times the right one: the division by the number of examples",
    "extra 1/K": r"divided by the number of examples K once too often|mean over the examples",
    "factor 2": r"a factor 2 is too much",
    "factor 1/2": r"a factor 2 is missing",
    "other factor": r"^it is .* the right one|K/\(K - 1\)|: .* is multiplied by|used in place of",
    "wrong sign": r"its sign is wrong",
    "fixed batch size": r"divided by \d+, whatever the number of examples",
    "not summed over examples": r"not summed over the examples",
    "first example only": r"only the first (example|row|column)|the first of the (rows|columns)",
    "last example only": r"only the last (example|row|column)|the last of the (rows|columns)",
    "examples left out": r"left out$|examples are left out|do not count$",
    "examples weighted": r"examples are weighted|examples count by",
    "summed over the wrong axis": (
        r"summed over the wrong axis|summed over everything|summed over all axes"
        r"|softmax is taken over the (examples|whole batch)"
    ),
    "label shifted": r"the (labels|targets) are|labels of all examples",
    "transposed": r"it is transposed",
    "wrong shape": r"its shape is",
    "left at zero": r"left at zero",
    "no penalty gradient": r"the penalty is in the loss but not in the gradient",
    "one penalty ignored": r"is ignored: the derivative",
    "other λ": r"is used where .* belongs|the term of .* is .*, should be",
    "penalty factor 2 missing": r"the term of .* a factor 2 is missing",
    "penalty factor 2 extra": r"the term of .* a factor 2 is too much",
    "sign missing in L1": r"the term of .* should be sign",
    "penalty of the other layer": r"it is not this one's|the term of .* should",
    "penalty divided by K": r"the term of .* divided by the number of examples K",
    "penalty times K": r"the term of .* added once for each example",
    "bias penalised": r"a bias is not penalised|a penalty that the loss does not have",
    "penalty sign wrong": r"the term of .* its sign is wrong",
    "activation derivative missing": (
        r"the derivative of \w+ is missing|by the probabilities, -1/p|∂.* in place of ∂"
    ),
    "activation derivative inverted": r"the inverse, should|divided where it should be multiplied",
    "derivative at the wrong place": (
        r"the derivative of \w+ is taken (at|as)|used in place of|(it is|be) left at zero"
    ),
    "wrong derivative formula": (
        r"the derivative of \w+ is taken as|the term of .* should be|its sign is wrong"
        r"|which does not belong there|divides where it should multiply"
    ),
    "pre-activation used": r"is used in place of",
    "input in place of hidden": r"is used in place of",
    "weight not transposed": r"the transpose is missing|reshaped where it should be transposed",
    "weight of the other layer": r"W\d is used in place of W\d",
    "one-hot missing": (
        r"one-hot vector of the label is not subtracted|1 is subtracted from all probabilities"
        r"|targets are left out"
    ),
    "softmax derivative extra": r"the derivative of softmax|which does not belong there",
    "bias times x": r"a bias has no such factor|which does not belong there",
    "gradient through normalisation missing": r"it is left at zero|is used in place of ∂",
    "term missing": (
        r"counts$|is left out, as if it were 1|which does not belong there|∂.* in place of ∂"
        r"|only the entry of the label|not divided by its sum|left at zero"
    ),
    "parameter updated before use": r"a step of .* before it was used",
}
# True, but no cause
VAGUE = r"no known cause|changes it, but not the slope|the term of \S+ is wrong|^its shape is"


def naming(
    mistake: Mistake, verdicts: Mapping[str, tuple[str, tuple[str, ...]]]
) -> Literal["named", "unnamed", "misnamed"]:
    """Tell whether the verdicts of a diagnosis give the cause of each wrong gradient.

    They do if one of the causes named for each parameter is the one that the mistake has
    there, or gives the same numbers. They misname if for one of them all that is named is another.
    """
    found = set()
    for name, cause in mistake.causes.items():
        _, said = verdicts.get(name, ("", ()))
        expected = "|".join(SENTENCES[c] for c in (cause, *mistake.also) if c in SENTENCES)
        if any(re.search(expected, words) for words in said):
            found.add("named")
        elif all(re.search(VAGUE, words) for words in said):
            found.add("unnamed")
        else:
            found.add("misnamed")
    return next(kind for kind in ("misnamed", "unnamed", "named") if kind in found)
