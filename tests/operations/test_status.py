"""`pf status`: one screen for whoever was just woken."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from components.naming import Topic
from operations import status as module
from operations.errors import ExitCode, OperationError
from operations.history import Entry
from operations.incident import IncidentState
from operations.stack import Stack
from operations.status import StatusReport, status
from operations.status_text import show_status
from tests.operations.conftest import unresolved
from tests.operations.test_monitoring import ALARM_ARGUMENTS

pytestmark = pytest.mark.rows("K2", "R1", "R2")

AT = datetime(2026, 11, 28, 3, 0, tzinfo=UTC)
LIVE = Entry(
    number=7, at=AT, by="ada", commit="a" * 40, kind="deployment", result="succeeded", verified=True, live=True
)
INCIDENT = IncidentState(
    id="i-1", reason="payments fail", opened_by="carol", opened_at=AT, expires=AT, open=True, detail="open"
)
FAILED = Entry(at=AT, by="bob", kind="deployment", result="failed", why="no")


@pytest.fixture
def known(stack: Stack, client: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch) -> Callable[..., StatusReport]:
    """What status says, where the history has these entries and these alarms ring, by the topic that they tell."""

    def ask(*entries: Entry, ringing: dict[str, str] | None = None) -> StatusReport:
        def history(_name: str, limit: int) -> list[Entry]:
            return list(entries)[:limit]

        monkeypatch.setattr(module, "history", history)
        monkeypatch.setattr(module.incident, "status", lambda _stack: [INCIDENT])  # pyright: ignore[reportUnknownLambdaType]
        for name, topic in {**(ringing or {}), "calm": "level-2"}.items():
            client("cloudwatch").put_metric_alarm(
                **ALARM_ARGUMENTS,
                AlarmName=f"parker-flight-sandbox-{name}",
                AlarmActions=[f"arn:aws:sns:us-east-1:123456789012:parker-flight-sandbox-{topic}"],
            )
        for name in ringing or {}:
            client("cloudwatch").set_alarm_state(
                AlarmName=f"parker-flight-sandbox-{name}", StateValue="ALARM", StateReason="a drill"
            )
        return status(stack)

    return ask


@pytest.mark.parametrize(
    ("ringing", "code"),
    [
        ({}, ExitCode.HEALTHY),
        ({"slow": "warning"}, ExitCode.DEGRADED),
        ({"slow": "warning", "rest-down": "level-3"}, ExitCode.DOWN),
    ],
)
def test_the_exit_code_says_whether_anything_rings(
    known: Callable[..., StatusReport], ringing: dict[str, str], code: ExitCode
) -> None:
    report = known(LIVE, ringing=ringing)
    assert report.code is code
    assert {one.name for one in report.ringing} == set(ringing)
    assert report.alarms == len(ringing) + 1


def test_it_says_what_is_live_what_was_done_last_where_to_look_and_whom_to_call(
    known: Callable[..., StatusReport], stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = FAILED.model_copy(update={"commit": "b" * 40, "dirty": True})
    show_status(known(changed, LIVE, ringing={"rest-down": "level-3"}))
    said = " ".join(capsys.readouterr().out.split())
    assert (
        "version 7, deployment succeeded, verified, 2026-11-28 03:00 UTC by ada of aaaaaaaaaaaa last deployment" in said
    )
    assert "deployment failed, 2026-11-28 03:00 UTC by bob of bbbbbbbbbbbb and changes" in said
    assert "i-1 until 03:00 UTC: payments fail" in said
    assert "rest-down" in said
    assert "wakes" in said
    assert "#dashboards/dashboard/parker-flight-sandbox" in said
    contact = stack.settings.contacts["incident-commander"]
    assert contact.name in said
    assert contact.email in said


@pytest.mark.rows("X2")
def test_who_is_told_later_and_when_is_said_and_does_not_count(
    known: Callable[..., StatusReport], client: Callable[[str], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    unresolved(client("cloudwatch"), wait_seconds=1800)
    report = known(LIVE, ringing={"slow": "warning"})
    assert report.code is ExitCode.DEGRADED
    assert [one.name for one in report.waiting] == ["level-2-unresolved"]
    show_status(report)
    said = " ".join(capsys.readouterr().out.split())
    assert f"level-2-unresolved tells at {report.waiting[0].tells_at:%m-%d %H:%M} UTC, if it still stands" in said


def test_every_topic_has_its_people(known: Callable[..., StatusReport]) -> None:
    assert {topic: bool(roles) for topic, roles in known(LIVE).people.items()} == dict.fromkeys(Topic, True)


def test_where_nothing_was_deployed_it_says_so(
    known: Callable[..., StatusReport], capsys: pytest.CaptureFixture[str]
) -> None:
    report = known()
    assert (report.live, report.last) == (None, None)
    show_status(report)
    assert "nothing that was applied as a whole" in capsys.readouterr().out


def test_what_can_not_be_asked_is_said_and_the_rest_shown(
    make_stack: Callable[..., Stack], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def away(*_: Any, **__: Any) -> list[Entry]:
        raise OperationError("the backend does not answer", "try again")

    monkeypatch.setattr(module, "history", away)
    stack = make_stack(AWS_ENDPOINT_URL="http://127.0.0.1:9")
    (stack.root / "Pulumi.yaml").write_text("name: parker-flight\n")
    report = status(stack)
    assert report.code is ExitCode.DEGRADED
    assert report.unknown.keys() == {"alarms", "history", "incidents"}
    show_status(report)
    said = " ".join(capsys.readouterr().out.split())
    for part in ("the backend does not answer", "asking for the alarms", "supabase.com/dashboard"):
        assert part in said
    for claim in ("rings", "nothing that was applied"):
        assert claim not in said
