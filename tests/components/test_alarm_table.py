"""docs/alarms.md."""

from typing import Any

import pytest

from components import alarm_table
from components.alarm import CompositeAlarm, Measure, MetricAlarm, MissingData, Series
from components.alarm_table import cents, condition, span
from components.naming import Severity, Topic

pytestmark = pytest.mark.rows("K2")

ANY: dict[str, Any] = {
    "what": "x",
    "rows": "K2",
    "problem": "p",
    "runbook": "docs/runbook.md#x",
    "severity": Severity.INFO,
}
SERIES = {name: Series(namespace="N", metric="M", dimensions={}, statistic="Sum") for name in ("a", "b")}


def metric(*, period: int, periods: int, breaching: int) -> MetricAlarm:
    measure = Measure(series=SERIES, expression="a + b", period=period, periods=periods, breaching=breaching)
    return MetricAlarm(**ANY, tells=Topic.INFO, measure=measure, missing_data=MissingData.IS_FINE, above=5)


def composite(wait_seconds: int) -> CompositeAlarm:
    return CompositeAlarm(**ANY, tells=Topic.INFO, any_of=[["a", "b"], ["c"]], wait_seconds=wait_seconds)


def test_the_page_is_written_from_the_alarms() -> None:
    assert alarm_table.FILE.read_text() == alarm_table.page(), "run: .venv/bin/python -m components.alarm_table"


@pytest.mark.parametrize("row", ["M1", "M2", "M3", "M4", "M5", "M6", "M7", "L1", "L2", "L3", "L9", "X1", "X2", "X3"])
def test_each_requirement_of_monitoring_is_answered_by_an_alarm(row: str) -> None:
    assert any(
        row in line.split(" | ")[1].split(", ") for line in alarm_table.page().splitlines() if "](runbook" in line
    )


@pytest.mark.parametrize(
    ("seconds", "said"), [(10, "10 s"), (90, "90 s"), (300, "5 min"), (7200, "2 h"), (86400, "1 d")]
)
def test_a_span_in_words(seconds: int, said: str) -> None:
    assert span(seconds) == said


def test_what_makes_an_alarm_ring_in_words() -> None:
    assert condition(metric(period=10, periods=5, breaching=3)) == "above 5 in 3 of 5 times 10 s"
    assert condition(metric(period=3600, periods=1, breaching=1)) == "above 5 over 1 h"
    assert condition(composite(0)) == "`a` and `b` or `c`"
    assert condition(composite(900)) == "`a` and `b` or `c`, for 15 min"


def test_an_alarm_costs_by_what_it_reads_and_how_often() -> None:
    assert cents(metric(period=60, periods=1, breaching=1)) == 20
    assert cents(metric(period=10, periods=1, breaching=1)) == 60
    assert cents(composite(0)) == 50
