"""The gate over a preview and its update: what the engine sends in each, and what is recorded afterwards."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from pulumi.runtime.proto import analyzer_pb2
from pydantic import TypeAdapter

from gate.assets import ARCHIVE, SIGNATURE
from gate.decision import Identity
from gate.evidence import CHECKOUT, COMMIT, EMERGENCY, Gate
from gate.folder import Folder
from gate.hours import DAYS
from gate.receipt import FRESH, Receipt, ReceiptError, Run
from gate.records import Applied, Quarantined, TrustRoot
from gate.signature import Signature
from gate.signers import Role, namespace_of
from gate.state import State, StateError
from gate.statement import Approval, Incident, Withdrawal
from gate.surface import FUNCTIONS_RELEASE, STACK, Resource, function_lines
from gate.trust import REVOKED, SIGNERS, TrustFiles
from policies import approval as pack
from releases.source import unpack
from releases.versions import Operation, Versions
from tests.gate.conftest import People, Person, approval
from tests.gate.stacks import PREFIX, SOME_UNKNOWN, exported, secret, wire, with_environment

pytestmark = pytest.mark.rows("K5", "C1", "C2")

STACK_ITSELF = Resource(urn=f"{PREFIX}{STACK}::production", type=STACK, inputs={})
ALIAS, KEY = "aws:kms/alias:Alias", "aws:kms/key:Key"
IDENTITY = Identity(
    project="parker-flight",
    stack="production",
    account="123456789012",
    region="us-east-1",
    supabase_ref="abcdefghijklmnopqrst",
)


def request(resource: Resource) -> analyzer_pb2.AnalyzeRequest:
    made = analyzer_pb2.AnalyzeRequest(urn=resource.urn, type=resource.type)
    ParseDict(dict(resource.inputs), made.properties)
    made.options.protect = resource.protect
    if resource.provider:
        made.provider.urn = resource.provider
    return made


def stack_request(resources: Iterable[Resource]) -> analyzer_pb2.AnalyzeStackRequest:
    made = analyzer_pb2.AnalyzeStackRequest()
    for resource in resources:
        one = made.resources.add(urn=resource.urn, type=resource.type)
        for name, urns in resource.depends.items():
            one.propertyDependencies[name].urns.extend(urns)
    return made


@dataclass
class Machine:
    """A stack, its checkout and an engine that runs the policy pack as the real one does."""

    people: People
    root: Path
    state: State = field(default_factory=State)
    environment: dict[str, str] = field(default_factory=dict[str, str])
    business_hours: dict[str, Any] = field(
        default_factory=lambda: {"timeZone": "UTC", "days": list(DAYS), "from": "00:00", "to": "24:00"}
    )
    run: Run = field(default_factory=lambda: Run(id="1", partial=False))

    @property
    def gate(self) -> Gate:
        variables = {"PULUMI_BACKEND_URL": f"file://{self.root}/store", "PF_STATE": f"{self.root}/.state"}
        return Gate(
            identity=IDENTITY,
            root=self.root,
            branch="",
            business_hours=self.business_hours,
            environment=variables | self.environment,
        )

    @property
    def files(self) -> TrustFiles:
        return TrustFiles.of_folder(self.root / "approvals")

    def write_signers(self, *lines: str) -> None:
        folder = self.root / "approvals"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / SIGNERS).write_text("\n".join(lines) + "\n")
        (folder / REVOKED).write_text("# none\n")

    def preview(self, resources: Iterable[Resource] = ()) -> list[str]:
        resources = list(resources or wire())
        analyzer = pack.ApprovalGate(self.gate, dry_run=True, pack="1.0.0")
        for resource in [STACK_ITSELF, *resources]:
            assert analyzer.analyze(request(resource)) == []  # a preview is judged as a whole
        return [message for message, _ in analyzer.analyze_stack(stack_request(resources))]

    def update(
        self, resources: Iterable[Resource] = (), *, meanwhile: Callable[[], object] = lambda: None
    ) -> list[str]:
        """What was denied. Once the gate has opened, the engine makes what it is told."""
        resources = list(resources or wire())
        analyzer = pack.ApprovalGate(self.gate, dry_run=False, pack="1.0.0")
        said = analyzer.analyze(request(STACK_ITSELF))
        if not said:
            self.state = exported(resources)
        meanwhile()
        for resource in resources:
            said += analyzer.analyze(request(resource))
        return said + [message for message, _ in analyzer.analyze_stack(stack_request(resources))]

    def sign(self, statement: Approval | Incident, *signatures: tuple[Person, Role]) -> None:
        folder = Folder(self.root / "approvals", IDENTITY.stack)
        folder.write(statement)
        for person, role in signatures:
            signature = Signature(role=role, principal=person.principal, fingerprint=person.fingerprint)
            folder.write_signature(statement, signature, person.signs(statement.content, namespace_of(role)))

    def approve(self, **changed: Any) -> None:
        """As people do who looked at the last preview."""
        receipt = Receipt.read(self.gate.receipt(self.run.id))
        now = datetime.now(UTC)
        given: dict[str, Any] = {
            "surface": receipt.surface.digest,
            "base": receipt.state,
            "signers": self.files.digest,
            "release": None,
            "not_before": now - timedelta(hours=1),
            "expires": now + timedelta(hours=1),
        }
        statement = approval(**(given | changed))
        self.sign(statement, (self.people.alice, "security"), (self.people.bob, "devops"))

    def open_incident(self) -> None:
        now = datetime.now(UTC)
        identity = {name: getattr(IDENTITY, name) for name in ("project", "stack", "account", "region", "supabase_ref")}
        incident = Incident(
            **identity,
            id="incident-1",
            reason="payments fail",
            opened_by=self.people.ivan.principal,
            opened_at=now - timedelta(minutes=1),
            expires=now + timedelta(hours=1),
        )
        self.sign(incident, (self.people.ivan, "incident-commander"))
        self.environment[EMERGENCY] = "1"

    @property
    def live(self) -> Applied | None:
        return self.gate.records.live()


@pytest.fixture
def machine(people: People, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(people=people, root=tmp_path)
    monkeypatch.setattr(pack, "read", lambda *_: made.state)  # pyright: ignore[reportUnknownLambdaType]
    monkeypatch.setattr(pack, "this_run", lambda: made.run)
    (tmp_path / "__main__.py").write_text("")
    made.write_signers(people.alice.line("security"), people.bob.line("devops"), people.ivan.line("incident-commander"))
    files = made.files
    root = TrustRoot(signers=files.digest, signers_commit="", at=datetime.now(UTC))
    assert made.gate.records.confirm(root, files.as_bytes())
    return made


@pytest.fixture
def deployed(machine: Machine) -> Machine:
    """The real program, approved and applied."""
    machine.preview(wire(first_preview=True))
    machine.approve()
    assert machine.preview(wire(first_preview=True)) == []
    assert machine.update() == []
    return machine


def changed(**inputs: Any) -> list[Resource]:
    """The real program with a key that differs."""
    return [replace(one, inputs={**one.inputs, **inputs}) if one.name == "pii-1" else one for one in wire()]


def with_content(digest: str) -> list[Resource]:
    return [
        with_environment(one, PF_RELEASE_FUNCTIONS=f"hook {digest} verify_jwt=true")
        if FUNCTIONS_RELEASE.search(one.urn)
        else one
        for one in wire()
    ]


# From an empty stack


def test_a_first_deployment_is_denied_then_approved_then_applied_and_recorded(machine: Machine) -> None:
    first = wire(first_preview=True)
    (said,) = machine.preview(first)
    assert "missing:\n    security: alice@parker-flight.com\n    devops: bob@parker-flight.com" in said
    machine.approve()
    assert machine.preview(first) == []
    before = datetime.now(UTC)
    assert machine.update() == []
    live = machine.live
    assert live is not None
    assert live.surface == machine.gate.deployed(machine.state).digest
    assert live.signers == machine.files.digest
    assert before <= live.at <= datetime.now(UTC)
    assert live.release == Receipt.read(machine.gate.receipt(machine.run.id)).release
    assert machine.preview() == []  # and the same once more is nothing new
    assert machine.update() == []


def test_a_reference_to_something_else_is_denied_in_its_turn(machine: Machine) -> None:
    machine.preview(wire(first_preview=True))
    machine.approve()
    machine.preview(wire(first_preview=True))
    moved = [
        replace(one, inputs={**one.inputs, "targetKeyId": "id-of-payment-1"})
        if (one.type, one.name) == (ALIAS, "pii")
        else one
        for one in wire()
    ]
    denied = machine.update(moved)
    assert denied[0].startswith(f"pii ({ALIAS}) is not what the preview showed")


# The update


def test_an_update_without_its_preview_is_denied_before_the_first_resource(machine: Machine) -> None:
    denied = machine.update()
    assert len(denied) == len([STACK_ITSELF, *wire()]) + len(["the stack as a whole"])
    assert all("no preview came before this update" in said for said in denied)
    assert machine.live is None


def test_no_resource_comes_before_the_stack_itself(machine: Machine) -> None:
    analyzer = pack.ApprovalGate(machine.gate, dry_run=False, pack="1.0.0")
    assert analyzer.analyze(request(wire()[0])) == ["no resource may come before the stack's own"]


def test_a_preview_of_another_run_is_none(deployed: Machine) -> None:
    assert deployed.preview() == []
    deployed.run = Run(id="2", partial=False)
    assert "no preview came before this update in the same run" in deployed.update()[0]


def test_a_preview_of_another_run_meanwhile_takes_nothing_from_an_update(deployed: Machine) -> None:
    assert deployed.preview() == []
    update, deployed.run = deployed.run, Run(id="2", partial=False)
    assert deployed.preview() == []
    os.utime(deployed.gate.receipt(update.id), (0, 0))
    assert deployed.gate.last_receipt == deployed.gate.receipt("2")
    deployed.run = update
    assert deployed.update() == []


def test_what_an_old_run_left_is_forgotten(deployed: Machine) -> None:
    assert deployed.preview() == []
    old = deployed.gate.receipt(deployed.run.id)
    long_ago = (datetime.now(UTC) - FRESH).timestamp() - 1
    os.utime(old.parent, (long_ago, long_ago))
    deployed.run = Run(id="2", partial=False)
    assert deployed.preview() == []
    assert not old.parent.exists()


def test_a_partial_preview_leaves_nothing_to_go_by(deployed: Machine) -> None:
    deployed.run = Run(id="2", partial=True)
    assert deployed.preview() == []
    with pytest.raises(ReceiptError, match="no preview came before"):
        Receipt.read(deployed.gate.receipt(deployed.run.id))


def test_a_program_or_a_state_that_moved_after_the_preview_is_denied(deployed: Machine) -> None:
    assert deployed.preview() == []
    (deployed.root / "yaml.py").write_text("evil")
    assert "the program, its config or its packages changed after the preview" in deployed.update()[0]
    (deployed.root / "yaml.py").unlink()
    deployed.state = exported(changed(policy="{}"))
    assert "the stack's state changed after the preview" in deployed.update()[0]


def test_what_the_update_gives_otherwise_is_denied_in_its_turn(deployed: Machine) -> None:
    assert deployed.preview() == []
    denied = deployed.update(changed(enableKeyRotation=False))
    assert denied[0].startswith(f"pii-1 ({KEY}) is not what the preview showed and people approved")


def test_what_the_update_registers_besides_is_denied_in_its_turn(deployed: Machine) -> None:
    assert deployed.preview() == []
    more = Resource(
        urn=f"{PREFIX}command:local:Command::x",
        type="command:local:Command",
        inputs={"create": "aws iam"},
        provider="x",
    )
    assert deployed.update([*wire(), more])[0].startswith("x (command:local:Command) is not what the preview showed")


def test_an_update_that_leaves_something_out_is_not_recorded(deployed: Machine) -> None:
    before = deployed.live
    assert deployed.preview() == []
    assert deployed.update(wire()[:-1]) == ["the program registered other resources in the update than in the preview"]
    assert deployed.live == before


def test_the_functions_content_is_the_one_that_the_preview_showed(deployed: Machine) -> None:
    deployed.preview(with_content("0" * 64))
    deployed.approve()
    assert deployed.preview(with_content("0" * 64)) == []
    denied = deployed.update(with_content("1" * 64))
    assert denied == ["functions-release: the functions' content changed after the preview"]
    assert deployed.preview(with_content("1" * 64)) == []  # which needs no approval, but is another release
    assert deployed.update(with_content("1" * 64)) == []


def test_a_change_is_denied_until_it_is_approved(deployed: Machine) -> None:
    wanted = changed(description="wider")
    assert "no approval of the surface" in deployed.preview(wanted)[0]
    assert "no approval of the surface" in deployed.update(wanted)[0]
    deployed.approve()
    assert deployed.preview(wanted) == []
    assert deployed.update(wanted) == []
    assert deployed.preview() == []  # and back, which had been approved before
    assert deployed.update() == []


def test_a_return_keeps_the_moment_in_which_its_approval_was_first_used(deployed: Machine) -> None:
    first = deployed.live
    assert first is not None
    wanted = changed(description="wider")
    deployed.preview(wanted)
    deployed.approve()
    deployed.preview(wanted)
    deployed.update(wanted)
    deployed.preview()
    deployed.update()
    again = deployed.live
    assert again is not None
    assert (again.surface, again.at) == (first.surface, first.at)


# What can't be approved


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"policy": SOME_UNKNOWN}, "pii-1: `policy` is not known before the update"),
        ({"tags": {"a": secret("hunter2")}}, "pii-1: `tags.a` is a secret"),
        (
            {"code": {SIGNATURE: ARCHIVE, "path": "./code.zip", "hash": "0" * 64}},
            "pii-1: `code` is code that may still",
        ),
    ],
)
def test_what_nobody_can_read_is_denied_whoever_approves_it(
    inputs: dict[str, Any], said: str, deployed: Machine
) -> None:
    (denied,) = deployed.preview(changed(**inputs))
    assert said in denied
    assert "hunter2" not in denied
    assert deployed.preview() == []
    assert said in deployed.update(changed(**inputs))[0]


def test_while_operations_are_open_nothing_is_applied(deployed: Machine) -> None:
    deployed.state = replace(deployed.state, pending=(f"{PREFIX}{KEY}::pii-1",))
    for denied in (deployed.preview(), deployed.update()):
        assert "left operations open (pii-1)" in denied[0]
        assert "./pf recover --stack production" in denied[0]


@pytest.mark.parametrize("damage", ["live.json", "trust.json", "allowed_signers", "revoked_keys", "withdrawn", "state"])
def test_whatever_cannot_be_read_closes_the_gate(
    damage: str, deployed: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert deployed.preview() == []
    store = deployed.gate.records.store
    if damage == "state":

        def fails(*_: object) -> State:
            raise StateError("the backend is away")

        monkeypatch.setattr(pack, "read", fails)
    elif damage == "withdrawn":
        folder = deployed.root / "approvals" / IDENTITY.stack / "withdrawn"
        folder.mkdir()
        (folder / "x").write_text("")
    elif damage == "trust.json":
        store.put("live.json", b"")
        store.put(damage, b"")
    elif damage == "live.json":
        store.put(damage, b"{}")
    else:
        (deployed.root / "approvals" / damage).write_bytes(b"\xff")
    for denied in (deployed.preview(), deployed.update()):
        assert denied[0].startswith("The approval gate can't judge this change, so it is denied: ")


# Signers, settings, withdrawals


def test_signers_that_change_while_the_update_runs_do_not_come_into_force(deployed: Machine) -> None:
    judged = deployed.files.digest
    assert deployed.preview() == []

    def evil() -> None:
        deployed.write_signers(deployed.people.mallory.line("security", "devops", "incident-commander"))

    assert deployed.update(meanwhile=evil) == []
    live = deployed.live
    assert live is not None
    assert live.signers == judged
    assert [one.principal[:5] for one in deployed.gate.trust.signers.signers] == ["alice", "bob@p", "ivan@"]


def test_signers_come_into_force_by_an_approved_update(deployed: Machine) -> None:
    people = deployed.people
    lines = [people.alice.line("security"), people.bob.line("devops"), people.carol.line("incident-commander")]
    deployed.write_signers(*lines)
    assert "was given for other signers" in deployed.preview()[0]
    deployed.approve(nonce="1" * 16)
    assert deployed.preview() == []
    assert deployed.update() == []
    live = deployed.live
    assert live is not None
    assert live.signers == deployed.files.digest


def test_an_emergency_brings_no_signers_into_force(deployed: Machine) -> None:
    """One key would be enough to replace everybody."""
    before = deployed.live
    deployed.open_incident()
    deployed.write_signers(deployed.people.ivan.line("security", "devops", "incident-commander"))
    wanted = changed(description="wider")
    assert deployed.preview(wanted) == []
    assert deployed.update(wanted) == []
    live = deployed.live
    assert live is not None
    assert before is not None
    assert (live.signers, live.incident) == (before.signers, "incident-1")
    assert len(deployed.gate.trust.signers.signers) == 3


def test_what_came_in_an_emergency_needs_its_approval_afterwards(deployed: Machine) -> None:
    deployed.open_incident()
    wanted = changed(description="wider")
    deployed.preview(wanted)
    deployed.update(wanted)
    deployed.environment.clear()
    assert "was live in the incident incident-1" in deployed.preview(wanted)[0]
    deployed.approve()
    assert deployed.preview(wanted) == []
    assert deployed.update(wanted) == []
    live = deployed.live
    assert live is not None
    assert live.incident == ""


def test_an_incident_that_was_closed_allows_nothing(deployed: Machine) -> None:
    deployed.open_incident()
    assert deployed.preview(changed(description="wider")) == []
    (deployed.root / "approvals" / IDENTITY.stack / "incidents" / "incident-1.closed.json").write_text("")
    assert "no incident is open" in deployed.preview(changed(description="wider"))[0]


def test_business_hours_that_the_change_widens_do_not_judge_it(machine: Machine) -> None:
    never: dict[str, Any] = {"timeZone": "UTC", "days": [], "from": "09:00", "to": "17:00"}
    always = machine.business_hours
    machine.preview()
    machine.approve()
    machine.business_hours = never
    machine.preview()
    machine.sign(
        _statement(machine),
        (machine.people.alice, "security"),
        (machine.people.bob, "devops"),
        (machine.people.ivan, "incident-commander"),
    )
    assert machine.preview() == []
    assert machine.update() == []
    machine.business_hours = always
    machine.preview()
    machine.approve(nonce="1" * 16)
    assert "nobody has signed as incident-commander" in machine.preview()[0]


def _statement(machine: Machine) -> Approval:
    receipt, now = Receipt.read(machine.gate.receipt(machine.run.id)), datetime.now(UTC)
    return approval(
        surface=receipt.surface.digest,
        base=receipt.state,
        signers=machine.files.digest,
        release=None,
        not_before=now - timedelta(hours=1),
        expires=now + timedelta(hours=1),
    )


def test_a_withdrawal_counts_in_the_checkout_and_in_the_records(deployed: Machine) -> None:
    live = deployed.live
    assert live is not None
    deployed.gate.records.withdraw(live.surface, "it leaks")
    assert "was withdrawn: it leaks" in deployed.preview()[0]
    deployed.gate.records.store.delete(f"withdrawn/{live.surface}.json")
    assert deployed.preview() == []
    withdrawal = Withdrawal(
        stack=IDENTITY.stack, digest=live.release, reason="it breaks", by="alice", at=datetime.now(UTC)
    )
    Folder(deployed.root / "approvals", IDENTITY.stack).write(withdrawal)
    assert "was withdrawn: it breaks" in deployed.preview()[0]


@pytest.mark.parametrize("field", ["surface", "approved"])
@pytest.mark.parametrize("what", ["resources", "settings"])
def test_a_forged_record_lends_a_surface_no_approval_of_another(field: str, what: str, deployed: Machine) -> None:
    """Whoever writes to the store could name there what people have signed, for whatever they want."""
    wanted = changed(description="wider") if what == "resources" else wire()
    if what == "settings":
        deployed.business_hours = {**deployed.business_hours, "from": "09:00", "to": "17:00"}
    before, live = deployed.preview(wanted), deployed.live
    assert before
    assert live is not None
    surface = Receipt.read(deployed.gate.receipt(deployed.run.id)).surface.digest
    forged = replace(live, **({"surface": surface, "approved": live.surface} if field == "approved" else {}))
    deployed.gate.records.store.put(f"applied/{surface}.json", TypeAdapter(Applied).dump_json(forged))
    assert deployed.preview(wanted) == before


def test_the_ci_actor_does_not_approve(deployed: Machine) -> None:
    wanted = changed(description="wider")
    deployed.preview(wanted)
    deployed.approve()
    deployed.environment["GITHUB_ACTOR"] = "Alice"
    assert "alice@parker-flight.com has part in this change" in deployed.preview(wanted)[0]


def test_a_stack_that_named_no_branch_is_held_to_the_one_that_a_change_names(deployed: Machine) -> None:
    named = replace(deployed.gate, branch="origin/main")
    assert named.branches == ["origin/main"]
    assert deployed.gate.branches == []


# What it leaves as a version


def with_other_functions() -> list[Resource]:
    """The real program with its functions' content changed, which is no part of the surface."""
    return [
        with_environment(one, PF_RELEASE_FUNCTIONS="\n".join(map(_changed, function_lines(one.inputs))))
        if FUNCTIONS_RELEASE.search(one.urn)
        else one
        for one in wire()
    ]


def _changed(line: str) -> str:
    name, _, rest = line.split(maxsplit=2)
    return f"{name} {'0a' * 32} {rest}"


@pytest.fixture
def versions(deployed: Machine) -> Versions:
    return Versions(deployed.gate.records.store)


@pytest.mark.rows("K6", "K8")
def test_a_plain_update_becomes_a_version_with_its_source(
    deployed: Machine, versions: Versions, tmp_path: Path
) -> None:
    made = versions.latest()
    assert made is not None
    live, receipt = deployed.live, Receipt.read(deployed.gate.receipt(deployed.run.id))
    assert live is not None
    assert (made.number, made.operation, made.surface, made.release) == (1, None, live.surface, live.release)
    assert made.content == receipt.content
    unpack(versions.source(made), made.source, tmp_path / "back")
    assert [file.name for file in (tmp_path / "back").iterdir()] == ["__main__.py"]


@pytest.mark.rows("K6", "K8")
def test_an_update_without_a_change_is_no_new_version(deployed: Machine, versions: Versions) -> None:
    first = versions.latest()
    assert deployed.preview() == deployed.update() == []
    assert versions.latest() == first


@pytest.mark.rows("K6")
def test_what_pf_was_asked_for_stands_in_its_version(deployed: Machine, versions: Versions) -> None:
    asked = Operation(id="1", kind="deployment", message="another function")
    deployed.environment |= asked.as_environment()
    resources = with_other_functions()
    assert deployed.preview(resources) == deployed.update(resources) == []
    made = versions.latest()
    assert made is not None
    assert (made.number, made.operation) == (2, asked)


def test_what_is_denied_becomes_no_version(deployed: Machine, versions: Versions) -> None:
    deployed.preview(changed(enableKeyRotation=False))
    assert deployed.update(changed(enableKeyRotation=False))
    assert [one.number for one in versions.newest_first()] == [1]


@pytest.mark.rows("K6", "E2")
def test_what_is_in_quarantine_is_denied_by_preview_and_update(deployed: Machine, versions: Versions) -> None:
    live = versions.latest()
    assert live is not None
    entry = Quarantined(version=1, reason="it loses payments", by="ada", at=datetime.now(UTC))
    deployed.gate.records.quarantine(live.content, entry)
    for said in (deployed.preview(), deployed.update()):
        assert "./pf unblock 1 --stack production" in said[0]
    other = with_other_functions()
    assert deployed.preview(other) == deployed.update(other) == []
    deployed.gate.records.unblock(live.content)
    assert deployed.preview() == deployed.update() == []


@pytest.mark.rows("K8", "C1")
def test_a_return_brings_no_signers_into_force(deployed: Machine, tmp_path: Path) -> None:
    """Whoever says that it is one, and whatever signers lie in the checkout that is named."""
    before = deployed.live
    assert before is not None
    deployed.write_signers(deployed.people.mallory.line("security", "devops"))
    deployed.environment |= {CHECKOUT: str(tmp_path), COMMIT: ""}
    assert deployed.preview() == deployed.update() == []
    after = deployed.live
    assert after is not None
    assert (after.signers, after.signers_commit) == (before.signers, before.signers_commit)


@pytest.mark.rows("K8", "C1")
def test_a_return_is_no_way_around_an_approval(deployed: Machine, tmp_path: Path) -> None:
    deployed.environment |= {CHECKOUT: str(tmp_path), COMMIT: ""}
    assert "no approval of the surface" in deployed.preview(changed(enableKeyRotation=False))[0]
    assert deployed.update(changed(enableKeyRotation=False))
