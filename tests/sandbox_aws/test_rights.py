"""Who may use a key of the sandbox: what its policy, the caller's own policies and their boundary together say."""

import json
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.exceptions import ClientError

from sandbox.providers.aws.clients import error_code
from tests.sandbox_aws.server import Aws

pytestmark = pytest.mark.rows("K1", "K2", "K7")

ACCOUNT = "123456789012"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
CONTEXT = {"purpose": "a"}
OF_PURPOSE = {"StringEquals": {"kms:EncryptionContext:purpose": "a"}}
OF_ALIAS = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": ["alias/ALIAS"]}}
ANY = {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}
ENCRYPTS = {"Effect": "Allow", "Action": ["kms:Encrypt", "kms:Decrypt"], "Resource": f"arn:aws:kms:*:{ACCOUNT}:key/*"}
TO_THE_ACCOUNT = ANY | {"Principal": {"AWS": ROOT}}
NOT_OWN, NOT_KEYS, NOT_BOUNDARYS = (
    f"because no {kind} allows the kms:Encrypt action"
    for kind in ("identity-based policy", "resource-based policy", "permissions boundary")
)
DENIED = "with an explicit deny in"
Statement = dict[str, Any]


class Caller:
    """A role or user of these statements, with a key of this policy; `ROLE`, `ALIAS` in them stand for theirs."""

    def __init__(self, aws: Aws, own: list[Statement], key: list[Statement], boundary: list[Statement] | None) -> None:
        self._aws, self._name = aws, f"caller-{uuid4().hex[:8]}"
        self.role = f"arn:aws:iam::{ACCOUNT}:role/{self._name}"
        iam, kms = aws.client("iam"), aws.client("kms")
        limit: dict[str, str] = {}
        if boundary is not None:
            made = iam.create_policy(PolicyName=self._name, PolicyDocument=self._document(boundary))
            limit = {"PermissionsBoundary": made["Policy"]["Arn"]}
        trust = {"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "sts:AssumeRole"}
        iam.create_role(RoleName=self._name, AssumeRolePolicyDocument=self._document([trust]), **limit)
        iam.create_user(UserName=self._name, **limit)
        if own:
            document = self._document(own)
            iam.put_role_policy(RoleName=self._name, PolicyName="own", PolicyDocument=document)
            iam.put_user_policy(UserName=self._name, PolicyName="own", PolicyDocument=document)
        made = kms.create_key(Policy=self._document(key), Tags=[{"TagKey": "Team", "TagValue": "a"}])
        self.key = made["KeyMetadata"]["KeyId"]
        kms.create_alias(AliasName=f"alias/{self._name}", TargetKeyId=self.key)

    def _document(self, statements: list[Statement]) -> str:
        text = json.dumps({"Version": "2012-10-17", "Statement": statements})
        return text.replace("ROLE", self.role).replace("ALIAS", self._name)

    def session(self) -> Any:
        """KMS as somebody who has assumed the role."""
        given = self._aws.client("sts").assume_role(RoleArn=self.role, RoleSessionName="one")["Credentials"]
        return self._kms(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])

    def user(self) -> Any:
        """KMS as the user."""
        given = self._aws.client("iam").create_access_key(UserName=self._name)["AccessKey"]
        return self._kms(given["AccessKeyId"], given["SecretAccessKey"], None)

    def _kms(self, id_: str, secret: str, token: str | None) -> Any:
        return boto3.client(
            "kms",
            endpoint_url=self._aws.url,
            region_name="us-east-1",
            aws_access_key_id=id_,
            aws_secret_access_key=secret,
            aws_session_token=token,
        )


def said(call: Any, **named: Any) -> str:
    """What KMS refused it with; empty where it didn't."""
    try:
        call(**named)
    except ClientError as error:
        if error_code(error) != "AccessDeniedException":
            raise
        return str(error).partition("operation: ")[2]
    return ""


@pytest.mark.parametrize(
    ("own", "key", "boundary", "refusal"),
    [
        pytest.param([ENCRYPTS], [TO_THE_ACCOUNT], None, "", id="the key's leaves it to the account"),
        pytest.param([], [TO_THE_ACCOUNT], None, NOT_OWN, id="nothing of its own"),
        pytest.param([ENCRYPTS | {"Action": "kms:Decrypt"}], [TO_THE_ACCOUNT], None, NOT_OWN, id="another action"),
        pytest.param(
            [ENCRYPTS | {"Resource": f"arn:aws:kms:us-east-1:{ACCOUNT}:key/none"}],
            [TO_THE_ACCOUNT],
            None,
            NOT_OWN,
            id="another key",
        ),
        pytest.param([ENCRYPTS], [TO_THE_ACCOUNT | {"Action": "kms:Describe*"}], None, NOT_KEYS, id="not the key's"),
        pytest.param([], [ANY | {"Principal": {"AWS": "ROLE"}}], None, "", id="the key's names the role"),
        pytest.param(
            [ENCRYPTS],
            [TO_THE_ACCOUNT | {"Condition": {"ArnEquals": {"aws:PrincipalArn": "ROLE"}}}],
            None,
            "",
            id="the account's, if it is this role",
        ),
        pytest.param(
            [ENCRYPTS],
            [TO_THE_ACCOUNT | {"Condition": {"ArnEquals": {"aws:PrincipalArn": "ROLE-other"}}}],
            None,
            NOT_KEYS,
            id="the account's, if it is another role",
        ),
        pytest.param([ENCRYPTS | {"Condition": OF_PURPOSE}], [TO_THE_ACCOUNT], None, "", id="for the purpose"),
        pytest.param(
            [ENCRYPTS | {"Condition": {"StringEquals": {"kms:EncryptionContext:purpose": ["b", "A"]}}}],
            [TO_THE_ACCOUNT],
            None,
            NOT_OWN,
            id="for another purpose",
        ),
        pytest.param([ENCRYPTS | {"Condition": OF_ALIAS}], [TO_THE_ACCOUNT], None, "", id="of the alias"),
        pytest.param(
            [ENCRYPTS | {"Condition": {"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/b"}}}],
            [TO_THE_ACCOUNT],
            None,
            NOT_OWN,
            id="of another alias",
        ),
        *(
            pytest.param(
                [ENCRYPTS | {"Condition": {"StringEquals": {"aws:ResourceTag/Team": team}}}],
                [TO_THE_ACCOUNT],
                None,
                refusal,
                id=f"of a key of team {team}",
            )
            for team, refusal in (("a", ""), ("b", NOT_OWN))
        ),
        pytest.param(
            [ENCRYPTS | {"Condition": {"DateLessThan": {"aws:CurrentTime": "2099-01-01T00:00:00Z"}}}],
            [TO_THE_ACCOUNT],
            None,
            NOT_OWN,
            id="a condition that nobody knows",
        ),
        pytest.param([ENCRYPTS], [TO_THE_ACCOUNT], [ANY], "", id="within its boundary"),
        pytest.param([ENCRYPTS], [TO_THE_ACCOUNT], [ANY | {"Action": "s3:*"}], NOT_BOUNDARYS, id="beyond its boundary"),
        pytest.param(
            [ENCRYPTS, ANY | {"Effect": "Deny"}],
            [TO_THE_ACCOUNT],
            None,
            f"{DENIED} an identity-based policy",
            id="denied",
        ),
        pytest.param(
            [ENCRYPTS],
            [TO_THE_ACCOUNT, ANY | {"Effect": "Deny", "Principal": "*"}],
            None,
            f"{DENIED} a resource-based policy",
            id="denied by the key's",
        ),
        pytest.param(
            [ENCRYPTS],
            [TO_THE_ACCOUNT],
            [ANY, ANY | {"Effect": "Deny", "Condition": {"Null": {"kms:ViaService": "true"}}}],
            f"{DENIED} a permissions boundary",
            id="denied by its boundary",
        ),
    ],
)
def test_a_role_uses_a_key_where_every_policy_lets_it(
    aws: Aws, own: list[Statement], key: list[Statement], boundary: list[Statement] | None, refusal: str
) -> None:
    caller = Caller(aws, own, key, boundary)
    told = said(caller.session().encrypt, KeyId=caller.key, Plaintext=b"text", EncryptionContext=CONTEXT)
    assert bool(told) == bool(refusal), told
    assert told.endswith(refusal)


def test_the_sandboxs_owner_is_the_account_and_needs_no_policy(aws: Aws) -> None:
    nobodys = Caller(aws, [], [TO_THE_ACCOUNT | {"Action": "kms:PutKeyPolicy"}], None)
    assert not said(aws.client("kms").encrypt, KeyId=nobodys.key, Plaintext=b"text")


def test_a_refusal_names_who_what_and_which_key(aws: Aws) -> None:
    caller = Caller(aws, [], [TO_THE_ACCOUNT], None)
    arn = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/{caller.key}"
    session = caller.role.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/")
    assert said(caller.session().describe_key, KeyId=f"alias/{session.rpartition('/')[2]}") == (
        f"User: {session}/one is not authorized to perform: kms:DescribeKey on resource: {arn} "
        "because no identity-based policy allows the kms:DescribeKey action"
    )


def test_a_user_is_held_to_its_policies_too(aws: Aws) -> None:
    allowed, refused = Caller(aws, [ENCRYPTS], [TO_THE_ACCOUNT], None), Caller(aws, [], [TO_THE_ACCOUNT], None)
    assert said(allowed.user().encrypt, KeyId=allowed.key, Plaintext=b"text") == ""
    assert f":user/{refused.role.rpartition('/')[2]} is not authorized" in said(
        refused.user().encrypt, KeyId=refused.key, Plaintext=b"text"
    )


def test_a_tag_that_is_asked_for_counts(aws: Aws) -> None:
    tags = {"Effect": "Allow", "Action": "kms:TagResource", "Resource": "*"}
    caller = Caller(aws, [tags | {"Condition": {"StringEquals": {"aws:RequestTag/Team": "a"}}}], [TO_THE_ACCOUNT], None)
    kms = caller.session()
    assert [
        bool(said(kms.tag_resource, KeyId=caller.key, Tags=[{"TagKey": "Team", "TagValue": team}])) for team in "ab"
    ] == [False, True]


def test_a_policy_that_is_attached_or_changed_counts_at_once(aws: Aws) -> None:
    caller, iam = Caller(aws, [], [TO_THE_ACCOUNT], None), aws.client("iam")
    kms, name = caller.session(), caller.role.rpartition("/")[2]
    text = json.dumps({"Version": "2012-10-17", "Statement": ENCRYPTS})
    made = iam.create_policy(PolicyName=f"{name}-attached", PolicyDocument=text)["Policy"]["Arn"]
    use: dict[str, Any] = {"KeyId": caller.key, "Plaintext": b"text"}
    assert said(kms.encrypt, **use)
    iam.attach_role_policy(RoleName=name, PolicyArn=made)
    assert not said(kms.encrypt, **use)
    iam.create_policy_version(PolicyArn=made, PolicyDocument=text.replace("Encrypt", "Verify"), SetAsDefault=True)
    assert said(kms.encrypt, **use)


def test_what_was_encrypted_is_opened_by_the_right_to_its_key_alone(aws: Aws) -> None:
    """A decryption names no key: it is that of the ciphertext."""
    caller = Caller(aws, [ENCRYPTS | {"Condition": OF_PURPOSE}], [TO_THE_ACCOUNT], None)
    other = Caller(aws, [ENCRYPTS], [TO_THE_ACCOUNT | {"Condition": {"ArnEquals": {"aws:PrincipalArn": "ROLE"}}}], None)
    kms = aws.client("kms")
    for key, context, opened in (
        (caller.key, CONTEXT, True),
        (caller.key, {"purpose": "b"}, False),
        (other.key, CONTEXT, False),
    ):
        text = kms.encrypt(KeyId=key, Plaintext=b"text", EncryptionContext=context)["CiphertextBlob"]
        assert bool(said(caller.session().decrypt, CiphertextBlob=text, EncryptionContext=context)) != opened


def test_a_key_whose_alias_has_moved_on_is_no_more_the_aliass(aws: Aws) -> None:
    """What it encrypted stays shut to whom `kms:ResourceAliases` let in, until an alias of its own is named as well."""
    caller, kms = Caller(aws, [ENCRYPTS | {"Condition": OF_ALIAS}], [TO_THE_ACCOUNT], None), aws.client("kms")
    session, alias = caller.session(), f"alias/{caller.role.rpartition('/')[2]}"
    text = session.encrypt(KeyId=alias, Plaintext=b"text")["CiphertextBlob"]
    newer = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.update_alias(AliasName=alias, TargetKeyId=newer)
    assert session.encrypt(KeyId=alias, Plaintext=b"text")["KeyId"].endswith(newer)
    assert said(session.decrypt, CiphertextBlob=text).endswith("allows the kms:Decrypt action")


def test_a_data_key_is_of_the_right_to_make_one_and_comes_back_under_its_context(aws: Aws) -> None:
    caller = Caller(aws, [ENCRYPTS], [TO_THE_ACCOUNT], None)
    kms, asked = caller.session(), {"KeyId": caller.key, "EncryptionContext": CONTEXT, "KeySpec": "AES_256"}
    assert said(kms.generate_data_key, **asked)
    made = aws.client("kms").generate_data_key(**asked)
    assert len(made["Plaintext"]) == 32
    opened = kms.decrypt(CiphertextBlob=made["CiphertextBlob"], EncryptionContext=CONTEXT)
    assert opened["Plaintext"] == made["Plaintext"]
    assert opened["KeyId"].endswith(caller.key)
    without = aws.client("kms").generate_data_key_without_plaintext(**asked)
    assert len(kms.decrypt(CiphertextBlob=without["CiphertextBlob"], EncryptionContext=CONTEXT)["Plaintext"]) == 32
    with pytest.raises(ClientError, match="InvalidCiphertextException"):
        kms.decrypt(CiphertextBlob=made["CiphertextBlob"], EncryptionContext={"purpose": "b"})


def test_to_encrypt_anew_takes_a_right_to_either_key(aws: Aws) -> None:
    kms = aws.client("kms")
    for actions, done in (
        (["kms:ReEncryptFrom", "kms:ReEncryptTo"], True),
        (["kms:ReEncryptFrom"], False),
        (["kms:ReEncryptTo"], False),
    ):
        caller = Caller(aws, [ENCRYPTS | {"Action": actions}], [TO_THE_ACCOUNT], None)
        target = kms.create_key()["KeyMetadata"]["KeyId"]
        text = kms.encrypt(KeyId=caller.key, Plaintext=b"text")["CiphertextBlob"]
        refused = said(caller.session().re_encrypt, CiphertextBlob=text, DestinationKeyId=target)
        assert bool(refused) != done


@pytest.mark.parametrize(
    ("trust", "own", "external_id", "assumed"),
    [
        ({"Principal": {"AWS": ROOT}}, True, "id", True),
        ({"Principal": {"AWS": ROOT}}, False, "id", False),
        ({"Principal": {"AWS": "USER"}}, False, "id", True),
        ({"Principal": {"Service": "lambda.amazonaws.com"}}, True, "id", False),
        ({"Principal": {"AWS": ROOT}, "Condition": {"StringEquals": {"sts:ExternalId": "id"}}}, True, "id", True),
        ({"Principal": {"AWS": ROOT}, "Condition": {"StringEquals": {"sts:ExternalId": "id"}}}, True, "other", False),
        ({"Principal": {"AWS": ROOT}, "Condition": {"ArnEquals": {"aws:PrincipalArn": "USER"}}}, True, "id", True),
        ({"Principal": {"AWS": ROOT}, "Condition": {"ArnEquals": {"aws:PrincipalArn": "USERS"}}}, True, "id", False),
    ],
)
def test_a_user_assumes_a_role_that_trusts_it_and_that_its_policies_name(
    aws: Aws, trust: Statement, own: bool, external_id: str, assumed: bool
) -> None:
    iam, name = aws.client("iam"), f"assumed-{uuid4().hex[:8]}"
    user = iam.create_user(UserName=name)["User"]["Arn"]
    document = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "sts:AssumeRole"} | trust}
    text = json.dumps(document).replace("USER", user)
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=text)["Role"]["Arn"]
    if own:
        may = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role}
        text = json.dumps({"Version": "2012-10-17", "Statement": [may]})
        iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=text)
    given = iam.create_access_key(UserName=name)["AccessKey"]
    sts = aws.client("sts", keys=(given["AccessKeyId"], given["SecretAccessKey"]))
    call: dict[str, Any] = {"RoleArn": role, "RoleSessionName": "one", "ExternalId": external_id}
    if assumed:
        assert sts.assume_role(**call)["AssumedRoleUser"]["Arn"].endswith(f"{name}/one")
    else:
        with pytest.raises(ClientError, match=rf"AccessDenied.*{user} is not authorized to perform: sts:AssumeRole"):
            sts.assume_role(**call)
