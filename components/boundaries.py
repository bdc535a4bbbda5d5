"""What no policy can give: to the jobs that preview and deploy, and to the roles that a deployment makes.

A boundary allows nothing by itself; a role may do what its boundary and its policies both allow.
"""

from components.naming import APPLICATION, Site
from components.policy_document import Statement, document
from components.rights import JOBS

LOSES_KEYS = (
    "kms:DeleteImportedKeyMaterial",
    "kms:DisableKey",
    "kms:DisableKeyRotation",
    "kms:ScheduleKeyDeletion",
)
USES_KEYS = (
    "kms:CreateGrant",
    "kms:Decrypt",
    "kms:Encrypt",
    "kms:GenerateDataKey*",
    "kms:ReEncrypt*",
)
_NO_KEY_IS_LOST: Statement = {"Sid": "NoKeyIsLost", "Effect": "Deny", "Action": list(LOSES_KEYS), "Resource": "*"}


def of_ci(site: Site) -> str:
    """Of the jobs' roles: everything but what would free them of their limits, lose a key or read customer data."""
    buckets = [f"arn:aws:s3:::{bucket}" for bucket in (site.state_bucket, site.report_bucket)]
    own = [
        *(site.ci_role_arn(job) for job in JOBS),
        *(site.policy_arn(f"{job}-*") for job in JOBS),
        site.boundary_arn("*").removesuffix("-boundary"),
        site.identity_provider_arn,
    ]
    of_the_state = {"kms:ResourceAliases": [site.bucket_alias, site.secrets_alias]}
    kept = {"ForAnyValue:StringEquals": of_the_state}
    # Without any alias, too. What a service encrypts with a key of AWS's own, as SSM a parameter, is no data of ours.
    others = {"ForAllValues:StringNotEquals": of_the_state, "Null": {"kms:ViaService": "true"}}
    data = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": sorted(site.key_aliases.values())}}
    return document(
        [
            {"Sid": "WhatItsPoliciesAllow", "Effect": "Allow", "Action": "*", "Resource": "*"},
            _NO_KEY_IS_LOST,
            {
                "Sid": "ItselfAndItsLimits",
                "Effect": "Deny",
                "NotAction": ["iam:Get*", "iam:List*"],
                "Resource": own,
            },
            {
                "Sid": "NobodyWithoutABoundary",
                "Effect": "Deny",
                "Action": [
                    "iam:AttachRolePolicy",
                    "iam:AttachUserPolicy",
                    "iam:CreateRole",
                    "iam:CreateUser",
                    "iam:PutRolePermissionsBoundary",
                    "iam:PutRolePolicy",
                    "iam:PutUserPermissionsBoundary",
                    "iam:PutUserPolicy",
                ],
                "Resource": "*",
                "Condition": {"StringNotEquals": {"iam:PermissionsBoundary": site.boundary_arn("workload")}},
            },
            {
                "Sid": "NoBoundaryIsTakenOff",
                "Effect": "Deny",
                "Action": ["iam:DeleteRolePermissionsBoundary", "iam:DeleteUserPermissionsBoundary"],
                "Resource": "*",
            },
            {
                "Sid": "TheBucketsThemselves",
                "Effect": "Deny",
                "NotAction": ["s3:DeleteObject", "s3:Get*", "s3:List*", "s3:PutObject"],
                "Resource": [*buckets, *(f"{bucket}/*" for bucket in buckets)],
            },
            {
                "Sid": "TheKeysOfTheState",
                "Effect": "Deny",
                "NotAction": ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey", "kms:Get*"],
                "Resource": "*",
                "Condition": kept,
            },
            {
                "Sid": "NoCustomerData",
                "Effect": "Deny",
                "Action": list(USES_KEYS),
                "Resource": "*",
                "Condition": data,
            },
            {
                # Else a key would serve whoever has moved its alias to another first.
                "Sid": "NoKeyButThoseOfTheState",
                "Effect": "Deny",
                "Action": list(USES_KEYS),
                "Resource": "*",
                "Condition": others,
            },
        ]
    )


def of_workloads(site: Site) -> str:
    """Of every role and user that a deployment makes: whatever is written into their policies, no more than this."""
    ours = f"{APPLICATION}-{site.environment}-*"
    return document(
        [
            {
                "Sid": "UseKeys",
                "Effect": "Allow",
                "Action": ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"],
                "Resource": site.arn("kms", "key/*"),
                "Condition": {"ForAnyValue:StringEquals": {"kms:ResourceAliases": sorted(site.key_aliases.values())}},
            },
            {
                "Sid": "PublishAndRead",
                "Effect": "Allow",
                "Action": ["cloudwatch:GetMetricData", "cloudwatch:PutMetricData"],
                "Resource": "*",
            },
            {
                "Sid": "WriteLogs",
                "Effect": "Allow",
                "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                "Resource": [
                    site.arn("logs", f"log-group:/{APPLICATION}/{site.environment}/*"),
                    site.arn("logs", f"log-group:/aws/lambda/{ours}"),
                ],
            },
            {
                "Sid": "ReadParameters",
                "Effect": "Allow",
                "Action": ["ssm:GetParameter", "ssm:GetParameters"],
                "Resource": site.arn("ssm", f"parameter/{APPLICATION}/{site.environment}/*"),
            },
            {"Sid": "AssumeTheRole", "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": site.role_arn},
            {
                "Sid": "SeeTheAccessKey",
                "Effect": "Allow",
                "Action": "iam:ListAccessKeys",
                "Resource": site.function_user_arn,
            },
            _NO_KEY_IS_LOST,
        ]
    )
