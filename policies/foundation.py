"""What `bootstrap/` is held to: every rule that the stacks are, but two, with more wildcards, each with its reason.

It makes the roles that deploy, so their rights are wide by nature; they reach this project's names and no others. No
approval is asked for: whoever runs it administers the account, and there is nothing yet that could know an approval.
"""

import re
from collections.abc import Sequence

from pulumi_policy import Policy

from policies.access import EXCEPTIONS, WildcardException, no_wildcard_resource
from policies.analyzer import APPROVAL
from policies.rules import all_policies

CONTACTS = "stack-contacts"  # whom to call stands in the stack that calls them
OURS = r"parker-flight-[a-z0-9]+-\*"
A_KEY = re.compile(r"arn:aws:kms:[a-z0-9-]+:[0-9]{12}:key/\*")
ANYTHING = re.compile(r"\*")
READ_A_KEY = frozenset(
    {"kms:DescribeKey", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListKeyRotations", "kms:ListResourceTags"}
)
ALIASES = frozenset({"kms:CreateAlias", "kms:UpdateAlias"})


def _tagged(service: str, *actions: str) -> frozenset[str]:
    return frozenset(
        f"{service}:{action}" for action in (*actions, "ListTagsForResource", "TagResource", "UntagResource")
    )


ADDED: Sequence[WildcardException] = (
    WildcardException(
        actions=frozenset(
            {
                "cloudtrail:DescribeTrails",
                "cloudtrail:GetEventSelectors",
                "cloudtrail:GetTrailStatus",
                "cloudwatch:DescribeAlarms",
                "cloudwatch:GetMetricData",
                "kms:ListAliases",
                "kms:ListKeys",
                "logs:DescribeLogGroups",
                "sns:GetSubscriptionAttributes",
                "sns:SetSubscriptionAttributes",
                "sns:Unsubscribe",
            }
        ),
        resource=ANYTHING,
        condition=None,
        reason="they know no resources, or are asked of all at once, and tell no secret",
    ),
    WildcardException(
        actions=frozenset({"kms:CreateKey"}),
        resource=ANYTHING,
        condition=("StringEquals", "aws:RequestTag/Application"),
        reason="the action knows no resources; the tags that it must set are its limit",
    ),
    WildcardException(
        actions=frozenset({"kms:TagResource"}),
        resource=A_KEY,
        condition=("Null", "kms:ResourceAliases"),
        reason="a key is tagged when it is made; one that has an alias is somebody's already",
    ),
    WildcardException(
        actions=READ_A_KEY | ALIASES | {"kms:EnableKeyRotation"},
        resource=A_KEY,
        condition=("StringEquals", "aws:ResourceTag/Application"),
        reason="a new key has no alias yet and its id isn't known; its tags are its limit",
    ),
    WildcardException(
        actions=READ_A_KEY
        | ALIASES
        | {
            "kms:CancelKeyDeletion",
            "kms:EnableKey",
            "kms:EnableKeyRotation",
            "kms:PutKeyPolicy",
            "kms:RotateKeyOnDemand",
            "kms:TagResource",
            "kms:UntagResource",
            "kms:UpdateKeyDescription",
        },
        resource=A_KEY,
        condition=("ForAnyValue:StringEquals", "kms:ResourceAliases"),
        reason="keys are administered by alias, so that a new generation changes no document",
    ),
    WildcardException(
        actions=_tagged("cloudwatch", "DeleteAlarms", "PutCompositeAlarm", "PutMetricAlarm"),
        resource=re.compile(rf"arn:aws:cloudwatch:[a-z0-9-]+:[0-9]{{12}}:alarm:{OURS}"),
        condition=None,
        reason="the alarms of one environment",
    ),
    WildcardException(
        actions=_tagged(
            "events",
            *("DeleteRule", "DescribeRule", "DisableRule", "EnableRule"),
            *("ListTargetsByRule", "PutRule", "PutTargets", "RemoveTargets"),
        ),
        resource=re.compile(rf"arn:aws:events:[a-z0-9-]+:[0-9]{{12}}:rule/{OURS}"),
        condition=None,
        reason="the rules of one environment",
    ),
    WildcardException(
        actions=_tagged(
            "sns",
            *("CreateTopic", "DeleteTopic", "GetTopicAttributes", "ListSubscriptionsByTopic"),
            *("Publish", "SetTopicAttributes", "Subscribe"),
        ),
        resource=re.compile(rf"arn:aws:sns:[a-z0-9-]+:[0-9]{{12}}:{OURS}"),
        condition=None,
        reason="the topics of one environment",
    ),
    WildcardException(
        actions=_tagged("logs", "CreateLogGroup", "DeleteLogGroup", "DeleteRetentionPolicy", "PutRetentionPolicy"),
        resource=re.compile(r"arn:aws:logs:[a-z0-9-]+:[0-9]{12}:log-group:[^*?:]+:\*"),
        condition=None,
        reason="one log group, as the older form of its name is spelled",
    ),
    WildcardException(
        actions=frozenset({"s3:DeleteObject", "s3:GetObject", "s3:PutObject"}),
        resource=re.compile(r"arn:aws:s3:::parker-flight-[a-z0-9-]+/\*"),
        condition=None,
        reason="what is in one bucket of this project; no version is deleted",
    ),
)


def policies() -> list[Policy]:
    wildcards = no_wildcard_resource((*EXCEPTIONS, *ADDED))
    left_out = {APPROVAL, CONTACTS}
    return [wildcards if one.name == wildcards.name else one for one in all_policies() if one.name not in left_out]
