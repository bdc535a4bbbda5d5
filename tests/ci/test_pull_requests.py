"""A pull request gets its comment and its two checks, a merge is deployed, what doesn't stand is taken back."""

import json
import shutil
from collections.abc import Callable, Iterator

import pytest

from tests.ci.scenario import SECRETS, Run, Scenario
from tests.conftest import SHOWED
from tests.e2e.test_rollback import answering
from toolchain import paths

pytestmark = pytest.mark.rows("K9", "D1", "C3")

Show = Callable[[str], None]

POLICY = "components/encryption_key.py"
WIDER = "kms:GetParametersForImport"


@pytest.fixture
def show(record_property: Callable[[str, object], None]) -> Show:
    """A line for whoever runs the tests."""
    return lambda line: record_property(SHOWED, line)


@pytest.fixture
def branch(scenario: Scenario) -> Iterator[Scenario]:
    """On a branch of its own; main again afterwards."""
    scenario.git("checkout", "-qb", "change")
    yield scenario
    scenario.git("checkout", "-q", "-f", "main")
    scenario.git("branch", "-qD", "change")
    scenario.git("push", "-q", "origin", "--delete", "change")


def widen(scenario: Scenario, right: str = WIDER) -> None:
    file = scenario.checkout.root / POLICY
    text = file.read_text()
    assert '"kms:DescribeKey",' in text
    file.write_text(text.replace('"kms:DescribeKey",', f'"kms:DescribeKey",\n    "{right}",', 1))


def key_policy(scenario: Scenario) -> str:
    kms = scenario.checkout.aws("kms")
    alias = "alias/parker-flight-pii-sandbox"
    key = kms.describe_key(KeyId=alias)["KeyMetadata"]["KeyId"]
    return kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"]


def roles(scenario: Scenario) -> list[str]:
    """That jobs have become since this was asked last."""
    file = scenario.artefacts / "roles"
    found = [line.rpartition("/")[2] for line in file.read_text().splitlines()] if file.exists() else []
    file.unlink(missing_ok=True)
    return found


def answer(scenario: Scenario) -> str:
    """Of encrypt-data, as a signed-in user gets it."""
    token = scenario.checkout.token("authenticated")
    return scenario.checkout.call("encrypt-data", {"purpose": "general-data", "plaintext": "hello"}, token).text


def test_a_change_is_previewed_approved_merged_and_deployed_and_what_breaks_is_taken_back(
    branch: Scenario, show: Show
) -> None:
    scenario = branch
    widen(scenario)
    scenario.commit("wider", "change")
    run = scenario.previewed(scenario.pull_request(7, "change"))
    assert run.jobs == {"production": "success", "policies": "success", "approvals": "failure"}, run.said
    (first,) = scenario.github.comments[7]
    text = first["body"]
    for part in (
        "approvals are missing",
        f"gains {WIDER}",
        "`security@example.com`",
        "./pf approve --stack production",
    ):
        assert part in text
    assert "a rollback goes to version 1" in text
    show(f"a widened key policy: {run.verdicts}; the comment says: {text.splitlines()[1]}")

    scenario.signed("security", "devops")
    scenario.commit("approved", "change")
    run = scenario.previewed(scenario.pull_request(7, "change"))
    assert run.jobs == {"production": "success", "policies": "success", "approvals": "success"}, run.said
    (edited,) = scenario.github.comments[7]
    assert edited["id"] == first["id"]
    assert "allowed" in edited["body"]
    assert roles(scenario) == ["preview", "preview"]
    show(f"approvals pushed: {run.verdicts}; the same comment says: {edited['body'].splitlines()[1]}")

    scenario.merge("change")
    assert WIDER not in key_policy(scenario)
    run = scenario.pushed()
    assert run.jobs == {"deploy": "success", "watch": "success"}, run.said
    assert WIDER in key_policy(scenario)
    assert roles(scenario) == ["deploy", "deploy"]
    (kept,) = (scenario.artefacts / "deployment/report").glob("*.json")
    assert json.loads(kept.read_text())["verified"] is True
    show(f"merged: {run.verdicts}; the key policy in AWS is the wider one")

    answering(scenario.checkout.root / "supabase/functions/encrypt-data/handler.ts", "x", ciphertext='"not encrypted"')
    scenario.commit("answers wrongly", "main")
    run = scenario.pushed()
    assert run.jobs == {"deploy": "failure"}, run.said
    assert "version 2 has been brought back" in run.said
    reports = [
        json.loads(file.read_text()) for file in sorted((scenario.artefacts / "deployment/report").glob("*.json"))
    ]
    assert [(one["kind"], one["result"]) for one in reports] == [
        ("deployment", "rolled back"),
        ("rollback", "succeeded"),
    ]
    assert "not encrypted" not in answer(scenario)
    show(f"a function that answers wrongly: {run.verdicts}; version 2 is back by itself")
    scenario.revert()


@pytest.fixture
def with_a_sandbox(branch: Scenario) -> Iterator[Scenario]:
    """Main has the sandbox's settings as well, and not those of the production that it plays."""
    shutil.copy(paths.ROOT / "Pulumi.sandbox.yaml", branch.checkout.root)
    (branch.checkout.root / "Pulumi.production.yaml").unlink()
    before, base = branch.git("rev-parse", "HEAD"), branch.commit("with a sandbox", "main")
    yield branch
    branch.git("push", "-q", f"--force-with-lease=main:{base}", "origin", f"{before}:refs/heads/main")


@pytest.mark.drill
def test_a_fork_is_previewed_on_a_sandbox_and_given_nothing(with_a_sandbox: Scenario) -> None:
    scenario, right = with_a_sandbox, "kms:GetPublicKey"
    widen(scenario, right)
    scenario.commit("wider", "change")
    event = scenario.pull_request(8, "change", repository="mallory/infrastructure")
    run = scenario.previewed(event, world=False)
    assert run.jobs == {"sandbox": "success", "policies": "success", "approvals": "failure"}, run.said
    (comment,) = scenario.github.comments[8]
    assert "previewed on a sandbox" in comment["body"].replace("\n", " ")
    assert f"gains {right}" in comment["body"]
    assert roles(scenario) == []


@pytest.mark.drill
@pytest.mark.rows("K8", "O3")
def test_a_phone_is_enough_to_bring_a_version_back(scenario: Scenario) -> None:
    answering(scenario.checkout.root / "supabase/functions/encrypt-data/handler.ts", "by mistake")
    scenario.commit("a mistake", "main")
    assert scenario.pushed().jobs["deploy"] == "success"
    asked = {"reason": "it's a `mistake`; $(exit 1)", "version": "", "emergency": "false", "dry_run": "true"}
    run = scenario.run("rollback", "workflow_dispatch", {"inputs": asked}, SECRETS)
    assert run.jobs == {"rollback": "success"}, run.said
    assert "by mistake" in answer(scenario)
    run = scenario.run("rollback", "workflow_dispatch", {"inputs": asked | {"dry_run": "false"}}, SECRETS)
    assert run.jobs == {"rollback": "success"}, run.said
    assert "by mistake" not in answer(scenario)
    scenario.revert()


@pytest.mark.drill
@pytest.mark.rows("O1")
def test_a_check_that_fails_has_an_issue_until_it_is_green(scenario: Scenario) -> None:
    roles(scenario)  # what the others became

    def looked() -> Run:
        return scenario.run("checks", "workflow_dispatch", {"inputs": {"check": "daily"}}, SECRETS)

    kms = scenario.checkout.aws("kms")
    key = kms.describe_key(KeyId="alias/parker-flight-pii-sandbox")["KeyMetadata"]["KeyId"]
    kms.disable_key_rotation(KeyId=key)
    run = looked()
    assert run.jobs == {"check": "failure"}, run.said
    (issue,) = scenario.github.issues
    assert "production: degraded" in issue["body"]
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=365)
    run = looked()
    assert run.jobs == {"check": "success"}, run.said
    assert issue["state"] == "closed"
    assert roles(scenario) == ["check", "check"]


@pytest.mark.drill
def test_a_role_that_is_not_set_or_not_given_is_no_preview_and_no_deployment(branch: Scenario) -> None:
    scenario = branch
    roles(scenario)
    (scenario.checkout.root / "NOTES.md").write_text("A change.\n")
    scenario.commit("notes", "change")
    event = scenario.pull_request(9, "change")
    scenario.unset.add("AWS_PREVIEW_ROLE_ARN")
    run = scenario.previewed(event)
    scenario.unset.clear()
    assert run.jobs == {"production": "failure", "policies": "failure", "approvals": "failure"}, run.said
    assert "the variable AWS_PREVIEW_ROLE_ARN is not set" in run.said
    (comment,) = scenario.github.comments[9]
    assert "No preview" in comment["body"]

    expired = scenario.artefacts / "expired"
    expired.touch()
    refused = scenario.previewed(event), scenario.pushed()
    expired.unlink()
    assert [one.jobs for one in refused] == [run.jobs, {"deploy": "failure"}]
    assert all("Token expired" in one.said for one in refused)
    assert roles(scenario) == []
    (same,) = scenario.github.comments[9]
    assert same["id"] == comment["id"]


@pytest.mark.drill
@pytest.mark.rows("C1")
def test_signers_and_workflows_of_a_pull_request_judge_nothing(branch: Scenario) -> None:
    """A developer makes themselves a signer, approves with that key, and has their own workflow."""
    scenario = branch
    root = scenario.checkout.root
    key = scenario.folder / "intruder"
    scenario.checkout.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key))
    public = " ".join(key.with_suffix(".pub").read_text().split()[:2])
    signers = root / "approvals/allowed_signers"
    namespaces = "security@parker-flight,devops@parker-flight"
    signers.write_text(f'{signers.read_text()}mallory@example.com namespaces="{namespaces}" {public}\n')
    (root / ".github/workflows/preview.yml").write_text("name: preview\non: pull_request\n")
    widen(scenario, "kms:ListKeys")
    refused = scenario.pf("approve", "--key", str(key), "--reason", "x", "--confirm", "x", check=False)
    assert "is no signer's key" in refused.stderr
    scenario.commit("a new colleague", "change")
    run = scenario.previewed(scenario.pull_request(10, "change"))
    assert run.jobs == {"production": "success", "policies": "success", "approvals": "failure"}, run.said
    (comment,) = scenario.github.comments[10]
    for said in (
        "`.github/workflows/preview.yml`, `approvals/allowed_signers`",
        "its own workflows",
        "`security@example.com`",
    ):
        assert said in comment["body"]
