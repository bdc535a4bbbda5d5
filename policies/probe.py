"""Whether the stack has a probe that publishes: its function, and everything that makes a schedule call it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pulumi_policy import PolicyResource

from policies.documents import PERMISSION
from policies.functions import LAMBDA

RULE = "aws:cloudwatch/eventRule:EventRule"
TARGET = "aws:cloudwatch/eventTarget:EventTarget"
SCHEDULER = "events.amazonaws.com"


def asked(resources: Sequence[PolicyResource], handler: str, environment: str | None) -> set[str] | None:
    """The edge functions that probes of this environment ask; None where no probe is called."""
    found: set[str] | None = None
    for function in _of(resources, LAMBDA):
        variables: Mapping[str, Any] = (function.get("environment") or {}).get("variables") or {}
        if function.get("handler") != handler or variables.get("PF_ENVIRONMENT") != environment:
            continue
        if _is_called(resources, str(function.get("name"))):
            found = (found or set()) | set(str(variables.get("PF_FUNCTIONS") or "").split())
    return found


def _is_called(resources: Sequence[PolicyResource], function: str) -> bool:
    """By a rule with a schedule that is not switched off, targets it and may invoke it."""
    for rule in _of(resources, RULE):
        name = str(rule.get("name"))
        if (
            rule.get("scheduleExpression")
            and rule.get("state") in (None, "ENABLED")
            and rule.get("isEnabled") is not False
        ):
            targets = any(
                target.get("rule") == name and str(target.get("arn")).endswith(f":function:{function}")
                for target in _of(resources, TARGET)
            )
            admitted = any(
                permission.get("function") == function
                and permission.get("action") == "lambda:InvokeFunction"
                and permission.get("principal") == SCHEDULER
                and not permission.get("sourceAccount")  # which EventBridge doesn't say: it couldn't invoke it
                and str(permission.get("sourceArn") or f":rule/{name}").endswith(f":rule/{name}")
                for permission in _of(resources, PERMISSION)
            )
            if targets and admitted:
                return True
    return False


def _of(resources: Sequence[PolicyResource], type_: str) -> Iterator[Mapping[str, Any]]:
    return (resource.props for resource in resources if resource.resource_type == type_)
