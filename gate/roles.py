"""Who fills which role: different people with different keys, none of them part of the change."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from gate.signature import Signature
from gate.signers import Role


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Which signature fills which role, and for each role that none fills the reason."""

    filled: Mapping[Role, Signature]
    problems: tuple[str, ...]

    @property
    def complete(self) -> bool:
        return not self.problems


def missing(required: Iterable[Role], signatures: Iterable[Signature], excluded: Collection[str] = ()) -> Outcome:
    """The most roles that these verified signatures can fill, nobody filling two.

    `excluded` are those who may not approve, by e-mail address or login: requester, commit authors, CI actor. Their
    names come from git and GitHub, where a person has several addresses, so the part before the @ alone excludes too.
    """
    roles = tuple(dict.fromkeys(required))
    barred = {name for entry in excluded for name in _names(entry)}
    given = sorted(set(signatures), key=lambda one: (one.principal.casefold(), one.fingerprint, one.role))
    everybody = _people(given)
    out = {everybody[one] for one in given if _names(one.principal) & barred}
    people = {one: person for one, person in everybody.items() if person not in out}
    filled: dict[Role, Signature] = {}

    def fill(role: Role, tried: set[str]) -> bool:
        """Kuhn's matching: whoever stands in the way moves to another role if one is free for them."""
        for one, person in people.items():
            if one.role != role or person in tried:
                continue
            tried.add(person)
            held: list[Role] = [other for other, by in filled.items() if people[by] == person]
            if not held or fill(held[0], tried):
                filled[role] = one
                return True
        return False

    for role in roles:
        fill(role, set())
    problems = [_why_unfilled(role, given, people, filled) for role in roles if role not in filled]
    return Outcome(filled={role: filled[role] for role in roles if role in filled}, problems=tuple(problems))


def _names(person: str) -> frozenset[str]:
    """What a person may be called: the address, what stands before its @, and the parts around a + there.

    GitHub writes commit authors as 1234567+login@users.noreply.github.com; elsewhere the + adds a tag to a mailbox.
    """
    address = person.strip().casefold()
    login = address.partition("@")[0]
    return frozenset({address, login, *login.split("+")}) - {""}


def _people(signatures: Iterable[Signature]) -> dict[Signature, str]:
    """Each signature's person: those who share a name or a key, also by way of others, are one."""
    person: dict[Signature, str] = {}
    for one in signatures:
        name = one.principal.casefold()
        same = {by for other, by in person.items() if by == name or other.fingerprint == one.fingerprint}
        person[one] = name
        person.update({other: name for other, by in person.items() if by in same})
    return person


def _why_unfilled(
    role: Role, given: Iterable[Signature], people: Mapping[Signature, str], filled: Mapping[Role, Signature]
) -> str:
    signed = {one.principal: one for one in given if one.role == role}
    if not signed:
        return f"nobody has signed as {role}"
    reasons: list[str] = []
    for principal, one in signed.items():
        if one not in people:
            reasons.append(f"{principal} has part in this change")
            continue
        reasons += [f"{principal} fills {other}" for other, by in filled.items() if people[by] == people[one]]
    return f"{' and '.join(reasons)}, so another person must sign as {role}: nobody, and no key, counts twice"
