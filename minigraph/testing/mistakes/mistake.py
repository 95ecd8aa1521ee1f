"""What a mistake in a hand-written gradient is, and the words for what causes it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["CAUSES", "Mistake", "Where"]

Where = Literal["gradient", "loss", "conduct"]

# Each cause with its meaning, by where it shows: the gradient that bprop returns, the loss that
# fprop returns while the gradient is right for the one that was meant, or how the two behave.
CAUSES: dict[Where, dict[str, str]] = {
    "gradient": {
        # scale
        "missing 1/K": "K times too large: the sum over the examples, not the mean",
        "extra 1/K": "K times too small: divided twice",
        "factor 2": "twice too large",
        "factor 1/2": "half of what it should be",
        "other factor": "off by another factor, the same for all entries",
        "wrong sign": "minus the gradient",
        "fixed batch size": "divided by a number that is K in one data set only",
        # examples
        "not summed over examples": "one column or row for each example is left",
        "first example only": "the other examples do not count",
        "last example only": "each example overwrites the one before",
        "examples left out": "some examples do not count",
        "examples weighted": "examples count differently",
        "summed over the wrong axis": "over classes or units, where examples are meant",
        "label shifted": "the class of each example is another's",
        # shape
        "transposed": "rows and columns swapped",
        "wrong shape": "the right numbers in another shape",
        # zero
        "left at zero": "nothing is computed",
        # penalty
        "no penalty gradient": "the penalties of this parameter are not differentiated",
        "one penalty ignored": "one of two penalties is not differentiated",
        "other λ": "a penalty has the λ of another",
        "penalty factor 2 missing": "λ W for the derivative of λ ‖W‖²",
        "penalty factor 2 extra": "twice the derivative of a penalty",
        "sign missing in L1": "λ, λ |W| or λ W for the derivative λ sign(W) of λ ‖W‖₁",
        "penalty of the other layer": "another layer's penalty is differentiated, or added here",
        "penalty divided by K": "the penalty is averaged as if it were a sum over examples",
        "penalty times K": "the penalty is added once for each example",
        "bias penalised": "the derivative of a penalty that the loss does not have",
        "penalty sign wrong": "the derivative of the penalty is subtracted",
        # activation
        "activation derivative missing": "the cotangent goes through unchanged",
        "activation derivative inverted": "what is passed is stopped, or multiplied for divided",
        "derivative at the wrong place": "the derivative of the activation, at another number",
        "wrong derivative formula": "another formula than that of this activation",
        # wiring
        "pre-activation used": "the layer before its activation, where the one after it is meant",
        "input in place of hidden": "an earlier layer in place of the one that is multiplied",
        "weight not transposed": "the entries of a weight are paired in the wrong order",
        "weight of the other layer": "the cotangent goes back through another layer's weight",
        "one-hot missing": "the labels do not occur",
        "softmax derivative extra": "softmax is differentiated once more than it should be",
        "bias times x": "the rule of the weight, for a bias",
        "gradient through normalisation missing": "mean and variance are taken for constants",
        "term missing": "one of the terms of a sum is left out",
        "parameter updated before use": "the step is taken before the rest of the gradient",
    },
    "loss": {
        "loss is a sum": "over the examples, where the mean is meant",
        "loss overflows": "not finite for logits that are large",
        "penalty doubled in loss": "a penalty counts twice",
        "penalty of the wrong layer in loss": "one layer's λ stands before another's weights",
        "penalty missing in loss": "a penalty is left out, or is always 0",
        "loss over the wrong axis": "summed over examples where classes are meant",
        "loss divided by another number": "not by the number of examples in the batch",
    },
    "conduct": {
        "argument changed": "what was given is another after the call",
        "stale buffer": "something of an earlier call is in the result",
        "aliased result": "the result shares memory with a parameter or another result",
        "integer arithmetic": "fractions are cut off",
        "not finite": "inf or nan for logits that are large, or for a unit without variance",
        "raises": "an exception, for sizes that are allowed",
        "missing key": "a parameter has no gradient in the result",
        "prints": "something is printed",
        "not deterministic": "the same call twice, and two results",
        "wrong type": "a list, a matrix, an array where a number is meant",
    },
}


@dataclass(frozen=True)
class Mistake:
    """A wrong version of one of the architectures.

    Attributes
    ----------
    name : str
        What was done, as a short phrase; no two have the same.
    architecture : str
        The program that is right: one of `ARCHITECTURES`.
    causes : mapping of str to str
        Each parameter whose returned gradient is not the slope of the returned loss, with the cause
        (see `CAUSES`); of a mistake upstream, several with the same one. Where `where` is
        "conduct", the parameters whose gradient misbehaves; or the argument that is changed; or
        "fprop" or "bprop" for the function as a whole. A loss that overflows is "fprop".
    patches : sequence of (str, str)
        Replacements in the source of the program: what is replaced occurs there exactly once.
    note : str
        What else is to be known.
    also : tuple of str
        Other causes that give the same numbers, so that none can tell which it was.
    """

    name: str
    architecture: str
    causes: Mapping[str, str] = field(hash=False)
    patches: tuple[tuple[str, str], ...]
    note: str = ""
    also: tuple[str, ...] = ()

    @property
    def where(self) -> Where:
        """Tell what is wrong: "gradient", "loss" or "conduct"."""
        (found,) = {where for where in CAUSES for c in self.causes.values() if c in CAUSES[where]}
        return found
