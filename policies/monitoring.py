"""Alarms that can ring and are heard; notifications and logs that are kept as they should be."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyResource,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)

from policies.configuration import ENVIRONMENT, stack_config
from policies.functions import released
from policies.probe import asked

METRIC_ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
COMPOSITE_ALARM = "aws:cloudwatch/compositeAlarm:CompositeAlarm"
METRIC_FILTER = "aws:cloudwatch/logMetricFilter:LogMetricFilter"
TOPIC = "aws:sns/topic:Topic"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
MISSING_DATA = ("breaching", "ignore", "missing", "notBreaching")
# Expressions that read metrics by themselves, past the queries that this rule can see.
_READS_METRICS = re.compile(r"\b(SEARCH|SELECT)\b", re.IGNORECASE)

PUBLISHED: Mapping[str, Any] = yaml.safe_load(Path(__file__).with_name("published_metrics.yaml").read_text())


def has_action(args: StackValidationArgs, report_violation: ReportViolation) -> None:
    alarms = [one for one in args.resources if one.resource_type in (METRIC_ALARM, COMPOSITE_ALARM)]
    rules = [one.props.get("alarmRule") or "" for one in alarms if one.props.get("alarmActions")]
    for alarm in alarms:
        name = alarm.props.get("alarmName" if alarm.resource_type == COMPOSITE_ALARM else "name")
        spoken_for = name and any(f'("{name}")' in rule for rule in rules)
        never_rings = alarm.props.get("alarmRule") == "FALSE"
        if not alarm.props.get("alarmActions") and not spoken_for and not never_rings:
            report_violation(
                f"{alarm.name}: `alarmActions` is empty and no composite alarm speaks for it: nobody hears it; "
                "name a topic",
                alarm.urn,
            )
        if alarm.props.get("actionsEnabled") is False:
            report_violation(f"{alarm.name}: `actionsEnabled` is false: nobody hears it; remove it", alarm.urn)


def missing_data(args: ResourceValidationArgs, report_violation: ReportViolation) -> None:
    if args.resource_type != METRIC_ALARM:
        args.not_applicable("no metric alarm")
    filled_in = args.props.get("__defaults") or ()  # what the provider says where the program says nothing
    if "treatMissingData" in filled_in or args.props.get("treatMissingData") not in MISSING_DATA:
        report_violation(
            f"{args.name}: `treatMissingData` doesn't say what silence means; write out one of "
            f"{', '.join(MISSING_DATA)}",
            None,
        )


@dataclass(frozen=True, kw_only=True)
class Watched:
    """One time series that an alarm reads."""

    where: str
    namespace: str
    name: str
    dimensions: Mapping[str, str]


def watched(props: Mapping[str, Any]) -> Iterator[Watched]:
    queries: Sequence[Any] = props.get("metricQueries") or ()
    places = [("metricQueries", queries[i].get("metric")) for i in range(len(queries))]
    if props.get("metricName"):
        places.append(("metricName", props))
    for where, metric in places:
        if metric:
            dimensions = metric.get("dimensions") or {}
            yield Watched(
                where=where,
                namespace=metric.get("namespace") or "",
                name=metric.get("metricName") or "",
                dimensions={key: dimensions[key] for key in dimensions},
            )


def unpublished(series: Watched, resources: Sequence[PolicyResource]) -> str | None:
    """Why nothing publishes it, if nothing does."""
    own: Mapping[str, Sequence[str]] = PUBLISHED["functions"]["namespaces"]
    if series.name in own.get(series.namespace, ()):
        values = {"Environment": {stack_config().get(ENVIRONMENT)}, "Function": set(released(resources))}
        return _misnamed(series, "the functions publish", PUBLISHED["functions"]["dimensions"], values)
    probe: Mapping[str, Any] = PUBLISHED["probe"]
    probes: Mapping[str, Any] = probe["namespaces"].get(series.namespace, {})
    if series.name in probes.get("metrics", ()):
        functions = asked(resources, probe["handler"], stack_config().get(ENVIRONMENT))
        if functions is None:
            return "the stack has no probe that a schedule calls (function, rule, target, permission)"
        values = {"Environment": {stack_config().get(ENVIRONMENT)}, "Endpoint": {*probe["endpoints"], *functions}}
        return _misnamed(series, "the probe publishes", probes["dimensions"], values)
    aws: Mapping[str, Any] = PUBLISHED["aws"].get(series.namespace, {})
    types = {resource.resource_type for resource in resources}
    if series.name in aws.get("metrics", ()):
        return None if aws["resource"] in types else f"AWS publishes it for {aws['resource']}, and the stack has none"
    filters = [
        resource.props.get("metricTransformation") for resource in resources if resource.resource_type == METRIC_FILTER
    ]
    if any(each and (each.get("namespace"), each.get("name")) == (series.namespace, series.name) for each in filters):
        return None
    return "nothing in policies/published_metrics.yaml publishes it"


def _misnamed(
    series: Watched, publisher: str, dimensions: Sequence[str], values: Mapping[str, Collection[str | None]]
) -> str | None:
    if set(series.dimensions) != set(dimensions):
        return f"{publisher} it by {' and '.join(dimensions)}"
    wrong = [f"{key} {value}" for key, value in sorted(series.dimensions.items()) if value not in values[key]]
    return f"the stack has no {' and no '.join(wrong)}" if wrong else None


def metric_published(args: StackValidationArgs, report_violation: ReportViolation) -> None:
    for alarm in args.resources:
        if alarm.resource_type != METRIC_ALARM:
            continue
        found = list(watched(alarm.props))
        if not found:
            report_violation(f"{alarm.name}: it watches no metric; name one", alarm.urn)
        for series in found:
            if why := unpublished(series, args.resources):
                report_violation(
                    f"{alarm.name}: `{series.where}` is {series.namespace} {series.name}, which never comes: {why}; "
                    "watch a metric that is published",
                    alarm.urn,
                )
        queries: Sequence[Any] = alarm.props.get("metricQueries") or ()
        for query in (queries[index] for index in range(len(queries))):
            if _READS_METRICS.search(query.get("expression") or ""):
                report_violation(
                    f"{alarm.name}: `metricQueries` has an expression that reads metrics by itself; give each a query",
                    alarm.urn,
                )


def topic_encrypted(args: ResourceValidationArgs, report_violation: ReportViolation) -> None:
    if args.resource_type != TOPIC:
        args.not_applicable("no topic")
    if not args.props.get("kmsMasterKeyId"):
        report_violation(f"{args.name}: `kmsMasterKeyId` is missing; name a key by its alias", None)


def log_retention(args: ResourceValidationArgs, report_violation: ReportViolation) -> None:
    if args.resource_type != LOG_GROUP:
        args.not_applicable("no log group")
    if not args.props.get("retentionInDays"):
        report_violation(f"{args.name}: `retentionInDays` is missing or 0: it keeps for ever; write out the days", None)


POLICIES: list[Policy] = [
    StackValidationPolicy(
        name="alarm-has-action",
        description="Somebody hears of every alarm, from itself or from a composite alarm that it is part of.",
        validate=has_action,
        enforcement_level=EnforcementLevel.MANDATORY,
    ),
    ResourceValidationPolicy(
        name="alarm-missing-data",
        description="Every alarm says what a period without data means.",
        validate=missing_data,
        enforcement_level=EnforcementLevel.MANDATORY,
    ),
    StackValidationPolicy(
        name="alarm-metric-published",
        description="Every alarm watches metrics that something in the stack publishes.",
        validate=metric_published,
        enforcement_level=EnforcementLevel.MANDATORY,
    ),
    ResourceValidationPolicy(
        name="sns-topic-encrypted",
        description="Topics are encrypted at rest.",
        validate=topic_encrypted,
        enforcement_level=EnforcementLevel.MANDATORY,
    ),
    ResourceValidationPolicy(
        name="log-group-retention",
        description="Log groups end: no log is kept for ever.",
        validate=log_retention,
        enforcement_level=EnforcementLevel.MANDATORY,
    ),
]
