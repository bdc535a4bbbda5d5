"""What an operation notes of itself while it works, and what others can tell by it."""

import json
import os
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from gate.decision import Decision
from gate.receipt import run_of
from gate.signature import Signature
from gate.store import FolderStore, StoreError
from operations.errors import OperationError
from operations.journal import MARK, Journal, Mark, killed, read_mark
from reports.models import Kind, Result, report_id
from tests.operations.test_engine import dead_process

pytestmark = pytest.mark.rows("C3", "R4")

AT = datetime(2026, 8, 3, 12, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(folder=tmp_path)


@pytest.fixture
def journal(store: FolderStore) -> Journal:
    return Journal(kind=Kind.ROLLBACK, stack="sandbox", environment="sandbox", store=store, reason="it burns", target=3)


def mark(**given: object) -> Mark:
    fields = {
        "id": "20260803T123001.000Z",
        "kind": "rollback",
        "who": "ada",
        "host": socket.gethostname(),
        "pid": os.getpid(),
    }
    return Mark.model_validate(fields | {"started_at": AT, "doing": "updating", "target": 3} | given)


def test_a_step_is_timed_and_said_while_it_is_done(
    journal: Journal, store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = iter((100.0, 102.5))
    monkeypatch.setattr("operations.journal.time", SimpleNamespace(monotonic=lambda: next(moments)))
    journal.version_before, journal.commit, journal.dirty = 4, "c" * 40, True
    with journal.step("updating", "half of it stands"):
        there = read_mark(store)
        assert there is not None
        assert (there.doing, there.target, there.reason, there.pid) == ("updating", 3, "it burns", os.getpid())
        assert (there.version_before, there.commit, there.dirty) == (4, "c" * 40, True)
        assert (journal.doing, journal.left) == ("updating", "half of it stands")
    (step,) = journal.steps
    assert (step.name, step.result, step.detail, step.seconds) == ("updating", "succeeded", "", 2.5)


def test_a_step_inside_another_ends_before_it(journal: Journal) -> None:
    with pytest.raises(OperationError), journal.step("going back"), journal.step("updating"):
        raise OperationError("AWS said no")
    assert [(one.name, one.detail) for one in journal.steps] == [
        ("updating", "AWS said no"),
        ("going back", "AWS said no"),
    ]


def test_a_mark_that_cannot_be_written_begins_nothing(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    def is_full(*_: object) -> None:
        raise StoreError("no space left")

    monkeypatch.setattr(FolderStore, "put", is_full)
    with pytest.raises(OperationError, match="no space left"), journal.step("updating"):
        pytest.fail("it went on")


def test_who_is_at_work_is_told_by_the_process(store: FolderStore) -> None:
    ours, dead = mark(), mark(pid=dead_process())
    elsewhere, another = mark(host="ci-runner", pid=dead_process()), mark(pid=1)
    assert (ours.is_here, ours.is_ours, ours.is_dead) == (True, True, False)
    assert (dead.is_here, dead.is_ours, dead.is_dead) == (True, False, True)
    assert (elsewhere.is_here, elsewhere.is_ours, elsewhere.is_dead) == (False, False, False)
    assert (another.is_ours, another.is_dead) == (False, True)  # its number went to another program
    store.put(MARK, dead.model_dump_json().encode())
    assert read_mark(store) == dead


def test_what_a_second_attempt_does_again_is_one_change(journal: Journal, tmp_path: Path) -> None:
    def step(op: str, kind: str, resource: str) -> str:
        urn = f"urn:pulumi:sandbox::parker-flight::{kind}::{resource}"
        return json.dumps(
            {"resourcePreEvent": {"metadata": {"op": op, "urn": urn, "type": kind, "new": {"custom": True}}}}
        )

    log, failed = tmp_path / "events", step("update", "aws:iam/role:Role", "functions")
    for attempt in (
        [step("create", "aws:sns/topic:Topic", "info"), failed],
        [failed, step("delete", "aws:sns/topic:Topic", "old")],
    ):
        log.write_text("\n".join(attempt) + "\n")
        journal.saw(log)
    assert [(one.op, one.name) for one in journal.report().resources] == [
        ("create", "info"),
        ("update", "functions"),
        ("delete", "old"),
    ]


def test_a_mark_of_our_number_from_before_we_began_is_a_dead_ones() -> None:
    """In a container the numbers begin anew, and hosts may have the same name."""
    before = mark(run=f"{os.getpid()} 1")
    assert (before.is_ours, before.is_dead) == (False, True)
    now = mark(run=run_of(os.getpid()))
    assert (now.is_ours, now.is_dead) == (True, False)


def test_what_was_killed_is_reported_as_far_as_it_is_known() -> None:
    began = datetime.now(UTC) - timedelta(minutes=2)
    known = {"reason": "it burns", "message": "Rotate sooner", "commit": "c" * 40, "dirty": True, "version_before": 4}
    said = killed(mark(id=report_id(began), started_at=began, **known), "sandbox", "sandbox")
    assert (said.message, said.commit, said.dirty, said.version_before) == ("Rotate sooner", "c" * 40, True, 4)
    assert (said.kind, said.id, said.target, said.reason) == ("rollback", report_id(began), 3, "it burns")
    assert (said.result, said.why, said.verified) == (Result.INTERRUPTED, "killed while updating", False)
    assert said.ended_at > began
    assert said.seconds == round((said.ended_at - began).total_seconds(), 3) >= 120


@pytest.mark.parametrize("identity", ["99999999T999999.999Z", "00010101T000000.000Z", "20260803T123001.000"])
def test_a_mark_whose_id_is_no_time_says_nothing(store: FolderStore, identity: str) -> None:
    store.put(MARK, json.dumps(mark().model_dump(mode="json") | {"id": identity}).encode())
    assert read_mark(store) is None


def test_what_was_killed_before_it_began_counts_as_of_now() -> None:
    future = datetime.now(UTC) + timedelta(days=400)
    said = killed(mark(id=report_id(future), started_at=future), "sandbox", "sandbox")
    assert said.started_at == said.ended_at <= datetime.now(UTC)
    assert (said.id, said.seconds) == (report_id(said.ended_at), 0)


def test_the_watch_is_no_part_of_the_time_that_is_held_against_the_target(journal: Journal) -> None:
    journal.benchmark = "P4"
    for name in ("updating", "watching"):
        with journal.step(name):
            pass
    updating, watch = journal.steps
    journal.steps = [updating.model_copy(update={"seconds": 35.0}), watch.model_copy(update={"seconds": 900.0})]
    (benchmark,) = journal.report().benchmarks
    assert (benchmark.measured_seconds, benchmark.verdict) == (35.0, "met")
    journal.steps[0] = updating.model_copy(update={"seconds": 35.001})
    assert journal.report().benchmarks[0].verdict == "missed"
    journal.result = Result.FAILED
    assert journal.report().benchmarks == []


def test_what_allowed_it_stands_in_its_report(journal: Journal) -> None:
    used = Signature(role="incident-commander", principal="ivan", fingerprint="SHA256:x")
    journal.decision = Decision(kind="emergency", statement="incident-1.json", used=(used,))
    said = journal.report()
    assert said.change == "emergency"
    (one,) = said.approvals
    assert (one.statement, one.role, one.by) == ("incident-1.json", "incident-commander", "ivan")
