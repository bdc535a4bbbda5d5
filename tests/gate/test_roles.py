"""Counting: who fills which role, when the same people and keys come back in every disguise."""

from collections.abc import Sequence
from itertools import permutations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gate.roles import missing
from gate.signature import Signature
from gate.signers import ROLES, Role

pytestmark = pytest.mark.rows("K5", "C2")

BOTH: tuple[Role, ...] = ("security", "devops")


def by(person: str, role: Role, key: str = "") -> Signature:
    return Signature(role=role, principal=f"{person}@parker-flight.com", fingerprint=f"SHA256:{key or person}")


def filled(required: Sequence[Role], signatures: Sequence[Signature], excluded: Sequence[str] = ()) -> dict[Role, str]:
    outcome = missing(required, signatures, excluded)
    assert outcome.complete == (set(outcome.filled) == set(required))
    return {role: one.principal.partition("@")[0] for role, one in outcome.filled.items()}


def problem(required: Sequence[Role], signatures: Sequence[Signature], excluded: Sequence[str] = ()) -> str:
    (only,) = missing(required, signatures, excluded).problems
    return only


def test_two_people_fill_two_roles() -> None:
    assert filled(BOTH, [by("alice", "security"), by("bob", "devops")]) == {"security": "alice", "devops": "bob"}


def test_no_signature_at_all_names_every_role() -> None:
    assert missing(BOTH, ()).problems == ("nobody has signed as security", "nobody has signed as devops")


def test_one_of_two_roles_names_the_other() -> None:
    assert problem(BOTH, [by("alice", "security")]) == "nobody has signed as devops"


def test_nothing_required_is_complete() -> None:
    assert missing((), [by("alice", "security")]).complete


def test_one_person_in_both_roles_counts_once() -> None:
    said = problem(BOTH, [by("alice", "security"), by("alice", "devops")])
    assert said.startswith("alice@parker-flight.com fills security, so another person must sign as devops: nobody")


def test_one_person_with_two_keys_counts_once() -> None:
    said = problem(BOTH, [by("alice", "security", "laptop"), by("alice", "devops", "yubikey")])
    assert "so another person must sign as devops" in said


def test_a_principal_in_other_capitals_is_the_same_person() -> None:
    assert "another person" in problem(BOTH, [by("alice", "security"), by("ALICE", "devops", "other")])


def test_one_key_under_two_names_counts_once() -> None:
    said = problem(BOTH, [by("alice", "security", "k"), by("eve", "devops", "k")])
    assert "another person must sign as devops: nobody, and no key, counts twice" in said


def test_names_and_keys_that_are_linked_by_others_are_one_person() -> None:
    links = [by("alice", "security", "a"), by("alice", "devops-lead", "b"), by("eve", "devops", "b")]
    assert "another person" in problem(BOTH, links)
    for order in permutations(links):
        assert len(filled(("security", "devops", "devops-lead"), order)) == 1


def test_the_same_signature_many_times_counts_once() -> None:
    assert problem(BOTH, [by("alice", "security")] * 5) == "nobody has signed as devops"


def test_who_signed_in_both_roles_leaves_the_one_that_another_can_fill() -> None:
    both = [by("alice", "security"), by("alice", "devops")]
    assert filled(BOTH, [*both, by("bob", "security")]) == {"security": "bob", "devops": "alice"}
    assert filled(BOTH, [*both, by("bob", "devops")]) == {"security": "alice", "devops": "bob"}


def test_a_chain_of_moves_is_found() -> None:
    required: tuple[Role, ...] = ("security", "devops", "incident-commander")
    given = [
        by("alice", "security"), by("alice", "devops"), by("bob", "devops"), by("bob", "incident-commander"),
        by("carol", "incident-commander"),
    ]  # fmt: skip
    assert len(filled(required, given)) == 3
    assert len(filled(tuple(reversed(required)), list(reversed(given)))) == 3


@pytest.mark.parametrize(
    "excluded",
    [
        "alice@parker-flight.com",
        "ALICE@Parker-Flight.com",
        "alice",
        " Alice ",
        "alice@example.org",
        "1234567+alice@users.noreply.github.com",
        "alice+git@example.org",
    ],
)
def test_who_has_part_in_the_change_approves_nothing(excluded: str) -> None:
    signatures = [by("alice", "security"), by("bob", "devops")]
    said = problem(BOTH, signatures, [excluded])
    assert said.startswith("alice@parker-flight.com has part in this change, so another person must sign as security")
    assert filled(BOTH, signatures, ["", "mallory", "al", "lice", "parker-flight.com"]) == {
        "security": "alice", "devops": "bob"
    }  # fmt: skip


def test_the_key_of_who_has_part_in_the_change_counts_under_no_other_name() -> None:
    given = [by("alice", "security", "k"), by("eve", "security", "k"), by("bob", "devops")]
    assert "eve@parker-flight.com has part in this change" in problem(BOTH, given, ["alice"])


def test_all_who_signed_are_named_with_their_reasons() -> None:
    given = [by("alice", "security"), by("bob", "security"), by("bob", "devops")]
    assert problem(["devops", "security"], given, ["alice"]) == (
        "alice@parker-flight.com has part in this change and bob@parker-flight.com fills devops, "
        "so another person must sign as security: nobody, and no key, counts twice"
    )


def test_another_role_fills_nothing() -> None:
    assert problem(["security"], [by("ivan", "incident-commander")]) == "nobody has signed as security"


def test_a_role_that_is_required_twice_is_one_role() -> None:
    assert filled(["security", "security"], [by("alice", "security")]) == {"security": "alice"}


SIGNATURES = st.builds(by, st.sampled_from("abcde"), st.sampled_from(ROLES), st.sampled_from(["", "", "k", "l"]))


def _person(one: Signature, signatures: Sequence[Signature]) -> frozenset[str]:
    """Every name and key that leads to this one: the slow way."""
    linked = {one.principal, one.fingerprint}
    for _ in signatures:
        for other in signatures:
            if linked & {other.principal, other.fingerprint}:
                linked |= {other.principal, other.fingerprint}
    return frozenset(linked)


@settings(max_examples=100)
@given(st.lists(SIGNATURES, max_size=6), st.lists(st.sampled_from(ROLES), unique=True))
def test_as_many_roles_are_filled_as_any_choice_could(signatures: list[Signature], required: list[Role]) -> None:
    outcome = missing(required, signatures)
    chosen = [_person(one, signatures) for one in outcome.filled.values()]
    assert len(set(chosen)) == len(chosen)
    assert all(one.role == role and one in signatures for role, one in outcome.filled.items())
    best = 0
    for choice in product(*([None, *(one for one in signatures if one.role == role)] for role in required)):
        people = [_person(one, signatures) for one in choice if one]
        if len(set(people)) == len(people):
            best = max(best, len(people))
    assert len(outcome.filled) == best
    assert len(outcome.problems) == len(required) - best
    assert missing(required, signatures[::-1]) == outcome
