"""The words of a summary that aren't plain from its fields; `tests/operations/test_report.py` shows a whole one."""

from typing import Any

import pytest

from reports.models import Measurement, Result
from reports.summary import facts, first_line, headline, seconds, sections
from tests.reports.samples import deployment, rollback

pytestmark = pytest.mark.rows("R4")


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0.0 s"), (99.94, "99.9 s"), (100, "1 min 40 s"), (119.7, "2 min 00 s"), (1800, "30 min 00 s")],
)
def test_a_duration_is_read_at_one_sight(count: float, said: str) -> None:
    assert seconds(count) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ""),
        ("no answer", "no answer"),
        ("no answer\nfor 5 s", "no answer"),
        ("AWS said:", "AWS said:"),
        ("AWS said:\n\n", "AWS said:"),
        ("AWS said:\nno", "AWS said: no"),
        ("AWS said:\nno\nnever", "AWS said: no"),
        ("AWS said:\n   - no\n   - never", "AWS said: no (and 1 more)"),
        (
            "in the way:\n- `deno` is not on PATH\n  make setup\n- no project\n  is it paused?\n- no account",
            "in the way: `deno` is not on PATH (and 2 more)",
        ),
        (
            "the environment:\n  A is not set\n    export it\n  B is not set",
            "the environment: A is not set (and 1 more)",
        ),
    ],
)
def test_a_text_in_one_line_never_ends_before_what_it_announces(text: str, said: str) -> None:
    assert first_line(text) == said


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "41 → 42"),
        ({"version_before": None, "version": 1}, "none → 1"),
        ({"version": None}, "41, no new one"),
        ({"target": 40}, "41 → 42; brought 40 back"),
        ({"target": 40, "version": None}, "41, no new one; was to bring 40 back"),
    ],
)
def test_a_version_is_what_was_and_what_is(changed: dict[str, Any], said: str) -> None:
    assert dict(facts(deployment(**changed)))["version"] == said


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "succeeded, verified"),
        ({"verified": False}, "succeeded, not verified"),
        ({"verified": False, "result": Result.ROLLED_BACK}, "rolled back"),
    ],
)
def test_success_is_told_from_verified_success(changed: dict[str, Any], said: str) -> None:
    assert headline(deployment(**changed)) == ("Deployment of production", said)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "bff42b4f6757 Rotate keys twice as often"),
        ({"dirty": True}, "bff42b4f6757 and changes: Rotate keys twice as often"),
        ({"dirty": True, "message": ""}, "bff42b4f6757 and changes"),
    ],
)
def test_a_commit_is_not_named_for_what_it_does_not_have(changed: dict[str, Any], said: str) -> None:
    assert dict(facts(deployment(**changed)))["commit"] == said


def test_performance_is_compared_only_where_both_were_measured() -> None:
    one = Measurement(endpoint="rest", requests=20, errors=0, p50_ms=20, p95_ms=30, max_ms=41.6)
    none = Measurement(endpoint="rest", requests=20, errors=20)

    def change(before: list[Measurement], after: list[Measurement]) -> str:
        performance = next(
            table for table in sections(rollback(before=before, after=after)) if table.title == "Performance"
        )
        return performance.rows[-1][-1]

    assert change([one], [one.model_copy(update={"p50_ms": 15})]) == "-25%"
    for before, after in (([], [one]), ([none], [one]), ([one], [none]), ([one], [])):
        assert change(before, after) == ""
