"""What the edge functions may do in AWS: use the keys for their purposes, publish metrics, write one log group.

Supabase can't assume a role by itself, so it holds the access key of a user whose only right is to assume the role.
That access key is made and rotated by the operations tool and never enters Pulumi.
"""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.adoption import adopted
from components.encryption_key import USE, encryption_context
from components.naming import METRICS_FUNCTIONS, METRICS_KMS, ROLE_POLICY, USER_POLICY, Site, pascal
from components.policy_document import Statement, account_root, document, publish_metrics, write_log

SESSION_SECONDS = 3600


@dataclass(frozen=True, kw_only=True)
class FunctionAccessArgs:
    """Whose functions these are; `adopt_role` and `adopt_user` import what is there already."""

    site: Site
    external_id: str
    adopt_role: bool = False
    adopt_user: bool = False


def trust_policy(site: Site, external_id: str) -> str:
    """Only the functions' user, and only on behalf of this Supabase project."""
    return document(
        [
            {
                "Sid": "FunctionsOfThisProject",
                "Effect": "Allow",
                "Principal": account_root(site.account_id),
                "Action": "sts:AssumeRole",
                "Condition": {
                    "ArnEquals": {"aws:PrincipalArn": site.function_user_arn},
                    "StringEquals": {"sts:ExternalId": external_id},
                },
            }
        ]
    )


def role_policy(site: Site) -> str:
    """Keys are named by alias: the document stays the same when a new generation takes the alias over."""
    keys = site.arn("kms", "key/*")
    use: list[Statement] = [
        {
            "Sid": f"Use{pascal(purpose)}",
            "Effect": "Allow",
            "Action": list(USE),
            "Resource": keys,
            "Condition": {
                "ForAnyValue:StringEquals": {"kms:ResourceAliases": alias},
                "StringEquals": encryption_context(purpose),
            },
        }
        for purpose, alias in sorted(site.key_aliases.items())
    ]
    return document(
        [
            *use,
            {
                "Sid": "SeeKeyState",
                "Effect": "Allow",
                "Action": "kms:DescribeKey",
                "Resource": keys,
                "Condition": {"ForAnyValue:StringEquals": {"kms:ResourceAliases": sorted(site.key_aliases.values())}},
            },
            publish_metrics(METRICS_FUNCTIONS, METRICS_KMS),
            write_log("WriteOperationsLog", site.arn("logs", f"log-group:{site.log_group}")),
        ]
    )


def user_policy(site: Site) -> str:
    return document(
        [
            {
                "Sid": "AssumeTheFunctionsRole",
                "Effect": "Allow",
                "Action": "sts:AssumeRole",
                "Resource": site.role_arn,
            }
        ]
    )


class FunctionAccess(pulumi.ComponentResource):
    """The role that the functions work under, and the user that may do nothing but assume it."""

    role_arn: pulumi.Output[str]
    user_name: pulumi.Output[str]

    def __init__(self, name: str, args: FunctionAccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("parkerflight:iam:FunctionAccess", name, None, opts)
        site, child = args.site, pulumi.ResourceOptions(parent=self)
        role = aws.iam.Role(
            f"{name}-role",
            name=site.role,
            description="What Parker Flight's edge functions may do",
            assume_role_policy=trust_policy(site, args.external_id),
            max_session_duration=SESSION_SECONDS,
            permissions_boundary=site.workload_boundary,
            tags=site.tags,
            opts=adopted(self, site.role) if args.adopt_role else child,
        )
        aws.iam.RolePolicy(f"{name}-role", name=ROLE_POLICY, role=role.name, policy=role_policy(site), opts=child)
        user = aws.iam.User(
            f"{name}-user",
            name=site.function_user,
            permissions_boundary=site.workload_boundary,
            tags=site.tags,
            opts=adopted(self, site.function_user) if args.adopt_user else child,
        )
        aws.iam.UserPolicy(f"{name}-user", name=USER_POLICY, user=user.name, policy=user_policy(site), opts=child)
        self.role_arn = role.arn
        self.user_name = user.name
        self.register_outputs({"roleArn": self.role_arn, "userName": self.user_name})
