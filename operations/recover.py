"""After an update was killed: what it had begun is found in the cloud and taken into the state, so nothing is doubled.

The engine notes an operation before it begins it. A create that is still noted may have happened: `refresh` alone
would forget it and the next update would make it again. Things that AWS names by an id of its own (keys), or that it
refuses to make twice (aliases, roles, users, log groups), are imported; the others are written by name, so that making
them again changes nothing.
"""

import json
import signal
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from operations.aws import Aws, AwsError, code_of, explained
from operations.engine import Engine, StackMissingError
from operations.errors import ExitCode, OperationError
from operations.key_guard import GONE, has_tags, refuse_keys_to_be_deleted
from operations.output import say
from operations.processes import Process, running, signal_to
from operations.stack import Stack

ORPHANS_SECONDS = 15  # a create that was under way ends by itself within seconds


class Recorded(BaseModel):
    """A resource as the engine's state has it."""

    model_config = ConfigDict(extra="ignore")

    urn: str
    type: str
    custom: bool = False
    id: str = ""
    parent: str = ""
    provider: str = ""
    inputs: dict[str, Any] = Field(default_factory=dict)
    outputs: dict[str, Any] = Field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.urn.rpartition("::")[2]


class Pending(BaseModel):
    """An operation that was begun."""

    resource: Recorded
    type: str


class State(BaseModel):
    """The part of `pulumi stack export` that a recovery reads."""

    resources: list[Recorded] = Field(default_factory=list[Recorded])
    pending_operations: list[Pending] = Field(default_factory=list[Pending])

    def ids(self, kind: str) -> set[str]:
        return {resource.id for resource in self.resources if resource.type == kind}


def read_state(engine: Engine) -> State:
    """Empty where the stack isn't there yet."""
    try:
        exported = json.loads(engine.read("stack", "export"))
    except StackMissingError:
        return State()
    return State.model_validate(exported.get("deployment") or {})


Finder = Callable[[Aws, Mapping[str, Any], set[str]], str | None]


def _key(aws: Aws, inputs: Mapping[str, Any], known: set[str]) -> str | None:
    """By its tags, which KMS writes in the call that makes the key."""
    wanted = {name: value for name, value in inputs.get("tags", {}).items() if not name.startswith("__")}
    if not wanted:
        raise OperationError(
            "a key was being made when the update died, and it carries no tags to find it by",
            "Look for it in the KMS console, then: pulumi import aws:kms/key:Key NAME ID",
            ExitCode.FAILED,
        )
    found: list[str] = []
    for page in aws.kms.get_paginator("list_keys").paginate():
        for listed in page["Keys"]:
            key = listed.get("KeyId", "")
            if key not in known and has_tags(aws, key, wanted) and _is_kept(aws, key):
                found.append(key)
    if len(found) > 1:
        raise OperationError(
            f"several keys carry the tags of the one that was being made: {', '.join(found)}",
            "Name the right one under parker-flight:existingKeyIds in the stack's config, then deploy again.",
            ExitCode.FAILED,
        )
    return found[0] if found else None


def _is_kept(aws: Aws, key: str) -> bool:
    return aws.kms.describe_key(KeyId=key)["KeyMetadata"].get("KeyState") != "PendingDeletion"


def _alias(aws: Aws, inputs: Mapping[str, Any], _known: set[str]) -> str | None:
    aws.kms.describe_key(KeyId=inputs["name"])
    return str(inputs["name"])


def _role(aws: Aws, inputs: Mapping[str, Any], _known: set[str]) -> str | None:
    return aws.iam.get_role(RoleName=inputs["name"])["Role"]["RoleName"]


def _user(aws: Aws, inputs: Mapping[str, Any], _known: set[str]) -> str | None:
    return aws.iam.get_user(UserName=inputs["name"])["User"]["UserName"]


def _log_group(aws: Aws, inputs: Mapping[str, Any], _known: set[str]) -> str | None:
    groups = aws.logs.describe_log_groups(logGroupNamePrefix=inputs["name"])["logGroups"]
    return next((inputs["name"] for group in groups if group.get("logGroupName") == inputs["name"]), None)


FINDERS: Mapping[str, Finder] = {
    "aws:kms/key:Key": _key,
    "aws:kms/alias:Alias": _alias,
    "aws:iam/role:Role": _role,
    "aws:iam/user:User": _user,
    "aws:cloudwatch/logGroup:LogGroup": _log_group,
}


def find(aws: Aws, resource: Recorded, known: set[str]) -> str | None:
    """The id of what an interrupted create made, if it made anything."""
    try:
        return FINDERS[resource.type](aws, resource.inputs, known)
    except AwsError as error:
        if code_of(error) in GONE:
            return None
        raise


def import_file(found: Mapping[str, str], state: State) -> dict[str, Any]:
    """What `pulumi import --file` takes: urn to id, each under its parent and with its provider."""
    pending = {one.resource.urn: one.resource for one in state.pending_operations}
    there = {resource.urn for resource in state.resources}
    names: dict[str, str] = {}

    def named(urn: str) -> str:
        return names.setdefault(urn, f"n{len(names)}")

    resources: list[dict[str, str]] = []
    for urn, identity in found.items():
        resource = pending[urn]
        entry = {"type": resource.type, "name": resource.name, "id": identity}
        if resource.parent in there:
            entry["parent"] = named(resource.parent)
        if (provider := resource.provider.rpartition("::")[0]) in there:
            entry["provider"] = named(provider)
        resources.append(entry)
    return {"nameTable": {name: urn for urn, name in names.items()}, "resources": resources}


def recover(stack: Stack, engine: Engine | None = None, state: State | None = None) -> int:
    """Bring state and cloud together; returns how many operations had been left open."""
    engine = engine or Engine(stack)
    engine.refuse_while_locked()
    end_orphans(stack)
    state = state or read_state(engine)
    if not state.pending_operations:
        return 0
    count = len(state.pending_operations)
    say(f"an update of {stack.name} has left {count} operations open:")
    for one in state.pending_operations:
        say(f"  {one.type} {one.resource.type} {one.resource.name}")
    aws = Aws(stack)
    found: dict[str, str] = {}
    for one in state.pending_operations:
        resource = one.resource
        if one.type == "creating" and resource.custom and resource.type in FINDERS:
            known = state.ids(resource.type) | set(found.values())
            try:
                identity = find(aws, resource, known)
            except AwsError as error:
                raise explained(error, stack, f"looking for {resource.name} ({resource.type})") from error
            if identity and identity not in state.ids(resource.type):
                found[resource.urn] = identity
    if found:
        say(f"taking over what had been made already: {', '.join(urn.rpartition('::')[2] for urn in found)}")
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "import.json"
            file.write_text(json.dumps(import_file(found, state)))
            engine.change(
                *("import", "--file", str(file), "--yes", "--skip-preview"),
                *("--generate-code=false", "--protect=false", "--suppress-outputs"),
            )
    refuse_keys_to_be_deleted(stack, state)
    engine.change("refresh", "--yes", "--skip-preview", "--clear-pending-creates", "--suppress-outputs")
    return count


def end_orphans(stack: Stack) -> None:
    """End the engine's plugins that outlived it: they would go on making things that nobody notes.

    Only plugins of this stack's PULUMI_HOME, and only those whose engine is gone.
    """
    home = stack.environment.pulumi_home
    if not home or not (orphans := _orphans(Path(home) / "plugins")):
        return
    say(f"ending {len(orphans)} plugins that outlived their engine")
    for pid in orphans:
        signal_to(pid, signal.SIGTERM)
    deadline = time.monotonic() + ORPHANS_SECONDS
    while remaining := orphans & running().keys():
        if time.monotonic() > deadline:
            raise OperationError(
                f"plugins of the dead update don't end: processes {', '.join(map(str, sorted(remaining)))}",
                f"End them (kill -9), then: ./pf recover{stack.command}",
            )
        time.sleep(0.1)


def _orphans(plugins: Path) -> set[int]:
    """Plugins are started by the engine itself: one whose parent is no engine has lost it."""
    processes = running()

    def has_engine(process: Process) -> bool:
        return process.parent in processes and "pulumi" in processes[process.parent].command

    return {
        process.pid for process in processes.values() if f"{plugins}/" in process.command and not has_engine(process)
    }
