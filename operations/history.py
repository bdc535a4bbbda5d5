"""The stack's history (K6): its versions, and between them what made none.

Three sources, each for what it knows: the release store has the versions and their numbers, the reports what `pf` did,
the engine's own history what was run without it. What several of them know is one entry.
"""

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice

from pydantic import AwareDatetime, BaseModel, Field, TypeAdapter, ValidationError

from operations.engine import Engine, StackMissingError
from operations.engine_events import NO_STEPS, UNHIDES_THE_LOG
from operations.errors import ExitCode, OperationError
from operations.journal import Mark, read_mark
from operations.output import say
from operations.releases import ReleaseStore, reading
from operations.report import report_store_of_environment
from operations.stack import Stack
from releases.versions import Verification, Version
from reports.models import Kind, OperationReport, Result
from reports.store import ReportError

UPDATE = "update"  # the engine's name for it
UNDER_WAY = "under way"
NOT_YET = "nobody has verified it yet: ./pf deploy does"
NEVER = "nobody verified it while it was live"
WHOLE_SECOND = timedelta(seconds=1)  # the engine's history has no parts of one
RUNS_OF_AN_OPERATION = 3  # of the engine at most: a refresh, and an update before and after it


class Entry(BaseModel):
    """`pf history --json`: one a version or an attempt. Fields are only ever added.

    `kind` is pf's (deployment, hotfix, emergency, rollback, emergency rollback), or the engine's for what it was asked
    for without `pf` (update, refresh, destroy, import).
    """

    number: int | None = None  # none for what made no version
    at: datetime
    by: str = ""  # the engine doesn't know who ran it
    commit: str = ""
    dirty: bool = False  # besides the commit, uncommitted changes
    message: str = ""
    kind: str
    target: int | None = None  # of a rollback
    result: str
    why: str = ""  # it failed, or the version isn't verified or no longer
    verified: bool | None = None  # none where nothing was asked
    live: bool = False
    quarantined: bool = False
    withdrawn: bool = False  # the approval of its surface
    surface: str = ""
    seconds: float | None = None
    changes: dict[str, int] = {}  # resources by what was done
    functions: list[str] = []  # that got other content
    report: str = ""


class Update(BaseModel):
    """An entry of `pulumi stack history --json`."""

    kind: str
    start: AwareDatetime = Field(alias="startTime")
    end: AwareDatetime = Field(alias="endTime")
    result: str
    message: str = ""
    resources: dict[str, int] | None = Field(default=None, alias="resourceChanges")
    environment: dict[str, str] = {}

    @property
    def is_ours(self) -> bool:
        """Whether an operation of `pf` that is reported ran it: the engine notes its settings."""
        return any(f"pulumi.env.{name}" in self.environment for name in UNHIDES_THE_LOG)

    @property
    def commit(self) -> str:
        return self.environment.get("git.head", "")

    @property
    def seconds(self) -> float:
        return (self.end - self.start).total_seconds()

    @property
    def changes(self) -> dict[str, int]:
        return {op: count for op, count in (self.resources or {}).items() if op not in NO_STEPS}


@dataclass(frozen=True, kw_only=True)
class Sources:
    """What is known, each the newest first."""

    versions: Sequence[Version] = ()
    verifications: Mapping[int, Verification] = field(default_factory=dict[int, Verification])
    quarantined: Container[str] = ()  # digests of contents
    withdrawn: Container[str] = ()  # digests of surfaces
    reports: Sequence[OperationReport] = ()
    mark: Mark | None = None
    updates: Sequence[Update] = ()


def history(name: str, *, limit: int) -> list[Entry]:
    """The newest first. Needs the stack's backend alone; what else can't be asked is said, and left out.

    Raises: OperationError.
    """
    store = ReleaseStore.of_environment(name)
    with ThreadPoolExecutor(1) as pool:
        updates = pool.submit(_updates, name, RUNS_OF_AN_OPERATION * limit)
        mark = read_mark(store.records.store)
        with reading():
            versions = list(islice(store.versions.newest_first(), limit))
            found = Sources(
                versions=versions,
                verifications={
                    one.number: verification
                    for one in versions
                    if (verification := store.versions.verification(one.number))
                },
                quarantined=store.records.quarantined(),
                withdrawn=store.records.withdrawn(),
                reports=_reports(name, limit),
                mark=mark,
                updates=updates.result(),
            )
    return merged(found)[:limit]


def _updates(name: str, limit: int) -> list[Update]:
    """A program or settings that don't load take nothing from the versions."""
    try:
        said = Engine(Stack.load(name, needs=())).read(
            "stack", "history", "--json", "--page-size", str(limit), "--page", "1"
        )
        return _read(said)
    except StackMissingError:
        return []
    except OperationError as error:
        say(f"without what was done by plain pulumi, for the engine's history can't be read: {error}")
        return []


def _read(said: str) -> list[Update]:
    try:
        return TypeAdapter(list[Update]).validate_json(said)
    except ValidationError as error:
        raise OperationError(
            f"it has another form, in {error.error_count()} places", "./pf version", ExitCode.FAILED
        ) from error


def _reports(name: str, limit: int) -> list[OperationReport]:
    """Each is of one entry, so that more than `limit` are never needed."""
    found: list[OperationReport] = []
    try:
        store = report_store_of_environment(name)
        # A watch changes nothing; where it ended in a rollback, that has a report of its own.
        for filed in [one for one in store.list() if one.kind is not Kind.WATCH][:limit]:
            try:
                found.append(store.read(filed))
            except ReportError as error:
                say(str(error))
    except (ReportError, OperationError) as error:
        say(f"without the reports: {error}")
    return found


def merged(found: Sources) -> list[Entry]:
    """One entry for each event, however many sources know it."""
    runs: dict[str, Update] = {}  # of the operations, by their ids
    others: list[Update] = []
    for update in found.updates:
        if operation := _operation_of(update, found):
            runs.setdefault(operation, update)
        else:
            others.append(update)
    operations = {report.id: _of_report(report, runs.get(report.id)) for report in found.reports}
    if found.mark and found.mark.id not in operations:
        operations[found.mark.id] = _of_mark(found.mark, runs.get(found.mark.id))
    entries: list[Entry] = []
    for version in found.versions:
        update = _that_made(version, found.updates)
        if update in others:
            others.remove(update)
        operation = operations.pop(version.operation.id, None) if version.operation else None
        entries.append(_of_version(version, operation, update, found))
    entries += operations.values()
    entries += map(_of_update, others)
    return sorted(entries, key=lambda one: one.at, reverse=True)


def _that_made(version: Version, updates: Iterable[Update]) -> Update | None:
    """The policy pack writes a version while its update runs, and no two run at once."""
    begun = next((update for update in updates if update.kind == UPDATE and update.start <= version.at), None)
    return begun if begun and version.at < begun.end + WHOLE_SECOND else None


def _operation_of(update: Update, found: Sources) -> str:
    """The id of the operation that ran it. What is done without `pf` in the meantime, in a watch, is nobody's."""
    if not update.is_ours:
        return ""
    started = update.start + WHOLE_SECOND
    if found.mark and found.mark.started_at < started:
        return found.mark.id
    return next((one.id for one in found.reports if one.started_at < started and update.start <= one.ended_at), "")


def _of_version(version: Version, operation: Entry | None, update: Update | None, found: Sources) -> Entry:
    asked = version.operation
    verification = found.verifications.get(version.number)
    entry = operation or Entry(at=version.at, kind=UPDATE, result=Result.SUCCEEDED)
    meant = (asked.message or asked.reason) if asked else ""
    live = version == found.versions[0]
    if verification is None:
        why = entry.why or (NOT_YET if live else NEVER)
    else:
        why = entry.why if verification.good else verification.why
    return entry.model_copy(
        update={
            "number": version.number,
            "at": version.at,
            "by": version.by,
            "commit": version.commit,
            "dirty": version.dirty,
            "message": meant or entry.message or (update.message if update else ""),
            "kind": asked.kind if asked else UPDATE,
            "target": asked.target if asked else None,
            "why": why,
            "verified": verification.good if verification else None,
            "live": live,
            "quarantined": version.content in found.quarantined,
            "withdrawn": version.surface in found.withdrawn,
            "surface": version.surface,
            "seconds": update.seconds if entry.seconds is None and update else entry.seconds,
            "changes": entry.changes or (update.changes if update else {}),
        }
    )


def _of_report(report: OperationReport, run: Update | None) -> Entry:
    return Entry(
        at=report.started_at,
        by=report.who,
        commit=report.commit or (run.commit if run else ""),
        dirty=report.dirty,
        message=report.message or report.reason or (run.message if run else ""),
        kind=report.kind,
        target=report.target,
        result=report.result,
        why=report.why,
        verified=report.verified,
        seconds=report.seconds,
        changes=dict(Counter(one.op for one in report.resources)),
        functions=[one.name for one in report.functions],
        report=report.id,
    )


def _of_mark(mark: Mark, run: Update | None) -> Entry:
    """What has written no report yet: it is at work, or was killed."""
    return Entry(
        at=mark.started_at,
        by=mark.who,
        commit=mark.commit or (run.commit if run else ""),
        dirty=mark.dirty,
        message=mark.message or mark.reason or (run.message if run else ""),
        kind=mark.kind,
        target=mark.target,
        result=Result.INTERRUPTED if mark.is_dead else UNDER_WAY,
        why=f"killed while {mark.doing}" if mark.is_dead else mark.doing,
    )


def _of_update(update: Update) -> Entry:
    return Entry(
        at=update.start,
        commit=update.commit,
        message=update.message,
        kind=update.kind,
        result=update.result,
        seconds=update.seconds,
        changes=update.changes,
    )
