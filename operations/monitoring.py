"""Whether monitoring would tell: everything stands as it was deployed, data arrives, and somebody hears (O2, K2).

An alarm on a metric that nobody publishes, or a topic whose reader never confirmed, looks well until it is needed.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from operations.aws import Aws, AwsError, explained
from operations.drift import moved, short
from operations.engine import Engine
from operations.environment import RUNS_THE_ENGINE
from operations.errors import OperationError
from operations.health import Check, HealthReport, Status, worst
from operations.stack import Stack
from operations.state import Recorded, State, read_state
from probe.data import LATENCY_CHANGE

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.type_defs import MetricDataQueryTypeDef

NEEDS = ("AWS", *RUNS_THE_ENGINE)
METRIC_ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
COMPOSITE_ALARM = "aws:cloudwatch/compositeAlarm:CompositeAlarm"
TOPIC = "aws:sns/topic:Topic"
ALARMS = (METRIC_ALARM, COMPOSITE_ALARM)
# What tells, and what measures, by the part's name in the report.
PARTS: Mapping[str, tuple[str, ...]] = {
    "alarms": ALARMS,
    "topics": (TOPIC, "aws:sns/topicPolicy:TopicPolicy", "aws:sns/topicSubscription:TopicSubscription"),
    "probe": ("aws:lambda/function:Function", "aws:lambda/permission:Permission"),
    # The probe's schedule, and what tells of calls that touch keys and alarms.
    "rules": ("aws:cloudwatch/eventRule:EventRule", "aws:cloudwatch/eventTarget:EventTarget"),
}
RECENT = timedelta(minutes=10)
MINUTE = timedelta(minutes=1)  # that isn't over yet counts
KMS = "kms.amazonaws.com"
MOST_QUERIES = 500  # in one call of GetMetricData


@dataclass(frozen=True, kw_only=True, order=True)
class Series:
    """A metric that an alarm reads."""

    namespace: str
    metric: str
    dimensions: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        of = ", ".join(value for name, value in self.dimensions if name != "Environment")
        return f"{self.namespace} {self.metric}{of and f' of {of}'}"

    @classmethod
    def of(cls, metric: Mapping[str, Any]) -> "Series":
        dimensions: Mapping[str, str] = metric.get("dimensions") or {}
        return cls(
            namespace=metric["namespace"], metric=metric["metricName"], dimensions=tuple(sorted(dimensions.items()))
        )


def check(stack: Stack) -> HealthReport:
    """Ask the engine, CloudWatch and SNS. Changes nothing.

    Raises: OperationError where nothing is deployed, or AWS or the engine can't be asked.
    """
    start, now = time.monotonic(), datetime.now(UTC)
    engine = Engine(stack)
    state = read_state(engine)
    if not any(one.type in ALARMS for one in state.resources):
        raise OperationError(f"no alarm is deployed in {stack.name}", f"./pf deploy{stack.command}")
    try:
        aws = Aws(stack)
        checks = [
            *_standing(stack, state, moved(engine)),
            *_readers(aws, state, f"./pf deploy{stack.command}"),
            *_data(aws, state, now),
            _trail(aws, stack.settings.aws_region),
        ]
    except AwsError as error:
        raise explained(error, stack, "asking for the monitoring") from error
    return HealthReport(
        stack=stack.name,
        environment=stack.settings.environment,
        status=worst(one.status for one in checks),
        checked_at=now,
        seconds=round(time.monotonic() - start, 3),
        checks=checks,
    )


def _standing(stack: Stack, state: State, changed: Sequence[str]) -> list[Check]:
    found: list[Check] = []
    for part, types in PARTS.items():
        there = [one for one in state.resources if one.type in types]
        wrong = [short(one.urn) for one in there if one.urn in changed]
        if wrong:
            detail = f"gone or changed by hand: {', '.join(wrong)}: ./pf deploy{stack.command}"
            found.append(Check(name=part, status=Status.DOWN, detail=detail))
        elif there:
            detail = f"all {len(there)} stand as they were deployed"
            found.append(Check(name=part, status=Status.HEALTHY, detail=detail))
    return found


def _readers(aws: Aws, state: State, then: str) -> list[Check]:
    found: list[Check] = []
    for topic in (one for one in state.resources if one.type == TOPIC):
        pages = aws.sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic.outputs["arn"])
        ways = [one for page in pages for one in page["Subscriptions"]]
        waiting = [one.get("Endpoint", "") for one in ways if not one.get("SubscriptionArn", "").startswith("arn:")]
        name = str(topic.inputs["name"])
        if not ways:
            detail = f"nobody is subscribed: name somebody in parker-flight:escalation, then {then}"
            found.append(Check(name=name, status=Status.DOWN, detail=detail))
        elif waiting:
            nobody = len(waiting) == len(ways)
            detail = f"not confirmed by {', '.join(waiting)}: each has a mail from AWS with a link"
            found.append(Check(name=name, status=Status.DOWN if nobody else Status.DEGRADED, detail=detail))
        else:
            reached = ", ".join(f"{one.get('Protocol')} {one.get('Endpoint')}" for one in ways)
            found.append(Check(name=name, status=Status.HEALTHY, detail=f"reaches {reached}"))
    return found


def _trail(aws: Aws, region: str) -> Check:
    """EventBridge hears of AWS's calls only while a trail logs management events, and of those on keys only if it
    doesn't leave KMS out (both are boxes to tick in its console). What a trail of another region leaves out only that
    region says.
    """
    silent: list[str] = []
    for trail in aws.cloudtrail.describe_trails()["trailList"]:
        arn, name = str(trail["TrailARN"]), str(trail["Name"])
        if not aws.cloudtrail.get_trail_status(Name=arn)["IsLogging"]:
            silent.append(f"{name} is switched off")
        elif trail.get("HomeRegion") == region and (why := _leaves_out(aws, arn)):
            silent.append(f"{name} {why}")
        else:
            return Check(name="trail", status=Status.HEALTHY, detail=f"{name} logs calls, rules hear of them")
    detail = "; ".join(silent) or "the account has none"
    advice = "make one that logs management events, KMS's too: until then no rule hears of a key that is touched"
    return Check(name="trail", status=Status.DOWN, detail=f"{detail}: {advice}")


def _leaves_out(aws: Aws, trail: str) -> str:
    answer = aws.cloudtrail.get_event_selectors(TrailName=trail)
    if advanced := answer.get("AdvancedEventSelectors"):
        return _advanced_leave_out([{one["Field"]: one for one in each["FieldSelectors"]} for each in advanced])
    selectors = answer.get("EventSelectors") or ()
    if not selectors:
        return ""
    logged = [one for one in selectors if one.get("IncludeManagementEvents") and one.get("ReadWriteType") != "ReadOnly"]
    if not logged:
        return "logs no management events that write"
    if all(KMS in one.get("ExcludeManagementEventSources", ()) for one in logged):
        return "leaves KMS out"
    return ""


def _advanced_leave_out(selectors: Sequence[Mapping[str, Mapping[str, Any]]]) -> str:
    """Each by field. They are the ones that the console makes."""
    logged = [
        one
        for one in selectors
        if "Management" in one["eventCategory"].get("Equals", ()) and one.get("readOnly", {}).get("Equals") != ["true"]
    ]
    if not logged:
        return "logs no management events that write"
    left_out: set[str] = set()
    for one in logged:
        source = one.get("eventSource", {})
        if one.keys() - {"eventCategory", "readOnly", "eventSource"} or source.keys() - {"Field", "NotEquals"}:
            left_out.add("logs some services or calls only")
        elif KMS in source.get("NotEquals", ()):
            left_out.add("leaves KMS out")
        else:
            return ""
    return " and ".join(sorted(left_out))


def _data(aws: Aws, state: State, now: datetime) -> list[Check]:
    read = sorted({one for one in _series(state.resources) if one.metric != LATENCY_CHANGE})
    silent = _silent(aws, read, now)
    minutes = int(RECENT.total_seconds() // 60)
    if not silent:
        detail = f"all {len(read)} metrics that alarms read had data in the last {minutes} minutes"
        return [Check(name="metrics", status=Status.HEALTHY, detail=detail)]
    return [
        Check(name=f"metric {one}", status=Status.DEGRADED, detail=f"no data in the last {minutes} minutes")
        for one in silent
    ]


def _series(resources: Iterable[Recorded]) -> Iterable[Series]:
    for alarm in (one for one in resources if one.type == METRIC_ALARM):
        queries: Sequence[Mapping[str, Any]] = alarm.inputs.get("metricQueries") or ()
        yield from (Series.of(query["metric"]) for query in queries if query.get("metric"))
        if alarm.inputs.get("metricName"):
            yield Series.of(alarm.inputs)


def _silent(aws: Aws, read: Sequence[Series], now: datetime) -> list[Series]:
    silent: list[Series] = []
    for first in range(0, len(read), MOST_QUERIES):
        part = {f"m{number}": one for number, one in enumerate(read[first : first + MOST_QUERIES])}
        answer = aws.cloudwatch.get_paginator("get_metric_data").paginate(
            MetricDataQueries=[_query(name, one) for name, one in part.items()],
            StartTime=now - RECENT,
            EndTime=now + MINUTE,
        )
        heard = {one.get("Id") for page in answer for one in page["MetricDataResults"] if one.get("Values")}
        silent += [one for name, one in part.items() if name not in heard]
    return silent


def _query(name: str, series: Series) -> "MetricDataQueryTypeDef":
    return {
        "Id": name,
        "MetricStat": {
            "Metric": {
                "Namespace": series.namespace,
                "MetricName": series.metric,
                "Dimensions": [{"Name": key, "Value": value} for key, value in series.dimensions],
            },
            "Period": 60,
            "Stat": "SampleCount",
        },
    }
