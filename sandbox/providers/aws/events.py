"""EventBridge rules on the default bus, and their targets."""

import json
from collections.abc import Iterator
from functools import partial
from typing import ClassVar

from sandbox.providers.aws.clients import Clients, unless_gone
from sandbox.providers.resource import TAGS, Property, Resource
from sandbox.providers.wire import UNKNOWN, Values

GONE = ("ResourceNotFoundException",)
NAME = r"[.\-_A-Za-z0-9]{1,64}"
# EventBridge insists on the singular for one and on the plural for more.
SCHEDULE = r"rate\((1 (minute|hour|day)|([2-9]|[1-9]\d+) (minutes|hours|days))\)|cron\(\S+( \S+){5}\)"
ALL_MANAGEMENT_EVENTS = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
BUS = Property(default="default", replaces=True, choices=("default",))

_found = partial(unless_gone, GONE)


class EventRule(Resource):
    """The id is the rule's name. A rule disabled by hand is drift only where the program says `state`."""

    type_name = "aws:cloudwatch/eventRule:EventRule"
    label = "EventBridge Rule"
    computed = ("arn", "tagsAll")
    properties: ClassVar = {
        "description": Property(default="", longest=512),
        "eventBusName": BUS,
        "eventPattern": Property(kind="json", longest=2048),
        "forceDestroy": Property(kind="boolean", write_only=True),
        "name": Property(replaces=True, pattern=NAME),
        "roleArn": Property(default=""),
        "scheduleExpression": Property(default="", pattern=SCHEDULE),
        "state": Property(filled_in=True, choices=("ENABLED", "DISABLED", ALL_MANAGEMENT_EVENTS)),
        "tags": TAGS,
    }
    argument_of: ClassVar = {
        "description": "Description",
        "eventPattern": "EventPattern",
        "name": "Name",
        "roleArn": "RoleArn",
        "scheduleExpression": "ScheduleExpression",
        "state": "State",
    }

    def combined_failures(self, inputs: Values) -> Iterator[tuple[str, str]]:
        if not inputs.get("scheduleExpression") and not inputs.get("eventPattern"):
            yield "scheduleExpression", "scheduleExpression: give scheduleExpression or eventPattern"
        if inputs.get("scheduleExpression") and inputs.get("state") == ALL_MANAGEMENT_EVENTS:
            yield "state", f"state: {ALL_MANAGEMENT_EVENTS} is for rules with an eventPattern"

    def create(self, aws: Clients, inputs: Values) -> str:
        aws.client("events").put_rule(**self._arguments(inputs), Tags=aws.tag_list(inputs))
        return str(inputs["name"])

    def read(self, aws: Clients, id_: str) -> Values | None:
        events = aws.client("events")
        rule = _found(events.describe_rule, Name=id_)
        if rule is None:
            return None
        tags = events.list_tags_for_resource(ResourceARN=rule["Arn"])["Tags"]
        return {
            "arn": rule["Arn"],
            "eventBusName": rule["EventBusName"],
            "region": aws.region,
            **{key: rule.get(argument) for key, argument in self.argument_of.items()},
            **aws.tag_outputs({tag["Key"]: tag["Value"] for tag in tags}),
        }

    def update(self, aws: Clients, id_: str, old: Values, new: Values) -> None:
        del id_
        aws.client("events").put_rule(**self._arguments({"state": old.get("state")} | new))
        aws.change_tags("events", old, new)

    def delete(self, aws: Clients, id_: str, state: Values) -> None:
        _found(aws.client("events").delete_rule, Name=id_, Force=bool(state.get("forceDestroy")))

    def _arguments(self, inputs: Values) -> Values:
        return {argument: inputs[key] for key, argument in self.argument_of.items() if inputs.get(key)}


class EventTarget(Resource):
    """The id is `rule-target`, from which nobody can tell where the one ends: it is imported by `rule/target`."""

    type_name = "aws:cloudwatch/eventTarget:EventTarget"
    label = "EventBridge Target"
    id_form = "RULE/TARGET"
    autonamed = "targetId"
    imported_by = ("rule", "targetId")
    properties: ClassVar = {
        "arn": Property(required=True, pattern=r"arn:aws[\w-]*:(lambda|sns):.+"),
        "deadLetterConfig": Property(kind="object", fields={"arn": Property()}),
        "eventBusName": BUS,
        "forceDestroy": Property(kind="boolean", write_only=True),
        "input": Property(default="", longest=8192),
        "inputPath": Property(default=""),
        "inputTransformer": Property(
            kind="object",
            fields={
                "inputPaths": Property(kind="map", longest=100),
                "inputTemplate": Property(required=True, longest=8192),
            },
        ),
        "retryPolicy": Property(
            kind="object",
            fields={
                "maximumEventAgeInSeconds": Property(kind="integer", between=(60, 86400)),
                "maximumRetryAttempts": Property(kind="integer", between=(0, 185)),
            },
        ),
        "roleArn": Property(default=""),
        "rule": Property(required=True, replaces=True, pattern=NAME),
        "targetId": Property(replaces=True, pattern=NAME),
    }
    argument_of: ClassVar = {
        "arn": "Arn",
        "input": "Input",
        "inputPath": "InputPath",
        "roleArn": "RoleArn",
        "targetId": "Id",
    }
    blocks: ClassVar = {
        "deadLetterConfig": ("DeadLetterConfig", {"arn": "Arn"}),
        "inputTransformer": (
            "InputTransformer",
            {"inputPaths": "InputPathsMap", "inputTemplate": "InputTemplate"},
        ),
        "retryPolicy": (
            "RetryPolicy",
            {"maximumEventAgeInSeconds": "MaximumEventAgeInSeconds", "maximumRetryAttempts": "MaximumRetryAttempts"},
        ),
    }

    def combined_failures(self, inputs: Values) -> Iterator[tuple[str, str]]:
        given = [key for key in ("input", "inputPath", "inputTransformer") if inputs.get(key)]
        if len(given) > 1:
            yield given[0], f"{given[0]}: conflicts with {given[1]}"
        text = inputs.get("input")
        if isinstance(text, str) and UNKNOWN not in text and not _is_json(text):
            yield "input", "input: must be JSON"

    def id_of(self, found: str, live: Values) -> str:
        del found
        return f"{live['rule']}-{live['targetId']}"

    def create(self, aws: Clients, inputs: Values) -> str:
        self._put(aws, inputs)
        return f"{inputs['rule']}-{inputs['targetId']}"

    def read(self, aws: Clients, id_: str) -> Values | None:
        rule, _, target_id = id_.rpartition("/")
        pages = _found(lambda: [*aws.client("events").get_paginator("list_targets_by_rule").paginate(Rule=rule)])
        targets = (one for page in pages or [] for one in page["Targets"])
        target = next((one for one in targets if one["Id"] == target_id), None)
        if target is None:
            return None
        return {
            "eventBusName": "default",
            "region": aws.region,
            "rule": rule,
            **{key: target.get(argument) for key, argument in self.argument_of.items()},
            **{
                key: {name: block[argument] for name, argument in names.items() if argument in block}
                for key, (argument_of_block, names) in self.blocks.items()
                if (block := target.get(argument_of_block))
            },
        }

    def update(self, aws: Clients, id_: str, old: Values, new: Values) -> None:
        del id_, old
        self._put(aws, new)

    def delete(self, aws: Clients, id_: str, state: Values) -> None:
        del id_
        _found(aws.client("events").remove_targets, Rule=state["rule"], Ids=[state["targetId"]])

    def _put(self, aws: Clients, inputs: Values) -> None:
        target = {argument: inputs[key] for key, argument in self.argument_of.items() if inputs.get(key)}
        for key, (argument_of_block, names) in self.blocks.items():
            if block := inputs.get(key):
                target[argument_of_block] = {names[name]: value for name, value in block.items()}
        aws.client("events").put_targets(Rule=inputs["rule"], Targets=[target])


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except json.JSONDecodeError:
        return False
    return True


TYPES: tuple[Resource, ...] = (EventRule(), EventTarget())
