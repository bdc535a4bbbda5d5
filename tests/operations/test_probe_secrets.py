"""The probe's keys: where they are right they stay, and they go with the stack."""

from collections.abc import Callable
from typing import Any

import pytest

from operations import probe_secrets
from operations.errors import OperationError
from operations.stack import Stack

pytestmark = pytest.mark.rows("K3", "M6")

PATH = "/parker-flight/sandbox/probe"
Client = Callable[[str], Any]


def held(client: Client) -> dict[str, tuple[str, str, int]]:
    """Value, type and version by name."""
    found = client("ssm").get_parameters_by_path(Path=PATH, WithDecryption=True)["Parameters"]
    return {one["Name"].removeprefix(f"{PATH}/"): (one["Value"], one["Type"], one["Version"]) for one in found}


def test_the_first_deployment_puts_both_keys_there_encrypted(stack: Stack, client: Client) -> None:
    assert probe_secrets.ensure(stack) == [f"{PATH}/anon-key", f"{PATH}/service-role-key"]
    assert held(client) == {
        "anon-key": ("anon-key", "SecureString", 1),
        "service-role-key": ("service-role-key", "SecureString", 1),
    }


def test_what_is_right_is_left_alone(stack: Stack, client: Client) -> None:
    probe_secrets.ensure(stack)
    before = held(client)
    assert probe_secrets.ensure(stack) == []
    assert held(client) == before


def test_a_key_that_is_new_replaces_the_old(make_stack: Callable[..., Stack], client: Client) -> None:
    probe_secrets.ensure(make_stack())
    assert probe_secrets.ensure(make_stack(SUPABASE_ANON_KEY="new")) == [f"{PATH}/anon-key"]
    assert held(client)["anon-key"] == ("new", "SecureString", 2)
    assert held(client)["service-role-key"][2] == 1


def test_a_key_that_lies_there_in_clear_is_encrypted(stack: Stack, client: Client) -> None:
    client("ssm").put_parameter(Name=f"{PATH}/anon-key", Value="anon-key", Type="String")
    assert f"{PATH}/anon-key" in probe_secrets.ensure(stack)
    assert held(client)["anon-key"][1] == "SecureString"


def test_a_destroy_takes_both_away_and_may_come_twice(stack: Stack, client: Client) -> None:
    probe_secrets.ensure(stack)
    client("ssm").put_parameter(Name="/parker-flight/production/probe/anon-key", Value="x", Type="SecureString")
    for _ in range(2):
        probe_secrets.remove(stack)
        assert held(client) == {}
    assert len(client("ssm").describe_parameters()["Parameters"]) == 1


@pytest.mark.parametrize("work", [probe_secrets.ensure, probe_secrets.remove])
def test_an_aws_that_does_not_answer_is_named(
    make_stack: Callable[..., Stack], work: Callable[[Stack], object]
) -> None:
    with pytest.raises(OperationError, match="the probe's keys") as caught:
        work(make_stack(AWS_ENDPOINT_URL="http://127.0.0.1:9"))
    assert "service-role-key" not in str(caught.value)
