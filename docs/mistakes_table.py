"""The catalogue of mistakes in hand-written backward passes, from the library itself."""

from collections.abc import Iterator

from minigraph.testing.mistakes import CAUSES, LIBRARY

MARK = "<!-- table: mistakes -->"


def filled(page: str) -> str:
    """Replace the mark in the page by the table."""
    if MARK not in page:
        raise ValueError(f"{MARK} is missing")
    return page.replace(MARK, "\n".join(_rows()))


def _rows() -> Iterator[str]:
    yield "| where | cause | what it does | programs | for example |"
    yield "|---|---|---|---|---|"
    for where, causes in CAUSES.items():
        for cause, meaning in causes.items():
            found = [m for m in LIBRARY if cause in m.causes.values()]
            cells = (where, cause, meaning, str(len(found)), found[0].name)
            yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
