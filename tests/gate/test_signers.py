"""The files of keys: what ssh-keygen would skip or take, one wrong line refuses as a whole, with what mends it."""

import base64
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gate.files import LIMIT
from gate.signers import ROLES, Revoked, Signers, SignersError
from tests.gate.conftest import AT, MakePerson, People, signers

pytestmark = pytest.mark.rows("K5", "C2")

SECURITY = 'namespaces="security@parker-flight"'


def test_a_signer_is_read_with_roles_key_and_time(people: People) -> None:
    line = people.alice.line(
        "security", "devops", options=',valid-after="20260101000000Z",valid-before="20261231235959Z"'
    )
    (signer,) = signers(line + " Alice, on her laptop  ").signers
    assert (signer.principal, signer.roles, signer.number) == (people.alice.principal, ("security", "devops"), 1)
    assert (signer.key_type, signer.key) == ("ssh-ed25519", people.alice.blob)
    assert signer.fingerprint == people.alice.fingerprint  # as ssh-keygen prints it
    assert signer.valid_after == datetime(2026, 1, 1, tzinfo=UTC)
    assert signer.valid_before == datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert signer.line == line + " Alice, on her laptop"


def test_comments_and_blank_lines_are_no_signers_and_keep_the_count_of_lines(people: People) -> None:
    read = signers("# Wér darf", "", "   ", people.alice.line("security"))
    assert [signer.number for signer in read.signers] == [4]
    assert read.text.startswith("# Wér darf\n")


def test_one_person_may_have_two_keys(people: People) -> None:
    second = people.bob.line("security").replace(people.bob.principal, people.alice.principal)
    assert len(signers(people.alice.line("security"), second).signers) == 2


def test_a_key_is_found_by_its_fingerprint_and_by_nothing_else(people: People) -> None:
    found = people.signers.of_fingerprint(people.bob.fingerprint)
    assert found is not None
    assert found.principal == people.bob.principal
    assert people.signers.of_fingerprint(people.mallory.fingerprint) is None


def test_the_holders_of_a_role_are_those_whose_keys_are_valid(people: People) -> None:
    read = signers(
        people.alice.line("security", options=',valid-before="20260803120000Z"'),
        people.bob.line("security", options=',valid-after="20260803120001Z"'),
        people.carol.line("devops"),
    )
    assert [one.principal for one in read.holders("security", AT)] == [people.alice.principal]
    assert [one.principal for one in read.holders("security", AT + timedelta(seconds=1))] == [people.bob.principal]
    assert read.holders("incident-commander", AT) == ()


def test_every_role_has_its_namespace_and_no_other_is_known(people: People) -> None:
    assert signers(people.alice.line(*ROLES)).signers[0].roles == ROLES


# Each: the line, with ALICE and BOB for public keys; the message; the cure.
BAD_LINES = {
    "a pattern for everybody": (f"* {SECURITY} ALICE", r"'\*' is not one exact person", "no patterns"),
    "a pattern for a domain": (f"*@parker-flight.com {SECURITY} ALICE", "not one exact person", "one e-mail address"),
    "a question mark": (f"alic?@parker-flight.com {SECURITY} ALICE", "not one exact person", "one e-mail address"),
    "a negation": (f"!alice@parker-flight.com {SECURITY} ALICE", "not one exact person", "one e-mail address"),
    "a list of people": (f"a@b.com,c@b.com {SECURITY} ALICE", "not one exact person", "lists"),
    "a quoted principal": (f'"a@b.com" {SECURITY} ALICE', "not one exact person", "quotes"),
    "a tagged mailbox": (f"alice+2@b.com {SECURITY} ALICE", "not one exact person", r"`\+`"),
    "a name": (f"alice {SECURITY} ALICE", "'alice' is not one exact person", "e-mail"),
    "a line that is indented": (f" a@b.com {SECURITY} ALICE", "'' is not one exact person", "leading blanks"),
    "a comment that is indented": (" # fine?", "'' is not one exact person", "leading blanks"),
    "a certificate authority": (f"a@b.com cert-authority,{SECURITY} ALICE", "is a cert-authority", "own key"),
    "one in capitals": (f"a@b.com {SECURITY},CERT-AUTHORITY ALICE", "is a cert-authority", "own key"),
    "an unknown option": (f'a@b.com {SECURITY},from="10.0.0.1" ALICE', "unknown option 'from'", "Known are"),
    "an option's name in capitals": (
        'a@b.com NAMESPACES="devops@parker-flight" ALICE',
        "unknown option 'NAMESP",
        "Known",
    ),
    "an option without its value": (
        f"a@b.com {SECURITY},valid-before ALICE",
        "unknown option 'valid-before'",
        "with a value",
    ),
    "an option twice": (f"a@b.com {SECURITY},{SECURITY} ALICE", "option namespaces twice", "Keep one"),
    "a comma at the end": (f"a@b.com {SECURITY}, ALICE", "can't be read at 'namespaces", "Write them as"),
    "a quote that stays open": (
        'a@b.com namespaces="security@parker-flight ALICE',
        "can't be read at",
        "Write them as",
    ),
    "an escaped quote": (r'a@b.com namespaces="security@parker-flight\"" ALICE', "can't be read at", "Write them as"),
    "a value without quotes": ("a@b.com namespaces=security@parker-flight ALICE", "namespaces is not in quotes", "="),
    "no namespaces": ("a@b.com ALICE", "names no namespaces", "Put namespaces="),
    "no namespaces but a time": ('a@b.com valid-before="20270101000000Z" ALICE', "names no namespaces", "Known are"),
    "empty namespaces": ('a@b.com namespaces="" ALICE', "'' is no role's namespace", "Known are"),
    "the namespace of git": ('a@b.com namespaces="git" ALICE', "'git' is no role's namespace", "Known are"),
    "a pattern of namespaces": ('a@b.com namespaces="*" ALICE', r"'\*' is no role's namespace", "Known are"),
    "a namespace twice": (
        'a@b.com namespaces="devops@parker-flight,devops@parker-flight" ALICE',
        "names a namespace twice",
        "Known are",
    ),
    "a blank between namespaces": (
        'a@b.com namespaces="devops@parker-flight, security@parker-flight" ALICE',
        "can't be read at",
        "Write them as",
    ),
    "a local time": (
        f'a@b.com {SECURITY},valid-before="20270101000000" ALICE',
        "no explicit time in UTC",
        "without the Z",
    ),
    "a date alone": (f'a@b.com {SECURITY},valid-after="20270101Z" ALICE', "no explicit time in UTC", "YYYYMMDDHHMMSSZ"),
    "a time without quotes": (
        f"a@b.com {SECURITY},valid-after=20270101000000Z ALICE",
        "valid-after is not in quotes",
        "=",
    ),
    "a day that is none": (f'a@b.com {SECURITY},valid-after="20270230000000Z" ALICE', "not in the calendar", "UTC"),
    "the time that means no limit": (
        f'a@b.com {SECURITY},valid-before="19700101000000Z" ALICE',
        "before any of",
        "UTC",
    ),
    "an end before the beginning": (
        f'a@b.com {SECURITY},valid-after="20270101000000Z",valid-before="20260101000000Z" ALICE',
        "never valid",
        "Mend",
    ),
    "an RSA key": (f"a@b.com {SECURITY} ssh-rsa AAAA", "'ssh-rsa' stands where the type", "ssh-keygen -t ed25519"),
    "an ECDSA key": (f"a@b.com {SECURITY} ecdsa-sha2-nistp256 AAAA", "'ecdsa-sha2-nistp256' stands", "ed25519"),
    "a certificate": (f"a@b.com {SECURITY} ssh-ed25519-cert-v01@openssh.com AAAA", "cert-v01", "ed25519"),
    "no key": (f"a@b.com {SECURITY}", "'nothing' stands where the type", "Accepted are"),
    "a key's type alone": (f"a@b.com {SECURITY} ssh-ed25519", "ends after the type", ".pub file"),
    "half a key": (f"a@b.com {SECURITY} ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA", "ends too early", ".pub file"),
    "no base64": (f"a@b.com {SECURITY} ssh-ed25519 AAAA!", "base64 can't be decoded", ".pub file"),
    "a key in another spelling": (f"a@b.com {SECURITY} ssh-ed25519 SPELLED", "not in its canonical form", ".pub file"),
    "a key with bytes too many": (f"a@b.com {SECURITY} ssh-ed25519 LONGER", "4 bytes too many", ".pub file"),
    "another key in its clothes": (f"a@b.com {SECURITY} ssh-ed25519 RSA", "of type 'ssh-rsa'", ".pub file"),
    "the wrong one of two types": (
        f"a@b.com {SECURITY} sk-ssh-ed25519@openssh.com PLAIN",
        "says sk-ssh-ed25519@openssh.com, but",
        ".pub file",
    ),
    "a short key": (f"a@b.com {SECURITY} ssh-ed25519 SHORT", "32 bytes", ".pub file"),
    "only words": ("hello world", "'hello' is not one exact person", "e-mail"),
    "a tab": (f"a@b.com\t{SECURITY} ALICE", r"control character U\+0009 in column 8", "spaces"),
    "a carriage return": (f"a@b.com {SECURITY} ALICE\r", r"control character U\+000D", "plain line feed"),
    "a comment that reads backwards": ("# \u202eapproved", r"control character U\+202E in column 3", "spaces"),
}


def _filled(line: str, people: People) -> str:
    blob = people.alice.blob
    rsa = b"\0\0\0\x07ssh-rsa\0\0\0\x01\x03"
    short = b"\0\0\0\x0bssh-ed25519\0\0\0\x01\x03"
    plain = base64.b64encode(blob).decode()
    words = {
        "ALICE": people.alice.public,
        "SPELLED": plain + "====",
        "LONGER": base64.b64encode(blob + b"\0\0\0\0").decode(),
        "RSA": base64.b64encode(rsa).decode(),
        "PLAIN": plain,
        "SHORT": base64.b64encode(short).decode(),
    }
    for word, text in words.items():
        line = line.replace(f" {word}", f" {text}")
    return line


@pytest.mark.parametrize("case", BAD_LINES)
def test_one_wrong_line_refuses_the_whole_file(case: str, people: People) -> None:
    line, wrong, cure = BAD_LINES[case]
    with pytest.raises(SignersError, match=rf"(?s)can't be used:\n  line 2: [^\n]*({wrong}).*\n    .*({cure})"):
        signers(people.bob.line("devops"), _filled(line, people), people.carol.line("devops"))


def test_all_wrong_lines_are_named_at_once(people: People) -> None:
    with pytest.raises(SignersError, match=r"(?s)line 1: .*line 3: .*no namespaces"):
        signers("* x", people.bob.line("devops"), f"a@b.com {people.alice.public}")


def test_one_key_for_two_people_is_refused_whatever_its_comment(people: People) -> None:
    again = people.alice.line("devops").replace("alice@", "eve@") + " another-comment"
    with pytest.raises(SignersError, match=r"line 2: the key of eve@.* line 1 already \(alice@.*\n.*remove one"):
        signers(people.alice.line("security"), again)


def test_one_key_for_one_person_twice_is_refused(people: People) -> None:
    with pytest.raises(SignersError, match=r"line 3: the key of alice@.* stands in line 1 already"):
        signers(people.alice.line("security"), "", people.alice.line("devops"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "names nobody"),
        (b"# only a comment\n", "names nobody"),
        (b"\xef\xbb\xbf# a mark\n", "byte order mark"),
        (b"# \xff\n", "not UTF-8"),
        ("# tail\n".encode("utf-16"), "not UTF-8"),
        (b"#" * (LIMIT + 1), "larger than 65536 bytes"),
    ],
)
def test_a_file_that_is_no_list_of_signers_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(SignersError, match=f"allowed_signers .*{said}"):
        Signers.parse(content)


def _odd_files(tmp_path: Path) -> dict[str, Path]:
    paths = {name: tmp_path / name for name in ("missing", "folder", "link", "fifo", "oversized")}
    paths["folder"].mkdir()
    (tmp_path / "real").write_text("# none\n")
    paths["link"].symlink_to("real")
    os.mkfifo(paths["fifo"])
    paths["oversized"].write_bytes(b"#" * (LIMIT + 1))
    return paths


ODD_FILES = {
    "missing": "is not there",
    "folder": "no regular file",
    "link": "symbolic link",
    "fifo": "no regular file",
    "oversized": "larger than",
}


@pytest.mark.parametrize("case", ODD_FILES)
def test_what_is_no_small_regular_file_is_not_read(case: str, tmp_path: Path) -> None:
    path = _odd_files(tmp_path)[case]
    for kind in (Signers, Revoked):
        with pytest.raises(SignersError, match=ODD_FILES[case]):
            kind.read(path)


def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text("# none\n")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(SignersError, match="can't be read"):
        Revoked.read(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty, as after a lost write; where nothing is revoked write: # none"),
        (b" \n\n", "is empty"),
        (b"SSHKRL\n\0\0\0\0\x01", "binary key revocation list, which nobody can review"),
        (b"\x00\x01", "control character"),
        (b"\xff\xfe", "not UTF-8"),
        (b"alice@parker-flight.com\n", r"(?s)line 1: 'alice@parker-flight.com' stands where .*Accepted"),
        (b"serial: 7\n", "line 1: 'serial:' stands where"),
        (b"# none\nssh-ed25519 AAAA\n", "line 2: the key ends too early"),
        (b"ssh-rsa AAAA\n", "line 1: 'ssh-rsa' stands where"),
    ],
)
def test_a_revocation_list_that_ssh_keygen_would_misread_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(SignersError, match=said):
        Revoked.parse(content)


def test_a_list_of_comments_revokes_nobody_and_lines_revoke_keys(people: People) -> None:
    assert Revoked.parse(b"# none\n").fingerprints == frozenset()
    text = f"# left\n{people.alice.public} laptop\n\n{people.bob.public}\n{people.bob.public} again\n"
    assert Revoked.parse(text.encode()).fingerprints == {people.alice.fingerprint, people.bob.fingerprint}


def test_real_keys_of_other_kinds_are_refused(person: MakePerson) -> None:
    for options in (("-t", "rsa", "-b", "2048"), ("-t", "ecdsa")):
        other = person("eve", *options)
        with pytest.raises(SignersError, match=f"'{other.public.split()[0]}' stands where the type"):
            signers(other.line("security"))
