"""What an alarm is: what is wrong, how bad, what to do (a heading of the runbook), who hears, what silence means."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import pulumi_aws as aws

from components.naming import Severity, Topic

RUNBOOK = re.compile(r"docs/runbook\.md#[a-z0-9-]+")
JUDGED = "judged"  # the id of the expression that the threshold is held against
HIGH_RESOLUTION = (10, 30)  # seconds: an alarm with such a period is evaluated every ten seconds
DAY, WEEK = 86400, 7 * 86400


class MissingData(StrEnum):
    """What a period without a data point means; CloudWatch's own default hides a dead publisher."""

    IS_FINE = "notBreaching"
    IS_THE_PROBLEM = "breaching"
    SAYS_NOTHING = "ignore"  # what was known stands: "missing" would end a page, and tell that all is well, by silence


@dataclass(frozen=True, kw_only=True)
class Series:
    """One metric, and the statistic that a period of it is summed up by."""

    namespace: str
    metric: str
    dimensions: Mapping[str, str]
    statistic: str


@dataclass(frozen=True, kw_only=True)
class Measure:
    """What is judged: an expression over `series`, or the one series itself; `breaching` of the last `periods`.

    `period` is in seconds. CloudWatch looks back one day at most, seven days where the period is an hour or more.
    """

    series: Mapping[str, Series]
    expression: str = ""
    period: int
    periods: int
    breaching: int

    def __post_init__(self) -> None:
        if not self.expression and len(self.series) != 1:
            raise ValueError("several series are judged by an expression")
        if not 1 <= self.breaching <= self.periods:
            raise ValueError(f"{self.breaching} of {self.periods} periods can't be")
        longest = WEEK if self.period >= 3600 else DAY
        if self.period * self.periods > longest:
            raise ValueError(f"{self.period * self.periods} s is further back than CloudWatch looks ({longest} s)")

    @property
    def queries(self) -> list[aws.cloudwatch.MetricAlarmMetricQueryArgs]:
        made = [
            aws.cloudwatch.MetricAlarmMetricQueryArgs(
                id=name,
                metric=aws.cloudwatch.MetricAlarmMetricQueryMetricArgs(
                    namespace=one.namespace,
                    metric_name=one.metric,
                    dimensions=one.dimensions,
                    period=self.period,
                    stat=one.statistic,
                ),
                return_data=not self.expression,
            )
            for name, one in self.series.items()
        ]
        if not self.expression:
            return made
        judged = aws.cloudwatch.MetricAlarmMetricQueryArgs(id=JUDGED, expression=self.expression, return_data=True)
        return [judged, *made]


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What somebody is told of; `rows` are those of docs/requirements.md that it answers.

    `runbook` is `docs/runbook.md#` with one of its headings.
    """

    what: str
    rows: str
    problem: str
    severity: Severity
    runbook: str

    def __post_init__(self) -> None:
        if not RUNBOOK.fullmatch(self.runbook):
            raise ValueError(f"{self.what}: {self.runbook!r} is no heading of docs/runbook.md")

    @property
    def heading(self) -> str:
        return self.runbook.partition("#")[2]

    def advice(self, runbook_url: str) -> str:
        """What every message about it says after what is wrong: the rest of that line, and one more."""
        return f"Severity: {self.severity}.\nWhat to do: {runbook_url}#{self.heading}"


@dataclass(frozen=True, kw_only=True)
class MetricAlarm(Problem):
    """`tells` nobody where a composite alarm speaks for it."""

    tells: Topic | None
    measure: Measure
    missing_data: MissingData
    above: float | None = None
    below: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.above is None) == (self.below is None):
            raise ValueError(f"{self.what}: give either `above` or `below`")


@dataclass(frozen=True, kw_only=True)
class CompositeAlarm(Problem):
    """Rings while all alarms of any one group ring.

    With `wait_seconds` it tells of that only when it has lasted so long, and never of its end.
    """

    tells: Topic
    any_of: Sequence[Sequence[str]]
    wait_seconds: int = 0
    remembers_seconds: int = 0  # how long it may go on ringing after what it tells of is over

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.any_of or not all(self.any_of):
            raise ValueError(f"{self.what}: names no alarm to ring with")

    @property
    def parts(self) -> list[str]:
        """The alarms that it is made of."""
        return list(dict.fromkeys(name for group in self.any_of for name in group))
