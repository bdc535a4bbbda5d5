"""What a report says. Fields are only ever added within a schema version; docs/schemas holds the JSON Schema.

Times are UTC, durations seconds, latencies milliseconds.
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

# Sorts by time, and names the file: `<kind>-report-<id>.json`.
ID = r"[0-9]{8}T[0-9]{6}\.[0-9]{3}Z"


def report_id(at: datetime) -> str:
    """To the millisecond."""
    at = at.astimezone(UTC)
    return f"{at:%Y%m%dT%H%M%S}.{at.microsecond // 1000:03}Z"


def time_of(identity: str) -> datetime:
    """Raises: ValueError."""
    return datetime.strptime(identity, "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=UTC)


def _is_a_time(identity: str) -> str:
    if report_id(time_of(identity)) != identity:
        raise ValueError("no time")
    return identity


ReportId = Annotated[str, StringConstraints(pattern=rf"^{ID}$"), AfterValidator(_is_a_time)]


class _Model(BaseModel):
    # What a newer `pf` has added to this schema version doesn't hinder an older one, nor whoever reads by the schema.
    model_config = ConfigDict(extra="ignore", frozen=True)


Alarming = Literal["OK", "ALARM", "INSUFFICIENT_DATA"]


class Kind(StrEnum):
    DEPLOYMENT = "deployment"
    ROLLBACK = "rollback"
    WATCH = "watch"  # of a deployment that had ended without one


class Result(StrEnum):
    """How an operation ended. `ROLLED_BACK`: what it brought did not stand, and the version before is live again."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ROLLED_BACK = "rolled back"
    INTERRUPTED = "interrupted"


class Step(_Model):
    """One thing that was done, in order. `detail` is for people."""

    name: str
    started_at: AwareDatetime
    seconds: float
    result: Result
    detail: str = ""


class Check(_Model):
    """What one part answered when it was asked how it is."""

    name: str
    status: Literal["healthy", "degraded", "down"]
    detail: str
    latency_ms: float | None = None


class Measurement(_Model):
    """Probes of one endpoint. The percentiles are of the requests that were answered; None where none was."""

    endpoint: str
    requests: int
    errors: int
    p50_ms: float | None = None
    p95_ms: float | None = None
    max_ms: float | None = None


class Verdict(StrEnum):
    MET = "met"
    MISSED = "missed"


class Benchmark(_Model):
    """A row of the requirements with a time in it: P4, P5."""

    row: str
    what: str
    target_seconds: float
    measured_seconds: float
    verdict: Verdict


class Approval(_Model):
    """What allowed the change: the statement's file, or the incident, and a signature on it."""

    statement: str
    role: str
    by: str


class ResourceChange(_Model):
    """What the engine did with a resource."""

    op: str
    type: str
    name: str


class FunctionChange(_Model):
    """SHA-256 of an edge function's source before and after; empty where it wasn't there."""

    name: str
    before: str
    after: str


class ApiCalls(_Model):
    """Calls of Supabase's Management API: how many, and what the API allows a minute, where it said so."""

    count: int
    limit_per_minute: int | None = None


class OperationReport(_Model):
    """A deployment, a rollback, or a watch."""

    schema_version: Literal[1] = 1
    kind: Kind
    id: ReportId
    stack: str
    environment: str
    started_at: AwareDatetime
    ended_at: AwareDatetime
    seconds: float
    who: str
    host: str
    commit: str = ""
    dirty: bool = False  # besides the commit, uncommitted changes
    message: str = ""
    reason: str = ""
    change: str = ""  # feature, infrastructure, hotfix, emergency, return to an approved surface
    version_before: int | None = None
    version: int | None = None  # what this operation made
    target: int | None = None  # of a rollback: the version that was brought back
    result: Result
    verified: bool = False
    why: str = ""  # it failed, or was rolled back
    approvals: list[Approval] = Field(default_factory=list[Approval])
    steps: list[Step] = Field(default_factory=list[Step])
    resources: list[ResourceChange] = Field(default_factory=list[ResourceChange])
    functions: list[FunctionChange] = Field(default_factory=list[FunctionChange])
    checks: list[Check] = Field(default_factory=list[Check])
    before: list[Measurement] = Field(default_factory=list[Measurement])
    after: list[Measurement] = Field(default_factory=list[Measurement])
    alarms_before: dict[str, Alarming] = Field(default_factory=dict[str, Alarming])  # those that wake people
    benchmarks: list[Benchmark] = Field(default_factory=list[Benchmark])
    api_calls: ApiCalls | None = None
    errors: list[str] = Field(default_factory=list[str])
