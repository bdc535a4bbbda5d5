"""Which version a rollback would return to by itself, and what would keep it from coming back."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from pydantic import BaseModel

from gate.store import StoreError
from operations.releases import ReleaseStore, candidates
from operations.reversibility import KEPT
from releases.source import SourceDamagedError, names
from releases.versions import Version
from reports.summary import SHOWN, made_from

MIGRATIONS = "supabase/migrations"
# A migration that earlier releases can't live with says so in a comment.
BREAKING = "-- breaks earlier releases"


class WayBack(BaseModel):
    """`problem` is empty where `version` can come back."""

    version: int | None = None
    made: str = ""
    commit: str = ""
    dirty: bool = False  # besides the commit, uncommitted changes
    problem: str = ""

    @property
    def words(self) -> str:
        if self.version is None:
            return f"a rollback has nowhere to go: {self.problem}"
        commit = made_from(self.commit[:SHOWN], dirty=self.dirty)
        which = f"version {self.version} ({self.made}{commit and f', commit {commit}'})"
        return f"a rollback could not go to {which}: {self.problem}" if self.problem else f"a rollback goes to {which}"


def way_back(store: ReleaseStore, *, left: str, kept: Mapping[str, str], root: Path) -> WayBack:
    """Once the content `left` stands, with the keys and aliases `kept` (URN to name) and the migrations of `root`."""
    try:
        version = next(candidates(store, left), None)
    except StoreError as error:
        return WayBack(problem=str(error))
    if version is None:
        return WayBack(problem="no other version is verified and can be unpacked")
    try:
        problem = lost(store, version, kept) or outgrown(store, version, root)
    except (StoreError, SourceDamagedError) as error:
        problem = str(error)
    return WayBack(
        version=version.number, made=version.made, commit=version.commit, dirty=version.dirty, problem=problem
    )


def lost(store: ReleaseStore, version: Version, kept: Mapping[str, str]) -> str:
    """Keys and aliases that the version would take away, as words; empty where there are none.

    Raises: StoreError.
    """
    wanted = store.records.surface(version.surface)
    gone = sorted({name for urn, name in kept.items() if urn not in wanted.resources})
    return f"it is older than the key or alias {', '.join(gone)}, which a rollback never takes away" if gone else ""


def outgrown(store: ReleaseStore, version: Version, root: Path) -> str:
    """The migration that the version can't live with, as words; empty where there is none.

    Raises: StoreError, SourceDamagedError.
    """
    there = {Path(name).name for name in names(store.versions.source(version), version.source) if _is_migration(name)}
    for file in sorted((root / MIGRATIONS).glob("*.sql")):
        if file.name not in there and BREAKING in file.read_text(errors="replace"):
            return f"it can't work with the database after {file.name}, which says `{BREAKING}`"
    return ""


def _is_migration(name: str) -> bool:
    return PurePosixPath(name).parent == PurePosixPath(MIGRATIONS)


def kept_of(types: Mapping[str, str]) -> dict[str, str]:
    """Of URNs with their types, the keys and aliases with their names."""
    return {urn: urn.rpartition("::")[2] for urn, kind in types.items() if kind in KEPT}
