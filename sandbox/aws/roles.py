"""IAM roles: whom they may trust, who may be assumed, and that others see them late where that fault is on."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.utils import utcnow
from moto.iam.exceptions import MalformedPolicyDocument, NotFoundException
from moto.iam.models import IAMBackend, Role
from moto.iam.responses import IamResponse
from moto.sts.responses import TokenResponse

from sandbox.aws.faults import Faults
from sandbox.aws.principals import PRINCIPAL, exists, unknown


def show_late(backend: type[IAMBackend], faults: Faults) -> None:
    """By its ARN, under which other services and policies look for it, a role is found when it is old enough."""
    found = backend.get_role_by_arn

    def get_role_by_arn(self: IAMBackend, arn: str) -> Role:
        role = found(self, arn)
        if utcnow() - role.create_date < timedelta(seconds=faults.unseen_role_seconds):
            raise NotFoundException(f"Role {arn} not found")
        return role

    backend.get_role_by_arn = get_role_by_arn


def refuse_unknown_trust(response: type[IamResponse]) -> None:
    """A role trusts only roles and users that exist: moto asks nobody."""

    def checked(call: Callable[[IamResponse], Any], parameter: str) -> Callable[[IamResponse], Any]:
        def put(self: IamResponse) -> Any:
            try:
                nobody = unknown(self._get_param(parameter))  # pyright: ignore[reportPrivateUsage]
            except json.JSONDecodeError:
                raise MalformedPolicyDocument("This policy contains invalid Json") from None
            if nobody:
                raise MalformedPolicyDocument(f'Invalid principal in policy: "AWS":"{nobody[0]}"')
            return call(self)

        return put

    for name, parameter in (
        ("create_role", "AssumeRolePolicyDocument"),
        ("update_assume_role_policy", "PolicyDocument"),
    ):
        setattr(response, name, checked(getattr(response, name), parameter))


def refuse_unknown_roles(response: type[TokenResponse]) -> None:
    """moto lets a role be assumed that isn't there."""

    def checked(call: Callable[[TokenResponse], Any], action: str) -> Callable[[TokenResponse], Any]:
        def assume(self: TokenResponse) -> Any:
            arn = str(self._get_param("RoleArn"))  # pyright: ignore[reportPrivateUsage]
            role = PRINCIPAL.fullmatch(arn)
            if not role or not exists(role):
                raise AccessDeniedError(f"Not authorized to perform {action} on {arn}")
            return call(self)

        return assume

    for name, action in (
        ("assume_role", "sts:AssumeRole"),
        ("assume_role_with_web_identity", "sts:AssumeRoleWithWebIdentity"),
    ):
        setattr(response, name, checked(getattr(response, name), action))


class AccessDeniedError(ServiceException):
    code = "AccessDenied"
