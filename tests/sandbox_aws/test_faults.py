"""Faults of the sandbox's AWS that somebody switches on, and off again."""

from collections.abc import Generator
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from sandbox.aws.faults import FAULTS
from tests.sandbox_aws.server import Aws

pytestmark = pytest.mark.rows("K1", "K7")


@pytest.fixture(autouse=True)
def off_again(aws: Aws) -> Generator[None]:
    yield
    switch(aws)


def switch(aws: Aws, **faults: float) -> httpx.Response:
    return httpx.post(f"{aws.url}{FAULTS}", json=faults)


def throttled(kms: Any) -> bool:
    try:
        kms.list_keys()
    except ClientError as error:
        if "(ThrottlingException)" not in str(error) or "exceeded the rate at which you may call KMS" not in str(error):
            raise
        return True
    return False


@pytest.mark.parametrize(("share", "of_eight"), [(0, 0), (0.25, 2), (0.5, 4), (1, 8)])
def test_the_stated_share_of_calls_to_kms_is_throttled(aws: Aws, share: float, of_eight: int) -> None:
    kms = aws.client("kms", attempts=1)
    switch(aws, throttled_share=share).raise_for_status()
    assert sum(throttled(kms) for _ in range(8)) == of_eight
    aws.client("cloudwatch", attempts=1).list_metrics()
    switch(aws).raise_for_status()
    assert not throttled(kms)


def test_a_client_that_tries_again_gets_through(aws: Aws) -> None:
    switch(aws, throttled_share=0.5).raise_for_status()
    kms = aws.client("kms", attempts=2)
    assert not any(throttled(kms) for _ in range(4))


@pytest.mark.parametrize("faults", [{"throttled_share": 2}, {"throttled": 1}])
def test_what_is_no_fault_is_refused_by_its_name(aws: Aws, faults: dict[str, float]) -> None:
    refused = switch(aws, **faults)
    assert refused.status_code == 400
    assert next(iter(faults)) in refused.text
    assert not throttled(aws.client("kms", attempts=1))
