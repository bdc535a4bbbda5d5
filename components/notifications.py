"""Who hears of what: one SNS topic a severity, writable by this account's alarms, with the stack's subscribers.

The topics are not encrypted with a key of ours. `alias/aws/sns` does not let CloudWatch publish, and a notification
that says "a key is disabled" must not need one of the three data keys to be delivered. Messages hold no user data.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.naming import Severity, Site
from components.policy_document import document


@dataclass(frozen=True, kw_only=True)
class NotificationsArgs:
    site: Site
    emails: Mapping[str, Sequence[str]]  # by severity


def topic_policy(site: Site, severity: Severity) -> str:
    """CloudWatch may publish for alarms of this account and region; people and tools need a policy of their own."""
    return document(
        [
            {
                "Sid": "AlarmsOfThisAccount",
                "Effect": "Allow",
                "Principal": {"Service": "cloudwatch.amazonaws.com"},
                "Action": "sns:Publish",
                "Resource": site.arn("sns", site.topic(severity)),
                "Condition": {
                    "ArnLike": {"aws:SourceArn": site.arn("cloudwatch", "alarm:*")},
                    "StringEquals": {"aws:SourceAccount": site.account_id},
                },
            }
        ]
    )


class Notifications(pulumi.ComponentResource):
    topic_arns: Mapping[Severity, pulumi.Output[str]]

    def __init__(self, name: str, args: NotificationsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("parkerflight:sns:Notifications", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        arns: dict[Severity, pulumi.Output[str]] = {}
        for severity in Severity:
            topic = aws.sns.Topic(f"{name}-{severity}", name=args.site.topic(severity), tags=args.site.tags, opts=child)
            aws.sns.TopicPolicy(
                f"{name}-{severity}", arn=topic.arn, policy=topic_policy(args.site, severity), opts=child
            )
            for email in sorted(args.emails.get(severity, ())):
                aws.sns.TopicSubscription(
                    f"{name}-{severity}-{email}", topic=topic.arn, protocol="email", endpoint=email, opts=child
                )
            arns[severity] = topic.arn
        self.topic_arns = arns
        self.register_outputs({"topicArns": {str(severity): arn for severity, arn in arns.items()}})
