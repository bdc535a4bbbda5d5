"""The workflows run for real, by act, on this machine: pull requests against a sandbox that plays production."""

import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from operations.repository_rules import REQUIRED_CHECKS
from tests.ci.github import REPOSITORY, Commit, GitHub
from tests.ci.tools import built
from tests.e2e.checkout import Checkout
from toolchain import paths

GIT = ("git", "-c", "user.name=Dev", "-c", "user.email=dev@example.com")
ACTIONS = Path(__file__).parent / "actions"
WORKFLOWS = paths.ROOT / ".github/workflows"
USED = re.compile(r"uses: ([\w-]+/([\w-]+)[\w/-]*@[0-9a-f]{40})")
SECONDS = 120
SECRETS = ("SUPABASE_ACCESS_TOKEN", "SUPABASE_ANON_KEY", "SUPABASE_SERVICE_ROLE_KEY")
USER = {"login": "dev", "type": "User"}
OWNER = REPOSITORY.partition("/")[0]


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a run of a workflow ended with, for each of its jobs, and what its steps printed."""

    jobs: Mapping[str, str]
    said: str

    @property
    def verdicts(self) -> str:
        return ", ".join(f"{job} {result}" for job, result in self.jobs.items())


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A checkout that plays both the developers' clone and, by its sandbox, production; `origin` plays GitHub's git."""

    checkout: Checkout
    github: GitHub
    folder: Path
    unset: set[str] = field(default_factory=set[str])  # variables that nobody has set on GitHub

    @property
    def origin(self) -> Path:
        return self.folder / "origin.git"

    @property
    def artefacts(self) -> Path:
        return self.folder / "artefacts"

    def git(self, *arguments: str) -> str:
        return self.checkout.run(*GIT, *arguments).stdout.strip()

    def pf(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        given = {"PF_STACK": "production", "GITHUB_TOKEN": "a-token", "GITHUB_API_URL": self.github.url}
        return self.checkout.pf(*arguments, check=check, environment=given)

    def commit(self, message: str, branch: str) -> str:
        """Commit all, push it, and return the commit."""
        self.git("add", "-A")
        self.git("commit", "-qm", message)
        return self.push(branch)

    def push(self, branch: str) -> str:
        """As it is here; main takes only what passed, as GitHub's rules have it. Returns the commit."""
        self.git("push", "-q", "origin", f"HEAD:refs/heads/{branch}")
        self.git("fetch", "-q", "origin")
        head = self.git("rev-parse", "HEAD")
        if branch == "main":
            self.checked(head, **dict.fromkeys(REQUIRED_CHECKS, "success"))
        return head

    def checked(self, commit: str, **checks: str) -> None:
        """What GitHub says of a commit from now on."""
        self.github.commits[commit] = Commit(tree=self.git("rev-parse", f"{commit}^{{tree}}"), checks={**checks})

    def merge(self, branch: str) -> str:
        """A reviewed pull request, whose checks were those of its last commit."""
        self.git("checkout", "-q", "main")
        self.git("merge", "-q", "--no-ff", "-m", "merged", branch)
        merged = self.push("main")
        known = self.github.commits[merged]
        known.checks, known.merged = {}, [self.git("rev-parse", branch)]
        return merged

    def revert(self) -> str:
        self.git("revert", "--no-edit", "HEAD")
        return self.push("main")

    def signed(self, *roles: str) -> None:
        """The change in the checkout is approved by the demo people of these roles."""
        surface = json.loads(self.pf("approvals", "--json").stdout)["surface"][:12]
        for role in roles:
            key = self.checkout.state / "sandbox/people" / role
            self.pf("approve", "--key", str(key), "--role", role, "--reason", "a test", "--confirm", surface)

    def pull_request(self, number: int, branch: str, *, repository: str = REPOSITORY) -> dict[str, Any]:
        """Opened, or pushed to again: the event that GitHub sends, for what the branch holds now."""
        owner, head = repository.partition("/")[0], self.git("rev-parse", f"origin/{branch}")
        self.github.pulls[:] = [one for one in self.github.pulls if one["number"] != number]
        self.github.pulls.append({"number": number, "label": f"{owner}:{branch}", "head": {"sha": head}, "user": USER})
        self.github.files[number] = self.git("diff", "--name-only", f"origin/main...{head}").splitlines()
        base = self.git("rev-parse", "origin/main")
        return {
            "action": "synchronize",
            "number": number,
            "pull_request": {
                "number": number,
                "user": USER,
                "head": {"sha": head, "ref": branch, "repo": {"full_name": repository}},
                "base": {"sha": base, "ref": "main", "repo": {"full_name": REPOSITORY}},
            },
        }

    def previewed(self, event: Mapping[str, Any], *, world: bool = True) -> Run:
        """Both workflows of a pull request: the preview, and the comment that follows it."""
        run = self.run("preview", "pull_request", event, world=world)
        head = event["pull_request"]["head"]
        self.checked(head["sha"], **{**run.jobs, "test": "success"})
        owner = {"login": head["repo"]["full_name"].partition("/")[0], "type": "User"}
        self.run(
            "comment",
            "workflow_run",
            {
                "action": "completed",
                "workflow_run": {
                    "id": 1,
                    "head_sha": head["sha"],
                    "head_branch": head["ref"],
                    "head_repository": {"full_name": head["repo"]["full_name"], "owner": owner},
                    "html_url": "https://github.example/run/1",
                },
            },
        )
        return run

    def pushed(self) -> Run:
        """What a push to main starts."""
        head = self.git("rev-parse", "origin/main")
        return self.run("deploy", "push", {"ref": "refs/heads/main", "after": head}, SECRETS)

    def run(
        self, workflow: str, name: str, event: Mapping[str, Any], secrets: Sequence[str] = (), *, world: bool = True
    ) -> Run:
        """Run a workflow as origin/main has it, for an event. `world`: credentials and addresses of the sandbox."""
        folder = self.folder / "here"
        if not folder.exists():
            self.checkout.run("git", "clone", "-q", str(self.origin), str(folder))
        self.checkout.run("git", "-C", str(folder), "fetch", "-q", "origin")
        self.checkout.run("git", "-C", str(folder), "reset", "-q", "--hard", "origin/main")
        self.artefacts.mkdir(exist_ok=True)
        file = self.folder / "event.json"
        file.write_text(json.dumps({"repository": {"full_name": REPOSITORY, "owner": {"login": OWNER}}, **event}))
        done = subprocess.run(
            [
                *(str(built("act")), name, "--json", "--workflows", f".github/workflows/{workflow}.yml"),
                *("--platform", "ubuntu-latest=-self-hosted", "--no-skip-checkout", "--eventpath", str(file)),
                *("--actor", "dev", "--action-offline-mode", "--no-cache-server"),
                *self._replaced(),
                *self._given(secrets, world=world),
            ],
            cwd=folder,
            env={name: value for name, value in self.checkout.shell.items() if name != "PF_STATE"},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        entries = [entry for line in done.stdout.splitlines() if (entry := _entry(line))]
        return Run(
            jobs={str(one["jobID"]): str(one["jobResult"]) for one in entries if one.get("jobResult")},
            said="".join(str(one["msg"]) for one in entries if one.get("raw_output") or one.get("command"))
            + done.stderr,
        )

    def _replaced(self) -> list[str]:
        """Each action of others, by one of this machine."""
        texts = [file.read_text() for file in (WORKFLOWS.parent).rglob("*.yml")]
        found = {match.groups() for text in texts for match in USED.finditer(text)}
        words: list[str] = []
        for used, name in sorted(found):
            folder = ACTIONS / name if (ACTIONS / name).exists() else ACTIONS / "nothing"
            words += ["--local-repository", f"{used}={folder}"]
        return words

    def _given(self, secrets: Sequence[str], *, world: bool) -> list[str]:
        """GitHub's variables and secrets, and the sandbox in place of what a job finds in the world."""
        own = self.checkout.environment
        hidden = set(SECRETS)
        variables = {
            "PULUMI_BACKEND_URL": own["PULUMI_BACKEND_URL"],
            "PF_REPORTS": (self.folder / "reports").as_uri(),
            **{
                f"AWS_{job.upper()}_ROLE_ARN": f"arn:aws:iam::123456789012:role/{job}"
                for job in ("preview", "deploy", "check")
            },
        }
        found = {name: value for name, value in own.items() if world and name not in hidden | variables.keys()} | {
            "TEST_ORIGIN": str(self.origin),
            "PF_CACHE": str(paths.cache()),
            "TEST_PACKAGES": str(paths.ROOT / ".venv"),
            "TEST_ARTEFACTS": str(self.artefacts),
            "GITHUB_API_URL": self.github.url,
            "GITHUB_REPOSITORY": REPOSITORY,
        }
        known = {**{name: own[name] for name in secrets}, "GITHUB_TOKEN": "a-token"}
        words = [word for name, value in known.items() for word in ("--secret", f"{name}={value}")]
        told = {name: value for name, value in variables.items() if name not in self.unset}
        words += [word for name, value in told.items() for word in ("--var", f"{name}={value}")]
        return words + [word for name, value in found.items() for word in ("--env", f"{name}={value}")]


def _entry(line: str) -> dict[str, Any]:
    """A line of act's log; empty for what is none."""
    try:
        return json.loads(line)
    except ValueError:
        return {}


def plays_production(checkout: Checkout) -> None:
    """Its sandbox is the stack `production` from now on, with approvals in git and main as the protected branch."""
    for name in ("allowed_signers", "revoked_keys"):
        text = (checkout.state / "sandbox/approvals" / name).read_text()
        (checkout.root / "approvals" / name).write_text(text)
    sandbox = checkout.root / "Pulumi.sandbox.yaml"
    settings = yaml.safe_load(sandbox.read_text())
    settings["config"] |= {"parker-flight:protectedBranch": "origin/main", "parker-flight:repository": REPOSITORY}
    (checkout.root / "Pulumi.production.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
    sandbox.unlink()
    variables = checkout.state / "sandbox.env"
    lines = [line for line in variables.read_text().splitlines() if not line.startswith("PF_APPROVALS=")]
    variables.write_text("\n".join(lines) + "\n")
    (checkout.state / "production.env").write_text("\n".join(lines) + "\n")
    (checkout.state / "production.env").chmod(0o600)
