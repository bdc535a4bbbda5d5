"""What the pack says about the functions' release, commands and production's settings."""

import json

import pytest

from policies.functions import COMMAND, LAMBDA, STACK, WEBHOOKS
from tests.policies.table import (
    COMPLIANT,
    MISSING,
    NOT_APPLICABLE,
    NOT_KNOWN,
    UNKNOWN,
    VIOLATING,
    Row,
    Table,
    cases,
    check,
    judge,
)

pytestmark = pytest.mark.rows("K5", "K4")

DEPLOY = "${PF_PYTHON:-.venv/bin/python} -m components.functions_release deploy"
DIGEST = "ab" * 32
# No key of anybody: each is what the rule looks for, and nothing more.
AWS_SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
SECRETS = {
    "a Supabase access token": "sbp_" + "0123456789abcdef" * 2 + "01234567",
    "an AWS secret access key": AWS_SECRET,
    "an AWS access key id": "AKIAIOSFODNN7EXAMPLE",
    "a Stripe key": "sk_" + "live_abc123",
    "a token": "eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoic2VydmljZV9yb2xlIn0.c2ln",
    "a private key": "-----BEGIN OPENSSH PRIVATE KEY-----",
    "a Supabase secret key": "sb_secret_0123456789abcdef",
    "a GitHub token": "ghp_" + "0" * 36,
}


def release(verdict: str, functions: str, said: str = "", **lines: str) -> Row:
    props = {"create": DEPLOY, "update": DEPLOY, "environment": {"PF_RELEASE_FUNCTIONS": functions}, **lines}
    return Row(verdict=verdict, type=COMMAND, props=props, said=said)


TABLE: Table = {
    "function-verify-jwt": [
        release(COMPLIANT, f"encrypt-data {DIGEST} verify_jwt=true"),
        release(
            VIOLATING,
            f"encrypt-data {DIGEST} verify_jwt=true\nhook {DIGEST} verify_jwt=false",
            said="`environment.PF_RELEASE_FUNCTIONS`, line 2: hook takes calls without a token; set verify_jwt = true",
        ),
        release(VIOLATING, f"encrypt-data {DIGEST}", said="line 1, is not `<name> <sha256> verify_jwt="),
        release(
            VIOLATING,
            f"encrypt-data {DIGEST} verify_jwt=true",
            said="--no-verify-jwt",
            update=f"{DEPLOY} --no-verify-jwt",
        ),
        release(
            VIOLATING,
            f"encrypt-data {DIGEST} verify_jwt=true",
            said="--no-verify-jwt",
            create="supabase functions deploy --no-verify-jwt encrypt-data",
            update="",
        ),
        release(MISSING, "", said="`environment.PF_RELEASE_FUNCTIONS` is missing; write a line for each function"),
        Row(
            verdict=MISSING,
            type=COMMAND,
            props={"create": DEPLOY, "update": DEPLOY},
            said="`environment.PF_RELEASE_FUNCTIONS` is missing",
        ),
        Row(verdict=NOT_APPLICABLE, type=COMMAND, props={"create": "true"}),
        Row(verdict=NOT_APPLICABLE, type="aws:kms/key:Key", props={}),
        release(NOT_KNOWN, UNKNOWN, said="environment.PF_RELEASE_FUNCTIONS"),
    ],
    "command-no-secret": [
        Row(
            verdict=COMPLIANT,
            type=COMMAND,
            props={
                "create": DEPLOY,
                "environment": {
                    "PF_ROLE_ARN": "arn:aws:iam::123456789012:role/parker-flight-sandbox-role",
                    "PF_EXTERNAL_ID": "sandboxsandboxsandbo",
                    "HASHES": f"{DIGEST} {'a1' * 20} {'b' * 40}",
                    "PF_RELEASE_FUNCTIONS": f"encrypt-data {DIGEST} verify_jwt=true",
                },
            },
        ),
        *(
            Row(
                verdict=VIOLATING, type=COMMAND, props={"create": f"call --key {value}"}, said=f"`create` holds {kind},"
            )
            for kind, value in SECRETS.items()
        ),
        Row(verdict=COMPLIANT, type=LAMBDA, props={"environment": {"variables": {"PF_PARAMETERS": "/a/probe"}}}),
        Row(verdict=COMPLIANT, type=LAMBDA, props={"description": AWS_SECRET}),  # only the environment is a habit
        Row(
            verdict=VIOLATING,
            type=LAMBDA,
            props={"environment": {"variables": {"KEY": AWS_SECRET}}},
            said="`environment.variables.KEY` holds an AWS secret access key",
        ),
        Row(
            verdict=VIOLATING,
            type=COMMAND,
            props={"environment": {"KEY": AWS_SECRET}},
            said="`environment.KEY` holds an AWS secret access key",
        ),
        Row(
            verdict=VIOLATING,
            type="command:remote:Command",
            props={"triggers": [["x", SECRETS["a token"]]]},
            said="`triggers[0][1]` holds a token",
        ),
        Row(verdict=COMPLIANT, type=COMMAND, props={}),
        Row(verdict=NOT_APPLICABLE, type="aws:kms/key:Key", props={"description": AWS_SECRET}),
        Row(verdict=NOT_KNOWN, type=COMMAND, props={"environment": {"KEY": UNKNOWN}}, said="environment.KEY"),
    ],
    "config-no-test-key": [
        Row(verdict=COMPLIANT, type=STACK, props={}, config={"parker-flight:environment": "production"}),
        *(
            Row(
                verdict=VIOLATING,
                type=STACK,
                props={},
                config={"parker-flight:environment": "production", "parker-flight:stripe": value},
                said="the setting parker-flight:stripe is a key of Stripe's test mode",
            )
            for value in ("sk_" + "test_abc", json.dumps({"keys": ["rk_" + "test_abc"]}), "pk_" + "test_abc")
        ),
        Row(verdict=NOT_APPLICABLE, type=STACK, props={}, config={"parker-flight:stripe": "sk_" + "test_abc"}),
        Row(verdict=NOT_APPLICABLE, type=COMMAND, props={}, config={"parker-flight:environment": "production"}),
    ],
}


@pytest.mark.parametrize(("policy", "row"), cases(TABLE))
def test_functions(policy: str, row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    check(policy, row, monkeypatch)


@pytest.mark.parametrize("kind", SECRETS)
def test_no_message_repeats_a_secret(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = SECRETS[kind]
    monkeypatch.setenv(
        "PULUMI_CONFIG", json.dumps({"parker-flight:environment": "production", "x:key": f"sk_test_{secret}"})
    )
    command = Row(verdict=VIOLATING, type=COMMAND, props={"create": f"call {secret}", "environment": {"A": secret}})
    _, messages = judge("command-no-secret", command)
    messages += judge("config-no-test-key", Row(verdict=VIOLATING, type=STACK, props={}))[1]
    assert len(messages) == 3
    assert not [message for message in messages if secret in message]


def test_a_listed_webhook_may_be_called_without_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    row = release(COMPLIANT, f"hook {DIGEST} verify_jwt=false")
    monkeypatch.setattr("policies.functions.WEBHOOKS", {"hook": "Stripe signs its calls"})
    check("function-verify-jwt", row, monkeypatch)
    assert all(WEBHOOKS.values()), "each says why"
