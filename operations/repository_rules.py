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
HOTFIX_BRANCHES = "hotfix/*"


@dataclass(frozen=True, kw_only=True)
class Call:
    """`path` is below the repository."""

    why: str
    method: str
    path: str
    payload: Mapping[str, Any]

    def command(self, repository: str) -> str:
        """For a shell."""
        place = f"repos/{repository}/{self.path}"
        text = json.dumps(self.payload, indent=2)
        return f"gh api --method {self.method} {shlex.quote(place)} --input - <<'JSON'\n{text}\nJSON"


def calls(branch: str) -> Sequence[Call]:
    """In this order. `branch`: the protected one, by its name in the repository."""
    return [
        Call(
            why=f"{branch} takes reviewed changes with green checks only",
            method="POST",
            path="rulesets",
            payload=ruleset(branch),
        ),
        *_environment(DEPLOYS, "jobs of chosen branches alone deploy", (branch, HOTFIX_BRANCHES)),
        *_environment(LOOKS, f"scheduled checks are those of {branch}", (branch,)),
    ]


def _environment(name: str, why: str, branches: Sequence[str]) -> list[Call]:
    """Without reviewers: the watch of a deployment, and a check at night, can't wait for one."""
    path = f"environments/{name}"
    chosen = {"deployment_branch_policy": {"protected_branches": False, "custom_branch_policies": True}}
    return [
        Call(why=why, method="PUT", path=path, payload={**chosen, "reviewers": None, "wait_timer": 0}),
        *(
            Call(
                why=f"jobs of {one} may",
                method="POST",
                path=f"{path}/deployment-branch-policies",
                payload={"name": one, "type": "branch"},
            )
            for one in branches
        ),
    ]


def ruleset(branch: str) -> dict[str, Any]:
    """Nobody bypasses it; a hotfix is deployed from a branch of its own, approved for exactly that release."""
    return {
        "name": f"{branch} is reviewed",
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
                    "required_status_checks": [{"context": name} for name in REQUIRED_CHECKS],
                    "strict_required_status_checks_policy": True,
                },
            },
        ],
    }
