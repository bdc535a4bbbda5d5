"""What the provider does about AWS's faults: it tries again, as the official one does."""

import json
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from sandbox.aws.faults import FAULTS
from sandbox.processes import wait_for
from sandbox.providers.wire import Values
from tests.sandbox_aws.server import Aws
from tests.sandbox_providers.plugin import Plugin
from tests.sandbox_providers.test_aws_types import ACCOUNT, FUNCTION, TRUST, function, key_policy

pytestmark = pytest.mark.rows("K1", "K7")

KEY, ROLE = "aws:kms/key:Key", "aws:iam/role:Role"
LATE = f"arn:aws:iam::{ACCOUNT}:role/late"


@pytest.fixture(autouse=True)
def off_again(server: Aws) -> Generator[None]:
    yield
    switch(server)


def switch(server: Aws, **faults: float) -> None:
    httpx.post(f"{server.url}{FAULTS}", json=faults).raise_for_status()


def test_a_key_is_made_though_kms_throttles(aws: Plugin, server: Aws, client: Any) -> None:
    switch(server, throttled_share=0.5)
    id_, _ = aws.create(KEY, {"enableKeyRotation": True})
    switch(server)
    assert client("kms").get_key_rotation_status(KeyId=id_)["KeyRotationEnabled"]
    assert '"operation": "EnableKeyRotation", "status": 400' in (server.folder / "requests.jsonl").read_text()


def naming(policy: str) -> str:
    """The policy for the role beside those that it names."""
    document = json.loads(policy)
    (statement,) = document["Statement"]
    statement["Principal"] = {"AWS": [statement["Principal"]["AWS"], LATE]}
    return json.dumps(document)


@pytest.mark.parametrize(
    ("type_name", "before", "after", "call"),
    [
        (KEY, None, {"policy": naming(key_policy("kms:*"))}, "CreateKey"),
        (KEY, {"policy": key_policy("kms:*")}, {"policy": naming(key_policy("kms:*"))}, "PutKeyPolicy"),
        (ROLE, None, {"name": "a", "assumeRolePolicy": naming(TRUST)}, "CreateRole"),
        (
            ROLE,
            {"name": "b", "assumeRolePolicy": TRUST},
            {"name": "b", "assumeRolePolicy": naming(TRUST)},
            "UpdateAssumeRolePolicy",
        ),
        (FUNCTION, None, function() | {"name": "late", "role": LATE}, "/2015-03-31/functions"),
    ],
)
def test_what_names_a_role_is_made_and_changed_once_the_role_is_seen(
    aws: Plugin, server: Aws, client: Any, type_name: str, before: Values | None, after: Values, call: str
) -> None:
    iam, log, refused = client("iam"), server.folder / "requests.jsonl", f'"{call}", "status": 400'
    start = log.stat().st_size
    switch(server, unseen_role_seconds=3600)
    iam.create_role(RoleName="late", AssumeRolePolicyDocument=TRUST)
    try:
        with ThreadPoolExecutor(1) as pool:
            if before is None:
                done = pool.submit(aws.create, type_name, after)
            else:
                id_, outputs = aws.create(type_name, before)
                done = pool.submit(aws.update, type_name, id_, outputs, after)
            seen = wait_for(lambda: refused in log.read_text()[start:], 10, alive=lambda: not done.done())
            switch(server)
            done.result()
            assert seen
    finally:
        iam.delete_role(RoleName="late")
