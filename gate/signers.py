"""Who may approve, and whose key no longer counts: `allowed_signers` and `revoked_keys`, each read whole and strictly.

ssh-keygen skips a line that it can't read, takes patterns for names, and accepts any namespace where a line names
none. Here one wrong line refuses the whole file, with the line's number and what mends it. Source: ssh-keygen(1),
ALLOWED SIGNERS.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Self, TypeVar, get_args

from gate.files import LIMIT, FileRefusedError, as_text, read_regular
from gate.wire import KEY_TYPES, MalformedError, PublicKey, from_base64, read_key

Role = Literal["devops", "devops-lead", "incident-commander", "security"]
ROLES: tuple[Role, ...] = get_args(Role)
NAMESPACES: dict[str, Role] = {f"{role}@parker-flight": role for role in ROLES}

# No `+`: alice+1@ and alice@ are one mailbox, and one person must not look like two.
_PRINCIPAL = re.compile(r"[A-Za-z0-9._-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_OPTION = re.compile(r'([A-Za-z-]+)(?:="([^"\\]*)")?(?:,|$)')
_UNQUOTED = re.compile(r'(^|,)([A-Za-z-]+)=(?!")')
_KEY_TYPE = re.compile(r"(sk-)?(ssh|ecdsa)-[a-z0-9@.-]+")
_INSTANT = re.compile(r"[0-9]{14}Z")

_Entry = TypeVar("_Entry")


class SignersError(Exception):
    """A file of keys that can't be used; the message names file, line, cause and cure."""


class _LineError(Exception):
    """What is wrong with one line, and how to mend it."""

    def __init__(self, wrong: str, cure: str) -> None:
        super().__init__(f"{wrong}\n    {cure}")


def namespace_of(role: Role) -> str:
    """What a role's signatures are made for, so that one made for something else can't be used."""
    return f"{role}@parker-flight"


@dataclass(frozen=True, kw_only=True)
class Signer:
    """One line: one person's key, and the roles in which it may sign."""

    principal: str
    roles: tuple[Role, ...]
    key_type: str
    key: bytes = field(repr=False)
    fingerprint: str
    valid_after: datetime | None
    valid_before: datetime | None
    line: str = field(repr=False)
    number: int

    def why_not_at(self, at: datetime) -> str:
        """Why the key does not count at that time; empty if it does. Both ends are included, as in ssh-keygen."""
        moment = at.astimezone(UTC).replace(microsecond=0)
        if self.valid_after and moment < self.valid_after:
            return f"is not valid before {self.valid_after:%Y-%m-%d %H:%M:%SZ}"
        if self.valid_before and moment > self.valid_before:
            return f"has expired on {self.valid_before:%Y-%m-%d %H:%M:%SZ}"
        return ""


@dataclass(frozen=True, kw_only=True)
class Signers:
    """A whole file of signers. `text` is what was read, for digests."""

    text: str = field(repr=False)
    signers: tuple[Signer, ...]

    @classmethod
    def parse(cls, content: bytes, name: str = "allowed_signers") -> Self:
        """Raises: SignersError with every line that is wrong."""
        text, signers, problems = _parsed(content, name, _signer)
        first: dict[bytes, Signer] = {}
        for signer in signers:
            if (other := first.setdefault(signer.key, signer)) is not signer:
                wrong = f"line {signer.number}: the key of {signer.principal} stands in line {other.number} already"
                problems.append(f"{wrong} ({other.principal})\n    One key is one person's: remove one of the lines.")
        if problems:
            raise SignersError("\n  ".join([f"{name} can't be used:", *problems]))
        if not signers:
            raise SignersError(f"{name} names nobody; it needs a line a person, like\n    {_EXAMPLE}")
        return cls(text=text, signers=tuple(signers))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Raises: SignersError, also for what is no regular file of at most 64 KiB."""
        return cls.parse(_content(path), str(path))

    def of_fingerprint(self, fingerprint: str) -> Signer | None:
        return next((signer for signer in self.signers if signer.fingerprint == fingerprint), None)

    def holders(self, role: Role, at: datetime) -> tuple[Signer, ...]:
        """Whose keys may sign in a role at that time. Revocation is another file's business."""
        return tuple(signer for signer in self.signers if role in signer.roles and not signer.why_not_at(at))


@dataclass(frozen=True, kw_only=True)
class Revoked:
    """The keys that no longer count, whatever they signed and when."""

    text: str = field(repr=False)
    fingerprints: frozenset[str]

    @classmethod
    def parse(cls, content: bytes, name: str = "revoked_keys") -> Self:
        """Raises: SignersError with every line that is wrong; for an empty file too, which ssh-keygen would accept."""
        if content.startswith(b"SSHKRL\n"):
            raise SignersError(
                f"{name} is a binary key revocation list, which nobody can review; write the public keys, one a line"
            )
        if not content.strip():
            raise SignersError(f"{name} is empty, as after a lost write; where nothing is revoked write: # none")
        text, keys, problems = _parsed(content, name, _revoked_key)  # a key revoked twice is revoked
        if problems:
            raise SignersError("\n  ".join([f"{name} can't be used:", *problems]))
        return cls(text=text, fingerprints=frozenset(key.fingerprint for key in keys))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Raises: SignersError, also where there is no file: no list is not an empty list."""
        return cls.parse(_content(path), str(path))


_EXAMPLE = 'alice@example.com namespaces="security@parker-flight" ssh-ed25519 AAAA…'


def _content(path: Path) -> bytes:
    try:
        return read_regular(path)
    except FileRefusedError as error:
        raise SignersError(f"{path} {error}") from error


def _parsed(content: bytes, name: str, parse: Callable[[str, int], _Entry]) -> tuple[str, list[_Entry], list[str]]:
    """The text, what its lines hold, and what is wrong with those that hold nothing."""
    if len(content) > LIMIT:
        raise SignersError(f"{name} is larger than {LIMIT} bytes")
    try:
        text = as_text(content)
    except FileRefusedError as error:
        raise SignersError(f"{name} {error}") from error
    entries: list[_Entry] = []
    problems: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        try:
            _check_characters(line)
            if line.strip() and not line.startswith("#"):
                entries.append(parse(line, number))
        except _LineError as error:
            problems.append(f"line {number}: {error}")
    return text, entries, problems


def _check_characters(line: str) -> None:
    # Cf as well: what turns the direction of writing shows a reviewer another text than the one that counts
    for column, character in enumerate(line, 1):
        if unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp"):
            raise _LineError(
                f"has the control character U+{ord(character):04X} in column {column}",
                "Write spaces between the fields and end lines with a plain line feed.",
            )


def _signer(line: str, number: int) -> Signer:
    principal, *rest = line.rstrip(" ").split(" ")
    rest = [word for word in rest if word]
    if not _PRINCIPAL.fullmatch(principal):
        raise _LineError(
            f"{principal!r} is not one exact person",
            "Begin the line with one e-mail address: no patterns (* ? !), lists, quotes, `+` or leading blanks.",
        )
    if not rest or _KEY_TYPE.fullmatch(rest[0]):
        raise _LineError(
            "names no namespaces, so that any signature of this key would count, a git commit's too",
            f'Put namespaces="…" between address and key, with one or more of {", ".join(NAMESPACES)}.',
        )
    options = _options(rest[0])
    after, before = (_instant(name, options.get(name)) for name in ("valid-after", "valid-before"))
    if after and before and after >= before:
        raise _LineError("is never valid: valid-after is not before valid-before", "Mend one of the two.")
    key = _key(rest[1:])
    return Signer(
        principal=principal,
        roles=_roles(options),
        key_type=key.type,
        key=key.blob,
        fingerprint=key.fingerprint,
        valid_after=after,
        valid_before=before,
        line=line.rstrip(" "),
        number=number,
    )


def _revoked_key(line: str, number: int) -> PublicKey:  # noqa: ARG001  the same form as _signer
    return _key(line.split())


def _options(text: str) -> dict[str, str]:
    if unquoted := _UNQUOTED.search(text):
        raise _LineError(f"the value of {unquoted[2]} is not in quotes", f'Write {unquoted[2]}="…".')
    options: dict[str, str] = {}
    at = 0
    while at < len(text):
        match = _OPTION.match(text, at)
        if match is None or (match.end() == len(text) and text.endswith(",")):
            raise _LineError(f"the options can't be read at {text[at:]!r}", 'Write them as name="value",name="value".')
        name, value, at = match[1], match[2], match.end()
        if name.lower() == "cert-authority":
            raise _LineError(
                "is a cert-authority, whose certificates would approve under any name", "List each person's own key."
            )
        if name not in ("namespaces", "valid-after", "valid-before") or value is None:
            raise _LineError(
                f"has the unknown option {name!r}", "Known are namespaces, valid-after and valid-before, with a value."
            )
        if name in options:
            raise _LineError(f"has the option {name} twice", "Keep one of them.")
        options[name] = value
    return options


def _roles(options: dict[str, str]) -> tuple[Role, ...]:
    known = f"Known are {', '.join(NAMESPACES)}; one or more, with commas and no blanks."
    if "namespaces" not in options:
        raise _LineError(
            "names no namespaces, so that any signature of this key would count, a git commit's too", known
        )
    names = options["namespaces"].split(",")
    for name in names:
        if name not in NAMESPACES:
            raise _LineError(f"{name!r} is no role's namespace", known)
    if len(set(names)) < len(names):
        raise _LineError("names a namespace twice", known)
    return tuple(NAMESPACES[name] for name in names)


def _instant(name: str, value: str | None) -> datetime | None:
    if value is None:
        return None
    cure = f'Write it in UTC as {name}="YYYYMMDDHHMMSSZ"; without the Z it would be each machine\'s local time.'
    if not _INSTANT.fullmatch(value):
        raise _LineError(f"{name} is {value!r}, which is no explicit time in UTC", cure)
    try:
        instant = datetime.strptime(value, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise _LineError(f"{name} is {value!r}, which is not in the calendar", cure) from None
    if instant.year < 2000:  # ssh-keygen takes 1970 for "no limit"
        raise _LineError(f"{name} is {value!r}, which is before any of these keys", cure)
    return instant


def _key(words: list[str]) -> PublicKey:
    """From the words of a public key's line: type, base64 and any comment."""
    if not words or words[0] not in KEY_TYPES:
        given = words[0] if words else "nothing"
        raise _LineError(
            f"{given!r} stands where the type of the key belongs",
            f"Accepted are {' and '.join(KEY_TYPES)}; `ssh-keygen -t ed25519` makes one.",
        )
    cure = "Copy the person's .pub file again, on one line."
    if len(words) < 2:
        raise _LineError("ends after the type of the key", cure)
    try:
        key = read_key(from_base64(words[1]))
    except MalformedError as error:
        raise _LineError(str(error), cure) from error
    if key.type != words[0]:
        raise _LineError(f"says {words[0]}, but the key is of type {key.type}", cure)
    return key
