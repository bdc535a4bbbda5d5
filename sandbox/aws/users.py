"""The permissions boundary of IAM users: moto 5.2.5 keeps none, and every refresh would report drift."""

from collections.abc import Callable
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.core.serialize import never_return
from moto.iam.exceptions import InvalidInput
from moto.iam.models import User
from moto.iam.responses import IamResponse


def remember_boundaries(response: type[IamResponse], user: type[User]) -> None:
    """Keep `PermissionsBoundary` on users, under the name from which moto writes its answers."""
    create = response.create_user
    user.permissions_boundary = None  # pyright: ignore[reportAttributeAccessIssue]
    response.RESPONSE_KEY_PATH_TO_TRANSFORMER["ListUsersResponse.Users.User.PermissionsBoundary"] = never_return

    def set_boundary(self: IamResponse, arn: str | None) -> None:
        named: Any = self.backend.get_user(_parameter(self, "UserName"))
        described = {"PermissionsBoundaryType": "PermissionsBoundaryPolicy", "PermissionsBoundaryArn": arn}
        named.permissions_boundary = described if arn else None

    def create_user(self: IamResponse) -> ActionResult:
        arn = _boundary(self)  # first: what is refused leaves no user behind
        answer = create(self)
        set_boundary(self, arn)
        return answer

    def put_user_permissions_boundary(self: IamResponse) -> ActionResult:
        set_boundary(self, _boundary(self))
        return EmptyResult()

    def delete_user_permissions_boundary(self: IamResponse) -> ActionResult:
        set_boundary(self, None)
        return EmptyResult()

    added: tuple[Callable[[IamResponse], ActionResult], ...] = (
        create_user,
        put_user_permissions_boundary,
        delete_user_permissions_boundary,
    )
    for call in added:
        setattr(response, call.__name__, call)


def _parameter(response: IamResponse, name: str) -> Any:
    return response._get_param(name)  # pyright: ignore[reportPrivateUsage]


def _boundary(response: IamResponse) -> str | None:
    """Raises: InvalidInput when it is no policy's ARN."""
    arn = _parameter(response, "PermissionsBoundary")
    if arn and not response.backend.policy_arn_regex.match(arn):
        raise InvalidInput(f"ARN {arn} is not valid.")
    return arn
