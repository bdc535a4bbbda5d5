"""What a report says, in words: the facts first, then tables. The terminal and the page show the same."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from reports.models import Measurement, OperationReport, Result, Verdict

SHOWN = 12  # characters of a digest or commit


class Tone(StrEnum):
    """How good a word is."""

    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"


TONES: dict[str, Tone] = {
    Result.SUCCEEDED: Tone.GOOD,
    Result.FAILED: Tone.BAD,
    Result.ROLLED_BACK: Tone.BAD,
    Result.INTERRUPTED: Tone.WARNING,
    "healthy": Tone.GOOD,
    "degraded": Tone.WARNING,
    "down": Tone.BAD,
    Verdict.MET: Tone.GOOD,
    Verdict.MISSED: Tone.BAD,
    "create": Tone.GOOD,
    "update": Tone.WARNING,
    "replace": Tone.BAD,
    "delete": Tone.BAD,
}


@dataclass(frozen=True, kw_only=True)
class Section:
    """One table. `numbers` names the columns set to the right, `judged` the one whose words are good or bad."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    numbers: frozenset[str] = frozenset()
    judged: str = ""

    def tone(self, column: str, cell: str) -> Tone | None:
        return TONES.get(cell) if column == self.judged else None


def headline(report: OperationReport) -> tuple[str, str]:
    """What was done to what, and how it ended."""
    result = str(report.result)
    if report.result is Result.SUCCEEDED:
        result += ", verified" if report.verified else ", not verified"
    return f"{report.kind.capitalize()} of {report.stack}", result


def versions(report: OperationReport) -> str:
    """The version before, and the one that was made."""
    before = "none" if report.version_before is None else str(report.version_before)
    return before if report.version is None else f"{before} → {report.version}"


def facts(report: OperationReport) -> Iterator[tuple[str, str]]:
    """Each with its name; what isn't known isn't said."""
    made = report.version is not None
    version = versions(report) if made else f"{versions(report)}, no new one"
    if report.target is not None:
        version += f"; {'brought' if made else 'was to bring'} {report.target} back"
    yield "version", version
    if report.why:
        yield "why", report.why
    if report.reason:
        yield "reason", report.reason
    if report.change:
        yield "change", report.change
    if report.commit:
        commit, subject = made_from(report.commit[:SHOWN], dirty=report.dirty), first_line(report.message)
        yield "commit", f"{commit}{':' * bool(report.dirty and subject)} {subject}".strip()
    yield "who", f"{report.who} on {report.host}"
    yield "when", f"{clock(report.started_at)} UTC, for {seconds(report.seconds)}"
    yield "environment", report.environment
    if report.api_calls:
        allowed = report.api_calls.limit_per_minute
        yield (
            "API calls",
            f"{report.api_calls.count} of Supabase's Management API"
            + ("" if allowed is None else f", which allows {allowed} a minute"),
        )
    yield "report", report.id


def sections(report: OperationReport) -> tuple[Section, ...]:
    """All tables but that of the steps; an empty one has nothing to say."""
    return (
        _benchmarks(report),
        _performance(report),
        _checks(report),
        _resources(report),
        _functions(report),
        _approvals(report),
    )


def made_from(commit: str, *, dirty: bool) -> str:
    """What was deployed: `bff42b4f and changes`, where the checkout had some that aren't committed."""
    return f"{commit}{' and changes' * dirty}" if commit else ""


def first_line(text: str) -> str:
    """Where it announces a list, with the first item and how many follow."""
    head, *rest = text.split("\n")
    lines = [line for line in rest if line.strip()]
    if not head.endswith(":") or not lines:
        return head
    begin = lines[0].removesuffix(lines[0].lstrip().removeprefix("- "))
    # What is indented further belongs to the item above it; without a mark or indentation it is no list.
    items = [line for line in lines if line.startswith(begin) and not line[len(begin) :][:1].isspace()]
    more = len(items) - 1 if begin else 0
    return f"{head} {items[0].removeprefix(begin)}{f' (and {more} more)' * bool(more)}"


def clock(at: datetime) -> str:
    """In UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def seconds(count: float) -> str:
    if count < 100:
        return f"{count:.1f} s"
    minutes, rest = divmod(round(count), 60)
    return f"{minutes} min {rest:02} s"


def steps(report: OperationReport) -> Section:
    return Section(
        title="Steps",
        judged="result",
        columns=("step", "result", "after", "took", "detail"),
        numbers=frozenset({"after", "took"}),
        rows=[
            (
                step.name,
                step.result,
                seconds((step.started_at - report.started_at).total_seconds()),
                seconds(step.seconds),
                step.detail,
            )
            for step in report.steps
        ],
    )


def _benchmarks(report: OperationReport) -> Section:
    return Section(
        title="Benchmarks",
        judged="verdict",
        columns=("row", "what", "at most", "measured", "verdict"),
        numbers=frozenset({"at most", "measured"}),
        rows=[
            (one.row, one.what, seconds(one.target_seconds), seconds(one.measured_seconds), one.verdict)
            for one in report.benchmarks
        ],
    )


def _performance(report: OperationReport) -> Section:
    before = {one.endpoint: one for one in report.before}
    after = {one.endpoint: one for one in report.after}
    rows: list[tuple[str, ...]] = []
    for endpoint in before | after:
        first, second = before.get(endpoint), after.get(endpoint)
        rows += [_measured(endpoint, "before", first, "")] if first else []
        rows += [_measured(endpoint, "after", second, _difference(first, second))] if second else []
    return Section(
        title="Performance",
        columns=("endpoint", "", "n", "errors", "p50 ms", "p95 ms", "max ms", "change of p50"),
        numbers=frozenset({"n", "errors", "p50 ms", "p95 ms", "max ms", "change of p50"}),
        rows=rows,
    )


def _measured(endpoint: str, when: str, one: Measurement, difference: str) -> tuple[str, ...]:
    spread = ("-" if value is None else f"{value:.0f}" for value in (one.p50_ms, one.p95_ms, one.max_ms))
    return (endpoint, when, str(one.requests), str(one.errors), *spread, difference)


def _difference(before: Measurement | None, after: Measurement) -> str:
    if not before or not before.p50_ms or after.p50_ms is None:
        return ""
    return f"{(after.p50_ms - before.p50_ms) / before.p50_ms:+.0%}"


def _checks(report: OperationReport) -> Section:
    return Section(
        title="Checks",
        judged="state",
        columns=("part", "state", "ms", "what it said"),
        numbers=frozenset({"ms"}),
        rows=[
            (one.name, one.status, "" if one.latency_ms is None else f"{one.latency_ms:.0f}", one.detail)
            for one in report.checks
        ],
    )


def _resources(report: OperationReport) -> Section:
    return Section(
        title="Resources",
        judged="change",
        columns=("change", "resource", "kind"),
        rows=[(one.op, one.name, one.type.rpartition(":")[2]) for one in report.resources],
    )


def _functions(report: OperationReport) -> Section:
    return Section(
        title="Edge functions",
        columns=("function", "before", "after"),
        rows=[(one.name, one.before[:SHOWN] or "(new)", one.after[:SHOWN] or "(gone)") for one in report.functions],
    )


def _approvals(report: OperationReport) -> Section:
    return Section(
        title="Approvals",
        columns=("role", "by", "statement"),
        rows=[(one.role, one.by, one.statement) for one in report.approvals],
    )
