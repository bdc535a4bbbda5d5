"""Metric data as PutMetricData takes it, in memory."""

import math
from bisect import bisect_left, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from sandbox.alarms.statistics import Sample, statistic

HIGH_RESOLUTION = 1  # seconds
STANDARD_RESOLUTION = 60


class MixedUnitsError(ValueError):
    """A metric has data of several units, and none was asked for: CloudWatch doesn't define what comes out."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """What makes two metrics two: CloudWatch never adds up over dimensions."""

    namespace: str
    name: str
    dimensions: frozenset[tuple[str, str]] = frozenset()

    @classmethod
    def of(cls, namespace: str, name: str, dimensions: Mapping[str, str] | None = None) -> Self:
        return cls(namespace=namespace, name=name, dimensions=frozenset((dimensions or {}).items()))

    def __str__(self) -> str:
        dimensions = ", ".join(f"{name}={value}" for name, value in sorted(self.dimensions))
        return f"{self.namespace} {self.name}{{{dimensions}}}"


@dataclass(frozen=True, kw_only=True)
class Datum:
    """One sample at a time, or the same one at `times` moments that are `every` seconds apart."""

    at: float
    sample: Sample
    unit: str = "None"
    resolution: int = STANDARD_RESOLUTION
    every: float = 0
    times: int = 1

    def __post_init__(self) -> None:
        if self.resolution not in (HIGH_RESOLUTION, STANDARD_RESOLUTION):
            raise ValueError(f"a storage resolution is 1 or 60 seconds, not {self.resolution}")
        if self.times < 1 or (self.times > 1 and self.every <= 0):
            raise ValueError("a repeated datum needs the seconds between two of it")

    def count_within(self, start: int, end: int) -> int:
        """How many of its moments are stored in [start, end): a standard metric keeps minutes only."""
        first, last = (-(-edge // self.resolution) * self.resolution for edge in (start, end))
        if self.times == 1:
            return int(first <= self.at < last)
        before_first, before_last = (math.ceil((edge - self.at) / self.every) for edge in (first, last))
        return max(0, min(before_last, self.times) - max(before_first, 0))


@dataclass
class Series:
    """The data of one metric. Repeated data stay as they are: a window counts them, it doesn't walk over them."""

    single: list[Datum] = field(default_factory=list[Datum])  # by time
    repeated: list[Datum] = field(default_factory=list[Datum])
    known: dict[tuple[str, str | None, int, int], float | None] = field(
        default_factory=dict[tuple[str, str | None, int, int], float | None]
    )

    def add(self, datum: Datum) -> None:
        if datum.times > 1:
            self.repeated.append(datum)
        else:
            insort(self.single, datum, key=_time)
        self.known.clear()  # it may be late, and belong to a period that was already looked at

    def within(self, start: int, end: int, unit: str | None) -> list[tuple[Sample, int]]:
        """Every sample of [start, end), and how often it occurs there.

        Raises:
            MixedUnitsError: it has several units and none is asked for.
        """
        first = bisect_left(self.single, start, key=_time)
        last = bisect_left(self.single, end + STANDARD_RESOLUTION, key=_time)  # such as are stored before the end
        found = [
            (datum, times)
            for datum in (*self.single[first:last], *self.repeated)
            if (unit is None or datum.unit == unit) and (times := datum.count_within(start, end))
        ]
        units = {datum.unit for datum, _ in found}
        if len(units) > 1:
            raise MixedUnitsError(f"its data has the units {', '.join(sorted(units))}: an alarm on it must name one")
        return [(datum.sample, times) for datum, times in found]


class Store:
    """All metrics' data."""

    def __init__(self) -> None:
        self._series: dict[Metric, Series] = {}

    def put(self, metric: Metric, datum: Datum) -> None:
        self._series.setdefault(metric, Series()).add(datum)

    def value(self, metric: Metric, name: str, start: int, end: int, unit: str | None = None) -> float | None:
        """The statistic `name` over [start, end), or None where there is no data for it.

        Raises:
            MixedUnitsError: the metric has several units and `unit` names none.
        """
        series = self._series.get(metric)
        if series is None:
            return None
        key = name, unit, start, end
        if key not in series.known:
            try:
                series.known[key] = statistic(name, series.within(start, end, unit))
            except MixedUnitsError as error:
                raise MixedUnitsError(f"{metric}: {error}") from error
        return series.known[key]


def from_api(datum: Mapping[str, Any], received_at: float) -> tuple[str, Mapping[str, str], Datum]:
    """Name, dimensions and content of one MetricDatum of PutMetricData, in boto3's form.

    Raises:
        ValueError: it has none of the three forms (a value, values with counts, a statistic set), or no finite number.
    """
    if "Values" in datum:
        values: Sequence[float] = datum["Values"]
        sample = Sample.of_values(values, datum.get("Counts", [1] * len(values)))
    elif "StatisticValues" in datum:
        given: Mapping[str, float] = datum["StatisticValues"]
        sample = Sample.of_statistics(given["SampleCount"], given["Sum"], given["Minimum"], given["Maximum"])
    elif "Value" in datum:
        sample = Sample.of_value(datum["Value"])
    else:
        raise ValueError(f"{datum.get('MetricName')}: a metric datum needs Value, Values or StatisticValues")
    at = datum.get("Timestamp", received_at)
    return (
        datum["MetricName"],
        {dimension["Name"]: dimension["Value"] for dimension in datum.get("Dimensions", ())},
        Datum(
            at=at.timestamp() if isinstance(at, datetime) else at,
            sample=sample,
            unit=datum.get("Unit", "None"),
            resolution=datum.get("StorageResolution", STANDARD_RESOLUTION),
        ),
    )


def _time(datum: Datum) -> float:
    return datum.at
