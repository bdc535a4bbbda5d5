"""One table a policy: what it says to inputs that comply, violate, are missing, not its business, or not yet known."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from pulumi_policy import (
    Policy,
    PolicyCustomTimeouts,
    PolicyResource,
    PolicyResourceOptions,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.policy import _NotApplicableError  # pyright: ignore[reportPrivateUsage]
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, UnknownValueError, unknown_checking_proxy

from policies.rules import all_policies

UNKNOWN = UNKNOWN_STRING_VALUE
COMPLIANT, VIOLATING, MISSING = "compliant", "violating", "missing"
NOT_APPLICABLE, NOT_KNOWN = "not applicable", "unknown"
ACCOUNT = "123456789012"
CONFIG = {
    "parker-flight:environment": "sandbox",
    "parker-flight:awsAccountId": ACCOUNT,
    "parker-flight:contacts": json.dumps(
        {
            role: {"name": role, "email": f"{role}@example.com"}
            for role in ("devops", "devops-lead", "incident-commander", "security")
        }
    ),
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """`said` stands in the one message of a violation, or is the property that isn't known."""

    verdict: str
    type: str
    props: Mapping[str, Any]
    said: str = ""
    protect: bool = True
    config: Mapping[str, str | None] = field(default_factory=dict[str, str | None])
    beside: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])  # by type


Table = Mapping[str, list[Row]]


def cases(table: Table) -> list[Any]:
    """For pytest.mark.parametrize(("policy", "row"), …)."""
    return [
        pytest.param(policy, row, id=f"{policy}-{number}-{row.verdict.replace(' ', '-')}")
        for policy, rows in table.items()
        for number, row in enumerate(rows, 1)
    ]


def verdicts(table: Table) -> dict[str, set[str]]:
    return {policy: {row.verdict for row in rows} for policy, rows in table.items()}


def check(policy: str, row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    config = {**CONFIG, **row.config}
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps({key: value for key, value in config.items() if value is not None}))
    verdict, messages = judge(policy, row)
    expected = VIOLATING if row.verdict == MISSING else row.verdict
    assert verdict == expected, messages
    if messages:
        (message,) = messages
        assert row.said in message, message
        assert message.startswith("it: ") or "parker-flight:" in message or verdict == NOT_KNOWN, "it doesn't say where"


def judge(policy: str, row: Row) -> tuple[str, list[str]]:
    """The verdict with its messages; for an unknown value the message is the property."""
    (rule,) = [each for each in all_policies() if each.name == policy]
    messages: list[str] = []

    def report(message: str, _urn: str | None = None) -> None:
        messages.append(message)

    try:
        _validate(rule, row, report)
    except _NotApplicableError:
        return NOT_APPLICABLE, []
    except UnknownValueError as error:
        return NOT_KNOWN, [".".join(error.props)]
    return VIOLATING if messages else COMPLIANT, messages


def _validate(rule: Policy, row: Row, report: ReportViolation) -> None:
    options = PolicyResourceOptions(row.protect, [], None, [], PolicyCustomTimeouts(0, 0, 0), [])
    if isinstance(rule, ResourceValidationPolicy):
        props = unknown_checking_proxy(dict(row.props))
        rule.validate(ResourceValidationArgs(row.type, props, "urn", "it", options, None), report)
        return
    assert isinstance(rule, StackValidationPolicy)
    resources = [
        PolicyResource(type_, unknown_checking_proxy(dict(props)), "urn", "it", options, None, None, [], {})
        for type_, props in [(row.type, row.props), *row.beside.items()]
    ]
    rule.validate(StackValidationArgs(resources), report)


def document(*statements: Mapping[str, Any], **changes: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements), **changes})
