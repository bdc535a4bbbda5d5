"""Alarms of the sandbox's AWS ring on what is published, and tell their topics."""

import json
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox import inbox
from sandbox.processes import wait_for

pytestmark = pytest.mark.rows("K2")

ALARM = {
    "AlarmName": "down",
    "AlarmDescription": "It is down. What to do: docs/runbook.md#x",
    "ComparisonOperator": "LessThanThreshold",
    "Threshold": 1,
    "EvaluationPeriods": 1,
    "MetricName": "Available",
    "Namespace": "Test/Alarms",
    "Period": 10,
    "Statistic": "Maximum",
    "TreatMissingData": "missing",
}


@pytest.fixture
def cloudwatch(client: Any) -> Generator[Any]:
    cloudwatch = client("cloudwatch")
    yield cloudwatch
    cloudwatch.delete_alarms(AlarmNames=["both"])
    cloudwatch.delete_alarms(AlarmNames=["down"])


@pytest.fixture
def topic(client: Any) -> str:
    return client("sns").create_topic(Name="told")["TopicArn"]


def state(cloudwatch: Any, name: str = "down") -> str:
    found = cloudwatch.describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    (alarm,) = [*found["MetricAlarms"], *found["CompositeAlarms"]]
    return alarm["StateValue"]


def put(cloudwatch: Any, value: float) -> None:
    datum = {"MetricName": "Available", "Value": value, "StorageResolution": 1}
    cloudwatch.put_metric_data(Namespace="Test/Alarms", MetricData=[datum])


def test_an_alarm_rings_and_stops_by_what_is_published(cloudwatch: Any, topic: str, aws_inbox: Path) -> None:
    cloudwatch.put_metric_alarm(**ALARM, AlarmActions=[topic], OKActions=[topic])
    before = len(inbox.read(aws_inbox))
    assert state(cloudwatch) == "INSUFFICIENT_DATA"
    put(cloudwatch, 0)
    assert wait_for(lambda: state(cloudwatch) == "ALARM", 90)
    cloudwatch.put_composite_alarm(AlarmName="both", AlarmRule='ALARM("down")')
    assert wait_for(lambda: state(cloudwatch, "both") == "ALARM", 90)

    def comes_back() -> bool:
        put(cloudwatch, 1)
        return state(cloudwatch) == "OK"

    assert wait_for(comes_back, 90)
    told = [one for one in inbox.read(aws_inbox)[before:] if one.topic == "told"]
    assert [one.subject.partition(" in ")[0] for one in told] == ['ALARM: "down"', 'OK: "down"']
    said = json.loads(told[0].message)
    assert (said["OldStateValue"], said["NewStateValue"]) == ("INSUFFICIENT_DATA", "ALARM")
    assert said["AlarmDescription"] == ALARM["AlarmDescription"]
    assert "Threshold Crossed" in said["NewStateReason"]


def test_a_state_that_is_set_by_hand_is_told_too(cloudwatch: Any, topic: str, aws_inbox: Path) -> None:
    cloudwatch.put_metric_alarm(**ALARM, AlarmActions=[topic])
    before = len(inbox.read(aws_inbox))
    cloudwatch.set_alarm_state(AlarmName="down", StateValue="ALARM", StateReason="a drill")
    (told,) = inbox.read(aws_inbox)[before:]
    assert json.loads(told.message)["NewStateReason"] == "a drill"


def test_an_alarm_that_a_composite_one_needs_is_not_deleted(cloudwatch: Any) -> None:
    cloudwatch.put_metric_alarm(**ALARM)
    cloudwatch.put_composite_alarm(AlarmName="both", AlarmRule='ALARM("down")')
    with pytest.raises(ClientError, match=r"Cannot delete.*both"):
        cloudwatch.delete_alarms(AlarmNames=["down"])
    assert state(cloudwatch)


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"Period": 7}, "a period is 10"), ({"EvaluationPeriods": 9000}, "is the most")],
)
def test_an_alarm_that_cloudwatch_would_refuse_is_refused(cloudwatch: Any, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ClientError, match=said):
        cloudwatch.put_metric_alarm(**{**ALARM, **changes})
    assert not cloudwatch.describe_alarms(AlarmNames=["down"])["MetricAlarms"]


@pytest.mark.rows("O2")
def test_data_is_found_whatever_the_order_of_its_dimensions(client: Any) -> None:
    cloudwatch, now = client("cloudwatch"), datetime.now(UTC)
    dimensions = [{"Name": "Environment", "Value": "sandbox"}, {"Name": "Endpoint", "Value": "rest"}]
    datum = {"MetricName": "Ordered", "Dimensions": dimensions, "Value": 1.0}
    cloudwatch.put_metric_data(Namespace="Test/Alarms", MetricData=[datum])
    for asked in (dimensions, dimensions[::-1]):
        metric = {"Namespace": "Test/Alarms", "MetricName": "Ordered", "Dimensions": asked}
        (found,) = cloudwatch.get_metric_data(
            MetricDataQueries=[{"Id": "m", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "SampleCount"}}],
            StartTime=now - timedelta(minutes=5),
            EndTime=now + timedelta(minutes=5),
        )["MetricDataResults"]
        assert sum(found["Values"]) == 1
