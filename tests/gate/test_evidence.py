"""What the gate judges by: the settings in force and the branch's own files, not what a checkout brings along."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gate.decision import Identity
from gate.evidence import CLOSED, DEFAULT_HOURS, EvidenceError, Gate, of_environment
from gate.records import Applied
from gate.surface import Surface
from gate.trust import REVOKED, SIGNERS
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
