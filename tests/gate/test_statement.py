"""Statements: one form of bytes for one meaning, and a refusal with its cause for every other file."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from gate.files import LIMIT
from gate.folder import Folder
from gate.signature import Signature
from gate.signers import namespace_of
from gate.statement import Approval, Closure, Incident, StatementError, Withdrawal
from tests.gate.conftest import AT, People, approval

pytestmark = pytest.mark.rows("K5", "C2")


def incident(**changed: Any) -> Incident:
    fields = approval().model_dump(include={"project", "stack", "account", "region", "supabase_ref"})
    given: dict[str, Any] = {
        "id": "db-down",
        "reason": "Payments fail",
        "opened_by": "ivan",
        "opened_at": AT,
        "expires": AT + 4 * HOUR,
    }
    return Incident(**(fields | given | changed))


def withdrawal(**changed: Any) -> Withdrawal:
    given: dict[str, Any] = {"stack": "production", "digest": "a1" * 32, "reason": "Leaks", "by": "alice", "at": AT}
    return Withdrawal(**(given | changed))


HOUR = timedelta(hours=1)


def test_the_bytes_are_canonical_json_that_any_tool_can_read() -> None:
    content = approval(reason="Größer, “now”").content
    fields = json.loads(content)
    assert fields["schema"] == "parker-flight/approval/1"
    assert fields["expires"] == "2026-08-10T12:00:00Z"
    assert content == json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


@pytest.mark.parametrize(
    "statement", [approval(), incident(), withdrawal(), approval(kind="hotfix"), approval(base="")]
)
def test_what_is_written_is_read_back_the_same(statement: Approval | Incident | Withdrawal, tmp_path: Path) -> None:
    path = tmp_path / "statement.json"
    path.write_bytes(statement.content)
    assert type(statement).read(path) == statement


def test_times_of_other_zones_are_written_in_utc_without_fractions() -> None:
    tokyo = datetime.fromisoformat("2026-08-05T09:00:00.999+09:00")
    assert approval(expires=tokyo).expires == datetime(2026, 8, 5, tzinfo=UTC)


WRONG_VALUES: dict[str, list[Any]] = {
    "project": ["", "Parker", "a b", "../x", None],
    "stack": ["", "a/b", "..", ".git", "Production"],
    "account": ["12345678901", "1234567890123", "12345678901a", 123456789012],
    "region": ["", "us_east_1", "us-east-1 "],
    "supabase_ref": ["abc", "ABCDEFGHIJKLMNOPQRST"],
    "kind": ["feature", "Infrastructure", None],
    "surface": ["", "a1" * 31, "A1" * 32, "a1" * 32 + "\n", None],
    "base": ["b2", None, " "],
    "signers": ["", None],
    "release": ["", "x" * 64],
    "pack": ["", "1.0 0", "-1"],
    "requester": ["", "two people", "a\nb", "x" * 300],
    "reason": [
        "",
        " ",
        " x",
        "x ",
        "two\nlines",
        "a\tb",
        "x" * 501,
        "a\u202eb",
        "a\u2028b",
        "nul\0",
        "\ud800",
        "a\u00a0b",
    ],
    "not_before": ["2026-08-03", "2026-08-03T11:00:00", "2026-08-03T11:00:00+00:00", 1785754800, None],
    "expires": [None, "", "never", "2026-02-30T00:00:00Z", AT.replace(tzinfo=None), AT - HOUR, AT - 2 * HOUR],
    "nonce": ["", "0123456789abcdeg", "0123456789abcde"],
    "schema": ["parker-flight/approval/2", "parker-flight/incident/1"],
}


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field, given in WRONG_VALUES.items() for value in given]
)
def test_a_value_that_has_no_place_in_a_field_is_refused(field: str, value: Any) -> None:
    with pytest.raises(ValidationError):
        approval(**{field: value})


@pytest.mark.parametrize("field", Approval.model_fields)
def test_no_field_may_be_missing(field: str) -> None:
    alias = Approval.model_fields[field].alias or field
    fields = json.loads(approval().content)
    del fields[alias]
    content = json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()
    said = "canonical" if alias == "schema" else f"is no approval: '{alias}': Field required"
    with pytest.raises(StatementError, match=f"statement.json .*{said}"):
        Approval.parse(content, "statement.json")


def test_an_approval_lasts_fourteen_days_at_most() -> None:
    begin = approval().not_before
    assert approval(expires=begin + timedelta(days=14))
    with pytest.raises(ValidationError, match="more than 336 hours after not_before"):
        approval(expires=begin + timedelta(days=14, seconds=1))


def test_a_hotfix_is_of_one_release() -> None:
    assert approval(release=None)
    with pytest.raises(ValidationError, match="a hotfix needs the release"):
        approval(kind="hotfix", release=None)


def test_an_incident_lasts_four_hours_at_most() -> None:
    for expires, said in [(AT + 4 * HOUR + timedelta(seconds=1), "more than 4 hours"), (AT, "not after opened_at")]:
        with pytest.raises(ValidationError, match=said):
            incident(expires=expires)


@pytest.mark.parametrize("identifier", ["", "A", "a.b", "../a", "a.closed", "-a", "x" * 65])
def test_an_incidents_id_can_be_a_files_name(identifier: str) -> None:
    with pytest.raises(ValidationError):
        incident(id=identifier)


RIGHT = approval().content
HOSTILE = {
    "empty": (b"", "is no JSON"),
    "no JSON": (b"approved", "is no JSON"),
    "a list": (b"[" + RIGHT + b"]", "is no JSON object"),
    "a text": (b'"approved"', "is no JSON object"),
    "a byte order mark": (b"\xef\xbb\xbf" + RIGHT, "byte order mark"),
    "UTF-16": (RIGHT.decode().encode("utf-16-le"), "is no JSON"),
    "not UTF-8": (RIGHT.replace(b"Larger", b"").replace(b"The", b"\xff"), "not UTF-8"),
    "a key twice": (RIGHT[:-1] + b',"stack":"production"}', "has the key 'stack' twice"),
    "a key twice in disguise": (RIGHT[:-1] + b',"st\\u0061ck":"sandbox"}', "has the key 'stack' twice"),
    "NaN": (RIGHT.replace(b'"1.0.0"', b"NaN"), "holds the number NaN"),
    "Infinity": (RIGHT.replace(b'"1.0.0"', b"-Infinity"), "holds the number -Infinity"),
    "an integer": (RIGHT.replace(b'"123456789012"', b"123456789012"), "holds the number 123456789012"),
    "a huge integer": (RIGHT.replace(b'"1.0.0"', b"9" * 20000), "holds the number 99999999999999999999;"),
    "a fraction": (RIGHT.replace(b'"1.0.0"', b"1e400"), "holds the number 1e400"),
    "a truth": (RIGHT.replace(b'"1.0.0"', b"true"), "something else than a text in 'pack'"),
    "an object inside": (RIGHT.replace(b'"1.0.0"', b"{}"), "something else than a text in 'pack'"),
    "a list inside": (RIGHT.replace(b'"1.0.0"', b"[]"), "something else than a text in 'pack'"),
    "deep nesting": (b"[" * LIMIT, "nested too deeply"),
    "deep nesting inside": (RIGHT.replace(b'"1.0.0"', b'{"a":' * 9000 + b"1"), "nested too deeply"),
    "a field more": (RIGHT[:-1] + b',"zone":"x"}', "'zone': Extra inputs are not permitted"),
    "a field that clears the screen": (RIGHT[:-1] + b',"\\u001b[2J":"x"}', r"'\\x1b\[2J': Extra inputs"),
    "another kind of statement": (incident().content, "is no approval: .*'id': Extra"),
    "a line feed at the end": (RIGHT + b"\n", "not in canonical form"),
    "a blank": (RIGHT.replace(b":", b": ", 1), "not in canonical form"),
    "indented": (json.dumps(json.loads(RIGHT), indent=2, sort_keys=True).encode(), "not in canonical form"),
    "another order": (json.dumps(dict(reversed(json.loads(RIGHT).items()))).encode(), "not in canonical form"),
    "an escape that is not needed": (RIGHT.replace(b"The", b"\\u0054he"), "not in canonical form"),
    "the schema's alias": (RIGHT.replace(b'"schema"', b'"schema_"'), "'schema_': Extra inputs"),
    "no expiry": (RIGHT.replace(b'"expires":"2026-08-10T12:00:00Z",', b""), "'expires': Field required"),
    "an expiry of null": (RIGHT.replace(b'"2026-08-10T12:00:00Z"', b"null"), "'expires': it is no time"),
    "something after it": (RIGHT + RIGHT, "is no JSON: Extra data"),
    "a surrogate alone": (RIGHT.replace(b"The", b"\\ud800"), "'reason': "),
    "larger than any": (RIGHT + b" " * LIMIT, "larger than 65536 bytes"),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_file_is_refused_with_its_cause(case: str, tmp_path: Path) -> None:
    content, said = HOSTILE[case]
    assert content != RIGHT
    path = tmp_path / "statement.json"
    path.write_bytes(content)
    with pytest.raises(StatementError, match=f"statement.json .*{said}") as refusal:
        Approval.read(path)
    assert str(refusal.value).isprintable()


def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path: Path) -> None:
    real, link, fifo = tmp_path / "real.json", tmp_path / "link.json", tmp_path / "fifo.json"
    real.write_bytes(RIGHT)
    link.symlink_to(real)
    os.mkfifo(fifo)
    for path, said in [
        (link, "symbolic link"),
        (fifo, "no regular file"),
        (tmp_path, "no regular file"),
        (Path("/dev/zero"), "no regular file"),
        (tmp_path / "none.json", "is not there"),
        (tmp_path / "nul\0.json", "can't be read"),
    ]:
        with pytest.raises(StatementError, match=said):
            Approval.read(path)


PLAIN = st.characters(blacklist_categories=("C", "Z"))  # pyright: ignore[reportArgumentType]
DIGESTS = st.binary(min_size=32, max_size=32).map(bytes.hex)
TIMES = st.datetimes(datetime(2024, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def _lasting(start: datetime, length: timedelta, **fields: Any) -> Approval:
    return approval(not_before=start, expires=start + length, **fields)


APPROVALS = st.builds(
    _lasting,
    start=TIMES,
    length=st.timedeltas(timedelta(seconds=1), timedelta(days=14)),
    surface=DIGESTS,
    base=st.just("") | DIGESTS,
    release=st.none() | DIGESTS,
    reason=st.text(PLAIN, min_size=1, max_size=500),
    nonce=st.binary(min_size=8, max_size=8).map(bytes.hex),
    requester=st.from_regex(r"[a-z0-9][a-z0-9._+-]{0,20}(@[a-z]{1,9}\.com)?", fullmatch=True),
)


@settings(max_examples=100)
@given(APPROVALS)
def test_every_approval_has_one_form_of_bytes(statement: Approval) -> None:
    assert Approval.parse(statement.content, "x") == statement
    assert Approval.parse(statement.content, "x").content == statement.content


@settings(max_examples=200)
@given(APPROVALS, st.data())
def test_no_other_bytes_mean_the_same(statement: Approval, data: st.DataObject) -> None:
    content = bytearray(statement.content)
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    try:
        other = Approval.parse(bytes(content), "x")
    except StatementError:
        return
    assert other != statement


# On the disk.


def signed(people: People, statement: Approval | Incident) -> tuple[Signature, bytes]:
    text = people.alice.signs(statement.content, namespace_of("security"))
    return Signature(role="security", principal=people.alice.principal, fingerprint=people.alice.fingerprint), text


def test_statements_and_signatures_are_filed_and_found_again(people: People, tmp_path: Path) -> None:
    folder, statement = Folder(tmp_path, "production"), approval()
    path = folder.write(statement)
    assert path == tmp_path / "production/infrastructure-a1a1a1a1a1a1-0123456789abcdef.json"
    file = folder.write_signature(statement, *signed(people, statement))
    key = people.alice.fingerprint[7:15].replace("+", "-").replace("/", "_")
    assert file.name == f"{path.name}.security.{key}.sig"
    ((found,), problems) = folder.approvals()
    assert (found.path, found.statement, problems) == (path, statement, ())
    assert [(one.path, one.role) for one in found.signatures] == [(file, "security")]
    assert sorted(one.name for one in path.parent.iterdir()) == sorted([path.name, file.name])  # nothing half written


def test_incidents_are_filed_with_their_signatures_and_their_end(people: People, tmp_path: Path) -> None:
    folder, statement = Folder(tmp_path, "production"), incident()
    assert folder.incidents() == ((), ())
    path = folder.write(statement)
    file = folder.write_signature(statement, *signed(people, statement))
    assert (path, file.parent) == (tmp_path / "production/incidents/db-down.json", path.parent)
    assert not folder.closed("db-down")
    end = Closure(stack="production", incident="db-down", reason="Over", by="ivan", at=AT)
    assert folder.write(end).name == "db-down.closed.json"
    assert folder.closed("db-down")
    ((found,), problems) = folder.incidents()
    assert (found.statement, len(found.signatures), problems) == (statement, 1, ())


def test_an_incident_is_closed_whatever_its_closure_holds(tmp_path: Path) -> None:
    folder = tmp_path / "production/incidents"
    folder.mkdir(parents=True)
    (folder / "db-down.closed.json").symlink_to("nowhere")
    assert Folder(tmp_path, "production").closed("db-down")


def test_what_was_withdrawn_is_found_by_its_digest(tmp_path: Path) -> None:
    folder = Folder(tmp_path, "production")
    assert folder.withdrawn() == {}
    assert folder.write(withdrawal()).name == f"{'a1' * 32}.json"
    assert folder.withdrawn() == {"a1" * 32: withdrawal()}


@pytest.mark.parametrize("content", [b"", b"{}", RIGHT, withdrawal(stack="sandbox").content, withdrawal().content])
def test_a_withdrawal_that_cannot_be_used_stops_everything(content: bytes, tmp_path: Path) -> None:
    folder = tmp_path / "production/withdrawn"
    folder.mkdir(parents=True)
    (folder / f"{'e5' * 32}.json").write_bytes(content)
    with pytest.raises(StatementError, match="e5e5"):
        Folder(tmp_path, "production").withdrawn()


def test_nothing_filed_is_ever_written_over(people: People, tmp_path: Path) -> None:
    folder, statement = Folder(tmp_path, "production"), approval()
    path = folder.write(statement)
    file = folder.write_signature(statement, *signed(people, statement))
    before = path.read_bytes(), file.read_bytes()
    with pytest.raises(StatementError, match="is there already, and what was filed is never changed"):
        folder.write(statement)
    with pytest.raises(StatementError, match="is there already"):
        folder.write_signature(statement, signed(people, statement)[0], b"other")
    assert (path.read_bytes(), file.read_bytes()) == before
    assert len(list(path.parent.iterdir())) == 2


def test_a_statement_of_another_stack_is_not_filed(tmp_path: Path) -> None:
    with pytest.raises(StatementError, match="for the stack production, not for sandbox"):
        Folder(tmp_path, "sandbox").write(approval())


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "production").write_text("")
    with pytest.raises(StatementError, match="can't be written"):
        Folder(tmp_path, "production").write(approval())
    with pytest.raises(StatementError, match="can't be listed"):
        Folder(tmp_path, "production").approvals()


def test_a_damaged_approval_stops_no_other_and_is_named(tmp_path: Path) -> None:
    folder, statement = Folder(tmp_path, "production"), approval()
    path = folder.write(statement)
    (path.parent / "a-copy.json").write_bytes(statement.content)
    (path.parent / "other-stack.json").write_bytes(approval(stack="sandbox").content)
    (path.parent / "b-damaged.json").write_bytes(b"{")
    (path.parent / "c\x1b[2J.json").write_bytes(statement.content)
    (path.parent / "README.md").write_text("not a statement")
    (path.parent / ".new-abc").write_text("unfinished")
    found, problems = folder.approvals()
    assert [one.path for one in found] == [path]
    said = "\n".join(map(str, problems))
    assert len(problems) == 4
    for part in (
        "a-copy.json was renamed or copied: this approval is infrastructure-a1a1a1a1a1a1-0123456789abcdef.json",
        "other-stack.json is for the stack sandbox, but lies in the folder of production",
        "b-damaged.json is no JSON",
        r"strange name: 'c\x1b[2J.json'",
    ):
        assert part in said


def test_only_a_signatures_own_form_of_name_is_one(tmp_path: Path) -> None:
    path = Folder(tmp_path, "production").write(approval())
    for name in ("security.12345678.sig", "root.12345678.sig", "security.1.sig", "security.12345678.sig.bak", "sig"):
        (path.parent / f"{path.name}.{name}").write_text("")
    (path.parent / "security.12345678.sig").write_text("")
    ((found,), _) = Folder(tmp_path, "production").approvals()
    assert [one.path.name for one in found.signatures] == [f"{path.name}.security.12345678.sig"]
