"""Whatever happens to an operation, its report says so, and nobody is taken for being at work any more."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gate.store import FolderStore, StoreError
from operations import conduct
from operations.conduct import LONGEST_LINE, conducted, line
from operations.engine import InterruptedEngineError
from operations.errors import ExitCode, OperationError
from operations.journal import MARK, WATCHING, Journal, Mark, read_mark
from operations.notify import Event
from operations.stack import Stack
from releases.versions import who
from reports.models import Kind, OperationReport, Result

pytestmark = pytest.mark.rows("C3", "R4", "K8")


@dataclass
class World:
    """A stack's store and reports; who was told what."""

    stack: Stack
    store: FolderStore
    told: list[tuple[Event, str]] = field(default_factory=list[tuple[Event, str]])

    def journal(self, kind: Kind = Kind.DEPLOYMENT, **given: Any) -> Journal:
        return Journal(kind=kind, stack="sandbox", environment="sandbox", store=self.store, **given)

    def reports(self) -> list[OperationReport]:
        """In the order in which they were begun."""
        files = sorted((self.stack.state / "reports/sandbox").glob("*.json"))
        found = [OperationReport.model_validate_json(file.read_bytes()) for file in files]
        return sorted(found, key=lambda report: report.started_at)

    def report(self) -> OperationReport:
        (one,) = self.reports()
        return one

    def mark(self, **given: Any) -> None:
        fields: dict[str, Any] = {
            "id": "20260803T123001.000Z",
            "kind": Kind.ROLLBACK,
            "who": "ada@host",
            "host": socket.gethostname(),
            "pid": os.getppid(),
            "started_at": datetime(2026, 8, 3, 12, 30, 1, tzinfo=UTC),
            "reason": "it burns",
            "doing": "updating",
            "target": 3,
        }
        mark = Mark(**(fields | given))
        self.store.put(MARK, mark.model_dump_json().encode())


@pytest.fixture
def world(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(stack=stack, store=FolderStore(folder=tmp_path / "store"))

    def notify(_: Stack, event: Event, text: str, _facts: object = None, **_more: object) -> None:
        made.told.append((event, text))

    monkeypatch.setattr(conduct, "notify", notify)
    return made


def dead_process() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    return process.pid


def test_what_went_well_is_reported_with_its_steps(world: World) -> None:
    journal = world.journal(message="new", benchmark="P4")
    with conducted(journal, world.stack):
        with journal.step("looking"):
            mark = read_mark(world.store)
            assert mark is not None
            assert (mark.id, mark.doing, mark.is_ours, mark.is_dead) == (journal.id, "looking", True, False)
        with journal.step("updating"):
            journal.version = 2
    said = world.report()
    assert (said.id, said.result, said.why, said.version, said.message) == (journal.id, "succeeded", "", 2, "new")
    assert [(one.name, one.result) for one in said.steps] == [("looking", "succeeded"), ("updating", "succeeded")]
    assert [(one.row, one.verdict) for one in said.benchmarks] == [("P4", "met")]
    assert read_mark(world.store) is None
    assert sorted(event.words for event, _ in world.told) == ["deployment started", "deployment succeeded"]


def fails() -> None:
    raise OperationError("AWS said no", "Ask again.", ExitCode.FAILED)


def breaks() -> None:
    raise ZeroDivisionError("a bug")


def is_interrupted() -> None:
    raise KeyboardInterrupt


def is_interrupted_in_the_engine() -> None:
    raise InterruptedEngineError("interrupted: the engine has ended", "", ExitCode.INTERRUPTED)


@pytest.mark.parametrize(
    ("happens", "raised", "result", "why", "detail"),
    [
        (fails, "AWS said no", Result.FAILED, "AWS said no", "AWS said no"),
        (breaks, "a bug", Result.FAILED, "ZeroDivisionError: a bug", "ZeroDivisionError"),
        (is_interrupted, "interrupted while updating: half", Result.INTERRUPTED, "interrupted while updating", ""),
        (
            is_interrupted_in_the_engine,
            "interrupted while updating: half",
            Result.INTERRUPTED,
            "interrupted while updating",
            "",
        ),
    ],
)
@pytest.mark.parametrize("kind", Kind)
def test_however_it_ends_its_report_says_so(
    happens: Callable[[], None], raised: str, result: Result, why: str, detail: str, kind: Kind, world: World
) -> None:
    journal = world.journal(kind, benchmark="P5")

    def works() -> None:
        with conducted(journal, world.stack):
            with journal.step("looking"):
                pass
            with journal.step("updating", "half of it stands"):
                happens()

    with pytest.raises((OperationError, ZeroDivisionError), match=raised):
        works()
    said = world.report()
    assert (said.kind, said.result, said.why, said.benchmarks) == (kind, result, why, [])
    assert [(one.name, one.result, one.detail) for one in said.steps] == [
        ("looking", "succeeded", ""),
        ("updating", result, detail),
    ]
    assert read_mark(world.store) is None
    assert (f"{kind} failed", f"no new version by {who(os.environ)}: {why}") in [
        (event.words, text) for event, text in world.told
    ]


def test_a_source_that_was_broken_meanwhile_is_no_bug_and_no_refusal(world: World) -> None:
    def breaks() -> None:
        raise SyntaxError("invalid syntax", (str(Path(conduct.__file__)), 7, 1, "x x"))

    journal = world.journal()
    with (
        pytest.raises(
            OperationError, match=r"conduct\.py, line 7: invalid syntax; it broke off while updating"
        ) as ended,
        conducted(journal, world.stack),
        journal.step("updating", ""),
    ):
        breaks()
    assert ended.value.code is ExitCode.FAILED
    assert world.report().result is Result.FAILED


def test_an_interruption_ends_with_its_own_code_and_what_to_type(world: World) -> None:
    for kind, command in ((Kind.DEPLOYMENT, "./pf deploy"), (Kind.ROLLBACK, "./pf diagnose rollback")):
        with pytest.raises(OperationError) as caught, conducted(world.journal(kind), world.stack):
            raise KeyboardInterrupt
        assert (caught.value.code, caught.value.message) == (
            ExitCode.INTERRUPTED,
            "interrupted while beginning: nothing has been changed",
        )
        assert command in caught.value.cure


def test_a_result_that_was_set_is_not_written_over(world: World) -> None:
    journal = world.journal()

    def goes_back() -> None:
        journal.result, journal.why = Result.ROLLED_BACK, "round trip pii"
        fails()

    with pytest.raises(OperationError), conducted(journal, world.stack):
        goes_back()
    assert (world.report().result, world.report().why) == (Result.ROLLED_BACK, "round trip pii")
    assert Event.DEPLOYMENT_ROLLED_BACK in [event for event, _ in world.told]


def test_a_rollback_inside_a_deployment_has_a_report_of_its_own(world: World) -> None:
    outer = world.journal()
    with conducted(outer, world.stack), outer.step("rolling back"):
        inner = world.journal(Kind.ROLLBACK, target=1)
        with conducted(inner, world.stack), inner.step("updating"):
            pass
    assert [one.kind for one in world.reports()] == ["deployment", "rollback"]
    assert read_mark(world.store) is None


# Reports that can't be kept


def in_the_way(world: World) -> None:
    """A file where the reports' folder is."""
    folder = world.stack.state / "reports"
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(exist_ok=True)
    folder.write_text("")


def test_where_no_report_can_be_written_nothing_is_begun(world: World) -> None:
    in_the_way(world)
    with (
        pytest.raises(OperationError, match="reports can't be written to") as caught,
        conducted(world.journal(), world.stack),
    ):
        pytest.fail("it went on")
    assert caught.value.code is ExitCode.REFUSED
    assert "PF_REPORTS" in caught.value.cure
    assert read_mark(world.store) is None
    assert world.told == []


def test_an_emergency_and_a_way_back_wait_for_no_report(world: World) -> None:
    deployment = world.journal()
    with conducted(deployment, world.stack), deployment.step("rolling back"):
        in_the_way(world)
        with conducted(world.journal(Kind.ROLLBACK), world.stack):
            pass
    with conducted(world.journal(Kind.ROLLBACK), world.stack, urgent=True):
        pass


@pytest.mark.parametrize("happens", [None, fails])
def test_a_report_that_cannot_be_written_changes_nothing_of_how_it_ended(
    happens: Callable[[], None] | None, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    def goes_on() -> None:
        with conducted(world.journal(), world.stack):
            in_the_way(world)
            if happens:
                happens()

    if happens:
        with pytest.raises(OperationError, match="AWS said no"):
            goes_on()
    else:
        goes_on()
    assert "the report could not be written: " in capsys.readouterr().err
    assert read_mark(world.store) is None


def test_a_report_that_its_place_does_not_take_is_kept_beside_the_state(
    make_stack: Callable[..., Stack], world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "full").write_text("")
    world.stack = make_stack(PF_REPORTS=f"file://{tmp_path / 'full'}")
    with conducted(world.journal(Kind.ROLLBACK, reason="it burns"), world.stack, urgent=True):
        pass
    assert world.report().reason == "it burns"
    said = capsys.readouterr().err
    assert f"the report can't be written to file://{tmp_path / 'full'}" in said
    assert (
        f"it is kept on this machine, to be copied there: {world.stack.state / 'reports/sandbox'}/rollback-report-"
        in said
    )


def test_a_store_of_reports_that_cannot_be_named_changes_nothing_either(
    make_stack: Callable[..., Stack], world: World
) -> None:
    elsewhere = make_stack(PF_REPORTS="ftp://nowhere")
    with pytest.raises(OperationError, match="reports can't be kept in"), conducted(world.journal(), elsewhere):
        pytest.fail("it went on")


def test_a_mark_that_cannot_be_taken_away_hides_neither_report_nor_reason(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def is_full(_store: FolderStore, _name: str, _content: bytes) -> None:
        raise StoreError("running.json can't be written: no space left")

    journal = world.journal()

    def fails_on_a_full_disk() -> None:
        monkeypatch.setattr(FolderStore, "put", is_full)
        fails()

    with pytest.raises(OperationError, match="AWS said no"), conducted(journal, world.stack):
        fails_on_a_full_disk()
    said = world.report()
    assert (said.result, said.why) == (Result.FAILED, "AWS said no")
    assert said.errors == ["running.json can't be written: no space left"]
    assert "warning: running.json can't be written" in capsys.readouterr().err


# Whoever else is, or was, at work


def test_an_operation_that_was_killed_gets_its_report_from_the_next(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.mark(pid=dead_process())
    with conducted(world.journal(), world.stack):
        pass
    killed, next_one = world.reports()
    assert (killed.kind, killed.id, killed.target, killed.reason) == ("rollback", "20260803T123001.000Z", 3, "it burns")
    assert (killed.result, killed.why) == (Result.INTERRUPTED, "killed while updating")
    assert (next_one.kind, next_one.result) == ("deployment", "succeeded")
    assert "a rollback by ada@host" in capsys.readouterr().err
    assert read_mark(world.store) is None


def test_one_at_work_is_not_disturbed(world: World) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as living:
        world.mark(pid=living.pid)
        before = world.store.get(MARK)
        with (
            pytest.raises(OperationError, match=r"a rollback by ada@host .* is at work: updating"),
            conducted(world.journal(), world.stack),
        ):
            pytest.fail("it went on")
        living.kill()
    assert world.store.get(MARK) == before
    assert (world.reports(), world.told) == ([], [])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"doing": WATCHING}, "is being watched; that watch ends now"),
        ({"host": "ci-runner"}, "has not ended: it is updating on ci-runner, or died there"),
    ],
)
def test_a_watch_and_another_machine_stop_nobody(
    given: dict[str, Any], said: str, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as living:
        world.mark(**{"pid": living.pid} | given)
        with conducted(world.journal(), world.stack):
            pass
        living.kill()
    assert said in capsys.readouterr().err
    assert world.report().kind == "deployment"


@pytest.mark.parametrize("content", [b"null", b"", b"{}", b"[", json.dumps({"id": "1"}).encode()])
def test_what_is_no_mark_stops_nobody(content: bytes, world: World) -> None:
    world.store.put(MARK, content)
    assert read_mark(world.store) is None
    with conducted(world.journal(), world.stack):
        pass
    assert world.report().result == "succeeded"


# What people may say


@pytest.mark.parametrize("text", ["it burns", "  it burns  ", "x" * LONGEST_LINE, "Zahlungen schlagen fehl: ä€"])
def test_one_line_is_taken(text: str) -> None:
    assert line(text, "reason") == text.strip()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the reason is empty"),
        (" \t\n", "the reason is empty"),
        ("two\nlines", "has more than one line"),
        ("a\x1b[2Jb", "or control characters"),
        ("a\u2028b", "has more than one line"),
        ("a\u202eb", "or control characters"),
        ("x" * (LONGEST_LINE + 1), f"has {LONGEST_LINE + 1} characters"),
    ],
)
def test_anything_else_is_refused(text: str, said: str) -> None:
    with pytest.raises(OperationError, match=said):
        line(text, "reason")
