"""Whether monitoring would tell, on moto and an engine whose answers the test gives."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from operations.alarms import Critical, alarms
from operations.errors import OperationError
from operations.health import Check, Status
from operations.monitoring import RECENT, check
from operations.stack import Stack
from tests.operations.conftest import unresolved

pytestmark = pytest.mark.rows("K2", "O2")

URN = "urn:pulumi:sandbox::parker-flight::"
METRIC: dict[str, Any] = {
    "namespace": "ParkerFlight/Probe",
    "metricName": "Available",
    "dimensions": {"Environment": "sandbox", "Endpoint": "rest"},
}
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
ALARM_ARGUMENTS: dict[str, Any] = {
    "AlarmDescription": "What to do: docs/runbook.md#x",
    "ComparisonOperator": "LessThanThreshold",
    "EvaluationPeriods": 1,
    "MetricName": "M",
    "Namespace": "N",
    "Period": 60,
    "Statistic": "Sum",
    "Threshold": 1,
}
Tool = Callable[[str, str], Path]


@dataclass
class World:
    stack: Stack
    client: Callable[[str], Any]
    tool: Tool
    resources: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def add(self, kind: str, name: str, inputs: Mapping[str, Any], outputs: Mapping[str, Any] | None = None) -> None:
        self.resources.append(
            {"urn": f"{URN}{kind}::{name}", "type": kind, "custom": True, "inputs": inputs, "outputs": outputs or {}}
        )

    def checks(self, changed: Sequence[str] = ()) -> dict[str, Check]:
        """What `check` says, where the engine finds that these URNs moved."""
        state = json.dumps({"deployment": {"resources": self.resources}})
        compared = json.dumps({"steps": [{"op": "update", "urn": urn} for urn in changed]})
        self.tool("pulumi", f"case $1 in stack) cat <<'END'\n{state}\nEND\n;; *) echo '{compared}' ;; esac")
        return {one.name: one for one in check(self.stack).checks}

    def publish(self, at: datetime | None = None) -> None:
        dimensions = [{"Name": name, "Value": value} for name, value in sorted(METRIC["dimensions"].items())]
        datum = {
            "MetricName": "Available",
            "Dimensions": dimensions,
            "Value": 1.0,
            "Timestamp": at or datetime.now(UTC),
        }
        self.client("cloudwatch").put_metric_data(Namespace="ParkerFlight/Probe", MetricData=[datum])


@pytest.fixture
def world(stack: Stack, client: Callable[[str], Any], tool: Tool) -> World:
    made = World(stack, client, tool)
    made.add(ALARM, "rest-down", {"metricQueries": [{"id": "available", "metric": METRIC}]})
    return made


def test_all_is_well_where_everything_stands_and_data_comes(world: World) -> None:
    trail(world.client)
    world.publish()
    checks = world.checks()
    assert {one.status for one in checks.values()} == {Status.HEALTHY}
    assert checks["metrics"].detail == "all 1 metrics that alarms read had data in the last 10 minutes"


def test_a_metric_that_nobody_publishes_is_named(world: World) -> None:
    world.publish(datetime.now(UTC) - RECENT - timedelta(minutes=2))
    silent = world.checks()["metric ParkerFlight/Probe Available of rest"]
    assert (silent.status, silent.detail) == (Status.DEGRADED, "no data in the last 10 minutes")


def test_what_comes_once_an_hour_if_there_is_enough_to_compare_is_not_waited_for(world: World) -> None:
    world.publish()
    change = {**METRIC, "metricName": "LatencyChangePercent"}
    world.add(ALARM, "rest-slower", {"metricQueries": [{"id": "change", "metric": change}]})
    assert world.checks()["metrics"].status is Status.HEALTHY


def test_an_alarm_that_is_gone_or_changed_is_named_with_the_cure(world: World) -> None:
    world.publish()
    gone = world.checks([f"{URN}{ALARM}::rest-down"])["alarms"]
    assert gone.status is Status.DOWN
    assert "MetricAlarm rest-down" in gone.detail
    assert "./pf deploy" in gone.detail


@pytest.mark.rows("R2", "X1")
def test_a_topic_without_a_reader_is_named(world: World) -> None:
    arn = world.client("sns").create_topic(Name="level-1")["TopicArn"]
    world.add("aws:sns/topic:Topic", "level-1", {"name": "level-1"}, {"arn": arn})
    assert world.checks()["level-1"].status is Status.DOWN
    world.client("sns").subscribe(TopicArn=arn, Protocol="email", Endpoint="ada@example.com")
    assert world.checks()["level-1"].detail == "reaches email ada@example.com"


def test_a_stack_without_alarms_is_refused_with_the_command(world: World) -> None:
    world.resources.clear()
    with pytest.raises(OperationError, match="no alarm is deployed") as caught:
        world.checks()
    assert caught.value.cure == "./pf deploy"


def test_what_wakes_people_stands_first_then_what_else_tells_then_what_only_is_part_of_another(
    stack: Stack, client: Callable[[str], Any]
) -> None:
    cloudwatch = client("cloudwatch")
    for name, topic in {"a": "warning", "b": "level-2", "c": "level-2", "part": None}.items():
        actions = [f"arn:aws:sns:us-east-1:123456789012:parker-flight-sandbox-{topic}"] if topic else []
        cloudwatch.put_metric_alarm(**ALARM_ARGUMENTS, AlarmName=f"parker-flight-sandbox-{name}", AlarmActions=actions)
    for name in ("a", "b", "part"):
        cloudwatch.set_alarm_state(AlarmName=f"parker-flight-sandbox-{name}", StateValue="ALARM", StateReason="a drill")
    found = alarms(stack)
    assert [(one.name, one.state) for one in found.alarms] == [
        ("b", "ALARM"),
        ("a", "ALARM"),
        ("part", "ALARM"),
        ("c", "OK"),
    ]
    assert [one.name for one in found.ringing] == ["b", "a"]


@pytest.mark.rows("X2")
@pytest.mark.parametrize(("waits", "rings"), [(1800, False), (0, True)])
def test_an_alarm_that_tells_what_still_stands_does_not_ring_before_that_time(
    stack: Stack, client: Callable[[str], Any], waits: int, *, rings: bool
) -> None:
    unresolved(client("cloudwatch"), wait_seconds=waits)
    found = alarms(stack)
    assert [bool(found.ringing), bool(found.waiting)] == [rings, not rings]
    (alarm,) = found.alarms
    assert alarm.tells_at == alarm.since + timedelta(seconds=waits)


@pytest.mark.rows("D3")
def test_the_watch_reads_those_that_wake_people_and_bears_a_cloudwatch_that_does_not_answer(
    stack: Stack, make_stack: Callable[..., Stack], client: Callable[[str], Any]
) -> None:
    for name, topic in (("a", "level-2"), ("b", "warning")):
        client("cloudwatch").put_metric_alarm(
            **ALARM_ARGUMENTS,
            AlarmName=f"parker-flight-sandbox-{name}",
            AlarmActions=[f"arn:aws:sns:us-east-1:123456789012:parker-flight-sandbox-{topic}"],
        )
    assert Critical(stack).states() == {"a": "OK"}
    assert Critical(make_stack(AWS_ENDPOINT_URL="http://127.0.0.1:1")).states() is None


def trail(client: Callable[[str], Any], *, logging: bool = True, fields: Any = None, **selector: Any) -> None:
    client("s3").create_bucket(Bucket="trails")
    client("cloudtrail").create_trail(Name="main", S3BucketName="trails")
    if logging:
        client("cloudtrail").start_logging(Name="main")
    if selector:
        client("cloudtrail").put_event_selectors(TrailName="main", EventSelectors=[selector])
    if fields:
        advanced = {"FieldSelectors": [{"Field": name, **said} for name, said in fields.items()]}
        client("cloudtrail").put_event_selectors(TrailName="main", AdvancedEventSelectors=[advanced])


MANAGEMENT = {"eventCategory": {"Equals": ["Management"]}}


@pytest.mark.parametrize(
    "selector",
    [
        {},
        {"ReadWriteType": "WriteOnly", "IncludeManagementEvents": True},
        {"fields": MANAGEMENT},
        {"fields": MANAGEMENT | {"readOnly": {"Equals": ["false"]}}},
        {"fields": MANAGEMENT | {"eventSource": {"NotEquals": ["rdsdata.amazonaws.com"]}}},
    ],
)
def test_a_trail_that_logs_calls_is_well(world: World, selector: dict[str, Any]) -> None:
    trail(world.client, **selector)
    assert world.checks()["trail"].status is Status.HEALTHY


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"logging": False}, "main is switched off"),
        ({"ReadWriteType": "ReadOnly", "IncludeManagementEvents": True}, "logs no management events that write"),
        ({"ReadWriteType": "All", "IncludeManagementEvents": False}, "logs no management events that write"),
        (
            {
                "ReadWriteType": "All",
                "IncludeManagementEvents": True,
                "ExcludeManagementEventSources": ["kms.amazonaws.com"],
            },
            "main leaves KMS out",
        ),
        ({"fields": {"eventCategory": {"Equals": ["Data"]}}}, "logs no management events that write"),
        ({"fields": MANAGEMENT | {"readOnly": {"Equals": ["true"]}}}, "logs no management events that write"),
        ({"fields": MANAGEMENT | {"eventSource": {"NotEquals": ["kms.amazonaws.com"]}}}, "main leaves KMS out"),
        (
            {"fields": MANAGEMENT | {"eventSource": {"Equals": ["s3.amazonaws.com"]}}},
            "logs some services or calls only",
        ),
        ({"fields": MANAGEMENT | {"eventName": {"NotEquals": ["DisableKey"]}}}, "logs some services or calls only"),
        (None, "the account has none"),
    ],
)
def test_without_a_trail_that_logs_calls_no_rule_hears_of_a_key(
    world: World, given: dict[str, Any] | None, said: str
) -> None:
    if given is not None:
        trail(world.client, **given)
    found = world.checks()["trail"]
    assert found.status is Status.DOWN
    assert said in found.detail
