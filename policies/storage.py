"""Buckets: what is in one stays there, encrypted, and is nobody else's."""

from collections.abc import Iterable, Mapping
from typing import Any

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)

from policies.documents import Kind, Statement, documents

BUCKET = "aws:s3/bucket:Bucket"
VERSIONING = "aws:s3/bucketVersioning:BucketVersioning"
ENCRYPTION = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
PUBLIC_ACCESS = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
BUCKET_POLICY = "aws:s3/bucketPolicy:BucketPolicy"
PARTS: Mapping[str, str] = {
    VERSIONING: "versioning",
    ENCRYPTION: "encryption",
    PUBLIC_ACCESS: "a public access block",
    BUCKET_POLICY: "a policy",
}
BLOCKS = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")


def complete(args: StackValidationArgs, report_violation: ReportViolation) -> None:
    for bucket in (one for one in args.resources if one.resource_type == BUCKET):
        name = bucket.props.get("bucket")
        has = {one.resource_type for one in args.resources if one.resource_type in PARTS and of(one.props, name)}
        if lacking := [what for type_, what in PARTS.items() if type_ not in has]:
            report_violation(
                f"{bucket.name}: the bucket {name or 'without a name'} lacks {', '.join(lacking)}; declare it, and "
                "name the bucket in it as it is named here",
                bucket.urn,
            )


def of(props: Mapping[str, Any], bucket: object) -> bool:
    return bool(bucket) and props.get("bucket") == bucket


def versioned(args: ResourceValidationArgs, report_violation: ReportViolation) -> None:
    if args.resource_type != VERSIONING:
        args.not_applicable("no versioning")
    status = (args.props.get("versioningConfiguration") or {}).get("status")
    if status != "Enabled":
        report_violation(f"{args.name}: `versioningConfiguration.status` is {status or 'missing'}; enable it", None)


def encrypted(args: ResourceValidationArgs, report_violation: ReportViolation) -> None:
    if args.resource_type != ENCRYPTION:
        args.not_applicable("no encryption of a bucket")
    rules: Any = args.props.get("rules") or []
    defaults = [rules[index].get("applyServerSideEncryptionByDefault") or {} for index in range(len(rules))]
    own = [one.get("sseAlgorithm") == "aws:kms" and bool(one.get("kmsMasterKeyId")) for one in defaults]
    if not own or not all(own):
        report_violation(
            f"{args.name}: `rules` don't encrypt with a key of our own (aws:kms, and which); name it", None
        )


def not_public(args: ResourceValidationArgs, report_violation: ReportViolation) -> None:
    if args.resource_type != PUBLIC_ACCESS:
        args.not_applicable("no public access block")
    if off := [name for name in BLOCKS if args.props.get(name) is not True]:
        report_violation(f"{args.name}: `{'`, `'.join(off)}` isn't true; set it", None)


def without_tls(statements: Iterable[Statement]) -> set[str]:
    """What nobody may ask for without TLS, whatever the action."""
    return {
        resource
        for one in statements
        if not one.allows
        and one.actions == ("s3:*",)
        and "*" in one.principals
        and {operator: dict(keys) for operator, keys in one.conditions.items()}
        == {"Bool": {"aws:SecureTransport": ("false",)}}
        for resource in one.resources
    }


def tls_only(args: ResourceValidationArgs, report_violation: ReportViolation) -> None:
    if args.resource_type != BUCKET_POLICY:
        args.not_applicable("no policy of a bucket")
    arn = f"arn:aws:s3:::{args.props.get('bucket')}"
    found = documents(args, report_violation, Kind.RESOURCE) if args.props.get("policy") else []
    closed = {resource for document in found for resource in without_tls(document.statements)}
    if not {arn, f"{arn}/*"} <= closed:
        report_violation(
            f"{args.name}: `policy` lets {arn} be asked for without TLS; deny s3:* to everybody on it and on what is "
            "in it where aws:SecureTransport is false",
            None,
        )


POLICIES: list[Policy] = [
    StackValidationPolicy(
        name="s3-complete",
        description="A bucket has versioning, encryption, a public access block and a policy.",
        validate=complete,
        enforcement_level=EnforcementLevel.MANDATORY,
    ),
    ResourceValidationPolicy(
        name="s3-versioned",
        description="What is overwritten or deleted in a bucket can be had back.",
        validate=versioned,
        enforcement_level=EnforcementLevel.MANDATORY,
    ),
    ResourceValidationPolicy(
        name="s3-encrypted",
        description="Buckets encrypt with a key of our own.",
        validate=encrypted,
        enforcement_level=EnforcementLevel.MANDATORY,
    ),
    ResourceValidationPolicy(
        name="s3-not-public",
        description="No bucket is public, and none can become so.",
        validate=not_public,
        enforcement_level=EnforcementLevel.MANDATORY,
    ),
    ResourceValidationPolicy(
        name="s3-tls-only",
        description="Buckets answer over TLS alone.",
        validate=tls_only,
        enforcement_level=EnforcementLevel.MANDATORY,
    ),
]
