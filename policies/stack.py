"""Where a stack may stand and whose it is: region, account, tags, people."""

from typing import Any

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
)

from policies.configuration import ACCOUNT, CONTACTS, ENVIRONMENT, stack_config, structured

STACK = "pulumi:pulumi:Stack"
PROVIDER = "pulumi:providers:aws"
# Another region is another place for personal data: that is decided here, not in a stack's settings.
REGIONS = frozenset({"us-east-1"})
CONTACT_ROLES = ("devops", "devops-lead", "incident-commander", "security")
# Every other type of AWS takes tags; one that is missing here is asked for tags that it can't have, and is added.
WITHOUT_TAGS = frozenset(
    {
        "aws:cloudwatch/dashboard:Dashboard",
        "aws:cloudwatch/eventTarget:EventTarget",
        "aws:cloudwatch/logMetricFilter:LogMetricFilter",
        "aws:cloudwatch/logStream:LogStream",
        "aws:iam/accessKey:AccessKey",
        "aws:iam/groupPolicy:GroupPolicy",
        "aws:iam/groupPolicyAttachment:GroupPolicyAttachment",
        "aws:iam/policyAttachment:PolicyAttachment",
        "aws:iam/rolePolicy:RolePolicy",
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
        "aws:iam/userPolicy:UserPolicy",
        "aws:iam/userPolicyAttachment:UserPolicyAttachment",
        "aws:kms/alias:Alias",
        "aws:kms/grant:Grant",
        "aws:kms/keyPolicy:KeyPolicy",
        "aws:lambda/permission:Permission",
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration",
        "aws:s3/bucketPolicy:BucketPolicy",
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        "aws:s3/bucketVersioning:BucketVersioning",
        "aws:sns/topicPolicy:TopicPolicy",
        "aws:sns/topicSubscription:TopicSubscription",
    }
)


def region(args: ResourceValidationArgs, report_violation: ReportViolation) -> None:
    if args.resource_type != PROVIDER and not args.resource_type.startswith("aws:"):
        args.not_applicable("nothing of AWS")
    name = args.props.get("region")
    if name is None and args.resource_type != PROVIDER:
        args.not_applicable("it stands in its provider's region")
    if name not in REGIONS:
        report_violation(
            f"{args.name}: `region` is {name or 'missing'}; allowed is {', '.join(sorted(REGIONS))}, set by "
            "`pulumi config set aws:region`",
            None,
        )


def account(args: ResourceValidationArgs, report_violation: ReportViolation) -> None:
    if args.resource_type != PROVIDER:
        args.not_applicable("no provider of AWS")
    own = stack_config().get(ACCOUNT, "")
    allowed: Any = structured(args.props.get("allowedAccountIds")) or []
    accounts = [str(allowed[index]) for index in range(len(allowed))]
    if not own or accounts != [own]:
        report_violation(
            f"{args.name}: `allowedAccountIds` is {', '.join(accounts) or 'missing'}, the stack's account is "
            f"{own or 'missing'}: an approval holds for one account; give both the same one id ({ACCOUNT})",
            None,
        )
    if structured(args.props.get("skipRequestingAccountId")):
        report_violation(
            f"{args.name}: `skipRequestingAccountId` is on, so that nobody compares the account; remove it", None
        )


def tags(args: ResourceValidationArgs, report_violation: ReportViolation) -> None:
    if not args.resource_type.startswith("aws:") or args.resource_type in WITHOUT_TAGS:
        args.not_applicable("it takes no tags")
    given = args.props.get("tags") or {}
    demanded = {
        "Application": "parker-flight",
        "Environment": stack_config().get(ENVIRONMENT),
        "ManagedBy": "pulumi",
    }
    for name, value in demanded.items():
        if given.get(name) != value:
            report_violation(
                f"{args.name}: `tags.{name}` is {given.get(name) or 'missing'}, not {value}; pass the tags of its site",
                None,
            )


def contacts(args: ResourceValidationArgs, report_violation: ReportViolation) -> None:
    if args.resource_type != STACK:
        args.not_applicable("not the stack itself")
    named: Any = structured(stack_config().get(CONTACTS))
    for role in CONTACT_ROLES:
        person: Any = named.get(role) if isinstance(named, dict) else None
        given: Any = person if isinstance(person, dict) else {}
        lacking = [field for field in ("name", "email") if not str(given.get(field) or "").strip()]
        if lacking:
            report_violation(
                f"nobody can be called: {CONTACTS}.{role} has no {' and no '.join(lacking)}; "
                + "; ".join(f"`pulumi config set --path '{CONTACTS}.{role}.{field}' <value>`" for field in lacking),
                None,
            )


POLICIES: list[Policy] = [
    ResourceValidationPolicy(
        name="stack-region",
        description="Everything stands in a region that is allowed.",
        validate=region,
        enforcement_level=EnforcementLevel.MANDATORY,
    ),
    ResourceValidationPolicy(
        name="stack-account",
        description="Every provider of AWS is bound to the one account of the stack.",
        validate=account,
        enforcement_level=EnforcementLevel.MANDATORY,
    ),
    ResourceValidationPolicy(
        name="stack-tags",
        description="Whatever takes tags says what it belongs to.",
        validate=tags,
        enforcement_level=EnforcementLevel.MANDATORY,
    ),
    ResourceValidationPolicy(
        name="stack-contacts",
        description="For each role there is somebody to call.",
        validate=contacts,
        enforcement_level=EnforcementLevel.MANDATORY,
    ),
]
