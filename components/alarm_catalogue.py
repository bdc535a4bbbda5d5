"""Every alarm of a stack, by the requirement that it answers. docs/alarms.md shows them as a table.

Only metrics that something of the stack publishes are watched: an alarm on anything else never rings.
"""

from collections.abc import Mapping, Sequence

from components.alarm import CompositeAlarm, Measure, MetricAlarm, MissingData, Series
from components.escalation import escalations
from components.naming import METRICS_FUNCTIONS, METRICS_KMS, Severity, Site, Topic
from components.objectives import objectives
from probe.data import ACCESS, DATABASE, LATENCY_CHANGE, METRICS, NAMESPACE, REST

FAILING_PERCENT = 5.0  # M4, M6
ERROR_PERCENT = 1.0  # M2
TARGET_MS = 100.0  # M1, L2
SLOW_MS = 2000.0  # M7
KMS_TARGET_MS = 50.0  # L9
RESOURCE_PERCENT = 80.0  # M7
CONNECTIONS = 80.0  # M5
REQUESTS_PER_SECOND = 25.0  # M3
SLOWER_PERCENT = 50.0  # M8, than the same hour a week before
KEY_DAYS = 90.0  # the age at which CIS's benchmark for AWS wants an access key replaced

QUICK, HALF, MINUTE, HOUR = 10, 30, 60, 3600  # seconds
# Below these a rate says nothing: one failure in three calls at night wakes nobody. So many that a single failure isn't
# above 5 % of ten seconds, nor above 1 % of a minute. The probe's own calls stay below.
CALLS = {QUICK: 20, HALF: 50, MINUTE: 100}


def _function(site: Site, function: str, namespace: str, metric: str, statistic: str) -> Series:
    dimensions = {"Environment": site.environment, "Function": function}
    return Series(namespace=namespace, metric=metric, dimensions=dimensions, statistic=statistic)


def _probe(site: Site, endpoint: str, metric: str, statistic: str) -> Series:
    dimensions = {"Environment": site.environment, "Endpoint": endpoint}
    return Series(namespace=NAMESPACE, metric=metric, dimensions=dimensions, statistic=statistic)


def _database(site: Site, metric: str, statistic: str) -> Series:
    dimensions = {"Environment": site.environment}
    return Series(namespace=DATABASE, metric=metric, dimensions=dimensions, statistic=statistic)


def percentage(part: Series, whole: Series, *, period: int, periods: int, breaching: int) -> Measure:
    """`part` as a percentage of `whole`; zero while there is too little traffic to judge."""
    return Measure(
        series={"part": part, "whole": whole},
        expression=f"IF(whole >= {CALLS[period]}, 100 * FILL(part, 0) / whole, 0)",
        period=period,
        periods=periods,
        breaching=breaching,
    )


def with_traffic(value: Series, calls: Series, *, periods: int, breaching: int) -> Measure:
    """`value` of each minute; zero while there is too little traffic to judge."""
    return Measure(
        series={"value": value, "calls": calls},
        expression=f"IF(calls >= {CALLS[MINUTE]}, value, 0)",
        period=MINUTE,
        periods=periods,
        breaching=breaching,
    )


def function_alarms(site: Site, function: str) -> list[MetricAlarm]:
    requests = _function(site, function, METRICS_FUNCTIONS, "Requests", "Sum")
    errors = _function(site, function, METRICS_FUNCTIONS, "Errors", "Sum")
    latency = _function(site, function, METRICS_FUNCTIONS, "Latency", "p95")
    operations = _function(site, function, METRICS_KMS, "Operations", "Sum")
    failures = _function(site, function, METRICS_KMS, "Failures", "Sum")
    kms_latency = _function(site, function, METRICS_KMS, "Latency", "p95")
    return [
        MetricAlarm(
            what=f"{function}-errors",
            rows="M6",
            problem=f"More than {FAILING_PERCENT:g} % of the requests to {function} end in a server error.",
            severity=Severity.CRITICAL,
            tells=Topic.LEVEL_1,
            runbook="docs/runbook.md#a-function-answers-with-errors",
            measure=percentage(errors, requests, period=QUICK, periods=10, breaching=3),
            above=FAILING_PERCENT,
            missing_data=MissingData.IS_FINE,  # no request, no error; `down` and `unpublished` tell the rest
        ),
        MetricAlarm(
            what=f"{function}-error-rate",
            rows="M2",
            problem=f"More than {ERROR_PERCENT:g} % of the requests to {function} end in a server error.",
            severity=Severity.WARNING,
            tells=Topic.WARNING,
            runbook="docs/runbook.md#a-function-answers-with-errors",
            measure=percentage(errors, requests, period=MINUTE, periods=5, breaching=3),
            above=ERROR_PERCENT,
            missing_data=MissingData.IS_FINE,
        ),
        MetricAlarm(
            what=f"{function}-kms-failures",
            rows="M4, M6",
            problem=f"More than {FAILING_PERCENT:g} % of the KMS calls of {function} fail: nothing can be encrypted.",
            severity=Severity.CRITICAL,
            tells=Topic.LEVEL_2,
            runbook="docs/runbook.md#kms-operations-fail",
            measure=percentage(failures, operations, period=QUICK, periods=10, breaching=3),
            above=FAILING_PERCENT,
            missing_data=MissingData.IS_FINE,  # no call, no failure
        ),
        MetricAlarm(
            what=f"{function}-kms-latency",
            rows="L9",
            problem=f"One KMS call in twenty of {function} takes over {KMS_TARGET_MS:g} ms.",
            severity=Severity.WARNING,
            tells=Topic.WARNING,
            runbook="docs/runbook.md#answers-are-slow",
            measure=with_traffic(kms_latency, operations, periods=5, breaching=3),
            above=KMS_TARGET_MS,
            missing_data=MissingData.IS_FINE,
        ),
        MetricAlarm(
            what=f"{function}-latency",
            rows="M1, L2",
            problem=f"One answer in twenty of {function} takes over {TARGET_MS:g} ms.",
            severity=Severity.WARNING,
            tells=Topic.WARNING,
            runbook="docs/runbook.md#answers-are-slow",
            measure=with_traffic(latency, requests, periods=5, breaching=3),
            above=TARGET_MS,
            missing_data=MissingData.IS_FINE,
        ),
        MetricAlarm(
            what=f"{function}-slow",
            rows="M7",
            problem=f"{function} takes over {SLOW_MS / 1000:g} s to answer, its users or the probe.",
            severity=Severity.WARNING,
            tells=Topic.WARNING,
            runbook="docs/runbook.md#answers-are-slow",
            measure=Measure(
                series={
                    "users": latency,
                    "calls": requests,
                    "probe": _probe(site, function, "Latency", "Average"),
                },
                expression=f"MAX([IF(calls >= {CALLS[HALF]}, users, 0), probe])",
                period=HALF,
                periods=3,
                breaching=2,
            ),
            above=SLOW_MS,
            missing_data=MissingData.IS_FINE,
        ),
        MetricAlarm(
            what=f"{function}-down",
            rows="M6",
            problem=f"{function} doesn't answer the probe, or answers wrong: nobody is served.",
            severity=Severity.CRITICAL,
            tells=Topic.LEVEL_2,
            runbook="docs/runbook.md#a-function-is-down",
            measure=_unavailable(site, function),
            below=1,
            missing_data=MissingData.SAYS_NOTHING,  # about the function; `probe-silent` tells
        ),
        MetricAlarm(
            what=f"{function}-unpublished",
            rows="K2",
            problem=f"{function} serves the probe and has reported no request for minutes: it can't publish metrics.",
            severity=Severity.WARNING,
            tells=Topic.WARNING,
            runbook="docs/runbook.md#metrics-are-missing",
            measure=Measure(
                series={"calls": requests, "served": _probe(site, function, "Available", "Maximum")},
                expression="IF(served >= 1, FILL(calls, 0), 1)",
                period=MINUTE,
                periods=5,
                breaching=5,
            ),
            below=1,
            missing_data=MissingData.SAYS_NOTHING,
        ),
    ]


def _unavailable(site: Site, endpoint: str) -> Measure:
    """Three probes of four without success: one that fails by itself wakes nobody.

    Not three of three: while a probe waits for what hangs, the newest period has no data yet.
    """
    return Measure(
        series={"available": _probe(site, endpoint, "Available", "Maximum")}, period=QUICK, periods=4, breaching=3
    )


def rest_alarms(site: Site) -> list[MetricAlarm]:
    latency = {"latency": _probe(site, REST, "Latency", "p95")}
    return [
        MetricAlarm(
            what="rest-down",
            rows="M6, X3",
            problem="REST doesn't answer the probe, or answers wrong: the whole product stands still.",
            severity=Severity.CRITICAL,
            tells=Topic.LEVEL_3,
            runbook="docs/runbook.md#rest-is-down",
            measure=_unavailable(site, REST),
            below=1,
            missing_data=MissingData.SAYS_NOTHING,
        ),
        MetricAlarm(
            what="rest-latency",
            rows="M1, L2",
            problem=f"One answer of REST in twenty takes over {TARGET_MS:g} ms.",
            severity=Severity.WARNING,
            tells=Topic.WARNING,
            runbook="docs/runbook.md#answers-are-slow",
            measure=Measure(series=latency, period=300, periods=3, breaching=2),
            above=TARGET_MS,
            missing_data=MissingData.SAYS_NOTHING,
        ),
        MetricAlarm(
            what="rest-slow",
            rows="M7",
            problem=f"REST takes over {SLOW_MS / 1000:g} s to answer.",
            severity=Severity.WARNING,
            tells=Topic.WARNING,
            runbook="docs/runbook.md#answers-are-slow",
            measure=Measure(
                series={"latency": _probe(site, REST, "Latency", "Average")}, period=HALF, periods=3, breaching=2
            ),
            above=SLOW_MS,
            missing_data=MissingData.SAYS_NOTHING,
        ),
    ]


def database_alarms(site: Site) -> list[MetricAlarm]:
    """Out of Supabase's metrics endpoint, which the probe reads once a minute."""
    return [
        MetricAlarm(
            what="database-connections",
            rows="M5",
            problem=f"More than {CONNECTIONS:g} connections to the database are open.",
            severity=Severity.WARNING,
            tells=Topic.WARNING,
            runbook="docs/runbook.md#the-database-is-short-of-something",
            measure=Measure(
                series={"connections": _database(site, "Connections", "Maximum")}, period=HALF, periods=3, breaching=3
            ),
            above=CONNECTIONS,
            missing_data=MissingData.SAYS_NOTHING,
        ),
        MetricAlarm(
            what="database-connections-share",
            rows="M5, M7",
            problem=f"More than {RESOURCE_PERCENT:g} % of the connections that the database allows are open.",
            severity=Severity.WARNING,
            tells=Topic.WARNING,
            runbook="docs/runbook.md#the-database-is-short-of-something",
            measure=Measure(
                series={"share": _database(site, "ConnectionsPercent", "Maximum")},
                period=HALF,
                periods=3,
                breaching=3,
            ),
            above=RESOURCE_PERCENT,
            missing_data=MissingData.SAYS_NOTHING,
        ),
        MetricAlarm(
            what="database-resources",
            rows="M7",
            problem=f"The database uses more than {RESOURCE_PERCENT:g} % of its processor, memory or disk.",
            severity=Severity.WARNING,
            tells=Topic.WARNING,
            runbook="docs/runbook.md#the-database-is-short-of-something",
            measure=Measure(
                series={
                    "cpu": _database(site, "CpuPercent", "Average"),
                    "memory": _database(site, "MemoryPercent", "Average"),
                    "disk": _database(site, "DiskPercent", "Average"),
                },
                expression="MAX([cpu, memory, disk])",
                period=MINUTE,
                periods=10,
                breaching=8,
            ),
            above=RESOURCE_PERCENT,
            missing_data=MissingData.SAYS_NOTHING,
        ),
        MetricAlarm(
            what="database-unwatched",
            rows="K2",
            problem="Supabase's metrics can't be read: connections, processor, memory and disk are not watched.",
            severity=Severity.WARNING,
            tells=Topic.WARNING,
            runbook="docs/runbook.md#metrics-are-missing",
            measure=Measure(
                series={"readable": _probe(site, METRICS, "Available", "Maximum")},
                period=MINUTE,
                periods=5,
                breaching=5,
            ),
            below=1,
            missing_data=MissingData.IS_THE_PROBLEM,
        ),
    ]


def probe_alarms(site: Site) -> list[MetricAlarm]:
    return [
        MetricAlarm(
            what="probe-silent",
            rows="K2, X3",
            problem="The probe reports nothing: whether customers are served isn't known.",
            severity=Severity.CRITICAL,
            tells=Topic.LEVEL_3,
            runbook="docs/runbook.md#the-probe-is-silent",
            measure=Measure(
                # Ninety seconds: one run that is missed costs seventy. Filled, because a period without data that is
                # none counts only once the whole evaluation range has none, which is longer and isn't documented.
                series={"probes": _probe(site, REST, "Available", "SampleCount")},
                expression="FILL(probes, 0)",
                period=30,
                periods=3,
                breaching=3,
            ),
            below=1,
            missing_data=MissingData.IS_THE_PROBLEM,
        )
    ]


def change_alarms(site: Site, endpoint: str) -> list[MetricAlarm]:
    return [
        MetricAlarm(
            what=f"{endpoint}-slower",
            rows="M8",
            problem=f"{endpoint} is more than {SLOWER_PERCENT:g} % slower (p95) than at the same hours a week before.",
            severity=Severity.INFO,
            tells=Topic.INFO,
            runbook="docs/runbook.md#slower-than-last-week",
            measure=Measure(
                series={"change": _probe(site, endpoint, LATENCY_CHANGE, "Maximum")},
                period=HOUR,
                periods=3,
                breaching=2,
            ),
            above=SLOWER_PERCENT,
            missing_data=MissingData.SAYS_NOTHING,  # an hour with too few requests to compare
        )
    ]


def access_alarms(site: Site) -> list[MetricAlarm]:
    age = Series(
        namespace=ACCESS,
        metric="AccessKeyAgeDays",
        dimensions={"Environment": site.environment},
        statistic="Maximum",
    )
    return [
        MetricAlarm(
            what="access-key-old",
            rows="K2",
            problem=f"The functions' access key is older than {KEY_DAYS:g} days.",
            severity=Severity.WARNING,
            tells=Topic.WARNING,
            runbook="docs/runbook.md#the-access-key-is-old",
            measure=Measure(series={"age": age}, period=HOUR, periods=1, breaching=1),
            above=KEY_DAYS,
            missing_data=MissingData.SAYS_NOTHING,  # `probe-silent` and `down` do
        )
    ]


def traffic_alarms(site: Site, functions: Sequence[str]) -> list[MetricAlarm]:
    counted = {
        f"requests{n}": _function(site, function, METRICS_FUNCTIONS, "Requests", "Sum")
        for n, function in enumerate(functions, 1)
    }
    return [
        MetricAlarm(
            what="throughput",
            rows="M3",
            problem=f"In no hour of a day did the functions serve {REQUESTS_PER_SECOND:g} requests a second.",
            severity=Severity.INFO,
            tells=Topic.INFO,
            runbook="docs/runbook.md#little-traffic",
            measure=Measure(
                series=counted,
                expression=f"({' + '.join(counted)}) / {HOUR}",
                period=HOUR,  # of a whole day: every night has less
                periods=24,
                breaching=24,
            ),
            below=REQUESTS_PER_SECOND,
            missing_data=MissingData.SAYS_NOTHING,  # `unpublished` does
        )
    ]


def alarms(
    site: Site, functions: Sequence[str], minutes: Mapping[Topic, int]
) -> tuple[list[MetricAlarm], list[CompositeAlarm]]:
    """All of them. `minutes`: how long each level has before the next is told."""
    slos = objectives(site, functions)
    metrics = [
        *(alarm for function in functions for alarm in function_alarms(site, function)),
        *rest_alarms(site),
        *database_alarms(site),
        *probe_alarms(site),
        *traffic_alarms(site, functions),
        *(alarm for endpoint in (REST, *functions) for alarm in change_alarms(site, endpoint)),
        *access_alarms(site),
        *(alarm for objective in slos for alarm in objective.alarms()),
    ]
    composites = [
        *(alarm for objective in slos for alarm in objective.composites()),
        CompositeAlarm(
            what="functions-down",
            rows="M6, X3",  # more than the sum of its parts
            problem="No function answers the probe: nothing is encrypted, nobody can pay.",
            severity=Severity.CRITICAL,
            tells=Topic.LEVEL_3,
            runbook="docs/runbook.md#a-function-is-down",
            any_of=[[f"{function}-down" for function in functions]],
        ),
    ]
    return metrics, [*composites, *escalations([*metrics, *composites], minutes)]
