"""What a deployment and a rollback share, with an engine and clouds that the test directs."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from gate.state import State
from gate.store import FolderStore
from gate.surface import Resource, Surface, entry
from operations import applying
from operations.applying import KEY_SECONDS, SETTLE_SECONDS, Handed, hand_over, settle, stands, update
from operations.drift import Deployed
from operations.engine import Engine, EngineError
from operations.engine_events import LOG_FLAG
from operations.errors import ExitCode
from operations.health import Check, HealthReport, Status
from operations.journal import Journal
from operations.stack import Stack
from operations.state import State as Recorded
from releases.versions import Version
from reports.models import Kind

pytestmark = pytest.mark.rows("D2", "D6", "K8")

AT = datetime(2026, 8, 3, 12, tzinfo=UTC)


class Clock:
    """Time passes only while somebody waits."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class World:
    def __init__(self) -> None:
        self.clock = Clock()
        self.asked = 0
        self.unwell: Iterator[bool] = iter(())
        self.trip = Status.HEALTHY

    def health(self, _: Stack, *, expected_release: str, state: object) -> HealthReport:
        assert (expected_release, state) == ("release", Recorded)
        self.asked += 1
        status = Status.DOWN if next(self.unwell, False) else Status.HEALTHY
        checks = [Check(name="encrypt-data", status=status, detail="")]
        return HealthReport(
            stack="sandbox", environment="sandbox", status=status, checked_at=AT, seconds=0.1, checks=checks
        )

    def round_trips(self, _: Stack) -> list[Check]:
        return [Check(name="round trip pii", status=self.trip, detail="")]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr(applying, "time", made.clock)
    monkeypatch.setattr(applying, "health", made.health)
    monkeypatch.setattr(applying, "round_trips", made.round_trips)
    return made


def test_what_is_well_at_once_is_asked_once(world: World, stack: Stack) -> None:
    report = settle(stack, "release", 5, Recorded)
    assert (report.status, world.asked, world.clock.now) == (Status.HEALTHY, 1, 0)
    assert [one.name for one in report.checks] == ["encrypt-data", "round trip pii"]


def test_what_needs_a_moment_gets_it(world: World, stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    world.unwell = iter([True, True, False])
    assert settle(stack, "release", 5, Recorded).status is Status.HEALTHY
    assert world.asked == 3
    assert capsys.readouterr().err == "waiting for encrypt-data\n"


def test_what_stays_unwell_is_unwell_when_the_time_is_over(world: World, stack: Stack) -> None:
    world.unwell = (True for _ in count())
    report = settle(stack, "release", 5, Recorded)
    assert (report.status, [one.name for one in report.unwell]) == (Status.DOWN, ["encrypt-data"])
    assert world.clock.now == 5


def test_a_round_trip_that_fails_is_unwell(world: World, stack: Stack) -> None:
    world.trip = Status.DOWN
    assert settle(stack, "release", 0, Recorded).status is Status.DOWN


# What stands


def resource(name: str) -> Resource:
    return Resource(urn=f"urn:pulumi:sandbox::parker-flight::aws:x/y:Y::{name}", type="aws:x/y:Y", inputs={})


def version_of(*resources: Resource, functions: tuple[str, ...] = ()) -> Version:
    surface = Surface.of([entry(one, {}) for one in resources], {})
    return Version(
        number=1, at=AT, by="ada", surface=surface.digest, functions=functions, program="b2" * 32, source="c3" * 32
    )


@pytest.mark.parametrize(
    ("version", "state", "does"),
    [
        (version_of(resource("a")), State(resources=(resource("a"),)), True),
        (version_of(resource("a")), State(resources=(resource("a"), resource("b"))), False),
        (version_of(resource("a")), State(), False),
        (version_of(resource("a"), functions=("f 1",)), State(resources=(resource("a"),)), False),
    ],
)
def test_a_version_stands_where_the_state_is_as_it_left_it(
    version: Version, state: State, does: bool, stack: Stack
) -> None:
    (stack.root / "Pulumi.yaml").write_text("name: parker-flight\n")
    assert stands(stack, version, state) is does


# The update and what the functions read


def announced(op: str, type_: str = "aws:kms/key:Key", *, planning: bool = False) -> str:
    """What the engine logs before it changes a resource; a policy that denies comes before that."""
    urn = f"urn:pulumi:sandbox::parker-flight::{type_}::a"
    metadata = {"op": op, "urn": urn, "type": type_, "new": {"custom": True}}
    return json.dumps({"resourcePreEvent": {"metadata": metadata, "planning": planning}})


@pytest.mark.parametrize(
    ("events", "began", "changed"),
    [
        ([], False, []),
        ([announced("update", planning=True)], False, []),
        ([announced("same")], False, []),
        ([announced("create", "pulumi:pulumi:Stack")], False, []),
        ([announced("same"), announced("update")], True, ["a"]),
        ([announced("delete-replaced")], True, []),
    ],
)
def test_what_an_update_that_failed_has_done_is_told_by_its_events(
    events: list[str], began: bool, changed: list[str], stack: Stack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[bool] = []

    def fails(_: object, *arguments: str, began: Callable[[], bool], **__: object) -> None:
        Path(arguments[arguments.index(LOG_FLAG) + 1]).write_text("\n".join(events))
        asked.append(began())
        raise EngineError("it failed", "", ExitCode.FAILED)

    (stack.root / "Pulumi.yaml").write_text("name: parker-flight\n")
    monkeypatch.setattr(Engine, "change", fails)
    journal = Journal(
        kind=Kind.DEPLOYMENT, stack="sandbox", environment="sandbox", store=FolderStore(folder=tmp_path / "store")
    )
    with pytest.raises(EngineError):
        update(Engine(stack), journal)
    assert asked == [began]
    assert [one.name for one in journal.resources] == changed


def test_the_probe_gets_its_keys_with_the_functions(
    stack: Stack, client: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(applying.access_key, "ensure", lambda _stack: False)  # pyright: ignore[reportUnknownLambdaType]
    monkeypatch.setattr(applying.ManagementApi, "secrets", lambda _api: [])  # pyright: ignore[reportUnknownLambdaType]
    hand_over(stack, Recorded)
    held = client("ssm").get_parameters_by_path(Path="/parker-flight/sandbox/probe")["Parameters"]
    assert {one["Name"].rpartition("/")[2] for one in held} == {"anon-key", "service-role-key"}


@pytest.mark.parametrize(("made", "seconds"), [(False, SETTLE_SECONDS), (True, KEY_SECONDS)])
def test_a_new_access_key_is_given_more_time(
    made: bool, seconds: float, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[dict[str, str]] = []

    def answering(answer: object) -> Callable[..., object]:
        def answers(*_: object) -> object:
            return answer

        return answers

    def send(_: object, values: dict[str, str]) -> None:
        sent.append(values)

    monkeypatch.setattr(applying.access_key, "ensure", answering(made))
    monkeypatch.setattr(applying.ManagementApi, "secrets", answering([]))
    monkeypatch.setattr(applying.ManagementApi, "set_secrets", send)
    assert hand_over(stack, Recorded) == Handed(changed=True, seconds=seconds)  # the probe's keys, at least
    assert sent == []
    monkeypatch.setattr(Deployed, "changed_settings", answering({}))
    assert hand_over(stack, Recorded) == Handed(changed=made, seconds=seconds)
    monkeypatch.setattr(Deployed, "changed_settings", answering({"PF_ROLE_ARN": "the program's"}))
    assert hand_over(stack, Recorded).changed
    assert sent == [{"PF_ROLE_ARN": "the program's"}]
