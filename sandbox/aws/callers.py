"""Who calls: a user, or the session of a role, with what its policies and its boundary say."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from moto.core.responses import BaseResponse
from moto.iam.access_control import AssumedRoleAccessKey, CreateAccessKeyFailure, create_access_key
from moto.iam.exceptions import NotFoundException
from moto.iam.models import IAMBackend, Policy, Role, User

from sandbox.aws import statements
from sandbox.aws.statements import Statement


@dataclass(frozen=True, kw_only=True)
class Caller:
    """`arn` is as AWS's refusals name it, `principal` as policies do: of a session that is its role's."""

    account: str
    arn: str
    principal: str
    own: list[Statement]
    boundary: list[Statement] | None

    @property
    def context(self) -> dict[str, list[str]]:
        """What conditions may ask of whoever calls."""
        return {"aws:principalaccount": [self.account], "aws:principalarn": [self.principal]}


def caller_of(call: BaseResponse) -> Caller | None:
    """None is the account itself: whoever comes with other credentials than those that IAM and STS have given."""
    try:
        key = create_access_key(call.current_account, call.partition, call.access_key, dict(call.headers))
    except CreateAccessKeyFailure:
        return None
    name = key.arn.split("/")[1]
    try:
        found = key.backend.get_role(name) if isinstance(key, AssumedRoleAccessKey) else key.backend.get_user(name)
    except NotFoundException:  # a role that was removed since: its sessions can't do anything any more
        return Caller(account=key.account_id, arn=key.arn, principal=key.arn, own=[], boundary=None)
    return Caller(
        account=key.account_id,
        arn=key.arn,
        principal=found.arn,
        own=_statements(key.collect_policies()),
        boundary=_boundary(key.backend, found),
    )


def _boundary(iam: IAMBackend, of: Role | User) -> list[Statement] | None:
    described: Any = of.permissions_boundary  # pyright: ignore[reportAttributeAccessIssue]  # a user's is ours
    if not described:
        return None
    try:
        return _statements([iam.get_policy(described["PermissionsBoundaryArn"])])
    except NotFoundException:
        return []


def _statements(policies: Iterable[Policy | Mapping[str, str] | str]) -> list[Statement]:
    return [one for policy in policies for one in statements.of(json.loads(_document(policy)))]


def _document(policy: Policy | Mapping[str, str] | str) -> str:
    if isinstance(policy, Policy):
        return next(version.document for version in policy.versions if version.is_default)
    return policy if isinstance(policy, str) else policy["policy_document"]
