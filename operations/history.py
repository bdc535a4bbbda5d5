"""The stack's history (K6): its versions, and between them what failed or was interrupted.

Three sources, each for what it knows: the release store for versions and their numbers, the reports for what `pf` did,
the engine's own history for what was run without `pf`. What several of them know is one entry.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from gate.surface import TRIGGER
from gate.words import differences
from operations.engine import Engine, StackMissingError
from operations.errors import ExitCode, OperationError
from operations.preview_report import ResourceDifference
from operations.releases import ReleaseStore, reading, setting_differences
from operations.report import report_store
from operations.stack import Stack
from releases.versions import Version
from reports.models import FunctionChange, OperationReport, Result
from reports.store import Filed, ReportError, ReportStore

PLAIN = "plain update"  # `pulumi up`, without `pf`
UNRECORDED = timedelta(seconds=10)  # the engine writes its entry a moment after the policy pack its version


class Entry(BaseModel):
    """`pf history --json`, one a version or an attempt. `number` is None for what never became a version."""

    number: int | None
    at: datetime
    by: str
    commit: str = ""
    message: str = ""
    kind: str
    result: str
    verified: bool | None = None
    live: bool = False
    quarantined: bool = False
    target: int | None = None
    surface: str = ""
    seconds: float | None = None
    changes: dict[str, int] = {}
    report: str = ""


class _Update(BaseModel):
    """An entry of `pulumi stack history --json`."""

    kind: str
    start: datetime = Field(alias="startTime")
    end: datetime = Field(alias="endTime")
    result: str
    message: str = ""
    changes: dict[str, int] | None = Field(default=None, alias="resourceChanges")
    environment: dict[str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class _Sources:
    versions: Sequence[Version]
    reports: Sequence[OperationReport]
    updates: Sequence[_Update]


def history(stack: Stack, *, limit: int) -> list[Entry]:
    """The newest first; at most `limit` versions, and what happened between them.

    Raises: OperationError.
    """
    store = ReleaseStore.of(stack.name, stack.variables)
    with ThreadPoolExecutor() as pool:
        updates = pool.submit(_updates, stack, limit)
        with reading():
            versions = list(islice(store.versions.newest_first(), limit))
        reports = _reports(report_store(stack), versions, limit)
        found = _Sources(versions=versions, reports=reports, updates=updates.result())
    with reading():
        return _merged(store, found)[:limit]


def _updates(stack: Stack, limit: int) -> list[_Update]:
    try:
        said = Engine(stack).read("stack", "history", "--json", "--page-size", str(limit), "--page", "1")
    except StackMissingError:
        return []
    try:
        return TypeAdapter(list[_Update]).validate_json(said)
    except ValidationError as error:
        raise OperationError(
            f"the engine's history can't be read: {error.error_count()} problems", "./pf version", ExitCode.FAILED
        ) from error


def _reports(store: ReportStore, versions: Sequence[Version], limit: int) -> list[OperationReport]:
    """Those of the time of the versions; one that can't be read leaves its entry with less to say."""
    wanted = {version.operation.id for version in versions if version.operation}
    found: list[OperationReport] = []
    for filed in _filed(store):
        if len(found) >= 2 * limit:
            break
        if filed.id in wanted or len(found) < limit:
            try:
                found.append(store.read(filed))
            except ReportError:
                continue
    return found


def _filed(store: ReportStore) -> Sequence[Filed]:
    try:
        return store.list()
    except ReportError as error:
        raise OperationError(str(error)) from error


def _merged(store: ReleaseStore, found: _Sources) -> list[Entry]:
    reports = {report.id: report for report in found.reports}
    quarantined = store.records.quarantined()
    entries: list[Entry] = []
    told: set[str] = set()
    for index, version in enumerate(found.versions):
        report = reports.get(version.operation.id) if version.operation else None
        update = next((one for one in found.updates if one.start <= version.at <= one.end + UNRECORDED), None)
        if report:
            told.add(report.id)
        verification = store.versions.verification(version.number)
        entries.append(
            Entry(
                number=version.number,
                at=version.at,
                by=version.by,
                commit=version.commit,
                message=_message(version),
                kind=version.operation.kind if version.operation else PLAIN,
                result=report.result if report else Result.SUCCEEDED,
                verified=verification.good if verification else None,
                live=index == 0,
                quarantined=version.content in quarantined,
                target=version.operation.target if version.operation else None,
                surface=version.surface,
                seconds=report.seconds if report else _seconds(update),
                changes=(update.changes if update else None) or {},
                report=report.id if report else "",
            )
        )
    oldest = found.versions[-1].at if found.versions else datetime.min.replace(tzinfo=UTC)
    entries += [_attempt(report) for report in found.reports if report.id not in told and report.started_at > oldest]
    entries += [_plain(one) for one in found.updates if one.start > oldest and not _is_told(one, found)]
    return sorted(entries, key=lambda one: one.at, reverse=True)


def _message(version: Version) -> str:
    return (version.operation.message or version.operation.reason) if version.operation else ""


def _seconds(update: _Update | None) -> float | None:
    return (update.end - update.start).total_seconds() if update else None


def _attempt(report: OperationReport) -> Entry:
    """What `pf` began and what made no version: it failed, was interrupted, or found nothing new to bring."""
    return Entry(
        number=None,
        at=report.started_at,
        by=report.who,
        commit=report.commit,
        message=report.message or report.reason,
        kind=report.change or report.kind,
        result=report.result,
        verified=report.verified,
        target=report.target,
        seconds=report.seconds,
        report=report.id,
    )


def _plain(update: _Update) -> Entry:
    environment = update.environment or {}
    return Entry(
        number=None,
        at=update.start,
        by=environment.get("git.author", ""),
        commit=environment.get("git.head", ""),
        message=update.message,
        kind=PLAIN if update.kind == "update" else f"plain {update.kind}",
        result=update.result,
        seconds=_seconds(update),
        changes=update.changes or {},
    )


def _is_told(update: _Update, found: _Sources) -> bool:
    """Whether a version or a report speaks of it already."""
    by_version = any(update.start <= one.at <= update.end + UNRECORDED for one in found.versions)
    return by_version or any(one.started_at <= update.start <= one.ended_at for one in found.reports)


class Difference(BaseModel):
    """`pf history diff --json`: what lies between two versions."""

    before: int
    after: int
    resources: list[ResourceDifference]
    functions: list[FunctionChange]
    config: dict[str, tuple[str, str]]  # by key: before, after


def version_of(name: str, number: int) -> tuple[ReleaseStore, Version]:
    """Raises: OperationError."""
    store = ReleaseStore.of_environment(name)
    with reading():
        version = store.versions.get(number)
    if version is None:
        raise OperationError(f"there is no version {number}", f"What there is: ./pf history --stack {name}")
    return store, version


def difference(name: str, before: int, after: int) -> Difference:
    """Raises: OperationError."""
    store, old = version_of(name, before)
    _, new = version_of(name, after)
    with reading():
        surfaces = [store.records.surface(one.surface) for one in (old, new)]
    left, right = _functions(old), _functions(new)
    return Difference(
        before=before,
        after=after,
        resources=[
            ResourceDifference(
                urn=one.urn,
                name=one.name,
                type=one.type,
                title=one.title,
                kind=one.kind,
                sentences=list(one.sentences),
            )
            for one in differences(*surfaces)
        ],
        functions=[
            FunctionChange(name=function, before=left.get(function, ""), after=right.get(function, ""))
            for function in sorted(left.keys() | right.keys())
            if left.get(function) != right.get(function)
        ],
        config=setting_differences(store, old, new),
    )


def _functions(version: Version) -> dict[str, str]:
    matches = (TRIGGER.fullmatch(line) for line in version.functions)
    return {match["name"]: match["digest"] for match in matches if match}
