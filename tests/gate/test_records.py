"""The gate's records: read as what they are, never as something else, and damage is never absence."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from gate.records import Applied, Quarantined, Records, TrustRoot
from gate.store import FolderStore, StoreError
from gate.surface import Surface
from tests.gate.stacks import SETTINGS, surface, wire

pytestmark = pytest.mark.rows("K5")

AT = datetime(2026, 8, 3, 12, 30, 1, 5, tzinfo=UTC)
COMMIT = "c0" * 20
SIGNERS = b'{"allowed_signers": "", "revoked_keys": ""}'
APPLIED = Applied(
    surface="a1" * 32, signers="b2" * 32, signers_commit=COMMIT, commit=COMMIT, at=AT, incident="", release="d4" * 32
)
NO_ZONE = b'{"version": 7, "reason": "slow", "by": "ada", "at": "2026-08-03T12:30:01"}'
ROOT = TrustRoot(signers="b2" * 32, signers_commit=COMMIT, at=AT)


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(FolderStore(folder=tmp_path))


def test_nothing_recorded_is_nothing(records: Records) -> None:
    assert (records.live(), records.trust_root(), records.applied("a1" * 32)) == (None, None, None)
    assert records.withdrawn() == {}
    assert records.surface("") == Surface()
    assert records.signers("b2" * 32) is None


def test_what_was_applied_is_read_back(records: Records) -> None:
    there = surface(wire())
    applied = replace(APPLIED, surface=there.digest, incident="20260803t120000z-ab12")
    records.write(applied, there, SIGNERS)
    assert records.live() == records.applied(there.digest) == applied
    assert records.surface(there.digest) == there
    assert records.signers(applied.signers) == SIGNERS


def test_a_later_surface_is_live_and_the_earlier_stays_known(records: Records) -> None:
    first, second = surface(wire()), surface(wire()[1:])
    records.write(replace(APPLIED, surface=first.digest), first, SIGNERS)
    records.write(replace(APPLIED, surface=second.digest), second, None)
    live = records.live()
    assert live is not None
    assert live.surface == second.digest
    assert records.applied(first.digest) == replace(APPLIED, surface=first.digest)
    assert records.surface(first.digest) == first


def test_the_pointer_is_written_last(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is cut off before, the record of before stays in force with all that it names."""
    first, second = surface(wire()), surface(wire()[1:])
    records.write(replace(APPLIED, surface=first.digest), first, SIGNERS)
    written: list[str] = []
    put = FolderStore.put

    def noted(store: FolderStore, name: str, content: bytes) -> None:
        written.append(name)
        if name == "live.json":
            raise StoreError("killed")
        put(store, name, content)

    monkeypatch.setattr(FolderStore, "put", noted)
    with pytest.raises(StoreError, match="killed"):
        records.write(replace(APPLIED, surface=second.digest), second, SIGNERS)
    live = records.live()
    assert live is not None
    assert live.surface == first.digest
    assert written[-1] == "live.json"


def test_the_trust_root_is_confirmed_once(records: Records) -> None:
    assert records.confirm(ROOT, SIGNERS)
    assert not records.confirm(replace(ROOT, signers="ee" * 32), b"{}")
    assert records.trust_root() == ROOT
    assert records.signers(ROOT.signers) == SIGNERS


def test_withdrawals_add_up(records: Records) -> None:
    records.withdraw("a1" * 32, "wrong")
    records.withdraw("b2" * 32, "worse")
    records.withdraw("a1" * 32, "wrong indeed")
    assert records.withdrawn() == {"a1" * 32: "wrong indeed", "b2" * 32: "worse"}


LEFT = Quarantined(version=7, reason="it loses payments", by="ada@host", at=AT)


@pytest.mark.rows("K6", "E2")
def test_quarantine_adds_up_and_is_lifted_one_by_one(records: Records) -> None:
    assert records.quarantined() == {}
    records.quarantine("a1" * 32, LEFT)
    records.quarantine("b2" * 32, replace(LEFT, version=8))
    records.quarantine("a1" * 32, replace(LEFT, version=9))
    assert records.quarantined() == {"a1" * 32: replace(LEFT, version=9), "b2" * 32: replace(LEFT, version=8)}
    records.unblock("a1" * 32)
    records.unblock("c3" * 32)
    assert records.quarantined() == {"b2" * 32: replace(LEFT, version=8)}


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b'{"version": 7}', b"{", NO_ZONE])
def test_a_damaged_quarantine_lets_nothing_out(content: bytes, records: Records) -> None:
    records.quarantine("b2" * 32, LEFT)
    records.store.put(f"quarantine/{'a1' * 32}.json", content)
    with pytest.raises(StoreError, match=r"quarantine/a1a1\S+\.json in the gate's records is damaged"):
        records.quarantined()


@dataclass(frozen=True, kw_only=True)
class Interleaved(FolderStore):
    """A store in which somebody else does something between a writer's look and its write."""

    meanwhile: Callable[[], None]

    @override
    def put(self, name: str, content: bytes) -> None:
        self.meanwhile()
        super().put(name, content)

    @override
    def delete(self, name: str) -> None:
        self.meanwhile()
        super().delete(name)


@pytest.mark.rows("K6", "E2")
def test_two_who_write_at_once_lose_neither_entry(tmp_path: Path) -> None:
    other = Records(FolderStore(folder=tmp_path))
    for digest in ("a1" * 32, "b2" * 32):
        other.quarantine(digest, LEFT)

    others: Iterator[Callable[[], None]] = iter(
        (
            lambda: other.withdraw("c3" * 32, "wrong"),
            lambda: other.quarantine("c3" * 32, LEFT),
            lambda: other.unblock("b2" * 32),
        )
    )
    one = Records(Interleaved(folder=tmp_path, meanwhile=lambda: next(others)()))
    one.withdraw("d4" * 32, "worse")
    one.quarantine("d4" * 32, LEFT)
    one.unblock("a1" * 32)
    assert other.withdrawn() == {"c3" * 32: "wrong", "d4" * 32: "worse"}
    assert other.quarantined().keys() == {"c3" * 32, "d4" * 32}


def test_what_is_lifted_while_it_is_read_is_lifted(tmp_path: Path) -> None:
    class Lifted(FolderStore):
        @override
        def get(self, name: str) -> bytes | None:
            self.delete(name)
            return super().get(name)

    records = Records(Lifted(folder=tmp_path))
    records.quarantine("a1" * 32, LEFT)
    assert records.quarantined() == {}


@pytest.mark.rows("K8")
def test_a_release_stays_known_when_its_surface_gets_another(records: Records) -> None:
    there = surface(wire())
    for release in ("d4" * 32, "d5" * 32):
        records.write(replace(APPLIED, surface=there.digest, release=release), there, None)
    first, second = records.released("d4" * 32), records.released("d5" * 32)
    assert first == replace(APPLIED, surface=there.digest, release="d4" * 32)
    assert second == records.applied(there.digest) == records.live()
    assert records.released("d6" * 32) is None


def _json(**changed: Any) -> bytes:
    fields = {
        "surface": APPLIED.surface,
        "signers": APPLIED.signers,
        "signers_commit": COMMIT,
        "commit": COMMIT,
        "at": AT.isoformat(),
        "incident": "",
        "release": "",
    }
    return json.dumps({name: value for name, value in (fields | changed).items() if value is not None}).encode()


def test_the_builder_of_these_tests_builds_what_is_read(records: Records) -> None:
    records.store.put("live.json", _json())
    assert records.live() == replace(APPLIED, release="")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff\xfe",
        _json()[:-20],
        _json(surface=None),
        _json(at="yesterday"),
        _json(at="2026-08-03T12:30:01"),  # of no time zone: it can't be compared
        _json(surface="../../../etc/passwd"),
        _json(surface="A1" * 32),
        _json(surface=""),
        _json(signers="b2" * 32 + "\n"),
        _json(signers_commit="HEAD"),
        _json(signers_commit="--help"),
        _json(commit="origin/main"),
        _json(signers_commit=COMMIT[:12]),
    ],
)
def test_a_damaged_record_is_neither_absent_nor_believed(content: bytes, records: Records) -> None:
    for name in ("live.json", f"applied/{APPLIED.surface}.json"):
        records.store.put(name, content)
    for read in (records.live, lambda: records.applied(APPLIED.surface)):
        with pytest.raises(StoreError, match="damaged: restore it from a backup"):
            read()


@pytest.mark.parametrize("content", [b"", b"{}", _json(signers="x"), _json(signers_commit="HEAD"), _json(at="now")])
def test_a_damaged_trust_root_is_neither_absent_nor_believed(content: bytes, records: Records) -> None:
    records.store.put("trust.json", content)
    with pytest.raises(StoreError, match=r"trust\.json in the gate's records is damaged"):
        records.trust_root()


@pytest.mark.parametrize("content", [b"", b"[]", b'{"a": 1}', b"null"])
def test_a_damaged_withdrawal_withdraws_no_less(content: bytes, records: Records) -> None:
    records.store.put(f"withdrawn/{'a1' * 32}.json", content)
    with pytest.raises(StoreError, match=r"withdrawn/a1a1\S+\.json in the gate's records is damaged"):
        records.withdrawn()


def test_a_surface_that_is_missing_or_another_is_refused(records: Records) -> None:
    there, other = surface(wire()), Surface(resources={"urn:x": {}}, settings=SETTINGS)
    with pytest.raises(StoreError, match="is missing"):
        records.surface(there.digest)
    for content in (json.dumps(other.as_json()).encode(), b"{", b"[]", b"{}", b"\xff", b'{"resources": {"a": NaN}}'):
        records.store.put(f"surfaces/{there.digest}.json", content)
        with pytest.raises(StoreError, match="is damaged"):
            records.surface(there.digest)
