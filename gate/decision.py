"""The decision: may this surface be applied to this stack, by these approvals, now (C1, C2).

- The surface is live already, or a succeeded version had it: nothing new, unless it was withdrawn.
- It is new, or the signers change: security and devops, two people, neither of them the requester, in business hours;
  outside them the incident commander too.
- The program is not on the protected branch, which is a hotfix: besides, the devops lead, for exactly this release.
- Emergency: an open incident of an incident commander.
- What a rollback left is in quarantine: nothing brings it back until it is unblocked.

Pure: it reads no clock, no file but the statements that it is given, and changes nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from gate.hours import BusinessHours
from gate.records import Applied, Quarantined
from gate.roles import missing as unfilled
from gate.signature import Signature, SignatureRefused, verify
from gate.signers import Role
from gate.statement import Approval, Incident
from gate.surface import Surface
from gate.trust import Trust

SECURITY: Role = "security"
DEVOPS: Role = "devops"
DEVOPS_LEAD: Role = "devops-lead"
COMMANDER: Role = "incident-commander"


class Kind(StrEnum):
    """What kind of change it is, which decides what it needs."""

    FEATURE = "feature"
    RETURN = "return to an approved surface"
    INFRASTRUCTURE = "infrastructure"
    HOTFIX = "hotfix"
    EMERGENCY = "emergency"


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Which stack: what every statement has to say as well."""

    project: str
    stack: str
    account: str
    region: str
    supabase_ref: str


class Statement(Protocol):
    """What approvals and incidents share."""

    @property
    def project(self) -> str: ...
    @property
    def stack(self) -> str: ...
    @property
    def account(self) -> str: ...
    @property
    def region(self) -> str: ...
    @property
    def supabase_ref(self) -> str: ...


T = TypeVar("T", bound=Statement)


@dataclass(frozen=True, kw_only=True)
class Signed(Generic[T]):
    """A statement, the bytes that were signed, and the signature files beside it by the role they claim."""

    name: str
    statement: T
    message: bytes
    signatures: Sequence[tuple[str, Path]] = ()


@dataclass(frozen=True, kw_only=True)
class Change:
    """What is about to happen."""

    identity: Identity
    surface: Surface
    state: Surface  # of what is deployed; its settings are the live record's
    release: str
    content: str = ""  # digest of surface and functions, whatever program brings them
    returns: bool = False  # it says that it brings a release of before back
    version: str = ""  # which one, for the commands that people are told
    signers: str  # digest of the trust files that come with the change
    pack: str
    commit: str = ""  # of the program; empty outside a git repository
    reviewed: bool  # the program is on the protected branch, or the stack names none
    authors: frozenset[str] = frozenset()  # of its commits
    actor: str = ""  # who started the CI's job
    emergency: bool = False
    now: datetime

    @property
    def excluded(self) -> frozenset[str]:
        """Who had a part in it, and so doesn't approve it."""
        return self.authors | ({self.actor} if self.actor else frozenset())


@dataclass(frozen=True, kw_only=True)
class Known:
    """What it is judged by."""

    live: Applied | None
    live_surface: Surface
    before: Applied | None  # the record of the wanted surface, if it was ever applied
    released: Applied | None = None  # the record of the wanted release, if it was ever applied
    trust: Trust
    hours: BusinessHours
    surfaces: Mapping[str, Surface] = field(default_factory=dict[str, Surface])  # those that approvals were based on
    approvals: Sequence[Signed[Approval]] = ()
    incidents: Sequence[Signed[Incident]] = ()
    damaged: tuple[str, ...] = ()  # statements that can't be used, and why
    withdrawn: Mapping[str, str] = field(default_factory=dict[str, str])  # digest to reason
    quarantined: Mapping[str, Quarantined] = field(default_factory=dict[str, Quarantined])  # by content


@dataclass(frozen=True, kw_only=True)
class Missing:
    """A role whose approval is missing, and who holds it."""

    role: Role
    people: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """`problems` say why not; `missing` whose signature would mend it; `used` what allowed it."""

    allowed: bool
    kind: Kind
    problems: tuple[str, ...] = ()
    missing: tuple[Missing, ...] = ()
    used: tuple[Signature, ...] = ()
    statement: str = ""
    incident: str = ""  # in which the surface came without an approval
    since: datetime | None = None  # when what allows the surface was first used


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What allowed an update, as the policy pack leaves it for the operations tool's report."""

    kind: str
    statement: str
    used: tuple[Signature, ...]


def decide(change: Change, known: Known) -> Verdict:
    verdict = _decide(change, known)
    return verdict if verdict.allowed else replace(verdict, problems=(*verdict.problems, *known.damaged))


def _decide(change: Change, known: Known) -> Verdict:
    if left := known.quarantined.get(change.content):
        return Verdict(allowed=False, kind=_kind(change, known), problems=(_in_quarantine(left, change),))
    if change.emergency:
        return _emergency(change, known)
    signed = known.before.signed if known.before else ""
    for what, digest in (("surface", change.surface.digest), ("surface", signed), ("release", change.release)):
        if digest in known.withdrawn:
            why = f"the {what} {digest[:12]} was withdrawn: {known.withdrawn[digest]}"
            return Verdict(allowed=False, kind=_kind(change, known), problems=(why,))
    verdict = _infrastructure(change, known)
    if verdict.allowed and not change.reviewed:
        return replace(_hotfix(change, known), since=verdict.since)
    return verdict


def _in_quarantine(left: Quarantined, change: Change) -> str:
    return (
        f"this is what version {left.version} brought, and {left.by} rolled it back on {left.at:%Y-%m-%d %H:%M} UTC: "
        f"{left.reason}. Revert the change in the source, or lift it: "
        f"./pf unblock {left.version} --stack {change.identity.stack} --reason WHY"
    )


def _kind(change: Change, known: Known) -> Kind:
    if known.live and change.signers == known.live.signers:
        if change.surface.digest == known.live.surface:
            return Kind.FEATURE
        if known.before:
            return Kind.RETURN
    return Kind.INFRASTRUCTURE


def _infrastructure(change: Change, known: Known) -> Verdict:
    kind = _kind(change, known)
    problems: list[str] = []
    if kind is not Kind.INFRASTRUCTURE and known.before:
        signed = known.before.signed
        again = [
            verdict
            for one in known.approvals
            if one.statement.kind == "infrastructure" and one.statement.surface == signed
            if not known.before.incident and one.statement.not_before <= known.before.at < one.statement.expires
            if (verdict := _judged(one, change, known, kind, at=known.before.at)).allowed
        ]
        if again:
            return again[0]
        how = f"in the incident {known.before.incident}" if known.before.incident else "before"
        problems.append(
            f"the surface {change.surface.digest[:12]} was live {how}, but no signed approval of it is here "
            "that counted then (the record alone proves nothing)"
        )
    verdicts: list[Verdict] = []
    for one in known.approvals:
        if one.statement.kind != "infrastructure" or one.statement.surface != change.surface.digest:
            continue
        verdict = _first_use(one, change, known)
        if verdict.allowed:
            return verdict
        verdicts.append(verdict)
    if verdicts:
        # The nearest one: the fewest signatures missing.
        best = min(verdicts, key=lambda verdict: (len(verdict.missing), len(verdict.problems)))
        return Verdict(
            allowed=False, kind=Kind.INFRASTRUCTURE, problems=(*problems, *best.problems), missing=best.missing
        )
    problems.append(f"no approval of the surface {change.surface.digest[:12]} is here")
    if elsewhere := [one for one in known.approvals if one.statement.kind == "infrastructure"]:
        names = ", ".join(sorted({one.statement.surface[:12] for one in elsewhere})[:3])
        problems.append(f"what is here approves other surfaces: {names}")
    return Verdict(
        allowed=False,
        kind=Kind.INFRASTRUCTURE,
        problems=(*problems, *_drift(change, known)),
        missing=_nobody_yet(change, known),
    )


def _nobody_yet(change: Change, known: Known) -> tuple[Missing, ...]:
    return _missing(_roles(change, known), change.excluded, known)


def _roles(change: Change, known: Known) -> tuple[Role, ...]:
    return (SECURITY, DEVOPS) if known.hours.contain(change.now) else (SECURITY, DEVOPS, COMMANDER)


def _drift(change: Change, known: Known) -> list[str]:
    """What is deployed is neither what was approved and applied last, nor what this change makes of it.

    A resource that the change itself brings may stand in any form: an update that broke off left it so, or `pf recover`
    took it over as the cloud has it; the update makes of it what was approved.
    """
    drifted = [
        urn
        for urn in change.state.moved(known.live_surface)
        if change.state.digests.get(urn) != change.surface.digests.get(urn)
        if urn in known.live_surface.digests or urn not in change.surface.digests
    ]
    if not drifted:
        return []
    names = ", ".join(urn.rpartition("::")[2] for urn in drifted[:5])
    return [
        f"the state is not what was approved and applied last ({names}): revert that by hand, or approve on top of it"
    ]


def _first_use(one: Signed[Approval], change: Change, known: Known) -> Verdict:
    statement, problems = one.statement, list[str]()
    live = known.live_surface.digest  # empty where nothing was ever applied under the gate
    drift = _drift(change, known)
    if statement.base == change.state.digest:
        drift = []  # whoever signed had this very state before them
    elif statement.base != live:
        moved = _moved_since(statement, known)
        problems.append(
            f"{one.name} was given on the base {statement.base[:12] or 'of an empty stack'}, "
            f"but {live[:12] or 'an empty stack'} is live{moved}"
        )
    problems += drift
    if change.now < statement.not_before:
        problems.append(f"{one.name} is not valid before {statement.not_before:%Y-%m-%d %H:%M} UTC")
    if change.now >= statement.expires:
        problems.append(f"{one.name} expired at {statement.expires:%Y-%m-%d %H:%M} UTC")
    if statement.signers != change.signers:
        problems.append(f"{one.name} was given for other signers than those that this change brings")
    if statement.release and statement.release != change.release:
        problems.append(f"{one.name} is for the release {statement.release[:12]}, this is {change.release[:12]}")
    if statement.pack != change.pack:
        problems.append(f"{one.name} was given under policy pack {statement.pack}, this is {change.pack}")
    verdict = _judged(one, change, known, Kind.INFRASTRUCTURE, at=None)
    if problems:
        # More signatures don't mend it: that takes a new statement, which everybody signs.
        return replace(
            verdict, allowed=False, problems=(*problems, *verdict.problems), missing=_nobody_yet(change, known)
        )
    return verdict


def _moved_since(statement: Approval, known: Known) -> str:
    """Which resources are not as they were when the approval was read."""
    base = known.surfaces.get(statement.base)
    if base is None or not statement.base:
        return ""
    names = ", ".join(sorted({urn.rpartition("::")[2] for urn in base.moved(known.live_surface)})[:5])
    return f"; since then there moved: {names}"


def _judged(
    one: Signed[Approval], change: Change, known: Known, kind: Kind, at: datetime | None, roles: Sequence[Role] = ()
) -> Verdict:
    """Whom the statement is for, and by whom. `at`: when it was first used, if it was."""
    foreign = _foreign(one, change.identity)
    roles = roles or ((SECURITY, DEVOPS) if at else _roles(change, known))
    excluded = frozenset({one.statement.requester}) | (frozenset() if at else change.excluded)
    signatures, refused = _signatures(one, roles, known.trust, at or change.now)
    outcome = unfilled(roles, signatures, excluded)
    empty: list[Role] = [role for role in roles if role not in outcome.filled]
    problems = (*foreign, *refused, *(outcome.problems if empty else ()))
    return Verdict(
        allowed=not foreign and not empty,
        kind=kind,
        problems=problems if foreign or empty else (),
        missing=_nobody_yet(change, known) if foreign else _missing(empty, excluded, known),
        used=tuple(outcome.filled.values()),
        statement=one.name,
        since=at or change.now,
    )


def _foreign(one: Signed[Any], identity: Identity) -> list[str]:
    return [
        f"{one.name} is for {what} {said!r}, this is {is_!r}"
        for what, said, is_ in (
            ("project", one.statement.project, identity.project),
            ("stack", one.statement.stack, identity.stack),
            ("AWS account", one.statement.account, identity.account),
            ("region", one.statement.region, identity.region),
            ("Supabase project", one.statement.supabase_ref, identity.supabase_ref),
        )
        if said != is_
    ]


def _signatures(
    one: Signed[Any], roles: Iterable[Role], trust: Trust, at: datetime
) -> tuple[list[Signature], list[str]]:
    """The good ones, and why the others are not."""
    good: list[Signature] = []
    refused: list[str] = []
    wanted: dict[str, Role] = {role: role for role in roles}
    for claimed, file in one.signatures:
        if (role := wanted.get(claimed)) is None:
            continue
        try:
            good.append(verify(one.message, file, signers=trust.signers, revoked=trust.revoked, role=role, at=at))
        except SignatureRefused as error:
            refused.append(str(error))
    return good, refused


def _missing(roles: Iterable[Role], excluded: frozenset[str], known: Known) -> tuple[Missing, ...]:
    return tuple(
        Missing(
            role=role,
            people=tuple(
                sorted({one.principal for one in known.trust.signers.signers if role in one.roles} - excluded)
            ),
        )
        for role in roles
    )


def _hotfix(change: Change, known: Known) -> Verdict:
    """A program that nobody merged: the devops lead answers for exactly this release."""
    if _was_live(change, known):  # who starts it again asks for nothing new; who wrote it stays excluded
        change = replace(change, actor="")
    problems = ["this program is not on the protected branch, or has uncommitted changes: that is a hotfix"]
    brings_signers = change.signers != known.trust.digest
    if brings_signers:
        problems.append("signers come into force by the protected branch only: leave them out of the hotfix")
    for one in known.approvals:
        if one.statement.kind != "hotfix":
            continue
        verdict = _judged(one, change, known, Kind.HOTFIX, at=None, roles=(DEVOPS_LEAD,))
        wrong = _hotfix_mismatch(one, change, known)
        if verdict.allowed and not wrong and not brings_signers:
            return verdict
        problems += [wrong] if wrong else verdict.problems
    return Verdict(
        allowed=False,
        kind=Kind.HOTFIX,
        problems=tuple(problems),
        missing=_missing((DEVOPS_LEAD,), change.excluded, known),
    )


def _returns(change: Change, known: Known) -> bool:
    """Whether that very release was live, and is brought back."""
    return change.returns and known.released is not None


def _was_live(change: Change, known: Known) -> bool:
    return _returns(change, known) or (known.live is not None and known.live.release == change.release)


def _hotfix_mismatch(one: Signed[Approval], change: Change, known: Known) -> str:
    """Why the statement is about something else, or about another time."""
    statement = one.statement
    if statement.release != change.release:
        return f"{one.name} is for the release {(statement.release or '')[:12]}, this is {change.release[:12]}"
    signed = known.before.signed if _returns(change, known) and known.before else change.surface.digest
    if statement.surface not in (change.surface.digest, signed):
        return f"{one.name} was given with another surface than {change.surface.digest[:12]}"
    if statement.base != change.state.digest and not _was_live(change, known):
        return f"{one.name} was given on another base than {change.state.digest[:12]}"
    if statement.pack != change.pack:
        return f"{one.name} was given under policy pack {statement.pack}, this is {change.pack}"
    if not statement.not_before <= change.now < statement.expires and not _returns(change, known):
        return f"{one.name} is valid from {statement.not_before:%F %H:%M} to {statement.expires:%F %H:%M} UTC"
    return ""


def _emergency(change: Change, known: Known) -> Verdict:
    problems: list[str] = []
    for one in known.incidents:
        statement = one.statement
        if foreign := _foreign(one, change.identity):
            problems += foreign
            continue
        if not statement.opened_at <= change.now < statement.expires:
            problems.append(f"{one.name} was open until {statement.expires:%Y-%m-%d %H:%M} UTC")
            continue
        good, refused = _signatures(one, (COMMANDER,), known.trust, change.now)
        if good:
            before = known.before  # what was approved stays approved, also when it is needed in a hurry
            return Verdict(
                allowed=True,
                kind=Kind.EMERGENCY,
                used=tuple(good),
                statement=one.name,
                incident=before.incident if before else statement.id,
                since=before.at if before else change.now,
            )
        problems += refused or [f"{one.name} is not signed"]
    return Verdict(
        allowed=False,
        kind=Kind.EMERGENCY,
        problems=("no incident is open for this stack", *problems),
        missing=_missing((COMMANDER,), frozenset(), known),
    )
