"""The sandbox's keys: they serve while they may, and a policy names nobody who isn't there."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.sandbox_aws.server import Aws

pytestmark = pytest.mark.rows("K1", "K7")

CONTEXT = {"purpose": "a"}


@pytest.fixture
def kms(aws: Aws) -> Any:
    return aws.client("kms")


def policy(principal: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "kms:*", "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.mark.parametrize(
    ("change", "code"), [("disable_key", "DisabledException"), ("schedule_key_deletion", "KMSInvalidStateException")]
)
def test_a_key_that_is_disabled_or_on_its_way_out_serves_nobody(kms: Any, change: str, code: str) -> None:
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    text = kms.encrypt(KeyId=key, Plaintext=b"text", EncryptionContext=CONTEXT)["CiphertextBlob"]
    getattr(kms, change)(KeyId=key)
    for use, arguments in (
        (kms.encrypt, {"KeyId": key, "Plaintext": b"text"}),
        (kms.decrypt, {"CiphertextBlob": text, "EncryptionContext": CONTEXT}),
        (kms.generate_data_key, {"KeyId": key, "KeySpec": "AES_256"}),
        (kms.re_encrypt, {"DestinationKeyId": key, "CiphertextBlob": text, "SourceEncryptionContext": CONTEXT}),
    ):
        with pytest.raises(ClientError, match=code):
            use(**arguments)
    if change == "schedule_key_deletion":
        kms.cancel_key_deletion(KeyId=key)
    kms.enable_key(KeyId=key)
    assert kms.decrypt(CiphertextBlob=text, EncryptionContext=CONTEXT)["Plaintext"] == b"text"


def test_another_context_does_not_decrypt(kms: Any) -> None:
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    text = kms.encrypt(KeyId=key, Plaintext=b"text", EncryptionContext=CONTEXT)["CiphertextBlob"]
    with pytest.raises(ClientError, match="InvalidCiphertextException"):
        kms.decrypt(CiphertextBlob=text, EncryptionContext={"purpose": "b"})


@pytest.mark.parametrize("kind", ["role", "user"])
def test_a_policy_that_names_somebody_who_is_not_there_yet_is_refused(aws: Aws, kms: Any, kind: str) -> None:
    iam, name = aws.client("iam"), f"later-{kind}"
    named = policy(f"arn:aws:iam::123456789012:{kind}/path/{name}")
    key = kms.create_key(Policy=policy("arn:aws:iam::123456789012:root"))["KeyMetadata"]["KeyId"]
    with pytest.raises(ClientError, match=r"MalformedPolicyDocument.*invalid principals"):
        kms.put_key_policy(KeyId=key, PolicyName="default", Policy=named)
    with pytest.raises(ClientError, match=r"MalformedPolicyDocument.*invalid principals"):
        kms.create_key(Policy=named)
    with pytest.raises(ClientError, match="MalformedPolicyDocument"):
        kms.create_key(Policy="{")
    if kind == "role":
        iam.create_role(RoleName=name, Path="/path/", AssumeRolePolicyDocument="{}")
    else:
        iam.create_user(UserName=name, Path="/path/")
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=named)
