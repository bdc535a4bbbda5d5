"""Notifications: who hears, what SNS accepts, and that one which can't be sent stops nothing."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from components.naming import Topic
from operations.notify import Event, notify, subject
from operations.stack import Stack
from sandbox import inbox

pytestmark = pytest.mark.rows("M8")


@pytest.fixture
def topics(client: Callable[[str], Any]) -> None:
    for topic in Topic:
        client("sns").create_topic(Name=f"parker-flight-sandbox-{topic}")


@pytest.fixture
def received(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[inbox.Message]]:
    """What subscribers got so far."""
    from moto.sns.models import Topic

    monkeypatch.setattr(Topic, "publish", Topic.publish)  # put back afterwards
    inbox.keep(Topic, tmp_path / inbox.INBOX)
    return lambda: inbox.read(tmp_path / inbox.INBOX)


@pytest.mark.usefixtures("topics")
def test_subscribers_get_a_text_and_its_facts(stack: Stack, received: Callable[[], list[inbox.Message]]) -> None:
    assert notify(stack, Event.DEPLOYMENT_SUCCEEDED, "version 12 is live", {"version": 12}) is None
    (message,) = received()
    assert message.topic == "parker-flight-sandbox-info"
    assert message.subject == "Parker Flight sandbox: deployment succeeded - version 12 is live"
    text, _, facts = message.message.partition("\n\n")
    assert text == "version 12 is live"
    assert json.loads(facts) == {
        "stack": "sandbox",
        "environment": "sandbox",
        "event": "deployment_succeeded",
        "version": 12,
    }


@pytest.mark.usefixtures("topics")
def test_only_what_needs_somebody_now_is_critical(stack: Stack, received: Callable[[], list[inbox.Message]]) -> None:
    for event in Event:
        assert notify(stack, event, event.name) is None
    critical = [message.message.split()[0] for message in received() if message.topic.endswith("-level-3")]
    assert critical == ["ROLLBACK_FAILED", "UNREADABLE"]
    topics = {message.topic.removeprefix("parker-flight-sandbox-") for message in received()}
    assert topics == {"level-3", "warning", "info"}


@pytest.mark.rows("R1")
@pytest.mark.usefixtures("topics")
def test_the_dashboard_gets_a_mark_where_something_starts(stack: Stack, client: Callable[[str], Any]) -> None:
    for event in Event:
        assert notify(stack, event, event.name) is None
    metrics = client("cloudwatch").list_metrics(Namespace="ParkerFlight/Operations")["Metrics"]
    assert sorted(one["MetricName"] for one in metrics) == ["Deployments", "Rollbacks"]
    assert {(one["Name"], one["Value"]) for metric in metrics for one in metric["Dimensions"]} == {
        ("Environment", "sandbox")
    }


@pytest.mark.parametrize("text", ["Müller's fix\nsecond line", "x" * 300, "", "\x07bell"])
def test_a_subject_is_what_sns_accepts(text: str) -> None:
    made = subject("production", Event.ROLLBACK_FAILED, text)
    assert made.startswith("Parker Flight production: rollback failed -")
    assert len(made) < 100
    assert made.isascii()
    assert made.isprintable()


def test_one_that_can_not_be_sent_is_said_and_returned(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    problem = notify(stack, Event.ROLLBACK_FAILED, "by hand now")
    assert problem is not None
    assert problem.startswith("telling parker-flight-sandbox-level-3 of the rollback: AWS said NotFound")
    assert f"warning: {problem}" in capsys.readouterr().err


def test_an_aws_that_is_not_there_stops_nothing(
    make_stack: Callable[..., Stack], capsys: pytest.CaptureFixture[str]
) -> None:
    stack = make_stack(AWS_ENDPOINT_URL="http://127.0.0.1:9")
    assert notify(stack, Event.DEPLOYMENT_STARTED, "version 12") is not None
    assert "does not answer" in capsys.readouterr().err


def test_the_first_deployment_has_nobody_to_tell(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    assert notify(stack, Event.DEPLOYMENT_STARTED, "version 1") is None
    assert notify(stack, Event.DEPLOYMENT_FAILED, "it was denied", unmade=True) is None
    assert capsys.readouterr().err == ""
    assert notify(stack, Event.DEPLOYMENT_FAILED, "version 2") is not None
