"""What the store holds: which surface is live, which were applied before, the signers in force, the quarantine."""

import json
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated

from pydantic import AwareDatetime, StringConstraints, TypeAdapter

from gate.store import Model, Store, StoreError, read_as
from gate.surface import Surface, SurfaceError

LIVE = "live.json"
TRUST = "trust.json"
# An object an entry: two who write at once lose neither.
WITHDRAWN = "withdrawn"
QUARANTINE = "quarantine"

# They name files and commits, and whoever writes to the store would like them to name others.
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Commit = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})?$")]


@dataclass(frozen=True, kw_only=True)
class Applied:
    """A surface that was applied under the gate."""

    surface: Digest
    signers: Digest  # of the signers that were in force from then on
    signers_commit: Commit  # where the protected branch has them
    commit: Commit  # of the program; empty outside a git repository
    at: AwareDatetime  # when the approval that allowed it was first used
    approved: str = ""  # the surface that people signed, where the settings of the gate have changed since
    incident: str = ""  # the incident that took the place of an approval
    release: str = ""  # of the functions

    @property
    def signed(self) -> str:
        """The surface that people approved."""
        return self.approved or self.surface


@dataclass(frozen=True, kw_only=True)
class TrustRoot:
    """The first signers, confirmed once by a person before anything was approved."""

    signers: Digest
    signers_commit: Commit
    at: AwareDatetime


@dataclass(frozen=True, kw_only=True)
class Quarantined:
    """A version that a rollback left: what it brought is refused until somebody unblocks it."""

    version: int
    reason: str
    by: str
    at: AwareDatetime


@lru_cache(maxsize=16)
def _surface_of(content: bytes, digest: str) -> Surface:
    """One for all who read the same: to hold it against its digest takes 20 ms."""
    return Surface.from_json(json.loads(content), digest)


@dataclass(frozen=True)
class Records:
    """Typed reading and writing. A record that can't be read counts as damage, never as absent."""

    store: Store
    # Each is what its digest says for ever, and worth reading once.
    _surfaces: dict[str, Surface] = field(default_factory=dict[str, Surface], init=False, repr=False, compare=False)

    def live(self) -> Applied | None:
        return self._get(LIVE, Applied)

    def applied(self, surface: str) -> Applied | None:
        """When that surface was last applied, if it ever was."""
        return self._get(f"applied/{surface}.json", Applied)

    def applied_resources(self, surface: Surface) -> Applied | None:
        """When its resources were last applied, under whatever settings of the gate."""
        return self._get(f"resources/{surface.resources_digest}.json", Applied)

    def released(self, release: str) -> Applied | None:
        """When that very release, program and functions, was last applied, if it ever was."""
        return self._get(f"released/{release}.json", Applied)

    def trust_root(self) -> TrustRoot | None:
        return self._get(TRUST, TrustRoot)

    def confirm(self, root: TrustRoot, signers: bytes) -> bool:
        """Write the trust root; False where one stands already."""
        self.store.put(f"signers/{root.signers}.json", signers)
        return self.store.put_new(TRUST, TypeAdapter(TrustRoot).dump_json(root))

    def surface(self, digest: str) -> Surface:
        """Raises: StoreError where it is missing or is not what its digest says."""
        if not digest:
            return Surface()
        if digest not in self._surfaces:
            self._surfaces[digest] = self._read_surface(digest)
        return self._surfaces[digest]

    def _read_surface(self, digest: str) -> Surface:
        name = f"surfaces/{digest}.json"
        content = self.store.get(name)
        if content is None:
            raise StoreError(f"{name} is missing from the gate's records")
        try:
            return _surface_of(content, digest)
        except (ValueError, SurfaceError) as error:
            raise StoreError(f"{name} in the gate's records is damaged: {error}") from error

    def signers(self, digest: str) -> bytes | None:
        """The trust files of that digest; the caller holds them against it."""
        return self.store.get(f"signers/{digest}.json")

    def write(self, applied: Applied, surface: Surface, signers: bytes | None) -> None:
        """`signers` are the trust files, where they may have changed.

        The pointer comes last: a crash before it leaves the record of before in force.
        """
        self.store.put_new(f"surfaces/{applied.surface}.json", json.dumps(surface.as_json(), sort_keys=True).encode())
        if signers is not None:
            self.store.put(f"signers/{applied.signers}.json", signers)
        content = TypeAdapter(Applied).dump_json(applied)
        self.store.put(f"applied/{applied.surface}.json", content)
        self.store.put(f"resources/{surface.resources_digest}.json", content)
        self.store.put(f"released/{applied.release}.json", content)
        self.store.put(LIVE, content)

    def withdrawn(self) -> dict[str, str]:
        """Digests that count no more, with the reason."""
        return self._all(WITHDRAWN, str)

    def withdraw(self, digest: str, reason: str) -> None:
        self.store.put(f"{WITHDRAWN}/{digest}.json", json.dumps(reason).encode())

    def quarantined(self) -> dict[str, Quarantined]:
        """By the digest of the content: surface and functions, whatever program would bring them."""
        return self._all(QUARANTINE, Quarantined)

    def quarantine(self, content: str, entry: Quarantined) -> None:
        self.store.put(f"{QUARANTINE}/{content}.json", TypeAdapter(Quarantined).dump_json(entry))

    def unblock(self, content: str) -> None:
        self.store.delete(f"{QUARANTINE}/{content}.json")

    def _all(self, folder: str, kind: type[Model]) -> dict[str, Model]:
        names = (name for name in self.store.names(folder) if name.endswith(".json"))  # others are being written
        found = ((name.removesuffix(".json"), self._get(f"{folder}/{name}", kind)) for name in names)
        return {name: one for name, one in found if one is not None}  # None: lifted meanwhile

    def _get(self, name: str, kind: type[Model]) -> Model | None:
        return read_as(self.store, name, kind, "the gate's records")
