"""Reports that say everything a report can."""

from datetime import UTC, datetime, timedelta
from typing import Any

from reports.models import (
    ApiCalls,
    Approval,
    Benchmark,
    Check,
    FunctionChange,
    Kind,
    Measurement,
    OperationReport,
    ResourceChange,
    Result,
    Step,
    Verdict,
    report_id,
)

BEGAN = datetime(2026, 11, 25, 0, 40, 45, 123_000, tzinfo=UTC)


def step(name: str, after: float, seconds: float, result: Result = Result.SUCCEEDED, detail: str = "") -> Step:
    return Step(name=name, started_at=BEGAN + timedelta(seconds=after), seconds=seconds, result=result, detail=detail)


def deployment(**changed: Any) -> OperationReport:
    """One that went well."""
    said: dict[str, Any] = {
        "kind": Kind.DEPLOYMENT,
        "id": report_id(BEGAN),
        "stack": "production",
        "environment": "production",
        "started_at": BEGAN,
        "ended_at": BEGAN + timedelta(seconds=23.4),
        "seconds": 23.4,
        "who": "ada@example.com",
        "host": "runner-7",
        "commit": "bff42b4f6757f75a8e24ae2d40c5699ad6b82969",
        "message": "Rotate keys twice as often\n\nAs the audit asks.",
        "change": "infrastructure",
        "version_before": 41,
        "version": 42,
        "result": Result.SUCCEEDED,
        "verified": True,
        "approvals": [
            Approval(statement="approvals/production/3f2a9c01.json", role="security", by="grace@example.com"),
            Approval(statement="approvals/production/3f2a9c01.json", role="devops", by="linus@example.com"),
        ],
        "steps": [
            step("check", 0, 2.1, detail="settings, tools, account, project, functions"),
            step("measure before", 2.1, 3.0),
            step("update", 5.1, 11.8, detail="3 resources changed"),
            step("access key", 16.9, 0.2),
            step("verify", 17.1, 3.2, detail="8 of 8 parts are healthy"),
            step("measure after", 20.3, 3.1),
        ],
        "resources": [
            ResourceChange(op="update", type="aws:kms/key:Key", name="key-general"),
            ResourceChange(op="create", type="aws:cloudwatch/metricAlarm:MetricAlarm", name="encrypt-data-slow"),
        ],
        "functions": [FunctionChange(name="encrypt-data", before="a1" * 32, after="b2" * 32)],
        "checks": [
            Check(name="encrypt-data", status="healthy", detail="release e593c86b6ac11280", latency_ms=94.6),
            Check(name="key pii", status="healthy", detail="rotates every 180 days"),
        ],
        "before": [
            Measurement(endpoint="encrypt-data", requests=40, errors=0, p50_ms=40.0, p95_ms=55.0, max_ms=81.0),
            Measurement(endpoint="rest", requests=40, errors=40),
        ],
        "after": [
            Measurement(endpoint="encrypt-data", requests=40, errors=1, p50_ms=44.0, p95_ms=61.2, max_ms=90.0),
            Measurement(endpoint="rest", requests=40, errors=0, p50_ms=22.0, p95_ms=31.0, max_ms=40.0),
        ],
        "benchmarks": [
            Benchmark(
                row="P4",
                what="ordinary deployment",
                target_seconds=35,
                measured_seconds=23.4,
                verdict=Verdict.MET,
            )
        ],
        "api_calls": ApiCalls(count=7, limit_per_minute=60),
    }
    return OperationReport.model_validate(said | changed)


def rollback(**changed: Any) -> OperationReport:
    """One that was in vain."""
    said: dict[str, Any] = {
        "kind": Kind.ROLLBACK,
        "reason": "payments fail since 41",
        "result": Result.FAILED,
        "verified": False,
        "version": None,
        "target": 40,
        "why": "the engine stopped: the key is disabled",
        "errors": ["error: update failed\n  KMSInvalidStateException: key-pii is disabled"],
        "steps": [
            step("check", 0, 1.0),
            step("update", 1.0, 11.2, Result.FAILED, "KMSInvalidStateException"),
        ],
        "seconds": 12.2,
        "benchmarks": [
            Benchmark(
                row="P5", what="emergency rollback", target_seconds=10, measured_seconds=12.2, verdict=Verdict.MISSED
            )
        ],
    }
    return deployment(**(said | changed))
