"""Faults of the sandbox's AWS that somebody switches on, and off again."""

import json
from collections.abc import Callable, Generator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from botocore.exceptions import ClientError

from sandbox.aws.faults import FAULTS
from sandbox.providers.aws.clients import error_code
from tests.sandbox_aws.conftest import Deploy
from tests.sandbox_aws.server import Aws

pytestmark = pytest.mark.rows("K1", "K7")

ACCOUNT = "123456789012"


@pytest.fixture(autouse=True)
def off_again(aws: Aws) -> Generator[None]:
    yield
    switch(aws)


def switch(aws: Aws, **faults: float) -> httpx.Response:
    return httpx.post(f"{aws.url}{FAULTS}", json=faults)


def policy(principal: dict[str, Any], **more: str) -> str:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"} | more
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def code_of(call: Callable[..., Any], *arguments: Any, **named: Any) -> str:
    """The code of AWS's refusal; empty when there is none."""
    try:
        call(*arguments, **named)
    except ClientError as error:
        return error_code(error)
    return ""


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


def test_a_role_that_was_just_made_is_not_seen_everywhere_yet(aws: Aws, deploy: Deploy) -> None:
    """By whoever is to trust it or act as it; IAM itself knows it at once."""
    iam, kms, sts = aws.client("iam"), aws.client("kms"), aws.client("sts")
    switch(aws, unseen_role_seconds=3600).raise_for_status()
    name = f"late-{uuid4().hex[:8]}"
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy({"Service": "lambda.amazonaws.com"}))
    arn = made["Role"]["Arn"]
    assert iam.get_role(RoleName=name)["Role"]["Arn"] == arn
    named = {"AWS": [f"arn:aws:iam::{ACCOUNT}:root", arn]}

    def uses() -> list[str]:
        return [
            code_of(kms.create_key, Policy=policy(named, Action="kms:*", Resource="*")),
            code_of(sts.assume_role, RoleArn=arn, RoleSessionName="session"),
            code_of(deploy, "def run(event, context): pass", Role=arn),
            code_of(iam.create_role, RoleName=f"{name}-trusts", AssumeRolePolicyDocument=policy(named)),
            code_of(iam.update_assume_role_policy, RoleName=name, PolicyDocument=policy(named)),
        ]

    assert uses() == [
        "MalformedPolicyDocumentException",
        "AccessDenied",
        "InvalidParameterValueException",
        "MalformedPolicyDocument",
        "MalformedPolicyDocument",
    ]
    switch(aws).raise_for_status()
    assert uses() == [""] * 5


@pytest.mark.parametrize("kind", ["role", "user"])
def test_a_role_trusts_and_is_assumed_only_where_there_is_somebody(aws: Aws, kind: str) -> None:
    nobody = f"arn:aws:iam::{ACCOUNT}:{kind}/nobody"
    trust = policy({"AWS": nobody})
    with pytest.raises(ClientError, match=rf'MalformedPolicyDocument.*Invalid principal in policy: "AWS":"{nobody}"'):
        aws.client("iam").create_role(RoleName="trusts-nobody", AssumeRolePolicyDocument=trust)
    with pytest.raises(ClientError, match="AccessDenied"):
        aws.client("sts").assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/nobody", RoleSessionName="session")


@pytest.mark.parametrize("faults", [{"throttled_share": 2}, {"throttled": 1}])
def test_what_is_no_fault_is_refused_by_its_name(aws: Aws, faults: dict[str, float]) -> None:
    refused = switch(aws, **faults)
    assert refused.status_code == 400
    assert next(iter(faults)) in refused.text
    assert not throttled(aws.client("kms", attempts=1))
