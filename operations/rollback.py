"""Bringing a version back (K6, K8, E2, D5): its own release, judged by today's policy pack, verified, reported.

It lands as a new version; the one that is left goes into quarantine. Keys are never deleted, replaced or pointed
elsewhere by it: a release that would is refused before anything is changed.
"""

from collections.abc import Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from gate.commits import Commits, GitError
from gate.receipt import Receipt, program_digest, run_of
from gate.records import Quarantined
from gate.state import State
from gate.surface import Surface
from operations import preflight
from operations.applying import (
    functions_to_bring_back,
    hand_over,
    live_functions,
    noted,
    prepared,
    settle,
    stands,
    state_of,
    states_of,
    update,
)
from operations.aws import Aws
from operations.conduct import LONGEST_LINE, conducted, line, wait_for_operation
from operations.engine import Engine, EngineError
from operations.errors import ExitCode, OperationError
from operations.gate import gate_of, judged
from operations.health import HealthReport, Status
from operations.incident import open_incident, status
from operations.journal import Journal
from operations.key_guard import refuse_adopted_only
from operations.measure import measure
from operations.notify import Event, notify
from operations.output import say
from operations.places import ROOT
from operations.preflight import account, project
from operations.recover import recover
from operations.releases import ReleaseStore, chosen, reading, standing, unpacked
from operations.stack import Stack
from operations.state import State as Recorded
from operations.state import read_once, read_state
from operations.supabase import DeployedFunction
from operations.way_back import kept_of, lost, outgrown
from releases.versions import Version
from reports.models import Kind, Result
from reports.summary import SHOWN, made_from
from settings import Settings

NEEDS = preflight.NEEDS
ATTEMPTS = 3


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What an operator asked for; without a version or commit, the newest verified version that isn't live."""

    reason: str
    number: int | None = None
    commit: str = ""
    emergency: bool = False
    key: Path | None = None  # an incident commander's, to sign on the spot that there is an emergency
    wait_seconds: float = 0


@dataclass(frozen=True, kw_only=True)
class Return:
    """A version that is to be live again, and the one that is left."""

    store: ReleaseStore
    live: Version
    target: Version
    stack: Stack  # of the target's release, unpacked
    present: Path  # what stands now, unpacked or checked out
    wish: Wish

    @property
    def leaves(self) -> bool:
        """Whether another content stood before; what a broken-off update left was no version."""
        return self.live.content != self.target.content

    @property
    def contacts(self) -> str:
        """Which come back as others than those that stand: whom the alarms tell is a part of a version."""
        before, after = Settings.from_file(self.store.stack, self.present), self.stack.settings
        names = sorted(before.contacts.keys() | after.contacts.keys())
        others = [name for name in names if before.contacts.get(name) != after.contacts.get(name)]
        if before.escalation != after.escalation:
            others.append("escalation")
        return ", ".join(others)


@contextmanager
def planned(name: str, wish: Wish) -> Generator[Return]:
    """Which version would come back, its release unpacked. Changes nothing.

    Works on what the store has: the present checkout's program and config may be what is broken.

    Raises: OperationError.
    """
    store = ReleaseStore.of_environment(name)
    with reading():
        live = store.versions.latest()
    if live is None:
        raise OperationError(f"{name} has no version yet", f"The first one comes by: ./pf deploy --stack {name}")
    with standing(store, live, NEEDS) as present:
        left = live.content if stands(present, live, state_of(present)) else ""
        target = chosen(store, left=left, number=wish.number, commit=wish.commit, live=live)
        with unpacked(store, target, NEEDS, present=present.root) as stack:
            yield Return(store=store, live=live, target=target, stack=stack, present=present.root, wish=wish)


def rollback(name: str, wish: Wish) -> HealthReport:
    """Raises: OperationError; what has been done by then is said, and stands in the report."""
    wish = replace(wish, reason=line(wish.reason, "reason"))
    if wish.wait_seconds:
        wait_for_operation(ReleaseStore.of_environment(name).records.store, wish.wait_seconds)
    with planned(name, wish) as plan:
        say(f"{name}: from version {plan.live.number} back to version {plan.target.number}, made {_made(plan.target)}")
        if plan.wish.emergency:
            _require_incident(plan.stack, wish)
        report = _carried_out(plan)
        if plan.leaves:
            say(_quarantine(plan))
        if plan.contacts:
            say(
                f"the alarms tell whom version {plan.target.number} told; it differs in: {plan.contacts}\n"
                "Today's contacts come back with the next deployment"
            )
        return report


def undo(present: Stack, store: ReleaseStore, live: Version, target: Version, *, reason: str) -> None:
    """Back to a verified version because the deployment after it didn't stand. Never loops: it tries once.

    Raises: OperationError; people have been called then.
    """
    with reading():
        live = store.versions.latest() or live  # an update that failed may have become a version all the same
    with ExitStack() as opened:
        try:
            stack = opened.enter_context(unpacked(store, target, NEEDS, present=present.root))
        except OperationError as error:  # before there is a rollback that would end with a report and call people
            notify(present, Event.ROLLBACK_FAILED, f"to version {target.number}, which can't begin: {error.message}")
            raise
        wish = Wish(reason=" ".join(reason.split())[:LONGEST_LINE])
        plan = Return(store=store, live=live, target=target, stack=stack, present=present.root, wish=wish)
        report = _carried_out(plan)
    if report.status is not Status.HEALTHY:
        raise OperationError(
            f"version {target.number} is back, and not all of it is well: "
            f"{', '.join(one.name for one in report.unwell)}",
            f"./pf diagnose rollback --stack {store.stack}",
            ExitCode.FAILED,
        )


def _carried_out(plan: Return) -> HealthReport:
    journal = Journal(
        kind=Kind.ROLLBACK,
        stack=plan.stack.name,
        environment=plan.stack.settings.environment,
        store=plan.store.records.store,
        reason=plan.wish.reason,
        target=plan.target.number,
        benchmark="P5" if plan.wish.emergency else "",
    )
    with conducted(journal, plan.stack, urgent=plan.wish.emergency):
        return roll_back(plan, journal)


def _quarantine(plan: Return) -> str:
    """What keeps the version that was left from coming back, and what takes its change out of the branch."""
    left, target = plan.live, plan.target
    lifted = f"./pf unblock {left.number}{plan.stack.command} --reason WHY"
    said = f"version {left.number} is refused from now on, until: {lifted}"
    if not _can_be_reverted(left, target):
        return said
    return f"{said}\nTake its change out of the branch: git revert --no-edit {target.commit[:12]}..{left.commit[:12]}"


def _can_be_reverted(left: Version, target: Version) -> bool:
    """Whether the branch has what lies between as commits, in that order."""
    if not (left.commit and target.commit) or left.dirty or left.commit == target.commit:
        return False
    here = Commits(folder=ROOT)
    try:
        return here.has("HEAD", left.commit) and here.has(left.commit, target.commit)
    except GitError:  # rewritten since, or no repository
        return False


def _made(version: Version) -> str:
    commit = made_from(version.commit[:SHOWN], dirty=version.dirty)
    return f"{version.made}{commit and f' from {commit}'}"


def _require_incident(stack: Stack, wish: Wish) -> None:
    """An open one, or the operator's own signature on the spot (C1).

    Raises: OperationError.
    """
    if any(one.open for one in status(stack)):
        return
    if wish.key is None:
        raise OperationError(
            "an emergency needs the incident commander's word, and no incident is open",
            f"./pf incident open --stack {stack.name} --reason WHY; or sign here and now: --key FILE",
        )
    opened = open_incident(stack, key=wish.key, reason=wish.reason, hours=1, confirm=stack.name)
    say(f"incident {opened.id} opened for an hour by {opened.opened_by}")


def _refuse_impossible(plan: Return, engine: Engine, state: State) -> None:
    """Raises: OperationError where keys or the database have gone on without the release."""
    kept = kept_of({one.urn: one.type for one in state.resources})
    with reading():
        problem = lost(plan.store, plan.target, kept) or outgrown(plan.store, plan.target, plan.present)
    if problem:
        refuse_adopted_only(plan.stack, read_state(engine))
        raise OperationError(
            f"version {plan.target.number} can't come back: {problem}",
            f"Nothing was changed. Choose a newer version: ./pf history{plan.stack.command}",
        )


def roll_back(plan: Return, journal: Journal) -> HealthReport:
    """Raises: OperationError; what has been done by then is said."""
    kind = "emergency rollback" if plan.wish.emergency else "rollback"
    stack = prepared(plan.stack, journal, kind, emergency=plan.wish.emergency)
    engine = Engine(stack, wait=plan.wish.wait_seconds, resume="diagnose rollback")
    journal.version_before = plan.live.number
    journal.commit, journal.dirty = plan.target.commit, plan.target.dirty
    with journal.step("checking"):
        state, recorded = _looked(stack, engine)
        _refuse_another_live(plan)
        _refuse_impossible(plan, engine, state)
    if not plan.wish.emergency:
        with journal.step("measuring, before"):
            journal.before = measure(stack)
    with journal.step("updating"), ThreadPoolExecutor(1) as beside:
        beside.submit(Aws(stack).prepare)  # what fails there fails again where it is needed
        live = live_functions(stack)
        arguments = functions_to_bring_back(recorded, live)
        with _leaving(plan, stack, journal, live):
            _updated(plan, stack, engine, journal, state, arguments)
        with reading():
            made = plan.store.versions.latest()
            if made and made.content == plan.live.content:  # it differed by what is always the present's
                plan.store.records.unblock(made.content)
        journal.version = made.number if made else None
    report = _verified(stack, engine, journal)
    good = report.status is Status.HEALTHY
    why = "" if good else f"unwell after the rollback: {', '.join(one.name for one in report.unwell)}"
    journal.why, journal.result = why, Result.SUCCEEDED if good else Result.FAILED
    noted(plan.store, journal, good=good, why=why)
    if journal.before:
        with journal.step("measuring, after"):
            journal.after = measure(stack)
    return report


def _looked(stack: Stack, engine: Engine) -> tuple[State, Recorded]:
    """What would fail in the middle is asked first, all at once; what an interrupted update left is finished."""
    engine.refuse_while_locked()
    with ThreadPoolExecutor() as pool:
        known = [pool.submit(account, stack), pool.submit(project, stack)]
        found = states_of(stack)
        for one in known:
            one.result()
    if not found[0].pending:
        return found
    recover(stack, engine)
    return states_of(stack)


def _verified(stack: Stack, engine: Engine, journal: Journal) -> HealthReport:
    """What the functions lack is handed over meanwhile; most times that is nothing, and the first answer holds."""
    release, state = stack.release.digest, read_once(engine)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(settle, stack, release, 0, state)
        with journal.step("handing settings and access key over"):
            handed = hand_over(stack, state)
        with journal.step("verifying"):
            report = asked.result()
            if handed.changed or report.status is not Status.HEALTHY:
                report = settle(stack, release, handed.seconds, state)
            journal.asked(report)
    return report


def _refuse_another_live(plan: Return) -> None:
    """Raises: OperationError where a version came after this was planned, perhaps while its lock was waited for."""
    with reading():
        live = plan.store.versions.latest()
    if live != plan.live:
        raise OperationError(
            f"version {live.number if live else 0} has come meanwhile; nothing was changed",
            f"Is it still what you want? ./pf history{plan.stack.command}",
        )


def _updated(plan: Return, stack: Stack, engine: Engine, journal: Journal, state: State, arguments: list[str]) -> None:
    """Retries what fails for a while only. In an emergency there is no preview: the version's own receipt stands in."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            if plan.wish.emergency:
                update(engine, journal, "--skip-preview", *arguments, started=_receipt_for(plan, stack, state))
            else:
                update(engine, journal, *arguments)
        except EngineError as error:
            if not error.transient or attempt == ATTEMPTS:
                raise
            say(f"that may pass: trying again ({attempt + 1} of {ATTEMPTS})")
            state = state_of(stack)
        else:
            return


def _receipt_for(plan: Return, stack: Stack, state: State) -> Callable[[int], None]:
    """What a preview of this release would have left: the surface that people approved, and today's windows."""
    gate = gate_of(stack)
    with judged():
        surface = Surface(resources=plan.store.records.surface(plan.target.surface).resources, settings=gate.settings)
        deployed, program = gate.deployed(state).digest, program_digest(stack.root, stack.name)

    def write(engine: int) -> None:
        with judged():
            run = run_of(engine)
            receipt = Receipt(
                run=run,
                program=program,
                state=deployed,
                surface=surface,
                functions=plan.target.functions,
                at=datetime.now(UTC),
            )
            receipt.write(gate.receipt(run))

    return write


@contextmanager
def _leaving(
    plan: Return, stack: Stack, journal: Journal, functions: Mapping[str, DeployedFunction]
) -> Generator[None]:
    """The version that is left is in quarantine before it is left: whatever breaks off, no command goes back to it.

    Lifted again where nothing was changed. `functions`: those that were live before; an update that was interrupted may
    have switched some of which the state doesn't know.
    """
    if not plan.leaves:
        yield
        return
    content, records = plan.live.content, plan.store.records
    with reading():
        records.quarantine(
            content,
            Quarantined(version=plan.live.number, reason=journal.reason, by=journal.who, at=datetime.now(UTC)),
        )
    try:
        yield
    except BaseException:
        try:
            switched = _differing(functions, live_functions(stack))
            if switched or not stands(stack, plan.live, state_of(stack)):
                parts = f" ({', '.join(switched)} switched)" if switched else ""
                say(f"version {plan.live.number} was left in part{parts}, and stays in quarantine")
            else:
                say(f"nothing was changed: version {plan.live.number} stands as before")
                with reading():
                    records.unblock(content)
        except Exception as error:  # noqa: BLE001 (whatever it is, why the rollback ended is told next)
            say(f"version {plan.live.number} stays in quarantine: {error}")
        raise


def _differing(before: Mapping[str, DeployedFunction], after: Mapping[str, DeployedFunction]) -> list[str]:
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
