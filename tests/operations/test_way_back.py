"""Which version a rollback would return to, and what keeps it from coming back."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gate.records import Quarantined, Records
from gate.store import FolderStore
from gate.surface import Surface
from operations.releases import ReleaseStore
from operations.way_back import BREAKING, MIGRATIONS, WayBack, kept_of, way_back
from releases.source import archive, digest_of
from releases.versions import Verification, Version, Versions

pytestmark = pytest.mark.rows("K6", "K9")

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
KEY, ALARM = "aws:kms/key:Key", "aws:cloudwatch/metricAlarm:MetricAlarm"

Add = Callable[..., Version]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "release"
    (folder / MIGRATIONS).mkdir(parents=True)
    (folder / MIGRATIONS / "1.sql").write_text(f"{BREAKING}\nselect 1;\n")
    (folder / "pyproject.toml").touch()
    return folder


@pytest.fixture
def store(tmp_path: Path) -> ReleaseStore:
    kept = FolderStore(folder=tmp_path / "store")
    return ReleaseStore(stack="sandbox", versions=Versions(kept), records=Records(kept))


@pytest.fixture
def add(store: ReleaseStore, root: Path) -> Add:
    """A version with these keys, verified unless told otherwise."""

    def make(*keys: str, verified: bool = True) -> Version:
        document: Any = {urn: {"type": KEY} for urn in keys}
        surface = Surface(resources=document, settings={})
        source = archive(root, "sandbox")
        version = Version(
            number=0,
            at=AT,
            by="ada@here",
            surface=surface.digest,
            functions=(f"encrypt-data {len(list(store.versions.newest_first()))}",),
            program="0" * 64,
            source=digest_of(source),
            commit="ab" * 20,
        )
        store.records.store.put(f"surfaces/{surface.digest}.json", json.dumps(surface.as_json()).encode())
        made = store.versions.add(version, source)
        if verified:
            store.versions.verify(made.number, Verification(good=True, at=AT, by="ada@here"))
        return made

    return make


def asked(store: ReleaseStore, root: Path, left: str = "new", *keys: str) -> WayBack:
    return way_back(store, left=left, kept={urn: urn.rpartition("::")[2] for urn in keys}, root=root)


def test_the_first_deployment_has_nowhere_to_return_to(store: ReleaseStore, root: Path) -> None:
    found = asked(store, root)
    assert found.version is None
    assert "nowhere" in found.words


def test_the_newest_verified_version_of_another_content_is_returned_to(
    store: ReleaseStore, root: Path, add: Add
) -> None:
    good, again = add("urn:a::pii"), add("urn:a::pii")
    add("urn:a::pii", verified=False)
    found = asked(store, root, "new", "urn:a::pii")
    assert (found.version, found.problem) == (again.number, "")
    assert "a rollback goes to version 2 (2026-11-24 12:00 UTC by ada@here, commit abababababab)" in found.words
    assert asked(store, root, again.content, "urn:a::pii").version == good.number


def test_what_people_refuse_is_not_returned_to(store: ReleaseStore, root: Path, add: Add) -> None:
    good, withdrawn, left = add("urn:a::pii"), add("urn:a::other"), add("urn:a::pii")
    store.records.withdraw(withdrawn.surface, "opens the key")
    store.records.quarantine(left.content, Quarantined(version=left.number, reason="x", by="ada", at=AT))
    assert asked(store, root).version == good.number


def test_a_version_without_a_key_that_stands_then_cannot_come_back(store: ReleaseStore, root: Path, add: Add) -> None:
    add("urn:a::pii-1")
    found = asked(store, root, "new", "urn:a::pii-1", "urn:a::pii-2")
    assert "older than the key or alias pii-2" in found.problem
    assert "could not go to version 1" in found.words


def test_a_migration_that_breaks_earlier_releases_keeps_them_out(store: ReleaseStore, root: Path, add: Add) -> None:
    add("urn:a::pii")
    assert asked(store, root).problem == ""
    (root / MIGRATIONS / "2.sql").write_text("select 1;\n")
    assert asked(store, root).problem == ""
    (root / MIGRATIONS / "3.sql").write_text(f"{BREAKING}\ndrop table a;\n")
    assert "after 3.sql" in asked(store, root).problem


def test_a_damaged_release_store_is_an_answer(store: ReleaseStore, root: Path, add: Add) -> None:
    add("urn:a::pii")
    store.records.store.put("versions/1.json", b"{")
    assert "damaged" in asked(store, root).problem


def test_a_damaged_archive_is_no_way_back(store: ReleaseStore, root: Path, add: Add) -> None:
    version = add("urn:a::pii")
    store.records.store.put(f"sources/{version.source}.tar.gz", b"")
    assert asked(store, root).words == (
        "a rollback has nowhere to go: no other version is verified and can be unpacked"
    )


def test_only_keys_and_aliases_are_kept() -> None:
    types = {"urn::k": KEY, "urn::l": "aws:kms/alias:Alias", "urn::m": ALARM}
    assert kept_of(types) == {"urn::k": "k", "urn::l": "l"}
