"""Taking the stack away: keys and aliases stay, and come back into the next deployment."""

import pytest

from tests.e2e.checkout import Checkout


@pytest.mark.rows("K1", "K7")
def test_destroy_leaves_keys_and_aliases_and_the_next_deployment_makes_no_second_ones(checkout: Checkout) -> None:
    kms = checkout.aws("kms")
    keys = {key["KeyId"] for key in kms.list_keys()["Keys"]}
    aliases = {alias["AliasName"]: alias.get("TargetKeyId") for alias in kms.list_aliases()["Aliases"]}
    token = checkout.token("service_role")
    secret = {"purpose": "general-data", "plaintext": "kept"}
    ciphertext = checkout.call("encrypt-data", secret, token).json()["ciphertext"]

    checkout.pf("destroy", "--confirm", "sandbox")

    assert checkout.call("encrypt-data", {}, token).status_code == 404
    assert checkout.aws("iam").list_users()["Users"] == []
    assert {alias["AliasName"]: alias.get("TargetKeyId") for alias in kms.list_aliases()["Aliases"]} == aliases
    assert all(kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled" for key in keys)

    checkout.pf("deploy")

    assert {key["KeyId"] for key in kms.list_keys()["Keys"]} == keys
    body = {"purpose": "general-data", "ciphertext": ciphertext}
    assert checkout.call("encrypt-data", body, token).json()["plaintext"] == "kept"
