"""What was made and never noted is found by name and tags; nobody else's is taken for it."""

from collections.abc import Callable, Collection
from typing import Any

import pytest

from operations.aws import Aws
from operations.errors import OperationError
from operations.found import FINDERS, find, find_all
from operations.stack import Stack
from operations.state import Recorded

pytestmark = pytest.mark.rows("K1", "K7")

Client = Callable[[str], Any]
SITE = {"Application": "parker-flight", "Environment": "sandbox", "ManagedBy": "pulumi"}
TAGS = {**SITE, "DataClass": "pii"}
POLICY = '{"Version":"2012-10-17","Statement":[{"Sid":"A","Effect":"Deny","Action":"s3:GetObject","Resource":"*"}]}'
ALIAS = "alias/parker-flight-pii-sandbox"


def resource(kind: str, **inputs: Any) -> Recorded:
    return Recorded(urn=f"urn:pulumi:sandbox::parker-flight::{kind}::it", type=kind, custom=True, inputs=inputs)


def found(stack: Stack, kind: str, known: Collection[str] = (), **inputs: Any) -> str | None:
    return find(stack, Aws(stack), resource(kind, **inputs), known)


def key_for(stack: Stack, tags: dict[str, str], known: Collection[str] = ()) -> str | None:
    return found(stack, "aws:kms/key:Key", known, tags=tags)


def made_key(client: Client, tags: dict[str, str]) -> str:
    listed = [{"TagKey": name, "TagValue": value} for name, value in tags.items()]
    key: str = client("kms").create_key(Tags=listed)["KeyMetadata"]["KeyId"]
    return key


def test_a_key_is_found_by_its_tags_among_others(stack: Stack, client: Client) -> None:
    made_key(client, TAGS | {"DataClass": "general"})
    made_key(client, {})
    key = made_key(client, TAGS | {"Owner": "security"})
    assert key_for(stack, {**TAGS, "__defaults": ""}) == key


def test_a_key_of_the_state_is_not_taken_for_a_new_one(stack: Stack, client: Client) -> None:
    key = made_key(client, TAGS)
    assert key_for(stack, TAGS, {key}) is None


def test_a_key_that_is_to_be_deleted_is_not_taken_over(stack: Stack, client: Client) -> None:
    client("kms").schedule_key_deletion(KeyId=made_key(client, TAGS))
    assert key_for(stack, TAGS) is None


def test_of_two_candidates_the_one_with_the_alias_is_it_and_else_people_are_asked(stack: Stack, client: Client) -> None:
    keys = [made_key(client, TAGS), made_key(client, TAGS)]
    with pytest.raises(OperationError, match="existingKeyIds") as caught:
        key_for(stack, TAGS)
    assert all(key in caught.value.message for key in keys)
    client("kms").create_alias(AliasName=ALIAS, TargetKeyId=keys[1])
    assert key_for(stack, TAGS) == keys[1]


def test_a_key_without_tags_is_never_guessed(stack: Stack) -> None:
    with pytest.raises(OperationError, match="no tags"):
        key_for(stack, {})


def test_an_alias_is_ours_only_if_its_key_is(stack: Stack, client: Client) -> None:
    wanted = [resource("aws:kms/key:Key", tags=TAGS), resource("aws:kms/alias:Alias", name=ALIAS)]
    somebodys = made_key(client, {})
    client("kms").create_alias(AliasName=ALIAS, TargetKeyId=somebodys)
    assert find_all(stack, wanted, ()) == {}
    ours = made_key(client, TAGS)
    client("kms").update_alias(AliasName=ALIAS, TargetKeyId=ours)
    assert find_all(stack, wanted, ()) == {wanted[0].urn: ours, wanted[1].urn: ALIAS}
    assert find_all(stack, wanted, {ours, ALIAS}) == {}


@pytest.mark.parametrize(
    ("kind", "name", "identity"),
    [
        ("aws:iam/role:Role", "parker-flight-sandbox-role", ""),
        ("aws:iam/user:User", "parker-flight-sandbox-functions", ""),
        ("aws:cloudwatch/logGroup:LogGroup", "/parker-flight/sandbox/kms-operations", ""),
        ("aws:sns/topic:Topic", "parker-flight-sandbox-info", "arn:aws:sns:us-east-1:123456789012:%s"),
    ],
)
def test_what_has_a_name_is_found_by_it_and_is_ours_only_with_our_tags(
    stack: Stack, client: Client, kind: str, name: str, identity: str
) -> None:
    listed = [{"Key": tag, "Value": value} for tag, value in SITE.items()]

    def make(*, ours: bool) -> None:
        tags = listed if ours else []
        if kind.endswith("Role"):
            client("iam").create_role(RoleName=name, AssumeRolePolicyDocument="{}", Tags=tags)
        elif kind.endswith("User"):
            client("iam").create_user(UserName=name, Tags=tags)
        elif kind.endswith("LogGroup"):
            client("logs").create_log_group(logGroupName=name, tags=SITE if ours else {})
        else:
            client("sns").create_topic(Name=name, Tags=tags)

    def unmake() -> None:
        if kind.endswith("Role"):
            client("iam").delete_role(RoleName=name)
        elif kind.endswith("User"):
            client("iam").delete_user(UserName=name)
        elif kind.endswith("LogGroup"):
            client("logs").delete_log_group(logGroupName=name)
        else:
            client("sns").delete_topic(TopicArn=identity % name)

    assert found(stack, kind, name=name, tags=SITE) is None
    make(ours=False)
    assert found(stack, kind, name=name, tags=SITE) is None
    unmake()
    make(ours=True)
    assert found(stack, kind, name=name, tags=SITE) == (identity % name if identity else name)


def test_every_type_that_aws_refuses_or_doubles_has_a_finder() -> None:
    assert set(FINDERS) == {
        "aws:kms/key:Key",
        "aws:kms/alias:Alias",
        "aws:iam/role:Role",
        "aws:iam/user:User",
        "aws:iam/policy:Policy",
        "aws:iam/openIdConnectProvider:OpenIdConnectProvider",
        "aws:s3/bucket:Bucket",
        "aws:cloudwatch/logGroup:LogGroup",
        "aws:sns/topic:Topic",
    }


def test_what_the_stack_stands_on_is_found_by_its_name_and_tags(stack: Stack, client: Client) -> None:
    iam, s3 = client("iam"), client("s3")
    listed = [{"Key": tag, "Value": value} for tag, value in SITE.items()]
    for ours, tags in ((False, []), (True, listed)):
        name, url = f"of-ours-{ours}".lower(), f"https://{ours}.example.com".lower()
        policy = iam.create_policy(PolicyName=name, Path="/some/", PolicyDocument=POLICY, Tags=tags)["Policy"]["Arn"]
        provider = iam.create_open_id_connect_provider(Url=url, ClientIDList=["a"], Tags=tags)
        s3.create_bucket(Bucket=name)
        if ours:
            s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tags})
        expected = {
            policy: found(stack, "aws:iam/policy:Policy", name=name, path="/some/", tags=SITE),
            provider["OpenIDConnectProviderArn"]: found(
                stack, "aws:iam/openIdConnectProvider:OpenIdConnectProvider", url=url, tags=SITE
            ),
            name: found(stack, "aws:s3/bucket:Bucket", bucket=name, tags=SITE),
        }
        assert expected == {identity: identity if ours else None for identity in expected}
    assert found(stack, "aws:s3/bucket:Bucket", bucket="nowhere", tags=SITE) is None
