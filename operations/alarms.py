"""The alarms as CloudWatch has them now."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel

from components.naming import Topic
from operations.errors import OperationError
from operations.stack import Stack
from reports.models import Alarming

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.type_defs import CompositeAlarmTypeDef, MetricAlarmTypeDef

    from operations.aws import Aws


class AlarmState(BaseModel):
    """An alarm as CloudWatch has it now."""

    name: str
    state: Alarming
    wakes: bool  # it is told to a level of escalation, and not for the morning
    tells: bool  # anybody at all: what is only part of another alarm doesn't
    since: datetime
    tells_at: datetime | None = None  # of one that tells only what still stands after a while
    description: str
    reason: str

    @property
    def advice(self) -> str:
        """What is wrong and what to do; the dashboard's address follows in the description."""
        return "\n".join(self.description.splitlines()[:2])

    @property
    def rings(self) -> bool:
        """Somebody was told of it."""
        return self._stands and not self._is_early

    @property
    def waits(self) -> bool:
        """Somebody will be told of it, unless it is over by then."""
        return self._stands and self._is_early

    @property
    def _stands(self) -> bool:
        return self.state == "ALARM" and self.tells

    @property
    def _is_early(self) -> bool:
        return self.tells_at is not None and self.tells_at > datetime.now(UTC)


class AlarmList(BaseModel):
    """`pf monitoring alarms --json`; what rings stands first. Fields are only ever added within a schema version."""

    schema_version: Literal[1] = 1
    stack: str
    alarms: list[AlarmState]

    @property
    def ringing(self) -> list[AlarmState]:
        return [one for one in self.alarms if one.rings]

    @property
    def waiting(self) -> list[AlarmState]:
        return [one for one in self.alarms if one.waits]


def alarms(stack: Stack, aws: "Aws | None" = None) -> AlarmList:
    """Raises: OperationError where CloudWatch can't be asked."""
    from operations.aws import Aws, AwsError, explained

    site = stack.settings.site
    prefix = site.alarm("")
    waking = {site.arn("sns", site.topic(level)) for level in (Topic.LEVEL_1, Topic.LEVEL_2, Topic.LEVEL_3)}
    try:
        pages = (aws or Aws(stack)).cloudwatch.get_paginator("describe_alarms")
        asked = pages.paginate(AlarmNamePrefix=prefix, AlarmTypes=["MetricAlarm", "CompositeAlarm"])
        found = [one for page in asked for one in (*page["MetricAlarms"], *page["CompositeAlarms"])]
    except AwsError as error:
        raise explained(error, stack, "asking for the alarms") from error
    listed = [_state(one, prefix, waking) for one in found]
    return AlarmList(stack=stack.name, alarms=sorted(listed, key=_order))


def _state(one: "CompositeAlarmTypeDef | MetricAlarmTypeDef", prefix: str, waking: set[str]) -> AlarmState:
    actions = one.get("AlarmActions", [])
    # Of an alarm of alarms CloudWatch updates the other time also where the state stays as it is.
    since = one.get("StateTransitionedTimestamp") or one.get("StateUpdatedTimestamp")
    wait = one.get("ActionsSuppressorWaitPeriod")
    return AlarmState.model_validate(
        {
            "name": one.get("AlarmName", "").removeprefix(prefix),
            "state": one.get("StateValue"),
            "wakes": not waking.isdisjoint(actions),
            "tells": bool(actions),
            "since": since,
            "tells_at": since + timedelta(seconds=wait) if since and wait is not None else None,
            "description": one.get("AlarmDescription", ""),
            "reason": one.get("StateReason", ""),
        }
    )


def _order(one: AlarmState) -> tuple[int, bool, bool, str]:
    """Of what rings, what wakes people stands first."""
    rank = ("ALARM", "INSUFFICIENT_DATA", "OK").index(one.state)
    return (rank, not (one.rings and one.wakes), not one.rings, one.name)


class Critical:
    """The alarms that wake people, asked again and again within a short time each."""

    def __init__(self, stack: Stack, *, seconds: float = 5) -> None:
        from operations.aws import Aws

        self._stack = stack
        self._aws = Aws(stack, seconds=seconds, attempts=1)

    def states(self) -> dict[str, Alarming] | None:
        """By name; None where CloudWatch can't be asked just now."""
        try:
            return {one.name: one.state for one in alarms(self._stack, self._aws).alarms if one.wakes}
        except OperationError:
            return None
