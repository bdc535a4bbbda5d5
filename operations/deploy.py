"""One deployment (D2): look, finish what an interrupted one left, update, verify, watch, or go back."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Self

from gate.commits import Commits
from operations import drift
from operations.alarms import Critical
from operations.applying import (
    functions_to_bring_back,
    hand_over,
    noted,
    prepared,
    put_back,
    settle,
    stands,
    state_of,
    update,
)
from operations.conduct import conducted, line, wait_for_operation
from operations.engine import Engine, EngineError
from operations.errors import ExitCode, OperationError
from operations.health import HealthReport, Status, health
from operations.journal import WATCHING, Journal
from operations.key_guard import refuse_adopted_only, refuse_stray_keys
from operations.measure import measure
from operations.output import say
from operations.preflight import Preflight, preflight
from operations.recover import recover
from operations.releases import ReleaseStore, candidates, reading
from operations.report import reports
from operations.rollback import undo
from operations.stack import Stack
from operations.state import read_state
from operations.watch import Outcome, watch
from releases.versions import Version
from reports.models import Alarming, Kind, Measurement, OperationReport, Result

RECENT_REPORTS = 20
# What the program itself brings: another part that is unwell is no reason to take the program back.
OURS = ("key ", "round trip ")


@dataclass(frozen=True, kw_only=True)
class Request:
    """What an operator asked for. `emergency`: an open incident takes the place of approvals."""

    emergency: bool = False
    hotfix: bool = False
    message: str = ""
    reason: str = ""
    watch_seconds: float = 0
    wait_seconds: float = 0

    def checked(self) -> Self:
        """Raises: OperationError for a reason that is missing, or for one that no history can show."""
        reason = line(self.reason, "reason") if self.reason or self.hotfix or self.emergency else ""
        return replace(self, reason=reason, message=line(self.message, "message") if self.message else "")

    @property
    def kind(self) -> str:
        return "emergency" if self.emergency else "hotfix" if self.hotfix else "deployment"


@dataclass(frozen=True, kw_only=True)
class Before:
    """How things stood: what was unwell or slow already is not the deployment's doing."""

    live: Version | None
    unwell: frozenset[str] = frozenset()
    measured: list[Measurement] = field(default_factory=list[Measurement])
    alarms: Mapping[str, Alarming] = field(default_factory=dict[str, Alarming])


def deploy(stack: Stack, request: Request) -> HealthReport:
    """Deploy, and judge what stands afterwards.

    Raises: OperationError; what has been done by then is said, and stands in the report.
    """
    request = request.checked()
    store = ReleaseStore.of(stack.name, stack.variables)
    with reading():
        commit = Commits(folder=stack.root).head()
    journal = Journal(
        kind=Kind.DEPLOYMENT,
        stack=stack.name,
        environment=stack.settings.environment,
        store=store.records.store,
        commit=commit,
        message=request.message,
        reason=request.reason,
        benchmark="P4",
    )
    stack = prepared(stack, journal, request.kind, emergency=request.emergency)
    wait_for_operation(journal.store, request.wait_seconds)
    with conducted(journal, stack, urgent=request.emergency):
        engine = Engine(stack, wait=request.wait_seconds)
        return _Deployment(stack=stack, request=request, store=store, journal=journal, engine=engine).run()


def watch_live(stack: Stack, seconds: float | None = None) -> HealthReport:
    """The watch of a deployment that ended without one, from another process or machine (D3).

    Judged by what that deployment found before it began. `seconds`: the setting's, if none are named.

    Raises: OperationError; where the watch saw it fail, the last verified version is live again.
    """
    store = ReleaseStore.of(stack.name, stack.variables)
    with reading():
        live = store.versions.latest()
    made = _deployment_of(stack, live)
    journal = Journal(
        kind=Kind.WATCH,
        stack=stack.name,
        environment=stack.settings.environment,
        store=store.records.store,
        commit=made.commit,
        message=made.message,
        reason=made.reason,
        version_before=made.version_before,
        version=made.version,
        verified=True,
        before=made.before,
    )
    if seconds is None:
        seconds = stack.settings.watch_seconds(hotfix=made.change == "hotfix")
    with conducted(journal, stack):
        report = health(stack)
        before = Before(live=live, measured=made.before, alarms=made.alarms_before)
        request = Request(watch_seconds=seconds)
        engine = Engine(stack)
        return _Deployment(stack=stack, request=request, store=store, journal=journal, engine=engine).watch(
            before, report
        )


def _deployment_of(stack: Stack, live: Version | None) -> OperationReport:
    """The report of the deployment that brought what is live. Raises: OperationError."""
    listed = reports(stack, RECENT_REPORTS) if live else []
    for one in listed:
        report = one.report
        if report and report.kind is Kind.DEPLOYMENT and report.verified and live and report.version == live.number:
            return report
    raise OperationError(
        f"there is nothing to watch: what is live in {stack.name} is not what `pf deploy` brought and verified last",
        f"./pf history{stack.command} says what it is; ./pf health{stack.command} how it is.",
    )


@dataclass(frozen=True, kw_only=True)
class _Deployment:
    stack: Stack
    request: Request
    store: ReleaseStore
    journal: Journal
    engine: Engine

    def run(self) -> HealthReport:
        journal = self.journal
        with journal.step("looking", "nothing has been changed"):
            found, before = self._look()
            journal.alarms_before = before.alarms
        with journal.step("opening the stack", "at most an empty stack has been made"):
            self.engine.select()
        # Before the update: what that makes may take AWS a moment to show, and would be taken for gone.
        moved = found.moved
        with journal.step("recovering", "the interrupted update is still to be recovered"):
            recovered = recover(self.stack, self.engine, found.state) > 0
            if recovered:
                refuse_stray_keys(self.stack, read_state(self.engine))
                say("recovered; deploying")
        if recovered:
            with journal.step("comparing with AWS", "what was interrupted is recovered, and nothing else changed"):
                moved = drift.moved(self.engine)
        if moved:
            say(f"{drift.listed(moved)}; to be put back")
        try:
            with journal.step("updating", "the engine has saved what it did"):
                update(self.engine, journal, *functions_to_bring_back(self.stack, found.state))
        except EngineError as error:
            self._undo_what_broke_off(error, before)
            raise
        self._note_version()
        if moved:
            with journal.step("putting back", "the update is done; what was changed by hand may not be put back yet"):
                put_back(self.engine, journal, moved)
        with journal.step("handing settings and access key over", "all resources stand, the functions may lack both"):
            handed = hand_over(self.stack, partial(read_state, self.engine))
        with journal.step("verifying", "everything is deployed, and not yet verified"):
            report = settle(self.stack, found.release, handed.seconds)
            journal.asked(report)
        if broken := self._broken(report, before):
            return self._take_back(f"unwell since the deployment: {', '.join(broken)}", before, report)
        if report.status is not Status.HEALTHY:
            journal.why = f"unwell, as before: {', '.join(one.name for one in report.unwell)}"
            return report
        noted(self.store, journal, good=True)
        if before.measured:
            with journal.step("measuring", "everything is deployed and verified"):
                journal.before, journal.after = before.measured, measure(self.stack)
        if self.request.watch_seconds:
            return self.watch(before, report)
        return report

    def _look(self) -> tuple[Preflight, Before]:
        say(f"checking {self.stack.name}: settings, tools, account, project, functions")
        with reading():
            live = self.store.versions.latest()
        with ThreadPoolExecutor() as pool:
            unwell = pool.submit(health, self.stack) if live else None
            alarms = pool.submit(Critical(self.stack).states) if live else None
            # Nothing can be merged with green checks before a first deployment, which two people approve in any case.
            found = preflight(self.stack, self.engine, checked=live is not None and not self.request.emergency)
            refuse_stray_keys(self.stack, found.state)
            refuse_adopted_only(self.stack, found.state, self.stack.settings.existing_key_ids.model_dump().values())
        self.journal.version_before = live.number if live else None
        if unwell is None or alarms is None:
            return found, Before(live=live)
        # A function that isn't there yet is no function that was unwell already.
        new = self.stack.release.functions.keys() - {one.partition(" ")[0] for one in live.functions} if live else set()
        return found, Before(
            live=live,
            unwell=frozenset(check.name for check in unwell.result().unwell) - new,
            measured=measure(self.stack) if unwell.result().status is not Status.DOWN else [],
            alarms=alarms.result() or {},
        )

    def _note_version(self) -> None:
        with reading():
            made = self.store.versions.latest()
        if made:
            self.journal.version, self.journal.commit = made.number, made.commit

    def _broken(self, report: HealthReport, before: Before) -> list[str]:
        """The program's own parts that were well before."""
        names = self.stack.release.functions.keys()
        return [
            one.name
            for one in report.unwell
            if (one.name in names or one.name.startswith(OURS)) and one.name not in before.unwell
        ]

    def _take_back(self, why: str, before: Before, report: HealthReport) -> HealthReport:
        """To the last version that was verified, if there is one and if what stands is this deployment's.

        One that brought nothing new has broken nothing: what fails has another cause, and would fail there as well.
        """
        noted(self.store, self.journal, good=False, why=why)
        self.journal.why = why
        if self.journal.version == self.journal.version_before:
            say(f"{why}. The deployment brought nothing new, so nothing is taken back")
            return report
        with reading():
            stands_now = self.store.versions.latest()
            left = stands_now.content if stands_now else ""
            target = next(candidates(self.store, left), None)
        if stands_now is None or stands_now.number != self.journal.version or before.live is None:
            return report
        if target is None:
            say(f"{why}. No verified version is there to go back to")
            return report
        self._go_back(target, stands_now, why)
        raise OperationError(
            f"{why}: version {target.number} has been brought back",
            f"./pf report {self.journal.id}{self.stack.command} says what failed; mend it, then deploy again.",
            ExitCode.FAILED,
        )

    def _undo_what_broke_off(self, error: EngineError, before: Before) -> None:
        """An update that failed in the middle leaves the last version's parts mixed with its own."""
        live = before.live
        if live is None or error.code is not ExitCode.FAILED:
            return
        with self.journal.step("comparing", "an update broke off, and what stands is mixed"):
            if stands(self.stack, live, state_of(self.stack)) and not functions_to_bring_back(
                self.stack, read_state(self.engine)
            ):
                return
        with reading():
            target = next(candidates(self.store, ""), None)
        if target:
            self._go_back(target, live, f"the update failed in the middle: {error.message}")

    def _go_back(self, target: Version, live: Version, why: str) -> None:
        say(f"{why}. Going back to version {target.number}")
        with self.journal.step("rolling back", "a rollback was under way"):
            self.journal.result = Result.ROLLED_BACK
            try:
                undo(self.store, live, target, present=self.stack.root, reason=why)
            except OperationError:
                self.journal.result = Result.FAILED
                raise

    def watch(self, before: Before, report: HealthReport) -> HealthReport:
        with self.journal.step(WATCHING, "everything is deployed and verified; the watch is over"):
            seen = watch(
                self.stack,
                seconds=self.request.watch_seconds,
                before=before.measured,
                alarms_before=before.alarms,
                still_current=self._newer,
            )
        self.journal.after = seen.measurements or self.journal.after
        self.journal.errors += seen.errors
        say(seen.message)
        if seen.outcome is Outcome.FAILED:
            return self._take_back(f"the watch saw it fail, {seen.message}", before, report)
        return report

    def _newer(self) -> str | None:
        with reading():
            latest = self.store.versions.latest()
        if latest and latest.number != self.journal.version:
            return f"version {latest.number} has come: this watch is over"
        return None


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
