"""One deployment: look, finish what an interrupted one left, run the engine, give the functions their key, verify."""

import time
from collections.abc import Sequence
from dataclasses import replace

from gate.evidence import EMERGENCY
from operations import access_key, drift
from operations.drift import Deployed
from operations.engine import Engine
from operations.errors import ExitCode, OperationError
from operations.health import HealthReport, Status, health
from operations.key_guard import refuse_keys_to_be_deleted, refuse_stray_keys
from operations.output import say
from operations.preflight import preflight
from operations.recover import State, read_state, recover
from operations.stack import Stack
from operations.supabase import ManagementApi

UP = ("up", "--yes", "--suppress-outputs")
# A new access key and newly switched functions take a moment everywhere.
SETTLE_SECONDS = 12.0
SETTLE_INTERVAL_SECONDS = 0.5


def deploy(stack: Stack, *, emergency: bool = False) -> HealthReport:
    """Deploy, and judge what stands afterwards. `emergency`: an open incident takes the place of approvals."""
    if emergency:
        stack = replace(stack, variables={**stack.variables, EMERGENCY: "1"})
    doing, left = "checking", "nothing has been changed"
    try:
        engine = Engine(stack)
        say(f"checking {stack.name}: settings, tools, account, project, functions")
        found = preflight(stack, engine)
        refuse_stray_keys(stack, found.state)
        doing, left = "opening the stack", "at most an empty stack has been made"
        engine.select()
        doing, left = "recovering", "the interrupted update is still to be recovered"
        if recover(stack, engine, found.state):
            say("recovered; deploying")
        doing, left = "comparing with AWS", "nothing has been changed"
        moved = _moved(engine, found.state)
        doing, left = "updating", "the engine has saved what it did"
        engine.change(*UP, *_bring_back(stack, found.state))
        doing, left = "putting back", "the update is done; what was changed by hand in AWS may not be put back yet"
        _put_back(engine, moved)
        doing, left = "handing the access key over", "all resources stand, the functions may lack their access key"
        if access_key.ensure(stack):
            say("the functions have a new access key")
        _set_again(stack, read_state(engine))
        doing, left = "verifying", "everything is deployed"
        return settle(stack, found.release)
    except KeyboardInterrupt:
        raise OperationError(
            f"interrupted while {doing}: {left}", f"Go on: ./pf deploy{stack.command}", ExitCode.INTERRUPTED
        ) from None


def _bring_back(stack: Stack, state: State) -> list[str]:
    """Functions that aren't as they were left are deployed again, though their source is unchanged."""
    deployed = Deployed.of(state)
    if not deployed.functions:
        return []
    changed = deployed.changed_functions(ManagementApi(stack).functions())
    if not changed:
        return []
    say(f"changed beside Pulumi: {', '.join(changed.values())}; deploying again")
    return ["--replace", deployed.urn]


def _moved(engine: Engine, state: State) -> list[str]:
    """Before the update: what it makes may take AWS a moment to show, and would be taken for gone."""
    found = drift.moved(engine) if state.resources else []
    if found:
        say(f"changed beside Pulumi: {', '.join(drift.short(urn) for urn in found)}; to be put back")
    return found


def _put_back(engine: Engine, moved: Sequence[str]) -> None:
    """The state learns how AWS has it, and a second update makes it what it was.

    After the first update: the gate knows this very surface as live then, so that going back to it needs nobody's
    approval; before it, a state that drifted would stand in the way of a change that was approved.
    """
    if not moved:
        return
    state = read_state(engine)
    refuse_keys_to_be_deleted(engine.stack, state)
    still_there = {one.urn for one in state.resources}
    which = [word for urn in moved if urn in still_there for word in ("--target", urn)]
    engine.change("refresh", "--yes", "--skip-preview", "--suppress-outputs", *which)
    engine.change(*UP)


def _set_again(stack: Stack, state: State) -> None:
    supabase = ManagementApi(stack)
    if changed := Deployed.of(state).changed_settings(supabase.secrets()):
        supabase.set_secrets(changed)
        say(f"changed beside Pulumi: {', '.join(changed)}; set again")


def settle(stack: Stack, release: str, seconds: float = SETTLE_SECONDS) -> HealthReport:
    """The health once it is good, or as it is when the time is over."""
    deadline = time.monotonic() + seconds
    report = health(stack, expected_release=release)
    told = False
    while report.status is not Status.HEALTHY and time.monotonic() < deadline:
        if not told:
            say(f"waiting for {', '.join(check.name for check in report.unwell)}")
            told = True
        time.sleep(SETTLE_INTERVAL_SECONDS)
        report = health(stack, expected_release=release)
    return report


def addresses(stack: Stack) -> str:
    """Where to look, and a call to try."""
    url = f"{stack.gateway_url}/functions/v1"
    token = "$(./pf sandbox token)" if stack.start_hint else "$TOKEN"
    whose = "" if stack.start_hint else "    (TOKEN: a signed-in user's)"
    return "\n".join(
        [
            f"gateway    {stack.gateway_url}",
            f"functions  {url}/encrypt-data",
            f"           {url}/create-payment-method",
            f"try{whose}",
            f'  curl -s {url}/encrypt-data -H "Authorization: Bearer {token}" \\',
            """    -H 'Content-Type: application/json' -d '{"purpose": "general-data", "plaintext": "hello"}'""",
        ]
    )
