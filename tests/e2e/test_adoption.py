"""Production has its keys already: they are taken over, never made anew."""

import base64
import json

import pytest
import yaml

from tests.e2e.checkout import Checkout

PURPOSES = {"general": "general-data", "pii": "user-profile-data", "payment": "payment-method-data"}


@pytest.mark.rows("K1", "K7")
def test_existing_keys_are_adopted_and_their_old_ciphertext_decrypts(fresh: Checkout) -> None:
    kms = fresh.aws("kms")
    keys: dict[str, str] = {}
    old: dict[str, str] = {}
    for name, purpose in PURPOSES.items():
        keys[name] = kms.create_key(Description="made by hand, years ago")["KeyMetadata"]["KeyId"]
        kms.create_alias(AliasName=f"alias/parker-flight-{name}-sandbox", TargetKeyId=keys[name])
        blob = kms.encrypt(
            KeyId=keys[name],
            Plaintext=f"old {name}".encode(),
            EncryptionContext={"application": "parker-flight", "purpose": purpose},
        )["CiphertextBlob"]
        old[name] = base64.b64encode(blob).decode()
    file = fresh.root / "Pulumi.sandbox.yaml"
    stack = yaml.safe_load(file.read_text())
    stack["config"]["parker-flight:existingKeyIds"] = keys
    file.write_text(yaml.safe_dump(stack))
    fresh.approved("the keys that are there")
    made = fresh.aws_operations().count("CreateKey")

    fresh.pf("deploy")

    assert fresh.aws_operations().count("CreateKey") == made
    token = fresh.token("service_role")
    for name, purpose in PURPOSES.items():
        answer = fresh.call("encrypt-data", {"purpose": purpose, "ciphertext": old[name]}, token)
        assert answer.json() == {"purpose": purpose, "plaintext": f"old {name}"}
        assert kms.get_key_rotation_status(KeyId=keys[name])["KeyRotationEnabled"] is True
        statements = json.loads(kms.get_key_policy(KeyId=keys[name], PolicyName="default")["Policy"])["Statement"]
        assert len(statements) > 1, "the key's policy is the program's, not the default one"
    fresh.pulumi("preview", "--expect-no-changes", "--non-interactive")
    fresh.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes", "--non-interactive")
