"""Rules on calls that touch keys or alarms, as the engine receives them."""

import json
from typing import Any

import pytest
from moto.events.models import EventPattern

from components.naming import Site
from components.notifications import topic_policy
from components.security_events import SecurityEvents, SecurityEventsArgs, security_events
from tests.components.recording import UNKNOWN, Recording, record

pytestmark = pytest.mark.rows("K2", "M6")

SITE = Site(environment="staging", account_id="123456789012", region="us-east-1")
RULE, TARGET = "aws:cloudwatch/eventRule:EventRule", "aws:cloudwatch/eventTarget:EventTarget"
URL = "https://example.com/runbook"
NAMES = [one.what for one in security_events(SITE)]


def declared(*, first_preview: bool = False) -> Recording:
    args = SecurityEventsArgs(site=SITE, runbook_url=URL)
    return record(lambda: SecurityEvents("events", args), first_preview=first_preview)


def waits_for(source: str, call: str, error: str = "", **parameters: Any) -> set[str]:
    """The rules that a call reaches."""
    detail: dict[str, Any] = {"eventSource": f"{source}.amazonaws.com", "eventName": call}
    detail["requestParameters"] = parameters
    if error:
        detail["errorCode"] = error
    event: Any = {"source": f"aws.{source}", "detail-type": "AWS API Call via CloudTrail", "detail": detail}
    patterns = {rule.name: EventPattern.load(rule.inputs["eventPattern"]) for rule in declared().all(RULE)}
    return {name for name, pattern in patterns.items() if pattern.matches_event(event)}


@pytest.mark.parametrize(
    ("source", "call", "parameters", "rule"),
    [
        ("kms", "ScheduleKeyDeletion", {"keyId": "k"}, "key-deletion-scheduled"),
        ("kms", "DisableKey", {"keyId": "k"}, "key-disabled"),
        ("kms", "PutKeyPolicy", {"keyId": "k"}, "key-policy-changed"),
        ("kms", "DisableKeyRotation", {"keyId": "k"}, "key-rotation-disabled"),
        ("kms", "UpdateAlias", {"aliasName": "alias/parker-flight-pii-staging"}, "alias-changed"),
        ("kms", "DeleteAlias", {"aliasName": "alias/parker-flight-payment-staging"}, "alias-changed"),
        ("monitoring", "DeleteAlarms", {"alarmNames": ["x", "parker-flight-staging-rest-down"]}, "alarms-silenced"),
        ("monitoring", "DisableAlarmActions", {"alarmNames": ["parker-flight-staging-x"]}, "alarms-silenced"),
    ],
)
def test_a_call_that_touches_keys_or_alarms_is_told(
    source: str, call: str, parameters: dict[str, Any], rule: str
) -> None:
    assert waits_for(source, call, **parameters) == {rule}
    assert waits_for(source, call, error="AccessDenied", **parameters) == set()


@pytest.mark.parametrize(
    ("source", "call", "parameters"),
    [
        ("kms", "Encrypt", {"keyId": "k"}),
        ("kms", "EnableKey", {"keyId": "k"}),
        ("kms", "DeleteAlias", {"aliasName": "alias/of-somebody-else"}),
        ("kms", "UpdateAlias", {"aliasName": "alias/parker-flight-pii-production"}),
        ("monitoring", "DeleteAlarms", {"alarmNames": ["parker-flight-production-rest-down"]}),
        ("monitoring", "PutMetricAlarm", {"alarmName": "parker-flight-staging-rest-down"}),
    ],
)
def test_what_is_no_business_of_the_stack_is_not_told(source: str, call: str, parameters: dict[str, Any]) -> None:
    assert waits_for(source, call, **parameters) == set()


@pytest.mark.parametrize("name", NAMES)
def test_the_message_says_who_did_what_and_what_to_do(name: str) -> None:
    target = declared().one(TARGET, name).inputs["inputTransformer"]
    text = json.loads(target["inputTemplate"])
    for part in ("<who> called <call> on <what>, at <when>", "Severity: ", f"What to do: {URL}#"):
        assert part in text
    assert target["inputPaths"]["who"] == "$.detail.userIdentity.arn"
    assert target["inputPaths"]["what"].startswith("$.detail.requestParameters.")


@pytest.mark.parametrize("event", security_events(SITE), ids=lambda one: one.what)
def test_the_topic_that_is_told_lets_rules_in(event: Any) -> None:
    assert declared().one(TARGET, event.what).inputs["arn"] == (
        f"arn:aws:sns:us-east-1:123456789012:parker-flight-staging-{event.tells}"
    )
    assert "events.amazonaws.com" in topic_policy(SITE, event.tells)


def test_nothing_of_it_is_unknown_at_the_first_preview() -> None:
    for resource in declared(first_preview=True).resources.values():
        assert UNKNOWN not in json.dumps(resource.inputs), resource.name
