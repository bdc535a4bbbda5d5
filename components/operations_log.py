"""The log group of the KMS operations. It always has a retention: by default CloudWatch keeps for ever."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.adoption import adopted
from components.naming import Site


@dataclass(frozen=True, kw_only=True)
class OperationsLogArgs:
    site: Site
    retention_days: int
    adopt: bool = False


class OperationsLog(pulumi.ComponentResource):
    name: pulumi.Output[str]
    arn: pulumi.Output[str]

    def __init__(self, name: str, args: OperationsLogArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("parkerflight:logs:OperationsLog", name, None, opts)
        group = aws.cloudwatch.LogGroup(
            name,
            name=args.site.log_group,
            retention_in_days=args.retention_days,
            tags=args.site.tags,
            opts=adopted(self, args.site.log_group) if args.adopt else pulumi.ResourceOptions(parent=self),
        )
        self.name = group.name
        self.arn = group.arn
        self.register_outputs({"name": self.name, "arn": self.arn})
