"""The keys that a stack's own state needs: of the buckets that hold it, and of the engine for a stack's secrets."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.encryption_key import ADMINISTRATION, DELETION_WINDOW_DAYS, encryption_context
from components.naming import PULUMI_SECRETS, Site
from components.policy_document import Statement, account_root, document

ROTATION_DAYS = 365
READERS = ("check", "preview")  # the jobs that only read
READ, WRITE = ("kms:Decrypt",), ("kms:Decrypt", "kms:GenerateDataKey")
ENGINE = ("kms:Decrypt", "kms:Encrypt")


def through_s3(site: Site, bucket: str) -> dict[str, str]:
    """S3 uses the key, and for that bucket: with a key of the bucket, this is the context of all that is in it."""
    return {
        "kms:EncryptionContext:aws:s3:arn": f"arn:aws:s3:::{bucket}",
        "kms:ViaService": f"s3.{site.region}.amazonaws.com",
    }


def buckets_key_policy(site: Site, operators: Sequence[str]) -> str:
    writers = [site.ci_role_arn("deploy"), *operators]
    return _policy(
        site,
        [
            ("WriteState", writers, WRITE, through_s3(site, site.state_bucket)),
            ("WriteReports", writers, WRITE, through_s3(site, site.report_bucket)),
            ("ReadState", [site.ci_role_arn(job) for job in READERS], READ, through_s3(site, site.state_bucket)),
        ],
    )


def secrets_key_policy(site: Site, operators: Sequence[str]) -> str:
    """The engine opens the stack's data key at each run, a preview too. No secret value is in the state."""
    context = encryption_context(PULUMI_SECRETS)
    return _policy(
        site,
        [
            ("Engine", [site.ci_role_arn("deploy"), *operators], ENGINE, context),
            ("EngineOfAPreview", [site.ci_role_arn(job) for job in READERS], READ, context),
        ],
    )


def _policy(site: Site, uses: Sequence[tuple[str, Sequence[str], Sequence[str], dict[str, str]]]) -> str:
    """Of a use: its name, who, what, under which exact conditions."""
    administration: Statement = {
        "Sid": "Administration",
        "Effect": "Allow",
        "Principal": account_root(site.account_id),
        "Action": list(ADMINISTRATION),
        "Resource": "*",
    }
    return document(
        [
            administration,
            *(
                {
                    "Sid": sid,
                    "Effect": "Allow",
                    "Principal": account_root(site.account_id),
                    "Action": list(actions),
                    "Resource": "*",
                    "Condition": {"ArnEquals": {"aws:PrincipalArn": list(who)}, "StringEquals": exactly},
                }
                for sid, who, actions, exactly in uses
            ),
        ]
    )


@dataclass(frozen=True, kw_only=True)
class KeptKeyArgs:
    site: Site
    alias: str
    description: str
    policy: str


class KeptKey(pulumi.ComponentResource):
    """Rotated, protected and kept: without it the state can't be read."""

    arn: pulumi.Output[str]
    alias_name: pulumi.Output[str]

    def __init__(self, name: str, args: KeptKeyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("parkerflight:kms:KeptKey", name, None, opts)
        kept = pulumi.ResourceOptions(parent=self, protect=True, retain_on_delete=True)
        key = aws.kms.Key(
            name,
            description=args.description,
            policy=args.policy,
            enable_key_rotation=True,
            rotation_period_in_days=ROTATION_DAYS,
            deletion_window_in_days=DELETION_WINDOW_DAYS,
            tags={**args.site.tags, "Serves": name},  # what finds it again, where the state was lost
            opts=kept,
        )
        alias = aws.kms.Alias(name, name=args.alias, target_key_id=key.key_id, opts=kept)
        self.arn = key.arn
        self.alias_name = alias.name
        self.register_outputs({"arn": self.arn, "aliasName": self.alias_name})
