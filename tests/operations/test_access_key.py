"""The functions' access key: made when none works, handed over, never kept."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from operations import access_key
from operations.access_key import CHECKSUM, KEY, KEY_ID, UserMissingError
from operations.errors import OperationError
from operations.stack import Stack
from tests.operations.conftest import PROJECT

pytestmark = pytest.mark.rows("K3")

USER = "parker-flight-sandbox-functions"
Client = Callable[[str], Any]


class Store:
    """Supabase's secrets: values go in, SHA-256 comes out."""

    def __init__(self, server: HTTPServer) -> None:
        self.values: dict[str, str] = {}
        self.status = 201
        server.expect_request(f"{PROJECT}/secrets").respond_with_handler(self.answer)

    def answer(self, request: Request) -> Response:
        if request.method == "POST" and self.status < 400:
            self.values |= {one["name"]: one["value"] for one in request.get_json()}
        if request.method == "DELETE":
            for name in request.get_json():
                self.values.pop(name, None)
        if request.method != "GET":
            return Response(status=self.status if request.method == "POST" else 200)
        listed = [
            {"name": name, "value": hashlib.sha256(value.encode()).hexdigest()} for name, value in self.values.items()
        ]
        return Response(json.dumps(listed))


@pytest.fixture
def store(httpserver: HTTPServer) -> Store:
    return Store(httpserver)


@pytest.fixture
def iam(client: Client) -> Any:
    made = client("iam")
    made.create_user(UserName=USER)
    return made


def ids(iam: Any) -> list[str]:
    return [key["AccessKeyId"] for key in iam.list_access_keys(UserName=USER)["AccessKeyMetadata"]]


def test_the_first_deployment_makes_one_key_and_hands_it_over(stack: Stack, store: Store, iam: Any) -> None:
    assert access_key.ensure(stack) is True
    assert ids(iam) == [store.values[KEY_ID]]
    assert store.values[KEY]


def test_a_key_that_works_is_left_alone(stack: Stack, store: Store, iam: Any) -> None:
    access_key.ensure(stack)
    before = dict(store.values)
    assert access_key.ensure(stack) is False
    assert store.values == before
    assert len(ids(iam)) == 1


def test_keys_that_a_dead_deployment_left_go_first(stack: Stack, store: Store, iam: Any) -> None:
    for _ in range(2):
        iam.create_access_key(UserName=USER)
    assert access_key.ensure(stack) is True
    assert ids(iam) == [store.values[KEY_ID]]


def test_a_key_that_was_switched_off_is_replaced(stack: Stack, store: Store, iam: Any) -> None:
    access_key.ensure(stack)
    (old,) = ids(iam)
    iam.update_access_key(UserName=USER, AccessKeyId=old, Status="Inactive")
    assert access_key.ensure(stack) is True
    assert ids(iam) == [store.values[KEY_ID]] != [old]


def test_a_secret_that_was_changed_by_hand_brings_a_new_key(stack: Stack, store: Store, iam: Any) -> None:
    access_key.ensure(stack)
    (old,) = ids(iam)
    store.values[KEY] = "another"
    assert access_key.ensure(stack) is True
    assert ids(iam) == [store.values[KEY_ID]] != [old]
    assert access_key.ensure(stack) is False


def test_a_key_that_may_still_serve_stays_until_the_new_one_is_handed_over(
    stack: Stack, store: Store, iam: Any
) -> None:
    access_key.ensure(stack)
    (old,) = ids(iam)
    del store.values[CHECKSUM]
    store.status = 500
    with pytest.raises(OperationError, match="500"):
        access_key.ensure(stack)
    assert ids(iam) == [old] == [store.values[KEY_ID]]
    store.status = 201
    assert access_key.ensure(stack) is True
    assert ids(iam) == [store.values[KEY_ID]] != [old]


def test_a_key_that_a_dead_deployment_left_beside_the_one_in_use_goes(stack: Stack, store: Store, iam: Any) -> None:
    access_key.ensure(stack)
    iam.create_access_key(UserName=USER)
    assert access_key.ensure(stack) is False
    assert ids(iam) == [store.values[KEY_ID]]


def test_half_a_secret_is_none(stack: Stack, store: Store, iam: Any) -> None:
    access_key.ensure(stack)
    del store.values[KEY]
    assert access_key.ensure(stack) is True
    assert ids(iam) == [store.values[KEY_ID]]


def test_a_key_that_cannot_be_handed_over_does_not_stay(stack: Stack, store: Store, iam: Any) -> None:
    store.status = 500
    with pytest.raises(OperationError, match="500"):
        access_key.ensure(stack)
    assert ids(iam) == []


def test_the_secret_is_never_printed(stack: Stack, store: Store, iam: Any, capfd: pytest.CaptureFixture[str]) -> None:
    access_key.ensure(stack)
    printed = "".join(capfd.readouterr())
    assert ids(iam)
    assert store.values[KEY] not in printed
    assert store.values[KEY_ID] not in printed


def test_before_the_user_goes_its_key_goes(stack: Stack, store: Store, iam: Any) -> None:
    access_key.ensure(stack)
    store.values["PF_ENVIRONMENT"] = "sandbox"
    access_key.remove(stack)
    assert ids(iam) == []
    assert store.values == {"PF_ENVIRONMENT": "sandbox"}


def test_without_a_user_there_is_nothing_to_remove(stack: Stack, store: Store) -> None:
    access_key.remove(stack)
    assert store.values == {}


def test_a_user_that_was_deleted_is_told_from_other_failures(stack: Stack, store: Store) -> None:
    with pytest.raises(UserMissingError, match=USER):
        access_key.ensure(stack)
    assert store.values == {}
