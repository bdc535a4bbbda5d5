"""Which rules the pack has: the list of each concern's module."""

from collections.abc import Mapping, Sequence

from pulumi_policy import Policy

from policies import access, encryption, functions, monitoring, stack
from policies.analyzer import APPROVAL_POLICY

CONCERNS: Mapping[str, Sequence[Policy]] = {
    "encryption": encryption.POLICIES,
    "access": access.POLICIES,
    "monitoring": monitoring.POLICIES,
    "functions": functions.POLICIES,
    "stack": stack.POLICIES,
    "approval": [APPROVAL_POLICY],
}


def all_policies() -> list[Policy]:
    return [policy for policies in CONCERNS.values() for policy in policies]
