"""A rollback's own steps, with an engine and clouds that the test directs: what it refuses, retries and leaves."""

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from gate.evidence import EMERGENCY
from gate.receipt import Receipt, program_digest, run_of
from gate.records import Applied, Records
from gate.state import State
from gate.store import FolderStore
from gate.surface import Resource, Surface, entry
from operations import conduct, rollback
from operations.applying import Handed
from operations.conduct import LONGEST_LINE
from operations.engine import Engine, EngineError, InterruptedEngineError
from operations.errors import ExitCode, OperationError
from operations.gate import gate_of
from operations.health import Check, HealthReport, Status
from operations.incident import IncidentState
from operations.journal import Journal
from operations.notify import Event
from operations.releases import ReleaseStore
from operations.rollback import ATTEMPTS, Return, Wish, roll_back, undo
from operations.stack import Stack
from operations.state import Recorded
from operations.state import State as Exported
from operations.supabase import DeployedFunction
from releases.versions import OPERATION, Operation, Version, Versions
from reports.models import Kind, Measurement, OperationReport, Result

pytestmark = pytest.mark.rows("K8", "E2", "D5", "D6")

AT = datetime(2026, 8, 3, 12, tzinfo=UTC)
KEY, ALIAS, TOPIC = "aws:kms/key:Key", "aws:kms/alias:Alias", "aws:sns/topic:Topic"


def resource(kind: str, name: str) -> Resource:
    return Resource(urn=f"urn:pulumi:sandbox::parker-flight::{kind}::{name}", type=kind, inputs={"name": name})


def surface(*resources: Resource, **settings: Any) -> Surface:
    return Surface.of([entry(one, {}) for one in resources], settings)


PII, PII_ALIAS, PAYMENT = resource(KEY, "pii"), resource(ALIAS, "pii"), resource(KEY, "payment")
INFO = resource(TOPIC, "info")
TARGET = surface(PII, PII_ALIAS)
LIVE = surface(PII, PII_ALIAS, INFO)


def answering(answer: object) -> Callable[..., object]:
    def answers(*_: object, **_more: object) -> object:
        return answer

    return answers


def transient() -> EngineError:
    error = EngineError("`pulumi up` failed; its messages stand above", "", ExitCode.FAILED)
    error.transient = True
    return error


def lasting() -> EngineError:
    return EngineError("the policy pack denied this change; nothing was changed", "", ExitCode.REFUSED)


@dataclass
class World:
    """Two versions, the second live; an engine whose updates end as the test says."""

    stack: Stack
    store: ReleaseStore
    first: Version
    second: Version
    state: State = field(default_factory=lambda: State(resources=(PII, PII_ALIAS, INFO)))
    ends: list[BaseException] = field(default_factory=list[BaseException])
    updates: list[tuple[tuple[str, ...], Stack]] = field(default_factory=list[tuple[tuple[str, ...], Stack]])
    receipts: list[Callable[[int], None] | None] = field(default_factory=list[Callable[[int], None] | None])
    made: Surface = TARGET  # what the update brings
    unwell: tuple[str, ...] = ()
    handed: Handed = field(default_factory=lambda: Handed(changed=False))
    waits: list[float] = field(default_factory=list[float])  # for how long it was asked whether all is well
    looks: int = 0
    recovered: int = 0
    incidents: list[IncidentState] = field(default_factory=list[IncidentState])
    meanwhile: Callable[[], object] = lambda: None  # while the lock is waited for

    def plan(self, **wish: Any) -> Return:
        asked = replace(Wish(reason="it burns"), **wish)
        return Return(
            store=self.store, live=self.second, target=self.first, stack=self.stack, present=self.stack.root, wish=asked
        )

    def journal(self) -> Journal:
        store = self.store.records.store
        return Journal(
            kind=Kind.ROLLBACK, stack="sandbox", environment="sandbox", store=store, reason="it burns", target=1
        )

    def reports(self) -> list[OperationReport]:
        files = sorted((self.stack.state / "reports/sandbox").glob("*.json"))
        return [OperationReport.model_validate_json(file.read_bytes()) for file in files]

    def add(self, wanted: Surface, **given: Any) -> Version:
        release = f"{len(list(self.store.versions.newest_first())) + 1:x}" * 64
        applied = Applied(
            surface=wanted.digest, signers="c3" * 32, signers_commit="", commit="", at=AT, release=release
        )
        self.store.records.write(applied, wanted, None)
        fields: dict[str, Any] = {
            "number": 0,
            "at": AT,
            "by": "ada@host",
            "surface": wanted.digest,
            "functions": (),
            "program": "b2" * 32,
            "source": release,
        }
        return self.store.versions.add(Version(**(fields | given)), b"")

    # What the rollback asks of the engine and the clouds

    def update(
        self, engine: Any, _journal: Journal, *arguments: str, started: Callable[[int], None] | None = None
    ) -> None:
        self.updates.append((arguments, engine.stack))
        self.receipts.append(started)
        if self.ends:
            raise self.ends.pop(0)
        asked = Operation.of_environment(engine.stack.variables)
        self.add(self.made, functions=self.first.functions, operation=asked)

    def states_of(self, stack: Stack) -> tuple[State, Exported]:
        return self.state_of(stack), Exported()

    def state_of(self, _stack: Stack) -> State:
        self.looks += 1
        return self.state

    def recover(self, *_: object) -> None:
        self.recovered += 1
        self.state = replace(self.state, pending=())

    def hand_over(self, *_: object) -> Handed:
        return self.handed

    def measure(self, _: Stack) -> list[Measurement]:
        """After how many updates it was measured is told as the number of requests."""
        return [Measurement(endpoint="rest", requests=len(self.updates), errors=0)]

    def settle(self, _stack: Stack, _release: str, seconds: float, _state: object) -> HealthReport:
        self.waits.append(seconds)
        checks = [Check(name=name, status=Status.DOWN, detail="") for name in self.unwell]
        status = Status.DOWN if checks else Status.HEALTHY
        return HealthReport(
            stack="sandbox", environment="sandbox", status=status, checked_at=AT, seconds=0.1, checks=checks
        )


@pytest.fixture
def world(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    kept = FolderStore(folder=tmp_path / "store")
    store = ReleaseStore(stack="sandbox", versions=Versions(kept), records=Records(kept))
    (stack.root / "Pulumi.yaml").write_text("name: parker-flight\n")
    made = World.__new__(World)
    made.store = store
    first, second = World.add(made, TARGET, commit="c0" * 20), World.add(made, LIVE, functions=("encrypt-data 2",))
    world = World(stack=stack, store=store, first=first, second=second)
    for name in ("update", "state_of", "states_of", "recover", "settle"):
        monkeypatch.setattr(rollback, name, getattr(world, name))
    for name in ("account", "project"):
        monkeypatch.setattr(rollback, name, answering(None))
    monkeypatch.setattr(rollback, "read_state", answering(Exported()))
    monkeypatch.setattr(rollback, "outgrown", answering(""))  # test_way_back.py has it
    monkeypatch.setattr(rollback, "functions_to_bring_back", answering(["--replace", "urn:functions"]))
    monkeypatch.setattr(rollback, "live_functions", answering({}))
    monkeypatch.setattr(rollback, "hand_over", world.hand_over)
    monkeypatch.setattr(rollback, "measure", world.measure)
    monkeypatch.setattr(conduct, "notify", answering(None))

    def incidents(_: Stack) -> list[IncidentState]:
        return world.incidents

    def wait(_: Engine) -> None:
        world.meanwhile()

    monkeypatch.setattr(rollback, "status", incidents)
    monkeypatch.setattr(Engine, "refuse_while_locked", wait)

    @contextmanager
    def unpacked(*_: object, **__: object) -> Generator[Stack]:
        yield stack

    monkeypatch.setattr(rollback, "unpacked", unpacked)
    return world


def quarantined(world: World) -> set[int]:
    return {one.version for one in world.store.records.quarantined().values()}


def test_a_version_lands_as_a_new_one_and_what_was_left_is_in_quarantine(world: World) -> None:
    journal = world.journal()
    assert roll_back(world.plan(), journal).status is Status.HEALTHY
    assert (journal.version_before, journal.version, journal.verified, journal.result) == (2, 3, True, "succeeded")
    made, seen = world.store.versions.latest(), world.store.versions.verification(3)
    assert made is not None
    assert seen is not None
    assert (made.content, seen.good) == (world.first.content, True)
    assert world.store.records.quarantined().keys() == {world.second.content}
    ((arguments, stack),) = world.updates
    assert arguments == ("--replace", "urn:functions")
    asked = Operation.of_environment({OPERATION: stack.variables[OPERATION]})
    assert asked == Operation(id=journal.id, kind="rollback", reason="it burns", target=1)
    assert EMERGENCY not in stack.variables


def test_a_version_of_a_changed_checkout_is_reported_as_one(world: World) -> None:
    journal = world.journal()
    roll_back(replace(world.plan(), target=replace(world.first, dirty=True)), journal)
    assert (journal.commit, journal.dirty) == (world.first.commit, True)


def test_what_is_unwell_afterwards_is_not_verified(world: World) -> None:
    world.unwell = ("key pii", "rest")
    journal = world.journal()
    roll_back(world.plan(), journal)
    seen = world.store.versions.verification(3)
    assert seen is not None
    assert (seen.good, seen.why) == (False, "unwell after the rollback: key pii, rest")
    assert (journal.result, journal.verified, journal.why) == (Result.FAILED, False, seen.why)
    assert quarantined(world) == {2}


def test_what_stands_is_never_put_into_quarantine(world: World) -> None:
    """An older version that differs by what is always the present's brings what stands already."""
    world.made = LIVE
    world.first = replace(world.first, functions=world.second.functions)
    roll_back(world.plan(), world.journal())
    assert quarantined(world) == set()


def test_after_an_update_that_broke_off_nothing_is_put_into_quarantine(world: World) -> None:
    world.made = LIVE
    world.first = world.second
    roll_back(world.plan(), world.journal())
    assert quarantined(world) == set()


def test_it_is_asked_once_whether_all_is_well_while_nothing_has_to_be_handed_over(world: World) -> None:
    roll_back(world.plan(), world.journal())
    assert world.waits == [0]


def test_what_was_handed_over_is_given_its_time(world: World) -> None:
    """The first answer may be from before."""
    world.handed = Handed(changed=True, seconds=12)
    roll_back(world.plan(), world.journal())
    assert world.waits == [0, 12]


def test_the_report_has_what_was_measured_before_and_after(world: World) -> None:
    journal = world.journal()
    roll_back(world.plan(), journal)
    assert [one.requests for one in (*journal.before, *journal.after)] == [0, 1]


def test_an_emergency_has_no_time_to_measure(world: World) -> None:
    journal = world.journal()
    roll_back(world.plan(emergency=True), journal)
    assert (journal.before, journal.after) == ([], [])


# What it refuses before anything is changed


def refused(world: World, said: str, **wish: Any) -> OperationError:
    with pytest.raises(OperationError, match=said) as caught:
        roll_back(world.plan(**wish), world.journal())
    assert (world.updates, quarantined(world)) == ([], set())
    return caught.value


@pytest.mark.parametrize("kind", [KEY, ALIAS])
def test_a_version_that_would_take_a_key_away_is_refused(kind: str, world: World) -> None:
    world.state = State(resources=(PII, PII_ALIAS, resource(kind, "payment")))
    error = refused(world, "version 1 can't come back: it is older than the key or alias payment")
    assert error.code is ExitCode.REFUSED


def test_a_key_that_was_adopted_and_never_applied_is_named_with_what_takes_it_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = "70976941-f6b2-4cd8-bf9e-c451707283d6"
    adopted = resource(KEY, f"payment-{identity}")
    world.state = State(resources=(PII, PII_ALIAS, adopted))
    monkeypatch.setattr(
        rollback, "read_state", answering(Exported(resources=[Recorded(urn=adopted.urn, type=KEY, id=identity)]))
    )
    error = refused(world, f"no update was ever applied with: payment-{identity}")
    assert error.cure.endswith(": ./pf recover")


def test_anything_else_may_go(world: World) -> None:
    assert INFO.urn not in TARGET.resources
    roll_back(world.plan(), world.journal())


def test_without_the_record_of_its_surface_no_version_comes_back(world: World, tmp_path: Path) -> None:
    (tmp_path / f"store/surfaces/{TARGET.digest}.json").unlink()
    refused(world, "is missing from the gate's records")


def test_a_version_that_came_while_the_lock_was_waited_for_is_not_overrun(world: World) -> None:
    """What the person wanted to leave isn't live any more, and what is, nobody has judged."""
    world.meanwhile = lambda: world.add(surface(PII, PII_ALIAS, INFO, PAYMENT))
    refused(world, "version 3 has come meanwhile; nothing was changed")


def test_what_an_interrupted_update_left_is_recovered_first(world: World) -> None:
    world.state = State(resources=(PII, PII_ALIAS), pending=("urn:x",))
    roll_back(world.plan(), world.journal())
    assert (world.recovered, world.looks) == (1, 2)


# What fails for a while


@pytest.mark.parametrize("failures", range(ATTEMPTS))
def test_what_fails_for_a_while_is_tried_again(failures: int, world: World) -> None:
    world.ends = [transient() for _ in range(failures)]
    roll_back(world.plan(), world.journal())
    assert len(world.updates) == failures + 1


def test_it_is_not_tried_for_ever(world: World) -> None:
    world.ends = [transient() for _ in range(ATTEMPTS + 1)]
    with pytest.raises(EngineError):
        roll_back(world.plan(), world.journal())
    assert len(world.updates) == ATTEMPTS == 3


@pytest.mark.parametrize(
    "end", [lasting(), InterruptedEngineError("^C"), OperationError("locked"), KeyboardInterrupt(), OSError("full")]
)
@pytest.mark.parametrize(("stands", "left"), [(True, set[int]()), (False, {2})])
def test_what_is_left_is_in_quarantine_before_it_is_left_and_lifted_where_nothing_was_changed(
    world: World, monkeypatch: pytest.MonkeyPatch, end: BaseException, stands: bool, left: set[int]
) -> None:
    monkeypatch.setattr(rollback, "stands", answering(stands))
    world.ends = [end]
    with pytest.raises(type(end)):
        roll_back(world.plan(), world.journal())
    assert quarantined(world) == left


@pytest.mark.parametrize(
    ("after", "left"),
    [
        ("by hand", set[int]()),  # as before: the rollback switched nothing
        ("of the target", {2}),
    ],
)
def test_a_function_that_was_switched_counts_as_left_though_the_state_does_not_know(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], after: str, left: set[int]
) -> None:
    found = (
        {"encrypt-data": DeployedFunction(slug="encrypt-data", ezbr_sha256=content)} for content in ("by hand", after)
    )

    def live(_: Stack) -> dict[str, DeployedFunction]:
        return next(found)

    monkeypatch.setattr(rollback, "stands", answering(answer=True))
    monkeypatch.setattr(rollback, "live_functions", live)
    world.ends = [InterruptedEngineError("^C")]
    with pytest.raises(InterruptedEngineError):
        roll_back(world.plan(), world.journal())
    assert quarantined(world) == left
    said = "version 2 was left in part (encrypt-data switched)" if left else "version 2 stands as before"
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("error", [OperationError, RuntimeError])
def test_where_nobody_can_tell_whether_it_was_left_it_stays_in_quarantine(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: type[Exception]
) -> None:
    def unknown(*_: object) -> bool:
        raise error("the state can't be read")

    monkeypatch.setattr(rollback, "stands", unknown)
    world.ends = [lasting()]
    with pytest.raises(EngineError, match="denied"):
        roll_back(world.plan(), world.journal())
    assert quarantined(world) == {2}
    assert "version 2 stays in quarantine: the state can't be read" in capsys.readouterr().err


def test_what_will_not_pass_is_not_tried_again(world: World) -> None:
    world.ends = [lasting()]
    with pytest.raises(EngineError, match="denied"):
        roll_back(world.plan(), world.journal())
    assert len(world.updates) == 1


def test_a_rollback_that_failed_does_not_send_to_what_is_being_left(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    class Noted(Engine):
        def __init__(self, stack: Stack, *, resume: str, **given: Any) -> None:
            asked.append(resume)
            super().__init__(stack, resume=resume, **given)

    monkeypatch.setattr(rollback, "Engine", Noted)
    roll_back(world.plan(), world.journal())
    assert asked == ["diagnose rollback"]


# Emergency


def incident(*, is_open: bool) -> IncidentState:
    return IncidentState(id="1", reason="it burns", opened_by="ivan", opened_at=AT, expires=AT, open=is_open, detail="")


@pytest.fixture
def planned(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    @contextmanager
    def plan(_name: str, wish: Wish) -> Generator[Return]:
        yield replace(world.plan(), wish=wish)

    monkeypatch.setattr(rollback, "planned", plan)
    return world


@pytest.mark.parametrize("incidents", [[], [incident(is_open=False)]])
def test_an_emergency_takes_the_commanders_word(incidents: list[IncidentState], planned: World) -> None:
    planned.incidents = incidents
    with pytest.raises(OperationError, match="no incident is open") as caught:
        rollback.rollback("sandbox", Wish(reason="it burns", emergency=True))
    assert "./pf incident open --stack sandbox" in caught.value.cure
    assert (planned.updates, planned.reports()) == ([], [])


@pytest.mark.usefixtures("planned")
def test_where_the_contacts_are_the_same_nothing_is_said_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    rollback.rollback("sandbox", Wish(reason="it burns"))
    assert "the alarms tell" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("setting", "differing"),
    [
        ({"parker-flight:escalation": {"level1Minutes": 5}}, "escalation"),
        ({"parker-flight:watchMinutes": 5}, ""),
    ],
)
def test_a_rollback_knows_what_else_comes_back(
    setting: dict[str, Any], differing: str, world: World, tmp_path: Path
) -> None:
    content = yaml.safe_load((world.stack.root / "Pulumi.sandbox.yaml").read_text())
    (tmp_path / "Pulumi.sandbox.yaml").write_text(yaml.safe_dump({"config": content["config"] | setting}))
    assert replace(world.plan(), present=tmp_path).contacts == differing


@pytest.mark.parametrize("role", ["security", "press"])
def test_a_rollback_knows_whose_contact_differs_or_is_new(role: str, world: World, tmp_path: Path) -> None:
    content = yaml.safe_load((world.stack.root / "Pulumi.sandbox.yaml").read_text())
    content["config"]["parker-flight:contacts"][role] = {"name": "Eve", "email": "eve@example.com"}
    (tmp_path / "Pulumi.sandbox.yaml").write_text(yaml.safe_dump({"config": content["config"]}))
    assert replace(world.plan(), present=tmp_path).contacts == role


@pytest.mark.usefixtures("planned")
def test_what_lifts_the_quarantine_names_the_stack(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PF_STACK", "another")
    rollback.rollback("sandbox", Wish(reason="it burns"))
    assert "refused from now on, until: ./pf unblock 2 --stack sandbox --reason WHY\n" in capsys.readouterr().err


def test_an_open_incident_is_that_word(planned: World) -> None:
    planned.incidents = [incident(is_open=False), incident(is_open=True)]
    rollback.rollback("sandbox", Wish(reason="it burns", emergency=True))
    ((arguments, stack),) = planned.updates
    assert arguments == ("--skip-preview", "--replace", "urn:functions")
    assert stack.variables[EMERGENCY] == "1"
    said = Operation.of_environment(stack.variables)
    assert said is not None
    assert said.kind == "emergency rollback"
    (report,) = planned.reports()
    assert [one.row for one in report.benchmarks] == ["P5"]


def test_the_operators_own_signature_is_that_word_too(
    planned: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: dict[str, Any] = {}

    def opened(_stack: Stack, **given: Any) -> Any:
        asked.update(given)
        return incident(is_open=True)

    monkeypatch.setattr(rollback, "open_incident", opened)
    rollback.rollback("sandbox", Wish(reason=" it burns ", emergency=True, key=tmp_path / "key"))
    assert asked == {"key": tmp_path / "key", "reason": "it burns", "hours": 1, "confirm": "sandbox"}
    assert len(planned.updates) == 1


def test_in_an_emergency_the_versions_own_surface_is_the_receipt_of_this_engine(world: World, tmp_path: Path) -> None:
    world.stack = replace(
        world.stack, variables={**world.stack.variables, "PULUMI_BACKEND_URL": f"file://{tmp_path}/b"}
    )
    world.ends = [transient()]
    world.first = replace(world.first, functions=("encrypt-data 1",))
    roll_back(world.plan(emergency=True), world.journal())
    assert len(world.receipts) == 2
    assert world.looks == 2  # each attempt goes by the state that the one before left
    write = world.receipts[-1]
    assert write is not None
    with rollback.judged():
        write(os.getpid())
        gate = gate_of(world.stack)
        receipt = Receipt.read(gate.receipt(run_of(os.getpid())))
        receipt.check(
            run=run_of(os.getpid()),
            program=program_digest(world.stack.root, "sandbox"),
            state=gate.deployed(world.state).digest,
            now=datetime.now(UTC),
        )
    assert receipt.surface.resources == TARGET.resources
    assert receipt.surface.settings == gate.settings
    assert receipt.functions == ("encrypt-data 1",)


# By itself


def test_a_deployment_that_does_not_stand_is_undone_for_whatever_reason(world: World) -> None:
    undo(
        world.stack,
        world.store,
        world.second,
        world.first,
        reason="the update failed:\n  AWS said\tno " + "x" * 1000,
    )
    (report,) = world.reports()
    assert report.reason.startswith("the update failed: AWS said no xxx")
    assert len(report.reason) == LONGEST_LINE
    assert (report.result, report.target) == (Result.SUCCEEDED, 1)


def test_an_update_that_failed_after_it_had_become_a_version_is_what_is_left(world: World) -> None:
    third = world.add(surface(PII, PII_ALIAS, INFO, resource(TOPIC, "more")))
    undo(world.stack, world.store, world.second, world.first, reason="it failed at its very end")
    assert quarantined(world) == {third.number}


def test_an_undo_that_leaves_something_unwell_says_so_and_tries_no_more(world: World) -> None:
    world.unwell = ("encrypt-data",)
    with pytest.raises(OperationError, match="version 1 is back, and not all of it is well: encrypt-data") as caught:
        undo(world.stack, world.store, world.second, world.first, reason="slow")
    assert caught.value.code is ExitCode.FAILED
    assert len(world.updates) == 1
    assert world.reports()[0].result is Result.FAILED


def test_an_undo_that_cannot_begin_calls_people(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def unpacked(*_: object, **__: object) -> Generator[Stack]:
        raise OperationError("the packages can't be installed")
        yield

    told: list[tuple[Event, str]] = []
    monkeypatch.setattr(rollback, "unpacked", unpacked)

    def notify(_: Stack, event: Event, text: str) -> None:
        told.append((event, text))

    monkeypatch.setattr(rollback, "notify", notify)
    with pytest.raises(OperationError, match="can't be installed"):
        undo(world.stack, world.store, world.second, world.first, reason="slow")
    assert told == [(Event.ROLLBACK_FAILED, "to version 1, which can't begin: the packages can't be installed")]


@pytest.mark.rows("T4")
def test_in_an_emergency_a_receipt_that_cannot_be_written_is_named(world: World, tmp_path: Path) -> None:
    variables = {**world.stack.variables, "PULUMI_BACKEND_URL": f"file://{tmp_path}/b"}
    world.stack = replace(world.stack, variables=variables)
    world.stack.state.mkdir(exist_ok=True)
    (world.stack.state / "gate").write_text("")
    world.ends = [lasting()]
    with pytest.raises(EngineError):
        roll_back(world.plan(emergency=True), world.journal())
    (write,) = world.receipts
    assert write is not None
    with pytest.raises(OperationError, match=r"receipt .*/gate/.* can't be written \(Not a directory\)"):
        write(os.getpid())


@pytest.mark.parametrize("reason", ["", " ", "two\nlines", "x" * 501])
def test_a_person_gives_a_reason_before_anything_is_read(reason: str) -> None:
    with pytest.raises(OperationError, match="the reason"):
        rollback.rollback("nothing-of-that-name", Wish(reason=reason))
