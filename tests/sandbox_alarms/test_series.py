"""Metric data and their statistics.

Rules from the CloudWatch User Guide, "Metrics concepts"
(https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html), and the API Reference,
PutMetricData (https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html).
"""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.alarms.series import Datum, Metric, MixedUnitsError, Series, Store, from_api
from sandbox.alarms.statistics import Sample, percent_of, significant_samples, statistic

pytestmark = pytest.mark.rows("K2")

REQUESTS = Metric.of("ParkerFlight/Functions", "Requests", {"Function": "encrypt-data"})


def store(*data: Datum, metric: Metric = REQUESTS) -> Store:
    made = Store()
    for datum in data:
        made.put(metric, datum)
    return made


def value(at: float, number: float, **more: object) -> Datum:
    return Datum(at=at, sample=Sample.of_value(number), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "expected"), [("Sum", 60), ("Average", 20), ("Minimum", 10), ("Maximum", 30), ("SampleCount", 3)]
)
def test_each_statistic_is_taken_over_all_samples_of_the_period(name: str, expected: float) -> None:
    """Metrics concepts, "Statistics"."""
    assert store(value(0, 10), value(30, 20), value(59, 30)).value(REQUESTS, name, 0, 60) == expected


def test_the_three_forms_of_a_datum_add_up() -> None:
    """Metrics concepts: a statistic set is aggregated with the values beside it; PutMetricData: Values with Counts."""
    data = store(
        value(0, 1),
        Datum(at=10, sample=Sample.of_values([2, 3], [5, 1])),
        Datum(at=20, sample=Sample.of_statistics(count=4, total=40, low=4, high=20)),
    )
    found = {name: data.value(REQUESTS, name, 0, 60) for name in ("SampleCount", "Sum", "Minimum", "Maximum")}
    assert found == {"SampleCount": 11, "Sum": 54, "Minimum": 1, "Maximum": 20}


def test_a_period_has_its_start_and_not_its_end() -> None:
    """Metrics concepts, "Periods": aggregated data bear the time of the period's beginning."""
    data = store(value(0, 1), value(60, 2))
    assert data.value(REQUESTS, "Sum", 0, 60) == 1
    assert data.value(REQUESTS, "Sum", 60, 120) == 2
    assert data.value(REQUESTS, "Sum", 120, 180) is None


def test_dimensions_are_not_added_up() -> None:
    """Metrics concepts, "Dimension combinations": custom metrics are found by exactly the dimensions published."""
    data = store(value(0, 1))
    assert data.value(Metric.of("ParkerFlight/Functions", "Requests"), "Sum", 0, 60) is None
    more = {"Function": "encrypt-data", "Environment": "sandbox"}
    assert data.value(Metric.of("ParkerFlight/Functions", "Requests", more), "Sum", 0, 60) is None


def test_a_standard_metric_has_data_once_a_minute_only() -> None:
    """API Reference, PutMetricAlarm, Period: an alarm of 10 s on such a metric finds nothing in between."""
    standard, high = value(45, 1), value(45, 1, resolution=1)
    tens = range(0, 60, 10)
    assert [store(standard).value(REQUESTS, "Sum", t, t + 10) for t in tens] == [1, None, None, None, None, None]
    assert [store(high).value(REQUESTS, "Sum", t, t + 10) for t in tens] == [None, None, None, None, 1, None]


def test_units_are_told_apart() -> None:
    """Metrics concepts, "Units": data of different units are aggregated separately."""
    data = store(value(0, 1, unit="Count"), value(1, 500, unit="Milliseconds"))
    assert data.value(REQUESTS, "Sum", 0, 60, "Count") == 1
    assert data.value(REQUESTS, "Sum", 0, 60, "Seconds") is None


def test_several_units_and_none_named_is_refused() -> None:
    """API Reference, PutMetricAlarm, Unit: without one, an alarm on such a metric behaves in no defined way."""
    data = store(value(0, 1, unit="Count"), value(1, 500, unit="Milliseconds"))
    with pytest.raises(
        MixedUnitsError, match=r"Requests.*has the units Count, Milliseconds: an alarm on it must name one"
    ):
        data.value(REQUESTS, "Sum", 0, 60)


def test_late_data_belong_to_the_period_of_their_timestamp() -> None:
    """Metrics concepts, "Periods": a period's value may still change as samples come in."""
    data = store(value(0, 1))
    assert data.value(REQUESTS, "Sum", 0, 60) == 1
    data.put(REQUESTS, value(30, 5))
    assert data.value(REQUESTS, "Sum", 0, 60) == 6


@pytest.mark.parametrize(
    ("name", "expected"), [("p0", 1), ("p50", 50), ("p90", 90), ("p95", 95), ("p99.9", 100), ("p100", 100)]
)
def test_a_percentile_is_exact_over_raw_values(name: str, expected: float) -> None:
    """CloudWatch statistics definitions: with p95, 95 % of the period's data are lower and 5 % higher.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html; how CloudWatch
    interpolates isn't said there.
    """
    data = store(*(value(0, number) for number in range(1, 101)))
    assert data.value(REQUESTS, name, 0, 60) == expected


def test_values_with_counts_are_raw_values() -> None:
    """API Reference, PutMetricData: Values and Counts keep percentiles available."""
    data = store(Datum(at=0, sample=Sample.of_values([100, 3000], [95, 5])))
    assert data.value(REQUESTS, "p95", 0, 60) == 100
    assert data.value(REQUESTS, "p96", 0, 60) == 3000


@pytest.mark.parametrize(
    ("sample", "expected"),
    [
        (Sample.of_statistics(count=10, total=50, low=1, high=9), None),
        (Sample.of_statistics(count=1, total=7, low=7, high=7), 7),
        (Sample.of_statistics(count=10, total=70, low=7, high=7), 7),
        (Sample.of_value(-1), None),
    ],
)
def test_a_percentile_needs_raw_values_that_are_not_negative(sample: Sample, expected: float | None) -> None:
    """API Reference, GetMetricStatistics: a statistic set has percentiles only with one sample, or Min = Max."""
    assert store(Datum(at=0, sample=sample)).value(REQUESTS, "p95", 0, 60) == expected


@pytest.mark.parametrize("name", ["p101", "95", "p", "average", "TM(10%:90%)"])
def test_an_unknown_statistic_is_named(name: str) -> None:
    with pytest.raises(ValueError, match=r"unknown statistic .*: one of Average, .*, or a percentile like p95"):
        percent_of(name)


@pytest.mark.parametrize(("percent", "samples"), [(99, 1000), (50, 20), (10, 100), (100, 0)])
def test_how_many_samples_a_percentile_needs(percent: float, samples: float) -> None:
    """Using CloudWatch alarms, "Percentile-based CloudWatch alarms and low data samples".

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/percentiles-with-low-samples.html
    """
    assert significant_samples(percent) == pytest.approx(samples)


def test_a_datum_is_read_in_each_of_its_forms() -> None:
    at = datetime(2026, 8, 1, tzinfo=UTC)
    dimensions = [{"Name": "Function", "Value": "encrypt-data"}]
    named = {"MetricName": "Requests", "Dimensions": dimensions, "Timestamp": at}
    statistics = {"SampleCount": 2, "Sum": 5, "Minimum": 1, "Maximum": 4}
    forms = [{"Value": 3}, {"Values": [3, 4], "Counts": [2, 1]}, {"Values": [3, 4]}, {"StatisticValues": statistics}]
    read = [from_api(named | form, received_at=0) for form in forms]
    assert {(name, tuple(dimensions.items())) for name, dimensions, _ in read} == {
        ("Requests", (("Function", "encrypt-data"),))
    }
    assert [datum.sample.total for *_, datum in read] == [3, 10, 7, 5]
    assert {datum.at for *_, datum in read} == {at.timestamp()}


def test_a_datum_without_a_timestamp_has_that_of_its_arrival() -> None:
    """Metrics concepts, "Time stamps"."""
    _, _, datum = from_api({"MetricName": "Requests", "Value": 1, "StorageResolution": 1, "Unit": "Count"}, 1234.5)
    assert (datum.at, datum.resolution, datum.unit) == (1234.5, 1, "Count")


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({}, "needs Value, Values or StatisticValues"),
        ({"Value": float("nan")}, "finite"),
        ({"Values": [1, 2], "Counts": [1]}, "as long as each other"),
        ({"Value": 1, "StorageResolution": 5}, "1 or 60 seconds, not 5"),
    ],
)
def test_a_datum_that_cloudwatch_refuses_is_refused(form: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        from_api({"MetricName": "Requests"} | form, 0)


@given(
    at=st.integers(0, 400),
    every=st.integers(1, 90),
    times=st.integers(1, 12),
    resolution=st.sampled_from([1, 60]),
    start=st.integers(0, 60).map(lambda n: n * 10),
    length=st.sampled_from([10, 30, 60, 300]),
)
def test_a_repeated_datum_counts_like_its_single_ones(
    at: int, every: int, times: int, resolution: int, start: int, length: int
) -> None:
    repeated, singles = Series(), Series()
    sample = Sample.of_value(1)
    repeated.add(Datum(at=at, sample=sample, every=every, times=times, resolution=resolution))
    for turn in range(times):
        singles.add(Datum(at=at + turn * every, sample=sample, resolution=resolution))
    of = [statistic("Sum", series.within(start, start + length, None)) for series in (repeated, singles)]
    assert of[0] == of[1]
