"""Composite alarms, which moto 5.2.5 would describe and lets nobody make."""

import re
from typing import Any

from moto.cloudwatch.exceptions import ValidationError
from moto.cloudwatch.models import Dimension
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult, EmptyResult

# What follows ALARM, OK or INSUFFICIENT_DATA in a rule: a name or an ARN, in quotes or without.
REFERENCE = re.compile(r"""\b(?:ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*(?:"([^"]+)"|'([^']+)'|([^\s()]+))\s*\)""")
SUPPRESSOR = {
    "ActionsSuppressor": "actions_suppressor",
    "ActionsSuppressorWaitPeriod": "actions_suppressor_wait_period",
    "ActionsSuppressorExtensionPeriod": "actions_suppressor_extension_period",
}
STATE = ("state_value", "state_reason", "state_reason_data", "state_updated_timestamp", "history")
OF_METRIC_ALARMS = (
    *("namespace", "metric_name", "comparison_operator", "evaluation_periods", "period", "threshold", "statistic"),
)


def order_dimensions() -> None:
    """moto 5.2.5 compares metrics by dimensions in an order that is none, and so finds no data for some."""

    def before(self: Dimension, other: Dimension) -> bool:
        return (self.name, self.value) < (other.name, other.value)

    Dimension.__lt__ = before


def serve_composite_alarms(response: type[CloudWatchResponse]) -> None:
    """PutCompositeAlarm, and DescribeAlarms with its `AlarmTypes`: without it only metric alarms are listed."""
    describe = response.describe_alarms

    def put_composite_alarm(self: CloudWatchResponse) -> ActionResult:
        given: dict[str, Any] = self._get_params()  # pyright: ignore[reportPrivateUsage]
        backend = self.cloudwatch_backend
        referred = {_name(one) for one in REFERENCE.findall(given["AlarmRule"])}
        if missing := sorted(referred - backend.alarms.keys()):
            raise ValidationError(
                f"Could not save the composite alarm as alarms [{', '.join(missing)}] in the alarm rule do not exist"
            )
        before = backend.alarms.get(given["AlarmName"])
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
        alarm.state_value = "INSUFFICIENT_DATA"
        if before is not None:  # a change leaves the state as it is
            for attribute in STATE:
                setattr(alarm, attribute, getattr(before, attribute))
        return EmptyResult()

    def describe_alarms(self: CloudWatchResponse) -> ActionResult:
        answer = describe(self)
        kinds: list[str] = self._get_param("AlarmTypes") or ["MetricAlarm"]  # pyright: ignore[reportPrivateUsage]
        found: Any = answer.result
        return ActionResult({key: alarms if key.removesuffix("s") in kinds else [] for key, alarms in found.items()})

    response.put_composite_alarm = put_composite_alarm  # pyright: ignore[reportAttributeAccessIssue]
    response.describe_alarms = describe_alarms


def _name(reference: tuple[str, str, str]) -> str:
    """The alarm that a reference means; an ARN ends with `:alarm:NAME`."""
    return "".join(reference).rpartition(":alarm:")[2]
