"""An alarm as the engine has it becomes one that can be evaluated, or is refused by name."""

from typing import Any

import pytest

from sandbox.alarms.definitions import CompositeAlarm, DefinitionError, MetricAlarm, MissingData, from_inputs

pytestmark = pytest.mark.rows("K2")

METRIC, COMPOSITE = "aws:cloudwatch/metricAlarm:MetricAlarm", "aws:cloudwatch/compositeAlarm:CompositeAlarm"
SIMPLE: dict[str, Any] = {
    "__defaults": [],
    "name": "busy",
    "namespace": "AWS/Lambda",
    "metricName": "Duration",
    "dimensions": {"FunctionName": "probe"},
    "statistic": "Average",
    "period": 60.0,  # the engine's numbers are floats
    "evaluationPeriods": 3.0,
    "comparisonOperator": "GreaterThanOrEqualToThreshold",
    "threshold": 5.0,
    "alarmActions": ["arn:topic"],
}
QUERIES: dict[str, Any] = {
    key: value
    for key, value in SIMPLE.items()
    if key in ("name", "evaluationPeriods", "comparisonOperator", "threshold")
}
ERRORS = {
    "id": "errors",
    "metric": {"namespace": "A", "metricName": "Errors", "stat": "Sum", "period": 60.0, "dimensions": {"F": "x"}},
}
CALLS = {
    "id": "calls",
    "metric": {"namespace": "A", "metricName": "Calls", "stat": "Sum", "period": 60.0, "unit": "Count"},
}
RATE = {"id": "rate", "expression": "100 * errors / calls", "returnData": True, "label": "percent"}


def test_an_alarm_on_one_metric() -> None:
    alarm = from_inputs(METRIC, SIMPLE)
    assert isinstance(alarm, MetricAlarm)
    assert (alarm.period, alarm.evaluation_periods, alarm.datapoints_to_alarm) == (60, 3, 3)
    assert (alarm.missing_data, alarm.actions.alarm, alarm.actions.enabled) == (
        MissingData.MISSING,
        ("arn:topic",),
        True,
    )
    assert str(alarm.queries["metric"].metric) == "AWS/Lambda Duration{FunctionName=probe}"


def test_an_alarm_on_a_percentile() -> None:
    inputs = {**SIMPLE, "extendedStatistic": "p95", "evaluateLowSampleCountPercentiles": "ignore"}
    del inputs["statistic"]
    alarm = from_inputs(METRIC, inputs)
    assert isinstance(alarm, MetricAlarm)
    assert alarm.percentile is not None
    assert (alarm.percentile.statistic, alarm.low_samples) == ("p95", "ignore")


def test_an_alarm_on_an_expression() -> None:
    alarm = from_inputs(METRIC, QUERIES | {"metricQueries": [RATE, ERRORS, CALLS], "treatMissingData": "breaching"})
    assert isinstance(alarm, MetricAlarm)
    assert alarm.watched == "rate"
    assert alarm.datapoints({"errors": [1.0, None], "calls": [20.0, 10.0]}, 2) == [5.0, 0.0]
    assert alarm.queries["calls"].unit == "Count"


def test_an_expression_may_use_another_in_any_order() -> None:
    doubled = {"id": "doubled", "expression": "2 * rate", "returnData": True}
    queries = [doubled, RATE | {"returnData": False}, ERRORS, CALLS]
    alarm = from_inputs(METRIC, QUERIES | {"metricQueries": queries})
    assert isinstance(alarm, MetricAlarm)
    assert alarm.datapoints({"errors": [1.0], "calls": [20.0]}, 1) == [10.0]


def test_a_composite_alarm_with_a_suppressor() -> None:
    alarm = from_inputs(
        COMPOSITE,
        {
            "alarmName": "page",
            "alarmRule": "ALARM(a) AND ALARM(b)",
            "actionsEnabled": False,
            "actionsSuppressor": {
                "alarm": "arn:aws:cloudwatch:eu-central-1:123456789012:alarm:maintenance",
                "waitPeriod": 60.0,
                "extensionPeriod": 120.0,
            },
        },
    )
    assert isinstance(alarm, CompositeAlarm)
    assert alarm.suppressor is not None
    assert (alarm.suppressor.alarm, alarm.suppressor.wait, alarm.suppressor.extension) == ("maintenance", 60, 120)
    assert (alarm.rule.children, alarm.actions.enabled) == (("a", "b"), False)


def test_other_resources_are_no_alarms() -> None:
    assert from_inputs("aws:sns/topic:Topic", {"name": "x"}) is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": None}, "an alarm without 'name'"),
        ({"period": 45.0}, "busy: a period is 10, 20, 30 or a multiple of 60 seconds, not 45"),
        ({"statistic": "Median"}, "busy: unknown statistic 'Median'"),
        ({"statistic": None}, "busy: it has no statistic"),
        ({"datapointsToAlarm": 4.0}, "busy: 4 of 3 data points can't be"),
        ({"comparisonOperator": "LessThanLowerThreshold"}, "busy: 'LessThanLowerThreshold' is not a valid Comparison"),
        ({"treatMissingData": "zero"}, "busy: 'zero' is not a valid MissingData"),
        ({"period": 900.0, "evaluationPeriods": 97.0}, "busy: it looks at 87300 s; 86400 s is the most"),
        ({"period": 86400.0, "evaluationPeriods": 8.0}, "busy: it looks at 691200 s; 604800 s is the most"),
        ({"thresholdMetricId": "band"}, "busy: thresholdMetricId: not simulated"),
        ({"evaluationWindow": {}}, "busy: evaluationWindow: not simulated"),
    ],
)
def test_an_alarm_that_cloudwatch_refuses_is_refused(changes: dict[str, Any], said: str) -> None:
    """API Reference, PutMetricAlarm: its limits.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
    """
    with pytest.raises(DefinitionError, match=said):
        from_inputs(METRIC, SIMPLE | changes)


@pytest.mark.parametrize(
    ("queries", "said"),
    [
        ([ERRORS, CALLS], "exactly one of metricQueries must return data, not 0"),
        ([RATE, ERRORS], "calls: no id of its queries"),
        ([RATE, ERRORS, CALLS | {"metric": CALLS["metric"] | {"period": 300.0}}], "must have one period"),  # type: ignore[operator]
        ([RATE | {"expression": "errors +"}, ERRORS, CALLS], "is no expression of metric math"),
        ([RATE | {"expression": "MAX(errors)"}, ERRORS, CALLS], "gives a number"),
        ([RATE | {"expression": "rate + 1"}, ERRORS, CALLS], "in a circle"),
    ],
)
def test_queries_that_can_not_be_evaluated_are_refused(queries: list[Any], said: str) -> None:
    """Using math expressions with CloudWatch metrics: all metrics of an alarm have one period; one series results."""
    with pytest.raises(DefinitionError, match=said):
        from_inputs(METRIC, QUERIES | {"metricQueries": queries})


def test_a_composite_rule_that_can_not_be_parsed_is_refused_with_its_alarm() -> None:
    with pytest.raises(DefinitionError, match="page: 'ALARM' is no alarm rule"):
        from_inputs(COMPOSITE, {"alarmName": "page", "alarmRule": "ALARM"})
