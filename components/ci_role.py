"""A role for one kind of GitHub job: who may assume it, what it may do, and what nobody can make it do."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.naming import GITHUB, Site
from components.policy_document import document

AUDIENCE = "sts.amazonaws.com"
SESSION_SECONDS = 3600


@dataclass(frozen=True, kw_only=True)
class CIRoleArgs:
    """`subject`: the one claim `sub` that GitHub gives this job's token. `policies`: documents by a short name."""

    site: Site
    what: str
    subject: str
    policies: Mapping[str, str]


def trust_policy(site: Site, subject: str) -> str:
    """One audience and one exact subject: no other repository, branch or environment."""
    return document(
        [
            {
                "Sid": "OneKindOfJob",
                "Effect": "Allow",
                "Principal": {"Federated": site.identity_provider_arn},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {"StringEquals": {f"{GITHUB}:aud": AUDIENCE, f"{GITHUB}:sub": subject}},
            }
        ]
    )


class CIRole(pulumi.ComponentResource):
    """Policies stand by themselves and are attached: people who deploy by hand attach the same to their own role."""

    arn: pulumi.Output[str]
    name: pulumi.Output[str]

    def __init__(self, name: str, args: CIRoleArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("parkerflight:iam:CIRole", name, None, opts)
        site, child = args.site, pulumi.ResourceOptions(parent=self)
        role = aws.iam.Role(
            name,
            name=site.ci_role(args.what),
            description=f"Parker Flight's jobs that {args.what}",
            assume_role_policy=trust_policy(site, args.subject),
            max_session_duration=SESSION_SECONDS,
            permissions_boundary=site.boundary_arn("ci"),
            tags=site.tags,
            opts=child,
        )
        for part, policy in args.policies.items():
            made = aws.iam.Policy(
                f"{name}-{part}",
                name=site.policy(f"{args.what}-{part}"),
                description=f"What a job that may {args.what} may do: {part}",
                policy=policy,
                tags=site.tags,
                opts=child,
            )
            aws.iam.RolePolicyAttachment(
                f"{name}-{part}",
                role=site.ci_role(args.what),
                policy_arn=site.policy_arn(f"{args.what}-{part}"),
                opts=pulumi.ResourceOptions(parent=self, depends_on=[role, made]),
            )
        self.arn = role.arn
        self.name = role.name
        self.register_outputs({"arn": self.arn, "name": self.name})
