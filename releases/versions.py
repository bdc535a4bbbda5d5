"""The release store: each applied release gets a number once, and keeps its source and its verification.

Beside the gate's records, in the engine's backend. The policy pack writes a version in the moment that its update has
succeeded, so that a plain `pulumi up` is a version like any other. Numbers are given by conditional writes and never by
position; nothing takes one back. Like the records, it approves nothing: a rollback is judged as any change.
"""

import getpass
import re
import socket
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from pydantic import AwareDatetime, TypeAdapter, ValidationError

from gate.receipt import content_digest, release_digest
from gate.records import Commit, Digest
from gate.store import Model, Store, StoreError, read_as

LATEST = "latest.json"
AHEAD = 8  # versions read at once, where many are wanted
_NUMBER = re.compile(r"[1-9]\d{0,8}")
OPERATION = "PF_OPERATION"  # hands it from `pf` to the policy pack


@dataclass(frozen=True, kw_only=True)
class Operation:
    """What `pf` was asked for when it ran the update; a plain `pulumi up` has none."""

    id: str  # its report's
    kind: str  # deployment, hotfix, rollback, emergency rollback
    message: str = ""
    reason: str = ""
    target: int | None = None  # of a rollback

    @classmethod
    def of_environment(cls, environment: Mapping[str, str]) -> "Operation | None":
        """Raises: StoreError."""
        text = environment.get(OPERATION)
        if not text:
            return None
        try:
            return TypeAdapter(cls).validate_json(text)
        except ValidationError as error:
            raise StoreError(f"{OPERATION} is not as `pf` sets it; unset it") from error

    def as_environment(self) -> dict[str, str]:
        return {OPERATION: TypeAdapter(Operation).dump_json(self).decode()}


@dataclass(frozen=True, kw_only=True)
class Version:
    """A release that was applied as a whole."""

    number: int
    at: AwareDatetime
    by: str
    surface: Digest
    functions: tuple[str, ...]  # a line a function, as the command that deploys them has it
    program: Digest
    source: Digest  # of the archive
    commit: Commit = ""
    dirty: bool = False  # besides the commit, uncommitted changes
    operation: Operation | None = None

    @property
    def made(self) -> str:
        """When and by whom, for people."""
        return f"{self.at:%Y-%m-%d %H:%M} UTC by {self.by}"

    @property
    def content(self) -> str:
        """What stood when it was applied, whatever program made it."""
        return content_digest(self.surface, self.functions)

    @property
    def release(self) -> str:
        """What a hotfix was approved by, and what may be withdrawn."""
        return release_digest(self.program, self.functions)


@dataclass(frozen=True, kw_only=True)
class Verification:
    """Whether a version was seen to work; withdrawn when the watch after it breaks a threshold."""

    good: bool
    at: AwareDatetime
    by: str
    why: str = ""


class SourceMissingError(StoreError):
    """The release store answers, and doesn't have the archive."""


@dataclass(frozen=True)
class Versions:
    """Typed reading and writing. What can't be read counts as damage, never as absent."""

    store: Store

    def latest(self) -> Version | None:
        """The one that is live: the last that was applied as a whole."""
        found = self.get(self._hint()) or self.get(self._highest())
        # Whoever wrote a version may have died before writing the hint.
        while found and (following := self.get(found.number + 1)):
            found = following
        return found

    def _hint(self) -> int:
        """Spares the list of all versions, which serves where it is missing, damaged, or of no version."""
        content = (self.store.get(LATEST) or b"").decode(errors="replace")
        return int(content) if _NUMBER.fullmatch(content) else 0

    def _highest(self, below: int | None = None) -> int:
        """The highest number that there is; 0 where there is none."""
        names = (name.removesuffix(".json") for name in self.store.names("versions"))
        numbers = (int(name) for name in names if _NUMBER.fullmatch(name))
        return max((number for number in numbers if below is None or number < below), default=0)

    def get(self, number: int) -> Version | None:
        name = f"versions/{number}.json"
        found = self._get(name, Version)
        if found and found.number != number:
            raise StoreError(
                f"{name} in the release store is damaged: restore it from a backup (it is version {found.number})"
            )
        return found

    def newest_first(self) -> Iterator[Version]:
        """Reads ahead, ever more at once: who wants the first few waits for few, who wants all not for each."""
        latest, ahead = self.latest(), 1
        if latest is None:
            return
        yield latest
        below = latest.number
        with ThreadPoolExecutor(AHEAD) as pool:
            while below > 1:
                numbers = range(below - 1, max(below - 1 - ahead, 0), -1)
                there = False
                for version in filter(None, pool.map(self.get, numbers)):
                    there = True
                    yield version
                below = numbers[-1] if there else self._highest(below) + 1  # those between were pruned, or lost
                ahead = min(2 * ahead, AHEAD)

    def add(self, version: Version, source: bytes) -> Version:
        """Under the next free number, unless the latest is the same release: then that one stands on."""
        latest = self.latest()
        archive = f"sources/{version.source}.tar.gz"
        if self.store.get(archive) != source:  # it is new, or was damaged
            self.store.put(archive, source)
        if latest and (latest.content, latest.source) == (version.content, version.source):
            return latest
        number = latest.number + 1 if latest else 1
        while True:
            numbered = replace(version, number=number)
            name, content = f"versions/{number}.json", TypeAdapter(Version).dump_json(numbered)
            # A retry, after an answer that was lost, finds what it had written itself.
            if self.store.put_new(name, content) or self.store.get(name) == content:
                break
            number += 1
        self.store.delete(_verification(number))  # of one of that number that was lost
        self.store.put(LATEST, str(number).encode())
        return numbered

    def source(self, version: Version) -> bytes:
        content = self.store.get(f"sources/{version.source}.tar.gz")
        if content is None:
            raise SourceMissingError(f"the source of version {version.number} is missing from the release store")
        return content

    def verification(self, number: int) -> Verification | None:
        return self._get(_verification(number), Verification)

    def verify(self, number: int, verification: Verification) -> None:
        self.store.put(_verification(number), TypeAdapter(Verification).dump_json(verification))

    def _get(self, name: str, kind: type[Model]) -> Model | None:
        return read_as(self.store, name, kind, "the release store")


def _verification(number: int) -> str:
    return f"verified/{number}.json"


def who(environment: Mapping[str, str]) -> str:
    """The person, or the one who started the CI job, and the machine."""
    return f"{environment.get('GITHUB_ACTOR') or getpass.getuser()}@{socket.gethostname()}"
