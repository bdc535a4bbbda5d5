"""After a killed update: what was made is found and taken over, and nothing else is."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from operations.engine import Engine
from operations.errors import OperationError
from operations.recover import import_file, let_go, recover, take_over
from operations.stack import Stack
from operations.state import Pending, Recorded, State, read_state

pytestmark = pytest.mark.rows("K1", "K7")

Client = Callable[[str], Any]
TAGS = {"Application": "parker-flight", "Environment": "sandbox", "DataClass": "pii"}
PREFIX = "urn:pulumi:sandbox::parker-flight::"
COMPONENT = f"{PREFIX}parkerflight:kms:EncryptionKey::pii"
DENIAL = {
    "message": "no approval",
    "policyName": "security-approval",
    "policyPackName": "parker-flight-security",
    "enforcementLevel": "mandatory",
}
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


def test_an_import_keeps_parent_and_provider() -> None:
    key = pending("aws:kms/key:Key", "pii-1", tags=TAGS)
    parents = [Recorded(urn=COMPONENT, type="x"), Recorded(urn=PROVIDER, type="y", id="0a1b")]
    state = State(resources=parents, pending_operations=[Pending(resource=key, type="creating")])
    wanted = import_file({key.urn: "1234"}, [key], state)
    (entry,) = wanted["resources"]
    assert (entry["type"], entry["logicalName"], entry["id"]) == ("aws:kms/key:Key", "pii-1", "1234")
    assert wanted["nameTable"][entry["parent"]] == COMPONENT
    assert wanted["nameTable"][entry["provider"]] == PROVIDER


def test_an_import_into_an_empty_state_brings_the_component_and_the_providers_version() -> None:
    stack_urn = f"{PREFIX}pulumi:pulumi:Stack::parker-flight-sandbox"
    component = Recorded(urn=COMPONENT, type="parkerflight:kms:EncryptionKey", parent=stack_urn)
    keys = [pending("aws:kms/key:Key", name, tags=TAGS) for name in ("pii-1", "pii-2")]
    wanted = import_file({key.urn: key.name for key in keys}, [component, *keys], State())
    made = {entry["logicalName"]: entry for entry in wanted["resources"]}
    assert wanted["nameTable"] == {}
    assert len(wanted["resources"]) == len(made) == 3
    assert made["pii"] == {
        "type": "parkerflight:kms:EncryptionKey",
        "name": made["pii"]["name"],
        "logicalName": "pii",
        "component": True,
    }
    for key in keys:
        entry = made[key.name]
        assert (entry["id"], entry["parent"], entry["version"]) == (key.name, made["pii"]["name"], "7.51.1")


def recording_engine(
    tool: Callable[[str, str], Path], tmp_path: Path, deployment: dict[str, Any], previewed: str = ""
) -> Path:
    """An engine with that state; `previewed`: what it does in a preview, its event log being "$log"."""
    (tmp_path / "export.json").write_text(json.dumps({"deployment": deployment}))
    tool(
        "pulumi",
        f"""echo "$*" >> {tmp_path}/calls
case $1-$2 in
stack-export) cat {tmp_path}/export.json ;;
import-*) cp "$3" {tmp_path}/imported.json ;;
preview-*) log=$3; {previewed or ":"} ;;
esac""",
    )
    return tmp_path / "calls"


def creates(resource: Recorded) -> str:
    """The engine's event of a preview that would make it."""
    new = resource.model_dump(include={"custom", "parent", "provider", "inputs"})
    return json.dumps(
        {"resourcePreEvent": {"metadata": {"op": "create", "urn": resource.urn, "type": resource.type, "new": new}}}
    )


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
    assert [(entry["logicalName"], entry["id"]) for entry in imported] == [("pii-1", key)]


def test_what_a_dead_provider_left_is_taken_over_even_if_the_change_is_denied(
    stack: Stack, client: Client, tool: Callable[[str, str], Path], tmp_path: Path
) -> None:
    key = made_key(client, TAGS)
    (tmp_path / "events").write_text(
        creates(Recorded(urn=COMPONENT, type="parkerflight:kms:EncryptionKey"))
        + "\n"
        + creates(pending("aws:kms/key:Key", "pii-1", tags=TAGS))
        + "\n"
        + creates(pending("aws:iam/role:Role", "role", name="not-there", tags=TAGS))
        + "\n"
        + json.dumps({"policyEvent": DENIAL})
        + "\n"
    )
    calls = recording_engine(tool, tmp_path, {"resources": []}, f"cp {tmp_path}/events $log; exit 255")
    assert take_over(stack) == 1
    imported = json.loads((tmp_path / "imported.json").read_text())["resources"]
    assert {entry["logicalName"]: entry.get("id") for entry in imported} == {"pii": None, "pii-1": key}
    assert [line.split()[0] for line in calls.read_text().splitlines()] == ["stack", "preview", "stack", "import"]


def test_a_preview_that_fails_takes_nothing_over(
    stack: Stack, client: Client, tool: Callable[[str, str], Path], tmp_path: Path
) -> None:
    made_key(client, TAGS)
    (tmp_path / "events").write_text(
        creates(pending("aws:kms/key:Key", "pii-1", tags=TAGS))
        + "\n"
        + json.dumps({"diagnosticEvent": {"message": "no such provider", "severity": "error"}})
        + "\n"
    )
    calls = recording_engine(tool, tmp_path, {"resources": []}, f"cp {tmp_path}/events $log; exit 255")
    with pytest.raises(OperationError, match="no such provider") as caught:
        take_over(stack)
    assert "./pf recover" in caught.value.cure
    assert "import" not in calls.read_text()


def test_what_was_adopted_and_never_applied_goes_out_of_the_state_and_out_of_nothing_else(
    stack: Stack, tool: Callable[[str, str], Path], tmp_path: Path
) -> None:
    (stack.root / "Pulumi.yaml").write_text("name: parker-flight\n")
    key = "70976941-f6b2-4cd8-bf9e-c451707283d6"
    own, adopted = pending("aws:kms/key:Key", "pii-1"), pending("aws:kms/key:Key", f"pii-{key}")
    resources = [own.model_dump() | {"id": "1234"}, adopted.model_dump() | {"id": key}]
    calls = recording_engine(tool, tmp_path, {"resources": resources})
    assert let_go(stack) == 1
    (said,) = [line for line in calls.read_text().splitlines() if not line.startswith("stack export")]
    assert said.startswith(f"state delete {adopted.urn} --force --yes --stack sandbox")


def test_a_stack_with_nothing_open_is_left_alone(
    stack: Stack, tool: Callable[[str, str], Path], tmp_path: Path
) -> None:
    calls = recording_engine(tool, tmp_path, {"resources": []})
    assert (recover(stack), let_go(stack)) == (0, 0)
    assert [line.split()[0] for line in calls.read_text().splitlines()] == ["stack", "stack"]


def test_a_stack_that_is_not_there_has_nothing_open(stack: Stack, tool: Callable[[str, str], Path]) -> None:
    tool("pulumi", "echo \"error: no stack named 'sandbox' found\" >&2; exit 255")
    assert read_state(Engine(stack)) == State()
