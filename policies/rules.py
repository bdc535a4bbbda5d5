"""Which rules the pack has: the lists of one module per concern."""

from collections.abc import Mapping, Sequence

from pulumi_policy import Policy

from policies.analyzer import APPROVAL_POLICY

CONCERNS: Mapping[str, Sequence[Policy]] = {
    "approval": [APPROVAL_POLICY],
}


def all_policies() -> list[Policy]:
    return [policy for policies in CONCERNS.values() for policy in policies]
