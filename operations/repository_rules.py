"""What GitHub has to be told once about the repository: its branch's rules, and the environments of its jobs.

Each is one call of its REST API, printed as `gh` takes it. A review of the code is asked for here; who approves a
change of the infrastructure is the approval gate's to say, since an environment takes the word of one reviewer only.
"""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

DEPLOYS, LOOKS = "production", "operations"  # which the deploying role trusts, and that of the scheduled checks
REQUIRED_CHECKS = ("test", "policies", "approvals")
GITHUB_ACTIONS = 15368  # the app's id: else anybody who may push can give a commit a check of that name
HOTFIX_BRANCHES = "hotfix/*"
CHOSEN = {"protected_branches": False, "custom_branch_policies": True}
MAINTAIN, ADMIN = 2, 5  # GitHub's own roles in a repository, by their ids


@dataclass(frozen=True, kw_only=True)
class Call:
    """`path` is below the repository."""

    why: str
    method: str
    path: str
    payload: Mapping[str, Any] | None = None

    def command(self, repository: str) -> str:
        """For a shell."""
        words = f"gh api --method {self.method} {shlex.quote(f'repos/{repository}/{self.path}')}"
        if self.payload is None:
            return words
        return f"{words} --input - <<'JSON'\n{json.dumps(self.payload, indent=2)}\nJSON"


@dataclass(frozen=True, kw_only=True)
class Environment:
    """Without reviewers: the watch of a deployment, and a check at night, can't wait for one."""

    name: str
    why: str
    branches: Sequence[str]  # whose jobs may be in it

    @property
    def path(self) -> str:
        return f"environments/{self.name}"

    @property
    def made(self) -> Call:
        return Call(
            why=self.why,
            method="PUT",
            path=self.path,
            payload={"deployment_branch_policy": CHOSEN, "reviewers": None, "wait_timer": 0},
        )

    def admitting(self, branch: str) -> Call:
        path = f"{self.path}/deployment-branch-policies"
        return Call(why=f"jobs of {branch} may", method="POST", path=path, payload={"name": branch, "type": "branch"})


def environments(branch: str) -> Sequence[Environment]:
    """`branch`: the protected one, by its name in the repository."""
    return [
        Environment(name=DEPLOYS, why="jobs of chosen branches alone deploy", branches=(branch, HOTFIX_BRANCHES)),
        Environment(name=LOOKS, why=f"scheduled checks are those of {branch}", branches=(branch,)),
    ]


def rulesets(branch: str) -> Sequence[Mapping[str, Any]]:
    """That of the protected branch last: from then on nobody pushes to it."""
    return [_hotfixes(), _protected(branch)]


def sent(ruleset: Mapping[str, Any], number: int | None = None) -> Call:
    """`number`: of the one that is there already."""
    return Call(
        why=str(ruleset["name"]),
        method="PUT" if number else "POST",
        path=f"rulesets/{number}" if number else "rulesets",
        payload=ruleset,
    )


def _hotfixes() -> dict[str, Any]:
    """A job of such a branch may deploy before anybody has reviewed it: whoever may push there has that right."""
    return {
        "name": "maintainers alone push a hotfix",
        "target": "branch",
        "enforcement": "active",
        "bypass_actors": [
            {"actor_id": role, "actor_type": "RepositoryRole", "bypass_mode": "always"} for role in (MAINTAIN, ADMIN)
        ],
        "conditions": {"ref_name": {"include": [f"refs/heads/{HOTFIX_BRANCHES}"], "exclude": []}},
        "rules": [{"type": "creation"}, {"type": "update"}, {"type": "deletion"}, {"type": "non_fast_forward"}],
    }


def _protected(branch: str) -> dict[str, Any]:
    """Nobody bypasses it; a hotfix is deployed from a branch of its own, approved for exactly that release."""
    return {
        "name": f"{branch} takes reviewed changes with green checks only",
        "target": "branch",
        "enforcement": "active",
        "bypass_actors": [],
        "conditions": {"ref_name": {"include": [f"refs/heads/{branch}"], "exclude": []}},
        "rules": [
            {"type": "deletion"},
            {"type": "non_fast_forward"},
            {
                "type": "pull_request",
                "parameters": {
                    "dismiss_stale_reviews_on_push": True,
                    "require_code_owner_review": True,
                    "require_last_push_approval": True,
                    "required_approving_review_count": 1,
                    "required_review_thread_resolution": True,
                },
            },
            {
                "type": "required_status_checks",
                "parameters": {
                    "required_status_checks": [
                        {"context": name, "integration_id": GITHUB_ACTIONS} for name in REQUIRED_CHECKS
                    ],
                    "strict_required_status_checks_policy": True,
                },
            },
        ],
    }
