"""What is told further when it still stands after a while (X1-X3), by CloudWatch's own means."""

from collections.abc import Mapping, Sequence

from components.alarm import CompositeAlarm, MetricAlarm
from components.naming import Severity, Topic

MOST_PARTS = 100  # what CloudWatch allows in one rule


def escalations(alarms: Sequence[MetricAlarm | CompositeAlarm], minutes: Mapping[Topic, int]) -> list[CompositeAlarm]:
    """One composite alarm a level: it rings with any of its alarms, and tells the next level after `minutes`."""
    made: list[CompositeAlarm] = []
    for level, after, row in ((Topic.LEVEL_1, Topic.LEVEL_2, "X1"), (Topic.LEVEL_2, Topic.LEVEL_3, "X2")):
        told = [alarm.what for alarm in alarms if alarm.tells is level]
        if len(told) > MOST_PARTS:
            raise ValueError(f"{len(told)} alarms tell {level}; CloudWatch takes {MOST_PARTS} in one rule")
        if told:
            made.append(
                CompositeAlarm(
                    what=f"{level}-unresolved",
                    rows=row,
                    problem=f"What {level} was told of still stands after {minutes[level]} minutes.",
                    severity=Severity.CRITICAL,
                    tells=after,
                    runbook="docs/runbook.md#escalation",
                    any_of=[[what] for what in told],
                    wait_seconds=60 * minutes[level],
                )
            )
    return made
