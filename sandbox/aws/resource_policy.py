"""Whether a function's or a topic's own policy lets an AWS service in."""

from collections.abc import Sequence

from sandbox.aws.statements import Statement, covers, holds, listed


def allows(statements: Sequence[Statement], *, service: str, action: str, source_arn: str | None) -> bool:
    """Whether some statement allows it and none denies it. A condition that isn't understood holds for nobody, nor
    does one on the account: with `SourceAccount` in its permission EventBridge can't invoke a function
    (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-troubleshooting.html). `source_arn` is None where the
    service doesn't say for what it acts.
    """
    context = {"aws:securetransport": ["true"]} | ({"aws:sourcearn": [source_arn]} if source_arn else {})
    effects = {
        str(statement["Effect"])
        for statement in statements
        if _names(statement, service) and covers(statement, action) and holds(statement, context)
    }
    return effects == {"Allow"}


def _names(statement: Statement, service: str) -> bool:
    principal = statement.get("Principal")
    if isinstance(principal, dict):
        return service in listed(principal.get("Service")) or "*" in listed(principal.get("AWS"))
    return principal == "*"
