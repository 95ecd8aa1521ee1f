"""What went wrong, in plain words, where NumPy has its own: no error shows NumPy's bare text."""

import math
from collections.abc import Sequence

from numpy.exceptions import AxisError

__all__ = ["reason"]

_BROADCAST = "the shapes do not broadcast: sizes must be equal or 1, counted from the last axis"
_WHOLE = "axes, sizes and indices are whole numbers; several of them stand in a tuple"
_EMPTY = "an empty array has no such entry; see to it that its size along the axis is not 0"
_TWICE = "an axis is named twice; name each once"

# A part of NumPy's text, and what is said in its place; {size} and {ndim} are the first input's.
# What NumPy says of indices is clear, and stays.
_WORDS = (
    ("broadcast shape must be non-negative", "sizes are at least 0"),
    ("broadcast", _BROADCAST),
    ("allowed by the axis remapping", _BROADCAST),
    ("shape-mismatch", _BROADCAST),
    ("duplicate value in 'axis'", _TWICE),
    ("repeated axis", _TWICE),
    ("interpreted as an integer", _WHOLE),
    ("integer is required", _WHOLE),
    ("integer argument expected", _WHOLE),
    ("integers or None", _WHOLE),
    ("not supported between instances of", _WHOLE),  # sizes are compared with 0
    ("valid indices", "an index is made of whole numbers, slices, None, ... and arrays of integers "
     "or booleans"),
    ("zero-size array", _EMPTY),
    ("empty sequence", _EMPTY),
    ("cannot reshape", "the sizes must multiply to {size}; one of them may be -1"),
    ("one unknown dimension", "one size may be -1, not several"),
    ("axes don't match", "give each of the {ndim} axes once"),
    ("axis to squeeze", "only an axis of size 1 can be dropped; take an entry of it, or reshape"),
    ("must match exactly", "all sizes but those along the axis must be equal"),
    ("same number of dimensions", "all must have the same number of axes; reshape first"),
    ("must have the same shape", "all must have the same shape"),
    ("zero-dimensional arrays", "numbers have no axis to be joined along; use stack"),
    ("need at least one array", "there is nothing to join; give at least one array"),
    ("not supported for the input types", "integers or booleans are needed; compare (x > 0), or "
     "use astype"),
    ("numpy boolean", "booleans have no minus; use ^, ~ or logical_not, or astype(int) to count"),
    ("unsupported operand", "its arguments are numbers"),
    ("signature matching types", "its arguments are numbers"),
    ("not understood", "there is no such dtype; give one such as np.float32"),
    ("Singular matrix", "the matrix is singular, or holds NaN: it has no inverse"),
    ("not positive definite", "the matrix is not positive definite: an eigenvalue of the symmetric "
     "matrix is 0 or less"),
    ("must be square", "the last two axes, the matrix, must have the same size"),
    ("at least two-dimensional", "a matrix is needed, of at least two axes"),
    ("float16 is unsupported", "float16 has no linear algebra in NumPy; use astype(np.float32)"),
    ("did not converge", "no result was found; look for Inf and NaN in the matrix"),
    ("negative integer powers", "integers have no negative powers; make one a float: "
     "x.astype(float)"),
)  # fmt: skip


def reason(error: Exception, shapes: Sequence[tuple[int, ...]]) -> str:
    """Say why NumPy refused arrays of these shapes, and what it needs."""
    text = str(error)
    if isinstance(error, AxisError) and error.ndim is not None:
        least, most = -error.ndim, error.ndim - 1
        some = f"axes are {least} ... {most}" if error.ndim else "a number has none"
        return f"there is no axis {error.axis}; {some}"
    for part, words in _WORDS:
        if part in text:
            first = shapes[0] if shapes else ()
            return words.format(size=math.prod(first), ndim=len(first))
    return text
