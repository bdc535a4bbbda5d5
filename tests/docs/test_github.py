"""What GitHub reads of this repository: whose review a change needs, and which packages are kept up to date."""

import subprocess
from pathlib import PurePosixPath

import pytest
import yaml

from tests.e2e.checkout import ROOT

pytestmark = pytest.mark.rows("C2")

OWNERS, UPDATES = ROOT / ".github/CODEOWNERS", ROOT / ".github/dependabot.yml"
ECOSYSTEMS = {"uv.lock": "uv", "bootstrap.txt": "pip", "package.json": "npm", "go.mod": "gomod"}
SENSITIVE = ("policies", "gate", "approvals", "bootstrap", ".github", "toolchain")


def test_what_decides_over_deployments_is_reviewed_by_security() -> None:
    lines = [line.split() for line in OWNERS.read_text().splitlines() if line and not line.startswith("#")]
    owners = {path: names for path, *names in lines}
    assert lines[0] == ["*", "@parker-flight/devops"], "the last line that fits counts: the general one stands first"
    assert all(owners[f"/{folder}/"] == ["@parker-flight/security"] for folder in SENSITIVE)
    gone = [path for path in owners if path != "*" and not (ROOT / path.strip("/")).exists()]
    assert gone == []


def test_every_list_of_packages_is_kept_up_to_date() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    wanted = {
        (ECOSYSTEMS[path.name], f"/{path.parent}".rstrip("."))
        for path in map(PurePosixPath, listed)
        if path.name in ECOSYSTEMS
    }
    watched = {(one["package-ecosystem"], one["directory"]) for one in yaml.safe_load(UPDATES.read_text())["updates"]}
    assert watched == wanted | {("github-actions", "/")}
