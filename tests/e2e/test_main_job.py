"""`make up` on a machine that has the tools: what stands afterwards, seen from outside."""

import json

import httpx
import pytest

from components.naming import METRICS_FUNCTIONS, METRICS_KMS
from tests.e2e.checkout import Checkout
from tests.e2e.conftest import Deployed
from toolchain import paths

PURPOSES = {"general-data": "general", "user-profile-data": "pii", "payment-method-data": "payment"}
ALIASES = {f"alias/parker-flight-{name}-sandbox" for name in PURPOSES.values()}


@pytest.mark.rows("K1", "K4", "E1")
def test_the_deployment_ends_with_a_healthy_table_and_the_addresses(deployed: Deployed) -> None:
    output = deployed.deployment.stdout + deployed.deployment.stderr
    assert "healthy" in output
    assert deployed.checkout.environment["SUPABASE_URL"] in output


@pytest.mark.rows("K1", "R3")
def test_the_stacks_file_stays_as_it_was_committed(checkout: Checkout) -> None:
    """A new stack is encrypted as it says; the engine would write a passphrase over that."""
    name = "Pulumi.sandbox.yaml"
    assert (checkout.root / name).read_bytes() == (paths.ROOT / name).read_bytes()


@pytest.mark.rows("K1")
def test_three_keys_rotate_and_each_has_its_alias(checkout: Checkout) -> None:
    kms = checkout.aws("kms")
    keys = {key["KeyId"] for key in kms.list_keys()["Keys"]}
    aliases = {
        alias["AliasName"]: alias["TargetKeyId"]
        for alias in kms.list_aliases()["Aliases"]
        if not alias["AliasName"].startswith("alias/aws/")
    }
    assert set(aliases) == ALIASES
    assert set(aliases.values()) == keys
    for key in keys:
        rotation = kms.get_key_rotation_status(KeyId=key)
        assert (rotation["KeyRotationEnabled"], rotation["RotationPeriodInDays"]) == (True, 365)


@pytest.mark.rows("K2")
def test_every_alarm_tells_somebody(checkout: Checkout) -> None:
    found = checkout.aws("cloudwatch").describe_alarms(AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    topics = {topic["TopicArn"] for topic in checkout.aws("sns").list_topics()["Topics"]}
    rules = [one["AlarmRule"] for one in found["CompositeAlarms"] if set(one["AlarmActions"]) & topics]
    assert found["MetricAlarms"]
    assert rules
    for alarm in found["MetricAlarms"]:
        spoken_for = any(f'("{alarm["AlarmName"]}")' in rule for rule in rules)
        assert set(alarm["AlarmActions"]) & topics or spoken_for, alarm["AlarmName"]


@pytest.mark.rows("K2")
def test_the_functions_publish_what_the_alarms_watch(checkout: Checkout) -> None:
    token = checkout.token("service_role")
    checkout.call("encrypt-data", {"purpose": "general-data", "plaintext": "counted"}, token)
    cloudwatch = checkout.aws("cloudwatch")
    watched = {
        (metric["MetricStat"]["Metric"]["Namespace"], metric["MetricStat"]["Metric"]["MetricName"])
        for alarm in cloudwatch.describe_alarms()["MetricAlarms"]
        for metric in alarm.get("Metrics", [])
        if "MetricStat" in metric and metric["MetricStat"]["Metric"]["Namespace"] in (METRICS_FUNCTIONS, METRICS_KMS)
    }
    assert watched

    def published() -> set[tuple[str, str]]:
        return {(metric["Namespace"], metric["MetricName"]) for metric in cloudwatch.list_metrics()["Metrics"]}

    assert checkout.eventually(lambda: watched <= published()), watched - published()


@pytest.mark.rows("K3")
def test_the_functions_user_may_only_assume_the_functions_role(checkout: Checkout) -> None:
    iam = checkout.aws("iam")
    user = "parker-flight-sandbox-functions"
    names = iam.list_user_policies(UserName=user)["PolicyNames"]
    statements = [
        statement
        for name in names
        for statement in iam.get_user_policy(UserName=user, PolicyName=name)["PolicyDocument"]["Statement"]
    ]
    assert [statement["Action"] for statement in statements] in (["sts:AssumeRole"], [["sts:AssumeRole"]])
    assert [statement["Resource"] for statement in statements] == [
        "arn:aws:iam::123456789012:role/parker-flight-sandbox-role"
    ]
    assert len(iam.list_access_keys(UserName=user)["AccessKeyMetadata"]) == 1


@pytest.mark.rows("K1", "K4")
@pytest.mark.parametrize("purpose", PURPOSES)
def test_a_text_comes_back_under_each_purpose(checkout: Checkout, purpose: str) -> None:
    plaintext = f"Ada Lovelace, {purpose}"
    encrypted = checkout.call(
        "encrypt-data", {"purpose": purpose, "plaintext": plaintext}, checkout.token("authenticated")
    )
    assert encrypted.status_code == 200, encrypted.text
    assert encrypted.json()["keyAlias"] == f"alias/parker-flight-{PURPOSES[purpose]}-sandbox"
    ciphertext = encrypted.json()["ciphertext"]
    assert plaintext not in encrypted.text
    decrypted = checkout.call(
        "encrypt-data", {"purpose": purpose, "ciphertext": ciphertext}, checkout.token("service_role")
    )
    assert decrypted.json()["plaintext"] == plaintext
    for other in PURPOSES.keys() - {purpose}:  # again and again would change nothing, so it is no 503
        refused = checkout.call(
            "encrypt-data", {"purpose": other, "ciphertext": ciphertext}, checkout.token("service_role")
        )
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "ciphertext_refused")


@pytest.mark.rows("K4")
def test_without_a_token_nobody_is_let_in(checkout: Checkout) -> None:
    for function in ("encrypt-data", "create-payment-method"):
        assert checkout.call(function, {}).status_code == 401


@pytest.mark.rows("K3", "K4")
def test_a_payment_method_is_stored_encrypted_and_seen_by_its_owner_alone(checkout: Checkout) -> None:
    owner = checkout.token("authenticated")
    stored = checkout.call(
        "create-payment-method", {"stripePaymentMethodId": "pm_1PfSandboxProof00001", "billingName": "Ada"}, owner
    )
    assert stored.status_code == 201, stored.text

    def rows(token: str) -> list[dict[str, str]]:
        variables = checkout.environment
        answer = httpx.get(
            f"{variables['SUPABASE_URL']}/rest/v1/payment_methods",
            params={"select": "id,stripe_payment_method_ciphertext", "id": f"eq.{stored.json()['id']}"},
            headers={"apikey": variables["SUPABASE_ANON_KEY"], "Authorization": f"Bearer {token}"},
            timeout=30,
        )
        assert answer.status_code == 200, answer.text
        found: list[dict[str, str]] = answer.json()
        return found

    assert [row["id"] for row in rows(owner)] == [stored.json()["id"]]
    assert "pm_1PfSandboxProof00001" not in str(rows(owner))
    stranger = checkout.pf("sandbox", "token", "--user", "00000000-0000-4000-8000-000000000002").stdout.strip()
    assert rows(stranger) == []


@pytest.mark.rows("E1")
def test_health_is_green_and_says_so_to_machines(checkout: Checkout) -> None:
    report = json.loads(checkout.pf("health", "--json").stdout)
    assert report["status"] == "healthy"
    assert len(report["checks"]) >= 8


@pytest.mark.rows("K6")
def test_the_stack_history_has_the_update(checkout: Checkout) -> None:
    history = json.loads(checkout.pulumi("stack", "history", "--json").stdout)
    assert [entry["kind"] for entry in history if entry["result"] == "succeeded"].count("update") >= 1


@pytest.mark.rows("K6")
def test_the_first_deployment_is_one_entry_of_the_history(checkout: Checkout) -> None:
    first = json.loads(checkout.pf("history", "--json", "--limit", "100").stdout)[-1]
    assert (first["number"], first["kind"], first["result"], first["verified"]) == (1, "deployment", "succeeded", True)
    assert first["changes"]["create"] > 20
    assert first["functions"] == ["create-payment-method", "encrypt-data"]


@pytest.mark.rows("K7")
def test_a_second_update_changes_nothing(checkout: Checkout) -> None:
    checkout.pulumi("preview", "--expect-no-changes", "--non-interactive")
    again = checkout.pulumi("up", "--yes", "--non-interactive")
    assert "unchanged" in again.stdout
    assert not any(f"{count} updated" in again.stdout for count in range(1, 40))


@pytest.mark.rows("K7")
def test_a_refresh_finds_no_drift(checkout: Checkout) -> None:
    checkout.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes", "--non-interactive")
    checkout.pulumi("preview", "--expect-no-changes", "--non-interactive")


@pytest.mark.drill
@pytest.mark.rows("K1", "K7")
def test_a_refresh_sees_rotation_switched_off_by_hand_and_an_update_mends_it(checkout: Checkout) -> None:
    kms = checkout.aws("kms")
    kms.disable_key_rotation(KeyId=kms.describe_key(KeyId=min(ALIASES))["KeyMetadata"]["KeyId"])
    assert checkout.pf("health", check=False).returncode == 1
    found = checkout.pulumi("refresh", "--yes", "--skip-preview", "--non-interactive")
    assert "1 updated" in found.stdout
    checkout.pf("deploy")
    assert checkout.pf("health").returncode == 0


@pytest.mark.drill
@pytest.mark.rows("K3", "K7")
def test_the_functions_user_deleted_by_hand_comes_back_with_a_new_access_key(checkout: Checkout) -> None:
    iam, user = checkout.aws("iam"), "parker-flight-sandbox-functions"
    for key in iam.list_access_keys(UserName=user)["AccessKeyMetadata"]:
        iam.delete_access_key(UserName=user, AccessKeyId=key["AccessKeyId"])
    for policy in iam.list_user_policies(UserName=user)["PolicyNames"]:
        iam.delete_user_policy(UserName=user, PolicyName=policy)
    iam.delete_user(UserName=user)
    checkout.pf("deploy")
    assert len(iam.list_access_keys(UserName=user)["AccessKeyMetadata"]) == 1


@pytest.mark.rows("K7")
def test_no_secret_value_is_in_state_or_history(checkout: Checkout) -> None:
    variables = checkout.environment
    secrets = [variables[name] for name in ("SUPABASE_ACCESS_TOKEN", "SUPABASE_SERVICE_ROLE_KEY", "SUPABASE_ANON_KEY")]
    secrets += [
        key["AccessKeyId"]
        for key in checkout.aws("iam").list_access_keys(UserName="parker-flight-sandbox-functions")["AccessKeyMetadata"]
    ]
    files = [file for file in (checkout.state / "sandbox/pulumi").rglob("*") if file.is_file()]
    assert files
    for file in files:
        text = file.read_text(errors="replace")
        assert not [secret for secret in secrets if secret in text], file.name


@pytest.mark.rows("K7")
def test_the_state_has_no_side_file_that_a_kill_could_leave_half_written(checkout: Checkout) -> None:
    files = [file.name for file in (checkout.state / "sandbox/pulumi").rglob("*") if file.is_file()]
    assert "sandbox.json" in files
    assert not [name for name in files if name.endswith(".attrs")]


@pytest.mark.rows("K1")
def test_a_plain_destroy_refuses_and_takes_nothing_away(checkout: Checkout) -> None:
    refused = checkout.pulumi("destroy", "--yes", "--non-interactive", check=False)
    assert refused.returncode != 0
    assert "protected" in refused.stdout + refused.stderr
    checkout.pulumi("preview", "--expect-no-changes", "--non-interactive")
