"""Whether a function's or a topic's own policy lets an AWS service in."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

OPERATORS = {"arnlike", "arnequals", "bool", "stringlike", "stringequals"}


def allows(statements: Sequence[Mapping[str, Any]], *, service: str, action: str, source_arn: str | None) -> bool:
    """Whether some statement allows it and none denies it. A condition that isn't understood holds for nobody, nor
    does one on the account: with `SourceAccount` in its permission EventBridge can't invoke a function
    (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-troubleshooting.html). `source_arn` is None where the
    service doesn't say for what it acts.
    """
    context = {"aws:securetransport": "true"} | ({"aws:sourcearn": source_arn} if source_arn else {})
    effects = {
        str(statement["Effect"])
        for statement in statements
        if _names(statement, service) and _covers(statement, action) and _holds(statement, context)
    }
    return effects == {"Allow"}


def _names(statement: Mapping[str, Any], service: str) -> bool:
    principal = statement.get("Principal")
    if isinstance(principal, dict):
        return service in _listed(principal.get("Service")) or "*" in _listed(principal.get("AWS"))
    return principal == "*"


def _covers(statement: Mapping[str, Any], action: str) -> bool:
    return any(fnmatchcase(action.lower(), one.lower()) for one in _listed(statement.get("Action")))


def _holds(statement: Mapping[str, Any], context: Mapping[str, str]) -> bool:
    conditions: Mapping[str, Mapping[str, Any]] = statement.get("Condition") or {}
    return all(
        operator.lower() in OPERATORS
        and any(fnmatchcase(context.get(key.lower(), ""), pattern) for pattern in _listed(values))
        for operator, keys in conditions.items()
        for key, values in keys.items()
    )


def _listed(value: Any) -> list[str]:
    if value is None:
        return []
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]
