"""One signature over one statement: whose it is, in which role; or why it counts for nothing.

`ssh-keygen -Y verify` decides, asked about exactly the line of the key that the signature names; so one key can't
stand for two people. What is looked up here besides can only refuse, and says why in words. `find-principals` is never
asked: it succeeds on a tampered message. Source: PROTOCOL.sshsig, ssh-keygen(1).
"""

import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gate import ssh_keygen
from gate.files import FileRefusedError, read_regular
from gate.signers import NAMESPACES, Revoked, Role, Signer, Signers, namespace_of
from gate.ssh_keygen import SigningError, VerifierError
from gate.wire import Claim, MalformedError, read_signature

__all__ = ["LIMIT", "Signature", "SignatureRefused", "SigningError", "VerifierError", "sign", "verify"]

LIMIT = 4096  # an Ed25519 signature takes 300 bytes, a security key's 400


class SignatureRefused(Exception):  # noqa: N818  not a failure: the answer is no
    """A signature that counts for nothing; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Signature:
    """A verified signature: in which role, by whom, with which key."""

    role: Role
    principal: str
    fingerprint: str


def verify(
    message: bytes, signature: Path | bytes, *, signers: Signers, revoked: Revoked, role: Role, at: datetime
) -> Signature:
    """Who signed the message in that role, judged by the keys that are valid at that time (the present one).

    Raises: SignatureRefused; VerifierError where ssh-keygen can't be asked, which is a denial too.
    """
    if at.tzinfo is None:
        raise ValueError("a signature is judged at a time with a time zone")
    name = signature.name if isinstance(signature, Path) else "the signature"
    content = _content(signature, name)
    try:
        claim = read_signature(content)
    except MalformedError as error:
        raise SignatureRefused(f"{name} can't be read: {error}") from error
    try:
        signer = _signer(claim, signers, revoked, role, at)
    except SignatureRefused as error:
        raise SignatureRefused(f"{name} {error}") from error
    question = ssh_keygen.Question(
        principal=signer.principal,
        key_type=signer.key_type,
        fingerprint=signer.fingerprint,
        line=signer.line,
        revoked=revoked.text,
        namespace=namespace_of(role),
        signature=content,
        at=at,
    )
    if refusal := ssh_keygen.verify(message, question):
        if "incorrect signature" in refusal:
            raise SignatureRefused(
                f"{name} by {signer.principal} is over another text: the statement was changed after it was signed, "
                "or the signature belongs to another one"
            )
        raise SignatureRefused(f"{name} by {signer.principal} is refused by ssh-keygen: {refusal}")
    return Signature(role=role, principal=signer.principal, fingerprint=signer.fingerprint)


def sign(
    message: bytes,
    key: Path,
    role: Role,
    *,
    signers: Signers,
    revoked: Revoked,
    at: datetime,
    terminal: bool | None = None,
) -> tuple[bytes, Signature]:
    """An armoured signature that has been verified at once, so that none is filed that would count for nothing.

    The key is a private one, or a public one whose private half an agent or a security key holds. Asks for passphrase
    and touch where there is a terminal; elsewhere it fails rather than wait.

    Raises: SigningError, VerifierError; SignatureRefused if the key's holder may not sign in this role.
    """
    asks = sys.stdin.isatty() and sys.stderr.isatty() if terminal is None else terminal
    armoured = ssh_keygen.sign(message, key, namespace_of(role), terminal=asks)
    return armoured, verify(message, armoured, signers=signers, revoked=revoked, role=role, at=at)


def _content(signature: Path | bytes, name: str) -> bytes:
    try:
        content = read_regular(signature, LIMIT) if isinstance(signature, Path) else signature
    except FileRefusedError as error:
        raise SignatureRefused(f"{name} {error}") from error
    if len(content) > LIMIT:
        raise SignatureRefused(f"{name} is larger than {LIMIT} bytes")
    return content


def _signer(claim: Claim, signers: Signers, revoked: Revoked, role: Role, at: datetime) -> Signer:
    """Whose line to ask about. Raises: SignatureRefused, where the answer could only be no."""
    wanted = namespace_of(role)
    if claim.namespace != wanted:
        made_for = NAMESPACES.get(claim.namespace)
        meant = f"in the role {made_for}" if made_for else f"for {claim.namespace!a}, not as an approval"
        raise SignatureRefused(f"was made {meant}; the role {role} signs with -n {wanted}")
    fingerprint = claim.key.fingerprint
    signer = signers.of_fingerprint(fingerprint)
    if fingerprint in revoked.fingerprints:
        whose = f" of {signer.principal}" if signer else ""
        raise SignatureRefused(f"is by the key {fingerprint}{whose}, which is revoked")
    if signer is None:
        raise SignatureRefused(f"is by the key {fingerprint}, which stands in no line of allowed_signers")
    if why_not := signer.why_not_at(at):
        raise SignatureRefused(f"is by the key {fingerprint} of {signer.principal}, which {why_not}")
    if role not in signer.roles:
        raise SignatureRefused(
            f"is by {signer.principal}, who does not hold the role {role} (but {', '.join(signer.roles)})"
        )
    return signer
