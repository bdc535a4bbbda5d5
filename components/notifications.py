"""Who hears of what: one SNS topic a level of escalation, and those of warnings and of information.

Writable by this account's alarms and by its rules on calls that touch keys or alarms.

The topics are not encrypted with a key of ours. `alias/aws/sns` does not let CloudWatch publish, and a notification
that says "a key is disabled" must not need one of the three data keys to be delivered. Messages hold no user data.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import pulumi
import pulumi_aws as aws

from components.naming import Site, Topic
from components.policy_document import document
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
    """Alarms of this account and region may publish, and what tells this topic of a call; people need a policy."""
    rules = [site.arn("events", f"rule/{site.rule(one.what)}") for one in security_events(site) if one.tells is topic]
    publishers = {"cloudwatch.amazonaws.com": ("AlarmsOfThisAccount", [site.arn("cloudwatch", "alarm:*")])}
    if rules:
        publishers["events.amazonaws.com"] = ("CallsOfThisAccount", rules)
    return document(
        [
            {
                "Sid": sid,
                "Effect": "Allow",
                "Principal": {"Service": service},
                "Action": "sns:Publish",
                "Resource": site.arn("sns", site.topic(topic)),
                "Condition": {
                    "ArnLike": {"aws:SourceArn": arns},
                    "StringEquals": {"aws:SourceAccount": site.account_id},
                },
            }
            for service, (sid, arns) in publishers.items()
        ]
    )


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
