"""How much slower or faster answers are than a week before (M8): the last whole hour against the same of last week.

CloudWatch's metric math can't shift a series in time. An hour of the same weekday, since traffic differs from hour to
hour and from day to day.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from probe.data import ENDPOINT, ENVIRONMENT, FUNCTION, FUNCTIONS, LATENCY_CHANGE, NAMESPACE, REST, Datum
from probe.log import log

HOUR = timedelta(hours=1)
WEEK = timedelta(weeks=1)
MINUTE_OF_HOUR = 5  # once an hour, when the last one's data has arrived
ENOUGH = 200  # samples in each of both hours: with fewer CloudWatch itself takes p95 for chance, 10 / (1 - 0.95)


class CloudWatch(Protocol):
    """As far as it is used here."""

    def get_metric_data(self, *, MetricDataQueries: Sequence[Any], StartTime: datetime, EndTime: datetime) -> Any: ...  # noqa: N803


@dataclass(frozen=True, kw_only=True)
class _Latency:
    """Whose, and the metric that has it."""

    endpoint: str
    namespace: str
    dimensions: Mapping[str, str]


def changes(cloudwatch: CloudWatch, environment: str, functions: Sequence[str], now: datetime) -> list[Datum]:
    """By how many percent the 95th percentile of each differs from last week's, where both hours say enough."""
    if now.minute != MINUTE_OF_HOUR:
        return []
    hour = now.replace(minute=0, second=0, microsecond=0) - HOUR
    watched = list(_latencies(environment, functions))
    try:
        present, past = (_percentiles(cloudwatch, watched, start) for start in (hour, hour - WEEK))
    except (BotoCoreError, ClientError) as error:
        log("not compared with last week", error=str(error))
        return []
    return [
        Datum(
            namespace=NAMESPACE,
            name=LATENCY_CHANGE,
            value=round(100 * (present[name] / past[name] - 1), 1),
            unit="Percent",
            endpoint=name,
        )
        for name in present.keys() & past.keys()
        if past[name] > 0
    ]


def _latencies(environment: str, functions: Sequence[str]) -> Iterator[_Latency]:
    """Of a function as its callers see it, of REST as the probe does."""
    here = {ENVIRONMENT: environment}
    yield _Latency(endpoint=REST, namespace=NAMESPACE, dimensions={**here, ENDPOINT: REST})
    for name in functions:
        yield _Latency(endpoint=name, namespace=FUNCTIONS, dimensions={**here, FUNCTION: name})


def _percentiles(cloudwatch: CloudWatch, watched: Sequence[_Latency], start: datetime) -> dict[str, float]:
    """Milliseconds by endpoint, of those with enough samples in the hour."""
    queries = [
        _query(f"{name}{number}", one, stat)
        for number, one in enumerate(watched)
        for name, stat in (("latency", "p95"), ("samples", "SampleCount"))
    ]
    end = start + HOUR - timedelta(seconds=1)  # else the hour after it is in it as well
    answer = cloudwatch.get_metric_data(MetricDataQueries=queries, StartTime=start, EndTime=end)
    found: dict[str, float] = {one["Id"]: one["Values"][0] for one in answer["MetricDataResults"] if one["Values"]}
    return {
        one.endpoint: found[f"latency{number}"]
        for number, one in enumerate(watched)
        if found.get(f"samples{number}", 0) >= ENOUGH
    }


def _query(name: str, of: _Latency, stat: str) -> dict[str, Any]:
    dimensions = [{"Name": key, "Value": value} for key, value in of.dimensions.items()]
    metric = {"Namespace": of.namespace, "MetricName": "Latency", "Dimensions": dimensions}
    period = int(HOUR.total_seconds())
    return {"Id": name, "MetricStat": {"Metric": metric, "Period": period, "Stat": stat}}
