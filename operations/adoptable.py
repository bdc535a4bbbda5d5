"""What is live before the program's first deployment, as it was found; nothing is guessed.

Each thing is taken over as it is (a setting says so), or written over by its name, or left beside the program. What an
import would have to replace, or leaves two things that could be meant, is a problem and no finding.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from pydantic import BaseModel

from operations.aws import AwsError, code_of, explained
from operations.errors import OperationError
from operations.found import GONE
from operations.stack import Stack

T = TypeVar("T")
Values = dict[str, str | bool | dict[str, str]]


class Plan(StrEnum):
    """What a deployment does with what is there."""

    IMPORT = "import"
    REPLACE = "replace content"
    MAKE = "make new"
    LEAVE = "leave"


class Finding(BaseModel):
    """`changes` happen to it in place; `advice` says what the program leaves as it is, `command` what mends that."""

    what: str
    name: str
    plan: Plan
    changes: list[str] = []
    advice: str = ""
    command: str = ""


@dataclass(kw_only=True)
class Found:
    """`values` are the settings that take it over, by their names without the namespace."""

    findings: list[Finding] = field(default_factory=list[Finding])
    values: Values = field(default_factory=dict[str, "str | bool | dict[str, str]"])
    problems: list[OperationError] = field(default_factory=list[OperationError])


def lost(what: str, policy: Mapping[str, Any], account: str, kept: str) -> list[str]:
    """Who is named in a policy that the program's takes the place of."""
    own = {f"arn:aws:iam::{account}:root", account, kept}
    named = sorted(set(_principals(policy)) - own)
    return [f"{what}: {', '.join(named)}"] if named else []


def _principals(policy: Mapping[str, Any]) -> Iterator[str]:
    statements = policy.get("Statement", [])
    for statement in statements if isinstance(statements, list) else [statements]:
        principal = statement.get("Principal", {})
        values = principal.values() if isinstance(principal, dict) else [principal]
        for value in values:
            yield from value if isinstance(value, list) else [value]


def asked(stack: Stack, doing: str, question: Callable[[], T]) -> T | None:
    """None where there is no such thing. Raises: OperationError where AWS doesn't say."""
    try:
        return question()
    except AwsError as error:
        if code_of(error) in GONE:
            return None
        raise _not_said(error, stack, doing) from error


def there(stack: Stack, doing: str, question: Callable[[], T]) -> T:
    """Raises: OperationError where AWS doesn't say."""
    try:
        return question()
    except AwsError as error:
        raise _not_said(error, stack, doing) from error


def _not_said(error: BaseException, stack: Stack, doing: str) -> OperationError:
    found = explained(error, stack, doing)
    if code_of(error) in ("AccessDenied", "AccessDeniedException"):  # the deploying role knows what the program makes
        found.cure = "Take over what is live as somebody who administers the account."
    return found
