"""How a metric alarm's state follows from its data points.

Rules from the CloudWatch User Guide: "Alarm evaluation"
(https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html) and "Configuring how CloudWatch
alarms treat missing data" (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html).
"""

import pytest

from sandbox.alarms.definitions import Comparison, LowSamples, MissingData
from sandbox.alarms.evaluation import judge
from sandbox.alarms.series import Datum, Metric
from sandbox.alarms.state import State
from sandbox.alarms.statistics import Sample
from sandbox.alarms.watch import Alarms
from tests.sandbox_alarms.samples import LOAD, changes, load, metric_alarm

pytestmark = pytest.mark.rows("K2")

OK, ALARM, NO_DATA = State.OK, State.ALARM, State.INSUFFICIENT_DATA
KEPT = "kept"
MODES = (MissingData.MISSING, MissingData.IGNORE, MissingData.BREACHING, MissingData.NOT_BREACHING)


def points(text: str) -> list[float | None]:
    """AWS's notation: 0 is within the threshold, X breaches, - is missing; the newest is on the right."""
    return [{"0": 0.0, "X": 11.0, "-": None}[mark] for mark in text.split()]


def judged(text: str, mode: MissingData, *, needed: int, current: State = NO_DATA) -> State:
    return judge(metric_alarm(missing_data=mode, datapoints_to_alarm=needed), points(text), current)


THREE_OF_THREE = [  # missing, ignore, breaching, notBreaching
    ("0 - X - X", [OK, OK, OK, OK]),
    ("0 - - - -", [OK, OK, OK, OK]),
    ("- - - - -", [NO_DATA, KEPT, ALARM, OK]),
    ("0 X X - X", [ALARM, ALARM, ALARM, ALARM]),
    ("- - X - -", [ALARM, KEPT, ALARM, OK]),
]
TWO_OF_THREE = [
    ("0 - X - X", [ALARM, ALARM, ALARM, ALARM]),
    ("0 0 X 0 X", [ALARM, ALARM, ALARM, ALARM]),
    ("0 - X - -", [OK, OK, ALARM, OK]),
    ("- - - - 0", [OK, OK, ALARM, OK]),
    ("- - - X -", [ALARM, KEPT, ALARM, OK]),
]


@pytest.mark.parametrize("current", list(State))
@pytest.mark.parametrize(
    ("needed", "text", "expected"),
    [(3, *row) for row in THREE_OF_THREE] + [(2, *row) for row in TWO_OF_THREE],
)
def test_both_tables_of_missing_data(needed: int, text: str, expected: list[State | str], current: State) -> None:
    """See "How alarm state is evaluated when data is missing": its two tables, whole."""
    found = [judged(text, mode, needed=needed, current=current) for mode in MODES]
    assert found == [current if state == KEPT else state for state in expected]


@pytest.mark.parametrize("text", ["- - - - X", "- - - X -", "- - - X 0", "- - X - 0"])
def test_no_alarm_before_its_time_while_data_are_few(text: str) -> None:
    """See "Avoiding premature transitions to alarm state": 3 of 3, and the oldest breaching point is too young."""
    assert judged(text, MissingData.MISSING, needed=3) is not ALARM
    assert judged(text, MissingData.IGNORE, needed=3, current=OK) is OK


def test_few_young_points_that_breach_are_insufficient_data() -> None:
    """The row "- - - - X" of the tables in earlier editions of the same page; the present one only excludes ALARM."""
    assert judged("- - - - X", MissingData.MISSING, needed=3, current=OK) is NO_DATA
    assert judged("- - - - X", MissingData.IGNORE, needed=3, current=ALARM) is ALARM


def test_enough_breaching_points_need_no_filling_in() -> None:
    """The same page: missing points are filled in as few times as possible, and M breaching ones are ALARM."""
    assert {judged("- - - X X", mode, needed=2, current=OK) for mode in MODES} == {ALARM}


@pytest.mark.parametrize(
    ("comparison", "expected"),
    [
        (Comparison.ABOVE, [OK, OK, ALARM]),
        (Comparison.AT_LEAST, [OK, ALARM, ALARM]),
        (Comparison.BELOW, [ALARM, OK, OK]),
        (Comparison.AT_MOST, [ALARM, ALARM, OK]),
    ],
)
def test_each_comparison_at_the_threshold(comparison: Comparison, expected: list[State]) -> None:
    """API Reference, PutMetricAlarm, ComparisonOperator: the statistic is the first operand.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
    """
    alarm = metric_alarm(comparison=comparison, evaluation_periods=1)
    assert [judge(alarm, [value], NO_DATA) for value in (9.0, 10.0, 11.0)] == expected


def test_m_of_n_points_need_not_be_consecutive() -> None:
    """See "Alarm evaluation settings"."""
    alarm = metric_alarm(evaluation_periods=5, datapoints_to_alarm=3)
    assert judge(alarm, points("X 0 X 0 X"), OK) is ALARM
    assert judge(alarm, points("X 0 X 0 0"), OK) is OK
    assert judge(alarm, points("X X X 0 0 0"), OK) is OK, "the oldest is not among the last five"


def test_the_worked_figure_of_three_of_three() -> None:
    """See "Alarm evaluation settings": three breaches ring, the first good value clears, a single breach is nothing."""
    alarms = Alarms([metric_alarm()])
    for minute, value in enumerate([5, 5, 11, 12, 13, 5, 5, 5, 11, 5]):
        alarms.put(LOAD, load(60 * minute, value))
    assert changes(alarms, 600) == [(60, "load", OK), (300, "load", ALARM), (360, "load", OK)]


def test_a_longer_period_slides_with_every_minute() -> None:
    """See "Alarm evaluation settings": 5 minutes are evaluated on minutes 1 to 5, then on 2 to 6."""
    alarms = Alarms([metric_alarm(period=300, evaluation_periods=1)])
    for minute in range(20):
        alarms.put(LOAD, load(60 * minute, 8 if minute == 7 else 1))
    assert changes(alarms, 1200) == [(60, "load", OK), (480, "load", ALARM), (780, "load", OK)]


@pytest.mark.parametrize(
    ("period", "periods", "step"),
    [
        (10, 1, 10),
        (20, 1, 10),
        (30, 3, 10),
        (60, 1, 60),
        (900, 4, 60),
        (86400, 1, 60),
        (86400, 2, 3600),
        (3600, 25, 3600),
    ],
)
def test_how_often_an_alarm_is_evaluated(period: int, periods: int, step: int) -> None:
    """See "Alarm evaluation settings": each minute, each 10 s below a minute, each hour beyond a day."""
    alarm = metric_alarm(period=period, evaluation_periods=periods)
    assert Alarms([alarm]).next_due(0) == step
    assert Alarms([alarm]).next_due(step) == 2 * step


def test_between_two_due_times_nothing_is_evaluated() -> None:
    alarms = Alarms([metric_alarm(evaluation_periods=1)])
    assert alarms.evaluate(61) == []
    alarms.put(LOAD, load(0, 11))
    assert alarms.evaluate(119) == []
    assert [change.new for change in alarms.evaluate(120)] == [ALARM]


def test_a_high_resolution_alarm_rings_within_ten_seconds() -> None:
    """See "High-resolution alarms": with a period of 10 s it is evaluated every 10 s."""
    alarms = Alarms([metric_alarm(period=10, evaluation_periods=2)])
    for second in range(0, 100, 5):
        alarms.put(LOAD, load(second, 20 if second >= 40 else 1, resolution=1))
    assert changes(alarms, 100)[-1] == (60, "load", ALARM)


def test_a_multi_day_alarm_sees_data_up_to_the_full_hour_only() -> None:
    """See "Example of evaluating a multi-day alarm"."""
    alarms = Alarms([metric_alarm(period=86400, evaluation_periods=3, datapoints_to_alarm=1)])
    day = 3 * 86400
    alarms.put(LOAD, load(day + 120, 11))
    assert alarms.evaluate(day + 180) == []
    assert [change.new for change in alarms.evaluate(day + 3600)] == [ALARM]


def test_late_data_are_seen_by_the_next_evaluation() -> None:
    """See "How alarm state is evaluated": real data points count, no matter when they were reported."""
    alarms = Alarms([metric_alarm(evaluation_periods=2, missing_data=MissingData.NOT_BREACHING)])
    alarms.put(LOAD, load(0, 11))
    assert [change.new for change in alarms.evaluate(120)] == [OK]
    alarms.put(LOAD, load(60, 11))
    assert [change.new for change in alarms.evaluate(180)] == [ALARM], "0 s and 60 s are the newest real ones"


def test_data_from_before_the_alarm_count() -> None:
    """See "Alarm evaluation settings", note: points from before an alarm was made are retrieved."""
    alarms = Alarms([])
    for minute in range(3):
        alarms.put(LOAD, load(60 * minute, 11))
    alarms.define([metric_alarm()])
    assert [change.new for change in alarms.evaluate(180)] == [ALARM]


def test_an_alarm_rings_again_and_again_only_for_changes() -> None:
    """Using CloudWatch alarms, "Alarm actions": actions happen on a change of state, not while it lasts."""
    alarms = Alarms([metric_alarm(evaluation_periods=1)])
    for minute in range(10):
        alarms.put(LOAD, load(60 * minute, 11 if 2 <= minute < 8 else 1))
    found = [(change.at, change.actions) for at in range(60, 660, 60) for change in alarms.evaluate(at)]
    assert found == [(60, ("ok",)), (180, ("alarm",)), (540, ("ok",))]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [(MissingData.MISSING, NO_DATA), (MissingData.BREACHING, ALARM), (MissingData.NOT_BREACHING, OK)],
)
def test_a_new_alarm_starts_without_data(mode: MissingData, expected: State) -> None:
    """API Reference, PutMetricAlarm: INSUFFICIENT_DATA at first, then evaluated, with the new state's actions."""
    alarms = Alarms([metric_alarm(missing_data=mode)])
    assert alarms.state("load") is NO_DATA
    assert [(change.new, len(change.actions)) for change in alarms.evaluate(60)] == (
        [] if expected is NO_DATA else [(expected, 1)]
    )


def test_an_alarm_without_enabled_actions_changes_silently() -> None:
    """API Reference, PutMetricAlarm, ActionsEnabled."""
    alarm = metric_alarm(missing_data=MissingData.BREACHING)
    off = metric_alarm(missing_data=MissingData.BREACHING, actions=type(alarm.actions)(enabled=False, alarm=("alarm",)))
    assert [change.actions for change in Alarms([alarm]).evaluate(60)] == [("alarm",)]
    assert [change.actions for change in Alarms([off]).evaluate(60)] == [()]


def test_a_changed_alarm_keeps_its_state_until_it_is_evaluated() -> None:
    """API Reference, PutMetricAlarm: updating an alarm leaves its state unchanged."""
    alarms = Alarms([metric_alarm(evaluation_periods=1)])
    alarms.put(LOAD, load(0, 11))
    alarms.evaluate(60)
    alarms.define([metric_alarm(evaluation_periods=1, threshold=20)])
    assert alarms.state("load") is ALARM
    assert [change.new for change in alarms.evaluate(61)] == [OK]


@pytest.mark.parametrize(("low_samples", "expected"), [(LowSamples.EVALUATE, ALARM), (LowSamples.IGNORE, OK)])
def test_a_percentile_of_few_samples(low_samples: LowSamples, expected: State) -> None:
    """Using CloudWatch alarms, "Percentile-based CloudWatch alarms and low data samples"."""
    alarms = Alarms([metric_alarm(statistic="p95", evaluation_periods=1, low_samples=low_samples)])
    alarms.put(LOAD, Datum(at=0, sample=Sample.of_values([1], [500])))
    alarms.evaluate(60)
    alarms.put(LOAD, Datum(at=60, sample=Sample.of_values([11], [199])))
    alarms.evaluate(120)
    assert alarms.state("load") is expected
    alarms.put(LOAD, Datum(at=120, sample=Sample.of_values([11], [200])))  # 10 / (1 - 0.95)
    alarms.evaluate(180)
    assert alarms.state("load") is ALARM


def test_a_metric_of_several_units_stops_its_own_alarm_only() -> None:
    """See "Alarm evaluation state": what is wrong with an alarm's configuration stands in its state's reason."""
    other = Metric.of("ParkerFlight/Test", "Other")
    alarms = Alarms([metric_alarm(evaluation_periods=1), metric_alarm("other", other, evaluation_periods=1)])
    alarms.put(LOAD, load(0, 11))
    alarms.put(other, load(0, 11))
    alarms.evaluate(60)
    alarms.put(LOAD, Datum(at=60, sample=Sample.of_value(1), unit="Count"))
    alarms.put(LOAD, Datum(at=60, sample=Sample.of_value(1), unit="Seconds"))
    alarms.put(other, load(60, 1))
    told = {change.alarm: (change.new, change.reason) for change in alarms.evaluate(120)}
    assert told["load"] == (
        NO_DATA,
        "ParkerFlight/Test Load{}: its data has the units Count, Seconds: an alarm on it must name one",
    )
    assert told["other"][0] is OK


def test_how_far_an_evaluation_looks_back_is_a_knob() -> None:
    """AWS doesn't say how much longer than the evaluation periods the range is; its examples have 2 more."""
    silent_after: list[float] = []
    for spare in (0, 2, 5):
        alarms = Alarms([metric_alarm(missing_data=MissingData.BREACHING)], spare_points=spare)
        alarms.put(LOAD, load(0, 1))
        silent_after.append(next(at for at, _, state in changes(alarms, 1200) if state is ALARM))
    assert silent_after == [240, 360, 540]
