"""The settings and secrets that the CI jobs need: which, where each comes from, the command that sets it.

Values of secrets are never known here: `gh secret set` asks for them, or takes them from a pipe.
"""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from operations.github import GitHub
from operations.repository_rules import DEPLOYS, LOOKS

SUPABASE = {
    "SUPABASE_ACCESS_TOKEN": "Account, Access Tokens",
    "SUPABASE_ANON_KEY": "Project Settings, API",
    "SUPABASE_SERVICE_ROLE_KEY": "Project Settings, API",
}


@dataclass(frozen=True, kw_only=True)
class Setting:
    """`value`: where `pf bootstrap` knows it. `secret`: GitHub shows it to nobody. `environment`: else every job's."""

    name: str
    source: str
    value: str = ""
    secret: bool = False
    environment: str = ""

    @property
    def title(self) -> str:
        """Two environments may want the same."""
        return f"{self.name} ({self.environment})" if self.environment else self.name

    @property
    def place(self) -> str:
        """The path below the repository at which GitHub lists it."""
        kind = "secrets" if self.secret else "variables"
        return f"environments/{self.environment}/{kind}" if self.environment else f"actions/{kind}"

    def command(self, repository: str) -> str:
        kind = "secret" if self.secret else "variable"
        words = ["gh", kind, "set", self.name, "--repo", repository]
        words += ["--env", self.environment] if self.environment else []
        words += [] if self.secret else ["--body", self.value or "VALUE"]
        return shlex.join(words)


def settings(
    *, backend_url: str, reports: str, preview_role: str, deploy_role: str, check_role: str, supabase_url: str
) -> Sequence[Setting]:
    """`supabase_url`: the project's, where it has a domain of its own: part of what is approved."""
    made = "./pf bootstrap made it"
    return [
        Setting(name="PULUMI_BACKEND_URL", source=made, value=backend_url),
        Setting(name="PF_REPORTS", source=made, value=reports),
        *([Setting(name="SUPABASE_URL", source="the stack's environment", value=supabase_url)] if supabase_url else []),
        Setting(name="AWS_PREVIEW_ROLE_ARN", source=made, value=preview_role),
        Setting(name="AWS_DEPLOY_ROLE_ARN", source=made, value=deploy_role, environment=DEPLOYS),
        Setting(name="AWS_CHECK_ROLE_ARN", source=made, value=check_role, environment=LOOKS),
        *(
            Setting(name=name, source=f"Supabase's dashboard, {where}", secret=True, environment=environment)
            for environment in (DEPLOYS, LOOKS)
            for name, where in SUPABASE.items()
        ),
    ]


def missing(wanted: Sequence[Setting], github: GitHub) -> Sequence[Setting]:
    """Those that GitHub doesn't have, by name. Raises: OperationError where it can't be asked."""
    there = {place: github.names(place) for place in sorted({one.place for one in wanted})}
    return [one for one in wanted if one.name not in there[one.place]]
