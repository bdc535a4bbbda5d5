"""Who hears of what: one SNS topic a level of escalation, and those of warnings and of information.

Writable by this account's alarms and, those that are told of calls that touch keys or alarms, by EventBridge. Whose
rule it acts for EventBridge doesn't tell a topic: a condition on that would hold for no rule at all
(https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html#eb-sns-permissions).

The topics are not encrypted with a key of ours. `alias/aws/sns` does not let CloudWatch publish, and a notification
that says "a key is disabled" must not need one of the three data keys to be delivered. Messages hold no user data.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import pulumi
import pulumi_aws as aws

from components.naming import Site, Topic
from components.policy_document import Statement, document
from components.security_events import security_events

WAKES = (Topic.LEVEL_1, Topic.LEVEL_2, Topic.LEVEL_3)


class Contact(Protocol):
    """How somebody is reached; by mail always, by the rest only for what can't wait."""

    @property
    def email(self) -> str: ...
    @property
    def phone(self) -> str | None: ...
    @property
    def webhook(self) -> str | None: ...


@dataclass(frozen=True, kw_only=True, order=True)
class Subscriber:
    """One way to reach somebody, as SNS has it: `email`, `sms` with a number, `https` with an address."""

    protocol: str
    endpoint: str


@dataclass(frozen=True, kw_only=True)
class NotificationsArgs:
    site: Site
    roles: Mapping[Topic, Sequence[str]]
    contacts: Mapping[str, Contact]  # by role


def subscribers(topic: Topic, contacts: Sequence[Contact]) -> list[Subscriber]:
    """Each way to reach each of them, once, in a fixed order."""
    ways: set[Subscriber] = set()
    for contact in contacts:
        ways.add(Subscriber(protocol="email", endpoint=contact.email))
        if topic in WAKES and contact.phone:
            ways.add(Subscriber(protocol="sms", endpoint=contact.phone))
        if topic in WAKES and contact.webhook:
            ways.add(Subscriber(protocol="https", endpoint=contact.webhook))
    return sorted(ways)


def topic_policy(site: Site, topic: Topic) -> str:
    """Alarms of this account and region may publish, and EventBridge where a call is told; people need a policy."""
    statements: list[Statement] = [
        {
            "Sid": "AlarmsOfThisAccount",
            "Effect": "Allow",
            "Principal": {"Service": "cloudwatch.amazonaws.com"},
            "Action": "sns:Publish",
            "Resource": site.arn("sns", site.topic(topic)),
            "Condition": {
                "ArnLike": {"aws:SourceArn": [site.arn("cloudwatch", "alarm:*")]},
                "StringEquals": {"aws:SourceAccount": site.account_id},
            },
        }
    ]
    if any(one.tells is topic for one in security_events(site)):
        statements.append(
            {
                "Sid": "Calls",
                "Effect": "Allow",
                "Principal": {"Service": "events.amazonaws.com"},
                "Action": "sns:Publish",
                "Resource": site.arn("sns", site.topic(topic)),
            }
        )
    return document(statements)


class Notifications(pulumi.ComponentResource):
    topic_arns: Mapping[Topic, pulumi.Output[str]]

    def __init__(self, name: str, args: NotificationsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("parkerflight:sns:Notifications", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        arns: dict[Topic, pulumi.Output[str]] = {}
        for topic in Topic:
            made = aws.sns.Topic(f"{name}-{topic}", name=args.site.topic(topic), tags=args.site.tags, opts=child)
            aws.sns.TopicPolicy(f"{name}-{topic}", arn=made.arn, policy=topic_policy(args.site, topic), opts=child)
            for one in subscribers(topic, [args.contacts[role] for role in args.roles[topic]]):
                aws.sns.TopicSubscription(
                    f"{name}-{topic}-{one.protocol}-{one.endpoint}",
                    topic=made.arn,
                    protocol=one.protocol,
                    endpoint=one.endpoint,
                    opts=child,
                )
            arns[topic] = made.arn
        self.topic_arns = arns
        self.register_outputs({"topicArns": {str(topic): arn for topic, arn in arns.items()}})
