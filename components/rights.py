"""What the jobs that preview, deploy and look may do in AWS, one entry for each thing that the program consists of.

One list serves both: a preview gets what reads, a deployment all of it. A test holds the list against the program: a
resource type that nothing here serves fails it. Names are whole or begin with the environment's, which has no dash, so
that neither job reaches another environment, its own role, or what `bootstrap/` made.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from components.encryption_key import encryption_context
from components.kept_key import ENGINE, READ, WRITE, through_s3
from components.naming import APPLICATION, METRICS_OPERATIONS, PULUMI_SECRETS, Site
from components.policy_document import Statement, document
from probe.settings import ANON_KEY, SERVICE_ROLE_KEY

LONGEST = 6144  # characters that IAM takes of a policy, without white space


@dataclass(frozen=True, kw_only=True)
class Grant:
    """`serves`: the resource types that need it; none where only `pf` does. `secret`: no preview may read it."""

    sid: str
    resources: Sequence[str]
    serves: Sequence[str] = ()
    reads: Sequence[str] = ()
    writes: Sequence[str] = ()
    condition: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def statement(self, *, changing: bool) -> Statement | None:
        actions = sorted({*self.reads, *(self.writes if changing else ())})
        if not actions:
            return None
        found: dict[str, Any] = {
            "Sid": self.sid,
            "Effect": "Allow",
            "Action": actions,
            "Resource": list(self.resources),
        }
        return found | ({"Condition": dict(self.condition)} if self.condition else {})


def keys(site: Site) -> Iterator[Grant]:
    """Administered, never used: this job reads no customer data. A key is ours by its alias, or new and by its tags."""
    every_key = [site.arn("kms", "key/*")]
    aliases = sorted(site.key_aliases.values())
    ours = {"aws:ResourceTag/Application": APPLICATION, "aws:ResourceTag/Environment": site.environment}
    asked = {"aws:RequestTag/Application": APPLICATION, "aws:RequestTag/Environment": site.environment}
    types = ("aws:kms/key:Key", "aws:kms/alias:Alias")
    reading = (
        "kms:DescribeKey",
        "kms:GetKeyPolicy",
        "kms:GetKeyRotationStatus",
        "kms:ListResourceTags",
    )
    pointing = ("kms:CreateAlias", "kms:UpdateAlias")
    yield Grant(sid="ListKeys", serves=types, reads=("kms:ListAliases", "kms:ListKeys"), resources=["*"])
    yield Grant(
        sid="MakeKeys", serves=types, writes=("kms:CreateKey",), resources=["*"], condition={"StringEquals": asked}
    )
    yield Grant(
        # A key that has an alias is somebody's: without this, tagging another's key would make it ours.
        sid="TagNewKeys",
        serves=types,
        writes=("kms:TagResource",),
        resources=every_key,
        condition={"StringEquals": asked, "Null": {"kms:ResourceAliases": "true"}},
    )
    yield Grant(
        sid="FinishNewKeys",
        serves=types,
        reads=reading,
        writes=("kms:EnableKeyRotation", *pointing),
        resources=every_key,
        condition={"StringEquals": ours},
    )
    yield Grant(
        sid="LookAfterKeys",
        serves=types,
        reads=reading,
        writes=(
            "kms:CancelKeyDeletion",
            "kms:EnableKey",
            "kms:EnableKeyRotation",
            "kms:ListKeyRotations",
            "kms:PutKeyPolicy",
            "kms:RotateKeyOnDemand",
            "kms:TagResource",
            "kms:UntagResource",
            "kms:UpdateKeyDescription",
            *pointing,
        ),
        resources=every_key,
        condition={"ForAnyValue:StringEquals": {"kms:ResourceAliases": aliases}},
    )
    yield Grant(
        sid="PointAliases", serves=types, writes=pointing, resources=[site.arn("kms", alias) for alias in aliases]
    )


def identities(site: Site) -> Iterator[Grant]:
    """Roles and the user of the program, whole names; whatever gives them rights demands their boundary."""
    bounded = {"StringEquals": {"iam:PermissionsBoundary": site.boundary_arn("workload")}}
    roles, user = [site.probe_role_arn, site.role_arn], [site.function_user_arn]
    of_roles = ("aws:iam/role:Role", "aws:iam/rolePolicy:RolePolicy")
    of_users = ("aws:iam/user:User", "aws:iam/userPolicy:UserPolicy")
    yield Grant(
        sid="LookAfterRoles",
        serves=of_roles,
        reads=(
            "iam:GetRole",
            "iam:GetRolePolicy",
            "iam:ListAttachedRolePolicies",
            "iam:ListInstanceProfilesForRole",
            "iam:ListRolePolicies",
            "iam:ListRoleTags",
        ),
        writes=(
            "iam:DeleteRole",
            "iam:TagRole",
            "iam:UntagRole",
            "iam:UpdateAssumeRolePolicy",
            "iam:UpdateRole",
        ),
        resources=roles,
    )
    yield Grant(
        sid="GiveRolesRights",
        serves=of_roles,
        writes=("iam:CreateRole", "iam:DeleteRolePolicy", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"),
        resources=roles,
        condition=bounded,
    )
    yield Grant(
        sid="LookAfterTheUser",
        serves=of_users,
        reads=("iam:GetUser", "iam:GetUserPolicy", "iam:ListAccessKeys", "iam:ListUserPolicies", "iam:ListUserTags"),
        writes=(
            "iam:CreateAccessKey",
            "iam:DeleteAccessKey",
            "iam:DeleteUser",
            "iam:ListGroupsForUser",
            "iam:TagUser",
            "iam:UntagUser",
        ),
        resources=user,
    )
    yield Grant(
        sid="GiveTheUserRights",
        serves=of_users,
        writes=("iam:CreateUser", "iam:DeleteUserPolicy", "iam:PutUserPermissionsBoundary", "iam:PutUserPolicy"),
        resources=user,
        condition=bounded,
    )
    yield Grant(
        sid="HandTheProbeItsRole",
        serves=("aws:lambda/function:Function",),
        writes=("iam:PassRole",),
        resources=[site.probe_role_arn],
        condition={"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}},
    )


def probe(site: Site) -> Iterator[Grant]:
    yield Grant(
        sid="TheProbe",
        serves=("aws:lambda/function:Function", "aws:lambda/permission:Permission"),
        reads=(
            "lambda:GetFunction",
            "lambda:GetFunctionCodeSigningConfig",
            "lambda:GetFunctionConfiguration",
            "lambda:GetPolicy",
            "lambda:ListTags",
            "lambda:ListVersionsByFunction",
        ),
        writes=(
            "lambda:AddPermission",
            "lambda:CreateFunction",
            "lambda:DeleteFunction",
            "lambda:RemovePermission",
            "lambda:TagResource",
            "lambda:UntagResource",
            "lambda:UpdateFunctionCode",
            "lambda:UpdateFunctionConfiguration",
        ),
        resources=[site.probe_arn],
    )
    yield Grant(
        # Reading them is a change's right alone: they are secrets.
        sid="TheProbesKeys",
        writes=("ssm:DeleteParameters", "ssm:GetParameters", "ssm:PutParameter"),
        resources=[
            site.arn("ssm", f"parameter{site.probe_parameters}/{name}") for name in (ANON_KEY, SERVICE_ROLE_KEY)
        ],
    )


def monitoring(site: Site) -> Iterator[Grant]:
    ours = f"{APPLICATION}-{site.environment}-*"
    tagging = ("TagResource", "UntagResource")
    yield Grant(
        sid="Alarms",
        serves=("aws:cloudwatch/metricAlarm:MetricAlarm", "aws:cloudwatch/compositeAlarm:CompositeAlarm"),
        reads=("cloudwatch:ListTagsForResource",),
        writes=(
            "cloudwatch:DeleteAlarms",
            "cloudwatch:PutCompositeAlarm",
            "cloudwatch:PutMetricAlarm",
            *(f"cloudwatch:{one}" for one in tagging),
        ),
        resources=[site.arn("cloudwatch", f"alarm:{ours}")],
    )
    yield Grant(
        sid="Dashboards",
        serves=("aws:cloudwatch/dashboard:Dashboard",),
        reads=("cloudwatch:GetDashboard",),
        writes=("cloudwatch:DeleteDashboards", "cloudwatch:PutDashboard"),
        resources=[f"arn:aws:cloudwatch::{site.account_id}:dashboard/{site.dashboard}"],
    )
    yield Grant(
        sid="SayThatADeploymentStarts",
        writes=("cloudwatch:PutMetricData",),
        resources=["*"],
        condition={"StringEquals": {"cloudwatch:namespace": METRICS_OPERATIONS}},
    )
    yield Grant(
        sid="Rules",
        serves=("aws:cloudwatch/eventRule:EventRule", "aws:cloudwatch/eventTarget:EventTarget"),
        reads=("events:DescribeRule", "events:ListTagsForResource", "events:ListTargetsByRule"),
        writes=(
            "events:DeleteRule",
            "events:DisableRule",
            "events:EnableRule",
            "events:PutRule",
            "events:PutTargets",
            "events:RemoveTargets",
            *(f"events:{one}" for one in tagging),
        ),
        resources=[site.arn("events", f"rule/{ours}")],
    )
    yield Grant(
        sid="Topics",
        serves=(
            "aws:sns/topic:Topic",
            "aws:sns/topicPolicy:TopicPolicy",
            "aws:sns/topicSubscription:TopicSubscription",
        ),
        reads=("sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic", "sns:ListTagsForResource"),
        writes=(
            "sns:CreateTopic",
            "sns:DeleteTopic",
            "sns:Publish",
            "sns:SetTopicAttributes",
            "sns:Subscribe",
            *(f"sns:{one}" for one in tagging),
        ),
        resources=[site.arn("sns", ours)],
    )
    yield Grant(
        sid="Logs",
        serves=("aws:cloudwatch/logGroup:LogGroup",),
        reads=("logs:ListTagsForResource",),
        writes=(
            "logs:CreateLogGroup",
            "logs:DeleteLogGroup",
            "logs:DeleteRetentionPolicy",
            "logs:PutRetentionPolicy",
            *(f"logs:{one}" for one in tagging),
        ),
        resources=[
            site.arn("logs", f"log-group:{group}{end}")
            for group in (site.log_group, site.probe_log_group)
            for end in ("", ":*")
        ],
    )
    yield Grant(
        sid="WhatKnowsNoResources",
        serves=(
            "aws:cloudwatch/compositeAlarm:CompositeAlarm",
            "aws:cloudwatch/logGroup:LogGroup",
            "aws:cloudwatch/metricAlarm:MetricAlarm",
            "aws:sns/topicSubscription:TopicSubscription",
        ),
        reads=(
            "cloudtrail:DescribeTrails",
            "cloudtrail:GetEventSelectors",
            "cloudtrail:GetTrailStatus",
            "cloudwatch:DescribeAlarms",
            "cloudwatch:GetMetricData",
            "logs:DescribeLogGroups",
            "sns:GetSubscriptionAttributes",
        ),
        writes=("sns:SetSubscriptionAttributes", "sns:Unsubscribe"),
        resources=["*"],
    )


def state(site: Site) -> Iterator[Grant]:
    """The state, the records beside it and the reports. Versions aren't deleted by anybody."""
    everywhere = [site.arn("kms", "key/*")]
    for name, bucket, preview_reads in (("State", site.state_bucket, True), ("Reports", site.report_bucket, False)):
        arn = f"arn:aws:s3:::{bucket}"
        listing, getting, decrypting = ("s3:ListBucket",), ("s3:GetObject",), READ
        none: tuple[str, ...] = ()
        yield Grant(
            sid=f"List{name}",
            reads=listing if preview_reads else none,
            writes=none if preview_reads else listing,
            resources=[arn],
        )
        yield Grant(
            sid=f"Objects{name}",
            reads=getting if preview_reads else none,
            # A report is never deleted; the engine's locks are.
            writes=("s3:PutObject", *(("s3:DeleteObject",) if preview_reads else getting)),
            resources=[f"{arn}/*"],
        )
        yield Grant(
            sid=f"Key{name}",
            reads=decrypting if preview_reads else none,
            writes=WRITE,
            resources=everywhere,
            condition={
                "ForAnyValue:StringEquals": {"kms:ResourceAliases": [site.bucket_alias]},
                "StringEquals": through_s3(site, bucket),
            },
        )
    yield Grant(
        sid="EngineSecrets",
        reads=READ,
        writes=ENGINE,
        resources=everywhere,
        condition={
            "ForAnyValue:StringEquals": {"kms:ResourceAliases": [site.secrets_alias]},
            "StringEquals": encryption_context(PULUMI_SECRETS),
        },
    )


def foundation(site: Site) -> Iterator[Grant]:
    """To see that nobody has loosened what `bootstrap/` made; none of it is a secret."""
    buckets = [f"arn:aws:s3:::{bucket}" for bucket in (site.state_bucket, site.report_bucket)]
    policies = [
        *(site.policy_arn(f"{job}-{part}") for job in JOBS for part in PARTS),
        *(site.boundary_arn(what) for what in ("ci", "workload")),
    ]
    yield Grant(
        sid="SeeTheBuckets",
        reads=(
            "s3:GetBucketPolicy",
            "s3:GetBucketPublicAccessBlock",
            "s3:GetBucketTagging",
            "s3:GetBucketVersioning",
            "s3:GetEncryptionConfiguration",
            "s3:GetLifecycleConfiguration",
            "s3:ListBucket",
        ),
        resources=buckets,
    )
    yield Grant(
        sid="SeeTheKeys",
        reads=("kms:DescribeKey", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus"),
        resources=[site.arn("kms", "key/*")],
        condition={"ForAnyValue:StringEquals": {"kms:ResourceAliases": [site.bucket_alias, site.secrets_alias]}},
    )
    yield Grant(
        sid="SeeTheRoles",
        reads=("iam:GetRole", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies"),
        resources=[site.ci_role_arn(job) for job in JOBS],
    )
    yield Grant(sid="SeeTheLimits", reads=("iam:GetPolicy", "iam:GetPolicyVersion"), resources=policies)
    yield Grant(
        sid="SeeTheIdentityProvider",
        reads=("iam:GetOpenIDConnectProvider",),
        resources=[site.identity_provider_arn],
    )


JOBS = ("check", "deploy", "preview")
# A policy each: IAM bounds the length of one, and who administers keys and who uses one never stand in the same.
PARTS = {
    "keys": keys,
    "identities": identities,
    "probe": probe,
    "monitoring": monitoring,
    "state": state,
    "foundation": foundation,
}


def grants(site: Site) -> list[Grant]:
    return [grant for part in PARTS.values() for grant in part(site)]


def documents(site: Site, *, changing: bool) -> dict[str, str]:
    """Policy documents by part; a part in which nothing is left is left out."""
    found = {
        part: [one for grant in grants(site) if (one := grant.statement(changing=changing))]
        for part, grants in PARTS.items()
    }
    return {part: document(statements) for part, statements in found.items() if statements}
