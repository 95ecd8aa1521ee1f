"""The report: one page, read as a reader does."""

import json
import sys

import pytest

from tests.demos.test_demos import DEMOS, run

sys.path.insert(0, str(DEMOS))
from homework import answers

SECTIONS = ["theory", "P1", "P2", "P4", "P5", "P6", "P7", "P8", "P9", "network"]


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    run(folder, "report.py", "--small")
    return folder / "out" / "report.html"


def test_the_report_opens_in_a_browser_with_all_its_figures(report, browser, dot, fashion_mnist):
    browser.get("about:blank")
    browser.get_log("browser"), browser.get_log("performance")
    browser.get(report.as_uri())
    found = browser.find_elements("tag name", "section")
    assert [section.get_attribute("id") for section in found] == SECTIONS
    for section in found:
        assert len(section.text) > 200, section.get_attribute("id")
        assert "Traceback" not in section.text
        assert "usage:" not in section.text
    images = browser.find_elements("tag name", "img")
    assert len(images) >= 10
    for image in images:
        assert browser.execute_script("return arguments[0].naturalWidth", image) > 100
        assert image.get_attribute("alt")
    for link in browser.find_elements("css selector", "nav a"):
        assert link.get_attribute("href").partition("#")[2] in SECTIONS
    assert browser.get_log("browser") == []
    messages = [json.loads(m["message"])["message"] for m in browser.get_log("performance")]
    sent = [m["params"]["request"]["url"] for m in messages
            if m["method"] == "Network.requestWillBeSent"]  # fmt: skip
    assert [url for url in sent if not url.startswith("data:")] == [report.as_uri()]


def test_the_report_has_every_answer_and_every_mistake(report):
    page = report.read_text(encoding="utf-8")
    assert page.count("<tr><th>") == len(answers.THEORY)
    mistakes = [a for a in answers.THEORY if a.mistake]
    practical = [words for found in answers.MISTAKES.values() for words, _ in found]
    assert page.count("In the original:") == len(mistakes) + len(practical)


@pytest.mark.parametrize("answer", answers.THEORY, ids=lambda a: f"{a.item}, {a.question}")
def test_every_check_of_an_answer_finds_it_right(answer):
    words = answer.check()
    for number in (float(w.strip(",;")) for w in words.split() if "e-" in w or w == "0.0e+00"):
        assert number < 2e-2 if "smallest" in words else number < 1e-8
    assert "nan" not in words
    if answer.proof is not None:
        assert answer.proof()


def test_the_printed_formulas_are_wrong():
    assert answers.sigmoid_line() == "the printed line is off by up to 1.0e+00"
    assert answers.sum_is_no_mean() == "the sum is 6 times the gradient of R, n being 6"
    assert "0.016 to 0.016" in answers.wrong_lambda()
    assert answers.empty_checks() == "5 of 12 gradients of P2 are exactly 0"
    assert answers.doubled() == "7 of 600 minibatches: 1.17% of an epoch"
