"""A customer-managed KMS key with its alias and policy. Rotation, protection and split duties are not optional."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.naming import APPLICATION, DataClass, Site
from components.policy_document import account_root, document

ROTATION_DAYS = range(90, 2561)  # AWS rejects anything else, but only mid-deploy.
DELETION_WINDOW_DAYS = 30  # the longest: time to notice

# Nobody may schedule a deletion: that takes a change of this policy first, which is approved and alarmed.
# kms:PutKeyPolicy has to stay, or the key could never be administered again.
ADMINISTRATION = (
    "kms:CancelKeyDeletion",
    "kms:CreateAlias",
    "kms:DeleteAlias",
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:EnableKey",
    "kms:EnableKeyRotation",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:ListGrants",
    "kms:ListKeyPolicies",
    "kms:ListKeyRotations",
    "kms:ListResourceTags",
    "kms:PutKeyPolicy",
    "kms:RevokeGrant",
    "kms:RotateKeyOnDemand",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateAlias",
    "kms:UpdateKeyDescription",
)
USE = ("kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey")


def encryption_context(purpose: str) -> dict[str, str]:
    """The condition that ties a use of a key to what the ciphertext says it is."""
    return {"kms:EncryptionContext:application": APPLICATION, "kms:EncryptionContext:purpose": purpose}


def key_policy(site: Site, purpose: str) -> str:
    """Administrators can't encrypt or decrypt, the role can't administer; neither can without a policy of its own."""
    return document(
        [
            {
                "Sid": "Administration",
                "Effect": "Allow",
                "Principal": account_root(site.account_id),
                "Action": list(ADMINISTRATION),
                "Resource": "*",
            },
            {
                "Sid": "Use",
                "Effect": "Allow",
                "Principal": account_root(site.account_id),
                "Action": list(USE),
                "Resource": "*",
                "Condition": {
                    "ArnEquals": {"aws:PrincipalArn": site.role_arn},
                    "StringEquals": encryption_context(purpose),
                },
            },
        ]
    )


@dataclass(frozen=True, kw_only=True)
class EncryptionKeyArgs:
    """What a caller may decide about a key."""

    site: Site
    data_class: DataClass
    rotation_days: int = 365
    existing_key_id: str | None = None

    def __post_init__(self) -> None:
        if self.rotation_days not in ROTATION_DAYS:
            raise ValueError(
                f"rotation_days is {self.rotation_days}; KMS takes {ROTATION_DAYS.start} to {ROTATION_DAYS.stop - 1}"
            )


class EncryptionKey(pulumi.ComponentResource):
    """One key per data class. Callers refer to the alias, so that a new generation moves nothing but the alias.

    The key's resource is named by its generation: a later one stands beside it and the alias moves. The older keeps
    decrypting where role and boundary name an alias of its own. No generation is ever removed: deleting a key deletes
    what it encrypted.

    An existing key (`existing_key_id`) is imported with its alias: the engine reads both, then brings policy, rotation
    and tags to what is declared here. It fails when either doesn't exist, and never makes another. Such a key is its
    own generation, named by its id: under a common name the engine would replace one key by the other and move the
    alias, protected or not; so it finds a protected key gone from the program, and refuses.
    """

    arn: pulumi.Output[str]
    key_id: pulumi.Output[str]
    alias_name: pulumi.Output[str]

    def __init__(self, name: str, args: EncryptionKeyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("parkerflight:kms:EncryptionKey", name, None, opts)
        key = aws.kms.Key(
            f"{name}-{args.existing_key_id or '1'}",
            description=f"{APPLICATION}: {args.data_class.holds}",
            policy=key_policy(args.site, args.data_class.purpose),
            enable_key_rotation=True,
            rotation_period_in_days=args.rotation_days,
            deletion_window_in_days=DELETION_WINDOW_DAYS,
            tags={**args.site.tags, "DataClass": args.data_class.name},
            opts=self._kept(args.existing_key_id),
        )
        alias_name = args.site.alias(args.data_class)
        alias = aws.kms.Alias(
            name,
            name=alias_name,
            target_key_id=key.key_id,
            opts=self._kept(alias_name if args.existing_key_id else None),
        )
        self.arn = key.arn
        self.key_id = key.key_id
        self.alias_name = alias.name
        self.register_outputs({"arn": self.arn, "keyId": self.key_id, "aliasName": self.alias_name})

    def _kept(self, existing: str | None) -> pulumi.ResourceOptions:
        """`protect` makes the engine refuse; `retain_on_delete` keeps the key in AWS even if someone unprotects it."""
        return pulumi.ResourceOptions(parent=self, protect=True, retain_on_delete=True, import_=existing)
