"""What a change needs before it may be applied, and what it has: for approvers, and for CI (`pf approve --check`)."""

from datetime import datetime
from pathlib import Path
from typing import cast

from pydantic import BaseModel

from gate.signature import SignatureRefused, verify
from gate.signers import Role
from operations.engine import Engine
from operations.gate import Look, judged, look
from operations.output import say
from operations.stack import Stack


class MissingApproval(BaseModel):
    """A role that nobody has filled yet, and who may."""

    role: Role
    people: list[str]


class Given(BaseModel):
    """One signature over one statement; `problem` is empty if it counts."""

    role: str
    by: str
    problem: str


class FiledApproval(BaseModel):
    """A statement in the approvals folder."""

    file: str
    kind: str
    surface: str
    base: str
    release: str | None
    requester: str
    reason: str
    expires: datetime
    for_this_change: bool
    signatures: list[Given]


class Approvals(BaseModel):
    """`pf approvals --json`."""

    stack: str
    surface: str
    release: str
    base: str
    kind: str
    allowed: bool
    problems: list[str]
    missing: list[MissingApproval]
    filed: list[FiledApproval]
    version: str = ""  # that it would bring back

    @property
    def approve_command(self) -> str:
        """The first to approve says why."""
        begun = any(one.for_this_change for one in self.filed)
        version = f" --version {self.version}" if self.version else ""
        return f"./pf approve --stack {self.stack}{version}{'' if begun else ' --reason WHY'}"


def approvals(stack: Stack) -> Approvals:
    """Previews the change first, unless its last preview still holds."""
    found = look(stack, Engine(stack))
    with judged():
        return approvals_of(found)


def approvals_of(found: Look) -> Approvals:
    """Raises: what `judged` catches."""
    verdict = found.verdict
    return Approvals(
        stack=found.gate.stack,
        surface=found.change.surface.digest,
        release=found.change.release,
        base=found.base.digest,
        kind=verdict.kind,
        allowed=verdict.allowed,
        problems=list(verdict.problems),
        missing=[MissingApproval(role=one.role, people=list(one.people)) for one in verdict.missing],
        filed=_filed(found),
        version=found.change.version,
    )


def _filed(found: Look) -> list[FiledApproval]:
    return [
        FiledApproval(
            file=one.name,
            kind=one.statement.kind,
            surface=one.statement.surface,
            base=one.statement.base,
            release=one.statement.release,
            requester=one.statement.requester,
            reason=one.statement.reason,
            expires=one.statement.expires,
            for_this_change=one.statement.surface == found.change.surface.digest,
            signatures=[_given(found, one.message, role, file) for role, file in one.signatures],
        )
        for one in found.known.approvals
    ]


def check(stack: Stack) -> bool:
    """Whether nothing is missing; says what is."""
    found = approvals(stack)
    for problem in found.problems:
        say(f"- {problem}")
    for one in found.missing:
        say(f"missing: {one.role} ({' or '.join(one.people) or 'nobody may give it'})")
    if found.allowed:
        say(f"{stack.name}: nothing is missing ({found.kind})")
    return found.allowed


def _given(found: Look, message: bytes, role: str, file: Path) -> Given:
    trust = found.known.trust
    try:
        signature = verify(
            message,
            file,
            signers=trust.signers,
            revoked=trust.revoked,
            role=cast("Role", role),
            at=found.change.now,
        )
    except SignatureRefused as error:
        return Given(role=role, by="", problem=str(error))
    return Given(role=role, by=signature.principal, problem="")
