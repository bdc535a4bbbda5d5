"""After a killed update: what was made is found and taken over, and nothing else is."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from operations.aws import Aws
from operations.engine import Engine
from operations.errors import OperationError
from operations.recover import FINDERS, Pending, Recorded, State, find, import_file, read_state, recover
from operations.stack import Stack

pytestmark = pytest.mark.rows("K1", "K7")

Client = Callable[[str], Any]
TAGS = {"Application": "parker-flight", "Environment": "sandbox", "DataClass": "pii"}
PREFIX = "urn:pulumi:sandbox::parker-flight::"
COMPONENT = f"{PREFIX}parkerflight:kms:EncryptionKey::pii"
PROVIDER = f"{PREFIX}pulumi:providers:aws::default_7_51_1"


def pending(kind: str, called: str, **inputs: Any) -> Recorded:
    return Recorded(
        urn=f"{PREFIX}parkerflight:kms:EncryptionKey${kind}::{called}",
        type=kind,
        custom=True,
        parent=COMPONENT,
        provider=f"{PROVIDER}::0a1b",
        inputs=inputs,
    )


def made_key(client: Client, tags: dict[str, str]) -> str:
    listed = [{"TagKey": name, "TagValue": value} for name, value in tags.items()]
    key: str = client("kms").create_key(Tags=listed)["KeyMetadata"]["KeyId"]
    return key


def test_a_key_is_found_by_its_tags_among_others(stack: Stack, client: Client) -> None:
    made_key(client, TAGS | {"DataClass": "general"})
    made_key(client, {})
    key = made_key(client, TAGS | {"Owner": "security"})
    assert find(Aws(stack), pending("aws:kms/key:Key", "pii-1", tags={**TAGS, "__defaults": []}), set()) == key


def test_a_key_of_the_state_is_not_taken_for_a_new_one(stack: Stack, client: Client) -> None:
    key = made_key(client, TAGS)
    assert find(Aws(stack), pending("aws:kms/key:Key", "pii-2", tags=TAGS), {key}) is None


def test_a_key_that_is_to_be_deleted_is_not_taken_over(stack: Stack, client: Client) -> None:
    client("kms").schedule_key_deletion(KeyId=made_key(client, TAGS))
    assert find(Aws(stack), pending("aws:kms/key:Key", "pii-1", tags=TAGS), set()) is None


def test_two_candidates_are_a_question_for_people(stack: Stack, client: Client) -> None:
    keys = {made_key(client, TAGS), made_key(client, TAGS)}
    with pytest.raises(OperationError, match="existingKeyIds") as caught:
        find(Aws(stack), pending("aws:kms/key:Key", "pii-1", tags=TAGS), set())
    assert all(key in caught.value.message for key in keys)


def test_a_key_without_tags_is_never_guessed(stack: Stack) -> None:
    with pytest.raises(OperationError, match="no tags"):
        find(Aws(stack), pending("aws:kms/key:Key", "pii-1"), set())


@pytest.mark.parametrize(
    ("kind", "name", "operation"),
    [
        ("aws:kms/alias:Alias", "alias/parker-flight-pii-sandbox", "kms.create_alias"),
        ("aws:iam/role:Role", "parker-flight-sandbox-role", "iam.create_role"),
        ("aws:iam/user:User", "parker-flight-sandbox-functions", "iam.create_user"),
        ("aws:cloudwatch/logGroup:LogGroup", "/parker-flight/sandbox/kms-operations", "logs.create_log_group"),
    ],
)
def test_what_has_a_name_is_found_by_it(stack: Stack, client: Client, kind: str, name: str, operation: str) -> None:
    arguments = {
        "kms.create_alias": {"AliasName": name, "TargetKeyId": made_key(client, TAGS)},
        "iam.create_role": {"RoleName": name, "AssumeRolePolicyDocument": "{}"},
        "iam.create_user": {"UserName": name},
        "logs.create_log_group": {"logGroupName": name},
    }
    aws = Aws(stack)
    assert find(aws, pending(kind, "it", name=name), set()) is None
    service, _, call = operation.partition(".")
    getattr(client(service), call)(**arguments[operation])
    assert find(aws, pending(kind, "it", name=name), set()) == name


def test_every_type_that_aws_refuses_or_doubles_has_a_finder() -> None:
    assert set(FINDERS) == {
        "aws:kms/key:Key",
        "aws:kms/alias:Alias",
        "aws:iam/role:Role",
        "aws:iam/user:User",
        "aws:cloudwatch/logGroup:LogGroup",
    }


def test_an_import_keeps_parent_and_provider() -> None:
    key = pending("aws:kms/key:Key", "pii-1", tags=TAGS)
    parents = [Recorded(urn=COMPONENT, type="x"), Recorded(urn=PROVIDER, type="y", id="0a1b")]
    state = State(resources=parents, pending_operations=[Pending(resource=key, type="creating")])
    wanted = import_file({key.urn: "1234"}, state)
    (entry,) = wanted["resources"]
    assert (entry["type"], entry["name"], entry["id"]) == ("aws:kms/key:Key", "pii-1", "1234")
    assert wanted["nameTable"][entry["parent"]] == COMPONENT
    assert wanted["nameTable"][entry["provider"]] == PROVIDER


def recording_engine(tool: Callable[[str, str], Path], tmp_path: Path, deployment: dict[str, Any]) -> Path:
    (tmp_path / "export.json").write_text(json.dumps({"deployment": deployment}))
    tool(
        "pulumi",
        f"""case $1 in
stack) cat {tmp_path}/export.json ;;
import) cp "$3" {tmp_path}/imported.json ;;
esac
echo "$*" >> {tmp_path}/calls""",
    )
    return tmp_path / "calls"


def test_a_recovery_imports_then_forgets_the_open_creates(
    stack: Stack, client: Client, tool: Callable[[str, str], Path], tmp_path: Path
) -> None:
    key = made_key(client, TAGS)
    interrupted = [
        {"type": "creating", "resource": pending("aws:kms/key:Key", "pii-1", tags=TAGS).model_dump()},
        {"type": "creating", "resource": pending("aws:sns/topic:Topic", "info", name="x").model_dump()},
        {"type": "updating", "resource": pending("aws:iam/role:Role", "role", name="y").model_dump()},
    ]
    parents = [{"urn": COMPONENT, "type": "parkerflight:kms:EncryptionKey"}]
    calls = recording_engine(tool, tmp_path, {"resources": parents, "pending_operations": interrupted})
    assert recover(stack) == len(interrupted)
    verbs = [line.split()[0] for line in calls.read_text().splitlines()]
    assert verbs == ["stack", "import", "refresh"]
    assert "--protect=false" in calls.read_text()
    assert "--clear-pending-creates" in calls.read_text()
    imported = json.loads((tmp_path / "imported.json").read_text())["resources"]
    assert [(entry["name"], entry["id"]) for entry in imported] == [("pii-1", key)]


def test_a_stack_with_nothing_open_is_left_alone(
    stack: Stack, tool: Callable[[str, str], Path], tmp_path: Path
) -> None:
    calls = recording_engine(tool, tmp_path, {"resources": []})
    assert recover(stack) == 0
    assert [line.split()[0] for line in calls.read_text().splitlines()] == ["stack"]


def test_a_stack_that_is_not_there_has_nothing_open(stack: Stack, tool: Callable[[str, str], Path]) -> None:
    tool("pulumi", "echo \"error: no stack named 'sandbox' found\" >&2; exit 255")
    assert read_state(Engine(stack)) == State()
