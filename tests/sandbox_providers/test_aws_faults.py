"""What the provider does about AWS's faults: it tries again, as the official one does."""

from collections.abc import Generator
from typing import Any

import httpx
import pytest

from sandbox.aws.faults import FAULTS
from tests.sandbox_aws.server import Aws
from tests.sandbox_providers.plugin import Plugin

pytestmark = pytest.mark.rows("K1", "K7")


@pytest.fixture(autouse=True)
def off_again(server: Aws) -> Generator[None]:
    yield
    switch(server)


def switch(server: Aws, **faults: float) -> None:
    httpx.post(f"{server.url}{FAULTS}", json=faults).raise_for_status()


def test_a_key_is_made_though_kms_throttles(aws: Plugin, server: Aws, client: Any) -> None:
    switch(server, throttled_share=0.5)
    id_, _ = aws.create("aws:kms/key:Key", {"enableKeyRotation": True})
    switch(server)
    assert client("kms").get_key_rotation_status(KeyId=id_)["KeyRotationEnabled"]
    assert '"operation": "EnableKeyRotation", "status": 400' in (server.folder / "requests.jsonl").read_text()
