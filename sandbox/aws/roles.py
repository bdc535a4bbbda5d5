"""IAM roles: whom they may trust, who may be assumed, and that others see them late where that fault is on."""

import json
from datetime import timedelta
from functools import partial
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.utils import utcnow
from moto.iam.exceptions import MalformedPolicyDocument, NotFoundException
from moto.iam.models import IAMBackend, Role, iam_backends
from moto.iam.responses import IamResponse
from moto.sts.responses import TokenResponse

from sandbox.aws.callers import caller_of
from sandbox.aws.faults import Faults
from sandbox.aws.patches import ask_first
from sandbox.aws.principals import PRINCIPAL, exists, unknown
from sandbox.aws.rights import refusal


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

    def known(self: IamResponse, parameter: str) -> None:
        try:
            nobody = unknown(self._get_param(parameter))  # pyright: ignore[reportPrivateUsage]
        except json.JSONDecodeError:
            raise MalformedPolicyDocument("This policy contains invalid Json") from None
        if nobody:
            raise MalformedPolicyDocument(f'Invalid principal in policy: "AWS":"{nobody[0]}"')

    ask_first(response, "create_role", partial(known, parameter="AssumeRolePolicyDocument"))
    ask_first(response, "update_assume_role_policy", partial(known, parameter="PolicyDocument"))


def enforce_trust(response: type[TokenResponse]) -> None:
    """moto lets any role be assumed by anybody, even one that isn't there."""

    def there(self: TokenResponse, action: str) -> None:
        arn = str(self._get_param("RoleArn"))  # pyright: ignore[reportPrivateUsage]
        role = PRINCIPAL.fullmatch(arn)
        if not role or not exists(role):
            raise AccessDeniedError(f"Not authorized to perform {action} on {arn}")

    def trusts(self: TokenResponse) -> None:
        """As policies say, of users and of other roles' sessions; the account itself may assume all of its roles."""
        there(self, "sts:AssumeRole")
        caller = caller_of(self)
        if caller is None:
            return
        given: Any = self._get_param  # pyright: ignore[reportPrivateUsage]
        context = caller.context | {
            "sts:externalid": [given("ExternalId")] if given("ExternalId") else [],
            "sts:rolesessionname": [given("RoleSessionName")],
        }
        arn = str(given("RoleArn"))
        role: Any = iam_backends[arn.split(":")[4]]["aws"].get_role_by_arn(arn)
        if refusal(caller, "sts:AssumeRole", arn, role.assume_role_policy_document, context):
            message = f"User: {caller.arn} is not authorized to perform: sts:AssumeRole on resource: {arn}"
            raise AccessDeniedError(message)

    ask_first(response, "assume_role", trusts)
    ask_first(response, "assume_role_with_web_identity", partial(there, action="sts:AssumeRoleWithWebIdentity"))


class AccessDeniedError(ServiceException):
    code = "AccessDenied"
