"""This hour's answers beside those of the same hour a week before."""

from collections.abc import Callable, Generator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from moto import mock_aws

from probe.comparison import ENOUGH, HOUR, WEEK, changes
from sandbox.aws.cloudwatch import answer_percentiles

pytestmark = pytest.mark.rows("M8")

NOW = datetime.now(UTC).replace(minute=5, second=50, microsecond=0)
LAST_HOUR = NOW.replace(minute=0, second=0) - HOUR
Publish = Callable[..., None]


@pytest.fixture
def cloudwatch(monkeypatch: pytest.MonkeyPatch) -> Generator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    answer_percentiles()
    with mock_aws():
        yield boto3.client("cloudwatch", region_name="us-east-1")


@pytest.fixture
def publish(cloudwatch: Any) -> Publish:
    def call(latency: float, start: datetime, count: int = ENOUGH, function: str = "encrypt-data") -> None:
        dimensions = [{"Name": "Environment", "Value": "sandbox"}, {"Name": "Function", "Value": function}]
        if function == "rest":
            dimensions[1] = {"Name": "Endpoint", "Value": "rest"}
        for number in range(count):
            cloudwatch.put_metric_data(
                Namespace="ParkerFlight/Probe" if function == "rest" else "ParkerFlight/Functions",
                MetricData=[
                    {
                        "MetricName": "Latency",
                        "Dimensions": dimensions,
                        "Timestamp": start + timedelta(minutes=number % 60),
                        "Value": latency,
                    }
                ],
            )

    return call


def found(cloudwatch: Any, now: datetime = NOW) -> dict[str, float]:
    return {one.endpoint: one.value for one in changes(cloudwatch, "sandbox", ["encrypt-data"], now)}


def test_the_last_whole_hour_is_held_against_the_same_of_last_week(cloudwatch: Any, publish: Publish) -> None:
    publish(150, LAST_HOUR)
    publish(100, LAST_HOUR - WEEK)
    publish(100, LAST_HOUR, function="rest")
    publish(200, LAST_HOUR - WEEK, function="rest")
    assert found(cloudwatch) == {"encrypt-data": 50.0, "rest": -50.0}


def test_what_lies_around_the_hours_does_not_count(cloudwatch: Any, publish: Publish) -> None:
    for start in (LAST_HOUR, LAST_HOUR - WEEK):
        publish(100, start)
        publish(900, start - HOUR)
    publish(900, LAST_HOUR - WEEK + HOUR)
    assert found(cloudwatch) == {"encrypt-data": 0.0}


def test_with_too_few_requests_in_either_hour_nothing_is_said(cloudwatch: Any, publish: Publish) -> None:
    publish(150, LAST_HOUR, ENOUGH - 1)
    publish(100, LAST_HOUR - WEEK)
    publish(150, LAST_HOUR, function="rest")
    assert found(cloudwatch) == {}


@pytest.mark.parametrize("minute", [0, 4, 6, 59])
def test_it_is_asked_once_an_hour(minute: int) -> None:
    assert changes(None, "sandbox", [], NOW.replace(minute=minute)) == []  # pyright: ignore[reportArgumentType]


def test_a_cloudwatch_that_does_not_answer_stops_nothing() -> None:
    class Away:
        def get_metric_data(self, **_: Any) -> Any:
            raise EndpointConnectionError(endpoint_url="https://monitoring")

    assert changes(Away(), "sandbox", ["encrypt-data"], NOW) == []
