"""The numbers of a stack's versions: given once, by whoever writes first, and damage is never absence."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from gate.store import FolderStore, Store, StoreError
from releases.versions import LATEST, OPERATION, Operation, Verification, Version, Versions, who

pytestmark = pytest.mark.rows("K6", "K8")

AT = datetime(2026, 8, 3, 12, 30, 1, 5, tzinfo=UTC)
VERSION = Version(
    number=0,
    at=AT,
    by="alice@host",
    surface="a1" * 32,
    functions=("encrypt-data 1", "create-payment-method 1"),
    program="b2" * 32,
    source="c3" * 32,
    commit="c0" * 20,
    operation=Operation(id="x", kind="deployment", message="new"),
)
GOOD = Verification(good=True, at=AT, by="alice@host")


def another(number: int, **changed: Any) -> Version:
    return replace(VERSION, source=f"{number:064x}", functions=(f"encrypt-data {number}",), **changed)


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(folder=tmp_path)


@dataclass
class Counted:
    """Counts what is read one by one."""

    store: FolderStore
    reads: int = 0

    def have(self, count: int) -> None:
        Versions(self.store).add(another(1), b"")
        content = json.loads(self.store.get("versions/1.json") or b"")
        for number in range(2, count + 1):
            file = self.store.folder / f"versions/{number}.json"
            file.write_text(json.dumps(content | {"number": number}))
        self.store.put(LATEST, str(count).encode())
        self.reads = 0


@pytest.fixture
def counted(store: FolderStore, monkeypatch: pytest.MonkeyPatch) -> Counted:
    made, get = Counted(store), FolderStore.get

    def noted(one: FolderStore, name: str) -> bytes | None:
        made.reads += 1
        return get(one, name)

    monkeypatch.setattr(FolderStore, "get", noted)
    return made


@pytest.fixture
def versions(store: FolderStore) -> Versions:
    return Versions(store)


def numbers(versions: Versions) -> list[int]:
    return [one.number for one in versions.newest_first()]


def test_nothing_was_ever_applied(versions: Versions) -> None:
    assert (versions.latest(), versions.get(1), versions.verification(1), numbers(versions)) == (None, None, None, [])


def test_what_was_kept_is_read_back(versions: Versions) -> None:
    assert versions.add(VERSION, b"source") == replace(VERSION, number=1)
    assert versions.latest() == versions.get(1) == replace(VERSION, number=1)
    assert versions.source(replace(VERSION, number=1)) == b"source"
    versions.verify(1, GOOD)
    assert versions.verification(1) == GOOD
    versions.verify(1, replace(GOOD, good=False, why="slow"))
    assert versions.verification(1) == replace(GOOD, good=False, why="slow")


def test_each_release_gets_the_next_number(versions: Versions) -> None:
    for number in (1, 2, 3):
        assert versions.add(another(number), b"").number == number
    assert numbers(versions) == [3, 2, 1]


def test_the_same_release_gets_no_second_number(versions: Versions) -> None:
    first = versions.add(VERSION, b"")
    again = replace(VERSION, at=datetime.now(UTC), by="bob@host", commit="c1" * 20)
    assert versions.add(again, b"") == first
    assert numbers(versions) == [1]


@pytest.mark.parametrize("changed", [{"source": "d4" * 32}, {"surface": "d4" * 32}, {"functions": ()}])
def test_another_source_or_content_is_another_release(changed: dict[str, Any], versions: Versions) -> None:
    versions.add(VERSION, b"")
    assert versions.add(replace(VERSION, **changed), b"").number == 2


def test_what_a_rollback_brings_back_is_a_version_of_its_own(versions: Versions) -> None:
    for one in (another(1), another(2), another(1)):
        versions.add(one, b"")
    assert numbers(versions) == [3, 2, 1]
    first, third = versions.get(1), versions.get(3)
    assert first is not None
    assert third is not None
    assert (first.content, first.source) == (third.content, third.source)


def test_many_writers_at_once_get_a_number_each(versions: Versions) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = [one.result() for one in [pool.submit(versions.add, another(n), b"source") for n in range(1, 9)]]
    assert sorted(one.number for one in made) == [*range(1, 9)]
    assert numbers(versions) == [*range(8, 0, -1)]
    assert {versions.get(one.number) for one in made} == set(made)


def test_whoever_looked_before_another_wrote_gets_the_next(store: FolderStore, versions: Versions) -> None:
    @dataclass(frozen=True, kw_only=True)
    class Overtaken(FolderStore):
        @override
        def put_new(self, name: str, content: bytes) -> bool:
            if name == "versions/2.json":
                versions.add(another(2), b"")
            return super().put_new(name, content)

    versions.add(another(1), b"")
    assert Versions(Overtaken(folder=store.folder)).add(another(3), b"").number == 3
    found = versions.get(2)
    assert found is not None
    assert found.functions == another(2).functions


def test_an_answer_that_was_lost_is_no_other_writer(store: FolderStore) -> None:
    """A retry finds the name taken, by itself."""

    @dataclass(frozen=True, kw_only=True)
    class Retrying(FolderStore):
        @override
        def put_new(self, name: str, content: bytes) -> bool:
            return super().put_new(name, content) and name != "versions/1.json"

    assert Versions(Retrying(folder=store.folder)).add(VERSION, b"").number == 1
    assert numbers(Versions(store)) == [1]


def test_a_hint_that_is_behind_or_missing_is_caught_up_with(store: FolderStore, versions: Versions) -> None:
    for number in (1, 2, 3):
        versions.add(another(number), b"")
    store.put(LATEST, b"1")
    assert numbers(versions) == [3, 2, 1]
    (store.folder / LATEST).unlink()
    assert numbers(versions) == [3, 2, 1]
    assert versions.add(another(4), b"").number == 4


@pytest.mark.parametrize("hint", [b"9", b"-1", b"0", b"9" * 5000, b"", b"null", b"{}", b'"x"', b"1.5", b"\xff"])
def test_a_hint_that_can_not_be_used_is_found_again_in_what_there_is(
    hint: bytes, store: FolderStore, versions: Versions
) -> None:
    for number in (1, 2):
        versions.add(another(number), b"")
    store.put(LATEST, hint)
    assert numbers(versions) == [2, 1]
    assert versions.add(another(3), b"").number == 3
    assert store.get(LATEST) == b"3"


def test_without_a_hint_nobody_reads_every_version(counted: Counted, versions: Versions) -> None:
    counted.have(1000)
    counted.store.delete(LATEST)
    found = versions.latest()
    assert found is not None
    assert found.number == 1000
    assert counted.reads <= 4


def test_a_number_that_is_given_again_is_not_verified_yet(store: FolderStore, versions: Versions) -> None:
    """The version that had it was lost."""
    for number in (1, 2):
        versions.add(another(number), b"")
    versions.verify(2, GOOD)
    store.delete("versions/2.json")
    assert versions.add(another(3), b"").number == 2
    assert versions.verification(2) is None


def _json(store: Store, **changed: Any) -> bytes:
    content = json.loads(store.get("versions/1.json") or b"{}")
    return json.dumps({name: value for name, value in (content | changed).items() if value is not None}).encode()


@pytest.mark.parametrize(
    "changed",
    [
        {"number": 2},  # a copy under another name: the list would go round in circles
        {"number": None},
        {"source": "../../etc/passwd"},
        {"surface": "A1" * 32},
        {"program": ""},
        {"commit": "main"},
        {"commit": "--help"},
        {"at": "yesterday"},
        {"at": "2026-08-03T12:30:01"},  # of no time zone: it can't be compared
        {"functions": "x"},
        {"operation": {"kind": "rollback"}},
    ],
)
def test_a_damaged_version_is_neither_absent_nor_believed(
    changed: dict[str, Any], store: FolderStore, versions: Versions
) -> None:
    versions.add(VERSION, b"")
    store.put("versions/1.json", _json(store))
    assert versions.get(1) == replace(VERSION, number=1)  # what these tests build is what is read
    store.put("versions/1.json", _json(store, **changed))
    for ask in (versions.latest, lambda: versions.get(1), lambda: versions.add(another(2), b"")):
        with pytest.raises(StoreError, match=r"versions/1\.json in the release store is damaged"):
            ask()


@pytest.mark.parametrize(
    "content",
    [b"", b"null", b"[]", b'{"good": true}', b"{", b'{"good": true, "at": "2026-08-03T12:30:01", "by": "ada"}'],
)
def test_a_damaged_verification_verifies_nothing(content: bytes, store: FolderStore, versions: Versions) -> None:
    store.put("verified/1.json", content)
    with pytest.raises(StoreError, match=r"verified/1\.json in the release store is damaged"):
        versions.verification(1)


def test_a_source_that_is_missing_is_damage(store: FolderStore, versions: Versions) -> None:
    made = versions.add(VERSION, b"source")
    (store.folder / f"sources/{made.source}.tar.gz").unlink()
    with pytest.raises(StoreError, match="the source of version 1 is missing"):
        versions.source(made)


@pytest.mark.parametrize(
    ("gone", "left"),
    [
        ({1}, [*range(40, 1, -1)]),
        (set(range(1, 30)), [*range(40, 29, -1)]),
        ({39}, [40, *range(38, 0, -1)]),
        (set(range(5, 30)), [*range(40, 29, -1), 4, 3, 2, 1]),
        (set(range(1, 40)), [40]),
    ],
)
def test_versions_that_were_pruned_or_lost_hide_no_others(gone: set[int], left: list[int], counted: Counted) -> None:
    counted.have(40)
    for number in gone:
        counted.store.delete(f"versions/{number}.json")
    assert numbers(Versions(counted.store)) == left


@pytest.mark.parametrize(("wanted", "most"), [(1, 3), (2, 4), (3, 7), (20, 40), (1000, 1010)])
def test_whoever_wants_few_versions_reads_few(wanted: int, most: int, counted: Counted) -> None:
    counted.have(1000)
    found = list(islice(Versions(counted.store).newest_first(), wanted))
    assert [one.number for one in found] == [*range(1000, 1000 - wanted, -1)]
    assert counted.reads <= most


def test_a_damaged_version_hides_none_that_is_newer(counted: Counted) -> None:
    counted.have(10)
    counted.store.put("versions/5.json", b"{")
    found = Versions(counted.store).newest_first()
    assert [one.number for one in islice(found, 5)] == [10, 9, 8, 7, 6]
    with pytest.raises(StoreError, match=r"versions/5\.json in the release store is damaged"):
        next(found)


def test_a_damaged_archive_is_written_anew_by_the_same_release(store: FolderStore, versions: Versions) -> None:
    made = versions.add(VERSION, b"source")
    store.put(f"sources/{made.source}.tar.gz", b"dam")
    assert versions.add(VERSION, b"source") == made
    assert versions.source(made) == b"source"


def test_the_source_is_there_before_the_number(store: FolderStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is cut off leaves no version that can't be brought back."""
    written: list[str] = []
    put_new, put = FolderStore.put_new, FolderStore.put

    def noted_new(one: FolderStore, name: str, content: bytes) -> bool:
        written.append(name)
        return put_new(one, name, content)

    def noted(one: FolderStore, name: str, content: bytes) -> None:
        written.append(name)
        put(one, name, content)

    monkeypatch.setattr(FolderStore, "put_new", noted_new)
    monkeypatch.setattr(FolderStore, "put", noted)
    Versions(store).add(VERSION, b"")
    assert written == [f"sources/{VERSION.source}.tar.gz", "versions/1.json", LATEST]


def test_content_is_what_stands_and_the_release_is_what_was_approved() -> None:
    other_program = replace(VERSION, program="d4" * 32)
    assert other_program.content == VERSION.content
    assert other_program.release != VERSION.release
    assert replace(VERSION, surface="d4" * 32).content != VERSION.content
    assert replace(VERSION, source="d4" * 32, commit="", by="x").release == VERSION.release


def test_what_was_asked_for_is_handed_to_the_policy_pack() -> None:
    asked = Operation(id="1", kind="rollback", reason="it burns", target=3)
    assert Operation.of_environment(asked.as_environment()) == asked
    assert Operation.of_environment({}) is Operation.of_environment({OPERATION: ""}) is None
    for text in ("x", "[]", '{"id": "1"}'):
        with pytest.raises(StoreError, match="PF_OPERATION is not as `pf` sets it; unset it"):
            Operation.of_environment({OPERATION: text})


def test_who_is_the_ci_jobs_starter_where_there_is_one() -> None:
    assert who({"GITHUB_ACTOR": "carol"}).startswith("carol@")
    assert not who({}).startswith("@")
