"""The state as the engine's backend has it now. No lock keeps a reader out."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gate.store import StoreError, in_backend
from gate.surface import Entry, Resource, entry, identities

VERSION = 3  # of what is written there
COMPRESSED = (".gz", ".zst")  # where the backend was told to
SECONDS = 60
# An update writes the state after every step, and not in one step where the backend is a folder.
HALF_WRITTEN = "failed to load checkpoint"
ATTEMPTS = 6
PAUSE_SECONDS = 0.1


class StateError(Exception):
    """The state can't be read; the message says why."""


@dataclass(frozen=True, kw_only=True)
class State:
    """What is deployed, and what an interrupted update left undone."""

    resources: tuple[Resource, ...] = ()
    pending: tuple[str, ...] = ()  # URNs

    @property
    def identities(self) -> dict[str, str]:
        return identities(self.resources)

    @property
    def entries(self) -> list[Entry]:
        known = self.identities
        return [entry(resource, known) for resource in self.resources if not resource.is_harmless]

    @classmethod
    def of_export(cls, exported: Mapping[str, Any]) -> "State":
        deployment: Mapping[str, Any] = exported.get("deployment") or {}
        return cls(
            resources=tuple(_resource(one) for one in deployment.get("resources", ()) if _is_ours(one)),
            pending=tuple(str(one["resource"]["urn"]) for one in deployment.get("pending_operations", ())),
        )


def _is_ours(exported: Mapping[str, Any]) -> bool:
    """Not what waits for its deletion; nor what was only read: no pack sees that, and its id is another's."""
    return not exported.get("delete") and not exported.get("external")


def _resource(exported: Mapping[str, Any]) -> Resource:
    return Resource(
        urn=str(exported["urn"]),
        type=str(exported["type"]),
        inputs=exported.get("inputs", {}),
        protect=bool(exported.get("protect")),
        provider=str(exported.get("provider", "")).rpartition("::")[0],
        outputs=exported.get("outputs", {}),
    )


def read(project: str, stack: str, folder: str, environment: Mapping[str, str]) -> State:
    """The stack's state; empty where the backend has no such stack yet.

    Raises: StateError.
    """
    return parsed(exported(project, stack, folder, environment))


def parsed(exported: Any) -> State:
    """Raises: StateError."""
    try:
        return State.of_export(exported)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _no_state(error) from error


def exported(project: str, stack: str, folder: str, environment: Mapping[str, str]) -> Any:
    """What `pulumi stack export` would print; of no resources where the backend has no such stack yet.

    The engine takes 0.3 s to read one file of its backend and to print a part of it. It is asked where that file is not
    there, or not as we know it.

    Raises: StateError.
    """
    deployment = written(project, stack.rpartition("/")[2], environment)
    if deployment is not None:
        return {"deployment": deployment}
    try:
        return json.loads(export(stack, folder, environment))
    except ValueError as error:
        raise _no_state(error) from error


def _no_state(error: Exception) -> StateError:
    return StateError(f"`pulumi stack export` printed no state ({type(error).__name__}: {error})")


def written(project: str, stack: str, environment: Mapping[str, str]) -> dict[str, Any] | None:
    """What the engine wrote last (pulumi, pkg/backend/diy/state.go: getCheckpoint); None where only it can tell."""
    name = f"{stack}.json"
    try:
        store = in_backend(environment.get("PULUMI_BACKEND_URL", ""), f".pulumi/stacks/{project}", environment)
        if {name, *(name + suffix for suffix in COMPRESSED)} & set(store.names()) != {name}:
            return None
        content = json.loads(store.get(name) or b"")
        latest = content["checkpoint"].get("latest") or {}  # none before the first update
        return latest if content["version"] == VERSION and isinstance(latest, dict) else None
    except (StoreError, ValueError, KeyError, TypeError, AttributeError):
        return None


def export(stack: str, folder: str, environment: Mapping[str, str]) -> str:
    """What `pulumi stack export` prints; of no resources where the backend has no such stack yet.

    Raises: StateError.
    """
    pulumi = shutil.which("pulumi", path=environment.get("PATH", os.defpath))
    if pulumi is None:
        raise StateError("`pulumi` is not on PATH: `make setup` installs it, `make shell` sets the PATH")
    command = [pulumi, "stack", "export", "--stack", stack, "--non-interactive", "--color", "never"]
    for attempt in range(ATTEMPTS):
        time.sleep(PAUSE_SECONDS * attempt)
        done = _run(command, folder, environment)
        if done.returncode == 0:
            return done.stdout
        if "no stack named" in done.stderr:
            return "{}"
        if HALF_WRITTEN not in done.stderr:
            raise StateError(f"`pulumi stack export` failed: {done.stderr.strip()}")
    raise StateError(
        f"the state of {stack} can't be read: it is damaged, or was being written all the time. "
        "Beside it the backend keeps the one before, as .json.bak: copy that over it"
    )


def _run(command: Sequence[str], folder: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise StateError(f"`pulumi stack export` did not end within {SECONDS} s") from None
