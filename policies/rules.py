"""Which rules the pack has: the lists of one module per concern."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml
from pulumi_policy import Policy

from policies.analyzer import APPROVAL_POLICY

CONCERNS: Mapping[str, Sequence[Policy]] = {
    "approval": [APPROVAL_POLICY],
}


def version() -> str:
    """The pack's, which approvals name."""
    described: dict[str, str] = yaml.safe_load((Path(__file__).parent / "PulumiPolicy.yaml").read_text())
    return described["version"]


def all_policies() -> list[Policy]:
    return [policy for policies in CONCERNS.values() for policy in policies]
