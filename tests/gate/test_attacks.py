"""The table of attacks in docs/security.md, as far as statement, signature and count meet them; and refusals 1 to 3.

Each attack runs against the whole way: files in a folder, the real ssh-keygen, the count of roles.
"""

import shutil
import subprocess
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gate.folder import Folder
from gate.roles import Outcome, missing
from gate.signature import Signature, SignatureRefused, VerifierError, verify
from gate.signers import Revoked, Role, Signers, SignersError, namespace_of
from gate.statement import Approval, StatementError
from tests.gate.conftest import AT, NOTHING_REVOKED, MakePerson, People, Person, approval, revoked, signers
from tests.gate.test_signature import armoured, judged, unarmoured

pytestmark = pytest.mark.rows("K5", "C2")

REQUIRED: tuple[Role, ...] = ("security", "devops")


@dataclass
class Attempt:
    """An approval on the disk with the signatures that somebody put beside it."""

    folder: Folder
    signers: Signers
    revoked: Revoked = NOTHING_REVOKED
    excluded: Collection[str] = ("dave",)
    at: datetime = AT
    refusals: list[str] = field(default_factory=list[str])

    def files(self, person: Person, role: Role, text: bytes, statement: Approval | None = None) -> Path:
        signature = Signature(role=role, principal=person.principal, fingerprint=person.fingerprint)
        return self.folder.write_signature(statement or approval(), signature, text)

    def signs(self, person: Person, role: Role, statement: Approval | None = None) -> Path:
        statement = statement or approval()
        return self.files(person, role, person.signs(statement.content, namespace_of(role)), statement)

    def outcome(self) -> Outcome:
        ((found,), _) = self.folder.approvals()
        counted: list[Signature] = []
        self.refusals.clear()
        for file in found.signatures:
            try:
                signature = verify(
                    found.statement.content,
                    file.path,
                    signers=self.signers,
                    revoked=self.revoked,
                    role=file.role,
                    at=self.at,
                )
            except SignatureRefused as error:
                self.refusals.append(str(error))
            else:
                counted.append(signature)
        return missing(REQUIRED, counted, self.excluded)

    def denied(self, *said: str) -> None:
        outcome = self.outcome()
        assert not outcome.complete
        everything = "\n".join([*outcome.problems, *self.refusals])
        assert all(part in everything for part in said), everything


@pytest.fixture
def attempt(people: People, tmp_path: Path) -> Attempt:
    folder = Folder(tmp_path, "production")
    folder.write(approval())
    return Attempt(folder, people.signers)


@pytest.fixture
def approved(attempt: Attempt, people: People) -> Attempt:
    attempt.signs(people.alice, "security")
    attempt.signs(people.bob, "devops")
    return attempt


def test_the_right_approval_passes(approved: Attempt, people: People) -> None:
    outcome = approved.outcome()
    assert outcome.complete
    assert {role: one.principal for role, one in outcome.filled.items()} == {
        "security": people.alice.principal,
        "devops": people.bob.principal,
    }


def test_anyone_can_verify_it_with_plain_ssh_keygen(approved: Attempt, people: People, tmp_path: Path) -> None:
    (tmp_path / "allowed_signers").write_text(people.signers.text)
    ((found,), _) = approved.folder.approvals()
    for file, principal in zip(found.signatures, (people.bob.principal, people.alice.principal), strict=True):
        command = ["ssh-keygen", "-Y", "verify", "-f", "allowed_signers", "-I", principal]
        command += ["-n", namespace_of(file.role), "-s", str(file.path)]
        with found.path.open("rb") as statement:
            subprocess.run(command, stdin=statement, cwd=tmp_path, check=True, capture_output=True)


# Attack: an approval of another stack, account, region, operation, base, release, time: all of it is in the bytes.

CHANGES: dict[str, Any] = {
    "project": "parker-flighs",
    "account": "123456789013",
    "region": "us-east-2",
    "supabase_ref": "abcdefghijklmnopqrsu",
    "kind": "hotfix",
    "surface": "a1" * 31 + "a0",
    "base": "b2" * 31 + "b3",
    "signers": "c3" * 31 + "c2",
    "release": "d4" * 31 + "d5",
    "pack": "1.0.1",
    "requester": "dawe",
    "reason": "The payment function reads its own kez",
    "not_before": approval().not_before + timedelta(seconds=1),
    "expires": approval().expires + timedelta(seconds=1),
    "nonce": "0123456789abcdee",
}


@pytest.mark.parametrize("name", CHANGES)
def test_an_approval_changed_in_one_field_is_not_what_was_signed(name: str, people: People, tmp_path: Path) -> None:
    attempt, changed = Attempt(Folder(tmp_path, "production"), people.signers), approval(**{name: CHANGES[name]})
    attempt.folder.write(changed)
    for person, role in zip((people.alice, people.bob), REQUIRED, strict=True):
        attempt.files(person, role, person.signs(approval().content, namespace_of(role)), changed)
    attempt.denied("by alice@parker-flight.com is over another text", "by bob@parker-flight.com is over another text")
    assert len(attempt.outcome().problems) == 2


def test_an_approval_of_another_stack_counts_in_no_other_folder(approved: Attempt, people: People) -> None:
    shutil.copytree(approved.folder.path, approved.folder.path.with_name("sandbox"))
    found, problems = Folder(approved.folder.path.parent, "sandbox").approvals()
    assert found == ()
    assert "is for the stack production, but lies in the folder of sandbox" in str(problems[0])
    moved = approval(stack="sandbox")
    with pytest.raises(SignatureRefused, match="over another text"):
        judged(
            people.alice.signs(approval().content, namespace_of("security")),
            people.signers,
            message=moved.content,
            role="security",
        )


def test_every_field_of_an_approval_is_among_the_changes() -> None:
    assert {*CHANGES, "stack", "schema_"} == set(Approval.model_fields)


@settings(max_examples=40)
@given(st.data())
def test_no_byte_of_a_signed_statement_can_be_flipped(people: People, data: st.DataObject) -> None:
    right = approval()
    signature = people.alice.signs(right.content, namespace_of("security"))
    content = bytearray(right.content)
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises((StatementError, SignatureRefused)):
        verify(
            Approval.parse(bytes(content), "x").content,
            signature,
            signers=people.signers,
            revoked=NOTHING_REVOKED,
            role="security",
            at=AT,
        )


@settings(max_examples=40)
@given(st.data())
def test_no_byte_of_a_signature_can_be_flipped(people: People, data: st.DataObject) -> None:
    blob = bytearray(unarmoured(people.alice.signs(approval().content, namespace_of("security"))))
    blob[data.draw(st.integers(0, len(blob) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(SignatureRefused):
        judged(armoured(bytes(blob)), people.signers, message=approval().content, role="security")


# Attack: a signature that was made for something else.


def test_a_signed_git_commit_or_file_is_no_approval(attempt: Attempt, people: People) -> None:
    attempt.files(people.alice, "security", people.alice.signs(approval().content, "git"))
    attempt.files(people.bob, "devops", people.bob.signs(approval().content, "file"))
    attempt.denied("made for 'git', not as an approval", "made for 'file', not as an approval")


def test_a_signature_of_another_approval_does_not_count(approved: Attempt, people: People) -> None:
    other = approval(nonce="f" * 16)
    approved.folder.write(other)
    (first, second), _ = approved.folder.approvals()
    for file in first.signatures:
        shutil.copy(file.path, file.path.with_name(file.path.name.replace(first.path.name, second.path.name)))
    (_, copied), _ = approved.folder.approvals()
    assert len(copied.signatures) == 2
    for file in copied.signatures:
        with pytest.raises(SignatureRefused, match="or the signature belongs to another one"):
            judged(file.path, people.signers, message=copied.statement.content, role=file.role)


def test_a_signature_in_another_role_filed_under_this_one_does_not_count(attempt: Attempt, people: People) -> None:
    attempt.signs(people.alice, "security")
    attempt.files(people.bob, "devops", people.bob.signs(approval().content, namespace_of("security")))
    attempt.denied("made in the role security; the role devops signs with -n devops@parker-flight")


# Attack: one key or one person in two roles.


@pytest.fixture
def everything(attempt: Attempt, people: People) -> Attempt:
    """Alice holds both roles: the file may say so, the count may not use it."""
    attempt.signers = signers(people.alice.line("security", "devops"), people.bob.line("devops"))
    return attempt


def test_one_person_who_signs_in_both_roles_counts_once(everything: Attempt, people: People) -> None:
    everything.signs(people.alice, "security")
    everything.signs(people.alice, "devops")
    everything.denied("alice@parker-flight.com fills security, so another person must sign as devops")


def test_one_person_with_two_keys_counts_once(attempt: Attempt, people: People, person: MakePerson) -> None:
    second = person("alice")
    attempt.signers = signers(people.alice.line("security", "devops"), second.line("security", "devops"))
    attempt.signs(people.alice, "security")
    attempt.signs(second, "devops")
    attempt.denied("alice@parker-flight.com fills security, so another person must sign as devops")
    assert attempt.refusals == []  # both keys are good; it is the person who counts once


def test_a_copy_in_other_armour_counts_once(everything: Attempt, people: People) -> None:
    path = everything.signs(people.alice, "devops")
    copy = armoured(unarmoured(path.read_bytes()), width=60)
    path.with_name(path.name.replace(path.name.split(".")[-2], "AAAAAAAA")).write_bytes(copy)
    everything.denied("nobody has signed as security")
    assert everything.refusals == []  # the copy verifies; it is the same key


def test_one_key_for_two_principals_is_refused_with_the_file(people: People) -> None:
    with pytest.raises(SignersError, match="stands in line 1 already"):
        signers(people.alice.line("security"), people.alice.line("devops").replace("alice@", "bob@"))


def test_who_signed_both_leaves_a_role_to_the_other(everything: Attempt, people: People) -> None:
    everything.signs(people.alice, "security")
    everything.signs(people.alice, "devops")
    everything.signs(people.bob, "devops")
    assert everything.outcome().complete


# Attack: self-approval.


@pytest.mark.parametrize("part", ["alice", "ALICE@parker-flight.com", "99+alice@users.noreply.github.com"])
def test_requester_author_and_ci_actor_do_not_approve(part: str, approved: Attempt) -> None:
    approved.excluded = ("dave", part)
    approved.denied("alice@parker-flight.com has part in this change, so another person must sign as security")


# Attack: a hostile list of signers.


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('* namespaces="security@parker-flight" KEY', "not one exact person"),
        ('*@parker-flight.com namespaces="security@parker-flight" KEY', "not one exact person"),
        ('m@x.org cert-authority,namespaces="security@parker-flight" KEY', "cert-authority"),
        ('m@x.org zz="1",namespaces="security@parker-flight" KEY', "unknown option"),
        ("m@x.org KEY", "names no namespaces"),
        ('m@x.org namespaces="*" KEY', "no role's namespace"),
        ("mallory", "not one exact person"),
    ],
)
def test_a_line_that_ssh_keygen_would_take_or_skip_refuses_the_file(line: str, said: str, people: People) -> None:
    line = line.replace("KEY", people.mallory.public)
    with pytest.raises(SignersError, match=f"line 5: .*{said}"):
        Signers.parse(f"{people.signers.text}\n{line}\n".encode())


def test_who_is_no_signer_adds_nothing(attempt: Attempt, people: People) -> None:
    attempt.signs(people.alice, "security")
    attempt.signs(people.mallory, "devops")
    attempt.denied("which stands in no line of allowed_signers", "nobody has signed as devops")


def test_who_does_not_hold_the_role_adds_nothing(attempt: Attempt, people: People) -> None:
    attempt.signs(people.alice, "security")
    attempt.signs(people.ivan, "devops")
    attempt.denied("by ivan@parker-flight.com, who does not hold the role devops (but incident-commander)")


# Attack: a key that is revoked, expired, or not yet valid.


def test_a_revoked_signers_approval_is_gone(approved: Attempt, people: People) -> None:
    approved.revoked = revoked(people.bob)
    approved.denied("of bob@parker-flight.com, which is revoked", "nobody has signed as devops")


def test_an_expired_signers_approval_is_gone_though_it_was_valid_when_signed(approved: Attempt, people: People) -> None:
    bob = people.bob.line("devops", options=',valid-before="20260804000000Z"')
    approved.signers = signers(people.alice.line("security"), bob)
    assert approved.outcome().complete
    approved.at = AT + timedelta(days=1)
    approved.denied("of bob@parker-flight.com, which has expired on 2026-08-04 00:00:00Z")


def test_a_signer_of_tomorrow_does_not_approve_today(approved: Attempt, people: People) -> None:
    alice = people.alice.line("security", options=',valid-after="20260804000000Z"')
    approved.signers = signers(alice, people.bob.line("devops"))
    approved.denied("of alice@parker-flight.com, which is not valid before 2026-08-04 00:00:00Z")


@pytest.mark.parametrize("content", [b"", b"\n", b"SSHKRL\n\0", b"\x7fELF", b"revoked: bob\n"])
def test_without_a_readable_list_of_revoked_keys_nothing_is_judged(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "revoked_keys"
    with pytest.raises(SignersError, match="revoked_keys is not there"):
        Revoked.read(path)
    path.write_bytes(content)
    with pytest.raises(SignersError, match="revoked_keys"):
        Revoked.read(path)


# Attack: find-principals taken for verification.


def test_find_principals_proves_nothing_and_is_not_asked(people: People, tmp_path: Path) -> None:
    signature, lines = tmp_path / "x.sig", tmp_path / "allowed_signers"
    signature.write_bytes(people.alice.signs(approval().content, namespace_of("security")))
    lines.write_text(people.signers.text)
    found = subprocess.run(
        ["ssh-keygen", "-Y", "find-principals", "-s", str(signature), "-f", str(lines)],
        input=b"tampered",
        capture_output=True,
        check=True,
    )
    assert found.stdout.decode().strip() == people.alice.principal  # it says so of any message
    with pytest.raises(SignatureRefused, match="over another text"):
        judged(signature, people.signers, message=b"tampered", role="security")


# Attack: a hostile file; a verifier that fails.


def test_a_hostile_file_beside_the_approval_does_not_stop_it(approved: Attempt) -> None:
    ((found,), _) = approved.folder.approvals()
    hostile = found.path.with_name(f"{found.path.name}.security.AAAAAAAA.sig")
    hostile.symlink_to("/dev/zero")
    (approved.folder.path / "hotfix.json").write_bytes(b'{"a":' * 10000)
    assert approved.outcome().complete
    assert approved.refusals == [f"{hostile.name} is a symbolic link; a regular file is needed"]


def test_a_signature_that_is_cut_off_adds_nothing(approved: Attempt) -> None:
    ((found,), _) = approved.folder.approvals()
    path = found.signatures[0].path
    path.write_bytes(path.read_bytes()[:100])
    approved.denied("can't be read: it is not one armoured SSH signature", "nobody has signed as devops")


def test_without_ssh_keygen_nothing_is_approved(approved: Attempt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(VerifierError, match="ssh-keygen is not on PATH"):
        approved.outcome()


# Refusals 1 and 2, in so many words; 3 is the hostile list and the revoked signer above.


def test_no_approval_names_both_roles(attempt: Attempt) -> None:
    attempt.denied("nobody has signed as security", "nobody has signed as devops")


@pytest.mark.parametrize(("role", "other"), [("security", "devops"), ("devops", "security")])
def test_one_of_two_roles_names_the_other(role: Role, other: Role, attempt: Attempt, people: People) -> None:
    attempt.signs(people.alice if role == "security" else people.bob, role)
    attempt.denied(f"nobody has signed as {other}")
    assert len(attempt.outcome().problems) == 1


def test_an_approval_without_an_end_is_none(attempt: Attempt) -> None:
    ((found,), _) = attempt.folder.approvals()
    found.path.write_bytes(found.path.read_bytes().replace(b'"expires":"2026-08-10T12:00:00Z",', b""))
    _, (problem,) = attempt.folder.approvals()
    assert "is no approval: 'expires': Field required" in str(problem)
