"""Composite alarms, which moto 5.2.5 would describe and lets nobody make."""

from typing import Any

from moto.cloudwatch.models import Dimension, Statistics
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult, EmptyResult

from sandbox.alarms.statistics import Sample, is_percentile, statistic

SUPPRESSOR = {
    "ActionsSuppressor": "actions_suppressor",
    "ActionsSuppressorWaitPeriod": "actions_suppressor_wait_period",
    "ActionsSuppressorExtensionPeriod": "actions_suppressor_extension_period",
}
OF_METRIC_ALARMS = (
    *("namespace", "metric_name", "comparison_operator", "evaluation_periods", "period", "threshold", "statistic"),
)


def order_dimensions() -> None:
    """moto 5.2.5 compares metrics by dimensions in an order that is none, and so finds no data for some."""

    def before(self: Dimension, other: Dimension) -> bool:
        return (self.name, self.value) < (other.name, other.value)

    Dimension.__lt__ = before


def answer_percentiles() -> None:
    """moto 5.2.5 knows no percentile."""
    plain = Statistics.get_statistics_for_type

    def with_percentiles(self: Statistics, stat: str) -> Any:
        if not is_percentile(stat):
            return plain(self, stat)
        values = self.metric_single_values_list
        return statistic(stat, [(Sample.of_value(value), 1) for value in values])

    Statistics.get_statistics_for_type = with_percentiles


def serve_composite_alarms(response: type[CloudWatchResponse]) -> None:
    """PutCompositeAlarm, and DescribeAlarms with its `AlarmTypes`: without it only metric alarms are listed."""
    describe = response.describe_alarms

    def put_composite_alarm(self: CloudWatchResponse) -> ActionResult:
        given: dict[str, Any] = self._get_params()  # pyright: ignore[reportPrivateUsage]
        backend = self.cloudwatch_backend
        alarm: Any = backend.put_metric_alarm(
            name=given["AlarmName"],
            rule=given["AlarmRule"],
            description=given.get("AlarmDescription", ""),
            actions_enabled=given.get("ActionsEnabled", True),
            alarm_actions=given.get("AlarmActions", []),
            ok_actions=given.get("OKActions", []),
            insufficient_data_actions=given.get("InsufficientDataActions", []),
            dimensions=[],
            tags=given.get("Tags"),
            **dict.fromkeys(OF_METRIC_ALARMS, None),  # pyright: ignore[reportArgumentType]
        )
        for argument, attribute in SUPPRESSOR.items():
            setattr(alarm, attribute, given.get(argument))
        return EmptyResult()

    def describe_alarms(self: CloudWatchResponse) -> ActionResult:
        answer = describe(self)
        kinds: list[str] = self._get_param("AlarmTypes") or ["MetricAlarm"]  # pyright: ignore[reportPrivateUsage]
        found: Any = answer.result
        return ActionResult({key: alarms if key.removesuffix("s") in kinds else [] for key, alarms in found.items()})

    response.put_composite_alarm = put_composite_alarm  # pyright: ignore[reportAttributeAccessIssue]
    response.describe_alarms = describe_alarms
