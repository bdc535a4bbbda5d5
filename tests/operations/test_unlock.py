"""What a dead process left is freed, what lives is not, and what may live only by a person's word."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from operations.engine import Engine
from operations.errors import OperationError
from operations.journal import MARK, WATCHING, Mark, read_mark
from operations.locks import locks
from operations.releases import ReleaseStore
from operations.report import report_store
from operations.stack import Stack
from operations.unlock import unlock
from reports.models import Kind, Result

pytestmark = pytest.mark.rows("T4")

Tool = Callable[[str, str], Path]
AT = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def dead() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    return process.pid


@pytest.fixture
def folder(tmp_path: Path, tool: Tool) -> Path:
    """Where the backend keeps the locks, and an engine whose `cancel` frees them all."""
    folder = tmp_path / ".pulumi/locks/organization/parker-flight/sandbox"
    folder.mkdir(parents=True)
    tool("pulumi", f"case $1 in cancel) rm -f {folder}/* ;; *) exit 255 ;; esac")
    return folder


def lock(folder: Path, pid: int, host: str = "", name: str = "1.json") -> Path:
    content = {"pid": pid, "username": "ada", "hostname": host or socket.gethostname(), "timestamp": AT.isoformat()}
    (folder / name).write_text(json.dumps(content))
    return folder / name


def mark(stack: Stack, pid: int, host: str = "", doing: str = "updating") -> None:
    one = Mark(
        id="20261124T120000.000Z",
        kind=Kind.ROLLBACK,
        who="ada@here",
        host=host or socket.gethostname(),
        pid=pid,
        started_at=AT,
        reason="payments fail",
        doing=doing,
    )
    store_of(stack).records.store.put(MARK, one.model_dump_json().encode())


def store_of(stack: Stack) -> ReleaseStore:
    return ReleaseStore.of(stack.name, stack.variables)


def test_a_lock_in_a_bucket_is_read_as_well(
    make_stack: Callable[..., Stack],
    client: Callable[[str], Any],
    variables: dict[str, str],
    dead: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, variables[name])
    url = variables["AWS_ENDPOINT_URL"].removeprefix("http://")
    backend = f"s3://state/team?region=us-east-1&endpoint={url}&disableSSL=true&s3ForcePathStyle=true"
    stack = make_stack(PULUMI_BACKEND_URL=backend)
    client("s3").create_bucket(Bucket="state")
    assert locks(stack) == []
    content = {"pid": dead, "username": "ada", "hostname": socket.gethostname(), "timestamp": AT.isoformat()}
    key = "team/.pulumi/locks/organization/parker-flight/sandbox/1.json"
    client("s3").put_object(Bucket="state", Key=key, Body=json.dumps(content))
    (found,) = locks(stack)
    assert found.is_dead
    assert "ada@" in str(found)


def test_nothing_locked_is_said_and_nothing_is_called(stack: Stack) -> None:
    assert not unlock(stack)


def test_the_lock_of_a_dead_process_is_freed_without_a_question(stack: Stack, folder: Path, dead: int) -> None:
    lock(folder, dead)
    assert unlock(stack)
    assert locks(stack) == []


def test_the_lock_of_a_living_process_stays_whatever_is_confirmed(
    stack: Stack, folder: Path, dead: int, living: int
) -> None:
    held = [lock(folder, dead), lock(folder, living, name="2.json")]
    said = rf"at work on this machine: ada@\S+, process {living}, for \d+ min"
    with pytest.raises(OperationError, match=said) as caught:
        unlock(stack, "sandbox")
    assert caught.value.cure.endswith(f": kill -INT {living}")
    assert all(file.exists() for file in held)


def test_the_lock_of_an_operation_at_work_here_names_the_operation(stack: Stack, folder: Path, living: int) -> None:
    """Its engine alone must not be ended: the operation would take that for a failure, and go back."""
    lock(folder, living)
    mark(stack, os.getpid())
    with pytest.raises(OperationError, match="a rollback by ada@here"):
        unlock(stack, "sandbox")


def test_a_lock_of_another_machine_wants_the_stacks_name(
    stack: Stack, folder: Path, dead: int, capsys: pytest.CaptureFixture[str]
) -> None:
    held = lock(folder, dead, "ci-runner")
    for given in ("", "production"):
        with pytest.raises(OperationError, match="confirmed") as caught:
            unlock(stack, given)
        assert "--confirm sandbox" in caught.value.cure
    assert held.exists()
    assert "ada@ci-runner" in capsys.readouterr().err
    assert unlock(stack, "sandbox")
    assert not held.exists()


@pytest.mark.parametrize(
    "content", ['{"pid":', '{"pid": 1, "username": "ada", "hostname": "ci-runner", "timestamp": "2026-11-24T12:00:00"}']
)
def test_a_damaged_lock_is_named_and_wants_the_stacks_name(
    stack: Stack, folder: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    (folder / "7.json").write_text(content)
    with pytest.raises(OperationError, match="confirmed"):
        unlock(stack)
    assert "damaged lock 7.json" in capsys.readouterr().err
    with pytest.raises(OperationError, match=r"damaged.*7\.json") as caught:
        Engine(stack).refuse_while_locked()
    assert "./pf unlock" in caught.value.cure
    assert unlock(stack, "sandbox")
    Engine(stack).refuse_while_locked()


@pytest.mark.parametrize("doing", ["updating", WATCHING])
def test_a_killed_operation_gets_its_report_and_its_mark_goes(stack: Stack, dead: int, doing: str) -> None:
    mark(stack, dead, doing=doing)
    assert unlock(stack)
    assert read_mark(store_of(stack).records.store) is None
    reports = report_store(stack)
    (filed,) = reports.list()
    report = reports.read(filed)
    assert (report.result, report.why, report.reason) == (
        Result.INTERRUPTED,
        f"killed while {doing}",
        "payments fail",
    )
    assert not unlock(stack)


def test_an_operation_at_work_here_keeps_its_mark_and_what_its_engine_left(
    stack: Stack, folder: Path, dead: int
) -> None:
    held = lock(folder, dead)
    store = store_of(stack).records.store
    mark(stack, os.getpid())
    with pytest.raises(OperationError, match=r"a rollback by ada@here .* is at work: updating") as said:
        unlock(stack, "sandbox")
    assert said.value.cure.endswith(f": kill -INT {os.getpid()}")
    assert held.exists()
    assert read_mark(store)


def test_a_watch_holds_nothing_up(stack: Stack) -> None:
    mark(stack, 1, "ci-runner", WATCHING)
    assert not unlock(stack)
    assert read_mark(store_of(stack).records.store)


def test_an_operation_of_another_machine_wants_the_stacks_name(stack: Stack, dead: int) -> None:
    mark(stack, dead, "ci-runner")
    with pytest.raises(OperationError, match="confirmed"):
        unlock(stack)
    assert unlock(stack, "sandbox")
    assert read_mark(store_of(stack).records.store) is None
