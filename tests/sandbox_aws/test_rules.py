"""Rules reach their targets where the target's own policy lets EventBridge in, and say so where it doesn't."""

import json
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from moto.events.models import EventsBackend, events_backends

from sandbox.aws import timetable
from sandbox.aws.control import RUN_RULES
from sandbox.aws.events import EventBridge, payload
from sandbox.aws.resource_policy import allows
from sandbox.aws.timetable import Timetable
from sandbox.inbox import read
from tests.sandbox_aws.conftest import Deploy
from tests.sandbox_aws.server import Aws

pytestmark = pytest.mark.rows("K2", "K7")

ACCOUNT = "123456789012"
WRITES = (
    "import json, os\ndef run(event, context):\n    with open(FILE, 'a') as file: print(json.dumps(event), file=file)"
)


@pytest.fixture
def rule(aws: Aws) -> Generator[str]:
    """A scheduled rule without targets; only it exists while the test runs."""
    name, events = f"rule-{uuid4().hex[:8]}", aws.client("events")
    events.put_rule(Name=name, ScheduleExpression="rate(1 hour)")
    yield name
    events.remove_targets(Rule=name, Ids=[one["Id"] for one in events.list_targets_by_rule(Rule=name)["Targets"]])
    events.delete_rule(Name=name)


@pytest.fixture
def target(aws: Aws, rule: str, deploy: Deploy, tmp_path: Path) -> str:
    """A function behind the rule, which writes its events into `events` of the test's folder; nobody may invoke it."""
    name = deploy(WRITES.replace("FILE", repr(str(tmp_path / "events"))), Timeout=30)
    arn = aws.client("lambda").get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    aws.client("events").put_targets(Rule=rule, Targets=[{"Id": "it", "Arn": arn}])
    return name


def permit(aws: Aws, function: str, **source: str) -> None:
    aws.client("lambda").add_permission(
        FunctionName=function,
        StatementId="events",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        **source,
    )


def arn_of(rule: str) -> str:
    return f"arn:aws:events:us-east-1:{ACCOUNT}:rule/{rule}"


def run_rules(aws: Aws) -> list[str]:
    return httpx.post(f"{aws.url}{RUN_RULES}", timeout=60).raise_for_status().json()


def total(aws: Aws, rule: str, metric: str) -> float:
    return aws.total("AWS/Events", ("RuleName", rule), metric)


def test_a_scheduled_rule_runs_its_function(aws: Aws, rule: str, target: str, tmp_path: Path) -> None:
    permit(aws, target, SourceArn=arn_of(rule))
    assert run_rules(aws) == [rule]
    event = json.loads((tmp_path / "events").read_text())
    assert (event["detail-type"], event["source"], event["resources"]) == (
        *("Scheduled Event", "aws.events"),
        [arn_of(rule)],
    )
    assert [total(aws, rule, metric) for metric in ("TriggeredRules", "FailedInvocations")] == [1, 0]


@pytest.mark.parametrize("source", [None, {"SourceArn": arn_of("another")}, {"SourceAccount": ACCOUNT}])
def test_without_the_right_permission_nothing_runs_and_the_failure_counts(
    aws: Aws, rule: str, target: str, tmp_path: Path, source: dict[str, str] | None
) -> None:
    if source is not None:
        permit(aws, target, **source)
    assert run_rules(aws) == [rule]
    assert not (tmp_path / "events").exists()
    assert total(aws, rule, "FailedInvocations") == 1
    last = (aws.folder / "events.log").read_text().splitlines()[-1]
    assert f"{rule}: " in last
    assert "does not allow lambda:InvokeFunction to events.amazonaws.com" in last


def test_a_target_that_is_gone_counts_as_a_failure(aws: Aws, rule: str, target: str) -> None:
    aws.client("lambda").delete_function(FunctionName=target)
    assert run_rules(aws) == [rule]
    assert total(aws, rule, "FailedInvocations") == 1


def test_a_disabled_rule_runs_nothing(aws: Aws, rule: str, target: str, tmp_path: Path) -> None:
    permit(aws, target, SourceArn=arn_of(rule))
    aws.client("events").disable_rule(Name=rule)
    assert run_rules(aws) == []
    assert not (tmp_path / "events").exists()
    aws.client("events").enable_rule(Name=rule)
    assert run_rules(aws) == [rule]


def test_a_topic_gets_what_the_target_makes_of_the_event_if_its_policy_allows_it(aws: Aws, rule: str) -> None:
    sns = aws.client("sns")
    topic = sns.create_topic(Name=f"topic-{rule}")["TopicArn"]
    aws.client("events").put_targets(Rule=rule, Targets=[{"Id": "it", "Arn": topic, "Input": '"wake up"'}])
    run_rules(aws)
    assert total(aws, rule, "FailedInvocations") == 1
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": topic,
    }
    conditional = statement | {"Condition": {"ArnEquals": {"aws:SourceArn": arn_of(rule)}}}
    for failed, allowed in ((2, conditional), (2, statement)):
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
        run_rules(aws)
        assert total(aws, rule, "FailedInvocations") == failed
    assert [message.message for message in read(aws.inbox) if message.topic == f"topic-{rule}"] == ['"wake up"']


def test_schedules_are_followed_without_anybody_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(timetable.SECONDS, "minute", 0.01)
    ran = threading.Event()
    backend: EventsBackend = events_backends[ACCOUNT]["eu-west-1"]

    class Bridge(EventBridge):
        def run(self, rule: Any) -> list[threading.Thread]:
            if rule.name == "followed":
                ran.set()
            return []

    bridge = Bridge(functions=None)  # pyright: ignore[reportArgumentType]
    threading.Thread(target=bridge.follow_schedules, daemon=True).start()
    backend.put_rule("followed", scheduled_expression="rate(1 minute)")
    try:
        bridge.look_again()
        assert ran.wait(10)
    finally:
        backend.delete_rule("followed", None)


def test_a_rule_first_runs_one_interval_after_it_was_made_or_changed() -> None:
    times = Timetable()
    assert times.due({"a": "rate(1 minute)"}, 0) == set()
    assert times.next == 60
    assert times.due({"a": "rate(1 minute)", "b": "rate(2 hours)"}, 59.9) == set()
    assert times.due({"a": "rate(1 minute)", "b": "rate(2 hours)"}, 60) == {"a"}
    assert times.next == 120
    assert times.due({"a": "rate(5 minutes)", "b": "rate(2 hours)"}, 120) == set()
    assert times.next == 420
    assert times.due({"b": "rate(2 hours)"}, 8000) == {"b"}
    assert times.due({}, 8000) == set()
    assert times.next is None


def test_missed_runs_are_not_made_up_for_and_the_beat_is_kept() -> None:
    times = Timetable()
    rules = {"a": "rate(1 minute)"}
    times.due(rules, 0)
    assert times.due(rules, 250) == {"a"}
    assert times.due(rules, 251) == set()
    assert times.next == 300


def test_cron_is_not_followed() -> None:
    times = Timetable()
    assert times.due({"a": "cron(0 12 * * ? *)"}, 10**9) == set()
    assert times.next is None


EVENT = {"id": "1", "detail": {"eventName": "DisableKey", "who": {"arn": 'arn:"x"'}, "keys": ["k1", "k2"]}}


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ({}, json.dumps(EVENT)),
        ({"Input": "{}"}, "{}"),
        ({"InputPath": "$.detail.keys[1]"}, '"k2"'),
        ({"InputPath": "$.nothing.here"}, "null"),
        (
            {"InputTransformer": {"InputPathsMap": {"n": "$.detail.eventName"}, "InputTemplate": '"it was <n>"'}},
            '"it was DisableKey"',
        ),
        (
            {
                "InputTransformer": {
                    "InputPathsMap": {"n": "$.detail.eventName", "w": "$.detail.who.arn", "k": "$.detail.keys"},
                    "InputTemplate": '{"what": <n>, "keys": <k>, "by": "<w>", "rule": "<aws.events.rule-name>"}',
                }
            },
            '{"what": "DisableKey", "keys": ["k1", "k2"], "by": "arn:\\"x\\"", "rule": "a-rule"}',
        ),
        ({"InputTransformer": {"InputPathsMap": {"n": "$.none"}, "InputTemplate": '"[<n>]"'}}, '"[]"'),
    ],
)
def test_a_target_gets_the_event_as_it_asks_for_it(target: dict[str, Any], text: str) -> None:
    class Rule:
        name, arn = "a-rule", arn_of("a-rule")

    assert payload(Rule, target, EVENT) == text  # pyright: ignore[reportArgumentType]


ALLOW = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sns:Publish"}
INSECURE = ALLOW | {"Effect": "Deny", "Action": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
Statement = dict[str, Any]


@pytest.mark.parametrize(
    ("statements", "allowed"),
    [
        ([], False),
        ([ALLOW], True),
        ([ALLOW | {"Principal": {"Service": ["sns.amazonaws.com", "events.amazonaws.com"]}}], True),
        ([ALLOW | {"Principal": {"Service": "sns.amazonaws.com"}}], False),
        ([ALLOW | {"Principal": "*"}], True),
        ([ALLOW | {"Principal": {"AWS": "*"}, "Condition": {"StringEquals": {"AWS:SourceOwner": ACCOUNT}}}], False),
        ([ALLOW | {"Action": ["SNS:Pub*"]}], True),
        ([ALLOW | {"Action": "sns:Subscribe"}], False),
        ([ALLOW | {"Condition": {"ArnLike": {"AWS:SourceArn": "arn:aws:events:*:*:rule/a*"}}}], True),
        ([ALLOW | {"Condition": {"ArnLike": {"AWS:SourceArn": ["arn:aws:events:*:*:rule/b*"]}}}], False),
        ([ALLOW | {"Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}}}], False),
        ([ALLOW | {"Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}}], False),
        ([ALLOW | {"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}], False),
        ([ALLOW, INSECURE], True),
        ([ALLOW, ALLOW | {"Effect": "Deny"}], False),
        ([ALLOW, ALLOW | {"Effect": "Deny", "Action": "sns:Subscribe"}], True),
    ],
)
def test_a_resource_policy_is_held_against_the_rule(statements: list[Statement], *, allowed: bool) -> None:
    assert (
        allows(
            statements,
            service="events.amazonaws.com",
            action="sns:Publish",
            source_arn=arn_of("a-rule"),
        )
        == allowed
    )
