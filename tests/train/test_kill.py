"""However a run is killed, resumed it ends as if nothing had happened, to the last bit."""

import json
import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from train.victim import CASES, timeless

from minigraph.train import read_log
from tests.counts import THOROUGH

EVENTS = 55  # at least as many as a run has, see victim.Disturbed
MILLISECONDS = 120  # about as long as a run takes

DEEDS = ("kill", "half", "interrupt", "full")
disturbances = st.tuples(st.sampled_from(DEEDS), st.integers(0, EVENTS), st.booleans())


def previous_exists(folder):
    return (folder / "run.previous.safetensors").exists()


def check_log(victim, case, folder):
    """At any time a log has a prefix of the rows; after them an interruption at most."""
    log = folder / "log.jsonl"
    if b"\n" not in log.read_bytes():
        return
    rows = [timeless(row) for row in read_log(log).rows]
    if rows and (rows[-1]["stop_reason"] or "").startswith("interrupted"):
        rows.pop()
    assert rows == victim.undisturbed(case)["history"][: len(rows)]


def check_resumed(victim, case, folder):
    resumed, end = victim(case, folder, resume=True), victim.undisturbed(case)
    assert resumed == {**end, "events": resumed["events"]}


def test_an_epoch_is_on_the_disk_before_the_next_begins(victim):
    before_first = ["truncate", "fsync", "write", "fsync", "fsync", "write", "fsync", "replace"]
    checkpoint = ["write", "fsync", "replace", "replace", "fsync"]
    epoch = [*["step"] * 3, *checkpoint, "write", "fsync"]
    assert victim.undisturbed("momentum")["events"] == [*before_first, "fsync", *epoch * 4]


@given(
    case=st.sampled_from(sorted(CASES)),
    disturbed=st.lists(disturbances, min_size=1, max_size=3),
)
@settings(max_examples=settings.default.max_examples // 2)
# between the two renames, then once more in the first save of the resumed run
@example(case="momentum", disturbed=[("kill", 25, False), ("kill", 9, False)])
@example(case="best", disturbed=[("kill", 45, False), ("kill", 9, True), ("kill", 10, False)])
# interrupted in an epoch, and killed in the one that goes on from there
@example(case="adam", disturbed=[("interrupt", 20, False), ("half", 3, False)])
@example(case="momentum", disturbed=[("interrupt", 19, False), ("interrupt", 2, False)])
@example(case="patience", disturbed=[("interrupt", 30, False), ("kill", 1, True)])
@example(case="momentum", disturbed=[("full", 28, False)])
def test_a_run_that_is_stopped_again_and_again_ends_the_same(victim, case, disturbed):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for deed, at, previous in disturbed:
            resume = "previous" if previous and previous_exists(folder) else True
            stopped = victim(case, folder, resume=resume, deed=deed, at=at)
            expected = {"full": "OSError", "interrupt": "KeyboardInterrupt"}.get(deed, "killed")
            assert stopped["error"] in (expected, None), stopped.get("message")
            if stopped["error"] == "OSError":
                assert name in stopped["message"]
            check_log(victim, case, folder)
        check_resumed(victim, case, folder)


@pytest.mark.parametrize("deed", ["kill", "half"])
@pytest.mark.parametrize("case", sorted(CASES) if THOROUGH else ["adam"])
def test_a_run_killed_at_any_event_ends_the_same(victim, tmp_path, case, deed):
    events = victim.undisturbed(case)["events"]
    for at in range(len(events)) if THOROUGH else range(3, len(events), 11):
        folder = tmp_path / str(at)
        folder.mkdir()
        assert victim(case, folder, deed=deed, at=at) == {"error": "killed"}
        check_log(victim, case, folder)
        check_resumed(victim, case, folder)


def test_a_run_killed_at_a_random_instant_ends_the_same(victim, tmp_path):
    number = killed = 0
    while killed < (50 if THOROUGH else 5):
        number += 1
        case, folder = random.choice(sorted(CASES)), tmp_path / str(number)
        folder.mkdir()
        for resume in (False, True):
            instant = random.uniform(0, MILLISECONDS) / 1000
            killed += victim(case, folder, resume=resume, after=instant)["error"] == "killed"
        check_resumed(victim, case, folder)


def test_the_log_of_a_resumed_run_has_the_lines_of_the_killed_one(victim, tmp_path):
    victim("sfc", tmp_path, deed="kill", at=40)
    before = (tmp_path / "log.jsonl").read_bytes()
    victim("sfc", tmp_path, resume=True)
    after = (tmp_path / "log.jsonl").read_bytes()
    assert after.startswith(before)
    assert [json.loads(line).get("epoch") for line in after.splitlines()] == [None, 1, 2, 3, 4]
