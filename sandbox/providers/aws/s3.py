"""S3 buckets and what is set on them, one resource type each. Every id is the bucket's name."""

from functools import partial
from typing import Any, ClassVar

from typing_extensions import override

from sandbox.providers.aws.clients import Clients, unless_gone
from sandbox.providers.resource import TAGS, Property, Resource
from sandbox.providers.wire import Values

GONE = (
    "NoSuchBucket",
    "NoSuchBucketPolicy",
    "NoSuchLifecycleConfiguration",
    "NoSuchPublicAccessBlockConfiguration",
    "ServerSideEncryptionConfigurationNotFoundError",
    "404",
)
NAME = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"

_found = partial(unless_gone, GONE)


class Bucket(Resource):
    type_name = "aws:s3/bucket:Bucket"
    label = "S3 Bucket"
    autonamed = "bucket"
    computed = ("arn", "bucketDomainName", "tagsAll")
    properties: ClassVar = {
        "bucket": Property(replaces=True, pattern=NAME),
        "forceDestroy": Property(kind="boolean", write_only=True),
        "tags": TAGS,
    }

    def create(self, aws: Clients, inputs: Values) -> str:
        s3, name = aws.client("s3"), inputs["bucket"]
        elsewhere: Values = (
            {} if aws.region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": aws.region}}
        )
        s3.create_bucket(Bucket=name, **elsewhere)
        self._tag(aws, name, inputs)
        return str(name)

    def read(self, aws: Clients, id_: str) -> Values | None:
        s3 = aws.client("s3")
        if _found(s3.head_bucket, Bucket=id_) is None:
            return None
        tagged = unless_gone(("NoSuchTagSet",), s3.get_bucket_tagging, Bucket=id_) or {}
        return {
            "arn": f"arn:aws:s3:::{id_}",
            "bucket": id_,
            "bucketDomainName": f"{id_}.s3.amazonaws.com",
            "region": aws.region,
            **aws.tag_outputs({tag["Key"]: tag["Value"] for tag in tagged.get("TagSet", [])}),
        }

    def update(self, aws: Clients, id_: str, old: Values, new: Values) -> None:
        del old
        self._tag(aws, id_, new)

    def delete(self, aws: Clients, id_: str, state: Values) -> None:
        del state
        _found(aws.client("s3").delete_bucket, Bucket=id_)

    def _tag(self, aws: Clients, name: str, inputs: Values) -> None:
        if tags := aws.tag_list(inputs):
            aws.client("s3").put_bucket_tagging(Bucket=name, Tagging={"TagSet": tags})
        else:
            aws.client("s3").delete_bucket_tagging(Bucket=name)


class OfBucket(Resource):
    """Something that is set on a bucket as a whole."""

    autonamed = ""

    def put(self, s3: Any, bucket: str, inputs: Values) -> None:
        raise NotImplementedError

    def create(self, aws: Clients, inputs: Values) -> str:
        self.put(aws.client("s3"), inputs["bucket"], inputs)
        return str(inputs["bucket"])

    def update(self, aws: Clients, id_: str, old: Values, new: Values) -> None:
        del old
        self.put(aws.client("s3"), id_, new)


class BucketVersioning(OfBucket):
    type_name = "aws:s3/bucketVersioning:BucketVersioning"
    label = "S3 Bucket Versioning"
    properties: ClassVar = {
        "bucket": Property(required=True, replaces=True),
        "versioningConfiguration": Property(
            kind="object",
            required=True,
            fields={"status": Property(required=True, choices=("Enabled", "Suspended", "Disabled"))},
        ),
    }

    @override
    def put(self, s3: Any, bucket: str, inputs: Values) -> None:
        status = inputs["versioningConfiguration"]["status"]
        if status != "Disabled":  # how a bucket begins, and what none can become again
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})

    def read(self, aws: Clients, id_: str) -> Values | None:
        found = _found(aws.client("s3").get_bucket_versioning, Bucket=id_)
        if found is None:
            return None
        return {
            "bucket": id_,
            "versioningConfiguration": {"status": found.get("Status", "Disabled")},
            "region": aws.region,
        }

    def delete(self, aws: Clients, id_: str, state: Values) -> None:
        if state["versioningConfiguration"]["status"] == "Enabled":
            suspended = {"Status": "Suspended"}
            _found(aws.client("s3").put_bucket_versioning, Bucket=id_, VersioningConfiguration=suspended)


class BucketEncryption(OfBucket):
    type_name = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
    label = "S3 Bucket Server-side Encryption Configuration"
    properties: ClassVar = {
        "bucket": Property(required=True, replaces=True),
        "rules": Property(
            kind="objects",
            required=True,
            fields={
                "applyServerSideEncryptionByDefault": Property(
                    kind="object",
                    required=True,
                    fields={
                        "kmsMasterKeyId": Property(),
                        "sseAlgorithm": Property(required=True, choices=("AES256", "aws:kms", "aws:kms:dsse")),
                    },
                ),
                "bucketKeyEnabled": Property(kind="boolean"),
            },
        ),
    }

    @override
    def put(self, s3: Any, bucket: str, inputs: Values) -> None:
        rules: list[Values] = []
        for rule in inputs["rules"]:
            default = rule["applyServerSideEncryptionByDefault"]
            key = {"KMSMasterKeyID": default["kmsMasterKeyId"]} if default.get("kmsMasterKeyId") else {}
            rules.append(
                {
                    "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": default["sseAlgorithm"], **key},
                    "BucketKeyEnabled": rule.get("bucketKeyEnabled", False),
                }
            )
        s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": rules})

    def read(self, aws: Clients, id_: str) -> Values | None:
        found = _found(aws.client("s3").get_bucket_encryption, Bucket=id_)
        if found is None:
            return None
        rules: list[Values] = []
        for rule in found["ServerSideEncryptionConfiguration"]["Rules"]:
            default = rule["ApplyServerSideEncryptionByDefault"]
            key = {"kmsMasterKeyId": default["KMSMasterKeyID"]} if default.get("KMSMasterKeyID") else {}
            rules.append(
                {
                    "applyServerSideEncryptionByDefault": {"sseAlgorithm": default["SSEAlgorithm"], **key},
                    "bucketKeyEnabled": rule.get("BucketKeyEnabled", False),
                }
            )
        return {"bucket": id_, "rules": rules, "region": aws.region}

    def delete(self, aws: Clients, id_: str, state: Values) -> None:
        del state
        _found(aws.client("s3").delete_bucket_encryption, Bucket=id_)


class BucketPublicAccessBlock(OfBucket):
    type_name = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
    label = "S3 Bucket Public Access Block"
    attribute_of: ClassVar = {
        "blockPublicAcls": "BlockPublicAcls",
        "blockPublicPolicy": "BlockPublicPolicy",
        "ignorePublicAcls": "IgnorePublicAcls",
        "restrictPublicBuckets": "RestrictPublicBuckets",
    }
    properties: ClassVar = {
        "bucket": Property(required=True, replaces=True),
        **{name: Property(kind="boolean", default=False) for name in attribute_of},
    }

    @override
    def put(self, s3: Any, bucket: str, inputs: Values) -> None:
        blocked = {attribute: inputs.get(key, False) for key, attribute in self.attribute_of.items()}
        s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=blocked)

    def read(self, aws: Clients, id_: str) -> Values | None:
        found = _found(aws.client("s3").get_public_access_block, Bucket=id_)
        if found is None:
            return None
        live = found["PublicAccessBlockConfiguration"]
        said = {key: live.get(attribute, False) for key, attribute in self.attribute_of.items()}
        return {"bucket": id_, **said, "region": aws.region}

    def delete(self, aws: Clients, id_: str, state: Values) -> None:
        del state
        _found(aws.client("s3").delete_public_access_block, Bucket=id_)


class BucketPolicy(OfBucket):
    type_name = "aws:s3/bucketPolicy:BucketPolicy"
    label = "S3 Bucket Policy"
    properties: ClassVar = {
        "bucket": Property(required=True, replaces=True),
        "policy": Property(kind="document", required=True, longest=20480),
    }

    @override
    def put(self, s3: Any, bucket: str, inputs: Values) -> None:
        s3.put_bucket_policy(Bucket=bucket, Policy=inputs["policy"])

    def read(self, aws: Clients, id_: str) -> Values | None:
        found = _found(aws.client("s3").get_bucket_policy, Bucket=id_)
        return None if found is None else {"bucket": id_, "policy": found["Policy"], "region": aws.region}

    def delete(self, aws: Clients, id_: str, state: Values) -> None:
        del state
        _found(aws.client("s3").delete_bucket_policy, Bucket=id_)


class BucketLifecycle(OfBucket):
    """Of the parts of a rule, those that this project uses; others are refused."""

    type_name = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
    label = "S3 Bucket Lifecycle Configuration"
    parts: ClassVar = {
        "abortIncompleteMultipartUpload": ("AbortIncompleteMultipartUpload", "daysAfterInitiation"),
        "filter": ("Filter", "prefix"),
        "expiration": ("Expiration", "expiredObjectDeleteMarker"),
        "noncurrentVersionExpiration": ("NoncurrentVersionExpiration", "noncurrentDays"),
    }
    properties: ClassVar = {
        "bucket": Property(required=True, replaces=True),
        "rules": Property(
            kind="objects",
            fields={
                "abortIncompleteMultipartUpload": Property(
                    kind="object", fields={"daysAfterInitiation": Property(kind="integer")}
                ),
                "expiration": Property(kind="object", fields={"expiredObjectDeleteMarker": Property(kind="boolean")}),
                "filter": Property(kind="object", fields={"prefix": Property()}),
                "id": Property(required=True, longest=255),
                "noncurrentVersionExpiration": Property(
                    kind="object", fields={"noncurrentDays": Property(kind="integer", required=True)}
                ),
                "status": Property(required=True, choices=("Enabled", "Disabled")),
            },
        ),
    }

    @override
    def put(self, s3: Any, bucket: str, inputs: Values) -> None:
        rules = [
            {"ID": rule["id"], "Status": rule["status"], "Filter": {"Prefix": ""}}  # AWS wants one
            | {
                name: {f"{key[0].upper()}{key[1:]}": rule[part][key]}
                for part, (name, key) in self.parts.items()
                if part in rule
            }
            for rule in inputs.get("rules", ())
        ]
        s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})

    def read(self, aws: Clients, id_: str) -> Values | None:
        """Of a part all that it says: somebody may have put another rule by hand."""
        found = _found(aws.client("s3").get_bucket_lifecycle_configuration, Bucket=id_)
        if found is None:
            return None
        rules = [
            {"id": rule["ID"], "status": rule["Status"]}
            | {
                part: {f"{key[0].lower()}{key[1:]}": value for key, value in rule[name].items()}
                for part, (name, _) in self.parts.items()
                if rule.get(name)
            }
            for rule in found["Rules"]
        ]
        return {"bucket": id_, "rules": rules, "region": aws.region}

    def delete(self, aws: Clients, id_: str, state: Values) -> None:
        del state
        _found(aws.client("s3").delete_bucket_lifecycle, Bucket=id_)


TYPES: tuple[Resource, ...] = (
    Bucket(),
    BucketVersioning(),
    BucketEncryption(),
    BucketPublicAccessBlock(),
    BucketPolicy(),
    BucketLifecycle(),
)
