"""One deployment (D2): look, finish what an interrupted one left, update, verify, watch, or go back."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Self

from gate.commits import Commits
from operations import drift
from operations.aftermath import Aftermath, Before
from operations.alarms import Critical
from operations.applying import (
    changed_functions,
    functions_to_bring_back,
    hand_over,
    live_functions,
    noted,
    prepared,
    put_back,
    settle,
    stands,
    states_of,
    update,
)
from operations.conduct import conducted, line, wait_for_operation
from operations.engine import Engine, EngineError
from operations.errors import ExitCode, OperationError
from operations.health import HealthReport, Status, health
from operations.journal import Journal
from operations.key_guard import refuse_adopted_only, refuse_stray_keys
from operations.measure import measure
from operations.output import say
from operations.preflight import Preflight, preflight
from operations.recover import recover
from operations.releases import ReleaseStore, candidates, make_ready, reading
from operations.stack import Stack
from operations.state import read_once, read_state
from reports.models import Kind

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


def deploy(stack: Stack, request: Request) -> HealthReport:
    """Deploy, and judge what stands afterwards.

    Raises: OperationError; what has been done by then is said, and stands in the report.
    """
    request = request.checked()
    store = ReleaseStore.of(stack.name, stack.variables)
    with reading():
        commits = Commits(folder=stack.root)
        commit, dirty = commits.head(), commits.is_dirty()
    journal = Journal(
        kind=Kind.DEPLOYMENT,
        stack=stack.name,
        environment=stack.settings.environment,
        store=store.records.store,
        commit=commit,
        dirty=dirty,
        message=request.message,
        reason=request.reason,
        benchmark="P4",
    )
    stack = prepared(stack, journal, request.kind, emergency=request.emergency)
    wait_for_operation(journal.store, request.wait_seconds)
    with conducted(journal, stack, urgent=request.emergency):
        engine = Engine(stack, wait=request.wait_seconds)
        return _Deployment(stack=stack, request=request, store=store, journal=journal, engine=engine).run()


@dataclass(frozen=True, kw_only=True)
class _Deployment:
    stack: Stack
    request: Request
    store: ReleaseStore
    journal: Journal
    engine: Engine

    @property
    def _aftermath(self) -> Aftermath:
        return Aftermath(stack=self.stack, store=self.store, journal=self.journal)

    def run(self) -> HealthReport:
        journal = self.journal
        with journal.step("looking", "nothing has been changed"):
            found, before = self._look()
            journal.alarms_before = before.alarms
        with journal.step("opening the stack", "at most an empty stack has been made"):
            self.engine.ensure_stack()
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
                update(self.engine, journal, *functions_to_bring_back(found.state, live_functions(self.stack)))
        except EngineError as error:
            self._undo_what_broke_off(error, before)
            raise
        self._note_version()
        if moved:
            with journal.step("putting back", "the update is done; what was changed by hand may not be put back yet"):
                put_back(self.engine, journal, moved)
        state = read_once(self.engine)
        with journal.step("handing settings and access key over", "all resources stand, the functions may lack both"):
            handed = hand_over(self.stack, state)
        with journal.step("verifying", "everything is deployed, and not yet verified"):
            report = settle(self.stack, found.release, handed.seconds, state)
            journal.asked(report)
        if broken := self._broken(report, before):
            return self._aftermath.take_back(f"unwell since the deployment: {', '.join(broken)}", before, report)
        if report.status is not Status.HEALTHY:
            journal.why = f"unwell, as before: {', '.join(one.name for one in report.unwell)}"
            return report
        noted(self.store, journal, good=True)
        if before.measured:
            with journal.step("measuring", "everything is deployed and verified"):
                journal.before, journal.after = before.measured, measure(self.stack)
        if self.request.watch_seconds:
            return self._aftermath.watch(self.request.watch_seconds, before, report)
        return report

    def _look(self) -> tuple[Preflight, Before]:
        say(f"checking {self.stack.name}: settings, tools, account, project, functions")
        with reading():
            live = self.store.versions.latest()
        state = read_once(self.engine)
        with ThreadPoolExecutor() as pool:
            unwell = pool.submit(health, self.stack, state=state) if live else None
            alarms = pool.submit(Critical(self.stack).states) if live else None
            ready = pool.submit(self._make_way_back_ready)
            # Nothing can be merged with green checks before a first deployment, which two people approve in any case.
            found = preflight(self.stack, self.engine, state, checked=live is not None and not self.request.emergency)
            refuse_stray_keys(self.stack, found.state)
            refuse_adopted_only(self.stack, found.state, self.stack.settings.existing_key_ids.model_dump().values())
            ready.result()
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

    def _make_way_back_ready(self) -> None:
        """A way back that needs other packages than this deployment is no moment to find that they can't be had."""
        try:
            with reading():
                target = next(candidates(self.store, ""), None)
            if target:
                make_ready(self.store, target)
        except OperationError as error:
            problem = f"the way back is not ready: {error.message}"
            say(f"warning: {problem}")
            self.journal.errors.append(problem)

    def _note_version(self) -> None:
        with reading():
            made = self.store.versions.latest()
        if made:
            self.journal.version, self.journal.commit, self.journal.dirty = made.number, made.commit, made.dirty

    def _broken(self, report: HealthReport, before: Before) -> list[str]:
        """The program's own parts that were well before."""
        names = self.stack.release.functions.keys()
        return [
            one.name
            for one in report.unwell
            if (one.name in names or one.name.startswith(OURS)) and one.name not in before.unwell
        ]

    def _undo_what_broke_off(self, error: EngineError, before: Before) -> None:
        """An update that failed in the middle leaves the last version's parts mixed with its own."""
        live = before.live
        if live is None or error.code is not ExitCode.FAILED:
            return
        with self.journal.step("comparing", "an update broke off, and what stands is mixed"):
            state, recorded = states_of(self.stack)
            if stands(self.stack, live, state) and not changed_functions(recorded, live_functions(self.stack)):
                return
        with reading():
            target = next(candidates(self.store, ""), None)
        if target is None:
            return
        self._aftermath.go_back(target, live, f"the update failed in the middle: {error.message}")
        raise self._aftermath.brought_back(target, error.message) from error


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
