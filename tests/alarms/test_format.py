"""The rule tests' own tools: the notation, the two ways to run a scenario, and what counts as a change of an alarm."""

from typing import Any

import pytest
from pydantic import ValidationError

from sandbox.alarms.composite import parse_rule
from sandbox.alarms.definitions import (
    Alarm,
    Comparison,
    CompositeAlarm,
    LowSamples,
    MetricAlarm,
    MissingData,
    Query,
    Suppressor,
)
from sandbox.alarms.expression import parse
from sandbox.alarms.series import Metric
from sandbox.alarms.state import Actions, State
from tests.alarms.mutants import mutants
from tests.alarms.scenarios import Published, Rules, Scenario, history, sample, seconds, shown
from tests.alarms.simulation import differs, problems
from tests.sandbox_alarms.samples import LOAD, metric_alarm

pytestmark = pytest.mark.rows("K2")

SERIES = "ParkerFlight/Test Load{}"


def scenario(values: Any, told: str, alarm: str = "load", **more: Any) -> Scenario:
    series = {SERIES: values} if values is not None else {}
    return Scenario.model_validate({"name": "x", "series": series, "history": {alarm: told}, **more})


@pytest.mark.parametrize(("text", "number"), [("10s", 10), ("1m30s", 90), ("3d", 259200), ("1h1m", 3660), ("0s", 0)])
def test_durations_are_read_and_shown(text: str, number: int) -> None:
    assert seconds(text) == number
    assert shown(number) == text


def test_a_long_run_is_one_datum() -> None:
    data = list(Published.model_validate("5x3d _x1h 7").data())
    assert [(datum.at, datum.times, datum.sample.total) for datum in data] == [(0, 4320, 5), (262800, 1, 7)]


def test_values_with_counts() -> None:
    assert sample("95*80+5*2500").values == ((80, 95), (2500, 5))
    assert sample("-1.5").total == -1.5


def test_each_row_fills_in_names_everywhere() -> None:
    rules = Rules.model_validate(
        {
            "each": [{"function": "a"}, {"function": "b"}],
            "scenarios": [
                {"name": "{function} x", "series": {"N M{F={function}}": 1}, "history": {"{function}-z": "1m OK"}}
            ],
        }
    )
    assert [(one.name, *one.metrics, *one.history) for one in rules.expanded()] == [
        ("a x", Metric.of("N", "M", {"F": "a"}), "a-z"),
        ("b x", Metric.of("N", "M", {"F": "b"}), "b-z"),
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"series": {SERIES: "5y3d"}}, "'5y3d' is no VALUE, VALUExDURATION or _"),
        ({"series": {SERIES: "5x3"}}, "'3' is no duration like 3d"),
        ({"series": {SERIES: "5x90s"}}, "'5x90s': 1m from one sample to the next don't fill it"),
        ({"series": {SERIES: "1.2.3"}}, "could not convert"),
        ({"series": {SERIES: {"values": "1", "evry": "1m"}}}, "evry"),
        ({"series": {"Load": "1"}}, "'Load' is no NAMESPACE NAME"),
        ({"history": {"load": "1m RINGS"}}, "'RINGS' is not a valid State"),
        ({"history": {"load": "2m OK, 1m ALARM"}}, "its times don't rise"),
        ({"history": {"load": "1m OK, 2m OK"}}, "has a state twice in a row"),
        ({"history": {"load": "9m OK"}}, "'x' ends at 1m, before 9m"),
        ({"history": {}}, "at least 1 item"),
        ({"expect": {}}, "expect"),
    ],
)
def test_a_mistake_in_a_file_is_named(changes: dict[str, Any], said: str) -> None:
    right = {"name": "x", "series": {SERIES: "1"}, "history": {"load": "1m OK"}}
    with pytest.raises(ValidationError, match=said):
        Scenario.model_validate(right | changes)


def test_an_alarm_that_the_program_does_not_declare_is_named() -> None:
    with pytest.raises(ValueError, match="the program declares no alarm 'laod'; it has load"):
        list(problems(scenario("1x5m", "1m OK", "laod"), {"load": metric_alarm()}))


def test_another_history_is_shown_beside_the_expected_one() -> None:
    found = list(problems(scenario("1x3m 11x3m", "1m OK, 5m ALARM"), {"load": metric_alarm()}))
    assert found == ["x: history of load is 1m OK, 6m ALARM; expected 1m OK, 5m ALARM"]


LONG, SHORT, CALLS, ERRORS = "long", "short", Metric.of("T", "Calls"), Metric.of("T", "Errors")


def burn(name: str, period: int) -> MetricAlarm:
    """More than 0.1 % of the calls fail in one period."""
    return MetricAlarm(
        name=f"stack-{name}",
        queries={
            "calls": Query(metric=CALLS, statistic="Sum", period=period),
            "errors": Query(metric=ERRORS, statistic="Sum", period=period),
        },
        expressions={"rate": parse("IF(calls > 100, 100 * errors / calls, 0)")},
        watched="rate",
        comparison=Comparison.ABOVE,
        threshold=0.1,
        evaluation_periods=1,
        datapoints_to_alarm=1,
        missing_data=MissingData.NOT_BREACHING,
        actions=Actions(alarm=("page",)),
    )


BURN: dict[str, Alarm] = {
    LONG: burn(LONG, 3 * 86400),
    SHORT: burn(SHORT, 6 * 3600),
    "maintenance": metric_alarm("stack-maintenance", evaluation_periods=1, missing_data=MissingData.NOT_BREACHING),
    "ticket": CompositeAlarm(
        name="stack-ticket",
        rule=parse_rule('ALARM("stack-long") AND ALARM("stack-short")'),
        suppressor=Suppressor(alarm="stack-maintenance", wait=120, extension=180),
        actions=Actions(ok=("clear",), alarm=("ticket",)),
    ),
}
# 0.1 % of 1000 calls a minute for three days, 0.4 % from then on for nine hours, then none.
BURNING = Scenario.model_validate(
    {
        "name": "a slow burn of the budget",
        "series": {"T Calls{}": "1000x5d", "T Errors{}": "1x3d 4x9h 0x39h"},
        "history": {
            LONG: "1m OK, 3d1h ALARM, 4d12h OK",
            SHORT: "1m OK, 3d1m ALARM, 3d13h30m OK",
            "ticket": "1m OK, 3d1h ALARM, 3d13h30m OK",
        },
        "acts": {"ticket": "3m OK, 3d1h2m ALARM, 3d13h32m OK"},
    }
)


def test_a_composite_of_long_windows_with_a_suppressor() -> None:
    assert list(problems(BURNING, BURN)) == []


def test_each_change_of_a_composite_that_matters_here_is_told() -> None:
    untold = {what for what, mutant in mutants(BURN["ticket"]) if not differs([BURNING], {**BURN, "ticket": mutant})}
    assert untold == {"extension of 120 s", "extension of 240 s"}, "no maintenance ends in this scenario"


def test_a_change_that_no_scenario_tells_survives() -> None:
    dull = scenario("1x5m", "1m OK")
    survived = {what for what, mutant in mutants(metric_alarm()) if not differs([dull], {"load": mutant})}
    assert {"threshold 9", "threshold 11", "2 evaluation periods", "missing data ignore"} <= survived
    assert "comparison LessThanThreshold" not in survived


def test_the_quick_look_at_the_changes_finds_what_the_whole_run_finds() -> None:
    alarm = metric_alarm(missing_data=MissingData.NOT_BREACHING, evaluation_periods=3, datapoints_to_alarm=2)
    told = scenario("1x5m 11 1 11x3m 1x5m _x5m", "1m OK, 8m ALARM, 12m OK")
    assert list(problems(told, {"load": alarm})) == []
    for what, mutant in [("none", alarm), *mutants(alarm)]:
        assert differs([told], {"load": mutant}) is any(problems(told, {"load": mutant})), what


def test_which_settings_a_percentile_alarm_has() -> None:
    alarm = metric_alarm(statistic="p95", evaluation_periods=2, low_samples=LowSamples.IGNORE)
    found = {what for what, _ in mutants(alarm)}
    assert {"p50 of m1", "p99 of m1", "Average of m1", "low samples evaluate", "period 30", "period 120"} <= found
    assert "p95 of m1" not in found


def test_a_mutant_differs_in_one_setting() -> None:
    alarm = metric_alarm()
    found = list(mutants(alarm))
    assert len({what for what, _ in found}) == len(found)
    assert all(mutant != alarm for _, mutant in found)


def test_late_data_are_not_seen_before_they_come() -> None:
    alarms: dict[str, Alarm] = {"load": metric_alarm(evaluation_periods=1, missing_data=MissingData.NOT_BREACHING)}
    told = scenario({"values": "11x3m", "late": "5m"}, "1m OK, 5m ALARM", lasts="7m")
    assert list(problems(told, alarms)) == [
        "x: history of load is 1m OK; expected 1m OK, 5m ALARM",
    ], "by then its period is out of the evaluation range"
    told = scenario({"values": "11x3m", "late": "90s"}, "1m OK, 2m ALARM, 6m OK", lasts="7m")
    assert list(problems(told, alarms)) == []
    assert not differs([told], alarms)


def test_no_data_is_a_scenario_too() -> None:
    alarms: dict[str, Alarm] = {"load": metric_alarm(missing_data=MissingData.BREACHING)}
    told = scenario(None, "1m ALARM", lasts="1h")
    assert list(problems(told, alarms)) == []
    assert LOAD not in told.metrics
    assert told.history["load"] == history("1m ALARM") == [(60, State.ALARM)]
