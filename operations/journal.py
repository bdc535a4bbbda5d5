"""What an operation does, noted step by step while it does it; its report at the end, however it ends.

While it runs, a mark beside the state says who is at work since when. Whoever finds the mark of a process that is dead
knows that an operation was killed, and writes the report that it could not.
"""

import os
import socket
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from gate.decision import Decision
from gate.receipt import run_of
from gate.store import Store
from operations.engine import InterruptedEngineError
from operations.engine_events import read_events
from operations.errors import OperationError
from operations.health import HealthReport
from operations.processes import is_program
from operations.releases import reading
from operations.supabase import CALLS
from releases.versions import Operation, who
from reports.models import (
    Alarming,
    ApiCalls,
    Approval,
    Benchmark,
    Check,
    FunctionChange,
    Kind,
    Measurement,
    OperationReport,
    ReportId,
    ResourceChange,
    Result,
    Step,
    Verdict,
    report_id,
)

MARK = "running.json"
WATCHING = "watching"
TARGETS = {"P4": ("standard deployment", 35.0), "P5": ("emergency rollback", 10.0)}


class Mark(BaseModel):
    """An operation that began and has not ended."""

    id: ReportId
    kind: Kind
    who: str
    host: str
    pid: int = Field(gt=0, lt=2**31)
    run: str = ""  # the process's number and start: a number goes to another one in time
    started_at: AwareDatetime
    message: str = ""
    reason: str = ""
    commit: str = ""
    dirty: bool = False  # besides the commit, uncommitted changes
    doing: str = ""
    version_before: int | None = None
    target: int | None = None

    @property
    def is_here(self) -> bool:
        return self.host == socket.gethostname()

    @property
    def is_ours(self) -> bool:
        return self.is_here and self.pid == os.getpid() and self.run in ("", run_of(self.pid))

    @property
    def is_dead(self) -> bool:
        """Certain only for a process of this machine."""
        if not self.is_here:
            return False
        return not is_program(self.pid, "python") or self.run not in ("", run_of(self.pid))

    @property
    def holds_up(self) -> bool:
        """Another operation, that is; a watch ends when another begins."""
        return self.is_here and not self.is_ours and not self.is_dead and self.doing != WATCHING

    def __str__(self) -> str:
        return f"a {self.kind} by {self.who} (process {self.pid}, begun {self.started_at:%Y-%m-%d %H:%M:%S} UTC)"


def read_mark(store: Store) -> Mark | None:
    with reading():
        content = store.get(MARK)
    try:
        return Mark.model_validate_json(content) if content and content != b"null" else None
    except ValidationError:
        return None  # of another version of pf: it says nothing that this one could use


def write_mark(store: Store, mark: Mark | None) -> None:
    with reading():
        store.put(MARK, mark.model_dump_json().encode() if mark else b"null")


@dataclass(kw_only=True)
class Journal:
    """One deployment or rollback on its way. What is found out is set on it as it is found out."""

    kind: Kind
    stack: str
    environment: str
    store: Store
    message: str = ""
    reason: str = ""
    target: int | None = None
    version_before: int | None = None
    version: int | None = None
    commit: str = ""
    dirty: bool = False  # besides the commit, uncommitted changes
    verified: bool = False
    result: Result = Result.SUCCEEDED
    why: str = ""
    benchmark: str = ""  # the row of the requirements that its time is held against
    doing: str = "beginning"
    left: str = "nothing has been changed"
    steps: list[Step] = field(default_factory=list[Step])
    resources: list[ResourceChange] = field(default_factory=list[ResourceChange])
    functions: list[FunctionChange] = field(default_factory=list[FunctionChange])
    checks: list[Check] = field(default_factory=list[Check])
    before: list[Measurement] = field(default_factory=list[Measurement])
    after: list[Measurement] = field(default_factory=list[Measurement])
    alarms_before: Mapping[str, Alarming] = field(default_factory=dict[str, Alarming])
    errors: list[str] = field(default_factory=list[str])
    api_calls: int = 0  # of the Management API, by what the engine ran
    decision: Decision | None = None
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __post_init__(self) -> None:
        self.id = report_id(self.started_at)
        self._start = time.monotonic()
        self._calls = CALLS.count
        self._run = run_of(os.getpid())
        self.who = who(os.environ)

    def operation(self, kind: str) -> Operation:
        """What the policy pack writes into the version that this operation makes."""
        return Operation(id=self.id, kind=kind, message=self.message, reason=self.reason, target=self.target)

    @contextmanager
    def step(self, name: str, left: str = "") -> Generator[None]:
        """Times what is done, and notes how it ended. `left`: what state things are in if it is interrupted."""
        self.doing, self.left = name, left
        self._mark(name)
        at, start, result, detail = datetime.now(UTC), time.monotonic(), Result.SUCCEEDED, ""
        try:
            yield
        except (KeyboardInterrupt, InterruptedEngineError):
            result = Result.INTERRUPTED
            raise
        except OperationError as error:
            result, detail = Result.FAILED, error.message
            raise
        except BaseException as error:
            result, detail = Result.FAILED, type(error).__name__
            raise
        finally:
            took = round(time.monotonic() - start, 3)
            self.steps.append(Step(name=name, started_at=at, seconds=took, result=result, detail=detail))

    def _mark(self, doing: str) -> None:
        mark = Mark(
            id=self.id,
            kind=self.kind,
            who=self.who,
            host=socket.gethostname(),
            pid=os.getpid(),
            run=self._run,
            started_at=self.started_at,
            message=self.message,
            reason=self.reason,
            commit=self.commit,
            dirty=self.dirty,
            doing=doing,
            version_before=self.version_before,
            target=self.target,
        )
        write_mark(self.store, mark)

    def unmark(self, outer: Mark | None = None) -> None:
        """`outer`: of the deployment that this rollback is a part of, and which goes on."""
        write_mark(self.store, outer)

    def saw(self, log: Path) -> None:
        """What the engine did, by its event log. What a further attempt does again is one change."""
        events = read_events(log)
        self.errors += [one.message for one in events.errors]
        self.api_calls += events.api_calls
        if events.began:
            steps = {one.urn: ResourceChange(op=one.op, type=one.type, name=one.name) for one in events.steps}
            changes = {o.name: FunctionChange(name=o.name, before=o.before, after=o.after) for o in events.functions}
            self.resources = list(dict.fromkeys([*self.resources, *steps.values()]))
            self.functions = list(dict.fromkeys([*self.functions, *changes.values()]))

    def asked(self, health: HealthReport) -> None:
        self.checks = [
            Check(name=one.name, status=one.status.value, detail=one.detail, latency_ms=one.latency_ms)
            for one in health.checks
        ]

    def report(self) -> OperationReport:
        seconds = round(time.monotonic() - self._start, 3)
        return OperationReport(
            kind=self.kind,
            id=self.id,
            stack=self.stack,
            environment=self.environment,
            started_at=self.started_at,
            ended_at=datetime.now(UTC),
            seconds=seconds,
            who=self.who,
            host=socket.gethostname(),
            commit=self.commit,
            dirty=self.dirty,
            message=self.message,
            reason=self.reason,
            change=self.decision.kind if self.decision else "",
            version_before=self.version_before,
            version=self.version,
            target=self.target,
            result=self.result,
            verified=self.verified,
            why=self.why,
            approvals=_approvals(self.decision),
            steps=self.steps,
            resources=self.resources,
            functions=self.functions,
            checks=self.checks,
            before=self.before,
            after=self.after,
            alarms_before=dict(self.alarms_before),
            benchmarks=_benchmarks(self.benchmark, self.steps) if self.result is Result.SUCCEEDED else [],
            api_calls=ApiCalls(
                count=self.api_calls + CALLS.count - self._calls, limit_per_minute=CALLS.limit_per_minute
            ),
            errors=self.errors,
        )


def _approvals(decision: Decision | None) -> list[Approval]:
    if decision is None:
        return []
    return [Approval(statement=decision.statement, role=one.role, by=one.principal) for one in decision.used]


def _benchmarks(row: str, steps: Sequence[Step]) -> list[Benchmark]:
    """Without the watch, which is meant to take its time."""
    if not row:
        return []
    what, target = TARGETS[row]
    took = round(sum(step.seconds for step in steps if step.name != WATCHING), 3)
    verdict = Verdict.MET if took <= target else Verdict.MISSED
    return [Benchmark(row=row, what=what, target_seconds=target, measured_seconds=took, verdict=verdict)]


def killed(mark: Mark, stack: str, environment: str) -> OperationReport:
    """The report of an operation that was killed before it could write its own.

    One that began in the future, by a clock that was ahead, would be the last for as long: it began now.
    """
    now = datetime.now(UTC)
    started_at = min(mark.started_at, now)
    return OperationReport(
        kind=mark.kind,
        id=min(mark.id, report_id(now)),
        stack=stack,
        environment=environment,
        started_at=started_at,
        ended_at=now,
        seconds=round((now - started_at).total_seconds(), 3),
        who=mark.who,
        host=mark.host,
        commit=mark.commit,
        dirty=mark.dirty,
        message=mark.message,
        reason=mark.reason,
        version_before=mark.version_before,
        target=mark.target,
        result=Result.INTERRUPTED,
        why=f"killed while {mark.doing}",
    )
