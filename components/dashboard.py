"""The stack's CloudWatch dashboard: what customers see, what it stands on, and how much of the error budgets is left.

Widgets are those of CloudWatch's "Dashboard body structure and syntax". Everything in it is known before anything
exists, so a preview shows it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from components.alarm_catalogue import (
    CONNECTIONS,
    ERROR_PERCENT,
    KMS_TARGET_MS,
    RESOURCE_PERCENT,
    TARGET_MS,
    alarms,
)
from components.naming import DEPLOYMENTS, METRICS_FUNCTIONS, METRICS_KMS, METRICS_OPERATIONS, ROLLBACKS, Site, Topic
from components.objectives import BUDGET_PERCENT
from probe.data import DATABASE, NAMESPACE, REST

HALF, WHOLE = 12, 24  # of the grid's columns
ROWS = 6
MINUTE = 60
BUDGET = BUDGET_PERCENT / 100

Metric = list[Any]
Widget = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class DashboardArgs:
    site: Site
    functions: Sequence[str]
    links: Mapping[str, str]  # by what they lead to
    minutes: Mapping[Topic, int]


class Dashboard(pulumi.ComponentResource):
    def __init__(self, name: str, args: DashboardArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("parkerflight:cloudwatch:Dashboard", name, None, opts)
        aws.cloudwatch.Dashboard(
            name,
            dashboard_name=args.site.dashboard,
            dashboard_body=json.dumps(body(args), sort_keys=True),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({"url": args.site.dashboard_url})


def body(args: DashboardArgs) -> dict[str, Any]:
    site, functions = args.site, args.functions
    here = {"Environment": site.environment}
    endpoints = (REST, *functions)

    def of(namespace: str, metric: str, each: str, names: Sequence[str], stat: str) -> list[Metric]:
        return [_metric(namespace, metric, {**here, each: name}, label=name, stat=stat) for name in names]

    graphs = [
        _graph(site, "Requests a minute", of(METRICS_FUNCTIONS, "Requests", "Function", functions, "Sum")),
        _graph(
            site, "Failed requests, %", _rates(METRICS_FUNCTIONS, "Errors", "Requests", here, functions), ERROR_PERCENT
        ),
        _graph(
            site,
            "Latency of functions, p95 ms",
            of(METRICS_FUNCTIONS, "Latency", "Function", functions, "p95"),
            TARGET_MS,
        ),
        _graph(site, "Latency of the probe, p95 ms", of(NAMESPACE, "Latency", "Endpoint", endpoints, "p95"), TARGET_MS),
        _graph(site, "Available to the probe", of(NAMESPACE, "Available", "Endpoint", endpoints, "Minimum")),
        _graph(
            site, "Failed KMS calls, %", _rates(METRICS_KMS, "Failures", "Operations", here, functions), ERROR_PERCENT
        ),
        _graph(site, "Latency of KMS, p95 ms", of(METRICS_KMS, "Latency", "Function", functions, "p95"), KMS_TARGET_MS),
        _graph(
            site,
            "Connections to the database",
            [_metric(DATABASE, "Connections", here, label="open", stat="Maximum")],
            CONNECTIONS,
        ),
        _graph(
            site,
            "Load of the database, %",
            [
                _metric(DATABASE, f"{what}Percent", here, label=what, stat="Average")
                for what in ("Connections", "Cpu", "Memory", "Disk")
            ],
            RESOURCE_PERCENT,
        ),
    ]
    metric_alarms, composite_alarms = alarms(site, functions, args.minutes)
    told = [site.alarm(one.what) for one in (*metric_alarms, *composite_alarms) if one.tells]
    return {
        "start": "-PT3H",
        "widgets": _placed(
            [
                _text(args),
                {
                    "type": "alarm",
                    "width": WHOLE,
                    "height": ROWS,
                    "properties": {
                        "title": "Alarms",
                        "sortBy": "stateUpdatedTimestamp",
                        "alarms": [site.arn("cloudwatch", f"alarm:{name}") for name in told],
                    },
                },
                _budgets(site, here, endpoints, functions),
                *graphs,
            ]
        ),
    }


def _text(args: DashboardArgs) -> Widget:
    links = " · ".join(f"[{what}]({where})" for what, where in args.links.items())
    return {
        "type": "text",
        "width": WHOLE,
        "height": 2,
        "properties": {"markdown": f"# Parker Flight, {args.site.environment}\n{links}"},
    }


def _graph(site: Site, title: str, metrics: Sequence[Metric], limit: float | None = None) -> Widget:
    properties: dict[str, Any] = {
        "title": title,
        "metrics": [*metrics, *_operations(site)],
        "region": site.region,
        "view": "timeSeries",
        "period": MINUTE,
        "yAxis": {"left": {"min": 0}, "right": {"min": 0, "showUnits": False}},
    }
    if limit is not None:
        properties["annotations"] = {"horizontal": [{"label": "limit", "value": limit}]}
    return {"type": "metric", "width": HALF, "height": ROWS, "properties": properties}


def _operations(site: Site) -> list[Metric]:
    """When something was deployed or rolled back, as marks on the right axis of each graph."""
    here = {"Environment": site.environment}
    return [
        _metric(METRICS_OPERATIONS, name, here, label=name.lower(), stat="Sum", yAxis="right", color=color)
        for name, color in ((DEPLOYMENTS, "#7f7f7f"), (ROLLBACKS, "#d62728"))
    ]


def _metric(namespace: str, metric: str, dimensions: Mapping[str, str], **options: Any) -> Metric:
    return [namespace, metric, *(part for pair in dimensions.items() for part in pair), options]


def _rates(namespace: str, part: str, whole: str, here: Mapping[str, str], functions: Sequence[str]) -> list[Metric]:
    made: list[Metric] = []
    for number, function in enumerate(functions, 1):
        dimensions = {**here, "Function": function}
        made += [
            [{"expression": f"100 * FILL(part{number}, 0) / whole{number}", "label": function}],
            _metric(namespace, part, dimensions, id=f"part{number}", stat="Sum", visible=False),
            _metric(namespace, whole, dimensions, id=f"whole{number}", stat="Sum", visible=False),
        ]
    return made


def _budgets(site: Site, here: Mapping[str, str], endpoints: Sequence[str], functions: Sequence[str]) -> Widget:
    """What is left of each error budget over the time that the dashboard shows."""
    available = {f"available{n}": endpoint for n, endpoint in enumerate(endpoints, 1)}
    numbers = range(1, len(functions) + 1)
    errors, requests = (" + ".join(f"FILL({name}{n}, 0)" for n in numbers) for name in ("errors", "requests"))
    metrics: list[Metric] = [
        [
            {
                "expression": f"100 * (1 - (1 - ({' + '.join(available)}) / {len(available)}) / {BUDGET})",
                "label": "availability",
            }
        ],
        [{"expression": f"100 * (1 - ({errors}) / ({requests}) / {BUDGET})", "label": "errors"}],
    ]
    metrics += [
        _metric(NAMESPACE, "Available", {**here, "Endpoint": endpoint}, id=name, stat="Average", visible=False)
        for name, endpoint in available.items()
    ]
    for number, function in zip(numbers, functions, strict=True):
        for name in ("Errors", "Requests"):
            dimensions = {**here, "Function": function}
            metrics.append(
                _metric(METRICS_FUNCTIONS, name, dimensions, id=f"{name.lower()}{number}", stat="Sum", visible=False)
            )
    return {
        "type": "metric",
        "width": WHOLE,
        "height": 3,
        "properties": {
            "title": "Left of the error budget in the time shown, %",
            "metrics": metrics,
            "region": site.region,
            "view": "singleValue",
            "setPeriodToTimeRange": True,
        },
    }


def _placed(widgets: Sequence[Widget]) -> list[Widget]:
    """Row by row, from the left."""
    placed: list[Widget] = []
    x = y = height = 0
    for widget in widgets:
        if x + widget["width"] > WHOLE:
            x, y, height = 0, y + height, 0
        placed.append({**widget, "x": x, "y": y})
        x, height = x + widget["width"], max(height, widget["height"])
    return placed
