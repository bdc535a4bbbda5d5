"""`pf diagnose rollback`: in what state things are, and what to type next (T4). It changes nothing.

Each question is asked even if others fail: what can't be asked is a finding as well. The stack is asked about as its
live version says it is, since the present program and config may be what is broken.
"""

import os
import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel

from operations.applying import stands, state_of
from operations.drift import Deployed
from operations.engine import Engine
from operations.environment import load
from operations.errors import ExitCode, OperationError
from operations.journal import WATCHING, read_mark
from operations.key_guard import refuse_adopted_only
from operations.locks import locks
from operations.places import ROOT, state_folder
from operations.preflight import NEEDS, account, project, tools
from operations.releases import NoTargetError, ReleaseStore, UnknownStackError, at_hand, damage, is_being_left, reading
from operations.rollback import Wish, planned
from operations.stack import Stack, default_stack
from operations.state import read_state
from operations.supabase import ManagementApi
from operations.way_back import kept_of, lost
from releases.versions import Version
from settings import Settings, SettingsError

COMMAND = re.compile(r"(?:^|: )(\./pf [^\n;,]+|make \w+)$", re.MULTILINE)


class State(StrEnum):
    GOOD = "good"
    NOTE = "note"  # worth knowing, and nothing to mend before a rollback
    BAD = "bad"
    UNKNOWN = "unknown"  # it couldn't be asked


class Finding(BaseModel):
    """`command`: what mends it, where it stands in the way of everything that comes after it."""

    about: str
    state: State
    said: str
    command: str = ""

    @property
    def is_bad(self) -> bool:
        return self.state in (State.BAD, State.UNKNOWN)


class Diagnosis(BaseModel):
    """`pf diagnose rollback --json`. Fields are only ever added within a schema version."""

    schema_version: Literal[1] = 1
    stack: str
    asked_at: datetime
    seconds: float
    findings: list[Finding]
    next: str  # the command to type
    code: ExitCode


TARGET, FUNCTIONS = "rollback", "functions"
# What a rollback is there to mend.
MENDED = ("live version", "state", FUNCTIONS)


def diagnose(name: str) -> Diagnosis:
    """Raises: UnknownStackError; what else goes wrong is a finding."""
    start, at = time.monotonic(), datetime.now(UTC)
    with ExitStack() as opened, ThreadPoolExecutor() as pool:
        look = _Look.at(name, opened)
        asked = [pool.submit(_asked, about, question) for about, question in look.questions]
        findings = [one.result() for one in asked]
    following, code = advice(findings, look.option)
    seconds = round(time.monotonic() - start, 3)
    return Diagnosis(stack=name, asked_at=at, seconds=seconds, findings=findings, next=following, code=code)


def advice(findings: Sequence[Finding], option: str) -> tuple[str, ExitCode]:
    """The first thing in the way comes first; then the rollback itself, if there is anything to roll back from."""
    way = next(one for one in findings if one.about == TARGET)
    there_is_none = way.state is not State.GOOD
    code = ExitCode.DOWN if there_is_none else ExitCode.DEGRADED
    for one in findings:
        if one.is_bad and one.command and one is not way:
            return one.command, code
    bad = [one.about for one in findings if one.is_bad]
    others = [about for about in bad if about not in (*MENDED, TARGET)]
    if others:  # their cure is a sentence, and stands with them
        return f"./pf diagnose rollback{option}", code
    wrong = [about for about in bad if about in MENDED]
    if not wrong and way.is_bad:  # nothing to go back from yet, and no way if there were
        return way.command or f"./pf history{option}", ExitCode.DEGRADED
    if not wrong:
        return f"./pf health{option}", ExitCode.HEALTHY
    if wrong == [FUNCTIONS]:
        return f"./pf deploy{option}", code
    if there_is_none:
        return way.command or f"./pf deploy{option}", code
    return f"./pf rollback{option} --reason WHY", code


def _asked(about: str, question: Callable[[], Finding]) -> Finding:
    try:
        return question()
    except OperationError as error:
        return Finding(about=about, state=State.UNKNOWN, said=str(error), command=_command(error))


def _command(error: OperationError) -> str:
    found = COMMAND.search(error.cure)
    return found[1] if found else ""


@dataclass(frozen=True, kw_only=True)
class _Look:
    name: str
    option: str  # `--stack NAME`, where a command needs it
    hand: Stack | OperationError

    @classmethod
    def at(cls, name: str, opened: ExitStack) -> "_Look":
        hand: Stack | OperationError
        try:
            hand = opened.enter_context(at_hand(name))
        except UnknownStackError:
            raise
        except OperationError as error:
            hand = error
        return cls(name=name, option="" if name == default_stack() else f" --stack {name}", hand=hand)

    @property
    def questions(self) -> Sequence[tuple[str, Callable[[], Finding]]]:
        """In the order in which what they find has to be mended."""
        return (
            ("environment", self._environment),
            ("this checkout", self._checkout),
            ("tools", self._tools),
            ("AWS", self._aws),
            ("Supabase", self._supabase),
            ("lock", self._lock),
            ("operation", self._operation),
            ("left open", self._pending),
            ("live version", self._live),
            ("archive", self._archive),
            ("state", self._stands),
            (FUNCTIONS, self._functions),
            ("quarantine", self._quarantine),
            (TARGET, self._target),
        )

    @property
    def stack(self) -> Stack:
        """Raises: OperationError where environment or settings don't lead to one; those findings say why."""
        if isinstance(self.hand, OperationError):
            raise OperationError("not asked: what the environment or this checkout lacks has to be mended first")
        return self.hand

    @property
    def store(self) -> ReleaseStore:
        return ReleaseStore.of(self.name, self.stack.variables)

    def _environment(self) -> Finding:
        load(self.name, state_folder(), os.environ, NEEDS)
        return _good("environment", "every variable is there")

    def _checkout(self) -> Finding:
        """A rollback runs on the release store alone."""
        try:
            Settings.from_file(self.name, ROOT)
        except SettingsError as error:
            said = f"{error}\nA rollback doesn't need it; pf deploy does."
            return Finding(about="this checkout", state=State.NOTE, said=said)
        return _good("this checkout", "its settings can be used")

    def _tools(self) -> Finding:
        tools(self.stack)
        return _good("tools", "all are there")

    def _aws(self) -> Finding:
        account(self.stack)
        return _good("AWS", f"the credentials are of account {self.stack.settings.aws_account_id}")

    def _supabase(self) -> Finding:
        project(self.stack)
        return _good("Supabase", f"the project {self.stack.settings.supabase_project_ref} can be asked")

    def _lock(self) -> Finding:
        found = locks(self.stack)
        if not found:
            return _good("lock", "nobody holds one")
        held = ", ".join(map(str, found))
        if all(one.is_dead for one in found):
            return _bad("lock", f"{held}: that process is dead", f"./pf unlock{self.option}")
        if any(one.holder and one.holder.is_here and not one.is_dead for one in found):
            return _bad("lock", f"{held}: that process is at work", self._waiting)
        return _bad("lock", f"{held}: ask there whether it is at work", f"./pf unlock{self.option}")

    @property
    def _waiting(self) -> str:
        return f"./pf rollback{self.option} --wait 5m --reason WHY"

    def _operation(self) -> Finding:
        mark = read_mark(self.store.records.store)
        if mark is None:
            return _good("operation", "none is at work")
        if mark.is_dead:
            said = f"{mark} was killed while {mark.doing}"
            return Finding(about="operation", state=State.NOTE, said=said)
        if mark.doing == WATCHING:
            said = f"{mark} is being watched; a rollback ends that watch"
            return Finding(about="operation", state=State.NOTE, said=said)
        if mark.is_here:
            return _bad("operation", f"{mark} is at work: {mark.doing}", self._waiting)
        said = f"{mark} is {mark.doing} on {mark.host}, or died there: ask there whether it is at work"
        return _bad("operation", said, f"./pf unlock{self.option}")

    def _pending(self) -> Finding:
        state = read_state(Engine(self.stack))
        refuse_adopted_only(self.stack, state)
        if not state.pending_operations:
            return _good("left open", "no update was interrupted")
        named = ", ".join(f"{one.type} {one.resource.name}" for one in state.pending_operations)
        return _bad("left open", f"an update was interrupted: {named}", f"./pf recover{self.option}")

    def _latest(self) -> Version | None:
        with reading():
            return self.store.versions.latest()

    def _live(self) -> Finding:
        live = self._latest()
        if live is None:
            return _bad("live version", "there is none yet", f"./pf deploy{self.option}")
        with reading():
            verification = self.store.versions.verification(live.number)
            being_left = is_being_left(self.store, live)
        said = f"version {live.number} of {live.made}"
        if being_left:
            return _bad("live version", f"{said}, in quarantine: a rollback from it broke off")
        if verification is None:
            return _bad("live version", f"{said}, not verified")
        if not verification.good:
            return _bad("live version", f"{said}, found unwell: {verification.why}")
        return _good("live version", f"{said}, verified")

    def _archive(self) -> Finding:
        """Without it a rollback to another version goes by this checkout."""
        live = self._latest()
        if live is None:
            return _good("archive", "there is no version yet")
        if problem := damage(self.store, live):
            said = f"of version {live.number}: {problem}. A deployment of the same release writes it anew"
            return Finding(about="archive", state=State.NOTE, said=said)
        return _good("archive", f"version {live.number} can be unpacked")

    def _stands(self) -> Finding:
        live = self._latest()
        if live is None:
            return _good("state", "nothing is there to compare it with")
        if stands(self.stack, live, state_of(self.stack)):
            return _good("state", f"as version {live.number} left it")
        return _bad("state", f"not as version {live.number} left it: an update broke off, or something else wrote it")

    def _functions(self) -> Finding:
        deployed = Deployed.of(read_state(Engine(self.stack)))
        changed = deployed.changed_functions(ManagementApi(self.stack).functions())
        if changed:
            return _bad(FUNCTIONS, f"not as they were left: {', '.join(changed.values())}")
        return _good(FUNCTIONS, "as the last update left them" if deployed.functions else "none were deployed")

    def _quarantine(self) -> Finding:
        with reading():
            found = self.store.records.quarantined()
        if not found:
            return _good("quarantine", "empty")
        named = "; ".join(f"version {one.version} ({one.reason})" for one in found.values())
        return Finding(about="quarantine", state=State.NOTE, said=named)

    def _target(self) -> Finding:
        """Which version a rollback would go to now, by the rollback's own choice."""
        store = self.store
        try:
            with planned(self.name, Wish(reason="a diagnosis")) as plan:
                resources = state_of(plan.stack).resources
                version = plan.target
                with reading():
                    problem = lost(plan.store, version, kept_of({one.urn: one.type for one in resources}))
        except NoTargetError as error:  # bad only where there is something to go back from
            blocked = self._blocked(store)
            return Finding(about=TARGET, state=State.NOTE, said=error.message, command=blocked)
        except OperationError as error:
            return _bad(TARGET, str(error), _command(error))
        said = f"to version {version.number} of {version.made}"
        return _bad(TARGET, f"{said}, which can't come back: {problem}") if problem else _good(TARGET, said)

    def _blocked(self, store: ReleaseStore) -> str:
        """Where only the quarantine stands between a rollback and a version that worked: to lift it."""
        with reading():
            quarantined, live = store.records.quarantined(), store.versions.latest()
            for version in store.versions.newest_first():
                seen = store.versions.verification(version.number)
                if version.content in quarantined and version != live and seen and seen.good:
                    return f"./pf unblock {quarantined[version.content].version}{self.option} --reason WHY"
        return ""


def _good(about: str, said: str) -> Finding:
    return Finding(about=about, state=State.GOOD, said=said)


def _bad(about: str, said: str, command: str = "") -> Finding:
    return Finding(about=about, state=State.BAD, said=said, command=command)
