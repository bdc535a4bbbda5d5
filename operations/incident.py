"""Incidents: the incident commander's signed word that there is an emergency; it takes the place of approvals (C1)."""

import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import BaseModel

from gate.decision import COMMANDER
from gate.folder import Filed, Folder
from gate.signature import SignatureRefused, SigningError, sign, verify
from gate.statement import Closure, Incident
from gate.trust import Trust
from operations.confirmation import confirmed
from operations.environment import RUNS_THE_ENGINE
from operations.errors import OperationError
from operations.gate import gate_of, judged, not_stated
from operations.keys import fingerprint_of
from operations.stack import Stack

LONGEST_HOURS = 4
NEEDS = RUNS_THE_ENGINE


class IncidentState(BaseModel):
    """`pf incident status --json`, one entry an incident."""

    id: str
    reason: str
    opened_by: str
    opened_at: datetime
    expires: datetime
    open: bool
    detail: str


def open_incident(stack: Stack, *, key: Path, reason: str, hours: float, confirm: str) -> Incident:
    """Raises: OperationError unless the key is an incident commander's."""
    gate = gate_of(stack)
    now = datetime.now(UTC).replace(microsecond=0)
    with judged():
        trust = gate.trust
        signer = trust.signers.of_fingerprint(fingerprint_of(key))
        if signer is None or COMMANDER not in signer.roles:
            may = ", ".join(one.principal for one in trust.signers.signers if COMMANDER in one.roles) or "nobody"
            raise OperationError(f"{key} is no incident commander's key", f"Who may open an incident: {may}")
        try:
            incident = Incident(
                project=gate.identity.project,
                stack=stack.name,
                account=gate.identity.account,
                region=gate.identity.region,
                supabase_ref=gate.identity.supabase_ref,
                id=f"{now:%Y%m%dt%H%M%Sz}-{secrets.token_hex(2)}",
                reason=reason,
                opened_by=signer.principal,
                opened_at=now,
                expires=now + timedelta(hours=hours),
            )
        except ValueError as error:
            raise not_stated(error) from error
        confirmed(stack.name, confirm, f"Type the stack's name ({stack.name}) to open an incident for it: ")
        try:
            armoured, signature = sign(
                incident.content, key, COMMANDER, signers=trust.signers, revoked=trust.revoked, at=now
            )
        except (SigningError, SignatureRefused) as error:
            raise OperationError(f"not signed: {error}") from error
        folder = Folder(gate.folder, stack.name)
        folder.write(incident)
        folder.write_signature(incident, signature, armoured)
    return incident


def close(stack: Stack, identity: str, *, reason: str, by: str) -> None:
    """Anyone may: it can only restrict."""
    folder = Folder(gate_of(stack).folder, stack.name)
    with judged():
        known = {one.statement.id for one in folder.incidents()[0]}
        if identity not in known:
            names = ", ".join(sorted(known)) or "none"
            raise OperationError(
                f"there is no incident {identity!r}; there is: {names}", f"./pf incident status{stack.command}"
            )
        if folder.closed(identity):
            return
        now = datetime.now(UTC).replace(microsecond=0)
        folder.write(Closure(stack=stack.name, incident=identity, reason=reason, by=by, at=now))


def status(stack: Stack) -> list[IncidentState]:
    """All of them, the newest first."""
    gate = gate_of(stack)
    folder = Folder(gate.folder, stack.name)
    now = datetime.now(UTC)
    with judged():
        trust = gate.trust
        return [_state(folder, one, trust, now) for one in reversed(folder.incidents()[0])]


def _state(folder: Folder, filed: Filed[Incident], trust: Trust, now: datetime) -> IncidentState:
    incident, why_not = filed.statement, _why_not(folder, filed, trust, now)
    return IncidentState(
        id=incident.id,
        reason=incident.reason,
        opened_by=incident.opened_by,
        opened_at=incident.opened_at,
        expires=incident.expires,
        open=not why_not,
        detail=why_not or "open",
    )


def _why_not(folder: Folder, filed: Filed[Incident], trust: Trust, now: datetime) -> str:
    """Why the incident takes the place of nothing (any more); empty while it does."""
    incident, refused = filed.statement, "not signed"
    if folder.closed(incident.id):
        return "closed"
    if now >= incident.expires:
        return "its time is over"
    for file in filed.signatures:
        try:
            verify(incident.content, file.path, signers=trust.signers, revoked=trust.revoked, role=COMMANDER, at=now)
        except SignatureRefused as error:
            refused = str(error)
        else:
            return ""
    return refused
