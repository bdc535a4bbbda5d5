"""What a deployment and a rollback share: the engine's update, the functions' key, and the look at what stands."""

import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gate.state import State, read
from gate.surface import functions_of
from operations import access_key
from operations.drift import functions_drift
from operations.engine import Engine
from operations.engine_events import LOG_FLAG
from operations.gate import gate_of, judged
from operations.health import HealthReport, Status, health, worst
from operations.journal import Journal
from operations.output import say
from operations.recover import State as RecoveredState
from operations.round_trip import round_trips
from operations.stack import Stack
from releases.versions import Version

UP = ("up", "--yes", "--suppress-outputs")
# A new access key and newly switched functions take a moment everywhere.
SETTLE_SECONDS = 12.0
SETTLE_INTERVAL_SECONDS = 0.5


def update(engine: Engine, journal: Journal, *arguments: str, started: Callable[[int], None] | None = None) -> None:
    """Run the engine's update; what it did goes into the journal, also when it fails."""
    with tempfile.TemporaryDirectory(prefix="pf-update-") as folder:
        log = Path(folder) / "events"
        try:
            engine.change(*UP, LOG_FLAG, str(log), *arguments, started=started)
        finally:
            journal.saw(log)


def hand_key_over(stack: Stack) -> None:
    if access_key.ensure(stack):
        say("the functions have a new access key")


def functions_to_bring_back(stack: Stack, state: RecoveredState) -> list[str]:
    """Functions that were deleted or replaced beside Pulumi are deployed again, though their source is unchanged."""
    drift = functions_drift(stack, state)
    if not drift.functions:
        return []
    say(f"deleted or replaced beside Pulumi: {', '.join(drift.functions)}; deploying again")
    return ["--replace", drift.urn]


def settle(stack: Stack, release: str, seconds: float = SETTLE_SECONDS) -> HealthReport:
    """The health and the round trips once they are good, or as they are when the time is over."""
    deadline = time.monotonic() + seconds
    report = _asked(stack, release)
    told = False
    while report.status is not Status.HEALTHY and time.monotonic() < deadline:
        if not told:
            say(f"waiting for {', '.join(check.name for check in report.unwell)}")
            told = True
        time.sleep(SETTLE_INTERVAL_SECONDS)
        report = _asked(stack, release)
    return report


def _asked(stack: Stack, release: str) -> HealthReport:
    with ThreadPoolExecutor(1) as pool:
        trips = pool.submit(round_trips, stack)
        report = health(stack, expected_release=release)
    checks = [*report.checks, *trips.result()]
    return report.model_copy(update={"checks": checks, "status": worst(one.status for one in checks)})


def state_of(stack: Stack) -> State:
    with judged():
        return read(stack.name, str(stack.root), stack.variables)


def stands(stack: Stack, version: Version, state: State) -> bool:
    """Whether the state is as that version left it; an update that broke off leaves another."""
    with judged():
        deployed = gate_of(stack).deployed(state)
    return deployed.digest == version.surface and functions_of(state.resources) == version.functions
