"""What was seen, to CloudWatch."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from probe.data import ENDPOINT, ENVIRONMENT, Datum
from probe.log import log


class CloudWatch(Protocol):
    """As far as it is used here."""

    def put_metric_data(self, *, Namespace: str, MetricData: Sequence[Any]) -> Any: ...  # noqa: N803


class Publisher:
    """Of one environment. What can't be published is lost, and said: the next round matters more."""

    def __init__(self, cloudwatch: CloudWatch, environment: str) -> None:
        self._cloudwatch = cloudwatch
        self._environment = environment

    def publish(self, data: Sequence[Datum], at: datetime) -> None:
        """One call a namespace. `at` is when the round began: then each period of 10 s has its data point."""
        for namespace in dict.fromkeys(datum.namespace for datum in data):
            metrics = [self._metric(datum, at) for datum in data if datum.namespace == namespace]
            try:
                self._cloudwatch.put_metric_data(Namespace=namespace, MetricData=metrics)
            except (BotoCoreError, ClientError) as error:
                log("not published", namespace=namespace, error=str(error))

    def _metric(self, datum: Datum, at: datetime) -> dict[str, Any]:
        dimensions = {ENVIRONMENT: self._environment} | ({ENDPOINT: datum.endpoint} if datum.endpoint else {})
        return {
            "MetricName": datum.name,
            "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
            "Timestamp": at,
            "Value": datum.value,
            "Unit": datum.unit,
            "StorageResolution": 1,
        }
