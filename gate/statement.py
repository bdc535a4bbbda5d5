"""What people sign, as exact bytes: approvals and incidents; and what only restricts, so that nobody signs it.

A statement is one flat JSON object in the canonical form of RFC 8785. A file whose bytes are not exactly that form of
what was read from it is refused: then a signature over the file is a signature over its meaning, and over nothing else.
"""

import json
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self, cast

import rfc8785
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from gate.files import FileRefusedError, as_text, read_regular

LONGEST_APPROVAL = timedelta(days=14)
LONGEST_INCIDENT = timedelta(hours=4)
_INSTANT = "%Y-%m-%dT%H:%M:%SZ"


class StatementError(Exception):
    """A statement that can't be used; the message names the file and the cause."""


def _instant(value: object) -> object:
    if isinstance(value, str):
        try:
            return datetime.strptime(value, _INSTANT).replace(tzinfo=UTC)
        except ValueError:
            raise PydanticCustomError("instant", "it is no time in UTC of the form 2026-01-31T23:59:59Z") from None
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).replace(microsecond=0)
    raise PydanticCustomError("instant", "it is no time with a time zone")


def _plain_line(text: str) -> str:
    # Cf as well: what turns the direction of writing shows a signer another text than the one that counts
    if any(unicodedata.category(character)[0] in "CZ" and character != " " for character in text):
        raise PydanticCustomError("line", "it holds a line break or a control character")
    if text != text.strip():
        raise PydanticCustomError("line", "it begins or ends with a blank")
    return text


Instant = Annotated[
    datetime, BeforeValidator(_instant), PlainSerializer(lambda at: f"{at:{_INSTANT}}", return_type=str)
]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][A-Za-z0-9_.-]{0,99}$")]
Person = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+@\[\]-]{0,253}$")]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=500), AfterValidator(_plain_line)]
Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]


class _Statement(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    what: ClassVar[str]

    @property
    def content(self) -> bytes:
        """The bytes that are signed and filed."""
        return rfc8785.dumps(self.model_dump(mode="json", by_alias=True))

    @property
    def file_name(self) -> str:
        """Where it is filed, below the stack's folder."""
        raise NotImplementedError

    @classmethod
    def parse(cls, content: bytes, name: str) -> Self:
        """Raises: StatementError for anything but the exact bytes of one statement of this kind."""
        try:
            statement = cls.model_validate(_flat_object(as_text(content)))
        except FileRefusedError as error:
            raise StatementError(f"{name} {error}") from error
        except ValidationError as error:
            said = "; ".join(_explained(cls.what, details["loc"], details["msg"]) for details in error.errors())
            raise StatementError(f"{name} is no {cls.what}: {said}") from error
        if statement.content != content:
            raise StatementError(
                f"{name} is not in canonical form (RFC 8785): it was edited or reformatted; make a new one"
            )
        return statement

    @classmethod
    def read(cls, path: Path) -> Self:
        """Raises: StatementError, also for what is no regular file of at most 64 KiB."""
        try:
            content = read_regular(path)
        except FileRefusedError as error:
            raise StatementError(f"{path} {error}") from error
        return cls.parse(content, str(path))


class _OfAStack(_Statement):
    """What ties a statement to one stack of one account, region and Supabase project."""

    project: Name
    stack: Name
    account: Annotated[str, StringConstraints(pattern=r"^[0-9]{12}$")]
    region: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$")]
    supabase_ref: Annotated[str, StringConstraints(pattern=r"^[a-z]{20}$")]


class Approval(_OfAStack):
    """One change of one stack, from one base, for a limited time. Counts with the signatures that its kind needs."""

    what = "approval"

    schema_: Literal["parker-flight/approval/1"] = Field(default="parker-flight/approval/1", alias="schema")
    kind: Literal["infrastructure", "hotfix"]
    surface: Digest = Field(description="the surface to come; for a hotfix the one that is live")
    base: Digest | Literal[""] = Field(description="the surface that it was read against; empty for an empty stack")
    signers: Digest = Field(description="the trust files that will be in force")
    release: Digest | None = Field(description="the release's content; a hotfix is of one release")
    pack: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z][0-9A-Za-z.+-]{0,63}$")]
    requester: Person
    reason: Reason
    not_before: Instant
    expires: Instant
    nonce: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]

    @model_validator(mode="after")
    def _is_limited(self) -> Self:
        _check_window(self.not_before, self.expires, LONGEST_APPROVAL, "not_before")
        if self.kind == "hotfix" and self.release is None:
            raise PydanticCustomError("release", "a hotfix needs the release that it is for")
        return self

    @property
    def file_name(self) -> str:
        return f"{self.kind}-{self.surface[:12]}-{self.nonce}.json"


class Incident(_OfAStack):
    """An incident commander's word that there is an emergency, for four hours at most."""

    what = "incident"

    schema_: Literal["parker-flight/incident/1"] = Field(default="parker-flight/incident/1", alias="schema")
    id: Identifier
    reason: Reason
    opened_by: Person
    opened_at: Instant
    expires: Instant

    @model_validator(mode="after")
    def _is_limited(self) -> Self:
        _check_window(self.opened_at, self.expires, LONGEST_INCIDENT, "opened_at")
        return self

    @property
    def file_name(self) -> str:
        return f"incidents/{self.id}.json"


class Closure(_Statement):
    """The end of an incident. Unsigned: it can only restrict."""

    what = "closure of an incident"

    schema_: Literal["parker-flight/closure/1"] = Field(default="parker-flight/closure/1", alias="schema")
    stack: Name
    incident: Identifier
    reason: Reason
    by: Person
    at: Instant

    @property
    def file_name(self) -> str:
        return f"incidents/{self.incident}.closed.json"


class Withdrawal(_Statement):
    """A surface or a release that must not be applied (again). Unsigned: it can only restrict."""

    what = "withdrawal"

    schema_: Literal["parker-flight/withdrawal/1"] = Field(default="parker-flight/withdrawal/1", alias="schema")
    stack: Name
    digest: Digest = Field(description="of a surface or of a release")
    reason: Reason
    by: Person
    at: Instant

    @property
    def file_name(self) -> str:
        return f"withdrawn/{self.digest}.json"


def _flat_object(text: str) -> Mapping[str, object]:
    """Raises: FileRefusedError for all JSON that is not one object of strings and nulls, each key once."""
    try:
        value: object = json.loads(
            text, object_pairs_hook=_unique, parse_int=_no_number, parse_float=_no_number, parse_constant=_no_number
        )
    except json.JSONDecodeError as error:
        raise FileRefusedError(f"is no JSON: {error}") from error
    except RecursionError as error:
        raise FileRefusedError("is nested too deeply") from error
    if not isinstance(value, dict):
        raise FileRefusedError("is no JSON object")
    entries = cast("dict[str, object]", value)
    for key, entry in entries.items():
        if entry is not None and not isinstance(entry, str):
            raise FileRefusedError(f"holds something else than a text in {key!r}; a statement is flat")
    return entries


def _unique(pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    entries: dict[str, object] = {}
    for key, value in pairs:
        if key in entries:
            raise FileRefusedError(f"has the key {key!r} twice")
        entries[key] = value
    return entries


def _no_number(text: str) -> object:
    raise FileRefusedError(f"holds the number {text[:20]}; a statement has none")


def _check_window(start: datetime, end: datetime, longest: timedelta, called: str) -> None:
    if end <= start:
        raise PydanticCustomError("window", "expires is not after {called}", {"called": called})
    if end - start > longest:
        raise PydanticCustomError(
            "window",
            "expires is more than {longest} hours after {called}",
            {"longest": int(longest.total_seconds() // 3600), "called": called},
        )


def _explained(what: str, where: tuple[int | str, ...], message: str) -> str:
    # a name of the file's own choosing is never printed as it is
    return f"{ascii(where[0]) if where else what}: {message}"
