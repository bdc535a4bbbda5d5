"""What the pack says about buckets."""

from typing import Any

import pytest

from policies.storage import BLOCKS, BUCKET, BUCKET_POLICY, ENCRYPTION, PARTS, PUBLIC_ACCESS, VERSIONING
from tests.policies.table import (
    COMPLIANT,
    MISSING,
    NOT_APPLICABLE,
    NOT_KNOWN,
    UNKNOWN,
    VIOLATING,
    Row,
    Table,
    cases,
    check,
    document,
)

pytestmark = pytest.mark.rows("K5")

ARN = "arn:aws:s3:::state"
OTHER = Row(verdict=NOT_APPLICABLE, type="aws:sns/topic:Topic", props={})
TLS = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:*",
    "Resource": [ARN, f"{ARN}/*"],
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}
KMS = {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": "alias/state"}
EVERY_PART = {type_: {"bucket": "state"} for type_ in PARTS}


def bucket(verdict: str, beside: dict[str, Any], said: str = "", **props: Any) -> Row:
    return Row(verdict=verdict, type=BUCKET, props={"bucket": "state"} | props, beside=beside, said=said)


def policy(verdict: str, *statements: dict[str, Any], said: str = "") -> Row:
    props = {"bucket": "state", "policy": document(*statements)}
    return Row(verdict=verdict, type=BUCKET_POLICY, props=props, said=said)


def encryption(verdict: str, *defaults: dict[str, Any], said: str = "") -> Row:
    rules = [{"applyServerSideEncryptionByDefault": default} for default in defaults]
    return Row(verdict=verdict, type=ENCRYPTION, props={"bucket": "state", "rules": rules}, said=said)


TABLE: Table = {
    "s3-complete": [
        bucket(COMPLIANT, EVERY_PART),
        bucket(VIOLATING, EVERY_PART | {VERSIONING: {"bucket": "other"}}, said="the bucket state lacks versioning"),
        bucket(MISSING, {}, said="lacks versioning, encryption, a public access block, a policy"),
        bucket(MISSING, EVERY_PART, bucket=None, said="the bucket without a name lacks versioning"),
        bucket(NOT_KNOWN, EVERY_PART, bucket=UNKNOWN, said="bucket"),
    ],
    "s3-versioned": [
        Row(verdict=COMPLIANT, type=VERSIONING, props={"versioningConfiguration": {"status": "Enabled"}}),
        Row(
            verdict=VIOLATING,
            type=VERSIONING,
            props={"versioningConfiguration": {"status": "Suspended"}},
            said="is Suspended; enable it",
        ),
        Row(verdict=MISSING, type=VERSIONING, props={}, said="is missing; enable it"),
        Row(
            verdict=NOT_KNOWN,
            type=VERSIONING,
            props={"versioningConfiguration": {"status": UNKNOWN}},
            said="versioningConfiguration.status",
        ),
        OTHER,
    ],
    "s3-encrypted": [
        encryption(COMPLIANT, KMS),
        encryption(VIOLATING, {"sseAlgorithm": "AES256"}, said="don't encrypt with a key of our own"),
        encryption(VIOLATING, {"sseAlgorithm": "aws:kms"}, said="don't encrypt with a key of our own"),
        encryption(VIOLATING, KMS, {"sseAlgorithm": "AES256"}, said="don't encrypt with a key of our own"),
        encryption(MISSING, said="don't encrypt with a key of our own"),
        encryption(
            NOT_KNOWN,
            KMS | {"kmsMasterKeyId": UNKNOWN},
            said="rules.0.applyServerSideEncryptionByDefault.kmsMasterKeyId",
        ),
        OTHER,
    ],
    "s3-not-public": [
        Row(verdict=COMPLIANT, type=PUBLIC_ACCESS, props=dict.fromkeys(BLOCKS, True)),
        Row(
            verdict=VIOLATING,
            type=PUBLIC_ACCESS,
            props=dict.fromkeys(BLOCKS, True) | {"blockPublicPolicy": False},
            said="`blockPublicPolicy` isn't true",
        ),
        Row(verdict=MISSING, type=PUBLIC_ACCESS, props={}, said="`blockPublicAcls`, `blockPublicPolicy`"),
        Row(
            verdict=NOT_KNOWN,
            type=PUBLIC_ACCESS,
            props=dict.fromkeys(BLOCKS, True) | {"blockPublicAcls": UNKNOWN},
            said="blockPublicAcls",
        ),
        OTHER,
    ],
    "s3-tls-only": [
        policy(COMPLIANT, TLS),
        policy(COMPLIANT, {**TLS, "Resource": ARN}, {**TLS, "Resource": f"{ARN}/*"}),
        policy(VIOLATING, {**TLS, "Resource": ARN}, said="lets arn:aws:s3:::state be asked for without TLS"),
        policy(VIOLATING, {**TLS, "Effect": "Allow"}, said="without TLS"),
        policy(VIOLATING, {**TLS, "Action": "s3:GetObject"}, said="without TLS"),
        policy(VIOLATING, {**TLS, "Principal": {"AWS": "arn:aws:iam::123456789012:root"}}, said="without TLS"),
        policy(VIOLATING, {**TLS, "Condition": {"Bool": {"aws:SecureTransport": "true"}}}, said="without TLS"),
        policy(
            VIOLATING,
            {**TLS, "Condition": {**TLS["Condition"], "StringEquals": {"aws:PrincipalTag/a": "b"}}},  # pyright: ignore[reportGeneralTypeIssues]
            said="without TLS",
        ),
        Row(verdict=MISSING, type=BUCKET_POLICY, props={"bucket": "state"}, said="without TLS"),
        Row(verdict=NOT_KNOWN, type=BUCKET_POLICY, props={"bucket": UNKNOWN, "policy": document(TLS)}, said="bucket"),
        OTHER,
    ],
}


@pytest.mark.parametrize(("policy", "row"), cases(TABLE))
def test_storage(policy: str, row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    check(policy, row, monkeypatch)
