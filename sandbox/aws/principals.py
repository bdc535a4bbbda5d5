"""Whom policies name: roles and users that are there, and are seen already."""

import json
import re
from collections.abc import Iterator
from typing import Any

from sandbox.aws import statements

PRINCIPAL = re.compile(r"arn:aws[\w-]*:iam::(?P<account>\d{12}):(?P<kind>role|user)/.+")


def unknown(policy: str | None) -> list[str]:
    """The ARNs of those that it names and nobody finds.

    Raises:
        json.JSONDecodeError: it is no JSON.
    """
    return [one[0] for one in _principals(policy) if not exists(one)]


def exists(principal: re.Match[str]) -> bool:
    from moto.iam.exceptions import NotFoundException
    from moto.iam.models import iam_backends

    iam = iam_backends[principal["account"]]["aws"]
    if principal["kind"] == "user":
        return any(one.arn == principal[0] for one in iam.users.values())
    try:
        iam.get_role_by_arn(principal[0])
    except NotFoundException:
        return False
    return True


def _principals(policy: str | None) -> Iterator[re.Match[str]]:
    for statement in statements.of(json.loads(policy)) if policy else ():
        principal: Any = statement.get("Principal")
        for arn in statements.listed(principal.get("AWS") if isinstance(principal, dict) else None):
            if found := PRINCIPAL.fullmatch(arn):
                yield found
