"""Who may do what: nothing by wildcard, nobody unnamed, no deputy who can be confused, no key that lives for ever."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
)

from policies.configuration import ACCOUNT, stack_config
from policies.documents import BOUNDARIES, ROLE, Kind, Statement, belongs, documents, has_wildcard, unnamed

GRANTING = tuple(kind for kind in Kind if kind is not Kind.BOUNDARY)
NEVER = ("kms:DisableKey", "kms:ScheduleKeyDeletion")  # whatever else a boundary lets through
ATTACHMENTS: Mapping[str, str] = {
    ROLE: "managedPolicyArns",
    "aws:iam/groupPolicyAttachment:GroupPolicyAttachment": "policyArn",
    "aws:iam/groupPolicyAttachmentsExclusive:GroupPolicyAttachmentsExclusive": "policyArns",
    "aws:iam/policyAttachment:PolicyAttachment": "policyArn",
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": "policyArn",
    "aws:iam/rolePolicyAttachmentsExclusive:RolePolicyAttachmentsExclusive": "policyArns",
    "aws:iam/userPolicyAttachment:UserPolicyAttachment": "policyArn",
    "aws:iam/userPolicyAttachmentsExclusive:UserPolicyAttachmentsExclusive": "policyArns",
}
EVENTS, PUBLISH = "events.amazonaws.com", "sns:Publish"  # AWS knows no conditions for the one at the other
LONG_LIVED = frozenset(
    {
        "aws:iam/accessKey:AccessKey",
        "aws:iam/serviceSpecificCredential:ServiceSpecificCredential",
        "aws:iam/userLoginProfile:UserLoginProfile",
    }
)


@dataclass(frozen=True, kw_only=True)
class WildcardException:
    """Where a wildcard in a Resource is right: these actions alone, on such a resource, limited by that condition."""

    actions: frozenset[str]
    resource: re.Pattern[str]
    condition: tuple[str, str] | None  # operator and context key
    reason: str

    def holds(self, statement: Statement, resource: str) -> bool:
        return (
            self.actions >= set(statement.actions)
            and not statement.not_actions
            and self.resource.fullmatch(resource) is not None
            and (self.condition is None or self._limits(statement, *self.condition))
        )

    @staticmethod
    def _limits(statement: Statement, operator: str, key: str) -> bool:
        values = statement.condition(key, operator)
        return bool(values) and not any(has_wildcard(value) for value in values)


EXCEPTIONS = (
    WildcardException(
        actions=frozenset({"cloudwatch:PutMetricData"}),
        resource=re.compile(r"\*"),
        condition=("StringEquals", "cloudwatch:namespace"),
        reason="the action knows no resources; the namespace is its limit",
    ),
    WildcardException(
        actions=frozenset({"cloudwatch:GetMetricData"}),
        resource=re.compile(r"\*"),
        condition=None,
        reason="the action knows neither resources nor conditions, and reads figures",
    ),
    WildcardException(
        actions=frozenset({"kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"}),
        resource=re.compile(r"arn:aws:kms:[a-z0-9-]+:[0-9]{12}:key/\*"),
        condition=("ForAnyValue:StringEquals", "kms:ResourceAliases"),
        reason="keys are named by alias, so that a new generation changes no document",
    ),
    WildcardException(
        actions=frozenset({"logs:CreateLogStream", "logs:PutLogEvents"}),
        resource=re.compile(r"arn:aws:logs:[a-z0-9-]+:[0-9]{12}:log-group:[^*?:]+:\*"),
        condition=None,
        reason="the streams of one named log group",
    ),
)
# Policies of AWS's own that may be attached, with the reason; they are as wide as AWS makes them.
LISTED_POLICIES: Mapping[str, str] = {}


def no_wildcard_action(args: ResourceValidationArgs, report_violation: ReportViolation) -> None:
    for document in documents(args, report_violation, *GRANTING):
        for statement in document.allowing:
            at = f"{args.name}: `{document.where}`, {statement.label}"
            if statement.not_actions:
                report_violation(f"{at}: NotAction allows everything else; list the actions", None)
            for action in filter(has_wildcard, statement.actions):
                report_violation(f"{at}: the Action {action} is a wildcard; list the actions", None)


def no_wildcard_resource(exceptions: Sequence[WildcardException]) -> Policy:
    def validate(args: ResourceValidationArgs, report_violation: ReportViolation) -> None:
        for document in documents(args, report_violation, *GRANTING):
            for statement in document.allowing:
                at = f"{args.name}: `{document.where}`, {statement.label}"
                if statement.not_resources:
                    report_violation(f"{at}: NotResource allows everything else; list the resources", None)
                elif not statement.resources and document.kind is Kind.IDENTITY:
                    report_violation(f"{at}: it names no Resource; list the resources", None)
                for resource in filter(has_wildcard, statement.resources):
                    if document.kind is Kind.KEY and resource == "*":  # in a key's own policy: this key
                        continue
                    if not any(exception.holds(statement, resource) for exception in exceptions):
                        report_violation(
                            f"{at}: the Resource {resource} is a wildcard and no listed exception; name the resource, "
                            "or add a reasoned entry to EXCEPTIONS in policies/access.py",
                            None,
                        )

    return ResourceValidationPolicy(
        name="iam-no-wildcard-resource",
        description="Policies name the resources that they allow, beyond listed exceptions.",
        validate=validate,
        enforcement_level=EnforcementLevel.MANDATORY,
    )


def named_principals(args: ResourceValidationArgs, report_violation: ReportViolation) -> None:
    for document in documents(args, report_violation, Kind.TRUST, Kind.RESOURCE):
        for statement in document.statements:
            for wrong in unnamed(statement):
                report_violation(f"{args.name}: `{document.where}`, {statement.label}: {wrong}", None)


def oidc_subject(args: ResourceValidationArgs, report_violation: ReportViolation) -> None:
    for document in documents(args, report_violation, Kind.TRUST):
        for statement in document.allowing:
            at = f"{args.name}: `{document.where}`, {statement.label}"
            providers = statement.principals.get("Federated", ())
            if not providers and statement.covers("sts:AssumeRoleWithWebIdentity"):
                report_violation(f"{at}: it allows a web identity without a Federated principal; name one", None)
            for issuer in (provider.partition(":oidc-provider/")[2] or provider for provider in providers):
                for claim in ("aud", "sub"):
                    demanded = statement.condition(f"{issuer}:{claim}", "StringEquals")
                    if len(demanded) != 1 or has_wildcard(demanded[0]):
                        report_violation(f"{at}: demand one exact {issuer}:{claim} by StringEquals", None)


def oidc_boundary(args: ResourceValidationArgs, report_violation: ReportViolation) -> None:
    for document in documents(args, report_violation, Kind.TRUST):
        lets_in = [one for one in document.allowing if one.covers("sts:AssumeRoleWithWebIdentity")]
        if lets_in and f":policy{BOUNDARIES}" not in str(args.props.get("permissionsBoundary") or ""):
            report_violation(
                f"{args.name}: an identity provider's jobs assume it, and `permissionsBoundary` is no policy below "
                f"{BOUNDARIES}; name one",
                None,
            )


def boundary(args: ResourceValidationArgs, report_violation: ReportViolation) -> None:
    for document in documents(args, report_violation, Kind.BOUNDARY):
        denying = [one for one in document.statements if not one.allows and not one.conditions]
        for action in NEVER:
            if not any(one.resources == ("*",) and one.covers(action) for one in denying):
                report_violation(
                    f"{args.name}: `{document.where}` doesn't deny {action} on every resource, without a condition; "
                    "deny it",
                    None,
                )


def unbound(statement: Statement, account: str) -> Iterator[str]:
    """Whom a statement lets in on behalf of just anybody."""
    external_id = statement.condition("sts:ExternalId", "StringEquals")
    for principal in statement.principals.get("AWS", ()):
        if not belongs(principal, account) and (not external_id or any(map(has_wildcard, external_id))):
            yield f"{principal} is of another account; demand sts:ExternalId by StringEquals"
    arns = statement.condition("aws:SourceArn", "ArnEquals", "ArnLike", "StringEquals", "StringLike")
    bound = statement.condition("aws:SourceAccount", "StringEquals") == (account,) or (
        bool(arns) and all(belongs(arn, account) for arn in arns)
    )
    for service in statement.principals.get("Service", ()):
        if service == EVENTS and statement.actions == (PUBLISH,):
            if statement.conditions:
                yield f"{service} meets no condition at a topic, so nothing would be published; remove them"
        elif not bound:
            yield f"{service} works for every customer of AWS; demand aws:SourceAccount {account} by StringEquals"


def confused_deputy(args: ResourceValidationArgs, report_violation: ReportViolation) -> None:
    for document in documents(args, report_violation, Kind.TRUST, Kind.RESOURCE):
        account = stack_config().get(ACCOUNT, "")
        for statement in document.allowing:
            for wrong in unbound(statement, account):
                report_violation(f"{args.name}: `{document.where}`, {statement.label}: {wrong}", None)


def listed_managed_policy(args: ResourceValidationArgs, report_violation: ReportViolation) -> None:
    where = ATTACHMENTS.get(args.resource_type)
    if where is None or (args.resource_type == ROLE and not args.props.get(where)):
        args.not_applicable("attaches no managed policy")
        return
    value = args.props.get(where) or ""
    account = stack_config().get(ACCOUNT, "")
    for arn in [value] if isinstance(value, str) else list(value):
        if f":policy{BOUNDARIES}" in arn:
            report_violation(f"{args.name}: `{where}` is {arn}, which is there to limit; attach another", None)
        elif not belongs(arn, account) and arn not in LISTED_POLICIES:
            report_violation(
                f"{args.name}: `{where}` is {arn or 'missing'}: what that allows is not ours to see; write the "
                "statements into a policy of the stack",
                None,
            )


def no_long_lived_credential(args: ResourceValidationArgs, report_violation: ReportViolation) -> None:
    if args.resource_type not in LONG_LIVED:
        args.not_applicable("no credential")
    report_violation(
        f"{args.name}: a credential in the stack lives as long as the stack and its secret stands in the state; "
        "`pf deploy` makes the functions' access key and hands it over",
        None,
    )


POLICIES: list[Policy] = [
    ResourceValidationPolicy(
        name="iam-no-wildcard-action",
        description="Policies list the actions that they allow.",
        validate=no_wildcard_action,
        enforcement_level=EnforcementLevel.MANDATORY,
    ),
    no_wildcard_resource(EXCEPTIONS),
    ResourceValidationPolicy(
        name="iam-named-principals",
        description="Roles and resources name who may use them, without wildcards and without NotPrincipal.",
        validate=named_principals,
        enforcement_level=EnforcementLevel.MANDATORY,
    ),
    ResourceValidationPolicy(
        name="iam-oidc-subject",
        description="A role for an identity provider takes one audience and one exact subject.",
        validate=oidc_subject,
        enforcement_level=EnforcementLevel.MANDATORY,
    ),
    ResourceValidationPolicy(
        name="iam-oidc-boundary",
        description="A role for an identity provider has a permissions boundary.",
        validate=oidc_boundary,
        enforcement_level=EnforcementLevel.MANDATORY,
    ),
    ResourceValidationPolicy(
        name="iam-boundary",
        description="A permissions boundary never lets a key be disabled or deleted.",
        validate=boundary,
        enforcement_level=EnforcementLevel.MANDATORY,
    ),
    ResourceValidationPolicy(
        name="iam-confused-deputy",
        description="Another account brings an external id, and a service of AWS works for this account only.",
        validate=confused_deputy,
        enforcement_level=EnforcementLevel.MANDATORY,
    ),
    ResourceValidationPolicy(
        name="iam-listed-managed-policy",
        description="No policy that somebody else maintains is attached, beyond listed ones.",
        validate=listed_managed_policy,
        enforcement_level=EnforcementLevel.MANDATORY,
    ),
    ResourceValidationPolicy(
        name="iam-no-long-lived-credential",
        description="The stack makes no access key and no password.",
        validate=no_long_lived_credential,
        enforcement_level=EnforcementLevel.MANDATORY,
    ),
]
