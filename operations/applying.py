"""What a deployment and a rollback share: the engine's update, the functions' key, and the look at what stands."""

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from gate.evidence import EMERGENCY
from gate.state import State, exported, parsed
from gate.surface import functions_of
from operations import access_key, probe_secrets
from operations.drift import Deployed
from operations.engine import Engine
from operations.engine_events import LOG_FLAG, UNHIDES_THE_LOG, read_events
from operations.gate import deployed_state, gate_of, judged
from operations.health import HealthReport, Status, health, worst
from operations.journal import Journal
from operations.key_guard import refuse_keys_to_be_deleted
from operations.output import say
from operations.releases import ReleaseStore, reading
from operations.round_trip import round_trips
from operations.stack import Stack
from operations.state import State as Recorded
from operations.state import read_state
from operations.supabase import DeployedFunction, ManagementApi
from releases.versions import Verification, Version

UP = ("up", "--yes", "--suppress-outputs")
# Newly switched functions take a moment everywhere, and a new access key takes longer.
SETTLE_SECONDS = 5.0
KEY_SECONDS = 12.0
SETTLE_INTERVAL_SECONDS = 0.5


def prepared(stack: Stack, journal: Journal, kind: str, *, emergency: bool) -> Stack:
    """With what the engine and the policy pack have to know of the operation. `emergency`: an incident is open."""
    variables = {**stack.variables, **UNHIDES_THE_LOG, **journal.operation(kind).as_environment()}
    return replace(stack, variables=variables | ({EMERGENCY: "1"} if emergency else {}))


def noted(store: ReleaseStore, journal: Journal, *, good: bool, why: str = "") -> None:
    """Whether the version that stands now was seen to work."""
    journal.verified = good
    if journal.version:
        verification = Verification(good=good, at=datetime.now(UTC), by=journal.who, why=why)
        with reading():
            store.versions.verify(journal.version, verification)


def update(engine: Engine, journal: Journal, *arguments: str, started: Callable[[int], None] | None = None) -> None:
    """Run the engine's update; what it did goes into the journal, also when it fails."""
    with tempfile.TemporaryDirectory(prefix="pf-update-") as folder:
        log = Path(folder) / "events"
        try:
            engine.change(*(*UP, LOG_FLAG, str(log), *arguments), started=started, began=lambda: read_events(log).began)
        finally:
            journal.saw(log)
        journal.decision = gate_of(engine.stack).decision(engine.run)


@dataclass(frozen=True, kw_only=True)
class Handed:
    """Whether anything had to be, and how many seconds it may take until that is everywhere."""

    changed: bool
    seconds: float = SETTLE_SECONDS


def hand_over(stack: Stack, state: Callable[[], Recorded]) -> Handed:
    """What never passes Pulumi: the functions' access key, the probe's keys; and settings that were changed by hand."""
    with ThreadPoolExecutor() as pool:
        recorded, putting = pool.submit(state), pool.submit(probe_secrets.ensure, stack)
        made = access_key.ensure(stack)
    if made:
        say("the functions have a new access key")
    if put := putting.result():
        say(f"put into the parameter store: {', '.join(put)}")
    supabase = ManagementApi(stack)
    if changed := Deployed.of(recorded.result()).changed_settings(supabase.secrets()):
        supabase.set_secrets(changed)
        say(f"changed beside Pulumi: {', '.join(changed)}; set again")
    return Handed(changed=bool(made or put or changed), seconds=KEY_SECONDS if made else SETTLE_SECONDS)


def live_functions(stack: Stack) -> Mapping[str, DeployedFunction]:
    return ManagementApi(stack).functions()


def changed_functions(state: Recorded, live: Mapping[str, DeployedFunction]) -> list[str]:
    """Those that aren't as the last update left them, as words."""
    return list(Deployed.of(state).changed_functions(live).values())


def functions_to_bring_back(state: Recorded, live: Mapping[str, DeployedFunction]) -> list[str]:
    """Functions that aren't as they were left are deployed again, though their source is unchanged."""
    changed = changed_functions(state, live)
    if not changed:
        return []
    say(f"changed beside Pulumi: {', '.join(changed)}; deploying again")
    return ["--replace", Deployed.of(state).urn]


def put_back(engine: Engine, journal: Journal, moved: Sequence[str]) -> None:
    """The state learns how AWS has it, and a second update makes it what it was.

    After the first update: the gate knows this very surface as live then, so that going back to it needs nobody's
    approval; before it, a state that drifted would stand in the way of a change that was approved.
    """
    state = read_state(engine)
    refuse_keys_to_be_deleted(engine.stack, state)
    still_there = {one.urn for one in state.resources}
    which = [word for urn in moved if urn in still_there for word in ("--target", urn)]
    engine.change("refresh", "--yes", "--skip-preview", "--suppress-outputs", *which)
    update(engine, journal)


def settle(stack: Stack, release: str, seconds: float, state: Callable[[], Recorded]) -> HealthReport:
    """The health and the round trips once they are good, or as they are when the time is over."""
    deadline = time.monotonic() + seconds
    report = _asked(stack, release, state)
    told = False
    while report.status is not Status.HEALTHY and time.monotonic() < deadline:
        if not told:
            say(f"waiting for {', '.join(check.name for check in report.unwell)}")
            told = True
        time.sleep(SETTLE_INTERVAL_SECONDS)
        report = _asked(stack, release, state)
    return report


def _asked(stack: Stack, release: str, state: Callable[[], Recorded]) -> HealthReport:
    with ThreadPoolExecutor(1) as pool:
        trips = pool.submit(round_trips, stack)
        report = health(stack, expected_release=release, state=state)
    checks = [*report.checks, *trips.result()]
    return report.model_copy(update={"checks": checks, "status": worst(one.status for one in checks)})


def state_of(stack: Stack) -> State:
    with judged():
        return deployed_state(stack)


def states_of(stack: Stack) -> tuple[State, Recorded]:
    """One state, as the gate reads it and as a recovery does."""
    with judged():
        found = exported(stack.project, stack.name, str(stack.root), stack.variables)
        return parsed(found), Recorded.of_export(found)


def stands(stack: Stack, version: Version, state: State) -> bool:
    """Whether the state is as that version left it; an update that broke off leaves another."""
    with judged():
        deployed = gate_of(stack).deployed(state)
    return deployed.digest == version.surface and functions_of(state.resources) == version.functions
