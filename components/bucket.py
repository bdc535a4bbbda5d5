"""A bucket that keeps what is in it: versioned, encrypted, over TLS alone, never public, nothing deleted for good."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.naming import Site
from components.policy_document import Statement, document


@dataclass(frozen=True, kw_only=True)
class BucketArgs:
    """`kept_days`: how long a replaced version stays. `written_once`: nothing in it is replaced or deleted."""

    site: Site
    bucket: str
    kept_days: int
    written_once: bool = False


def bucket_policy(bucket: str, *, written_once: bool) -> str:
    """Denials only: who may do what stands in the policies of roles. A version is deleted by the lifecycle, or by
    whoever changes this policy first."""
    arn = f"arn:aws:s3:::{bucket}"
    denied: list[Statement] = [
        {
            "Sid": "TLSOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [arn, f"{arn}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
        {
            "Sid": "NothingIsDeletedForGood",
            "Effect": "Deny",
            "Principal": "*",
            "Action": ["s3:DeleteBucket", "s3:DeleteObjectVersion"],
            "Resource": [arn, f"{arn}/*"],
        },
    ]
    if written_once:
        denied += [
            {
                "Sid": "NothingIsReplaced",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:PutObject",
                "Resource": f"{arn}/*",
                # Written without `If-None-Match: *`. The second holds for the parts of a large object too.
                "Condition": {"Null": {"s3:if-none-match": "true"}, "Bool": {"s3:ObjectCreationOperation": "true"}},
            },
            {
                "Sid": "NothingIsDeleted",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:DeleteObject",
                "Resource": f"{arn}/*",
            },
        ]
    return document(denied)


class Bucket(pulumi.ComponentResource):
    """Protected and kept: neither an update nor a destroy takes it away."""

    name: pulumi.Output[str]
    arn: pulumi.Output[str]

    def __init__(self, name: str, args: BucketArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("parkerflight:s3:Bucket", name, None, opts)
        site, known = args.site, args.bucket
        bucket = aws.s3.Bucket(
            name,
            bucket=known,
            tags=site.tags,
            opts=pulumi.ResourceOptions(parent=self, protect=True, retain_on_delete=True),
        )
        # By name, so that a preview shows whose they are; after the bucket, since AWS wants it to be there.
        child = pulumi.ResourceOptions(parent=self, depends_on=[bucket])
        versioning = aws.s3.BucketVersioning(
            name, bucket=known, versioning_configuration={"status": "Enabled"}, opts=child
        )
        after_versioning = pulumi.ResourceOptions(parent=self, depends_on=[versioning])
        aws.s3.BucketServerSideEncryptionConfiguration(
            name,
            bucket=known,
            rules=[
                {
                    "apply_server_side_encryption_by_default": {
                        "sse_algorithm": "aws:kms",
                        "kms_master_key_id": site.arn("kms", site.bucket_alias),
                    },
                    # One key of the bucket: then the encryption context is the bucket, and KMS is asked seldom.
                    "bucket_key_enabled": True,
                }
            ],
            opts=child,
        )
        aws.s3.BucketPublicAccessBlock(
            name,
            bucket=known,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=child,
        )
        aws.s3.BucketPolicy(name, bucket=known, policy=bucket_policy(known, written_once=args.written_once), opts=child)
        aws.s3.BucketLifecycleConfiguration(
            name,
            bucket=known,
            rules=[
                {
                    "id": "replaced",
                    "status": "Enabled",
                    "filter": {"prefix": ""},
                    "noncurrent_version_expiration": {"noncurrent_days": args.kept_days},
                    "expiration": {"expired_object_delete_marker": True},
                    "abort_incomplete_multipart_upload": {"days_after_initiation": 7},
                }
            ],
            opts=after_versioning,
        )
        self.name = bucket.bucket
        self.arn = bucket.arn
        self.register_outputs({"name": self.name, "arn": self.arn})
