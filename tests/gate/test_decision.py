"""May this be applied, now, by these approvals: every line of the table of C1 and C2, with the real ssh-keygen."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from gate.decision import Change, Identity, Kind, Known, Signed, Verdict, decide
from gate.explain import denial
from gate.hours import BusinessHours
from gate.records import Applied, Quarantined
from gate.signers import Role, Signers, namespace_of
from gate.statement import Approval, Incident
from gate.surface import Surface
from gate.trust import Trust
from tests.gate.conftest import AT, NOTHING_REVOKED, MakePerson, People, Person, approval, revoked

pytestmark = pytest.mark.rows("K5", "C1", "C2")

KEY, ALIAS, TOPIC = (
    f"urn:pulumi:production::parker-flight::aws:x/{name}:X::{name}" for name in ("key", "alias", "topic")
)
SIGNERS, NEW_SIGNERS = "c3" * 32, "c4" * 32
RELEASE, OTHER_RELEASE = "d4" * 32, "d5" * 32
PACK = "1.0.0"
NIGHT = datetime(2026, 8, 3, 22, tzinfo=UTC)
HOURS = BusinessHours(
    zone=ZoneInfo("UTC"), days=frozenset({"mon", "tue", "wed", "thu", "fri"}), opens=time(9), closes=time(17)
)
IDENTITY = Identity(
    project="parker-flight",
    stack="production",
    account="123456789012",
    region="us-east-1",
    supabase_ref="abcdefghijklmnopqrst",
)


def surface(**versions: int) -> Surface:
    urns = {"key": KEY, "alias": ALIAS, "topic": TOPIC}
    return Surface(resources={urns[name]: {"version": version} for name, version in versions.items()})


EMPTY, LIVE, WANTED = Surface(), surface(key=1, alias=1), surface(key=2, alias=1)
EARLIER = surface(key=1)


def applied(which: Surface, **changed: Any) -> Applied:
    given: dict[str, Any] = {
        "surface": which.digest,
        "signers": SIGNERS,
        "signers_commit": "",
        "commit": "",
        "at": AT - timedelta(days=30),
        "release": OTHER_RELEASE,
    }
    return Applied(**(given | changed))


@dataclass(kw_only=True)
class World:
    """What there is to decide by; a test changes one thing."""

    people: People
    folder: Path
    change: Change
    known: Known

    def verdict(self) -> Verdict:
        return decide(self.change, self.known)

    def changes(self, **changed: Any) -> None:
        self.change = replace(self.change, **changed)

    def knows(self, **changed: Any) -> None:
        self.known = replace(self.known, **changed)

    def trusts(self, signers: Signers | None = None, **changed: Any) -> None:
        trust = self.known.trust
        self.knows(trust=replace(trust, signers=signers or trust.signers, **changed))

    def signed(self, statement: Any, *signatures: tuple[Person, Role], claims: Role | None = None) -> Signed[Any]:
        """A statement with its signature files, as they would lie in the folder."""
        files: list[tuple[str, Path]] = []
        for number, (person, role) in enumerate(signatures):
            file = self.folder / f"{len(list(self.folder.iterdir()))}.{number}.sig"
            file.write_bytes(person.signs(statement.content, namespace_of(role)))
            files.append((claims or role, file))
        return Signed(name=statement.file_name, statement=statement, message=statement.content, signatures=files)

    def approves(self, *signatures: tuple[Person, Role], **changed: Any) -> Signed[Approval]:
        """Put an approval of the change there; without signatures it has those of Alice and Bob."""
        given: dict[str, Any] = {
            "surface": self.change.surface.digest,
            "base": self.change.state.digest,
            "signers": self.change.signers,
            "release": None,
        }
        one = self.signed(approval(**(given | changed)), *(signatures or self.both))
        self.knows(approvals=[*self.known.approvals, one])
        return one

    def hotfix(self, *signatures: tuple[Person, Role], **changed: Any) -> Signed[Approval]:
        given: dict[str, Any] = {"kind": "hotfix", "release": self.change.release}
        return self.approves(*(signatures or (self.lead,)), **(given | changed))

    def incident(self, *signatures: tuple[Person, Role], **changed: Any) -> Signed[Incident]:
        given: dict[str, Any] = {
            **{name: getattr(IDENTITY, name) for name in ("project", "stack", "account", "region", "supabase_ref")},
            "id": "20260803t110000z-ab12",
            "reason": "payments fail",
            "opened_by": self.people.ivan.principal,
            "opened_at": AT - timedelta(hours=1),
            "expires": AT + timedelta(hours=3),
        }
        one = self.signed(Incident(**(given | changed)), *(signatures or (self.commander,)))
        self.knows(incidents=[*self.known.incidents, one])
        return one

    @property
    def security(self) -> tuple[Person, Role]:
        return self.people.alice, "security"

    @property
    def devops(self) -> tuple[Person, Role]:
        return self.people.bob, "devops"

    @property
    def both(self) -> tuple[tuple[Person, Role], ...]:
        return self.security, self.devops

    @property
    def lead(self) -> tuple[Person, Role]:
        return self.people.carol, "devops-lead"

    @property
    def commander(self) -> tuple[Person, Role]:
        return self.people.ivan, "incident-commander"


@pytest.fixture
def world(people: People, tmp_path: Path) -> World:
    """A reviewed change of a key on a stack whose live surface is deployed, at noon on a Monday."""
    return World(
        people=people,
        folder=tmp_path,
        change=Change(
            identity=IDENTITY,
            surface=WANTED,
            state=LIVE,
            release=RELEASE,
            signers=SIGNERS,
            pack=PACK,
            reviewed=True,
            now=AT,
        ),
        known=Known(
            live=applied(LIVE),
            live_surface=LIVE,
            before=None,
            trust=Trust(signers=people.signers, revoked=NOTHING_REVOKED, digest=SIGNERS, commit=""),
            hours=HOURS,
        ),
    )


def returning(world: World, to: Surface = EARLIER, **changed: Any) -> None:
    """The wanted surface was applied a month ago, by an approval that is still here."""
    world.changes(surface=to)
    world.knows(before=applied(to, **changed))
    at = AT - timedelta(days=30)
    world.approves(base="", not_before=at - timedelta(days=1), expires=at + timedelta(days=1))


def redeploying(world: World) -> None:
    returning(world, LIVE)


def approving(world: World) -> None:
    world.approves()


def denied(world: World, kind: Kind, *said: str, missing: tuple[str, ...] | None = None) -> Verdict:
    verdict = world.verdict()
    assert not verdict.allowed
    assert verdict.kind is kind
    text = "\n".join(verdict.problems)
    for part in said:
        assert part in text, text
    if missing is not None:
        assert tuple(one.role for one in verdict.missing) == missing
    return verdict


def allowed(world: World, kind: Kind) -> Verdict:
    verdict = world.verdict()
    assert verdict.allowed, verdict.problems
    assert (verdict.kind, verdict.problems, verdict.missing) == (kind, (), ())
    return verdict


# Feature


def test_a_feature_needs_nothing_new(world: World) -> None:
    redeploying(world)
    verdict = allowed(world, Kind.FEATURE)
    assert verdict.since == AT - timedelta(days=30)


@pytest.mark.parametrize("now", [NIGHT, datetime(2026, 8, 8, 3, tzinfo=UTC)])
def test_a_feature_is_applied_at_any_time(now: datetime, world: World) -> None:
    redeploying(world)
    world.changes(now=now, release="ee" * 32)
    allowed(world, Kind.FEATURE)


def test_a_features_author_may_be_one_of_those_who_approved_the_surface(world: World) -> None:
    """What excludes people is their part in the surface's change, not in every feature on it."""
    redeploying(world)
    world.changes(authors=frozenset({world.people.alice.principal}))
    allowed(world, Kind.FEATURE)


def test_deploying_what_is_live_brings_back_what_was_changed_by_hand(world: World) -> None:
    redeploying(world)
    world.changes(state=surface(key=7, alias=1, topic=1))
    allowed(world, Kind.FEATURE)


# Return


def test_a_return_needs_nothing_new(world: World) -> None:
    returning(world)
    verdict = allowed(world, Kind.RETURN)
    assert verdict.since == AT - timedelta(days=30)


def test_a_record_alone_is_no_approval(world: World) -> None:
    """Whoever writes to the state's backend can write one."""
    world.changes(surface=EARLIER)
    world.knows(before=applied(EARLIER))
    denied(world, Kind.INFRASTRUCTURE, "was live before, but no signed approval of it is here that counted then")
    world.approves(world.security, base="", not_before=AT - timedelta(days=31), expires=AT - timedelta(days=29))
    denied(world, Kind.INFRASTRUCTURE, "was live before, but no signed approval of it is here that counted then")


def test_a_forged_live_record_is_no_approval(world: World) -> None:
    world.knows(live=applied(WANTED), live_surface=WANTED, before=applied(WANTED))
    world.changes(state=WANTED)
    denied(world, Kind.INFRASTRUCTURE, "the record alone proves nothing")


@pytest.mark.parametrize("days", [-29, -32])
def test_an_approval_that_was_not_valid_at_its_first_use_was_never_used(days: int, world: World) -> None:
    """Else an old one, never used, would count from when its surface came another way."""
    world.changes(surface=EARLIER)
    world.knows(before=applied(EARLIER))
    at = AT + timedelta(days=days)
    world.approves(base="", not_before=at - timedelta(hours=9), expires=at)
    denied(world, Kind.INFRASTRUCTURE, "no signed approval of it is here that counted then", "expired at")


def test_what_came_in_an_incident_was_approved_by_nobody(world: World) -> None:
    returning(world, incident="20260703t110000z-ab12")
    denied(world, Kind.INFRASTRUCTURE, "was live in the incident 20260703t110000z-ab12, but no signed approval")


def test_what_came_in_an_incident_is_approved_afterwards(world: World) -> None:
    world.knows(live=applied(WANTED, incident="i"), live_surface=WANTED, before=applied(WANTED, incident="i"))
    world.changes(state=WANTED)
    world.approves()
    verdict = allowed(world, Kind.INFRASTRUCTURE)
    assert (verdict.incident, verdict.since) == ("", AT)


def leaver(world: World, last_day: datetime) -> Signers:
    people = world.people
    lines = [
        people.alice.line("security", options=f',valid-before="{last_day:%Y%m%d%H%M%SZ}"'),
        people.bob.line("devops"),
        people.ivan.line("incident-commander"),
    ]
    return Signers.parse("\n".join(lines).encode())


def test_what_somebody_approved_who_has_left_since_stays_approved(world: World) -> None:
    returning(world)
    world.trusts(leaver(world, AT - timedelta(days=20)))
    allowed(world, Kind.RETURN)


def test_what_somebody_approved_after_leaving_never_was(world: World) -> None:
    returning(world)
    world.trusts(leaver(world, AT - timedelta(days=40)))
    denied(world, Kind.INFRASTRUCTURE, "no signed approval of it is here that counted then")


def test_somebody_who_has_left_approves_nothing_new(world: World) -> None:
    world.approves()
    world.trusts(leaver(world, AT - timedelta(days=20)))
    denied(world, Kind.INFRASTRUCTURE, "has expired on 2026-07-14", missing=("security",))


@pytest.mark.parametrize("case", [redeploying, returning])
def test_what_a_revoked_key_approved_is_approved_no_more(case: Callable[[World], None], world: World) -> None:
    case(world)
    world.trusts(revoked=revoked(world.people.alice))
    denied(world, Kind.INFRASTRUCTURE, "no signed approval of it is here that counted then")


def test_a_revoked_key_that_nobody_needs_changes_nothing(world: World) -> None:
    world.approves()
    world.trusts(revoked=revoked(world.people.mallory))
    allowed(world, Kind.INFRASTRUCTURE)


def test_who_asked_for_the_surface_approves_no_return_to_it(world: World) -> None:
    at = AT - timedelta(days=30)
    world.changes(surface=EARLIER)
    world.knows(before=applied(EARLIER))
    world.approves(
        base="",
        requester=world.people.alice.principal,
        not_before=at - timedelta(days=1),
        expires=at + timedelta(days=1),
    )
    denied(world, Kind.INFRASTRUCTURE, "no signed approval of it is here that counted then")


def test_a_return_of_another_stack_is_none_of_this(world: World) -> None:
    returning(world)
    world.changes(identity=replace(IDENTITY, account="210987654321"))
    denied(world, Kind.INFRASTRUCTURE, "is for AWS account '123456789012', this is '210987654321'")


# Infrastructure


def test_a_new_surface_needs_security_and_devops(world: World) -> None:
    denied(
        world, Kind.INFRASTRUCTURE, f"no approval of the surface {WANTED.digest[:12]}", missing=("security", "devops")
    )
    world.approves()
    verdict = allowed(world, Kind.INFRASTRUCTURE)
    assert {one.role: one.principal for one in verdict.used} == {
        "security": world.people.alice.principal,
        "devops": world.people.bob.principal,
    }
    assert verdict.since == AT


def test_the_first_deployment_is_infrastructure(world: World) -> None:
    world.knows(live=None, live_surface=EMPTY)
    world.changes(state=EMPTY)
    denied(world, Kind.INFRASTRUCTURE, missing=("security", "devops"))
    world.approves(base="")
    allowed(world, Kind.INFRASTRUCTURE)


def test_a_record_of_a_surface_on_a_stack_without_a_live_one_is_no_return(world: World) -> None:
    returning(world)
    world.knows(live=None, live_surface=EMPTY)
    denied(world, Kind.INFRASTRUCTURE)


@pytest.mark.parametrize(("given", "other"), [("security", "devops"), ("devops", "security")])
def test_one_of_two_names_the_other_and_who_may_give_it(given: str, other: str, world: World) -> None:
    world.approves(world.security if given == "security" else world.devops)
    verdict = denied(world, Kind.INFRASTRUCTURE, f"nobody has signed as {other}", missing=(other,))
    people = {"security": ("alice",), "devops": ("bob", "carol")}[other]
    assert verdict.missing[0].people == tuple(f"{name}@parker-flight.com" for name in people)


def test_one_approval_of_two_is_not_added_to_the_other_statement(world: World) -> None:
    world.approves(world.security, nonce="1" * 16)
    world.approves(world.devops, nonce="2" * 16)
    denied(world, Kind.INFRASTRUCTURE)
    world.approves(nonce="3" * 16)
    allowed(world, Kind.INFRASTRUCTURE)


def test_no_person_fills_two_roles(world: World, person: MakePerson) -> None:
    dora = person("dora")
    people = world.people
    lines = [dora.line("security", "devops"), people.ivan.line("incident-commander")]
    world.trusts(Signers.parse("\n".join(lines).encode()))
    world.approves((dora, "security"), (dora, "devops"))
    denied(world, Kind.INFRASTRUCTURE, "so another person must sign as", missing=("devops",))


def test_no_person_fills_two_roles_with_two_keys(world: World, person: MakePerson) -> None:
    first, second = person("dora"), person("dora")
    lines = [first.line("security"), second.line("devops")]
    world.trusts(Signers.parse("\n".join(lines).encode()))
    world.approves((first, "security"), (second, "devops"))
    denied(world, Kind.INFRASTRUCTURE, "so another person must sign as", missing=("devops",))


def test_a_role_claimed_by_the_files_name_is_none(world: World) -> None:
    one = world.signed(approval(surface=WANTED.digest, base=LIVE.digest, release=None), world.devops, claims="security")
    other = world.signed(one.statement, world.devops)
    both = Signed(
        name=one.name,
        statement=one.statement,
        message=one.message,
        signatures=[*one.signatures, *other.signatures],
    )
    world.knows(approvals=[both])
    denied(world, Kind.INFRASTRUCTURE, missing=("security",))


def test_who_is_no_signer_adds_nothing(world: World) -> None:
    world.approves(world.security, (world.people.mallory, "devops"))
    denied(world, Kind.INFRASTRUCTURE, "which stands in no line of allowed_signers", missing=("devops",))


@pytest.mark.parametrize("who", ["alice", "bob"])
def test_the_requester_does_not_approve(who: str, world: World) -> None:
    world.approves(requester=getattr(world.people, who).principal)
    denied(world, Kind.INFRASTRUCTURE, f"{who}@parker-flight.com has part in this change")


@pytest.mark.parametrize("excluded", ["alice@parker-flight.com", "ALICE", "7+alice@users.noreply.github.com"])
def test_neither_authors_nor_the_ci_actor_approve(excluded: str, world: World) -> None:
    world.approves()
    world.changes(authors=frozenset({excluded}))
    denied(world, Kind.INFRASTRUCTURE, "alice@parker-flight.com has part in this change", missing=("security",))


@pytest.mark.parametrize(
    ("field", "other", "said"),
    [
        ("project", "another", "is for project 'another', this is 'parker-flight'"),
        ("stack", "sandbox", "is for stack 'sandbox', this is 'production'"),
        ("account", "210987654321", "is for AWS account '210987654321', this is '123456789012'"),
        ("region", "eu-west-1", "is for region 'eu-west-1', this is 'us-east-1'"),
        ("supabase_ref", "z" * 20, f"is for Supabase project '{'z' * 20}', this is 'abcdefghijklmnopqrst'"),
    ],
)
def test_an_approval_of_another_stack_is_none(field: str, other: str, said: str, world: World) -> None:
    world.approves(**{field: other})
    denied(world, Kind.INFRASTRUCTURE, said)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"surface": "ab" * 32}, "what is here approves other surfaces: abababababab"),
        ({"signers": NEW_SIGNERS}, "was given for other signers than those that this change brings"),
        ({"pack": "1.0.1"}, "was given under policy pack 1.0.1, this is 1.0.0"),
        ({"release": OTHER_RELEASE}, "is for the release d5d5d5d5d5d5, this is d4d4d4d4d4d4"),
        ({"not_before": AT + timedelta(seconds=1)}, "is not valid before 2026-08-03 12:00 UTC"),
        ({"expires": AT}, "expired at 2026-08-03 12:00 UTC"),
        ({"base": EARLIER.digest}, f"was given on the base {EARLIER.digest[:12]}, but {LIVE.digest[:12]} is live"),
        ({"base": ""}, f"was given on the base of an empty stack, but {LIVE.digest[:12]} is live"),
    ],
)
def test_an_approval_of_something_else_is_none(changed: dict[str, Any], said: str, world: World) -> None:
    world.approves(**changed)
    denied(world, Kind.INFRASTRUCTURE, said)


@pytest.mark.parametrize("changed", [{"not_before": AT}, {"expires": AT + timedelta(seconds=1)}, {"release": RELEASE}])
def test_an_approval_counts_from_its_first_second_to_its_last(changed: dict[str, Any], world: World) -> None:
    world.approves(**changed)
    allowed(world, Kind.INFRASTRUCTURE)


def test_an_approval_of_another_kind_is_none(world: World) -> None:
    world.hotfix(*world.both, world.lead)
    denied(world, Kind.INFRASTRUCTURE, "no approval of the surface", missing=("security", "devops"))


def test_a_changed_statement_is_not_what_was_signed(world: World) -> None:
    one = world.approves(surface=EARLIER.digest)
    changed = approval(**(one.statement.model_dump(by_alias=False, exclude={"schema_"}) | {"surface": WANTED.digest}))
    world.knows(approvals=[replace(one, statement=changed, message=changed.content)])
    denied(world, Kind.INFRASTRUCTURE, "is over another text", missing=("security", "devops"))


def test_a_good_approval_is_found_among_bad_ones(world: World) -> None:
    world.approves(world.security, nonce="1" * 16)
    world.approves(pack="0.9.0", nonce="2" * 16)
    world.approves(stack="sandbox", nonce="3" * 16)
    world.approves(nonce="4" * 16)
    world.knows(damaged=("x.json is no approval: nonsense",))
    found = list(world.known.approvals)
    for first in range(len(found)):
        world.knows(approvals=found[first:] + found[:first])
        assert allowed(world, Kind.INFRASTRUCTURE).statement == f"infrastructure-{WANTED.digest[:12]}-{'4' * 16}.json"


def test_damaged_statements_are_named_where_something_is_missing(world: World) -> None:
    world.knows(damaged=("x.json is no approval: nonsense",))
    denied(world, Kind.INFRASTRUCTURE, "x.json is no approval: nonsense")


# What it is based on


def test_an_approval_on_a_base_that_moved_names_what_moved(world: World) -> None:
    before = surface(key=1, alias=1, topic=1)
    moved = surface(key=1, alias=2)
    world.approves(base=before.digest)
    world.knows(live=applied(moved), live_surface=moved, surfaces={before.digest: before})
    world.changes(state=moved)
    denied(world, Kind.INFRASTRUCTURE, f"{moved.digest[:12]} is live; since then there moved: alias, topic")


def test_what_was_changed_by_hand_stops_an_approval_that_did_not_know_it(world: World) -> None:
    world.approves(base=LIVE.digest)
    world.changes(state=surface(key=1, alias=7))
    denied(world, Kind.INFRASTRUCTURE, "the state is not what was approved and applied last (alias): revert that")


def test_what_was_changed_by_hand_is_approved_by_those_who_knew_it(world: World) -> None:
    world.changes(state=surface(key=1, alias=7))
    world.approves()
    allowed(world, Kind.INFRASTRUCTURE)


def test_a_change_by_hand_after_the_approval_is_none_that_was_known(world: World) -> None:
    world.changes(state=surface(key=1, alias=7))
    world.approves()
    world.changes(state=surface(key=1, alias=8))
    denied(world, Kind.INFRASTRUCTURE, "was given on the base")


def test_a_change_by_hand_that_the_program_takes_over_still_needs_its_approval(world: World) -> None:
    """Refresh puts it into the state, the program says the same, and the engine shows no difference."""
    edited = surface(key=7, alias=1)
    world.changes(state=edited, surface=edited)
    denied(world, Kind.INFRASTRUCTURE, "no approval of the surface", missing=("security", "devops"))
    world.approves(base=LIVE.digest)
    allowed(world, Kind.INFRASTRUCTURE)


def test_an_update_that_broke_off_goes_on(world: World) -> None:
    """What it has done already is not what was live, but what was approved."""
    wanted = surface(key=2, alias=2, topic=2)
    world.changes(surface=wanted)
    world.approves(base=LIVE.digest)
    for state in (surface(key=2, alias=1), surface(key=2, alias=2), surface(key=2, alias=1, topic=2), wanted):
        world.changes(state=state)
        allowed(world, Kind.INFRASTRUCTURE)
    world.changes(state=surface(key=3, alias=1))
    denied(world, Kind.INFRASTRUCTURE, "(key)")


def test_a_first_deployment_that_broke_off_goes_on(world: World) -> None:
    """Nothing was recorded yet, and a part of what was approved stands."""
    (urn, document), *_ = WANTED.resources.items()
    world.changes(state=Surface())
    world.knows(live=None, live_surface=Surface())
    world.approves()
    for form in (document, {**document, "protect": True}):  # as it was made, and as it was found
        world.changes(state=Surface(resources={urn: form}))
        allowed(world, Kind.INFRASTRUCTURE)
    world.changes(state=Surface(resources={f"{urn}-2": document}))
    denied(world, Kind.INFRASTRUCTURE, "revert that by hand")


def test_an_update_that_broke_off_while_it_removed_something_goes_on(world: World) -> None:
    world.changes(surface=surface(alias=2))
    world.approves(base=LIVE.digest)
    world.changes(state=surface(alias=1))
    allowed(world, Kind.INFRASTRUCTURE)


def test_the_state_of_a_stack_that_was_never_under_the_gate_is_the_first_base(world: World) -> None:
    world.knows(live=None, live_surface=EMPTY)
    world.approves(base=LIVE.digest)
    allowed(world, Kind.INFRASTRUCTURE)
    world.changes(state=surface(key=1, alias=7))
    denied(world, Kind.INFRASTRUCTURE, "was given on the base")


# Signers


def test_other_signers_alone_are_infrastructure(world: World) -> None:
    redeploying(world)
    world.changes(signers=NEW_SIGNERS)
    denied(world, Kind.INFRASTRUCTURE, "was given for other signers")
    world.approves(nonce="1" * 16)
    allowed(world, Kind.INFRASTRUCTURE)


def test_a_return_with_other_signers_is_infrastructure(world: World) -> None:
    returning(world)
    world.changes(signers=NEW_SIGNERS)
    denied(world, Kind.INFRASTRUCTURE)


def test_the_new_signers_do_not_approve_themselves(world: World) -> None:
    world.changes(signers=NEW_SIGNERS)
    world.approves((world.people.mallory, "security"), (world.people.mallory, "devops"))
    denied(world, Kind.INFRASTRUCTURE, "which stands in no line of allowed_signers", missing=("security", "devops"))


# Outside business hours


def test_outside_business_hours_the_incident_commander_signs_too(world: World) -> None:
    world.changes(now=NIGHT)
    denied(world, Kind.INFRASTRUCTURE, missing=("security", "devops", "incident-commander"))
    world.approves(nonce="1" * 16)
    denied(world, Kind.INFRASTRUCTURE, "nobody has signed as incident-commander", missing=("incident-commander",))
    world.approves(*world.both, world.commander, nonce="2" * 16)
    allowed(world, Kind.INFRASTRUCTURE)


def test_three_roles_are_three_people(world: World, person: MakePerson) -> None:
    dora, people = person("dora"), world.people
    lines = [people.alice.line("security"), dora.line("devops", "incident-commander")]
    world.trusts(Signers.parse("\n".join(lines).encode()))
    world.changes(now=NIGHT)
    world.approves(world.security, (dora, "devops"), (dora, "incident-commander"))
    denied(world, Kind.INFRASTRUCTURE, missing=("incident-commander",))


def test_an_approval_given_by_day_counts_at_night_with_the_commander_only(world: World) -> None:
    world.approves()
    allowed(world, Kind.INFRASTRUCTURE)
    world.changes(now=NIGHT)
    denied(world, Kind.INFRASTRUCTURE, missing=("incident-commander",))


# Hotfix


@pytest.fixture
def hotfix(world: World) -> World:
    redeploying(world)
    world.changes(reviewed=False)
    return world


def test_a_hotfix_needs_the_devops_lead(hotfix: World) -> None:
    denied(hotfix, Kind.HOTFIX, "is not on the protected branch", missing=("devops-lead",))
    hotfix.hotfix()
    verdict = allowed(hotfix, Kind.HOTFIX)
    assert verdict.since == AT - timedelta(days=30)  # of the surface, which is not new


def test_a_hotfix_is_applied_at_any_time(hotfix: World) -> None:
    hotfix.hotfix()
    hotfix.changes(now=NIGHT)
    allowed(hotfix, Kind.HOTFIX)


@pytest.mark.parametrize("who", [("bob", "devops"), ("ivan", "incident-commander"), ("alice", "security")])
def test_nobody_else_signs_for_a_hotfix(who: tuple[str, Role], hotfix: World) -> None:
    hotfix.hotfix((getattr(hotfix.people, who[0]), who[1]))
    denied(hotfix, Kind.HOTFIX, missing=("devops-lead",))


def test_a_hotfix_is_of_one_release(hotfix: World) -> None:
    hotfix.hotfix(release=OTHER_RELEASE)
    denied(hotfix, Kind.HOTFIX, "is for the release d5d5d5d5d5d5, this is d4d4d4d4d4d4", missing=("devops-lead",))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"surface": WANTED.digest}, "was given with another surface"),
        ({"base": WANTED.digest}, "was given on another base"),
        ({"pack": "0.9.0"}, "was given under policy pack 0.9.0"),
        ({"not_before": AT + timedelta(hours=1)}, "is valid from 2026-08-03 13:00"),
        ({"expires": AT}, "to 2026-08-03 12:00"),
        ({"stack": "sandbox"}, "is for stack 'sandbox'"),
        ({"requester": "carol@parker-flight.com"}, "carol@parker-flight.com has part in this change"),
    ],
)
def test_a_hotfix_approved_as_something_else_is_not(changed: dict[str, Any], said: str, hotfix: World) -> None:
    hotfix.hotfix(**changed)
    denied(hotfix, Kind.HOTFIX, said, missing=("devops-lead",))


def test_a_hotfix_that_failed_halfway_is_applied_again(hotfix: World) -> None:
    hotfix.hotfix(base=WANTED.digest)
    hotfix.knows(live=applied(LIVE, release=RELEASE))
    allowed(hotfix, Kind.HOTFIX)


@pytest.fixture
def used(hotfix: World) -> World:
    """A hotfix that was applied while its approval counted; since then other releases came."""
    hotfix.hotfix(base=WANTED.digest, not_before=AT - timedelta(days=9), expires=AT - timedelta(days=8))
    hotfix.changes(returns=True)
    hotfix.knows(released=applied(LIVE, release=RELEASE))
    return hotfix


@pytest.mark.rows("K8")
def test_a_hotfix_that_was_live_comes_back_by_its_own_approval(used: World) -> None:
    allowed(used, Kind.HOTFIX)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"release": OTHER_RELEASE}, "is for the release d4d4d4d4d4d4, this is d5d5d5d5d5d5"),
        ({"pack": "2.0.0"}, "was given under policy pack"),
        ({"signers": NEW_SIGNERS}, ""),
    ],
)
def test_a_hotfix_comes_back_as_what_it_was(changed: dict[str, Any], said: str, used: World) -> None:
    used.changes(**changed)
    assert not used.verdict().allowed
    assert said in "".join(used.verdict().problems)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"base": WANTED.digest}, "was given on another base"),
        ({"not_before": AT - timedelta(days=9), "expires": AT}, "is valid from"),
        ({"not_before": AT + timedelta(days=1), "expires": AT + timedelta(days=2)}, "is valid from"),
    ],
)
def test_to_call_a_hotfix_a_return_brings_nothing_that_never_was_live(
    changed: dict[str, Any], said: str, hotfix: World
) -> None:
    hotfix.changes(returns=True)
    hotfix.hotfix(**changed)
    denied(hotfix, Kind.HOTFIX, said, missing=("devops-lead",))


def test_a_hotfix_comes_back_though_the_gates_settings_have_changed_since(used: World) -> None:
    """Its statement names the surface with the settings of its time, and so does the record of that one's resources."""
    used.changes(surface=replace(LIVE, settings={"protectedBranch": "", "businessHours": {}}))
    used.knows(before=applied(LIVE))
    allowed(used, Kind.HOTFIX)
    used.changes(returns=False)
    denied(used, Kind.HOTFIX, "was given with another surface", missing=("devops-lead",))


def test_the_lead_who_approved_a_hotfix_may_start_its_return(used: World) -> None:
    used.changes(actor=used.people.carol.principal)
    allowed(used, Kind.HOTFIX)
    used.changes(authors=frozenset({used.people.carol.principal}))
    denied(used, Kind.HOTFIX, missing=("devops-lead",))


def test_a_hotfix_that_was_live_is_not_deployed_again_without_a_rollback(used: World) -> None:
    used.changes(returns=False)
    denied(used, Kind.HOTFIX, missing=("devops-lead",))


@pytest.mark.parametrize("part", ["authors", "actor"])
def test_the_lead_does_not_approve_their_own_hotfix(part: str, hotfix: World) -> None:
    hotfix.hotfix()
    carol = hotfix.people.carol.principal
    hotfix.changes(**{part: frozenset({carol}) if part == "authors" else carol})
    denied(hotfix, Kind.HOTFIX, "carol@parker-flight.com has part in this change", missing=("devops-lead",))


def test_a_hotfix_of_the_infrastructure_needs_both_kinds(world: World) -> None:
    world.changes(reviewed=False)
    world.hotfix(nonce="1" * 16)
    denied(world, Kind.INFRASTRUCTURE, missing=("security", "devops"))
    world.knows(approvals=[])
    world.approves(nonce="2" * 16)
    denied(world, Kind.HOTFIX, missing=("devops-lead",))
    world.hotfix(nonce="3" * 16)
    assert allowed(world, Kind.HOTFIX).since == AT


def test_a_hotfix_brings_no_signers(world: World) -> None:
    world.changes(reviewed=False, signers=NEW_SIGNERS)
    world.approves(nonce="1" * 16)
    world.hotfix(nonce="2" * 16)
    denied(world, Kind.HOTFIX, "signers come into force by the protected branch only")


# Emergency


@pytest.fixture
def emergency(world: World) -> World:
    world.changes(emergency=True)
    return world


def test_an_emergency_needs_an_open_incident(emergency: World) -> None:
    denied(emergency, Kind.EMERGENCY, "no incident is open for this stack", missing=("incident-commander",))
    emergency.incident()
    verdict = allowed(emergency, Kind.EMERGENCY)
    assert (verdict.incident, verdict.since) == ("20260803t110000z-ab12", AT)


@pytest.mark.parametrize(
    "changed",
    [{"now": AT + timedelta(hours=2, minutes=59)}, {"reviewed": False}, {"authors": frozenset({"ivan"})}],
    ids=str,
)
def test_in_an_emergency_neither_time_nor_branch_nor_author_matters(changed: dict[str, Any], emergency: World) -> None:
    emergency.incident()
    emergency.changes(**changed)
    allowed(emergency, Kind.EMERGENCY)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"expires": AT}, "was open until 2026-08-03 12:00 UTC"),
        ({"opened_at": AT + timedelta(seconds=1)}, "was open until"),
        ({"stack": "sandbox"}, "is for stack 'sandbox', this is 'production'"),
        ({"account": "210987654321"}, "is for AWS account"),
        ({"project": "other"}, "is for project"),
        ({"region": "eu-west-1"}, "is for region"),
        ({"supabase_ref": "z" * 20}, "is for Supabase project"),
    ],
)
def test_an_incident_that_is_over_or_elsewhere_is_none(changed: dict[str, Any], said: str, emergency: World) -> None:
    emergency.incident(**changed)
    denied(emergency, Kind.EMERGENCY, said, missing=("incident-commander",))


def test_an_incident_that_nobody_signed_is_none(emergency: World) -> None:
    one = emergency.incident()
    emergency.knows(incidents=[replace(one, signatures=())])
    denied(emergency, Kind.EMERGENCY, "is not signed", missing=("incident-commander",))


@pytest.mark.parametrize(
    "who", [("alice", "security"), ("carol", "devops-lead"), ("mallory", "incident-commander"), ("bob", "devops")]
)
def test_only_the_incident_commander_opens_one(who: tuple[str, Role], emergency: World) -> None:
    emergency.incident((getattr(emergency.people, who[0]), who[1]))
    denied(emergency, Kind.EMERGENCY, missing=("incident-commander",))


def test_a_revoked_commander_opens_none(emergency: World) -> None:
    emergency.incident()
    emergency.trusts(revoked=revoked(emergency.people.ivan))
    denied(emergency, Kind.EMERGENCY, "which is revoked")


def test_of_several_incidents_one_that_is_open_is_enough(emergency: World) -> None:
    emergency.incident(id="1", stack="sandbox")
    emergency.incident(id="2", expires=AT)
    emergency.incident((emergency.people.mallory, "incident-commander"), id="3")
    emergency.incident(id="4")
    assert allowed(emergency, Kind.EMERGENCY).incident == "4"


def test_an_incident_allows_nothing_that_is_not_called_an_emergency(world: World) -> None:
    world.incident()
    denied(world, Kind.INFRASTRUCTURE, missing=("security", "devops"))


def test_approvals_are_no_incident(emergency: World) -> None:
    emergency.approves(*emergency.both, emergency.commander)
    denied(emergency, Kind.EMERGENCY)


def test_what_was_approved_stays_approved_through_an_emergency(emergency: World) -> None:
    returning(emergency)
    emergency.incident()
    verdict = allowed(emergency, Kind.EMERGENCY)
    assert (verdict.incident, verdict.since) == ("", AT - timedelta(days=30))


def test_what_came_in_an_earlier_incident_stays_what_it_is(emergency: World) -> None:
    returning(emergency, incident="earlier")
    emergency.incident()
    verdict = allowed(emergency, Kind.EMERGENCY)
    assert (verdict.incident, verdict.since) == ("earlier", AT - timedelta(days=30))


# Withdrawn


@pytest.mark.parametrize("case", [redeploying, returning, approving])
@pytest.mark.parametrize("what", ["surface", "release"])
def test_what_was_withdrawn_is_not_applied_whoever_approved_it(
    case: Callable[[World], None], what: str, world: World
) -> None:
    case(world)
    assert world.verdict().allowed
    digest = world.change.surface.digest if what == "surface" else RELEASE
    world.knows(withdrawn={digest: "it leaks"})
    verdict = denied(world, world.verdict().kind, f"the {what} {digest[:12]} was withdrawn: it leaks")
    assert verdict.missing == ()


def test_a_hotfix_that_was_withdrawn_is_not_applied(hotfix: World) -> None:
    hotfix.hotfix()
    hotfix.knows(withdrawn={RELEASE: "worse than before"})
    denied(hotfix, Kind.FEATURE, "the release d4d4d4d4d4d4 was withdrawn: worse than before")


def test_what_was_withdrawn_takes_an_emergency(emergency: World) -> None:
    """`--emergency` of anything: whoever commands the incident may know better than who withdrew it."""
    emergency.knows(withdrawn={WANTED.digest: "it leaks"})
    denied(emergency, Kind.EMERGENCY)
    emergency.incident()
    allowed(emergency, Kind.EMERGENCY)


def test_a_withdrawn_surface_of_before_stops_no_other(world: World) -> None:
    world.approves()
    world.knows(withdrawn={LIVE.digest: "it leaks", OTHER_RELEASE: "old"})
    allowed(world, Kind.INFRASTRUCTURE)


# In quarantine


def quarantined(world: World) -> None:
    """What the change would bring was rolled back."""
    left = Quarantined(version=7, reason="it loses payments", by="ada@host", at=AT)
    world.changes(content="e5" * 32)
    world.knows(quarantined={"e5" * 32: left})


def hurrying(world: World) -> None:
    world.changes(emergency=True)
    world.incident()


def fixing(world: World) -> None:
    redeploying(world)
    world.changes(reviewed=False)
    world.hotfix()


@pytest.mark.rows("K6", "E2")
@pytest.mark.parametrize("case", [redeploying, returning, approving, hurrying, fixing])
def test_what_a_rollback_left_comes_back_by_nobodys_word(case: Callable[[World], None], world: World) -> None:
    case(world)
    assert world.verdict().allowed
    quarantined(world)
    verdict = world.verdict()
    assert (verdict.allowed, verdict.used, verdict.missing) == (False, (), ())
    assert verdict.problems[0] == (
        "this is what version 7 brought, and ada@host rolled it back on 2026-08-03 12:00 UTC: it loses payments. "
        "Revert the change in the source, or lift it: ./pf unblock 7 --stack production --reason WHY"
    )


@pytest.mark.parametrize("case", [redeploying, returning, approving, hurrying, fixing])
def test_other_content_is_in_no_quarantine(case: Callable[[World], None], world: World) -> None:
    case(world)
    quarantined(world)
    world.changes(content="e6" * 32)
    assert world.verdict().allowed


# In words


def test_a_denial_says_what_is_wrong_who_may_mend_it_and_how(world: World) -> None:
    world.approves(world.security)
    said = denial(world.verdict(), world.change)
    assert f"The security surface {WANTED.digest[:12]} of production may not be applied:" in said
    assert "devops: bob@parker-flight.com or carol@parker-flight.com" in said
    assert said.endswith(": ./pf approve --stack production")
    world.changes(returns=True, version="7")
    assert denial(world.verdict(), world.change).endswith(": ./pf approve --stack production --version 7")


def test_a_denial_says_where_nobody_could_mend_it(world: World) -> None:
    world.trusts(Signers.parse(world.people.alice.line("security").encode()))
    assert "devops: nobody who may give it is among the signers" in denial(world.verdict(), world.change)
