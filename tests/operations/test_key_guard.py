"""No key is made a second time because the state lost it, or because a refresh took it for gone."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from gate.records import Applied, Records
from gate.surface import Surface
from operations.errors import OperationError
from operations.found import ALIAS, KEY
from operations.gate import gate_of
from operations.key_guard import adopted_only, refuse_adopted_only, refuse_keys_to_be_deleted, refuse_stray_keys
from operations.stack import Stack
from operations.state import Pending, Recorded, State

pytestmark = pytest.mark.rows("K1", "K7")

Client = Callable[[str], Any]
ID = "70976941-f6b2-4cd8-bf9e-c451707283d6"


def made_key(client: Client, stack: Stack, name: str) -> str:
    tags = {**stack.settings.site.tags, "DataClass": name}
    listed = [{"TagKey": tag, "TagValue": value} for tag, value in tags.items()]
    key: str = client("kms").create_key(Tags=listed)["KeyMetadata"]["KeyId"]
    return key


def stated(key: str, name: str) -> State:
    return State(resources=[Recorded(urn=f"urn:pulumi:sandbox::parker-flight::{KEY}::{name}-1", type=KEY, id=key)])


def test_a_first_deployment_goes_on_beside_the_keys_of_others(stack: Stack, client: Client) -> None:
    client("kms").create_key()
    refuse_stray_keys(stack, State())


def test_a_state_that_lost_its_keys_makes_no_others(stack: Stack, client: Client) -> None:
    key = made_key(client, stack, "pii")
    with pytest.raises(OperationError, match=key) as caught:
        refuse_stray_keys(stack, State())
    assert "./pf recover" in caught.value.cure
    client("kms").schedule_key_deletion(KeyId=key)
    with pytest.raises(OperationError, match="scheduled for deletion") as caught:
        refuse_stray_keys(stack, State())
    assert f"cancel-key-deletion --key-id {key}" in caught.value.cure


def test_keys_of_the_state_are_no_strays(stack: Stack, client: Client) -> None:
    refuse_stray_keys(stack, stated(made_key(client, stack, "pii"), "pii"))


def test_what_an_interrupted_update_left_is_for_the_recovery(stack: Stack, client: Client) -> None:
    made_key(client, stack, "pii")
    begun = Pending(resource=Recorded(urn="urn", type=KEY), type="creating")
    refuse_stray_keys(stack, State(pending_operations=[begun]))


def test_a_key_whose_deletion_is_scheduled_is_not_replaced(stack: Stack, client: Client) -> None:
    key = made_key(client, stack, "pii")
    refuse_keys_to_be_deleted(stack, stated(key, "pii"))
    client("kms").schedule_key_deletion(KeyId=key)
    with pytest.raises(OperationError, match="scheduled for deletion") as caught:
        refuse_keys_to_be_deleted(stack, stated(key, "pii"))
    assert f"cancel-key-deletion --key-id {key}" in caught.value.cure


# Adopted, and never applied


def recorded(kind: str, name: str, **given: Any) -> Recorded:
    return Recorded(urn=f"urn:pulumi:sandbox::parker-flight::{kind}::{name}", type=kind, **given)


ADOPTED = recorded(KEY, f"payment-{ID}", id=ID)
OWN = recorded(KEY, "payment-1", id="2890a6be-53d2-4c5f-af6b-f6e6e2f46109")
OWN_ALIAS = recorded(ALIAS, "payment", id="alias/x", outputs={"targetKeyId": OWN.id})


def records(stack: Stack) -> Records:
    (stack.root / "Pulumi.yaml").write_text("name: parker-flight\n")
    return gate_of(stack).records


def applied(stack: Stack, *resources: Recorded) -> None:
    surface = Surface(resources={one.urn: {} for one in resources}, settings={})
    made = Applied(surface=surface.digest, signers="b2" * 32, signers_commit="", commit="", at=datetime.now(UTC))
    records(stack).write(replace(made, release="d4" * 32), surface, None)


def test_a_key_that_was_adopted_and_never_applied_is_told_from_all_others(stack: Stack) -> None:
    applied(stack, OWN, OWN_ALIAS)
    state = State(resources=[OWN, ADOPTED, OWN_ALIAS])
    assert adopted_only(stack, state) == [ADOPTED]
    assert adopted_only(stack, state, [ID]) == []  # the settings name it: it is on its way in
    assert adopted_only(stack, State(resources=[OWN, OWN_ALIAS])) == []
    applied(stack, OWN, ADOPTED, OWN_ALIAS)
    assert adopted_only(stack, state) == []


def test_what_was_made_and_not_applied_yet_is_not_adopted(stack: Stack) -> None:
    """An update that broke off; `pf recover` imports what it had made, under the names of the program."""
    records(stack)
    assert adopted_only(stack, State(resources=[OWN, OWN_ALIAS])) == []


def test_the_key_that_an_alias_points_to_stays(stack: Stack) -> None:
    """The update went further than the import: what was encrypted since needs it."""
    applied(stack, OWN)
    alias = OWN_ALIAS.model_copy(update={"outputs": {"targetKeyId": ID}})
    assert adopted_only(stack, State(resources=[OWN, ADOPTED, alias])) == []
    again = recorded(KEY, f"pii-{ID}", id=ID)  # one of this stack's, adopted a second time
    applied(stack, OWN, ADOPTED)
    assert adopted_only(stack, State(resources=[OWN, ADOPTED, alias, again])) == [again]


def test_such_a_key_is_refused_with_what_takes_it_out(stack: Stack) -> None:
    applied(stack, OWN)
    refuse_adopted_only(stack, State(resources=[OWN]))
    with pytest.raises(OperationError, match=f"payment-{ID}") as caught:
        refuse_adopted_only(stack, State(resources=[OWN, ADOPTED]))
    assert caught.value.cure.endswith(": ./pf recover")
