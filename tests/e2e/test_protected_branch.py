"""A stack with a protected branch: what isn't merged is a hotfix, and signers count as the branch has them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from tests.ci.github import REPOSITORY, GitHub
from tests.e2e.checkout import Checkout, new_checkout

pytestmark = pytest.mark.rows("K5", "C1", "C2")

GIT = ("git", "-c", "user.name=Dev", "-c", "user.email=dev@example.com")
ENTRY = "supabase/functions/encrypt-data/index.ts"


def commit(checkout: Checkout, message: str, *, push: bool) -> None:
    checkout.run(*GIT, "add", "-A")
    checkout.run(*GIT, "commit", "-qm", message)
    if push:
        checkout.run(*GIT, "push", "-q", "origin", "HEAD:main")


def change(checkout: Checkout, text: str) -> None:
    file = checkout.root / ENTRY
    file.write_text(f"// {text}\n{file.read_text()}")


def sign(checkout: Checkout, role: str, *arguments: str, check: bool = True) -> str:
    asked = json.loads(checkout.pf("approvals", "--json").stdout)
    digest = asked["release" if "--hotfix" in arguments else "surface"][:12]
    key = checkout.state / "sandbox/people" / role
    command = ("approve", "--key", str(key), "--reason", "a test", "--confirm", digest, *arguments)
    done = checkout.pf(*command, check=check)
    return done.stdout + done.stderr


def denial(checkout: Checkout) -> str:
    done = checkout.pulumi("preview", "--non-interactive", check=False)
    assert done.returncode != 0
    return " ".join((done.stdout + done.stderr).split())


@pytest.fixture(scope="module")
def protected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """The sandbox with the approvals in git and main as its protected branch, deployed from main."""
    with new_checkout() as checkout, HTTPServer() as server:
        checkout.pf("sandbox", "up")
        _keep_approvals_in_git(checkout, tmp_path_factory.mktemp("origin"), GitHub(server=server).url)
        checkout.pf("signers", "confirm", "--confirm", "sandbox")
        for role in ("security", "devops"):
            sign(checkout, role)
        commit(checkout, "approved", push=True)
        checkout.pf("deploy")
        yield checkout


def _keep_approvals_in_git(checkout: Checkout, origin: Path, github_url: str) -> None:
    for name in ("allowed_signers", "revoked_keys"):
        text = (checkout.state / "sandbox/approvals" / name).read_text()
        (checkout.root / "approvals" / name).write_text(text)
    settings = checkout.root / "Pulumi.sandbox.yaml"
    with_branch = f"config:\n  parker-flight:protectedBranch: origin/main\n  parker-flight:repository: {REPOSITORY}"
    settings.write_text(settings.read_text().replace("config:", with_branch, 1))
    variables = checkout.state / "sandbox.env"
    lines = [line for line in variables.read_text().splitlines() if not line.startswith("PF_APPROVALS=")]
    lines += ["GITHUB_TOKEN=a-token", f"GITHUB_API_URL={github_url}"]
    variables.write_text("\n".join(lines) + "\n")
    checkout.run("git", "init", "-q", "--bare", str(origin))
    checkout.run("git", "init", "-q", "-b", "main")
    checkout.run("git", "remote", "add", "origin", str(origin))
    commit(checkout, "the program", push=True)
    checkout.run("git", "fetch", "-q", "origin")


@pytest.mark.drill
@pytest.mark.rows("D2", "D4")
def test_what_is_merged_deploys_and_what_is_not_is_a_hotfix_of_one_release(protected: Checkout) -> None:
    change(protected, "merged")
    commit(protected, "a feature", push=True)
    protected.pulumi("preview", "--non-interactive")
    refused = protected.pf("deploy", check=False)  # of this commit GitHub knows nothing
    assert "can't be told: GitHub answered 404" in refused.stderr

    stood = protected.standing()
    change(protected, "X")
    assert "that is a hotfix" in denial(protected)  # uncommitted
    refused = protected.pf("deploy", check=False)
    assert "uncommitted changes" in refused.stderr
    commit(protected, "a hotfix", push=False)
    message = denial(protected)
    assert "devops-lead: devops-lead@example.com" in message
    sign(protected, "devops-lead", "--hotfix")
    refused = protected.pf("deploy", check=False)
    assert "git push -u origin HEAD" in refused.stderr
    protected.run("git", "push", "-q", "origin", "HEAD:refs/heads/hotfix-x")
    refused = protected.pf("deploy", "--hotfix", check=False)
    assert "a hotfix needs a reason" in refused.stderr
    assert protected.standing() == stood
    protected.pf("deploy", "--hotfix", "--reason", "X is on fire")
    said = json.loads(protected.pf("report", "latest", "--json").stdout)
    assert said["change"] == "hotfix"
    assert [(one["role"], one["by"]) for one in said["approvals"]] == [("devops-lead", "devops-lead@example.com")]
    assert 0 < said["api_calls"]["count"] < said["api_calls"]["limit_per_minute"]

    change(protected, "Y")
    commit(protected, "another one", push=False)
    message = denial(protected)
    assert "is for the release" in message
    protected.run("git", "reset", "-q", "--hard", "origin/main")
    protected.run("git", "checkout", "-q", "ORIG_HEAD", "--", "approvals/sandbox")

    # The release before it is on the protected branch, as its files prove; the hotfix comes back by its own approval.
    before = json.loads(protected.pf("report", "latest", "--json").stdout)["version_before"]
    protected.pf("rollback", "--version", str(before), "--reason", "the hotfix made it worse")
    protected.pf("unblock", str(before + 1), "--reason", "it didn't")
    protected.pf("rollback", "--version", str(before + 1), "--reason", "it was right after all")
    protected.pf("unblock", str(before + 2), "--reason", "the other tests")
    protected.pf("rollback", "--reason", "leave it as it was")


@pytest.mark.drill
def test_signers_that_the_change_brings_along_do_not_count(protected: Checkout) -> None:
    """A developer adds their own key as security and devops, and approves the change with it."""
    key = protected.state / "intruder"
    protected.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key))
    public = " ".join(key.with_suffix(".pub").read_text().split()[:2])
    file = protected.root / "approvals/allowed_signers"
    namespaces = "security@parker-flight,devops@parker-flight"
    file.write_text(f'{file.read_text()}mallory@example.com namespaces="{namespaces}" {public}\n')
    commit(protected, "a new colleague", push=True)
    message = denial(protected)
    assert "devops: devops@example.com" in message, message
    refused = protected.pf("approve", "--key", str(key), "--reason", "x", "--confirm", "x", check=False)
    assert refused.returncode != 0
    assert "is no signer's key" in refused.stderr
    for role in ("security", "devops"):  # the signers before the change may let it in
        sign(protected, role)
    protected.pulumi("up", "--yes", "--non-interactive")
    assert "mallory@example.com" in protected.pf("signers", "list").stdout


@pytest.mark.drill
def test_a_record_that_somebody_forged_makes_nobody_a_signer(protected: Checkout) -> None:
    (record,) = (protected.state / "sandbox/pulumi/.parker-flight").rglob("live.json")
    before = record.read_text()
    forged = json.loads(before) | {"signers": "0" * 64}
    record.write_text(json.dumps(forged))
    assert "the gate's record of the signers is not what" in denial(protected)
    record.write_text(before)


@pytest.mark.drill
def test_a_protected_stack_is_not_updated_without_its_pack(protected: Checkout) -> None:
    shell = 'eval "$(./pf env)"; unset PULUMI_OPTION_POLICY_PACK; exec pulumi up --yes --skip-preview'
    refused = protected.run("sh", "-c", shell, check=False)
    assert refused.returncode != 0
    assert "changes under its policy pack only" in refused.stdout + refused.stderr
