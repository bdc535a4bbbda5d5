"""Which rules the pack has: the list of each concern's module."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml
from pulumi_policy import Policy

from policies import access, encryption, functions, monitoring, stack, storage
from policies.analyzer import APPROVAL_POLICY

CONCERNS: Mapping[str, Sequence[Policy]] = {
    "encryption": encryption.POLICIES,
    "access": access.POLICIES,
    "storage": storage.POLICIES,
    "monitoring": monitoring.POLICIES,
    "functions": functions.POLICIES,
    "stack": stack.POLICIES,
    "approval": [APPROVAL_POLICY],
}


def version() -> str:
    """The pack's, which approvals name."""
    described: dict[str, str] = yaml.safe_load((Path(__file__).parent / "PulumiPolicy.yaml").read_text())
    return described["version"]


def all_policies() -> list[Policy]:
    return [policy for policies in CONCERNS.values() for policy in policies]
