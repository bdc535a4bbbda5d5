"""One deployment: look, finish what an interrupted one left, run the engine, give the functions their key, verify."""

import time
from dataclasses import replace

from gate.evidence import EMERGENCY
from operations import access_key
from operations.drift import functions_drift
from operations.engine import Engine
from operations.errors import ExitCode, OperationError
from operations.health import HealthReport, Status, health
from operations.key_guard import refuse_keys_to_be_deleted, refuse_stray_keys
from operations.output import say
from operations.preflight import preflight
from operations.recover import recover
from operations.stack import Stack
from operations.state import State, read_state

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
            refuse_stray_keys(stack, read_state(engine))
            say("recovered; deploying")
        doing, left = "updating", "the engine has saved what it did"
        engine.change(*UP, *_bring_back(stack, found.state))
        doing, left = "verifying", "all resources stand, the functions may lack their access key"
        report = _verified(stack, found.release)
        if report and report.status is Status.HEALTHY:
            return report
        doing, left = "repairing", "everything is deployed; what was changed by hand may not be"
        say("still not well: something may have been changed beside Pulumi; comparing with the cloud")
        refuse_keys_to_be_deleted(stack, read_state(engine))
        engine.change("refresh", "--yes", "--skip-preview", "--suppress-outputs")
        engine.change(*UP)
        _hand_over(stack)
        return settle(stack, found.release)
    except KeyboardInterrupt:
        raise OperationError(
            f"interrupted while {doing}: {left}", f"Go on: ./pf deploy{stack.command}", ExitCode.INTERRUPTED
        ) from None


def _hand_over(stack: Stack) -> None:
    if access_key.ensure(stack):
        say("the functions have a new access key")


def _verified(stack: Stack, release: str) -> HealthReport | None:
    """None where nothing can be well: the functions' user was deleted beside Pulumi."""
    try:
        _hand_over(stack)
    except access_key.UserMissingError as error:
        say(error.message)
        return None
    return settle(stack, release)


def _bring_back(stack: Stack, state: State) -> list[str]:
    """Functions that were deleted or replaced beside Pulumi are deployed again, though their source is unchanged."""
    drift = functions_drift(stack, state)
    if not drift.functions:
        return []
    say(f"deleted or replaced beside Pulumi: {', '.join(drift.functions)}; deploying again")
    return ["--replace", drift.urn]


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
