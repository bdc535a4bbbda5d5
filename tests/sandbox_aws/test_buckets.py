"""The sandbox's buckets: served although there is no TLS here, versioned where they are told to."""

import json

import pytest

from tests.sandbox_aws.server import Aws

pytestmark = pytest.mark.rows("K7")


def test_a_bucket_that_denies_what_comes_without_tls_serves_the_sandbox(aws: Aws) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="tls-only")
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": ["arn:aws:s3:::tls-only", "arn:aws:s3:::tls-only/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    s3.put_bucket_policy(Bucket="tls-only", Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))

    s3.put_object(Bucket="tls-only", Key="a", Body=b"content")

    assert s3.get_object(Bucket="tls-only", Key="a")["Body"].read() == b"content"
