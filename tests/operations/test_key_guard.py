"""No key is made a second time because the state lost it, or because a refresh took it for gone."""

from collections.abc import Callable
from typing import Any

import pytest

from operations.errors import OperationError
from operations.found import KEY
from operations.key_guard import refuse_keys_to_be_deleted, refuse_stray_keys
from operations.stack import Stack
from operations.state import Pending, Recorded, State

pytestmark = pytest.mark.rows("K1", "K7")

Client = Callable[[str], Any]


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
