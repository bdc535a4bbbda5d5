"""What a deployment decides when something is unwell afterwards."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from unittest.mock import Mock

import pytest

from gate.store import FolderStore
from operations import aftermath, deploy
from operations.aftermath import Aftermath, Before
from operations.deploy import Request
from operations.errors import OperationError
from operations.health import Check, HealthReport, Status
from operations.journal import Journal
from operations.stack import Stack
from reports.models import Kind, Result
from tests.gate.repositories import Repository

pytestmark = pytest.mark.rows("D2", "D3")


def health(*unwell: str) -> HealthReport:
    return HealthReport(
        stack="sandbox",
        environment="sandbox",
        status=Status.DOWN if unwell else Status.HEALTHY,
        checked_at=datetime.now(UTC),
        seconds=0.1,
        checks=[Check(name=name, status=Status.DOWN, detail="no answer") for name in unwell],
    )


def version(number: int, content: str) -> Any:
    return Mock(number=number, content=content)


class Case:
    """A deployment that has made version 2 over version 1, and is about to be judged."""

    def __init__(self, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.undone: list[tuple[int, int]] = []
        store = FolderStore(folder=tmp_path)
        self.journal = Journal(kind=Kind.DEPLOYMENT, stack="sandbox", environment="sandbox", store=store)
        self.journal.version_before, self.journal.version = 1, 2
        self.store = Mock()
        self.store.versions.latest.return_value = version(2, "new")
        self.candidates = [version(1, "old")]
        monkeypatch.setattr(aftermath, "candidates", self._candidates)
        monkeypatch.setattr(aftermath, "undo", self._undo)
        self.stack = Mock(command="", root=tmp_path)
        self.stack.release.functions = {"encrypt-data": None}

    def _candidates(self, _store: Any, _left: str) -> Iterator[Any]:
        return iter(self.candidates)

    def _undo(self, _stack: Any, _store: Any, live: Any, target: Any, **_options: Any) -> None:
        self.undone.append((live.number, target.number))

    def taken_back(self, *unwell: str, before: frozenset[str] = frozenset()) -> HealthReport | None:
        deployment = deploy._Deployment(  # pyright: ignore[reportPrivateUsage]
            stack=self.stack, request=Request(), store=self.store, journal=self.journal, engine=Mock()
        )
        earlier = Before(live=version(1, "old"), unwell=before)
        report = health(*unwell)
        broken = deployment._broken(report, earlier)  # pyright: ignore[reportPrivateUsage]
        after = Aftermath(stack=self.stack, store=self.store, journal=self.journal)
        return after.take_back("unwell", earlier, report) if broken else None


@pytest.mark.parametrize("changed", [False, True])
def test_what_the_commit_does_not_have_is_noted_from_the_beginning(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, changed: bool
) -> None:
    repository, seen = Repository.new(stack.root), list[Journal]()
    head = repository.commit({"settings.py": "1"})
    repository.write({"settings.py": "2"} if changed else {})

    def refused(journal: Journal, *_: object, **__: object) -> None:
        seen.append(journal)
        raise OperationError("somebody else is at work")

    monkeypatch.setattr(deploy, "conducted", refused)
    with pytest.raises(OperationError, match="somebody else"):
        deploy.deploy(stack, Request())
    assert [(one.commit, one.dirty) for one in (seen[0], seen[0].report())] == [(head, changed)] * 2


def test_a_version_that_stands_on_is_named_as_it_was_made(case: Case) -> None:
    made = Mock(number=1, content="old", commit="c" * 40, dirty=True)
    case.store.versions.latest.return_value = made
    deployment = deploy._Deployment(  # pyright: ignore[reportPrivateUsage]
        stack=case.stack, request=Request(), store=case.store, journal=case.journal, engine=Mock()
    )
    deployment._note_version()  # pyright: ignore[reportPrivateUsage]
    assert (case.journal.version, case.journal.commit, case.journal.dirty) == (1, "c" * 40, True)


@pytest.fixture
def case(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Case:
    return Case(tmp_path, monkeypatch)


def test_what_the_deployment_has_made_unwell_goes_back_to_the_last_verified_version(case: Case) -> None:
    with pytest.raises(OperationError, match="version 1 has been brought back"):
        case.taken_back("encrypt-data")
    assert case.undone == [(2, 1)]
    assert case.journal.result is Result.ROLLED_BACK
    assert not case.store.versions.verify.call_args.args[1].good


@pytest.mark.parametrize("part", ["rest", "database", "supabase", "drift"])
def test_what_the_program_does_not_bring_is_no_reason_to_go_back(case: Case, part: str) -> None:
    assert case.taken_back(part) is None
    assert case.undone == []


def test_what_was_unwell_before_is_no_reason_to_go_back(case: Case) -> None:
    assert case.taken_back("encrypt-data", before=frozenset({"encrypt-data"})) is None


def test_a_deployment_that_brought_nothing_new_has_nothing_to_take_back(case: Case) -> None:
    case.journal.version = 1
    assert case.taken_back("encrypt-data") is not None
    assert case.undone == []


def test_a_version_that_came_after_is_not_undone_for_the_one_before(case: Case) -> None:
    case.store.versions.latest.return_value = version(3, "newer")
    assert case.taken_back("encrypt-data") is not None
    assert case.undone == []


def test_without_a_verified_version_it_stays_and_says_so(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    case.candidates.clear()
    assert case.taken_back("encrypt-data") is not None
    assert "No verified version is there to go back to" in capsys.readouterr().err


def test_a_rollback_that_fails_is_not_tried_again(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    def fails(*_: object, **__: object) -> None:
        tried.append(1)
        raise OperationError("AWS is gone")

    monkeypatch.setattr(aftermath, "undo", fails)
    with pytest.raises(OperationError, match="AWS is gone"):
        case.taken_back("encrypt-data")
    assert tried == [1]
    assert case.journal.result is Result.FAILED
