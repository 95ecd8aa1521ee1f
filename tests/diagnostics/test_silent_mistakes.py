"""The mistakes of benchmarks/silent_mistakes.py: what minigraph does not notice is what is said."""

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "silent_mistakes.py"
SPEC = importlib.util.spec_from_file_location("silent_mistakes", SCRIPT)
assert SPEC is not None
assert SPEC.loader is not None
script = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(script)

SILENT = {
    script.Minigraph: {"source_array", "plain_operand", "unlocked_result", "after_backward",
                       "column_less_row"},
    script.InDebug: {"column_less_row"},
}  # fmt: skip


@pytest.mark.parametrize("contender", SILENT, ids=lambda contender: contender.name)
def test_only_these_mistakes_pass_in_silence(contender):
    ours = contender()
    found = {
        method: script.outcome(ours, method, right)[0]
        for rows in script.MISTAKES.values()
        for _, method, right in rows
    }
    assert {method for method, word in found.items() if word == "WRONG"} == SILENT[contender]
    assert [method for method, word in found.items() if word == "-"] == ["column_in_a_loss"]
    assert sum(map(len, script.MISTAKES.values())) == len(found) == 31
