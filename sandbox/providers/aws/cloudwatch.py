"""Metric alarms, composite alarms and dashboards."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, ClassVar

from sandbox.providers.aws.clients import Clients, unless_gone
from sandbox.providers.resource import TAGS, Property, Resource
from sandbox.providers.wire import Values

STATISTICS = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")
OPERATORS = (
    "GreaterThanOrEqualToThreshold",
    "GreaterThanThreshold",
    "LessThanThreshold",
    "LessThanOrEqualToThreshold",
    "LessThanLowerOrGreaterThanUpperThreshold",
    "LessThanLowerThreshold",
    "GreaterThanUpperThreshold",
)
DAY = 86400
ALARM_NAME = r"[\x20-\x7E]{1,255}"
DESCRIPTION = Property(default="", longest=1024)
ACTIONS = Property(kind="strings", longest=5)
PERIODS = (10, 20, 30)  # in seconds; others are whole minutes
DIMENSIONS = Property(kind="map", longest=30)
METRIC_QUERY: Mapping[str, Property] = {
    "accountId": Property(pattern=r"\d{12}"),
    "expression": Property(longest=1024),
    "id": Property(required=True, pattern=r"[a-z]\w{0,254}"),
    "label": Property(),
    "metric": Property(
        kind="object",
        fields={
            "dimensions": DIMENSIONS,
            "metricName": Property(required=True, longest=255),
            "namespace": Property(longest=255),
            "period": Property(kind="integer", required=True, between=(1, 7 * DAY)),
            "stat": Property(required=True),
            "unit": Property(),
        },
    ),
    "period": Property(kind="integer", between=(1, 7 * DAY)),
    "returnData": Property(kind="boolean"),
}
GONE = ("ResourceNotFound",)

_unless_gone = partial(unless_gone, GONE)


class MetricAlarm(Resource):
    """The id is the alarm's name."""

    type_name = "aws:cloudwatch/metricAlarm:MetricAlarm"
    label = "CloudWatch Metric Alarm"
    computed = ("arn", "tagsAll")
    properties: ClassVar = {
        "actionsEnabled": Property(kind="boolean", default=True),
        "alarmActions": ACTIONS,
        "alarmDescription": DESCRIPTION,
        "comparisonOperator": Property(required=True, choices=OPERATORS),
        "datapointsToAlarm": Property(kind="integer", between=(1, 7 * DAY)),
        "dimensions": DIMENSIONS,
        "evaluateLowSampleCountPercentiles": Property(choices=("evaluate", "ignore")),
        "evaluationPeriods": Property(kind="integer", required=True, between=(1, 7 * DAY)),
        "extendedStatistic": Property(),
        "insufficientDataActions": ACTIONS,
        "metricName": Property(longest=255),
        "metricQueries": Property(kind="objects", fields=METRIC_QUERY),
        "name": Property(replaces=True, pattern=ALARM_NAME),
        "namespace": Property(longest=255),
        "okActions": ACTIONS,
        "period": Property(kind="integer", between=(10, 7 * DAY)),
        "statistic": Property(choices=STATISTICS),
        "tags": TAGS,
        "threshold": Property(kind="number"),
        "thresholdMetricId": Property(),
        "treatMissingData": Property(default="missing", choices=("missing", "ignore", "breaching", "notBreaching")),
        "unit": Property(),
    }
    argument_of: ClassVar = {
        "actionsEnabled": "ActionsEnabled",
        "alarmActions": "AlarmActions",
        "alarmDescription": "AlarmDescription",
        "comparisonOperator": "ComparisonOperator",
        "datapointsToAlarm": "DatapointsToAlarm",
        "evaluateLowSampleCountPercentiles": "EvaluateLowSampleCountPercentile",
        "evaluationPeriods": "EvaluationPeriods",
        "extendedStatistic": "ExtendedStatistic",
        "insufficientDataActions": "InsufficientDataActions",
        "metricName": "MetricName",
        "name": "AlarmName",
        "namespace": "Namespace",
        "okActions": "OKActions",
        "period": "Period",
        "statistic": "Statistic",
        "threshold": "Threshold",
        "thresholdMetricId": "ThresholdMetricId",
        "treatMissingData": "TreatMissingData",
        "unit": "Unit",
    }

    def combined_failures(self, inputs: Values) -> Iterator[tuple[str, str]]:
        """CloudWatch takes one of the two forms, and looks back one day at most (seven for periods of an hour up)."""
        if bool(inputs.get("metricName")) == bool(inputs.get("metricQueries")):
            yield "metricName", "metricName: give either metricName or metricQueries"
        periods, needed = inputs.get("evaluationPeriods"), inputs.get("datapointsToAlarm")
        if isinstance(periods, int) and isinstance(needed, int) and needed > periods:
            yield "datapointsToAlarm", f"datapointsToAlarm: there are {periods} data points, not {needed}"
        lengths = [one for one in _periods(inputs) if isinstance(one, int)]
        if odd := [one for one in lengths if one not in PERIODS and one % 60]:
            yield "period", f"period: it is 10, 20, 30 or a multiple of 60 seconds, not {odd[0]}"
        if isinstance(periods, int) and lengths:
            span, limit = periods * max(lengths), DAY if max(lengths) < 3600 else 7 * DAY
            if span > limit:
                yield "evaluationPeriods", f"evaluationPeriods: looks back {span} s; CloudWatch allows {limit} s"

    def create(self, aws: Clients, inputs: Values) -> str:
        aws.client("cloudwatch").put_metric_alarm(**self._arguments(inputs), Tags=aws.tag_list(inputs))
        return str(inputs["name"])

    def read(self, aws: Clients, id_: str) -> Values | None:
        cloudwatch = aws.client("cloudwatch")
        alarms = cloudwatch.describe_alarms(AlarmNames=[id_], AlarmTypes=["MetricAlarm"])["MetricAlarms"]
        if not alarms:
            return None
        (alarm,) = alarms
        return {"arn": alarm["AlarmArn"], **self.inputs_from(alarm), **_tags(aws, alarm["AlarmArn"])}

    def inputs_from(self, api: Values) -> Values:
        """The inputs that make this alarm of the API."""
        return {
            **{key: api.get(argument) for key, argument in self.argument_of.items()},
            "dimensions": _dimensions_from(api),
            "metricQueries": [_query_from(one) for one in api.get("Metrics", [])],
        }

    def update(self, aws: Clients, id_: str, old: Values, new: Values) -> None:
        del id_
        aws.client("cloudwatch").put_metric_alarm(**self._arguments(new))
        aws.change_tags("cloudwatch", old, new)

    def delete(self, aws: Clients, id_: str, state: Values) -> None:
        del state
        _unless_gone(aws.client("cloudwatch").delete_alarms, AlarmNames=[id_])

    def _arguments(self, inputs: Values) -> Values:
        arguments = {argument: inputs[key] for key, argument in self.argument_of.items() if key in inputs}
        if dimensions := inputs.get("dimensions"):
            arguments["Dimensions"] = _dimensions_to(dimensions)
        if queries := inputs.get("metricQueries"):
            arguments["Metrics"] = [_query_to(one) for one in queries]
        return arguments


class CompositeAlarm(Resource):
    """The id is the alarm's name, which is never made up."""

    type_name = "aws:cloudwatch/compositeAlarm:CompositeAlarm"
    label = "CloudWatch Composite Alarm"
    autonamed = ""
    computed = ("arn", "tagsAll")
    properties: ClassVar = {
        "actionsEnabled": Property(kind="boolean", default=True, replaces=True),
        "actionsSuppressor": Property(
            kind="object",
            fields={
                "alarm": Property(required=True),
                "extensionPeriod": Property(kind="integer", required=True),
                "waitPeriod": Property(kind="integer", required=True),
            },
        ),
        "alarmActions": ACTIONS,
        "alarmDescription": DESCRIPTION,
        "alarmName": Property(required=True, replaces=True, pattern=ALARM_NAME),
        "alarmRule": Property(required=True, pattern=r"(?s)\S(.{0,10238}\S)?"),
        "insufficientDataActions": ACTIONS,
        "okActions": ACTIONS,
        "tags": TAGS,
    }
    argument_of: ClassVar = {
        "actionsEnabled": "ActionsEnabled",
        "alarmActions": "AlarmActions",
        "alarmDescription": "AlarmDescription",
        "alarmName": "AlarmName",
        "alarmRule": "AlarmRule",
        "insufficientDataActions": "InsufficientDataActions",
        "okActions": "OKActions",
    }
    suppressor: ClassVar = {
        "alarm": "ActionsSuppressor",
        "extensionPeriod": "ActionsSuppressorExtensionPeriod",
        "waitPeriod": "ActionsSuppressorWaitPeriod",
    }

    def create(self, aws: Clients, inputs: Values) -> str:
        aws.client("cloudwatch").put_composite_alarm(**self._arguments(inputs), Tags=aws.tag_list(inputs))
        return str(inputs["alarmName"])

    def read(self, aws: Clients, id_: str) -> Values | None:
        cloudwatch = aws.client("cloudwatch")
        alarms = cloudwatch.describe_alarms(AlarmNames=[id_], AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
        if not alarms:
            return None
        (alarm,) = alarms
        return {
            "arn": alarm["AlarmArn"],
            "region": aws.region,
            **self.inputs_from(alarm),
            **_tags(aws, alarm["AlarmArn"]),
        }

    def inputs_from(self, api: Values) -> Values:
        """The inputs that make this alarm of the API."""
        suppressor = {key: api.get(argument) for key, argument in self.suppressor.items()}
        return {
            "actionsSuppressor": suppressor if suppressor["alarm"] else None,
            **{key: api.get(argument) for key, argument in self.argument_of.items()},
        }

    def update(self, aws: Clients, id_: str, old: Values, new: Values) -> None:
        del id_
        aws.client("cloudwatch").put_composite_alarm(**self._arguments(new))
        aws.change_tags("cloudwatch", old, new)

    def delete(self, aws: Clients, id_: str, state: Values) -> None:
        del state
        _unless_gone(aws.client("cloudwatch").delete_alarms, AlarmNames=[id_])

    def _arguments(self, inputs: Values) -> Values:
        given = inputs.get("actionsSuppressor") or {}
        return {argument: inputs[key] for key, argument in self.argument_of.items() if key in inputs} | {
            argument: given[key] for key, argument in self.suppressor.items() if key in given
        }


class Dashboard(Resource):
    """The id is the dashboard's name."""

    type_name = "aws:cloudwatch/dashboard:Dashboard"
    label = "CloudWatch Dashboard"
    autonamed = ""
    computed = ("dashboardArn",)
    properties: ClassVar = {
        "dashboardBody": Property(kind="json", required=True),
        "dashboardName": Property(required=True, replaces=True, pattern=r"[A-Za-z0-9_-]{1,255}"),
    }

    def create(self, aws: Clients, inputs: Values) -> str:
        aws.client("cloudwatch").put_dashboard(
            DashboardName=inputs["dashboardName"], DashboardBody=inputs["dashboardBody"]
        )
        return str(inputs["dashboardName"])

    def read(self, aws: Clients, id_: str) -> Values | None:
        found = _unless_gone(aws.client("cloudwatch").get_dashboard, DashboardName=id_)
        if found is None:
            return None
        return {
            "dashboardArn": found["DashboardArn"],
            "dashboardBody": found["DashboardBody"],
            "dashboardName": found["DashboardName"],
            "region": aws.region,
        }

    def update(self, aws: Clients, id_: str, old: Values, new: Values) -> None:
        del id_, old
        self.create(aws, new)

    def delete(self, aws: Clients, id_: str, state: Values) -> None:
        del state
        _unless_gone(aws.client("cloudwatch").delete_dashboards, DashboardNames=[id_])


def _periods(inputs: Values) -> Iterator[Any]:
    """Of the alarm's own metric and of those in its queries."""
    yield inputs.get("period")
    queries = inputs.get("metricQueries")
    for query in queries if isinstance(queries, list) else ():
        metric = query.get("metric")
        yield metric.get("period") if isinstance(metric, dict) else query.get("period")


def _tags(aws: Clients, arn: str) -> Values:
    tags = aws.client("cloudwatch").list_tags_for_resource(ResourceARN=arn).get("Tags", [])
    return aws.tag_outputs({tag["Key"]: tag["Value"] for tag in tags})


def _dimensions_to(dimensions: Values) -> list[Values]:
    return [{"Name": name, "Value": value} for name, value in sorted(dimensions.items())]


def _dimensions_from(answer: Values) -> Values:
    return {one["Name"]: one["Value"] for one in answer.get("Dimensions", [])}


def _query_to(query: Values) -> Values:
    """One metric query of the SDK as the API has it."""
    made: Values = {"Id": query["id"]}
    names = {"expression": "Expression", "label": "Label", "period": "Period", "accountId": "AccountId"}
    made |= {argument: query[key] for key, argument in names.items() if query.get(key) is not None}
    # The SDK's default is false, the API's is true.
    made["ReturnData"] = bool(query.get("returnData"))
    if metric := query.get("metric"):
        which: Values = {"Namespace": metric.get("namespace"), "MetricName": metric["metricName"]}
        which["Dimensions"] = _dimensions_to(metric.get("dimensions") or {})
        made["MetricStat"] = {"Metric": which, "Period": metric["period"], "Stat": metric["stat"]}
        if unit := metric.get("unit"):
            made["MetricStat"]["Unit"] = unit
    return made


def _query_from(answer: Values) -> Values:
    query: Values = {"id": answer["Id"], "returnData": answer.get("ReturnData", False)}
    names = {"expression": "Expression", "label": "Label", "period": "Period", "accountId": "AccountId"}
    query |= {key: answer[argument] for key, argument in names.items() if answer.get(argument)}
    if stat := answer.get("MetricStat"):
        query["metric"] = {
            "namespace": stat["Metric"]["Namespace"],
            "metricName": stat["Metric"]["MetricName"],
            "dimensions": _dimensions_from(stat["Metric"]),
            "period": int(stat["Period"]),
            "stat": stat["Stat"],
            **({"unit": stat["Unit"]} if stat.get("Unit") else {}),
        }
    return query


TYPES: tuple[Resource, ...] = (MetricAlarm(), CompositeAlarm(), Dashboard())
