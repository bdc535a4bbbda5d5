"""Settings: what is right reads the same for the program and the operators, what is wrong is one message."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from settings import Settings, SettingsError
from tests.components.recording import ROOT

pytestmark = pytest.mark.rows("K7", "R2")

CONTACTS = {
    role: {"name": role, "email": f"{role}@example.com"}
    for role in ("devops", "devops-lead", "incident-commander", "security")
}
GOOD: dict[str, Any] = {
    "aws:region": "us-east-1",
    "aws:allowedAccountIds": ["123456789012"],
    "parker-flight:environment": "staging",
    "parker-flight:awsAccountId": "123456789012",
    "parker-flight:supabaseProjectRef": "abcdefghijklmnopqrst",
    "parker-flight:contacts": CONTACTS,
}
KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"


def refusal(changes: dict[str, Any]) -> str:
    with pytest.raises(SettingsError) as refused:
        Settings.from_config({**GOOD, **changes}, "staging")
    return str(refused.value)


@pytest.mark.parametrize(
    ("changes", "said", "cure"),
    [
        (
            {"parker-flight:keyRotationDay": 365},
            "parker-flight:keyRotationDay is not known; did you mean parker-flight:keyRotationDays?",
            "rename it",
        ),
        (
            {"parker-flight:colour": "blue"},
            "parker-flight:colour is not known",
            "take it out",
        ),
        (
            {"parker-flight:keyRotationDays": "yearly"},
            'parker-flight:keyRotationDays is "yearly"',
            "\n    parker-flight:keyRotationDays: 365",
        ),
        (
            {"parker-flight:keyRotationDays": 30},
            "greater than or equal to 90",
            "\n    parker-flight:keyRotationDays: 365",
        ),
        (
            {"parker-flight:keyRotationDays": 366},
            "less than or equal to 365",
            "\n    parker-flight:keyRotationDays: 365",
        ),
        (
            {"parker-flight:awsAccountId": ""},
            "parker-flight:awsAccountId is not set",
            '\n    parker-flight:awsAccountId: "<12 digits>"',
        ),
        (
            {"parker-flight:awsAccountId": "123"},
            'parker-flight:awsAccountId is "123"',
            '\n    parker-flight:awsAccountId: "<12 digits>"',
        ),
        (
            {"parker-flight:awsAccountId": "210987654321"},
            "\n  aws:allowedAccountIds is 123456789012, but parker-flight:awsAccountId is 210987654321: they must",
            '\n    aws:allowedAccountIds: ["<12 digits>"]',
        ),
        (
            {"aws:allowedAccountIds": []},
            "aws:allowedAccountIds is not set",
            '\n    aws:allowedAccountIds: ["<12 digits>"]',
        ),
        (
            {"parker-flight:supabaseProjectRef": "too-short"},
            'parker-flight:supabaseProjectRef is "too-short"',
            "\n    parker-flight:supabaseProjectRef: <20 letters>",
        ),
        (
            {"parker-flight:environment": "Production!"},
            'parker-flight:environment is "Production!"',
            "\n    parker-flight:environment: production",
        ),
        (
            {"parker-flight:environment": "prod-eu"},
            'parker-flight:environment is "prod-eu"',
            "\n    parker-flight:environment: production",
        ),
        (
            {"aws:region": "nowhere"},
            'aws:region is "nowhere"',
            "\n    aws:region: us-east-1",
        ),
        (
            {"parker-flight:logRetentionDays": 100},
            "CloudWatch Logs keeps for one of 1, 3, 5",
            "\n    parker-flight:logRetentionDays: 365",
        ),
        (
            {"parker-flight:watchMinutes": 241},
            "less than or equal to 240",
            "\n    parker-flight:watchMinutes: 15",
        ),
        (
            {"parker-flight:watchMinutes": -1},
            "greater than or equal to 0",
            "\n    parker-flight:watchMinutes: 15",
        ),
        (
            {"parker-flight:existingKeyIds": {"general": "alias/mine"}},
            'parker-flight:existingKeyIds.general is "alias/mine"',
            "\n    general: <key id>",
        ),
        (
            {"parker-flight:existingKeyIds": {"pai": KEY_ID}},
            "parker-flight:existingKeyIds.pai is not known; did you mean pii?",
            "rename it",
        ),
        (
            {"parker-flight:escalation": {"level1": ["nobody"]}},
            'parker-flight:escalation.level1[0] is "nobody"',
            "\n    - <role>",
        ),
        (
            {"parker-flight:contacts": {}},
            "parker-flight:contacts is not set",
            "\n    <role>: { name: <name>, email: <address> }",
        ),
        (
            {"parker-flight:contacts": {"devops": CONTACTS["devops"], "lead": CONTACTS["devops-lead"]}},
            "parker-flight:contacts has devops, lead: nobody is named for devops-lead, incident-commander, security",
            "\n    <role>: { name: <name>, email: <address> }",
        ),
        (
            {"parker-flight:contacts": {**CONTACTS, "devops": {"name": "", "email": ""}}},
            "parker-flight:contacts.devops.name is not set",
            "\n    email: <address>",
        ),
        (
            {"parker-flight:contacts": {**CONTACTS, "devops": {"name": "D", "mail": "d@example.com"}}},
            "parker-flight:contacts.devops.mail is not known; did you mean email?",
            "rename it",
        ),
        (
            {"parker-flight:supabaseProjectRef": {"secure": "v1:abc"}},
            "secrets have no place in a stack's config",
            "take it out",
        ),
        (
            {"parker-flight:contacts": "{not json"},
            'parker-flight:contacts is "{not json"',
            "\n    parker-flight:contacts: <value>",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_file_and_the_line_that_mends_it(
    changes: dict[str, Any], said: str, cure: str
) -> None:
    message = refusal(changes)
    assert message.startswith("Pulumi.staging.yaml can't be used. Edit it:")
    assert said in message
    assert cure in message


def test_everything_that_is_wrong_is_said_at_once() -> None:
    message = refusal({"parker-flight:awsAccountId": "", "parker-flight:keyRotationDays": 1, "parker-flight:x": 1})
    assert message.count("\n    ") == 3


def test_a_missing_key_is_not_set() -> None:
    with pytest.raises(SettingsError, match=r"parker-flight:environment is not set"):
        Settings.from_config({key: value for key, value in GOOD.items() if "environment" not in key}, "staging")


def test_the_engine_and_the_file_give_the_same_settings(tmp_path: Path) -> None:
    full = {
        **GOOD,
        "parker-flight:existingKeyIds": {"general": KEY_ID},
        "parker-flight:keyRotationDays": 180,
        "parker-flight:adoptRole": True,
        "parker-flight:escalation": {"level1": ["devops", "security"], "level1Minutes": 5},
        "command:something": "else",
    }
    (tmp_path / "Pulumi.staging.yaml").write_text(yaml.safe_dump({"config": full}))
    engine = {key: value if isinstance(value, str) else json.dumps(value) for key, value in full.items()}
    assert Settings.from_file("staging", tmp_path) == Settings.from_config(engine, "staging")


def test_an_account_id_that_became_a_number_is_understood() -> None:
    settings = Settings.from_config(
        {**GOOD, "parker-flight:awsAccountId": 123456789012, "aws:allowedAccountIds": "[123456789012]"}, "staging"
    )
    assert settings.allowed_account_ids == ("123456789012",)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("config: [", "is no YAML"),
        ("config: caf\xe9", "is no YAML"),
        ("config: {[a]: 1}", "is no YAML"),
        ("config: {2026-01-01: 1}", "is no YAML"),
        ("config: {a: 2026-13-01}", "is no YAML"),
        ("config: &a [*a]", "is no YAML"),
        ("config:", "has no `config:` section"),
        ("config: text", "has no `config:` section"),
        ("- 1", "has no `config:` section"),
        ("config: {}\nzork: 1", "zork beside `config:` is not known"),
        ("config: {}\n1: 1", "1 beside `config:` is not known"),
        ("config: {zork: 1}", "parker-flight:zork is not known; known are"),
        ("config: {keyRotationDay: 1}", "parker-flight:keyRotationDay is not known; did you mean"),
        ("config: {1: 1}", "parker-flight:1 is not known"),
        ("config: {parker-flight:contacts: {1: {2: 3}}}", "parker-flight:contacts.1.2 is not known"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "Pulumi.staging.yaml").write_bytes(content.encode("latin-1"))
    with pytest.raises(SettingsError, match=said) as refused:
        Settings.from_file("staging", tmp_path)
    assert "Pulumi.staging.yaml" in str(refused.value)


def test_an_unknown_stack_names_those_that_are_there(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.sandbox.yaml").touch()
    with pytest.raises(SettingsError, match="no stack 'staging'; there is: sandbox"):
        Settings.from_file("staging", tmp_path)


@pytest.mark.rows("D3", "D4")
def test_a_deployment_is_watched_for_15_minutes_and_a_hotfix_for_30() -> None:
    settings = Settings.from_config(GOOD, "staging")
    assert settings.watch_seconds(hotfix=False) == 15 * 60
    assert settings.watch_seconds(hotfix=True) == 30 * 60


def test_the_derived_names_are_those_of_the_requirements() -> None:
    settings = Settings.from_file("sandbox", ROOT)
    assert settings.role_arn == "arn:aws:iam::123456789012:role/parker-flight-sandbox-role"
    assert settings.function_user_name == "parker-flight-sandbox-functions"
    assert settings.site.log_group == "/parker-flight/sandbox/kms-operations"
    assert settings.key_aliases == {
        "general-data": "alias/parker-flight-general-sandbox",
        "user-profile-data": "alias/parker-flight-pii-sandbox",
        "payment-method-data": "alias/parker-flight-payment-sandbox",
    }


def test_production_is_refused_until_its_account_and_contacts_are_filled_in() -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_file("production", ROOT)
    lines = [line.strip() for line in str(refused.value).splitlines() if not line.startswith("    ")]
    assert lines[0] == "Pulumi.production.yaml can't be used. Edit it:"
    assert "parker-flight:awsAccountId is not set" in lines
    assert "aws:allowedAccountIds is not set" in lines
    assert {line.split()[0] for line in lines[1:]} == {
        "parker-flight:awsAccountId",
        "aws:allowedAccountIds",
        *(f"parker-flight:contacts.{role}.{field}" for role in CONTACTS for field in ("name", "email")),
    }


def test_the_config_schema_and_the_settings_name_the_same_keys_types_and_defaults() -> None:
    schema: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    model = Settings.model_json_schema()
    ours = {key: field for key, field in model["properties"].items() if key.startswith("parker-flight:")}
    assert set(schema) == set(ours)
    for key, declared in schema.items():
        kind = ours[key].get("type", "object")
        assert declared["type"] == kind, key
        assert len(declared["description"]) > 20, key
        if key in model["required"]:
            assert declared["default"] in ("", {}), key
            assert declared["description"].count("Required"), key
        elif kind != "object":
            assert declared["default"] == ours[key]["default"], key


@pytest.mark.parametrize("module", ["settings", "components.naming", "components.functions_release"])
def test_the_operators_tools_do_not_pay_for_importing_pulumi(module: str) -> None:
    code = f"import {module}, sys; sys.exit('pulumi' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
