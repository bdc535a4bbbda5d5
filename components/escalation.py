"""What is told further when it still stands after a while (X1-X3), by CloudWatch's own means."""

from collections.abc import Mapping, Sequence

from components.alarm import CompositeAlarm, MetricAlarm
from components.naming import Severity, Topic

MOST_PARTS = 100  # what CloudWatch allows in one rule


def escalations(alarms: Sequence[MetricAlarm | CompositeAlarm], minutes: Mapping[Topic, int]) -> list[CompositeAlarm]:
    """A composite alarm a level: it rings with any of its alarms, and tells the next level after `minutes`.

    Alarms on an error budget have one of their own. They ring on while their windows remember what is mended: nobody
    is woken for that, and what goes wrong meanwhile isn't hidden behind it.
    """
    return [
        alarm
        for level, after, row in ((Topic.LEVEL_1, Topic.LEVEL_2, "X1"), (Topic.LEVEL_2, Topic.LEVEL_3, "X2"))
        for alarm in _of_level([alarm for alarm in alarms if alarm.tells is level], level, after, row, minutes[level])
    ]


def _of_level(
    told: Sequence[MetricAlarm | CompositeAlarm], level: Topic, after: Topic, row: str, minutes: int
) -> list[CompositeAlarm]:
    if len(told) > MOST_PARTS:
        raise ValueError(f"{len(told)} alarms tell {level}; CloudWatch takes {MOST_PARTS} in one rule")
    return [
        CompositeAlarm(
            what=f"{level}-budget-unresolved" if remembered else f"{level}-unresolved",
            rows=row,
            problem=_problem(level, minutes, remembered // 60),
            severity=Severity.CRITICAL,
            tells=after,
            runbook="docs/runbook.md#escalation",
            any_of=[[alarm.what] for alarm in told if _remembered(alarm) == remembered],
            wait_seconds=60 * minutes + remembered,
        )
        for remembered in sorted({_remembered(alarm) for alarm in told})
    ]


def _remembered(alarm: MetricAlarm | CompositeAlarm) -> int:
    return alarm.remembers_seconds if isinstance(alarm, CompositeAlarm) else 0


def _problem(level: Topic, minutes: int, remembered: int) -> str:
    if not remembered:
        return f"What {level} was told of still stands after {minutes} minutes."
    return (
        f"The error budget that {level} was told of still burns {minutes} minutes after the {remembered} in which its "
        "alarm may go on ringing over what is mended."
    )
