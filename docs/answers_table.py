"""The homework's questions with their answers, from the demos' own table, which checks them."""

from collections.abc import Callable, Iterator

from homework.answers import MISTAKES, THEORY

MARK = "<!-- table: {} -->"


def filled(page: str) -> str:
    """Replace the marks in the page by the tables."""
    for what, rows in (("theory", theory()), ("practice", practice())):
        mark = MARK.format(what)
        if mark not in page:
            raise ValueError(f"homework-answered.md: {mark} is missing")
        page = page.replace(mark, "\n".join(rows))
    return page


def theory() -> Iterator[str]:
    yield "| | question | answer | in the original |"
    yield "|---|---|---|---|"
    for answer in THEORY:
        said = f"{answer.answer}<br>*{answer.check()}*"
        cells = (answer.item, answer.question, said, wrong(answer.mistake, answer.proof))
        yield "| " + " | ".join(map(cell, cells)) + " |"


def practice() -> Iterator[str]:
    yield "| | in the original |"
    yield "|---|---|"
    for question, mistakes in MISTAKES.items():
        for words, proof in mistakes:
            yield f"| {question} | {cell(wrong(words, proof))} |"


def wrong(words: str, proof: Callable[[], str] | None) -> str:
    return f"{words}<br>*{proof()}*" if proof else words


def cell(words: str) -> str:
    """Write text that stays in its cell of a table."""
    return words.replace("|", "\\|")
