"""A permissions boundary: a policy that limits and grants nothing."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.naming import BOUNDARIES, Site


@dataclass(frozen=True, kw_only=True)
class BoundaryArgs:
    site: Site
    what: str
    policy: str
    description: str


class Boundary(pulumi.ComponentResource):
    """Protected: without it a role could do all that its policies say."""

    arn: pulumi.Output[str]
    name: pulumi.Output[str]

    def __init__(self, name: str, args: BoundaryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("parkerflight:iam:Boundary", name, None, opts)
        policy = aws.iam.Policy(
            name,
            name=f"{args.site.policy(args.what)}-boundary",
            path=BOUNDARIES,
            description=args.description,
            policy=args.policy,
            tags=args.site.tags,
            opts=pulumi.ResourceOptions(parent=self, protect=True),
        )
        self.arn = policy.arn
        self.name = policy.name
        self.register_outputs({"arn": self.arn, "name": self.name})
