"""After an update broke off: what it had made is found in the cloud and taken into the state, so nothing is doubled.

The engine notes an operation before it begins it. A create that is still noted, because the engine was killed, may have
happened: `refresh` alone would forget it and the next update would make it again. A create whose provider died is noted
nowhere: it is found by asking what the next update would make.
"""

import json
import re
import signal
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from operations.engine import Engine, encryption_cure
from operations.engine_events import LOG_FLAG, UNHIDES_THE_LOG, read_events
from operations.errors import ExitCode, OperationError
from operations.found import find_all
from operations.key_guard import adopted_only, refuse_keys_to_be_deleted
from operations.output import say
from operations.processes import Process, running, signal_to
from operations.releases import ReleaseStore, is_being_left, reading
from operations.stack import Stack
from operations.state import Recorded, State, read_state

VERSION = re.compile(r"::default_(\d+)_(\d+)_(\d+)$")  # of a default provider
ORPHANS_SECONDS = 15  # a create that was under way ends by itself within seconds


def recover(stack: Stack, engine: Engine | None = None, state: State | None = None) -> int:
    """Bring state and cloud together; returns how many operations had been left open."""
    engine = engine or Engine(stack)
    engine.refuse_while_locked()
    end_orphans(stack)
    state = state or read_state(engine)
    if not state.pending_operations:
        return 0
    count = len(state.pending_operations)
    say(f"an update of {stack.name} has left open:")
    for one in state.pending_operations:
        say(f"  {one.type} {one.resource.type} {one.resource.name}")
    begun = [one.resource for one in state.pending_operations if one.type == "creating" and one.resource.custom]
    _import(engine, find_all(stack, begun, state.all_ids), begun, state)
    refuse_keys_to_be_deleted(stack, state)
    engine.change("refresh", "--yes", "--skip-preview", "--clear-pending-creates", "--suppress-outputs")
    return count


def next_command(stack: Stack) -> str:
    """What ends the update that broke off: a rollback goes on as one, and never to what it was leaving."""
    store = ReleaseStore.of(stack.name, stack.variables)
    with reading():
        live = store.versions.latest()
        if live and is_being_left(store, live):
            return f"./pf rollback{stack.command} --reason WHY"
    return f"./pf deploy{stack.command}"


def let_go(stack: Stack) -> int:
    """Take keys out of the state that an update adopted and none was applied with; returns how many.

    In AWS they stay as they are. The engine's own protection is no obstacle to that, and none is lifted.
    """
    engine = Engine(stack)
    found = adopted_only(stack, read_state(engine), stack.settings.existing_key_ids.model_dump().values())
    if found:
        say(f"taking out of the state what was adopted and never applied: {', '.join(one.name for one in found)}")
        engine.change("state", "delete", *(one.urn for one in found), "--force", "--yes")
    return len(found)


def take_over(stack: Stack, resume: str = "recover") -> int:
    """Import what the program would make and what stands already, as this stack's own; returns how much there was.

    A provider that dies in an update leaves it: the engine goes on, and takes what it was making for not made.
    `resume`: the verb that goes on where this fails.
    """
    engine = Engine(stack, resume=resume)
    engine.ensure_stack()
    wanted = _creates(stack, resume)
    state = read_state(engine)
    found = find_all(stack, wanted, state.all_ids)
    _import(engine, found, wanted, state)
    return len(found)


def _creates(stack: Stack, resume: str) -> Sequence[Recorded]:
    """What a deployment would make. A denial is no obstacle: what is taken over is judged when it is deployed."""
    say(f"asking what an update of {stack.name} would make")
    engine = Engine(replace(stack, variables={**stack.variables, **UNHIDES_THE_LOG}), resume=resume)
    with tempfile.TemporaryDirectory(prefix="pf-recover-") as folder:
        log = Path(folder) / "events"
        code, said = engine.preview(LOG_FLAG, str(log), quiet=True)
        events = read_events(log)
    if code and (events.errors or not events.violations):
        problems = "\n".join(one.message for one in events.errors) or said
        raise OperationError(
            f"the preview failed, so nothing was taken over:\n{problems}",
            "\n  ".join(filter(None, (encryption_cure(stack, said), f"Mend that, then: ./pf {resume}{stack.command}"))),
            ExitCode.FAILED,
        )
    return events.creates


def _import(engine: Engine, found: Mapping[str, str], wanted: Sequence[Recorded], state: State) -> None:
    if not found:
        return
    say(f"taking over what had been made already: {', '.join(urn.rpartition('::')[2] for urn in found)}")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "import.json"
        file.write_text(json.dumps(import_file(found, wanted, state)))
        engine.change(
            *("import", "--file", str(file), "--yes", "--skip-preview"),
            *("--generate-code=false", "--protect=false", "--suppress-outputs"),
        )


def import_file(found: Mapping[str, str], wanted: Sequence[Recorded], state: State) -> dict[str, Any]:
    """What `pulumi import --file` takes: each under its parent and with its provider, as the program declares it.

    A component that the state lacks is made with it; so is a provider of that version.
    """
    declared = {resource.urn: resource for resource in wanted}
    there = {resource.urn for resource in state.resources}
    names: dict[str, str] = {}
    resources: dict[str, dict[str, object]] = {}

    def named(urn: str) -> str:
        return names.setdefault(urn, f"n{len(names)}")

    def add(resource: Recorded) -> dict[str, object]:
        entry: dict[str, object] = {
            "type": resource.type,
            "name": named(resource.urn),
            "logicalName": resource.name,
        }
        resources[resource.urn] = entry
        parent = resource.parent
        if parent in declared and parent not in there and parent not in resources:
            add(declared[parent])["component"] = True
        if parent in there or parent in resources:
            entry["parent"] = named(parent)
        return entry

    for urn, identity in found.items():
        entry = add(declared[urn])
        entry["id"] = identity
        provider = declared[urn].provider.rpartition("::")[0]
        if provider in there:
            entry["provider"] = named(provider)
        elif version := VERSION.search(provider):
            entry["version"] = ".".join(version.groups())
    return {
        "nameTable": {name: urn for urn, name in names.items() if urn in there},
        "resources": list(resources.values()),
    }


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
