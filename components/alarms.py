"""Alarms: each says what is wrong, how bad, what to do (a heading of the runbook), who hears, what silence means.

Only metrics that the functions publish are watched: an alarm on anything else never rings.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import pulumi
import pulumi_aws as aws

from components.naming import METRICS_FUNCTIONS, METRICS_KMS, Severity, Site

RUNBOOK = re.compile(r"docs/runbook\.md#[a-z0-9-]+")
FAILING_PERCENT = 5.0  # M4, M6
MINIMUM_CALLS = 20  # below this a rate says nothing: one failure in three calls at night wakes nobody


class MissingData(StrEnum):
    """What a period without a data point means; CloudWatch's own default hides a dead publisher."""

    IS_FINE = "notBreaching"
    IS_THE_PROBLEM = "breaching"


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One time series for an alarm to judge, over `window_seconds`, `windows` times in a row."""

    queries: Sequence[aws.cloudwatch.MetricAlarmMetricQueryArgs]
    window_seconds: int
    windows: int


@dataclass(frozen=True, kw_only=True)
class AlarmArgs:
    site: Site
    what: str
    problem: str
    severity: Severity
    runbook: str
    measure: Measure
    missing_data: MissingData
    above: float | None = None
    below: float | None = None

    def __post_init__(self) -> None:
        if not RUNBOOK.fullmatch(self.runbook):
            raise ValueError(f"{self.what}: {self.runbook!r} is no heading of docs/runbook.md")
        if (self.above is None) == (self.below is None):
            raise ValueError(f"{self.what}: give either `above` or `below`")


class Alarm(pulumi.ComponentResource):
    """A metric alarm that calls the topic of its severity when it rings and when it stops."""

    arn: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        args: AlarmArgs,
        topic_arns: Mapping[Severity, pulumi.Input[str]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("parkerflight:cloudwatch:Alarm", name, None, opts)
        topic = topic_arns[args.severity]
        alarm = aws.cloudwatch.MetricAlarm(
            name,
            name=args.site.alarm(args.what),
            alarm_description=f"{args.problem} Severity: {args.severity}. What to do: {args.runbook}",
            comparison_operator="GreaterThanThreshold" if args.above is not None else "LessThanThreshold",
            threshold=args.above if args.above is not None else args.below,
            evaluation_periods=args.measure.windows,
            datapoints_to_alarm=args.measure.windows,
            metric_queries=args.measure.queries,
            treat_missing_data=args.missing_data,
            alarm_actions=[topic],
            ok_actions=[topic],
            tags={**args.site.tags, "Severity": args.severity, "Runbook": args.runbook},
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.arn = alarm.arn
        self.register_outputs({"arn": self.arn})


def _sum(
    query_id: str, namespace: str, metric: str, dimensions: Mapping[str, str], seconds: int, *, judged: bool
) -> aws.cloudwatch.MetricAlarmMetricQueryArgs:
    return aws.cloudwatch.MetricAlarmMetricQueryArgs(
        id=query_id,
        metric=aws.cloudwatch.MetricAlarmMetricQueryMetricArgs(
            namespace=namespace, metric_name=metric, dimensions=dimensions, period=seconds, stat="Sum"
        ),
        return_data=judged,
    )


def percentage(namespace: str, part: str, whole: str, dimensions: Mapping[str, str]) -> Measure:
    """`part` as a percentage of `whole`, two minutes in a row; zero while there is too little traffic to judge."""
    seconds = 60
    return Measure(
        queries=[
            aws.cloudwatch.MetricAlarmMetricQueryArgs(
                id="percentage",
                expression=f"IF(whole >= {MINIMUM_CALLS}, 100 * FILL(part, 0) / whole, 0)",
                label=f"{part} of {whole} in percent",
                return_data=True,
            ),
            _sum("part", namespace, part, dimensions, seconds, judged=False),
            _sum("whole", namespace, whole, dimensions, seconds, judged=False),
        ],
        window_seconds=seconds,
        windows=2,
    )


def hourly_count(namespace: str, metric: str, dimensions: Mapping[str, str]) -> Measure:
    """How often in each of four quarters of an hour."""
    seconds = 900
    return Measure(
        queries=[_sum("count", namespace, metric, dimensions, seconds, judged=True)], window_seconds=seconds, windows=4
    )


def function_alarms(site: Site, function: str) -> list[AlarmArgs]:
    """The first alarms of one edge function."""
    dimensions = {"Environment": site.environment, "Function": function}
    return [
        AlarmArgs(
            site=site,
            what=f"{function}-kms-failures",
            problem=f"More than {FAILING_PERCENT:g} % of the KMS calls of {function} fail: nothing can be encrypted.",
            severity=Severity.CRITICAL,
            runbook="docs/runbook.md#kms-operations-fail",
            measure=percentage(METRICS_KMS, "Failures", "Operations", dimensions),
            above=FAILING_PERCENT,
            missing_data=MissingData.IS_FINE,  # no call, no failure; `silent` tells a dead publisher
        ),
        AlarmArgs(
            site=site,
            what=f"{function}-errors",
            problem=f"More than {FAILING_PERCENT:g} % of the requests to {function} end in a server error.",
            severity=Severity.CRITICAL,
            runbook="docs/runbook.md#a-function-answers-with-errors",
            measure=percentage(METRICS_FUNCTIONS, "Errors", "Requests", dimensions),
            above=FAILING_PERCENT,
            missing_data=MissingData.IS_FINE,
        ),
        AlarmArgs(
            site=site,
            what=f"{function}-silent",
            problem=f"{function} reported no request for an hour: it is down, or can't publish metrics.",
            severity=Severity.WARNING,
            runbook="docs/runbook.md#a-function-is-silent",
            measure=hourly_count(METRICS_FUNCTIONS, "Requests", dimensions),
            below=1,
            missing_data=MissingData.IS_THE_PROBLEM,
        ),
    ]
