"""What CloudWatch is given, and that its failure is no failure of the probe."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from probe.data import DATABASE, NAMESPACE, Datum
from probe.publisher import Publisher
from probe.questions import Probe
from probe.rounds import run
from tests.probe.fakes import KEYS, SETTINGS, START, Gateway, Time

pytestmark = pytest.mark.rows("K2", "M5", "M6")

DATA = [
    Datum(namespace=NAMESPACE, name="Available", value=1, unit="Count", endpoint="rest"),
    Datum(namespace=DATABASE, name="Connections", value=12, unit="Count"),
    Datum(namespace=NAMESPACE, name="Latency", value=12.5, unit="Milliseconds", endpoint="rest"),
]
THROTTLED = ClientError({"Error": {"Code": "Throttling", "Message": "Rate exceeded"}}, "PutMetricData")


class CloudWatch:
    def __init__(self, *errors: Exception) -> None:
        self.calls: list[tuple[str, Sequence[Any]]] = []
        self._errors = list(errors)

    def put_metric_data(self, *, Namespace: str, MetricData: Sequence[Any]) -> None:  # noqa: N803
        self.calls.append((Namespace, MetricData))
        if self._errors:
            raise self._errors.pop(0)


def test_each_namespace_is_one_call_and_the_probes_comes_first() -> None:
    cloudwatch = CloudWatch()
    Publisher(cloudwatch, "sandbox").publish(DATA, START)
    environment = {"Name": "Environment", "Value": "sandbox"}
    common = {"Timestamp": START, "StorageResolution": 1}
    by_endpoint = {"Dimensions": [environment, {"Name": "Endpoint", "Value": "rest"}], **common}
    assert cloudwatch.calls == [
        (
            NAMESPACE,
            [
                {"MetricName": "Available", "Value": 1, "Unit": "Count", **by_endpoint},
                {"MetricName": "Latency", "Value": 12.5, "Unit": "Milliseconds", **by_endpoint},
            ],
        ),
        (
            DATABASE,
            [{"MetricName": "Connections", "Value": 12, "Unit": "Count", "Dimensions": [environment], **common}],
        ),
    ]


def test_nothing_is_no_call() -> None:
    cloudwatch = CloudWatch()
    Publisher(cloudwatch, "sandbox").publish([], START)
    assert cloudwatch.calls == []


@pytest.mark.parametrize("error", [THROTTLED, ConnectTimeoutError(endpoint_url="https://monitoring")])
def test_a_refusal_is_said_and_the_next_namespace_still_goes(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    cloudwatch = CloudWatch(error)
    Publisher(cloudwatch, "sandbox").publish(DATA, START)
    assert [namespace for namespace, _ in cloudwatch.calls] == [NAMESPACE, DATABASE]
    said = json.loads(capsys.readouterr().out)
    assert (said["said"], said["namespace"], said["error"]) == ("not published", NAMESPACE, str(error))


def test_a_cloudwatch_that_refuses_a_whole_run_ends_no_round() -> None:
    cloudwatch, time = CloudWatch(*[THROTTLED] * 100), Time()
    run(
        Probe(SETTINGS, KEYS),
        fetch=Gateway().fetch,
        publish=Publisher(cloudwatch, "sandbox").publish,
        remaining=time.remaining(58),
        clock=time.clock,
    )
    assert [namespace for namespace, _ in cloudwatch.calls].count(NAMESPACE) == 6
