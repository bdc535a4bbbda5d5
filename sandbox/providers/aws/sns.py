"""SNS topics, their policies and subscriptions. Every id is an ARN."""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any, ClassVar

from sandbox.providers.aws.clients import Clients, unless_gone
from sandbox.providers.resource import TAGS, Property, Resource
from sandbox.providers.wire import UNKNOWN, Values

GONE = ("NotFound", "NotFoundException", "ResourceNotFoundException")

_unless_gone = partial(unless_gone, GONE)


class Topic(Resource):
    type_name = "aws:sns/topic:Topic"
    label = "SNS Topic"
    id_form = "arn:PARTITION:sns:REGION:ACCOUNT:NAME"
    computed = ("arn", "owner", "tagsAll")
    attribute_of: ClassVar = {
        "contentBasedDeduplication": "ContentBasedDeduplication",
        "deliveryPolicy": "DeliveryPolicy",
        "displayName": "DisplayName",
        "fifoTopic": "FifoTopic",
        "kmsMasterKeyId": "KmsMasterKeyId",
        "policy": "Policy",
        "signatureVersion": "SignatureVersion",
        "tracingConfig": "TracingConfig",
    }
    properties: ClassVar = {
        "contentBasedDeduplication": Property(kind="boolean", default=False),
        "deliveryPolicy": Property(kind="document", filled_in=True),
        "displayName": Property(default="", longest=100),
        "fifoTopic": Property(kind="boolean", default=False, replaces=True),
        "kmsMasterKeyId": Property(default=""),
        "name": Property(replaces=True, pattern=r"[A-Za-z0-9_-]{1,256}(\.fifo)?"),
        "policy": Property(kind="document", filled_in=True, longest=30720),
        "signatureVersion": Property(kind="integer", filled_in=True, choices=(1, 2)),
        "tags": TAGS,
        "tracingConfig": Property(filled_in=True, choices=("Active", "PassThrough")),
    }

    def create(self, aws: Clients, inputs: Values) -> str:
        attributes = {
            attribute: _text(inputs[key]) for key, attribute in self.attribute_of.items() if inputs.get(key) is not None
        }
        made = aws.client("sns").create_topic(Name=inputs["name"], Attributes=attributes, Tags=aws.tag_list(inputs))
        return str(made["TopicArn"])

    def read(self, aws: Clients, id_: str) -> Values | None:
        sns = aws.client("sns")
        attributes = _attributes(sns.get_topic_attributes, TopicArn=id_)
        if attributes is None:
            return None
        tags = sns.list_tags_for_resource(ResourceArn=id_).get("Tags", [])
        return {
            "arn": id_,
            "contentBasedDeduplication": attributes.get("ContentBasedDeduplication") == "true",
            "deliveryPolicy": attributes.get("DeliveryPolicy") or None,
            "displayName": attributes.get("DisplayName", ""),
            "fifoTopic": attributes.get("FifoTopic") == "true",
            "kmsMasterKeyId": attributes.get("KmsMasterKeyId", ""),
            "name": id_.rpartition(":")[2],
            "owner": attributes["Owner"],
            "policy": attributes["Policy"],
            "signatureVersion": int(attributes.get("SignatureVersion") or 1),
            "tracingConfig": attributes.get("TracingConfig") or "PassThrough",
            "region": aws.region,
            **aws.tag_outputs({tag["Key"]: tag["Value"] for tag in tags}),
        }

    def update(self, aws: Clients, id_: str, old: Values, new: Values) -> None:
        sns = aws.client("sns")
        changed = self.changes(old, new)
        for key, attribute in self.attribute_of.items():
            if key in changed:
                sns.set_topic_attributes(
                    TopicArn=id_,
                    AttributeName=attribute,
                    AttributeValue=_text(new.get(key, self.properties[key].default)),
                )
        aws.change_tags("sns", old, new, resource="ResourceArn")

    def delete(self, aws: Clients, id_: str, state: Values) -> None:
        del state
        _unless_gone(aws.client("sns").delete_topic, TopicArn=id_)


class TopicPolicy(Resource):
    type_name = "aws:sns/topicPolicy:TopicPolicy"
    label = "SNS Topic Policy"
    id_form = "arn:PARTITION:sns:REGION:ACCOUNT:NAME"
    autonamed = ""
    computed = ("owner",)
    properties: ClassVar = {
        "arn": Property(required=True, replaces=True),
        "policy": Property(kind="document", required=True, longest=30720),
    }

    def create(self, aws: Clients, inputs: Values) -> str:
        self._set(aws, inputs["arn"], inputs["policy"])
        return str(inputs["arn"])

    def read(self, aws: Clients, id_: str) -> Values | None:
        attributes = _attributes(aws.client("sns").get_topic_attributes, TopicArn=id_)
        if attributes is None:
            return None
        return {"arn": id_, "owner": attributes["Owner"], "policy": attributes["Policy"], "region": aws.region}

    def update(self, aws: Clients, id_: str, old: Values, new: Values) -> None:
        del old
        self._set(aws, id_, new["policy"])

    def delete(self, aws: Clients, id_: str, state: Values) -> None:
        """A topic always has a policy: back to the one that it was born with, as the official provider does."""
        default = {
            "Version": "2008-10-17",
            "Id": "__default_policy_ID",
            "Statement": [
                {
                    "Sid": "__default_statement_ID",
                    "Effect": "Allow",
                    "Principal": {"AWS": "*"},
                    "Action": ["SNS:GetTopicAttributes", "SNS:SetTopicAttributes", "SNS:Publish", "SNS:Subscribe"],
                    "Resource": id_,
                    "Condition": {"StringEquals": {"AWS:SourceOwner": state["owner"]}},
                }
            ],
        }
        _unless_gone(self._set, aws, id_, json.dumps(default))

    def _set(self, aws: Clients, arn: str, policy: str) -> None:
        aws.client("sns").set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=policy)


class TopicSubscription(Resource):
    type_name = "aws:sns/topicSubscription:TopicSubscription"
    label = "SNS Topic Subscription"
    autonamed = ""
    computed = ("arn", "confirmationWasAuthenticated", "ownerId", "pendingConfirmation")
    properties: ClassVar = {
        "confirmationTimeoutInMinutes": Property(kind="integer", write_only=True),
        "endpoint": Property(required=True, replaces=True),
        "endpointAutoConfirms": Property(kind="boolean", write_only=True),
        "filterPolicy": Property(kind="document"),
        "protocol": Property(
            required=True,
            replaces=True,
            choices=("email", "email-json", "http", "https", "sms", "sqs", "lambda", "firehose", "application"),
        ),
        "rawMessageDelivery": Property(kind="boolean", default=False),
        "topic": Property(required=True, replaces=True),
    }
    attribute_of: ClassVar = {"filterPolicy": "FilterPolicy", "rawMessageDelivery": "RawMessageDelivery"}

    def combined_failures(self, inputs: Values) -> Iterator[tuple[str, str]]:
        endpoint = inputs["endpoint"]
        if inputs["protocol"] == "email" and endpoint != UNKNOWN and "@" not in endpoint:
            yield "endpoint", "endpoint: an e-mail address is needed"

    def create(self, aws: Clients, inputs: Values) -> str:
        attributes = {
            attribute: _text(inputs[key]) for key, attribute in self.attribute_of.items() if inputs.get(key) is not None
        }
        made = aws.client("sns").subscribe(
            TopicArn=inputs["topic"],
            Protocol=inputs["protocol"],
            Endpoint=inputs["endpoint"],
            Attributes=attributes,
            ReturnSubscriptionArn=True,
        )
        return str(made["SubscriptionArn"])

    def read(self, aws: Clients, id_: str) -> Values | None:
        attributes = _attributes(aws.client("sns").get_subscription_attributes, SubscriptionArn=id_)
        if attributes is None:
            return None
        return {
            "arn": id_,
            "confirmationWasAuthenticated": attributes.get("ConfirmationWasAuthenticated") == "true",
            "endpoint": attributes["Endpoint"],
            "filterPolicy": attributes.get("FilterPolicy"),
            "ownerId": attributes["Owner"],
            "pendingConfirmation": attributes.get("PendingConfirmation") == "true",
            "protocol": attributes["Protocol"],
            "rawMessageDelivery": attributes.get("RawMessageDelivery") == "true",
            "region": aws.region,
            "topic": attributes["TopicArn"],
        }

    def update(self, aws: Clients, id_: str, old: Values, new: Values) -> None:
        for key in self.changes(old, new):
            if key in self.attribute_of:
                aws.client("sns").set_subscription_attributes(
                    SubscriptionArn=id_, AttributeName=self.attribute_of[key], AttributeValue=_text(new.get(key))
                )

    def delete(self, aws: Clients, id_: str, state: Values) -> None:
        del state
        _unless_gone(aws.client("sns").unsubscribe, SubscriptionArn=id_)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _attributes(call: Any, **named: Any) -> dict[str, str] | None:
    found = _unless_gone(call, **named)
    return None if found is None else found["Attributes"]


TYPES: tuple[Resource, ...] = (Topic(), TopicPolicy(), TopicSubscription())
