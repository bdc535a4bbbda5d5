"""Giving an approval: see what would change, in words; then sign exactly that, with one's own SSH key.

The statement and the signature are files in the approvals folder, for everybody to verify with plain `ssh-keygen`.
"""

import getpass
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from gate.decision import DEVOPS_LEAD, Kind
from gate.folder import Filed, Folder
from gate.signature import SignatureRefused, SigningError, sign
from gate.signers import Role, Signer
from gate.statement import Approval
from gate.words import differences
from operations.confirmation import confirmed
from operations.engine import Engine
from operations.errors import OperationError
from operations.gate import Look, judged, look, not_stated, pack_version
from operations.keys import fingerprint_of
from operations.output import say, show_differences
from operations.stack import Stack

NOT_COVERED = """\
Your signature says: this surface may replace that one, on this stack. It does not say that
  - the functions' code is right (review and tests do; it may change under this surface without you);
  - the program does nothing else while it runs (whoever merges it to the protected branch answers for that);
  - nobody calls AWS beside this tool (whoever holds the deploying role could: docs/security.md)."""
SHOWN = 12  # characters of a digest that people read and type


def approve(
    stack: Stack, *, key: Path, reason: str, role: str, confirm: str, days: int, requester: str, hotfix: bool
) -> Path:
    """Sign for the change that this checkout makes; returns the signature's file."""
    found = look(stack, Engine(stack))
    kind = _wanted(found, hotfix=hotfix)
    signer = signer_of(key, found)
    filled = _role(signer, role, found)
    folder = Folder(found.gate.folder, stack.name)
    pending = _pending(folder, found, kind)
    digest = _shown_digest(found, kind)
    show_differences(differences(found.approved, found.change.surface))
    if drift := differences(found.approved, found.base):
        say("\nwhat is deployed is not what was approved last; somebody changed it in another way:")
        show_differences(drift)
    if not folder.has_signature_of(signer.fingerprint):
        say(f"\n{NOT_COVERED}")
    statement = pending.statement if pending else _statement(found, kind, reason, days, requester)
    say(
        f"\n{statement.kind} {digest} of {stack.name}, on base {found.base.digest[:SHOWN] or '(nothing deployed)'}"
        f"\n  requested by {statement.requester}: {statement.reason}"
        f"\n  valid until {statement.expires:%Y-%m-%d %H:%M} UTC"
    )
    confirmed(digest, confirm, f"Type {digest} to sign it as {filled} ({signer.principal}): ")
    trust = found.known.trust
    try:
        armoured, signature = sign(
            statement.content, key, filled, signers=trust.signers, revoked=trust.revoked, at=found.change.now
        )
    except (SigningError, SignatureRefused) as error:
        raise OperationError(f"not signed: {error}") from error
    with judged():
        if pending is None:
            folder.write(statement)
        return folder.write_signature(statement, signature, armoured)


def _wanted(found: Look, *, hotfix: bool) -> Literal["infrastructure", "hotfix"]:
    verdict = found.verdict
    if verdict.allowed and not hotfix:
        raise OperationError(
            f"nothing to approve: this change is allowed already ({verdict.kind})",
            f"Bring it back: ./pf rollback{_stack(found)} --reason WHY"
            if found.change.version
            else f"Deploy it: ./pf deploy{_stack(found)}",
        )
    return "hotfix" if hotfix or verdict.kind is Kind.HOTFIX else "infrastructure"


def signer_of(key: Path, found: Look) -> Signer:
    """Whose key it is, among the signers in force."""
    fingerprint = fingerprint_of(key)
    signer = found.known.trust.signers.of_fingerprint(fingerprint)
    if signer is None:
        raise OperationError(
            f"{key} ({fingerprint}) is no signer's key for {found.gate.stack}",
            "Name yours: --key FILE. Who may approve: ./pf signers list" + _stack(found),
        )
    return signer


def _role(signer: Signer, given: str, found: Look) -> Role:
    """The role to sign in: the named one, else the missing one that the signer holds."""
    if given:
        if given not in signer.roles:
            raise OperationError(f"{signer.principal} does not hold the role {given}, but {', '.join(signer.roles)}")
        return given
    missing = [one.role for one in found.verdict.missing] or [DEVOPS_LEAD]
    for role in missing:
        if role in signer.roles:
            return role
    raise OperationError(
        f"{signer.principal} is {', '.join(signer.roles)}; what is missing is {', '.join(missing)}",
        f"./pf approvals{_stack(found)} says who may give it",
    )


def _shown_digest(found: Look, kind: str) -> str:
    return (found.change.release if kind == "hotfix" else found.change.surface.digest)[:SHOWN]


def _pending(folder: Folder, found: Look, kind: str) -> Filed[Approval] | None:
    """A statement about this very change that somebody has begun, to be signed as well."""
    with judged():
        filed, _ = folder.approvals()
    change = found.change
    for one in filed:
        statement = one.statement
        same = (
            statement.kind == kind
            and statement.surface == change.surface.digest
            and statement.base == found.base.digest
            and statement.signers == change.signers
            and statement.pack == change.pack
            and (kind != "hotfix" or statement.release == change.release)
        )
        if same and statement.not_before <= change.now < statement.expires:
            return one
    return None


def _statement(
    found: Look, kind: Literal["infrastructure", "hotfix"], reason: str, days: int, requester: str
) -> Approval:
    if not reason:
        raise OperationError("the first approval of a change says why it is made", 'Say it: --reason "..."')
    identity, change = found.gate.identity, found.change
    now = datetime.now(UTC).replace(microsecond=0)
    try:
        return Approval(
            project=identity.project,
            stack=identity.stack,
            account=identity.account,
            region=identity.region,
            supabase_ref=identity.supabase_ref,
            kind=kind,
            surface=change.surface.digest,
            base=found.base.digest,
            signers=change.signers,
            release=change.release if kind == "hotfix" else None,
            pack=pack_version(),
            requester=requester or _requester(found),
            reason=reason,
            not_before=now,
            expires=now + timedelta(days=days),
            nonce=secrets.token_hex(8),
        )
    except ValueError as error:
        raise not_stated(error) from error


def _requester(found: Look) -> str:
    """Whoever wrote the change, else whoever sits here."""
    return min(found.change.excluded, default="") or getpass.getuser()


def _stack(found: Look) -> str:
    version = found.change.version
    return f" --stack {found.gate.stack}{f' --version {version}' if version else ''}"
