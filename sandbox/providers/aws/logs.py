"""Log groups."""

from typing import Any, ClassVar

from sandbox.providers.aws.clients import Clients, unless_gone
from sandbox.providers.resource import TAGS, Property, Resource
from sandbox.providers.wire import Values

RETENTION_DAYS = (
    *(0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400),
    *(545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653),
)


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
        "tags": TAGS,
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
        unless_gone(("ResourceNotFoundException",), aws.client("logs").delete_log_group, logGroupName=id_)

    def _set_retention(self, logs: Any, inputs: Values) -> None:
        if days := inputs.get("retentionInDays"):
            logs.put_retention_policy(logGroupName=inputs["name"], retentionInDays=days)
        else:
            logs.delete_retention_policy(logGroupName=inputs["name"])


TYPES: tuple[Resource, ...] = (LogGroup(),)
