"""What each component declares, as the engine receives it."""

import json
from pathlib import Path
from typing import Any

import pytest

from components.edge_functions import EdgeFunctions, EdgeFunctionsArgs
from components.encryption_key import EncryptionKey, EncryptionKeyArgs
from components.function_access import FunctionAccess, FunctionAccessArgs
from components.function_source import Function, Release
from components.naming import APPLICATION, DATA_CLASSES, PAYMENT, NameTooLongError, Site
from components.operations_log import OperationsLog, OperationsLogArgs
from tests.components.recording import Recording, record

KEY = "aws:kms/key:Key"
ALIAS = "aws:kms/alias:Alias"
COMMAND = "command:local:Command"
SITE = Site(environment="staging", account_id="123456789012", region="us-east-1")
ROOT_PRINCIPAL = {"AWS": "arn:aws:iam::123456789012:root"}
KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"


def statements(document: str) -> dict[str, dict[str, Any]]:
    return {statement["Sid"]: statement for statement in json.loads(document)["Statement"]}


def payment_key(existing: str | None = None, *, rotation_days: int = 180) -> Recording:
    args = EncryptionKeyArgs(site=SITE, data_class=PAYMENT, rotation_days=rotation_days, existing_key_id=existing)
    return record(lambda: EncryptionKey("payment", args))


@pytest.mark.rows("K1")
def test_the_key_rotates_and_its_alias_points_at_it() -> None:
    recorded = payment_key()
    key, alias = recorded.one(KEY, "payment-1"), recorded.one(ALIAS, "payment")
    assert key.inputs["enableKeyRotation"] is True
    assert key.inputs["rotationPeriodInDays"] == 180
    assert key.inputs["deletionWindowInDays"] == 30
    assert key.inputs["tags"] == {**SITE.tags, "DataClass": "payment"}
    assert alias.inputs == {"name": "alias/parker-flight-payment-staging", "targetKeyId": "id-of-payment-1"}


@pytest.mark.rows("K1")
def test_nothing_that_holds_data_can_be_deleted_by_an_update_or_a_destroy() -> None:
    for resource in payment_key().resources.values():
        if resource.custom:
            assert resource.protect, resource.name
            assert resource.retain_on_delete, resource.name


@pytest.mark.rows("K1")
def test_an_existing_key_is_imported_with_its_alias() -> None:
    recorded = payment_key(KEY_ID)
    assert recorded.one(KEY, f"payment-{KEY_ID}").import_id == KEY_ID
    assert recorded.one(ALIAS, "payment").import_id == "alias/parker-flight-payment-staging"
    assert {resource.import_id for resource in payment_key().resources.values()} == {""}


@pytest.mark.rows("K1")
def test_naming_another_existing_key_takes_the_present_one_out_of_the_program_which_the_engine_refuses() -> None:
    """Under one name, engine 3.259 imports the other key as a replacement and moves the alias, protected or not."""
    names = [payment_key(key_id).names()[KEY] for key_id in (None, KEY_ID, KEY_ID.replace("1", "9"))]
    assert len({name for (name,) in names}) == 3


@pytest.mark.rows("K1")
@pytest.mark.parametrize("days", [0, 89, 2561])
def test_a_rotation_period_that_kms_would_refuse_is_refused_at_once(days: int) -> None:
    with pytest.raises(ValueError, match="KMS takes 90 to 2560"):
        EncryptionKeyArgs(site=SITE, data_class=PAYMENT, rotation_days=days)


@pytest.mark.rows("K1", "K3")
def test_administrators_of_a_key_cannot_use_it_and_its_user_cannot_administer_it() -> None:
    policy = statements(payment_key().one(KEY, "payment-1").inputs["policy"])
    assert set(policy) == {"Administration", "Use"}
    administration, use = policy["Administration"], policy["Use"]
    assert administration["Principal"] == use["Principal"] == ROOT_PRINCIPAL
    assert not set(administration["Action"]) & {*use["Action"], "kms:ReEncryptFrom", "kms:ReEncryptTo"}
    assert "kms:PutKeyPolicy" in administration["Action"], "without it the key could never be administered again"
    assert "kms:ScheduleKeyDeletion" not in administration["Action"]
    assert "kms:CreateGrant" not in administration["Action"]
    assert not [action for statement in policy.values() for action in statement["Action"] if "*" in action]
    assert use["Action"] == ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"]
    assert use["Condition"] == {
        "ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::123456789012:role/parker-flight-staging-role"},
        "StringEquals": {
            "kms:EncryptionContext:application": "parker-flight",
            "kms:EncryptionContext:purpose": "payment-method-data",
        },
    }


def function_access(*, adopt_role: bool = False, adopt_user: bool = False) -> Recording:
    args = FunctionAccessArgs(
        site=SITE, external_id="abcdefghijklmnopqrst", adopt_role=adopt_role, adopt_user=adopt_user
    )
    return record(lambda: FunctionAccess("functions", args))


@pytest.mark.rows("K3")
def test_only_the_functions_user_of_this_project_may_assume_the_role() -> None:
    recorded = function_access()
    role = recorded.one("aws:iam/role:Role", "functions-role")
    assert role.inputs["name"] == "parker-flight-staging-role"
    assert statements(role.inputs["assumeRolePolicy"]) == {
        "FunctionsOfThisProject": {
            "Sid": "FunctionsOfThisProject",
            "Effect": "Allow",
            "Principal": ROOT_PRINCIPAL,
            "Action": "sts:AssumeRole",
            "Condition": {
                "ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::123456789012:user/parker-flight-staging-functions"},
                "StringEquals": {"sts:ExternalId": "abcdefghijklmnopqrst"},
            },
        }
    }


@pytest.mark.rows("K3")
def test_the_functions_user_may_assume_its_role_and_nothing_else() -> None:
    recorded = function_access()
    policy = recorded.one("aws:iam/userPolicy:UserPolicy", "functions-user").inputs
    assert policy["user"] == "parker-flight-staging-functions"
    assert [(s["Action"], s["Resource"]) for s in statements(policy["policy"]).values()] == [
        ("sts:AssumeRole", "arn:aws:iam::123456789012:role/parker-flight-staging-role")
    ]
    assert not [type_ for type_ in recorded.names() if "accessKey" in type_], "its access key never enters Pulumi"


@pytest.mark.rows("K3")
def test_the_role_uses_each_key_only_for_its_purpose() -> None:
    policy = statements(function_access().one("aws:iam/rolePolicy:RolePolicy", "functions-role").inputs["policy"])
    uses = [s for s in policy.values() if "kms:Decrypt" in s["Action"]]
    assert {
        (
            s["Condition"]["StringEquals"]["kms:EncryptionContext:purpose"],
            s["Condition"]["ForAnyValue:StringEquals"]["kms:ResourceAliases"],
        )
        for s in uses
    } == {(data_class.purpose, SITE.alias(data_class)) for data_class in DATA_CLASSES}
    assert {s["Condition"]["StringEquals"]["kms:EncryptionContext:application"] for s in uses} == {APPLICATION}
    assert {s["Resource"] for s in uses} == {"arn:aws:kms:us-east-1:123456789012:key/*"}


@pytest.mark.rows("K3")
def test_the_role_may_otherwise_publish_its_metrics_write_its_log_and_see_its_keys() -> None:
    policy = statements(function_access().one("aws:iam/rolePolicy:RolePolicy", "functions-role").inputs["policy"])
    others = {name: s for name, s in policy.items() if "kms:Decrypt" not in s["Action"]}
    assert set(others) == {"SeeKeyState", "PublishMetrics", "WriteOperationsLog"}
    assert others["SeeKeyState"]["Condition"]["ForAnyValue:StringEquals"]["kms:ResourceAliases"] == sorted(
        SITE.key_aliases.values()
    )
    assert others["PublishMetrics"]["Condition"] == {
        "StringEquals": {"cloudwatch:namespace": ["ParkerFlight/Functions", "ParkerFlight/KMS"]}
    }
    assert others["WriteOperationsLog"]["Resource"] == (
        "arn:aws:logs:us-east-1:123456789012:log-group:/parker-flight/staging/kms-operations:*"
    )
    actions = [a for s in policy.values() for a in ([s["Action"]] if isinstance(s["Action"], str) else s["Action"])]
    assert not [action for action in actions if "*" in action]
    assert [name for name, s in policy.items() if s["Resource"] == "*"] == ["PublishMetrics"]


@pytest.mark.rows("K3")
def test_an_existing_role_is_imported_and_no_destroy_takes_it_away() -> None:
    adopted = function_access(adopt_role=True).one("aws:iam/role:Role", "functions-role")
    assert (adopted.import_id, adopted.protect, adopted.retain_on_delete) == (SITE.role, True, True)
    made = function_access().one("aws:iam/role:Role", "functions-role")
    assert (made.import_id, made.protect, made.retain_on_delete) == ("", False, False)


@pytest.mark.rows("K3")
def test_an_existing_user_is_imported_and_no_destroy_takes_it_away() -> None:
    adopted = function_access(adopt_user=True).one("aws:iam/user:User", "functions-user")
    assert (adopted.import_id, adopted.protect, adopted.retain_on_delete) == (SITE.function_user, True, True)
    made = function_access().one("aws:iam/user:User", "functions-user")
    assert (made.import_id, made.protect, made.retain_on_delete) == ("", False, False)


@pytest.mark.rows("K2")
def test_an_existing_log_group_is_imported_and_no_destroy_takes_it_away() -> None:
    args = OperationsLogArgs(site=SITE, retention_days=365, adopt=True)
    adopted = record(lambda: OperationsLog("operations", args)).one("aws:cloudwatch/logGroup:LogGroup", "operations")
    assert (adopted.import_id, adopted.protect, adopted.retain_on_delete) == (SITE.log_group, True, True)


@pytest.mark.rows("K2")
def test_the_operations_log_has_an_end() -> None:
    args = OperationsLogArgs(site=SITE, retention_days=365)
    group = record(lambda: OperationsLog("operations", args)).one("aws:cloudwatch/logGroup:LogGroup", "operations")
    assert group.inputs["name"] == "/parker-flight/staging/kms-operations"
    assert group.inputs["retentionInDays"] == 365


def release(**digests: str) -> Release:
    return Release(
        functions={
            name: Function(name=name, digest=digest, entry=Path(name) / "index.ts", verify_jwt=True)
            for name, digest in digests.items()
        }
    )


def edge_functions(**digests: str) -> Recording:
    args = EdgeFunctionsArgs(
        project_ref="abcdefghijklmnopqrst",
        release=release(**digests),
        settings={"PF_ENVIRONMENT": "staging"},
        functions_url="https://abcdefghijklmnopqrst.supabase.co/functions/v1",
    )
    return record(lambda: EdgeFunctions("functions", args))


@pytest.mark.rows("K4")
def test_a_code_change_updates_the_release_and_never_replaces_it() -> None:
    """Changed triggers replace a command, `update` or not, and its `delete` runs after the new one's `create`."""
    for command in edge_functions(one="1").all(COMMAND):
        assert "triggers" not in command.inputs
        assert command.inputs["update"] == command.inputs["create"]
        assert command.inputs["delete"]


@pytest.mark.rows("K4")
def test_the_command_names_the_function_that_changes() -> None:
    before = edge_functions(one="1", two="2").one(COMMAND, "functions-release").inputs
    after = edge_functions(one="1", two="3").one(COMMAND, "functions-release").inputs
    assert before["environment"]["PF_RELEASE_FUNCTIONS"] == "one 1 verify_jwt=true\ntwo 2 verify_jwt=true"
    assert after["environment"]["PF_RELEASE_FUNCTIONS"] == "one 1 verify_jwt=true\ntwo 3 verify_jwt=true"
    assert before["environment"]["PF_RELEASE"] != after["environment"]["PF_RELEASE"]
    assert {k: v for k, v in before.items() if k != "environment"} == {
        k: v for k, v in after.items() if k != "environment"
    }


@pytest.mark.rows("K4", "K5")
def test_the_command_says_which_function_takes_calls_without_a_token() -> None:
    open_to_all = Function(name="hook", digest="1", entry=Path("hook/index.ts"), verify_jwt=False)
    assert open_to_all.line == "hook 1 verify_jwt=false"


@pytest.mark.rows("K4", "K7")
def test_commands_are_the_same_on_every_machine() -> None:
    for command in edge_functions(one="1").all(COMMAND):
        assert "dir" not in command.inputs
        for text in (command.inputs["create"], command.inputs["delete"], *command.inputs["environment"].values()):
            assert not text.startswith("/")
            assert " /" not in text
            assert "=/" not in text


@pytest.mark.rows("K4")
def test_a_code_change_sets_no_settings() -> None:
    before, after = edge_functions(one="1"), edge_functions(one="2")
    assert before.one(COMMAND, "functions-settings").inputs == after.one(COMMAND, "functions-settings").inputs
    assert before.one(COMMAND, "functions-settings").inputs["create"].endswith(" set PF_ENVIRONMENT")


@pytest.mark.rows("K4")
def test_a_setting_outside_our_names_is_refused() -> None:
    with pytest.raises(ValueError, match="not so AWS_SECRET"):
        EdgeFunctionsArgs(project_ref="r", release=release(), settings={"AWS_SECRET": "x"}, functions_url="u")


@pytest.mark.rows("K1")
def test_a_name_that_aws_would_refuse_is_refused_at_once() -> None:
    with pytest.raises(NameTooLongError, match="AWS allows 64"):
        _ = Site(environment="e" * 60, account_id="1", region="r").role
