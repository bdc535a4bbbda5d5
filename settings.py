"""A stack's settings, strict: whatever is wrong is one message with the key, the file and the line to write there.

The program reads them from the engine, the operations tool from `Pulumi.<stack>.yaml`. Imports nothing of Pulumi.
"""

import difflib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self, cast, get_args
from zoneinfo import available_timezones

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails, PydanticCustomError

from components.naming import ENVIRONMENT, REPOSITORY, Site, Topic

NAMESPACE = "parker-flight"
# What the engine keeps in a stack's file besides the settings.
BESIDE_CONFIG = frozenset({"config", "encryptedkey", "encryptionsalt", "environment", "secretsprovider"})
# What CloudWatch Logs accepts; it says so only in the middle of a deployment.
RETENTION_DAYS = frozenset(
    {1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}
)


class SettingsError(Exception):
    """Settings that can't be used; the message is for people and complete."""


def _from_json(value: object) -> object:
    """The engine hands structured values over as JSON text."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _digits(value: object) -> object:
    """An id of digits that `pulumi config set --path` or a YAML file without quotes made a number."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


AccountId = Annotated[str, BeforeValidator(_digits), StringConstraints(pattern=r"^[0-9]{12}$")]
KeyId = Annotated[str, StringConstraints(pattern=r"^(mrk-[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$")]
Email = Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]
URL = r"^$|^https://[^\s]+$"
CLOCK = r"^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=False)


class Contact(_Model):
    """Whom to call."""

    name: str = Field(min_length=1)
    email: Email
    phone: Annotated[str, StringConstraints(pattern=r"^\+[1-9][0-9]{6,14}$")] | None = None
    webhook: Annotated[str, StringConstraints(pattern=r"^https://[^\s]+$")] | None = None


class ExistingKeyIds(_Model):
    """Keys that are there already: imported, never made anew."""

    general: KeyId | None = None
    pii: KeyId | None = None
    payment: KeyId | None = None


Role = Literal["devops", "devops-lead", "incident-commander", "security"]
CONTACT_ROLES: tuple[Role, ...] = get_args(Role)
Roles = Annotated[tuple[Role, ...], Field(min_length=1)]
Minutes = Annotated[int, Field(ge=1, le=1440)]


class Escalation(_Model):
    """Who is told of what, by role, and after how many minutes the next level is told too (X1-X3).

    An alarm on the application tells level 1 at once, a degraded service level 2, a critical failure of the system
    level 3. Warnings wait for the morning. Each address confirms its subscription by a link that AWS sends.
    """

    level1: Roles = ("devops",)
    level2: Roles = ("devops-lead",)
    level3: Roles = ("incident-commander", "devops-lead", "security")
    warning: Roles = ("devops",)
    info: Roles = ("devops",)
    level1_minutes: Minutes = 15
    level2_minutes: Minutes = 30

    @property
    def roles(self) -> dict[Topic, Roles]:
        return {
            Topic.LEVEL_1: self.level1,
            Topic.LEVEL_2: self.level2,
            Topic.LEVEL_3: self.level3,
            Topic.WARNING: self.warning,
            Topic.INFO: self.info,
        }

    @property
    def minutes(self) -> dict[Topic, int]:
        """How long each level has before the next is told."""
        return {Topic.LEVEL_1: self.level1_minutes, Topic.LEVEL_2: self.level2_minutes}


class Hours(_Model):
    """When major changes need no incident commander (C1)."""

    time_zone: str = "UTC"
    days: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] = ("mon", "tue", "wed", "thu", "fri")
    from_: Annotated[str, StringConstraints(pattern=CLOCK)] = Field(default="09:00", alias="from")
    to: Annotated[str, StringConstraints(pattern=CLOCK)] = "17:00"

    @field_validator("time_zone")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if name not in available_timezones():
            raise PydanticCustomError("zone", "no time zone has that name; one is Europe/Berlin")
        return name


class Settings(BaseModel):
    """One stack's settings; field names are those of Pulumi.yaml's config schema."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=lambda name: f"{NAMESPACE}:{to_camel(name)}",
        populate_by_name=False,
    )

    environment: Annotated[str, StringConstraints(pattern=ENVIRONMENT)]
    aws_account_id: AccountId
    supabase_project_ref: Annotated[str, StringConstraints(pattern=r"^[a-z]{20}$")]
    key_rotation_days: int = Field(default=365, ge=90, le=365)
    existing_key_ids: Annotated[ExistingKeyIds, BeforeValidator(_from_json)] = ExistingKeyIds()
    adopt_role: bool = False
    adopt_user: bool = False
    adopt_log_group: bool = False
    permissions_boundary: bool = False
    runbook_url: Annotated[str, StringConstraints(pattern=URL)] = ""
    grafana_url: Annotated[str, StringConstraints(pattern=URL)] = ""
    escalation: Annotated[Escalation, BeforeValidator(_from_json)] = Escalation()
    contacts: Annotated[dict[str, Contact], BeforeValidator(_from_json)]
    log_retention_days: int = 365
    watch_minutes: int = Field(default=15, ge=0, le=240)
    protected_branch: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._/-]*$")] = ""
    repository: Annotated[str, StringConstraints(pattern=rf"^$|{REPOSITORY}")] = ""
    business_hours: Annotated[Hours, BeforeValidator(_from_json)] = Hours()
    aws_region: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$")] = Field(alias="aws:region")
    allowed_account_ids: Annotated[tuple[AccountId, ...], BeforeValidator(_from_json)] = Field(
        alias="aws:allowedAccountIds", min_length=1
    )

    @field_validator("log_retention_days")
    @classmethod
    def _cloudwatch_accepts(cls, days: int) -> int:
        if days not in RETENTION_DAYS:
            allowed = ", ".join(map(str, sorted(RETENTION_DAYS)))
            raise PydanticCustomError(
                "retention", "CloudWatch Logs keeps for one of {allowed} days", {"allowed": allowed}
            )
        return days

    @field_validator("contacts")
    @classmethod
    def _every_role_has_a_contact(cls, contacts: dict[str, Contact]) -> dict[str, Contact]:
        if missing := [role for role in CONTACT_ROLES if role not in contacts]:
            raise PydanticCustomError("contacts", "nobody is named for {roles}", {"roles": ", ".join(missing)})
        return contacts

    @model_validator(mode="after")
    def _the_provider_is_bound_to_the_account(self) -> Self:
        if self.allowed_account_ids != (self.aws_account_id,):
            raise PydanticCustomError(
                "account",
                "is {allowed}, but parker-flight:awsAccountId is {account}: they must agree",
                {"allowed": ", ".join(self.allowed_account_ids), "account": self.aws_account_id},
            )
        return self

    @classmethod
    def from_config(cls, values: Mapping[str, object], stack: str) -> Self:
        """From keys with their namespace, as the engine and the stack's file have them."""
        known = {field.alias for field in cls.model_fields.values()}
        ours = {key: value for key, value in values.items() if key in known or key.startswith(f"{NAMESPACE}:")}
        try:
            return cls.model_validate(ours)
        except ValidationError as error:
            problems = [_explained(details) for details in error.errors()]
        raise SettingsError("\n".join([f"{file_name(stack)} can't be used. Edit it:", *problems]))

    @classmethod
    def from_file(cls, stack: str, root: Path) -> Self:
        """From the stack's file, for tools that don't run under the engine."""
        content = content_of(stack, root)
        config = cast("dict[str, object] | None", content.get("config"))
        if not isinstance(config, dict):
            raise SettingsError(f"{file_name(stack)} has no `config:` section")
        if strays := sorted(content.keys() - BESIDE_CONFIG):
            raise SettingsError(
                f"{file_name(stack)} can't be used: {', '.join(strays)} beside `config:` is not known\n"
                "  a setting stands below `config:`, indented; move it there, or take it out"
            )
        # As the engine does it: a name alone is one of the project's.
        values = {key if ":" in key else f"{NAMESPACE}:{key}": value for key, value in config.items()}
        return cls.from_config(values, stack)

    def require_gate(self, stack: str, environment: Mapping[str, str]) -> None:
        """A stack with a protected branch is never updated without its policy pack by mistake.

        Raises: SettingsError.
        """
        if self.protected_branch and not environment.get("PULUMI_OPTION_POLICY_PACK"):
            raise SettingsError(
                f"the stack {stack} changes under its policy pack only, and this shell names none\n"
                f'  eval "$(./pf env --stack {stack})"'
            )

    @property
    def site(self) -> Site:
        return Site(
            environment=self.environment,
            account_id=self.aws_account_id,
            region=self.aws_region,
            limited=self.permissions_boundary,
        )

    def watch_seconds(self, *, hotfix: bool) -> int:
        """How long a deployment is watched; a hotfix, which fewer eyes have seen, twice as long."""
        return self.watch_minutes * 60 * (2 if hotfix else 1)

    @property
    def role_arn(self) -> str:
        return self.site.role_arn

    @property
    def function_user_name(self) -> str:
        return self.site.function_user

    @property
    def external_id(self) -> str:
        """What the functions say when they assume their role: which Supabase project they belong to."""
        return self.supabase_project_ref

    @property
    def key_aliases(self) -> dict[str, str]:
        """Purpose to key alias."""
        return self.site.key_aliases

    @property
    def links(self) -> dict[str, str]:
        """Where to look, by what is there."""
        supabase = f"https://supabase.com/dashboard/project/{self.supabase_project_ref}"
        links = {
            "Dashboard": self.site.dashboard_url,
            "Supabase": supabase,
            "Grafana": self.grafana_url,
            "Runbook": self.runbook_url,
        }
        return {what: where for what, where in links.items() if where}

    @property
    def supabase_url(self) -> str:
        return f"https://{self.supabase_project_ref}.supabase.co"


def file_name(stack: str) -> str:
    return f"Pulumi.{stack}.yaml"


def stacks(root: Path) -> list[str]:
    """Every stack that has a file here."""
    return sorted(file.name.removeprefix("Pulumi.").removesuffix(".yaml") for file in root.glob("Pulumi.*.yaml"))


def file_of(stack: str, root: Path) -> Path:
    """Raises: SettingsError where the stack has none."""
    path = root / file_name(stack)
    if not path.is_file():
        there = ", ".join(stacks(root)) or "none"
        raise SettingsError(f"{path.name} is not there, so there is no stack {stack!r}; there is: {there}")
    return path


def content_of(stack: str, root: Path) -> dict[str, object]:
    """A stack's file as it is, each key a text.

    Raises: SettingsError where there is none, or it can't be read.
    """
    path = file_of(stack, root)
    try:
        content: object = json.loads(json.dumps(yaml.safe_load(path.read_bytes()), default=str))
    except OSError as error:
        raise SettingsError(f"{path.name} can't be read: {error.strerror}") from error
    except (yaml.YAMLError, ValueError, TypeError) as error:
        raise SettingsError(f"{path.name} is no YAML that can be used: {error}") from error
    return cast("dict[str, object]", content) if isinstance(content, dict) else {}


def _explained(details: ErrorDetails) -> str:
    """What is wrong, and the line that mends it: `pulumi config set` would want a backend and a stack first."""
    key, *path = details["loc"] or ("aws:allowedAccountIds",)
    where = str(key) + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    given: object = details["input"]
    if isinstance(given, dict) and "secure" in given:
        return f"  {where} is a secret; secrets have no place in a stack's config\n    take it out"
    if details["type"] == "extra_forbidden":
        known = _siblings(str(key)) if path else [str(field.alias) for field in Settings.model_fields.values()]
        names = {name.rpartition(":")[2]: name for name in known}  # the namespace alone is no likeness
        given_name = str(path[-1] if path else key).rpartition(":")[2]
        near = difflib.get_close_matches(given_name, names, n=1, cutoff=0.5)
        hint = f"did you mean {names[near[0]]}?" if near else f"known are {', '.join(known)}"
        return f"  {where} is not known; {hint}\n    rename it, or take it out"
    if not details["loc"]:  # about several keys: the input is all of them
        said = details["msg"]
    elif _is_empty(details):
        said = "is not set"
    elif details["type"] == "contacts":  # the input is all of them, with their addresses and numbers
        said = f"has {', '.join(cast('dict[str, object]', given))}: {details['msg']}"
    else:
        said = f"is {json.dumps(given, default=str)}: {details['msg']}"
    if details["type"] == "contacts":
        return f"  {where} {said}\n    <role>: {{ name: <name>, email: <address> }}"
    last = path[-1] if path else key
    value = _EXAMPLES.get(str(key) if not path else str(last), _EXAMPLES.get(str(key), "<value>"))
    return f"  {where} {said}\n    {f'- {value}' if isinstance(last, int) else f'{last}: {value}'}"


# What to write, where a value has a form that the reader can't guess. By key, or by the name below a key.
_EXAMPLES = {
    "parker-flight:environment": "production",
    "parker-flight:awsAccountId": '"<12 digits>"',
    "parker-flight:supabaseProjectRef": "<20 letters>",
    "parker-flight:keyRotationDays": "365",
    "parker-flight:existingKeyIds": "<key id>",
    "parker-flight:logRetentionDays": "365",
    "parker-flight:escalation": "<role>",
    "level1Minutes": "15",
    "level2Minutes": "30",
    "parker-flight:watchMinutes": "15",
    "parker-flight:runbookUrl": "https://<address>",
    "parker-flight:grafanaUrl": "https://<address>",
    "parker-flight:protectedBranch": "origin/main",
    "parker-flight:repository": "<owner>/<name>",
    "aws:region": "us-east-1",
    "aws:allowedAccountIds": '["<12 digits>"]',
    "name": "<name>",
    "email": "<address>",
    "phone": '"+14155550100"',
    "webhook": "https://<address>",
    "timeZone": "UTC",
    "from": '"09:00"',
    "to": '"17:00"',
}


def _is_empty(details: ErrorDetails) -> bool:
    return details["type"] == "missing" or details["input"] in ("", {}, [], ())


def _siblings(key: str) -> list[str]:
    """The names that may stand beside a mistyped one."""
    models: dict[str, type[BaseModel]] = {
        f"{NAMESPACE}:businessHours": Hours,
        f"{NAMESPACE}:contacts": Contact,
        f"{NAMESPACE}:existingKeyIds": ExistingKeyIds,
        f"{NAMESPACE}:escalation": Escalation,
    }
    return [str(field.alias) for field in models[key].model_fields.values()]
