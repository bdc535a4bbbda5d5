"""IAM's decision over one call: by the policy of what it is about, the caller's own policies and its boundary."""

import json
from typing import Any

from sandbox.aws import statements
from sandbox.aws.callers import Caller
from sandbox.aws.statements import Context, Statement, covers, holds, listed


def refusal(caller: Caller, action: str, resource: str, policy: str, context: Context) -> str:
    """In the words of AWS; empty where it is allowed. `policy` is the resource's, which may leave it to the account:
    then the caller's own have to allow it too. Whom it names itself needs none.
    """
    the_account = {caller.account, f"arn:aws:iam::{caller.account}:root"}
    the_caller = {caller.principal, caller.arn, "*"}
    about = [
        (one, _principals(one))
        for one in statements.of(json.loads(policy))
        if covers(one, action) and holds(one, context)
    ]
    kinds = {
        "identity-based policy": _about(caller.own, action, resource, context),
        "resource-based policy": [one for one, named in about if named & (the_account | the_caller)],
    }
    if caller.boundary is not None:
        kinds["permissions boundary"] = _about(caller.boundary, action, resource, context)
    for kind, found in kinds.items():
        if any(one["Effect"] == "Deny" for one in found):
            return f"with an explicit deny in {'an' if kind[0] == 'i' else 'a'} {kind}"
    if any(named & the_caller for _, named in about):
        del kinds["identity-based policy"]
    lacking = next((kind for kind, found in kinds.items() if not found), None)
    return f"because no {lacking} allows the {action} action" if lacking else ""


def _about(found: list[Statement], action: str, resource: str, context: Context) -> list[Statement]:
    return [one for one in found if covers(one, action, resource) and holds(one, context)]


def _principals(statement: Statement) -> set[str]:
    """A NotPrincipal, which this project's rules refuse, is taken for nobody."""
    principal: Any = statement.get("Principal")
    return set(listed(principal.get("AWS") if isinstance(principal, dict) else principal))
