"""Keys: they rotate, can't get lost, and are used by those who should, for what they should."""

import re
from collections.abc import Iterator

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
)

from policies.configuration import ACCOUNT, stack_config
from policies.documents import KEYS, Kind, Statement, belongs, documents, has_wildcard, unnamed

KEY = "aws:kms/key:Key"
ALIAS = "aws:kms/alias:Alias"
GRANT = "aws:kms/grant:Grant"
LONGEST_ROTATION_DAYS = 365
DELETION_WINDOW_DAYS = 30  # the longest that KMS knows: time to notice
CONTEXT = ("kms:EncryptionContext:application", "kms:EncryptionContext:purpose")
# S3 sets a context of its own: the bucket, where one key of the bucket covers its objects.
BUCKET_CONTEXT = "kms:EncryptionContext:aws:s3:arn"
S3 = re.compile(r"s3\.[a-z0-9-]+\.amazonaws\.com")

USES = (
    "kms:Decrypt",
    "kms:DeriveSharedSecret",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyPair",
    "kms:GenerateDataKeyPairWithoutPlaintext",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:GenerateMac",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "kms:Sign",
    "kms:Verify",
    "kms:VerifyMac",
)
ADMINISTRATION = (
    "kms:CancelKeyDeletion",
    "kms:CreateAlias",
    "kms:CreateGrant",
    "kms:DeleteAlias",
    "kms:DeleteImportedKeyMaterial",
    "kms:DisableKey",
    "kms:DisableKeyRotation",
    "kms:EnableKey",
    "kms:EnableKeyRotation",
    "kms:ImportKeyMaterial",
    "kms:PutKeyPolicy",
    "kms:ReplicateKey",
    "kms:RevokeGrant",
    "kms:RotateKeyOnDemand",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateAlias",
    "kms:UpdateKeyDescription",
    "kms:UpdatePrimaryRegion",
)


def spelled(days: object) -> str:
    return "missing" if days is None else f"{days:g}" if isinstance(days, int | float) else "no number"


def rotation(args: ResourceValidationArgs, report_violation: ReportViolation) -> None:
    if args.resource_type == "aws:kms/externalKey:ExternalKey":
        report_violation(f"{args.name}: KMS rotates no imported key material; use an {KEY}", None)
        return
    if args.resource_type != KEY:
        args.not_applicable("no key")
    if args.props.get("enableKeyRotation") is not True:
        report_violation(f"{args.name}: `enableKeyRotation` is not true; set it", None)
    days = args.props.get("rotationPeriodInDays")
    if not isinstance(days, int | float) or not 0 < days <= LONGEST_ROTATION_DAYS:
        report_violation(
            f"{args.name}: `rotationPeriodInDays` is {spelled(days)}; write out at most {LONGEST_ROTATION_DAYS}", None
        )


def deletion_window(args: ResourceValidationArgs, report_violation: ReportViolation) -> None:
    if args.resource_type not in KEYS:
        args.not_applicable("no key")
    days = args.props.get("deletionWindowInDays")
    if days != DELETION_WINDOW_DAYS:
        report_violation(
            f"{args.name}: `deletionWindowInDays` is {spelled(days)}; write out {DELETION_WINDOW_DAYS}, the "
            "time to notice a deletion by mistake",
            None,
        )


def protected(args: ResourceValidationArgs, report_violation: ReportViolation) -> None:
    if args.resource_type not in {*KEYS, ALIAS}:
        args.not_applicable("neither a key nor an alias")
    if not args.opts.protect:
        report_violation(f"{args.name}: the option `protect` is off; set it, also through the parent", None)


def principals(args: ResourceValidationArgs, report_violation: ReportViolation) -> None:
    for document in documents(args, report_violation, Kind.KEY):
        for statement in document.statements:
            for wrong in unnamed(statement):
                report_violation(f"{args.name}: `{document.where}`, {statement.label}: {wrong}", None)


def no_lockout(args: ResourceValidationArgs, report_violation: ReportViolation) -> None:
    found, account = documents(args, report_violation, Kind.KEY), stack_config().get(ACCOUNT, "")
    if args.props.get("bypassPolicyLockoutSafetyCheck"):
        report_violation(f"{args.name}: `bypassPolicyLockoutSafetyCheck` is on; remove it", None)
    for document in found:
        about = [statement for statement in document.statements if statement.covers("kms:PutKeyPolicy")]
        free = [each for each in about if each.allows and not each.conditions]
        if not any(belongs(named, account) for each in free for named in each.principals.get("AWS", ())):
            report_violation(
                f"{args.name}: `{document.where}` leaves kms:PutKeyPolicy to nobody of the account without condition; "
                "allow it to the account, or the key can never be administered again",
                None,
            )
        for statement in about:
            if not statement.allows and not statement.conditions:
                report_violation(
                    f"{args.name}: `{document.where}`, {statement.label}: it denies kms:PutKeyPolicy without a "
                    "condition; leave that action out",
                    None,
                )


def identities(statement: Statement) -> Iterator[str]:
    """Who a statement is for: those that a condition narrows its principals to, else the principals."""
    narrowed = statement.condition("aws:PrincipalArn", "ArnEquals", "StringEquals")
    yield from narrowed or (principal for several in statement.principals.values() for principal in several)


def is_account(principal: str) -> bool:
    return principal.endswith(":root") or principal.isdigit() or has_wildcard(principal)


def separation(args: ResourceValidationArgs, report_violation: ReportViolation) -> None:
    for document in documents(args, report_violation, Kind.KEY, Kind.IDENTITY):
        users: set[str] = set()
        administrators: set[str] = set()
        for statement in document.allowing:
            uses = [action for action in USES if statement.covers(action)]
            administers = [action for action in ADMINISTRATION if statement.covers(action)]
            named = set(identities(statement)) if document.kind is Kind.KEY else {"its holder"}
            at = f"{args.name}: `{document.where}`, {statement.label}"
            if uses and administers:
                report_violation(f"{at}: it allows both {uses[0]} and {administers[0]}; allow one of them", None)
                continue
            users |= named if uses else set()
            administrators |= named if administers else set()
            for whole in sorted(each for each in named if uses and is_account(each)):
                report_violation(
                    f"{at}: it allows {uses[0]} to {whole}, and so to the administrators; name the users, by Principal "
                    "or by ArnEquals on aws:PrincipalArn",
                    None,
                )
        for both in sorted(each for each in users & administrators if not is_account(each)):
            report_violation(f"{args.name}: `{document.where}`: {both} may both administer and use; allow one", None)


def is_of_one_bucket(statement: Statement) -> bool:
    """Whether it lets S3 alone use the key, for one bucket."""
    bucket, services = (
        statement.condition(BUCKET_CONTEXT, "StringEquals"),
        statement.condition("kms:ViaService", "StringEquals"),
    )
    return len(bucket) == 1 and not has_wildcard(bucket[0]) and bool(services) and all(map(S3.fullmatch, services))


def encryption_context(args: ResourceValidationArgs, report_violation: ReportViolation) -> None:
    for document in documents(args, report_violation, Kind.KEY, Kind.IDENTITY):
        for statement in document.allowing:
            uses = [action for action in USES if statement.covers(action)]
            for key in CONTEXT if uses and not is_of_one_bucket(statement) else ():
                demanded = statement.condition(key, "StringEquals")
                if len(demanded) != 1 or has_wildcard(demanded[0]):
                    report_violation(
                        f"{args.name}: `{document.where}`, {statement.label}: it allows {uses[0]} without one exact "
                        f"{key}; demand it by StringEquals",
                        None,
                    )


def no_grants(args: ResourceValidationArgs, report_violation: ReportViolation) -> None:
    if args.resource_type == GRANT:
        report_violation(f"{args.name}: a grant gives use past the key's policy; write it into that policy", None)
        return
    for document in documents(args, report_violation, Kind.KEY, Kind.IDENTITY):
        for statement in document.allowing:
            if statement.covers("kms:CreateGrant") and statement.condition("kms:GrantIsForAWSResource", "Bool") != (
                "true",
            ):
                report_violation(
                    f"{args.name}: `{document.where}`, {statement.label}: it allows kms:CreateGrant; leave it out, or "
                    "demand kms:GrantIsForAWSResource by Bool",
                    None,
                )


POLICIES: list[Policy] = [
    ResourceValidationPolicy(
        name="kms-key-rotation",
        description=f"Keys rotate by themselves, at least every {LONGEST_ROTATION_DAYS} days.",
        validate=rotation,
        enforcement_level=EnforcementLevel.MANDATORY,
    ),
    ResourceValidationPolicy(
        name="kms-key-deletion-window",
        description=f"A scheduled deletion of a key leaves {DELETION_WINDOW_DAYS} days to notice.",
        validate=deletion_window,
        enforcement_level=EnforcementLevel.MANDATORY,
    ),
    ResourceValidationPolicy(
        name="kms-key-protected",
        description="Keys and aliases are protected: no update or destroy takes one away.",
        validate=protected,
        enforcement_level=EnforcementLevel.MANDATORY,
    ),
    ResourceValidationPolicy(
        name="kms-key-principals",
        description="A key's policy names who it is for, without wildcards and without NotPrincipal.",
        validate=principals,
        enforcement_level=EnforcementLevel.MANDATORY,
    ),
    ResourceValidationPolicy(
        name="kms-key-no-lockout",
        description="Somebody can always change a key's policy.",
        validate=no_lockout,
        enforcement_level=EnforcementLevel.MANDATORY,
    ),
    ResourceValidationPolicy(
        name="kms-key-separation",
        description="Who administers a key can't use it, and who uses it can't administer it.",
        validate=separation,
        enforcement_level=EnforcementLevel.MANDATORY,
    ),
    ResourceValidationPolicy(
        name="kms-encryption-context",
        description="Keys are used only with the encryption context of one application and one purpose.",
        validate=encryption_context,
        enforcement_level=EnforcementLevel.MANDATORY,
    ),
    ResourceValidationPolicy(
        name="kms-no-grants",
        description="Nobody hands on the use of a key by a grant, except for resources of AWS.",
        validate=no_grants,
        enforcement_level=EnforcementLevel.MANDATORY,
    ),
]
