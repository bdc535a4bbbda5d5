"""Finding in AWS what was made and never noted, by its name and the tags of this stack; nobody else's is taken for it.

Looked for is what AWS names by an id of its own (keys), or refuses to make twice (aliases, roles, users, policies,
identity providers, buckets, log groups; topics, if their settings differ). The rest is written by name: making it again
changes nothing.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from operations.aws import Aws, AwsError, code_of, explained
from operations.errors import ExitCode, OperationError
from operations.stack import Stack
from operations.state import Recorded

GONE = frozenset(
    {
        *("NoSuchBucket", "NoSuchEntity", "NoSuchTagSet"),
        *("NotFoundException", "ResourceNotFound", "ResourceNotFoundException"),
    }
)
KEY = "aws:kms/key:Key"
ALIAS = "aws:kms/alias:Alias"

Tags = Mapping[str, str]
# `known`: the ids that the state has, or that were found before.
Finder = Callable[[Stack, Aws, Mapping[str, Any], Collection[str]], str | None]


def find_all(stack: Stack, wanted: Iterable[Recorded], known: Collection[str]) -> dict[str, str]:
    """URN to id of what stands in AWS already. A key comes before the alias that points to it, as it was declared."""
    aws = Aws(stack)
    found: dict[str, str] = {}
    for resource in wanted:
        try:
            identity = find(stack, aws, resource, {*known, *found.values()})
        except AwsError as error:
            raise explained(error, stack, f"looking for {resource.name} ({resource.type})") from error
        if identity and identity not in known:
            found[resource.urn] = identity
    return found


def find(stack: Stack, aws: Aws, resource: Recorded, known: Collection[str]) -> str | None:
    """The id of what was made for a resource, if anything was."""
    if resource.type not in FINDERS:
        return None
    try:
        return FINDERS[resource.type](stack, aws, resource.inputs, known)
    except AwsError as error:
        if code_of(error) in GONE:
            return None
        raise


def tagged_keys(aws: Aws, wanted: Tags) -> dict[str, Tags]:
    """Id to all tags of the keys that carry the wanted ones. KMS writes them in the call that makes the key."""
    listed = [one for page in aws.kms.get_paginator("list_keys").paginate() for one in page["Keys"]]
    tags = {key: _tags_of(aws, key) for key in (str(one.get("KeyId")) for one in listed)}
    return {key: found for key, found in tags.items() if wanted.items() <= found.items()}


def is_to_be_deleted(aws: Aws, key: str) -> bool:
    return aws.kms.describe_key(KeyId=key)["KeyMetadata"].get("KeyState") == "PendingDeletion"


def _tags_of(aws: Aws, key: str) -> Tags:
    try:
        tags = aws.kms.list_resource_tags(KeyId=key)["Tags"]
    except AwsError as error:
        if code_of(error) in ("AccessDeniedException", *GONE):
            return {}  # a key of AWS, or of someone else in this account
        raise
    return {tag["TagKey"]: tag["TagValue"] for tag in tags}


def _tags(inputs: Mapping[str, Any]) -> Tags:
    return {name: value for name, value in inputs.get("tags", {}).items() if not name.startswith("__")}


def _key(stack: Stack, aws: Aws, inputs: Mapping[str, Any], known: Collection[str]) -> str | None:
    """By its tags; of several, the one that an alias of this stack points to."""
    wanted = _tags(inputs)
    if not wanted:
        raise OperationError(
            "a key was being made when the update died, and it carries no tags to find it by",
            "Look for it in the KMS console, then: pulumi import aws:kms/key:Key NAME ID",
            ExitCode.FAILED,
        )
    found = [key for key in tagged_keys(aws, wanted) if key not in known and not is_to_be_deleted(aws, key)]
    if len(found) > 1:
        aliases = set(stack.settings.key_aliases.values())
        in_use = [key for key in found if aliases & {one.get("AliasName") for one in _aliases(aws, key)}]
        if len(in_use) != 1:
            raise OperationError(
                f"several keys carry the tags of the one that was being made: {', '.join(found)}",
                "Name the right one under parker-flight:existingKeyIds in the stack's config, then deploy again.",
                ExitCode.FAILED,
            )
        found = in_use
    return found[0] if found else None


def _aliases(aws: Aws, key: str) -> list[Any]:
    return list(aws.kms.list_aliases(KeyId=key)["Aliases"])


def _alias(_stack: Stack, aws: Aws, inputs: Mapping[str, Any], known: Collection[str]) -> str | None:
    """An alias carries no tags: it is this stack's if its key is."""
    key = aws.kms.describe_key(KeyId=inputs["name"])["KeyMetadata"]["KeyId"]
    return str(inputs["name"]) if key in known else None


def _role(_stack: Stack, aws: Aws, inputs: Mapping[str, Any], _known: Collection[str]) -> str | None:
    role = aws.iam.get_role(RoleName=inputs["name"])["Role"]
    return role["RoleName"] if _carries(inputs, role.get("Tags", ())) else None


def _user(_stack: Stack, aws: Aws, inputs: Mapping[str, Any], _known: Collection[str]) -> str | None:
    user = aws.iam.get_user(UserName=inputs["name"])["User"]
    return user["UserName"] if _carries(inputs, user.get("Tags", ())) else None


def _policy(stack: Stack, aws: Aws, inputs: Mapping[str, Any], _known: Collection[str]) -> str | None:
    arn = f"arn:aws:iam::{stack.settings.aws_account_id}:policy{inputs.get('path', '/')}{inputs['name']}"
    return arn if _carries(inputs, aws.iam.get_policy(PolicyArn=arn)["Policy"].get("Tags", ())) else None


def _identity_provider(stack: Stack, aws: Aws, inputs: Mapping[str, Any], _known: Collection[str]) -> str | None:
    arn = f"arn:aws:iam::{stack.settings.aws_account_id}:oidc-provider/{inputs['url'].removeprefix('https://')}"
    provider = aws.iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    return arn if _carries(inputs, provider.get("Tags", ())) else None


def _bucket(_stack: Stack, aws: Aws, inputs: Mapping[str, Any], _known: Collection[str]) -> str | None:
    name = inputs["bucket"]
    return name if _carries(inputs, aws.s3.get_bucket_tagging(Bucket=name)["TagSet"]) else None


def _topic(stack: Stack, aws: Aws, inputs: Mapping[str, Any], _known: Collection[str]) -> str | None:
    arn = stack.settings.site.arn("sns", inputs["name"])
    return arn if _carries(inputs, aws.sns.list_tags_for_resource(ResourceArn=arn).get("Tags", ())) else None


def _log_group(_stack: Stack, aws: Aws, inputs: Mapping[str, Any], _known: Collection[str]) -> str | None:
    for group in aws.logs.describe_log_groups(logGroupNamePrefix=inputs["name"])["logGroups"]:
        if group.get("logGroupName") == inputs["name"]:
            arn = group.get("arn", "").removesuffix(":*")
            tags = aws.logs.list_tags_for_resource(resourceArn=arn)["tags"]
            return inputs["name"] if _tags(inputs).items() <= tags.items() else None
    return None


def _carries(inputs: Mapping[str, Any], tags: Iterable[Mapping[str, Any]]) -> bool:
    return _tags(inputs).items() <= {tag["Key"]: tag["Value"] for tag in tags}.items()


FINDERS: Mapping[str, Finder] = {
    KEY: _key,
    ALIAS: _alias,
    "aws:iam/role:Role": _role,
    "aws:iam/user:User": _user,
    "aws:iam/policy:Policy": _policy,
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider": _identity_provider,
    "aws:s3/bucket:Bucket": _bucket,
    "aws:cloudwatch/logGroup:LogGroup": _log_group,
    "aws:sns/topic:Topic": _topic,
}
