"""The preview: the engine runs it for real, with the policy pack; the gate then says which approvals are missing.

It changes nothing. Whatever the engine, a policy or the gate refuses is a part of the answer, not an error.
"""

import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from pydantic import SecretStr

from gate.evidence import AS_MERGED, CLOSED, DRY_RUN, Gate
from gate.receipt import Receipt, ReceiptError
from gate.state import State
from gate.surface import Surface
from gate.trust import UnconfirmedError
from operations.approvals import Approvals, approvals_of
from operations.engine import Engine, InterruptedEngineError, encryption_cure
from operations.engine_events import LOG_FLAG, UNHIDES_THE_LOG, Events, read_events
from operations.environment import RUNS_THE_ENGINE
from operations.errors import ExitCode, OperationError
from operations.gate import deployed_state, gate_of, looked
from operations.output import say
from operations.preview_report import APPROVAL, Outcome, PreviewReport, order, resource_differences
from operations.releases import ReleaseStore
from operations.reversibility import undo_of
from operations.stack import Stack
from operations.way_back import WayBack, kept_of, way_back

NEEDS = ("AWS", *RUNS_THE_ENGINE)
QUIET_SECONDS = 1.0
SHORTEST_SECRET = 12  # a shorter one is a word: the sandbox's passphrase is its name


def preview(stack: Stack, *, quiet: bool = False, as_merged: bool = False) -> PreviewReport:
    """Run the engine's preview and judge it. `quiet`: what it says goes into the report alone.

    `as_merged`: the commit is judged as if it were on the protected branch already.
    """
    if as_merged:
        stack = replace(stack, variables={**stack.variables, AS_MERGED: "1", DRY_RUN: "true"})
    start, at = time.monotonic(), datetime.now(UTC)
    run = _run(stack, quiet=quiet)
    steps = sorted(run.events.steps, key=order)
    outcome = outcome_of(run.code, run.events, run.approvals, unconfirmed=run.unconfirmed)
    report = PreviewReport(
        stack=stack.name,
        environment=stack.settings.environment,
        outcome=outcome,
        previewed_at=at,
        seconds=round(time.monotonic() - start, 3),
        counts=dict(Counter(one.op for one in steps)) | {"unchanged": run.events.unchanged},
        steps=steps,
        functions=list(run.events.functions),
        undo=undo_of(steps, run.events.functions),
        way_back=run.way_back,
        policies_checked=sorted(run.events.checked),
        violations=list(run.events.violations),
        diagnostics=list(run.events.diagnostics),
        surface=run.surface.digest,
        base=run.base.digest,
        approved=run.approved.digest,
        differences=resource_differences(run.approved, run.surface),
        drift=resource_differences(run.approved, run.base),
        approvals=run.approvals,
        gate_problem=run.problem,
        approve_command=_approve_command(stack, run.approvals) if outcome is Outcome.APPROVALS_MISSING else "",
        diff=run.said if quiet else "",
    )
    return without_secrets(report, stack)


@dataclass(frozen=True, kw_only=True)
class _Run:
    """What engine and gate said; `problem` is why the gate could not judge."""

    code: int
    said: str
    events: Events
    surface: Surface = field(default_factory=Surface)
    base: Surface = field(default_factory=Surface)
    approved: Surface = field(default_factory=Surface)
    approvals: Approvals | None = None
    way_back: WayBack | None = None
    problem: str = ""
    unconfirmed: bool = False  # since nobody has said yet who may approve


def _run(stack: Stack, *, quiet: bool) -> _Run:
    gate = gate_of(stack)
    engine = Engine(replace(stack, variables={**stack.variables, **UNHIDES_THE_LOG}))
    if quiet:
        engine.colour = "never"
    engine.ensure_stack()
    with tempfile.TemporaryDirectory(prefix="pf-preview-") as folder, ThreadPoolExecutor(1) as worker:
        log = Path(folder) / "events"
        state = worker.submit(deployed_state, stack)
        told = threading.Timer(QUIET_SECONDS, say, [f"previewing {stack.name}"])
        if quiet:
            told.start()
        try:
            detail = ("--diff",) if quiet else ("--suppress-outputs",)
            code, said = engine.preview(*detail, LOG_FLAG, str(log), quiet=quiet)
        except InterruptedEngineError:
            raise OperationError("interrupted; nothing was changed", code=ExitCode.INTERRUPTED) from None
        finally:
            told.cancel()
        run = _Run(code=code, said=said, events=read_events(log))
        try:
            receipt, deployed = _seen(gate, gate.receipt(engine.run), stack, state)
            live = gate.records.live()
            approved = gate.records.surface(live.surface) if live else deployed
            run = replace(run, surface=receipt.surface, base=deployed, approved=approved)
            run = replace(run, way_back=_way_back(stack, receipt))
            return replace(run, approvals=approvals_of(looked(gate, receipt, deployed)))
        except CLOSED as error:
            problem = encryption_cure(stack, said) or str(error)
            return replace(run, problem=problem, unconfirmed=isinstance(error, UnconfirmedError))


def _seen(gate: Gate, file: Path, stack: Stack, state: Future[State]) -> tuple[Receipt, Surface]:
    """What the pack saw, and what is deployed. Raises: what the gate can't read or verify."""
    if not file.exists():
        raise ReceiptError("it was refused, or failed, before the gate saw the whole")
    receipt = Receipt.read(file)
    deployed = gate.deployed(state.result())
    if deployed.digest != receipt.state:  # it moved while the preview began
        deployed = gate.deployed(deployed_state(stack))
    return receipt, deployed


def _way_back(stack: Stack, receipt: Receipt) -> WayBack:
    """Once this change is live."""
    store = ReleaseStore.of(stack.name, stack.variables)
    types = {urn: str(document.get("type")) for urn, document in receipt.surface.resources.items()}
    return way_back(store, left=receipt.content, kept=kept_of(types), root=stack.root)


def _approve_command(stack: Stack, found: Approvals | None) -> str:
    return found.approve_command if found else f"./pf signers confirm --stack {stack.name}"


def outcome_of(code: int, events: Events, approvals: Approvals | None, *, unconfirmed: bool = False) -> Outcome:
    """`unconfirmed`: approvals can't be judged, since nobody has said yet who may give them."""
    others = [one for one in events.violations if one.policy != APPROVAL and one.level == "mandatory"]
    if others or events.errors:
        return Outcome.REFUSED
    if approvals is None:
        return Outcome.APPROVALS_MISSING if unconfirmed else Outcome.REFUSED
    if not approvals.allowed:
        return Outcome.APPROVALS_MISSING if approvals.missing else Outcome.REFUSED
    return Outcome.REFUSED if code else Outcome.ALLOWED


def without_secrets(report: PreviewReport, stack: Stack) -> PreviewReport:
    """Whatever a program prints: the report goes to pull requests. The longest first, since one may hold another."""
    values = (value.get_secret_value() for _, value in stack.environment if isinstance(value, SecretStr))
    secrets = sorted({one for one in values if len(one) >= SHORTEST_SECRET}, key=len, reverse=True)
    text = report.model_dump_json()
    for secret in secrets:
        text = text.replace(secret, "[secret]")
    return PreviewReport.model_validate_json(text)
