"""The settings of the bootstrap project, strict. Imports nothing of Pulumi: `pf bootstrap` uses them too."""

import json
from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
)
from pydantic_core import PydanticCustomError

from components.naming import ENVIRONMENT, REPOSITORY, Site

PROJECT = "parker-flight-bootstrap"
STATE_KEPT_DAYS = 90  # the engine writes the whole state before and after each step
REPORTS_KEPT_DAYS = 365  # only of what was replaced by force
OPERATOR = r"^arn:aws:iam::[0-9]{12}:(role|user)/[\w+=,.@/-]+$"


class FoundationError(Exception):
    """Settings that can't be used; the message is for people and names each key."""


def _from_json(value: object) -> object:
    """The engine hands structured values over as JSON text."""
    if isinstance(value, str):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


class Foundation(BaseModel):
    """One stack's; `site` is that of the stack that will stand on it."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    environment: Annotated[str, StringConstraints(pattern=ENVIRONMENT)] = Field(alias="parker-flight:environment")
    account_id: Annotated[str, StringConstraints(pattern=r"^[0-9]{12}$")] = Field(alias="parker-flight:awsAccountId")
    region: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$")] = Field(alias="aws:region")
    allowed_account_ids: Annotated[tuple[str, ...], BeforeValidator(_from_json)] = Field(alias="aws:allowedAccountIds")
    repository: Annotated[str, StringConstraints(pattern=REPOSITORY)] = Field(alias=f"{PROJECT}:repository")
    operators: Annotated[
        tuple[Annotated[str, StringConstraints(pattern=OPERATOR)], ...], BeforeValidator(_from_json)
    ] = Field(alias=f"{PROJECT}:operators", min_length=1)
    shared_identity_provider: Annotated[bool, BeforeValidator(_from_json)] = Field(
        default=False, alias=f"{PROJECT}:sharedIdentityProvider"
    )

    @field_validator("operators")
    @classmethod
    def _each_once(cls, operators: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(operators)) != len(operators):
            raise PydanticCustomError("twice", "names somebody twice")
        return operators

    @classmethod
    def from_config(cls, values: Mapping[str, object]) -> Self:
        """From keys with their namespace, as the engine and the stack's file have them.

        Raises: FoundationError.
        """
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            problems = [
                f"  {'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_input=False)
            ]
        raise FoundationError("\n".join(problems))

    @property
    def config(self) -> dict[str, object]:
        """What `from_config` takes."""
        return self.model_dump(by_alias=True, mode="json")

    @property
    def site(self) -> Site:
        return Site(environment=self.environment, account_id=self.account_id, region=self.region)

    @property
    def subjects(self) -> dict[str, str]:
        """The claim `sub` of each kind of job's token, by what the job does."""
        return {
            "check": f"repo:{self.repository}:environment:operations",
            "deploy": f"repo:{self.repository}:environment:production",
            "preview": f"repo:{self.repository}:pull_request",
        }
