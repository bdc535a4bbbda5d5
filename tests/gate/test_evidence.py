"""What the gate judges by: the settings in force and the branch's own files, not what a checkout brings along."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gate.decision import Change, Identity
from gate.evidence import CHECKOUT, CLOSED, COMMIT, DEFAULT_HOURS, EvidenceError, Gate, of_environment
from gate.records import Applied, TrustRoot
from gate.surface import Surface
from gate.trust import REVOKED, SIGNERS, TrustFiles
from tests.gate.conftest import People, Person
from tests.gate.repositories import ALICE, BOB, Repository

pytestmark = pytest.mark.rows("K5", "C1", "C2")

IDENTITY = Identity(project="p", stack="s", account="1" * 12, region="us-east-1", supabase_ref="x" * 20)
FILES = {f"approvals/{SIGNERS}": "alice\n", f"approvals/{REVOKED}": "# none\n", "__main__.py": ""}


class Checkout:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.repository = Repository.new(folder / "checkout")
        self.repository.commit(FILES)

    def gate(self, *, branch: str = "", hours: dict[str, Any] | None = None, **environment: str) -> Gate:
        variables = {"PULUMI_BACKEND_URL": f"file://{self.folder}/store", **environment}
        return Gate(
            identity=IDENTITY,
            root=self.repository.folder,
            branch=branch,
            business_hours=hours or {},
            environment=variables,
        )

    def live(self, **settings: Any) -> Surface:
        """Record a live surface with these settings."""
        surface = Surface(resources={"urn:x": {}}, settings={**self.gate().settings, **settings})
        applied = Applied(
            surface=surface.digest,
            signers="c3" * 32,
            signers_commit="",
            commit=self.repository.head,
            at=datetime.now(UTC),
        )
        self.gate().records.write(applied, surface, None)
        return surface


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_before_anything_is_live_a_stacks_own_settings_judge(checkout: Checkout) -> None:
    gate = checkout.gate(branch="main", hours={"from": "10:00"})
    assert gate.settings_in_force == gate.settings
    assert gate.branches == ["main"]
    assert str(gate.hours) == "mon, tue, wed, thu, fri 10:00 to 17:00 UTC"


def test_a_change_is_judged_by_the_hours_that_are_live(checkout: Checkout) -> None:
    checkout.live(businessHours=DEFAULT_HOURS | {"to": "12:00"})
    gate = checkout.gate(hours={"from": "00:00", "to": "24:00"})
    assert str(gate.hours) == "mon, tue, wed, thu, fri 09:00 to 12:00 UTC"
    assert gate.settings["businessHours"]["to"] == "24:00"  # which is what people are asked to approve


def test_a_change_is_held_to_the_branch_that_is_live_and_to_its_own(checkout: Checkout) -> None:
    checkout.live(protectedBranch="main")
    assert checkout.gate().branches == ["main"]
    assert checkout.gate(branch="other").branches == ["main", "other"]
    checkout.live(protectedBranch="")
    assert checkout.gate(branch="other").branches == ["other"]
    assert checkout.gate().branches == []


def test_a_change_that_takes_the_branch_away_is_still_not_reviewed(checkout: Checkout) -> None:
    checkout.live(protectedBranch="main")
    checkout.repository.git("switch", "-q", "-c", "evil")
    checkout.repository.commit({"Pulumi.s.yaml": ""})
    assert not checkout.gate().is_reviewed
    assert not checkout.gate(branch="evil").is_reviewed


def test_a_preview_may_be_judged_as_if_its_commit_were_merged_and_an_update_never(checkout: Checkout) -> None:
    checkout.repository.git("switch", "-q", "-c", "change")
    checkout.repository.commit({"__main__.py": "changed"})
    assert not checkout.gate(branch="main").is_reviewed
    previewed: dict[str, Any] = {"PF_AS_MERGED": "1", "PULUMI_DRY_RUN": "true"}
    assert checkout.gate(branch="main", **previewed).is_reviewed
    for dry_run in ("false", ""):  # a pack that isn't told is not in a preview
        assert not checkout.gate(branch="main", PF_AS_MERGED="1", PULUMI_DRY_RUN=dry_run).is_reviewed
    checkout.repository.write({"__main__.py": "and not committed"})
    assert not checkout.gate(branch="main", **previewed).is_reviewed


def test_what_is_no_commit_can_not_be_judged_as_if_it_were_merged(checkout: Checkout) -> None:
    inside = checkout.repository.folder / "inside"  # where `main:` of Pulumi.yaml may lead; git's own is the whole
    inside.mkdir()
    gate = replace(checkout.gate(branch="main", PF_AS_MERGED="1", PULUMI_DRY_RUN="true"), root=inside)
    assert not gate.is_reviewed


def test_a_stack_without_a_protected_branch_takes_any_program_as_reviewed(checkout: Checkout) -> None:
    checkout.repository.write({"__main__.py": "changed"})
    assert checkout.gate().is_reviewed


def test_signers_from_elsewhere_are_not_the_reviewed_ones(checkout: Checkout, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in (SIGNERS, REVOKED):
        (elsewhere / name).write_text(FILES[f"approvals/{name}"])
    assert checkout.gate(branch="main").is_reviewed
    assert checkout.gate(branch="main", PF_APPROVALS=str(elsewhere)).is_reviewed
    (elsewhere / SIGNERS).write_text("mallory\n")
    assert not checkout.gate(branch="main", PF_APPROVALS=str(elsewhere)).is_reviewed


def test_authors_since_the_live_commit_and_the_ci_actor_are_part_of_the_change(checkout: Checkout) -> None:
    asked: dict[str, Any] = {"surface": Surface(), "state": Surface(), "release": "", "pack": "1.0.0"}
    assert checkout.gate().change(**asked).excluded == {ALICE}
    checkout.live()
    assert checkout.gate().change(**asked).excluded == frozenset()
    checkout.repository.commit({"settings.py": ""}, author=BOB)
    change = checkout.gate(GITHUB_ACTOR="Carol").change(**asked)
    assert change.excluded == {BOB, "carol"}
    assert (change.commit, change.emergency) == (checkout.repository.head, False)


@pytest.mark.parametrize(("value", "emergency"), [("1", True), ("", False)])
def test_an_emergency_is_what_somebody_called_one(value: str, emergency: bool, checkout: Checkout) -> None:
    empty = Surface()
    change = checkout.gate(PF_EMERGENCY=value).change(surface=empty, state=empty, release="", pack="1.0.0")
    assert change.emergency is emergency


def test_a_state_alone_has_the_settings_of_its_record(checkout: Checkout) -> None:
    from gate.state import State

    live = checkout.live(protectedBranch="main")
    assert checkout.gate().deployed(State()).settings == live.settings
    assert not live.moved(Surface(resources=live.resources, settings=checkout.gate().deployed(State()).settings))


def test_the_gate_is_read_from_what_the_engines_host_says(tmp_path: Path) -> None:
    config = {
        "aws:region": "eu-west-1",
        "parker-flight:awsAccountId": "123456789012",
        "parker-flight:supabaseProjectRef": "y" * 20,
        "parker-flight:protectedBranch": "origin/main",
        "parker-flight:businessHours": '{"timeZone": "Europe/Berlin"}',
    }
    environment = {
        "PULUMI_PROJECT": "parker-flight",
        "PULUMI_STACK": "organization/parker-flight/production",
        "PULUMI_CONFIG": json.dumps(config),
    }
    gate = of_environment(tmp_path, environment)
    assert gate.identity == Identity(
        project="parker-flight",
        stack="production",
        account="123456789012",
        region="eu-west-1",
        supabase_ref="y" * 20,
    )
    assert gate.settings["protectedBranch"] == "origin/main"
    assert gate.settings["businessHours"] == DEFAULT_HOURS | {"timeZone": "Europe/Berlin"}


def test_a_config_that_says_nothing_names_nobodys_stack(tmp_path: Path) -> None:
    identity = of_environment(tmp_path, {}).identity
    assert (identity.project, identity.stack, identity.account, identity.region, identity.supabase_ref) == ("",) * 5


def test_a_record_without_hours_closes_the_gate(checkout: Checkout) -> None:
    surface = Surface(resources={"urn:x": {}}, settings={})
    applied = Applied(surface=surface.digest, signers="c3" * 32, signers_commit="", commit="", at=datetime.now(UTC))
    checkout.gate().records.write(applied, surface, None)
    with pytest.raises(EvidenceError):
        _ = checkout.gate().hours
    assert EvidenceError in CLOSED


# A release that is brought back


class Unpacked:
    """The checkout's first commit as a release in another folder, and a branch that went on."""

    def __init__(self, checkout: Checkout) -> None:
        self.checkout = checkout
        self.commit = checkout.repository.head
        self.folder = checkout.folder / "release"
        self.folder.mkdir()
        (self.folder / "__main__.py").write_text("")
        checkout.repository.commit({"settings.py": "1", f"approvals/{SIGNERS}": "alice\nbob\n"}, author=BOB)

    def gate(self, branch: str = "main", **environment: str) -> Gate:
        gate = self.checkout.gate(branch=branch)
        named = {CHECKOUT: str(self.checkout.repository.folder), COMMIT: self.commit}
        return replace(gate, root=self.folder, environment={**gate.environment, **named, **environment})

    def change(self, **environment: str) -> Change:
        return self.gate(**environment).change(surface=Surface(), state=Surface(), release="", pack="1.0.0")


@pytest.fixture
def unpacked(checkout: Checkout) -> Unpacked:
    return Unpacked(checkout)


def test_a_release_of_before_is_reviewed_and_judged_by_the_present_signers(unpacked: Unpacked) -> None:
    gate = unpacked.gate()
    assert (gate.is_return, gate.is_reviewed) == (True, True)
    assert gate.folder == unpacked.checkout.repository.folder / "approvals"
    assert gate.files.signers == "alice\nbob\n"


def test_another_program_that_calls_itself_a_return_is_not_reviewed(unpacked: Unpacked) -> None:
    (unpacked.folder / "__main__.py").write_text("evil")
    assert not unpacked.gate().is_reviewed
    assert not unpacked.gate(**{COMMIT: unpacked.checkout.repository.head}).is_reviewed
    assert not unpacked.gate(**{COMMIT: ""}).is_reviewed


def test_a_return_is_held_to_the_branch_that_is_live(unpacked: Unpacked) -> None:
    unpacked.checkout.live(protectedBranch="main")
    assert unpacked.gate(branch="").is_reviewed
    (unpacked.folder / "__main__.py").write_text("evil")
    assert not unpacked.gate(branch="").is_reviewed


def test_signers_that_lie_with_a_release_are_nobodys(unpacked: Unpacked) -> None:
    """Those in force judge it and stay: a return brings none along, whatever it has in its folder."""
    for name in (SIGNERS, REVOKED):
        (unpacked.folder / "approvals").mkdir(exist_ok=True)
        (unpacked.folder / "approvals" / name).write_text("mallory\n")
    assert not unpacked.gate().is_reviewed
    assert "mallory" not in unpacked.gate().files.signers


def confirmed(unpacked: Unpacked, person: Person) -> str:
    """The digest of the signers in force: of the commit that was unpacked, with one real key."""
    repository = unpacked.checkout.repository
    repository.write({f"approvals/{SIGNERS}": f"{person.line('security')}\n", f"approvals/{REVOKED}": "# none\n"})
    head = repository.commit({})
    files = TrustFiles.of_folder(repository.folder / "approvals")
    root = TrustRoot(signers=files.digest, signers_commit=head, at=datetime.now(UTC))
    unpacked.gate().records.confirm(root, files.as_bytes())
    return files.digest


def test_a_return_is_judged_as_one_under_the_signers_in_force(unpacked: Unpacked, people: People) -> None:
    in_force = confirmed(unpacked, people.alice)
    unpacked.checkout.repository.commit({f"approvals/{SIGNERS}": f"{people.bob.line('security')}\n"})
    change = unpacked.change()
    assert (change.returns, change.reviewed, change.commit) == (True, True, unpacked.commit)
    assert change.signers == in_force


@pytest.mark.parametrize("commit", ["main", "HEAD", "--help", "c0" * 5, "C0" * 20])
def test_what_is_no_whole_commit_is_refused_before_it_stands_in_a_record(commit: str, unpacked: Unpacked) -> None:
    with pytest.raises(EvidenceError, match="PF_COMMIT is no commit as `pf` sets it; unset it"):
        _ = unpacked.gate(**{COMMIT: commit}).is_reviewed


def test_what_was_released_before_is_known_by_its_digest(checkout: Checkout) -> None:
    surface = checkout.live()
    gate = checkout.gate()
    applied = gate.records.live()
    assert applied is not None
    gate.records.write(replace(applied, release="d4" * 32), surface, None)
    assert gate.records.released("d4" * 32) is not None
    assert gate.records.released("d5" * 32) is None
