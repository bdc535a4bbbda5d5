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


def test_a_key_rotated_on_demand_reads_what_it_wrote_before(kms: Any) -> None:
    made = kms.create_key()["KeyMetadata"]
    text = kms.encrypt(KeyId=made["KeyId"], Plaintext=b"text", EncryptionContext=CONTEXT)["CiphertextBlob"]
    kms.enable_key_rotation(KeyId=made["KeyId"], RotationPeriodInDays=180)
    before = kms.list_key_rotations(KeyId=made["KeyId"])["Rotations"]
    assert before == []
    kms.rotate_key_on_demand(KeyId=made["Arn"])
    (rotation,) = kms.list_key_rotations(KeyId=made["KeyId"])["Rotations"]
    assert (rotation["KeyId"], rotation["RotationType"]) == (made["KeyId"], "ON_DEMAND")
    assert kms.get_key_rotation_status(KeyId=made["KeyId"])["RotationPeriodInDays"] == 180
    assert kms.decrypt(CiphertextBlob=text, EncryptionContext=CONTEXT)["Plaintext"] == b"text"


def test_a_key_is_rotated_on_demand_25_times_and_no_more(kms: Any) -> None:
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    for _ in range(25):
        kms.rotate_key_on_demand(KeyId=key)
    with pytest.raises(ClientError, match="LimitExceededException"):
        kms.rotate_key_on_demand(KeyId=key)
    assert len(kms.list_key_rotations(KeyId=key)["Rotations"]) == 25


@pytest.mark.parametrize(
    ("change", "code"), [("disable_key", "DisabledException"), ("schedule_key_deletion", "KMSInvalidStateException")]
)
def test_a_key_that_is_disabled_or_on_its_way_out_is_not_rotated(kms: Any, change: str, code: str) -> None:
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    getattr(kms, change)(KeyId=key)
    for call in (kms.rotate_key_on_demand, kms.enable_key_rotation):
        with pytest.raises(ClientError, match=code):
            call(KeyId=key)
    assert kms.list_key_rotations(KeyId=key)["Rotations"] == []


@pytest.mark.parametrize(("usage", "spec"), [("SIGN_VERIFY", "ECC_NIST_P256"), ("GENERATE_VERIFY_MAC", "HMAC_256")])
def test_only_keys_of_symmetric_encryption_rotate(kms: Any, usage: str, spec: str) -> None:
    key = kms.create_key(KeyUsage=usage, KeySpec=spec)["KeyMetadata"]["KeyId"]
    for call in (kms.rotate_key_on_demand, kms.list_key_rotations, kms.enable_key_rotation):
        with pytest.raises(ClientError, match="UnsupportedOperationException"):
            call(KeyId=key)


def test_a_grant_is_listed_until_it_is_retired_or_revoked(kms: Any) -> None:
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    grantee, retiring = (f"arn:aws:iam::123456789012:role/{name}" for name in ("grantee", "retiring"))

    def grant(name: str) -> dict[str, str]:
        return kms.create_grant(
            KeyId=key,
            GranteePrincipal=grantee,
            RetiringPrincipal=retiring,
            Operations=["Decrypt"],
            Constraints={"EncryptionContextEquals": CONTEXT},
            Name=name,
        )

    def listed() -> list[str]:
        return [one["GrantId"] for one in kms.list_grants(KeyId=key)["Grants"]]

    first, second, third = (grant(name) for name in "abc")
    (shown,) = kms.list_grants(KeyId=key, GrantId=first["GrantId"])["Grants"]
    assert (shown["GranteePrincipal"], shown["Operations"], shown["Name"]) == (grantee, ["Decrypt"], "a")
    assert shown["Constraints"] == {"EncryptionContextEquals": CONTEXT}
    assert len(kms.list_retirable_grants(RetiringPrincipal=retiring)["Grants"]) == 3
    kms.retire_grant(GrantToken=first["GrantToken"])
    assert listed() == [second["GrantId"], third["GrantId"]]
    kms.retire_grant(KeyId=key, GrantId=second["GrantId"])
    kms.revoke_grant(KeyId=key, GrantId=third["GrantId"])
    assert listed() == []
    with pytest.raises(ClientError, match="NotFoundException"):
        kms.revoke_grant(KeyId=key, GrantId=third["GrantId"])
    kms.disable_key(KeyId=key)
    with pytest.raises(ClientError, match="DisabledException"):
        grant("d")


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
