"""Log groups and metric alarms."""

from collections.abc import Iterator
from typing import Any, ClassVar

from sandbox.providers.aws.clients import Clients, error_code
from sandbox.providers.resource import Property, Resource
from sandbox.providers.wire import Values

RETENTION_DAYS = (
    *(0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400),
    *(545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653),
)
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


class LogGroup(Resource):
    type_name = "aws:cloudwatch/logGroup:LogGroup"
    label = "CloudWatch Logs Log Group"
    computed = ("arn", "tagsAll")
    properties: ClassVar = {
        "kmsKeyId": Property(default=""),
        "logGroupClass": Property(filled_in=True, replaces=True, choices=("STANDARD", "INFREQUENT_ACCESS", "DELIVERY")),
        "name": Property(replaces=True, pattern=r"[.\-_/#A-Za-z0-9]{1,512}"),
        "retentionInDays": Property(kind="integer", default=0, choices=RETENTION_DAYS),
        "skipDestroy": Property(kind="boolean", write_only=True),
        "tags": Property(kind="map"),
    }

    def create(self, aws: Clients, inputs: Values) -> str:
        logs = aws.client("logs")
        arguments: Values = {"logGroupName": inputs["name"], "tags": aws.tags(inputs)}
        if key := inputs.get("kmsKeyId"):
            arguments["kmsKeyId"] = key
        if kind := inputs.get("logGroupClass"):
            arguments["logGroupClass"] = kind
        logs.create_log_group(**arguments)
        self._set_retention(logs, inputs)
        return str(inputs["name"])

    def read(self, aws: Clients, id_: str) -> Values | None:
        logs = aws.client("logs")
        pages = logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=id_)
        group = next((one for page in pages for one in page["logGroups"] if one["logGroupName"] == id_), None)
        if group is None:
            return None
        arn = group["arn"].removesuffix(":*")
        return {
            "arn": arn,
            "kmsKeyId": group.get("kmsKeyId", ""),
            "logGroupClass": group.get("logGroupClass", "STANDARD"),
            "name": id_,
            "region": aws.region,
            "retentionInDays": group.get("retentionInDays", 0),
            **aws.tag_outputs(logs.list_tags_for_resource(resourceArn=arn)["tags"]),
        }

    def update(self, aws: Clients, id_: str, old: Values, new: Values) -> None:
        logs = aws.client("logs")
        changed = self.changes(old, new)
        if "retentionInDays" in changed:
            self._set_retention(logs, new)
        if "kmsKeyId" in changed:
            if key := new.get("kmsKeyId"):
                logs.associate_kms_key(logGroupName=id_, kmsKeyId=key)
            else:
                logs.disassociate_kms_key(logGroupName=id_)
        added, removed = aws.tag_changes(old, new)
        if removed:
            logs.untag_resource(resourceArn=old["arn"], tagKeys=removed)
        if added:
            logs.tag_resource(resourceArn=old["arn"], tags=added)

    def delete(self, aws: Clients, id_: str, state: Values) -> None:
        if state.get("skipDestroy"):
            return
        try:
            aws.client("logs").delete_log_group(logGroupName=id_)
        except Exception as error:
            if error_code(error) != "ResourceNotFoundException":
                raise

    def _set_retention(self, logs: Any, inputs: Values) -> None:
        if days := inputs.get("retentionInDays"):
            logs.put_retention_policy(logGroupName=inputs["name"], retentionInDays=days)
        else:
            logs.delete_retention_policy(logGroupName=inputs["name"])


class MetricAlarm(Resource):
    """The id is the alarm's name."""

    type_name = "aws:cloudwatch/metricAlarm:MetricAlarm"
    label = "CloudWatch Metric Alarm"
    computed = ("arn", "tagsAll")
    properties: ClassVar = {
        "actionsEnabled": Property(kind="boolean", default=True),
        "alarmActions": Property(kind="strings"),
        "alarmDescription": Property(default=""),
        "comparisonOperator": Property(required=True, choices=OPERATORS),
        "datapointsToAlarm": Property(kind="integer", between=(1, DAY)),
        "dimensions": Property(kind="map"),
        "evaluateLowSampleCountPercentiles": Property(choices=("evaluate", "ignore")),
        "evaluationPeriods": Property(kind="integer", required=True, between=(1, DAY)),
        "extendedStatistic": Property(),
        "insufficientDataActions": Property(kind="strings"),
        "metricName": Property(),
        "metricQueries": Property(kind="objects"),
        "name": Property(replaces=True, pattern=r"[\x20-\x7E]{1,255}"),
        "namespace": Property(),
        "okActions": Property(kind="strings"),
        "period": Property(kind="integer"),
        "statistic": Property(choices=STATISTICS),
        "tags": Property(kind="map"),
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
        periods = inputs.get("evaluationPeriods")
        queries = inputs.get("metricQueries") or []
        seconds = [inputs.get("period"), *(query.get("metric", query).get("period") for query in queries)]
        lengths = [one for one in seconds if isinstance(one, int)]
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
        tags = cloudwatch.list_tags_for_resource(ResourceARN=alarm["AlarmArn"]).get("Tags", [])
        return {
            "arn": alarm["AlarmArn"],
            **{key: alarm.get(argument) for key, argument in self.argument_of.items()},
            "dimensions": _dimensions_from(alarm),
            "metricQueries": [_query_from(one) for one in alarm.get("Metrics", [])],
            **aws.tag_outputs({tag["Key"]: tag["Value"] for tag in tags}),
        }

    def update(self, aws: Clients, id_: str, old: Values, new: Values) -> None:
        del id_
        cloudwatch = aws.client("cloudwatch")
        cloudwatch.put_metric_alarm(**self._arguments(new))
        added, removed = aws.tag_changes(old, new)
        if removed:
            cloudwatch.untag_resource(ResourceARN=old["arn"], TagKeys=removed)
        if added:
            tags = [{"Key": key, "Value": value} for key, value in added.items()]
            cloudwatch.tag_resource(ResourceARN=old["arn"], Tags=tags)

    def delete(self, aws: Clients, id_: str, state: Values) -> None:
        del state
        try:
            aws.client("cloudwatch").delete_alarms(AlarmNames=[id_])
        except Exception as error:
            if error_code(error) != "ResourceNotFound":
                raise

    def _arguments(self, inputs: Values) -> Values:
        arguments = {argument: inputs[key] for key, argument in self.argument_of.items() if key in inputs}
        if dimensions := inputs.get("dimensions"):
            arguments["Dimensions"] = _dimensions_to(dimensions)
        if queries := inputs.get("metricQueries"):
            arguments["Metrics"] = [_query_to(one) for one in queries]
        return arguments


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


TYPES: tuple[Resource, ...] = (LogGroup(), MetricAlarm())
