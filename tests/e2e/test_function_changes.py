"""Changing an edge function: the new behaviour comes, the old one comes back, nothing is ever removed on the way."""

import json
from pathlib import Path

import httpx
import pytest

from tests.e2e.checkout import Checkout

pytestmark = pytest.mark.rows("K4")


def test_a_code_change_deploys_that_function_and_sends_no_delete(checkout: Checkout, handler: Path) -> None:
    seen = len(checkout.supabase_requests())
    original, token = handler.read_text(), checkout.token("service_role")
    body = {"purpose": "general-data", "plaintext": "as before"}
    handler.write_text(original.replace("Response.json({ ciphertext,", 'Response.json({ note: "changed", ciphertext,'))
    checkout.pf("deploy")
    assert checkout.call("encrypt-data", body, token).json()["note"] == "changed"
    handler.write_text(original)
    checkout.pf("deploy")
    assert "note" not in checkout.call("encrypt-data", body, token).json()
    requests = checkout.supabase_requests()[seen:]
    assert [path for method, path in requests if method == "DELETE"] == []
    bundled = [path for method, path in requests if method == "POST" and "/functions/deploy" in path]
    assert len(bundled) == 2, bundled


def test_a_function_that_does_not_parse_changes_nothing(checkout: Checkout, entry: Path) -> None:
    seen = len(checkout.supabase_requests())
    entry.write_text("export const broken = (;\n")
    refused = checkout.pf("deploy", check=False)
    message = refused.stdout + refused.stderr
    assert refused.returncode != 0
    assert "encrypt-data/index.ts" in message
    assert "Traceback" not in message
    writes = [request for request in checkout.supabase_requests()[seen:] if request[0] in ("POST", "PUT", "PATCH")]
    assert [request for request in writes if "/functions/v1/" not in request[1]] == []


@pytest.mark.drill
@pytest.mark.rows("K1", "E1")
def test_what_was_changed_by_hand_is_brought_back_by_a_deployment(checkout: Checkout) -> None:
    """Functions and what they read, keys, aliases, policies, alarms: nothing of it is in the state."""
    variables = checkout.environment
    project = f"{variables['SUPABASE_API_URL']}/v1/projects/sandboxsandboxsandbo"
    authorization = {"Authorization": f"Bearer {variables['SUPABASE_ACCESS_TOKEN']}"}
    httpx.delete(f"{project}/functions/encrypt-data", headers=authorization).raise_for_status()
    open_to_all = {"verify_jwt": False}
    httpx.patch(
        f"{project}/functions/create-payment-method", json=open_to_all, headers=authorization
    ).raise_for_status()
    changed = [{"name": name, "value": "by hand"} for name in ("PF_ROLE_ARN", "PF_AWS_SECRET_ACCESS_KEY")]
    httpx.post(f"{project}/secrets", json=changed, headers=authorization).raise_for_status()
    kms = checkout.aws("kms")
    key = kms.describe_key(KeyId="alias/parker-flight-payment-sandbox")["KeyMetadata"]["KeyId"]
    kms.disable_key(KeyId=key)
    kms.delete_alias(AliasName="alias/parker-flight-pii-sandbox")
    general = kms.describe_key(KeyId="alias/parker-flight-general-sandbox")["KeyMetadata"]["KeyId"]
    kms.update_alias(AliasName="alias/parker-flight-general-sandbox", TargetKeyId=key)
    policy = kms.get_key_policy(KeyId=general, PolicyName="default")["Policy"]
    kms.put_key_policy(KeyId=general, PolicyName="default", Policy=policy.replace("kms:DescribeKey", "kms:*"))
    iam, cloudwatch = checkout.aws("iam"), checkout.aws("cloudwatch")
    iam.delete_role_policy(RoleName="parker-flight-sandbox-role", PolicyName="functions")
    alarms = {alarm["AlarmName"] for alarm in cloudwatch.describe_alarms()["MetricAlarms"]}
    cloudwatch.delete_alarms(AlarmNames=[min(alarms)])
    keys = len(kms.list_keys()["Keys"])
    assert checkout.pf("health", check=False).returncode == 2

    checkout.pf("deploy")

    assert len(kms.list_keys()["Keys"]) == keys
    assert kms.describe_key(KeyId="alias/parker-flight-payment-sandbox")["KeyMetadata"]["KeyId"] == key
    slugs = {one["slug"] for one in httpx.get(f"{project}/functions", headers=authorization).json()}
    assert slugs == {"encrypt-data", "create-payment-method"}
    now = kms.get_key_policy(KeyId=general, PolicyName="default")["Policy"]
    assert json.loads(now) == json.loads(policy)
    assert kms.describe_key(KeyId="alias/parker-flight-general-sandbox")["KeyMetadata"]["KeyId"] == general
    assert iam.get_role_policy(RoleName="parker-flight-sandbox-role", PolicyName="functions")["PolicyDocument"]
    assert {alarm["AlarmName"] for alarm in cloudwatch.describe_alarms()["MetricAlarms"]} == alarms
