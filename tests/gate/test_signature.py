"""Signatures through the real ssh-keygen: the right one counts, and each wrong one is refused for its own reason."""

import base64
import os
import pty
import re
import resource
import struct
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from hashlib import sha256, sha512
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gate import ssh_keygen
from gate.signature import LIMIT, Signature, SignatureRefused, SigningError, sign, verify
from gate.signers import Revoked, Role, Signers, namespace_of
from tests.gate.conftest import AT, NOTHING_REVOKED, MakePerson, People, Person, revoked, signers

pytestmark = pytest.mark.rows("K5", "C2")

MESSAGE = b'{"kind":"infrastructure"}'
SECURITY = namespace_of("security")


def judged(
    signature: Path | bytes,
    trusted: Signers,
    *,
    message: bytes = MESSAGE,
    role: Role = "security",
    without: Revoked = NOTHING_REVOKED,
    at: datetime = AT,
) -> Signature:
    return verify(message, signature, signers=trusted, revoked=without, role=role, at=at)


def unarmoured(signature: bytes) -> bytes:
    return base64.b64decode(b"".join(signature.split(b"\n")[1:-2]))


def armoured(blob: bytes, width: int = 70) -> bytes:
    text = base64.b64encode(blob).decode()
    return (
        "\n".join(["-----BEGIN SSH SIGNATURE-----", *textwrap.wrap(text, width), "-----END SSH SIGNATURE-----"]) + "\n"
    ).encode()


def string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def sshsig(
    key: bytes,
    proof: bytes,
    namespace: bytes = SECURITY.encode(),
    *,
    magic: bytes = b"SSHSIG",
    version: int = 1,
    reserved: bytes = b"",
    algorithm: bytes = b"sha512",
) -> bytes:
    """PROTOCOL.sshsig, section 3."""
    fields = [key, namespace, reserved, algorithm, proof]
    return magic + struct.pack(">I", version) + b"".join(map(string, fields))


def proof_of(signature: bytes) -> bytes:
    return unarmoured(signature)[-83:]  # a string of type and a string of 64 bytes


def test_the_right_signature_counts_from_a_file_and_from_bytes(people: People, tmp_path: Path) -> None:
    signature = people.alice.signs(MESSAGE, SECURITY)
    expected = Signature(role="security", principal=people.alice.principal, fingerprint=people.alice.fingerprint)
    assert judged(signature, people.signers) == expected
    file = tmp_path / "statement.sig"
    file.write_bytes(signature)
    assert judged(file, people.signers) == expected


def test_the_builder_of_these_tests_builds_what_ssh_keygen_builds(people: People) -> None:
    signature = people.alice.signs(MESSAGE, SECURITY)
    assert armoured(sshsig(people.alice.blob, proof_of(signature))) == signature


def test_a_copy_in_other_armour_is_the_same_signature(people: People) -> None:
    signature = people.alice.signs(MESSAGE, SECURITY)
    copy = armoured(unarmoured(signature), width=64)
    assert copy != signature
    assert judged(copy, people.signers) == judged(signature, people.signers)


@pytest.mark.parametrize("width", [1, 70, 76, 327, 328, 1000])
def test_the_width_of_the_armour_does_not_matter(width: int, people: People) -> None:
    signature = people.alice.signs(MESSAGE, SECURITY)
    assert judged(armoured(unarmoured(signature), width), people.signers)


# What is wrong, on the way from a statement to its signature: namespace, key, holder, time.


def test_a_signature_of_a_git_commit_is_none(people: People) -> None:
    with pytest.raises(SignatureRefused, match=r"made for 'git', not as an approval; the role security signs with -n"):
        judged(people.alice.signs(MESSAGE, "git"), people.signers)


def test_a_signature_of_a_file_is_none(people: People) -> None:
    with pytest.raises(SignatureRefused, match="made for 'file', not as an approval"):
        judged(people.alice.signs(MESSAGE, "file"), people.signers)


def test_a_namespace_that_only_looks_like_ours_is_none(people: People) -> None:
    with pytest.raises(SignatureRefused, match=r"made for 'security@parker-flight\.com', not as an approval"):
        judged(people.alice.signs(MESSAGE, "security@parker-flight.com"), people.signers)


def test_a_signature_in_one_role_does_not_count_in_another(people: People) -> None:
    with pytest.raises(SignatureRefused, match="made in the role devops; the role security signs with"):
        judged(people.bob.signs(MESSAGE, namespace_of("devops")), people.signers)


def test_a_namespace_written_over_afterwards_is_noticed(people: People) -> None:
    forged = armoured(sshsig(people.alice.blob, proof_of(people.alice.signs(MESSAGE, "git"))))
    with pytest.raises(SignatureRefused, match="is over another text"):
        judged(forged, people.signers)


def test_another_text_is_refused(people: People) -> None:
    with pytest.raises(SignatureRefused, match=r"by alice@.* is over another text: the statement was changed after"):
        judged(people.alice.signs(MESSAGE, SECURITY), people.signers, message=MESSAGE + b"\n")


def test_a_key_of_nobody_is_refused(people: People) -> None:
    with pytest.raises(
        SignatureRefused, match=rf"by the key {re.escape(people.mallory.fingerprint)}, which stands in no line"
    ):
        judged(people.mallory.signs(MESSAGE, SECURITY), people.signers)


def test_somebody_elses_key_put_into_ones_own_signature_is_noticed(people: People) -> None:
    forged = armoured(sshsig(people.alice.blob, proof_of(people.mallory.signs(MESSAGE, SECURITY))))
    with pytest.raises(SignatureRefused, match=r"by alice@.* is over another text"):
        judged(forged, people.signers)


def test_a_role_that_its_signer_does_not_hold_is_refused(people: People) -> None:
    with pytest.raises(SignatureRefused, match=r"by bob@.*, who does not hold the role security \(but devops\)"):
        judged(people.bob.signs(MESSAGE, SECURITY), people.signers)


def test_a_revoked_key_counts_for_nothing(people: People) -> None:
    with pytest.raises(SignatureRefused, match=r"of alice@parker-flight.com, which is revoked"):
        judged(people.alice.signs(MESSAGE, SECURITY), people.signers, without=revoked(people.bob, people.alice))


def test_a_revoked_key_that_is_no_signers_any_more_is_named_as_revoked(people: People) -> None:
    with pytest.raises(SignatureRefused, match=rf"{re.escape(people.mallory.fingerprint)}, which is revoked"):
        judged(people.mallory.signs(MESSAGE, SECURITY), people.signers, without=revoked(people.mallory))


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo", "UTC"])
def test_a_keys_time_is_the_same_in_every_time_zone(zone: str, people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    trusted = signers(
        people.alice.line("security", options=',valid-after="20260803110000Z",valid-before="20260803130000Z"')
    )
    signature, second = people.alice.signs(MESSAGE, SECURITY), timedelta(seconds=1)
    begin, end = AT - timedelta(hours=1), AT + timedelta(hours=1)
    for at in (begin, end, end.replace(microsecond=999999), end.astimezone(timezone(timedelta(hours=-5)))):
        assert judged(signature, trusted, at=at)
    with pytest.raises(SignatureRefused, match=r"of alice@.*, which is not valid before 2026-08-03 11:00:00Z"):
        judged(signature, trusted, at=begin - second)
    with pytest.raises(SignatureRefused, match=r"of alice@.*, which has expired on 2026-08-03 13:00:00Z"):
        judged(signature, trusted, at=end + second)


def test_a_time_without_a_zone_is_a_mistake_of_the_caller(people: People) -> None:
    with pytest.raises(ValueError, match="time zone"):
        judged(people.alice.signs(MESSAGE, SECURITY), people.signers, at=AT.replace(tzinfo=None))


# What is no signature at all.


def _damaged(signature: bytes, key: bytes) -> dict[str, tuple[bytes, str]]:
    blob, proof = unarmoured(signature), proof_of(signature)
    kind, raw = string(b"ssh-ed25519"), proof[-64:]
    return {
        "empty": (b"", "not one armoured SSH signature"),
        "no end": (signature[:-30], "not one armoured SSH signature"),
        "a text before it": (b"x\n" + signature, "not one armoured SSH signature"),
        "a text after it": (signature + b"x\n", "not one armoured SSH signature"),
        "two of them": (signature * 2, "not one armoured SSH signature"),
        "Windows line ends": (signature.replace(b"\n", b"\r\n"), "not one armoured SSH signature"),
        "PGP": (signature.replace(b"SSH", b"PGP"), "not one armoured SSH signature"),
        "base64 cut off": (signature.replace(b"\n-----E", b"A\n-----E"), "base64 can't be decoded"),
        "other magic": (armoured(sshsig(key, proof, magic=b"SSHSIX")), "does not begin with SSHSIG"),
        "a later version": (armoured(sshsig(key, proof, version=2)), "of version 2, known is 1"),
        "something reserved": (armoured(sshsig(key, proof, reserved=b"x")), "reserved field is not empty"),
        "an unknown hash": (armoured(sshsig(key, proof, algorithm=b"md5")), "hashes with 'md5', accepted is sha512"),
        "a namespace in UTF-8": (armoured(sshsig(key, proof, "sécurity".encode())), "a name that is not ASCII"),
        "bytes at the end": (armoured(blob + b"\0\0"), "the signature has 2 bytes too many"),
        "cut in the middle": (armoured(blob[:-40]), "the signature ends too early"),
        "a length beyond the end": (armoured(blob.replace(string(key), b"\xff\xff\xff\xff" + key)), "ends too early"),
        "a key with more bytes": (armoured(sshsig(key + b"\0", proof)), "the key has 1 bytes too many"),
        "a proof with more bytes": (armoured(sshsig(key, proof + b"\0")), "the signature has 1 bytes too many"),
        "a short proof": (armoured(sshsig(key, kind + string(raw[:-1]))), "does not have the 64 bytes"),
        "a proof of another kind": (
            armoured(sshsig(key, string(b"ssh-rsa") + string(raw))),
            "made by one of 'ssh-rsa'",
        ),
        "too large a file": (signature + b"\n" * LIMIT, f"is larger than {LIMIT} bytes"),
    }


DAMAGES = tuple(_damaged(armoured(bytes(200)), bytes(51)))


@pytest.mark.parametrize("case", DAMAGES)
def test_a_damaged_signature_is_refused_with_what_is_wrong(case: str, people: People) -> None:
    damaged, said = _damaged(people.alice.signs(MESSAGE, SECURITY), people.alice.blob)[case]
    with pytest.raises(SignatureRefused, match=f"the signature .*{said}"):
        judged(damaged, people.signers)


def test_a_weaker_hash_is_refused(people: People) -> None:
    with pytest.raises(SignatureRefused, match="hashes with 'sha256', accepted is sha512; sign without"):
        judged(people.alice.signs(MESSAGE, SECURITY, "-O", "hashalg=sha256"), people.signers)


@pytest.mark.parametrize("kind", [("-t", "rsa", "-b", "2048"), ("-t", "ecdsa")])
def test_other_kinds_of_keys_sign_nothing(kind: tuple[str, ...], people: People, person: MakePerson) -> None:
    signature = person("eve", *kind).signs(MESSAGE, SECURITY)
    with pytest.raises(SignatureRefused, match=f"the key is of type '[a-z0-9-]*{kind[1]}[a-z0-9-]*'; accepted are"):
        judged(signature, people.signers)


def test_a_signature_file_that_is_no_small_regular_file_is_refused(people: People, tmp_path: Path) -> None:
    real, link, fifo, large = (tmp_path / name for name in ("real.sig", "link.sig", "fifo.sig", "large.sig"))
    real.write_bytes(people.alice.signs(MESSAGE, SECURITY))
    link.symlink_to(real)
    os.mkfifo(fifo)
    large.write_bytes(b"x" * (LIMIT + 1))
    for path, said in [
        (link, "link.sig is a symbolic link"),
        (fifo, "fifo.sig is no regular file"),
        (large, "large.sig is larger than 4096 bytes"),
        (tmp_path, "is no regular file"),
        (tmp_path / "none.sig", "none.sig is not there"),
    ]:
        with pytest.raises(SignatureRefused, match=said):
            judged(path, people.signers)


# Security keys. Their half of the protocol is computed here, so that the real ssh-keygen can judge it.


class SecurityKey:
    """What a FIDO2 key does (PROTOCOL.u2f), without the device."""

    def __init__(self, application: bytes = b"ssh:") -> None:
        self._private = Ed25519PrivateKey.generate()
        self._application = application
        kind = string(b"sk-ssh-ed25519@openssh.com")
        self.blob = kind + string(self._private.public_key().public_bytes_raw()) + string(application)
        self.public = "sk-ssh-ed25519@openssh.com " + base64.b64encode(self.blob).decode()

    def signs(self, message: bytes, *, touched: bool = True) -> bytes:
        signed = (
            b"SSHSIG" + string(SECURITY.encode()) + string(b"") + string(b"sha512") + string(sha512(message).digest())
        )
        after = bytes([touched]) + struct.pack(">I", 7)
        raw = self._private.sign(sha256(self._application).digest() + after + sha256(signed).digest())
        return armoured(sshsig(self.blob, string(b"sk-ssh-ed25519@openssh.com") + string(raw) + after))


def test_a_security_key_counts_when_it_was_touched() -> None:
    key = SecurityKey()
    trusted = signers(Person("hal@parker-flight.com", Path(), key.public).line("security"))
    assert judged(key.signs(MESSAGE), trusted).principal == "hal@parker-flight.com"
    with pytest.raises(SignatureRefused, match="over another text"):
        judged(key.signs(MESSAGE), trusted, message=b"another")
    with pytest.raises(SignatureRefused, match="the security key was not touched"):
        judged(key.signs(MESSAGE, touched=False), trusted)


def test_a_security_key_of_a_web_site_is_none(people: People) -> None:
    key = SecurityKey(b"https://example.com")
    with pytest.raises(SignatureRefused, match="the security key is not for SSH"):
        judged(key.signs(MESSAGE), people.signers)


# ssh-keygen alone refuses all that this module looks up besides; it decides, the look-up only explains.


def question(person: Person, **changed: object) -> ssh_keygen.Question:
    asked: dict[str, object] = {
        "principal": person.principal,
        "key_type": "ssh-ed25519",
        "fingerprint": person.fingerprint,
        "line": person.line("security", options=',valid-after="20260101000000Z",valid-before="20261231000000Z"'),
        "revoked": NOTHING_REVOKED.text,
        "namespace": SECURITY,
        "signature": person.signs(MESSAGE, SECURITY),
        "at": AT,
    }
    return ssh_keygen.Question(**(asked | changed))  # pyright: ignore[reportArgumentType]


def test_ssh_keygen_alone_accepts_the_right_one(people: People) -> None:
    assert ssh_keygen.verify(MESSAGE, question(people.alice)) == ""


Alter = Callable[[People], dict[str, object]]
REFUSED_BY_SSH_KEYGEN: dict[str, tuple[Alter, str]] = {
    "revoked": (lambda people: {"revoked": revoked(people.alice).text}, ""),  # it gives no reason
    "expired": (lambda _: {"at": AT.replace(year=2027)}, "key has expired"),
    "not yet valid": (lambda _: {"at": AT.replace(year=2025)}, "key is not yet valid"),
    "another namespace": (lambda _: {"namespace": "devops@parker-flight"}, "namespace"),
    "a line of another role": (
        lambda people: {"line": people.alice.line("devops")},
        "not permitted for use in signature",
    ),
    "another principal": (lambda people: {"principal": people.bob.principal}, ""),
    "another key": (lambda people: {"line": people.mallory.line("security")}, ""),
    "a git signature": (lambda people: {"signature": people.alice.signs(MESSAGE, "git")}, "namespace"),
    "another message": (lambda people: {"signature": people.alice.signs(b"other", SECURITY)}, "incorrect signature"),
    "no signature": (lambda _: {"signature": b"hello"}, ""),
}


@pytest.mark.parametrize("case", REFUSED_BY_SSH_KEYGEN)
def test_ssh_keygen_alone_refuses(case: str, people: People) -> None:
    alter, said = REFUSED_BY_SSH_KEYGEN[case]
    asked = question(people.alice, **alter(people))
    refusal = ssh_keygen.verify(MESSAGE, asked)
    assert refusal
    assert said in refusal


def test_a_verification_takes_less_than_50_ms(people: People) -> None:
    def used() -> float:
        """Processor time, ours and ssh-keygen's: what else this machine does is not what is measured."""
        usage = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return sum(one.ru_utime + one.ru_stime for one in usage)

    signature, before = people.alice.signs(MESSAGE, SECURITY), used()
    for _ in range(10):
        judged(signature, people.signers)
    assert (used() - before) / 10 < 0.05


# Signing.


def signed_by(key: Path, people: People, role: Role = "security", *extra: str) -> Signature:
    trusted = signers(*(signer.line for signer in people.signers.signers), *extra)
    text, signature = sign(MESSAGE, key, role, signers=trusted, revoked=NOTHING_REVOKED, at=AT, terminal=False)
    assert judged(text, trusted, role=role) == signature
    return signature


def test_a_private_keys_file_signs(people: People) -> None:
    assert signed_by(people.alice.key, people).principal == people.alice.principal


def test_a_key_that_may_not_sign_is_noticed_before_anything_is_filed(people: People) -> None:
    with pytest.raises(SignatureRefused, match="stands in no line of allowed_signers"):
        signed_by(people.mallory.key, people)
    with pytest.raises(SignatureRefused, match=r"bob@.*, who does not hold the role security"):
        signed_by(people.bob.key, people)


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    socket = tmp_path / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL)
    try:
        while not socket.exists():
            assert process.poll() is None
            time.sleep(0.01)
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        yield
    finally:
        process.terminate()
        process.wait()


@pytest.mark.usefixtures("agent")
def test_a_key_in_the_agent_signs_by_its_public_half(people: People, tmp_path: Path) -> None:
    subprocess.run(["ssh-add", "-q", str(people.alice.key)], check=True, capture_output=True)
    public = tmp_path / "alice.pub"
    public.write_text(people.alice.public + "\n")
    assert signed_by(public, people).principal == people.alice.principal


def test_a_public_half_alone_signs_nothing(people: People, tmp_path: Path) -> None:
    public = tmp_path / "alice.pub"
    public.write_text(people.alice.public + "\n")
    with pytest.raises(SigningError, match=r"no signature with .*alice.pub: No private key found"):
        signed_by(public, people)


def test_a_key_that_is_not_there_is_named(people: People, tmp_path: Path) -> None:
    with pytest.raises(SigningError, match=r"no signature with .*/nobody: .*No such file"):
        signed_by(tmp_path / "nobody", people)


@pytest.fixture(scope="session")
def locked(person: MakePerson) -> Person:
    return person("lena", passphrase="open sesame")


def test_a_passphrase_is_never_waited_for_where_nobody_can_type_it(
    people: People, locked: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialogue = tmp_path / "askpass"
    dialogue.write_text(f"#!/bin/sh\ntouch {tmp_path}/asked\nexec /bin/sleep 100\n")
    dialogue.chmod(0o755)
    for name, value in {"SSH_ASKPASS": str(dialogue), "DISPLAY": ":0", "SSH_ASKPASS_REQUIRE": "force"}.items():
        monkeypatch.setenv(name, value)
    start = time.monotonic()
    with pytest.raises(SigningError, match=r"lena is protected by a passphrase, and there is no terminal .*ssh-add"):
        signed_by(locked.key, people)
    assert time.monotonic() - start < 30  # it does not wait for the dialogue's 100 seconds
    assert not (tmp_path / "asked").exists()


SIGN_ON_TERMINAL = """
import sys
from pathlib import Path
from gate.signature import sign
from tests.gate.conftest import AT, NOTHING_REVOKED, signers
trusted = signers(sys.argv[2])
text, signature = sign(b"x", Path(sys.argv[1]), "security", signers=trusted, revoked=NOTHING_REVOKED, at=AT)
print("signed by", signature.principal)
"""


def on_terminal(answer: bytes, *arguments: str) -> bytes:
    """What a Python program shows on a terminal of its own, whose user answers the question for a passphrase."""
    pid, terminal = pty.fork()
    if pid == 0:  # pragma: no cover
        os.execv(sys.executable, [sys.executable, *arguments])  # noqa: S606
    shown, answered = b"", False
    while True:
        try:
            shown += (part := os.read(terminal, 1024))
        except OSError:  # how Linux says that the other end is closed
            break
        if not part:
            break
        if not answered and b"passphrase" in shown:
            os.write(terminal, answer + b"\n")
            answered = True
    os.waitpid(pid, 0)
    os.close(terminal)
    return shown


def test_on_a_terminal_the_passphrase_is_asked_for(locked: Person) -> None:
    arguments = ("-c", SIGN_ON_TERMINAL, str(locked.key), locked.line("security"))
    assert b"signed by lena@parker-flight.com" in on_terminal(b"open sesame", *arguments)
    shown = on_terminal(b"wrong", *arguments)
    assert b"incorrect passphrase" in shown
    assert b"SigningError" in shown
