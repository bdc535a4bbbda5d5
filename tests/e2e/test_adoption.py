"""A production that was made by hand is taken over: nothing made anew, nothing replaced, old ciphertext still read."""

import base64
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

from components.naming import DATA_CLASSES
from tests.e2e.checkout import Checkout, new_checkout

ROLE, USER, LOG_GROUP = (
    "parker-flight-sandbox-role",
    "parker-flight-sandbox-functions",
    "/parker-flight/sandbox/kms-operations",
)
ANYBODY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}]}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
}
OLD_FUNCTION = 'Deno.serve(() => new Response("made by hand, years ago"));\n'


@pytest.fixture
def empty() -> Iterator[Checkout]:
    """A checkout whose sandbox runs; nothing is approved yet."""
    with new_checkout() as checkout:
        checkout.pf("sandbox", "up")
        yield checkout


def made_by_hand(checkout: Checkout) -> tuple[dict[str, str], dict[str, str]]:
    """Three keys with aliases, role, user, log group and functions; the keys' ids, and what they have encrypted."""
    kms, iam, logs = checkout.aws("kms"), checkout.aws("iam"), checkout.aws("logs")
    keys: dict[str, str] = {}
    old: dict[str, str] = {}
    for one in DATA_CLASSES:
        keys[one.name] = kms.create_key(Description="made by hand, years ago")["KeyMetadata"]["KeyId"]
        kms.create_alias(AliasName=f"alias/parker-flight-{one.name}-sandbox", TargetKeyId=keys[one.name])
        blob = kms.encrypt(
            KeyId=keys[one.name],
            Plaintext=f"old {one.name}".encode(),
            EncryptionContext={"application": "parker-flight", "purpose": one.purpose},
        )["CiphertextBlob"]
        old[one.name] = base64.b64encode(blob).decode()
    iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(TRUST))
    for name in ("functions", "and-more"):
        iam.put_role_policy(RoleName=ROLE, PolicyName=name, PolicyDocument=json.dumps(ANYBODY))
    iam.create_user(UserName=USER)
    logs.create_log_group(logGroupName=LOG_GROUP)
    _deploy_by_hand(checkout)
    return keys, old


def _deploy_by_hand(checkout: Checkout) -> None:
    """With the Supabase CLI, from another folder; one function of two."""
    folder = checkout.state / "by-hand/supabase/functions/encrypt-data"
    folder.mkdir(parents=True)
    (folder / "index.ts").write_text(OLD_FUNCTION)
    command = (
        'eval "$(./pf env)" && cd "$PF_STATE/by-hand" && '
        'exec supabase functions deploy encrypt-data --use-api "--remote=$1" --yes'
    )
    checkout.run("sh", "-c", command, "sh", "sandboxsandboxsandbo")


def plans(report: Mapping[str, Any]) -> dict[str, str]:
    return {f"{one['what']} {one['name']}": one["plan"] for one in report["findings"]}


@pytest.mark.rows("K1", "K3", "K7")
def test_what_was_made_by_hand_is_taken_over_and_its_old_ciphertext_decrypts(empty: Checkout) -> None:
    keys, old = made_by_hand(empty)
    file = empty.root / "Pulumi.sandbox.yaml"
    before, operations = file.read_text(), len(empty.aws_operations())

    report = json.loads(empty.pf("adopt", "--json").stdout)

    assert plans(report) == {
        **{f"key {name} {key}": "import" for name, key in keys.items()},
        **{f"alias {name} alias/parker-flight-{name}-sandbox": "import" for name in keys},
        f"role {ROLE}": "import",
        "policy of the role functions": "replace content",
        "policy of the role and-more": "leave",
        f"user {USER}": "import",
        "policy of the user assume-role": "make new",
        f"log group {LOG_GROUP}": "import",
        "function encrypt-data": "replace content",
        "function create-payment-method": "make new",
    }
    reading = ("Get", "List", "Describe")
    assert [one for one in empty.aws_operations()[operations:] if not one.startswith(reading)] == []
    assert file.read_text() == before

    empty.pf("adopt", "--write")

    after = file.read_text()
    assert [line for line in after.splitlines() if line in before.splitlines()] == before.splitlines()
    assert "says all of it already" in empty.pf("adopt", "--write").stderr
    assert file.read_text() == after
    config = yaml.safe_load(after)["config"]
    assert config["parker-flight:existingKeyIds"] == keys

    preview = json.loads(empty.pf("preview", "--json", check=False).stdout)

    imported = {(one["type"], one["name"]) for one in preview["steps"] if one["op"] == "import"}
    assert imported == {
        *(("aws:kms/key:Key", f"{name}-{key}") for name, key in keys.items()),
        *(("aws:kms/alias:Alias", name) for name in keys),
        ("aws:iam/role:Role", "functions-role"),
        ("aws:iam/user:User", "functions-user"),
        ("aws:cloudwatch/logGroup:LogGroup", "operations"),
    }
    assert {one["op"] for one in preview["steps"]} <= {"import", "create", "update"}
    assert not [one for one in preview["steps"] if one["op"] == "create" and "kms" in one["type"]]

    empty.approved("what was made by hand")
    operations = len(empty.aws_operations())
    empty.pf("deploy")

    done = empty.aws_operations()[operations:]
    assert not {"CreateKey", "CreateAlias", "UpdateAlias", "CreateUser"} & set(done)
    assert (done.count("CreateRole"), done.count("CreateLogGroup")) == (1, 1), "the probe's"
    assert not [one for one in done if one.startswith(("Delete", "Schedule", "Disable"))]
    kms, token = empty.aws("kms"), empty.token("service_role")
    for one in DATA_CLASSES:
        key = keys[one.name]
        described = kms.describe_key(KeyId=f"alias/parker-flight-{one.name}-sandbox")["KeyMetadata"]
        assert described["KeyId"] == key
        answer = empty.call("encrypt-data", {"purpose": one.purpose, "ciphertext": old[one.name]}, token)
        assert answer.json() == {"purpose": one.purpose, "plaintext": f"old {one.name}"}
        assert kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"] is True
        statements = json.loads(kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"])["Statement"]
        assert len(statements) > 1, "the key's policy is the program's, not the default one"
    empty.pulumi("preview", "--expect-no-changes", "--non-interactive")
    empty.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes", "--non-interactive")
    refused = empty.pf("adopt", "--write", check=False)
    assert refused.returncode == 3
    assert "sandbox is deployed already" in refused.stderr
    assert file.read_text() == after
